/* SPDX-License-Identifier: Apache-2.0 */
/* Sorted arrays of spans. Replicas that are in step have one span each, so searching is
 * cheap and the algebra of two sets is one merge.
 * Almeida, Shoker, Baquero 2018, section 7.2; for dots as intervals also Goncalves et al.
 * 2017, "DottedDB: anti-entropy without merkle trees". */
#include "causal/dots.h"

static bool is_before(const struct rj_span *s, uint32_t origin, uint64_t seq)
{
    return s->origin != origin ? s->origin < origin : s->to < seq;
}

size_t rj_dots_at(const struct rj_dots *d, uint32_t origin, uint64_t seq)
{
    size_t low = 0, high = d->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (is_before(&d->spans[mid], origin, seq))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool rj_dots_has(const struct rj_dots *d, struct rj_dot dot)
{
    size_t at;

    if (d->n == 0 || is_before(&d->spans[d->n - 1], dot.origin, dot.seq))
        return false;
    at = rj_dots_at(d, dot.origin, dot.seq);
    return d->spans[at].origin == dot.origin && d->spans[at].from <= dot.seq;
}

uint64_t rj_dots_vector(const struct rj_dots *d, uint32_t origin)
{
    size_t at = rj_dots_at(d, origin, 1);

    return at < d->n && d->spans[at].origin == origin && d->spans[at].from == 1
               ? d->spans[at].to
               : 0;
}

uint64_t rj_dots_last(const struct rj_dots *d, uint32_t origin)
{
    size_t at = d->n;

    if (at > 0 && d->spans[at - 1].origin == origin)
        return d->spans[at - 1].to;
    at = rj_dots_at(d, origin, UINT64_MAX);
    /* nothing ends at UINT64_MAX: at is what follows origin */
    return at > 0 && d->spans[at - 1].origin == origin ? d->spans[at - 1].to : 0;
}

uint64_t rj_dots_count(const struct rj_dots *d)
{
    uint64_t count = 0;
    size_t i;

    for (i = 0; i < d->n; i++) {
        uint64_t n = d->spans[i].to - d->spans[i].from + 1;

        count = count > UINT64_MAX - n ? UINT64_MAX : count + n;
    }
    return count;
}

enum rj_err rj_dots_reserve(struct rj_dots *d, size_t n)
{
    size_t cap = d->cap != 0 ? d->cap : 2, bytes;
    struct rj_span *spans;

    if (n <= d->cap)
        return RJ_OK;
    while (cap < n)
        cap *= 2;
    if (!rj_size_mul(cap, sizeof(*spans), &bytes))
        return RJ_ENOMEM;
    spans = rj_mem_resize(d->allocator, d->spans, d->cap * sizeof(*spans), bytes);
    if (spans == NULL)
        return RJ_ENOMEM;
    d->spans = spans;
    d->cap = cap;
    return RJ_OK;
}

/* b begins where a ends, or before. */
static bool touches(const struct rj_span *a, const struct rj_span *b)
{
    return a->origin == b->origin && b->from <= a->to + 1;
}

enum rj_err rj_dots_add(struct rj_dots *d, struct rj_span span)
{
    const struct rj_span *last = d->n > 0 ? &d->spans[d->n - 1] : NULL;
    struct rj_span whole = span;
    size_t at, end;

    if (last == NULL || last->origin < span.origin ||
        (last->origin == span.origin && last->from <= span.from))
        return rj_dots_append(d, span);
    at = end = rj_dots_at(d, span.origin, span.from - 1);
    while (end < d->n && d->spans[end].origin == span.origin &&
           d->spans[end].from <= span.to + 1) {
        if (d->spans[end].from < whole.from)
            whole.from = d->spans[end].from;
        if (d->spans[end].to > whole.to)
            whole.to = d->spans[end].to;
        end++;
    }
    if (end == at) {
        if (rj_dots_reserve(d, d->n + 1) != RJ_OK)
            return RJ_ENOMEM;
        memmove(d->spans + at + 1, d->spans + at, (d->n - at) * sizeof(span));
        d->n++;
    } else if (end > at + 1) {
        memmove(d->spans + at + 1, d->spans + end, (d->n - end) * sizeof(span));
        d->n -= end - at - 1;
    }
    d->spans[at] = whole;
    return RJ_OK;
}

enum rj_err rj_dots_append(struct rj_dots *d, struct rj_span span)
{
    struct rj_span *last = d->n > 0 ? &d->spans[d->n - 1] : NULL;

    if (last != NULL && touches(last, &span)) {
        if (span.to > last->to)
            last->to = span.to;
        return RJ_OK;
    }
    if (rj_dots_reserve(d, d->n + 1) != RJ_OK)
        return RJ_ENOMEM;
    d->spans[d->n++] = span;
    return RJ_OK;
}

enum rj_err rj_dots_union(struct rj_dots *d, const struct rj_dots *a,
                          const struct rj_dots *b)
{
    size_t i = 0, j = 0;
    enum rj_err err = RJ_OK;

    rj_dots_clear(d);
    while (err == RJ_OK && (i < a->n || j < b->n)) {
        bool left = j == b->n;

        if (!left && i < a->n)
            left = a->spans[i].origin != b->spans[j].origin
                       ? a->spans[i].origin < b->spans[j].origin
                       : a->spans[i].from <= b->spans[j].from;
        err = rj_dots_append(d, left ? a->spans[i++] : b->spans[j++]);
    }
    if (err != RJ_OK)
        rj_dots_clear(d);
    return err;
}

/* Appends what of `left` is not in b; *j: the first span of b that may matter. */
static enum rj_err append_rest(struct rj_dots *d, struct rj_span left,
                               const struct rj_dots *b, size_t *j)
{
    while (*j < b->n && is_before(&b->spans[*j], left.origin, left.from))
        ++*j;
    while (*j < b->n && b->spans[*j].origin == left.origin &&
           b->spans[*j].from <= left.to) {
        const struct rj_span *hole = &b->spans[*j];
        struct rj_span part = {left.from, hole->from - 1, left.origin};

        if (hole->from > left.from && rj_dots_append(d, part) != RJ_OK)
            return RJ_ENOMEM;
        if (hole->to >= left.to)
            return RJ_OK; /* it may reach into the next of a */
        left.from = hole->to + 1;
        ++*j;
    }
    return rj_dots_append(d, left);
}

enum rj_err rj_dots_minus(struct rj_dots *d, const struct rj_dots *a,
                          const struct rj_dots *b)
{
    enum rj_err err = RJ_OK;
    size_t i, j = 0;

    rj_dots_clear(d);
    for (i = 0; err == RJ_OK && i < a->n; i++)
        err = append_rest(d, a->spans[i], b, &j);
    if (err != RJ_OK)
        rj_dots_clear(d);
    return err;
}

static int by_place(const void *a, const void *b)
{
    const struct rj_span *x = a, *y = b;

    if (x->origin != y->origin)
        return x->origin < y->origin ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

enum rj_err rj_dots_map(struct rj_dots *d, const struct rj_dots *from,
                        const uint32_t *map)
{
    size_t i;

    rj_dots_clear(d);
    if (rj_dots_reserve(d, from->n) != RJ_OK)
        return RJ_ENOMEM;
    if (from->n > 0)
        memcpy(d->spans, from->spans, from->n * sizeof(*d->spans));
    d->n = from->n;
    for (i = 0; map != NULL && i < d->n; i++)
        d->spans[i].origin = map[d->spans[i].origin];
    if (map != NULL && d->n > 1)
        qsort(d->spans, d->n, sizeof(*d->spans), by_place);
    return RJ_OK;
}

bool rj_dots_equal(const struct rj_dots *a, const struct rj_dots *b)
{
    size_t i;

    if (a->n != b->n)
        return false;
    for (i = 0; i < a->n; i++) {
        if (by_place(&a->spans[i], &b->spans[i]) != 0 || a->spans[i].to != b->spans[i].to)
            return false;
    }
    return true;
}

bool rj_dots_within(const struct rj_dots *a, const struct rj_dots *b)
{
    size_t i;

    for (i = 0; i < a->n; i++) {
        const struct rj_span *s = &a->spans[i];
        size_t at = rj_dots_at(b, s->origin, s->from);

        if (at == b->n || b->spans[at].origin != s->origin ||
            b->spans[at].from > s->from || b->spans[at].to < s->to)
            return false;
    }
    return true;
}

void rj_dots_clear(struct rj_dots *d)
{
    d->n = 0;
}

void rj_dots_done(struct rj_dots *d)
{
    if (d == NULL)
        return;
    rj_mem_free(d->allocator, d->spans, d->cap * sizeof(*d->spans));
    *d = (struct rj_dots){.allocator = d->allocator};
}
