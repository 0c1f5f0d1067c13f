/* SPDX-License-Identifier: Apache-2.0 */
/* An ordered map whose nodes lie inside the caller's entries: the map allocates nothing,
 * so only the caller's own allocation can fail. Keys are bytes, ordered as
 * rj_bytes_compare; a function says where the key of an entry is. The key of an entry
 * must not change while it is in the map. Every step is O(log n) and loops, never
 * recurses.
 *
 *     struct member { struct rj_map_node node; struct rj_bytes name; ... };
 *     struct rj_map members;
 *     rj_map_init(&members, member_key);
 *     for (n = rj_map_first(&members); n != NULL; n = rj_map_next(n))
 *         use(RJ_MAP_ENTRY(n, struct member, node));
 */
#ifndef RJ_BASE_MAP_H
#define RJ_BASE_MAP_H

#include "base/bytes.h"

struct rj_map_node {
    struct rj_map_node *child[2];
    struct rj_map_node *parent;
    int balance; /* height of child[1] - height of child[0]: -1, 0, 1 */
};

/* The key of the entry that holds node; borrowed as long as the entry is in the map. */
typedef struct rj_bytes rj_map_key_fn(const struct rj_map_node *node);

struct rj_map {
    struct rj_map_node *root;
    rj_map_key_fn *key;
    size_t count;
};

/* The entry of type that holds node as its member; node must not be NULL. */
#define RJ_MAP_ENTRY(node, type, member)                                                 \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* The same for a pointer to const. */
#define RJ_MAP_ENTRY_CONST(node, type, member)                                           \
    ((const type *)(const void *)((const char *)(node)-offsetof(type, member)))

/* An empty map. Nothing to free at its end but the caller's entries. */
static inline void rj_map_init(struct rj_map *m, rj_map_key_fn *key)
{
    *m = (struct rj_map){.key = key};
}

/* The node with that key, or NULL. */
struct rj_map_node *rj_map_find(const struct rj_map *m, struct rj_bytes key);

/* Puts node in and returns NULL; or returns the node that has its key already, and
 * changes nothing. */
RJ_NODISCARD struct rj_map_node *rj_map_insert(struct rj_map *m,
                                               struct rj_map_node *node);

/* Takes out node, which must be in m. The entry is the caller's to free. */
void rj_map_remove(struct rj_map *m, struct rj_map_node *node);

/* Puts node in the place of old, which is in m and has an equal key. */
void rj_map_replace(struct rj_map *m, struct rj_map_node *old, struct rj_map_node *node);

/* The first node with a key >= key, > key; the last with a key < key. NULL: none. */
struct rj_map_node *rj_map_lower_bound(const struct rj_map *m, struct rj_bytes key);
struct rj_map_node *rj_map_upper_bound(const struct rj_map *m, struct rj_bytes key);
struct rj_map_node *rj_map_before(const struct rj_map *m, struct rj_bytes key);

/* Smallest, greatest; NULL when empty. */
struct rj_map_node *rj_map_first(const struct rj_map *m);
struct rj_map_node *rj_map_last(const struct rj_map *m);

/* The neighbours of a node in key order; NULL at the ends. To remove while walking, ask
 * for the next one before. */
struct rj_map_node *rj_map_next(const struct rj_map_node *node);
struct rj_map_node *rj_map_prev(const struct rj_map_node *node);

/* Takes out some node, cheapest first, without keeping the tree balanced; NULL when
 * empty. For tearing down: while ((n = rj_map_take_any(&m)) != NULL) free(...); nothing
 * else may be done with m until it is empty. */
struct rj_map_node *rj_map_take_any(struct rj_map *m);

/* True iff order, balance, links and count hold: for tests and fuzzing, O(n). */
bool rj_map_is_sound(const struct rj_map *m);

#endif
