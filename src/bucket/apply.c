/* SPDX-License-Identifier: Apache-2.0 */
/* Applying writes, this node's own and those of others alike: first memory is found
 * (prepare), then the state changes (commit), so that a write of this node that fails
 * leaves no trace. Time is never read here: what the author decided travels in the write.
 *
 * A write removes what it lists and adds what it makes; it never looks at what else is
 * there. So writes that did not see each other give one state in either order. */
#include "base/alloc.h"
#include "bucket/state.h"

#include <assert.h>
enum { AHEAD = 4 };

/* The place that an operation writes into. */
static enum rj_part part_of(const struct rj_bop *op)
{
    switch (op->code) {
    case RJ_BOP_SADD:
    case RJ_BOP_SREM:
        return RJ_PART_SET;
    case RJ_BOP_HSET:
    case RJ_BOP_HDEL:
        return RJ_PART_HASH;
    case RJ_BOP_INCR:
    case RJ_BOP_CARRY:
        return op->has_name ? RJ_PART_HASH : RJ_PART_PLACE;
    case RJ_BOP_SET:
    case RJ_BOP_DEL:
    case RJ_BOP_FORGET:
    case RJ_BOP_AGAIN:
    case RJ_BOP_CODES:
    default:
        return RJ_PART_NONE;
    }
}

/* Room for a value in site: the home, when it will be free and is large enough, or the
 * key made anew with a larger one, or a piece of its own. */
static enum rj_err room_for(const struct rj_site *site, const struct rj_bop *op,
                            struct rj_prep *prep)
{
    const struct rj_seen *seen = site->item != NULL ? &op->seen : &op->whole.seen;
    struct rj_version *home =
        site->item != NULL ? rj_item_home(site->item) : rj_bkey_home(site->key);
    bool used = site->item != NULL ? site->item->home_used : site->key->home_used;
    bool free_then = !used || rj_seen_has(seen, rj_dotted_dot(&home->d));

    if (home != NULL && free_then && home->cap >= op->value.len)
        return RJ_OK;
    if (site->item == NULL && free_then && op->value.len <= RJ_HOME_MAX) {
        prep->fresh = rj_bkey_new(site->key->position, op->key, op->value.len);
        return prep->fresh != NULL ? RJ_OK : RJ_ENOMEM;
    }
    prep->spare = rj_version_new(op->value.len);
    return prep->spare != NULL ? RJ_OK : RJ_ENOMEM;
}

static enum rj_err prepare_value(struct rj_bucket *b, const struct rj_bop *op,
                                 uint64_t position, struct rj_prep *prep)
{
    bool is_set = op->code == RJ_BOP_SET;
    enum rj_err err = rj_change_key(b, position, op->key,
                                    is_set ? op->value.len : SIZE_MAX, &prep->site.key);

    if (err == RJ_OK && !is_set)
        err = rj_change_item(b, &prep->site, part_of(op), op->name, op->value.len);
    if (err == RJ_OK)
        err = rj_change_reserve(b, prep->site.key, op->deadline);
    if (err == RJ_OK)
        err = room_for(&prep->site, op, prep);
    return err;
}

static bool leaves_records(const struct rj_bop *op)
{
    return op->resets.n > 0 || op->whole.place.n > 0 || op->whole.fields.n > 0;
}

/* Removals need a key only where they leave removal records. */
static enum rj_err prepare_removal(struct rj_bucket *b, const struct rj_bop *op,
                                   uint64_t position, struct rj_prep *prep)
{
    enum rj_part part = part_of(op);
    enum rj_err err = RJ_OK;

    prep->site.key = rj_table_find(&b->table, position, op->key);
    if (prep->site.key == NULL && leaves_records(op))
        err = rj_change_key(b, position, op->key, SIZE_MAX, &prep->site.key);
    if (err != RJ_OK || prep->site.key == NULL || part == RJ_PART_NONE)
        return err;
    rj_change_find_item(&prep->site, part, op->name);
    if (prep->site.item == NULL && op->resets.n > 0)
        err = rj_change_item(b, &prep->site, part, op->name, SIZE_MAX);
    return err;
}

