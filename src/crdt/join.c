/* SPDX-License-Identifier: Apache-2.0 */
/* The one join, of states and deltas alike. A row that only one side has stays iff the
 * other side has not seen its dot; contexts are united. All memory is found first; after
 * that nothing can fail, so a join that fails changes nothing.
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 5. */
#include "crdt/seq.h"

struct joining {
    struct rj_crdt *v;
    const struct rj_crdt *other;
    uint32_t *map;            /* other's index -> v's; NULL: they share their names */
    struct rj_dots theirs;    /* other's context, numbered as in v */
    struct rj_dots seen;      /* both */
    struct rj_row *takes;     /* rows to come in, by `next` */
    struct rj_crdt *held_in;  /* holds other's held removals, numbered as in v */
    struct rj_crdt *held_out; /* both sides', without what was seen */
    struct rj_crdt_report report;
};

/* ---- finding memory */

static enum rj_err map_names(struct joining *j)
{
    const struct rj_roster *theirs = j->other->names;
    enum rj_err err = RJ_OK;
    uint32_t i;

    if (theirs == j->v->names || theirs->n == 0)
        return RJ_OK;
    j->map = rj_mem_new(j->v->allocator, theirs->n * sizeof(*j->map));
    if (j->map == NULL)
        return RJ_ENOMEM;
    for (i = 0; err == RJ_OK && i < theirs->n; i++)
        err = rj_roster_add(j->v->names, rj_roster_get(theirs, i), &j->map[i]);
    return err;
}

static struct rj_dot map_dot(const struct joining *j, struct rj_dot dot)
{
    if (j->map != NULL)
        dot.origin = j->map[dot.origin];
    return dot;
}

/* Two rows with one dot are one row; whose maker breaks that is not believed. */
static bool is_same(const struct rj_row *a, const struct rj_row *b)
{
    return rj_bytes_equal(rj_place_name(a->place), rj_place_name(b->place)) &&
           rj_bytes_equal(rj_row_payload(a), rj_row_payload(b));
}

/* Copies the rows that come in. */
static enum rj_err choose_rows(struct joining *j)
{
    struct rj_crdt *v = j->v;
    struct rj_row *row, *copy;

    for (row = rj_rows_from(&j->other->rows, (struct rj_dot){0}); row != NULL;
         row = rj_rows_after(row)) {
        struct rj_dot dot = map_dot(j, row->dot);
        struct rj_bytes place = rj_place_name(row->place);

        if (rj_dots_has(&v->seen, dot)) {
            const struct rj_row *mine = rj_rows_find(&v->rows, dot);

            if (mine != NULL && !is_same(mine, row))
                return RJ_ECORRUPT;
            continue;
        }
        if (rj_held_covers(v, place, dot))
            continue;
        copy = rj_row_new(v->allocator, place, dot, rj_row_payload(row));
        if (copy == NULL)
            return RJ_ENOMEM;
        copy->next = j->takes;
        j->takes = copy;
    }
    return RJ_OK;
}

/* to gains from's held removals without the dots in `without`. */
static enum rj_err add_held(struct rj_crdt *to, const struct rj_crdt *from,
                            const uint32_t *map, const struct rj_dots *without)
{
    struct rj_dots mapped = {.allocator = to->allocator};
    struct rj_dots rest = {.allocator = to->allocator};
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < from->n_held; i++) {
        const struct rj_held *h = &from->held[i];

        err = rj_dots_map(&mapped, &h->dots, map);
        if (err == RJ_OK)
            err = rj_dots_minus(&rest, &mapped, without);
        if (err == RJ_OK)
            err = rj_held_add(to, rj_held_place(h), h->under, &rest);
    }
    rj_dots_done(&mapped);
    rj_dots_done(&rest);
    return err;
}

static enum rj_err join_held(struct joining *j)
{
    const struct rj_dots none = {0};
    enum rj_err err;

    if (j->v->n_held == 0 && j->other->n_held == 0)
        return RJ_OK;
    j->held_in = rj_crdt_blank(j->v);
    j->held_out = rj_crdt_blank(j->v);
    if (j->held_in == NULL || j->held_out == NULL)
        return RJ_ENOMEM;
    err = add_held(j->held_in, j->other, j->map, &none);
    if (err == RJ_OK)
        err = add_held(j->held_out, j->held_in, NULL, &j->seen);
    if (err == RJ_OK)
        err = add_held(j->held_out, j->v, NULL, &j->seen);
    return err;
}

static enum rj_err prepare(struct joining *j)
{
    enum rj_err err = map_names(j);

    j->theirs.allocator = j->seen.allocator = j->v->allocator;
    if (err == RJ_OK)
        err = rj_dots_map(&j->theirs, &j->other->seen, j->map);
    if (err == RJ_OK)
        err = rj_dots_union(&j->seen, &j->v->seen, &j->theirs);
    if (err == RJ_OK && j->seen.n > RJ_CRDT_SPANS_MAX)
        err = RJ_ELIMIT;
    if (err == RJ_OK)
        err = choose_rows(j);
    return err == RJ_OK ? join_held(j) : err;
}

/* ---- changing */

