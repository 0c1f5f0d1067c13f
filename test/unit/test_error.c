/* SPDX-License-Identifier: Apache-2.0 */
#include "support/test.h"

#include <rejoin/error.h>
#include <string.h>

TEST(each_code_has_a_name_a_text_and_an_exit_status)
{
    for (int i = 0; i < RJ_ERR_COUNT; i++) {
        enum rj_err err = (enum rj_err)i;

        assert_true(strlen(rj_err_name(err)) > 1);
        assert_true(strlen(rj_err_text(err)) > 3);
        if (err == RJ_ECANCELED)
            assert_int_equal(rj_err_exit(err), 130);
        else
            assert_in_range(rj_err_exit(err), err == RJ_OK ? 0 : 1,
                            err == RJ_OK ? 0 : 11);
    }
}

TEST(names_are_unique)
{
    for (int i = 0; i < RJ_ERR_COUNT; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(rj_err_name((enum rj_err)i),
                                    rj_err_name((enum rj_err)k));
}

TEST(known_codes_say_what_the_table_says)
{
    assert_string_equal(rj_err_name(RJ_OK), "OK");
    assert_string_equal(rj_err_name(RJ_ECORRUPT), "ECORRUPT");
    assert_string_equal(rj_err_text(RJ_ENOMEM), "out of memory");
    assert_int_equal(rj_err_exit(RJ_ENOENT), 4);
    assert_int_equal(rj_err_exit(RJ_ENODAEMON), 10);
}

TEST(an_unknown_code_still_has_a_text)
{
    enum rj_err err = (enum rj_err)(RJ_ERR_COUNT + 5);

    assert_string_equal(rj_err_name(err), "EUNKNOWN");
    assert_string_equal(rj_err_text(err), "unknown error");
    assert_int_equal(rj_err_exit(err), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_has_a_name_a_text_and_an_exit_status),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(known_codes_say_what_the_table_says),
        cmocka_unit_test(an_unknown_code_still_has_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
