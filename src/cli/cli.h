/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what its commands share. A command is one line in commands.def and a
 * function int rj_cmd_<handler>(struct rj_cli *) that returns the exit status. */
#ifndef RJ_CLI_CLI_H
#define RJ_CLI_CLI_H

#include "cli/pace.h"
#include "client/doc.h"
#include "client/message.h"
#include "driver/home.h"

#include <rejoin/error.h>

enum {
    RJ_CLI_ARGS_MAX = 4200,
    RJ_CLI_OPTIONS_MAX = 16,
    RJ_CLI_WORD_MAX = 32, /* a command's word, an option's name, with a final NUL */
    RJ_CLI_WHY_MAX = 768,
    RJ_CLI_CALL_TIMEOUT_MS = 60000, /* for an answer to an ordinary request */
    RJ_CLI_START_TIMEOUT_MS = 120000,
    RJ_CLI_PARTLY = 3,       /* exit status: done in part, or in order in part */
    RJ_CLI_INTERRUPTED = 130 /* exit status after Ctrl-C */
};

enum rj_cli_paint { RJ_CLI_PLAIN, RJ_CLI_BOLD, RJ_CLI_GREEN, RJ_CLI_YELLOW, RJ_CLI_RED };

enum rj_cli_color { RJ_CLI_COLOR_AUTO, RJ_CLI_COLOR_ALWAYS, RJ_CLI_COLOR_NEVER };

/* Flags of a command. */
enum { RJ_CLI_STARTS = 1, RJ_CLI_DRY = 2, RJ_CLI_LITERAL = 4 };

struct rj_cli;
typedef int rj_cli_fn(struct rj_cli *cli);

struct rj_cli_command {
    const char *words;
    rj_cli_fn *fn;
    const char *group, *args;
    size_t least, most;
    const char *options;
    unsigned flags;
    const char *summary, *details;
};

struct rj_cli_option {
    const char *name, *value; /* value NULL: it takes none */
};

/* Gets replies other than the final one. */
typedef void rj_cli_reply_fn(struct rj_cli *cli, const struct rj_message_reply *reply);

struct rj_cli {
    /* What was typed. */
    const struct rj_cli_command *command;
    const char *args[RJ_CLI_ARGS_MAX]; /* without the command's words */
    size_t n_args;
    struct rj_cli_option options[RJ_CLI_OPTIONS_MAX];
    size_t n_options;
    char option_names[RJ_CLI_OPTIONS_MAX + 1][RJ_CLI_WORD_MAX];
    bool json, quiet, verbose, dry, yes, help, version;
    enum rj_cli_color color;
    uint64_t timeout_ms; /* 0: the command's own */
    const char *socket;  /* --socket, or NULL */

    /* What the command uses. */
    struct rj_home home;
    bool json_error; /* while flags are read: --json stands somewhere */
    int fd;          /* of the control socket; -1 */
    bool silent;     /* failures are told by the exit status alone */
    rj_cli_reply_fn *on_reply;
    struct rj_buf output; /* of a Redis command */
    bool progress_shown;
    struct rj_pace pace; /* of what is waited for */
};

/* ---- parsing (args.c) */

/* Fills cli from the arguments. RJ_OK; RJ_EINVAL: a message was printed. */
RJ_NODISCARD enum rj_err rj_cli_parse(struct rj_cli *cli, int argc, char **argv);

/* ---- commands and their flags (commands.c) */

/* The i-th command; NULL at the end. */
const struct rj_cli_command *rj_cli_command(size_t i);
/* Whether only programs use it: group "hidden". */
bool rj_cli_is_hidden(const struct rj_cli_command *c);
/* The command of exactly these words; NULL: none. second may be NULL. */
const struct rj_cli_command *rj_cli_find(const char *first, const char *second);
/* What the option of that name takes in a command (NULL: in any). */
enum rj_cli_takes { RJ_CLI_UNKNOWN, RJ_CLI_TAKES_NOTHING, RJ_CLI_TAKES_VALUE };
enum rj_cli_takes rj_cli_takes(const struct rj_cli_command *c, const char *name);
/* The i-th flag of all commands, without "--"; NULL at the end. */
const char *rj_cli_flag(size_t i);
/* Whether a value follows the flag or option of that name. */
bool rj_cli_takes_value(const char *name);
/* The global flags, for help. */
extern const char rj_cli_flags_help[];

/* ---- what was given (options.c) */

/* The value of an option; NULL: it was not given. */
const char *rj_cli_option(const struct rj_cli *cli, const char *name);
bool rj_cli_has(const struct rj_cli *cli, const char *name);
/* "90", "90s", "10m", "2h", "1d" in milliseconds. RJ_EINVAL. */
RJ_NODISCARD enum rj_err rj_cli_duration(const char *text, uint64_t *ret_ms);
/* Says that SETTING=VALUE is no setting of `what`, and which are: names, separated by
 * blanks. Returns the exit status. */
