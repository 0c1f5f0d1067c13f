/* SPDX-License-Identifier: Apache-2.0 */
/* sync and watch. */
#include "cli/cli.h"
#include "face/json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void on_progress(struct rj_cli *cli, const struct rj_message_reply *reply)
{
    char phase[32], writes[32], pace[64];
    uint64_t left = rj_cli_uint(reply->body, "unsent"), most;
    struct rj_pace_at at;

    if (reply->kind != RJ_MESSAGE_PROGRESS)
        return;
    (void)rj_cli_text(reply->body, "phase", phase, sizeof(phase));
    if (strcmp(phase, "connecting") == 0) {
        rj_cli_progress(cli, "connecting ...");
        return;
    }
    if (left == 0) {
        left = rj_cli_uint(reply->body, "writes");
        rj_cli_progress(cli, "sent; %s writes are not durable there yet",
                        rj_cli_number(left, writes, sizeof(writes)));
        return;
    }
    most = cli->pace.begun && left <= cli->pace.first.all ? cli->pace.first.all : left;
    at = (struct rj_pace_at){.count = most - left, .done = most - left, .all = most};
    rj_cli_progress(cli, "sending: %s writes to go%s",
                    rj_cli_number(left, writes, sizeof(writes)),
                    rj_pace_look(&cli->pace, rj_cli_now_ms(), at, pace, sizeof(pace)));
}

static int show_sync(struct rj_cli *cli, struct rj_bytes doc)
{
    char away[512];
    uint64_t reached = rj_cli_uint(doc, "reached");

    if (rj_cli_uint(doc, "members") == 0)
        (void)puts("nothing to do: there are no other members yet");
    else
        (void)printf("in sync with %llu %s\n", (unsigned long long)reached,
                     reached == 1 ? "member" : "members");
    if (rj_cli_text(doc, "unreachable", away, sizeof(away))[0] != '\0')
        rj_cli_say(cli, "not reachable: %s", away);
    return rj_cli_end(cli);
}

int rj_cmd_sync(struct rj_cli *cli)
{
    struct rj_buf body = {0};
    struct rj_doc args = {0};
    int status;

    rj_doc_map(&args);
    if (cli->n_args > 0)
        rj_doc_put_str(&args, "name", cli->args[0]);
    if (rj_cli_has(cli, "to"))
        rj_doc_put_str(&args, "peer", rj_cli_option(cli, "to"));
    rj_doc_put_bool(&args, "wait", rj_cli_has(cli, "wait"));
    if (cli->timeout_ms > 0)
        rj_doc_put_uint(&args, "timeout_ms", cli->timeout_ms);
    rj_doc_end(&args);
    cli->on_reply = on_progress;
    status = rj_cli_call(cli, "sync", &args, 0, &body);
    if (status == 0)
        status = cli->json    ? rj_cli_json(cli, rj_buf_view(&body))
                 : cli->quiet ? 0
                              : show_sync(cli, rj_buf_view(&body));
    rj_doc_done(&args);
    rj_buf_done(&body);
    return status;
}

/* ---- watch */

static void on_event(struct rj_cli *cli, const struct rj_message_reply *reply)
{
    char text[512], level[16], time[32] = "";
    time_t seconds;
    struct tm tm;

    if (reply->kind != RJ_MESSAGE_EVENT)
        return;
    if (cli->json) {
        (void)rj_cli_json(cli, reply->body);
        return;
    }
    seconds = (time_t)(rj_cli_uint(reply->body, "time_ms") / 1000);
    if (localtime_r(&seconds, &tm) != NULL)
        (void)strftime(time, sizeof(time), "%H:%M:%S", &tm);
    (void)printf("%s %-5s %s\n", time,
                 rj_cli_text(reply->body, "level", level, sizeof(level)),
                 rj_cli_text(reply->body, "text", text, sizeof(text)));
    (void)fflush(stdout);
}

int rj_cmd_watch(struct rj_cli *cli)
{
    struct rj_buf body = {0};
    struct rj_doc args = {0};
    int status;

    rj_doc_map(&args);
    rj_doc_end(&args);
    cli->on_reply = on_event;
    status = rj_cli_call(cli, "watch", &args, cli->timeout_ms, &body);
    rj_doc_done(&args);
    rj_buf_done(&body);
    return status;
}
