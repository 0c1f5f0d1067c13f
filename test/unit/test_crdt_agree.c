/* SPDX-License-Identifier: Apache-2.0 */
/* Differences of values with much churn: they tell what is new, not all that ever went;
 * and whatever way replicas got what they have, differences bring them together. */
#include "base/be.h"
#include "base/prng.h"
#include "support/crdt_value.h"

#include <rejoin/crdt.h>
#include <string.h>

enum {
    ELEMENTS = 40000,
    REPLICAS = 3,
    KEYS = 400,
    STEPS = 1500,
    HISTORIES = 12,
    LATE = 24,
    DAMAGES = 400
};

static void change(struct rj_crdt *v, enum rj_crdt_code code, uint32_t key,
                   struct rj_crdt_buf *ret_delta)
{
    uint8_t bytes[4];

    rj_be_store32(bytes, key);
    assert_ok(rj_crdt_key_op(v, code, RJ_BYTES_OF(bytes), ret_delta));
}

/* to takes what it lacks of from; the difference's size. */
static size_t sync(struct rj_crdt *to, const struct rj_crdt *from)
{
    struct rj_crdt_buf digest = {0}, diff = {0};
    size_t len;

    assert_ok(rj_crdt_digest(to, &digest));
    assert_ok(rj_crdt_diff(from, rj_crdt_bytes(&digest), &diff));
    assert_ok(rj_crdt_join_bytes(to, rj_crdt_bytes(&diff), NULL));
    len = diff.len;
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&diff);
    return len;
}

/* Two replicas with that many elements, of which a half went; the bytes of its telling.
 */
static size_t churn(uint32_t n, struct rj_crdt **ret_a, struct rj_crdt **ret_b)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a");
    uint32_t i;

    for (i = 0; i < n; i++)
        change(a, RJ_CRDT_ADD, i, NULL);
    assert_ok(rj_crdt_fork(a, rj_bytes_from_str("b"), ret_b));
    for (i = 0; i < n; i++) {
        if ((i * 2654435761U) >> 31 != 0)
            change(a, RJ_CRDT_REMOVE, i, NULL);
    }
    *ret_a = a;
    return sync(*ret_b, a);
}

TEST(a_difference_tells_what_is_new_and_not_all_that_ever_went)
{
    struct rj_crdt *a = NULL, *b = NULL;
    struct rj_crdt_buf digest = {0};
    size_t all = churn(ELEMENTS, &a, &b), len;

    assert_same(a, b);
    assert_ok(rj_crdt_digest(b, &digest));
    assert_true(digest.len < 2200);
    len = sync(b, a); /* nothing is new */
    assert_true(len < 64);
    change(a, RJ_CRDT_ADD, ELEMENTS, NULL);
    change(a, RJ_CRDT_REMOVE, 2, NULL);
    change(b, RJ_CRDT_REMOVE, 4, NULL);
    len = sync(b, a);
    assert_true(len < all / 16);
    len = sync(a, b);
    assert_true(len < all / 16);
    assert_same(a, b);
    rj_crdt_buf_free(&digest);
    rj_crdt_free(a);
    rj_crdt_free(b);
}

TEST(a_value_without_holes_has_a_digest_without_sums)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_ORSET, "a");
    struct rj_crdt *counter = crdt_new(RJ_CRDT_PNCOUNTER, "a");
    struct rj_crdt_op op = crdt_op(RJ_CRDT_INC);
    struct rj_crdt_buf digest = {0};
    uint32_t i;

    op.amount = 1;
    for (i = 0; i < 2000; i++) {
        change(v, RJ_CRDT_ADD, i, NULL);
        assert_ok(rj_crdt_write(counter, &op, NULL));
    }
    assert_ok(rj_crdt_digest(v, &digest));
    assert_true(digest.len < 32);
    assert_ok(rj_crdt_digest(counter, &digest));
    assert_true(digest.len < 32);
    rj_crdt_buf_free(&digest);
    rj_crdt_free(v);
    rj_crdt_free(counter);
}

/* ---- random histories */

struct history {
    struct rj_prng prng;
    struct rj_crdt *values[REPLICAS];
    struct rj_crdt *all;           /* has every change */
    struct rj_crdt_buf late[LATE]; /* messages on their way, perhaps for ever */
};

static struct rj_crdt *some(struct history *h)
{
    return h->values[rj_prng_below(&h->prng, REPLICAS)];
}

static void step_change(struct history *h)
{
    struct rj_crdt_buf *slot = &h->late[rj_prng_below(&h->prng, LATE)];
    bool adds = rj_prng_chance(&h->prng, 3, 5);

    change(some(h), adds ? RJ_CRDT_ADD : RJ_CRDT_REMOVE,
           (uint32_t)rj_prng_below(&h->prng, KEYS), slot);
    assert_ok(rj_crdt_join_bytes(h->all, rj_crdt_bytes(slot), NULL));
}

