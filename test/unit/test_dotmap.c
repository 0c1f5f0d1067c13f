/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/prng.h"
#include "crdt/counter.h"
#include "crdt/dotmap.h"
#include "support/origins.h"

#include <stdio.h>

enum { NAMES = 12, STEPS = 4000, MANY = 1000 };

static struct rj_hash_key key;
static struct rj_naming naming;

/* Of a map that is new. */
static void init(struct rj_dotmap *m)
{
    rj_hash_key_init(&key, RJ_BYTES_LIT("a key of 16 bytes"));
    naming = rj_dotmap_naming(&key);
    rj_dotmap_init(m, &naming);
}

static struct rj_item *first_of(struct rj_dotmap *m)
{
    struct rj_item *item = NULL;

    assert_ok(rj_dotmap_first(m, &item));
    return item;
}

static struct rj_item *after(struct rj_dotmap *m, struct rj_bytes name)
{
    struct rj_item *item = NULL;

    assert_ok(rj_dotmap_after(m, name, &item));
    return item;
}

static struct rj_bytes name_of(uint64_t i)
{
    static char texts[NAMES][16];
    char *text = texts[i % NAMES];

    (void)snprintf(text, sizeof(texts[0]), "name%02u", (unsigned)i);
    return rj_bytes_from_str(text);
}

static struct rj_dotted *put(struct rj_dotmap *m, uint64_t name,
                             const struct rj_rank *rank, uint64_t deadline)
{
    struct rj_version *v = rj_version_new(0);
    struct rj_item *item = NULL;

    assert_non_null(v);
    assert_ok(rj_dotmap_get(m, name_of(name), 0, &item));
    rj_version_set(v, rank, deadline, (struct rj_bytes){0});
    rj_dotfun_push(&item->first, &v->d);
    rj_dotmap_count_in(m, &v->d, &origins);
    rj_dotmap_refresh(m, item);
    return &v->d;
}

static void drop(struct rj_dotmap *m, struct rj_item *item, struct rj_dotted *d)
{
    rj_dotmap_count_out(m, d);
    rj_dotfun_unlink(&item->first, d);
    rj_item_release(item, d);
    rj_dotmap_refresh(m, item);
}

/* So many items without a write that what is in the map is counted. */
static void fill(struct rj_dotmap *m)
{
    struct rj_item *item;

    for (uint64_t i = 0; i < NAMES; i++)
        assert_ok(rj_dotmap_get(m, name_of(i), SIZE_MAX, &item));
    assert_non_null(m->tally);
}

static struct rj_rank rank(uint64_t stamp, uint32_t origin, uint64_t seq)
{
    return (struct rj_rank){.stamp = stamp, .dot = {.seq = seq, .origin = origin}};
}

/* What the map keeps beside its items, against a walk. */
static void check(struct rj_dotmap *m, uint64_t now)
{
    uint64_t live = 0, shown = 0, deadline = 0;
    struct rj_rank top = {0}, said;
    struct rj_slot_walk w = rj_dotmap_items(m);
    const struct rj_item *it;
    bool forever = false;

    while ((it = rj_item_next(&w)) != NULL) {
        bool is_shown = false;

        live += it->first != NULL ? 1 : 0;
        for (struct rj_dotted *d = it->first; d != NULL; d = d->next) {
            if (rj_is_due(d->deadline, now))
                continue;
            is_shown = true;
            forever = forever || d->deadline == 0;
            deadline = d->deadline > deadline ? d->deadline : deadline;
            rj_rank_raise(&origins, &top, d->stamp, rj_dotted_dot(d));
        }
        shown += is_shown ? 1 : 0;
    }
    said = rj_dotmap_rank(m, &origins, now);
    assert_int_equal(rj_dotmap_is_live(m), live > 0);
    if (m->tally != NULL)
        assert_int_equal(m->tally->live, live);
    assert_int_equal(rj_dotmap_shown(m, now), shown);
    assert_int_equal(rj_dotmap_is_shown(m, now), shown > 0);
    assert_int_equal(rj_dotmap_deadline(m, now), forever ? 0 : deadline);
    assert_int_equal(rj_rank_compare(&origins, &said, &top), 0);
}

TEST(what_is_kept_beside_the_items_is_what_a_walk_finds)
{
    struct rj_prng rng;
    struct rj_dotmap m;

    rj_prng_init(&rng, 3);
    init(&m);
    check(&m, 1);
    for (uint64_t seq = 1; seq < STEPS; seq++) {
        uint64_t name = rj_prng_below(&rng, NAMES), now = rj_prng_below(&rng, 60);
        struct rj_item *item = rj_dotmap_find(&m, name_of(name));
        bool mostly_timed = seq / 500 % 2 == 0;

        if (item != NULL && item->first != NULL && rj_prng_chance(&rng, 11, 20)) {
            drop(&m, item, item->first);
        } else {
            struct rj_rank r =
                rank(rj_prng_below(&rng, 20), (uint32_t)rj_prng_below(&rng, 3), seq);
            bool timed = rj_prng_chance(&rng, mostly_timed ? 9 : 2, 9);

            (void)put(&m, name, &r, timed ? 10 * rj_prng_below(&rng, 6) : 0);
        }
        check(&m, now);
    }
    rj_dotmap_done(&m);
}

