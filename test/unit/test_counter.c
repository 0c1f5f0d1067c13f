/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "crdt/counter.h"
#include "support/origins.h"

static const struct rj_dot no_base;

/* Run (origin, epoch) up to seq with sum cum. */
static struct rj_run run(uint32_t origin, uint64_t epoch, uint64_t seq, int64_t cum)
{
    struct rj_run r = {.d = {.seq = seq, .origin = origin, .sort = RJ_DOTTED_RUN},
                       .epoch = epoch,
                       .cum = cum};

    return r;
}

TEST(a_counter_is_the_sum_of_what_resets_have_left)
{
    struct rj_run a = run(0, 1, 4, 10), b = run(1, 2, 2, -3);
    struct rj_dotted *first = NULL;
    int64_t sum;

    assert_true(rj_counter_sum(first, no_base, 0, 5, &sum));
    assert_int_equal(sum, 5);
    rj_dotfun_push(&first, &a.d);
    rj_dotfun_push(&first, &b.d);
    assert_true(rj_counter_sum(first, no_base, 0, 0, &sum));
    assert_int_equal(sum, 7);
    rj_run_reset(&a, 3, 8);
    assert_false(rj_run_is_dead(&a));
    assert_true(rj_counter_sum(first, no_base, 0, 0, &sum));
    assert_int_equal(sum, -1);
    rj_run_reset(&a, 4, 10);
    assert_true(rj_run_is_dead(&a));
    rj_run_reset(&a, 3, 8); /* an older one changes nothing */
    assert_true(rj_run_is_dead(&a));
    b.d.deadline = 7;
    assert_true(rj_counter_sum(first, no_base, 7, 0, &sum));
    assert_int_equal(sum, 0);
}

TEST(a_sum_beyond_int64_stops_at_its_end)
{
    struct rj_run r[3] = {run(0, 1, 1, INT64_MAX), run(1, 1, 1, INT64_MAX),
                          run(2, 1, 1, INT64_MIN)};
    struct rj_dotted *first = NULL;
    int64_t sum;

    rj_dotfun_push(&first, &r[0].d);
    rj_dotfun_push(&first, &r[1].d);
    assert_false(rj_counter_sum(first, no_base, 0, 0, &sum));
    assert_int_equal(sum, INT64_MAX);
    rj_dotfun_push(&first, &r[2].d);
    assert_true(rj_counter_sum(first, no_base, 0, 0, &sum));
    assert_int_equal(sum, INT64_MAX - 1);
    r[0].cum = r[1].cum = INT64_MIN;
    assert_false(rj_counter_sum(first, no_base, 0, 0, &sum));
    assert_int_equal(sum, INT64_MIN);
    r[0].floor_seq = 1;
    r[0].floor_cum = INT64_MAX; /* no sound run, but no overflow either */
    assert_false(rj_counter_sum(first, no_base, 0, INT64_MIN, &sum));
    assert_int_equal(sum, INT64_MIN);
}

TEST(increments_on_a_version_count_there_only)
{
    struct rj_run a = run(0, 1, 1, 4), b = run(0, 2, 2, 6);
    struct rj_dot base = {.seq = 5, .origin = 1};
    struct rj_dotted *first = NULL;
    int64_t sum;

    b.base = base;
    rj_dotfun_push(&first, &a.d);
    rj_dotfun_push(&first, &b.d);
    assert_true(rj_counter_sum(first, no_base, 0, 0, &sum));
    assert_int_equal(sum, 4);
    assert_true(rj_counter_sum(first, base, 0, 100, &sum));
    assert_int_equal(sum, 106);
    assert_ptr_equal(rj_counter_find(first, base, 0, 2), &b);
    assert_null(rj_counter_find(first, no_base, 0, 2));
    assert_ptr_equal(rj_dotfun_cut_baseless(&first), &b.d);
    assert_ptr_equal(first, &a.d);
}

