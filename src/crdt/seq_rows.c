/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences below a key of a map, as rows: so whatever holds for rows (a key that goes
 * with all below it, removal for a reader, differences, forks) holds for them. Two
 * places:
 *
 *     r   a run: behind the dot of its row come those of its elements; where the first
 *         one hangs, each other one being the right child of the one before. It stays,
 *         since others may hang from its elements
 *     e   an element that is there, under its own dot, and what it holds. Who deletes it
 *         takes the row away
 *
 * The tree of crdt/seq.h is made of the rows for each change and each reading, in time of
 * the elements that the sequence has and had. A run of which nothing hangs in the tree
 * (its parent has not come) waits there.
 * Weidner, Kleppmann 2023, "The art of the Fugue". */
#include "crdt/json.h"
#include "crdt/place.h"
#include "crdt/seq.h"

#include <stdlib.h>

static const uint8_t run_name[] = {'r'}, element_name[] = {'e'};

enum { ROOT, NEAR_RIGHT, NEAR_LEFT, FAR_RIGHT, FAR_LEFT };

/* What a row of a run says. */
struct said {
    uint64_t n;           /* of elements */
    unsigned where;       /* as above */
    uint64_t seq;         /* near: so far before the row; far: the parent's */
    struct rj_bytes name; /* far: its replica */
};

static bool get_said(struct rj_bytes payload, struct said *ret)
{
    struct rj_reader r = rj_reader_of(payload);
    uint64_t where;

    *ret = (struct said){.n = rj_reader_varint(&r)};
    where = rj_reader_varint(&r);
    if (where != ROOT)
        ret->seq = rj_reader_varint(&r);
    ret->name = rj_reader_rest(&r);
    ret->where = (unsigned)(where <= FAR_LEFT ? where : FAR_LEFT);
    return !r.failed && where <= FAR_LEFT && ret->n > 0 && ret->n <= RJ_SEQ_RUN_MAX &&
           (where == ROOT || (ret->seq > 0 && ret->seq <= RJ_SEQ_MAX)) &&
           (ret->name.len > 0) == (where >= FAR_RIGHT) &&
           ret->name.len <= RJ_CRDT_NAME_MAX;
}

static bool is_run(struct rj_bytes place)
{
    return rj_bytes_equal(place, RJ_BYTES_OF(run_name));
}

bool rj_seq_rows_stay(struct rj_bytes place)
{
    return is_run(place);
}

bool rj_seq_rows_are_sound(const struct rj_elements *kind, struct rj_bytes place,
                           struct rj_bytes payload)
{
    struct said said;

    if (is_run(place))
        return get_said(payload, &said);
    return rj_bytes_equal(place, RJ_BYTES_OF(element_name)) && payload.len > 0 &&
           kind->is_sound(payload) && kind->skip(payload, 1) == payload.len;
}

/* ---- the tree of a sequence */

struct tree {
    const struct rj_crdt *v;
    struct rj_bytes prefix;
    struct rj_seq *seq;
    struct rj_buf runs; /* struct rj_seq_run */
    struct rj_buf room;
};

/* The type goes last in a prefix. */
static const struct rj_elements *kind_of(struct rj_bytes prefix)
{
    return rj_type_get(prefix.ptr[prefix.len - 1])->elements;
}

/* The run that a row speaks of. False: its parent cannot be here. */
static bool run_of(const struct rj_crdt *v, const struct rj_row *row,
                   struct rj_seq_run *ret)
{
    struct rj_dot dot = rj_row_dot(row);
    struct said said;

    if (!get_said(rj_row_payload(row), &said))
        return false;
    *ret = (struct rj_seq_run){.dot = {dot.seq + 1, dot.origin}, .n = said.n};
    ret->down = said.where == NEAR_LEFT || said.where == FAR_LEFT;
    if (said.where == ROOT)
        return true;
    if (said.name.len == 0) {
        ret->ref = (struct rj_dot){dot.seq - said.seq, dot.origin};
        return said.seq < dot.seq;
    }
    ret->ref = (struct rj_dot){said.seq, rj_roster_find(v->names, said.name)};
    /* Nobody hangs anything from what he has not made yet. */
    return ret->ref.origin != RJ_NAME_NONE &&
           (ret->ref.origin != dot.origin || said.seq < dot.seq);
}

static int by_dot(const void *a, const void *b)
{
    const struct rj_seq_run *x = a, *y = b;

    if (x->dot.origin != y->dot.origin)
        return x->dot.origin < y->dot.origin ? -1 : 1;
    return (x->dot.seq > y->dot.seq) - (x->dot.seq < y->dot.seq);
}

/* All runs, ascending by their dots; none goes beyond the row of the next. */
static enum rj_err find_runs(struct tree *t, struct rj_seq_run **ret, size_t *ret_n)
{
    const struct rj_rows *rows = &t->v->rows;
    const struct rj_row *row = rj_rows_at(rows, t->prefix, RJ_BYTES_OF(run_name));
    struct rj_seq_run run, *runs;
    size_t n, i;

