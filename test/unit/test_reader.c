/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/reader.h"
#include "support/test.h"

TEST(fields_are_read_as_they_were_written)
{
    struct rj_buf b = {0};
    struct rj_reader r;
    uint8_t copy[3];

    rj_buf_u8(&b, 1);
    rj_buf_u16be(&b, 0x0203);
    rj_buf_u32be(&b, 0x04050607);
    rj_buf_u64be(&b, UINT64_C(0xfffefdfcfbfaf9f8));
    rj_buf_append_str(&b, "abcdefrest");
    r = rj_reader_of(rj_buf_view(&b));
    assert_int_equal(rj_reader_peek(&r), 1);
    assert_int_equal(rj_reader_u8(&r), 1);
    assert_int_equal(rj_reader_u16be(&r), 0x0203);
    assert_int_equal(rj_reader_u32be(&r), 0x04050607);
    assert_int_equal(rj_reader_u64be(&r), UINT64_C(0xfffefdfcfbfaf9f8));
    assert_bytes_equal(rj_reader_bytes(&r, 3), RJ_BYTES_LIT("abc"));
    rj_reader_copy(&r, copy, 3);
    assert_memory_equal(copy, "def", 3);
    assert_int_equal(rj_reader_left(&r), 4);
    assert_false(rj_reader_complete(&r));
    assert_bytes_equal(rj_reader_rest(&r), RJ_BYTES_LIT("rest"));
    assert_true(rj_reader_complete(&r));
    assert_int_equal(rj_reader_peek(&r), 0);
    assert_true(rj_reader_complete(&r));
    rj_buf_done(&b);
}

TEST(reading_past_the_end_fails_and_sticks)
{
    for (int what = 0; what < 7; what++) {
        struct rj_reader r = rj_reader_of(rj_bytes_of("\xff", 1));
        uint8_t copy[2] = {1, 1};
        uint64_t got = 0;

        switch (what) {
        case 0:
            got = rj_reader_u16be(&r);
            break;
        case 1:
            got = rj_reader_u32be(&r);
            break;
        case 2:
            got = rj_reader_u64be(&r);
            break;
        case 3:
            got = rj_reader_bytes(&r, 2).len;
            break;
        case 4:
            got = rj_reader_varint(&r);
            break;
        case 5:
            rj_reader_copy(&r, copy, 2);
            got = copy[0] | copy[1];
            break;
        default:
            got = rj_reader_bytes(&r, SIZE_MAX).len;
            break;
        }
        assert_int_equal(got, 0);
        assert_true(r.failed);
        assert_int_equal(rj_reader_left(&r), 0);
        assert_int_equal(rj_reader_u8(&r), 0);
        assert_int_equal(rj_reader_rest(&r).len, 0);
        assert_true(r.failed);
        assert_false(rj_reader_complete(&r));
    }
}

TEST(an_empty_view_is_complete_at_once)
{
    struct rj_reader r = rj_reader_of((struct rj_bytes){0});

    assert_true(rj_reader_complete(&r));
    assert_int_equal(rj_reader_rest(&r).len, 0);
    assert_int_equal(rj_reader_bytes(&r, 0).len, 0);
    assert_true(rj_reader_complete(&r));
    assert_int_equal(rj_reader_u8(&r), 0);
    assert_true(r.failed);
}

TEST(varints_come_back)
{
    struct rj_buf b = {0};
    struct rj_reader r;

    for (unsigned shift = 0; shift < 64; shift++) {
        rj_buf_varint(&b, UINT64_C(1) << shift);
        rj_buf_varint(&b, (UINT64_C(1) << shift) - 1);
    }
    rj_buf_varint(&b, UINT64_MAX);
    r = rj_reader_of(rj_buf_view(&b));
    for (unsigned shift = 0; shift < 64; shift++) {
        assert_int_equal(rj_reader_varint(&r), UINT64_C(1) << shift);
        assert_int_equal(rj_reader_varint(&r), (UINT64_C(1) << shift) - 1);
    }
    assert_int_equal(rj_reader_varint(&r), UINT64_MAX);
    assert_true(rj_reader_complete(&r));
    rj_buf_done(&b);
}

TEST(varints_in_another_than_the_shortest_form_are_refused)
{
    static const struct rj_bytes bad[] = {
        {(const uint8_t *)"\x80\x00", 2},
        {(const uint8_t *)"\xff\x80\x00", 3},
        {(const uint8_t *)"\x80", 1},
        {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},
        {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11},
        {(const uint8_t *)"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rj_reader r = rj_reader_of(bad[i]);

        assert_int_equal(rj_reader_varint(&r), 0);
        assert_true(r.failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read_as_they_were_written),
        cmocka_unit_test(reading_past_the_end_fails_and_sticks),
        cmocka_unit_test(an_empty_view_is_complete_at_once),
        cmocka_unit_test(varints_come_back),
        cmocka_unit_test(varints_in_another_than_the_shortest_form_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
