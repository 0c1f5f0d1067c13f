/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "causal/dot.h"
#include "support/test.h"

enum { ROUNDS = 3000, LEN_MAX = 12, SEQ_MAX = 3 };

/* A vector of few entries with few values, so that all cases of order come up. */
static void random_vv(struct rj_prng *p, struct rj_vv *ret)
{
    uint32_t n = (uint32_t)rj_prng_below(p, LEN_MAX + 1);

    *ret = (struct rj_vv){0};
    for (uint32_t i = 0; i < n; i++)
        assert_ok(rj_vv_put(ret, i, 1 + rj_prng_below(p, SEQ_MAX)));
    for (uint32_t i = 0; i < n; i++)
        if (rj_prng_chance(p, 1, 2))
            assert_ok(rj_vv_put(ret, i, 0));
}

static void copied(struct rj_vv *ret, const struct rj_vv *from)
{
    *ret = (struct rj_vv){0};
    assert_ok(rj_vv_copy(ret, from));
}

static void joined(struct rj_vv *ret, const struct rj_vv *a, const struct rj_vv *b)
{
    copied(ret, a);
    assert_ok(rj_vv_join(ret, b));
}

static void met(struct rj_vv *ret, const struct rj_vv *a, const struct rj_vv *b)
{
    copied(ret, a);
    rj_vv_meet(ret, b);
}

/* Three random vectors, tried on a law. */
static void for_random_vectors(void (*law)(const struct rj_vv *a, const struct rj_vv *b,
                                           const struct rj_vv *c))
{
    struct rj_prng p;

    rj_prng_init(&p, 1);
    for (int i = 0; i < ROUNDS; i++) {
        struct rj_vv v[3];

        for (int j = 0; j < 3; j++)
            random_vv(&p, &v[j]);
        law(&v[0], &v[1], &v[2]);
        for (int j = 0; j < 3; j++)
            rj_vv_done(&v[j]);
    }
}

static void by_entry(const struct rj_vv *a, const struct rj_vv *b, const struct rj_vv *c)
{
    struct rj_vv join, meet;

    (void)c;
    joined(&join, a, b);
    met(&meet, a, b);
    for (uint32_t i = 0; i < LEN_MAX + 2; i++) {
        uint64_t x = rj_vv_get(a, i), y = rj_vv_get(b, i);

        assert_int_equal(rj_vv_get(&join, i), x > y ? x : y);
        assert_int_equal(rj_vv_get(&meet, i), x < y ? x : y);
    }
    rj_vv_done(&join);
    rj_vv_done(&meet);
}

TEST(join_is_the_maximum_and_meet_the_minimum_by_entry)
{
    for_random_vectors(by_entry);
}

typedef void operation(struct rj_vv *ret, const struct rj_vv *a, const struct rj_vv *b);

static void check_semilattice(operation *op, const struct rj_vv *a, const struct rj_vv *b,
                              const struct rj_vv *c)
{
    struct rj_vv ab, ba, ab_c, bc, a_bc, aa, again;

    op(&ab, a, b);
    op(&ba, b, a);
    op(&ab_c, &ab, c);
    op(&bc, b, c);
    op(&a_bc, a, &bc);
    op(&aa, a, a);
    op(&again, &ab, b);
    assert_true(rj_vv_equal(&ab, &ba));
    assert_true(rj_vv_equal(&ab_c, &a_bc));
    assert_true(rj_vv_equal(&aa, a));
    assert_true(rj_vv_equal(&again, &ab));
    rj_vv_done(&ab);
    rj_vv_done(&ba);
    rj_vv_done(&ab_c);
    rj_vv_done(&bc);
    rj_vv_done(&a_bc);
    rj_vv_done(&aa);
    rj_vv_done(&again);
}

static void join_laws(const struct rj_vv *a, const struct rj_vv *b, const struct rj_vv *c)
{
    check_semilattice(joined, a, b, c);
}

static void meet_laws(const struct rj_vv *a, const struct rj_vv *b, const struct rj_vv *c)
{
    check_semilattice(met, a, b, c);
}

TEST(join_is_commutative_associative_and_idempotent)
{
    for_random_vectors(join_laws);
}

TEST(meet_is_commutative_associative_and_idempotent)
{
    for_random_vectors(meet_laws);
}

static void bounds(const struct rj_vv *a, const struct rj_vv *b, const struct rj_vv *c)
{
    struct rj_vv join, meet, absorbed;

    joined(&join, a, b);
    met(&meet, a, b);
    assert_true(rj_vv_covers(&join, a) && rj_vv_covers(&join, b));
    assert_true(rj_vv_covers(a, &meet) && rj_vv_covers(b, &meet));
    assert_int_equal(rj_vv_covers(c, &join), rj_vv_covers(c, a) && rj_vv_covers(c, b));
    assert_int_equal(rj_vv_covers(&meet, c), rj_vv_covers(a, c) && rj_vv_covers(b, c));
    met(&absorbed, a, &join);
    assert_true(rj_vv_equal(&absorbed, a));
    rj_vv_done(&absorbed);
    joined(&absorbed, a, &meet);
    assert_true(rj_vv_equal(&absorbed, a));
    rj_vv_done(&absorbed);
    rj_vv_done(&join);
    rj_vv_done(&meet);
}

