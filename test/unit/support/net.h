/* SPDX-License-Identifier: Apache-2.0 */
/* A loop with a watchdog, two devices, and connections that keep a diary: for tests of
 * connections and listeners. Both ends live in one loop and one thread. */
#ifndef RJ_TEST_NET_H
#define RJ_TEST_NET_H

#include "base/buf.h"
#include "posix/conn.h"
#include "posix/crypto.h"
#include "posix/loop.h"
#include "posix/tls.h"
#include "support/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WATCHDOG_MS = 100000, ENDS_MAX = 64 };

/* What happened to one end of a connection. */
struct end {
    struct rj_conn *conn; /* NULL: not yet, or no more */
    struct rj_buf heard;
    unsigned opens, reads, eofs, drains, closes;
    enum rj_err err; /* of on_close */
    char why[128];
    struct rj_conn_info info; /* at on_open, without what is borrowed */
    uint8_t pubkey[RJ_PUBKEY_LEN];
    bool has_pubkey;
    char addr[RJ_CONN_ADDR_MAX];
};

/* What a test wants to happen, besides the diary; may be NULL. */
struct net;
typedef void end_fn(struct net *net, struct end *end);

struct net {
    struct rj_loop *loop;
    struct rj_timer *watchdog, *timer; /* timer: of net_after() */
    struct rj_crypto *crypto[2];       /* 0: clients, 1: servers */
    struct rj_tls_ctx *tls[2];
    struct rj_listener *listener;
    struct end ends[ENDS_MAX];
    unsigned ends_count;
    end_fn *on_open, *on_data, *on_eof, *on_drain, *on_close;
    void (*on_turn)(struct net *net);
    char dir[64];
    uint64_t number; /* of the test's own */
};

static struct net net;

static inline struct end *end_of(struct rj_conn *conn)
{
    return rj_conn_ctx(conn);
}

static inline void call(end_fn *fn, struct end *end)
{
    if (fn != NULL)
        fn(&net, end);
}

static inline void net_on_open(struct rj_conn *conn)
{
    struct end *end = rj_conn_ctx(conn);
    struct rj_conn_info info = rj_conn_info(conn);

    if (end == NULL) { /* accepted: takes the next page */
        assert_true(net.ends_count < ENDS_MAX);
        end = &net.ends[net.ends_count++];
        rj_conn_set_ctx(conn, end);
    }
    end->conn = conn;
    end->opens++;
    end->info = info;
    (void)snprintf(end->addr, sizeof(end->addr), "%s", info.addr);
    end->has_pubkey = info.pubkey != NULL;
    if (info.pubkey != NULL)
        memcpy(end->pubkey, info.pubkey, RJ_PUBKEY_LEN);
    call(net.on_open, end);
}

static inline void net_on_data(struct rj_conn *conn, struct rj_bytes data)
{
    struct end *end = end_of(conn);

    assert_int_equal(end->opens, 1);
    assert_int_equal(end->closes, 0);
    assert_true(data.len > 0);
    end->reads++;
    rj_buf_append(&end->heard, data);
    call(net.on_data, end);
}

static inline void net_on_eof(struct rj_conn *conn)
{
    end_of(conn)->eofs++;
    if (net.on_eof != NULL)
        net.on_eof(&net, end_of(conn));
    else
        rj_conn_close(conn);
}

static inline void net_on_drain(struct rj_conn *conn)
{
    end_of(conn)->drains++;
    call(net.on_drain, end_of(conn));
}

static inline void net_on_close(struct rj_conn *conn, enum rj_err err)
{
    struct end *end = end_of(conn);

    end->closes++;
    end->err = err;
    (void)snprintf(end->why, sizeof(end->why), "%s", rj_conn_why(conn));
    call(net.on_close, end);
    end->conn = NULL;
}

static const struct rj_conn_ops net_ops = {
    .on_open = net_on_open,
    .on_data = net_on_data,
    .on_eof = net_on_eof,
    .on_drain = net_on_drain,
    .on_close = net_on_close,
};

static inline void net_on_turn(void *ctx)
{
    (void)ctx;
    if (net.on_turn != NULL)
        net.on_turn(&net);
}

static inline void net_on_signal(void *ctx, int signo)
{
    (void)ctx, (void)signo;
    rj_loop_stop(net.loop, 1000);
}

static const struct rj_loop_ops net_loop_ops = {
    .on_turn = net_on_turn,
    .on_signal = net_on_signal,
};

