/* SPDX-License-Identifier: Apache-2.0 */
/* Embedded nodes, two in one process, driven by each kind of loop that a host may have.
 */
#include "support/temp_dir.h"
#include "support/test.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <rejoin/embed.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
#if RJ_HAVE_glib
#include <glib-unix.h>
#endif

enum { NODES = 2, LIMIT_MS = 60000 };

/* ---- a disk that fails on demand: what LMDB calls ends here */

static volatile sig_atomic_t disk_fails;

__attribute__((visibility("default"))) int fdatasync(int fd);
__attribute__((visibility("default"))) int fsync(int fd);

int fdatasync(int fd)
{
    if (disk_fails)
        errno = EIO;
    return disk_fails ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    if (disk_fails)
        errno = EIO;
    return disk_fails ? -1 : (int)syscall(SYS_fsync, fd);
}

/* ---- a machine that sleeps on demand: one of two clocks goes on */

static _Atomic(time_t) asleep_s;

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock,
                                                         struct timespec *ret);

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int status = (int)syscall(SYS_clock_gettime, clock, ret);

    if (status == 0 && clock == CLOCK_BOOTTIME)
        ret->tv_sec += asleep_s;
    return status;
}

/* ---- two nodes */

static struct rj_test_dir dir;
static struct rj_embed *nodes[NODES];
static char why[RJ_EMBED_WHY_MAX];
static unsigned notes;
static struct sigaction before[32]; /* of the open */

static struct rj_bytes text(const char *s)
{
    return rj_bytes_from_str(s);
}

static void on_note(void *ctx, enum rj_note_level level, const char *line)
{
    assert_ptr_equal(ctx, &notes);
    assert_true(level >= RJ_NOTE_INFO && level <= RJ_NOTE_ERROR);
    assert_true(strlen(line) > 0);
    notes++;
}

/* With what extra has of keys, pipes, and messages. */
static void open_node_with(size_t i, bool listen, const struct rj_embed_opts *extra)
{
    char home[RJ_TEST_PATH_MAX];
    struct rj_embed_opts opts = *extra;

    rj_test_dir_path(&dir, i == 0 ? "a" : "b", home);
    opts.size = sizeof(opts);
    opts.home = home;
    opts.name = i == 0 ? "a" : "b";
    opts.listen = listen;
    if (opts.listen_host == NULL)
        opts.listen_host = "127.0.0.1";
    opts.limits.commit_ms = 20;
    if (opts.note == NULL) {
        opts.note = on_note;
        opts.ctx = &notes;
    }
    assert_ok(rj_embed_open(&opts, why, sizeof(why), &nodes[i]));
}

static void open_node(size_t i, bool listen)
{
    static const struct rj_embed_opts none;

    open_node_with(i, listen, &none);
}

/* Closes node i and opens it again with other options. */
static void reopen_with(size_t i, const struct rj_embed_opts *extra)
{
    rj_embed_close(nodes[i], 10000);
    open_node_with(i, i == 0, extra);
}

static int open_both(void **state)
{
    (void)state;
    disk_fails = 0;
    notes = 0;
    rj_test_dir_init(&dir);
    for (int s = 1; s < 32; s++)
        (void)sigaction(s, NULL, &before[s]);
    open_node(0, true);
    open_node(1, false);
    return 0;
}

static struct rj_bucket *bucket(size_t i)
{
    struct rj_node *n = rj_embed_node(nodes[i]);
    struct rj_space *s = n != NULL ? rj_node_space(n, text("notes")) : NULL;

    return s != NULL ? rj_space_bucket(s, rj_embed_now(nodes[i])) : NULL;
}

static int64_t count_of(size_t i)
{
    struct rj_bucket *b = bucket(i);
    struct rj_bytes v;
    char digits[32] = "";

    if (b == NULL || rj_bucket_get(b, text("count"), &v) != RJ_OK)
        return -1;
    memcpy(digits, v.ptr, v.len < sizeof(digits) ? v.len : 0);
    return strtol(digits, NULL, 10);
}

