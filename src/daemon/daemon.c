/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon. The order of a turn's end is what its promises rest on:
 *
 *   control, waiting Redis clients    whoever waited sees what the turn has changed
 *   engine flush                      the turn's writes are cut into batches and leave
 *   held replies                      of commits that are done
 *
 * and then the loop sends everything at once. At the end of its life it takes no new
 * work, waits until the last writes are durable, and closes. */
#include "daemon/daemon.h"

#include "base/bytes.h"
#include "posix/tls.h"
#include "posix/why.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { STOP_LOOK_MS = 50 };

/* ---- the engine's driver asks */

static void engine_send(void *ctx, uint64_t peer, struct rj_bytes bytes)
{
    rj_peers_send(((struct rj_daemon *)ctx)->peers, peer, bytes);
}

static void engine_close(void *ctx, uint64_t peer, enum rj_err err)
{
    rj_peers_close(((struct rj_daemon *)ctx)->peers, peer, err);
}

static void engine_note(void *ctx, enum rj_note_level level, const char *text)
{
    rj_logger_line(&((struct rj_daemon *)ctx)->log, level, "%s", text);
}

static void engine_ended(void *ctx, enum rj_err err, const char *why)
{
    struct rj_daemon *d = ctx;

    (void)why;
    rj_peers_end(d->peers);
    rj_control_ended(d->control, err);
    rj_respd_end(d->respd);
}

static void engine_began(void *ctx)
{
    struct rj_daemon *d = ctx;

    rj_respd_begin(d->respd, d->engine);
    rj_peers_begin(d->peers, d->engine);
}

static void engine_gave_up(void *ctx, enum rj_err err, const char *why)
{
    struct rj_daemon *d = ctx;

    rj_logger_line(&d->log, RJ_NOTE_ERROR, "daemon.gave_up error=%s why=\"%s\"",
                   rj_err_name(err), why);
    d->exit_status = rj_err_exit(err);
    rj_loop_stop(d->loop, RJ_DAEMON_STOP_MS);
}

static const struct rj_engine_ops engine_ops = {
    .send = engine_send,
    .close = engine_close,
    .note = engine_note,
    .ended = engine_ended,
    .began = engine_began,
    .gave_up = engine_gave_up,
};

/* Those who watch get what is logged. */
static void on_log(void *ctx, enum rj_note_level level, const char *text)
{
    struct rj_daemon *d = ctx;

    rj_incidents_take(&d->incidents, level, text, rj_loop_now(d->loop).wall);
    rj_control_event(d->control, level, text);
}

/* ---- turns */

static void look_whether_quiet(struct rj_daemon *d)
{
    struct rj_mono now = rj_loop_now(d->loop).mono;
    bool late = now.ms >= d->stop_until.ms;

    if (!d->stopping || rj_loop_stopping(d->loop))
        return;
    if (!late && !rj_engine_quiet(d->engine)) {
        now.ms += STOP_LOOK_MS;
        rj_timer_set(d->stop_timer, now);
        return;
    }
    if (late)
        rj_logger_line(
            &d->log, RJ_NOTE_WARN,
            "daemon.not_durable why=\"the last writes did not reach the disk in time\"");
    rj_loop_stop(d->loop, RJ_DAEMON_STOP_MS);
}

static void on_turn(void *ctx)
{
    struct rj_daemon *d = ctx;

    if (d->engine == NULL)
        return;
    rj_control_turn(d->control);
    rj_respd_before_flush(d->respd);
    rj_engine_flush(d->engine);
    rj_respd_after_flush(d->respd);
    look_whether_quiet(d);
}

static void on_stop_timer(void *ctx)
{
    (void)ctx; /* the end of the turn does the rest */
}

