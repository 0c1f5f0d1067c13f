/* SPDX-License-Identifier: Apache-2.0 */
/* bench: what this node, on this machine and disk, gives to a program that talks to its
 * Redis port. All is written into a bucket made for it, which is removed at the end, also
 * after Ctrl-C. Only for the way to the peers a bucket is needed that they have too. */
#include "cli/bench.h"
#include "cli/cli.h"
#include "cli/columns.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <rejoin/node.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ROWS = 12,
    KEYS = 10000,
    COUNTERS = 100,
    VALUE = 100,
    MANY = 64, /* commands at once */
    SECONDS_MAX = 600,
    BLOCK = 4096,
    SYNCS_MAX = 5000,
    WAIT_MS = 30000,
    ROOM = 128
};

struct bench {
    struct rj_cli *cli;
    struct rj_bench_client client;
    char name[RJ_NAME_MAX + 1]; /* of the scratch bucket; "": there is none */
    char host[256], token[RJ_NAME_MAX + 64];
    unsigned port;
    uint64_t each_ns;
    struct rj_bench_row rows[ROWS];
    size_t n_rows;
    uint32_t seed; /* which key comes next */
};

/* ---- rows */

static struct rj_bench_row *row_new(struct bench *b, const char *name, const char *what,
                                    uint64_t at_once)
{
    struct rj_bench_row *row = b->n_rows < ROWS ? &b->rows[b->n_rows] : NULL;

    if (row == NULL)
        return NULL;
    *row = (struct rj_bench_row){.name = name, .at_once = at_once};
    row->ns = malloc(RJ_BENCH_SAMPLES * sizeof(row->ns[0]));
    if (row->ns == NULL)
        return NULL;
    (void)snprintf(row->what, sizeof(row->what), "%s", what);
    b->n_rows++;
    rj_cli_progress(b->cli, "measuring: %s ...", what);
    return row;
}

static bool is_over(const struct bench *b, const struct rj_bench_row *row)
{
    return row->took_ns >= b->each_ns || rj_cli_interrupted();
}

static int failed(struct bench *b, enum rj_err err)
{
    return rj_cli_fail(b->cli, err, "rejoin doctor", "the node did not answer: %s",
                       b->client.why[0] != '\0' ? b->client.why : rj_err_text(err));
}

/* Appends one command; kind is the name of its row. */
static void put_command(struct bench *b, struct rj_buf *out, const char *kind)
{
    static const char value[VALUE + 1] = "01234567890123456789012345678901234567890123456"
                                         "78901234567890123456789012345678901"
                                         "234567890123456789";
    char key[32];
    uint32_t draw = b->seed = b->seed * 1664525U + 1013904223U; /* Numerical Recipes */

    if (strcmp(kind, "incr") == 0) {
        (void)snprintf(key, sizeof(key), "counter:%u", (draw >> 8) % COUNTERS);
        rj_bench_put(out, (const char *[]){"INCR", key}, 2);
        return;
    }
    (void)snprintf(key, sizeof(key), "key:%u", (draw >> 8) % KEYS);
    if (strcmp(kind, "get") == 0)
        rj_bench_put(out, (const char *[]){"GET", key}, 2);
    else
        rj_bench_put(out, (const char *[]){"SET", key, value}, 3);
}

static int measure(struct bench *b, const char *kind, const char *what, uint64_t at_once)
{
    struct rj_bench_row *row = row_new(b, kind, what, at_once);
    struct rj_buf out = {0};
    enum rj_err err = row != NULL ? RJ_OK : RJ_ENOMEM;

    while (err == RJ_OK && !is_over(b, row)) {
        uint64_t begun;

        rj_buf_clear(&out);
        for (uint64_t i = 0; i < at_once; i++)
            put_command(b, &out, kind);
        begun = rj_bench_now_ns();
        err = rj_buf_err(&out);
        if (err == RJ_OK)
            err = rj_bench_ask(&b->client, rj_buf_view(&out), at_once, NULL);
        if (err == RJ_OK)
            rj_bench_note(row, begun, at_once);
    }
    rj_buf_done(&out);
    return err == RJ_OK ? 0 : failed(b, err);
}

/* ---- the disk */

