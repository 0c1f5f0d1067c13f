/* SPDX-License-Identifier: Apache-2.0 */
/* A map by name and an array by index, shared by counting its users. */
#include "crdt/roster.h"

#include "base/cbor.h"

#include <rejoin/crdt.h>

enum {
    MARK_EVERY = 16, /* names of a view */
    NEAR = 64        /* spans that are walked before one is looked up */
};

static const struct rj_replica *replica_of(const struct rj_map_node *node)
{
    return RJ_MAP_ENTRY_CONST(node, struct rj_replica, node);
}

static struct rj_bytes name_of(const struct rj_map_node *node)
{
    return rj_bytes_of(replica_of(node) + 1, replica_of(node)->len);
}

struct rj_roster *rj_roster_new(const struct rj_allocator *allocator,
                                struct rj_bytes secret)
{
    struct rj_roster *t = rj_mem_new(allocator, sizeof(*t));

    if (t == NULL)
        return NULL;
    *t = (struct rj_roster){.users = 1, .allocator = allocator};
    rj_map_init(&t->map, name_of);
    rj_hash_key_init(&t->key, secret);
    return t;
}

static size_t marks_of(uint32_t n)
{
    return n / MARK_EVERY + 1;
}

enum rj_err rj_roster_view(struct rj_reader *r, uint32_t n, const struct rj_roster *key,
                           struct rj_roster **ret)
{
    struct rj_roster *t = rj_mem_new(key->allocator, sizeof(*t));
    struct rj_bytes last = {0}, name;
    const uint8_t *begun = r->ptr;

    if (t == NULL)
        return RJ_ENOMEM;
    *t = (struct rj_roster){.users = 1, .key = key->key, .allocator = key->allocator};
    t->marks = rj_mem_new(t->allocator, marks_of(n) * sizeof(*t->marks));
    if (t->marks == NULL) {
        rj_mem_free(t->allocator, t, sizeof(*t));
        return RJ_ENOMEM;
    }
    for (t->n = 0; t->n < n && !r->failed; t->n++, last = name) {
        if (t->n % MARK_EVERY == 0)
            t->marks[t->n / MARK_EVERY] = (uint32_t)(r->ptr - begun);
        name = rj_cbor_get_bytes(r);
        if (name.len == 0 || name.len > RJ_CRDT_NAME_MAX ||
            (t->n > 0 && rj_bytes_compare(last, name) >= 0))
            rj_reader_fail(r);
    }
    t->told = rj_bytes_of(begun, r->failed ? 0 : (size_t)(r->ptr - begun));
    t->n = n;
    *ret = t;
    return r->failed ? RJ_ECORRUPT : RJ_OK;
}

/* The first name at that mark, and a reader behind it. */
static struct rj_reader at_mark(const struct rj_roster *t, size_t mark)
{
    return rj_reader_of(
        rj_bytes_of(t->told.ptr + t->marks[mark], t->told.len - t->marks[mark]));
}

static struct rj_bytes view_get(const struct rj_roster *t, uint32_t index)
{
    struct rj_reader r = at_mark(t, index / MARK_EVERY);
    uint32_t i;

    for (i = index % MARK_EVERY; i > 0; i--)
        (void)rj_cbor_get_bytes(&r);
    return rj_cbor_get_bytes(&r);
}

