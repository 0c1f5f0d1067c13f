/* SPDX-License-Identifier: Apache-2.0 */
/* A few buckets that exchange batches, for tests: what the engine does around a kind, and
 * nothing else. Every replica has its own table of origins, filled in another order, so
 * that an index that slips out of its replica is noticed. Header only: not every test
 * links the bucket. */
#ifndef RJ_TEST_REPLICAS_H
#define RJ_TEST_REPLICAS_H

#include "bucket/bucket.h"
#include "bucket/state.h"
#include "causal/contexts.h"
#include "support/test.h"

#include <stdio.h>

enum { NET_REPLICAS_MAX = 4, NET_ORIGINS_MAX = 64, NET_BATCHES_MAX = 4096 };

/* A batch on its way; origins by their number in the net. */
struct net_batch {
    uint32_t author;
    uint64_t first, stamp;
    uint32_t count;
    uint32_t *dict, dict_n;
    uint8_t *ops;
    size_t len;
    uint64_t deps[NET_ORIGINS_MAX];
};

struct replica {
    struct rj_origins origins;
    struct rj_writer writer;
    struct rj_bucket *bucket;
    struct rj_vv vv; /* by own index; while joining the minimum over ctx */
    struct rj_contexts ctx;
    bool joining;   /* a state transfer is under way: ctx counts */
    uint64_t stamp; /* greatest seen */
    uint64_t now_ms;
    uint32_t self; /* number of its origin in the net */
};

struct net {
    struct replica r[NET_REPLICAS_MAX];
    unsigned n;
    bool delete_wins; /* the policy */
    uint32_t n_origins;
    struct rj_origin_id ids[NET_ORIGINS_MAX];
    struct net_batch batches[NET_BATCHES_MAX];
    unsigned n_batches;
};

static const uint8_t net_prefix[] = {'b', 1};

static inline uint32_t net_index(struct net *net, unsigned r, uint32_t origin)
{
    return rj_origins_find(&net->r[r].origins, &net->ids[origin]);
}

static inline uint32_t net_origin(struct net *net, unsigned r, uint32_t index)
{
    for (uint32_t i = 0; i < net->n_origins; i++) {
        if (memcmp(net->ids[i].b, net->r[r].origins.items[index].id.b, 16) == 0)
            return i;
    }
    return UINT32_MAX;
}

/* A new origin, known to all from now on. Ids descend or ascend by no rule. */
static inline uint32_t net_new_origin(struct net *net)
{
    uint32_t o = net->n_origins++;
    uint64_t state = 77 + o;

    assert_true(o < NET_ORIGINS_MAX);
    for (unsigned i = 0; i < 16; i += 8) {
        state = (state ^ (state >> 29)) * 0xbf58476d1ce4e5b9u + i;
        rj_be_store64(net->ids[o].b + i, state);
    }
    return o;
}

static inline void net_learn(struct net *net, unsigned r)
{
    uint32_t index;

    for (uint32_t i = 0; i < net->n_origins; i++)
        assert_ok(rj_origins_add(&net->r[r].origins,
                                 &net->ids[(i + 2 * r) % net->n_origins], &index));
}

static inline struct rj_bucket *net_open_bucket(struct net *net, unsigned r)
{
    struct rj_bucket_config c = {.writer = &net->r[r].writer,
                                 .origins = &net->r[r].origins,
                                 .have = &net->r[r].vv,
                                 .prefix = RJ_BYTES_OF(net_prefix),
                                 .seed = {1, 2, 3},
                                 .delete_wins = net->delete_wins};
    struct rj_bucket *b = NULL;

    assert_ok(rj_bucket_open(&c, &b));
    return b;
}

/* The writer begins a batch of the replica's origin. */
static inline void net_reset_writer(struct net *net, unsigned r)
{
    struct replica *rep = &net->r[r];
    uint32_t number;

    rep->writer.self = net_index(net, r, rep->self);
    rep->writer.first = rj_vv_get(&rep->vv, rep->writer.self) + 1;
    rep->writer.count = 0;
    rep->writer.dict_n = 0;
    rj_buf_clear(&rep->writer.ops);
    assert_ok(rj_writer_dict(&rep->writer, rep->writer.self, &number));
}

