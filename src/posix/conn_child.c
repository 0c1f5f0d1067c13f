/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to a child process. Its standard input and output are one end of a socket
 * pair, the other end is an ordinary connection; its standard error is read for the last
 * line, which usually says why it failed (ssh: "Permission denied").
 *
 * A child lives until it has ended and was waited for: the connection whose child it is
 * stays that long, so that on_close can say what the child said. When the connection is
 * closed the child sees the end of its input; one that goes on gets SIGTERM, then
 * SIGKILL. */
#include "base/alloc.h"
#include "posix/conn.h"
#include "posix/loop_inner.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TAIL_MAX = 512, /* of what it says on its standard error */
    HANDLES = 3
};

struct rj_child {
    uv_process_t process;
    uv_pipe_t errors;
    uv_timer_t begin; /* from the loop, as everything is */
    LIST_ENTRY(rj_child) link;
    struct rj_loop *loop;
    struct rj_conn *conn; /* NULL: gone */
    bool exited;
    bool waited_for;           /* the connection's handle is closed */
    unsigned open;             /* handles */
    uint64_t term_ms, kill_ms; /* 0: not (or done) */
    size_t len;
    char tail[TAIL_MAX + 1];
};

/* ---- what it says */

static void add_tail(struct rj_child *child, const char *text, size_t len)
{
    if (len > TAIL_MAX / 2) {
        text += len - TAIL_MAX / 2;
        len = TAIL_MAX / 2;
    }
    if (child->len + len > TAIL_MAX) {
        size_t drop = child->len + len - TAIL_MAX;

        memmove(child->tail, child->tail + drop, child->len - drop);
        child->len -= drop;
    }
    memcpy(child->tail + child->len, text, len);
    child->len += len;
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
    struct rj_child *child = handle->data;

    (void)size;
    *ret = uv_buf_init((char *)child->loop->read_buf, sizeof(child->loop->read_buf));
}

static void on_errors(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct rj_child *child = stream->data;

    if (len > 0)
        add_tail(child, buf->base, (size_t)len);
    else if (len < 0)
        (void)uv_read_stop(stream);
}

/* What is left in the pipe; others may hold it open, so its end is not waited for. */
static void drain_errors(struct rj_child *child)
{
    char buf[TAIL_MAX];
    uv_os_fd_t fd;
    ssize_t n;

    if (uv_fileno((uv_handle_t *)&child->errors, &fd) != 0)
        return;
    for (int i = 0; i < TAIL_MAX && (n = read(fd, buf, sizeof(buf))) > 0; i++)
        add_tail(child, buf, (size_t)n);
}

/* The last line that is not empty, free of control characters. */
static const char *last_line(struct rj_child *child)
{
    char *line;

    while (child->len > 0 && (unsigned char)child->tail[child->len - 1] <= ' ')
        child->len--;
    child->tail[child->len] = '\0';
    line = strrchr(child->tail, '\n');
    line = line != NULL ? line + 1 : child->tail;
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    }
    return line;
}

/* ---- its end */

static void free_when_unused(struct rj_child *child)
{
    if (child->open > 0 || child->conn != NULL)
        return;
    LIST_REMOVE(child, link);
    free(child);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct rj_child *child = handle->data;

    child->open--;
    free_when_unused(child);
}

static void close_handles(struct rj_child *child)
{
    uv_close((uv_handle_t *)&child->process, on_handle_closed);
    uv_close((uv_handle_t *)&child->errors, on_handle_closed);
    uv_close((uv_handle_t *)&child->begin, on_handle_closed);
}

static void on_begin(uv_timer_t *timer)
{
    struct rj_child *child = timer->data;

    if (child->conn != NULL && child->conn->state == RJ_CONN_DIAL)
        rj_conn_connected(child->conn);
}

static void on_child_exit(uv_process_t *process, int64_t status, int signo)
{
    struct rj_child *child = process->data;

    (void)status, (void)signo;
    on_begin(&child->begin); /* it was quick: what it wrote is still there */
    drain_errors(child);
    child->exited = true;
    child->term_ms = child->kill_ms = 0;
    close_handles(child);
    if (child->waited_for)
        rj_conn_closed(&child->conn->uv.handle);
}

void rj_child_end(struct rj_conn *conn)
{
    struct rj_child *child = conn->child;

    if (child == NULL || child->exited || child->term_ms != 0)
        return;
    child->term_ms = rj_loop_ms() + (uint64_t)RJ_CONN_CHILD_GRACE_MS;
    child->kill_ms = child->term_ms + (uint64_t)RJ_CONN_CHILD_KILL_MS;
    rj_loop_sweep_at(conn->loop, child->term_ms);
}

