/* SPDX-License-Identifier: Apache-2.0 */
/* Hybrid logical clock: 48 bits of milliseconds, 16 bits of counter. R2: delivery never
 * depends on it; it decides between concurrent writes only. Source: Kulkarni et al. 2014,
 * "Logical physical clocks". */
#ifndef RJ_CAUSAL_STAMP_H
#define RJ_CAUSAL_STAMP_H

#include <rejoin/bytes.h>
#include <stdbool.h>

/* A stamp of 2^47 ms or more is malformed. */
#define RJ_STAMP_MAX (((uint64_t)1 << 63) - 1)

static inline bool rj_stamp_is_valid(uint64_t stamp)
{
    return stamp <= RJ_STAMP_MAX;
}

static inline uint64_t rj_stamp_ms(uint64_t stamp)
{
    return stamp >> 16;
}

/* The next stamp: max(wall, last + 1). Never beyond RJ_STAMP_MAX. */
static inline uint64_t rj_stamp_next(uint64_t last, struct rj_wall wall)
{
    uint64_t ms = wall.ms < ((uint64_t)1 << 47) - 1 ? wall.ms : ((uint64_t)1 << 47) - 1;
    uint64_t now = ms << 16;

    if (now > last)
        return now;
    return last < RJ_STAMP_MAX ? last + 1 : RJ_STAMP_MAX;
}

#endif
