/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: a driver (driver/driver.h) with a configuration, a control socket and the
 * Redis face around it. At a turn's end, before the engine is flushed, control and
 * waiting Redis clients see what the turn has changed; after it, replies whose commit is
 * done leave. At the end of its life it takes no new work, waits until the last writes
 * are durable, and closes. */
#include "daemon/daemon.h"

#include "base/bytes.h"
#include "posix/why.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the driver asks */

static void on_before_flush(void *ctx)
{
    struct rj_daemon *d = ctx;

    rj_control_turn(d->control);
    rj_respd_before_flush(d->respd);
}

static void on_after_flush(void *ctx)
{
    rj_respd_after_flush(((struct rj_daemon *)ctx)->respd);
}

static void on_ended(void *ctx, enum rj_err err)
{
    struct rj_daemon *d = ctx;

    rj_control_ended(d->control, err);
    rj_respd_end(d->respd);
}

static void on_began(void *ctx)
{
    struct rj_daemon *d = ctx;

    rj_respd_begin(d->respd, d->engine);
}

static void on_gave_up(void *ctx, enum rj_err err, const char *why)
{
    struct rj_daemon *d = ctx;

    rj_logger_line(&d->log, RJ_NOTE_ERROR, "daemon.gave_up error=%s why=\"%s\"",
                   rj_err_name(err), why);
    d->exit_status = rj_err_exit(err);
    rj_loop_stop(d->loop, RJ_DRIVER_CLOSE_MS);
}

/* Those who watch get what is logged. */
static void on_log(void *ctx, enum rj_note_level level, const char *text)
{
    struct rj_daemon *d = ctx;

    rj_incidents_take(&d->incidents, level, text, rj_loop_now(d->loop).wall);
    rj_control_event(d->control, level, text);
}

void rj_daemon_stop(struct rj_daemon *d)
{
    if (d->stopping)
        return;
    rj_logger_line(&d->log, RJ_NOTE_INFO, "daemon.stopping");
    d->stopping = true;
    rj_service_ends(d);
    rj_driver_stop(&d->driver, RJ_DRIVER_QUIET_MS);
    rj_respd_stop(d->respd);
    rj_control_stop(d->control);
    rj_web_stop(d->web);
}

void rj_daemon_apply_config(struct rj_daemon *d)
{
    enum rj_note_level level;

    if (rj_logger_level(rj_config_get(&d->config, "log.level"), &level) == RJ_OK)
        d->log.level = level;
}

static void on_signal(void *ctx, int signo)
{
    struct rj_daemon *d = ctx;

    if (signo != SIGHUP) {
        rj_daemon_stop(d);
        return;
    }
    if (rj_config_load(&d->config, d->home.dirs.config_file) != RJ_OK)
        rj_logger_line(&d->log, RJ_NOTE_ERROR, "config.refused why=\"%s\"",
                       d->config.why);
    else
        rj_daemon_apply_config(d);
}

static void on_cast(void *ctx, struct rj_space *s, struct rj_bytes topic,
                    struct rj_bytes text)
{
    rj_respd_on_cast(((struct rj_daemon *)ctx)->respd, s, topic, text);
}

static const struct rj_driver_ops driver_ops = {
    .before_flush = on_before_flush,
    .after_flush = on_after_flush,
    .began = on_began,
    .ended = on_ended,
    .gave_up = on_gave_up,
    .cast = on_cast,
    .signal = on_signal,
};

/* ---- start */

static char *copy_of(const struct rj_config *c, const char *key)
{
    return strdup(rj_config_get(c, key));
}

static char *device_name(const struct rj_config *c)
{
    char host[RJ_NAME_MAX + 1] = "";

    if (rj_config_get(c, "device.name")[0] != '\0')
        return copy_of(c, "device.name");
    if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0')
        return strdup("device");
    host[strcspn(host, ".")] = '\0';
    return strdup(host[0] != '\0' ? host : "device");
}

static enum rj_err read_config(struct rj_daemon *d)
{
    struct rj_config *c = &d->config;
    enum rj_err err = rj_config_load(c, d->home.dirs.config_file);

    if (err != RJ_OK) {
        rj_why_set(d->why, sizeof(d->why), "%s", c->why);
        rj_why_set(d->hint, sizeof(d->hint), "correct %s", d->home.dirs.config_file);
        return err;
    }
    rj_daemon_apply_config(d);
    d->name = device_name(c);
    d->listen_peer = copy_of(c, "listen.peer");
    d->listen_resp = copy_of(c, "listen.resp");
    d->listen_web = copy_of(c, "listen.web");
    d->told_addresses = copy_of(c, "listen.address");
    d->ssh_command = copy_of(c, "ssh.command");
    d->port_peer = (uint16_t)rj_config_uint(c, "port.peer");
    d->port_beacon = (uint16_t)rj_config_uint(c, "port.beacon");
    d->port_resp = (uint16_t)rj_config_uint(c, "port.resp");
    d->port_web = (uint16_t)rj_config_uint(c, "port.web");
    rj_service_ports(d);
    if (d->name == NULL || d->listen_peer == NULL || d->listen_resp == NULL ||
        d->listen_web == NULL || d->told_addresses == NULL || d->ssh_command == NULL)
        return RJ_ENOMEM;
    err = rj_site_load(rj_config_get(c, "network.key"), d->why, sizeof(d->why), &d->site);
    if (err != RJ_OK)
        rj_why_set(d->hint, sizeof(d->hint), "rejoin config set network.key SECRET");
    if (err == RJ_OK)
        err = rj_pipes_open(d->home.pipes_path, d->why, sizeof(d->why), &d->pipes);
    return err;
}

