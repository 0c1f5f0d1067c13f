/* SPDX-License-Identifier: Apache-2.0 */
/* One conversation with the daemon: connect, one request at a time, read replies until
 * the final one. Blocking, with a limit in time. */
#include "cli/cli.h"
#include "posix/why.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024, REQUEST_ID = 1 };

static const char *socket_path(struct rj_cli *cli)
{
    return cli->socket != NULL ? cli->socket : cli->home.dirs.socket;
}

enum rj_err rj_cli_connect(struct rj_cli *cli, char *why, size_t why_len)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    const char *path = socket_path(cli);
    int fd, n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);

    if (n < 0 || (size_t)n >= sizeof(addr.sun_path)) {
        rj_why_set(why, why_len, "the socket's path is too long: %s", path);
        return RJ_EINVAL;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        rj_why_set(why, why_len, "%s", strerror(errno));
        return RJ_EIO;
    }
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0) {
        cli->fd = fd;
        return RJ_OK;
    }
    rj_why_set(why, why_len, "%s: %s", path, strerror(errno));
    n = errno;
    (void)close(fd);
    if (n == ENOENT || n == ECONNREFUSED || n == ENOTDIR)
        return RJ_ENODAEMON;
    return n == EACCES || n == EPERM ? RJ_EDENIED : RJ_EIO;
}

void rj_cli_disconnect(struct rj_cli *cli)
{
    if (cli->fd >= 0)
        (void)close(cli->fd);
    cli->fd = -1;
}

