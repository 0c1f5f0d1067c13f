/* SPDX-License-Identifier: Apache-2.0 */
/* Random histories: everything at once, decided by the seed. */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include "sim/world.h"

/* One history from an empty world to the final checks. */
void sim_random(struct sim_world *w);

#endif
