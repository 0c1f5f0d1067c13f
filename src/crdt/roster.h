/* SPDX-License-Identifier: Apache-2.0 */
/* The replicas that a value knows: small indexes in memory (the `origin` of a dot), names
 * on the wire and wherever an order must be the same everywhere. A value, its deltas and
 * its forks share one table; it only grows. */
#ifndef RJ_CRDT_ROSTER_H
#define RJ_CRDT_ROSTER_H

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/reader.h"
#include "causal/dots.h"

#define RJ_NAME_NONE UINT32_MAX

struct rj_replica {
    struct rj_map_node node;
    uint32_t index;
    uint32_t len; /* of the name, which follows */
};

struct rj_roster {
    struct rj_map map;
    struct rj_replica **items; /* by index */
    uint32_t n, cap;
    uint32_t users;
    struct rj_hash_key key; /* of tables of rows that share these names */
    const struct rj_allocator *allocator;
    struct rj_bytes told; /* a view: names as a message has them, ascending */
    uint32_t *marks;      /* where in there some of them begin; NULL: it is no view */
};

/* secret: what the key is made of, the less others know of it the better. NULL: no
 * memory. Freed when the last user lets go of it. */
RJ_NODISCARD struct rj_roster *rj_roster_new(const struct rj_allocator *allocator,
                                             struct rj_bytes secret);
/* The n names that r is at, by number, where they stand: nothing can be added, and the
 * bytes must outlive it. key: of who is going to read them. RJ_ENOMEM, RJ_ECORRUPT. */
RJ_NODISCARD enum rj_err rj_roster_view(struct rj_reader *r, uint32_t n,
                                        const struct rj_roster *key,
                                        struct rj_roster **ret);
/* Takes back the names from index n on, which nobody has used. */
void rj_roster_cut(struct rj_roster *t, uint32_t n);
struct rj_roster *rj_roster_share(struct rj_roster *t);
void rj_roster_release(struct rj_roster *t); /* NULL is accepted */

struct rj_bytes rj_roster_get(const struct rj_roster *t, uint32_t index);
/* RJ_NAME_NONE: not there. */
uint32_t rj_roster_find(const struct rj_roster *t, struct rj_bytes name);
/* Adds it if need be. RJ_ELIMIT: RJ_CRDT_REPLICAS_MAX; RJ_EINVAL: empty or longer than
 * RJ_CRDT_NAME_MAX; RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_roster_add(struct rj_roster *t, struct rj_bytes name,
                                       uint32_t *ret_index);
/* Order by name: < 0, 0, > 0. */
int rj_roster_compare(const struct rj_roster *t, uint32_t a, uint32_t b);
/* a is within b, each numbered by its own names. O(a log b). */
bool rj_roster_within(const struct rj_dots *a, const struct rj_roster *a_names,
                      const struct rj_dots *b, const struct rj_roster *b_names);

#endif
