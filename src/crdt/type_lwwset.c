/* SPDX-License-Identifier: Apache-2.0 */
/* Set in which the later of adding and removing decides, and the bias where both are at
 * one time. All that was said stays, as in the paper.
 * Shapiro et al. 2011, "A comprehensive study of CRDTs", 3.3.3; Bourgon 2014, "Roshi". */
#include "crdt/sided.h"

static bool is_shown(const struct rj_crdt *v, struct rj_bytes prefix,
                     const struct rj_row *place)
{
    uint64_t last[2] = {0}; /* of adding, of removing */
    bool found[2] = {false};
    struct rj_fact fact;

    if (!rj_fact_first(v, place, prefix, RJ_SIDED_STAMPED, &fact))
        return false;
    do {
        if (!found[fact.removed] || fact.stamp > last[fact.removed])
            last[fact.removed] = fact.stamp;
        found[fact.removed] = true;
    } while (rj_fact_next(v, &place, prefix, RJ_SIDED_STAMPED, &fact));
    if (!found[0] || !found[1] || last[0] != last[1])
        return found[0] && (!found[1] || last[0] > last[1]);
    return v->rules.bias == RJ_CRDT_BIAS_ADD;
}

RJ_SIDED_TYPE(rj_type_lwwset, RJ_SIDED_STAMPED, RJ_CRDT_LWWSET, "lwwset");
