/* SPDX-License-Identifier: Apache-2.0 */
/* The rules by which concurrent writes merge (doc/format.md, "Bucket"), each with two or
 * three nodes that get the batches in different orders. */
#include "support/replicas.h"

/* ---- registers */

TEST(of_concurrent_sets_the_greatest_stamp_shows)
{
    struct net *net = net_open(3);

    net->r[1].now_ms += 5;
    do_set(net, 0, "k", "early");
    do_set(net, 1, "k", "late");
    net->r[2].now_ms += 3;
    do_set(net, 2, "k", "between");
    settle(net, "k", "late");
    net_close(net);
}

TEST(a_set_overwrites_all_that_it_has_seen_whatever_the_stamps)
{
    struct net *net = net_open(3);

    net->r[1].now_ms += 1000000;
    do_set(net, 0, "k", "a");
    do_set(net, 1, "k", "b");
    settle(net, "k", "b");
    do_set(net, 0, "k", "c"); /* its clock is far behind, its stamp is not */
    settle(net, "k", "c");
    assert_true(do_del(net, 2, "k"));
    settle(net, "k", "-");
    net_close(net);
}

TEST(a_concurrent_set_survives_a_delete)
{
    struct net *net = net_open(3);

    do_set(net, 0, "k", "old");
    settle(net, "k", "old");
    net->r[1].now_ms += 1000000; /* the delete is the later one */
    assert_true(do_del(net, 1, "k"));
    do_set(net, 0, "k", "new");
    settle(net, "k", "new");
    net_close(net);
}

TEST(versions_that_lost_come_back_for_nobody)
{
    struct net *net = net_open(3);

    net->r[1].now_ms += 5;
    do_set(net, 0, "k", "a");
    do_set(net, 1, "k", "b");
    settle(net, "k", "b");
    do_set(net, 2, "k", "c");
    assert_true(do_del(net, 2, "k"));
    settle(net, "k", "-");
    for (unsigned r = 0; r < 3; r++)
        assert_int_equal(rj_bucket_count(net_at(net, r)), 0);
    net_close(net);
}

/* ---- counters */

TEST(increments_of_a_missing_key_all_count)
{
    struct net *net = net_open(3);

    do_incr(net, 0, "n", 1);
    do_incr(net, 1, "n", 10);
    do_incr(net, 2, "n", 100);
    do_incr(net, 0, "n", 1000);
    settle(net, "n", "1111");
    net_close(net);
}

TEST(a_delete_takes_away_exactly_what_it_has_seen_of_a_counter)
{
    struct net *net = net_open(3);

    do_incr(net, 0, "n", 1);
    do_incr(net, 1, "n", 10);
    settle(net, "n", "11");
    do_incr(net, 0, "n", 100); /* two more that the delete does not see */
    do_incr(net, 1, "n", 1000);
    assert_true(do_del(net, 2, "n"));
    settle(net, "n", "1100");
    do_incr(net, 2, "n", 5);
    settle(net, "n", "1105");
    net_close(net);
}

TEST(concurrent_deletes_of_a_counter_take_nothing_away_twice)
{
    struct net *net = net_open(3);

    do_incr(net, 0, "n", 7);
    settle(net, "n", "7");
    do_incr(net, 0, "n", 20);
    net_catch_up(net, 1, false);
    (void)net_cut(net, 0, NULL);
    net_catch_up(net, 1, false);
    assert_true(do_del(net, 1, "n")); /* has seen 27 */
    assert_true(do_del(net, 2, "n")); /* has seen 7 */
    do_incr(net, 0, "n", 1);
    settle(net, "n", "1");
    net_close(net);
}

TEST(an_origin_whose_run_is_dead_lengthens_it)
{
    struct net *net = net_open(2);
    struct rj_run *run;

    for (unsigned i = 0; i < 5; i++) {
        do_incr(net, 0, "n", 3);
        settle(net, "n", "3");
        assert_true(do_del(net, i % 2, "n"));
        settle(net, "n", "-");
    }
    run = rj_run_of(rj_bkey_first(rj_table_from(&net->r[0].bucket->table, 0)));
    assert_null(run->d.next); /* one removal record, however often */
    assert_true(rj_run_is_dead(run));
    assert_int_equal(run->epoch, 1);
    net_close(net);
}

