/* SPDX-License-Identifier: Apache-2.0 */
/* The trail of an origin: where its headers ended that the log no longer holds, and the
 * begin of their hashes. It outlives the log, so that two nodes can tell whether they
 * have one chain of that origin (R7) also where no log reaches. All trails of a space
 * have a bound together; beyond it each is thinned in its older half. What goes then
 * depends on the hashes alone, so that two nodes keep the same of one chain. */
#ifndef RJ_CAUSAL_TRAIL_H
#define RJ_CAUSAL_TRAIL_H

#include "causal/batch.h"

enum { RJ_TRAIL_MAX = 65536 }; /* points of all trails of a space */

/* A header: its first and last sequence. */
struct rj_trail_point {
    uint64_t first, last;
    uint8_t hash[RJ_DEP_HASH_LEN];
};

/* Ascending. Zero-initialise. */
struct rj_trail {
    struct rj_trail_point *points;
    size_t n, cap;
};

/* Adds a point in its place; does nothing when one ends there already. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_trail_add(struct rj_trail *t, const struct rj_trail_point *p);
/* The first point that ends at seq or behind it; NULL: none. Borrowed until the next
 * change. */
const struct rj_trail_point *rj_trail_find(const struct rj_trail *t, uint64_t seq);
/* Moves what ends behind seq to `into`, which is empty. RJ_ENOMEM: t is unchanged. */
RJ_NODISCARD enum rj_err rj_trail_cut(struct rj_trail *t, uint64_t seq,
                                      struct rj_trail *into);
/* Drops points of the older half, at least one of a trail that is not empty. */
void rj_trail_thin(struct rj_trail *t);
/* How rarely a hash like that is found: of two points the one of a higher level stays. */
unsigned rj_trail_level(const uint8_t hash[RJ_DEP_HASH_LEN]);
void rj_trail_done(struct rj_trail *t);

#endif
