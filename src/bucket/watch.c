/* SPDX-License-Identifier: Apache-2.0 */
/* Telling of changes that this node did not make itself. What a write says is told, not
 * what it came to: a SET that loses to a later one is told as well. Only DEL of a key
 * that shows nothing is not told, for everybody who deletes at once sends one; and FORGET
 * where it ends a key that had come too late. */
#include "bucket/state.h"

void rj_bucket_watch(struct rj_bucket *b, struct rj_bucket_watch *watch)
{
    b->watch = watch;
}

static enum rj_type shown(const struct rj_bucket *b, struct rj_bytes key)
{
    return rj_bucket_type(b, key);
}

void rj_watch_key(struct rj_bucket *b, const struct rj_bkey *k, enum rj_change what)
{
    const struct rj_bucket_change change = {
        .what = what, .key = rj_bkey_name(k), .shown = shown(b, rj_bkey_name(k))};

    b->watch->changed(b->watch, &change);
}

static enum rj_change change_of(enum rj_bop_code code)
{
    switch (code) {
    case RJ_BOP_SET:
        return RJ_CHANGE_SET;
    case RJ_BOP_INCR:
        return RJ_CHANGE_INCR;
    case RJ_BOP_SADD:
        return RJ_CHANGE_SADD;
    case RJ_BOP_SREM:
        return RJ_CHANGE_SREM;
    case RJ_BOP_HSET:
        return RJ_CHANGE_HSET;
    case RJ_BOP_HDEL:
        return RJ_CHANGE_HDEL;
    case RJ_BOP_CARRY:
        return RJ_CHANGE_TIME;
    case RJ_BOP_DEL:
    case RJ_BOP_FORGET:
    case RJ_BOP_AGAIN:
    case RJ_BOP_CODES:
    default:
        return RJ_CHANGE_DEL;
    }
}

void rj_watch_end(struct rj_bucket *b, struct rj_telling *t)
{
    struct rj_bucket_change change = {
        .what = change_of(t->code),
        .key = t->key,
        .field = t->field && (t->code == RJ_BOP_INCR || t->code == RJ_BOP_CARRY),
        .expires = t->expires};

    if (!t->any)
        return;
    t->any = false;
    change.shown = shown(b, t->key);
    b->watch->changed(b->watch, &change);
}

void rj_watch_before(struct rj_bucket *b, struct rj_telling *t, uint64_t position)
{
    const struct rj_bop *op = &b->op;
    const struct rj_bkey *k;

    if (t->code != op->code || t->field != op->has_name ||
        !rj_bytes_equal(t->key, op->key))
        rj_watch_end(b, t);
    k = rj_table_find(&b->table, position, op->key);
    t->was_live = k != NULL && k->live;
}

static bool is_live(const struct rj_bucket *b, struct rj_bytes key)
{
    const struct rj_bkey *k = rj_table_find(&b->table, rj_change_position(b, key), key);

    return k != NULL && k->live;
}

void rj_watch_after(struct rj_bucket *b, struct rj_telling *t)
{
    const struct rj_bop *op = &b->op;

    if ((op->code == RJ_BOP_DEL || op->code == RJ_BOP_FORGET) && !t->was_live)
        return;
    if (op->code == RJ_BOP_FORGET && is_live(b, op->key))
        return;
    t->any = true;
    t->key = op->key;
    t->code = op->code;
    t->field = op->has_name;
    t->expires = op->deadline != 0;
}
