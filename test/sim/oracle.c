/* SPDX-License-Identifier: Apache-2.0 */
/* The expected state as a function of the set of writes that a node has, computed without
 * any order (after the oracle of the executable model): a write is live iff no write that
 * the node has and that overwrites it was made where it had been seen; where deletions
 * win, also iff it was made where each deletion of its key had been seen. Stamps are not
 * looked at: of several live registers any may be shown, but all nodes must show the same
 * one (check.c compares them). */
#include "sim/check.h"
#include "sim/ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    OPS_MAX = 4096,
    ANY_ELEM = 255,
    COPIES_MAX = 4 /* each copy of a disk issues what lay unsealed on it again */
};

/* The ops on one key that are known to have survived. */
struct known {
    const struct sim_op *ops[OPS_MAX];
    size_t n;
    bool delete_wins;
    bool fuzzy;   /* some dot says nothing: only what is surely wrong is reported */
    bool returns; /* a write may be there though a deletion should have ended it */
};

static bool saw(const struct sim_op *q, const struct sim_op *p)
{
    size_t from = 0, to = q->saw_n;

    while (from < to) {
        size_t mid = from + (to - from) / 2;

        if (q->saw[mid] == p->id)
            return true;
        if (q->saw[mid] < p->id)
            from = mid + 1;
        else
            to = mid;
    }
    return false;
}

/* An increment of a register takes away counters, one of a counter takes away registers:
 * what was shown goes on alone. */
static bool is_other_sort(const struct sim_op *q, const struct sim_op *p)
{
    bool increments = p->verb == SIM_DO_INCR || p->verb == SIM_DO_HINCR;

    return q->base != 0 ? increments && p->base == 0 : !increments;
}

/* Whether q overwrites what p made, when it saw it. */
static bool covers(const struct sim_op *q, const struct sim_op *p)
{
    switch ((enum sim_verb)q->verb) {
    case SIM_DO_SET:
    case SIM_DO_DEL:
        return true;
    case SIM_DO_SADD:
    case SIM_DO_SREM:
    case SIM_DO_HSET:
    case SIM_DO_HDEL:
        return q->elem == p->elem;
    case SIM_DO_INCR:
        return is_other_sort(q, p);
    case SIM_DO_HINCR:
        return q->elem == p->elem && is_other_sort(q, p);
    case SIM_DO_EXPIRE:
        break;
    }
    return false;
}

static bool creates(const struct sim_op *p)
{
    return p->verb != SIM_DO_DEL && p->verb != SIM_DO_SREM && p->verb != SIM_DO_HDEL;
}

static bool live(const struct known *k, const struct sim_op *p)
{
    if (!creates(p))
        return false;
    for (size_t i = 0; i < k->n; i++) {
        const struct sim_op *q = k->ops[i];

        if (q != p && covers(q, p) && saw(q, p))
            return false;
        if (k->delete_wins && q->verb == SIM_DO_DEL && !saw(p, q))
            return false;
    }
    return true;
}

/* What a host wrote while it took over the state counts as later than deletions that all
 * others had forgotten by then: which ones is not known here. */
static bool may_be_late(const struct known *k)
{
    for (size_t i = 0; i < k->n && k->delete_wins; i++)
        for (size_t j = 0; j < k->n && k->ops[i]->joining; j++)
            if (k->ops[j]->verb == SIM_DO_DEL && i != j && !saw(k->ops[i], k->ops[j]))
                return true;
    return false;
}

/* Known not to hold (doc/architecture.md): what had not seen a deletion returns where all
 * had forgotten that too soon, and who had the write took the state, not the batches. */
static bool may_return(const struct sim_world *w, const struct known *k, size_t space)
{
    for (size_t i = 0; i < k->n && k->delete_wins && sim_told_too_much(w); i++)
        for (size_t j = 0; j < k->n && creates(k->ops[i]); j++)
            if (k->ops[j]->verb == SIM_DO_DEL && !saw(k->ops[i], k->ops[j]) &&
                k->ops[i]->at_ms <= w->took_ms[space])
                return true;
    return false;
}

/* Reports that the key is wrong; true: it is known that it may be. */
static bool is_excused(struct sim_world *w, const struct known *k)
{
    if (k->returns)
        w->stats.beyond++;
    return k->returns;
}

/* The ops on a key that h has; what was safe must be there, what is gone must not. */
static void find_known(struct sim_world *w, struct sim_host *h, size_t space, size_t key,
                       struct known *k)
{
    struct rj_space *s = sim_space(h, space);

