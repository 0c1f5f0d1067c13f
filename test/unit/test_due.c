/* SPDX-License-Identifier: Apache-2.0 */
#include "bucket/due.h"
#include "support/test.h"

TEST(a_link_lies_in_the_slot_of_its_earliest_deadline)
{
    struct rj_due_link a = {0}, b = {0};
    struct rj_due due;

    rj_due_init(&due);
    assert_null(rj_due_first(&due));
    assert_ok(rj_due_reserve(&due, &a, 25000));
    rj_due_note(&due, &a, 25000);
    assert_int_equal(rj_due_start(a.slot), 20000);
    assert_int_equal(rj_due_end(a.slot), 30000);
    assert_ok(rj_due_reserve(&due, &a, 99000)); /* later: it stays */
    rj_due_note(&due, &a, 99000);
    assert_int_equal(rj_due_start(a.slot), 20000);
    assert_ok(rj_due_reserve(&due, &b, 29999));
    rj_due_note(&due, &b, 29999);
    assert_ptr_equal(a.slot, b.slot);
    assert_ok(rj_due_reserve(&due, &b, 3)); /* earlier: it moves */
    rj_due_note(&due, &b, 3);
    assert_int_equal(rj_due_start(b.slot), 0);
    assert_ptr_equal(rj_due_first(&due), b.slot);
    assert_ptr_equal(rj_due_next(rj_due_first(&due)), a.slot);
    assert_null(rj_due_next(a.slot));
    rj_due_drop(&due, &b);
    assert_null(b.slot);
    assert_ptr_equal(rj_due_first(&due), a.slot);
    rj_due_drop(&due, &a);
    rj_due_drop(&due, &a);
    assert_null(rj_due_first(&due));
    rj_due_done(&due);
}

TEST(a_slot_that_was_only_reserved_is_empty_and_can_go)
{
    struct rj_due_link a = {0};
    struct rj_due_slot *slot;
    struct rj_due due;

    rj_due_init(&due);
    assert_ok(rj_due_reserve(&due, NULL, 5000));
    assert_ok(rj_due_reserve(&due, &a, 15000));
    rj_due_note(&due, &a, 15000);
    slot = rj_due_first(&due);
    assert_true(rj_due_drop_empty(&due, slot));
    slot = rj_due_first(&due);
    assert_ptr_equal(slot, a.slot);
    assert_false(rj_due_drop_empty(&due, slot));
    rj_due_done(&due);
}

TEST(who_is_put_behind_the_others_stays_in_the_slot)
{
    struct rj_due_link a = {0}, b = {0};
    struct rj_due_slot *slot;
    struct rj_due due;

    rj_due_init(&due);
    assert_ok(rj_due_reserve(&due, &a, 5));
    rj_due_note(&due, &a, 5);
    slot = a.slot;
    rj_due_requeue(&a);
    assert_ptr_equal(slot->head.next, &a);
    rj_due_note(&due, &b, 6);
    rj_due_requeue(&a);
    assert_ptr_equal(a.slot, slot);
    assert_ptr_equal(slot->head.next, &b);
    assert_ptr_equal(b.next, &a);
    assert_ptr_equal(slot->head.prev, &a);
    rj_due_done(&due);
}

TEST(the_last_deadline_of_all_has_a_slot)
{
    struct rj_due_link a = {0};
    struct rj_due due;

    rj_due_init(&due);
    assert_ok(rj_due_reserve(&due, &a, UINT64_MAX));
    rj_due_note(&due, &a, UINT64_MAX);
    assert_true(rj_due_start(a.slot) <= UINT64_MAX - 1);
    assert_int_equal(rj_due_end(a.slot), UINT64_MAX);
    rj_due_done(&due);
}

static enum rj_err reserve(void *ctx)
{
    struct rj_due due;
    enum rj_err err;

    (void)ctx;
    rj_due_init(&due);
    err = rj_due_reserve(&due, NULL, 1);
    rj_due_done(&due);
    return err;
}

TEST(want_of_memory_is_told)
{
    rj_test_with_failing_alloc(reserve, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_lies_in_the_slot_of_its_earliest_deadline),
        cmocka_unit_test(a_slot_that_was_only_reserved_is_empty_and_can_go),
        cmocka_unit_test(who_is_put_behind_the_others_stays_in_the_slot),
        cmocka_unit_test(the_last_deadline_of_all_has_a_slot),
        cmocka_unit_test(want_of_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
