/* SPDX-License-Identifier: Apache-2.0 */
/* bucket add, list, show, set, remove, get, put, del. */
#include "cli/cli.h"
#include "cli/columns.h"

#include <rejoin/node.h>
#include <stdio.h>
#include <unistd.h>

enum { ROOM = 160, PIECE = 64 * 1024 };

/* Begins the arguments with the bucket's name. */
static void begin(struct rj_cli *cli, struct rj_doc *args)
{
    rj_doc_map(args);
    rj_doc_put_str(args, "name", cli->args[0]);
}

/* ---- add, list, show */

static int show_added(struct rj_cli *cli, struct rj_bytes doc)
{
    char name[ROOM], durability[32], policy[32];

    (void)rj_cli_text(doc, "policy", policy, sizeof(policy));
    if (!cli->quiet)
        (void)printf("%s  bucket  durability %s%s%s\n",
                     rj_cli_text(doc, "name", name, sizeof(name)),
                     rj_cli_text(doc, "durability", durability, sizeof(durability)),
                     strcmp(policy, "delete-wins") == 0 ? "  policy delete-wins" : "",
                     rj_cli_bool(doc, "default") ? "  (default of Redis clients)" : "");
    return rj_cli_end(cli);
}

int rj_cmd_bucket_add(struct rj_cli *cli)
{
    struct rj_doc args = {0};

    if (rj_cli_dry(cli, "make a bucket %s", cli->args[0]))
        return rj_cli_end(cli);
    begin(cli, &args);
    if (rj_cli_has(cli, "durability"))
        rj_doc_put_str(&args, "durability", rj_cli_option(cli, "durability"));
    if (rj_cli_has(cli, "policy"))
        rj_doc_put_str(&args, "policy", rj_cli_option(cli, "policy"));
    return rj_cli_ask(cli, "bucket.add", &args, show_added);
}

static int show_list(struct rj_cli *cli, struct rj_bytes doc)
{
    static const char *const heads[] = {"BUCKET",  ">KEYS", ">MEMBERS",
                                        "DURABLE", "ROLE",  ""};
    struct rj_bytes list, b;
    struct rj_columns t;
    size_t pos = 0;

    rj_columns_init(&t, heads, sizeof(heads) / sizeof(heads[0]));
    while (rj_doc_find(doc, "buckets", &list) && rj_doc_next(list, &pos, &b)) {
        char room[ROOM];

        rj_columns_cell(&t, rj_cli_text(b, "name", room, sizeof(room)));
        rj_columns_cell(&t, rj_cli_number(rj_cli_uint(b, "keys"), room, sizeof(room)));
        rj_columns_cell(&t, rj_cli_number(rj_cli_uint(b, "members"), room, sizeof(room)));
        rj_columns_cell(&t, rj_cli_text(b, "durability", room, sizeof(room)));
        rj_columns_cell(&t, rj_cli_text(b, "role", room, sizeof(room)));
        rj_columns_cell(&t, rj_cli_bool(b, "default") ? "default" : "");
    }
    if (t.n_cells > 0)
        rj_columns_print(&t, stdout, rj_cli_colored(cli, STDOUT_FILENO));
    else
        rj_cli_say(cli, "no buckets yet: rejoin bucket add NAME, or rejoin join TICKET");
    rj_columns_done(&t);
    return rj_cli_end(cli);
}

int rj_cmd_bucket_list(struct rj_cli *cli)
{
    struct rj_doc args = {0};

    rj_doc_map(&args);
    return rj_cli_ask(cli, "bucket.list", &args, show_list);
}

/* Fields as they are called for people; a line fits 80 columns with an id. */
struct field {
    const char *key, *label;
};

static void put_field(const char *label, const char *value)
{
    (void)printf("%-15s %s\n", label, value);
}

static int show_one(struct rj_cli *cli, struct rj_bytes doc)
{
    static const struct field texts[] = {
        {"name", "name"},     {"id", "id"},      {"durability", "durability"},
        {"policy", "policy"}, {"role", "role"},  {"digest", "digest"},
        {"vector", "vector"}, {"token", "token"}};
    static const struct field numbers[] = {{"keys", "keys"},
                                           {"members", "members"},
                                           {"origins", "origins"},
                                           {"writes", "writes"},
                                           {"own_writes", "own writes"},
                                           {"unstable", "unstable"},
                                           {"log_bytes", "log bytes"},
                                           {"parked_batches", "parked"},
                                           {"truncated_batches", "truncated"},
                                           {"port_resp", "port of Redis"}};
    struct rj_bytes list, text;
    char room[ROOM];
    size_t pos = 0;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (rj_cli_text(doc, texts[i].key, room, sizeof(room))[0] != '\0')
            put_field(texts[i].label, room);
    }
    put_field("default", rj_cli_bool(doc, "default") ? "yes" : "no");
    put_field("token set", rj_cli_bool(doc, "has_token") ? "yes" : "no");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        put_field(numbers[i].label,
                  rj_cli_number(rj_cli_uint(doc, numbers[i].key), room, sizeof(room)));
    while (rj_doc_find(doc, "limits", &list) && rj_doc_next(list, &pos, &text))
        put_field("limited by", rj_cli_plain(text, room, sizeof(room)));
    return rj_cli_end(cli);
}

