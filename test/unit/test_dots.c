/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of dots against plain arrays of flags, few spans and many; what many cost. */
#include "base/prng.h"
#include "causal/dots.h"
#include "support/counting.h"
#include "support/test.h"

#include <stdio.h>

enum { ORIGINS = 5, SEQS = 6000, ROUNDS = 12, STEPS = 2000 };

struct model {
    bool has[ORIGINS][SEQS + 2];
};

static struct model models[3];

/* d walks through exactly the runs of m. */
static void check_walk(const struct rj_dots *d, const struct model *m)
{
    struct rj_dots_walk w = rj_dots_walk_of(d);
    uint64_t count = 0, seq;
    struct rj_span span;
    uint32_t o;

    for (o = 0; o < ORIGINS; o++) {
        for (seq = 1; seq <= SEQS; seq++) {
            if (!m->has[o][seq] || m->has[o][seq - 1])
                continue;
            assert_true(rj_dots_next(&w, &span));
            assert_int_equal(span.origin, o);
            assert_int_equal(span.from, seq);
            for (; m->has[o][seq]; seq++, count++)
                continue;
            assert_int_equal(span.to, seq - 1);
        }
    }
    assert_false(rj_dots_next(&w, &span));
    assert_int_equal(rj_dots_count(d), count);
    assert_true((d->n == 0) == (count == 0));
}

static void check_asked(const struct rj_dots *d, const struct model *m, struct rj_prng *p)
{
    uint64_t seq = 1 + rj_prng_below(p, SEQS), at = seq, last = 0, vector = 0;
    uint32_t o = (uint32_t)rj_prng_below(p, ORIGINS);
    struct rj_span span;
    bool found;

    assert_int_equal(rj_dots_has(d, (struct rj_dot){seq, o}), m->has[o][seq]);
    found = rj_dots_find(d, o, seq, &span);
    while (at <= SEQS && !m->has[o][at])
        at++;
    assert_int_equal(found, at <= SEQS);
    if (found) {
        assert_true(at == seq ? span.from <= seq : span.from == at);
        while (m->has[o][at])
            at++;
        assert_int_equal(span.to, at - 1);
    }
    for (at = 1; at <= SEQS; at++) {
        last = m->has[o][at] ? at : last;
        vector = m->has[o][at] && vector == at - 1 ? at : vector;
    }
    assert_int_equal(rj_dots_last(d, o), last);
    assert_int_equal(rj_dots_vector(d, o), vector);
}

static void add(struct rj_dots *d, struct model *m, struct rj_span span)
{
    assert_ok(rj_dots_add(d, span));
    memset(&m->has[span.origin][span.from], 1, span.to - span.from + 1);
}

/* Density: one in so many, in runs of so many at most. */
static void fill(struct rj_dots *d, struct model *m, struct rj_prng *p)
{
    uint64_t every = 1 + rj_prng_below(p, 40), most = 1 + rj_prng_below(p, 5);
    uint64_t n = rj_prng_below(p, 2) == 0 ? rj_prng_below(p, 20) : SEQS * ORIGINS / every;

    memset(m, 0, sizeof(*m));
    for (; n > 0; n--) {
        uint64_t from = 1 + rj_prng_below(p, SEQS - 5);

        add(d, m,
            (struct rj_span){from, from + rj_prng_below(p, most),
                             (uint32_t)rj_prng_below(p, ORIGINS)});
    }
}

TEST(sets_of_dots_are_what_a_list_of_flags_is)
{
    struct rj_prng p;
    unsigned round, i;

    rj_prng_init(&p, 11);
    for (round = 0; round < ROUNDS; round++) {
        struct rj_dots a = {.allocator = &counting}, b = a, c = a;
        uint32_t o, s;

        fill(&a, &models[0], &p);
        fill(&b, &models[1], &p);
        check_walk(&a, &models[0]);
        check_walk(&b, &models[1]);
        for (i = 0; i < 20; i++)
            check_asked(&a, &models[0], &p);
        assert_ok(rj_dots_union(&c, &a, &b));
        for (o = 0; o < ORIGINS; o++) {
            for (s = 0; s <= SEQS; s++)
                models[2].has[o][s] = models[0].has[o][s] || models[1].has[o][s];
        }
        check_walk(&c, &models[2]);
        assert_true(rj_dots_within(&a, &c));
        assert_true(rj_dots_within(&b, &c));
        assert_int_equal(rj_dots_within(&c, &a), rj_dots_equal(&c, &a));
        assert_ok(rj_dots_minus(&c, &a, &b));
        for (o = 0; o < ORIGINS; o++) {
            for (s = 0; s <= SEQS; s++)
                models[2].has[o][s] = models[0].has[o][s] && !models[1].has[o][s];
        }
        check_walk(&c, &models[2]);
        assert_true(rj_dots_within(&c, &a));
        assert_int_equal(rj_dots_within(&a, &c), rj_dots_equal(&c, &a));
        rj_dots_done(&a);
        rj_dots_done(&b);
        rj_dots_done(&c);
        assert_int_equal(in_use, 0);
    }
}

