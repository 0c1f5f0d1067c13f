/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket as a kind of space: keys that hold values which merge by themselves. The
 * rules are in doc/format.md, "Bucket"; the data calls in <rejoin/bucket.h>. */
#ifndef RJ_BUCKET_BUCKET_H
#define RJ_BUCKET_BUCKET_H

#include "causal/kind.h"
#include "causal/origin.h"

#include <rejoin/bucket.h>

enum { RJ_BUCKET_SEED_LEN = 16 };

struct rj_bucket_config {
    struct rj_writer *writer; /* outlives the bucket, as do the origins */
    const struct rj_origins *origins;
    const struct rj_vv *have; /* what this node has; outlives it, too */
    struct rj_bytes
        prefix; /* of its records in the store: 1 byte or more, not all 0xff */
    uint8_t seed[RJ_BUCKET_SEED_LEN]; /* from the space id: keys positions and sums, which
                                         must be the same on all nodes */
    bool delete_wins;                 /* the policy, the same on all nodes, too */
};

/* struct rj_bucket begins with its struct rj_kind; k->ops->close frees it. RJ_EINVAL: a
 * prefix that is none; RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_bucket_open(const struct rj_bucket_config *c,
                                        struct rj_bucket **ret_bucket);
/* The time that data calls work with from now on. */
void rj_bucket_set_now(struct rj_bucket *b, struct rj_now now);
/* The kind that a bucket is; never NULL. */
struct rj_kind *rj_bucket_kind(struct rj_bucket *b);

#endif
