/* SPDX-License-Identifier: Apache-2.0 */
/* Counter that can be reset: a reset takes away exactly what it saw.
 * Weidner, Almeida 2022, "An oblivious observed-reset embeddable replicated counter". */
#include "crdt/sums.h"

static enum rj_err change(const struct rj_site *s)
{
    return s->op->code == RJ_CRDT_RESET || s->op->code == RJ_CRDT_CLEAR
               ? rj_site_reset_under(s)
               : rj_sums_change(s);
}

const struct rj_type rj_type_rcounter = {
    .number = RJ_CRDT_RCOUNTER,
    .name = "rcounter",
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
