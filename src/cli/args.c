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

/* Whether word is the first of two-word commands. */
static bool is_noun(const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i < COMMANDS; i++) {
        if (strncmp(commands[i].words, word, len) == 0 && commands[i].words[len] == ' ')
            return true;
    }
    return false;
}

/* ---- options */

/* Looks for name in a list as in commands.def: 0 not there, 1 takes no value, 2 does. */
static int option_in(const char *list, const char *name)
{
    size_t len = strlen(name);

    while (*list != '\0') {
        size_t word = strcspn(list, " ");

        if (word >= len && strncmp(list, name, len) == 0 &&
            (word == len || list[len] == '='))
            return word == len ? 1 : 2;
        list += word;
        list += strspn(list, " ");
    }
    return 0;
}

static int option_anywhere(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        int found = option_in(commands[i].options, name);

        if (found != 0)
            return found;
    }
    return 0;
}

static const char *const long_flags[] = {"json", "quiet",   "verbose", "dry-run",
                                         "yes",  "timeout", "color",   "socket",
                                         "help", "version"};

const char *rj_cli_flag(size_t i)
{
    return i < sizeof(long_flags) / sizeof(long_flags[0]) ? long_flags[i] : NULL;
}

static enum rj_err unknown_flag(struct rj_cli *cli, const char *arg)
{
    struct rj_suggest s = {.word = arg};
    char word[WORD_MAX], hint[RJ_CLI_WHY_MAX] = "rejoin help";
    char candidates[CANDIDATES_MAX][WORD_MAX];
    size_t n = 0;

    for (size_t i = 0; i < sizeof(long_flags) / sizeof(long_flags[0]); i++)
        (void)snprintf(candidates[n++], WORD_MAX, "--%s", long_flags[i]);
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *list = commands[i].options;

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

bool rj_cli_takes_value(const char *name)
{
    return strcmp(name, "timeout") == 0 || strcmp(name, "color") == 0 ||
           strcmp(name, "socket") == 0 || option_anywhere(name) == 2;
}

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
    if (!rj_cli_takes_value(name) && (option_anywhere(name) != 1 || equals != NULL))
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
    char candidates[COMMANDS][WORD_MAX];
    size_t len = noun != NULL ? strlen(noun) : 0;

    for (size_t i = 0; i < COMMANDS; i++) {
        const char *words = commands[i].words;

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

    for (size_t i = 0; i < COMMANDS && n < sizeof(hint); i++) {
        if (strncmp(commands[i].words, noun, len) == 0 && commands[i].words[len] == ' ')
            n += (size_t)snprintf(hint + n, sizeof(hint) - n, "%s%s",
                                  n == 0 ? "one of: " : " ", commands[i].words + len + 1);
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
        if (option_in(c->options, cli->options[i].name) == 0) {
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

const char *rj_cli_option(const struct rj_cli *cli, const char *name)
{
    for (size_t i = 0; i < cli->n_options; i++) {
        if (strcmp(cli->options[i].name, name) == 0)
            return cli->options[i].value;
    }
    return NULL;
}

bool rj_cli_has(const struct rj_cli *cli, const char *name)
{
    for (size_t i = 0; i < cli->n_options; i++) {
        if (strcmp(cli->options[i].name, name) == 0)
            return true;
    }
    return false;
}

int rj_cli_no_setting(struct rj_cli *cli, const char *typed, const char *names,
                      const char *what)
{
    char word[WORD_MAX], known[4][WORD_MAX], hint[RJ_CLI_WHY_MAX];
    struct rj_suggest s = {.word = word};
    const char *list = names;

    (void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(typed, "="), typed);
    for (size_t i = 0; *list != '\0' && i < sizeof(known) / sizeof(known[0]); i++) {
        (void)snprintf(known[i], WORD_MAX, "%.*s", (int)strcspn(list, " "), list);
        rj_suggest_try(&s, known[i]);
        list += strcspn(list, " ");
        list += strspn(list, " ");
    }
    if (s.best != NULL && strcmp(s.best, word) != 0)
        (void)snprintf(hint, sizeof(hint), "did you mean %s=?", s.best);
    else
        (void)snprintf(hint, sizeof(hint), "rejoin help %s", cli->command->words);
    return rj_cli_fail(cli, RJ_EINVAL, hint, "%s is no setting of %s", typed, what);
}

enum rj_err rj_cli_duration(const char *text, uint64_t *ret_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"", 1000}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    const uint64_t most = 366 * (uint64_t)86400000;
    char *end;
    unsigned long long n;

    if (*text < '0' || *text > '9')
        return RJ_EINVAL;
    n = strtoull(text, &end, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) == 0 && n > 0 && n <= most / units[i].ms) {
            *ret_ms = n * units[i].ms;
            return RJ_OK;
        }
    }
    return RJ_EINVAL;
}
