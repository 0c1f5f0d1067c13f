/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the state, one dotted value at a time. What is derived from the state (sums
 * by slot, live keys, what maps keep beside their items, the index of deadlines, the ring
 * of changed keys) is brought up to date here and nowhere else.
 *
 * The hash of a write covers its dot, of a run also how far it goes and what was taken
 * away: never a value. Sums of hashes modulo 2^128 do not depend on order. */
#include "base/alloc.h"
#include "base/be.h"
#include "bucket/state.h"

#include <assert.h>

uint64_t rj_change_position(const struct rj_bucket *b, struct rj_bytes key)
{
    return rj_hash_64(&b->position_key, key);
}

/* ---- sums */

struct rj_sum rj_change_hash(const struct rj_bucket *b, const struct rj_dotted *d)
{
    uint8_t text[RJ_ORIGIN_LEN + 6 * 8];
    uint8_t *p = text + RJ_ORIGIN_LEN;
    size_t len = RJ_ORIGIN_LEN + 8;
    struct rj_hash_128 hash;

    if (d->sort == RJ_DOTTED_OWED)
        return (struct rj_sum){0};
    memcpy(text, b->kind.origins->items[d->origin].id.b, RJ_ORIGIN_LEN);
    rj_be_store64(p, d->seq);
    if (d->sort == RJ_DOTTED_RUN) {
        const struct rj_run *run = rj_run_of_const(d);

        if (rj_run_is_dead(run))
            return (struct rj_sum){0};
        rj_be_store64(p + 8, run->epoch);
        rj_be_store64(p + 16, (uint64_t)run->cum);
        rj_be_store64(p + 24, run->floor_seq);
        rj_be_store64(p + 32, (uint64_t)run->floor_cum);
        len += 4 * sizeof(uint64_t);
    }
    hash = rj_hash_128(&b->sum_key, rj_bytes_of(text, len));
    return (struct rj_sum){.lo = hash.low, .hi = hash.high};
}

static struct rj_sum *slot_of(struct rj_bucket *b, const struct rj_bkey *k,
                              const struct rj_dotted *d)
{
    uint64_t slot = k->position >> (64 - RJ_BUCKET_SLOT_BITS);

    return d->deadline != 0 ? &b->timed[slot] : &b->forever[slot];
}

/* What a write takes in a part of the state, at most. */
static uint64_t bytes_of(const struct rj_item *item, const struct rj_dotted *d)
{
    enum { VERSION = 48, RUN = 112, NAME = 6 };
    uint64_t bytes = item != NULL ? NAME + (uint64_t)item->len : 0;

    if (d->sort == RJ_DOTTED_RUN)
        return bytes + RUN;
    if (d->sort == RJ_DOTTED_VERSION)
        bytes += rj_version_value(rj_version_of_const(d)).len;
    return bytes + VERSION;
}

bool rj_change_is_full(const struct rj_bkey *k)
{
    const struct rj_dotmap *set = rj_bkey_set(k), *hash = rj_bkey_hash(k);
    uint64_t bytes = (set != NULL ? set->bytes : 0) + (hash != NULL ? hash->bytes : 0);
    const struct rj_dotted *d;

    for (d = rj_bkey_first(k); d != NULL; d = d->next)
        bytes += bytes_of(NULL, d);
    return bytes >= RJ_KEY_BYTES_MAX;
}

static void count_in(struct rj_bucket *b, const struct rj_site *site,
                     const struct rj_dotted *d)
{
    struct rj_sum hash = rj_change_hash(b, d);

    rj_sum_add(slot_of(b, site->key, d), &hash);
    if (site->item != NULL) {
        rj_dotmap_count_in(site->map, d, b->kind.origins);
        site->map->bytes += bytes_of(site->item, d);
    }
    if (d->sort >= RJ_DOTTED_GONE)
        rj_due_note(&b->due, rj_bkey_due(site->key), RJ_DUE_KEPT_MS);
    else if (d->deadline != 0)
        rj_due_note(&b->due, rj_bkey_due(site->key), d->deadline);
}

static void count_out(struct rj_bucket *b, const struct rj_site *site,
                      const struct rj_dotted *d)
{
    struct rj_sum hash = rj_change_hash(b, d);

    rj_sum_subtract(slot_of(b, site->key, d), &hash);
    if (site->item != NULL) {
        rj_dotmap_count_out(site->map, d);
        site->map->bytes -= bytes_of(site->item, d);
    }
}

/* ---- keys and items */

static void mark_key(struct rj_bucket *b, struct rj_bkey *k)
{
    if (k->dirty_next != NULL)
        return;
    if (b->dirty == NULL) {
        k->dirty_prev = k->dirty_next = k;
        b->dirty = k;
        return;
    }
    k->dirty_next = b->dirty;
    k->dirty_prev = b->dirty->dirty_prev;
    k->dirty_prev->dirty_next = k;
    b->dirty->dirty_prev = k;
}

