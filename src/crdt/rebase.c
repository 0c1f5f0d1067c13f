/* SPDX-License-Identifier: Apache-2.0 */
/* Who was away for too long cannot join: some of its rows may lose against removals that
 * nobody remembers. It takes the state of others instead and does again, as new changes
 * of a new replica, what only it had done. So nothing of it is lost, and nothing returns
 * that it had only heard of. Its removals are done again for exactly the dots that it had
 * seen. */
#include "crdt/forget.h"
#include "crdt/sums.h"

struct rebase {
    const struct rj_crdt *old;
    struct rj_crdt *new; /* the state of the others */
    struct rj_crdt *delta;
    struct rj_dots spent; /* rows of old that removals it knows of hide, and these */
};

/* Written by the replica itself, under this name or one that it had, or by who retired in
 * its favour: nobody else answers for it. */
static bool is_own(const struct rj_crdt *v, uint32_t origin)
{
    return origin == v->self || rj_heirs_last(&v->heirs, origin) == v->self;
}

/* A row of somebody else that the others lack: it may have replaced what is missing. */
static bool has_unknown(const struct rebase *b, const struct rj_row *place)
{
    const struct rj_row *row = place != NULL ? place : NULL;

    while (row != NULL &&
           (is_own(b->old, row->origin) || rj_dots_has(&b->new->seen, rj_row_dot(row))))
        row = rj_row_next(&b->old->rows, row);
    return row != NULL;
}

/* The row, that it says no. */
static bool is_removal(const struct rj_crdt *v, const struct rj_row *row)
{
    struct rj_crdt_row what = {.removed = false};
    struct rj_bytes rest = {0};
    const struct rj_type *type = rj_type_at(v, rj_row_place(row), &rest);

    if (type != NULL && type->read != NULL)
        type->read(rest, rj_row_payload(row), &what);
    return what.removed;
}

static bool is_sequence(const struct rj_type *type)
{
    return type != NULL && type->elements != NULL;
}

/* A row of the others that was seen and is gone was taken away, by a removal that is
 * known or forgotten; it was not just beaten by another, nor is it a removal that was
 * forgotten itself. */
static bool was_removed(const struct rebase *b, const struct rj_row *row)
{
    struct rj_bytes name = rj_row_place(row);
    const struct rj_row *place = rj_rows_place(&b->old->rows, name);
    const struct rj_type *type;

    if (!rj_place_dies(b->old, name) || (place == NULL && is_removal(b->new, row)))
        return false;
    switch (rj_place_contest(b->old, name, &type)) {
    case RJ_CONTEST_NONE:
        return is_sequence(type) ||
               !has_unknown(b, place); /* each is a thing of its own */
    case RJ_CONTEST_ALL:
        return place == NULL;
    case RJ_CONTEST_OWN:
    default:
        return false;
    }
}

/* The others' rows that were seen go here, and have gone there. */
static enum rj_err remove_again(const struct rebase *b)
{
    const struct rj_row *row = rj_rows_from(&b->new->rows, (struct rj_dot){0});
    struct rj_site site = {.v = b->new, .delta = b->delta};
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL; row = rj_rows_after(&b->new->rows, row)) {
        if (rj_dots_has(&b->old->seen, rj_row_dot(row)) &&
            rj_rows_find(&b->old->rows, rj_row_dot(row)) == NULL && was_removed(b, row))
            err = rj_site_kill_row(&site, row);
    }
    return err;
}

/* Takes in what was done again so far, so that more can be added to it. */
static enum rj_err flush(struct rebase *b)
{
    struct rj_crdt *next = rj_crdt_blank(b->new);
    enum rj_err err =
        next != NULL ? rj_dots_map(&next->horizon, &b->new->horizon, NULL) : RJ_ENOMEM;

    if (err == RJ_OK && b->delta != NULL)
        err = rj_crdt_join(b->new, b->delta, NULL);
    if (err == RJ_OK) {
        rj_crdt_free(b->delta);
        b->delta = next;
        next = NULL;
    }
    rj_crdt_free(next);
    return err;
}

