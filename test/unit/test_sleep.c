/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/sleep.h"
#include "support/test.h"

/* Looks once a second, from 1000 to `to`; the clock of sleep stands. */
static void look_on(struct rj_sleep *w, uint64_t to_ms, uint64_t slept_ms)
{
    for (uint64_t ms = w->last.ms + 1000; ms <= to_ms; ms += 1000)
        assert_false(rj_sleep_look(w, slept_ms, (struct rj_mono){ms}));
}

TEST(a_machine_that_is_awake_does_not_wake)
{
    struct rj_sleep w;

    rj_sleep_begin(&w, 0);
    look_on(&w, 100000, 0);
}

TEST(what_was_slept_before_the_start_does_not_count)
{
    struct rj_sleep w;

    rj_sleep_begin(&w, 86400000);
    look_on(&w, 10000, 86400000);
}

TEST(a_sleep_is_told_once)
{
    struct rj_sleep w;

    rj_sleep_begin(&w, 0);
    look_on(&w, 5000, 0);
    assert_true(rj_sleep_look(&w, 3600000, (struct rj_mono){6000}));
    look_on(&w, 20000, 3600000);
    assert_true(rj_sleep_look(&w, 3610000, (struct rj_mono){21000}));
}

TEST(a_sleep_before_the_first_look_is_told)
{
    struct rj_sleep w;

    rj_sleep_begin(&w, 500);
    assert_true(rj_sleep_look(&w, 500 + RJ_SLEEP_MS + 1, (struct rj_mono){1000}));
}

TEST(two_clocks_that_are_not_read_at_once_are_no_sleep)
{
    struct rj_sleep w;
    uint64_t slept_ms = 1000;

    rj_sleep_begin(&w, slept_ms);
    look_on(&w, 5000, slept_ms);
    assert_false(rj_sleep_look(&w, slept_ms + RJ_SLEEP_MS, (struct rj_mono){6000}));
    assert_false(rj_sleep_look(&w, slept_ms, (struct rj_mono){7000})); /* and back */
    assert_false(rj_sleep_look(&w, 0, (struct rj_mono){8000}));
}

TEST(a_machine_that_was_frozen_from_outside_wakes_too)
{
    struct rj_sleep w;

    rj_sleep_begin(&w, 0);
    look_on(&w, 5000, 0);
    assert_false(rj_sleep_look(&w, 0, (struct rj_mono){5000 + RJ_SLEEP_STALLED_MS}));
    assert_true(rj_sleep_look(&w, 0, (struct rj_mono){5001 + 2 * RJ_SLEEP_STALLED_MS}));
    look_on(&w, 90000, 0);
}

TEST(a_start_that_took_long_is_no_sleep)
{
    struct rj_sleep w;

    rj_sleep_begin(&w, 0);
    assert_false(rj_sleep_look(&w, 0, (struct rj_mono){10 * RJ_SLEEP_STALLED_MS}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_that_is_awake_does_not_wake),
        cmocka_unit_test(what_was_slept_before_the_start_does_not_count),
        cmocka_unit_test(a_sleep_is_told_once),
        cmocka_unit_test(a_sleep_before_the_first_look_is_told),
        cmocka_unit_test(two_clocks_that_are_not_read_at_once_are_no_sleep),
        cmocka_unit_test(a_machine_that_was_frozen_from_outside_wakes_too),
        cmocka_unit_test(a_start_that_took_long_is_no_sleep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