TEST(increments_on_a_register_live_and_die_with_its_version)
{
    struct net *net = net_open(3);

    do_set(net, 0, "k", "100");
    settle(net, "k", "100");
    do_incr(net, 1, "k", 1);
    do_incr(net, 2, "k", 10);
    settle(net, "k", "111");
    do_incr(net, 1, "k", 5); /* concurrent with the set: they die */
    do_set(net, 0, "k", "7");
    settle(net, "k", "7");
    do_incr(net, 1, "k", 5);
    assert_true(do_del(net, 0, "k"));
    settle(net, "k", "-");
    net_close(net);
}

TEST(a_set_and_an_increment_of_nothing_do_not_mix)
{
    struct net *net = net_open(3);

    do_set(net, 0, "k", "5");
    net->r[1].now_ms += 5;
    do_incr(net, 1, "k", 1);
    settle(net, "k", "1");   /* the later one: a counter, not 5 + 1 */
    do_incr(net, 2, "k", 1); /* goes to what is shown, and settles the conflict */
    settle(net, "k", "2");
    assert_true(do_del(net, 0, "k"));
    settle(net, "k", "-");
    net_close(net);
}

TEST(a_counter_beyond_int64_reads_as_its_end_everywhere)
{
    struct net *net = net_open(3);
    int64_t v;

    do_incr(net, 0, "n", INT64_MAX);
    do_incr(net, 1, "n", INT64_MAX);
    settle(net, "n", "9223372036854775807");
    assert_err(RJ_ERANGE, rj_bucket_incr(net_at(net, 2), str("n"), -1, &v));
    do_set(net, 2, "m", "-9223372036854775808");
    settle(net, "m", "-9223372036854775808");
    assert_int_equal(do_incr(net, 0, "m", 1), INT64_MIN + 1);
    do_incr(net, 2, "m", 1);
    settle(net, "m", "-9223372036854775806");
    net_close(net);
}

TEST(an_increment_that_meets_no_run_makes_the_whole_of_it)
{
    struct net *net = net_open(2);
    struct rj_kind *k = net_kind(net, 1);

    do_incr(net, 0, "n", 4);
    do_incr(net, 0, "n", 3);
    assert_true(do_del(net, 0, "n"));
    do_incr(net, 0, "n", 20);
    settle(net, "n", "20");
    k->ops->clear(k); /* as if it had been dropped there */
    do_incr(net, 0, "n", 1);
    net_sync(net);
    assert_all_show(net, "n", "21"); /* what was reset is not counted */
    net_assert_sums_equal(net, 0);
    net_close(net);
}

/* ---- sets */

TEST(an_add_survives_a_concurrent_remove)
{
    struct net *net = net_open(3);

    do_sadd(net, 0, "s", "x");
    do_sadd(net, 0, "s", "y");
    settle(net, "s", "{x y}");
    do_sadd(net, 1, "s", "x");
    assert_int_equal(do_srem(net, 0, "s", "x"), 1);
    assert_int_equal(do_srem(net, 2, "s", "y"), 1);
    settle(net, "s", "{x}");
    assert_int_equal(do_srem(net, 0, "s", "x"), 1);
    settle(net, "s", "-");
    net_close(net);
}

TEST(a_remove_takes_away_every_add_that_it_has_seen)
{
    struct net *net = net_open(3);

    for (unsigned r = 0; r < 3; r++)
        do_sadd(net, r, "s", "x");
    settle(net, "s", "{x}");
    do_srem(net, 1, "s", "x");
    settle(net, "s", "-");
    net_close(net);
}

TEST(a_delete_of_a_set_leaves_what_was_added_meanwhile)
{
    struct net *net = net_open(3);

    do_sadd(net, 0, "s", "x");
    do_sadd(net, 1, "s", "y");
    settle(net, "s", "{x y}");
    do_sadd(net, 1, "s", "z");
    assert_true(do_del(net, 0, "s"));
    settle(net, "s", "{z}");
    net_close(net);
}