/* How long the disk takes to say that 4 KiB are safe. */
static int measure_disk(struct bench *b)
{
    struct rj_bench_row *row = row_new(b, "fsync", "fsync of 4 KiB", 1);
    char path[RJ_FILE_PATH_MAX + 16];
    uint8_t block[BLOCK] = {0};
    int fd, status = 0;

    (void)snprintf(path, sizeof(path), "%s/bench.tmp", b->cli->home.dirs.data);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || row == NULL) {
        status = rj_cli_fail(b->cli, RJ_EIO, "", "%s: %s", path, strerror(errno));
    } else {
        while (!is_over(b, row) && row->count < SYNCS_MAX && status == 0) {
            uint64_t begun = rj_bench_now_ns();

            if (pwrite(fd, block, sizeof(block), 0) != BLOCK || fdatasync(fd) != 0)
                status = rj_cli_fail(b->cli, RJ_EIO, "", "%s: %s", path, strerror(errno));
            else
                rj_bench_note(row, begun, 1);
        }
    }
    if (fd >= 0) {
        (void)close(fd);
        (void)unlink(path);
    }
    return status;
}

/* ---- the bucket */

/* One request; *ret (may be NULL) is freed by the caller. setting NULL: the name alone.
 */
static int ask(struct bench *b, const char *verb, const char *name, const char *setting,
               struct rj_buf *ret)
{
    struct rj_buf body = {0};
    struct rj_doc args = {0};
    int status;

    rj_doc_map(&args);
    if (name != NULL)
        rj_doc_put_str(&args, "name", name);
    if (setting != NULL && strcmp(setting, "token") == 0)
        rj_doc_put_bool(&args, "token", true);
    else if (setting != NULL)
        rj_doc_put_str(&args, "durability", setting);
    rj_doc_end(&args);
    status = rj_cli_call(b->cli, verb, &args, RJ_CLI_CALL_TIMEOUT_MS,
                         ret != NULL ? ret : &body);
    rj_doc_done(&args);
    rj_buf_done(&body);
    return status;
}

/* Connects to the Redis port and takes that bucket. */
static int enter(struct bench *b, const char *name)
{
    struct rj_buf out = {0};
    enum rj_err err;

    rj_bench_close(&b->client);
    err = rj_bench_open(&b->client, b->host, b->port);
    rj_bench_put(&out, (const char *[]){"AUTH", name, b->token}, 3);
    if (err == RJ_OK)
        err = rj_bench_ask(&b->client, rj_buf_view(&out), 1, NULL);
    rj_buf_done(&out);
    return err == RJ_OK ? 0 : failed(b, err);
}

/* Where Redis clients connect. */
static int find_port(struct bench *b)
{
    struct rj_buf body = {0};
    int status = ask(b, "doctor", NULL, NULL, &body);

    if (status == 0) {
        struct rj_bytes doc = rj_buf_view(&body);

        b->port = (unsigned)rj_cli_uint(doc, "port_resp");
        (void)rj_cli_text(doc, "listen_resp", b->host, sizeof(b->host));
        if (b->host[0] == '\0' || strcmp(b->host, "0.0.0.0") == 0 ||
            strcmp(b->host, "::") == 0 || strcmp(b->host, "localhost") == 0)
            (void)snprintf(b->host, sizeof(b->host), "127.0.0.1");
        if (b->port == 0)
            status =
                rj_cli_fail(b->cli, RJ_EINVAL,
                            "rejoin config set port.resp 7341; rejoin down; rejoin up",
                            "this node has no Redis port");
    }
    rj_buf_done(&body);
    return status;
}

static int make_bucket(struct bench *b)
{
    struct rj_buf body = {0};
    int status;

    (void)snprintf(b->name, sizeof(b->name), "bench-%lx-%llx", (unsigned long)getpid(),
                   (unsigned long long)(rj_bench_now_ns() & 0xffffff));
    status = ask(b, "bucket.add", b->name, "second", NULL);
    if (status != 0) {
        b->name[0] = '\0';
        return status;
    }
    status = ask(b, "bucket.show", b->name, "token", &body);
    (void)rj_cli_text(rj_buf_view(&body), "token", b->token, sizeof(b->token));
    rj_buf_done(&body);
    return status != 0 ? status : enter(b, b->name);
}

static int measure_bucket(struct bench *b)
{
    static const struct {
        const char *kind, *what;
    } rows[] = {{"set", "SET"}, {"get", "GET"}, {"incr", "INCR"}};
    int status = make_bucket(b);

    for (size_t i = 0; status == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
        status = measure(b, rows[i].kind, rows[i].what, 1);
        if (status == 0)
            status = measure(b, rows[i].kind, rows[i].what, MANY);
    }
    if (status == 0)
        status = ask(b, "bucket.set", b->name, "always", NULL);
    if (status == 0)
        status = measure(b, "set_durable", "SET, safe on the disk", 1);
    if (status == 0)
        status = measure(b, "set_durable", "SET, safe on the disk", MANY);
    return status;
}

