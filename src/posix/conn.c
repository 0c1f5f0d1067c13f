/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a connection: DIAL -> HANDSHAKE -> OPEN -> CLOSING -> SHUT -> DEAD, forward
 * only; every state may go to DEAD at once. In DEAD the handle is being closed; libuv
 * calls rj_conn_closed later, from the loop, and there on_close is called and the memory
 * goes. So a connection may be closed from any callback and nothing is called back from
 * within a call.
 *
 * After its last bytes an end that closes shuts its direction down and waits a moment for
 * the other one: a close while unread bytes wait would make the system answer with a
 * reset, which may destroy what the other end has not read yet (RFC 1122 4.2.2.13). */
#include "posix/conn.h"

#include "base/alloc.h"
#include "posix/loop_inner.h"
#include "posix/tls.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    KEEPALIVE_S = 60,
    PROBES = 4, /* with dead_ms: so many probes fit into it */
    TLS_FIRST_BYTE = 0x16
};

static const struct rj_conn_options defaults = {
    .queue_high_bytes = RJ_CONN_QUEUE_HIGH,
    .queue_max_bytes = RJ_CONN_QUEUE_MAX,
    .handshake_ms = RJ_CONN_HANDSHAKE_MS,
    .linger_ms = RJ_CONN_LINGER_MS,
};

/* ---- beginning */

static void fill_options(struct rj_conn_options *options)
{
    if (options->queue_high_bytes == 0)
        options->queue_high_bytes = defaults.queue_high_bytes;
    if (options->queue_max_bytes == 0)
        options->queue_max_bytes = defaults.queue_max_bytes;
    if (options->handshake_ms == 0)
        options->handshake_ms = defaults.handshake_ms;
    if (options->linger_ms == 0)
        options->linger_ms = defaults.linger_ms;
}

enum rj_err rj_conn_make(struct rj_loop *loop, const struct rj_conn_options *options,
                         bool is_unix, struct rj_conn **ret_conn)
{
    struct rj_conn *conn = rj_alloc_zero(1, sizeof(*conn));

    if (conn == NULL)
        return RJ_ENOMEM;
    conn->loop = loop;
    conn->options = *options;
    fill_options(&conn->options);
    conn->ctx = options->ctx;
    conn->is_unix = conn->info.is_unix = is_unix;
    conn->info.addr = conn->addr;
    if (options->preamble.len > 0 && options->preamble.len <= sizeof(conn->preamble)) {
        memcpy(conn->preamble, options->preamble.ptr, options->preamble.len);
        conn->preamble_len = options->preamble.len;
    }
    rj_conn_init_queues(conn);
    if (is_unix)
        (void)uv_pipe_init(&loop->uv, &conn->uv.pipe, 0);
    else
        (void)uv_tcp_init(&loop->uv, &conn->uv.tcp);
    conn->uv.handle.data = conn;
    TAILQ_INSERT_TAIL(&loop->conns, conn, all_link);
    conn->since_ms = rj_loop_ms();
    rj_conn_set_limit(conn, conn->since_ms + conn->options.handshake_ms);
    *ret_conn = conn;
    return RJ_OK;
}

/* "192.0.2.1:7340", "[2001:db8::1]:7340" */
static void set_tcp_addr(struct rj_conn *conn)
{
    struct sockaddr_storage addr = {0};
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&addr;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&addr;
    int len = sizeof(addr);
    char text[INET6_ADDRSTRLEN] = "";

    if (uv_tcp_getpeername(&conn->uv.tcp, (struct sockaddr *)&addr, &len) != 0)
        return;
    if (addr.ss_family == AF_INET) {
        (void)uv_ip4_name(v4, text, sizeof(text));
        (void)snprintf(conn->addr, sizeof(conn->addr), "%s:%u", text,
                       ntohs(v4->sin_port));
    } else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) { /* to a socket for both families */
        (void)uv_inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, sizeof(text));
        (void)snprintf(conn->addr, sizeof(conn->addr), "%s:%u", text,
                       ntohs(v6->sin6_port));
    } else {
        (void)uv_ip6_name(v6, text, sizeof(text));
        (void)snprintf(conn->addr, sizeof(conn->addr), "[%s]:%u", text,
                       ntohs(v6->sin6_port));
    }
}

static void open_conn(struct rj_conn *conn)
{
    rj_listener_half_done(conn);
    conn->state = RJ_CONN_OPEN;
    conn->opened = true;
    conn->limit_ms = 0;
    conn->options.ops->on_open(conn);
    if (conn->state != RJ_CONN_DIAL) /* else on_open wants the next address */
        rj_conn_dial_free(conn);
}

static enum rj_err start_tls(struct rj_conn *conn)
{
    struct rj_buf *wire = rj_conn_wire(conn);
    enum rj_err err;

