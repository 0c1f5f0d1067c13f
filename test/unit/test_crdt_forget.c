/* SPDX-License-Identifier: Apache-2.0 */
/* Removals are forgotten, by what all have and by age, at replicas whose clocks differ,
 * while deltas come late: beside each value a shadow goes that gets the same changes and
 * joins and forgets nothing. */
#include "base/prng.h"
#include "support/crdt_value.h"

#include <stdio.h>

enum { REPLICAS = 4, WORDS = 4, DELTAS = 8, STEPS = 90, HISTORIES = 80, NAMES_MAX = 8 };

static const char *const words[WORDS] = {"", "x", "xy", "z"};

struct replica {
    struct rj_crdt *real, *shadow;
    struct rj_crdt *copy; /* a fork of real; NULL: none */
    struct rj_crdt_buf copied;
    struct rj_crdt_buf past,
        latest; /* digests: its own old one, what others have of it */
    uint64_t clock;
    bool added[WORDS], removed[WORDS]; /* under any of its names */
};

struct history {
    enum rj_crdt_type type;
    struct rj_prng p;
    struct replica replicas[REPLICAS];
    struct rj_crdt_buf deltas[DELTAS], shadow_deltas[DELTAS];
    bool anew[WORDS]; /* added when its removal was forgotten */
    unsigned names, closed, rebased, forgot;
};

static struct rj_crdt *make(const struct history *h, const char *name, bool forgets)
{
    struct rj_crdt_opts opts = crdt_opts(h->type, name);
    struct rj_crdt *v = NULL;

    opts.rules.horizon = forgets ? 100 : 0;
    assert_ok(rj_crdt_new(&opts, &v));
    return v;
}

static bool is_counter(const struct history *h)
{
    return h->type == RJ_CRDT_PNCOUNTER || h->type == RJ_CRDT_RCOUNTER;
}

static bool shows(const struct rj_crdt *v, size_t word)
{
    bool is = false;

    assert_ok(rj_crdt_contains(v, NULL, rj_bytes_from_str(words[word]), &is));
    return is;
}

static int64_t count_of(const struct rj_crdt *v)
{
    int64_t n = 0;

    assert_ok(rj_crdt_int(v, NULL, &n));
    return n;
}

/* ---- steps */

/* What was added when its removal was forgotten may be shown, and not in the shadow. */
static void excuse(struct history *h, const struct replica *r)
{
    size_t i;

    for (i = 0; i < WORDS && !is_counter(h); i++) {
        if (r->added[i] && shows(r->real, i) && !shows(r->shadow, i))
            h->anew[i] = true;
    }
}

/* A re-based replica does again what it had done, whoever has overwritten that meanwhile.
 * If its own removals are forgotten there, what others kept stands as well. */
static void excuse_rebased(struct history *h, const struct replica *r, bool mutual)
{
    size_t i;

    for (i = 0; i < WORDS && !is_counter(h); i++) {
        if (r->added[i] ? shows(r->real, i)
                        : mutual && shows(r->real, i) && !shows(r->shadow, i))
            h->anew[i] = true;
        if (h->type == RJ_CRDT_RWORSET && r->removed[i] && !shows(r->real, i))
            h->anew[i] = true;
    }
}

static void change(struct history *h, struct replica *r)
{
    size_t word = rj_prng_below(&h->p, WORDS), slot = rj_prng_below(&h->p, DELTAS);
    struct rj_bytes key = rj_bytes_from_str(words[word]);
    struct rj_crdt_op op = crdt_op(RJ_CRDT_ADD);
    bool adds = rj_prng_chance(&h->p, 1, 2);

    r->clock += rj_prng_below(&h->p, 3);
    op.keys = &key;
    op.n_keys = 1;
    op.stamp = r->clock;
    op.amount = 1 + (int64_t)rj_prng_below(&h->p, 9);
    op.tag = rj_bytes_from_str("t");
    if (is_counter(h))
        op.code = adds ? RJ_CRDT_INC : RJ_CRDT_DEC;
    else if (!adds)
        op.code = RJ_CRDT_REMOVE;
    else if (h->type == RJ_CRDT_OURSET)
        op.code = RJ_CRDT_PUT;
    if (h->type == RJ_CRDT_RCOUNTER && rj_prng_chance(&h->p, 1, 5))
        op.code = RJ_CRDT_RESET;
    r->added[word] = r->added[word] || adds;
    r->removed[word] = r->removed[word] || !adds;
    assert_ok(rj_crdt_write(r->real, &op, &h->deltas[slot]));
    assert_ok(rj_crdt_write(r->shadow, &op, &h->shadow_deltas[slot]));
    if (adds)
        excuse(h, r);
}

