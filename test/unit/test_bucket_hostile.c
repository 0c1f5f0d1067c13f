/* SPDX-License-Identifier: Apache-2.0 */
/* Members that lie. Random writes that are well-formed and otherwise anything (sums that
 * no run had, runs that never were, writes that were not there yet) reach three honest
 * replicas in different causal orders, between honest writes, transfers and restarts: all
 * must end with one state, to the last field, that can be stored, loaded and taken.
 *
 * SEED=n runs one history, SEEDS=n that many. */
#include "base/prng.h"
#include "support/histories.h"
#include "support/states.h"

enum {
    REPLICAS = 3,
    LIARS = 2,
    STEPS = 110,
    SEEDS_DEFAULT = 1500,
    TRIES = 200,
    SOON = 1000400,
    LATER = 1009000
};

static const char *const keys[] = {"a", "b"};
static const char *const names[] = {"f", "g"};

struct history {
    struct net *net;
    struct rj_prng rng;
    struct rj_store *store[REPLICAS];
    uint32_t liar[LIARS]; /* numbers of their origins in the net */
    uint64_t last[LIARS]; /* their last sequences */
    struct rj_bop op;
};

static unsigned below(struct history *h, unsigned n)
{
    return (unsigned)rj_prng_below(&h->rng, n);
}

static bool chance(struct history *h, unsigned percent)
{
    return below(h, 100) < percent;
}

/* ---- lies */

static uint32_t some_origin(struct history *h, unsigned r)
{
    return net_index(h->net, r, below(h, h->net->n_origins));
}

/* A sequence that replica r has, mostly. */
static uint64_t some_seq(struct history *h, unsigned r, uint32_t origin)
{
    uint64_t seq = 1 + rj_prng_below(&h->rng, rj_vv_get(&h->net->r[r].vv, origin) + 1);

    return chance(h, 90) && seq > 1 ? seq - 1 : seq + (chance(h, 5) ? 2 : 0);
}

static int64_t some_sum(struct history *h)
{
    static const int64_t ends[] = {INT64_MAX, INT64_MIN, INT64_MAX - 1};

    return chance(h, 10) ? ends[below(h, 3)] : (int64_t)below(h, 7) - 3;
}

static uint64_t some_deadline(struct history *h)
{
    static const uint64_t deadlines[] = {0, 0, SOON, LATER, LATER + 1};

    return deadlines[below(h, 5)];
}

static void some_seen(struct history *h, unsigned r, struct rj_seen *seen)
{
    for (unsigned n = below(h, 3); n > 0; n--) {
        uint32_t o = some_origin(h, r);

        assert_ok(rj_seen_add(seen, (struct rj_dot){some_seq(h, r, o), o}));
    }
}

static unsigned some_resets(struct history *h, unsigned r, struct rj_resets *resets)
{
    unsigned n = below(h, 3);

    for (unsigned i = 0; i < n; i++) {
        struct rj_reset reset = {.origin = some_origin(h, r)};

        reset.seq = some_seq(h, r, reset.origin);
        reset.epoch = 1 + rj_prng_below(&h->rng, reset.seq);
        reset.cum = some_sum(h);
        reset.deadline = some_deadline(h);
        assert_ok(rj_resets_add(resets, &reset));
    }
    return n;
}

static void some_whole(struct history *h, unsigned r, struct rj_whole *whole)
{
    some_seen(h, r, &whole->seen);
    (void)some_resets(h, r, &whole->place);
    for (unsigned i = 0; i < 2; i++) {
        size_t before = whole->fields.n;
        unsigned n = some_resets(h, r, &whole->fields);

        if (n == 0)
            continue;
        assert_ok(rj_whole_field(whole, str(names[i])));
        whole->names[whole->n_names - 1].from = before;
        whole->names[whole->n_names - 1].n = n;
    }
}

static void some_runs(struct history *h, unsigned r, struct rj_carried *carried)
{
    for (unsigned n = 1 + below(h, 2); n > 0; n--) {
        struct rj_run run = {.d.origin = some_origin(h, r)};

        run.d.seq = some_seq(h, r, run.d.origin);
        run.epoch = 1 + rj_prng_below(&h->rng, run.d.seq);
        run.cum = some_sum(h);
        if (chance(h, 50)) {
            run.floor_seq = run.epoch + rj_prng_below(&h->rng, run.d.seq - run.epoch + 1);
            run.floor_cum = run.floor_seq == run.d.seq ? run.cum : some_sum(h);
        }
        assert_ok(rj_carried_add(carried, &run));
    }
}

