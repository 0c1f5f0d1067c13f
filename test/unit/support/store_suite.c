/* SPDX-License-Identifier: Apache-2.0 */
#include "support/store_suite.h"

#include "base/be.h"
#include "base/buf.h"
#include "support/store_model.h"
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

struct fixture {
    const struct rj_store_maker *maker;
    void *ctx;
    struct rj_store *s;
    struct rj_writes w;
};

#define SUITE_TEST(name) static void name(void **state)

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->maker = *state;
    f->ctx = f->maker->setup();
    f->s = f->maker->open(f->ctx);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    f->s->ops->close(f->s);
    f->maker->teardown(f->ctx);
    rj_writes_done(&f->w);
    free(f);
    return 0;
}

/* ---- saying it shortly */

static struct rj_bytes str(const char *s)
{
    return rj_bytes_from_str(s);
}

static void put(struct fixture *f, const char *key, const char *value)
{
    rj_writes_put(&f->w, str(key), str(value));
}

/* Writes what was collected and empties the batch. */
static enum rj_err write_out(struct fixture *f, bool durable)
{
    enum rj_err err = f->s->ops->write(f->s, &f->w, durable);

    rj_writes_clear(&f->w);
    return err;
}

static struct rj_view *open_view(struct fixture *f)
{
    struct rj_view *v = NULL;

    assert_ok(f->s->ops->view_open(f->s, &v));
    assert_non_null(v);
    return v;
}

/* The answer of a seek must be that key with that value; NULL: none. */
static void expect(struct fixture *f, struct rj_view *v, enum rj_seek how,
                   const char *key, const char *found, const char *value)
{
    struct rj_bytes got_key, got_value;
    enum rj_err err = f->s->ops->seek(v, how, str(key), &got_key, &got_value);

    assert_err(found != NULL ? RJ_OK : RJ_ENOENT, err);
    if (found == NULL)
        return;
    assert_bytes_equal(got_key, str(found));
    assert_bytes_equal(got_value, str(value));
}

/* The same in a view of now. */
static void expect_now(struct fixture *f, const char *key, const char *value)
{
    struct rj_view *v = open_view(f);

    expect(f, v, RJ_SEEK_EQ, key, value != NULL ? key : NULL, value);
    f->s->ops->view_close(v);
}

/* ---- tests */

SUITE_TEST(an_empty_store_has_nothing)
{
    struct fixture *f = *state;
    struct rj_view *v = open_view(f);

    expect(f, v, RJ_SEEK_EQ, "a", NULL, NULL);
    expect(f, v, RJ_SEEK_GE, "", NULL, NULL);
    expect(f, v, RJ_SEEK_GT, "", NULL, NULL);
    expect(f, v, RJ_SEEK_LT, "", NULL, NULL);
    expect(f, v, RJ_SEEK_LT, "zzz", NULL, NULL);
    f->s->ops->view_close(v);
    f->s->ops->view_close(NULL);
}

SUITE_TEST(seeks_find_the_neighbours)
{
    struct fixture *f = *state;
    struct rj_view *v;

    put(f, "b", "1");
    put(f, "d", "2");
    put(f, "bb", "3");
    assert_ok(write_out(f, true));
    v = open_view(f);
    expect(f, v, RJ_SEEK_EQ, "b", "b", "1");
    expect(f, v, RJ_SEEK_EQ, "c", NULL, NULL);
    expect(f, v, RJ_SEEK_EQ, "", NULL, NULL);
    expect(f, v, RJ_SEEK_GE, "", "b", "1");
    expect(f, v, RJ_SEEK_GE, "b", "b", "1");
    expect(f, v, RJ_SEEK_GE, "ba", "bb", "3");
    expect(f, v, RJ_SEEK_GE, "e", NULL, NULL);
    expect(f, v, RJ_SEEK_GT, "b", "bb", "3");
    expect(f, v, RJ_SEEK_GT, "bb", "d", "2");
    expect(f, v, RJ_SEEK_GT, "d", NULL, NULL);
    expect(f, v, RJ_SEEK_LT, "b", NULL, NULL);
    expect(f, v, RJ_SEEK_LT, "c", "bb", "3");
    expect(f, v, RJ_SEEK_LT, "", "d", "2");
    expect(f, v, RJ_SEEK_LT, "d", "bb", "3");
    f->s->ops->view_close(v);
}