/* A delta comes, maybe late, maybe again. */
static void deliver(struct history *h, struct replica *r)
{
    size_t slot = rj_prng_below(&h->p, DELTAS);
    struct rj_crdt_buf before = {0}, after = {0};
    enum rj_err err;

    if (h->deltas[slot].len == 0)
        return;
    assert_ok(rj_crdt_encode(r->real, &before));
    err = rj_crdt_join_bytes(r->real, rj_crdt_bytes(&h->deltas[slot]), NULL);
    if (err == RJ_OK) {
        assert_ok(
            rj_crdt_join_bytes(r->shadow, rj_crdt_bytes(&h->shadow_deltas[slot]), NULL));
    } else {
        assert_err(RJ_ECLOSED, err);
        h->closed++;
        assert_ok(rj_crdt_encode(r->real, &after));
        assert_bytes_equal(rj_crdt_bytes(&before), rj_crdt_bytes(&after));
    }
    rj_crdt_buf_free(&before);
    rj_crdt_buf_free(&after);
}

static enum rj_err take(struct replica *to, const struct replica *from)
{
    enum rj_err err = rj_crdt_join(to->real, from->real, NULL);

    if (err == RJ_OK)
        assert_ok(rj_crdt_join(to->shadow, from->shadow, NULL));
    return err;
}

/* a has not seen all of b's horizon: then it can be re-based on b, else not. */
static bool is_older(const struct history *h, const struct replica *a,
                     const struct replica *b)
{
    struct rj_crdt *copy = make(h, "", true);
    struct rj_bytes nobody = {0};
    enum rj_err err;

    assert_ok(rj_crdt_join(copy, a->real, NULL));
    err = rj_crdt_rebase(copy, b->real, nobody);
    assert_true(err == RJ_OK || err == RJ_EINVAL);
    rj_crdt_free(copy);
    return err == RJ_OK;
}

/* mutual: both are too old; then the rows that `on` alone has stand as if they were
 * written now. */
static void rebase(struct history *h, struct replica *old, const struct replica *on,
                   bool mutual)
{
    char name[NAMES_MAX];

    (void)snprintf(name, sizeof(name), "n%u", h->names++);
    assert_ok(rj_crdt_rebase(old->real, on->real, rj_bytes_from_str(name)));
    h->rebased += !mutual;
    assert_ok(rj_crdt_join(old->shadow, on->shadow, NULL));
    assert_ok(rj_crdt_rename(old->shadow, rj_bytes_from_str(name), false));
    excuse_rebased(h, old, mutual);
}

/* Both take each other's state; who is too old is re-based. */
static void meet(struct history *h, struct replica *a, struct replica *b)
{
    bool a_is_older = is_older(h, a, b), b_is_older = is_older(h, b, a);

    if ((a_is_older || b_is_older) &&
        take(b_is_older ? b : a, b_is_older ? a : b) != RJ_OK) { /* it had seen some */
        h->closed++;
        if (b_is_older)
            rebase(h, b, a, a_is_older);
        else
            rebase(h, a, b, false);
    }
    assert_ok(take(a, b));
    assert_ok(take(b, a));
}

/* One way, by what the other lacks. */
static void send_diff(struct history *h, struct replica *to, const struct replica *from)
{
    struct rj_crdt_buf digest = {0}, delta = {0};
    enum rj_err err;

    assert_ok(rj_crdt_digest(to->real, &digest));
    err = rj_crdt_diff(from->real, rj_crdt_bytes(&digest), &delta);
    if (err == RJ_OK)
        err = rj_crdt_join_bytes(to->real, rj_crdt_bytes(&delta), NULL);
    if (err == RJ_OK) {
        assert_ok(rj_crdt_join(to->shadow, from->shadow, NULL));
    } else {
        assert_err(RJ_ECLOSED, err);
        h->closed++;
    }
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&delta);
}

