/* SPDX-License-Identifier: Apache-2.0 */
#include "posix/conn.h"
#include "support/net.h"

static void stop(void)
{
    rj_loop_stop(net.loop, 5000);
}

/* ---- echo */

static struct rj_buf sent; /* by the client, in all */

static void echo(struct net *n, struct end *end)
{
    struct rj_buf back = {0};

    (void)n;
    if (net_is_client(end)) {
        if (end->heard.len >= sent.len)
            rj_conn_close(end->conn);
        return;
    }
    rj_buf_append(&back, rj_buf_view(&end->heard));
    rj_buf_clear(&end->heard);
    rj_conn_send(end->conn, &back);
    assert_null(back.ptr);
}

/* Small and large ones, by each of the three ways to send. */
static void send_much(struct net *n, struct end *end)
{
    (void)n;
    if (!net_is_client(end))
        return;
    for (uint32_t i = 0; i < 3000; i++) {
        struct rj_buf message = {0};

        for (uint32_t k = 0; k < (i % 100 == 0 ? 20000 : 7); k++)
            rj_buf_u32be(&message, i * 31 + k);
        rj_buf_append(&sent, rj_buf_view(&message));
        if (i % 3 == 0)
            rj_conn_write(end->conn, rj_buf_view(&message));
        else if (i % 3 == 1)
            rj_buf_append(rj_conn_out(end->conn), rj_buf_view(&message));
        else
            rj_conn_send(end->conn, &message);
        rj_buf_done(&message);
    }
}

static void check_echo(enum net_kind kind)
{
    net.on_open = send_much;
    net.on_data = echo;
    net_talk(kind, no_options);
    assert_int_equal(net.ends[0].closes, 1);
    assert_ok(net.ends[0].err);
    assert_true(sent.len > 2000000);
    assert_bytes_equal(rj_buf_view(&net.ends[0].heard), rj_buf_view(&sent));
    assert_int_equal(net.ends_count, 2);
    assert_int_equal(net.ends[1].closes, 1);
    assert_ok(net.ends[1].err);
    rj_buf_done(&sent);
}

TEST(an_echo_comes_back_over_tcp)
{
    check_echo(NET_TCP);
    assert_memory_equal(net.ends[0].addr, "127.0.0.1:", 10);
    assert_memory_equal(net.ends[1].addr, "127.0.0.1:", 10);
    assert_false(net.ends[0].has_pubkey);
    assert_null(net.ends[0].info.pubkey);
    assert_false(net.ends[1].info.has_cred);
}

TEST(an_echo_comes_back_over_tls)
{
    check_echo(NET_TLS);
    assert_true(net.ends[0].has_pubkey && net.ends[1].has_pubkey);
    assert_memory_equal(net.ends[0].pubkey, rj_crypto_env(net.crypto[1])->pubkey,
                        RJ_PUBKEY_LEN);
    assert_memory_equal(net.ends[1].pubkey, rj_crypto_env(net.crypto[0])->pubkey,
                        RJ_PUBKEY_LEN);
}

TEST(an_echo_comes_back_over_a_unix_socket)
{
    check_echo(NET_UNIX);
    assert_true(net.ends[1].info.has_cred);
    assert_int_equal(net.ends[1].info.uid, geteuid());
    assert_int_equal(net.ends[1].info.pid, getpid());
}

/* ---- turns */

static void send_many_small(struct net *n, struct end *end)
{
    (void)n;
    if (net_is_client(end))
        for (int i = 0; i < 500; i++)
            rj_conn_write(end->conn, RJ_BYTES_LIT("0123456789abcdef"));
}

static void close_after_8000(struct net *n, struct end *end)
{
    (void)n;
    if (end->heard.len >= 8000)
        rj_conn_close(end->conn);
}

static void check_one_write(enum net_kind kind)
{
    net.on_open = send_many_small;
    net.on_data = close_after_8000;
    net_talk(kind, no_options);
    assert_int_equal(net.ends[1].heard.len, 8000);
    assert_int_equal(net.ends[1].reads, 1);
}

