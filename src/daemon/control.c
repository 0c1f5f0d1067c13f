/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket. Requests are executed as they come; those that take long (a join, a
 * sync) are looked at again at the end of each turn, which is cheap because there are
 * few. A client that goes away takes its calls with it; what they began (a ticket, a
 * join) goes on. */
#include "daemon/control.h"

#include "base/alloc.h"
#include "daemon/call_inner.h"
#include "daemon/daemon.h"

#include <unistd.h>

struct client {
    struct rj_control *control;
    struct rj_conn *conn;
    struct rj_buf in;
    struct rj_call *calls;
    size_t n_calls;
    struct client *next, *prev;
};

struct rj_control {
    struct rj_daemon *daemon;
    struct rj_listener *listener;
    struct rj_timer *timer;
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

/* Frees those that are answered. */
static void calls_sweep(struct client *client, bool all)
{
    struct rj_call **link = &client->calls;

    while (*link != NULL) {
        struct rj_call *c = *link;

        if (c->done || all) {
            *link = c->next;
            client->n_calls--;
            rj_call_free(c);
        } else {
            link = &c->next;
        }
    }
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
    err = rj_call_new(client->control->daemon, client->conn, m, &c);
    if (err != RJ_OK)
        return err;
    c->next = client->calls;
    client->calls = c;
    client->n_calls++;
    if (fn == NULL)
        (void)rj_call_error(c, RJ_EVERSION, "rejoin down; rejoin up",
                            "the daemon does not know the verb %.*s", (int)m->verb.len,
                            (const char *)m->verb.ptr);
    else
        rj_call_settle(c, fn(c));
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
    err = rj_timer_new(d->loop, on_timer, control, &control->timer);
    if (err != RJ_OK) {
        free(control);
        return err;
    }
    *ret_control = control;
    return RJ_OK;
}

enum rj_err rj_control_listen(struct rj_control *control, const char *path, int given_fd)
{
    const struct rj_conn_options options = {
        .ops = &conn_ops, .ctx = control, .conns_max = RJ_CONTROL_CONNS_MAX};

    if (given_fd != 0)
        return rj_listener_given(control->daemon->loop, given_fd, &options,
                                 &control->listener);
    return rj_listener_unix(control->daemon->loop, path, &options, &control->listener);
}

void rj_control_turn(struct rj_control *control)
{
    struct rj_mono next = {UINT64_MAX};

    for (struct client *client = control->clients; client != NULL;
         client = client->next) {
        for (struct rj_call *c = client->calls; c != NULL; c = c->next) {
            if (!c->done && c->poll != NULL)
                rj_call_settle(c, c->poll(c));
            if (!c->done && c->wake_at.ms < next.ms)
                next = c->wake_at;
        }
        calls_sweep(client, false);
    }
    if (next.ms == UINT64_MAX)
        rj_timer_cancel(control->timer);
    else
        rj_timer_set(control->timer, next);
}

void rj_control_event(struct rj_control *control, enum rj_note_level level,
                      const char *text)
{
    for (struct client *client = control->clients; client != NULL;
         client = client->next) {
        for (struct rj_call *c = client->calls; c != NULL; c = c->next) {
            if (c->watching && !c->done)
                rj_call_event(c, level, text);
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
