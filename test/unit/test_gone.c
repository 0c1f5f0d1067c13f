/* SPDX-License-Identifier: Apache-2.0 */
/* Policy delete-wins: a deletion wins over every write that had not seen it. */
#include "support/replicas.h"

enum { LOOK_MS = 10000 };

static struct net *begin(unsigned n)
{
    return net_open_policy(n, true);
}

static unsigned gones(struct net *net, unsigned r, const char *key)
{
    struct rj_bucket *b = net->r[r].bucket;
    const struct rj_bkey *k =
        rj_table_find(&b->table, rj_change_position(b, str(key)), str(key));
    unsigned n = 0;

    for (const struct rj_dotted *d = k != NULL ? rj_bkey_first(k) : NULL; d != NULL;
         d = d->next)
        n += d->sort == RJ_DOTTED_GONE;
    return n;
}

/* All look, twice, at what may be forgotten, and tell each other. */
static void forget(struct net *net)
{
    uint64_t next;

    net_sync(net);
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned r = 0; r < net->n; r++) {
            net->r[r].now_ms += LOOK_MS;
            (void)net_at(net, r);
            assert_ok(net_drop(net, r, net->r[r].now_ms, SIZE_MAX, &next));
        }
        net_sync(net);
    }
}

/* Replica r, told by nobody, takes what it has as had by all: a member was restored. */
static void forget_too_soon(struct net *net, unsigned r)
{
    uint64_t next;

    net->r[r].now_ms += LOOK_MS;
    (void)net_at(net, r);
    assert_ok(net_kind(net, r)->ops->expire(net_kind(net, r), net->r[r].now_ms, SIZE_MAX,
                                            &net->r[r].vv, &next));
    (void)net_cut(net, r, NULL);
}

/* Replica r is closed and opened again. */
static void restart(struct net *net, unsigned r)
{
    struct rj_store *store = NULL;
    struct rj_writes w = {0};
    struct rj_view *view = NULL;

    assert_ok(rj_store_memory_open(&store));
    assert_ok(net_kind(net, r)->ops->collect(net_kind(net, r), &w));
    assert_ok(store->ops->write(store, &w, true));
    rj_writes_done(&w);
    net_close_replica(net, r);
    net->r[r].bucket = net_open_bucket(net, r);
    assert_ok(store->ops->view_open(store, &view));
    assert_ok(net_kind(net, r)->ops->load(net_kind(net, r), store->ops, view));
    store->ops->view_close(view);
    store->ops->close(store);
}

TEST(a_deletion_beats_writes_of_every_kind_that_had_not_seen_it)
{
    struct net *net = begin(3);

    do_set(net, 0, "k", "old");
    do_sadd(net, 0, "s", "x");
    do_hset(net, 0, "h", "f", "1");
    do_incr(net, 0, "n", 5);
    do_set(net, 0, "b", "5");
    net_sync(net);
    (void)do_del(net, 1, "k");
    (void)do_del(net, 1, "s");
    (void)do_del(net, 1, "h");
    (void)do_del(net, 1, "n");
    (void)do_del(net, 1, "b");
    do_set(net, 0, "k", "late");
    do_sadd(net, 0, "s", "y");
    do_srem(net, 2, "s", "x");
    do_hset(net, 0, "h", "g", "2");
    do_hincr(net, 2, "h", "f", 2);
    do_hdel(net, 2, "h", "g");
    do_incr(net, 0, "n", 100);
    do_incr(net, 2, "n", 1000);
    do_incr(net, 2, "b", 1);
    assert_ok(rj_bucket_expire(net_at(net, 2), str("n"), 3000000));
    assert_ok(rj_bucket_expire(net_at(net, 2), str("k"), 3000000));
    settle(net, "k", "-");
    settle(net, "s", "-");
    settle(net, "h", "-");
    settle(net, "n", "-");
    settle(net, "b", "-");
    assert_int_equal(rj_bucket_count(net->r[2].bucket), 0);
    forget(net);
    for (unsigned r = 0; r < 3; r++)
        assert_int_equal(gones(net, r, "k") + gones(net, r, "n"), 0);
    settle(net, "n", "-");
    net_close(net);
}