TEST(join_is_the_least_upper_bound_and_meet_the_greatest_lower_one)
{
    for_random_vectors(bounds);
}

static void monotone(const struct rj_vv *a, const struct rj_vv *b, const struct rj_vv *c)
{
    struct rj_vv more, with_a, with_more;

    joined(&more, a, b);
    joined(&with_a, a, c);
    joined(&with_more, &more, c);
    assert_true(rj_vv_covers(&with_more, &with_a));
    rj_vv_done(&with_a);
    rj_vv_done(&with_more);
    met(&with_a, a, c);
    met(&with_more, &more, c);
    assert_true(rj_vv_covers(&with_more, &with_a));
    rj_vv_done(&with_a);
    rj_vv_done(&with_more);
    rj_vv_done(&more);
}

TEST(join_and_meet_are_monotone)
{
    for_random_vectors(monotone);
}

static void partial_order(const struct rj_vv *a, const struct rj_vv *b,
                          const struct rj_vv *c)
{
    bool equal = true;

    assert_true(rj_vv_covers(a, a));
    if (rj_vv_covers(a, b) && rj_vv_covers(b, c))
        assert_true(rj_vv_covers(a, c));
    for (uint32_t i = 0; i < LEN_MAX; i++)
        equal = equal && rj_vv_get(a, i) == rj_vv_get(b, i);
    assert_int_equal(rj_vv_covers(a, b) && rj_vv_covers(b, a), equal);
    assert_int_equal(rj_vv_equal(a, b), equal);
    assert_int_equal(rj_vv_equal(b, a), equal);
}

TEST(covers_is_a_partial_order_and_equal_its_equality)
{
    for_random_vectors(partial_order);
}

static void union_of_sets(const struct rj_vv *a, const struct rj_vv *b,
                          const struct rj_vv *c)
{
    struct rj_vv join;

    (void)c;
    joined(&join, a, b);
    for (uint32_t i = 0; i < LEN_MAX + 1; i++)
        for (uint64_t seq = 1; seq <= SEQ_MAX + 1; seq++)
            assert_int_equal(rj_vv_has(&join, i, seq),
                             rj_vv_has(a, i, seq) || rj_vv_has(b, i, seq));
    rj_vv_done(&join);
}

TEST(a_join_has_the_dots_of_both)
{
    for_random_vectors(union_of_sets);
}

TEST(put_sets_one_entry_also_downwards)
{
    struct rj_vv v = {0};

    assert_ok(rj_vv_put(&v, 3, 9));
    assert_int_equal(rj_vv_get(&v, 3), 9);
    assert_ok(rj_vv_put(&v, 1, UINT64_MAX));
    assert_ok(rj_vv_put(&v, 3, 4));
    assert_int_equal(rj_vv_get(&v, 0), 0);
    assert_int_equal(rj_vv_get(&v, 1), UINT64_MAX);
    assert_int_equal(rj_vv_get(&v, 2), 0);
    assert_int_equal(rj_vv_get(&v, 3), 4);
    assert_ok(rj_vv_put(&v, 3, 0));
    assert_int_equal(rj_vv_get(&v, 3), 0);
    rj_vv_done(&v);
}

TEST(a_vector_has_what_is_not_above_its_entry)
{
    struct rj_vv v = {0};

    assert_true(rj_vv_has(&v, 7, 0));
    assert_false(rj_vv_has(&v, 7, 1));
    assert_ok(rj_vv_put(&v, 7, 5));
    assert_true(rj_vv_has(&v, 7, 5));
    assert_false(rj_vv_has(&v, 7, 6));
    assert_false(rj_vv_has(&v, 8, 1));
    assert_false(rj_vv_has(&v, UINT32_MAX, 1));
    rj_vv_done(&v);
}

TEST(vectors_of_different_lengths_are_equal_when_the_rest_is_zero)
{
    struct rj_vv a = {0}, b = {0}, none = {0};

    assert_ok(rj_vv_put(&a, 0, 2));
    assert_ok(rj_vv_put(&b, 0, 2));
    assert_ok(rj_vv_put(&b, 500, 1));
    assert_false(rj_vv_equal(&a, &b));
    assert_true(rj_vv_covers(&b, &a));
    assert_false(rj_vv_covers(&a, &b));
    assert_ok(rj_vv_put(&b, 500, 0));
    assert_true(rj_vv_equal(&a, &b));
    assert_true(rj_vv_equal(&b, &a));
    rj_vv_meet(&b, &none);
    assert_true(rj_vv_equal(&b, &none));
    rj_vv_done(&a);
    rj_vv_done(&b);
}

