/* SPDX-License-Identifier: Apache-2.0 */
/* Index by dot: for each origin an array of pages, ascending; a page holds sorted keys
 * and numbers. New dots come last, where nothing is moved; a page that is full splits.
 * After a reserve putting cannot fail: n entries split no page twice before it is half
 * full. */
#include "crdt/seq.h"

enum { HALF = RJ_SEQ_PAGE / 2 };

static struct rj_seq_page *page(const struct rj_seq_index *x, uint32_t id)
{
    return (struct rj_seq_page *)x->pages.ptr + id;
}

static enum rj_err reserve_origins(struct rj_seq_index *x, uint32_t n)
{
    struct rj_seq_pages *origins;
    uint32_t i;

    if (n <= x->n_origins)
        return RJ_OK;
    origins = rj_mem_resize(x->allocator, x->origins, x->n_origins * sizeof(*origins),
                            n * sizeof(*origins));
    if (origins == NULL)
        return RJ_ENOMEM;
    for (i = x->n_origins; i < n; i++)
        origins[i] = (struct rj_seq_pages){0};
    x->origins = origins;
    x->n_origins = n;
    return RJ_OK;
}

enum rj_err rj_seq_index_reserve(struct rj_seq_index *x, uint32_t n_origins, size_t n)
{
    enum rj_err err = reserve_origins(x, n_origins);
    size_t more = n / HALF + 1;
    uint32_t i;

    if (n < more + x->pages.n)
        more = n;
    else
        more += x->pages.n;
    more += n < n_origins ? n : n_origins; /* first pages */
    x->pages.size = sizeof(struct rj_seq_page);
    if (err == RJ_OK && x->pages.cap - x->pages.n < more)
        err = rj_seq_slab_reserve(&x->pages, more, x->allocator);
    for (i = 0; err == RJ_OK && i < x->n_origins; i++) {
        struct rj_seq_pages *o = &x->origins[i];
        size_t cap = 2 * (o->n + more);
        uint32_t *list;

        if (o->cap - o->n >= more)
            continue;
        list = rj_mem_resize(x->allocator, o->page, o->cap * sizeof(*list),
                             cap * sizeof(*list));
        if (list == NULL)
            return RJ_ENOMEM;
        o->page = list;
        o->cap = (uint32_t)cap;
    }
    return err;
}

void rj_seq_index_done(struct rj_seq_index *x)
{
    uint32_t i;

    for (i = 0; i < x->n_origins; i++)
        rj_mem_free(x->allocator, x->origins[i].page,
                    x->origins[i].cap * sizeof(uint32_t));
    rj_mem_free(x->allocator, x->origins, x->n_origins * sizeof(*x->origins));
    rj_seq_slab_done(&x->pages, x->allocator);
}

static uint32_t add_page(struct rj_seq_index *x, uint32_t origin, uint32_t at)
{
    struct rj_seq_pages *o = &x->origins[origin];
    uint32_t id = x->free_pages;

    if (id != 0)
        x->free_pages = page(x, id - 1)->n;
    else
        id = ++x->pages.n;
    id--;
    memmove(o->page + at + 1, o->page + at, (o->n - at) * sizeof(*o->page));
    o->page[at] = id;
    o->n++;
    page(x, id)->n = 0;
    return id;
}