static inline struct net *net_open_policy(unsigned n, bool delete_wins)
{
    struct net *net = calloc(1, sizeof(*net));

    assert_non_null(net);
    net->n = n;
    net->delete_wins = delete_wins;
    for (unsigned r = 0; r < n; r++)
        net->r[r].self = net_new_origin(net);
    for (unsigned r = 0; r < n; r++) {
        net_learn(net, r);
        net->r[r].now_ms = 1000000;
        net->r[r].bucket = net_open_bucket(net, r);
        net_reset_writer(net, r);
    }
    return net;
}

static inline struct net *net_open(unsigned n)
{
    return net_open_policy(n, false);
}

static inline void net_close_replica(struct net *net, unsigned r)
{
    struct replica *rep = &net->r[r];

    rj_bucket_kind(rep->bucket)->ops->close(rj_bucket_kind(rep->bucket));
    rep->bucket = NULL;
}

static inline void net_close(struct net *net)
{
    for (unsigned r = 0; r < net->n; r++) {
        struct replica *rep = &net->r[r];

        net_close_replica(net, r);
        rj_buf_done(&rep->writer.ops);
        free(rep->writer.dict);
        rj_vv_done(&rep->vv);
        rj_contexts_done(&rep->ctx);
        rj_origins_done(&rep->origins);
    }
    for (unsigned i = 0; i < net->n_batches; i++) {
        free(net->batches[i].dict);
        free(net->batches[i].ops);
    }
    free(net);
}

/* The bucket of r, ready for a data call. */
static inline struct rj_bucket *net_at(struct net *net, unsigned r)
{
    struct replica *rep = &net->r[r];

    if (rep->writer.count == 0) {
        uint64_t wall = rep->now_ms << 16;

        rep->stamp = wall > rep->stamp ? wall : rep->stamp + 1;
        rep->writer.stamp = rep->stamp;
    }
    rj_bucket_set_now(rep->bucket, (struct rj_now){.wall = {rep->now_ms}});
    return rep->bucket;
}

static inline struct rj_kind *net_kind(struct net *net, unsigned r)
{
    return rj_bucket_kind(net->r[r].bucket);
}

/* Cuts what is pending into a batch; false: nothing is. *ret_batch may be NULL. */
static inline bool net_cut(struct net *net, unsigned r, unsigned *ret_batch)
{
    struct replica *rep = &net->r[r];
    struct rj_writer *w = &rep->writer;
    struct net_batch *batch = &net->batches[net->n_batches];

    if (w->count == 0 || rep->joining)
        return false;
    assert_true(net->n_batches < NET_BATCHES_MAX);
    *batch = (struct net_batch){.author = rep->self,
                                .first = w->first,
                                .stamp = w->stamp,
                                .count = w->count,
                                .dict_n = w->dict_n,
                                .len = w->ops.len};
    batch->dict = malloc(w->dict_n * sizeof(*batch->dict));
    batch->ops = malloc(w->ops.len);
    assert_true(batch->dict != NULL && batch->ops != NULL);
    for (uint32_t i = 0; i < w->dict_n; i++)
        batch->dict[i] = net_origin(net, r, w->dict[i]);
    memcpy(batch->ops, w->ops.ptr, w->ops.len);
    for (uint32_t o = 0; o < net->n_origins; o++)
        batch->deps[o] = rj_vv_get(&rep->vv, net_index(net, r, o));
    assert_ok(rj_vv_put(&rep->vv, w->self, w->first + w->count - 1));
    net_reset_writer(net, r);
    if (ret_batch != NULL)
        *ret_batch = net->n_batches;
    net->n_batches++;
    return true;
}

/* A batch as replica r sees it. dict has room for its origins. */
static inline struct rj_batch_view net_view(struct net *net, unsigned r,
                                            const struct net_batch *batch, uint32_t *dict)
{
    for (uint32_t i = 0; i < batch->dict_n; i++)
        dict[i] = net_index(net, r, batch->dict[i]);
    return (struct rj_batch_view){.origin = net_index(net, r, batch->author),
                                  .first = batch->first,
                                  .count = batch->count,
                                  .stamp = batch->stamp,
                                  .dict = dict,
                                  .dict_n = batch->dict_n,
                                  .ops = rj_bytes_of(batch->ops, batch->len)};
}

