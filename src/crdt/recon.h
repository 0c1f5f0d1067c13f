/* SPDX-License-Identifier: Apache-2.0 */
/* Reconciling: two sides find out what either has alone, by what their rows say and not
 * by who wrote them. A *part* is a row under a keyed hash of (place, payload), of 128
 * bits; its *id*, 48 bits of that, is what is told. Rows that speak for the replica that
 * wrote them (counters; where ties go by names) have their dot in the hash too.
 *
 * Ids may collide (d parts apart among n: about n d / 2^48). So sums over the whole
 * hashes are compared before anything is concluded, and where they differ both sides fall
 * back to what is always right, the difference against a digest. */
#ifndef RJ_CRDT_RECON_H
#define RJ_CRDT_RECON_H

#include "base/hash.h"
#include "base/reader.h"
#include "crdt/code.h"

enum {
    RJ_RECON_ID_BITS = 48,
    RJ_RECON_ID_LEN = 6,            /* bytes of an id */
    RJ_RECON_SYMBOL_LEN = 8,        /* bytes of a symbol */
    RJ_RECON_SYMBOLS_MAX = 1 << 20, /* symbols of one session */
    RJ_RECON_COUNTERS = 256,        /* of an estimate: it errs by 9 % */
    RJ_RECON_ROOTS = 768,
    RJ_RECON_FAN_MAX = 16, /* bits by which ranges are split first */
    RJ_RECON_LIST = 32,    /* a range of so many parts is told as a list */
};

/* ---- recon_parts.c: the parts of a value */

struct rj_part {
    uint64_t low, high; /* the hash; id: the highest bits of low */
    struct rj_dot dot;
    bool named; /* its dot is in the hash */
    bool again; /* a row that says what the one before says; not counted */
};

struct rj_recon_sum {
    uint64_t low, high;
};

/* Rows, sorted by hash. */
struct rj_parts {
    struct rj_part *items;
    size_t n, cap;
    size_t count; /* parts, each counted once */
    struct rj_recon_sum sum;
    const struct rj_allocator *allocator;
};

static inline uint64_t rj_part_id(const struct rj_part *part)
{
    return part->low >> (64 - RJ_RECON_ID_BITS);
}

static inline void rj_recon_sum_add(struct rj_recon_sum *sum, const struct rj_part *part)
{
    sum->low += part->low;
    sum->high += part->high + (sum->low < part->low);
}

static inline void rj_recon_sum_sub(struct rj_recon_sum *sum, const struct rj_part *part)
{
    sum->high -= part->high + (sum->low < part->low);
    sum->low -= part->low;
}

/* Into zeroed parts; rj_parts_done also after a failure. RJ_ENOMEM, RJ_ELIMIT. O(n log
 * n).
 */
RJ_NODISCARD enum rj_err rj_parts_init(struct rj_parts *parts, const struct rj_crdt *v,
                                       const struct rj_hash_key *key);
void rj_parts_done(struct rj_parts *parts);
/* The first part whose id is id or greater; n: none. */
size_t rj_parts_at(const struct rj_parts *parts, uint64_t id);
/* Adds that row of v to a delta, under dot. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_part_copy(const struct rj_crdt *v, const struct rj_part *part,
                                      struct rj_dot dot, struct rj_crdt *delta);

/* ---- recon_guess.c: how many parts differ */

/* Appends the counters of parts; sticky. */
void rj_recon_guess_put(const struct rj_parts *parts, struct rj_buf *out);
/* How many parts differ from those whose counters are bytes. RJ_EPROTO. */
RJ_NODISCARD enum rj_err rj_recon_guess(const struct rj_parts *parts,
                                        struct rj_bytes bytes, uint64_t *ret_n);

/* ---- what differs */

struct rj_recon_diff {
    struct rj_buf mine;   /* indexes of own parts, uint64_t each */
    struct rj_buf theirs; /* ids, uint64_t each */
};

static inline size_t rj_recon_n(const struct rj_buf *b)
{
    return b->len / sizeof(uint64_t);
}

/* ---- recon_symbols.c: coded symbols */

/* Square roots for the choice of symbols. */
struct rj_recon_roots {
    uint32_t at[RJ_RECON_ROOTS + 1];
};

void rj_recon_roots_init(struct rj_recon_roots *roots);
/* Appends symbols [from, to) of parts; sticky. salt: both sides', nobody else's. */
void rj_recon_symbols_put(const struct rj_parts *parts,
                          const struct rj_recon_roots *roots, uint64_t salt,
                          const uint64_t range[2], struct rj_buf *out);
/* What differs from the parts whose first symbols are bytes. RJ_ENOENT: they are too few.
 */
RJ_NODISCARD enum rj_err rj_recon_symbols_get(const struct rj_parts *parts,
                                              const struct rj_recon_roots *roots,
                                              uint64_t salt, struct rj_bytes bytes,
                                              struct rj_recon_diff *diff);

/* ---- recon_range.c: sums over ranges of ids */

