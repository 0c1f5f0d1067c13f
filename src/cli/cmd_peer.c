/* SPDX-License-Identifier: Apache-2.0 */
/* peer list, show, set, remove. */
#include "cli/cli.h"
#include "cli/columns.h"

#include <rejoin/node.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 200 };

static const char *state_of(struct rj_bytes p)
{
    if (rj_cli_bool(p, "closed"))
        return "removed";
    return rj_cli_bool(p, "connected") ? "connected" : "away";
}

/* ---- list, show */

static int show_list(struct rj_cli *cli, struct rj_bytes doc)
{
    static const char *const heads[] = {"PEER", "DEVICE",  "STATE",
                                        ">LAG", "ADDRESS", "SPACES"};
    struct rj_bytes list, p, first = {0};
    struct rj_columns t;
    size_t pos = 0;

    rj_columns_init(&t, heads, sizeof(heads) / sizeof(heads[0]));
    while (rj_doc_find(doc, "peers", &list) && rj_doc_next(list, &pos, &p)) {
        struct rj_bytes addresses;
        char room[ROOM];
        size_t at = 0;

        rj_columns_cell(&t, rj_cli_text(p, "name", room, sizeof(room)));
        (void)rj_cli_text(p, "device", room, sizeof(room));
        room[8] = '\0';
        rj_columns_cell(&t, room);
        rj_columns_cell(&t, state_of(p));
        rj_columns_cell(&t, rj_cli_number(rj_cli_uint(p, "lag"), room, sizeof(room)));
        (void)rj_cli_text(p, "address", room, sizeof(room));
        if (room[0] == '\0' && rj_doc_find(p, "addresses", &addresses) &&
            rj_doc_next(addresses, &at, &first))
            (void)rj_cli_plain(first, room, sizeof(room));
        rj_columns_cell(&t, room);
        rj_columns_cell(&t, rj_cli_text(p, "spaces", room, sizeof(room)));
    }
    if (t.n_cells > 0)
        rj_columns_print(&t, stdout, rj_cli_colored(cli, STDOUT_FILENO));
    else
        rj_cli_say(cli, "no peers yet: rejoin invite");
    rj_columns_done(&t);
    return rj_cli_end(cli);
}

int rj_cmd_peer_list(struct rj_cli *cli)
{
    struct rj_doc args = {0};

    rj_doc_map(&args);
    return rj_cli_ask(cli, "peer.list", &args, show_list);
}

static void put_shares(struct rj_bytes doc)
{
    struct rj_bytes list, s;
    size_t pos = 0;

    while (rj_doc_find(doc, "shares", &list) && rj_doc_next(list, &pos, &s)) {
        char name[ROOM], role[32], lag[32];

        (void)printf("%-12s %s  %s%s, %s behind\n", "shares",
                     rj_cli_text(s, "space", name, sizeof(name)),
                     rj_cli_text(s, "role", role, sizeof(role)),
                     rj_cli_bool(s, "closed") ? " (removed)" : "",
                     rj_cli_number(rj_cli_uint(s, "lag"), lag, sizeof(lag)));
    }
}

static int show_one(struct rj_cli *cli, struct rj_bytes doc)
{
    struct rj_bytes list, item;
    char room[ROOM];
    size_t pos = 0;

    (void)printf("%-12s %s\n", "name", rj_cli_text(doc, "name", room, sizeof(room)));
    (void)printf("%-12s %s\n", "device", rj_cli_text(doc, "device", room, sizeof(room)));
    (void)printf("%-12s %s\n", "state", state_of(doc));
    if (rj_cli_text(doc, "address", room, sizeof(room))[0] != '\0')
        (void)printf("%-12s %s\n", "connected at", room);
    while (rj_doc_find(doc, "addresses", &list) && rj_doc_next(list, &pos, &item))
        (void)printf("%-12s %s\n", "address", rj_cli_plain(item, room, sizeof(room)));
    if (rj_cli_text(doc, "why", room, sizeof(room))[0] != '\0')
        (void)printf("%-12s %s\n", "last failure", room);
    (void)printf("%-12s %s\n", "sent",
                 rj_cli_size(rj_cli_uint(doc, "sent_bytes"), room, sizeof(room)));
    (void)printf("%-12s %s\n", "received",
                 rj_cli_size(rj_cli_uint(doc, "received_bytes"), room, sizeof(room)));
    put_shares(doc);
    return rj_cli_end(cli);
}

int rj_cmd_peer_show(struct rj_cli *cli)
{
    struct rj_doc args = {0};

    rj_doc_map(&args);
    rj_doc_put_str(&args, "peer", cli->args[0]);
    return rj_cli_ask(cli, "peer.show", &args, show_one);
}

/* ---- set, remove */

static void begin(struct rj_cli *cli, struct rj_doc *args)
{
    rj_doc_map(args);
    rj_doc_put_str(args, "peer", cli->args[0]);
    if (rj_cli_has(cli, "space"))
        rj_doc_put_str(args, "name", rj_cli_option(cli, "space"));
}

int rj_cmd_peer_set(struct rj_cli *cli)
{
    struct rj_doc args = {0};
    int status = 0;

    begin(cli, &args);
    if (rj_cli_has(cli, "ssh"))
        rj_doc_put_str(&args, "ssh", rj_cli_option(cli, "ssh"));
    else if (cli->n_args < 2)
        status = rj_cli_fail(cli, RJ_EINVAL, "rejoin help peer set",
                             "rejoin peer set: a setting is missing");
    for (size_t i = 1; status == 0 && i < cli->n_args; i++) {
        if (strncmp(cli->args[i], "role=", 5) == 0)
            rj_doc_put_str(&args, "role", cli->args[i] + 5);
        else if (strncmp(cli->args[i], "address=", 8) == 0)
            rj_doc_put_str(&args, "address", cli->args[i] + 8);
        else
            status = rj_cli_no_setting(cli, cli->args[i], "role address", "a peer");
    }
    if (status != 0 || rj_cli_dry(cli, "change peer %s", cli->args[0])) {
        rj_doc_done(&args);
        return status != 0 ? status : rj_cli_end(cli);
    }
    return rj_cli_ask(cli, "peer.set", &args, NULL);
}

int rj_cmd_peer_remove(struct rj_cli *cli)
{
    struct rj_doc args = {0};
    char question[ROOM];
    int status;

    if (rj_cli_dry(cli, "exclude device %s", cli->args[0]))
        return rj_cli_end(cli);
    (void)snprintf(question, sizeof(question), "exclude device %.64s", cli->args[0]);
    status = rj_cli_confirm(cli, question);
    if (status != 0)
        return status;
    begin(cli, &args);
    return rj_cli_ask(cli, "peer.remove", &args, NULL);
}
