/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of space (bucket, folder, ledger, objects) gives to the engine, and what it
 * gets from it. The engine orders, delivers, signs and stores batches; a kind computes
 * the state. A state is addressed by position: a 64-bit hash of what it is about (for a
 * bucket: of the key, keyed with the space id), so that a space can be taken over range
 * by range and compared by digest. */
#ifndef RJ_CAUSAL_KIND_H
#define RJ_CAUSAL_KIND_H

#include "base/buf.h"
#include "causal/dot.h"

#include <rejoin/store.h>

enum {
    RJ_BATCH_DICT_MAX = 4096,             /* origins that one batch may name */
    RJ_BATCH_WRITES_MAX = 65536,          /* writes of one batch */
    RJ_BATCH_BODY_MAX = 32 * 1024 * 1024, /* bytes of one batch body */
    /* Bytes of its writes: the largest dictionary goes before them (17 bytes an origin),
     * and a write may become a little larger than was asked for. */
    RJ_BATCH_OPS_MAX = RJ_BATCH_BODY_MAX - 32 * RJ_BATCH_DICT_MAX
};

struct rj_names;   /* causal/origin.h: what names mean where origins were split */
struct rj_origins; /* causal/origin.h: index <-> 16-byte id, order of ids */

/* Where the local writes of a space go until the engine cuts a batch. All writes of one
 * batch bear one stamp and were made at one vector (the engine cuts before it applies
 * anything foreign). Owned by the engine; a kind appends. */
struct rj_writer {
    struct rj_buf ops; /* `count` encoded writes */
    uint32_t *dict;    /* origin indexes that the writes name; dict[0] = self */
    uint32_t dict_n, dict_cap;
    uint32_t dict_max; /* most of them; 0: RJ_BATCH_DICT_MAX */
    uint32_t self;     /* own origin index */
    uint32_t count;
    uint64_t first;     /* sequence of the first pending write */
    uint64_t stamp;     /* of the pending batch */
    enum rj_err refuse; /* RJ_OK, or why no local write is accepted now */
    bool partial;       /* the state is being taken over: no atomic groups */
    bool atomic;        /* inside an atomic group: the engine must not cut */
};

/* Dot of the next local write. */
static inline struct rj_dot rj_writer_dot(const struct rj_writer *w)
{
    return (struct rj_dot){.seq = w->first + w->count, .origin = w->self};
}

/* The number under which the pending batch names an origin (added when new). RJ_ELIMIT:
 * dict_max reached; RJ_ENOMEM. The caller may take numbers back by lowering dict_n. */
RJ_NODISCARD enum rj_err rj_writer_dict(struct rj_writer *w, uint32_t origin,
                                        uint32_t *ret_number);
/* The same for an origin that is known not to be there yet. */
RJ_NODISCARD enum rj_err rj_writer_dict_add(struct rj_writer *w, uint32_t origin,
                                            uint32_t *ret_number);
/* Says that one write was appended to ops: counts it. On any failure while encoding, the
 * kind truncates ops.len to what it was and does not call this. */
void rj_writer_wrote(struct rj_writer *w);
/* RJ_OK when a write of about size_bytes may be appended now; otherwise w->refuse,
 * RJ_ELIMIT (larger than a batch can be, alone or with the atomic group around it) or
 * RJ_EBUSY (cut first). */
RJ_NODISCARD enum rj_err rj_writer_room(const struct rj_writer *w, size_t size_bytes);

/* One batch as a kind sees it: decoded frame, ops still encoded. Borrowed. */
struct rj_batch_view {
    uint32_t origin; /* index of the author */
    uint64_t first;  /* sequence of the first write */
    uint32_t count;  /* number of writes; write i has the dot (origin, first + i) */
    uint64_t stamp;
    const uint32_t *dict; /* number in the ops -> origin index; dict[0] = origin */
    uint32_t dict_n;
    struct rj_bytes ops;      /* `count` encoded writes */
    const struct rj_vv *have; /* what the receiver has; NULL: check does not look at it */
    const struct rj_names *names; /* R7: how the author means names; NULL: as they are */
};

/* Half-open range of positions [from, to]; to is inclusive so that the whole space is
 * [0, UINT64_MAX]. */
struct rj_range {
    uint64_t from, to;
};

/* While a state transfer runs, each range has its own context C (R5). Whole nodes have
 * none. */
struct rj_contexts;
/* True iff the write (origin, seq) at this position is not yet in the state there. ctx
 * NULL = the node is whole: always true. */
bool rj_contexts_lack(const struct rj_contexts *ctx, uint64_t position, uint32_t origin,
                      uint64_t seq);

/* Sum of a keyed 128-bit hash over live dots, modulo 2^128: order-free, so it can be
 * kept up to date by adding and subtracting. */
struct rj_sum {
    uint64_t lo, hi;
};

static inline void rj_sum_add(struct rj_sum *sum, const struct rj_sum *other)
{
    sum->lo += other->lo;
    sum->hi += other->hi + (sum->lo < other->lo);
}

static inline void rj_sum_subtract(struct rj_sum *sum, const struct rj_sum *other)
{
    sum->hi -= other->hi + (sum->lo < other->lo);
    sum->lo -= other->lo;
}

struct rj_kind;

