/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket from inside: its parts, and what its files offer to one another. */
#ifndef RJ_BUCKET_STATE_H
#define RJ_BUCKET_STATE_H

#include "base/hash.h"
#include "bucket/bop.h"
#include "bucket/bucket.h"
#include "bucket/table.h"
#include "crdt/dotcode.h"

enum {
    RJ_BUCKET_SLOT_BITS = 10, /* sums are kept for 2^10 slots of positions */
    RJ_BUCKET_SLOTS = 1 << RJ_BUCKET_SLOT_BITS,
    RJ_BUCKET_SCAN_MAX = 65536,      /* keys that one call of scan returns */
    RJ_RECORD_MAX = 32 * 1024 * 1024 /* bytes of a record, unless it is of one value */
};

/* The places of a key. */
enum rj_part { RJ_PART_NONE, RJ_PART_PLACE, RJ_PART_SET, RJ_PART_HASH };

/* One place: of a key itself (item NULL), of an element, of a field. */
struct rj_site {
    struct rj_bkey *key;
    struct rj_dotmap *map;
    struct rj_item *item;
};

/* Memory for a write, found before anything changes. */
struct rj_prep {
    struct rj_site site;      /* key NULL: nothing to do */
    struct rj_version *spare; /* for a value that does not fit the home */
    struct rj_bkey *fresh;    /* the same key with a larger home */
    struct rj_run *run;       /* for an increment that begins one */
    struct rj_gone *gone;     /* for a deletion that is remembered */
};

/* One write, on one element or field, of a call that makes several. */
struct rj_step {
    enum rj_bop_code code;
    struct rj_bytes name, value;
    char digits[RJ_DECIMAL_MAX]; /* for a value that is made */
    uint64_t deadline;
    bool shown; /* the item showed something before */
    struct rj_prep prep;
};

/* Such a call; its steps lie in b->steps. */
struct rj_call {
    struct rj_bytes key;
    uint64_t position;
    enum rj_part part; /* SET or HASH */
    size_t n;
};

struct rj_bucket {
    struct rj_kind kind;
    struct rj_table table;
    struct rj_due due;
    struct rj_hash_key position_key, sum_key;
    struct rj_naming naming;                /* of elements and fields */
    struct rj_sum forever[RJ_BUCKET_SLOTS]; /* of live writes without a deadline */
    struct rj_sum timed[RJ_BUCKET_SLOTS];   /* with one */
    uint64_t n_live;                        /* keys with a live write */
    uint64_t now_ms;
    uint64_t kept_at;      /* expiry.c: what was due and stayed is looked at again then */
    struct rj_bkey *dirty; /* ring of keys changed since collect */
    bool wiped;            /* clear: the store holds what is no more */
    struct rj_bucket_watch *watch; /* NULL: nobody watches */
    bool watch_hit;                /* take.c: the key at hand was changed */
    struct rj_buf prefix;
    bool delete_wins; /* the policy */
    /* Scratch, kept for its memory. */
    struct rj_bop op, old_op;
    struct rj_step *steps;
    size_t cap_steps;
    struct rj_bytes *scan;
    size_t cap_scan;
    uint64_t fetched;      /* position of the key that fetch was told of last */
    uint64_t fetched_name; /* as rj_dotmap_fetch returned it */
    struct rj_buf text;    /* a value made for a read */
    struct rj_buf record, record_key;
};

static inline struct rj_bucket *rj_bucket_of(struct rj_kind *k)
{
    return (struct rj_bucket *)(void *)k;
}

/* ---- change.c: every change of the state goes through here, so that sums, counts and
 * the index of deadlines follow it */

uint64_t rj_change_position(const struct rj_bucket *b, struct rj_bytes key);
/* The key, made (and marked as changed) when it is not there; home as rj_bkey_new. */
RJ_NODISCARD enum rj_err rj_change_key(struct rj_bucket *b, uint64_t position,
                                       struct rj_bytes key, size_t cap,
                                       struct rj_bkey **ret_key);
/* site->item of site->key's set or hash, made when it is not there. */
RJ_NODISCARD enum rj_err rj_change_item(struct rj_bucket *b, struct rj_site *site,
                                        enum rj_part part, struct rj_bytes name,
                                        size_t cap);
