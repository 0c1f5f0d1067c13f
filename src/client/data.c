/* SPDX-License-Identifier: Apache-2.0 */
/* The data calls: each is a list of operations for the verb `data`, mostly of one. */
#include "base/alloc.h"
#include "client/handle.h"
#include "client/op.h"

/* ---- requests */

static void put_name(struct rj_client *c, struct rj_doc *doc)
{
    if (c->bucket[0] != '\0')
        rj_doc_put_str(doc, "name", c->bucket);
}

static enum rj_err put_ops(struct rj_client *c, const struct rj_op *ops, size_t n)
{
    enum rj_err err = n <= RJ_CLIENT_OPS_MAX ? RJ_OK : RJ_ELIMIT;

    rj_buf_clear(&c->text);
    rj_cbor_put_array(&c->text, n);
    for (size_t i = 0; err == RJ_OK && i < n; i++) {
        err = rj_op_put(&c->text, &ops[i]);
        if (err == RJ_OK && c->text.len > RJ_CLIENT_REQUEST_MAX)
            err = RJ_ELIMIT;
    }
    return err == RJ_OK ? rj_buf_err(&c->text) : err;
}

/* Reads all results; the items of all lists go into one array. */
static enum rj_err take_results(struct rj_client *c, struct rj_bytes list,
                                const struct rj_op *ops, size_t n,
                                struct rj_op_result *ret)
{
    struct rj_bytes item, *items;
    size_t pos = 0, total = 0;

    for (size_t i = 0; i < n; i++) {
        if (!rj_doc_next(list, &pos, &item) ||
            rj_op_result(item, ops[i].code, NULL, &ret[i]) != RJ_OK)
            return RJ_EPROTO;
        total += ret[i].n_items;
    }
    if (rj_doc_next(list, &pos, &item))
        return RJ_EPROTO;
    if (total > c->cap_items) {
        items = rj_alloc_resize(c->items, total, sizeof(*items));
        if (items == NULL)
            return RJ_ENOMEM;
        c->items = items;
        c->cap_items = total;
    }
    items = c->items;
    pos = 0;
    for (size_t i = 0; i < n; i++) {
        if (ret[i].n_items == 0) {
            (void)rj_doc_next(list, &pos, &item);
            continue;
        }
        if (!rj_doc_next(list, &pos, &item) ||
            rj_op_result(item, ops[i].code, items, &ret[i]) != RJ_OK)
            return RJ_EPROTO;
        items += ret[i].n_items;
    }
    return RJ_OK;
}

/* Makes the request; rj_client_send has to follow. */
static enum rj_err make_request(struct rj_client *c, const struct rj_op *ops, size_t n,
                                bool atomic)
{
    struct rj_doc *doc = rj_client_begin(c);
    enum rj_err err = put_ops(c, ops, n);

    if (err != RJ_OK)
        return rj_client_fail(c, err, "the operations: %s", rj_err_text(err));
    put_name(c, doc);
    rj_doc_put_bool(doc, "atomic", atomic);
    rj_doc_key(doc, "ops");
    rj_doc_raw(doc, rj_buf_view(&c->text));
    return RJ_OK;
}

static enum rj_err take_answer(struct rj_client *c, struct rj_bytes body,
                               const struct rj_op *ops, size_t n,
                               struct rj_op_result *ret)
{
    struct rj_bytes list;
    enum rj_err err = RJ_EPROTO;

    if (rj_doc_find(body, "results", &list))
        err = take_results(c, list, ops, n, ret);
    return err == RJ_OK ? RJ_OK : rj_client_lost(c, err);
}

enum rj_err rj_client_run(struct rj_client *c, const struct rj_op *ops, size_t n,
                          bool atomic, struct rj_op_result *ret_results)
{
    struct rj_bytes body = {0};
    enum rj_err err = make_request(c, ops, n, atomic);

    if (err == RJ_OK)
        err = rj_client_ask(c, "data", rj_client_until(c, 0), &body);
    return err == RJ_OK ? take_answer(c, body, ops, n, ret_results) : err;
}

enum rj_err rj_client_run_begin(struct rj_client *c, const struct rj_op *ops, size_t n,
                                bool atomic)
{
    enum rj_err err = make_request(c, ops, n, atomic);
    uint64_t id = 0;

    if (err == RJ_OK)
        err = rj_client_send(c, "data", rj_client_until(c, 0), &id);
    if (err == RJ_OK)
        c->under_way = id;
    return err;
}

enum rj_err rj_client_run_end(struct rj_client *c, const struct rj_op *ops, size_t n,
                              struct rj_op_result *ret_results)
{
    struct rj_bytes body = {0};
    enum rj_err err;

