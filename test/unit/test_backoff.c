/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "posix/backoff.h"
#include "support/test.h"

TEST(the_bound_doubles_up_to_the_maximum)
{
    static const uint32_t bounds[] = {200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    struct rj_backoff b;

    rj_backoff_init(&b, 100, 5000);
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        struct rj_backoff same = b;

        assert_int_equal(rj_backoff_next_ms(&same, 0), 100);
        assert_int_equal(rj_backoff_next_ms(&b, bounds[i] - 100), bounds[i]);
    }
}

TEST(every_wait_lies_between_the_limits)
{
    struct rj_backoff b;
    struct rj_prng prng;

    rj_prng_init(&prng, 1);
    rj_backoff_init(&b, 250, 60000);
    for (int i = 0; i < 10000; i++) {
        uint32_t wait_ms = rj_backoff_next_ms(&b, rj_prng_u64(&prng));

        assert_in_range(wait_ms, 250, 60000);
    }
}

TEST(equal_histories_part_by_their_draws)
{
    struct rj_backoff b[2];
    struct rj_prng prng;
    int equal = 0;

    rj_prng_init(&prng, 2);
    rj_backoff_init(&b[0], 100, 60000);
    rj_backoff_init(&b[1], 100, 60000);
    for (int i = 0; i < 100; i++)
        equal += rj_backoff_next_ms(&b[0], rj_prng_u64(&prng)) ==
                 rj_backoff_next_ms(&b[1], rj_prng_u64(&prng));
    assert_in_range(equal, 0, 10);
}

TEST(a_reset_begins_again)
{
    struct rj_backoff b;

    rj_backoff_init(&b, 10, 1000);
    for (int i = 0; i < 20; i++)
        (void)rj_backoff_next_ms(&b, 0);
    assert_int_equal(rj_backoff_next_ms(&b, 990), 1000);
    rj_backoff_reset(&b);
    assert_int_equal(rj_backoff_next_ms(&b, 10), 20);
}

TEST(odd_limits_are_moved_to_good_ones)
{
    struct rj_backoff b;

    rj_backoff_init(&b, 0, 0);
    assert_int_equal(rj_backoff_next_ms(&b, UINT64_MAX), 1);
    rj_backoff_init(&b, 500, 100);
    assert_int_equal(rj_backoff_next_ms(&b, UINT64_MAX), 500);
    rj_backoff_init(&b, 1, UINT32_MAX);
    for (int i = 0; i < 100; i++)
        assert_true(rj_backoff_next_ms(&b, UINT64_MAX) >= 1);
    assert_int_equal(b.cap_ms, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_doubles_up_to_the_maximum),
        cmocka_unit_test(every_wait_lies_between_the_limits),
        cmocka_unit_test(equal_histories_part_by_their_draws),
        cmocka_unit_test(a_reset_begins_again),
        cmocka_unit_test(odd_limits_are_moved_to_good_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
