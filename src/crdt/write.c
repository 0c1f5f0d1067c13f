/* SPDX-License-Identifier: Apache-2.0 */
/* A change: judged, made into a delta, encoded if somebody wants it, joined.
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 4. */
#include "crdt/value.h"

static enum rj_err build(const struct rj_crdt *v, const struct rj_crdt_op *op,
                         struct rj_crdt *delta)
{
    struct rj_dots caused = {.allocator = v->allocator};
    struct rj_site site = {.v = v, .delta = delta, .op = op};
    enum rj_err err = RJ_OK;

    if ((op->flags & RJ_CRDT_CAUSED) != 0) {
        err = rj_code_get_digest(v, op->context, &caused);
        site.caused = &caused;
    }
    if (err == RJ_OK)
        err = v->type->change(&site);
    if (err == RJ_OK && delta->made == 0 && (delta->seen.n > 0 || delta->n_held > 0))
        err = rj_site_event(&site);
    if (err == RJ_OK)
        err = rj_held_trim(delta);
    rj_dots_done(&caused);
    return err;
}

static enum rj_err encode(const struct rj_crdt *v, struct rj_crdt_buf *ret)
{
    struct rj_buf out = rj_buf_open(ret);
    enum rj_err err = rj_code_put(v, &out);

    if (err != RJ_OK)
        rj_buf_fail(&out, err);
    return rj_buf_close(&out, ret);
}

enum rj_err rj_crdt_write(struct rj_crdt *v, const struct rj_crdt_op *op,
                          struct rj_crdt_buf *ret_delta)
{
    struct rj_crdt *delta = NULL;
    enum rj_err err;

    if (op == NULL || op->size != sizeof(*op) || op->n_keys > RJ_CRDT_KEYS_MAX)
        return RJ_EINVAL;
    err = v->check != NULL ? v->check(v->user, v, op) : RJ_OK;
    if (err != RJ_OK)
        return err;
    delta = rj_crdt_blank(v);
    if (delta == NULL)
        return RJ_ENOMEM;
    err = build(v, op, delta);
    if (err == RJ_OK && ret_delta != NULL)
        err = encode(delta, ret_delta);
    if (err == RJ_OK)
        err = rj_crdt_join(v, delta, NULL);
    rj_crdt_free(delta);
    return err;
}

enum rj_err rj_crdt_encode(const struct rj_crdt *v, struct rj_crdt_buf *ret_bytes)
{
    return encode(v, ret_bytes);
}

/* A value to read bytes into: its names are its own, so that nothing of v changes if they
 * are refused. */
static enum rj_err decode_like(const struct rj_crdt *v, struct rj_bytes bytes,
                               struct rj_crdt **ret)
{
    struct rj_crdt *other = rj_crdt_blank(v);
    enum rj_err err = RJ_ENOMEM;

    if (other == NULL)
        return RJ_ENOMEM;
    rj_names_release(other->names);
    other->names = rj_names_new(v->allocator);
    if (other->names != NULL)
        err = rj_code_get(other, bytes);
    if (err == RJ_OK)
        *ret = other;
    else
        rj_crdt_free(other);
    return err;
}

enum rj_err rj_crdt_join_bytes(struct rj_crdt *v, struct rj_bytes bytes,
                               struct rj_crdt_report *ret_report)
{
    struct rj_crdt *other = NULL;
    enum rj_err err = decode_like(v, bytes, &other);

    if (err == RJ_OK)
        err = rj_crdt_join(v, other, ret_report);
    rj_crdt_free(other);
    return err;
}

enum rj_err rj_crdt_decode(const struct rj_crdt_opts *opts, struct rj_bytes bytes,
                           struct rj_crdt **ret_value)
{
    struct rj_crdt *v = NULL;
    enum rj_err err = rj_crdt_new(opts, &v);

    if (err == RJ_OK)
        err = rj_code_get(v, bytes);
    if (err == RJ_OK) {
        *ret_value = v;
        v = NULL;
    }
    rj_crdt_free(v);
    return err;
}

/* ---- what the other lacks */

enum rj_err rj_crdt_digest(const struct rj_crdt *v, struct rj_crdt_buf *ret_digest)
{
    struct rj_buf out = rj_buf_open(ret_digest);
    enum rj_err err = rj_code_put_digest(v, &out);

    if (err != RJ_OK)
        rj_buf_fail(&out, err);
    return rj_buf_close(&out, ret_digest);
}

enum rj_err rj_crdt_context(const struct rj_crdt *v, struct rj_crdt_buf *ret_context)
{
    return rj_crdt_digest(v, ret_context);
}

/* Dots of v's rows. */
static enum rj_err live_dots(const struct rj_crdt *v, struct rj_dots *live)
{
    const struct rj_row *row = rj_rows_from(&v->rows, (struct rj_dot){0});
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL; row = rj_rows_after(row))
        err = rj_dots_note(live, row->dot);
    return err;
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
    enum rj_err err = diff_seen(v, theirs, &delta->seen);
    size_t i;

    for (; err == RJ_OK && row != NULL; row = rj_rows_after(row)) {
        struct rj_row *copy;

        if (rj_dots_has(theirs, row->dot))
            continue;
        copy = rj_row_new(v->allocator, rj_place_name(row->place), row->dot,
                          rj_row_payload(row));
        if (copy == NULL)
            return RJ_ENOMEM;
        rj_rows_put(&delta->rows, copy);
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
        err = encode(delta, ret_delta);
    rj_crdt_free(delta);
    rj_dots_done(&theirs);
    return err;
}

/* ---- reading */

enum rj_err rj_crdt_json(const struct rj_crdt *v, struct rj_crdt_buf *ret_json)
{
    const struct rj_bytes all = {0};
    struct rj_buf out = rj_buf_open(ret_json);

    v->type->show(v, all, &out);
    return rj_buf_close(&out, ret_json);
}

bool rj_crdt_has_seen(const struct rj_crdt *v, struct rj_bytes replica, uint64_t seq)
{
    uint32_t origin = rj_names_find(v->names, replica);

    return origin != RJ_NAME_NONE && seq > 0 &&
           rj_dots_has(&v->seen, (struct rj_dot){.seq = seq, .origin = origin});
}