TEST(what_has_seen_the_deletion_lives)
{
    struct net *net = begin(2);

    do_incr(net, 0, "n", 5);
    do_hincr(net, 1, "h", "f", 7);
    net_sync(net);
    (void)do_del(net, 0, "n");
    do_incr(net, 0, "n", 1);
    do_incr(net, 0, "n", 1);
    (void)do_del(net, 1, "h");
    do_hincr(net, 1, "h", "f", 2);
    do_hset(net, 1, "h", "g", "1");
    (void)do_del(net, 0, "s");
    do_sadd(net, 0, "s", "x");
    settle(net, "n", "2");
    settle(net, "h", "{f=2 g=1}");
    settle(net, "s", "{x}");
    do_incr(net, 1, "n", 10);
    forget(net);
    settle(net, "n", "12");
    do_incr(net, 0, "n", 100);
    settle(net, "n", "112");
    net_close(net);
}

/* All the writes of one call list it, not the first alone. */
TEST(a_call_of_many_writes_lives_as_a_whole)
{
    struct rj_bytes elems[] = {RJ_BYTES_LIT("x"), RJ_BYTES_LIT("y"), RJ_BYTES_LIT("z")};
    struct net *net = begin(2);
    uint64_t n;

    (void)do_del(net, 0, "s");
    assert_ok(rj_bucket_sadd(net_at(net, 0), str("s"), elems, 3, &n));
    settle(net, "s", "{x y z}");
    assert_ok(rj_bucket_expire(net_at(net, 1), str("s"), 3000000));
    settle(net, "s", "{x y z}");
    net_close(net);
}

TEST(a_key_that_is_not_here_can_be_deleted)
{
    struct net *net = begin(2);

    do_set(net, 0, "k", "v");
    assert_false(do_del(net, 1, "k"));
    settle(net, "k", "-");
    net_close(net);
}

TEST(deletions_beside_each_other_are_all_remembered)
{
    struct net *net = begin(3);

    do_set(net, 0, "k", "old");
    net_sync(net);
    (void)do_del(net, 0, "k");
    (void)net_cut(net, 0, NULL);
    net_catch_up(net, 2, false);
    do_set(net, 2, "k", "saw one");
    (void)do_del(net, 1, "k");
    settle(net, "k", "-");
    assert_int_equal(gones(net, 0, "k"), 2);
    do_set(net, 2, "k", "saw both");
    settle(net, "k", "saw both");
    (void)do_del(net, 1, "k");
    assert_int_equal(gones(net, 1, "k"), 1); /* it stands for those before it */
    forget(net);
    assert_int_equal(gones(net, 1, "k"), 0);
    net_close(net);
}

TEST(expiry_is_no_deletion)
{
    struct net *net = begin(2);

    do_set_until(net, 0, "k", "v", 1005000);
    net_sync(net);
    for (unsigned r = 0; r < 2; r++)
        net->r[r].now_ms = 1006000;
    assert_string_equal(show(net, 0, "k"), "-");
    do_set(net, 1, "k", "again");
    assert_int_equal(gones(net, 0, "k"), 0);
    settle(net, "k", "again");
    assert_ok(rj_bucket_expire(net_at(net, 0), str("k"), 1)); /* a command that deletes */
    assert_int_equal(gones(net, 0, "k"), 1);
    net_close(net);
}

TEST(it_is_remembered_while_a_member_has_not_heard_of_it)
{
    struct net *net = begin(3);
    uint64_t next;

    do_set(net, 0, "k", "v");
    net_sync(net);
    (void)do_del(net, 0, "k");
    (void)net_cut(net, 0, NULL);
    net_catch_up(net, 1, false);
    for (unsigned i = 0; i < 3; i++) {
        net->r[1].now_ms += LOOK_MS;
        (void)net_at(net, 1);
        assert_ok(net_drop(net, 1, net->r[1].now_ms, SIZE_MAX, &next));
        assert_int_not_equal(next, UINT64_MAX); /* it looks again */
    }
    assert_int_equal(gones(net, 1, "k"), 1);
    do_set(net, 2, "k", "late");
    forget(net);
    settle(net, "k", "-");
    assert_int_equal(gones(net, 1, "k"), 0);
    net_close(net);
}