static uint32_t view_find(const struct rj_roster *t, struct rj_bytes name)
{
    uint32_t low = 0, high = (t->n + MARK_EVERY - 1) / MARK_EVERY, i;
    struct rj_reader r;

    while (low < high) { /* the last mark whose name is not greater */
        uint32_t mid = low + (high - low) / 2;

        r = at_mark(t, mid);
        if (rj_bytes_compare(rj_cbor_get_bytes(&r), name) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return RJ_NAME_NONE;
    i = (low - 1) * MARK_EVERY;
    for (r = at_mark(t, low - 1); i < t->n && i < low * MARK_EVERY; i++) {
        if (rj_bytes_equal(rj_cbor_get_bytes(&r), name))
            return i;
    }
    return RJ_NAME_NONE;
}

static void remove_last(struct rj_roster *t)
{
    struct rj_replica *last = t->items[--t->n];

    rj_map_remove(&t->map, &last->node);
    rj_mem_free(t->allocator, last, sizeof(*last) + last->len);
}

void rj_roster_cut(struct rj_roster *t, uint32_t n)
{
    uint32_t cap = n > 2 ? n : 2;
    struct rj_replica **items;

    if (t->n <= n)
        return;
    while (t->n > n)
        remove_last(t);
    items = cap < t->cap ? rj_mem_resize(t->allocator, t->items,
                                         t->cap * sizeof(struct rj_replica *),
                                         cap * sizeof(struct rj_replica *))
                         : NULL;
    if (items != NULL) {
        t->items = items;
        t->cap = cap;
    }
}

struct rj_roster *rj_roster_share(struct rj_roster *t)
{
    t->users++;
    return t;
}

void rj_roster_release(struct rj_roster *t)
{
    uint32_t i;

    if (t == NULL || --t->users > 0)
        return;
    for (i = 0; t->marks == NULL && i < t->n; i++)
        rj_mem_free(t->allocator, t->items[i], sizeof(*t->items[i]) + t->items[i]->len);
    rj_mem_free(t->allocator, t->items, t->cap * sizeof(struct rj_replica *));
    rj_mem_free(t->allocator, t->marks, marks_of(t->n) * sizeof(*t->marks));
    rj_mem_free(t->allocator, t, sizeof(*t));
}

struct rj_bytes rj_roster_get(const struct rj_roster *t, uint32_t index)
{
    return t->marks != NULL ? view_get(t, index) : name_of(&t->items[index]->node);
}

uint32_t rj_roster_find(const struct rj_roster *t, struct rj_bytes name)
{
    struct rj_map_node *node;

    if (t->marks != NULL)
        return view_find(t, name);
    node = rj_map_find(&t->map, name);
    return node != NULL ? replica_of(node)->index : RJ_NAME_NONE;
}

static enum rj_err reserve(struct rj_roster *t)
{
    uint32_t cap = t->cap != 0 ? t->cap * 2 : 2;
    struct rj_replica **items;

    if (t->n < t->cap)
        return RJ_OK;
    items = rj_mem_resize(t->allocator, t->items, t->cap * sizeof(struct rj_replica *),
                          cap * sizeof(struct rj_replica *));
    if (items == NULL)
        return RJ_ENOMEM;
    t->items = items;
    t->cap = cap;
    return RJ_OK;
}

enum rj_err rj_roster_add(struct rj_roster *t, struct rj_bytes name, uint32_t *ret_index)
{
    struct rj_replica *r;
    uint32_t index = rj_roster_find(t, name);

    if (index != RJ_NAME_NONE) {
        *ret_index = index;
        return RJ_OK;
    }
    if (name.len == 0 || name.len > RJ_CRDT_NAME_MAX)
        return RJ_EINVAL;
    if (t->n >= RJ_CRDT_REPLICAS_MAX)
        return RJ_ELIMIT;
    if (reserve(t) != RJ_OK)
        return RJ_ENOMEM;
    r = rj_mem_new(t->allocator, sizeof(*r) + name.len);
    if (r == NULL)
        return RJ_ENOMEM;
    r->index = t->n;
    r->len = (uint32_t)name.len;
    memcpy(r + 1, name.ptr, name.len);
    (void)!rj_map_insert(&t->map, &r->node);
    t->items[t->n++] = r;
    *ret_index = r->index;
    return RJ_OK;
}

int rj_roster_compare(const struct rj_roster *t, uint32_t a, uint32_t b)
{
    return a == b ? 0 : rj_bytes_compare(rj_roster_get(t, a), rj_roster_get(t, b));
}

bool rj_roster_within(const struct rj_dots *a, const struct rj_roster *a_names,
                      const struct rj_dots *b, const struct rj_roster *b_names)
{
    struct rj_dots_walk w = rj_dots_walk_of(a), in_b = rj_dots_walk_of(b);
    struct rj_span s, there = {.origin = RJ_NAME_NONE};
    uint32_t last = RJ_NAME_NONE, o = RJ_NAME_NONE;

    while (rj_dots_next(&w, &s)) {
        unsigned steps = 0;
        bool found = s.origin == last;

        if (!found)
            o = rj_roster_find(b_names, rj_roster_get(a_names, last = s.origin));
        if (o == RJ_NAME_NONE)
            return false;
        while (!found || there.to < s.from) { /* it is near, or is looked up */
            if (!found || ++steps == NEAR)
                in_b = rj_dots_walk_from(b, o, s.from);
            found = rj_dots_next(&in_b, &there) && there.origin == o;
            if (!found)
                return false;
        }
        if (there.from > s.from || there.to < s.to)
            return false;
    }
    return true;
}
