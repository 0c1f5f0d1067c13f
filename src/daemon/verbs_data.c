/* SPDX-License-Identifier: Apache-2.0 */
/* Verb data: a list of operations on a bucket, as the client library sends them. All are
 * checked before the first one is done; then each is one call of bucket.h, and what it
 * gives goes straight into the answer. After that the call waits for what it was told to
 * wait for: the commit, where the space is durable `always`; other members. */
#include "base/alloc.h"
#include "causal/kind.h"
#include "client/op.h"
#include "daemon/verb.h"

#include <stdio.h>

enum {
    PAGE_BYTES = 1024 * 1024, /* of a walk: items of one answer, about */
    PAGE_ITEMS = 16384,
    COMMIT_TIMEOUT_MS = 30000
};

struct data {
    struct rj_buf results; /* encoded, one after the other, behind n */
    size_t n;
    char name[RJ_NAME_MAX + 1];
    uint64_t instance, group, mark;
    bool to_commit; /* wait for group here */
    bool to_peers;  /* wait for mark, at level, at so many */
    uint64_t peers;
    enum rj_level level;
    struct rj_mono until;
};

/* What an operation works on. */
struct run {
    struct rj_call *call;
    struct data *data;
    struct rj_bucket *b;
    bool atomic;
};

/* ---- operations: each appends one value */

typedef enum rj_err op_fn(struct rj_bucket *b, const struct rj_op *op,
                          struct rj_buf *out);

static void put_count(struct rj_buf *out, enum rj_err err, uint64_t n)
{
    if (err == RJ_OK)
        rj_cbor_put_uint(out, n < INT64_MAX ? n : INT64_MAX);
}

static enum rj_err op_get(struct rj_bucket *b, const struct rj_op *op, struct rj_buf *out)
{
    struct rj_bytes v;
    enum rj_err err = rj_bucket_get(b, op->key, &v);

    if (err == RJ_OK)
        rj_cbor_put_bytes(out, v);
    return err;
}

static enum rj_err op_set(struct rj_bucket *b, const struct rj_op *op, struct rj_buf *out)
{
    const struct rj_set_opts opts = {.ttl = op->ttl, .deadline_ms = op->number};

    rj_cbor_put_null(out);
    return rj_bucket_set(b, op->key, op->value, &opts);
}

static enum rj_err op_del(struct rj_bucket *b, const struct rj_op *op, struct rj_buf *out)
{
    bool existed = false;
    enum rj_err err = rj_bucket_del(b, op->key, &existed);

    if (err == RJ_ENOENT)
        err = RJ_OK;
    put_count(out, err, existed);
    return err;
}

static enum rj_err op_type(struct rj_bucket *b, const struct rj_op *op,
                           struct rj_buf *out)
{
    put_count(out, RJ_OK, (uint64_t)rj_bucket_type(b, op->key));
    return RJ_OK;
}

static enum rj_err op_incr(struct rj_bucket *b, const struct rj_op *op,
                           struct rj_buf *out)
{
    int64_t v = 0;
    enum rj_err err = rj_bucket_incr(b, op->key, op->delta, &v);

    if (err == RJ_OK)
        rj_cbor_put_int(out, v);
    return err;
}

static enum rj_err op_expire(struct rj_bucket *b, const struct rj_op *op,
                             struct rj_buf *out)
{
    rj_cbor_put_null(out);
    return rj_bucket_expire(b, op->key, op->number);
}

static enum rj_err op_deadline(struct rj_bucket *b, const struct rj_op *op,
                               struct rj_buf *out)
{
    uint64_t ms = 0;
    enum rj_err err = rj_bucket_deadline(b, op->key, &ms);

    put_count(out, err, ms);
    return err;
}

static enum rj_err op_count(struct rj_bucket *b, const struct rj_op *op,
                            struct rj_buf *out)
{
    (void)op;
    put_count(out, RJ_OK, rj_bucket_count(b));
    return RJ_OK;
}

static enum rj_err op_scan(struct rj_bucket *b, const struct rj_op *op,
                           struct rj_buf *out)
{
    const struct rj_bytes *keys;
    uint64_t cursor = op->cursor;
    size_t n = 0;
    enum rj_err err;

