/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing. Flags may stand anywhere, also before the command that gives them their
 * meaning; so no two commands may disagree on whether an option takes a value, and the
 * table of all of them decides that. There are no abbreviations: what a script wrote
 * today means the same when more options exist. */
#include "cli/cli.h"
#include "daemon/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = RJ_CLI_WORD_MAX, CANDIDATES_MAX = 128 };

/* Whether word is the first of two-word commands. */
static bool is_noun(const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; rj_cli_command(i) != NULL; i++) {
        const char *words = rj_cli_command(i)->words;

        if (strncmp(words, word, len) == 0 && words[len] == ' ')
            return true;
    }
    return false;
}

/* ---- options */

static enum rj_err unknown_flag(struct rj_cli *cli, const char *arg)
{
    struct rj_suggest s = {.word = arg};
    char word[WORD_MAX], hint[RJ_CLI_WHY_MAX] = "rejoin help";
    char candidates[CANDIDATES_MAX][WORD_MAX];
    size_t n = 0;

    for (size_t i = 0; rj_cli_flag(i) != NULL; i++)
        (void)snprintf(candidates[n++], WORD_MAX, "--%s", rj_cli_flag(i));
    for (size_t i = 0; rj_cli_command(i) != NULL; i++) {
        const char *list = rj_cli_command(i)->options;

        while (*list != '\0' && n < CANDIDATES_MAX) {
            size_t len = strcspn(list, " ");

            (void)snprintf(word, sizeof(word), "%.*s", (int)len, list);
            (void)snprintf(candidates[n++], WORD_MAX, "--%.*s", (int)strcspn(word, "="),
                           word);
            list += len;
            list += strspn(list, " ");
        }
    }
    for (size_t i = 0; i < n; i++)
        rj_suggest_try(&s, candidates[i]);
    if (s.best != NULL)
        (void)snprintf(hint, sizeof(hint), "did you mean %s?", s.best);
    (void)rj_cli_fail(cli, RJ_EINVAL, hint, "unknown flag %s", arg);
    return RJ_EINVAL;
}

static enum rj_err parse_seconds(struct rj_cli *cli, const char *text)
{
    char *end;
    double s = strtod(text, &end);

    if (end == text || *end != '\0' || !(s > 0) || s > 1e9) {
        (void)rj_cli_fail(cli, RJ_EINVAL, "--timeout 30", "%s is no number of seconds",
                          text);
        return RJ_EINVAL;
    }
    cli->timeout_ms = (uint64_t)(s * 1000.0);
    cli->timeout_ms += cli->timeout_ms == 0;
    return RJ_OK;
}

static enum rj_err parse_color(struct rj_cli *cli, const char *text)
{
    if (strcmp(text, "auto") == 0)
        cli->color = RJ_CLI_COLOR_AUTO;
    else if (strcmp(text, "always") == 0)
        cli->color = RJ_CLI_COLOR_ALWAYS;
    else if (strcmp(text, "never") == 0)
        cli->color = RJ_CLI_COLOR_NEVER;
    else {
        (void)rj_cli_fail(cli, RJ_EINVAL, "--color auto|always|never", "%s is no choice",
                          text);
        return RJ_EINVAL;
    }
    return RJ_OK;
}

/* A global flag without a value; false: it is none. */
static bool plain_flag(struct rj_cli *cli, const char *name)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"json", &cli->json},       {"quiet", &cli->quiet},
                 {"verbose", &cli->verbose}, {"dry-run", &cli->dry},
                 {"yes", &cli->yes},         {"help", &cli->help},
                 {"version", &cli->version}};

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(name, flags[i].name) == 0) {
            *flags[i].flag = true;
            return true;
        }
    }
    return false;
}

static bool short_flags(struct rj_cli *cli, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        switch (*letters) {
        case 'q':
            cli->quiet = true;
            break;
        case 'v':
            cli->verbose = true;
            break;
        case 'n':
            cli->dry = true;
            break;
        case 'y':
            cli->yes = true;
            break;
        case 'h':
            cli->help = true;
            break;
        default:
            return false;
        }
    }
    return true;
}

