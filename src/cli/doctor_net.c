/* SPDX-License-Identifier: Apache-2.0 */
/* Ports, as somebody who connects sees them, and names, as the resolver answers. Both may
 * take long when something is wrong, so each has a limit; names are looked up in a
 * process of their own, since getaddrinfo(3) knows none. */
#include "cli/doctor.h"
#include "driver/ticket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PORT_TEXT = 8, REPLY = 64 };

/* ---- ports */

static struct addrinfo *numeric(const char *host, unsigned port)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    char service[PORT_TEXT];
    struct addrinfo *list = NULL;

    (void)snprintf(service, sizeof(service), "%u", port);
    return getaddrinfo(host, service, &hints, &list) == 0 ? list : NULL;
}

static bool wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, RJ_DOCTOR_PROBE_MS) == 1;
}

/* A connection, or -1: *ret_why says why not. */
static int dial(const char *host, unsigned port, const char **ret_why)
{
    struct addrinfo *a = numeric(host, port);
    socklen_t len = sizeof(int);
    int fd = -1, err = 0;

    *ret_why = "no such address";
    if (a == NULL)
        return -1;
    fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0)
        err = errno;
    if (fd < 0)
        err = errno;
    else if (err == EINPROGRESS &&
             (!wait_for(fd, POLLOUT) ||
              getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0))
        err = ETIMEDOUT;
    freeaddrinfo(a);
    if (err == 0)
        return fd;
    *ret_why = strerror(err);
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* Whether another program has the port; for a daemon that does not run. */
static void look_whether_free(struct rj_doctor *d, const char *key)
{
    unsigned port = (unsigned)rj_config_uint(&d->config, key);
    const char *why = "";
    int fd = port != 0 ? dial("127.0.0.1", port, &why) : -1;

    if (fd < 0)
        return;
    (void)close(fd);
    rj_doctor_add(d, key, RJ_DOCTOR_FAIL, "another program has port %u", port);
    rj_doctor_fix(d, "rejoin config set %s PORT", key);
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "localhost") == 0;
}

/* The addresses that others are told: each must answer at least from here. */
static void look_at_peer_port(struct rj_doctor *d)
{
    uint64_t port = rj_cli_uint(d->status, "port_peer");
    struct rj_bytes list = {0}, item;
    char text[RJ_ADDRESS_MAX + 1], good[RJ_ADDRESS_MAX + 1] = "";
    struct rj_ticket_endpoint e;
    size_t pos = 0, count = 0;

    if (port == 0) {
        rj_doctor_add(d, "port.peer", RJ_DOCTOR_GOOD, "none: it dials, nobody dials it");
        return;
    }
    (void)rj_doc_find(d->status, "addresses", &list);
    while (rj_doc_next(list, &pos, &item)) {
        const char *why = "";
        int fd = -1;

        (void)rj_cli_plain(item, text, sizeof(text));
        if (rj_ticket_endpoint(rj_bytes_from_str(text), RJ_TICKET_PORT, &e) != RJ_OK)
            continue;
        fd = dial(e.host, e.port, &why);
        if (fd >= 0) {
            (void)close(fd);
            (void)snprintf(good, sizeof(good), "%s", text);
            count++;
        } else if (strcmp(why, "no such address") != 0) { /* a name: looked up below */
            rj_doctor_add(d, "port.peer", RJ_DOCTOR_WARN,
                          "others are told %.100s, which does not answer here: %s", text,
                          why);
            rj_doctor_fix(d, "rejoin config set listen.address HOST:%llu",
                          (unsigned long long)port);
        }
    }
    if (count > 0)
        rj_doctor_add(d, "port.peer", RJ_DOCTOR_GOOD, "%.100s answers%s", good,
                      count > 1 ? ", and so do the others that are told" : "");
}

