/* SPDX-License-Identifier: Apache-2.0 */
/* Dot maps: names, each with a dot function. A set is the map of its elements (each
 * version an add, without a value), a hash the map of its fields.
 *
 * An item is one piece of memory in a slab: head, name and room for one version (its
 * home). It is found through slots, and in the order of names as crdt/named.h says. Items
 * without any live write stay until their owner has noted that they are gone. Pointers to
 * items and writes hold until rj_dotmap_remove and rj_dotmap_settle. */
#ifndef RJ_CRDT_DOTMAP_H
#define RJ_CRDT_DOTMAP_H

#include "crdt/named.h"
#include "crdt/register.h"

enum {
    RJ_HOME_MAX = 512, /* bytes of a value that lies in the node of its owner */
    RJ_ITEM_NAME_MAX = (1 << 21) - 1 /* bytes of a name; its owner sees to it */
};

struct rj_item {
    struct rj_dotted *first;
    struct rj_item *dirty_next; /* the owner's list of changed items */
    uint32_t len : 21;          /* of the name */
    uint32_t dirty : 1;         /* in that list */
    uint32_t stored : 1;        /* the owner has a record of it */
    uint32_t split : 1;         /* in more than one record */
    uint32_t live : 1;          /* as rj_dotfun_is_live said last */
    uint32_t home : 1;          /* there is a home ... */
    uint32_t home_used : 1;     /* ... and a version in it */
    uint32_t mark : 1;          /* for whoever walks the map, false otherwise */
    uint8_t name[];
};

/* What must not cost a walk. */
struct rj_tally {
    uint64_t live;           /* items with a live write */
    uint64_t records;        /* dead runs, removal records */
    uint64_t forever, timed; /* live writes that stand, without and with a deadline */
    uint64_t first_deadline; /* no deadline is before it */
    uint64_t last_deadline;  /* the greatest, while n_last > 0 */
    uint64_t n_last;         /* writes that have it */
    struct rj_rank top;      /* the greatest rank if top_known, else none is above it */
    uint64_t top_deadline;
    bool top_known;
};

struct rj_dotmap {
    struct rj_slab slab;
    struct rj_slots slots;
    struct rj_order *order; /* NULL: nobody asked for it lately */
    struct rj_tally *tally; /* NULL: items are few, so it is counted when asked for */
    struct rj_item *dirty;
    struct rj_item *found; /* what was found or made last: it is often wanted again */
    uint64_t bytes; /* of all writes in it, as they are sent, at most; the owner counts */
};

static inline struct rj_bytes rj_item_name(const struct rj_item *item)
{
    return rj_bytes_of(item->name, item->len);
}

/* How items are named, for all maps of one owner. */
struct rj_naming rj_dotmap_naming(const struct rj_hash_key *key);
/* naming is borrowed. */
void rj_dotmap_init(struct rj_dotmap *m, const struct rj_naming *naming);
/* Frees every item with all that is in it. NULL is accepted. */
void rj_dotmap_done(struct rj_dotmap *m);

static inline size_t rj_dotmap_count(const struct rj_dotmap *m)
{
    return m->slots.count;
}

/* Asks for the slot of name, and for the item whose slot was asked for before; what is
 * returned is told to the next call. */
uint64_t rj_dotmap_fetch(const struct rj_dotmap *m, uint64_t before,
                         struct rj_bytes name);
/* The item of name; NULL: none. */
struct rj_item *rj_dotmap_find(struct rj_dotmap *m, struct rj_bytes name);
/* The same, made when it is not there, with a home for cap bytes (cap > RJ_HOME_MAX or
 * SIZE_MAX: none). RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_dotmap_get(struct rj_dotmap *m, struct rj_bytes name,
                                       size_t cap, struct rj_item **ret_item);
/* Takes item out and frees it with all that is in it. */
void rj_dotmap_remove(struct rj_dotmap *m, struct rj_item *item);
/* Gives memory back where most of it is free. Items move; none is in the list of changed
 * ones. */
void rj_dotmap_settle(struct rj_dotmap *m);

/* All items, in some order, while none comes or goes. Begin with
 * rj_dotmap_items(m). NULL: no more. */
struct rj_slot_walk rj_dotmap_items(const struct rj_dotmap *m);
struct rj_item *rj_item_next(struct rj_slot_walk *w);
/* In byte order: the first item, the first one after name; *ret_item NULL: none.
 * RJ_ENOMEM where there is no order yet; it is kept as long as it is asked for. */
RJ_NODISCARD enum rj_err rj_dotmap_first(struct rj_dotmap *m, struct rj_item **ret_item);
RJ_NODISCARD enum rj_err rj_dotmap_after(struct rj_dotmap *m, struct rj_bytes name,
                                         struct rj_item **ret_item);

/* The home of an item; NULL: it has none. */
struct rj_version *rj_item_home(struct rj_item *item);
/* Gives back what was taken out of item's list. */
void rj_item_release(struct rj_item *item, struct rj_dotted *d);

/* ---- dotmap_tally.c */

/* Counts what is in m, and keeps that from now on. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_dotmap_keep_tally(struct rj_dotmap *m);
/* Counts d in (just put into a list) or out (about to be taken out, or changed). */
void rj_dotmap_count_in(struct rj_dotmap *m, const struct rj_dotted *d,
                        const struct rj_origins *origins);
void rj_dotmap_count_out(struct rj_dotmap *m, const struct rj_dotted *d);
/* Brings item->live and what counts it up to date after a change. */
void rj_dotmap_refresh(struct rj_dotmap *m, struct rj_item *item);

/* Something in it is live. */
bool rj_dotmap_is_live(const struct rj_dotmap *m);
/* Something in it is not due. O(1) but where values of different deadlines are due. */
bool rj_dotmap_is_shown(const struct rj_dotmap *m, uint64_t now_ms);
/* Items that show something. O(1) while nothing is due. */
uint64_t rj_dotmap_shown(const struct rj_dotmap *m, uint64_t now_ms);
/* The greatest deadline in it, due ones left out; 0: something never expires, or nothing
 * is shown. */
uint64_t rj_dotmap_deadline(const struct rj_dotmap *m, uint64_t now_ms);
/* The greatest rank of what is not due. */
struct rj_rank rj_dotmap_rank(const struct rj_dotmap *m, const struct rj_origins *origins,
                              uint64_t now_ms);

#endif
