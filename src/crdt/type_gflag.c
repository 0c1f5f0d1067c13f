/* SPDX-License-Identifier: Apache-2.0 */
/* Flag that once true stays true: on while it has a row. Riak's enable_flag. */
#include "crdt/value.h"

static enum rj_err change(const struct rj_site *s)
{
    const struct rj_bytes here = {0};

    return s->op->code == RJ_CRDT_ENABLE ? rj_site_grow(s, here) : RJ_EINVAL;
}

static bool is_on(const struct rj_crdt *v, struct rj_bytes prefix)
{
    return rj_rows_place(&v->rows, prefix) != NULL;
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    return place.len == 0 && payload.len == 0;
}

const struct rj_type rj_type_gflag = {
    .number = RJ_CRDT_GFLAG,
    .name = "gflag",
    .change = change,
    .beats = rj_row_is_lesser,
    .is_sound = is_sound,
    .is_on = is_on,
};