/* ---- the peers */

/* How many other members of the bucket are connected. */
static int count_peers(struct bench *b, const char *name, size_t *ret)
{
    struct rj_buf body = {0};
    struct rj_bytes list = {0}, space = {0}, m;
    size_t pos = 0;
    int status = ask(b, "status", name, NULL, &body);

    *ret = 0;
    if (status == 0 && rj_doc_find(rj_buf_view(&body), "spaces", &list) &&
        rj_doc_next(list, &pos, &space) && rj_doc_find(space, "devices", &list)) {
        for (pos = 0; rj_doc_next(list, &pos, &m);)
            *ret += rj_cli_bool(m, "connected") && !rj_cli_bool(m, "self") &&
                    !rj_cli_bool(m, "closed");
    }
    rj_buf_done(&body);
    return status;
}

/* SET and then a wait for `peers` others; durable: until it is on their disks. */
static int measure_way(struct bench *b, const char *key, size_t peers, bool durable)
{
    struct rj_buf out = {0};
    char count[16], limit[16], what[64];
    struct rj_bench_row *row;
    enum rj_err err = RJ_OK;
    int64_t reached = (int64_t)peers;

    (void)snprintf(count, sizeof(count), "%zu", peers);
    (void)snprintf(limit, sizeof(limit), "%d", WAIT_MS);
    (void)snprintf(what, sizeof(what), "SET, %s %zu %s", durable ? "safe at" : "got by",
                   peers, peers == 1 ? "peer" : "peers");
    rj_bench_put(&out, (const char *[]){"SET", key, "x"}, 3);
    if (durable)
        rj_bench_put(&out, (const char *[]){"WAITAOF", "0", count, limit}, 4);
    else
        rj_bench_put(&out, (const char *[]){"WAIT", count, limit}, 3);
    row = row_new(b, durable ? "peers_durable" : "peers_received", what, 1);
    if (row == NULL || rj_buf_err(&out) != RJ_OK)
        err = RJ_ENOMEM;
    while (err == RJ_OK && !is_over(b, row) && reached >= (int64_t)peers) {
        uint64_t begun = rj_bench_now_ns();

        err = rj_bench_ask(&b->client, rj_buf_view(&out), 2, &reached);
        if (err == RJ_OK && reached >= (int64_t)peers)
            rj_bench_note(row, begun, 1);
    }
    rj_buf_done(&out);
    if (err != RJ_OK)
        return failed(b, err);
    return reached >= (int64_t)peers
               ? 0
               : rj_cli_fail(b->cli, RJ_EUNREACH, "rejoin peer list",
                             "a peer left while it was measured");
}

static int measure_peers(struct bench *b, const char *name)
{
    char key[64];
    struct rj_buf body = {0}, out = {0};
    size_t peers;
    int status = count_peers(b, name, &peers);

    if (status == 0 && peers == 0)
        status = rj_cli_fail(b->cli, RJ_EUNREACH, "rejoin peer list",
                             "no other member of %s is connected", name);
    if (status == 0)
        status = ask(b, "bucket.show", name, NULL, &body);
    if (status == 0 && rj_cli_bool(rj_buf_view(&body), "has_token")) {
        rj_buf_clear(&body);
        status = ask(b, "bucket.show", name, "token", &body);
    }
    if (status == 0) {
        (void)snprintf(b->token, sizeof(b->token), "none");
        if (rj_cli_bool(rj_buf_view(&body), "has_token"))
            (void)rj_cli_text(rj_buf_view(&body), "token", b->token, sizeof(b->token));
        status = enter(b, name);
    }
    if (status == 0) {
        (void)snprintf(key, sizeof(key), "rejoin:bench:%lx", (unsigned long)getpid());
        status = measure_way(b, key, peers, false);
        if (status == 0)
            status = measure_way(b, key, peers, true);
        rj_bench_put(&out, (const char *[]){"DEL", key}, 2);
        if (b->client.fd >= 0 &&
            rj_bench_ask(&b->client, rj_buf_view(&out), 1, NULL) != RJ_OK && status == 0)
            status = failed(b, RJ_EIO);
    }
    rj_buf_done(&out);
    rj_buf_done(&body);
    return status;
}

/* ---- the result */

