/* SPDX-License-Identifier: Apache-2.0 */
/* Things that bear names, in memory of their own: they lie in a slab and are called by
 * references of 32 bits; slots find them by name; an order, which is made when somebody
 * asks, has them sorted. So the rows of a value stand (crdt/rows.h: the name is a place),
 * and the elements of a bucket's sets and the fields of its hashes (crdt/dotmap.h).
 *
 * Much memory lies in pieces that count their users: a fork shares them, and who writes
 * to one that others use copies it first (rj_NAME_own; after that, taking out cannot
 * fail). Without forks nothing needs to be owned. */
#ifndef RJ_CRDT_NAMED_H
#define RJ_CRDT_NAMED_H

#include "base/hash.h"
#include "base/mem.h"

/* What all things of a slab have in common; borrowed, it must not move. */
struct rj_naming {
    struct rj_bytes (*name)(const void *thing);
    const struct rj_hash_key *key;
    const struct rj_allocator *allocator;
    size_t block; /* bytes of a slab's first block; 0: no more than it needs */
};

/* ---- piece.c: what begins with the number of its users */

/* Zeroed, one user. NULL: no memory. */
RJ_NODISCARD void *rj_piece_new(const struct rj_allocator *allocator, size_t size);
/* One user less; the last one frees it. NULL is accepted. */
void rj_piece_release(const struct rj_allocator *allocator, void *piece, size_t size);

/* ---- slab.c: memory */

struct rj_block {
    uint32_t users, size, used; /* bytes of data, which follow */
    uint32_t unused;            /* they are aligned to 8 */
};

struct rj_blocks {
    struct rj_block **at;
    uint32_t n, cap;
};

/* References are block number and offset of 4 bytes, or (RJ_SLAB_LARGE) the number of a
 * block that holds one thing alone. */
#define RJ_SLAB_LARGE ((uint32_t)1 << 31)
enum { RJ_SLAB_OFFSET_BITS = 14 };

/* What a slab needs that gave something back, or holds something large. */
struct rj_slab_more {
    struct rj_blocks large;
    uint32_t *spare; /* free numbers of large blocks; there is room for all of them */
    uint32_t n_spare, spare_cap;
    size_t free;     /* of the bytes in small blocks */
    uint32_t bins[]; /* by size class: free pieces, linked */
};

struct rj_slab {
    struct rj_blocks small;
    struct rj_slab_more *more; /* NULL: nothing of that yet */
    size_t total;              /* bytes in small blocks, with those that are free */
    const struct rj_naming *naming;
};

static inline void *rj_slab_at(const struct rj_slab *s, uint32_t ref)
{
    uint32_t mask = ((uint32_t)1 << RJ_SLAB_OFFSET_BITS) - 1;

    if ((ref & RJ_SLAB_LARGE) != 0)
        return s->more->large.at[ref & ~RJ_SLAB_LARGE] + 1;
    return (uint32_t *)(void *)(s->small.at[ref >> RJ_SLAB_OFFSET_BITS] + 1) +
           (ref & mask);
}

static inline struct rj_bytes rj_slab_name(const struct rj_slab *s, uint32_t ref)
{
    return s->naming->name(rj_slab_at(s, ref));
}

/* Memory for a thing of size bytes, aligned to 4; to 8 if all sizes are multiples of 8.
 * It never moves. 0: no memory. */
uint32_t rj_slab_new(struct rj_slab *s, size_t size);
/* Gives it back; size as before. */
void rj_slab_free(struct rj_slab *s, uint32_t ref, size_t size);
/* So much is free that it is better made anew. */
bool rj_slab_is_wasteful(const struct rj_slab *s);
RJ_NODISCARD bool rj_slab_own(struct rj_slab *s, uint32_t ref);
/* Empties it; keeps a little memory. */
void rj_slab_clear(struct rj_slab *s);
void rj_slab_done(struct rj_slab *s);
RJ_NODISCARD bool rj_slab_fork(struct rj_slab *to, const struct rj_slab *from);

/* ---- slots.c: by name */

struct rj_segment {
    uint32_t users, cap, used, depth;
    uint32_t filled; /* slots in use, and those that were */
    uint32_t ref[];  /* 0: none; behind them a byte for each, see there */
};

struct rj_segment_at {
    struct rj_segment *segment;
    uint32_t cap; /* its */
};

enum { RJ_SLOTS_FEW = 8 };

struct rj_slots {
    struct rj_segment_at *dir;  /* by the first `depth` bits of the hash; NULL: few */
    const struct rj_slab *slab; /* where they lie */
    uint32_t few[RJ_SLOTS_FEW]; /* in any order */
    uint32_t depth, count;
};

/* Of prefix || name; 0 while names are few. */
uint64_t rj_slots_hash(const struct rj_slots *s, struct rj_bytes prefix,
                       struct rj_bytes name);
/* Where the reference of what is named prefix || name stands. NULL: nowhere. */
uint32_t *rj_slots_find(struct rj_slots *s, uint64_t hash, struct rj_bytes prefix,
                        struct rj_bytes name);
/* Asks for the memory where a name is looked up; for that of the thing itself. */
void rj_slots_expect(const struct rj_slots *s, uint64_t hash);
void rj_slots_fetch(const struct rj_slots *s, uint64_t hash);
/* A name that is not there. */
RJ_NODISCARD bool rj_slots_put(struct rj_slots *s, uint64_t hash, uint32_t ref);
void rj_slots_remove(struct rj_slots *s, uint64_t hash, const uint32_t *slot);
RJ_NODISCARD bool rj_slots_own(struct rj_slots *s, uint64_t hash);
void rj_slots_done(struct rj_slots *s);
RJ_NODISCARD bool rj_slots_fork(struct rj_slots *to, const struct rj_slots *from);

/* All of them, in some order, while none comes or goes. Begin with {.slots = s}. */
struct rj_slot_walk {
    const struct rj_slots *slots;
    size_t at; /* in the directory */
    uint32_t slot;
};

/* 0: no more. */
uint32_t rj_slots_next(struct rj_slot_walk *w);

/* ---- order.c: by name, sorted */

enum { RJ_LEAF = 126 };

struct rj_leaf {
    uint32_t users, n;
    uint32_t ref[RJ_LEAF];
};

struct rj_order {
    struct rj_leaf **at;
    uint32_t n, cap;
    uint32_t leaf, slot; /* where the last search ended */
    size_t idle;         /* changes since it was asked for */
    bool made;
    const struct rj_slab *slab;
};

RJ_NODISCARD bool rj_order_make(struct rj_order *o, const struct rj_slots *slots);
void rj_order_done(struct rj_order *o);
/* One of count names came or went. True: the order was not asked for in so many changes
 * that it should go. */
bool rj_order_rests(struct rj_order *o, size_t count);
RJ_NODISCARD bool rj_order_put(struct rj_order *o, uint32_t ref);
/* What bears the name of `thing`, which is in, is ref now; 0: nothing. */
void rj_order_change(struct rj_order *o, const void *thing, uint32_t ref);
/* The first one at name or behind it; the next one, the one before. 0: none. */
uint32_t rj_order_from(struct rj_order *o, struct rj_bytes name);
uint32_t rj_order_next(struct rj_order *o, const void *thing);
uint32_t rj_order_prev(struct rj_order *o, const void *thing);
RJ_NODISCARD bool rj_order_own(struct rj_order *o, const void *thing);
RJ_NODISCARD bool rj_order_fork(struct rj_order *to, const struct rj_order *from);

#endif
