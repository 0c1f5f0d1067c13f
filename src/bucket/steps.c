/* SPDX-License-Identifier: Apache-2.0 */
/* Data calls on sets and hashes that write several operations, one for each element or
 * field, all or none: a first pass finds how much room they take, a second one finds all
 * memory, the third writes and applies and cannot fail. */
#include "base/alloc.h"
#include "bucket/state.h"

#include <assert.h>

enum { ROOM_AGAIN = 32 }; /* what one name given twice can add: it sees the first write */

enum rj_err rj_steps_begin(struct rj_bucket *b, size_t n)
{
    if (n > RJ_BATCH_WRITES_MAX)
        return RJ_ELIMIT;
    if (n > b->cap_steps) {
        struct rj_step *steps = rj_alloc_resize(b->steps, n, sizeof(*steps));

        if (steps == NULL)
            return RJ_ENOMEM;
        b->steps = steps;
        b->cap_steps = n;
    }
    if (n > 0)
        memset(b->steps, 0, n * sizeof(*b->steps));
    return RJ_OK;
}

/* The operation of one step, as things stand now. */
static enum rj_err fill(struct rj_bucket *b, const struct rj_call *call,
                        struct rj_step *step, bool with_whole)
{
    struct rj_bop *op = &b->op;
    struct rj_site site = {.key = rj_table_find(&b->table, call->position, call->key)};
    enum rj_err err = RJ_OK;
    struct rj_dotted *d;

    rj_bop_clear(op);
    op->code = step->code;
    op->key = call->key;
    op->has_name = true;
    op->name = step->name;
    op->value = step->value;
    op->deadline = step->deadline;
    step->shown = false;
    if (site.key == NULL)
        return RJ_OK;
    if (with_whole && (step->code == RJ_BOP_SADD || step->code == RJ_BOP_HSET) &&
        rj_change_is_full(site.key))
        return RJ_ELIMIT;
    rj_change_find_item(&site, call->part, step->name);
    if (site.item != NULL) {
        step->shown = rj_dotfun_is_shown(site.item->first, b->now_ms);
        err = rj_walk_versions(site.item->first, &op->seen);
        if (err == RJ_OK && call->part == RJ_PART_HASH && step->code != RJ_BOP_CARRY)
            err = rj_walk_runs(site.item->first, &op->resets);
    }
    if (err == RJ_OK)
        err = with_whole ? rj_walk_whole(site.key, call->part, &op->whole)
                         : rj_walk_gones(site.key, &op->whole.seen);
    if (step->code != RJ_BOP_CARRY || site.item == NULL)
        return err;
    for (d = site.item->first; err == RJ_OK && d != NULL; d = d->next) {
        if (d->sort == RJ_DOTTED_RUN && rj_dotted_stands(d) &&
            !rj_is_due(d->deadline, b->now_ms))
            err = rj_carried_add(&op->carried, rj_run_of(d));
    }
    return err;
}

/* A removal of what is not there is no write. */
static bool is_void(const struct rj_bop *op)
{
    return (op->code == RJ_BOP_SREM || op->code == RJ_BOP_HDEL) && op->seen.n == 0 &&
           op->resets.n == 0;
}

/* Calls of one step need no second pass. */
static enum rj_err write_single(struct rj_bucket *b, const struct rj_call *call)
{
    enum rj_err err = fill(b, call, &b->steps[0], true);

    if (err != RJ_OK || is_void(&b->op))
        return err;
    return rj_local_write(b, &b->op, call->position);
}

/* RJ_OK when all writes of the call may be appended now. */
static enum rj_err find_room(struct rj_bucket *b, const struct rj_call *call,
                             size_t *ret_room)
{
    const struct rj_writer *w = b->kind.writer;
    size_t room = 0, i;
    enum rj_err err;

    for (i = 0; i < call->n; i++) {
        err = fill(b, call, &b->steps[i], i == 0);
        if (err != RJ_OK)
            return err;
        room += rj_bop_room(&b->op) + ROOM_AGAIN;
    }
    err = rj_writer_room(w, room);
    if (err == RJ_OK && call->n > RJ_BATCH_WRITES_MAX - w->count)
        err = w->atomic ? RJ_ELIMIT : RJ_EBUSY;
    *ret_room = room;
    return err;
}

static enum rj_err find_memory(struct rj_bucket *b, const struct rj_call *call)
{
    struct rj_writer *w = b->kind.writer;
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < call->n; i++) {
        err = fill(b, call, &b->steps[i], i == 0);
        if (err == RJ_OK)
            err = rj_bop_names(&b->op, w);
        if (err == RJ_OK && !is_void(&b->op))
            err = rj_apply_prepare(b, &b->op, call->position, rj_writer_dot(w),
                                   &b->steps[i].prep);
    }
    return rj_local_cut_first(w, err);
}

static void write_all(struct rj_bucket *b, const struct rj_call *call)
{
    struct rj_writer *w = b->kind.writer;
    bool with_whole = true;
    size_t i;

    for (i = 0; i < call->n; i++) {
        struct rj_step *step = &b->steps[i];
        struct rj_rank rank = {.stamp = w->stamp, .dot = rj_writer_dot(w)};
        enum rj_err err = fill(b, call, step, with_whole);

        if (err == RJ_OK && is_void(&b->op)) {
            rj_apply_abandon(&step->prep);
            continue;
        }
        if (err == RJ_OK)
            err = rj_bop_put(&b->op, w);
        if (err == RJ_OK)
            err = rj_apply_commit(b, &b->op, &rank, &step->prep);
        assert(err == RJ_OK);
        rj_writer_wrote(w);
        with_whole = false;
    }
}

enum rj_err rj_steps_write(struct rj_bucket *b, const struct rj_call *call)
{
    struct rj_writer *w = b->kind.writer;
    uint32_t dict_n = w->dict_n;
    size_t room, i;
    enum rj_err err;