static void forget(struct history *h, struct replica *r, bool by_age)
{
    struct rj_bytes digests[REPLICAS];
    size_t slot = rj_prng_below(&h->p, DELTAS), i;

    for (i = 0; i < REPLICAS; i++)
        digests[i] = rj_crdt_bytes(&h->replicas[i].latest);
    if (by_age)
        digests[0] = rj_crdt_bytes(&r->past);
    assert_ok(rj_crdt_forget(r->real, digests, by_age ? 1 : REPLICAS, &h->deltas[slot]));
    assert_ok(rj_crdt_digest(r->real, &r->past));
    rj_crdt_buf_free(&h->shadow_deltas[slot]); /* a shadow has nothing to tell */
    assert_ok(rj_crdt_join_deltas(
        &(struct rj_crdt_opts){.size = sizeof(struct rj_crdt_opts), .type = h->type},
        NULL, 0, &h->shadow_deltas[slot]));
    h->forgot++;
}

/* What shares rows with a value that forgets stays as it was. */
static void fork_anew(struct replica *r)
{
    struct rj_crdt_buf now = {0};

    if (r->copy != NULL) {
        assert_ok(rj_crdt_encode(r->copy, &now));
        assert_bytes_equal(rj_crdt_bytes(&r->copied), rj_crdt_bytes(&now));
        rj_crdt_buf_free(&now);
        rj_crdt_free(r->copy);
    }
    assert_ok(rj_crdt_fork(r->real, (struct rj_bytes){0}, &r->copy));
    assert_true(rj_crdt_equal(r->real, r->copy));
    assert_ok(rj_crdt_encode(r->real, &r->copied));
}

static void step(struct history *h)
{
    struct replica *r = &h->replicas[rj_prng_below(&h->p, REPLICAS)];
    struct replica *other = &h->replicas[rj_prng_below(&h->p, REPLICAS)];
    uint64_t dice = rj_prng_below(&h->p, 22);

    if (dice < 9)
        change(h, r);
    else if (dice < 13)
        deliver(h, r);
    else if (dice < 15 && r != other)
        send_diff(h, r, other);
    else if (dice < 16 && r != other)
        meet(h, r, other);
    else if (dice < 18)
        assert_ok(rj_crdt_digest(r->real, &r->latest));
    else if (dice < 20)
        forget(h, r, dice == 18);
    else
        fork_anew(r);
}

/* ---- histories */

static void assert_as_if_nothing_was_forgotten(const struct history *h)
{
    size_t i, k;

    for (i = 0; i < REPLICAS; i++) {
        const struct replica *r = &h->replicas[i];

        assert_same(r->real, h->replicas[0].real);
        assert_same(r->shadow, h->replicas[0].shadow);
        assert_true(rj_crdt_equal(r->real, h->replicas[0].real));
        if (h->type == RJ_CRDT_PNCOUNTER ||
            (h->type == RJ_CRDT_RCOUNTER && h->rebased == 0))
            assert_int_equal(count_of(r->real), count_of(r->shadow));
        for (k = 0; k < WORDS && !is_counter(h); k++)
            assert_true(h->anew[k] || shows(r->real, k) == shows(r->shadow, k));
    }
}

static void start(struct history *h, uint64_t seed)
{
    size_t i;

    rj_prng_init(&h->p, seed);
    for (i = 0; i < REPLICAS; i++) {
        struct replica *r = &h->replicas[i];
        char name[NAMES_MAX];

        (void)snprintf(name, sizeof(name), "%c", (int)('a' + i));
        r->real = make(h, name, true);
        r->shadow = make(h, name, false);
        r->clock = 100 * rj_prng_below(&h->p, 3);
        assert_ok(rj_crdt_digest(r->real, &r->past));
        assert_ok(rj_crdt_digest(r->real, &r->latest));
    }
}

