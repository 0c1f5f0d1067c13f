/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket. Requests are executed as they come; those that take long (a join, a
 * sync) are looked at again at the end of each turn, which is cheap because there are
 * few. A client that goes away takes its calls with it; what they began (a ticket, a
 * join) goes on. */
#include "daemon/control.h"

#include "base/alloc.h"
#include "daemon/daemon.h"
#include "posix/conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

struct client {
    struct rj_control *control;
    struct rj_conn *conn;
    struct rj_buf in;
    struct rj_call *calls;
    size_t n_calls;
    struct client *next, *prev;
};

struct rj_call {
    struct client *client;
    struct rj_call *next;
    uint64_t id;
    struct rj_buf args;
    struct rj_doc doc;
    rj_call_poll_fn *poll;
    void *state;
    rj_call_free_fn *free_fn;
    struct rj_mono wake_at; /* UINT64_MAX: never */
    struct rj_mono progress_next;
    bool watching;
    bool done; /* answered; freed at the end of the turn */
};

struct rj_control {
    struct rj_daemon *daemon;
    struct rj_listener *listener;
    struct rj_timer *timer;
    struct rj_mono timer_at; /* UINT64_MAX: not set */
    struct client *clients;
};

/* The verbs. */
struct verb {
    const char *name;
    rj_verb_fn *fn;
};

static const struct verb verbs[] = {
#define X(word, handler) {.name = word, .fn = rj_verb_##handler},
#include "daemon/verbs.def"
#undef X
};

/* ---- calls */

static void call_free(struct rj_call *c)
{
    if (c->free_fn != NULL)
        c->free_fn(c->state);
    rj_doc_done(&c->doc);
    rj_buf_done(&c->args);
    free(c);
}

/* Frees those that are answered. */
static void calls_sweep(struct client *client, bool all)
{
    struct rj_call **link = &client->calls;

    while (*link != NULL) {
        struct rj_call *c = *link;

        if (c->done || all) {
            *link = c->next;
            client->n_calls--;
            call_free(c);
        } else {
            link = &c->next;
        }
    }
}

struct rj_daemon *rj_call_daemon(const struct rj_call *c)
{
    return c->client->control->daemon;
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
    err = rj_message_put_reply(rj_conn_out(c->client->conn), &m);
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
        rj_conn_abort(c->client->conn, RJ_ENOMEM);
}

void rj_call_reply(struct rj_call *c, enum rj_message_kind kind)
{
    bool may_drop = kind == RJ_MESSAGE_PROGRESS || kind == RJ_MESSAGE_EVENT;
    struct rj_bytes body;
    enum rj_err err = rj_doc_view(&c->doc, &body);

    if (may_drop && (err != RJ_OK || rj_conn_full(c->client->conn)))
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
    char why[RJ_CONTROL_WHY_MAX];
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
    struct rj_control *control = c->client->control;

    c->wake_at = at;
    if (at.ms < control->timer_at.ms) {
        control->timer_at = at;
        rj_timer_set(control->timer, at);
    }
}

bool rj_call_progress_due(struct rj_call *c)
{
    struct rj_mono now = rj_loop_now(c->client->control->daemon->loop).mono;

    if (now.ms < c->progress_next.ms)
        return false;
    c->progress_next.ms = now.ms + RJ_CONTROL_PROGRESS_MS;
    return true;
}

void rj_call_watch(struct rj_call *c)
{
    c->watching = true;
}

/* Turns what a verb returned into a reply, where there is none yet. */
static void settle(struct rj_call *c, enum rj_err err)
{
    if (err != RJ_OK && !c->done)
        (void)rj_call_error(c, err, "", "%s", rj_err_text(err));
}

static rj_verb_fn *verb_find(struct rj_bytes name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (rj_bytes_equal(name, rj_bytes_from_str(verbs[i].name)))
            return verbs[i].fn;
    }
    return NULL;
}

static enum rj_err call_begin(struct client *client, const struct rj_message_request *m)
{
    struct rj_call *c;
    rj_verb_fn *fn = verb_find(m->verb);
    enum rj_err err;

    if (client->n_calls == RJ_CONTROL_CALLS_MAX)
        return RJ_ELIMIT;
    c = rj_alloc_zero(1, sizeof(*c));
    if (c == NULL)
        return RJ_ENOMEM;
    rj_buf_append(&c->args, m->args);
    err = rj_buf_err(&c->args);
    if (err != RJ_OK) {
        free(c);
        return err;
    }
    c->id = m->id;
    c->client = client;
    c->wake_at.ms = UINT64_MAX;
    c->next = client->calls;
    client->calls = c;
    client->n_calls++;
    if (fn == NULL)
        (void)rj_call_error(c, RJ_EVERSION, "rejoin down; rejoin up",
                            "the daemon does not know the verb %.*s", (int)m->verb.len,
                            (const char *)m->verb.ptr);
    else
        settle(c, fn(c));
    if (!c->done && c->poll == NULL && !c->watching)
        (void)rj_call_error(c, RJ_EIO, "", "the daemon gave no answer");
    return RJ_OK;
}

/* ---- connections */

