/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of things: blocks that never move, cut into pieces of as many bytes as a thing
 * needs; free pieces are linked by size class, in their first bytes. Small sizes are
 * exact, so that things of one length waste nothing; greater ones are rounded up by at
 * most an eighth, and what is large has a block of its own. Each block is a quarter of
 * all before it, so little is free at the end of the last one.
 * Bonwick 1994, "The slab allocator", with sizes in the stead of types. */
#include "crdt/named.h"

enum {
    UNIT = sizeof(uint32_t),
    TABLE_FIRST = 3, /* what an allocator gives at least, most of the time */
    BLOCK_MAX = UNIT << RJ_SLAB_OFFSET_BITS,
    BLOCKS_MAX = 1 << (31 - RJ_SLAB_OFFSET_BITS),
    PIECE_MAX = 4096,
    LINES_AHEAD = 128, /* bytes: what is written next is fetched */
    CLEAR_MAX = 6, /* blocks of what is emptied and used again; one more than there are */
    WASTE = 256 * 1024,
    EXACT = 64, /* units: classes of one size each */
    STEPS = 8,  /* classes for each doubling above */
    CLASSES = EXACT + STEPS * 4 + 1
};

#define MORE_SIZE (sizeof(struct rj_slab_more) + CLASSES * sizeof(uint32_t))

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
    uint32_t cap = t->cap != 0 ? t->cap * 2 : TABLE_FIRST;
    struct rj_block **at;

    if (t->n < t->cap)
        return true;
    at = rj_mem_resize(s->naming->allocator, t->at, t->cap * sizeof(struct rj_block *),
                       cap * sizeof(struct rj_block *));
    if (at == NULL)
        return false;
    t->at = at;
    t->cap = cap;
    return true;
}

static struct rj_block *new_block(const struct rj_slab *s, size_t size)
{
    struct rj_block *b = rj_piece_new(s->naming->allocator, sizeof(*b) + size);

    if (b != NULL)
        b->size = (uint32_t)size;
    return b;
}

static void release(const struct rj_slab *s, struct rj_block *b)
{
    if (b != NULL)
        rj_piece_release(s->naming->allocator, b, sizeof(*b) + b->size);
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
    return own(s, (ref & RJ_SLAB_LARGE) != 0 ? &s->more->large.at[ref & ~RJ_SLAB_LARGE]
                                             : &s->small.at[ref >> RJ_SLAB_OFFSET_BITS]);
}

static struct rj_slab_more *more_of(struct rj_slab *s)
{
    if (s->more == NULL) {
        s->more = rj_mem_new(s->naming->allocator, MORE_SIZE);
        if (s->more != NULL)
            memset(s->more, 0, MORE_SIZE);
    }
    return s->more;
}

/* ---- large ones */

static bool grow_large(const struct rj_slab *s, struct rj_slab_more *m)
{
    uint32_t *spare;

    if (m->large.n == RJ_SLAB_LARGE - 1 || !grow_table(s, &m->large))
        return false;
    if (m->spare_cap >= m->large.cap)
        return true;
    spare = rj_mem_resize(s->naming->allocator, m->spare, m->spare_cap * sizeof(*spare),
                          m->large.cap * sizeof(*spare));
    if (spare == NULL)
        return false;
    m->spare = spare;
    m->spare_cap = m->large.cap;
    return true;
}

static uint32_t new_large(struct rj_slab *s, size_t size)
{
    struct rj_slab_more *m = more_of(s);
    struct rj_block *b;
    uint32_t number;

    if (m == NULL || size > UINT32_MAX - sizeof(*b) ||
        (m->n_spare == 0 && !grow_large(s, m)))
        return 0;
    b = new_block(s, size);
    if (b == NULL)
        return 0;
    b->used = (uint32_t)size;
    number = m->n_spare > 0 ? m->spare[--m->n_spare] : m->large.n++;
    m->large.at[number] = b;
    return RJ_SLAB_LARGE | number;
}

/* ---- pieces of blocks */

/* A block with room for that many bytes at its end, the last one. */
static struct rj_block *room(struct rj_slab *s, size_t bytes)
{
    struct rj_blocks *t = &s->small;
    struct rj_block *b = t->n > 0 ? t->at[t->n - 1] : NULL;
    size_t size = s->total / 4;

    if (b != NULL && b->size - b->used >= bytes)
        return own(s, &t->at[t->n - 1]) ? t->at[t->n - 1] : NULL;
    if (size < s->naming->block)
        size = s->naming->block;
    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    size = size > bytes ? size - size % bytes : bytes;
    if (t->n >= BLOCKS_MAX || !grow_table(s, t))
        return NULL;
    if (t->n == 0) /* no reference is 0 */
        t->at[t->n++] = NULL;
    b = new_block(s, size);
    if (b != NULL)
        t->at[t->n++] = b;
    return b;
}

