/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of spans, by walks: replicas that are in step have one span each, so searching is
 * cheap and the algebra of two sets is one merge. Additions stand beside what is packed
 * until they are many; then those packs are made anew that they come between.
 * Almeida, Shoker, Baquero 2018, section 7.2; for dots as intervals also Goncalves et al.
 * 2017, "DottedDB: anti-entropy without merkle trees". */
#include "causal/dots.h"

enum {
    CAP_FIRST = 2,
    SETTLE_MIN = 8,
    PACK_MAX = RJ_DOTS_PACK * 3 / 2, /* spans of one that is made anew */
    FOLD_MAX = 2 * RJ_DOTS_PACK      /* that are added to it at once */
};

/* Some spans, of any origins: those of each as in a message, but that the first of all
 * begin at `from`; before the others stands how far their origin is from the last one. */
struct rj_pack {
    uint64_t from;
    uint32_t origin, n, len;
    uint8_t *bytes;
};

struct rj_packs {
    struct rj_pack *at;
    size_t n, cap;
    size_t spans;
    struct rj_dot last; /* the last packed dot */
};

static bool is_before(const struct rj_span *s, uint32_t origin, uint64_t seq)
{
    return s->origin != origin ? s->origin < origin : s->to < seq;
}

/* b begins where a ends, or before. */
static bool touches(const struct rj_span *a, const struct rj_span *b)
{
    return a->origin == b->origin && b->from <= a->to + 1;
}

/* Index of the first plain span that ends at seq of origin or after it, or of what
 * follows all of origin. */
static size_t plain_at(const struct rj_dots *d, uint32_t origin, uint64_t seq)
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

/* p begins at seq of origin or before. */
static bool begins_upto(const struct rj_pack *p, uint32_t origin, uint64_t seq)
{
    return p->origin != origin ? p->origin < origin : p->from <= seq;
}

/* Index of the last pack that does, else of the first. */
static size_t pack_at(const struct rj_packs *p, uint32_t origin, uint64_t seq)
{
    size_t low = 0, high = p->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (begins_upto(&p->at[mid], origin, seq))
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 ? low - 1 : 0;
}

/* ---- walks */

static void next_coded(struct rj_dots_walk *w)
{
    const struct rj_packs *p = w->d->packs;

    for (;;) {
        if (rj_spans_next(&w->group, &w->bytes, &w->coded)) {
            w->has_coded = true;
            return;
        }
        if (rj_reader_left(&w->bytes) > 0) {
            uint32_t origin = w->group.origin + (uint32_t)rj_reader_varint(&w->bytes);

            w->group = rj_spans_begin(&w->bytes, origin, 1);
        } else if (p != NULL && w->pack < p->n) {
            const struct rj_pack *pack = &p->at[w->pack++];

            w->bytes = rj_reader_of(rj_bytes_of(pack->bytes, pack->len));
            w->group = rj_spans_begin(&w->bytes, pack->origin, pack->from);
        } else {
            w->has_coded = false;
            return;
        }
    }
}

struct rj_dots_walk rj_dots_walk_of(const struct rj_dots *d)
{
    struct rj_dots_walk w = {.d = d};

    if (d->packs != NULL)
        next_coded(&w);
    return w;
}

struct rj_dots_walk rj_dots_walk_from(const struct rj_dots *d, uint32_t origin,
                                      uint64_t seq)
{
    struct rj_dots_walk w = {.d = d, .plain = plain_at(d, origin, seq)};

    if (d->packs == NULL)
        return w;
    w.pack = pack_at(d->packs, origin, seq);
    do
        next_coded(&w);
    while (w.has_coded && is_before(&w.coded, origin, seq));
    return w;
}

/* The next span, which may go on in the one behind it. */
static bool next_part(struct rj_dots_walk *w, struct rj_span *ret)
{
    const struct rj_span *plain = w->plain < w->d->n ? &w->d->spans[w->plain] : NULL;

    if (w->has_coded && (plain == NULL || (w->coded.origin != plain->origin
                                               ? w->coded.origin < plain->origin
                                               : w->coded.from < plain->from))) {
        *ret = w->coded;
        next_coded(w);
        return true;
    }
    if (plain == NULL)
        return false;
    *ret = *plain;
    w->plain++;
    return true;
}

