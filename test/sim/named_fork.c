/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: a machine is copied with its memory, and both copies go on under one
 * incarnation (R7). Counters and a set that only grows say whether every write of every
 * branch is there once. */
#include "sim/named.h"

/* One write of each sort; the counter gets n. */
static void mixed(struct sim_world *w, struct sim_host *h, int64_t n)
{
    static const struct {
        enum sim_class class;
        enum sim_verb verb;
    } writes[] = {
        {SIM_GROW, SIM_DO_SADD},  {SIM_STRING, SIM_DO_SET}, {SIM_STRING, SIM_DO_INCR},
        {SIM_SET, SIM_DO_SADD},   {SIM_SET, SIM_DO_SREM},   {SIM_HASH, SIM_DO_HSET},
        {SIM_HASH, SIM_DO_HINCR}, {SIM_STRING, SIM_DO_DEL}, {SIM_REG, SIM_DO_SET}};

    if (w->failed || sim_space(h, 0) == NULL)
        return;
    sim_do(w, h, SIM_COUNTER, SIM_DO_INCR, 0, n);
    for (size_t i = 0; i < 3; i++) {
        size_t one = sim_below(w, sizeof(writes) / sizeof(writes[0]));

        (void)sim_write(w, h, 0, sim_key_of(writes[one].class), writes[one].verb,
                        sim_below(w, SIM_ELEMS), 1 + (int64_t)sim_below(w, 5));
    }
    sim_run(w, 1 + sim_below(w, 60));
}

static void expect_sum(struct sim_world *w, int64_t sum)
{
    sim_heal_and_check(w);
    for (size_t i = 0; i < w->hosts_n; i++)
        if (!w->hosts[i].outsider)
            SIM_EXPECT(w, sim_value(w, &w->hosts[i], SIM_COUNTER) == sum);
}

/* A cluster whose first host has written a little. */
static struct sim_host *begin(struct sim_world *w, size_t n)
{
    sim_cluster(w, n);
    mixed(w, &w->hosts[1], 1);
    mixed(w, &w->hosts[1], 2);
    sim_run(w, 3000);
    return &w->hosts[1];
}

static void fork_seen_by_a_third(struct sim_world *w)
{
    struct sim_host *b = begin(w, 3), *d;

    sim_isolate(w, b);
    d = sim_host_fork(w, b);
    mixed(w, b, 10);
    mixed(w, d, 100);
    mixed(w, d, 1000);
    sim_rejoin(w, b);
    sim_run(w, 3000);
    sim_rejoin(w, d);
    sim_run(w, 20000);
    mixed(w, b, 10000);
    mixed(w, d, 20000);
    expect_sum(w, 31113);
}

/* One branch goes on for long before the other is seen. */
static void fork_deep_in_the_log(struct sim_world *w)
{
    struct sim_host *b = begin(w, 3), *d = sim_host_fork(w, b);

    for (size_t i = 0; i < 20 && !w->failed; i++) {
        mixed(w, b, 1);
        mixed(w, &w->hosts[i % 3], 1);
    }
    sim_run(w, 3000);
    mixed(w, d, 100);
    mixed(w, d, 100);
    sim_skip(w, 3600 * 1000);
    sim_rejoin(w, d);
    sim_run(w, 20000);
    mixed(w, d, 1000);
    expect_sum(w, 1243);
}

/* A and B hold one branch, C and D the other, and all of them write on. */
static void two_sides(struct sim_world *w)
{
    struct sim_host *b = begin(w, 5), *a = &w->hosts[0], *c = &w->hosts[2], *f;
    struct sim_host *d = &w->hosts[3], *e = &w->hosts[4];

    sim_links_all(w, false);
    f = sim_host_fork(w, b);
    sim_link_set(w, a, b, true);
    sim_link_set(w, a, e, true);
    sim_link_set(w, c, f, true);
    sim_link_set(w, c, d, true);
    for (size_t i = 0; i < 6 && !w->failed; i++) {
        mixed(w, b, 1);
        mixed(w, f, 10);
        sim_run(w, 500);
        mixed(w, a, 100);
        mixed(w, d, 1000);
        sim_run(w, 500);
    }
    sim_link_set(w, d, e, true); /* neither met the clones */
    sim_run(w, 5000);
    mixed(w, e, 10000);
    mixed(w, d, 10000);
    expect_sum(w, 26669);
}

/* The branches are equally long. */
static void equally_long(struct sim_world *w)
{
    struct sim_host *b = begin(w, 3), *a = &w->hosts[0], *c = &w->hosts[2], *d;

    sim_links_all(w, false);
    d = sim_host_fork(w, b);
    sim_link_set(w, a, b, true);
    sim_link_set(w, c, d, true);
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 10);
    sim_do(w, d, SIM_COUNTER, SIM_DO_INCR, 0, 100);
    sim_run(w, 3000);
    expect_sum(w, 113);
}