/* Looks site->key's item up; site->item NULL: not there. */
void rj_change_find_item(struct rj_site *site, enum rj_part part, struct rj_bytes name);
static inline struct rj_dotted **rj_site_list(const struct rj_site *site)
{
    return site->item != NULL ? &site->item->first : rj_bkey_list(site->key);
}
/* A value with this deadline may be put into the key. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_change_reserve(struct rj_bucket *b, struct rj_bkey *k,
                                           uint64_t deadline);
/* Puts d, whose deadline was reserved, into the list and counts it. */
void rj_change_in(struct rj_bucket *b, const struct rj_site *site, struct rj_dotted *d);
/* Takes d out of the list and gives it back. */
void rj_change_out(struct rj_bucket *b, const struct rj_site *site, struct rj_dotted *d);
/* Counts d, in the list, out before it is changed, and in again (deadline reserved). */
void rj_change_lift(struct rj_bucket *b, const struct rj_site *site, struct rj_dotted *d);
void rj_change_lay(struct rj_bucket *b, const struct rj_site *site, struct rj_dotted *d);
/* Removes the versions that seen overwrites, and what hangs on them. False: there were
 * none. */
bool rj_change_kill(struct rj_bucket *b, const struct rj_site *site,
                    const struct rj_seen *seen);
/* Removes runs whose base is not there. */
void rj_change_kill_baseless(struct rj_bucket *b, const struct rj_site *site);
/* Takes away increments; a run that is not there becomes a removal record. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_change_reset(struct rj_bucket *b, const struct rj_site *site,
                                         const struct rj_reset *resets, size_t n);
/* Puts a decoded write, on a piece of memory of its own or in a home that is free.
 * RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_change_insert(struct rj_bucket *b, const struct rj_site *site,
                                          const struct rj_dotcode *code);
/* The key holds RJ_KEY_BYTES_MAX: local writes that add to it are refused. */
bool rj_change_is_full(const struct rj_bkey *k);
/* After the last change of a site in a write: counts, and marks it as changed. */
void rj_change_end(struct rj_bucket *b, const struct rj_site *site);
/* Puts the key with another home in the place of k, which it frees. */
void rj_change_swap(struct rj_bucket *b, struct rj_bkey *k, struct rj_bkey *fresh);
/* Marks the site as changed. */
void rj_change_dirty(struct rj_bucket *b, const struct rj_site *site);
/* Removes k from the ring of changed keys; removes it from the table and frees it. */
void rj_change_undirty(struct rj_bucket *b, struct rj_bkey *k);
void rj_change_forget(struct rj_bucket *b, struct rj_bkey *k);
/* The keyed hash of one live write; nothing (0) of a dead run. */
struct rj_sum rj_change_hash(const struct rj_bucket *b, const struct rj_dotted *d);

/* ---- walk.c */

struct rj_walk {
    bool started;
    struct rj_slot_walk items;
};

/* Walks all places of a key, the empty ones too: site->item NULL first, then elements,
 * then fields, both in some order, while none comes. Begin with {.key = k} and a zeroed
 * walk; false at the end. */
bool rj_walk_next(struct rj_site *site, struct rj_walk *w);
/* Adds to whole what there is to overwrite in the key, but for one part, and the gones
 * that its writer has seen. RJ_ENOMEM, RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_walk_whole(struct rj_bkey *k, enum rj_part except,
                                       struct rj_whole *whole);
/* The gones of the key. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_walk_gones(const struct rj_bkey *k, struct rj_seen *seen);
/* All that is in the key. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_walk_dots(struct rj_bkey *k, struct rj_seen *seen);
/* As rj_walk_whole for the versions, for the runs without a base, of one place. */
RJ_NODISCARD enum rj_err rj_walk_versions(const struct rj_dotted *first,
                                          struct rj_seen *seen);
RJ_NODISCARD enum rj_err rj_walk_runs(const struct rj_dotted *first,
                                      struct rj_resets *resets);

/* ---- apply.c */

/* Finds memory for op. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_apply_prepare(struct rj_bucket *b, const struct rj_bop *op,
                                          uint64_t position, struct rj_dot dot,
                                          struct rj_prep *ret_prep);
/* Applies it, consuming what prepare found. RJ_ENOMEM only where op names runs that are
 * not there (never for a write of this node). */
RJ_NODISCARD enum rj_err rj_apply_commit(struct rj_bucket *b, const struct rj_bop *op,
                                         const struct rj_rank *rank,
                                         struct rj_prep *take_prep);
/* Frees what prepare found. */
void rj_apply_abandon(struct rj_prep *prep);
enum rj_err rj_apply_check(struct rj_kind *k, const struct rj_batch_view *batch);
enum rj_err rj_apply_batch(struct rj_kind *k, const struct rj_batch_view *batch,
                           const struct rj_contexts *ctx);