TEST(items_are_walked_in_byte_order)
{
    struct rj_dotmap m;
    struct rj_item *item;
    uint64_t n = 0;

    init(&m);
    for (uint64_t i = 0; i < NAMES; i++)
        assert_ok(rj_dotmap_get(&m, name_of(i * 5 % NAMES), 4, &item));
    for (item = first_of(&m); item != NULL; item = after(&m, rj_item_name(item)))
        assert_bytes_equal(rj_item_name(item), name_of(n++));
    assert_int_equal(n, NAMES);
    assert_bytes_equal(rj_item_name(after(&m, name_of(3))), name_of(4));
    assert_null(after(&m, name_of(NAMES - 1)));
    rj_dotmap_remove(&m, rj_dotmap_find(&m, name_of(4)));
    assert_bytes_equal(rj_item_name(after(&m, name_of(3))), name_of(5));
    rj_dotmap_done(&m);
    assert_null(first_of(&m));
    rj_dotmap_done(NULL);
}

TEST(a_home_has_the_room_asked_for_and_belongs_to_the_item)
{
    struct rj_rank r = rank(1, 0, 1);
    struct rj_item *with = NULL, *without = NULL, *small = NULL;
    struct rj_dotmap m;

    init(&m);
    assert_ok(rj_dotmap_get(&m, name_of(1), RJ_HOME_MAX, &with));
    assert_ok(rj_dotmap_get(&m, name_of(2), RJ_HOME_MAX + 1, &without));
    assert_ok(rj_dotmap_get(&m, name_of(3), 0, &small));
    assert_null(rj_item_home(without));
    assert_int_equal(rj_item_home(with)->cap, RJ_HOME_MAX);
    assert_int_equal(rj_item_home(small)->cap, 0);
    rj_version_set(rj_item_home(small), &r, 0, (struct rj_bytes){0});
    small->home_used = true;
    rj_dotfun_push(&small->first, &rj_item_home(small)->d);
    rj_dotfun_unlink(&small->first, &rj_item_home(small)->d);
    rj_item_release(small, &rj_item_home(small)->d);
    assert_false(small->home_used);
    rj_dotmap_done(&m);
}

TEST(removal_records_are_counted_apart)
{
    struct rj_run *run = rj_run_new();
    struct rj_item *item = NULL;
    struct rj_dotmap m;

    assert_non_null(run);
    init(&m);
    fill(&m);
    assert_ok(rj_dotmap_get(&m, name_of(1), SIZE_MAX, &item));
    run->epoch = 1;
    rj_run_reset(run, 3, 5);
    rj_dotfun_push(&item->first, &run->d);
    rj_dotmap_count_in(&m, &run->d, &origins);
    rj_dotmap_refresh(&m, item);
    assert_int_equal(m.tally->records, 1);
    assert_int_equal(m.tally->live, 0);
    assert_false(rj_dotmap_is_shown(&m, 0));
    rj_dotmap_count_out(&m, &run->d);
    run->d.seq = 4;
    run->cum = 9;
    rj_dotmap_count_in(&m, &run->d, &origins);
    rj_dotmap_refresh(&m, item);
    assert_int_equal(m.tally->records, 0);
    assert_int_equal(m.tally->live, 1);
    rj_dotmap_done(&m);
}

TEST(a_large_map_finds_what_is_in_it_and_nothing_else)
{
    bool in[MANY] = {false};
    struct rj_item *item = NULL;
    struct rj_prng rng;
    struct rj_dotmap m;
    size_t count = 0;

    rj_prng_init(&rng, 5);
    init(&m);
    for (size_t step = 0; step < 20 * MANY; step++) {
        uint64_t i = rj_prng_below(&rng, MANY);
        struct rj_bytes name = rj_bytes_of(&i, sizeof(i));

        item = rj_dotmap_find(&m, name);
        assert_int_equal(item != NULL, in[i]);
        if (item != NULL)
            assert_bytes_equal(rj_item_name(item), name);
        if (rj_prng_chance(&rng, 1, 2))
            continue;
        if (item != NULL)
            rj_dotmap_remove(&m, item);
        else
            assert_ok(rj_dotmap_get(&m, name, 0, &item));
        in[i] = !in[i];
        count += in[i] ? 1 : 0;
        count -= in[i] ? 0 : 1;
        assert_int_equal(rj_dotmap_count(&m), count);
    }
    rj_dotmap_done(&m);
}