SUITE_TEST(keys_are_ordered_as_unsigned_bytes_shorter_first)
{
    static const struct {
        size_t len;
        uint8_t b[3];
    } keys[] = {{1, {0x00}},
                {2, {0x00, 0x00}},
                {3, {0x00, 0x00, 0x01}},
                {2, {0x00, 0xff}},
                {1, {0x01}},
                {1, {0x7f}},
                {1, {0x80}},
                {2, {0x80, 0x00}},
                {1, {0xff}},
                {2, {0xff, 0x00}},
                {3, {0xff, 0xff, 0xff}}};
    enum { N = sizeof(keys) / sizeof(keys[0]) };
    struct fixture *f = *state;
    struct rj_bytes key = {0}, value;
    struct rj_view *v;

    for (size_t i = N; i-- > 0;)
        rj_writes_put(&f->w, rj_bytes_of(keys[i].b, keys[i].len),
                      rj_bytes_of(&keys[i].len, sizeof(keys[i].len)));
    assert_ok(write_out(f, true));
    v = open_view(f);
    for (size_t i = 0; i < N; i++) {
        assert_ok(f->s->ops->seek(v, RJ_SEEK_GT, key, &key, &value));
        assert_bytes_equal(key, rj_bytes_of(keys[i].b, keys[i].len));
    }
    assert_err(RJ_ENOENT, f->s->ops->seek(v, RJ_SEEK_GT, key, &key, &value));
    for (size_t i = N; i-- > 0;) {
        struct rj_bytes from = i + 1 < N ? rj_bytes_of(keys[i + 1].b, keys[i + 1].len)
                                         : (struct rj_bytes){0};

        assert_ok(f->s->ops->seek(v, RJ_SEEK_LT, from, &key, &value));
        assert_bytes_equal(key, rj_bytes_of(keys[i].b, keys[i].len));
    }
    f->s->ops->view_close(v);
}

SUITE_TEST(later_entries_of_a_batch_win)
{
    struct fixture *f = *state;

    put(f, "a", "1");
    put(f, "b", "old");
    rj_writes_delete(&f->w, str("a"));
    put(f, "b", "new");
    put(f, "c", "gone");
    rj_writes_delete_range(&f->w, str("c"), str("d"));
    put(f, "cc", "kept");
    rj_writes_delete(&f->w, str("e"));
    put(f, "e", "kept");
    put(f, "b", "newest");
    assert_ok(write_out(f, true));
    expect_now(f, "a", NULL);
    expect_now(f, "b", "newest");
    expect_now(f, "c", NULL);
    expect_now(f, "cc", "kept");
    expect_now(f, "e", "kept");
}

SUITE_TEST(range_deletes_take_the_first_and_leave_the_end)
{
    struct fixture *f = *state;

    for (const char *k = "abcdefg"; *k != '\0'; k++)
        rj_writes_put(&f->w, rj_bytes_of(k, 1), str("x"));
    assert_ok(write_out(f, true));
    rj_writes_delete_range(&f->w, str("b"), str("d"));
    rj_writes_delete_range(&f->w, str("f"), str("f"));
    rj_writes_delete_range(&f->w, str("g"), str("e")); /* empty: ends before it begins */
    rj_writes_delete_range(&f->w, str("x"), str("z"));
    assert_ok(write_out(f, true));
    expect_now(f, "a", "x");
    expect_now(f, "b", NULL);
    expect_now(f, "c", NULL);
    expect_now(f, "d", "x");
    expect_now(f, "e", "x");
    expect_now(f, "f", "x");
    expect_now(f, "g", "x");
    rj_writes_delete_range(&f->w, str(""), str("zz"));
    assert_ok(write_out(f, true));
    an_empty_store_has_nothing(state);
}

SUITE_TEST(a_view_does_not_see_later_writes)
{
    struct fixture *f = *state;
    struct rj_view *before, *between;

    put(f, "a", "1");
    put(f, "b", "1");
    assert_ok(write_out(f, true));
    before = open_view(f);
    put(f, "a", "2");
    put(f, "c", "2");
    rj_writes_delete(&f->w, str("b"));
    assert_ok(write_out(f, false));
    between = open_view(f);
    rj_writes_delete_range(&f->w, str("a"), str("z"));
    put(f, "d", "3");
    assert_ok(write_out(f, true));

    expect(f, before, RJ_SEEK_GE, "", "a", "1");
    expect(f, before, RJ_SEEK_GT, "a", "b", "1");
    expect(f, before, RJ_SEEK_GT, "b", NULL, NULL);
    expect(f, between, RJ_SEEK_GE, "", "a", "2");
    expect(f, between, RJ_SEEK_GT, "a", "c", "2");
    expect(f, between, RJ_SEEK_LT, "", "c", "2");
    expect_now(f, "a", NULL);
    expect_now(f, "d", "3");
    f->s->ops->view_close(before);
    f->s->ops->view_close(between);
}