    k->n = 0;
    k->delete_wins = w->policy == RJ_POLICY_DELETE_WINS;
    k->fuzzy = false;
    for (size_t i = 0; i < w->ops->n && !w->failed; i++) {
        struct sim_op *op = &w->ops->items[i];
        bool has;

        if (op->space != space || op->key != key)
            continue;
        has = sim_peek_has(s, sim_key(key), op->origin, op->seq);
        if (op->renamed && op->fate != SIM_GONE) {
            k->fuzzy = true;
            has = true;
        } else if (!has && (op->fate == SIM_SAFE || op->fate == SIM_PENDING)) {
            sim_fail(w, "lost: op %" PRIu32 " of %s at t=%" PRIu64 " on %s is not at %s",
                     op->id, w->hosts[op->host].name, op->at_ms, sim_key_name(key),
                     h->name);
        } else if (has && op->fate == SIM_GONE) {
            sim_fail(w, "op %" PRIu32 " of %s on %s left before it was durable", op->id,
                     w->hosts[op->host].name, sim_key_name(key));
        }
        if (has && k->n < OPS_MAX)
            k->ops[k->n++] = op;
    }
    k->fuzzy |= may_be_late(k);
    k->returns = may_return(w, k, space);
}

/* ---- registers and counters, whole keys or one field */

static int64_t sum_on(const struct known *k, uint32_t base, uint8_t elem)
{
    int64_t sum = 0;

    for (size_t i = 0; i < k->n; i++) {
        const struct sim_op *op = k->ops[i];

        if ((op->verb == SIM_DO_INCR || op->verb == SIM_DO_HINCR) && op->base == base &&
            (elem == ANY_ELEM || op->elem == elem) && live(k, op))
            sum += op->value;
    }
    return sum;
}

static bool counts(const struct known *k, uint8_t elem)
{
    for (size_t i = 0; i < k->n; i++) {
        const struct sim_op *op = k->ops[i];

        if ((op->verb == SIM_DO_INCR || op->verb == SIM_DO_HINCR) && op->base == 0 &&
            (elem == ANY_ELEM || op->elem == elem) && live(k, op))
            return true;
    }
    return false;
}

/* Whether `shown` is a value that some choice among the live ones gives; *ret_any whether
 * anything is live. */
static bool number_fits(const struct known *k, uint8_t elem, bool is_shown, int64_t shown,
                        bool *ret_any)
{
    bool fits = false;

    *ret_any = counts(k, elem);
    if (*ret_any && is_shown)
        fits = shown == sum_on(k, 0, elem);
    for (size_t i = 0; i < k->n; i++) {
        const struct sim_op *op = k->ops[i];

        if ((op->verb != SIM_DO_SET && op->verb != SIM_DO_HSET) ||
            (elem != ANY_ELEM && op->elem != elem) || !live(k, op))
            continue;
        *ret_any = true;
        fits |= is_shown && shown == op->value + sum_on(k, op->id, elem);
    }
    return fits;
}

static void describe(struct sim_world *w, const struct known *k, const struct sim_op *op)
{
    char line[300];
    int n = snprintf(line, sizeof(line),
                     "  op %" PRIu32 " %s t=%" PRIu64 " dot %02x%02x:%" PRIu64
                     " verb %d value %" PRId64 " base %" PRIu32 "%s%s saw",
                     op->id, w->hosts[op->host].name, op->at_ms, op->origin[0],
                     op->origin[1], op->seq, op->verb, op->value, op->base,
                     op->renamed ? " renamed" : "", live(k, op) ? " live" : "");

    for (size_t i = 0; i < op->saw_n && n < (int)sizeof(line) - 12; i++)
        n += snprintf(line + n, sizeof(line) - (size_t)n, " %" PRIu32, op->saw[i]);
    sim_log(w, "%s", line);
}

static void check_number(struct sim_world *w, struct sim_host *h, size_t space,
                         size_t key, const struct known *k, uint8_t elem)
{
    struct rj_bucket *b = sim_bucket(w, h, space);
    char field[2] = {(char)('x' + elem), '\0'};
    int64_t shown = 0;
    bool is_shown = sim_shown(b, key, elem == ANY_ELEM ? NULL : field, &shown);
    bool any = false;
    bool fits = number_fits(k, elem, is_shown, shown, &any);

    if (k->fuzzy || (is_shown ? fits : !any) || (is_shown && is_excused(w, k)))
        return;
    sim_fail(w, "%s shows %s%s%s = %s%" PRId64 "; %s", h->name, sim_key_name(key),
             elem == ANY_ELEM ? "" : ".", elem == ANY_ELEM ? "" : field,
             is_shown ? "" : "nothing, not ", shown,
             any ? "no live write says that" : "nothing is live");
    for (size_t i = 0; i < k->n; i++) {
        const struct sim_op *op = k->ops[i];

        if (elem != ANY_ELEM && op->elem != elem && op->verb != SIM_DO_DEL)
            continue;
        describe(w, k, op);
    }
    sim_dump_key(w, h, space, key);
}

