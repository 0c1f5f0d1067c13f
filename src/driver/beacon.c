/* SPDX-License-Identifier: Apache-2.0 */
/* The beacon's message, and when it is sent and believed. What comes is judged in the
 * order of what judging costs: size and form, whether the device is wanted (a hash and a
 * look into a map), the network's MAC, whether it is newer than the last one, and only
 * then, within a budget, its signature. So a flood costs a hash a datagram, and a replay
 * less than that; what is dropped is counted and told once a minute. */
#include "driver/beacon.h"

#include "base/alloc.h"
#include "base/cbor.h"
#include "base/map.h"
#include "posix/udp.h"

#include <netinet/in.h>
#include <stdio.h>

static const char label[] = "rejoin beacon 1";

enum { FIELDS = 7, LABEL_LEN = sizeof(label) - 1, JITTER = 4 };

struct known {
    struct rj_map_node node;
    struct rj_digest device;
    uint64_t wall_ms; /* of the newest beacon that was accepted */
    struct rj_mono at;
};

struct rj_beacon {
    struct rj_beacon_options options;
    struct rj_udp *udp; /* NULL: silent */
    struct rj_timer *timer;
    struct rj_map known;
    bool missing, stopped;
    struct rj_mono next; /* when it is sent, at the latest */
    struct rj_mono answered, logged;
    struct rj_mono budget_at; /* when budget was full */
    unsigned budget;
    uint64_t last_wall_ms; /* of the last one sent */
    struct rj_beacon_stats stats, told;
};

/* ---- the message */

static void put_label(struct rj_buf *b, struct rj_bytes part)
{
    rj_buf_append_raw(b, label, LABEL_LEN);
    rj_buf_append(b, part);
}

enum rj_err rj_beacon_put(const struct rj_beacon_message *m, struct rj_crypto *crypto,
                          const struct rj_site *site, struct rj_buf *out)
{
    struct rj_env *env = rj_crypto_env(crypto);
    uint8_t mac[RJ_SITE_MAC_LEN], sig[RJ_SIG_LEN];
    struct rj_buf part = {0}, msg = {0};
    enum rj_err err;

    rj_cbor_put_array(&part, FIELDS);
    rj_cbor_put_uint(&part, RJ_BEACON_VERSION);
    rj_cbor_put_bytes(&part, RJ_BYTES_OF(env->pubkey));
    rj_cbor_put_uint(&part, m->wall_ms);
    rj_cbor_put_uint(&part, m->port);
    rj_cbor_put_bool(&part, m->asks);
    if (rj_buf_err(&part) == RJ_OK && site != NULL)
        rj_site_mac(site, crypto, rj_buf_view(&part), mac);
    rj_cbor_put_bytes(&part, rj_bytes_of(mac, site != NULL ? sizeof(mac) : 0));
    put_label(&msg, rj_buf_view(&part));
    err = rj_buf_err(&part) != RJ_OK ? rj_buf_err(&part) : rj_buf_err(&msg);
    if (err == RJ_OK)
        err = env->ops->sign(env, rj_buf_view(&msg), sig);
    if (err == RJ_OK) {
        rj_buf_append(out, rj_buf_view(&part));
        rj_cbor_put_bytes(out, RJ_BYTES_OF(sig));
        err = rj_buf_err(out);
    }
    rj_buf_done(&part);
    rj_buf_done(&msg);
    return err;
}

enum rj_err rj_beacon_read(struct rj_bytes datagram, struct rj_beacon_message *ret)
{
    struct rj_beacon_message m = {0};
    struct rj_reader r = rj_reader_of(datagram);
    struct rj_bytes mac;
    uint64_t version, port;

