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
    return err;
}

enum rj_err rj_cmd_set_srem(struct rj_resp_call *c)
{
    uint64_t removed = 0;
    enum rj_err err =
        rj_bucket_srem(c->bucket, c->argv[1], c->argv + 2, c->argc - 2, &removed);

    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    rj_resp_reply_int(c->r, (int64_t)removed);
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
