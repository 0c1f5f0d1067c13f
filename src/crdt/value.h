/* SPDX-License-Identifier: Apache-2.0 */
/* A value: rows and one causal context. The whole of the theory is in three lines:
 *
 *   - a change makes a delta: new rows, each under a fresh dot, and the dots of the rows
 *     that it takes away; and joins it;
 *   - a join keeps a row iff it is on both sides, or only on one and its dot not in the
 *     other's context; the contexts are united;
 *   - of several rows of one replica at one place the latest stays; a type may say that
 *     of rows at one place only the greatest stays (`beats`).
 *
 * A type adds what its changes do to rows and how rows are read. */
#ifndef RJ_CRDT_VALUE_H
#define RJ_CRDT_VALUE_H

#include "base/buf.h"
#include "causal/dots.h"
#include "crdt/names.h"
#include "crdt/rows.h"

#include <rejoin/crdt.h>

struct rj_type;

/* A removal on behalf of a reader that had seen more: rows with those dots are dead when
 * they come, if they come to that place (under: or to one that begins with it). */
struct rj_held {
    uint8_t *place; /* owned */
    size_t len;
    bool under;
    struct rj_dots dots; /* none of them in the value's context */
};

static inline struct rj_bytes rj_held_place(const struct rj_held *h)
{
    return rj_bytes_of(h->place, h->len);
}

struct rj_crdt {
    const struct rj_type *type;
    struct rj_crdt_rules rules;
    const struct rj_allocator *allocator;
    const struct rj_crdt_clock *clock;
    rj_crdt_check_fn *check;
    void *user;
    struct rj_names *names;
    uint32_t self; /* RJ_NAME_NONE: reads only */
    uint64_t fingerprint;
    struct rj_dots seen; /* the causal context */
    struct rj_rows rows;
    struct rj_held *held; /* ascending by (place, under) */
    size_t n_held, cap_held;
    uint64_t made; /* of a delta: dots that it gave out */
};

/* A change under way, at one place of v. */
struct rj_site {
    const struct rj_crdt *v;
    struct rj_crdt *delta;
    const struct rj_crdt_op *op;
    struct rj_bytes prefix;       /* of its places; empty but in maps of maps */
    const struct rj_dots *caused; /* only these dots may go; NULL: all that v has */
};

struct rj_type {
    enum rj_crdt_type number;
    const char *name;
    bool alone; /* it cannot stand in a map: its rows cannot be reset by their dots */
    /* Adds to s->delta what s->op does. RJ_EINVAL: not one of its changes. */
    enum rj_err (*change)(const struct rj_site *s);
    /* Takes away all that is under s->prefix. NULL: the rows go. */
    enum rj_err (*reset)(const struct rj_site *s);
    /* Appends the JSON of what is under prefix; sticky. */
    void (*show)(const struct rj_crdt *v, struct rj_bytes prefix, struct rj_buf *json);
    /* A key of a map is shown for it. NULL: when there are rows. */
    bool (*alive)(const struct rj_crdt *v, struct rj_bytes prefix);
    /* At one place a stays and b goes. NULL: both stay. */
    bool (*beats)(const struct rj_crdt *v, const struct rj_row *a,
                  const struct rj_row *b);
    /* A decoded row is one that change can make; place without prefix. NULL: no payload.
     */
    bool (*is_sound)(struct rj_bytes place, struct rj_bytes payload);
};

/* ---- types.c */

/* NULL: not built in. */
const struct rj_type *rj_type_get(uint64_t number);

/* ---- value.c */

/* An empty value of v's type that shares its names. NULL: no memory. */
RJ_NODISCARD struct rj_crdt *rj_crdt_blank(const struct rj_crdt *v);
/* Adds dots to the held removals of a place. RJ_ENOMEM, RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_held_add(struct rj_crdt *v, struct rj_bytes place, bool under,
                                     const struct rj_dots *dots);
/* Takes what v has seen out of them. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_held_trim(struct rj_crdt *v);
bool rj_held_covers(const struct rj_held *held, size_t n, struct rj_bytes place,
                    struct rj_dot dot);

/* ---- site.c: what changes are made of */

/* A new row at prefix || name. RJ_EINVAL: v has no replica of its own; RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_site_put(const struct rj_site *s, struct rj_bytes name,
                                     struct rj_bytes payload);
/* A dot without a row: a change that only takes away has one too, so that a context tells
 * which removals its owner knows. Errors as rj_site_put. */
RJ_NODISCARD enum rj_err rj_site_event(const struct rj_site *s);
/* Takes away the rows at prefix || name; all rows under the prefix. */
RJ_NODISCARD enum rj_err rj_site_kill(const struct rj_site *s, struct rj_bytes name);
RJ_NODISCARD enum rj_err rj_site_kill_under(const struct rj_site *s);
/* Takes one row away, if it may go. */
RJ_NODISCARD enum rj_err rj_site_kill_row(const struct rj_site *s,
                                          const struct rj_row *row);
/* The rows at prefix || name. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_site_place(const struct rj_site *s, struct rj_bytes name,
                                       const struct rj_place **ret_place);

/* ---- code.c: bytes of a value */

RJ_NODISCARD enum rj_err rj_code_put(const struct rj_crdt *v, struct rj_buf *out);
/* Into v, which is empty and has a table of names of its own. */
RJ_NODISCARD enum rj_err rj_code_get(struct rj_crdt *v, struct rj_bytes bytes);
RJ_NODISCARD enum rj_err rj_code_put_digest(const struct rj_crdt *v, struct rj_buf *out);
/* Reads a digest of a value like v; its dots are numbered as in v. RJ_ENOMEM and
 * the errors of bytes. */
RJ_NODISCARD enum rj_err rj_code_get_digest(const struct rj_crdt *v,
                                            struct rj_bytes bytes,
                                            struct rj_dots *ret_seen);

/* ---- public buffers as builders */

static inline struct rj_buf rj_buf_open(struct rj_crdt_buf *b)
{
    return (struct rj_buf){.ptr = b->ptr, .cap = b->cap, .allocator = b->allocator};
}

/* RJ_OK: b holds what was built; else nothing. */
RJ_NODISCARD static inline enum rj_err rj_buf_close(struct rj_buf *built,
                                                    struct rj_crdt_buf *b)
{
    b->ptr = built->ptr;
    b->cap = built->cap;
    b->len = built->failed ? 0 : built->len;
    return rj_buf_err(built);
}

#endif