static enum rj_err prepare_run(struct rj_bucket *b, const struct rj_bop *op,
                               uint64_t position, struct rj_prep *prep)
{
    struct rj_site *site = &prep->site;
    enum rj_err err;

    if (op->base.seq != 0 && !leaves_records(op) &&
        rj_table_find(&b->table, position, op->key) == NULL)
        return RJ_OK; /* its base is gone, and all else that it overwrites */
    err = rj_change_key(b, position, op->key, SIZE_MAX, &site->key);
    if (err == RJ_OK && op->has_name)
        err = rj_change_item(b, site, RJ_PART_HASH, op->name, SIZE_MAX);
    if (err == RJ_OK)
        err = rj_change_reserve(b, site->key, op->deadline);
    return err;
}

static enum rj_err prepare_incr(struct rj_bucket *b, const struct rj_bop *op,
                                uint64_t position, struct rj_dot dot,
                                struct rj_prep *prep)
{
    enum rj_err err = prepare_run(b, op, position, prep);
    struct rj_dotted *base;

    if (err != RJ_OK || prep->site.key == NULL)
        return err;
    if (op->base.seq != 0) {
        base = rj_dotfun_version(*rj_site_list(&prep->site), op->base);
        if (base == NULL)
            return RJ_OK;
        err = rj_change_reserve(b, prep->site.key, base->deadline);
        if (err != RJ_OK)
            return err;
    }
    if (rj_counter_find(*rj_site_list(&prep->site), op->base, dot.origin, op->epoch) !=
        NULL)
        return RJ_OK;
    prep->run = rj_run_new();
    return prep->run != NULL ? RJ_OK : RJ_ENOMEM;
}

enum rj_err rj_apply_prepare(struct rj_bucket *b, const struct rj_bop *op,
                             uint64_t position, struct rj_dot dot,
                             struct rj_prep *ret_prep)
{
    struct rj_prep prep = {0};
    enum rj_err err = RJ_OK;

    if (rj_gone_stops(b, op, position)) {
        *ret_prep = prep;
        return rj_late_stopped(b, op, position, dot);
    }
    switch (op->code) {
    case RJ_BOP_SET:
    case RJ_BOP_SADD:
    case RJ_BOP_HSET:
        err = prepare_value(b, op, position, &prep);
        break;
    case RJ_BOP_DEL:
        err = b->delete_wins ? rj_gone_prepare(b, op, position, dot, &prep)
                             : prepare_removal(b, op, position, &prep);
        break;
    case RJ_BOP_SREM:
    case RJ_BOP_HDEL:
    case RJ_BOP_FORGET:
        err = prepare_removal(b, op, position, &prep);
        break;
    case RJ_BOP_INCR:
        err = prepare_incr(b, op, position, dot, &prep);
        break;
    case RJ_BOP_CARRY:
        err = prepare_run(b, op, position, &prep);
        break;
    case RJ_BOP_AGAIN:
    case RJ_BOP_CODES:
    default:
        break;
    }
    if (err == RJ_OK)
        *ret_prep = prep;
    else
        rj_apply_abandon(&prep);
    return err;
}

void rj_apply_abandon(struct rj_prep *prep)
{
    free(prep->spare);
    free(prep->run);
    if (prep->gone != NULL)
        rj_dotted_free(&prep->gone->d);
    if (prep->fresh != NULL)
        rj_bkey_free(prep->fresh);
    *prep = (struct rj_prep){0};
}

/* ---- commit */

static void kill_map(struct rj_bucket *b, struct rj_site site, const struct rj_seen *seen)
{
    struct rj_slot_walk w;

    if (site.map == NULL || seen->n == 0)
        return;
    for (w = rj_dotmap_items(site.map); (site.item = rj_item_next(&w)) != NULL;) {
        if (rj_change_kill(b, &site, seen))
            rj_change_end(b, &site);
    }
}

