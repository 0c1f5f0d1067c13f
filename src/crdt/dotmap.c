/* SPDX-License-Identifier: Apache-2.0 */
/* Dot maps with what must not cost a walk kept beside them: how much is live, the
 * greatest deadline, the greatest rank. The greatest values are forgotten when their
 * holder goes and found again by a walk when next asked for. Almeida, Shoker, Baquero
 * 2018, "Delta state replicated data types", sections 5 and 6. */
#include "crdt/dotmap.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "crdt/counter.h"

enum { RECENT_MIN = 128 };

static struct rj_bytes key_of(const struct rj_map_node *node)
{
    return rj_item_name(RJ_MAP_ENTRY_CONST(node, struct rj_item, node));
}

void rj_dotmap_init(struct rj_dotmap *m)
{
    *m = (struct rj_dotmap){.first_deadline = UINT64_MAX, .top_known = true};
    rj_map_init(&m->map, key_of);
}

static void free_item(struct rj_item *item)
{
    struct rj_dotted *d = item->first;

    while (d != NULL) {
        struct rj_dotted *next = d->next;

        if (!d->home)
            free(d);
        d = next;
    }
    free(item);
}

void rj_dotmap_done(struct rj_dotmap *m)
{
    struct rj_map_node *node;

    if (m == NULL)
        return;
    while ((node = rj_map_take_any(&m->map)) != NULL)
        free_item(rj_item_of(node));
    free(m->recent);
    rj_dotmap_init(m);
}

/* ---- finding by name
 * A search in a large tree is a dozen reads from all over memory. So where a name was
 * found last is kept in a pair of places that its hash picks; what is found neither there
 * nor in the tree is not there. Without memory for places, the tree alone will do. */

static struct rj_item **recent_pair(const struct rj_dotmap *m, struct rj_bytes name)
{
    return &m->recent[rj_hash_checksum(name) & (m->n_recent - 2)];
}

static void remember(struct rj_dotmap *m, struct rj_item *item)
{
    struct rj_item **pair;

    if (m->n_recent == 0)
        return;
    pair = recent_pair(m, rj_item_name(item));
    pair[1] = pair[0];
    pair[0] = item;
}

static void forget(struct rj_dotmap *m, const struct rj_item *item)
{
    struct rj_item **pair;
    int i;

    if (m->n_recent == 0)
        return;
    pair = recent_pair(m, rj_item_name(item));
    for (i = 0; i < 2; i++) {
        if (pair[i] == item)
            pair[i] = NULL;
    }
}

/* Keeps a place or two for each item of a map that is large enough. */
static void grow_recent(struct rj_dotmap *m)
{
    size_t n = m->n_recent != 0 ? 2 * m->n_recent : RECENT_MIN;
    struct rj_item **recent;

    if (m->map.count < n / 2)
        return;
    recent = rj_alloc_zero(n, sizeof(struct rj_item *));
    if (recent == NULL)
        return;
    free(m->recent);
    m->recent = recent;
    m->n_recent = n;
}

struct rj_item *rj_dotmap_find(struct rj_dotmap *m, struct rj_bytes name)
{
    struct rj_map_node *node;
    struct rj_item **pair;
    int i;

    if (m->n_recent != 0) {
        pair = recent_pair(m, name);
        for (i = 0; i < 2; i++) {
            if (pair[i] != NULL && rj_bytes_equal(rj_item_name(pair[i]), name))
                return pair[i];
        }
    }
    node = rj_map_find(&m->map, name);
    if (node == NULL)
        return NULL;
    remember(m, rj_item_of(node));
    return rj_item_of(node);
}

/* Where the home of an item with a name of len bytes begins. */
static size_t home_offset(size_t len)
{
    size_t align = _Alignof(struct rj_version);

    return (sizeof(struct rj_item) + len + align - 1) / align * align;
}

static struct rj_item *new_item(struct rj_bytes name, size_t cap)
{
    bool home = cap <= RJ_HOME_MAX;
    size_t offset = home_offset(name.len);
    struct rj_item *item;
    struct rj_version *v;

    item = rj_alloc_array(offset + (home ? sizeof(*v) + cap : 0), 1);
    if (item == NULL)
        return NULL;
    *item = (struct rj_item){.len = (uint32_t)name.len, .home = home};
    if (name.len > 0)
        memcpy(item + 1, name.ptr, name.len);
    if (home) {
        v = rj_item_home(item);
        v->d = (struct rj_dotted){.sort = RJ_DOTTED_VERSION, .home = true};
        v->len = 0;
        v->cap = (uint32_t)cap;
    }
    return item;
}

enum rj_err rj_dotmap_get(struct rj_dotmap *m, struct rj_bytes name, size_t cap,
                          struct rj_item **ret_item)
{
    struct rj_item *item = rj_dotmap_find(m, name);

    if (item == NULL) {
        item = new_item(name, cap);
        if (item == NULL)
            return RJ_ENOMEM;
        (void)!rj_map_insert(&m->map, &item->node);
        grow_recent(m);
        remember(m, item);
    }
    *ret_item = item;
    return RJ_OK;
}

struct rj_item *rj_dotmap_first(const struct rj_dotmap *m)
{
    struct rj_map_node *node = rj_map_first(&m->map);

    return node != NULL ? rj_item_of(node) : NULL;
}

struct rj_item *rj_dotmap_after(const struct rj_dotmap *m, struct rj_bytes name)
{
    struct rj_map_node *node = rj_map_upper_bound(&m->map, name);

    return node != NULL ? rj_item_of(node) : NULL;
}

struct rj_item *rj_item_next(const struct rj_item *item)
{
    struct rj_map_node *node = rj_map_next(&item->node);