bool rj_dots_next(struct rj_dots_walk *w, struct rj_span *ret)
{
    if (!w->has_coded) {
        if (w->plain == w->d->n)
            return false;
        *ret = w->d->spans[w->plain++];
        return true;
    }
    if (!next_part(w, ret))
        return false;
    for (;;) {
        struct rj_span *next = &w->coded;

        if (!w->has_coded || !touches(ret, next))
            next = w->plain < w->d->n ? &w->d->spans[w->plain] : NULL;
        if (next == NULL || !touches(ret, next))
            return true;
        if (next->to > ret->to)
            ret->to = next->to;
        if (next == &w->coded)
            next_coded(w);
        else
            w->plain++;
    }
}

bool rj_dots_find(const struct rj_dots *d, uint32_t origin, uint64_t seq,
                  struct rj_span *ret)
{
    struct rj_dots_walk w;
    size_t at;

    if (d->packs == NULL) { /* as nearly all are */
        at = plain_at(d, origin, seq);
        if (at == d->n || d->spans[at].origin != origin)
            return false;
        *ret = d->spans[at];
        return true;
    }
    w = rj_dots_walk_from(d, origin, seq);
    return rj_dots_next(&w, ret) && ret->origin == origin;
}

bool rj_dots_has(const struct rj_dots *d, struct rj_dot dot)
{
    struct rj_span span;

    if (d->n == 0 || is_before(&d->spans[d->n - 1], dot.origin, dot.seq))
        return false; /* the last span is never packed */
    return rj_dots_find(d, dot.origin, dot.seq, &span) && span.from <= dot.seq;
}

uint64_t rj_dots_vector(const struct rj_dots *d, uint32_t origin)
{
    struct rj_span span;

    return rj_dots_find(d, origin, 1, &span) && span.from == 1 ? span.to : 0;
}

