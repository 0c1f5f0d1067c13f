/* SPDX-License-Identifier: Apache-2.0 */
/* Sending. What the program sends during a turn is gathered in a queue of buffers; at the
 * turn's end it leaves with one write: as it is, or encrypted into as few records as it
 * fills. If the system takes all of it (the usual case: uv_try_write, no request, no
 * allocation), the buffers return to the loop's spare ones. What it does not take stays
 * where it is, locked, until libuv reports that it was written; meanwhile new bytes
 * gather behind it in other buffers, and nothing more is encrypted, so that a slow reader
 * holds plaintext and at most WIRE_MAX of records. */
#include "base/alloc.h"
#include "posix/conn.h"
#include "posix/loop_inner.h"
#include "posix/tls.h"

enum {
    BUF_FULL = 64 * 1024,  /* from here on, a new buffer is begun */
    GATHER_MAX = 64,       /* buffers in one write */
    WIRE_MAX = 1024 * 1024 /* plaintext encrypted in one turn */
};

/* ---- the queue of buffers */

static size_t queue_bytes(const struct rj_conn_queue *q)
{
    return q->last != NULL ? q->before + q->last->buf.len - q->head : 0;
}

static void queue_push(struct rj_conn_queue *q, struct rj_chunk *chunk)
{
    if (q->last != NULL)
        q->before += q->last->buf.len;
    STAILQ_INSERT_TAIL(&q->chunks, chunk, link);
    q->last = chunk;
    q->count++;
}

/* A buffer at the end that can be appended to; NULL: out of memory. */
static struct rj_buf *queue_open(struct rj_conn_queue *q, struct rj_loop *loop)
{
    struct rj_chunk *fresh;

    if (q->last != NULL && q->count > q->locked && q->last->buf.len < BUF_FULL)
        return &q->last->buf;
    fresh = rj_loop_take_spare(loop);
    if (fresh == NULL)
        return NULL;
    queue_push(q, fresh);
    return &fresh->buf;
}

/* Adds a buffer whole; false: out of memory, it is still the caller's. */
static bool queue_add(struct rj_conn_queue *q, struct rj_loop *loop,
                      struct rj_buf *take_buf)
{
    struct rj_chunk *fresh = rj_loop_take_spare(loop);

    if (fresh == NULL)
        return false;
    rj_buf_done(&fresh->buf);
    fresh->buf = *take_buf;
    *take_buf = (struct rj_buf){0};
    queue_push(q, fresh);
    return true;
}

/* Takes the first n bytes away; buffers that are used up become spare. */
static void queue_consume(struct rj_conn_queue *q, struct rj_loop *loop, size_t n)
{
    struct rj_chunk *used;

    q->head += n;
    while ((used = STAILQ_FIRST(&q->chunks)) != NULL && q->head >= used->buf.len) {
        q->head -= used->buf.len;
        q->count--;
        if (used == q->last)
            q->last = NULL;
        else
            q->before -= used->buf.len;
        STAILQ_REMOVE_HEAD(&q->chunks, link);
        rj_loop_give_spare(loop, used);
    }
}

static void queue_drop(struct rj_conn_queue *q, struct rj_loop *loop)
{
    queue_consume(q, loop, queue_bytes(q));
}

void rj_conn_init_queues(struct rj_conn *conn)
{
    STAILQ_INIT(&conn->out.chunks);
    STAILQ_INIT(&conn->wire.chunks);
}

void rj_conn_drop_queues(struct rj_conn *conn)
{
    queue_drop(&conn->out, conn->loop);
    queue_drop(&conn->wire, conn->loop);
}

/* ---- what the program calls */

void rj_conn_mark_dirty(struct rj_conn *conn)
{
    if (conn->in_dirty)
        return;
    conn->in_dirty = true;
    TAILQ_INSERT_TAIL(&conn->loop->dirty, conn, dirty_link);
}

size_t rj_conn_queued(const struct rj_conn *conn)
{
    return queue_bytes(&conn->out) + queue_bytes(&conn->wire);
}

bool rj_conn_full(struct rj_conn *conn)
{
    bool full = rj_conn_queued(conn) >= conn->options.queue_high_bytes;

    conn->was_full |= full;
    return full;
}

/* What could not be appended for want of memory must not be sent in part. */
static enum rj_err out_err(struct rj_conn *conn)
{
    const struct rj_chunk *last = conn->out.last;

    return last != NULL ? rj_buf_err(&last->buf) : RJ_OK;
}

/* May something be sent? If the limit forbids it, the connection is cut. */
static bool may_send(struct rj_conn *conn)
{
    enum rj_err err = out_err(conn);

    if (conn->state != RJ_CONN_OPEN)
        return false;
    if (err != RJ_OK) {
        rj_conn_fail(conn, err, "sending: %s", rj_err_text(err));
        return false;
    }
    if (rj_conn_queued(conn) >= conn->options.queue_max_bytes) {
        rj_conn_fail(conn, RJ_ELIMIT, "the peer reads too slowly");
        return false;
    }
    return true;
}

