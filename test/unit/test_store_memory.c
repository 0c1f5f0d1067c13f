/* SPDX-License-Identifier: Apache-2.0 */
#include "base/be.h"
#include "store/memory.h"
#include "support/store_suite.h"
#include "support/test.h"

/* ---- the suite */

static void *setup(void)
{
    return NULL;
}

static void teardown(void *ctx)
{
    (void)ctx;
}

static struct rj_store *open_store(void *ctx)
{
    struct rj_store *s;

    (void)ctx;
    assert_ok(rj_store_memory_open(&s));
    return s;
}

static struct rj_store *restart(void *ctx, struct rj_store *s)
{
    (void)ctx;
    rj_store_memory_crash(s, RJ_STORE_MEMORY_LOSE_ALL, 0);
    return s;
}

static struct rj_store *damage(void *ctx, struct rj_store *s, const char *key,
                               const char *value)
{
    (void)ctx;
    (void)value;
    assert_ok(rj_store_memory_corrupt(s, rj_bytes_from_str(key)));
    return s;
}

static struct rj_store *make_small(void *ctx, struct rj_store *s)
{
    (void)ctx;
    rj_store_memory_set_room(s, 300000);
    return s;
}

static const struct rj_store_maker maker = {
    .name = "memory",
    .setup = setup,
    .teardown = teardown,
    .open = open_store,
    .restart = restart,
    .damage = damage,
    .make_small = make_small,
};

/* ---- what only this store does */

/* Writes batch n: two keys that must come and go together. */
static enum rj_err write_batch(struct rj_store *s, uint32_t n, bool durable)
{
    struct rj_writes w = {0};
    uint8_t key[5] = {0}, value[4];
    enum rj_err err;

    rj_be_store32(value, n);
    for (uint8_t half = 0; half < 2; half++) {
        rj_be_store32(key, n);
        key[4] = half;
        rj_writes_put(&w, RJ_BYTES_OF(key), RJ_BYTES_OF(value));
    }
    err = s->ops->write(s, &w, durable);
    rj_writes_done(&w);
    return err;
}

/* How many batches are there; they must be the first ones, and whole. */
static uint32_t count_batches(struct rj_store *s)
{
    struct rj_bytes key = {0}, value;
    struct rj_view *v;
    uint32_t halves = 0;

    assert_ok(s->ops->view_open(s, &v));
    while (s->ops->seek(v, RJ_SEEK_GT, key, &key, &value) == RJ_OK) {
        assert_int_equal(key.len, 5);
        assert_int_equal(rj_be_load32(key.ptr), halves / 2);
        assert_int_equal(key.ptr[4], halves % 2);
        halves++;
    }
    s->ops->view_close(v);
    assert_int_equal(halves % 2, 0);
    return halves / 2;
}

/* A store with 3 durable batches and 4 that are not. */
static struct rj_store *store_of_seven(void)
{
    struct rj_store *s;

    assert_ok(rj_store_memory_open(&s));
    for (uint32_t n = 0; n < 7; n++)
        assert_ok(write_batch(s, n, n < 3));
    assert_int_equal(count_batches(s), 7);
    assert_int_equal(rj_store_memory_unsynced(s), 4);
    return s;
}

TEST(a_crash_can_lose_all_that_was_not_synced)
{
    struct rj_store *s = store_of_seven();

    rj_store_memory_crash(s, RJ_STORE_MEMORY_LOSE_ALL, 0);
    assert_int_equal(count_batches(s), 3);
    rj_store_memory_crash(s, RJ_STORE_MEMORY_LOSE_ALL, 0);
    assert_int_equal(count_batches(s), 3);
    s->ops->close(s);
}

TEST(a_crash_can_lose_nothing)
{
    struct rj_store *s = store_of_seven();

    rj_store_memory_crash(s, RJ_STORE_MEMORY_LOSE_NONE, 0);
    assert_int_equal(count_batches(s), 7);
    rj_store_memory_crash(s, RJ_STORE_MEMORY_LOSE_ALL, 0);
    assert_int_equal(count_batches(s), 7); /* what was left is durable */
    s->ops->close(s);
}

