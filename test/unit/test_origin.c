/* SPDX-License-Identifier: Apache-2.0 */
#include "base/be.h"
#include "base/prng.h"
#include "causal/origin.h"
#include "support/fake_env.h"
#include "support/test.h"

enum { THOUSANDS = 6000 };

/* The i-th of many ids. Every third one begins with the same 4 bytes as the others of its
 * kind, so that they meet in one place of the table. */
static struct rj_origin_id id_of(uint64_t i)
{
    struct rj_origin_id id;
    uint64_t state = i;

    rj_be_store64(id.b, rj_prng_splitmix(&state));
    rj_be_store64(id.b + 8, rj_prng_splitmix(&state));
    if (i % 3 == 0)
        memset(id.b, 0x77, 4);
    return id;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, RJ_ORIGIN_LEN);
}

/* order lists all indexes, ascending by id. */
static void check_order(const struct rj_origins *t)
{
    struct rj_origin_id *ids = calloc(t->n, sizeof(*ids));

    assert_non_null(ids);
    for (uint32_t i = 0; i < t->n; i++)
        ids[i] = t->items[i].id;
    qsort(ids, t->n, sizeof(*ids), compare_ids);
    for (uint32_t i = 0; i < t->n; i++) {
        assert_true(t->order[i] < t->n);
        assert_memory_equal(t->items[t->order[i]].id.b, ids[i].b, RJ_ORIGIN_LEN);
    }
    free(ids);
}