/* The same while all are connected: each clone to another host. */
static void equally_long_at_once(struct sim_world *w)
{
    struct sim_host *b = begin(w, 3), *a = &w->hosts[0], *c = &w->hosts[2], *d;

    sim_links_all(w, false);
    d = sim_host_fork(w, b);
    sim_link_set(w, a, b, true);
    sim_link_set(w, c, d, true);
    sim_link_set(w, a, c, true);
    sim_run(w, 5000);
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 10);
    sim_do(w, d, SIM_COUNTER, SIM_DO_INCR, 0, 100);
    sim_run(w, 5000);
    expect_sum(w, 113);
}

static void clones_meet(struct sim_world *w)
{
    struct sim_host *b = begin(w, 2), *d;

    sim_isolate(w, b);
    d = sim_host_fork(w, b);
    mixed(w, b, 10);
    mixed(w, d, 100);
    mixed(w, b, 1000);
    sim_link_set(w, b, d, true);
    sim_run(w, 20000);
    SIM_EXPECT(w, sim_value(w, b, SIM_COUNTER) == 1113);
    SIM_EXPECT(w, sim_value(w, d, SIM_COUNTER) == 1113);
    sim_link_set(w, b, &w->hosts[0], true);
    expect_sum(w, 1113);
}

/* Three copies, and one of them is copied again later. */
static void many_branches(struct sim_world *w)
{
    struct sim_host *b = begin(w, 3), *d, *e, *f;

    sim_isolate(w, b);
    d = sim_host_fork(w, b);
    e = sim_host_fork(w, b);
    mixed(w, b, 10);
    mixed(w, d, 100);
    mixed(w, e, 1000);
    sim_run(w, 1000);
    f = sim_host_fork(w, d);
    mixed(w, d, 10000);
    mixed(w, f, 20000);
    sim_link_set(w, &w->hosts[0], f, true);
    sim_run(w, 2000);
    sim_link_set(w, &w->hosts[2], d, true);
    sim_run(w, 2000);
    sim_rejoin(w, e);
    sim_run(w, 2000);
    expect_sum(w, 31113);
}

/* The later split is found first. */
static void inner_split_first(struct sim_world *w)
{
    struct sim_host *b = begin(w, 3), *d, *e;

    sim_isolate(w, b);
    d = sim_host_fork(w, b);
    mixed(w, d, 10);
    mixed(w, b, 100);
    sim_run(w, 1000);
    e = sim_host_fork(w, b);
    mixed(w, b, 1000);
    mixed(w, e, 10000);
    sim_rejoin(w, b);
    sim_rejoin(w, e);
    sim_run(w, 20000);
    mixed(w, &w->hosts[0], 20000);
    sim_run(w, 1000);
    sim_rejoin(w, d);
    expect_sum(w, 31113);
}

static void crashes_in_a_split(struct sim_world *w)
{
    struct sim_host *b = begin(w, 3), *d = sim_host_fork(w, b);

    mixed(w, b, 10);
    sim_run(w, 1000);
    mixed(w, d, 100);
    sim_rejoin(w, d);
    for (size_t i = 0; i < 30 && !w->failed; i++) {
        struct sim_host *h = &w->hosts[sim_below(w, w->hosts_n)];

        sim_run(w, sim_below(w, 300));
        if (h->node != NULL)
            sim_host_crash(w, h);
        h->open_at = w->now_ms + sim_below(w, 300);
    }
    expect_sum(w, 113);
}

/* Resets and deletes of what the branches have in common. */
static void what_was_common(struct sim_world *w)
{
    struct sim_host *a, *b, *c, *d;

    sim_cluster(w, 4);
    a = &w->hosts[0];
    b = &w->hosts[1];
    c = &w->hosts[2];
    sim_do(w, b, SIM_COUNTER, SIM_DO_INCR, 0, 3);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, 5);
    sim_do(w, b, SIM_HASH, SIM_DO_HINCR, 0, 5);
    sim_run(w, 2000);
    sim_links_all(w, false);
    d = sim_host_fork(w, b);
    sim_link_set(w, a, b, true);
    sim_link_set(w, c, d, true);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, 10);
    sim_do(w, d, SIM_STRING, SIM_DO_INCR, 0, 100);
    sim_do(w, b, SIM_HASH, SIM_DO_HINCR, 0, 10);
    sim_do(w, d, SIM_HASH, SIM_DO_HINCR, 0, 100);
    sim_run(w, 2000);
    (void)sim_write(w, a, 0, sim_key_of(SIM_STRING), SIM_DO_DEL, 0, 0);
    (void)sim_write(w, a, 0, sim_key_of(SIM_HASH), SIM_DO_HDEL, 0, 0);
    sim_run(w, 2000);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, 1000);
    expect_sum(w, 3);
    SIM_EXPECT(w, sim_value(w, a, SIM_STRING) == 1100); /* what the DEL had not seen */
}

