/* SPDX-License-Identifier: Apache-2.0 */
/* config get, set, list: through the daemon when it runs, else on the file itself, so
 * that a node can be set up before its first start. */
#include "cli/cli.h"
#include "cli/columns.h"
#include "cli/suggest.h"
#include "daemon/config.h"
#include "posix/file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROOM = 4200 };

/* The key, or a suggestion. Returns the exit status. */
static int check_key(struct rj_cli *cli, const char *key)
{
    struct rj_suggest s = {.word = key};
    char hint[RJ_CONFIG_KEY_MAX + 32] = "rejoin config list";
    const struct rj_config_key *known;

    if (rj_config_find(key) != NULL)
        return 0;
    for (size_t i = 0; (known = rj_config_key(i)) != NULL; i++)
        rj_suggest_try(&s, known->key);
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

/* ---- get */

int rj_cmd_config_get(struct rj_cli *cli)
{
    struct rj_config config = {0};
    struct rj_doc d = {0};
    int status = check_key(cli, cli->args[0]);

    if (status == 0)
        status = load(cli, &config);
    if (status == 0) {
        rj_doc_map(&d);
        rj_doc_put_str(&d, "key", cli->args[0]);
        rj_doc_put_str(&d, "value", rj_config_get(&config, cli->args[0]));
        rj_doc_put_bool(&d, "set", rj_config_is_set(&config, cli->args[0]));
        rj_doc_end(&d);
        status = show(cli, &d, true);
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
        rj_doc_put_str(&d, "value", rj_config_get(&config, cli->args[0]));
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

        (void)snprintf(value, sizeof(value), "%.150s%s", rj_config_get(config, key->key),
                       rj_config_is_set(config, key->key) ? " *" : "");
        rj_columns_cell(&t, key->key);
        rj_columns_cell(&t, value);
        rj_columns_cell(&t, key->help);
    }
    rj_columns_print(&t, stdout, rj_cli_colored(cli, STDOUT_FILENO));
    rj_columns_done(&t);
}

int rj_cmd_config_list(struct rj_cli *cli)
{
    struct rj_config config = {0};
    const struct rj_config_key *key;
    struct rj_doc d = {0};
    int status = load(cli, &config);

    if (status != 0)
        return status;
    if (!cli->json) {
        show_table(cli, &config);
        rj_cli_say(cli, "* is set in %s", cli->home.dirs.config_file);
        rj_config_done(&config);
        return rj_cli_end(cli);
    }
    rj_doc_map(&d);
    rj_doc_put_str(&d, "file", cli->home.dirs.config_file);
    rj_doc_key(&d, "keys");
    rj_doc_array(&d);
    for (size_t i = 0; (key = rj_config_key(i)) != NULL; i++) {
        rj_doc_map(&d);
        rj_doc_put_str(&d, "key", key->key);
        rj_doc_put_str(&d, "value", rj_config_get(&config, key->key));
        rj_doc_put_bool(&d, "set", rj_config_is_set(&config, key->key));
        rj_doc_put_str(&d, "help", key->help);
        rj_doc_end(&d);
    }
    rj_doc_end(&d);
    rj_doc_end(&d);
    rj_config_done(&config);
    return show(cli, &d, false);
}
