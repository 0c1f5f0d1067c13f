/* SPDX-License-Identifier: Apache-2.0 */
/* The client library against a daemon that is played by a thread here, and plays foul. */
#include "client/doc.h"
#include "client/message.h"
#include "support/temp_dir.h"
#include "support/test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <rejoin/client.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- a daemon */

/* Answers one request; false: closes the connection. */
typedef bool play_fn(int fd, const struct rj_message_request *m);

static struct rj_test_dir dir;
static char path[RJ_TEST_PATH_MAX];
static char why[RJ_CLIENT_WHY_MAX];
static int listener = -1, quit_fd = -1;
static pthread_t thread;
static play_fn *play;
static atomic_uint requests, connections;

static void send_bytes(int fd, struct rj_bytes b)
{
    (void)!send(fd, b.ptr, b.len, MSG_NOSIGNAL);
}

static void reply(int fd, uint64_t id, enum rj_message_kind kind, struct rj_bytes body)
{
    const struct rj_message_reply m = {.id = id, .kind = kind, .body = body};
    struct rj_buf out = {0};

    if (rj_message_put_reply(&out, &m) == RJ_OK)
        send_bytes(fd, rj_buf_view(&out));
    rj_buf_done(&out);
}

/* A map of a text and up to two numbers, as the result. */
static void reply_map(int fd, uint64_t id, const char *version, uint64_t control,
                      uint64_t least)
{
    struct rj_doc d = {0};
    struct rj_bytes body;

    rj_doc_map(&d);
    rj_doc_put_str(&d, "version", version);
    if (control > 0)
        rj_doc_put_uint(&d, "control", control);
    if (least > 0)
        rj_doc_put_uint(&d, "control_least", least);
    rj_doc_end(&d);
    if (rj_doc_view(&d, &body) == RJ_OK)
        reply(fd, id, RJ_MESSAGE_RESULT, body);
    rj_doc_done(&d);
}

static void reply_error(int fd, uint64_t id, const char *code)
{
    struct rj_doc d = {0};
    struct rj_bytes body;

    rj_doc_map(&d);
    rj_doc_put_str(&d, "code", code);
    rj_doc_put_str(&d, "hint", "do this");
    rj_doc_put_str(&d, "why", "because");
    rj_doc_end(&d);
    if (rj_doc_view(&d, &body) == RJ_OK)
        reply(fd, id, RJ_MESSAGE_ERROR, body);
    rj_doc_done(&d);
}

/* "results": what the text says in CBOR. */
static void reply_results(int fd, uint64_t id, struct rj_bytes list)
{
    struct rj_doc d = {0};
    struct rj_bytes body;

    rj_doc_map(&d);
    rj_doc_key(&d, "results");
    rj_doc_raw(&d, list);
    rj_doc_end(&d);
    if (rj_doc_view(&d, &body) == RJ_OK)
        reply(fd, id, RJ_MESSAGE_RESULT, body);
    rj_doc_done(&d);
}

static bool is_verb(const struct rj_message_request *m, const char *verb)
{
    return rj_bytes_equal(m->verb, rj_bytes_from_str(verb));
}

/* Reads requests of one connection until it closes, or the test is over. */
static void serve(int fd)
{
    struct rj_buf in = {0};
    bool goes = true;

    while (goes) {
        struct pollfd p[] = {{.fd = fd, .events = POLLIN},
                             {.fd = quit_fd, .events = POLLIN}};
        uint8_t *room = rj_buf_reserve(&in, 65536);
        struct rj_message_request m;
        struct rj_bytes item;
        size_t used;
        ssize_t n;

        if (poll(p, 2, -1) < 0 || p[1].revents != 0)
            break;
        n = recv(fd, room, 65536, 0);
        if (n <= 0)
            break;
        rj_buf_commit(&in, (size_t)n);
        while (goes && rj_message_next(rj_buf_view(&in), &item, &used) == RJ_OK &&
               rj_message_request(item, &m) == RJ_OK) {
            atomic_fetch_add(&requests, 1);
            goes = play(fd, &m);
            rj_buf_consume(&in, used);
        }
    }
    rj_buf_done(&in);
    (void)close(fd);
}

