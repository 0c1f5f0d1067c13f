/* SPDX-License-Identifier: Apache-2.0 */
/* config get, set, list: through the daemon when it runs, else on the file itself, so
 * that a node can be set up before its first start. */
#include "cli/cli.h"
#include "cli/columns.h"
#include "daemon/config.h"
#include "daemon/suggest.h"
#include "posix/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 4200 };

/* The key, or a suggestion. Returns the exit status. */
static int check_key(struct rj_cli *cli, const char *key)
{
    struct rj_suggest s = {.word = key};
    char hint[4 * RJ_CONFIG_KEY_MAX] = "rejoin config list";
    const struct rj_config_key *known;
    size_t len = strlen(key), n = 0;

    if (rj_config_find(key) != NULL)
        return 0;
    for (size_t i = 0; (known = rj_config_key(i)) != NULL; i++) {
        rj_suggest_try(&s, known->key);
        if (strncmp(known->key, key, len) == 0 && known->key[len] == '.' &&
            n < sizeof(hint))
            n += (size_t)snprintf(hint + n, sizeof(hint) - n, "%s%s",
                                  n == 0 ? "one of: " : " ", known->key);
    }
    if (s.best != NULL)
        (void)snprintf(hint, sizeof(hint), "did you mean %s?", s.best);
    return rj_cli_fail(cli, RJ_ENOENT, hint, "there is no setting %s", key);
}

/* Whether the daemon runs. *ret_status: not 0 when that could not be found out. */
static bool is_up(struct rj_cli *cli, int *ret_status)
{
    char why[RJ_CLI_WHY_MAX] = "";
    enum rj_err err = rj_cli_connect(cli, why, sizeof(why));

    *ret_status =
        err == RJ_OK || err == RJ_ENODAEMON ? 0 : rj_cli_fail(cli, err, "", "%s", why);
    return err == RJ_OK;
}

static int load(struct rj_cli *cli, struct rj_config *config)
{
    enum rj_err err = rj_config_load(config, cli->home.dirs.config_file);

    return err == RJ_OK
               ? 0
               : rj_cli_fail(cli, err, cli->home.dirs.config_file, "%s",
                             config->why[0] != '\0' ? config->why : rj_err_text(err));
}

/* Prints the document d (consumed) or its field value alone. */
static int show(struct rj_cli *cli, struct rj_doc *take_d, bool value_only)
{
    char room[ROOM];
    struct rj_bytes doc = {0};
    int status = 0;

    if (rj_doc_view(take_d, &doc) != RJ_OK)
        status = rj_cli_fail(cli, RJ_ENOMEM, "", "%s", rj_err_text(RJ_ENOMEM));
    else if (cli->json)
        status = rj_cli_json(cli, doc);
    else if (value_only)
        (void)puts(rj_cli_text(doc, "value", room, sizeof(room)));
    rj_doc_done(take_d);
    return status == 0 ? rj_cli_end(cli) : status;
}

/* ---- where it comes from */

/* "default", or the file and the line. */
static const char *origin_of(const struct rj_config *config, const char *key, char *room,
                             size_t size)
{
    if (rj_config_is_set(config, key))
        (void)snprintf(room, size, "%s:%zu", config->path, rj_config_line(config, key));
    else
        (void)snprintf(room, size, "default");
    return room;
}

static void put_origin(struct rj_doc *d, const struct rj_config *config, const char *key)
{
    bool set = rj_config_is_set(config, key);

    rj_doc_put_str(d, "origin", set ? "file" : "default");
    if (set)
        rj_doc_put_uint(d, "line", rj_config_line(config, key));
}

/* The places of a node, and what decided each. */
struct place {
    const char *what, *path, *origin;
};

enum { PLACES = 4 };

/* The first of these variables that counts (posix/dirs.h); NULL: none. */
static const char *first_set(const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *value = getenv(names[i]);
        bool relative = strcmp(names[i], "REJOIN_CONFIG") == 0 ||
                        strcmp(names[i], "REJOIN_SOCKET") == 0;

        if (value != NULL && (value[0] == '/' || (relative && value[0] != '\0')))
            return names[i];
    }
    return NULL;
}

