/* SPDX-License-Identifier: Apache-2.0 */
/* State transfer, the asking side (R5): joins a part that was read at the holder's vector
 * S into a state whose vector is C. Of a version the vectors tell what its absence means:
 * where it is missing although the vector covers it, it was overwritten: the rule of
 * crdt/join.c, without gaps. Runs of increments join field by field; removal records are
 * kept by whoever has them.
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 7. */
#include "base/cbor.h"
#include "bucket/state.h"

struct taking {
    struct rj_bucket *b;
    const struct rj_dotcode_names *names;
    const struct rj_vv *S, *C;
    /* Of the key at hand: */
    bool mute;            /* theirs had not seen a gone that is here */
    struct rj_seen *late; /* what that ended, and what a gone of theirs did */
};

/* ---- reading a part, first without changing anything */

/* A vector covers all that is known of d. */
static bool covers(const struct rj_vv *v, const struct rj_dotted *d)
{
    const struct rj_run *run = rj_run_of_const(d);

    return rj_vv_has(v, d->origin, d->seq) &&
           (d->sort != RJ_DOTTED_RUN ||
            rj_vv_has(v, run->setter.dot.origin, run->setter.dot.seq));
}

/* S, where it is known, covers all of it, for the holder was whole in S; bases are
 * versions of the place. */
static void check_place(struct rj_reader *r, const struct taking *t, bool gones)
{
    size_t n = rj_cbor_get_array(r), i;
    struct rj_dotcode code;

    for (i = 0; i < n && !r->failed; i++) {
        rj_dotcode_get(r, t->names, &code);
        if (code.value.len > RJ_VALUE_MAX || (code.is_gone && !gones) || code.has_late ||
            (t->S != NULL && !covers(t->S, &code.run.d)))
            rj_reader_fail(r);
    }
}

static void check_map(struct rj_reader *r, const struct taking *t)
{
    size_t n = rj_cbor_get_array(r), i;
    struct rj_bytes last = {0}, name;

    if (n % 2 != 0)
        rj_reader_fail(r);
    for (i = 0; i < n / 2 && !r->failed; i++) {
        name = rj_cbor_get_bytes(r);
        if (name.len > RJ_KEY_MAX || (i > 0 && rj_bytes_compare(last, name) >= 0))
            rj_reader_fail(r);
        last = name;
        check_place(r, t, false);
    }
}

static bool is_well_formed(const struct taking *t, const struct rj_batch_view *part,
                           const struct rj_range *range)
{
    struct rj_reader r = rj_reader_of(part->ops);
    struct rj_bytes last = {0}, key;
    uint64_t last_position = 0, position;
    uint32_t i;

    for (i = 0; i < part->count && !r.failed; i++) {
        rj_cbor_expect_array(&r, 4);
        key = rj_cbor_get_bytes(&r);
        if (r.failed || key.len > RJ_KEY_MAX)
            return false;
        position = rj_change_position(t->b, key);
        if (position < range->from || position > range->to)
            return false;
        if (i > 0 && (position < last_position ||
                      (position == last_position && rj_bytes_compare(last, key) >= 0)))
            return false;
        last = key;
        last_position = position;
        check_place(&r, t, t->b->delete_wins);
        check_map(&r, t);
        check_map(&r, t);
    }
    return rj_reader_complete(&r);
}

/* ---- joining */

static struct rj_dotted *find_same(const struct rj_site *site,
                                   const struct rj_dotcode *code)
{
    struct rj_dotted *first = *rj_site_list(site);
    struct rj_run *run;

    if (code->is_gone)
        return rj_gone_find(site->key, rj_dotted_dot(&code->run.d));
    if (!code->is_run)
        return rj_dotfun_version(first, rj_dotted_dot(&code->run.d));
    run = rj_counter_find(first, code->run.base, code->run.d.origin, code->run.epoch);
    return run != NULL ? &run->d : NULL;
}

/* Absence decides about versions, gones, and live runs that stand by themselves. */
static bool goes_by_absence(const struct rj_vv *v, const struct rj_dotted *d)
{
    return (rj_dotted_stands(d) || d->sort == RJ_DOTTED_GONE) && covers(v, d);
}