    if (op->number == 0 || op->number > RJ_CLIENT_ITEMS_MAX)
        return RJ_EINVAL;
    err = rj_bucket_scan(b, &cursor, (size_t)op->number, &keys, &n);
    if (err != RJ_OK)
        return err;
    rj_cbor_put_array(out, 2);
    rj_cbor_put_uint(out, cursor);
    rj_cbor_put_array(out, n);
    for (size_t i = 0; i < n; i++)
        rj_cbor_put_bytes(out, keys[i]);
    return RJ_OK;
}

static enum rj_err op_sadd(struct rj_bucket *b, const struct rj_op *op,
                           struct rj_buf *out)
{
    uint64_t n = 0;
    enum rj_err err = rj_bucket_sadd(b, op->key, op->items, op->n_items, &n);

    put_count(out, err, n);
    return err;
}

static enum rj_err op_srem(struct rj_bucket *b, const struct rj_op *op,
                           struct rj_buf *out)
{
    uint64_t n = 0;
    enum rj_err err = rj_bucket_srem(b, op->key, op->items, op->n_items, &n);

    put_count(out, err, n);
    return err;
}

static enum rj_err op_sismember(struct rj_bucket *b, const struct rj_op *op,
                                struct rj_buf *out)
{
    bool is = false;
    enum rj_err err = rj_bucket_sismember(b, op->key, op->value, &is);

    put_count(out, err, is);
    return err;
}

static enum rj_err op_scard(struct rj_bucket *b, const struct rj_op *op,
                            struct rj_buf *out)
{
    uint64_t n = 0;
    enum rj_err err = rj_bucket_scard(b, op->key, &n);

    put_count(out, err, n);
    return err;
}

static enum rj_err op_hset(struct rj_bucket *b, const struct rj_op *op,
                           struct rj_buf *out)
{
    size_t n = op->n_items / 2;
    struct rj_pair *pairs = rj_alloc_array(n, sizeof(*pairs));
    uint64_t added = 0;
    enum rj_err err;

    if (pairs == NULL)
        return RJ_ENOMEM;
    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct rj_pair){op->items[2 * i], op->items[2 * i + 1]};
    err = rj_bucket_hset(b, op->key, pairs, n, &added);
    put_count(out, err, added);
    free(pairs);
    return err;
}

static enum rj_err op_hget(struct rj_bucket *b, const struct rj_op *op,
                           struct rj_buf *out)
{
    struct rj_bytes v;
    enum rj_err err = rj_bucket_hget(b, op->key, op->value, &v);

    if (err == RJ_OK)
        rj_cbor_put_bytes(out, v);
    return err;
}

static enum rj_err op_hdel(struct rj_bucket *b, const struct rj_op *op,
                           struct rj_buf *out)
{
    uint64_t n = 0;
    enum rj_err err = rj_bucket_hdel(b, op->key, op->items, op->n_items, &n);

    put_count(out, err, n);
    return err;
}

static enum rj_err op_hincr(struct rj_bucket *b, const struct rj_op *op,
                            struct rj_buf *out)
{
    int64_t v = 0;
    enum rj_err err = rj_bucket_hincr(b, op->key, op->value, op->delta, &v);

    if (err == RJ_OK)
        rj_cbor_put_int(out, v);
    return err;
}

static enum rj_err op_hlen(struct rj_bucket *b, const struct rj_op *op,
                           struct rj_buf *out)
{
    uint64_t n = 0;
    enum rj_err err = rj_bucket_hlen(b, op->key, &n);

    put_count(out, err, n);
    return err;
}

/* A page of a walk. */
struct page {
    struct rj_buf items;
    size_t n;
    bool more; /* follow */
};

static enum rj_err take_page(struct rj_bucket *b, const struct rj_op *op, bool is_hash,
                             struct page *p)
{
    struct rj_bytes after = op->value;
    bool begin = op->value.ptr == NULL;
    struct rj_pair pair;
    enum rj_err err;

