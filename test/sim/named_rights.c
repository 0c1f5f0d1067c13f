/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: who may write, who gets in, who is shut out (R8). */
#include "sim/named.h"

static void close_device(struct sim_world *w, struct sim_host *admin, struct sim_host *h)
{
    SIM_EXPECT(w, rj_space_close_device(sim_space(admin, 0), sim_device_id(w, h),
                                        sim_now(w, admin)) == RJ_OK);
    sim_host_flush(w, admin);
    w->revoked = true;
    h->outsider = true;
}

/* C writes while A closes it; B heard a part. All members end equal, with what an active
 * member had and without the rest. */
static void close_races_with_writes(struct sim_world *w)
{
    struct sim_host *a, *b, *c;

    sim_cluster(w, 4);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1);
    sim_run(w, 3000);
    sim_link_set(w, a, c, false);
    sim_link_set(w, a, b, false);
    for (size_t i = 0; i < 4; i++) {
        sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 10);
        sim_run(w, 30);
    }
    sim_run(w, 1000); /* B has these durably; A may have them through D */
    sim_isolate(w, c);
    for (size_t i = 0; i < 4; i++)
        sim_do(w, c, SIM_COUNTER, SIM_DO_INCR, 0, 1000);
    sim_run(w, 1000);
    close_device(w, a, c);
    sim_run(w, 1000);
    sim_links_all(w, true);
    sim_run(w, 20000);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 41);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 41);
    SIM_EXPECT(w, sim_value(w, &w->hosts[3], SIM_COUNTER) == 41);
    sim_heal_and_check(w);
}

/* The same while everything is linked and moving. */
static void close_while_writing(struct sim_world *w)
{
    struct sim_host *c;

    sim_cluster(w, 4);
    c = &w->hosts[2];
    for (size_t i = 0; i < 40 && !w->failed; i++) {
        if (i == 20)
            close_device(w, &w->hosts[0], c);
        (void)sim_write(w, c, 0, sim_key_of(SIM_COUNTER), SIM_DO_INCR, 0, 1);
        (void)sim_write(w, &w->hosts[3], 0, sim_key_of(SIM_COUNTER), SIM_DO_INCR, 0, 1);
        sim_run(w, sim_below(w, 10));
    }
    sim_run(w, 10000);
    SIM_EXPECT(w,
               sim_write(w, c, 0, sim_key_of(SIM_COUNTER), SIM_DO_INCR, 0, 1) != RJ_OK);
    SIM_EXPECT(w, sim_value(w, &w->hosts[1], SIM_COUNTER) >= 60 - 20);
    sim_heal_and_check(w);
}

static void reader_may_not_write(struct sim_world *w)
{
    struct sim_host *a, *r;

    sim_cluster(w, 2);
    a = &w->hosts[0];
    r = sim_host_new(w);
    r->reader = true;
    sim_links_all(w, true);
    sim_do(w, a, SIM_REG, SIM_DO_SET, 0, 0);
    SIM_EXPECT(w, sim_join(w, a, r, RJ_ROLE_READER));
    sim_run(w, 5000);
    SIM_EXPECT(w, sim_value(w, r, SIM_REG) == SIM_BASE);
    SIM_EXPECT(w,
               sim_write(w, r, 0, sim_key_of(SIM_REG), SIM_DO_SET, 0, 0) == RJ_EDENIED);
    SIM_EXPECT(w, rj_space_member_set(sim_space(a, 0), sim_device_id(w, r),
                                      RJ_ROLE_WRITER, sim_now(w, a)) == RJ_OK);
    sim_host_flush(w, a);
    sim_run(w, 5000);
    r->reader = false;
    sim_do(w, r, SIM_REG, SIM_DO_SET, 0, 0);
    sim_run(w, 5000);
    SIM_EXPECT(w, sim_value(w, a, SIM_REG) == sim_value(w, r, SIM_REG));
    SIM_EXPECT(w, rj_space_member_set(sim_space(a, 0), sim_device_id(w, r),
                                      RJ_ROLE_READER, sim_now(w, a)) == RJ_OK);
    sim_host_flush(w, a);
    r->reader = true;
    sim_run(w, 5000);
    SIM_EXPECT(w,
               sim_write(w, r, 0, sim_key_of(SIM_REG), SIM_DO_SET, 0, 0) == RJ_EDENIED);
    sim_heal_and_check(w);
}

/* A demotion that a write has not heard of does not make it void: its author had the
 * right in its own past. */
static void demotion_races_with_a_write(struct sim_world *w)
{
    struct sim_host *a, *b;

    sim_cluster(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    sim_run(w, 3000);
    sim_isolate(w, b);
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 3);
    SIM_EXPECT(w, rj_space_member_set(sim_space(a, 0), sim_device_id(w, b),
                                      RJ_ROLE_READER, sim_now(w, a)) == RJ_OK);
    sim_host_flush(w, a);
    b->reader = true;
    sim_run(w, 3000);
    sim_rejoin(w, b);
    sim_run(w, 8000);
    SIM_EXPECT(w, sim_value(w, a, SIM_COUNTER) == 3);
    SIM_EXPECT(w, sim_write(w, b, 0, sim_key_of(SIM_COUNTER), SIM_DO_INCR, 0, 1) ==
                      RJ_EDENIED);
    sim_heal_and_check(w);
}

static bool is_closed_at(struct sim_world *w, struct sim_host *at,
                         const struct sim_host *device)
{
    struct rj_member_info info;

    for (size_t i = 0; rj_space_member(sim_space(at, 0), i, &info); i++)
        if (memcmp(info.device.b, sim_device_id(w, device)->b, sizeof(info.device.b)) ==
            0)
            return info.closed;
    return false;
}

