/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: a device that was closed is invited again (R6). What it wrote
 * meanwhile, and what the others did, must end as if it had only been away. */
#include "sim/named.h"

enum { TRIES = 8 };

static void mark(struct sim_world *w, const struct sim_host *h, bool outsider)
{
    for (size_t i = 0; i < w->hosts_n; i++)
        if (w->hosts[i].device == h->device)
            w->hosts[i].outsider = outsider;
}

static void exclude(struct sim_world *w, struct sim_host *admin, struct sim_host *h)
{
    SIM_EXPECT(w, rj_space_close_device(sim_space(admin, 0), sim_device_id(w, h),
                                        sim_now(w, admin)) == RJ_OK);
    sim_host_flush(w, admin);
    w->revoked = true;
    mark(w, h, true);
}

static bool is_closed_at(struct sim_world *w, struct sim_host *at,
                         const struct sim_host *h)
{
    struct rj_member_info info;

    for (size_t i = 0; rj_space_member(sim_space(at, 0), i, &info); i++)
        if (memcmp(info.device.b, sim_device_id(w, h)->b, RJ_DIGEST_LEN) == 0)
            return info.closed;
    return false;
}

/* A new ticket; whoever crashes meanwhile asks again. */
static void readmit(struct sim_world *w, struct sim_host *admin, struct sim_host *h)
{
    bool joined = false;

    for (size_t i = 0; i < TRIES && !joined && !w->failed; i++) {
        joined = sim_join(w, admin, h, RJ_ROLE_WRITER);
        if (!joined)
            sim_run(w, 5000);
    }
    SIM_EXPECT(w, joined);
    mark(w, h, false);
}

/* C is shut out with writes of all sorts that nobody has; the others go on. */
static void found_again(struct sim_world *w)
{
    struct sim_host *a, *b, *c;

    sim_cluster(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    sim_do(w, a, SIM_SET, SIM_DO_SADD, 0, 0);
    sim_do(w, b, SIM_SET, SIM_DO_SADD, 1, 0);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    sim_do(w, c, SIM_STRING, SIM_DO_SET, 0, 0);
    sim_run(w, 3000);
    sim_isolate(w, c);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 10);
    sim_do(w, c, SIM_SET, SIM_DO_SREM, 0, 0);
    sim_do(w, c, SIM_SET, SIM_DO_SADD, 2, 0);
    sim_do(w, c, SIM_STRING, SIM_DO_INCR, 0, 3);
    sim_do(w, c, SIM_REG, SIM_DO_SET, 0, 0);
    sim_run(w, 500);
    exclude(w, a, c);
    sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 100);
    sim_do(w, a, SIM_SET, SIM_DO_SREM, 1, 0);
    sim_do(w, b, SIM_SET, SIM_DO_SADD, 0, 0); /* again: C has not seen it */
    sim_do(w, b, SIM_REG, SIM_DO_SET, 0, 0);
    sim_run(w, 2000);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1000);
    sim_rejoin(w, c);
    sim_run(w, 10000); /* it is told, and may not write any more */
    SIM_EXPECT(w, sim_info(w, c).refuse == RJ_ECLOSED);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 101);
    readmit(w, a, c);
    sim_run(w, 5000);
    SIM_EXPECT(w, sim_info(w, c).refuse == RJ_OK);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 1111);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 1111);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 10000);
    sim_run(w, 5000);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 11111);
    sim_heal_and_check(w);
}

/* It comes back before it was ever told; one writes to it all the while. */
static void never_told(struct sim_world *w)
{
    struct sim_host *a, *c;

    sim_cluster(w, 3);
    a = &w->hosts[0];
    c = &w->hosts[2];
    sim_run(w, 2000);
    sim_isolate(w, c);
    exclude(w, a, c);
    sim_run(w, 2000);
    for (size_t i = 0; i < 20 && !w->failed; i++) {
        sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
        sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 100);
        if (i == 10)
            sim_link_set(w, a, c, true);
        if (i == 10)
            readmit(w, a, c);
        sim_run(w, sim_below(w, 60));
    }
    sim_rejoin(w, c);
    sim_run(w, 5000);
    SIM_EXPECT(w, sim_value(w, &w->hosts[1], SIM_COUNTER) == 2020);
    sim_heal_and_check(w);
}

/* B was away and knows nothing of all this, D knows of the close only; both have writes
 * of C that others lack, and each meets the others one by one. */
