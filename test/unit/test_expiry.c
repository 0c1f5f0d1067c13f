/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines: what is hidden when, what a touch carries, what is dropped. */
#include "support/states.h"

enum { SOON = 1000500, LATER = 1030000, START = 1000000 }; /* now_ms begins at START */

static void pass(struct net *net, uint64_t now_ms)
{
    for (unsigned r = 0; r < net->n; r++)
        net->r[r].now_ms = now_ms;
}

static uint64_t deadline(struct net *net, unsigned r, const char *key)
{
    uint64_t ms = 7;

    assert_ok(rj_bucket_deadline(net_at(net, r), str(key), &ms));
    return ms;
}

static void expire(struct net *net, unsigned r, const char *key, uint64_t ms)
{
    assert_ok(rj_bucket_expire(net_at(net, r), str(key), ms));
}

/* Drops what was due before cutoff, most at a time; returns when the next is due. */
static uint64_t drop(struct net *net, unsigned r, uint64_t cutoff, size_t most)
{
    uint64_t next = 3;

    assert_ok(net_drop(net, r, cutoff, most, &next));
    return next;
}

TEST(a_due_value_is_hidden_at_once_and_back_when_the_clock_goes_back)
{
    struct net *net = net_open(1);
    struct rj_bytes v;

    do_set_until(net, 0, "k", "v", SOON);
    assert_int_equal(deadline(net, 0, "k"), SOON);
    pass(net, SOON - 1);
    assert_string_equal(show(net, 0, "k"), "v");
    pass(net, SOON);
    assert_string_equal(show(net, 0, "k"), "-");
    assert_err(RJ_ENOENT, rj_bucket_get(net_at(net, 0), str("k"), &v));
    assert_err(RJ_ENOENT, rj_bucket_expire(net_at(net, 0), str("k"), LATER));
    assert_int_equal(rj_bucket_count(net_at(net, 0)), 1);
    pass(net, SOON - 1);
    assert_string_equal(show(net, 0, "k"), "v");
    net_close(net);
}

TEST(set_clears_keeps_or_sets_the_deadline)
{
    struct net *net = net_open(1);
    struct rj_set_opts keep = {.ttl = RJ_TTL_KEEP};

    do_set_until(net, 0, "k", "v", SOON);
    assert_ok(rj_bucket_set(net_at(net, 0), str("k"), str("w"), &keep));
    assert_int_equal(deadline(net, 0, "k"), SOON);
    do_set(net, 0, "k", "x");
    assert_int_equal(deadline(net, 0, "k"), 0);
    assert_ok(rj_bucket_set(net_at(net, 0), str("k"), str("w"), &keep));
    assert_int_equal(deadline(net, 0, "k"), 0);
    assert_ok(rj_bucket_set(net_at(net, 0), str("new"), str("w"), &keep));
    assert_int_equal(deadline(net, 0, "new"), 0);
    do_set_until(net, 0, "k", "past", START);
    assert_string_equal(show(net, 0, "k"), "-");
    expire(net, 0, "new", START - 1);
    assert_string_equal(show(net, 0, "new"), "-");
    net_close(net);
}

TEST(writes_into_a_collection_inherit_its_deadline)
{
    struct net *net = net_open(2);

    do_sadd(net, 0, "s", "x");
    do_hset(net, 0, "h", "f", "1");
    do_incr(net, 0, "n", 1);
    expire(net, 0, "s", SOON);
    expire(net, 0, "h", SOON);
    expire(net, 0, "n", SOON);
    net_sync(net);
    do_sadd(net, 1, "s", "y");
    do_hset(net, 1, "h", "g", "2");
    do_hincr(net, 1, "h", "c", 2);
    do_incr(net, 1, "n", 2);
    net_sync(net);
    for (unsigned r = 0; r < 2; r++) {
        assert_int_equal(deadline(net, r, "s"), SOON);
        assert_int_equal(deadline(net, r, "h"), SOON);
        assert_int_equal(deadline(net, r, "n"), SOON);
    }
    pass(net, SOON);
    assert_all_show(net, "s", "-");
    assert_all_show(net, "h", "-");
    assert_all_show(net, "n", "-");
    do_sadd(net, 0, "s", "new"); /* another set: nothing to inherit */
    assert_int_equal(deadline(net, 0, "s"), 0);
    assert_int_equal(do_incr(net, 0, "n", 5), 5);
    assert_int_equal(deadline(net, 0, "n"), 0);
    net_sync(net);
    assert_all_show(net, "s", "{new}");
    assert_all_show(net, "n", "5");
    net_close(net);
}

