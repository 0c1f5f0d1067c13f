/* SPDX-License-Identifier: Apache-2.0 */
#include "crdt/seen.h"
#include "support/test.h"

static struct rj_dot dot(uint32_t origin, uint64_t seq)
{
    return (struct rj_dot){.seq = seq, .origin = origin};
}

TEST(a_pair_stands_for_all_of_its_origin_up_to_it)
{
    struct rj_seen s = {0};

    assert_false(rj_seen_has(&s, dot(3, 1)));
    assert_ok(rj_seen_add(&s, dot(3, 5)));
    assert_true(rj_seen_has(&s, dot(3, 1)));
    assert_true(rj_seen_has(&s, dot(3, 5)));
    assert_false(rj_seen_has(&s, dot(3, 6)));
    assert_false(rj_seen_has(&s, dot(2, 1)));
    assert_false(rj_seen_has(&s, dot(4, 1)));
    rj_seen_done(&s);
}

TEST(pairs_stay_sorted_and_the_greatest_of_an_origin_stays)
{
    static const uint32_t order[] = {7, 2, 9, 2, 0, 7, 65535, 9, 1};
    struct rj_seen s = {0};

    for (uint64_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        assert_ok(rj_seen_add(&s, dot(order[i], 20 - i)));
    assert_int_equal(s.n, 6);
    for (size_t i = 1; i < s.n; i++)
        assert_true(s.pairs[i - 1].origin < s.pairs[i].origin);
    assert_true(rj_seen_has(&s, dot(7, 20)));
    assert_true(rj_seen_has(&s, dot(2, 19)));
    assert_false(rj_seen_has(&s, dot(65535, 15)));
    assert_true(rj_seen_has(&s, dot(65535, 14)));
    rj_seen_clear(&s);
    assert_false(rj_seen_has(&s, dot(7, 1)));
    rj_seen_done(&s);
    rj_seen_done(NULL);
}

TEST(a_bound_leaves_out_what_was_not_seen)
{
    struct rj_seen s = {0};

    assert_ok(rj_seen_add(&s, dot(1, 9)));
    assert_ok(rj_seen_add(&s, dot(2, 9)));
    rj_seen_bound(&s, 1, 4);
    rj_seen_bound(&s, 5, 4); /* nothing to bound */
    assert_false(rj_seen_has(&s, dot(1, 3)));
    assert_true(rj_seen_has(&s, dot(1, 4)));
    assert_true(rj_seen_has(&s, dot(1, 9)));
    assert_true(rj_seen_has(&s, dot(2, 3)));
    rj_seen_clear(&s);
    assert_ok(rj_seen_add(&s, dot(1, 9)));
    assert_true(rj_seen_has(&s, dot(1, 3)));
    rj_seen_done(&s);
}

static enum rj_err fill(void *ctx)
{
    struct rj_seen s = {0};
    enum rj_err err = RJ_OK;

    (void)ctx;
    for (uint32_t i = 0; err == RJ_OK && i < 40; i++) {
        size_t n = s.n;

        err = rj_seen_add(&s, dot(i * 7 % 41, i + 1));
        assert_int_equal(s.n, err == RJ_OK ? n + 1 : n);
    }
    rj_seen_done(&s);
    return err;
}

TEST(want_of_memory_changes_nothing)
{
    rj_test_with_failing_alloc(fill, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_stands_for_all_of_its_origin_up_to_it),
        cmocka_unit_test(pairs_stay_sorted_and_the_greatest_of_an_origin_stays),
        cmocka_unit_test(a_bound_leaves_out_what_was_not_seen),
        cmocka_unit_test(want_of_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
