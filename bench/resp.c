/* SPDX-License-Identifier: Apache-2.0 */
/* What the Redis face costs: pipelines of 16 commands into a session with a real bucket
 * and no sockets. For each command the parser alone, the session as a whole, and the data
 * call alone; CPU time a command. Keys are drawn from 10,000, as redis-benchmark -r 10000
 * does; the pending batch is cut after every pipeline, as a driver does after a turn. */
#include "../test/unit/support/resp_host.h"
#include "base/prng.h"
#include "face/resp_parse.h"

#include <stdio.h>
#include <time.h>

enum { PIPELINE = 16, BURSTS = 4096, ROUNDS = 12, KEYS = 10000 };

struct work {
    const char *name;
    const char *words;  /* printf format with the number of a key */
    const char *before; /* what is done once beforehand, or NULL */
    enum rj_err (*call)(struct rj_bucket *b, const struct rj_bytes *argv);
};

static double cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static enum rj_err call_nothing(struct rj_bucket *b, const struct rj_bytes *argv)
{
    (void)b;
    (void)argv;
    return RJ_OK;
}

static enum rj_err call_set(struct rj_bucket *b, const struct rj_bytes *argv)
{
    return rj_bucket_set(b, argv[1], argv[2], NULL);
}

static enum rj_err call_get(struct rj_bucket *b, const struct rj_bytes *argv)
{
    struct rj_bytes value;

    return rj_bucket_get(b, argv[1], &value);
}

static enum rj_err call_incr(struct rj_bucket *b, const struct rj_bytes *argv)
{
    int64_t sum;

    return rj_bucket_incr(b, argv[1], 1, &sum);
}

static enum rj_err call_sadd(struct rj_bucket *b, const struct rj_bytes *argv)
{
    uint64_t added;

    return rj_bucket_sadd(b, argv[1], argv + 2, 1, &added);
}

static const struct work works[] = {
    {"PING", "PING", NULL, call_nothing},
    {"SET", "SET key:%012u xxx", NULL, call_set},
    {"GET", "GET key:%012u", "SET key:%012u xxx", call_get},
    {"INCR", "INCR counter:%012u", NULL, call_incr},
    {"SADD", "SADD myset element:%012u", NULL, call_sadd},
};

/* One pipeline behind another; begins[i] is where the i-th begins. */
struct input {
    struct rj_buf buf;
    size_t begins[BURSTS + 1];
};

static struct rj_bytes burst(const struct input *in, size_t i)
{
    return rj_bytes_of(in->buf.ptr + in->begins[i], in->begins[i + 1] - in->begins[i]);
}

static void make_input(struct input *in, const char *words)
{
    struct rj_prng p;
    char text[128];

    rj_prng_init(&p, 1);
    rj_buf_clear(&in->buf);
    for (size_t i = 0; i < BURSTS; i++) {
        in->begins[i] = in->buf.len;
        for (int j = 0; j < PIPELINE; j++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            (void)snprintf(text, sizeof(text), words, (unsigned)rj_prng_below(&p, KEYS));
#pragma GCC diagnostic pop
            resp_host_encode(&in->buf, text);
        }
    }
    in->begins[BURSTS] = in->buf.len;
    if (in->buf.failed)
        abort();
}

/* Calls the bucket for what the parser read, or nothing (call NULL). */
static void run_parser(struct resp_host *host, const struct input *in,
                       const struct work *w)
{
    struct rj_resp_parse parse = {0};

    for (size_t i = 0; i < BURSTS; i++) {
        struct rj_bytes rest = burst(in, i);
        size_t used;

        while (rj_resp_parse_next(&parse, rest, &used) == RJ_RESP_PARSED) {
            rest = rj_bytes_of(rest.ptr + used, rest.len - used);
            if (w != NULL && w->call(host->bucket, parse.argv) != RJ_OK)
                abort();
        }
        resp_host_cut(host);
    }
    rj_resp_parse_done(&parse);
}

static void run_session(struct resp_host *host, struct rj_resp *s, const struct input *in)
{
    for (size_t i = 0; i < BURSTS; i++) {
        if (rj_resp_input(s, burst(in, i)) != RJ_RESP_READ)
            abort();
        rj_buf_clear(rj_resp_out(s));
        resp_host_cut(host);
    }
}

static void measure(const struct work *w, struct input *in)
{
    const double commands = (double)PIPELINE * BURSTS;
    double parse = 1e18, call = 1e18, session = 1e18;
    struct resp_host host;
    struct rj_resp *s = NULL;

    if (!resp_host_begin(&host) ||
        rj_resp_new(&host.host, &(struct rj_resp_opts){.id = 1}, &s) != RJ_OK)
        abort();
    if (w->before != NULL) {
        make_input(in, w->before);
        run_session(&host, s, in);
    }
    make_input(in, w->words);
    /* The best of several rounds: the others were disturbed. */
    for (int round = 0; round < ROUNDS; round++) {
        double t0 = cpu_ns(), t1, t2, t3;

        run_parser(&host, in, NULL);
        t1 = cpu_ns();
        run_parser(&host, in, w);
        t2 = cpu_ns();
        run_session(&host, s, in);
        t3 = cpu_ns();
        parse = t1 - t0 < parse ? t1 - t0 : parse;
        call = t2 - t1 < call ? t2 - t1 : call;
        session = t3 - t2 < session ? t3 - t2 : session;
    }
    printf("%-5s %6.0f ns a command: parser %.0f, data call %.0f, the rest %.0f\n",
           w->name, session / commands, parse / commands, (call - parse) / commands,
           (session - call) / commands);
    rj_resp_free(s);
    resp_host_end(&host);
}

int main(void)
{
    static struct input in;

    for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
        measure(&works[i], &in);
    rj_buf_done(&in.buf);
    return 0;
}