    while ((err = rj_bucket_next(b, op->key, begin ? NULL : &after, &pair)) == RJ_OK) {
        p->more = p->items.len >= PAGE_BYTES || p->n >= PAGE_ITEMS;
        if (p->more)
            break;
        rj_cbor_put_bytes(&p->items, pair.field);
        if (is_hash)
            rj_cbor_put_bytes(&p->items, pair.value);
        after = pair.field; /* borrowed: until the next call that is given it */
        begin = false;
        p->n += is_hash ? 2 : 1;
    }
    if (err == RJ_ENOENT)
        err = RJ_OK;
    return err == RJ_OK ? rj_buf_err(&p->items) : err;
}

static enum rj_err op_walk(struct rj_bucket *b, const struct rj_op *op,
                           struct rj_buf *out)
{
    enum rj_type type = rj_bucket_type(b, op->key);
    struct page p = {0};
    enum rj_err err = RJ_OK;

    if (type == RJ_TYPE_STRING)
        return RJ_ETYPE;
    if (type != RJ_TYPE_NONE)
        err = take_page(b, op, type == RJ_TYPE_HASH, &p);
    if (err == RJ_OK) {
        rj_cbor_put_array(out, 3);
        rj_cbor_put_uint(out, (uint64_t)type);
        rj_cbor_put_bool(out, p.more);
        rj_cbor_put_array(out, p.n);
        rj_buf_append(out, rj_buf_view(&p.items));
    }
    rj_buf_done(&p.items);
    return err;
}

static op_fn *const fns[] = {
#define X(name, word, takes, gives) [RJ_OP_##name] = op_##word,
    RJ_CLIENT_OPS(X)
#undef X
};

/* ---- running them */

static enum rj_err try_op(struct run *r, const struct rj_op *op)
{
    struct rj_buf *out = &r->data->results;
    size_t start = out->len;
    enum rj_err err;

    rj_cbor_put_array(out, 1);
    err = fns[op->code](r->b, op, out);
    if (err == RJ_OK && out->len > RJ_CLIENT_REPLY_MAX)
        err = RJ_ELIMIT; /* only reads give much */
    if (err != RJ_OK)
        rj_buf_truncate(out, start);
    return err;
}

/* Cuts what is pending; the handle is another one then. False: the instance ended, which
 * has answered the call. */
static bool flush(struct run *r)
{
    struct rj_daemon *d = rj_call_daemon(r->call);
    struct rj_node *n;
    struct rj_space *s;

    rj_engine_flush_now(d->engine);
    n = rj_engine_node(d->engine);
    s = n != NULL ? rj_node_space(n, rj_bytes_from_str(r->data->name)) : NULL;
    r->b = s != NULL ? rj_space_bucket(s, rj_verb_now(r->call)) : NULL;
    return r->b != NULL;
}

static bool do_op(struct run *r, const struct rj_op *op)
{
    enum rj_err err = try_op(r, op);

    if (err == RJ_EBUSY && !r->atomic) { /* the pending batch is full: once more */
        if (!flush(r))
            return false;
        err = try_op(r, op);
    }
    if (err == RJ_EBUSY && r->atomic)
        err = RJ_ELIMIT;
    if (err != RJ_OK)
        rj_cbor_put_text(&r->data->results, rj_bytes_from_str(rj_err_name(err)));
    r->data->n++;
    return true;
}

/* Answers that an operation was not understood; returns err, so that all ends. */
static enum rj_err refuse_op(struct rj_call *c, enum rj_err err, size_t number)
{
    if (err == RJ_EUPGRADE)
        (void)rj_call_error(c, RJ_EVERSION, "rejoin down; rejoin up",
                            "the daemon does not know operation %zu", number);
    else if (err == RJ_ELIMIT)
        (void)rj_call_error(c, err, "", "at most %d operations of at most %d items",
                            RJ_CLIENT_OPS_MAX, RJ_CLIENT_ITEMS_MAX);
    else
        (void)rj_call_error(c, err, "", "operation %zu: %s", number, rj_err_text(err));
    return err;
}

/* Reads all operations and does nothing. */
static enum rj_err check(struct rj_call *c, struct rj_bytes list, struct rj_op_room *room,
                         size_t *ret_writes)
{
    struct rj_bytes item;
    size_t pos = 0, n = 0, writes = 0;
    struct rj_op op;

    while (rj_doc_next(list, &pos, &item)) {
        enum rj_err err = n < RJ_CLIENT_OPS_MAX ? rj_op_get(item, room, &op) : RJ_ELIMIT;

        if (err != RJ_OK)
            return refuse_op(c, err, n + 1);
        writes += 1 + op.n_items;
        n++;
    }
    *ret_writes = writes;
    return RJ_OK;
}

