/* SPDX-License-Identifier: Apache-2.0 */
/* Register that keeps all concurrent values: a row each; a write takes away those it
 * sees. Shapiro et al. 2011, "A comprehensive study of CRDTs", 3.2.2; Almeida, Shoker,
 * Baquero 2018, section 7.4. */
#include "crdt/lazy.h"

#include <stdlib.h>

/* Takes away the rows whose value is not the greatest. */
static enum rj_err resolve(const struct rj_site *s)
{
    const struct rj_bytes here = {0};
    const struct rj_row *row, *top;
    const struct rj_row *place = rj_site_place(s, here);
    enum rj_err err = RJ_OK;

    if (place == NULL)
        return RJ_OK;
    top = place;
    for (row = top; row != NULL; row = rj_row_next(&s->v->rows, row)) {
        if (rj_bytes_compare(rj_row_payload(row), rj_row_payload(top)) > 0)
            top = row;
    }
    for (row = place; err == RJ_OK && row != NULL; row = rj_row_next(&s->v->rows, row)) {
        if (!rj_bytes_equal(rj_row_payload(row), rj_row_payload(top)))
            err = rj_site_kill_row(s, row);
    }
    return err;
}

static enum rj_err change(const struct rj_site *s)
{
    const struct rj_bytes here = {0};
    enum rj_err err;

    if (s->op->code == RJ_CRDT_RESOLVE)
        return resolve(s);
    if (s->op->code != RJ_CRDT_SET && s->op->code != RJ_CRDT_CLEAR)
        return RJ_EINVAL;
    err = rj_site_kill(s, here);
    if (err == RJ_OK && s->op->code == RJ_CRDT_SET)
        err = rj_site_put(s, here, s->op->value);
    return err;
}

static int by_bytes(const void *a, const void *b)
{
    return rj_bytes_compare(*(const struct rj_bytes *)a, *(const struct rj_bytes *)b);
}

/* Values in order; equal ones once. */
static void put_values(const struct rj_crdt *v, const struct rj_row *place,
                       struct rj_buf *json)
{
    const struct rj_row *row;
    struct rj_bytes *values;
    size_t n = 0, size, i;

    for (row = place; row != NULL; row = rj_row_next(&v->rows, row))
        n++;
    size = n * sizeof(*values);
    values = rj_mem_new(v->allocator, size);
    if (values == NULL) {
        rj_buf_fail(json, RJ_ENOMEM);
        return;
    }
    for (row = place, i = 0; row != NULL; row = rj_row_next(&v->rows, row))
        values[i++] = rj_row_payload(row);
    qsort(values, n, sizeof(*values), by_bytes);
    for (i = 0; i < n; i++) {
        if (i > 0 && rj_bytes_equal(values[i], values[i - 1]))
            continue;
        rj_buf_append_str(json, i > 0 ? "," : "");
        rj_lazy_put_json(v, values[i], json);
    }
    rj_mem_free(v->allocator, values, size);
}

static void show(const struct rj_crdt *v, struct rj_bytes prefix, struct rj_buf *json)
{
    const struct rj_row *place = rj_rows_place(&v->rows, prefix);

    rj_buf_u8(json, '[');
    if (place != NULL)
        put_values(v, place, json);
    rj_buf_u8(json, ']');
}

static void read_row(struct rj_bytes place, struct rj_bytes payload,
                     struct rj_crdt_row *ret_row)
{
    (void)place;
    ret_row->value = payload;
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    (void)payload;
    return place.len == 0;
}

const struct rj_type rj_type_mvreg = {
    .number = RJ_CRDT_MVREG,
    .name = "mvreg",
    .valued = true,
    .change = change,
    .show = show,
    .is_sound = is_sound,
    .read = read_row,
};