/* Marks the rows that both have. */
static void mark_common(struct joining *j)
{
    struct rj_row *row;

    for (row = rj_rows_from(&j->other->rows, (struct rj_dot){0}); row != NULL;
         row = rj_rows_after(row)) {
        struct rj_dot dot = map_dot(j, row->dot);
        struct rj_row *mine = rj_rows_find(&j->v->rows, dot);

        if (mine != NULL) {
            mine->mark = true;
            j->report.known++;
        } else if (rj_dots_has(&j->v->seen, dot)) {
            j->report.stale++;
        }
    }
}

static void drop(struct joining *j, struct rj_row *row)
{
    rj_rows_drop(&j->v->rows, row);
    j->report.dropped++;
}

/* Drops what they have seen and do not have; takes the marks off. */
static void drop_gone(struct joining *j)
{
    size_t i;

    for (i = 0; i < j->theirs.n; i++) {
        const struct rj_span *s = &j->theirs.spans[i];
        struct rj_row *row =
            rj_rows_from(&j->v->rows, (struct rj_dot){s->from, s->origin});

        while (row != NULL && row->dot.origin == s->origin && row->dot.seq <= s->to) {
            struct rj_row *next = rj_rows_after(row);

            if (!row->mark)
                drop(j, row);
            else
                row->mark = false;
            row = next;
        }
    }
}

/* Drops what of ours their held removals are about. */
static void drop_held(struct joining *j)
{
    size_t i;

    for (i = 0; j->held_in != NULL && i < j->held_in->n_held; i++) {
        const struct rj_held *h = &j->held_in->held[i];
        struct rj_place *place = h->under ? rj_rows_under(&j->v->rows, rj_held_place(h))
                                          : rj_rows_place(&j->v->rows, rj_held_place(h));

        while (place != NULL) {
            struct rj_place *next_place =
                h->under ? rj_place_next(place, rj_held_place(h)) : NULL;
            bool dies = rj_place_dies(j->v, rj_place_name(place));
            struct rj_row *row = dies ? place->first : NULL, *next;

            for (; row != NULL; row = next) {
                next = row->next;
                if (rj_dots_has(&h->dots, row->dot))
                    drop(j, row);
            }
            place = next_place;
        }
    }
}

/* row has just come in at its place: what it beats goes, or it goes itself. */
static void settle(struct joining *j, struct rj_row *row)
{
    const struct rj_type *type;
    struct rj_row *other = row->place->first, *next;
    enum rj_contest contest = rj_place_contest(j->v, rj_place_name(row->place), &type);

    if (contest == RJ_CONTEST_OWN) {
        if (row->next != NULL && row->next->dot.origin == row->dot.origin)
            drop(j, row);
        else if (row->prev != NULL && row->prev->dot.origin == row->dot.origin)
            drop(j, row->prev);
        return;
    }
    for (; contest == RJ_CONTEST_ALL && other != NULL; other = next) {
        next = other->next;
        if (other == row)
            continue;
        if (type->beats(j->v, other, row)) {
            drop(j, row);
            return;
        }
        if (type->beats(j->v, row, other))
            drop(j, other);
    }
}

static void commit(struct joining *j)
{
    struct rj_crdt *v = j->v;

    mark_common(j);
    drop_gone(j);
    drop_held(j);
    while (j->takes != NULL) {
        struct rj_row *row = j->takes;

        j->takes = row->next;
        row->next = NULL;
        rj_rows_put(&v->rows, row);
        j->report.taken++;
        settle(j, row);
    }
    rj_dots_done(&v->seen);
    v->seen = j->seen;
    j->seen = (struct rj_dots){0};
    if (j->held_out != NULL) {
        struct rj_crdt old = *v;

        v->held = j->held_out->held;
        v->n_held = j->held_out->n_held;
        v->cap_held = j->held_out->cap_held;
        j->held_out->held = old.held;
        j->held_out->n_held = old.n_held;
        j->held_out->cap_held = old.cap_held;
    }
}

enum rj_err rj_crdt_join(struct rj_crdt *v, const struct rj_crdt *other,
                         struct rj_crdt_report *ret_report)
{
    struct joining j = {.v = v, .other = other};
    enum rj_err err;

    if (v->type != other->type)
        return RJ_ETYPE;
    if (v->fingerprint != other->fingerprint)
        return RJ_EUPGRADE;
    if (v == other)
        return RJ_OK;
    err = prepare(&j);
    if (err == RJ_OK && v->type->elements != NULL)
        err = rj_seq_join(v, other, j.map, &j.report);
    if (err == RJ_OK) {
        commit(&j);
        j.report.size = sizeof(j.report);
        if (ret_report != NULL)
            *ret_report = j.report;
    }
    while (j.takes != NULL) {
        struct rj_row *row = j.takes;

        j.takes = row->next;
        rj_row_free(v->allocator, row);
    }
    rj_mem_free(v->allocator, j.map,
                j.map != NULL ? other->names->n * sizeof(*j.map) : 0);
    rj_dots_done(&j.theirs);
    rj_dots_done(&j.seen);
    rj_crdt_free(j.held_in);
    rj_crdt_free(j.held_out);
    return err;
}