static void finish(struct history *h)
{
    size_t i;

    for (i = 0; i < REPLICAS; i++) {
        rj_crdt_free(h->replicas[i].real);
        rj_crdt_free(h->replicas[i].copy);
        rj_crdt_buf_free(&h->replicas[i].copied);
        rj_crdt_free(h->replicas[i].shadow);
        rj_crdt_buf_free(&h->replicas[i].past);
        rj_crdt_buf_free(&h->replicas[i].latest);
    }
    for (i = 0; i < DELTAS; i++) {
        rj_crdt_buf_free(&h->deltas[i]);
        rj_crdt_buf_free(&h->shadow_deltas[i]);
    }
}

static struct {
    enum rj_crdt_type type;
    uint64_t seed;
} now; /* what is played */

static int say_seed(void **state)
{
    (void)state;
    if (now.seed != 0)
        printf("%s: CRDT_SEED=%llu\n", rj_crdt_type_name(now.type),
               (unsigned long long)now.seed);
    return 0;
}

static void play(struct history *h, uint64_t seed)
{
    size_t i, k;

    start(h, seed);
    for (i = 0; i < STEPS; i++)
        step(h);
    for (k = 0; k < 3; k++) { /* who was re-based brings what others had not seen */
        for (i = 1; i < REPLICAS; i++)
            meet(h, &h->replicas[0], &h->replicas[i]);
    }
    assert_as_if_nothing_was_forgotten(h);
    finish(h);
}

TEST(nothing_that_was_removed_and_forgotten_returns)
{
    static const enum rj_crdt_type types[] = {
        RJ_CRDT_TWOPSET, RJ_CRDT_ORSET_TAGGED, RJ_CRDT_LWWSET,    RJ_CRDT_OURSET,
        RJ_CRDT_RWORSET, RJ_CRDT_ORSET,        RJ_CRDT_PNCOUNTER, RJ_CRDT_RCOUNTER};
    const char *one = getenv("CRDT_SEED");
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        uint64_t seed = one != NULL ? strtoull(one, NULL, 10) : 1;
        uint64_t last = one != NULL ? seed : HISTORIES;
        unsigned closed = 0, rebased = 0;

        for (; seed <= last; seed++) {
            struct history h = {.type = types[i]};

            now.type = types[i];
            now.seed = seed;
            play(&h, seed);
            closed += h.closed;
            rebased += h.rebased;
        }
        assert_true(one != NULL || (closed > 0 && rebased > 0));
    }
    now.seed = 0;
}

/* ---- one by one */

static struct rj_crdt *forgetful(enum rj_crdt_type type, const char *name)
{
    struct history h = {.type = type};

    return make(&h, name, true);
}

static size_t size_of(const struct rj_crdt *v)
{
    struct rj_crdt_buf bytes = {0};
    size_t size;

    assert_ok(rj_crdt_encode(v, &bytes));
    size = bytes.len;
    rj_crdt_buf_free(&bytes);
    return size;
}

TEST(removals_that_all_have_take_no_room)
{
    struct rj_crdt *a = forgetful(RJ_CRDT_TWOPSET, "a"),
                   *b = forgetful(RJ_CRDT_TWOPSET, "b");
    struct rj_crdt_buf digest = {0}, delta = {0};
    struct rj_bytes others;
    char word[NAMES_MAX];
    size_t before, i;

    for (i = 0; i < 100; i++) {
        (void)snprintf(word, sizeof(word), "%zu", i);
        assert_ok(crdt_key(a, RJ_CRDT_ADD, word, NULL));
        assert_ok(crdt_key(a, RJ_CRDT_REMOVE, word, NULL));
    }
    before = size_of(a);
    assert_ok(rj_crdt_digest(b, &digest));
    others = rj_crdt_bytes(&digest);
    assert_ok(rj_crdt_forget(a, &others, 1, NULL));
    assert_int_equal(size_of(a), before); /* b has nothing yet */
    assert_ok(rj_crdt_join(b, a, NULL));
    assert_ok(rj_crdt_digest(b, &digest));
    others = rj_crdt_bytes(&digest);
    assert_ok(rj_crdt_forget(a, &others, 1, &delta));
    assert_true(size_of(a) < 64);
    assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&delta), NULL));
    assert_same(a, b);
    assert_ok(crdt_key(b, RJ_CRDT_ADD, "7", NULL));
    assert_shows(b, "[\"7\"]");
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&delta);
}

