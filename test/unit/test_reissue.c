/* SPDX-License-Identifier: Apache-2.0 */
/* Writes that were never sent, issued again by a new incarnation (R1, R6). */
#include "support/replicas.h"

/* r crashes: what it has not cut is issued again. */
static void reopen(struct net *net, unsigned r)
{
    struct net_pending old = net_reopen(net, r);

    net_reissue(net, r, &old);
}

/* r forgets its state and takes that of `from`; what it has not cut is still to be issued
 * again. */
static struct net_pending rebase(struct net *net, unsigned r, unsigned from)
{
    struct net_pending old;

    net_catch_up(net, from, false);
    old = net_reopen(net, r);
    net_kind(net, r)->ops->clear(net_kind(net, r));
    rj_vv_clear(&net->r[r].vv);
    net_take_all(net, from, r, SIZE_MAX);
    return old;
}

TEST(every_kind_of_write_takes_effect_once)
{
    struct net *net = net_open(3);

    do_set(net, 0, "k", "old");
    do_sadd(net, 0, "s", "gone");
    do_hset(net, 0, "h", "gone", "1");
    do_incr(net, 0, "n", 1);
    do_incr(net, 1, "n", 10);
    net_sync(net);
    do_set(net, 0, "k", "new");
    do_sadd(net, 0, "s", "x");
    do_srem(net, 0, "s", "gone");
    do_hset(net, 0, "h", "f", "5");
    do_hincr(net, 0, "h", "f", 2);
    do_hincr(net, 0, "h", "c", 3);
    do_hdel(net, 0, "h", "gone");
    do_incr(net, 0, "n", 100);
    do_incr(net, 0, "n", 1000);
    do_set(net, 0, "b", "5");
    do_incr(net, 0, "b", 1);
    do_incr(net, 0, "gone", 9);
    assert_true(do_del(net, 0, "gone"));
    assert_ok(rj_bucket_expire(net_at(net, 0), str("s"), 2000000));
    assert_ok(rj_bucket_expire(net_at(net, 0), str("n"), 2000000));
    for (unsigned i = 0; i < 3; i++) {
        reopen(net, 0); /* again and again */
        assert_string_equal(show(net, 0, "n"), "1111");
        assert_string_equal(show(net, 0, "h"), "{c=3 f=7}");
    }
    settle(net, "k", "new");
    settle(net, "s", "{x}");
    settle(net, "h", "{c=3 f=7}");
    settle(net, "n", "1111");
    settle(net, "b", "6");
    settle(net, "gone", "-");
    do_incr(net, 0, "n", 1);
    do_incr(net, 2, "n", 1);
    settle(net, "n", "1113");
    net_close(net);
}

TEST(a_run_that_was_partly_sent_is_cut_back_and_continued_by_another)
{
    struct net *net = net_open(2);
    struct rj_run *run;

    do_incr(net, 0, "n", 5);
    net_sync(net);
    do_incr(net, 0, "n", 20);
    do_incr(net, 0, "n", 300);
    reopen(net, 0);
    settle(net, "n", "325");
    for (unsigned r = 0; r < 2; r++) {
        run = rj_counter_find(rj_bkey_first(rj_table_from(&net->r[r].bucket->table, 0)),
                              (struct rj_dot){0}, net_index(net, r, 0), 1);
        assert_non_null(run);
        assert_int_equal(run->cum, 5);
        assert_int_equal(run->d.seq, 1);
    }
    assert_true(do_del(net, 1, "n"));
    do_incr(net, 0, "n", 7);
    settle(net, "n", "7");
    net_close(net);
}

TEST(a_reset_takes_away_what_was_sent_and_what_is_issued_again)
{
    struct net *net = net_open(2);

    do_incr(net, 0, "n", 5);
    net_sync(net);
    do_incr(net, 0, "n", 20);
    assert_true(do_del(net, 0, "n"));
    do_incr(net, 0, "n", 100);
    do_incr(net, 1, "n", 3000); /* concurrent */
    reopen(net, 0);
    assert_string_equal(show(net, 0, "n"), "100");
    settle(net, "n", "3100");
    net_close(net);
}

