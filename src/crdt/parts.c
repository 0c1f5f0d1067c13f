/* SPDX-License-Identifier: Apache-2.0 */
/* A value taken apart: each row under its dot, the dots between rows (which say that
 * something is gone), each held removal; of a sequence its runs. None says what another
 * says too, and their join is the value.
 * Enes, Almeida, Baquero, Leitao 2019, "Efficient synchronization of state-based CRDTs",
 * section 4 (join decompositions); here neighbouring dead dots stay together, for no
 * receiver gains from telling them apart. */
#include "crdt/code.h"
#include "crdt/seq.h"

/* From dot on, in the span: one row, or the dots up to the next one. */
static enum rj_err take_rows(const struct rj_crdt *v, struct rj_span *span,
                             struct rj_crdt *part)
{
    const struct rj_row *row =
        rj_rows_from(&v->rows, (struct rj_dot){span->from, span->origin});
    struct rj_told told;

    if (row == NULL)
        return RJ_OK;
    told = rj_row_tell(row);
    if (told.dot.origin != span->origin || told.dot.seq > span->to)
        return RJ_OK;
    if (told.dot.seq > span->from) {
        span->to = told.dot.seq - 1;
        return RJ_OK;
    }
    span->to = span->from;
    return rj_rows_put(&part->rows, &told, NULL);
}

/* The first run of the span; it lives as long as *run. */
static void take_run(const struct rj_crdt *v, struct rj_span *span, struct rj_crdt *part,
                     struct rj_seq_run *run)
{
    const struct rj_dots one = {.spans = span, .n = 1, .cap = 1};
    struct rj_seq_walk walk = {.src.next = rj_seq_walk_next, .s = v->seq, .seen = &one};

    if (!walk.src.next(&walk.src, run))
        return;
    span->to = span->from + run->n - 1;
    part->runs = run;
    part->n_runs = 1;
}

static enum rj_err take_held(const struct rj_crdt *v, struct rj_crdt_cursor *cursor,
                             struct rj_crdt *part)
{
    const struct rj_held *h = &v->held[cursor->held];

    cursor->held++;
    return rj_held_add(part, rj_held_place(h), h->under, &h->dots);
}

enum rj_err rj_crdt_part(const struct rj_crdt *v, struct rj_crdt_cursor *cursor,
                         struct rj_crdt_buf *ret_delta)
{
    struct rj_dots_walk w = rj_dots_walk_from(&v->seen, cursor->replica, cursor->seq);
    struct rj_crdt_cursor next = *cursor;
    struct rj_crdt *part;
    struct rj_seq_run run;
    struct rj_span span;
    bool is_seen = rj_dots_next(&w, &span);
    enum rj_err err = RJ_OK;

    if (rj_crdt_has_more(v))
        return RJ_ECLOSED;
    if (!is_seen && cursor->held >= v->n_held)
        return RJ_ENOENT;
    part = rj_crdt_blank(v);
    if (part == NULL)
        return RJ_ENOMEM;
    if (is_seen) {
        if (span.origin == cursor->replica && span.from < cursor->seq)
            span.from = cursor->seq;
        if (v->type->elements != NULL)
            take_run(v, &span, part, &run);
        else
            err = take_rows(v, &span, part);
        if (err == RJ_OK)
            err = rj_dots_add(&part->seen, span);
        next.replica = span.origin;
        next.seq = span.to + 1;
    } else {
        err = take_held(v, &next, part);
    }
    if (err == RJ_OK)
        err = rj_code_encode(part, ret_delta);
    if (err == RJ_OK)
        *cursor = next;
    rj_crdt_free(part);
    return err;
}
