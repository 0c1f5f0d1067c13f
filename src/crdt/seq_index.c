/* SPDX-License-Identifier: Apache-2.0 */
/* Index by dot: pages of sorted entries, in one row. New dots of the last replica come
 * last, where nothing is moved; a page that is full splits. What it takes depends on the
 * number of entries alone, not on how many replicas they are of. After a reserve putting
 * cannot fail: n entries split no page twice before it is half full. */
#include "crdt/seq.h"

enum { HALF = RJ_SEQ_PAGE / 2 };

static struct rj_seq_page *page(const struct rj_seq_index *x, uint32_t at)
{
    uint32_t id = x->order[at];

    return (struct rj_seq_page *)RJ_SEQ_BLOCK(&x->pages, id, RJ_SEQ_PAGE_BITS) +
           RJ_SEQ_SLOT(id, RJ_SEQ_PAGE_BITS);
}

enum rj_err rj_seq_index_reserve(struct rj_seq_index *x, size_t n)
{
    size_t more = n / HALF + 1 + x->n, cap;
    enum rj_err err;
    uint32_t *order;

    if (more > n)
        more = n;
    x->pages.size = sizeof(struct rj_seq_page);
    x->pages.bits = RJ_SEQ_PAGE_BITS;
    err = rj_seq_slab_reserve(&x->pages, more, x->allocator);
    if (err != RJ_OK || x->cap - x->n >= more)
        return err;
    cap = x->n + more + x->n / 8;
    order = rj_mem_resize(x->allocator, x->order, x->cap * sizeof(*order),
                          cap * sizeof(*order));
    if (order == NULL)
        return RJ_ENOMEM;
    x->order = order;
    x->cap = (uint32_t)cap;
    return RJ_OK;
}

void rj_seq_index_done(struct rj_seq_index *x)
{
    rj_mem_free(x->allocator, x->order, x->cap * sizeof(*x->order));
    rj_seq_slab_done(&x->pages, x->allocator);
}

static void add_page(struct rj_seq_index *x, uint32_t at)
{
    uint32_t id;

    assert(x->n < x->cap); /* it was reserved */
    memmove(x->order + at + 1, x->order + at, (x->n - at) * sizeof(*x->order));
    x->n++;
    id = x->free_pages != 0 ? x->free_pages - 1 : rj_seq_slab_take(&x->pages);
    x->order[at] = id;
    if (x->free_pages != 0)
        x->free_pages = page(x, at)->n;
    page(x, at)->n = 0;
}

/* The entry comes before dot, or is at it. */
static bool is_upto(const struct rj_seq_page *p, uint32_t slot, struct rj_dot dot)
{
    return p->origin[slot] != dot.origin ? p->origin[slot] < dot.origin
                                         : p->seq[slot] <= dot.seq;
}

