/* SPDX-License-Identifier: Apache-2.0 */
/* One end of a control socket. The socket does not block; every wait is a poll on it and
 * on the descriptor that calls it off, so that neither a daemon that hangs nor one that
 * reads half a request can hold the caller longer than it wants. MSG_NOSIGNAL: no SIGPIPE
 * for whoever links this. */
#include "client/wire.h"

#include "posix/why.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024, KEEP_SIZE = 1024 * 1024 };

void rj_wire_init(struct rj_wire *w, int cancel_fd)
{
    *w = (struct rj_wire){.fd = -1, .cancel_fd = cancel_fd};
    w->in.limit = RJ_MESSAGE_MAX + RJ_MESSAGE_HEAD_LEN + READ_SIZE;
}

uint64_t rj_wire_now_ms(void)
{
    struct timespec ts = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Waits until fd (-1: nothing) is ready for events. RJ_ETIMEOUT, RJ_ECANCELED, RJ_EIO. */
static enum rj_err await(const struct rj_wire *w, int fd, short events, uint64_t until_ms)
{
    struct pollfd p[] = {{.fd = w->cancel_fd, .events = POLLIN},
                         {.fd = fd, .events = events}};

    for (;;) {
        uint64_t now = rj_wire_now_ms();
        int wait = -1, n;

        if (until_ms != RJ_WIRE_NEVER)
            wait = now >= until_ms                ? 0
                   : until_ms - now < INT_MAX / 2 ? (int)(until_ms - now)
                                                  : INT_MAX / 2;
        n = poll(p, 2, wait);
        if (n < 0 && errno != EINTR)
            return RJ_EIO;
        if (n < 0 && w->interruptible)
            return RJ_ECANCELED;
        if (n > 0 && p[0].revents != 0)
            return RJ_ECANCELED;
        if (n > 0)
            return RJ_OK;
        if (n == 0 && until_ms != RJ_WIRE_NEVER && rj_wire_now_ms() >= until_ms)
            return RJ_ETIMEOUT;
    }
}

static enum rj_err connect_err(int sys_errno)
{
    switch (sys_errno) {
    case ENOENT:
    case ECONNREFUSED:
    case ENOTDIR:
        return RJ_ENODAEMON;
    case EACCES:
    case EPERM:
        return RJ_EDENIED;
    default:
        return RJ_EIO;
    }
}

/* A Unix socket whose backlog is full says EAGAIN: try again a little later. */
static enum rj_err connect_fd(struct rj_wire *w, int fd, const struct sockaddr_un *addr,
                              uint64_t until_ms)
{
    while (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0) {
        uint64_t now = rj_wire_now_ms();
        enum rj_err err;

        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return connect_err(errno);
        if (now >= until_ms)
            return RJ_ETIMEOUT;
        err = await(w, -1, 0, now + RJ_WIRE_RETRY_MS);
        if (err != RJ_ETIMEOUT)
            return err;
    }
    return RJ_OK;
}

enum rj_err rj_wire_connect(struct rj_wire *w, const char *path, uint64_t until_ms,
                            char *why, size_t why_len)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    enum rj_err err;
    int fd;

    if (len == 0 || len >= sizeof(addr.sun_path)) {
        rj_why_set(why, why_len, "the socket's path is too long: %s", path);
        return RJ_ELIMIT;
    }
    memcpy(addr.sun_path, path, len);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        rj_why_set(why, why_len, "%s", strerror(errno));
        return RJ_EIO;
    }
    err = connect_fd(w, fd, &addr, until_ms);
    if (err != RJ_OK) {
        rj_why_set(why, why_len, "%s: %s", path,
                   err == RJ_ETIMEOUT || err == RJ_ECANCELED ? rj_err_text(err)
                                                             : strerror(errno));
        (void)close(fd);
        return err;
    }
    rj_wire_close(w);
    w->fd = fd;
    return RJ_OK;
}

void rj_wire_close(struct rj_wire *w)
{
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = -1;
    rj_buf_clear(&w->in);
    w->used = 0;
}

void rj_wire_done(struct rj_wire *w)
{
    rj_wire_close(w);
    rj_buf_done(&w->in);
    rj_buf_done(&w->out);
}

bool rj_wire_is_stale(const struct rj_wire *w)
{
    char c;
    ssize_t n = recv(w->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static enum rj_err send_all(struct rj_wire *w, struct rj_bytes b, uint64_t until_ms)
{
    while (b.len > 0) {
        ssize_t n = send(w->fd, b.ptr, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            b = rj_bytes_skip(b, (size_t)n);
        } else if (n < 0 && errno == EAGAIN) {
            enum rj_err err = await(w, w->fd, POLLOUT, until_ms);

            if (err != RJ_OK)
                return err;
        } else if (n == 0 || errno != EINTR) {
            return RJ_ECLOSED;
        }
    }
    return RJ_OK;
}

enum rj_err rj_wire_send(struct rj_wire *w, const char *verb, struct rj_bytes args,
                         uint64_t until_ms, uint64_t *ret_id)
{
    const struct rj_message_request m = {
        .id = ++w->last_id, .verb = rj_bytes_from_str(verb), .args = args};
    enum rj_err err;

    rj_buf_clear(&w->out);
    err = rj_message_put_request(&w->out, &m);
    if (err == RJ_OK)
        err = send_all(w, rj_buf_view(&w->out), until_ms);
    if (w->out.cap > KEEP_SIZE)
        rj_buf_done(&w->out);
    if (err == RJ_OK)
        *ret_id = m.id;
    return err;
}

/* Reads some more. */
static enum rj_err receive(struct rj_wire *w, uint64_t until_ms)
{
    uint8_t *room = rj_buf_reserve(&w->in, READ_SIZE);
    enum rj_err err;
    ssize_t n;

    if (room == NULL)
        return rj_buf_err(&w->in);
    err = await(w, w->fd, POLLIN, until_ms);
    if (err != RJ_OK)
        return err;
    n = recv(w->fd, room, READ_SIZE, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return RJ_OK;
    if (n <= 0)
        return RJ_ECLOSED;
    rj_buf_commit(&w->in, (size_t)n);
    return RJ_OK;
}

enum rj_err rj_wire_next(struct rj_wire *w, uint64_t until_ms,
                         struct rj_message_reply *ret)
{
    struct rj_bytes item;
    enum rj_err err;

    rj_buf_consume(&w->in, w->used);
    w->used = 0;
    while ((err = rj_message_next(rj_buf_view(&w->in), &item, &w->used)) == RJ_EGAP) {
        w->used = 0;
        err = receive(w, until_ms);
        if (err != RJ_OK)
            return err;
    }
    return err == RJ_OK ? rj_message_reply(item, ret) : err;
}