TEST(what_is_sent_in_a_turn_leaves_at_once)
{
    check_one_write(NET_TCP);
}

TEST(what_is_sent_in_a_turn_shares_a_record)
{
    check_one_write(NET_TLS);
}

static void remember(struct net *n, struct end *end)
{
    if (!net_is_client(end))
        rj_conn_write(end->conn, RJ_BYTES_LIT("reply,"));
    else if (end->heard.len > 0)
        rj_conn_close(end->conn);
    n->number++;
}

static void commit(struct net *n)
{
    struct end *end = &n->ends[1];

    if (n->number > 0 && end->conn != NULL && n->ends_count == 2)
        rj_conn_write(end->conn, RJ_BYTES_LIT("commit"));
    n->number = 0;
}

static void ask(struct net *n, struct end *end)
{
    (void)n;
    if (net_is_client(end))
        rj_conn_write(end->conn, RJ_BYTES_LIT("question"));
}

TEST(the_end_of_a_turn_comes_before_its_output)
{
    net.on_open = ask;
    net.on_data = remember;
    net.on_turn = commit;
    net_talk(NET_TCP, no_options);
    assert_bytes_equal(rj_buf_view(&net.ends[0].heard), RJ_BYTES_LIT("reply,commit"));
    assert_int_equal(net.ends[0].reads, 1);
}

/* ---- slow readers */

enum { CHUNK = 10000 };

/* The server floods until it is full, and again after each on_drain. */
static void flood(struct net *n, struct end *end)
{
    static const uint8_t chunk[CHUNK];

    if (net_is_client(end)) {
        if (end == &n->ends[0])
            rj_conn_pause(end->conn);
        return;
    }
    if (end != &n->ends[1]) /* the healthy one */
        return;
    while (!rj_conn_full(end->conn)) {
        rj_conn_write(end->conn, RJ_BYTES_OF(chunk));
        n->number += CHUNK;
    }
}

/* Once the client has paused and the server is full. */
static void resume_slow(void *ctx)
{
    (void)ctx;
    if (net.ends[0].opens > 0 && net.number > 0)
        rj_conn_resume(net.ends[0].conn);
    else
        net_after(20, resume_slow);
}

static void enough(struct net *n, struct end *end)
{
    if (end == &n->ends[0] && end->heard.len > 20 << 20 && end->conn != NULL)
        rj_conn_close(end->conn);
}

static void check_drain(enum net_kind kind)
{
    const struct rj_conn_options options = {.queue_high_bytes = 3 << 20};

    net.on_open = net.on_drain = flood;
    net.on_data = enough;
    net_after(200, resume_slow);
    net_talk(kind, options);
    assert_true(net.ends[1].drains >= 2);
    assert_true(net.number >= net.ends[0].heard.len);
    for (size_t i = 0; i < net.ends[0].heard.len; i += 997)
        assert_int_equal(net.ends[0].heard.ptr[i], 0);
}

TEST(a_slow_reader_is_waited_for_over_tcp)
{
    check_drain(NET_TCP);
}

TEST(a_slow_reader_is_waited_for_over_tls)
{
    check_drain(NET_TLS);
}

TEST(a_slow_reader_is_waited_for_over_a_unix_socket)
{
    check_drain(NET_UNIX);
}

/* Ends 0 and 1: a client that does not read and its server, which goes on regardless.
 * Ends 2 and 3: a client that plays ping pong all the while. */
static void ping_pong(struct net *n, struct end *end)
{
    if (end == &n->ends[2])
        n->number++;
    rj_conn_write(end->conn, rj_buf_view(&end->heard));
    rj_buf_clear(&end->heard);
}

static void begin_ping_pong(struct net *n, struct end *end)
{
    if (end == &n->ends[0])
        rj_conn_pause(end->conn);
    else if (end == &n->ends[2])
        rj_conn_write(end->conn, RJ_BYTES_LIT("ping"));
}

