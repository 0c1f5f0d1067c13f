/* SPDX-License-Identifier: Apache-2.0 */
/* A map by name and an array by index, shared by counting its users. */
#include "crdt/roster.h"

#include <rejoin/crdt.h>

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
    for (i = 0; i < t->n; i++)
        rj_mem_free(t->allocator, t->items[i], sizeof(*t->items[i]) + t->items[i]->len);
    rj_mem_free(t->allocator, t->items, t->cap * sizeof(struct rj_replica *));
    rj_mem_free(t->allocator, t, sizeof(*t));
}

struct rj_bytes rj_roster_get(const struct rj_roster *t, uint32_t index)
{
    return name_of(&t->items[index]->node);
}

uint32_t rj_roster_find(const struct rj_roster *t, struct rj_bytes name)
{
    struct rj_map_node *node = rj_map_find(&t->map, name);

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
    size_t i;

    for (i = 0; i < a->n; i++) {
        const struct rj_span *s = &a->spans[i];
        uint32_t o = rj_roster_find(b_names, rj_roster_get(a_names, s->origin));
        size_t at = o != RJ_NAME_NONE ? rj_dots_at(b, o, s->from) : b->n;

        if (at >= b->n || b->spans[at].origin != o || b->spans[at].from > s->from ||
            b->spans[at].to < s->to)
            return false;
    }
    return true;
}