static void third_nodes_hear_in_any_order(struct sim_world *w)
{
    struct sim_host *a, *b, *c, *d;

    sim_cluster(w, 4);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    d = &w->hosts[3];
    sim_run(w, 2000);
    sim_links_all(w, false);
    sim_link_set(w, b, c, true);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    sim_run(w, 1500); /* B has it */
    sim_link_set(w, b, c, false);
    sim_link_set(w, c, d, true);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 10);
    sim_run(w, 1500); /* D has both */
    sim_link_set(w, c, d, false);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 100);
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 1000);
    exclude(w, a, c);
    sim_link_set(w, a, d, true);
    sim_run(w, 2000); /* D heard of the close and sealed */
    SIM_EXPECT(w, is_closed_at(w, d, c));
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 11);
    sim_link_set(w, a, d, false);
    sim_link_set(w, a, c, true);
    readmit(w, a, c);
    sim_run(w, 3000);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 111);
    sim_link_set(w, a, c, false);
    if (sim_chance(w, 1, 2)) {
        sim_link_set(w, c, b, true); /* B hears of both from C */
        sim_run(w, 3000);
        SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 1111);
    } else {
        sim_link_set(w, d, b, true); /* B hears of the close alone */
        sim_run(w, 3000);
        SIM_EXPECT(w, is_closed_at(w, b, c));
    }
    sim_link_set(w, d, b, true);
    sim_link_set(w, c, d, true);
    sim_run(w, 10000);
    SIM_EXPECT(w, sim_value(w, d, SIM_COUNTER) >= 1011);
    sim_links_all(w, true);
    sim_run(w, 20000);
    SIM_EXPECT(w, sim_value(w, d, SIM_COUNTER) == 1111);
    SIM_EXPECT(w, !is_closed_at(w, d, c) && !is_closed_at(w, b, c));
    sim_heal_and_check(w);
}

/* C is opened again and again while it is out; B meets some of those incarnations. */
static void incarnations_nobody_knew(struct sim_world *w)
{
    struct sim_host *a, *b, *c;

    sim_cluster(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    sim_run(w, 2000);
    sim_isolate(w, c);
    sim_link_set(w, a, b, false);
    exclude(w, a, c);
    for (size_t i = 0; i < 6 && !w->failed; i++) {
        sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
        sim_do(w, c, SIM_SET, i % 2 == 0 ? SIM_DO_SADD : SIM_DO_SREM, 0, 0);
        if (i == 2)
            sim_link_set(w, b, c, true); /* who has not heard of the close */
        sim_run(w, 1000);
        sim_link_set(w, b, c, false);
        sim_host_crash(w, c);
        sim_host_open(w, c);
    }
    sim_link_set(w, a, b, true);
    sim_run(w, 3000);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 3);
    sim_link_set(w, a, c, true);
    sim_run(w, 3000);
    readmit(w, a, c);
    sim_run(w, 5000);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 6);
    sim_heal_and_check(w);
}

/* A twin of C writes too; both come back. */
static void cloned_meanwhile(struct sim_world *w)
{
    struct sim_host *a, *b, *c, *twin;

    sim_cluster(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    sim_run(w, 2000);
    sim_isolate(w, c);
    exclude(w, a, c);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    sim_run(w, 1000);
    twin = sim_host_clone(w, c);
    twin->outsider = true;
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 10);
    sim_do(w, twin, SIM_COUNTER, SIM_DO_INCR, 0, 100);
    sim_run(w, 1000);
    sim_link_set(w, a, c, true);
    readmit(w, a, c);
    sim_run(w, 3000);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 11);
    sim_link_set(w, c, a, false);
    sim_rejoin(w, twin);
    sim_run(w, 5000);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 111);
    sim_heal_and_check(w);
}

