/* SPDX-License-Identifier: Apache-2.0 */
/* Runs as bytes (doc/crdt.md, "Format"): heads as bits, which elements are live, their
 * content. A run has no dot of its own: runs fill what the value has seen. A reference is
 * told as the distance from where the last change was, which is where people go on.
 * Runs are as long as can be, so that one state has one form. */
#include "base/cbor.h"
#include "crdt/seq.h"

enum { HEAD_DELETES = 4, HEAD_DOWN = 2, HEAD_FAR = 1, HEAD_BITS = 3, COLUMNS = 3 };

/* ---- runs of a sequence */

/* To the next span. */
static bool next_span(struct rj_seq_walk *w)
{
    bool in_order = w->origins != NULL;

    if (in_order && w->n_origins == 0)
        return false;
    if (!w->begun)
        w->dots = in_order ? rj_dots_walk_from(w->seen, w->origins[0], 0)
                           : rj_dots_walk_of(w->seen);
    w->begun = true;
    for (;;) {
        bool found = rj_dots_next(&w->dots, &w->span);

        if (!in_order || (found && w->span.origin == w->origins[w->origin]))
            return found;
        if (w->origin + 1 >= w->n_origins)
            return false;
        w->dots = rj_dots_walk_from(w->seen, w->origins[++w->origin], 0);
    }
}

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Dots of a node from pos on. Where it is told piece by piece, each goes on where the one
 * before ended, so that what it holds is gone through once. */
static void tell_node(struct rj_seq_walk *w, uint32_t id, uint64_t pos, uint64_t most,
                      struct rj_seq_run *ret)
{
    const struct rj_seq_node *node = rj_seq_node(w->s, id);
    struct rj_seq_run *rest = &w->node;
    uint64_t off;

    if (rest->n == 0 || w->id != id || pos < rest->dot.seq)
        *rest = (struct rj_seq_run){.dot = {node->seq, node->origin},
                                    .ref = rj_seq_parent(w->s, node),
                                    .n = node->n,
                                    .down = node->is_left,
                                    .live = node->live,
                                    .content = rj_seq_text(w->s, node)};
    w->id = id;
    off = pos - rest->dot.seq;
    if (off > 0 && off < rest->n)
        *rest = rj_seq_cut(w->s->kind, rest, off, rest->n - off);
    *ret = rest->dot.seq == pos ? rj_seq_cut(w->s->kind, rest, 0, min(most, rest->n))
                                : (struct rj_seq_run){0};
}

static void tell_deletion(const struct rj_seq *s, uint32_t id, uint64_t pos,
                          uint64_t most, struct rj_seq_run *ret)
{
    const struct rj_seq_deletion *d = rj_seq_deletion(s, id);
    struct rj_seq_run whole = {
        .dot = d->dot, .ref = d->ref, .n = d->n, .deletes = true, .down = d->down};
    uint64_t off = pos - d->dot.seq;

    *ret = off < d->n ? rj_seq_cut(s->kind, &whole, off, min(most, d->n - off))
                      : (struct rj_seq_run){0};
    ret->down = ret->n > 1 && d->down;
}

bool rj_seq_walk_next(struct rj_seq_source *src, struct rj_seq_run *ret)
{
    struct rj_seq_walk *w = (struct rj_seq_walk *)(void *)src;
    const struct rj_span *span = &w->span;
    uint32_t ref;
    bool found;

    if (w->pos == 0) {
        if (!next_span(w))
            return false;
        w->pos = span->from;
        found = rj_seq_index_floor(&w->s->index, (struct rj_dot){w->pos, span->origin},
                                   &w->at);
    } else {
        found = rj_seq_index_next(&w->s->index, &w->at);
    }
    if (!found)
        goto broken;
    ref = rj_seq_index_ref(&w->s->index, w->at);
    if ((ref & RJ_SEQ_DELETION) != 0)
        tell_deletion(w->s, ref & ~RJ_SEQ_DELETION, w->pos, span->to - w->pos + 1, ret);
    else
        tell_node(w, ref, w->pos, span->to - w->pos + 1, ret);
    if (ret->n == 0)
        goto broken;
    w->pos += ret->n;
    if (w->pos > span->to)
        w->pos = 0;
    if (w->map != NULL) {
        ret->dot.origin = w->map[ret->dot.origin];
        if (ret->ref.seq != 0)
            ret->ref.origin = w->map[ret->ref.origin];
    }
    return true;
broken:
    src->failed = true;
    return false;
}

/* ---- what makes runs longest */

