/* SPDX-License-Identifier: Apache-2.0 */
/* What only tests and the simulator do to a store in memory (rj_store_memory_open): let
 * its machine crash, copy its disk, let its disk fail. Each takes a store that
 * rj_store_memory_open or rj_store_memory_clone made, and is called by the thread that
 * writes. */
#ifndef RJ_STORE_MEMORY_H
#define RJ_STORE_MEMORY_H

#include <rejoin/store.h>

/* Batches that were not made durable yet and that a crash may lose; the oldest becomes
 * durable by itself when there are more, as on a machine that writes back in the end. */
enum { RJ_STORE_MEMORY_UNSYNCED_MAX = 1024 };

/* What a crash does to the batches that were not made durable. */
enum rj_store_memory_lose {
    RJ_STORE_MEMORY_LOSE_ALL,
    RJ_STORE_MEMORY_LOSE_NONE,
    RJ_STORE_MEMORY_LOSE_SOME /* a number of the last ones, drawn from seed */
};

/* The machine crashes and the store is opened again: batches are lost whole and from the
 * end only; what is left is durable. Injected failures are forgotten, damage and the room
 * are not. Views of before stay as they were until they are closed. */
void rj_store_memory_crash(struct rj_store *s, enum rj_store_memory_lose lose,
                           uint64_t seed);

/* A second store with the durable content of s: a cloned machine, a backup. The two are
 * independent of each other. The copy has no injected failures and unlimited room. */
RJ_NODISCARD enum rj_err rj_store_memory_clone(struct rj_store *s, struct rj_store **ret);

/* The same with everything that was written, durable or not (all of it durable there). */
RJ_NODISCARD enum rj_err rj_store_memory_copy(struct rj_store *s, struct rj_store **ret);

/* Batches written that a crash may still lose. */
size_t rj_store_memory_unsynced(const struct rj_store *s);

/* From now on the content may grow by this many bytes (keys and values together); a batch
 * that would need more gives RJ_EFULL. UINT64_MAX: unlimited. */
void rj_store_memory_set_room(struct rj_store *s, uint64_t bytes);

/* The durable write or sync after the next `after` ones gives RJ_EIO and finishes the
 * instance: every call gives RJ_EIO until rj_store_memory_crash, which then decides about
 * the batch that failed as about the others. */
void rj_store_memory_fail_sync(struct rj_store *s, uint64_t after);

/* Flips one bit of a stored record: seeks that find it give RJ_ECORRUPT until it is
 * written or deleted. Views of before do not see it. RJ_ENOENT: no such key. RJ_ENOMEM.
 */
RJ_NODISCARD enum rj_err rj_store_memory_corrupt(struct rj_store *s, struct rj_bytes key);

#endif
