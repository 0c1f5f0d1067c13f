/* SPDX-License-Identifier: Apache-2.0 */
/* Dot maps: items, where they lie and how they are found. Almeida, Shoker, Baquero 2018,
 * "Delta state replicated data types", sections 5 and 6. */
#include "crdt/dotmap.h"

#include "base/alloc.h"

#include <assert.h>

enum { ALIGN = _Alignof(struct rj_version) };

static const struct rj_bytes none = {0};

/* ---- items */

static struct rj_bytes name_of(const void *item)
{
    return rj_item_name(item);
}

struct rj_naming rj_dotmap_naming(const struct rj_hash_key *key)
{
    return (struct rj_naming){.name = name_of, .key = key};
}

static size_t aligned(size_t size)
{
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

/* Where the home of an item with a name of len bytes begins. */
static size_t home_offset(size_t len)
{
    return aligned(offsetof(struct rj_item, name) + len);
}

static size_t size_of(size_t len, bool home, size_t cap)
{
    return home_offset(len) + (home ? aligned(sizeof(struct rj_version) + cap) : 0);
}

static struct rj_item *item_at(const struct rj_dotmap *m, uint32_t ref)
{
    return rj_slab_at(&m->slab, ref);
}

static uint32_t new_item(struct rj_dotmap *m, struct rj_bytes name, size_t cap)
{
    bool home = cap <= RJ_HOME_MAX;
    uint32_t ref = rj_slab_new(&m->slab, size_of(name.len, home, cap));
    struct rj_item *item;
    struct rj_version *v;

    assert(name.len <= RJ_ITEM_NAME_MAX);
    if (ref == 0)
        return 0;
    item = item_at(m, ref);
    *item = (struct rj_item){.len = (uint32_t)name.len & RJ_ITEM_NAME_MAX, .home = home};
    if (name.len > 0)
        memcpy(item->name, name.ptr, name.len);
    v = rj_item_home(item);
    if (v != NULL) {
        v->d = (struct rj_dotted){.sort = RJ_DOTTED_VERSION, .home = true};
        v->len = 0;
        v->cap = (uint32_t)cap;
    }
    return ref;
}

struct rj_version *rj_item_home(struct rj_item *item)
{
    if (!item->home)
        return NULL;
    return (struct rj_version *)(void *)((char *)item + home_offset(item->len));
}

static size_t item_size(struct rj_item *item)
{
    return size_of(item->len, item->home, item->home ? rj_item_home(item)->cap : 0);
}

void rj_item_release(struct rj_item *item, struct rj_dotted *d)
{
    if (d->home)
        item->home_used = false;
    else
        free(d);
}

static void free_list(const struct rj_item *item)
{
    struct rj_dotted *d = item->first;

    while (d != NULL) {
        struct rj_dotted *next = d->next;

        if (!d->home)
            free(d);
        d = next;
    }
}

/* ---- the whole */

static void init_tables(struct rj_dotmap *m, const struct rj_naming *naming)
{
    m->slab = (struct rj_slab){.naming = naming};
    m->slots = (struct rj_slots){.slab = &m->slab};
}

void rj_dotmap_init(struct rj_dotmap *m, const struct rj_naming *naming)
{
    *m = (struct rj_dotmap){0};
    init_tables(m, naming);
}

static void drop_order(struct rj_dotmap *m)
{
    if (m->order != NULL)
        rj_order_done(m->order);
    free(m->order);
    m->order = NULL;
}

void rj_dotmap_done(struct rj_dotmap *m)
{
    const struct rj_item *item;
    struct rj_slot_walk w;

    if (m == NULL)
        return;
    for (w = rj_dotmap_items(m); (item = rj_item_next(&w)) != NULL;)
        free_list(item);
    drop_order(m);
    rj_slots_done(&m->slots);
    rj_slab_done(&m->slab);
    free(m->tally);
    rj_dotmap_init(m, m->slab.naming);
}

/* Where the items lie now, the lists of the former ones lead to former homes. */
static void move_homes(const struct rj_slots *former)
{
    struct rj_slot_walk w = {.slots = former};
    struct rj_item *item;

    while ((item = rj_item_next(&w)) != NULL) {
        struct rj_item *moved = item->dirty_next;
        struct rj_dotted **at = &moved->first, *home;

        if (!item->home_used)
            continue;
        home = &rj_item_home(item)->d;
        while (*at != home)
            at = &(*at)->next;
        *at = &rj_item_home(moved)->d;
    }
}

void rj_dotmap_settle(struct rj_dotmap *m)
{
    struct rj_slot_walk w = rj_dotmap_items(m);
    struct rj_dotmap fresh = {0};
    struct rj_item *item;
    bool moved = true;

    if (!rj_slab_is_wasteful(&m->slab))
        return;
    init_tables(&fresh, m->slab.naming);
    while (moved && (item = rj_item_next(&w)) != NULL) {
        size_t size = item_size(item);
        uint32_t ref = rj_slab_new(&fresh.slab, size);

        moved = ref != 0 &&
                rj_slots_put(&fresh.slots,
                             rj_slots_hash(&fresh.slots, none, rj_item_name(item)), ref);
        if (!moved)
            break;
        memcpy(item_at(&fresh, ref), item, size);
        item->dirty_next = item_at(&fresh, ref);
    }
    if (moved) {
        drop_order(m);
        move_homes(&m->slots);
    }
    rj_slots_done(moved ? &m->slots : &fresh.slots);
    rj_slab_done(moved ? &m->slab : &fresh.slab);
    if (!moved)
        return; /* another time */
    m->slab = fresh.slab;
    m->slots = fresh.slots;
    m->slots.slab = &m->slab;
    m->found = NULL;
}

/* ---- by name */

struct rj_item *rj_dotmap_find(struct rj_dotmap *m, struct rj_bytes name)
{
    const uint32_t *slot;

    if (m->found != NULL && rj_bytes_equal(rj_item_name(m->found), name))
        return m->found;
    slot = rj_slots_find(&m->slots, rj_slots_hash(&m->slots, none, name), none, name);
    if (slot == NULL)
        return NULL;
    m->found = item_at(m, *slot);
    return m->found;
}

uint64_t rj_dotmap_fetch(const struct rj_dotmap *m, uint64_t before, struct rj_bytes name)
{
    uint64_t hash = rj_slots_hash(&m->slots, none, name);

    rj_slots_fetch(&m->slots, before);
    rj_slots_expect(&m->slots, hash);
    return hash;
}

/* Puts in what is not there. */
static enum rj_err put_item(struct rj_dotmap *m, uint32_t ref)
{
    struct rj_item *item = item_at(m, ref);
    uint64_t hash = rj_slots_hash(&m->slots, none, rj_item_name(item));

    if (m->slots.count == RJ_SLOTS_FEW && rj_dotmap_keep_tally(m) != RJ_OK)
        return RJ_ENOMEM;
    if (!rj_slots_put(&m->slots, hash, ref))
        return RJ_ENOMEM;
    if (m->order != NULL &&
        (rj_order_rests(m->order, m->slots.count) || !rj_order_put(m->order, ref)))
        drop_order(m);
    return RJ_OK;
}

enum rj_err rj_dotmap_get(struct rj_dotmap *m, struct rj_bytes name, size_t cap,
                          struct rj_item **ret_item)
{
    struct rj_item *item = rj_dotmap_find(m, name);
    uint32_t ref;

    if (item == NULL) {
        ref = new_item(m, name, cap);
        if (ref == 0)
            return RJ_ENOMEM;
        item = item_at(m, ref);
        if (put_item(m, ref) != RJ_OK) {
            rj_slab_free(&m->slab, ref, item_size(item));
            return RJ_ENOMEM;
        }
        m->found = item;
    }
    *ret_item = item;
    return RJ_OK;
}

void rj_dotmap_remove(struct rj_dotmap *m, struct rj_item *item)
{
    uint64_t hash = rj_slots_hash(&m->slots, none, rj_item_name(item));
    const uint32_t *slot = rj_slots_find(&m->slots, hash, none, rj_item_name(item));
    uint32_t ref = *slot;

    if (m->order != NULL && rj_order_rests(m->order, m->slots.count))
        drop_order(m);
    else if (m->order != NULL)
        rj_order_change(m->order, item, 0);
    rj_slots_remove(&m->slots, hash, slot);
    m->found = NULL;
    free_list(item);
    rj_slab_free(&m->slab, ref, item_size(item));
}

/* ---- walks */

struct rj_slot_walk rj_dotmap_items(const struct rj_dotmap *m)
{
    return (struct rj_slot_walk){.slots = &m->slots};
}

struct rj_item *rj_item_next(struct rj_slot_walk *w)
{
    uint32_t ref = rj_slots_next(w);

    return ref != 0 ? rj_slab_at(w->slots->slab, ref) : NULL;
}

static bool make_order(struct rj_dotmap *m)
{
    if (m->order == NULL) {
        m->order = rj_alloc_array(1, sizeof(*m->order));
        if (m->order == NULL)
            return false;
        *m->order = (struct rj_order){.slab = &m->slab};
    }
    if (rj_order_make(m->order, &m->slots))
        return true;
    drop_order(m);
    return false;
}

/* The first of few items behind name (NULL: of all). */
static struct rj_item *least_after(const struct rj_dotmap *m, const struct rj_bytes *name)
{
    struct rj_slot_walk w = rj_dotmap_items(m);
    struct rj_item *item, *least = NULL;

    while ((item = rj_item_next(&w)) != NULL) {
        if ((name == NULL || rj_bytes_compare(rj_item_name(item), *name) > 0) &&
            (least == NULL ||
             rj_bytes_compare(rj_item_name(item), rj_item_name(least)) < 0))
            least = item;
    }
    return least;
}

enum rj_err rj_dotmap_first(struct rj_dotmap *m, struct rj_item **ret_item)
{
    uint32_t ref;

    if (m->slots.dir == NULL) {
        *ret_item = least_after(m, NULL);
        return RJ_OK;
    }
    if (!make_order(m))
        return RJ_ENOMEM;
    ref = rj_order_from(m->order, none);
    *ret_item = ref != 0 ? item_at(m, ref) : NULL;
    return RJ_OK;
}

enum rj_err rj_dotmap_after(struct rj_dotmap *m, struct rj_bytes name,
                            struct rj_item **ret_item)
{
    const struct rj_item *item;
    uint32_t ref;

    if (m->slots.dir == NULL) {
        *ret_item = least_after(m, &name);
        return RJ_OK;
    }
    if (!make_order(m))
        return RJ_ENOMEM;
    item = rj_dotmap_find(m, name); /* where the last call ended, most of the time */
    ref = item != NULL ? rj_order_next(m->order, item) : rj_order_from(m->order, name);
    *ret_item = ref != 0 ? item_at(m, ref) : NULL;
    return RJ_OK;
}
