/* SPDX-License-Identifier: Apache-2.0 */
/* The store of rows against a plain list, with forks that go their own ways; and what it
 * costs, counted by an allocator. */
#include "base/prng.h"
#include "crdt/rows.h"
#include "support/counting.h"
#include "support/test.h"

#include <rejoin/crdt.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 3000, FORKS = 3, STEPS = 12000, PLACE_MAX = 6000, ORIGINS = 3 };

/* ---- the model */

struct fact {
    struct rj_dot dot;
    unsigned place;
};

struct side {
    struct rj_rows rows;
    struct fact facts[ROWS];
    size_t n;
};

static struct rj_hash_key key;

/* Few places are long, many begin alike. */
static struct rj_bytes place_of(unsigned number, uint8_t room[PLACE_MAX])
{
    static const size_t lens[16] = {0, 254, 255, 256, 300, 600, 1500, 4080, 4096, 5000};
    size_t len = number < 16 ? lens[number] : 4 + number % 23;

    memset(room, 'p', len);
    if (len >= 4)
        (void)snprintf((char *)room + len - 4, 5, "%04x", number & 0xffff);
    return rj_bytes_of(room, len);
}

static struct rj_bytes payload_of(const struct fact *f, uint8_t room[PLACE_MAX])
{
    size_t len = f->dot.seq % 7 == 0 ? 300 : f->dot.seq % 5;

    memset(room, (int)(f->dot.seq & 0xff), len);
    return rj_bytes_of(room, len);
}

static bool same_dot(struct rj_dot a, struct rj_dot b)
{
    return a.seq == b.seq && a.origin == b.origin;
}

static bool has(const struct side *s, struct rj_dot dot)
{
    size_t i = 0;

    while (i < s->n && !same_dot(s->facts[i].dot, dot))
        i++;
    return i < s->n;
}

static void put_one(struct rj_prng *p, struct side *s)
{
    static const uint64_t spread[] = {300, 5000, UINT64_MAX / 4};
    uint8_t place[PLACE_MAX], payload[PLACE_MAX];
    struct fact *f = &s->facts[s->n];
    struct rj_told told;

    f->dot.origin = (uint32_t)rj_prng_below(p, ORIGINS);
    f->dot.seq = 1 + rj_prng_below(p, spread[f->dot.origin]);
    f->place = (unsigned)rj_prng_below(p, rj_prng_chance(p, 1, 8) ? 20 : 4000);
    if (s->n == ROWS || has(s, f->dot))
        return;
    told = (struct rj_told){f->dot, place_of(f->place, place), payload_of(f, payload), 0};
    if (rj_prng_chance(p, 1, 2))
        told.hash = rj_rows_expect(&s->rows, told.place);
    assert_ok(rj_rows_put(&s->rows, &told, NULL));
    s->n++;
}

static void drop_one(struct rj_prng *p, struct side *s)
{
    size_t i = s->n > 0 ? rj_prng_below(p, s->n) : 0;

    if (s->n == 0)
        return;
    assert_ok(rj_rows_own(&s->rows, s->facts[i].dot));
    rj_rows_drop(&s->rows, rj_rows_find(&s->rows, s->facts[i].dot));
    s->facts[i] = s->facts[--s->n];
}

/* ---- checking */

static void check_row(const struct side *s, const struct fact *f)
{
    uint8_t place[PLACE_MAX], payload[PLACE_MAX];
    const struct rj_row *row = rj_rows_find(&s->rows, f->dot);
    const struct rj_row *at = rj_rows_place(&s->rows, place_of(f->place, place));
    struct rj_bytes name = place_of(f->place, place);

    assert_non_null(row);
    assert_bytes_equal(rj_row_place(row), name);
    assert_bytes_equal(rj_row_payload(row), payload_of(f, payload));
    assert_ptr_equal(at, rj_rows_at(&s->rows, rj_bytes_first(name, name.len / 2),
                                    rj_bytes_skip(name, name.len / 2)));
    while (at != NULL && at != row)
        at = rj_row_next(&s->rows, at);
    assert_ptr_equal(at, row);
}

