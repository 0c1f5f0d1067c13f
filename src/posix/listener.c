/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting, with three limits, so that strangers cannot starve the peers: so many
 * accepts in one turn, so many handshakes at one time, so many connections. At the second
 * one the oldest handshake makes room, once it had time enough for an honest peer: who
 * connects and says nothing keeps nobody out. A connection that has to wait is left with
 * libuv, which then asks the kernel for no more until it is taken.
 *
 * A Unix socket is safe by its directory, which only this user can enter; its own mode
 * and the check of the peer's user (SO_PEERCRED) come on top. One that was inherited
 * (socket activation) is safe by that check, wherever its opener has put it. */
#include "base/alloc.h"
#include "posix/conn.h"
#include "posix/file.h"
#include "posix/loop_inner.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static const struct rj_conn_options defaults = {
    .conns_max = RJ_LISTENER_CONNS_MAX,
    .half_max = RJ_LISTENER_HALF_MAX,
    .turn_max = RJ_LISTENER_TURN_MAX,
};

/* ---- accepting */

/* Room for another handshake? If not, and none is old enough to go, false. */
static bool make_half_room(struct rj_listener *listener)
{
    struct rj_conn *oldest = TAILQ_FIRST(&listener->half);
    uint64_t free_ms;

    if (listener->options.tls == NULL ||
        listener->stats.half < listener->options.half_max)
        return true;
    free_ms = oldest->since_ms + RJ_LISTENER_HALF_MIN_MS;
    if (rj_loop_ms() < free_ms) {
        rj_loop_sweep_at(listener->loop, free_ms);
        return false;
    }
    rj_conn_fail(oldest, RJ_ETIMEOUT, "made room for another handshake");
    return true;
}