/* How many elements of run go on what head says, which learns its direction. */
static uint64_t joins(const struct rj_seq_run *head, const struct rj_seq_run *run,
                      bool *ret_down)
{
    uint64_t next;

    if (head->n == 0 || head->deletes != run->deletes ||
        head->dot.origin != run->dot.origin || head->dot.seq + head->n != run->dot.seq ||
        run->n > RJ_SEQ_RUN_MAX - head->n)
        return 0;
    *ret_down = head->down;
    if (!run->deletes)
        return !run->down && run->ref.origin == head->dot.origin &&
                       run->ref.seq + 1 == run->dot.seq
                   ? run->n
                   : 0;
    if (head->n == 1)
        *ret_down = run->ref.seq < head->ref.seq;
    next = *ret_down ? head->ref.seq - head->n : head->ref.seq + head->n;
    if (run->ref.origin != head->ref.origin || run->ref.seq != next)
        return 0;
    return run->n == 1 || run->down == *ret_down ? run->n : 1;
}

/* ---- writing */

struct writer {
    struct rj_bits_writer heads;
    struct rj_buf lives, content;
    const uint32_t *number;
    uint64_t *last;
    uint32_t own, cursor;
    struct rj_seq_run head;
    uint64_t live_run;
    bool live;
};

static void put_head(struct writer *w)
{
    const struct rj_seq_run *h = &w->head;
    uint32_t own, to;
    int64_t distance;
    uint64_t code;

    if (h->n == 0)
        return;
    own = w->number[h->dot.origin];
    if (own != w->own)
        w->own = w->cursor = own;
    to = h->ref.seq != 0 ? w->number[h->ref.origin] : w->cursor;
    code = (h->deletes ? HEAD_DELETES : 0) | (h->down ? HEAD_DOWN : 0) |
           (to != w->cursor ? HEAD_FAR : 0);
    rj_bits_put(&w->heads, code, HEAD_BITS);
    rj_bits_put_gamma(&w->heads, h->n);
    if (to != w->cursor)
        rj_bits_put_gamma(&w->heads, (uint64_t)to + 1);
    distance = (int64_t)(h->ref.seq - w->last[to]);
    rj_bits_put_long(&w->heads,
                     distance < 0 ? ~((uint64_t)distance << 1) : (uint64_t)distance << 1);
    if (h->deletes) {
        w->cursor = to;
        w->last[to] = h->down ? h->ref.seq - (h->n - 1) : h->ref.seq + (h->n - 1);
    } else {
        w->cursor = own;
        w->last[own] = h->dot.seq + (h->n - 1);
    }
}

static void put_live(struct writer *w, const struct rj_seq_run *run)
{
    if (run->live != w->live) {
        rj_buf_varint(&w->lives, w->live_run);
        w->live_run = 0;
        w->live = run->live;
    }
    w->live_run += run->n;
    rj_buf_append(&w->content, run->content);
}

static void put_run(struct writer *w, struct rj_seq_run run)
{
    bool down = false;
    uint64_t n;

    if (!run.deletes)
        put_live(w, &run);
    while ((n = joins(&w->head, &run, &down)) > 0) {
        w->head.n += n;
        w->head.down = down;
        if (n == run.n)
            return;
        run.ref.seq = run.down ? run.ref.seq - n : run.ref.seq + n;
        run.dot.seq += n;
        run.n -= n;
        run.down = run.n > 1 && run.down;
    }
    put_head(w);
    w->head = run;
}

static void put_column(struct rj_buf *out, struct rj_buf *b)
{
    rj_cbor_put_bytes(out, rj_buf_view(b));
    if (b->failed)
        rj_buf_fail(out, rj_buf_err(b));
    rj_buf_done(b);
}

enum rj_err rj_seq_put(struct rj_buf *out, struct rj_seq_source *src,
                       const uint32_t *number, uint32_t n_names)
{
    const struct rj_allocator *a = out->allocator;
    struct writer w = {.heads.b.allocator = a,
                       .lives.allocator = a,
                       .content.allocator = a,
                       .number = number,
                       .own = RJ_NAME_NONE,
                       .live = true};
    size_t last_size = n_names * sizeof(*w.last) + 1;
    struct rj_seq_run run;

    w.last = rj_mem_new(a, last_size);
    if (w.last == NULL)
        return RJ_ENOMEM;
    memset(w.last, 0, last_size);
    while (src->next(src, &run))
        put_run(&w, run);
    put_head(&w);
    rj_bits_end(&w.heads);
    if (w.live_run > 0)
        rj_buf_varint(&w.lives, w.live_run);
    rj_mem_free(a, w.last, last_size);
    rj_cbor_put_array(out, COLUMNS);
    put_column(out, &w.heads.b);
    put_column(out, &w.lives);
    put_column(out, &w.content);
    if (src->failed)
        return RJ_ECORRUPT;
    return rj_buf_err(out);
}

/* ---- reading */

struct rj_seq_read rj_seq_read_of(const struct rj_seq_wire *wire,
                                  const struct rj_elements *kind,
                                  const struct rj_dots *seen, uint64_t *last,
                                  uint32_t n_names)
{
    struct rj_seq_read r = {.src.next = rj_seq_read_next,
                            .kind = kind,
                            .dots = rj_dots_walk_of(seen),
                            .last = last,
                            .n_names = n_names,
                            .origin = RJ_NAME_NONE,
                            .heads = {.b = wire->heads},
                            .lives = rj_reader_of(wire->lives),
                            .content = rj_reader_of(wire->content)};

    r.has_span = rj_dots_next(&r.dots, &r.span);
    memset(last, 0, n_names * sizeof(*last));
    return r;
}