/* Entries of p with a key at most seq. */
static uint32_t count_upto(const struct rj_seq_page *p, uint64_t seq)
{
    uint32_t low = 0, high = p->n;

    while (low < high) {
        uint32_t mid = (low + high) / 2;

        if (p->seq[mid] <= seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The last page of origin that begins at or before seq, else the first. Pages of an
 * origin are never empty. */
static uint32_t page_of(const struct rj_seq_index *x, uint32_t origin, uint64_t seq)
{
    const struct rj_seq_pages *o = &x->origins[origin];
    uint32_t low = 0, high = o->n;

    if (o->n > 0 && page(x, o->page[o->n - 1])->seq[0] <= seq)
        return o->n - 1;
    while (low < high) {
        uint32_t mid = (low + high) / 2;

        if (page(x, o->page[mid])->seq[0] <= seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 ? low - 1 : 0;
}

static void split(struct rj_seq_index *x, uint32_t origin, uint32_t at)
{
    struct rj_seq_page *from = page(x, x->origins[origin].page[at]);
    struct rj_seq_page *to = page(x, add_page(x, origin, at + 1));

    memcpy(to->seq, from->seq + HALF, (RJ_SEQ_PAGE - HALF) * sizeof(*to->seq));
    memcpy(to->ref, from->ref + HALF, (RJ_SEQ_PAGE - HALF) * sizeof(*to->ref));
    to->n = RJ_SEQ_PAGE - HALF;
    from->n = HALF;
}

void rj_seq_index_put(struct rj_seq_index *x, struct rj_dot dot, uint32_t ref)
{
    struct rj_seq_pages *o = &x->origins[dot.origin];
    uint32_t at = page_of(x, dot.origin, dot.seq), slot;
    struct rj_seq_page *p;

    if (o->n == 0)
        (void)add_page(x, dot.origin, 0);
    p = page(x, o->page[at]);
    slot = count_upto(p, dot.seq);
    if (p->n == RJ_SEQ_PAGE) {
        if (slot == RJ_SEQ_PAGE && at + 1 == o->n)
            (void)add_page(x, dot.origin, at + 1);
        else
            split(x, dot.origin, at);
        p = page(x, o->page[at]);
        if (slot > p->n || p->n == RJ_SEQ_PAGE) {
            slot -= p->n;
            p = page(x, o->page[at + 1]);
        }
    }
    memmove(p->seq + slot + 1, p->seq + slot, (p->n - slot) * sizeof(*p->seq));
    memmove(p->ref + slot + 1, p->ref + slot, (p->n - slot) * sizeof(*p->ref));
    p->seq[slot] = dot.seq;
    p->ref[slot] = ref;
    p->n++;
}

bool rj_seq_index_floor(const struct rj_seq_index *x, struct rj_dot dot,
                        struct rj_seq_at *ret)
{
    uint32_t at, slot;

    if (dot.origin >= x->n_origins || x->origins[dot.origin].n == 0)
        return false;
    at = page_of(x, dot.origin, dot.seq);
    slot = count_upto(page(x, x->origins[dot.origin].page[at]), dot.seq);
    if (slot == 0)
        return false;
    *ret = (struct rj_seq_at){dot.origin, at, slot - 1};
    return true;
}

bool rj_seq_index_from(const struct rj_seq_index *x, struct rj_dot dot,
                       struct rj_seq_at *ret)
{
    struct rj_dot before = {dot.seq - 1, dot.origin};

    if (dot.origin >= x->n_origins || x->origins[dot.origin].n == 0)
        return false;
    if (dot.seq > 0 && rj_seq_index_floor(x, before, ret))
        return rj_seq_index_next(x, ret);
    *ret = (struct rj_seq_at){dot.origin, 0, 0};
    return true;
}

bool rj_seq_index_next(const struct rj_seq_index *x, struct rj_seq_at *at)
{
    const struct rj_seq_pages *o = &x->origins[at->origin];

    if (at->slot + 1 < page(x, o->page[at->page])->n) {
        at->slot++;
        return true;
    }
    if (at->page + 1 >= o->n)
        return false;
    at->page++;
    at->slot = 0;
    return true;
}

uint64_t rj_seq_index_seq(const struct rj_seq_index *x, struct rj_seq_at at)
{
    return page(x, x->origins[at.origin].page[at.page])->seq[at.slot];
}

uint32_t rj_seq_index_ref(const struct rj_seq_index *x, struct rj_seq_at at)
{
    return page(x, x->origins[at.origin].page[at.page])->ref[at.slot];
}

void rj_seq_index_drop(struct rj_seq_index *x, struct rj_seq_at at)
{
    struct rj_seq_pages *o = &x->origins[at.origin];
    struct rj_seq_page *p = page(x, o->page[at.page]);

    p->n--;
    memmove(p->seq + at.slot, p->seq + at.slot + 1, (p->n - at.slot) * sizeof(*p->seq));
    memmove(p->ref + at.slot, p->ref + at.slot + 1, (p->n - at.slot) * sizeof(*p->ref));
    if (p->n == 0) {
        p->n = x->free_pages;
        x->free_pages = o->page[at.page] + 1;
        o->n--;
        memmove(o->page + at.page, o->page + at.page + 1,
                (o->n - at.page) * sizeof(*o->page));
    }
}
