/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences as values: changes by position become runs, runs are told and taken in.
 * An insertion behind the shown element L becomes L's right child if L has none, else the
 * left child of what follows L, deleted elements counted: so nothing that another replica
 * inserts there at the same time comes in between.
 * Weidner, Kleppmann 2023, "The art of the Fugue", section 4, algorithm 1. */
#include "base/cbor.h"
#include "crdt/seq.h"

/* ---- a change as runs */

struct edit {
    struct rj_crdt *v;
    const struct rj_dots *caused; /* only these may go; NULL: all */
    struct rj_dot next;
    uint64_t left; /* dots that may be made */
};

static const struct rj_seq_run *runs_of(const struct rj_seq *s, size_t *ret_n)
{
    *ret_n = s->runs.len / sizeof(struct rj_seq_run);
    return (const struct rj_seq_run *)(const void *)s->runs.ptr;
}

static enum rj_err add_run(struct edit *e, struct rj_seq_run run)
{
    if (run.n > e->left)
        return RJ_ELIMIT;
    run.dot = e->next;
    e->next.seq += run.n;
    e->left -= run.n;
    rj_buf_append_raw(&e->v->seq->runs, &run, sizeof(run));
    return rj_buf_err(&e->v->seq->runs);
}

void rj_seq_aim(struct rj_seq *s, uint64_t pos, struct rj_seq_run *run)
{
    uint32_t id = RJ_SEQ_ROOT, off = 0;
    const struct rj_seq_node *node;

    if (pos > 0)
        rj_seq_order_find(s, pos - 1, &id, &off);
    node = rj_seq_node(s, id);
    if (off + 1 < node->n) {
        run->ref = (struct rj_dot){node->seq + off + 1, node->origin};
        run->down = true;
    } else if (node->right != RJ_SEQ_NONE) {
        id = rj_seq_order_next(s, id);
        node = rj_seq_node(s, id);
        run->ref = (struct rj_dot){node->seq, node->origin};
        run->down = true;
    } else if (id != RJ_SEQ_ROOT) {
        run->ref = (struct rj_dot){node->seq + off, node->origin};
    }
    s->hint = id;
}

/* Inserts n elements, content of them, behind the shown element before pos. */
static enum rj_err insert(struct edit *e, uint64_t pos, struct rj_bytes content,
                          uint64_t n)
{
    struct rj_seq_run run = {.n = n, .live = true, .content = content};

    if (n == 0)
        return RJ_OK;
    rj_seq_aim(e->v->seq, pos, &run);
    return add_run(e, run);
}

/* Deletes count shown elements from pos on, those of them that may go. */
static enum rj_err erase(struct edit *e, uint64_t pos, uint64_t count)
{
    struct rj_seq *s = e->v->seq;
    enum rj_err err = RJ_OK;
    uint64_t n;

    for (; err == RJ_OK && count > 0; count -= n, pos += n) {
        struct rj_seq_run run = {.deletes = true};
        const struct rj_seq_node *node;
        uint32_t id, off;

        rj_seq_order_find(s, pos, &id, &off);
        node = rj_seq_node(s, id);
        n = node->n - off < count ? node->n - off : count;
        if (e->caused != NULL)
            n = 1;
        run.n = n;
        run.ref = (struct rj_dot){node->seq + off, node->origin};
        s->hint = id;
        if (e->caused == NULL || rj_dots_has(e->caused, run.ref))
            err = add_run(e, run);
    }
    return err;
}

/* What the reader had seen and is not here goes when it comes: dots that are no elements
 * are deleted for nothing. */
static enum rj_err erase_unseen(struct edit *e)
{
    struct rj_dots rest = {.allocator = e->v->allocator};
    enum rj_err err = rj_dots_minus(&rest, e->caused, &e->v->seen);
    struct rj_dots_walk w = rj_dots_walk_of(&rest);
    struct rj_span span;

    while (err == RJ_OK && rj_dots_next(&w, &span)) {
        struct rj_seq_run run = {.deletes = true, .ref = {span.from, span.origin}};

        run.n = span.to - span.from + 1;
        err = run.n <= RJ_SEQ_RUN_MAX ? add_run(e, run) : RJ_ELIMIT;
    }
    rj_dots_done(&rest);
    return err;
}

static enum rj_err make_runs(struct edit *e, const struct rj_crdt_op *op)
{
    struct rj_seq *s = e->v->seq;
    uint64_t pos = op->pos == RJ_CRDT_END ? s->shown : op->pos, n = 0;
    struct rj_bytes content = {0};
    enum rj_err err = RJ_OK;

