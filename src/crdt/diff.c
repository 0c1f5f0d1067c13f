/* SPDX-License-Identifier: Apache-2.0 */
/* What another lacks: against its digest by dots alone, against what it sent (scoped) at
 * the places that it named. Almeida, Shoker, Baquero 2018, "Delta state replicated data
 * types", section 6; Ivanov 2016, "CRDTs in NavCloud" (scoped diff). */
#include "crdt/code.h"
#include "crdt/seq.h"

/* Their numbers of names to v's; the caller frees it. */
static enum rj_err map_names(const struct rj_crdt *v, const struct rj_crdt *other,
                             uint32_t **ret_map)
{
    const struct rj_roster *theirs = other->names;
    uint32_t *map = rj_mem_new(v->allocator, theirs->n * sizeof(*map) + 1);
    enum rj_err err = map != NULL ? RJ_OK : RJ_ENOMEM;
    uint32_t i;

    for (i = 0; err == RJ_OK && i < theirs->n; i++)
        err = rj_roster_add(v->names, rj_roster_get(theirs, i), &map[i]);
    *ret_map = map;
    return err;
}

enum rj_err rj_context_get(const struct rj_crdt *v, struct rj_bytes bytes,
                           struct rj_crdt **ret_known, struct rj_dots *ret_seen)
{
    struct rj_crdt *known = NULL;
    uint32_t *map = NULL;
    enum rj_err err;

    if (v->type->elements != NULL)
        return rj_code_get_digest(v, bytes, ret_seen, NULL, NULL);
    err = rj_code_decode(v, bytes, &known);
    if (err != RJ_OK)
        return err;
    err = map_names(v, known, &map);
    if (err == RJ_OK)
        err = rj_dots_map(ret_seen, &known->seen, map);
    rj_mem_free(v->allocator, map, known->names->n * sizeof(*map) + 1);
    if (err == RJ_OK && ret_known != NULL)
        *ret_known = known;
    else
        rj_crdt_free(known);
    return err;
}

enum rj_err rj_crdt_context(const struct rj_crdt *v, struct rj_crdt_buf *ret_context)
{
    struct rj_dots told = {.allocator = v->allocator};
    struct rj_telling t = {.v = v, .seen = &v->seen, .rows = &v->rows, .which = &told};
    const struct rj_row *row = rj_rows_from(&v->rows, (struct rj_dot){0});
    enum rj_err err = RJ_OK;

    if (v->type->elements != NULL)
        return rj_crdt_digest(v, ret_context); /* its runs do not go */
    for (; err == RJ_OK && row != NULL; row = rj_rows_after(&v->rows, row)) {
        struct rj_dot dot = rj_row_dot(row);

        if (rj_place_resets(v, rj_row_place(row)))
            err = rj_dots_append(&told, (struct rj_span){dot.seq, dot.seq, dot.origin});
    }
    if (err == RJ_OK)
        err = rj_code_tell(&t, ret_context);
    rj_dots_done(&told);
    return err;
}

/* Takes from seen what they have seen and same has: there both have the same rows. */
static enum rj_err leave_out(struct rj_dots *seen, const struct rj_dots *theirs,
                             const struct rj_dots *same)
{
    struct rj_dots told = {.allocator = seen->allocator};
    struct rj_dots fresh = {.allocator = seen->allocator};
    enum rj_err err = rj_dots_minus(&told, seen, same);

    if (err == RJ_OK)
        err = rj_dots_minus(&fresh, seen, theirs);
    if (err == RJ_OK)
        err = rj_dots_union(seen, &told, &fresh);
    rj_dots_done(&told);
    rj_dots_done(&fresh);
    return err;
}

/* What the other has not seen, and what it may hold and is gone here; that is: all that v
 * has seen but for rows that the other has seen, and for what went where both agree.
 * Those of the other rows are told. */
static enum rj_err diff_rows(const struct rj_crdt *v, const struct rj_dots *theirs,
                             const struct rj_dots *same, struct rj_dots *ret_rows,
                             struct rj_dots *ret_seen)
{
    struct rj_dots live = {.allocator = v->allocator};
    struct rj_dots shared = {.allocator = v->allocator};
    enum rj_err err = rj_rows_dots(&v->rows, &live);

    if (err == RJ_OK)
        err = rj_dots_minus(ret_rows, &live, theirs);
    if (err == RJ_OK)
        err = rj_dots_minus(&shared, &live, ret_rows);
    if (err == RJ_OK)
        err = rj_dots_minus(ret_seen, &v->seen, &shared);
    if (err == RJ_OK && same != NULL && same->n > 0)
        err = leave_out(ret_seen, theirs, same);
    rj_dots_done(&live);
    rj_dots_done(&shared);
    return err;
}

/* Of a sequence: its runs that the other has not seen. */
static enum rj_err diff_runs(const struct rj_crdt *v, const struct rj_dots *theirs,
                             struct rj_crdt_buf *ret_delta)
{
    struct rj_crdt *delta = rj_crdt_blank(v);
    enum rj_err err = RJ_ENOMEM;

    if (delta != NULL)
        err = rj_dots_minus(&delta->seen, &v->seen, theirs);
    if (err == RJ_OK)
        err = rj_heirs_join(&delta->heirs, v->names, &v->heirs, NULL);
    if (err == RJ_OK) {
        delta->seq = v->seq;
        err = rj_code_encode(delta, ret_delta);
        delta->seq = NULL; /* it is v's */
    }
    rj_crdt_free(delta);
    return err;
}

