/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the store of rows, for rows*.c alone. Rows lie in a slab and are named by
 * references of 32 bits. While they are few, one array holds these; then three structures
 * do: lines (by dot), slots (by place), an order (by place, sorted; a cache). What takes
 * much memory lies in pieces that count their users: a fork shares them, and who writes
 * to one that others use copies it first (rj_NAME_own; after that, taking rows out cannot
 * fail). */
#ifndef RJ_CRDT_ROWS_STORE_H
#define RJ_CRDT_ROWS_STORE_H

#include "crdt/rows.h"

/* ---- rows_piece.c: what begins with the number of its users */

/* Zeroed, one user. NULL: no memory. */
RJ_NODISCARD void *rj_piece_new(const struct rj_allocator *allocator, size_t size);
/* One user less; the last one frees it. NULL is accepted. */
void rj_piece_release(const struct rj_allocator *allocator, void *piece, size_t size);

/* ---- rows_slab.c: memory of rows */

struct rj_block {
    uint32_t users, size, used; /* bytes of data, which follow */
    uint32_t number;            /* of large ones: its own, or the next free one */
};

struct rj_blocks {
    struct rj_block **at;
    uint32_t n, cap;
};

/* References are block number and offset of 4 bytes, or (RJ_SLAB_LARGE) the number of a
 * block that holds one row alone. */
#define RJ_SLAB_LARGE ((uint32_t)1 << 31)
enum { RJ_SLAB_OFFSET_BITS = 14 };

struct rj_slab {
    struct rj_blocks small, large;
    uint32_t *bins;  /* by size class: free pieces, linked; NULL: none was freed yet */
    uint32_t *spare; /* free numbers of large blocks; there is room for all of them */
    uint32_t n_spare, spare_cap;
    size_t total, free; /* bytes of rows in small blocks, with those that are free */
    const struct rj_allocator *allocator;
};

static inline struct rj_row *rj_slab_at(const struct rj_slab *s, uint32_t ref)
{
    uint32_t mask = ((uint32_t)1 << RJ_SLAB_OFFSET_BITS) - 1;

    if ((ref & RJ_SLAB_LARGE) != 0)
        return (struct rj_row *)(void *)(s->large.at[ref & ~RJ_SLAB_LARGE] + 1);
    return (
        struct rj_row
            *)(void *)((uint32_t *)(void *)(s->small.at[ref >> RJ_SLAB_OFFSET_BITS] + 1) +
                       (ref & mask));
}

/* A piece for a row with such lengths, not written yet; 0: no memory. */
uint32_t rj_slab_new(struct rj_slab *s, size_t place_len, size_t payload_len);
void rj_slab_free(struct rj_slab *s, uint32_t ref);
RJ_NODISCARD bool rj_slab_own(struct rj_slab *s, uint32_t ref);
/* Empties it; keeps a little memory. */
void rj_slab_clear(struct rj_slab *s);
void rj_slab_done(struct rj_slab *s);
RJ_NODISCARD bool rj_slab_fork(struct rj_slab *to, const struct rj_slab *from);

/* ---- rows_few.c: all that leads to rows, while they are few */

struct rj_few {
    uint32_t ref[RJ_ROWS_FEW]; /* ascending by dot */
    uint32_t n;
    struct rj_slab *slab;
};

static inline bool rj_row_is_at(const struct rj_row *row, struct rj_bytes prefix,
                                struct rj_bytes name)
{
    struct rj_bytes at = rj_row_place(row);

    return at.len == prefix.len + name.len &&
           (prefix.len == 0 || memcmp(at.ptr, prefix.ptr, prefix.len) == 0) &&
           (name.len == 0 || memcmp(at.ptr + prefix.len, name.ptr, name.len) == 0);
}

/* Index of the row at dot or behind it; f->n: none. The row itself; 0: not there. */
uint32_t rj_few_at(const struct rj_few *f, struct rj_dot dot);
uint32_t rj_few_find(const struct rj_few *f, struct rj_dot dot);
/* The first row at prefix || name. 0: none. */
uint32_t rj_few_place(const struct rj_few *f, struct rj_bytes prefix,
                      struct rj_bytes name);
size_t rj_few_places(const struct rj_few *f);
/* The first row at the place behind (or before) that of row, NULL: of all, of those under
 * prefix. 0: none. */
uint32_t rj_few_beside(const struct rj_few *f, const struct rj_row *row, bool before,
                       struct rj_bytes prefix);
/* There is room. False: no memory. */
RJ_NODISCARD bool rj_few_put(struct rj_few *f, uint32_t ref);
void rj_few_remove(struct rj_few *f, uint32_t ref);
RJ_NODISCARD bool rj_few_own(const struct rj_few *f);

/* ---- rows_lines.c: by dot */

enum { RJ_PAGE_WORDS = 4, RJ_PAGE_BITS = 8 };

struct rj_page {
    uint32_t users;
    uint32_t ref[]; /* by sequence if cap is 256, else of live rows, ascending */
};

struct rj_entry {
    uint64_t base; /* sequence / 256 */
    uint64_t live[RJ_PAGE_WORDS];
    struct rj_page *page; /* NULL: no live row */
    uint32_t cap, n;      /* references that it has room for; that are in it */
};

