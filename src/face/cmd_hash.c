/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes: every field is a register or a counter of its own. */
#include "base/alloc.h"
#include "face/resp_cmd.h"
#include "face/resp_num.h"

/* Arguments 2.. as pairs, in memory that the session keeps. NULL: no memory. */
static const struct rj_pair *read_pairs(struct rj_resp_call *c, size_t n)
{
    struct rj_resp *s = c->s;

    if (n > s->pairs_cap) {
        struct rj_pair *pairs = rj_alloc_resize(s->pairs, n, sizeof(*pairs));

        if (pairs == NULL)
            return NULL;
        s->pairs = pairs;
        s->pairs_cap = n;
    }
    for (size_t i = 0; i < n; i++)
        s->pairs[i] =
            (struct rj_pair){.field = c->argv[2 + 2 * i], .value = c->argv[3 + 2 * i]};
    return s->pairs;
}

/* *ret_added: new fields. RJ_EINVAL: a value is missing, an error was appended. */
static enum rj_err set_fields(struct rj_resp_call *c, uint64_t *ret_added)
{
    size_t n = (c->argc - 2) / 2;
    const struct rj_pair *pairs;

    if (c->argc % 2 != 0) {
        (void)rj_resp_cmd_arity(c);
        return RJ_EINVAL;
    }
    pairs = read_pairs(c, n);
    return pairs != NULL ? rj_bucket_hset(c->bucket, c->argv[1], pairs, n, ret_added)
                         : RJ_ENOMEM;
}

enum rj_err rj_cmd_hash_hset(struct rj_resp_call *c)
{
    uint64_t added = 0;
    enum rj_err err = set_fields(c, &added);

    if (err == RJ_OK) {
        rj_resp_reply_int(c->r, (int64_t)added);
        rj_resp_cmd_event(c, 'h', "hset", c->argv[1]);
    }
    return err == RJ_EINVAL ? RJ_OK : err;
}

enum rj_err rj_cmd_hash_hmset(struct rj_resp_call *c)
{
    uint64_t added = 0;
    enum rj_err err = set_fields(c, &added);

    if (err == RJ_OK) {
        rj_resp_reply_ok(c->r);
        rj_resp_cmd_event(c, 'h', "hset", c->argv[1]);
    }
    return err == RJ_EINVAL ? RJ_OK : err;
}

static enum rj_err reply_field(struct rj_resp_call *c, struct rj_bytes field)
{
    struct rj_bytes value = {NULL, 0};
    enum rj_err err = rj_bucket_hget(c->bucket, c->argv[1], field, &value);

    return rj_resp_cmd_value(c, err, value);
}

enum rj_err rj_cmd_hash_hget(struct rj_resp_call *c)
{
    return reply_field(c, c->argv[2]);
}

enum rj_err rj_cmd_hash_hmget(struct rj_resp_call *c)
{
    enum rj_err err = RJ_OK;

    rj_resp_reply_array(c->r, c->argc - 2);
    for (size_t i = 2; i < c->argc && err == RJ_OK && !c->r->buf->failed; i++)
        err = reply_field(c, c->argv[i]);
    return err;
}

enum rj_err rj_cmd_hash_hexists(struct rj_resp_call *c)
{
    struct rj_bytes value;
    enum rj_err err = rj_bucket_hget(c->bucket, c->argv[1], c->argv[2], &value);

    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    rj_resp_reply_int(c->r, err == RJ_OK);
    return RJ_OK;
}

enum rj_err rj_cmd_hash_hstrlen(struct rj_resp_call *c)
{
    struct rj_bytes value = {NULL, 0};
    enum rj_err err = rj_bucket_hget(c->bucket, c->argv[1], c->argv[2], &value);

    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    rj_resp_reply_int(c->r, err == RJ_OK ? (int64_t)value.len : 0);
    return RJ_OK;
}

enum rj_err rj_cmd_hash_hdel(struct rj_resp_call *c)
{
    uint64_t removed = 0;
    enum rj_err err =
        rj_bucket_hdel(c->bucket, c->argv[1], c->argv + 2, c->argc - 2, &removed);

    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    rj_resp_reply_int(c->r, (int64_t)removed);
    if (removed > 0) {
        rj_resp_cmd_event(c, 'h', "hdel", c->argv[1]);
        rj_resp_cmd_event_gone(c, 1);
    }
    return RJ_OK;
}

enum rj_err rj_cmd_hash_hlen(struct rj_resp_call *c)
{
    uint64_t n = 0;
    enum rj_err err = rj_bucket_hlen(c->bucket, c->argv[1], &n);

    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    rj_resp_reply_int(c->r, (int64_t)n);
    return RJ_OK;
}

enum rj_err rj_cmd_hash_hincrby(struct rj_resp_call *c)
{
    struct rj_bytes value = {NULL, 0};
    int64_t delta, sum;
    enum rj_err err;

