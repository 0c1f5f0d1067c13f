/* SPDX-License-Identifier: Apache-2.0 */
/* The laws, for every type in the table, over random histories: three replicas change,
 * exchange states, and deltas that come late, twice or before others. */
#include "base/prng.h"
#include "support/crdt_value.h"

#include <rejoin/crdt.h>
#include <stdio.h>
#include <string.h>

enum {
    REPLICAS = 3,
    DELTAS = 16,
    PARTS = 1024, /* more than a history makes */
    HISTORIES = 24,
    MAP_HISTORIES = 200,
    STEPS = 36,
    CODES = 6
};

static const char *const names[REPLICAS] = {"a", "bb", "c"};
static const struct rj_bytes words[] = {{(const uint8_t *)"x", 1},
                                        {(const uint8_t *)"xy", 2},
                                        {(const uint8_t *)"a", 1},
                                        {(const uint8_t *)"", 0},
                                        {(const uint8_t *)"\xff\0", 2}};

/* The changes that a type knows. */
static const struct form {
    enum rj_crdt_type type;
    enum rj_crdt_code codes[CODES];
} forms[] = {
    {RJ_CRDT_GCOUNTER, {RJ_CRDT_INC}},
    {RJ_CRDT_PNCOUNTER, {RJ_CRDT_INC, RJ_CRDT_DEC}},
    {RJ_CRDT_RCOUNTER, {RJ_CRDT_INC, RJ_CRDT_DEC, RJ_CRDT_RESET}},
    {RJ_CRDT_BCOUNTER, {RJ_CRDT_INC, RJ_CRDT_DEC, RJ_CRDT_MOVE}},
    {RJ_CRDT_GSET, {RJ_CRDT_ADD}},
    {RJ_CRDT_TWOPSET, {RJ_CRDT_ADD, RJ_CRDT_REMOVE}},
    {RJ_CRDT_LWWSET, {RJ_CRDT_ADD, RJ_CRDT_REMOVE}},
    {RJ_CRDT_ORSET_TAGGED, {RJ_CRDT_ADD, RJ_CRDT_REMOVE}},
    {RJ_CRDT_ORSET, {RJ_CRDT_ADD, RJ_CRDT_ADD, RJ_CRDT_REMOVE, RJ_CRDT_CLEAR}},
    {RJ_CRDT_RWORSET, {RJ_CRDT_ADD, RJ_CRDT_ADD, RJ_CRDT_REMOVE, RJ_CRDT_CLEAR}},
    {RJ_CRDT_OURSET, {RJ_CRDT_PUT, RJ_CRDT_PUT, RJ_CRDT_REMOVE}},
    {RJ_CRDT_EWFLAG, {RJ_CRDT_ENABLE, RJ_CRDT_DISABLE, RJ_CRDT_CLEAR}},
    {RJ_CRDT_DWFLAG, {RJ_CRDT_ENABLE, RJ_CRDT_DISABLE, RJ_CRDT_CLEAR}},
    {RJ_CRDT_GFLAG, {RJ_CRDT_ENABLE}},
    {RJ_CRDT_LWWREG, {RJ_CRDT_SET}},
    {RJ_CRDT_MVREG, {RJ_CRDT_SET, RJ_CRDT_SET, RJ_CRDT_CLEAR, RJ_CRDT_RESOLVE}},
    {RJ_CRDT_LWWMAP, {RJ_CRDT_PUT, RJ_CRDT_PUT, RJ_CRDT_REMOVE, RJ_CRDT_CLEAR}},
    {RJ_CRDT_ORMAP, {RJ_CRDT_REMOVE}},
    {RJ_CRDT_LIST, {RJ_CRDT_INSERT, RJ_CRDT_INSERT, RJ_CRDT_DELETE}},
    {RJ_CRDT_TEXT, {RJ_CRDT_INSERT, RJ_CRDT_INSERT, RJ_CRDT_DELETE}},
    {RJ_CRDT_VV, {RJ_CRDT_INC}},
    {RJ_CRDT_CAUSAL_CONTEXT, {RJ_CRDT_NOTE, RJ_CRDT_INC}},
};

enum { FORMS = sizeof(forms) / sizeof(forms[0]) };

static const struct form *form_of(enum rj_crdt_type type)
{
    size_t i;

    for (i = 0; i < FORMS; i++) {
        if (forms[i].type == type)
            return &forms[i];
    }
    return NULL;
}

