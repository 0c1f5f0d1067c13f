/* SPDX-License-Identifier: Apache-2.0 */
#include "base/be.h"
#include "base/prng.h"
#include "bucket/table.h"
#include "support/test.h"

enum { MANY = 3000 };

/* Position and key of the i-th; every seventh shares its position with another, and many
 * lie close together. */
static uint64_t position_of(uint64_t i)
{
    uint64_t state = i % 7 == 0 ? i + 7 : i;
    uint64_t p = rj_prng_splitmix(&state);

    return i % 5 == 0 ? p >> 20 : p;
}

static struct rj_bkey *make(uint64_t i)
{
    uint8_t name[8];
    struct rj_bkey *k;

    rj_be_store64(name, i);
    k = rj_bkey_new(position_of(i), RJ_BYTES_OF(name), 8);
    assert_non_null(k);
    return k;
}

static struct rj_bkey *find(const struct rj_table *t, uint64_t i)
{
    uint8_t name[8];

    rj_be_store64(name, i);
    return rj_table_find(t, position_of(i), RJ_BYTES_OF(name));
}

static void clear(struct rj_table *t)
{
    struct rj_bkey *k = rj_table_from(t, 0), *next;

    for (; k != NULL; k = next) {
        next = rj_table_next(t, k);
        rj_bkey_free(k);
    }
    rj_table_done(t);
}

/* Every key once, ascending by (position, key). */
static void check_order(const struct rj_table *t)
{
    struct rj_bkey *last = NULL, *k;
    uint64_t n = 0;

    for (k = rj_table_from(t, 0); k != NULL; k = rj_table_next(t, k)) {
        if (last != NULL) {
            assert_true(last->position <= k->position);
            if (last->position == k->position)
                assert_true(rj_bytes_compare(rj_bkey_name(last), rj_bkey_name(k)) < 0);
            assert_ptr_equal(
                rj_table_from(t, last->position + 1),
                last->position == k->position ? rj_table_from(t, k->position + 1) : k);
        }
        last = k;
        n++;
    }
    assert_int_equal(n, t->count);
}

TEST(keys_are_found_and_walked_in_order_at_every_size)
{
    struct rj_table t;

    rj_table_init(&t);
    assert_null(rj_table_from(&t, 0));
    assert_null(find(&t, 1));
    for (uint64_t i = 0; i < MANY; i++) {
        struct rj_bkey *k = make(i);

        assert_null(find(&t, i));
        rj_table_insert(&t, k);
        assert_ptr_equal(find(&t, i), k);
        if (i < 70 || i % 500 == 0)
            check_order(&t);
    }
    for (uint64_t i = 0; i < MANY; i++)
        assert_non_null(find(&t, i));
    assert_true(t.bits >= 10);
    check_order(&t);
    clear(&t);
}

TEST(keys_are_removed_and_replaced_while_the_table_grows)
{
    struct rj_table t;

    rj_table_init(&t);
    for (uint64_t i = 0; i < MANY; i++) {
        rj_table_insert(&t, make(i));
        if (i % 3 == 2) {
            struct rj_bkey *k = find(&t, i - 1), *other = make(i - 1);

            rj_table_replace(&t, k, other);
            assert_ptr_equal(find(&t, i - 1), other);
            rj_bkey_free(k);
            k = find(&t, i - 2);
            rj_table_remove(&t, k);
            assert_null(find(&t, i - 2));
            rj_bkey_free(k);
        }
    }
    assert_int_equal(t.count, MANY - MANY / 3);
    check_order(&t);
    clear(&t);
}

TEST(without_memory_chains_grow_instead)
{
    struct rj_table t;
    struct rj_bkey *keys[200];

    rj_table_init(&t);
    for (uint64_t i = 0; i < 200; i++)
        keys[i] = make(i);
    rj_test_alloc_fail_after(0);
    for (uint64_t i = 0; i < 200; i++)
        rj_table_insert(&t, keys[i]);
    rj_test_alloc_restore();
    assert_int_equal(t.bits, 0);
    check_order(&t);
    for (uint64_t i = 200; i < 600; i++)
        rj_table_insert(&t, make(i));
    assert_true(t.bits > 5);
    check_order(&t);
    clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_and_walked_in_order_at_every_size),
        cmocka_unit_test(keys_are_removed_and_replaced_while_the_table_grows),
        cmocka_unit_test(without_memory_chains_grow_instead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