TEST(growing_keeps_the_entries_and_adds_zeros)
{
    struct rj_vv v = {0};

    for (uint32_t i = 0; i < 70000; i += 7) {
        assert_ok(rj_vv_put(&v, i, i + 1));
        if (i % 11 == 0)
            rj_vv_meet(&v, &v);
    }
    for (uint32_t i = 0; i < 70010; i++)
        assert_int_equal(rj_vv_get(&v, i), i < 70000 && i % 7 == 0 ? i + 1 : 0);
    assert_err(RJ_EINVAL, rj_vv_put(&v, UINT32_MAX, 1)); /* RJ_ORIGIN_NONE */
    rj_vv_done(&v);
}

TEST(a_copy_is_equal_and_independent)
{
    struct rj_vv a = {0}, b = {0}, none = {0};

    assert_ok(rj_vv_put(&a, 2, 7));
    assert_ok(rj_vv_put(&b, 90, 1));
    assert_ok(rj_vv_copy(&b, &a));
    assert_true(rj_vv_equal(&a, &b));
    assert_ok(rj_vv_put(&b, 2, 8));
    assert_int_equal(rj_vv_get(&a, 2), 7);
    assert_ok(rj_vv_copy(&b, &none));
    assert_true(rj_vv_equal(&b, &none));
    assert_ok(rj_vv_copy(&none, &b));
    assert_true(rj_vv_equal(&b, &none));
    rj_vv_done(&a);
    rj_vv_done(&b);
    rj_vv_done(&none);
}

TEST(clear_empties_and_keeps_the_memory)
{
    struct rj_vv v = {0}, none = {0};
    const uint64_t *memory;

    rj_vv_clear(&v);
    assert_ok(rj_vv_put(&v, 5, 5));
    memory = v.seq;
    rj_vv_clear(&v);
    assert_true(rj_vv_equal(&v, &none));
    assert_ok(rj_vv_put(&v, 5, 6));
    assert_ptr_equal(v.seq, memory);
    rj_vv_done(&v);
    assert_null(v.seq);
    rj_vv_done(&v);
    rj_vv_done(NULL);
}

TEST(a_join_without_memory_changes_nothing)
{
    struct rj_vv a = {0}, b = {0}, before;

    assert_ok(rj_vv_put(&a, 0, 1));
    assert_ok(rj_vv_put(&b, 0, 2));
    assert_ok(rj_vv_put(&b, 100, 2));
    copied(&before, &a);
    rj_test_alloc_fail_after(0);
    assert_err(RJ_ENOMEM, rj_vv_join(&a, &b));
    rj_test_alloc_restore();
    assert_true(rj_vv_equal(&a, &before));
    rj_vv_done(&a);
    rj_vv_done(&b);
    rj_vv_done(&before);
}

static enum rj_err build(void *ctx)
{
    struct rj_vv a = {0}, b = {0};
    enum rj_err err = RJ_OK;

    (void)ctx;
    for (uint32_t i = 0; err == RJ_OK && i < 100; i++)
        err = rj_vv_put(&a, i, i);
    if (err == RJ_OK)
        err = rj_vv_copy(&b, &a);
    if (err == RJ_OK)
        err = rj_vv_put(&a, 1000, 1);
    if (err == RJ_OK)
        err = rj_vv_join(&b, &a);
    rj_vv_done(&a);
    rj_vv_done(&b);
    return err;
}

TEST(out_of_memory_is_reported_wherever_it_happens)
{
    rj_test_with_failing_alloc(build, NULL);
    rj_test_with_one_failing_alloc(build, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join_is_the_maximum_and_meet_the_minimum_by_entry),
        cmocka_unit_test(join_is_commutative_associative_and_idempotent),
        cmocka_unit_test(meet_is_commutative_associative_and_idempotent),
        cmocka_unit_test(join_is_the_least_upper_bound_and_meet_the_greatest_lower_one),
        cmocka_unit_test(join_and_meet_are_monotone),
        cmocka_unit_test(covers_is_a_partial_order_and_equal_its_equality),
        cmocka_unit_test(a_join_has_the_dots_of_both),
        cmocka_unit_test(put_sets_one_entry_also_downwards),
        cmocka_unit_test(a_vector_has_what_is_not_above_its_entry),
        cmocka_unit_test(vectors_of_different_lengths_are_equal_when_the_rest_is_zero),
        cmocka_unit_test(growing_keeps_the_entries_and_adds_zeros),
        cmocka_unit_test(a_copy_is_equal_and_independent),
        cmocka_unit_test(clear_empties_and_keeps_the_memory),
        cmocka_unit_test(a_join_without_memory_changes_nothing),
        cmocka_unit_test(out_of_memory_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
