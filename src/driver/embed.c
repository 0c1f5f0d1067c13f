/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded node: a driver whose turns are given by a foreign loop. Whatever may write
 * to a socket or start a thread runs with the host's signals blocked: the handlers of the
 * host then never run on a worker (threads inherit the mask), and a SIGPIPE, which goes
 * to the thread that wrote, is taken back before the mask is (Stevens and Rago, "Advanced
 * Programming in the UNIX Environment", 10.13, 12.8). Faults stay deliverable. */
#include "base/alloc.h"
#include "base/opts.h"
#include "driver/driver.h"
#include "posix/why.h"

#include <rejoin/embed.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct rj_embed {
    struct rj_driver driver;
    struct rj_home home;
    struct rj_logger log;
    struct rj_embed_opts options;
    char name[RJ_NAME_MAX + 1];
    char *listen_host, *addresses;
    struct rj_site *site;     /* the network's key; NULL: none */
    enum rj_err final;        /* the store can never be opened again */
    struct rj_digest inviter; /* of the last join, */
    uint64_t join_instance;   /* and the instance that was asked; 0: none */
    uint64_t received, changes;
    bool begun;
};

/* ---- signals */

struct signals {
    sigset_t before;
    bool pipe_pending;
};

static void signals_enter(struct signals *s)
{
    static const int faults[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
    sigset_t all, pending;

    (void)sigfillset(&all);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        (void)sigdelset(&all, faults[i]);
    (void)pthread_sigmask(SIG_BLOCK, &all, &s->before);
    s->pipe_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void signals_leave(const struct signals *s)
{
    const struct timespec at_once = {0};
    sigset_t pending, pipe;

    if (!s->pipe_pending && sigpending(&pending) == 0 &&
        sigismember(&pending, SIGPIPE) == 1) {
        (void)sigemptyset(&pipe);
        (void)sigaddset(&pipe, SIGPIPE);
        (void)sigtimedwait(&pipe, NULL, &at_once);
    }
    (void)pthread_sigmask(SIG_SETMASK, &s->before, NULL);
}

/* ---- the driver asks */

static void nothing(void *ctx)
{
    (void)ctx;
}

static void on_ended(void *ctx, enum rj_err err)
{
    (void)ctx;
    (void)err;
}

static void on_gave_up(void *ctx, enum rj_err err, const char *why)
{
    (void)why;
    ((struct rj_embed *)ctx)->final = err;
}

static void on_signal(void *ctx, int signo)
{
    (void)ctx; /* none was asked for */
    (void)signo;
}

static void on_cast(void *ctx, struct rj_space *s, struct rj_bytes topic,
                    struct rj_bytes text)
{
    struct rj_embed *e = ctx;

    if (e->options.cast != NULL)
        e->options.cast(e->options.ctx, s, topic, text);
}

static const struct rj_driver_ops driver_ops = {
    .before_flush = nothing,
    .after_flush = nothing,
    .began = nothing,
    .ended = on_ended,
    .cast = on_cast,
    .gave_up = on_gave_up,
    .signal = on_signal,
};

static void on_log(void *ctx, enum rj_note_level level, const char *text)
{
    struct rj_embed *e = ctx;

    e->options.note(e->options.ctx, level, text);
}

/* ---- open */

static enum rj_err take_name(struct rj_embed *e, const char *name)
{
    char host[RJ_NAME_MAX + 1] = "";

    if (name == NULL) {
        if (gethostname(host, sizeof(host) - 1) == 0)
            host[strcspn(host, ".")] = '\0';
        name = host[0] != '\0' ? host : "device";
    }
    if (name[0] == '\0' || strlen(name) >= sizeof(e->name) ||
        !rj_bytes_is_utf8(rj_bytes_from_str(name)))
        return RJ_EINVAL;
    (void)snprintf(e->name, sizeof(e->name), "%s", name);
    return RJ_OK;
}

static enum rj_err take_options(struct rj_embed *e, char *why, size_t why_len)
{
    const struct rj_embed_opts *opts = &e->options;
    const char *host = opts->listen_host != NULL ? opts->listen_host : "";
    const char *addresses = opts->addresses != NULL ? opts->addresses : "";
    const char *key = opts->network_key != NULL ? opts->network_key : "";

    e->listen_host = strdup(host);
    e->addresses = strdup(addresses);
    if (e->listen_host == NULL || e->addresses == NULL)
        return RJ_ENOMEM;
    if (take_name(e, opts->name) != RJ_OK) {
        rj_why_set(why, why_len, "a device's name has 1 to %d bytes of UTF-8",
                   RJ_NAME_MAX);
        return RJ_EINVAL;
    }
    e->log = (struct rj_logger){.fd = -1, .level = RJ_NOTE_INFO};
    if (opts->note != NULL) {
        e->log.tap = on_log;
        e->log.tap_ctx = e;
    }
    return rj_site_load(key, why, why_len, &e->site);
}

static enum rj_err open_home(struct rj_embed *e, const char *path, char *why,
                             size_t why_len)
{
    enum rj_err err = rj_home_at(&e->home, path);

    if (err == RJ_OK)
        err = rj_home_open(&e->home);
    if (err != RJ_OK)
        rj_why_set(why, why_len, "%s", e->home.why);
    return err;
}

static enum rj_err begin(struct rj_embed *e, char *why, size_t why_len)
{
    const struct rj_embed_opts *o = &e->options;
    const struct rj_driver_options options = {
        .ops = &driver_ops,
        .ctx = e,
        .home = &e->home,
        .log = &e->log,
        .name = e->name,
        .listen_host = e->listen_host,
        .port = o->listen ? o->port : 0,
        .any_port = o->listen,
        .told_addresses = e->addresses,
        .port_beacon = o->beacon_port,
        .site = e->site,
        .peer_socket = o->pipe ? e->home.peer_socket : NULL,
        .store_max_bytes = o->store_max_bytes,
        .limits = o->limits,
    };
    enum rj_err err = rj_driver_open(&e->driver, &options);

    if (err != RJ_OK) {
        rj_why_set(why, why_len, "%s", e->driver.why);
        return err;
    }
    err = rj_driver_listen(&e->driver);
    if (err != RJ_OK) {
        rj_why_set(why, why_len, "port %u of %s: %s", o->port,
                   e->listen_host[0] != '\0' ? e->listen_host : "any address",
                   rj_driver_port_text(err));
        return err;
    }
    rj_driver_begin(&e->driver);
    e->begun = true;
    return RJ_OK;
}

static void free_all(struct rj_embed *e)
{
    rj_driver_close(&e->driver);
    rj_site_free(e->site);
    rj_home_close(&e->home);
    free(e->listen_host);
    free(e->addresses);
    free(e);
}

enum rj_err rj_embed_open(const struct rj_embed_opts *opts, char *why, size_t why_len,
                          struct rj_embed **ret_embed)
{
    struct rj_embed_opts own;
    struct signals signals;
    struct rj_embed *e;
    enum rj_err err;

    if (!rj_opts_take(&own, sizeof(own), opts) || own.home == NULL) {
        rj_why_set(why, why_len, "size and home must be set");
        return RJ_EINVAL;
    }
    e = rj_alloc_zero(1, sizeof(*e));
    if (e == NULL) {
        rj_why_set(why, why_len, "%s", rj_err_text(RJ_ENOMEM));
        return RJ_ENOMEM;
    }
    e->home.lock_fd = -1;
    e->options = own;
    signals_enter(&signals);
    err = take_options(e, why, why_len);
    if (err == RJ_OK)
        err = open_home(e, own.home, why, why_len);
    if (err == RJ_OK)
        err = begin(e, why, why_len);
    if (err == RJ_OK)
        *ret_embed = e;
    else
        free_all(e);
    signals_leave(&signals);
    return err;
}

/* ---- turns */

int rj_embed_fd(const struct rj_embed *e)
{
    return rj_loop_fd(e->driver.loop);
}

int rj_embed_timeout_ms(struct rj_embed *e)
{
    return rj_loop_wait_ms(e->driver.loop);
}

enum rj_err rj_embed_process(struct rj_embed *e)
{
    struct signals signals;

    signals_enter(&signals);
    rj_loop_turn(e->driver.loop);
    signals_leave(&signals);
    return e->final;
}

struct rj_node *rj_embed_node(struct rj_embed *e)
{
    return rj_engine_node(e->driver.engine);
}

uint64_t rj_embed_instance(const struct rj_embed *e)
{
    return rj_engine_instance(e->driver.engine);
}

struct rj_now rj_embed_now(const struct rj_embed *e)
{
    return rj_engine_now(e->driver.engine);
}

void rj_embed_touch(struct rj_embed *e)
{
    rj_engine_touch(e->driver.engine);
    rj_loop_again(e->driver.loop);
}

void rj_embed_flush(struct rj_embed *e)
{
    struct signals signals;

    signals_enter(&signals); /* a commit may start the first worker */
    rj_engine_flush_now(e->driver.engine);
    signals_leave(&signals);
    rj_loop_again(e->driver.loop);
}

uint64_t rj_embed_changes(struct rj_embed *e)
{
    struct rj_node *n = rj_embed_node(e);
    struct rj_space *s;
    uint64_t received = 0;

    if (n == NULL)
        return e->changes;
    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++)
        received += rj_space_received(s);
    e->changes += received != e->received;
    e->received = received;
    return e->changes;
}

/* ---- other devices */

enum rj_err rj_embed_invite(struct rj_embed *e, const struct rj_invite_opts *opts,
                            char *ret_text, size_t text_len)
{
    struct rj_buf text = {0};
    enum rj_err err = rj_driver_invite(&e->driver, opts, &text);

    if (err == RJ_OK && text.len >= text_len)
        err = RJ_ELIMIT;
    if (err == RJ_OK) {
        memcpy(ret_text, text.ptr, text.len);
        ret_text[text.len] = '\0';
    }
    if (text.ptr != NULL)
        rj_bytes_wipe(text.ptr, text.len);
    rj_buf_done(&text);
    rj_loop_again(e->driver.loop);
    return err;
}

enum rj_err rj_embed_join(struct rj_embed *e, const char *ticket)
{
    const char *why;
    struct rj_ticket t;
    enum rj_err err = rj_ticket_parse(rj_bytes_from_str(ticket), &t, &why);

    if (err != RJ_OK)
        return err;
    err = rj_driver_join(&e->driver, &t);
    if (err == RJ_OK) {
        e->inviter = t.device;
        e->join_instance = rj_embed_instance(e);
    }
    rj_bytes_wipe(&t, sizeof(t));
    rj_loop_again(e->driver.loop);
    return err;
}

static bool all_whole(struct rj_embed *e, struct rj_node *n)
{
    struct rj_space_info info;
    struct rj_space *s;

    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++) {
        rj_space_info(s, rj_embed_now(e), &info);
        if (info.joining)
            return false;
    }
    return true;
}

