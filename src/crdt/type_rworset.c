/* SPDX-License-Identifier: Apache-2.0 */
/* Set in which a remove wins over a concurrent add: each write leaves a row that says
 * whether the element is there, and takes away those it sees; an element is in the set if
 * no row says that it is not. A removal is recorded for what was never there too.
 * Almeida, Shoker, Baquero 2018, section 7.3 (remove-wins set). */
#include "crdt/forget.h"

static enum rj_err change(const struct rj_site *s)
{
    const struct rj_crdt_op *op = s->op;
    uint8_t there = op->code == RJ_CRDT_ADD;
    enum rj_err err = RJ_OK;
    size_t i;

    if (op->code == RJ_CRDT_CLEAR)
        return rj_site_kill_under(s);
    if (op->code != RJ_CRDT_ADD && op->code != RJ_CRDT_REMOVE)
        return RJ_EINVAL;
    for (i = 0; err == RJ_OK && i < op->n_keys; i++) {
        err = rj_site_kill(s, op->keys[i]);
        if (err == RJ_OK)
            err = rj_site_put(s, op->keys[i], rj_bytes_of(&there, 1));
    }
    return err;
}

static bool is_shown(const struct rj_crdt *v, struct rj_bytes prefix,
                     const struct rj_row *place)
{
    const struct rj_row *row = place;

    (void)v;
    (void)prefix;
    while (row != NULL && rj_row_payload(row).ptr[0] != 0)
        row = rj_row_next(&v->rows, row);
    return row == NULL;
}

/* A removal that is forgotten takes what it hides with it. */
static enum rj_err spend(const struct rj_crdt *v, struct rj_bytes prefix,
                         const struct rj_row *place, const struct rj_dots *horizon,
                         struct rj_dots *spent)
{
    const struct rj_row *row;
    bool removed = false;
    enum rj_err err = RJ_OK;

    (void)v;
    (void)prefix;
    for (row = place; row != NULL; row = rj_row_next(&v->rows, row)) {
        if (rj_row_payload(row).ptr[0] == 0 && rj_dots_has(horizon, rj_row_dot(row)))
            removed = true;
    }
    for (row = place; removed && err == RJ_OK && row != NULL;
         row = rj_row_next(&v->rows, row)) {
        if (rj_row_payload(row).ptr[0] != 0 || rj_dots_has(horizon, rj_row_dot(row)))
            err = rj_dots_note(spent, rj_row_dot(row));
    }
    return err;
}

static void read_row(struct rj_bytes place, struct rj_bytes payload,
                     struct rj_crdt_row *ret_row)
{
    ret_row->key = place;
    ret_row->removed = payload.ptr[0] == 0;
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    return place.len <= RJ_CRDT_KEY_MAX && payload.len == 1 && payload.ptr[0] <= 1;
}

const struct rj_type rj_type_rworset = {
    .number = RJ_CRDT_RWORSET,
    .name = "rworset",
    .change = change,
    .spend = spend,
    .is_sound = is_sound,
    .is_shown = is_shown,
    .read = read_row,
};