int rj_cmd_bucket_show(struct rj_cli *cli)
{
    struct rj_doc args = {0};

    begin(cli, &args);
    rj_doc_put_bool(&args, "token", rj_cli_has(cli, "token"));
    return rj_cli_ask(cli, "bucket.show", &args, show_one);
}

/* ---- set, remove */

/* Puts one SETTING=VALUE. Returns the exit status. */
static int put_setting(struct rj_cli *cli, struct rj_doc *args, const char *setting)
{
    const char *equals = strchr(setting, '=');
    size_t len = equals != NULL ? (size_t)(equals - setting) : 0;

    if (len == strlen("durability") && strncmp(setting, "durability", len) == 0)
        rj_doc_put_str(args, "durability", equals + 1);
    else if (len == strlen("token") && strncmp(setting, "token", len) == 0)
        rj_doc_put_str(args, "token", equals + 1);
    else if (len > 0 && strcmp(setting, "default=yes") == 0)
        rj_doc_put_bool(args, "default", true);
    else
        return rj_cli_no_setting(cli, setting, "durability token default", "a bucket");
    return 0;
}

int rj_cmd_bucket_set(struct rj_cli *cli)
{
    struct rj_doc args = {0};
    int status = 0;

    begin(cli, &args);
    for (size_t i = 1; status == 0 && i < cli->n_args; i++)
        status = put_setting(cli, &args, cli->args[i]);
    if (status != 0 || rj_cli_dry(cli, "change bucket %s", cli->args[0])) {
        rj_doc_done(&args);
        return status != 0 ? status : rj_cli_end(cli);
    }
    return rj_cli_ask(cli, "bucket.set", &args, show_added);
}

int rj_cmd_bucket_remove(struct rj_cli *cli)
{
    struct rj_doc args = {0};
    char question[ROOM];
    int status;

    if (rj_cli_dry(cli, "remove bucket %s from this node", cli->args[0]))
        return rj_cli_end(cli);
    (void)snprintf(question, sizeof(question),
                   "remove bucket %.64s and all it holds on this node", cli->args[0]);
    status = rj_cli_confirm(cli, question);
    if (status != 0)
        return status;
    begin(cli, &args);
    return rj_cli_ask(cli, "bucket.remove", &args, NULL);
}

/* ---- get, put, del */

static int show_value(struct rj_cli *cli, struct rj_bytes doc)
{
    struct rj_bytes value = {0};

    (void)rj_doc_get_text(doc, "value", &value);
    if (value.len > 0)
        (void)fwrite(value.ptr, 1, value.len, stdout);
    if (isatty(STDOUT_FILENO))
        (void)putchar('\n'); /* for eyes; a pipe gets the value and nothing else */
    return rj_cli_end(cli);
}

static void put_key(struct rj_cli *cli, struct rj_doc *args)
{
    rj_doc_key(args, "key");
    rj_doc_bytes(args, rj_bytes_from_str(cli->args[1]));
}

int rj_cmd_bucket_get(struct rj_cli *cli)
{
    struct rj_doc args = {0};

    begin(cli, &args);
    put_key(cli, &args);
    return rj_cli_ask(cli, "bucket.get", &args, show_value);
}

/* All of standard input, up to the size of a value. Returns the exit status. */
static int read_value(struct rj_cli *cli, struct rj_buf *ret)
{
    size_t n = 1;

    rj_buf_init(ret, (size_t)RJ_VALUE_MAX + PIECE);
    while (n > 0 && ret->len <= RJ_VALUE_MAX) {
        uint8_t *room = rj_buf_reserve(ret, PIECE);

        n = room != NULL ? fread(room, 1, PIECE, stdin) : 0;
        rj_buf_commit(ret, n);
    }
    if (rj_buf_err(ret) == RJ_OK && ret->len <= RJ_VALUE_MAX)
        return 0;
    return rj_cli_fail(cli, RJ_ELIMIT, "", "a value is at most %d bytes", RJ_VALUE_MAX);
}

int rj_cmd_bucket_put(struct rj_cli *cli)
{
    struct rj_bytes value = rj_bytes_from_str(cli->args[2]);
    struct rj_buf room = {0};
    struct rj_doc args = {0};
    int status = 0;

    if (rj_cli_dry(cli, "set key %s of bucket %s", cli->args[1], cli->args[0]))
        return rj_cli_end(cli);
    if (strcmp(cli->args[2], "-") == 0) {
        status = read_value(cli, &room);
        value = rj_buf_view(&room);
    }
    if (status == 0) {
        begin(cli, &args);
        put_key(cli, &args);
        rj_doc_key(&args, "value");
        rj_doc_bytes(&args, value);
        status = rj_cli_ask(cli, "bucket.put", &args, NULL);
    }
    rj_buf_done(&room);
    return status;
}

int rj_cmd_bucket_del(struct rj_cli *cli)
{
    struct rj_doc args = {0};

    if (rj_cli_dry(cli, "delete key %s of bucket %s", cli->args[1], cli->args[0]))
        return rj_cli_end(cli);
    begin(cli, &args);
    put_key(cli, &args);
    return rj_cli_ask(cli, "bucket.del", &args, NULL);
}
