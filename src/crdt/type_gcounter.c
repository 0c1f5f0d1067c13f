/* SPDX-License-Identifier: Apache-2.0 */
/* Counter that only grows. Shapiro et al. 2011, "A comprehensive study of CRDTs",
 * 3.1.1. */
#include "crdt/sums.h"

static enum rj_err change(const struct rj_site *s)
{
    return s->op->code == RJ_CRDT_INC && s->op->amount >= 0 ? rj_sums_change(s)
                                                            : RJ_EINVAL;
}

const struct rj_type rj_type_gcounter = {
    .number = RJ_CRDT_GCOUNTER,
    .name = "gcounter",
    .sums = true,
    .change = change,
    .reset = rj_sums_reset,
    .spend = rj_sums_spend,
    .beats = rj_sums_beats,
    .is_contested = rj_sums_is_floor,
    .is_sound = rj_sums_is_counter,
    .count = rj_sums_count,
    .alive = rj_sums_alive,
    .read = rj_sums_read,
};