/* Who is at the other end of a Unix socket. */
static bool read_cred(struct rj_conn *conn)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    uv_os_fd_t fd;

    if (uv_fileno(&conn->uv.handle, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return false;
    conn->info.has_cred = true;
    conn->info.uid = cred.uid;
    conn->info.gid = cred.gid;
    conn->info.pid = cred.pid;
    return cred.uid == geteuid() || cred.uid == 0;
}

/* conn has a socket: counts it, checks it, lets it begin. */
static void welcome(struct rj_listener *listener, struct rj_conn *conn)
{
    if (listener->stats.conns > listener->options.conns_max) {
        listener->stats.refused++;
        rj_conn_fail(conn, RJ_ELIMIT, "too many connections");
        return;
    }
    if (listener->is_unix && !read_cred(conn)) {
        listener->stats.refused++;
        rj_conn_fail(conn, RJ_EDENIED, "another user");
        return;
    }
    if (listener->is_unix)
        (void)snprintf(conn->addr, sizeof(conn->addr), "%s", listener->path);
    if (listener->options.tls != NULL) {
        conn->in_half = true;
        listener->stats.half++;
        TAILQ_INSERT_TAIL(&listener->half, conn, half_link);
    }
    rj_conn_connected(conn);
}

/* Takes the one connection that libuv offers; false: it has to wait. */
static bool take(struct rj_listener *listener)
{
    struct rj_conn *conn;

    if (listener->this_turn >= listener->options.turn_max) {
        rj_loop_again(listener->loop);
        return false;
    }
    if (!make_half_room(listener))
        return false;
    if (rj_conn_make(listener->loop, &listener->options, listener->is_unix, &conn) !=
        RJ_OK) {
        rj_loop_sweep_at(listener->loop, rj_loop_ms() + RJ_CONN_SWEEP_MS);
        return false;
    }
    listener->this_turn++;
    listener->refs++;
    listener->stats.conns++;
    listener->stats.accepted++;
    conn->listener = listener;
    if (uv_accept(&listener->uv.stream, &conn->uv.stream) != 0)
        rj_conn_fail(conn, RJ_EIO, "cannot accept");
    else
        welcome(listener, conn);
    return true;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct rj_listener *listener = stream->data;

    if (status == 0 && !listener->deaf)
        listener->held = !take(listener);
}

void rj_listener_next_turn(struct rj_loop *loop)
{
    struct rj_listener *listener;

    for (listener = LIST_FIRST(&loop->listeners); listener != NULL;
         listener = LIST_NEXT(listener, link)) {
        listener->this_turn = 0;
        if (!listener->held || listener->deaf)
            continue;
        listener->held = !take(listener);
        if (!listener->held)
            rj_loop_again(loop); /* what it did wants a flush */
    }
}

/* ---- what the connections report */

void rj_listener_half_done(struct rj_conn *conn)
{
    if (!conn->in_half)
        return;
    conn->in_half = false;
    conn->listener->stats.half--;
    TAILQ_REMOVE(&conn->listener->half, conn, half_link);
}

void rj_listener_conn_dead(struct rj_conn *conn)
{
    if (conn->listener == NULL)
        return;
    if (conn->in_half)
        conn->listener->stats.refused++;
    rj_listener_half_done(conn);
    conn->listener->stats.conns--;
}

static void free_when_unused(struct rj_listener *listener)
{
    if (listener->freed && listener->closed && listener->refs == 0)
        free(listener);
}

void rj_listener_conn_gone(struct rj_conn *conn)
{
    if (conn->listener == NULL)
        return;
    conn->listener->refs--;
    free_when_unused(conn->listener);
}

/* ---- beginning and end */

static void on_listener_closed(uv_handle_t *handle)
{
    struct rj_listener *listener = handle->data;

    listener->closed = true;
    free_when_unused(listener);
}

void rj_listener_mute(struct rj_listener *listener)
{
    if (listener->deaf)
        return;
    listener->deaf = true;
    listener->held = false;
    uv_close(&listener->uv.handle, on_listener_closed);
}

void rj_listener_close(struct rj_listener *listener)
{
    if (listener == NULL)
        return;
    LIST_REMOVE(listener, link);
    rj_listener_mute(listener);
    listener->freed = true;
    free_when_unused(listener);
}

static enum rj_err make(struct rj_loop *loop, const struct rj_conn_options *options,
                        bool is_unix, struct rj_listener **ret_listener)
{
    struct rj_listener *listener;

    if (loop->stopping)
        return RJ_ECLOSED;
    listener = rj_alloc_zero(1, sizeof(*listener));
    if (listener == NULL)
        return RJ_ENOMEM;
    listener->loop = loop;
    listener->options = *options;
    listener->is_unix = is_unix;
    if (options->conns_max == 0)
        listener->options.conns_max = defaults.conns_max;
    if (options->half_max == 0)
        listener->options.half_max = defaults.half_max;
    if (options->turn_max == 0)
        listener->options.turn_max = defaults.turn_max;
    TAILQ_INIT(&listener->half);
    LIST_INSERT_HEAD(&loop->listeners, listener, link);
    if (is_unix)
        (void)uv_pipe_init(&loop->uv, &listener->uv.pipe, 0);
    else
        (void)uv_tcp_init(&loop->uv, &listener->uv.tcp);
    listener->uv.handle.data = listener;
    *ret_listener = listener;
    return RJ_OK;
}

/* The last step of both kinds; a listener that failed is closed. */
static enum rj_err finish(struct rj_listener *listener, enum rj_err err,
                          struct rj_listener **ret_listener)
{
    int status;

    if (err == RJ_OK) {
        status = uv_listen(&listener->uv.stream, BACKLOG, on_connection);
        if (status != 0)
            err = status == UV_EADDRINUSE ? RJ_EBUSY : RJ_EIO;
    }
    if (err != RJ_OK)
        rj_listener_close(listener);
    else
        *ret_listener = listener;
    return err;
}

/* ---- TCP */

static enum rj_err bind_err(int sys_errno)
{
    switch (sys_errno) {
    case EADDRINUSE:
        return RJ_EBUSY;
    case EACCES:
        return RJ_EDENIED;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return RJ_EINVAL;
    default:
        return RJ_EIO;
    }
}

/* A socket bound to addr. */
static enum rj_err bind_tcp(const struct sockaddr *addr, socklen_t len, int *ret_fd)
{
    static const int off = 0, on = 1;
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enum rj_err err;

    if (fd < 0)
        return bind_err(errno);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (addr->sa_family == AF_INET6) /* "::" means IPv4 as well */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, addr, len) != 0) {
        err = bind_err(errno);
        (void)close(fd);
        return err;
    }
    *ret_fd = fd;
    return RJ_OK;
}

/* A socket bound to host, which is waited for if it is a name. */
static enum rj_err bind_host(const char *host, uint16_t port, int *ret_fd)
{
    static const struct addrinfo hints = {
        .ai_flags = AI_NUMERICSERV | AI_PASSIVE,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *list = NULL;
    enum rj_err err = RJ_EINVAL;
    char service[8];

    (void)snprintf(service, sizeof(service), "%u", (unsigned int)port);
    if (getaddrinfo(host, service, &hints, &list) != 0)
        return RJ_EINVAL;
    for (const struct addrinfo *a = list; a != NULL && err == RJ_EINVAL; a = a->ai_next)
        err = bind_tcp(a->ai_addr, a->ai_addrlen, ret_fd);
    freeaddrinfo(list);
    return err;
}

static uint16_t bound_port(const uv_tcp_t *tcp)
{
    struct sockaddr_storage addr = {0};
    int len = sizeof(addr);

    if (uv_tcp_getsockname(tcp, (struct sockaddr *)&addr, &len) != 0)
        return 0;
    return ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
                                            : ((struct sockaddr_in *)&addr)->sin_port);
}

