/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pace.h"
#include "support/test.h"

static const char *look(struct rj_pace *p, uint64_t now_ms, struct rj_pace_at at)
{
    static char room[80];

    return rj_pace_look(p, now_ms, at, room, sizeof(room));
}

TEST(nothing_is_said_at_once)
{
    struct rj_pace p = {0};

    assert_string_equal(look(&p, 5000, (struct rj_pace_at){10, 1, 100}), "");
    assert_string_equal(look(&p, 5999, (struct rj_pace_at){1000, 50, 100}), "");
}

TEST(rate_and_time_left_follow_from_the_mean)
{
    struct rj_pace p = {0};

    (void)look(&p, 5000, (struct rj_pace_at){0, 0, 1000});
    assert_string_equal(look(&p, 7000, (struct rj_pace_at){5000, 250, 1000}),
                        ", 2,500/s, 6 s left");
    assert_string_equal(look(&p, 13000, (struct rj_pace_at){10000, 500, 1000}),
                        ", 1,250/s, 8 s left");
    assert_string_equal(look(&p, 15000, (struct rj_pace_at){20000, 1000, 1000}),
                        ", 2,000/s"); /* at the end nothing is left */
}

TEST(what_was_there_before_the_first_look_does_not_count)
{
    struct rj_pace p = {0};

    (void)look(&p, 0, (struct rj_pace_at){1000000, 900, 1000});
    assert_string_equal(look(&p, 10000, (struct rj_pace_at){1001000, 950, 1000}),
                        ", 100/s, 10 s left");
}

TEST(work_that_stands_still_has_no_end_in_sight)
{
    struct rj_pace p = {0};

    (void)look(&p, 0, (struct rj_pace_at){5, 5, 10});
    assert_string_equal(look(&p, 60000, (struct rj_pace_at){5, 5, 10}), "");
    assert_string_equal(look(&p, 60000, (struct rj_pace_at){65, 5, 10}), ", 1/s");
}

TEST(work_that_begins_anew_is_watched_anew)
{
    struct rj_pace p = {0};

    (void)look(&p, 0, (struct rj_pace_at){50, 50, 100});
    assert_string_equal(look(&p, 2000, (struct rj_pace_at){40, 40, 100}), "");
    assert_string_equal(look(&p, 3000, (struct rj_pace_at){60, 60, 100}),
                        ", 20/s, 2 s left");
    assert_string_equal(look(&p, 4000, (struct rj_pace_at){70, 70, 200}), "");
}

TEST(huge_numbers_do_no_harm)
{
    struct rj_pace p = {0};

    (void)look(&p, 0, (struct rj_pace_at){0, 0, UINT64_MAX});
    assert_true(strlen(look(&p, UINT64_MAX, (struct rj_pace_at){1, 1, UINT64_MAX})) > 0);
    assert_true(
        strlen(look(&p, UINT64_MAX, (struct rj_pace_at){UINT64_MAX, 2, UINT64_MAX})) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_at_once),
        cmocka_unit_test(rate_and_time_left_follow_from_the_mean),
        cmocka_unit_test(what_was_there_before_the_first_look_does_not_count),
        cmocka_unit_test(work_that_stands_still_has_no_end_in_sight),
        cmocka_unit_test(work_that_begins_anew_is_watched_anew),
        cmocka_unit_test(huge_numbers_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
