/* SPDX-License-Identifier: Apache-2.0 */
/* The origin table of a space: which incarnations of which devices have written in it.
 * R1: an incarnation is 64 random bits drawn at every open of the store, so no clone,
 * rollback or lost tail can make one dot twice. Indexes are local, dense, never reused.
 */
#ifndef RJ_CAUSAL_ORIGIN_H
#define RJ_CAUSAL_ORIGIN_H

#include "causal/dot.h"

#include <rejoin/env.h>

enum {
    RJ_ORIGIN_LEN = 16,
    RJ_ORIGINS_MAX = 65536, /* incarnations in one space */
};

#define RJ_ORIGIN_NONE UINT32_MAX

/* First 16 bytes of SHA-256("rejoin origin" || device id || u64be incarnation). */
struct rj_origin_id {
    uint8_t b[RJ_ORIGIN_LEN];
};

struct rj_origin {
    struct rj_origin_id id;
    struct rj_digest device; /* zero until the opening record is known */
    uint64_t incarnation;
    bool opened;                  /* its opening record was applied */
    struct rj_origin_id replaces; /* what its opening record names; zero: nothing */
    uint32_t replaced_by;         /* RJ_ORIGIN_NONE while it is the device's active one */
    /* R7: an origin that was continued twice from one header ends there, and each of its
     * branches is an origin of its own, with the same sequences, from start + 1 on. */
    uint64_t start, end; /* end: UINT64_MAX while it is not split */
    uint32_t parent;     /* whose branch it is; RJ_ORIGIN_NONE: an incarnation itself */
    uint32_t root;       /* the incarnation; batches bear its id */
};

/* Zero-initialise. */
struct rj_origins {
    struct rj_origin *items;
    uint32_t n, cap;
    uint32_t *order; /* the n indexes, ascending by id */
    uint32_t *slots; /* open addressing over ids (ids are hashes already) */
    uint32_t slot_n;
    uint32_t branches; /* R7: how many of them are branches */
};

void rj_origin_id_make(struct rj_env *env, const struct rj_digest *device,
                       uint64_t incarnation, struct rj_origin_id *ret_id);
/* Index of an id; RJ_ORIGIN_NONE when unknown. */
uint32_t rj_origins_find(const struct rj_origins *t, const struct rj_origin_id *id);
/* Index of an id, added when unknown. RJ_ELIMIT: RJ_ORIGINS_MAX; RJ_ENOMEM. */
RJ_NODISCARD enum rj_err
rj_origins_add(struct rj_origins *t, const struct rj_origin_id *id, uint32_t *ret_index);
/* R7: makes o a branch of parent, from start + 1 on. */
void rj_origins_set_branch(struct rj_origins *t, uint32_t o, uint32_t parent,
                           uint64_t start);
/* A batch whose author knew of no split names an origin and means one of its branches.
 * What its author had seen of origin `of` beyond its end lies in `branch`. */
struct rj_choice {
    uint32_t of, branch;
};

/* How one author means the names that it uses. */
struct rj_names {
    const struct rj_origins *origins;
    const struct rj_choice *items;
    size_t n;
};

/* The origin that sequence seq of a named origin belongs to; RJ_ORIGIN_NONE: the author
 * has not said. names NULL: the named one. */
uint32_t rj_names_find(const struct rj_names *names, uint32_t origin, uint64_t seq);
/* Name of the branch of an incarnation whose first header has that hash. */
void rj_origin_id_branch(struct rj_env *env, const struct rj_origin_id *root,
                         const struct rj_digest *first, struct rj_origin_id *ret_id);
/* Order of ids, the same on all nodes: <0, 0, >0. */
int rj_origins_compare(const struct rj_origins *t, uint32_t a, uint32_t b);
/* Greater (stamp, dot), the order that decides between concurrent writes: <0, 0, >0. */
int rj_dot_order(const struct rj_origins *t, uint64_t stamp_a, struct rj_dot a,
                 uint64_t stamp_b, struct rj_dot b);
void rj_origins_done(struct rj_origins *t);

#endif
