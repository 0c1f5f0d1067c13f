/* SPDX-License-Identifier: Apache-2.0 */
/* invite: prints the line to type on the other machine. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "writer" and so on; the daemon checks the word. */
static int put_options(struct rj_cli *cli, struct rj_doc *args)
{
    const char *expires = rj_cli_option(cli, "expires"),
               *uses = rj_cli_option(cli, "uses");
    uint64_t ms;
    char *end;

    if (rj_cli_has(cli, "role"))
        rj_doc_put_str(args, "role", rj_cli_option(cli, "role"));
    if (expires != NULL) {
        if (rj_cli_duration(expires, &ms) != RJ_OK)
            return rj_cli_fail(cli, RJ_EINVAL, "--expires 10m", "%s is no time", expires);
        rj_doc_put_uint(args, "expires_ms", ms);
    }
    if (uses != NULL) {
        unsigned long long n = strtoull(uses, &end, 10);

        if (*uses < '0' || *uses > '9' || *end != '\0')
            return rj_cli_fail(cli, RJ_EINVAL, "--uses 1", "%s is no number", uses);
        rj_doc_put_uint(args, "uses", n);
    }
    return 0;
}

static int show(struct rj_cli *cli, struct rj_bytes doc, uint64_t ms)
{
    char ticket[4096], time[32];
    uint64_t uses = rj_cli_uint(doc, "uses");

    (void)rj_cli_text(doc, "ticket", ticket, sizeof(ticket));
    if (cli->quiet) {
        (void)puts(ticket);
        return rj_cli_end(cli);
    }
    (void)rj_cli_time(ms, time, sizeof(time));
    if (uses == 1)
        rj_cli_say(cli, "Run this on the other machine within %s (works once):", time);
    else
        rj_cli_say(cli,
                   "Run this on the other machines within %s (works %llu times):", time,
                   (unsigned long long)uses);
    (void)printf("  rejoin join %s\n", ticket);
    return rj_cli_end(cli);
}

int rj_cmd_invite(struct rj_cli *cli)
{
    const char *expires = rj_cli_option(cli, "expires");
    struct rj_buf body = {0};
    struct rj_doc args = {0};
    uint64_t ms = 600000; /* the default of the daemon */
    int status;

    rj_doc_map(&args);
    rj_doc_key(&args, "names");
    rj_doc_array(&args);
    for (size_t i = 0; i < cli->n_args; i++)
        rj_doc_text(&args, rj_bytes_from_str(cli->args[i]));
    rj_doc_end(&args);
    status = put_options(cli, &args);
    rj_doc_end(&args);
    if (status == 0 && rj_cli_dry(cli, "make a ticket for %s",
                                  cli->n_args > 0 ? cli->args[0] : "all spaces"))
        status = rj_cli_end(cli);
    else if (status == 0) {
        status = rj_cli_call(cli, "invite", &args, RJ_CLI_CALL_TIMEOUT_MS, &body);
        if (status == 0 && cli->json)
            status = rj_cli_json(cli, rj_buf_view(&body));
        else if (status == 0)
            status =
                show(cli, rj_buf_view(&body),
                     expires != NULL && rj_cli_duration(expires, &ms) != RJ_OK ? 0 : ms);
    }
    rj_doc_done(&args);
    rj_buf_done(&body);
    return status;
}
