/* SPDX-License-Identifier: Apache-2.0 */
/* A closed loop: the next round is sent when the last one is answered, so what is
 * measured is what one program at this machine sees, not what the node could serve. */
#include "cli/bench.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 256 * 1024, PORT_TEXT = 8 };

uint64_t rj_bench_now_ns(void)
{
    struct timespec ts = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

void rj_bench_note(struct rj_bench_row *row, uint64_t begun_ns, uint64_t commands)
{
    uint64_t ns = rj_bench_now_ns() - begun_ns;

    row->count += commands;
    row->took_ns += ns;
    if (row->n_ns < RJ_BENCH_SAMPLES)
        row->ns[row->n_ns++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

uint64_t rj_bench_permille(struct rj_bench_row *row, unsigned permille)
{
    if (row->n_ns == 0)
        return 0;
    qsort(row->ns, row->n_ns, sizeof(row->ns[0]), compare);
    return row->ns[(row->n_ns - 1) * permille / 1000];
}

uint64_t rj_bench_per_second(const struct rj_bench_row *row)
{
    return row->took_ns > 0
               ? (uint64_t)((double)row->count * 1e9 / (double)row->took_ns + 0.5)
               : 0;
}

/* ---- client */

enum rj_err rj_bench_open(struct rj_bench_client *c, const char *host, unsigned port)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    char service[PORT_TEXT];
    struct addrinfo *a = NULL;

    (void)snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(host, service, &hints, &a) != 0) {
        (void)snprintf(c->why, sizeof(c->why), "%.100s is no address", host);
        return RJ_EUNREACH;
    }
    c->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, a->ai_addr, a->ai_addrlen) != 0) {
        (void)snprintf(c->why, sizeof(c->why), "%.100s:%u: %s", host, port,
                       strerror(errno));
        rj_bench_close(c);
    }
    freeaddrinfo(a);
    return c->fd >= 0 ? RJ_OK : RJ_EUNREACH;
}

void rj_bench_close(struct rj_bench_client *c)
{
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
    rj_buf_done(&c->in);
}

void rj_bench_put(struct rj_buf *out, const char *const *words, size_t n)
{
    rj_buf_printf(out, "*%zu\r\n", n);
    for (size_t i = 0; i < n; i++)
        rj_buf_printf(out, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]);
}

static bool send_all(int fd, struct rj_bytes b)
{
    while (b.len > 0) {
        ssize_t n = send(fd, b.ptr, b.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        b = rj_bytes_skip(b, (size_t)n);
    }
    return true;
}

/* Bytes of the reply at the start of in; 0: it is not whole yet. Only what the commands
 * of a bench answer: lines, strings, and arrays of numbers (elements count as replies:
 * *ret_more). */
static size_t whole_reply(struct rj_bytes in, size_t *ret_more)
{
    const uint8_t *end = in.len > 0 ? memchr(in.ptr, '\n', in.len) : NULL;
    size_t line = end != NULL ? (size_t)(end - in.ptr) + 1 : 0;
    unsigned long long n;

    *ret_more = 0;
    if (line == 0 || (in.ptr[0] != '$' && in.ptr[0] != '*'))
        return line;
    if (line < 3 || in.ptr[1] == '-')
        return line;
    n = strtoull((const char *)in.ptr + 1, NULL, 10);
    if (in.ptr[0] == '*') {
        *ret_more = n < READ_SIZE ? (size_t)n : 0;
        return line;
    }
    return n < in.len && in.len - line >= n + 2 ? line + (size_t)n + 2 : 0;
}

/* Takes the replies that are there. RJ_EGAP: more must come. */
static enum rj_err take(struct rj_bench_client *c, size_t *left, int64_t *ret_last)
{
    size_t off = 0, more;
    enum rj_err err = RJ_OK;

    while (*left > 0 && err == RJ_OK) {
        struct rj_bytes rest = rj_bytes_skip(rj_buf_view(&c->in), off);
        size_t used = whole_reply(rest, &more);

        if (used == 0) {
            err = RJ_EGAP;
        } else if (rest.ptr[0] == '-') {
            (void)snprintf(c->why, sizeof(c->why), "%.*s", (int)(used > 3 ? used - 3 : 0),
                           (const char *)rest.ptr + 1);
            err = RJ_EIO;
        } else {
            if (ret_last != NULL && rest.ptr[0] == ':')
                *ret_last = strtoll((const char *)rest.ptr + 1, NULL, 10);
            off += used;
            *left += more;
            *left -= 1;
        }
    }
    rj_buf_consume(&c->in, off);
    return err;
}

static enum rj_err receive(struct rj_bench_client *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    uint8_t *room = rj_buf_reserve(&c->in, READ_SIZE);
    ssize_t n;

    if (room == NULL)
        return RJ_ENOMEM;
    n = recv(c->fd, room, READ_SIZE, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        int ready = poll(&p, 1, RJ_BENCH_REPLY_MS);

        return ready != 0 ? RJ_OK : RJ_ETIMEOUT;
    }
    if (n <= 0) {
        (void)snprintf(c->why, sizeof(c->why), "the connection ended");
        return RJ_EIO;
    }
    rj_buf_commit(&c->in, (size_t)n);
    return RJ_OK;
}

enum rj_err rj_bench_ask(struct rj_bench_client *c, struct rj_bytes commands,
                         size_t replies, int64_t *ret_last)
{
    enum rj_err err = RJ_OK;

    if (!send_all(c->fd, commands)) {
        (void)snprintf(c->why, sizeof(c->why), "the connection ended");
        return RJ_EIO;
    }
    while (err == RJ_OK && replies > 0) {
        err = take(c, &replies, ret_last);
        if (err == RJ_EGAP)
            err = receive(c);
    }
    if (err == RJ_ETIMEOUT)
        (void)snprintf(c->why, sizeof(c->why), "no answer in time");
    return err;
}
