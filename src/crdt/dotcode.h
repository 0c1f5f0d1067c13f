/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of dot functions: in records of the store, where an origin is its index, and
 * in parts of a state transfer, where it is a number of a dictionary (doc/format.md,
 * "Places"). */
#ifndef RJ_CRDT_DOTCODE_H
#define RJ_CRDT_DOTCODE_H

#include "base/reader.h"
#include "causal/kind.h"
#include "crdt/counter.h"

enum { RJ_DOTCODE_MEMO = 32 };

/* How origins are named. Zero-initialise and set one of the first three. */
struct rj_dotcode_names {
    struct rj_writer *writer; /* encoding: numbers of its dictionary; NULL: indexes */
    const uint32_t *dict;     /* decoding: number -> index; NULL: indexes */
    uint32_t n;               /* decoding: how many numbers or indexes there are */
    const struct rj_names
        *meant;        /* decoding, may be NULL: which branch a dot is of (R7) */
    uint32_t *numbers; /* encoding, may be NULL: room for one number by origin, for
                          dictionaries that grow large; zeros at first */
    uint32_t memo_origin[RJ_DOTCODE_MEMO], memo_number[RJ_DOTCODE_MEMO];
};

/* One decoded write. */
struct rj_dotcode {
    bool is_run, is_gone;  /* is_gone: or owed */
    struct rj_run run;     /* of a version or gone only run.d */
    struct rj_bytes value; /* of a version, borrowed */
    struct rj_reader late; /* of a gone, in a record: rj_dotcode_late reads it */
    bool has_late;
};

/* Appends the list as an array; in a part of a state what is owed and what is known of
 * gones is left out. RJ_ENOMEM, RJ_ELIMIT (also the dictionary's). */
RJ_NODISCARD enum rj_err rj_dotcode_put(struct rj_buf *out, const struct rj_dotted *first,
                                        struct rj_dotcode_names *names);
/* The first of the list with which its encoding would be longer than about max_bytes, but
 * never the first of all; NULL: it is shorter. */
const struct rj_dotted *rj_dotcode_fit(const struct rj_dotted *first, size_t max_bytes);
/* As rj_dotcode_put, up to end (which is not written). */
RJ_NODISCARD enum rj_err rj_dotcode_put_until(struct rj_buf *out,
                                              const struct rj_dotted *first,
                                              const struct rj_dotted *end,
                                              struct rj_dotcode_names *names);
/* Reads one item of that array; r fails when it is malformed. */
void rj_dotcode_get(struct rj_reader *r, const struct rj_dotcode_names *names,
                    struct rj_dotcode *ret);
/* Adds the dots of late writes that code (of this reader's bytes) tells. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_dotcode_late(const struct rj_dotcode *code,
                                         const struct rj_dotcode_names *names,
                                         struct rj_seen *late);
/* The length of the first version's value in the array that r stands before; SIZE_MAX: it
 * does not begin with a version. Consumes nothing. */
size_t rj_dotcode_peek(struct rj_reader r, const struct rj_dotcode_names *names);

#endif
