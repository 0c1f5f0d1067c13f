/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and dialling. Three things are kept apart:
 *
 *   session  one connection, from accept or dial on; `up` once the engine knows it;
 *   target   a device that was dialled: which of its addresses comes next and when;
 *   peer     what the engine knows of a device (names, addresses, whether it is wanted).
 *
 * A device's addresses are tried one after the other at once; when all have failed, a
 * jittered wait that doubles comes before the next round. An address that leads to
 * another device counts as failed: addresses get reused, keys do not. */
#include "driver/peers.h"

#include "base/alloc.h"
#include "base/map.h"
#include "driver/addresses.h"
#include "posix/backoff.h"
#include "posix/conn.h"
#include "posix/tls.h"
#include "posix/why.h"

enum { SHORT_ID = 8, WHY_MAX = 160 };

struct target;

struct session {
    struct rj_map_node node;
    uint8_t key[8]; /* id, big-endian */
    uint64_t id;
    struct rj_peers *peers;
    struct rj_conn *conn;
    struct rj_digest device; /* once open */
    struct target *target;   /* whom it was dialled for; NULL: accepted */
    struct rj_mono since;    /* when it was up */
    bool up;                 /* the engine knows it */
};

struct target {
    struct rj_map_node node;
    struct rj_digest device;
    struct rj_backoff backoff;
    struct rj_mono next;     /* not before */
    size_t address;          /* the one that comes next */
    struct session *attempt; /* under way, or the session that came of it */
    uint64_t began;          /* number of the last dial_now when this round began, */
    uint64_t tried;          /* and when the last round began that is over */
    char why[WHY_MAX];
};

struct rj_peers {
    struct rj_peers_options options;
    struct rj_conn_options conn_options;
    struct rj_engine *engine; /* NULL between two instances */
    struct rj_listener *listener;
    struct rj_timer *timer;
    struct rj_map sessions, targets;
    struct rj_digest self;
    bool stopped;
    bool missing; /* somebody who is wanted is not there */
    uint64_t last_id;
    uint64_t dials; /* number of the last dial_now */
    size_t attempts;
    struct rj_addresses own;
    struct rj_mono own_next;
    struct rj_twins twins;
};

static struct rj_bytes session_key(const struct rj_map_node *node)
{
    return RJ_BYTES_OF(RJ_MAP_ENTRY_CONST(node, struct session, node)->key);
}

static struct rj_bytes target_key(const struct rj_map_node *node)
{
    return RJ_BYTES_OF(RJ_MAP_ENTRY_CONST(node, struct target, node)->device.b);
}

static bool same(const struct rj_digest *a, const struct rj_digest *b)
{
    return memcmp(a->b, b->b, RJ_DIGEST_LEN) == 0;
}