TEST(an_origin_lengthens_its_youngest_run_unless_that_is_due_or_full)
{
    struct rj_run a = run(0, 1, 4, 10), b = run(0, 6, 9, 2), other = run(1, 8, 8, 1);
    struct rj_dotted *first = NULL;

    assert_null(rj_counter_own(first, no_base, 0, 0, 1));
    rj_dotfun_push(&first, &a.d);
    rj_dotfun_push(&first, &b.d);
    rj_dotfun_push(&first, &other.d);
    assert_ptr_equal(rj_counter_own(first, no_base, 0, 0, 1), &b);
    rj_run_reset(&b, 9, 2); /* dead or not */
    assert_ptr_equal(rj_counter_own(first, no_base, 0, 0, 1), &b);
    assert_null(rj_counter_own(first, no_base, 0, 0, INT64_MAX));
    b.d.deadline = 50;
    assert_ptr_equal(rj_counter_own(first, no_base, 0, 49, 1), &b);
    assert_null(rj_counter_own(first, no_base, 0, 50, 1));
}

static struct rj_rank rank(uint64_t stamp, uint32_t origin, uint64_t seq)
{
    return (struct rj_rank){.stamp = stamp, .dot = {.seq = seq, .origin = origin}};
}

TEST(the_greater_setter_decides_about_the_deadline)
{
    struct rj_run a = run(0, 1, 4, 10);
    struct rj_rank one = rank(5, 1, 7), two = rank(5, 2, 1), none = {0};

    a.d.deadline = 100;
    rj_run_touch(&a, 50, &none, &origins);
    assert_int_equal(a.d.deadline, 100);
    rj_run_touch(&a, 150, &none, &origins); /* of two by nobody the greater one */
    assert_int_equal(a.d.deadline, 150);
    rj_run_touch(&a, 200, &two, &origins);
    assert_int_equal(a.d.deadline, 200);
    rj_run_touch(&a, 300, &one, &origins); /* origin 1 has the greater id */
    assert_int_equal(a.d.deadline, 300);
    rj_run_touch(&a, 400, &two, &origins);
    assert_int_equal(a.d.deadline, 300);
}

static bool equal(const struct rj_run *a, const struct rj_run *b)
{
    return a->d.seq == b->d.seq && a->cum == b->cum && a->d.stamp == b->d.stamp &&
           a->floor_seq == b->floor_seq && a->floor_cum == b->floor_cum &&
           a->d.deadline == b->d.deadline &&
           rj_rank_compare(&origins, &a->setter, &b->setter) == 0;
}

/* Some state of one run: increment s brings its sum to s * s. */
static struct rj_run some_state(struct rj_prng *rng)
{
    uint64_t seq = 1 + rj_prng_below(rng, 6), floor = rj_prng_below(rng, seq + 1);
    uint64_t setter = rj_prng_below(rng, 4);
    struct rj_run r = run(0, 1, seq, (int64_t)(seq * seq));

    r.d.stamp = rj_prng_below(rng, 2) * seq; /* known or not */
    r.floor_seq = floor;
    r.floor_cum = (int64_t)(floor * floor);
    if (setter > 0)
        r.setter = rank(setter, (uint32_t)setter % 3, setter);
    r.d.deadline = 10 * setter;
    return r;
}

static struct rj_run joined(struct rj_run a, struct rj_run b)
{
    rj_run_join(&a, &b, &origins);
    return a;
}

TEST(states_of_a_run_join_in_any_order_and_twice)
{
    struct rj_prng rng;

    rj_prng_init(&rng, 5);
    for (unsigned i = 0; i < 5000; i++) {
        struct rj_run a = some_state(&rng), b = some_state(&rng), c = some_state(&rng);
        struct rj_run ab = joined(a, b), ba = joined(b, a);
        struct rj_run abc = joined(ab, c), bca = joined(a, joined(b, c));
        struct rj_run aa = joined(a, a), again = joined(abc, b);

        assert_true(equal(&ab, &ba));
        assert_true(equal(&abc, &bca));
        assert_true(equal(&aa, &a));
        assert_true(equal(&again, &abc));
    }
}

