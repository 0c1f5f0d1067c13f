/* SPDX-License-Identifier: Apache-2.0 */
/* One write of a bucket, decoded: what it says, and its encoding in a batch
 * (doc/format.md, "Bucket writes"). Origins are indexes in memory and numbers of the
 * batch's dictionary in the encoding. */
#ifndef RJ_BUCKET_BOP_H
#define RJ_BUCKET_BOP_H

#include "base/reader.h"
#include "causal/kind.h"
#include "crdt/counter.h"

enum rj_bop_code {
    RJ_BOP_SET = 1,
    RJ_BOP_DEL = 2,
    RJ_BOP_INCR = 3,
    RJ_BOP_SADD = 4,
    RJ_BOP_SREM = 5,
    RJ_BOP_HSET = 6,
    RJ_BOP_HDEL = 7,
    RJ_BOP_CARRY = 8,
    RJ_BOP_AGAIN = 9, /* on the wire only: one of the others, issued again (R1, R6) */
    RJ_BOP_FORGET = 10,
    RJ_BOP_CODES
};

/* Resets, and runs carried, of one write. */
enum { RJ_BOP_RUNS_MAX = 1 << 20 };

/* What a write takes away of a run: all up to seq. */
struct rj_reset {
    uint64_t epoch, seq;
    int64_t cum;       /* the run's sum there */
    uint64_t deadline; /* the run's, for who has dropped it */
    uint32_t origin;
    uint32_t number; /* used while encoding */
    bool all;        /* R7: of a run that a split ended: all of it, if it is there */
};

struct rj_resets {
    struct rj_reset *items;
    size_t n, cap;
};

/* Resets in a field of a hash: items [from, from + n) of the fields' resets. */
struct rj_field_resets {
    struct rj_bytes name;
    size_t from, n;
};

/* What a write overwrites of a whole key, but for the part that it writes into. */
struct rj_whole {
    struct rj_seen seen;
    struct rj_resets place;        /* runs of the key's own place */
    struct rj_resets fields;       /* runs of fields, in the order of `names` */
    struct rj_field_resets *names; /* ascending */
    size_t n_names, cap_names;
};

struct rj_carried {
    struct rj_run *items; /* d.origin, d.seq, epoch, cum, floor_seq, floor_cum */
    size_t n, cap;
};

/* Owns its arrays, borrows the bytes. Zero-initialise. */
struct rj_bop {
    enum rj_bop_code code;
    bool has_name; /* INCR, CARRY: in a field of a hash */
    struct rj_bytes key, name, value;
    uint64_t deadline;
    /* INCR: the run after it, with d.seq 0, d.deadline and setter as before it */
    struct rj_dot base;
    uint64_t epoch, prev; /* prev: sequence of the increment before; 0: none */
    int64_t before, delta;
    uint64_t floor_seq;
    int64_t floor_cum;
    bool touch; /* it sets the run's deadline; touched: what that was */
    uint64_t touched_deadline;
    struct rj_rank touched_setter;
    struct rj_carried carried;
    struct rj_seen seen;     /* versions of its place that it overwrites; FORGET: what
                                came late, anywhere in the key */
    struct rj_resets resets; /* runs of its place that it overwrites */
    struct rj_whole whole;
    struct rj_seen bounds; /* issued again: origins with the `from` of their pairs */
    struct rj_seen sorted; /* used while encoding */
};

/* What a write can be decoded against. */
struct rj_bop_source {
    const uint32_t *dict;
    uint32_t dict_n;
    struct rj_dot dot;            /* of the write */
    const struct rj_vv *have;     /* what its receiver has; NULL: not looked at */
    const struct rj_names *names; /* R7: how its author means names; NULL: as they are */
};

/* Empties op, keeps its arrays. */
void rj_bop_clear(struct rj_bop *op);
void rj_bop_done(struct rj_bop *op);
/* RJ_ENOMEM; RJ_ELIMIT: RJ_BOP_RUNS_MAX. */
RJ_NODISCARD enum rj_err rj_resets_add(struct rj_resets *r, const struct rj_reset *reset);
RJ_NODISCARD enum rj_err rj_carried_add(struct rj_carried *c, const struct rj_run *run);
/* Resets in field `name` follow (borrowed): they go to whole->fields. */
RJ_NODISCARD enum rj_err rj_whole_field(struct rj_whole *whole, struct rj_bytes name);
bool rj_whole_is_empty(const struct rj_whole *whole);

/* Reads one write and verifies it. RJ_ECORRUPT: malformed; RJ_EUPGRADE: an operation that
 * this version does not know; RJ_EGAP: it overwrites or carries what source->have lacks;
 * RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_bop_get(struct rj_bop *op, struct rj_reader *r,
                                    const struct rj_bop_source *source);
/* Sets the bounds in the lists that they are about. */
void rj_bop_bind(struct rj_bop *op);
/* No fewer bytes than its encoding takes. */
size_t rj_bop_room(const struct rj_bop *op);
/* Gives every origin that op names a number in w's dictionary: after that, and with room
 * in w->ops, rj_bop_put cannot fail, nor when op then sees one dot more. RJ_ELIMIT,
 * RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_bop_names(struct rj_bop *op, struct rj_writer *w);
/* Appends the encoding to w->ops; key, name and value are borrowed from there afterwards,
 * until the next append. On an error w->ops may have grown. RJ_ELIMIT, RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_bop_put(struct rj_bop *op, struct rj_writer *w);

#endif
