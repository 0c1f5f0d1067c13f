/* SPDX-License-Identifier: Apache-2.0 */
/* Rows: what every type keeps. A row is written once, under a dot, at a place, with a
 * payload, and never changed: two rows with one dot are one row. So states are compared
 * and joined by dots, without a look at places and payloads.
 *
 * A place is a byte string: of a plain type the element or key itself; in a map of maps
 * the keys on the way and the type at their end go before it (crdt/place.h). Two ways
 * lead to a row: by dot, and by place: a place is known by its first row, the others
 * there hang from it. An order by place is made when somebody asks for it.
 *
 * Rows are borrowed: until the next put or drop, but for what is said there. */
#ifndef RJ_CRDT_ROWS_H
#define RJ_CRDT_ROWS_H

#include "base/hash.h"
#include "base/mem.h"
#include "causal/dots.h"

enum { RJ_ROW_LONG = 255 }; /* of a length: it is not told in one byte */

/* A row where it lies (slab.c); place and payload follow. */
struct rj_row {
    uint32_t seq[2]; /* low, high; its highest bit: about to go */
    uint32_t next;   /* the reference of another row at this place; 0: none */
    uint16_t origin;
    uint8_t place_len, payload_len; /* RJ_ROW_LONG: both follow first, 4 bytes each */
};

/* A row as it is told, wherever it lies. */
struct rj_told {
    struct rj_dot dot;
    struct rj_bytes place, payload;
    uint64_t
        hash; /* of place, from rj_rows_expect of the store it goes to; 0: not known */
};

struct rj_row_store;
struct rj_line;

struct rj_rows {
    struct rj_row_store *store; /* NULL: no row yet */
    const struct rj_hash_key *key;
    const struct rj_allocator *allocator;
    bool ordered; /* the order by place is always kept */
};

static inline struct rj_dot rj_row_dot(const struct rj_row *row)
{
    return (struct rj_dot){((uint64_t)row->seq[1] << 32 | row->seq[0]) & RJ_SEQ_MAX,
                           row->origin};
}

static inline struct rj_bytes rj_row_place(const struct rj_row *row)
{
    const uint32_t *lens = (const uint32_t *)(const void *)(row + 1);

    return row->place_len != RJ_ROW_LONG ? rj_bytes_of(lens, row->place_len)
                                         : rj_bytes_of(lens + 2, lens[0]);
}

static inline struct rj_bytes rj_row_payload(const struct rj_row *row)
{
    const uint32_t *lens = (const uint32_t *)(const void *)(row + 1);

    return row->place_len != RJ_ROW_LONG
               ? rj_bytes_of((const uint8_t *)lens + row->place_len, row->payload_len)
               : rj_bytes_of((const uint8_t *)(lens + 2) + lens[0], lens[1]);
}

static inline struct rj_told rj_row_tell(const struct rj_row *row)
{
    return (struct rj_told){rj_row_dot(row), rj_row_place(row), rj_row_payload(row), 0};
}

/* key is borrowed: that of the roster. ordered: places are asked for by prefix while rows
 * change, so their order is kept from the start. */
void rj_rows_init(struct rj_rows *rows, const struct rj_allocator *allocator,
                  const struct rj_hash_key *key, bool ordered);
void rj_rows_done(struct rj_rows *rows);
/* Empties it; keeps memory where that is little. */
void rj_rows_clear(struct rj_rows *rows);
/* to, which is new, gets all rows of from; what both hold is shared until one of them
 * changes it. RJ_ENOMEM: to is empty. O(pages). */
RJ_NODISCARD enum rj_err rj_rows_fork(struct rj_rows *to, const struct rj_rows *from);

/* A part of it may be a fork's as well. */
bool rj_rows_is_shared(const struct rj_rows *rows);
size_t rj_rows_count(const struct rj_rows *rows);
/* Number of places. */
size_t rj_rows_places(const struct rj_rows *rows);
/* Adds the dots of all rows to d, which is empty. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_rows_dots(const struct rj_rows *rows, struct rj_dots *d);

/* References of rows; growing. Not copied. */
struct rj_refs {
    uint32_t *at;
    size_t n, cap;
    uint32_t few[4]; /* where they stand while that is enough */
    const struct rj_allocator *allocator;
};

static inline void rj_refs_init(struct rj_refs *refs, const struct rj_allocator *a)
{
    refs->at = refs->few;
    refs->n = 0;
    refs->cap = sizeof(refs->few) / sizeof(refs->few[0]);
    refs->allocator = a;
}

