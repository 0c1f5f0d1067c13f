/* SPDX-License-Identifier: Apache-2.0 */
/* help and version: everything comes from commands.def. */
#include "cli/cli.h"

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

int rj_cmd_help(struct rj_cli *cli)
{
    const struct rj_cli_command *c = cli->command;

    if (c != NULL && c->fn == rj_cmd_help) {
        if (cli->n_args == 0) {
            overview();
            return rj_cli_end(cli);
        }
        c = rj_cli_find(cli->args[0], cli->n_args > 1 ? cli->args[1] : NULL);
        if (c == NULL && cli->n_args == 1 && noun(cli->args[0]))
            return rj_cli_end(cli);
        if (c == NULL)
            return rj_cli_fail(
                cli, RJ_ENOENT, "rejoin help", "there is no command %s%s%s", cli->args[0],
                cli->n_args > 1 ? " " : "", cli->n_args > 1 ? cli->args[1] : "");
    }
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