TEST(a_crash_can_lose_any_number_of_the_last_batches)
{
    unsigned seen[8] = {0};

    for (uint64_t seed = 0; seed < 200; seed++) {
        struct rj_store *s = store_of_seven();
        uint32_t left;

        rj_store_memory_crash(s, RJ_STORE_MEMORY_LOSE_SOME, seed);
        left = count_batches(s);
        assert_in_range(left, 3, 7);
        seen[left]++;
        s->ops->close(s);
    }
    for (size_t n = 3; n <= 7; n++)
        assert_true(seen[n] > 0);
}

TEST(a_crash_with_one_seed_is_always_the_same)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rj_store *a = store_of_seven(), *b = store_of_seven();

        rj_store_memory_crash(a, RJ_STORE_MEMORY_LOSE_SOME, seed);
        rj_store_memory_crash(b, RJ_STORE_MEMORY_LOSE_SOME, seed);
        assert_int_equal(count_batches(a), count_batches(b));
        a->ops->close(a);
        b->ops->close(b);
    }
}

TEST(a_view_outlives_a_crash)
{
    struct rj_store *s = store_of_seven();
    uint8_t last[5] = {0, 0, 0, 6, 1};
    struct rj_bytes key, value;
    struct rj_view *v;

    assert_ok(s->ops->view_open(s, &v));
    rj_store_memory_crash(s, RJ_STORE_MEMORY_LOSE_ALL, 0);
    assert_ok(s->ops->seek(v, RJ_SEEK_EQ, RJ_BYTES_OF(last), &key, &value));
    s->ops->view_close(v);
    s->ops->close(s);
}

TEST(a_clone_has_what_is_durable_and_goes_its_own_way)
{
    struct rj_store *s = store_of_seven(), *clone, *copy;

    assert_ok(rj_store_memory_clone(s, &clone));
    assert_ok(rj_store_memory_copy(s, &copy));
    assert_int_equal(count_batches(clone), 3);
    assert_int_equal(count_batches(copy), 7);
    assert_ok(write_batch(clone, 3, true));
    assert_int_equal(count_batches(clone), 4);
    assert_int_equal(count_batches(s), 7);
    assert_ok(write_batch(s, 7, true));
    assert_int_equal(count_batches(s), 8);
    s->ops->close(s);
    assert_int_equal(count_batches(clone), 4);
    rj_store_memory_crash(copy, RJ_STORE_MEMORY_LOSE_ALL, 0);
    assert_int_equal(count_batches(copy), 7);
    clone->ops->close(clone);
    copy->ops->close(copy);
}

TEST(damage_stays_on_its_own_disk)
{
    struct rj_store *s = store_of_seven(), *clone;
    uint8_t first[5] = {0}, none[5] = {0xff};
    struct rj_bytes key, value;
    struct rj_view *v;

    assert_ok(rj_store_memory_clone(s, &clone));
    assert_ok(rj_store_memory_corrupt(s, RJ_BYTES_OF(first)));
    assert_err(RJ_ENOENT, rj_store_memory_corrupt(s, RJ_BYTES_OF(none)));
    assert_int_equal(count_batches(clone), 3);
    rj_store_memory_crash(s, RJ_STORE_MEMORY_LOSE_SOME, 3);
    assert_ok(s->ops->view_open(s, &v)); /* a crash heals nothing */
    assert_err(RJ_ECORRUPT,
               s->ops->seek(v, RJ_SEEK_GE, rj_bytes_of(first, 1), &key, &value));
    s->ops->view_close(v);
    s->ops->close(s);
    clone->ops->close(clone);
}

TEST(a_failed_sync_finishes_the_instance)
{
    struct rj_store *s = store_of_seven();
    uint8_t first[5] = {0};
    struct rj_bytes key, value;
    struct rj_view *v, *w;
    uint64_t room;

    assert_ok(s->ops->view_open(s, &v));
    rj_store_memory_fail_sync(s, 1);
    assert_ok(s->ops->sync(s)); /* the one that still works */
    assert_ok(write_batch(s, 7, false));
    assert_err(RJ_EIO, write_batch(s, 8, true));
    assert_err(RJ_EIO, write_batch(s, 9, false));
    assert_err(RJ_EIO, write_batch(s, 9, true));
    assert_err(RJ_EIO, s->ops->sync(s));
    assert_err(RJ_EIO, s->ops->view_open(s, &w));
    assert_err(RJ_EIO, s->ops->room(s, &room));
    assert_err(RJ_EIO, s->ops->seek(v, RJ_SEEK_EQ, RJ_BYTES_OF(first), &key, &value));
    s->ops->view_close(v);
    rj_store_memory_crash(s, RJ_STORE_MEMORY_LOSE_ALL, 0);
    assert_int_equal(count_batches(s), 7);
    assert_ok(write_batch(s, 7, true)); /* opened again, it works */
    rj_store_memory_fail_sync(s, 0);
    assert_err(RJ_EIO, s->ops->sync(s));
    rj_store_memory_crash(s, RJ_STORE_MEMORY_LOSE_NONE, 0);
    assert_int_equal(count_batches(s), 8);
    s->ops->close(s);
}