SUITE_TEST(empty_values_are_values)
{
    struct fixture *f = *state;

    put(f, "a", "");
    put(f, "b", "x");
    assert_ok(write_out(f, true));
    expect_now(f, "a", "");
    put(f, "b", "");
    put(f, "a", "filled");
    assert_ok(write_out(f, true));
    expect_now(f, "b", "");
    expect_now(f, "a", "filled");
}

SUITE_TEST(an_empty_batch_changes_nothing)
{
    struct fixture *f = *state;

    assert_ok(write_out(f, false));
    assert_ok(write_out(f, true));
    assert_ok(f->s->ops->sync(f->s));
    an_empty_store_has_nothing(state);
}

SUITE_TEST(a_bad_batch_changes_nothing)
{
    struct fixture *f = *state;
    uint8_t *big = calloc(1, RJ_STORE_KEY_MAX + 1);

    assert_non_null(big);
    put(f, "a", "1");
    assert_ok(write_out(f, true));
    put(f, "a", "2");
    rj_writes_put(&f->w, (struct rj_bytes){0}, str("no key"));
    put(f, "b", "2");
    assert_err(RJ_EINVAL, write_out(f, true));
    put(f, "a", "2");
    rj_writes_put(&f->w, rj_bytes_of(big, RJ_STORE_KEY_MAX + 1), str("x"));
    assert_err(RJ_ELIMIT, write_out(f, true));
    f->w.failed = true;
    assert_err(RJ_ENOMEM, write_out(f, true));
    expect_now(f, "a", "1");
    expect_now(f, "b", NULL);
    free(big);
}

SUITE_TEST(keys_may_have_a_mebibyte)
{
    struct fixture *f = *state;
    uint8_t *a = malloc(RJ_STORE_KEY_MAX), *b = malloc(RJ_STORE_KEY_MAX + 2);
    size_t len = RJ_STORE_KEY_MAX;
    struct rj_bytes key, value;
    struct rj_view *v;

    assert_non_null(a);
    assert_non_null(b);
    memset(a, 'k', len);
    memset(b, 'k', len + 2);
    b[len - 1] = 'l'; /* they differ in their last byte only */
    rj_writes_put(&f->w, rj_bytes_of(b, len), str("second"));
    assert_ok(write_out(f, true));
    rj_writes_put(&f->w, rj_bytes_of(a, len), str("first"));
    rj_writes_put(&f->w, rj_bytes_of(a, len - 1), str("prefix"));
    assert_ok(write_out(f, true));
    v = open_view(f);
    assert_ok(f->s->ops->seek(v, RJ_SEEK_GE, str(""), &key, &value));
    assert_bytes_equal(value, str("prefix"));
    assert_ok(f->s->ops->seek(v, RJ_SEEK_GT, rj_bytes_of(a, len - 1), &key, &value));
    assert_bytes_equal(value, str("first"));
    assert_bytes_equal(key, rj_bytes_of(a, len));
    assert_ok(f->s->ops->seek(v, RJ_SEEK_GT, rj_bytes_of(a, len), &key, &value));
    assert_bytes_equal(value, str("second"));
    assert_ok(f->s->ops->seek(v, RJ_SEEK_LT, str(""), &key, &value));
    assert_bytes_equal(key, rj_bytes_of(b, len));
    assert_ok(f->s->ops->seek(v, RJ_SEEK_LT, rj_bytes_of(b, len), &key, &value));
    assert_bytes_equal(value, str("first"));
    /* A wanted key may be longer than any stored one. */
    assert_ok(f->s->ops->seek(v, RJ_SEEK_LT, rj_bytes_of(b, len + 2), &key, &value));
    assert_bytes_equal(value, str("second"));
    assert_err(RJ_ENOENT,
               f->s->ops->seek(v, RJ_SEEK_GE, rj_bytes_of(b, len + 2), &key, &value));
    assert_err(RJ_ENOENT,
               f->s->ops->seek(v, RJ_SEEK_EQ, rj_bytes_of(b, len + 2), &key, &value));
    f->s->ops->view_close(v);
    rj_writes_delete(&f->w, rj_bytes_of(a, len));
    rj_writes_delete_range(&f->w, rj_bytes_of(b, len), rj_bytes_of(b, len + 2));
    rj_writes_delete(&f->w, rj_bytes_of(a, len - 1));
    assert_ok(write_out(f, true));
    an_empty_store_has_nothing(state);
    free(a);
    free(b);
}

