/* SPDX-License-Identifier: Apache-2.0 */
/* Counter in both directions: one signed sum for each replica, instead of one for each
 * direction, as only that replica writes it. Shapiro et al. 2011, "A comprehensive study
 * of CRDTs", 3.1.3. */
#include "crdt/sums.h"

const struct rj_type rj_type_pncounter = {
    .number = RJ_CRDT_PNCOUNTER,
    .name = "pncounter",
    .sums = true,
    .change = rj_sums_change,
    .reset = rj_sums_reset,
    .spend = rj_sums_spend,
    .beats = rj_sums_beats,
    .is_contested = rj_sums_is_floor,
    .is_sound = rj_sums_is_counter,
    .count = rj_sums_count,
    .alive = rj_sums_alive,
    .read = rj_sums_read,
};
