/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "causal/contexts.h"
#include "support/test.h"

enum { SLOTS = 32, ORIGINS = 4, SEQ_MAX = 3 };

/* All positions in slots of one width, each with its vector: what the ranges must say. */
struct model {
    uint64_t have[SLOTS][ORIGINS];
};

static uint64_t slot_start(size_t slot)
{
    return (uint64_t)slot << (64 - 5);
}

static uint64_t slot_end(size_t slot)
{
    return slot + 1 < SLOTS ? slot_start(slot + 1) - 1 : UINT64_MAX;
}

/* A few consecutive slots. */
static struct rj_range random_range(struct rj_prng *p, size_t *ret_from, size_t *ret_to)
{
    size_t from = rj_prng_below(p, SLOTS);
    size_t to = from + rj_prng_below(p, SLOTS - from);

    if (rj_prng_chance(p, 1, 2))
        to = from;
    *ret_from = from;
    *ret_to = to;
    return (struct rj_range){slot_start(from), slot_end(to)};
}

static void random_vv(struct rj_prng *p, struct rj_vv *ret)
{
    *ret = (struct rj_vv){0};
    for (uint32_t o = 0; o < ORIGINS; o++)
        if (rj_prng_chance(p, 1, 2))
            assert_ok(rj_vv_put(ret, o, 1 + rj_prng_below(p, SEQ_MAX)));
}

static bool model_covers(const struct model *m, size_t slot, const struct rj_vv *need)
{
    for (uint32_t o = 0; o < ORIGINS; o++)
        if (m->have[slot][o] < rj_vv_get(need, o))
            return false;
    return true;
}

/* The ranges are consecutive, cover all positions and agree with the model. */
static void check_ranges(const struct rj_contexts *c, const struct model *m)
{
    uint64_t next = 0;

    assert_true(c->n >= 1 && c->n <= c->cap);
    for (size_t i = 0; i < c->n; i++) {
        const struct rj_context *item = &c->items[i];

        assert_true(item->range.from == next);
        assert_true(item->range.to >= item->range.from);
        assert_int_equal(item->range.to == UINT64_MAX, i + 1 == c->n);
        next = item->range.to + 1;
    }
    for (size_t slot = 0; slot < SLOTS; slot++) {
        uint64_t probes[] = {slot_start(slot), slot_end(slot), slot_start(slot) + 12345};

        for (size_t i = 0; i < 3; i++) {
            const struct rj_context *item = rj_contexts_at(c, probes[i]);

            assert_true(item->range.from <= probes[i] && probes[i] <= item->range.to);
            for (uint32_t o = 0; o < ORIGINS; o++) {
                uint64_t have = m->have[slot][o];

                assert_int_equal(rj_vv_get(&item->have, o), have);
                assert_false(rj_contexts_lack(c, probes[i], o, have));
                assert_true(rj_contexts_lack(c, probes[i], o, have + 1));
            }
        }
    }
}

static void check_minimum(const struct rj_contexts *c, const struct model *m)
{
    struct rj_vv min = {0};
    bool equal = true;

    assert_ok(rj_vv_put(&min, ORIGINS + 2, 9)); /* what was in it is gone */
    assert_ok(rj_contexts_min(c, &min));
    for (uint32_t o = 0; o < ORIGINS + 3; o++) {
        uint64_t least = UINT64_MAX;

        for (size_t slot = 0; slot < SLOTS; slot++) {
            uint64_t have = o < ORIGINS ? m->have[slot][o] : 0;

            least = have < least ? have : least;
            equal = equal && (o >= ORIGINS || have == m->have[0][o]);
        }
        assert_int_equal(rj_vv_get(&min, o), least);
    }
    assert_int_equal(rj_contexts_are_equal(c), equal);
    rj_vv_done(&min);
}

static void check_lacking(const struct rj_contexts *c, const struct model *m,
                          struct rj_prng *p)
{
    struct rj_vv need;

    random_vv(p, &need);
    for (size_t slot = 0; slot < SLOTS; slot++) {
        uint64_t from = slot_start(slot) + rj_prng_below(p, 1000);
        const struct rj_context *found = rj_contexts_lacking(c, from, &need);
        size_t expected = slot;

        while (expected < SLOTS && model_covers(m, expected, &need))
            expected++;
        if (expected == SLOTS)
            assert_null(found);
        else
            assert_ptr_equal(found, rj_contexts_at(c, slot_start(expected)));
    }
    rj_vv_done(&need);
}