    return node != NULL ? rj_item_of(node) : NULL;
}

void rj_dotmap_remove(struct rj_dotmap *m, struct rj_item *item)
{
    forget(m, item);
    rj_map_remove(&m->map, &item->node);
    free_item(item);
}

struct rj_version *rj_item_home(struct rj_item *item)
{
    if (!item->home)
        return NULL;
    return (struct rj_version *)(void *)((char *)item + home_offset(item->len));
}

void rj_item_release(struct rj_item *item, struct rj_dotted *d)
{
    if (d->home)
        item->home_used = false;
    else
        free(d);
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
static void raise_top(struct rj_dotmap *m, const struct rj_dotted *d,
                      const struct rj_origins *origins)
{
    struct rj_rank rank = rank_of(d, origins);

    if (rj_rank_compare(origins, &m->top, &rank) <= 0) {
        m->top = rank;
        m->top_deadline = d->deadline;
        m->top_known = true;
    }
}

static void count_deadline(struct rj_dotmap *m, uint64_t deadline)
{
    m->timed++;
    if (deadline < m->first_deadline)
        m->first_deadline = deadline;
    if (m->timed == 1 || (m->n_last > 0 && deadline > m->last_deadline)) {
        m->last_deadline = deadline;
        m->n_last = 1;
    } else if (m->n_last > 0 && deadline == m->last_deadline) {
        m->n_last++;
    }
}

void rj_dotmap_count_in(struct rj_dotmap *m, const struct rj_dotted *d,
                        const struct rj_origins *origins)
{
    if (d->sort == RJ_DOTTED_RUN && rj_run_is_dead(rj_run_of_const(d))) {
        m->records++;
        return;
    }
    raise_top(m, d, origins);
    if (!rj_dotted_stands(d))
        return;
    if (d->deadline == 0)
        m->forever++;
    else
        count_deadline(m, d->deadline);
}

void rj_dotmap_count_out(struct rj_dotmap *m, const struct rj_dotted *d)
{
    if (d->sort == RJ_DOTTED_RUN && rj_run_is_dead(rj_run_of_const(d))) {
        m->records--;
        return;
    }
    if (rj_dot_is(m->top.dot, rj_dotted_dot(d)) ||
        (d->sort == RJ_DOTTED_RUN &&
         rj_dot_is(m->top.dot, rj_run_of_const(d)->setter.dot)))
        m->top_known = false;
    if (!rj_dotted_stands(d))
        return;
    if (d->deadline == 0) {
        m->forever--;
        return;
    }
    m->timed--;
    if (m->n_last > 0 && d->deadline == m->last_deadline)
        m->n_last--;
    if (m->timed == 0)
        m->first_deadline = UINT64_MAX;
}

void rj_dotmap_refresh(struct rj_dotmap *m, struct rj_item *item)
{
    bool live = rj_dotfun_is_live(item->first);

    if (live && !item->live)
        m->live++;
    else if (!live && item->live)
        m->live--;
    item->live = live;
}

/* Finds the least and the greatest deadline again. */
static void find_deadlines(struct rj_dotmap *m)
{
    struct rj_item *item;
    const struct rj_dotted *d;

    m->timed = 0;
    m->n_last = 0;
    m->first_deadline = UINT64_MAX;
    for (item = rj_dotmap_first(m); item != NULL; item = rj_item_next(item)) {
        for (d = item->first; d != NULL; d = d->next) {
            if (rj_dotted_stands(d) && d->deadline != 0)
                count_deadline(m, d->deadline);
        }
    }
}

bool rj_dotmap_is_shown(struct rj_dotmap *m, uint64_t now_ms)
{
    if (m->forever > 0)
        return true;
    if (m->timed == 0)
        return false;
    if (m->n_last == 0)
        find_deadlines(m);
    return m->last_deadline > now_ms;
}

uint64_t rj_dotmap_shown(struct rj_dotmap *m, uint64_t now_ms)
{
    struct rj_item *item;
    uint64_t n = 0;

    if (m->timed > 0 && m->first_deadline <= now_ms)
        find_deadlines(m);
    if (m->timed == 0 || m->first_deadline > now_ms)
        return m->live;
    for (item = rj_dotmap_first(m); item != NULL; item = rj_item_next(item))
        n += rj_dotfun_is_shown(item->first, now_ms) ? 1 : 0;
    return n;
}

uint64_t rj_dotmap_deadline(struct rj_dotmap *m, uint64_t now_ms)
{
    if (m->forever > 0 || m->timed == 0 || !rj_dotmap_is_shown(m, now_ms))
        return 0;
    return m->last_deadline;
}

struct rj_rank rj_dotmap_rank(struct rj_dotmap *m, const struct rj_origins *origins,
                              uint64_t now_ms)
{
    struct rj_rank rank = {0};
    struct rj_item *item;
    const struct rj_dotted *d;

    if (m->top_known && !rj_is_due(m->top_deadline, now_ms))
        return m->top;
    m->top = (struct rj_rank){0};
    m->top_deadline = 0;
    for (item = rj_dotmap_first(m); item != NULL; item = rj_item_next(item)) {
        for (d = item->first; d != NULL; d = d->next) {
            struct rj_rank other;

            if (d->sort == RJ_DOTTED_RUN && rj_run_is_dead(rj_run_of_const(d)))
                continue;
            raise_top(m, d, origins);
            other = rank_of(d, origins);
            if (!rj_is_due(d->deadline, now_ms) &&
                rj_rank_compare(origins, &rank, &other) < 0)
                rank = other;
        }
    }
    m->top_known = true;
    return rank;
}