SUITE_TEST(values_may_have_many_mebibytes)
{
    enum { SIZES = 5 };
    static const size_t sizes[SIZES] = {100, 4096, 70000, 1 << 20, 24 << 20};
    struct fixture *f = *state;
    struct rj_prng p;
    uint8_t *big = malloc(sizes[SIZES - 1]);

    assert_non_null(big);
    rj_prng_init(&p, 5);
    rj_prng_bytes(&p, big, sizes[SIZES - 1]);
    for (size_t i = 0; i < SIZES; i++) {
        struct rj_bytes key, value;
        struct rj_view *v;

        rj_writes_put(&f->w, str("big"), rj_bytes_of(big, sizes[i]));
        put(f, "small", "s");
        assert_ok(write_out(f, true));
        v = open_view(f);
        assert_ok(f->s->ops->seek(v, RJ_SEEK_EQ, str("big"), &key, &value));
        assert_bytes_equal(value, rj_bytes_of(big, sizes[i]));
        f->s->ops->view_close(v);
    }
    free(big);
}

SUITE_TEST(what_is_durable_is_there_after_a_crash)
{
    struct fixture *f = *state;

    put(f, "a", "durable");
    assert_ok(write_out(f, true));
    put(f, "b", "synced");
    assert_ok(write_out(f, false));
    put(f, "c", "synced");
    assert_ok(write_out(f, false));
    assert_ok(f->s->ops->sync(f->s));
    f->s = f->maker->restart(f->ctx, f->s);
    expect_now(f, "a", "durable");
    expect_now(f, "b", "synced");
    expect_now(f, "c", "synced");
    put(f, "d", "under");
    assert_ok(write_out(f, false));
    put(f, "e", "over");
    assert_ok(write_out(f, true)); /* covers the one before */
    f->s = f->maker->restart(f->ctx, f->s);
    expect_now(f, "d", "under");
    expect_now(f, "e", "over");
}

SUITE_TEST(a_damaged_value_is_refused_until_it_is_replaced)
{
    struct fixture *f = *state;
    struct rj_bytes key = str("untouched"), value = str("untouched");
    struct rj_view *v;

    put(f, "a", "good");
    put(f, "b", "this value will be damaged");
    put(f, "c", "good");
    assert_ok(write_out(f, true));
    f->s = f->maker->damage(f->ctx, f->s, "b", "this value will be damaged");
    v = open_view(f);
    f->s->why[0] = '\0';
    assert_err(RJ_ECORRUPT, f->s->ops->seek(v, RJ_SEEK_EQ, str("b"), &key, &value));
    assert_err(RJ_ECORRUPT, f->s->ops->seek(v, RJ_SEEK_GT, str("a"), &key, &value));
    assert_err(RJ_ECORRUPT, f->s->ops->seek(v, RJ_SEEK_LT, str("c"), &key, &value));
    assert_bytes_equal(key, str("untouched"));
    assert_bytes_equal(value, str("untouched"));
    assert_true(f->s->why[0] != '\0');
    expect(f, v, RJ_SEEK_EQ, "a", "a", "good");
    expect(f, v, RJ_SEEK_EQ, "c", "c", "good");
    f->s->ops->view_close(v);
    put(f, "b", "again");
    assert_ok(write_out(f, true));
    expect_now(f, "b", "again");
}