/* Single dots in any order, and one in `long_one` times (0: never) a span that swallows
 * much of what is packed. */
static void add_many(struct rj_prng *p, unsigned long_one)
{
    struct rj_dots a = {.allocator = &counting};
    unsigned i;

    memset(&models[0], 0, sizeof(models[0]));
    for (i = 0; i < STEPS * 4; i++) {
        uint64_t from = 1 + rj_prng_below(p, SEQS), to = from;

        if (long_one != 0 && i % long_one == long_one - 1)
            to += rj_prng_below(p, SEQS - from + 1);
        add(&a, &models[0],
            (struct rj_span){from, to, (uint32_t)rj_prng_below(p, ORIGINS)});
        if (i % 97 == 0)
            check_asked(&a, &models[0], p);
        if (i % 1999 == 0)
            rj_dots_settle(&a);
        if (i % 499 == 0)
            check_walk(&a, &models[0]);
    }
    check_walk(&a, &models[0]);
    rj_dots_done(&a);
    assert_int_equal(in_use, 0);
}

TEST(many_additions_stay_right_when_they_are_packed_together)
{
    static const unsigned long_ones[] = {0, 0, 2000, 700, 300, 90};
    struct rj_prng p;
    unsigned i;

    rj_prng_init(&p, 12);
    for (i = 0; i < sizeof(long_ones) / sizeof(*long_ones); i++)
        add_many(&p, long_ones[i]);
}

/* Packs that others come between again and again are neither many nor small. */
TEST(additions_in_any_order_take_no_more_than_in_one_order)
{
    enum { N = 60000 };
    struct rj_dots scattered = {.allocator = &counting}, ordered = scattered;
    size_t before;
    uint64_t i;

    for (i = 0; i < N; i++) {
        uint64_t at = i * 7919 % N * 3 + 1;

        assert_ok(rj_dots_add(&scattered, (struct rj_span){at, at, 0}));
    }
    rj_dots_settle(&scattered);
    before = in_use;
    for (i = 0; i < N; i++)
        assert_ok(rj_dots_add(&ordered, (struct rj_span){i * 3 + 1, i * 3 + 1, 0}));
    rj_dots_settle(&ordered);
    assert_true(rj_dots_equal(&scattered, &ordered));
    assert_true(before <= (in_use - before) * 3 / 2);
    rj_dots_done(&scattered);
    rj_dots_done(&ordered);
}

TEST(origins_can_be_renumbered_in_any_order_and_left_out)
{
    static const uint32_t maps[3][ORIGINS] = {
        {4, 2, 0, 3, 1}, {0, RJ_ORIGIN_NONE, 1, 2, RJ_ORIGIN_NONE}, {0, 1, 2, 3, 4}};
    struct rj_prng p;
    unsigned round, i, o;

    rj_prng_init(&p, 13);
    for (round = 0; round < ROUNDS; round++) {
        struct rj_dots a = {.allocator = &counting}, b = a;

        fill(&a, &models[0], &p);
        for (i = 0; i < 3; i++) {
            memset(&models[1], 0, sizeof(models[1]));
            for (o = 0; o < ORIGINS; o++) {
                if (maps[i][o] != RJ_ORIGIN_NONE)
                    memcpy(models[1].has[maps[i][o]], models[0].has[o],
                           sizeof(models[0].has[o]));
            }
            assert_ok(rj_dots_map(&b, &a, maps[i]));
            check_walk(&b, &models[1]);
        }
        rj_dots_done(&a);
        rj_dots_done(&b);
        assert_int_equal(in_use, 0);
    }
}