static bool runs_equal(const struct rj_run *a, const struct rj_run *b)
{
    return a->d.seq == b->d.seq && a->d.stamp == b->d.stamp && a->cum == b->cum &&
           a->floor_seq == b->floor_seq && a->floor_cum == b->floor_cum &&
           a->d.deadline == b->d.deadline && rj_dot_is(a->setter.dot, b->setter.dot);
}

static enum rj_err join_run(const struct taking *t, const struct rj_site *site,
                            struct rj_run *mine, const struct rj_run *theirs,
                            bool *changed)
{
    struct rj_run joined = *mine;
    enum rj_err err;

    if (t->C == NULL && covers(t->S, &mine->d)) {
        joined = *theirs; /* even if it is shorter */
        joined.d.next = mine->d.next;
        joined.d.home = mine->d.home;
    } else {
        rj_run_join(&joined, theirs, t->b->kind.origins);
    }
    if (runs_equal(&joined, mine))
        return RJ_OK;
    err = rj_change_reserve(t->b, site->key, joined.d.deadline);
    if (err != RJ_OK)
        return err;
    rj_change_lift(t->b, site, &mine->d);
    *mine = joined;
    rj_change_lay(t->b, site, &mine->d);
    *changed = true;
    return RJ_OK;
}

/* One write of theirs. What is kept or taken gets its mark. */
static enum rj_err join_one(const struct taking *t, const struct rj_site *site,
                            const struct rj_dotcode *code, bool *changed)
{
    struct rj_dotted *mine = find_same(site, code);
    enum rj_err err = RJ_OK;

    if (t->mute && !code->is_gone)
        return t->C != NULL && covers(t->C, &code->run.d)
                   ? RJ_OK
                   : rj_seen_add(t->late, rj_dotted_dot(&code->run.d));
    if (mine == NULL && t->C != NULL && goes_by_absence(t->C, &code->run.d))
        return RJ_OK;
    if (mine == NULL) {
        err = rj_change_insert(t->b, site, code);
        *changed = true;
        if (err == RJ_OK)
            mine = find_same(site, code);
    } else if (code->is_run) {
        err = join_run(t, site, rj_run_of(mine), &code->run, changed);
    }
    if (err == RJ_OK)
        mine->mark = true;
    return err;
}

/* A run on a version lives as long as that. */
static enum rj_err follow_bases(const struct taking *t, const struct rj_site *site,
                                bool *changed)
{
    struct rj_dotted *d;

    rj_change_kill_baseless(t->b, site);
    for (d = *rj_site_list(site); d != NULL; d = d->next) {
        struct rj_run *run = rj_run_of(d);
        struct rj_dotted *base;
        enum rj_err err;

        if (d->sort != RJ_DOTTED_RUN || !rj_run_is_based(run))
            continue;
        base = rj_dotfun_version(*rj_site_list(site), run->base);
        if (base->deadline == d->deadline)
            continue;
        err = rj_change_reserve(t->b, site->key, base->deadline);
        if (err != RJ_OK)
            return err;
        rj_change_lift(t->b, site, d);
        d->deadline = base->deadline;
        rj_change_lay(t->b, site, d);
        *changed = true;
    }
    return RJ_OK;
}

/* Whether an entry of ours that theirs lacks goes. Where all of theirs is taken (no C),
 * so do runs that are dead or based: the range does not vouch for them any more. */
static bool goes(const struct taking *t, const struct rj_dotted *d)
{
    return d->sort != RJ_DOTTED_OWED &&
           (goes_by_absence(t->S, d) || (t->C == NULL && covers(t->S, d)));
}

/* Takes the marks off; drops what had none and is covered by S, if `drop`. */
static void drop_unmarked(const struct taking *t, const struct rj_site *site, bool drop,
                          bool *changed)
{
    struct rj_dotted *d = *rj_site_list(site);

    while (d != NULL) {
        struct rj_dotted *next = d->next;

        if (d->mark) {
            d->mark = false;
        } else if (drop && goes(t, d)) {
            if (d->sort == RJ_DOTTED_GONE)
                rj_late_forget(t->b, site, d, &(struct rj_seen){0});
            else
                rj_change_out(t->b, site, d);
            *changed = true;
        }
        d = next;
    }
}