SUITE_TEST(a_full_store_refuses_puts_and_takes_deletes)
{
    enum { VALUE = 1000, TRIES = 100000 };
    struct fixture *f = *state;
    static uint8_t value[VALUE];
    uint64_t room = 0;
    uint32_t n = 0;
    enum rj_err err = RJ_OK;
    uint8_t key[4];

    f->s = f->maker->make_small(f->ctx, f->s);
    assert_ok(f->s->ops->room(f->s, &room));
    assert_in_range(room, 1, 64 << 20);
    for (; err == RJ_OK && n < TRIES; n++) {
        rj_be_store32(key, n);
        rj_writes_put(&f->w, RJ_BYTES_OF(key), rj_bytes_of(value, sizeof(value)));
        err = write_out(f, n % 16 == 0);
    }
    assert_err(RJ_EFULL, err);
    assert_true((uint64_t)n * (VALUE + sizeof(key)) >= room); /* it was a low estimate */
    expect_now(f, "more", NULL);
    assert_ok(f->s->ops->room(f->s, &room));
    assert_in_range(room, 0, 64 * 1024);
    /* Still usable: reads, small deletes, then puts again. */
    for (uint32_t i = 0; i < n; i++) {
        rj_be_store32(key, i);
        rj_writes_delete(&f->w, RJ_BYTES_OF(key));
        if (i % 16 == 0)
            assert_ok(write_out(f, true));
    }
    assert_ok(write_out(f, true));
    an_empty_store_has_nothing(state);
    for (int i = 0; i < 4; i++) {
        put(f, "more", "again");
        assert_ok(write_out(f, true));
    }
    expect_now(f, "more", "again");
    assert_ok(f->s->ops->room(f->s, &room));
    assert_true(room > 64 * 1024);
}

/* ---- against the model */

static void run_random(struct fixture *f, uint64_t seed, size_t rounds)
{
    struct rj_model now = {0}, then = {0};
    struct rj_view *old = NULL, *v;
    void *self = f;
    struct rj_prng p;

    print_message("seed %llu\n", (unsigned long long)seed);
    rj_prng_init(&p, seed);
    for (size_t i = 0; i < rounds; i++) {
        rj_model_random_batch(&p, &f->w);
        rj_model_apply(&now, &f->w);
        assert_ok(write_out(f, rj_prng_chance(&p, 1, 4)));
        v = open_view(f);
        rj_model_check_seeks(&now, f->s, v, &p, 12);
        if (rj_prng_chance(&p, 1, 8))
            rj_model_check_walks(&now, f->s, v);
        if (old == NULL && rj_prng_chance(&p, 1, 8)) {
            rj_model_copy(&then, &now);
            old = v;
            v = NULL;
        }
        f->s->ops->view_close(v);
        if (old != NULL && rj_prng_chance(&p, 1, 8)) {
            rj_model_check_walks(&then, f->s, old);
            rj_model_check_seeks(&then, f->s, old, &p, 12);
            f->s->ops->view_close(old);
            old = NULL;
            rj_model_done(&then);
        }
        if (old == NULL && rj_prng_chance(&p, 1, 40)) {
            assert_ok(f->s->ops->sync(f->s));
            f->s = f->maker->restart(f->ctx, f->s);
        }
    }
    f->s->ops->view_close(old);
    rj_model_done(&then);
    rj_writes_delete_range(&f->w, str(""), str("\xff\xff\xff\xff\xff"));
    assert_ok(write_out(f, true));
    an_empty_store_has_nothing(&self);
    rj_model_done(&now);
}

SUITE_TEST(random_work_ends_like_the_model)
{
    enum { ROUNDS = 250 };
    struct fixture *f = *state;
    const char *seed = getenv("RJ_TEST_SEED");

    if (seed != NULL)
        run_random(f, strtoull(seed, NULL, 10), ROUNDS);
    for (uint64_t i = 1; seed == NULL && i <= 4; i++)
        run_random(f, i, ROUNDS);
}

/* ---- two threads */

/* At least so many batches and views; the greatest number of batches is a guard. */
enum {
    SHARED_KEYS = 50,
    SHARED_BATCHES = 120,
    SHARED_VIEWS = 20,
    SHARED_BATCHES_MAX = 1000000
};

struct shared {
    struct fixture *f;
    atomic_bool stop;
    atomic_ulong views; /* that were opened, read and closed */
    uint64_t wrong;
};

