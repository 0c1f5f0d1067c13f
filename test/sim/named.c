/* SPDX-License-Identifier: Apache-2.0 */
/* What the named scenarios share. */
#include "sim/named.h"

enum {
    SETTLE_MS = 120000,
    BULK_FIRST = SIM_KEYS - 21,
    SMALL_LOG = 16 * 1024,
    SMALL_PART = 4 * 1024
};

void sim_small_limits(struct sim_world *w)
{
    w->limits.log_bytes = SMALL_LOG;
    w->limits.part_bytes = SMALL_PART;
}

void sim_cluster(struct sim_world *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)sim_host_new(w);
    sim_links_all(w, true);
    sim_space_add(w, &w->hosts[0], 0);
    for (size_t i = 1; i < n && !w->failed; i++)
        SIM_EXPECT(w, sim_join(w, &w->hosts[0], &w->hosts[i], RJ_ROLE_WRITER));
    if (!w->failed)
        SIM_EXPECT(w, sim_settle(w, SETTLE_MS));
    sim_log(w, "the scenario begins");
}

void sim_slow_links(struct sim_world *w, uint32_t latency_ms)
{
    for (size_t a = 0; a < w->hosts_n; a++)
        for (size_t b = a + 1; b < w->hosts_n; b++)
            sim_link(w, a, b)->latency_ms = latency_ms;
}

void sim_isolate(struct sim_world *w, struct sim_host *h)
{
    for (size_t i = 0; i < w->hosts_n; i++)
        if (i != h->index)
            sim_link_set(w, h, &w->hosts[i], false);
}

void sim_rejoin(struct sim_world *w, struct sim_host *h)
{
    for (size_t i = 0; i < w->hosts_n; i++)
        if (w->hosts[i].device != h->device)
            sim_link_set(w, h, &w->hosts[i], true);
}

int64_t sim_value(struct sim_world *w, struct sim_host *h, enum sim_class class)
{
    struct rj_bucket *b = sim_bucket(w, h, 0);
    int64_t shown = -1;

    if (b == NULL || !sim_shown(b, sim_key_of(class), NULL, &shown))
        return -1;
    return shown;
}

void sim_do(struct sim_world *w, struct sim_host *h, enum sim_class class,
            enum sim_verb verb, size_t elem, int64_t value)
{
    enum rj_err err;

    if (w->failed)
        return;
    err = sim_write(w, h, 0, sim_key_of(class), verb, elem, value);
    if (err != RJ_OK)
        sim_fail(w, "%s: a write is refused: %s", h->name, rj_err_name(err));
}

void sim_add_some(struct sim_world *w, struct sim_host *h)
{
    sim_do(w, h, SIM_SET, SIM_DO_SADD, 0, 0);
    sim_do(w, h, SIM_STRING, SIM_DO_SET, 0, 0);
    sim_do(w, h, SIM_HASH, SIM_DO_HSET, 0, 0);
}

void sim_remove_some(struct sim_world *w, struct sim_host *h)
{
    sim_do(w, h, SIM_SET, SIM_DO_SREM, 0, 0);
    sim_do(w, h, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_do(w, h, SIM_HASH, SIM_DO_HDEL, 0, 0);
}

void sim_bulk(struct sim_world *w, struct sim_host *h, size_t n)
{
    for (size_t i = 0; i < n && !w->failed; i++) {
        enum rj_err err =
            sim_write(w, h, 0, BULK_FIRST + sim_below(w, 21), SIM_DO_SET, 0, 0);

        if (err != RJ_OK)
            sim_fail(w, "%s: a write is refused: %s", h->name, rj_err_name(err));
        sim_run(w, 1 + sim_below(w, 10));
    }
}

struct rj_space_info sim_info(struct sim_world *w, struct sim_host *h)
{
    struct rj_space_info info = {.keys = 0};

    if (sim_space(h, 0) != NULL)
        rj_space_info(sim_space(h, 0), sim_now(w, h), &info);
    return info;
}

static bool is_joining(struct sim_world *w, void *arg)
{
    struct sim_host *h = arg;

    (void)w;
    return sim_space(h, 0) != NULL && sim_peek_joining(sim_space(h, 0));
}

bool sim_until_joining(struct sim_world *w, struct sim_host *h, uint64_t ms)
{
    return sim_run_until(w, ms, is_joining, h);
}