static void increment(size_t i)
{
    int64_t sum;

    assert_ok(rj_bucket_incr(bucket(i), text("count"), 1, &sum));
    rj_embed_touch(nodes[i]);
    assert_int_equal(rj_embed_timeout_ms(nodes[i]), 0);
}

static void make_space(void)
{
    const struct rj_space_opts opts = {
        .kind = RJ_KIND_BUCKET, .name = text("notes"), .durability = RJ_DURABLE_SECOND};
    struct rj_space *s;

    assert_ok(
        rj_node_space_add(rj_embed_node(nodes[0]), &opts, rj_embed_now(nodes[0]), &s));
    rj_embed_touch(nodes[0]);
}

static void begin_join(void)
{
    struct rj_invite_opts opts = {.role = RJ_ROLE_WRITER, .uses = 1};
    char ticket[RJ_EMBED_TICKET_MAX], small[10];

    opts.expires_ms = rj_embed_now(nodes[0]).wall.ms + LIMIT_MS;
    assert_err(RJ_ELIMIT, rj_embed_invite(nodes[0], &opts, small, sizeof(small)));
    assert_ok(rj_embed_invite(nodes[0], &opts, ticket, sizeof(ticket)));
    assert_non_null(strstr(ticket, "@127.0.0.1:"));
    assert_non_null(strstr(ticket, rj_embed_address(nodes[0], 0)));
    assert_null(rj_embed_address(nodes[0], 1));
    assert_err(RJ_EINVAL, rj_embed_join(nodes[0], ticket));
    assert_ok(rj_embed_join(nodes[1], ticket));
}

static bool joined(void)
{
    struct rj_embed_join j = {.size = sizeof(j)};

    assert_ok(rj_embed_join_state(nodes[1], &j));
    assert_int_not_equal(j.state, RJ_JOIN_REFUSED);
    assert_true(j.connected || !j.whole);
    return j.whole;
}

static bool both_have_two(void)
{
    return count_of(0) == 2 && count_of(1) == 2;
}

static bool both_quiet(void)
{
    return rj_embed_quiet(nodes[0]) && rj_embed_quiet(nodes[1]);
}

/* ---- hosts: each drives both nodes until done() */

typedef bool done_fn(void);
typedef void host_fn(done_fn *done);

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void turns(void)
{
    for (size_t i = 0; i < NODES; i++)
        assert_ok(rj_embed_process(nodes[i]));
}

/* The wait of both: the shorter one; never so long that a test could hang. */
static int wait_ms(void)
{
    int shortest = 5000;

    for (size_t i = 0; i < NODES; i++) {
        int ms = rj_embed_timeout_ms(nodes[i]);

        if (ms >= 0 && ms < shortest)
            shortest = ms;
    }
    return shortest;
}

static void poll_host(done_fn *done)
{
    uint64_t until = now_ms() + LIMIT_MS;
    struct pollfd fds[NODES];

    while (!done()) {
        assert_true(now_ms() < until);
        for (size_t i = 0; i < NODES; i++)
            fds[i] = (struct pollfd){.fd = rj_embed_fd(nodes[i]), .events = POLLIN};
        assert_true(poll(fds, NODES, wait_ms()) >= 0);
        turns();
    }
}

static void epoll_host(done_fn *done)
{
    uint64_t until = now_ms() + LIMIT_MS;
    struct epoll_event events[NODES];
    int fd = epoll_create1(EPOLL_CLOEXEC);

    for (size_t i = 0; i < NODES; i++) {
        struct epoll_event ev = {.events = EPOLLIN, .data.u64 = i};

        assert_int_equal(epoll_ctl(fd, EPOLL_CTL_ADD, rj_embed_fd(nodes[i]), &ev), 0);
    }
    while (!done()) {
        assert_true(now_ms() < until);
        assert_true(epoll_wait(fd, events, NODES, wait_ms()) >= 0);
        turns();
    }
    (void)close(fd);
}

