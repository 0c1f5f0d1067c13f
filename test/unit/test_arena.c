/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "support/test.h"

enum { BLOCK = 1024 };

TEST(pieces_are_aligned_and_apart)
{
    struct rj_arena a;
    uint8_t *pieces[200];

    rj_arena_init(&a, BLOCK, 1 << 20);
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = rj_arena_alloc(&a, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal(pieces[i][k], i);
    rj_arena_done(&a);
    assert_int_equal(a.total_bytes, 0);
}

TEST(a_reset_keeps_the_first_block_only)
{
    struct rj_arena a;
    void *first;
    size_t one_block;

    rj_arena_init(&a, BLOCK, 1 << 20);
    rj_arena_reset(&a); /* nothing yet */
    first = rj_arena_alloc(&a, 100);
    assert_non_null(first);
    one_block = a.total_bytes;
    for (int i = 0; i < 100; i++)
        assert_non_null(rj_arena_alloc(&a, 500));
    assert_true(a.total_bytes > 20 * one_block);
    rj_arena_reset(&a);
    assert_int_equal(a.total_bytes, one_block);
    assert_ptr_equal(rj_arena_alloc(&a, 100), first);
    rj_arena_done(&a);
    rj_arena_done(NULL);
}

TEST(a_piece_larger_than_a_block_gets_its_own)
{
    struct rj_arena a;
    uint8_t *big;

    rj_arena_init(&a, BLOCK, 1 << 20);
    big = rj_arena_alloc(&a, 100 * BLOCK);
    assert_non_null(big);
    memset(big, 1, 100 * BLOCK);
    assert_non_null(rj_arena_alloc(&a, 10));
    rj_arena_done(&a);
}

TEST(the_limit_is_hard)
{
    struct rj_arena a;
    size_t given = 0;

    rj_arena_init(&a, BLOCK, 10 * BLOCK);
    assert_null(rj_arena_alloc(&a, 10 * BLOCK));
    while (rj_arena_alloc(&a, 64) != NULL)
        given += 64;
    assert_true(a.total_bytes <= 10 * BLOCK);
    assert_true(given > 9 * BLOCK);
    rj_arena_reset(&a);
    assert_non_null(rj_arena_alloc(&a, 64));
    rj_arena_done(&a);
}

TEST(sizes_that_wrap_around_give_null)
{
    struct rj_arena a;

    rj_arena_init(&a, BLOCK, SIZE_MAX);
    assert_null(rj_arena_alloc(&a, SIZE_MAX));
    assert_null(rj_arena_alloc(&a, SIZE_MAX - 40));
    assert_null(rj_arena_array(&a, SIZE_MAX / 2 + 1, 2));
    assert_null(rj_arena_zero(&a, SIZE_MAX / 2 + 1, 2));
    assert_null(rj_arena_copy(&a, rj_bytes_of("", SIZE_MAX)));
    rj_arena_done(&a);
}

TEST(copies_end_in_nul_and_zeroed_pieces_are_zero)
{
    struct rj_arena a;
    uint8_t *zero;

    rj_arena_init(&a, BLOCK, 1 << 20);
    for (int i = 0; i < 3; i++) {
        assert_string_equal((const char *)rj_arena_copy(&a, rj_bytes_of("abc", 2)), "ab");
        assert_string_equal((const char *)rj_arena_copy(&a, (struct rj_bytes){0}), "");
        zero = rj_arena_zero(&a, 3, 2);
        assert_memory_equal(zero, "\0\0\0\0\0\0", 6);
        memset(zero, 0xff, 6);
        rj_arena_reset(&a);
    }
    rj_arena_done(&a);
}

static enum rj_err fill(void *ctx)
{
    struct rj_arena a;
    enum rj_err err = RJ_OK;

    (void)ctx;
    rj_arena_init(&a, BLOCK, 1 << 20);
    for (int i = 0; i < 50 && err == RJ_OK; i++)
        if (rj_arena_alloc(&a, 300) == NULL)
            err = RJ_ENOMEM;
    rj_arena_done(&a);
    return err;
}

TEST(out_of_memory_gives_null_and_leaks_nothing)
{
    rj_test_with_failing_alloc(fill, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(a_reset_keeps_the_first_block_only),
        cmocka_unit_test(a_piece_larger_than_a_block_gets_its_own),
        cmocka_unit_test(the_limit_is_hard),
        cmocka_unit_test(sizes_that_wrap_around_give_null),
        cmocka_unit_test(copies_end_in_nul_and_zeroed_pieces_are_zero),
        cmocka_unit_test(out_of_memory_gives_null_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
