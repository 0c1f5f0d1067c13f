/* SPDX-License-Identifier: Apache-2.0 */
#include "support/crdt_value.h"

#include <string.h>

enum { LIMIT = 8, WRITES = 100 };

/* Good enough where nobody lies. */
static void digest(void *user, struct rj_bytes b, uint8_t ret[RJ_CRDT_DIGEST_LEN])
{
    size_t i;

    (void)user;
    memset(ret, 7, RJ_CRDT_DIGEST_LEN);
    for (i = 0; i < b.len; i++)
        ret[i % RJ_CRDT_DIGEST_LEN] =
            (uint8_t)(31 * ret[i % RJ_CRDT_DIGEST_LEN] + b.ptr[i]);
}

static struct rj_crdt_opts lazy(enum rj_crdt_type type, const char *name)
{
    struct rj_crdt_opts opts = crdt_opts(type, name);

    opts.rules.lazy_bytes = LIMIT;
    opts.digest = digest;
    return opts;
}

static struct rj_crdt *make(enum rj_crdt_type type, const char *name)
{
    struct rj_crdt_opts opts = lazy(type, name);
    struct rj_crdt *v = NULL;

    assert_ok(rj_crdt_new(&opts, &v));
    return v;
}

static enum rj_err put(struct rj_crdt *v, const char *key, const char *value,
                       struct rj_crdt_buf *delta)
{
    struct rj_crdt_op op = crdt_op(RJ_CRDT_PUT);
    struct rj_bytes k = rj_bytes_from_str(key);

    op.flags = RJ_CRDT_NOW;
    op.keys = &k;
    op.n_keys = 1;
    op.value = rj_bytes_from_str(value);
    return rj_crdt_write(v, &op, delta);
}

static struct rj_crdt_row only_missing(const struct rj_crdt *v)
{
    struct rj_crdt_row row;
    uint64_t cursor = 0;

    assert_ok(rj_crdt_missing(v, &cursor, &row));
    assert_true(row.missing);
    assert_int_equal(row.value.len, 0);
    assert_err(RJ_ENOENT, rj_crdt_missing(v, &cursor, &row));
    return row;
}

TEST(long_values_stay_at_home_until_somebody_asks)
{
    struct rj_crdt *a = make(RJ_CRDT_OURSET, "a"), *b = make(RJ_CRDT_OURSET, "b");
    struct rj_crdt_buf delta = {0}, json = {0};
    struct rj_crdt_row row;

    assert_ok(put(a, "k", "short", &delta));
    assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&delta), NULL));
    assert_shows(b, "{\"k\":\"short\"}");
    assert_ok(put(a, "k", "a value that is long", &delta));
    assert_null(memmem(delta.ptr, delta.len, "value", 5));
    assert_shows(a, "{\"k\":\"a value that is long\"}");
    assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&delta), NULL));
    assert_shows(b, "{\"k\":null}");
    assert_same(a, b);
    row = only_missing(b);
    assert_bytes_equal(row.key, rj_bytes_from_str("k"));
    assert_int_equal(row.length, strlen("a value that is long"));
    assert_err(RJ_ECORRUPT, rj_crdt_supply(b, row.replica, row.seq,
                                           rj_bytes_from_str("a value that is wrong")));
    assert_err(RJ_ECORRUPT, rj_crdt_supply(b, row.replica, row.seq,
                                           rj_bytes_from_str("a value that is lonG")));
    assert_ok(rj_crdt_watch(b, true));
    assert_ok(rj_crdt_supply(b, row.replica, row.seq,
                             rj_bytes_from_str("a value that is long")));
    assert_err(RJ_ENOENT, rj_crdt_supply(b, row.replica, row.seq,
                                         rj_bytes_from_str("a value that is long")));
    assert_shows(b, "{\"k\":\"a value that is long\"}");
    assert_ok(rj_crdt_patch(b, &json));
    assert_bytes_equal(
        rj_crdt_bytes(&json),
        rj_bytes_from_str(
            "{\"path\":[\"k\"],\"old\":null,\"new\":\"a value that is long\"}"));
    assert_same(a, b);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&delta);
    rj_crdt_buf_free(&json);
}

