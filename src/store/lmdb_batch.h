/* SPDX-License-Identifier: Apache-2.0 */
/* A batch in the order in which LMDB takes it fastest. */
#ifndef RJ_STORE_LMDB_BATCH_H
#define RJ_STORE_LMDB_BATCH_H

#include <rejoin/store.h>

enum { RJ_LMDB_BATCH_OVERHEAD = 32 }; /* bytes that a record takes beside key and value */

/* Small, so that sorting moves little. */
struct rj_lmdb_op {
    uint64_t head, next; /* 16 bytes of the key */
    const struct rj_writes *writes;
    uint64_t pos : 63; /* of it in there */
    uint64_t overtaken : 1;
};

struct rj_lmdb_batch {
    struct rj_lmdb_op *ops;
    size_t count;
    uint64_t put_bytes; /* what the puts take, with their overhead */
    bool deletes;       /* it holds something else than puts */
};

/* Reads w, which must outlive ret, and checks its sizes; rj_lmdb_batch_done frees it. The
 * ops, applied in their order, do what w does. RJ_EINVAL: an empty key. RJ_ELIMIT: a key
 * or value too long. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_lmdb_batch_init(struct rj_lmdb_batch *ret,
                                            const struct rj_writes *w);
/* Borrows from the batch. */
struct rj_write rj_lmdb_op_write(const struct rj_lmdb_op *op);
void rj_lmdb_batch_done(struct rj_lmdb_batch *b);

#endif
