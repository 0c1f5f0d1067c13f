/* SPDX-License-Identifier: Apache-2.0 */
/* What people and scripts see. stdout is the result and nothing else; stderr is for
 * people. What other machines named (devices, keys) is printed without its control
 * characters, so that nobody can write to a terminal from afar. */
#include "cli/cli.h"
#include "face/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROOM = 128 };

static int fail_json(enum rj_err err, const char *why, const char *hint)
{
    json_t *doc =
        json_pack("{s:i, s:{s:s, s:o, s:o}}", "v", 1, "error", "code", rj_err_name(err),
                  "why", rj_json_bytes(rj_bytes_from_str(why)), "hint",
                  rj_json_bytes(rj_bytes_from_str(hint)));

    if (doc == NULL)
        return 1;
    (void)json_dumpf(doc, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(doc);
    return 0;
}

/* What to type after an error that names nothing better. */
static const char *usual_hint(const struct rj_cli *cli, enum rj_err err, char room[ROOM])
{
    static const struct {
        enum rj_err err;
        const char *hint;
    } usual[] = {
        {RJ_EFULL, "make room on the disk (rejoin doctor says where), then again"},
        {RJ_EIO, "rejoin doctor"},
        {RJ_ENOMEM, "free some memory, then again"},
        {RJ_ECORRUPT, "rejoin doctor"},
        {RJ_EBUSY, "again in a moment; rejoin status says what goes on"},
        {RJ_EJOINING, "rejoin status --watch shows how far it is"},
        {RJ_EVERSION, "rejoin doctor; the older program wants an upgrade"},
        {RJ_EUPGRADE, "upgrade rejoin here"},
        {RJ_ECLOCK, "rejoin doctor"},
        {RJ_EDENIED, "rejoin status; an admin of the space can change that"},
        {RJ_EUNREACH, "rejoin peer list; rejoin doctor"},
        {RJ_ETIMEOUT, "rejoin status; --timeout S waits longer"},
        {RJ_ENODAEMON, "rejoin up"},
        {RJ_EPROTO, "rejoin doctor"},
        {RJ_ETYPE, "rejoin bucket run BUCKET TYPE KEY"},
    };

    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
        if (usual[i].err == err)
            return usual[i].hint;
    }
    (void)snprintf(room, ROOM, "rejoin help%s%s", cli->command != NULL ? " " : "",
                   cli->command != NULL ? cli->command->words : "");
    return room;
}

int rj_cli_fail(struct rj_cli *cli, enum rj_err err, const char *hint, const char *format,
                ...)
{
    char why[RJ_CLI_WHY_MAX], room[ROOM];
    bool color = rj_cli_colored(cli, STDERR_FILENO);
    va_list args;

    if (hint[0] == '\0')
        hint = usual_hint(cli, err, room);
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    rj_cli_progress_end(cli);
    (void)fflush(stdout);
    if (cli->silent)
        return rj_err_exit(err) != 0 ? rj_err_exit(err) : 1;
    (void)fprintf(stderr, "%srejoin:%s %s\n", color ? "\033[31m" : "",
                  color ? "\033[0m" : "", why);
    (void)fprintf(stderr, "  %s\n", hint);
    if ((cli->json || cli->json_error) && fail_json(err, why, hint) != 0)
        (void)fprintf(stderr, "rejoin: the error has no JSON form\n");
    (void)fflush(stdout);
    return rj_err_exit(err) != 0 ? rj_err_exit(err) : 1;
}

