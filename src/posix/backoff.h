/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before the next attempt to reconnect. Pure: the caller draws the
 * random number from its own generator. */
#ifndef RJ_POSIX_BACKOFF_H
#define RJ_POSIX_BACKOFF_H

#include <stdint.h>

struct rj_backoff {
    uint32_t min_ms, max_ms;
    uint32_t cap_ms; /* most that the next wait can be */
};

/* min_ms is at least 1 and at most max_ms; others are moved to the nearest that is. */
void rj_backoff_init(struct rj_backoff *backoff, uint32_t min_ms, uint32_t max_ms);
/* The wait before the next attempt: from min_ms to a bound that doubles with each call
 * up to max_ms, evenly by draw (64 random bits). */
uint32_t rj_backoff_next_ms(struct rj_backoff *backoff, uint64_t draw);
/* A connection came up (and lasted): begin again at min_ms. */
void rj_backoff_reset(struct rj_backoff *backoff);

#endif