static void go_on_regardless(struct net *n)
{
    static const uint8_t chunk[CHUNK];

    if (n->ends[1].conn != NULL && n->ends_count >= 2)
        rj_conn_write(n->ends[1].conn, RJ_BYTES_OF(chunk));
}

/* When the flooded one was cut, the healthy one has a hundred more rounds to go. */
static void expect_a_hundred_more(struct net *n, struct end *end)
{
    if (end == &n->ends[1])
        n->on_turn = NULL;
}

static void stop_after_rounds(void *ctx)
{
    (void)ctx;
    if (net.ends[1].closes == 1 && net.number > 100)
        rj_loop_stop(net.loop, 100);
    else
        net_after(20, stop_after_rounds);
}

static void dial_second(struct net *n, struct end *end)
{
    begin_ping_pong(n, end);
    if (end == &n->ends[1])
        (void)net_dial(NET_TLS, no_options); /* becomes end 2 */
}

TEST(a_reader_beyond_the_limit_is_cut_and_others_are_not)
{
    const struct rj_conn_options options = {.queue_max_bytes = 8 << 20};

    net.on_open = dial_second;
    net.on_data = ping_pong;
    net.on_turn = go_on_regardless;
    net.on_close = expect_a_hundred_more;
    net_after(20, stop_after_rounds);
    net_talk(NET_TLS, options);
    assert_err(RJ_ELIMIT, net.ends[1].err);
    assert_string_not_equal(net.ends[1].why, "");
    assert_int_equal(net.ends[0].drains + net.ends[1].drains, 0);
    assert_true(net.number > 100);
    assert_int_equal(net.ends[2].opens, 1);
    assert_true(net.ends[2].err == RJ_OK || net.ends[2].err == RJ_ECLOSED);
}

/* ---- the end of a connection */

static void answer_at_eof(struct net *n, struct end *end)
{
    (void)n;
    if (!net_is_client(end))
        rj_conn_write(end->conn, RJ_BYTES_LIT("bye"));
    rj_conn_close(end->conn);
}

static void stop_at_close(struct net *n, struct end *end)
{
    (void)n, (void)end;
    stop();
}

TEST(who_has_said_everything_still_hears_the_answer)
{
    char reply[8] = "";
    int fd;

    net.on_eof = answer_at_eof;
    net.on_close = stop_at_close;
    net_listen(NET_TCP, no_options);
    fd = net_raw();
    assert_int_equal(write(fd, "hello", 5), 5);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    rj_loop_run(net.loop);
    assert_int_equal(read(fd, reply, sizeof(reply)), 3);
    assert_string_equal(reply, "bye");
    assert_int_equal(read(fd, reply, sizeof(reply)), 0);
    assert_bytes_equal(rj_buf_view(&net.ends[0].heard), RJ_BYTES_LIT("hello"));
    assert_int_equal(net.ends[0].eofs, 1);
    assert_ok(net.ends[0].err);
    (void)close(fd);
}

/* Sends 4 MiB and closes at once: all of it must arrive. */
static void send_and_close(struct net *n, struct end *end)
{
    struct rj_buf large = {0};

    (void)n;
    if (net_is_client(end))
        return;
    for (uint32_t i = 0; i < 1 << 20; i++)
        rj_buf_u32be(&large, i);
    rj_conn_send(end->conn, &large);
    rj_conn_close(end->conn);
    rj_conn_close(end->conn);
    rj_conn_write(end->conn, RJ_BYTES_LIT("too late"));
    rj_buf_append_str(rj_conn_out(end->conn), "too late");
    assert_int_equal(rj_conn_queued(end->conn), 4 << 20);
}

static void check_close_flushes(enum net_kind kind)
{
    net.on_open = send_and_close;
    net_talk(kind, no_options);
    assert_int_equal(net.ends[0].heard.len, 4 << 20);
    for (uint32_t i = 0; i < 1 << 20; i += 999)
        assert_int_equal(rj_be_load32(net.ends[0].heard.ptr + 4 * i), i);
    assert_int_equal(net.ends[0].eofs, 1);
    assert_ok(net.ends[0].err);
    assert_ok(net.ends[1].err);
}

