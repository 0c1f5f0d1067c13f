/* SPDX-License-Identifier: Apache-2.0 */
/* The end by a signal. What the daemon was asked for goes on there; here only the
 * terminal has to be put in order: the line of progress, the cursor. */
#include "cli/cli.h"

#include <signal.h>
#include <unistd.h>

/* Shared with the handler: the one thing here that outlives a call. */
static volatile sig_atomic_t cursor_hidden, later, interrupted;

static void say(int fd, const char *text, size_t len)
{
    ssize_t n = write(fd, text, len);

    (void)n;
}

static void on_signal(int signo)
{
    static const char clear[] = "\r\033[K", show[] = "\033[?25h\n";

    if (later && !interrupted) {
        interrupted = 1;
        return;
    }
    if (cursor_hidden)
        say(STDOUT_FILENO, show, sizeof(show) - 1);
    else if (isatty(STDERR_FILENO))
        say(STDERR_FILENO, clear, sizeof(clear) - 1);
    if (signo == SIGINT)
        _exit(RJ_CLI_INTERRUPTED);
    (void)signal(signo, SIG_DFL);
    (void)raise(signo);
}

void rj_cli_interrupts(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction old, new = {.sa_handler = on_signal};

    (void)sigemptyset(&new.sa_mask);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        /* What a shell ignores for a background job stays ignored. */
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &new, NULL);
    }
}

void rj_cli_interrupts_later(bool on)
{
    later = on;
}

bool rj_cli_interrupted(void)
{
    return interrupted != 0;
}

void rj_cli_cursor(bool hidden)
{
    static const char hide[] = "\033[?25l", show[] = "\033[?25h";

    cursor_hidden = hidden;
    if (hidden)
        say(STDOUT_FILENO, hide, sizeof(hide) - 1);
    else
        say(STDOUT_FILENO, show, sizeof(show) - 1);
}