static void on_open(struct rj_conn *conn)
{
    struct rj_control *control = rj_conn_ctx(conn);
    struct rj_conn_info info = rj_conn_info(conn);
    struct client *client = NULL;

    /* The listener has checked this too; the socket is worth a second look. */
    if (info.has_cred && (info.uid == geteuid() || info.uid == 0))
        client = rj_alloc_zero(1, sizeof(*client));
    rj_conn_set_ctx(conn, client);
    if (client == NULL) {
        rj_conn_abort(conn, RJ_EDENIED);
        return;
    }
    client->control = control;
    client->conn = conn;
    client->in.limit = RJ_MESSAGE_MAX + RJ_MESSAGE_HEAD_LEN + RJ_CONN_READ_SIZE;
    client->next = control->clients;
    if (client->next != NULL)
        client->next->prev = client;
    control->clients = client;
}

static void on_data(struct rj_conn *conn, struct rj_bytes data)
{
    struct client *client = rj_conn_ctx(conn);
    struct rj_bytes item;
    size_t used, off = 0;
    enum rj_err err;

    rj_buf_append(&client->in, data);
    err = rj_buf_err(&client->in);
    while (err == RJ_OK) {
        struct rj_message_request m;
        struct rj_bytes rest = rj_bytes_skip(rj_buf_view(&client->in), off);

        err = rj_message_next(rest, &item, &used);
        if (err != RJ_OK)
            break;
        err = rj_message_request(item, &m);
        if (err == RJ_OK)
            err = call_begin(client, &m);
        off += used;
    }
    if (err != RJ_EGAP) {
        rj_conn_abort(conn, err);
        return;
    }
    rj_buf_consume(&client->in, off);
}

static void on_eof(struct rj_conn *conn)
{
    rj_conn_close(conn);
}

static void on_drain(struct rj_conn *conn)
{
    (void)conn;
}

static void on_close(struct rj_conn *conn, enum rj_err err)
{
    struct client *client = rj_conn_ctx(conn);

    (void)err;
    if (client == NULL)
        return;
    calls_sweep(client, true);
    if (client->next != NULL)
        client->next->prev = client->prev;
    if (client->prev != NULL)
        client->prev->next = client->next;
    else
        client->control->clients = client->next;
    rj_buf_done(&client->in);
    free(client);
}

static const struct rj_conn_ops conn_ops = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_close = on_close,
};

/* ---- what the daemon calls */

static void on_timer(void *ctx)
{
    (void)ctx; /* the end of the turn does the rest */
}

enum rj_err rj_control_new(struct rj_daemon *d, struct rj_control **ret_control)
{
    struct rj_control *control = rj_alloc_zero(1, sizeof(*control));
    enum rj_err err;

    if (control == NULL)
        return RJ_ENOMEM;
    control->daemon = d;
    control->timer_at.ms = UINT64_MAX;
    err = rj_timer_new(d->loop, on_timer, control, &control->timer);
    if (err != RJ_OK) {
        free(control);
        return err;
    }
    *ret_control = control;
    return RJ_OK;
}

enum rj_err rj_control_listen(struct rj_control *control, const char *path)
{
    const struct rj_conn_options options = {
        .ops = &conn_ops, .ctx = control, .conns_max = RJ_CONTROL_CONNS_MAX};

    return rj_listener_unix(control->daemon->loop, path, &options, &control->listener);
}

void rj_control_turn(struct rj_control *control)
{
    struct rj_mono next = {UINT64_MAX};

    for (struct client *client = control->clients; client != NULL;
         client = client->next) {
        for (struct rj_call *c = client->calls; c != NULL; c = c->next) {
            if (!c->done && c->poll != NULL)
                settle(c, c->poll(c));
            if (!c->done && c->wake_at.ms < next.ms)
                next = c->wake_at;
        }
        calls_sweep(client, false);
    }
    control->timer_at = next;
    if (next.ms == UINT64_MAX)
        rj_timer_cancel(control->timer);
    else
        rj_timer_set(control->timer, next);
}

static void event_put(struct rj_call *c, enum rj_note_level level, const char *text)
{
    struct rj_doc *d = rj_call_doc(c);

    rj_doc_map(d);
    rj_doc_put_uint(d, "time_ms", rj_loop_now(c->client->control->daemon->loop).wall.ms);
    rj_doc_put_str(d, "level", rj_logger_level_name(level));
    rj_doc_put_text(d, "event", rj_bytes_of(text, strcspn(text, " ")));
    rj_doc_put_str(d, "text", text);
    rj_doc_end(d);
    rj_call_reply(c, RJ_MESSAGE_EVENT);
}

void rj_control_event(struct rj_control *control, enum rj_note_level level,
                      const char *text)
{
    for (struct client *client = control->clients; client != NULL;
         client = client->next) {
        for (struct rj_call *c = client->calls; c != NULL; c = c->next) {
            if (c->watching && !c->done)
                event_put(c, level, text);
        }
    }
}

void rj_control_ended(struct rj_control *control, enum rj_err err)
{
    for (struct client *client = control->clients; client != NULL;
         client = client->next) {
        for (struct rj_call *c = client->calls; c != NULL; c = c->next) {
            if (!c->done && !c->watching)
                (void)rj_call_error(c, RJ_EBUSY, "try again",
                                    "the engine was restarted: %s", rj_err_text(err));
        }
    }
}

void rj_control_stop(struct rj_control *control)
{
    rj_listener_close(control->listener);
    control->listener = NULL;
}

void rj_control_free(struct rj_control *control)
{
    if (control == NULL)
        return;
    rj_timer_free(control->timer);
    free(control);
}