static enum rj_err reset_fields(struct rj_bucket *b, struct rj_bkey *k,
                                const struct rj_whole *whole)
{
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < whole->n_names; i++) {
        const struct rj_field_resets *field = &whole->names[i];
        struct rj_site site = {.key = k};

        err = rj_change_item(b, &site, RJ_PART_HASH, field->name, SIZE_MAX);
        if (err == RJ_OK) {
            err = rj_change_reset(b, &site, whole->fields.items + field->from, field->n);
            rj_change_end(b, &site);
        }
    }
    return err;
}

/* Removes what a write overwrites of the key, but for the part that it writes into. */
static enum rj_err kill_whole(struct rj_bucket *b, struct rj_bkey *k, enum rj_part except,
                              const struct rj_whole *whole)
{
    struct rj_site place = {.key = k};
    struct rj_site set = {.key = k, .map = rj_bkey_set(k)};
    struct rj_site hash = {.key = k, .map = rj_bkey_hash(k)};
    enum rj_err err = RJ_OK;

    if (rj_whole_is_empty(whole))
        return RJ_OK;
    if (except != RJ_PART_PLACE) {
        (void)rj_change_kill(b, &place, &whole->seen);
        err = rj_change_reset(b, &place, whole->place.items, whole->place.n);
        rj_change_end(b, &place);
    }
    if (except != RJ_PART_SET)
        kill_map(b, set, &whole->seen);
    if (except != RJ_PART_HASH) {
        kill_map(b, hash, &whole->seen);
        if (err == RJ_OK)
            err = reset_fields(b, k, whole);
    }
    return err;
}

static enum rj_err commit_value(struct rj_bucket *b, const struct rj_bop *op,
                                const struct rj_rank *rank, struct rj_prep *prep)
{
    struct rj_site *site = &prep->site;
    struct rj_version *v = prep->spare;
    enum rj_err err = RJ_OK;

    (void)rj_change_kill(b, site, &op->seen);
    if (op->resets.n > 0)
        err = rj_change_reset(b, site, op->resets.items, op->resets.n);
    if (prep->fresh != NULL) {
        rj_change_swap(b, site->key, prep->fresh);
        site->key = prep->fresh;
        prep->fresh = NULL;
    }
    if (rj_dotfun_version(*rj_site_list(site), rank->dot) != NULL) {
        rj_change_end(b, site); /* it was applied before */
        return err;
    }
    if (v == NULL && site->item != NULL) {
        v = rj_item_home(site->item);
        site->item->home_used = true;
    } else if (v == NULL) {
        v = rj_bkey_home(site->key);
        site->key->home_used = true;
    }
    prep->spare = NULL;
    rj_version_set(v, rank, op->deadline, op->value);
    rj_change_in(b, site, &v->d);
    rj_change_end(b, site);
    return err;
}

static void lengthen(const struct rj_bop *op, const struct rj_rank *rank,
                     struct rj_run *run)
{
    rj_run_lengthen(run, rank->dot.seq, op->before + op->delta, rank->stamp);
    rj_run_reset(run, op->floor_seq, op->floor_cum);
}