static enum rj_err take_home(struct rj_daemon *d)
{
    enum rj_err err = rj_home_find(&d->home);

    if (err == RJ_OK)
        err = rj_home_open(&d->home);
    if (err != RJ_OK) {
        rj_why_set(d->why, sizeof(d->why), "%s", d->home.why);
        if (err == RJ_EBUSY)
            rj_why_set(d->hint, sizeof(d->hint), "rejoin down");
        return err;
    }
    return read_config(d);
}

/* What to do about a driver that did not open. */
static void hint_driver(struct rj_daemon *d, enum rj_err err)
{
    enum rj_driver_stage stage = d->driver.stage;

    rj_why_set(d->why, sizeof(d->why), "%s", d->driver.why);
    if (stage == RJ_DRIVER_KEY && err == RJ_ECORRUPT)
        rj_why_set(d->hint, sizeof(d->hint),
                   "put the right device.key back; or, to begin as a new device, move %s "
                   "away and join again",
                   d->home.dirs.data);
    else if (stage == RJ_DRIVER_STORE && err == RJ_ECORRUPT)
        rj_why_set(d->hint, sizeof(d->hint),
                   "nothing was changed and nothing is served. To take the data from the "
                   "other members: mv %s %s.damaged, then rejoin join with a new ticket; "
                   "or put a backup of it back",
                   d->home.store_path, d->home.store_path);
    else if (stage == RJ_DRIVER_STORE && err == RJ_EVERSION)
        rj_why_set(d->hint, sizeof(d->hint),
                   "nothing was changed. Or, to take the data from the other members: "
                   "mv %s %s.other, then rejoin join with a new ticket",
                   d->home.store_path, d->home.store_path);
}

static enum rj_err open_driver(struct rj_daemon *d)
{
    const struct rj_driver_options options = {
        .ops = &driver_ops,
        .ctx = d,
        .signals = true,
        .home = &d->home,
        .log = &d->log,
        .name = d->name,
        .listen_host = d->listen_peer,
        .port = d->port_peer,
        .listen_fd = d->given.fd[RJ_INHERIT_PEER],
        .told_addresses = d->told_addresses,
        .port_beacon = d->port_beacon,
        .site = d->site,
        .pipes = d->pipes,
        .ssh_command = d->ssh_command,
        .peer_socket = d->home.peer_socket,
        .store_max_bytes = rj_config_uint(&d->config, "limit.store"),
        .limits = {.log_bytes = rj_config_uint(&d->config, "limit.log")},
    };
    enum rj_err err = rj_driver_open(&d->driver, &options);

    if (err != RJ_OK) {
        hint_driver(d, err);
        return err;
    }
    d->crypto = d->driver.crypto;
    d->loop = d->driver.loop;
    d->engine = d->driver.engine;
    d->peers = d->driver.peers;
    d->started = rj_loop_now(d->loop).wall;
    return RJ_OK;
}

static enum rj_err make_parts(struct rj_daemon *d)
{
    const struct rj_respd_options respd = {
        .loop = d->loop,
        .log = &d->log,
        .config = &d->config,
        .peers = d->peers,
        .listen_host = d->listen_resp,
        .port = d->port_resp,
        .data_dir = d->home.dirs.data,
        .tls_port = (uint16_t)rj_config_uint(&d->config, "port.resps"),
        .listen_fd = d->given.fd[RJ_INHERIT_RESP],
        .port_peer = d->port_peer,
    };
    enum rj_err err = rj_respd_new(&respd, &d->respd);

    if (err == RJ_OK)
        err = rj_control_new(d, &d->control);
    if (err == RJ_OK) {
        d->log.tap = on_log;
        d->log.tap_ctx = d;
    }
    return err;
}

static enum rj_err say_port(struct rj_daemon *d, enum rj_err err, const char *key,
                            const char *host)
{
    if (err == RJ_OK)
        return RJ_OK;
    rj_why_set(d->why, sizeof(d->why), "port %s of %s: %s",
               rj_config_get(&d->config, key), host[0] != '\0' ? host : "any address",
               rj_driver_port_text(err));
    rj_why_set(d->hint, sizeof(d->hint), "rejoin config set %s PORT", key);
    return err;
}

