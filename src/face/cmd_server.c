/* SPDX-License-Identifier: Apache-2.0 */
/* The server as clients see it: what it is, what it can do, and waiting until other nodes
 * have what was written (WAIT: received, WAITAOF: durable). */
#include "face/resp_cmd.h"
#include "face/resp_glob.h"
#include "face/resp_num.h"

#include <inttypes.h>
#include <stdio.h>

enum rj_err rj_cmd_server_dbsize(struct rj_resp_call *c)
{
    rj_resp_reply_int(c->r, (int64_t)rj_bucket_count(c->bucket));
    return RJ_OK;
}

enum rj_err rj_cmd_server_time(struct rj_resp_call *c)
{
    uint64_t ms = c->s->host->ops->now(c->s->host).wall.ms;
    uint8_t text[RJ_RESP_NUM_MAX];

    rj_resp_reply_array(c->r, 2);
    rj_resp_reply_bulk(c->r, rj_bytes_of(text, rj_resp_num_put_u64(text, ms / 1000)));
    rj_resp_reply_bulk(c->r,
                       rj_bytes_of(text, rj_resp_num_put_u64(text, ms % 1000 * 1000)));
    return RJ_OK;
}

/* ---- WAIT, WAITAOF */

static enum rj_err start_wait(struct rj_resp_call *c, struct rj_resp_wait *w,
                              bool with_local)
{
    struct rj_resp *s = c->s;
    struct rj_resp_acks acks = {0};
    enum rj_err err;

    w->wrote = s->wrote_ever;
    w->at_once = c->grouped;
    err = s->host->ops->wait(s->host, s, w, &acks);
    if (err == RJ_EBUSY && !w->at_once) {
        s->waiting = true;
        s->wait_local = with_local;
        return RJ_OK;
    }
    if (err != RJ_OK)
        return err;
    rj_resp_cmd_acks(c->r, &acks, with_local);
    return RJ_OK;
}

/* False: an error was appended. */
static bool read_timeout(struct rj_resp_call *c, size_t at, uint64_t *ret_ms)
{
    int64_t v;

    if (!rj_resp_num_i64(c->argv[at], &v)) {
        rj_resp_reply_error(c->r, "ERR timeout is not an integer or out of range");
        return false;
    }
    if (v < 0) {
        rj_resp_reply_error(c->r, "ERR timeout is negative");
        return false;
    }
    *ret_ms = (uint64_t)v;
    return true;
}

enum rj_err rj_cmd_server_wait(struct rj_resp_call *c)
{
    struct rj_resp_wait w = {0};
    int64_t peers;

    if (!rj_resp_num_i64(c->argv[1], &peers))
        return rj_resp_cmd_not_int(c);
    if (!read_timeout(c, 2, &w.timeout_ms))
        return RJ_OK;
    w.peers = peers > 0 ? (uint64_t)peers : 0;
    return start_wait(c, &w, false);
}

enum rj_err rj_cmd_server_waitaof(struct rj_resp_call *c)
{
    struct rj_resp_wait w = {.durable = true};
    int64_t local, peers;

    if (!rj_resp_num_i64(c->argv[1], &local) || !rj_resp_num_i64(c->argv[2], &peers))
        return rj_resp_cmd_not_int(c);
    if (local < 0 || local > 1)
        return rj_resp_cmd_fail(c, "ERR value is out of range, must be between 0 and 1");
    if (peers < 0)
        return rj_resp_cmd_fail(c, "ERR value is out of range, must be positive");
    if (!read_timeout(c, 3, &w.timeout_ms))
        return RJ_OK;
    w.local = (uint64_t)local;
    w.peers = (uint64_t)peers;
    return start_wait(c, &w, true);
}

/* ---- INFO */

static void info_server(struct rj_resp_call *c, struct rj_buf *out)
{
    (void)c;
    rj_buf_printf(out,
                  "redis_version:%s\r\nredis_mode:standalone\r\nrejoin_version:%s\r\n"
                  "arch_bits:%zu\r\n",
                  RJ_RESP_REDIS_VERSION, RJ_VERSION, 8 * sizeof(void *));
}

static void info_persistence(struct rj_resp_call *c, struct rj_buf *out)
{
    (void)c;
    rj_buf_append_str(out, "loading:0\r\n");
}

static void info_stats(struct rj_resp_call *c, struct rj_buf *out)
{
    rj_buf_printf(out,
                  "total_commands_processed:%" PRIu64 "\r\ntotal_error_replies:%" PRIu64
                  "\r\n",
                  c->s->host->commands, c->s->host->errors);
}