static void mark_item(const struct rj_site *site)
{
    if (site->item->dirty)
        return;
    site->item->dirty = true;
    site->item->dirty_next = site->map->dirty;
    site->map->dirty = site->item;
}

enum rj_err rj_change_key(struct rj_bucket *b, uint64_t position, struct rj_bytes key,
                          size_t cap, struct rj_bkey **ret_key)
{
    struct rj_bkey *k = rj_table_find(&b->table, position, key);

    if (k == NULL) {
        k = rj_bkey_new(position, key, cap);
        if (k == NULL)
            return RJ_ENOMEM;
        rj_table_insert(&b->table, k);
        mark_key(b, k);
    }
    *ret_key = k;
    return RJ_OK;
}

enum rj_err rj_change_item(struct rj_bucket *b, struct rj_site *site, enum rj_part part,
                           struct rj_bytes name, size_t cap)
{
    struct rj_dotmap **map;
    enum rj_err err = rj_bkey_extend(site->key);
    size_t before;

    if (err != RJ_OK)
        return err;
    map = part == RJ_PART_SET ? &site->key->u.ext->set : &site->key->u.ext->hash;
    mark_key(b, site->key); /* so that collect finds what stays empty */
    err = rj_bkey_make_map(map, &b->naming);
    if (err != RJ_OK)
        return err;
    site->map = *map;
    before = rj_dotmap_count(site->map);
    err = rj_dotmap_get(site->map, name, cap, &site->item);
    if (err == RJ_OK && rj_dotmap_count(site->map) > before)
        mark_item(site);
    return err;
}

void rj_change_find_item(struct rj_site *site, enum rj_part part, struct rj_bytes name)
{
    site->map = part == RJ_PART_SET ? rj_bkey_set(site->key) : rj_bkey_hash(site->key);
    site->item = site->map != NULL ? rj_dotmap_find(site->map, name) : NULL;
}

enum rj_err rj_change_reserve(struct rj_bucket *b, struct rj_bkey *k, uint64_t deadline)
{
    enum rj_err err;

    if (deadline == 0)
        return RJ_OK;
    err = rj_bkey_extend(k);
    if (err == RJ_OK)
        err = rj_due_reserve(&b->due, rj_bkey_due(k), deadline);
    return err;
}

/* ---- values */

void rj_change_in(struct rj_bucket *b, const struct rj_site *site, struct rj_dotted *d)
{
    rj_dotfun_push(rj_site_list(site), d);
    count_in(b, site, d);
}

static void release(const struct rj_site *site, struct rj_dotted *d)
{
    if (site->item != NULL)
        rj_item_release(site->item, d);
    else if (d->home)
        site->key->home_used = false;
    else
        rj_dotted_free(d);
}

void rj_change_out(struct rj_bucket *b, const struct rj_site *site, struct rj_dotted *d)
{
    count_out(b, site, d);
    rj_dotfun_unlink(rj_site_list(site), d);
    release(site, d);
}

void rj_change_lift(struct rj_bucket *b, const struct rj_site *site, struct rj_dotted *d)
{
    count_out(b, site, d);
}

void rj_change_lay(struct rj_bucket *b, const struct rj_site *site, struct rj_dotted *d)
{
    count_in(b, site, d);
}

static void release_all(struct rj_bucket *b, const struct rj_site *site,
                        struct rj_dotted *cut)
{
    while (cut != NULL) {
        struct rj_dotted *d = cut;

        cut = d->next;
        count_out(b, site, d);
        release(site, d);
    }
}

bool rj_change_kill(struct rj_bucket *b, const struct rj_site *site,
                    const struct rj_seen *seen)
{
    struct rj_dotted *cut = rj_dotfun_cut(rj_site_list(site), seen);

    release_all(b, site, cut);
    return cut != NULL;
}

void rj_change_kill_baseless(struct rj_bucket *b, const struct rj_site *site)
{
    release_all(b, site, rj_dotfun_cut_baseless(rj_site_list(site)));
}

/* The deadline counts where nobody set one: who resets tells that of the run. */
static void take_away(const struct rj_bucket *b, struct rj_run *run,
                      const struct rj_reset *reset)
{
    struct rj_rank nobody = {0};

    if (reset->all)
        rj_run_reset(run, run->d.seq, run->cum);
    else
        rj_run_reset(run, reset->seq, reset->cum);
    rj_run_touch(run, reset->deadline, &nobody, b->kind.origins);
}

/* A removal record for a run that is not there. */
static enum rj_err put_record(struct rj_bucket *b, const struct rj_site *site,
                              const struct rj_reset *reset)
{
    struct rj_run *run = rj_run_new();

    if (run == NULL)
        return RJ_ENOMEM;
    run->d.origin = reset->origin;
    run->epoch = reset->epoch;
    take_away(b, run, reset);
    rj_change_in(b, site, &run->d);
    return RJ_OK;
}

