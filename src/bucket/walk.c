/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over the places of a key, and what a write into one of them overwrites of the
 * others: a write settles the conflicts between types that its author has seen, so what
 * the key did not show cannot come back later. */
#include "bucket/state.h"

#include <stdlib.h>

/* Goes on with a map that may be there. */
static bool enter(struct rj_site *site, struct rj_walk *w, struct rj_dotmap *map)
{
    site->map = map;
    if (map == NULL)
        return false;
    w->items = rj_dotmap_items(map);
    site->item = rj_item_next(&w->items);
    return site->item != NULL;
}

bool rj_walk_next(struct rj_site *site, struct rj_walk *w)
{
    if (!w->started) {
        w->started = true;
        site->map = NULL;
        site->item = NULL;
        return true;
    }
    if (site->item != NULL) {
        site->item = rj_item_next(&w->items);
        if (site->item != NULL)
            return true;
    } else if (enter(site, w, rj_bkey_set(site->key))) {
        return true;
    }
    return (site->map == NULL || site->map != rj_bkey_hash(site->key)) &&
           enter(site, w, rj_bkey_hash(site->key));
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

enum rj_err rj_walk_dots(struct rj_bkey *k, struct rj_seen *seen)
{
    struct rj_site site = {.key = k};
    enum rj_err err = RJ_OK;
    struct rj_walk started = {0};
    const struct rj_dotted *d;

    while (err == RJ_OK && rj_walk_next(&site, &started)) {
        for (d = *rj_site_list(&site); err == RJ_OK && d != NULL; d = d->next) {
            if (d->sort != RJ_DOTTED_OWED)
                err = rj_seen_add(seen, rj_dotted_dot(d));
        }
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
    struct rj_slot_walk w = rj_dotmap_items(set);
    const struct rj_item *item;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && (item = rj_item_next(&w)) != NULL)
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

static int by_name(const void *a, const void *b)
{
    const struct rj_field_resets *x = a, *y = b;

    return rj_bytes_compare(x->name, y->name);
}

static enum rj_err walk_hash(const struct rj_dotmap *hash, struct rj_whole *whole)
{
    struct rj_slot_walk w = rj_dotmap_items(hash);
    const struct rj_item *item;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && (item = rj_item_next(&w)) != NULL)
        err = walk_field(item, whole);
    if (whole->n_names > 1) /* an operation names them in order */
        qsort(whole->names, whole->n_names, sizeof(*whole->names), by_name);
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