TEST(of_a_collection_the_greatest_deadline_counts)
{
    struct net *net = net_open(2);

    do_sadd(net, 0, "s", "x");
    net_sync(net);
    expire(net, 0, "s", LATER);
    do_sadd(net, 1, "s", "y"); /* concurrent: without a deadline */
    net_sync(net);
    assert_int_equal(deadline(net, 0, "s"), 0);
    pass(net, LATER);
    assert_all_show(net, "s", "{y}");
    expire(net, 1, "s", LATER + 5);
    net_sync(net);
    assert_int_equal(deadline(net, 0, "s"), LATER + 5);
    net_close(net);
}

TEST(a_touch_beats_an_expiry_elsewhere_for_every_type)
{
    struct net *net = net_open(2);

    do_set_until(net, 0, "k", "v", SOON);
    do_sadd(net, 0, "s", "x");
    do_sadd(net, 0, "s", "y");
    do_hset(net, 0, "h", "f", "1");
    do_hincr(net, 0, "h", "c", 4);
    do_incr(net, 0, "n", 3);
    expire(net, 0, "s", SOON);
    expire(net, 0, "h", SOON);
    expire(net, 0, "n", SOON);
    net_sync(net);
    net->r[1].now_ms = LATER - 1; /* its clock is fast: it drops everything */
    (void)drop(net, 1, LATER - 1, 100);
    assert_int_equal(rj_bucket_count(net->r[1].bucket), 0);
    expire(net, 0, "k", LATER);
    expire(net, 0, "s", LATER);
    expire(net, 0, "h", LATER);
    expire(net, 0, "n", LATER);
    net_sync(net);
    assert_all_show(net, "k", "v");
    assert_all_show(net, "s", "{x y}");
    assert_all_show(net, "h", "{c=4 f=1}");
    assert_all_show(net, "n", "3");
    net_assert_sums_equal(net, 0);
    net_close(net);
}

TEST(concurrent_touches_of_a_counter_count_it_once)
{
    struct net *net = net_open(3);

    do_incr(net, 0, "n", 5);
    do_incr(net, 1, "n", 7);
    net_sync(net);
    expire(net, 0, "n", LATER);
    net->r[1].now_ms += 3;
    expire(net, 1, "n", LATER + 1000);
    do_incr(net, 2, "n", 100);
    net_sync(net);
    assert_all_show(net, "n", "112");
    net_assert_sums_equal(net, 0);
    assert_int_equal(deadline(net, 2, "n"), 0); /* the increment has none */
    expire(net, 2, "n", LATER);
    net_sync(net);
    assert_int_equal(deadline(net, 0, "n"), LATER);
    assert_all_show(net, "n", "112");
    net_close(net);
}

TEST(the_later_of_two_touches_decides_about_a_run)
{
    struct net *net = net_open(2);

    do_incr(net, 0, "n", 5);
    net_sync(net);
    net->r[1].now_ms += 3;
    expire(net, 0, "n", LATER + 9000); /* the earlier one, with the later deadline */
    expire(net, 1, "n", LATER);
    net_sync(net);
    for (unsigned r = 0; r < 2; r++)
        assert_int_equal(deadline(net, r, "n"), LATER);
    expire(net, 0, "n", 0);
    net_sync(net);
    for (unsigned r = 0; r < 2; r++)
        assert_int_equal(deadline(net, r, "n"), 0);
    net_close(net);
}

TEST(a_touch_of_a_counted_register_keeps_its_value)
{
    struct net *net = net_open(2);

    do_set(net, 0, "k", "10");
    do_incr(net, 0, "k", 5);
    do_hset(net, 0, "h", "f", "1");
    do_hincr(net, 0, "h", "f", 1);
    net_sync(net);
    do_incr(net, 1, "k", 7);
    net_sync(net);
    expire(net, 0, "k", LATER);
    expire(net, 1, "h", LATER);
    net_sync(net);
    assert_all_show(net, "k", "22");
    assert_all_show(net, "h", "{f=2}");
    assert_int_equal(do_incr(net, 1, "k", 1), 23);
    net_sync(net);
    assert_int_equal(deadline(net, 0, "k"), LATER); /* increments keep it */
    pass(net, LATER);
    assert_all_show(net, "k", "-");
    net_close(net);
}