static void step(struct rj_contexts *c, struct model *m, struct rj_prng *p)
{
    size_t from, to;
    struct rj_range range = random_range(p, &from, &to);
    struct rj_vv S;

    switch (rj_prng_below(p, 8)) {
    case 0:
        assert_ok(rj_contexts_split(c, range));
        return;
    case 1:
        rj_contexts_compact(c);
        for (size_t i = 1; i < c->n; i++)
            assert_false(rj_vv_equal(&c->items[i - 1].have, &c->items[i].have));
        return;
    case 2: {
        uint32_t origin = (uint32_t)rj_prng_below(p, ORIGINS);
        uint64_t last = 1 + rj_prng_below(p, SEQ_MAX);

        assert_ok(rj_contexts_applied(c, origin, last));
        for (size_t slot = 0; slot < SLOTS; slot++)
            if (m->have[slot][origin] < last)
                m->have[slot][origin] = last;
        return;
    }
    default:
        break;
    }
    random_vv(p, &S);
    assert_ok(rj_contexts_split(c, range));
    assert_ok(rj_contexts_join(c, range, &S));
    for (size_t slot = from; slot <= to; slot++)
        for (uint32_t o = 0; o < ORIGINS; o++)
            if (m->have[slot][o] < rj_vv_get(&S, o))
                m->have[slot][o] = rj_vv_get(&S, o);
    rj_vv_done(&S);
}

TEST(random_histories_agree_with_an_array_of_vectors)
{
    unsigned equal = 0;

    for (uint64_t seed = 0; seed < 150; seed++) {
        struct rj_contexts c;
        struct model m = {0};
        struct rj_vv start;
        struct rj_prng p;

        rj_prng_init(&p, seed);
        random_vv(&p, &start);
        for (size_t slot = 0; slot < SLOTS; slot++)
            for (uint32_t o = 0; o < ORIGINS; o++)
                m.have[slot][o] = rj_vv_get(&start, o);
        assert_ok(rj_contexts_init(&c, &start));
        for (int i = 0; i < 60; i++) {
            check_ranges(&c, &m);
            check_minimum(&c, &m);
            check_lacking(&c, &m, &p);
            step(&c, &m, &p);
        }
        for (uint32_t o = 0; o < ORIGINS; o++) /* in the end all have everything */
            assert_ok(rj_contexts_applied(&c, o, SEQ_MAX + 1));
        equal += rj_contexts_are_equal(&c);
        rj_contexts_compact(&c);
        assert_int_equal(c.n, 1);
        rj_contexts_done(&c);
        rj_vv_done(&start);
    }
    assert_int_equal(equal, 150);
}

TEST(at_first_one_range_has_the_whole_vector)
{
    struct rj_vv vv = {0};
    struct rj_contexts c;

    assert_ok(rj_vv_put(&vv, 2, 7));
    assert_ok(rj_contexts_init(&c, &vv));
    assert_ok(rj_vv_put(&vv, 2, 8)); /* a copy */
    assert_int_equal(c.n, 1);
    assert_true(c.items[0].range.from == 0 && c.items[0].range.to == UINT64_MAX);
    assert_int_equal(rj_vv_get(&c.items[0].have, 2), 7);
    assert_true(rj_contexts_are_equal(&c));
    rj_contexts_done(&c);
    assert_null(c.items);
    rj_contexts_done(&c);
    rj_contexts_done(NULL);
    rj_vv_done(&vv);
}

TEST(a_whole_node_lacks_what_comes_to_it)
{
    assert_true(rj_contexts_lack(NULL, 0, 0, 1));
    assert_true(rj_contexts_lack(NULL, UINT64_MAX, 7, 9));
}