static void find_places(const struct rj_cli *cli, struct place ret[PLACES])
{
    static const char *const data[] = {"REJOIN_HOME", "STATE_DIRECTORY", "XDG_DATA_HOME",
                                       "HOME"};
    static const char *const config[] = {"REJOIN_CONFIG", "REJOIN_HOME",
                                         "CONFIGURATION_DIRECTORY", "XDG_CONFIG_HOME",
                                         "HOME"};
    static const char *const run[] = {"REJOIN_HOME", "RUNTIME_DIRECTORY",
                                      "XDG_RUNTIME_DIR", "HOME"};
    static const char *const socket[] = {"REJOIN_SOCKET", "REJOIN_HOME",
                                         "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR", "HOME"};
    const struct rj_dirs *dirs = &cli->home.dirs;

    ret[0] = (struct place){"configuration", dirs->config_file, first_set(config, 5)};
    ret[1] = (struct place){"data", dirs->data, first_set(data, 4)};
    ret[2] = (struct place){"runtime", dirs->runtime, first_set(run, 4)};
    ret[3] = (struct place){"socket", dirs->socket, first_set(socket, 5)};
    if (cli->socket != NULL)
        ret[3] = (struct place){"socket", cli->socket, "--socket"};
}

/* ---- get */

int rj_cmd_config_get(struct rj_cli *cli)
{
    struct rj_config config = {0};
    char room[ROOM];
    struct rj_doc d = {0};
    int status = check_key(cli, cli->args[0]);

    if (status == 0)
        status = load(cli, &config);
    if (status == 0) {
        rj_doc_map(&d);
        rj_doc_put_str(&d, "key", cli->args[0]);
        rj_doc_put_str(&d, "value", rj_config_shown(&config, cli->args[0]));
        rj_doc_put_bool(&d, "set", rj_config_is_set(&config, cli->args[0]));
        put_origin(&d, &config, cli->args[0]);
        rj_doc_end(&d);
        status = show(cli, &d, true);
        if (status == 0 && !cli->json && rj_cli_has(cli, "origin"))
            rj_cli_say(cli, "%s", origin_of(&config, cli->args[0], room, sizeof(room)));
    }
    rj_config_done(&config);
    return status;
}

/* ---- set */

static int set_by_daemon(struct rj_cli *cli, const char *value)
{
    struct rj_buf body = {0};
    struct rj_doc args = {0};
    int status;

    rj_doc_map(&args);
    rj_doc_put_str(&args, "key", cli->args[0]);
    if (value != NULL)
        rj_doc_put_str(&args, "value", value);
    rj_doc_end(&args);
    status = rj_cli_call(cli, "config.set", &args, RJ_CLI_CALL_TIMEOUT_MS, &body);
    if (status == 0 && cli->json)
        status = rj_cli_json(cli, rj_buf_view(&body));
    if (status == 0 && rj_cli_bool(rj_buf_view(&body), "restart"))
        rj_cli_say(cli, "takes effect at the next start: rejoin down; rejoin up");
    rj_doc_done(&args);
    rj_buf_done(&body);
    return status;
}

static int set_in_file(struct rj_cli *cli, const char *value)
{
    struct rj_config config = {0};
    struct rj_doc d = {0};
    enum rj_err err =
        rj_file_mkdirs(cli->home.dirs.config, 0700, config.why, sizeof(config.why));
    int status;

    if (err != RJ_OK)
        return rj_cli_fail(cli, err, "", "%s", config.why);
    status = load(cli, &config);
    if (status == 0) {
        err = rj_config_set(&config, cli->args[0], value);
        if (err != RJ_OK)
            status = rj_cli_fail(cli, err, "rejoin config list", "%s", config.why);
    }
    if (status == 0) {
        rj_doc_map(&d);
        rj_doc_put_str(&d, "key", cli->args[0]);
        rj_doc_put_str(&d, "value", rj_config_shown(&config, cli->args[0]));
        rj_doc_put_bool(&d, "restart", false);
        rj_doc_end(&d);
        status = show(cli, &d, false);
    }
    rj_config_done(&config);
    return status;
}

int rj_cmd_config_set(struct rj_cli *cli)
{
    const char *value = cli->n_args > 1 ? cli->args[1] : NULL;
    int status = check_key(cli, cli->args[0]);
    bool up;

    if (status != 0)
        return status;
    if ((value == NULL) != rj_cli_has(cli, "unset"))
        return rj_cli_fail(cli, RJ_EINVAL, "rejoin config set KEY VALUE",
                           "give either a value or --unset");
    if (rj_cli_dry(cli, "set %s to %s", cli->args[0],
                   value != NULL ? value : "its default"))
        return rj_cli_end(cli);
    up = is_up(cli, &status);
    if (status != 0)
        return status;
    return up ? set_by_daemon(cli, value) : set_in_file(cli, value);
}

