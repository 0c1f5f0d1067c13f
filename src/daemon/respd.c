/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the Redis protocol. Bytes are executed as they come; what they answer is
 * handed to the connection at once and leaves at the end of the turn, after the flush, so
 * that a client never hears of a write that was not in a batch. Under durability `always`
 * it stays in `held`, marked with the commit that it waits for; nothing overtakes it.
 *
 * A client is in the list `attention` while something must be looked at when a turn ends:
 * it waits (WAIT), its replies are held, or its output was full. So a turn costs nothing
 * for the thousands that just sit there. */
#include "base/alloc.h"
#include "daemon/respd_inner.h"
#include "posix/tls.h"

#include <stdio.h>
#include <sys/random.h>

static struct rj_bytes client_key(const struct rj_map_node *node)
{
    return RJ_BYTES_OF(RJ_MAP_ENTRY_CONST(node, struct rj_respd_client, node)->key);
}

static void list(struct rj_respd_client *c)
{
    struct rj_respd *r = c->respd;

    if (c->listed)
        return;
    c->listed = true;
    c->prev = NULL;
    c->next = r->attention;
    if (c->next != NULL)
        c->next->prev = c;
    r->attention = c;
}

void rj_respd_list(struct rj_respd_client *c)
{
    list(c);
}

static void unlist(struct rj_respd_client *c)
{
    if (!c->listed)
        return;
    c->listed = false;
    if (c->next != NULL)
        c->next->prev = c->prev;
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        c->respd->attention = c->next;
}

/* ---- output */

static void deliver(struct rj_respd_client *c, struct rj_bytes bytes);
static bool client_full(const struct rj_respd_client *c);

/* Keeps out back until commit group. */
static enum rj_err hold(struct rj_respd_client *c, struct rj_bytes out, uint64_t group)
{
    struct rj_respd_mark *last = c->n_marks > 0 ? &c->marks[c->n_marks - 1] : NULL;

    rj_buf_append(&c->held, out);
    if (rj_buf_err(&c->held) != RJ_OK)
        return rj_buf_err(&c->held);
    if (last != NULL && last->group >= group) {
        last->end = c->held.len;
        return RJ_OK;
    }
    if (c->n_marks == RJ_RESPD_MARKS_MAX)
        return RJ_ELIMIT;
    if (c->n_marks == c->cap_marks) {
        size_t cap = c->cap_marks > 0 ? 2 * c->cap_marks : 8;
        struct rj_respd_mark *grown = rj_alloc_resize(c->marks, cap, sizeof(*grown));

        if (grown == NULL)
            return RJ_ENOMEM;
        c->marks = grown;
        c->cap_marks = cap;
    }
    c->marks[c->n_marks++] = (struct rj_respd_mark){.end = c->held.len, .group = group};
    return RJ_OK;
}

static void cut(struct rj_respd_client *c, enum rj_err err)
{
    c->ended = true;
    c->waiting = false;
    c->n_marks = 0;
    rj_buf_clear(&c->held);
    if (c->conn != NULL)
        rj_conn_abort(c->conn, err);
    list(c);
}

/* Takes what the session has answered. */
static void take_output(struct rj_respd_client *c)
{
    struct rj_buf *out = rj_resp_out(c->session);
    struct rj_respd *r = c->respd;
    struct rj_space *s;
    bool wrote = rj_resp_take_wrote(c->session);
    enum rj_err err = rj_buf_err(out);
    uint64_t group = c->push_group;

    c->pushed = false;
    c->push_group = 0;
    if (wrote && r->engine != NULL) {
        s = rj_respd_space(c);
        rj_engine_touch(r->engine);
        if (s != NULL && rj_space_durability(s) == RJ_DURABLE_ALWAYS)
            group = rj_node_group(rj_engine_node(r->engine));
    }
    if (err != RJ_OK)
        cut(c, err);
    else if (out->len > 0 && (group > 0 || c->n_marks > 0)) {
        err = hold(c, rj_buf_view(out), group);
        list(c);
        if (err != RJ_OK)
            cut(c, err);
    } else if (out->len > 0) {
        deliver(c, rj_buf_view(out));
    }
    rj_buf_clear(out);
}