/* An admin of lower rank closes the one that made the space: nobody heeds it but itself,
 * also not who learns of it after a state transfer. */
static void a_lower_rank_closes_a_higher(struct sim_world *w)
{
    struct sim_host *a, *b, *c;

    w->limits.log_bytes = 8 * 1024;
    sim_cluster(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    SIM_EXPECT(w, rj_space_member_set(sim_space(a, 0), sim_device_id(w, b), RJ_ROLE_ADMIN,
                                      sim_now(w, a)) == RJ_OK);
    sim_host_flush(w, a);
    sim_run(w, 3000);
    sim_isolate(w, c);
    sim_bulk(w, a, 40);
    sim_run(w, 2000);
    SIM_EXPECT(w, rj_space_close_device(sim_space(b, 0), sim_device_id(w, a),
                                        sim_now(w, b)) == RJ_EDENIED);
    sim_rejoin(w, c); /* by a transfer: its own past is not all that it judges by */
    sim_run(w, 20000);
    SIM_EXPECT(w, sim_peek_close(sim_space(b, 0), sim_device_id(w, a)) == RJ_OK);
    sim_host_flush(w, b);
    b->outsider = true;
    sim_run(w, 10000);
    SIM_EXPECT(w, !is_closed_at(w, a, a) && !is_closed_at(w, c, a));
    SIM_EXPECT(w, is_closed_at(w, b, a));
    sim_do(w, a, SIM_COUNTER, SIM_DO_INCR, 0, 3);
    sim_run(w, 3000);
    SIM_EXPECT(w, sim_value(w, c, SIM_COUNTER) == 3);
    sim_heal_and_check(w);
}

/* An admin of lower rank readmits whom one of higher rank has closed: nobody heeds it. */
static void a_lower_rank_readmits(struct sim_world *w)
{
    struct sim_host *a, *b, *c;

    sim_cluster(w, 4);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    SIM_EXPECT(w, rj_space_member_set(sim_space(a, 0), sim_device_id(w, b), RJ_ROLE_ADMIN,
                                      sim_now(w, a)) == RJ_OK);
    sim_host_flush(w, a);
    sim_run(w, 3000);
    close_device(w, a, c);
    sim_run(w, 5000);
    SIM_EXPECT(w, is_closed_at(w, b, c));
    SIM_EXPECT(w, sim_peek_lift(sim_space(b, 0), sim_device_id(w, c)) == RJ_OK);
    sim_host_flush(w, b);
    b->outsider = true;
    sim_run(w, 10000);
    SIM_EXPECT(w, !is_closed_at(w, b, c));
    SIM_EXPECT(w, is_closed_at(w, a, c) && is_closed_at(w, &w->hosts[3], c));
    sim_heal_and_check(w);
}

static enum rj_join_state try_ticket(struct sim_world *w, struct sim_host *inviter,
                                     struct sim_host *h, const uint8_t *secret)
{
    enum rj_err why = RJ_OK;

    SIM_EXPECT(w, rj_node_join(h->node, sim_device_id(w, inviter), secret) == RJ_OK);
    sim_host_flush(w, h);
    sim_run(w, 20000);
    return rj_node_join_state(h->node, &why);
}

static void tickets(struct sim_world *w)
{
    struct sim_host *a, *c, *d;
    uint8_t secret[RJ_SECRET_LEN], wrong[RJ_SECRET_LEN] = {1, 2, 3};
    struct rj_invite_opts opts = {.role = RJ_ROLE_WRITER, .uses = 1};

    sim_cluster(w, 2);
    a = &w->hosts[0];
    c = sim_host_new(w);
    d = sim_host_new(w);
    w->nasty = true; /* strangers are shown the door */
    sim_links_all(w, true);
    opts.expires_ms = sim_now(w, a).wall.ms + 600000;
    SIM_EXPECT(w, rj_node_invite(a->node, &opts, sim_now(w, a), secret) == RJ_OK);
    sim_host_flush(w, a);
    SIM_EXPECT(w, try_ticket(w, a, c, wrong) == RJ_JOIN_REFUSED);
    SIM_EXPECT(w, sim_space(c, 0) == NULL);
    SIM_EXPECT(w, try_ticket(w, a, c, secret) == RJ_JOIN_DONE);
    SIM_EXPECT(w, sim_space(c, 0) != NULL);
    SIM_EXPECT(w, try_ticket(w, a, d, secret) == RJ_JOIN_REFUSED); /* used */
    opts.expires_ms = sim_now(w, a).wall.ms + 30000;
    SIM_EXPECT(w, rj_node_invite(a->node, &opts, sim_now(w, a), secret) == RJ_OK);
    sim_host_flush(w, a);
    sim_run(w, 31000);
    SIM_EXPECT(w, try_ticket(w, a, d, secret) == RJ_JOIN_REFUSED); /* expired */
    SIM_EXPECT(w, sim_space(d, 0) == NULL);
    SIM_EXPECT(w, rj_node_invite(w->hosts[1].node, &opts, sim_now(w, &w->hosts[1]),
                                 secret) == RJ_EDENIED);
    sim_heal_and_check(w);
}

const struct sim_named sim_named_rights[] = {
    {"close of a device races with its writes", close_races_with_writes},
    {"close of a device while it writes", close_while_writing},
    {"a reader's writes are refused", reader_may_not_write},
    {"a demotion races with a write", demotion_races_with_a_write},
    {"a lower rank closes a higher one", a_lower_rank_closes_a_higher},
    {"a lower rank readmits whom a higher one closed", a_lower_rank_readmits},
    {"tickets: wrong, used twice, expired", tickets},
    {NULL, NULL}};
