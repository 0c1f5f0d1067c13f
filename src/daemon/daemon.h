/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: puts the parts together and gives them their turns. */
#ifndef RJ_DAEMON_DAEMON_H
#define RJ_DAEMON_DAEMON_H

#include "daemon/call.h"
#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/incidents.h"
#include "daemon/respd.h"
#include "daemon/web.h"
#include "driver/driver.h"
#include "posix/inherit.h"
#include "posix/notify.h"

enum { RJ_DAEMON_WHY_MAX = RJ_DRIVER_WHY_MAX };

struct rj_daemon {
    struct rj_home home;
    struct rj_config config;
    struct rj_logger log;
    struct rj_driver driver;
    struct rj_respd *respd;
    struct rj_control *control;
    struct rj_web *web; /* NULL: there is no page */
    struct rj_incidents incidents;
    struct rj_inherited given;   /* sockets that the service manager opened */
    struct rj_notify notify;     /* whom it wants to be told */
    struct rj_timer *life_timer; /* NULL: no signs of life are wanted */

    /* The driver's parts. */
    struct rj_loop *loop;
    struct rj_crypto *crypto;
    struct rj_engine *engine;
    struct rj_peers *peers;

    /* Settings as they were at the start. */
    char *name, *listen_peer, *listen_resp, *listen_web, *told_addresses, *ssh_command;
    uint16_t port_peer, port_resp, port_web, port_beacon;
    struct rj_site *site;   /* the network's key; NULL: none */
    struct rj_pipes *pipes; /* who is behind an ssh */
    struct rj_wall started;

    bool stopping, ran;
    int exit_status;
    char why[RJ_DAEMON_WHY_MAX];  /* why it did not start */
    char hint[RJ_DAEMON_WHY_MAX]; /* and what to do about it */
};

/* Takes the home, opens everything, begins to listen. On failure why and hint say more,
 * and rj_daemon_done must still be called. RJ_EBUSY: another daemon, or a port is taken;
 * RJ_ECORRUPT, RJ_EVERSION, RJ_EINVAL (configuration), RJ_EDENIED, RJ_EIO... */
RJ_NODISCARD enum rj_err rj_daemon_start(struct rj_daemon *d);
/* Runs until it is told to stop; returns the exit status. */
int rj_daemon_run(struct rj_daemon *d);
/* Begins to stop: what was written becomes durable, then everything closes. */
void rj_daemon_stop(struct rj_daemon *d);
/* Takes over what changed in the configuration and can change while running. */
void rj_daemon_apply_config(struct rj_daemon *d);
/* Frees everything. A zeroed struct is accepted. */
void rj_daemon_done(struct rj_daemon *d);

/* ---- service.c: the service manager, systemd or who speaks as it */

/* Takes over what it handed to this process, and out of the environment. RJ_EINVAL, with
 * why: sockets of unknown use. */
RJ_NODISCARD enum rj_err rj_service_begin(struct rj_daemon *d);
/* The ports of sockets that were handed over are those, whatever was configured. */
void rj_service_ports(struct rj_daemon *d);
/* Says that all is ready, and from now on that the loop goes round. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_service_ready(struct rj_daemon *d);
/* Says that the end has begun, or why there was no beginning. */
void rj_service_ends(struct rj_daemon *d);
void rj_service_done(struct rj_daemon *d); /* before the loop is freed */

#define X(word, handler) rj_verb_fn rj_verb_##handler;
#include "daemon/verbs.def"
#undef X

#endif
