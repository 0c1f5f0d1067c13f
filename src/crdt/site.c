/* SPDX-License-Identifier: Apache-2.0 */
/* What changes are made of: rows put under fresh dots, rows taken away. A change never
 * touches the value: it builds a delta, which is then joined like any other.
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 4: delta
 * mutators. */
#include "crdt/code.h"

typedef enum rj_err site_fn(const struct rj_site *s, const struct rj_told *told);

/* Does what `what` says to the place prefix || name. */
static enum rj_err at_place(const struct rj_site *s, struct rj_told *told, site_fn *what)
{
    struct rj_buf full = {.allocator = s->v->allocator};
    enum rj_err err;

    if (s->prefix.len == 0)
        return what(s, told);
    rj_buf_append(&full, s->prefix);
    rj_buf_append(&full, told->place);
    told->place = rj_buf_view(&full);
    err = full.failed ? rj_buf_err(&full) : what(s, told);
    rj_buf_done(&full);
    return err;
}

const struct rj_row *rj_site_place(const struct rj_site *s, struct rj_bytes name)
{
    return rj_rows_at(&s->v->rows, s->prefix, name);
}

enum rj_err rj_site_next(const struct rj_site *s, struct rj_dot *ret_dot)
{
    uint32_t self = s->v->self;

    if (self == RJ_NAME_NONE)
        return RJ_EINVAL;
    if (s->v->heirs.n > 0 && rj_heirs_of(&s->v->heirs, self) != RJ_NAME_NONE)
        return RJ_ECLOSED;
    ret_dot->origin = self;
    ret_dot->seq = rj_dots_last(&s->v->seen, self) + 1 + s->delta->made;
    return ret_dot->seq <= RJ_SEQ_MAX ? RJ_OK : RJ_ELIMIT;
}

enum rj_err rj_site_event(const struct rj_site *s)
{
    struct rj_dot dot = {0};
    enum rj_err err = rj_site_next(s, &dot);

    if (err == RJ_OK)
        err = rj_dots_note(&s->delta->seen, dot);
    if (err == RJ_OK)
        s->delta->made++;
    return err;
}

/* A change may name one key twice: its later row stands for both. */
static void drop_earlier(const struct rj_site *s, struct rj_bytes place)
{
    struct rj_rows *rows = &s->delta->rows;
    const struct rj_row *row = rj_rows_place(rows, place);

    while (row != NULL && row->origin != s->v->self)
        row = rj_row_next(rows, row);
    if (row != NULL)
        rj_rows_drop(rows, row);
}

/* Own rows there that say the same go, also where a reader's context spares them: of what
 * has no payload any number would stand at one place. */
static enum rj_err kill_equal(const struct rj_site *s, const struct rj_told *told)
{
    const struct rj_rows *rows = &s->v->rows;
    const struct rj_row *row = rj_rows_place(rows, told->place);
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL; row = rj_row_next(rows, row)) {
        if (row->origin == told->dot.origin &&
            rj_bytes_equal(rj_row_payload(row), told->payload))
            err = rj_dots_note(&s->delta->seen, rj_row_dot(row));
    }
    return err;
}

static enum rj_err add(const struct rj_site *s, const struct rj_told *told)
{
    enum rj_err err = rj_dots_note(&s->delta->seen, told->dot);

    if (err == RJ_OK)
        err = rj_rows_put(&s->delta->rows, told, NULL);
    if (err == RJ_OK)
        s->delta->made++;
    return err;
}

static enum rj_err put(const struct rj_site *s, const struct rj_told *told)
{
    enum rj_err err = s->caused != NULL ? kill_equal(s, told) : RJ_OK;

    if (s->delta->made > 0)
        drop_earlier(s, told->place);
    return err == RJ_OK ? add(s, told) : err;
}

/* Does what `what` says to a row under the next dot. */
static enum rj_err at_next(const struct rj_site *s, struct rj_bytes name,
                           struct rj_bytes payload, site_fn *what)
{
    struct rj_told told = {.place = name, .payload = payload};
    enum rj_err err = rj_site_next(s, &told.dot);

    if (err != RJ_OK)
        return err;
    return payload.len <= RJ_CRDT_VALUE_MAX ? at_place(s, &told, what) : RJ_ELIMIT;
}

enum rj_err rj_site_put(const struct rj_site *s, struct rj_bytes name,
                        struct rj_bytes payload)
{
    return at_next(s, name, payload, put);
}

enum rj_err rj_site_add(const struct rj_site *s, struct rj_bytes name,
                        struct rj_bytes payload)
{
    return at_next(s, name, payload, add);
}

