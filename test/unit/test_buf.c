/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "support/test.h"

#include <stdio.h>

TEST(fields_are_appended_in_order)
{
    struct rj_buf b = {0};
    static const uint8_t expected[] = {1, 2, 3, 0,   0,   0,   4,    0, 0,   0,   0,  0,
                                       0, 0, 5, 'a', 'b', 'c', 0xac, 2, 'x', '=', '7'};

    rj_buf_u8(&b, 1);
    rj_buf_u16be(&b, 0x0203);
    rj_buf_u32be(&b, 4);
    rj_buf_u64be(&b, 5);
    rj_buf_append_str(&b, "abc");
    rj_buf_varint(&b, 300);
    rj_buf_printf(&b, "%c=%d", 'x', 7);
    assert_ok(rj_buf_err(&b));
    assert_bytes_equal(rj_buf_view(&b), RJ_BYTES_OF(expected));
    rj_buf_done(&b);
}

TEST(it_grows_and_keeps_what_it_holds)
{
    struct rj_buf b = {0};

    for (unsigned i = 0; i < 100000; i++)
        rj_buf_u32be(&b, i);
    assert_ok(rj_buf_err(&b));
    assert_int_equal(b.len, 400000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(rj_be_load32(b.ptr + 4 * i), i);
    rj_buf_done(&b);
    assert_null(b.ptr);
    rj_buf_done(NULL);
}

TEST(the_limit_is_reached_exactly_and_never_passed)
{
    struct rj_buf b;

    rj_buf_init(&b, 10);
    for (int i = 0; i < 10; i++)
        rj_buf_u8(&b, (uint8_t)i);
    assert_ok(rj_buf_err(&b));
    assert_int_equal(b.len, 10);
    rj_buf_u8(&b, 10);
    assert_err(RJ_ELIMIT, rj_buf_err(&b));
    assert_int_equal(b.len, 10);
    rj_buf_clear(&b);
    assert_ok(rj_buf_err(&b));
    rj_buf_append_raw(&b, "12345678", 8);
    rj_buf_varint(&b, 5); /* one byte, although the longest takes ten */
    assert_ok(rj_buf_err(&b));
    rj_buf_append_raw(&b, "12", 2);
    assert_err(RJ_ELIMIT, rj_buf_err(&b));
    assert_true(b.cap <= 10);
    rj_buf_done(&b);
}

TEST(a_failure_sticks_until_it_is_cleared)
{
    struct rj_buf b;

    rj_buf_init(&b, 4);
    rj_buf_u64be(&b, 1);
    rj_buf_u8(&b, 1);
    rj_buf_u16be(&b, 1);
    rj_buf_u32be(&b, 1);
    rj_buf_varint(&b, 1);
    rj_buf_append_str(&b, "a");
    rj_buf_printf(&b, "a");
    rj_buf_set_u32be(&b, 0, 1);
    rj_buf_fail(&b, RJ_EINVAL);
    assert_null(rj_buf_reserve(&b, 1));
    assert_null(rj_buf_take(&b, NULL));
    assert_string_equal(rj_buf_str(&b), "");
    assert_int_equal(b.len, 0);
    assert_err(RJ_ELIMIT, rj_buf_err(&b));
    rj_buf_clear(&b);
    rj_buf_u8(&b, 7);
    assert_ok(rj_buf_err(&b));
    rj_buf_done(&b);
}

TEST(a_size_that_wraps_around_fails)
{
    struct rj_buf b;

    rj_buf_init(&b, SIZE_MAX);
    rj_buf_u8(&b, 1);
    assert_null(rj_buf_reserve(&b, SIZE_MAX));
    assert_err(RJ_ELIMIT, rj_buf_err(&b));
    rj_buf_done(&b);
}

TEST(reserved_room_counts_after_the_commit)
{
    struct rj_buf b = {0};
    uint8_t *room = rj_buf_reserve(&b, 100);

    assert_non_null(room);
    memset(room, 'x', 100);
    assert_int_equal(b.len, 0);
    rj_buf_commit(&b, 60);
    assert_int_equal(b.len, 60);
    rj_buf_truncate(&b, 2);
    rj_buf_truncate(&b, 3);
    assert_bytes_equal(rj_buf_view(&b), RJ_BYTES_LIT("xx"));
    rj_buf_done(&b);
}

TEST(a_length_can_be_set_afterwards)
{
    struct rj_buf b = {0};

    rj_buf_u8(&b, 9);
    rj_buf_u32be(&b, 0);
    rj_buf_append_str(&b, "body");
    rj_buf_set_u32be(&b, 1, 4);
    rj_buf_set_u32be(&b, 6, 1); /* does not fit: nothing */
    assert_bytes_equal(rj_buf_view(&b), rj_bytes_of("\x09\0\0\0\x04"
                                                    "body",
                                                    9));
    rj_buf_done(&b);
}

TEST(the_front_is_consumed)
{
    struct rj_buf b = {0};

    rj_buf_consume(&b, 0);
    rj_buf_append_str(&b, "abcdef");
    rj_buf_consume(&b, 2);
    assert_bytes_equal(rj_buf_view(&b), RJ_BYTES_LIT("cdef"));
    rj_buf_consume(&b, 4);
    assert_int_equal(b.len, 0);
    rj_buf_done(&b);
}

TEST(the_memory_is_handed_over)
{
    struct rj_buf b = {0};
    size_t len = 0;
    uint8_t *ptr;

    assert_null(rj_buf_take(&b, &len));
    rj_buf_append_str(&b, "mine");
    assert_string_equal(rj_buf_str(&b), "mine");
    ptr = rj_buf_take(&b, &len);
    assert_int_equal(len, 4);
    assert_string_equal((const char *)ptr, "mine");
    assert_null(b.ptr);
    assert_int_equal(b.cap, 0);
    free(ptr);
    rj_buf_done(&b);
}

static enum rj_err build_message(void *ctx)
{
    struct rj_buf b = {0};
    enum rj_err err;

    (void)ctx;
    for (int i = 0; i < 1000; i++)
        rj_buf_printf(&b, "line %d\n", i);
    rj_buf_u64be(&b, 1);
    err = rj_buf_err(&b);
    rj_buf_done(&b);
    return err;
}

TEST(out_of_memory_is_reported_wherever_it_happens)
{
    rj_test_with_failing_alloc(build_message, NULL);
    rj_test_with_one_failing_alloc(build_message, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_appended_in_order),
        cmocka_unit_test(it_grows_and_keeps_what_it_holds),
        cmocka_unit_test(the_limit_is_reached_exactly_and_never_passed),
        cmocka_unit_test(a_failure_sticks_until_it_is_cleared),
        cmocka_unit_test(a_size_that_wraps_around_fails),
        cmocka_unit_test(reserved_room_counts_after_the_commit),
        cmocka_unit_test(a_length_can_be_set_afterwards),
        cmocka_unit_test(the_front_is_consumed),
        cmocka_unit_test(the_memory_is_handed_over),
        cmocka_unit_test(out_of_memory_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