TEST(a_touched_deadline_goes_back_for_those_who_did_not_see_the_touch)
{
    struct net *net = net_open(2);
    struct rj_run *run;

    do_incr(net, 0, "n", 5);
    assert_ok(rj_bucket_expire(net_at(net, 0), str("n"), 2000000));
    net_sync(net);
    net->r[1].now_ms += 1;
    do_incr(net, 1, "n", 70);
    assert_ok(rj_bucket_expire(net_at(net, 1), str("n"), 3000000));
    (void)net_cut(net, 1, NULL);
    net_catch_up(net, 0, false);
    do_incr(net, 1, "n", 600);
    net->r[0].now_ms += 2;
    assert_ok(rj_bucket_expire(net_at(net, 0), str("n"), 2000000));
    (void)net_cut(net, 0, NULL);
    net_catch_up(net, 0, false);
    (void)net_cut(net, 1, NULL);
    net_catch_up(net, 0, false); /* node 1's run lives longer than node 0's */
    run = rj_counter_own(rj_bkey_first(rj_table_from(&net->r[0].bucket->table, 0)),
                         (struct rj_dot){0}, net->r[0].writer.self, 0, 1);
    assert_int_equal(run->d.deadline, 2000000);
    do_set(net, 1, "k", "unrelated");
    do_incr(net, 0, "n", 1);
    reopen(net, 0);
    net_sync(net);
    net_assert_sums_equal(net, 0);
    for (unsigned r = 0; r < 2; r++) {
        run = rj_counter_find(
            rj_bkey_first(
                rj_table_next(&net->r[r].bucket->table,
                              rj_table_from(&net->r[r].bucket->table, 0)) == NULL
                    ? rj_table_from(&net->r[r].bucket->table, 0)
                    : rj_table_find(&net->r[r].bucket->table,
                                    rj_change_position(net->r[r].bucket, str("n")),
                                    str("n"))),
            (struct rj_dot){0}, net_index(net, r, 0), 1);
        assert_int_equal(run->cum, 5);
        assert_int_equal(run->d.deadline, 2000000);
    }
    net_close(net);
}

TEST(removals_mean_what_they_had_seen_and_not_what_was_written_since)
{
    struct net *net = net_open(2);
    struct net_pending old;

    do_sadd(net, 0, "s", "x");
    do_hincr(net, 0, "h", "f", 5);
    net_sync(net);
    do_sadd(net, 0, "s", "y");
    assert_true(do_del(net, 0, "s")); /* x and y */
    do_hincr(net, 0, "h", "f", 20);
    assert_true(do_del(net, 0, "h"));
    old = rebase(net, 0, 1);
    assert_string_equal(show(net, 0, "s"), "{x}");
    do_sadd(net, 0, "s", "z"); /* by the new incarnation, before */
    do_hincr(net, 0, "h", "f", 300);
    net_reissue(net, 0, &old);
    settle(net, "s", "{z}");
    settle(net, "h", "{f=300}");
    net_close(net);
}

TEST(what_was_issued_again_can_be_issued_again)
{
    struct net *net = net_open(2);
    struct net_pending old;

    do_sadd(net, 0, "s", "x");
    assert_true(do_del(net, 0, "s"));
    do_set(net, 0, "k", "1");
    do_incr(net, 0, "k", 1);
    old = rebase(net, 0, 1);
    do_sadd(net, 0, "s", "z");
    net_reissue(net, 0, &old);
    reopen(net, 0); /* z, and what was issued again, are not sent yet */
    reopen(net, 0);
    settle(net, "s", "{z}");
    settle(net, "k", "2");
    net_close(net);
}

TEST(a_carry_of_runs_that_nobody_has_is_a_write_that_does_nothing)
{
    struct net *net = net_open(2);
    struct net_pending old;

    do_incr(net, 0, "n", 1);
    assert_ok(rj_bucket_expire(net_at(net, 0), str("n"), 2000000));
    do_set(net, 0, "n", "x"); /* in between */
    assert_true(do_del(net, 0, "n"));
    old = rebase(net, 0, 1);
    old.view.ops.ptr += 0;
    net_reissue(net, 0, &old);
    assert_int_equal(net->r[0].writer.count, 4);
    settle(net, "n", "-");
    net_close(net);
}

TEST(a_batch_that_does_not_fit_the_pending_one_waits)
{
    struct net *net = net_open(1);
    struct net_pending old;
    struct rj_kind *k;

    do_set(net, 0, "k", "v");
    old = net_reopen(net, 0);
    k = net_kind(net, 0);
    (void)net_at(net, 0);
    net->r[0].writer.count = RJ_BATCH_WRITES_MAX;
    assert_err(RJ_EBUSY, k->ops->reissue(k, &old.view, 1, 1));
    net->r[0].writer.count = 0;
    net->r[0].writer.refuse = RJ_EFULL;
    assert_err(RJ_EFULL, k->ops->reissue(k, &old.view, 1, 1));
    net->r[0].writer.refuse = RJ_OK;
    old.view.ops.len--;
    assert_err(RJ_ECORRUPT, k->ops->reissue(k, &old.view, 1, 1));
    old.view.ops.len++;
    assert_int_equal(net->r[0].writer.count, 0);
    net_reissue(net, 0, &old);
    assert_string_equal(show(net, 0, "k"), "v");
    net_close(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_write_takes_effect_once),
        cmocka_unit_test(a_run_that_was_partly_sent_is_cut_back_and_continued_by_another),
        cmocka_unit_test(a_reset_takes_away_what_was_sent_and_what_is_issued_again),
        cmocka_unit_test(
            a_touched_deadline_goes_back_for_those_who_did_not_see_the_touch),
        cmocka_unit_test(removals_mean_what_they_had_seen_and_not_what_was_written_since),
        cmocka_unit_test(what_was_issued_again_can_be_issued_again),
        cmocka_unit_test(a_carry_of_runs_that_nobody_has_is_a_write_that_does_nothing),
        cmocka_unit_test(a_batch_that_does_not_fit_the_pending_one_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