static inline bool net_can_deliver(struct net *net, unsigned r, unsigned i)
{
    const struct net_batch *batch = &net->batches[i];
    const struct rj_vv *vv = &net->r[r].vv;

    if (rj_vv_get(vv, net_index(net, r, batch->author)) != batch->first - 1)
        return false;
    for (uint32_t o = 0; o < net->n_origins; o++) {
        if (rj_vv_get(vv, net_index(net, r, o)) < batch->deps[o])
            return false;
    }
    return true;
}

static inline void net_deliver(struct net *net, unsigned r, unsigned i)
{
    const struct net_batch *batch = &net->batches[i];
    struct replica *rep = &net->r[r];
    uint32_t dict[NET_ORIGINS_MAX];
    struct rj_batch_view view;

    (void)net_cut(net, r, NULL);
    assert_true(net_can_deliver(net, r, i));
    view = net_view(net, r, batch, dict);
    view.have = &rep->vv;
    assert_ok(net_kind(net, r)->ops->check(net_kind(net, r), &view));
    assert_ok(net_kind(net, r)->ops->apply(net_kind(net, r), &view,
                                           rep->joining ? &rep->ctx : NULL));
    if (rep->joining) {
        assert_ok(
            rj_contexts_applied(&rep->ctx, view.origin, batch->first + batch->count - 1));
        assert_ok(rj_contexts_min(&rep->ctx, &rep->vv));
    } else {
        assert_ok(rj_vv_put(&rep->vv, view.origin, batch->first + batch->count - 1));
    }
    if (batch->stamp > rep->stamp)
        rep->stamp = batch->stamp;
}

/* Delivers to r what it can take, in the order of the net or the other way round. */
static inline void net_catch_up(struct net *net, unsigned r, bool backwards)
{
    bool progress = true;

    (void)net_cut(net, r, NULL);
    while (progress) {
        progress = false;
        for (unsigned k = 0; k < net->n_batches; k++) {
            unsigned i = backwards ? net->n_batches - 1 - k : k;

            if (net_can_deliver(net, r, i)) {
                net_deliver(net, r, i);
                progress = true;
            }
        }
    }
}

/* Everybody gets everything; each in another order. */
static inline void net_sync(struct net *net)
{
    for (unsigned r = 0; r < net->n; r++)
        (void)net_cut(net, r, NULL);
    for (unsigned r = 0; r < net->n; r++)
        net_catch_up(net, r, r % 2 == 1);
}

static inline struct rj_sum net_sum(struct net *net, unsigned r, uint64_t cutoff_ms)
{
    struct rj_sum sum;

    net_kind(net, r)->ops->sum(net_kind(net, r), (struct rj_range){0, UINT64_MAX}, NULL,
                               cutoff_ms, &sum);
    return sum;
}

static inline void net_assert_sums_equal(struct net *net, uint64_t cutoff_ms)
{
    struct rj_sum first = net_sum(net, 0, cutoff_ms);

    for (unsigned r = 1; r < net->n; r++) {
        struct rj_sum sum = net_sum(net, r, cutoff_ms);

        assert_int_equal(first.lo, sum.lo);
        assert_int_equal(first.hi, sum.hi);
    }
}

/* v of one replica in terms of another's indexes. */
static inline void net_translate(struct net *net, unsigned from, const struct rj_vv *v,
                                 unsigned to, struct rj_vv *ret)
{
    for (uint32_t o = 0; o < net->n_origins; o++)
        assert_ok(
            rj_vv_put(ret, net_index(net, to, o), rj_vv_get(v, net_index(net, from, o))));
}

/* What r may take as had by all who may still write what it has not: nothing while it has
 * not all that the others have. */
static inline void net_settled(struct net *net, unsigned r, struct rj_vv *ret)
{
    struct rj_vv other = {0};

    assert_ok(rj_vv_copy(ret, &net->r[r].vv));
    for (unsigned i = 0; i < net->n; i++) {
        rj_vv_clear(&other);
        net_translate(net, i, &net->r[i].vv, r, &other);
        if (!rj_vv_covers(&net->r[r].vv, &other))
            rj_vv_clear(ret);
        rj_vv_meet(ret, &other);
    }
    rj_vv_done(&other);
}