TEST(who_is_older_than_the_horizon_is_refused_and_re_based)
{
    struct rj_crdt *a = forgetful(RJ_CRDT_LWWSET, "a"),
                   *b = forgetful(RJ_CRDT_LWWSET, "b");
    struct rj_crdt_op op = crdt_op(RJ_CRDT_ADD);
    struct rj_bytes key = rj_bytes_from_str("x"), own;
    struct rj_crdt_buf digest = {0}, late = {0};

    op.keys = &key;
    op.n_keys = 1;
    op.stamp = 5;
    assert_ok(rj_crdt_write(a, &op, NULL));
    assert_ok(rj_crdt_join(b, a, NULL));
    op.code = RJ_CRDT_REMOVE;
    op.stamp = 10;
    assert_ok(rj_crdt_write(a, &op, NULL));
    op.code = RJ_CRDT_ADD;
    op.stamp = 7; /* it loses, but soon nobody can know */
    assert_ok(rj_crdt_write(b, &op, &late));
    assert_ok(crdt_key(b, RJ_CRDT_ADD, "y", NULL));
    assert_ok(rj_crdt_digest(a, &digest));
    own = rj_crdt_bytes(&digest);
    assert_ok(rj_crdt_forget(a, &own, 1, NULL));
    assert_err(RJ_ECLOSED, rj_crdt_join_bytes(a, rj_crdt_bytes(&late), NULL));
    assert_err(RJ_ECLOSED, rj_crdt_join(a, b, NULL));
    assert_err(RJ_ECLOSED, rj_crdt_join(b, a, NULL));
    assert_ok(rj_crdt_digest(b, &digest));
    assert_err(RJ_ECLOSED, rj_crdt_diff(a, rj_crdt_bytes(&digest), &late));
    assert_err(RJ_EINVAL, rj_crdt_rebase(a, b, rj_bytes_from_str("c")));
    assert_err(RJ_EEXIST, rj_crdt_rebase(b, a, rj_bytes_from_str("a")));
    assert_ok(rj_crdt_rebase(b, a, rj_bytes_from_str("c")));
    assert_ok(rj_crdt_join(a, b, NULL));
    assert_same(a, b);
    assert_shows(a, "[\"x\",\"y\"]"); /* b's own, written anew */
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&late);
}

TEST(values_without_a_horizon_forget_nothing)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_TWOPSET, "a");
    struct rj_crdt_opts opts = crdt_opts(RJ_CRDT_TEXT, "a");
    struct rj_crdt *text = NULL;

    assert_err(RJ_EINVAL, rj_crdt_forget(v, NULL, 0, NULL));
    opts.rules.horizon = 1;
    assert_err(RJ_EINVAL, rj_crdt_new(&opts, &text));
    rj_crdt_free(v);
}

static size_t rows_of(const struct rj_crdt *v)
{
    struct rj_crdt_row row;
    uint64_t cursor = 0;
    size_t n = 0;

    while (rj_crdt_next(v, &cursor, &row) == RJ_OK)
        n++;
    return n;
}

TEST(a_fork_has_the_horizon_and_moves_its_own)
{
    struct rj_crdt *a = forgetful(RJ_CRDT_RWORSET, "a"), *b = NULL, *c = NULL;
    struct rj_crdt_buf late = {0};

    assert_ok(crdt_key(a, RJ_CRDT_ADD, "x", &late));
    assert_ok(crdt_key(a, RJ_CRDT_REMOVE, "x", NULL));
    assert_ok(crdt_key(a, RJ_CRDT_ADD, "y", NULL));
    assert_ok(rj_crdt_fork(a, rj_bytes_from_str("b"), &b));
    assert_ok(rj_crdt_forget(b, NULL, 0, NULL));
    assert_int_equal(rows_of(b), 1);
    assert_int_equal(rows_of(a), 2);
    assert_shows(a, "[\"y\"]");
    assert_shows(b, "[\"y\"]");
    assert_ok(rj_crdt_fork(b, rj_bytes_from_str("c"), &c));
    assert_same(b, c);
    assert_ok(crdt_key(a, RJ_CRDT_ADD, "x", &late));
    assert_err(RJ_ECLOSED, rj_crdt_join_bytes(c, rj_crdt_bytes(&late), NULL));
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_free(c);
    rj_crdt_buf_free(&late);
}

