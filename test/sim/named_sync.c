/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: delivery. Causal order over any path, clones, rollbacks, lost tails,
 * clocks, silence. */
#include "sim/named.h"

static void one_register(struct sim_world *w)
{
    struct sim_host *a, *b;

    sim_cluster(w, 2);
    a = &w->hosts[0];
    b = &w->hosts[1];
    sim_do(w, a, SIM_REG, SIM_DO_SET, 0, 0);
    sim_run(w, 2000);
    SIM_EXPECT(w, sim_value(w, a, SIM_REG) > 0);
    SIM_EXPECT(w, sim_value(w, a, SIM_REG) == sim_value(w, b, SIM_REG));
    sim_do(w, b, SIM_REG, SIM_DO_SET, 0, 0);
    sim_run(w, 2000);
    SIM_EXPECT(w, sim_value(w, a, SIM_REG) == 2 * SIM_BASE);
    sim_heal_and_check(w);
}

static void catch_up_after_absence(struct sim_world *w)
{
    struct sim_host *a, *b;

    sim_cluster(w, 2);
    a = &w->hosts[0];
    b = &w->hosts[1];
    sim_isolate(w, b);
    sim_bulk(w, a, 60);
    for (size_t i = 0; i < 10; i++) {
        sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 2);
        sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 1);
        sim_run(w, 50);
    }
    sim_run(w, 3600 * 1000);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 10);
    sim_rejoin(w, b);
    sim_run(w, 10000);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 30);
    sim_heal_and_check(w);
}

/* C gets B's reaction before A's write, which comes by way of B later. */
static void effect_before_cause(struct sim_world *w)
{
    struct sim_host *a, *b, *c;
    bool waited = false;

    sim_cluster(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    *sim_stall(w, a->index, c->index) = true;
    sim_do(w, a, SIM_REG, SIM_DO_SET, 0, 0);
    for (size_t i = 0; i < 80 && sim_value(w, b, SIM_REG) < 0 && !w->failed; i++)
        sim_run(w, 1);
    SIM_EXPECT(w, sim_value(w, b, SIM_REG) > 0);
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 5);
    for (size_t i = 0; i < 3000 && !w->failed; i++) {
        sim_run(w, 1);
        waited |= sim_info(w, c).parked_batches > 0;
        if (sim_value(w, c, SIM_COUNTER) > 0)
            SIM_EXPECT(w, sim_value(w, c, SIM_REG) > 0);
    }
    SIM_EXPECT(w, waited);
    SIM_EXPECT(w, sim_value(w, c, SIM_COUNTER) == 5); /* A is still stalled */
    sim_heal_and_check(w);
}

static void clone_meets_through_a_third(struct sim_world *w)
{
    struct sim_host *b, *twin;

    sim_cluster(w, 3);
    b = &w->hosts[1];
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    sim_run(w, 1000);
    sim_isolate(w, b);
    twin = sim_host_clone(w, b);
    for (size_t i = 0; i < 5; i++) {
        sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 10);
        sim_do(w, twin, SIM_COUNTER, SIM_DO_INCR, 0, 100);
        sim_do(w, b, SIM_SET, SIM_DO_SADD, 0, 0);
        sim_do(w, twin, SIM_SET, SIM_DO_SREM, 0, 0);
        sim_do(w, twin, SIM_SET, SIM_DO_SADD, 1, 0);
        sim_run(w, 300);
    }
    sim_link_set(w, b, &w->hosts[0], true);
    sim_run(w, 3000);
    sim_link_set(w, b, &w->hosts[0], false);
    sim_link_set(w, twin, &w->hosts[2], true);
    sim_run(w, 5000);
    SIM_EXPECT(w, sim_value(w, &w->hosts[0], SIM_COUNTER) == 551);
    SIM_EXPECT(w, sim_value(w, twin, SIM_COUNTER) == 551);
    sim_heal_and_check(w);
}

static void rolled_back_holder(struct sim_world *w)
{
    struct sim_host *a, *b;

    sim_cluster(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    sim_run(w, 3000);
    sim_host_backup(w, b);
    for (size_t i = 0; i < 5; i++) {
        sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 10);
        sim_do(w, b, SIM_REG, SIM_DO_SET, 0, 0);
        sim_run(w, 100);
    }
    sim_run(w, 5000); /* receipts have come */
    sim_host_rollback(w, b);
    for (size_t i = 0; i < 5; i++)
        sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 100);
    sim_run(w, 8000);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 551);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 551);
    sim_heal_and_check(w);
}

