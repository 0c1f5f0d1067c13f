/* SPDX-License-Identifier: Apache-2.0 */
/* The network: a link joins two hosts and carries connections, one after the other; a
 * connection is two ordered reliable streams of bytes, as TLS gives them, until it breaks
 * at any point and loses what is in flight. Bytes arrive cut and glued anywhere. One
 * direction may stall while the other flows; the two ends hear of a break at different
 * times. A nasty link flips bytes and replays old segments. */
#include "base/alloc.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DOWN_DELAY_MS = 3000,
    REDIAL_MS = 1500,
    SHORT_MS = 5000,
    BACKOFF_MAX_MS = 30000,
    DRAINED_BYTES = 65536
};

struct sim_link *sim_link(struct sim_world *w, size_t a, size_t b)
{
    return a < b ? &w->links[a][b] : &w->links[b][a];
}

bool *sim_stall(struct sim_world *w, size_t from, size_t to)
{
    return &sim_link(w, from, to)->stalled[from < to ? 0 : 1];
}

bool sim_net_between(const struct sim_world *w, size_t a, size_t b)
{
    for (size_t i = 0; i < SIM_CONNS_MAX; i++) {
        const struct sim_conn *c = &w->conns[i];

        if (c->used && !c->broken &&
            ((c->host[0] == a && c->host[1] == b) ||
             (c->host[0] == b && c->host[1] == a)))
            return true;
    }
    return false;
}

void sim_links_all(struct sim_world *w, bool up)
{
    for (size_t a = 0; a < w->hosts_n; a++)
        for (size_t b = a + 1; b < w->hosts_n; b++)
            if (w->hosts[a].device != w->hosts[b].device)
                sim_link_set(w, &w->hosts[a], &w->hosts[b], up);
}

void sim_link_set(struct sim_world *w, const struct sim_host *a, const struct sim_host *b,
                  bool up)
{
    struct sim_link *l = sim_link(w, a->index, b->index);

    if (l->up == up)
        return;
    l->up = up;
    l->dial_at = w->now_ms;
    sim_log(w, "link %s-%s %s", a->name, b->name, up ? "up" : "down");
    for (size_t i = 0; i < SIM_CONNS_MAX && !up; i++) {
        struct sim_conn *c = &w->conns[i];

        if (c->used && !c->broken &&
            ((c->host[0] == a->index && c->host[1] == b->index) ||
             (c->host[0] == b->index && c->host[1] == a->index)))
            sim_net_break(w, i);
    }
}

/* ---- connections */

void sim_net_dial(struct sim_world *w, size_t a, size_t b)
{
    size_t i = 0;
    struct sim_conn *c;
    uint64_t number = w->next_peer;
    bool swap = !w->tidy && sim_chance(w, 1, 2);
    uint32_t latency = sim_link(w, a, b)->latency_ms;

    while (i < SIM_CONNS_MAX && w->conns[i].used)
        i++;
    if (i == SIM_CONNS_MAX) {
        sim_link(w, a, b)->dial_at = w->now_ms + REDIAL_MS;
        return;
    }
    c = &w->conns[i];
    w->next_peer += 2;
    *c = (struct sim_conn){.used = true,
                           .host = {swap ? b : a, swap ? a : b},
                           .peer = {number, number + 1},
                           .since = w->now_ms,
                           .down_at = {SIM_NEVER, SIM_NEVER}};
    c->up_at[0] = w->now_ms + latency + (w->tidy ? 0 : sim_below(w, 5));
    c->up_at[1] = w->now_ms + latency + (w->tidy ? 0 : sim_below(w, 5));
    sim_hash(&w->scratch, "binding", rj_bytes_of(&number, sizeof(number)), c->binding);
}

void sim_net_up(struct sim_world *w, size_t conn, size_t side)
{
    struct sim_conn *c = &w->conns[conn];
    struct sim_host *h = &w->hosts[c->host[side]];
    const struct sim_host *other = &w->hosts[c->host[1 - side]];

    c->up_at[side] = SIM_NEVER;
    if (c->broken || h->node == NULL)
        return;
    c->known[side] = true;
    sim_log(w, "%s up: peer %" PRIu64 " is %s", h->name, c->peer[side], other->name);
    sim_host_event(w, h,
                   (struct rj_event){.kind = RJ_EV_PEER_UP,
                                     .peer = c->peer[side],
                                     .pubkey = w->devices[other->device].pubkey,
                                     .binding = c->binding,
                                     .dialled = side == 0});
}

static void pipe_clear(struct sim_pipe *p)
{
    while (p->head != NULL) {
        struct sim_segment *s = p->head;

        p->head = s->next;
        free(s);
    }
    p->tail = NULL;
    p->bytes = 0;
}

static void conn_free_if_done(struct sim_conn *c)
{
    if (!c->broken || c->known[0] || c->known[1])
        return;
    pipe_clear(&c->pipe[0]);
    pipe_clear(&c->pipe[1]);
    c->used = false;
}

