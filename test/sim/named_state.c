/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: who is too far behind takes the state, range by range (R5). A small
 * log limit makes everybody truncate early; bulk keys make a transfer of several parts.
 */
#include "sim/named.h"

/* C is behind, begins to take the state from A, is cut off, goes on with B, writes all
 * the while; A and B write too. */
static void transfer_cut_and_resumed(struct sim_world *w)
{
    struct sim_host *a = &w->hosts[0], *b = &w->hosts[1], *c = &w->hosts[2];

    sim_small_limits(w);
    sim_cluster(w, 3);
    sim_isolate(w, c);
    sim_bulk(w, c, 10);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    sim_bulk(w, a, 60);
    sim_bulk(w, b, 30);
    sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 10);
    sim_run(w, 2000);
    SIM_EXPECT(w, sim_info(w, a).truncated > 0);
    sim_slow_links(w, 30);
    sim_link_set(w, a, c, true);
    SIM_EXPECT(w, sim_until_joining(w, c, 20000));
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 100);
    sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 1000);
    sim_bulk(w, a, 3);
    sim_link_set(w, a, c, false);
    sim_bulk(w, b, 5);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 10000);
    sim_run(w, 1000);
    sim_link_set(w, b, c, true);
    sim_bulk(w, b, 5);
    sim_run(w, 30000);
    SIM_EXPECT(w, !sim_info(w, c).joining);
    SIM_EXPECT(w, sim_value(w, c, SIM_COUNTER) == 11111);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 11111);
    sim_heal_and_check(w);
}

/* The peer changes again and again; the joiner is opened anew in between. */
static void transfer_from_changing_peers(struct sim_world *w)
{
    struct sim_host *a = &w->hosts[0], *b = &w->hosts[1], *c = &w->hosts[2];

    sim_small_limits(w);
    sim_cluster(w, 3);
    sim_isolate(w, c);
    sim_bulk(w, a, 80);
    sim_run(w, 2000);
    sim_slow_links(w, 40);
    for (size_t i = 0; i < 12 && !w->failed; i++) {
        struct sim_host *from = i % 2 == 0 ? a : b;

        sim_link_set(w, from, c, true);
        sim_run(w, 100 + sim_below(w, 400));
        sim_bulk(w, from, 2);
        sim_bulk(w, c, 2);
        sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
        sim_do(w, c, SIM_SET, i % 3 == 0 ? SIM_DO_SREM : SIM_DO_SADD, i % 2, 0);
        sim_do(w, from, SIM_SET, SIM_DO_SADD, i % 3, 0);
        sim_link_set(w, from, c, false);
        if (i == 6) {
            sim_run(w, 50); /* its writes are on disk */
            sim_host_crash(w, c);
            sim_host_open(w, c);
        }
    }
    sim_run(w, 3000);
    sim_rejoin(w, c);
    sim_run(w, 30000);
    SIM_EXPECT(w, !sim_info(w, c).joining);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 12);
    sim_heal_and_check(w);
}

/* Both truncated beyond what the other has. */
static void two_need_each_other(struct sim_world *w)
{
    struct sim_host *a = &w->hosts[0], *b = &w->hosts[1];

    sim_small_limits(w);
    sim_cluster(w, 2);
    sim_do(w, a, SIM_SET, SIM_DO_SADD, 0, 0);
    sim_do(w, a, SIM_SET, SIM_DO_SADD, 1, 0);
    sim_run(w, 2000);
    sim_isolate(w, b);
    sim_do(w, a, SIM_SET, SIM_DO_SREM, 0, 0);
    sim_do(w, b, SIM_SET, SIM_DO_SREM, 1, 0);
    sim_bulk(w, a, 60);
    sim_bulk(w, b, 60);
    sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 10);
    sim_run(w, 3000);
    SIM_EXPECT(w, sim_info(w, a).truncated > 0 && sim_info(w, b).truncated > 0);
    sim_rejoin(w, b);
    sim_run(w, 60000);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 11);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 11);
    sim_heal_and_check(w);
}

