/* SPDX-License-Identifier: Apache-2.0 */
/* Dropping what is due. It is hidden long before; dropping only frees the memory, so it
 * must not be seen by the state (doc/format.md, "Expiry"). A version goes by its deadline
 * alone: whoever prolongs it makes another one, and what comes late and hangs on it is
 * due, too. A run of increments is a join of what many wrote, and a late write that
 * prolongs tells only what its author had seen of it: what was dropped of the rest would
 * be missing here for ever. So a run goes when everybody has its last increment and the
 * setter of its deadline, who writes from then on has seen both; and one of which
 * something was taken away stays, hidden: by which write is known nowhere. */
#include "bucket/state.h"

#include <assert.h>

struct drop {
    uint64_t cutoff_ms;
    const struct rj_vv *settled; /* NULL: nothing is */
    size_t left;                 /* how many may still go */
    uint64_t first;              /* earliest deadline that stays in the key; 0: none */
    bool full;                   /* something that may go stayed, for want of `left` */
};

static bool is_due(const struct drop *drop, const struct rj_dotted *d)
{
    return d->deadline != 0 && d->deadline < drop->cutoff_ms;
}

static bool stays(const struct drop *drop, const struct rj_dotted *d)
{
    const struct rj_run *run = rj_run_of_const(d);

    if (d->sort != RJ_DOTTED_RUN || rj_run_is_based(run))
        return false;
    return run->floor_seq != 0 || drop->settled == NULL ||
           !rj_vv_has(drop->settled, d->origin, d->seq) ||
           !rj_vv_has(drop->settled, run->setter.dot.origin, run->setter.dot.seq);
}

static bool may_go(const struct drop *drop, const struct rj_dotted *d)
{
    return is_due(drop, d) && !stays(drop, d);
}

/* The first due write of a list, versions before the runs that hang on them. */
static struct rj_dotted *find_due(const struct drop *drop, struct rj_dotted *first)
{
    struct rj_dotted *d, *run = NULL;

    for (d = first; d != NULL; d = d->next) {
        if (!may_go(drop, d))
            continue;
        if (d->sort == RJ_DOTTED_VERSION)
            return d;
        run = d;
    }
    return run;
}

static void drop_site(struct rj_bucket *b, const struct rj_site *site, struct drop *drop)
{
    struct rj_dotted **list = rj_site_list(site), *d;
    bool changed = false;

    while (drop->left > 0 && (d = find_due(drop, *list)) != NULL) {
        rj_change_out(b, site, d);
        drop->left--;
        changed = true;
    }
    if (changed)
        rj_change_kill_baseless(b, site);
    for (d = *list; d != NULL; d = d->next) {
        uint64_t deadline =
            is_due(drop, d) || d->sort >= RJ_DOTTED_GONE ? RJ_DUE_KEPT_MS : d->deadline;

        drop->full = drop->full || may_go(drop, d);
        if (deadline != 0 && (drop->first == 0 || deadline < drop->first))
            drop->first = deadline;
    }
    if (changed)
        rj_change_end(b, site);
}

/* Looks at one key of a slot that has passed, and moves it to a later one, or behind the
 * others that are kept. */
static enum rj_err drop_key(struct rj_bucket *b, struct rj_bkey *k, struct drop *drop)
{
    struct rj_due_link *link = rj_bkey_due(k);
    struct rj_site site = {.key = k};
    struct rj_walk walk = {0};
    bool was_live = k->live;
    enum rj_err err;