struct rj_buf *rj_conn_out(struct rj_conn *conn)
{
    struct rj_buf *buf = NULL;

    if (may_send(conn)) {
        buf = queue_open(&conn->out, conn->loop);
        if (buf == NULL)
            rj_conn_fail(conn, RJ_ENOMEM, "%s", rj_err_text(RJ_ENOMEM));
    }
    if (buf == NULL) {
        rj_buf_fail(&conn->sink, RJ_ECLOSED); /* takes nothing in */
        return &conn->sink;
    }
    rj_conn_mark_dirty(conn);
    return buf;
}

void rj_conn_write(struct rj_conn *conn, struct rj_bytes data)
{
    if (data.len > 0)
        rj_buf_append(rj_conn_out(conn), data);
}

void rj_conn_send(struct rj_conn *conn, struct rj_buf *take_buf)
{
    if (rj_buf_err(take_buf) != RJ_OK && conn->state == RJ_CONN_OPEN)
        rj_conn_fail(conn, rj_buf_err(take_buf), "what was sent could not be made");
    if (take_buf->len <= RJ_CONN_COPY_MAX) {
        rj_conn_write(conn, rj_buf_view(take_buf));
    } else if (may_send(conn)) {
        if (queue_add(&conn->out, conn->loop, take_buf))
            rj_conn_mark_dirty(conn);
        else
            rj_conn_fail(conn, RJ_ENOMEM, "%s", rj_err_text(RJ_ENOMEM));
    }
    rj_buf_done(take_buf);
}

struct rj_buf *rj_conn_wire(struct rj_conn *conn)
{
    rj_conn_mark_dirty(conn);
    return queue_open(&conn->wire, conn->loop);
}

bool rj_conn_wire_flooded(const struct rj_conn *conn)
{
    return queue_bytes(&conn->wire) > 2 * (size_t)WIRE_MAX;
}

/* ---- the end of a turn */

static void on_written(uv_write_t *req, int status);

static struct rj_conn_queue *outgoing(struct rj_conn *conn)
{
    return conn->options.tls != NULL ? &conn->wire : &conn->out;
}

/* The first buffers, for one write; *ret_bytes is how much they hold. */
static unsigned int gather(const struct rj_conn_queue *q, uv_buf_t vec[GATHER_MAX],
                           size_t *ret_bytes)
{
    const struct rj_chunk *chunk = STAILQ_FIRST(&q->chunks);
    unsigned int n = 0;
    size_t skip = q->head;

    *ret_bytes = 0;
    for (; n < GATHER_MAX && chunk != NULL; n++, chunk = STAILQ_NEXT(chunk, link)) {
        vec[n] = uv_buf_init((char *)chunk->buf.ptr, 0);
        if (chunk->buf.len > skip) {
            vec[n].base += skip;
            vec[n].len = chunk->buf.len - skip;
        }
        *ret_bytes += vec[n].len;
        skip = 0;
    }
    return n;
}

static void count_sent(struct rj_conn *conn, size_t bytes)
{
    if (conn->options.tls == NULL)
        conn->info.sent += bytes;
}

/* Hands q to the system. What does not fit is left to libuv, locked. */
static void send_queue(struct rj_conn *conn, struct rj_conn_queue *q)
{
    uv_buf_t vec[GATHER_MAX];
    size_t bytes;
    unsigned int n = gather(q, vec, &bytes);
    int done;

    if (bytes == 0) {
        queue_consume(q, conn->loop, 0); /* nobody appended to the open buffer */
        return;
    }
    done = uv_try_write(&conn->uv.stream, vec, n);
    if (done < 0 && done != UV_EAGAIN) {
        rj_conn_fail(conn, RJ_EUNREACH, "writing: %s", uv_strerror(done));
        return;
    }
    if (done > 0) {
        count_sent(conn, (size_t)done);
        queue_consume(q, conn->loop, (size_t)done);
    }
    if (done > 0 && (size_t)done == bytes)
        return; /* more than GATHER_MAX: the rest in the next turn */
    n = gather(q, vec, &bytes);
    q->locked = n;
    conn->handed = bytes;
    conn->writing = true;
    conn->write.data = conn;
    done = uv_write(&conn->write, &conn->uv.stream, vec, n, on_written);
    if (done != 0) {
        conn->writing = false;
        rj_conn_fail(conn, RJ_EUNREACH, "writing: %s", uv_strerror(done));
    }
}

void rj_conn_push_wire(struct rj_conn *conn)
{
    if (!conn->writing && conn->state != RJ_CONN_DEAD)
        send_queue(conn, &conn->wire);
}

