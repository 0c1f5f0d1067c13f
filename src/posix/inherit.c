/* SPDX-License-Identifier: Apache-2.0 */
/* Socket activation (sd_listen_fds(3), without its library): descriptors from 3 on, their
 * number in LISTEN_FDS, their names, separated by colons, in LISTEN_FDNAMES, all meant
 * for the process LISTEN_PID. What is not understood is refused: a node that silently
 * listens elsewhere than where it was put is worse than one that does not start. */
#include "posix/inherit.h"

#include "base/bytes.h"
#include "posix/why.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char *const names[RJ_INHERIT_COUNT] = {
    [RJ_INHERIT_CONTROL] = "control",
    [RJ_INHERIT_PEER] = "peer",
    [RJ_INHERIT_RESP] = "resp",
};

static int option(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

/* What the socket called name is for; RJ_INHERIT_COUNT: unknown. */
static enum rj_inherit purpose(int fd, struct rj_bytes name)
{
    for (int i = 0; i < RJ_INHERIT_COUNT; i++) {
        if (rj_bytes_equal(name, rj_bytes_from_str(names[i])))
            return (enum rj_inherit)i;
    }
    return option(fd, SO_DOMAIN) == AF_UNIX ? RJ_INHERIT_CONTROL : RJ_INHERIT_COUNT;
}

/* Takes the socket fd, called name. */
static enum rj_err take(int fd, struct rj_bytes name, struct rj_inherited *in, char *why,
                        size_t why_len)
{
    enum { SHOWN = 64 };
    enum rj_inherit what;

    if (option(fd, SO_TYPE) != SOCK_STREAM || option(fd, SO_ACCEPTCONN) != 1) {
        rj_why_set(why, why_len, "the inherited descriptor %d is no listening socket",
                   fd);
        return RJ_EINVAL;
    }
    what = purpose(fd, name);
    if (what == RJ_INHERIT_COUNT || in->fd[what] != 0) {
        rj_why_set(why, why_len,
                   what == RJ_INHERIT_COUNT
                       ? "the inherited socket \"%.*s\" is none of control, peer, resp"
                       : "there are two inherited sockets \"%.*s\"",
                   (int)rj_bytes_first(name, SHOWN).len, (const char *)name.ptr);
        return RJ_EINVAL;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    in->fd[what] = fd;
    return RJ_OK;
}

enum rj_err rj_inherit_take(rj_dirs_env_fn *env, pid_t pid, char *why, size_t why_len,
                            struct rj_inherited *ret)
{
    const char *whose = env("LISTEN_PID"), *count = env("LISTEN_FDS"), *list;
    struct rj_inherited in = {0};
    enum rj_err err = RJ_OK;
    char own[24], *end;
    long n;

    (void)snprintf(own, sizeof(own), "%ld", (long)pid);
    if (whose == NULL || count == NULL || strcmp(whose, own) != 0) {
        *ret = in; /* meant for somebody else */
        return RJ_OK;
    }
    n = strtol(count, &end, 10);
    if (end == count || *end != '\0' || n < 0 || n > RJ_INHERIT_MAX) {
        rj_why_set(why, why_len, "LISTEN_FDS is not 0 to %d", RJ_INHERIT_MAX);
        return RJ_EINVAL;
    }
    list = env("LISTEN_FDNAMES");
    if (list == NULL)
        list = "";
    for (int fd = RJ_INHERIT_FIRST; err == RJ_OK && fd < RJ_INHERIT_FIRST + n; fd++) {
        size_t len = strcspn(list, ":");

        err = take(fd, rj_bytes_of(list, len), &in, why, why_len);
        list += list[len] == ':' ? len + 1 : len;
    }
    if (err == RJ_OK)
        *ret = in;
    return err;
}

uint16_t rj_inherit_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } addr = {0};
    socklen_t len = sizeof(addr);

    if (getsockname(fd, &addr.any, &len) != 0)
        return 0;
    if (addr.any.sa_family == AF_INET)
        return ntohs(addr.v4.sin_port);
    return addr.any.sa_family == AF_INET6 ? ntohs(addr.v6.sin6_port) : 0;
}