TEST(orders_do_not_depend_on_who_has_the_bytes)
{
    struct rj_crdt *a = make(RJ_CRDT_LWWREG, "a"), *b = make(RJ_CRDT_LWWREG, "b");
    struct rj_crdt *c = make(RJ_CRDT_LWWREG, "");
    struct rj_crdt_op op = crdt_op(RJ_CRDT_SET);
    struct rj_crdt_buf bytes = {0};

    op.stamp = 5; /* equal stamps: what is written decides */
    op.value = rj_bytes_from_str("one long value");
    assert_ok(rj_crdt_write(a, &op, NULL));
    op.value = rj_bytes_from_str("two long values");
    assert_ok(rj_crdt_write(b, &op, NULL));
    assert_ok(rj_crdt_encode(a, &bytes));
    assert_ok(rj_crdt_join_bytes(c, rj_crdt_bytes(&bytes), NULL));
    assert_ok(rj_crdt_encode(b, &bytes));
    assert_ok(rj_crdt_join_bytes(c, rj_crdt_bytes(&bytes), NULL));
    assert_ok(rj_crdt_join(a, b, NULL));
    assert_ok(rj_crdt_join(b, a, NULL));
    assert_same(a, b);
    assert_same(a, c);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_free(c);
    rj_crdt_buf_free(&bytes);
}

TEST(values_of_concurrent_writes_are_shown_where_they_are)
{
    struct rj_crdt *a = make(RJ_CRDT_MVREG, "a"), *b = make(RJ_CRDT_MVREG, "b");
    struct rj_crdt_op op = crdt_op(RJ_CRDT_SET);

    op.value = rj_bytes_from_str("a long value");
    assert_ok(rj_crdt_write(a, &op, NULL));
    op.value = rj_bytes_from_str("b");
    assert_ok(rj_crdt_write(b, &op, NULL));
    assert_ok(rj_crdt_join(a, b, NULL));
    assert_ok(rj_crdt_join(b, a, NULL));
    assert_shows(a, "[\"b\",\"a long value\"]");
    assert_shows(b, "[\"b\",null]");
    rj_crdt_free(a);
    rj_crdt_free(b);
}

/* ---- memory */

struct counted {
    struct rj_allocator allocator;
    size_t size;
};

static void *resize(void *user, void *ptr, size_t old_size, size_t size)
{
    struct counted *c = user;

    c->size += size;
    c->size -= old_size;
    if (size > 0)
        return realloc(ptr, size);
    free(ptr);
    return NULL;
}

TEST(bytes_that_no_row_names_any_more_go)
{
    struct counted c = {.allocator = {.resize = resize, .user = &c}};
    struct rj_crdt_opts opts = lazy(RJ_CRDT_LWWMAP, "a");
    char value[1001] = {0};
    struct rj_crdt *v = NULL;
    size_t i;

    opts.allocator = &c.allocator;
    assert_ok(rj_crdt_new(&opts, &v));
    for (i = 0; i < WRITES; i++) {
        memset(value, (int)('a' + i % 26), sizeof(value) - 1);
        value[i] = '.';
        assert_ok(put(v, "k", value, NULL));
        assert_true(c.size < (size_t)40 * 1000);
    }
    rj_crdt_free(v);
    assert_int_equal(c.size, 0);
}

TEST(who_has_no_digest_takes_no_part)
{
    struct rj_crdt_opts opts = lazy(RJ_CRDT_LWWMAP, "a");
    struct rj_crdt *a = NULL, *b = make(RJ_CRDT_LWWMAP, "b");
    struct rj_crdt *c = crdt_new(RJ_CRDT_LWWMAP, "c");

    opts.digest = NULL;
    assert_err(RJ_EINVAL, rj_crdt_new(&opts, &a));
    assert_err(RJ_EUPGRADE, rj_crdt_join(b, c, NULL));
    rj_crdt_free(b);
    rj_crdt_free(c);
}

static enum rj_err use(void *ctx)
{
    struct rj_crdt_opts opts = lazy(RJ_CRDT_LWWMAP, "a");
    const char *value = "a value that is long";
    struct rj_crdt *a = NULL, *b = NULL;
    struct rj_crdt_buf delta = {0};
    enum rj_err err = rj_crdt_new(&opts, &a);

    (void)ctx;
    opts.replica = rj_bytes_from_str("b");
    if (err == RJ_OK)
        err = rj_crdt_new(&opts, &b);
    if (err == RJ_OK)
        err = put(a, "k", value, &delta);
    if (err == RJ_OK)
        err = rj_crdt_join_bytes(b, rj_crdt_bytes(&delta), NULL);
    if (err == RJ_OK)
        err = rj_crdt_supply(b, rj_bytes_from_str("a"), 1, rj_bytes_from_str(value));
    if (err == RJ_OK)
        err = rj_crdt_json(b, &delta);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&delta);
    return err;
}

TEST(every_lack_of_memory_is_told)
{
    rj_test_with_failing_alloc(use, NULL);
    rj_test_with_one_failing_alloc(use, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lack_of_memory_is_told),
        cmocka_unit_test(long_values_stay_at_home_until_somebody_asks),
        cmocka_unit_test(orders_do_not_depend_on_who_has_the_bytes),
        cmocka_unit_test(values_of_concurrent_writes_are_shown_where_they_are),
        cmocka_unit_test(bytes_that_no_row_names_any_more_go),
        cmocka_unit_test(who_has_no_digest_takes_no_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