/* More room than half of the limit? Then on_drain is due. */
static void check_drained(struct rj_conn *conn)
{
    size_t queued = rj_conn_queued(conn);

    if (!conn->was_full || conn->state != RJ_CONN_OPEN || conn->in_drained ||
        (queued > 0 && queued >= conn->options.queue_high_bytes / 2))
        return;
    conn->was_full = false;
    conn->in_drained = true;
    TAILQ_INSERT_TAIL(&conn->loop->drained, conn, drained_link);
}

/* Encrypts from out to wire, up to WIRE_MAX. */
static enum rj_err encrypt(struct rj_conn *conn)
{
    struct rj_conn_queue *q = &conn->out;
    size_t total = 0;
    enum rj_err err = RJ_OK;

    while (queue_bytes(q) > 0 && total < WIRE_MAX && err == RJ_OK) {
        struct rj_buf *wire = queue_open(&conn->wire, conn->loop);
        const struct rj_chunk *first = STAILQ_FIRST(&q->chunks);
        struct rj_bytes part = rj_bytes_skip(rj_buf_view(&first->buf), q->head);

        if (wire == NULL)
            return RJ_ENOMEM;
        part = rj_bytes_first(part, BUF_FULL);
        err = rj_tls_write(conn->tls, part, wire);
        conn->info.sent += part.len;
        total += part.len;
        queue_consume(q, conn->loop, part.len);
    }
    if (err == RJ_OK && conn->state == RJ_CONN_CLOSING && queue_bytes(q) == 0) {
        struct rj_buf *wire = queue_open(&conn->wire, conn->loop);

        if (wire == NULL)
            return RJ_ENOMEM;
        rj_tls_end(conn->tls, wire);
    }
    return err;
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    struct rj_conn *conn = req->data;

    (void)status; /* the other end may be gone: all the same */
    if (conn->got_eof || conn->is_unix)
        rj_conn_fail(conn, RJ_OK, "closed");
}

/* Everything was sent: no more will come from here. */
static void say_goodbye(struct rj_conn *conn)
{
    uint64_t at_ms = rj_loop_ms() + RJ_CONN_GOODBYE_MS;

    conn->state = RJ_CONN_SHUT;
    conn->shutdown.data = conn;
    if (at_ms < conn->limit_ms)
        rj_conn_set_limit(conn, at_ms);
    if (uv_shutdown(&conn->shutdown, &conn->uv.stream, on_shutdown) != 0)
        rj_conn_fail(conn, RJ_OK, "closed");
}

static void flush(struct rj_conn *conn)
{
    enum rj_err err;

    if (conn->state == RJ_CONN_DEAD || conn->state == RJ_CONN_SHUT ||
        conn->state == RJ_CONN_DIAL || conn->writing)
        return;
    err = out_err(conn);
    if (err == RJ_OK && conn->options.tls != NULL && conn->opened)
        err = encrypt(conn);
    if (err != RJ_OK) {
        rj_conn_fail(conn, err, "sending: %s", rj_err_text(err));
        return;
    }
    send_queue(conn, outgoing(conn));
    if (conn->state == RJ_CONN_DEAD)
        return;
    check_drained(conn);
    if (conn->writing)
        return;
    if (rj_conn_queued(conn) > 0)
        rj_conn_mark_dirty(conn);
    else if (conn->state == RJ_CONN_CLOSING)
        say_goodbye(conn);
}

static void on_written(uv_write_t *req, int status)
{
    struct rj_conn *conn = req->data;
    struct rj_conn_queue *q = outgoing(conn);

    conn->writing = false;
    if (conn->state == RJ_CONN_DEAD || uv_is_closing(&conn->uv.handle))
        return; /* the buffers go with it */
    if (status != 0) {
        rj_conn_fail(conn, RJ_EUNREACH, "writing: %s", uv_strerror(status));
        return;
    }
    q->locked = 0;
    count_sent(conn, conn->handed);
    queue_consume(q, conn->loop, conn->handed);
    check_drained(conn);
    rj_conn_mark_dirty(conn);
}

void rj_conn_flush_all(struct rj_loop *loop)
{
    struct rj_conn_list now = TAILQ_HEAD_INITIALIZER(now);
    struct rj_conn *conn;

    TAILQ_CONCAT(&now, &loop->dirty, dirty_link);
    while ((conn = TAILQ_FIRST(&now)) != NULL) {
        TAILQ_REMOVE(&now, conn, dirty_link);
        conn->in_dirty = false;
        flush(conn);
    }
}

void rj_conn_tell_drained(struct rj_loop *loop)
{
    struct rj_conn *conn;

    while ((conn = TAILQ_FIRST(&loop->drained)) != NULL) {
        TAILQ_REMOVE(&loop->drained, conn, drained_link);
        conn->in_drained = false;
        if (conn->state == RJ_CONN_OPEN)
            conn->options.ops->on_drain(conn);
    }
}