/* One has forgotten and writes, another one remembers and had not heard of that. */
TEST(a_write_after_the_forgetting_counts_everywhere)
{
    struct net *net = begin(3);
    uint64_t next;

    (void)do_del(net, 0, "k");
    net_sync(net);
    net->r[0].now_ms += LOOK_MS;
    (void)net_at(net, 0);
    assert_ok(net_drop(net, 0, net->r[0].now_ms, SIZE_MAX, &next));
    assert_int_equal(gones(net, 0, "k"), 0);
    do_set(net, 0, "k", "new");
    assert_int_equal(gones(net, 1, "k"), 1);
    settle(net, "k", "new");
    net_close(net);
}

TEST(a_gone_is_stored_and_sent_with_the_state)
{
    struct net *net = begin(3);
    struct rj_sum before, after;

    do_set(net, 0, "k", "v");
    do_sadd(net, 0, "s", "x");
    net_sync(net);
    do_set(net, 2, "k", "late");
    do_sadd(net, 2, "s", "late");
    (void)net_cut(net, 2, NULL);
    (void)do_del(net, 0, "k");
    (void)do_del(net, 0, "s");
    do_sadd(net, 0, "s", "y");
    before = net_sum(net, 0, 0);
    restart(net, 0);
    after = net_sum(net, 0, 0);
    assert_int_equal(before.lo, after.lo);
    assert_int_equal(gones(net, 0, "k"), 1);
    net_take_all(net, 0, 2, SIZE_MAX); /* what is here had not seen it */
    assert_string_equal(show(net, 2, "k"), "-");
    assert_string_equal(show(net, 2, "s"), "{y}");
    net_take_all(net, 2, 1, SIZE_MAX);
    do_set(net, 1, "k", "new");
    forget(net);
    settle(net, "k", "new");
    settle(net, "s", "{y}");
    net_close(net);
}

TEST(a_part_brings_nothing_that_had_not_seen_a_deletion_here)
{
    struct net *net = begin(2);

    do_set(net, 0, "k", "v");
    do_hset(net, 0, "h", "f", "1");
    (void)net_cut(net, 0, NULL);
    (void)do_del(net, 1, "k");
    (void)do_del(net, 1, "h");
    (void)net_cut(net, 1, NULL);
    net_take_all(net, 0, 1, SIZE_MAX);
    assert_string_equal(show(net, 1, "k"), "-");
    assert_string_equal(show(net, 1, "h"), "-");
    settle(net, "k", "-");
    settle(net, "h", "-");
    net_close(net);
}

TEST(a_deletion_that_was_not_sent_is_issued_again)
{
    struct net *net = begin(2);
    struct net_pending old;

    do_set(net, 1, "k", "v");
    net_sync(net);
    do_set(net, 0, "k", "w");
    (void)do_del(net, 0, "k");
    do_set(net, 0, "k", "x");
    do_incr(net, 0, "n", 5);
    (void)do_del(net, 0, "n");
    do_incr(net, 0, "n", 2);
    do_set(net, 1, "k", "late");
    old = net_reopen(net, 0);
    net_reissue(net, 0, &old);
    assert_string_equal(show(net, 0, "k"), "x");
    assert_int_equal(gones(net, 0, "k"), 1);
    settle(net, "k", "x");
    settle(net, "n", "2");
    forget(net);
    settle(net, "k", "x");
    net_close(net);
}