/* Begins a group, with room for all of it in one batch. */
static enum rj_err begin_group(struct run *r, size_t writes, size_t size_bytes)
{
    enum rj_err err;

    if (writes > RJ_BATCH_WRITES_MAX || size_bytes > RJ_BATCH_OPS_MAX)
        return RJ_ELIMIT;
    /* The bucket leaves half a batch; what may want more gets a whole one. */
    if ((writes > RJ_BATCH_WRITES_MAX / 4 || size_bytes > RJ_BATCH_OPS_MAX / 4) &&
        !flush(r))
        return RJ_EBUSY;
    err = rj_bucket_begin(r->b);
    if (err == RJ_EBUSY && flush(r))
        err = rj_bucket_begin(r->b);
    return err;
}

static enum rj_err do_all(struct run *r, struct rj_bytes list)
{
    struct rj_op_room room = {0};
    struct rj_bytes item;
    size_t pos = 0, writes = 0;
    struct rj_op op;
    bool goes = true;
    enum rj_err err = check(r->call, list, &room, &writes);

    if (err == RJ_OK && r->atomic && writes > 0)
        err = begin_group(r, writes, list.len);
    else
        r->atomic = false; /* nothing to end */
    if (err != RJ_OK)
        goto out;
    while (goes && rj_doc_next(list, &pos, &item)) {
        err = rj_op_get(item, &room, &op);
        goes = err == RJ_OK && do_op(r, &op);
    }
    if (goes && r->atomic)
        rj_bucket_end(r->b);
out:
    free(room.items);
    return err;
}

/* ---- the answer */

static void data_free(void *state)
{
    struct data *y = state;

    rj_buf_done(&y->results);
    free(y);
}

static enum rj_err answer(struct rj_call *c, size_t peers, bool done)
{
    const struct data *y = rj_call_state(c);
    struct rj_doc *doc = rj_call_doc(c);
    struct rj_buf list = {0};
    enum rj_err err;

    rj_cbor_put_array(&list, y->n);
    rj_buf_append(&list, rj_buf_view(&y->results));
    rj_doc_map(doc);
    if (y->to_peers) {
        rj_doc_put_uint(doc, "peers", peers);
        rj_doc_put_bool(doc, "done", done);
    }
    rj_doc_key(doc, "results");
    rj_doc_raw(doc, rj_buf_view(&list));
    rj_doc_end(doc);
    err = rj_buf_err(&list);
    rj_buf_done(&list);
    if (err == RJ_OK)
        rj_call_reply(c, RJ_MESSAGE_RESULT);
    return err;
}

static enum rj_err poll_data(struct rj_call *c)
{
    const struct data *y = rj_call_state(c);
    struct rj_engine *e = rj_call_daemon(c)->engine;
    struct rj_node *n = rj_verb_node(c);
    bool late = rj_verb_now(c).mono.ms >= y->until.ms;
    struct rj_space *s;
    size_t peers;
    bool done;

    if (n == NULL)
        return RJ_OK;
    if (rj_engine_instance(e) != y->instance)
        return rj_call_error(c, RJ_EBUSY, "try again", "the engine was restarted");
    if (y->to_commit && rj_node_committed(n) < y->group)
        return late ? rj_call_error(c, RJ_ETIMEOUT, "rejoin status",
                                    "it was written but is not yet durable here")
                    : RJ_OK;
    if (!y->to_peers)
        return answer(c, 0, true);
    s = rj_node_space(n, rj_bytes_from_str(y->name));
    if (s == NULL)
        return rj_call_error(c, RJ_ENOENT, "rejoin bucket list",
                             "the bucket %s was removed", y->name);
    peers = rj_space_receipts(s, y->mark, y->level);
    done = peers >= y->peers &&
           (y->level != RJ_DURABLE || rj_space_durable_here(s, y->mark));
    return done || late ? answer(c, peers, done) : RJ_OK;
}

