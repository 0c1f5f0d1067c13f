/* SPDX-License-Identifier: Apache-2.0 */
/* How runs of texts come in: in whatever messages facts arrive, early, late, in part or
 * in another order, and whoever made them, what they make is the same; also where memory
 * ends on the way. */
#include "support/seq_facts.h"

enum { UNIVERSES = 100, MOST = 110, TAKERS = 3, ROUNDS = 6 };

static struct universe u; /* large */

static struct rj_crdt *value_of(const struct rj_crdt_buf *bytes)
{
    const struct rj_crdt_opts opts = crdt_opts(RJ_CRDT_TEXT, "");
    struct rj_crdt *v = NULL;

    assert_ok(rj_crdt_decode(&opts, rj_crdt_bytes(bytes), &v));
    assert_true(rj_seq_is_sound(v->seq));
    return v;
}

static void take_part(struct rj_crdt *v, const struct facts_part *part)
{
    struct rj_crdt_buf bytes = facts_message(&u, part);

    assert_ok(rj_crdt_join_bytes(v, rj_crdt_bytes(&bytes), NULL));
    rj_crdt_buf_free(&bytes);
}

/* v shows what these facts say, and is equal to what takes them in one message. */
static void assert_is(const struct rj_crdt *v, const bool *has)
{
    struct rj_crdt *w = crdt_new(RJ_CRDT_TEXT, "");

    assert_shows_facts(v, &u, has);
    take_part(w, &(struct facts_part){0, u.n, has});
    assert_shows_facts(w, &u, has);
    assert_same(v, w);
    rj_crdt_free(w);
}

/* ---- any facts in any order */

struct taker {
    struct rj_crdt *v;
    bool has[FACTS_MAX];
};

static struct taker takers[TAKERS];

static void unite(bool *has, const bool *other)
{
    int i;

    for (i = 0; i < u.n; i++)
        has[i] |= other[i];
}

/* Some facts, told by somebody who knows what of them is deleted, or does not. */
static void take_some(struct taker *t)
{
    static bool has[FACTS_MAX], dead[FACTS_MAX];
    const struct facts_part some = {0, u.n, has}, known = {0, u.n, t->has};
    struct rj_crdt_buf bytes;
    struct rj_crdt *w;

    facts_pick(&u, has);
    memset(dead, 0, sizeof(dead));
    facts_mark(&u, &some, dead, true);
    if (rj_prng_chance(&u.p, 1, 2))
        facts_mark(&u, &known, dead, true);
    bytes = facts_encode(&u, &some, dead);
    if (rj_prng_chance(&u.p, 1, 4)) {
        w = value_of(&bytes);
        assert_ok(rj_crdt_join(t->v, w, NULL));
        rj_crdt_free(w);
    } else {
        assert_ok(rj_crdt_join_bytes(t->v, rj_crdt_bytes(&bytes), NULL));
    }
    rj_crdt_buf_free(&bytes);
    unite(t->has, has);
}

static void take_all_of(struct taker *t, const struct taker *other)
{
    if (rj_prng_chance(&u.p, 1, 2))
        assert_ok(rj_crdt_join(t->v, other->v, NULL));
    else
        send_difference(other->v, t->v);
    unite(t->has, other->has);
}

static void live_in_universe(uint64_t seed)
{
    static const char *const names[TAKERS] = {"", "zz", "aa"};
    int rounds, i;

    facts_random(&u, seed, MOST);
    memset(takers, 0, sizeof(takers));
    for (i = 0; i < TAKERS; i++)
        takers[i].v = crdt_new(RJ_CRDT_TEXT, names[i]);
    for (rounds = TAKERS * ROUNDS; rounds > 0; rounds--) {
        struct taker *t = &takers[rj_prng_below(&u.p, TAKERS)];

        if (rj_prng_chance(&u.p, 1, 4))
            take_all_of(t, &takers[rj_prng_below(&u.p, TAKERS)]);
        else
            take_some(t);
        assert_is(t->v, t->has);
    }
    for (i = 0; i < TAKERS; i++) {
        take_part(takers[i].v, &(struct facts_part){0, u.n, NULL});
        assert_same(takers[i].v, takers[0].v);
    }
    memset(takers[0].has, true, sizeof(takers[0].has));
    assert_is(takers[0].v, takers[0].has);
    for (i = 0; i < TAKERS; i++)
        rj_crdt_free(takers[i].v);
}