/* ---- hashes */

TEST(fields_merge_one_by_one)
{
    struct net *net = net_open(3);

    do_hset(net, 0, "h", "a", "1");
    do_hset(net, 1, "h", "b", "2");
    do_hincr(net, 2, "h", "c", 3);
    settle(net, "h", "{a=1 b=2 c=3}");
    net->r[2].now_ms += 5;
    do_hset(net, 0, "h", "a", "x");
    do_hset(net, 2, "h", "a", "y");
    do_hincr(net, 0, "h", "c", 4);
    do_hincr(net, 1, "h", "c", 5);
    do_hdel(net, 2, "h", "b");
    settle(net, "h", "{a=y c=12}");
    net_close(net);
}

TEST(a_field_deleted_with_its_counter_keeps_concurrent_increments)
{
    struct net *net = net_open(3);

    do_hincr(net, 0, "h", "f", 4);
    settle(net, "h", "{f=4}");
    do_hincr(net, 0, "h", "f", 30);
    do_hdel(net, 1, "h", "f");
    settle(net, "h", "{f=30}");
    do_hincr(net, 0, "h", "f", 5);
    assert_true(do_del(net, 2, "h"));
    settle(net, "h", "{f=5}");
    do_hset(net, 1, "h", "f", "7"); /* a set of the field resets its counter too */
    do_hincr(net, 0, "h", "f", 2);
    net_sync(net);
    net_assert_sums_equal(net, 0);
    for (unsigned r = 1; r < 3; r++)
        assert_string_equal(show(net, 0, "h"), show(net, r, "h"));
    net_close(net);
}

/* ---- types */

TEST(the_type_of_the_latest_write_shows_and_the_next_write_settles_it)
{
    struct net *net = net_open(3);

    net->r[1].now_ms += 5;
    net->r[2].now_ms += 3;
    do_set(net, 0, "k", "string");
    do_sadd(net, 1, "k", "elem");
    do_hset(net, 2, "k", "f", "v");
    settle(net, "k", "{elem}");
    do_sadd(net, 0, "k", "more");
    settle(net, "k", "{elem more}");
    do_srem(net, 0, "k", "elem");
    do_srem(net, 0, "k", "more");
    settle(net, "k", "-"); /* neither string nor hash comes back */
    net_close(net);
}

TEST(a_removal_settles_the_type_too)
{
    struct net *net = net_open(3);

    net->r[1].now_ms += 5;
    do_set(net, 0, "k", "string");
    do_sadd(net, 1, "k", "elem");
    settle(net, "k", "{elem}");
    assert_int_equal(do_srem(net, 2, "k", "elem"), 1);
    settle(net, "k", "-");
    net_close(net);
}

TEST(a_write_of_another_type_that_was_not_seen_stays)
{
    struct net *net = net_open(3);

    do_hset(net, 0, "k", "f", "v");
    settle(net, "k", "{f=v}");
    net->r[1].now_ms += 5;
    do_set(net, 1, "k", "string");
    do_hset(net, 0, "k", "g", "w");
    settle(net, "k", "string");
    assert_true(do_del(net, 1, "k"));
    do_hset(net, 2, "x", "unrelated", "1");
    settle(net, "k", "-");
    net_close(net);
}

/* ---- delivery */

TEST(a_batch_applied_twice_does_no_harm)
{
    struct net *net = net_open(2);
    uint32_t dict[NET_ORIGINS_MAX];
    struct rj_batch_view view;

    do_set(net, 0, "k", "v");
    do_incr(net, 0, "n", 5);
    do_sadd(net, 0, "s", "x");
    do_hset(net, 0, "h", "f",
            "a value that is too long for the home of some other value");
    net_sync(net);
    view = net_view(net, 1, &net->batches[0], dict);
    assert_ok(net_kind(net, 1)->ops->check(net_kind(net, 1), &view));
    assert_ok(net_kind(net, 1)->ops->apply(net_kind(net, 1), &view, NULL));
    net_assert_sums_equal(net, 0);
    assert_all_show(net, "k", "v");
    assert_all_show(net, "n", "5");
    assert_all_show(net, "s", "{x}");
    net_close(net);
}