/* Every batch sets all keys to one number; a view must never see two. */
static void *read_along(void *arg)
{
    struct shared *s = arg;
    struct rj_store *store = s->f->s;

    while (!atomic_load(&s->stop)) {
        struct rj_bytes key = {0}, value, first = {0};
        struct rj_view *v;

        if (store->ops->view_open(store, &v) != RJ_OK) {
            s->wrong++;
            continue;
        }
        for (size_t i = 0; store->ops->seek(v, RJ_SEEK_GT, key, &key, &value) == RJ_OK;
             i++) {
            if (i == 0)
                first = value;
            s->wrong += !rj_bytes_equal(first, value);
        }
        store->ops->view_close(v);
        atomic_fetch_add(&s->views, 1);
    }
    return NULL;
}

SUITE_TEST(views_of_another_thread_see_whole_batches)
{
    struct fixture *f = *state;
    struct shared s = {.f = f};
    pthread_t reader;

    assert_int_equal(pthread_create(&reader, NULL, read_along, &s), 0);
    for (uint32_t n = 0; n < SHARED_BATCHES_MAX &&
                         (n < SHARED_BATCHES || atomic_load(&s.views) < SHARED_VIEWS);
         n++) {
        uint8_t key[4], value[4];

        for (uint32_t k = 0; k < SHARED_KEYS; k++) {
            rj_be_store32(key, k);
            rj_be_store32(value, n);
            rj_writes_put(&f->w, RJ_BYTES_OF(key), RJ_BYTES_OF(value));
        }
        assert_ok(write_out(f, n % 8 == 0));
    }
    atomic_store(&s.stop, true);
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(s.wrong, 0);
    assert_true(atomic_load(&s.views) >= SHARED_VIEWS);
}

/* ---- memory that runs out */

static enum rj_err work(void *arg)
{
    struct fixture *f = arg;
    struct rj_view *v = NULL;
    struct rj_bytes key, value;
    uint8_t a[1100], b[1100];
    enum rj_err err;

    memset(a, 'a', sizeof(a));
    memset(b, 'a', sizeof(b));
    b[sizeof(b) - 1] = 'b';
    rj_writes_delete_range(&f->w, str(""), str("z"));
    put(f, "k", "1");
    put(f, "j", "1");
    rj_writes_put(&f->w, RJ_BYTES_OF(a), str("2"));
    rj_writes_put(&f->w, RJ_BYTES_OF(b), str("3"));
    rj_writes_delete(&f->w, str("j"));
    err = write_out(f, true);
    if (err == RJ_OK)
        err = f->s->ops->view_open(f->s, &v);
    if (err == RJ_OK)
        err = f->s->ops->seek(v, RJ_SEEK_EQ, RJ_BYTES_OF(b), &key, &value);
    if (err == RJ_OK)
        assert_bytes_equal(value, str("3"));
    f->s->ops->view_close(v);
    rj_writes_done(&f->w);
    return err;
}

SUITE_TEST(want_of_memory_changes_nothing_and_leaks_nothing)
{
    struct fixture *f = *state;

    assert_ok(work(f)); /* what it keeps between batches is there already */
    rj_test_with_failing_alloc(work, f);
    expect_now(f, "k", "1");
}

int rj_store_suite_run(const struct rj_store_maker *maker)
{
#define T(test)                                                                          \
    {                                                                                    \
#test, test, set_up, tear_down, NULL                                             \
    }
    struct CMUnitTest tests[] = {
        T(an_empty_store_has_nothing),
        T(seeks_find_the_neighbours),
        T(keys_are_ordered_as_unsigned_bytes_shorter_first),
        T(later_entries_of_a_batch_win),
        T(range_deletes_take_the_first_and_leave_the_end),
        T(a_view_does_not_see_later_writes),
        T(empty_values_are_values),
        T(an_empty_batch_changes_nothing),
        T(a_bad_batch_changes_nothing),
        T(keys_may_have_a_mebibyte),
        T(values_may_have_many_mebibytes),
        T(what_is_durable_is_there_after_a_crash),
        T(a_damaged_value_is_refused_until_it_is_replaced),
        T(a_full_store_refuses_puts_and_takes_deletes),
        T(random_work_ends_like_the_model),
        T(views_of_another_thread_see_whole_batches),
        T(want_of_memory_changes_nothing_and_leaks_nothing),
    };
#undef T
    size_t n = sizeof(tests) / sizeof(tests[0]);

    for (size_t i = 0; i < n; i++)
        tests[i].initial_state = (void *)(uintptr_t)maker;
    return _cmocka_run_group_tests(maker->name, tests, n, NULL, NULL);
}
