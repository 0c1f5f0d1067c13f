/* SPDX-License-Identifier: Apache-2.0 */
/* The common case by a shorter way: SET of a string that is alone in its key. It does what
 * local.c and apply.c would do, byte for byte and sum for sum; most of the work of a
 * cache is this. */
#include "base/cbor.h"
#include "bucket/state.h"

bool rj_plain_is(const struct rj_bkey *k, size_t len)
{
    const struct rj_dotted *d = k->u.first;

    return !k->has_ext && k->home_used && d->home && d->next == NULL &&
           d->deadline == 0 && rj_version_of_const(d)->cap >= len;
}

void rj_plain_replace(struct rj_bucket *b, struct rj_bkey *k, const struct rj_rank *rank,
                      struct rj_bytes value)
{
    struct rj_version *v = rj_version_of(k->u.first);
    struct rj_sum *slot = &b->forever[k->position >> (64 - RJ_BUCKET_SLOT_BITS)];
    struct rj_sum hash = rj_change_hash(b, &v->d);

    rj_sum_subtract(slot, &hash);
    rj_version_set(v, rank, 0, value);
    hash = rj_change_hash(b, &v->d);
    rj_sum_add(slot, &hash);
    rj_change_dirty(b, k);
}

static uint8_t *put_bytes(uint8_t *p, struct rj_bytes bytes)
{
    p += rj_cbor_head(p, RJ_CBOR_BYTES, bytes.len);
    if (bytes.len > 0)
        memcpy(p, bytes.ptr, bytes.len);
    return p + bytes.len;
}

/* [1, key, value, 0, [[number, seq], [], []]] */
static size_t put_set(uint8_t *start, const struct rj_bkey *k, struct rj_bytes value,
                      uint32_t number)
{
    uint8_t *p = start;

    p += rj_cbor_head(p, RJ_CBOR_ARRAY, 5);
    p += rj_cbor_head(p, RJ_CBOR_UINT, RJ_BOP_SET);
    p = put_bytes(p, rj_bkey_name(k));
    p = put_bytes(p, value);
    p += rj_cbor_head(p, RJ_CBOR_UINT, 0);
    p += rj_cbor_head(p, RJ_CBOR_ARRAY, 3);
    p += rj_cbor_head(p, RJ_CBOR_ARRAY, 2);
    p += rj_cbor_head(p, RJ_CBOR_UINT, number);
    p += rj_cbor_head(p, RJ_CBOR_UINT, k->u.first->seq);
    p += rj_cbor_head(p, RJ_CBOR_ARRAY, 0);
    p += rj_cbor_head(p, RJ_CBOR_ARRAY, 0);
    return (size_t)(p - start);
}

enum rj_err rj_plain_set(struct rj_bucket *b, struct rj_bkey *k, struct rj_bytes value)
{
    enum { HEADS = 64 };
    struct rj_writer *w = b->kind.writer;
    struct rj_rank rank = {.stamp = w->stamp, .dot = rj_writer_dot(w)};
    uint32_t dict_n = w->dict_n, number;
    size_t room = HEADS + (size_t)k->len + value.len;
    enum rj_err err = rj_writer_room(w, room);
    uint8_t *p;

    if (err != RJ_OK)
        return err;
    p = rj_buf_reserve(&w->ops, room);
    if (p == NULL) {
        err = rj_buf_err(&w->ops);
        w->ops.failed = false;
        return err;
    }
    err = rj_writer_dict(w, k->u.first->origin, &number);
    if (err != RJ_OK) {
        w->dict_n = dict_n;
        return rj_local_cut_first(w, err);
    }
    rj_buf_commit(&w->ops, put_set(p, k, value, number));
    rj_plain_replace(b, k, &rank, value);
    rj_writer_wrote(w);
    return RJ_OK;
}

bool rj_plain_apply(struct rj_bucket *b, const struct rj_bop *op, uint64_t position,
                    const struct rj_rank *rank)
{
    struct rj_bkey *k = rj_table_find(&b->table, position, op->key);

    if (k == NULL || op->deadline != 0 || op->whole.place.n > 0 || op->whole.n_names > 0 ||
        !rj_plain_is(k, op->value.len) ||
        !rj_seen_has(&op->whole.seen, rj_dotted_dot(k->u.first)))
        return false;
    rj_plain_replace(b, k, rank, op->value);
    return true;
}