static void check_by_dot(const struct side *s)
{
    const struct rj_row *row = rj_rows_from(&s->rows, (struct rj_dot){0});
    struct rj_dots dots = {0};
    struct rj_dot last = {0};
    size_t n = 0;

    assert_ok(rj_rows_dots(&s->rows, &dots));
    for (; row != NULL; row = rj_rows_after(&s->rows, row), n++) {
        struct rj_dot dot = rj_row_dot(row);

        assert_true(n == 0 || dot.origin > last.origin ||
                    (dot.origin == last.origin && dot.seq > last.seq));
        assert_true(rj_dots_has(&dots, dot));
        last = dot;
    }
    assert_int_equal(n, s->n);
    assert_int_equal(rj_dots_count(&dots), s->n);
    rj_dots_done(&dots);
}

static void check_places(const struct side *s, struct rj_bytes prefix, bool all)
{
    const struct rj_row *first = rj_rows_under(&s->rows, prefix), *row, *last = NULL;
    size_t n = 0, places = 0;

    for (; first != NULL; first = rj_place_next(&s->rows, first, prefix)) {
        if (last != NULL && s->rows.ordered)
            assert_true(rj_bytes_compare(rj_row_place(last), rj_row_place(first)) < 0);
        if (last != NULL && s->rows.ordered)
            assert_ptr_equal(rj_place_prev(&s->rows, first, prefix), last);
        for (row = first; row != NULL; row = rj_row_next(&s->rows, row))
            n++;
        places++;
        last = first;
    }
    if (!all)
        return;
    assert_int_equal(n, s->n);
    assert_int_equal(places, rj_rows_places(&s->rows));
}

static void check(const struct side *s)
{
    const struct rj_bytes all = {0};
    size_t i;

    assert_int_equal(rj_rows_count(&s->rows), s->n);
    for (i = 0; i < s->n; i++)
        check_row(s, &s->facts[i]);
    check_by_dot(s);
    check_places(s, all, true);
    check_places(s, RJ_BYTES_LIT("pppp"), false);
}

static void fork_one(struct side *to, const struct side *from)
{
    bool ordered = from->rows.ordered;

    rj_rows_done(&to->rows);
    rj_rows_init(&to->rows, &counting, &key, ordered);
    assert_ok(rj_rows_fork(&to->rows, &from->rows));
    memcpy(to->facts, from->facts, sizeof(to->facts));
    to->n = from->n;
}

static void play(uint64_t seed, bool ordered)
{
    static struct side sides[FORKS];
    struct rj_prng p;
    size_t i;

    rj_prng_init(&p, seed);
    for (i = 0; i < FORKS; i++) {
        rj_rows_init(&sides[i].rows, &counting, &key, ordered);
        sides[i].n = 0;
    }
    for (i = 0; i < STEPS; i++) {
        struct side *s = &sides[rj_prng_below(&p, FORKS)];

        if (rj_prng_chance(&p, i / 1000 % 3 == 2 ? 7 : 3, 10))
            drop_one(&p, s);
        else
            put_one(&p, s);
        if (rj_prng_chance(&p, 1, 500))
            assert_ok(rj_rows_sort(&s->rows));
        if (rj_prng_chance(&p, 1, 1000))
            rj_rows_settle(&s->rows);
        if (rj_prng_chance(&p, 1, 600)) {
            struct side *other = &sides[rj_prng_below(&p, FORKS)];

            if (other != s)
                fork_one(other, s);
        }
        if (i % (STEPS / 8) == 0)
            check(s);
    }
    for (i = 0; i < FORKS; i++) {
        check(&sides[i]);
        rj_rows_done(&sides[i].rows);
    }
    assert_int_equal(in_use, 0);
}

TEST(rows_are_found_by_dot_and_by_place_and_forks_keep_apart)
{
    rj_hash_key_init(&key, RJ_BYTES_LIT("a secret"));
    play(1, false);
    play(2, true);
}

