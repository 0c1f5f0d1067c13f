/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts of a state transfer (R5): while a node takes over the state, each range of
 * positions has its own vector C. What the node may announce is their minimum. One vector
 * for all ranges would lose writes: a range read later at another vector would vouch for
 * what an earlier range never saw. */
#ifndef RJ_CAUSAL_CONTEXTS_H
#define RJ_CAUSAL_CONTEXTS_H

#include "causal/kind.h"

enum { RJ_CONTEXTS_MAX = 65536 }; /* ranges of one transfer */

struct rj_context {
    struct rj_range range;
    struct rj_vv have; /* C */
};

/* Consecutive ranges that cover all positions. */
struct rj_contexts {
    struct rj_context *items;
    size_t n, cap;
};

/* One range with vector vv. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_contexts_init(struct rj_contexts *c, const struct rj_vv *vv);
void rj_contexts_done(struct rj_contexts *c);
/* The range that holds position. */
struct rj_context *rj_contexts_at(const struct rj_contexts *c, uint64_t position);
/* Makes range consist of whole items (splits at its ends). RJ_ENOMEM, RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_contexts_split(struct rj_contexts *c, struct rj_range range);
/* C := C joined with S for all items in range (split there before). RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_contexts_join(struct rj_contexts *c, struct rj_range range,
                                          const struct rj_vv *S);
/* C := S for all items in range (split there before). RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_contexts_renew(struct rj_contexts *c, struct rj_range range,
                                           const struct rj_vv *S);
/* Notes a batch (origin, up to last) applied in every range. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_contexts_applied(struct rj_contexts *c, uint32_t origin,
                                             uint64_t last);
/* Minimum over all ranges, into v. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_contexts_min(const struct rj_contexts *c, struct rj_vv *v);
/* True iff all ranges have one vector. */
bool rj_contexts_are_equal(const struct rj_contexts *c);
/* The first range from position `from` on whose C does not cover need; NULL: none. */
const struct rj_context *rj_contexts_lacking(const struct rj_contexts *c, uint64_t from,
                                             const struct rj_vv *need);
/* Joins neighbours with equal vectors into one item. */
void rj_contexts_compact(struct rj_contexts *c);

#endif
