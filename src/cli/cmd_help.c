/* SPDX-License-Identifier: Apache-2.0 */
/* help and version: everything comes from commands.def. */
#include "cli/cli.h"
#include "daemon/suggest.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static void put_line(const struct rj_cli_command *c)
{
    char left[64];

    (void)snprintf(left, sizeof(left), "%s%s%s", c->words, c->args[0] != '\0' ? " " : "",
                   c->args);
    if (strlen(left) > 30)
        (void)printf("  %s\n  %-30s  %s\n", left, "", c->summary);
    else
        (void)printf("  %-30s  %s\n", left, c->summary);
}

static void overview(void)
{
    const struct rj_cli_command *c;
    const char *group = "";

    (void)puts("rejoin keeps data the same on machines that come and go.\n\n"
               "usage: rejoin [flags] VERB ...   or   rejoin [flags] NOUN VERB NAME ...");
    for (size_t i = 0; (c = rj_cli_command(i)) != NULL; i++) {
        if (rj_cli_is_hidden(c))
            continue;
        if (strcmp(group, c->group) != 0)
            (void)printf("\n%s\n", c->group);
        group = c->group;
        put_line(c);
    }
    (void)printf("\nflags, anywhere\n%s\n"
                 "rejoin help COMMAND says more. REJOIN_HOME: all of a node in one "
                 "directory.\n",
                 rj_cli_flags_help);
}

static void one(const struct rj_cli_command *c)
{
    (void)printf("rejoin %s%s%s\n  %s\n", c->words, c->args[0] != '\0' ? " " : "",
                 c->args, c->summary);
    if (c->details[0] != '\0')
        (void)printf("\n%s", c->details);
}

/* All verbs of a noun; false: it is none. */
static bool noun(const char *word)
{
    const struct rj_cli_command *c;
    size_t len = strlen(word);
    bool found = false;

    for (size_t i = 0; (c = rj_cli_command(i)) != NULL; i++) {
        if (strncmp(c->words, word, len) != 0 || c->words[len] != ' ')
            continue;
        found = true;
        put_line(c);
    }
    return found;
}

static int no_topic(struct rj_cli *cli)
{
    const char *second = cli->n_args > 1 ? cli->args[1] : "";
    char typed[RJ_SUGGEST_WORD_MAX + 1], hint[2 * RJ_SUGGEST_WORD_MAX] = "rejoin help";
    struct rj_suggest s = {.word = typed};
    const struct rj_cli_command *c;

    (void)snprintf(typed, sizeof(typed), "%s%s%s", cli->args[0],
                   second[0] != '\0' ? " " : "", second);
    for (size_t i = 0; (c = rj_cli_command(i)) != NULL; i++)
        rj_suggest_try(&s, c->words);
    if (s.best != NULL)
        (void)snprintf(hint, sizeof(hint), "did you mean rejoin help %s?", s.best);
    return rj_cli_fail(cli, RJ_ENOENT, hint, "there is no command %s", typed);
}

/* ---- for programs */

/* The options of a list as in commands.def. */
static json_t *options_json(const char *list)
{
    json_t *all = json_array();

    while (all != NULL && *list != '\0') {
        size_t word = strcspn(list, " "), name = strcspn(list, "= ");
        json_t *one = json_pack("{s:s%}", "name", list, name);

        if (one == NULL ||
            (name < word &&
             json_object_set_new(one, "value",
                                 json_stringn(list + name + 1, word - name - 1)) != 0) ||
            json_array_append(all, one) != 0) {
            json_decref(one);
            json_decref(all);
            return NULL;
        }
        json_decref(one);
        list += word;
        list += strspn(list, " ");
    }
    return all;
}

static json_t *command_json(const struct rj_cli_command *c)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:s}", "words", c->words, "group",
                     c->group, "arguments", c->args, "options", options_json(c->options),
                     "summary", c->summary, "details", c->details);
}

/* All commands, whatever was asked for: programs can choose. */
static int show_json(struct rj_cli *cli)
{
    json_t *commands = json_array(), *flags = json_array(), *doc;
    const struct rj_cli_command *c;
    bool ok = commands != NULL && flags != NULL;

    for (size_t i = 0; ok && (c = rj_cli_command(i)) != NULL; i++)
        ok = rj_cli_is_hidden(c) || json_array_append_new(commands, command_json(c)) == 0;
    for (size_t i = 0; ok && rj_cli_flag(i) != NULL; i++)
        ok = json_array_append_new(flags, json_string(rj_cli_flag(i))) == 0;
    doc = ok ? json_pack("{s:i, s:O, s:O}", "v", 1, "commands", commands, "flags", flags)
             : NULL;
    json_decref(commands);
    json_decref(flags);
    if (doc == NULL)
        return rj_cli_fail(cli, RJ_ENOMEM, "", "%s", rj_err_text(RJ_ENOMEM));
    (void)json_dumpf(doc, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(doc);
    return rj_cli_end(cli);
}

int rj_cmd_help(struct rj_cli *cli)
{
    const struct rj_cli_command *c = cli->command;

    if (c != NULL && c->fn == rj_cmd_help) {
        if (cli->json)
            return show_json(cli);
        if (cli->n_args == 0) {
            overview();
            return rj_cli_end(cli);
        }
        c = rj_cli_find(cli->args[0], cli->n_args > 1 ? cli->args[1] : NULL);
        if (c == NULL && cli->n_args == 1 && noun(cli->args[0]))
            return rj_cli_end(cli);
        if (c == NULL)
            return no_topic(cli);
    }
    if (cli->json)
        return show_json(cli);
    if (c != NULL)
        one(c);
    else if (cli->n_args == 0 || !noun(cli->args[0]))
        overview();
    return rj_cli_end(cli);
}

int rj_cmd_version(struct rj_cli *cli)
{
    if (cli->json)
        (void)printf("{\"v\":1,\"version\":\"%s\"}\n", RJ_VERSION);
    else
        (void)printf("rejoin %s\n", RJ_VERSION);
    return rj_cli_end(cli);
}
