/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: disks and links that fail. */
#include "sim/named.h"

static void disk_full_then_room(struct sim_world *w)
{
    struct sim_host *a, *b;
    bool refused = false;

    sim_cluster(w, 2);
    a = &w->hosts[0];
    b = &w->hosts[1];
    sim_disk_full(w, b, true);
    for (size_t i = 0; i < 10; i++) {
        refused |=
            sim_write(w, b, 0, sim_key_of(SIM_COUNTER), SIM_DO_INCR, 0, 1) == RJ_EFULL;
        sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 100);
        sim_bulk(w, a, 3);
        sim_run(w, 300);
    }
    SIM_EXPECT(w, refused);
    sim_disk_full(w, b, false);
    sim_run(w, 30000);
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    sim_run(w, 5000);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) > 1000);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == sim_value(w, a, SIM_COUNTER));
    sim_heal_and_check(w);
}

static void failed_sync_ends_the_instance(struct sim_world *w)
{
    struct sim_host *a;
    uint32_t before;

    sim_cluster(w, 2);
    a = &w->hosts[0];
    before = a->instance;
    for (size_t i = 0; i < 3; i++) {
        sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 1);
        sim_run(w, 1000);
        a->disk.fail_next = true;
        sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 10);
        sim_run(w, 5000);
    }
    SIM_EXPECT(w, a->instance == before + 3);
    sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 100);
    sim_heal_and_check(w);
}

static void crash_between_any_two_actions(struct sim_world *w)
{
    struct sim_host *a;

    sim_cluster(w, 3);
    a = &w->hosts[0];
    for (size_t i = 0; i < 60 && !w->failed; i++) {
        if (a->node != NULL) {
            a->crash_in = 1 + i % 12;
            sim_write_any(w, a, 0);
        }
        sim_write_any(w, &w->hosts[1], 0);
        sim_run(w, 50 + sim_below(w, 500));
        if (a->node == NULL)
            sim_host_open(w, a);
    }
    sim_heal_and_check(w);
}

static void garbage_and_replays(struct sim_world *w)
{
    sim_cluster(w, 3);
    w->nasty = true;
    for (size_t a = 0; a < 3; a++)
        for (size_t b = a + 1; b < 3; b++)
            sim_link(w, a, b)->nasty_ppm = 30000;
    for (size_t i = 0; i < 200 && !w->failed; i++) {
        sim_write_any(w, &w->hosts[sim_below(w, 3)], 0);
        sim_run(w, sim_below(w, 200));
    }
    SIM_EXPECT(w, w->stats.faults > 10);
    sim_heal_and_check(w);
}

/* Whoever connects can send anything. */
static void a_stranger_sends_garbage(struct sim_world *w)
{
    struct sim_host *a, *x;
    uint8_t bytes[300];

    sim_cluster(w, 2);
    a = &w->hosts[0];
    x = sim_host_new(w);
    x->outsider = true;
    w->nasty = true;
    sim_link_set(w, a, x, true);
    for (size_t i = 0; i < 100 && !w->failed; i++) {
        sim_run(w, 200);
        rj_prng_bytes(&w->rng, bytes, sizeof(bytes));
        bytes[0] = bytes[1] = 0; /* a length that may be taken for one */
        for (size_t c = 0; c < SIM_CONNS_MAX; c++)
            for (size_t side = 0; side < 2; side++)
                if (w->conns[c].used && w->conns[c].known[side] &&
                    w->conns[c].host[side] == x->index)
                    sim_net_send(w, x, w->conns[c].peer[side],
                                 rj_bytes_of(bytes, 1 + sim_below(w, sizeof(bytes))));
        sim_write_any(w, &w->hosts[sim_below(w, 2)], 0);
    }
    x->stopped = true;
    sim_host_crash(w, x);
    sim_heal_and_check(w);
}

/* A link that comes and goes all the time still makes progress. */
static void flapping_links(struct sim_world *w)
{
    sim_cluster(w, 3);
    for (size_t i = 0; i < 300 && !w->failed; i++) {
        size_t a = sim_below(w, 3), b = (a + 1 + sim_below(w, 2)) % 3;

        sim_link_set(w, &w->hosts[a], &w->hosts[b], sim_chance(w, 1, 2));
        sim_write_any(w, &w->hosts[sim_below(w, 3)], 0);
        sim_run(w, sim_below(w, 150));
        sim_check_now(w);
    }
    sim_heal_and_check(w);
}

const struct sim_named sim_named_trouble[] = {
    {"disk full, then room", disk_full_then_room},
    {"a failed sync ends the instance", failed_sync_ends_the_instance},
    {"crash between any two actions", crash_between_any_two_actions},
    {"garbage and replayed frames", garbage_and_replays},
    {"a stranger sends garbage", a_stranger_sends_garbage},
    {"links that flap", flapping_links},
    {NULL, NULL}};
