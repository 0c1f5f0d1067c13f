/* SPDX-License-Identifier: Apache-2.0 */
/* Dialling. A round goes through all addresses of a device: those that its beacons told,
 * the pipe to it, those in the engine's books, names last. The next one is begun when the
 * last one failed or, beside it, when it takes long (after RFC 8305, 5); the first that
 * leads to the device ends the others. After a round in vain comes a jittered wait that
 * doubles. An address that leads to another device counts as failed: addresses get
 * reused, keys do not. */
#include "base/alloc.h"
#include "driver/peers_inner.h"
#include "posix/why.h"

static struct rj_bytes target_key(const struct rj_map_node *node)
{
    return RJ_BYTES_OF(RJ_MAP_ENTRY_CONST(node, struct rj_target, node)->device.b);
}

void rj_targets_init(struct rj_peers *p)
{
    rj_map_init(&p->targets, target_key);
}

void rj_targets_free(struct rj_peers *p)
{
    struct rj_map_node *n;

    while ((n = rj_map_take_any(&p->targets)) != NULL)
        free(RJ_MAP_ENTRY(n, struct rj_target, node));
}

struct rj_target *rj_target_find(const struct rj_peers *p, const struct rj_digest *device)
{
    struct rj_map_node *node = rj_map_find(&p->targets, RJ_BYTES_OF(device->b));

    return node != NULL ? RJ_MAP_ENTRY(node, struct rj_target, node) : NULL;
}

/* NULL: out of memory. */
static struct rj_target *target_of(struct rj_peers *p, const struct rj_digest *device)
{
    struct rj_target *t = rj_target_find(p, device);

    if (t != NULL)
        return t;
    t = rj_alloc_zero(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->device = *device;
    rj_backoff_init(&t->backoff, RJ_PEERS_BACKOFF_MIN_MS, RJ_PEERS_BACKOFF_MAX_MS);
    return rj_map_insert(&p->targets, &t->node) == NULL ? t : NULL;
}

/* ---- addresses of a device */

static bool is_in(const char *const *list, size_t n, const char *address)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], address) == 0)
            return true;
    return false;
}

/* A name may take long to resolve; a number takes no time. */
static bool is_number(const char *address)
{
    return address[0] == '[' || address[strspn(address, "0123456789.:")] == '\0';
}

static size_t add_kind(const struct rj_peer_info *info, bool numbers, size_t n,
                       const char *list[RJ_PEERS_LIST_MAX])
{
    for (size_t i = 0; i < info->n_addresses && n < RJ_PEERS_LIST_MAX; i++)
        if (is_number(info->addresses[i]) == numbers &&
            !is_in(list, n, info->addresses[i]))
            list[n++] = info->addresses[i];
    return n;
}

/* All of them, each once, in the order in which they are tried. */
static size_t list_of(const struct rj_peers *p, const struct rj_target *t,
                      const struct rj_peer_info *info,
                      const char *list[RJ_PEERS_LIST_MAX])
{
    const char *pipe = rj_peers_pipe(p, &t->device);
    size_t n = 0;

    for (size_t i = 0; i < t->n_candidates; i++)
        list[n++] = t->candidates[i].text;
    if (pipe != NULL)
        list[n++] = pipe;
    n = add_kind(info, true, n, list);
    return add_kind(info, false, n, list);
}

/* Whether an attempt at that address is under way. */
static bool is_tried(const struct rj_peers *p, const struct rj_target *t,
                     const char *address)
{
    for (struct rj_session *s = rj_session_next(p, NULL); s != NULL;
         s = rj_session_next(p, s))
        if (s->target == t && strcmp(s->address.text, address) == 0)
            return true;
    return false;
}

/* ---- one attempt */

static enum rj_err connect_pipe(struct rj_peers *p, struct rj_session *s,
                                const struct rj_conn_options *options)
{
    const char *command = p->options.ssh_command, *name = s->address.text;
    struct rj_conn_options o = *options;
    struct rj_pipes_argv words;
    enum rj_err err =
        rj_pipes_argv(command != NULL && command[0] != '\0' ? command : RJ_PIPES_COMMAND,
                      name + sizeof(RJ_PIPES_PREFIX) - 1, &words);

    o.handshake_ms = RJ_PIPES_HANDSHAKE_MS;
    return err == RJ_OK ? rj_conn_child(p->options.loop, words.argv, name, &o, &s->conn)
                        : err;
}

static enum rj_err connect_to(struct rj_peers *p, struct rj_session *s, bool is_pipe,
                              const struct rj_conn_options *options)
{
    struct rj_ticket_endpoint e;
    enum rj_err err;

    if (is_pipe)
        return connect_pipe(p, s, options);
    err = rj_ticket_endpoint(rj_bytes_from_str(s->address.text), RJ_TICKET_PORT, &e);
    return err == RJ_OK ? rj_conn_tcp(p->options.loop, e.host, e.port, options, &s->conn)
                        : err;
}

