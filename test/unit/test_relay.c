/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/relay.h"
#include "support/net.h"

#include <signal.h>

enum { MUCH = 3000000 };

static struct rj_relay *relay;
static const uint8_t token[RJ_RELAY_TOKEN_LEN] = {1, 2, 3};
static const uint8_t unknown[RJ_RELAY_TOKEN_LEN] = {9};

static void stop(void)
{
    rj_loop_stop(net.loop, 5000);
}

static void begin(struct rj_relay_options options)
{
    struct rj_conn_options o = {.ops = &net_ops, .tls = net.tls[1]};

    options.loop = net.loop;
    assert_ok(rj_relay_new(&options, &relay));
    o.plain_ops = &rj_relay_conn_ops;
    o.plain_ctx = relay;
    assert_ok(rj_listener_tcp(net.loop, "127.0.0.1", 0, &o, &net.listener));
}

static int close_all(void **state)
{
    rj_relay_free(relay);
    relay = NULL;
    return net_close(state);
}

/* One of the two, who = 0: TLS's client, 1: its server. */
static struct end *dial(int who, const uint8_t *with)
{
    uint8_t preamble[RJ_RELAY_PREAMBLE_LEN];
    struct end *end = &net.ends[net.ends_count++];
    struct rj_conn_options o = {
        .ops = &net_ops,
        .ctx = end,
        .tls = net.tls[who],
        .tls_server = who == 1,
    };

    rj_relay_preamble(with, preamble);
    o.preamble = RJ_BYTES_OF(preamble);
    assert_ok(rj_conn_tcp(net.loop, "127.0.0.1", rj_listener_port(net.listener), &o,
                          &end->conn));
    return end;
}

static void say_much(struct net *n, struct end *end)
{
    static const uint8_t piece[1000] = {42};

    if (end != &n->ends[0])
        return;
    for (int i = 0; i < MUCH / 1000; i++)
        rj_conn_write(end->conn, RJ_BYTES_OF(piece));
}

static void end_when_heard(struct net *n, struct end *end)
{
    if (end == &n->ends[1] && end->heard.len == MUCH)
        rj_conn_close(end->conn);
}

static void stop_when_both_closed(struct net *n, struct end *end)
{
    (void)end;
    if (n->ends[0].closes + n->ends[1].closes == 2)
        stop();
}

static void check_meeting(struct rj_relay_options options)
{
    begin(options);
    assert_ok(rj_relay_expect(relay, token));
    net.on_open = say_much;
    net.on_data = end_when_heard;
    net.on_close = stop_when_both_closed;
    (void)dial(0, token);
    (void)dial(1, token);
    rj_loop_run(net.loop);
    assert_int_equal(net.ends[1].heard.len, MUCH);
    assert_ok(net.ends[0].err);
    assert_ok(net.ends[1].err);
    /* From key to key: the relay's own is nowhere. */
    assert_memory_equal(net.ends[0].pubkey, rj_crypto_env(net.crypto[1])->pubkey,
                        RJ_PUBKEY_LEN);
    assert_memory_equal(net.ends[1].pubkey, rj_crypto_env(net.crypto[0])->pubkey,
                        RJ_PUBKEY_LEN);
    assert_true(net.ends[0].info.is_client);
    assert_false(net.ends[1].info.is_client);
    assert_int_equal(rj_relay_stats(relay).joined, 1);
    assert_true(rj_relay_stats(relay).bytes >= MUCH);
    assert_int_equal(rj_relay_stats(relay).pairs, 0);
    assert_int_equal(rj_relay_stats(relay).strangers, 0);
}

TEST(two_members_meet_in_it)
{
    check_meeting((struct rj_relay_options){0});
}

TEST(a_pair_that_is_held_to_a_rate_loses_nothing)
{
    check_meeting((struct rj_relay_options){.rate_bytes = 6 * MUCH});
}

static void close_soon(struct net *n, struct end *end)
{
    (void)n;
    rj_conn_close(end->conn);
}

