/* SPDX-License-Identifier: Apache-2.0 */
/* Set in which the later of adding and removing decides, and the bias where both are at
 * one time. All that was said stays, as in the paper.
 * Shapiro et al. 2011, "A comprehensive study of CRDTs", 3.3.3; Bourgon 2014, "Roshi". */
#include "crdt/sided.h"

static enum rj_err change(const struct rj_site *s)
{
    return rj_sided_change(s, RJ_SIDED_STAMPED);
}

static bool is_shown(const struct rj_crdt *v, struct rj_bytes prefix,
                     const struct rj_place *place)
{
    uint64_t last[2] = {0}; /* of adding, of removing */
    bool found[2] = {false};
    struct rj_fact fact;

    if (!rj_fact_first(place, prefix, RJ_SIDED_STAMPED, &fact))
        return false;
    do {
        if (!found[fact.removed] || fact.stamp > last[fact.removed])
            last[fact.removed] = fact.stamp;
        found[fact.removed] = true;
    } while (rj_fact_next(&place, prefix, RJ_SIDED_STAMPED, &fact));
    if (!found[0] || !found[1] || last[0] != last[1])
        return found[0] && (!found[1] || last[0] > last[1]);
    return v->rules.bias == RJ_CRDT_BIAS_ADD;
}

static void read_row(struct rj_bytes place, struct rj_bytes payload,
                     struct rj_crdt_row *ret_row)
{
    (void)payload;
    rj_fact_read(place, RJ_SIDED_STAMPED, ret_row);
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    struct rj_fact fact;

    return rj_fact_get(place, RJ_SIDED_STAMPED, &fact) && payload.len == 0;
}

const struct rj_type rj_type_lwwset = {
    .number = RJ_CRDT_LWWSET,
    .name = "lwwset",
    .change = change,
    .beats = rj_row_is_lesser,
    .is_sound = is_sound,
    .is_shown = is_shown,
    .coded = true,
    .read = read_row,
};