/* Writes since the backup reached nobody: they are lost, everything else holds. */
static void rolled_back_offline(struct sim_world *w)
{
    struct sim_host *b;

    sim_cluster(w, 3);
    b = &w->hosts[1];
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    sim_run(w, 3000);
    sim_host_backup(w, b);
    sim_isolate(w, b);
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 10);
    sim_run(w, 3000);
    sim_host_rollback(w, b);
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 100);
    sim_rejoin(w, b);
    sim_run(w, 8000);
    SIM_EXPECT(w, sim_value(w, &w->hosts[0], SIM_COUNTER) == 101);
    sim_heal_and_check(w);
}

/* At durability second a write may leave before it is safe; the crash takes it at home
 * only, and the next incarnation must not make its dot again. */
static void lost_tail(struct sim_world *w)
{
    struct sim_host *a, *b;

    w->durability = RJ_DURABLE_SECOND;
    w->limits.commit_ms = 5000;
    sim_cluster(w, 2);
    a = &w->hosts[0];
    b = &w->hosts[1];
    sim_run(w, 6000);
    sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    sim_run(w, 500);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 1);
    sim_host_crash(w, a);
    sim_host_open(w, a);
    sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 10);
    sim_run(w, 10000);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 11);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 11);
    sim_heal_and_check(w);
}

static void clocks_a_year_apart(struct sim_world *w)
{
    w->wild_clocks = true;
    sim_cluster(w, 3);
    w->hosts[1].skew_ms = -(int64_t)SIM_YEAR_MS;
    w->hosts[2].skew_ms = 2 * (int64_t)SIM_YEAR_MS;
    for (size_t i = 0; i < 40 && !w->failed; i++) {
        sim_write_any(w, &w->hosts[sim_below(w, 3)], 0);
        sim_run(w, sim_below(w, 200));
    }
    sim_run(w, 5000);
    sim_do(w, &w->hosts[1], SIM_REG, SIM_DO_SET, 0,
           0); /* saw all: wins, whatever its clock */
    sim_run(w, 5000);
    SIM_EXPECT(w, sim_value(w, &w->hosts[2], SIM_REG) ==
                      (int64_t)w->ops->items[w->ops->n - 1].value);
    sim_heal_and_check(w);
}

/* Peers that agree on the time refuse an author ten years ahead; it issues its write
 * again with a stamp that they take. */
static void author_ten_years_ahead(struct sim_world *w)
{
    struct sim_host *d;

    sim_cluster(w, 4);
    w->wild_clocks = true;
    d = &w->hosts[3];
    sim_run(w, 5000);
    d->skew_ms = 10 * (int64_t)SIM_YEAR_MS;
    (void)sim_write(w, d, 0, sim_key_of(SIM_COUNTER), SIM_DO_INCR, 0, 7);
    sim_run(w, 10000);
    for (size_t i = 0; i < 3; i++)
        SIM_EXPECT(w, sim_peek_clock_ms(sim_space(&w->hosts[i], 0)) <
                          SIM_EPOCH_MS + w->now_ms + 120000);
    d->skew_ms = 0;
    sim_heal_and_check(w);
}

static void idle_silence(struct sim_world *w)
{
    uint64_t before;

    sim_cluster(w, 5);
    for (size_t i = 0; i < 50 && !w->failed; i++) {
        sim_write_any(w, &w->hosts[sim_below(w, 5)], 0);
        sim_run(w, sim_below(w, 100));
    }
    sim_run(w, 10000);
    before = w->stats.sent_bytes;
    sim_run(w, 60000);
    SIM_EXPECT(w, w->stats.sent_bytes - before < 10 * 2 * 600);
    sim_heal_and_check(w);
}

const struct sim_named sim_named_sync[] = {
    {"two nodes, one register", one_register},
    {"catch-up after absence", catch_up_after_absence},
    {"stalled direct link: effect before cause", effect_before_cause},
    {"clone offline, meeting through a third", clone_meets_through_a_third},
    {"rolled-back holder writes again", rolled_back_holder},
    {"rolled back before anybody heard", rolled_back_offline},
    {"lost tail under durability second", lost_tail},
    {"clocks a year apart, never corrected", clocks_a_year_apart},
    {"author ten years ahead is refused", author_ten_years_ahead},
    {"idle silence", idle_silence},
    {NULL, NULL}};