TEST(check_refuses_a_batch_that_is_no_batch_and_changes_nothing)
{
    struct net *net = net_open(2);
    struct rj_kind *k = net_kind(net, 1);
    uint32_t dict[NET_ORIGINS_MAX];
    struct rj_batch_view view;

    do_set(net, 0, "k", "v");
    do_set(net, 0, "k", "w");
    (void)net_cut(net, 0, NULL);
    view = net_view(net, 1, &net->batches[0], dict);
    view.count = 3;
    assert_err(RJ_ECORRUPT, k->ops->check(k, &view));
    view.count = 1;
    assert_err(RJ_ECORRUPT, k->ops->check(k, &view));
    view.count = 2;
    view.dict_n = 0;
    assert_err(RJ_ECORRUPT, k->ops->check(k, &view));
    view.dict_n = 1;
    assert_ok(k->ops->check(k, &view));
    assert_int_equal(rj_bucket_count(net->r[1].bucket), 0);
    net_close(net);
}

TEST(many_concurrent_versions_are_all_overwritten)
{
    struct net *net = net_open(4);
    char text[600];

    for (unsigned round = 0; round < 4; round++) {
        for (unsigned r = 0; r < 4; r++) {
            memset(text, 'a' + (int)r, sizeof(text));
            text[round * 150 + 5] = '\0'; /* in the home, and out of it */
            do_set(net, r, "k", text);
            do_hset(net, r, "h", "f", text);
            do_sadd(net, r, "s", "x");
        }
        net_sync(net);
        net_assert_sums_equal(net, 0);
        for (unsigned r = 1; r < 4; r++)
            assert_string_equal(show(net, 0, "k"), show(net, r, "k"));
    }
    do_set(net, 2, "k", "one");
    do_hset(net, 3, "h", "f", "two");
    do_srem(net, 1, "s", "x");
    settle(net, "k", "one");
    assert_all_show(net, "h", "{f=two}");
    assert_all_show(net, "s", "-");
    net_close(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_concurrent_sets_the_greatest_stamp_shows),
        cmocka_unit_test(a_set_overwrites_all_that_it_has_seen_whatever_the_stamps),
        cmocka_unit_test(a_concurrent_set_survives_a_delete),
        cmocka_unit_test(versions_that_lost_come_back_for_nobody),
        cmocka_unit_test(increments_of_a_missing_key_all_count),
        cmocka_unit_test(a_delete_takes_away_exactly_what_it_has_seen_of_a_counter),
        cmocka_unit_test(concurrent_deletes_of_a_counter_take_nothing_away_twice),
        cmocka_unit_test(an_origin_whose_run_is_dead_lengthens_it),
        cmocka_unit_test(increments_on_a_register_live_and_die_with_its_version),
        cmocka_unit_test(a_set_and_an_increment_of_nothing_do_not_mix),
        cmocka_unit_test(a_counter_beyond_int64_reads_as_its_end_everywhere),
        cmocka_unit_test(an_increment_that_meets_no_run_makes_the_whole_of_it),
        cmocka_unit_test(an_add_survives_a_concurrent_remove),
        cmocka_unit_test(a_remove_takes_away_every_add_that_it_has_seen),
        cmocka_unit_test(a_delete_of_a_set_leaves_what_was_added_meanwhile),
        cmocka_unit_test(fields_merge_one_by_one),
        cmocka_unit_test(a_field_deleted_with_its_counter_keeps_concurrent_increments),
        cmocka_unit_test(
            the_type_of_the_latest_write_shows_and_the_next_write_settles_it),
        cmocka_unit_test(a_removal_settles_the_type_too),
        cmocka_unit_test(a_write_of_another_type_that_was_not_seen_stays),
        cmocka_unit_test(a_batch_applied_twice_does_no_harm),
        cmocka_unit_test(check_refuses_a_batch_that_is_no_batch_and_changes_nothing),
        cmocka_unit_test(many_concurrent_versions_are_all_overwritten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