static uint32_t new_piece(struct rj_slab *s, size_t size)
{
    uint32_t units, class = class_of(size, &units), ref;
    struct rj_slab_more *m = s->more;
    struct rj_block *b;

    if (m != NULL && m->bins[class] != 0) {
        ref = m->bins[class];
        if (!rj_slab_own(s, ref))
            return 0;
        memcpy(&m->bins[class], rj_slab_at(s, ref), sizeof(ref));
        m->free -= bytes_of(units);
        return ref;
    }
    b = room(s, bytes_of(units));
    if (b == NULL)
        return 0;
    ref = (s->small.n - 1) << RJ_SLAB_OFFSET_BITS | b->used / UNIT;
    b->used += (uint32_t)bytes_of(units);
    __builtin_prefetch((uint8_t *)(b + 1) + b->used + LINES_AHEAD, 1);
    s->total += bytes_of(units);
    return ref;
}

uint32_t rj_slab_new(struct rj_slab *s, size_t size)
{
    return size > PIECE_MAX ? new_large(s, size) : new_piece(s, size);
}

void rj_slab_free(struct rj_slab *s, uint32_t ref, size_t size)
{
    struct rj_slab_more *m = more_of(s);
    uint32_t units, class;

    if (m == NULL)
        return; /* then it is not used again before all is */
    if ((ref & RJ_SLAB_LARGE) != 0) {
        uint32_t number = ref & ~RJ_SLAB_LARGE;

        release(s, m->large.at[number]);
        m->large.at[number] = NULL;
        m->spare[m->n_spare++] = number;
        return;
    }
    class = class_of(size, &units);
    m->free += bytes_of(units);
    memcpy(rj_slab_at(s, ref), &m->bins[class], sizeof(ref));
    m->bins[class] = ref;
}

bool rj_slab_is_wasteful(const struct rj_slab *s)
{
    return s->more != NULL && s->more->free >= WASTE && s->more->free >= s->total / 4 * 3;
}

/* ---- the whole */

static void table_done(const struct rj_slab *s, struct rj_blocks *t)
{
    uint32_t i;

    for (i = 0; i < t->n; i++)
        release(s, t->at[i]);
    rj_mem_free(s->naming->allocator, t->at, t->cap * sizeof(struct rj_block *));
}

void rj_slab_done(struct rj_slab *s)
{
    const struct rj_allocator *a = s->naming->allocator;
    struct rj_slab_more *m = s->more;

    table_done(s, &s->small);
    if (m != NULL) {
        table_done(s, &m->large);
        rj_mem_free(a, m->spare, m->spare_cap * sizeof(*m->spare));
        rj_mem_free(a, m, MORE_SIZE);
    }
    *s = (struct rj_slab){.naming = s->naming};
}

void rj_slab_clear(struct rj_slab *s)
{
    struct rj_block *last = s->small.n > 0 ? s->small.at[s->small.n - 1] : NULL;
    struct rj_slab_more *m = s->more;

    if (s->total == 0 && m == NULL)
        return;
    if (s->small.n > CLEAR_MAX || last == NULL || last->users > 1 ||
        (m != NULL && m->large.n > 0)) {
        rj_slab_done(s);
        return;
    }
    while (s->small.n > 2) { /* the greatest stays */
        s->small.n--;
        release(s, s->small.at[s->small.n - 1]);
    }
    if (m != NULL) {
        memset(m->bins, 0, CLASSES * sizeof(*m->bins));
        m->free = 0;
    }
    s->small.at[1] = last;
    last->used = 0;
    s->total = 0;
}

static bool table_fork(const struct rj_slab *s, struct rj_blocks *to,
                       const struct rj_blocks *from)
{
    uint32_t i;

    if (from->n == 0)
        return true;
    to->at = rj_mem_new(s->naming->allocator, from->cap * sizeof(struct rj_block *));
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

static bool more_fork(struct rj_slab *to, const struct rj_slab_more *from)
{
    struct rj_slab_more *m = more_of(to);

    if (m == NULL || !table_fork(to, &m->large, &from->large))
        return false;
    if (from->spare_cap > 0) {
        m->spare = rj_mem_new(to->naming->allocator, from->spare_cap * sizeof(*m->spare));
        if (m->spare == NULL)
            return false;
        m->spare_cap = from->spare_cap;
        m->n_spare = from->n_spare;
        memcpy(m->spare, from->spare, m->n_spare * sizeof(*m->spare));
    }
    m->free = from->free;
    memcpy(m->bins, from->bins, CLASSES * sizeof(*m->bins));
    return true;
}

bool rj_slab_fork(struct rj_slab *to, const struct rj_slab *from)
{
    to->total = from->total;
    return table_fork(to, &to->small, &from->small) &&
           (from->more == NULL || more_fork(to, from->more));
}
