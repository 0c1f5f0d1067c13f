/* SPDX-License-Identifier: Apache-2.0 */
/* Sets out of sets. What is stored replaces what this node has seen at the destination;
 * elements that others add there meanwhile stay, as everywhere. */
#include "face/resp_cmd.h"
#include "face/resp_num.h"

enum math { INTER, UNION, DIFF };

struct work {
    enum math math;
    const struct rj_bytes *keys;
    size_t n;
    uint64_t limit; /* elements after which it ends */
};

/* All keys hold sets, or nothing. */
static enum rj_err check_types(struct rj_resp_call *c, const struct work *w)
{
    for (size_t i = 0; i < w->n; i++) {
        enum rj_type type = rj_bucket_type(c->bucket, w->keys[i]);

        if (type != RJ_TYPE_SET && type != RJ_TYPE_NONE)
            return RJ_ETYPE;
    }
    return RJ_OK;
}

/* Whether elem of key i belongs to the result (of a union: was not met before). */
static enum rj_err belongs(struct rj_resp_call *c, const struct work *w, size_t i,
                           struct rj_bytes elem, bool *ret_does)
{
    size_t from = w->math == UNION ? 0 : 1, to = w->math == UNION ? i : w->n;
    bool is = false;

    for (size_t j = from; j < to; j++) {
        enum rj_err err = rj_bucket_sismember(c->bucket, w->keys[j], elem, &is);

        if (err != RJ_OK)
            return err;
        if (is != (w->math == INTER)) {
            *ret_does = false;
            return RJ_OK;
        }
    }
    *ret_does = true;
    return RJ_OK;
}

static enum rj_err add_from(struct rj_resp_call *c, const struct work *w, size_t i,
                            struct rj_resp_list *ret)
{
    struct rj_buf *elem = &c->s->scratch; /* what the bucket lends does not last */
    const struct rj_bytes *after = NULL;
    struct rj_bytes view;
    struct rj_pair pair;
    bool does = false;
    enum rj_err err = RJ_OK;

    while (ret->n < w->limit && !ret->bytes.failed &&
           (err = rj_bucket_next(c->bucket, w->keys[i], after, &pair)) == RJ_OK) {
        rj_buf_clear(elem);
        rj_buf_append(elem, pair.field);
        if (elem->failed)
            return RJ_ENOMEM;
        view = rj_buf_view(elem);
        after = &view;
        err = belongs(c, w, i, view, &does);
        if (err != RJ_OK)
            return err;
        if (does)
            rj_resp_list_add(ret, view);
    }
    return err == RJ_ENOENT ? RJ_OK : err;
}

/* The result, to be ended with rj_resp_list_done in any case. */
static enum rj_err compute(struct rj_resp_call *c, const struct work *w,
                           struct rj_resp_list *ret)
{
    size_t walked = w->math == UNION ? w->n : 1;
    enum rj_err err = check_types(c, w);

    for (size_t i = 0; i < walked && err == RJ_OK; i++)
        err = add_from(c, w, i, ret);
    return err == RJ_OK ? rj_resp_list_close(ret) : err;
}

static enum rj_err reply(struct rj_resp_call *c, enum math math)
{
    const struct work w = {
        .math = math, .keys = c->argv + 1, .n = c->argc - 1, .limit = UINT64_MAX};
    struct rj_resp_list l = {0};
    enum rj_err err = compute(c, &w, &l);

    if (err == RJ_OK) {
        rj_resp_reply_set(c->r, l.n);
        for (size_t i = 0; i < l.n; i++)
            rj_resp_reply_bulk(c->r, l.items[i]);
    }
    rj_resp_list_done(&l);
    return err;
}

/* Replaces argv[1]. */
static enum rj_err replace(struct rj_resp_call *c, const struct rj_resp_list *l,
                           const char *event)
{
    uint64_t added = 0;
    bool existed = false;
    enum rj_err err = rj_resp_cmd_begin(c, l->n + 1, l->bytes.len + c->argv[1].len);

    if (err != RJ_OK)
        return err;
    err = rj_bucket_del(c->bucket, c->argv[1], &existed);
    if (err == RJ_OK && l->n > 0)
        err = rj_bucket_sadd(c->bucket, c->argv[1], l->items, l->n, &added);
    err = rj_resp_cmd_end(c, existed, err);
    if (err != RJ_OK)
        return err;
    rj_resp_reply_int(c->r, (int64_t)l->n);
    if (l->n > 0)
        rj_resp_cmd_event(c, 's', event, c->argv[1]);
    else if (existed)
        rj_resp_cmd_event(c, 'g', "del", c->argv[1]);
    return RJ_OK;
}

