/* SPDX-License-Identifier: Apache-2.0 */
/* The origin table: ids in a dense array, found through open addressing over their first
 * bytes (they are hashes, so no further hashing is needed). Nothing is ever removed. */
#include "causal/origin.h"

#include "base/alloc.h"
#include "base/be.h"

void rj_origin_id_make(struct rj_env *env, const struct rj_digest *device,
                       uint64_t incarnation, struct rj_origin_id *ret_id)
{
    uint8_t number[8];
    struct rj_bytes parts[3];
    struct rj_digest full;

    rj_be_store64(number, incarnation);
    parts[0] = RJ_BYTES_LIT("rejoin origin");
    parts[1] = rj_bytes_of(device->b, sizeof(device->b));
    parts[2] = rj_bytes_of(number, sizeof(number));
    env->ops->hash(env, parts, 3, &full);
    memcpy(ret_id->b, full.b, sizeof(ret_id->b));
}

void rj_origin_id_branch(struct rj_env *env, const struct rj_origin_id *root,
                         const struct rj_digest *first, struct rj_origin_id *ret_id)
{
    struct rj_bytes parts[3] = {RJ_BYTES_LIT("rejoin branch"), RJ_BYTES_OF(root->b),
                                RJ_BYTES_OF(first->b)};
    struct rj_digest full;

    env->ops->hash(env, parts, 3, &full);
    memcpy(ret_id->b, full.b, sizeof(ret_id->b));
}

void rj_origins_set_branch(struct rj_origins *t, uint32_t o, uint32_t parent,
                           uint64_t start)
{
    t->branches += t->items[o].parent == RJ_ORIGIN_NONE;
    t->items[o].parent = parent;
    t->items[o].root = t->items[parent].root;
    t->items[o].start = start;
}

uint32_t rj_names_find(const struct rj_names *names, uint32_t origin, uint64_t seq)
{
    size_t i;

    while (names != NULL && seq > names->origins->items[origin].end) {
        for (i = 0; i < names->n && names->items[i].of != origin; i++)
            continue;
        if (i == names->n)
            return RJ_ORIGIN_NONE;
        origin = names->items[i].branch;
    }
    return origin;
}

static uint32_t slot_of(const struct rj_origins *t, const struct rj_origin_id *id)
{
    uint32_t mask = t->slot_n - 1;
    uint32_t i = rj_be_load32(id->b) & mask;

    while (t->slots[i] != RJ_ORIGIN_NONE &&
           memcmp(t->items[t->slots[i]].id.b, id->b, sizeof(id->b)) != 0)
        i = (i + 1) & mask;
    return i;
}

uint32_t rj_origins_find(const struct rj_origins *t, const struct rj_origin_id *id)
{
    if (t->slot_n == 0)
        return RJ_ORIGIN_NONE;
    return t->slots[slot_of(t, id)];
}

static enum rj_err rehash(struct rj_origins *t, uint32_t slot_n)
{
    uint32_t *slots = rj_alloc_array(slot_n, sizeof(*slots));
    uint32_t i;

    if (slots == NULL)
        return RJ_ENOMEM;
    memset(slots, 0xff, slot_n * sizeof(*slots));
    free(t->slots);
    t->slots = slots;
    t->slot_n = slot_n;
    for (i = 0; i < t->n; i++)
        t->slots[slot_of(t, &t->items[i].id)] = i;
    return RJ_OK;
}

/* Room for one more origin, in all three arrays. */
static enum rj_err reserve(struct rj_origins *t)
{
    if (t->n == t->cap) {
        uint32_t cap = t->cap != 0 ? t->cap * 2 : 8;
        struct rj_origin *items = rj_alloc_resize(t->items, cap, sizeof(*items));
        uint32_t *order;

        if (items == NULL)
            return RJ_ENOMEM;
        t->items = items;
        order = rj_alloc_resize(t->order, cap, sizeof(*order));
        if (order == NULL)
            return RJ_ENOMEM;
        t->order = order;
        t->cap = cap;
    }
    if (t->slot_n < 2 * (t->n + 1))
        return rehash(t, t->slot_n != 0 ? t->slot_n * 2 : 32);
    return RJ_OK;
}

/* Puts the index t->n, whose id is there already, into its place in the order. */
static void insert_in_order(struct rj_origins *t)
{
    uint32_t low = 0, high = t->n;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (rj_origins_compare(t, t->order[mid], t->n) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    memmove(t->order + low + 1, t->order + low, (t->n - low) * sizeof(*t->order));
    t->order[low] = t->n;
}

enum rj_err rj_origins_add(struct rj_origins *t, const struct rj_origin_id *id,
                           uint32_t *ret_index)
{
    uint32_t found = rj_origins_find(t, id);
    enum rj_err err;

    if (found != RJ_ORIGIN_NONE) {
        *ret_index = found;
        return RJ_OK;
    }
    if (t->n >= RJ_ORIGINS_MAX)
        return RJ_ELIMIT;
    err = reserve(t);
    if (err != RJ_OK)
        return err;
    t->items[t->n] = (struct rj_origin){.id = *id,
                                        .replaced_by = RJ_ORIGIN_NONE,
                                        .end = UINT64_MAX,
                                        .parent = RJ_ORIGIN_NONE,
                                        .root = t->n};
    t->slots[slot_of(t, id)] = t->n;
    insert_in_order(t);
    *ret_index = t->n++;
    return RJ_OK;
}

int rj_origins_compare(const struct rj_origins *t, uint32_t a, uint32_t b)
{
    if (a == b)
        return 0;
    return memcmp(t->items[a].id.b, t->items[b].id.b, RJ_ORIGIN_LEN);
}

int rj_dot_order(const struct rj_origins *t, uint64_t stamp_a, struct rj_dot a,
                 uint64_t stamp_b, struct rj_dot b)
{
    int order;

    if (stamp_a != stamp_b)
        return stamp_a < stamp_b ? -1 : 1;
    order = rj_origins_compare(t, a.origin, b.origin);
    if (order != 0)
        return order;
    return (a.seq > b.seq) - (a.seq < b.seq);
}

void rj_origins_done(struct rj_origins *t)
{
    if (t == NULL)
        return;
    free(t->items);
    free(t->order);
    free(t->slots);
    *t = (struct rj_origins){0};
}