    if (datagram.len > RJ_BEACON_MAX)
        return RJ_ELIMIT;
    (void)rj_cbor_get_array(&r);
    version = rj_cbor_get_uint(&r);
    if (!r.failed && version != RJ_BEACON_VERSION)
        return RJ_EVERSION;
    r = rj_reader_of(datagram);
    rj_cbor_expect_array(&r, FIELDS);
    (void)rj_cbor_get_uint(&r);
    rj_cbor_get_fixed(&r, m.pubkey, sizeof(m.pubkey));
    m.wall_ms = rj_cbor_get_uint(&r);
    port = rj_cbor_get_uint(&r);
    m.asks = rj_cbor_get_bool(&r);
    m.maced = rj_bytes_first(datagram, datagram.len - rj_reader_left(&r));
    mac = rj_cbor_get_bytes(&r);
    m.signed_part = rj_bytes_first(datagram, datagram.len - rj_reader_left(&r));
    rj_cbor_get_fixed(&r, m.sig, sizeof(m.sig));
    if (!rj_reader_complete(&r) || port > UINT16_MAX ||
        (mac.len != 0 && mac.len != RJ_SITE_MAC_LEN))
        return RJ_ECORRUPT;
    m.port = (uint16_t)port;
    m.has_mac = mac.len > 0;
    if (m.has_mac)
        memcpy(m.mac, mac.ptr, sizeof(m.mac));
    *ret = m;
    return RJ_OK;
}

bool rj_beacon_mac_matches(const struct rj_beacon_message *m, struct rj_crypto *crypto,
                           const struct rj_site *site)
{
    uint8_t right[RJ_SITE_MAC_LEN];

    rj_site_mac(site, crypto, m->maced, right);
    return m->has_mac && rj_bytes_equal_secret(RJ_BYTES_OF(m->mac), RJ_BYTES_OF(right));
}

bool rj_beacon_sig_matches(const struct rj_beacon_message *m, struct rj_crypto *crypto)
{
    struct rj_env *env = rj_crypto_env(crypto);
    struct rj_buf msg = {0};
    bool ok;

    put_label(&msg, m->signed_part);
    ok = rj_buf_err(&msg) == RJ_OK &&
         env->ops->verify(env, m->pubkey, rj_buf_view(&msg), m->sig);
    rj_buf_done(&msg);
    return ok;
}

/* ---- sending */

static struct rj_mono mono_now(const struct rj_beacon *b)
{
    return rj_loop_now(b->options.loop).mono;
}

static void send_by(struct rj_beacon *b, uint64_t at_ms)
{
    if (b->udp == NULL || b->stopped || b->next.ms <= at_ms)
        return;
    b->next.ms = at_ms;
    rj_timer_set(b->timer, b->next);
}

static void send_now(struct rj_beacon *b)
{
    struct rj_beacon_message m = {.port = b->options.port_peer, .asks = b->missing};
    struct rj_buf out = {0};

    /* Always newer than the one before, though clocks step back. */
    m.wall_ms = rj_loop_now(b->options.loop).wall.ms;
    if (m.wall_ms <= b->last_wall_ms && b->last_wall_ms - m.wall_ms < RJ_BEACON_FORGET_MS)
        m.wall_ms = b->last_wall_ms + 1;
    b->last_wall_ms = m.wall_ms;
    if (rj_beacon_put(&m, b->options.crypto, b->options.site, &out) == RJ_OK)
        b->stats.sent += rj_udp_send(b->udp, rj_buf_view(&out)) > 0;
    rj_buf_done(&out);
}

static void on_timer(void *ctx)
{
    struct rj_beacon *b = ctx;
    struct rj_env *env = rj_crypto_env(b->options.crypto);
    uint64_t every_ms = b->missing ? RJ_BEACON_MISSING_MS : RJ_BEACON_IDLE_MS, draw = 0;

    if (b->stopped || b->udp == NULL)
        return;
    send_now(b);
    (void)env->ops->random(env, (uint8_t *)&draw, sizeof(draw));
    b->next.ms = UINT64_MAX;
    send_by(b, mono_now(b).ms + every_ms - every_ms / JITTER +
                   draw % (2 * every_ms / JITTER));
}

void rj_beacon_soon(struct rj_beacon *beacon)
{
    send_by(beacon, mono_now(beacon).ms + RJ_BEACON_SOON_MS);
}