    if (c->under_way == 0)
        return rj_client_fail(c, RJ_EINVAL, "no request is under way");
    err = rj_client_receive(c, c->under_way, 0, &body);
    if (err == RJ_EBUSY)
        return err;
    c->under_way = 0;
    return err == RJ_OK ? take_answer(c, body, ops, n, ret_results) : err;
}

/* One operation whose error is the call's. */
static enum rj_err one(struct rj_client *c, const struct rj_op *op,
                       struct rj_op_result *ret)
{
    enum rj_err err = rj_client_run(c, op, 1, false, ret);

    if (err == RJ_OK && ret->err != RJ_OK)
        err = rj_client_fail(c, ret->err, "%s", rj_err_text(ret->err));
    return err;
}

/* The same for those that give a number. ret may be NULL. */
static enum rj_err number(struct rj_client *c, const struct rj_op *op, int64_t *ret)
{
    struct rj_op_result r = {0};
    enum rj_err err = one(c, op, &r);

    if (err == RJ_OK && ret != NULL)
        *ret = r.number;
    return err;
}

static enum rj_err count(struct rj_client *c, const struct rj_op *op, uint64_t *ret)
{
    int64_t n = 0;
    enum rj_err err = number(c, op, &n);

    if (err == RJ_OK && ret != NULL)
        *ret = n > 0 ? (uint64_t)n : 0;
    return err;
}

static enum rj_err flag(struct rj_client *c, const struct rj_op *op, bool *ret)
{
    int64_t n = 0;
    enum rj_err err = number(c, op, &n);

    if (err == RJ_OK && ret != NULL)
        *ret = n != 0;
    return err;
}

static enum rj_err value(struct rj_client *c, const struct rj_op *op,
                         struct rj_bytes *ret)
{
    struct rj_op_result r = {0};
    enum rj_err err = one(c, op, &r);

    if (err == RJ_OK)
        *ret = r.value;
    return err;
}

/* ---- one operation a call */

enum rj_err rj_client_type(struct rj_client *c, struct rj_bytes key,
                           enum rj_type *ret_type)
{
    int64_t n = 0;
    enum rj_err err = number(c, &(struct rj_op){.code = RJ_OP_TYPE, .key = key}, &n);

    if (err == RJ_OK)
        *ret_type =
            n >= RJ_TYPE_NONE && n <= RJ_TYPE_HASH ? (enum rj_type)n : RJ_TYPE_NONE;
    return err;
}

enum rj_err rj_client_exists(struct rj_client *c, struct rj_bytes key, bool *ret_exists)
{
    return flag(c, &(struct rj_op){.code = RJ_OP_TYPE, .key = key}, ret_exists);
}

enum rj_err rj_client_count(struct rj_client *c, uint64_t *ret_n)
{
    return count(c, &(struct rj_op){.code = RJ_OP_COUNT}, ret_n);
}

enum rj_err rj_client_get(struct rj_client *c, struct rj_bytes key,
                          struct rj_bytes *ret_value)
{
    return value(c, &(struct rj_op){.code = RJ_OP_GET, .key = key}, ret_value);
}

enum rj_err rj_client_set(struct rj_client *c, struct rj_bytes key, struct rj_bytes v,
                          const struct rj_set_opts *opts)
{
    struct rj_op op = {.code = RJ_OP_SET, .key = key, .value = v};
    struct rj_op_result r = {0};

    if (opts != NULL) {
        op.ttl = opts->ttl;
        op.number = opts->deadline_ms;
    }
    return one(c, &op, &r);
}

enum rj_err rj_client_del(struct rj_client *c, struct rj_bytes key, bool *ret_existed)
{
    return flag(c, &(struct rj_op){.code = RJ_OP_DEL, .key = key}, ret_existed);
}

enum rj_err rj_client_incr(struct rj_client *c, struct rj_bytes key, int64_t delta,
                           int64_t *ret_value)
{
    return number(c, &(struct rj_op){.code = RJ_OP_INCR, .key = key, .delta = delta},
                  ret_value);
}

enum rj_err rj_client_expire(struct rj_client *c, struct rj_bytes key,
                             uint64_t deadline_ms)
{
    struct rj_op_result r = {0};

    return one(
        c, &(struct rj_op){.code = RJ_OP_EXPIRE, .key = key, .number = deadline_ms}, &r);
}

enum rj_err rj_client_deadline(struct rj_client *c, struct rj_bytes key,
                               uint64_t *ret_deadline_ms)
{
    return count(c, &(struct rj_op){.code = RJ_OP_DEADLINE, .key = key}, ret_deadline_ms);
}

