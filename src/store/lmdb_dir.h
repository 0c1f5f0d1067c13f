/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of an LMDB store: made once, whole or not at all; held by one process;
 * its environment opened and known to be durable. */
#ifndef RJ_STORE_LMDB_DIR_H
#define RJ_STORE_LMDB_DIR_H

#include <lmdb.h>
#include <rejoin/store.h>

enum { RJ_LMDB_DIR_WHY = 200 };

struct rj_lmdb_dir {
    int fd, lock_fd; /* the directory; the file that is locked while this is open */
    MDB_env *env;
    MDB_dbi dbi;
    const uint8_t *map; /* where the file begins in memory; NULL: cannot be told */
    size_t page_size;
    uint64_t used_bytes;       /* of the file, when it was opened */
    uint64_t size_max;         /* most bytes that the file can have */
    char why[RJ_LMDB_DIR_WHY]; /* detail of a failed open */
};

/* Opens, or makes, the store at path. size_max_bytes as rj_store_lmdb_open; the errors
 * too, with the detail in ret->why (ret is closed then). */
RJ_NODISCARD enum rj_err rj_lmdb_dir_open(const char *path, uint64_t size_max_bytes,
                                          struct rj_lmdb_dir *ret);
void rj_lmdb_dir_close(struct rj_lmdb_dir *d);

/* True iff nothing can be written to the file system of the directory: for LMDB, which
 * reports a write that was cut short for want of room as EIO. */
bool rj_lmdb_dir_is_full(const struct rj_lmdb_dir *d);

/* Bytes that the file system has free for this user; UINT64_MAX: cannot be told. */
uint64_t rj_lmdb_dir_free(const struct rj_lmdb_dir *d);

#endif
