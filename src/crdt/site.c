/* SPDX-License-Identifier: Apache-2.0 */
/* What changes are made of: rows put under fresh dots, rows taken away. A change never
 * touches the value: it builds a delta, which is then joined like any other.
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 4: delta
 * mutators. */
#include "crdt/value.h"

/* prefix || name, in full if it has to be put together; the caller ends that. */
static enum rj_err place_of(const struct rj_site *s, struct rj_bytes name,
                            struct rj_buf *full, struct rj_bytes *ret)
{
    *full = (struct rj_buf){.allocator = s->v->allocator};
    *ret = name;
    if (s->prefix.len == 0)
        return RJ_OK;
    rj_buf_append(full, s->prefix);
    rj_buf_append(full, name);
    *ret = rj_buf_view(full);
    return rj_buf_err(full);
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
    const struct rj_row *row =
        s->caused != NULL ? rj_rows_place(rows, told->place) : NULL;
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL; row = rj_row_next(rows, row)) {
        if (row->origin == told->dot.origin &&
            rj_bytes_equal(rj_row_payload(row), told->payload))
            err = rj_dots_note(&s->delta->seen, rj_row_dot(row));
    }
    return err;
}

/* again: rows that the change has put there before stay. */
static enum rj_err put(const struct rj_site *s, struct rj_bytes name,
                       struct rj_bytes payload, bool again)
{
    struct rj_told told = {.payload = payload};
    struct rj_buf full;
    enum rj_err err = rj_site_next(s, &told.dot);

    if (err != RJ_OK)
        return err;
    if (payload.len > RJ_CRDT_VALUE_MAX)
        return RJ_ELIMIT;
    err = place_of(s, name, &full, &told.place);
    if (err == RJ_OK)
        err = rj_dots_note(&s->delta->seen, told.dot);
    if (err == RJ_OK && !again)
        err = kill_equal(s, &told);
    if (err == RJ_OK && !again)
        drop_earlier(s, told.place);
    if (err == RJ_OK)
        err = rj_rows_put(&s->delta->rows, &told, NULL);
    if (err == RJ_OK)
        s->delta->made++;
    rj_buf_done(&full);
    return err;
}

enum rj_err rj_site_put(const struct rj_site *s, struct rj_bytes name,
                        struct rj_bytes payload)
{
    return put(s, name, payload, false);
}

enum rj_err rj_site_add(const struct rj_site *s, struct rj_bytes name,
                        struct rj_bytes payload)
{
    return put(s, name, payload, true);
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

/* What the reader had seen and is not here goes when it comes. */
static enum rj_err hold(const struct rj_site *s, struct rj_bytes place, bool under)
{
    struct rj_dots rest = {.allocator = s->v->allocator};
    enum rj_err err;

    if (s->caused == NULL)
        return RJ_OK;
    err = rj_dots_minus(&rest, s->caused, &s->delta->seen);
    if (err == RJ_OK)
        err = rj_held_add(s->delta, place, under, &rest);
    rj_dots_done(&rest);
    return err;
}

enum rj_err rj_site_kill(const struct rj_site *s, struct rj_bytes name)
{
    struct rj_buf full;
    struct rj_bytes place;
    enum rj_err err = place_of(s, name, &full, &place);

    if (err == RJ_OK)
        err = kill_place(s, rj_rows_place(&s->v->rows, place));
    if (err == RJ_OK)
        err = hold(s, place, false);
    rj_buf_done(&full);
    return err;
}

enum rj_err rj_site_kill_under(const struct rj_site *s)
{
    const struct rj_row *place = rj_rows_under(&s->v->rows, s->prefix);
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && place != NULL;
         place = rj_place_next(&s->v->rows, place, s->prefix))
        err = kill_place(s, place);
    return err == RJ_OK ? hold(s, s->prefix, true) : err;
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
