/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: a machine is copied with its memory, and both copies go on for longer
 * than the logs reach (R7). What cannot be merged is kept and reported. */
#include "sim/named.h"

/* A and B, and C with D, which is B with its memory; both sides have written so much that
 * nobody's log reaches back to where they were one. The sums: 11 and 101. */
struct sides {
    struct sim_host *a, *b, *c, *d;
};

static void write_on(struct sim_world *w, struct sim_host *h, int64_t n)
{
    sim_do(w, h, SIM_COUNTER, SIM_DO_INCR, 0, n);
    sim_do(w, h, SIM_GROW, SIM_DO_SADD, 0, 0);
    sim_run(w, 20);
}

static void begin(struct sim_world *w, size_t n)
{
    w->limits.log_bytes = 32 * 1024;
    w->limits.part_bytes = 4 * 1024;
    sim_cluster(w, n);
    write_on(w, &w->hosts[1], 1);
    sim_run(w, 3000);
}

/* The two halves of a cluster of three or more, of which B goes on on both sides. */
static struct sides split(struct sim_world *w)
{
    struct sides s = {.a = &w->hosts[0], .b = &w->hosts[1], .c = &w->hosts[2]};

    sim_links_all(w, false);
    s.d = sim_host_fork(w, s.b);
    sim_link_set(w, s.a, s.b, true);
    sim_link_set(w, s.c, s.d, true);
    write_on(w, s.b, 10);
    write_on(w, s.d, 100);
    sim_run(w, 1000);
    return s;
}

/* Both sides write until no log that they have reaches back. */
static void drift(struct sim_world *w, const struct sides *s)
{
    for (size_t i = 0; i < 4; i++) {
        sim_bulk(w, s->b, 40);
        sim_bulk(w, s->d, 40);
    }
    sim_run(w, 2000);
}

static void nothing_is_lost(struct sim_world *w)
{
    struct sides s;

    begin(w, 3);
    s = split(w);
    drift(w, &s);
    sim_link_set(w, s.a, s.c, true);
    sim_run(w, 30000);
    SIM_EXPECT(w, sim_info(w, s.a).fork_refused);
    SIM_EXPECT(w, sim_info(w, s.c).fork_refused);
    SIM_EXPECT(w, strcmp(sim_info(w, s.a).fork_device, s.b->name) == 0);
    SIM_EXPECT(w, strcmp(sim_info(w, s.a).fork_peer, s.c->name) == 0);
    SIM_EXPECT(w, strcmp(sim_info(w, s.c).fork_device, s.b->name) == 0);
    SIM_EXPECT(w, strcmp(sim_info(w, s.c).fork_peer, s.a->name) == 0);
    write_on(w, s.a, 1000); /* both sides go on */
    write_on(w, s.c, 2000);
    sim_heal_and_check(w);
    SIM_EXPECT(w, w->stats.apart > 0);
    SIM_EXPECT(w, sim_value(w, s.a, SIM_COUNTER) == 1011);
    SIM_EXPECT(w, sim_value(w, s.b, SIM_COUNTER) == 1011);
    SIM_EXPECT(w, sim_value(w, s.c, SIM_COUNTER) == 2101);
    SIM_EXPECT(w, sim_value(w, s.d, SIM_COUNTER) == 2101);
}

/* Also when everybody begins again in between. */
static void known_after_a_crash(struct sim_world *w)
{
    struct sides s;

    begin(w, 3);
    s = split(w);
    drift(w, &s);
    for (size_t i = 0; i < w->hosts_n; i++) {
        sim_host_crash(w, &w->hosts[i]);
        w->hosts[i].open_at = w->now_ms + 100;
    }
    sim_run(w, 5000);
    sim_heal_and_check(w);
    SIM_EXPECT(w, sim_value(w, s.a, SIM_COUNTER) == 11);
    SIM_EXPECT(w, sim_value(w, s.c, SIM_COUNTER) == 101);
}

/* E joins on one side, by state; what it was told keeps it from mixing the two. */
static void who_joined_later(struct sim_world *w)
{
    struct sides s;
    struct sim_host *e;

    begin(w, 3);
    s = split(w);
    drift(w, &s);
    e = sim_host_new(w);
    sim_link_set(w, s.a, e, true);
    SIM_EXPECT(w, sim_join(w, s.a, e, RJ_ROLE_WRITER));
    sim_run(w, 10000);
    sim_link_set(w, s.a, e, false);
    sim_link_set(w, s.c, e, true);
    sim_run(w, 5000);
    sim_heal_and_check(w);
    SIM_EXPECT(w, sim_value(w, e, SIM_COUNTER) == 11);
    SIM_EXPECT(w, sim_value(w, s.c, SIM_COUNTER) == 101);
}

/* One longer log on each side is enough: who has it finds the split; the others begin
 * again, once somebody has all that they have. */
static void two_longer_logs(struct sim_world *w)
{
    struct sim_host *e, *f;
    struct sides s;

    begin(w, 3);
    w->limits.log_bytes = 0; /* as much as there is by default */
    e = sim_host_new(w);
    f = sim_host_new(w);
    sim_links_all(w, true);
    SIM_EXPECT(w, sim_join(w, &w->hosts[0], e, RJ_ROLE_WRITER));
    SIM_EXPECT(w, sim_join(w, &w->hosts[0], f, RJ_ROLE_WRITER));
    sim_run(w, 10000);
    s = split(w);
    sim_link_set(w, s.b, e, true);
    sim_link_set(w, s.d, f, true);
    drift(w, &s);
    sim_heal_and_check(w);
    SIM_EXPECT(w, w->stats.apart == 0);
    for (size_t i = 0; i < w->hosts_n; i++)
        SIM_EXPECT(w, sim_value(w, &w->hosts[i], SIM_COUNTER) == 111);
}

/* The way out: what is on one side joins the other one anew, under new keys, and what
 * only that side had is written again. */
static void the_way_out(struct sim_world *w)
{
    struct sim_host *e;
    struct sides s;

    begin(w, 3);
    s = split(w);
    drift(w, &s);
    sim_link_set(w, s.a, s.c, true);
    sim_run(w, 20000);
    SIM_EXPECT(w, sim_info(w, s.c).fork_refused);
    for (size_t i = 2; i < 4; i++) {
        sim_host_crash(w, &w->hosts[i]);
        w->hosts[i].stopped = w->hosts[i].outsider = true;
    }
    e = sim_host_new(w);
    sim_link_set(w, s.a, e, true);
    SIM_EXPECT(w, sim_join(w, s.a, e, RJ_ROLE_WRITER));
    sim_run(w, 10000);
    write_on(w, e, 100);
    sim_heal_and_check(w);
    SIM_EXPECT(w, w->stats.apart == 0);
    SIM_EXPECT(w, sim_value(w, s.b, SIM_COUNTER) == 111);
}

const struct sim_named sim_named_apart[] = {
    {"fork beyond all logs: nothing is lost", nothing_is_lost},
    {"fork beyond all logs: known after a crash", known_after_a_crash},
    {"fork beyond all logs: who joined later holds to one side", who_joined_later},
    {"fork beyond most logs: two longer ones are enough", two_longer_logs},
    {"fork beyond all logs: the way out", the_way_out},
    {NULL, NULL}};