TEST(what_replaces_the_greatest_is_the_greatest_without_a_walk)
{
    struct rj_rank before = rank(5, 0, 1), after = rank(6, 0, 2), low = rank(4, 1, 1);
    struct rj_dotted *d;
    struct rj_dotmap m;

    init(&m);
    fill(&m);
    (void)put(&m, 1, &low, 0);
    d = put(&m, 2, &before, 0);
    check(&m, 1);
    assert_true(m.tally->top_known);
    drop(&m, rj_dotmap_find(&m, name_of(2)), d);
    assert_false(m.tally->top_known);
    (void)put(&m, 2, &after, 0);
    assert_true(m.tally->top_known);
    check(&m, 1);
    rj_dotmap_done(&m);
}

/* A set of which most was removed. */
TEST(what_is_left_of_many_items_moves_together_with_its_writes)
{
    enum { LEFT = 7, LOTS = 10 * MANY };
    struct rj_rank r = rank(1, 0, 1), other = rank(2, 0, 2);
    struct rj_item *item = NULL;
    struct rj_dotmap m;
    size_t total;

    init(&m);
    for (uint64_t i = 0; i < LOTS; i++) {
        struct rj_version *v = rj_version_new(0), *home;

        assert_non_null(v);
        assert_ok(rj_dotmap_get(&m, rj_bytes_of(&i, sizeof(i)), 4, &item));
        home = rj_item_home(item);
        rj_version_set(home, &r, 0, rj_bytes_of(&i, 4));
        item->home_used = true;
        rj_version_set(v, &other, 0, (struct rj_bytes){0});
        rj_dotfun_push(&item->first, i % 2 == 0 ? &v->d : &home->d);
        rj_dotfun_push(&item->first, i % 2 == 0 ? &home->d : &v->d);
    }
    total = m.slab.total;
    rj_dotmap_settle(&m);
    assert_int_equal(m.slab.total, total);
    assert_ok(rj_dotmap_first(&m, &item));
    for (uint64_t i = 0; i < LOTS; i++) {
        if (i % LEFT != 0)
            rj_dotmap_remove(&m, rj_dotmap_find(&m, rj_bytes_of(&i, sizeof(i))));
    }
    rj_dotmap_settle(&m);
    assert_true(m.slab.total < total / 4);
    for (uint64_t i = 0; i < LOTS; i += LEFT) {
        item = rj_dotmap_find(&m, rj_bytes_of(&i, sizeof(i)));
        assert_non_null(item);
        assert_true(item->first->home == (i % 2 == 0));
        assert_true(item->first->next->home == (i % 2 != 0));
        assert_bytes_equal(rj_version_value(rj_item_home(item)), rj_bytes_of(&i, 4));
        assert_null(item->first->next->next);
    }
    rj_dotmap_done(&m);
}

TEST(an_order_follows_what_comes_and_goes_while_it_is_asked_for)
{
    struct rj_item *item = NULL;
    struct rj_prng rng;
    struct rj_dotmap m;

    rj_prng_init(&rng, 9);
    init(&m);
    for (size_t step = 0; step < 20 * MANY; step++) {
        uint8_t text[2] = {(uint8_t)rj_prng_below(&rng, 50),
                           (uint8_t)rj_prng_below(&rng, step % 5000 < 2000 ? 50 : 1)};
        struct rj_bytes name = RJ_BYTES_OF(text);
        size_t n = 0;

        item = rj_dotmap_find(&m, name);
        if (item != NULL)
            rj_dotmap_remove(&m, item);
        else
            assert_ok(rj_dotmap_get(&m, name, SIZE_MAX, &item));
        if (step % 100 != 0)
            continue;
        for (item = first_of(&m); item != NULL; n++) {
            struct rj_item *next = after(&m, rj_item_name(item));

            if (next != NULL)
                assert_true(rj_bytes_compare(rj_item_name(item), rj_item_name(next)) < 0);
            item = next;
        }
        assert_int_equal(n, rj_dotmap_count(&m));
    }
    assert_non_null(m.order);
    for (uint64_t i = 0; i < 2 * MANY; i++)
        assert_ok(rj_dotmap_get(&m, rj_bytes_of(&i, sizeof(i)), SIZE_MAX, &item));
    assert_null(m.order); /* nobody asked */
    rj_dotmap_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_beside_the_items_is_what_a_walk_finds),
        cmocka_unit_test(items_are_walked_in_byte_order),
        cmocka_unit_test(a_home_has_the_room_asked_for_and_belongs_to_the_item),
        cmocka_unit_test(removal_records_are_counted_apart),
        cmocka_unit_test(a_large_map_finds_what_is_in_it_and_nothing_else),
        cmocka_unit_test(what_replaces_the_greatest_is_the_greatest_without_a_walk),
        cmocka_unit_test(what_is_left_of_many_items_moves_together_with_its_writes),
        cmocka_unit_test(an_order_follows_what_comes_and_goes_while_it_is_asked_for),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