uint64_t rj_dots_last(const struct rj_dots *d, uint32_t origin)
{
    size_t at = d->n, low = 0;
    size_t high = d->packs != NULL ? d->packs->n : 0;
    uint64_t last = 0;
    struct rj_dots_walk w;
    struct rj_span span;

    if (at > 0 && d->spans[at - 1].origin == origin)
        return d->spans[at - 1].to; /* the last span is never packed */
    at = plain_at(d, origin, UINT64_MAX);
    /* nothing ends at UINT64_MAX: at is what follows origin */
    if (at > 0 && d->spans[at - 1].origin == origin)
        last = d->spans[at - 1].to;
    while (low < high) { /* the last pack that may have some */
        size_t mid = low + (high - low) / 2;

        if (d->packs->at[mid].origin <= origin)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return last;
    w = rj_dots_walk_from(
        d, origin,
        d->packs->at[low - 1].origin == origin ? d->packs->at[low - 1].from : 0);
    while (rj_dots_next(&w, &span) && span.origin == origin)
        last = span.to > last ? span.to : last;
    return last;
}

uint64_t rj_dots_count(const struct rj_dots *d)
{
    struct rj_dots_walk w = rj_dots_walk_of(d);
    struct rj_span span;
    uint64_t count = 0;

    while (rj_dots_next(&w, &span)) {
        uint64_t n = span.to - span.from + 1;

        count = count > UINT64_MAX - n ? UINT64_MAX : count + n;
    }
    return count;
}

size_t rj_dots_spans(const struct rj_dots *d)
{
    return d->n + (d->packs != NULL ? d->packs->spans : 0);
}

/* ---- packing */

static void drop_packs(const struct rj_dots *d, const struct rj_pack *packs, size_t n)
{
    while (n-- > 0)
        rj_mem_free(d->allocator, packs[n].bytes, packs[n].len);
}

static void packs_done(struct rj_dots *d)
{
    struct rj_packs *p = d->packs;

    if (p == NULL)
        return;
    drop_packs(d, p->at, p->n);
    rj_mem_free(d->allocator, p->at, p->cap * sizeof(*p->at));
    rj_mem_free(d->allocator, p, sizeof(*p));
    d->packs = NULL;
}

/* Room for n packs more. */
static enum rj_err reserve_packs(struct rj_dots *d, size_t n)
{
    struct rj_packs *p = d->packs;
    size_t cap;
    struct rj_pack *at;

    if (p == NULL) {
        d->packs = p = rj_mem_new(d->allocator, sizeof(*p));
        if (p == NULL)
            return RJ_ENOMEM;
        *p = (struct rj_packs){0};
    }
    if (n <= p->cap - p->n)
        return RJ_OK;
    cap = p->n + p->n / 4 + 3 + n;
    at = rj_mem_resize(d->allocator, p->at, p->cap * sizeof(*at), cap * sizeof(*at));
    if (at == NULL)
        return RJ_ENOMEM;
    p->at = at;
    p->cap = cap;
    return RJ_OK;
}

static void put_spans(struct rj_buf *out, const struct rj_span *spans, size_t n)
{
    size_t i, end;

    for (i = 0; i < n; i = end) {
        uint64_t start = i == 0 ? spans[0].from : 1;
        struct rj_spans_head head = {.next = start};
        struct rj_spans_writer w;

        for (end = i; end < n && spans[end].origin == spans[i].origin; end++)
            rj_spans_count(&head, &spans[end]);
        if (i > 0)
            rj_buf_varint(out, spans[i].origin - spans[i - 1].origin);
        w = rj_spans_put_head(out, &head);
        for (; i < end; i++)
            rj_spans_put(&w, &spans[i]);
        rj_spans_end(&w, out);
    }
}

static enum rj_err make_pack(const struct rj_dots *d, const struct rj_span *spans,
                             size_t n, struct rj_pack *ret)
{
    struct rj_buf out = {.allocator = d->allocator};
    uint8_t *bytes;

    put_spans(&out, spans, n);
    bytes = out.failed ? NULL : rj_mem_resize(d->allocator, out.ptr, out.cap, out.len);
    if (bytes == NULL) {
        rj_buf_done(&out);
        return RJ_ENOMEM;
    }
    *ret = (struct rj_pack){.from = spans[0].from,
                            .origin = spans[0].origin,
                            .n = (uint32_t)n,
                            .len = (uint32_t)out.len,
                            .bytes = bytes};
    return RJ_OK;
}

/* Packs n spans, which lie behind all that are packed. */
static enum rj_err pack(struct rj_dots *d, const struct rj_span *spans, size_t n)
{
    struct rj_pack made;

    if (reserve_packs(d, 1) != RJ_OK || make_pack(d, spans, n, &made) != RJ_OK)
        return RJ_ENOMEM;
    d->packs->at[d->packs->n++] = made;
    d->packs->spans += n;
    d->packs->last = (struct rj_dot){spans[n - 1].to, spans[n - 1].origin};
    return RJ_OK;
}

/* Plain spans from the i-th on lie behind the packed ones. */
static bool is_ordered(const struct rj_dots *d, size_t i)
{
    const struct rj_span *first = &d->spans[i];

    return d->packs == NULL || d->packs->n == 0 ||
           (first->origin != d->packs->last.origin
                ? first->origin > d->packs->last.origin
                : first->from > d->packs->last.seq + 1);
}

/* Packs plain spans, all but the last. */
static enum rj_err pack_plain(struct rj_dots *d)
{
    size_t done = 0;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && done + 1 < d->n) {
        size_t n = d->n - 1 - done < RJ_DOTS_PACK ? d->n - 1 - done : RJ_DOTS_PACK;

        err = pack(d, d->spans + done, n);
        done += err == RJ_OK ? n : 0;
    }
    memmove(d->spans, d->spans + done, (d->n - done) * sizeof(*d->spans));
    d->n -= done;
    return err;
}

/* `made` in the stead of packs [at, end), n of them; there is room. */
static void put_packs(struct rj_dots *d, size_t at, size_t end,
                      const struct rj_pack *made, size_t n)
{
    struct rj_packs *p = d->packs;
    size_t i;

    for (i = at; i < end; i++)
        p->spans -= p->at[i].n;
    drop_packs(d, p->at + at, end - at);
    memmove(p->at + at + n, p->at + end, (p->n - end) * sizeof(*p->at));
    memcpy(p->at + at, made, n * sizeof(*p->at));
    for (i = at; i < at + n; i++)
        p->spans += p->at[i].n;
    p->n = p->n - (end - at) + n;
}

/* Packs [at, end) take n plain spans in, the last of which is the only one that reaches
 * beyond the first of them. */
