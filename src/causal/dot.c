/* SPDX-License-Identifier: Apache-2.0 */
/* Version vectors as dense arrays over origin indexes: an entry is 8 bytes, a lookup one
 * load. Parker et al. 1983, "Detection of mutual inconsistency in distributed systems".
 */
#include "causal/dot.h"

#include "base/alloc.h"

static enum rj_err grow(struct rj_vv *v, uint32_t n)
{
    uint32_t cap = v->cap != 0 ? v->cap : 8;
    uint64_t *seq;

    if (n <= v->n)
        return RJ_OK;
    while (cap < n)
        cap = cap > UINT32_MAX / 2 ? n : cap * 2;
    if (cap != v->cap) {
        seq = rj_alloc_resize(v->seq, cap, sizeof(*seq));
        if (seq == NULL)
            return RJ_ENOMEM;
        v->seq = seq;
        v->cap = cap;
    }
    memset(v->seq + v->n, 0, (n - v->n) * sizeof(*v->seq));
    v->n = n;
    return RJ_OK;
}

enum rj_err rj_vv_put(struct rj_vv *v, uint32_t origin, uint64_t seq)
{
    enum rj_err err;

    if (origin == UINT32_MAX)
        return RJ_EINVAL;
    if (seq == 0 && origin >= v->n)
        return RJ_OK;
    err = grow(v, origin + 1);
    if (err == RJ_OK)
        v->seq[origin] = seq;
    return err;
}

enum rj_err rj_vv_join(struct rj_vv *v, const struct rj_vv *other)
{
    enum rj_err err = grow(v, other->n);
    uint32_t i;

    for (i = 0; err == RJ_OK && i < other->n; i++) {
        if (other->seq[i] > v->seq[i])
            v->seq[i] = other->seq[i];
    }
    return err;
}

void rj_vv_meet(struct rj_vv *v, const struct rj_vv *other)
{
    uint32_t i;

    for (i = 0; i < v->n; i++) {
        uint64_t s = rj_vv_get(other, i);

        if (s < v->seq[i])
            v->seq[i] = s;
    }
}

bool rj_vv_covers(const struct rj_vv *a, const struct rj_vv *b)
{
    uint32_t i;

    for (i = 0; i < b->n; i++) {
        if (rj_vv_get(a, i) < b->seq[i])
            return false;
    }
    return true;
}

bool rj_vv_equal(const struct rj_vv *a, const struct rj_vv *b)
{
    return rj_vv_covers(a, b) && rj_vv_covers(b, a);
}

enum rj_err rj_vv_copy(struct rj_vv *v, const struct rj_vv *from)
{
    enum rj_err err = grow(v, from->n);

    if (err != RJ_OK)
        return err;
    if (from->n > 0)
        memcpy(v->seq, from->seq, from->n * sizeof(*v->seq));
    if (v->n > from->n)
        memset(v->seq + from->n, 0, (v->n - from->n) * sizeof(*v->seq));
    return RJ_OK;
}

void rj_vv_clear(struct rj_vv *v)
{
    if (v->n > 0)
        memset(v->seq, 0, v->n * sizeof(*v->seq));
}

void rj_vv_done(struct rj_vv *v)
{
    if (v == NULL)
        return;
    free(v->seq);
    *v = (struct rj_vv){0};
}