static void *run(void *arg)
{
    for (;;) {
        struct pollfd p[] = {{.fd = listener, .events = POLLIN},
                             {.fd = quit_fd, .events = POLLIN}};
        int fd;

        if (poll(p, 2, -1) < 0 || p[1].revents != 0)
            return arg;
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        atomic_fetch_add(&connections, 1);
        serve(fd);
    }
}

static int begin(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    (void)state;
    rj_test_dir_init(&dir);
    rj_test_dir_path(&dir, "control", path);
    assert_true(strlen(path) < sizeof(addr.sun_path));
    memcpy(addr.sun_path, path, strlen(path));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(listener, 1), 0);
    quit_fd = eventfd(0, EFD_CLOEXEC);
    atomic_store(&requests, 0);
    atomic_store(&connections, 0);
    assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
    return 0;
}

static int end(void **state)
{
    const uint64_t one = 1;

    (void)state;
    assert_int_equal(write(quit_fd, &one, sizeof(one)), sizeof(one));
    (void)pthread_join(thread, NULL);
    (void)close(listener);
    (void)close(quit_fd);
    rj_test_dir_done(&dir);
    return 0;
}

static enum rj_err try_open(play_fn *how, uint32_t timeout_ms, struct rj_client **ret)
{
    const struct rj_client_opts opts = {
        .size = sizeof(opts), .socket = path, .timeout_ms = timeout_ms};

    play = how;
    return rj_client_open(&opts, why, sizeof(why), ret);
}

static struct rj_client *open_client(play_fn *how)
{
    struct rj_client *c = NULL;

    assert_ok(try_open(how, 20000, &c));
    return c;
}

/* ---- versions */

static bool play_well(int fd, const struct rj_message_request *m)
{
    static const uint8_t three[] = {0x81, 0x81, 0x03}; /* [[3]] */

    if (is_verb(m, "ping"))
        reply_map(fd, m->id, "7.8.9", RJ_MESSAGE_VERSION, 1);
    else
        reply_results(fd, m->id, RJ_BYTES_OF(three));
    return true;
}

static bool play_old(int fd, const struct rj_message_request *m)
{
    reply_map(fd, m->id, "0.0.1", 0, 0);
    return true;
}

static bool play_too_new(int fd, const struct rj_message_request *m)
{
    reply_map(fd, m->id, "99.0", 100, 99);
    return true;
}

static bool play_newer(int fd, const struct rj_message_request *m)
{
    if (!is_verb(m, "ping"))
        return play_well(fd, m);
    reply_map(fd, m->id, "99.0", 100, 1);
    return true;
}

TEST(a_daemon_of_the_same_age_is_understood)
{
    struct rj_client *c = open_client(play_well);
    uint64_t n = 0;

    assert_string_equal(rj_client_daemon_version(c), "7.8.9");
    assert_ok(rj_client_count(c, &n));
    assert_int_equal(n, 3);
    rj_client_close(c);
}

TEST(a_newer_daemon_that_still_serves_us_is_understood)
{
    struct rj_client *c = open_client(play_newer);
    uint64_t n = 0;

    assert_ok(rj_client_count(c, &n));
    rj_client_close(c);
}

TEST(an_older_daemon_is_refused_with_what_to_do)
{
    struct rj_client *c;

    assert_err(RJ_EVERSION, try_open(play_old, 0, &c));
    assert_non_null(strstr(why, "the daemon (0.0.1) is older"));
}

TEST(a_daemon_that_is_too_new_is_refused_with_what_to_do)
{
    struct rj_client *c;

    assert_err(RJ_EVERSION, try_open(play_too_new, 0, &c));
    assert_non_null(strstr(why, "too old for the daemon (99.0)"));
}