/* What the session wants next. */
static void follow(struct rj_respd_client *c, enum rj_resp_state state)
{
    c->state = state;
    take_output(c);
    if (state == RJ_RESP_CLOSE)
        c->ended = true;
    if (state != RJ_RESP_READ || c->run != NULL)
        list(c);
    if (c->conn == NULL || c->ended)
        return;
    if (state == RJ_RESP_READ)
        rj_conn_resume(c->conn);
    else
        rj_conn_pause(c->conn);
}

static void input(struct rj_respd_client *c, struct rj_bytes bytes)
{
    if (!c->ended)
        follow(c, rj_resp_input(c->session, bytes));
}

/* ---- clients */

static void client_free(struct rj_respd_client *c)
{
    if (c == NULL)
        return;
    unlist(c);
    rj_map_remove(&c->respd->clients, &c->node);
    rj_resp_free(c->session);
    rj_buf_done(&c->held);
    free(c->marks);
    free(c);
}

static struct rj_respd_client *client_new(struct rj_respd *r, const char *addr,
                                          bool local)
{
    struct rj_respd_client *c = rj_alloc_zero(1, sizeof(*c));
    struct rj_resp_opts opts = {.id = ++r->last_id, .addr = addr, .user = c};

    if (c == NULL)
        return NULL;
    c->respd = r;
    c->id = opts.id;
    c->local = local;
    c->inside = addr == NULL;
    rj_be_store64(c->key, c->id);
    if (rj_map_insert(&r->clients, &c->node) != NULL ||
        rj_resp_new(&r->host, &opts, &c->session) != RJ_OK) {
        client_free(c);
        return NULL;
    }
    return c;
}

static bool is_loopback(const char *addr)
{
    return strncmp(addr, "127.", 4) == 0 || strncmp(addr, "[::1]", 5) == 0 ||
           strncmp(addr, "[::ffff:127.", 12) == 0;
}

static void on_open(struct rj_conn *conn)
{
    struct rj_respd *r = rj_conn_ctx(conn);
    const char *addr = rj_conn_info(conn).addr;
    struct rj_respd_client *c = client_new(r, addr, is_loopback(addr));

    rj_conn_set_ctx(conn, c);
    if (c == NULL) {
        rj_conn_abort(conn, RJ_ENOMEM);
        return;
    }
    c->conn = conn;
    r->connections++;
}

static void on_data(struct rj_conn *conn, struct rj_bytes data)
{
    input(rj_conn_ctx(conn), data);
}

static void on_eof(struct rj_conn *conn)
{
    struct rj_respd_client *c = rj_conn_ctx(conn);

    c->eof = true; /* what came before is still answered */
    list(c);
}

static void on_drain(struct rj_conn *conn)
{
    list(rj_conn_ctx(conn));
}

static void on_close(struct rj_conn *conn, enum rj_err err)
{
    (void)err;
    client_free(rj_conn_ctx(conn));
}

const struct rj_conn_ops rj_respd_conn_ops = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_close = on_close,
};

/* ---- commands from within */

struct rj_respd_run {
    struct rj_respd_run_options options;
    struct rj_respd_client *client;
    struct rj_buf command; /* until it is executed */
    bool done;
};

static void deliver(struct rj_respd_client *c, struct rj_bytes bytes)
{
    if (c->run != NULL)
        c->run->options.ops->output(c->run->options.ctx, bytes);
    else
        rj_conn_write(c->conn, bytes);
}

static bool client_full(const struct rj_respd_client *c)
{
    return c->conn != NULL && rj_conn_full(c->conn);
}