    for (; row != NULL; row = rj_row_next(rows, row)) {
        if (run_of(t->v, row, &run))
            rj_buf_append_raw(&t->runs, &run, sizeof(run));
    }
    if (t->runs.failed)
        return rj_buf_err(&t->runs);
    runs = (struct rj_seq_run *)(void *)t->runs.ptr;
    n = t->runs.len / sizeof(run);
    if (n > 1)
        qsort(runs, n, sizeof(run), by_dot);
    for (i = 0; i < n; i++) {
        uint64_t most = RJ_SEQ_MAX - runs[i].dot.seq + 1;

        if (i + 1 < n && runs[i + 1].dot.origin == runs[i].dot.origin)
            most = runs[i + 1].dot.seq - 1 - runs[i].dot.seq;
        runs[i].n = runs[i].n < most ? runs[i].n : most;
    }
    *ret = runs;
    *ret_n = n;
    return RJ_OK;
}

static bool is_element(const struct tree *t, const struct rj_row *row)
{
    struct rj_bytes place = rj_row_place(row);

    return rj_bytes_starts_with(place, t->prefix) &&
           rj_bytes_equal(rj_bytes_skip(place, t->prefix.len), RJ_BYTES_OF(element_name));
}

/* Elements of run from *from on, n of them: there with that content, or deleted. */
static enum rj_err take_part(struct tree *t, const struct rj_seq_run *run, uint64_t *from,
                             uint64_t n)
{
    struct rj_bytes content = rj_buf_view(&t->room);
    struct rj_seq_run part = rj_seq_cut(t->seq->kind, run, *from, n);
    struct rj_seq_need need = {0};
    enum rj_err err;

    if (n == 0)
        return RJ_OK;
    part.live = content.len > 0;
    part.content = content;
    rj_seq_count(t->seq, &part, &t->v->seen, &need);
    err = rj_seq_reserve(t->seq, &need);
    if (err == RJ_OK)
        rj_seq_take(t->seq, &part);
    *from += n;
    rj_buf_clear(&t->room);
    return err;
}

static enum rj_err take_run(struct tree *t, const struct rj_seq_run *run)
{
    struct rj_span span = {run->dot.seq, run->dot.seq + run->n - 1, run->dot.origin};
    struct rj_row_walk walk;
    const struct rj_row *row;
    uint64_t from = 0, at = 0; /* what was taken; where content in the room ends */
    enum rj_err err = RJ_OK;

    if (run->n == 0)
        return RJ_OK;
    walk = rj_row_walk_of(&t->v->rows, span);
    while (err == RJ_OK && (row = rj_row_walk_next(&walk)) != NULL) {
        uint64_t index = rj_row_dot(row).seq - run->dot.seq;

        if (!is_element(t, row))
            continue;
        if (index > at || t->room.len == 0) {
            err = take_part(t, run, &from, at - from);
            if (err == RJ_OK)
                err = take_part(t, run, &from, index - from);
        }
        rj_buf_append(&t->room, rj_row_payload(row));
        if (err == RJ_OK)
            err = rj_buf_err(&t->room);
        at = index + 1;
    }
    if (err == RJ_OK)
        err = take_part(t, run, &from, at - from);
    return err == RJ_OK ? take_part(t, run, &from, run->n - from) : err;
}

static enum rj_err tree_init(struct tree *t, const struct rj_crdt *v,
                             struct rj_bytes prefix)
{
    struct rj_seq_run *runs = NULL;
    size_t n = 0, i;
    enum rj_err err;

    *t = (struct tree){.v = v,
                       .prefix = prefix,
                       .seq = rj_seq_new(kind_of(prefix), v->names, v->allocator),
                       .runs.allocator = v->allocator,
                       .room.allocator = v->allocator};
    if (t->seq == NULL)
        return RJ_ENOMEM;
    err = find_runs(t, &runs, &n);
    for (i = 0; err == RJ_OK && i < n; i++)
        err = take_run(t, &runs[i]);
    return err;
}

static void tree_done(struct tree *t)
{
    rj_seq_free(t->seq);
    rj_buf_done(&t->runs);
    rj_buf_done(&t->room);
}

/* ---- reading */

void rj_seq_rows_json(const struct rj_crdt *v, struct rj_bytes prefix,
                      struct rj_buf *json)
{
    struct rj_buf all = {.allocator = json->allocator};
    struct tree t;
    enum rj_err err = tree_init(&t, v, prefix);

    if (err == RJ_OK) {
        rj_seq_show(t.seq, &all);
        err = rj_buf_err(&all);
    }
    if (err == RJ_OK)
        kind_of(prefix)->put_json(json, rj_buf_view(&all));
    else
        rj_buf_fail(json, err);
    rj_buf_done(&all);
    tree_done(&t);
}