TEST(whatever_facts_come_in_whatever_order_make_the_same)
{
    uint64_t seed;

    for (seed = 1; seed <= UNIVERSES; seed++)
        live_in_universe(seed);
}

/* ---- shapes with long ways: much hangs from one place, or from a spine */

enum { A, B, BB, C, D, LENGTH = 2000 };

/* All facts of a replica come one after another, and replicas in their order. */
static struct fact *add_fact(uint32_t replica, struct rj_dot ref)
{
    struct fact *f = &u.facts[u.n];
    uint32_t r;

    assert_in_range(u.n, 0, FACTS_MAX - 1);
    for (r = replica + 1; r <= FACTS_REPLICAS; r++)
        u.start[r] = u.n + 1;
    u.n++;
    *f = (struct fact){{(uint64_t)facts_len(&u, replica), replica}, .ref = ref};
    return f;
}

static void add_element(uint32_t replica, uint32_t parent, int seq, bool down)
{
    struct fact *f = add_fact(replica, (struct rj_dot){(uint64_t)seq, parent});

    f->down = down;
    f->text = f->dot.seq % 2 == 0 ? "x" : "y";
}

static void add_deletion(uint32_t replica, uint32_t of, int seq)
{
    add_fact(replica, (struct rj_dot){(uint64_t)seq, of})->deletes = true;
}

/* n elements of A, one behind the other. */
static void add_run(int n)
{
    int i;

    for (i = 0; i < n; i++)
        add_element(A, A, i, false);
}

static void take_one_by_one(struct rj_crdt *v)
{
    int at;

    for (at = 0; at < u.n; at++)
        take_part(v, &(struct facts_part){at, at + 1, NULL});
}

static void take_in_any_order(struct rj_crdt *v)
{
    static struct facts_part parts[FACTS_MAX];
    struct facts_part part;
    size_t n = 0, i, other;
    int at, len;

    rj_prng_init(&u.p, 9);
    for (at = 0; at < u.n; at += len) {
        len = 1 + (int)rj_prng_below(&u.p, 3);
        if (len > u.n - at)
            len = u.n - at;
        parts[n++] = (struct facts_part){at, at + len, NULL};
    }
    for (i = 0; i < n; i++) {
        other = i + rj_prng_below(&u.p, n - i);
        part = parts[other];
        parts[other] = parts[i];
        take_part(v, &part);
    }
}

/* At once, replica by replica in both directions, one by one, a few in any order. */
static void try_shape(void)
{
    static bool all[FACTS_MAX];
    struct rj_crdt *up = crdt_new(RJ_CRDT_TEXT, ""), *down = crdt_new(RJ_CRDT_TEXT, "");
    struct rj_crdt *any = crdt_new(RJ_CRDT_TEXT, ""), *each = crdt_new(RJ_CRDT_TEXT, "");
    int r;

    for (r = 0; r < FACTS_REPLICAS; r++) {
        int last = FACTS_REPLICAS - 1 - r;

        take_part(up, &(struct facts_part){u.start[r], u.start[r + 1], NULL});
        take_part(down, &(struct facts_part){u.start[last], u.start[last + 1], NULL});
    }
    take_in_any_order(any);
    take_one_by_one(each);
    memset(all, true, sizeof(all));
    assert_is(any, all);
    assert_same(up, any);
    assert_shows_facts(up, &u, all);
    assert_same(down, any);
    assert_shows_facts(down, &u, all);
    assert_same(each, any);
    assert_shows_facts(each, &u, all);
    rj_crdt_free(up);
    rj_crdt_free(down);
    rj_crdt_free(any);
    rj_crdt_free(each);
}

TEST(siblings_that_come_by_turns_to_two_parents)
{
    int i;

    u = (struct universe){0};
    add_element(A, A, 0, false);
    add_element(A, A, 0, false);
    for (i = 1; i <= LENGTH; i++)
        add_element(B, A, 1 + i % 2, true);
    try_shape();
}