static void some_incr(struct history *h, unsigned r, uint64_t seq, struct rj_bop *op)
{
    uint32_t o = some_origin(h, r);

    op->epoch = seq;
    op->delta = some_sum(h);
    if (chance(h, 70) && seq > 1) {
        op->prev = 1 + rj_prng_below(&h->rng, seq - 1);
        op->epoch = 1 + rj_prng_below(&h->rng, op->prev);
        op->before = some_sum(h);
        if (chance(h, 40)) {
            op->floor_seq = op->epoch + rj_prng_below(&h->rng, op->prev - op->epoch + 1);
            op->floor_cum = op->floor_seq == op->prev ? op->before : some_sum(h);
        }
        op->touch = chance(h, 30);
    }
    if (chance(h, 30)) {
        op->base = (struct rj_dot){some_seq(h, r, o), o};
        op->deadline = 0;
        (void)some_resets(h, r, &op->resets);
    } else {
        some_seen(h, r, &op->seen);
    }
}

static void some_op(struct history *h, unsigned r, uint64_t seq, struct rj_bop *op)
{
    rj_bop_clear(op);
    op->code = (enum rj_bop_code)(RJ_BOP_SET + below(h, 8));
    op->key = str(keys[below(h, 2)]);
    op->name = str(names[below(h, 2)]);
    op->has_name = op->code != RJ_BOP_SET && op->code != RJ_BOP_DEL;
    op->value = str(chance(h, 50) ? "7" : "seven");
    op->deadline = some_deadline(h);
    if (chance(h, 50))
        some_whole(h, r, &op->whole);
    if (op->code == RJ_BOP_INCR) {
        op->has_name = chance(h, 50);
        some_incr(h, r, seq, op);
        return;
    }
    if (op->code == RJ_BOP_CARRY) {
        op->has_name = chance(h, 50);
        some_runs(h, r, &op->carried);
    }
    some_seen(h, r, &op->seen);
    (void)some_resets(h, r, &op->resets);
}

/* A batch of one write by a liar that has what replica r has; NULL ops: it is no write.
 */
static bool make_lie(struct history *h, unsigned who, unsigned r, struct net_batch *ret)
{
    struct net *net = h->net;
    struct rj_writer w = {.self = net_index(net, r, h->liar[who]),
                          .first = h->last[who] + 1};
    struct rj_batch_view view = {.origin = w.self, .first = w.first, .count = 1};
    uint32_t number;
    enum rj_err err;

    assert_ok(rj_writer_dict(&w, w.self, &number));
    some_op(h, r, w.first, &h->op);
    assert_ok(rj_bop_put(&h->op, &w));
    view.dict = w.dict;
    view.dict_n = w.dict_n;
    view.ops = rj_buf_view(&w.ops);
    view.stamp = ((uint64_t)1000000 + below(h, 3)) << 16;
    err = net_kind(net, r)->ops->check(net_kind(net, r), &view);
    assert_true(err == RJ_OK || err == RJ_ECORRUPT);
    *ret = (struct net_batch){.author = h->liar[who],
                              .first = w.first,
                              .stamp = view.stamp,
                              .count = 1,
                              .dict = w.dict,
                              .dict_n = w.dict_n,
                              .ops = w.ops.ptr,
                              .len = w.ops.len};
    for (uint32_t i = 0; i < w.dict_n; i++)
        w.dict[i] = net_origin(net, r, w.dict[i]);
    if (err == RJ_OK)
        return true;
    free(w.dict);
    rj_buf_done(&w.ops);
    return false;
}

static void lie(struct history *h, unsigned r)
{
    struct net *net = h->net;
    unsigned who = below(h, LIARS), tries = 0;
    struct net_batch batch;

    while (!make_lie(h, who, r, &batch))
        assert_true(++tries < TRIES);
    for (uint32_t o = 0; o < net->n_origins; o++)
        batch.deps[o] =
            chance(h, 50) ? rj_vv_get(&net->r[r].vv, net_index(net, r, o)) : 0;
    batch.deps[h->liar[who]] = 0;
    h->last[who]++;
    net->batches[net->n_batches++] = batch;
}

/* ---- honest work */

