/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/incidents.h"
#include "support/test.h"

#include <stdio.h>

static struct rj_wall at(uint64_t ms)
{
    return (struct rj_wall){ms};
}

TEST(warnings_of_one_event_are_counted)
{
    struct rj_incidents all = {0};

    rj_incidents_take(&all, RJ_NOTE_WARN, "fork space=a", at(1));
    rj_incidents_take(&all, RJ_NOTE_ERROR, "fork space=b", at(2));
    rj_incidents_take(&all, RJ_NOTE_WARN, "alone", at(3));
    assert_string_equal(all.kinds[0].event, "fork");
    assert_string_equal(all.kinds[0].text, "fork space=b");
    assert_int_equal(all.kinds[0].count, 2);
    assert_int_equal(all.kinds[0].last.ms, 2);
    assert_string_equal(all.kinds[1].event, "alone");
    assert_string_equal(all.kinds[2].event, "");
}

TEST(what_is_no_warning_is_ignored)
{
    struct rj_incidents all = {0};

    rj_incidents_take(&all, RJ_NOTE_INFO, "peer.up device=1", at(1));
    rj_incidents_take(&all, RJ_NOTE_WARN, "", at(1));
    rj_incidents_take(&all, RJ_NOTE_WARN, "a-word-that-is-longer-than-any-event-has x",
                      at(1));
    assert_string_equal(all.kinds[0].event, "");
}

TEST(of_too_many_the_oldest_is_forgotten)
{
    struct rj_incidents all = {0};
    char text[32];

    for (uint64_t i = 0; i <= RJ_INCIDENTS_KINDS; i++) {
        (void)snprintf(text, sizeof(text), "event%llu x=1", (unsigned long long)i);
        rj_incidents_take(&all, RJ_NOTE_WARN, text, at(i + 1));
    }
    assert_string_equal(all.kinds[0].event, "event16");
    assert_string_equal(all.kinds[1].event, "event1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warnings_of_one_event_are_counted),
        cmocka_unit_test(what_is_no_warning_is_ignored),
        cmocka_unit_test(of_too_many_the_oldest_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