static int close_both(void **state)
{
    (void)state;
    disk_fails = 0;
    /* Each wants to hear the other's goodbye, and has no thread of its own for it. */
    for (size_t i = 0; i < NODES; i++)
        rj_embed_stop(nodes[i]);
    poll_host(both_quiet);
    for (int i = 0; i < 10; i++)
        turns();
    for (size_t i = 0; i < NODES; i++) {
        rj_embed_close(nodes[i], 10000);
        nodes[i] = NULL;
    }
    rj_test_dir_done(&dir);
    return 0;
}

/* ---- libuv */

static uv_loop_t uv;
static uv_timer_t uv_timer;
static done_fn *uv_done;

static void uv_go_on(void);

static void uv_on_timer(uv_timer_t *t)
{
    (void)t;
    turns();
    uv_go_on();
}

static void uv_on_fd(uv_poll_t *p, int status, int events)
{
    (void)p;
    (void)events;
    assert_int_equal(status, 0);
    turns();
    uv_go_on();
}

static void uv_go_on(void)
{
    if (uv_done())
        uv_stop(&uv);
    else
        (void)uv_timer_start(&uv_timer, uv_on_timer, (uint64_t)wait_ms(), 0);
}

static void uv_close_it(uv_handle_t *h, void *ctx)
{
    (void)ctx;
    uv_close(h, NULL);
}

static void uv_host(done_fn *done)
{
    uv_poll_t polls[NODES];

    uv_done = done;
    assert_int_equal(uv_loop_init(&uv), 0);
    assert_int_equal(uv_timer_init(&uv, &uv_timer), 0);
    for (size_t i = 0; i < NODES; i++) {
        assert_int_equal(uv_poll_init(&uv, &polls[i], rj_embed_fd(nodes[i])), 0);
        assert_int_equal(uv_poll_start(&polls[i], UV_READABLE, uv_on_fd), 0);
    }
    uv_go_on();
    (void)uv_run(&uv, UV_RUN_DEFAULT);
    assert_true(done());
    uv_walk(&uv, uv_close_it, NULL);
    (void)uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
}

/* ---- GLib */

#if RJ_HAVE_glib
static gboolean glib_on_fd(gint fd, GIOCondition condition, gpointer data)
{
    (void)fd;
    (void)condition;
    (void)data;
    turns();
    return G_SOURCE_CONTINUE;
}

static gboolean glib_on_timer(gpointer data)
{
    (void)data;
    turns();
    return G_SOURCE_REMOVE;
}

static void glib_host(done_fn *done)
{
    uint64_t until = now_ms() + LIMIT_MS;
    guint sources[NODES];

    for (size_t i = 0; i < NODES; i++)
        sources[i] = g_unix_fd_add(rj_embed_fd(nodes[i]), G_IO_IN, glib_on_fd, NULL);
    while (!done()) {
        guint timer = g_timeout_add((guint)wait_ms(), glib_on_timer, NULL);
        GSource *source = g_main_context_find_source_by_id(NULL, timer);

        assert_true(now_ms() < until);
        (void)g_source_ref(source);
        (void)g_main_context_iteration(NULL, TRUE);
        g_source_destroy(source);
        g_source_unref(source);
    }
    for (size_t i = 0; i < NODES; i++)
        (void)g_source_remove(sources[i]);
}
#endif

/* ---- tests */

/* Join, write on both sides, agree; the loops change under way. */
static void play(host_fn *host)
{
    uint64_t changes = rj_embed_changes(nodes[0]);

    make_space();
    increment(0);
    begin_join();
    host(joined);
    increment(1);
    host(both_have_two);
    assert_true(rj_embed_changes(nodes[0]) > changes);
    changes = rj_embed_changes(nodes[0]);
    assert_int_equal(rj_embed_changes(nodes[0]), changes);
    increment(0);
    host(both_quiet);
    assert_int_equal(rj_embed_changes(nodes[0]), changes);
    assert_true(notes > 0);
}

