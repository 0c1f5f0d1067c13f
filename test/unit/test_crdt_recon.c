/* SPDX-License-Identifier: Apache-2.0 */
/* Reconciling values that share no context, or a part of one: by each method, over random
 * histories of every type, and with a peer that lies. */
#include "base/prng.h"
#include "crdt/recon.h"
#include "support/crdt_value.h"

#include <stdio.h>

enum { MESSAGES = 60 };

static const struct rj_bytes key = {(const uint8_t *)"sixteen bytes it is", 19};

/* Adds, or removes, elements number from to to - 1. */
static void change(struct rj_crdt *v, enum rj_crdt_code code, unsigned from, unsigned to)
{
    char name[32];

    for (; from < to; from++) {
        (void)snprintf(name, sizeof(name), "element %u", from);
        assert_ok(rj_crdt_key_op(v, code, rj_bytes_from_str(name), NULL));
    }
}

/* What the two said to each other. */
struct talk {
    size_t messages, bytes;
    enum rj_err err; /* of the side that was told something wrong */
    /* Changes message number `at` before it arrives. */
    void (*falsify)(struct rj_crdt_buf *message);
    size_t at;
};

struct side {
    struct rj_crdt *v;
    struct rj_crdt_recon *r;
    struct rj_crdt_buf out, delta;
    bool done;
};

static void side_begin(struct side *s, struct rj_crdt *v, enum rj_crdt_method method)
{
    *s = (struct side){.v = v};
    assert_ok(rj_crdt_recon_new(v, method, key, &s->r));
}

static void side_end(struct side *s, bool join)
{
    rj_crdt_recon_free(s->r);
    if (join && s->delta.len > 0)
        assert_ok(rj_crdt_join_bytes(s->v, rj_crdt_bytes(&s->delta), NULL));
    rj_crdt_buf_free(&s->out);
    rj_crdt_buf_free(&s->delta);
}

/* a begins. */
static struct talk reconcile_with(struct talk talk, struct rj_crdt *a, struct rj_crdt *b,
                                  enum rj_crdt_method method)
{
    struct side sides[2];
    struct rj_bytes in = {0};
    size_t turn;

    side_begin(&sides[0], a, method);
    side_begin(&sides[1], b, RJ_CRDT_AUTO);
    for (turn = 0; turn == 0 || in.len > 0; turn++) {
        struct side *s = &sides[turn % 2];

        assert_true(turn < MESSAGES);
        talk.err = rj_crdt_recon_turn(s->r, in, &s->out, &s->delta, &s->done);
        if (talk.err != RJ_OK)
            break;
        if (talk.falsify != NULL && talk.at == turn)
            talk.falsify(&s->out);
        in = rj_crdt_bytes(&s->out);
        talk.bytes += in.len;
        talk.messages += in.len > 0;
    }
    if (talk.err == RJ_OK)
        assert_true(sides[0].done && sides[1].done);
    side_end(&sides[0], talk.err == RJ_OK);
    side_end(&sides[1], talk.err == RJ_OK);
    return talk;
}

static struct talk reconcile(struct rj_crdt *a, struct rj_crdt *b,
                             enum rj_crdt_method method)
{
    struct talk talk = reconcile_with((struct talk){0}, a, b, method);

    assert_ok(talk.err);
    return talk;
}

static void assert_show_same(const struct rj_crdt *a, const struct rj_crdt *b)
{
    struct rj_crdt_buf x = {0}, y = {0};

    assert_ok(rj_crdt_json(a, &x));
    assert_ok(rj_crdt_json(b, &y));
    assert_bytes_equal(rj_crdt_bytes(&x), rj_crdt_bytes(&y));
    rj_crdt_buf_free(&x);
    rj_crdt_buf_free(&y);
}

static uint64_t count(const struct rj_crdt *v)
{
    uint64_t n;

    assert_ok(rj_crdt_count(v, NULL, &n));
    return n;
}

static void join(struct rj_crdt *v, const struct rj_crdt *other)
{
    assert_ok(rj_crdt_join(v, other, NULL));
}

/* ---- what comes of it */

