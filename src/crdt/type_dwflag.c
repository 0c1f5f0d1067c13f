/* SPDX-License-Identifier: Apache-2.0 */
/* Flag in which a disable wins over a concurrent enable, true from the start: each write
 * takes away those it sees; off while some row says so. (A row that says on tells a map
 * that there is a flag.)
 * Almeida, Shoker, Baquero 2018, section 7.3, with the parts of the flag exchanged. */
#include "crdt/value.h"

static enum rj_err change(const struct rj_site *s)
{
    const struct rj_bytes here = {0};
    uint8_t on = s->op->code == RJ_CRDT_ENABLE;
    enum rj_err err;

    if (!on && s->op->code != RJ_CRDT_DISABLE && s->op->code != RJ_CRDT_CLEAR)
        return RJ_EINVAL;
    err = rj_site_kill(s, here);
    return err == RJ_OK && s->op->code != RJ_CRDT_CLEAR
               ? rj_site_put(s, here, rj_bytes_of(&on, 1))
               : err;
}

static bool is_on(const struct rj_crdt *v, struct rj_bytes prefix)
{
    const struct rj_row *place = rj_rows_place(&v->rows, prefix);
    const struct rj_row *row = place;

    while (row != NULL && rj_row_payload(row).ptr[0] != 0)
        row = rj_row_next(&v->rows, row);
    return row == NULL;
}

/* Untouched, or with all that was written reset, it is not in a map. */
static bool alive(const struct rj_crdt *v, struct rj_bytes prefix)
{
    return rj_rows_place(&v->rows, prefix) != NULL && is_on(v, prefix);
}

static void read_row(struct rj_bytes place, struct rj_bytes payload,
                     struct rj_crdt_row *ret_row)
{
    (void)place;
    ret_row->removed = payload.ptr[0] == 0;
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    return place.len == 0 && payload.len == 1 && payload.ptr[0] <= 1;
}

const struct rj_type rj_type_dwflag = {
    .number = RJ_CRDT_DWFLAG,
    .name = "dwflag",
    .change = change,
    .is_sound = is_sound,
    .is_on = is_on,
    .alive = alive,
    .read = read_row,
};
