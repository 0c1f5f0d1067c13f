/* SPDX-License-Identifier: Apache-2.0 */
/* One call and its replies. What may be missed (progress, events) is dropped where the
 * client does not keep up; a result that is too large becomes an error. */
#include "base/alloc.h"
#include "daemon/call_inner.h"
#include "daemon/daemon.h"

#include <stdarg.h>
#include <stdio.h>

enum rj_err rj_call_new(struct rj_daemon *d, struct rj_conn *conn,
                        const struct rj_message_request *m, struct rj_call **ret_call)
{
    struct rj_call *c = rj_alloc_zero(1, sizeof(*c));
    enum rj_err err;

    if (c == NULL)
        return RJ_ENOMEM;
    rj_buf_append(&c->args, m->args);
    err = rj_buf_err(&c->args);
    if (err != RJ_OK) {
        free(c);
        return err;
    }
    c->daemon = d;
    c->conn = conn;
    c->id = m->id;
    c->wake_at.ms = UINT64_MAX;
    *ret_call = c;
    return RJ_OK;
}

void rj_call_free(struct rj_call *c)
{
    if (c->free_fn != NULL)
        c->free_fn(c->state);
    rj_doc_done(&c->doc);
    rj_buf_done(&c->args);
    free(c);
}

struct rj_daemon *rj_call_daemon(const struct rj_call *c)
{
    return c->daemon;
}

struct rj_bytes rj_call_args(const struct rj_call *c)
{
    return rj_buf_view(&c->args);
}

struct rj_doc *rj_call_doc(struct rj_call *c)
{
    rj_doc_clear(&c->doc);
    return &c->doc;
}

/* RJ_ELIMIT: the body is too large for a message; nothing was sent. */
static enum rj_err send_reply(struct rj_call *c, enum rj_message_kind kind,
                              struct rj_bytes body)
{
    const struct rj_message_reply m = {.id = c->id, .kind = kind, .body = body};
    enum rj_err err;

    if (c->done)
        return RJ_OK;
    err = rj_message_put_reply(rj_conn_out(c->conn), &m);
    if (err == RJ_OK)
        c->done = kind == RJ_MESSAGE_RESULT || kind == RJ_MESSAGE_ERROR;
    return err;
}

static void send_error(struct rj_call *c, enum rj_err err, const char *hint,
                       const char *why)
{
    struct rj_doc *d = rj_call_doc(c);
    struct rj_bytes body;

    rj_doc_map(d);
    rj_doc_put_str(d, "code", rj_err_name(err));
    rj_doc_put_str(d, "hint", hint);
    rj_doc_put_str(d, "why", why);
    rj_doc_end(d);
    if (rj_doc_view(d, &body) != RJ_OK || send_reply(c, RJ_MESSAGE_ERROR, body) != RJ_OK)
        rj_conn_abort(c->conn, RJ_ENOMEM);
}

void rj_call_reply(struct rj_call *c, enum rj_message_kind kind)
{
    bool may_drop = kind == RJ_MESSAGE_PROGRESS || kind == RJ_MESSAGE_EVENT;
    struct rj_bytes body;
    enum rj_err err = rj_doc_view(&c->doc, &body);

    if (may_drop && (err != RJ_OK || rj_conn_full(c->conn)))
        return;
    if (err == RJ_OK)
        err = send_reply(c, kind, body);
    if (err != RJ_OK)
        send_error(c, err, "", "the answer could not be made");
}

void rj_call_output(struct rj_call *c, struct rj_bytes bytes)
{
    enum { PIECE = 1024 * 1024 };

    while (bytes.len > 0) {
        struct rj_doc *d = rj_call_doc(c);
        size_t len = bytes.len < PIECE ? bytes.len : PIECE;

        rj_doc_bytes(d, rj_bytes_first(bytes, len));
        rj_call_reply(c, RJ_MESSAGE_OUTPUT);
        bytes = rj_bytes_skip(bytes, len);
    }
}

enum rj_err rj_call_error(struct rj_call *c, enum rj_err err, const char *hint,
                          const char *format, ...)
{
    char why[RJ_CALL_WHY_MAX];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    send_error(c, err, hint, why);
    return RJ_OK;
}

bool rj_call_answered(const struct rj_call *c)
{
    return c->done;
}

void rj_call_wait(struct rj_call *c, rj_call_poll_fn *poll)
{
    c->poll = poll;
}

void rj_call_set_state(struct rj_call *c, void *take_state, rj_call_free_fn *free_fn)
{
    c->state = take_state;
    c->free_fn = free_fn;
}

void *rj_call_state(const struct rj_call *c)
{
    return c->state;
}

void rj_call_wake_at(struct rj_call *c, struct rj_mono at)
{
    c->wake_at = at;
}

bool rj_call_progress_due(struct rj_call *c)
{
    struct rj_mono now = rj_loop_now(c->daemon->loop).mono;

    if (now.ms < c->progress_next.ms)
        return false;
    c->progress_next.ms = now.ms + RJ_CALL_PROGRESS_MS;
    return true;
}

void rj_call_watch(struct rj_call *c)
{
    c->watching = true;
}

void rj_call_settle(struct rj_call *c, enum rj_err err)
{
    if (err != RJ_OK && !c->done)
        (void)rj_call_error(c, err, "", "%s", rj_err_text(err));
}

void rj_call_event(struct rj_call *c, enum rj_note_level level, const char *text)
{
    struct rj_doc *d = rj_call_doc(c);

    rj_doc_map(d);
    rj_doc_put_uint(d, "time_ms", rj_loop_now(c->daemon->loop).wall.ms);
    rj_doc_put_str(d, "level", rj_logger_level_name(level));
    rj_doc_put_text(d, "event", rj_bytes_of(text, strcspn(text, " ")));
    rj_doc_put_str(d, "text", text);
    rj_doc_end(d);
    rj_call_reply(c, RJ_MESSAGE_EVENT);
}