    if (call->n == 1)
        return write_single(b, call);
    err = find_room(b, call, &room);
    if (err != RJ_OK)
        return err;
    err = find_memory(b, call);
    if (err == RJ_OK && rj_buf_reserve(&w->ops, room) == NULL) {
        err = rj_buf_err(&w->ops);
        w->ops.failed = false;
    }
    if (err == RJ_OK) {
        write_all(b, call);
        return RJ_OK;
    }
    for (i = 0; i < call->n; i++)
        rj_apply_abandon(&b->steps[i].prep);
    w->dict_n = dict_n;
    return err;
}

/* ---- data calls */

/* The deadline that writes into this key get; RJ_ETYPE: it shows another type. */
static enum rj_err open_call(struct rj_bucket *b, struct rj_bytes key, enum rj_part part,
                             size_t n, struct rj_call *ret_call)
{
    enum rj_shape shape = part == RJ_PART_SET ? RJ_SHAPE_SET : RJ_SHAPE_HASH;
    struct rj_look look;
    struct rj_bkey *k;
    uint64_t deadline;
    enum rj_err err = rj_local_fits(key);
    size_t i;

    if (err != RJ_OK)
        return err;
    *ret_call = (struct rj_call){
        .key = key, .position = rj_change_position(b, key), .part = part, .n = n};
    k = rj_table_find(&b->table, ret_call->position, key);
    rj_look_key(b, k, &look);
    if (look.shape != RJ_SHAPE_NONE && look.shape != shape)
        return RJ_ETYPE;
    err = rj_steps_begin(b, n);
    if (err != RJ_OK)
        return err;
    deadline = rj_look_deadline(b, k, &look);
    for (i = 0; i < n; i++)
        b->steps[i].deadline = deadline;
    return RJ_OK;
}

static uint64_t count_shown(const struct rj_bucket *b, size_t n)
{
    uint64_t shown = 0;
    size_t i;

    for (i = 0; i < n; i++)
        shown += b->steps[i].shown ? 1 : 0;
    return shown;
}

/* n operations of one code on n names. *ret_shown: how many were shown before. */
static enum rj_err write_names(struct rj_bucket *b, struct rj_call *call,
                               enum rj_bop_code code, const struct rj_bytes *names,
                               uint64_t *ret_shown)
{
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < call->n; i++) {
        b->steps[i].code = code;
        b->steps[i].name = names[i];
        err = rj_local_fits(names[i]);
    }
    if (err == RJ_OK && call->n > 0)
        err = rj_steps_write(b, call);
    if (err == RJ_OK)
        *ret_shown = count_shown(b, call->n);
    return err;
}

/* The shorter way for one name that is there. */
static bool write_plain(struct rj_bucket *b, struct rj_bytes key, enum rj_bop_code code,
                        const struct rj_pair *pair, enum rj_err *ret_err)
{
    uint64_t position = rj_change_position(b, key);

    return rj_plain_write(b, rj_table_find(&b->table, position, key), code, pair,
                          ret_err);
}

enum rj_err rj_bucket_sadd(struct rj_bucket *b, struct rj_bytes key,
                           const struct rj_bytes *elems, size_t n, uint64_t *ret_added)
{
    struct rj_call call;
    uint64_t shown = 0;
    enum rj_err err;

    if (n == 1 &&
        write_plain(b, key, RJ_BOP_SADD, &(struct rj_pair){.field = elems[0]}, &err)) {
        if (err == RJ_OK)
            *ret_added = 0;
        return err;
    }
    err = open_call(b, key, RJ_PART_SET, n, &call);
    if (err == RJ_OK)
        err = write_names(b, &call, RJ_BOP_SADD, elems, &shown);
    if (err == RJ_OK)
        *ret_added = n - shown;
    return err;
}

enum rj_err rj_bucket_srem(struct rj_bucket *b, struct rj_bytes key,
                           const struct rj_bytes *elems, size_t n, uint64_t *ret_removed)
{
    struct rj_call call;
    enum rj_err err = open_call(b, key, RJ_PART_SET, n, &call);

    return err == RJ_OK ? write_names(b, &call, RJ_BOP_SREM, elems, ret_removed) : err;
}

enum rj_err rj_bucket_hdel(struct rj_bucket *b, struct rj_bytes key,
                           const struct rj_bytes *fields, size_t n, uint64_t *ret_removed)
{
    struct rj_call call;
    enum rj_err err = open_call(b, key, RJ_PART_HASH, n, &call);

    return err == RJ_OK ? write_names(b, &call, RJ_BOP_HDEL, fields, ret_removed) : err;
}

enum rj_err rj_bucket_hset(struct rj_bucket *b, struct rj_bytes key,
                           const struct rj_pair *pairs, size_t n, uint64_t *ret_added)
{
    struct rj_call call;
    enum rj_err err;
    size_t i;

    if (n == 1 && write_plain(b, key, RJ_BOP_HSET, &pairs[0], &err)) {
        if (err == RJ_OK)
            *ret_added = 0;
        return err;
    }
    err = open_call(b, key, RJ_PART_HASH, n, &call);
    for (i = 0; err == RJ_OK && i < n; i++) {
        b->steps[i].code = RJ_BOP_HSET;
        b->steps[i].name = pairs[i].field;
        b->steps[i].value = pairs[i].value;
        err = rj_local_fits(pairs[i].field);
        if (pairs[i].value.len > RJ_VALUE_MAX)
            err = RJ_ELIMIT;
    }
    if (err == RJ_OK && n > 0)
        err = rj_steps_write(b, &call);
    if (err == RJ_OK)
        *ret_added = n - count_shown(b, n);
    return err;
}