static enum rj_err commit_incr(struct rj_bucket *b, const struct rj_bop *op,
                               const struct rj_rank *rank, struct rj_prep *prep)
{
    const struct rj_site *site = &prep->site;
    enum rj_err err = rj_change_reset(b, site, op->resets.items, op->resets.n);
    struct rj_dotted **list = rj_site_list(site), *base = NULL;
    struct rj_rank setter = op->touch ? *rank : (struct rj_rank){0};
    struct rj_run *run;

    (void)rj_change_kill(b, site, &op->seen);
    if (op->base.seq != 0)
        base = rj_dotfun_version(*list, op->base);
    run = rj_counter_find(*list, op->base, rank->dot.origin, op->epoch);
    if (run != NULL) {
        rj_change_lift(b, site, &run->d);
        lengthen(op, rank, run);
        if (op->base.seq == 0)
            rj_run_touch(run, op->deadline, &setter, b->kind.origins);
        rj_change_lay(b, site, &run->d);
    } else if (op->base.seq == 0 || base != NULL) {
        run = prep->run;
        assert(run != NULL); /* made when this was prepared */
        prep->run = NULL;
        run->d.origin = rank->dot.origin;
        run->d.deadline = base != NULL ? base->deadline : op->deadline;
        run->epoch = op->epoch;
        run->base = op->base;
        run->setter = setter;
        lengthen(op, rank, run);
        rj_change_in(b, site, &run->d);
    }
    rj_change_end(b, site);
    return err;
}

static enum rj_err carry_one(struct rj_bucket *b, const struct rj_site *site,
                             const struct rj_run *carried)
{
    struct rj_run *run = rj_counter_find(*rj_site_list(site), (struct rj_dot){0},
                                         carried->d.origin, carried->epoch);

    if (run != NULL) {
        rj_change_lift(b, site, &run->d);
        rj_run_join(run, carried, b->kind.origins);
        rj_change_lay(b, site, &run->d);
        return RJ_OK;
    }
    run = rj_run_new();
    if (run == NULL)
        return RJ_ENOMEM;
    run->d.origin = carried->d.origin;
    run->epoch = carried->epoch;
    rj_run_join(run, carried, b->kind.origins);
    rj_change_in(b, site, &run->d);
    return RJ_OK;
}

static enum rj_err commit_carry(struct rj_bucket *b, const struct rj_bop *op,
                                const struct rj_rank *rank, struct rj_prep *prep)
{
    enum rj_err err = RJ_OK;
    size_t i;

    (void)rj_change_kill(b, &prep->site, &op->seen);
    for (i = 0; err == RJ_OK && i < op->carried.n; i++) {
        struct rj_run carried = op->carried.items[i];

        carried.d.stamp = 0;
        carried.d.deadline = op->deadline;
        carried.setter = *rank;
        err = carry_one(b, &prep->site, &carried);
    }
    rj_change_end(b, &prep->site);
    return err;
}

static enum rj_err commit_removal(struct rj_bucket *b, const struct rj_bop *op,
                                  struct rj_prep *prep)
{
    enum rj_err err;

    if (prep->site.item == NULL)
        return RJ_OK;
    (void)rj_change_kill(b, &prep->site, &op->seen);
    err = rj_change_reset(b, &prep->site, op->resets.items, op->resets.n);
    rj_change_end(b, &prep->site);
    return err;
}

enum rj_err rj_apply_commit(struct rj_bucket *b, const struct rj_bop *op,
                            const struct rj_rank *rank, struct rj_prep *take_prep)
{
    struct rj_prep *prep = take_prep;
    enum rj_err err = RJ_OK;

    if (prep->site.key == NULL)
        return RJ_OK;
    err = kill_whole(b, prep->site.key, part_of(op), &op->whole);
    if (err != RJ_OK)
        goto out;
    switch (op->code) {
    case RJ_BOP_SET:
    case RJ_BOP_SADD:
    case RJ_BOP_HSET:
        err = commit_value(b, op, rank, prep);
        break;
    case RJ_BOP_DEL:
        if (b->delete_wins)
            rj_gone_commit(b, op, rank, prep);
        break;
    case RJ_BOP_SREM:
    case RJ_BOP_HDEL:
        err = commit_removal(b, op, prep);
        break;
    case RJ_BOP_FORGET:
        rj_gone_forget(b, prep->site.key, op);
        break;
    case RJ_BOP_INCR:
        err = commit_incr(b, op, rank, prep);
        break;
    case RJ_BOP_CARRY:
        err = commit_carry(b, op, rank, prep);
        break;
    case RJ_BOP_AGAIN:
    case RJ_BOP_CODES:
    default:
        break;
    }
out:
    rj_apply_abandon(prep);
    return err;
}