struct rj_recon_range {
    uint64_t prefix; /* its first id */
    uint32_t bits;   /* that its ids share */
};

/* Ranges under discussion, the same on both sides. */
struct rj_recon_ranges {
    struct rj_buf open; /* struct rj_recon_range each */
    size_t list;        /* ranges of so many parts at most are told as lists */
};

/* All ids are under discussion. Sticky. */
void rj_recon_ranges_begin(struct rj_recon_ranges *s);
static inline size_t rj_recon_ranges_n(const struct rj_recon_ranges *s)
{
    return s->open.len / sizeof(struct rj_recon_range);
}
/* Appends what is under discussion: of each range its ids, or sums of 2^fan parts of it.
 * Sticky. */
void rj_recon_ranges_put(const struct rj_recon_ranges *s, const struct rj_parts *parts,
                         unsigned fan, struct rj_buf *out);
/* Reads that: what differs in lists goes to diff; of the sums a bit each to answer, set
 * where parts have another one: these are under discussion now. RJ_EPROTO, RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_recon_ranges_get(struct rj_recon_ranges *s,
                                             const struct rj_parts *parts,
                                             struct rj_bytes bytes,
                                             struct rj_recon_diff *diff,
                                             struct rj_buf *answer);
/* Takes the answer to what was put. RJ_EPROTO, RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_recon_ranges_answer(struct rj_recon_ranges *s,
                                                const struct rj_parts *parts,
                                                unsigned fan, struct rj_bytes answer);

/* ---- recon_common.c: one name for what was made apart */

/* v joined with gain, all rows under dots that two sides which come to the same rows give
 * alike, and seen as theirs: so from now on they share a context. A delta like v. theirs:
 * the other's context, numbered as in v. */
RJ_NODISCARD enum rj_err rj_recon_common(const struct rj_crdt *v,
                                         const struct rj_crdt *gain,
                                         const struct rj_dots *theirs,
                                         const struct rj_hash_key *key,
                                         struct rj_crdt **ret_delta);

/* ---- recon.c: a side of a session */

struct rj_crdt_recon {
    const struct rj_crdt *v;
    enum rj_crdt_method method;
    struct rj_hash_key key;
    struct rj_recon_roots roots;
    uint64_t salt;
    struct rj_parts parts;
    unsigned expected;     /* kinds of messages, a bit each */
    struct rj_dots theirs; /* what the other has seen, numbered as in v */
    bool knows_theirs;     /* it was told */
    bool apart;            /* it has seen none of our rows */
    struct rj_buf symbols; /* theirs, so far */
    uint64_t told;         /* symbols that it has from us */
    unsigned asked;        /* times MORE was said */
    struct rj_recon_ranges ranges;
    unsigned fan;
    struct rj_recon_diff diff;
    struct rj_crdt *gain; /* what came in */
};

/* What a turn makes. */
struct rj_recon_turn {
    struct rj_reader in;
    struct rj_buf out;
    bool done;
    bool common; /* both sides' rows were made apart */
};

/* ---- recon_message.c: what messages are made of; puts are sticky */

/* As a byte string; what is built is freed. */
void rj_recon_put_built(struct rj_recon_turn *t, struct rj_buf *take_bytes);
void rj_recon_put_context(const struct rj_crdt_recon *r, struct rj_recon_turn *t);
/* Reads the other's context, which may be left out when it was told before. RJ_EPROTO and
 * the errors of bytes. */
RJ_NODISCARD enum rj_err rj_recon_get_context(struct rj_crdt_recon *r,
                                              struct rj_recon_turn *t);
void rj_recon_put_sum(struct rj_recon_turn *t, const struct rj_recon_sum *sum);
/* The next item is this sum. */
bool rj_recon_is_sum(struct rj_recon_turn *t, const struct rj_recon_sum *sum);
/* The sum of all parts but those that are ours alone. */
struct rj_recon_sum rj_recon_common_sum(const struct rj_crdt_recon *r);
void rj_recon_put_symbols(const struct rj_crdt_recon *r, struct rj_recon_turn *t,
                          uint64_t from, uint64_t to);
/* The ids of the parts that we lack. */
void rj_recon_put_wanted(struct rj_crdt_recon *r, struct rj_recon_turn *t);
/* Reads what is wanted, as what is ours alone: each id must be one of ours, and be named
 * once. RJ_EPROTO, RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_recon_get_wanted(struct rj_crdt_recon *r,
                                             struct rj_bytes ids);
/* The rows that are ours alone. RJ_ENOMEM, RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_recon_put_rows(struct rj_crdt_recon *r,
                                           struct rj_recon_turn *t);
/* All that the other lacks by its context. RJ_ENOMEM, RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_recon_put_diff(const struct rj_crdt_recon *r,
                                           struct rj_recon_turn *t);
/* Reads rows into what came in. RJ_EPROTO and the errors of bytes. */
RJ_NODISCARD enum rj_err rj_recon_get_rows(struct rj_crdt_recon *r,
                                           struct rj_recon_turn *t);

#endif