enum rj_err rj_embed_join_state(struct rj_embed *e, struct rj_embed_join *ret)
{
    struct rj_node *n = rj_embed_node(e);
    struct rj_embed_join j = {.size = ret->size, .why = ""};

    if (ret->size < sizeof(ret->size) || ret->size > RJ_OPTS_MAX)
        return RJ_EINVAL;
    if (n != NULL && e->join_instance == rj_embed_instance(e)) {
        j.state = rj_node_join_state(n, &j.err);
        j.connected = rj_peers_connected(e->driver.peers, &e->inviter);
        j.whole = j.state == RJ_JOIN_DONE && all_whole(e, n);
        j.why = rj_peers_why(e->driver.peers, &e->inviter);
    }
    memcpy(ret, &j, j.size < sizeof(j) ? j.size : sizeof(j));
    return RJ_OK;
}

const char *rj_embed_address(const struct rj_embed *e, size_t i)
{
    size_t n = 0;
    const struct rj_ticket_address *own = rj_peers_own(e->driver.peers, &n);

    return i < n ? own[i].text : NULL;
}

/* ---- the end */

void rj_embed_stop(struct rj_embed *e)
{
    rj_driver_stop(&e->driver, UINT32_MAX);
    rj_loop_again(e->driver.loop);
}

bool rj_embed_quiet(struct rj_embed *e)
{
    return rj_driver_quiet(&e->driver);
}

void rj_embed_close(struct rj_embed *e, uint32_t timeout_ms)
{
    struct signals signals;

    if (e == NULL)
        return;
    signals_enter(&signals);
    rj_driver_stop(&e->driver, timeout_ms);
    rj_driver_run(&e->driver);
    free_all(e);
    signals_leave(&signals);
}