static void stop_when_closed(struct net *n, struct end *end)
{
    (void)end;
    n->number++;
    if (n->number == 2)
        stop();
}

TEST(peers_that_speak_tls_are_served_as_before)
{
    begin((struct rj_relay_options){0});
    net.on_open = close_soon;
    net.on_close = stop_when_closed;
    (void)net_dial(NET_TLS, (struct rj_conn_options){0});
    rj_loop_run(net.loop);
    assert_int_equal(net.ends[0].opens + net.ends[1].opens, 2);
    assert_true(net.ends[1].has_pubkey);
}

static void stop_at_once(struct net *n, struct end *end)
{
    (void)n, (void)end;
    stop();
}

TEST(an_unknown_token_is_refused)
{
    begin((struct rj_relay_options){0});
    assert_ok(rj_relay_expect(relay, token));
    net.on_close = stop_at_once;
    (void)dial(0, unknown);
    rj_loop_run(net.loop);
    assert_int_equal(net.ends[0].opens, 0);
    assert_err(RJ_EUNREACH, net.ends[0].err);
    assert_int_equal(rj_relay_stats(relay).refused, 1);
}

TEST(who_says_something_else_is_refused)
{
    int fd;

    begin((struct rj_relay_options){0});
    fd = net_raw();
    assert_int_equal(write(fd, "GET / HTTP/1.1\r\n", 16), 16);
    net.on_close = stop_at_once;
    assert_ok(rj_relay_expect(relay, token));
    (void)dial(0, unknown);
    rj_loop_run(net.loop);
    assert_int_equal(rj_relay_stats(relay).refused, 2);
    assert_int_equal(rj_relay_stats(relay).strangers, 0);
    assert_int_equal(close(fd), 0);
}

TEST(who_waits_alone_is_sent_away)
{
    begin((struct rj_relay_options){.pair_ms = 200});
    assert_ok(rj_relay_expect(relay, token));
    net.on_close = stop_at_once;
    (void)dial(0, token);
    rj_loop_run(net.loop);
    assert_int_equal(net.ends[0].opens, 0);
    assert_int_equal(rj_relay_stats(relay).waiting, 0);
}

static void third_comes(struct net *n, struct end *end)
{
    if (end == &n->ends[0])
        (void)dial(0, token);
}

static void stop_when_the_third_is_gone(struct net *n, struct end *end)
{
    if (end == &n->ends[2] || n->ends[2].closes > 0)
        stop();
}

TEST(a_third_one_is_refused_and_a_token_serves_once)
{
    begin((struct rj_relay_options){0});
    assert_ok(rj_relay_expect(relay, token));
    net.on_open = third_comes;
    net.on_close = stop_when_the_third_is_gone;
    (void)dial(0, token);
    (void)dial(1, token);
    rj_loop_run(net.loop);
    assert_int_equal(net.ends[2].opens, 0);
    assert_int_equal(rj_relay_stats(relay).refused, 1);
    assert_int_equal(rj_relay_stats(relay).joined, 1);
}

TEST(meetings_are_limited)
{
    uint8_t t[RJ_RELAY_TOKEN_LEN] = {0};

    begin((struct rj_relay_options){0});
    for (int i = 0; i < RJ_RELAY_TOKENS_MAX; i++) {
        t[0] = (uint8_t)i;
        t[1] = (uint8_t)(i >> 8);
        assert_ok(rj_relay_expect(relay, t));
    }
    t[2] = 1;
    assert_err(RJ_ELIMIT, rj_relay_expect(relay, t));
    t[2] = 0;
    assert_ok(rj_relay_expect(relay, t)); /* it is there */
}

/* ---- a relay that cheats: what it does with the bytes of TLS's client */

enum cheat { ALTER, DROP, REPEAT };

static struct cheater {
    enum cheat how;
    struct rj_conn *conns[2];
    size_t n, passed;
} cheater;

static void cheat_open(struct rj_conn *conn)
{
    rj_conn_set_ctx(conn, NULL);
}