/* Drops what was due before cutoff, most at a time; returns when the next is due. */
static inline enum rj_err net_drop(struct net *net, unsigned r, uint64_t cutoff,
                                   size_t most, uint64_t *ret_next)
{
    struct rj_vv settled = {0};
    enum rj_err err;

    net_settled(net, r, &settled);
    err =
        net_kind(net, r)->ops->expire(net_kind(net, r), cutoff, most, &settled, ret_next);
    rj_vv_done(&settled);
    return err;
}

/* One part of a state transfer, joined at the vector C of `to`, which is not changed
 * here; returns the last position that it covers. `from` must have nothing pending. */
static inline uint64_t net_transfer(struct net *net, unsigned from, unsigned to,
                                    const struct rj_vv *C, const struct rj_give *how)
{
    struct rj_writer part = {.self = UINT32_MAX};
    struct rj_vv have = {0}, S = {0};
    struct rj_batch_view view;
    struct rj_given given;
    struct rj_range range = how->range;
    uint32_t dict[NET_ORIGINS_MAX], number;
    struct rj_give g = *how;
    uint64_t count;

    assert_int_equal(net->r[from].writer.count, 0);
    net_translate(net, to, C, from, &have);
    net_translate(net, from, &net->r[from].vv, to, &S);
    g.have = &have;
    assert_ok(net_kind(net, from)->ops->give(net_kind(net, from), &g, &part, &range.to,
                                             &count));
    for (number = 0; number < part.dict_n; number++)
        dict[number] = net_index(net, to, net_origin(net, from, part.dict[number]));
    view = (struct rj_batch_view){.count = part.count,
                                  .dict = dict,
                                  .dict_n = part.dict_n,
                                  .ops = rj_buf_view(&part.ops)};
    given = (struct rj_given){.range = range, .part = &view};
    assert_ok(net_kind(net, to)->ops->take(net_kind(net, to), &given, &S, C, how->full));
    rj_buf_done(&part.ops);
    free(part.dict);
    rj_vv_done(&have);
    rj_vv_done(&S);
    return range.to;
}

/* A range as the engine takes it: what changed, then, where the sums differ, everything.
 * Returns the last position that it covers. */
static inline uint64_t net_take_range(struct net *net, unsigned from, unsigned to,
                                      const struct rj_vv *C, struct rj_range range,
                                      size_t budget)
{
    struct rj_give how = {.range = range, .budget_bytes = budget};
    struct rj_sum mine, theirs;
    struct rj_vv S = {0};

    (void)net_cut(net, from, NULL);
    range.to = net_transfer(net, from, to, C, &how);
    net_translate(net, from, &net->r[from].vv, to, &S);
    net_kind(net, from)->ops->sum(net_kind(net, from), range, NULL, 0, &theirs);
    net_kind(net, to)->ops->sum(net_kind(net, to), range, &S, 0, &mine);
    if (mine.lo != theirs.lo || mine.hi != theirs.hi) {
        how = (struct rj_give){.range = range, .full = true, .budget_bytes = SIZE_MAX};
        assert_int_equal(net_transfer(net, from, to, C, &how), range.to);
    }
    rj_vv_done(&S);
    if (net->r[from].stamp > net->r[to].stamp)
        net->r[to].stamp = net->r[from].stamp;
    return range.to;
}

/* `to` takes over the whole state of `from`, and its vector. */
static inline void net_take_all(struct net *net, unsigned from, unsigned to,
                                size_t budget)
{
    struct rj_range range = {0, UINT64_MAX};
    struct rj_vv S = {0};

    (void)net_cut(net, to, NULL);
    for (;;) {
        uint64_t end = net_take_range(net, from, to, &net->r[to].vv, range, budget);

        if (end == UINT64_MAX)
            break;
        range.from = end + 1;
    }
    net_translate(net, from, &net->r[from].vv, to, &S);
    assert_ok(rj_vv_join(&net->r[to].vv, &S));
    rj_vv_done(&S);
    net_reset_writer(net, to);
}

/* What r takes over of one range is known to it there; all ranges alike: it has joined.
 */
static inline void net_note_range(struct net *net, unsigned from, unsigned r,
                                  struct rj_range range)
{
    struct replica *rep = &net->r[r];
    struct rj_vv S = {0};

