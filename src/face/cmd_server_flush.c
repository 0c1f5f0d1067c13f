/* SPDX-License-Identifier: Apache-2.0 */
/* FLUSHDB: deletes every key that this node has seen, as if DEL had named it; what others
 * write meanwhile stays. Within EXEC all of it is one batch; otherwise as many batches as
 * it takes. */
#include "face/resp_cmd.h"

enum { PART = 1024 }; /* keys looked up at a time */

/* RJ_EBUSY: the pending batch is full; cuts it, unless within EXEC. */
static enum rj_err del(struct rj_resp_call *c, struct rj_bytes key)
{
    bool existed;
    enum rj_err err = rj_bucket_del(c->bucket, key, &existed);

    if (err != RJ_EBUSY || c->grouped)
        return err == RJ_EBUSY ? RJ_ELIMIT : err;
    err = rj_resp_cmd_flush(c);
    return err == RJ_OK ? rj_bucket_del(c->bucket, key, &existed) : err;
}

static enum rj_err del_all(struct rj_resp_call *c, const struct rj_resp_list *keys)
{
    enum rj_err err = RJ_OK;

    for (size_t i = 0; i < keys->n && err == RJ_OK; i++) {
        err = del(c, keys->items[i]);
        if (err == RJ_OK)
            c->s->wrote = c->s->wrote_ever = true;
    }
    return err;
}

/* Deletes the next part; *cursor 0: that was the last. */
static enum rj_err flush_part(struct rj_resp_call *c, uint64_t *cursor)
{
    struct rj_resp_list keys = {0};
    const struct rj_bytes *found;
    size_t n = 0;
    enum rj_err err = rj_bucket_scan(c->bucket, cursor, PART, &found, &n);

    for (size_t i = 0; i < n && err == RJ_OK; i++)
        rj_resp_list_add(&keys, found[i]);
    if (err == RJ_OK)
        err = rj_resp_list_close(&keys);
    if (err == RJ_OK)
        err = del_all(c, &keys);
    rj_resp_list_done(&keys);
    return err;
}

enum rj_err rj_cmd_server_flushdb(struct rj_resp_call *c)
{
    uint64_t cursor = 0;
    enum rj_err err = RJ_OK;

    if (c->argc > 2 ||
        (c->argc == 2 && !rj_resp_cmd_is(c, 1, "sync") && !rj_resp_cmd_is(c, 1, "async")))
        return rj_resp_cmd_syntax(c);
    do
        err = flush_part(c, &cursor);
    while (err == RJ_OK && cursor != 0);
    if (err == RJ_OK)
        rj_resp_reply_ok(c->r);
    return err == RJ_EBUSY ? RJ_ELIMIT : err; /* not once more from the beginning */
}
