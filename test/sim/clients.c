/* SPDX-License-Identifier: Apache-2.0 */
/* Clients: single data calls on random nodes, few keys, so that writes meet. Values bear
 * the id of the op that wrote them, counters of a register stay small against it, so what
 * is shown says what it is made of. */
#include "sim/ops.h"

#include <inttypes.h>
#include <stdio.h>

enum { VALUE_MAX = 2400 };

static struct rj_bytes value_text(const struct sim_op *op, char buf[VALUE_MAX])
{
    int n = snprintf(buf, VALUE_MAX, "%" PRId64, op->value);

    /* Bulk values: some are long, so that logs fill and transfers have several parts. */
    if (sim_key_name(op->key)[0] == 'b') {
        size_t len = 40 + (op->id * 977u) % (VALUE_MAX - 100);

        memset(buf + n, ' ', len);
        return rj_bytes_of(buf, (size_t)n + len);
    }
    return rj_bytes_of(buf, (size_t)n);
}

static uint32_t base_of(int64_t shown)
{
    return shown < SIM_BASE / 2 ? 0 : (uint32_t)((shown + SIM_BASE / 2) / SIM_BASE);
}

static enum rj_err call_set(struct sim_world *w, struct rj_bucket *b, struct sim_op *op)
{
    char buf[VALUE_MAX];
    struct rj_set_opts opts = {.ttl = RJ_TTL_CLEAR};

    if (sim_key_class(op->key) == SIM_TTL && !w->wild_clocks) {
        opts.ttl = (enum rj_ttl)sim_below(w, 3);
        opts.deadline_ms = rj_bucket_now(b) + sim_below(w, 60000);
    }
    return rj_bucket_set(b, sim_key(op->key), value_text(op, buf), &opts);
}

static enum rj_err call_incr(struct rj_bucket *b, struct sim_op *op, int64_t delta)
{
    int64_t shown = 0, sum = 0;

    op->value = delta;
    if (sim_shown(b, op->key, NULL, &shown))
        op->base = base_of(shown);
    return rj_bucket_incr(b, sim_key(op->key), delta, &sum);
}

static enum rj_err call_hash(struct rj_bucket *b, struct sim_op *op, int64_t delta)
{
    char elem[24], buf[VALUE_MAX];
    struct rj_bytes field = rj_bytes_from_str(sim_elem_name(op, elem));
    struct rj_pair pair = {.field = field};
    int64_t shown = 0, sum = 0;
    uint64_t n = 0;

    if (op->verb == SIM_DO_HDEL)
        return rj_bucket_hdel(b, sim_key(op->key), &field, 1, &n);
    if (op->verb == SIM_DO_HSET) {
        pair.value = value_text(op, buf);
        return rj_bucket_hset(b, sim_key(op->key), &pair, 1, &n);
    }
    op->value = delta;
    if (sim_shown(b, op->key, elem, &shown))
        op->base = base_of(shown);
    return rj_bucket_hincr(b, sim_key(op->key), field, delta, &sum);
}

static enum rj_err call_set_type(struct rj_bucket *b, const struct sim_op *op)
{
    char elem[24];
    struct rj_bytes e = rj_bytes_from_str(sim_elem_name(op, elem));
    uint64_t n = 0;

    if (op->verb == SIM_DO_SADD)
        return rj_bucket_sadd(b, sim_key(op->key), &e, 1, &n);
    return rj_bucket_srem(b, sim_key(op->key), &e, 1, &n);
}

static enum rj_err call(struct sim_world *w, struct rj_bucket *b, struct sim_op *op,
                        int64_t delta)
{
    bool existed = false;
    uint64_t deadline;

    switch ((enum sim_verb)op->verb) {
    case SIM_DO_SET:
        return call_set(w, b, op);
    case SIM_DO_DEL:
        return rj_bucket_del(b, sim_key(op->key), &existed);
    case SIM_DO_INCR:
        return call_incr(b, op, delta);
    case SIM_DO_SADD:
    case SIM_DO_SREM:
        return call_set_type(b, op);
    case SIM_DO_HSET:
    case SIM_DO_HDEL:
    case SIM_DO_HINCR:
        return call_hash(b, op, delta);
    case SIM_DO_EXPIRE:
        deadline = sim_chance(w, 1, 4) ? 0 : rj_bucket_now(b) + sim_below(w, 60000);
        return rj_bucket_expire(b, sim_key(op->key), deadline);
    }
    return RJ_EINVAL;
}

/* Who joined a moment ago may not know yet that it may write. */
static bool is_new(const struct sim_world *w, struct sim_host *h)
{
    for (size_t space = 0; space < SIM_SPACES_MAX; space++) {
        struct rj_space *s = sim_space(h, space);
        struct rj_space_info info;

        if (s == NULL)
            continue;
        rj_space_info(s, sim_now(w, h), &info);
        if (info.joining)
            return true;
    }
    return false;
}