uint64_t rj_cli_now_ms(void)
{
    struct timespec ts = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
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

/* Reads some more. RJ_ETIMEOUT, RJ_ECLOSED. */
static enum rj_err receive(int fd, struct rj_buf *in, uint64_t until_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t *room;
    ssize_t n;

    for (;;) {
        uint64_t now = rj_cli_now_ms();
        int wait = -1;

        if (until_ms != UINT64_MAX) {
            if (now >= until_ms)
                return RJ_ETIMEOUT;
            wait = until_ms - now < 1000 ? (int)(until_ms - now) : 1000;
        }
        n = poll(&p, 1, wait);
        if (n < 0 && errno != EINTR)
            return RJ_EIO;
        if (n > 0)
            break;
    }
    room = rj_buf_reserve(in, READ_SIZE);
    if (room == NULL)
        return rj_buf_err(in);
    n = recv(fd, room, READ_SIZE, 0);
    if (n < 0 && errno == EINTR)
        return RJ_OK;
    if (n <= 0)
        return RJ_ECLOSED;
    rj_buf_commit(in, (size_t)n);
    return RJ_OK;
}

static enum rj_err err_of_name(struct rj_bytes name)
{
    for (int e = 0; e < RJ_ERR_COUNT; e++) {
        if (rj_bytes_equal(name, rj_bytes_from_str(rj_err_name((enum rj_err)e))))
            return (enum rj_err)e;
    }
    return RJ_EIO;
}

/* Prints an error reply. Returns the exit status. */
static int say_error(struct rj_cli *cli, struct rj_bytes body)
{
    char why[RJ_CLI_WHY_MAX], hint[RJ_CLI_WHY_MAX];
    struct rj_bytes code = {0};

    (void)rj_doc_get_text(body, "code", &code);
    (void)rj_cli_text(body, "why", why, sizeof(why));
    (void)rj_cli_text(body, "hint", hint, sizeof(hint));
    return rj_cli_fail(cli, err_of_name(code), hint, "%s", why);
}

/* Handles the messages in `in`. RJ_EGAP: more must come; otherwise *ret_status is final.
 */
static enum rj_err handle(struct rj_cli *cli, struct rj_buf *in, struct rj_buf *ret_body,
                          int *ret_status)
{
    struct rj_message_reply reply;
    struct rj_bytes item;
    enum rj_err err;
    size_t used, off = 0;
    bool final = false;

    while (!final) {
        err = rj_message_next(rj_bytes_skip(rj_buf_view(in), off), &item, &used);
        if (err == RJ_OK)
            err = rj_message_reply(item, &reply);
        if (err != RJ_OK)
            break;
        final = reply.kind == RJ_MESSAGE_RESULT || reply.kind == RJ_MESSAGE_ERROR;
        if (final)
            rj_cli_progress_end(cli);
        if (reply.kind == RJ_MESSAGE_RESULT) {
            rj_buf_append(ret_body, reply.body);
            err = rj_buf_err(ret_body);
            *ret_status = 0;
        } else if (reply.kind == RJ_MESSAGE_ERROR) {
            *ret_status = say_error(cli, reply.body);
        } else if (cli->on_reply != NULL) {
            cli->on_reply(cli, &reply);
        }
        off += used;
    }
    rj_buf_consume(in, off);
    return err;
}

static int converse(struct rj_cli *cli, uint64_t timeout_ms, struct rj_buf *ret_body)
{
    struct rj_buf in = {.limit = RJ_MESSAGE_MAX + RJ_MESSAGE_HEAD_LEN + READ_SIZE};
    uint64_t until = timeout_ms > 0 ? rj_cli_now_ms() + timeout_ms : UINT64_MAX;
    enum rj_err err = RJ_EGAP;
    int status = 1;

    while (err == RJ_EGAP) {
        err = receive(cli->fd, &in, until);
        if (err == RJ_OK)
            err = handle(cli, &in, ret_body, &status);
    }
    rj_cli_progress_end(cli);
    if (err == RJ_ETIMEOUT)
        status =
            rj_cli_fail(cli, err, "rejoin status", "the daemon did not answer in time");
    else if (err == RJ_ECLOSED)
        status = rj_cli_fail(cli, RJ_ENODAEMON, "rejoin up",
                             "the daemon ended before it answered");
    else if (err != RJ_OK)
        status =
            rj_cli_fail(cli, err, "rejoin down; rejoin up",
                        "the daemon's answer was not understood: %s", rj_err_text(err));
    rj_buf_done(&in);
    return status;
}

/* Says that no daemon answers, as far as can be told why. */
static int nobody(struct rj_cli *cli)
{
    if (cli->socket != NULL)
        return rj_cli_fail(cli, RJ_ENODAEMON, "rejoin up, without --socket",
                           "no daemon listens at %s", cli->socket);
    if (rj_home_locked(&cli->home))
        return rj_cli_fail(cli, RJ_ENODAEMON,
                           "again in a moment; else, with the REJOIN_SOCKET that it has: "
                           "rejoin down",
                           "the daemon of %s does not listen at %s", cli->home.dirs.data,
                           cli->home.dirs.socket);
    return rj_cli_fail(cli, RJ_ENODAEMON, "rejoin up", "the daemon is not running");
}

/* Connects, starting the daemon where that is allowed. Returns the exit status. */
static int reach(struct rj_cli *cli)
{
    char why[RJ_CLI_WHY_MAX] = "";
    enum rj_err err;
    int status;

    if (cli->fd >= 0)
        return 0;
    err = rj_cli_connect(cli, why, sizeof(why));
    if (err == RJ_ENODAEMON && (cli->command->flags & RJ_CLI_STARTS) != 0) {
        status = rj_cli_start(cli);
        if (status != 0)
            return status;
        err = rj_cli_connect(cli, why, sizeof(why));
    }
    if (err == RJ_ENODAEMON)
        return nobody(cli);
    if (err != RJ_OK)
        return rj_cli_fail(cli, err,
                           err == RJ_EDENIED ? "sudo -u USER rejoin ..., as the user "
                                               "whose daemon it is"
                                             : "rejoin doctor",
                           "%s", why);
    rj_cli_detail(cli, "talking to the daemon at %s", socket_path(cli));
    return 0;
}

int rj_cli_call(struct rj_cli *cli, const char *verb, const struct rj_doc *args,
                uint64_t timeout_ms, struct rj_buf *ret_body)
{
    struct rj_message_request m = {.id = REQUEST_ID, .verb = rj_bytes_from_str(verb)};
    struct rj_buf out = {0};
    enum rj_err err = rj_doc_view(args, &m.args);
    int status = reach(cli);
    uint64_t begun;

    if (status != 0)
        return status;
    begun = rj_cli_now_ms();
    if (err == RJ_OK)
        err = rj_message_put_request(&out, &m);
    if (err != RJ_OK)
        status = rj_cli_fail(cli, err, "", "the request could not be made: %s",
                             rj_err_text(err));
    else if (!send_all(cli->fd, rj_buf_view(&out)))
        status = rj_cli_fail(cli, RJ_ENODAEMON, "rejoin up", "the daemon has ended");
    else
        status = converse(cli, timeout_ms, ret_body);
    rj_cli_detail(cli, "%s took %llu ms", verb,
                  (unsigned long long)(rj_cli_now_ms() - begun));
    rj_buf_done(&out);
    return status;
}

int rj_cli_ask(struct rj_cli *cli, const char *verb, struct rj_doc *take_args,
               rj_cli_show_fn *show)
{
    struct rj_buf body = {0};
    int status;

    rj_doc_end(take_args);
    status = rj_cli_call(cli, verb, take_args, RJ_CLI_CALL_TIMEOUT_MS, &body);
    if (status == 0 && cli->json)
        status = rj_cli_json(cli, rj_buf_view(&body));
    else if (status == 0 && show != NULL)
        status = show(cli, rj_buf_view(&body));
    rj_doc_done(take_args);
    rj_buf_done(&body);
    return status;
}
