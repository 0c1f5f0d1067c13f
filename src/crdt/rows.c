/* SPDX-License-Identifier: Apache-2.0 */
/* Two balanced trees over the same rows, one by place and one by dot. Invariants: a place
 * in the tree has at least one row; rows of a place ascend by (origin, seq).
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 5: dot
 * stores, here as one flat relation. */
#include "crdt/rows.h"

#include "base/be.h"

static struct rj_row *row_of(struct rj_map_node *node)
{
    return node != NULL ? RJ_MAP_ENTRY(node, struct rj_row, by_dot) : NULL;
}

static struct rj_place *place_of(struct rj_map_node *node)
{
    return node != NULL ? RJ_MAP_ENTRY(node, struct rj_place, by_name) : NULL;
}

static struct rj_bytes dot_key(const struct rj_map_node *node)
{
    return RJ_BYTES_OF(RJ_MAP_ENTRY_CONST(node, struct rj_row, by_dot)->key);
}

static struct rj_bytes place_key(const struct rj_map_node *node)
{
    return rj_place_name(RJ_MAP_ENTRY_CONST(node, struct rj_place, by_name));
}

static void put_key(uint8_t key[RJ_DOT_KEY_LEN], struct rj_dot dot)
{
    rj_be_store32(key, dot.origin);
    rj_be_store64(key + 4, dot.seq);
}

void rj_rows_init(struct rj_rows *rows, const struct rj_allocator *allocator)
{
    rj_map_init(&rows->places, place_key);
    rj_map_init(&rows->dots, dot_key);
    rows->allocator = allocator;
}

static void free_place(const struct rj_allocator *allocator, struct rj_place *place)
{
    rj_mem_free(allocator, place, sizeof(*place) + place->len);
}

static void free_row(const struct rj_allocator *allocator, struct rj_row *row)
{
    rj_mem_free(allocator, row, sizeof(*row) + row->len);
}

void rj_rows_done(struct rj_rows *rows)
{
    struct rj_map_node *node;

    while ((node = rj_map_take_any(&rows->dots)) != NULL)
        free_row(rows->allocator, row_of(node));
    while ((node = rj_map_take_any(&rows->places)) != NULL)
        free_place(rows->allocator, place_of(node));
}

struct rj_row *rj_row_new(const struct rj_allocator *allocator, struct rj_bytes place,
                          struct rj_dot dot, struct rj_bytes payload)
{
    struct rj_place *p = rj_mem_new(allocator, sizeof(*p) + place.len);
    struct rj_row *row =
        p != NULL ? rj_mem_new(allocator, sizeof(*row) + payload.len) : NULL;

    if (row == NULL) {
        if (p != NULL)
            rj_mem_free(allocator, p, sizeof(*p) + place.len);
        return NULL;
    }
    p->first = p->last = row;
    p->len = (uint32_t)place.len;
    if (place.len > 0)
        memcpy(p + 1, place.ptr, place.len);
    *row = (struct rj_row){.place = p, .dot = dot, .len = (uint32_t)payload.len};
    if (payload.len > 0)
        memcpy(row + 1, payload.ptr, payload.len);
    put_key(row->key, dot);
    return row;
}

void rj_row_free(const struct rj_allocator *allocator, struct rj_row *row)
{
    free_place(allocator, row->place);
    free_row(allocator, row);
}

/* Rows come mostly in their order, or in the reverse. */
static void link_row(struct rj_place *place, struct rj_row *row)
{
    struct rj_row *after = place->first;

    if (memcmp(place->last->key, row->key, RJ_DOT_KEY_LEN) < 0)
        after = NULL;
    while (after != NULL && memcmp(after->key, row->key, RJ_DOT_KEY_LEN) < 0)
        after = after->next;
    row->next = after;
    row->prev = after != NULL ? after->prev : place->last;
    if (row->prev != NULL)
        row->prev->next = row;
    else
        place->first = row;
    if (after != NULL)
        after->prev = row;
    else
        place->last = row;
}

void rj_rows_put(struct rj_rows *rows, struct rj_row *take_row)
{
    struct rj_place *spare = take_row->place;
    struct rj_place *there = place_of(rj_map_insert(&rows->places, &spare->by_name));

    (void)!rj_map_insert(&rows->dots, &take_row->by_dot);
    if (there == NULL)
        return;
    free_place(rows->allocator, spare);
    take_row->place = there;
    link_row(there, take_row);
}

void rj_rows_drop(struct rj_rows *rows, struct rj_row *row)
{
    struct rj_place *place = row->place;

    if (row->prev != NULL)
        row->prev->next = row->next;
    else
        place->first = row->next;
    if (row->next != NULL)
        row->next->prev = row->prev;
    else
        place->last = row->prev;
    if (place->first == NULL) {
        rj_map_remove(&rows->places, &place->by_name);
        free_place(rows->allocator, place);
    }
    rj_map_remove(&rows->dots, &row->by_dot);
    free_row(rows->allocator, row);
}

struct rj_row *rj_rows_find(const struct rj_rows *rows, struct rj_dot dot)
{
    uint8_t key[RJ_DOT_KEY_LEN];

    put_key(key, dot);
    return row_of(rj_map_find(&rows->dots, RJ_BYTES_OF(key)));
}

struct rj_row *rj_rows_from(const struct rj_rows *rows, struct rj_dot dot)
{
    uint8_t key[RJ_DOT_KEY_LEN];

    put_key(key, dot);
    return row_of(rj_map_lower_bound(&rows->dots, RJ_BYTES_OF(key)));
}

struct rj_row *rj_rows_after(const struct rj_row *row)
{
    return row_of(rj_map_next(&row->by_dot));
}

struct rj_place *rj_rows_place(const struct rj_rows *rows, struct rj_bytes name)
{
    return place_of(rj_map_find(&rows->places, name));
}

/* prefix || name against key. */
static int compare_joined(struct rj_bytes prefix, struct rj_bytes name,
                          struct rj_bytes key)
{
    int order = rj_bytes_compare(prefix, rj_bytes_first(key, prefix.len));

    return order != 0 ? order : rj_bytes_compare(name, rj_bytes_skip(key, prefix.len));
}

struct rj_place *rj_rows_at(const struct rj_rows *rows, struct rj_bytes prefix,
                            struct rj_bytes name)
{
    struct rj_map_node *node = rows->places.root;

    while (node != NULL) {
        int order = compare_joined(prefix, name, place_key(node));

        if (order == 0)
            break;
        node = node->child[order > 0];
    }
    return place_of(node);
}

static struct rj_place *if_under(struct rj_place *place, struct rj_bytes prefix)
{
    return place != NULL && rj_bytes_starts_with(rj_place_name(place), prefix) ? place
                                                                               : NULL;
}

struct rj_place *rj_rows_under(const struct rj_rows *rows, struct rj_bytes prefix)
{
    return if_under(place_of(rj_map_lower_bound(&rows->places, prefix)), prefix);
}

struct rj_place *rj_place_next(const struct rj_place *place, struct rj_bytes prefix)
{
    return if_under(place_of(rj_map_next(&place->by_name)), prefix);
}

struct rj_place *rj_place_prev(const struct rj_place *place, struct rj_bytes prefix)
{
    return if_under(place_of(rj_map_prev(&place->by_name)), prefix);
}