TEST(a_batch_whose_sync_failed_may_survive)
{
    struct rj_store *s = store_of_seven();

    rj_store_memory_fail_sync(s, 0);
    assert_err(RJ_EIO, write_batch(s, 7, true));
    rj_store_memory_crash(s, RJ_STORE_MEMORY_LOSE_NONE, 0);
    assert_int_equal(count_batches(s), 8);
    s->ops->close(s);
}

TEST(old_batches_become_durable_by_themselves)
{
    struct rj_store *s;
    uint32_t n = RJ_STORE_MEMORY_UNSYNCED_MAX + 10;

    assert_ok(rj_store_memory_open(&s));
    for (uint32_t i = 0; i < n; i++)
        assert_ok(write_batch(s, i, false));
    assert_int_equal(rj_store_memory_unsynced(s), RJ_STORE_MEMORY_UNSYNCED_MAX);
    rj_store_memory_crash(s, RJ_STORE_MEMORY_LOSE_ALL, 0);
    assert_int_equal(count_batches(s), 10);
    s->ops->close(s);
}

TEST(room_follows_the_content)
{
    struct rj_store *s = store_of_seven();
    struct rj_writes w = {0};
    uint64_t room;

    assert_ok(s->ops->room(s, &room));
    assert_true(room == UINT64_MAX);
    rj_store_memory_set_room(s, 20); /* a batch has 18 bytes */
    assert_ok(write_batch(s, 7, true));
    assert_ok(s->ops->room(s, &room));
    assert_int_equal(room, 2);
    assert_err(RJ_EFULL, write_batch(s, 8, true));
    assert_int_equal(count_batches(s), 8);
    rj_store_memory_set_room(s, 0);
    rj_writes_delete_range(&w, RJ_BYTES_LIT("\0\0\0\7\0"), RJ_BYTES_LIT("\0\0\0\7\1"));
    assert_ok(s->ops->write(s, &w, true));
    assert_ok(s->ops->room(s, &room));
    assert_int_equal(room, 9);
    rj_store_memory_set_room(s, UINT64_MAX);
    assert_ok(s->ops->room(s, &room));
    assert_true(room == UINT64_MAX);
    rj_writes_done(&w);
    s->ops->close(NULL);
    s->ops->close(s);
}

static enum rj_err copy_and_damage(void *ctx)
{
    struct rj_store *s = ctx, *clone = NULL;
    uint8_t first[5] = {0};
    enum rj_err err = rj_store_memory_clone(s, &clone);

    if (err == RJ_OK)
        err = rj_store_memory_corrupt(clone, RJ_BYTES_OF(first));
    if (clone != NULL)
        clone->ops->close(clone);
    return err;
}

TEST(copies_bear_want_of_memory)
{
    struct rj_store *s = store_of_seven();

    rj_test_with_failing_alloc(copy_and_damage, s);
    assert_int_equal(count_batches(s), 7);
    s->ops->close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_can_lose_all_that_was_not_synced),
        cmocka_unit_test(a_crash_can_lose_nothing),
        cmocka_unit_test(a_crash_can_lose_any_number_of_the_last_batches),
        cmocka_unit_test(a_crash_with_one_seed_is_always_the_same),
        cmocka_unit_test(a_view_outlives_a_crash),
        cmocka_unit_test(a_clone_has_what_is_durable_and_goes_its_own_way),
        cmocka_unit_test(damage_stays_on_its_own_disk),
        cmocka_unit_test(a_failed_sync_finishes_the_instance),
        cmocka_unit_test(a_batch_whose_sync_failed_may_survive),
        cmocka_unit_test(old_batches_become_durable_by_themselves),
        cmocka_unit_test(room_follows_the_content),
        cmocka_unit_test(copies_bear_want_of_memory),
    };

    return rj_store_suite_run(&maker) + cmocka_run_group_tests(tests, NULL, NULL);
}
