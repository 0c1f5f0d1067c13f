/* SPDX-License-Identifier: Apache-2.0 */
/* Slots in an ordered map, each with a ring of links. Invariant: no slot is empty, but
 * one that was just reserved. */
#include "bucket/due.h"

#include "base/alloc.h"
#include "base/be.h"
#include <assert.h>

static struct rj_bytes key_of(const struct rj_map_node *node)
{
    return RJ_BYTES_OF(RJ_MAP_ENTRY_CONST(node, struct rj_due_slot, node)->number);
}

static struct rj_due_slot *slot_of(struct rj_map_node *node)
{
    return node != NULL ? RJ_MAP_ENTRY(node, struct rj_due_slot, node) : NULL;
}

void rj_due_init(struct rj_due *due)
{
    *due = (struct rj_due){0};
    rj_map_init(&due->slots, key_of);
}

void rj_due_done(struct rj_due *due)
{
    struct rj_map_node *node;

    while ((node = rj_map_take_any(&due->slots)) != NULL)
        free(slot_of(node));
    rj_due_init(due);
}

static struct rj_due_slot *find(struct rj_due *due, uint64_t deadline)
{
    uint8_t number[8];

    rj_be_store64(number, deadline / RJ_DUE_SLOT_MS);
    if (due->last == NULL || memcmp(due->last->number, number, sizeof(number)) != 0)
        due->last = slot_of(rj_map_find(&due->slots, RJ_BYTES_OF(number)));
    return due->last;
}

/* True iff link is where the deadline is not missed. */
static bool is_early(const struct rj_due_link *link, uint64_t deadline)
{
    return link != NULL && link->slot != NULL &&
           rj_be_load64(link->slot->number) <= deadline / RJ_DUE_SLOT_MS;
}

enum rj_err rj_due_reserve(struct rj_due *due, const struct rj_due_link *link,
                           uint64_t deadline)
{
    struct rj_due_slot *slot;

    if (is_early(link, deadline) || find(due, deadline) != NULL)
        return RJ_OK;
    slot = rj_alloc_zero(1, sizeof(*slot));
    if (slot == NULL)
        return RJ_ENOMEM;
    rj_be_store64(slot->number, deadline / RJ_DUE_SLOT_MS);
    slot->head.prev = slot->head.next = &slot->head;
    (void)!rj_map_insert(&due->slots, &slot->node);
    due->last = slot;
    return RJ_OK;
}

static void append(struct rj_due_slot *slot, struct rj_due_link *link)
{
    link->slot = slot;
    link->next = &slot->head;
    link->prev = slot->head.prev;
    link->prev->next = link;
    slot->head.prev = link;
}

void rj_due_note(struct rj_due *due, struct rj_due_link *link, uint64_t deadline)
{
    struct rj_due_slot *slot;

    if (is_early(link, deadline))
        return;
    rj_due_drop(due, link);
    slot = find(due, deadline);
    assert(slot != NULL);
    append(slot, link);
}

void rj_due_requeue(struct rj_due_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    append(link->slot, link);
}

void rj_due_drop(struct rj_due *due, struct rj_due_link *link)
{
    struct rj_due_slot *slot = link->slot;

    if (slot == NULL)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    *link = (struct rj_due_link){0};
    (void)rj_due_drop_empty(due, slot);
}

bool rj_due_drop_empty(struct rj_due *due, struct rj_due_slot *slot)
{
    if (slot->head.next != &slot->head)
        return false;
    if (due->last == slot)
        due->last = NULL;
    rj_map_remove(&due->slots, &slot->node);
    free(slot);
    return true;
}

struct rj_due_slot *rj_due_first(const struct rj_due *due)
{
    return slot_of(rj_map_first(&due->slots));
}

struct rj_due_slot *rj_due_next(const struct rj_due_slot *slot)
{
    return slot_of(rj_map_next(&slot->node));
}

uint64_t rj_due_start(const struct rj_due_slot *slot)
{
    return rj_be_load64(slot->number) * RJ_DUE_SLOT_MS;
}

uint64_t rj_due_end(const struct rj_due_slot *slot)
{
    uint64_t start = rj_due_start(slot);

    return start <= UINT64_MAX - RJ_DUE_SLOT_MS ? start + RJ_DUE_SLOT_MS : UINT64_MAX;
}
