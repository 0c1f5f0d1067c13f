/* SPDX-License-Identifier: Apache-2.0 */
/* Writes of this node that are one operation: strings and counters, DEL, EXPIRE of a
 * string. First everything is checked, then memory is found, then the operation is
 * appended to the pending batch, then it is applied as one of another node would be. */
#include "bucket/state.h"

enum rj_err rj_local_fits(struct rj_bytes name)
{
    return name.len <= RJ_KEY_MAX ? RJ_OK : RJ_ELIMIT;
}

enum rj_err rj_local_cut_first(const struct rj_writer *w, enum rj_err err)
{
    return err == RJ_ELIMIT && w->count > 0 && !w->atomic ? RJ_EBUSY : err;
}

enum rj_err rj_local_write(struct rj_bucket *b, struct rj_bop *op, uint64_t position)
{
    struct rj_writer *w = b->kind.writer;
    struct rj_rank rank = {.stamp = w->stamp, .dot = rj_writer_dot(w)};
    size_t len = w->ops.len;
    uint32_t dict_n = w->dict_n;
    struct rj_prep prep;
    enum rj_err err = rj_writer_room(w, rj_bop_room(op));

    if (err != RJ_OK)
        return err;
    err = rj_apply_prepare(b, op, position, rank.dot, &prep);
    if (err != RJ_OK)
        return err;
    err = rj_bop_put(op, w);
    if (err != RJ_OK) {
        w->ops.len = len;
        w->ops.failed = false;
        w->dict_n = dict_n;
        rj_apply_abandon(&prep);
        return rj_local_cut_first(w, err);
    }
    err = rj_apply_commit(b, op, &rank, &prep);
    if (err == RJ_OK)
        rj_writer_wrote(w);
    else
        w->ops.len = len;
    return err;
}

enum rj_err rj_local_del(struct rj_bucket *b, struct rj_bytes key, uint64_t position)
{
    struct rj_bkey *k = rj_table_find(&b->table, position, key);
    struct rj_bop *op = &b->op;
    enum rj_err err;

    if (b->delete_wins)
        return rj_gone_del(b, key, position);
    if (k == NULL || !k->live)
        return RJ_OK;
    rj_bop_clear(op);
    op->code = RJ_BOP_DEL;
    op->key = key;
    err = rj_walk_whole(k, RJ_PART_NONE, &op->whole);
    if (err != RJ_OK)
        return err;
    return rj_local_write(b, op, position);
}

enum rj_err rj_bucket_del(struct rj_bucket *b, struct rj_bytes key, bool *ret_existed)
{
    uint64_t position = rj_change_position(b, key);
    struct rj_look look;
    enum rj_err err = rj_local_fits(key);

    if (err != RJ_OK)
        return err;
    rj_look_key(b, rj_table_find(&b->table, position, key), &look);
    err = rj_local_del(b, key, position);
    if (err == RJ_OK)
        *ret_existed = look.shape != RJ_SHAPE_NONE;
    return err;
}

/* ---- strings */

static enum rj_err write_string(struct rj_bucket *b, struct rj_bytes key,
                                uint64_t position, struct rj_bytes value,
                                uint64_t deadline)
{
    struct rj_bkey *k = rj_table_find(&b->table, position, key);
    struct rj_bop *op = &b->op;
    enum rj_err err = RJ_OK;

    if (deadline == 0 &&
        rj_plain_write(b, k, RJ_BOP_SET, &(struct rj_pair){.value = value}, &err))
        return err;
    rj_bop_clear(op);
    op->code = RJ_BOP_SET;
    op->key = key;
    op->value = value;
    op->deadline = deadline;
    if (k != NULL)
        err = rj_walk_whole(k, RJ_PART_NONE, &op->whole);
    if (err != RJ_OK)
        return err;
    return rj_local_write(b, op, position);
}

enum rj_err rj_bucket_set(struct rj_bucket *b, struct rj_bytes key, struct rj_bytes value,
                          const struct rj_set_opts *opts)
{
    uint64_t position = rj_change_position(b, key), deadline = 0;
    struct rj_look look;
    enum rj_err err = rj_local_fits(key);

    if (err != RJ_OK || value.len > RJ_VALUE_MAX)
        return RJ_ELIMIT;
    if (opts != NULL && opts->ttl == RJ_TTL_AT) {
        deadline = opts->deadline_ms;
        if (rj_is_due(deadline, b->now_ms))
            return rj_local_del(b, key, position);
    } else if (opts != NULL && opts->ttl == RJ_TTL_KEEP) {
        struct rj_bkey *k = rj_table_find(&b->table, position, key);

        rj_look_key(b, k, &look);
        deadline = rj_look_deadline(b, k, &look);
    }
    return write_string(b, key, position, value, deadline);
}