enum rj_err rj_client_scan(struct rj_client *c, uint64_t *cursor, size_t n,
                           const struct rj_bytes **ret_keys, size_t *ret_n)
{
    const struct rj_op op = {.code = RJ_OP_SCAN, .cursor = *cursor, .number = n};
    struct rj_op_result r = {0};
    enum rj_err err = one(c, &op, &r);

    if (err != RJ_OK)
        return err;
    *cursor = r.cursor;
    *ret_keys = r.items;
    *ret_n = r.n_items;
    return RJ_OK;
}

/* Operations on a list of elements or fields. */
static enum rj_err on_items(struct rj_client *c, struct rj_op op,
                            const struct rj_bytes *items, size_t n, uint64_t *ret)
{
    op.items = items;
    op.n_items = n;
    return count(c, &op, ret);
}

enum rj_err rj_client_sadd(struct rj_client *c, struct rj_bytes key,
                           const struct rj_bytes *elems, size_t n, uint64_t *ret_added)
{
    return on_items(c, (struct rj_op){.code = RJ_OP_SADD, .key = key}, elems, n,
                    ret_added);
}

enum rj_err rj_client_srem(struct rj_client *c, struct rj_bytes key,
                           const struct rj_bytes *elems, size_t n, uint64_t *ret_removed)
{
    return on_items(c, (struct rj_op){.code = RJ_OP_SREM, .key = key}, elems, n,
                    ret_removed);
}

enum rj_err rj_client_sismember(struct rj_client *c, struct rj_bytes key,
                                struct rj_bytes elem, bool *ret_is)
{
    return flag(c, &(struct rj_op){.code = RJ_OP_SISMEMBER, .key = key, .value = elem},
                ret_is);
}

enum rj_err rj_client_scard(struct rj_client *c, struct rj_bytes key, uint64_t *ret_n)
{
    return count(c, &(struct rj_op){.code = RJ_OP_SCARD, .key = key}, ret_n);
}

enum rj_err rj_client_hset(struct rj_client *c, struct rj_bytes key,
                           const struct rj_pair *pairs, size_t n, uint64_t *ret_added)
{
    struct rj_bytes *items;
    enum rj_err err;

    if (n > RJ_CLIENT_ITEMS_MAX / 2)
        return rj_client_fail(c, RJ_ELIMIT, "at most %d fields", RJ_CLIENT_ITEMS_MAX / 2);
    items = rj_alloc_array(2 * n, sizeof(*items));
    if (items == NULL)
        return rj_client_fail(c, RJ_ENOMEM, "%s", rj_err_text(RJ_ENOMEM));
    for (size_t i = 0; i < n; i++) {
        items[2 * i] = pairs[i].field;
        items[2 * i + 1] = pairs[i].value;
    }
    err = on_items(c, (struct rj_op){.code = RJ_OP_HSET, .key = key}, items, 2 * n,
                   ret_added);
    free(items);
    return err;
}

enum rj_err rj_client_hget(struct rj_client *c, struct rj_bytes key,
                           struct rj_bytes field, struct rj_bytes *ret_value)
{
    return value(c, &(struct rj_op){.code = RJ_OP_HGET, .key = key, .value = field},
                 ret_value);
}

enum rj_err rj_client_hdel(struct rj_client *c, struct rj_bytes key,
                           const struct rj_bytes *fields, size_t n, uint64_t *ret_removed)
{
    return on_items(c, (struct rj_op){.code = RJ_OP_HDEL, .key = key}, fields, n,
                    ret_removed);
}

enum rj_err rj_client_hincr(struct rj_client *c, struct rj_bytes key,
                            struct rj_bytes field, int64_t delta, int64_t *ret_value)
{
    const struct rj_op op = {
        .code = RJ_OP_HINCR, .key = key, .value = field, .delta = delta};

    return number(c, &op, ret_value);
}

enum rj_err rj_client_hlen(struct rj_client *c, struct rj_bytes key, uint64_t *ret_n)
{
    return count(c, &(struct rj_op){.code = RJ_OP_HLEN, .key = key}, ret_n);
}

/* ---- whole collections, a piece after the other */

static enum rj_err keep(struct rj_client_kept *k, const struct rj_op_result *r)
{
    if (r->n_items > k->cap - k->n) {
        size_t cap = k->cap + k->cap / 2 + r->n_items;
        struct rj_bytes *grown = rj_alloc_resize(k->items, cap, sizeof(*grown));

        if (grown == NULL)
            return RJ_ENOMEM;
        k->items = grown;
        k->cap = cap;
    }
    for (size_t i = 0; i < r->n_items; i++) {
        rj_buf_append(&k->bytes, r->items[i]);
        k->items[k->n++].len = r->items[i].len;
    }
    return rj_buf_err(&k->bytes);
}

/* The item that is step before the end, for the next piece. */
static struct rj_bytes last_kept(const struct rj_client_kept *k, size_t step)
{
    size_t len = k->items[k->n - step].len, behind = 0;

