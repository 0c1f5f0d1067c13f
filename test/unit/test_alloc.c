/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "support/test.h"

TEST(sizes_that_wrap_around_give_null)
{
    size_t half = SIZE_MAX / 2 + 1;

    assert_null(rj_alloc_array(half, 2));
    assert_null(rj_alloc_resize(NULL, half, 2));
    assert_null(rj_alloc_copy(rj_bytes_of("", SIZE_MAX)));
}

TEST(nothing_is_never_null)
{
    void *a = rj_alloc_array(0, 8);
    void *b = rj_alloc_zero(0, 0);
    void *c = rj_alloc_resize(NULL, 0, 8);
    uint8_t *d = rj_alloc_copy((struct rj_bytes){0});

    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_non_null(d);
    assert_int_equal(d[0], 0);
    free(a);
    free(b);
    free(c);
    free(d);
}

TEST(a_copy_ends_in_nul)
{
    uint8_t *copy = rj_alloc_copy(rj_bytes_of("abc", 2));

    assert_non_null(copy);
    assert_string_equal((const char *)copy, "ab");
    free(copy);
}

TEST(zeroed_memory_is_zero_and_resizing_keeps_what_was_there)
{
    uint8_t *p = rj_alloc_zero(3, 2);
    uint8_t *q;

    assert_non_null(p);
    assert_memory_equal(p, "\0\0\0\0\0\0", 6);
    p[5] = 9;
    q = rj_alloc_resize(p, 100, 2);
    assert_non_null(q);
    assert_memory_equal(q, "\0\0\0\0\0\x09", 6);
    free(q);
}

/* Takes three pieces and counts its runs. */
static enum rj_err take_three(void *ctx)
{
    enum rj_err err = RJ_ENOMEM;
    void *a = NULL, *b = NULL, *c = NULL;

    ++*(int *)ctx;
    a = rj_alloc_array(1, 10);
    if (a == NULL)
        goto out;
    b = rj_alloc_zero(1, 10);
    if (b == NULL)
        goto out;
    c = rj_alloc_resize(a, 1000, 1);
    if (c == NULL)
        goto out;
    a = NULL;
    err = RJ_OK;
out:
    free(a);
    free(b);
    free(c);
    return err;
}

TEST(each_allocation_is_made_to_fail_in_turn)
{
    int runs = 0;

    rj_test_with_failing_alloc(take_three, &runs);
    assert_int_equal(runs, 4);
    runs = 0;
    rj_test_with_one_failing_alloc(take_three, &runs);
    assert_int_equal(runs, 4);
}

/* Not inlined: a compiler may leave out an allocation that it sees nobody use. */
static __attribute__((noinline)) void *take_one(void)
{
    return rj_alloc_array(1, 1);
}

TEST(memory_fails_from_the_asked_allocation_on)
{
    void *first, *second;

    rj_test_alloc_fail_after(1);
    first = take_one();
    assert_non_null(first);
    assert_false(rj_test_alloc_failed());
    second = take_one();
    assert_null(second);
    assert_true(rj_test_alloc_failed());
    rj_test_alloc_restore();
    second = take_one();
    assert_non_null(second);
    free(first);
    free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_that_wrap_around_give_null),
        cmocka_unit_test(nothing_is_never_null),
        cmocka_unit_test(a_copy_ends_in_nul),
        cmocka_unit_test(zeroed_memory_is_zero_and_resizing_keeps_what_was_there),
        cmocka_unit_test(each_allocation_is_made_to_fail_in_turn),
        cmocka_unit_test(memory_fails_from_the_asked_allocation_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