/* What a call may refuse while nothing is wrong with the engine. */
static bool is_refusal(const struct sim_world *w, struct sim_host *h, enum rj_err err)
{
    return err == RJ_ENOENT || err == RJ_ETYPE || err == RJ_ERANGE || err == RJ_EBUSY ||
           (err == RJ_EDENIED && (h->outsider || w->revoked || h->reader)) ||
           (err == RJ_ECLOSED && (h->outsider || w->revoked || w->cloned)) ||
           (err == RJ_EFULL && (h->disk.full || w->now_ms - h->disk.room_since < 5000)) ||
           (err == RJ_EDENIED && is_new(w, h)) || (err == RJ_ECLOCK && w->wild_clocks) ||
           (err == RJ_EIO && h->disk.failing);
}

enum rj_err sim_write(struct sim_world *w, struct sim_host *h, size_t space, size_t key,
                      enum sim_verb verb, size_t elem, int64_t value)
{
    struct rj_bucket *b = sim_bucket(w, h, space);
    struct sim_op *op;
    enum rj_err err;

    if (b == NULL)
        return RJ_ENOENT;
    op = sim_op_begin(w, h, space, key, verb);
    op->elem = (uint8_t)elem;
    err = call(w, b, op, value);
    sim_op_end(w, h, err);
    if (err != RJ_OK && !is_refusal(w, h, err))
        sim_fail(w, "%s: verb %d on %s: %s", h->name, verb, sim_key_name(key),
                 rj_err_name(err));
    return err;
}

enum rj_err sim_write_pair(struct sim_world *w, struct sim_host *h, size_t space)
{
    size_t key = sim_key_of(SIM_PAIR);
    struct rj_bucket *b = sim_bucket(w, h, space);
    char text[24];
    struct sim_op *op;
    enum rj_err err;

    if (b == NULL)
        return RJ_ENOENT;
    if (sim_peek_joining(sim_space(h, space)))
        return RJ_EJOINING; /* who sees one half only overwrites one half only */
    err = rj_bucket_begin(b);
    if (err == RJ_EBUSY) {
        sim_host_flush(w, h);
        b = sim_bucket(w, h, space);
        err = b != NULL ? rj_bucket_begin(b) : RJ_ENOENT;
    }
    if (err != RJ_OK) {
        if (!is_refusal(w, h, err))
            sim_fail(w, "%s: begin: %s", h->name, rj_err_name(err));
        return err;
    }
    for (size_t half = 0; half < 2 && err == RJ_OK; half++) {
        op = sim_op_begin(w, h, space, key + half, SIM_DO_SET);
        op->value = (int64_t)(op->id - half) * SIM_BASE;
        snprintf(text, sizeof(text), "%" PRId64, op->value);
        err = rj_bucket_set(b, sim_key(key + half), rj_bytes_from_str(text), NULL);
        sim_op_end(w, h, err);
    }
    rj_bucket_end(b);
    if (err != RJ_OK && !is_refusal(w, h, err))
        sim_fail(w, "%s: group: %s", h->name, rj_err_name(err));
    return err;
}

/* ---- by chance */

static enum sim_verb any_verb(struct sim_world *w, enum sim_class class)
{
    static const enum sim_verb string[] = {SIM_DO_SET, SIM_DO_INCR, SIM_DO_INCR,
                                           SIM_DO_INCR, SIM_DO_DEL};
    static const enum sim_verb set[] = {SIM_DO_SADD, SIM_DO_SADD, SIM_DO_SREM,
                                        SIM_DO_DEL};
    static const enum sim_verb hash[] = {SIM_DO_HSET,  SIM_DO_HSET, SIM_DO_HINCR,
                                         SIM_DO_HINCR, SIM_DO_HDEL, SIM_DO_DEL};
    static const enum sim_verb ttl[] = {SIM_DO_SET, SIM_DO_EXPIRE, SIM_DO_EXPIRE};

    switch (class) {
    case SIM_COUNTER:
        return SIM_DO_INCR;
    case SIM_GROW:
        return SIM_DO_SADD;
    case SIM_STRING:
        return string[sim_below(w, 5)];
    case SIM_SET:
        return set[sim_below(w, 4)];
    case SIM_HASH:
        return hash[sim_below(w, 6)];
    case SIM_TTL:
        return w->wild_clocks ? SIM_DO_SET : ttl[sim_below(w, 3)];
    case SIM_WILD:
        return (enum sim_verb)sim_below(w, w->wild_clocks ? SIM_DO_EXPIRE
                                                          : SIM_DO_EXPIRE + 1);
    case SIM_REG:
    case SIM_PAIR:
    case SIM_CLASSES:
        break;
    }
    return SIM_DO_SET;
}

/* Where deletions win, every key that can be deleted often is. */
static bool is_deleted(struct sim_world *w, enum sim_class class)
{
    return w->policy == RJ_POLICY_DELETE_WINS && class != SIM_COUNTER &&
           class != SIM_GROW && class != SIM_PAIR && sim_chance(w, 1, 6);
}

void sim_write_any(struct sim_world *w, struct sim_host *h, size_t space)
{
    size_t key = sim_below(w, SIM_KEYS);
    enum sim_class class = sim_key_class(key);
    int64_t delta = (int64_t)sim_below(w, 13) - 3;
    enum sim_verb verb;

    if (class == SIM_PAIR) {
        (void)sim_write_pair(w, h, space);
        return;
    }
    verb = is_deleted(w, class) ? SIM_DO_DEL : any_verb(w, class);
    (void)sim_write(w, h, space, key, verb, sim_below(w, SIM_ELEMS), delta);
}
