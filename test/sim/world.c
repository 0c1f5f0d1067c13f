/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual time. The world keeps no queue of events: what may happen next lies in the
 * hosts, disks, connections and links as "at" times; each turn finds the smallest one,
 * moves the clock there and picks one of those due by chance. With some dozen candidates
 * a scan is faster than a heap, and nothing can be left in a queue by mistake.
 * After: canonical/raft's fixture, TigerBeetle's VOPR (ideas only). */
#include "sim/world.h"

#include "sim/ops.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ITEMS_MAX = 1024, TURNS_MAX = 4000000 };

enum item_kind {
    ITEM_TIMER,
    ITEM_FLUSH,
    ITEM_WRITE,
    ITEM_REPORT,
    ITEM_OPEN,
    ITEM_UP,
    ITEM_DOWN,
    ITEM_DELIVER,
    ITEM_DIAL
};

struct item {
    enum item_kind kind;
    size_t a, b;
};

struct due {
    uint64_t at;
    size_t n;
    struct item items[ITEMS_MAX];
};

struct sim_world *sim_world_new(uint64_t seed, bool verbose)
{
    struct sim_world *w = calloc(1, sizeof(*w));

    if (w == NULL)
        abort();
    w->seed = seed;
    w->verbose = verbose;
    w->next_peer = 1;
    w->now_ms = 1000;
    w->durability = RJ_DURABLE_ALWAYS;
    w->limits.commit_ms = 0;
    rj_prng_init(&w->rng, seed);
    for (size_t a = 0; a < SIM_HOSTS_MAX; a++)
        for (size_t b = 0; b < SIM_HOSTS_MAX; b++)
            w->links[a][b] = (struct sim_link){.latency_ms = 1, .dial_at = 0};
    return w;
}

void sim_fail(struct sim_world *w, const char *format, ...)
{
    va_list args;
    int n;

    if (w->failed)
        return;
    w->failed = true;
    n = snprintf(w->why, sizeof(w->why), "t=%" PRIu64 " ", w->now_ms);
    va_start(args, format);
    vsnprintf(w->why + n, sizeof(w->why) - (size_t)n, format, args);
    va_end(args);
    sim_log(w, "FAIL %s", w->why);
}