    assert(link != NULL); /* that is how it was found */
    drop->first = 0;
    drop->full = false;
    if (b->delete_wins && drop->settled != NULL) {
        err = rj_gone_settle(b, k, drop->settled, &drop->left);
        if (err != RJ_OK)
            return err;
    }
    while (rj_walk_next(&site, &walk))
        drop_site(b, &site, drop);
    if (b->watch != NULL && was_live && !k->live)
        rj_watch_key(b, k, RJ_CHANGE_EXPIRED);
    if (drop->full)
        return RJ_OK;
    if (drop->first == RJ_DUE_KEPT_MS && rj_due_start(link->slot) == 0) {
        rj_due_requeue(link);
        return RJ_OK;
    }
    err = drop->first != 0 ? rj_due_reserve(&b->due, NULL, drop->first) : RJ_OK;
    if (err != RJ_OK)
        return err;
    rj_due_drop(&b->due, link);
    if (drop->first != 0)
        rj_due_note(&b->due, link, drop->first);
    return RJ_OK;
}

/* The slot of what is kept; NULL: nothing is. */
static struct rj_due_slot *kept_slot(const struct rj_bucket *b)
{
    struct rj_due_slot *slot = rj_due_first(&b->due);

    return slot != NULL && rj_due_start(slot) == 0 ? slot : NULL;
}

/* The first slot of what is not. */
static struct rj_due_slot *first_slot(const struct rj_bucket *b)
{
    struct rj_due_slot *kept = kept_slot(b);

    return kept != NULL ? rj_due_next(kept) : rj_due_first(&b->due);
}

static enum rj_err drop_first(struct rj_bucket *b, struct rj_due_slot *slot,
                              struct drop *drop)
{
    if (rj_due_drop_empty(&b->due, slot))
        return RJ_OK;
    return drop_key(b, RJ_MAP_ENTRY(slot->head.next, struct rj_bkey_ext, due)->key, drop);
}

/* Looks again at some of what is kept: once a slot's time, and on while something goes.
 */
static enum rj_err drop_kept(struct rj_bucket *b, struct drop *drop)
{
    struct rj_due_slot *slot = kept_slot(b);
    const struct rj_due_link *last = slot != NULL ? slot->head.prev : NULL, *link = NULL;
    size_t n = drop->left, before = drop->left;
    enum rj_err err = RJ_OK;

    if (drop->cutoff_ms < b->kept_at && b->kept_at - drop->cutoff_ms <= RJ_DUE_SLOT_MS)
        return RJ_OK;
    if (drop->cutoff_ms < RJ_DUE_SLOT_MS) { /* a clock that was never set */
        b->kept_at = RJ_DUE_SLOT_MS;
        return RJ_OK;
    }
    for (; err == RJ_OK && link != last && n > 0 && drop->left > 0; n--) {
        slot = kept_slot(b);
        link = slot->head.next;
        err = drop_first(b, slot, drop);
    }
    b->kept_at = drop->cutoff_ms + (drop->left < before ? 0 : RJ_DUE_SLOT_MS);
    return err;
}

/* When there is something to do: in a slot that is not over, or again at once. */
static uint64_t next_time(const struct rj_bucket *b, uint64_t cutoff_ms)
{
    struct rj_due_slot *slot = first_slot(b);
    uint64_t next = slot != NULL ? rj_due_end(slot) : UINT64_MAX;

    if (kept_slot(b) != NULL && b->kept_at < next)
        next = b->kept_at;
    return next > cutoff_ms ? next : cutoff_ms;
}

enum rj_err rj_expiry_drop(struct rj_kind *k, uint64_t cutoff_ms, size_t most,
                           const struct rj_vv *settled, uint64_t *ret_next_ms)
{
    struct rj_bucket *b = rj_bucket_of(k);
    struct drop drop = {.cutoff_ms = cutoff_ms, .settled = settled, .left = most};
    struct rj_due_slot *slot;
    enum rj_err err = drop_kept(b, &drop);

    while (err == RJ_OK && drop.left > 0 && (slot = first_slot(b)) != NULL &&
           rj_due_end(slot) <= cutoff_ms)
        err = drop_first(b, slot, &drop);
    if (err == RJ_OK)
        *ret_next_ms = next_time(b, cutoff_ms);
    return err;
}
