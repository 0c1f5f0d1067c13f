/* SPDX-License-Identifier: Apache-2.0 */
/* Dropping what is due must not be seen: three replicas with clocks of their own write,
 * give and take deadlines, remove, exchange some of it, take states over and drop what is
 * due by their own clocks, at random. Once all have everything and nothing more is due,
 * all must have one state, whoever dropped what when.
 *
 * SEED=n runs one history, SEEDS=n that many. */
#include "base/prng.h"
#include "support/histories.h"
#include "support/states.h"

enum {
    REPLICAS = 3,
    STEPS = 120,
    SEEDS_DEFAULT = 1500,
    SKEW_MS = 4000,
    LIFE_MS = 9000,
    END_MS = 5000000 /* everything with a deadline is due */
};

static const char *const keys[] = {"k", "l"};
static const char *const names[] = {"f", "g"};

struct history {
    struct net *net;
    struct rj_prng rng;
};

static unsigned below(struct history *h, unsigned n)
{
    return (unsigned)rj_prng_below(&h->rng, n);
}

static void write_something(struct history *h, unsigned r)
{
    struct rj_bucket *b = net_at(h->net, r);
    struct rj_bytes key = str(keys[below(h, 2)]), name = str(names[below(h, 2)]);
    uint64_t deadline = h->net->r[r].now_ms + 1 + below(h, LIFE_MS), n;
    struct rj_set_opts until = {.ttl = RJ_TTL_AT, .deadline_ms = deadline};
    struct rj_pair pair = {name, str("1")};
    enum rj_err err = RJ_OK;
    int64_t value;
    bool is;

    switch (below(h, 16)) {
    case 0:
        err = rj_bucket_set(b, key, str("5"), below(h, 2) == 0 ? &until : NULL);
        break;
    case 1:
        err = rj_bucket_del(b, key, &is);
        break;
    case 2:
        err = rj_bucket_sadd(b, key, &name, 1, &n);
        break;
    case 3:
        err = rj_bucket_hset(b, key, &pair, 1, &n);
        break;
    case 4:
        err = rj_bucket_hdel(b, key, &name, 1, &n);
        break;
    case 5:
    case 6:
    case 7:
        err = rj_bucket_hincr(b, key, name, 1 + (int64_t)below(h, 9), &value);
        break;
    case 8:
    case 9:
    case 10:
        err = rj_bucket_incr(b, key, 1 + (int64_t)below(h, 9), &value);
        break;
    case 11:
    case 12:
        err = rj_bucket_expire(b, key, 0);
        break;
    default:
        err = rj_bucket_expire(b, key, deadline);
        break;
    }
    assert_true(err == RJ_OK || err == RJ_ETYPE || err == RJ_ENOENT);
}

static void deliver_something(struct history *h, unsigned r)
{
    struct net *net = h->net;
    unsigned start = below(h, net->n_batches + 1);

    (void)net_cut(net, r, NULL);
    for (unsigned k = 0; k < net->n_batches; k++) {
        unsigned i = (start + k) % net->n_batches;

        if (net_can_deliver(net, r, i)) {
            net_deliver(net, r, i);
            return;
        }
    }
}

static void drop_something(struct history *h, unsigned r)
{
    uint64_t next;

    assert_ok(net_drop(h->net, r, h->net->r[r].now_ms, 1 + below(h, 20), &next));
}

static void transfer(struct history *h, unsigned r)
{
    net_take_all(h->net, (r + 1 + below(h, REPLICAS - 1)) % REPLICAS, r,
                 1 + below(h, 300));
}

static void step(struct history *h)
{
    unsigned r = below(h, REPLICAS), dice = below(h, 100);

    for (unsigned i = 0; below(h, 5) == 0 && i < REPLICAS; i++)
        h->net->r[i].now_ms += below(h, 4000);
    if (dice < 35)
        write_something(h, r);
    else if (dice < 70)
        deliver_something(h, r);
    else if (dice < 75)
        net_catch_up(h->net, r, false);
    else if (dice < 95)
        drop_something(h, r);
    else
        transfer(h, r);
}

static void finish(struct history *h)
{
    struct net *net = h->net;

    net_sync(net);
    for (unsigned r = 0; r < REPLICAS; r++)
        net->r[r].now_ms = END_MS;
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < 2; k++) {
            char text[1000];

            (void)snprintf(text, sizeof(text), "%s", show(net, 0, keys[k]));
            assert_all_show(net, keys[k], text);
        }
        net_assert_sums_equal(net, END_MS);
        state_assert_all_equal(net, END_MS);
        for (unsigned r = 0; r < REPLICAS; r++) {
            uint64_t next;

            assert_ok(net_drop(net, r, END_MS, 1000, &next));
        }
    }
}

static void run(uint64_t seed)
{
    struct history h = {.net = net_open(REPLICAS)};

    rj_prng_init(&h.rng, seed);
    for (unsigned r = 0; r < REPLICAS; r++)
        h.net->r[r].now_ms += below(&h, SKEW_MS);
    for (unsigned i = 0; i < STEPS; i++)
        step(&h);
    finish(&h);
    net_close(h.net);
}

TEST(whoever_drops_what_when_all_end_with_one_state)
{
    run_histories(run, SEEDS_DEFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(whoever_drops_what_when_all_end_with_one_state,
                                  tell_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