TEST(siblings_that_come_by_turns_between_two_neighbours)
{
    int i;

    u = (struct universe){0};
    add_run(2);
    for (i = 1; i <= LENGTH; i++)
        add_element(B, A, 1 + i % 2, true);
    try_shape();
}

TEST(siblings_along_a_spine_of_two_replicas)
{
    int i;

    u = (struct universe){0};
    for (i = 1; i <= LENGTH; i++)
        add_element(A, i > 1 ? B : A, i - 1, false);
    for (i = 1; i <= LENGTH; i++)
        add_element(B, A, i, false);
    for (i = 1; i <= LENGTH; i++)
        add_element(BB, i % 2 != 0 ? A : B, i / 2 + 1, false);
    try_shape();
}

TEST(elements_behind_each_one_of_a_spine_to_the_left)
{
    int i;

    u = (struct universe){0};
    for (i = 1; i <= LENGTH; i++)
        add_element(A, i > 1 ? B : A, i - 1, i > 1);
    for (i = 1; i <= LENGTH; i++)
        add_element(B, A, i, true);
    for (i = 1; i <= LENGTH; i++)
        add_element(C, A, LENGTH + 1 - i, false);
    try_shape();
}

/* A run with much behind its end, and little before its start. */
static void add_laden_run(void)
{
    int i;

    u = (struct universe){0};
    add_run(LENGTH);
    for (i = 1; i <= 3; i++)
        add_element(B, A, 1, true);
    for (i = 1; i <= LENGTH; i++)
        add_element(B, A, LENGTH, false);
    for (i = 1; i <= 3; i++)
        add_element(BB, A, 0, false);
}

TEST(cuts_of_a_run_that_much_hangs_from)
{
    int i;

    add_laden_run();
    for (i = 1; i < LENGTH; i++)
        add_element(C, A, i, false);
    try_shape();
}

TEST(cuts_of_a_run_from_its_end_on)
{
    int i;

    u = (struct universe){0};
    add_run(LENGTH);
    for (i = 1; i < LENGTH; i++)
        add_element(B, A, LENGTH - i, false);
    try_shape();
}

TEST(siblings_on_both_sides_of_one_element)
{
    int i;

    u = (struct universe){0};
    add_run(1);
    for (i = 1; i <= LENGTH; i++)
        add_element(B, A, 1, false);
    for (i = 1; i <= LENGTH; i++)
        add_element(C, A, 1, true);
    try_shape();
}

TEST(elements_behind_each_one_of_a_run_that_is_deleted)
{
    int i;

    u = (struct universe){0};
    add_run(LENGTH);
    for (i = 1; i <= LENGTH; i++)
        add_element(B, A, i, false);
    add_element(C, A, 1, false);
    for (i = 1; i <= LENGTH; i++)
        add_deletion(D, A, i);
    try_shape();
}

TEST(deletions_backwards_in_a_run_that_much_hangs_from)
{
    int i;

    add_laden_run();
    for (i = 1; i <= LENGTH; i++)
        add_deletion(C, A, LENGTH + 1 - i);
    try_shape();
}

/* Every second one of A's facts. */
static void mark_every_second(bool *has, int first)
{
    int i;

    for (i = first; i < u.start[B]; i += 2)
        has[i] = true;
}

static void take_marked_one_by_one(struct rj_crdt *v, const bool *has)
{
    int i;

    for (i = 0; i < u.n; i++) {
        if (has[i])
            take_part(v, &(struct facts_part){i, i + 1, NULL});
    }
}

/* Contexts, and what is deleted before it comes, have more spans than stand in arrays. */
TEST(every_second_element_first_and_deletions_before_the_others)
{
    enum { RUN = 2 * RJ_DOTS_PLAIN_MAX + LENGTH / 4 };
    static bool here[FACTS_MAX], rest[FACTS_MAX];
    struct rj_crdt *v = crdt_new(RJ_CRDT_TEXT, ""), *w = crdt_new(RJ_CRDT_TEXT, "b");
    struct facts_part deletions;
    int i;

    u = (struct universe){0};
    add_run(RUN);
    for (i = RUN; i > 0; i -= 2)
        add_deletion(B, A, i);
    deletions = (struct facts_part){u.start[B], u.n, NULL};
    mark_every_second(here, 0);
    mark_every_second(rest, 1);
    take_marked_one_by_one(w, here);
    assert_is(w, here);
    take_part(v, &deletions);
    take_part(v, &(struct facts_part){0, u.n, here});
    for (i = deletions.from; i < deletions.to; i++)
        here[i] = true;
    assert_is(v, here);
    take_part(v, &(struct facts_part){0, u.n, rest});
    take_part(w, &deletions);
    take_marked_one_by_one(w, rest);
    unite(here, rest);
    assert_is(v, here);
    assert_same(v, w);
    assert_shows_facts(w, &u, here);
    rj_crdt_free(v);
    rj_crdt_free(w);
}