/* As a driver does it: soon, but later and later where a connection ends at once. */
static void redial_later(struct sim_world *w, const struct sim_conn *c)
{
    struct sim_link *l = sim_link(w, c->host[0], c->host[1]);

    if (w->now_ms - c->since > SHORT_MS)
        l->backoff_ms = 0;
    else if (l->backoff_ms < BACKOFF_MAX_MS)
        l->backoff_ms = 2 * l->backoff_ms + 50;
    l->dial_at = w->now_ms + 20 + l->backoff_ms + sim_below(w, w->tidy ? 1 : REDIAL_MS);
}

void sim_net_break(struct sim_world *w, size_t conn)
{
    struct sim_conn *c = &w->conns[conn];
    uint64_t spread = w->tidy ? 1 : DOWN_DELAY_MS;

    if (!c->used || c->broken)
        return;
    c->broken = true;
    for (size_t side = 0; side < 2; side++) {
        c->up_at[side] = SIM_NEVER;
        if (c->known[side])
            c->down_at[side] =
                w->now_ms + (sim_chance(w, 2, 3) ? 0 : sim_below(w, spread));
        if (!w->tidy && sim_chance(w, 1, 2))
            pipe_clear(&c->pipe[side]);
    }
    redial_later(w, c);
    conn_free_if_done(c);
}

void sim_net_down(struct sim_world *w, size_t conn, size_t side)
{
    struct sim_conn *c = &w->conns[conn];
    struct sim_host *h = &w->hosts[c->host[side]];
    uint64_t peer = c->peer[side];

    c->down_at[side] = SIM_NEVER;
    c->known[side] = false;
    pipe_clear(&c->pipe[1 - side]);
    conn_free_if_done(c);
    if (h->node == NULL)
        return;
    sim_log(w, "%s down: peer %" PRIu64, h->name, peer);
    sim_host_event(w, h, (struct rj_event){.kind = RJ_EV_PEER_DOWN, .peer = peer});
}

void sim_net_host_gone(struct sim_world *w, size_t host)
{
    for (size_t i = 0; i < SIM_CONNS_MAX; i++) {
        struct sim_conn *c = &w->conns[i];

        for (size_t side = 0; c->used && side < 2; side++) {
            if (c->host[side] != host)
                continue;
            sim_net_break(w, i);
            c->known[side] = false;
            c->down_at[side] = SIM_NEVER;
            conn_free_if_done(c);
        }
    }
}

static struct sim_conn *find(struct sim_world *w, const struct sim_host *h, uint64_t peer,
                             size_t *ret_side)
{
    for (size_t i = 0; i < SIM_CONNS_MAX; i++)
        for (size_t side = 0; w->conns[i].used && side < 2; side++)
            if (w->conns[i].peer[side] == peer && w->conns[i].host[side] == h->index) {
                *ret_side = side;
                return &w->conns[i];
            }
    return NULL;
}

struct sim_host *sim_net_other(struct sim_world *w, const struct sim_host *h,
                               uint64_t peer)
{
    size_t side = 0;
    const struct sim_conn *c = find(w, h, peer, &side);

    return c != NULL ? &w->hosts[c->host[1 - side]] : NULL;
}

/* ---- bytes */

/* For the trace: the names of the frames in what a node sends. */
static void tell_frames(struct sim_world *w, const struct sim_host *h,
                        const struct sim_host *to, struct rj_bytes bytes)
{
    static const char *const names[] = {
        "?",       "HELLO",  "SPACE",     "BATCH", "HEAD", "ACK",
        "PULL",    "BEHIND", "TAKE",      "META",  "GIVE", "JOIN",
        "WELCOME", "REFUSE", "ADDRESSES", "CLOCK", "BUSY", "DIGEST"};
    char line[400] = "";
    size_t used = 0;

    for (size_t at = 0; w->verbose && at + 10 < bytes.len && used + 20 < sizeof(line);) {
        size_t len = rj_be_load32(bytes.ptr + at);
        uint8_t type = bytes.ptr[at + 9];

        used += (size_t)snprintf(line + used, sizeof(line) - used, " %s:%zu",
                                 type < 18 ? names[type] : "?", len);
        at += 8 + len;
    }
    sim_log(w, "%s -> %s%s", h->name, to->name, line);
}

void sim_net_send(struct sim_world *w, struct sim_host *h, uint64_t peer,
                  struct rj_bytes bytes)
{
    size_t side = 0;
    struct sim_conn *c = find(w, h, peer, &side);
    const struct sim_link *l;
    struct sim_segment *s;
    struct sim_pipe *p;

    w->stats.sent_bytes += bytes.len;
    if (c == NULL || !c->known[side]) {
        sim_fail(w, "%s sends to peer %" PRIu64 " that is gone", h->name, peer);
        return;
    }
    if (c->broken || c->closing[side] || bytes.len == 0)
        return;
    tell_frames(w, h, &w->hosts[c->host[1 - side]], bytes);
    p = &c->pipe[side];
    l = sim_link(w, c->host[0], c->host[1]);
    s = malloc(sizeof(*s) + bytes.len);
    if (s == NULL)
        abort();
    *s = (struct sim_segment){.len = bytes.len};
    memcpy(s->data, bytes.ptr, bytes.len);
    s->at =
        w->now_ms + l->latency_ms + (l->jitter_ms > 0 ? sim_below(w, l->jitter_ms) : 0);
    if (s->at < p->last_at)
        s->at = p->last_at;
    p->last_at = s->at;
    if (p->tail != NULL)
        p->tail->next = s;
    else
        p->head = s;
    p->tail = s;
    p->bytes += bytes.len;
    p->owes_drained |= p->bytes > DRAINED_BYTES;
}