    if (wire == NULL)
        return RJ_ENOMEM;
    rj_buf_append_raw(wire, conn->preamble, conn->preamble_len);
    if (conn->options.tls_server)
        return rj_buf_err(wire);
    err = rj_tls_new(conn->options.tls, true, &conn->tls);
    return err == RJ_OK ? rj_tls_start(conn->tls, wire) : err;
}

static void set_tcp_int(int fd, int option, int value)
{
    (void)setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value));
}

/* Probes go out when nothing was heard (RFC 1122 4.2.3.6); TCP_USER_TIMEOUT (RFC 5482)
 * says how long they, and data, may go unanswered. */
void rj_conn_probe(struct rj_conn *conn, bool hurry)
{
    uint32_t dead_ms = hurry ? (uint32_t)RJ_CONN_PROBE_MS : conn->options.dead_ms;
    int every_s = hurry ? RJ_CONN_PROBE_S : (int)(dead_ms / 1000 / PROBES);
    uv_os_fd_t fd;

    if (conn->is_unix || uv_is_closing(&conn->uv.handle) ||
        uv_fileno(&conn->uv.handle, &fd) != 0)
        return;
    if (every_s < 1)
        every_s = 1;
    (void)uv_tcp_keepalive(&conn->uv.tcp, 1,
                           dead_ms > 0 ? (unsigned)every_s : KEEPALIVE_S);
    set_tcp_int(fd, TCP_USER_TIMEOUT, (int)dead_ms);
    if (dead_ms > 0)
        set_tcp_int(fd, TCP_KEEPINTVL, every_s);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
    struct rj_conn *conn = handle->data;

    (void)size;
    *ret = uv_buf_init((char *)conn->loop->read_buf, sizeof(conn->loop->read_buf));
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf);

void rj_conn_connected(struct rj_conn *conn)
{
    enum rj_err err;

    if (conn->options.tls == NULL)
        rj_conn_dial_free(conn); /* else another address may have to be tried */
    if (!conn->is_unix) {
        (void)uv_tcp_nodelay(&conn->uv.tcp, 1);
        rj_conn_probe(conn, false);
        set_tcp_addr(conn);
    }
    if (uv_read_start(&conn->uv.stream, on_alloc, on_read) != 0) {
        rj_conn_fail(conn, RJ_EIO, "cannot read from the connection");
        return;
    }
    if (conn->options.tls == NULL) {
        open_conn(conn);
        return;
    }
    conn->state = RJ_CONN_HANDSHAKE;
    /* A server makes its end with the first bytes: who only connects costs little. */
    err = conn->listener == NULL ? start_tls(conn) : RJ_OK;
    if (err != RJ_OK)
        rj_conn_fail(conn, err, "TLS: %s", rj_err_text(err));
}

/* ---- reading */

static bool is_reading(const struct rj_conn *conn)
{
    return conn->state == RJ_CONN_OPEN;
}

/* Whoever was accepted and does not speak TLS. */
static void turn_plain(struct rj_conn *conn, struct rj_bytes in)
{
    conn->options.ops = conn->options.plain_ops;
    conn->options.tls = NULL;
    conn->ctx = conn->options.plain_ctx;
    open_conn(conn);
    if (is_reading(conn)) {
        conn->info.received += in.len;
        conn->options.ops->on_data(conn, in);
    }
}

/* Bytes of a TLS connection. What was said before an error counts. */
static void take_records(struct rj_conn *conn, struct rj_bytes in)
{
    struct rj_buf *plain = &conn->loop->plain, *wire = rj_conn_wire(conn);
    enum rj_err err = wire != NULL ? RJ_OK : RJ_ENOMEM;

    rj_buf_clear(plain);
    if (err == RJ_OK && conn->tls == NULL)
        err = rj_tls_new(conn->options.tls, false, &conn->tls);
    if (err == RJ_OK)
        err = rj_tls_input(conn->tls, in, plain, wire);
    if (conn->state == RJ_CONN_HANDSHAKE && err == RJ_OK &&
        rj_tls_state(conn->tls) != RJ_TLS_HANDSHAKE) {
        conn->info.pubkey = rj_tls_peer(conn->tls);
        open_conn(conn);
    }
    if (is_reading(conn) && plain->len > 0) {
        conn->info.received += plain->len;
        conn->options.ops->on_data(conn, rj_buf_view(plain));
    }
    if (err != RJ_OK) {
        rj_conn_push_wire(conn);
        if (conn->state != RJ_CONN_DIAL) /* that failed, and it goes on elsewhere */
            rj_conn_fail(conn, err, "%s",
                         conn->tls != NULL ? rj_tls_why(conn->tls) : "TLS");
    } else if (rj_conn_wire_flooded(conn)) {
        /* It makes TLS answer and does not read the answers. */
        rj_conn_fail(conn, RJ_ELIMIT, "the peer reads too slowly");
    } else if (is_reading(conn) && rj_tls_state(conn->tls) == RJ_TLS_ENDED &&
               !conn->got_eof) {
        conn->got_eof = true;
        conn->options.ops->on_eof(conn);
    }
}

