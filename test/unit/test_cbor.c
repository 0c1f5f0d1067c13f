/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cbor.h"
#include "support/test.h"

/* An encoding in bytes, from a literal that may hold NULs. */
#define CODE(s) RJ_BYTES_LIT(s)

TEST(unsigned_integers_are_encoded_as_in_the_standard)
{
    /* RFC 8949, appendix A. */
    static const struct {
        uint64_t v;
        struct rj_bytes code;
    } cases[] = {
        {0, {(const uint8_t *)"\x00", 1}},
        {23, {(const uint8_t *)"\x17", 1}},
        {24, {(const uint8_t *)"\x18\x18", 2}},
        {255, {(const uint8_t *)"\x18\xff", 2}},
        {256, {(const uint8_t *)"\x19\x01\x00", 3}},
        {1000, {(const uint8_t *)"\x19\x03\xe8", 3}},
        {65535, {(const uint8_t *)"\x19\xff\xff", 3}},
        {1000000, {(const uint8_t *)"\x1a\x00\x0f\x42\x40", 5}},
        {UINT32_MAX, {(const uint8_t *)"\x1a\xff\xff\xff\xff", 5}},
        {1000000000000, {(const uint8_t *)"\x1b\x00\x00\x00\xe8\xd4\xa5\x10\x00", 9}},
        {UINT64_MAX, {(const uint8_t *)"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 9}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rj_buf b = {0};
        struct rj_reader r = rj_reader_of(cases[i].code);

        rj_cbor_put_uint(&b, cases[i].v);
        assert_bytes_equal(rj_buf_view(&b), cases[i].code);
        assert_true(rj_cbor_get_uint(&r) == cases[i].v);
        assert_true(rj_reader_complete(&r));
        rj_buf_done(&b);
    }
}

TEST(signed_integers_are_encoded_as_in_the_standard)
{
    static const struct {
        int64_t v;
        struct rj_bytes code;
    } cases[] = {
        {0, {(const uint8_t *)"\x00", 1}},
        {-1, {(const uint8_t *)"\x20", 1}},
        {-10, {(const uint8_t *)"\x29", 1}},
        {-100, {(const uint8_t *)"\x38\x63", 2}},
        {-1000, {(const uint8_t *)"\x39\x03\xe7", 3}},
        {INT64_MAX, {(const uint8_t *)"\x1b\x7f\xff\xff\xff\xff\xff\xff\xff", 9}},
        {INT64_MIN, {(const uint8_t *)"\x3b\x7f\xff\xff\xff\xff\xff\xff\xff", 9}},
    };
    struct rj_reader too_low = rj_reader_of(CODE("\x3b\x80\0\0\0\0\0\0\0"));
    struct rj_reader too_high = rj_reader_of(CODE("\x1b\x80\0\0\0\0\0\0\0"));

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rj_buf b = {0};
        struct rj_reader r = rj_reader_of(cases[i].code);

        rj_cbor_put_int(&b, cases[i].v);
        assert_bytes_equal(rj_buf_view(&b), cases[i].code);
        assert_true(rj_cbor_get_int(&r) == cases[i].v);
        assert_true(rj_reader_complete(&r));
        rj_buf_done(&b);
    }
    assert_int_equal(rj_cbor_get_int(&too_low), 0);
    assert_true(too_low.failed);
    assert_int_equal(rj_cbor_get_int(&too_high), 0);
    assert_true(too_high.failed);
}

TEST(a_record_comes_back_field_by_field)
{
    struct rj_buf b = {0};
    struct rj_reader r;
    uint8_t fixed[3];

    rj_cbor_put_array(&b, 8);
    rj_cbor_put_bytes(&b, CODE("\x01\x02\x03"));
    rj_cbor_put_bytes(&b, CODE("xyz"));
    rj_cbor_put_text(&b, CODE("\xc3\xbc"));
    rj_cbor_put_bool(&b, true);
    rj_cbor_put_bool(&b, false);
    rj_cbor_put_null(&b);
    rj_cbor_put_map(&b, 1);
    rj_cbor_put_uint(&b, 1);
    rj_cbor_put_int(&b, -2);
    rj_cbor_put_array(&b, 0);
    assert_ok(rj_buf_err(&b));
    assert_bytes_equal(rj_buf_view(&b),
                       CODE("\x88\x43\x01\x02\x03\x43xyz\x62\xc3\xbc\xf5\xf4\xf6\xa1\x01"
                            "\x21\x80"));
    assert_true(rj_cbor_is_valid(rj_buf_view(&b)));

    r = rj_reader_of(rj_buf_view(&b));
    assert_int_equal(rj_cbor_peek(&r), RJ_CBOR_ARRAY);
    rj_cbor_expect_array(&r, 8);
    assert_bytes_equal(rj_cbor_get_bytes(&r), CODE("\x01\x02\x03"));
    rj_cbor_get_fixed(&r, fixed, sizeof(fixed));
    assert_memory_equal(fixed, "xyz", 3);
    assert_bytes_equal(rj_cbor_get_text(&r), CODE("\xc3\xbc"));
    assert_true(rj_cbor_get_bool(&r));
    assert_false(rj_cbor_get_bool(&r));
    assert_int_equal(rj_cbor_peek(&r), RJ_CBOR_NULL);
    rj_cbor_get_null(&r);
    assert_int_equal(rj_cbor_get_map(&r), 1);
    assert_int_equal(rj_cbor_get_uint(&r), 1);
    assert_int_equal(rj_cbor_get_int(&r), -2);
    assert_int_equal(rj_cbor_get_array(&r), 0);
    assert_true(rj_reader_complete(&r));
    assert_int_equal(rj_cbor_peek(&r), RJ_CBOR_NONE);
    rj_buf_done(&b);
}

TEST(text_that_is_not_utf8_is_neither_written_nor_read)
{
    struct rj_buf b = {0};
    struct rj_reader r = rj_reader_of(CODE("\x61\xff"));

    rj_cbor_put_text(&b, CODE("\xff"));
    assert_err(RJ_EINVAL, rj_buf_err(&b));
    assert_int_equal(b.len, 0);
    assert_int_equal(rj_cbor_get_text(&r).len, 0);
    assert_true(r.failed);
    assert_false(rj_cbor_is_valid(CODE("\x61\xff")));
    rj_buf_done(&b);
}

TEST(each_reader_refuses_every_other_kind)
{
    static const struct rj_bytes items[] = {
        {(const uint8_t *)"\x01", 1}, {(const uint8_t *)"\x20", 1},
        {(const uint8_t *)"\x40", 1}, {(const uint8_t *)"\x60", 1},
        {(const uint8_t *)"\x80", 1}, {(const uint8_t *)"\xa0", 1},
        {(const uint8_t *)"\xf6", 1}, {(const uint8_t *)"\xf4", 1},
    };
    size_t n = sizeof(items) / sizeof(items[0]);

    for (size_t item = 0; item < n; item++) {
        for (size_t reader = 0; reader < n; reader++) {
            struct rj_reader r = rj_reader_of(items[item]);

            switch (reader) {
            case 0:
                (void)rj_cbor_get_uint(&r);
                break;
            case 1:
                (void)rj_cbor_get_int(&r);
                break;
            case 2:
                (void)rj_cbor_get_bytes(&r);
                break;
            case 3:
                (void)rj_cbor_get_text(&r);
                break;
            case 4:
                (void)rj_cbor_get_array(&r);
                break;
            case 5:
                (void)rj_cbor_get_map(&r);
                break;
            case 6:
                rj_cbor_get_null(&r);
                break;
            default:
                (void)rj_cbor_get_bool(&r);
                break;
            }
            /* An integer of either sign holds an unsigned one too. */
            assert_int_equal(rj_reader_complete(&r),
                             item == reader || (reader == 1 && item == 0));
        }
    }
}

TEST(what_is_not_deterministic_or_not_whole_is_refused)
{
    static const struct rj_bytes bad[] = {
        {NULL, 0},
        {(const uint8_t *)"\x18\x17", 2}, /* longer than need be */
        {(const uint8_t *)"\x19\x00\xff", 3},
        {(const uint8_t *)"\x1a\x00\x00\xff\xff", 5},
        {(const uint8_t *)"\x1b\0\0\0\0\xff\xff\xff\xff", 9},
        {(const uint8_t *)"\x38\x00", 2},
        {(const uint8_t *)"\x58\x01z", 3},
        {(const uint8_t *)"\x98\x01\x01", 3},
        {(const uint8_t *)"\x18", 1}, /* cut off */
        {(const uint8_t *)"\x1b\xff\xff", 3},
        {(const uint8_t *)"\x42z", 2},
        {(const uint8_t *)"\x82\x01", 2},
        {(const uint8_t *)"\xa1\x01", 2},
        {(const uint8_t *)"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", 9}, /* huge counts */
        {(const uint8_t *)"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", 9},
        {(const uint8_t *)"\xbb\x80\0\0\0\0\0\0\0\x01\x01", 11},
        {(const uint8_t *)"\x9f\xff", 2}, /* indefinite lengths */
        {(const uint8_t *)"\x5f\x41z\xff", 4},
        {(const uint8_t *)"\xbf\xff", 2},
        {(const uint8_t *)"\xf9\x3c\x00", 3}, /* floats */
        {(const uint8_t *)"\xfa\0\0\0\0", 5},
        {(const uint8_t *)"\xfb\0\0\0\0\0\0\0\0", 9},
        {(const uint8_t *)"\xc0\x00", 2}, /* tag */
        {(const uint8_t *)"\xf7", 1},     /* undefined */
        {(const uint8_t *)"\xe0", 1},     /* unassigned */
        {(const uint8_t *)"\xf8\x20", 2},
        {(const uint8_t *)"\x1c", 1},                 /* reserved */
        {(const uint8_t *)"\x01\x01", 2},             /* two items */
        {(const uint8_t *)"\xa2\x01\x00\x01\x00", 5}, /* one key twice */
        {(const uint8_t *)"\xa2\x02\x00\x01\x00", 5}, /* keys out of order */
        {(const uint8_t *)"\xa2\x61z\x00\x18\x20\x00", 7},
        {(const uint8_t *)"\x81\xa2\x41z\x00\x41y\x00", 8},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(rj_cbor_is_valid(bad[i]));
}

TEST(well_formed_items_are_passed_over_whole)
{
    static const struct rj_bytes good[] = {
        {(const uint8_t *)"\x00", 1},
        {(const uint8_t *)"\x80", 1},
        {(const uint8_t *)"\xa0", 1},
        {(const uint8_t *)"\x82\x80\xa0", 3},
        {(const uint8_t *)"\xa2\x01\x81\x05\x02\xa1\x40\x40", 8},
        {(const uint8_t *)"\xa3\x01\x00\x20\x00\x41z\x00", 8},
        {(const uint8_t *)"\xa2\x81\x01\x00\x81\x02\x00", 7}, /* arrays as keys */
        {(const uint8_t *)"\x83\xa1\xa1\x01\x02\x03\x61z\xf6", 9},
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct rj_buf b = {0};
        struct rj_reader r;

        assert_true(rj_cbor_is_valid(good[i]));
        rj_buf_append(&b, good[i]);
        rj_buf_append(&b, CODE("\x07"));
        r = rj_reader_of(rj_buf_view(&b));
        assert_bytes_equal(rj_cbor_item(&r), good[i]);
        assert_int_equal(rj_cbor_get_uint(&r), 7);
        assert_true(rj_reader_complete(&r));
        for (size_t len = 0; len < good[i].len; len++)
            assert_false(rj_cbor_is_valid(rj_bytes_first(good[i], len)));
        rj_buf_done(&b);
    }
}

TEST(depth_is_limited_without_recursion)
{
    static uint8_t code[1 << 20];

    memset(code, 0x81, sizeof(code));
    assert_false(rj_cbor_is_valid(rj_bytes_of(code, sizeof(code))));
    code[RJ_CBOR_DEPTH_MAX] = 0x05;
    assert_true(rj_cbor_is_valid(rj_bytes_of(code, RJ_CBOR_DEPTH_MAX + 1)));
    code[RJ_CBOR_DEPTH_MAX] = 0x81;
    code[RJ_CBOR_DEPTH_MAX + 1] = 0x05;
    assert_false(rj_cbor_is_valid(rj_bytes_of(code, RJ_CBOR_DEPTH_MAX + 2)));
    code[RJ_CBOR_DEPTH_MAX] = 0x80; /* an empty one holds nothing, but is no level */
    assert_true(rj_cbor_is_valid(rj_bytes_of(code, RJ_CBOR_DEPTH_MAX + 1)));
}

TEST(counts_never_exceed_the_bytes_left)
{
    struct rj_reader array = rj_reader_of(CODE("\x83\x01\x01"));
    struct rj_reader map = rj_reader_of(CODE("\xa2\x01\x01\x02"));
    struct rj_reader three = rj_reader_of(CODE("\x83\x01\x01\x01"));
    struct rj_reader fixed = rj_reader_of(CODE("\x42zz"));
    uint8_t out[3] = {9, 9, 9};

    assert_int_equal(rj_cbor_get_array(&array), 0);
    assert_true(array.failed);
    assert_int_equal(rj_cbor_get_map(&map), 0);
    assert_true(map.failed);
    rj_cbor_expect_array(&three, 2);
    assert_true(three.failed);
    rj_cbor_get_fixed(&fixed, out, 3);
    assert_true(fixed.failed);
    assert_memory_equal(out, "\0\0\0", 3);
}

TEST(a_failed_reader_gives_nothing)
{
    struct rj_reader r = rj_reader_of(CODE("\x01\x02"));

    rj_reader_fail(&r);
    assert_int_equal(rj_cbor_get_uint(&r), 0);
    assert_int_equal(rj_cbor_get_int(&r), 0);
    assert_int_equal(rj_cbor_get_bytes(&r).len, 0);
    assert_int_equal(rj_cbor_get_text(&r).len, 0);
    assert_int_equal(rj_cbor_get_array(&r), 0);
    assert_int_equal(rj_cbor_get_map(&r), 0);
    assert_int_equal(rj_cbor_item(&r).len, 0);
    assert_false(rj_cbor_get_bool(&r));
    assert_int_equal(rj_cbor_peek(&r), RJ_CBOR_NONE);
    assert_true(r.failed);
}

TEST(writing_stops_exactly_at_the_limit)
{
    struct rj_buf b;

    rj_buf_init(&b, 12);
    for (uint64_t i = 0; i < 12; i++)
        rj_cbor_put_uint(&b, i);
    assert_ok(rj_buf_err(&b));
    assert_int_equal(b.len, 12);
    rj_cbor_put_uint(&b, 0);
    assert_err(RJ_ELIMIT, rj_buf_err(&b));
    rj_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsigned_integers_are_encoded_as_in_the_standard),
        cmocka_unit_test(signed_integers_are_encoded_as_in_the_standard),
        cmocka_unit_test(a_record_comes_back_field_by_field),
        cmocka_unit_test(text_that_is_not_utf8_is_neither_written_nor_read),
        cmocka_unit_test(each_reader_refuses_every_other_kind),
        cmocka_unit_test(what_is_not_deterministic_or_not_whole_is_refused),
        cmocka_unit_test(well_formed_items_are_passed_over_whole),
        cmocka_unit_test(depth_is_limited_without_recursion),
        cmocka_unit_test(counts_never_exceed_the_bytes_left),
        cmocka_unit_test(a_failed_reader_gives_nothing),
        cmocka_unit_test(writing_stops_exactly_at_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