enum rj_err rj_site_kill_row(const struct rj_site *s, const struct rj_row *row)
{
    if (s->caused != NULL && !rj_dots_has(s->caused, rj_row_dot(row)))
        return RJ_OK;
    s->delta->took = true;
    return rj_dots_note(&s->delta->seen, rj_row_dot(row));
}

enum rj_err rj_site_copy(const struct rj_site *s, const struct rj_row *row)
{
    struct rj_told told = rj_row_tell(row);
    enum rj_err err = rj_dots_note(&s->delta->seen, told.dot);

    return err == RJ_OK ? rj_rows_put(&s->delta->rows, &told, NULL) : err;
}

static enum rj_err kill_place(const struct rj_site *s, const struct rj_row *place)
{
    const struct rj_row *row = place;
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL; row = rj_row_next(&s->v->rows, row))
        err = rj_site_kill_row(s, row);
    return err;
}

static enum rj_err kill(const struct rj_site *s, const struct rj_told *told)
{
    enum rj_err err = kill_place(s, rj_rows_place(&s->v->rows, told->place));

    return err == RJ_OK && s->caused != NULL
               ? rj_held_add(s->delta, told->place, false, s->caused)
               : err;
}

enum rj_err rj_site_kill(const struct rj_site *s, struct rj_bytes name)
{
    struct rj_told told = {.place = name};

    return at_place(s, &told, kill);
}

enum rj_err rj_site_kill_under(const struct rj_site *s)
{
    const struct rj_row *place = rj_rows_under(&s->v->rows, s->prefix);
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && place != NULL;
         place = rj_place_next(&s->v->rows, place, s->prefix))
        err = kill_place(s, place);
    return err == RJ_OK && s->caused != NULL
               ? rj_held_add(s->delta, s->prefix, true, s->caused)
               : err;
}

static enum rj_err reset(const struct rj_site *s, const struct rj_told *told,
                         const struct rj_roster *names)
{
    struct rj_site below = *s;
    struct rj_bytes rest = {0};
    const struct rj_type *type = rj_type_at(s->v, told->place, &rest);

    if (type == NULL || type->reset == NULL)
        return RJ_OK;
    below.prefix = rj_bytes_first(told->place, told->place.len - rest.len);
    return type->reset(&below, told, rj_roster_get(names, told->dot.origin));
}

/* What the reader knew. */
static enum rj_err reset_known(const struct rj_site *s)
{
    struct rj_rows_told r = rj_rows_told_of(s->known);
    struct rj_told told;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && rj_rows_told_next(&r, &told)) {
        if (rj_bytes_starts_with(told.place, s->prefix))
            err = reset(s, &told, s->known->names);
    }
    return err;
}

enum rj_err rj_site_reset_under(const struct rj_site *s)
{
    const struct rj_rows *rows = &s->v->rows;
    const struct rj_row *place = s->known == NULL ? rj_rows_under(rows, s->prefix) : NULL;
    enum rj_err err = s->known != NULL ? reset_known(s) : RJ_OK;

    for (; err == RJ_OK && place != NULL; place = rj_place_next(rows, place, s->prefix)) {
        const struct rj_row *row = place;

        for (; err == RJ_OK && row != NULL; row = rj_row_next(rows, row)) {
            struct rj_told told = rj_row_tell(row);

            err = reset(s, &told, s->v->names);
        }
    }
    return err;
}

enum rj_err rj_site_grow(const struct rj_site *s, struct rj_bytes name)
{
    const struct rj_bytes nothing = {0};
    const struct rj_row *there = rj_site_place(s, name);
    enum rj_err err;

    if (there != NULL && s->prefix.len == 0)
        return rj_rows_find(&s->delta->rows, rj_row_dot(there)) == NULL
                   ? rj_site_copy(s, there)
                   : RJ_OK;
    err = kill_place(s, there);
    return err == RJ_OK ? rj_site_put(s, name, nothing) : err;
}

enum rj_err rj_site_stamp(const struct rj_site *s, const uint64_t *own,
                          uint64_t *ret_stamp)
{
    const struct rj_crdt_clock *clock = s->v->clock;
    uint64_t reading = s->op->stamp;
    unsigned source;

    if ((s->op->flags & RJ_CRDT_NOW) == 0) {
        *ret_stamp = reading;
        return RJ_OK;
    }
    if (clock != NULL) {
        reading = 0;
        for (source = 0; source < RJ_CRDT_SOURCES; source++) {
            if (clock->read(clock->user, (enum rj_crdt_source)source, &reading))
                break;
            reading = 0;
        }
    }
    if (own != NULL && *own == UINT64_MAX)
        return RJ_ERANGE;
    *ret_stamp = own != NULL && *own >= reading ? *own + 1 : reading;
    return RJ_OK;
}
