/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: from accept or dial to the end of a connection. Before the engine hears of
 * one, three things were proven: the device's key (TLS), that it is the one that was
 * dialled, and, where the network has a key, that both know it. */
#include "driver/peers.h"

#include "base/alloc.h"
#include "driver/peers_inner.h"
#include "posix/why.h"

static struct rj_bytes session_key(const struct rj_map_node *node)
{
    return RJ_BYTES_OF(RJ_MAP_ENTRY_CONST(node, struct rj_session, node)->key);
}

void rj_peers_short_id(const struct rj_digest *d, char ret[RJ_PEERS_SHORT_ID + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < RJ_PEERS_SHORT_ID; i++)
        ret[i] = digits[d->b[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    ret[RJ_PEERS_SHORT_ID] = '\0';
}

/* ---- sessions */

struct rj_session *rj_session_new(struct rj_peers *p)
{
    struct rj_session *s = rj_alloc_zero(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->id = ++p->last_id;
    s->peers = p;
    rj_be_store64(s->key, s->id);
    if (rj_map_insert(&p->sessions, &s->node) == NULL)
        return s;
    free(s);
    return NULL;
}

void rj_session_drop(struct rj_session *s)
{
    rj_map_remove(&s->peers->sessions, &s->node);
    free(s);
}

struct rj_session *rj_session_next(const struct rj_peers *p, const struct rj_session *s)
{
    struct rj_map_node *n =
        s == NULL ? rj_map_first(&p->sessions) : rj_map_next(&s->node);

    return n != NULL ? RJ_MAP_ENTRY(n, struct rj_session, node) : NULL;
}

static struct rj_session *session_of(const struct rj_peers *p, uint64_t id)
{
    uint8_t key[8];
    struct rj_map_node *node;

    rj_be_store64(key, id);
    node = rj_map_find(&p->sessions, RJ_BYTES_OF(key));
    return node != NULL ? RJ_MAP_ENTRY(node, struct rj_session, node) : NULL;
}

struct rj_session *rj_session_to(const struct rj_peers *p, const struct rj_digest *device)
{
    for (struct rj_session *s = rj_session_next(p, NULL); s != NULL;
         s = rj_session_next(p, s))
        if (s->up && rj_peers_same(&s->device, device))
            return s;
    return NULL;
}

/* The engine is told that it is gone; the connection may still linger. */
static void session_down(struct rj_session *s)
{
    struct rj_peers *p = s->peers;

    if (!s->up)
        return;
    s->up = false;
    if (p->engine != NULL)
        rj_engine_peer_down(p->engine, s->id);
}

void rj_session_probe(struct rj_session *s, struct rj_mono now)
{
    s->probed = now;
    rj_conn_probe(s->conn, true);
    s->peers->probes_until.ms = now.ms + 2 * (uint64_t)RJ_CONN_PROBE_MS;
}

/* Of an older session and a new one to the same device: whether the new one stays. */
static bool newer_stays(const struct rj_peers *p, const struct rj_session *old,
                        bool dialled)
{
    bool old_dialled = rj_conn_info(old->conn).is_client;
    bool i_am_lower = memcmp(p->self.b, old->device.b, RJ_DIGEST_LEN) < 0;
    uint64_t age_ms = rj_loop_now(p->options.loop).mono.ms - old->since.ms;

    /* Nobody dials whom it is connected to: an old session is dead at the other end. */
    if (old_dialled == dialled || age_ms >= RJ_PEERS_RACE_MS)
        return true;
    return dialled == i_am_lower;
}

/* Why it is not there, for people: also where the other end dialled. */
static void note_why(const struct rj_session *s, enum rj_weight weight, const char *why)
{
    struct rj_target *t =
        s->target != NULL ? s->target : rj_target_find(s->peers, &s->device);

    if (t != NULL)
        rj_target_why(t, weight, why);
}

static void refuse(struct rj_session *s, enum rj_err err, const char *why)
{
    struct rj_logger *log = s->peers->options.log;
    char id[RJ_PEERS_SHORT_ID + 1];

    rj_peers_short_id(&s->device, id);
    rj_logger_line(log, RJ_NOTE_INFO,
                   "peer.refused device=%s address=%s error=%s why=\"%s\"", id,
                   rj_conn_info(s->conn).addr, rj_err_name(err), why);
    note_why(s, RJ_WEIGHT_KEY, why);
    session_down(s);
    rj_conn_close(s->conn);
}

/* The first that leads to the device ends the other attempts. */
static void end_attempts(const struct rj_session *winner)
{
    const struct rj_peers *p = winner->peers;

    for (struct rj_session *s = rj_session_next(p, NULL); s != NULL;
         s = rj_session_next(p, s))
        if (s != winner && s->target != NULL && !s->opened && s->conn != NULL &&
            rj_peers_same(&s->target->device, &winner->device))
            rj_conn_abort(s->conn, RJ_ECLOSED);
}

/* All is proven: the engine may know it. */
static void session_up(struct rj_session *s)
{
    struct rj_peers *p = s->peers;
    struct rj_conn_info info = rj_conn_info(s->conn);
    struct rj_session *old = rj_session_to(p, &s->device);
    uint8_t binding[RJ_TLS_EXPORT_LEN];
    char id[RJ_PEERS_SHORT_ID + 1];

    if (p->engine == NULL || (old != NULL && !newer_stays(p, old, info.is_client)) ||
        rj_tls_export(rj_conn_tls(s->conn), RJ_PEERS_BINDING_LABEL, binding) != RJ_OK) {
        rj_conn_close(s->conn); /* or it is connected already */
        return;
    }
    if (old != NULL) {
        const char *const addresses[2] = {rj_conn_info(old->conn).addr, info.addr};

        rj_twins_replaced(&p->twins, &s->device, addresses,
                          rj_loop_now(p->options.loop).mono);
        session_down(old);
        rj_conn_close(old->conn);
    }
    rj_peers_short_id(&s->device, id);
    rj_logger_line(p->options.log, RJ_NOTE_INFO,
                   "peer.up device=%s address=%s dialled=%s", id, info.addr,
                   info.is_client ? "here" : "there");
    s->up = true;
    s->since = rj_engine_now(p->engine).mono;
    rj_conn_deadline(s->conn, (struct rj_mono){0});
    note_why(s, RJ_WEIGHT_KEY, "");
    if (p->beacon != NULL)
        rj_beacon_met(p->beacon, &s->device);
    rj_engine_peer_up(p->engine, s->id, info.pubkey, binding, info.is_client);
}

/* The device is the one that was meant: the network's key comes next. */
static void begin_proof(struct rj_session *s)
{
    struct rj_peers *p = s->peers;
    struct rj_mono until = rj_loop_now(p->options.loop).mono;

    s->opened = true;
    end_attempts(s);
    s->site.site = p->options.site;
    s->site.is_client = rj_conn_info(s->conn).is_client;
    if (rj_tls_export(rj_conn_tls(s->conn), RJ_SITE_LABEL, s->site.exporter) != RJ_OK) {
        rj_conn_abort(s->conn, RJ_ENOMEM);
        return;
    }
    rj_site_begin(&s->site, p->options.crypto, rj_conn_out(s->conn));
    if (s->site.state == RJ_SITE_PASSED) {
        session_up(s);
        return;
    }
    until.ms += RJ_PEERS_SITE_MS;
    rj_conn_deadline(s->conn, until);
}

static void find_out_device(struct rj_session *s)
{
    rj_crypto_device_id(s->peers->options.crypto, rj_conn_info(s->conn).pubkey,
                        &s->device);
}

/* Whether it is this device itself, or another machine with its key. */
static bool is_self(struct rj_session *s)
{
    struct rj_peers *p = s->peers;
    uint8_t binding[RJ_TLS_EXPORT_LEN];

    if (!rj_peers_same(&s->device, &p->self))
        return false;
    if (rj_tls_export(rj_conn_tls(s->conn), RJ_PEERS_BINDING_LABEL, binding) == RJ_OK)
        rj_twins_note(&p->twins, binding, rj_conn_info(s->conn).addr,
                      rj_loop_now(p->options.loop).mono);
    return true;
}

static void on_accepted(struct rj_conn *conn)
{
    struct rj_peers *p = rj_conn_ctx(conn); /* the whole, so far */
    struct rj_session *s = rj_session_new(p);

    rj_conn_set_ctx(conn, s);
    if (s == NULL) {
        rj_conn_abort(conn, RJ_ENOMEM);
        return;
    }
    s->conn = conn;
    find_out_device(s);
    if (is_self(s))
        refuse(s, RJ_EINVAL, "it is this device itself");
    else
        begin_proof(s);
}

static void on_dialled(struct rj_conn *conn)
{
    struct rj_session *s = rj_conn_ctx(conn);
    bool self;

    s->conn = conn;
    find_out_device(s);
    self = is_self(s);
    if (!self && rj_peers_same(&s->device, &s->target->device))
        begin_proof(s);
    else if (!rj_conn_next(conn)) /* a name may have more addresses */
        refuse(s, RJ_EAUTH,
               self ? "this device itself answers at this address"
                    : "another device answers at this address");
}

/* ---- what comes */

static void on_data(struct rj_conn *conn, struct rj_bytes data)
{
    struct rj_session *s = rj_conn_ctx(conn);
    struct rj_peers *p = s->peers;

    if (!s->opened || p->engine == NULL)
        return;
    if (!s->site.looked) {
        enum rj_site_state state =
            rj_site_input(&s->site, p->options.crypto, &data, rj_conn_out(conn));

        if (state == RJ_SITE_REFUSED)
            refuse(s, RJ_EAUTH, s->site.why);
        else if (state == RJ_SITE_PASSED && !s->up)
            session_up(s);
    }
    if (s->up && data.len > 0 && p->engine != NULL)
        rj_engine_peer_bytes(p->engine, s->id, data);
}

static void on_eof(struct rj_conn *conn)
{
    rj_conn_close(conn);
}

static void on_drain(struct rj_conn *conn)
{
    struct rj_session *s = rj_conn_ctx(conn);

    if (s->up && s->peers->engine != NULL)
        rj_engine_peer_drained(s->peers->engine, s->id);
}

/* ---- the end */

static void attempt_failed(struct rj_session *s, enum rj_err err)
{
    const char *why = rj_conn_why(s->conn);
    char text[RJ_PEERS_WHY_MAX];

    if (s->opened && err == RJ_ETIMEOUT)
        rj_why_set(text, sizeof(text),
                   "it did not prove that it knows the network's key");
    else if (why[0] != '\0' && strcmp(why, rj_err_text(err)) != 0)
        rj_why_set(text, sizeof(text), "%s", why); /* it names the address */
    else
        rj_why_set(text, sizeof(text), "%s: %s", rj_conn_info(s->conn).addr,
                   rj_err_text(err));
    note_why(s,
             s->opened || (err != RJ_EUNREACH && err != RJ_ETIMEOUT) ||
                     rj_conn_info(s->conn).is_unix
                 ? RJ_WEIGHT_SOMEBODY
                 : RJ_WEIGHT_NOBODY,
             text);
}

static void session_ended(struct rj_session *s, enum rj_err err)
{
    struct rj_peers *p = s->peers;
    struct rj_mono now = rj_loop_now(p->options.loop).mono;
    struct rj_target *t = s->target;
    bool was_up = s->since.ms != 0;
    bool lasted = was_up && now.ms - s->since.ms >= RJ_PEERS_LASTED_MS;
    char id[RJ_PEERS_SHORT_ID + 1];

    if (was_up) {
        rj_peers_short_id(&s->device, id);
        rj_logger_line(p->options.log, RJ_NOTE_INFO,
                       "peer.down device=%s reason=%s why=\"%s\"", id, rj_err_name(err),
                       rj_conn_why(s->conn));
    }
    session_down(s);
    if (t != NULL) {
        t->attempts--;
        p->attempts--;
        if (!was_up && err != RJ_OK && err != RJ_ECLOSED)
            attempt_failed(s, err);
    } else if (lasted) {
        t = rj_target_find(p, &s->device);
    }
    if (t != NULL)
        rj_target_ended(p, t, lasted);
    if (!p->stopped)
        rj_timer_set(p->timer, now);
    rj_session_drop(s);
}

static void on_close(struct rj_conn *conn, enum rj_err err)
{
    struct rj_session *s = rj_conn_ctx(conn);

    if (s == NULL)
        return;
    s->conn = conn; /* it may have failed before anybody was told of it */
    session_ended(s, err);
}

const struct rj_conn_ops rj_session_dial_ops = {
    .on_open = on_dialled,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_close = on_close,
};

static const struct rj_conn_ops accept_ops = {
    .on_open = on_accepted,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_close = on_close,
};

/* ---- what the driver calls */

static void on_tick(void *ctx)
{
    struct rj_peers *p = ctx;
    struct rj_mono now = rj_loop_now(p->options.loop).mono;

    if (p->stopped)
        return;
    rj_roam_look(p, now);
    rj_dial_look(p, now);
    now.ms += p->missing ? RJ_PEERS_TICK_MS : RJ_PEERS_IDLE_MS;
    if (p->own_next.ms < now.ms)
        now = p->own_next;
    rj_timer_set(p->timer, now);
}

static enum rj_err make_parts(struct rj_peers *p)
{
    const struct rj_relay_options relay = {.loop = p->options.loop};
    enum rj_err err = rj_timer_new(p->options.loop, on_tick, p, &p->timer);

    if (err == RJ_OK)
        err = rj_relay_new(&relay, &p->relay);
    if (err == RJ_OK)
        err = rj_roam_new(p);
    p->conn_options.plain_ctx = p->relay;
    return err;
}

enum rj_err rj_peers_new(const struct rj_peers_options *options,
                         struct rj_peers **ret_peers)
{
    struct rj_peers *p = rj_alloc_zero(1, sizeof(*p));
    enum rj_err err;

    if (p == NULL)
        return RJ_ENOMEM;
    p->options = *options;
    p->conn_options = (struct rj_conn_options){
        .ops = &accept_ops,
        .ctx = p,
        .tls = options->tls,
        .conns_max = RJ_SESSIONS_MAX,
        .dead_ms = RJ_PEERS_DEAD_MS,
        .plain_ops = &rj_relay_conn_ops,
    };
    rj_map_init(&p->sessions, session_key);
    rj_targets_init(p);
    rj_crypto_device_id(options->crypto, rj_crypto_env(options->crypto)->pubkey,
                        &p->self);
    err = make_parts(p);
    if (err != RJ_OK) {
        rj_peers_free(p);
        return err;
    }
    *ret_peers = p;
    return RJ_OK;
}

enum rj_err rj_peers_listen(struct rj_peers *p)
{
    const struct rj_peers_options *o = &p->options;
    enum rj_err err = RJ_OK;

    if (o->listen_fd != 0)
        err = rj_listener_given(o->loop, o->listen_fd, &p->conn_options, &p->listener);
    else if (o->port != 0 || o->any_port)
        err = rj_listener_tcp(o->loop, o->listen_host[0] != '\0' ? o->listen_host : NULL,
                              o->port, &p->conn_options, &p->listener);
    if (err == RJ_OK && p->listener != NULL)
        p->options.port = rj_listener_port(p->listener);
    if (err == RJ_OK)
        err = rj_roam_listen(p); /* now that the port is known */
    if (err != RJ_OK || o->peer_socket == NULL)
        return err;
    err = rj_listener_unix(o->loop, o->peer_socket, &p->conn_options, &p->pipe_listener);
    if (err != RJ_OK)
        rj_logger_line(o->log, RJ_NOTE_WARN, "peer.no_pipes socket=%s why=\"%s\"",
                       o->peer_socket, rj_err_text(err));
    return RJ_OK;
}

void rj_peers_begin(struct rj_peers *p, struct rj_engine *e)
{
    p->engine = e;
    rj_roam_tell(p);
    rj_timer_set(p->timer, rj_loop_now(p->options.loop).mono);
}

void rj_peers_end(struct rj_peers *p)
{
    p->engine = NULL;
    for (struct rj_session *s = rj_session_next(p, NULL); s != NULL;
         s = rj_session_next(p, s)) {
        s->up = false;
        if (s->conn != NULL)
            rj_conn_abort(s->conn, RJ_ECLOSED);
    }
}

void rj_peers_stop(struct rj_peers *p)
{
    p->stopped = true;
    rj_timer_cancel(p->timer);
    rj_roam_stop(p);
    rj_relay_stop(p->relay);
    rj_listener_close(p->listener);
    rj_listener_close(p->pipe_listener);
    p->listener = p->pipe_listener = NULL;
}

void rj_peers_free(struct rj_peers *p)
{
    if (p == NULL)
        return;
    rj_targets_free(p);
    rj_roam_free(p);
    rj_relay_free(p->relay);
    rj_timer_free(p->timer);
    free(p);
}

void rj_peers_send(struct rj_peers *p, uint64_t peer, struct rj_bytes bytes)
{
    struct rj_session *s = session_of(p, peer);

    if (s != NULL && s->up)
        rj_buf_append(rj_conn_out(s->conn), bytes);
}

void rj_peers_close(struct rj_peers *p, uint64_t peer, enum rj_err err)
{
    struct rj_session *s = session_of(p, peer);

    if (s == NULL)
        return;
    if (err != RJ_OK)
        note_why(s, RJ_WEIGHT_SOMEBODY, rj_err_text(err));
    rj_conn_close(s->conn);
}

bool rj_peers_connected(const struct rj_peers *p, const struct rj_digest *device)
{
    return rj_session_to(p, device) != NULL;
}

const char *rj_peers_address(const struct rj_peers *p, const struct rj_digest *device)
{
    const struct rj_session *s = rj_session_to(p, device);

    return s != NULL ? rj_conn_info(s->conn).addr : NULL;
}

const struct rj_ticket_address *rj_peers_own(const struct rj_peers *p, size_t *ret_n)
{
    *ret_n = p->own.n;
    return p->own.items;
}

const char *rj_peers_twin(const struct rj_peers *p)
{
    return rj_twins_address(&p->twins, rj_loop_now(p->options.loop).mono);
}

const struct rj_rival *rj_peers_rival(const struct rj_peers *p, size_t i)
{
    return rj_twins_rival(&p->twins, i, rj_loop_now(p->options.loop).mono);
}

struct rj_peers_stats rj_peers_stats(const struct rj_peers *p)
{
    struct rj_peers_stats stats = {0};
    struct rj_listener_stats l = {0};

    if (p->listener != NULL)
        l = rj_listener_stats(p->listener);
    for (const struct rj_session *s = rj_session_next(p, NULL); s != NULL;
         s = rj_session_next(p, s))
        stats.sessions += s->up;
    stats.half = l.half;
    stats.accepted = l.accepted;
    stats.refused = l.refused;
    return stats;
}