int rj_cli_no_setting(struct rj_cli *cli, const char *typed, const char *names,
                      const char *what);

/* ---- requests (client.c, start.c) */

/* Sends a request and waits for its result, which is put into ret_body (a document).
 * Connects first, and starts the daemon when the command may. Returns the exit status;
 * everything was printed unless it is 0. timeout_ms 0: no limit. */
int rj_cli_call(struct rj_cli *cli, const char *verb, const struct rj_doc *args,
                uint64_t timeout_ms, struct rj_buf *ret_body);
/* The usual course of a command: ends the map that is open in take_args, calls, and
 * prints the result: as JSON under --json, else through show (NULL: nothing is printed).
 */
typedef int rj_cli_show_fn(struct rj_cli *cli, struct rj_bytes doc);
int rj_cli_ask(struct rj_cli *cli, const char *verb, struct rj_doc *take_args,
               rj_cli_show_fn *show);
/* Connects. RJ_ENODAEMON: nobody is there; nothing is printed. */
RJ_NODISCARD enum rj_err rj_cli_connect(struct rj_cli *cli, char *why, size_t why_len);
/* The same, and it answers: a process that is being taken apart can still be connected
 * to. RJ_ENODAEMON: none, or it ended. */
RJ_NODISCARD enum rj_err rj_cli_probe(struct rj_cli *cli, char *why, size_t why_len);
void rj_cli_disconnect(struct rj_cli *cli);
/* The monotonic clock. */
uint64_t rj_cli_now_ms(void);
/* Starts the daemon and waits until it is ready. Returns the exit status; printed. */
int rj_cli_start(struct rj_cli *cli);

/* ---- output (out.c) */

/* Says on stderr what failed and why, and what to type (hint may be ""); under --json
 * also as a document on stdout. Returns the exit status of err. */
int rj_cli_fail(struct rj_cli *cli, enum rj_err err, const char *hint, const char *format,
                ...) __attribute__((format(printf, 4, 5)));
/* A warning or remark on stderr; nothing under -q. */
void rj_cli_say(const struct rj_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What only -v wants to know, on stderr. */
void rj_cli_detail(struct rj_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints a document as JSON with "v":1. Returns 0 or the exit status. */
int rj_cli_json(struct rj_cli *cli, struct rj_bytes doc);
/* Under --dry-run says what would be done ("would ...") and returns true. */
bool rj_cli_dry(struct rj_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Asks on a terminal; elsewhere --yes is needed. 0: go on; else the exit status. */
int rj_cli_confirm(struct rj_cli *cli, const char *question);
/* One line of progress on a terminal, replaced by the next; elsewhere, under -v, a line
 * of its own. */
void rj_cli_progress(struct rj_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rj_cli_progress_end(struct rj_cli *cli);
/* Whether to colour what goes to that descriptor. */
bool rj_cli_colored(const struct rj_cli *cli, int fd);
/* What begins that colour on stdout (PLAIN: ends any); "" where there are no colours. */
const char *rj_cli_paint(const struct rj_cli *cli, enum rj_cli_paint paint);
/* From now on Ctrl-C ends the program with RJ_CLI_INTERRUPTED, and every end by a signal
 * leaves the terminal as it should be. */
void rj_cli_interrupts(void);
/* The first signal only makes rj_cli_interrupted true, for a command that has to clean
 * up. */
void rj_cli_interrupts_later(bool on);
bool rj_cli_interrupted(void);
/* Hides the terminal's cursor (it comes back when the program is interrupted), or shows
 * it. */
void rj_cli_cursor(bool hidden);
/* End of a command that printed to stdout: 0, or 1 when that could not be written. */
int rj_cli_end(struct rj_cli *cli);

/* Values of a document; "" and 0 when they are missing. Text is NUL-terminated and free
 * of control characters, in one of a few static-size slots of the caller. */
const char *rj_cli_text(struct rj_bytes doc, const char *key, char *room, size_t size);
const char *rj_cli_plain(struct rj_bytes item, char *room, size_t size); /* of a list */
uint64_t rj_cli_uint(struct rj_bytes doc, const char *key);
bool rj_cli_bool(struct rj_bytes doc, const char *key);
/* 1234567 as "1,234,567"; 1234567 bytes as "1.2 MB"; milliseconds as "3 min". */
const char *rj_cli_number(uint64_t n, char *room, size_t size);
const char *rj_cli_size(uint64_t bytes, char *room, size_t size);
const char *rj_cli_time(uint64_t ms, char *room, size_t size);

#define X(words, handler, group, args, least, most, options, flags, summary, details)    \
    rj_cli_fn rj_cmd_##handler;
#include "cli/commands.def"
#undef X

#endif