static enum rj_err listen_tls(struct rj_daemon *d)
{
    enum rj_err err = rj_respd_listen_tls(d->respd, d->why, sizeof(d->why));

    if (err == RJ_OK || d->why[0] == '\0')
        return say_port(d, err, "port.resps", d->listen_resp);
    rj_why_set(d->hint, sizeof(d->hint),
               "rejoin config set resp.cert /PATH, resp.key /PATH");
    return err;
}

/* A page that cannot be there is no reason to stay down, unless it was asked for. */
static enum rj_err listen_web(struct rj_daemon *d)
{
    enum rj_err err = d->port_web != 0 ? rj_web_new(d, &d->web) : RJ_OK;

    if (err == RJ_OK || err == RJ_ENOMEM)
        return err;
    if (rj_config_is_set(&d->config, "port.web") && err != RJ_EUPGRADE)
        return say_port(d, err, "port.web", d->listen_web);
    rj_logger_line(&d->log, RJ_NOTE_WARN, "web.off port=%u why=\"%s\"", d->port_web,
                   err == RJ_EUPGRADE ? "built without libmicrohttpd"
                   : err == RJ_EBUSY  ? "another program has the port"
                                      : rj_err_text(err));
    d->port_web = 0;
    d->why[0] = '\0';
    return RJ_OK;
}

static enum rj_err listen_everywhere(struct rj_daemon *d)
{
    enum rj_err err =
        say_port(d, rj_driver_listen(&d->driver), "port.peer", d->listen_peer);

    if (err == RJ_OK)
        err = say_port(d, rj_respd_listen(d->respd), "port.resp", d->listen_resp);
    if (err == RJ_OK)
        err = listen_tls(d);
    if (err == RJ_OK)
        err = listen_web(d);
    if (err != RJ_OK)
        return err;
    err = rj_control_listen(d->control, d->home.dirs.socket,
                            d->given.fd[RJ_INHERIT_CONTROL]);
    if (err != RJ_OK)
        rj_why_set(
            d->why, sizeof(d->why), "the control socket %s: %s", d->home.dirs.socket,
            err == RJ_ELIMIT ? "its path is too long for a socket" : rj_err_text(err));
    if (err == RJ_ELIMIT)
        rj_why_set(d->hint, sizeof(d->hint), "set REJOIN_SOCKET to a shorter path");
    return err;
}

enum rj_err rj_daemon_start(struct rj_daemon *d)
{
    enum rj_err err;

    *d = (struct rj_daemon){.home = {.lock_fd = -1}};
    d->log = (struct rj_logger){.fd = STDERR_FILENO, .level = RJ_NOTE_INFO};
    err = rj_service_begin(d);
    if (err == RJ_OK)
        err = take_home(d);
    if (err == RJ_OK)
        err = open_driver(d);
    if (err == RJ_OK)
        err = make_parts(d);
    if (err == RJ_OK)
        err = listen_everywhere(d);
    if (err == RJ_OK)
        err = rj_service_ready(d);
    if (err != RJ_OK) {
        if (d->why[0] == '\0')
            rj_why_set(d->why, sizeof(d->why), "%s", rj_err_text(err));
        rj_service_ends(d);
        return err;
    }
    rj_driver_begin(&d->driver);
    rj_logger_line(&d->log, RJ_NOTE_INFO,
                   "daemon.up version=%s name=%s home=%s port.peer=%u port.resp=%u "
                   "port.web=%u",
                   RJ_VERSION, d->name, d->home.dirs.data, d->port_peer, d->port_resp,
                   d->port_web);
    return RJ_OK;
}

int rj_daemon_run(struct rj_daemon *d)
{
    rj_driver_run(&d->driver);
    d->log.tap = NULL;
    d->ran = true; /* its listeners are gone with it */
    if (d->driver.late)
        rj_logger_line(
            &d->log, RJ_NOTE_WARN,
            "daemon.not_durable why=\"the last writes did not reach the disk in time\"");
    rj_logger_line(&d->log, RJ_NOTE_INFO, "daemon.down status=%d", d->exit_status);
    return d->exit_status;
}

void rj_daemon_done(struct rj_daemon *d)
{
    if (!d->ran && d->control != NULL) { /* a start that failed: no connections yet */
        rj_respd_stop(d->respd);
        rj_control_stop(d->control);
    }
    d->log.tap = NULL;
    rj_driver_close_engine(&d->driver);
    rj_service_done(d);
    rj_control_free(d->control);
    rj_web_free(d->web);
    rj_respd_free(d->respd);
    rj_driver_close(&d->driver);
    rj_site_free(d->site);
    rj_pipes_close(d->pipes);
    rj_config_done(&d->config);
    rj_home_close(&d->home);
    free(d->name);
    free(d->listen_peer);
    free(d->listen_resp);
    free(d->listen_web);
    free(d->told_addresses);
    free(d->ssh_command);
    *d = (struct rj_daemon){.home = {.lock_fd = -1}};
}
