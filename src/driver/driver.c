/* SPDX-License-Identifier: Apache-2.0 */
/* One node that runs. The order of a turn's end is what its promises rest on:
 *
 *   before_flush     whoever waited sees what the turn has changed
 *   engine flush     the turn's writes are cut into batches and leave
 *   after_flush      what waited for commits that are done
 *
 * and then the loop sends everything at once. At the end of its life it takes no new
 * peers, waits until the last writes are durable, and stops the loop. */
#include "driver/driver.h"

#include "base/bytes.h"
#include "posix/tls.h"
#include "posix/why.h"

enum { STOP_LOOK_MS = 50 };

/* ---- the engine asks */

static void engine_send(void *ctx, uint64_t peer, struct rj_bytes bytes)
{
    rj_peers_send(((struct rj_driver *)ctx)->peers, peer, bytes);
}

static void engine_close(void *ctx, uint64_t peer, enum rj_err err)
{
    rj_peers_close(((struct rj_driver *)ctx)->peers, peer, err);
}

static void engine_note(void *ctx, enum rj_note_level level, const char *text)
{
    rj_logger_line(((struct rj_driver *)ctx)->options.log, level, "%s", text);
}

static void engine_ended(void *ctx, enum rj_err err, const char *why)
{
    struct rj_driver *d = ctx;

    (void)why;
    rj_peers_end(d->peers);
    d->options.ops->ended(d->options.ctx, err);
}

static void engine_began(void *ctx)
{
    struct rj_driver *d = ctx;

    d->options.ops->began(d->options.ctx);
    rj_peers_begin(d->peers, d->engine);
}

static void engine_relay(void *ctx, const struct rj_action *a)
{
    struct rj_driver *d = ctx;
    enum rj_err err = a->role == RJ_RELAY_CARRY
                          ? rj_peers_relay_carry(d->peers, a->token)
                          : rj_peers_relay_meet(d->peers, &a->via, &a->device, a->token,
                                                a->role == RJ_RELAY_CLIENT);

    if (err != RJ_OK)
        rj_logger_line(d->options.log, RJ_NOTE_DEBUG, "relay.refused error=%s",
                       rj_err_name(err));
}

static void engine_cast(void *ctx, struct rj_space *s, struct rj_bytes topic,
                        struct rj_bytes text)
{
    struct rj_driver *d = ctx;

    if (d->options.ops->cast != NULL)
        d->options.ops->cast(d->options.ctx, s, topic, text);
}

static void engine_gave_up(void *ctx, enum rj_err err, const char *why)
{
    struct rj_driver *d = ctx;

    d->options.ops->gave_up(d->options.ctx, err, why);
}

static const struct rj_engine_ops engine_ops = {
    .send = engine_send,
    .close = engine_close,
    .note = engine_note,
    .cast = engine_cast,
    .relay = engine_relay,
    .ended = engine_ended,
    .began = engine_began,
    .gave_up = engine_gave_up,
};

/* ---- turns */

static void look_whether_quiet(struct rj_driver *d)
{
    struct rj_mono now = rj_loop_now(d->loop).mono;
    bool late = now.ms >= d->stop_until.ms;

    if (!d->stopping || rj_loop_stopping(d->loop))
        return;
    if (!rj_driver_quiet(d) && !late) {
        now.ms += STOP_LOOK_MS;
        rj_timer_set(d->stop_timer, now);
        return;
    }
    d->late = !rj_driver_quiet(d);
    rj_loop_stop(d->loop, RJ_DRIVER_CLOSE_MS);
}

static void on_turn(void *ctx)
{
    struct rj_driver *d = ctx;

    if (d->engine == NULL)
        return;
    d->options.ops->before_flush(d->options.ctx);
    rj_engine_flush(d->engine);
    d->options.ops->after_flush(d->options.ctx);
    look_whether_quiet(d);
}

static void on_signal(void *ctx, int signo)
{
    struct rj_driver *d = ctx;

    d->options.ops->signal(d->options.ctx, signo);
}

static void on_stop_timer(void *ctx)
{
    (void)ctx; /* the end of the turn does the rest */
}

static const struct rj_loop_ops loop_ops = {.on_turn = on_turn, .on_signal = on_signal};

/* ---- life */

static enum rj_err make_parts(struct rj_driver *d)
{
    const struct rj_driver_options *o = &d->options;
    const struct rj_loop_options loop = {
        .ops = &loop_ops, .ctx = d, .signals = o->signals};
    struct rj_peers_options peers = {
        .crypto = d->crypto,
        .log = o->log,
        .listen_host = o->listen_host,
        .port = o->port,
        .any_port = o->any_port,
        .listen_fd = o->listen_fd,
        .told_addresses = o->told_addresses,
        .port_beacon = o->port_beacon,
        .site = o->site,
        .pipes = o->pipes,
        .ssh_command = o->ssh_command,
        .peer_socket = o->peer_socket,
    };
    enum rj_err err = rj_tls_ctx_new(d->crypto, &d->tls);

    if (err == RJ_OK)
        err = rj_loop_new(&loop, &d->loop);
    if (err == RJ_OK)
        err = rj_timer_new(d->loop, on_stop_timer, d, &d->stop_timer);
    peers.tls = d->tls;
    peers.loop = d->loop;
    return err == RJ_OK ? rj_peers_new(&peers, &d->peers) : err;
}