/* ---- values */

struct setting {
    enum rj_crdt_type type;
    struct rj_crdt_rules rules;
};

static struct rj_crdt *make(const struct setting *set, const char *name)
{
    struct rj_crdt_opts opts = {
        .size = sizeof(opts), .type = set->type, .rules = set->rules};
    struct rj_crdt *v = NULL;

    opts.replica = rj_bytes_from_str(name);
    assert_ok(rj_crdt_new(&opts, &v));
    return v;
}

/* Another value with the same state, that writes nothing: decoded from v's bytes. */
static struct rj_crdt *copy_of(const struct setting *set, const struct rj_crdt *v)
{
    struct rj_crdt_opts opts = {
        .size = sizeof(opts), .type = set->type, .rules = set->rules};
    struct rj_crdt_buf bytes = {0};
    struct rj_crdt *copy = NULL;

    assert_ok(rj_crdt_encode(v, &bytes));
    assert_ok(rj_crdt_decode(&opts, rj_crdt_bytes(&bytes), &copy));
    assert_same(v, copy);
    rj_crdt_buf_free(&bytes);
    return copy;
}

/* ---- changes */

static enum rj_crdt_type below(struct rj_prng *p)
{
    enum rj_crdt_type type;

    do {
        type = (enum rj_crdt_type)(1 + rj_prng_below(p, RJ_CRDT_TYPE_END - 1));
    } while (rj_crdt_type_name(type) == NULL);
    return type;
}

/* nested: the two types that this history has in its map */
static void choose(struct rj_prng *p, enum rj_crdt_type type,
                   const enum rj_crdt_type nested[2], struct rj_crdt_op *op)
{
    const struct form *form;
    size_t n = 0;

    op->keys = &words[rj_prng_below(p, 4)];
    op->n_keys = 1 + rj_prng_chance(p, 1, 8);
    op->value = words[rj_prng_below(p, 5)];
    op->tag = words[rj_prng_below(p, 3)];
    op->amount = (int64_t)rj_prng_below(p, 12) - 2;
    op->stamp = rj_prng_below(p, 4);
    op->pos = rj_prng_below(p, 4);
    op->count = 1 + rj_prng_below(p, 2);
    if (rj_prng_chance(p, 1, 4))
        op->flags = RJ_CRDT_NOW;
    if (type == RJ_CRDT_ORMAP) {
        op->path = &words[rj_prng_below(p, 2)];
        op->n_path = 1 + rj_prng_below(p, 2);
        op->at = rj_prng_chance(p, 1, 4) ? RJ_CRDT_NONE : nested[rj_prng_below(p, 2)];
        type = op->at != RJ_CRDT_NONE ? op->at : type;
    }
    form = form_of(type);
    while (n < CODES && form->codes[n] != 0)
        n++;
    op->code = form->codes[rj_prng_below(p, n)];
}

struct history {
    struct setting set;
    enum rj_crdt_type nested[2];
    struct rj_crdt *values[REPLICAS];
    struct rj_crdt_buf deltas[DELTAS];
    struct rj_crdt_buf context;
};

static bool takes_away(const struct rj_crdt_op *op)
{
    return op->code == RJ_CRDT_REMOVE || op->code == RJ_CRDT_CLEAR ||
           op->code == RJ_CRDT_RESET || op->code == RJ_CRDT_DISABLE;
}

/* A change that is refused changes nothing; what it makes is in its delta in full. */
static void write_one(struct rj_prng *p, struct history *h, struct rj_crdt *v,
                      const struct rj_crdt *reader)
{
    struct rj_crdt_buf *delta = &h->deltas[rj_prng_below(p, DELTAS)];
    struct rj_crdt *before = copy_of(&h->set, v);
    struct rj_crdt_op op = {.size = sizeof(op)};
    struct rj_crdt_buf made = {0};
    enum rj_err err;

    choose(p, h->set.type, h->nested, &op);
    if (reader != NULL && takes_away(&op)) {
        assert_ok(rj_crdt_context(reader, &h->context));
        op.flags |= RJ_CRDT_CAUSED;
        op.context = rj_crdt_bytes(&h->context);
    }
    err = rj_crdt_write(v, &op, &made);
    if (err != RJ_OK) {
        assert_true(err == RJ_EINVAL || err == RJ_ERANGE || err == RJ_ETYPE);
    } else {
        assert_ok(rj_crdt_join_bytes(before, rj_crdt_bytes(&made), NULL));
        rj_crdt_buf_free(delta);
        *delta = made;
        made = (struct rj_crdt_buf){0};
    }
    assert_same(before, v);
    rj_crdt_buf_free(&made);
    rj_crdt_free(before);
}

