/* SPDX-License-Identifier: Apache-2.0 */
/* An array of consecutive ranges, each with its vector. Few: one a part of a transfer,
 * compacted as parts become equal. */
#include "causal/contexts.h"

#include "base/alloc.h"

enum rj_err rj_contexts_init(struct rj_contexts *c, const struct rj_vv *vv)
{
    struct rj_context *items = rj_alloc_zero(4, sizeof(*items));
    enum rj_err err;

    if (items == NULL)
        return RJ_ENOMEM;
    items[0].range = (struct rj_range){0, UINT64_MAX};
    err = rj_vv_copy(&items[0].have, vv);
    if (err != RJ_OK) {
        free(items);
        return err;
    }
    *c = (struct rj_contexts){.items = items, .n = 1, .cap = 4};
    return RJ_OK;
}

void rj_contexts_done(struct rj_contexts *c)
{
    size_t i;

    if (c == NULL)
        return;
    for (i = 0; i < c->n; i++)
        rj_vv_done(&c->items[i].have);
    free(c->items);
    *c = (struct rj_contexts){0};
}

static size_t index_at(const struct rj_contexts *c, uint64_t position)
{
    size_t low = 0, high = c->n - 1;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (position > c->items[mid].range.to)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct rj_context *rj_contexts_at(const struct rj_contexts *c, uint64_t position)
{
    return &c->items[index_at(c, position)];
}

bool rj_contexts_lack(const struct rj_contexts *ctx, uint64_t position, uint32_t origin,
                      uint64_t seq)
{
    if (ctx == NULL)
        return true;
    return !rj_vv_has(&ctx->items[index_at(ctx, position)].have, origin, seq);
}

/* Makes `from` the start of an item. */
static enum rj_err split_before(struct rj_contexts *c, uint64_t from)
{
    size_t i = index_at(c, from);
    struct rj_vv have = {0};

    if (c->items[i].range.from == from)
        return RJ_OK;
    if (c->n >= RJ_CONTEXTS_MAX)
        return RJ_ELIMIT;
    if (c->n == c->cap) {
        struct rj_context *items =
            rj_alloc_resize(c->items, c->cap * 2, sizeof(*c->items));

        if (items == NULL)
            return RJ_ENOMEM;
        c->items = items;
        c->cap *= 2;
    }
    if (rj_vv_copy(&have, &c->items[i].have) != RJ_OK)
        return RJ_ENOMEM;
    memmove(&c->items[i + 1], &c->items[i], (c->n - i) * sizeof(*c->items));
    c->n++;
    c->items[i].range.to = from - 1;
    c->items[i + 1].range.from = from;
    c->items[i + 1].have = have;
    return RJ_OK;
}

enum rj_err rj_contexts_split(struct rj_contexts *c, struct rj_range range)
{
    enum rj_err err = split_before(c, range.from);

    if (err == RJ_OK && range.to != UINT64_MAX)
        err = split_before(c, range.to + 1);
    return err;
}

enum rj_err rj_contexts_join(struct rj_contexts *c, struct rj_range range,
                             const struct rj_vv *S)
{
    size_t i;

    for (i = index_at(c, range.from); i < c->n && c->items[i].range.from <= range.to;
         i++) {
        if (rj_vv_join(&c->items[i].have, S) != RJ_OK)
            return RJ_ENOMEM;
    }
    return RJ_OK;
}

enum rj_err rj_contexts_renew(struct rj_contexts *c, struct rj_range range,
                              const struct rj_vv *S)
{
    size_t i;

    for (i = index_at(c, range.from); i < c->n && c->items[i].range.from <= range.to;
         i++) {
        if (rj_vv_copy(&c->items[i].have, S) != RJ_OK)
            return RJ_ENOMEM;
    }
    return RJ_OK;
}

enum rj_err rj_contexts_applied(struct rj_contexts *c, uint32_t origin, uint64_t last)
{
    size_t i;

    for (i = 0; i < c->n; i++) {
        if (rj_vv_get(&c->items[i].have, origin) < last &&
            rj_vv_put(&c->items[i].have, origin, last) != RJ_OK)
            return RJ_ENOMEM;
    }
    return RJ_OK;
}

enum rj_err rj_contexts_min(const struct rj_contexts *c, struct rj_vv *v)
{
    enum rj_err err = rj_vv_copy(v, &c->items[0].have);
    size_t i;

    for (i = 1; err == RJ_OK && i < c->n; i++)
        rj_vv_meet(v, &c->items[i].have);
    return err;
}

bool rj_contexts_are_equal(const struct rj_contexts *c)
{
    size_t i;

    for (i = 1; i < c->n; i++) {
        if (!rj_vv_equal(&c->items[0].have, &c->items[i].have))
            return false;
    }
    return true;
}

const struct rj_context *rj_contexts_lacking(const struct rj_contexts *c, uint64_t from,
                                             const struct rj_vv *need)
{
    size_t i;

    for (i = index_at(c, from); i < c->n; i++) {
        if (!rj_vv_covers(&c->items[i].have, need))
            return &c->items[i];
    }
    return NULL;
}

void rj_contexts_compact(struct rj_contexts *c)
{
    size_t i, kept = 0;

    for (i = 1; i < c->n; i++) {
        if (rj_vv_equal(&c->items[kept].have, &c->items[i].have)) {
            c->items[kept].range.to = c->items[i].range.to;
            rj_vv_done(&c->items[i].have);
        } else {
            c->items[++kept] = c->items[i];
        }
    }
    c->n = kept + 1;
}