static bool play_no_data(int fd, const struct rj_message_request *m)
{
    if (is_verb(m, "ping"))
        return play_well(fd, m);
    reply_error(fd, m->id, "EVERSION");
    return true;
}

TEST(an_unknown_verb_is_a_clear_error)
{
    struct rj_client *c = open_client(play_no_data);
    uint64_t n;

    assert_err(RJ_EVERSION, rj_client_count(c, &n));
    assert_string_equal(rj_client_why(c), "because");
    assert_string_equal(rj_client_hint(c), "do this");
    assert_err(RJ_EVERSION, rj_client_count(c, &n)); /* on the same connection */
    assert_int_equal(atomic_load(&connections), 1);
    rj_client_close(c);
}

/* ---- errors */

static const char *code;

static bool play_code(int fd, const struct rj_message_request *m)
{
    if (is_verb(m, "ping"))
        return play_well(fd, m);
    reply_error(fd, m->id, code);
    return true;
}

TEST(errors_are_told_by_name)
{
    struct rj_client *c = open_client(play_code);
    uint64_t n;

    code = "ENOENT";
    assert_err(RJ_ENOENT, rj_client_count(c, &n));
    code = "EFULL";
    assert_err(RJ_EFULL, rj_client_count(c, &n));
    code = "ENOTKNOWNYET";
    assert_err(RJ_EIO, rj_client_count(c, &n));
    assert_string_equal(rj_client_why(c), "because");
    code = "OK";
    assert_err(RJ_EPROTO, rj_client_count(c, &n));
    rj_client_close(c);
}

TEST(nobody_at_the_socket_is_no_daemon)
{
    struct rj_client_opts opts = {.size = sizeof(opts), .socket = "/nonexistent/control"};
    char longest[300];
    struct rj_client *c;

    assert_err(RJ_ENODAEMON, rj_client_open(&opts, why, sizeof(why), &c));
    assert_non_null(strstr(why, "not running"));
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    opts.socket = longest;
    assert_err(RJ_ELIMIT, rj_client_open(&opts, why, sizeof(why), &c));
    opts.size = 3;
    assert_err(RJ_EINVAL, rj_client_open(&opts, why, sizeof(why), &c));
}

TEST(options_of_older_and_newer_headers_are_understood)
{
    struct {
        struct rj_client_opts opts;
        uint64_t later;
    } newer = {.opts.socket = path};
    struct rj_client *c = NULL;

    play = play_well;
    newer.opts.size = offsetof(struct rj_client_opts, timeout_ms);
    newer.opts.timeout_ms = 1; /* beyond: not looked at */
    assert_ok(rj_client_open(&newer.opts, why, sizeof(why), &c));
    rj_client_close(c);
    newer.opts.size = sizeof(newer);
    newer.opts.timeout_ms = 0;
    assert_ok(rj_client_open(&newer.opts, why, sizeof(why), &c));
    rj_client_close(c);
    newer.later = 1;
    assert_err(RJ_EINVAL, rj_client_open(&newer.opts, why, sizeof(why), &c));
}

/* ---- daemons that hang, stop half-way, talk nonsense */

static bool play_deaf(int fd, const struct rj_message_request *m)
{
    (void)fd;
    (void)m;
    return true;
}

static bool play_deaf_later(int fd, const struct rj_message_request *m)
{
    return is_verb(m, "ping") ? play_well(fd, m) : true;
}

static bool play_half(int fd, const struct rj_message_request *m)
{
    static const uint8_t half[] = {0, 0, 0, 50, 0xa3, 0x62, 'i', 'd'};

    if (is_verb(m, "ping"))
        return play_well(fd, m);
    send_bytes(fd, RJ_BYTES_OF(half));
    return true;
}

static bool play_half_and_end(int fd, const struct rj_message_request *m)
{
    (void)play_half(fd, m);
    return is_verb(m, "ping");
}

