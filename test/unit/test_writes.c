/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "support/test.h"

#include <rejoin/store.h>

TEST(entries_come_back_in_order)
{
    struct rj_writes w = {0};
    struct rj_write got;
    size_t pos = 0;

    rj_writes_put(&w, RJ_BYTES_LIT("key"), RJ_BYTES_LIT("value"));
    rj_writes_delete(&w, RJ_BYTES_LIT("gone"));
    rj_writes_delete_range(&w, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("b"));
    rj_writes_put(&w, RJ_BYTES_LIT("empty"), (struct rj_bytes){0});
    assert_false(w.failed);
    assert_int_equal(w.count, 4);

    assert_true(rj_writes_next(&w, &pos, &got));
    assert_int_equal(got.kind, RJ_WRITE_PUT);
    assert_bytes_equal(got.key, RJ_BYTES_LIT("key"));
    assert_bytes_equal(got.value, RJ_BYTES_LIT("value"));
    assert_true(rj_writes_next(&w, &pos, &got));
    assert_int_equal(got.kind, RJ_WRITE_DELETE);
    assert_bytes_equal(got.key, RJ_BYTES_LIT("gone"));
    assert_true(rj_writes_next(&w, &pos, &got));
    assert_int_equal(got.kind, RJ_WRITE_DELETE_RANGE);
    assert_bytes_equal(got.key, RJ_BYTES_LIT("a"));
    assert_bytes_equal(got.value, RJ_BYTES_LIT("b"));
    assert_true(rj_writes_next(&w, &pos, &got));
    assert_int_equal(got.kind, RJ_WRITE_PUT);
    assert_int_equal(got.value.len, 0);
    assert_false(rj_writes_next(&w, &pos, &got));
    rj_writes_done(&w);
}

TEST(an_empty_batch_has_no_entries)
{
    struct rj_writes w = {0};
    struct rj_write got;
    size_t pos = 0;

    assert_false(rj_writes_next(&w, &pos, &got));
    rj_writes_clear(&w);
    rj_writes_done(&w);
    rj_writes_done(NULL);
}

TEST(clearing_empties_and_keeps_the_memory)
{
    struct rj_writes w = {0};
    struct rj_write got;
    size_t pos = 0, cap;

    rj_writes_put(&w, RJ_BYTES_LIT("k"), RJ_BYTES_LIT("v"));
    cap = w.cap;
    rj_writes_clear(&w);
    assert_int_equal(w.count, 0);
    assert_int_equal(w.cap, cap);
    assert_false(rj_writes_next(&w, &pos, &got));
    rj_writes_delete(&w, RJ_BYTES_LIT("again"));
    assert_true(rj_writes_next(&w, &pos, &got));
    assert_bytes_equal(got.key, RJ_BYTES_LIT("again"));
    rj_writes_done(&w);
    assert_null(w.buf);
}

TEST(many_entries_of_all_sizes_survive_growing)
{
    static uint8_t data[100000];
    struct rj_prng p, q;
    struct rj_writes w = {0};
    struct rj_write got;
    size_t pos = 0;

    rj_prng_init(&p, 5);
    rj_prng_bytes(&p, data, sizeof(data));
    q = p;
    for (int i = 0; i < 500; i++) {
        struct rj_bytes key = {data, 1 + rj_prng_below(&p, 300)};
        struct rj_bytes value = {data, rj_prng_below(&p, sizeof(data) >> i % 17)};

        rj_writes_put(&w, key, value);
    }
    assert_false(w.failed);
    for (int i = 0; i < 500; i++) {
        struct rj_bytes key = {data, 1 + rj_prng_below(&q, 300)};
        struct rj_bytes value = {data, rj_prng_below(&q, sizeof(data) >> i % 17)};

        assert_true(rj_writes_next(&w, &pos, &got));
        assert_bytes_equal(got.key, key);
        assert_bytes_equal(got.value, value);
    }
    assert_false(rj_writes_next(&w, &pos, &got));
    rj_writes_done(&w);
}

TEST(lengths_beyond_the_format_fail_without_a_trace)
{
    struct rj_writes w = {0};

    rj_writes_put(&w, RJ_BYTES_LIT("k"), RJ_BYTES_LIT("v"));
    rj_writes_put(&w, rj_bytes_of("", (size_t)UINT32_MAX + 1), RJ_BYTES_LIT(""));
    assert_true(w.failed);
    assert_int_equal(w.count, 1);
    rj_writes_delete(&w, RJ_BYTES_LIT("after"));
    assert_int_equal(w.count, 1);
    rj_writes_clear(&w);
    assert_false(w.failed);
    rj_writes_done(&w);
}

static enum rj_err build(void *ctx)
{
    struct rj_writes w = {0};
    struct rj_write got;
    size_t pos = 0, n = 0;
    enum rj_err err;

    (void)ctx;
    for (int i = 0; i < 200; i++)
        rj_writes_put(&w, RJ_BYTES_LIT("some key"), RJ_BYTES_LIT("and some value"));
    while (rj_writes_next(&w, &pos, &got))
        n++;
    assert_int_equal(n, w.count);
    err = w.failed ? RJ_ENOMEM : RJ_OK;
    assert_true(w.failed || n == 200);
    rj_writes_done(&w);
    return err;
}

TEST(out_of_memory_is_sticky_and_leaks_nothing)
{
    rj_test_with_failing_alloc(build, NULL);
    rj_test_with_one_failing_alloc(build, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_back_in_order),
        cmocka_unit_test(an_empty_batch_has_no_entries),
        cmocka_unit_test(clearing_empties_and_keeps_the_memory),
        cmocka_unit_test(many_entries_of_all_sizes_survive_growing),
        cmocka_unit_test(lengths_beyond_the_format_fail_without_a_trace),
        cmocka_unit_test(out_of_memory_is_sticky_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