void sim_log(struct sim_world *w, const char *format, ...)
{
    va_list args;

    if (!w->verbose)
        return;
    printf("# %9" PRIu64 " ", w->now_ms);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void sim_mix(struct sim_world *w, uint64_t v)
{
    uint64_t state = w->hash ^ v;

    w->hash = rj_prng_splitmix(&state) + (w->hash << 7 | w->hash >> 57);
}

void sim_mix_bytes(struct sim_world *w, struct rj_bytes b)
{
    uint64_t v = b.len;

    for (size_t i = 0; i < b.len; i += 8) {
        uint64_t word = 0;

        memcpy(&word, b.ptr + i, b.len - i < 8 ? b.len - i : 8);
        v = (v ^ word) * 0x9e3779b97f4a7c15u;
        v ^= v >> 29;
    }
    sim_mix(w, v);
}

uint64_t sim_below(struct sim_world *w, uint64_t n)
{
    return rj_prng_below(&w->rng, n);
}

bool sim_chance(struct sim_world *w, uint64_t num, uint64_t den)
{
    return rj_prng_chance(&w->rng, num, den);
}

/* ---- what is due */

static void candidate(struct due *d, uint64_t at, struct item item)
{
    if (at == SIM_NEVER || at > d->at)
        return;
    if (at < d->at) {
        d->at = at;
        d->n = 0;
    }
    if (d->n < ITEMS_MAX)
        d->items[d->n++] = item;
}

static uint64_t not_before(uint64_t at, uint64_t now)
{
    return at < now ? now : at;
}

static void host_candidates(const struct sim_world *w, const struct sim_host *h,
                            struct due *d)
{
    size_t i = h->index;
    uint64_t now = w->now_ms;

    if (h->node == NULL) {
        if (!h->stopped && h->open_at != SIM_NEVER)
            candidate(d, not_before(h->open_at, now), (struct item){ITEM_OPEN, i, 0});
        return;
    }
    if (h->timer_at != SIM_NEVER)
        candidate(d, not_before(h->timer_at, now), (struct item){ITEM_TIMER, i, 0});
    if (h->flush_at != SIM_NEVER)
        candidate(d, not_before(h->flush_at, now), (struct item){ITEM_FLUSH, i, 0});
    if (h->disk.writes != NULL && h->disk.write_at != SIM_NEVER)
        candidate(d, not_before(h->disk.write_at, now), (struct item){ITEM_WRITE, i, 0});
    else if (h->disk.writes != NULL)
        candidate(d, not_before(h->disk.done_at, now), (struct item){ITEM_REPORT, i, 0});
}

static void conn_candidates(struct sim_world *w, size_t i, struct due *d)
{
    struct sim_conn *c = &w->conns[i];

    for (size_t side = 0; side < 2; side++) {
        const struct sim_segment *s = c->pipe[1 - side].head;

        if (c->up_at[side] != SIM_NEVER)
            candidate(d, not_before(c->up_at[side], w->now_ms),
                      (struct item){ITEM_UP, i, side});
        if (c->down_at[side] != SIM_NEVER)
            candidate(d, not_before(c->down_at[side], w->now_ms),
                      (struct item){ITEM_DOWN, i, side});
        if (s != NULL && sim_net_flows(w, c, side))
            candidate(d, not_before(s->at, w->now_ms),
                      (struct item){ITEM_DELIVER, i, side});
    }
}

static void link_candidates(struct sim_world *w, struct due *d)
{
    for (size_t a = 0; a < w->hosts_n; a++)
        for (size_t b = a + 1; b < w->hosts_n; b++) {
            const struct sim_link *l = &w->links[a][b];

            if (l->up && w->hosts[a].node != NULL && w->hosts[b].node != NULL &&
                !sim_net_between(w, a, b))
                candidate(d, not_before(l->dial_at, w->now_ms),
                          (struct item){ITEM_DIAL, a, b});
        }
}

static void find_due(struct sim_world *w, struct due *d)
{
    d->at = SIM_NEVER;
    d->n = 0;
    for (size_t i = 0; i < w->hosts_n; i++)
        host_candidates(w, &w->hosts[i], d);
    for (size_t i = 0; i < SIM_CONNS_MAX; i++)
        if (w->conns[i].used)
            conn_candidates(w, i, d);
    link_candidates(w, d);
}

static void timer(struct sim_world *w, struct sim_host *h)
{
    h->timer_at = SIM_NEVER;
    sim_host_event(w, h, (struct rj_event){.kind = RJ_EV_TIMER});
}

static void happen(struct sim_world *w, const struct item *item)
{
    struct sim_host *h = &w->hosts[item->a < SIM_HOSTS_MAX ? item->a : 0];

    w->stats.events++;
    sim_mix(w, w->now_ms << 8 | (uint64_t)item->kind);
    sim_mix(w, item->a << 8 | item->b);
    switch (item->kind) {
    case ITEM_TIMER:
        timer(w, h);
        break;
    case ITEM_FLUSH:
        sim_host_flush(w, h);
        break;
    case ITEM_WRITE:
        sim_disk_write(w, h);
        break;
    case ITEM_REPORT:
        sim_disk_report(w, h);
        break;
    case ITEM_OPEN:
        sim_host_open(w, h);
        break;
    case ITEM_UP:
        sim_net_up(w, item->a, item->b);
        break;
    case ITEM_DOWN:
        sim_net_down(w, item->a, item->b);
        break;
    case ITEM_DELIVER:
        sim_net_deliver(w, item->a, item->b);
        break;
    case ITEM_DIAL:
        sim_net_dial(w, item->a, item->b);
        break;
    }
}

bool sim_run_until(struct sim_world *w, uint64_t ms,
                   bool (*done)(struct sim_world *w, void *arg), void *arg)
{
    uint64_t end = w->now_ms + ms;
    struct due due;

    for (uint64_t turns = 0; !w->failed; turns++) {
        if (done != NULL && done(w, arg))
            return true;
        if (turns > TURNS_MAX) {
            sim_fail(w, "no quiescence: %d events within %" PRIu64 " ms", TURNS_MAX, ms);
            return false;
        }
        find_due(w, &due);
        if (due.n == 0 || due.at > end)
            break;
        w->now_ms = due.at;
        if (w->watch != NULL)
            sim_watch(w);
        happen(w, &due.items[w->tidy ? 0 : sim_below(w, due.n)]);
    }
    if (!w->failed && w->now_ms < end)
        w->now_ms = end;
    return false;
}

void sim_run(struct sim_world *w, uint64_t ms)
{
    (void)sim_run_until(w, ms, NULL, NULL);
}

void sim_skip(struct sim_world *w, uint64_t ms)
{
    w->now_ms += ms;
    for (size_t i = 0; i < w->hosts_n; i++)
        w->hosts[i].disk.room_since += ms; /* nobody could look */
}
