/* SPDX-License-Identifier: Apache-2.0 */
/* A change: judged, made into a delta, encoded if somebody wants it, joined.
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 4. */
#include "crdt/value.h"

static bool keys_fit(const struct rj_crdt_op *op)
{
    size_t i;

    for (i = 0; i < op->n_keys; i++) {
        if (op->keys[i].len > RJ_CRDT_KEY_MAX)
            return false;
    }
    return op->tag.len <= RJ_CRDT_KEY_MAX;
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

/* The dots of a value that has names of its own, numbered as in v. */
static enum rj_err number_as(const struct rj_crdt *v, const struct rj_crdt *other,
                             struct rj_dots *ret)
{
    const struct rj_names *theirs = other->names;
    uint32_t *map = rj_mem_new(v->allocator, theirs->n * sizeof(*map) + 1);
    enum rj_err err = map != NULL ? RJ_OK : RJ_ENOMEM;
    uint32_t i;

    for (i = 0; err == RJ_OK && i < theirs->n; i++)
        err = rj_names_add(v->names, rj_names_get(theirs, i), &map[i]);
    if (err == RJ_OK)
        err = rj_dots_map(ret, &other->seen, map);
    rj_mem_free(v->allocator, map, theirs->n * sizeof(*map) + 1);
    return err;
}

static enum rj_err build(const struct rj_crdt *v, const struct rj_crdt_op *op,
                         struct rj_crdt *delta)
{
    struct rj_crdt *known = NULL;
    struct rj_dots caused = {.allocator = v->allocator};
    struct rj_site site = {.v = v, .delta = delta, .op = op};
    enum rj_err err = keys_fit(op) ? RJ_OK : RJ_ELIMIT;

    if (err == RJ_OK && (op->flags & RJ_CRDT_CAUSED) != 0) {
        err = decode_like(v, op->context, &known);
        if (err == RJ_OK)
            err = number_as(v, known, &caused);
        site.caused = &caused;
        site.known = known;
    }
    if (err == RJ_OK)
        err = v->type->change(&site);
    if (err == RJ_OK && delta->made == 0 && (delta->took || delta->n_held > 0))
        err = rj_site_event(&site);
    if (err == RJ_OK)
        err = rj_held_trim(delta);
    rj_crdt_free(known);
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

/* Copies a row into another value that shares names with its own. */
static enum rj_err copy_row(struct rj_crdt *to, const struct rj_row *row)
{
    struct rj_row *copy = rj_row_new(to->allocator, rj_place_name(row->place), row->dot,
                                     rj_row_payload(row));

    if (copy == NULL)
        return RJ_ENOMEM;
    rj_rows_put(&to->rows, copy);
    return RJ_OK;
}

enum rj_err rj_crdt_context(const struct rj_crdt *v, struct rj_crdt_buf *ret_context)
{
    const struct rj_row *row = rj_rows_from(&v->rows, (struct rj_dot){0});
    struct rj_crdt *context = rj_crdt_blank(v);
    enum rj_err err = RJ_ENOMEM;

    if (context != NULL)
        err = rj_dots_map(&context->seen, &v->seen, NULL);
    for (; err == RJ_OK && row != NULL; row = rj_rows_after(row)) {
        if (!rj_place_dies(v, rj_place_name(row->place)))
            err = copy_row(context, row);
    }
    if (err == RJ_OK)
        err = encode(context, ret_context);
    rj_crdt_free(context);
    return err;
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
    enum rj_err err = v->type->lacks != NULL ? v->type->lacks(v, theirs, &delta->seen)
                                             : diff_seen(v, theirs, &delta->seen);
    size_t i;

    for (; err == RJ_OK && row != NULL; row = rj_rows_after(row)) {
        if (!rj_dots_has(theirs, row->dot))
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
        err = encode(delta, ret_delta);
    rj_crdt_free(delta);
    rj_dots_done(&theirs);
    return err;
}