/* What the call is to wait for; RJ_EINVAL: was answered. */
static enum rj_err take_waits(struct rj_call *c, struct data *y, struct rj_space *s)
{
    struct rj_mono now = rj_verb_now(c).mono;
    uint64_t timeout_ms = 0;
    struct rj_bytes level;

    y->to_peers = rj_doc_get_uint(rj_call_args(c), "peers", &y->peers);
    y->level = RJ_RECEIVED;
    if (rj_doc_get_text(rj_call_args(c), "level", &level)) {
        if (rj_bytes_equal(level, RJ_BYTES_LIT("durable")))
            y->level = RJ_DURABLE;
        else if (!rj_bytes_equal(level, RJ_BYTES_LIT("received")))
            return RJ_EINVAL;
    }
    (void)rj_doc_get_uint(rj_call_args(c), "timeout_ms", &timeout_ms);
    y->to_commit = y->n > 0 && rj_space_durability(s) == RJ_DURABLE_ALWAYS;
    y->until.ms = UINT64_MAX;
    if (y->to_peers && timeout_ms > 0 && timeout_ms < UINT64_MAX - now.ms)
        y->until.ms = now.ms + timeout_ms;
    else if (!y->to_peers)
        y->until.ms = now.ms + COMMIT_TIMEOUT_MS;
    return RJ_OK;
}

/* All was done: answers now, or when that is over. */
static enum rj_err finish(struct rj_call *c, struct data *y)
{
    struct rj_engine *e = rj_call_daemon(c)->engine;
    struct rj_node *n = rj_engine_node(e);
    struct rj_space *s = n != NULL ? rj_node_space(n, rj_bytes_from_str(y->name)) : NULL;

    if (s == NULL)
        return RJ_EBUSY; /* the instance ended under way */
    if (rj_buf_err(&y->results) != RJ_OK)
        return rj_buf_err(&y->results);
    y->instance = rj_engine_instance(e);
    y->group = rj_node_group(n);
    y->mark = rj_space_mark(s);
    if (y->to_peers)
        rj_space_hurry(s);
    rj_engine_touch(e);
    if (!y->to_commit && !y->to_peers)
        return answer(c, 0, true);
    if (y->until.ms != UINT64_MAX)
        rj_call_wake_at(c, y->until);
    rj_call_wait(c, poll_data);
    return RJ_OK;
}

/* The bucket of argument "name", or the default one; NULL: the call was answered. */
static struct rj_space *find_space(struct rj_call *c, struct rj_node *n)
{
    const char *name = rj_respd_default(rj_call_daemon(c)->respd);
    struct rj_space *s;
    struct rj_bytes b;

    if (rj_doc_get_text(rj_call_args(c), "name", &b))
        return rj_verb_space(c, n);
    s = name[0] != '\0' ? rj_node_space(n, rj_bytes_from_str(name)) : NULL;
    if (s == NULL)
        (void)rj_call_error(c, RJ_ENOENT, "rejoin bucket add NAME",
                            "there is no default bucket here");
    return s;
}

enum rj_err rj_verb_data(struct rj_call *c)
{
    struct rj_node *n = rj_verb_node(c);
    struct rj_space *s = n != NULL ? find_space(c, n) : NULL;
    struct run r = {.call = c};
    struct rj_bytes list;
    struct rj_reader reader;
    enum rj_err err;

    if (s == NULL)
        return RJ_OK;
    if (!rj_doc_find(rj_call_args(c), "ops", &list))
        return RJ_EINVAL;
    reader = rj_reader_of(list);
    if (rj_cbor_peek(&reader) != RJ_CBOR_ARRAY)
        return RJ_EINVAL;
    r.data = rj_alloc_zero(1, sizeof(*r.data));
    if (r.data == NULL)
        return RJ_ENOMEM;
    rj_call_set_state(c, r.data, data_free);
    (void)snprintf(r.data->name, sizeof(r.data->name), "%s", rj_space_name(s));
    (void)rj_doc_get_bool(rj_call_args(c), "atomic", &r.atomic);
    r.b = rj_space_bucket(s, rj_verb_now(c));
    err = take_waits(c, r.data, s);
    if (err == RJ_OK)
        err = do_all(&r, list);
    return err == RJ_OK ? finish(c, r.data) : err;
}
