/* SPDX-License-Identifier: Apache-2.0 */
/* up and down. */
#include "cli/cli.h"

#include <rejoin/node.h>
#include <stdio.h>
#include <time.h>

enum { DOWN_TIMEOUT_MS = 30000, LOOK_MS = 20, ENDING_MS = 5000 };

static int show(struct rj_cli *cli, struct rj_bytes doc, const char *what)
{
    char name[RJ_NAME_MAX + 1], device[80];

    (void)rj_cli_text(doc, "name", name, sizeof(name));
    (void)rj_cli_text(doc, "device", device, sizeof(device));
    if (!cli->quiet)
        (void)printf("%s %s (device %.8s), peers on port %llu, Redis on port %llu\n",
                     name, what, device,
                     (unsigned long long)rj_cli_uint(doc, "port_peer"),
                     (unsigned long long)rj_cli_uint(doc, "port_resp"));
    return rj_cli_end(cli);
}

static int show_new(struct rj_cli *cli, struct rj_bytes doc)
{
    return show(cli, doc, "is up");
}

static int show_old(struct rj_cli *cli, struct rj_bytes doc)
{
    return show(cli, doc, "is up already");
}

static int ping(struct rj_cli *cli, rj_cli_show_fn *how)
{
    struct rj_doc args = {0};

    rj_doc_map(&args);
    return rj_cli_ask(cli, "ping", &args, how);
}

static void pause_a_moment(void)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};

    (void)nanosleep(&pause, NULL);
}

/* A daemon that is just ending (or was killed, and the system still takes it apart) has
 * its home for a moment longer than it answers; one that is just starting has it before
 * it answers. */
static enum rj_err find(struct rj_cli *cli, char *why, size_t why_len)
{
    enum rj_err err = rj_cli_probe(cli, why, why_len);
    unsigned waited;

    for (waited = 0; err == RJ_ENODAEMON && waited < ENDING_MS; waited += LOOK_MS) {
        if (!rj_home_locked(&cli->home))
            break;
        pause_a_moment();
        err = rj_cli_probe(cli, why, why_len);
    }
    return err;
}

int rj_cmd_up(struct rj_cli *cli)
{
    char why[RJ_CLI_WHY_MAX] = "";
    enum rj_err err = find(cli, why, sizeof(why));
    int status;

    if (err == RJ_OK)
        return ping(cli, show_old);
    if (err != RJ_ENODAEMON)
        return rj_cli_fail(cli, err, "", "%s", why);
    if (rj_cli_dry(cli, "start the daemon of %s", cli->home.dirs.data))
        return rj_cli_end(cli);
    status = rj_cli_start(cli);
    if (status != 0)
        return status;
    err = rj_cli_connect(cli, why, sizeof(why));
    return err == RJ_OK ? ping(cli, show_new) : rj_cli_fail(cli, err, "", "%s", why);
}

/* Waits until the daemon has given its home back. */
static int await_end(struct rj_cli *cli)
{
    uint64_t most = cli->timeout_ms > 0 ? cli->timeout_ms : DOWN_TIMEOUT_MS;

    for (uint64_t waited = 0; rj_home_locked(&cli->home); waited += LOOK_MS) {
        if (waited >= most)
            return rj_cli_fail(cli, RJ_ETIMEOUT, "rejoin status",
                               "the daemon is still busy ending");
        pause_a_moment();
    }
    if (!cli->quiet && !cli->json)
        (void)puts("down");
    return rj_cli_end(cli);
}

int rj_cmd_down(struct rj_cli *cli)
{
    char why[RJ_CLI_WHY_MAX] = "";
    enum rj_err err = rj_cli_connect(cli, why, sizeof(why));
    struct rj_doc args = {0};
    int status;

    if (err == RJ_ENODAEMON && !rj_home_locked(&cli->home)) {
        rj_cli_say(cli, "the daemon is not running");
        if (cli->json)
            (void)puts("{\"v\":1}");
        return rj_cli_end(cli);
    }
    if (err == RJ_ENODAEMON)
        return await_end(cli); /* it is just ending, or has not begun to listen */
    if (err != RJ_OK)
        return rj_cli_fail(cli, err, "", "%s", why);
    if (rj_cli_dry(cli, "stop the daemon of %s", cli->home.dirs.data))
        return rj_cli_end(cli);
    rj_doc_map(&args);
    status = rj_cli_ask(cli, "down", &args, NULL);
    return status == 0 ? await_end(cli) : status;
}