    if (op->code == RJ_CRDT_CLEAR) {
        err = erase(e, 0, s->shown);
        return err == RJ_OK && e->caused != NULL ? erase_unseen(e) : err;
    }
    if (op->code != RJ_CRDT_INSERT && op->code != RJ_CRDT_DELETE &&
        op->code != RJ_CRDT_SET)
        return RJ_EINVAL;
    if (op->code != RJ_CRDT_DELETE)
        err = s->kind->content(op, &s->room, &content, &n);
    if (err == RJ_OK && pos > s->shown)
        err = RJ_EINVAL;
    if (err == RJ_OK && op->code != RJ_CRDT_INSERT) {
        uint64_t count = op->code == RJ_CRDT_SET ? 1 : op->count;

        if (count > s->shown - pos || (op->code == RJ_CRDT_SET && n != 1))
            return RJ_EINVAL;
        err = erase(e, pos, count);
    }
    return err == RJ_OK ? insert(e, pos, content, n) : err;
}

/* ---- making a change */

static enum rj_err tell(struct rj_crdt *v, struct rj_span made, struct rj_crdt_buf *ret)
{
    struct rj_crdt *delta = rj_crdt_blank(v);
    enum rj_err err = delta != NULL ? RJ_OK : RJ_ENOMEM;

    if (err == RJ_OK && made.to >= made.from)
        err = rj_dots_add(&delta->seen, made);
    if (err == RJ_OK) {
        delta->runs = runs_of(v->seq, &delta->n_runs);
        err = rj_crdt_encode(delta, ret);
    }
    rj_crdt_free(delta);
    return err;
}

static enum rj_err commit(struct rj_crdt *v, struct rj_span made)
{
    struct rj_seq_need need = {0};
    size_t n, i;
    const struct rj_seq_run *runs = runs_of(v->seq, &n);
    enum rj_err err;

    for (i = 0; i < n; i++)
        rj_seq_count(v->seq, &runs[i], &v->seen, &need);
    err = rj_seq_reserve(v->seq, &need);
    if (err == RJ_OK)
        err = rj_dots_add(&v->seen, made);
    if (err != RJ_OK)
        return err;
    for (i = 0; i < n; i++)
        rj_seq_take(v->seq, &runs[i]);
    rj_seq_settle(v->seq, &v->seen, n);
    return RJ_OK;
}

enum rj_err rj_seq_write(struct rj_crdt *v, const struct rj_crdt_op *op,
                         struct rj_crdt_buf *ret_delta)
{
    struct rj_dots caused = {.allocator = v->allocator};
    struct edit e = {.v = v};
    struct rj_span made = {.origin = v->self};
    enum rj_err err = RJ_OK;

    if (v->self == RJ_NAME_NONE)
        return RJ_EINVAL;
    if (rj_heirs_of(&v->heirs, v->self) != RJ_NAME_NONE)
        return RJ_ECLOSED;
    rj_buf_clear(&v->seq->runs);
    rj_buf_clear(&v->seq->room);
    made.from = rj_dots_last(&v->seen, v->self) + 1;
    e.next = (struct rj_dot){made.from, v->self};
    e.left = RJ_SEQ_MAX - made.from;
    if ((op->flags & RJ_CRDT_CAUSED) != 0) {
        err = rj_context_get(v, op->context, NULL, &caused);
        e.caused = &caused;
    }
    if (err == RJ_OK)
        err = make_runs(&e, op);
    made.to = e.next.seq - 1;
    if (err == RJ_OK && ret_delta != NULL)
        err = tell(v, made, ret_delta);
    if (err == RJ_OK && made.to >= made.from)
        err = commit(v, made);
    rj_dots_done(&caused);
    return err;
}

/* ---- reading */

void rj_seq_json(const struct rj_crdt *v, struct rj_bytes prefix, struct rj_buf *json)
{
    struct rj_buf all = {.allocator = json->allocator};

    if (v->seq == NULL) {
        rj_seq_rows_json(v, prefix, json);
        return;
    }
    rj_seq_show(v->seq, &all);
    v->seq->kind->put_json(json, rj_buf_view(&all));
    if (all.failed)
        rj_buf_fail(json, rj_buf_err(&all));
    rj_buf_done(&all);
}

enum rj_err rj_seq_length(const struct rj_crdt *v, struct rj_bytes prefix,
                          uint64_t *ret_n)
{
    if (v->seq == NULL)
        return rj_seq_rows_length(v, prefix, ret_n);
    *ret_n = v->seq->shown;
    return RJ_OK;
}