static void two_need_each_other_and_write(struct sim_world *w)
{
    struct sim_host *a = &w->hosts[0], *b = &w->hosts[1], *c = &w->hosts[2];

    sim_small_limits(w);
    sim_cluster(w, 3);
    sim_isolate(w, a);
    sim_isolate(w, b);
    sim_bulk(w, a, 50);
    sim_bulk(w, b, 50);
    sim_bulk(w, c, 50);
    sim_slow_links(w, 25);
    sim_links_all(w, true);
    for (size_t i = 0; i < 40 && !w->failed; i++) {
        sim_do(w, &w->hosts[i % 3], SIM_COUNTER, SIM_DO_INCR, 0, 1);
        sim_bulk(w, &w->hosts[i % 3], 1);
        sim_run(w, 50);
    }
    sim_run(w, 60000);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 40);
    sim_heal_and_check(w);
}

/* What it had not sent counts; what was deleted meanwhile does not return. */
static void away_for_a_year(struct sim_world *w)
{
    struct sim_host *a = &w->hosts[0], *c = &w->hosts[2];

    sim_small_limits(w);
    sim_cluster(w, 3);
    sim_add_some(w, a);
    sim_run(w, 3000);
    sim_isolate(w, c);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 5);
    sim_do(w, c, SIM_SET, SIM_DO_SADD, 1, 0);
    sim_run(w, 1000);
    sim_host_crash(w, c);
    sim_remove_some(w, a);
    sim_bulk(w, a, 60);
    sim_run(w, 10000);
    sim_skip(w, SIM_YEAR_MS);
    sim_run(w, 10000);
    sim_host_open(w, c);
    sim_rejoin(w, c);
    sim_run(w, 30000);
    SIM_EXPECT(w, sim_value(w, c, SIM_STRING) == -1);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 5);
    sim_heal_and_check(w);
}

static void late_joiner_takes_the_state(struct sim_world *w)
{
    struct sim_host *d;

    sim_small_limits(w);
    sim_cluster(w, 3);
    sim_bulk(w, &w->hosts[0], 60);
    sim_bulk(w, &w->hosts[1], 30);
    sim_do(w, &w->hosts[1], SIM_STRING, SIM_DO_SET, 0, 0);
    sim_do(w, &w->hosts[1], SIM_STRING, SIM_DO_DEL, 0, 0);
    d = sim_host_new(w);
    sim_links_all(w, true);
    SIM_EXPECT(w, sim_join(w, &w->hosts[0], d, RJ_ROLE_WRITER));
    sim_run(w, 10000);
    SIM_EXPECT(w, !sim_info(w, d).joining);
    sim_do(w, d, SIM_COUNTER, SIM_DO_INCR, 0, 3);
    sim_run(w, 3000);
    SIM_EXPECT(w, sim_value(w, &w->hosts[2], SIM_COUNTER) == 3);
    sim_heal_and_check(w);
}

/* A transfer whose joiner crashes at any point; a clone of the joiner goes on as well. */
static void joiner_crashes(struct sim_world *w)
{
    struct sim_host *a = &w->hosts[0], *c;

    sim_small_limits(w);
    sim_cluster(w, 2);
    c = &w->hosts[1];
    sim_isolate(w, c);
    sim_bulk(w, a, 80);
    sim_slow_links(w, 30);
    for (size_t i = 0; i < 8 && !w->failed; i++) {
        sim_rejoin(w, c);
        sim_run(w, 100 + sim_below(w, 300));
        sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
        sim_run(w, sim_below(w, 100));
        sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 100);
        sim_host_crash(w, c);
        sim_host_open(w, c);
    }
    sim_run(w, 30000);
    sim_heal_and_check(w);
}

const struct sim_named sim_named_state[] = {
    {"transfer cut, resumed from another peer", transfer_cut_and_resumed},
    {"transfer from changing peers with local writes", transfer_from_changing_peers},
    {"two that need each other's state", two_need_each_other},
    {"three that need each other's state and write", two_need_each_other_and_write},
    {"a member away for a year", away_for_a_year},
    {"late joiner takes the state", late_joiner_takes_the_state},
    {"joiner crashes again and again", joiner_crashes},
    {NULL, NULL}};
