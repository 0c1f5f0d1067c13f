/* SPDX-License-Identifier: Apache-2.0 */
/* Sets: an element added on one node while another removes it stays. */
#include "face/resp_cmd.h"

enum rj_err rj_cmd_set_sadd(struct rj_resp_call *c)
{
    uint64_t added = 0;
    enum rj_err err =
        rj_bucket_sadd(c->bucket, c->argv[1], c->argv + 2, c->argc - 2, &added);

    if (err == RJ_OK)
        rj_resp_reply_int(c->r, (int64_t)added);
    if (err == RJ_OK && added > 0)
        rj_resp_cmd_event(c, 's', "sadd", c->argv[1]);
    return err;
}

/* What became of a set that elements were taken out of. */
static void tell_removed(const struct rj_resp_call *c, const char *how)
{
    rj_resp_cmd_event(c, 's', how, c->argv[1]);
    rj_resp_cmd_event_gone(c, 1);
}

enum rj_err rj_cmd_set_srem(struct rj_resp_call *c)
{
    uint64_t removed = 0;
    enum rj_err err =
        rj_bucket_srem(c->bucket, c->argv[1], c->argv + 2, c->argc - 2, &removed);

    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    rj_resp_reply_int(c->r, (int64_t)removed);
    if (removed > 0)
        tell_removed(c, "srem");
    return RJ_OK;
}

enum rj_err rj_cmd_set_scard(struct rj_resp_call *c)
{
    uint64_t n = 0;
    enum rj_err err = rj_bucket_scard(c->bucket, c->argv[1], &n);

    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    rj_resp_reply_int(c->r, (int64_t)n);
    return RJ_OK;
}

static enum rj_err reply_is(struct rj_resp_call *c, struct rj_bytes elem)
{
    bool is = false;
    enum rj_err err = rj_bucket_sismember(c->bucket, c->argv[1], elem, &is);

    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    rj_resp_reply_int(c->r, err == RJ_OK && is);
    return RJ_OK;
}

enum rj_err rj_cmd_set_sismember(struct rj_resp_call *c)
{
    return reply_is(c, c->argv[2]);
}

enum rj_err rj_cmd_set_smismember(struct rj_resp_call *c)
{
    enum rj_err err = RJ_OK;

    rj_resp_reply_array(c->r, c->argc - 2);
    for (size_t i = 2; i < c->argc && err == RJ_OK; i++)
        err = reply_is(c, c->argv[i]);
    return err;
}

enum rj_err rj_cmd_set_smembers(struct rj_resp_call *c)
{
    const struct rj_resp_walk w = {.fields = true};
    size_t opened = rj_resp_reply_open(c->r), n = 0;
    bool is = false;
    enum rj_err err = rj_resp_cmd_has_type(c, RJ_TYPE_SET, &is);

    if (err == RJ_OK && is)
        err = rj_resp_cmd_walk(c, &w, &n);
    rj_resp_reply_close(c->r, opened, RJ_RESP_SET, n);
    return err;
}

enum rj_err rj_cmd_set_sscan(struct rj_resp_call *c)
{
    return rj_resp_cmd_scan_all(c, RJ_TYPE_SET);
}

/* ---- elements at random */

/* The elements of those numbers, in order. */
static enum rj_err read_picked(struct rj_resp_call *c, const struct rj_resp_pick *pick,
                               struct rj_resp_list *ret)
{
    struct rj_bytes after;
    struct rj_pair pair;
    uint64_t at = 0;
    enum rj_err err = RJ_OK;

    if (pick->n > 0)
        err = rj_bucket_next(c->bucket, c->argv[1], NULL, &pair);
    for (size_t i = 0; i < pick->n && err == RJ_OK && !ret->bytes.failed; i++) {
        for (; at < pick->index[i] && err == RJ_OK; at++) {
            after = pair.field;
            err = rj_bucket_next(c->bucket, c->argv[1], &after, &pair);
        }
        if (err == RJ_OK)
            rj_resp_list_add(ret, pair.field);
    }
    return err == RJ_ENOENT ? RJ_OK : err;
}

/* count elements of the set, none when there is no such key. */
static enum rj_err pick(struct rj_resp_call *c, uint64_t count, bool repeat,
                        struct rj_resp_list *ret)
{
    struct rj_resp_pick picked = {0};
    uint64_t n = 0;
    enum rj_err err = rj_bucket_scard(c->bucket, c->argv[1], &n);

    if (err == RJ_OK)
        err = rj_resp_pick(c->s->host, n, count, repeat, &picked);
    if (err == RJ_OK)
        err = read_picked(c, &picked, ret);
    if (err == RJ_OK)
        err = rj_resp_list_close(ret);
    rj_resp_pick_done(&picked);
    return err;
}

static void reply_list(struct rj_resp_reply *r, const struct rj_resp_list *l, bool is_set)
{
    if (is_set)
        rj_resp_reply_set(r, l->n);
    else
        rj_resp_reply_array(r, l->n);
    for (size_t i = 0; i < l->n; i++)
        rj_resp_reply_bulk(r, l->items[i]);
}

static void reply_first(struct rj_resp_reply *r, const struct rj_resp_list *l)
{
    if (l->n > 0)
        rj_resp_reply_bulk(r, l->items[0]);
    else
        rj_resp_reply_null(r);
}

/* SRANDMEMBER key [count]; a negative count: as many, with repetition */
enum rj_err rj_cmd_set_srandmember(struct rj_resp_call *c)
{
    struct rj_resp_list l = {0};
    int64_t count = 1;
    enum rj_err err;

    if (c->argc > 3)
        return rj_resp_cmd_syntax(c);
    if (c->argc == 3 && !rj_resp_cmd_picks(c, 2, &count))
        return RJ_OK;
    err = pick(c, (uint64_t)(count < 0 ? -count : count), count < 0, &l);
    if (err == RJ_OK && c->argc == 3)
        reply_list(c->r, &l, false);
    else if (err == RJ_OK)
        reply_first(c->r, &l);
    rj_resp_list_done(&l);
    return err;
}

/* SPOP key [count] */
enum rj_err rj_cmd_set_spop(struct rj_resp_call *c)
{
    struct rj_resp_list l = {0};
    uint64_t count = 1, removed = 0;
    enum rj_err err;

    if (c->argc > 3)
        return rj_resp_cmd_syntax(c);
    if (c->argc == 3 && !rj_resp_cmd_natural(c, 2, &count))
        return RJ_OK;
    err = pick(c, count, false, &l);
    if (err == RJ_OK && l.n > 0)
        err = rj_bucket_srem(c->bucket, c->argv[1], l.items, l.n, &removed);
    if (err == RJ_OK && c->argc == 3)
        reply_list(c->r, &l, true);
    else if (err == RJ_OK)
        reply_first(c->r, &l);
    if (err == RJ_OK && removed > 0)
        tell_removed(c, "spop");
    rj_resp_list_done(&l);
    return err;
}
