/* SPDX-License-Identifier: Apache-2.0 */
/* The table of heirs (crdt/heirs.h): a map from names to the least of the names given. */
#include "crdt/heirs.h"

void rj_heirs_done(struct rj_heirs *h)
{
    rj_mem_free(h->allocator, h->items, h->cap * sizeof(*h->items));
    *h = (struct rj_heirs){.allocator = h->allocator};
}

static size_t index_of(const struct rj_heirs *h, uint32_t name)
{
    size_t low = 0, high = h->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (h->items[mid].name < name)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

uint32_t rj_heirs_of(const struct rj_heirs *h, uint32_t name)
{
    size_t at = index_of(h, name);

    return at < h->n && h->items[at].name == name ? h->items[at].heir : RJ_NAME_NONE;
}

static enum rj_err reserve(struct rj_heirs *h)
{
    size_t cap = h->cap + h->cap / 4 + 4;
    struct rj_heir *items;

    if (h->n < h->cap)
        return RJ_OK;
    items = rj_mem_resize(h->allocator, h->items, h->cap * sizeof(*items),
                          cap * sizeof(*items));
    if (items == NULL)
        return RJ_ENOMEM;
    h->items = items;
    h->cap = cap;
    return RJ_OK;
}

enum rj_err rj_heirs_note(struct rj_heirs *h, const struct rj_roster *names,
                          struct rj_heir heir)
{
    size_t at = index_of(h, heir.name);

    if (at < h->n && h->items[at].name == heir.name) {
        if (rj_roster_compare(names, heir.heir, h->items[at].heir) < 0)
            h->items[at].heir = heir.heir;
        return RJ_OK;
    }
    if (reserve(h) != RJ_OK)
        return RJ_ENOMEM;
    memmove(h->items + at + 1, h->items + at, (h->n - at) * sizeof(heir));
    h->items[at] = heir;
    h->n++;
    return RJ_OK;
}

enum rj_err rj_heirs_join(struct rj_heirs *h, const struct rj_roster *names,
                          const struct rj_heirs *other, const uint32_t *map)
{
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < other->n; i++) {
        struct rj_heir heir = other->items[i];

        if (map != NULL)
            heir = (struct rj_heir){map[heir.name], map[heir.heir]};
        err = rj_heirs_note(h, names, heir);
    }
    return err;
}

uint32_t rj_heirs_last(const struct rj_heirs *h, uint32_t name)
{
    uint32_t next;
    size_t steps = 0;

    while ((next = rj_heirs_of(h, name)) != RJ_NAME_NONE) {
        if (steps++ == h->n)
            return RJ_NAME_NONE;
        name = next;
    }
    return name;
}
