/* SPDX-License-Identifier: Apache-2.0 */
/* Rows by dot: of each origin a sorted array of entries, one for 256 sequences that have
 * a live row, with a bitmap of these and a page of their references: one for each
 * sequence, or, where that is less than half full, those of live ones in their order.
 * Dense dots cost little more than 4 bytes each, scattered ones an entry; bitmaps lie
 * side by side, so states are compared 64 rows at a time. (A rank in a bitmap as an
 * index: Bagwell 2001, "Ideal hash trees"; bitmaps by range: Lemire et al. 2016, "Roaring
 * bitmaps".) */
#include "crdt/rows_store.h"

enum { PAGE_FIRST = 4, PAGE_MAX = 1 << RJ_PAGE_BITS, DEAD_MIN = 8 };

static unsigned bit_of(struct rj_dot dot)
{
    return (unsigned)(dot.seq & (PAGE_MAX - 1));
}

/* ---- finding */

static uint32_t line_at(const struct rj_lines *l, uint32_t origin)
{
    uint32_t low = 0, high = l->n;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (l->at[mid].origin < origin)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct rj_line *rj_lines_of(const struct rj_lines *l, uint32_t origin)
{
    uint32_t i = line_at(l, origin);

    return i < l->n && l->at[i].origin == origin ? &l->at[i] : NULL;
}

uint32_t rj_line_at(const struct rj_line *line, uint64_t base)
{
    uint32_t low = 0, high = line->n;

    if (high == 0 || line->at[high - 1].base < base)
        return high;
    if (line->at[high - 1].base == base)
        return high - 1;
    if (base - line->at[0].base < high && /* mostly there are no gaps */
        line->at[base - line->at[0].base].base == base)
        return (uint32_t)(base - line->at[0].base);
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (line->at[mid].base < base)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct rj_entry *entry_of(const struct rj_lines *l, struct rj_dot dot)
{
    const struct rj_line *line = rj_lines_of(l, dot.origin);
    uint64_t base = dot.seq >> RJ_PAGE_BITS;
    uint32_t i = line != NULL ? rj_line_at(line, base) : 0;

    return line != NULL && i < line->n && line->at[i].base == base ? &line->at[i] : NULL;
}

static bool is_live(const struct rj_entry *e, unsigned bit)
{
    return (e->live[bit / 64] >> (bit % 64) & 1) != 0;
}

/* How many are live before that bit. */
static uint32_t rank(const struct rj_entry *e, unsigned bit)
{
    unsigned word = bit / 64, i;
    uint64_t below = e->live[word] & (((uint64_t)1 << (bit % 64)) - 1);
    uint32_t n = rj_ones(below);

    for (i = 0; i < word; i++)
        n += rj_ones(e->live[i]);
    return n;
}

/* Where in its page the reference for that bit stands. */
static uint32_t index_of(const struct rj_entry *e, unsigned bit)
{
    return e->cap == PAGE_MAX ? bit : rank(e, bit);
}

const uint32_t *rj_entry_ref(const struct rj_entry *e, unsigned bit)
{
    return &e->page->ref[index_of(e, bit)];
}

uint32_t rj_lines_find(const struct rj_lines *l, struct rj_dot dot)
{
    const struct rj_entry *e = entry_of(l, dot);

    return e != NULL && is_live(e, bit_of(dot)) ? *rj_entry_ref(e, bit_of(dot)) : 0;
}

unsigned rj_entry_next(const struct rj_entry *e, unsigned bit)
{
    for (; bit < PAGE_MAX; bit = (bit | 63) + 1) {
        uint64_t word = e->live[bit / 64] >> (bit % 64);

        if (word != 0)
            return bit + (unsigned)__builtin_ctzll(word);
    }
    return PAGE_MAX;
}

uint32_t rj_lines_from(const struct rj_lines *l, struct rj_dot dot)
{
    uint32_t i = line_at(l, dot.origin), j;

    for (; i < l->n; i++) {
        const struct rj_line *line = &l->at[i];
        uint64_t seq = line->origin == dot.origin ? dot.seq : 0;
        uint64_t base = seq >> RJ_PAGE_BITS;

        for (j = rj_line_at(line, base); j < line->n; j++) {
            const struct rj_entry *e = &line->at[j];
            unsigned bit =
                rj_entry_next(e, e->base == base ? (unsigned)(seq & (PAGE_MAX - 1)) : 0);

            if (bit < PAGE_MAX)
                return *rj_entry_ref(e, bit);
        }
    }
    return 0;
}

/* ---- pages */

static size_t page_size(uint32_t cap)
{
    return sizeof(struct rj_page) + cap * sizeof(uint32_t);
}

static void release(const struct rj_lines *l, struct rj_entry *e)
{
    rj_piece_release(l->allocator, e->page, page_size(e->cap));
    e->page = NULL;
    e->cap = 0;
}

/* Copies the references of live rows from one page to another of any form. */
static void copy_refs(const struct rj_entry *e, struct rj_page *to, uint32_t cap)
{
    uint32_t from = 0;
    unsigned bit, n = 0;

    if (cap == e->cap || (cap < PAGE_MAX && e->cap < PAGE_MAX)) {
        memcpy(to->ref, e->page->ref, (cap < e->cap ? cap : e->cap) * sizeof(uint32_t));
        return;
    }
    for (bit = rj_entry_next(e, 0); bit < PAGE_MAX; bit = rj_entry_next(e, bit + 1)) {
        uint32_t ref = e->page->ref[e->cap == PAGE_MAX ? bit : from++];

        to->ref[cap == PAGE_MAX ? bit : n++] = ref;
    }
}

/* Gives the entry a page of its own, with room for cap references. */
static bool set_page(const struct rj_lines *l, struct rj_entry *e, uint32_t cap)
{
    struct rj_page *page = rj_piece_new(l->allocator, page_size(cap));

    if (page == NULL)
        return false;
    if (e->page != NULL)
        copy_refs(e, page, cap);
    release(l, e);
    e->page = page;
    e->cap = cap;
    return true;
}

bool rj_lines_own(struct rj_lines *l, struct rj_dot dot)
{
    struct rj_entry *e = entry_of(l, dot);

    return e == NULL || e->page == NULL || e->page->users == 1 || set_page(l, e, e->cap);
}

/* ---- entries */

static struct rj_line *make_line(struct rj_lines *l, uint32_t origin)
{
    uint32_t i = line_at(l, origin), cap = l->cap != 0 ? l->cap * 2 : 1;

    if (i < l->n && l->at[i].origin == origin)
        return &l->at[i];
    if (l->n == l->cap) {
        struct rj_line *at =
            rj_mem_resize(l->allocator, l->at, l->cap * sizeof(*at), cap * sizeof(*at));

        if (at == NULL)
            return NULL;
        l->at = at;
        l->cap = cap;
    }
    memmove(&l->at[i + 1], &l->at[i], (l->n - i) * sizeof(*l->at));
    l->at[i] = (struct rj_line){.origin = origin};
    l->n++;
    return &l->at[i];
}

static struct rj_entry *make_entry(struct rj_lines *l, struct rj_line *line,
                                   uint64_t base)
{
    uint32_t i = rj_line_at(line, base);
    uint32_t cap = line->cap != 0 ? line->cap + line->cap / 2 + 1 : 1;

    if (i < line->n && line->at[i].base == base)
        return &line->at[i];
    if (line->n == line->cap) {
        struct rj_entry *at = rj_mem_resize(l->allocator, line->at,
                                            line->cap * sizeof(*at), cap * sizeof(*at));

        if (at == NULL)
            return NULL;
        line->at = at;
        line->cap = cap;
    }
    memmove(&line->at[i + 1], &line->at[i], (line->n - i) * sizeof(*line->at));
    line->at[i] = (struct rj_entry){.base = base};
    line->n++;
    line->dead++;
    return &line->at[i];
}

/* Takes out entries without rows, when they are many. */
static void compact(struct rj_line *line)
{
    uint32_t i, n = 0;

    while (line->n > 0 && line->at[line->n - 1].page == NULL) {
        line->n--;
        line->dead--;
    }
    if (line->dead < DEAD_MIN || line->dead < line->n / 8)
        return;
    for (i = 0; i < line->n; i++) {
        if (line->at[i].page != NULL)
            line->at[n++] = line->at[i];
    }
    line->n = n;
    line->dead = 0;
}

bool rj_lines_put(struct rj_lines *l, struct rj_dot dot, uint32_t ref)
{
    struct rj_line *line = make_line(l, dot.origin);
    struct rj_entry *e =
        line != NULL ? make_entry(l, line, dot.seq >> RJ_PAGE_BITS) : NULL;
    unsigned bit = bit_of(dot);
    uint32_t n, at, cap;

    if (e == NULL)
        return false;
    n = e->n;
    cap = e->cap;
    if (n == cap)
        cap = n == 0 ? PAGE_FIRST : 2 * n;
    if ((e->page == NULL || cap != e->cap || e->page->users > 1) && !set_page(l, e, cap))
        return false;
    if (n == 0)
        line->dead--;
    at = index_of(e, bit);
    if (cap < PAGE_MAX)
        memmove(&e->page->ref[at + 1], &e->page->ref[at], (n - at) * sizeof(uint32_t));
    e->page->ref[at] = ref;
    e->live[bit / 64] |= (uint64_t)1 << (bit % 64);
    e->n++;
    l->count++;
    return true;
}

void rj_lines_remove(struct rj_lines *l, struct rj_dot dot)
{
    struct rj_line *line = &l->at[line_at(l, dot.origin)];
    struct rj_entry *e = &line->at[rj_line_at(line, dot.seq >> RJ_PAGE_BITS)];
    uint32_t n = e->n - 1, at = index_of(e, bit_of(dot));

    if (n > 0 && e->cap < PAGE_MAX)
        memmove(&e->page->ref[at], &e->page->ref[at + 1], (n - at) * sizeof(uint32_t));
    e->live[bit_of(dot) / 64] &= ~((uint64_t)1 << (bit_of(dot) % 64));
    e->n--;
    l->count--;
    if (n == 0) {
        release(l, e);
        line->dead++;
        compact(line);
    } else if (n >= PAGE_FIRST && n <= e->cap / 4) {
        (void)!set_page(l, e, e->cap / 2);
    }
}

/* ---- the whole */

void rj_lines_done(struct rj_lines *l)
{
    uint32_t i, j;

    for (i = 0; i < l->n; i++) {
        for (j = 0; j < l->at[i].n; j++)
            release(l, &l->at[i].at[j]);
        rj_mem_free(l->allocator, l->at[i].at, l->at[i].cap * sizeof(struct rj_entry));
    }
    rj_mem_free(l->allocator, l->at, l->cap * sizeof(*l->at));
    *l = (struct rj_lines){.allocator = l->allocator};
}

bool rj_lines_fork(struct rj_lines *to, const struct rj_lines *from)
{
    uint32_t i, j;

    if (from->n == 0)
        return true;
    to->at = rj_mem_new(to->allocator, from->n * sizeof(*to->at));
    if (to->at == NULL)
        return false;
    to->cap = from->n;
    for (i = 0; i < from->n; i++) {
        const struct rj_line *old = &from->at[i];
        struct rj_line line = {.n = old->n,
                               .cap = old->n != 0 ? old->n : 1,
                               .dead = old->dead,
                               .origin = old->origin};

        line.at = rj_mem_new(to->allocator, line.cap * sizeof(*line.at));
        if (line.at == NULL)
            return false;
        if (old->n > 0)
            memcpy(line.at, old->at, old->n * sizeof(*line.at));
        for (j = 0; j < line.n; j++) {
            if (line.at[j].page != NULL)
                line.at[j].page->users++;
        }
        to->at[to->n++] = line;
    }
    to->count = from->count;
    return true;
}