bool rj_child_done(struct rj_conn *conn)
{
    struct rj_child *child = conn->child;
    const char *said;

    if (!child->exited) {
        child->waited_for = true;
        return false;
    }
    said = last_line(child);
    if (conn->err != RJ_OK && said[0] != '\0')
        (void)snprintf(conn->why, sizeof(conn->why), "%.40s: %.80s", conn->addr, said);
    conn->child = NULL;
    child->conn = NULL;
    free_when_unused(child);
    return true;
}

uint64_t rj_child_sweep_all(struct rj_loop *loop, uint64_t now_ms)
{
    struct rj_child *child;
    uint64_t next_ms = 0;

    LIST_FOREACH(child, &loop->children, link)
    {
        uint64_t at_ms = child->term_ms != 0 ? child->term_ms : child->kill_ms;

        if (at_ms == 0)
            continue;
        if (now_ms >= at_ms) {
            bool term = child->term_ms != 0;

            (void)uv_process_kill(&child->process, term ? SIGTERM : SIGKILL);
            at_ms = term ? child->kill_ms : 0;
            if (term)
                child->term_ms = 0;
            else
                child->kill_ms = 0;
        }
        if (at_ms != 0 && (next_ms == 0 || at_ms < next_ms))
            next_ms = at_ms;
    }
    return next_ms;
}

void rj_child_kill_all(struct rj_loop *loop)
{
    struct rj_child *child;

    LIST_FOREACH(child, &loop->children, link)
    {
        if (!child->exited)
            (void)uv_process_kill(&child->process, SIGKILL);
    }
}

/* ---- its beginning */

static int spawn(struct rj_child *child, const char *const *argv, int fd)
{
    char *args[RJ_CONN_ARGS_MAX + 1] = {0};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_INHERIT_FD, .data.fd = fd},
        {.flags = UV_INHERIT_FD, .data.fd = fd},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
         .data.stream = (uv_stream_t *)&child->errors},
    };
    uv_process_options_t options = {
        .exit_cb = on_child_exit, .args = args, .stdio_count = 3, .stdio = stdio};

    /* libuv's argv is not const, as execvp's is not; nobody writes to it. */
    for (size_t i = 0; i < RJ_CONN_ARGS_MAX && argv[i] != NULL; i++)
        memcpy(&args[i], &argv[i], sizeof(args[i]));
    options.file = args[0];
    return uv_spawn(&child->loop->uv, &child->process, &options);
}

static struct rj_child *child_new(struct rj_conn *conn)
{
    struct rj_child *child = rj_alloc_zero(1, sizeof(*child));

    if (child == NULL)
        return NULL;
    child->loop = conn->loop;
    child->conn = conn;
    (void)uv_pipe_init(&conn->loop->uv, &child->errors, 0);
    (void)uv_timer_init(&conn->loop->uv, &child->begin);
    child->process.data = child->errors.data = child->begin.data = child;
    child->open = HANDLES;
    LIST_INSERT_HEAD(&conn->loop->children, child, link);
    return child;
}

/* Everything that happens before the connection is there; its end of the pair is fd. */
static void start(struct rj_conn *conn, const char *const *argv, int fd)
{
    struct rj_child *child = child_new(conn);
    int status = child != NULL ? spawn(child, argv, fd) : UV_ENOMEM;

    (void)close(fd);
    if (child != NULL && status != 0) {
        child->conn = NULL;
        child->exited = true;
        close_handles(child);
    } else if (child != NULL) {
        conn->child = child;
        (void)uv_read_start((uv_stream_t *)&child->errors, on_alloc, on_errors);
        (void)uv_timer_start(&child->begin, on_begin, 0, 0);
    }
    if (status != 0)
        rj_conn_fail(conn, RJ_EUNREACH, "%s: %s: %s", conn->addr, argv[0],
                     uv_strerror(status));
}

enum rj_err rj_conn_child(struct rj_loop *loop, const char *const *argv, const char *name,
                          const struct rj_conn_options *options,
                          struct rj_conn **ret_conn)
{
    struct rj_conn *conn;
    enum rj_err err;
    int pair[2];

    if (loop->stopping)
        return RJ_ECLOSED;
    if (argv[0] == NULL)
        return RJ_EINVAL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return RJ_EIO;
    err = rj_conn_make(loop, options, true, &conn);
    if (err != RJ_OK || uv_pipe_open(&conn->uv.pipe, pair[0]) != 0) {
        (void)close(pair[0]);
        (void)close(pair[1]);
        if (err == RJ_OK) {
            rj_conn_fail(conn, RJ_EIO, "cannot open the pipe");
            *ret_conn = conn;
        }
        return err;
    }
    conn->info.is_client = !options->tls_server;
    (void)snprintf(conn->addr, sizeof(conn->addr), "%s", name);
    start(conn, argv, pair[1]);
    *ret_conn = conn;
    return RJ_OK;
}
