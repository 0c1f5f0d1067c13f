/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: a bucket in which a deletion wins over what had not seen it. */
#include "sim/named.h"

enum { AWAY_MS = 24 * 3600 * 1000, FORGET_MS = 60000, TRIES = 8 };

static void begin(struct sim_world *w, size_t n)
{
    w->policy = RJ_POLICY_DELETE_WINS;
    sim_cluster(w, n);
}

static size_t gones(struct sim_host *h)
{
    return sim_peek_gones(sim_space(h, 0));
}

static bool has_elem(struct sim_world *w, struct sim_host *h, const char *elem)
{
    bool is = false;
    enum rj_err err = rj_bucket_sismember(
        sim_bucket(w, h, 0), sim_key(sim_key_of(SIM_SET)), rj_bytes_from_str(elem), &is);

    SIM_EXPECT(w, err == RJ_OK);
    return is;
}

/* All show that of the string; and forget, in time. */
static void all_show(struct sim_world *w, int64_t value)
{
    for (size_t i = 0; i < w->hosts_n && !w->failed; i++)
        SIM_EXPECT(w, sim_value(w, &w->hosts[i], SIM_STRING) == value);
    sim_run(w, FORGET_MS);
    for (size_t i = 0; i < w->hosts_n && !w->failed; i++) {
        SIM_EXPECT(w, gones(&w->hosts[i]) == 0);
        SIM_EXPECT(w, sim_value(w, &w->hosts[i], SIM_STRING) == value);
    }
    sim_heal_and_check(w);
}