TEST(due_values_are_dropped_with_their_records_and_the_rest_stays)
{
    struct net *net = net_open(1);
    struct rj_writes w = {0};
    size_t pos = 0;
    struct rj_write write;

    do_set_until(net, 0, "soon", "v", SOON);
    do_set_until(net, 0, "later", "v", LATER);
    do_set(net, 0, "forever", "v");
    assert_ok(net_kind(net, 0)->ops->collect(net_kind(net, 0), &w));
    assert_int_equal(w.count, 3);
    rj_writes_clear(&w);
    assert_int_equal(drop(net, 0, SOON, 10), 1010000); /* the end of its slot */
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 3);
    assert_int_equal(drop(net, 0, 1010000, 10), 1040000);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 2);
    assert_ok(net_kind(net, 0)->ops->collect(net_kind(net, 0), &w));
    assert_int_equal(w.count, 1);
    assert_true(rj_writes_next(&w, &pos, &write));
    assert_int_equal(write.kind, RJ_WRITE_DELETE);
    assert_int_equal(drop(net, 0, 2000000, 10), UINT64_MAX);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 1);
    assert_string_equal(show(net, 0, "forever"), "v");
    rj_writes_done(&w);
    net_close(net);
}

TEST(dropping_goes_on_where_it_stopped)
{
    struct net *net = net_open(1);
    char name[8];
    unsigned calls = 0;

    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof(name), "e%u", i);
        do_sadd(net, 0, "s", name);
        do_set_until(net, 0, name, "v", SOON + i);
    }
    expire(net, 0, "s", SOON);
    while (drop(net, 0, 2000000, 7) != UINT64_MAX)
        assert_true(++calls < 50);
    assert_int_equal(calls, 5); /* 40 values, 7 a call, all but the last 5 */
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 0);
    net_close(net);
}

TEST(a_deadline_that_moved_is_found_where_it_is_now)
{
    struct net *net = net_open(1);

    do_set_until(net, 0, "k", "v", SOON);
    do_set_until(net, 0, "k", "v", LATER);
    assert_int_equal(drop(net, 0, 1020000, 10), 1040000);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 1);
    do_set_until(net, 0, "k", "v", 1021000); /* back to an earlier slot */
    assert_int_equal(drop(net, 0, 1030000, 10), UINT64_MAX);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 0);
    do_set_until(net, 0, "k", "v", LATER);
    do_set(net, 0, "k", "forever");
    assert_int_equal(drop(net, 0, 2000000, 10), UINT64_MAX);
    assert_string_equal(show(net, 0, "k"), "forever");
    net_close(net);
}

TEST(what_was_taken_away_of_a_counter_is_known_after_its_deadline)
{
    struct net *net = net_open(2);

    do_incr(net, 0, "n", 5);
    expire(net, 0, "n", SOON);
    net_sync(net);
    assert_true(do_del(net, 1, "n"));
    net_sync(net);
    for (unsigned r = 0; r < 2; r++) {
        struct rj_writes w = {0};

        assert_int_equal(drop(net, r, 1010000, 10), 1020000); /* it looks again */
        assert_int_equal(drop(net, r, 1015000, 10), 1020000);
        assert_int_equal(drop(net, r, 1020000, 10), 1030000);
        assert_ok(net_kind(net, r)->ops->collect(net_kind(net, r), &w));
        rj_writes_done(&w);
        assert_non_null(rj_table_from(&net->r[r].bucket->table, 0));
        assert_int_equal(rj_bucket_count(net->r[r].bucket), 0);
    }
    net_close(net);
}

TEST(a_counter_goes_when_all_have_its_last_increment_and_its_setter)
{
    struct net *net = net_open(2);

    do_incr(net, 0, "n", 5);
    expire(net, 0, "n", SOON);
    (void)net_cut(net, 0, NULL);
    pass(net, LATER);
    assert_int_equal(drop(net, 0, 1010000, 10), 1020000);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 1);
    assert_string_equal(show(net, 0, "n"), "-");
    net_sync(net);
    assert_int_equal(drop(net, 0, 1015000, 10), 1020000); /* not yet looked at again */
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 1);
    assert_int_equal(drop(net, 0, 1020000, 10), UINT64_MAX);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 0);
    net_close(net);
}

