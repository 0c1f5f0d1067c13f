/* SPDX-License-Identifier: Apache-2.0 */
/* What another lacks: against its digest by dots alone, against what it sent (scoped) at
 * the places that it named. Almeida, Shoker, Baquero 2018, "Delta state replicated data
 * types", section 6; Ivanov 2016, "CRDTs in NavCloud" (scoped diff). */
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
        return rj_code_get_digest(v, bytes, ret_seen);
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

enum rj_err rj_crdt_digest(const struct rj_crdt *v, struct rj_crdt_buf *ret_digest)
{
    struct rj_buf out = rj_buf_open(ret_digest);
    enum rj_err err = rj_code_put_digest(v, &out);

    if (err != RJ_OK)
        rj_buf_fail(&out, err);
    return rj_buf_close(&out, ret_digest);
}

/* Copies a row into another value that shares names with its own. */
static enum rj_err copy_row(struct rj_crdt *to, const struct rj_row *row)
{
    struct rj_told told = rj_row_tell(row);

    return rj_rows_put(&to->rows, &told, NULL);
}

enum rj_err rj_crdt_context(const struct rj_crdt *v, struct rj_crdt_buf *ret_context)
{
    const struct rj_row *row = rj_rows_from(&v->rows, (struct rj_dot){0});
    struct rj_crdt *context;
    enum rj_err err = RJ_ENOMEM;

    if (v->type->elements != NULL)
        return rj_crdt_digest(v, ret_context); /* its runs do not go */
    context = rj_crdt_blank(v);
    if (context != NULL)
        err = rj_dots_map(&context->seen, &v->seen, NULL);
    for (; err == RJ_OK && row != NULL; row = rj_rows_after(&v->rows, row)) {
        if (!rj_place_dies(v, rj_row_place(row)))
            err = copy_row(context, row);
    }
    if (err == RJ_OK)
        err = rj_code_encode(context, ret_context);
    rj_crdt_free(context);
    return err;
}

/* Dots of v's rows. */
static enum rj_err live_dots(const struct rj_crdt *v, struct rj_dots *live)
{
    return rj_rows_dots(&v->rows, live);
}

/* The context of the difference: what the other has not seen, and what it may hold and is
 * gone here; that is: all that v has seen but for rows that the other has seen. */
static enum rj_err diff_seen(const struct rj_crdt *v, const struct rj_dots *theirs,
                             struct rj_dots *ret_seen)
{
    struct rj_dots live = {.allocator = v->allocator};
    struct rj_dots unseen = {.allocator = v->allocator};
    struct rj_dots shared = {.allocator = v->allocator};
    enum rj_err err = live_dots(v, &live);

    if (err == RJ_OK)
        err = rj_dots_minus(&unseen, &live, theirs);
    if (err == RJ_OK)
        err = rj_dots_minus(&shared, &live, &unseen);
    if (err == RJ_OK)
        err = rj_dots_minus(ret_seen, &v->seen, &shared);
    rj_dots_done(&live);
    rj_dots_done(&unseen);
    rj_dots_done(&shared);
    return err;
}

static enum rj_err make_diff(const struct rj_crdt *v, const struct rj_dots *theirs,
                             struct rj_crdt *delta)
{
    const struct rj_row *row = rj_rows_from(&v->rows, (struct rj_dot){0});
    enum rj_err err;
    size_t i;

    if (v->type->elements != NULL) {
        delta->seq = v->seq;
        return rj_dots_minus(&delta->seen, &v->seen, theirs);
    }
    err = v->type->lacks != NULL ? v->type->lacks(v, theirs, &delta->seen)
                                 : diff_seen(v, theirs, &delta->seen);
    for (; err == RJ_OK && row != NULL; row = rj_rows_after(&v->rows, row)) {
        if (!rj_dots_has(theirs, rj_row_dot(row)))
            err = copy_row(delta, row);
    }
    for (i = 0; err == RJ_OK && i < v->n_held; i++)
        err = rj_held_add(delta, rj_held_place(&v->held[i]), v->held[i].under,
                          &v->held[i].dots);
    return err;
}