static enum rj_err write_again(struct rebase *b, const struct rj_row *row)
{
    struct rj_bytes place = rj_row_place(row), rest = {0};
    const struct rj_type *type = rj_type_at(b->old, place, &rest);
    struct rj_site site = {.v = b->new};
    enum rj_err err = RJ_OK;

    if (type == NULL ||
        (rj_dots_has(&b->spent, rj_row_dot(row)) && !is_removal(b->old, row)))
        return RJ_OK;
    if (!is_sequence(type) && rj_rows_place(&b->delta->rows, place) != NULL)
        err = flush(b);
    site.delta = b->delta;
    if (err != RJ_OK)
        return err;
    if (is_sequence(type))
        return rj_site_copy(&site, row);
    if (!type->sums || rj_sums_is_floor(rest))
        return rj_site_put(&site, place, rj_row_payload(row));
    site.prefix = rj_bytes_first(place, place.len - rest.len);
    return rj_sums_move(&site, b->old, row);
}

static enum rj_err write_all_again(struct rebase *b)
{
    const struct rj_row *row = rj_rows_from(&b->old->rows, (struct rj_dot){0});
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL; row = rj_rows_after(&b->old->rows, row)) {
        if (is_own(b->old, row->origin) && !rj_dots_has(&b->new->seen, rj_row_dot(row)))
            err = write_again(b, row);
    }
    return err;
}

/* Dots of rows that may yet come: those of others; of sequences, where nothing is
 * forgotten and others may hang from them, so that they go over as they are; those that
 * another row of the same place may have made superfluous, for whoever dropped that one
 * has only these. */
static enum rj_err add_spared(const struct rebase *b, struct rj_dots *spared)
{
    const struct rj_row *row = rj_rows_from(&b->old->rows, (struct rj_dot){0});
    const struct rj_type *type;
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL; row = rj_rows_after(&b->old->rows, row)) {
        enum rj_contest contest = rj_place_contest(b->old, rj_row_place(row), &type);

        if (!is_own(b->old, row->origin) || contest == RJ_CONTEST_ALL ||
            is_sequence(type))
            err = rj_dots_note(spared, rj_row_dot(row));
    }
    return err;
}

/* What is written again is dead under the old name, wherever it came to, and so is what
 * was seen and is gone here. In types where the greatest row of a place stays nothing is
 * taken away by its dot, and what is written again is the same row again. */
static enum rj_err give_up(const struct rebase *b)
{
    const struct rj_type *type = b->old->type;
    struct rj_dots spared = {.allocator = b->old->allocator};
    struct rj_dots unknown = {.allocator = b->old->allocator};
    struct rj_dots lost = {.allocator = b->old->allocator};
    struct rj_dots_walk w;
    struct rj_span span;
    enum rj_err err = RJ_OK;

    if (type->beats != NULL && type->reset == NULL)
        return RJ_OK;
    err = add_spared(b, &spared);
    if (err == RJ_OK)
        err = rj_dots_minus(&unknown, &b->old->seen, &b->new->seen);
    if (err == RJ_OK)
        err = rj_dots_minus(&lost, &unknown, &spared);
    w = rj_dots_walk_of(&lost);
    while (err == RJ_OK && rj_dots_next(&w, &span)) {
        if (!type->sums || is_own(b->old, span.origin))
            err = rj_dots_add(&b->delta->seen, span);
    }
    rj_dots_done(&spared);
    rj_dots_done(&unknown);
    rj_dots_done(&lost);
    return err;
}

static enum rj_err redo(struct rebase *b)
{
    struct rj_heir heir = {b->old->self, b->new->self};
    struct rj_site site = {.v = b->new};
    enum rj_err err = flush(b);
    size_t i;