static bool play_nonsense(int fd, const struct rj_message_request *m)
{
    (void)m;
    send_bytes(fd, RJ_BYTES_LIT("HTTP/1.1 400 Bad Request\r\n\r\n"));
    return true;
}

static bool play_wrong_map(int fd, const struct rj_message_request *m)
{
    static const uint8_t map[] = {0xa0};

    reply(fd, m->id, RJ_MESSAGE_RESULT, RJ_BYTES_OF(map));
    return true;
}

TEST(a_daemon_that_hangs_runs_into_the_time_out)
{
    struct rj_client *c = NULL;
    uint64_t n;

    assert_err(RJ_ETIMEOUT, try_open(play_deaf, 30, &c));
    assert_non_null(strstr(why, "in time"));
    c = open_client(play_deaf_later);
    rj_client_set_timeout(c, 30);
    assert_err(RJ_ETIMEOUT, rj_client_count(c, &n));
    play = play_half;
    assert_err(RJ_ETIMEOUT, rj_client_count(c, &n));
    play = play_well; /* and the handle is still good */
    rj_client_set_timeout(c, 20000);
    assert_ok(rj_client_count(c, &n));
    assert_int_equal(n, 3);
    rj_client_close(c);
}

/* Answers, and then reads nothing any more. */
static bool play_stuck(int fd, const struct rj_message_request *m)
{
    struct pollfd p = {.fd = quit_fd, .events = POLLIN};

    (void)play_well(fd, m);
    if (!is_verb(m, "ping"))
        (void)poll(&p, 1, -1);
    return true;
}

TEST(a_daemon_that_does_not_even_read_runs_into_the_time_out)
{
    struct rj_client *c = open_client(play_stuck);
    struct rj_bytes v = {.len = 8 * 1024 * 1024};
    uint8_t *large = calloc(1, v.len);
    uint64_t n;

    v.ptr = large;
    assert_ok(rj_client_count(c, &n));
    rj_client_set_timeout(c, 50);
    assert_err(RJ_ETIMEOUT, rj_client_set(c, RJ_BYTES_LIT("k"), v, NULL));
    rj_client_cancel(c);
    assert_err(RJ_ECANCELED, rj_client_count(c, &n)); /* nor does it accept */
    free(large);
    rj_client_close(c);
}

TEST(half_an_answer_and_an_end_is_no_daemon)
{
    struct rj_client *c = open_client(play_half_and_end);
    uint64_t n;

    assert_err(RJ_ENODAEMON, rj_client_count(c, &n));
    assert_non_null(strstr(rj_client_why(c), "before it answered"));
    rj_client_close(c);
}

TEST(nonsense_is_a_broken_protocol)
{
    struct rj_client *c = NULL;

    assert_err(RJ_EPROTO, try_open(play_nonsense, 20000, &c));
    assert_non_null(strstr(why, "no rejoind"));
    assert_err(RJ_EPROTO, try_open(play_wrong_map, 20000, &c));
}

static struct rj_bytes results;

static bool play_results(int fd, const struct rj_message_request *m)
{
    if (is_verb(m, "ping"))
        return play_well(fd, m);
    reply_results(fd, m->id, results);
    return true;
}

TEST(results_of_another_shape_are_a_broken_protocol)
{
    static const uint8_t none[] = {0x80}, two[] = {0x82, 0x81, 0x03, 0x81, 0x03},
                         text[] = {0x81, 0x81, 0x61, 'x'}, empty[] = {0x81, 0x80},
                         ok[] = {0x81, 0x62, 'O', 'K'}, map[] = {0xa0},
                         endless[] = {0x81, 0x81, 0x83, 0x02, 0xf5, 0x80};
    const struct rj_bytes all[] = {RJ_BYTES_OF(none), RJ_BYTES_OF(two),
                                   RJ_BYTES_OF(text), RJ_BYTES_OF(empty),
                                   RJ_BYTES_OF(ok),   RJ_BYTES_OF(map)};
    struct rj_client *c = open_client(play_results);
    const struct rj_bytes *elems;
    uint64_t n;
    size_t count;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        results = all[i];
        assert_err(RJ_EPROTO, rj_client_count(c, &n));
    }
    results = RJ_BYTES_OF(endless); /* a set that says "more" and gives nothing */
    assert_err(RJ_EPROTO, rj_client_smembers(c, RJ_BYTES_LIT("k"), &elems, &count));
    rj_client_close(c);
}

