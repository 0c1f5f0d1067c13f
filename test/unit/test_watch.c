/* SPDX-License-Identifier: Apache-2.0 */
/* What a watcher of a bucket is told, and what it is not. */
#include "support/states.h"

enum { SOON = 1000500, LATER = 1030000, START = 1000000 }; /* now_ms begins at START */

struct watcher {
    struct rj_bucket_watch watch; /* first */
    char text[1024];
};

static const char *const names[] = {
    [RJ_CHANGE_SET] = "set",     [RJ_CHANGE_INCR] = "incr",
    [RJ_CHANGE_DEL] = "del",     [RJ_CHANGE_SADD] = "sadd",
    [RJ_CHANGE_SREM] = "srem",   [RJ_CHANGE_HSET] = "hset",
    [RJ_CHANGE_HDEL] = "hdel",   [RJ_CHANGE_TIME] = "time",
    [RJ_CHANGE_TAKEN] = "taken", [RJ_CHANGE_EXPIRED] = "expired"};

/* "set k" with '.' for a field, '!' for a deadline, '-' when nothing is shown any more.
 */
static void changed(struct rj_bucket_watch *watch, const struct rj_bucket_change *c)
{
    struct watcher *w = (struct watcher *)(void *)watch;
    size_t len = strlen(w->text);

    (void)snprintf(w->text + len, sizeof(w->text) - len, "%s %.*s%s%s%s; ",
                   names[c->what], (int)c->key.len, (const char *)c->key.ptr,
                   c->field ? "." : "", c->expires ? "!" : "",
                   c->shown == RJ_TYPE_NONE ? "-" : "");
}

/* What is said when everything of replica 0 arrives at 1. */
static void told(struct net *net, struct watcher *w, const char *expected)
{
    w->text[0] = '\0';
    net_sync(net);
    assert_string_equal(w->text, expected);
}

TEST(writes_of_others_are_told_and_own_ones_are_not)
{
    struct net *net = net_open(2);
    struct watcher w = {.watch = {.changed = changed}};

    rj_bucket_watch(net_at(net, 1), &w.watch);
    do_set(net, 0, "k", "v");
    do_set(net, 1, "own", "v");
    do_set_until(net, 0, "t", "v", LATER);
    do_incr(net, 0, "n", 5);
    do_sadd(net, 0, "s", "x");
    do_hset(net, 0, "h", "f", "1");
    do_hincr(net, 0, "h", "g", 2);
    told(net, &w, "set k; set t!; incr n; sadd s; hset h; incr h.; ");
    do_hdel(net, 0, "h", "f");
    do_srem(net, 0, "s", "x");
    assert_true(do_del(net, 0, "k"));
    told(net, &w, "hdel h; srem s-; del k-; ");
    rj_bucket_watch(net_at(net, 1), NULL);
    do_set(net, 0, "k", "v");
    told(net, &w, "");
    net_close(net);
}

TEST(writes_of_one_sort_to_one_key_are_told_once)
{
    struct net *net = net_open(2);
    struct watcher w = {.watch = {.changed = changed}};

    rj_bucket_watch(net_at(net, 1), &w.watch);
    do_sadd(net, 0, "s", "x");
    do_sadd(net, 0, "s", "y");
    do_sadd(net, 0, "r", "y");
    do_sadd(net, 0, "s", "z");
    told(net, &w, "sadd s; sadd r; sadd s; ");
    assert_ok(rj_bucket_expire(net_at(net, 0), str("s"), LATER));
    do_srem(net, 0, "s", "x");
    do_srem(net, 0, "s", "y");
    do_srem(net, 0, "s", "z");
    told(net, &w, "sadd s!; srem s-; ");
    net_close(net);
}

TEST(a_second_delete_is_not_told)
{
    struct net *net = net_open(2);
    struct watcher w = {.watch = {.changed = changed}};

    do_set(net, 0, "k", "v");
    net_sync(net);
    rj_bucket_watch(net_at(net, 1), &w.watch);
    assert_true(do_del(net, 0, "k"));
    assert_true(do_del(net, 1, "k"));
    told(net, &w, "");
    net_close(net);
}

TEST(what_expires_is_told_when_it_is_dropped)
{
    struct net *net = net_open(2);
    struct watcher w = {.watch = {.changed = changed}};
    uint64_t next;

    do_set_until(net, 0, "k", "v", SOON);
    do_set_until(net, 0, "later", "v", LATER);
    net_sync(net);
    rj_bucket_watch(net_at(net, 1), &w.watch);
    net->r[1].now_ms = LATER - 1;
    assert_ok(net_drop(net, 1, LATER - 1, 100, &next));
    assert_string_equal(w.text, "expired k-; ");
    net_close(net);
}

TEST(a_state_that_is_taken_over_is_told_by_key)
{
    struct net *net = net_open(2);
    struct watcher w = {.watch = {.changed = changed}};

    do_set(net, 0, "k", "v");
    do_sadd(net, 0, "s", "x");
    do_sadd(net, 0, "s", "y");
    (void)net_cut(net, 0, NULL);
    rj_bucket_watch(net_at(net, 1), &w.watch);
    net_take_all(net, 0, 1, SIZE_MAX);
    assert_non_null(strstr(w.text, "taken k; "));
    assert_non_null(strstr(w.text, "taken s; "));
    assert_int_equal(strlen(w.text), strlen("taken k; taken s; "));
    w.text[0] = '\0';
    net_take_all(net, 0, 1, SIZE_MAX);
    assert_string_equal(w.text, "");
    net_close(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_of_others_are_told_and_own_ones_are_not),
        cmocka_unit_test(writes_of_one_sort_to_one_key_are_told_once),
        cmocka_unit_test(a_second_delete_is_not_told),
        cmocka_unit_test(what_expires_is_told_when_it_is_dropped),
        cmocka_unit_test(a_state_that_is_taken_over_is_told_by_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
