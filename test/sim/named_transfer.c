/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: what goes wrong in the midst of a state transfer. Each was found by a
 * random history first. */
#include "sim/named.h"

enum { LATENCY_MS = 40, AWAY_MS = 180000 };

/* n hosts with small logs and parts, over slow links. */
static void begin(struct sim_world *w, size_t n)
{
    sim_small_limits(w);
    sim_cluster(w, n);
    sim_slow_links(w, LATENCY_MS);
}

/* Ranges with removals need several rounds. A, the only one that has them, goes away at
 * some point of that, again and again; C stays with B, writes over what it sees, and
 * nothing half is left when A returns for good. */
static void holder_goes_away_in_a_range(struct sim_world *w)
{
    struct sim_host *a = &w->hosts[0], *b = &w->hosts[1], *c = &w->hosts[2];

    begin(w, 3);
    sim_add_some(w, a);
    sim_bulk(w, a, 40);
    sim_run(w, 3000);
    sim_isolate(w, a);
    for (size_t i = 0; i < 12 && !w->failed; i++) {
        if (i % 2 == 0)
            sim_remove_some(w, a);
        else
            sim_add_some(w, a);
        sim_bulk(w, a, 25);
        sim_run(w, 1000);
        sim_link_set(w, a, c, true);
        sim_run(w, 120 + 40 * i);
        sim_link_set(w, a, c, false);
        sim_bulk(w, c, 5);
        sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
        sim_do(w, c, SIM_SET, SIM_DO_SADD, i % 3, 0);
        sim_bulk(w, b, 5);
        sim_run(w, i % 3 == 0 ? 3600 * 1000 : 500);
    }
    SIM_EXPECT(w, sim_value(w, c, SIM_COUNTER) == 12);
    sim_rejoin(w, a);
    sim_run(w, 60000);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 12);
    sim_heal_and_check(w);
}

/* ... and when A's disk was rolled back, nobody has the rest any more: C takes those
 * ranges afresh from B, and is whole. */
static void stranded_joiner(struct sim_world *w)
{
    struct sim_host *a = &w->hosts[0], *c = &w->hosts[2];

    begin(w, 3);
    sim_add_some(w, a);
    sim_bulk(w, a, 40);
    sim_run(w, 3000);
    sim_host_backup(w, a);
    sim_isolate(w, a);
    sim_isolate(w, c);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 3);
    sim_run(w, 3000);
    sim_remove_some(w, a);
    sim_bulk(w, a, 60);
    sim_run(w, 2000);
    sim_link_set(w, a, c, true);
    SIM_EXPECT(w, sim_until_joining(w, c, 20000));
    sim_run(w, 100 + sim_below(w, 300));
    sim_link_set(w, a, c, false);
    sim_host_rollback(w, a);
    sim_run(w, 1000);
    sim_rejoin(w, a);
    sim_rejoin(w, c);
    sim_run(w, AWAY_MS);
    SIM_EXPECT(w, !sim_info(w, c).joining);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 3);
    sim_heal_and_check(w);
}

/* A role that the holder gives between two parts is known to the joiner, who vouches for
 * it: else it would hold the new member's opening back for ever. */
static void role_given_between_parts(struct sim_world *w)
{
    struct sim_host *a = &w->hosts[0], *c = &w->hosts[2], *d;

    begin(w, 3);
    sim_isolate(w, c);
    sim_bulk(w, a, 80);
    sim_run(w, 2000);
    d = sim_host_new(w);
    sim_link_set(w, a, d, true);
    sim_link(w, a->index, c->index)->latency_ms = 400;
    sim_link_set(w, a, c, true);
    SIM_EXPECT(w, sim_until_joining(w, c, 20000));
    sim_run(w, 600); /* the first part is on its way */
    SIM_EXPECT(w, sim_info(w, c).joining);
    SIM_EXPECT(w, sim_join(w, a, d, RJ_ROLE_WRITER));
    sim_do(w, d, SIM_COUNTER, SIM_DO_INCR, 0, 7);
    sim_run(w, 60000);
    SIM_EXPECT(w, !sim_info(w, c).joining);
    SIM_EXPECT(w, sim_value(w, c, SIM_COUNTER) == 7);
    sim_heal_and_check(w);
}

/* A holder whose disk is full gives nothing that its disk does not have: it crashes, and
 * what it lost lives nowhere. */
static void full_holder_gives_what_it_has(struct sim_world *w)
{
    struct sim_host *a = &w->hosts[0], *c = &w->hosts[2];

    begin(w, 3);
    sim_isolate(w, c);
    sim_bulk(w, a, 80);
    sim_run(w, 2000);
    sim_isolate(w, a);
    sim_disk_full(w, a, true);
    (void)sim_write(w, a, 0, sim_key_of(SIM_COUNTER), SIM_DO_INCR, 0, 5);
    sim_run(w, 200);
    sim_link_set(w, a, c, true);
    sim_run(w, 5000);
    sim_host_crash(w, a);
    sim_disk_full(w, a, false);
    sim_host_open(w, a);
    sim_rejoin(w, a);
    sim_rejoin(w, c);
    sim_run(w, AWAY_MS);
    sim_heal_and_check(w);
}

/* Two take over each other's state, are cut, write, and meet again: what they wrote is
 * sealed when the other asks, though neither is whole. */
static void two_joiners_write(struct sim_world *w)
{
    struct sim_host *a = &w->hosts[0], *b = &w->hosts[1];

    begin(w, 2);
    sim_isolate(w, a);
    sim_bulk(w, a, 60);
    sim_bulk(w, b, 60);
    sim_run(w, 2000);
    for (size_t i = 0; i < 6 && !w->failed; i++) {
        sim_link_set(w, a, b, true);
        sim_run(w, 100 + sim_below(w, 250));
        sim_link_set(w, a, b, false);
        sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 1);
        sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 10);
        sim_do(w, a, SIM_SET, i % 2 == 0 ? SIM_DO_SADD : SIM_DO_SREM, i % 3, 0);
        sim_do(w, b, SIM_SET, i % 2 != 0 ? SIM_DO_SADD : SIM_DO_SREM, i % 3, 0);
        sim_bulk(w, a, 3);
        sim_bulk(w, b, 3);
    }
    sim_link_set(w, a, b, true);
    sim_run(w, 60000);
    SIM_EXPECT(w, !sim_info(w, a).joining && !sim_info(w, b).joining);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 66);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 66);
    sim_heal_and_check(w);
}

const struct sim_named sim_named_transfer[] = {
    {"the holder goes away in the midst of a range", holder_goes_away_in_a_range},
    {"a joiner stranded by a rollback takes afresh", stranded_joiner},
    {"a role that is given between two parts", role_given_between_parts},
    {"a full holder gives what it has", full_holder_gives_what_it_has},
    {"two joiners that write while they need each other", two_joiners_write},
    {NULL, NULL}};
