/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol is a datagram of lines NAME=value to the socket that NOTIFY_SOCKET names
 * (sd_notify(3), systemd; others speak it as well). It is best effort by design: nothing
 * that the program does depends on whether anybody listens. */
#include "posix/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The microseconds in text as milliseconds; 0: it is no number above 1000. */
static uint64_t watchdog_ms(const char *text)
{
    uint64_t n = 0;

    for (; *text >= '0' && *text <= '9'; text++) {
        if (n > (UINT64_MAX - 9) / 10)
            return 0;
        n = n * 10 + (uint64_t)(*text - '0');
    }
    return *text == '\0' ? n / 1000 : 0;
}

/* The address that name stands for; its length, or 0. */
static socklen_t address(const char *name, struct sockaddr_un *ret)
{
    size_t len = strlen(name);

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len < 2 || len >= sizeof(ret->sun_path) || (name[0] != '/' && name[0] != '@'))
        return 0;
    memcpy(ret->sun_path, name, len);
    if (name[0] == '@')
        ret->sun_path[0] = '\0'; /* abstract: no file, and no NUL at its end */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

enum rj_err rj_notify_open(rj_dirs_env_fn *env, pid_t pid, struct rj_notify *n)
{
    const char *name = env("NOTIFY_SOCKET"), *usec, *whose;
    char own[24];

    *n = (struct rj_notify){0};
    if (name == NULL || name[0] == '\0')
        return RJ_OK;
    n->addr_len = address(name, &n->addr);
    if (n->addr_len == 0)
        return RJ_EINVAL;
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (n->fd < 0) {
        *n = (struct rj_notify){0};
        return RJ_EIO;
    }
    (void)snprintf(own, sizeof(own), "%ld", (long)pid);
    usec = env("WATCHDOG_USEC");
    n->watchdog_ms = usec != NULL ? watchdog_ms(usec) : 0;
    whose = env("WATCHDOG_PID");
    if (whose != NULL && strcmp(whose, own) != 0)
        n->watchdog_ms = 0;
    return RJ_OK;
}

void rj_notify_say(const struct rj_notify *n, const char *state, const char *text)
{
    char line[RJ_NOTIFY_TEXT_MAX];
    int used = snprintf(line, sizeof(line), "%s%s%s", state != NULL ? state : "",
                        state != NULL && text != NULL ? "\n" : "",
                        text != NULL ? "STATUS=" : "");
    size_t at, len;

    if (n->addr_len == 0 || used <= 0 || (size_t)used >= sizeof(line))
        return;
    at = (size_t)used;
    if (text != NULL)
        (void)snprintf(line + at, sizeof(line) - at, "%s", text);
    len = at + strlen(line + at);
    for (; at < len; at++) {
        if ((unsigned char)line[at] < ' ')
            line[at] = ' ';
    }
    (void)sendto(n->fd, line, len, MSG_NOSIGNAL, (const struct sockaddr *)&n->addr,
                 n->addr_len);
}

void rj_notify_close(struct rj_notify *n)
{
    if (n->addr_len > 0)
        (void)close(n->fd);
    *n = (struct rj_notify){0};
}
