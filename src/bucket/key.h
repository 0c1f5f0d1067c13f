/* SPDX-License-Identifier: Apache-2.0 */
/* One key of a bucket. The common case, one small string without expiry, is one piece of
 * memory: head, key, one version with its value (the home). What is rarer (sets, hashes,
 * deadlines) hangs on an extension; concurrent versions, long values and runs of
 * increments are pieces of their own.
 *
 * A key or item that holds nothing any more stays until the next collect, which notes
 * that it is gone. */
#ifndef RJ_BUCKET_KEY_H
#define RJ_BUCKET_KEY_H

#include "bucket/due.h"
#include "crdt/dotmap.h"

struct rj_bkey_ext {
    struct rj_dotted *first; /* the key's own place: versions and runs */
    struct rj_bkey *key;     /* back to the key */
    struct rj_due_link due;
    struct rj_dotmap *set, *hash; /* NULL: nothing */
};

struct rj_bkey {
    struct rj_bkey *next; /* in its chain, ascending by (position, key) */
    uint64_t position;
    struct rj_bkey *dirty_prev, *dirty_next; /* ring of changed keys; NULL: not in it */
    union {
        struct rj_dotted *first; /* the key's own place, while there is no extension */
        struct rj_bkey_ext *ext;
    } u;
    uint32_t len;          /* of the key, which follows */
    bool has_ext : 1;
    bool home : 1;         /* there is a home ... */
    bool home_used : 1;    /* ... and a version in it */
    bool live : 1;         /* counted as a key */
    bool place_dirty : 1;  /* its own place was changed */
    bool stored : 1;       /* there is a record of its own place ... */
    bool split : 1;        /* ... and there are further ones */
    bool mark : 1;         /* for whoever walks the table, false otherwise */
};

static inline struct rj_bytes rj_bkey_name(const struct rj_bkey *k)
{
    return rj_bytes_of(k + 1, k->len);
}

/* The list of the key's own place. */
static inline struct rj_dotted **rj_bkey_list(struct rj_bkey *k)
{
    return k->has_ext ? &k->u.ext->first : &k->u.first;
}

static inline struct rj_dotted *rj_bkey_first(const struct rj_bkey *k)
{
    return k->has_ext ? k->u.ext->first : k->u.first;
}

static inline struct rj_dotmap *rj_bkey_set(const struct rj_bkey *k)
{
    return k->has_ext ? k->u.ext->set : NULL;
}

static inline struct rj_dotmap *rj_bkey_hash(const struct rj_bkey *k)
{
    return k->has_ext ? k->u.ext->hash : NULL;
}

static inline struct rj_due_link *rj_bkey_due(struct rj_bkey *k)
{
    return k->has_ext ? &k->u.ext->due : NULL;
}

/* A key that holds nothing, with a home for cap bytes (more than RJ_HOME_MAX: none).
 * NULL: no memory. */
RJ_NODISCARD struct rj_bkey *rj_bkey_new(uint64_t position, struct rj_bytes key,
                                         size_t cap);
/* Frees it with all that is in it; it must be in no list. */
void rj_bkey_free(struct rj_bkey *k);
/* Moves all that `from` holds to `to`, which is new and has the same key; the home of
 * `from` must not be in use. The caller replaces it in the lists that it is in and frees
 * `from`. */
void rj_bkey_move(struct rj_bkey *to, struct rj_bkey *from);

/* The home; NULL: it has none. */
struct rj_version *rj_bkey_home(struct rj_bkey *k);
/* Gives the key its extension. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_bkey_extend(struct rj_bkey *k);
/* Gives it a set or a hash (*map = &k->u.ext->set ...). RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_bkey_make_map(struct rj_dotmap **map,
                                          const struct rj_naming *naming);
/* Frees maps and an extension that hold nothing. */
void rj_bkey_tidy(struct rj_bkey *k, struct rj_due *due);
/* Holds nothing at all, not even an empty item. */
bool rj_bkey_is_void(const struct rj_bkey *k);
/* Something in it is live. */
bool rj_bkey_is_live(const struct rj_bkey *k);

#endif
