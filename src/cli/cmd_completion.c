/* SPDX-License-Identifier: Apache-2.0 */
/* completion: the shell asks this program what may come next, with the words that were
 * typed so far. So the script never grows old: commands, options and what they take come
 * from commands.def, names from the daemon, which gets little time to answer. */
#include "cli/cli.h"
#include "daemon/config.h"

#include <rejoin/node.h>
#include <stdio.h>
#include <string.h>

enum { ASK_MS = 1000, WORDS_MAX = 64, PLACE = 64 };

static const char bash_script[] =
    "# bash completion of rejoin:  source <(rejoin completion bash)\n"
    "_rejoin() {\n"
    "    mapfile -t COMPREPLY < <(\"$1\" completion words -- \\\n"
    "        \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "    if [[ ${#COMPREPLY[@]} = 1 && ${COMPREPLY[0]} = *= ]]; then\n"
    "        compopt -o nospace 2>/dev/null\n"
    "    fi\n"
    "}\n"
    "complete -F _rejoin rejoin\n";

static const char zsh_script[] =
    "#compdef rejoin\n"
    "# zsh completion of rejoin:  source <(rejoin completion zsh)\n"
    "_rejoin() {\n"
    "    local -a list\n"
    "    list=(${(f)\"$($words[1] completion words -- \"${(@)words[2,CURRENT]}\" "
    "2>/dev/null)\"})\n"
    "    if [[ $words[CURRENT] = *=* ]]; then\n"
    "        compset -P '*='\n"
    "    fi\n"
    "    (( ${#list} )) || return 1\n"
    "    compadd -S '' -- ${(M)list:#*=}\n"
    "    compadd -- ${list:#*=}\n"
    "}\n"
    "if [[ $funcstack[1] = _rejoin ]]; then\n"
    "    _rejoin \"$@\"\n"
    "elif (( $+functions[compdef] )); then\n"
    "    compdef _rejoin rejoin\n"
    "fi\n";

/* What was typed: words before the last one, without flags, and what the last one is. */
struct typed {
    struct rj_cli *cli;
    const char *words[WORDS_MAX];
    size_t n_words;
    const char *option;  /* the last one is the value of this option or setting, */
    size_t option_len;   /* so many bytes of it; NULL: it is not */
    const char *current; /* the last one, or the value in it */
};

/* ---- candidates */

static void offer(const struct typed *t, const char *word)
{
    if (strncmp(word, t->current, strlen(t->current)) == 0)
        (void)puts(word);
}

static void offer_all(const struct typed *t, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        offer(t, words[i]);
}

/* A word that a shell takes as it is. */
static bool is_plain(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789._-";

    return word[0] != '\0' && word[0] != '-' && word[strspn(word, plain)] == '\0';
}

/* Names from a list of the daemon; what has no plain name goes by its id. */
static void offer_names(const struct typed *t, const char *verb, const char *list_key)
{
    char name[RJ_NAME_MAX + 1], id[2 * RJ_DIGEST_LEN + 1];
    struct rj_cli *cli = t->cli;
    struct rj_buf body = {0};
    struct rj_bytes list, item;
    struct rj_doc args = {0};
    size_t pos = 0;

    cli->silent = true;
    rj_doc_map(&args);
    rj_doc_end(&args);
    if (rj_cli_call(cli, verb, &args, ASK_MS, &body) == 0 &&
        rj_doc_find(rj_buf_view(&body), list_key, &list)) {
        while (rj_doc_next(list, &pos, &item)) {
            (void)rj_cli_text(item, "name", name, sizeof(name));
            (void)rj_cli_text(item, "device", id, sizeof(id));
            id[8] = '\0';
            offer(t, is_plain(name) ? name : id);
        }
    }
    rj_doc_done(&args);
    rj_buf_done(&body);
}

static void offer_buckets(const struct typed *t)
{
    offer_names(t, "bucket.list", "buckets");
}

static void offer_peers(const struct typed *t)
{
    offer_names(t, "peer.list", "peers");
}

static void offer_roles(const struct typed *t)
{
    offer_all(t, (const char *[]){"reader", "writer", "admin"}, 3);
}

static void offer_levels(const struct typed *t)
{
    offer_all(t, (const char *[]){"always", "second", "none"}, 3);
}

static void offer_keys(const struct typed *t)
{
    const struct rj_config_key *key;

    for (size_t i = 0; (key = rj_config_key(i)) != NULL; i++)
        offer(t, key->key);
}

/* The value of a setting of the configuration. */
static void offer_config_value(const struct typed *t, const char *name)
{
    const struct rj_config_key *key = rj_config_find(name);

    if (strcmp(name, "resp.bucket") == 0)
        offer_buckets(t);
    else if (key != NULL && key->type == RJ_CONFIG_DURABILITY)
        offer_levels(t);
    else if (key != NULL && key->type == RJ_CONFIG_LEVEL)
        offer_all(t, (const char *[]){"error", "warn", "info", "debug"}, 4);
    else if (key != NULL && key->type == RJ_CONFIG_YES_NO)
        offer_all(t, (const char *[]){"yes", "no"}, 2);
}

/* First words of commands (noun NULL), or the verbs of a noun. */
static void offer_commands(const struct typed *t, const char *noun)
{
    const struct rj_cli_command *c;
    char word[RJ_CLI_WORD_MAX], last[RJ_CLI_WORD_MAX] = "";
    size_t len = noun != NULL ? strlen(noun) + 1 : 0;

    for (size_t i = 0; (c = rj_cli_command(i)) != NULL; i++) {
        if (rj_cli_is_hidden(c) ||
            (noun != NULL &&
             (strncmp(c->words, noun, len - 1) != 0 || c->words[len - 1] != ' ')))
            continue;
        (void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(c->words + len, " "),
                       c->words + len);
        if (strcmp(word, last) != 0)
            offer(t, word);
        (void)snprintf(last, sizeof(last), "%s", word);
    }
}

/* Long flags: those of all commands, and those of this one. */
static void offer_flags(const struct typed *t, const struct rj_cli_command *c)
{
    const char *list = c != NULL ? c->options : "";
    char flag[RJ_CLI_WORD_MAX + 2];

    for (size_t i = 0; rj_cli_flag(i) != NULL; i++) {
        (void)snprintf(flag, sizeof(flag), "--%s", rj_cli_flag(i));
        offer(t, flag);
    }
    while (*list != '\0') {
        (void)snprintf(flag, sizeof(flag), "--%.*s", (int)strcspn(list, "= "), list);
        offer(t, flag);
        list += strcspn(list, " ");
        list += strspn(list, " ");
    }
}

/* ---- what stands where */

/* The value that the placeholder stands for, such as NAME or PEER. */
static void offer_place(const struct typed *t, const struct rj_cli_command *c,
                        const char *place)
{
    bool peer = strncmp(c->words, "peer", 4) == 0;

    if (strcmp(place, "NAME") == 0 && strcmp(c->words, "bucket add") != 0)
        offer_buckets(t);
    else if (strcmp(place, "PEER") == 0)
        offer_peers(t);
    else if (strcmp(place, "KEY") == 0 && strncmp(c->words, "config", 6) == 0)
        offer_keys(t);
    else if (strcmp(place, "VALUE") == 0 && t->n_words > 2)
        offer_config_value(t, t->words[2]);
    else if (strcmp(place, "SETTING=VALUE") == 0 && peer)
        offer_all(t, (const char *[]){"role=", "address="}, 2);
    else if (strcmp(place, "SETTING=VALUE") == 0)
        offer_all(t, (const char *[]){"durability=", "token=", "default=yes"}, 3);
    else if (strcmp(place, "COMMAND") == 0)
        offer_commands(t, NULL);
    else if (strcmp(place, "ROLE") == 0)
        offer_roles(t);
    else if (strcmp(place, "LEVEL") == 0)
        offer_levels(t);
    else if (strcmp(place, "POLICY") == 0)
        offer_all(t, (const char *[]){"merge", "delete-wins"}, 2);
    else if (strcmp(place, "TIME") == 0)
        offer_all(t, (const char *[]){"10m", "1h", "1d"}, 3);
    else if (strcmp(place, "bash|zsh") == 0)
        offer_all(t, (const char *[]){"bash", "zsh"}, 2);
}

/* The placeholder of the i-th argument; the last one stands for all that follow it when
 * it ends with "...". */
static bool place_of(const char *args, size_t i, char ret[PLACE])
{
    const char *last = args;

    for (size_t k = 0; *args != '\0' && k <= i; k++) {
        last = args;
        args += strcspn(args, " ");
        args += strspn(args, " ");
        if (k == i)
            break;
        if (*args == '\0' && strstr(last, "...") == NULL)
            return false;
    }
    last += *last == '[';
    (void)snprintf(ret, PLACE, "%.*s", (int)strcspn(last, " ]."), last);
    return ret[0] != '\0';
}

/* The placeholder of an option's value. */
static bool option_place(const struct rj_cli_command *c, const char *name, size_t len,
                         char ret[PLACE])
{
    const char *list = c->options;

    while (*list != '\0') {
        if (strncmp(list, name, len) == 0 && list[len] == '=') {
            (void)snprintf(ret, PLACE, "%.*s", (int)strcspn(list + len + 1, " "),
                           list + len + 1);
            return true;
        }
        list += strcspn(list, " ");
        list += strspn(list, " ");
    }
    return false;
}

static void offer_value(const struct typed *t, const struct rj_cli_command *c)
{
    const char *name = t->option;
    size_t len = t->option_len;
    char place[PLACE];

    if (len > 2 && strncmp(name, "--", 2) == 0) {
        name += 2;
        len -= 2;
        if (len == 5 && strncmp(name, "color", len) == 0)
            offer_all(t, (const char *[]){"auto", "always", "never"}, 3);
        else if (c != NULL && option_place(c, name, len, place))
            offer_place(t, c, place);
    } else if (len == 4 && strncmp(name, "role", len) == 0) {
        offer_roles(t);
    } else if (len == 10 && strncmp(name, "durability", len) == 0) {
        offer_levels(t);
    } else if (len == 7 && strncmp(name, "default", len) == 0) {
        offer(t, "yes");
    }
}

static void offer_next(const struct typed *t)
{
    const struct rj_cli_command *c = NULL;
    size_t words = 1;
    char place[PLACE];

    if (t->n_words > 0)
        c = rj_cli_find(t->words[0], NULL);
    if (c == NULL && t->n_words > 1) {
        c = rj_cli_find(t->words[0], t->words[1]);
        words = 2;
    }
    if (t->option != NULL)
        offer_value(t, c);
    else if (t->current[0] == '-')
        offer_flags(t, c);
    else if (t->n_words == 0)
        offer_commands(t, NULL);
    else if (c == NULL && t->n_words == 1)
        offer_commands(t, t->words[0]);
    else if (c != NULL && c->fn == rj_cmd_help && t->n_words == 2)
        offer_commands(t, t->words[1]);
    else if (c != NULL && place_of(c->args, t->n_words - words, place))
        offer_place(t, c, place);
}

/* ---- what was typed */

/* bash makes three words of --role=admin, zsh one. */
static void take_apart(struct typed *t, const char *const *words, size_t n)
{
    const char *last = n > 0 ? words[n - 1] : "", *equals = strchr(last, '=');

    t->current = last;
    for (size_t i = 0; i + 1 < n; i++) {
        const char *w = words[i];
        bool joined = i > 0 && strcmp(words[i - 1], "=") == 0;

        if (strcmp(w, "--socket") == 0 && i + 2 < n)
            t->cli->socket = words[i + 1];
        if (w[0] == '-' && strchr(w, '=') == NULL && strncmp(w, "--", 2) == 0 &&
            rj_cli_takes_value(w + 2) && strcmp(words[i + 1], "=") != 0)
            i++; /* its value */
        else if (w[0] != '-' && strcmp(w, "=") != 0 && !joined && t->n_words < WORDS_MAX)
            t->words[t->n_words++] = w;
    }
    if (strcmp(last, "=") == 0 && n > 1) {
        t->option = words[n - 2];
        t->current = "";
    } else if (n > 2 && strcmp(words[n - 2], "=") == 0) {
        t->option = words[n - 3];
    } else if (equals != NULL) {
        t->option = last;
        t->option_len = (size_t)(equals - last);
        t->current = equals + 1;
        return;
    } else if (n > 1 && strncmp(words[n - 2], "--", 2) == 0 &&
               rj_cli_takes_value(words[n - 2] + 2)) {
        t->option = words[n - 2];
    }
    t->option_len = t->option != NULL ? strlen(t->option) : 0;
}

static int show_script(struct rj_cli *cli, const char *script)
{
    struct rj_doc d = {0};
    struct rj_bytes doc;
    int status;

    if (!cli->json) {
        (void)fputs(script, stdout);
        return rj_cli_end(cli);
    }
    rj_doc_map(&d);
    rj_doc_put_str(&d, "script", script);
    rj_doc_end(&d);
    status = rj_doc_view(&d, &doc) == RJ_OK
                 ? rj_cli_json(cli, doc)
                 : rj_cli_fail(cli, RJ_ENOMEM, "", "%s", rj_err_text(RJ_ENOMEM));
    rj_doc_done(&d);
    return status;
}

int rj_cmd_completion(struct rj_cli *cli)
{
    struct typed t = {.cli = cli};

    if (strcmp(cli->args[0], "bash") == 0) {
        return show_script(cli, bash_script);
    } else if (strcmp(cli->args[0], "zsh") == 0) {
        return show_script(cli, zsh_script);
    } else if (strcmp(cli->args[0], "words") == 0) {
        take_apart(&t, cli->args + 1, cli->n_args - 1);
        offer_next(&t);
    } else {
        return rj_cli_fail(cli, RJ_EINVAL, "rejoin completion bash|zsh",
                           "there is no completion for %s", cli->args[0]);
    }
    return rj_cli_end(cli);
}
