/* SPDX-License-Identifier: Apache-2.0 */
/* State transfer by range (R5): give at one node, take at another. */
#include "base/cbor.h"
#include "support/replicas.h"

static const struct rj_range everything = {0, UINT64_MAX};

static void fill(struct net *net)
{
    char key[16];

    for (unsigned i = 0; i < 40; i++) {
        unsigned r = i % 2;

        (void)snprintf(key, sizeof(key), "k%u", i);
        do_set(net, r, key, "value");
        if (i % 3 == 0)
            do_set(net, 1 - r, key, "concurrent");
    }
    do_set_until(net, 0, "timed", "t", 2000000);
    do_incr(net, 0, "n", 5);
    do_incr(net, 1, "n", 6);
    do_incr(net, 1, "dead", 6);
    assert_true(do_del(net, 1, "dead"));
    do_set(net, 1, "based", "10");
    do_incr(net, 1, "based", 6);
    do_sadd(net, 0, "s", "x");
    do_sadd(net, 1, "s", "y");
    do_hset(net, 0, "h", "f", "1");
    do_hincr(net, 1, "h", "g", 2);
    (void)net_cut(net, 0, NULL);
    (void)net_cut(net, 1, NULL);
    net_catch_up(net, 0, false);
    net_catch_up(net, 1, true);
}

static void assert_same(struct net *net, unsigned a, unsigned b)
{
    static const char *const keys[] = {"k0",   "k1",    "k3", "timed", "n",
                                       "dead", "based", "s",  "h"};
    struct rj_sum sa = net_sum(net, a, 0), sb = net_sum(net, b, 0);

    assert_int_equal(sa.lo, sb.lo);
    assert_int_equal(sa.hi, sb.hi);
    assert_int_equal(rj_bucket_count(net->r[a].bucket),
                     rj_bucket_count(net->r[b].bucket));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char text[256];

        (void)snprintf(text, sizeof(text), "%s", show(net, a, keys[i]));
        assert_string_equal(show(net, b, keys[i]), text);
    }
}

TEST(an_empty_node_takes_everything_in_parts_of_any_size)
{
    static const size_t budgets[] = {1, 100, 1000, SIZE_MAX};

    for (size_t i = 0; i < 4; i++) {
        struct net *net = net_open(3);

        fill(net);
        net_take_all(net, 0, 2, budgets[i]);
        assert_same(net, 0, 2);
        do_incr(net, 2, "n", 1); /* and goes on as any other */
        do_incr(net, 0, "dead", 1);
        do_srem(net, 2, "s", "x");
        net_sync(net);
        assert_all_show(net, "n", "12");
        assert_all_show(net, "s", "{y}");
        assert_all_show(net, "dead", "1");
        net_assert_sums_equal(net, 0);
        net_close(net);
    }
}

/* How many keys a part for `to` holds. */
static uint32_t count_sent(struct net *net, unsigned from, unsigned to, bool full)
{
    struct rj_writer part = {.self = UINT32_MAX};
    struct rj_vv have = {0};
    struct rj_give g = {
        .range = everything, .have = &have, .full = full, .budget_bytes = SIZE_MAX};
    uint64_t end, count;
    uint32_t sent;

    net_translate(net, to, &net->r[to].vv, from, &have);
    assert_ok(
        net_kind(net, from)->ops->give(net_kind(net, from), &g, &part, &end, &count));
    assert_int_equal(end, UINT64_MAX);
    assert_int_equal(count, rj_bucket_count(net->r[from].bucket));
    sent = part.count;
    rj_buf_done(&part.ops);
    free(part.dict);
    rj_vv_done(&have);
    return sent;
}

