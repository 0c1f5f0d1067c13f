/* SPDX-License-Identifier: Apache-2.0 */
/* The record of what clients did. An op is made before the data call and taken back when
 * the call fails; its dot is read from the engine, so that the oracle can say later, of
 * any node, whether it has that write. Fates follow the commits as the simulated disks
 * carried them out, never what the engine says about itself. */
#include "sim/ops.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void sim_ops_free(struct sim_ops *ops)
{
    if (ops == NULL)
        return;
    for (size_t i = 0; i < ops->n; i++)
        free(ops->items[i].saw);
    free(ops->items);
    free(ops);
}

static struct sim_op *add(struct sim_world *w)
{
    struct sim_ops *ops = w->ops;

    if (ops == NULL) {
        ops = w->ops = calloc(1, sizeof(*ops));
        if (ops == NULL)
            abort();
    }
    if (ops->n == ops->cap) {
        size_t cap = ops->cap > 0 ? 2 * ops->cap : 256;
        struct sim_op *items = rj_alloc_resize(ops->items, cap, sizeof(*items));

        if (items == NULL)
            abort();
        ops->items = items;
        ops->cap = cap;
    }
    ops->items[ops->n] = (struct sim_op){.id = (uint32_t)ops->n + 1};
    return &ops->items[ops->n++];
}

/* ---- keys */

struct key_use {
    char name[6];
    enum sim_class class;
};

static const struct key_use uses[] = {
    {"c0", SIM_COUNTER}, {"c1", SIM_COUNTER}, {"g0", SIM_GROW},   {"r0", SIM_REG},
    {"r1", SIM_REG},     {"m0", SIM_STRING},  {"m1", SIM_STRING}, {"m2", SIM_STRING},
    {"s0", SIM_SET},     {"s1", SIM_SET},     {"h0", SIM_HASH},   {"h1", SIM_HASH},
    {"p0", SIM_PAIR},    {"p1", SIM_PAIR},    {"t0", SIM_TTL},    {"t1", SIM_TTL},
    {"w0", SIM_WILD},    {"w1", SIM_WILD},    {"w2", SIM_WILD},
};

enum { USES = sizeof(uses) / sizeof(uses[0]) };

static const char *const bulk_names[SIM_KEYS - USES] = {
    "b00", "b01", "b02", "b03", "b04", "b05", "b06", "b07", "b08", "b09", "b10",
    "b11", "b12", "b13", "b14", "b15", "b16", "b17", "b18", "b19", "b20"};

const char *sim_key_name(size_t key)
{
    return key < USES ? uses[key].name : bulk_names[key - USES];
}

enum sim_class sim_key_class(size_t key)
{
    return key < USES ? uses[key].class : SIM_REG;
}

struct rj_bytes sim_key(size_t key)
{
    return rj_bytes_from_str(sim_key_name(key));
}

size_t sim_key_of(enum sim_class class)
{
    size_t key = 0;

    while (sim_key_class(key) != class)
        key++;
    return key;
}

const char *sim_elem_name(const struct sim_op *op, char buf[24])
{
    if (sim_key_class(op->key) == SIM_GROW)
        snprintf(buf, 24, "e%" PRIu32, op->id);
    else
        snprintf(buf, 24, "%c", (char)('x' + op->elem));
    return buf;
}

/* ---- one op */

bool sim_shown(struct rj_bucket *b, size_t key, const char *field, int64_t *ret)
{
    struct rj_bytes value;
    char digits[32];
    enum rj_err err;

    if (field == NULL)
        err = rj_bucket_get(b, sim_key(key), &value);
    else
        err = rj_bucket_hget(b, sim_key(key), rj_bytes_from_str(field), &value);
    if (err != RJ_OK)
        return false;
    /* Bulk values are padded after a blank. */
    if (value.len > sizeof(digits) - 1)
        value.len = sizeof(digits) - 1;
    memcpy(digits, value.ptr, value.len);
    digits[value.len] = '\0';
    *ret = strtoll(digits, NULL, 10);
    return true;
}

static void note_saw(struct sim_world *w, struct rj_space *s, struct sim_op *op)
{
    size_t cap = 0;

    for (size_t i = 0; i + 1 < w->ops->n; i++) {
        const struct sim_op *old = &w->ops->items[i];

        if (old->space != op->space || old->key != op->key || old->fate == SIM_GONE ||
            !sim_peek_has(s, sim_key(op->key), old->origin, old->seq))
            continue;
        if (op->saw_n == cap) {
            cap = cap > 0 ? 2 * cap : 8;
            op->saw = rj_alloc_resize(op->saw, cap, sizeof(*op->saw));
            if (op->saw == NULL)
                abort();
        }
        op->saw[op->saw_n++] = old->id;
    }
}

struct sim_op *sim_op_begin(struct sim_world *w, struct sim_host *h, size_t space,
                            size_t key, enum sim_verb verb)
{
    struct sim_op *op = add(w);
    struct rj_space *s = sim_space(h, space);

    op->host = (uint32_t)h->index;
    op->instance = h->instance;
    op->space = (uint8_t)space;
    op->key = (uint8_t)key;
    op->verb = (uint8_t)verb;
    op->at_ms = w->now_ms;
    op->value = (int64_t)op->id * SIM_BASE;
    op->mark = rj_space_mark(s);
    note_saw(w, s, op);
    return op;
}