TEST(equal_values_say_so_in_two_short_messages)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a"), *b = crdt_new(RJ_CRDT_ORSET, "b");
    struct talk talk;

    change(a, RJ_CRDT_ADD, 0, 300);
    change(b, RJ_CRDT_ADD, 0, 300);
    talk = reconcile(a, b, RJ_CRDT_AUTO);
    assert_int_equal(talk.messages, 2);
    assert_in_range(talk.bytes, 1, 64);
    rj_crdt_free(a);
    rj_crdt_free(b);
}

TEST(what_either_side_has_reaches_the_other_by_each_method)
{
    static const unsigned apart[] = {0, 1, 7, 60, 600};
    enum { COMMON = 3000 };
    unsigned method;
    size_t i;

    for (i = 0; i < 3 * sizeof(apart) / sizeof(apart[0]); i++) {
        struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a"),
                       *b = crdt_new(RJ_CRDT_ORSET, "b");
        unsigned n = apart[i / 3];
        struct talk talk;

        method = (unsigned)(i % 3);
        change(a, RJ_CRDT_ADD, 0, COMMON + n);
        change(b, RJ_CRDT_ADD, n, COMMON + 2 * n);
        talk = reconcile(a, b, (enum rj_crdt_method)method);
        assert_int_equal(count(a), COMMON + 2 * n);
        assert_show_same(a, b);
        assert_true(method == RJ_CRDT_RANGE || talk.messages <= 7);
        rj_crdt_free(a);
        rj_crdt_free(b);
    }
}

TEST(an_empty_value_gets_all)
{
    unsigned method, turned;

    for (method = 0; method <= RJ_CRDT_SYMBOLS; method++) {
        for (turned = 0; turned < 2; turned++) {
            struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a"),
                           *b = crdt_new(RJ_CRDT_ORSET, "b");

            change(a, RJ_CRDT_ADD, 0, 400);
            (void)reconcile(turned ? b : a, turned ? a : b, (enum rj_crdt_method)method);
            assert_int_equal(count(b), 400);
            assert_true(rj_crdt_equal(a, b));
            rj_crdt_free(a);
            rj_crdt_free(b);
        }
    }
}

TEST(what_was_made_apart_has_one_context_afterwards)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a"), *b = crdt_new(RJ_CRDT_ORSET, "b");
    struct rj_crdt_buf digest = {0}, delta = {0};

    change(a, RJ_CRDT_ADD, 0, 2010);
    change(a, RJ_CRDT_REMOVE, 100, 110);
    change(b, RJ_CRDT_ADD, 20, 2020);
    (void)reconcile(a, b, RJ_CRDT_AUTO);
    assert_true(rj_crdt_equal(a, b));
    assert_int_equal(count(a), 2020);
    change(a, RJ_CRDT_REMOVE, 0, 3);
    change(b, RJ_CRDT_ADD, 3000, 3001);
    assert_ok(rj_crdt_digest(b, &digest));
    assert_ok(rj_crdt_diff(a, rj_crdt_bytes(&digest), &delta));
    assert_in_range(delta.len, 1, 160);
    assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&delta), NULL));
    assert_int_equal(count(b), 2018);
    /* the same rows once more, apart again: other names, and nothing is lost */
    rj_crdt_free(a);
    a = crdt_new(RJ_CRDT_ORSET, "c");
    change(a, RJ_CRDT_ADD, 3, 2020);
    change(a, RJ_CRDT_ADD, 3000, 3001);
    (void)reconcile(a, b, RJ_CRDT_SYMBOLS);
    assert_int_equal(count(a), 2018);
    assert_show_same(a, b);
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&delta);
    rj_crdt_free(a);
    rj_crdt_free(b);
}

