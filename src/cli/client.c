/* SPDX-License-Identifier: Apache-2.0 */
/* One conversation with the daemon: connect, one request at a time, read replies until
 * the final one. Blocking, with a limit in time. */
#include "cli/cli.h"
#include "client/wire.h"

enum { CONNECT_TIMEOUT_MS = 30000 }; /* while the daemon is too busy to accept */

static const char *socket_path(struct rj_cli *cli)
{
    return cli->socket != NULL ? cli->socket : cli->home.dirs.socket;
}

enum rj_err rj_cli_connect(struct rj_cli *cli, char *why, size_t why_len)
{
    struct rj_wire wire;
    enum rj_err err;

    rj_wire_init(&wire, -1);
    err = rj_wire_connect(&wire, socket_path(cli), rj_cli_now_ms() + CONNECT_TIMEOUT_MS,
                          why, why_len);
    if (err == RJ_OK)
        cli->fd = wire.fd;
    return err;
}

enum rj_err rj_cli_probe(struct rj_cli *cli, char *why, size_t why_len)
{
    enum rj_err err = rj_cli_connect(cli, why, why_len);
    struct rj_message_reply reply;
    struct rj_doc args = {0};
    struct rj_bytes request;
    struct rj_wire wire;
    uint64_t id;

    if (err != RJ_OK)
        return err;
    rj_wire_init(&wire, -1);
    wire.fd = cli->fd;
    rj_doc_map(&args);
    rj_doc_end(&args);
    err = rj_doc_view(&args, &request);
    if (err == RJ_OK)
        err = rj_wire_send(&wire, "ping", request, RJ_WIRE_NEVER, &id);
    if (err == RJ_OK)
        err = rj_wire_next(&wire, rj_cli_now_ms() + RJ_CLI_CALL_TIMEOUT_MS, &reply);
    rj_doc_done(&args);
    wire.fd = -1;
    rj_wire_done(&wire);
    if (err != RJ_ECLOSED)
        return RJ_OK; /* there is one; what it has to say it says to the next call */
    rj_cli_disconnect(cli);
    return RJ_ENODAEMON;
}

void rj_cli_disconnect(struct rj_cli *cli)
{
    struct rj_wire wire;

    rj_wire_init(&wire, -1);
    wire.fd = cli->fd;
    rj_wire_done(&wire);
    cli->fd = -1;
}

uint64_t rj_cli_now_ms(void)
{
    return rj_wire_now_ms();
}

/* Prints an error reply. Returns the exit status. */
static int say_error(struct rj_cli *cli, struct rj_bytes body)
{
    char why[RJ_CLI_WHY_MAX], hint[RJ_CLI_WHY_MAX];
    struct rj_bytes code = {0};

    (void)rj_doc_get_text(body, "code", &code);
    (void)rj_cli_text(body, "why", why, sizeof(why));
    (void)rj_cli_text(body, "hint", hint, sizeof(hint));
    return rj_cli_fail(cli, rj_message_err(code), hint, "%s", why);
}

/* Reads replies until the final one. RJ_OK: *ret_status is final. */
static enum rj_err await_final(struct rj_cli *cli, struct rj_wire *wire,
                               uint64_t until_ms, struct rj_buf *ret_body,
                               int *ret_status)
{
    struct rj_message_reply reply;

    for (;;) {
        enum rj_err err = rj_wire_next(wire, until_ms, &reply);

        if (err != RJ_OK)
            return err;
        if (reply.kind == RJ_MESSAGE_RESULT || reply.kind == RJ_MESSAGE_ERROR)
            break;
        if (cli->on_reply != NULL)
            cli->on_reply(cli, &reply);
    }
    rj_cli_progress_end(cli);
    if (reply.kind == RJ_MESSAGE_ERROR) {
        *ret_status = say_error(cli, reply.body);
        return RJ_OK;
    }
    *ret_status = 0;
    rj_buf_append(ret_body, reply.body);
    return rj_buf_err(ret_body);
}

static int converse(struct rj_cli *cli, const char *verb, struct rj_bytes args,
                    uint64_t timeout_ms, struct rj_buf *ret_body)
{
    uint64_t until = timeout_ms > 0 ? rj_cli_now_ms() + timeout_ms : RJ_WIRE_NEVER;
    struct rj_wire wire;
    int status = 1;
    enum rj_err err;
    uint64_t id;

    rj_wire_init(&wire, -1);
    wire.fd = cli->fd;
    err = rj_wire_send(&wire, verb, args, until, &id);
    if (err == RJ_ELIMIT)
        status = rj_cli_fail(cli, err, "", "the request could not be made: %s",
                             rj_err_text(err));
    else if (err == RJ_OK)
        err = await_final(cli, &wire, until, ret_body, &status);
    rj_cli_progress_end(cli);
    if (err == RJ_ETIMEOUT)
        status =
            rj_cli_fail(cli, err, "rejoin status", "the daemon did not answer in time");
    else if (err == RJ_ECLOSED)
        status = rj_cli_fail(cli, RJ_ENODAEMON, "rejoin up",
                             "the daemon ended before it answered");
    else if (err != RJ_OK && err != RJ_ELIMIT)
        status =
            rj_cli_fail(cli, err, "rejoin down; rejoin up",
                        "the daemon's answer was not understood: %s", rj_err_text(err));
    wire.fd = -1; /* stays open for the next request */
    rj_wire_done(&wire);
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
    struct rj_bytes request;
    enum rj_err err = rj_doc_view(args, &request);
    int status = reach(cli);
    uint64_t begun;

    if (status != 0)
        return status;
    if (err != RJ_OK)
        return rj_cli_fail(cli, err, "", "the request could not be made: %s",
                           rj_err_text(err));
    begun = rj_cli_now_ms();
    status = converse(cli, verb, request, timeout_ms, ret_body);
    rj_cli_detail(cli, "%s took %llu ms", verb,
                  (unsigned long long)(rj_cli_now_ms() - begun));
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