static inline void net_bark(void *ctx)
{
    (void)ctx;
    (void)fprintf(stderr, "the test hangs\n");
    abort();
}

static inline struct rj_mono net_in_ms(uint64_t ms)
{
    return (struct rj_mono){rj_loop_now(net.loop).mono.ms + ms};
}

/* fn is called after so many milliseconds; it may say net_after() again. */
static inline void net_after(uint64_t ms, rj_timer_fn *fn)
{
    if (net.timer == NULL)
        assert_ok(rj_timer_new(net.loop, fn, NULL, &net.timer));
    rj_timer_set(net.timer, net_in_ms(ms));
}

static inline int net_open(void **state)
{
    const struct rj_loop_options options = {.ops = &net_loop_ops};

    (void)state;
    memset(&net, 0, sizeof(net));
    (void)snprintf(net.dir, sizeof(net.dir), "/tmp/rejoin-net-XXXXXX");
    assert_non_null(mkdtemp(net.dir));
    assert_ok(rj_loop_new(&options, &net.loop));
    assert_ok(rj_timer_new(net.loop, net_bark, NULL, &net.watchdog));
    rj_timer_set(net.watchdog, net_in_ms(WATCHDOG_MS));
    for (int i = 0; i < 2; i++) {
        uint8_t seed[RJ_CRYPTO_SEED_LEN] = {(uint8_t)(i + 1)};

        assert_ok(rj_crypto_new(seed, &net.crypto[i]));
        assert_ok(rj_tls_ctx_new(net.crypto[i], &net.tls[i]));
    }
    return 0;
}

static inline int net_close(void **state)
{
    (void)state;
    rj_timer_free(net.watchdog);
    rj_timer_free(net.timer);
    rj_listener_close(net.listener);
    rj_loop_free(net.loop);
    for (int i = 0; i < 2; i++) {
        rj_tls_ctx_free(net.tls[i]);
        rj_crypto_free(net.crypto[i]);
    }
    for (unsigned i = 0; i < ENDS_MAX; i++)
        rj_buf_done(&net.ends[i].heard);
    return rmdir(net.dir);
}

enum net_kind { NET_TCP, NET_TLS, NET_UNIX };

static const struct rj_conn_options no_options = {0};

static inline const char *net_path(void)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/sock", net.dir);
    return path;
}

/* options without ops and tls, which are filled in. */
static inline void net_listen(enum net_kind kind, struct rj_conn_options options)
{
    options.ops = &net_ops;
    options.tls = kind == NET_TLS ? net.tls[1] : NULL;
    if (kind == NET_UNIX)
        assert_ok(rj_listener_unix(net.loop, net_path(), &options, &net.listener));
    else
        assert_ok(rj_listener_tcp(net.loop, "127.0.0.1", 0, &options, &net.listener));
}

/* A client; its page is the next one. */
static inline struct end *net_dial(enum net_kind kind, struct rj_conn_options options)
{
    struct end *end = &net.ends[net.ends_count++];

    assert_true(net.ends_count <= ENDS_MAX);
    end->info.is_client = true;
    options.ops = &net_ops;
    options.ctx = end;
    options.tls = kind == NET_TLS ? net.tls[0] : NULL;
    if (kind == NET_UNIX)
        assert_ok(rj_conn_unix(net.loop, net_path(), &options, &end->conn));
    else
        assert_ok(rj_conn_tcp(net.loop, "127.0.0.1", rj_listener_port(net.listener),
                              &options, &end->conn));
    return end;
}

static inline bool net_is_client(const struct end *end)
{
    return end->info.is_client;
}

static inline void net_stop_at_client(struct net *n, struct end *end)
{
    if (net_is_client(end))
        rj_loop_stop(n->loop, 5000);
}

/* A listener and a client, whose ends are then 1 and 0. They do what net.on_.. say until
 * the client's connection is closed, or what net.on_close says. */
static inline void net_talk(enum net_kind kind, struct rj_conn_options server)
{
    if (net.on_close == NULL)
        net.on_close = net_stop_at_client;
    net_listen(kind, server);
    (void)net_dial(kind, no_options);
    rj_loop_run(net.loop);
}

/* A socket of the system, connected to the listener; it blocks. */
static inline int net_raw(void)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET,
        .sin_port = htons(rj_listener_port(net.listener)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

#define WITH_NET(test) cmocka_unit_test_setup_teardown(test, net_open, net_close)

#endif