/* Half of a store is dropped at once, of one place too. */
TEST(many_rows_are_dropped_together)
{
    static struct side s;
    uint8_t place[PLACE_MAX];
    uint32_t refs[ROWS];
    size_t i;

    rj_hash_key_init(&key, RJ_BYTES_LIT("a secret"));
    rj_rows_init(&s.rows, &counting, &key, true);
    for (i = 0; i < ROWS; i++) {
        struct fact *f = &s.facts[s.n++];
        struct rj_told told = {.dot = {i + 1, 0}};

        f->dot = told.dot;
        f->place = i < ROWS / 2 ? 17 : (unsigned)i;
        told.place = place_of(f->place, place);
        assert_ok(rj_rows_put(&s.rows, &told, &refs[i]));
    }
    for (i = 0; i < ROWS / 2; i++)
        refs[i] = rj_rows_ref(&s.rows, (struct rj_dot){2 * i + 1, 0});
    rj_rows_drop_all(&s.rows, refs, ROWS / 2);
    assert_int_equal(rj_rows_count(&s.rows), ROWS / 2);
    for (i = 0; i < ROWS; i++)
        assert_true((rj_rows_find(&s.rows, (struct rj_dot){i + 1, 0}) != NULL) ==
                    (i % 2 == 1));
    s.n = 0;
    check_places(&s, (struct rj_bytes){0}, false);
    assert_int_equal(rj_rows_places(&s.rows), ROWS / 4 + 1);
    rj_rows_done(&s.rows);
    assert_int_equal(in_use, 0);
}

/* ---- values */

static struct rj_crdt *new_set(const char *name)
{
    struct rj_crdt_opts opts = {
        .size = sizeof(opts), .type = RJ_CRDT_ORSET, .allocator = &counting};
    struct rj_crdt *v = NULL;

    opts.replica = rj_bytes_from_str(name);
    assert_ok(rj_crdt_new(&opts, &v));
    return v;
}

static void add_many(struct rj_crdt *v, uint64_t from, uint64_t n)
{
    uint8_t element[12] = "element";
    uint64_t i;

    for (i = from; i < from + n; i++) {
        memcpy(element + 4, &i, sizeof(i));
        assert_ok(rj_crdt_add(v, RJ_BYTES_OF(element), NULL));
    }
}

static void assert_bytes_of(const struct rj_crdt *v, const struct rj_crdt_buf *bytes)
{
    struct rj_crdt_buf now = {0};

    assert_ok(rj_crdt_encode(v, &now));
    assert_bytes_equal(rj_crdt_bytes(&now), rj_crdt_bytes(bytes));
    rj_crdt_buf_free(&now);
}

TEST(an_element_costs_few_bytes_beside_its_key)
{
    enum { N = 60000 };
    struct rj_crdt *v = new_set("a");
    struct rj_crdt_buf bytes = {0};

    add_many(v, 0, N);
    assert_true(in_use < (size_t)N * (32 + 12));
    assert_ok(rj_crdt_encode(v, &bytes));
    assert_true(bytes.len * 10 < (size_t)N * 123);
    rj_crdt_free(v);
    rj_crdt_buf_free(&bytes);
    assert_int_equal(in_use, 0);
}

TEST(what_came_and_went_leaves_nothing)
{
    struct rj_crdt *fresh = new_set("a"), *v;
    struct rj_crdt_buf bytes = {0};
    size_t memory;
    uint64_t i;

    add_many(fresh, 0, 1000);
    memory = in_use;
    assert_ok(rj_crdt_encode(fresh, &bytes));
    rj_crdt_free(fresh);
    v = new_set("a");
    add_many(v, 0, 1000);
    for (i = 0; i < 20000; i++) {
        add_many(v, 5000 + i, 1);
        assert_ok(rj_crdt_remove(v, RJ_BYTES_LIT("never there"), NULL));
        uint8_t element[12] = "element";
        uint64_t number = 5000 + i;

        memcpy(element + 4, &number, sizeof(number));
        assert_ok(rj_crdt_remove(v, RJ_BYTES_OF(element), NULL));
    }
    assert_true(in_use * 20 < memory * 21);
    memory = bytes.len;
    assert_ok(rj_crdt_encode(v, &bytes));
    assert_true(bytes.len * 20 < memory * 21);
    rj_crdt_free(v);
    rj_crdt_buf_free(&bytes);
    assert_int_equal(in_use, 0);
}