/* Takes what --name (with value, or NULL) means. */
static enum rj_err take_option(struct rj_cli *cli, const char *name, const char *value)
{
    if (value != NULL && strcmp(name, "timeout") == 0)
        return parse_seconds(cli, value);
    if (value != NULL && strcmp(name, "color") == 0)
        return parse_color(cli, value);
    if (value != NULL && strcmp(name, "socket") == 0) {
        cli->socket = value;
        return RJ_OK;
    }
    if (cli->n_options == RJ_CLI_OPTIONS_MAX) {
        (void)rj_cli_fail(cli, RJ_EINVAL, "", "too many options");
        return RJ_EINVAL;
    }
    cli->options[cli->n_options++] = (struct rj_cli_option){.name = name, .value = value};
    return RJ_OK;
}

/* Where the parser is in argv. */
struct cursor {
    char **argv;
    int argc, i;
    bool ended; /* "--" was seen */
};

static enum rj_err long_flag(struct rj_cli *cli, struct cursor *at, const char *arg)
{
    const char *equals = strchr(arg, '='), *value = NULL;
    size_t len = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
    char *name = cli->option_names[cli->n_options];

    if (len - 2 >= WORD_MAX)
        return unknown_flag(cli, arg);
    memcpy(name, arg + 2, len - 2);
    name[len - 2] = '\0';
    if (equals == NULL && plain_flag(cli, name))
        return RJ_OK;
    if (!rj_cli_takes_value(name) &&
        (rj_cli_takes(NULL, name) != RJ_CLI_TAKES_NOTHING || equals != NULL))
        return unknown_flag(cli, arg);
    if (rj_cli_takes_value(name)) {
        value = equals != NULL         ? equals + 1
                : at->i + 1 < at->argc ? at->argv[++at->i]
                                       : NULL;
        if (value == NULL) {
            char hint[2 * WORD_MAX];

            (void)snprintf(hint, sizeof(hint), "--%s VALUE, or --%s=VALUE", name, name);
            (void)rj_cli_fail(cli, RJ_EINVAL, hint, "--%s needs a value", name);
            return RJ_EINVAL;
        }
    }
    return take_option(cli, name, value);
}

static bool is_number(const char *arg)
{
    return arg[0] == '-' && arg[1] >= '0' && arg[1] <= '9';
}

/* ---- words */

static enum rj_err add_word(struct rj_cli *cli, const char *word)
{
    if (cli->n_args == RJ_CLI_ARGS_MAX) {
        (void)rj_cli_fail(cli, RJ_EINVAL, "", "too many arguments");
        return RJ_EINVAL;
    }
    cli->args[cli->n_args++] = word;
    return RJ_OK;
}

/* Whether everything from here on belongs to a foreign command. */
static bool is_literal(const struct rj_cli *cli)
{
    const struct rj_cli_command *c;

    if (cli->n_args < 4)
        return false;
    c = rj_cli_find(cli->args[0], cli->args[1]);
    return c != NULL && (c->flags & RJ_CLI_LITERAL) != 0;
}

static void unknown_word(struct rj_cli *cli, const char *noun, const char *word)
{
    struct rj_suggest s = {.word = word};
    char hint[RJ_CLI_WHY_MAX];
    char candidates[CANDIDATES_MAX][WORD_MAX];
    size_t len = noun != NULL ? strlen(noun) : 0;

    for (size_t i = 0; i < CANDIDATES_MAX && rj_cli_command(i) != NULL; i++) {
        const char *words = rj_cli_command(i)->words;

        if (noun != NULL && (strncmp(words, noun, len) != 0 || words[len] != ' '))
            continue;
        (void)snprintf(candidates[i], WORD_MAX, "%.*s",
                       noun != NULL ? WORD_MAX : (int)strcspn(words, " "),
                       noun != NULL ? words + len + 1 : words);
        rj_suggest_try(&s, candidates[i]);
    }
    if (s.best != NULL)
        (void)snprintf(hint, sizeof(hint), "did you mean rejoin %s%s%s?",
                       noun != NULL ? noun : "", noun != NULL ? " " : "", s.best);
    else
        (void)snprintf(hint, sizeof(hint), "rejoin help%s%s", noun != NULL ? " " : "",
                       noun != NULL ? noun : "");
    (void)rj_cli_fail(cli, RJ_EINVAL, hint, "there is no command %s%s%s",
                      noun != NULL ? noun : "", noun != NULL ? " " : "", word);
}

