/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of rows: blocks that never move, cut into pieces of as many bytes as a row
 * needs; free pieces are linked by size class. Small sizes are exact, so that rows of one
 * length waste nothing; greater ones are rounded up by at most an eighth, and what is
 * large has a block of its own. Bonwick 1994, "The slab allocator", with sizes in the
 * stead of types.
 */
#include "crdt/rows_store.h"

enum {
    UNIT = sizeof(uint32_t),
    BLOCK_FIRST = 256,
    BLOCK_MAX = UNIT << RJ_SLAB_OFFSET_BITS,
    BLOCKS_MAX = 1 << (31 - RJ_SLAB_OFFSET_BITS),
    PIECE_MAX = 4096,
    LINES_AHEAD = 128, /* bytes: what is written next is fetched */
    CLEAR_MAX = 6, /* blocks of what is emptied and used again; one more than there are */
    EXACT = 64,    /* units: classes of one size each */
    STEPS = 8,     /* classes for each doubling above */
    CLASSES = EXACT + STEPS * 4 + 1
};

/* Lengths below RJ_ROW_LONG are told in the row, else behind it. */
static size_t size_of(size_t place_len, size_t payload_len)
{
    size_t more =
        place_len >= RJ_ROW_LONG || payload_len >= RJ_ROW_LONG ? 2 * sizeof(uint32_t) : 0;

    return sizeof(struct rj_row) + more + place_len + payload_len;
}

static size_t bytes_of(uint32_t units)
{
    return (size_t)units * UNIT;
}

/* Rounds a number of units up to that of its class. */
static uint32_t class_of(size_t size, uint32_t *ret_units)
{
    uint32_t units = (uint32_t)((size + UNIT - 1) / UNIT), log, step;

    *ret_units = units;
    if (units <= EXACT)
        return units;
    log = 31 - (uint32_t)__builtin_clz(units - 1);
    step = ((uint32_t)1 << log) / STEPS;
    *ret_units = units = (units + step - 1) / step * step;
    return EXACT + (log - 6) * STEPS + (units - ((uint32_t)1 << log)) / step;
}

static bool grow_table(const struct rj_slab *s, struct rj_blocks *t)
{
    uint32_t cap = t->cap != 0 ? t->cap * 2 : 4;
    struct rj_block **at;

    if (t->n < t->cap)
        return true;
    at = rj_mem_resize(s->allocator, t->at, t->cap * sizeof(struct rj_block *),
                       cap * sizeof(struct rj_block *));
    if (at == NULL)
        return false;
    t->at = at;
    t->cap = cap;
    return true;
}

static struct rj_block *new_block(const struct rj_slab *s, size_t size)
{
    struct rj_block *b = rj_piece_new(s->allocator, sizeof(*b) + size);

    if (b != NULL)
        b->size = (uint32_t)size;
    return b;
}

static void release(const struct rj_slab *s, struct rj_block *b)
{
    if (b != NULL)
        rj_piece_release(s->allocator, b, sizeof(*b) + b->size);
}

static bool own(const struct rj_slab *s, struct rj_block **b)
{
    struct rj_block *copy;

    if ((*b)->users == 1)
        return true;
    copy = new_block(s, (*b)->size);
    if (copy == NULL)
        return false;
    memcpy(copy + 1, *b + 1, (*b)->used);
    copy->used = (*b)->used;
    (*b)->users--;
    *b = copy;
    return true;
}

bool rj_slab_own(struct rj_slab *s, uint32_t ref)
{
    return own(s, (ref & RJ_SLAB_LARGE) != 0 ? &s->large.at[ref & ~RJ_SLAB_LARGE]
                                             : &s->small.at[ref >> RJ_SLAB_OFFSET_BITS]);
}

/* ---- large ones */

static bool grow_large(struct rj_slab *s)
{
    uint32_t *spare;

    if (s->large.n == RJ_SLAB_LARGE - 1 || !grow_table(s, &s->large))
        return false;
    if (s->spare_cap >= s->large.cap)
        return true;
    spare = rj_mem_resize(s->allocator, s->spare, s->spare_cap * sizeof(*spare),
                          s->large.cap * sizeof(*spare));
    if (spare == NULL)
        return false;
    s->spare = spare;
    s->spare_cap = s->large.cap;
    return true;
}

static uint32_t new_large(struct rj_slab *s, size_t size)
{
    struct rj_block *b;
    uint32_t number;

    if (size > UINT32_MAX - sizeof(*b) || (s->n_spare == 0 && !grow_large(s)))
        return 0;
    b = new_block(s, size);
    if (b == NULL)
        return 0;
    b->used = (uint32_t)size;
    number = s->n_spare > 0 ? s->spare[--s->n_spare] : s->large.n++;
    s->large.at[number] = b;
    return RJ_SLAB_LARGE | number;
}

/* ---- pieces of blocks */

/* A block with room for that many units at its end, the last one. */
static struct rj_block *room(struct rj_slab *s, uint32_t units)
{
    struct rj_block *b = s->small.n > 0 ? s->small.at[s->small.n - 1] : NULL;
    size_t size = BLOCK_FIRST;