enum rj_err rj_respd_run_new(struct rj_respd *r,
                             const struct rj_respd_run_options *options,
                             struct rj_respd_run **ret_run)
{
    struct rj_node *n = r->engine != NULL ? rj_engine_node(r->engine) : NULL;
    struct rj_respd_run *run;

    if (n == NULL || rj_node_space(n, options->bucket) == NULL ||
        options->bucket.len > RJ_NAME_MAX)
        return n == NULL ? RJ_EBUSY : RJ_ENOENT;
    run = rj_alloc_zero(1, sizeof(*run));
    if (run == NULL)
        return RJ_ENOMEM;
    run->options = *options;
    rj_buf_append(&run->command, options->command);
    run->client = client_new(r, NULL, true);
    if (run->client == NULL || rj_buf_err(&run->command) != RJ_OK) {
        rj_respd_run_free(run);
        return RJ_ENOMEM;
    }
    memcpy(run->client->bucket, options->bucket.ptr, options->bucket.len);
    run->client->run = run;
    list(run->client);
    *ret_run = run;
    return RJ_OK;
}

void rj_respd_run_free(struct rj_respd_run *run)
{
    if (run == NULL)
        return;
    client_free(run->client);
    rj_buf_done(&run->command);
    free(run);
}

/* ---- the end of a turn */

static void wake(struct rj_respd_client *c, struct rj_mono now)
{
    bool done = false;
    struct rj_resp_acks acks = rj_respd_acks(c, &done);

    if (!done && now.ms < c->wait_until.ms)
        return;
    c->waiting = false;
    follow(c, rj_resp_wake(c->session, &acks));
}

/* Messages have come for the client. What a full connection cannot take stays with the
 * session, which counts it. */
static void take_pushed(struct rj_respd_client *c)
{
    if (c->ended || (c->run != NULL && c->run->done))
        c->pushed = false;
    else if (rj_resp_is_slow(c->session))
        cut(c, RJ_ELIMIT);
    else if (!client_full(c))
        take_output(c);
}

void rj_respd_before_flush(struct rj_respd *r)
{
    struct rj_mono now = rj_loop_now(r->options.loop).mono;
    struct rj_respd_client *next;

    rj_respd_watch_all(r);

    for (struct rj_respd_client *c = r->attention; c != NULL; c = next) {
        next = c->next;
        if (c->run != NULL && c->run->command.len > 0) {
            input(c, rj_buf_view(&c->run->command));
            rj_buf_clear(&c->run->command);
        }
        if (c->waiting && r->engine != NULL)
            wake(c, now);
        if (c->state == RJ_RESP_FULL && c->n_marks == 0 && !client_full(c))
            input(c, (struct rj_bytes){0});
        if (c->pushed)
            take_pushed(c);
    }
}

/* Sends what its commits have made true. */
static void release(struct rj_respd_client *c, uint64_t committed)
{
    size_t n = 0, end;

    while (n < c->n_marks && c->marks[n].group <= committed)
        n++;
    if (n == 0)
        return;
    end = c->marks[n - 1].end;
    deliver(c, rj_bytes_of(c->held.ptr, end));
    rj_buf_consume(&c->held, end);
    c->n_marks -= n;
    memmove(c->marks, c->marks + n, c->n_marks * sizeof(*c->marks));
    for (size_t i = 0; i < c->n_marks; i++)
        c->marks[i].end -= end;
}

/* Whether it needs attention when the next turn ends; ends those that are through. */
static bool go_on(struct rj_respd_client *c)
{
    if (c->waiting || c->n_marks > 0)
        return true;
    if (c->state == RJ_RESP_FULL && !c->ended)
        return true;
    if (c->pushed && !c->ended && !client_full(c))
        return true; /* if it is full, on_drain lists it again */
    if (c->run != NULL) {
        if (!c->run->done) {
            c->run->done = true;
            c->run->options.ops->done(c->run->options.ctx, RJ_OK);
        }
    } else if (c->ended || c->eof) {
        rj_conn_close(c->conn);
    }
    return false;
}

