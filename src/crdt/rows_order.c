/* SPDX-License-Identifier: Apache-2.0 */
/* First rows in the order of their places: a sorted array cut into leaves, with an array
 * of the leaves above. Made by sorting when it is first asked for, then kept up to date;
 * a cache but where the store promises it. (Two levels of a B-tree: Bayer, McCreight
 * 1972.) */
#include "crdt/rows_store.h"

#include <stdlib.h>

/* A place to be sorted, with its first bytes. */
struct item {
    uint64_t lead;
    const struct rj_row *row;
    uint32_t ref;
};

static struct rj_bytes place_of(const struct rj_order *o, uint32_t ref)
{
    return rj_row_place(rj_slab_at(o->slab, ref));
}

static int by_place(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->lead != y->lead)
        return x->lead < y->lead ? -1 : 1;
    return rj_bytes_compare(rj_row_place(x->row), rj_row_place(y->row));
}

static uint64_t lead_of(struct rj_bytes place)
{
    uint64_t lead = 0;
    size_t i;

    for (i = 0; i < sizeof(lead); i++)
        lead = lead << 8 | (i < place.len ? place.ptr[i] : 0);
    return lead;
}

static void release(const struct rj_order *o, struct rj_leaf *leaf)
{
    rj_piece_release(o->allocator, leaf, sizeof(*leaf));
}

/* Room for one more leaf. */
static bool reserve(struct rj_order *o)
{
    uint32_t cap = o->cap != 0 ? o->cap * 2 : 1;
    struct rj_leaf **at;

    if (o->n < o->cap)
        return true;
    at = rj_mem_resize(o->allocator, o->at, o->cap * sizeof(struct rj_leaf *),
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
        reserve(o) ? rj_piece_new(o->allocator, sizeof(struct rj_leaf)) : NULL;

    if (leaf == NULL)
        return NULL;
    memmove(&o->at[at + 1], &o->at[at], (o->n - at) * sizeof(struct rj_leaf *));
    o->at[at] = leaf;
    o->n++;
    return leaf;
}

bool rj_order_make(struct rj_order *o, const struct rj_slots *slots)
{
    size_t size = slots->count * sizeof(struct item) + 1, n, i;
    struct item *items;
    uint32_t *refs;

    o->idle = 0;
    if (o->made)
        return true;
    items = rj_mem_new(o->allocator, size);
    if (items == NULL)
        return false;
    refs = (uint32_t *)(void *)((uint8_t *)items +
                                slots->count * (sizeof(*items) - sizeof(*refs)));
    n = rj_slots_all(slots, refs); /* at the end of what they become */
    for (i = 0; i < n; i++) {
        const struct rj_row *row = rj_slab_at(o->slab, refs[i]);

        items[i] = (struct item){lead_of(rj_row_place(row)), row, refs[i]};
    }
    qsort(items, n, sizeof(*items), by_place);
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
    rj_mem_free(o->allocator, items, size);
    return o->made;
}

void rj_order_done(struct rj_order *o)
{
    uint32_t i;

    for (i = 0; i < o->n; i++)
        release(o, o->at[i]);
    rj_mem_free(o->allocator, o->at, o->cap * sizeof(struct rj_leaf *));
    *o = (struct rj_order){.slab = o->slab, .allocator = o->allocator};
}

/* Stands at the first entry whose place is not before name; false: that is behind all. */
static bool search(struct rj_order *o, struct rj_bytes name)
{
    uint32_t low = 0, high = o->n;
    const struct rj_leaf *leaf;

    while (low < high) { /* leaves that begin before name */
        uint32_t mid = low + (high - low) / 2;

        if (rj_bytes_compare(place_of(o, o->at[mid]->ref[0]), name) < 0)
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

        if (rj_bytes_compare(place_of(o, leaf->ref[mid]), name) < 0)
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

/* Stands at that row, which is a first one. */
static void stand(struct rj_order *o, const struct rj_row *row)
{
    if (o->leaf >= o->n || o->slot >= o->at[o->leaf]->n ||
        rj_slab_at(o->slab, here(o)) != row)
        (void)search(o, rj_row_place(row));
}

/* The leaf where it stands is its own. */
static bool own_leaf(struct rj_order *o)
{
    struct rj_leaf *copy;

    if (o->at[o->leaf]->users == 1)
        return true;
    copy = rj_piece_new(o->allocator, sizeof(*copy));
    if (copy == NULL)
        return false;
    *copy = *o->at[o->leaf];
    copy->users = 1;
    release(o, o->at[o->leaf]);
    o->at[o->leaf] = copy;
    return true;
}

bool rj_order_own(struct rj_order *o, const struct rj_row *row)
{
    stand(o, row);
    return own_leaf(o);
}

bool rj_order_fork(struct rj_order *to, const struct rj_order *from)
{
    uint32_t i;

    to->made = from->made;
    if (from->n == 0)
        return true;
    to->at = rj_mem_new(to->allocator, from->n * sizeof(struct rj_leaf *));
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
    bool behind = !search(o, place_of(o, ref));
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

void rj_order_change(struct rj_order *o, const struct rj_row *row, uint32_t ref)
{
    struct rj_leaf *leaf, *next;

    stand(o, row);
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

uint32_t rj_order_next(struct rj_order *o, const struct rj_row *row)
{
    stand(o, row);
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

uint32_t rj_order_prev(struct rj_order *o, const struct rj_row *row)
{
    stand(o, row);
    if (o->slot == 0) {
        if (o->leaf == 0)
            return 0;
        o->leaf--;
        o->slot = o->at[o->leaf]->n;
    }
    o->slot--;
    return here(o);
}
