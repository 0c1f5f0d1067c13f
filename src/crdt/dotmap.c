/* SPDX-License-Identifier: Apache-2.0 */
/* Dot maps with what must not cost a walk kept beside the items: how much is live, the
 * greatest deadline, the greatest rank. The greatest values are forgotten when their
 * holder goes and found again by a walk when next asked for. While items are few a walk
 * costs nothing, and nothing is kept. Almeida, Shoker, Baquero 2018, "Delta state
 * replicated data types", sections 5 and 6. */
#include "crdt/dotmap.h"

#include "base/alloc.h"
#include "crdt/counter.h"

#include <assert.h>

enum { ALIGN = _Alignof(struct rj_version) };

static const struct rj_bytes none = {0};

/* ---- items */

static struct rj_bytes name_of(const void *item)
{
    return rj_item_name(item);
}

struct rj_naming rj_dotmap_naming(const struct rj_hash_key *key)
{
    return (struct rj_naming){.name = name_of, .key = key};
}

static size_t aligned(size_t size)
{
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

/* Where the home of an item with a name of len bytes begins. */
static size_t home_offset(size_t len)
{
    return aligned(offsetof(struct rj_item, name) + len);
}

static size_t size_of(size_t len, bool home, size_t cap)
{
    return home_offset(len) + (home ? aligned(sizeof(struct rj_version) + cap) : 0);
}

static struct rj_item *item_at(const struct rj_dotmap *m, uint32_t ref)
{
    return rj_slab_at(&m->slab, ref);
}

static uint32_t new_item(struct rj_dotmap *m, struct rj_bytes name, size_t cap)
{
    bool home = cap <= RJ_HOME_MAX;
    uint32_t ref = rj_slab_new(&m->slab, size_of(name.len, home, cap));
    struct rj_item *item;
    struct rj_version *v;

    assert(name.len <= RJ_ITEM_NAME_MAX);
    if (ref == 0)
        return 0;
    item = item_at(m, ref);
    *item = (struct rj_item){.len = (uint32_t)name.len & RJ_ITEM_NAME_MAX, .home = home};
    if (name.len > 0)
        memcpy(item->name, name.ptr, name.len);
    if (home) {
        v = rj_item_home(item);
        v->d = (struct rj_dotted){.sort = RJ_DOTTED_VERSION, .home = true};
        v->len = 0;
        v->cap = (uint32_t)cap;
    }
    return ref;
}

struct rj_version *rj_item_home(struct rj_item *item)
{
    if (!item->home)
        return NULL;
    return (struct rj_version *)(void *)((char *)item + home_offset(item->len));
}

static size_t item_size(struct rj_item *item)
{
    return size_of(item->len, item->home, item->home ? rj_item_home(item)->cap : 0);
}

void rj_item_release(struct rj_item *item, struct rj_dotted *d)
{
    if (d->home)
        item->home_used = false;
    else
        free(d);
}

static void free_list(const struct rj_item *item)
{
    struct rj_dotted *d = item->first;

    while (d != NULL) {
        struct rj_dotted *next = d->next;

        if (!d->home)
            free(d);
        d = next;
    }
}

/* ---- the whole */

static void init_tables(struct rj_dotmap *m, const struct rj_naming *naming)
{
    m->slab = (struct rj_slab){.naming = naming};
    m->slots = (struct rj_slots){.slab = &m->slab};
}

void rj_dotmap_init(struct rj_dotmap *m, const struct rj_naming *naming)
{
    *m = (struct rj_dotmap){0};
    init_tables(m, naming);
}

static void drop_order(struct rj_dotmap *m)
{
    if (m->order != NULL)
        rj_order_done(m->order);
    free(m->order);
    m->order = NULL;
}

void rj_dotmap_done(struct rj_dotmap *m)
{
    const struct rj_item *item;
    struct rj_slot_walk w;

    if (m == NULL)
        return;
    for (w = rj_dotmap_items(m); (item = rj_item_next(&w)) != NULL;)
        free_list(item);
    drop_order(m);
    rj_slots_done(&m->slots);
    rj_slab_done(&m->slab);
    free(m->tally);
    rj_dotmap_init(m, m->slab.naming);
}

/* Where the items lie now, the lists of the former ones lead to former homes. */
static void move_homes(const struct rj_slots *former)
{
    struct rj_slot_walk w = {.slots = former};
    struct rj_item *item;

    while ((item = rj_item_next(&w)) != NULL) {
        struct rj_item *moved = item->dirty_next;
        struct rj_dotted **at = &moved->first, *home;

        if (!item->home_used)
            continue;
        home = &rj_item_home(item)->d;
        while (*at != home)
            at = &(*at)->next;
        *at = &rj_item_home(moved)->d;
    }
}

void rj_dotmap_settle(struct rj_dotmap *m)
{
    struct rj_slot_walk w = rj_dotmap_items(m);
    struct rj_dotmap fresh = {0};
    struct rj_item *item;
    bool moved = true;

    if (!rj_slab_is_wasteful(&m->slab))
        return;
    init_tables(&fresh, m->slab.naming);
    while (moved && (item = rj_item_next(&w)) != NULL) {
        size_t size = item_size(item);
        uint32_t ref = rj_slab_new(&fresh.slab, size);

        moved = ref != 0 &&
                rj_slots_put(&fresh.slots,
                             rj_slots_hash(&fresh.slots, none, rj_item_name(item)), ref);
        if (!moved)
            break;
        memcpy(item_at(&fresh, ref), item, size);
        item->dirty_next = item_at(&fresh, ref);
    }
    if (moved) {
        drop_order(m);
        move_homes(&m->slots);
    }
    rj_slots_done(moved ? &m->slots : &fresh.slots);
    rj_slab_done(moved ? &m->slab : &fresh.slab);
    if (!moved)
        return; /* another time */
    m->slab = fresh.slab;
    m->slots = fresh.slots;
    m->slots.slab = &m->slab;
    m->found = NULL;
}

/* ---- by name */

struct rj_item *rj_dotmap_find(struct rj_dotmap *m, struct rj_bytes name)
{
    const uint32_t *slot;

    if (m->found != NULL && rj_bytes_equal(rj_item_name(m->found), name))
        return m->found;
    slot = rj_slots_find(&m->slots, rj_slots_hash(&m->slots, none, name), none, name);
    if (slot == NULL)
        return NULL;
    m->found = item_at(m, *slot);
    return m->found;
}

uint64_t rj_dotmap_fetch(const struct rj_dotmap *m, uint64_t before, struct rj_bytes name)
{
    uint64_t hash = rj_slots_hash(&m->slots, none, name);

    rj_slots_fetch(&m->slots, before);
    rj_slots_expect(&m->slots, hash);
    return hash;
}

static enum rj_err make_tally(struct rj_dotmap *m);

/* Puts in what is not there. */
static enum rj_err put_item(struct rj_dotmap *m, uint32_t ref)
{
    struct rj_item *item = item_at(m, ref);
    uint64_t hash = rj_slots_hash(&m->slots, none, rj_item_name(item));

    if (m->slots.count == RJ_SLOTS_FEW && make_tally(m) != RJ_OK)
        return RJ_ENOMEM;
    if (!rj_slots_put(&m->slots, hash, ref))
        return RJ_ENOMEM;
    if (m->order != NULL && (rj_order_rests(m->order, m->slots.count) ||
                             !rj_order_put(m->order, ref)))
        drop_order(m);
    return RJ_OK;
}

enum rj_err rj_dotmap_get(struct rj_dotmap *m, struct rj_bytes name, size_t cap,
                          struct rj_item **ret_item)
{
    struct rj_item *item = rj_dotmap_find(m, name);
    uint32_t ref;

    if (item == NULL) {
        ref = new_item(m, name, cap);
        if (ref == 0)
            return RJ_ENOMEM;
        item = item_at(m, ref);
        if (put_item(m, ref) != RJ_OK) {
            rj_slab_free(&m->slab, ref, item_size(item));
            return RJ_ENOMEM;
        }
        m->found = item;
    }
    *ret_item = item;
    return RJ_OK;
}

void rj_dotmap_remove(struct rj_dotmap *m, struct rj_item *item)
{
    uint64_t hash = rj_slots_hash(&m->slots, none, rj_item_name(item));
    const uint32_t *slot = rj_slots_find(&m->slots, hash, none, rj_item_name(item));
    uint32_t ref = *slot;

    if (m->order != NULL && rj_order_rests(m->order, m->slots.count))
        drop_order(m);
    else if (m->order != NULL)
        rj_order_change(m->order, item, 0);
    rj_slots_remove(&m->slots, hash, slot);
    m->found = NULL;
    free_list(item);
    rj_slab_free(&m->slab, ref, item_size(item));
}

/* ---- walks */

struct rj_slot_walk rj_dotmap_items(const struct rj_dotmap *m)
{
    return (struct rj_slot_walk){.slots = &m->slots};
}

struct rj_item *rj_item_next(struct rj_slot_walk *w)
{
    uint32_t ref = rj_slots_next(w);

    return ref != 0 ? rj_slab_at(w->slots->slab, ref) : NULL;
}

static bool make_order(struct rj_dotmap *m)
{
    if (m->order == NULL) {
        m->order = rj_alloc_array(1, sizeof(*m->order));
        if (m->order == NULL)
            return false;
        *m->order = (struct rj_order){.slab = &m->slab};
    }
    if (rj_order_make(m->order, &m->slots))
        return true;
    drop_order(m);
    return false;
}

/* The first of few items behind name (NULL: of all). */
static struct rj_item *least_after(const struct rj_dotmap *m, const struct rj_bytes *name)
{
    struct rj_slot_walk w = rj_dotmap_items(m);
    struct rj_item *item, *least = NULL;

    while ((item = rj_item_next(&w)) != NULL) {
        if ((name == NULL || rj_bytes_compare(rj_item_name(item), *name) > 0) &&
            (least == NULL ||
             rj_bytes_compare(rj_item_name(item), rj_item_name(least)) < 0))
            least = item;
    }
    return least;
}

enum rj_err rj_dotmap_first(struct rj_dotmap *m, struct rj_item **ret_item)
{
    uint32_t ref;

    if (m->slots.dir == NULL) {
        *ret_item = least_after(m, NULL);
        return RJ_OK;
    }
    if (!make_order(m))
        return RJ_ENOMEM;
    ref = rj_order_from(m->order, none);
    *ret_item = ref != 0 ? item_at(m, ref) : NULL;
    return RJ_OK;
}

enum rj_err rj_dotmap_after(struct rj_dotmap *m, struct rj_bytes name,
                            struct rj_item **ret_item)
{
    const struct rj_item *item;
    uint32_t ref;

    if (m->slots.dir == NULL) {
        *ret_item = least_after(m, &name);
        return RJ_OK;
    }
    if (!make_order(m))
        return RJ_ENOMEM;
    item = rj_dotmap_find(m, name); /* where the last call ended, most of the time */
    ref = item != NULL ? rj_order_next(m->order, item) : rj_order_from(m->order, name);
    *ret_item = ref != 0 ? item_at(m, ref) : NULL;
    return RJ_OK;
}

/* ---- what is kept up to date */

/* The rank of one write: of a run, of its last increment or of who set its deadline. */
static struct rj_rank rank_of(const struct rj_dotted *d, const struct rj_origins *origins)
{
    struct rj_rank rank = {.stamp = d->stamp, .dot = rj_dotted_dot(d)};

    if (d->sort == RJ_DOTTED_RUN &&
        rj_rank_compare(origins, &rank, &rj_run_of_const(d)->setter) < 0)
        rank = rj_run_of_const(d)->setter;
    return rank;
}

/* Nothing in the map ranks above top, even while it is not known what has its rank: so
 * what ranks as high is the greatest. A field that is written again and again costs no
 * walk. */
static void raise_top(struct rj_tally *t, const struct rj_dotted *d,
                      const struct rj_origins *origins)
{
    struct rj_rank rank = rank_of(d, origins);

    if (rj_rank_compare(origins, &t->top, &rank) <= 0) {
        t->top = rank;
        t->top_deadline = d->deadline;
        t->top_known = true;
    }
}

static void count_deadline(struct rj_tally *t, uint64_t deadline)
{
    t->timed++;
    if (deadline < t->first_deadline)
        t->first_deadline = deadline;
    if (t->timed == 1 || (t->n_last > 0 && deadline > t->last_deadline)) {
        t->last_deadline = deadline;
        t->n_last = 1;
    } else if (t->n_last > 0 && deadline == t->last_deadline) {
        t->n_last++;
    }
}

static bool is_record(const struct rj_dotted *d)
{
    return d->sort == RJ_DOTTED_RUN && rj_run_is_dead(rj_run_of_const(d));
}

/* Counts d, but for its rank. */
static void count(struct rj_tally *t, const struct rj_dotted *d)
{
    if (is_record(d))
        t->records++;
    else if (rj_dotted_stands(d) && d->deadline == 0)
        t->forever++;
    else if (rj_dotted_stands(d))
        count_deadline(t, d->deadline);
}

/* Counts all that is in the map; which rank is the greatest is not known. */
static void count_all(const struct rj_dotmap *m, struct rj_tally *ret)
{
    struct rj_slot_walk w = rj_dotmap_items(m);
    const struct rj_item *item;
    const struct rj_dotted *d;

    *ret = (struct rj_tally){.first_deadline = UINT64_MAX,
                             .top = {.stamp = UINT64_MAX, .dot.seq = UINT64_MAX}};
    while ((item = rj_item_next(&w)) != NULL) {
        ret->live += item->live;
        for (d = item->first; d != NULL; d = d->next)
            count(ret, d);
    }
}

static enum rj_err make_tally(struct rj_dotmap *m)
{
    if (m->tally != NULL)
        return RJ_OK;
    m->tally = rj_alloc_array(1, sizeof(*m->tally));
    if (m->tally == NULL)
        return RJ_ENOMEM;
    count_all(m, m->tally);
    return RJ_OK;
}

void rj_dotmap_count_in(struct rj_dotmap *m, const struct rj_dotted *d,
                        const struct rj_origins *origins)
{
    if (m->tally == NULL)
        return;
    count(m->tally, d);
    if (!is_record(d))
        raise_top(m->tally, d, origins);
}

void rj_dotmap_count_out(struct rj_dotmap *m, const struct rj_dotted *d)
{
    struct rj_tally *t = m->tally;

    if (t == NULL)
        return;
    if (is_record(d)) {
        t->records--;
        return;
    }
    if (rj_dot_is(t->top.dot, rj_dotted_dot(d)) ||
        (d->sort == RJ_DOTTED_RUN &&
         rj_dot_is(t->top.dot, rj_run_of_const(d)->setter.dot)))
        t->top_known = false;
    if (!rj_dotted_stands(d))
        return;
    if (d->deadline == 0) {
        t->forever--;
        return;
    }
    t->timed--;
    if (t->n_last > 0 && d->deadline == t->last_deadline)
        t->n_last--;
    if (t->timed == 0)
        t->first_deadline = UINT64_MAX;
}

void rj_dotmap_refresh(struct rj_dotmap *m, struct rj_item *item)
{
    bool live = rj_dotfun_is_live(item->first);

    if (m->tally != NULL && live != item->live)
        m->tally->live += live ? 1 : UINT64_MAX;
    item->live = live;
}

/* ---- what is asked of the whole */

bool rj_dotmap_is_live(const struct rj_dotmap *m)
{
    struct rj_slot_walk w = rj_dotmap_items(m);
    const struct rj_item *item = NULL;

    if (m->tally != NULL)
        return m->tally->live > 0;
    while ((item = rj_item_next(&w)) != NULL && !item->live)
        continue;
    return item != NULL;
}

/* Finds the least and the greatest deadline again. */
static void find_deadlines(const struct rj_dotmap *m)
{
    struct rj_tally *t = m->tally, now;

    count_all(m, &now);
    t->timed = now.timed;
    t->n_last = now.n_last;
    t->first_deadline = now.first_deadline;
    t->last_deadline = now.last_deadline;
}

/* What is kept, or, of few items, what `few` is made to be. */
static struct rj_tally *tally_of(const struct rj_dotmap *m, struct rj_tally *few)
{
    if (m->tally != NULL)
        return m->tally;
    count_all(m, few);
    return few;
}

bool rj_dotmap_is_shown(const struct rj_dotmap *m, uint64_t now_ms)
{
    struct rj_tally few, *t = tally_of(m, &few);

    if (t->forever > 0)
        return true;
    if (t->timed == 0)
        return false;
    if (t->n_last == 0)
        find_deadlines(m);
    return t->last_deadline > now_ms;
}

uint64_t rj_dotmap_shown(const struct rj_dotmap *m, uint64_t now_ms)
{
    struct rj_slot_walk w = rj_dotmap_items(m);
    struct rj_tally few, *t = tally_of(m, &few);
    const struct rj_item *item;
    uint64_t n = 0;

    if (t->timed > 0 && t->first_deadline <= now_ms && t != &few)
        find_deadlines(m);
    if (t->timed == 0 || t->first_deadline > now_ms)
        return t->live;
    while ((item = rj_item_next(&w)) != NULL)
        n += rj_dotfun_is_shown(item->first, now_ms) ? 1 : 0;
    return n;
}

uint64_t rj_dotmap_deadline(const struct rj_dotmap *m, uint64_t now_ms)
{
    struct rj_tally few, *t = tally_of(m, &few);

    if (t->forever > 0 || t->timed == 0)
        return 0;
    if (t->n_last == 0)
        find_deadlines(m);
    return t->last_deadline > now_ms ? t->last_deadline : 0;
}

struct rj_rank rj_dotmap_rank(const struct rj_dotmap *m, const struct rj_origins *origins,
                              uint64_t now_ms)
{
    struct rj_tally few = {0}, *t = m->tally != NULL ? m->tally : &few;
    struct rj_slot_walk w = rj_dotmap_items(m);
    struct rj_rank rank = {0};
    const struct rj_item *item;
    const struct rj_dotted *d;

    if (t->top_known && !rj_is_due(t->top_deadline, now_ms))
        return t->top;
    t->top = (struct rj_rank){0};
    t->top_deadline = 0;
    while ((item = rj_item_next(&w)) != NULL) {
        for (d = item->first; d != NULL; d = d->next) {
            struct rj_rank other;

            if (is_record(d))
                continue;
            raise_top(t, d, origins);
            other = rank_of(d, origins);
            if (!rj_is_due(d->deadline, now_ms) &&
                rj_rank_compare(origins, &rank, &other) < 0)
                rank = other;
        }
    }
    t->top_known = true;
    return rank;
}