void sim_op_end(struct sim_world *w, struct sim_host *h, enum rj_err err)
{
    struct sim_op *op = &w->ops->items[w->ops->n - 1];
    struct rj_space *s = sim_space(h, op->space);
    uint64_t mark = rj_space_mark(s);
    char elem[24];

    sim_mix(w, (uint64_t)op->verb << 32 | (uint64_t)op->key << 16 | (uint64_t)err);
    sim_log(w, "%s %s op %" PRIu32 " verb %d %s %s %" PRId64 " -> %s", h->name,
            op->space > 0 ? "s1" : "s0", op->id, op->verb, sim_key_name(op->key),
            sim_elem_name(op, elem), op->value, rj_err_name(err));
    if (h->flush_at == SIM_NEVER)
        h->flush_at = w->now_ms;
    if (err != RJ_OK || mark == op->mark) {
        if (err != RJ_OK && mark != op->mark)
            sim_fail(w, "%s: a failed call wrote something", h->name);
        w->stats.refused++;
        free(op->saw);
        w->ops->n--;
        return;
    }
    w->stats.ops++;
    op->group = rj_node_group(h->node);
    op->mark = op->seq = mark;
    op->joining = sim_peek_unsealed(s);
    op->renamed = h->forked;
    sim_peek_origin(s, op->origin);
}

/* ---- fates */

static enum rj_durability durability_of(const struct sim_world *w)
{
    return w->durability;
}

void sim_ops_safe(struct sim_world *w, struct sim_host *h)
{
    for (size_t i = 0; w->ops != NULL && i < w->ops->n; i++) {
        struct sim_op *op = &w->ops->items[i];

        if (op->host == h->index && op->instance == h->instance &&
            op->fate == SIM_PENDING && op->group <= h->disk.safe)
            op->fate = SIM_SAFE;
    }
}

void sim_ops_acknowledged(struct sim_world *w, struct sim_host *h)
{
    uint64_t committed = rj_node_committed(h->node);

    if (committed > h->disk.done)
        sim_fail(w, "%s: committed %" PRIu64 " but told of %" PRIu64 " only", h->name,
                 committed, h->disk.done);
    for (size_t i = 0; w->ops != NULL && i < w->ops->n; i++) {
        struct sim_op *op = &w->ops->items[i];

        if (op->host != h->index || op->instance != h->instance || op->acked ||
            op->group > committed)
            continue;
        op->acked = true;
        if (op->fate != SIM_SAFE && durability_of(w) == RJ_DURABLE_ALWAYS)
            sim_fail(w, "%s: op %" PRIu32 " is acknowledged but not durable", h->name,
                     op->id);
    }
}

void sim_ops_crashed(struct sim_world *w, struct sim_host *h)
{
    bool strict = durability_of(w) == RJ_DURABLE_ALWAYS && !h->disk.eio;

    for (size_t i = 0; w->ops != NULL && i < w->ops->n; i++) {
        struct sim_op *op = &w->ops->items[i];

        if (op->host != h->index || op->instance != h->instance)
            continue;
        op->renamed |= op->joining;
        if (op->fate == SIM_PENDING)
            op->fate = strict && !(w->forked && op->renamed) ? SIM_GONE : SIM_MAYBE;
    }
    h->disk.eio = false;
}

void sim_ops_cloned(struct sim_world *w, struct sim_host *from)
{
    for (size_t i = 0; w->ops != NULL && i < w->ops->n; i++) {
        struct sim_op *op = &w->ops->items[i];

        op->renamed |= op->host == from->index && op->joining;
    }
}

void sim_ops_forked(struct sim_world *w, struct sim_host *from, struct sim_host *h,
                    size_t space)
{
    struct rj_space *s = sim_space(h, space);
    uint64_t mark = s != NULL ? rj_space_mark(s) : 0;

    for (size_t i = 0; s != NULL && w->ops != NULL && i < w->ops->n; i++) {
        struct sim_op *op = &w->ops->items[i];

        op->renamed |= op->space == space && op->host == from->index &&
                       op->instance == from->instance &&
                       (op->seq > mark || op->fate == SIM_PENDING);
    }
}

void sim_ops_backed_up(struct sim_world *w, struct sim_host *h)
{
    for (size_t i = 0; w->ops != NULL && i < w->ops->n; i++)
        if (w->ops->items[i].host == h->index)
            w->ops->items[i].saved =
                w->ops->items[i].fate == SIM_SAFE && !w->ops->items[i].elsewhere;
}

/* What was written since the backup lives on only where others have it; and what lived on
 * only at others may now be lost there. */
void sim_ops_rolled_back(struct sim_world *w, struct sim_host *h)
{
    for (size_t i = 0; w->ops != NULL && i < w->ops->n; i++) {
        struct sim_op *op = &w->ops->items[i];
        struct rj_space *s = sim_space(h, op->space);

        op->renamed |= op->host == h->index && op->joining;
        if (op->elsewhere)
            op->fate = SIM_MAYBE;
        if (op->host != h->index || op->saved || op->fate == SIM_GONE)
            continue;
        if (!w->rolled_back && w->durability != RJ_DURABLE_NONE && s != NULL &&
            op->instance == h->instance &&
            rj_space_receipts(s, op->mark, RJ_DURABLE) > 0) {
            op->fate = SIM_SAFE;
            op->elsewhere = true;
        } else {
            op->fate = SIM_MAYBE;
        }
    }
}