TEST(a_split_makes_whole_items_of_a_range_and_changes_no_vector)
{
    struct rj_vv vv = {0};
    struct rj_contexts c;

    assert_ok(rj_vv_put(&vv, 0, 1));
    assert_ok(rj_contexts_init(&c, &vv));
    assert_ok(rj_contexts_split(&c, (struct rj_range){0, UINT64_MAX}));
    assert_int_equal(c.n, 1);
    assert_ok(rj_contexts_split(&c, (struct rj_range){100, 199}));
    assert_int_equal(c.n, 3);
    assert_true(c.items[0].range.to == 99);
    assert_true(c.items[1].range.from == 100 && c.items[1].range.to == 199);
    assert_true(c.items[2].range.from == 200);
    assert_ok(rj_contexts_split(&c, (struct rj_range){100, 199}));
    assert_int_equal(c.n, 3);
    assert_ok(rj_contexts_split(&c, (struct rj_range){50, 149}));
    assert_int_equal(c.n, 5);
    assert_true(rj_contexts_are_equal(&c));
    for (size_t i = 0; i < c.n; i++)
        assert_true(rj_vv_equal(&c.items[i].have, &vv));
    rj_contexts_compact(&c);
    assert_int_equal(c.n, 1);
    assert_true(c.items[0].range.from == 0 && c.items[0].range.to == UINT64_MAX);
    rj_contexts_done(&c);
    rj_vv_done(&vv);
}

TEST(ranges_of_one_position_at_both_ends_are_ranges)
{
    struct rj_vv none = {0}, one = {0};
    struct rj_contexts c;

    assert_ok(rj_vv_put(&one, 0, 1));
    assert_ok(rj_contexts_init(&c, &none));
    assert_ok(rj_contexts_split(&c, (struct rj_range){0, 0}));
    assert_ok(rj_contexts_split(&c, (struct rj_range){UINT64_MAX, UINT64_MAX}));
    assert_int_equal(c.n, 3);
    assert_ok(rj_contexts_join(&c, (struct rj_range){0, 0}, &one));
    assert_ok(rj_contexts_join(&c, (struct rj_range){UINT64_MAX, UINT64_MAX}, &one));
    assert_false(rj_contexts_lack(&c, 0, 0, 1));
    assert_true(rj_contexts_lack(&c, 1, 0, 1));
    assert_true(rj_contexts_lack(&c, UINT64_MAX - 1, 0, 1));
    assert_false(rj_contexts_lack(&c, UINT64_MAX, 0, 1));
    assert_false(rj_contexts_are_equal(&c));
    assert_ptr_equal(rj_contexts_lacking(&c, 0, &one), &c.items[1]);
    assert_null(rj_contexts_lacking(&c, UINT64_MAX, &one));
    assert_ok(rj_contexts_join(&c, (struct rj_range){1, UINT64_MAX - 1}, &one));
    assert_true(rj_contexts_are_equal(&c));
    rj_contexts_done(&c);
    rj_vv_done(&one);
}

TEST(one_range_that_is_behind_holds_the_minimum_back)
{
    struct rj_vv low = {0}, high = {0}, min = {0};
    struct rj_contexts c;

    assert_ok(rj_vv_put(&low, 0, 3));
    assert_ok(rj_vv_put(&high, 0, 9));
    assert_ok(rj_vv_put(&high, 5, 1)); /* longer than low */
    assert_ok(rj_contexts_init(&c, &low));
    assert_ok(rj_contexts_split(&c, (struct rj_range){0, 999}));
    assert_ok(rj_contexts_join(&c, (struct rj_range){0, 999}, &high));
    assert_ok(rj_contexts_min(&c, &min));
    assert_true(rj_vv_equal(&min, &low));
    assert_ok(rj_contexts_join(&c, (struct rj_range){1000, UINT64_MAX}, &high));
    assert_ok(rj_contexts_min(&c, &min));
    assert_true(rj_vv_equal(&min, &high));
    rj_contexts_done(&c);
    rj_vv_done(&low);
    rj_vv_done(&high);
    rj_vv_done(&min);
}

TEST(a_batch_that_was_applied_never_lowers_a_range)
{
    struct rj_vv vv = {0};
    struct rj_contexts c;

    assert_ok(rj_vv_put(&vv, 0, 9));
    assert_ok(rj_contexts_init(&c, &vv));
    assert_ok(rj_contexts_applied(&c, 0, 3));
    assert_int_equal(rj_vv_get(&c.items[0].have, 0), 9);
    assert_ok(rj_contexts_applied(&c, 7, 3));
    assert_int_equal(rj_vv_get(&c.items[0].have, 7), 3);
    rj_contexts_done(&c);
    rj_vv_done(&vv);
}