static void take_eof(struct rj_conn *conn)
{
    bool agreed = conn->tls == NULL || rj_tls_state(conn->tls) == RJ_TLS_ENDED;

    switch (conn->state) {
    case RJ_CONN_SHUT:
        rj_conn_fail(conn, RJ_OK, "closed");
        return;
    case RJ_CONN_CLOSING:
        conn->got_eof = true;
        return;
    case RJ_CONN_OPEN:
        if (!agreed)
            rj_conn_fail(conn, RJ_EUNREACH, "the peer is gone without a goodbye");
        else if (!conn->got_eof) {
            conn->got_eof = true;
            conn->options.ops->on_eof(conn);
        }
        return;
    case RJ_CONN_DIAL:
    case RJ_CONN_HANDSHAKE:
    case RJ_CONN_DEAD:
    default:
        rj_conn_fail(conn, RJ_EUNREACH, "the peer closed it during the handshake");
    }
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct rj_conn *conn = stream->data;
    struct rj_bytes in;

    if (len == UV_EOF) {
        take_eof(conn);
        return;
    }
    if (len < 0) {
        rj_conn_fail(conn, conn->state == RJ_CONN_SHUT ? RJ_OK : RJ_EUNREACH,
                     "reading: %s", uv_strerror((int)len));
        return;
    }
    in = rj_bytes_of(buf->base, (size_t)len);
    if (len == 0 || conn->state > RJ_CONN_OPEN)
        return; /* while it closes, what still comes is dropped */
    if (conn->options.tls != NULL && conn->tls == NULL &&
        conn->options.plain_ops != NULL && in.ptr[0] != TLS_FIRST_BYTE) {
        turn_plain(conn, in);
    } else if (conn->options.tls != NULL) {
        take_records(conn, in);
    } else {
        conn->info.received += in.len;
        conn->options.ops->on_data(conn, in);
    }
}

void rj_conn_pause(struct rj_conn *conn)
{
    if (conn->state != RJ_CONN_OPEN || conn->paused)
        return;
    conn->paused = true;
    (void)uv_read_stop(&conn->uv.stream);
}

static void read_again(struct rj_conn *conn)
{
    if (!conn->paused)
        return;
    conn->paused = false;
    if (uv_read_start(&conn->uv.stream, on_alloc, on_read) != 0)
        rj_conn_fail(conn, RJ_EUNREACH, "cannot read from the connection");
}

void rj_conn_resume(struct rj_conn *conn)
{
    if (conn->state == RJ_CONN_OPEN)
        read_again(conn);
}

/* ---- the end */

void rj_conn_fail(struct rj_conn *conn, enum rj_err err, const char *why, ...)
{
    va_list args;

    /* A name's other addresses may lead to who speaks the protocol. */
    if (conn->state == RJ_CONN_HANDSHAKE &&
        (err == RJ_EPROTO || err == RJ_EAUTH || err == RJ_EUNREACH) &&
        rj_conn_dial_skip(conn, 0))
        return;
    if (conn->state == RJ_CONN_DEAD)
        return;
    conn->state = RJ_CONN_DEAD;
    conn->err = err;
    conn->limit_ms = conn->deadline_ms = 0;
    va_start(args, why);
    (void)vsnprintf(conn->why, sizeof(conn->why), why, args);
    va_end(args);
    rj_listener_conn_dead(conn);
    rj_conn_dial_free(conn);
    rj_child_end(conn);
    if (!uv_is_closing(&conn->uv.handle))
        uv_close(&conn->uv.handle, rj_conn_closed);
}

void rj_conn_closed(uv_handle_t *handle)
{
    struct rj_conn *conn = handle->data;
    struct rj_loop *loop = conn->loop;

    if (conn->state != RJ_CONN_DEAD && rj_conn_dial_again(conn))
        return;
    if (conn->child != NULL && !rj_child_done(conn))
        return;
    if (conn->opened || conn->listener == NULL)
        conn->options.ops->on_close(conn, conn->err);
    TAILQ_REMOVE(&loop->conns, conn, all_link);
    if (conn->in_dirty)
        TAILQ_REMOVE(&loop->dirty, conn, dirty_link);
    if (conn->in_drained)
        TAILQ_REMOVE(&loop->drained, conn, drained_link);
    rj_listener_conn_gone(conn);
    rj_conn_drop_queues(conn);
    rj_tls_free(conn->tls);
    free(conn);
}