enum rj_err rj_seq_rows_length(const struct rj_crdt *v, struct rj_bytes prefix,
                               uint64_t *ret_n)
{
    struct tree t;
    enum rj_err err;

    *ret_n = 0;
    if (rj_rows_at(&v->rows, prefix, RJ_BYTES_OF(element_name)) == NULL)
        return RJ_OK;
    err = tree_init(&t, v, prefix);
    if (err == RJ_OK)
        *ret_n = t.seq->shown;
    tree_done(&t);
    return err;
}

/* Where memory is short, the reading that follows will say so. */
bool rj_seq_rows_are_alive(const struct rj_crdt *v, struct rj_bytes prefix)
{
    uint64_t n;

    return rj_seq_rows_length(v, prefix, &n) != RJ_OK || n > 0;
}

/* ---- a change */

/* The row of a run that hangs where `run` says. */
static enum rj_err put_run(const struct rj_site *s, const struct rj_seq_run *run)
{
    struct rj_buf said = {.allocator = s->v->allocator};
    struct rj_dot dot = {0};
    enum rj_err err = rj_site_next(s, &dot);
    bool near = run->ref.origin == dot.origin;

    if (err != RJ_OK)
        return err;
    rj_buf_varint(&said, run->n);
    if (run->ref.seq == 0) {
        rj_buf_varint(&said, ROOT);
    } else {
        rj_buf_varint(&said, (near ? NEAR_RIGHT : FAR_RIGHT) + (run->down ? 1u : 0u));
        rj_buf_varint(&said, near ? dot.seq - run->ref.seq : run->ref.seq);
        if (!near)
            rj_buf_append(&said, rj_roster_get(s->v->names, run->ref.origin));
    }
    err = rj_buf_err(&said);
    if (err == RJ_OK)
        err = rj_site_add(s, RJ_BYTES_OF(run_name), rj_buf_view(&said));
    rj_buf_done(&said);
    return err;
}

static enum rj_err insert(const struct rj_site *s, struct rj_seq *seq, uint64_t pos,
                          struct rj_bytes content)
{
    struct rj_seq_run run = {.n = 0};
    struct rj_bytes rest = content;
    enum rj_err err;

    for (; rest.len > 0; run.n++)
        rest = rj_bytes_skip(rest, seq->kind->skip(rest, 1));
    if (run.n == 0)
        return RJ_OK;
    if (run.n > RJ_SEQ_RUN_MAX)
        return RJ_ELIMIT;
    rj_seq_aim(seq, pos, &run);
    err = put_run(s, &run);
    for (rest = content; err == RJ_OK && rest.len > 0;) {
        size_t len = seq->kind->skip(rest, 1);

        err = rj_site_add(s, RJ_BYTES_OF(element_name), rj_bytes_first(rest, len));
        rest = rj_bytes_skip(rest, len);
    }
    return err;
}

static enum rj_err erase(const struct rj_site *s, struct rj_seq *seq, uint64_t pos,
                         uint64_t count)
{
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && count > 0; count--, pos++) {
        uint32_t id, off;
        const struct rj_seq_node *node;
        struct rj_dot dot;

        rj_seq_order_find(seq, pos, &id, &off);
        node = rj_seq_node(seq, id);
        dot = (struct rj_dot){node->seq + off, node->origin};
        err = rj_site_kill_row(s, rj_rows_find(&s->v->rows, dot));
    }
    return err;
}

static enum rj_err edit(const struct rj_site *s, struct tree *t)
{
    const struct rj_crdt_op *op = s->op;
    uint64_t pos = op->pos == RJ_CRDT_END ? t->seq->shown : op->pos;
    uint64_t count = op->code == RJ_CRDT_SET ? 1 : op->count, n = 0;
    struct rj_bytes content = {0};
    enum rj_err err = RJ_OK;

    rj_buf_clear(&t->room);
    if (op->code != RJ_CRDT_DELETE)
        err = t->seq->kind->content(op, &t->room, &content, &n);
    if (err == RJ_OK && pos > t->seq->shown)
        err = RJ_EINVAL;
    if (err == RJ_OK && op->code != RJ_CRDT_INSERT) {
        if (count > t->seq->shown - pos || (op->code == RJ_CRDT_SET && n != 1))
            return RJ_EINVAL;
        err = erase(s, t->seq, pos, count);
    }
    return err == RJ_OK ? insert(s, t->seq, pos, content) : err;
}

enum rj_err rj_seq_rows_change(const struct rj_site *s)
{
    struct tree t;
    enum rj_err err;

    if (s->op->code == RJ_CRDT_CLEAR)
        return rj_site_kill(s, RJ_BYTES_OF(element_name));
    if (s->op->code != RJ_CRDT_INSERT && s->op->code != RJ_CRDT_DELETE &&
        s->op->code != RJ_CRDT_SET)
        return RJ_EINVAL;
    err = tree_init(&t, s->v, s->prefix);
    if (err == RJ_OK)
        err = edit(s, &t);
    tree_done(&t);
    return err;
}