TEST(a_fork_shares_until_one_side_changes)
{
    enum { N = 50000 };
    struct rj_crdt *v = new_set("a"), *fork = NULL, *other = NULL;
    struct rj_crdt_buf before = {0}, after = {0}, delta = {0};
    size_t alone, shared;

    add_many(v, 0, N);
    alone = in_use;
    assert_ok(rj_crdt_encode(v, &before));
    assert_err(RJ_EEXIST, rj_crdt_fork(v, rj_bytes_from_str("a"), &fork));
    assert_ok(rj_crdt_fork(v, rj_bytes_from_str("b"), &fork));
    shared = in_use - alone;
    assert_true(shared < alone / 50);
    assert_true(rj_crdt_equal(v, fork));
    add_many(fork, N, 1); /* it copies what that is in */
    assert_true(in_use - alone - shared < 2 * 65536);
    assert_bytes_of(v, &before);
    add_many(fork, N / 2, 1000);
    assert_ok(rj_crdt_remove(fork, RJ_BYTES_LIT("never there"), NULL));
    assert_ok(rj_crdt_encode(fork, &after));
    add_many(v, 0, 1000); /* each takes the place of another row */
    assert_bytes_of(fork, &after);
    assert_ok(rj_crdt_fork(fork, rj_bytes_from_str(""), &other));
    assert_ok(rj_crdt_join(fork, v, NULL));
    assert_bytes_of(other, &after);
    assert_ok(rj_crdt_encode(v, &delta));
    assert_ok(rj_crdt_join_bytes(other, rj_crdt_bytes(&delta), NULL));
    assert_true(rj_crdt_equal(other, fork));
    rj_crdt_free(v);
    assert_ok(rj_crdt_encode(fork, &after));
    assert_bytes_of(other, &after);
    rj_crdt_free(fork);
    assert_bytes_of(other, &after);
    rj_crdt_free(other);
    rj_crdt_buf_free(&before);
    rj_crdt_buf_free(&after);
    rj_crdt_buf_free(&delta);
    assert_int_equal(in_use, 0);
}

TEST(a_difference_costs_little_more_than_its_keys)
{
    enum { N = 40000, SOME = 100 };
    struct rj_crdt *a = new_set("a"), *b = new_set("b");
    struct rj_crdt_buf digest = {0}, delta = {0};
    uint8_t element[12] = "element";
    uint64_t i, number;

    add_many(a, 0, N);
    assert_ok(rj_crdt_join(b, a, NULL));
    for (i = 0; i < SOME; i++) {
        number = i * 7919 % N;
        memcpy(element + 4, &number, sizeof(number));
        assert_ok(rj_crdt_remove(a, RJ_BYTES_OF(element), NULL));
    }
    add_many(a, N, SOME);
    assert_ok(rj_crdt_digest(b, &digest));
    assert_ok(rj_crdt_diff(a, rj_crdt_bytes(&digest), &delta));
    assert_true(delta.len < SOME * 12 + SOME * 2);
    assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&delta), NULL));
    assert_true(rj_crdt_equal(a, b));
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&delta);
}

/* Bytes that are not taken cost no more than what they name; those that are taken, what
 * stays of them. */
TEST(a_message_costs_at_most_twice_its_size_beside_what_stays)
{
    enum { N = 20000 };
    struct rj_crdt *a = new_set("a"), *b = new_set("b");
    struct rj_crdt_buf bytes = {0};
    size_t before, stays;

    add_many(a, 0, N);
    assert_ok(rj_crdt_encode(a, &bytes));
    before = peak = in_use;
    bytes.ptr[bytes.len - 1] ^= 1;
    assert_err(RJ_ECORRUPT, rj_crdt_join_bytes(b, rj_crdt_bytes(&bytes), NULL));
    assert_true(peak - before < 4096);
    bytes.ptr[bytes.len - 1] ^= 1;
    before = peak = in_use;
    assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&bytes), NULL));
    stays = in_use - before;
    assert_true(peak - before < stays + 2 * bytes.len);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&bytes);
}

/* One dot cannot be two rows. */
TEST(a_row_that_contradicts_one_that_is_here_is_refused)
{
    struct rj_crdt *a = new_set("a"), *other = new_set("a"), *b = new_set("b");
    struct rj_crdt_buf bytes = {0}, before = {0};

    add_many(a, 0, 2);
    add_many(other, 1, 3);
    assert_ok(rj_crdt_join(b, a, NULL));
    assert_ok(rj_crdt_encode(b, &before));
    assert_ok(rj_crdt_encode(other, &bytes));
    assert_err(RJ_ECORRUPT, rj_crdt_join_bytes(b, rj_crdt_bytes(&bytes), NULL));
    assert_bytes_of(b, &before);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_free(other);
    rj_crdt_buf_free(&bytes);
    rj_crdt_buf_free(&before);
}