TEST(only_what_the_other_lacks_is_sent_and_removal_records)
{
    struct net *net = net_open(3);

    fill(net);
    net_take_all(net, 0, 2, SIZE_MAX);
    assert_int_equal(count_sent(net, 0, 2, false), 1); /* "dead" */
    assert_int_equal(count_sent(net, 0, 2, true), 46);
    do_set(net, 0, "k5", "new");
    do_sadd(net, 0, "s", "z");
    (void)net_cut(net, 0, NULL);
    assert_int_equal(count_sent(net, 0, 2, false), 3);
    do_incr(net, 0, "n", 1);
    assert_ok(rj_bucket_expire(net_at(net, 0), str("n"), 3000000));
    (void)net_cut(net, 0, NULL);
    assert_int_equal(count_sent(net, 0, 2, false), 4);
    net_close(net);
}

TEST(what_the_holder_overwrote_goes_and_what_it_never_saw_stays)
{
    struct net *net = net_open(3);

    fill(net);
    net_sync(net);
    (void)do_del(net, 0, "k1");
    do_set(net, 0, "k2", "newer");
    do_srem(net, 0, "s", "x");
    do_hdel(net, 0, "h", "f");
    (void)do_del(net, 0, "n");
    do_set(net, 2, "k1", "mine"); /* the holder has none of these */
    do_sadd(net, 2, "s", "mine");
    do_incr(net, 2, "n", 50);
    do_incr(net, 2, "based", 7);
    net_take_all(net, 0, 2, 500);
    assert_string_equal(show(net, 2, "k1"), "mine");
    assert_string_equal(show(net, 2, "k2"), "newer");
    assert_string_equal(show(net, 2, "s"), "{mine y}");
    assert_string_equal(show(net, 2, "h"), "{g=2}");
    assert_string_equal(show(net, 2, "n"), "50");
    assert_string_equal(show(net, 2, "based"), "23");
    net_sync(net);
    net_assert_sums_equal(net, 0);
    assert_all_show(net, "n", "50");
    net_close(net);
}

TEST(what_this_side_overwrote_does_not_come_back)
{
    struct net *net = net_open(3);

    fill(net);
    net_sync(net);
    (void)do_del(net, 2, "k1");
    do_srem(net, 2, "s", "x");
    (void)do_del(net, 2, "h");
    (void)do_del(net, 2, "n");
    do_set(net, 2, "based", "1");
    do_incr(net, 0, "n", 30); /* the holder has news, too */
    do_sadd(net, 0, "s", "z");
    net_take_all(net, 0, 2, 300);
    assert_string_equal(show(net, 2, "k1"), "-");
    assert_string_equal(show(net, 2, "s"), "{y z}");
    assert_string_equal(show(net, 2, "h"), "-");
    assert_string_equal(show(net, 2, "n"), "30");
    assert_string_equal(show(net, 2, "based"), "1");
    net_sync(net);
    net_assert_sums_equal(net, 0);
    net_close(net);
}

TEST(a_part_that_is_not_full_says_nothing_of_keys_that_it_lacks)
{
    struct net *net = net_open(2);
    struct rj_give how = {.range = everything, .budget_bytes = SIZE_MAX};

    do_set(net, 0, "a", "1");
    do_set(net, 0, "b", "1");
    net_sync(net);
    (void)do_del(net, 0, "a");
    do_set(net, 0, "b", "2");
    (void)net_cut(net, 0, NULL);
    (void)net_transfer(net, 0, 1, &net->r[1].vv, &how);
    assert_string_equal(show(net, 1, "a"), "1");
    assert_string_equal(show(net, 1, "b"), "2");
    how.full = true;
    (void)net_transfer(net, 0, 1, &net->r[1].vv, &how);
    assert_string_equal(show(net, 1, "a"), "-");
    net_close(net);
}

TEST(a_range_concerns_its_own_keys_only)
{
    struct net *net = net_open(2);
    char key[16];
    uint64_t half = (uint64_t)1 << 63;

    for (unsigned i = 0; i < 30; i++) {
        (void)snprintf(key, sizeof(key), "k%u", i);
        do_set(net, 0, key, "v");
    }
    (void)net_cut(net, 0, NULL);
    (void)net_take_range(net, 0, 1, &net->r[1].vv, (struct rj_range){half, UINT64_MAX},
                         SIZE_MAX);
    for (unsigned i = 0; i < 30; i++) {
        (void)snprintf(key, sizeof(key), "k%u", i);
        assert_string_equal(show(net, 1, key),
                            rj_change_position(net->r[1].bucket, str(key)) >= half ? "v"
                                                                                   : "-");
    }
    net_close(net);
}

