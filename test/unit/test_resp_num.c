/* SPDX-License-Identifier: Apache-2.0 */
#include "face/resp_num.h"
#include "support/test.h"

#include <inttypes.h>
#include <stdio.h>

static bool reads(const char *text, int64_t *ret)
{
    return rj_resp_num_i64(rj_bytes_from_str(text), ret);
}

TEST(every_number_has_one_spelling)
{
    static const char *const wrong[] = {"",
                                        "-",
                                        "+1",
                                        "01",
                                        "00",
                                        "-0",
                                        "-01",
                                        " 1",
                                        "1 ",
                                        "1a",
                                        "0x1",
                                        "1.0",
                                        "1e3",
                                        "--1",
                                        "1-",
                                        "/",
                                        ":",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "18446744073709551616",
                                        "99999999999999999999",
                                        "-99999999999999999999999999"};
    int64_t v = 77;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(reads(wrong[i], &v));
    assert_int_equal(v, 77);
    assert_false(rj_resp_num_i64(rj_bytes_of("1\0", 2), &v));
}

TEST(the_whole_range_is_read)
{
    int64_t v = 1;
    uint64_t u = 1;

    assert_true(reads("0", &v));
    assert_int_equal(v, 0);
    assert_true(reads("-1", &v));
    assert_int_equal(v, -1);
    assert_true(reads("9223372036854775807", &v));
    assert_true(v == INT64_MAX);
    assert_true(reads("-9223372036854775808", &v));
    assert_true(v == INT64_MIN);
    assert_true(rj_resp_num_u64(RJ_BYTES_LIT("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(rj_resp_num_u64(RJ_BYTES_LIT("18446744073709551616"), &u));
    assert_false(rj_resp_num_u64(RJ_BYTES_LIT("-1"), &u));
}

static void check_writing(int64_t v)
{
    uint8_t out[RJ_RESP_NUM_MAX];
    char expected[32];
    int64_t back = 0;
    size_t n = rj_resp_num_put_i64(out, v);

    (void)snprintf(expected, sizeof(expected), "%" PRId64, v);
    assert_bytes_equal(rj_bytes_of(out, n), rj_bytes_from_str(expected));
    assert_true(rj_resp_num_i64(rj_bytes_of(out, n), &back));
    assert_true(back == v);
    n = rj_resp_num_put_u64(out, (uint64_t)v);
    (void)snprintf(expected, sizeof(expected), "%" PRIu64, (uint64_t)v);
    assert_bytes_equal(rj_bytes_of(out, n), rj_bytes_from_str(expected));
}

TEST(what_is_written_is_read_back)
{
    uint64_t v = 1;

    check_writing(0);
    check_writing(INT64_MAX);
    check_writing(INT64_MIN);
    for (int digits = 1; digits <= 19; digits++, v *= 10) {
        check_writing((int64_t)v);
        check_writing((int64_t)(v - 1));
        check_writing(-(int64_t)v);
        check_writing((int64_t)(v * 7 / 3));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_has_one_spelling),
        cmocka_unit_test(the_whole_range_is_read),
        cmocka_unit_test(what_is_written_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