/* ---- where memory ends half-way */

struct shortage {
    struct rj_crdt_buf before, message;  /* what a value has; what it is to take */
    struct rj_crdt *had, *other, *whole; /* the same as values, and with both */
    bool as_value;
    unsigned n_none, n_parts, n_whole; /* failures that left so much of the message */
};

/* v, which has taken a part of the message, is in order. */
static void assert_is_between(const struct shortage *s, const struct rj_crdt *v)
{
    struct rj_crdt_buf bytes = {0}, shown = crdt_json(v), again;
    struct rj_crdt *w;

    assert_true(rj_seq_is_sound(v->seq));
    assert_ok(rj_crdt_encode(v, &bytes));
    w = value_of(&bytes);
    again = crdt_json(w);
    assert_bytes_equal(rj_crdt_bytes(&again), rj_crdt_bytes(&shown));
    assert_same(w, v);
    assert_true(rj_roster_within(&s->had->seen, s->had->names, &v->seen, v->names));
    assert_true(rj_roster_within(&v->seen, v->names, &s->whole->seen, s->whole->names));
    rj_crdt_free(w);
    rj_crdt_buf_free(&bytes);
    rj_crdt_buf_free(&shown);
    rj_crdt_buf_free(&again);
}

static enum rj_err take_message(const struct shortage *s, struct rj_crdt *v)
{
    return s->as_value ? rj_crdt_join(v, s->other, NULL)
                       : rj_crdt_join_bytes(v, rj_crdt_bytes(&s->message), NULL);
}

static void count_taken(struct shortage *s, const struct rj_crdt *v)
{
    uint64_t n = rj_dots_count(&v->seen);

    if (n == rj_dots_count(&s->had->seen))
        s->n_none++;
    else if (n < rj_dots_count(&s->whole->seen))
        s->n_parts++;
    else
        s->n_whole++;
}

/* Joins; when that fails, once more with all the memory it wants. */
static enum rj_err join_twice(void *ctx)
{
    struct shortage *s = ctx;
    struct rj_crdt *v = NULL;
    enum rj_err err = crdt_make(RJ_CRDT_TEXT, "", &v);

    if (err == RJ_OK)
        err = rj_crdt_join_bytes(v, rj_crdt_bytes(&s->before), NULL);
    if (err == RJ_OK) {
        err = take_message(s, v);
        rj_test_alloc_restore();
        if (err == RJ_ENOMEM) {
            count_taken(s, v);
            assert_is_between(s, v);
            assert_ok(take_message(s, v));
        }
        assert_true(rj_seq_is_sound(v->seq));
        assert_same(v, s->whole);
    }
    rj_crdt_free(v);
    return err;
}

static void begin_shortage(struct shortage *s, const struct facts_part *before,
                           const struct facts_part *message)
{
    *s = (struct shortage){.before = facts_message(&u, before),
                           .message = facts_message(&u, message)};
    s->had = value_of(&s->before);
    s->other = value_of(&s->message);
    s->whole = crdt_new(RJ_CRDT_TEXT, "");
    assert_ok(rj_crdt_join_bytes(s->whole, rj_crdt_bytes(&s->before), NULL));
    assert_ok(rj_crdt_join_bytes(s->whole, rj_crdt_bytes(&s->message), NULL));
}

static void end_shortage(struct shortage *s)
{
    rj_crdt_free(s->had);
    rj_crdt_free(s->other);
    rj_crdt_free(s->whole);
    rj_crdt_buf_free(&s->before);
    rj_crdt_buf_free(&s->message);
}