void rj_beacon_missing(struct rj_beacon *beacon, bool missing)
{
    if (missing && !beacon->missing)
        send_by(beacon, mono_now(beacon).ms + RJ_BEACON_MISSING_MS / JITTER);
    beacon->missing = missing;
}

/* ---- hearing */

static struct rj_bytes known_key(const struct rj_map_node *node)
{
    return RJ_BYTES_OF(RJ_MAP_ENTRY_CONST(node, struct known, node)->device.b);
}

static struct known *known_of(struct rj_beacon *b, const struct rj_digest *device)
{
    struct rj_map_node *node = rj_map_find(&b->known, RJ_BYTES_OF(device->b));

    return node != NULL ? RJ_MAP_ENTRY(node, struct known, node) : NULL;
}

static bool is_newer(struct rj_beacon *b, const struct rj_digest *device,
                     const struct rj_beacon_message *m)
{
    const struct known *k = known_of(b, device);

    return k == NULL || m->wall_ms > k->wall_ms ||
           mono_now(b).ms - k->at.ms > RJ_BEACON_FORGET_MS;
}

/* False: it cannot be remembered. */
static bool remember(struct rj_beacon *b, const struct rj_digest *device,
                     const struct rj_beacon_message *m)
{
    struct known *k = known_of(b, device);

    if (k == NULL) {
        if (b->known.count >= RJ_BEACON_KNOWN_MAX)
            return false;
        k = rj_alloc_zero(1, sizeof(*k));
        if (k == NULL)
            return false;
        k->device = *device;
        if (rj_map_insert(&b->known, &k->node) != NULL) {
            free(k);
            return false;
        }
    }
    k->wall_ms = m->wall_ms;
    k->at = mono_now(b);
    return true;
}

static bool take_budget(struct rj_beacon *b)
{
    struct rj_mono now = mono_now(b);

    if (now.ms - b->budget_at.ms >= 1000) {
        b->budget_at = now;
        b->budget = RJ_BEACON_VERIFIES;
    }
    if (b->budget == 0)
        return false;
    b->budget--;
    return true;
}

/* Whether it may be believed; else counts why not. */
static bool judge(struct rj_beacon *b, const struct rj_beacon_message *m,
                  const struct rj_digest *device)
{
    const struct rj_beacon_options *o = &b->options;

    if (!o->ops->wanted(o->ctx, device)) {
        b->stats.unwanted++;
        return false;
    }
    if (o->site != NULL && !rj_beacon_mac_matches(m, o->crypto, o->site)) {
        b->stats.foreign++;
        return false;
    }
    if (!is_newer(b, device, m)) {
        b->stats.stale++;
        return false;
    }
    if (!take_budget(b)) {
        b->stats.beyond_budget++;
        return false;
    }
    if (!rj_beacon_sig_matches(m, o->crypto) || !remember(b, device, m)) {
        b->stats.forged++;
        return false;
    }
    b->stats.accepted++;
    return true;
}

static void tell_dropped(struct rj_beacon *b)
{
    const struct rj_beacon_stats *s = &b->stats, *t = &b->told;
    struct rj_mono now = mono_now(b);

    if (s->malformed == t->malformed && s->foreign == t->foreign &&
        s->stale == t->stale && s->beyond_budget == t->beyond_budget &&
        s->forged == t->forged)
        return; /* unwanted ones are other people's networks */
    if (b->logged.ms != 0 && now.ms - b->logged.ms < RJ_BEACON_LOG_MS)
        return;
    b->logged = now;
    rj_logger_line(
        b->options.log, RJ_NOTE_WARN,
        "beacon.dropped malformed=%llu foreign=%llu stale=%llu budget=%llu forged=%llu",
        (unsigned long long)(s->malformed - t->malformed),
        (unsigned long long)(s->foreign - t->foreign),
        (unsigned long long)(s->stale - t->stale),
        (unsigned long long)(s->beyond_budget - t->beyond_budget),
        (unsigned long long)(s->forged - t->forged));
    b->told = b->stats;
}