    net_translate(net, from, &net->r[from].vv, r, &S);
    assert_ok(rj_contexts_split(&rep->ctx, range));
    assert_ok(rj_contexts_join(&rep->ctx, range, &S));
    assert_ok(rj_contexts_min(&rep->ctx, &rep->vv));
    rj_vv_done(&S);
    if (!rj_contexts_are_equal(&rep->ctx))
        return;
    rj_contexts_done(&rep->ctx);
    rep->joining = false;
}

/* Begins a state transfer to r, or takes the next range of one: the begin of `range` as
 * far as it has one context and fits the budget. Returns what was taken. */
static inline struct rj_range net_join_range(struct net *net, unsigned from, unsigned r,
                                             struct rj_range range, size_t budget)
{
    struct replica *rep = &net->r[r];
    const struct rj_context *at;

    if (!rep->joining) {
        (void)net_cut(net, r, NULL);
        assert_ok(rj_contexts_init(&rep->ctx, &rep->vv));
        rep->joining = true;
    }
    at = rj_contexts_at(&rep->ctx, range.from);
    if (at->range.to < range.to)
        range.to = at->range.to;
    (void)net_cut(net, from, NULL);
    range.to = net_take_range(net, from, r, &at->have, range, budget);
    net_note_range(net, from, r, range);
    return range;
}

/* Somebody else who has joined: from whom r takes the rest. */
static inline unsigned net_holder(const struct net *net, unsigned r)
{
    unsigned from;

    for (from = 0; from == r || net->r[from].joining; from++)
        assert_true(from < net->n - 1);
    return from;
}

/* Writes what changed since the last time. */
static inline void net_collect(struct net *net, unsigned r, struct rj_store *store)
{
    struct rj_writes w = {0};

    assert_ok(net_kind(net, r)->ops->collect(net_kind(net, r), &w));
    assert_ok(store->ops->write(store, &w, true));
    rj_writes_done(&w);
}

/* The same, and goes on with another bucket that has read the store. */
static inline void net_restart(struct net *net, unsigned r, struct rj_store *store)
{
    struct rj_sum before = net_sum(net, r, 0), after;
    struct rj_view *view = NULL;

    net_collect(net, r, store);
    net_close_replica(net, r);
    net->r[r].bucket = net_open_bucket(net, r);
    assert_ok(store->ops->view_open(store, &view));
    assert_ok(net_kind(net, r)->ops->load(net_kind(net, r), store->ops, view));
    store->ops->view_close(view);
    after = net_sum(net, r, 0);
    assert_int_equal(before.lo, after.lo);
    assert_int_equal(before.hi, after.hi);
}

/* Writes that were never cut, kept for being issued again. */
struct net_pending {
    struct rj_buf ops;
    struct rj_batch_view view;
};

/* r gets a new incarnation; what was pending comes back. */
static inline struct net_pending net_reopen(struct net *net, unsigned r)
{
    struct replica *rep = &net->r[r];
    struct net_pending old = {.ops = rep->writer.ops};

    old.view = (struct rj_batch_view){.origin = rep->writer.self,
                                      .first = rep->writer.first,
                                      .count = rep->writer.count,
                                      .stamp = rep->writer.stamp,
                                      .dict = rep->writer.dict,
                                      .dict_n = rep->writer.dict_n,
                                      .ops = rj_buf_view(&old.ops)};
    rep->writer = (struct rj_writer){0};
    rep->self = net_new_origin(net);
    for (unsigned i = 0; i < net->n; i++)
        net_learn(net, i);
    net_reset_writer(net, r);
    return old;
}

/* Issues it again, under dots from the next one on. */
static inline void net_reissue(struct net *net, unsigned r, struct net_pending *take_old)
{
    struct rj_writer *w = &net->r[r].writer;

    (void)net_at(net, r);
    if (take_old->view.count > 0)
        assert_ok(net_kind(net, r)->ops->reissue(net_kind(net, r), &take_old->view,
                                                 take_old->view.first,
                                                 w->first + w->count));
    free((void *)(uintptr_t)take_old->view.dict);
    rj_buf_done(&take_old->ops);
}

/* ---- short forms of data calls, keys and values as C strings */

static inline struct rj_bytes str(const char *s)
{
    return rj_bytes_from_str(s);
}

