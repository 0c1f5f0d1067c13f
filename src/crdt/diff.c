/* SPDX-License-Identifier: Apache-2.0 */
/* What another lacks: against its digest by dots alone, against what it sent (scoped) at
 * the places that it named. Almeida, Shoker, Baquero 2018, "Delta state replicated data
 * types", section 6; Ivanov 2016, "CRDTs in NavCloud" (scoped diff). */
#include "crdt/code.h"
#include "crdt/seq.h"

/* Their numbers of names to v's; RJ_NAME_NONE: v does not know it, nor comes to (keep:
 * it does). The caller frees it. */
static enum rj_err map_names(const struct rj_crdt *v, const struct rj_crdt *other,
                             bool keep, uint32_t **ret_map)
{
    const struct rj_roster *theirs = other->names;
    uint32_t *map = rj_mem_new(v->allocator, theirs->n * sizeof(*map) + 1);
    enum rj_err err = map != NULL ? RJ_OK : RJ_ENOMEM;
    uint32_t i;

    for (i = 0; err == RJ_OK && i < theirs->n; i++) {
        struct rj_bytes name = rj_roster_get(theirs, i);

        if (keep)
            err = rj_roster_add(v->names, name, &map[i]);
        else
            map[i] = rj_roster_find(v->names, name);
    }
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
    err = rj_code_view(v, bytes, &known);
    if (err != RJ_OK)
        return err;
    err = map_names(v, known, true, &map);
    if (err == RJ_OK)
        err = rj_dots_map(ret_seen, &known->seen, map);
    rj_mem_free(v->allocator, map, known->names->n * sizeof(*map) + 1);
    rj_dots_done(&known->seen); /* its rows are all that is asked for */
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
    const struct rj_crdt *v, *received;
    const uint32_t *map;       /* received's index -> v's */
    struct rj_dots places;     /* of v that are asked for: dots of their first rows */
    struct rj_dots rows, seen; /* of the answer */
};

/* A row of theirs. Where only one row stays, an equal one is no news, whosever. */
static enum rj_err scoped_row(struct scoped *s, const struct rj_told *theirs)
{
    const struct rj_row *ours = rj_rows_place(&s->v->rows, theirs->place);
    struct rj_dot dot = {theirs->dot.seq, s->map[theirs->dot.origin]};
    const struct rj_type *type;
    bool single = rj_place_contest(s->v, theirs->place, &type) == RJ_CONTEST_ALL;
    enum rj_err err = RJ_OK;

    if (single && ours != NULL && rj_bytes_equal(theirs->payload, rj_row_payload(ours)))
        return RJ_OK;
    if (ours != NULL)
        err = rj_dots_note(&s->places, rj_row_dot(ours));
    if (err == RJ_OK && rj_dots_has(&s->v->seen, dot) &&
        rj_rows_find(&s->v->rows, dot) == NULL)
        err = rj_dots_note(&s->seen, dot);
    return err;
}

/* They have seen a row of v. */
static bool is_seen(const struct scoped *s, const struct rj_row *row)
{
    const struct rj_crdt *r = s->received;
    struct rj_dot dot = rj_row_dot(row);

    dot.origin = rj_roster_find(r->names, rj_roster_get(s->v->names, dot.origin));
    return dot.origin != RJ_NAME_NONE && rj_dots_has(&r->seen, dot);
}

/* What v has at a place and they have not seen. */
static enum rj_err scoped_place(struct scoped *s, const struct rj_row *first)
{
    const struct rj_row *row = first;
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL; row = rj_row_next(&s->v->rows, row)) {
        if (is_seen(s, row))
            continue;
        err = rj_dots_note(&s->rows, rj_row_dot(row));
        if (err == RJ_OK)
            err = rj_dots_note(&s->seen, rj_row_dot(row));
    }
    return err;
}

static enum rj_err scoped_places(struct scoped *s)
{
    struct rj_dots_walk w = rj_dots_walk_of(&s->places);
    struct rj_span span;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && rj_dots_next(&w, &span)) {
        struct rj_row_walk rows = rj_row_walk_of(&s->v->rows, span);
        const struct rj_row *first;

        while (err == RJ_OK && (first = rj_row_walk_next(&rows)) != NULL)
            err = scoped_place(s, first);
    }
    return err;
}

static enum rj_err answer(struct scoped *s, struct rj_crdt_buf *ret_delta)
{
    struct rj_telling t = {
        .v = s->v, .seen = &s->seen, .rows = &s->v->rows, .which = &s->rows};
    struct rj_rows_told r = rj_rows_told_of(s->received);
    struct rj_told told;
    uint32_t *map = NULL;
    enum rj_err err = map_names(s->v, s->received, false, &map);

    s->map = map;
    while (err == RJ_OK && rj_rows_told_next(&r, &told))
        err = scoped_row(s, &told);
    if (err == RJ_OK)
        err = scoped_places(s);
    if (err == RJ_OK)
        err = rj_code_tell(&t, ret_delta);
    rj_mem_free(s->v->allocator, map, s->received->names->n * sizeof(*map) + 1);
    return err;
}

enum rj_err rj_crdt_diff_scoped(const struct rj_crdt *v, struct rj_bytes received,
                                struct rj_crdt_buf *ret_delta)
{
    struct scoped s = {.v = v};
    struct rj_crdt *r = NULL;
    enum rj_err err = v->type->elements == NULL ? rj_code_view(v, received, &r)
                                                : RJ_EINVAL; /* it has no places */

    s.places.allocator = s.rows.allocator = s.seen.allocator = v->allocator;
    s.received = r;
    if (err == RJ_OK)
        err = answer(&s, ret_delta);
    rj_dots_done(&s.places);
    rj_dots_done(&s.rows);
    rj_dots_done(&s.seen);
    rj_crdt_free(r);
    return err;
}