static enum rj_err repack(struct rj_dots *d, size_t at, size_t end, size_t plain,
                          size_t n)
{
    struct rj_packs *p = d->packs, some = {.at = p->at + at, .n = end - at};
    struct rj_dots part = {.spans = d->spans + plain, .n = n, .packs = &some};
    struct rj_dots_walk walk = rj_dots_walk_of(&part);
    size_t cap = p->at[at].n + p->at[end - 1].n + n, count = 0, made = 0, each, i;
    size_t size = cap * sizeof(struct rj_span);
    struct rj_span *spans = rj_mem_new(d->allocator, size);
    struct rj_pack packs[(2 * PACK_MAX + FOLD_MAX) / PACK_MAX + 1];
    bool is_last = end == p->n;
    enum rj_err err = spans != NULL ? RJ_OK : RJ_ENOMEM;

    while (err == RJ_OK && count < cap && rj_dots_next(&walk, &spans[count]))
        count++;
    each = count / (count / PACK_MAX + 1) + 1;
    for (i = 0; err == RJ_OK && i < count; i += each) {
        err = make_pack(d, spans + i, count - i < each ? count - i : each, &packs[made]);
        made += err == RJ_OK ? 1 : 0;
    }
    if (err == RJ_OK)
        err = reserve_packs(d, made);
    if (err == RJ_OK) {
        put_packs(d, at, end, packs, made);
        if (is_last)
            d->packs->last =
                (struct rj_dot){spans[count - 1].to, spans[count - 1].origin};
    } else {
        drop_packs(d, packs, made);
    }
    rj_mem_free(d->allocator, spans, size);
    return err;
}

/* Packs all but the last span, whatever lies where. RJ_ENOMEM: the set is the same, more
 * of it packed or not. */
static enum rj_err fold(struct rj_dots *d)
{
    const struct rj_span *s = d->spans;
    enum rj_err err = RJ_OK;
    size_t done = 0, at, end, n;

    for (; err == RJ_OK && done + 1 < d->n && !is_ordered(d, done); done += n) {
        const struct rj_packs *p = d->packs;

        at = pack_at(p, s[done].origin, s[done].from);
        end = at + 1;
        for (n = 1; n < FOLD_MAX && done + n + 1 < d->n; n++) {
            if (end < p->n &&
                begins_upto(&p->at[end], s[done + n].origin, s[done + n].from))
                break;
        }
        while (end < p->n &&
               begins_upto(&p->at[end], s[done + n - 1].origin, s[done + n - 1].to + 1))
            end++;
        err = repack(d, at, end, done, n);
        n = err == RJ_OK ? n : 0;
    }
    memmove(d->spans, s + done, (d->n - done) * sizeof(*s));
    d->n -= done;
    return err == RJ_OK ? pack_plain(d) : err;
}

static enum rj_err resize(struct rj_dots *d, size_t cap)
{
    struct rj_span *spans = rj_mem_resize(d->allocator, d->spans, d->cap * sizeof(*spans),
                                          cap * sizeof(*spans));

    if (spans == NULL)
        return RJ_ENOMEM;
    d->spans = spans;
    d->cap = cap;
    return RJ_OK;
}

/* Room for n more plain spans. */
static enum rj_err grow(struct rj_dots *d, size_t n)
{
    size_t cap = d->cap > CAP_FIRST ? d->cap : CAP_FIRST;

    if (n <= d->cap - d->n)
        return RJ_OK;
    if (n > SIZE_MAX / sizeof(struct rj_span) / 4)
        return RJ_ENOMEM;
    while (cap - d->n < n && cap < RJ_DOTS_PLAIN_MAX)
        cap *= 2;
    return resize(d, cap - d->n < n ? d->n + n : cap);
}

enum rj_err rj_dots_reserve(struct rj_dots *d, size_t n)
{
    enum rj_err err = RJ_OK;

    if (n > d->cap - d->n && d->n >= RJ_DOTS_PLAIN_MAX)
        err = fold(d);
    return err == RJ_OK ? grow(d, n) : err;
}

void rj_dots_settle(struct rj_dots *d)
{
    if (d->n > SETTLE_MIN && fold(d) != RJ_OK)
        return;
    if (d->n == 0)
        rj_dots_done(d);
    else if (d->cap > d->n)
        (void)!resize(d, d->n);
}

/* ---- adding */

enum rj_err rj_dots_add(struct rj_dots *d, struct rj_span span)
{
    const struct rj_span *last = d->n > 0 ? &d->spans[d->n - 1] : NULL;
    struct rj_span whole = span, there;
    size_t at, end;

