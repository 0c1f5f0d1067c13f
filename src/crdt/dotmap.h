/* SPDX-License-Identifier: Apache-2.0 */
/* Dot maps: names in byte order, each with a dot function. A set is the map of its
 * elements (each version an add, without a value), a hash the map of its fields.
 *
 * An item is one piece of memory: node, name and room for one version (its home). Items
 * without any live write stay until their owner has noted that they are gone. */
#ifndef RJ_CRDT_DOTMAP_H
#define RJ_CRDT_DOTMAP_H

#include "base/map.h"
#include "crdt/register.h"

enum { RJ_HOME_MAX = 512 }; /* bytes of a value that lies in the node of its owner */

struct rj_item {
    struct rj_map_node node;
    struct rj_item *dirty_next; /* the owner's list of changed items */
    struct rj_dotted *first;
    uint32_t len;       /* of the name, which follows */
    bool dirty;         /* in that list */
    bool stored;        /* the owner has a record of it */
    bool live;          /* as rj_dotfun_is_live said last */
    bool home : 1;      /* there is a home ... */
    bool home_used : 1; /* ... and a version in it */
    bool split : 1;     /* stored in more than one record */
};

struct rj_dotmap {
    struct rj_map map;
    uint64_t live;           /* items with a live write */
    uint64_t records;        /* dead runs, removal records */
    uint64_t forever, timed; /* live writes that stand, without and with a deadline */
    uint64_t first_deadline; /* no deadline is before it */
    uint64_t last_deadline;  /* the greatest, while n_last > 0 */
    uint64_t n_last;         /* writes that have it */
    struct rj_rank top;      /* the greatest rank if top_known, else none is above it */
    uint64_t top_deadline;
    bool top_known;
    uint64_t bytes; /* of all writes in it, as they are sent, at most; the owner counts */
    struct rj_item *dirty;
    struct rj_item **recent; /* n_recent places for items found lately, by name's hash */
    size_t n_recent;         /* 0, or a power of two */
};

static inline struct rj_item *rj_item_of(struct rj_map_node *node)
{
    return RJ_MAP_ENTRY(node, struct rj_item, node);
}

static inline struct rj_bytes rj_item_name(const struct rj_item *item)
{
    return rj_bytes_of(item + 1, item->len);
}

void rj_dotmap_init(struct rj_dotmap *m);
/* Frees every item with all that is in it. NULL is accepted. */
void rj_dotmap_done(struct rj_dotmap *m);

/* The item of name; NULL: none. */
struct rj_item *rj_dotmap_find(struct rj_dotmap *m, struct rj_bytes name);
/* The same, made when it is not there, with a home for cap bytes (cap > RJ_HOME_MAX or
 * SIZE_MAX: none). RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_dotmap_get(struct rj_dotmap *m, struct rj_bytes name,
                                       size_t cap, struct rj_item **ret_item);
/* First item; the first one after name. NULL: none. */
struct rj_item *rj_dotmap_first(const struct rj_dotmap *m);
struct rj_item *rj_dotmap_after(const struct rj_dotmap *m, struct rj_bytes name);
struct rj_item *rj_item_next(const struct rj_item *item);
/* Takes item out and frees it with all that is in it. */
void rj_dotmap_remove(struct rj_dotmap *m, struct rj_item *item);

/* The home of an item; NULL: it has none. */
struct rj_version *rj_item_home(struct rj_item *item);
/* Gives back what was taken out of item's list. */
void rj_item_release(struct rj_item *item, struct rj_dotted *d);

/* Counts d in (just put into a list) or out (about to be taken out, or changed). */
void rj_dotmap_count_in(struct rj_dotmap *m, const struct rj_dotted *d,
                        const struct rj_origins *origins);
void rj_dotmap_count_out(struct rj_dotmap *m, const struct rj_dotted *d);
/* Brings item->live and m->live up to date after a change. */
void rj_dotmap_refresh(struct rj_dotmap *m, struct rj_item *item);

/* Something in it is not due. O(1) but where values of different deadlines are due. */
bool rj_dotmap_is_shown(struct rj_dotmap *m, uint64_t now_ms);
/* Items that show something. O(1) while nothing is due. */
uint64_t rj_dotmap_shown(struct rj_dotmap *m, uint64_t now_ms);
/* The greatest deadline in it, due ones left out; 0: something never expires, or nothing
 * is shown. */
uint64_t rj_dotmap_deadline(struct rj_dotmap *m, uint64_t now_ms);
/* The greatest rank of what is not due. */
struct rj_rank rj_dotmap_rank(struct rj_dotmap *m, const struct rj_origins *origins,
                              uint64_t now_ms);

#endif
