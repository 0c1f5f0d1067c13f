/* SPDX-License-Identifier: Apache-2.0 */
/* Forgetting removals. Some types keep rows that only say no: what was removed in a 2P
 * set, in one where removals win, where stamps decide. They may go once every replica has
 * them, or once one that does not have them is not listened to any more.
 *
 * Both are one thing, a context that only grows: the *horizon*. Whoever moves it has seen
 * all of it. A value with that horizon holds no removal of it and no row that one of them
 * beats; so it cannot judge a row whose writer did not know them. Therefore
 *
 *   - everything that is sent bears its maker's horizon;
 *   - who takes a greater horizon over must have seen all of it, and first judges its own
 *     rows by the removals that it still has: those that lose go, by their dots;
 *   - new rows are taken only from who has the own horizon, or all that it needs to be
 *     judged by it here.
 *
 * Nothing depends on clocks: they tell at most when somebody moves the horizon. */
#ifndef RJ_CRDT_FORGET_H
#define RJ_CRDT_FORGET_H

#include "crdt/value.h"

/* What horizons do to a join; dots numbered as in the value that joins. */
struct rj_forgotten {
    struct rj_dots spent;   /* rows of either side that go */
    struct rj_dots horizon; /* of both; empty: v's stays */
};

/* v is to join other, whose names are v's by map (NULL: the same). RJ_ECLOSED: one of
 * them is older than the other's horizon. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_horizon_join(const struct rj_crdt *v,
                                         const struct rj_crdt *other, const uint32_t *map,
                                         struct rj_forgotten *ret);

/* ret := the dots of v's rows that go by horizon, numbered by map (NULL: as they are).
 * RJ_ENOMEM. O(n log n). */
RJ_NODISCARD enum rj_err rj_horizon_spent(const struct rj_crdt *v,
                                          const struct rj_dots *horizon,
                                          const uint32_t *map, struct rj_dots *ret);
/* For types. Some row at place (NULL: none) is in horizon. */
bool rj_horizon_has(const struct rj_crdt *v, const struct rj_row *place,
                    const struct rj_dots *horizon);
/* Adds the dots of the rows there that are in horizon (NULL: of all). RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_horizon_spend(const struct rj_crdt *v,
                                          const struct rj_row *place,
                                          const struct rj_dots *horizon,
                                          struct rj_dots *spent);

#endif
