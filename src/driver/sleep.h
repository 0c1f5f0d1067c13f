/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the machine slept: seen from two readings that do not agree. Pure. */
#ifndef RJ_DRIVER_SLEEP_H
#define RJ_DRIVER_SLEEP_H

#include <rejoin/bytes.h>
#include <rejoin/env.h>
#include <stdbool.h>

enum {
    RJ_SLEEP_MS = 2000,         /* a sleep as long as this was one, */
    RJ_SLEEP_STALLED_MS = 15000 /* and as long as this without a look */
};

struct rj_sleep {
    uint64_t slept_ms;
    struct rj_mono last; /* look; 0: none yet */
};

/* slept_ms: what the machine slept so far (rj_netwatch_slept_ms). */
void rj_sleep_begin(struct rj_sleep *w, uint64_t slept_ms);
/* Whether it slept, or was frozen from outside, since the look before: told once. */
bool rj_sleep_look(struct rj_sleep *w, uint64_t slept_ms, struct rj_mono now);

#endif