void rj_daemon_stop(struct rj_daemon *d)
{
    if (d->stopping)
        return;
    rj_logger_line(&d->log, RJ_NOTE_INFO, "daemon.stopping");
    d->stopping = true;
    d->stop_until.ms = rj_loop_now(d->loop).mono.ms + RJ_DAEMON_QUIET_MS;
    rj_engine_touch(d->engine);
    rj_respd_stop(d->respd);
    rj_peers_stop(d->peers);
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

static const struct rj_loop_ops loop_ops = {.on_turn = on_turn, .on_signal = on_signal};

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
    d->port_peer = (uint16_t)rj_config_uint(c, "port.peer");
    d->port_resp = (uint16_t)rj_config_uint(c, "port.resp");
    d->port_web = (uint16_t)rj_config_uint(c, "port.web");
    if (d->name == NULL || d->listen_peer == NULL || d->listen_resp == NULL ||
        d->listen_web == NULL || d->told_addresses == NULL)
        return RJ_ENOMEM;
    return RJ_OK;
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

static enum rj_err take_key(struct rj_daemon *d)
{
    enum rj_err err = rj_home_key(&d->home, &d->crypto);

    if (err == RJ_OK)
        return rj_tls_ctx_new(d->crypto, &d->tls);
    rj_why_set(d->why, sizeof(d->why), "%s", d->home.why);
    if (err == RJ_ECORRUPT)
        rj_why_set(d->hint, sizeof(d->hint),
                   "put the right device.key back; or, to begin as a new device, move %s "
                   "away and join again",
                   d->home.dirs.data);
    return err;
}

static enum rj_err make_parts(struct rj_daemon *d)
{
    const struct rj_loop_options loop = {.ops = &loop_ops, .ctx = d, .signals = true};
    struct rj_peers_options peers = {
        .crypto = d->crypto,
        .tls = d->tls,
        .log = &d->log,
        .listen_host = d->listen_peer,
        .port = d->port_peer,
        .told_addresses = d->told_addresses,
    };
    struct rj_respd_options respd = {
        .log = &d->log,
        .config = &d->config,
        .listen_host = d->listen_resp,
        .port = d->port_resp,
        .port_peer = d->port_peer,
    };
    enum rj_err err = rj_loop_new(&loop, &d->loop);

    if (err != RJ_OK)
        return err;
    d->started = rj_loop_now(d->loop).wall;
    peers.loop = d->loop;
    respd.loop = d->loop;
    err = rj_timer_new(d->loop, on_stop_timer, d, &d->stop_timer);
    if (err == RJ_OK)
        err = rj_peers_new(&peers, &d->peers);
    respd.peers = d->peers;
    if (err == RJ_OK)
        err = rj_respd_new(&respd, &d->respd);
    if (err == RJ_OK)
        err = rj_control_new(d, &d->control);
    if (err == RJ_OK) {
        d->log.tap = on_log;
        d->log.tap_ctx = d;
    }
    return err;
}

static enum rj_err open_engine(struct rj_daemon *d)
{
    const struct rj_engine_options options = {
        .ops = &engine_ops,
        .ctx = d,
        .loop = d->loop,
        .env = rj_crypto_env(d->crypto),
        .log = &d->log,
        .store_path = d->home.store_path,
        .store_max_bytes = rj_config_uint(&d->config, "limit.store"),
        .name = rj_bytes_from_str(d->name),
        .limits = {.log_bytes = rj_config_uint(&d->config, "limit.log")},
    };
    char why[RJ_ENGINE_WHY_MAX] = "";
    enum rj_err err = rj_engine_open(&options, why, sizeof(why), &d->engine);

    if (err == RJ_OK)
        return RJ_OK;
    rj_why_set(d->why, sizeof(d->why), "the store %s: %s%s%s", d->home.store_path,
               rj_err_text(err), why[0] != '\0' ? ": " : "", why);
    if (err == RJ_ECORRUPT)
        rj_why_set(d->hint, sizeof(d->hint),
                   "nothing was changed and nothing is served. To take the data from the "
                   "other members: mv %s %s.damaged, then rejoin join with a new ticket; "
                   "or put a backup of it back",
                   d->home.store_path, d->home.store_path);
    else if (err == RJ_EVERSION)
        rj_why_set(d->hint, sizeof(d->hint), "it was written by a newer rejoin: upgrade");
    return err;
}

static enum rj_err say_port(struct rj_daemon *d, enum rj_err err, const char *key,
                            const char *host)
{
    if (err == RJ_OK)
        return RJ_OK;
    rj_why_set(d->why, sizeof(d->why), "port %s of %s: %s",
               rj_config_get(&d->config, key), host[0] != '\0' ? host : "any address",
               err == RJ_EBUSY     ? "another program has it"
               : err == RJ_EDENIED ? "not permitted"
               : err == RJ_EINVAL  ? "no such address here"
                                   : rj_err_text(err));
    rj_why_set(d->hint, sizeof(d->hint), "rejoin config set %s PORT", key);
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
    enum rj_err err = say_port(d, rj_peers_listen(d->peers), "port.peer", d->listen_peer);

    if (err == RJ_OK)
        err = say_port(d, rj_respd_listen(d->respd), "port.resp", d->listen_resp);
    if (err == RJ_OK)
        err = listen_web(d);
    if (err != RJ_OK)
        return err;
    err = rj_control_listen(d->control, d->home.dirs.socket);
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
    err = take_home(d);
    if (err == RJ_OK)
        err = take_key(d);
    if (err == RJ_OK)
        err = make_parts(d);
    if (err == RJ_OK)
        err = open_engine(d);
    if (err == RJ_OK)
        err = listen_everywhere(d);
    if (err != RJ_OK) {
        if (d->why[0] == '\0')
            rj_why_set(d->why, sizeof(d->why), "%s", rj_err_text(err));
        return err;
    }
    engine_began(d);
    rj_logger_line(&d->log, RJ_NOTE_INFO,
                   "daemon.up version=%s name=%s home=%s port.peer=%u port.resp=%u "
                   "port.web=%u",
                   RJ_VERSION, d->name, d->home.dirs.data, d->port_peer, d->port_resp,
                   d->port_web);
    return RJ_OK;
}

int rj_daemon_run(struct rj_daemon *d)
{
    rj_loop_run(d->loop);
    d->log.tap = NULL;
    d->ran = true; /* its listeners are gone with it */
    rj_logger_line(&d->log, RJ_NOTE_INFO, "daemon.down status=%d", d->exit_status);
    return d->exit_status;
}

void rj_daemon_done(struct rj_daemon *d)
{
    if (!d->ran && d->control != NULL) { /* a start that failed: no connections yet */
        rj_peers_stop(d->peers);
        rj_respd_stop(d->respd);
        rj_control_stop(d->control);
    }
    d->log.tap = NULL;
    rj_engine_close(d->engine);
    d->engine = NULL; /* a loop that never ran takes its turns when it is freed */
    rj_timer_free(d->stop_timer);
    rj_control_free(d->control);
    rj_web_free(d->web);
    rj_respd_free(d->respd);
    rj_peers_free(d->peers);
    rj_loop_free(d->loop);
    rj_tls_ctx_free(d->tls);
    rj_crypto_free(d->crypto);
    rj_config_done(&d->config);
    rj_home_close(&d->home);
    free(d->name);
    free(d->listen_peer);
    free(d->listen_resp);
    free(d->listen_web);
    free(d->told_addresses);
    *d = (struct rj_daemon){.home = {.lock_fd = -1}};
}