/* Joins the place that r stands before; r NULL: theirs is empty. */
static enum rj_err join_place(const struct taking *t, const struct rj_site *site,
                              struct rj_reader *r)
{
    size_t n = r != NULL ? rj_cbor_get_array(r) : 0, i;
    enum rj_err err = RJ_OK;
    struct rj_dotcode code;
    bool changed = false;

    for (i = 0; err == RJ_OK && i < n; i++) {
        rj_dotcode_get(r, t->names, &code);
        err = join_one(t, site, &code, &changed);
    }
    drop_unmarked(t, site, err == RJ_OK, &changed);
    if (err == RJ_OK)
        err = follow_bases(t, site, &changed);
    if (changed) {
        rj_change_end(t->b, site);
        t->b->watch_hit = true;
    }
    return err;
}

/* Tells of the key at hand, if somebody watches and it was changed. */
static void tell(const struct taking *t, const struct rj_bkey *k)
{
    if (t->b->watch != NULL && t->b->watch_hit)
        rj_watch_key(t->b, k, RJ_CHANGE_TAKEN);
    t->b->watch_hit = false;
}

/* Items that were sent lose their mark; with `full` the others are joined with nothing.
 */
static void join_unsent_items(const struct taking *t, struct rj_bkey *k,
                              struct rj_dotmap *map, bool full)
{
    struct rj_site site = {.key = k, .map = map};
    struct rj_slot_walk w;

    if (map == NULL)
        return;
    for (w = rj_dotmap_items(map); (site.item = rj_item_next(&w)) != NULL;) {
        if (site.item->mark)
            site.item->mark = false;
        else if (full)
            (void)!join_place(t, &site, NULL); /* only removes */
    }
}

/* Joins a set or a hash. */
static enum rj_err join_map(const struct taking *t, struct rj_bkey *k, enum rj_part part,
                            struct rj_reader *r)
{
    size_t n = rj_cbor_get_array(r) / 2, i;
    struct rj_site site = {.key = k};
    enum rj_err err = RJ_OK;

    for (i = 0; err == RJ_OK && i < n; i++) {
        struct rj_bytes name = rj_cbor_get_bytes(r);

        err = rj_change_item(t->b, &site, part, name, rj_dotcode_peek(*r, t->names));
        if (err != RJ_OK)
            break;
        site.item->mark = true;
        err = join_place(t, &site, r);
    }
    site.map = part == RJ_PART_SET ? rj_bkey_set(k) : rj_bkey_hash(k);
    join_unsent_items(t, k, site.map, err == RJ_OK);
    return err;
}

/* Where deletions win, a gone that one side has and the other never had ends all that the
 * other has of the key: none of it had seen that. r stands before the place. */
static enum rj_err compare_gones(struct taking *t, struct rj_bkey *k, struct rj_reader r)
{
    size_t n = rj_cbor_get_array(&r), i;
    const struct rj_dotted *d;
    enum rj_err err;
    bool new = false;

    rj_seen_clear(t->late);
    t->mute = false;
    for (d = rj_bkey_first(k); d != NULL; d = d->next)
        t->mute = t->mute || (d->sort == RJ_DOTTED_GONE && !covers(t->S, d));
    for (i = 0; i < n; i++) {
        struct rj_dotcode code;

        rj_dotcode_get(&r, t->names, &code);
        new = new || (code.is_gone && !(t->C != NULL && covers(t->C, &code.run.d)) &&
                      rj_gone_find(k, rj_dotted_dot(&code.run.d)) == NULL);
    }
    if (!new)
        return RJ_OK;
    t->b->watch_hit = t->b->watch_hit || k->live;
    err = rj_late_of_key(t->b, k, &(struct rj_late_known){.vv = t->S}, t->late);
    rj_gone_empty(t->b, k);
    return err;
}

/* What one side's gones ended of the other's is noted. */
static enum rj_err note_late(const struct taking *t, struct rj_bkey *k)
{
    enum rj_err err = RJ_OK;
    struct rj_dotted *d;