/* A difference against what somebody has now; it comes later, to whomever. */
static void step_diff(struct history *h)
{
    struct rj_crdt_buf *slot = &h->late[rj_prng_below(&h->prng, LATE)];
    struct rj_crdt_buf digest = {0};

    assert_ok(rj_crdt_digest(some(h), &digest));
    assert_ok(rj_crdt_diff(some(h), rj_crdt_bytes(&digest), slot));
    rj_crdt_buf_free(&digest);
}

/* Some parts of a value: dots without what they took away. */
static void step_parts(struct history *h)
{
    const struct rj_crdt *from = some(h);
    struct rj_crdt *to = some(h);
    struct rj_crdt_cursor cursor = {0};
    struct rj_crdt_buf part = {0};

    while (from != to && rj_crdt_part(from, &cursor, &part) == RJ_OK) {
        if (rj_prng_chance(&h->prng, 1, 8))
            assert_ok(rj_crdt_join_bytes(to, rj_crdt_bytes(&part), NULL));
    }
    rj_crdt_buf_free(&part);
}

static void step_scoped(struct history *h, struct rj_crdt_buf *late)
{
    struct rj_crdt_buf answer = {0};

    if (late->len > 0 &&
        rj_crdt_diff_scoped(some(h), rj_crdt_bytes(late), &answer) == RJ_OK)
        assert_ok(rj_crdt_join_bytes(some(h), rj_crdt_bytes(&answer), NULL));
    rj_crdt_buf_free(&answer);
}

static void step(struct history *h)
{
    struct rj_crdt_buf *late = &h->late[rj_prng_below(&h->prng, LATE)];
    uint64_t what = rj_prng_below(&h->prng, 100);

    if (what < 70)
        step_change(h);
    else if (what < 85)
        step_diff(h);
    else if (what < 87)
        step_parts(h);
    else if (what < 90)
        step_scoped(h, late);
    else if (late->len > 0)
        assert_ok(rj_crdt_join_bytes(some(h), rj_crdt_bytes(late), NULL));
}

TEST(differences_bring_together_what_came_late_twice_in_parts_or_never)
{
    static const char *const names[REPLICAS] = {"b", "a", "c"};
    unsigned round, i, k;

    for (round = 0; round < HISTORIES; round++) {
        struct history h = {.all = crdt_new(RJ_CRDT_ORSET, "")};

        rj_prng_init(&h.prng, 100 + round);
        for (i = 0; i < REPLICAS; i++)
            h.values[i] = crdt_new(RJ_CRDT_ORSET, names[i]);
        for (i = 0; i < STEPS; i++)
            step(&h);
        for (i = 0; i < 2 * REPLICAS; i++)
            (void)sync(h.values[(i + 1) % REPLICAS], h.values[i % REPLICAS]);
        for (k = 0; k < REPLICAS; k++) {
            assert_same(h.values[k], h.all);
            rj_crdt_free(h.values[k]);
        }
        for (i = 0; i < LATE; i++)
            rj_crdt_buf_free(&h.late[i]);
        rj_crdt_free(h.all);
    }
}

TEST(damaged_digests_are_refused_or_answered)
{
    struct rj_crdt *a = NULL, *b = NULL;
    struct rj_crdt_buf digest = {0}, diff = {0};
    struct rj_prng p;
    unsigned i, answered = 0;
    uint8_t *copy;

    (void)churn(2000, &a, &b);
    assert_ok(rj_crdt_digest(b, &digest));
    copy = malloc(digest.len);
    assert_non_null(copy);
    rj_prng_init(&p, 5);
    for (i = 0; i < DAMAGES; i++) {
        size_t len = i % 4 == 0 ? (size_t)rj_prng_below(&p, digest.len) : digest.len;
        size_t most = i % 4 == 1 ? 48 : digest.len;
        enum rj_err err;

        memcpy(copy, digest.ptr, digest.len);
        copy[rj_prng_below(&p, most)] = (uint8_t)rj_prng_u64(&p);
        err = rj_crdt_diff(a, rj_bytes_of(copy, len), &diff);
        answered += err == RJ_OK;
        assert_true(err == RJ_OK || err == RJ_ECORRUPT || err == RJ_EVERSION ||
                    err == RJ_EUPGRADE || err == RJ_ELIMIT);
    }
    assert_true(answered > 0 && answered < DAMAGES);
    free(copy);
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&diff);
    rj_crdt_free(a);
    rj_crdt_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_difference_tells_what_is_new_and_not_all_that_ever_went),
        cmocka_unit_test(a_value_without_holes_has_a_digest_without_sums),
        cmocka_unit_test(
            differences_bring_together_what_came_late_twice_in_parts_or_never),
        cmocka_unit_test(damaged_digests_are_refused_or_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
