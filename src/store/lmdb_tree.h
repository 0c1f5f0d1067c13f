/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of any length in the one table of an LMDB transaction: find, put, delete. The
 * rules of how keys are cut are in store/stored.h. */
#ifndef RJ_STORE_LMDB_TREE_H
#define RJ_STORE_LMDB_TREE_H

#include "base/buf.h"

#include <lmdb.h>
#include <rejoin/store.h>

/* A cursor with the groups that it went through. Fields are private but for mdb_err and
 * damage. */
struct rj_lmdb_tree {
    MDB_txn *txn; /* not owned */
    MDB_dbi dbi;
    MDB_cursor *cursor;
    struct rj_bytes map; /* the file in memory; ptr NULL: records may lie elsewhere */
    size_t page_size;
    MDB_val near;     /* LMDB key that the cursor stands on, when it is known */
    uint64_t *groups; /* groups[0] = 0, the top; one more for each level below */
    size_t depth, cap;
    struct rj_buf key;  /* the key put together; its first depth parts are the path */
    struct rj_buf last; /* that of the seek before, which may be asked for in this one */
    int mdb_err;        /* the code of LMDB behind RJ_EIO, RJ_EFULL, RJ_EBUSY */
    const char *damage; /* what is wrong, behind RJ_ECORRUPT; static */
};

/* A tree on txn, which must outlive it; end with rj_lmdb_tree_done, also after failure.
 * map: the file in memory, in pages of page_size bytes, for a read transaction; else
 * empty. */
RJ_NODISCARD enum rj_err rj_lmdb_tree_init(struct rj_lmdb_tree *t, MDB_txn *txn,
                                           MDB_dbi dbi, struct rj_bytes map,
                                           size_t page_size);
void rj_lmdb_tree_done(struct rj_lmdb_tree *t);

/* As seek of struct rj_store_ops. key may be longer than RJ_STORE_KEY_MAX. */
RJ_NODISCARD enum rj_err rj_lmdb_tree_seek(struct rj_lmdb_tree *t, enum rj_seek how,
                                           struct rj_bytes key, struct rj_bytes *ret_key,
                                           struct rj_bytes *ret_value);

/* Puts, replaces. The sizes must be within the limits of <rejoin/store.h>. After any
 * failure of one of these three the transaction must be aborted. */
RJ_NODISCARD enum rj_err rj_lmdb_tree_put(struct rj_lmdb_tree *t, struct rj_bytes key,
                                          struct rj_bytes value);

/* Deletes; RJ_OK also when it was not there. */
RJ_NODISCARD enum rj_err rj_lmdb_tree_delete(struct rj_lmdb_tree *t, struct rj_bytes key);

/* Deletes all keys >= from and < to. */
RJ_NODISCARD enum rj_err rj_lmdb_tree_delete_range(struct rj_lmdb_tree *t,
                                                   struct rj_bytes from,
                                                   struct rj_bytes to);

/* What a code of LMDB (or errno) means for a caller. RJ_ENOENT for MDB_NOTFOUND. */
enum rj_err rj_lmdb_tree_err(int mdb_err);

#endif