enum rj_err rj_listener_tcp(struct rj_loop *loop, const char *host, uint16_t port,
                            const struct rj_conn_options *options,
                            struct rj_listener **ret_listener)
{
    struct rj_listener *listener;
    int fd = -1;
    enum rj_err err = make(loop, options, false, &listener);

    if (err != RJ_OK)
        return err;
    if (host != NULL && host[0] != '\0')
        err = bind_host(host, port, &fd);
    else if ((err = bind_host("::", port, &fd)) == RJ_EINVAL)
        err = bind_host("0.0.0.0", port, &fd);
    if (err == RJ_OK && uv_tcp_open(&listener->uv.tcp, fd) != 0) {
        (void)close(fd);
        err = RJ_EIO;
    }
    if (err == RJ_OK)
        listener->port = bound_port(&listener->uv.tcp);
    return finish(listener, err, ret_listener);
}

/* ---- Unix */

/* Does somebody answer at path? Removes a socket where nobody does. */
static enum rj_err clear_path(const struct sockaddr_un *addr)
{
    struct stat st;
    enum rj_err err = RJ_EBUSY;
    int fd;

    if (lstat(addr->sun_path, &st) != 0)
        return errno == ENOENT ? RJ_OK : rj_file_err(errno);
    if (!S_ISSOCK(st.st_mode))
        return RJ_EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return RJ_EIO;
    if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0 &&
        errno == ECONNREFUSED)
        err = unlink(addr->sun_path) == 0 ? RJ_OK : rj_file_err(errno);
    (void)close(fd);
    return err;
}

/* Makes the directory of path, or checks that it is this user's alone. */
static enum rj_err private_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = ".";
    enum rj_err err;

    if (slash != NULL)
        (void)snprintf(dir, sizeof(dir), "%.*s", slash > path ? (int)(slash - path) : 1,
                       path);
    err = rj_file_mkdirs(dir, 0700, NULL, 0);
    return err == RJ_OK ? rj_file_private(dir, NULL, 0) : err;
}

static enum rj_err bind_unix(struct rj_listener *listener, const struct sockaddr_un *addr)
{
    enum rj_err err = private_dir(addr->sun_path);

    if (err == RJ_OK)
        err = clear_path(addr);
    if (err != RJ_OK)
        return err;
    if (uv_pipe_bind(&listener->uv.pipe, addr->sun_path) != 0)
        return RJ_EIO;
    return chmod(addr->sun_path, 0600) == 0 ? RJ_OK : rj_file_err(errno);
}

enum rj_err rj_listener_unix(struct rj_loop *loop, const char *path,
                             const struct rj_conn_options *options,
                             struct rj_listener **ret_listener)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct rj_listener *listener;
    size_t len = strlen(path);
    enum rj_err err;

    if (len == 0 || len >= sizeof(addr.sun_path))
        return len == 0 ? RJ_EINVAL : RJ_ELIMIT;
    memcpy(addr.sun_path, path, len);
    err = make(loop, options, true, &listener);
    if (err != RJ_OK)
        return err;
    memcpy(listener->path, path, len);
    return finish(listener, bind_unix(listener, &addr), ret_listener);
}

/* ---- opened by somebody else */

enum rj_err rj_listener_given(struct rj_loop *loop, int fd,
                              const struct rj_conn_options *options,
                              struct rj_listener **ret_listener)
{
    struct sockaddr_un addr = {0};
    socklen_t len = sizeof(addr);
    struct rj_listener *listener;
    enum rj_err err;
    int status;

    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
        return RJ_EINVAL;
    if (addr.sun_family != AF_UNIX && addr.sun_family != AF_INET &&
        addr.sun_family != AF_INET6)
        return RJ_EINVAL;
    err = make(loop, options, addr.sun_family == AF_UNIX, &listener);
    if (err != RJ_OK)
        return err;
    if (listener->is_unix) {
        (void)snprintf(listener->path, sizeof(listener->path), "%.*s",
                       (int)sizeof(addr.sun_path), addr.sun_path);
        status = uv_pipe_open(&listener->uv.pipe, fd);
    } else {
        status = uv_tcp_open(&listener->uv.tcp, fd);
        listener->port = status == 0 ? bound_port(&listener->uv.tcp) : 0;
    }
    return finish(listener, status == 0 ? RJ_OK : RJ_EINVAL, ret_listener);
}

/* ---- what it is */

uint16_t rj_listener_port(const struct rj_listener *listener)
{
    return listener->port;
}

struct rj_listener_stats rj_listener_stats(const struct rj_listener *listener)
{
    return listener->stats;
}
