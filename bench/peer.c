/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS costs between peers: two nodes in one process and one loop, with a store each;
 * one writes, until the other has received all. In turn over a Unix socket and over TCP
 * on loopback without TLS, and over TCP with it, as peers always have it. Processor time
 * is that of both nodes. BENCH_QUICK=1: one short round; BENCH_ROUNDS: how many (5). */
#include "base/alloc.h"
#include "base/buf.h"
#include "driver/engine.h"
#include "posix/conn.h"
#include "posix/crypto.h"
#include "posix/tls.h"

#include <ftw.h>
#include <rejoin/bucket.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    PEER = 1,            /* each has one */
    BURST_BYTES = 65536, /* of values, in one turn */
    KEYS = 10000,
    STOP_MS = 1000,
    LIMIT_S = 300, /* a round that takes as long hangs */
    ROUNDS_MAX = 99,
    PATH_LEN = 128
};

enum transport { UNIX_PLAIN, TCP_PLAIN, TCP_TLS, TRANSPORTS };
static const char *const names[] = {"Unix socket", "TCP", "TCP, TLS"};

struct load {
    const char *what;
    size_t value_len, writes;
};
static const struct load loads[] = {{"values of 8 bytes", 8, 400000},
                                    {"values of 64 KiB", 65536, 4000}};
enum { LOADS = sizeof(loads) / sizeof(loads[0]) };

struct figures {
    double elapsed_s, cpu_s;
};

struct bench;

struct side {
    struct bench *bench;
    struct side *other;
    char path[PATH_LEN];
    struct rj_crypto *crypto;
    struct rj_tls_ctx *tls;
    struct rj_engine *engine;
    struct rj_conn *conn;
    bool dialled;
};

struct bench {
    struct rj_loop *loop;
    struct rj_logger log;
    struct side a, b; /* a writes */
    const struct load *load;
    uint8_t *value;
    size_t written;
    bool begun;
    uint64_t mark;
    double from_s, cpu_from_s;
    struct figures got;
};

static double seconds(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(enum rj_err err, const char *what)
{
    if (err == RJ_OK)
        return;
    (void)fprintf(stderr, "bench/peer: %s: %s\n", what, rj_err_text(err));
    exit(1);
}

/* ---- the engine asks */

static void on_send(void *ctx, uint64_t peer, struct rj_bytes bytes)
{
    struct side *s = ctx;

    (void)peer;
    if (s->conn != NULL)
        rj_buf_append(rj_conn_out(s->conn), bytes);
}

static void on_end(void *ctx, uint64_t peer, enum rj_err err)
{
    (void)ctx, (void)peer;
    must(err == RJ_OK ? RJ_ECLOSED : err, "a session ended");
}

static void on_note(void *ctx, enum rj_note_level level, const char *text)
{
    (void)ctx;
    if (level >= RJ_NOTE_WARN)
        (void)fprintf(stderr, "bench/peer: %s\n", text);
}

static void on_relay(void *ctx, const struct rj_action *a)
{
    (void)ctx, (void)a;
}

static void on_cast(void *ctx, struct rj_space *s, struct rj_bytes topic,
                    struct rj_bytes text)
{
    (void)ctx, (void)s, (void)topic, (void)text;
}

static void on_ended(void *ctx, enum rj_err err, const char *why)
{
    (void)ctx;
    must(err, why);
}

static void on_began(void *ctx)
{
    (void)ctx;
}

static const struct rj_engine_ops engine_ops = {
    .send = on_send,
    .close = on_end,
    .note = on_note,
    .relay = on_relay,
    .cast = on_cast,
    .ended = on_ended,
    .began = on_began,
    .gave_up = on_ended,
};

/* ---- the connection */

static void on_open(struct rj_conn *conn)
{
    static const uint8_t binding[RJ_TLS_EXPORT_LEN] = {1}; /* equal at both ends */
    struct side *s = rj_conn_ctx(conn);

    s->conn = conn;
    rj_engine_peer_up(s->engine, PEER, rj_crypto_env(s->other->crypto)->pubkey, binding,
                      s->dialled);
}

static void on_data(struct rj_conn *conn, struct rj_bytes data)
{
    struct side *s = rj_conn_ctx(conn);

    rj_engine_peer_bytes(s->engine, PEER, data);
}

static void on_eof(struct rj_conn *conn)
{
    rj_conn_close(conn);
}

static void on_drain(struct rj_conn *conn)
{
    struct side *s = rj_conn_ctx(conn);

    rj_engine_peer_drained(s->engine, PEER);
}

static void on_close(struct rj_conn *conn, enum rj_err err)
{
    struct side *s = rj_conn_ctx(conn);

    if (!rj_loop_stopping(s->bench->loop))
        must(err, rj_conn_why(conn));
    s->conn = NULL;
}

static const struct rj_conn_ops conn_ops = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_close = on_close,
};