void rj_cli_say(const struct rj_cli *cli, const char *format, ...)
{
    va_list args;

    if (cli->quiet)
        return;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

void rj_cli_detail(struct rj_cli *cli, const char *format, ...)
{
    va_list args;

    if (cli->quiet || !cli->verbose)
        return;
    rj_cli_progress_end(cli);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

int rj_cli_json(struct rj_cli *cli, struct rj_bytes doc)
{
    json_t *json = rj_json_of(doc);

    if (json == NULL || !json_is_object(json) ||
        json_object_set_new(json, "v", json_integer(1)) != 0) {
        json_decref(json);
        return rj_cli_fail(cli, RJ_ENOMEM, "", "%s", rj_err_text(RJ_ENOMEM));
    }
    (void)json_dumpf(json, stdout, JSON_COMPACT | JSON_SORT_KEYS);
    (void)putchar('\n');
    json_decref(json);
    return rj_cli_end(cli);
}

bool rj_cli_dry(struct rj_cli *cli, const char *format, ...)
{
    char text[RJ_CLI_WHY_MAX];
    va_list args;
    json_t *json;

    if (!cli->dry)
        return false;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!cli->json) {
        (void)printf("would %s\n", text);
        return true;
    }
    json = json_pack("{s:i, s:b, s:o}", "v", 1, "dry_run", 1, "would",
                     rj_json_bytes(rj_bytes_from_str(text)));
    if (json != NULL)
        (void)json_dumpf(json, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(json);
    return true;
}

int rj_cli_confirm(struct rj_cli *cli, const char *question)
{
    char answer[16] = "";

    if (cli->yes)
        return 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return rj_cli_fail(cli, RJ_EINVAL, "add --yes to do it",
                           "%s: nobody is there to be asked", question);
    (void)fprintf(stderr, "%s? [y/N] ", question);
    (void)fflush(stderr);
    if (fgets(answer, sizeof(answer), stdin) != NULL &&
        (answer[0] == 'y' || answer[0] == 'Y'))
        return 0;
    (void)fprintf(stderr, "nothing was done\n");
    return 1;
}

void rj_cli_progress(struct rj_cli *cli, const char *format, ...)
{
    char line[78];
    va_list args;

    bool terminal = isatty(STDERR_FILENO);

    if (cli->quiet || (!terminal && !cli->verbose) || (terminal && cli->json))
        return;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (!terminal) {
        (void)fprintf(stderr, "%s\n", line);
        return;
    }
    (void)fprintf(stderr, "\r\033[K%s", line);
    (void)fflush(stderr);
    cli->progress_shown = true;
}

void rj_cli_progress_end(struct rj_cli *cli)
{
    if (cli->progress_shown)
        (void)fprintf(stderr, "\r\033[K");
    cli->progress_shown = false;
}

bool rj_cli_colored(const struct rj_cli *cli, int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    if (cli->color != RJ_CLI_COLOR_AUTO)
        return cli->color == RJ_CLI_COLOR_ALWAYS;
    return isatty(fd) && (no == NULL || no[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

const char *rj_cli_paint(const struct rj_cli *cli, enum rj_cli_paint paint)
{
    static const char *const codes[] = {
        [RJ_CLI_PLAIN] = "\033[0m",  [RJ_CLI_BOLD] = "\033[1m",
        [RJ_CLI_GREEN] = "\033[32m", [RJ_CLI_YELLOW] = "\033[33m",
        [RJ_CLI_RED] = "\033[31m",
    };

    return rj_cli_colored(cli, STDOUT_FILENO) ? codes[paint] : "";
}

int rj_cli_end(struct rj_cli *cli)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return rj_cli_fail(cli, RJ_EIO, "look at where the output goes: a full disk?",
                       "the output could not be written");
}

/* ---- values of a document */

/* The i-th byte of text as a terminal may see it. */
static char harmless(struct rj_bytes b, size_t i)
{
    bool c1 = i > 0 && b.ptr[i - 1] == 0xc2 && b.ptr[i] < 0xa0;

    return (char)(b.ptr[i] < 0x20 || b.ptr[i] == 0x7f || c1 ? '?' : b.ptr[i]);
}

static const char *copy_harmless(struct rj_bytes b, char *room, size_t size)
{
    size_t n = 0;

    for (; n < b.len && n < size - 1; n++)
        room[n] = harmless(b, n);
    room[n] = '\0';
    return room;
}

const char *rj_cli_text(struct rj_bytes doc, const char *key, char *room, size_t size)
{
    struct rj_bytes b = {0};

    (void)rj_doc_get_text(doc, key, &b);
    return copy_harmless(b, room, size);
}

const char *rj_cli_plain(struct rj_bytes item, char *room, size_t size)
{
    struct rj_bytes b = {0};

    (void)rj_doc_is_text(item, &b);
    return copy_harmless(b, room, size);
}

uint64_t rj_cli_uint(struct rj_bytes doc, const char *key)
{
    uint64_t v = 0;

    return rj_doc_get_uint(doc, key, &v) ? v : 0;
}

bool rj_cli_bool(struct rj_bytes doc, const char *key)
{
    bool v = false;

    return rj_doc_get_bool(doc, key, &v) && v;
}

const char *rj_cli_number(uint64_t n, char *room, size_t size)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
    size_t out = 0;

    for (int i = 0; i < len && out + 2 < size; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            room[out++] = ',';
        room[out++] = digits[i];
    }
    room[out] = '\0';
    return room;
}

const char *rj_cli_size(uint64_t bytes, char *room, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double v = (double)bytes;
    size_t unit = 0;

    while (v >= 1000.0 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        v /= 1000.0;
        unit++;
    }
    (void)snprintf(room, size, unit == 0 || v >= 100.0 ? "%.0f %s" : "%.1f %s", v,
                   units[unit]);
    return room;
}

const char *rj_cli_time(uint64_t ms, char *room, size_t size)
{
    uint64_t s = ms / 1000;

    if (s < 120)
        (void)snprintf(room, size, "%" PRIu64 " s", s);
    else if (s < 7200)
        (void)snprintf(room, size, "%" PRIu64 " min", s / 60);
    else if (s < 172800)
        (void)snprintf(room, size, "%" PRIu64 " h", s / 3600);
    else
        (void)snprintf(room, size, "%" PRIu64 " days", s / 86400);
    return room;
}