/* The rows of one origin. */
struct rj_line {
    struct rj_entry *at;   /* ascending by base */
    uint32_t n, cap, dead; /* dead: entries without rows */
    uint32_t origin;
};

struct rj_lines {
    struct rj_line *at; /* ascending by origin */
    uint32_t n, cap;
    size_t count; /* of rows */
    const struct rj_allocator *allocator;
};

/* As many machines have it in one instruction, but not all that this is built for. */
static inline uint32_t rj_ones(uint64_t w)
{
    w -= w >> 1 & 0x5555555555555555u;
    w = (w & 0x3333333333333333u) + (w >> 2 & 0x3333333333333333u);
    w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)(w * 0x0101010101010101u >> 56);
}

/* NULL: none. */
const struct rj_line *rj_lines_of(const struct rj_lines *l, uint32_t origin);
/* Index of the first entry of that base or a greater one. */
uint32_t rj_line_at(const struct rj_line *line, uint64_t base);
/* The first live bit from `bit` on; 256: none. */
unsigned rj_entry_next(const struct rj_entry *e, unsigned bit);
/* Where the reference of the row for that bit stands, which is live. */
const uint32_t *rj_entry_ref(const struct rj_entry *e, unsigned bit);
/* 0: not there. */
uint32_t rj_lines_find(const struct rj_lines *l, struct rj_dot dot);
/* The first row at dot or behind it. 0: none. */
uint32_t rj_lines_from(const struct rj_lines *l, struct rj_dot dot);
RJ_NODISCARD bool rj_lines_put(struct rj_lines *l, struct rj_dot dot, uint32_t ref);
void rj_lines_remove(struct rj_lines *l, struct rj_dot dot);
RJ_NODISCARD bool rj_lines_own(struct rj_lines *l, struct rj_dot dot);
void rj_lines_done(struct rj_lines *l);
RJ_NODISCARD bool rj_lines_fork(struct rj_lines *to, const struct rj_lines *from);

/* ---- rows_slots.c: by place */

struct rj_segment {
    uint32_t users, cap, used, depth;
    uint32_t filled; /* slots in use, and those that were */
    uint32_t ref[];  /* 0: none; behind them a byte for each, see there */
};

struct rj_segment_at {
    struct rj_segment *segment;
    uint32_t cap; /* its */
};

struct rj_slots {
    struct rj_segment_at *dir; /* by the first `depth` bits of the hash; NULL: empty */
    uint32_t depth;
    size_t count;
    const struct rj_slab *slab;
    const struct rj_hash_key *key;
    const struct rj_allocator *allocator;
};

/* Of prefix || name. */
uint64_t rj_slots_hash(const struct rj_slots *s, struct rj_bytes prefix,
                       struct rj_bytes name);
/* Where the reference of the first row at prefix || name stands. NULL: nowhere. */
uint32_t *rj_slots_find(struct rj_slots *s, uint64_t hash, struct rj_bytes prefix,
                        struct rj_bytes name);
void rj_slots_expect(const struct rj_slots *s, uint64_t hash);
/* A place that is not there. */
RJ_NODISCARD bool rj_slots_put(struct rj_slots *s, uint64_t hash, uint32_t ref);
/* Writes all of them to ret, which has room; returns how many. */
size_t rj_slots_all(const struct rj_slots *s, uint32_t *ret);
void rj_slots_remove(struct rj_slots *s, uint64_t hash, const uint32_t *slot);
RJ_NODISCARD bool rj_slots_own(struct rj_slots *s, uint64_t hash);
void rj_slots_done(struct rj_slots *s);
RJ_NODISCARD bool rj_slots_fork(struct rj_slots *to, const struct rj_slots *from);

/* ---- rows_order.c: first rows in the order of places */

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
    const struct rj_allocator *allocator;
};

RJ_NODISCARD bool rj_order_make(struct rj_order *o, const struct rj_slots *slots);
void rj_order_done(struct rj_order *o);
RJ_NODISCARD bool rj_order_put(struct rj_order *o, uint32_t ref);
/* The place of `row`, the first one there, has another first row now; 0: none. */
void rj_order_change(struct rj_order *o, const struct rj_row *row, uint32_t ref);
/* The first one at name or behind it; of the next place, of the one before. 0: none. */
uint32_t rj_order_from(struct rj_order *o, struct rj_bytes name);
uint32_t rj_order_next(struct rj_order *o, const struct rj_row *row);
uint32_t rj_order_prev(struct rj_order *o, const struct rj_row *row);
RJ_NODISCARD bool rj_order_own(struct rj_order *o, const struct rj_row *row);
RJ_NODISCARD bool rj_order_fork(struct rj_order *to, const struct rj_order *from);

/* ---- rows.c */

struct rj_row_store {
    struct rj_slab slab;
    bool many;   /* rows are in the last three, else in few alone */
    bool shared; /* it was forked: what is written must be owned first */
    struct rj_few few;
    struct rj_lines lines;
    struct rj_slots slots;
    struct rj_order order;
};

#endif
