/* SPDX-License-Identifier: Apache-2.0 */
/* Values of librejoin-crdt as tests make and compare them. */
#ifndef RJ_TEST_CRDT_VALUE_H
#define RJ_TEST_CRDT_VALUE_H

#include "support/test.h"

#include <rejoin/crdt.h>

static inline enum rj_err crdt_make(enum rj_crdt_type type, const char *replica,
                                    struct rj_crdt **ret)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = type};

    opts.replica = rj_bytes_from_str(replica);
    return rj_crdt_new(&opts, ret);
}

static inline struct rj_crdt *crdt_new(enum rj_crdt_type type, const char *replica)
{
    struct rj_crdt *v = NULL;

    assert_ok(crdt_make(type, replica, &v));
    return v;
}

/* Both have the same state, to the byte. */
static inline void assert_same(const struct rj_crdt *a, const struct rj_crdt *b)
{
    struct rj_crdt_buf x = {0}, y = {0};

    assert_ok(rj_crdt_encode(a, &x));
    assert_ok(rj_crdt_encode(b, &y));
    assert_bytes_equal(rj_crdt_bytes(&x), rj_crdt_bytes(&y));
    rj_crdt_buf_free(&x);
    rj_crdt_buf_free(&y);
}

static inline void assert_shows(const struct rj_crdt *v, const char *json)
{
    struct rj_crdt_buf x = {0};

    assert_ok(rj_crdt_json(v, &x));
    assert_bytes_equal(rj_crdt_bytes(&x), rj_bytes_from_str(json));
    rj_crdt_buf_free(&x);
}

#endif