TEST(a_close_sends_what_was_queued_over_tcp)
{
    check_close_flushes(NET_TCP);
}

TEST(a_close_sends_what_was_queued_over_tls)
{
    check_close_flushes(NET_TLS);
}

TEST(a_close_sends_what_was_queued_over_a_unix_socket)
{
    check_close_flushes(NET_UNIX);
}

static void pause_client(struct net *n, struct end *end)
{
    if (net_is_client(end))
        rj_conn_pause(end->conn);
    else
        send_and_close(n, end);
}

static void stop_if_server(struct net *n, struct end *end)
{
    (void)n;
    if (!net_is_client(end))
        rj_loop_stop(net.loop, 0);
}

TEST(a_close_does_not_linger_for_ever)
{
    const struct rj_conn_options hasty = {.linger_ms = 100};

    net.on_open = pause_client;
    net.on_close = stop_if_server;
    net_talk(NET_TLS, hasty);
    assert_err(RJ_ETIMEOUT, net.ends[1].err);
    assert_err(RJ_ECLOSED, net.ends[0].err); /* the stop could not wait */
}

static void abort_it(struct net *n, struct end *end)
{
    (void)n;
    rj_conn_abort(end->conn, RJ_EAUTH);
    rj_conn_abort(end->conn, RJ_EIO);
    rj_conn_close(end->conn);
    rj_conn_write(end->conn, RJ_BYTES_LIT("x"));
    assert_int_equal(end->closes, 0); /* later, from the loop */
}

/* Each callback cuts its own connection; the other end notices. */
static void check_abort_in(end_fn **slot, enum net_kind kind)
{
    *slot = abort_it;
    if (net.on_open == NULL)
        net.on_open = ask;
    net_talk(kind, no_options);
    for (unsigned i = 0; i < net.ends_count; i++)
        assert_int_equal(net.ends[i].closes, 1);
}

TEST(a_callback_may_cut_its_own_connection)
{
    check_abort_in(&net.on_open, NET_TCP);
    assert_err(RJ_EAUTH, net.ends[0].err);
    (void)net_close(NULL);
    (void)net_open(NULL);
    check_abort_in(&net.on_open, NET_TLS);
    (void)net_close(NULL);
    (void)net_open(NULL);
    check_abort_in(&net.on_data, NET_TCP);
    assert_err(RJ_EAUTH, net.ends[1].err);
    (void)net_close(NULL);
    (void)net_open(NULL);
    check_abort_in(&net.on_data, NET_TLS);
    assert_err(RJ_EAUTH, net.ends[1].err);
    assert_err(RJ_EUNREACH, net.ends[0].err); /* no goodbye */
}

static void cut_the_other(struct net *n, struct end *end)
{
    if (end == &n->ends[1]) {
        rj_conn_abort(n->ends[0].conn, RJ_EDENIED);
        rj_conn_close(end->conn);
    }
}

TEST(a_callback_may_cut_another_connection)
{
    net.on_open = ask;
    net.on_data = cut_the_other;
    net_talk(NET_TCP, no_options);
    assert_err(RJ_EDENIED, net.ends[0].err);
    assert_int_equal(net.ends[1].closes, 1);
}

static void set_deadline(struct net *n, struct end *end)
{
    (void)n;
    if (!net_is_client(end))
        return;
    net.number = rj_loop_now(net.loop).mono.ms;
    rj_conn_deadline(end->conn, net_in_ms(1));
    rj_conn_deadline(end->conn, net_in_ms(300));
}

TEST(a_deadline_cuts)
{
    net.on_open = set_deadline;
    net_talk(NET_UNIX, no_options);
    assert_err(RJ_ETIMEOUT, net.ends[0].err);
    assert_true(rj_loop_now(net.loop).mono.ms - net.number >= 300);
}

