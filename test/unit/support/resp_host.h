/* SPDX-License-Identifier: Apache-2.0 */
/* A host for sessions of the Redis face, without sockets: one real bucket with a writer
 * of its own, time that stands still, answers that the test arranges. Header only, for
 * the unit tests, the fuzz target and the benchmark. */
#ifndef RJ_TEST_RESP_HOST_H
#define RJ_TEST_RESP_HOST_H

#include "bucket/bucket.h"
#include "causal/origin.h"
#include "face/resp.h"

#include <stdlib.h>
#include <string.h>

enum { RESP_HOST_SESSIONS = 4 };

struct resp_host {
    struct rj_resp_host host;
    struct rj_origins origins;
    struct rj_writer writer;
    struct rj_bucket *bucket;
    struct rj_now now;
    unsigned flushes;
    enum rj_err flush_err;
    enum rj_err bucket_err;
    const char *password; /* of user "default"; NULL: none is needed */
    const char *selected; /* the user whose bucket is selected */
    enum rj_err wait_err; /* what wait answers: RJ_OK, RJ_EBUSY (started) */
    struct rj_resp_acks acks;
    struct rj_resp_wait asked;                    /* what it was asked last */
    struct rj_resp *sessions[RESP_HOST_SESSIONS]; /* for CLIENT LIST */
    uint64_t randoms;
    unsigned pushed, pushed_events;
};

static inline struct resp_host *resp_host_of(struct rj_resp_host *h)
{
    return (struct resp_host *)(void *)h;
}

static inline enum rj_err resp_host_bucket(struct rj_resp_host *h, struct rj_resp *s,
                                           struct rj_bucket **ret_bucket)
{
    struct resp_host *host = resp_host_of(h);

    (void)s;
    if (host->bucket_err != RJ_OK)
        return host->bucket_err;
    rj_bucket_set_now(host->bucket, host->now);
    *ret_bucket = host->bucket;
    return RJ_OK;
}

/* The pending batch is cut: the next writes belong to a new one. */
static inline void resp_host_cut(struct resp_host *host)
{
    host->writer.first += host->writer.count;
    host->writer.count = 0;
    host->writer.stamp++;
    host->writer.dict_n = 1;
    rj_buf_clear(&host->writer.ops);
}

static inline enum rj_err resp_host_flush(struct rj_resp_host *h, struct rj_resp *s)
{
    struct resp_host *host = resp_host_of(h);

    (void)s;
    host->flushes++;
    if (host->flush_err == RJ_OK)
        resp_host_cut(host);
    return host->flush_err;
}

static inline bool resp_host_is(struct rj_bytes text, const char *word)
{
    return text.len == strlen(word) &&
           (text.len == 0 || memcmp(text.ptr, word, text.len) == 0);
}

/* Users: "default", with or without a password; "sessions" with the password "token". */
static inline enum rj_err resp_host_auth(struct rj_resp_host *h, struct rj_resp *s,
                                         struct rj_bytes user, struct rj_bytes password)
{
    struct resp_host *host = resp_host_of(h);

    (void)s;
    if (user.len == 0) {
        host->selected = "default";
        return host->password == NULL ? RJ_OK : RJ_EAUTH;
    }
    if (resp_host_is(user, "sessions") && resp_host_is(password, "token")) {
        host->selected = "sessions";
        return RJ_OK;
    }
    if (!resp_host_is(user, "default"))
        return RJ_EAUTH;
    if (host->password == NULL)
        return RJ_EINVAL;
    if (!resp_host_is(password, host->password))
        return RJ_EAUTH;
    host->selected = "default";
    return RJ_OK;
}

static inline void resp_host_info(struct rj_resp_host *h, struct rj_resp *s,
                                  const char *section, struct rj_buf *out)
{
    (void)h;
    (void)s;
    if (strcmp(section, "clients") == 0)
        rj_buf_append_str(out, "connected_clients:1\r\n");
}

static inline bool resp_host_config(struct rj_resp_host *h, size_t i,
                                    struct rj_resp_setting *ret)
{
    static const struct rj_resp_setting settings[] = {
        {"save", ""}, {"appendonly", "no"}, {"maxmemory", "0"}};

    (void)h;
    if (i >= sizeof(settings) / sizeof(settings[0]))
        return false;
    *ret = settings[i];
    return true;
}

