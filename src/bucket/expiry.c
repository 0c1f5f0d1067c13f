/* SPDX-License-Identifier: Apache-2.0 */
/* Dropping what is due. It is hidden long before; dropping only frees the memory, so it
 * must not be seen by the state: the cutoff lies where nobody can still have made a write
 * that prolongs what is due before it (doc/format.md, "Expiry"). A run of increments goes
 * with all that is known of it. */
#include "bucket/state.h"

struct drop {
    uint64_t cutoff_ms;
    size_t left;    /* how many may still go */
    uint64_t first; /* earliest deadline that stays in the key; 0: none */
    bool full;      /* something due stayed, for want of `left` */
};

static bool is_due(const struct drop *drop, const struct rj_dotted *d)
{
    return d->deadline != 0 && d->deadline < drop->cutoff_ms;
}

/* The first due write of a list, versions before the runs that hang on them. */
static struct rj_dotted *find_due(const struct drop *drop, struct rj_dotted *first)
{
    struct rj_dotted *d, *run = NULL;

    for (d = first; d != NULL; d = d->next) {
        if (!is_due(drop, d))
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
        drop->full = drop->full || is_due(drop, d);
        if (d->deadline != 0 && (drop->first == 0 || d->deadline < drop->first))
            drop->first = d->deadline;
    }
    if (changed)
        rj_change_end(b, site);
}

/* Looks at one key of a slot that has passed, and moves it to a later one. */
static enum rj_err drop_key(struct rj_bucket *b, struct rj_bkey *k, struct drop *drop)
{
    struct rj_site site = {.key = k};
    bool started = false;
    enum rj_err err;

    drop->first = 0;
    drop->full = false;
    while (rj_walk_next(&site, &started))
        drop_site(b, &site, drop);
    if (drop->full)
        return RJ_OK;
    if (drop->first == 0) {
        rj_due_drop(&b->due, rj_bkey_due(k));
        return RJ_OK;
    }
    err = rj_due_reserve(&b->due, NULL, drop->first);
    if (err != RJ_OK)
        return err;
    rj_due_drop(&b->due, rj_bkey_due(k));
    rj_due_note(&b->due, rj_bkey_due(k), drop->first);
    return RJ_OK;
}

enum rj_err rj_expiry_drop(struct rj_kind *k, uint64_t cutoff_ms, size_t most,
                           uint64_t *ret_next_ms)
{
    struct rj_bucket *b = rj_bucket_of(k);
    struct drop drop = {.cutoff_ms = cutoff_ms, .left = most};
    struct rj_due_slot *slot;

    while ((slot = rj_due_first(&b->due)) != NULL && rj_due_end(slot) <= cutoff_ms) {
        struct rj_bkey_ext *ext = RJ_MAP_ENTRY(slot->head.next, struct rj_bkey_ext, due);
        enum rj_err err;

        if (drop.left == 0)
            break;
        if (rj_due_drop_empty(&b->due, slot))
            continue;
        err = drop_key(b, ext->key, &drop);
        if (err != RJ_OK)
            return err;
    }
    if (slot == NULL)
        *ret_next_ms = UINT64_MAX;
    else
        *ret_next_ms = rj_due_end(slot) > cutoff_ms ? rj_due_end(slot) : cutoff_ms;
    return RJ_OK;
}