/* As some_state, but of a run of which lies are told: a sum for a sequence is anything.
 */
static struct rj_run some_lie(struct rj_prng *rng)
{
    struct rj_run r = some_state(rng);

    r.cum = (int64_t)rj_prng_below(rng, 3) - 1;
    r.floor_cum = r.floor_seq == 0 ? 0 : (int64_t)rj_prng_below(rng, 3) - 1;
    if (r.floor_seq == r.d.seq)
        r.cum = r.floor_cum;
    return r;
}

static bool is_sound(const struct rj_run *r)
{
    return r->floor_seq <= r->d.seq &&
           (r->floor_seq < r->d.seq || r->floor_cum == r->cum);
}

TEST(what_is_told_of_a_run_joins_to_one_sound_state_even_if_it_is_lies)
{
    struct rj_prng rng;

    rj_prng_init(&rng, 6);
    for (unsigned i = 0; i < 50000; i++) {
        struct rj_run a = some_lie(&rng), b = some_lie(&rng), c = some_lie(&rng);
        struct rj_run ab = joined(a, b), ba = joined(b, a);
        struct rj_run abc = joined(ab, c), bca = joined(a, joined(b, c));
        struct rj_run reset = abc;
        uint64_t seq = 1 + rj_prng_below(&rng, 6);
        int64_t cum = (int64_t)rj_prng_below(&rng, 3) - 1;

        assert_true(is_sound(&ab) && is_sound(&abc));
        assert_true(equal(&ab, &ba));
        assert_true(equal(&abc, &bca));
        rj_run_reset(&reset, seq, cum); /* ... and a reset comes at any time */
        assert_true(is_sound(&reset));
        rj_run_reset(&a, seq, cum);
        abc = joined(joined(a, b), c);
        assert_true(equal(&abc, &reset));
        rj_run_lengthen(&reset, seq, cum, seq);
        rj_run_lengthen(&a, seq, cum, seq);
        abc = joined(joined(c, a), b);
        assert_true(is_sound(&reset));
        assert_true(equal(&abc, &reset));
    }
}

TEST(the_rank_is_that_of_the_last_increment_or_of_who_set_the_deadline)
{
    struct rj_run a = run(0, 1, 4, 10), b = run(1, 2, 2, -3);
    struct rj_dotted *first = NULL;
    struct rj_rank r;

    a.d.stamp = 8;
    b.d.stamp = 7;
    rj_dotfun_push(&first, &a.d);
    rj_dotfun_push(&first, &b.d);
    r = rj_counter_rank(first, &origins, 0);
    assert_int_equal(r.stamp, 8);
    b.setter = rank(9, 2, 6);
    r = rj_counter_rank(first, &origins, 0);
    assert_int_equal(r.stamp, 9);
    assert_int_equal(r.dot.origin, 2);
    rj_run_reset(&b, 2, -3); /* what is dead has no rank */
    r = rj_counter_rank(first, &origins, 0);
    assert_int_equal(r.stamp, 8);
    a.d.deadline = 4; /* nor has what is due */
    r = rj_counter_rank(first, &origins, 4);
    assert_int_equal(r.dot.seq, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_is_the_sum_of_what_resets_have_left),
        cmocka_unit_test(a_sum_beyond_int64_stops_at_its_end),
        cmocka_unit_test(increments_on_a_version_count_there_only),
        cmocka_unit_test(an_origin_lengthens_its_youngest_run_unless_that_is_due_or_full),
        cmocka_unit_test(the_greater_setter_decides_about_the_deadline),
        cmocka_unit_test(states_of_a_run_join_in_any_order_and_twice),
        cmocka_unit_test(
            what_is_told_of_a_run_joins_to_one_sound_state_even_if_it_is_lies),
        cmocka_unit_test(
            the_rank_is_that_of_the_last_increment_or_of_who_set_the_deadline),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
