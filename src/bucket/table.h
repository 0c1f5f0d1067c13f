/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a bucket by position, a hash of the key: a hash table whose buckets follow
 * the top bits of the position, so that the table is at the same time in the order of
 * positions. Walks (SCAN, ranges of a state transfer, sums) need no other index. */
#ifndef RJ_BUCKET_TABLE_H
#define RJ_BUCKET_TABLE_H

#include "bucket/key.h"

struct rj_table {
    struct rj_bkey **cur;   /* 2^bits chains; &one before there is an array */
    struct rj_bkey **grown; /* 2^(bits + 1) chains while growing, else NULL */
    struct rj_bkey *one;
    uint64_t split;         /* chains of cur that lie in grown already */
    uint64_t count;
    unsigned bits;
};

void rj_table_init(struct rj_table *t);
/* Frees the arrays, not the keys. */
void rj_table_done(struct rj_table *t);

/* NULL: not there. */
struct rj_bkey *rj_table_find(const struct rj_table *t, uint64_t position,
                              struct rj_bytes key);
/* Ask for the memory that rj_table_find will need soon: first the chain's head, then,
 * when that has come, the first key of the chain. */
void rj_table_fetch_chain(const struct rj_table *t, uint64_t position);
void rj_table_fetch_key(const struct rj_table *t, uint64_t position);
/* Adds a key that is not there. Without memory to grow, chains become longer. */
void rj_table_insert(struct rj_table *t, struct rj_bkey *k);
/* Takes k out, which is there. */
void rj_table_remove(struct rj_table *t, struct rj_bkey *k);
/* Puts k in the place of old, which is there and has the same key. */
void rj_table_replace(struct rj_table *t, struct rj_bkey *old, struct rj_bkey *k);

/* The first key at that position or after it, in the order of (position, key). */
struct rj_bkey *rj_table_from(const struct rj_table *t, uint64_t position);
/* The key after k. NULL: none. */
struct rj_bkey *rj_table_next(const struct rj_table *t, const struct rj_bkey *k);

#endif