/* Again and again, and each time A or C crashes one action later. */
static void crashes_while_it_comes_back(struct sim_world *w)
{
    struct sim_host *a, *b, *c;
    int64_t sum = 0;

    w->durability = sim_chance(w, 1, 2) ? RJ_DURABLE_ALWAYS : RJ_DURABLE_SECOND;
    sim_cluster(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    for (size_t i = 0; i < 24 && !w->failed; i++) {
        sim_run(w, 2000);
        sim_isolate(w, c);
        exclude(w, a, c);
        sim_run(w, 1000);
        if (sim_info(w, c).refuse == RJ_OK) {
            sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
            sum++;
        }
        sim_run(w, 2000);
        sim_rejoin(w, c);
        if (i % 2 == 0)
            sim_run(w, 3000); /* it is told */
        (i % 4 < 2 ? c : a)->crash_in = 1 + i / 2;
        readmit(w, a, c);
        sim_run(w, 2000);
        a->crash_in = c->crash_in = 0;
    }
    SIM_EXPECT(w, sim_settle(w, 240000));
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == sum);
    SIM_EXPECT(w, sum > 12);
    sim_heal_and_check(w);
}

/* Logs are short: what C wrote is in no log any more, nor what it missed. */
static void through_the_state(struct sim_world *w)
{
    struct sim_host *a, *b, *c;

    sim_small_limits(w);
    sim_cluster(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    sim_do(w, a, SIM_SET, SIM_DO_SADD, 0, 0);
    sim_do(w, a, SIM_SET, SIM_DO_SADD, 1, 0);
    sim_bulk(w, a, 20);
    sim_run(w, 2000);
    sim_isolate(w, c);
    exclude(w, a, c);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    sim_do(w, c, SIM_SET, SIM_DO_SREM, 1, 0);
    sim_do(w, b, SIM_SET, SIM_DO_SREM, 0, 0);
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 10);
    sim_bulk(w, a, 40);
    sim_bulk(w, c, 40);
    sim_bulk(w, b, 40);
    sim_run(w, 2000);
    SIM_EXPECT(w, sim_info(w, a).truncated > 0 && sim_info(w, c).truncated > 0);
    sim_link_set(w, a, c, true);
    readmit(w, a, c);
    sim_bulk(w, c, 5);
    sim_bulk(w, a, 5);
    sim_rejoin(w, c);
    sim_run(w, 40000);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 11);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 11);
    sim_heal_and_check(w);
}

/* Two admins: A, and below it B, who let C in. What B closes meanwhile, A's readmission
 * has not seen and does not lift; what A closed, B may not lift. */
static void a_close_that_was_not_seen_stays(struct sim_world *w)
{
    struct sim_host *a, *b, *c;

    sim_cluster(w, 2);
    a = &w->hosts[0];
    b = &w->hosts[1];
    SIM_EXPECT(w, rj_space_member_set(sim_space(a, 0), sim_device_id(w, b), RJ_ROLE_ADMIN,
                                      sim_now(w, a)) == RJ_OK);
    sim_host_flush(w, a);
    sim_run(w, 2000);
    c = sim_host_new(w);
    sim_rejoin(w, c);
    SIM_EXPECT(w, sim_join(w, b, c, RJ_ROLE_WRITER));
    sim_run(w, 2000);
    sim_links_all(w, false);
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    exclude(w, a, c);
    sim_link_set(w, a, c, true);
    readmit(w, a, c);
    sim_run(w, 3000);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 1);
    exclude(w, b, c);
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 10);
    sim_link_set(w, a, b, true);
    sim_run(w, 5000);
    SIM_EXPECT(w, is_closed_at(w, a, c) && is_closed_at(w, b, c));
    SIM_EXPECT(w, sim_info(w, c).refuse == RJ_ECLOSED);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 11); /* A had it */
    sim_link_set(w, b, c, true);
    readmit(w, b, c);
    sim_run(w, 5000);
    SIM_EXPECT(w, !is_closed_at(w, a, c) && !is_closed_at(w, c, c));
    exclude(w, a, c);
    sim_run(w, 20000);
    SIM_EXPECT(w, !sim_join(w, b, c, RJ_ROLE_WRITER));
    SIM_EXPECT(w, is_closed_at(w, b, c));
    readmit(w, a, c);
    sim_heal_and_check(w);
}

const struct sim_named sim_named_readmit[] = {
    {"a closed device is found again", found_again},
    {"a closed device comes back before it was told", never_told},
    {"third nodes hear of close and readmission in any order",
     third_nodes_hear_in_any_order},
    {"incarnations of a closed device that nobody knew", incarnations_nobody_knew},
    {"a closed device was cloned and both come back", cloned_meanwhile},
    {"crashes while a closed device comes back", crashes_while_it_comes_back},
    {"a closed device comes back through the state", through_the_state},
    {"a close that the readmission has not seen stays", a_close_that_was_not_seen_stays},
    {NULL, NULL}};