/* Begins one; options may ask for a preamble or the server's part. */
static enum rj_err attempt(struct rj_peers *p, struct rj_target *t, const char *address,
                           struct rj_conn_options *options)
{
    const char *pipe = rj_peers_pipe(p, &t->device);
    struct rj_session *s = rj_session_new(p);
    char why[RJ_PEERS_WHY_MAX];
    enum rj_err err;

    if (s == NULL)
        return RJ_ENOMEM;
    s->target = t;
    memcpy(s->address.text, address, strlen(address) + 1);
    options->ops = &rj_session_dial_ops;
    options->ctx = s;
    /* What others say of a device never makes a command run: only the own book does. */
    err = connect_to(p, s, pipe != NULL && strcmp(pipe, address) == 0, options);
    if (err != RJ_OK) {
        rj_why_set(why, sizeof(why), "%.100s: %s", address,
                   err == RJ_EINVAL ? "no address" : rj_err_text(err));
        rj_target_why(t, RJ_WEIGHT_NOBODY, why);
        rj_session_drop(s);
        return err;
    }
    t->attempts++;
    p->attempts++;
    return RJ_OK;
}

/* ---- rounds */

/* The next one, in turn, of those that are connected is asked to let us meet there. */
static void ask_relay(struct rj_peers *p, struct rj_target *t)
{
    struct rj_node *n = rj_engine_node(p->engine);
    const struct rj_session *chosen = NULL;
    size_t count = 0, at;

    for (const struct rj_session *s = rj_session_next(p, NULL); s != NULL;
         s = rj_session_next(p, s))
        count += s->up;
    if (n == NULL || count == 0)
        return;
    at = t->asked++ % count;
    for (const struct rj_session *s = rj_session_next(p, NULL);
         s != NULL && chosen == NULL; s = rj_session_next(p, s))
        if (s->up && at-- == 0)
            chosen = s;
    if (chosen != NULL && rj_node_relay_ask(n, &chosen->device, &t->device) == RJ_OK)
        rj_engine_touch(p->engine);
}

/* Every address was tried: wait, unless somebody asked for a new round meanwhile. */
static void round_over(struct rj_peers *p, struct rj_target *t, struct rj_mono now)
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

static void dial(struct rj_peers *p, struct rj_target *t, const struct rj_peer_info *info,
                 struct rj_mono now)
{
    struct rj_conn_options options = p->conn_options;
    const char *list[RJ_PEERS_LIST_MAX];
    size_t n;

    if (now.ms < t->next.ms || t->attempts >= RJ_PEERS_AT_ONCE_MAX ||
        p->attempts >= RJ_PEERS_DIALS_MAX)
        return;
    n = list_of(p, t, info, list);
    if (t->address == 0 && t->attempts == 0) {
        t->began = p->dials;
        t->weight = RJ_WEIGHT_NOBODY;
    }
    while (t->address < n && is_tried(p, t, list[t->address]))
        t->address++;
    if (t->address < n) {
        t->next.ms = now.ms;
        if (attempt(p, t, list[t->address++], &options) == RJ_OK)
            t->next.ms += RJ_PEERS_STAGGER_MS;
    } else if (t->attempts == 0) {
        if (n == 0)
            rj_target_why(t, RJ_WEIGHT_NOBODY, "no address of it is known");
        ask_relay(p, t);
        round_over(p, t, now);
    }
}

void rj_dial_look(struct rj_peers *p, struct rj_mono now)
{
    struct rj_node *n = p->engine != NULL ? rj_engine_node(p->engine) : NULL;
    struct rj_peer_info info;

    if (n == NULL || p->stopped)
        return;
    p->missing = false;
    for (struct rj_map_node *m = rj_map_first(&p->targets); m != NULL; m = rj_map_next(m))
        RJ_MAP_ENTRY(m, struct rj_target, node)->wanted = false;
    for (size_t i = 0; rj_node_peer(n, i, &info); i++) {
        struct rj_target *t;

        if (!info.wanted || rj_peers_same(&info.device, &p->self))
            continue;
        t = target_of(p, &info.device);
        if (t == NULL)
            continue;
        t->wanted = true;
        if (rj_session_to(p, &info.device) != NULL)
            continue;
        p->missing = true;
        dial(p, t, &info, now);
    }
}

void rj_target_why(struct rj_target *t, enum rj_weight weight, const char *why)
{
    if (weight < t->weight)
        return;
    t->weight = weight;
    rj_why_set(t->why, sizeof(t->why), "%s", why);
}

void rj_target_ended(struct rj_peers *p, struct rj_target *t, bool lasted)
{
    t->next = rj_loop_now(p->options.loop).mono;
    if (lasted) { /* it is looked for from the start */
        rj_backoff_reset(&t->backoff);
        t->address = 0;
    }
}

/* ---- asked for from outside */