static inline enum rj_err resp_host_wait(struct rj_resp_host *h, struct rj_resp *s,
                                         const struct rj_resp_wait *w,
                                         struct rj_resp_acks *ret_acks)
{
    struct resp_host *host = resp_host_of(h);

    (void)s;
    host->asked = *w;
    if (host->wait_err == RJ_EBUSY && !w->at_once)
        return RJ_EBUSY;
    *ret_acks = host->acks;
    return host->wait_err == RJ_EBUSY ? RJ_OK : host->wait_err;
}

static inline void resp_host_clients(struct rj_resp_host *h, struct rj_buf *out)
{
    struct resp_host *host = resp_host_of(h);

    for (size_t i = 0; i < RESP_HOST_SESSIONS; i++)
        if (host->sessions[i] != NULL)
            rj_resp_describe(host->sessions[i], host->now, out);
}

static inline struct rj_now resp_host_now(struct rj_resp_host *h)
{
    return resp_host_of(h)->now;
}

/* Always the same sequence. */
static inline uint64_t resp_host_random(struct rj_resp_host *h)
{
    return ++resp_host_of(h)->randoms * 0x9e3779b97f4a7c15u;
}

static inline const char *resp_host_bucket_name(struct rj_resp_host *h, struct rj_resp *s)
{
    (void)s;
    return resp_host_of(h)->selected;
}

static inline uint64_t resp_host_publish(struct rj_resp_host *h,
                                         const struct rj_resp_message *m)
{
    return rj_resp_deliver(h, m);
}

static inline void resp_host_pushed(struct rj_resp_host *h, struct rj_resp *s, bool event)
{
    (void)s;
    resp_host_of(h)->pushed++;
    resp_host_of(h)->pushed_events += event;
}

/* False: no memory; end it all the same. */
static inline bool resp_host_begin(struct resp_host *host)
{
    static const struct rj_resp_host_ops ops = {.bucket = resp_host_bucket,
                                                .flush = resp_host_flush,
                                                .auth = resp_host_auth,
                                                .info = resp_host_info,
                                                .config = resp_host_config,
                                                .wait = resp_host_wait,
                                                .clients = resp_host_clients,
                                                .now = resp_host_now,
                                                .random = resp_host_random,
                                                .bucket_name = resp_host_bucket_name,
                                                .publish = resp_host_publish,
                                                .pushed = resp_host_pushed};
    struct rj_bucket_config config = {.writer = &host->writer,
                                      .origins = &host->origins,
                                      .prefix = rj_bytes_of("b", 1),
                                      .seed = "sixteen bytes .."};
    const struct rj_origin_id id = {.b = {1, 2, 3}};
    uint32_t number;

    *host = (struct resp_host){.host = {.ops = &ops}, .selected = "default"};
    host->now.wall.ms = 1700000000000;
    host->now.mono.ms = 1000;
    host->writer.first = 1;
    host->writer.stamp = host->now.wall.ms << 16;
    return rj_origins_add(&host->origins, &id, &host->writer.self) == RJ_OK &&
           rj_writer_dict(&host->writer, host->writer.self, &number) == RJ_OK &&
           rj_bucket_open(&config, &host->bucket) == RJ_OK;
}

static inline void resp_host_end(struct resp_host *host)
{
    if (host->bucket != NULL) {
        struct rj_kind *kind = rj_bucket_kind(host->bucket);

        kind->ops->close(kind);
    }
    rj_buf_done(&host->writer.ops);
    free(host->writer.dict);
    rj_origins_done(&host->origins);
}

static inline void resp_host_pass(struct resp_host *host, uint64_t ms)
{
    host->now.wall.ms += ms;
    host->now.mono.ms += ms;
}

/* Appends a request made of the words of text, which stand between single blanks; "" is
 * an empty word. */
static inline void resp_host_encode(struct rj_buf *out, const char *text)
{
    size_t words = 1;

    for (const char *p = text; *p != '\0'; p++)
        words += *p == ' ';
    rj_buf_printf(out, "*%zu\r\n", words);
    for (const char *p = text; words > 0; words--) {
        size_t len = strcspn(p, " ");
        bool empty = len == 2 && memcmp(p, "\"\"", 2) == 0;

        rj_buf_printf(out, "$%zu\r\n", empty ? 0 : len);
        rj_buf_append_raw(out, p, empty ? 0 : len);
        rj_buf_append_str(out, "\r\n");
        p += len + 1;
    }
}

#endif
