/* SPDX-License-Identifier: Apache-2.0 */
/* Set of elements under tags that the caller makes unique: an element is there if one of
 * its tags was added and not removed. Tags that were removed stay, as in the paper.
 * Shapiro et al. 2011, "A comprehensive study of CRDTs", 3.3.5. */
#include "crdt/sided.h"

static bool is_shown(const struct rj_crdt *v, struct rj_bytes prefix,
                     const struct rj_row *place)
{
    struct rj_bytes tag = {0}; /* the last that was added and may yet be removed */
    struct rj_fact fact;
    bool added = false;

    if (!rj_fact_first(v, place, prefix, RJ_SIDED_TAGGED, &fact))
        return false;
    do {
        if (added && !rj_bytes_equal(fact.tag, tag))
            return true;
        added = !fact.removed;
        tag = fact.tag;
    } while (rj_fact_next(v, &place, prefix, RJ_SIDED_TAGGED, &fact));
    return added;
}

RJ_SIDED_TYPE(rj_type_orset_tagged, RJ_SIDED_TAGGED, RJ_CRDT_ORSET_TAGGED,
              "orset_tagged");