/* A counter of A that all see. B makes it last while A lets it end soon and, after that,
 * C overwrites it (or not). A drops what is due, and gets B's touch late. */
static struct net *drop_before_a_late_touch(bool overwritten)
{
    struct net *net = net_open(3);

    do_incr(net, 0, "n", 5);
    expire(net, 0, "n", LATER);
    net_sync(net);
    expire(net, 1, "n", 0);
    (void)net_cut(net, 1, NULL);
    net->r[0].now_ms += 3; /* A's touch is the greater one */
    expire(net, 0, "n", SOON);
    if (overwritten)
        do_set(net, 2, "n", "7");
    (void)net_cut(net, 0, NULL);
    (void)net_cut(net, 2, NULL);
    if (overwritten)
        net_deliver(net, 0, net->n_batches - 1);
    pass(net, 2000000);
    (void)drop(net, 0, 1950000, 10);
    (void)drop(net, 0, 1950000, 10);
    return net;
}

static void assert_late_touch_is_one(struct net *net, const char *expected)
{
    net_sync(net);
    for (unsigned r = 0; r < 3; r++)
        (void)drop(net, r, 1950000, 10);
    assert_all_show(net, "n", expected);
    net_assert_sums_equal(net, 2000000);
    state_assert_all_equal(net, 2000000);
    net_close(net);
}

TEST(a_late_touch_brings_back_nothing_that_another_touch_ended)
{
    assert_late_touch_is_one(drop_before_a_late_touch(false), "-");
}

TEST(a_late_touch_brings_back_nothing_that_was_overwritten)
{
    assert_late_touch_is_one(drop_before_a_late_touch(true), "7");
}

TEST(a_late_touch_of_a_part_of_a_counter_loses_nothing_of_the_rest)
{
    struct net *net = net_open(2);

    do_incr(net, 0, "n", 5);
    expire(net, 0, "n", SOON);
    net_sync(net);
    expire(net, 1, "n", 0); /* of the first 5 only */
    (void)net_cut(net, 1, NULL);
    do_incr(net, 0, "n", 3);
    (void)net_cut(net, 0, NULL);
    pass(net, 2000000);
    (void)drop(net, 0, 1950000, 10);
    net_sync(net);
    assert_all_show(net, "n", "8");
    net_assert_sums_equal(net, 2000000);
    net_close(net);
}

TEST(what_is_kept_does_not_hide_a_later_deadline_in_the_same_key)
{
    struct net *net = net_open(1);

    do_hincr(net, 0, "h", "c", 5);
    expire(net, 0, "h", SOON);
    assert_int_equal(do_hdel(net, 0, "h", "c"), 1);
    do_hset(net, 0, "h", "f", "1");
    expire(net, 0, "h", LATER);
    assert_int_equal(drop(net, 0, 1010000, 10), 1020000);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 1);
    (void)drop(net, 0, 1040000, 10);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 0);
    net_close(net);
}

TEST(scan_and_counts_leave_out_what_is_due)
{
    struct net *net = net_open(1);
    const struct rj_bytes *keys;
    struct rj_pair p;
    uint64_t cursor = 0, n;
    size_t found = 0;
    bool is;

    do_set_until(net, 0, "a", "v", SOON);
    do_set(net, 0, "b", "v");
    do_sadd(net, 0, "s", "x");
    expire(net, 0, "s", SOON);
    net->r[0].now_ms = LATER;
    do_sadd(net, 0, "s", "y"); /* x is due, y has no deadline */
    assert_ok(rj_bucket_scan(net_at(net, 0), &cursor, 10, &keys, &found));
    assert_int_equal(found, 2);
    assert_ok(rj_bucket_scard(net_at(net, 0), str("s"), &n));
    assert_int_equal(n, 1);
    assert_ok(rj_bucket_sismember(net_at(net, 0), str("s"), str("x"), &is));
    assert_false(is);
    assert_ok(rj_bucket_next(net_at(net, 0), str("s"), NULL, &p));
    assert_bytes_equal(p.field, str("y"));
    assert_err(RJ_ENOENT, rj_bucket_next(net_at(net, 0), str("s"), &p.field, &p));
    assert_int_equal(do_sadd(net, 0, "s", "x"), 1); /* it counts as added */
    net_close(net);
}