TEST(where_memory_ends_what_is_in_is_in_order_and_the_rest_comes_later)
{
    enum { UNIVERSES_SHORT = 3, LONG = 140 };
    static bool some[FACTS_MAX];
    struct shortage s;
    uint64_t seed;

    for (seed = 1; seed <= UNIVERSES_SHORT; seed++) {
        facts_random(&u, 1000 + seed, LONG);
        facts_pick(&u, some);
        begin_shortage(&s, &(struct facts_part){0, u.n, some},
                       &(struct facts_part){0, u.n, NULL});
        rj_test_with_one_failing_alloc(join_twice, &s);
        assert_true(s.n_none > 0 && s.n_parts > 0);
        rj_test_with_failing_alloc(join_twice, &s);
        s.as_value = true;
        s.n_parts = 0;
        rj_test_with_one_failing_alloc(join_twice, &s);
        assert_true(s.n_parts > 0);
        end_shortage(&s);
    }
}

/* Joins few runs; what fails changes nothing. */
static enum rj_err join_few(void *ctx)
{
    struct shortage *s = ctx;
    struct rj_crdt *v = NULL;
    struct rj_crdt_buf before = {0}, after = {0};
    enum rj_err err = crdt_make(RJ_CRDT_TEXT, "", &v);

    if (err == RJ_OK)
        err = rj_crdt_join_bytes(v, rj_crdt_bytes(&s->before), NULL);
    if (err == RJ_OK)
        err = rj_crdt_encode(v, &before);
    if (err == RJ_OK)
        err = rj_crdt_json(v, &after);
    if (err == RJ_OK) {
        err = take_message(s, v);
        rj_test_alloc_restore();
        if (err == RJ_ENOMEM) {
            s->n_none++;
            assert_same(v, s->had);
            rj_crdt_buf_free(&before);
            before = crdt_json(v);
            assert_bytes_equal(rj_crdt_bytes(&before), rj_crdt_bytes(&after));
            assert_true(rj_seq_is_sound(v->seq));
        }
    }
    rj_crdt_free(v);
    rj_crdt_buf_free(&before);
    rj_crdt_buf_free(&after);
    return err;
}

/* Elements behind and before others, one that waits, one that goes on; deletions here and
 * of what is not here; one replica is new. */
static void add_few_runs(void)
{
    add_element(B, A, 5, false);
    add_element(B, A, 5, true);
    add_element(B, D, 7, false);
    add_deletion(B, A, 9);
    add_deletion(B, A, 10);
    add_deletion(B, D, 9);
    add_element(C, A, 0, false);
    add_element(C, B, 1, false);
    add_element(C, C, 2, false);
    add_element(C, A, 19, true);
}

TEST(few_runs_come_in_together_or_not_at_all)
{
    struct shortage s;
    int had;

    u = (struct universe){0};
    add_run(20);
    had = u.n;
    add_few_runs();
    begin_shortage(&s, &(struct facts_part){0, had, NULL},
                   &(struct facts_part){had, u.n, NULL});
    rj_test_with_one_failing_alloc(join_few, &s);
    rj_test_with_failing_alloc(join_few, &s);
    s.as_value = true;
    rj_test_with_one_failing_alloc(join_few, &s);
    assert_true(s.n_none > 0);
    end_shortage(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_facts_come_in_whatever_order_make_the_same),
        cmocka_unit_test(siblings_that_come_by_turns_to_two_parents),
        cmocka_unit_test(siblings_that_come_by_turns_between_two_neighbours),
        cmocka_unit_test(siblings_along_a_spine_of_two_replicas),
        cmocka_unit_test(elements_behind_each_one_of_a_spine_to_the_left),
        cmocka_unit_test(cuts_of_a_run_that_much_hangs_from),
        cmocka_unit_test(cuts_of_a_run_from_its_end_on),
        cmocka_unit_test(siblings_on_both_sides_of_one_element),
        cmocka_unit_test(elements_behind_each_one_of_a_run_that_is_deleted),
        cmocka_unit_test(deletions_backwards_in_a_run_that_much_hangs_from),
        cmocka_unit_test(every_second_element_first_and_deletions_before_the_others),
        cmocka_unit_test(
            where_memory_ends_what_is_in_is_in_order_and_the_rest_comes_later),
        cmocka_unit_test(few_runs_come_in_together_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