/* A session is written at A; at B somebody logs out while A's pages still touch it. */
static void logout_beats_a_late_page_hit(struct sim_world *w)
{
    struct sim_host *a, *b;

    begin(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    sim_do(w, a, SIM_STRING, SIM_DO_SET, 0, 0);
    sim_do(w, a, SIM_SET, SIM_DO_SADD, 0, 0);
    sim_run(w, 2000);
    sim_isolate(w, a);
    sim_do(w, b, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_do(w, b, SIM_SET, SIM_DO_DEL, 0, 0);
    sim_run(w, 1000);
    sim_do(w, a, SIM_STRING, SIM_DO_SET, 0, 0); /* the later stamp */
    sim_do(w, a, SIM_SET, SIM_DO_SADD, 1, 0);
    sim_rejoin(w, a);
    sim_run(w, 5000);
    SIM_EXPECT(w, !has_elem(w, a, "x") && !has_elem(w, a, "y"));
    all_show(w, -1);
}

/* ... also where B has never heard of the session. */
static void logout_of_an_unknown_session(struct sim_world *w)
{
    begin(w, 3);
    sim_isolate(w, &w->hosts[1]);
    sim_do(w, &w->hosts[0], SIM_STRING, SIM_DO_SET, 0, 0);
    sim_do(w, &w->hosts[1], SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_run(w, 1000);
    sim_rejoin(w, &w->hosts[1]);
    sim_run(w, 5000);
    all_show(w, -1);
}

static void set_after_a_deletion_lives(struct sim_world *w)
{
    struct sim_host *a, *b;
    int64_t value;

    begin(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    sim_do(w, a, SIM_STRING, SIM_DO_SET, 0, 0);
    sim_run(w, 2000);
    sim_do(w, b, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_do(w, b, SIM_STRING, SIM_DO_SET, 0, 0);
    value = sim_value(w, b, SIM_STRING);
    sim_run(w, 3000);
    SIM_EXPECT(w, value > 0 && gones(a) == 1);
    all_show(w, value);
}

/* Two deletions beside each other, and a write that has seen one of them only. */
static void concurrent_deletions(struct sim_world *w)
{
    struct sim_host *a, *b, *c;

    begin(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    sim_do(w, c, SIM_STRING, SIM_DO_SET, 0, 0);
    sim_run(w, 2000);
    sim_isolate(w, b);
    sim_do(w, a, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_do(w, b, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_run(w, 2000);
    sim_do(w, c, SIM_STRING, SIM_DO_SET, 0, 0);
    SIM_EXPECT(w, sim_value(w, c, SIM_STRING) > 0);
    sim_run(w, 1000);
    sim_rejoin(w, b);
    sim_run(w, 5000);
    SIM_EXPECT(w, gones(a) == 2);
    all_show(w, -1);
}

/* What was counted before is gone, whoever lengthens it; what was counted after counts.
 */
static void increments_across_a_deletion(struct sim_world *w)
{
    struct sim_host *a, *b;

    begin(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    sim_do(w, a, SIM_STRING, SIM_DO_INCR, 0, 1);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, 10);
    sim_run(w, 2000);
    sim_isolate(w, a);
    sim_do(w, a, SIM_STRING, SIM_DO_INCR, 0, 100);
    sim_do(w, b, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, 1000);
    sim_run(w, 1000);
    sim_rejoin(w, a);
    sim_run(w, 5000);
    sim_do(w, a, SIM_STRING, SIM_DO_INCR, 0, 10000);
    sim_run(w, 2000);
    all_show(w, 11000);
}

/* A took over the state in which the deletion is; it wrote before it and meanwhile. */
static void deletion_comes_with_the_state(struct sim_world *w)
{
    struct sim_host *a, *b;

    sim_small_limits(w);
    begin(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    sim_add_some(w, a);
    sim_bulk(w, a, 10);
    sim_run(w, 2000);
    sim_isolate(w, a);
    sim_do(w, a, SIM_STRING, SIM_DO_SET, 0, 0);
    sim_run(w, 1000);
    sim_do(w, b, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_do(w, b, SIM_SET, SIM_DO_DEL, 0, 0);
    sim_bulk(w, b, 80);
    sim_run(w, 2000);
    SIM_EXPECT(w, sim_info(w, b).truncated > 0);
    sim_slow_links(w, 40);
    sim_rejoin(w, a);
    SIM_EXPECT(w, sim_until_joining(w, a, 20000));
    for (size_t i = 0; i < TRIES && !w->failed; i++) {
        sim_do(w, a, SIM_SET, SIM_DO_SADD, i % 3, 0);
        sim_run(w, 20 + sim_below(w, 60));
    }
    sim_run(w, 20000);
    SIM_EXPECT(w, !sim_info(w, a).joining);
    all_show(w, -1);
}

/* Who truncated its log tells a joiner by the state; who was there has long forgotten. */
static void deletion_before_the_log(struct sim_world *w)
{
    struct sim_host *d;

    sim_small_limits(w);
    begin(w, 2);
    sim_add_some(w, &w->hosts[0]);
    sim_run(w, 1000);
    sim_do(w, &w->hosts[1], SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_run(w, FORGET_MS);
    SIM_EXPECT(w, gones(&w->hosts[0]) == 0 && gones(&w->hosts[1]) == 0);
    sim_bulk(w, &w->hosts[0], 80);
    d = sim_host_new(w);
    sim_links_all(w, true);
    SIM_EXPECT(w, sim_join(w, &w->hosts[0], d, RJ_ROLE_WRITER));
    sim_run(w, 20000);
    all_show(w, -1);
}

/* C was away for a day with a write that it had not sent: until it is back the deletion
 * is remembered, and nothing returns. */
static void a_member_is_away_with_unsent_writes(struct sim_world *w)
{
    struct sim_host *a, *b, *c;

    begin(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    sim_add_some(w, a);
    sim_run(w, 2000);
    sim_isolate(w, c);
    sim_do(w, c, SIM_STRING, SIM_DO_SET, 0, 0);
    sim_run(w, 1000);
    sim_host_crash(w, c);
    sim_do(w, a, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_run(w, FORGET_MS);
    sim_skip(w, AWAY_MS);
    sim_run(w, FORGET_MS);
    SIM_EXPECT(w, gones(a) == 1 && gones(b) == 1);
    sim_host_open(w, c);
    sim_rejoin(w, c);
    sim_run(w, 20000);
    all_show(w, -1);
}

/* Who forgot goes on writing; others, who have not heard that they may forget, take it.
 */
static void a_write_after_forgetting_counts(struct sim_world *w)
{
    struct sim_host *a, *b, *c;
    int64_t value = -1;

    begin(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    sim_do(w, a, SIM_STRING, SIM_DO_SET, 0, 0);
    sim_run(w, 2000);
    sim_do(w, a, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_run(w, 3000);
    *sim_stall(w, b->index, c->index) = true; /* C hears no head of B */
    for (size_t i = 0; i < 3 * TRIES && !w->failed; i++) {
        sim_run(w, 2000);
        if (gones(a) == 0 || gones(b) == 0) {
            sim_do(w, gones(a) == 0 ? a : b, SIM_STRING, SIM_DO_SET, 0, 0);
            value = sim_value(w, gones(a) == 0 ? a : b, SIM_STRING);
            break;
        }
    }
    SIM_EXPECT(w, value > 0);
    *sim_stall(w, b->index, c->index) = false;
    sim_run(w, 20000);
    all_show(w, value);
}

/* C never comes back. What it deleted itself others forget; what it had not heard of they
 * forget once it is shut out. */
static void a_member_stays_away(struct sim_world *w)
{
    struct sim_host *a, *b, *c;

    begin(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    sim_add_some(w, a);
    sim_run(w, 2000);
    sim_do(w, c, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_run(w, 700);
    sim_host_crash(w, c);
    c->stopped = true;
    sim_run(w, FORGET_MS);
    SIM_EXPECT(w, gones(a) == 0 && gones(b) == 0);
    sim_do(w, a, SIM_SET, SIM_DO_DEL, 0, 0);
    sim_run(w, FORGET_MS);
    SIM_EXPECT(w, gones(a) == 1 && gones(b) == 1);
    SIM_EXPECT(w, rj_space_close_device(sim_space(a, 0), sim_device_id(w, c),
                                        sim_now(w, a)) == RJ_OK);
    c->outsider = true;
    w->revoked = true;
    sim_host_flush(w, a);
    sim_run(w, 2 * FORGET_MS);
    SIM_EXPECT(w, gones(a) == 0 && gones(b) == 0);
    SIM_EXPECT(w, sim_value(w, b, SIM_STRING) == -1);
    sim_heal_and_check(w);
}

/* Both halves of a machine that was copied delete, and go on; then all meet, before a
 * member that is away lets anybody forget. */
static void both_branches_delete(struct sim_world *w)
{
    struct sim_host *a, *b, *c, *twin;

    begin(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    sim_add_some(w, a);
    sim_do(w, c, SIM_STRING, SIM_DO_INCR, 0, 1);
    sim_run(w, 2000);
    sim_isolate(w, b);
    sim_isolate(w, c);
    twin = sim_host_fork(w, c);
    sim_do(w, c, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_do(w, c, SIM_SET, SIM_DO_SADD, 1, 0);
    sim_do(w, twin, SIM_SET, SIM_DO_DEL, 0, 0);
    sim_do(w, twin, SIM_STRING, SIM_DO_INCR, 0, 1);
    sim_run(w, 1000);
    sim_link_set(w, a, twin, true);
    sim_run(w, 2000);
    sim_link_set(w, a, c, true);
    sim_run(w, 30000);
    sim_rejoin(w, b);
    sim_run(w, 30000);
    SIM_EXPECT(w, sim_value(w, a, SIM_STRING) == -1);
    SIM_EXPECT(w, !has_elem(w, a, "x") && !has_elem(w, a, "y"));
    sim_heal_and_check(w);
}

const struct sim_named sim_named_gone[] = {
    {"a logout beats a late page hit", logout_beats_a_late_page_hit},
    {"a logout of a session that was not seen", logout_of_an_unknown_session},
    {"a set after a deletion lives", set_after_a_deletion_lives},
    {"concurrent deletions", concurrent_deletions},
    {"increments across a deletion", increments_across_a_deletion},
    {"a deletion comes with the state", deletion_comes_with_the_state},
    {"a deletion before the log", deletion_before_the_log},
    {"a member is away with unsent writes", a_member_is_away_with_unsent_writes},
    {"a write after forgetting counts", a_write_after_forgetting_counts},
    {"a member stays away for ever", a_member_stays_away},
    {"both branches of a fork delete", both_branches_delete},
    {NULL, NULL},
};
