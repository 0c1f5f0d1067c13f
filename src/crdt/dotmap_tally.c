/* SPDX-License-Identifier: Apache-2.0 */
/* What must not cost a walk, kept beside the items of a dot map: how much is live, the
 * greatest deadline, the greatest rank. The greatest values are forgotten when their
 * holder goes and found again by a walk when next asked for. While items are few a walk
 * costs nothing, and nothing is kept. */
#include "base/alloc.h"
#include "crdt/counter.h"
#include "crdt/dotmap.h"

/* ---- keeping it up to date */

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

enum rj_err rj_dotmap_keep_tally(struct rj_dotmap *m)
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
