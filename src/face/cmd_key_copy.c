/* SPDX-License-Identifier: Apache-2.0 */
/* A key under another name. What is copied is what this node shows at that moment, as one
 * batch; what others write to the old name meanwhile is not lost, it stays under that
 * name. A counter becomes the number that it shows, which counts on from there. */
#include "base/alloc.h"
#include "face/resp_cmd.h"
#include "face/resp_num.h"

/* What a key shows, in memory of its own. */
struct copy {
    enum rj_type type;
    uint64_t deadline_ms;
    struct rj_resp_list list; /* the value; elements; fields and values in turn */
    struct rj_pair *pairs;
};

static void copy_done(struct copy *copy)
{
    rj_resp_list_done(&copy->list);
    free(copy->pairs);
}

/* RJ_ENOENT: there is no such key. */
static enum rj_err copy_read(struct rj_resp_call *c, struct rj_bytes key,
                             struct copy *copy)
{
    struct rj_bytes value;
    enum rj_err err = rj_bucket_deadline(c->bucket, key, &copy->deadline_ms);

    copy->type = rj_bucket_type(c->bucket, key);
    if (err != RJ_OK)
        return err;
    if (copy->type == RJ_TYPE_STRING) {
        err = rj_bucket_get(c->bucket, key, &value);
        if (err == RJ_OK)
            rj_resp_list_add(&copy->list, value);
    } else {
        err = rj_resp_list_read(&copy->list, c->bucket, key, copy->type == RJ_TYPE_HASH);
    }
    if (err == RJ_OK)
        err = rj_resp_list_close(&copy->list);
    if (err != RJ_OK || copy->type != RJ_TYPE_HASH)
        return err;
    copy->pairs = rj_alloc_array(copy->list.n / 2, sizeof(*copy->pairs));
    if (copy->pairs == NULL)
        return RJ_ENOMEM;
    for (size_t i = 0; i < copy->list.n / 2; i++)
        copy->pairs[i] = (struct rj_pair){.field = copy->list.items[2 * i],
                                          .value = copy->list.items[2 * i + 1]};
    return RJ_OK;
}

static enum rj_err write_items(struct rj_resp_call *c, struct rj_bytes key,
                               const struct copy *copy)
{
    uint64_t added;
    bool existed;
    enum rj_err err = rj_bucket_del(c->bucket, key, &existed);

    if (err == RJ_OK && copy->type == RJ_TYPE_SET)
        err = rj_bucket_sadd(c->bucket, key, copy->list.items, copy->list.n, &added);
    else if (err == RJ_OK)
        err = rj_bucket_hset(c->bucket, key, copy->pairs, copy->list.n / 2, &added);
    if (err == RJ_OK && copy->deadline_ms != 0)
        err = rj_bucket_expire(c->bucket, key, copy->deadline_ms);
    return err;
}

static enum rj_err copy_write(struct rj_resp_call *c, struct rj_bytes key,
                              const struct copy *copy)
{
    const struct rj_set_opts opts = {.ttl = copy->deadline_ms != 0 ? RJ_TTL_AT
                                                                   : RJ_TTL_CLEAR,
                                     .deadline_ms = copy->deadline_ms};

    return copy->type == RJ_TYPE_STRING
               ? rj_bucket_set(c->bucket, key, copy->list.items[0], &opts)
               : write_items(c, key, copy);
}

/* Writes the copy to argv[2], and deletes argv[1] if it is to move. */
static enum rj_err put(struct rj_resp_call *c, const struct copy *copy, bool move)
{
    size_t writes = copy->deadline_ms != 0 ? 2 : 1;
    bool existed = false;
    enum rj_err err = rj_resp_cmd_begin(
        c, writes * copy->list.n + 2,
        writes * (copy->list.bytes.len + copy->list.n * c->argv[2].len + c->argv[1].len));

    if (err != RJ_OK)
        return err;
    err = copy_write(c, c->argv[2], copy);
    if (err == RJ_OK && move)
        err = rj_bucket_del(c->bucket, c->argv[1], &existed);
    return rj_resp_cmd_end(c, err == RJ_OK, err);
}

static enum rj_err copy_or_move(struct rj_resp_call *c, bool move)
{
    struct copy copy = {0};
    enum rj_err err = copy_read(c, c->argv[1], &copy);

    if (err == RJ_OK)
        err = put(c, &copy, move);
    copy_done(&copy);
    return err;
}

enum rj_err rj_cmd_key_rename(struct rj_resp_call *c)
{
    enum rj_err err = RJ_OK;

    if (rj_bucket_type(c->bucket, c->argv[1]) == RJ_TYPE_NONE)
        return rj_resp_cmd_fail(c, "ERR no such key");
    if (!rj_bytes_equal(c->argv[1], c->argv[2]))
        err = copy_or_move(c, true);
    if (err != RJ_OK)
        return err;
    rj_resp_reply_ok(c->r);
    rj_resp_cmd_event(c, 'g', "rename_from", c->argv[1]);
    rj_resp_cmd_event(c, 'g', "rename_to", c->argv[2]);
    return RJ_OK;
}

/* COPY from to [DB 0] [REPLACE] */
enum rj_err rj_cmd_key_copy(struct rj_resp_call *c)
{
    bool replace = false;
    uint64_t db = 0;
    enum rj_err err;

    for (size_t i = 3; i < c->argc; i++) {
        if (rj_resp_cmd_is(c, i, "replace")) {
            replace = true;
        } else if (i + 1 == c->argc || !rj_resp_cmd_is(c, i, "db")) {
            return rj_resp_cmd_syntax(c);
        } else if (!rj_resp_num_u64(c->argv[++i], &db)) {
            return rj_resp_cmd_not_int(c);
        }
    }
    if (db != 0)
        return rj_resp_cmd_refuse(c, "select 1");
    if (rj_bytes_equal(c->argv[1], c->argv[2]))
        return rj_resp_cmd_fail(c, "ERR source and destination objects are the same");
    if (!replace && rj_bucket_type(c->bucket, c->argv[2]) != RJ_TYPE_NONE) {
        rj_resp_reply_int(c->r, 0);
        return RJ_OK;
    }
    err = copy_or_move(c, false);
    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    rj_resp_reply_int(c->r, err == RJ_OK);
    if (err == RJ_OK)
        rj_resp_cmd_event(c, 'g', "copy_to", c->argv[2]);
    return RJ_OK;
}