    if (b != NULL && b->size - b->used >= bytes_of(units))
        return own(s, &s->small.at[s->small.n - 1]) ? s->small.at[s->small.n - 1] : NULL;
    if (b != NULL)
        size = b->size * (size_t)2;
    while (size < bytes_of(units))
        size *= 2;
    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    if (s->small.n >= BLOCKS_MAX || !grow_table(s, &s->small))
        return NULL;
    if (s->small.n == 0) /* no reference is 0 */
        s->small.at[s->small.n++] = NULL;
    b = new_block(s, size);
    if (b != NULL)
        s->small.at[s->small.n++] = b;
    return b;
}

static uint32_t new_piece(struct rj_slab *s, size_t size)
{
    uint32_t units, class = class_of(size, &units), ref;
    struct rj_block *b;

    if (s->bins != NULL && s->bins[class] != 0) {
        ref = s->bins[class];
        if (!rj_slab_own(s, ref))
            return 0;
        s->bins[class] = rj_slab_at(s, ref)->next;
        s->free -= bytes_of(units);
        return ref;
    }
    b = room(s, units);
    if (b == NULL)
        return 0;
    ref = (s->small.n - 1) << RJ_SLAB_OFFSET_BITS | b->used / UNIT;
    b->used += (uint32_t)bytes_of(units);
    __builtin_prefetch((uint8_t *)(b + 1) + b->used + LINES_AHEAD, 1);
    s->total += bytes_of(units);
    return ref;
}

uint32_t rj_slab_new(struct rj_slab *s, size_t place_len, size_t payload_len)
{
    size_t size = size_of(place_len, payload_len);

    return size > PIECE_MAX ? new_large(s, size) : new_piece(s, size);
}

void rj_slab_free(struct rj_slab *s, uint32_t ref)
{
    struct rj_row *row = rj_slab_at(s, ref);
    uint32_t units, class;

    if ((ref & RJ_SLAB_LARGE) != 0) {
        uint32_t number = ref & ~RJ_SLAB_LARGE;

        release(s, s->large.at[number]);
        s->large.at[number] = NULL;
        s->spare[s->n_spare++] = number;
        return;
    }
    class = class_of(size_of(rj_row_place(row).len, rj_row_payload(row).len), &units);
    s->free += bytes_of(units);
    if (s->bins == NULL) {
        s->bins = rj_mem_new(s->allocator, CLASSES * sizeof(*s->bins));
        if (s->bins == NULL)
            return; /* then it is not used again before all is */
        memset(s->bins, 0, CLASSES * sizeof(*s->bins));
    }
    row->next = s->bins[class];
    s->bins[class] = ref;
}

/* ---- the whole */

static void table_done(const struct rj_slab *s, struct rj_blocks *t)
{
    uint32_t i;

    for (i = 0; i < t->n; i++)
        release(s, t->at[i]);
    rj_mem_free(s->allocator, t->at, t->cap * sizeof(struct rj_block *));
}

void rj_slab_clear(struct rj_slab *s)
{
    struct rj_block *last = s->small.n > 0 ? s->small.at[s->small.n - 1] : NULL;

    if (s->large.n > 0 || s->small.n > CLEAR_MAX || last == NULL || last->users > 1) {
        rj_slab_done(s);
        return;
    }
    while (s->small.n > 2) { /* the greatest stays */
        s->small.n--;
        release(s, s->small.at[s->small.n - 1]);
    }
    if (s->bins != NULL)
        memset(s->bins, 0, CLASSES * sizeof(*s->bins));
    s->small.at[1] = last;
    last->used = 0;
    s->total = s->free = 0;
}

void rj_slab_done(struct rj_slab *s)
{
    rj_mem_free(s->allocator, s->spare, s->spare_cap * sizeof(*s->spare));
    table_done(s, &s->small);
    table_done(s, &s->large);
    rj_mem_free(s->allocator, s->bins, CLASSES * sizeof(*s->bins));
    *s = (struct rj_slab){.allocator = s->allocator};
}

static bool table_fork(const struct rj_slab *s, struct rj_blocks *to,
                       const struct rj_blocks *from)
{
    uint32_t i;

    if (from->n == 0)
        return true;
    to->at = rj_mem_new(s->allocator, from->cap * sizeof(struct rj_block *));
    if (to->at == NULL)
        return false;
    memcpy(to->at, from->at, from->n * sizeof(struct rj_block *));
    to->n = from->n;
    to->cap = from->cap;
    for (i = 0; i < to->n; i++) {
        if (to->at[i] != NULL)
            to->at[i]->users++;
    }
    return true;
}

bool rj_slab_fork(struct rj_slab *to, const struct rj_slab *from)
{
    if (!table_fork(to, &to->small, &from->small) ||
        !table_fork(to, &to->large, &from->large))
        return false;
    if (from->spare_cap > 0) {
        to->spare = rj_mem_new(to->allocator, from->spare_cap * sizeof(*to->spare));
        if (to->spare == NULL)
            return false;
        to->spare_cap = from->spare_cap;
        to->n_spare = from->n_spare;
        memcpy(to->spare, from->spare, to->n_spare * sizeof(*to->spare));
    }
    if (from->bins != NULL) {
        to->bins = rj_mem_new(to->allocator, CLASSES * sizeof(*to->bins));
        if (to->bins == NULL)
            return false;
        memcpy(to->bins, from->bins, CLASSES * sizeof(*to->bins));
    }
    to->total = from->total;
    to->free = from->free;
    return true;
}
