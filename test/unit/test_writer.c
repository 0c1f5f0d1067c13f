/* SPDX-License-Identifier: Apache-2.0 */
#include "causal/batch.h"
#include "causal/kind.h"
#include "support/test.h"

static void writer_done(struct rj_writer *w)
{
    rj_buf_done(&w->ops);
    free(w->dict);
    *w = (struct rj_writer){0};
}

TEST(each_write_gets_the_next_dot)
{
    struct rj_writer w = {.self = 3, .first = 41};

    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(rj_writer_dot(&w).origin, 3);
        assert_int_equal(rj_writer_dot(&w).seq, 41 + i);
        rj_writer_wrote(&w);
        assert_int_equal(w.count, i + 1);
    }
    writer_done(&w);
}

TEST(an_origin_has_one_number_in_a_batch)
{
    struct rj_writer w = {.self = 100};
    uint32_t number = 99;

    assert_ok(rj_writer_dict(&w, 100, &number));
    assert_int_equal(number, 0);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 50; i++) {
            assert_ok(rj_writer_dict(&w, 7 * i, &number));
            assert_int_equal(number, i + 1);
            assert_int_equal(w.dict[number], 7 * i);
        }
        assert_int_equal(w.dict_n, 51);
    }
    assert_ok(rj_writer_dict(&w, 100, &number));
    assert_int_equal(number, 0);
    writer_done(&w);
}

TEST(the_dictionary_is_full_at_its_limit_and_not_before)
{
    struct rj_writer w = {0};
    uint32_t number;

    for (uint32_t i = 0; i < RJ_BATCH_DICT_MAX; i++)
        assert_ok(rj_writer_dict(&w, i, &number));
    number = 42;
    assert_err(RJ_ELIMIT, rj_writer_dict(&w, RJ_BATCH_DICT_MAX, &number));
    assert_int_equal(number, 42);
    assert_int_equal(w.dict_n, RJ_BATCH_DICT_MAX);
    assert_ok(rj_writer_dict(&w, 17, &number));
    assert_int_equal(number, 17);
    writer_done(&w);
}

TEST(an_empty_batch_has_room)
{
    struct rj_writer w = {0};

    assert_ok(rj_writer_room(&w, 0));
    assert_ok(rj_writer_room(&w, 1000));
    assert_ok(rj_writer_room(&w, RJ_BATCH_OPS_MAX));
}

TEST(nothing_is_accepted_while_writes_are_refused)
{
    struct rj_writer w = {.refuse = RJ_EDENIED};

    assert_err(RJ_EDENIED, rj_writer_room(&w, 1));
    assert_err(RJ_EDENIED, rj_writer_room(&w, SIZE_MAX));
    w.atomic = true;
    assert_err(RJ_EDENIED, rj_writer_room(&w, 1));
}

TEST(a_write_larger_than_a_batch_is_refused_for_good)
{
    struct rj_writer w = {0};

    assert_err(RJ_ELIMIT, rj_writer_room(&w, RJ_BATCH_OPS_MAX + 1));
    assert_err(RJ_ELIMIT, rj_writer_room(&w, SIZE_MAX));
    w.count = RJ_BATCH_WRITES_MAX;
    assert_err(RJ_ELIMIT, rj_writer_room(&w, RJ_BATCH_BODY_MAX + 1));
}

TEST(a_batch_full_of_writes_is_to_be_cut_first)
{
    struct rj_writer w = {.count = RJ_BATCH_WRITES_MAX - 1};

    assert_ok(rj_writer_room(&w, 1));
    rj_writer_wrote(&w);
    assert_err(RJ_EBUSY, rj_writer_room(&w, 1));
    w.atomic = true; /* it must not be cut, so the group as a whole is too large */
    assert_err(RJ_ELIMIT, rj_writer_room(&w, 1));
}

