/* SPDX-License-Identifier: Apache-2.0 */
/* status: the node, its spaces, its peers, and what limits them. */
#include "cli/cli.h"
#include "cli/columns.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 160, NUMBER = 32, REPORT_MAX = 64 };

static void put_self(struct rj_bytes doc)
{
    char name[ROOM], device[ROOM], up[NUMBER], version[NUMBER];

    (void)printf("%s  device %.8s  up %s  peers :%llu  Redis :%llu  rejoin %s\n",
                 rj_cli_text(doc, "name", name, sizeof(name)),
                 rj_cli_text(doc, "device", device, sizeof(device)),
                 rj_cli_time(rj_cli_uint(doc, "up_ms"), up, sizeof(up)),
                 (unsigned long long)rj_cli_uint(doc, "port_peer"),
                 (unsigned long long)rj_cli_uint(doc, "port_resp"),
                 rj_cli_text(doc, "version", version, sizeof(version)));
}

/* Members that are connected (this one counts), and the greatest lag among these. */
static void count_members(struct rj_bytes space, unsigned *ret_there, unsigned *ret_all,
                          uint64_t *ret_lag)
{
    struct rj_bytes list, m;
    size_t pos = 0;

    *ret_there = *ret_all = 0;
    *ret_lag = 0;
    if (!rj_doc_find(space, "devices", &list))
        return;
    while (rj_doc_next(list, &pos, &m)) {
        uint64_t lag = rj_cli_uint(m, "lag");

        if (rj_cli_bool(m, "closed"))
            continue;
        *ret_all += 1;
        *ret_there += rj_cli_bool(m, "connected") || rj_cli_bool(m, "self");
        if (lag > *ret_lag)
            *ret_lag = lag;
    }
}

static const char *state_of(struct rj_bytes space, unsigned there, unsigned all,
                            uint64_t lag, char room[ROOM])
{
    char number[NUMBER];
    uint64_t part = rj_cli_uint(space, "joined_permille");
    uint64_t missing = rj_cli_uint(space, "missing");

    if (rj_cli_bool(space, "joining"))
        (void)snprintf(room, ROOM, "joining %llu %%",
                       part < 1000 ? (unsigned long long)part / 10 : 99);
    else if (missing > 0)
        (void)snprintf(room, ROOM, "%s to get",
                       rj_cli_number(missing, number, sizeof(number)));
    else if (lag > 0)
        (void)snprintf(room, ROOM, "%s to send",
                       rj_cli_number(lag, number, sizeof(number)));
    else
        (void)snprintf(room, ROOM, there == all ? "in sync" : "apart");
    return room;
}

static void put_spaces(struct rj_cli *cli, struct rj_bytes list)
{
    static const char *const heads[] = {"SPACE",   ">KEYS", ">WRITES", "MEMBERS",
                                        "DURABLE", ">LOG",  "STATE"};
    struct rj_columns t;
    struct rj_bytes s;
    size_t pos = 0;

    rj_columns_init(&t, heads, sizeof(heads) / sizeof(heads[0]));
    while (rj_doc_next(list, &pos, &s)) {
        char room[ROOM];
        unsigned there, all;
        uint64_t lag;

        count_members(s, &there, &all, &lag);
        rj_columns_cell(&t, rj_cli_text(s, "name", room, sizeof(room)));
        rj_columns_cell(&t, rj_cli_number(rj_cli_uint(s, "keys"), room, sizeof(room)));
        rj_columns_cell(&t, rj_cli_number(rj_cli_uint(s, "writes"), room, sizeof(room)));
        (void)snprintf(room, sizeof(room), "%u/%u", there, all);
        rj_columns_cell(&t, room);
        rj_columns_cell(&t, rj_cli_text(s, "durability", room, sizeof(room)));
        rj_columns_cell(&t, rj_cli_size(rj_cli_uint(s, "log_bytes"), room, sizeof(room)));
        rj_columns_cell(&t, state_of(s, there, all, lag, room));
    }
    if (t.n_cells == 0)
        (void)puts("\nno spaces yet: rejoin bucket add NAME, or rejoin join TICKET");
    else
        (void)putchar('\n');
    if (t.n_cells > 0)
        rj_columns_print(&t, stdout, rj_cli_colored(cli, STDOUT_FILENO));
    rj_columns_done(&t);
}

