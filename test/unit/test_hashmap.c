/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hashmap.h"
#include "base/prng.h"
#include "support/test.h"

#include <stdio.h>

enum { KEYS = 3000 };

struct entry {
    char name[12];
    bool in;
};

struct fixture {
    struct rj_hash_key key;
    struct rj_hashmap map;
    struct entry entries[KEYS];
    size_t count;
};

static struct rj_bytes name_of(const struct entry *e)
{
    return rj_bytes_from_str(e->name);
}

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    rj_hash_key_init(&f->key, RJ_BYTES_LIT("0123456789abcdef"));
    rj_hashmap_init(&f->map, &f->key);
    for (unsigned i = 0; i < KEYS; i++)
        (void)snprintf(f->entries[i].name, sizeof(f->entries[i].name), "k%u", i);
}

static void toggle(struct fixture *f, size_t i)
{
    struct entry *e = &f->entries[i];

    if (e->in) {
        assert_ptr_equal(rj_hashmap_remove(&f->map, name_of(e)), e);
        f->count--;
    } else {
        assert_ok(rj_hashmap_put(&f->map, name_of(e), e));
        f->count++;
    }
    e->in = !e->in;
}

static void check(const struct fixture *f)
{
    assert_int_equal(f->map.count, f->count);
    for (size_t i = 0; i < KEYS; i++) {
        const struct entry *e = &f->entries[i];

        assert_ptr_equal(rj_hashmap_get(&f->map, name_of(e)), e->in ? e : NULL);
    }
}

TEST(random_histories_agree_with_an_array)
{
    static struct fixture f;
    struct rj_prng p;

    for (uint64_t seed = 0; seed < 12; seed++) {
        size_t keys = (size_t)4 << seed;

        rj_prng_init(&p, seed);
        fixture_init(&f);
        check(&f);
        for (int i = 0; i < 5000; i++)
            toggle(&f, rj_prng_below(&p, keys < KEYS ? keys : KEYS));
        check(&f);
        for (size_t i = 0; i < KEYS; i++)
            if (f.entries[i].in)
                toggle(&f, i);
        check(&f);
        rj_hashmap_done(&f.map);
    }
}

TEST(a_key_is_in_once_and_unknown_keys_are_not)
{
    static struct fixture f;

    fixture_init(&f);
    assert_null(rj_hashmap_remove(&f.map, RJ_BYTES_LIT("none")));
    toggle(&f, 3);
    assert_err(RJ_EEXIST, rj_hashmap_put(&f.map, RJ_BYTES_LIT("k3"), &f));
    assert_ptr_equal(rj_hashmap_get(&f.map, RJ_BYTES_LIT("k3")), &f.entries[3]);
    assert_null(rj_hashmap_remove(&f.map, RJ_BYTES_LIT("none")));
    assert_null(rj_hashmap_get(&f.map, RJ_BYTES_LIT("k33")));
    check(&f);
    rj_hashmap_done(&f.map);
}

TEST(the_empty_key_is_a_key)
{
    static struct fixture f;

    fixture_init(&f);
    assert_ok(rj_hashmap_put(&f.map, (struct rj_bytes){0}, &f));
    assert_ptr_equal(rj_hashmap_get(&f.map, RJ_BYTES_LIT("")), &f);
    assert_ptr_equal(rj_hashmap_remove(&f.map, RJ_BYTES_LIT("")), &f);
    rj_hashmap_done(&f.map);
    rj_hashmap_done(NULL);
}

static enum rj_err fill(void *ctx)
{
    static struct fixture f;
    enum rj_err err = RJ_OK;

    (void)ctx;
    fixture_init(&f);
    for (size_t i = 0; i < 200 && err == RJ_OK; i++) {
        err = rj_hashmap_put(&f.map, name_of(&f.entries[i]), &f.entries[i]);
        f.entries[i].in = err == RJ_OK;
        f.count += f.entries[i].in;
    }
    check(&f);
    rj_hashmap_done(&f.map);
    return err;
}

TEST(out_of_memory_changes_nothing)
{
    rj_test_with_failing_alloc(fill, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_agree_with_an_array),
        cmocka_unit_test(a_key_is_in_once_and_unknown_keys_are_not),
        cmocka_unit_test(the_empty_key_is_a_key),
        cmocka_unit_test(out_of_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