uint64_t rj_peers_dial_now(struct rj_peers *p)
{
    struct rj_mono now = rj_loop_now(p->options.loop).mono;

    p->dials++;
    for (struct rj_map_node *n = rj_map_first(&p->targets); n != NULL;
         n = rj_map_next(n)) {
        struct rj_target *t = RJ_MAP_ENTRY(n, struct rj_target, node);

        rj_backoff_reset(&t->backoff);
        t->address = 0; /* what is under way is not begun twice */
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
        const struct rj_target *t = rj_target_find(p, &info.device);

        if (!info.wanted || rj_peers_same(&info.device, &p->self) ||
            rj_session_to(p, &info.device) != NULL)
            continue;
        if (t == NULL || t->tried < since)
            return false;
    }
    return n != NULL;
}

const char *rj_peers_why(const struct rj_peers *p, const struct rj_digest *device)
{
    const struct rj_target *t = rj_target_find(p, device);

    return t != NULL ? t->why : "";
}

enum rj_err rj_peers_set_pipe(struct rj_peers *p, const struct rj_digest *device,
                              const char *host)
{
    enum rj_err err;

    if (p->options.pipes == NULL)
        return RJ_EINVAL;
    err = rj_pipes_set(p->options.pipes, device, host);
    if (err == RJ_OK)
        (void)rj_peers_dial_now(p);
    return err;
}

const char *rj_peers_pipe(const struct rj_peers *p, const struct rj_digest *device)
{
    return p->options.pipes != NULL ? rj_pipes_address(p->options.pipes, device) : NULL;
}

/* The newest comes first; the oldest goes. */
static void add_candidate(struct rj_target *t, const char *address)
{
    size_t at = 0;

    while (at < t->n_candidates && strcmp(t->candidates[at].text, address) != 0)
        at++;
    if (at == t->n_candidates) {
        if (t->n_candidates < RJ_PEERS_CANDIDATES_MAX)
            t->n_candidates++;
        at = t->n_candidates - 1;
    }
    memmove(t->candidates + 1, t->candidates, at * sizeof(t->candidates[0]));
    memcpy(t->candidates[0].text, address, strlen(address) + 1);
}

void rj_target_found(struct rj_peers *p, const struct rj_digest *device,
                     const char *address, bool asks)
{
    struct rj_target *t = rj_target_find(p, device);
    struct rj_session *s = rj_session_to(p, device);
    struct rj_mono now = rj_loop_now(p->options.loop).mono;

    if (t == NULL)
        return;
    if (s != NULL) { /* does it miss us, because the session is dead at its end? */
        if (asks && now.ms - s->probed.ms >= RJ_PEERS_PROBE_MS)
            rj_session_probe(s, now);
        return;
    }
    if (address[0] == '\0')
        return; /* the answer that it asks for is all that can be done */
    add_candidate(t, address);
    rj_backoff_reset(&t->backoff);
    t->address = 0;
    t->next = now;
    rj_timer_set(p->timer, now);
}

/* ---- through a relay */

enum rj_err rj_peers_relay_carry(struct rj_peers *p,
                                 const uint8_t token[RJ_RELAY_TOKEN_LEN])
{
    return rj_relay_expect(p->relay, token);
}

/* Where via listens: what was dialled to reach it, else what the engine knows of it. */
static bool address_of(const struct rj_peers *p, const struct rj_digest *via,
                       struct rj_ticket_address *ret)
{
    struct rj_node *n = p->engine != NULL ? rj_engine_node(p->engine) : NULL;
    const struct rj_session *s = rj_session_to(p, via);
    const char *pipe = rj_peers_pipe(p, via), *text = NULL;
    struct rj_peer_info info;

    if (s != NULL && s->address.text[0] != '\0' &&
        (pipe == NULL || strcmp(pipe, s->address.text) != 0))
        text = s->address.text;
    for (size_t i = 0; text == NULL && n != NULL && rj_node_peer(n, i, &info); i++)
        if (rj_peers_same(&info.device, via) && info.n_addresses > 0)
            text = info.addresses[0];
    if (text == NULL)
        return false;
    memcpy(ret->text, text, strlen(text) + 1);
    return true;
}

enum rj_err rj_peers_relay_meet(struct rj_peers *p, const struct rj_digest *via,
                                const struct rj_digest *device,
                                const uint8_t token[RJ_RELAY_TOKEN_LEN], bool is_client)
{
    struct rj_target *t = rj_target_find(p, device);
    struct rj_conn_options options = p->conn_options;
    uint8_t preamble[RJ_RELAY_PREAMBLE_LEN];
    struct rj_ticket_address address;

    if (t == NULL || !t->wanted)
        return RJ_ENOENT;
    if (p->stopped || !address_of(p, via, &address))
        return RJ_EUNREACH;
    rj_relay_preamble(token, preamble);
    options.preamble = RJ_BYTES_OF(preamble);
    options.tls_server = !is_client;
    options.handshake_ms = RJ_RELAY_PAIR_MS;
    return attempt(p, t, address.text, &options);
}
