/* SPDX-License-Identifier: Apache-2.0 */
/* A device that moves: its addresses change, links die without a word, it sleeps. The
 * system says when addresses change; a look now and then covers what it does not say. A
 * session whose own end has an address that is gone will never bring anything again: it
 * is cut at once. After a sleep (sleep.c) nothing is believed: every session is probed
 * and every wait forgotten. */
#include "driver/peers_inner.h"

#include <string.h>

/* ---- own addresses */

void rj_roam_tell(struct rj_peers *p)
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

/* Cuts the sessions and attempts that leave from an address that is gone. */
static void cut_homeless(struct rj_peers *p)
{
    for (struct rj_session *s = rj_session_next(p, NULL); s != NULL;
         s = rj_session_next(p, s)) {
        struct sockaddr_storage local;

        if (s->conn == NULL || !rj_conn_local(s->conn, &local) ||
            rj_netwatch_is_own(&p->here, &local))
            continue;
        if (s->up)
            rj_logger_line(p->options.log, RJ_NOTE_INFO,
                           "peer.homeless address=%s why=\"its own address is gone\"",
                           rj_conn_info(s->conn).addr);
        rj_conn_abort(s->conn, RJ_EUNREACH);
    }
}

static bool look_here(struct rj_peers *p)
{
    struct rj_netwatch_own before = p->here;

    rj_netwatch_own(&p->here);
    if (before.n != p->here.n)
        return true;
    for (size_t i = 0; i < before.n; i++)
        if (!rj_netwatch_is_own(&p->here, &before.items[i]))
            return true;
    return false;
}

static void look_around(struct rj_peers *p)
{
    bool moved = look_here(p);

    if (find_addresses(p) && p->engine != NULL)
        rj_roam_tell(p);
    /* Also when only the state of an address changed: it may be of use just now. */
    if ((moved || p->missing) && p->beacon != NULL)
        rj_beacon_soon(p->beacon);
    if (!moved)
        return;
    cut_homeless(p);
    (void)rj_peers_dial_now(p);
}

static void on_change(void *ctx)
{
    struct rj_peers *p = ctx;
    uint64_t soon_ms = rj_loop_now(p->options.loop).mono.ms + RJ_PEERS_SETTLE_MS;

    if (p->stopped || soon_ms >= p->own_next.ms)
        return;
    p->own_next.ms = soon_ms;
    rj_timer_set(p->timer, p->own_next);
}

/* ---- sleep */

static void probe_all(struct rj_peers *p, struct rj_mono now)
{
    for (struct rj_session *s = rj_session_next(p, NULL); s != NULL;
         s = rj_session_next(p, s))
        if (s->up)
            rj_session_probe(s, now);
}

static void wake_up(struct rj_peers *p, struct rj_mono now)
{
    rj_logger_line(p->options.log, RJ_NOTE_INFO, "peer.woke");
    p->own_next = now;
    probe_all(p, now);
    if (p->beacon != NULL)
        rj_beacon_soon(p->beacon);
    (void)rj_peers_dial_now(p);
}

static void end_probes(struct rj_peers *p)
{
    p->probes_until.ms = 0;
    for (struct rj_session *s = rj_session_next(p, NULL); s != NULL;
         s = rj_session_next(p, s))
        if (s->conn != NULL)
            rj_conn_probe(s->conn, false);
}

void rj_roam_look(struct rj_peers *p, struct rj_mono now)
{
    if (rj_sleep_look(&p->sleep, rj_netwatch_slept_ms(), now))
        wake_up(p, now);
    if (p->probes_until.ms != 0 && now.ms >= p->probes_until.ms)
        end_probes(p);
    if (now.ms >= p->own_next.ms) {
        p->own_next.ms = now.ms + RJ_PEERS_ADDRESSES_MS;
        look_around(p);
    }
    if (p->beacon != NULL)
        rj_beacon_missing(p->beacon, p->missing);
}

/* ---- the beacon */

static bool is_wanted(void *ctx, const struct rj_digest *device)
{
    const struct rj_target *t = rj_target_find(ctx, device);

    return t != NULL && t->wanted;
}

static void on_found(void *ctx, const struct rj_digest *device, const char *address,
                     bool asks)
{
    rj_target_found(ctx, device, address, asks);
}

static const struct rj_beacon_ops beacon_ops = {.wanted = is_wanted, .found = on_found};

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "127.", 4) == 0;
}

static bool is_any(const char *host)
{
    return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static enum rj_err make_beacon(struct rj_peers *p)
{
    const struct rj_peers_options *o = &p->options;
    const struct rj_beacon_options options = {
        .ops = &beacon_ops,
        .ctx = p,
        .loop = o->loop,
        .crypto = o->crypto,
        .log = o->log,
        .site = o->site,
        .port = o->port_beacon,
        .port_peer = o->port,
        .only = is_any(o->listen_host) ? "" : o->listen_host,
    };

    if (o->port_beacon == 0 || is_loopback(o->listen_host))
        return RJ_OK;
    return rj_beacon_new(&options, &p->beacon);
}

/* ---- life */

enum rj_err rj_roam_new(struct rj_peers *p)
{
    (void)find_addresses(p);
    rj_netwatch_own(&p->here);
    rj_sleep_begin(&p->sleep, rj_netwatch_slept_ms());
    if (rj_netwatch_new(p->options.loop, on_change, p, &p->watch) != RJ_OK)
        p->watch = NULL; /* then a look now and then has to do */
    return RJ_OK;
}

enum rj_err rj_roam_listen(struct rj_peers *p)
{
    (void)find_addresses(p);
    return make_beacon(p);
}

void rj_roam_stop(struct rj_peers *p)
{
    if (p->beacon != NULL)
        rj_beacon_stop(p->beacon);
}

void rj_roam_free(struct rj_peers *p)
{
    rj_beacon_free(p->beacon);
    rj_netwatch_free(p->watch);
}