static void write_something(struct history *h, unsigned r)
{
    struct rj_bucket *b = net_at(h->net, r);
    struct rj_bytes key = str(keys[below(h, 2)]), name = str(names[below(h, 2)]);
    struct rj_pair pair = {name, str("1")};
    enum rj_err err = RJ_OK;
    int64_t value;
    uint64_t n;
    bool is;

    switch (below(h, 9)) {
    case 0:
        err = rj_bucket_set(b, key, str("5"), NULL);
        break;
    case 1:
        err = rj_bucket_del(b, key, &is);
        break;
    case 2:
    case 3:
        err = rj_bucket_incr(b, key, (int64_t)below(h, 9) - 4, &value);
        break;
    case 4:
    case 5:
        err = rj_bucket_hincr(b, key, name, (int64_t)below(h, 9) - 4, &value);
        break;
    case 6:
        err = rj_bucket_hset(b, key, &pair, 1, &n);
        break;
    case 7:
        err = rj_bucket_hdel(b, key, &name, 1, &n);
        break;
    default:
        err = rj_bucket_expire(b, key, chance(h, 50) ? 0 : LATER);
        break;
    }
    assert_true(err == RJ_OK || err == RJ_ETYPE || err == RJ_ERANGE || err == RJ_ENOENT);
}

/* Delivers batch i if it can be applied now. */
static bool try_deliver(struct net *net, unsigned r, unsigned i)
{
    uint32_t dict[NET_ORIGINS_MAX];
    struct rj_batch_view view;
    enum rj_err err;

    (void)net_cut(net, r, NULL);
    if (!net_can_deliver(net, r, i))
        return false;
    view = net_view(net, r, &net->batches[i], dict);
    view.have = &net->r[r].vv;
    err = net_kind(net, r)->ops->check(net_kind(net, r), &view);
    if (err == RJ_EGAP)
        return false;
    net_deliver(net, r, i);
    return true;
}

static void deliver_something(struct history *h, unsigned r)
{
    struct net *net = h->net;
    unsigned start = below(h, net->n_batches + 1);

    for (unsigned k = 0; k < net->n_batches; k++) {
        if (try_deliver(net, r, (start + k) % net->n_batches))
            return;
    }
}

static void deliver_all(struct net *net, unsigned r, bool backwards)
{
    bool progress = true;

    while (progress) {
        progress = false;
        for (unsigned k = 0; k < net->n_batches; k++)
            progress |= try_deliver(net, r, backwards ? net->n_batches - 1 - k : k);
    }
}

static void transfer(struct history *h, unsigned r)
{
    unsigned from = (r + 1 + below(h, REPLICAS - 1)) % REPLICAS;

    net_take_all(h->net, from, r, 1 + below(h, 300));
}

static void restart(struct history *h, unsigned r)
{
    struct net *net = h->net;
    struct state_text *before = malloc(sizeof(*before)), *after = malloc(sizeof(*after));

    assert_true(before != NULL && after != NULL);
    state_describe(net, r, 0, before);
    net_restart(net, r, h->store[r]);
    state_describe(net, r, 0, after);
    state_assert_equal(before, after);
    free(before);
    free(after);
}

/* ---- histories */

static void step(struct history *h)
{
    unsigned r = below(h, REPLICAS), dice = below(h, 100);

    h->net->r[r].now_ms += chance(h, 10) ? below(h, 100) : 0;
    if (dice < 30)
        write_something(h, r);
    else if (dice < 50)
        lie(h, r);
    else if (dice < 88)
        deliver_something(h, r);
    else if (dice < 94)
        transfer(h, r);
    else
        restart(h, r);
}

static void finish(struct history *h)
{
    struct net *net = h->net;

    for (unsigned r = 0; r < REPLICAS; r++)
        (void)net_cut(net, r, NULL);
    for (unsigned r = 0; r < REPLICAS; r++)
        deliver_all(net, r, r % 2 == 1);
    for (unsigned r = 0; r < REPLICAS; r++) {
        for (uint32_t o = 0; o < net->n_origins; o++)
            assert_int_equal(rj_vv_get(&net->r[r].vv, net_index(net, r, o)),
                             rj_vv_get(&net->r[0].vv, net_index(net, 0, o)));
    }
    net_assert_sums_equal(net, 0);
    state_assert_all_equal(net, 0);
    for (unsigned r = 0; r < REPLICAS; r++)
        restart(h, r);
    for (unsigned r = 0; r < REPLICAS; r++) {
        net->r[r].now_ms = SOON + 1;
        write_something(h, r); /* whatever it is, everybody takes it */
        (void)net_cut(net, r, NULL);
    }
    for (unsigned r = 0; r < REPLICAS; r++)
        deliver_all(net, r, r % 2 == 0);
    state_assert_all_equal(net, 0);
}

