/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that another has, taken in. Any part of the runs of a value is a value as well, so
 * they are taken few together: for these all memory is found, then they come into the
 * tree and the context. So a message costs what its runs stay to need and no more, and
 * where memory ends, what is in is in order and the rest can be asked for again. */
#include "crdt/seq.h"

enum { TOGETHER = 8, NODES = 32 };

/* Where other's runs come from. */
struct origin {
    struct rj_seq_walk walk;
    struct rj_seq_read read;
    struct rj_dots fresh; /* what of other's v lacks, numbered as other's */
    uint64_t *last;
    size_t last_size;
};

/* v's context, numbered as other's. */
static enum rj_err seen_there(const struct rj_crdt *v, const struct rj_crdt *other,
                              const uint32_t *map, struct rj_dots *ret)
{
    size_t size = v->names->n * sizeof(uint32_t) + 1;
    uint32_t *back = rj_mem_new(v->allocator, size), i;
    enum rj_err err = RJ_ENOMEM;

    if (back == NULL)
        return RJ_ENOMEM;
    memset(back, 0xff, size);
    for (i = 0; i < other->names->n; i++)
        back[map != NULL ? map[i] : i] = i;
    err = rj_dots_map(ret, &v->seen, back);
    rj_mem_free(v->allocator, back, size);
    return err;
}

static enum rj_err begin(struct origin *o, const struct rj_crdt *v,
                         const struct rj_crdt *other, const uint32_t *map,
                         struct rj_seq_source **ret)
{
    struct rj_dots seen = {.allocator = v->allocator};
    enum rj_err err;

    o->fresh = (struct rj_dots){.allocator = v->allocator};
    o->last = NULL;
    o->last_size = 0;
    if (other->seq == NULL) {
        o->last_size = other->names->n * sizeof(uint64_t) + 1;
        o->last = rj_mem_new(v->allocator, o->last_size);
        if (o->last == NULL)
            return RJ_ENOMEM;
        o->read = rj_seq_read_of(&other->wire, other->type->elements, &other->seen,
                                 o->last, other->names->n);
        o->read.map = map;
        *ret = &o->read.src;
        return RJ_OK;
    }
    err = seen_there(v, other, map, &seen);
    if (err == RJ_OK)
        err = rj_dots_minus(&o->fresh, &other->seen, &seen);
    rj_dots_done(&seen);
    o->walk = (struct rj_seq_walk){
        .src.next = rj_seq_walk_next, .s = other->seq, .seen = &o->fresh, .map = map};
    *ret = &o->walk.src;
    return err;
}

static void end(struct origin *o, const struct rj_crdt *v)
{
    rj_dots_done(&o->fresh);
    rj_mem_free(v->allocator, o->last, o->last_size);
}

/* Runs that are taken together. */
struct part {
    struct rj_seq_run runs[TOGETHER];
    size_t n;
    struct rj_seq_need need;
};

struct taking {
    struct rj_crdt *v;
    struct rj_seq_source *src;
    struct rj_seq_run rest; /* of a run; n 0: none */
    struct rj_span around;  /* dots of which v has seen all, or none (to 0: nothing) */
    bool known;
    struct rj_crdt_report *report;
};

/* Finds out how many of the first elements of what is left v has seen, or has not. */
static uint64_t look(struct taking *t)
{
    const struct rj_seq_run *rest = &t->rest;
    struct rj_dot dot = rest->dot;
    struct rj_span *a = &t->around, span;
    uint64_t most;

    if (a->origin != dot.origin || dot.seq < a->from || dot.seq > a->to) {
        bool found = rj_dots_find(&t->v->seen, dot.origin, dot.seq, &span);

        t->known = found && span.from <= dot.seq;
        *a = (struct rj_span){dot.seq, UINT64_MAX, dot.origin};
        if (found)
            a->to = t->known ? span.to : span.from - 1;
    }
    most = a->to - dot.seq;
    return rest->n - 1 < most ? rest->n : most + 1;
}

/* The next elements that v has not seen, and that need little. */
static bool next_new(struct taking *t, struct rj_seq_run *ret)
{
    struct rj_seq_run *rest = &t->rest;
    const struct rj_seq *s = t->v->seq;
    uint64_t n;

    do {
        if (rest->n == 0 && !t->src->next(t->src, rest))
            return false;
        n = look(t);
        if (t->known)
            t->report->known += n;
        else
            n = rj_seq_fit(s, rest, n);
        *ret = rj_seq_cut(s->kind, rest, 0, n);
        if (n == rest->n)
            rest->n = 0;
        else
            *rest = rj_seq_cut(s->kind, rest, n, rest->n - n);
    } while (t->known);
    return true;
}

static bool next_part(struct taking *t, struct part *p)
{
    p->n = 0;
    p->need = (struct rj_seq_need){0};
    while (p->n < TOGETHER && p->need.nodes < NODES && next_new(t, &p->runs[p->n])) {
        rj_seq_count(t->v->seq, &p->runs[p->n], &t->v->seen, &p->need);
        p->n++;
    }
    return p->n > 0;
}

static enum rj_err take(struct taking *t, const struct part *p)
{
    struct rj_crdt *v = t->v;
    enum rj_err err = rj_seq_reserve(v->seq, &p->need);
    size_t i;

    if (err == RJ_OK)
        err = rj_dots_reserve(&v->seen, p->n);
    for (i = 0; err == RJ_OK && i < p->n; i++) {
        const struct rj_seq_run *run = &p->runs[i];

        rj_seq_take(v->seq, run);
        (void)!rj_dots_add(
            &v->seen,
            (struct rj_span){run->dot.seq, run->dot.seq + (run->n - 1), run->dot.origin});
        t->report->taken += run->n;
    }
    return err;
}

enum rj_err rj_seq_join(struct rj_crdt *v, const struct rj_crdt *other,
                        const uint32_t *map, struct rj_crdt_report *report)
{
    struct taking t = {.v = v, .report = report};
    struct part part;
    struct origin o;
    enum rj_err err = begin(&o, v, other, map, &t.src);
    size_t n = 0;

    while (err == RJ_OK && next_part(&t, &part)) {
        err = take(&t, &part);
        n += part.n;
    }
    if (n > 0)
        rj_seq_settle(v->seq, &v->seen, n);
    end(&o, v);
    return err;
}
