/* SPDX-License-Identifier: Apache-2.0 */
/* Things in the order of their names: a sorted array cut into leaves, with an array of
 * the leaves above. Made by sorting when it is first asked for, then kept up to date; a
 * cache but where a store of rows promises it. (Two levels of a B-tree: Bayer, McCreight
 * 1972.) */
#include "crdt/named.h"

#include <stdlib.h>

enum { IDLE = 1024 };

/* A name to be sorted, with its first bytes. */
struct item {
    uint64_t lead;
    const uint8_t *name;
    uint32_t len, ref;
};

static const struct rj_allocator *allocator_of(const struct rj_order *o)
{
    return o->slab->naming->allocator;
}

static int by_name(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->lead != y->lead)
        return x->lead < y->lead ? -1 : 1;
    return rj_bytes_compare(rj_bytes_of(x->name, x->len), rj_bytes_of(y->name, y->len));
}

static uint64_t lead_of(struct rj_bytes name)
{
    uint64_t lead = 0;
    size_t i;

    for (i = 0; i < sizeof(lead); i++)
        lead = lead << 8 | (i < name.len ? name.ptr[i] : 0);
    return lead;
}

static void release(const struct rj_order *o, struct rj_leaf *leaf)
{
    rj_piece_release(allocator_of(o), leaf, sizeof(*leaf));
}

/* Room for one more leaf. */
static bool reserve(struct rj_order *o)
{
    uint32_t cap = o->cap != 0 ? o->cap * 2 : 1;
    struct rj_leaf **at;

    if (o->n < o->cap)
        return true;
    at = rj_mem_resize(allocator_of(o), o->at, o->cap * sizeof(struct rj_leaf *),
                       cap * sizeof(struct rj_leaf *));
    if (at == NULL)
        return false;
    o->at = at;
    o->cap = cap;
    return true;
}

static struct rj_leaf *insert_leaf(struct rj_order *o, uint32_t at)
{
    struct rj_leaf *leaf =
        reserve(o) ? rj_piece_new(allocator_of(o), sizeof(struct rj_leaf)) : NULL;

    if (leaf == NULL)
        return NULL;
    memmove(&o->at[at + 1], &o->at[at], (o->n - at) * sizeof(struct rj_leaf *));
    o->at[at] = leaf;
    o->n++;
    return leaf;
}

bool rj_order_make(struct rj_order *o, const struct rj_slots *slots)
{
    size_t size = slots->count * sizeof(struct item) + 1, n = 0, i;
    struct rj_slot_walk walk = {.slots = slots};
    struct item *items;
    uint32_t ref;

    o->idle = 0;
    if (o->made)
        return true;
    items = rj_mem_new(allocator_of(o), size);
    if (items == NULL)
        return false;
    while ((ref = rj_slots_next(&walk)) != 0) {
        struct rj_bytes name = rj_slab_name(o->slab, ref);

        items[n++] = (struct item){lead_of(name), name.ptr, (uint32_t)name.len, ref};
    }
    qsort(items, n, sizeof(*items), by_name);
    o->made = true;
    for (i = 0; o->made && i < n; i++) {
        struct rj_leaf *leaf = o->n > 0 ? o->at[o->n - 1] : NULL;

        if (leaf == NULL || leaf->n == RJ_LEAF * 3 / 4)
            leaf = insert_leaf(o, o->n);
        if (leaf != NULL)
            leaf->ref[leaf->n++] = items[i].ref;
        else
            rj_order_done(o);
    }
    rj_mem_free(allocator_of(o), items, size);
    return o->made;
}

void rj_order_done(struct rj_order *o)
{
    uint32_t i;

    for (i = 0; i < o->n; i++)
        release(o, o->at[i]);
    rj_mem_free(allocator_of(o), o->at, o->cap * sizeof(struct rj_leaf *));
    *o = (struct rj_order){.slab = o->slab};
}

bool rj_order_rests(struct rj_order *o, size_t count)
{
    return o->made && ++o->idle > IDLE + count / 8;
}

