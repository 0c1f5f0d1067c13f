/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon has to do with the service manager that started it: sockets that it
 * opened, and telling it how things are. Signs of life come from a timer of the loop: a
 * loop that hangs gives none. Without a service manager all this does nothing. */
#include "daemon/daemon.h"
#include "posix/why.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STATUS_MAX = 160 };

enum rj_err rj_service_begin(struct rj_daemon *d)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC",
                                        "WATCHDOG_PID",  "LISTEN_PID",
                                        "LISTEN_FDS",    "LISTEN_FDNAMES"};
    enum rj_err err = rj_notify_open(getenv, getpid(), &d->notify);

    if (err != RJ_OK)
        rj_logger_line(&d->log, RJ_NOTE_WARN, "service.untold error=%s",
                       rj_err_name(err));
    err = rj_inherit_take(getenv, getpid(), d->why, sizeof(d->why), &d->given);
    if (err != RJ_OK)
        rj_why_set(d->hint, sizeof(d->hint),
                   "FileDescriptorName= of the socket unit names what it is for");
    /* Programs that this one starts are not meant. */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unsetenv(names[i]);
    return err;
}

void rj_service_ports(struct rj_daemon *d)
{
    const int *fd = d->given.fd;

    if (fd[RJ_INHERIT_PEER] != 0)
        d->port_peer = rj_inherit_port(fd[RJ_INHERIT_PEER]);
    if (fd[RJ_INHERIT_RESP] != 0)
        d->port_resp = rj_inherit_port(fd[RJ_INHERIT_RESP]);
}

/* About twice as often as is asked for, as sd_watchdog_enabled(3) advises. */
static void on_life(void *ctx)
{
    struct rj_daemon *d = ctx;
    struct rj_mono at = rj_loop_now(d->loop).mono;

    rj_notify_say(&d->notify, "WATCHDOG=1", NULL);
    at.ms += d->notify.watchdog_ms / 2 + 1;
    rj_timer_set(d->life_timer, at);
}

enum rj_err rj_service_ready(struct rj_daemon *d)
{
    char status[STATUS_MAX];
    enum rj_err err;

    if (d->notify.watchdog_ms > 0) {
        err = rj_timer_new(d->loop, on_life, d, &d->life_timer);
        if (err != RJ_OK)
            return err;
        on_life(d);
    }
    (void)snprintf(status, sizeof(status), "%s: peers on port %u, Redis on port %u",
                   d->name, d->port_peer, d->port_resp);
    rj_notify_say(&d->notify, "READY=1", status);
    return RJ_OK;
}

void rj_service_ends(struct rj_daemon *d)
{
    if (d->stopping)
        rj_notify_say(&d->notify, "STOPPING=1", "the last writes become durable");
    else
        rj_notify_say(&d->notify, NULL, d->why);
}

void rj_service_done(struct rj_daemon *d)
{
    rj_timer_free(d->life_timer);
    rj_notify_close(&d->notify);
}
