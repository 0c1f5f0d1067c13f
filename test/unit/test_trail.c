/* SPDX-License-Identifier: Apache-2.0 */
#include "base/be.h"
#include "base/prng.h"
#include "causal/trail.h"
#include "support/test.h"

static struct rj_trail_point point(uint64_t first, uint64_t last, uint64_t hash)
{
    struct rj_trail_point p = {.first = first, .last = last};

    rj_be_store64(p.hash, hash);
    return p;
}

static void add(struct rj_trail *t, uint64_t first, uint64_t last, uint64_t hash)
{
    struct rj_trail_point p = point(first, last, hash);

    assert_ok(rj_trail_add(t, &p));
}

TEST(points_are_in_order_however_they_come)
{
    struct rj_trail t = {0};

    add(&t, 5, 6, 3);
    add(&t, 1, 1, 1);
    add(&t, 9, 9, 4);
    add(&t, 2, 4, 2);
    add(&t, 9, 9, 5); /* there is one */
    assert_int_equal(t.n, 4);
    for (uint64_t i = 0; i < t.n; i++)
        assert_int_equal(rj_be_load64(t.points[i].hash), i + 1);
    rj_trail_done(&t);
}

TEST(a_sequence_finds_the_header_that_it_lies_in_or_the_next)
{
    struct rj_trail t = {0};

    assert_null(rj_trail_find(&t, 1));
    add(&t, 2, 4, 2);
    add(&t, 7, 9, 3);
    assert_int_equal(rj_trail_find(&t, 1)->last, 4);
    assert_int_equal(rj_trail_find(&t, 4)->last, 4);
    assert_int_equal(rj_trail_find(&t, 5)->last, 9);
    assert_null(rj_trail_find(&t, 10));
    rj_trail_done(&t);
}

TEST(a_cut_moves_what_is_behind_it)
{
    struct rj_trail t = {0}, rest = {0}, none = {0};

    for (uint64_t i = 1; i <= 10; i++)
        add(&t, 2 * i - 1, 2 * i, i);
    assert_ok(rj_trail_cut(&t, 14, &rest));
    assert_int_equal(t.n, 7);
    assert_int_equal(rest.n, 3);
    assert_int_equal(rest.points[0].last, 16);
    assert_ok(rj_trail_cut(&t, 14, &none));
    assert_int_equal(none.n, 0);
    rj_trail_done(&t);
    rj_trail_done(&rest);
}

TEST(a_thinned_trail_keeps_its_newer_half_and_rare_points)
{
    struct rj_prng rng;
    struct rj_trail t = {0};
    size_t n = 0;

    rj_prng_init(&rng, 7);
    for (uint64_t i = 1; i <= 4096; i++)
        add(&t, i, i, rj_prng_u64(&rng));
    for (unsigned round = 0; round < 3; round++) {
        size_t half = (t.n + 1) / 2;
        uint64_t newer = t.points[half].last;

        n = t.n;
        rj_trail_thin(&t);
        assert_true(t.n < n && t.n >= n - half);
        for (uint64_t i = newer; i <= 4096; i++)
            assert_int_equal(rj_trail_find(&t, i)->last, i);
    }
    assert_true(rj_trail_level(t.points[0].hash) > 0);
    rj_trail_done(&t);
}

/* A joiner's trail begins elsewhere; old points have to be those of others all the same.
 */
TEST(two_trails_of_one_chain_have_old_points_in_common)
{
    struct rj_prng rng;
    struct rj_trail a = {0}, b = {0};
    size_t common = 0;

    rj_prng_init(&rng, 8);
    for (uint64_t i = 1; i <= 20000; i++) {
        uint64_t hash = rj_prng_u64(&rng);

        add(&a, i, i, hash);
        if (i > 500)
            add(&b, i, i, hash);
        while (a.n > 1000)
            rj_trail_thin(&a);
        while (b.n > 700)
            rj_trail_thin(&b);
    }
    for (size_t i = 0; i < b.n / 2; i++)
        common += rj_trail_find(&a, b.points[i].last)->last == b.points[i].last;
    assert_true(common > 50);
    rj_trail_done(&a);
    rj_trail_done(&b);
}

TEST(thinning_ends)
{
    struct rj_trail t = {0};

    for (uint64_t i = 1; i <= 100; i++)
        add(&t, i, i, i);
    for (unsigned round = 0; round < 100; round++)
        rj_trail_thin(&t);
    assert_int_equal(t.n, 0);
    rj_trail_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_are_in_order_however_they_come),
        cmocka_unit_test(a_sequence_finds_the_header_that_it_lies_in_or_the_next),
        cmocka_unit_test(a_cut_moves_what_is_behind_it),
        cmocka_unit_test(a_thinned_trail_keeps_its_newer_half_and_rare_points),
        cmocka_unit_test(two_trails_of_one_chain_have_old_points_in_common),
        cmocka_unit_test(thinning_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