TEST(a_batch_full_of_bytes_is_to_be_cut_first)
{
    struct rj_writer w = {.count = 1};

    w.ops.len = RJ_BATCH_BODY_MAX / 2; /* only the length counts here */
    assert_ok(rj_writer_room(&w, RJ_BATCH_OPS_MAX - w.ops.len));
    assert_err(RJ_EBUSY, rj_writer_room(&w, RJ_BATCH_OPS_MAX - w.ops.len + 1));
    w.atomic = true;
    assert_err(RJ_ELIMIT, rj_writer_room(&w, RJ_BATCH_OPS_MAX - w.ops.len + 1));
}

TEST(a_batch_full_of_names_is_to_be_cut_first)
{
    struct rj_writer w = {0};
    uint32_t number;

    for (uint32_t i = 0; i < RJ_BATCH_DICT_MAX; i++)
        assert_ok(rj_writer_dict(&w, i, &number));
    assert_err(RJ_EBUSY, rj_writer_room(&w, 1));
    w.atomic = true;
    assert_err(RJ_ELIMIT, rj_writer_room(&w, 1));
    writer_done(&w);
}

/* The most bytes of writes that room still allows behind `len`. */
static size_t most_room(struct rj_writer *w, size_t len)
{
    size_t low = 0, high = (size_t)RJ_BATCH_BODY_MAX + 1;

    w->ops.len = len;
    assert_ok(rj_writer_room(w, 0));
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;

        if (rj_writer_room(w, mid) == RJ_OK)
            low = mid;
        else
            high = mid;
    }
    w->ops.len = 0;
    return low;
}

TEST(a_full_batch_with_the_largest_dictionary_is_still_a_body)
{
    struct rj_writer w = {0};
    struct rj_origins origins = {0};
    struct rj_buf dict = {0};
    uint32_t number;

    for (uint32_t i = 0; i < RJ_BATCH_DICT_MAX; i++) {
        struct rj_origin_id id = {{0}};
        uint32_t index;

        rj_be_store32(id.b, i);
        assert_ok(rj_origins_add(&origins, &id, &index));
        assert_ok(rj_writer_dict(&w, index, &number));
    }
    rj_dict_put(&dict, &origins, w.dict, w.dict_n);
    assert_ok(rj_buf_err(&dict));
    w.dict_n = 1;
    assert_true(most_room(&w, 0) + dict.len <= RJ_BATCH_BODY_MAX);
    assert_true(1000 + most_room(&w, 1000) + dict.len <= RJ_BATCH_BODY_MAX);
    assert_true(most_room(&w, 0) >= RJ_BATCH_BODY_MAX / 2); /* and is not small */
    rj_buf_done(&dict);
    rj_origins_done(&origins);
    writer_done(&w);
}

static enum rj_err build(void *ctx)
{
    struct rj_writer w = {0};
    enum rj_err err = RJ_OK;

    (void)ctx;
    for (uint32_t i = 0; err == RJ_OK && i < 100; i++) {
        uint32_t number = 77;

        err = rj_writer_dict(&w, 3 * i, &number);
        assert_int_equal(number, err == RJ_OK ? i : 77);
        assert_int_equal(w.dict_n, err == RJ_OK ? i + 1 : i);
    }
    writer_done(&w);
    return err;
}

TEST(out_of_memory_is_reported_wherever_it_happens)
{
    rj_test_with_failing_alloc(build, NULL);
    rj_test_with_one_failing_alloc(build, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_write_gets_the_next_dot),
        cmocka_unit_test(an_origin_has_one_number_in_a_batch),
        cmocka_unit_test(the_dictionary_is_full_at_its_limit_and_not_before),
        cmocka_unit_test(an_empty_batch_has_room),
        cmocka_unit_test(nothing_is_accepted_while_writes_are_refused),
        cmocka_unit_test(a_write_larger_than_a_batch_is_refused_for_good),
        cmocka_unit_test(a_batch_full_of_writes_is_to_be_cut_first),
        cmocka_unit_test(a_batch_full_of_bytes_is_to_be_cut_first),
        cmocka_unit_test(a_batch_full_of_names_is_to_be_cut_first),
        cmocka_unit_test(a_full_batch_with_the_largest_dictionary_is_still_a_body),
        cmocka_unit_test(out_of_memory_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
