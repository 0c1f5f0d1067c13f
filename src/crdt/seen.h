/* SPDX-License-Identifier: Apache-2.0 */
/* Overwrite lists: what a write has seen of a place and overwrites, as one pair (origin,
 * greatest live sequence) for each origin. Because delivery is causal, everything of that
 * origin below, at that place, was either seen live or dead already; so the pairs say as
 * much as the list of all dots, and a removal needs no tombstone. */
#ifndef RJ_CRDT_SEEN_H
#define RJ_CRDT_SEEN_H

#include "causal/dot.h"

struct rj_seen_pair {
    uint64_t seq;
    uint64_t from; /* dots before it are not meant (rj_seen_bound); 0: all up to seq */
    uint32_t origin;
};

/* Ascending by origin. Zero-initialise. */
struct rj_seen {
    struct rj_seen_pair *pairs;
    size_t n, cap;
};

/* Room for n pairs in all. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_seen_reserve(struct rj_seen *s, size_t n);
/* Adds a dot; the greatest of an origin stays. RJ_ENOMEM: nothing changed. */
RJ_NODISCARD enum rj_err rj_seen_add(struct rj_seen *s, struct rj_dot dot);
/* What a write has seen of an origin may begin late: a write that is issued again has not
 * seen what its new origin wrote before. Sets the bound of a pair that is there. */
void rj_seen_bound(struct rj_seen *s, uint32_t origin, uint64_t from);
/* True iff the dot is overwritten. */
bool rj_seen_has(const struct rj_seen *s, struct rj_dot dot);
/* Empties, keeps the memory. */
void rj_seen_clear(struct rj_seen *s);
/* NULL is accepted. */
void rj_seen_done(struct rj_seen *s);

#endif
