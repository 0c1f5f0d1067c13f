/* SPDX-License-Identifier: Apache-2.0 */
/* Rows under their hashes. A row's dot says who wrote it and is left out, so that equal
 * things that were made apart are equal; but a counter's row is the sum of one replica,
 * and there equal payloads are not the same thing; nor are equal elements of a sequence.
 */
#include "crdt/recon.h"

static bool is_named(const struct rj_crdt *v, struct rj_bytes place)
{
    const struct rj_type *type;
    enum rj_contest contest = rj_place_contest(v, place, &type);

    return v->rules.tie == RJ_CRDT_TIE_MIN_REPLICA || contest == RJ_CONTEST_OWN ||
           (type != NULL && type->elements != NULL);
}

/* Lengths go before what they measure, so that different rows give different bytes. */
static struct rj_part part_of(const struct rj_crdt *v, const struct rj_row *row,
                              const struct rj_hash_key *key, struct rj_buf *room)
{
    struct rj_told told = rj_row_tell(row);
    struct rj_part part = {.dot = told.dot, .named = is_named(v, told.place)};
    struct rj_hash_128 hash;

    rj_buf_clear(room);
    rj_buf_varint(room, part.named ? told.dot.seq : 0);
    rj_buf_varint(room, told.place.len);
    rj_buf_append(room, told.place);
    rj_buf_varint(room, told.payload.len);
    rj_buf_append(room, told.payload);
    if (part.named)
        rj_buf_append(room, rj_roster_get(v->names, told.dot.origin));
    hash = rj_hash_128(key, rj_buf_view(room));
    part.low = hash.low;
    part.high = hash.high;
    return part;
}

static enum rj_err add(struct rj_parts *parts, const struct rj_part *part)
{
    size_t cap = parts->cap != 0 ? parts->cap * 2 : 64;
    struct rj_part *items;

    if (parts->n == parts->cap) {
        items = rj_mem_resize(parts->allocator, parts->items, parts->cap * sizeof(*items),
                              cap * sizeof(*items));
        if (items == NULL)
            return RJ_ENOMEM;
        parts->items = items;
        parts->cap = cap;
    }
    parts->items[parts->n++] = *part;
    return RJ_OK;
}

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_hash(const void *a, const void *b)
{
    const struct rj_part *x = a, *y = b;
    int low = order(x->low, y->low);

    return low != 0 ? low : order(x->high, y->high);
}

/* Several rows that say the same are one part. */
static void settle(struct rj_parts *parts)
{
    size_t i;

    if (parts->n > 1)
        qsort(parts->items, parts->n, sizeof(*parts->items), by_hash);
    for (i = 0; i < parts->n; i++) {
        struct rj_part *part = &parts->items[i];

        part->again = i > 0 && by_hash(part - 1, part) == 0;
        if (part->again)
            continue;
        rj_recon_sum_add(&parts->sum, part);
        parts->count++;
    }
}

enum rj_err rj_parts_init(struct rj_parts *parts, const struct rj_crdt *v,
                          const struct rj_hash_key *key)
{
    const struct rj_row *row = rj_rows_from(&v->rows, (struct rj_dot){0});
    struct rj_buf room = {.allocator = v->allocator};
    enum rj_err err = RJ_OK;

    parts->allocator = v->allocator;
    for (; err == RJ_OK && row != NULL; row = rj_rows_after(&v->rows, row)) {
        struct rj_part part = part_of(v, row, key, &room);

        err = rj_buf_err(&room);
        if (err == RJ_OK)
            err = add(parts, &part);
    }
    rj_buf_done(&room);
    settle(parts);
    return err;
}

void rj_parts_done(struct rj_parts *parts)
{
    rj_mem_free(parts->allocator, parts->items, parts->cap * sizeof(*parts->items));
    *parts = (struct rj_parts){.allocator = parts->allocator};
}

size_t rj_parts_at(const struct rj_parts *parts, uint64_t id)
{
    size_t low = 0, high = parts->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (rj_part_id(&parts->items[mid]) < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

enum rj_err rj_part_copy(const struct rj_crdt *v, const struct rj_part *part,
                         struct rj_dot dot, struct rj_crdt *delta)
{
    const struct rj_row *row = rj_rows_find(&v->rows, part->dot);
    struct rj_told told = rj_row_tell(row);
    enum rj_err err;

    told.dot = dot;
    err = rj_rows_put(&delta->rows, &told, NULL);
    return err == RJ_OK ? rj_dots_note(&delta->seen, dot) : err;
}