static inline void do_set(struct net *net, unsigned r, const char *key, const char *value)
{
    assert_ok(rj_bucket_set(net_at(net, r), str(key), str(value), NULL));
}

static inline void do_set_until(struct net *net, unsigned r, const char *key,
                                const char *value, uint64_t deadline)
{
    struct rj_set_opts opts = {.ttl = RJ_TTL_AT, .deadline_ms = deadline};

    assert_ok(rj_bucket_set(net_at(net, r), str(key), str(value), &opts));
}

static inline bool do_del(struct net *net, unsigned r, const char *key)
{
    bool existed = false;

    assert_ok(rj_bucket_del(net_at(net, r), str(key), &existed));
    return existed;
}

static inline int64_t do_incr(struct net *net, unsigned r, const char *key, int64_t delta)
{
    int64_t value = 0;

    assert_ok(rj_bucket_incr(net_at(net, r), str(key), delta, &value));
    return value;
}

static inline uint64_t do_sadd(struct net *net, unsigned r, const char *key,
                               const char *elem)
{
    struct rj_bytes e = str(elem);
    uint64_t n = 0;

    assert_ok(rj_bucket_sadd(net_at(net, r), str(key), &e, 1, &n));
    return n;
}

static inline uint64_t do_srem(struct net *net, unsigned r, const char *key,
                               const char *elem)
{
    struct rj_bytes e = str(elem);
    uint64_t n = 0;

    assert_ok(rj_bucket_srem(net_at(net, r), str(key), &e, 1, &n));
    return n;
}

static inline uint64_t do_hset(struct net *net, unsigned r, const char *key,
                               const char *field, const char *value)
{
    struct rj_pair p = {.field = str(field), .value = str(value)};
    uint64_t n = 0;

    assert_ok(rj_bucket_hset(net_at(net, r), str(key), &p, 1, &n));
    return n;
}

static inline uint64_t do_hdel(struct net *net, unsigned r, const char *key,
                               const char *field)
{
    struct rj_bytes f = str(field);
    uint64_t n = 0;

    assert_ok(rj_bucket_hdel(net_at(net, r), str(key), &f, 1, &n));
    return n;
}

static inline int64_t do_hincr(struct net *net, unsigned r, const char *key,
                               const char *field, int64_t delta)
{
    int64_t value = 0;

    assert_ok(rj_bucket_hincr(net_at(net, r), str(key), str(field), delta, &value));
    return value;
}

/* All that key shows, as text: "-", "string", "{a b}", "{f=v g=w}". */
static inline const char *show(struct net *net, unsigned r, const char *key)
{
    static char text[8192];
    struct rj_bucket *b = net_at(net, r);
    enum rj_type type = rj_bucket_type(b, str(key));
    struct rj_pair p;
    struct rj_bytes v, after = {0};
    uint8_t last[256];
    size_t len = 0;
    bool first = true;

    if (type == RJ_TYPE_NONE)
        return "-";
    if (type == RJ_TYPE_STRING) {
        assert_ok(rj_bucket_get(b, str(key), &v));
        (void)snprintf(text, sizeof(text), "%.*s", (int)v.len, (const char *)v.ptr);
        return text;
    }
    text[len++] = '{';
    while (rj_bucket_next(b, str(key), first ? NULL : &after, &p) == RJ_OK) {
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", first ? "" : " ",
                             (int)p.field.len, (const char *)p.field.ptr);
        if (type == RJ_TYPE_HASH)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "=%.*s",
                                    (int)p.value.len, (const char *)p.value.ptr);
        assert_true(p.field.len < sizeof(last) && len < sizeof(text) - 300);
        memcpy(last, p.field.ptr, p.field.len);
        after = rj_bytes_of(last, p.field.len);
        first = false;
    }
    (void)snprintf(text + len, sizeof(text) - len, "}");
    return text;
}

/* Every replica shows the same. */
static inline void assert_all_show(struct net *net, const char *key, const char *expected)
{
    for (unsigned r = 0; r < net->n; r++)
        assert_string_equal(show(net, r, key), expected);
}

/* All have everything, show the same and have one sum. */
static inline void settle(struct net *net, const char *key, const char *expected)
{
    net_sync(net);
    assert_all_show(net, key, expected);
    net_assert_sums_equal(net, 0);
}

#endif
