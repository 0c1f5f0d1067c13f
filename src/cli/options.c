/* SPDX-License-Identifier: Apache-2.0 */
/* What a command asks of its own arguments, once they are parsed. */
#include "cli/cli.h"
#include "daemon/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = RJ_CLI_WORD_MAX };

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