static void put_peers(struct rj_cli *cli, struct rj_bytes list)
{
    static const char *const heads[] = {"PEER", "DEVICE", "STATE", ">LAG", "ADDRESS"};
    struct rj_columns t;
    struct rj_bytes p;
    size_t pos = 0;

    rj_columns_init(&t, heads, sizeof(heads) / sizeof(heads[0]));
    while (rj_doc_next(list, &pos, &p)) {
        char room[ROOM];

        (void)rj_cli_text(p, "name", room, sizeof(room));
        rj_columns_cell(&t, room[0] != '\0' ? room : "-");
        (void)rj_cli_text(p, "device", room, sizeof(room));
        room[8] = '\0';
        rj_columns_cell(&t, room);
        rj_columns_cell(&t, rj_cli_bool(p, "closed")      ? "removed"
                            : rj_cli_bool(p, "connected") ? "connected"
                                                          : "away");
        rj_columns_cell(&t, rj_cli_number(rj_cli_uint(p, "lag"), room, sizeof(room)));
        rj_columns_cell(&t, rj_cli_text(p, "address", room, sizeof(room)));
    }
    if (t.n_cells > 0) {
        (void)putchar('\n');
        rj_columns_print(&t, stdout, rj_cli_colored(cli, STDOUT_FILENO));
    }
    rj_columns_done(&t);
}

/* What limits the spaces; the number of them. print: also say so. */
static size_t limits(struct rj_bytes spaces, bool print)
{
    struct rj_bytes s, list, text;
    size_t pos = 0, count = 0;

    while (rj_doc_next(spaces, &pos, &s)) {
        char name[ROOM];
        size_t at = 0;

        if (!rj_doc_find(s, "limits", &list))
            continue;
        while (rj_doc_next(list, &at, &text)) {
            struct rj_bytes words = {0};

            if (print && rj_doc_is_text(text, &words))
                (void)printf("%s! %s: %.*s\n", count == 0 ? "\n" : "",
                             rj_cli_text(s, "name", name, sizeof(name)), (int)words.len,
                             (const char *)words.ptr);
            count++;
        }
    }
    return count;
}

/* Writes some others do not have yet, or that are not yet here. */
static bool has_lag(struct rj_bytes spaces)
{
    struct rj_bytes s;
    size_t pos = 0;

    while (rj_doc_next(spaces, &pos, &s)) {
        unsigned there, all;
        uint64_t lag;

        count_members(s, &there, &all, &lag);
        if (lag > 0 || rj_cli_uint(s, "missing") > 0)
            return true;
    }
    return false;
}

static int show(struct rj_cli *cli, struct rj_bytes doc)
{
    struct rj_bytes spaces = {0}, peers = {0};

    (void)rj_doc_find(doc, "spaces", &spaces);
    (void)rj_doc_find(doc, "peers", &peers);
    if (cli->json)
        return rj_cli_json(cli, doc);
    if (cli->quiet)
        return limits(spaces, false) > 0 || has_lag(spaces) ? rj_err_exit(RJ_ETIMEOUT)
                                                            : 0;
    put_self(doc);
    put_spaces(cli, spaces);
    put_peers(cli, peers);
    (void)limits(spaces, true);
    return rj_cli_end(cli);
}

int rj_cmd_status(struct rj_cli *cli)
{
    const struct timespec second = {.tv_sec = 1};
    bool watch = rj_cli_has(cli, "watch");
    struct rj_doc args = {0};
    int status;

    rj_doc_map(&args);
    if (cli->n_args > 0)
        rj_doc_put_str(&args, "name", cli->args[0]);
    rj_doc_end(&args);
    do {
        struct rj_buf body = {0};

        status = rj_cli_call(cli, "status", &args, RJ_CLI_CALL_TIMEOUT_MS, &body);
        if (status == 0 && watch && !cli->json && isatty(STDOUT_FILENO))
            (void)printf("\033[H\033[2J");
        if (status == 0)
            status = show(cli, rj_buf_view(&body));
        rj_buf_done(&body);
        if (watch && status == 0)
            (void)nanosleep(&second, NULL);
    } while (watch && status == 0);
    rj_doc_done(&args);
    return status;
}