/* ---- batches of others */

/* Looking at a batch, this node asks for the memory that applying it will need. Of the
 * key some writes back the head of the chain has come by now. */
struct ahead {
    uint64_t position[AHEAD];
    unsigned n;
};

static void fetch(const struct rj_bucket *b, struct ahead *ahead, struct rj_bytes key)
{
    uint64_t position = rj_change_position(b, key);
    uint64_t *slot = &ahead->position[ahead->n % AHEAD];

    rj_table_fetch_chain(&b->table, position);
    if (ahead->n >= AHEAD)
        rj_table_fetch_key(&b->table, *slot);
    *slot = position;
    ahead->n++;
}

enum rj_err rj_apply_check(struct rj_kind *k, const struct rj_batch_view *batch)
{
    struct rj_bucket *b = rj_bucket_of(k);
    struct rj_reader r = rj_reader_of(batch->ops);
    struct rj_bop_source source = {.dict = batch->dict,
                                   .dict_n = batch->dict_n,
                                   .have = batch->have,
                                   .names = batch->names};
    struct ahead ahead = {.n = 0};
    enum rj_err err = RJ_OK;
    uint32_t i;

    for (i = 0; err == RJ_OK && i < batch->count; i++) {
        source.dot = (struct rj_dot){.seq = batch->first + i, .origin = batch->origin};
        err = rj_bop_get(&b->op, &r, &source);
        if (err == RJ_OK && b->op.code == RJ_BOP_FORGET && !b->delete_wins)
            err = RJ_ECORRUPT;
        if (err == RJ_OK)
            fetch(b, &ahead, b->op.key);
    }
    if (err == RJ_OK && !rj_reader_complete(&r))
        err = RJ_ECORRUPT;
    return err;
}

/* Applies b->op. */
static enum rj_err apply_one(struct rj_bucket *b, uint64_t position,
                             const struct rj_rank *rank)
{
    struct rj_prep prep;
    enum rj_err err;

    if (rj_plain_apply(b, &b->op, position, rank))
        return RJ_OK;
    err = rj_apply_prepare(b, &b->op, position, rank->dot, &prep);
    return err == RJ_OK ? rj_apply_commit(b, &b->op, rank, &prep) : err;
}

enum rj_err rj_apply_batch(struct rj_kind *k, const struct rj_batch_view *batch,
                           const struct rj_contexts *ctx)
{
    struct rj_bucket *b = rj_bucket_of(k);
    struct rj_reader r = rj_reader_of(batch->ops);
    struct rj_bop_source source = {
        .dict = batch->dict, .dict_n = batch->dict_n, .names = batch->names};
    struct rj_rank rank = {.stamp = batch->stamp};
    bool watched = b->watch != NULL && batch->origin != b->kind.writer->self;
    struct rj_telling telling = {.any = false};
    enum rj_err err = RJ_OK;
    uint32_t i;

    for (i = 0; err == RJ_OK && i < batch->count; i++) {
        uint64_t position;
        bool told;

        rank.dot = (struct rj_dot){.seq = batch->first + i, .origin = batch->origin};
        source.dot = rank.dot;
        err = rj_bop_get(&b->op, &r, &source);
        if (err != RJ_OK)
            break;
        position = rj_change_position(b, b->op.key);
        if (!rj_contexts_lack(ctx, position, rank.dot.origin, rank.dot.seq))
            continue;
        told = watched && !rj_gone_stops(b, &b->op, position);
        if (told)
            rj_watch_before(b, &telling, position);
        err = apply_one(b, position, &rank);
        if (told && err == RJ_OK)
            rj_watch_after(b, &telling);
    }
    if (watched)
        rj_watch_end(b, &telling);
    return err;
}
