/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over the places of a key, and what a write into one of them overwrites of the
 * others: a write settles the conflicts between types that its author has seen, so what
 * the key did not show cannot come back later. */
#include "bucket/state.h"

bool rj_walk_next(struct rj_site *site, bool *started)
{
    if (!*started) {
        *started = true;
        site->map = NULL;
        site->item = NULL;
        return true;
    }
    if (site->item == NULL) {
        site->map = rj_bkey_set(site->key);
        site->item = site->map != NULL ? rj_dotmap_first(site->map) : NULL;
    } else {
        site->item = rj_item_next(site->item);
    }
    if (site->item == NULL && site->map != rj_bkey_hash(site->key)) {
        site->map = rj_bkey_hash(site->key);
        site->item = site->map != NULL ? rj_dotmap_first(site->map) : NULL;
    }
    return site->item != NULL;
}

enum rj_err rj_walk_versions(const struct rj_dotted *first, struct rj_seen *seen)
{
    const struct rj_dotted *d;
    enum rj_err err = RJ_OK;

    for (d = first; err == RJ_OK && d != NULL; d = d->next) {
        if (d->sort == RJ_DOTTED_VERSION)
            err = rj_seen_add(seen, rj_dotted_dot(d));
    }
    return err;
}

enum rj_err rj_walk_gones(const struct rj_bkey *k, struct rj_seen *seen)
{
    const struct rj_dotted *d;
    enum rj_err err = RJ_OK;

    for (d = rj_bkey_first(k); err == RJ_OK && d != NULL; d = d->next) {
        if (d->sort == RJ_DOTTED_GONE)
            err = rj_seen_add(seen, rj_dotted_dot(d));
    }
    return err;
}

enum rj_err rj_walk_runs(const struct rj_dotted *first, struct rj_resets *resets)
{
    const struct rj_dotted *d;
    enum rj_err err = RJ_OK;

    for (d = first; err == RJ_OK && d != NULL; d = d->next) {
        const struct rj_run *run = rj_run_of_const(d);

        if (d->sort == RJ_DOTTED_RUN && !rj_run_is_based(run) && !rj_run_is_dead(run)) {
            struct rj_reset reset = {.epoch = run->epoch,
                                     .seq = d->seq,
                                     .cum = run->cum,
                                     .deadline = d->deadline,
                                     .origin = d->origin};

            err = rj_resets_add(resets, &reset);
        }
    }
    return err;
}

static enum rj_err walk_set(const struct rj_dotmap *set, struct rj_seen *seen)
{
    enum rj_err err = RJ_OK;
    struct rj_item *item;

    for (item = rj_dotmap_first(set); err == RJ_OK && item != NULL;
         item = rj_item_next(item))
        err = rj_walk_versions(item->first, seen);
    return err;
}

static enum rj_err walk_field(const struct rj_item *item, struct rj_whole *whole)
{
    enum rj_err err = rj_walk_versions(item->first, &whole->seen);
    size_t before = whole->fields.n;

    if (err == RJ_OK)
        err = rj_walk_runs(item->first, &whole->fields);
    if (err != RJ_OK || whole->fields.n == before)
        return err;
    err = rj_whole_field(whole, rj_item_name(item));
    if (err == RJ_OK) {
        whole->names[whole->n_names - 1].from = before;
        whole->names[whole->n_names - 1].n = whole->fields.n - before;
    }
    return err;
}

static enum rj_err walk_hash(const struct rj_dotmap *hash, struct rj_whole *whole)
{
    enum rj_err err = RJ_OK;
    struct rj_item *item;

    for (item = rj_dotmap_first(hash); err == RJ_OK && item != NULL;
         item = rj_item_next(item))
        err = walk_field(item, whole);
    return err;
}

enum rj_err rj_walk_whole(struct rj_bkey *k, enum rj_part except, struct rj_whole *whole)
{
    enum rj_err err = rj_walk_gones(k, &whole->seen);

    if (err == RJ_OK && except != RJ_PART_PLACE) {
        err = rj_walk_versions(rj_bkey_first(k), &whole->seen);
        if (err == RJ_OK)
            err = rj_walk_runs(rj_bkey_first(k), &whole->place);
    }
    if (err == RJ_OK && except != RJ_PART_SET && rj_bkey_set(k) != NULL)
        err = walk_set(rj_bkey_set(k), &whole->seen);
    if (err == RJ_OK && except != RJ_PART_HASH && rj_bkey_hash(k) != NULL)
        err = walk_hash(rj_bkey_hash(k), whole);
    return err;
}