static void info_replication(struct rj_resp_call *c, struct rj_buf *out)
{
    (void)c;
    rj_buf_append_str(out, "role:master\r\n");
}

static void info_cluster(struct rj_resp_call *c, struct rj_buf *out)
{
    (void)c;
    rj_buf_append_str(out, "cluster_enabled:0\r\n");
}

static void info_keyspace(struct rj_resp_call *c, struct rj_buf *out)
{
    struct rj_bucket *b;

    if (rj_resp_cmd_bucket(c->s, &b) == RJ_OK && rj_bucket_count(b) > 0)
        rj_buf_printf(out, "db0:keys=%" PRIu64 ",expires=0,avg_ttl=0\r\n",
                      rj_bucket_count(b));
}

static void info_nothing(struct rj_resp_call *c, struct rj_buf *out)
{
    (void)c;
    (void)out;
}

static bool info_wanted(const struct rj_resp_call *c, const char *section)
{
    for (size_t i = 1; i < c->argc; i++)
        if (rj_resp_cmd_is(c, i, section) || rj_resp_cmd_is(c, i, "all") ||
            rj_resp_cmd_is(c, i, "default") || rj_resp_cmd_is(c, i, "everything"))
            return true;
    return c->argc == 1;
}

/* First what the face knows, then what the host adds. */
enum rj_err rj_cmd_server_info(struct rj_resp_call *c)
{
    static const struct {
        const char *title, *name;
        void (*own)(struct rj_resp_call *c, struct rj_buf *out);
    } sections[] = {
        {"Server", "server", info_server},
        {"Clients", "clients", info_nothing},
        {"Memory", "memory", info_nothing},
        {"Persistence", "persistence", info_persistence},
        {"Stats", "stats", info_stats},
        {"Replication", "replication", info_replication},
        {"CPU", "cpu", info_nothing},
        {"Cluster", "cluster", info_cluster},
        {"Keyspace", "keyspace", info_keyspace},
        {"Rejoin", "rejoin", info_nothing},
    };
    struct rj_buf *text = &c->s->scratch;

    rj_buf_clear(text);
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        if (!info_wanted(c, sections[i].name))
            continue;
        rj_buf_printf(text, "%s# %s\r\n", text->len > 0 ? "\r\n" : "", sections[i].title);
        sections[i].own(c, text);
        c->s->host->ops->info(c->s->host, c->s, sections[i].name, text);
    }
    if (text->failed)
        return RJ_ENOMEM;
    rj_resp_reply_verbatim(c->r, rj_buf_view(text));
    return RJ_OK;
}

/* ---- CONFIG */

static const char events_name[] = "notify-keyspace-events";

/* The settings of the host, then the one of the face. */
struct config_walk {
    struct rj_resp_host *host;
    size_t i;
    bool end;
    char letters[RJ_RESP_LETTERS_MAX];
};

static bool config_next(struct config_walk *w, struct rj_resp_setting *ret)
{
    if (w->end)
        return false;
    if (w->host->ops->config(w->host, w->i++, ret))
        return true;
    w->end = true;
    rj_resp_event_write(w->host->events, w->letters);
    *ret = (struct rj_resp_setting){.name = events_name, .value = w->letters};
    return true;
}

static enum rj_err config_get(struct rj_resp_call *c)
{
    struct config_walk walk = {.host = c->s->host};
    uint64_t steps = RJ_RESP_GLOB_STEPS;
    size_t start = rj_resp_reply_open(c->r), n = 0;
    struct rj_resp_setting setting;

    while (config_next(&walk, &setting)) {
        bool wanted = false;

        for (size_t j = 2; j < c->argc && !wanted; j++)
            wanted = rj_resp_glob_match_nocase(c->argv[j],
                                               rj_bytes_from_str(setting.name), &steps);
        if (!wanted)
            continue;
        rj_resp_reply_bulk_str(c->r, setting.name);
        rj_resp_reply_bulk_str(c->r, setting.value);
        n++;
    }
    if (steps == 0) {
        rj_buf_truncate(c->r->buf, start);
        return rj_resp_cmd_costly(c);
    }
    rj_resp_reply_close(c->r, start, RJ_RESP_MAP, n);
    return RJ_OK;
}

/* SET name value...: only what is the node's business for as long as it runs. */
static enum rj_err config_set(struct rj_resp_call *c)
{
    unsigned events = 0;

