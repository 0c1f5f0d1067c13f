/* SPDX-License-Identifier: Apache-2.0 */
#include "posix/conn.h"
#include "support/net.h"

#include <signal.h>
#include <string.h>

static struct end *start(const char *const *argv, bool tls)
{
    struct end *end = &net.ends[net.ends_count++];
    struct rj_conn_options o = {
        .ops = &net_ops, .ctx = end, .tls = tls ? net.tls[0] : NULL};

    end->info.is_client = true;
    assert_ok(rj_conn_child(net.loop, argv, "child", &o, &end->conn));
    return end;
}

static void stop_when_closed(struct net *n, struct end *end)
{
    (void)end;
    rj_loop_stop(n->loop, 5000);
}

static void say_hello(struct net *n, struct end *end)
{
    (void)n;
    rj_conn_write(end->conn, RJ_BYTES_LIT("hello"));
}

static void close_after_hello(struct net *n, struct end *end)
{
    (void)n;
    if (end->heard.len == 5)
        rj_conn_close(end->conn);
}

TEST(bytes_go_to_its_input_and_come_from_its_output)
{
    static const char *const argv[] = {"cat", NULL};
    struct end *end;

    net.on_open = say_hello;
    net.on_data = close_after_hello;
    net.on_close = stop_when_closed;
    end = start(argv, false);
    rj_loop_run(net.loop);
    assert_int_equal(end->closes, 1);
    assert_ok(end->err);
    assert_bytes_equal(rj_buf_view(&end->heard), RJ_BYTES_LIT("hello"));
    assert_string_equal(end->addr, "child");
}

TEST(what_it_last_said_tells_why_it_failed)
{
    static const char *const argv[] = {
        "sh", "-c", "echo first >&2; printf 'no\\007 route\\n\\n' >&2; exit 3", NULL};
    struct end *end;

    net.on_close = stop_when_closed;
    end = start(argv, true);
    rj_loop_run(net.loop);
    assert_int_equal(end->opens, 0);
    assert_err(RJ_EUNREACH, end->err);
    assert_string_equal(end->why, "child: no  route");
}

TEST(much_that_it_says_is_cut_to_the_end)
{
    static const char *const argv[] = {
        "sh", "-c",
        "for i in 1 2 3 4 5 6 7 8 9; do printf '%0999d\\n' $i >&2; done; "
        "echo last >&2",
        NULL};
    struct end *end;

    net.on_close = stop_when_closed;
    end = start(argv, true);
    rj_loop_run(net.loop);
    assert_string_equal(end->why, "child: last");
}

TEST(a_command_that_is_not_there_says_so)
{
    static const char *const argv[] = {"/nowhere/ssh", NULL};
    static const char *const none[] = {NULL};
    struct rj_conn_options o = {.ops = &net_ops};
    struct rj_conn *conn = NULL;
    struct end *end;

    assert_err(RJ_EINVAL, rj_conn_child(net.loop, none, "x", &o, &conn));
    net.on_close = stop_when_closed;
    end = start(argv, true);
    rj_loop_run(net.loop);
    assert_err(RJ_EUNREACH, end->err);
    assert_non_null(strstr(end->why, "/nowhere/ssh"));
}

/* Its number comes as text; then it is closed, or the loop stopped. */
static long child;

static void note_child(struct net *n, struct end *end)
{
    if (child != 0 || end->heard.len == 0 || end->heard.ptr[end->heard.len - 1] != '\n')
        return;
    child = strtol(rj_buf_str(&end->heard), NULL, 10);
    assert_true(child > 1);
    if (n->number == 0)
        rj_conn_close(end->conn);
    else
        rj_loop_stop(n->loop, (uint32_t)n->number - 1);
}

static void check_that_it_goes(const char *script, uint64_t how)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct end *end;

    child = 0;
    net.number = how;
    net.on_data = note_child;
    net.on_close = stop_when_closed;
    end = start(argv, false);
    rj_loop_run(net.loop);
    assert_int_equal(end->closes, 1);
    assert_true(child > 1);
    assert_int_equal(kill((pid_t)child, 0), -1); /* ended, and waited for */
}

TEST(one_that_does_not_mind_its_input_is_ended)
{
    check_that_it_goes("echo $$; exec sleep 1000", 0);
}

TEST(one_that_does_not_mind_signals_is_killed)
{
    check_that_it_goes("trap '' TERM; echo $$; while :; do sleep 0.1; done", 0);
}

TEST(a_loop_that_stops_takes_it_along)
{
    check_that_it_goes("trap '' TERM; echo $$; while :; do sleep 0.1; done", 1);
}

/* ---- a name with several addresses, of which the first leads to somebody else */

static struct rj_listener *other;

static void only_the_second(struct net *n, struct end *end)
{
    if (!end->info.is_client)
        return;
    if (memcmp(end->pubkey, rj_crypto_env(n->crypto[1])->pubkey, RJ_PUBKEY_LEN) != 0) {
        end->opens = 0;
        n->number = 100 + rj_conn_next(end->conn);
        if (n->number == 100)
            rj_conn_close(end->conn);
    } else {
        rj_conn_close(end->conn);
    }
}

static void stop_when_the_client_closes(struct net *n, struct end *end)
{
    if (end->info.is_client)
        rj_loop_stop(n->loop, 1000);
}

/* Listens on both addresses of localhost, with the right key behind only one. */
static bool two_addresses(int right_on_v6)
{
    struct rj_conn_options o = {.ops = &net_ops, .tls = net.tls[right_on_v6 ? 1 : 0]};

    if (rj_listener_tcp(net.loop, "::1", 0, &o, &net.listener) != RJ_OK)
        return false;
    o.tls = net.tls[right_on_v6 ? 0 : 1];
    return rj_listener_tcp(net.loop, "127.0.0.1", rj_listener_port(net.listener), &o,
                           &other) == RJ_OK;
}

static void check_name(int right_on_v6)
{
    struct end *end = &net.ends[net.ends_count++];
    struct rj_conn_options o = {.ops = &net_ops, .ctx = end, .tls = net.tls[0]};

    if (!two_addresses(right_on_v6))
        skip(); /* no IPv6 here, or the port is taken */
    net.on_open = only_the_second;
    net.on_close = stop_when_the_client_closes;
    assert_ok(rj_conn_tcp(net.loop, "localhost", rj_listener_port(net.listener), &o,
                          &end->conn));
    rj_loop_run(net.loop);
    rj_listener_close(other);
    if (net.number == 100)
        skip(); /* localhost has one address here, and it was said so */
    assert_ok(end->err);
    assert_memory_equal(end->pubkey, rj_crypto_env(net.crypto[1])->pubkey, RJ_PUBKEY_LEN);
}

TEST(of_a_name_that_lies_the_next_address_is_tried)
{
    check_name(1);
}

TEST(of_a_name_that_lies_the_other_family_is_tried)
{
    check_name(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NET(bytes_go_to_its_input_and_come_from_its_output),
        WITH_NET(what_it_last_said_tells_why_it_failed),
        WITH_NET(much_that_it_says_is_cut_to_the_end),
        WITH_NET(a_command_that_is_not_there_says_so),
        WITH_NET(one_that_does_not_mind_its_input_is_ended),
        WITH_NET(one_that_does_not_mind_signals_is_killed),
        WITH_NET(a_loop_that_stops_takes_it_along),
        WITH_NET(of_a_name_that_lies_the_next_address_is_tried),
        WITH_NET(of_a_name_that_lies_the_other_family_is_tried),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as programs do */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