/* A run that this side lacks although its vector covers it was dropped when due. */
TEST(a_run_with_an_unseen_touch_comes_back_and_one_without_does_not)
{
    struct net *net = net_open(2);
    uint64_t next;

    do_incr(net, 0, "n", 5);
    do_incr(net, 0, "m", 5);
    assert_ok(rj_bucket_expire(net_at(net, 0), str("n"), 1000500));
    assert_ok(rj_bucket_expire(net_at(net, 0), str("m"), 1000500));
    net_sync(net);
    assert_ok(net_drop(net, 1, 1010000, 10, &next));
    assert_ok(rj_bucket_expire(net_at(net, 0), str("n"), 2000000));
    net_take_all(net, 0, 1, SIZE_MAX);
    assert_string_equal(show(net, 1, "n"), "5");
    assert_string_equal(show(net, 1, "m"), "-");
    assert_string_equal(show(net, 0, "m"), "5"); /* its clock is not there yet */
    net_close(net);
}

TEST(a_removal_record_is_not_dropped_by_its_absence)
{
    struct net *net = net_open(2);
    struct rj_kind *k = net_kind(net, 0);

    do_incr(net, 0, "n", 5);
    assert_true(do_del(net, 0, "n"));
    net_sync(net);
    k->ops->clear(k); /* the holder has forgotten it */
    net_take_all(net, 0, 1, SIZE_MAX);
    assert_non_null(rj_table_from(&net->r[1].bucket->table, 0));
    net_close(net);
}

/* Simulation, 5 nodes whose ranges nobody could complete: such runs stayed, and were then
 * given at a vector that lacked them. */
TEST(where_all_of_theirs_is_taken_nothing_stays_that_they_lack)
{
    struct net *net = net_open(2);
    struct rj_kind *k = net_kind(net, 0);
    struct rj_batch_view nothing = {0};
    const struct rj_given given = {.range = everything, .part = &nothing};
    struct rj_table *table = &net->r[0].bucket->table;
    struct rj_bkey *key;

    do_incr(net, 0, "n", 5);
    assert_true(do_del(net, 0, "n"));
    do_set(net, 0, "m", "1");
    do_incr(net, 0, "m", 5);
    (void)net_cut(net, 0, NULL);
    assert_ok(k->ops->take(k, &given, &net->r[0].vv, NULL, true));
    for (key = rj_table_from(table, 0); key != NULL; key = rj_table_next(table, key))
        assert_null(rj_bkey_first(key)); /* the next collect takes it away */
    net_close(net);
}

/* ---- parts that are no parts */

struct taken {
    struct net *net;
    struct rj_writer part;
    struct rj_vv S;
    uint32_t dict[NET_ORIGINS_MAX];
    struct rj_batch_view view;
};

static void open_part(struct taken *t)
{
    struct rj_vv none = {0};
    struct rj_give g = {
        .range = everything, .have = &none, .full = true, .budget_bytes = SIZE_MAX};
    uint64_t end, count;

    *t = (struct taken){.net = net_open(3), .part = {.self = UINT32_MAX}};
    fill(t->net);
    assert_ok(
        net_kind(t->net, 0)->ops->give(net_kind(t->net, 0), &g, &t->part, &end, &count));
    net_translate(t->net, 0, &t->net->r[0].vv, 2, &t->S);
    for (uint32_t i = 0; i < t->part.dict_n; i++)
        t->dict[i] = net_index(t->net, 2, net_origin(t->net, 0, t->part.dict[i]));
    t->view = (struct rj_batch_view){.count = t->part.count,
                                     .dict = t->dict,
                                     .dict_n = t->part.dict_n,
                                     .ops = rj_buf_view(&t->part.ops)};
}