void sim_net_close(struct sim_world *w, struct sim_host *h, uint64_t peer)
{
    size_t side = 0;
    struct sim_conn *c = find(w, h, peer, &side);

    if (c == NULL || c->broken)
        return;
    c->closing[side] = true;
    if (c->pipe[side].head == NULL)
        sim_net_break(w, (size_t)(c - w->conns));
}

bool sim_net_flows(struct sim_world *w, const struct sim_conn *c, size_t to)
{
    size_t from = 1 - to;

    return c->known[to] && !*sim_stall(w, c->host[from], c->host[to]);
}

/* Takes a piece off the front of the stream into w->scratch: a whole segment, several, or
 * a part of one. */
static void take_piece(struct sim_world *w, struct sim_pipe *p)
{
    uint64_t how = w->tidy ? 0 : sim_below(w, 10);
    size_t most = SIZE_MAX;

    rj_buf_clear(&w->scratch);
    if (how == 1)
        most = 1 + sim_below(w, 8);
    else if (how == 2)
        most = 1 + sim_below(w, p->head->len - p->head->off);
    do {
        struct sim_segment *s = p->head;
        size_t n = s->len - s->off < most ? s->len - s->off : most;

        rj_buf_append_raw(&w->scratch, s->data + s->off, n);
        s->off += n;
        p->bytes -= n;
        if (s->off < s->len)
            break;
        p->head = s->next;
        if (p->head == NULL)
            p->tail = NULL;
        free(s);
    } while (how > 6 && p->head != NULL && p->head->at <= w->now_ms);
    if (rj_buf_err(&w->scratch) != RJ_OK)
        abort();
}

/* A nasty link: flips a byte, or plays an old segment before (or instead of) the piece.
 */
static void be_nasty(struct sim_world *w, const struct sim_link *l)
{
    struct sim_past *old;

    if (l->nasty_ppm == 0 || w->scratch.len == 0)
        return;
    if (sim_chance(w, l->nasty_ppm, 1000000)) {
        w->scratch.ptr[sim_below(w, w->scratch.len)] ^= (uint8_t)(1 + sim_below(w, 255));
        w->stats.faults++;
    } else if (w->past_n > 0 && sim_chance(w, l->nasty_ppm, 1000000)) {
        old = &w->past[sim_below(w, w->past_n)];
        if (sim_chance(w, 1, 3))
            rj_buf_clear(&w->scratch);
        rj_buf_append_raw(&w->scratch, old->ptr, old->len);
        w->stats.faults++;
    }
    old = &w->past[w->past_n < SIM_PAST_MAX ? w->past_n++ : sim_below(w, SIM_PAST_MAX)];
    free(old->ptr);
    old->len = w->scratch.len;
    old->ptr = rj_alloc_copy(rj_buf_view(&w->scratch));
    if (old->ptr == NULL)
        abort();
}

void sim_net_deliver(struct sim_world *w, size_t conn, size_t to)
{
    struct sim_conn *c = &w->conns[conn];
    struct sim_pipe *p = &c->pipe[1 - to];
    struct sim_host *h = &w->hosts[c->host[to]];
    struct sim_host *from = &w->hosts[c->host[1 - to]];
    uint64_t writer = c->peer[1 - to];
    bool drop = c->closing[to] || h->node == NULL;

    take_piece(w, p);
    be_nasty(w, sim_link(w, c->host[0], c->host[1]));
    sim_mix_bytes(w, rj_buf_view(&w->scratch));
    if (!drop) {
        sim_log(w, "%s <- %s %zu bytes", h->name, from->name, w->scratch.len);
        sim_host_event(w, h,
                       (struct rj_event){.kind = RJ_EV_PEER_BYTES,
                                         .peer = c->peer[to],
                                         .bytes = rj_buf_view(&w->scratch)});
    }
    if (c->used && c->peer[1 - to] == writer && p->owes_drained &&
        p->bytes < DRAINED_BYTES / 2 && c->known[1 - to] && from->node != NULL) {
        p->owes_drained = false;
        sim_host_event(w, from,
                       (struct rj_event){.kind = RJ_EV_PEER_DRAINED, .peer = writer});
    }
    if (c->used && c->peer[1 - to] == writer && c->closing[1 - to] && p->head == NULL)
        sim_net_break(w, conn);
}

void sim_net_done(struct sim_world *w)
{
    for (size_t i = 0; i < SIM_CONNS_MAX; i++) {
        pipe_clear(&w->conns[i].pipe[0]);
        pipe_clear(&w->conns[i].pipe[1]);
    }
    for (size_t i = 0; i < w->past_n; i++)
        free(w->past[i].ptr);
}