static enum rj_err open_engine(struct rj_driver *d)
{
    const struct rj_driver_options *o = &d->options;
    const struct rj_engine_options options = {
        .ops = &engine_ops,
        .ctx = d,
        .loop = d->loop,
        .env = rj_crypto_env(d->crypto),
        .log = o->log,
        .store_path = o->home->store_path,
        .store_max_bytes = o->store_max_bytes,
        .name = rj_bytes_from_str(o->name),
        .limits = o->limits,
    };
    char why[RJ_ENGINE_WHY_MAX] = "";
    enum rj_err err = rj_engine_open(&options, why, sizeof(why), &d->engine);

    if (err != RJ_OK)
        rj_why_set(d->why, sizeof(d->why), "the store %s: %s%s%s", o->home->store_path,
                   rj_err_text(err), why[0] != '\0' ? ": " : "", why);
    return err;
}

enum rj_err rj_driver_open(struct rj_driver *d, const struct rj_driver_options *options)
{
    enum rj_err err;

    *d = (struct rj_driver){.options = *options, .stage = RJ_DRIVER_KEY};
    err = rj_home_key(options->home, &d->crypto);
    if (err != RJ_OK) {
        rj_why_set(d->why, sizeof(d->why), "%s", options->home->why);
        return err;
    }
    d->stage = RJ_DRIVER_PARTS;
    err = make_parts(d);
    if (err != RJ_OK) {
        rj_why_set(d->why, sizeof(d->why), "%s", rj_err_text(err));
        return err;
    }
    d->stage = RJ_DRIVER_STORE;
    err = open_engine(d);
    if (err == RJ_OK)
        d->stage = RJ_DRIVER_OPEN;
    return err;
}

enum rj_err rj_driver_listen(struct rj_driver *d)
{
    return rj_peers_listen(d->peers);
}

const char *rj_driver_port_text(enum rj_err err)
{
    switch ((int)err) {
    case RJ_EBUSY:
        return "another program has it";
    case RJ_EDENIED:
        return "not permitted";
    case RJ_EINVAL:
        return "no such address here";
    default:
        return rj_err_text(err);
    }
}

void rj_driver_begin(struct rj_driver *d)
{
    engine_began(d);
}

void rj_driver_run(struct rj_driver *d)
{
    rj_loop_run(d->loop);
    d->ran = true;
}

void rj_driver_stop(struct rj_driver *d, uint32_t quiet_ms)
{
    uint64_t until_ms = rj_loop_now(d->loop).mono.ms + quiet_ms;

    if (d->stopping && until_ms >= d->stop_until.ms)
        return;
    d->stop_until.ms = until_ms;
    rj_timer_set(d->stop_timer, rj_loop_now(d->loop).mono);
    if (d->stopping)
        return;
    d->stopping = true;
    rj_engine_touch(d->engine);
    rj_peers_stop(d->peers);
}

bool rj_driver_quiet(struct rj_driver *d)
{
    return rj_engine_quiet(d->engine);
}

void rj_driver_close_engine(struct rj_driver *d)
{
    rj_engine_close(d->engine);
    d->engine = NULL; /* a loop that never ran takes its turns when it is freed */
    rj_timer_free(d->stop_timer);
    d->stop_timer = NULL;
}

void rj_driver_close(struct rj_driver *d)
{
    if (d->peers != NULL && !d->ran)
        rj_peers_stop(d->peers);
    rj_driver_close_engine(d);
    rj_peers_free(d->peers);
    rj_loop_free(d->loop);
    rj_tls_ctx_free(d->tls);
    rj_crypto_free(d->crypto);
    *d = (struct rj_driver){0};
}

/* ---- tickets */

static enum rj_err make_ticket(struct rj_driver *d, struct rj_node *n,
                               const struct rj_invite_opts *opts, struct rj_ticket *t)
{
    const struct rj_ticket_address *own = rj_peers_own(d->peers, &t->n_addresses);
    enum rj_err err;

    if (t->n_addresses == 0)
        return RJ_EUNREACH;
    memcpy(t->addresses, own, t->n_addresses * sizeof(*own));
    t->device = *rj_node_device(n);
    err = rj_node_invite(n, opts, rj_engine_now(d->engine), t->secret);
    if (err == RJ_OK)
        rj_engine_touch(d->engine);
    return err;
}

enum rj_err rj_driver_invite(struct rj_driver *d, const struct rj_invite_opts *opts,
                             struct rj_buf *ret_text)
{
    struct rj_node *n = rj_engine_node(d->engine);
    struct rj_ticket t = {0};
    enum rj_err err = n == NULL ? RJ_EBUSY : make_ticket(d, n, opts, &t);

    if (err == RJ_OK) {
        rj_ticket_print(&t, ret_text);
        err = rj_buf_err(ret_text);
    }
    rj_bytes_wipe(&t, sizeof(t));
    return err;
}

enum rj_err rj_driver_join(struct rj_driver *d, const struct rj_ticket *t)
{
    struct rj_node *n = rj_engine_node(d->engine);
    enum rj_err err = RJ_OK;

    if (n == NULL)
        return RJ_EBUSY;
    rj_engine_touch(d->engine);
    /* The last one added is tried first. */
    for (size_t i = t->n_addresses; err == RJ_OK && i-- > 0;)
        err = rj_node_add_address(n, &t->device, rj_bytes_from_str(t->addresses[i].text));
    if (err == RJ_OK)
        err = rj_node_join(n, &t->device, t->secret);
    if (err == RJ_OK)
        (void)rj_peers_dial_now(d->peers);
    return err;
}