static void close_part(struct taken *t)
{
    rj_vv_done(&t->S);
    rj_buf_done(&t->part.ops);
    free(t->part.dict);
    net_close(t->net);
}

static enum rj_err take(struct taken *t, struct rj_range range)
{
    struct rj_kind *k = net_kind(t->net, 2);
    const struct rj_given given = {.range = range, .part = &t->view};

    return k->ops->take(k, &given, &t->S, &t->net->r[2].vv, true);
}

TEST(a_malformed_part_changes_nothing)
{
    struct taken t;

    open_part(&t);
    for (size_t len = 0; len < t.part.ops.len; len++) {
        t.view.ops.len = len;
        assert_err(RJ_ECORRUPT, take(&t, everything));
    }
    t.view.ops.len = t.part.ops.len;
    t.view.count--;
    assert_err(RJ_ECORRUPT, take(&t, everything));
    t.view.count += 2;
    assert_err(RJ_ECORRUPT, take(&t, everything));
    t.view.count--;
    assert_err(RJ_ECORRUPT, take(&t, (struct rj_range){0, UINT64_MAX / 2}));
    t.view.dict_n = 1;
    assert_err(RJ_ECORRUPT, take(&t, everything));
    t.view.dict_n = t.part.dict_n;
    assert_null(rj_table_from(&t.net->r[2].bucket->table, 0));
    assert_ok(take(&t, everything));
    assert_same(t.net, 0, 2);
    close_part(&t);
}

TEST(a_part_with_what_its_vector_does_not_cover_changes_nothing)
{
    struct taken t;

    open_part(&t);
    for (uint32_t o = 0; o < t.S.n; o++) {
        uint64_t seq = rj_vv_get(&t.S, o);

        if (seq == 0)
            continue;
        assert_ok(rj_vv_put(&t.S, o, seq - 1));
        assert_err(RJ_ECORRUPT, take(&t, everything));
        assert_null(rj_table_from(&t.net->r[2].bucket->table, 0));
        assert_ok(rj_vv_put(&t.S, o, seq));
    }
    assert_ok(take(&t, everything));
    close_part(&t);
}