/* Names the verbs that go with it. */
static void noun_alone(struct rj_cli *cli, const char *noun)
{
    char hint[RJ_CLI_WHY_MAX];
    size_t len = strlen(noun), n = 0;

    for (size_t i = 0; rj_cli_command(i) != NULL && n < sizeof(hint); i++) {
        const char *words = rj_cli_command(i)->words;

        if (strncmp(words, noun, len) == 0 && words[len] == ' ')
            n += (size_t)snprintf(hint + n, sizeof(hint) - n, "%s%s",
                                  n == 0 ? "one of: " : " ", words + len + 1);
    }
    (void)rj_cli_fail(cli, RJ_EINVAL, hint, "%s needs a verb", noun);
}

/* Takes the command's words from the front of the arguments. */
static enum rj_err find_command(struct rj_cli *cli)
{
    size_t words = 1;

    if (cli->n_args == 0)
        return RJ_OK; /* help, version or nothing at all */
    cli->command = rj_cli_find(cli->args[0], NULL);
    if (cli->command == NULL && is_noun(cli->args[0])) {
        if (cli->n_args == 1) {
            if (cli->help)
                return RJ_OK;
            noun_alone(cli, cli->args[0]);
            return RJ_EINVAL;
        }
        cli->command = rj_cli_find(cli->args[0], cli->args[1]);
        words = 2;
        if (cli->command == NULL) {
            unknown_word(cli, cli->args[0], cli->args[1]);
            return RJ_EINVAL;
        }
    }
    if (cli->command == NULL) {
        unknown_word(cli, NULL, cli->args[0]);
        return RJ_EINVAL;
    }
    cli->n_args -= words;
    memmove(cli->args, cli->args + words, cli->n_args * sizeof(cli->args[0]));
    return RJ_OK;
}

/* Whether the command takes what was typed. */
static enum rj_err check(struct rj_cli *cli)
{
    const struct rj_cli_command *c = cli->command;
    char hint[RJ_CLI_WHY_MAX];

    if (c == NULL || cli->help || cli->version)
        return RJ_OK;
    (void)snprintf(hint, sizeof(hint), "rejoin %s%s%s", c->words,
                   c->args[0] != '\0' ? " " : "", c->args);
    if (cli->n_args < c->least || cli->n_args > c->most) {
        (void)rj_cli_fail(cli, RJ_EINVAL, hint, "%s: %s", c->words,
                          cli->n_args < c->least ? "an argument is missing"
                                                 : "there are arguments too many");
        return RJ_EINVAL;
    }
    for (size_t i = 0; i < cli->n_options; i++) {
        if (rj_cli_takes(c, cli->options[i].name) == RJ_CLI_UNKNOWN) {
            (void)snprintf(hint, sizeof(hint), "rejoin help %s", c->words);
            (void)rj_cli_fail(cli, RJ_EINVAL, hint, "%s has no option --%s", c->words,
                              cli->options[i].name);
            return RJ_EINVAL;
        }
    }
    if (cli->dry && (c->flags & RJ_CLI_DRY) == 0) {
        (void)rj_cli_fail(cli, RJ_EINVAL, "leave -n out",
                          "%s knows no -n: it changes nothing, or cannot tell", c->words);
        return RJ_EINVAL;
    }
    return RJ_OK;
}

/* For errors: what stands behind the flag that is wrong was not read yet. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            return true;
    }
    return false;
}

enum rj_err rj_cli_parse(struct rj_cli *cli, int argc, char **argv)
{
    struct cursor at = {.argv = argv, .argc = argc, .i = 1};
    enum rj_err err = RJ_OK;

    cli->json_error = asks_for_json(argc, argv);

    for (; err == RJ_OK && at.i < argc; at.i++) {
        const char *arg = argv[at.i];

        if (at.ended || is_literal(cli) || arg[0] != '-' || arg[1] == '\0' ||
            is_number(arg))
            err = add_word(cli, arg);
        else if (strcmp(arg, "--") == 0)
            at.ended = true;
        else if (arg[1] == '-')
            err = long_flag(cli, &at, arg);
        else if (!short_flags(cli, arg + 1))
            err = unknown_flag(cli, arg);
    }
    if (err == RJ_OK)
        err = find_command(cli);
    if (err == RJ_OK)
        err = check(cli);
    if (err == RJ_OK)
        cli->json_error = false;
    return err;
}