void rj_conn_close(struct rj_conn *conn)
{
    if (conn->state < RJ_CONN_OPEN) {
        rj_conn_fail(conn, RJ_OK, "closed before it was open");
        return;
    }
    if (conn->state != RJ_CONN_OPEN)
        return;
    read_again(conn); /* for the other end's goodbye */
    if (conn->state != RJ_CONN_OPEN)
        return;
    conn->state = RJ_CONN_CLOSING;
    conn->deadline_ms = 0;
    rj_conn_set_limit(conn, rj_loop_ms() + conn->options.linger_ms);
    rj_conn_mark_dirty(conn);
}

void rj_conn_abort(struct rj_conn *conn, enum rj_err err)
{
    rj_conn_fail(conn, err, "%s", rj_err_text(err));
}

bool rj_conn_next(struct rj_conn *conn)
{
    return conn->state == RJ_CONN_OPEN && rj_conn_dial_skip(conn, 0);
}

/* ---- deadlines */

void rj_conn_set_limit(struct rj_conn *conn, uint64_t at_ms)
{
    conn->limit_ms = at_ms;
    rj_loop_sweep_at(conn->loop, at_ms);
}

void rj_conn_deadline(struct rj_conn *conn, struct rj_mono at)
{
    if (conn->state > RJ_CONN_OPEN)
        return;
    conn->deadline_ms = at.ms;
    if (at.ms != 0)
        rj_loop_sweep_at(conn->loop, at.ms);
}

static void sweep(struct rj_conn *conn, uint64_t now_ms)
{
    uint64_t try_ms = rj_conn_dial_try_ms(conn);

    if (conn->limit_ms != 0 && now_ms >= conn->limit_ms) {
        if (conn->state == RJ_CONN_SHUT)
            rj_conn_fail(conn, RJ_OK, "closed");
        else if (conn->state == RJ_CONN_CLOSING)
            rj_conn_fail(conn, RJ_ETIMEOUT, "the peer did not take all that was sent");
        else
            rj_conn_fail(conn, RJ_ETIMEOUT, "no answer");
    } else if (conn->deadline_ms != 0 && now_ms >= conn->deadline_ms) {
        rj_conn_fail(conn, RJ_ETIMEOUT, "nothing heard for too long");
    } else if (try_ms != 0 && now_ms >= try_ms) {
        (void)rj_conn_dial_skip(conn, now_ms);
    }
}

static uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
    if (a_ms == 0 || (b_ms != 0 && b_ms < a_ms))
        return b_ms;
    return a_ms;
}

uint64_t rj_conn_sweep_all(struct rj_loop *loop, uint64_t now_ms)
{
    struct rj_conn *conn;
    uint64_t next_ms = 0;

    for (conn = TAILQ_FIRST(&loop->conns); conn != NULL;
         conn = TAILQ_NEXT(conn, all_link)) {
        sweep(conn, now_ms);
        next_ms = earlier(next_ms, conn->limit_ms);
        next_ms = earlier(next_ms, conn->deadline_ms);
        next_ms = earlier(next_ms, rj_conn_dial_try_ms(conn));
    }
    return next_ms;
}

/* ---- what it is */

bool rj_conn_local(const struct rj_conn *conn, struct sockaddr_storage *ret)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)ret;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    int len = sizeof(*ret);

    if (conn->is_unix || conn->state < RJ_CONN_HANDSHAKE || conn->state == RJ_CONN_DEAD ||
        uv_tcp_getsockname(&conn->uv.tcp, (struct sockaddr *)ret, &len) != 0)
        return false;
    if (ret->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        v4.sin_port = v6->sin6_port;
        memcpy(&v4.sin_addr, &v6->sin6_addr.s6_addr[12], sizeof(v4.sin_addr));
        memset(ret, 0, sizeof(*ret));
        memcpy(ret, &v4, sizeof(v4));
    }
    return true;
}

void *rj_conn_ctx(const struct rj_conn *conn)
{
    return conn->ctx;
}

void rj_conn_set_ctx(struct rj_conn *conn, void *ctx)
{
    conn->ctx = ctx;
}

void rj_conn_set_ops(struct rj_conn *conn, const struct rj_conn_ops *ops)
{
    conn->options.ops = ops;
}

struct rj_loop *rj_conn_loop(const struct rj_conn *conn)
{
    return conn->loop;
}

struct rj_conn_info rj_conn_info(const struct rj_conn *conn)
{
    return conn->info;
}

struct rj_tls *rj_conn_tls(struct rj_conn *conn)
{
    return conn->opened ? conn->tls : NULL;
}

const char *rj_conn_why(const struct rj_conn *conn)
{
    return conn->why;
}