/* A join holds all of both sides, and a second time changes nothing. */
static void join_one(const struct history *h, struct rj_crdt *v, struct rj_bytes bytes)
{
    struct rj_crdt *before = copy_of(&h->set, v), *after;
    enum rj_crdt_order order;

    assert_ok(rj_crdt_join_bytes(v, bytes, NULL));
    after = copy_of(&h->set, v);
    assert_ok(rj_crdt_compare(before, v, &order));
    assert_true(order == RJ_CRDT_BEFORE || order == RJ_CRDT_EQUAL);
    assert_ok(rj_crdt_join_bytes(v, bytes, NULL));
    assert_ok(rj_crdt_join(v, before, NULL));
    assert_same(v, after);
    rj_crdt_free(before);
    rj_crdt_free(after);
}

static void step(struct rj_prng *p, struct history *h)
{
    struct rj_crdt *v = h->values[rj_prng_below(p, REPLICAS)];
    struct rj_crdt *other = h->values[rj_prng_below(p, REPLICAS)];
    const struct rj_crdt_buf *delta = &h->deltas[rj_prng_below(p, DELTAS)];
    struct rj_crdt_buf state = {0};
    uint64_t dice = rj_prng_below(p, 10);

    if (dice < 1) {
        assert_ok(rj_crdt_encode(other, &state));
        join_one(h, v, rj_crdt_bytes(&state));
        rj_crdt_buf_free(&state);
    } else if (dice < 4) {
        if (delta->len > 0)
            join_one(h, v, rj_crdt_bytes(delta));
    } else {
        write_one(p, h, v, dice == 9 ? other : NULL);
    }
}

/* ---- laws */

static struct rj_crdt *joined(const struct setting *set, const struct rj_crdt *a,
                              const struct rj_crdt *b)
{
    struct rj_crdt *v = copy_of(set, a);

    assert_ok(rj_crdt_join(v, b, NULL));
    return v;
}

static void assert_associative(const struct history *h)
{
    struct rj_crdt *ab = joined(&h->set, h->values[0], h->values[1]);
    struct rj_crdt *bc = joined(&h->set, h->values[1], h->values[2]);
    struct rj_crdt *ba = joined(&h->set, h->values[1], h->values[0]);
    struct rj_crdt *left = joined(&h->set, ab, h->values[2]);
    struct rj_crdt *right = joined(&h->set, h->values[0], bc);
    struct rj_crdt *twice = joined(&h->set, left, left);

    assert_same(ab, ba);
    assert_same(left, right);
    assert_same(left, twice);
    rj_crdt_free(ab);
    rj_crdt_free(bc);
    rj_crdt_free(ba);
    rj_crdt_free(left);
    rj_crdt_free(right);
    rj_crdt_free(twice);
}

/* The difference against b's digest brings b all that a has, and no row that b had. */
static void assert_diff_suffices(const struct history *h, const struct rj_crdt *a,
                                 const struct rj_crdt *b)
{
    struct rj_crdt *both = joined(&h->set, a, b), *by_diff = copy_of(&h->set, b);
    struct rj_crdt_buf digest = {0}, delta = {0};
    struct rj_crdt_report report = {0};

    assert_ok(rj_crdt_digest(b, &digest));
    assert_ok(rj_crdt_diff(a, rj_crdt_bytes(&digest), &delta));
    assert_ok(rj_crdt_join_bytes(by_diff, rj_crdt_bytes(&delta), &report));
    assert_int_equal(report.known, 0);
    assert_int_equal(report.stale, 0);
    assert_same(both, by_diff);
    rj_crdt_free(both);
    rj_crdt_free(by_diff);
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&delta);
}

