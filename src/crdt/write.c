/* SPDX-License-Identifier: Apache-2.0 */
/* A change: judged, made into a delta, encoded if somebody wants it, joined.
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 4. */
#include "crdt/code.h"
#include "crdt/lazy.h"
#include "crdt/seq.h"

static bool fits(const struct rj_crdt_op *op)
{
    size_t i;

    for (i = 0; i < op->n_keys; i++) {
        if (op->keys[i].len > RJ_CRDT_KEY_MAX)
            return false;
    }
    return op->tag.len <= RJ_CRDT_KEY_MAX && op->value.len <= RJ_CRDT_VALUE_MAX;
}

static enum rj_err judge(const struct rj_crdt *v, const struct rj_crdt *delta)
{
    const struct rj_row *row = rj_rows_from(&delta->rows, (struct rj_dot){0});

    for (; row != NULL; row = rj_rows_after(&delta->rows, row)) {
        struct rj_told told = rj_row_tell(row);

        if (told.dot.origin == v->self && !rj_read_is_allowed(v, &told))
            return RJ_EDENIED;
    }
    return RJ_OK;
}

static enum rj_err build(const struct rj_crdt *v, const struct rj_crdt_op *op,
                         struct rj_crdt *delta)
{
    struct rj_crdt *known = NULL;
    struct rj_dots caused = {.allocator = v->allocator};
    struct rj_site site = {.v = v, .delta = delta, .op = op};
    enum rj_err err = RJ_OK;

    if ((op->flags & RJ_CRDT_CAUSED) != 0) {
        err = rj_context_get(v, op->context, &known, &caused);
        site.caused = &caused;
        site.known = known;
    }
    if (err == RJ_OK)
        err = v->type->change(&site);
    if (err == RJ_OK && delta->made == 0 && (delta->took || delta->n_held > 0))
        err = rj_site_event(&site);
    rj_crdt_free(known);
    rj_dots_done(&caused);
    if (err == RJ_OK && delta->n_held > 0)
        err = rj_held_trim(delta);
    if (err == RJ_OK && v->horizon.n > 0)
        err = rj_dots_map(&delta->horizon, &v->horizon, NULL);
    return err;
}

/* What op writes is a value that may stand elsewhere. */
static bool is_lazy(const struct rj_crdt *v, const struct rj_crdt_op *op)
{
    const struct rj_type *type = v->type;

    if (v->rules.lazy_bytes == 0)
        return false;
    if (op->at != RJ_CRDT_NONE)
        type = rj_type_get((uint64_t)op->at);
    return type != NULL && type->valued;
}

/* The same with the value as it is written where long ones stand elsewhere. */
static enum rj_err build_lazy(const struct rj_crdt *v, const struct rj_crdt_op *op,
                              struct rj_crdt *delta)
{
    struct rj_buf written = {.allocator = v->allocator};
    struct rj_crdt_op as_written = *op;
    enum rj_err err = rj_lazy_put(v, delta, op->value, &written);

    as_written.value = rj_buf_view(&written);
    if (err == RJ_OK)
        err = build(v, &as_written, delta);
    rj_buf_done(&written);
    return err;
}

enum rj_err rj_crdt_write(struct rj_crdt *v, const struct rj_crdt_op *op,
                          struct rj_crdt_buf *ret_delta)
{
    struct rj_crdt *delta;
    uint32_t n_names;
    enum rj_err err;

    if (op == NULL || op->size != sizeof(*op) || op->n_keys > RJ_CRDT_KEYS_MAX)
        return RJ_EINVAL;
    err = v->check != NULL ? v->check(v->user, v, op) : RJ_OK;
    if (err != RJ_OK)
        return err;
    if (v->type->elements != NULL)
        return rj_seq_write(v, op, ret_delta);
    if (!fits(op))
        return RJ_ELIMIT;
    delta = v->scratch != NULL ? v->scratch : rj_crdt_blank(v);
    if (delta == NULL)
        return RJ_ENOMEM;
    v->scratch = NULL;
    n_names = v->names->n;
    err = is_lazy(v, op) ? build_lazy(v, op, delta) : build(v, op, delta);
    if (err == RJ_OK && v->judge != NULL)
        err = judge(v, delta);
    if (err == RJ_OK && ret_delta != NULL)
        err = rj_code_encode(delta, ret_delta);
    if (err == RJ_OK)
        err = rj_crdt_join(v, delta, NULL);
    if (err == RJ_OK)
        rj_lazy_move(v, delta);
    v->scratch = rj_crdt_emptied(delta);
    if (err != RJ_OK)
        rj_roster_cut(v->names, n_names);
    return err;
}

enum rj_err rj_crdt_encode(const struct rj_crdt *v, struct rj_crdt_buf *ret_bytes)
{
    return rj_code_encode(v, ret_bytes);
}

enum rj_err rj_crdt_join_bytes(struct rj_crdt *v, struct rj_bytes bytes,
                               struct rj_crdt_report *ret_report)
{
    struct rj_crdt *other = NULL;
    enum rj_err err = rj_code_view(v, bytes, &other);

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
        err = rj_crdt_join_bytes(v, bytes, NULL);
    if (err == RJ_OK) {
        *ret_value = v;
        v = NULL;
    }
    rj_crdt_free(v);
    return err;
}

enum rj_err rj_crdt_join_deltas(const struct rj_crdt_opts *opts,
                                const struct rj_bytes *deltas, size_t n,
                                struct rj_crdt_buf *ret_bytes)
{
    struct rj_crdt *v = NULL;
    enum rj_err err = rj_crdt_new(opts, &v);
    size_t i;

    if (err == RJ_OK)
        v->relays = true;
    for (i = 0; err == RJ_OK && i < n; i++)
        err = rj_crdt_join_bytes(v, deltas[i], NULL);
    if (err == RJ_OK)
        err = rj_code_encode(v, ret_bytes);
    rj_crdt_free(v);
    return err;
}