/* A difference against nothing is all of a value, written row by row; what is small is
 * written in one go. */
TEST(few_rows_have_the_same_bytes_as_many)
{
    static const char *const names[] = {"b", "a", "a longer name"};
    struct rj_crdt *v[3], *empty = new_set("");
    struct rj_crdt_buf digest = {0}, all = {0}, told = {0};
    struct rj_prng p;
    uint8_t room[PLACE_MAX];
    unsigned i, k;

    rj_prng_init(&p, 7);
    assert_ok(rj_crdt_digest(empty, &digest));
    for (i = 0; i < 3; i++)
        v[i] = new_set(names[i]);
    for (i = 0; i < 300; i++) {
        struct rj_crdt *one = v[rj_prng_below(&p, 3)];
        unsigned number = (unsigned)rj_prng_below(&p, 12) + 3;

        for (k = 0; k < 2; k++) /* few stay */
            assert_ok(rj_crdt_remove(one, place_of((i + k) % 12 + 3, room), NULL));
        assert_ok(rj_crdt_add(one, place_of(number, room), NULL));
        if (i % 5 == 0)
            assert_ok(rj_crdt_join(one, v[rj_prng_below(&p, 3)], NULL));
        assert_ok(rj_crdt_encode(one, &all));
        assert_ok(rj_crdt_diff(one, rj_crdt_bytes(&digest), &told));
        assert_bytes_equal(rj_crdt_bytes(&told), rj_crdt_bytes(&all));
    }
    for (i = 0; i < 3; i++)
        rj_crdt_free(v[i]);
    rj_crdt_free(empty);
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&all);
    rj_crdt_buf_free(&told);
}

/* A change, a join and a fork with shared memory, where any allocation may fail. */
static enum rj_err use_forks(void *ctx)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = RJ_CRDT_ORSET};
    struct rj_crdt *v = NULL, *fork = NULL;
    struct rj_crdt_buf before = {0}, now = {0};
    enum rj_err err, second = RJ_OK;
    uint8_t i;

    (void)ctx;
    opts.replica = rj_bytes_from_str("a");
    err = rj_crdt_new(&opts, &v);
    for (i = 0; err == RJ_OK && i < 12; i++)
        err = rj_crdt_add(v, rj_bytes_of(&i, 1), NULL);
    if (err == RJ_OK)
        err = rj_crdt_encode(v, &before);
    if (err == RJ_OK)
        err = rj_crdt_fork(v, rj_bytes_from_str("b"), &fork);
    for (i = 6; err == RJ_OK && i < 18; i++)
        err = i % 2 == 0 ? rj_crdt_add(fork, rj_bytes_of(&i, 1), NULL)
                         : rj_crdt_remove(fork, rj_bytes_of(&i, 1), NULL);
    if (v != NULL && before.len > 0)
        second = rj_crdt_encode(v, &now);
    if (second == RJ_OK && now.len > 0)
        assert_bytes_equal(rj_crdt_bytes(&now), rj_crdt_bytes(&before));
    if (err == RJ_OK)
        err = second == RJ_OK ? rj_crdt_join(v, fork, NULL) : second;
    rj_crdt_free(v);
    rj_crdt_free(fork);
    rj_crdt_buf_free(&before);
    rj_crdt_buf_free(&now);
    return err;
}

TEST(forks_stay_apart_where_memory_fails)
{
    rj_test_with_failing_alloc(use_forks, NULL);
    rj_test_with_one_failing_alloc(use_forks, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found_by_dot_and_by_place_and_forks_keep_apart),
        cmocka_unit_test(many_rows_are_dropped_together),
        cmocka_unit_test(an_element_costs_few_bytes_beside_its_key),
        cmocka_unit_test(what_came_and_went_leaves_nothing),
        cmocka_unit_test(a_fork_shares_until_one_side_changes),
        cmocka_unit_test(a_difference_costs_little_more_than_its_keys),
        cmocka_unit_test(a_message_costs_at_most_twice_its_size_beside_what_stays),
        cmocka_unit_test(a_row_that_contradicts_one_that_is_here_is_refused),
        cmocka_unit_test(few_rows_have_the_same_bytes_as_many),
        cmocka_unit_test(forks_stay_apart_where_memory_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