/* ---- bytes */

/* Runs of a change under way. */
struct list {
    struct rj_seq_source src;
    const struct rj_seq_run *runs;
    size_t n;
};

static bool list_next(struct rj_seq_source *src, struct rj_seq_run *ret)
{
    struct list *l = (struct list *)(void *)src;

    if (l->n == 0)
        return false;
    *ret = *l->runs++;
    l->n--;
    return true;
}

struct own {
    struct rj_seq_walk walk;
    struct list list;
};

static struct rj_seq_source *source_of(struct own *o, const struct rj_crdt *v,
                                       const uint32_t *index, uint32_t n_names)
{
    if (v->runs != NULL || v->seq == NULL) {
        o->list = (struct list){
            .src.next = list_next, .runs = v->runs, .n = v->runs != NULL ? v->n_runs : 0};
        return &o->list.src;
    }
    o->walk = (struct rj_seq_walk){.src.next = rj_seq_walk_next,
                                   .s = v->seq,
                                   .seen = &v->seen,
                                   .origins = index,
                                   .n_origins = n_names};
    return &o->walk.src;
}

void rj_seq_use_names(const struct rj_crdt *v, uint32_t *marks)
{
    struct rj_seq_source *src;
    struct rj_seq_run run;
    struct own o;

    if (v->type->elements == NULL)
        return;
    src = source_of(&o, v, NULL, 0);
    while (src->next(src, &run)) {
        if (run.ref.seq != 0)
            marks[run.ref.origin] = 1;
    }
}

enum rj_err rj_seq_put_rows(const struct rj_crdt *v, struct rj_buf *out,
                            const uint32_t *index, uint32_t n_names,
                            const uint32_t *number)
{
    struct own o;

    return rj_seq_put(out, source_of(&o, v, index, n_names), number, n_names);
}

/* A run of the message deletes an element that it calls live. */
static bool contradicts(const struct rj_seq_read *begun, const struct rj_dots *live)
{
    struct rj_seq_read read = *begun;
    struct rj_seq_run run;
    struct rj_span span;

    read.heads_only = true;
    while (read.src.next(&read.src, &run)) {
        uint64_t first = run.down ? run.ref.seq - (run.n - 1) : run.ref.seq;

        if (run.deletes && rj_dots_find(live, run.ref.origin, first, &span) &&
            span.from <= first + (run.n - 1))
            return true;
    }
    return false;
}

/* Reads all runs. */
static enum rj_err check_runs(const struct rj_crdt *v, uint64_t *last, uint32_t n_names,
                              uint8_t *used)
{
    struct rj_dots live = {.allocator = v->allocator};
    struct rj_seq_read read =
        rj_seq_read_of(&v->wire, v->type->elements, &v->seen, last, n_names);
    struct rj_seq_run run;
    bool deletes = false;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && read.src.next(&read.src, &run)) {
        struct rj_span span = {run.dot.seq, run.dot.seq + run.n - 1, run.dot.origin};

        deletes = deletes || run.deletes;
        if (run.ref.seq != 0)
            used[run.ref.origin] = 1;
        if (!run.deletes && run.live)
            err = rj_dots_append(&live, span);
    }
    if (err == RJ_OK && !rj_seq_read_complete(&read))
        err = RJ_ECORRUPT;
    if (err == RJ_OK && deletes && live.n > 0) {
        read = rj_seq_read_of(&v->wire, v->type->elements, &v->seen, last, n_names);
        err = contradicts(&read, &live) ? RJ_ECORRUPT : RJ_OK;
    }
    rj_dots_done(&live);
    return err;
}

enum rj_err rj_seq_get_rows(struct rj_crdt *v, struct rj_reader *r, uint32_t n_names,
                            uint8_t *used)
{
    size_t size = n_names * sizeof(uint64_t) + 1;
    uint64_t *last;
    enum rj_err err;

    rj_cbor_expect_array(r, 3);
    v->wire.heads = rj_cbor_get_bytes(r);
    v->wire.lives = rj_cbor_get_bytes(r);
    v->wire.content = rj_cbor_get_bytes(r);
    if (r->failed || !v->type->elements->is_sound(v->wire.content))
        return RJ_ECORRUPT;
    last = rj_mem_new(v->allocator, size);
    if (last == NULL)
        return RJ_ENOMEM;
    err = check_runs(v, last, n_names, used);
    rj_mem_free(v->allocator, last, size);
    return err;
}
