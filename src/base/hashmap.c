/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing; deletion shifts back what follows (Knuth, TAOCP 3,
 * 6.4, algorithm R), so there are no tombstones. Invariants: cap is a power of two, at
 * most 3/4 of it is used, and between the home of an entry and its slot every slot is
 * used. The hash is keyed, so nobody outside can aim for one slot. */
#include "base/hashmap.h"

#include "base/alloc.h"

enum { CAP_SMALLEST = 16 };

struct rj_hashmap_slot {
    uint64_t hash;
    struct rj_bytes key;
    void *value; /* NULL: the slot is free */
};

void rj_hashmap_init(struct rj_hashmap *m, const struct rj_hash_key *hash_key)
{
    *m = (struct rj_hashmap){.hash_key = hash_key};
}

void rj_hashmap_done(struct rj_hashmap *m)
{
    if (m == NULL)
        return;
    free(m->slots);
    m->slots = NULL;
    m->cap = m->count = 0;
}

/* The slot of key, or the free one where it would go. There is always a free one. */
static size_t find_slot(const struct rj_hashmap *m, uint64_t hash, struct rj_bytes key)
{
    size_t mask = m->cap - 1;
    size_t i = (size_t)hash & mask;

    while (m->slots[i].value != NULL) {
        if (m->slots[i].hash == hash && rj_bytes_equal(m->slots[i].key, key))
            break;
        i = (i + 1) & mask;
    }
    return i;
}

static bool grow(struct rj_hashmap *m)
{
    struct rj_hashmap fresh = *m;
    size_t cap = CAP_SMALLEST;

    if (m->cap > 0 && !rj_size_mul(m->cap, 2, &cap))
        return false;
    fresh.cap = cap;
    fresh.slots = rj_alloc_zero(cap, sizeof(*fresh.slots));
    if (fresh.slots == NULL)
        return false;
    for (size_t i = 0; i < m->cap; i++) {
        const struct rj_hashmap_slot *slot = &m->slots[i];

        if (slot->value != NULL)
            fresh.slots[find_slot(&fresh, slot->hash, slot->key)] = *slot;
    }
    free(m->slots);
    *m = fresh;
    return true;
}

void *rj_hashmap_get(const struct rj_hashmap *m, struct rj_bytes key)
{
    if (m->count == 0)
        return NULL;
    return m->slots[find_slot(m, rj_hash_64(m->hash_key, key), key)].value;
}

enum rj_err rj_hashmap_put(struct rj_hashmap *m, struct rj_bytes key, void *value)
{
    uint64_t hash = rj_hash_64(m->hash_key, key);
    size_t i;

    if (m->count > 0 && m->slots[find_slot(m, hash, key)].value != NULL)
        return RJ_EEXIST;
    if (m->count >= m->cap - m->cap / 4 && !grow(m))
        return RJ_ENOMEM;
    i = find_slot(m, hash, key);
    m->slots[i] = (struct rj_hashmap_slot){.hash = hash, .key = key, .value = value};
    m->count++;
    return RJ_OK;
}

void *rj_hashmap_remove(struct rj_hashmap *m, struct rj_bytes key)
{
    size_t mask = m->cap - 1;
    size_t hole, i;
    void *value;

    if (m->count == 0)
        return NULL;
    hole = find_slot(m, rj_hash_64(m->hash_key, key), key);
    value = m->slots[hole].value;
    if (value == NULL)
        return NULL;
    /* An entry may fill the hole iff its home is not behind the hole on its way. */
    for (i = (hole + 1) & mask; m->slots[i].value != NULL; i = (i + 1) & mask) {
        size_t home = (size_t)m->slots[i].hash & mask;

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct rj_hashmap_slot){0};
    m->count--;
    return value;
}