TEST(a_removal_holds_where_its_dot_is_known_and_else_the_union_does)
{
    unsigned method;

    for (method = 0; method <= RJ_CRDT_SYMBOLS; method++) {
        struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a"),
                       *b = crdt_new(RJ_CRDT_ORSET, "b");

        change(a, RJ_CRDT_ADD, 0, 500);
        join(b, a);
        change(a, RJ_CRDT_REMOVE, 0, 100);
        change(b, RJ_CRDT_REMOVE, 100, 200);
        change(b, RJ_CRDT_ADD, 500, 600);
        (void)reconcile(a, b, (enum rj_crdt_method)method);
        assert_int_equal(count(a), 400);
        assert_show_same(a, b);
        rj_crdt_free(b);
        b = crdt_new(RJ_CRDT_ORSET, "c");
        change(b, RJ_CRDT_ADD, 0, 250);
        (void)reconcile(a, b, (enum rj_crdt_method)method);
        assert_int_equal(count(a), 600);
        assert_show_same(a, b);
        rj_crdt_free(a);
        rj_crdt_free(b);
    }
}

TEST(equal_counts_of_two_replicas_are_two_counts)
{
    struct rj_crdt_op op = {
        .size = sizeof(op), .code = RJ_CRDT_INC, .amount = 5, .flags = 0};
    unsigned method;
    int64_t sum;

    for (method = 0; method <= RJ_CRDT_SYMBOLS; method++) {
        struct rj_crdt *a = crdt_new(RJ_CRDT_PNCOUNTER, "a");
        struct rj_crdt *b = crdt_new(RJ_CRDT_PNCOUNTER, "b");

        assert_ok(rj_crdt_write(a, &op, NULL));
        assert_ok(rj_crdt_write(b, &op, NULL));
        (void)reconcile(a, b, (enum rj_crdt_method)method);
        assert_ok(rj_crdt_int(b, NULL, &sum));
        assert_int_equal(sum, 10);
        assert_show_same(a, b);
        rj_crdt_free(a);
        rj_crdt_free(b);
    }
}

TEST(what_has_no_rows_is_refused)
{
    static const enum rj_crdt_type types[] = {RJ_CRDT_LIST, RJ_CRDT_TEXT, RJ_CRDT_VV,
                                              RJ_CRDT_CAUSAL_CONTEXT};
    struct rj_crdt_recon *r = NULL;
    size_t i;

    for (i = 0; i < 4; i++) {
        struct rj_crdt *v = crdt_new(types[i], "a");

        assert_err(RJ_EINVAL, rj_crdt_recon_new(v, RJ_CRDT_AUTO, key, &r));
        rj_crdt_free(v);
    }
}

/* ---- random histories */

static const struct rj_bytes words[] = {{(const uint8_t *)"x", 1},
                                        {(const uint8_t *)"xy", 2},
                                        {(const uint8_t *)"a", 1},
                                        {(const uint8_t *)"", 0}};

/* Any change; those that the type does not know are refused. */
static void change_somehow(struct rj_prng *p, struct rj_crdt *v,
                           const struct rj_crdt *reader)
{
    struct rj_crdt_op op = {.size = sizeof(op), .n_keys = 1};
    struct rj_crdt_buf context = {0};

    op.code = (enum rj_crdt_code)(1 + rj_prng_below(p, RJ_CRDT_CODE_END - 1));
    op.keys = &words[rj_prng_below(p, 4)];
    op.value = words[rj_prng_below(p, 4)];
    op.tag = words[rj_prng_below(p, 2)];
    op.amount = (int64_t)rj_prng_below(p, 4);
    op.pos = rj_prng_below(p, 3);
    op.count = 1;
    op.stamp = rj_prng_below(p, 4);
    if (rj_crdt_type(v) == RJ_CRDT_ORMAP) {
        op.path = &words[rj_prng_below(p, 2)];
        op.n_path = 1;
        op.at = (enum rj_crdt_type)rj_prng_below(p, RJ_CRDT_TYPE_END);
    }
    if (reader != NULL && rj_prng_chance(p, 1, 4)) {
        assert_ok(rj_crdt_context(reader, &context));
        op.flags = RJ_CRDT_CAUSED;
        op.context = rj_crdt_bytes(&context);
    }
    (void)!rj_crdt_write(v, &op, NULL);
    rj_crdt_buf_free(&context);
}

