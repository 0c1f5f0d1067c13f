/* SPDX-License-Identifier: Apache-2.0 */
/* A persistent ordered map: a change makes a new version that shares all but O(log n)
 * nodes with the old one, which stays as it is. A version is its root (NULL: empty) and
 * is counted; several threads may read and count one. */
#ifndef RJ_STORE_MEMORY_TREE_H
#define RJ_STORE_MEMORY_TREE_H

#include <rejoin/store.h>

struct rj_memory_node;

/* What is stored under a key; immutable. */
struct rj_memory_record {
    struct rj_bytes key, value;
    uint64_t checksum; /* over both, as it was put */
};

/* One more owner of a version; returns it. NULL is accepted, here and below. */
struct rj_memory_node *rj_memory_tree_ref(struct rj_memory_node *root);
/* One owner less; the last one frees what no other version shares. */
void rj_memory_tree_unref(struct rj_memory_node *root);

/* Makes *root a version with the key put, or replaced; the old version loses the owner
 * that *root was, and stays as it is when it has others. RJ_ENOMEM: *root is good for
 * rj_memory_tree_unref only. flip: the first bit of the value (without value: of the
 * checksum) is inverted after the checksum was made. */
RJ_NODISCARD enum rj_err rj_memory_tree_put(struct rj_memory_node **root,
                                            struct rj_bytes key, struct rj_bytes value,
                                            bool flip);

/* The same without the key; RJ_OK also when it was not there. */
RJ_NODISCARD enum rj_err rj_memory_tree_delete(struct rj_memory_node **root,
                                               struct rj_bytes key);

/* The neighbour that how asks for, borrowed from the version; NULL: none. */
const struct rj_memory_record *rj_memory_tree_seek(const struct rj_memory_node *root,
                                                   enum rj_seek how, struct rj_bytes key);

/* True iff the record is as it was put. */
bool rj_memory_tree_intact(const struct rj_memory_record *record);

/* Bytes of all keys and values. */
uint64_t rj_memory_tree_bytes(const struct rj_memory_node *root);

/* True iff order, heights, balance and sums hold: for tests, O(n). */
bool rj_memory_tree_is_sound(const struct rj_memory_node *root);

#endif
