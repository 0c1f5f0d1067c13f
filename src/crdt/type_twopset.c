/* SPDX-License-Identifier: Apache-2.0 */
/* Set to which what was removed never returns, also not what is removed before it comes.
 * Shapiro et al. 2011, "A comprehensive study of CRDTs", 3.3.2. */
#include "crdt/sided.h"

static bool is_shown(const struct rj_crdt *v, struct rj_bytes prefix,
                     const struct rj_row *place)
{
    struct rj_fact fact;

    if (!rj_fact_first(v, place, prefix, RJ_SIDED_PLAIN, &fact))
        return false;
    do {
        if (fact.removed)
            return false;
    } while (rj_fact_next(v, &place, prefix, RJ_SIDED_PLAIN, &fact));
    return true;
}

RJ_SIDED_TYPE(rj_type_twopset, RJ_SIDED_PLAIN, RJ_CRDT_TWOPSET, "twopset");
