/* SPDX-License-Identifier: Apache-2.0 */
#include "posix/conn.h"
#include "support/net.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

static void stop(void)
{
    rj_loop_stop(net.loop, 100);
}

static enum rj_err listen_at(const char *path, struct rj_listener **ret)
{
    const struct rj_conn_options options = {.ops = &net_ops};

    return rj_listener_unix(net.loop, path, &options, ret);
}

/* ---- Unix sockets */

TEST(a_socket_is_for_this_user_alone)
{
    struct stat st;
    mode_t old = umask(0);

    net_listen(NET_UNIX, no_options);
    assert_int_equal(lstat(net_path(), &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(rj_listener_port(net.listener), 0);
    (void)umask(old);
}

TEST(a_missing_directory_is_made_private)
{
    struct rj_listener *listener = NULL;
    struct stat st;
    char path[128], sub[128];

    (void)snprintf(sub, sizeof(sub), "%s/run", net.dir);
    (void)snprintf(path, sizeof(path), "%s/run/sock", net.dir);
    assert_ok(listen_at(path, &listener));
    assert_int_equal(stat(sub, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    rj_listener_close(listener);
    assert_int_not_equal(lstat(path, &st), 0); /* it goes with the listener */
    assert_int_equal(rmdir(sub), 0);
}

TEST(a_directory_open_to_others_is_refused)
{
    struct rj_listener *listener = NULL;

    assert_int_equal(chmod(net.dir, 0755), 0);
    assert_err(RJ_EDENIED, listen_at(net_path(), &listener));
    assert_null(listener);
}

TEST(a_dead_socket_is_replaced_and_a_live_one_is_not)
{
    struct rj_listener *second = NULL;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(addr.sun_path, net_path(), strlen(net_path()));
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    (void)close(fd); /* nobody listens, the file stays */
    net_listen(NET_UNIX, no_options);
    assert_err(RJ_EBUSY, listen_at(net_path(), &second));
    assert_null(second);
}

TEST(a_file_in_the_way_is_left_alone)
{
    struct rj_listener *listener = NULL;
    int fd = open(net_path(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    (void)close(fd);
    assert_err(RJ_EEXIST, listen_at(net_path(), &listener));
    assert_int_equal(unlink(net_path()), 0);
}

TEST(a_path_that_is_too_long_is_refused_and_not_cut)
{
    struct rj_listener *listener = NULL;
    char path[200];

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_err(RJ_ELIMIT, listen_at(path, &listener));
    assert_err(RJ_EINVAL, listen_at("", &listener));
    assert_null(listener);
}

/* ---- TCP */

TEST(a_port_that_is_taken_is_busy)
{
    const struct rj_conn_options options = {.ops = &net_ops};
    struct rj_listener *second = NULL;

    net_listen(NET_TCP, no_options);
    assert_true(rj_listener_port(net.listener) != 0);
    assert_err(RJ_EBUSY,
               rj_listener_tcp(net.loop, "127.0.0.1", rj_listener_port(net.listener),
                               &options, &second));
    assert_err(RJ_EINVAL, rj_listener_tcp(net.loop, "192.0.2.1", 0, &options, &second));
    assert_err(RJ_EINVAL,
               rj_listener_tcp(net.loop, "not an address", 0, &options, &second));
    assert_null(second);
}

static void stop_at_open(struct net *n, struct end *end)
{
    (void)n, (void)end;
    stop();
}

TEST(any_address_takes_local_ones_and_names_them)
{
    const struct rj_conn_options options = {.ops = &net_ops};
    int fd;

    net.on_open = stop_at_open;
    assert_ok(rj_listener_tcp(net.loop, NULL, 0, &options, &net.listener));
    fd = net_raw(); /* IPv4, also when the socket is one for IPv6 */
    rj_loop_run(net.loop);
    assert_int_equal(net.ends_count, 1);
    assert_memory_equal(net.ends[0].addr, "127.0.0.1:", 10);
    (void)close(fd);
}

/* ---- limits */

static uint64_t wanted; /* connections that must have come before the test ends */

static void after(uint64_t ms, uint64_t accepted, rj_timer_fn *fn)
{
    wanted = accepted;
    net_after(ms, fn);
}

static void stop_now(void *ctx)
{
    (void)ctx;
    net.number = rj_listener_stats(net.listener).conns;
    if (rj_listener_stats(net.listener).accepted >= wanted)
        stop();
    else
        net_after(20, stop_now);
}

TEST(connections_beyond_the_limit_are_closed)
{
    const struct rj_conn_options options = {.conns_max = 3};
    struct rj_listener_stats stats;
    int fd[10];
    unsigned refused = 0;

    net_listen(NET_TCP, options);
    for (int i = 0; i < 10; i++)
        fd[i] = net_raw();
    after(200, 10, stop_now);
    rj_loop_run(net.loop);
    stats = rj_listener_stats(net.listener);
    assert_int_equal(net.number, 3);
    assert_int_equal(stats.accepted, 10);
    assert_int_equal(stats.refused, 7);
    assert_int_equal(stats.conns, 0);
    assert_int_equal(net.ends_count, 3);
    for (int i = 0; i < 10; i++) {
        char byte;

        refused += read(fd[i], &byte, 1) == 0;
        (void)close(fd[i]);
    }
    assert_int_equal(refused, 10); /* by now all of them were closed */
}

static unsigned most_in_a_turn;

static void count_turn(struct net *n)
{
    unsigned fresh = n->ends_count - (unsigned)n->number;

    if (fresh > most_in_a_turn)
        most_in_a_turn = fresh;
    n->number = n->ends_count;
    if (n->ends_count == 40)
        stop();
}

TEST(only_so_many_are_accepted_in_one_turn)
{
    const struct rj_conn_options options = {.turn_max = 4};
    int fd[40];

    most_in_a_turn = 0;
    net.on_turn = count_turn;
    net_listen(NET_TCP, options);
    for (int i = 0; i < 40; i++)
        fd[i] = net_raw();
    rj_loop_run(net.loop);
    assert_int_equal(net.ends_count, 40);
    assert_int_equal(most_in_a_turn, 4);
    for (int i = 0; i < 40; i++)
        (void)close(fd[i]);
}

static void stop_at_client_open(struct net *n, struct end *end)
{
    (void)n;
    if (net_is_client(end))
        stop();
}

/* count connections that say nothing, or begin something; then an honest one comes. */
static void check_half_open(unsigned count, const struct rj_conn_options options,
                            struct rj_bytes first_bytes)
{
    int *fd = calloc(count, sizeof(*fd));
    struct rj_listener_stats stats;
    struct end *honest;

    assert_non_null(fd);
    net_listen(NET_TLS, options);
    for (unsigned i = 0; i < count; i++) {
        fd[i] = net_raw();
        assert_int_equal(write(fd[i], first_bytes.ptr, first_bytes.len), first_bytes.len);
    }
    net.on_open = stop_at_client_open;
    honest = net_dial(NET_TLS, (struct rj_conn_options){.handshake_ms = 40000});
    rj_loop_run(net.loop);
    assert_int_equal(honest->opens, 1);
    stats = rj_listener_stats(net.listener);
    assert_int_equal(stats.half, 0); /* it was stopped */
    assert_true(stats.accepted >= count + 1);
    for (unsigned i = 0; i < count; i++)
        (void)close(fd[i]);
    free(fd);
}

TEST(silent_strangers_keep_nobody_out)
{
    check_half_open(14, (struct rj_conn_options){.half_max = 8}, (struct rj_bytes){0});
}

TEST(strangers_who_begin_a_handshake_keep_nobody_out)
{
    static const uint8_t begin[] = {22, 3, 1, 0, 200, 1, 0, 0, 196};

    check_half_open(14, (struct rj_conn_options){.half_max = 8}, RJ_BYTES_OF(begin));
}

static unsigned most_half;

static void watch_half(struct net *n)
{
    uint32_t half = rj_listener_stats(n->listener).half;

    if (half > most_half)
        most_half = half;
}

TEST(a_thousand_half_open_connections_keep_nobody_out)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2048)
        skip();
    most_half = 0;
    net.on_turn = watch_half;
    check_half_open(1000, (struct rj_conn_options){0}, (struct rj_bytes){0});
    assert_int_equal(most_half, RJ_LISTENER_HALF_MAX);
}

static void stop_when_empty(void *ctx)
{
    struct rj_listener_stats stats = rj_listener_stats(net.listener);

    (void)ctx;
    if (stats.accepted >= wanted && stats.conns == 0)
        stop();
    else
        net_after(20, stop_when_empty);
}

TEST(a_handshake_that_takes_too_long_is_cut)
{
    const struct rj_conn_options hasty = {.handshake_ms = 100};
    struct rj_listener_stats stats;
    int fd[3];

    net_listen(NET_TLS, hasty);
    for (int i = 0; i < 3; i++)
        fd[i] = net_raw();
    after(150, 3, stop_when_empty);
    rj_loop_run(net.loop);
    stats = rj_listener_stats(net.listener);
    assert_int_equal(stats.accepted, 3);
    assert_int_equal(stats.refused, 3);
    assert_int_equal(net.ends_count, 0); /* the program never heard of them */
    for (int i = 0; i < 3; i++) {
        char byte;

        assert_int_equal(read(fd[i], &byte, 1), 0);
        (void)close(fd[i]);
    }
}

TEST(garbage_is_answered_with_an_alert_and_closed)
{
    uint8_t reply[64];
    ssize_t len;
    int fd;

    net_listen(NET_TLS, no_options);
    fd = net_raw();
    assert_int_equal(write(fd, "GET / HTTP/1.0\r\n\r\n", 18), 18);
    after(100, 1, stop_when_empty);
    rj_loop_run(net.loop);
    assert_int_equal(rj_listener_stats(net.listener).refused, 1);
    assert_int_equal(net.ends_count, 0);
    len = read(fd, reply, sizeof(reply));
    assert_true(len <= 0 || reply[0] == 21); /* alert */
    (void)close(fd);
}

static void close_listener(struct net *n, struct end *end)
{
    (void)end;
    rj_listener_close(n->listener);
    n->listener = NULL;
}

static void answer(struct net *n, struct end *end)
{
    (void)n;
    if (net_is_client(end)) {
        rj_conn_close(end->conn);
        stop();
    } else {
        rj_conn_write(end->conn, rj_buf_view(&end->heard));
    }
}

static void greet(struct net *n, struct end *end)
{
    if (net_is_client(end))
        rj_conn_write(end->conn, RJ_BYTES_LIT("hello"));
    else
        close_listener(n, end);
}

TEST(connections_outlive_their_listener)
{
    net.on_open = greet;
    net.on_data = answer;
    net_listen(NET_TLS, no_options);
    (void)net_dial(NET_TLS, no_options);
    rj_loop_run(net.loop);
    assert_bytes_equal(rj_buf_view(&net.ends[0].heard), RJ_BYTES_LIT("hello"));
    assert_ok(net.ends[1].err);
}

/* ---- sockets that somebody else opened */

static int opened(const struct sockaddr *addr, socklen_t len)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, addr, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

TEST(a_port_that_was_opened_before_is_taken_over)
{
    const struct rj_conn_options options = {.ops = &net_ops, .tls = net.tls[1]};
    const struct sockaddr_in addr = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = opened((const struct sockaddr *)&addr, sizeof(addr));

    net.on_open = greet;
    net.on_data = answer;
    assert_ok(rj_listener_given(net.loop, fd, &options, &net.listener));
    assert_true(rj_listener_port(net.listener) != 0);
    (void)net_dial(NET_TLS, no_options);
    rj_loop_run(net.loop);
    assert_bytes_equal(rj_buf_view(&net.ends[0].heard), RJ_BYTES_LIT("hello"));
}

TEST(a_unix_socket_that_was_opened_before_stays_when_the_listener_goes)
{
    const struct rj_conn_options options = {.ops = &net_ops};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct stat st;
    int fd;

    memcpy(addr.sun_path, net_path(), strlen(net_path()));
    fd = opened((const struct sockaddr *)&addr, sizeof(addr));
    net.on_open = greet;
    net.on_data = answer;
    assert_ok(rj_listener_given(net.loop, fd, &options, &net.listener));
    (void)net_dial(NET_UNIX, no_options);
    rj_loop_run(net.loop);
    assert_bytes_equal(rj_buf_view(&net.ends[0].heard), RJ_BYTES_LIT("hello"));
    assert_true(net.ends[1].info.has_cred);
    assert_string_equal(net.ends[1].addr, net_path());
    assert_int_equal(lstat(net_path(), &st), 0);
    assert_int_equal(unlink(net_path()), 0);
}

TEST(a_descriptor_that_is_no_socket_is_not_taken_over)
{
    const struct rj_conn_options options = {.ops = &net_ops};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_err(RJ_EINVAL, rj_listener_given(net.loop, ends[0], &options, &net.listener));
    assert_err(RJ_EINVAL, rj_listener_given(net.loop, -1, &options, &net.listener));
    assert_null(net.listener);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_NET(a_socket_is_for_this_user_alone),
        WITH_NET(a_missing_directory_is_made_private),
        WITH_NET(a_directory_open_to_others_is_refused),
        WITH_NET(a_dead_socket_is_replaced_and_a_live_one_is_not),
        WITH_NET(a_file_in_the_way_is_left_alone),
        WITH_NET(a_path_that_is_too_long_is_refused_and_not_cut),
        WITH_NET(a_port_that_is_taken_is_busy),
        WITH_NET(any_address_takes_local_ones_and_names_them),
        WITH_NET(connections_beyond_the_limit_are_closed),
        WITH_NET(only_so_many_are_accepted_in_one_turn),
        WITH_NET(silent_strangers_keep_nobody_out),
        WITH_NET(strangers_who_begin_a_handshake_keep_nobody_out),
        WITH_NET(a_thousand_half_open_connections_keep_nobody_out),
        WITH_NET(a_handshake_that_takes_too_long_is_cut),
        WITH_NET(garbage_is_answered_with_an_alert_and_closed),
        WITH_NET(connections_outlive_their_listener),
        WITH_NET(a_port_that_was_opened_before_is_taken_over),
        WITH_NET(a_unix_socket_that_was_opened_before_stays_when_the_listener_goes),
        WITH_NET(a_descriptor_that_is_no_socket_is_not_taken_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
