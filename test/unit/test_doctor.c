/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor.h"
#include "support/test.h"

TEST(a_plain_path_is_not_quoted)
{
    char room[64];

    assert_string_equal(rj_doctor_quote("/home/a/.local/x-1", room, sizeof(room)),
                        "/home/a/.local/x-1");
}

TEST(what_a_shell_would_take_apart_is_quoted)
{
    char room[64];

    assert_string_equal(rj_doctor_quote("my notes", room, sizeof(room)), "'my notes'");
    assert_string_equal(rj_doctor_quote("x; rm $HOME", room, sizeof(room)),
                        "'x; rm $HOME'");
    assert_string_equal(rj_doctor_quote("it's", room, sizeof(room)), "'it'\\''s'");
}

TEST(what_is_too_long_is_cut_and_still_closed)
{
    char room[12];

    assert_string_equal(rj_doctor_quote("a b c d e f g h", room, sizeof(room)),
                        "'a b c'");
    assert_string_equal(rj_doctor_quote("''''''''", room, sizeof(room)), "''\\'''\\'''");
}

TEST(the_worst_result_of_a_check_counts)
{
    static struct rj_doctor d;

    assert_int_equal(rj_doctor_worst(&d, NULL), RJ_DOCTOR_GOOD);
    rj_doctor_add(&d, "one", RJ_DOCTOR_WARN, "%s", "a");
    rj_doctor_add(&d, "two", RJ_DOCTOR_GOOD, "%s", "b");
    rj_doctor_add(&d, "one", RJ_DOCTOR_GOOD, "%s", "c");
    assert_int_equal(rj_doctor_worst(&d, "one"), RJ_DOCTOR_WARN);
    assert_int_equal(rj_doctor_worst(&d, "two"), RJ_DOCTOR_GOOD);
    assert_int_equal(rj_doctor_worst(&d, NULL), RJ_DOCTOR_WARN);
    rj_doctor_fix(&d, "type %d", 3);
    assert_string_equal(d.findings[2].fix, "type 3");
    for (int i = 0; i < 2 * RJ_DOCTOR_MAX; i++)
        rj_doctor_add(&d, "many", RJ_DOCTOR_FAIL, "%d", i);
    assert_int_equal(d.n_findings, RJ_DOCTOR_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_path_is_not_quoted),
        cmocka_unit_test(what_a_shell_would_take_apart_is_quoted),
        cmocka_unit_test(what_is_too_long_is_cut_and_still_closed),
        cmocka_unit_test(the_worst_result_of_a_check_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