    if (c->argc % 2 != 0)
        return rj_resp_cmd_fail(c,
                                "ERR wrong number of arguments for 'config|set' command");
    for (size_t i = 2; i < c->argc; i += 2)
        if (!rj_resp_cmd_is(c, i, events_name))
            return rj_resp_cmd_refuse(c, "config set");
    for (size_t i = 2; i < c->argc; i += 2)
        if (!rj_resp_event_read(c->argv[i + 1], &events))
            return rj_resp_cmd_fail(
                c, "ERR CONFIG SET failed (possibly related to argument "
                   "'notify-keyspace-events') - Invalid event class character. Use "
                   "'Ag$lshzxeKEtd'.");
    c->s->host->events = events;
    rj_resp_reply_ok(c->r);
    return RJ_OK;
}

static enum rj_err config_resetstat(struct rj_resp_call *c)
{
    c->s->host->commands = 0;
    c->s->host->errors = 0;
    rj_resp_reply_ok(c->r);
    return RJ_OK;
}

enum rj_err rj_cmd_server_config(struct rj_resp_call *c)
{
    static const struct rj_resp_sub subs[] = {
        {"get", -3, "GET <pattern> [<pattern> ...]", config_get},
        {"resetstat", 2, "RESETSTAT -- counters of INFO begin anew", config_resetstat},
        {"set", -4, "SET notify-keyspace-events <letters> -- until the node ends",
         config_set},
        {"rewrite", 0, "", NULL},
    };

    return rj_resp_cmd_sub(c, subs, sizeof(subs) / sizeof(subs[0]));
}

/* ---- COMMAND */

static size_t command_count(void)
{
    size_t n = 0;

    while (rj_resp_table_at(n) != NULL)
        n++;
    return n;
}

static void reply_flags(struct rj_resp_reply *r, unsigned flags)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {
        {RJ_RESP_WRITE, "write"},    {RJ_RESP_READONLY, "readonly"},
        {RJ_RESP_ADMIN, "admin"},    {RJ_RESP_FAST, "fast"},
        {RJ_RESP_NOAUTH, "no_auth"}, {RJ_RESP_NOMULTI, "no_multi"},
        {RJ_RESP_PUBSUB, "pubsub"},  {RJ_RESP_NUMKEYS, "movablekeys"},
    };
    size_t opened = rj_resp_reply_open(r), n = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!(flags & names[i].flag))
            continue;
        rj_resp_reply_simple(r, names[i].name);
        n++;
    }
    rj_resp_reply_close(r, opened, RJ_RESP_SET, n);
}

/* Name, arity, flags, first, last, step, categories, tips, key specifications,
 * subcommands. */
static void reply_command(struct rj_resp_reply *r, const struct rj_resp_command *cmd)
{
    bool reads = cmd->flags & RJ_RESP_READONLY, writes = cmd->flags & RJ_RESP_WRITE;
    bool fixed = !(cmd->flags & RJ_RESP_NUMKEYS);

    rj_resp_reply_array(r, 10);
    rj_resp_reply_bulk_str(r, cmd->name);
    rj_resp_reply_int(r, cmd->arity);
    reply_flags(r, cmd->flags);
    rj_resp_reply_int(r, fixed ? cmd->first : 0);
    rj_resp_reply_int(r, fixed ? cmd->last : 0);
    rj_resp_reply_int(r, fixed ? cmd->step : 0);
    rj_resp_reply_set(r, 1 + (size_t)(reads || writes));
    if (reads || writes)
        rj_resp_reply_simple(r, writes ? "@write" : "@read");
    rj_resp_reply_simple(r, cmd->flags & RJ_RESP_FAST ? "@fast" : "@slow");
    rj_resp_reply_array(r, 0);
    rj_resp_reply_set(r, 0);
    rj_resp_reply_array(r, 0);
}

/* A command by name; a refused one counts as unknown. */
static const struct rj_resp_command *offered(struct rj_bytes name)
{
    const struct rj_resp_command *cmd = rj_resp_table_find(name);

    return cmd != NULL && cmd->handler != NULL ? cmd : NULL;
}

static enum rj_err command_all(struct rj_resp_call *c)
{
    size_t n = command_count();

    rj_resp_reply_array(c->r, n);
    for (size_t i = 0; i < n; i++)
        reply_command(c->r, rj_resp_table_at(i));
    return RJ_OK;
}

static enum rj_err command_n(struct rj_resp_call *c)
{
    rj_resp_reply_int(c->r, (int64_t)command_count());
    return RJ_OK;
}

static enum rj_err command_info(struct rj_resp_call *c)
{
    if (c->argc == 2)
        return command_all(c);
    rj_resp_reply_array(c->r, c->argc - 2);
    for (size_t i = 2; i < c->argc; i++) {
        const struct rj_resp_command *cmd = offered(c->argv[i]);

        if (cmd != NULL)
            reply_command(c->r, cmd);
        else
            rj_resp_reply_null(c->r);
    }
    return RJ_OK;
}