/* What a Redis client gets. */
static void look_at_redis_port(struct rj_doctor *d)
{
    unsigned port = (unsigned)rj_cli_uint(d->status, "port_resp");
    char host[RJ_TICKET_HOST_MAX + 1], reply[REPLY] = "";
    const char *why = "it does not answer";
    ssize_t n = 0;
    int fd;

    if (port == 0) {
        rj_doctor_add(d, "port.resp", RJ_DOCTOR_GOOD, "none: no Redis clients");
        return;
    }
    (void)rj_cli_text(d->doctor, "listen_resp", host, sizeof(host));
    if (host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        (void)snprintf(host, sizeof(host), "127.0.0.1");
    fd = dial(host, port, &why);
    if (fd >= 0) {
        if (send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 && wait_for(fd, POLLIN))
            n = recv(fd, reply, sizeof(reply) - 1, 0);
        (void)close(fd);
        why = "what answers does not speak the Redis protocol";
    }
    if (n > 0 && (reply[0] == '+' || reply[0] == '-')) {
        rj_doctor_add(d, "port.resp", RJ_DOCTOR_GOOD, "%s:%u answers", host, port);
        return;
    }
    rj_doctor_add(d, "port.resp", RJ_DOCTOR_FAIL, "%s:%u: %s", host, port, why);
    rj_doctor_fix(d, "rejoin down; rejoin up");
}

/* Redis clients from elsewhere are let into no bucket without a token. */
static void look_at_tokens(struct rj_doctor *d)
{
    char host[RJ_TICKET_HOST_MAX + 1], name[RJ_NAME_MAX + 1];
    struct rj_bytes list = {0}, item;
    size_t pos = 0;

    (void)rj_cli_text(d->doctor, "listen_resp", host, sizeof(host));
    if (rj_cli_uint(d->status, "port_resp") == 0 || is_loopback(host))
        return;
    (void)rj_doc_find(d->doctor, "no_token", &list);
    while (rj_doc_next(list, &pos, &item)) {
        (void)rj_cli_plain(item, name, sizeof(name));
        rj_doctor_add(d, "port.resp", RJ_DOCTOR_WARN,
                      "bucket %s has no token: it is refused to Redis clients from "
                      "elsewhere",
                      name);
        rj_doctor_fix(d, "rejoin bucket show %s --token", name);
    }
}

void rj_doctor_ports(struct rj_doctor *d)
{
    if (d->running) {
        look_at_peer_port(d);
        look_at_redis_port(d);
        look_at_tokens(d);
    } else if (d->config_read && !rj_home_locked(&d->cli->home)) {
        look_whether_free(d, "port.peer");
        look_whether_free(d, "port.resp");
    }
}

/* ---- names */

/* In a process of its own: never returns. */
static void look_up(const char *host)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;

    _exit(getaddrinfo(host, NULL, &hints, &list) == 0 ? 0 : 1);
}

/* 0 it is known, 1 it is not, -1 no answer in time. */
static int resolve(const char *host)
{
    int pipes[2], status = 0;
    pid_t pid;
    bool ended;
    struct pollfd p;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return -1;
    pid = fork();
    if (pid == 0)
        look_up(host);
    (void)close(pipes[1]);
    p = (struct pollfd){.fd = pipes[0], .events = POLLIN};
    ended = pid > 0 && poll(&p, 1, RJ_DOCTOR_NAME_MS) == 1; /* its end of the pipe went */
    (void)close(pipes[0]);
    if (pid < 0)
        return -1;
    if (!ended)
        (void)kill(pid, SIGKILL);
    if (waitpid(pid, &status, 0) != pid || !ended || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

/* Names that were looked at. */
struct names {
    char seen[RJ_DOCTOR_NAMES][RJ_TICKET_HOST_MAX + 1];
    size_t n;
};

/* One address, named in where; fix: what to type when it is not known. */
static void look_at_name(struct rj_doctor *d, struct names *names, const char *address,
                         const char *where)
{
    struct rj_ticket_endpoint e;
    struct addrinfo *a;
    int result;

    if (address[0] == '\0' || names->n == RJ_DOCTOR_NAMES ||
        rj_ticket_endpoint(rj_bytes_from_str(address), RJ_TICKET_PORT, &e) != RJ_OK)
        return;
    a = numeric(e.host, e.port);
    if (a != NULL) {
        freeaddrinfo(a);
        return;
    }
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->seen[i], e.host) == 0)
            return;
    }
    (void)snprintf(names->seen[names->n++], sizeof(names->seen[0]), "%s", e.host);
    result = resolve(e.host);
    if (result == 0) {
        rj_doctor_add(d, "names", RJ_DOCTOR_GOOD, "%.200s is known", e.host);
        return;
    }
    rj_doctor_add(d, "names", RJ_DOCTOR_WARN, "%.200s (%.80s) %s", e.host, where,
                  result > 0 ? "is not known to the resolver"
                             : "is not answered in time");
    rj_doctor_fix(d, "getent hosts %s", e.host);
}

static void look_at_peers(struct rj_doctor *d, struct names *names)
{
    struct rj_bytes list = {0}, p, addresses, item;
    char where[RJ_NAME_MAX + 32], name[RJ_NAME_MAX + 1], address[RJ_ADDRESS_MAX + 1];
    size_t pos = 0;

    (void)rj_doc_find(d->doctor, "peers", &list);
    while (rj_doc_next(list, &pos, &p)) {
        size_t at = 0;

        if (!rj_doc_find(p, "addresses", &addresses))
            continue;
        (void)snprintf(where, sizeof(where), "of peer %s",
                       rj_cli_text(p, "name", name, sizeof(name)));
        while (rj_doc_next(addresses, &at, &item))
            look_at_name(d, names, rj_cli_plain(item, address, sizeof(address)), where);
    }
}

void rj_doctor_names(struct rj_doctor *d)
{
    static const char *const keys[] = {"listen.peer", "listen.resp", "listen.address"};
    struct names names = {.n = 0};

    for (size_t i = 0; d->config_read && i < sizeof(keys) / sizeof(keys[0]); i++) {
        char value[RJ_CONFIG_VALUE_MAX + 1], *save = NULL;

        (void)snprintf(value, sizeof(value), "%s", rj_config_get(&d->config, keys[i]));
        for (char *one = strtok_r(value, ",", &save); one != NULL;
             one = strtok_r(NULL, ",", &save))
            look_at_name(d, &names, one, keys[i]);
    }
    look_at_peers(d, &names);
}
