/* SPDX-License-Identifier: Apache-2.0 */
/* Hash table in the order of hashes, growing by doubling, a few chains at each insertion
 * (extendible by one bit: chain i becomes 2i and 2i + 1, so a sorted chain is cut once).
 * Litwin 1980, "Linear hashing", for the pace; the order of buckets is that of the top
 * bits here. */
#include "bucket/table.h"

#include "base/alloc.h"

#include <assert.h>

enum { SPLITS_AN_INSERT = 2, BITS_MAX = 40, LINE = 64 /* of the cache */ };

void rj_table_init(struct rj_table *t)
{
    *t = (struct rj_table){0};
    t->cur = &t->one;
}

void rj_table_done(struct rj_table *t)
{
    if (t->cur != &t->one)
        free(t->cur);
    free(t->grown);
    rj_table_init(t);
}

/* The chain that position belongs to, of 2^bits. */
static uint64_t chain_of(uint64_t position, unsigned bits)
{
    return bits == 0 ? 0 : position >> (64 - bits);
}

static struct rj_bkey **chain(const struct rj_table *t, uint64_t position)
{
    uint64_t i = chain_of(position, t->bits);

    if (i < t->split)
        return &t->grown[chain_of(position, t->bits + 1)];
    return &t->cur[i];
}

/* < 0, 0, > 0: k against (position, key). */
static int compare(const struct rj_bkey *k, uint64_t position, struct rj_bytes key)
{
    if (k->position != position)
        return k->position < position ? -1 : 1;
    return rj_bytes_compare(rj_bkey_name(k), key);
}

struct rj_bkey *rj_table_find(const struct rj_table *t, uint64_t position,
                              struct rj_bytes key)
{
    struct rj_bkey *k;

    for (k = *chain(t, position); k != NULL && k->position <= position; k = k->next) {
        if (k->position == position && rj_bytes_equal(rj_bkey_name(k), key))
            return k;
    }
    return NULL;
}

void rj_table_fetch_chain(const struct rj_table *t, uint64_t position)
{
    __builtin_prefetch(chain(t, position));
}

void rj_table_fetch_key(const struct rj_table *t, uint64_t position)
{
    const char *k = (const char *)*chain(t, position);

    if (k == NULL)
        return;
    __builtin_prefetch(k);
    __builtin_prefetch(k + LINE);
}

static void split_one(struct rj_table *t)
{
    struct rj_bkey **at = &t->cur[t->split];
    struct rj_bkey *low = *at;

    while (*at != NULL && (chain_of((*at)->position, t->bits + 1) & 1) == 0)
        at = &(*at)->next;
    t->grown[2 * t->split + 1] = *at;
    *at = NULL;
    if (at == &t->cur[t->split])
        low = NULL;
    t->grown[2 * t->split] = low;
    t->split++;
}

static void grow(struct rj_table *t)
{
    unsigned i;

    assert(t->bits <= BITS_MAX);
    if (t->grown == NULL) {
        if (t->count < (uint64_t)1 << t->bits || t->bits >= BITS_MAX)
            return;
        t->grown = rj_alloc_zero((size_t)2 << t->bits, sizeof(struct rj_bkey *));
        if (t->grown == NULL)
            return;
    }
    for (i = 0; i < SPLITS_AN_INSERT && t->split < (uint64_t)1 << t->bits; i++)
        split_one(t);
    if (t->split == (uint64_t)1 << t->bits) {
        if (t->cur != &t->one)
            free(t->cur);
        t->cur = t->grown;
        t->grown = NULL;
        t->split = 0;
        t->bits++;
    }
}

void rj_table_insert(struct rj_table *t, struct rj_bkey *k)
{
    struct rj_bytes key = rj_bkey_name(k);
    struct rj_bkey **at;

    grow(t);
    at = chain(t, k->position);
    while (*at != NULL && compare(*at, k->position, key) < 0)
        at = &(*at)->next;
    k->next = *at;
    *at = k;
    t->count++;
}

/* The pointer that points to k. */
static struct rj_bkey **link_to(struct rj_table *t, const struct rj_bkey *k)
{
    struct rj_bkey **at = chain(t, k->position);

    while (*at != k)
        at = &(*at)->next;
    return at;
}

void rj_table_remove(struct rj_table *t, struct rj_bkey *k)
{
    *link_to(t, k) = k->next;
    k->next = NULL;
    t->count--;
}

void rj_table_replace(struct rj_table *t, struct rj_bkey *old, struct rj_bkey *k)
{
    *link_to(t, old) = k;
    k->next = old->next;
    old->next = NULL;
}

/* The first key of the chains behind the one that position belongs to. */
static struct rj_bkey *behind(const struct rj_table *t, uint64_t position)
{
    uint64_t i = chain_of(position, t->bits), n = (uint64_t)1 << t->bits;
    uint64_t j;

    if (i < t->split) {
        for (j = chain_of(position, t->bits + 1) + 1; j < 2 * t->split; j++) {
            if (t->grown[j] != NULL)
                return t->grown[j];
        }
        i = t->split - 1;
    }
    for (i++; i < n; i++) {
        if (t->cur[i] != NULL)
            return t->cur[i];
    }
    return NULL;
}

struct rj_bkey *rj_table_from(const struct rj_table *t, uint64_t position)
{
    struct rj_bkey *k = *chain(t, position);

    while (k != NULL && k->position < position)
        k = k->next;
    return k != NULL ? k : behind(t, position);
}

struct rj_bkey *rj_table_next(const struct rj_table *t, const struct rj_bkey *k)
{
    return k->next != NULL ? k->next : behind(t, k->position);
}
