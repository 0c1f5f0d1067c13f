/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all commands, and what it says of words, flags and options. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = RJ_CLI_WORD_MAX };

#define STARTS  RJ_CLI_STARTS
#define DRY     RJ_CLI_DRY
#define LITERAL RJ_CLI_LITERAL
static const struct rj_cli_command commands[] = {
#define X(word, handler, in, takes, lo, hi, opts, bits, what, more)                      \
    {.words = word,                                                                      \
     .fn = rj_cmd_##handler,                                                             \
     .group = in,                                                                        \
     .args = takes,                                                                      \
     .least = lo,                                                                        \
     .most = hi,                                                                         \
     .options = opts,                                                                    \
     .flags = bits,                                                                      \
     .summary = what,                                                                    \
     .details = more},
#include "cli/commands.def"
#undef X
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

const char rj_cli_flags_help[] =
    "  --json            one JSON document on stdout; streams one object a line\n"
    "  -q, -v            less, more on stderr\n"
    "  -n, --dry-run     say what would be done, do nothing\n"
    "  -y, --yes         do not ask\n"
    "  --timeout S       give up after so many seconds\n"
    "  --color WHEN      auto, always or never\n"
    "  --socket PATH     control socket of the daemon\n"
    "  -h, --help        help for the command\n"
    "  --version         which version this is\n"
    "  --                ends flags\n";

const struct rj_cli_command *rj_cli_command(size_t i)
{
    return i < COMMANDS ? &commands[i] : NULL;
}

bool rj_cli_is_hidden(const struct rj_cli_command *c)
{
    return strcmp(c->group, "hidden") == 0;
}

const struct rj_cli_command *rj_cli_find(const char *first, const char *second)
{
    char words[2 * WORD_MAX + 2];

    if (strlen(first) > WORD_MAX || (second != NULL && strlen(second) > WORD_MAX))
        return NULL;
    (void)snprintf(words, sizeof(words), "%s%s%s", first, second != NULL ? " " : "",
                   second != NULL ? second : "");
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].words, words) == 0)
            return &commands[i];
    }
    return NULL;
}

/* Looks for name in a list as in commands.def. */
static enum rj_cli_takes option_in(const char *list, const char *name)
{
    size_t len = strlen(name);

    while (*list != '\0') {
        size_t word = strcspn(list, " ");

        if (word >= len && strncmp(list, name, len) == 0 &&
            (word == len || list[len] == '='))
            return word == len ? RJ_CLI_TAKES_NOTHING : RJ_CLI_TAKES_VALUE;
        list += word;
        list += strspn(list, " ");
    }
    return RJ_CLI_UNKNOWN;
}

enum rj_cli_takes rj_cli_takes(const struct rj_cli_command *c, const char *name)
{
    if (c != NULL)
        return option_in(c->options, name);
    for (size_t i = 0; i < COMMANDS; i++) {
        enum rj_cli_takes found = option_in(commands[i].options, name);

        if (found != RJ_CLI_UNKNOWN)
            return found;
    }
    return RJ_CLI_UNKNOWN;
}

static const char *const long_flags[] = {"json", "quiet",   "verbose", "dry-run",
                                         "yes",  "timeout", "color",   "socket",
                                         "help", "version"};

const char *rj_cli_flag(size_t i)
{
    return i < sizeof(long_flags) / sizeof(long_flags[0]) ? long_flags[i] : NULL;
}

bool rj_cli_takes_value(const char *name)
{
    return strcmp(name, "timeout") == 0 || strcmp(name, "color") == 0 ||
           strcmp(name, "socket") == 0 || rj_cli_takes(NULL, name) == RJ_CLI_TAKES_VALUE;
}
