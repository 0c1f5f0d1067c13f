/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "causal/stamp.h"
#include "support/test.h"

static uint64_t next(uint64_t last, uint64_t wall_ms)
{
    return rj_stamp_next(last, (struct rj_wall){wall_ms});
}

TEST(the_wall_clock_counts_when_it_is_ahead)
{
    assert_int_equal(next(0, 5), 5 << 16);
    assert_int_equal(next(5 << 16, 6), 6 << 16);
    assert_int_equal(next((5 << 16) + 65535, 6), 6 << 16);
    assert_int_equal(rj_stamp_ms(next(0, 1700000000123)), 1700000000123);
}

TEST(within_a_millisecond_and_with_a_clock_behind_it_counts_by_one)
{
    assert_int_equal(next(0, 0), 1);
    assert_int_equal(next(5 << 16, 5), (5 << 16) + 1);
    assert_int_equal(next((5 << 16) + 1, 5), (5 << 16) + 2);
    assert_int_equal(next((9 << 16) + 7, 5), (9 << 16) + 8);
}

TEST(a_full_counter_borrows_from_the_next_millisecond)
{
    uint64_t last = (5 << 16) + 65535;

    assert_int_equal(next(last, 5), 6 << 16);
    assert_int_equal(rj_stamp_ms(next(last, 5)), 6);
    assert_int_equal(next(next(last, 5), 6), (6 << 16) + 1);
}

TEST(stamps_never_go_back_whatever_the_clock_does)
{
    struct rj_prng p;
    uint64_t last = 0, wall = 1700000000000;

    rj_prng_init(&p, 3);
    for (int i = 0; i < 200000; i++) {
        uint64_t before = last;

        if (rj_prng_chance(&p, 1, 100))
            wall = rj_prng_below(&p, 1800000000000);
        else
            wall += rj_prng_below(&p, 2);
        last = next(last, wall);
        assert_true(last > before);
        assert_true(rj_stamp_ms(last) >= wall);
        assert_true(last == before + 1 || last == wall << 16);
        assert_true(rj_stamp_is_valid(last));
    }
}

TEST(two_to_the_47_milliseconds_is_malformed)
{
    assert_true(rj_stamp_is_valid(0));
    assert_true(rj_stamp_is_valid(RJ_STAMP_MAX));
    assert_int_equal(rj_stamp_ms(RJ_STAMP_MAX), (UINT64_C(1) << 47) - 1);
    assert_false(rj_stamp_is_valid(RJ_STAMP_MAX + 1));
    assert_false(rj_stamp_is_valid(UINT64_C(1) << 47 << 16));
    assert_false(rj_stamp_is_valid(UINT64_MAX));
}

TEST(no_stamp_is_made_beyond_the_largest)
{
    uint64_t most_ms = (UINT64_C(1) << 47) - 1;

    assert_int_equal(next(0, most_ms), most_ms << 16);
    assert_int_equal(next(0, most_ms + 1), most_ms << 16);
    assert_int_equal(next(0, UINT64_MAX), most_ms << 16);
    assert_int_equal(next(most_ms << 16, UINT64_MAX), (most_ms << 16) + 1);
    assert_int_equal(next(RJ_STAMP_MAX - 1, 0), RJ_STAMP_MAX);
    assert_int_equal(next(RJ_STAMP_MAX, 0), RJ_STAMP_MAX);
    assert_int_equal(next(RJ_STAMP_MAX, UINT64_MAX), RJ_STAMP_MAX);
    assert_int_equal(next(UINT64_MAX, 0), RJ_STAMP_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wall_clock_counts_when_it_is_ahead),
        cmocka_unit_test(within_a_millisecond_and_with_a_clock_behind_it_counts_by_one),
        cmocka_unit_test(a_full_counter_borrows_from_the_next_millisecond),
        cmocka_unit_test(stamps_never_go_back_whatever_the_clock_does),
        cmocka_unit_test(two_to_the_47_milliseconds_is_malformed),
        cmocka_unit_test(no_stamp_is_made_beyond_the_largest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
