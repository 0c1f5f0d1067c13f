/* SPDX-License-Identifier: Apache-2.0 */
/* status: the node, its spaces, its peers, and what limits them. Under --watch each frame
 * is made whole in memory and then drawn over the last one, so that nothing flickers. */
#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/width.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 160, NUMBER = 32, WATCH_MS = 1000, ROWS = 24, INDENT = 2 };

/* One line; a long name gives way to the rest. */
static void put_self(FILE *out, struct rj_bytes doc)
{
    char name[ROOM], device[ROOM], up[NUMBER], version[NUMBER], rest[2 * ROOM];
    size_t room, len, used;
    int n = snprintf(rest, sizeof(rest),
                     "  device %.8s  up %s  peers :%llu  Redis :%llu  rejoin %.16s",
                     rj_cli_text(doc, "device", device, sizeof(device)),
                     rj_cli_time(rj_cli_uint(doc, "up_ms"), up, sizeof(up)),
                     (unsigned long long)rj_cli_uint(doc, "port_peer"),
                     (unsigned long long)rj_cli_uint(doc, "port_resp"),
                     rj_cli_text(doc, "version", version, sizeof(version)));

    room = n > 0 && n + 2 < RJ_COLUMNS_WIDTH ? (size_t)(RJ_COLUMNS_WIDTH - n) : 2;
    (void)rj_cli_text(doc, "name", name, sizeof(name));
    len = rj_width_text(name);
    if (len <= room) {
        (void)fprintf(out, "%s%s\n", name, rest);
        return;
    }
    len = rj_width_fit(name, room - 2, &used);
    (void)fprintf(out, "%.*s..%s\n", (int)len, name, rest);
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

static void put_spaces(struct rj_cli *cli, FILE *out, struct rj_bytes list)
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
        (void)fputs("\nno spaces yet: rejoin bucket add NAME, or rejoin join TICKET\n",
                    out);
    else
        (void)fputc('\n', out);
    if (t.n_cells > 0)
        rj_columns_print(&t, out, rj_cli_colored(cli, STDOUT_FILENO));
    rj_columns_done(&t);
}

static void put_peers(struct rj_cli *cli, FILE *out, struct rj_bytes list)
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
        (void)fputc('\n', out);
        rj_columns_print(&t, out, rj_cli_colored(cli, STDOUT_FILENO));
    }
    rj_columns_done(&t);
}

/* One thing that limits a space, wrapped. */
static void put_limit(struct rj_cli *cli, FILE *out, struct rj_bytes space,
                      struct rj_bytes words)
{
    char name[ROOM], text[ROOM + 512];
    int n = snprintf(text, sizeof(text),
                     "%.100s: ", rj_cli_text(space, "name", name, sizeof(name)));

    (void)rj_cli_plain(words, text + n, sizeof(text) - (size_t)n);
    (void)fprintf(out, "%s!%s ", rj_cli_paint(cli, RJ_CLI_YELLOW),
                  rj_cli_paint(cli, RJ_CLI_PLAIN));
    rj_width_wrap(out, text, INDENT, RJ_COLUMNS_WIDTH);
}

/* What limits the spaces; the number of them. out: where to say so, or NULL. */
static size_t limits(struct rj_cli *cli, FILE *out, struct rj_bytes spaces)
{
    struct rj_bytes s, list, text;
    size_t pos = 0, count = 0;

    while (rj_doc_next(spaces, &pos, &s)) {
        size_t at = 0;

        if (!rj_doc_find(s, "limits", &list))
            continue;
        while (rj_doc_next(list, &at, &text)) {
            if (out != NULL && count == 0)
                (void)fputc('\n', out);
            if (out != NULL)
                put_limit(cli, out, s, text);
            count++;
        }
    }
    return count;
}

/* Devices that went on twice: nothing is wrong with their writes, but a person should
 * know whose copy that was. */