static uint32_t count_upto(const struct rj_seq_page *p, struct rj_dot dot)
{
    uint32_t low = 0, high = p->n;

    while (low < high) {
        uint32_t mid = (low + high) / 2;

        if (is_upto(p, mid, dot))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The last page that begins at or before dot, else the first. No page is empty. */
static uint32_t page_of(const struct rj_seq_index *x, struct rj_dot dot)
{
    uint32_t low = 0, high = x->n;

    if (x->n > 0 && is_upto(page(x, x->n - 1), 0, dot))
        return x->n - 1;
    while (low < high) {
        uint32_t mid = (low + high) / 2;

        if (is_upto(page(x, mid), 0, dot))
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 ? low - 1 : 0;
}

/* Moves n entries from slot `from` on to slot `to`, of this or another page. */
static void move(struct rj_seq_page *p, uint32_t to, const struct rj_seq_page *old,
                 uint32_t from, uint32_t n)
{
    memmove(p->seq + to, old->seq + from, n * sizeof(*p->seq));
    memmove(p->origin + to, old->origin + from, n * sizeof(*p->origin));
    memmove(p->ref + to, old->ref + from, n * sizeof(*p->ref));
}

static void split(struct rj_seq_index *x, uint32_t at)
{
    add_page(x, at + 1);
    move(page(x, at + 1), 0, page(x, at), HALF, RJ_SEQ_PAGE - HALF);
    page(x, at + 1)->n = RJ_SEQ_PAGE - HALF;
    page(x, at)->n = HALF;
}

/* The page at *at is full, and an entry goes to *slot: finds another place for it. */
static void make_room(struct rj_seq_index *x, uint32_t *at, uint32_t *slot)
{
    bool is_last = *at + 1 == x->n;

    if (*slot == RJ_SEQ_PAGE && (is_last || page(x, *at + 1)->n < RJ_SEQ_PAGE)) {
        if (is_last)
            add_page(x, *at + 1);
        ++*at;
        *slot = 0;
        return;
    }
    split(x, *at);
    if (*slot > HALF) {
        ++*at;
        *slot -= HALF;
    }
}

void rj_seq_index_put(struct rj_seq_index *x, struct rj_dot dot, uint32_t ref)
{
    uint32_t at = page_of(x, dot), slot;
    struct rj_seq_page *p;

    if (x->n == 0)
        add_page(x, 0);
    slot = count_upto(page(x, at), dot);
    if (page(x, at)->n == RJ_SEQ_PAGE)
        make_room(x, &at, &slot);
    p = page(x, at);
    move(p, slot + 1, p, slot, p->n - slot);
    p->seq[slot] = dot.seq;
    p->origin[slot] = dot.origin;
    p->ref[slot] = ref;
    p->n++;
}

void rj_seq_index_set(struct rj_seq_index *x, struct rj_seq_at at, uint32_t ref)
{
    page(x, at.page)->ref[at.slot] = ref;
}

bool rj_seq_index_floor(const struct rj_seq_index *x, struct rj_dot dot,
                        struct rj_seq_at *ret)
{
    uint32_t at, slot;

    if (x->n == 0)
        return false;
    at = page_of(x, dot);
    slot = count_upto(page(x, at), dot);
    if (slot == 0 || page(x, at)->origin[slot - 1] != dot.origin)
        return false;
    *ret = (struct rj_seq_at){at, slot - 1};
    return true;
}

bool rj_seq_index_from(const struct rj_seq_index *x, struct rj_dot dot,
                       struct rj_seq_at *ret)
{
    struct rj_dot before = {dot.seq - 1, dot.origin};
    uint32_t at, slot;

    if (x->n == 0 || dot.seq == 0)
        return false;
    at = page_of(x, before);
    slot = count_upto(page(x, at), before);
    if (slot == page(x, at)->n) {
        at++;
        slot = 0;
    }
    *ret = (struct rj_seq_at){at, slot};
    return at < x->n && page(x, at)->origin[slot] == dot.origin;
}

bool rj_seq_index_next(const struct rj_seq_index *x, struct rj_seq_at *at)
{
    uint32_t origin = page(x, at->page)->origin[at->slot];

    at->slot++;
    if (at->slot == page(x, at->page)->n) {
        at->page++;
        at->slot = 0;
    }
    return at->page < x->n && page(x, at->page)->origin[at->slot] == origin;
}

uint64_t rj_seq_index_seq(const struct rj_seq_index *x, struct rj_seq_at at)
{
    return page(x, at.page)->seq[at.slot];
}

uint32_t rj_seq_index_ref(const struct rj_seq_index *x, struct rj_seq_at at)
{
    return page(x, at.page)->ref[at.slot];
}

void rj_seq_index_drop(struct rj_seq_index *x, struct rj_seq_at at)
{
    struct rj_seq_page *p = page(x, at.page);

    p->n--;
    move(p, at.slot, p, at.slot + 1, p->n - at.slot);
    if (p->n > 0)
        return;
    p->n = x->free_pages;
    x->free_pages = x->order[at.page] + 1;
    x->n--;
    memmove(x->order + at.page, x->order + at.page + 1,
            (x->n - at.page) * sizeof(*x->order));
}