/* It could not be sealed, for instance while the state was taken over. */
TEST(a_write_that_was_overtaken_by_a_deletion_is_sealed_as_nothing)
{
    struct net *net = begin(3);
    unsigned del;

    (void)do_del(net, 0, "k");
    assert_true(net_cut(net, 0, &del));
    do_set(net, 1, "k", "late");
    do_set(net, 1, "other", "v");
    {
        uint32_t dict[NET_ORIGINS_MAX];
        struct rj_batch_view view = net_view(net, 1, &net->batches[del], dict);

        assert_ok(net_kind(net, 1)->ops->apply(net_kind(net, 1), &view, NULL));
        assert_ok(rj_vv_put(&net->r[1].vv, view.origin, 1));
    }
    assert_string_equal(show(net, 1, "k"), "-");
    assert_ok(net_kind(net, 1)->ops->again(net_kind(net, 1)));
    net->delete_wins = false; /* nobody there stops it by himself */
    net_close_replica(net, 2);
    net->r[2].bucket = net_open_bucket(net, 2);
    net_sync(net);
    assert_string_equal(show(net, 2, "k"), "-");
    assert_all_show(net, "other", "v");
    net_close(net);
}

TEST(without_the_policy_nothing_is_forgotten_nor_remembered)
{
    static const uint8_t forget_op[] = {0x84, 0x0a, 0x41, 'k',  0x80, 0x83,
                                        0x82, 0,    1,    0x80, 0x80};
    struct net *net = net_open(2);
    uint32_t dict[NET_ORIGINS_MAX];
    struct net_batch batch = {
        .author = 1, .first = 2, .count = 1, .stamp = 1, .dict_n = 1, .len = 11};
    struct rj_batch_view view;
    uint32_t author = 1;
    uint8_t ops[sizeof(forget_op)];

    memcpy(ops, forget_op, sizeof(ops));
    batch.dict = &author;
    batch.ops = ops;
    view = net_view(net, 0, &batch, dict);
    assert_err(RJ_ECORRUPT, net_kind(net, 0)->ops->check(net_kind(net, 0), &view));
    do_set(net, 0, "k", "v");
    net_sync(net);
    (void)do_del(net, 0, "k");
    assert_int_equal(gones(net, 0, "k"), 0);
    do_set(net, 1, "k", "late");
    settle(net, "k", "late");
    net_close(net);
}

/* All of the replicas begin with values of every kind; 2 writes to them unseen, 0 deletes
 * them and has forgotten it when the others hear. */
static struct net *begin_too_soon(void)
{
    struct net *net = begin(3);

    do_set(net, 0, "k", "old");
    do_sadd(net, 0, "s", "x");
    do_hincr(net, 1, "h", "f", 1);
    do_incr(net, 1, "n", 5);
    net_sync(net);
    do_set(net, 2, "k", "late");
    do_sadd(net, 2, "s", "y");
    do_hincr(net, 2, "h", "f", 10);
    do_hset(net, 2, "h", "g", "late");
    do_incr(net, 2, "n", 50);
    do_set(net, 2, "new", "late");
    (void)do_del(net, 0, "k");
    (void)do_del(net, 0, "s");
    (void)do_del(net, 0, "h");
    (void)do_del(net, 0, "n");
    (void)do_del(net, 0, "new");
    (void)net_cut(net, 0, NULL);
    return net;
}

static void assert_all_gone(struct net *net)
{
    forget(net);
    settle(net, "k", "-");
    settle(net, "h", "-");
    settle(net, "n", "-");
    settle(net, "new", "-");
    for (unsigned r = 0; r < net->n; r++)
        assert_int_equal(gones(net, r, "k") + gones(net, r, "s"), 0);
}

/* It lives where the deletion was forgotten, until its author hears of both. */
TEST(what_comes_when_its_deletion_is_forgotten_goes_again)
{
    struct net *net = begin_too_soon();

    net_catch_up(net, 1, false);
    forget_too_soon(net, 0);
    net_catch_up(net, 1, false);
    assert_int_equal(gones(net, 1, "k"), 0);
    net_sync(net);
    assert_string_equal(show(net, 0, "k"), "late");
    assert_string_equal(show(net, 1, "n"), "50");
    assert_string_equal(show(net, 2, "k"), "-");
    do_sadd(net, 0, "s", "z"); /* after both */
    do_set(net, 1, "k", "after");
    restart(net, 2); /* what it owes it still knows */
    forget(net);
    settle(net, "k", "after");
    settle(net, "s", "{z}");
    (void)do_del(net, 1, "k");
    assert_all_gone(net);
    net_close(net);
}

