/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions: what was queued after MULTI becomes one batch of this node, applied as
 * one unit everywhere. As in Redis a command that fails while it runs does not undo the
 * others. There is no WATCH: nobody could say what another node writes meanwhile. */
#include "base/alloc.h"
#include "causal/kind.h"
#include "face/resp_cmd.h"

/* Empties the queue; its memory is kept when it is small. */
static void forget(struct rj_resp_queue *q)
{
    struct rj_buf buf = q->buf;

    rj_buf_clear(&buf);
    if (buf.cap > RJ_RESP_KEEP)
        rj_buf_done(&buf);
    *q = (struct rj_resp_queue){.buf = buf};
}

enum rj_err rj_cmd_multi_multi(struct rj_resp_call *c)
{
    if (c->s->queue.open)
        return rj_resp_cmd_fail(c, "ERR MULTI calls can not be nested");
    forget(&c->s->queue);
    c->s->queue.open = true;
    rj_resp_reply_ok(c->r);
    return RJ_OK;
}

enum rj_err rj_cmd_multi_discard(struct rj_resp_call *c)
{
    if (!c->s->queue.open)
        return rj_resp_cmd_fail(c, "ERR DISCARD without MULTI");
    forget(&c->s->queue);
    rj_resp_reply_ok(c->r);
    return RJ_OK;
}

/* Reads the queued command at *at into call and argv; moves *at behind it. */
static void unqueue(const struct rj_resp_queue *q, size_t *at, struct rj_bytes *argv,
                    struct rj_resp_call *call)
{
    const uint8_t *p = q->buf.ptr + *at;
    struct rj_resp_queued head;

    memcpy(&head, p, sizeof(head));
    p += sizeof(head);
    call->cmd = head.cmd;
    call->argc = head.argc;
    for (size_t i = 0; i < call->argc; i++) {
        memcpy(&argv[i].len, p, sizeof(argv[i].len));
        p += sizeof(argv[i].len);
        argv[i].ptr = p;
        p += argv[i].len;
    }
    *at = (size_t)(p - q->buf.ptr);
}

/* Begins the group, after a cut when the pending batch is too full for it. */
static enum rj_err begin(struct rj_resp_call *c, const struct rj_resp_queue *q)
{
    /* No command makes more writes than it has arguments. */
    size_t n = q->args < RJ_BATCH_WRITES_MAX ? q->args : RJ_BATCH_WRITES_MAX;
    enum rj_err err = rj_resp_cmd_bucket(c->s, &c->bucket);

    if (err == RJ_OK)
        err = rj_resp_cmd_begin(c, n, q->buf.len);
    if (err == RJ_EBUSY) {
        err = rj_resp_cmd_flush(c);
        if (err == RJ_OK)
            err = rj_resp_cmd_begin(c, n, q->buf.len);
    }
    return err;
}

/* The group could not begin: nothing of it is done. */
static enum rj_err aborted(struct rj_resp_call *c, enum rj_err err)
{
    rj_resp_reply_errorf(c->r, "EXECABORT Transaction discarded because of: %s",
                         rj_err_text(err));
    return RJ_OK;
}

static void run_all(struct rj_resp_call *c, const struct rj_resp_queue *q,
                    struct rj_bytes *argv)
{
    size_t at = 0;

    rj_resp_reply_array(c->r, q->count);
    for (size_t i = 0; i < q->count && !c->s->closing; i++) {
        struct rj_resp_call call = {.s = c->s, .r = c->r, .grouped = true};

        unqueue(q, &at, argv, &call);
        call.argv = argv;
        rj_resp_run(&call);
    }
}

enum rj_err rj_cmd_multi_exec(struct rj_resp_call *c)
{
    struct rj_resp_queue q = c->s->queue;
    struct rj_bytes *argv = NULL;
    enum rj_err err = RJ_OK;

    if (!q.open)
        return rj_resp_cmd_fail(c, "ERR EXEC without MULTI");
    c->s->queue = (struct rj_resp_queue){0};
    if (q.spoilt) {
        rj_resp_reply_error(c->r, "EXECABORT Transaction discarded because of previous "
                                  "errors.");
        goto out;
    }
    argv = rj_alloc_array(q.args_max, sizeof(*argv));
    err = argv == NULL ? RJ_ENOMEM : q.writes ? begin(c, &q) : RJ_OK;
    if (err != RJ_OK) {
        err = aborted(c, err);
        goto out;
    }
    run_all(c, &q, argv);
    if (q.writes)
        err = rj_resp_cmd_end(c, 0, RJ_OK);
out:
    free(argv);
    forget(&q);
    c->s->queue = q;
    return err;
}