TEST(two_programs_meet_in_a_poll_loop)
{
    play(poll_host);
}

TEST(two_programs_meet_in_an_epoll_loop)
{
    play(epoll_host);
}

TEST(two_programs_meet_in_a_libuv_loop)
{
    play(uv_host);
}

TEST(two_programs_meet_in_a_glib_loop)
{
#if RJ_HAVE_glib
    play(glib_host);
#else
    print_message("no glib-2.0 at build time\n");
    skip();
#endif
}

TEST(an_idle_node_lets_its_host_sleep)
{
    unsigned n = 0;
    uint64_t begun;

    poll_host(both_quiet);
    begun = now_ms();
    while (now_ms() - begun < 1000) {
        struct pollfd p = {.fd = rj_embed_fd(nodes[1]), .events = POLLIN};
        int ms = rj_embed_timeout_ms(nodes[1]);

        (void)poll(&p, 1, ms >= 0 && ms < 1000 ? ms : 1000);
        assert_ok(rj_embed_process(nodes[1]));
        n++;
    }
    assert_in_range(n, 1, 50);
}

TEST(what_was_written_is_there_after_a_reopen)
{
    make_space();
    increment(0);
    rj_embed_close(nodes[0], 10000);
    open_node(0, true);
    assert_int_equal(count_of(0), 1);
}

TEST(a_stop_without_blocking_ends_quietly)
{
    make_space();
    increment(0);
    assert_false(rj_embed_quiet(nodes[0]));
    rj_embed_stop(nodes[0]);
    rj_embed_stop(nodes[0]);
    poll_host(both_quiet);
    rj_embed_close(nodes[0], 0);
    open_node(0, false);
    assert_int_equal(count_of(0), 1);
}

TEST(a_home_has_one_program_at_a_time)
{
    char home[RJ_TEST_PATH_MAX];
    struct rj_embed_opts opts = {.size = sizeof(opts), .home = home};
    struct rj_embed *second;

    rj_test_dir_path(&dir, "a", home);
    assert_err(RJ_EBUSY, rj_embed_open(&opts, why, sizeof(why), &second));
    assert_non_null(strstr(why, home));
}

TEST(options_are_checked)
{
    char home[RJ_TEST_PATH_MAX], name[RJ_NAME_MAX + 2];
    struct rj_embed_opts opts = {.home = home};
    struct rj_embed *e;

    rj_test_dir_path(&dir, "c", home);
    assert_err(RJ_EINVAL, rj_embed_open(&opts, why, sizeof(why), &e));
    opts.size = sizeof(opts);
    opts.home = NULL;
    assert_err(RJ_EINVAL, rj_embed_open(&opts, NULL, 0, &e));
    opts.home = "";
    assert_err(RJ_EINVAL, rj_embed_open(&opts, why, sizeof(why), &e));
    opts.home = home;
    memset(name, 'x', sizeof(name));
    name[RJ_NAME_MAX + 1] = '\0';
    opts.name = name;
    assert_err(RJ_EINVAL, rj_embed_open(&opts, why, sizeof(why), &e));
    opts.name = "";
    assert_err(RJ_EINVAL, rj_embed_open(&opts, why, sizeof(why), &e));
    opts.name = NULL;
    opts.listen = true;
    opts.listen_host = "192.0.2.1"; /* of nobody (RFC 5737) */
    assert_int_not_equal(rj_embed_open(&opts, why, sizeof(why), &e), RJ_OK);
    assert_non_null(strstr(why, "192.0.2.1"));
    opts.listen = false;
    assert_ok(rj_embed_open(&opts, why, sizeof(why), &e));
    assert_null(rj_embed_address(e, 0));
    rj_embed_close(e, 1000);
}