    if (!rj_resp_num_i64(c->argv[3], &delta))
        return rj_resp_cmd_not_int(c);
    err = rj_bucket_hincr(c->bucket, c->argv[1], c->argv[2], delta, &sum);
    if (err == RJ_OK) {
        rj_resp_reply_int(c->r, sum);
        rj_resp_cmd_event(c, 'h', "hincrby", c->argv[1]);
        return RJ_OK;
    }
    if (err != RJ_ERANGE)
        return err;
    err = rj_bucket_hget(c->bucket, c->argv[1], c->argv[2], &value);
    if (err == RJ_OK && rj_resp_num_i64(value, &sum))
        return rj_resp_cmd_fail(c, "ERR increment or decrement would overflow");
    return rj_resp_cmd_fail(c, "ERR hash value is not an integer");
}

static enum rj_err reply_all(struct rj_resp_call *c, const struct rj_resp_walk *w)
{
    bool map = w->fields && w->values;
    size_t opened = rj_resp_reply_open(c->r), n = 0;
    bool is = false;
    enum rj_err err = rj_resp_cmd_has_type(c, RJ_TYPE_HASH, &is);

    if (err == RJ_OK && is)
        err = rj_resp_cmd_walk(c, w, &n);
    rj_resp_reply_close(c->r, opened, map ? RJ_RESP_MAP : RJ_RESP_ARRAY, n);
    return err;
}

enum rj_err rj_cmd_hash_hgetall(struct rj_resp_call *c)
{
    return reply_all(c, &(struct rj_resp_walk){.fields = true, .values = true});
}

enum rj_err rj_cmd_hash_hkeys(struct rj_resp_call *c)
{
    return reply_all(c, &(struct rj_resp_walk){.fields = true});
}

enum rj_err rj_cmd_hash_hvals(struct rj_resp_call *c)
{
    return reply_all(c, &(struct rj_resp_walk){.values = true});
}

enum rj_err rj_cmd_hash_hscan(struct rj_resp_call *c)
{
    return rj_resp_cmd_scan_all(c, RJ_TYPE_HASH);
}

/* ---- fields at random */

/* HRANDFIELD key [count [WITHVALUES]] */
struct rand_words {
    int64_t count;
    bool counted, values;
};

/* One picked field, with its value if that is asked for. */
static void reply_picked(struct rj_resp_call *c, const struct rand_words *w,
                         const struct rj_pair *pair)
{
    if (w->values && c->r->proto == 3)
        rj_resp_reply_array(c->r, 2);
    rj_resp_reply_bulk(c->r, pair->field);
    if (w->values)
        rj_resp_reply_bulk(c->r, pair->value);
}

/* Walks to the fields of those numbers; *ret_n: how many were found. */
static enum rj_err reply_all_picked(struct rj_resp_call *c, const struct rand_words *w,
                                    const struct rj_resp_pick *pick, size_t *ret_n)
{
    struct rj_bytes after;
    struct rj_pair pair;
    uint64_t at = 0;
    size_t i;
    enum rj_err err = RJ_OK;

    if (pick->n > 0)
        err = rj_bucket_next(c->bucket, c->argv[1], NULL, &pair);
    for (i = 0; i < pick->n && err == RJ_OK && !c->r->buf->failed; i++) {
        for (; at < pick->index[i] && err == RJ_OK; at++) {
            after = pair.field;
            err = rj_bucket_next(c->bucket, c->argv[1], &after, &pair);
        }
        if (err == RJ_OK)
            reply_picked(c, w, &pair);
    }
    *ret_n = i;
    return err == RJ_ENOENT ? RJ_OK : err;
}

/* False: an error was appended. */
static bool read_rand_words(struct rj_resp_call *c, struct rand_words *w)
{
    *w = (struct rand_words){.count = 1, .counted = c->argc > 2, .values = c->argc == 4};
    if (w->counted && !rj_resp_cmd_picks(c, 2, &w->count))
        return false;
    if (c->argc > 4 || (w->values && !rj_resp_cmd_is(c, 3, "withvalues"))) {
        (void)rj_resp_cmd_syntax(c);
        return false;
    }
    return true;
}

enum rj_err rj_cmd_hash_hrandfield(struct rj_resp_call *c)
{
    struct rj_resp_pick pick = {0};
    struct rand_words w;
    size_t opened = rj_resp_reply_open(c->r), found = 0;
    uint64_t n = 0;
    enum rj_err err;

    if (!read_rand_words(c, &w))
        return RJ_OK;
    err = rj_bucket_hlen(c->bucket, c->argv[1], &n);
    if (err == RJ_OK)
        err = rj_resp_pick(c->s->host, n, (uint64_t)(w.count < 0 ? -w.count : w.count),
                           w.count < 0, &pick);
    if (err == RJ_OK)
        err = reply_all_picked(c, &w, &pick, &found);
    rj_resp_pick_done(&pick);
    if (err != RJ_OK)
        return err;
    if (w.counted)
        rj_resp_reply_close(c->r, opened, RJ_RESP_ARRAY,
                            found * (w.values && c->r->proto == 2 ? 2 : 1));
    else if (found == 0)
        rj_resp_reply_null(c->r);
    return RJ_OK;
}