static void clear_deadline(struct net *n, struct end *end)
{
    set_deadline(n, end);
    if (net_is_client(end))
        rj_conn_deadline(end->conn, (struct rj_mono){0});
}

static void close_first(void *ctx)
{
    (void)ctx;
    rj_conn_close(net.ends[0].conn);
}

TEST(a_deadline_can_be_lifted)
{
    net.on_open = clear_deadline;
    net_after(800, close_first);
    net_talk(NET_UNIX, no_options);
    assert_ok(net.ends[0].err);
}

/* ---- stopping */

static void send_and_stop(struct net *n, struct end *end)
{
    struct rj_buf large = {0};

    (void)n;
    if (net_is_client(end))
        return;
    for (uint32_t i = 0; i < 1 << 20; i++)
        rj_buf_u32be(&large, i);
    rj_conn_send(end->conn, &large);
    stop();
    assert_true(rj_loop_stopping(net.loop));
    net.number = rj_conn_queued(end->conn);
}

TEST(a_stop_sends_what_was_queued)
{
    struct rj_conn_options options = {.ops = &net_ops};
    struct rj_conn *conn = NULL;

    net.on_open = ask;
    net.on_data = send_and_stop;
    net_listen(NET_TCP, no_options);
    (void)net_dial(NET_TCP, no_options);
    rj_loop_run(net.loop);
    assert_int_equal(net.number, 4 << 20);
    assert_ok(net.ends[1].err); /* it was all sent */
    assert_int_equal(net.ends[1].closes, 1);
    assert_int_equal(net.ends[0].closes, 1);
    assert_err(RJ_ECLOSED, rj_conn_tcp(net.loop, "127.0.0.1", 1, &options, &conn));
}

TEST(a_stop_does_not_wait_beyond_its_deadline)
{
    uint64_t begin_ms = rj_loop_now(net.loop).mono.ms;
    char byte;
    int fd;

    net_listen(NET_TCP, no_options);
    fd = net_raw();
    net.on_open = send_and_stop;
    rj_loop_stop(net.loop, 60000); /* before it runs: nothing is accepted any more */
    rj_loop_stop(net.loop, 100);
    rj_loop_run(net.loop);
    assert_int_equal(net.ends_count, 0);
    assert_true(rj_loop_now(net.loop).mono.ms - begin_ms < 30000);
    assert_true(read(fd, &byte, 1) <= 0);
    (void)close(fd);
}

static void send_and_stop_soon(struct net *n, struct end *end)
{
    send_and_stop(n, end);
    rj_loop_stop(net.loop, 100);
}

TEST(a_stop_cuts_who_does_not_read)
{
    int fd;

    net_listen(NET_TCP, no_options);
    net.on_open = send_and_stop_soon;
    fd = net_raw();
    rj_loop_run(net.loop);
    assert_err(RJ_ECLOSED, net.ends[0].err);
    (void)close(fd);
}

TEST(a_loop_that_never_ran_closes_its_connections)
{
    net_listen(NET_TCP, no_options);
    (void)net_dial(NET_TCP, no_options);
    rj_timer_free(net.watchdog);
    rj_loop_free(net.loop);
    assert_int_equal(net.ends[0].closes, 1);
    net.listener = NULL;
    net.loop = NULL;
    net.watchdog = NULL;
}

/* ---- memory */

/* After a failed allocation the client may wait for what never comes: not for long. */
static void give_up_soon(void *ctx)
{
    struct rj_timer **timer = ctx;

    if (!rj_test_alloc_failed())
        rj_timer_set(*timer, net_in_ms(20));
    else if (net.ends[0].conn != NULL)
        rj_conn_deadline(net.ends[0].conn, net_in_ms(400));
}

/* One message each way; gives up when something fails. */
static enum rj_err converse(void *ctx)
{
    enum net_kind kind = *(const enum net_kind *)ctx;
    const struct rj_loop_options loop_options = {.ops = &net_loop_ops};
    struct rj_conn_options options = {.ops = &net_ops, .handshake_ms = 60000};
    struct rj_listener *listener = NULL;
    struct rj_timer *timer = NULL;
    enum rj_err err = rj_loop_new(&loop_options, &net.loop);