static void play(enum rj_crdt_type type, uint64_t seed)
{
    static const char *const names[] = {"a", "b", "c"};
    struct rj_crdt *v[3], *both;
    struct rj_prng p;
    size_t i;

    rj_prng_init(&p, seed);
    for (i = 0; i < 3; i++)
        v[i] = crdt_new(type, names[i]);
    for (i = 0; i < 60; i++) {
        size_t at = (size_t)rj_prng_below(&p, 3), other = (size_t)rj_prng_below(&p, 3);

        if (rj_prng_chance(&p, 1, 12))
            join(v[at], v[other]);
        else
            change_somehow(&p, v[at], seed % 2 == 0 ? v[other] : NULL);
    }
    both = crdt_new(type, "");
    join(both, v[0]);
    join(both, v[1]);
    (void)reconcile(v[0], v[1], (enum rj_crdt_method)(seed % 3));
    assert_show_same(v[0], v[1]);
    if (seed % 2 != 0) /* no removal is about what its maker has not got */
        assert_show_same(v[0], both);
    rj_crdt_free(both);
    /* and with who shares something with both it is a join as ever */
    join(v[2], v[0]);
    join(v[2], v[1]);
    join(v[0], v[2]);
    join(v[1], v[2]);
    join(v[0], v[1]);
    assert_true(rj_crdt_equal(v[0], v[2]) && rj_crdt_equal(v[1], v[2]));
    for (i = 0; i < 3; i++)
        rj_crdt_free(v[i]);
}

TEST(every_type_with_rows_ends_alike_on_both_sides)
{
    unsigned type;
    uint64_t seed;

    for (type = 1; type < RJ_CRDT_TYPE_END; type++) {
        for (seed = 1; seed <= 30 && type != RJ_CRDT_LIST && type != RJ_CRDT_TEXT &&
                       type != RJ_CRDT_VV && type != RJ_CRDT_CAUSAL_CONTEXT;
             seed++)
            play((enum rj_crdt_type)type, seed);
    }
}

/* ---- the pieces */

static void parts_of(unsigned from, unsigned to, struct rj_parts *parts)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_GSET, "a");
    struct rj_hash_key hash_key;

    rj_hash_key_init(&hash_key, key);
    change(v, RJ_CRDT_ADD, from, to);
    *parts = (struct rj_parts){0};
    assert_ok(rj_parts_init(parts, v, &hash_key));
    rj_crdt_free(v);
}

TEST(symbols_tell_what_differs_once_they_are_enough)
{
    struct rj_recon_diff diff = {{0}, {0}};
    struct rj_recon_roots roots;
    struct rj_parts a, b;
    struct rj_buf all = {0};
    uint64_t n = 100;

    rj_recon_roots_init(&roots);
    parts_of(0, 3000, &a);
    parts_of(500, 3500, &b);
    rj_recon_symbols_put(&a, &roots, 7, (uint64_t[2]){0, 4000}, &all);
    while (rj_recon_symbols_get(&b, &roots, 7, rj_bytes_first(rj_buf_view(&all), 8 * n),
                                &diff) != RJ_OK)
        n += 50;
    assert_in_range(n, 1100, 1800); /* of 1,000 parts */
    assert_int_equal(rj_recon_n(&diff.mine), 500);
    assert_int_equal(rj_recon_n(&diff.theirs), 500);
    rj_buf_done(&all);
    rj_buf_done(&diff.mine);
    rj_buf_done(&diff.theirs);
    rj_parts_done(&a);
    rj_parts_done(&b);
}

/* With 100,000 parts some mixtures have the check of a part; found and followed at once
 * they went round in circles. */