static void open_history(struct history *h, uint64_t seed)
{
    rj_prng_init(&h->rng, seed);
    h->net = net_open(REPLICAS);
    for (unsigned i = 0; i < LIARS; i++)
        h->liar[i] = net_new_origin(h->net);
    for (unsigned r = 0; r < REPLICAS; r++) {
        net_learn(h->net, r);
        assert_ok(rj_store_memory_open(&h->store[r]));
    }
}

static void close_history(struct history *h)
{
    for (unsigned r = 0; r < REPLICAS; r++)
        h->store[r]->ops->close(h->store[r]);
    net_close(h->net);
    rj_bop_done(&h->op);
    free(h);
}

static void run(uint64_t seed)
{
    struct history *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    open_history(h, seed);
    for (unsigned i = 0; i < STEPS; i++)
        step(h);
    finish(h);
    close_history(h);
}

/* A DEL by liar `who` that says of the run (replica 0, 1) that it had the sum cum. */
static void tell_sum(struct history *h, unsigned who, int64_t cum)
{
    struct net *net = h->net;
    uint32_t victim = net_index(net, 0, net->r[0].self), number;
    struct rj_writer w = {.self = net_index(net, 0, h->liar[who]), .first = 1};
    struct rj_reset reset = {.origin = victim, .epoch = 1, .seq = 2, .cum = cum};
    struct net_batch *batch = &net->batches[net->n_batches++];

    assert_ok(rj_writer_dict(&w, w.self, &number));
    rj_bop_clear(&h->op);
    h->op.code = RJ_BOP_DEL;
    h->op.key = str("a");
    assert_ok(rj_resets_add(&h->op.whole.place, &reset));
    assert_ok(rj_bop_put(&h->op, &w));
    *batch = (struct net_batch){.author = h->liar[who],
                                .first = 1,
                                .stamp = 70000,
                                .count = 1,
                                .dict = w.dict,
                                .dict_n = w.dict_n,
                                .ops = w.ops.ptr,
                                .len = w.ops.len};
    for (uint32_t i = 0; i < w.dict_n; i++)
        w.dict[i] = net_origin(net, 0, w.dict[i]);
}

/* Two members tell two sums of one run, and its owner goes on; each replica hears of it
 * in another order, one of them after the longer run. */
TEST(a_sum_that_no_run_had_poisons_nothing)
{
    static const unsigned orders[REPLICAS][3] = {{2, 0, 1}, {0, 1, 2}, {1, 2, 0}};
    struct history *h = calloc(1, sizeof(*h));

    assert_non_null(h);
    open_history(h, 1);
    for (unsigned i = 0; i < 2; i++)
        assert_ok(rj_bucket_incr(net_at(h->net, 0), str("a"), 5, &(int64_t){0}));
    net_sync(h->net);
    tell_sum(h, 0, 99);
    tell_sum(h, 1, -3);
    assert_ok(rj_bucket_incr(net_at(h->net, 0), str("a"), 1, &(int64_t){0}));
    (void)net_cut(h->net, 0, NULL);
    for (unsigned r = 0; r < REPLICAS; r++) {
        for (unsigned i = 0; i < 3; i++) {
            if (r != 0 || orders[r][i] != 2)
                assert_true(try_deliver(h->net, r, h->net->n_batches - 3 + orders[r][i]));
            restart(h, r);
        }
    }
    state_assert_all_equal(h->net, 0);
    net_assert_sums_equal(h->net, 0);
    for (unsigned r = 1; r < REPLICAS; r++)
        net_take_all(h->net, 0, r, SIZE_MAX);
    assert_all_show(h->net, "a", "-88"); /* 11 less 99: a lie counts, alike everywhere */
    close_history(h);
}

TEST(whoever_lies_all_others_end_with_one_state)
{
    run_histories(run, SEEDS_DEFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_that_no_run_had_poisons_nothing),
        cmocka_unit_test_teardown(whoever_lies_all_others_end_with_one_state, tell_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