    net.ends_count = 1;
    for (int i = 0; i < 3; i++) {
        rj_buf_done(&net.ends[i].heard);
        net.ends[i] = (struct end){.info.is_client = i == 0};
    }
    if (err != RJ_OK)
        return err;
    options.tls = kind == NET_TLS ? net.tls[1] : NULL;
    err = rj_timer_new(net.loop, give_up_soon, &timer, &timer);
    if (err == RJ_OK)
        err = rj_listener_tcp(net.loop, "127.0.0.1", 0, &options, &listener);
    options.ctx = &net.ends[0];
    options.tls = kind == NET_TLS ? net.tls[0] : NULL;
    if (err == RJ_OK)
        err = rj_conn_tcp(net.loop, "127.0.0.1", rj_listener_port(listener), &options,
                          &net.ends[0].conn);
    if (err == RJ_OK) {
        rj_timer_set(timer, net_in_ms(20));
        rj_loop_run(net.loop);
        err = net.ends[0].err == RJ_OK && net.ends[0].heard.len == 8 ? RJ_OK : RJ_ENOMEM;
    }
    rj_timer_free(timer);
    rj_loop_free(net.loop);
    net.loop = NULL;
    for (int i = 0; i < 3; i++)
        rj_buf_done(&net.ends[i].heard);
    return err;
}

static void echo_once(struct net *n, struct end *end)
{
    (void)n;
    if (net_is_client(end))
        rj_conn_close(end->conn);
    else
        rj_conn_write(end->conn, rj_buf_view(&end->heard));
}

TEST(out_of_memory_ends_connections_and_not_the_loop)
{
    enum net_kind kinds[] = {NET_TCP, NET_TLS};

    rj_timer_free(net.watchdog);
    rj_loop_free(net.loop);
    net.watchdog = NULL;
    net.on_open = ask;
    net.on_data = echo_once;
    net.on_close = net_stop_at_client;
    for (int i = 0; i < 2; i++)
        rj_test_with_one_failing_alloc(converse, &kinds[i]);
    rj_test_with_failing_alloc(converse, &kinds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NET(an_echo_comes_back_over_tcp),
        WITH_NET(an_echo_comes_back_over_tls),
        WITH_NET(an_echo_comes_back_over_a_unix_socket),
        WITH_NET(what_is_sent_in_a_turn_leaves_at_once),
        WITH_NET(what_is_sent_in_a_turn_shares_a_record),
        WITH_NET(the_end_of_a_turn_comes_before_its_output),
        WITH_NET(a_slow_reader_is_waited_for_over_tcp),
        WITH_NET(a_slow_reader_is_waited_for_over_tls),
        WITH_NET(a_slow_reader_is_waited_for_over_a_unix_socket),
        WITH_NET(a_reader_beyond_the_limit_is_cut_and_others_are_not),
        WITH_NET(who_has_said_everything_still_hears_the_answer),
        WITH_NET(a_close_sends_what_was_queued_over_tcp),
        WITH_NET(a_close_sends_what_was_queued_over_tls),
        WITH_NET(a_close_sends_what_was_queued_over_a_unix_socket),
        WITH_NET(a_close_does_not_linger_for_ever),
        WITH_NET(a_callback_may_cut_its_own_connection),
        WITH_NET(a_callback_may_cut_another_connection),
        WITH_NET(a_deadline_cuts),
        WITH_NET(a_deadline_can_be_lifted),
        WITH_NET(a_stop_sends_what_was_queued),
        WITH_NET(a_stop_does_not_wait_beyond_its_deadline),
        WITH_NET(a_stop_cuts_who_does_not_read),
        WITH_NET(a_loop_that_never_ran_closes_its_connections),
        WITH_NET(out_of_memory_ends_connections_and_not_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
