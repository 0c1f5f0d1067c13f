/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: concurrent writes to one key, by the rules of the bucket. */
#include "sim/named.h"

/* Two members that share what `before` wrote and then do not hear of each other. */
static void parted(struct sim_world *w, struct sim_host **a, struct sim_host **b)
{
    sim_run(w, 3000);
    *a = &w->hosts[0];
    *b = &w->hosts[1];
    sim_link_set(w, *a, *b, false);
    sim_run(w, 100);
}

static void joined_again(struct sim_world *w)
{
    sim_run(w, 100);
    sim_link_set(w, &w->hosts[0], &w->hosts[1], true);
    sim_run(w, 8000);
}

/* An INCR that saw another register than the SET's counts on that one: it goes with it.
 */
static void set_against_incr(struct sim_world *w)
{
    struct sim_host *a, *b;

    sim_cluster(w, 2);
    sim_do(w, &w->hosts[0], SIM_STRING, SIM_DO_SET, 0, 0);
    parted(w, &a, &b);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, 5);
    sim_do(w, a, SIM_STRING, SIM_DO_SET, 0, 0);
    SIM_EXPECT(w, sim_value(w, b, SIM_STRING) == SIM_BASE + 5);
    joined_again(w);
    SIM_EXPECT(w, sim_value(w, a, SIM_STRING) == 3 * SIM_BASE);
    SIM_EXPECT(w, sim_value(w, b, SIM_STRING) == 3 * SIM_BASE);
    sim_heal_and_check(w);
}

static void incr_against_incr(struct sim_world *w)
{
    struct sim_host *a, *b;

    sim_cluster(w, 2);
    sim_do(w, &w->hosts[0], SIM_STRING, SIM_DO_SET, 0, 0);
    parted(w, &a, &b);
    sim_do(w, a, SIM_STRING, SIM_DO_INCR, 0, 3);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, 5);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, -1);
    joined_again(w);
    SIM_EXPECT(w, sim_value(w, a, SIM_STRING) == SIM_BASE + 7);
    SIM_EXPECT(w, sim_value(w, b, SIM_STRING) == SIM_BASE + 7);
    sim_heal_and_check(w);
}

/* DEL takes what it saw; a concurrent increment of a plain counter stays. */
static void del_against_incr(struct sim_world *w)
{
    struct sim_host *a, *b;

    sim_cluster(w, 2);
    sim_do(w, &w->hosts[0], SIM_STRING, SIM_DO_INCR, 0, 4);
    parted(w, &a, &b);
    sim_do(w, a, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, 5);
    joined_again(w);
    SIM_EXPECT(w, sim_value(w, a, SIM_STRING) == 5);
    SIM_EXPECT(w, sim_value(w, b, SIM_STRING) == 5);
    sim_heal_and_check(w);
}

/* On a register the increment hangs on the register: both go. */
static void del_against_incr_of_register(struct sim_world *w)
{
    struct sim_host *a, *b;

    sim_cluster(w, 2);
    sim_do(w, &w->hosts[0], SIM_STRING, SIM_DO_SET, 0, 0);
    parted(w, &a, &b);
    sim_do(w, a, SIM_STRING, SIM_DO_DEL, 0, 0);
    sim_do(w, b, SIM_STRING, SIM_DO_INCR, 0, 5);
    joined_again(w);
    SIM_EXPECT(w, sim_value(w, a, SIM_STRING) == -1);
    SIM_EXPECT(w, sim_value(w, b, SIM_STRING) == -1);
    sim_heal_and_check(w);
}

static void hincrby_concurrent(struct sim_world *w)
{
    struct sim_host *a, *b;
    int64_t shown = 0;

    sim_cluster(w, 2);
    sim_do(w, &w->hosts[0], SIM_HASH, SIM_DO_HINCR, 0, 1);
    sim_do(w, &w->hosts[0], SIM_HASH, SIM_DO_HSET, 1, 0);
    parted(w, &a, &b);
    for (size_t i = 0; i < 5; i++) {
        sim_do(w, a, SIM_HASH, SIM_DO_HINCR, 0, 10);
        sim_do(w, b, SIM_HASH, SIM_DO_HINCR, 0, 100);
        sim_do(w, a, SIM_HASH, SIM_DO_HINCR, 1, 1);
        sim_do(w, b, SIM_HASH, SIM_DO_HINCR, 1, 2);
    }
    joined_again(w);
    SIM_EXPECT(w, sim_shown(sim_bucket(w, a, 0), sim_key_of(SIM_HASH), "x", &shown));
    SIM_EXPECT(w, shown == 551);
    SIM_EXPECT(w, sim_shown(sim_bucket(w, b, 0), sim_key_of(SIM_HASH), "y", &shown));
    SIM_EXPECT(w, shown == 2 * SIM_BASE + 15);
    sim_heal_and_check(w);
}

