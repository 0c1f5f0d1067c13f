/* SPDX-License-Identifier: Apache-2.0 */
/* Set of elements under tags that the caller makes unique: an element is there if one of
 * its tags was added and not removed. Tags that were removed stay, as in the paper.
 * Shapiro et al. 2011, "A comprehensive study of CRDTs", 3.3.5. */
#include "crdt/sided.h"

static enum rj_err change(const struct rj_site *s)
{
    return rj_sided_change(s, RJ_SIDED_TAGGED);
}

static bool is_shown(const struct rj_crdt *v, struct rj_bytes prefix,
                     const struct rj_place *place)
{
    struct rj_bytes tag = {0}; /* the last that was added and may yet be removed */
    struct rj_fact fact;
    bool added = false;

    (void)v;
    if (!rj_fact_first(place, prefix, RJ_SIDED_TAGGED, &fact))
        return false;
    do {
        if (added && !rj_bytes_equal(fact.tag, tag))
            return true;
        added = !fact.removed;
        tag = fact.tag;
    } while (rj_fact_next(&place, prefix, RJ_SIDED_TAGGED, &fact));
    return added;
}

static void read_row(struct rj_bytes place, struct rj_bytes payload,
                     struct rj_crdt_row *ret_row)
{
    (void)payload;
    rj_fact_read(place, RJ_SIDED_TAGGED, ret_row);
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    struct rj_fact fact;

    return rj_fact_get(place, RJ_SIDED_TAGGED, &fact) && payload.len == 0;
}

const struct rj_type rj_type_orset_tagged = {
    .number = RJ_CRDT_ORSET_TAGGED,
    .name = "orset_tagged",
    .change = change,
    .beats = rj_row_is_lesser,
    .is_sound = is_sound,
    .is_shown = is_shown,
    .coded = true,
    .read = read_row,
};
