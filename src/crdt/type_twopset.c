/* SPDX-License-Identifier: Apache-2.0 */
/* Set to which what was removed never returns, also not what is removed before it comes.
 * Shapiro et al. 2011, "A comprehensive study of CRDTs", 3.3.2. */
#include "crdt/sided.h"

static enum rj_err change(const struct rj_site *s)
{
    return rj_sided_change(s, RJ_SIDED_PLAIN);
}

static bool is_shown(const struct rj_crdt *v, struct rj_bytes prefix,
                     const struct rj_place *place)
{
    struct rj_fact fact;

    (void)v;
    if (!rj_fact_first(place, prefix, RJ_SIDED_PLAIN, &fact))
        return false;
    do {
        if (fact.removed)
            return false;
    } while (rj_fact_next(&place, prefix, RJ_SIDED_PLAIN, &fact));
    return true;
}

static void read_row(struct rj_bytes place, struct rj_bytes payload,
                     struct rj_crdt_row *ret_row)
{
    (void)payload;
    rj_fact_read(place, RJ_SIDED_PLAIN, ret_row);
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    struct rj_fact fact;

    return rj_fact_get(place, RJ_SIDED_PLAIN, &fact) && payload.len == 0;
}

const struct rj_type rj_type_twopset = {
    .number = RJ_CRDT_TWOPSET,
    .name = "twopset",
    .change = change,
    .beats = rj_row_is_lesser,
    .is_sound = is_sound,
    .is_shown = is_shown,
    .coded = true,
    .read = read_row,
};