void rj_respd_after_flush(struct rj_respd *r)
{
    struct rj_node *n = r->engine != NULL ? rj_engine_node(r->engine) : NULL;
    uint64_t committed = n != NULL ? rj_node_committed(n) : 0;
    struct rj_mono next_time = {UINT64_MAX};
    struct rj_respd_client *next;

    for (struct rj_respd_client *c = r->attention; c != NULL; c = next) {
        next = c->next;
        release(c, committed);
        if (!go_on(c)) {
            unlist(c);
            continue;
        }
        if (c->waiting && c->wait_until.ms < next_time.ms)
            next_time = c->wait_until;
        if (c->pushed || (c->state == RJ_RESP_FULL && c->n_marks == 0 && !client_full(c)))
            next_time.ms = 0; /* it can go on: another turn */
    }
    if (next_time.ms == UINT64_MAX)
        rj_timer_cancel(r->timer);
    else
        rj_timer_set(r->timer, next_time);
}

/* ---- life */

static void on_timer(void *ctx)
{
    (void)ctx; /* the end of the turn does the rest */
}

/* For what clients draw at random; not for secrets. */
static void seed(struct rj_respd *r)
{
    uint64_t number = 0;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
        number = r->started.ms;
    rj_prng_init(&r->prng, number);
}

enum rj_err rj_respd_new(const struct rj_respd_options *options,
                         struct rj_respd **ret_respd)
{
    struct rj_respd *r = rj_alloc_zero(1, sizeof(*r));
    enum rj_err err;

    if (r == NULL)
        return RJ_ENOMEM;
    r->host.ops = &rj_respd_host_ops;
    r->options = *options;
    r->started = rj_loop_now(options->loop).wall;
    seed(r);
    rj_map_init(&r->clients, client_key);
    err = rj_timer_new(options->loop, on_timer, r, &r->timer);
    if (err != RJ_OK) {
        free(r);
        return err;
    }
    *ret_respd = r;
    return RJ_OK;
}

enum rj_err rj_respd_listen(struct rj_respd *r)
{
    const struct rj_conn_options options = {.ops = &rj_respd_conn_ops, .ctx = r};
    const char *host = r->options.listen_host;

    if (r->options.listen_fd != 0)
        return rj_listener_given(r->options.loop, r->options.listen_fd, &options,
                                 &r->listener);
    if (r->options.port == 0)
        return RJ_OK;
    return rj_listener_tcp(r->options.loop, host[0] != '\0' ? host : NULL,
                           r->options.port, &options, &r->listener);
}

void rj_respd_begin(struct rj_respd *r, struct rj_engine *e)
{
    struct rj_node *n = rj_engine_node(e);
    struct rj_space *s;

    r->engine = e;
    for (size_t i = 0; n != NULL && (s = rj_node_space_at(n, i)) != NULL; i++)
        rj_respd_note_whole(r, rj_space_name(s));
}

void rj_respd_end(struct rj_respd *r)
{
    struct rj_respd_client *next;

    r->engine = NULL;
    for (struct rj_respd_client *c = r->attention; c != NULL; c = next) {
        next = c->next;
        if (!c->waiting && c->n_marks == 0 && c->run == NULL)
            continue;
        cut(c, RJ_ECLOSED);
        if (c->run != NULL && !c->run->done) {
            c->run->done = true;
            c->run->options.ops->done(c->run->options.ctx, RJ_ECLOSED);
        }
    }
}

void rj_respd_stop(struct rj_respd *r)
{
    rj_listener_close(r->listener);
    rj_listener_close(r->tls_listener);
    r->listener = r->tls_listener = NULL;
}

void rj_respd_free(struct rj_respd *r)
{
    if (r == NULL)
        return;
    rj_timer_free(r->timer);
    rj_respd_watch_done(r);
    rj_tls_ctx_free(r->tls);
    free(r->whole);
    free(r);
}
