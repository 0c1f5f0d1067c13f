/* SPDX-License-Identifier: Apache-2.0 */
/* Counts that can be reset exactly. A tip is the row of one replica: the sum of all that
 * it ever added, so that the latest says all. A reset notes how far it saw each tip, a
 * floor: (epoch, sequence, sum there). What counts of a tip is what is above its floor; a
 * tip that is not above it is dead, and its replica begins a new epoch with the next
 * change. Greater floors beat lesser ones; neither goes by its dot. The rule of the runs
 * of crdt/counter.h, in rows.
 *
 * Tips stand at any place that does not begin with `f`, their floors at `f`, length and
 * name of the replica, the tip's place. */
#ifndef RJ_CRDT_SUMS_H
#define RJ_CRDT_SUMS_H

#include "crdt/value.h"

/* Sums of sums: what 65,536 replicas can come to. */
__extension__ typedef __int128 rj_int128;

/* What counts of a tip at name; *ret_alive: it is above its floor. */
rj_int128 rj_sums_live(const struct rj_crdt *v, struct rj_bytes prefix,
                       const struct rj_row *tip, bool *ret_alive);
/* All that counts of the tips at prefix || name; *ret_alive: one is alive. */
rj_int128 rj_sums_total(const struct rj_crdt *v, struct rj_bytes prefix,
                        struct rj_bytes name, bool *ret_alive);
/* Adds amount to the own tip at prefix || name. RJ_ERANGE. */
RJ_NODISCARD enum rj_err rj_sums_add(const struct rj_site *s, struct rj_bytes name,
                                     rj_int128 amount);
/* All that counts of a tip that `from` has becomes the own tip's. RJ_ERANGE. */
RJ_NODISCARD enum rj_err rj_sums_move(const struct rj_site *s, const struct rj_crdt *from,
                                      const struct rj_row *row);
/* `reset`: raises the floor of a tip that was seen. */
RJ_NODISCARD enum rj_err rj_sums_reset(const struct rj_site *s, const struct rj_told *row,
                                       struct rj_bytes replica);
/* Of two floors of one tip. */
bool rj_sums_beats(const struct rj_crdt *v, const struct rj_row *a,
                   const struct rj_row *b);
/* place is that of a floor, else of a tip. */
bool rj_sums_is_floor(struct rj_bytes place);
/* The payload is one of a tip, or of a floor; for a floor *ret_name is the tip's place.
 */
bool rj_sums_is_sound(struct rj_bytes place, struct rj_bytes payload,
                      struct rj_bytes *ret_name);
void rj_sums_read(struct rj_bytes place, struct rj_bytes payload,
                  struct rj_crdt_row *ret_row);
/* RJ_ERANGE: not an int64. */
RJ_NODISCARD enum rj_err rj_sums_int(rj_int128 sum, int64_t *ret);

/* `spend`: a floor says nothing any more when its tip has begun a new epoch. */
RJ_NODISCARD enum rj_err rj_sums_spend(const struct rj_crdt *v, struct rj_bytes prefix,
                                       const struct rj_row *place,
                                       const struct rj_dots *horizon,
                                       struct rj_dots *spent);

/* The counters that can stand alone with their changes: gcounter, pncounter, rcounter. */
RJ_NODISCARD enum rj_err rj_sums_count(const struct rj_crdt *v, struct rj_bytes prefix,
                                       int64_t *ret);
bool rj_sums_alive(const struct rj_crdt *v, struct rj_bytes prefix);
/* INC and DEC. */
RJ_NODISCARD enum rj_err rj_sums_change(const struct rj_site *s);
/* Their rows: tips at the place itself. */
bool rj_sums_is_counter(struct rj_bytes place, struct rj_bytes payload);

#endif
