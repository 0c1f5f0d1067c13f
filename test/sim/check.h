/* SPDX-License-Identifier: Apache-2.0 */
/* Healing, and what must hold then. */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "sim/world.h"

/* Faults off, links up, everybody back (but stopped hosts): runs until all members agree
 * and have agreed for a while; then checks everything and that the network goes quiet.
 * Notes a failure otherwise. */
void sim_heal_and_check(struct sim_world *w);
/* Its first part alone: faults off, links up, whoever is down opens again. */
void sim_faults_off(struct sim_world *w);
/* The same with the present links, between members only. True iff they agreed in time. */
bool sim_settle(struct sim_world *w, uint64_t most_ms);
/* True iff all members that are up have one vector, one digest, nothing joining or
 * parked; why not is left in w->scratch-like text ret (at most len bytes). */
bool sim_agree(struct sim_world *w, char *ret, size_t len);
/* Writes down what every space is doing, when the world is verbose. */
void sim_explain(struct sim_world *w);
/* Cheap things that hold at any time: limits, atomic groups. */
void sim_check_now(struct sim_world *w);

/* Some device has told what it then lost, or has a copy that others did not know of, or
 * was shut out with unsent writes: where deletions win, one may have been forgotten
 * before a write that had not seen it came. */
bool sim_told_too_much(const struct sim_world *w);

#endif
