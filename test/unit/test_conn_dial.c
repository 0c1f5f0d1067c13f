/* SPDX-License-Identifier: Apache-2.0 */
/* Connections on their way: handshakes that fail, addresses, names, and nobody there. */
#include "posix/conn.h"
#include "support/net.h"

/* ---- TLS and its failures */

/* A client of TLS dials a server that talks none. */
static void dial_without_tls(struct rj_conn_options client)
{
    net.on_close = net_stop_at_client;
    net_listen(NET_TCP, no_options);
    (void)net_dial(NET_TLS, client);
    rj_loop_run(net.loop);
}

static void cut(struct net *n, struct end *end)
{
    (void)n;
    rj_conn_abort(end->conn, RJ_EAUTH);
}

TEST(a_cut_during_the_handshake_is_noticed)
{
    net.on_data = cut;
    dial_without_tls(no_options);
    assert_int_equal(net.ends[0].opens, 0);
    assert_err(RJ_EUNREACH, net.ends[0].err);
}

static void say_http(struct net *n, struct end *end)
{
    (void)n;
    rj_conn_write(end->conn, RJ_BYTES_LIT("HTTP/1.1 400 Bad Request\r\n\r\n"));
}

TEST(a_server_of_another_protocol_is_refused)
{
    net.on_open = say_http;
    dial_without_tls(no_options);
    assert_err(RJ_EPROTO, net.ends[0].err);
}

/* ---- connecting */

static void stop_at_any_close(struct net *n, struct end *end)
{
    (void)n, (void)end;
    rj_loop_stop(net.loop, 0);
}

TEST(a_closed_port_is_unreachable)
{
    uint16_t port;
    struct end *end = &net.ends[0];
    struct rj_conn_options options = {.ops = &net_ops, .ctx = end};

    net.on_close = stop_at_any_close;
    net_listen(NET_TCP, no_options);
    port = rj_listener_port(net.listener);
    rj_listener_close(net.listener);
    net.listener = NULL;
    net.ends_count = 1;
    assert_ok(rj_conn_tcp(net.loop, "127.0.0.1", port, &options, &end->conn));
    rj_loop_run(net.loop);
    assert_int_equal(end->opens, 0);
    assert_int_equal(end->closes, 1);
    assert_err(RJ_EUNREACH, end->err);
    assert_non_null(strstr(end->why, "127.0.0.1"));
}

TEST(a_missing_socket_is_unreachable)
{
    net.on_close = stop_at_any_close;
    (void)net_dial(NET_UNIX, no_options);
    rj_loop_run(net.loop);
    assert_err(RJ_EUNREACH, net.ends[0].err);
}

static void close_it(struct net *n, struct end *end)
{
    (void)n;
    if (net_is_client(end))
        rj_conn_close(end->conn);
}

TEST(a_name_is_looked_up_and_each_address_tried)
{
    struct end *end = &net.ends[0];
    struct rj_conn_options options = {.ops = &net_ops, .ctx = end};

    net.on_open = close_it;
    net.on_close = net_stop_at_client;
    net_listen(NET_TCP, no_options); /* on 127.0.0.1; ::1 refuses if it comes first */
    net.ends_count = 1;
    assert_ok(rj_conn_tcp(net.loop, "localhost", rj_listener_port(net.listener), &options,
                          &end->conn));
    rj_loop_run(net.loop);
    assert_int_equal(end->opens, 1);
    assert_ok(end->err);
}

TEST(a_dial_can_be_given_up_at_any_time)
{
    struct end *end = &net.ends[0];
    struct rj_conn_options options = {.ops = &net_ops, .ctx = end};

    net.on_close = stop_at_any_close;
    net.ends_count = 1;
    assert_ok(rj_conn_tcp(net.loop, "localhost", 1, &options, &end->conn));
    rj_conn_close(end->conn);
    rj_loop_run(net.loop);
    assert_int_equal(end->opens, 0);
    assert_int_equal(end->closes, 1);
    assert_ok(end->err);
}

TEST(a_dial_without_an_answer_times_out)
{
    const struct rj_conn_options hasty = {.handshake_ms = 200};

    dial_without_tls(hasty); /* the server accepts and says nothing */
    assert_int_equal(net.ends[0].opens, 0);
    assert_err(RJ_ETIMEOUT, net.ends[0].err);
}

TEST(bad_addresses_are_refused_at_once)
{
    struct rj_conn_options options = {.ops = &net_ops};
    struct rj_conn *conn = NULL;
    char name[300];

    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_err(RJ_EINVAL, rj_conn_tcp(net.loop, "", 1, &options, &conn));
    assert_err(RJ_EINVAL, rj_conn_tcp(net.loop, NULL, 1, &options, &conn));
    assert_err(RJ_EINVAL, rj_conn_tcp(net.loop, "127.0.0.1", 0, &options, &conn));
    assert_err(RJ_EINVAL, rj_conn_tcp(net.loop, name, 1, &options, &conn));
    assert_err(RJ_ELIMIT, rj_conn_unix(net.loop, name, &options, &conn));
    assert_null(conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NET(a_cut_during_the_handshake_is_noticed),
        WITH_NET(a_server_of_another_protocol_is_refused),
        WITH_NET(a_closed_port_is_unreachable),
        WITH_NET(a_missing_socket_is_unreachable),
        WITH_NET(a_name_is_looked_up_and_each_address_tried),
        WITH_NET(a_dial_can_be_given_up_at_any_time),
        WITH_NET(a_dial_without_an_answer_times_out),
        WITH_NET(bad_addresses_are_refused_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