static const char *time_of(uint64_t ns, char room[ROOM])
{
    if (ns < 10000)
        (void)snprintf(room, ROOM, "%.1f us", (double)ns / 1e3);
    else if (ns < 1000000)
        (void)snprintf(room, ROOM, "%.0f us", (double)ns / 1e3);
    else if (ns < 100000000)
        (void)snprintf(room, ROOM, "%.1f ms", (double)ns / 1e6);
    else
        (void)snprintf(room, ROOM, "%.2f s", (double)ns / 1e9);
    return room;
}

static int show(struct bench *b)
{
    static const char *const heads[] = {"WHAT", ">AT ONCE", ">PER SECOND", ">MEDIAN",
                                        ">99 %"};
    struct rj_columns t;

    rj_columns_init(&t, heads, sizeof(heads) / sizeof(heads[0]));
    for (size_t i = 0; i < b->n_rows; i++) {
        struct rj_bench_row *row = &b->rows[i];
        char room[ROOM];

        if (row->count == 0)
            continue;
        rj_columns_cell(&t, row->what);
        rj_columns_cell(&t, rj_cli_number(row->at_once, room, sizeof(room)));
        rj_columns_cell(&t, rj_cli_number(rj_bench_per_second(row), room, sizeof(room)));
        rj_columns_cell(&t, time_of(rj_bench_permille(row, 500), room));
        rj_columns_cell(&t, time_of(rj_bench_permille(row, 990), room));
    }
    rj_columns_print(&t, stdout, rj_cli_colored(b->cli, STDOUT_FILENO));
    rj_columns_done(&t);
    return rj_cli_end(b->cli);
}

static json_t *row_json(struct rj_bench_row *row)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "what", row->name, "at_once",
                     (json_int_t)row->at_once, "count", (json_int_t)row->count,
                     "per_second", (json_int_t)rj_bench_per_second(row), "median_ns",
                     (json_int_t)rj_bench_permille(row, 500), "p99_ns",
                     (json_int_t)rj_bench_permille(row, 990));
}

static int show_json(struct bench *b)
{
    json_t *list = json_array(), *doc;
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < b->n_rows; i++)
        ok = json_array_append_new(list, row_json(&b->rows[i])) == 0;
    doc = ok ? json_pack("{s:i, s:i, s:O}", "v", 1, "value_bytes", VALUE, "rows", list)
             : NULL;
    json_decref(list);
    if (doc == NULL)
        return rj_cli_fail(b->cli, RJ_ENOMEM, "", "%s", rj_err_text(RJ_ENOMEM));
    (void)json_dumpf(doc, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(doc);
    return rj_cli_end(b->cli);
}

/* --seconds: of each row. */
static int read_seconds(struct bench *b)
{
    const char *text = rj_cli_option(b->cli, "seconds");
    char *end;
    double s = text != NULL ? strtod(text, &end) : 1;

    if (text != NULL && (end == text || *end != '\0' || !(s > 0) || s > SECONDS_MAX))
        return rj_cli_fail(b->cli, RJ_EINVAL, "--seconds 1",
                           "%s is no number of seconds up to %d", text, SECONDS_MAX);
    b->each_ns = (uint64_t)(s * 1e9) + 1;
    return 0;
}

static int run(struct bench *b)
{
    const char *shared = rj_cli_option(b->cli, "bucket");
    int status = read_seconds(b), removed = 0;

    if (status == 0)
        status = find_port(b);
    if (status == 0)
        status = measure_bucket(b);
    rj_bench_close(&b->client);
    if (b->name[0] != '\0')
        removed = ask(b, "bucket.remove", b->name, NULL, NULL);
    if (status == 0 && !rj_cli_interrupted())
        status = measure_disk(b);
    if (status == 0 && shared != NULL && !rj_cli_interrupted())
        status = measure_peers(b, shared);
    rj_cli_progress_end(b->cli);
    if (status == 0)
        status = removed;
    if (status == 0)
        status = b->cli->json ? show_json(b) : show(b);
    return status == 0 && rj_cli_interrupted() ? RJ_CLI_INTERRUPTED : status;
}

int rj_cmd_bench(struct rj_cli *cli)
{
    struct bench *b = calloc(1, sizeof(*b));
    int status;

    if (b == NULL)
        return rj_cli_fail(cli, RJ_ENOMEM, "", "%s", rj_err_text(RJ_ENOMEM));
    b->cli = cli;
    b->client.fd = -1;
    rj_cli_interrupts_later(true); /* the bucket has to be removed */
    status = run(b);
    rj_cli_interrupts_later(false);
    rj_bench_close(&b->client);
    for (size_t i = 0; i < b->n_rows; i++)
        free(b->rows[i].ns);
    free(b);
    return status;
}