static void short_id(const struct rj_digest *d, char ret[SHORT_ID + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < SHORT_ID; i++)
        ret[i] = digits[d->b[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    ret[SHORT_ID] = '\0';
}

/* ---- sessions */

static struct session *session_new(struct rj_peers *p)
{
    struct session *s = rj_alloc_zero(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->id = ++p->last_id;
    s->peers = p;
    rj_be_store64(s->key, s->id);
    return rj_map_insert(&p->sessions, &s->node) == NULL ? s : NULL;
}

static struct session *session_of(const struct rj_peers *p, uint64_t id)
{
    uint8_t key[8];
    struct rj_map_node *node;

    rj_be_store64(key, id);
    node = rj_map_find(&p->sessions, RJ_BYTES_OF(key));
    return node != NULL ? RJ_MAP_ENTRY(node, struct session, node) : NULL;
}

static struct session *session_to(const struct rj_peers *p,
                                  const struct rj_digest *device)
{
    for (struct rj_map_node *n = rj_map_first(&p->sessions); n != NULL;
         n = rj_map_next(n)) {
        struct session *s = RJ_MAP_ENTRY(n, struct session, node);

        if (s->up && same(&s->device, device))
            return s;
    }
    return NULL;
}

/* The engine is told that it is gone; the connection may still linger. */
static void session_down(struct session *s)
{
    struct rj_peers *p = s->peers;

    if (!s->up)
        return;
    s->up = false;
    if (p->engine != NULL)
        rj_engine_peer_down(p->engine, s->id);
}

/* Of an older session and a new one to the same device: whether the new one stays. */
static bool newer_stays(const struct rj_peers *p, const struct session *old, bool dialled)
{
    bool old_dialled = rj_conn_info(old->conn).is_client;
    bool i_am_lower = memcmp(p->self.b, old->device.b, RJ_DIGEST_LEN) < 0;
    uint64_t age_ms = rj_loop_now(p->options.loop).mono.ms - old->since.ms;

    /* Nobody dials whom it is connected to: an old session is dead at the other end. */
    if (old_dialled == dialled || age_ms >= RJ_PEERS_RACE_MS)
        return true;
    return dialled == i_am_lower;
}

static void refuse(struct session *s, const char *why)
{
    const struct rj_logger *log = s->peers->options.log;
    char id[SHORT_ID + 1];

    short_id(&s->device, id);
    rj_logger_line(log, RJ_NOTE_INFO, "peer.refused device=%s address=%s why=\"%s\"", id,
                   rj_conn_info(s->conn).addr, why);
    if (s->target != NULL)
        rj_why_set(s->target->why, sizeof(s->target->why), "%s", why);
    rj_conn_close(s->conn);
}

static void on_open(struct rj_conn *conn)
{
    struct session *s = rj_conn_ctx(conn);
    struct rj_conn_info info = rj_conn_info(conn);
    uint8_t binding[RJ_TLS_EXPORT_LEN];
    char id[SHORT_ID + 1];
    struct rj_peers *p;
    struct session *old;

    if (!info.is_client) { /* accepted: its context is the whole so far */
        p = rj_conn_ctx(conn);
        s = session_new(p);
        rj_conn_set_ctx(conn, s);
        if (s == NULL) {
            rj_conn_abort(conn, RJ_ENOMEM);
            return;
        }
        s->conn = conn;
    }
    p = s->peers;
    rj_crypto_device_id(p->options.crypto, info.pubkey, &s->device);
    if (same(&s->device, &p->self)) {
        if (rj_tls_export(rj_conn_tls(conn), RJ_PEERS_BINDING_LABEL, binding) == RJ_OK)
            rj_twins_note(&p->twins, binding, info.addr,
                          rj_loop_now(p->options.loop).mono);
        refuse(s, "it is this device itself");
        return;
    }
    if (s->target != NULL && !same(&s->device, &s->target->device)) {
        refuse(s, "another device answers at this address");
        return;
    }
    old = session_to(p, &s->device);
    if (p->engine == NULL || (old != NULL && !newer_stays(p, old, info.is_client)) ||
        rj_tls_export(rj_conn_tls(conn), RJ_PEERS_BINDING_LABEL, binding) != RJ_OK) {
        rj_conn_close(conn); /* or it is connected already */
        return;
    }
    if (old != NULL) {
        const char *const addresses[2] = {rj_conn_info(old->conn).addr, info.addr};

        rj_twins_replaced(&p->twins, &s->device, addresses,
                          rj_loop_now(p->options.loop).mono);
        session_down(old);
        rj_conn_close(old->conn);
    }
    short_id(&s->device, id);
    rj_logger_line(p->options.log, RJ_NOTE_INFO,
                   "peer.up device=%s address=%s dialled=%s", id, info.addr,
                   info.is_client ? "here" : "there");
    s->up = true;
    s->since = rj_engine_now(p->engine).mono;
    if (s->target != NULL)
        s->target->why[0] = '\0';
    rj_engine_peer_up(p->engine, s->id, info.pubkey, binding, info.is_client);
}

static void on_data(struct rj_conn *conn, struct rj_bytes data)
{
    struct session *s = rj_conn_ctx(conn);

    if (s->up && s->peers->engine != NULL)
        rj_engine_peer_bytes(s->peers->engine, s->id, data);
}

static void on_eof(struct rj_conn *conn)
{
    rj_conn_close(conn);
}

static void on_drain(struct rj_conn *conn)
{
    struct session *s = rj_conn_ctx(conn);

    if (s->up && s->peers->engine != NULL)
        rj_engine_peer_drained(s->peers->engine, s->id);
}

static void attempt_failed(struct session *s, enum rj_err err)
{
    struct target *t = s->target;
    const char *why = rj_conn_why(s->conn);

    if (why[0] != '\0') /* it names the address */
        rj_why_set(t->why, sizeof(t->why), "%s", why);
    else
        rj_why_set(t->why, sizeof(t->why), "%s: %s", rj_conn_info(s->conn).addr,
                   rj_err_text(err));
}

static void session_ended(struct session *s, enum rj_err err)
{
    struct rj_peers *p = s->peers;
    struct rj_mono now = rj_loop_now(p->options.loop).mono;
    struct target *t = s->target;
    char id[SHORT_ID + 1];

    if (s->since.ms != 0) {
        short_id(&s->device, id);
        rj_logger_line(p->options.log, RJ_NOTE_INFO,
                       "peer.down device=%s reason=%s why=\"%s\"", id, rj_err_name(err),
                       rj_conn_why(s->conn));
    }
    session_down(s);
    if (t != NULL) {
        t->attempt = NULL;
        p->attempts--;
        if (s->since.ms != 0 && now.ms - s->since.ms >= RJ_PEERS_LASTED_MS)
            rj_backoff_reset(&t->backoff);
        if (s->since.ms == 0 && err != RJ_OK)
            attempt_failed(s, err);
        t->address++;
        t->next = now;
    }
    rj_timer_set(p->timer, now);
    rj_map_remove(&p->sessions, &s->node);
    free(s);
}

static void on_close(struct rj_conn *conn, enum rj_err err)
{
    struct session *s = rj_conn_ctx(conn);

    if (s != NULL)
        session_ended(s, err);
}

static const struct rj_conn_ops conn_ops = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_close = on_close,
};

/* ---- dialling */

static struct target *target_find(const struct rj_peers *p,
                                  const struct rj_digest *device)
{
    struct rj_map_node *node = rj_map_find(&p->targets, RJ_BYTES_OF(device->b));

    return node != NULL ? RJ_MAP_ENTRY(node, struct target, node) : NULL;
}

/* NULL: out of memory. */
static struct target *target_of(struct rj_peers *p, const struct rj_digest *device)
{
    struct target *t = target_find(p, device);

    if (t != NULL)
        return t;
    t = rj_alloc_zero(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->device = *device;
    rj_backoff_init(&t->backoff, RJ_PEERS_BACKOFF_MIN_MS, RJ_PEERS_BACKOFF_MAX_MS);
    return rj_map_insert(&p->targets, &t->node) == NULL ? t : NULL;
}

/* Every address was tried: wait, unless somebody asked for a new round meanwhile. */
static void round_over(struct rj_peers *p, struct target *t, struct rj_mono now)
{
    struct rj_env *env = rj_crypto_env(p->options.crypto);
    uint64_t draw = 0;

    t->address = 0;
    t->tried = t->began;
    t->next = now;
    if (t->began == p->dials) {
        (void)env->ops->random(env, (uint8_t *)&draw, sizeof(draw));
        t->next.ms += rj_backoff_next_ms(&t->backoff, draw);
    }
}

static void dial_address(struct rj_peers *p, struct target *t, const char *address)
{
    struct rj_ticket_endpoint e;
    struct rj_conn_options options = p->conn_options;
    struct session *s;
    enum rj_err err = rj_ticket_endpoint(rj_bytes_from_str(address), RJ_TICKET_PORT, &e);

    if (err != RJ_OK) {
        rj_why_set(t->why, sizeof(t->why), "%.100s is no address", address);
        t->address++;
        return;
    }
    s = session_new(p);
    if (s == NULL)
        return;
    s->target = t;
    options.ctx = s;
    err = rj_conn_tcp(p->options.loop, e.host, e.port, &options, &s->conn);
    if (err != RJ_OK) {
        rj_map_remove(&p->sessions, &s->node);
        free(s);
        t->address++;
        return;
    }
    t->attempt = s;
    p->attempts++;
}

static void dial(struct rj_peers *p, const struct rj_peer_info *info, struct rj_mono now)
{
    struct target *t;

    p->missing = true;
    t = target_of(p, &info->device);
    if (t == NULL || t->attempt != NULL || now.ms < t->next.ms ||
        p->attempts >= RJ_PEERS_DIALS_MAX)
        return;
    if (t->address == 0)
        t->began = p->dials;
    if (t->address >= info->n_addresses) {
        if (info->n_addresses == 0)
            rj_why_set(t->why, sizeof(t->why), "no address of it is known");
        round_over(p, t, now);
        return;
    }
    dial_address(p, t, info->addresses[t->address]);
}

static void look_for_somebody(struct rj_peers *p, struct rj_mono now)
{
    struct rj_node *n = p->engine != NULL ? rj_engine_node(p->engine) : NULL;
    struct rj_peer_info info;

    if (n == NULL || p->stopped)
        return;
    p->missing = false;
    for (size_t i = 0; rj_node_peer(n, i, &info); i++) {
        if (info.wanted && !same(&info.device, &p->self) &&
            session_to(p, &info.device) == NULL)
            dial(p, &info, now);
    }
}

/* ---- own addresses */

static void tell_addresses(struct rj_peers *p)
{
    struct rj_node *n = rj_engine_node(p->engine);
    struct rj_bytes list[RJ_ADDRESSES_MAX];

    for (size_t i = 0; i < p->own.n; i++)
        list[i] = rj_bytes_from_str(p->own.items[i].text);
    if (n != NULL && rj_node_set_addresses(n, list, p->own.n) != RJ_OK)
        rj_logger_line(p->options.log, RJ_NOTE_WARN, "peer.addresses_refused count=%zu",
                       p->own.n);
    rj_engine_touch(p->engine);
}

static bool find_addresses(struct rj_peers *p)
{
    const struct rj_addresses_options o = {
        .told = p->options.told_addresses,
        .host = p->options.listen_host,
        .port = p->options.port,
    };
    struct rj_addresses found;

    rj_addresses_find(&o, &found);
    if (rj_addresses_equal(&found, &p->own))
        return false;
    p->own = found;
    return true;
}

static void on_tick(void *ctx)
{
    struct rj_peers *p = ctx;
    struct rj_mono now = rj_loop_now(p->options.loop).mono;

    if (now.ms >= p->own_next.ms) {
        p->own_next.ms = now.ms + RJ_PEERS_ADDRESSES_MS;
        if (find_addresses(p) && p->engine != NULL)
            tell_addresses(p);
    }
    look_for_somebody(p, now);
    now.ms += p->missing ? RJ_PEERS_TICK_MS : RJ_PEERS_IDLE_MS;
    if (!p->stopped)
        rj_timer_set(p->timer, now);
}

/* ---- what the driver calls */

enum rj_err rj_peers_new(const struct rj_peers_options *options,
                         struct rj_peers **ret_peers)
{
    struct rj_peers *p = rj_alloc_zero(1, sizeof(*p));
    enum rj_err err;

    if (p == NULL)
        return RJ_ENOMEM;
    p->options = *options;
    p->conn_options = (struct rj_conn_options){
        .ops = &conn_ops, .ctx = p, .tls = options->tls, .conns_max = RJ_SESSIONS_MAX};
    rj_map_init(&p->sessions, session_key);
    rj_map_init(&p->targets, target_key);
    rj_crypto_device_id(options->crypto, rj_crypto_env(options->crypto)->pubkey,
                        &p->self);
    err = rj_timer_new(options->loop, on_tick, p, &p->timer);
    if (err != RJ_OK) {
        free(p);
        return err;
    }
    (void)find_addresses(p);
    *ret_peers = p;
    return RJ_OK;
}

enum rj_err rj_peers_listen(struct rj_peers *p)
{
    const char *host = p->options.listen_host;
    enum rj_err err;

    if (p->options.listen_fd == 0 && p->options.port == 0 && !p->options.any_port)
        return RJ_OK;
    if (p->options.listen_fd != 0)
        err = rj_listener_given(p->options.loop, p->options.listen_fd, &p->conn_options,
                                &p->listener);
    else
        err = rj_listener_tcp(p->options.loop, host[0] != '\0' ? host : NULL,
                              p->options.port, &p->conn_options, &p->listener);
    if (err != RJ_OK)
        return err;
    p->options.port = rj_listener_port(p->listener);
    (void)find_addresses(p); /* now that the port is known */
    return RJ_OK;
}

void rj_peers_begin(struct rj_peers *p, struct rj_engine *e)
{
    p->engine = e;
    tell_addresses(p);
    rj_timer_set(p->timer, rj_loop_now(p->options.loop).mono);
}

void rj_peers_end(struct rj_peers *p)
{
    p->engine = NULL;
    for (struct rj_map_node *n = rj_map_first(&p->sessions); n != NULL;
         n = rj_map_next(n)) {
        struct session *s = RJ_MAP_ENTRY(n, struct session, node);

        s->up = false;
        rj_conn_abort(s->conn, RJ_ECLOSED);
    }
}

void rj_peers_stop(struct rj_peers *p)
{
    p->stopped = true;
    rj_timer_cancel(p->timer);
    rj_listener_close(p->listener);
    p->listener = NULL;
}

void rj_peers_free(struct rj_peers *p)
{
    struct rj_map_node *n;

    if (p == NULL)
        return;
    while ((n = rj_map_take_any(&p->targets)) != NULL)
        free(RJ_MAP_ENTRY(n, struct target, node));
    rj_timer_free(p->timer);
    free(p);
}

void rj_peers_send(struct rj_peers *p, uint64_t peer, struct rj_bytes bytes)
{
    struct session *s = session_of(p, peer);

    if (s != NULL && s->up)
        rj_buf_append(rj_conn_out(s->conn), bytes);
}

void rj_peers_close(struct rj_peers *p, uint64_t peer, enum rj_err err)
{
    struct session *s = session_of(p, peer);

    if (s == NULL)
        return;
    if (s->target != NULL && err != RJ_OK)
        rj_why_set(s->target->why, sizeof(s->target->why), "%s", rj_err_text(err));
    rj_conn_close(s->conn);
}

uint64_t rj_peers_dial_now(struct rj_peers *p)
{
    struct rj_mono now = rj_loop_now(p->options.loop).mono;

    p->dials++;
    for (struct rj_map_node *n = rj_map_first(&p->targets); n != NULL;
         n = rj_map_next(n)) {
        struct target *t = RJ_MAP_ENTRY(n, struct target, node);

        rj_backoff_reset(&t->backoff);
        if (t->attempt == NULL)
            t->address = 0;
        t->next = now;
    }
    rj_timer_set(p->timer, now);
    return p->dials;
}

bool rj_peers_tried(struct rj_peers *p, uint64_t since)
{
    struct rj_node *n = p->engine != NULL ? rj_engine_node(p->engine) : NULL;
    struct rj_peer_info info;

    for (size_t i = 0; n != NULL && rj_node_peer(n, i, &info); i++) {
        const struct target *t = target_find(p, &info.device);

        if (!info.wanted || same(&info.device, &p->self) ||
            session_to(p, &info.device) != NULL)
            continue;
        if (t == NULL || t->tried < since)
            return false;
    }
    return n != NULL;
}

bool rj_peers_connected(const struct rj_peers *p, const struct rj_digest *device)
{
    return session_to(p, device) != NULL;
}

const char *rj_peers_address(const struct rj_peers *p, const struct rj_digest *device)
{
    const struct session *s = session_to(p, device);

    return s != NULL ? rj_conn_info(s->conn).addr : NULL;
}

const char *rj_peers_why(const struct rj_peers *p, const struct rj_digest *device)
{
    const struct target *t = target_find(p, device);

    return t != NULL ? t->why : "";
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
    for (struct rj_map_node *n = rj_map_first(&p->sessions); n != NULL;
         n = rj_map_next(n))
        stats.sessions += RJ_MAP_ENTRY(n, struct session, node)->up;
    stats.half = l.half;
    stats.accepted = l.accepted;
    stats.refused = l.refused;
    return stats;
}