static bool get_ref(struct rj_seq_read *r, bool far, struct rj_dot *ret)
{
    uint64_t to = far ? rj_bits_get_gamma(&r->heads) - 1 : r->cursor, code, seq;

    if (to >= r->n_names || (far && to == r->cursor))
        return false;
    code = rj_bits_get_long(&r->heads);
    seq = r->last[to] + ((code >> 1) ^ (0 - (code & 1)));
    if (r->heads.failed || seq > RJ_SEQ_MAX || (far && seq == 0))
        return false;
    *ret = (struct rj_dot){seq, (uint32_t)to};
    return true;
}

static bool is_sound(const struct rj_seq_run *h)
{
    if (!h->deletes) {
        if (h->ref.seq == 0)
            return !h->down;
        return h->ref.origin != h->dot.origin || h->ref.seq < h->dot.seq;
    }
    if (h->ref.seq == 0 || (h->n == 1 && h->down))
        return false;
    return h->down ? h->ref.seq >= h->n : h->n <= RJ_SEQ_MAX - h->ref.seq;
}

static bool get_head(struct rj_seq_read *r)
{
    const struct rj_span *span = &r->span;
    uint64_t code = rj_bits_get(&r->heads, HEAD_BITS);
    struct rj_seq_run h = {.dot = {span->from + r->done, span->origin},
                           .n = rj_bits_get_gamma(&r->heads),
                           .deletes = (code & HEAD_DELETES) != 0,
                           .down = (code & HEAD_DOWN) != 0};
    bool down;

    if (r->done == 0) {
        r->prev.n = 0;
        if (r->origin != span->origin)
            r->origin = r->cursor = span->origin;
    }
    if (r->heads.failed || h.n > RJ_SEQ_RUN_MAX || h.n > span->to - h.dot.seq + 1 ||
        !get_ref(r, (code & HEAD_FAR) != 0, &h.ref) || !is_sound(&h) ||
        joins(&r->prev, &h, &down) > 0)
        return false;
    if (h.deletes) {
        r->cursor = h.ref.origin;
        r->last[r->cursor] = h.down ? h.ref.seq - (h.n - 1) : h.ref.seq + (h.n - 1);
    } else {
        r->cursor = span->origin;
        r->last[r->cursor] = h.dot.seq + (h.n - 1);
    }
    r->done += h.n;
    if (r->done == span->to - span->from + 1) {
        r->done = 0;
        r->has_span = rj_dots_next(&r->dots, &r->span);
    }
    r->head = r->prev = h;
    return true;
}

/* The next elements that are all live or all deleted. */
static bool get_part(struct rj_seq_read *r, struct rj_seq_run *ret)
{
    struct rj_seq_run *h = &r->head;
    size_t len;

    if (r->live_left == 0) {
        bool first = !r->lives_begun;

        r->live = first || !r->live;
        r->lives_begun = true;
        r->live_left = rj_reader_varint(&r->lives);
        if (r->live_left == 0 && first) {
            r->live = false;
            r->live_left = rj_reader_varint(&r->lives);
        }
        if (r->live_left == 0)
            return false;
    }
    *ret = *h;
    ret->n = min(h->n, r->live_left);
    ret->live = r->live;
    r->live_left -= ret->n;
    if (r->live) {
        struct rj_bytes rest = {r->content.ptr, rj_reader_left(&r->content)};

        len = r->kind->skip(rest, ret->n);
        if (len > rest.len)
            return false;
        ret->content = rj_reader_bytes(&r->content, len);
    }
    h->n -= ret->n;
    h->dot.seq += ret->n;
    h->ref = (struct rj_dot){h->dot.seq - 1, h->dot.origin};
    h->down = false;
    return true;
}

bool rj_seq_read_next(struct rj_seq_source *src, struct rj_seq_run *ret)
{
    struct rj_seq_read *r = (struct rj_seq_read *)(void *)src;

    if (src->failed || (r->head.n == 0 && !r->has_span))
        return false;
    if (r->head.n == 0 && !get_head(r))
        goto bad;
    if (r->head.deletes || r->heads_only) {
        *ret = r->head;
        r->head.n = 0;
    } else if (!get_part(r, ret)) {
        goto bad;
    }
    if (r->map != NULL) {
        ret->dot.origin = r->map[ret->dot.origin];
        ret->ref.origin = r->map[ret->ref.origin];
    }
    return true;
bad:
    src->failed = true;
    return false;
}

bool rj_seq_read_complete(const struct rj_seq_read *r)
{
    return !r->src.failed && r->head.n == 0 && !r->has_span && r->live_left == 0 &&
           rj_bits_complete(&r->heads) && rj_reader_complete(&r->lives) &&
           rj_reader_complete(&r->content);
}