TEST(a_bad_ticket_is_no_join)
{
    struct rj_invite_opts opts = {.role = RJ_ROLE_WRITER, .uses = 1};
    struct rj_embed_join j = {.size = sizeof(j)};
    char ticket[RJ_EMBED_TICKET_MAX];

    assert_err(RJ_EINVAL, rj_embed_join(nodes[1], "rj1-nonsense@127.0.0.1"));
    assert_ok(rj_embed_join_state(nodes[1], &j));
    assert_int_equal(j.state, RJ_JOIN_NONE);
    j.size = 1;
    assert_err(RJ_EINVAL, rj_embed_join_state(nodes[1], &j));
    assert_err(RJ_EUNREACH, rj_embed_invite(nodes[1], &opts, ticket, sizeof(ticket)));
}

/* ---- the network's key, messages, beacons, pipes */

static bool refused_by_key(void)
{
    struct rj_embed_join j = {.size = sizeof(j)};

    assert_ok(rj_embed_join_state(nodes[1], &j));
    assert_int_equal(j.state, RJ_JOIN_WAITING);
    return strstr(j.why, "network.key") != NULL;
}

TEST(nodes_with_one_network_key_meet)
{
    const struct rj_embed_opts keyed = {.network_key = "a word of sixteen letters"};

    reopen_with(0, &keyed);
    reopen_with(1, &keyed);
    make_space();
    begin_join();
    poll_host(joined);
}

TEST(nodes_with_other_network_keys_do_not_speak)
{
    reopen_with(0, &(struct rj_embed_opts){.network_key = "a word of sixteen letters"});
    reopen_with(1, &(struct rj_embed_opts){.network_key = "another word that long"});
    make_space();
    begin_join();
    poll_host(refused_by_key);
}

TEST(a_network_key_that_can_be_guessed_is_refused)
{
    char home[RJ_TEST_PATH_MAX];
    struct rj_embed_opts opts = {.size = sizeof(opts), .home = home, .network_key = "x"};
    struct rj_embed *e;

    rj_test_dir_path(&dir, "c", home);
    assert_err(RJ_EINVAL, rj_embed_open(&opts, why, sizeof(why), &e));
    assert_non_null(strstr(why, "16"));
    opts.network_key = "/nonexistent/key";
    assert_err(RJ_ENOENT, rj_embed_open(&opts, why, sizeof(why), &e));
}

struct heard {
    unsigned n;
    char line[200]; /* the last one: space, topic, text */
};

static struct heard heard[NODES];

static void on_cast(void *ctx, struct rj_space *space, struct rj_bytes topic,
                    struct rj_bytes message)
{
    struct heard *h = ctx;

    h->n++;
    (void)snprintf(h->line, sizeof(h->line), "%s %.*s %.*s", rj_space_name(space),
                   (int)topic.len, (const char *)topic.ptr, (int)message.len,
                   (const char *)message.ptr);
}

static void quiet_note(void *ctx, enum rj_note_level level, const char *line)
{
    (void)ctx, (void)level, (void)line;
}

static bool second_heard(void)
{
    return heard[1].n > 0;
}

TEST(a_message_reaches_other_programs_and_not_its_own)
{
    memset(heard, 0, sizeof(heard));
    for (size_t i = 0; i < NODES; i++) {
        const struct rj_embed_opts opts = {
            .cast = on_cast, .note = quiet_note, .ctx = &heard[i]};

        reopen_with(i, &opts);
    }
    make_space();
    begin_join();
    poll_host(joined);
    assert_ok(rj_space_cast(rj_node_space(rj_embed_node(nodes[0]), text("notes")),
                            text("news"), text("hello")));
    rj_embed_touch(nodes[0]);
    poll_host(second_heard);
    assert_string_equal(heard[1].line, "notes news hello");
    assert_int_equal(heard[1].n, 1);
    assert_int_equal(heard[0].n, 0);
}

