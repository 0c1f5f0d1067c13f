/* SPDX-License-Identifier: Apache-2.0 */
/* A sorted array. The level of a point is the number of zero bits that its hash begins
 * with: each level has half as many points as the one below, and which they are is the
 * same on all nodes (the idea of Pugh 1990, skip lists, with the coin thrown by a hash).
 */
#include "causal/trail.h"

#include "base/alloc.h"
#include "base/be.h"

/* Index of the first point that ends at seq or behind it; n: none. */
static size_t place(const struct rj_trail *t, uint64_t seq)
{
    size_t low = 0, high = t->n;

    if (t->n > 0 && t->points[t->n - 1].last < seq)
        return t->n; /* nearly always */
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (t->points[mid].last < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static enum rj_err reserve(struct rj_trail *t, size_t n)
{
    size_t cap = t->cap != 0 ? t->cap : 4;
    struct rj_trail_point *points;

    while (cap < n)
        cap *= 2;
    if (cap == t->cap)
        return RJ_OK;
    points = rj_alloc_resize(t->points, cap, sizeof(*points));
    if (points == NULL)
        return RJ_ENOMEM;
    t->points = points;
    t->cap = cap;
    return RJ_OK;
}

enum rj_err rj_trail_add(struct rj_trail *t, const struct rj_trail_point *p)
{
    size_t i = place(t, p->last);

    if (i < t->n && t->points[i].last == p->last)
        return RJ_OK;
    if (reserve(t, t->n + 1) != RJ_OK)
        return RJ_ENOMEM;
    memmove(t->points + i + 1, t->points + i, (t->n - i) * sizeof(*t->points));
    t->points[i] = *p;
    t->n++;
    return RJ_OK;
}

const struct rj_trail_point *rj_trail_find(const struct rj_trail *t, uint64_t seq)
{
    size_t i = place(t, seq);

    return i < t->n ? &t->points[i] : NULL;
}

enum rj_err rj_trail_cut(struct rj_trail *t, uint64_t seq, struct rj_trail *into)
{
    size_t i = place(t, seq + 1), n = t->n - i;

    if (n == 0)
        return RJ_OK;
    if (reserve(into, n) != RJ_OK)
        return RJ_ENOMEM;
    memcpy(into->points, t->points + i, n * sizeof(*t->points));
    into->n = n;
    t->n = i;
    return RJ_OK;
}

unsigned rj_trail_level(const uint8_t hash[RJ_DEP_HASH_LEN])
{
    uint64_t bits = rj_be_load64(hash);
    unsigned level = 0;

    for (; level < 64 && bits >> 63 == 0; bits <<= 1)
        level++;
    return level;
}

void rj_trail_thin(struct rj_trail *t)
{
    size_t half = (t->n + 1) / 2, kept = 0, i;
    unsigned lowest = 64;

    for (i = 0; i < half; i++) {
        unsigned level = rj_trail_level(t->points[i].hash);

        lowest = level < lowest ? level : lowest;
    }
    for (i = 0; i < t->n; i++) {
        if (i >= half || rj_trail_level(t->points[i].hash) > lowest)
            t->points[kept++] = t->points[i];
    }
    t->n = kept;
}

void rj_trail_done(struct rj_trail *t)
{
    free(t->points);
    *t = (struct rj_trail){0};
}
