/* SPDX-License-Identifier: Apache-2.0 */
#include "base/be.h"
#include "base/prng.h"
#include "store/memory_tree.h"
#include "support/test.h"

enum { KEYS = 400, VERSIONS = 12 };

static struct rj_bytes number(uint32_t n, uint8_t room[4])
{
    rj_be_store32(room, n);
    return rj_bytes_of(room, 4);
}

static void put(struct rj_memory_node **root, uint32_t n)
{
    uint8_t key[4];

    assert_ok(rj_memory_tree_put(root, number(n, key), RJ_BYTES_LIT("v"), false));
}

TEST(it_stays_balanced_in_any_order_of_puts_and_deletes)
{
    struct rj_memory_node *root = NULL;
    bool in[KEYS] = {false};
    struct rj_prng p;
    uint8_t key[4];

    rj_prng_init(&p, 11);
    for (int i = 0; i < 6000; i++) {
        uint32_t n = (uint32_t)rj_prng_below(&p, KEYS);

        if (rj_prng_chance(&p, 1, 2))
            put(&root, n);
        else
            assert_ok(rj_memory_tree_delete(&root, number(n, key)));
        in[n] = rj_memory_tree_seek(root, RJ_SEEK_EQ, number(n, key)) != NULL;
        if (i % 50 == 0)
            assert_true(rj_memory_tree_is_sound(root));
    }
    for (uint32_t n = 0; n < KEYS; n++)
        assert_true(in[n] ==
                    (rj_memory_tree_seek(root, RJ_SEEK_EQ, number(n, key)) != NULL));
    rj_memory_tree_unref(root);
}

TEST(ascending_and_descending_keys_are_balanced_too)
{
    struct rj_memory_node *up = NULL, *down = NULL;
    uint8_t key[4];

    for (uint32_t n = 0; n < 5000; n++) {
        put(&up, n);
        put(&down, 5000 - n);
    }
    assert_true(rj_memory_tree_is_sound(up));
    assert_true(rj_memory_tree_is_sound(down));
    for (uint32_t n = 0; n < 4990; n++)
        assert_ok(rj_memory_tree_delete(&up, number(n, key)));
    assert_true(rj_memory_tree_is_sound(up));
    assert_int_equal(rj_memory_tree_bytes(up), 10 * 5);
    rj_memory_tree_unref(up);
    rj_memory_tree_unref(down);
}

TEST(versions_taken_at_random_stay_as_they_were)
{
    struct rj_memory_node *root = NULL, *old[VERSIONS] = {NULL};
    bool in[KEYS] = {false}, was[VERSIONS][KEYS] = {{false}};
    struct rj_prng p;
    uint8_t key[4];

    rj_prng_init(&p, 12);
    for (int i = 0; i < 8000; i++) {
        uint32_t n = (uint32_t)rj_prng_below(&p, KEYS);
        size_t v = (size_t)rj_prng_below(&p, VERSIONS);

        in[n] = rj_prng_chance(&p, 1, 2);
        if (in[n])
            put(&root, n);
        else
            assert_ok(rj_memory_tree_delete(&root, number(n, key)));
        if (!rj_prng_chance(&p, 1, 16))
            continue;
        assert_true(rj_memory_tree_is_sound(old[v]));
        for (n = 0; n < KEYS; n++)
            assert_true(was[v][n] == (rj_memory_tree_seek(old[v], RJ_SEEK_EQ,
                                                          number(n, key)) != NULL));
        rj_memory_tree_unref(old[v]);
        old[v] = rj_memory_tree_ref(root);
        memcpy(was[v], in, sizeof(in));
    }
    assert_true(rj_memory_tree_is_sound(root));
    for (size_t v = 0; v < VERSIONS; v++)
        rj_memory_tree_unref(old[v]);
    rj_memory_tree_unref(root);
}

TEST(a_version_never_changes)
{
    struct rj_memory_node *root = NULL, *old[VERSIONS];
    uint8_t key[4];

    for (uint32_t v = 0; v < VERSIONS; v++) {
        for (uint32_t n = 0; n < 20; n++)
            put(&root, 20 * v + n);
        old[v] = rj_memory_tree_ref(root);
    }
    for (uint32_t n = 0; n < 20 * VERSIONS; n += 2)
        assert_ok(rj_memory_tree_delete(&root, number(n, key)));
    for (uint32_t v = 0; v < VERSIONS; v++) {
        assert_true(rj_memory_tree_is_sound(old[v]));
        assert_int_equal(rj_memory_tree_bytes(old[v]), 5 * 20 * (v + 1));
    }
    /* Versions may go in any order. */
    for (uint32_t v = 0; v < VERSIONS; v += 2)
        rj_memory_tree_unref(old[v]);
    rj_memory_tree_unref(root);
    for (uint32_t v = 1; v < VERSIONS; v += 2) {
        assert_true(rj_memory_tree_is_sound(old[v]));
        rj_memory_tree_unref(old[v]);
    }
}

TEST(a_flipped_bit_is_noticed)
{
    struct rj_memory_node *root = NULL;
    const struct rj_memory_record *r;

    assert_ok(rj_memory_tree_put(&root, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("x"), false));
    r = rj_memory_tree_seek(root, RJ_SEEK_EQ, RJ_BYTES_LIT("a"));
    assert_true(rj_memory_tree_intact(r));
    assert_ok(rj_memory_tree_put(&root, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("x"), true));
    r = rj_memory_tree_seek(root, RJ_SEEK_EQ, RJ_BYTES_LIT("a"));
    assert_false(rj_memory_tree_intact(r));
    assert_ok(rj_memory_tree_put(&root, RJ_BYTES_LIT("a"), RJ_BYTES_LIT(""), true));
    r = rj_memory_tree_seek(root, RJ_SEEK_EQ, RJ_BYTES_LIT("a"));
    assert_false(rj_memory_tree_intact(r));
    rj_memory_tree_unref(root);
}

static enum rj_err change(void *ctx)
{
    struct rj_memory_node *root = rj_memory_tree_ref(ctx);
    enum rj_err err = RJ_OK;
    uint8_t key[4];

    for (uint32_t n = 0; n < 64 && err == RJ_OK; n++) {
        err = rj_memory_tree_put(&root, number(1000 + n, key), RJ_BYTES_LIT("v"), false);
        if (err == RJ_OK)
            err = rj_memory_tree_delete(&root, number(37 * n % 100, key));
        assert_true(err != RJ_OK || rj_memory_tree_is_sound(root));
    }
    rj_memory_tree_unref(root);
    return err;
}

TEST(want_of_memory_leaves_the_version_as_it_was)
{
    struct rj_memory_node *root = NULL;

    for (uint32_t n = 0; n < 100; n++)
        put(&root, n);
    rj_test_with_failing_alloc(change, root);
    assert_true(rj_memory_tree_is_sound(root));
    assert_int_equal(rj_memory_tree_bytes(root), 500);
    rj_memory_tree_unref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_stays_balanced_in_any_order_of_puts_and_deletes),
        cmocka_unit_test(ascending_and_descending_keys_are_balanced_too),
        cmocka_unit_test(versions_taken_at_random_stay_as_they_were),
        cmocka_unit_test(a_version_never_changes),
        cmocka_unit_test(a_flipped_bit_is_noticed),
        cmocka_unit_test(want_of_memory_leaves_the_version_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