TEST(there_are_not_more_ranges_than_the_limit)
{
    struct rj_vv vv = {0};
    struct rj_contexts c;
    uint64_t i;

    assert_ok(rj_vv_put(&vv, 0, 9));
    assert_ok(rj_contexts_init(&c, &vv));
    for (i = 1; i < RJ_CONTEXTS_MAX; i++)
        assert_ok(rj_contexts_split(&c, (struct rj_range){10 * i, UINT64_MAX}));
    assert_int_equal(c.n, RJ_CONTEXTS_MAX);
    assert_err(RJ_ELIMIT, rj_contexts_split(&c, (struct rj_range){10 * i, UINT64_MAX}));
    assert_err(RJ_ELIMIT, rj_contexts_split(&c, (struct rj_range){15, 19}));
    assert_ok(rj_contexts_split(&c, (struct rj_range){10, 19}));
    assert_int_equal(c.n, RJ_CONTEXTS_MAX);
    assert_true(rj_contexts_are_equal(&c));
    assert_true(rj_contexts_at(&c, 15)->range.from == 10);
    assert_true(rj_contexts_at(&c, 15)->range.to == 19);
    rj_contexts_compact(&c);
    assert_int_equal(c.n, 1);
    assert_ok(rj_contexts_split(&c, (struct rj_range){15, 19}));
    rj_contexts_done(&c);
    rj_vv_done(&vv);
}

static enum rj_err work(struct rj_contexts *c, const struct rj_vv *vv, struct rj_vv *min)
{
    enum rj_err err = RJ_OK;

    for (uint64_t i = 0; err == RJ_OK && i < 20; i++) {
        struct rj_range range = {100 * i, 100 * i + 49};

        err = rj_contexts_split(c, range);
        if (err == RJ_OK)
            err = rj_contexts_join(c, range, vv);
    }
    if (err == RJ_OK)
        err = rj_contexts_applied(c, 70, 2);
    if (err == RJ_OK)
        err = rj_contexts_min(c, min);
    return err;
}

/* What work has done when it says that it has: nothing was lost on the way. */
static void check_work(const struct rj_contexts *c, const struct rj_vv *min)
{
    assert_int_equal(c->n, 40);
    for (size_t i = 0; i < c->n; i++) {
        assert_int_equal(c->items[i].range.from, 50 * i);
        assert_int_equal(rj_vv_get(&c->items[i].have, 1), 1);
        assert_int_equal(rj_vv_get(&c->items[i].have, 40), i % 2 == 0 ? 2 : 0);
        assert_int_equal(rj_vv_get(&c->items[i].have, 70), 2);
    }
    assert_int_equal(rj_vv_get(min, 1), 1);
    assert_int_equal(rj_vv_get(min, 40), 0);
    assert_int_equal(rj_vv_get(min, 70), 2);
}

static enum rj_err build(void *ctx)
{
    const struct rj_vv *vv = ctx;
    struct rj_vv first = {0}, min = {0};
    struct rj_contexts c = {0};
    enum rj_err err = rj_vv_put(&first, 1, 1);

    if (err == RJ_OK)
        err = rj_contexts_init(&c, &first);
    if (err == RJ_OK) {
        err = work(&c, vv, &min);
        for (size_t i = 1; i < c.n; i++) /* still ranges, whatever failed */
            assert_true(c.items[i].range.from == c.items[i - 1].range.to + 1);
        assert_true(c.items[0].range.from == 0);
        assert_true(c.items[c.n - 1].range.to == UINT64_MAX);
        if (err == RJ_OK)
            check_work(&c, &min);
        rj_contexts_compact(&c);
    }
    rj_contexts_done(&c);
    rj_vv_done(&first);
    rj_vv_done(&min);
    return err;
}

TEST(out_of_memory_is_reported_wherever_it_happens)
{
    struct rj_vv vv = {0};

    assert_ok(rj_vv_put(&vv, 40, 2));
    rj_test_with_failing_alloc(build, &vv);
    rj_test_with_one_failing_alloc(build, &vv);
    rj_vv_done(&vv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_agree_with_an_array_of_vectors),
        cmocka_unit_test(at_first_one_range_has_the_whole_vector),
        cmocka_unit_test(a_whole_node_lacks_what_comes_to_it),
        cmocka_unit_test(a_split_makes_whole_items_of_a_range_and_changes_no_vector),
        cmocka_unit_test(ranges_of_one_position_at_both_ends_are_ranges),
        cmocka_unit_test(one_range_that_is_behind_holds_the_minimum_back),
        cmocka_unit_test(a_batch_that_was_applied_never_lowers_a_range),
        cmocka_unit_test(there_are_not_more_ranges_than_the_limit),
        cmocka_unit_test(out_of_memory_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