    for (size_t i = k->n - step; i < k->n; i++)
        behind += k->items[i].len;
    return rj_bytes_of(k->bytes.ptr + k->bytes.len - behind, len);
}

static void point_at_kept(struct rj_client_kept *k)
{
    const uint8_t *at = k->bytes.ptr;

    for (size_t i = 0; i < k->n; i++) {
        k->items[i] = rj_bytes_of(at, k->items[i].len);
        at += k->items[i].len;
    }
}

/* All of a set (step 1) or hash (step 2). */
static enum rj_err walk(struct rj_client *c, struct rj_bytes key, enum rj_type type,
                        size_t step)
{
    struct rj_op op = {.code = RJ_OP_WALK, .key = key};
    struct rj_client_kept *k = &c->kept;
    struct rj_op_result r = {.cursor = 1};
    enum rj_err err = RJ_OK;

    rj_buf_clear(&k->bytes);
    k->bytes.limit = (size_t)RJ_KEY_BYTES_MAX;
    k->n = 0;
    (void)rj_buf_reserve(&k->bytes, 1); /* an empty item has a place, too */
    while (err == RJ_OK && r.cursor != 0) {
        if (k->n > 0)
            op.value = last_kept(k, step);
        err = one(c, &op, &r);
        if (err != RJ_OK)
            return err;
        if (r.number != (int64_t)type && r.number != RJ_TYPE_NONE)
            return rj_client_fail(c, RJ_ETYPE, "%s", rj_err_text(RJ_ETYPE));
        if (r.n_items % step != 0 || (r.n_items == 0 && r.cursor != 0))
            return rj_client_lost(c, RJ_EPROTO);
        err = keep(k, &r);
    }
    if (err != RJ_OK)
        return rj_client_fail(c, err, "%s", rj_err_text(err));
    point_at_kept(k);
    return RJ_OK;
}

enum rj_err rj_client_smembers(struct rj_client *c, struct rj_bytes key,
                               const struct rj_bytes **ret_elems, size_t *ret_n)
{
    enum rj_err err = walk(c, key, RJ_TYPE_SET, 1);

    if (err == RJ_OK) {
        *ret_elems = c->kept.items;
        *ret_n = c->kept.n;
    }
    return err;
}

enum rj_err rj_client_hgetall(struct rj_client *c, struct rj_bytes key,
                              const struct rj_pair **ret_pairs, size_t *ret_n)
{
    enum rj_err err = walk(c, key, RJ_TYPE_HASH, 2);
    size_t n = c->kept.n / 2;
    struct rj_pair *pairs;

    if (err != RJ_OK)
        return err;
    pairs = rj_alloc_resize(c->pairs, n, sizeof(*pairs));
    if (pairs == NULL)
        return rj_client_fail(c, RJ_ENOMEM, "%s", rj_err_text(RJ_ENOMEM));
    c->pairs = pairs;
    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct rj_pair){c->kept.items[2 * i], c->kept.items[2 * i + 1]};
    *ret_pairs = pairs;
    *ret_n = n;
    return RJ_OK;
}

/* ---- durability */

enum rj_err rj_client_wait(struct rj_client *c, uint32_t peers, enum rj_level level,
                           uint32_t *ret_peers)
{
    struct rj_doc *doc = rj_client_begin(c);
    uint64_t until = RJ_WIRE_NEVER, reached = 0;
    struct rj_bytes body;
    bool done = false;
    enum rj_err err;

    *ret_peers = 0;
    put_name(c, doc);
    rj_doc_key(doc, "ops");
    rj_doc_array(doc);
    rj_doc_end(doc);
    rj_doc_put_uint(doc, "peers", peers);
    rj_doc_put_str(doc, "level", level == RJ_DURABLE ? "durable" : "received");
    if (c->timeout_ms != RJ_CLIENT_NEVER) {
        rj_doc_put_uint(doc, "timeout_ms", c->timeout_ms);
        until = rj_wire_now_ms() + c->timeout_ms + RJ_CLIENT_GRACE_MS;
    }
    err = rj_client_ask(c, "data", until, &body);
    if (err != RJ_OK)
        return err;
    if (!rj_doc_get_uint(body, "peers", &reached) || reached > UINT32_MAX ||
        !rj_doc_get_bool(body, "done", &done))
        return rj_client_lost(c, RJ_EPROTO);
    *ret_peers = (uint32_t)reached;
    if (done)
        return RJ_OK;
    return rj_client_fail(c, RJ_ETIMEOUT, "%s at %llu of %u peers so far",
                          level == RJ_DURABLE ? "durable" : "received",
                          (unsigned long long)reached, peers);
}