/* ---- gone.c: policy delete-wins */

/* NULL: no memory. */
RJ_NODISCARD struct rj_gone *rj_gone_new(const struct rj_rank *rank);
/* NULL: not there. */
struct rj_dotted *rj_gone_find(const struct rj_bkey *k, struct rj_dot dot);
/* True iff op had not seen a gone of its key: it does nothing. */
bool rj_gone_stops(const struct rj_bucket *b, const struct rj_bop *op, uint64_t position);
/* Takes out everything but gones. */
void rj_gone_empty(struct rj_bucket *b, struct rj_bkey *k);
/* FORGET: takes out the gones and what came late that it lists. */
void rj_gone_forget(struct rj_bucket *b, struct rj_bkey *k, const struct rj_bop *op);
/* DEL, as rj_apply_prepare and rj_apply_commit. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_gone_prepare(struct rj_bucket *b, const struct rj_bop *op,
                                         uint64_t position, struct rj_dot dot,
                                         struct rj_prep *prep);
void rj_gone_commit(struct rj_bucket *b, const struct rj_bop *op,
                    const struct rj_rank *rank, struct rj_prep *prep);
/* DEL by this node, also of a key that is not there. */
RJ_NODISCARD enum rj_err rj_gone_del(struct rj_bucket *b, struct rj_bytes key,
                                     uint64_t position);
/* Writes a FORGET for the gones of k that are settled, and for what is owed, if it is
 * this node's turn; *left is one less then. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_gone_settle(struct rj_bucket *b, struct rj_bkey *k,
                                        const struct rj_vv *settled, size_t *left);

/* ---- late.c: what a gone ended that its author had not seen */

/* What somebody had: dots listed, a vector, each may be NULL. */
struct rj_late_known {
    const struct rj_seen *seen;
    const struct rj_vv *vv;
};

/* late := late joined with other. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_late_join(struct rj_seen *late, const struct rj_seen *other);
/* op, of that dot, does nothing for want of having seen gones of its key: they note it.
 * RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_late_stopped(struct rj_bucket *b, const struct rj_bop *op,
                                         uint64_t position, struct rj_dot dot);
/* Adds all that is in the key and is not known, and what is owed. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_late_of_key(struct rj_bucket *b, struct rj_bkey *k,
                                        const struct rj_late_known *known,
                                        struct rj_seen *late);
/* Drops from what is noted what is in no vector: it was never sealed. */
void rj_late_tidy(const struct rj_bucket *b, struct rj_seen *late);
/* A gone (or what is owed) goes, if seen (what came late) lists what it notes; else it is
 * owed. */
void rj_late_forget(struct rj_bucket *b, const struct rj_site *site, struct rj_dotted *d,
                    const struct rj_seen *seen);

/* ---- look.c: what is shown now */

enum rj_shape {
    RJ_SHAPE_NONE,
    RJ_SHAPE_VERSION, /* a register, perhaps with increments on it */
    RJ_SHAPE_COUNTER,
    RJ_SHAPE_SET,
    RJ_SHAPE_HASH
};

struct rj_look {
    enum rj_shape shape;
    struct rj_version *top; /* VERSION */
    bool counted;           /* VERSION: with increments; sum is its value */
    int64_t sum;            /* COUNTER, counted VERSION; at most the end of int64 */
    struct rj_rank rank;    /* not of a set or hash that is all that is shown */
};

void rj_look_place(const struct rj_bucket *b, struct rj_dotted *first,
                   struct rj_look *ret);
void rj_look_key(const struct rj_bucket *b, const struct rj_bkey *k, struct rj_look *ret);
/* The greatest deadline of what look shows in this place, 0: never. */
uint64_t rj_look_place_deadline(const struct rj_bucket *b, const struct rj_dotted *first,
                                const struct rj_look *look);
uint64_t rj_look_deadline(const struct rj_bucket *b, const struct rj_bkey *k,
                          const struct rj_look *look);
/* The bytes that look shows; borrowed until the next call on b. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_look_value(struct rj_bucket *b, const struct rj_look *look,
                                       struct rj_bytes *ret);

/* ---- plain.c: the common case, a version that is alone in its place, and stays so */

/* SET (pair->value), SADD (pair->field) or HSET without a deadline by this node, if it is
 * over such a version in k (NULL: it is not): encodes and applies it, *ret_err as of
 * rj_local_write. False: it is not that simple, nothing was done. */