/* Increments of one value in both branches. */
static void one_value(struct sim_world *w)
{
    struct sim_host *a, *b, *d;
    int64_t was;

    sim_cluster(w, 3);
    a = &w->hosts[0];
    b = &w->hosts[1];
    sim_do(w, a, SIM_STRING, SIM_DO_SET, 0, 0);
    sim_run(w, 2000);
    was = sim_value(w, b, SIM_STRING);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, 5);
    sim_run(w, 2000);
    sim_isolate(w, b);
    d = sim_host_fork(w, b);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, 10);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, 10);
    sim_do(w, d, SIM_STRING, SIM_DO_INCR, 0, 100);
    sim_do(w, d, SIM_STRING, SIM_DO_INCR, 0, 100);
    sim_rejoin(w, b);
    sim_run(w, 2000);
    sim_rejoin(w, d);
    sim_heal_and_check(w);
    SIM_EXPECT(w, sim_value(w, a, SIM_STRING) == was + 225);
}

/* Who joins when the log does not reach back to the split takes the state. */
static void state_after_a_fork(struct sim_world *w)
{
    struct sim_host *a, *b, *c, *d, *e;

    w->limits.log_bytes = 64 * 1024;
    w->limits.part_bytes = 4 * 1024;
    b = begin(w, 3);
    a = &w->hosts[0];
    c = &w->hosts[2];
    sim_isolate(w, b);
    d = sim_host_fork(w, b);
    mixed(w, b, 10);
    mixed(w, d, 100);
    sim_rejoin(w, b);
    sim_run(w, 3000);
    sim_rejoin(w, d);
    sim_run(w, 20000);
    sim_isolate(w, c);
    mixed(w, c, 1000);
    for (size_t i = 0; i < 4; i++)
        sim_bulk(w, a, 60);
    sim_run(w, 3000);
    SIM_EXPECT(w, sim_info(w, a).truncated > 0);
    e = sim_host_new(w);
    sim_link_set(w, a, e, true);
    SIM_EXPECT(w, sim_join(w, a, e, RJ_ROLE_WRITER));
    sim_run(w, 5000);
    sim_rejoin(w, e);
    sim_rejoin(w, c);
    mixed(w, e, 10000);
    sim_run(w, 10000);
    SIM_EXPECT(w, sim_info(w, e).truncated > 0 || sim_info(w, a).truncated > 0);
    expect_sum(w, 11113);
}

/* Logs and parts so small that most of what was written is no longer in a log. */
static struct sim_host *begin_small(struct sim_world *w, size_t n)
{
    struct sim_host *b;

    w->limits.log_bytes = 32 * 1024;
    w->limits.part_bytes = 4 * 1024;
    b = begin(w, n);
    for (size_t i = 0; i < 6; i++) {
        mixed(w, b, 0);
        sim_bulk(w, b, 60);
        sim_run(w, 1000);
    }
    for (size_t i = 0; i < w->hosts_n; i++)
        SIM_EXPECT(w, sim_info(w, &w->hosts[i]).truncated > 0);
    return b;
}

/* The log begins behind most of what the split origin did, but before its split. */
static void log_is_truncated(struct sim_world *w)
{
    struct sim_host *b = begin_small(w, 3), *d;

    sim_isolate(w, b);
    d = sim_host_fork(w, b);
    mixed(w, b, 10);
    mixed(w, d, 100);
    mixed(w, b, 1000);
    sim_rejoin(w, b);
    sim_run(w, 3000);
    sim_rejoin(w, d);
    expect_sum(w, 1113);
}

/* E has nothing of B's beginning in its log, for it took the state over. */
static void joined_by_state(struct sim_world *w)
{
    struct sim_host *b = begin_small(w, 2), *a = &w->hosts[0], *d, *e;

    e = sim_host_new(w);
    sim_link_set(w, a, e, true);
    SIM_EXPECT(w, sim_join(w, a, e, RJ_ROLE_WRITER));
    sim_run(w, 10000);
    sim_rejoin(w, e);
    mixed(w, b, 5);
    sim_run(w, 3000);
    sim_isolate(w, b);
    d = sim_host_fork(w, b);
    mixed(w, b, 10);
    mixed(w, d, 100);
    sim_isolate(w, a);
    sim_link_set(w, b, e, true);
    sim_run(w, 3000);
    sim_link_set(w, d, e, true);
    sim_run(w, 20000);
    SIM_EXPECT(w, sim_value(w, e, SIM_COUNTER) == 118);
    sim_rejoin(w, a);
    expect_sum(w, 118);
}