/* ---- counters */

/* One increment: of the key itself (field NULL) or of a field. */
struct incr {
    struct rj_bkey *key; /* NULL: not there */
    struct rj_dotted *first;
    struct rj_look place;
    uint64_t deadline; /* that a counter gets */
};

static enum rj_err look_incr(struct rj_bucket *b, struct rj_bkey *k,
                             const struct rj_bytes *field, struct incr *in)
{
    struct rj_look look;
    struct rj_site site = {.key = k};

    *in = (struct incr){.key = k};
    rj_look_key(b, k, &look);
    if (field == NULL && (look.shape == RJ_SHAPE_SET || look.shape == RJ_SHAPE_HASH))
        return RJ_ETYPE;
    if (field != NULL && look.shape != RJ_SHAPE_NONE && look.shape != RJ_SHAPE_HASH)
        return RJ_ETYPE;
    if (k != NULL && field == NULL) {
        in->first = rj_bkey_first(k);
    } else if (k != NULL) {
        rj_change_find_item(&site, RJ_PART_HASH, *field);
        in->first = site.item != NULL ? site.item->first : NULL;
    }
    rj_look_place(b, in->first, &in->place);
    if (k != NULL && in->place.shape != RJ_SHAPE_VERSION)
        in->deadline = rj_look_deadline(b, k, &look);
    return RJ_OK;
}

/* The sum after the increment. RJ_ERANGE: not an integer, or beyond int64. */
static enum rj_err sum_after(const struct rj_bucket *b, const struct incr *in,
                             int64_t delta, int64_t *ret_sum)
{
    struct rj_dot base = {0};
    int64_t start = 0, sum;

    if (in->place.shape == RJ_SHAPE_VERSION) {
        base = rj_dotted_dot(&in->place.top->d);
        if (!rj_register_int(rj_version_value(in->place.top), &start))
            return RJ_ERANGE;
    }
    if (!rj_counter_sum(in->first, base, b->now_ms, start, &sum) ||
        __builtin_add_overflow(sum, delta, ret_sum))
        return RJ_ERANGE;
    return RJ_OK;
}

/* What the operation says of the run that it lengthens or begins. */
static void fill_run(struct rj_bucket *b, const struct incr *in, int64_t delta,
                     struct rj_bop *op)
{
    struct rj_dot dot = rj_writer_dot(b->kind.writer);
    struct rj_run *own;

    if (in->place.shape == RJ_SHAPE_VERSION)
        op->base = rj_dotted_dot(&in->place.top->d);
    else
        op->deadline = in->deadline;
    op->delta = delta;
    own = rj_counter_own(in->first, op->base, dot.origin, b->now_ms, delta);
    if (own == NULL || own->d.seq >= dot.seq) { /* others may tell of what is not yet */
        op->epoch = dot.seq;
        return;
    }
    op->epoch = own->epoch;
    op->prev = own->d.seq;
    op->before = own->cum;
    op->floor_seq = own->floor_seq;
    op->floor_cum = own->floor_cum;
    if (op->base.seq == 0 && own->d.deadline != op->deadline) {
        op->touch = true;
        op->touched_deadline = own->d.deadline;
        op->touched_setter = own->setter;
    }
}

static enum rj_err increment(struct rj_bucket *b, struct rj_bytes key,
                             const struct rj_bytes *field, int64_t delta,
                             int64_t *ret_value)
{
    uint64_t position = rj_change_position(b, key);
    struct rj_bop *op = &b->op;
    struct incr in;
    int64_t sum;
    enum rj_err err = look_incr(b, rj_table_find(&b->table, position, key), field, &in);

    if (err == RJ_OK && in.key != NULL && rj_change_is_full(in.key))
        err = RJ_ELIMIT;
    if (err == RJ_OK)
        err = sum_after(b, &in, delta, &sum);
    if (err != RJ_OK)
        return err;
    rj_bop_clear(op);
    op->code = RJ_BOP_INCR;
    op->key = key;
    op->has_name = field != NULL;
    if (field != NULL)
        op->name = *field;
    fill_run(b, &in, delta, op);
    if (op->base.seq == 0)
        err = rj_walk_versions(in.first, &op->seen);
    else
        err = rj_walk_runs(in.first, &op->resets);
    if (err == RJ_OK && in.key != NULL)
        err = rj_walk_whole(in.key, field != NULL ? RJ_PART_HASH : RJ_PART_PLACE,
                            &op->whole);
    if (err == RJ_OK)
        err = rj_local_write(b, op, position);
    if (err == RJ_OK)
        *ret_value = sum;
    return err;
}

