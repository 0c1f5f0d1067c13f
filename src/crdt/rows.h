/* SPDX-License-Identifier: Apache-2.0 */
/* Rows: what every type keeps. A row is written once, under a dot, at a place, with a
 * payload, and never changed: two rows with one dot are one row. So states are compared
 * and joined by dots, without a look at places and payloads.
 *
 * A place is a byte string: of a plain type the element or key itself; in a map of maps
 * the keys on the way and the type at their end go before it (crdt/place.h). Two ways
 * lead to a row: by place (in byte order) and by dot. */
#ifndef RJ_CRDT_ROWS_H
#define RJ_CRDT_ROWS_H

#include "base/map.h"
#include "base/mem.h"
#include "causal/dot.h"

enum { RJ_DOT_KEY_LEN = 12 }; /* origin and sequence, big-endian */

struct rj_row {
    struct rj_map_node by_dot;
    struct rj_place *place;
    struct rj_row *next, *prev; /* at the same place, ascending by (origin, seq) */
    struct rj_dot dot;
    uint8_t key[RJ_DOT_KEY_LEN];
    bool mark;    /* for a join, false otherwise */
    uint32_t len; /* of the payload, which follows */
};

struct rj_place {
    struct rj_map_node by_name;
    struct rj_row *first, *last;
    uint32_t len; /* of the name, which follows */
};

struct rj_rows {
    struct rj_map places, dots;
    const struct rj_allocator *allocator;
};

static inline struct rj_bytes rj_row_payload(const struct rj_row *row)
{
    return rj_bytes_of(row + 1, row->len);
}

static inline struct rj_bytes rj_place_name(const struct rj_place *place)
{
    return rj_bytes_of(place + 1, place->len);
}

void rj_rows_init(struct rj_rows *rows, const struct rj_allocator *allocator);
void rj_rows_done(struct rj_rows *rows);

/* A row that is not in yet, with a place of its own, so that putting it in cannot fail.
 * NULL: no memory. */
RJ_NODISCARD struct rj_row *rj_row_new(const struct rj_allocator *allocator,
                                       struct rj_bytes place, struct rj_dot dot,
                                       struct rj_bytes payload);
void rj_row_free(const struct rj_allocator *allocator, struct rj_row *row);
/* Puts it in; its dot must not be there. */
void rj_rows_put(struct rj_rows *rows, struct rj_row *take_row);
/* Takes it out and frees it, and its place with the last row. */
void rj_rows_drop(struct rj_rows *rows, struct rj_row *row);

/* By dot. NULL: not there. */
struct rj_row *rj_rows_find(const struct rj_rows *rows, struct rj_dot dot);
/* The first row of that dot or after it, in the order of (origin, seq); the next one. */
struct rj_row *rj_rows_from(const struct rj_rows *rows, struct rj_dot dot);
struct rj_row *rj_rows_after(const struct rj_row *row);

/* By place. NULL: no rows there. */
struct rj_place *rj_rows_place(const struct rj_rows *rows, struct rj_bytes name);
/* The place prefix || name. */
struct rj_place *rj_rows_at(const struct rj_rows *rows, struct rj_bytes prefix,
                            struct rj_bytes name);
/* The first place that begins with prefix; the next, the one before. NULL: none. */
struct rj_place *rj_rows_under(const struct rj_rows *rows, struct rj_bytes prefix);
struct rj_place *rj_place_next(const struct rj_place *place, struct rj_bytes prefix);
struct rj_place *rj_place_prev(const struct rj_place *place, struct rj_bytes prefix);

#endif