TEST(an_id_begins_the_hash_of_device_and_incarnation)
{
    static const uint8_t number[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct rj_digest device = {{9, 8, 7}}, other = {{9, 8, 6}}, full;
    struct rj_origin_id id, twin;
    struct rj_test_env env;
    uint8_t whole[13 + 32 + 8];
    struct rj_bytes all = RJ_BYTES_OF(whole);

    rj_test_env_init(&env, 1);
    memcpy(whole, "rejoin origin", 13);
    memcpy(whole + 13, device.b, 32);
    memcpy(whole + 45, number, 8);
    rj_test_env_hash(&env.env, &all, 1, &full);
    rj_origin_id_make(&env.env, &device, UINT64_C(0x0102030405060708), &id);
    assert_memory_equal(id.b, full.b, RJ_ORIGIN_LEN);
    rj_origin_id_make(&env.env, &device, UINT64_C(0x0102030405060709), &twin);
    assert_memory_not_equal(id.b, twin.b, RJ_ORIGIN_LEN);
    rj_origin_id_make(&env.env, &other, UINT64_C(0x0102030405060708), &twin);
    assert_memory_not_equal(id.b, twin.b, RJ_ORIGIN_LEN);
}

TEST(an_empty_table_knows_nothing)
{
    struct rj_origins t = {0};
    struct rj_origin_id id = id_of(1);

    assert_int_equal(rj_origins_find(&t, &id), RJ_ORIGIN_NONE);
    rj_origins_done(&t);
    rj_origins_done(NULL);
}

TEST(a_new_origin_is_blank_and_has_the_next_index)
{
    struct rj_origins t = {0};

    for (uint32_t i = 0; i < 20; i++) {
        static const struct rj_digest zero;
        static const struct rj_origin_id none;
        struct rj_origin_id id = id_of(i);
        uint32_t index = 99;

        assert_ok(rj_origins_add(&t, &id, &index));
        assert_int_equal(index, i);
        assert_int_equal(t.n, i + 1);
        assert_memory_equal(t.items[i].id.b, id.b, RJ_ORIGIN_LEN);
        assert_memory_equal(t.items[i].device.b, zero.b, sizeof(zero.b));
        assert_memory_equal(t.items[i].replaces.b, none.b, RJ_ORIGIN_LEN);
        assert_int_equal(t.items[i].incarnation, 0);
        assert_false(t.items[i].opened);
        assert_int_equal(t.items[i].replaced_by, RJ_ORIGIN_NONE);
    }
    rj_origins_done(&t);
    assert_null(t.items);
}

TEST(an_id_that_is_known_keeps_its_index_and_what_is_noted_of_it)
{
    struct rj_origins t = {0};
    struct rj_origin_id a = id_of(1), b = id_of(2);
    uint32_t index;

    assert_ok(rj_origins_add(&t, &a, &index));
    t.items[index].opened = true;
    t.items[index].incarnation = 7;
    assert_ok(rj_origins_add(&t, &b, &index));
    assert_ok(rj_origins_add(&t, &a, &index));
    assert_int_equal(index, 0);
    assert_int_equal(t.n, 2);
    assert_true(t.items[0].opened);
    assert_int_equal(t.items[0].incarnation, 7);
    rj_origins_done(&t);
}

TEST(the_order_is_that_of_the_ids_after_every_addition)
{
    struct rj_origins t = {0};
    struct rj_prng p;

    rj_prng_init(&p, 5);
    for (int i = 0; i < 300; i++) {
        struct rj_origin_id id = id_of(rj_prng_below(&p, 200));
        uint32_t index;

        assert_ok(rj_origins_add(&t, &id, &index));
        assert_memory_equal(t.items[index].id.b, id.b, RJ_ORIGIN_LEN);
        check_order(&t);
    }
    rj_origins_done(&t);
}

TEST(thousands_of_ids_are_found_again)
{
    struct rj_origins t = {0};
    uint32_t index;

    for (uint32_t i = 0; i < THOUSANDS; i++) {
        struct rj_origin_id id = id_of(i);

        assert_int_equal(rj_origins_find(&t, &id), RJ_ORIGIN_NONE);
        assert_ok(rj_origins_add(&t, &id, &index));
    }
    for (uint32_t i = 0; i < 2 * THOUSANDS; i++) {
        struct rj_origin_id id = id_of(i);

        assert_int_equal(rj_origins_find(&t, &id), i < THOUSANDS ? i : RJ_ORIGIN_NONE);
    }
    check_order(&t);
    rj_origins_done(&t);
}

TEST(ids_that_come_in_order_or_against_it_are_ordered_too)
{
    for (int down = 0; down < 2; down++) {
        struct rj_origins t = {0};

        for (uint32_t i = 0; i < THOUSANDS; i++) {
            struct rj_origin_id id = {{0}};
            uint32_t index;

            rj_be_store32(id.b, down ? THOUSANDS - i : i);
            assert_ok(rj_origins_add(&t, &id, &index));
        }
        check_order(&t);
        rj_origins_done(&t);
    }
}

TEST(the_table_is_full_at_its_limit_and_not_before)
{
    struct rj_origins t = {0};
    struct rj_origin_id id;
    uint32_t index;

    for (uint64_t i = 0; i < RJ_ORIGINS_MAX; i++) {
        id = id_of(3 * i + 1);
        assert_ok(rj_origins_add(&t, &id, &index));
    }
    id = id_of(3 * (uint64_t)RJ_ORIGINS_MAX + 1);
    index = 42;
    assert_err(RJ_ELIMIT, rj_origins_add(&t, &id, &index));
    assert_int_equal(index, 42);
    assert_int_equal(t.n, RJ_ORIGINS_MAX);
    assert_int_equal(rj_origins_find(&t, &id), RJ_ORIGIN_NONE);
    id = id_of(1);
    assert_ok(rj_origins_add(&t, &id, &index));
    assert_int_equal(index, 0);
    check_order(&t);
    rj_origins_done(&t);
}

/* Eight ids, added in the order that seed says. */
static void fill(struct rj_origins *t, uint64_t seed)
{
    struct rj_prng p;
    uint32_t index;

    *t = (struct rj_origins){0};
    rj_prng_init(&p, seed);
    while (t->n < 8) {
        struct rj_origin_id id = id_of(rj_prng_below(&p, 8));

        assert_ok(rj_origins_add(t, &id, &index));
    }
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

TEST(indexes_compare_as_their_ids_do)
{
    struct rj_origins t;

    fill(&t, 1);
    for (uint32_t a = 0; a < t.n; a++)
        for (uint32_t b = 0; b < t.n; b++)
            assert_int_equal(sign(rj_origins_compare(&t, a, b)),
                             sign(memcmp(t.items[a].id.b, t.items[b].id.b, 16)));
    rj_origins_done(&t);
}

struct write {
    uint64_t stamp;
    struct rj_dot dot;
};

static struct write random_write(struct rj_prng *p)
{
    return (struct write){
        .stamp = rj_prng_below(p, 3),
        .dot = {.seq = 1 + rj_prng_below(p, 3), .origin = (uint32_t)rj_prng_below(p, 8)}};
}

static int order(const struct rj_origins *t, struct write a, struct write b)
{
    return sign(rj_dot_order(t, a.stamp, a.dot, b.stamp, b.dot));
}

TEST(the_order_of_writes_is_total)
{
    struct rj_origins t;
    struct rj_prng p;

    fill(&t, 2);
    rj_prng_init(&p, 6);
    for (int i = 0; i < 20000; i++) {
        struct write a = random_write(&p), b = random_write(&p), c = random_write(&p);
        bool same =
            a.stamp == b.stamp && a.dot.seq == b.dot.seq && a.dot.origin == b.dot.origin;

        assert_int_equal(order(&t, a, a), 0);
        assert_int_equal(order(&t, a, b) == 0, same);
        assert_int_equal(order(&t, a, b), -order(&t, b, a));
        if (order(&t, a, b) <= 0 && order(&t, b, c) <= 0)
            assert_true(order(&t, a, c) <= 0);
    }
    rj_origins_done(&t);
}

TEST(the_stamp_decides_first_then_the_id_then_the_sequence)
{
    struct rj_origins t;
    uint32_t low, high;

    fill(&t, 3);
    low = t.order[0];
    high = t.order[7];
    assert_int_equal(order(&t, (struct write){2, {.seq = 1, .origin = low}},
                           (struct write){1, {.seq = 9, .origin = high}}),
                     1);
    assert_int_equal(order(&t, (struct write){2, {.seq = 9, .origin = low}},
                           (struct write){2, {.seq = 1, .origin = high}}),
                     -1);
    assert_int_equal(order(&t, (struct write){2, {.seq = 9, .origin = low}},
                           (struct write){2, {.seq = 1, .origin = low}}),
                     1);
    rj_origins_done(&t);
}

TEST(the_order_of_writes_is_the_same_on_nodes_with_other_indexes)
{
    struct rj_origins here, there;
    struct rj_prng p;
    bool differ = false;

    fill(&here, 10);
    fill(&there, 11);
    rj_prng_init(&p, 7);
    for (int i = 0; i < 5000; i++) {
        struct write a = random_write(&p), b = random_write(&p), a2 = a, b2 = b;

        a2.dot.origin = rj_origins_find(&there, &here.items[a.dot.origin].id);
        b2.dot.origin = rj_origins_find(&there, &here.items[b.dot.origin].id);
        differ = differ || a2.dot.origin != a.dot.origin;
        assert_int_equal(order(&here, a, b), order(&there, a2, b2));
    }
    assert_true(differ);
    rj_origins_done(&here);
    rj_origins_done(&there);
}

static enum rj_err build(void *ctx)
{
    struct rj_origins t = {0};
    enum rj_err err = RJ_OK;

    (void)ctx;
    for (uint32_t i = 0; err == RJ_OK && i < 200; i++) {
        struct rj_origin_id id = id_of(i);
        uint32_t n = t.n, index;

        err = rj_origins_add(&t, &id, &index);
        if (err != RJ_OK) {
            assert_int_equal(t.n, n);
            assert_int_equal(rj_origins_find(&t, &id), RJ_ORIGIN_NONE);
            rj_test_alloc_restore();
            check_order(&t);
            assert_ok(rj_origins_add(&t, &id, &index)); /* it still works */
            assert_int_equal(rj_origins_find(&t, &id), n);
        }
    }
    rj_origins_done(&t);
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
        cmocka_unit_test(an_id_begins_the_hash_of_device_and_incarnation),
        cmocka_unit_test(an_empty_table_knows_nothing),
        cmocka_unit_test(a_new_origin_is_blank_and_has_the_next_index),
        cmocka_unit_test(an_id_that_is_known_keeps_its_index_and_what_is_noted_of_it),
        cmocka_unit_test(the_order_is_that_of_the_ids_after_every_addition),
        cmocka_unit_test(thousands_of_ids_are_found_again),
        cmocka_unit_test(ids_that_come_in_order_or_against_it_are_ordered_too),
        cmocka_unit_test(the_table_is_full_at_its_limit_and_not_before),
        cmocka_unit_test(indexes_compare_as_their_ids_do),
        cmocka_unit_test(the_order_of_writes_is_total),
        cmocka_unit_test(the_stamp_decides_first_then_the_id_then_the_sequence),
        cmocka_unit_test(the_order_of_writes_is_the_same_on_nodes_with_other_indexes),
        cmocka_unit_test(out_of_memory_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