/* E is half a joiner when both branches come to it. */
static void in_a_transfer(struct sim_world *w)
{
    struct sim_host *b = begin_small(w, 3), *a = &w->hosts[0], *d, *e;

    e = sim_host_new(w);
    sim_link_set(w, a, e, true);
    sim_link(w, 0, e->index)->latency_ms = 100;
    SIM_EXPECT(w, sim_join(w, a, e, RJ_ROLE_WRITER));
    sim_until_joining(w, e, 20000);
    SIM_EXPECT(w, sim_info(w, e).joining);
    sim_isolate(w, b);
    d = sim_host_fork(w, b);
    mixed(w, b, 10);
    mixed(w, d, 100);
    sim_link_set(w, b, e, true);
    sim_run(w, 150);
    sim_link_set(w, d, e, true);
    sim_run(w, 300);
    mixed(w, e, 1000);
    sim_run(w, 5000);
    sim_rejoin(w, b);
    sim_rejoin(w, d);
    expect_sum(w, 1113);
}

/* A, the admin, is copied. One copy lets E in; the record of it outlives the log. */
static void member_in_a_branch(struct sim_world *w)
{
    struct sim_host *a, *c, *d, *e, *f;

    (void)begin_small(w, 3);
    a = &w->hosts[0];
    c = &w->hosts[2];
    sim_isolate(w, a);
    d = sim_host_fork(w, a);
    mixed(w, a, 10);
    mixed(w, d, 100);
    e = sim_host_new(w);
    sim_link_set(w, d, e, true);
    SIM_EXPECT(w, sim_join(w, d, e, RJ_ROLE_WRITER));
    sim_run(w, 5000);
    mixed(w, e, 1000);
    sim_rejoin(w, a);
    sim_run(w, 5000);
    sim_rejoin(w, d);
    sim_rejoin(w, e);
    sim_run(w, 20000);
    for (size_t i = 0; i < 6; i++) {
        sim_bulk(w, c, 60);
        sim_run(w, 2000);
    }
    for (size_t i = 0; i < w->hosts_n; i++) {
        sim_host_crash(w, &w->hosts[i]);
        w->hosts[i].open_at = w->now_ms + 100;
    }
    sim_run(w, 20000);
    mixed(w, e, 10000);
    f = sim_host_new(w);
    sim_link_set(w, a, f, true);
    SIM_EXPECT(w, sim_join(w, a, f, RJ_ROLE_WRITER));
    sim_run(w, 10000);
    sim_rejoin(w, f);
    mixed(w, f, 20000);
    expect_sum(w, 31113);
}

/* As many copies as there is room for, each copied again. */
static void many_copies(struct sim_world *w)
{
    struct sim_host *b = begin_small(w, 2);
    size_t first = w->hosts_n;
    int64_t sum = 3;

    sim_isolate(w, b);
    for (size_t i = 0; w->hosts_n < 8; i++)
        (void)sim_host_fork(w, i % 2 == 0 ? b : &w->hosts[first + i / 2]);
    for (size_t i = 1; i < w->hosts_n; i++) {
        mixed(w, &w->hosts[i], (int64_t)(1 + i) * 100);
        sum += (int64_t)(1 + i) * 100;
    }
    for (size_t i = 1; i < w->hosts_n; i++) {
        sim_rejoin(w, &w->hosts[i]);
        sim_run(w, 500);
    }
    expect_sum(w, sum);
}

const struct sim_named sim_named_fork[] = {
    {"fork seen by a third", fork_seen_by_a_third},
    {"fork deep in the log", fork_deep_in_the_log},
    {"fork: two sides and their later writes", two_sides},
    {"fork: equally long branches", equally_long},
    {"fork: equally long branches at once", equally_long_at_once},
    {"fork: both clones meet directly", clones_meet},
    {"fork: many branches", many_branches},
    {"fork: the inner split is found first", inner_split_first},
    {"fork: crashes in the middle of a split", crashes_in_a_split},
    {"fork: what was common is removed in one branch", what_was_common},
    {"fork: one value incremented in both branches", one_value},
    {"fork: the state is taken over afterwards", state_after_a_fork},
    {"fork: the log was truncated before", log_is_truncated},
    {"fork: at who joined by state", joined_by_state},
    {"fork: in the midst of a transfer", in_a_transfer},
    {"fork: a member comes in by a branch", member_in_a_branch},
    {"fork: a copy of a copy of a copy", many_copies},
    {NULL, NULL}};