static void reply_docs(struct rj_resp_reply *r, const struct rj_resp_command *cmd)
{
    rj_resp_reply_bulk_str(r, cmd->name);
    rj_resp_reply_map(r, 2);
    rj_resp_reply_bulk_str(r, "summary");
    rj_resp_reply_bulk_str(r, cmd->text);
    rj_resp_reply_bulk_str(r, "group");
    rj_resp_reply_bulk_str(r, cmd->group);
}

static enum rj_err command_docs(struct rj_resp_call *c)
{
    size_t opened = rj_resp_reply_open(c->r), n = 0;

    if (c->argc == 2)
        for (; rj_resp_table_at(n) != NULL; n++)
            reply_docs(c->r, rj_resp_table_at(n));
    for (size_t i = 2; i < c->argc; i++) {
        const struct rj_resp_command *cmd = offered(c->argv[i]);

        if (cmd == NULL)
            continue;
        reply_docs(c->r, cmd);
        n++;
    }
    rj_resp_reply_close(c->r, opened, RJ_RESP_MAP, n);
    return RJ_OK;
}

/* LIST [FILTERBY PATTERN p | ACLCAT c | MODULE m]: there are no modules or categories. */
static enum rj_err command_list(struct rj_resp_call *c)
{
    uint64_t steps = RJ_RESP_GLOB_STEPS;
    size_t opened = rj_resp_reply_open(c->r), n = 0;
    bool pattern = rj_resp_cmd_is(c, 3, "pattern");

    if (c->argc != 2 && (c->argc != 5 || !rj_resp_cmd_is(c, 2, "filterby") ||
                         (!pattern && !rj_resp_cmd_is(c, 3, "aclcat") &&
                          !rj_resp_cmd_is(c, 3, "module"))))
        return rj_resp_cmd_syntax(c);
    for (size_t i = 0; rj_resp_table_at(i) != NULL; i++) {
        const char *name = rj_resp_table_at(i)->name;

        if (c->argc == 5 &&
            !(pattern &&
              rj_resp_glob_match_nocase(c->argv[4], rj_bytes_from_str(name), &steps)))
            continue;
        rj_resp_reply_bulk_str(c->r, name);
        n++;
    }
    rj_resp_reply_close(c->r, opened, RJ_RESP_ARRAY, n);
    return RJ_OK;
}

/* GETKEYS command argument... */
static enum rj_err command_getkeys(struct rj_resp_call *c)
{
    const struct rj_resp_command *cmd = offered(c->argv[2]);
    size_t argc = c->argc - 2, opened = rj_resp_reply_open(c->r), n = 0, first, last;
    uint64_t n_keys;

    if (cmd == NULL)
        return rj_resp_cmd_fail(c, "ERR Invalid command specified");
    if (cmd->first == 0)
        return rj_resp_cmd_fail(c, "ERR The command has no key arguments");
    if (cmd->arity >= 0 ? argc != (size_t)cmd->arity : argc < (size_t)-cmd->arity)
        return rj_resp_cmd_fail(c,
                                "ERR Invalid number of arguments specified for command");
    last = cmd->last < 0 ? argc - 1 : (size_t)cmd->last;
    first = (size_t)cmd->first;
    if (cmd->flags & RJ_RESP_NUMKEYS) {
        if (!rj_resp_num_u64(c->argv[2 + first], &n_keys) || n_keys >= argc - first)
            return rj_resp_cmd_fail(c, "ERR Invalid arguments specified for command");
        last = first + n_keys;
        first++;
    }
    if (last >= argc)
        return rj_resp_cmd_fail(c, "ERR Invalid arguments specified for command");
    for (size_t i = first; i <= last; i += (size_t)cmd->step) {
        rj_resp_reply_bulk(c->r, c->argv[2 + i]);
        n++;
    }
    rj_resp_reply_close(c->r, opened, RJ_RESP_ARRAY, n);
    return RJ_OK;
}

enum rj_err rj_cmd_server_command(struct rj_resp_call *c)
{
    static const struct rj_resp_sub subs[] = {
        {"count", 2, "COUNT -- how many commands there are", command_n},
        {"docs", -2, "DOCS [<command> ...] -- what they do", command_docs},
        {"getkeys", -4, "GETKEYS <command> <argument> ...", command_getkeys},
        {"info", -2, "INFO [<command> ...] -- arity, flags, keys", command_info},
        {"list", -2, "LIST [FILTERBY PATTERN <pattern>] -- their names", command_list},
    };

    if (c->argc == 1)
        return command_all(c);
    return rj_resp_cmd_sub(c, subs, sizeof(subs) / sizeof(subs[0]));
}
