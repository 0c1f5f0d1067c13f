/* SPDX-License-Identifier: Apache-2.0 */
/* The common case by a shorter way: a write over one version that is alone in its place:
 * a string in its key, an element or a field of a key that holds nothing beside its set
 * or hash. It does what local.c, steps.c and apply.c would do, byte for byte and sum for
 * sum; most of the work of a cache is this. */
#include "base/cbor.h"
#include "bucket/bop_layout.h"
#include "bucket/state.h"

/* The version that is all there is in a list, lies in its home, does not expire and has
 * room for len bytes. NULL: none. */
static struct rj_version *alone(struct rj_dotted *d, size_t len)
{
    return d != NULL && d->home && d->next == NULL && d->deadline == 0 &&
                   rj_version_of(d)->cap >= len
               ? rj_version_of(d)
               : NULL;
}

static struct rj_version *in_key(struct rj_bkey *k, size_t len)
{
    return k->has_ext ? NULL : alone(k->u.first, len);
}

/* The version of an item; site->key is there. */
static struct rj_version *in_item(struct rj_site *site, enum rj_part part,
                                  struct rj_bytes name, size_t len)
{
    const struct rj_bkey *k = site->key;

    if (!k->has_ext || k->u.ext->first != NULL ||
        (part == RJ_PART_SET ? rj_bkey_hash(k) : rj_bkey_set(k)) != NULL)
        return NULL;
    rj_change_find_item(site, part, name);
    return site->item != NULL ? alone(site->item->first, len) : NULL;
}

static struct rj_version *find(struct rj_site *site, enum rj_bop_code code,
                               struct rj_bytes name, size_t len)
{
    switch (code) {
    case RJ_BOP_SET:
        return in_key(site->key, len);
    case RJ_BOP_SADD:
        return in_item(site, RJ_PART_SET, name, len);
    case RJ_BOP_HSET:
        return in_item(site, RJ_PART_HASH, name, len);
    case RJ_BOP_DEL:
    case RJ_BOP_INCR:
    case RJ_BOP_SREM:
    case RJ_BOP_HDEL:
    case RJ_BOP_CARRY:
    case RJ_BOP_FORGET:
    case RJ_BOP_AGAIN:
    case RJ_BOP_CODES:
    default:
        return NULL;
    }
}

/* What is shown and what lives stays as it is. */
static void replace(struct rj_bucket *b, const struct rj_site *site, struct rj_version *v,
                    const struct rj_rank *rank, struct rj_bytes value)
{
    rj_change_lift(b, site, &v->d);
    rj_version_set(v, rank, 0, value);
    rj_change_lay(b, site, &v->d);
    rj_change_dirty(b, site);
}

/* ---- by this node */

static uint8_t *put_bytes(uint8_t *p, struct rj_bytes bytes)
{
    p += rj_cbor_head(p, RJ_CBOR_BYTES, bytes.len);
    if (bytes.len > 0)
        memcpy(p, bytes.ptr, bytes.len);
    return p + bytes.len;
}

static uint8_t *put_uint(uint8_t *p, uint64_t v)
{
    return p + rj_cbor_head(p, RJ_CBOR_UINT, v);
}

static uint8_t *put_array(uint8_t *p, size_t n)
{
    return p + rj_cbor_head(p, RJ_CBOR_ARRAY, n);
}

/* [1, key, value, 0, [[number, seq], [], []]], or, of an item,
 * [code, key, name, (value,) 0, [number, seq], ([],) null] */
static size_t encode(uint8_t *start, const struct rj_site *site, enum rj_bop_code code,
                     struct rj_bytes value, struct rj_dot by_number)
{
    unsigned has = rj_bop_layout[code];
    uint8_t *p = put_array(start, rj_bop_items(has));

    p = put_uint(p, code);
    p = put_bytes(p, rj_bkey_name(site->key));
    if (site->item != NULL)
        p = put_bytes(p, rj_item_name(site->item));
    if ((has & RJ_BOP_VALUE) != 0)
        p = put_bytes(p, value);
    p = put_uint(p, 0);
    if (site->item == NULL)
        p = put_array(p, 3);
    p = put_array(p, 2);
    p = put_uint(p, by_number.origin);
    p = put_uint(p, by_number.seq);
    if (site->item == NULL)
        p = put_array(p, 0);
    if (site->item == NULL || (has & RJ_BOP_RESETS) != 0)
        p = put_array(p, 0);
    if (site->item != NULL)
        *p++ = RJ_CBOR_NULL_BYTE;
    return (size_t)(p - start);
}

static enum rj_err write(struct rj_bucket *b, const struct rj_site *site,
                         enum rj_bop_code code, struct rj_version *v,
                         struct rj_bytes value)
{
    enum { HEADS = 80 };
    struct rj_writer *w = b->kind.writer;
    struct rj_rank rank = {.stamp = w->stamp, .dot = rj_writer_dot(w)};
    struct rj_dot over = rj_dotted_dot(&v->d);
    size_t room =
        HEADS + site->key->len + (site->item != NULL ? site->item->len : 0) + value.len;
    enum rj_err err = rj_writer_room(w, room);
    uint32_t dict_n = w->dict_n;
    uint8_t *p;

    if (err != RJ_OK)
        return err;
    p = rj_buf_reserve(&w->ops, room);
    if (p == NULL) {
        err = rj_buf_err(&w->ops);
        w->ops.failed = false;
        return err;
    }
    err = rj_writer_dict(w, over.origin, &over.origin);
    if (err != RJ_OK) {
        w->dict_n = dict_n;
        return rj_local_cut_first(w, err);
    }
    rj_buf_commit(&w->ops, encode(p, site, code, value, over));
    replace(b, site, v, &rank, value);
    rj_writer_wrote(w);
    return RJ_OK;
}

bool rj_plain_write(struct rj_bucket *b, struct rj_bkey *k, enum rj_bop_code code,
                    const struct rj_pair *pair, enum rj_err *ret_err)
{
    struct rj_site site = {.key = k};
    struct rj_version *v =
        k != NULL ? find(&site, code, pair->field, pair->value.len) : NULL;

    if (v == NULL || (site.item != NULL && rj_change_is_full(k)))
        return false;
    *ret_err = write(b, &site, code, v, pair->value);
    return true;
}

/* ---- by another one */

bool rj_plain_apply(struct rj_bucket *b, const struct rj_bop *op, uint64_t position,
                    const struct rj_rank *rank)
{
    struct rj_site site = {0};
    struct rj_version *v;

    if (op->deadline != 0 || op->resets.n > 0 || op->whole.place.n > 0 ||
        op->whole.n_names > 0)
        return false;
    if (op->code != RJ_BOP_SET && op->code != RJ_BOP_SADD && op->code != RJ_BOP_HSET)
        return false;
    site.key = rj_table_find(&b->table, position, op->key);
    v = site.key != NULL ? find(&site, op->code, op->name, op->value.len) : NULL;
    if (v == NULL || !rj_seen_has(site.item != NULL ? &op->seen : &op->whole.seen,
                                  rj_dotted_dot(&v->d)))
        return false;
    replace(b, &site, v, rank, op->value);
    return true;
}