/* Occupies a UDP port at all addresses, alone. */
static void take_udp_port(int family, uint16_t *port, int *ret_fd)
{
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t len = sizeof(a4);
    int on = 1;

    *ret_fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (*ret_fd < 0)
        return; /* no such family here */
    if (family == AF_INET6) {
        (void)setsockopt(*ret_fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
        (void)bind(*ret_fd, (struct sockaddr *)&a6, sizeof(a6));
        return;
    }
    assert_int_equal(bind(*ret_fd, (struct sockaddr *)&a4, sizeof(a4)), 0);
    assert_int_equal(getsockname(*ret_fd, (struct sockaddr *)&a4, &len), 0);
    *port = ntohs(a4.sin_port);
}

static void note_beacon(void *ctx, enum rj_note_level level, const char *line)
{
    (void)level;
    *(bool *)ctx = *(bool *)ctx || strstr(line, "beacon") != NULL;
}

/* Nothing leaves this machine: the port is taken, which is what the program hears of. */
TEST(beacons_are_sent_only_where_peers_come_from_a_network)
{
    uint16_t port = 0;
    bool told = false;
    struct rj_embed_opts opts = {.note = note_beacon, .ctx = &told};
    int fds[2];

    take_udp_port(AF_INET, &port, &fds[0]);
    take_udp_port(AF_INET6, &port, &fds[1]);
    opts.beacon_port = port;
    reopen_with(1, &opts);
    assert_false(told);
    opts.listen_host = "";
    reopen_with(1, &opts);
    assert_true(told);
    for (size_t i = 0; i < 2; i++)
        (void)close(fds[i]);
}

static int connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

TEST(a_pipe_leads_to_the_peers_of_a_program_that_does_not_listen)
{
    char home[RJ_TEST_PATH_MAX], path[RJ_TEST_PATH_MAX + 16];
    uint64_t until = now_ms() + LIMIT_MS;
    uint8_t answer = 0;
    int fd;

    rj_test_dir_path(&dir, "b", home);
    (void)snprintf(path, sizeof(path), "%s/run/peer.sock", home);
    assert_int_equal(connect_to(path), -1);
    reopen_with(1, &(struct rj_embed_opts){.pipe = true});
    fd = connect_to(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "\x16\x03\x01\0\4spam", 9), 9); /* no handshake */
    while (recv(fd, &answer, 1, MSG_DONTWAIT) < 0) {
        assert_true(now_ms() < until);
        turns();
    }
    assert_int_equal(answer, 21); /* an alert of TLS */
    (void)close(fd);
}

/* ---- signals are the host's */

TEST(no_signal_disposition_is_changed)
{
    struct sigaction now;

    make_space();
    poll_host(both_quiet);
    for (int s = 1; s < 32; s++) {
        if (sigaction(s, NULL, &now) == 0)
            assert_ptr_equal(now.sa_handler, before[s].sa_handler);
    }
    assert_ptr_equal(before[SIGPIPE].sa_handler, SIG_DFL);
}

static bool connected(void)
{
    struct rj_peer_info p;

    for (size_t i = 0; rj_node_peer(rj_embed_node(nodes[0]), i, &p); i++) {
        if (p.session != 0)
            return true;
    }
    return false;
}

static bool disconnected(void)
{
    return !connected();
}

/* Cuts every TCP connection of this process both ways: whoever writes next gets EPIPE. */
static void shut_all_sockets(void)
{
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);

        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
            peer.ss_family == AF_INET)
            (void)shutdown(fd, SHUT_WR);
    }
}

TEST(a_broken_connection_raises_no_sigpipe)
{
    make_space();
    begin_join();
    poll_host(joined);
    poll_host(connected);
    shut_all_sockets();
    increment(0); /* to be sent on what is shut */
    increment(1);
    poll_host(disconnected); /* SIGPIPE would have ended this process */
    poll_host(connected);
    poll_host(both_have_two);
}

static volatile sig_atomic_t usr1;

static void on_usr1(int signo)
{
    (void)signo;
    usr1++;
}