/* Room for one more. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_refs_grow(struct rj_refs *refs);
RJ_NODISCARD static inline enum rj_err rj_refs_add(struct rj_refs *refs, uint32_t ref)
{
    if (refs->n == refs->cap && rj_refs_grow(refs) != RJ_OK)
        return RJ_ENOMEM;
    refs->at[refs->n++] = ref;
    return RJ_OK;
}

static inline void rj_refs_done(struct rj_refs *refs)
{
    if (refs->at != refs->few)
        rj_mem_free(refs->allocator, refs->at, refs->cap * sizeof(*refs->at));
}

/* Rows of one origin elsewhere: in a store, or (rows NULL) as a set of dots. */
struct rj_there {
    const struct rj_rows *rows;
    const struct rj_dots *dots;
    uint32_t origin; /* its number there */
};

/* What one side has and the other lacks. */
struct rj_missing {
    struct rj_refs rows;
    uint64_t n_both; /* rows that are on both sides */
};

/* Adds the rows of span that are not there. O(pages + what is missing). RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_rows_missing(const struct rj_rows *rows, struct rj_span span,
                                         const struct rj_there *there,
                                         struct rj_missing *ret);

/* A sum over the dots of the rows of span, by which two stores can be compared; nobody
 * who does not know salt can find two sets of dots with one sum. O(pages + rows). */
uint64_t rj_rows_sum(const struct rj_rows *rows, struct rj_span span, uint64_t salt);
/* In how many spans the dots of rows lie. O(pages). */
uint64_t rj_rows_runs(const struct rj_rows *rows);

/* Puts a copy in; its dot must not be there. *ret_ref (NULL: not wanted) names it as long
 * as it is in and the store is not settled. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_rows_put(struct rj_rows *rows, const struct rj_told *row,
                                     uint32_t *ret_ref);
const struct rj_row *rj_rows_get(const struct rj_rows *rows, uint32_t ref);
uint32_t rj_rows_ref(const struct rj_rows *rows,
                     struct rj_dot dot); /* of one that is in */
/* Makes sure that a drop of any row where this one is cannot fail: what is shared is
 * copied. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_rows_own(struct rj_rows *rows, struct rj_dot dot);
/* Takes a row out. Other rows stay where they are. Of a store that was forked:
 * rj_rows_own comes first. */
void rj_rows_drop(struct rj_rows *rows, const struct rj_row *row);
/* The same for n rows by their references. */
void rj_rows_drop_all(struct rj_rows *rows, const uint32_t *refs, size_t n);
/* Has the memory looked up where a place is, ahead of a put. Its hash; 0: rows are few. */
uint64_t rj_rows_expect(const struct rj_rows *rows, struct rj_bytes place);
/* Gives memory back where most of it is free. Rows move. */
void rj_rows_settle(struct rj_rows *rows);

/* By dot. NULL: not there. */
const struct rj_row *rj_rows_find(const struct rj_rows *rows, struct rj_dot dot);
/* The first row of that dot or after it, in the order of (origin, seq); the next one. */
const struct rj_row *rj_rows_from(const struct rj_rows *rows, struct rj_dot dot);
const struct rj_row *rj_rows_after(const struct rj_rows *rows, const struct rj_row *row);

/* All rows by dot, if there never were more than RJ_ROWS_FEW. False: there were. */
enum { RJ_ROWS_FEW = 8 };
bool rj_rows_few(const struct rj_rows *rows, const struct rj_row *ret[RJ_ROWS_FEW],
                 size_t *ret_n);

/* The rows of a span, one after another. */
struct rj_row_walk {
    const struct rj_rows *rows;
    const struct rj_line *line; /* NULL: rows are few, or none is there */
    struct rj_span left;
    uint32_t at;
    unsigned bit;
};

struct rj_row_walk rj_row_walk_of(const struct rj_rows *rows, struct rj_span span);
/* NULL: no more. */
const struct rj_row *rj_row_walk_next(struct rj_row_walk *w);

/* By place: the first row at prefix || name, and from each the next one. NULL: none. */
const struct rj_row *rj_rows_at(const struct rj_rows *rows, struct rj_bytes prefix,
                                struct rj_bytes name);
const struct rj_row *rj_row_next(const struct rj_rows *rows, const struct rj_row *row);
static inline const struct rj_row *rj_rows_place(const struct rj_rows *rows,
                                                 struct rj_bytes place)
{
    const struct rj_bytes none = {0};

    return rj_rows_at(rows, none, place);
}
/* Makes the order by place, if it is not there. RJ_ENOMEM. O(n log n). It is kept as long
 * as it is asked for now and then. */
RJ_NODISCARD enum rj_err rj_rows_sort(const struct rj_rows *rows);
/* The first row of the first place that begins with prefix; of the next place, of the one
 * before (which needs the order). NULL: none. In the order of places if there is one,
 * else in some order. */
const struct rj_row *rj_rows_under(const struct rj_rows *rows, struct rj_bytes prefix);
const struct rj_row *rj_place_next(const struct rj_rows *rows, const struct rj_row *first,
                                   struct rj_bytes prefix);
const struct rj_row *rj_place_prev(const struct rj_rows *rows, const struct rj_row *first,
                                   struct rj_bytes prefix);

#endif