/* ... or until anybody else says so who had it before the deletion was forgotten. */
TEST(who_remembers_the_deletion_speaks_for_the_author)
{
    struct net *net = begin_too_soon();

    (void)net_cut(net, 2, NULL);
    net_catch_up(net, 1, true);
    assert_string_equal(show(net, 1, "k"), "-");
    forget_too_soon(net, 0);
    net_catch_up(net, 1, false);
    net_catch_up(net, 0, false);
    assert_string_equal(show(net, 0, "k"), "late");
    for (unsigned i = 0; i < 2; i++) {
        net_catch_up(net, 1, false);
        forget_too_soon(net, 1);
    }
    net_catch_up(net, 0, false);
    assert_string_equal(show(net, 0, "k"), "-");
    assert_string_equal(show(net, 0, "s"), "-");
    assert_string_equal(show(net, 0, "n"), "-");
    assert_string_equal(show(net, 0, "h"), "-");
    assert_all_gone(net);
    net_close(net);
}

/* The deletion comes to the author with the state, and is forgotten later. */
TEST(what_a_part_has_ended_is_told_when_its_deletion_is_forgotten)
{
    struct net *net = begin_too_soon();

    net_take_all(net, 0, 2, SIZE_MAX);
    assert_string_equal(show(net, 2, "k"), "-");
    forget_too_soon(net, 0);
    net_sync(net);
    assert_string_equal(show(net, 0, "k"), "late");
    assert_all_gone(net);
    net_close(net);
}

/* Nothing came late, so nothing is said twice. */
TEST(one_forgetting_is_enough_where_all_have_seen)
{
    struct net *net = begin(3);
    unsigned before;

    do_set(net, 0, "k", "v");
    do_sadd(net, 1, "k", "x");
    do_incr(net, 2, "k", 1);
    net_sync(net);
    (void)do_del(net, 1, "k");
    net_sync(net);
    before = net->n_batches;
    forget(net); /* all are incarnations of one device here: each writes one */
    assert_int_equal(net->n_batches, before + 3);
    forget(net);
    assert_int_equal(net->n_batches, before + 3);
    net_close(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deletion_beats_writes_of_every_kind_that_had_not_seen_it),
        cmocka_unit_test(what_has_seen_the_deletion_lives),
        cmocka_unit_test(a_call_of_many_writes_lives_as_a_whole),
        cmocka_unit_test(a_key_that_is_not_here_can_be_deleted),
        cmocka_unit_test(deletions_beside_each_other_are_all_remembered),
        cmocka_unit_test(expiry_is_no_deletion),
        cmocka_unit_test(it_is_remembered_while_a_member_has_not_heard_of_it),
        cmocka_unit_test(a_write_after_the_forgetting_counts_everywhere),
        cmocka_unit_test(a_gone_is_stored_and_sent_with_the_state),
        cmocka_unit_test(a_part_brings_nothing_that_had_not_seen_a_deletion_here),
        cmocka_unit_test(a_deletion_that_was_not_sent_is_issued_again),
        cmocka_unit_test(a_write_that_was_overtaken_by_a_deletion_is_sealed_as_nothing),
        cmocka_unit_test(what_comes_when_its_deletion_is_forgotten_goes_again),
        cmocka_unit_test(who_remembers_the_deletion_speaks_for_the_author),
        cmocka_unit_test(what_a_part_has_ended_is_told_when_its_deletion_is_forgotten),
        cmocka_unit_test(one_forgetting_is_enough_where_all_have_seen),
        cmocka_unit_test(without_the_policy_nothing_is_forgotten_nor_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