static void connect_both(struct bench *b, enum transport transport)
{
    struct rj_conn_options here = {.ops = &conn_ops, .ctx = &b->a}, there = here;
    struct rj_listener *listener;
    struct rj_conn *conn;
    char path[PATH_LEN + 8];

    there.ctx = &b->b;
    b->b.dialled = true;
    if (transport == TCP_TLS) {
        here.tls = b->a.tls;
        there.tls = b->b.tls;
    }
    if (transport == UNIX_PLAIN) {
        (void)snprintf(path, sizeof(path), "%s/socket", b->a.path);
        must(rj_listener_unix(b->loop, path, &here, &listener), path);
        must(rj_conn_unix(b->loop, path, &there, &conn), path);
        return;
    }
    must(rj_listener_tcp(b->loop, "127.0.0.1", 0, &here, &listener), "listening");
    must(rj_conn_tcp(b->loop, "127.0.0.1", rj_listener_port(listener), &there, &conn),
         "dialling");
}

/* ---- the work: at each turn's end */

static struct rj_space *space_of(struct side *s)
{
    return rj_node_space(rj_engine_node(s->engine), RJ_BYTES_LIT("b"));
}

static bool has_joined(struct side *s)
{
    struct rj_space *space = space_of(s);
    struct rj_space_info info;

    if (space == NULL)
        return false;
    rj_space_info(space, rj_engine_now(s->engine), &info);
    return !info.joining;
}

static void write_burst(struct bench *b)
{
    struct rj_bucket *bucket =
        rj_space_bucket(space_of(&b->a), rj_engine_now(b->a.engine));
    size_t n = BURST_BYTES / (b->load->value_len + 64);

    for (n += n == 0; n > 0 && b->written < b->load->writes; n--) {
        char key[32];
        int len = snprintf(key, sizeof(key), "key:%012zu", b->written * 7919 % KEYS);

        must(rj_bucket_set(bucket, rj_bytes_of((const uint8_t *)key, (size_t)len),
                           rj_bytes_of(b->value, b->load->value_len), NULL),
             "writing");
        b->written++;
    }
    if (b->written == b->load->writes) {
        b->mark = rj_space_mark(space_of(&b->a));
        rj_space_hurry(space_of(&b->a));
    }
    rj_engine_touch(b->a.engine);
    rj_loop_again(b->loop);
}

/* How far the other is behind: some of what was written should be under way always, but
 * not all of it wait in queues. */
static bool is_far_ahead(struct bench *b)
{
    struct rj_space_info info;

    rj_space_info(space_of(&b->b), rj_engine_now(b->b.engine), &info);
    return info.missing > 16 * BURST_BYTES / b->load->value_len;
}

static void on_turn(void *ctx)
{
    struct bench *b = ctx;

    if (!b->begun && has_joined(&b->b)) {
        b->begun = true;
        b->from_s = seconds(CLOCK_MONOTONIC);
        b->cpu_from_s = seconds(CLOCK_PROCESS_CPUTIME_ID);
    }
    if (b->begun && b->written < b->load->writes && !is_far_ahead(b))
        write_burst(b);
    rj_engine_flush(b->a.engine);
    rj_engine_flush(b->b.engine);
    if (b->mark == 0 || rj_loop_stopping(b->loop) ||
        rj_space_receipts(space_of(&b->a), b->mark, RJ_RECEIVED) == 0)
        return;
    b->got.elapsed_s = seconds(CLOCK_MONOTONIC) - b->from_s;
    b->got.cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID) - b->cpu_from_s;
    rj_loop_stop(b->loop, STOP_MS);
}

static void on_signal(void *ctx, int signo)
{
    (void)ctx, (void)signo;
}

static const struct rj_loop_ops loop_ops = {.on_turn = on_turn, .on_signal = on_signal};

/* ---- a round */