enum rj_err rj_diff_encode(const struct rj_crdt *v, const struct rj_dots *theirs,
                           const struct rj_dots *same, struct rj_crdt_buf *ret_delta)
{
    struct rj_dots rows = {.allocator = v->allocator};
    struct rj_dots seen = {.allocator = v->allocator};
    struct rj_telling t = {.v = v,
                           .seen = &seen,
                           .rows = &v->rows,
                           .which = &rows,
                           .held = v->held,
                           .n_held = v->n_held};
    enum rj_err err;

    if (v->type->elements != NULL) {
        err = diff_runs(v, theirs, ret_delta);
    } else {
        err = v->type->lacks != NULL ? v->type->lacks(v, theirs, &seen)
                                     : diff_rows(v, theirs, same, &rows, &seen);
        if (err == RJ_OK)
            err = rj_code_tell(&t, ret_delta);
    }
    rj_dots_done(&rows);
    rj_dots_done(&seen);
    return err;
}

enum rj_err rj_crdt_diff(const struct rj_crdt *v, struct rj_bytes digest,
                         struct rj_crdt_buf *ret_delta)
{
    struct rj_dots theirs = {.allocator = v->allocator}, horizon = theirs, same = theirs;
    enum rj_err err = rj_code_get_digest(v, digest, &theirs, &horizon, &same);

    if (err == RJ_OK && theirs.n > 0 && !rj_dots_within(&v->horizon, &theirs))
        err = RJ_ECLOSED;
    if (err == RJ_OK) /* what was not judged by their horizon goes as a whole */
        err = rj_dots_within(&horizon, &v->horizon)
                  ? rj_diff_encode(v, &theirs, &same, ret_delta)
                  : rj_code_encode(v, ret_delta);
    rj_dots_done(&theirs);
    rj_dots_done(&horizon);
    rj_dots_done(&same);
    return err;
}

/* ---- scoped */

struct scoped {
    const struct rj_crdt *v;
    const struct rj_crdt *received;
    const uint32_t *map;       /* received's index -> v's */
    struct rj_dots theirs;     /* what received has seen, numbered as in v */
    struct rj_dots rows, seen; /* of the answer */
};

static bool has_equal(const struct rj_rows *rows, const struct rj_row *other,
                      const struct rj_row *row)
{
    while (other != NULL && !rj_bytes_equal(rj_row_payload(other), rj_row_payload(row)))
        other = rj_row_next(rows, other);
    return other != NULL;
}

/* What won at one place. Where only one row stays, an equal one is no news, whosever. */
static enum rj_err scoped_place(struct scoped *s, const struct rj_row *theirs)
{
    const struct rj_rows *received = &s->received->rows;
    const struct rj_row *ours = rj_rows_place(&s->v->rows, rj_row_place(theirs)), *row;
    const struct rj_type *type;
    bool single = rj_place_contest(s->v, rj_row_place(theirs), &type) == RJ_CONTEST_ALL;
    enum rj_err err = RJ_OK;

    if (single && ours != NULL && has_equal(received, theirs, ours))
        return RJ_OK;
    for (row = ours; err == RJ_OK && row != NULL; row = rj_row_next(&s->v->rows, row)) {
        if (rj_dots_has(&s->theirs, rj_row_dot(row)))
            continue;
        err = rj_dots_note(&s->rows, rj_row_dot(row));
        if (err == RJ_OK)
            err = rj_dots_note(&s->seen, rj_row_dot(row));
    }
    for (row = theirs; err == RJ_OK && row != NULL; row = rj_row_next(received, row)) {
        struct rj_dot dot = {.seq = rj_row_dot(row).seq, .origin = s->map[row->origin]};

        if (rj_dots_has(&s->v->seen, dot) && rj_rows_find(&s->v->rows, dot) == NULL)
            err = rj_dots_note(&s->seen, dot);
    }
    return err;
}

static enum rj_err answer(struct scoped *s, struct rj_crdt_buf *ret_delta)
{
    const struct rj_bytes all = {0};
    const struct rj_crdt *r = s->received;
    struct rj_telling t = {
        .v = s->v, .seen = &s->seen, .rows = &s->v->rows, .which = &s->rows};
    const struct rj_row *place = rj_rows_under(&r->rows, all);
    uint32_t *map = NULL;
    enum rj_err err = map_names(s->v, r, &map);

    s->map = map;
    if (err == RJ_OK)
        err = rj_dots_map(&s->theirs, &r->seen, map);
    for (; err == RJ_OK && place != NULL; place = rj_place_next(&r->rows, place, all))
        err = scoped_place(s, place);
    if (err == RJ_OK)
        err = rj_code_tell(&t, ret_delta);
    rj_mem_free(s->v->allocator, map, r->names->n * sizeof(*map) + 1);
    return err;
}

enum rj_err rj_crdt_diff_scoped(const struct rj_crdt *v, struct rj_bytes received,
                                struct rj_crdt_buf *ret_delta)
{
    struct scoped s = {.v = v};
    struct rj_crdt *r = NULL;
    enum rj_err err = v->type->elements == NULL ? rj_code_decode(v, received, &r)
                                                : RJ_EINVAL; /* it has no places */

    s.theirs.allocator = s.rows.allocator = s.seen.allocator = v->allocator;
    s.received = r;
    if (err == RJ_OK)
        err = answer(&s, ret_delta);
    rj_dots_done(&s.theirs);
    rj_dots_done(&s.rows);
    rj_dots_done(&s.seen);
    rj_crdt_free(r);
    return err;
}