/* Where it says it is: its source address, and the port that it names. */
static void tell_found(struct rj_beacon *b, const struct rj_digest *device,
                       const struct sockaddr *from, const struct rj_beacon_message *m)
{
    struct rj_ticket_endpoint e = {.port = m->port};
    struct rj_ticket_address address = {0};
    char host[RJ_UDP_HOST_MAX];

    rj_udp_host(from, host);
    (void)snprintf(e.host, sizeof(e.host), "%s", host);
    rj_ticket_address(&e, &address);
    b->options.ops->found(b->options.ctx, device, m->port != 0 ? address.text : "",
                          m->asks);
}

void rj_beacon_hear(struct rj_beacon *beacon, const struct sockaddr *from,
                    struct rj_bytes datagram)
{
    struct rj_crypto *crypto = beacon->options.crypto;
    struct rj_mono now = mono_now(beacon);
    struct rj_beacon_message m;
    struct rj_digest device;

    if (beacon->stopped)
        return;
    beacon->stats.heard++;
    if (rj_beacon_read(datagram, &m) != RJ_OK) {
        beacon->stats.malformed++;
        tell_dropped(beacon);
        return;
    }
    if (memcmp(m.pubkey, rj_crypto_env(crypto)->pubkey, RJ_PUBKEY_LEN) == 0)
        return; /* the own one, or a clone of this device */
    rj_crypto_device_id(crypto, m.pubkey, &device);
    if (!judge(beacon, &m, &device)) {
        tell_dropped(beacon);
        return;
    }
    tell_found(beacon, &device, from, &m);
    if (m.asks && now.ms - beacon->answered.ms >= RJ_BEACON_ANSWER_MS) {
        beacon->answered = now;
        rj_beacon_soon(beacon);
    }
}

void rj_beacon_met(struct rj_beacon *beacon, const struct rj_digest *device)
{
    struct known *k = known_of(beacon, device);

    if (k == NULL)
        return;
    rj_map_remove(&beacon->known, &k->node);
    free(k);
}

/* ---- life */

static void on_datagram(void *ctx, const struct sockaddr *from, struct rj_bytes datagram)
{
    rj_beacon_hear(ctx, from, datagram);
}

enum rj_err rj_beacon_new(const struct rj_beacon_options *options,
                          struct rj_beacon **ret_beacon)
{
    struct rj_beacon *b = rj_alloc_zero(1, sizeof(*b));
    struct rj_udp_options udp = {
        .fn = on_datagram, .group = RJ_BEACON_GROUP, .port = options->port};
    enum rj_err err;

    if (b == NULL)
        return RJ_ENOMEM;
    b->options = *options;
    b->next.ms = UINT64_MAX;
    rj_map_init(&b->known, known_key);
    err = rj_timer_new(options->loop, on_timer, b, &b->timer);
    if (err != RJ_OK) {
        free(b);
        return err;
    }
    udp.ctx = b;
    udp.only = options->only;
    err = options->port != 0 ? rj_udp_open(options->loop, &udp, &b->udp) : RJ_OK;
    if (err != RJ_OK)
        rj_logger_line(options->log, RJ_NOTE_WARN, "beacon.off port=%u why=\"%s\"",
                       options->port, rj_err_text(err));
    rj_beacon_soon(b);
    *ret_beacon = b;
    return RJ_OK;
}

void rj_beacon_stop(struct rj_beacon *beacon)
{
    beacon->stopped = true;
    rj_timer_cancel(beacon->timer);
    rj_udp_close(beacon->udp);
    beacon->udp = NULL;
}

void rj_beacon_free(struct rj_beacon *beacon)
{
    struct rj_map_node *node;

    if (beacon == NULL)
        return;
    rj_udp_close(beacon->udp);
    while ((node = rj_map_take_any(&beacon->known)) != NULL)
        free(RJ_MAP_ENTRY(node, struct known, node));
    rj_timer_free(beacon->timer);
    free(beacon);
}

struct rj_beacon_stats rj_beacon_stats(const struct rj_beacon *beacon)
{
    return beacon->stats;
}