TEST(results_of_each_kind_are_read)
{
    /* [["v"], [[5, ["a", "b"]]], "ENOENT", [-3], [[3, false, ["f", "1"]]]] */
    static const uint8_t list[] = {0x85, 0x81, 0x41, 'v',  0x81, 0x82, 0x05, 0x82,
                                   0x41, 'a',  0x41, 'b',  0x66, 'E',  'N',  'O',
                                   'E',  'N',  'T',  0x81, 0x22, 0x81, 0x83, 0x03,
                                   0xf4, 0x82, 0x41, 'f',  0x41, '1'};
    const struct rj_op ops[] = {{.code = RJ_OP_GET},
                                {.code = RJ_OP_SCAN, .number = 10},
                                {.code = RJ_OP_GET},
                                {.code = RJ_OP_INCR},
                                {.code = RJ_OP_WALK}};
    struct rj_op_result r[5];
    struct rj_client *c = open_client(play_results);

    results = RJ_BYTES_OF(list);
    assert_ok(rj_client_run(c, ops, 5, false, r));
    assert_bytes_equal(r[0].value, RJ_BYTES_LIT("v"));
    assert_int_equal(r[1].cursor, 5);
    assert_int_equal(r[1].n_items, 2);
    assert_bytes_equal(r[1].items[1], RJ_BYTES_LIT("b"));
    assert_err(RJ_ENOENT, r[2].err);
    assert_int_equal(r[3].number, -3);
    assert_int_equal(r[4].number, RJ_TYPE_HASH);
    assert_int_equal(r[4].cursor, 0);
    assert_bytes_equal(r[4].items[0], RJ_BYTES_LIT("f"));
    rj_client_close(c);
}

/* ---- connections */

static bool play_once(int fd, const struct rj_message_request *m)
{
    (void)play_well(fd, m);
    return is_verb(m, "ping"); /* closes after the first real answer */
}

TEST(a_daemon_that_was_restarted_is_connected_again)
{
    struct rj_client *c = open_client(play_once);
    uint64_t n;

    for (int i = 0; i < 3; i++) {
        enum rj_err err = rj_client_count(c, &n);

        /* Whether the end is seen before the request leaves is a matter of time. */
        if (err == RJ_ENODAEMON)
            err = rj_client_count(c, &n);
        assert_ok(err);
    }
    assert_true(atomic_load(&connections) >= 3);
    rj_client_close(c);
}

/* ---- cancelling */

static void *cancel_it(void *arg)
{
    while (atomic_load(&requests) < 2) /* the call is under way */
        (void)usleep(1000);
    rj_client_cancel(arg);
    return NULL;
}

static struct rj_client *signalled;

static void on_alarm(int signo)
{
    (void)signo;
    rj_client_cancel(signalled);
}

TEST(a_call_is_cancelled_from_another_thread)
{
    struct rj_client *c = open_client(play_deaf_later);
    pthread_t canceller;
    uint64_t n;

    assert_int_equal(pthread_create(&canceller, NULL, cancel_it, c), 0);
    assert_err(RJ_ECANCELED, rj_client_count(c, &n));
    (void)pthread_join(canceller, NULL);
    play = play_well;
    assert_ok(rj_client_count(c, &n));
    rj_client_cancel(c); /* before a call: that one */
    rj_client_cancel(c);
    assert_err(RJ_ECANCELED, rj_client_count(c, &n));
    assert_ok(rj_client_count(c, &n));
    rj_client_close(c);
}

