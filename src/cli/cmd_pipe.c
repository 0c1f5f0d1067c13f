/* SPDX-License-Identifier: Apache-2.0 */
/* pipe: what `ssh HOST rejoin pipe` runs. Copies between standard input and output and
 * the daemon's socket for peers, both ways, and says nothing itself. The two ends run
 * their TLS through it, so it sees and can change nothing. It ends when the daemon
 * closes, or when there is no more input and the daemon has answered what there was. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

/* One direction: bytes that were read and not yet written. */
struct way {
    int from, to;
    size_t at, len;
    bool ended; /* no more input */
    uint8_t buf[PIECE];
};

static int open_socket(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(addr.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
        int saved = errno;

        (void)close(fd);
        errno = saved;
        return -1;
    }
    if (fd >= 0) /* a slow daemon must not keep its own answers from getting out */
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Moves what it can after poll said so. False: the other side does not read any more. */
static bool move(struct way *w, bool readable, bool writable)
{
    ssize_t n;

    if (readable && w->len == 0) {
        n = read(w->from, w->buf, sizeof(w->buf));
        if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
            w->ended = true;
        if (n > 0) {
            w->at = 0;
            w->len = (size_t)n;
            writable = true; /* tried at once: usually there is room */
        }
    }
    if (writable && w->len > 0) {
        n = write(w->to, w->buf + w->at, w->len);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (n > 0) {
            w->at += (size_t)n;
            w->len -= (size_t)n;
        }
    }
    return true;
}

static void copy(struct way *in, struct way *out)
{
    bool told = false; /* the daemon, that no more will come */

    while (!out->ended || out->len > 0) {
        struct pollfd p[4] = {
            {.fd = in->len == 0 && !in->ended ? in->from : -1, .events = POLLIN},
            {.fd = in->len > 0 ? in->to : -1, .events = POLLOUT},
            {.fd = out->len == 0 && !out->ended ? out->from : -1, .events = POLLIN},
            {.fd = out->len > 0 ? out->to : -1, .events = POLLOUT},
        };

        if (poll(p, 4, -1) < 0 && errno != EINTR)
            return;
        if (!move(in, p[0].revents != 0, p[1].revents != 0) ||
            !move(out, p[2].revents != 0, p[3].revents != 0))
            return;
        if (in->ended && in->len == 0 && !told) {
            told = true;
            (void)shutdown(in->to, SHUT_WR);
        }
    }
}

int rj_cmd_pipe(struct rj_cli *cli)
{
    static struct way in, out; /* too large for the stack of some systems */
    int fd = open_socket(cli->home.peer_socket);

    if (fd < 0) { /* one line and no hint: the other end shows the last line */
        bool down = errno == ENOENT || errno == ECONNREFUSED;

        (void)fprintf(stderr, "rejoin: %s (%s)\n",
                      down ? "the daemon is not running there" : strerror(errno),
                      cli->home.peer_socket);
        return rj_err_exit(down ? RJ_ENODAEMON : RJ_EIO);
    }
    in.from = STDIN_FILENO;
    in.to = fd;
    out.from = fd;
    out.to = STDOUT_FILENO;
    copy(&in, &out);
    (void)close(fd);
    return 0;
}