enum rj_err rj_change_reset(struct rj_bucket *b, const struct rj_site *site,
                            const struct rj_reset *resets, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const struct rj_reset *reset = &resets[i];
        struct rj_run *run = rj_counter_find(*rj_site_list(site), (struct rj_dot){0},
                                             reset->origin, reset->epoch);

        enum rj_err err;

        if (reset->all && run == NULL)
            continue;
        err = rj_change_reserve(b, site->key, reset->deadline);
        if (err == RJ_OK && run == NULL)
            err = put_record(b, site, reset);
        if (err != RJ_OK)
            return err;
        if (run == NULL)
            continue;
        rj_change_lift(b, site, &run->d);
        take_away(b, run, reset);
        rj_change_lay(b, site, &run->d);
    }
    return RJ_OK;
}

/* The home of a site if it is free and large enough. */
static struct rj_version *free_home(const struct rj_site *site, size_t len)
{
    struct rj_version *home =
        site->item != NULL ? rj_item_home(site->item) : rj_bkey_home(site->key);
    bool used = site->item != NULL ? site->item->home_used : site->key->home_used;

    return home != NULL && !used && home->cap >= len ? home : NULL;
}

enum rj_err rj_change_insert(struct rj_bucket *b, const struct rj_site *site,
                             const struct rj_dotcode *code)
{
    struct rj_rank rank = {.stamp = code->run.d.stamp,
                           .dot = rj_dotted_dot(&code->run.d)};
    enum rj_err err = rj_change_reserve(
        b, site->key, code->is_gone ? RJ_DUE_KEPT_MS : code->run.d.deadline);
    struct rj_version *v;
    struct rj_gone *gone;
    struct rj_run *run;

    if (err != RJ_OK)
        return err;
    if (code->is_gone) {
        gone = rj_gone_new(&rank);
        if (gone == NULL)
            return RJ_ENOMEM;
        gone->d.sort = code->run.d.sort;
        rj_change_in(b, site, &gone->d);
        return RJ_OK;
    }
    if (code->is_run) {
        run = rj_run_new();
        if (run == NULL)
            return RJ_ENOMEM;
        *run = code->run;
        run->d.next = NULL;
        rj_change_in(b, site, &run->d);
        return RJ_OK;
    }
    v = free_home(site, code->value.len);
    if (v == NULL)
        v = rj_version_new(code->value.len);
    if (v == NULL)
        return RJ_ENOMEM;
    if (v->d.home && site->item != NULL)
        site->item->home_used = true;
    else if (v->d.home)
        site->key->home_used = true;
    rj_version_set(v, &rank, code->run.d.deadline, code->value);
    rj_change_in(b, site, &v->d);
    return RJ_OK;
}

void rj_change_end(struct rj_bucket *b, const struct rj_site *site)
{
    struct rj_bkey *k = site->key;
    bool live;

    if (b->kind.origins->branches > 0)
        rj_branch_share(b, site);
    if (site->item != NULL)
        rj_dotmap_refresh(site->map, site->item);
    live = rj_bkey_is_live(k);
    if (live && !k->live)
        b->n_live++;
    else if (!live && k->live)
        b->n_live--;
    k->live = live;
    rj_change_dirty(b, site);
}

void rj_change_swap(struct rj_bucket *b, struct rj_bkey *k, struct rj_bkey *fresh)
{
    assert(!k->home_used);
    rj_bkey_move(fresh, k);
    rj_table_replace(&b->table, k, fresh);
    if (k->dirty_next == k) {
        fresh->dirty_prev = fresh->dirty_next = fresh;
    } else if (k->dirty_next != NULL) {
        fresh->dirty_prev = k->dirty_prev;
        fresh->dirty_next = k->dirty_next;
        fresh->dirty_prev->dirty_next = fresh;
        fresh->dirty_next->dirty_prev = fresh;
    }
    if (b->dirty == k)
        b->dirty = fresh;
    rj_bkey_free(k);
}

void rj_change_dirty(struct rj_bucket *b, const struct rj_site *site)
{
    if (site->item != NULL)
        mark_item(site);
    else
        site->key->place_dirty = true;
    mark_key(b, site->key);
}

void rj_change_undirty(struct rj_bucket *b, struct rj_bkey *k)
{
    if (k->dirty_next == NULL)
        return;
    if (b->dirty == k)
        b->dirty = k->dirty_next != k ? k->dirty_next : NULL;
    k->dirty_prev->dirty_next = k->dirty_next;
    k->dirty_next->dirty_prev = k->dirty_prev;
    k->dirty_prev = k->dirty_next = NULL;
}

void rj_change_forget(struct rj_bucket *b, struct rj_bkey *k)
{
    rj_change_undirty(b, k);
    if (k->has_ext)
        rj_due_drop(&b->due, &k->u.ext->due);
    rj_table_remove(&b->table, k);
    rj_bkey_free(k);
}