TEST(a_million_holes_take_little_more_than_on_the_wire)
{
    struct rj_dots a = {.allocator = &counting};
    struct rj_spans_head head = {.next = 1};
    struct rj_spans_writer w;
    struct rj_buf wire = {0};
    struct rj_dots_walk walk;
    struct rj_span span;
    uint64_t every;

    for (every = 1; every < 5000; every = every * 3 + 1) {
        uint64_t n = 200000, seq = 1, i;

        peak = in_use;
        for (i = 0; i < n; i++, seq += 2 + i % every)
            assert_ok(rj_dots_append(&a, (struct rj_span){seq, seq, 0}));
        head = (struct rj_spans_head){.next = 1};
        for (walk = rj_dots_walk_of(&a); rj_dots_next(&walk, &span);)
            rj_spans_count(&head, &span);
        assert_int_equal(head.n, n);
        w = rj_spans_put_head(&wire, &head);
        for (walk = rj_dots_walk_of(&a); rj_dots_next(&walk, &span);)
            rj_spans_put(&w, &span);
        rj_spans_end(&w, &wire);
        assert_true(peak <= 48 * RJ_DOTS_PLAIN_MAX + wire.len + wire.len * 3 / 4);
        rj_buf_clear(&wire);
        rj_dots_done(&a);
    }
    rj_buf_done(&wire);
}

TEST(a_long_first_gap_does_not_make_the_others_longer)
{
    enum { N = 1000 };
    struct rj_spans_head head = {.next = 1};
    struct rj_span span = {.origin = 7}, got;
    struct rj_spans_writer w;
    struct rj_spans_reader s;
    struct rj_reader r;
    struct rj_buf wire = {0};
    unsigned i;

    for (i = 0; i < N; i++) {
        span.from = span.to = 20000000 + 2 * i;
        rj_spans_count(&head, &span);
    }
    w = rj_spans_put_head(&wire, &head);
    for (i = 0; i < N; i++) {
        span.from = span.to = 20000000 + 2 * i;
        rj_spans_put(&w, &span);
    }
    rj_spans_end(&w, &wire);
    assert_true(wire.len <= N / 4 + 16);
    r = rj_reader_of(rj_buf_view(&wire));
    s = rj_spans_begin(&r, 7, 1);
    for (i = 0; i < N; i++) {
        assert_true(rj_spans_next(&s, &r, &got));
        assert_int_equal(got.from, 20000000 + 2 * i);
        assert_int_equal(got.to, got.from);
    }
    assert_false(rj_spans_next(&s, &r, &got));
    assert_true(rj_reader_complete(&r));
    rj_buf_done(&wire);
}

static enum rj_err without_memory(void *ctx)
{
    struct rj_dots a = {0}, b = {0}, c = {0};
    uint64_t i, n = *(const uint64_t *)ctx;
    enum rj_err err = RJ_OK;

    for (i = 1; err == RJ_OK && i <= n; i++)
        err = rj_dots_add(&a, (struct rj_span){i * 7 % n * 2 + 1, i * 7 % n * 2 + 1, 0});
    if (err == RJ_OK)
        err = rj_dots_add(&b, (struct rj_span){n, n, 1});
    if (err == RJ_OK)
        err = rj_dots_union(&c, &a, &b);
    if (err == RJ_OK)
        assert_int_equal(rj_dots_count(&c), n + 1);
    rj_dots_settle(&c);
    rj_dots_done(&a);
    rj_dots_done(&b);
    rj_dots_done(&c);
    return err;
}

TEST(without_memory_nothing_is_lost_or_kept)
{
    uint64_t n = 3000;

    rj_test_with_failing_alloc(without_memory, &n);
    rj_test_with_one_failing_alloc(without_memory, &n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_of_dots_are_what_a_list_of_flags_is),
        cmocka_unit_test(many_additions_stay_right_when_they_are_packed_together),
        cmocka_unit_test(additions_in_any_order_take_no_more_than_in_one_order),
        cmocka_unit_test(origins_can_be_renumbered_in_any_order_and_left_out),
        cmocka_unit_test(a_million_holes_take_little_more_than_on_the_wire),
        cmocka_unit_test(a_long_first_gap_does_not_make_the_others_longer),
        cmocka_unit_test(without_memory_nothing_is_lost_or_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