    if (t->late->n == 0)
        return RJ_OK;
    for (d = rj_bkey_first(k); err == RJ_OK && d != NULL; d = d->next) {
        if (d->sort == RJ_DOTTED_GONE)
            err = rj_late_join(&rj_gone_of(d)->late, t->late);
    }
    rj_change_dirty(t->b, &(struct rj_site){.key = k});
    return err;
}

/* Joins the key that r stands before. */
static enum rj_err join_key(struct taking *t, struct rj_reader *r)
{
    struct rj_site site = {0};
    struct rj_bytes key;
    enum rj_err err;

    rj_cbor_expect_array(r, 4);
    key = rj_cbor_get_bytes(r);
    err = rj_change_key(t->b, rj_change_position(t->b, key), key,
                        rj_dotcode_peek(*r, t->names), &site.key);
    if (err == RJ_OK && t->b->delete_wins)
        err = compare_gones(t, site.key, *r);
    if (err == RJ_OK)
        err = join_place(t, &site, r);
    if (err == RJ_OK)
        err = join_map(t, site.key, RJ_PART_SET, r);
    if (err == RJ_OK)
        err = join_map(t, site.key, RJ_PART_HASH, r);
    if (err == RJ_OK)
        err = note_late(t, site.key);
    if (err == RJ_OK) {
        site.key->mark = true;
        tell(t, site.key);
    }
    return err;
}

/* Keys of the range that were sent lose their mark; with `full` the others are joined
 * with nothing. */
static void join_unsent(const struct taking *t, const struct rj_range *range, bool full)
{
    struct rj_bkey *k;

    for (k = rj_table_from(&t->b->table, range->from);
         k != NULL && k->position <= range->to; k = rj_table_next(&t->b->table, k)) {
        struct rj_site site = {.key = k};

        if (k->mark) {
            k->mark = false;
        } else if (full) {
            (void)!join_place(t, &site, NULL);
            join_unsent_items(t, k, rj_bkey_set(k), true);
            join_unsent_items(t, k, rj_bkey_hash(k), true);
            tell(t, k);
        }
    }
}

enum rj_err rj_transfer_sum(struct rj_kind *kind, const struct rj_given *given,
                            const struct rj_vv *within, uint64_t cutoff_ms,
                            struct rj_sum *ret_sum)
{
    struct rj_bucket *b = rj_bucket_of(kind);
    const struct rj_batch_view *part = given->part;
    struct rj_dotcode_names names = {.dict = part->dict, .n = part->dict_n};
    struct taking t = {.b = b, .names = &names};
    struct rj_reader r = rj_reader_of(part->ops);
    uint32_t i;

    *ret_sum = (struct rj_sum){0};
    if (!is_well_formed(&t, part, &given->range))
        return RJ_ECORRUPT;
    for (i = 0; i < part->count; i++) {
        struct rj_bkey *k;
        struct rj_bytes key;

        rj_cbor_expect_array(&r, 4);
        key = rj_cbor_get_bytes(&r);
        k = rj_table_find(&b->table, rj_change_position(b, key), key);
        if (k != NULL)
            rj_digest_add_key(b, k, within, cutoff_ms, ret_sum);
        check_place(&r, &t, b->delete_wins);
        check_map(&r, &t);
        check_map(&r, &t);
    }
    return RJ_OK;
}

enum rj_err rj_transfer_take(struct rj_kind *kind, const struct rj_given *given,
                             const struct rj_vv *S, const struct rj_vv *C, bool full)
{
    struct rj_bucket *b = rj_bucket_of(kind);
    const struct rj_batch_view *part = given->part;
    struct rj_dotcode_names names = {.dict = part->dict, .n = part->dict_n};
    struct rj_seen late = {0};
    struct taking t = {.b = b, .names = &names, .S = S, .C = C, .late = &late};
    struct rj_reader r = rj_reader_of(part->ops);
    enum rj_err err = RJ_OK;
    uint32_t i;

    if (!is_well_formed(&t, part, &given->range))
        return RJ_ECORRUPT;
    for (i = 0; err == RJ_OK && i < part->count; i++)
        err = join_key(&t, &r);
    join_unsent(&t, &given->range, full && err == RJ_OK);
    rj_seen_done(&late);
    return err;
}