TEST(a_call_is_cancelled_by_a_signal_handler)
{
    struct sigaction a = {.sa_handler = on_alarm}, old;
    struct itimerval soon = {.it_value.tv_usec = 20000};
    struct rj_client *c = open_client(play_deaf_later);
    uint64_t n;

    signalled = c;
    (void)sigaction(SIGALRM, &a, &old);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    assert_err(RJ_ECANCELED, rj_client_count(c, &n));
    (void)sigaction(SIGALRM, &old, NULL);
    rj_client_close(c);
}

/* ---- watching */

static bool play_events(int fd, const struct rj_message_request *m)
{
    struct rj_doc d = {0};
    struct rj_bytes body;

    if (!is_verb(m, "watch"))
        return play_well(fd, m);
    for (int i = 0; i < 3; i++) {
        rj_doc_clear(&d);
        rj_doc_map(&d);
        rj_doc_put_str(&d, "event", "peer.up");
        rj_doc_put_str(&d, "text", "peer.up device=1");
        rj_doc_put_str(&d, "level", "info");
        rj_doc_put_uint(&d, "time_ms", 7);
        rj_doc_end(&d);
        assert_ok(rj_doc_view(&d, &body));
        if (i > 0) /* as if the ping had been answered before them */
            reply_map(fd, m->id + 1, "1", 2, 1);
        reply(fd, m->id, RJ_MESSAGE_EVENT, body);
    }
    rj_doc_done(&d);
    return true;
}

struct seen {
    unsigned begun, events;
};

static bool on_event(void *ctx, const struct rj_client_event *ev)
{
    struct seen *s = ctx;

    if (ev == NULL) {
        s->begun++;
        return true;
    }
    assert_true(s->begun > 0);
    assert_string_equal(ev->event, "peer.up");
    assert_string_equal(ev->text, "peer.up device=1");
    assert_string_equal(ev->level, "info");
    assert_int_equal(ev->time_ms, 7);
    return ++s->events < 2;
}

TEST(a_watch_gets_events_until_it_has_seen_enough)
{
    struct rj_client *c = open_client(play_events);
    struct seen seen = {0};
    uint64_t n;

    assert_ok(rj_client_watch(c, on_event, &seen));
    assert_int_equal(seen.events, 2);
    play = play_well;
    assert_ok(rj_client_count(c, &n));
    rj_client_close(c);
}

/* ---- in a loop of one's own */

static void await_readable(struct rj_client *c)
{
    struct pollfd p = {.fd = rj_client_fd(c), .events = POLLIN};

    assert_true(p.fd >= 0);
    assert_int_equal(poll(&p, 1, 20000), 1);
}

TEST(a_request_in_a_loop_does_not_wait)
{
    const struct rj_op op = {.code = RJ_OP_COUNT};
    struct rj_client *c = open_client(play_deaf_later);
    struct rj_op_result r = {0};
    enum rj_err err;
    uint64_t n;

    assert_int_equal(rj_client_fd(c), -1);
    assert_err(RJ_EINVAL, rj_client_run_end(c, &op, 1, &r));
    assert_ok(rj_client_run_begin(c, &op, 1, false));
    assert_err(RJ_EBUSY, rj_client_run_end(c, &op, 1, &r));
    assert_err(RJ_EBUSY, rj_client_count(c, &n));
    assert_err(RJ_EBUSY, rj_client_run_begin(c, &op, 1, false));
    rj_client_cancel(c);
    assert_err(RJ_ECANCELED, rj_client_run_end(c, &op, 1, &r));
    assert_int_equal(rj_client_fd(c), -1);
    play = play_well;
    assert_ok(rj_client_run_begin(c, &op, 1, false));
    do {
        await_readable(c);
        err = rj_client_run_end(c, &op, 1, &r);
    } while (err == RJ_EBUSY);
    assert_ok(err);
    assert_int_equal(r.number, 3);
    assert_ok(rj_client_count(c, &n));
    rj_client_close(c);
}

