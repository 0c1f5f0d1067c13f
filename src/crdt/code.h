/* SPDX-License-Identifier: Apache-2.0 */
/* A value as bytes (doc/crdt.md, "Format"): code.c writes, what is small by code_few.c;
 * code_get.c reads. */
#ifndef RJ_CRDT_CODE_H
#define RJ_CRDT_CODE_H

#include "base/reader.h"
#include "crdt/value.h"

/* Items; of values and digests one more that may be missing. */
enum { RJ_CODE_FORMAT = 1, RJ_CODE_VALUE = 6, RJ_CODE_DIGEST = 4, RJ_CODE_COLUMNS = 5 };

/* What is told of a value, or of a delta. */
struct rj_telling {
    const struct rj_crdt *v; /* type, names, horizon, heirs; of a sequence its runs */
    const struct rj_dots *seen;
    const struct rj_rows *rows;
    const struct rj_dots *which; /* the dots of rows that are told; NULL: all */
    const struct rj_held *held;
    size_t n_held;
};

/* Appends it, if it is small; false: it is not, nothing was done. For rj_code_tell. */
RJ_NODISCARD bool rj_code_put_few(const struct rj_telling *t, struct rj_buf *out);
RJ_NODISCARD enum rj_err rj_code_tell(const struct rj_telling *t,
                                      struct rj_crdt_buf *ret);
/* All of v. */
RJ_NODISCARD enum rj_err rj_code_encode(const struct rj_crdt *v, struct rj_crdt_buf *ret);

/* Reads a message into a new value like v with names of its own; its rows stay where they
 * are, in bytes, which must outlive it: it can be joined, and asked what it tells. */
RJ_NODISCARD enum rj_err rj_code_view(const struct rj_crdt *v, struct rj_bytes bytes,
                                      struct rj_crdt **ret);
/* Makes of a view, not of a sequence, a value with rows of its own, which can be looked
 * up by place; names have the same numbers. It costs what is kept of a message. */
RJ_NODISCARD enum rj_err rj_code_unfold(const struct rj_crdt *view, struct rj_crdt **ret);
/* rj_crdt_digest. sums: where they are worth it (crdt/agree.h). */
RJ_NODISCARD enum rj_err rj_code_digest(const struct rj_crdt *v, bool sums,
                                        struct rj_crdt_buf *ret_digest);
/* Reads a digest of a value like v; its dots are numbered as in v. ret_horizon, ret_same
 * (where v agrees with it, crdt/agree.h): NULL, not wanted. RJ_ENOMEM and the errors of
 * bytes. */
RJ_NODISCARD enum rj_err rj_code_get_digest(const struct rj_crdt *v,
                                            struct rj_bytes bytes,
                                            struct rj_dots *ret_seen,
                                            struct rj_dots *ret_horizon,
                                            struct rj_dots *ret_same);

/* The rows of a message, one after another; they were checked by rj_code_view. */
struct rj_column {
    struct rj_reader r;
    uint64_t value, left;
    bool started;
};

struct rj_row_columns_reader {
    const struct rj_row_columns *columns;
    struct rj_column place_len, payload_len;
    struct rj_reader places, payloads;
    struct rj_span span; /* what is left of it */
    struct rj_dots_walk dots;
};

struct rj_row_columns_reader rj_row_columns_of(const struct rj_row_columns *c);
/* False: no more, or malformed. Borrowed from the message. */
bool rj_row_columns_next(struct rj_row_columns_reader *r, struct rj_told *ret);

/* ---- what other is told of, be it a value or a view of a message */

/* Its rows, one after another in the order of their dots. */
struct rj_rows_told {
    const struct rj_rows *rows;
    const struct rj_row *next; /* of a value */
    struct rj_row_columns_reader columns;
};

struct rj_rows_told rj_rows_told_of(const struct rj_crdt *other);
/* False: no more. Borrowed from other. */
bool rj_rows_told_next(struct rj_rows_told *r, struct rj_told *ret);
/* It has a row under that dot, numbered as there. */
bool rj_rows_told_has(const struct rj_crdt *other, struct rj_dot dot);

/* Its held removals, one after another. */
struct rj_held_told {
    const struct rj_crdt *other;
    struct rj_reader r;
    size_t at; /* the next one */
    struct rj_bytes place;
    bool under;
    const struct rj_dots *dots;
    struct rj_dots own; /* where they stand, if not in other; the caller frees it */
};

/* a: of `own`. */
struct rj_held_told rj_held_told_of(const struct rj_crdt *other,
                                    const struct rj_allocator *a);
/* index: of names, as it is to be told; NULL: their numbers. False: no more, or an error:
 * RJ_ENOMEM. */
bool rj_held_told_next(struct rj_held_told *h, const uint32_t *index,
                       enum rj_err *ret_err);

#endif