RJ_NODISCARD bool rj_plain_write(struct rj_bucket *b, struct rj_bkey *k,
                                 enum rj_bop_code code, const struct rj_pair *pair,
                                 enum rj_err *ret_err);
/* The same by another node. */
RJ_NODISCARD bool rj_plain_apply(struct rj_bucket *b, const struct rj_bop *op,
                                 uint64_t position, const struct rj_rank *rank);

/* ---- local.c: writes of this node */

/* A dictionary that is full is empty again in the next batch: RJ_EBUSY then. */
enum rj_err rj_local_cut_first(const struct rj_writer *w, enum rj_err err);

/* RJ_ELIMIT: longer than a key, an element, a field can be. */
RJ_NODISCARD enum rj_err rj_local_fits(struct rj_bytes name);
/* Writes and applies op under the next dot. On an error nothing has changed, but where op
 * resets runs that are not there (only rj_reissue makes such) and there is no memory. */
RJ_NODISCARD enum rj_err rj_local_write(struct rj_bucket *b, struct rj_bop *op,
                                        uint64_t position);
/* DEL of a key, if there is anything to overwrite or deletions win. */
RJ_NODISCARD enum rj_err rj_local_del(struct rj_bucket *b, struct rj_bytes key,
                                      uint64_t position);

/* ---- steps.c */

/* Room for n steps in b->steps, zeroed. RJ_ENOMEM; RJ_ELIMIT: more than a batch takes. */
RJ_NODISCARD enum rj_err rj_steps_begin(struct rj_bucket *b, size_t n);
/* Makes all the writes of a call, or none of them. Steps that remove what is not there
 * make none; step->shown is set for each. */
RJ_NODISCARD enum rj_err rj_steps_write(struct rj_bucket *b, const struct rj_call *call);

/* ---- branch.c (R7) */

/* Runs of a place that are one run, cut by splits, have one deadline. */
void rj_branch_share(struct rj_bucket *b, const struct rj_site *site);
enum rj_err rj_branch_cut(struct rj_kind *k, const struct rj_batch_view *batch);
/* Marks as changed whatever names a branch that k->meant tells. */
void rj_branch_mark(struct rj_bucket *b);

/* ---- watch.c: only while somebody watches */

/* The writes of a batch to one key that are told of as one. Zero-initialise. */
struct rj_telling {
    struct rj_bytes key;
    enum rj_bop_code code;
    bool any, field, expires;
    bool was_live; /* before b->op */
};

/* b->op will be applied; what is told of no longer goes on is told now. */
void rj_watch_before(struct rj_bucket *b, struct rj_telling *t, uint64_t position);
void rj_watch_after(struct rj_bucket *b, struct rj_telling *t); /* it was applied */
void rj_watch_end(struct rj_bucket *b, struct rj_telling *t);   /* of the batch */
/* The key was changed in another way. */
void rj_watch_key(struct rj_bucket *b, const struct rj_bkey *k, enum rj_change what);

/* ---- the other calls of the kind */

enum rj_err rj_reissue(struct rj_kind *k, const struct rj_batch_view *old,
                       uint64_t renamed_from, uint64_t renamed_to);
enum rj_err rj_again(struct rj_kind *k);
enum rj_err rj_persist_collect(struct rj_kind *k, struct rj_writes *w);
enum rj_err rj_persist_load(struct rj_kind *k, const struct rj_store_ops *ops,
                            struct rj_view *view);
/* Adds the dots of one key to sum. */
void rj_digest_add_key(const struct rj_bucket *b, struct rj_bkey *k,
                       const struct rj_vv *within, uint64_t cutoff_ms,
                       struct rj_sum *sum);
void rj_digest_sum(struct rj_kind *k, struct rj_range range, const struct rj_vv *within,
                   uint64_t cutoff_ms, struct rj_sum *ret_sum);
enum rj_err rj_transfer_give(struct rj_kind *k, const struct rj_give *g,
                             struct rj_writer *w, uint64_t *ret_end, uint64_t *ret_count);
enum rj_err rj_transfer_sum(struct rj_kind *k, const struct rj_given *given,
                            const struct rj_vv *within, uint64_t cutoff_ms,
                            struct rj_sum *ret_sum);
enum rj_err rj_transfer_take(struct rj_kind *k, const struct rj_given *given,
                             const struct rj_vv *S, const struct rj_vv *C, bool full);
enum rj_err rj_expiry_drop(struct rj_kind *k, uint64_t cutoff_ms, size_t most,
                           const struct rj_vv *settled, uint64_t *ret_next_ms);

#endif