/* Stands at the first entry whose name is not before this; false: that is behind all. */
static bool search(struct rj_order *o, struct rj_bytes name)
{
    uint32_t low = 0, high = o->n;
    const struct rj_leaf *leaf;

    while (low < high) { /* leaves that begin before name */
        uint32_t mid = low + (high - low) / 2;

        if (rj_bytes_compare(rj_slab_name(o->slab, o->at[mid]->ref[0]), name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    o->leaf = low > 0 ? low - 1 : 0;
    o->slot = 0;
    if (o->n == 0)
        return false;
    leaf = o->at[o->leaf];
    for (low = 0, high = leaf->n; low < high;) {
        uint32_t mid = low + (high - low) / 2;

        if (rj_bytes_compare(rj_slab_name(o->slab, leaf->ref[mid]), name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    o->slot = low;
    if (low < leaf->n)
        return true;
    if (o->leaf + 1 == o->n)
        return false;
    o->leaf++;
    o->slot = 0;
    return true;
}

static uint32_t here(const struct rj_order *o)
{
    return o->at[o->leaf]->ref[o->slot];
}

/* Stands at that thing, which is in. */
static void stand(struct rj_order *o, const void *thing)
{
    if (o->leaf >= o->n || o->slot >= o->at[o->leaf]->n ||
        rj_slab_at(o->slab, here(o)) != thing)
        (void)search(o, o->slab->naming->name(thing));
}

/* The leaf where it stands is its own. */
static bool own_leaf(struct rj_order *o)
{
    struct rj_leaf *copy;

    if (o->at[o->leaf]->users == 1)
        return true;
    copy = rj_piece_new(allocator_of(o), sizeof(*copy));
    if (copy == NULL)
        return false;
    *copy = *o->at[o->leaf];
    copy->users = 1;
    release(o, o->at[o->leaf]);
    o->at[o->leaf] = copy;
    return true;
}

bool rj_order_own(struct rj_order *o, const void *thing)
{
    stand(o, thing);
    return own_leaf(o);
}

bool rj_order_fork(struct rj_order *to, const struct rj_order *from)
{
    uint32_t i;

    to->made = from->made;
    if (from->n == 0)
        return true;
    to->at = rj_mem_new(allocator_of(to), from->n * sizeof(struct rj_leaf *));
    if (to->at == NULL)
        return false;
    to->n = to->cap = from->n;
    for (i = 0; i < to->n; i++) {
        to->at[i] = from->at[i];
        to->at[i]->users++;
    }
    return true;
}

bool rj_order_put(struct rj_order *o, uint32_t ref)
{
    bool behind = !search(o, rj_slab_name(o->slab, ref));
    struct rj_leaf *leaf, *more;

    if (o->n == 0) {
        if (insert_leaf(o, 0) == NULL)
            return false;
    } else if (behind || (o->slot == 0 && o->leaf > 0)) { /* the end of the leaf before */
        o->leaf -= behind ? 0 : 1;
        o->slot = o->at[o->leaf]->n;
    }
    if (!own_leaf(o))
        return false;
    leaf = o->at[o->leaf];
    if (leaf->n == RJ_LEAF) {
        more = insert_leaf(o, o->leaf + 1);
        if (more == NULL)
            return false;
        more->n = o->slot == RJ_LEAF ? 0 : RJ_LEAF / 2;
        leaf->n = RJ_LEAF - more->n;
        memcpy(more->ref, &leaf->ref[leaf->n], more->n * sizeof(uint32_t));
        if (o->slot > leaf->n || more->n == 0) {
            o->slot -= leaf->n;
            o->leaf++;
            leaf = more;
        }
    }
    memmove(&leaf->ref[o->slot + 1], &leaf->ref[o->slot],
            (leaf->n - o->slot) * sizeof(uint32_t));
    leaf->ref[o->slot] = ref;
    leaf->n++;
    return true;
}

static void remove_leaf(struct rj_order *o, uint32_t at)
{
    release(o, o->at[at]);
    memmove(&o->at[at], &o->at[at + 1], (o->n - at - 1) * sizeof(struct rj_leaf *));
    o->n--;
}

void rj_order_change(struct rj_order *o, const void *thing, uint32_t ref)
{
    struct rj_leaf *leaf, *next;

    stand(o, thing);
    leaf = o->at[o->leaf];
    if (ref != 0) {
        leaf->ref[o->slot] = ref;
        return;
    }
    leaf->n--;
    memmove(&leaf->ref[o->slot], &leaf->ref[o->slot + 1],
            (leaf->n - o->slot) * sizeof(uint32_t));
    next = o->leaf + 1 < o->n ? o->at[o->leaf + 1] : NULL;
    if (leaf->n == 0) {
        remove_leaf(o, o->leaf);
    } else if (next != NULL && leaf->n + next->n <= RJ_LEAF / 2) {
        memcpy(&leaf->ref[leaf->n], next->ref, next->n * sizeof(uint32_t));
        leaf->n += next->n;
        remove_leaf(o, o->leaf + 1);
    }
}

uint32_t rj_order_from(struct rj_order *o, struct rj_bytes name)
{
    return search(o, name) ? here(o) : 0;
}

uint32_t rj_order_next(struct rj_order *o, const void *thing)
{
    stand(o, thing);
    if (o->slot + 1 < o->at[o->leaf]->n)
        o->slot++;
    else if (o->leaf + 1 == o->n)
        return 0;
    else {
        o->leaf++;
        o->slot = 0;
    }
    return here(o);
}

uint32_t rj_order_prev(struct rj_order *o, const void *thing)
{
    stand(o, thing);
    if (o->slot == 0) {
        if (o->leaf == 0)
            return 0;
        o->leaf--;
        o->slot = o->at[o->leaf]->n;
    }
    o->slot--;
    return here(o);
}