static void open_side(struct bench *b, struct side *s, struct side *other)
{
    const struct rj_engine_options options = {
        .ops = &engine_ops,
        .ctx = s,
        .loop = b->loop,
        .log = &b->log,
        .store_path = s->path,
        .name = RJ_BYTES_LIT("bench"),
    };
    struct rj_engine_options with = options;
    char why[RJ_ENGINE_WHY_MAX] = "";

    s->bench = b;
    s->other = other;
    (void)snprintf(s->path, sizeof(s->path), "%s/rejoin-bench-XXXXXX",
                   getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    must(mkdtemp(s->path) != NULL ? RJ_OK : RJ_EIO, s->path);
    must(rj_crypto_new(NULL, &s->crypto), "key");
    must(rj_tls_ctx_new(s->crypto, &s->tls), "certificate");
    with.env = rj_crypto_env(s->crypto);
    must(rj_engine_open(&with, why, sizeof(why), &s->engine), why);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void close_side(struct side *s)
{
    rj_engine_close(s->engine);
    rj_tls_ctx_free(s->tls);
    (void)nftw(s->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void invite(struct bench *b)
{
    const struct rj_space_opts space = {.kind = RJ_KIND_BUCKET,
                                        .name = RJ_BYTES_LIT("b"),
                                        .durability = RJ_DURABLE_SECOND};
    struct rj_node *here = rj_engine_node(b->a.engine);
    struct rj_now now = rj_engine_now(b->a.engine);
    const struct rj_invite_opts opts = {
        .role = RJ_ROLE_WRITER, .uses = 1, .expires_ms = now.wall.ms + 1000 * LIMIT_S};
    uint8_t secret[RJ_SECRET_LEN];
    struct rj_space *s;

    must(rj_node_space_add(here, &space, now, &s), "a bucket");
    must(rj_node_invite(here, &opts, now, secret), "an invitation");
    must(rj_node_join(rj_engine_node(b->b.engine), rj_node_device(here), secret),
         "joining");
}

static struct figures run(const struct load *load, enum transport transport)
{
    struct bench b = {.load = load, .log = {.fd = -1, .level = RJ_NOTE_ERROR}};
    const struct rj_loop_options loop = {.ops = &loop_ops, .ctx = &b};

    b.value = rj_alloc_zero(1, load->value_len);
    must(b.value != NULL ? RJ_OK : RJ_ENOMEM, "a value");
    memset(b.value, 'v', load->value_len);
    must(rj_loop_new(&loop, &b.loop), "a loop");
    open_side(&b, &b.a, &b.b);
    open_side(&b, &b.b, &b.a);
    invite(&b);
    connect_both(&b, transport);
    (void)alarm(LIMIT_S);
    rj_loop_run(b.loop);
    (void)alarm(0);
    close_side(&b.a);
    close_side(&b.b);
    rj_loop_free(b.loop);
    rj_crypto_free(b.a.crypto);
    rj_crypto_free(b.b.crypto);
    free(b.value);
    return b.got;
}

/* ---- all */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *list, size_t n)
{
    qsort(list, n, sizeof(*list), compare);
    return n % 2 != 0 ? list[n / 2] : (list[n / 2 - 1] + list[n / 2]) / 2;
}

/* Every transport in turn, so that what else goes on falls on all. */
static void measure(const struct load *load, size_t rounds)
{
    double rate[TRANSPORTS][ROUNDS_MAX], cpu[TRANSPORTS][ROUNDS_MAX];
    double usual_rate, usual_cpu;

    for (int t = 0; t < TRANSPORTS; t++) {
        struct load few = {.value_len = load->value_len, .writes = load->writes / 20 + 1};

        (void)run(&few, (enum transport)t); /* the first one pays for much that is new */
    }
    for (size_t i = 0; i < rounds; i++) {
        for (int t = 0; t < TRANSPORTS; t++) {
            struct figures f = run(load, (enum transport)t);

            rate[t][i] = (double)load->writes / f.elapsed_s;
            cpu[t][i] = f.cpu_s * 1e6 / (double)load->writes;
        }
    }
    usual_rate = median(rate[TCP_PLAIN], rounds);
    usual_cpu = median(cpu[TCP_PLAIN], rounds);
    for (int t = 0; t < TRANSPORTS; t++)
        (void)printf("| %s | %s | %.0f | %.2f | %.2f | %.2f |\n", load->what, names[t],
                     median(rate[t], rounds), median(rate[t], rounds) / usual_rate,
                     median(cpu[t], rounds), median(cpu[t], rounds) / usual_cpu);
}

int main(void)
{
    const char *quick = getenv("BENCH_QUICK"), *wanted = getenv("BENCH_ROUNDS");
    bool is_quick = quick != NULL && strcmp(quick, "1") == 0;
    size_t rounds = wanted != NULL ? strtoul(wanted, NULL, 10) : is_quick ? 1 : 5;

    rounds = rounds == 0 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    (void)printf(
        "%zu rounds in turn, medians; two nodes in one process\n\n"
        "| writes | between them | writes/s | of TCP | CPU µs a write | of TCP |\n"
        "| --- | --- | ---: | ---: | ---: | ---: |\n",
        rounds);
    for (size_t i = 0; i < LOADS; i++) {
        struct load load = loads[i];

        load.writes /= is_quick ? 20 : 1;
        measure(&load, rounds);
    }
    return 0;
}