    if (err == RJ_OK)
        err = rj_horizon_spent(b->old, &b->old->seen, NULL, &b->spent);
    if (err == RJ_OK)
        err = remove_again(b);
    if (err == RJ_OK)
        err = write_all_again(b);
    if (err == RJ_OK)
        err = give_up(b);
    if (err == RJ_OK)
        err = rj_heirs_join(&b->delta->heirs, b->new->names, &b->old->heirs, NULL);
    if (err == RJ_OK)
        err = rj_heirs_note(&b->delta->heirs, b->new->names, heir);
    for (i = 0; err == RJ_OK && i < b->old->n_held; i++)
        err = rj_held_add(b->delta, rj_held_place(&b->old->held[i]),
                          b->old->held[i].under, &b->old->held[i].dots);
    site.delta = b->delta;
    if (err == RJ_OK && b->delta->made == 0)
        err = rj_site_event(&site);
    return err == RJ_OK ? rj_crdt_join(b->new, b->delta, NULL) : err;
}

static enum rj_err note_all(struct rj_crdt *v, const struct rj_crdt *from)
{
    const struct rj_bytes all = {0};
    const struct rj_row *place = rj_rows_under(&from->rows, all);
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && place != NULL; place = rj_place_next(&from->rows, place, all))
        err = rj_watch_place(v, rj_row_place(place));
    return err;
}

/* What v holds and what w holds; their names are the same. */
static void swap(struct rj_crdt *v, struct rj_crdt *w)
{
    struct rj_crdt old = *v;

    v->self = w->self;
    v->seen = w->seen;
    v->rows = w->rows;
    v->held = w->held;
    v->n_held = w->n_held;
    v->cap_held = w->cap_held;
    v->horizon = w->horizon;
    v->heirs = w->heirs;
    w->seen = old.seen;
    w->rows = old.rows;
    w->held = old.held;
    w->n_held = old.n_held;
    w->cap_held = old.cap_held;
    w->horizon = old.horizon;
    w->heirs = old.heirs;
}

static bool has_written(const struct rj_crdt *v, uint32_t origin)
{
    return rj_dots_last(&v->seen, origin) > 0;
}

enum rj_err rj_crdt_rebase(struct rj_crdt *v, const struct rj_crdt *other,
                           struct rj_bytes new_replica)
{
    struct rebase b = {.old = v, .spent.allocator = v->allocator};
    uint32_t self = RJ_NAME_NONE;
    enum rj_err err = RJ_OK;

    if (v->fingerprint != other->fingerprint)
        return RJ_EUPGRADE;
    if (v == other || v->type->elements != NULL || v->type->bare ||
        (new_replica.len == 0) != (v->self == RJ_NAME_NONE))
        return RJ_EINVAL;
    if (new_replica.len > 0)
        err = rj_roster_add(v->names, new_replica, &self);
    if (err != RJ_OK)
        return err;
    b.new = rj_crdt_blank(v);
    if (b.new != NULL) {
        b.new->judge = v->judge;
        b.new->user = v->user;
    }
    err = b.new != NULL ? rj_crdt_join(b.new, other, NULL) : RJ_ENOMEM;
    if (err == RJ_OK && rj_dots_within(&b.new->horizon, &v->seen))
        err = RJ_EINVAL; /* it is not v that is older */
    if (err == RJ_OK && self != RJ_NAME_NONE &&
        (self == v->self || has_written(v, self) || has_written(b.new, self) ||
         rj_heirs_of(&b.new->heirs, self) != RJ_NAME_NONE))
        err = RJ_EEXIST;
    if (err == RJ_OK) {
        b.new->self = self;
        err = self != RJ_NAME_NONE ? redo(&b) : RJ_OK;
    }
    if (err == RJ_OK)
        err = note_all(v, v);
    if (err == RJ_OK)
        err = note_all(v, b.new);
    if (err == RJ_OK)
        swap(v, b.new);
    rj_crdt_free(b.new);
    rj_crdt_free(b.delta);
    rj_dots_done(&b.spent);
    return err;
}