/* What a transfer asks the holder for. */
struct rj_give {
    struct rj_range range;
    const struct rj_vv *have; /* C of the asking side for this range */
    bool full;                /* all keys whole; else only keys with a dot not in have */
    size_t budget_bytes;      /* stop after about this much */
    uint64_t cutoff_ms;       /* expiring values due before it are left out of sums */
};

/* What the holder gave: the keys of a part (as give makes) of a range. */
struct rj_given {
    struct rj_range range;
    const struct rj_batch_view *part;
};

struct rj_kind_ops {
    /* Verifies the ops of a foreign batch wholly and changes nothing. RJ_ECORRUPT: they
     * are malformed; RJ_EUPGRADE: an operation that this version does not know; RJ_EGAP:
     * they name writes that b->have lacks, so that the batch has to wait. */
    enum rj_err (*check)(struct rj_kind *k, const struct rj_batch_view *b);
    /* Applies a batch that check accepted, write by write where ctx lacks it. Writes
     * whose dots are stale are harmless. RJ_ENOMEM is the only error; the engine then
     * ends the instance. */
    enum rj_err (*apply)(struct rj_kind *k, const struct rj_batch_view *b,
                         const struct rj_contexts *ctx);
    /* Issues the writes of one of this node's own former batches again, through the
     * writer (R1, R6), one new write for each old one, in order. What they overwrote
     * stays as it was, except that dots (old->origin, >= renamed_from) are named by
     * their new dots: (old origin, s) -> (self, s - renamed_from + renamed_to). Each
     * also takes back its own old dot where that is live here. */
    enum rj_err (*reissue)(struct rj_kind *k, const struct rj_batch_view *old,
                           uint64_t renamed_from, uint64_t renamed_to);
    /* Applies the pending writes once more, in their order: since they were made, others'
     * came in. A part of the state that came after such a write may have brought back
     * what it overwrote; and one that has lost is written as nothing from now on.
     * RJ_ENOMEM. */
    enum rj_err (*again)(struct rj_kind *k);
    /* Appends puts and deletes for all that changed since the last collect. Keys begin
     * with the prefix that the kind was opened with. */
    enum rj_err (*collect)(struct rj_kind *k, struct rj_writes *w);
    /* Fills an empty kind from the store, dots named as k->meant says. RJ_ECORRUPT. */
    enum rj_err (*load)(struct rj_kind *k, const struct rj_store_ops *ops,
                        struct rj_view *view);
    /* R7: what b goes on with, and began before its origin did, is cut there: the first
     * part of it belongs to what that origin goes on from. Again is harmless. RJ_ENOMEM;
     * what check says. */
    enum rj_err (*cut)(struct rj_kind *k, const struct rj_batch_view *b);
    /* Sum over the live dots in range that are in within (NULL: all), expiring values due
     * before cutoff_ms left out. */
    void (*sum)(struct rj_kind *k, struct rj_range range, const struct rj_vv *within,
                uint64_t cutoff_ms, struct rj_sum *ret_sum);
    /* The same over the keys that a part names. RJ_ECORRUPT: it is malformed. */
    enum rj_err (*sum_part)(struct rj_kind *k, const struct rj_given *given,
                            const struct rj_vv *within, uint64_t cutoff_ms,
                            struct rj_sum *ret_sum);
    /* Appends the encoded state of keys from g->range.from on to out, each whole, origins
     * named by number in dict (an empty writer-like dictionary, filled here through w).
     * *ret_end: the last position that is completely covered (== g->range.to when done);
     * *ret_count: keys that lie in [from, end] here, sent or not. */
    enum rj_err (*give)(struct rj_kind *k, const struct rj_give *g, struct rj_writer *w,
                        uint64_t *ret_end, uint64_t *ret_count);
    /* Joins a part that give made: of range [from, end], read at vector S. For each key
     * sent: keep mine not in S, take theirs not in C, drop the rest (in a full part: for
     * each key in the range). C NULL: take all of theirs, also where mine is longer.
     * RJ_ECORRUPT: malformed, nothing changed. */
    enum rj_err (*take)(struct rj_kind *k, const struct rj_given *given,
                        const struct rj_vv *S, const struct rj_vv *C, bool full);
    /* Drops values that were due before cutoff_ms, about `most` of them, and writes what
     * is to be forgotten by all. settled: what everybody has who may still write what is
     * not here; what depends on that goes only if it is there (NULL: nothing is).
     * *ret_next_ms: when the next one is due, UINT64_MAX when none is. */
    enum rj_err (*expire)(struct rj_kind *k, uint64_t cutoff_ms, size_t most,
                          const struct rj_vv *settled, uint64_t *ret_next_ms);
    /* Forgets all state (before a re-base). */
    void (*clear)(struct rj_kind *k);
    void (*close)(struct rj_kind *k); /* frees; NULL is accepted */
};

/* First member of each kind. The writer, the origins, the vector outlive it. */
struct rj_kind {
    const struct rj_kind_ops *ops;
    struct rj_writer *writer;
    const struct rj_origins *origins;
    const struct rj_vv *have; /* what this node has, without pending writes */
    const struct rj_names
        *meant; /* R7: while loading, which branch a dot is of, or NULL */
    char why[160];
};

#endif