TEST(flipped_bits_in_a_part_do_no_harm)
{
    struct taken t;

    open_part(&t);
    for (size_t bit = 0; bit < 8 * t.part.ops.len; bit += 3) {
        enum rj_err err;

        t.part.ops.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        err = take(&t, everything);
        assert_true(err == RJ_OK || err == RJ_ECORRUPT);
        t.part.ops.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    close_part(&t);
}

TEST(without_memory_take_and_give_say_so)
{
    enum rj_err err = RJ_ENOMEM;
    unsigned k;

    for (k = 0; err != RJ_OK; k += 3) {
        struct taken t;

        open_part(&t);
        rj_test_alloc_fail_after(k);
        err = take(&t, everything);
        rj_test_alloc_restore();
        assert_true(err == RJ_OK || err == RJ_ENOMEM);
        assert_true(k < 1000);
        if (err == RJ_OK)
            assert_same(t.net, 0, 2);
        close_part(&t);
    }
    err = RJ_ENOMEM;
    for (k = 0; err != RJ_OK; k++) {
        struct rj_vv none = {0};
        struct rj_give g = {
            .range = everything, .have = &none, .full = true, .budget_bytes = SIZE_MAX};
        struct rj_writer part = {.self = UINT32_MAX};
        struct net *net = net_open(2);
        uint64_t end, count;

        fill(net);
        rj_test_alloc_fail_after(k);
        err = net_kind(net, 0)->ops->give(net_kind(net, 0), &g, &part, &end, &count);
        rj_test_alloc_restore();
        assert_true(err == RJ_OK || err == RJ_ENOMEM);
        assert_true(k < 1000);
        rj_buf_done(&part.ops);
        free(part.dict);
        net_close(net);
    }
}

/* ---- more origins than a part may name */

enum { MANY_ORIGINS = RJ_BATCH_DICT_MAX + 300 };

static void apply_one(struct rj_bucket *b, uint32_t origin, const char *key)
{
    struct rj_bop op = {.code = RJ_BOP_SET, .key = str(key), .value = str("v")};
    struct rj_writer w = {.self = origin, .first = 1};
    struct rj_kind *k = rj_bucket_kind(b);
    struct rj_batch_view view = {.origin = origin, .first = 1, .count = 1, .stamp = 1};
    uint32_t number;

    assert_ok(rj_writer_dict(&w, origin, &number));
    assert_ok(rj_bop_put(&op, &w));
    view.dict = w.dict;
    view.dict_n = w.dict_n;
    view.ops = rj_buf_view(&w.ops);
    assert_ok(k->ops->check(k, &view));
    assert_ok(k->ops->apply(k, &view, NULL));
    rj_bop_done(&op);
    rj_buf_done(&w.ops);
    free(w.dict);
}

TEST(a_part_ends_where_its_dictionary_is_full)
{
    struct rj_origins origins = {0};
    struct rj_writer own = {0};
    struct rj_bucket_config c = {
        .writer = &own, .origins = &origins, .prefix = RJ_BYTES_OF(net_prefix)};
    struct rj_vv none = {0};
    struct rj_give g = {.range = everything, .have = &none, .budget_bytes = SIZE_MAX};
    struct rj_bucket *b = NULL;
    uint64_t end = 0, count, all = 0;
    unsigned parts = 0;
    char key[16];

    assert_ok(rj_bucket_open(&c, &b));
    for (uint32_t i = 0; i < MANY_ORIGINS; i++) {
        struct rj_origin_id id = {{0}};
        uint32_t index;

        rj_be_store32(id.b, i * 2654435761u);
        assert_ok(rj_origins_add(&origins, &id, &index));
        (void)snprintf(key, sizeof(key), "k%u", i);
        apply_one(b, index, key);
    }
    while (end != UINT64_MAX) {
        struct rj_writer part = {.self = UINT32_MAX};

        g.range.from = parts == 0 ? 0 : end + 1;
        assert_ok(
            rj_bucket_kind(b)->ops->give(rj_bucket_kind(b), &g, &part, &end, &count));
        assert_int_equal(count, part.count);
        assert_true(part.dict_n <= RJ_BATCH_DICT_MAX);
        all += count;
        parts++;
        rj_buf_done(&part.ops);
        free(part.dict);
    }
    assert_int_equal(all, MANY_ORIGINS);
    assert_int_equal(parts, 2);
    rj_bucket_kind(b)->ops->close(rj_bucket_kind(b));
    rj_origins_done(&origins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_node_takes_everything_in_parts_of_any_size),
        cmocka_unit_test(only_what_the_other_lacks_is_sent_and_removal_records),
        cmocka_unit_test(what_the_holder_overwrote_goes_and_what_it_never_saw_stays),
        cmocka_unit_test(what_this_side_overwrote_does_not_come_back),
        cmocka_unit_test(a_part_that_is_not_full_says_nothing_of_keys_that_it_lacks),
        cmocka_unit_test(a_range_concerns_its_own_keys_only),
        cmocka_unit_test(a_run_with_an_unseen_touch_comes_back_and_one_without_does_not),
        cmocka_unit_test(a_removal_record_is_not_dropped_by_its_absence),
        cmocka_unit_test(where_all_of_theirs_is_taken_nothing_stays_that_they_lack),
        cmocka_unit_test(a_malformed_part_changes_nothing),
        cmocka_unit_test(a_part_with_what_its_vector_does_not_cover_changes_nothing),
        cmocka_unit_test(flipped_bits_in_a_part_do_no_harm),
        cmocka_unit_test(without_memory_take_and_give_say_so),
        cmocka_unit_test(a_part_ends_where_its_dictionary_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