static enum rj_err store(struct rj_resp_call *c, enum math math, const char *event)
{
    const struct work w = {
        .math = math, .keys = c->argv + 2, .n = c->argc - 2, .limit = UINT64_MAX};
    struct rj_resp_list l = {0};
    enum rj_err err = compute(c, &w, &l);

    if (err == RJ_OK)
        err = replace(c, &l, event);
    rj_resp_list_done(&l);
    return err;
}

enum rj_err rj_cmd_set_sinter(struct rj_resp_call *c)
{
    return reply(c, INTER);
}

enum rj_err rj_cmd_set_sunion(struct rj_resp_call *c)
{
    return reply(c, UNION);
}

enum rj_err rj_cmd_set_sdiff(struct rj_resp_call *c)
{
    return reply(c, DIFF);
}

enum rj_err rj_cmd_set_sinterstore(struct rj_resp_call *c)
{
    return store(c, INTER, "sinterstore");
}

enum rj_err rj_cmd_set_sunionstore(struct rj_resp_call *c)
{
    return store(c, UNION, "sunionstore");
}

enum rj_err rj_cmd_set_sdiffstore(struct rj_resp_call *c)
{
    return store(c, DIFF, "sdiffstore");
}

/* SINTERCARD numkeys key... [LIMIT n]. False: an error was appended. */
static bool read_card(struct rj_resp_call *c, struct work *w)
{
    uint64_t n = 0, limit = 0;

    if (!rj_resp_num_u64(c->argv[1], &n) || n == 0) {
        (void)rj_resp_cmd_fail(c, "ERR numkeys should be greater than 0");
        return false;
    }
    if (n > c->argc - 2) {
        (void)rj_resp_cmd_fail(c,
                               "ERR Number of keys can't be greater than number of args");
        return false;
    }
    w->keys = c->argv + 2;
    w->n = n;
    if (c->argc == n + 2)
        return true;
    if (c->argc != n + 4 || !rj_resp_cmd_is(c, n + 2, "limit")) {
        (void)rj_resp_cmd_syntax(c);
        return false;
    }
    if (!rj_resp_num_u64(c->argv[n + 3], &limit)) {
        (void)rj_resp_cmd_fail(c, "ERR LIMIT can't be negative");
        return false;
    }
    if (limit > 0)
        w->limit = limit;
    return true;
}

enum rj_err rj_cmd_set_sintercard(struct rj_resp_call *c)
{
    struct work w = {.math = INTER, .limit = UINT64_MAX};
    struct rj_resp_list l = {0};
    enum rj_err err;

    if (!read_card(c, &w))
        return RJ_OK;
    err = compute(c, &w, &l);
    if (err == RJ_OK)
        rj_resp_reply_int(c->r, (int64_t)l.n);
    rj_resp_list_done(&l);
    return err;
}

/* SMOVE from to element: of two nodes that move it to different places both succeed. */
enum rj_err rj_cmd_set_smove(struct rj_resp_call *c)
{
    const struct work w = {.keys = c->argv + 1, .n = 2};
    uint64_t removed = 0, added = 0;
    bool is = false;
    enum rj_err err;

    if (rj_bucket_type(c->bucket, c->argv[1]) == RJ_TYPE_NONE) {
        rj_resp_reply_int(c->r, 0);
        return RJ_OK;
    }
    err = check_types(c, &w);
    if (err == RJ_OK)
        err = rj_bucket_sismember(c->bucket, c->argv[1], c->argv[3], &is);
    if (err != RJ_OK)
        return err;
    if (!is || rj_bytes_equal(c->argv[1], c->argv[2])) {
        rj_resp_reply_int(c->r, is);
        return RJ_OK;
    }
    err = rj_resp_cmd_begin(c, 2, c->argv[1].len + c->argv[2].len + 2 * c->argv[3].len);
    if (err != RJ_OK)
        return err;
    err = rj_bucket_srem(c->bucket, c->argv[1], &c->argv[3], 1, &removed);
    if (err == RJ_OK)
        err = rj_bucket_sadd(c->bucket, c->argv[2], &c->argv[3], 1, &added);
    err = rj_resp_cmd_end(c, removed > 0, err);
    if (err != RJ_OK)
        return err;
    rj_resp_reply_int(c->r, 1);
    rj_resp_cmd_event(c, 's', "srem", c->argv[1]);
    rj_resp_cmd_event_gone(c, 1);
    if (added > 0)
        rj_resp_cmd_event(c, 's', "sadd", c->argv[2]);
    return RJ_OK;
}