TEST(mixtures_that_pass_for_parts_cancel)
{
    enum { PARTS = 100000 };
    struct rj_part *items = calloc(PARTS, sizeof(*items));
    struct rj_parts some = {.items = items, .n = PARTS, .count = PARTS}, none = {0};
    struct rj_recon_diff diff = {{0}, {0}};
    struct rj_recon_roots roots;
    struct rj_buf symbols = {0};
    struct rj_prng p;
    size_t i;

    assert_non_null(items);
    rj_prng_init(&p, PARTS);
    for (i = 0; i < PARTS; i++)
        items[i].low = rj_prng_u64(&p);
    rj_recon_roots_init(&roots);
    rj_recon_symbols_put(&some, &roots, 99, (uint64_t[2]){0, PARTS * 7 / 5}, &symbols);
    assert_ok(rj_recon_symbols_get(&none, &roots, 99, rj_buf_view(&symbols), &diff));
    assert_int_equal(rj_recon_n(&diff.theirs), PARTS);
    rj_buf_done(&symbols);
    rj_buf_done(&diff.theirs);
    free(items);
}

TEST(the_guess_is_near)
{
    static const unsigned apart[] = {0, 10, 300, 2500};
    size_t i;

    for (i = 0; i < 4; i++) {
        struct rj_buf counters = {0};
        struct rj_parts a, b;
        uint64_t guess;

        parts_of(0, 5000, &a);
        parts_of(apart[i], 5000 + apart[i], &b);
        rj_recon_guess_put(&a, &counters);
        assert_ok(rj_recon_guess(&b, rj_buf_view(&counters), &guess));
        assert_in_range(guess, apart[i] * 2 * 7 / 10, apart[i] * 2 * 13 / 10);
        rj_buf_done(&counters);
        rj_parts_done(&a);
        rj_parts_done(&b);
    }
}

/* ---- want of memory */

struct pair {
    struct rj_crdt *v[2];
    enum rj_crdt_method method;
};

static enum rj_err talk_of(void *ctx)
{
    const struct pair *pair = ctx;
    struct side sides[2] = {{0}, {0}};
    struct rj_bytes in = {0};
    size_t turn;
    enum rj_err err = rj_crdt_recon_new(pair->v[0], pair->method, key, &sides[0].r);

    if (err == RJ_OK)
        err = rj_crdt_recon_new(pair->v[1], pair->method, key, &sides[1].r);
    for (turn = 0; err == RJ_OK && (turn == 0 || in.len > 0); turn++) {
        struct side *s = &sides[turn % 2];

        err = rj_crdt_recon_turn(s->r, in, &s->out, &s->delta, &s->done);
        in = rj_crdt_bytes(&s->out);
    }
    side_end(&sides[0], false);
    side_end(&sides[1], false);
    return err;
}

TEST(want_of_memory_is_told_and_changes_nothing)
{
    struct pair pair = {{crdt_new(RJ_CRDT_ORSET, "a"), crdt_new(RJ_CRDT_ORSET, "b")},
                        RJ_CRDT_AUTO};
    unsigned method;

    change(pair.v[0], RJ_CRDT_ADD, 0, 30);
    change(pair.v[1], RJ_CRDT_ADD, 20, 50);
    change(pair.v[1], RJ_CRDT_ADD, 0, 10);
    for (method = 0; method <= RJ_CRDT_SYMBOLS; method++) {
        pair.method = (enum rj_crdt_method)method;
        (void)talk_of(&pair); /* names become known, for good */
        rj_test_with_failing_alloc(talk_of, &pair);
    }
    assert_int_equal(count(pair.v[0]), 30);
    rj_crdt_free(pair.v[0]);
    rj_crdt_free(pair.v[1]);
}

/* ---- peers that lie */

/* The sum in GIVE: the byte string of 16 bytes. */
static void change_sum(struct rj_crdt_buf *message)
{
    size_t i;

    for (i = 0; i + 17 < message->len && message->ptr[i] != 0x50; i++)
        continue;
    message->ptr[i + 1] ^= 1;
}

TEST(where_sums_differ_in_the_end_contexts_decide)
{
    struct talk talk = {.falsify = change_sum, .at = 2};
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a"), *b = crdt_new(RJ_CRDT_ORSET, "b");

    change(a, RJ_CRDT_ADD, 0, 505);
    change(b, RJ_CRDT_ADD, 5, 510);
    talk = reconcile_with(talk, a, b, RJ_CRDT_AUTO); /* a gives; b doubts, tells all */
    assert_ok(talk.err);
    assert_int_equal(talk.messages, 5);
    assert_int_equal(count(a), 510);
    assert_true(rj_crdt_equal(a, b));
    rj_crdt_free(a);
    rj_crdt_free(b);
}