TEST(a_watch_in_a_loop_does_not_wait)
{
    struct rj_client *c = open_client(play_events);
    struct seen seen = {0};
    uint64_t n;

    assert_err(RJ_EINVAL, rj_client_watch_next(c, on_event, &seen));
    assert_ok(rj_client_watch_begin(c));
    assert_err(RJ_EBUSY, rj_client_count(c, &n));
    while (seen.events < 2) {
        await_readable(c);
        assert_ok(rj_client_watch_next(c, on_event, &seen));
    }
    assert_int_equal(rj_client_fd(c), -1); /* it had seen enough */
    play = play_well;
    assert_ok(rj_client_count(c, &n));
    rj_client_close(c);
}

/* ---- what is refused here already */

TEST(malformed_operations_never_leave)
{
    struct rj_client *c = open_client(play_well);
    struct rj_op op = {.code = RJ_OP_SADD};
    struct rj_op_result r;
    unsigned before = atomic_load(&requests);
    char name[RJ_NAME_MAX + 2];
    struct rj_bytes huge = {.ptr = (const uint8_t *)name, .len = SIZE_MAX / 2};

    assert_err(RJ_EINVAL, rj_client_run(c, &op, 1, false, &r)); /* no items */
    op.code = RJ_OP_COUNT_;
    assert_err(RJ_EINVAL, rj_client_run(c, &op, 1, false, &r));
    assert_err(RJ_ELIMIT, rj_client_run(c, &op, RJ_CLIENT_OPS_MAX + 1, false, &r));
    op = (struct rj_op){.code = RJ_OP_GET, .key = huge};
    assert_err(RJ_ELIMIT, rj_client_run(c, &op, 1, false, &r));
    assert_int_equal(atomic_load(&requests), before);
    memset(name, 'n', sizeof(name));
    name[RJ_NAME_MAX + 1] = '\0';
    assert_err(RJ_EINVAL, rj_client_use(c, name));
    name[RJ_NAME_MAX] = '\0';
    assert_ok(rj_client_use(c, name));
    rj_client_close(c);
}

#define WITH_DAEMON(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DAEMON(a_daemon_of_the_same_age_is_understood),
        WITH_DAEMON(a_newer_daemon_that_still_serves_us_is_understood),
        WITH_DAEMON(an_older_daemon_is_refused_with_what_to_do),
        WITH_DAEMON(a_daemon_that_is_too_new_is_refused_with_what_to_do),
        WITH_DAEMON(an_unknown_verb_is_a_clear_error),
        WITH_DAEMON(errors_are_told_by_name),
        cmocka_unit_test(nobody_at_the_socket_is_no_daemon),
        WITH_DAEMON(options_of_older_and_newer_headers_are_understood),
        WITH_DAEMON(a_daemon_that_hangs_runs_into_the_time_out),
        WITH_DAEMON(a_daemon_that_does_not_even_read_runs_into_the_time_out),
        WITH_DAEMON(half_an_answer_and_an_end_is_no_daemon),
        WITH_DAEMON(nonsense_is_a_broken_protocol),
        WITH_DAEMON(results_of_another_shape_are_a_broken_protocol),
        WITH_DAEMON(results_of_each_kind_are_read),
        WITH_DAEMON(a_daemon_that_was_restarted_is_connected_again),
        WITH_DAEMON(a_call_is_cancelled_from_another_thread),
        WITH_DAEMON(a_call_is_cancelled_by_a_signal_handler),
        WITH_DAEMON(a_watch_gets_events_until_it_has_seen_enough),
        WITH_DAEMON(a_request_in_a_loop_does_not_wait),
        WITH_DAEMON(a_watch_in_a_loop_does_not_wait),
        WITH_DAEMON(malformed_operations_never_leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