static void cheat_data(struct rj_conn *conn, struct rj_bytes data)
{
    struct cheater *c = &cheater;
    uint8_t copy[RJ_CONN_READ_SIZE];
    bool cheat;

    if (conn != c->conns[0] && conn != c->conns[1]) { /* the preamble, in one piece */
        c->conns[c->n++] = conn;
        data = rj_bytes_skip(data, RJ_RELAY_PREAMBLE_LEN);
    }
    if (c->n < 2 || data.len == 0)
        return;
    memcpy(copy, data.ptr, data.len);
    cheat = conn == c->conns[1] && net.ends[0].opens > 0; /* TLS is open */
    if (cheat && c->how == ALTER)
        copy[data.len / 2] ^= 1;
    if (!cheat || c->how != DROP || c->passed++ > 0)
        rj_conn_write(c->conns[conn == c->conns[0] ? 1 : 0], rj_bytes_of(copy, data.len));
    if (cheat && c->how == REPEAT)
        rj_conn_write(c->conns[0], rj_bytes_of(copy, data.len));
}

static void cheat_eof(struct rj_conn *conn)
{
    rj_conn_close(conn);
}

static void cheat_drain(struct rj_conn *conn)
{
    (void)conn;
}

static void cheat_close(struct rj_conn *conn, enum rj_err err)
{
    (void)conn, (void)err;
}

static const struct rj_conn_ops cheat_ops = {
    .on_open = cheat_open,
    .on_data = cheat_data,
    .on_eof = cheat_eof,
    .on_drain = cheat_drain,
    .on_close = cheat_close,
};

/* The server comes first (page 0), then the client (page 1), which goes on speaking. */
static void client_comes_and_speaks(struct net *n)
{
    if (cheater.n == 1 && n->ends_count == 1)
        (void)dial(0, token);
    if (n->ends_count == 2 && n->ends[1].opens > 0 && n->ends[1].conn != NULL &&
        n->number++ < 50)
        rj_conn_write(n->ends[1].conn, RJ_BYTES_LIT("more"));
}

static void stop_when_the_server_is_gone(struct net *n, struct end *end)
{
    if (end == &n->ends[0])
        rj_loop_stop(n->loop, 0);
}

static void check_cheat(enum cheat how)
{
    struct rj_conn_options o = {
        .ops = &net_ops, .tls = net.tls[1], .plain_ops = &cheat_ops};

    cheater = (struct cheater){.how = how};
    assert_ok(rj_listener_tcp(net.loop, "127.0.0.1", 0, &o, &net.listener));
    net.on_turn = client_comes_and_speaks;
    net.on_close = stop_when_the_server_is_gone;
    (void)dial(1, token);
    rj_loop_run(net.loop);
    assert_int_equal(net.ends[0].opens, 1);
    assert_err(RJ_EPROTO, net.ends[0].err);
}

TEST(a_relay_that_alters_is_noticed)
{
    check_cheat(ALTER);
}

TEST(a_relay_that_drops_is_noticed)
{
    check_cheat(DROP);
}

TEST(a_relay_that_repeats_is_noticed)
{
    check_cheat(REPEAT);
}

#define WITH_RELAY(test) cmocka_unit_test_setup_teardown(test, net_open, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RELAY(two_members_meet_in_it),
        WITH_RELAY(a_pair_that_is_held_to_a_rate_loses_nothing),
        WITH_RELAY(peers_that_speak_tls_are_served_as_before),
        WITH_RELAY(an_unknown_token_is_refused),
        WITH_RELAY(who_says_something_else_is_refused),
        WITH_RELAY(who_waits_alone_is_sent_away),
        WITH_RELAY(a_third_one_is_refused_and_a_token_serves_once),
        WITH_RELAY(meetings_are_limited),
        WITH_RELAY(a_relay_that_alters_is_noticed),
        WITH_RELAY(a_relay_that_drops_is_noticed),
        WITH_RELAY(a_relay_that_repeats_is_noticed),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as programs do */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