/* The parts of v, joined in another order by a value that has nothing, are v. */
static void assert_parts_are_all(struct rj_prng *p, const struct history *h,
                                 const struct rj_crdt *v)
{
    struct rj_crdt *late = make(&h->set, "");
    struct rj_crdt_buf parts[PARTS] = {{0}};
    struct rj_crdt_cursor cursor = {0};
    size_t n = 0, i;
    enum rj_err err = RJ_OK;

    while (n < PARTS && (err = rj_crdt_part(v, &cursor, &parts[n])) == RJ_OK)
        n++;
    assert_err(RJ_ENOENT, err);
    for (i = 0; i < n; i++) {
        size_t other = i + (size_t)rj_prng_below(p, n - i);
        struct rj_crdt_buf part = parts[other];

        parts[other] = parts[i];
        parts[i] = part;
        assert_ok(rj_crdt_join_bytes(late, rj_crdt_bytes(&part), NULL));
        rj_crdt_buf_free(&parts[i]);
    }
    assert_same(v, late);
    rj_crdt_free(late);
}

/* All deltas, which their writers have joined, add nothing to all states; nor do they
 * when an empty value takes them first, in any order. */
static void assert_deltas_are_in(struct rj_prng *p, const struct history *h)
{
    struct rj_crdt *all = joined(&h->set, h->values[0], h->values[1]);
    struct rj_crdt *late = make(&h->set, "");
    size_t i;

    assert_ok(rj_crdt_join(all, h->values[2], NULL));
    for (i = 0; i < 2 * DELTAS; i++) {
        const struct rj_crdt_buf *delta = &h->deltas[rj_prng_below(p, DELTAS)];

        if (delta->len > 0)
            assert_ok(rj_crdt_join_bytes(late, rj_crdt_bytes(delta), NULL));
    }
    for (i = 0; i < REPLICAS; i++)
        assert_ok(rj_crdt_join(late, h->values[i], NULL));
    assert_same(all, late);
    rj_crdt_free(all);
    rj_crdt_free(late);
}

static void play(const struct setting *set, uint64_t seed)
{
    struct history h = {.set = *set};
    struct rj_prng p;
    size_t i, k;

    rj_prng_init(&p, seed);
    h.nested[0] = below(&p);
    h.nested[1] = below(&p);
    for (i = 0; i < REPLICAS; i++)
        h.values[i] = make(set, names[i]);
    for (i = 0; i < STEPS; i++)
        step(&p, &h);
    assert_associative(&h);
    for (i = 0; i < REPLICAS; i++) {
        for (k = 0; k < REPLICAS; k++)
            assert_diff_suffices(&h, h.values[i], h.values[k]);
        assert_parts_are_all(&p, &h, h.values[i]);
    }
    assert_deltas_are_in(&p, &h);
    for (i = 0; i < REPLICAS; i++)
        rj_crdt_free(h.values[i]);
    for (i = 0; i < DELTAS; i++)
        rj_crdt_buf_free(&h.deltas[i]);
    rj_crdt_buf_free(&h.context);
}

static struct {
    struct setting set;
    uint64_t seed;
} now; /* what is played */

static void play_all(const struct setting *set)
{
    const char *one = getenv("CRDT_SEED");
    uint64_t seed = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t last = one != NULL                  ? seed
                    : set->type == RJ_CRDT_ORMAP ? MAP_HISTORIES
                                                 : HISTORIES;

    for (; seed <= last; seed++) {
        now.set = *set;
        now.seed = seed;
        play(set, seed);
    }
    now.seed = 0;
}

/* A failed assertion leaves the test: this says which history it was. */
static int say_seed(void **state)
{
    (void)state;
    if (now.seed != 0)
        printf("%s, bias %d, tie %d: CRDT_SEED=%llu\n", rj_crdt_type_name(now.set.type),
               (int)now.set.rules.bias, (int)now.set.rules.tie,
               (unsigned long long)now.seed);
    return 0;
}

TEST(every_type_obeys_the_laws)
{
    struct setting set = {.rules.size = sizeof(set.rules)};
    unsigned type, bias, tie;

    for (type = 1; type < RJ_CRDT_TYPE_END; type++) {
        bool stamped = type == RJ_CRDT_LWWSET || type == RJ_CRDT_OURSET ||
                       type == RJ_CRDT_LWWREG || type == RJ_CRDT_ORMAP;

        set.type = (enum rj_crdt_type)type;
        if (rj_crdt_type_name(set.type) == NULL || form_of(set.type) == NULL)
            continue;
        for (bias = 0; bias < (stamped ? 2 : 1); bias++) {
            for (tie = 0; tie < (stamped ? 3 : 1); tie++) {
                set.rules.bias = (enum rj_crdt_bias)bias;
                set.rules.tie = (enum rj_crdt_tie)tie;
                play_all(&set);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_type_obeys_the_laws, say_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
