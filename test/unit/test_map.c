/* SPDX-License-Identifier: Apache-2.0 */
#include "base/be.h"
#include "base/map.h"
#include "base/prng.h"
#include "support/test.h"

enum { KEYS = 512 };

struct entry {
    struct rj_map_node node;
    uint8_t key[2];
    bool in;
};

/* A map beside a plain array that says what must be in it. */
struct fixture {
    struct rj_map map;
    struct entry entries[KEYS];
    size_t count;
};

static struct rj_bytes entry_key(const struct rj_map_node *node)
{
    return RJ_BYTES_OF(RJ_MAP_ENTRY_CONST(node, struct entry, node)->key);
}

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    rj_map_init(&f->map, entry_key);
    for (size_t i = 0; i < KEYS; i++)
        rj_be_store16(f->entries[i].key, (uint16_t)(2 * i));
}

static void toggle(struct fixture *f, size_t i)
{
    struct entry *e = &f->entries[i];

    if (e->in) {
        rj_map_remove(&f->map, &e->node);
        f->count--;
    } else {
        assert_null(rj_map_insert(&f->map, &e->node));
        f->count++;
    }
    e->in = !e->in;
}

static void check(const struct fixture *f)
{
    const struct rj_map_node *forth = rj_map_first(&f->map);
    const struct rj_map_node *back = rj_map_last(&f->map);

    assert_true(rj_map_is_sound(&f->map));
    assert_int_equal(f->map.count, f->count);
    for (size_t i = 0; i < KEYS; i++) {
        const struct entry *e = &f->entries[i];
        const struct entry *last = &f->entries[KEYS - 1 - i];

        assert_ptr_equal(rj_map_find(&f->map, RJ_BYTES_OF(e->key)),
                         e->in ? &e->node : NULL);
        if (e->in) {
            assert_ptr_equal(forth, &e->node);
            forth = rj_map_next(forth);
        }
        if (last->in) {
            assert_ptr_equal(back, &last->node);
            back = rj_map_prev(back);
        }
    }
    assert_null(forth);
    assert_null(back);
}

TEST(ascending_and_descending_inserts_stay_balanced)
{
    static struct fixture f;

    fixture_init(&f);
    check(&f);
    for (size_t i = 0; i < KEYS; i++)
        toggle(&f, i);
    check(&f);
    for (size_t i = 0; i < KEYS; i++)
        toggle(&f, i);
    check(&f);
    for (size_t i = KEYS; i > 0; i--)
        toggle(&f, i - 1);
    check(&f);
    for (size_t i = KEYS; i > 0; i--)
        toggle(&f, i - 1);
    check(&f);
    assert_null(f.map.root);
}

TEST(random_histories_agree_with_an_array)
{
    static struct fixture f;
    struct rj_prng p;

    for (uint64_t seed = 0; seed < 20; seed++) {
        uint64_t keys = 1 + seed * seed;

        rj_prng_init(&p, seed);
        fixture_init(&f);
        for (int i = 0; i < 2000; i++) {
            toggle(&f, rj_prng_below(&p, keys < KEYS ? keys : KEYS));
            if (keys < 10)
                check(&f);
        }
        check(&f);
    }
}

TEST(a_key_is_in_once)
{
    static struct fixture f;
    struct entry twin = {.key = {0, 2}};

    fixture_init(&f);
    toggle(&f, 1);
    assert_ptr_equal(rj_map_insert(&f.map, &twin.node), &f.entries[1].node);
    check(&f);
    rj_map_replace(&f.map, &f.entries[1].node, &twin.node);
    assert_ptr_equal(rj_map_find(&f.map, RJ_BYTES_OF(twin.key)), &twin.node);
    assert_true(rj_map_is_sound(&f.map));
}

TEST(a_replaced_node_keeps_its_neighbours)
{
    static struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < 40; i++)
        toggle(&f, i);
    for (size_t i = 0; i < 40; i++) {
        struct entry twin = f.entries[i];

        rj_map_replace(&f.map, &f.entries[i].node, &twin.node);
        assert_true(rj_map_is_sound(&f.map));
        rj_map_replace(&f.map, &twin.node, &f.entries[i].node);
        check(&f);
    }
}

TEST(bounds_are_the_nearest_keys)
{
    static struct fixture f;
    struct rj_prng p;

    rj_prng_init(&p, 9);
    fixture_init(&f);
    for (int i = 0; i < 300; i++)
        toggle(&f, rj_prng_below(&p, KEYS));
    for (unsigned probe = 0; probe < 2 * KEYS + 2; probe++) {
        const struct rj_map_node *ge = NULL, *gt = NULL, *lt = NULL;
        uint8_t key[2];

        rj_be_store16(key, (uint16_t)probe);
        for (size_t i = 0; i < KEYS; i++) {
            const struct entry *e = &f.entries[i];

            if (e->in && 2 * i < probe)
                lt = &e->node;
            if (e->in && 2 * i >= probe && ge == NULL)
                ge = &e->node;
            if (e->in && 2 * i > probe && gt == NULL)
                gt = &e->node;
        }
        assert_ptr_equal(rj_map_lower_bound(&f.map, RJ_BYTES_OF(key)), ge);
        assert_ptr_equal(rj_map_upper_bound(&f.map, RJ_BYTES_OF(key)), gt);
        assert_ptr_equal(rj_map_before(&f.map, RJ_BYTES_OF(key)), lt);
    }
}

TEST(tearing_down_gives_each_entry_once)
{
    static struct fixture f;
    struct rj_map_node *node;
    size_t taken = 0;

    fixture_init(&f);
    for (size_t i = 0; i < KEYS; i++)
        toggle(&f, (i * 37) % KEYS);
    while ((node = rj_map_take_any(&f.map)) != NULL) {
        struct entry *e = RJ_MAP_ENTRY(node, struct entry, node);

        assert_true(e->in);
        e->in = false;
        memset(&e->node, 0xff, sizeof(e->node)); /* as if freed */
        taken++;
    }
    assert_int_equal(taken, KEYS);
    assert_int_equal(f.map.count, 0);
    assert_null(f.map.root);
}

TEST(unsound_maps_are_recognised)
{
    static struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < 20; i++)
        toggle(&f, i);
    f.map.count++;
    assert_false(rj_map_is_sound(&f.map));
    f.map.count--;
    f.entries[5].key[0] = 0xff;
    assert_false(rj_map_is_sound(&f.map));
    f.entries[5].key[0] = 0;
    assert_true(rj_map_is_sound(&f.map));
    f.map.root->balance ^= 1;
    assert_false(rj_map_is_sound(&f.map));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ascending_and_descending_inserts_stay_balanced),
        cmocka_unit_test(random_histories_agree_with_an_array),
        cmocka_unit_test(a_key_is_in_once),
        cmocka_unit_test(a_replaced_node_keeps_its_neighbours),
        cmocka_unit_test(bounds_are_the_nearest_keys),
        cmocka_unit_test(tearing_down_gives_each_entry_once),
        cmocka_unit_test(unsound_maps_are_recognised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