enum rj_err rj_bucket_incr(struct rj_bucket *b, struct rj_bytes key, int64_t delta,
                           int64_t *ret_value)
{
    enum rj_err err = rj_local_fits(key);

    return err == RJ_OK ? increment(b, key, NULL, delta, ret_value) : err;
}

enum rj_err rj_bucket_hincr(struct rj_bucket *b, struct rj_bytes key,
                            struct rj_bytes field, int64_t delta, int64_t *ret_value)
{
    enum rj_err err = rj_local_fits(key);

    if (err == RJ_OK)
        err = rj_local_fits(field);
    return err == RJ_OK ? increment(b, key, &field, delta, ret_value) : err;
}

/* ---- expiry */

/* All runs that a counter shows, under a new deadline. */
static enum rj_err carry_counter(struct rj_bucket *b, struct rj_bkey *k,
                                 uint64_t deadline)
{
    struct rj_bop *op = &b->op;
    struct rj_dotted *d;
    enum rj_err err;

    rj_bop_clear(op);
    op->code = RJ_BOP_CARRY;
    op->key = rj_bkey_name(k);
    op->deadline = deadline;
    err = rj_walk_versions(rj_bkey_first(k), &op->seen);
    for (d = rj_bkey_first(k); err == RJ_OK && d != NULL; d = d->next) {
        if (d->sort == RJ_DOTTED_RUN && rj_dotted_stands(d) &&
            !rj_is_due(d->deadline, b->now_ms))
            err = rj_carried_add(&op->carried, rj_run_of(d));
    }
    if (err == RJ_OK)
        err = rj_walk_whole(k, RJ_PART_PLACE, &op->whole);
    if (err == RJ_OK)
        err = rj_local_write(b, op, k->position);
    return err;
}

/* One step for each thing that a set or a hash shows. */
static void rewrite_item(struct rj_bucket *b, const struct rj_item *item,
                         enum rj_part part, struct rj_step *step)
{
    struct rj_look look;

    step->name = rj_item_name(item);
    step->code = RJ_BOP_SADD;
    if (part == RJ_PART_SET)
        return;
    rj_look_place(b, item->first, &look);
    step->code = look.shape == RJ_SHAPE_COUNTER ? RJ_BOP_CARRY : RJ_BOP_HSET;
    if (look.counted)
        step->value =
            rj_bytes_of(step->digits, rj_register_digits(look.sum, step->digits));
    else if (look.top != NULL)
        step->value = rj_version_value(look.top);
}

static enum rj_err rewrite_map(struct rj_bucket *b, struct rj_bkey *k, enum rj_part part,
                               uint64_t deadline)
{
    struct rj_dotmap *map = part == RJ_PART_SET ? rj_bkey_set(k) : rj_bkey_hash(k);
    struct rj_call call = {.key = rj_bkey_name(k), .position = k->position, .part = part};
    enum rj_err err = rj_steps_begin(b, rj_dotmap_shown(map, b->now_ms));
    struct rj_slot_walk w = rj_dotmap_items(map);
    const struct rj_item *item;

    if (err != RJ_OK)
        return err;
    while ((item = rj_item_next(&w)) != NULL) {
        if (!rj_dotfun_is_shown(item->first, b->now_ms))
            continue;
        b->steps[call.n].deadline = deadline;
        rewrite_item(b, item, part, &b->steps[call.n++]);
    }
    return rj_steps_write(b, &call);
}

enum rj_err rj_bucket_expire(struct rj_bucket *b, struct rj_bytes key,
                             uint64_t deadline_ms)
{
    uint64_t position = rj_change_position(b, key);
    struct rj_bkey *k = rj_table_find(&b->table, position, key);
    struct rj_bytes value;
    struct rj_look look;
    enum rj_err err;

    rj_look_key(b, k, &look);
    if (look.shape == RJ_SHAPE_NONE)
        return RJ_ENOENT;
    if (rj_is_due(deadline_ms, b->now_ms))
        return rj_local_del(b, key, position);
    switch (look.shape) {
    case RJ_SHAPE_SET:
        return rewrite_map(b, k, RJ_PART_SET, deadline_ms);
    case RJ_SHAPE_HASH:
        return rewrite_map(b, k, RJ_PART_HASH, deadline_ms);
    case RJ_SHAPE_COUNTER:
        return carry_counter(b, k, deadline_ms);
    case RJ_SHAPE_VERSION:
    case RJ_SHAPE_NONE:
    default:
        err = rj_look_value(b, &look, &value);
        if (err != RJ_OK)
            return err;
        return write_string(b, rj_bkey_name(k), position, value, deadline_ms);
    }
}