static void add_against_remove(struct sim_world *w)
{
    struct sim_host *a, *b;
    bool is = false;

    sim_cluster(w, 2);
    sim_do(w, &w->hosts[0], SIM_SET, SIM_DO_SADD, 0, 0);
    sim_do(w, &w->hosts[0], SIM_SET, SIM_DO_SADD, 1, 0);
    parted(w, &a, &b);
    sim_do(w, a, SIM_SET, SIM_DO_SREM, 0, 0);
    sim_do(w, b, SIM_SET, SIM_DO_SREM, 0, 0);
    sim_do(w, b, SIM_SET, SIM_DO_SADD, 0, 0);
    sim_do(w, a, SIM_SET, SIM_DO_DEL, 0, 0);
    joined_again(w);
    for (size_t i = 0; i < 2; i++) {
        struct rj_bucket *k = sim_bucket(w, &w->hosts[i], 0);

        SIM_EXPECT(w, rj_bucket_sismember(k, sim_key(sim_key_of(SIM_SET)),
                                          RJ_BYTES_LIT("x"), &is) == RJ_OK);
        SIM_EXPECT(w, is);
        SIM_EXPECT(w, rj_bucket_sismember(k, sim_key(sim_key_of(SIM_SET)),
                                          RJ_BYTES_LIT("y"), &is) == RJ_OK);
        SIM_EXPECT(w, !is);
    }
    sim_heal_and_check(w);
}

/* A touch carries the whole value, so it beats an expiry elsewhere. */
static void touch_against_expiry(struct sim_world *w)
{
    struct sim_host *a, *b;
    struct rj_bytes key = sim_key(sim_key_of(SIM_TTL)), value;
    struct rj_set_opts opts = {.ttl = RJ_TTL_AT};

    sim_cluster(w, 2);
    a = &w->hosts[0];
    b = &w->hosts[1];
    opts.deadline_ms = sim_now(w, a).wall.ms + 10000;
    SIM_EXPECT(w, rj_bucket_set(sim_bucket(w, a, 0), key, RJ_BYTES_LIT("x"), &opts) ==
                      RJ_OK);
    sim_host_flush(w, a);
    sim_run(w, 3000);
    sim_link_set(w, a, b, false);
    sim_run(w, 5000);
    SIM_EXPECT(w, rj_bucket_expire(sim_bucket(w, b, 0), key,
                                   sim_now(w, b).wall.ms + 3600 * 1000) == RJ_OK);
    sim_host_flush(w, b);
    sim_run(w, 200000);
    SIM_EXPECT(w, rj_bucket_get(sim_bucket(w, a, 0), key, &value) == RJ_ENOENT);
    SIM_EXPECT(w, rj_bucket_get(sim_bucket(w, b, 0), key, &value) == RJ_OK);
    sim_link_set(w, a, b, true);
    sim_run(w, 8000);
    SIM_EXPECT(w, rj_bucket_get(sim_bucket(w, a, 0), key, &value) == RJ_OK);
    sim_heal_and_check(w);
    sim_skip(w, 3600 * 1000);
    sim_run(w, 200000);
    SIM_EXPECT(w, rj_bucket_get(sim_bucket(w, b, 0), key, &value) == RJ_ENOENT);
    sim_heal_and_check(w);
}

static void groups_are_never_seen_in_part(struct sim_world *w)
{
    sim_cluster(w, 3);
    for (size_t i = 0; i < 120 && !w->failed; i++) {
        struct sim_host *h = &w->hosts[sim_below(w, 3)];

        (void)sim_write_pair(w, h, 0);
        if (sim_chance(w, 1, 2))
            sim_write_any(w, h, 0);
        for (size_t ms = sim_below(w, 20); ms > 0 && !w->failed; ms--) {
            sim_run(w, 1);
            sim_check_now(w);
        }
    }
    sim_heal_and_check(w);
}

const struct sim_named sim_named_merge[] = {
    {"SET against INCR", set_against_incr},
    {"INCR against INCR on a register", incr_against_incr},
    {"DEL against INCR of a counter", del_against_incr},
    {"DEL against INCR of a register", del_against_incr_of_register},
    {"HINCRBY concurrent", hincrby_concurrent},
    {"SADD against SREM and DEL", add_against_remove},
    {"touch against expiry", touch_against_expiry},
    {"atomic groups are never seen in part", groups_are_never_seen_in_part},
    {NULL, NULL}};