TEST(signals_of_the_host_reach_its_own_thread)
{
    struct sigaction a = {.sa_handler = on_usr1}, old;
    sigset_t mask;

    (void)sigaction(SIGUSR1, &a, &old);
    usr1 = 0;
    make_space();
    poll_host(both_quiet); /* the workers are there now */
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGUSR1)); /* as it was */
    (void)sigaddset(&mask, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &mask, NULL);
    (void)kill(getpid(), SIGUSR1); /* nobody takes it: the workers have it blocked */
    (void)usleep(20000);
    assert_int_equal(usr1, 0);
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGUSR1);
    (void)pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    assert_int_equal(usr1, 1);
    (void)sigaction(SIGUSR1, &old, NULL);
}

/* ---- sleep */

static bool woke;

static void note_waking(void *ctx, enum rj_note_level level, const char *line)
{
    (void)ctx, (void)level;
    woke = woke || strncmp(line, "peer.woke", 9) == 0;
}

static bool has_woken(void)
{
    return woke;
}

TEST(a_machine_that_slept_looks_around_and_keeps_what_still_works)
{
    woke = false;
    reopen_with(0, &(struct rj_embed_opts){.note = note_waking});
    make_space();
    increment(0);
    begin_join();
    poll_host(joined);
    poll_host(connected);
    assert_false(woke);
    asleep_s += 3600;
    poll_host(has_woken);
    assert_true(connected());
    increment(1);
    poll_host(both_have_two);
}

/* ---- an instance ends and another begins */

static bool gone(void)
{
    return rj_embed_node(nodes[0]) == NULL;
}

static bool there(void)
{
    return rj_embed_node(nodes[0]) != NULL;
}

TEST(a_failed_disk_ends_the_instance_and_another_begins)
{
    char ticket[RJ_EMBED_TICKET_MAX];
    struct rj_invite_opts opts = {.role = RJ_ROLE_WRITER, .uses = 1};

    make_space();
    increment(0);
    poll_host(both_quiet);
    assert_int_equal(rj_embed_instance(nodes[0]), 1);
    disk_fails = 1;
    increment(0);
    poll_host(gone);
    assert_err(RJ_EBUSY, rj_embed_invite(nodes[0], &opts, ticket, sizeof(ticket)));
    assert_true(rj_embed_quiet(nodes[0]));
    (void)rj_embed_changes(nodes[0]);
    disk_fails = 0;
    poll_host(there);
    assert_true(rj_embed_instance(nodes[0]) >= 2);
    assert_in_range(count_of(0), 1, 2); /* the second one was never durable */
    increment(0);
    poll_host(both_quiet);
}

#define BOTH(test) cmocka_unit_test_setup_teardown(test, open_both, close_both)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(no_signal_disposition_is_changed),
        BOTH(two_programs_meet_in_a_poll_loop),
        BOTH(two_programs_meet_in_an_epoll_loop),
        BOTH(two_programs_meet_in_a_libuv_loop),
        BOTH(two_programs_meet_in_a_glib_loop),
        BOTH(an_idle_node_lets_its_host_sleep),
        BOTH(what_was_written_is_there_after_a_reopen),
        BOTH(a_stop_without_blocking_ends_quietly),
        BOTH(a_home_has_one_program_at_a_time),
        BOTH(options_are_checked),
        BOTH(a_bad_ticket_is_no_join),
        BOTH(nodes_with_one_network_key_meet),
        BOTH(nodes_with_other_network_keys_do_not_speak),
        BOTH(a_network_key_that_can_be_guessed_is_refused),
        BOTH(a_message_reaches_other_programs_and_not_its_own),
        BOTH(beacons_are_sent_only_where_peers_come_from_a_network),
        BOTH(a_pipe_leads_to_the_peers_of_a_program_that_does_not_listen),
        BOTH(a_broken_connection_raises_no_sigpipe),
        BOTH(a_machine_that_slept_looks_around_and_keeps_what_still_works),
        BOTH(signals_of_the_host_reach_its_own_thread),
        BOTH(a_failed_disk_ends_the_instance_and_another_begins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
