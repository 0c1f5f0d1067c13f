/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "support/crdt_value.h"

#include <string.h>

enum { REPLICAS = 4, HISTORIES = 60, STEPS = 60 };

static const char *const names[REPLICAS] = {"a", "b", "c", "d"};

static enum rj_err change(struct rj_crdt *v, enum rj_crdt_code code, int64_t amount,
                          const char *to)
{
    struct rj_crdt_op op = crdt_op(code);
    struct rj_bytes key = rj_bytes_from_str(to);

    op.amount = amount;
    op.keys = &key;
    op.n_keys = 1;
    return rj_crdt_write(v, &op, NULL);
}

static enum rj_err retire(struct rj_crdt *v, const char *name, const char *heir)
{
    return rj_crdt_retire(v, rj_bytes_from_str(name), rj_bytes_from_str(heir), NULL);
}

static int64_t rights(const struct rj_crdt *v, const char *who)
{
    int64_t n = 0;

    assert_ok(rj_crdt_rights(v, rj_bytes_from_str(who), &n));
    return n;
}

TEST(an_heir_may_take_away_what_the_retired_one_could)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_BCOUNTER, "a");
    struct rj_crdt *b = crdt_new(RJ_CRDT_BCOUNTER, "b");

    assert_ok(change(a, RJ_CRDT_INC, 10, ""));
    assert_ok(change(a, RJ_CRDT_MOVE, 3, "c"));
    assert_ok(rj_crdt_join(b, a, NULL));
    assert_err(RJ_ERANGE, change(b, RJ_CRDT_DEC, 1, ""));
    assert_ok(retire(b, "a", "b"));
    assert_int_equal(rights(b, "a"), 0);
    assert_int_equal(rights(b, "b"), 7);
    assert_int_equal(rights(b, "c"), 3);
    assert_ok(change(b, RJ_CRDT_DEC, 6, ""));
    assert_ok(change(b, RJ_CRDT_MOVE, 1, "a")); /* who retired gives it to its heir */
    assert_int_equal(rights(b, "b"), 1);
    assert_ok(retire(b, "c", "a"));
    assert_int_equal(rights(b, "b"), 4);
    assert_shows(b, "4");
    assert_ok(rj_crdt_join(a, b, NULL));
    assert_err(RJ_ECLOSED, change(a, RJ_CRDT_INC, 1, ""));
    assert_same(a, b);
    rj_crdt_free(a);
    rj_crdt_free(b);
}

TEST(two_who_name_different_heirs_agree_on_the_lesser_name)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_PNCOUNTER, "a");
    struct rj_crdt *b = crdt_new(RJ_CRDT_PNCOUNTER, "b");
    struct rj_crdt *all;

    assert_ok(retire(a, "x", "b"));
    assert_ok(retire(b, "x", "a"));
    assert_ok(rj_crdt_join(a, b, NULL));
    assert_ok(rj_crdt_join(b, a, NULL));
    assert_same(a, b);
    all = crdt_new(RJ_CRDT_PNCOUNTER, "");
    assert_ok(rj_crdt_join(all, b, NULL));
    assert_true(rj_crdt_equal(all, b));
    assert_ok(retire(a, "x", "c")); /* it has one */
    assert_true(rj_crdt_equal(a, b));
    assert_err(RJ_EINVAL, retire(a, "a", "x")); /* its heir is a */
    assert_err(RJ_EINVAL, retire(a, "x", "x"));
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_free(all);
}

TEST(who_retired_writes_no_text_and_all_who_join_know)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_TEXT, "a"), *b = crdt_new(RJ_CRDT_TEXT, "b");
    struct rj_crdt_op op = crdt_op(RJ_CRDT_INSERT);
    struct rj_crdt_buf delta = {0};

    op.value = rj_bytes_from_str("abc");
    assert_ok(rj_crdt_write(a, &op, NULL));
    assert_ok(rj_crdt_join(b, a, NULL));
    assert_ok(rj_crdt_retire(b, rj_bytes_from_str("a"), rj_bytes_from_str("b"), &delta));
    assert_ok(rj_crdt_join_bytes(a, rj_crdt_bytes(&delta), NULL));
    assert_err(RJ_ECLOSED, rj_crdt_write(a, &op, NULL));
    assert_same(a, b);
    assert_shows(a, "\"abc\"");
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&delta);
}

/* ---- random histories: whoever retires, in whatever order it is heard of, no right is
 * lost and none is twice */

static void play(uint64_t seed)
{
    struct rj_crdt *values[REPLICAS];
    struct rj_prng p;
    int64_t sum = 0, all = 0;
    size_t i, k;

    rj_prng_init(&p, seed);
    for (i = 0; i < REPLICAS; i++)
        values[i] = crdt_new(RJ_CRDT_BCOUNTER, names[i]);
    for (i = 0; i < STEPS; i++) {
        struct rj_crdt *v = values[rj_prng_below(&p, REPLICAS)];
        struct rj_crdt *other = values[rj_prng_below(&p, REPLICAS)];
        int64_t amount = (int64_t)rj_prng_below(&p, 9);
        uint64_t dice = rj_prng_below(&p, 12), name = rj_prng_below(&p, REPLICAS);
        enum rj_err err = RJ_OK;

        if (dice < 4)
            err = change(v, RJ_CRDT_INC, amount, "");
        else if (dice < 6)
            err = change(v, RJ_CRDT_MOVE, amount, names[name]);
        else if (dice < 8)
            err = change(v, RJ_CRDT_DEC, amount, "");
        else if (dice < 11)
            assert_ok(rj_crdt_join(v, other, NULL));
        else if (name < 2) /* only some retire, and never two in favour of each other */
            err = retire(v, names[name], names[2 + rj_prng_below(&p, 2)]);
        assert_true(err == RJ_OK || err == RJ_ERANGE || err == RJ_ECLOSED);
    }
    for (k = 0; k < 2; k++) {
        for (i = 0; i < REPLICAS; i++) {
            assert_ok(rj_crdt_join(values[0], values[i], NULL));
            assert_ok(rj_crdt_join(values[i], values[0], NULL));
        }
    }
    assert_ok(rj_crdt_int(values[0], NULL, &sum));
    for (i = 0; i < REPLICAS; i++) {
        assert_same(values[0], values[i]);
        all += rights(values[i], names[i]);
    }
    if (all >= 0 && sum > 0) /* two heirs may have spent the same */
        assert_int_equal(all, sum);
    for (i = 0; i < REPLICAS; i++)
        rj_crdt_free(values[i]);
}

TEST(rights_are_neither_lost_nor_doubled_by_retiring)
{
    uint64_t seed;

    for (seed = 1; seed <= HISTORIES; seed++)
        play(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_heir_may_take_away_what_the_retired_one_could),
        cmocka_unit_test(two_who_name_different_heirs_agree_on_the_lesser_name),
        cmocka_unit_test(who_retired_writes_no_text_and_all_who_join_know),
        cmocka_unit_test(rights_are_neither_lost_nor_doubled_by_retiring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
