/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of entries by position and, for each origin, a ring of its positions. */
#include "causal/log.h"

#include "base/alloc.h"

struct rj_log_positions {
    uint64_t *items; /* ring */
    size_t cap, start, n;
};

static uint64_t nth(const struct rj_log_positions *p, size_t i)
{
    return p->items[(p->start + i) & (p->cap - 1)];
}

/* The entry at a position that is held, or that is to be. */
static struct rj_log_entry *slot(const struct rj_log *log, uint64_t position)
{
    return &log->items[position & (log->cap - 1)];
}

static enum rj_err positions_push(struct rj_log_positions *p, uint64_t position)
{
    if (p->n == p->cap) {
        size_t cap = p->cap != 0 ? p->cap * 2 : 4, i;
        uint64_t *items = rj_alloc_array(cap, sizeof(*items));

        if (items == NULL)
            return RJ_ENOMEM;
        for (i = 0; i < p->n; i++)
            items[i] = nth(p, i);
        free(p->items);
        p->items = items;
        p->cap = cap;
        p->start = 0;
    }
    p->items[(p->start + p->n) & (p->cap - 1)] = position;
    p->n++;
    return RJ_OK;
}

static enum rj_err grow(struct rj_log *log)
{
    size_t cap = log->cap != 0 ? log->cap * 2 : 64;
    struct rj_log_entry *items;
    uint64_t p;

    if (log->end - log->begin < log->cap)
        return RJ_OK;
    if (cap > RJ_LOG_BATCHES_MAX)
        return RJ_ELIMIT;
    items = rj_alloc_array(cap, sizeof(*items));
    if (items == NULL)
        return RJ_ENOMEM;
    for (p = log->begin; p < log->end; p++)
        items[p & (cap - 1)] = *slot(log, p);
    free(log->items);
    log->items = items;
    log->cap = cap;
    return RJ_OK;
}

static enum rj_err grow_origins(struct rj_log *log, uint32_t origin)
{
    struct rj_log_positions *by_origin;
    uint32_t n;

    if (origin < log->by_origin_n)
        return RJ_OK;
    n = origin + 8;
    by_origin = rj_alloc_resize(log->by_origin, n, sizeof(*by_origin));
    if (by_origin == NULL)
        return RJ_ENOMEM;
    memset(by_origin + log->by_origin_n, 0, (n - log->by_origin_n) * sizeof(*by_origin));
    log->by_origin = by_origin;
    log->by_origin_n = n;
    return RJ_OK;
}

enum rj_err rj_log_append(struct rj_log *log, const struct rj_log_entry *e)
{
    struct rj_log_positions p;
    enum rj_err err = grow(log);

    if (err == RJ_OK)
        err = grow_origins(log, e->origin);
    if (err != RJ_OK)
        return err;
    p = log->by_origin[e->origin];
    err = positions_push(&p, log->end);
    if (err != RJ_OK)
        return err;
    log->by_origin[e->origin] = p;
    *slot(log, log->end) = *e;
    log->total_bytes += e->size;
    if (e->bytes != NULL)
        log->cached_bytes += e->size;
    else if (log->cached_from == log->end)
        log->cached_from = log->end + 1;
    log->end++;
    return RJ_OK;
}

struct rj_log_entry *rj_log_at(const struct rj_log *log, uint64_t position)
{
    if (position < log->begin || position >= log->end)
        return NULL;
    return slot(log, position);
}

uint64_t rj_log_find(const struct rj_log *log, uint32_t origin, uint64_t seq)
{
    const struct rj_log_positions *p;
    size_t low = 0, high;

    if (origin >= log->by_origin_n)
        return UINT64_MAX;
    p = &log->by_origin[origin];
    high = p->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (rj_log_entry_last(slot(log, nth(p, mid))) < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low < p->n ? nth(p, low) : UINT64_MAX;
}

uint64_t rj_log_start(const struct rj_log *log, const struct rj_vv *vv)
{
    uint64_t start = log->end;
    uint32_t o;

    for (o = 0; o < log->by_origin_n; o++) {
        uint64_t p = rj_log_find(log, o, rj_vv_get(vv, o) + 1);

        if (p < start)
            start = p;
    }
    return start;
}

static void drop_bytes(struct rj_log *log, struct rj_log_entry *e)
{
    if (e->bytes == NULL)
        return;
    free(e->bytes);
    e->bytes = NULL;
    log->cached_bytes -= e->size;
}

void rj_log_drop_front(struct rj_log *log)
{
    struct rj_log_entry *e = rj_log_at(log, log->begin);
    struct rj_log_positions *p;

    if (e == NULL)
        return;
    p = &log->by_origin[e->origin];
    p->start = (p->start + 1) & (p->cap - 1);
    p->n--;
    drop_bytes(log, e);
    log->total_bytes -= e->size;
    log->begin++;
    if (log->cached_from < log->begin)
        log->cached_from = log->begin;
}

void rj_log_uncache(struct rj_log *log, uint64_t below, size_t keep_bytes)
{
    if (log->cached_from < log->begin)
        log->cached_from = log->begin;
    while (log->cached_bytes > keep_bytes && log->cached_from < below &&
           log->cached_from < log->end) {
        drop_bytes(log, slot(log, log->cached_from));
        log->cached_from++;
    }
}

void rj_log_done(struct rj_log *log)
{
    uint32_t o;

    if (log == NULL)
        return;
    while (log->begin < log->end)
        rj_log_drop_front(log);
    for (o = 0; o < log->by_origin_n; o++)
        free(log->by_origin[o].items);
    free(log->by_origin);
    free(log->items);
    *log = (struct rj_log){0};
}
