/* SPDX-License-Identifier: Apache-2.0 */
/* Flag in which an enable wins over a concurrent disable: on while it has a row.
 * Almeida, Shoker, Baquero 2018, section 7.3; Riak's od_flag. */
#include "crdt/value.h"

static enum rj_err change(const struct rj_site *s)
{
    const struct rj_bytes here = {0};
    enum rj_err err = rj_site_kill(s, here);

    if (s->op->code == RJ_CRDT_ENABLE)
        return err == RJ_OK ? rj_site_put(s, here, here) : err;
    return s->op->code == RJ_CRDT_DISABLE || s->op->code == RJ_CRDT_CLEAR ? err
                                                                          : RJ_EINVAL;
}

static bool is_on(const struct rj_crdt *v, struct rj_bytes prefix)
{
    return rj_rows_place(&v->rows, prefix) != NULL;
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    return place.len == 0 && payload.len == 0;
}

const struct rj_type rj_type_ewflag = {
    .number = RJ_CRDT_EWFLAG,
    .name = "ewflag",
    .change = change,
    .is_on = is_on,
    .is_sound = is_sound,
};
