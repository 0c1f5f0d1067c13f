/* SPDX-License-Identifier: Apache-2.0 */
/* Values of librejoin-crdt as tests make, change and compare them. */
#ifndef RJ_TEST_CRDT_VALUE_H
#define RJ_TEST_CRDT_VALUE_H

#include "support/test.h"

#include <rejoin/crdt.h>

static inline struct rj_crdt_opts crdt_opts(enum rj_crdt_type type, const char *name)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = type};

    opts.rules.size = sizeof(opts.rules);
    opts.replica = rj_bytes_from_str(name);
    return opts;
}

static inline enum rj_err crdt_make(enum rj_crdt_type type, const char *name,
                                    struct rj_crdt **ret)
{
    struct rj_crdt_opts opts = crdt_opts(type, name);

    return rj_crdt_new(&opts, ret);
}

static inline struct rj_crdt *crdt_new(enum rj_crdt_type type, const char *name)
{
    struct rj_crdt *v = NULL;

    assert_ok(crdt_make(type, name, &v));
    return v;
}

static inline struct rj_crdt_op crdt_op(enum rj_crdt_code code)
{
    return (struct rj_crdt_op){.size = sizeof(struct rj_crdt_op), .code = code};
}

/* The change code with one key. */
static inline enum rj_err crdt_key(struct rj_crdt *v, enum rj_crdt_code code,
                                   const char *key, struct rj_crdt_buf *ret_delta)
{
    return rj_crdt_key_op(v, code, rj_bytes_from_str(key), ret_delta);
}

/* What it shows; freed by the caller. */
static inline struct rj_crdt_buf crdt_json(const struct rj_crdt *v)
{
    struct rj_crdt_buf json = {0};

    assert_ok(rj_crdt_json(v, &json));
    return json;
}

/* It shows that; both have the same state, to the byte. */
#define assert_shows(v, json) rj_test_assert_shows((v), (json), __FILE__, __LINE__)
#define assert_same(a, b)     rj_test_assert_same((a), (b), __FILE__, __LINE__)

static inline void rj_test_assert_shows(const struct rj_crdt *v, const char *json,
                                        const char *file, int line)
{
    struct rj_crdt_buf x = crdt_json(v);

    rj_test_assert_bytes_equal(rj_crdt_bytes(&x), rj_bytes_from_str(json), file, line);
    rj_crdt_buf_free(&x);
}

static inline void rj_test_assert_same(const struct rj_crdt *a, const struct rj_crdt *b,
                                       const char *file, int line)
{
    struct rj_crdt_buf x = {0}, y = {0};

    assert_ok(rj_crdt_encode(a, &x));
    assert_ok(rj_crdt_encode(b, &y));
    rj_test_assert_bytes_equal(rj_crdt_bytes(&x), rj_crdt_bytes(&y), file, line);
    rj_crdt_buf_free(&x);
    rj_crdt_buf_free(&y);
}

#endif
