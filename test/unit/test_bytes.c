/* SPDX-License-Identifier: Apache-2.0 */
#include "base/be.h"
#include "base/bytes.h"
#include "base/size.h"
#include "support/test.h"

TEST(order_is_by_unsigned_byte_and_prefixes_come_first)
{
    static const struct rj_bytes sorted[] = {
        {NULL, 0},
        {(const uint8_t *)"\0", 1},
        {(const uint8_t *)"a", 1},
        {(const uint8_t *)"a\0", 2},
        {(const uint8_t *)"ab", 2},
        {(const uint8_t *)"b", 1},
        {(const uint8_t *)"\x80", 1},
        {(const uint8_t *)"\xff", 1},
    };
    size_t n = sizeof(sorted) / sizeof(sorted[0]);

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            int order = rj_bytes_compare(sorted[i], sorted[k]);

            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
            assert_int_equal(rj_bytes_equal(sorted[i], sorted[k]), i == k);
            assert_int_equal(rj_bytes_equal_secret(sorted[i], sorted[k]), i == k);
        }
    }
}

TEST(views_are_cut_within_their_bounds)
{
    struct rj_bytes b = RJ_BYTES_LIT("hello");

    assert_bytes_equal(rj_bytes_skip(b, 2), RJ_BYTES_LIT("llo"));
    assert_bytes_equal(rj_bytes_skip(b, 5), RJ_BYTES_LIT(""));
    assert_bytes_equal(rj_bytes_skip(b, 6), RJ_BYTES_LIT(""));
    assert_bytes_equal(rj_bytes_first(b, 2), RJ_BYTES_LIT("he"));
    assert_bytes_equal(rj_bytes_first(b, 9), b);
    assert_bytes_equal(rj_bytes_from_str("hello"), b);
    assert_int_equal(rj_bytes_from_str(NULL).len, 0);
    assert_true(rj_bytes_starts_with(b, RJ_BYTES_LIT("he")));
    assert_true(rj_bytes_starts_with(b, RJ_BYTES_LIT("")));
    assert_false(rj_bytes_starts_with(b, RJ_BYTES_LIT("hello!")));
    assert_false(rj_bytes_starts_with(b, RJ_BYTES_LIT("l")));
}

TEST(utf8_is_accepted_in_its_shortest_form_only)
{
    static const char *const good[] = {
        "",
        "plain",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "mixed \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
    };
    static const char *const bad[] = {
        "\x80",         "\xbf",          "\xc0\x80",         "\xc1\xbf",
        "\xc2",         "\xc2z",         "\xe0\x9f\xbf",     "\xe1\x80",
        "\xe1\x80z",    "\xed\xa0\x80",  "\xed\xbf\xbf",     "\xf0\x8f\xbf\xbf",
        "\xf1\x80\x80", "\xf1\x80\x80z", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff",         "ok then \xc3",
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(rj_bytes_is_utf8(rj_bytes_from_str(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(rj_bytes_is_utf8(rj_bytes_from_str(bad[i])));
}

TEST(wiping_leaves_zeros)
{
    uint8_t secret[9] = "secret!!";
    static const uint8_t zero[9];

    rj_bytes_wipe(secret, sizeof(secret));
    assert_memory_equal(secret, zero, sizeof(zero));
}

TEST(sizes_that_do_not_fit_are_refused)
{
    size_t n = 7;

    assert_true(rj_size_add(SIZE_MAX - 1, 1, &n));
    assert_int_equal(n, SIZE_MAX);
    assert_false(rj_size_add(SIZE_MAX, 1, &n));
    assert_false(rj_size_mul(SIZE_MAX / 2 + 1, 2, &n));
    assert_int_equal(n, SIZE_MAX);
    assert_true(rj_size_mul(SIZE_MAX, 0, &n));
    assert_int_equal(n, 0);
}

TEST(big_endian_numbers_have_their_highest_byte_first)
{
    uint8_t p[8];

    rj_be_store16(p, 0x0102);
    assert_memory_equal(p, "\x01\x02", 2);
    assert_int_equal(rj_be_load16(p), 0x0102);
    rj_be_store32(p, 0x01020304);
    assert_memory_equal(p, "\x01\x02\x03\x04", 4);
    assert_int_equal(rj_be_load32(p), 0x01020304);
    rj_be_store64(p, UINT64_C(0x0102030405060708));
    assert_memory_equal(p, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    assert_int_equal(rj_be_load64(p), UINT64_C(0x0102030405060708));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_by_unsigned_byte_and_prefixes_come_first),
        cmocka_unit_test(views_are_cut_within_their_bounds),
        cmocka_unit_test(utf8_is_accepted_in_its_shortest_form_only),
        cmocka_unit_test(wiping_leaves_zeros),
        cmocka_unit_test(sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(big_endian_numbers_have_their_highest_byte_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