/* ---- sets */

static void check_member(struct sim_world *w, struct sim_host *h, const struct known *k,
                         const struct sim_op *op, bool want)
{
    char name[24];
    bool is = false;
    size_t key = op->key;
    enum rj_err err =
        rj_bucket_sismember(sim_bucket(w, h, op->space), sim_key(key),
                            rj_bytes_from_str(sim_elem_name(op, name)), &is);

    if (err != RJ_OK && err != RJ_ENOENT)
        sim_fail(w, "%s: sismember %s: %s", h->name, sim_key_name(key), rj_err_name(err));
    if (is != want && !(is && is_excused(w, k)))
        sim_fail(w, "%s: %s %s in %s", h->name, sim_elem_name(op, name),
                 is ? "should not be" : "should be", sim_key_name(key));
}

static void check_set(struct sim_world *w, struct sim_host *h, size_t space, size_t key,
                      const struct known *k)
{
    for (uint8_t elem = 0; elem < SIM_ELEMS && !k->fuzzy; elem++) {
        struct sim_op probe = {
            .space = (uint8_t)space, .key = (uint8_t)key, .elem = elem};
        bool want = false;

        for (size_t i = 0; i < k->n; i++)
            want |= k->ops[i]->elem == elem && k->ops[i]->verb == SIM_DO_SADD &&
                    live(k, k->ops[i]);
        check_member(w, h, k, &probe, want);
    }
}

static void check_grow(struct sim_world *w, struct sim_host *h, size_t space, size_t key,
                       const struct known *k)
{
    uint64_t n = 0;
    enum rj_err err;

    for (size_t i = 0; i < k->n; i++)
        if (!k->ops[i]->renamed || k->ops[i]->fate == SIM_SAFE)
            check_member(w, h, k, k->ops[i], true);
    err = rj_bucket_scard(sim_bucket(w, h, space), sim_key(key), &n);
    if (err != RJ_OK || (n != k->n && !k->fuzzy) || n > k->n)
        sim_fail(w, "%s: %s has %" PRIu64 " elements, not %zu (%s)", h->name,
                 sim_key_name(key), n, k->n, rj_err_name(err));
}

/* A counter also when dots changed: each increment counts once, or perhaps once. */
static void check_counter(struct sim_world *w, struct sim_host *h, size_t space,
                          size_t key, const struct known *k)
{
    int64_t low = 0, high = 0, shown = 0;

    for (size_t i = 0; i < k->n; i++) {
        const struct sim_op *op = k->ops[i];
        bool sure =
            !op->renamed || (op->fate == SIM_SAFE && !w->cloned && !w->rolled_back);
        int64_t most = op->renamed && (w->cloned || w->rolled_back) ? COPIES_MAX : 1;

        low += sure || op->value < 0 ? op->value * (op->value < 0 ? most : 1) : 0;
        high += sure || op->value > 0 ? op->value * (op->value > 0 ? most : 1) : 0;
    }
    (void)sim_shown(sim_bucket(w, h, space), key, NULL, &shown);
    if (shown < low || shown > high)
        sim_fail(w, "%s: counter %s is %" PRId64 ", not %" PRId64 "..%" PRId64, h->name,
                 sim_key_name(key), shown, low, high);
}

void sim_oracle_check(struct sim_world *w, struct sim_host *h, size_t space)
{
    struct known *k = malloc(sizeof(*k));

    if (k == NULL)
        abort();
    for (size_t key = 0; key < SIM_KEYS && !w->failed && w->ops != NULL; key++) {
        find_known(w, h, space, key, k);
        switch (sim_key_class(key)) {
        case SIM_COUNTER:
            check_counter(w, h, space, key, k);
            break;
        case SIM_GROW:
            check_grow(w, h, space, key, k);
            break;
        case SIM_REG:
        case SIM_PAIR:
        case SIM_STRING:
            check_number(w, h, space, key, k, ANY_ELEM);
            break;
        case SIM_SET:
            check_set(w, h, space, key, k);
            break;
        case SIM_HASH:
            for (uint8_t elem = 0; elem < SIM_ELEMS && !w->failed; elem++)
                check_number(w, h, space, key, k, elem);
            break;
        case SIM_TTL:
        case SIM_WILD:
        case SIM_CLASSES:
            break;
        }
    }
    free(k);
}
