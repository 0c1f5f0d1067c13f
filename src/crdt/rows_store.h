/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the store of rows, for rows*.c alone. Rows lie in a slab and are named by
 * references of 32 bits. While they are few, one array holds these; then three structures
 * do: lines (by dot), slots (by place) and an order (by place, sorted; a cache). What
 * finds many by place is crdt/named.h; here are the few, the lines, and the whole. What
 * takes much memory lies in pieces that count their users: a fork shares them, and who
 * writes to one that others use copies it first (rj_NAME_own; after that, taking rows out
 * cannot fail). */
#ifndef RJ_CRDT_ROWS_STORE_H
#define RJ_CRDT_ROWS_STORE_H

#include "crdt/named.h"
#include "crdt/rows.h"

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

/* ---- rows.c */

struct rj_row_store {
    struct rj_naming naming; /* a row is named by its place */
    struct rj_slab slab;
    bool many;   /* rows are in the last three, else in few alone */
    bool shared; /* it was forked: what is written must be owned first */
    struct rj_few few;
    struct rj_lines lines;
    struct rj_slots slots;
    struct rj_order order;
};

#endif
