/* SPDX-License-Identifier: Apache-2.0 */
/* join: hands a ticket to the daemon and shows how far it is. */
#include "cli/cli.h"
#include "driver/ticket.h"

#include <stdio.h>
#include <string.h>

/* The ticket itself, or one line of standard input. */
static int read_ticket(struct rj_cli *cli, char text[RJ_TICKET_TEXT_MAX + 1])
{
    struct rj_ticket t;
    const char *why = "";
    size_t n;

    if (strcmp(cli->args[0], "-") == 0) {
        n = fread(text, 1, RJ_TICKET_TEXT_MAX, stdin);
        text[n] = '\0';
    } else {
        (void)snprintf(text, RJ_TICKET_TEXT_MAX + 1, "%s", cli->args[0]);
    }
    if (rj_ticket_parse(rj_bytes_from_str(text), &t, &why) == RJ_OK)
        return 0;
    return rj_cli_fail(cli, RJ_EINVAL, "copy the whole line that rejoin invite printed",
                       "this is no ticket: %s", why);
}

static int take_apart(struct rj_cli *cli, const char *text)
{
    struct rj_ticket t;
    const char *why = "";
    struct rj_buf list = {0};

    if (rj_ticket_parse(rj_bytes_from_str(text), &t, &why) != RJ_OK)
        return rj_cli_fail(cli, RJ_EINVAL,
                           "copy the whole line that rejoin invite printed",
                           "this is no ticket: %s", why);
    for (size_t i = 0; i < t.n_addresses; i++)
        rj_buf_printf(&list, "%s%s", i > 0 ? ", " : "", t.addresses[i].text);
    (void)rj_cli_dry(cli, "join device %02x%02x%02x%02x at %s", t.device.b[0],
                     t.device.b[1], t.device.b[2], t.device.b[3], rj_buf_str(&list));
    rj_buf_done(&list);
    return rj_cli_end(cli);
}

static void on_reply(struct rj_cli *cli, const struct rj_message_reply *reply)
{
    char phase[32], keys[32], pace[64];
    struct rj_pace_at at = {.all = 1000};

    if (reply->kind != RJ_MESSAGE_PROGRESS)
        return;
    (void)rj_cli_text(reply->body, "phase", phase, sizeof(phase));
    if (strcmp(phase, "receiving") != 0) {
        rj_cli_progress(cli, strcmp(phase, "asking") == 0
                                 ? "connected, asking to join ..."
                                 : "connecting ...");
        return;
    }
    at.count = rj_cli_uint(reply->body, "keys");
    at.done = rj_cli_uint(reply->body, "permille");
    rj_cli_progress(cli, "receiving: %s keys, %llu %%%s",
                    rj_cli_number(at.count, keys, sizeof(keys)),
                    at.done < 1000 ? (unsigned long long)at.done / 10 : 99,
                    rj_pace_look(&cli->pace, rj_cli_now_ms(), at, pace, sizeof(pace)));
}

static int show(struct rj_cli *cli, struct rj_bytes doc)
{
    char name[RJ_NAME_MAX + 1], id[80], number[32];
    struct rj_bytes list, s;
    size_t pos = 0, count = 0;

    (void)rj_cli_text(doc, "inviter_name", name, sizeof(name));
    (void)rj_cli_text(doc, "inviter", id, sizeof(id));
    (void)printf("Joined %s (device %.8s).\n", name[0] != '\0' ? name : "it", id);
    if (rj_doc_find(doc, "spaces", &list)) {
        for (; rj_doc_next(list, &pos, &s); count++)
            (void)printf("%s  %s keys  in sync\n",
                         rj_cli_text(s, "name", name, sizeof(name)),
                         rj_cli_number(rj_cli_uint(s, "keys"), number, sizeof(number)));
    }
    if (count == 0)
        (void)puts("Nothing new: this device was in all its spaces already.");
    return rj_cli_end(cli);
}

int rj_cmd_join(struct rj_cli *cli)
{
    char text[RJ_TICKET_TEXT_MAX + 1];
    struct rj_buf body = {0};
    struct rj_doc args = {0};
    int status = read_ticket(cli, text);

    if (status != 0 || cli->dry)
        return status != 0 ? status : take_apart(cli, text);
    rj_doc_map(&args);
    if (rj_cli_has(cli, "ssh"))
        rj_doc_put_str(&args, "ssh", rj_cli_option(cli, "ssh"));
    rj_doc_put_str(&args, "ticket", text);
    if (cli->timeout_ms > 0)
        rj_doc_put_uint(&args, "timeout_ms", cli->timeout_ms);
    rj_doc_end(&args);
    cli->on_reply = on_reply;
    status = rj_cli_call(cli, "join", &args, 0, &body);
    if (status == 0)
        status = cli->json    ? rj_cli_json(cli, rj_buf_view(&body))
                 : cli->quiet ? 0
                              : show(cli, rj_buf_view(&body));
    rj_doc_done(&args);
    rj_buf_done(&body);
    return status;
}