TEST(what_has_a_horizon_or_heirs_is_told_as_a_whole)
{
    struct rj_crdt *a = forgetful(RJ_CRDT_RWORSET, "a"),
                   *b = crdt_new(RJ_CRDT_ORSET, "b");
    const struct rj_bytes key = rj_bytes_from_str("0123456789abcdef");
    struct rj_crdt_cursor cursor = {0};
    struct rj_crdt_recon *recon = NULL;
    struct rj_crdt_buf part = {0};

    assert_ok(crdt_key(a, RJ_CRDT_ADD, "x", NULL));
    assert_ok(rj_crdt_forget(a, NULL, 0, NULL));
    assert_ok(rj_crdt_retire(b, rj_bytes_from_str("z"), rj_bytes_from_str("b"), NULL));
    assert_err(RJ_ECLOSED, rj_crdt_part(a, &cursor, &part));
    assert_err(RJ_ECLOSED, rj_crdt_part(b, &cursor, &part));
    assert_err(RJ_ECLOSED, rj_crdt_recon_new(a, RJ_CRDT_AUTO, key, &recon));
    assert_err(RJ_ECLOSED, rj_crdt_recon_new(b, RJ_CRDT_AUTO, key, &recon));
    rj_crdt_free(a);
    rj_crdt_free(b);
}

static enum rj_err use(void *ctx)
{
    struct rj_crdt_opts opts = crdt_opts(RJ_CRDT_RCOUNTER, "a");
    struct rj_crdt_op op = crdt_op(RJ_CRDT_INC);
    struct rj_crdt *a = NULL, *b = NULL, *fork = NULL;
    enum rj_err err;

    (void)ctx;
    opts.rules.horizon = 1;
    op.amount = 2;
    err = rj_crdt_new(&opts, &a);
    opts.replica = rj_bytes_from_str("b");
    if (err == RJ_OK)
        err = rj_crdt_new(&opts, &b);
    if (err == RJ_OK)
        err = rj_crdt_write(a, &op, NULL);
    if (err == RJ_OK)
        err = rj_crdt_write(b, &op, NULL);
    op.code = RJ_CRDT_RESET;
    if (err == RJ_OK)
        err = rj_crdt_write(a, &op, NULL);
    if (err == RJ_OK)
        err = rj_crdt_fork(a, rj_bytes_from_str("f"), &fork);
    if (err == RJ_OK)
        err = rj_crdt_forget(a, NULL, 0, NULL);
    if (err == RJ_OK)
        err = rj_crdt_join(fork, a, NULL);
    if (err == RJ_OK)
        err = rj_crdt_rebase(b, a, rj_bytes_from_str("c"));
    if (err == RJ_OK)
        err = rj_crdt_join(a, b, NULL);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_free(fork);
    return err;
}

TEST(every_lack_of_memory_is_told)
{
    rj_test_with_failing_alloc(use, NULL);
    rj_test_with_one_failing_alloc(use, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(removals_that_all_have_take_no_room),
        cmocka_unit_test(who_is_older_than_the_horizon_is_refused_and_re_based),
        cmocka_unit_test(values_without_a_horizon_forget_nothing),
        cmocka_unit_test(a_fork_has_the_horizon_and_moves_its_own),
        cmocka_unit_test(what_has_a_horizon_or_heirs_is_told_as_a_whole),
        cmocka_unit_test(every_lack_of_memory_is_told),
        cmocka_unit_test_teardown(nothing_that_was_removed_and_forgotten_returns,
                                  say_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
