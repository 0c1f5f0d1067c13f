/* SPDX-License-Identifier: Apache-2.0 */
/* From bytes to a pointer in O(1), by keyed hash. It cannot be walked: what has an order
 * lives in struct rj_map. The map stores views of keys, not the bytes: they must stay
 * where they are until the entry is removed (usually they lie behind value). */
#ifndef RJ_BASE_HASHMAP_H
#define RJ_BASE_HASHMAP_H

#include "base/hash.h"

struct rj_hashmap_slot;

struct rj_hashmap {
    struct rj_hashmap_slot *slots;
    size_t cap; /* 0 or a power of two */
    size_t count;
    const struct rj_hash_key *hash_key;
};

/* An empty map; hash_key is borrowed until rj_hashmap_done. */
void rj_hashmap_init(struct rj_hashmap *m, const struct rj_hash_key *hash_key);

/* Frees the table, not the values. NULL or a zeroed struct is accepted. */
void rj_hashmap_done(struct rj_hashmap *m);

/* The value of key, or NULL. */
void *rj_hashmap_get(const struct rj_hashmap *m, struct rj_bytes key);

/* Adds value (not NULL) under key. RJ_EEXIST: key is there already, nothing changed.
 * RJ_ENOMEM: nothing changed. */
RJ_NODISCARD enum rj_err rj_hashmap_put(struct rj_hashmap *m, struct rj_bytes key,
                                        void *value);

/* Takes key out and returns its value; NULL when it was not there. Cannot fail. */
void *rj_hashmap_remove(struct rj_hashmap *m, struct rj_bytes key);

#endif
