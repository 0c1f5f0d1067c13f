/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: for people first, but every value has a key, so that grep and cut do. A line
 * that cannot be written at once is lost, and counted: neither a full disk nor a reader
 * that hangs (of a pipe, a journal, a stopped terminal) must stop the daemon. A pipe that
 * poll(2) calls writable takes PIPE_BUF bytes, more than a line has, so writing then does
 * not block. */
#include "driver/logger.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Static_assert(RJ_LOGGER_LINE_MAX <= PIPE_BUF, "a line fits a pipe that has room");

static const char *const names[] = {"debug", "info", "warn", "error"};

enum rj_err rj_logger_level(const char *name, enum rj_note_level *ret)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum rj_note_level)i;
            return RJ_OK;
        }
    }
    return RJ_EINVAL;
}

const char *rj_logger_level_name(enum rj_note_level level)
{
    size_t i = (size_t)level;

    return i < sizeof(names) / sizeof(names[0]) ? names[i] : "?";
}

static size_t stamp(char *line, size_t size)
{
    struct timespec ts = {0};
    struct tm tm = {0};
    size_t n;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    (void)gmtime_r(&ts.tv_sec, &tm);
    n = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(line + n, size - n, ".%03uZ ",
                                (unsigned)(ts.tv_nsec / 1000000));
}

static bool has_room(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

/* Time and level; returns their length. */
static size_t begin(char line[RJ_LOGGER_LINE_MAX], enum rj_note_level level)
{
    size_t n = stamp(line, RJ_LOGGER_LINE_MAX);

    return n + (size_t)snprintf(line + n, RJ_LOGGER_LINE_MAX - n, "%s ",
                                rj_logger_level_name(level));
}

/* False: it is lost. */
static bool put(int fd, const char *line, size_t n)
{
    return has_room(fd) && write(fd, line, n) >= 0;
}

/* What was lost since that was told last. False: there is still no room. */
static bool tell_dropped(struct rj_logger *log)
{
    char line[RJ_LOGGER_LINE_MAX];
    size_t n;

    if (log->dropped == log->told || log->level > RJ_NOTE_WARN)
        return true;
    n = begin(line, RJ_NOTE_WARN);
    n += (size_t)snprintf(line + n, sizeof(line) - n, "dropped=%llu\n",
                          (unsigned long long)(log->dropped - log->told));
    if (!put(log->fd, line, n))
        return false;
    log->told = log->dropped;
    return true;
}

void rj_logger_line(struct rj_logger *log, enum rj_note_level level, const char *format,
                    ...)
{
    char line[RJ_LOGGER_LINE_MAX];
    size_t n, text;
    va_list args;
    int len;

    if (level < log->level && (log->tap == NULL || level < RJ_NOTE_INFO))
        return;
    n = text = begin(line, level);
    va_start(args, format);
    len = vsnprintf(line + n, sizeof(line) - n, format, args);
    va_end(args);
    if (len < 0)
        return;
    n += (size_t)len < sizeof(line) - n ? (size_t)len : sizeof(line) - n - 1;
    for (size_t i = text; i < n; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    }
    if (log->tap != NULL && level >= RJ_NOTE_INFO)
        log->tap(log->tap_ctx, level, line + text);
    if (level < log->level || log->fd < 0)
        return;
    line[n++] = '\n'; /* in place of the NUL */
    if (!tell_dropped(log) || !put(log->fd, line, n))
        log->dropped++;
}
