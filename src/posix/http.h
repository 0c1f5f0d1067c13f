/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP for people and monitors: answers GET requests and keeps event streams
 * (Server-Sent Events, HTML Living Standard 9.2), on the program's loop. Read-only.
 *
 * A request is judged before anybody sees it: its Host must be a name of this server (so
 * no foreign page can reach it through a name that resolves to it), an Origin, where
 * there is one, must be that host, and what is not open to all needs the token, which a
 * browser brings as a cookie and a program as `Authorization: Bearer`. */
#ifndef RJ_POSIX_HTTP_H
#define RJ_POSIX_HTTP_H

#include "base/buf.h"
#include "posix/loop.h"

#include <stdbool.h>

struct rj_http;

enum {
    RJ_HTTP_CONNS_MAX = 64,
    RJ_HTTP_STREAMS_MAX = 16,       /* of these, event streams */
    RJ_HTTP_CONN_BYTES = 16 * 1024, /* memory of one connection; head lines included */
    RJ_HTTP_IDLE_S = 30,            /* a connection that does nothing is closed */
    RJ_HTTP_HOST_MAX = 255,         /* bytes of a Host header */
    RJ_HTTP_ANSWER_MAX = 8 * 1024 * 1024, /* bytes of an answer or an event */
    RJ_HTTP_TOKEN_MAX = 100,
    RJ_HTTP_WHY_MAX = 256
};

/* Who may ask for a page. */
enum rj_http_access {
    RJ_HTTP_OPEN,  /* anybody who reaches the port */
    RJ_HTTP_LOCAL, /* this machine; others with the token */
    RJ_HTTP_TOKEN  /* who has the token */
};

/* A page: fill puts its body into out, called from the loop; NULL: its body is fixed. */
struct rj_http_page {
    const char *path, *type; /* type: its media type */
    enum rj_http_access access;
    bool stream; /* an event stream: what rj_http_publish sends; no body of its own */
    struct rj_bytes fixed;
    /* Returns the status, 200 as a rule. */
    unsigned (*fill)(void *ctx, struct rj_buf *out);
};

struct rj_http_options {
    struct rj_loop *loop;
    const char *host; /* numeric address; "": any */
    uint16_t port;
    const char *names; /* further names of this server, comma-separated; may be "" */
    const char *token; /* borrowed */
    const struct rj_http_page *pages; /* borrowed; path NULL ends them */
    void *ctx;
    /* The number of streams has changed. */
    void (*on_streams)(void *ctx, size_t n);
};

/* Begins to listen. RJ_EBUSY: the port is taken; RJ_EINVAL: no such address here;
 * RJ_EDENIED, RJ_ENOMEM, RJ_EIO. */
RJ_NODISCARD enum rj_err rj_http_new(const struct rj_http_options *options,
                                     struct rj_http **ret_http);
/* Sends one event to all streams: data is text of one line. Who has not taken the one
 * before gets only the newest: an event tells how things are, not what has changed.
 * RJ_ENOMEM, RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_http_publish(struct rj_http *h, struct rj_bytes data);
size_t rj_http_streams(const struct rj_http *h);
/* Requests that were turned away so far. */
uint64_t rj_http_refused(const struct rj_http *h);
/* Closes every connection; before the loop ends. NULL is accepted. */
void rj_http_stop(struct rj_http *h);
void rj_http_free(struct rj_http *h); /* NULL is accepted */

/* Whether a Host header names this server: an address or name that it goes by, with its
 * port or none. */
bool rj_http_host_ok(const char *header, const char *names, uint16_t port);

#endif