    if (d->n < d->cap && (last == NULL || last->origin < span.origin ||
                          (last->origin == span.origin && last->from <= span.from)))
        return rj_dots_append(d, span);
    if (d->n == d->cap && rj_dots_reserve(d, 1) != RJ_OK)
        return RJ_ENOMEM;
    at = end = plain_at(d, span.origin, span.from - 1);
    while (end < d->n && d->spans[end].origin == span.origin &&
           d->spans[end].from <= span.to + 1) {
        if (d->spans[end].from < whole.from)
            whole.from = d->spans[end].from;
        if (d->spans[end].to > whole.to)
            whole.to = d->spans[end].to;
        end++;
    }
    if (end == at) {
        if (d->packs != NULL && rj_dots_find(d, span.origin, span.from, &there) &&
            there.from <= span.from && there.to >= span.to)
            return RJ_OK;
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
    if (d->n == d->cap && d->n >= RJ_DOTS_PLAIN_MAX && is_ordered(d, 0) &&
        pack_plain(d) != RJ_OK)
        return RJ_ENOMEM;
    if (d->n == d->cap && grow(d, d->n < RJ_DOTS_PLAIN_MAX ? 1 : d->n) != RJ_OK)
        return RJ_ENOMEM;
    d->spans[d->n++] = span;
    return RJ_OK;
}

/* ---- algebra */

/* A walk in the order that origins have by another number. */
struct renumbered {
    struct rj_dots_walk walk;
    const uint32_t *map;
    uint32_t *order; /* origins, by map; NULL: map keeps their order */
    size_t n, at;
};

/* The first origin of d at or behind `from`, which is near where w is, or looked up.
 * False: none. */
static bool origin_from(const struct rj_dots *d, struct rj_dots_walk *w, uint32_t from,
                        uint32_t *ret)
{
    struct rj_span span;
    unsigned steps = 0;

    while (rj_dots_next(w, &span)) {
        if (span.origin >= from) {
            *ret = span.origin;
            return true;
        }
        if (++steps == RJ_DOTS_PACK)
            *w = rj_dots_walk_from(d, from, 0);
    }
    return false;
}

/* Restores the heap of order[0..n) below i. */
static void sink(uint32_t *order, size_t i, size_t n, const uint32_t *map)
{
    size_t child;

    while ((child = 2 * i + 1) < n) {
        uint32_t o = order[i];

        if (child + 1 < n && map[order[child + 1]] > map[order[child]])
            child++;
        if (map[order[child]] <= map[o])
            return;
        order[i] = order[child];
        order[child] = o;
        i = child;
    }
}

void rj_origins_sort(uint32_t *origins, size_t n, const uint32_t *map)
{
    size_t i;

    for (i = n / 2; i-- > 0;)
        sink(origins, i, n, map);
    for (i = n; i-- > 1;) {
        uint32_t o = origins[0];

        origins[0] = origins[i];
        origins[i] = o;
        sink(origins, 0, i, map);
    }
}

static enum rj_err renumbered_init(struct renumbered *r, const struct rj_dots *d,
                                   const uint32_t *map)
{
    struct rj_dots_walk w = rj_dots_walk_of(d);
    uint32_t origin = 0, last = 0, o;
    bool is_sorted = true;
    size_t n = 0;

    *r = (struct renumbered){.walk = w, .map = map};
    if (map == NULL)
        return RJ_OK;
    for (o = 0; origin_from(d, &w, o, &origin); o = origin + 1, n++) {
        is_sorted = is_sorted && (n == 0 || map[origin] > last);
        last = map[origin];
    }
    if (is_sorted)
        return RJ_OK;
    r->order = rj_mem_new(d->allocator, n * sizeof(*r->order));
    if (r->order == NULL)
        return RJ_ENOMEM;
    w = r->walk;
    for (o = 0; r->n < n && origin_from(d, &w, o, &origin); o = origin + 1)
        r->order[r->n++] = origin;
    rj_origins_sort(r->order, n, map);
    r->walk = rj_dots_walk_from(d, r->order[0], 0);
    return RJ_OK;
}

static void renumbered_done(struct renumbered *r)
{
    rj_mem_free(r->walk.d->allocator, r->order, r->n * sizeof(*r->order));
}

static bool renumbered_next(struct renumbered *r, struct rj_span *ret)
{
    for (;;) {
        bool found = rj_dots_next(&r->walk, ret);

        if (r->order != NULL && (!found || ret->origin != r->order[r->at])) {
            if (++r->at == r->n)
                return false;
            r->walk = rj_dots_walk_from(r->walk.d, r->order[r->at], 0);
            continue;
        }
        if (!found)
            return false;
        if (r->map != NULL)
            ret->origin = r->map[ret->origin];
        if (ret->origin != RJ_ORIGIN_NONE)
            return true;
    }
}

enum rj_err rj_dots_map_union(struct rj_dots *d, const struct rj_dots *a,
                              const struct rj_dots *from, const uint32_t *map)
{
    struct rj_dots_walk w = rj_dots_walk_of(a);
    struct renumbered r;
    struct rj_span x, y;
    enum rj_err err = renumbered_init(&r, from, map);
    bool has_x = err == RJ_OK && rj_dots_next(&w, &x);
    bool has_y = err == RJ_OK && renumbered_next(&r, &y);

    rj_dots_clear(d);
    while (err == RJ_OK && (has_x || has_y)) {
        bool left = !has_y;

        if (has_x && has_y)
            left = x.origin != y.origin ? x.origin < y.origin : x.from <= y.from;
        err = rj_dots_append(d, left ? x : y);
        if (left)
            has_x = rj_dots_next(&w, &x);
        else
            has_y = renumbered_next(&r, &y);
    }
    renumbered_done(&r);
    if (err != RJ_OK)
        rj_dots_clear(d);
    return err;
}

enum rj_err rj_dots_union(struct rj_dots *d, const struct rj_dots *a,
                          const struct rj_dots *b)
{
    return rj_dots_map_union(d, a, b, NULL);
}

enum rj_err rj_dots_map(struct rj_dots *d, const struct rj_dots *from,
                        const uint32_t *map)
{
    const struct rj_dots none = {0};

    return rj_dots_map_union(d, &none, from, map);
}

enum rj_err rj_dots_minus(struct rj_dots *d, const struct rj_dots *a,
                          const struct rj_dots *b)
{
    struct rj_dots_walk wa = rj_dots_walk_of(a), wb = rj_dots_walk_of(b);
    struct rj_span left, hole;
    bool has_hole = rj_dots_next(&wb, &hole);
    enum rj_err err = RJ_OK;

    rj_dots_clear(d);
    while (err == RJ_OK && rj_dots_next(&wa, &left)) {
        bool is_over = false;

        while (has_hole && is_before(&hole, left.origin, left.from))
            has_hole = rj_dots_next(&wb, &hole);
        while (err == RJ_OK && has_hole && hole.origin == left.origin &&
               hole.from <= left.to) {
            struct rj_span part = {left.from, hole.from - 1, left.origin};

            if (hole.from > left.from)
                err = rj_dots_append(d, part);
            is_over = hole.to >= left.to; /* it may reach into the next of a */
            if (is_over)
                break;
            left.from = hole.to + 1;
            has_hole = rj_dots_next(&wb, &hole);
        }
        if (err == RJ_OK && !is_over)
            err = rj_dots_append(d, left);
    }
    if (err != RJ_OK)
        rj_dots_clear(d);
    return err;
}

bool rj_dots_equal(const struct rj_dots *a, const struct rj_dots *b)
{
    struct rj_dots_walk wa = rj_dots_walk_of(a), wb = rj_dots_walk_of(b);
    struct rj_span x, y;

    while (rj_dots_next(&wa, &x)) {
        if (!rj_dots_next(&wb, &y) || x.origin != y.origin || x.from != y.from ||
            x.to != y.to)
            return false;
    }
    return !rj_dots_next(&wb, &y);
}

bool rj_dots_within(const struct rj_dots *a, const struct rj_dots *b)
{
    struct rj_dots_walk wa = rj_dots_walk_of(a), wb;
    struct rj_span x, y = {0};
    bool has_y = false, begun = false;

    while (rj_dots_next(&wa, &x)) {
        if (!begun || (has_y && y.origin != x.origin)) {
            wb = rj_dots_walk_from(b, x.origin, x.from);
            has_y = rj_dots_next(&wb, &y);
            begun = true;
        }
        if (has_y && is_before(&y, x.origin, x.from))
            has_y = rj_dots_next(&wb, &y);
        if (has_y && is_before(&y, x.origin, x.from)) {
            wb = rj_dots_walk_from(b, x.origin, x.from);
            has_y = rj_dots_next(&wb, &y);
        }
        if (!has_y || y.origin != x.origin || y.from > x.from || y.to < x.to)
            return false;
    }
    return true;
}

void rj_dots_clear(struct rj_dots *d)
{
    packs_done(d);
    d->n = 0;
}

void rj_dots_free(struct rj_dots *d)
{
    packs_done(d);
    rj_mem_free(d->allocator, d->spans, d->cap * sizeof(*d->spans));
    *d = (struct rj_dots){.allocator = d->allocator};
}