TEST(sums_leave_out_what_is_due_before_the_cutoff_dropped_or_not)
{
    struct net *net = net_open(2);

    do_set_until(net, 0, "k", "v", SOON);
    do_set_until(net, 0, "k2", "v", SOON + 3);
    do_set(net, 0, "f", "v");
    net_sync(net);
    net_assert_sums_equal(net, 0);
    (void)drop(net, 1, 1010000, 10);
    net_assert_sums_equal(net, SOON + 4);
    net_assert_sums_equal(net, UINT64_MAX);
    assert_true(net_sum(net, 0, SOON + 3).lo != net_sum(net, 1, SOON + 3).lo);
    assert_true(net_sum(net, 0, SOON).lo != net_sum(net, 0, SOON + 1).lo);
    net_close(net);
}

TEST(a_clock_that_was_never_set_drops_like_any_other)
{
    struct net *net = net_open(1);

    pass(net, 100);
    do_set_until(net, 0, "k", "v", 5000);
    do_incr(net, 0, "n", 1);
    expire(net, 0, "n", 5000);
    assert_int_equal(drop(net, 0, 1000, 10), 10000);
    assert_int_equal(drop(net, 0, 6000, 10), 10000);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 2);
    (void)drop(net, 0, 10000, 10);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 1);
    (void)net_cut(net, 0, NULL);
    (void)drop(net, 0, 20000, 10);
    assert_int_equal(rj_bucket_count(net->r[0].bucket), 0);
    net_close(net);
}

static enum rj_err drop_without_memory(void *ctx)
{
    struct net *net;
    uint64_t next;
    enum rj_err err;

    rj_test_alloc_restore();
    net = net_open(1);
    do_sadd(net, 0, "s", "x");
    expire(net, 0, "s", SOON);
    do_sadd(net, 0, "s", "y");
    pass(net, 1010000);
    do_sadd(net, 0, "s", "z");
    pass(net, START);
    (void)!rj_bucket_expire(net_at(net, 0), str("s"), LATER);
    rj_test_alloc_fail_after(*(unsigned *)ctx);
    err = net_kind(net, 0)->ops->expire(net_kind(net, 0), 1010000, 10, NULL, &next);
    rj_test_alloc_restore();
    if (err == RJ_OK)
        assert_int_equal(next, 1040000);
    net_close(net);
    return err;
}

TEST(without_memory_dropping_can_be_tried_again)
{
    unsigned k = 0;

    while (drop_without_memory(&k) != RJ_OK)
        assert_true(k++ < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_due_value_is_hidden_at_once_and_back_when_the_clock_goes_back),
        cmocka_unit_test(set_clears_keeps_or_sets_the_deadline),
        cmocka_unit_test(writes_into_a_collection_inherit_its_deadline),
        cmocka_unit_test(of_a_collection_the_greatest_deadline_counts),
        cmocka_unit_test(a_touch_beats_an_expiry_elsewhere_for_every_type),
        cmocka_unit_test(concurrent_touches_of_a_counter_count_it_once),
        cmocka_unit_test(the_later_of_two_touches_decides_about_a_run),
        cmocka_unit_test(a_touch_of_a_counted_register_keeps_its_value),
        cmocka_unit_test(due_values_are_dropped_with_their_records_and_the_rest_stays),
        cmocka_unit_test(dropping_goes_on_where_it_stopped),
        cmocka_unit_test(a_deadline_that_moved_is_found_where_it_is_now),
        cmocka_unit_test(what_was_taken_away_of_a_counter_is_known_after_its_deadline),
        cmocka_unit_test(a_counter_goes_when_all_have_its_last_increment_and_its_setter),
        cmocka_unit_test(a_late_touch_brings_back_nothing_that_another_touch_ended),
        cmocka_unit_test(a_late_touch_brings_back_nothing_that_was_overwritten),
        cmocka_unit_test(a_late_touch_of_a_part_of_a_counter_loses_nothing_of_the_rest),
        cmocka_unit_test(what_is_kept_does_not_hide_a_later_deadline_in_the_same_key),
        cmocka_unit_test(scan_and_counts_leave_out_what_is_due),
        cmocka_unit_test(sums_leave_out_what_is_due_before_the_cutoff_dropped_or_not),
        cmocka_unit_test(a_clock_that_was_never_set_drops_like_any_other),
        cmocka_unit_test(without_memory_dropping_can_be_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