/* ---- list */

static void show_table(struct rj_cli *cli, const struct rj_config *config)
{
    static const char *const heads[] = {"SETTING", "VALUE", "WHAT IT IS"};
    const struct rj_config_key *key;
    struct rj_columns t;

    rj_columns_init(&t, heads, sizeof(heads) / sizeof(heads[0]));
    for (size_t i = 0; (key = rj_config_key(i)) != NULL; i++) {
        char value[RJ_COLUMNS_CELL_MAX];

        (void)snprintf(value, sizeof(value), "%.150s%s",
                       rj_config_shown(config, key->key),
                       rj_config_is_set(config, key->key) ? " *" : "");
        rj_columns_cell(&t, key->key);
        rj_columns_cell(&t, value);
        rj_columns_cell(&t, key->help);
    }
    rj_columns_print(&t, stdout, rj_cli_colored(cli, STDOUT_FILENO));
    rj_columns_done(&t);
}

static void show_origins(struct rj_cli *cli, const struct rj_config *config)
{
    static const char *const heads[] = {"SETTING", "VALUE", "COMES FROM"};
    const char *slash = strrchr(cli->home.dirs.config_file, '/');
    const struct rj_config_key *key;
    struct place places[PLACES];
    struct rj_columns t;

    rj_columns_init(&t, heads, sizeof(heads) / sizeof(heads[0]));
    for (size_t i = 0; (key = rj_config_key(i)) != NULL; i++) {
        char from[RJ_COLUMNS_CELL_MAX] = "default";

        if (rj_config_is_set(config, key->key))
            (void)snprintf(from, sizeof(from), "%.140s:%zu",
                           slash != NULL ? slash + 1 : "",
                           rj_config_line(config, key->key));
        rj_columns_cell(&t, key->key);
        rj_columns_cell(&t, rj_config_shown(config, key->key));
        rj_columns_cell(&t, from);
    }
    rj_columns_print(&t, stdout, rj_cli_colored(cli, STDOUT_FILENO));
    rj_columns_done(&t);
    (void)putchar('\n');
    find_places(cli, places);
    for (size_t i = 0; i < PLACES; i++) /* not cut: a path that is cut is none */
        (void)printf("%-13s  %s  (%s)\n", places[i].what, places[i].path,
                     places[i].origin != NULL ? places[i].origin : "default");
}

static void put_keys(struct rj_doc *d, const struct rj_config *config)
{
    const struct rj_config_key *key;

    rj_doc_key(d, "keys");
    rj_doc_array(d);
    for (size_t i = 0; (key = rj_config_key(i)) != NULL; i++) {
        rj_doc_map(d);
        rj_doc_put_str(d, "key", key->key);
        rj_doc_put_str(d, "value", rj_config_shown(config, key->key));
        rj_doc_put_bool(d, "set", rj_config_is_set(config, key->key));
        rj_doc_put_str(d, "help", key->help);
        put_origin(d, config, key->key);
        rj_doc_end(d);
    }
    rj_doc_end(d);
}

static void put_places(struct rj_doc *d, const struct rj_cli *cli)
{
    struct place places[PLACES];

    find_places(cli, places);
    rj_doc_key(d, "places");
    rj_doc_array(d);
    for (size_t i = 0; i < PLACES; i++) {
        rj_doc_map(d);
        rj_doc_put_str(d, "what", places[i].what);
        rj_doc_put_str(d, "path", places[i].path);
        rj_doc_put_str(d, "origin",
                       places[i].origin != NULL ? places[i].origin : "default");
        rj_doc_end(d);
    }
    rj_doc_end(d);
}

int rj_cmd_config_list(struct rj_cli *cli)
{
    struct rj_config config = {0};
    struct rj_doc d = {0};
    int status = load(cli, &config);

    if (status != 0)
        return status;
    if (cli->json) {
        rj_doc_map(&d);
        rj_doc_put_str(&d, "file", cli->home.dirs.config_file);
        put_keys(&d, &config);
        put_places(&d, cli);
        rj_doc_end(&d);
        status = show(cli, &d, false);
    } else if (rj_cli_has(cli, "origin")) {
        show_origins(cli, &config);
        status = rj_cli_end(cli);
    } else {
        show_table(cli, &config);
        rj_cli_say(cli, "* is set in %s", cli->home.dirs.config_file);
        status = rj_cli_end(cli);
    }
    rj_config_done(&config);
    return status;
}