static uint64_t spoil_seed;

static void spoil(struct rj_crdt_buf *message)
{
    struct rj_prng p;

    rj_prng_init(&p, spoil_seed);
    if (message->len == 0)
        return;
    if (rj_prng_chance(&p, 1, 4))
        message->len = (size_t)rj_prng_below(&p, message->len);
    else
        message->ptr[rj_prng_below(&p, message->len < 600 ? message->len : 600)] ^=
            (uint8_t)(1u << rj_prng_below(&p, 8));
}

TEST(a_spoilt_message_is_refused_or_does_no_harm)
{
    struct talk talk = {.falsify = spoil};
    unsigned refused = 0;

    for (spoil_seed = 1; spoil_seed <= 300; spoil_seed++) {
        struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a"),
                       *b = crdt_new(RJ_CRDT_ORSET, "b");

        change(a, RJ_CRDT_ADD, 0, 150);
        change(b, RJ_CRDT_ADD, 50, 250);
        talk.at = spoil_seed % 5;
        talk = reconcile_with(talk, a, b, (enum rj_crdt_method)(spoil_seed / 5 % 3));
        refused += talk.err != RJ_OK;
        if (talk.err != RJ_OK)
            assert_true(talk.err == RJ_EPROTO || talk.err == RJ_ECORRUPT ||
                        talk.err == RJ_EUPGRADE || talk.err == RJ_EVERSION ||
                        talk.err == RJ_ELIMIT);
        rj_crdt_free(a);
        rj_crdt_free(b);
    }
    assert_true(refused > 100);
}

TEST(other_rules_are_told_at_once)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a"), *b = crdt_new(RJ_CRDT_GSET, "b");

    change(a, RJ_CRDT_ADD, 0, 3);
    assert_err(RJ_EUPGRADE, reconcile_with((struct talk){0}, a, b, RJ_CRDT_AUTO).err);
    rj_crdt_free(a);
    rj_crdt_free(b);
}

TEST(nothing_is_said_out_of_turn)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a");
    struct rj_crdt_buf out = {0}, delta = {0};
    bool done = false;
    unsigned kind;

    for (kind = 0; kind < 14; kind++) {
        uint8_t message[] = {0x81, (uint8_t)kind};
        struct side s;

        if (kind == 1)
            continue; /* how it begins */
        side_begin(&s, a, RJ_CRDT_AUTO);
        assert_err(RJ_EPROTO,
                   rj_crdt_recon_turn(s.r, RJ_BYTES_OF(message), &out, &delta, &done));
        assert_false(done);
        assert_int_equal(out.len + delta.len, 0);
        side_end(&s, false);
    }
    rj_crdt_buf_free(&out);
    rj_crdt_buf_free(&delta);
    rj_crdt_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_values_say_so_in_two_short_messages),
        cmocka_unit_test(what_either_side_has_reaches_the_other_by_each_method),
        cmocka_unit_test(an_empty_value_gets_all),
        cmocka_unit_test(what_was_made_apart_has_one_context_afterwards),
        cmocka_unit_test(a_removal_holds_where_its_dot_is_known_and_else_the_union_does),
        cmocka_unit_test(equal_counts_of_two_replicas_are_two_counts),
        cmocka_unit_test(what_has_no_rows_is_refused),
        cmocka_unit_test(every_type_with_rows_ends_alike_on_both_sides),
        cmocka_unit_test(symbols_tell_what_differs_once_they_are_enough),
        cmocka_unit_test(mixtures_that_pass_for_parts_cancel),
        cmocka_unit_test(the_guess_is_near),
        cmocka_unit_test(want_of_memory_is_told_and_changes_nothing),
        cmocka_unit_test(where_sums_differ_in_the_end_contexts_decide),
        cmocka_unit_test(a_spoilt_message_is_refused_or_does_no_harm),
        cmocka_unit_test(other_rules_are_told_at_once),
        cmocka_unit_test(nothing_is_said_out_of_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