static void put_forks(FILE *out, struct rj_bytes spaces)
{
    struct rj_bytes s, list, m;
    size_t pos = 0, count = 0;

    while (rj_doc_next(spaces, &pos, &s)) {
        size_t at = 0;

        if (!rj_doc_find(s, "devices", &list))
            continue;
        while (rj_doc_next(list, &at, &m)) {
            char space[ROOM], name[ROOM], id[ROOM];

            if (rj_cli_uint(m, "forks") == 0 || rj_cli_bool(m, "closed"))
                continue;
            (void)rj_cli_text(m, "device", id, sizeof(id));
            id[8] = '\0';
            (void)fprintf(
                out,
                "%s%s: %s was copied while it ran, and both went on; all that "
                "they wrote is merged.\n  If that copy is nobody's: rejoin peer "
                "remove %s\n",
                count++ == 0 ? "\n" : "", rj_cli_text(s, "name", space, sizeof(space)),
                rj_cli_text(m, "name", name, sizeof(name)), id);
        }
    }
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

static void put_all(struct rj_cli *cli, FILE *out, struct rj_bytes doc)
{
    struct rj_bytes spaces = {0}, peers = {0};

    (void)rj_doc_find(doc, "spaces", &spaces);
    (void)rj_doc_find(doc, "peers", &peers);
    put_self(out, doc);
    put_spaces(cli, out, spaces);
    put_peers(cli, out, peers);
    put_forks(out, spaces);
    (void)limits(cli, out, spaces);
}

/* For scripts: is everything in order? */
static int health(struct rj_cli *cli, struct rj_bytes doc)
{
    struct rj_bytes spaces = {0};

    (void)rj_doc_find(doc, "spaces", &spaces);
    return limits(cli, NULL, spaces) > 0 || has_lag(spaces) ? RJ_CLI_PARTLY : 0;
}

/* ---- --watch */

/* Draws text over what was there; what does not fit is left out. */
static void draw(const char *text)
{
    struct winsize size = {0};
    size_t rows = ROWS;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1)
        rows = size.ws_row;
    (void)fputs("\033[H", stdout);
    for (size_t row = 1; *text != '\0' && row < rows; row++) {
        size_t len = strcspn(text, "\n");

        (void)printf("%.*s\033[K\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
    (void)fputs("\033[J", stdout);
}

static int draw_frame(struct rj_cli *cli, struct rj_bytes doc)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        return rj_cli_fail(cli, RJ_ENOMEM, "", "%s", rj_err_text(RJ_ENOMEM));
    put_all(cli, out, doc);
    if (fclose(out) == 0 && text != NULL)
        draw(text);
    free(text);
    return rj_cli_end(cli);
}

/* How a result is shown. */
struct view {
    bool watch, frames; /* frames: on a terminal, each over the last one */
    size_t shown;
};

static int show(struct rj_cli *cli, struct view *v, struct rj_bytes doc)
{
    int status = cli->json ? rj_cli_json(cli, doc) : 0;

    if (status != 0 || (cli->json && !cli->quiet))
        return status;
    if (cli->quiet)
        return health(cli, doc);
    if (v->frames)
        return draw_frame(cli, doc);
    if (v->shown++ > 0)
        (void)putchar('\n');
    put_all(cli, stdout, doc);
    return rj_cli_end(cli);
}

/* Asks again and again, as long as the answer can be shown. */
static int ask(struct rj_cli *cli, struct view *v, const struct rj_doc *args)
{
    const struct timespec pause = {.tv_sec = WATCH_MS / 1000};
    int status;

    do {
        struct rj_buf body = {0};

        status = rj_cli_call(cli, "status", args, RJ_CLI_CALL_TIMEOUT_MS, &body);
        if (status == 0)
            status = show(cli, v, rj_buf_view(&body));
        rj_buf_done(&body);
        if (v->watch && status == 0)
            (void)nanosleep(&pause, NULL);
    } while (v->watch && status == 0);
    return status;
}

int rj_cmd_status(struct rj_cli *cli)
{
    struct view v = {.watch = rj_cli_has(cli, "watch")};
    struct rj_doc args = {0};
    int status;

    if (v.watch && cli->quiet)
        return rj_cli_fail(cli, RJ_EINVAL, "rejoin status --watch",
                           "--watch and --quiet exclude one another");
    v.frames = v.watch && !cli->json && isatty(STDOUT_FILENO);
    rj_doc_map(&args);
    if (cli->n_args > 0)
        rj_doc_put_str(&args, "name", cli->args[0]);
    rj_doc_end(&args);
    cli->silent = cli->quiet && !cli->json;
    if (v.frames) {
        rj_cli_cursor(true);
        (void)fputs("\033[2J", stdout);
    }
    status = ask(cli, &v, &args);
    if (v.frames)
        rj_cli_cursor(false);
    rj_doc_done(&args);
    return status;
}