enum rj_err rj_crdt_diff(const struct rj_crdt *v, struct rj_bytes digest,
                         struct rj_crdt_buf *ret_delta)
{
    struct rj_dots theirs = {.allocator = v->allocator};
    struct rj_crdt *delta = NULL;
    enum rj_err err = rj_code_get_digest(v, digest, &theirs);

    if (err == RJ_OK) {
        delta = rj_crdt_blank(v);
        err = delta != NULL ? make_diff(v, &theirs, delta) : RJ_ENOMEM;
    }
    if (err == RJ_OK)
        err = rj_code_encode(delta, ret_delta);
    if (delta != NULL)
        delta->seq = NULL; /* it was v's */
    rj_crdt_free(delta);
    rj_dots_done(&theirs);
    return err;
}

/* ---- scoped */

struct scoped {
    const struct rj_crdt *v;
    struct rj_crdt *delta;
    uint32_t *map;         /* received's index -> v's */
    struct rj_dots theirs; /* what received has seen, numbered as in v */
};

static bool has_equal(const struct rj_rows *rows, const struct rj_row *other,
                      const struct rj_row *row)
{
    while (other != NULL && !rj_bytes_equal(rj_row_payload(other), rj_row_payload(row)))
        other = rj_row_next(rows, other);
    return other != NULL;
}

/* What won at one place. Where only one row stays, an equal one is no news, whosever. */
static enum rj_err scoped_place(const struct scoped *s, const struct rj_rows *received,
                                const struct rj_row *theirs)
{
    struct rj_bytes name = rj_row_place(theirs);
    const struct rj_row *ours = rj_rows_place(&s->v->rows, name);
    const struct rj_row *row;
    const struct rj_type *type;
    bool single = rj_place_contest(s->v, name, &type) == RJ_CONTEST_ALL;
    enum rj_err err = RJ_OK;

    if (single && ours != NULL && has_equal(received, theirs, ours))
        return RJ_OK;
    for (row = ours; err == RJ_OK && row != NULL; row = rj_row_next(&s->v->rows, row)) {
        if (rj_dots_has(&s->theirs, rj_row_dot(row)))
            continue;
        err = copy_row(s->delta, row);
        if (err == RJ_OK)
            err = rj_dots_note(&s->delta->seen, rj_row_dot(row));
    }
    for (row = theirs; err == RJ_OK && row != NULL; row = rj_row_next(received, row)) {
        struct rj_dot dot = {.seq = rj_row_dot(row).seq, .origin = s->map[row->origin]};

        if (rj_dots_has(&s->v->seen, dot) && rj_rows_find(&s->v->rows, dot) == NULL)
            err = rj_dots_note(&s->delta->seen, dot);
    }
    return err;
}

enum rj_err rj_crdt_diff_scoped(const struct rj_crdt *v, struct rj_bytes received,
                                struct rj_crdt_buf *ret_delta)
{
    const struct rj_bytes all = {0};
    struct rj_crdt *r = NULL;
    struct scoped s = {.v = v, .theirs = {.allocator = v->allocator}};
    const struct rj_row *place;
    enum rj_err err = v->type->elements == NULL ? rj_code_decode(v, received, &r)
                                                : RJ_EINVAL; /* it has no places */

    if (err == RJ_OK)
        err = map_names(v, r, &s.map);
    if (err == RJ_OK)
        err = rj_dots_map(&s.theirs, &r->seen, s.map);
    if (err == RJ_OK) {
        s.delta = rj_crdt_blank(v);
        err = s.delta != NULL ? RJ_OK : RJ_ENOMEM;
    }
    for (place = err == RJ_OK ? rj_rows_under(&r->rows, all) : NULL;
         err == RJ_OK && place != NULL; place = rj_place_next(&r->rows, place, all))
        err = scoped_place(&s, &r->rows, place);
    if (err == RJ_OK)
        err = rj_code_encode(s.delta, ret_delta);
    rj_mem_free(v->allocator, s.map, r != NULL ? r->names->n * sizeof(*s.map) + 1 : 0);
    rj_dots_done(&s.theirs);
    rj_crdt_free(s.delta);
    rj_crdt_free(r);
    return err;
}
