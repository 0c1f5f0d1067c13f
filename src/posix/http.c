/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP through libmicrohttpd, whose epoll descriptor is one more descriptor of the loop:
 * no thread, no second loop. An event stream is a response without an end; while it has
 * nothing to send, its connection is suspended and costs nothing. */
#include "posix/http.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <uv.h>

enum { BACKLOG = 64, BLOCK = 16 * 1024, COOKIE_NAME = 32 };

/* An open event stream. */
struct stream {
    struct stream *next, **back; /* back: what points to this one */
    struct rj_http *http;
    struct MHD_Connection *conn;
    struct rj_buf event; /* what is being sent */
    size_t sent;         /* of it */
    uint64_t number;     /* which event that is */
    bool suspended;
};

struct rj_http {
    struct rj_http_options o;
    struct MHD_Daemon *daemon;
    uv_poll_t *poll;
    struct rj_timer *timer;
    struct stream *streams;
    size_t n_streams;
    struct rj_buf event; /* the newest one, as it is sent */
    uint64_t number;
    uint64_t refused;
    char cookie[COOKIE_NAME];
    bool stopped;
};

/* ---- who may */

/* A name or address, without port; [..] around an IPv6 address. */
static bool is_name(const char *host, size_t len, const char *name, size_t name_len)
{
    return len == name_len && strncasecmp(host, name, len) == 0;
}

static bool is_listed(const char *host, size_t len, const char *names)
{
    while (*names != '\0') {
        size_t n = strcspn(names, ",");

        if (n > 0 && is_name(host, len, names, n))
            return true;
        names += n + (names[n] == ',');
    }
    return false;
}

/* A numeric address can be no foreign page's name. */
static bool is_address(const char *host, size_t len)
{
    uint8_t address[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN + 1];

    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        if (len - 2 >= sizeof(text))
            return false;
        memcpy(text, host + 1, len - 2);
        text[len - 2] = '\0';
        return inet_pton(AF_INET6, text, address) == 1;
    }
    if (len >= sizeof(text))
        return false;
    memcpy(text, host, len);
    text[len] = '\0';
    return inet_pton(AF_INET, text, address) == 1;
}

bool rj_http_host_ok(const char *header, const char *names, uint16_t port)
{
    size_t len = strlen(header), host = len;
    const char *colon = strrchr(header, ':');
    char own[8];

    if (len == 0 || len > RJ_HTTP_HOST_MAX)
        return false;
    if (colon != NULL && strchr(colon, ']') == NULL) {
        (void)snprintf(own, sizeof(own), ":%u", port);
        if (strcmp(colon, own) != 0)
            return false;
        host = (size_t)(colon - header);
    }
    return is_name(header, host, "localhost", 9) || is_address(header, host) ||
           is_listed(header, host, names);
}

static bool origin_ok(const char *origin, const char *host)
{
    size_t n = origin != NULL && strncmp(origin, "https://", 8) == 0 ? 8 : 7;

    if (origin == NULL)
        return true;
    return (n == 8 || strncmp(origin, "http://", 7) == 0) &&
           strcasecmp(origin + n, host) == 0;
}

static bool same_secret(const char *a, const char *b)
{
    return *b != '\0' &&
           rj_bytes_equal_secret(rj_bytes_from_str(a), rj_bytes_from_str(b));
}

static bool is_local(struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info != NULL ? info->client_addr : NULL;

    if (a != NULL && a->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)a;

        return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
    }
    if (a != NULL && a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)a;

        return IN6_IS_ADDR_LOOPBACK(&in->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr) && in->sin6_addr.s6_addr[12] == 127);
    }
    return false;
}

static bool has_token(const struct rj_http *h, struct MHD_Connection *conn)
{
    const char *cookie = MHD_lookup_connection_value(conn, MHD_COOKIE_KIND, h->cookie);
    const char *bearer =
        MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Authorization");

    if (cookie != NULL && same_secret(cookie, h->o.token))
        return true;
    return bearer != NULL && strncasecmp(bearer, "Bearer ", 7) == 0 &&
           same_secret(bearer + 7, h->o.token);
}

/* ---- answers */

static enum MHD_Result send_with(struct MHD_Connection *conn, unsigned status,
                                 const char *type, struct MHD_Response *take_response)
{
    static const char *const headers[][2] = {
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},
        {"Cache-Control", "no-store"},
        {"Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"},
    };
    enum MHD_Result result = MHD_YES;

    if (take_response == NULL)
        return MHD_NO;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]) && result == MHD_YES; i++)
        result = MHD_add_response_header(take_response, headers[i][0], headers[i][1]);
    if (result == MHD_YES)
        result = MHD_add_response_header(take_response, "Content-Type", type);
    if (result == MHD_YES)
        result = MHD_queue_response(conn, status, take_response);
    MHD_destroy_response(take_response);
    return result;
}

/* The library does not write to it. */
static struct MHD_Response *response_of(struct rj_bytes b,
                                        enum MHD_ResponseMemoryMode how)
{
    return MHD_create_response_from_buffer(b.len, (void *)(uintptr_t)b.ptr, how);
}

static enum MHD_Result say(struct MHD_Connection *conn, unsigned status, const char *text)
{
    return send_with(conn, status, "text/plain; charset=utf-8",
                     response_of(rj_bytes_from_str(text), MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result refuse(struct rj_http *h, struct MHD_Connection *conn,
                              unsigned status, const char *text)
{
    h->refused++;
    return say(conn, status, text);
}

/* The token from the address becomes a cookie, so that it stays in no history. */
static enum MHD_Result let_in(struct rj_http *h, struct MHD_Connection *conn,
                              const struct rj_http_page *page)
{
    struct MHD_Response *r = response_of(rj_bytes_from_str(""), MHD_RESPMEM_PERSISTENT);
    char cookie[COOKIE_NAME + RJ_HTTP_TOKEN_MAX + 64];

    if (r == NULL)
        return MHD_NO;
    (void)snprintf(cookie, sizeof(cookie), "%s=%s; HttpOnly; SameSite=Strict; Path=/",
                   h->cookie, h->o.token);
    if (MHD_add_response_header(r, "Set-Cookie", cookie) != MHD_YES ||
        MHD_add_response_header(r, "Location", page->path) != MHD_YES) {
        MHD_destroy_response(r);
        return MHD_NO;
    }
    return send_with(conn, MHD_HTTP_SEE_OTHER, "text/plain", r);
}

static enum MHD_Result fill(const struct rj_http *h, struct MHD_Connection *conn,
                            const struct rj_http_page *page)
{
    struct rj_buf body = {.limit = RJ_HTTP_ANSWER_MAX};
    unsigned status = page->fill(h->o.ctx, &body);
    enum MHD_Result result;

    if (rj_buf_err(&body) != RJ_OK)
        result = say(conn, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory\n");
    else
        result = send_with(conn, status, page->type,
                           response_of(rj_buf_view(&body), MHD_RESPMEM_MUST_COPY));
    rj_buf_done(&body);
    return result;
}

/* ---- event streams */

static bool next_event(struct stream *s)
{
    rj_buf_clear(&s->event);
    s->sent = 0;
    s->number = s->http->number;
    rj_buf_append(&s->event, rj_buf_view(&s->http->event));
    return rj_buf_err(&s->event) == RJ_OK;
}

static ssize_t read_stream(void *cls, uint64_t pos, char *out, size_t max)
{
    struct stream *s = cls;
    size_t n;

    (void)pos;
    if (s->http->stopped)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (s->sent == s->event.len) {
        if (s->number == s->http->number) {
            s->suspended = true;
            MHD_suspend_connection(s->conn);
            return 0;
        }
        if (!next_event(s))
            return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    n = s->event.len - s->sent < max ? s->event.len - s->sent : max;
    memcpy(out, s->event.ptr + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
}

static void tell_streams(const struct rj_http *h)
{
    if (!h->stopped)
        h->o.on_streams(h->o.ctx, h->n_streams);
}

/* Lets those go on that wait for an event, or for the end. */
static void resume_streams(struct rj_http *h)
{
    for (struct stream *s = h->streams; s != NULL; s = s->next) {
        if (s->suspended)
            MHD_resume_connection(s->conn);
        s->suspended = false;
    }
}

static void free_stream(void *cls)
{
    struct stream *s = cls;

    *s->back = s->next;
    if (s->next != NULL)
        s->next->back = s->back;
    s->http->n_streams--;
    rj_buf_done(&s->event);
    tell_streams(s->http);
    free(s);
}

static enum MHD_Result open_stream(struct rj_http *h, struct MHD_Connection *conn,
                                   const struct rj_http_page *page)
{
    struct MHD_Response *r;
    struct stream *s;

    if (h->n_streams >= RJ_HTTP_STREAMS_MAX)
        return refuse(h, conn, MHD_HTTP_SERVICE_UNAVAILABLE, "too many streams\n");
    s = rj_alloc_zero(1, sizeof(*s));
    if (s == NULL)
        return MHD_NO;
    s->http = h;
    s->conn = conn;
    r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, s,
                                          free_stream);
    if (r == NULL) {
        free(s);
        return MHD_NO;
    }
    s->next = h->streams;
    s->back = &h->streams;
    if (s->next != NULL)
        s->next->back = &s->next;
    h->streams = s;
    h->n_streams++;
    tell_streams(h);
    return send_with(conn, MHD_HTTP_OK, page->type, r);
}

/* ---- requests */

static enum MHD_Result answer(struct rj_http *h, struct MHD_Connection *conn,
                              const char *path)
{
    const struct rj_http_page *page;
    const char *token;

    for (page = h->o.pages; page->path != NULL && strcmp(page->path, path) != 0; page++)
        continue;
    if (page->path == NULL)
        return refuse(h, conn, MHD_HTTP_NOT_FOUND, "there is no such page\n");
    token = MHD_lookup_connection_value(conn, MHD_GET_ARGUMENT_KIND, "token");
    if (token != NULL && same_secret(token, h->o.token))
        return let_in(h, conn, page);
    if (page->access != RJ_HTTP_OPEN && !has_token(h, conn) &&
        !(page->access == RJ_HTTP_LOCAL && is_local(conn)))
        return refuse(h, conn, MHD_HTTP_UNAUTHORIZED,
                      "a token is needed: rejoin web prints the address with it\n");
    if (page->stream)
        return open_stream(h, conn, page);
    if (page->fill != NULL)
        return fill(h, conn, page);
    return send_with(conn, MHD_HTTP_OK, page->type,
                     response_of(page->fixed, MHD_RESPMEM_PERSISTENT));
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are those of libmicrohttpd */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn,
                                  const char *path, const char *method,
                                  const char *version, const char *body, size_t *body_len,
                                  void **state)
{
    struct rj_http *h = cls;
    const char *host = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Host");

    (void)version;
    (void)body;
    if (*state == NULL) { /* the head alone */
        *state = h;
        return MHD_YES;
    }
    if (*body_len > 0) { /* nobody wants it */
        *body_len = 0;
        return MHD_YES;
    }
    if (host == NULL || !rj_http_host_ok(host, h->o.names, h->o.port))
        return refuse(h, conn, MHD_HTTP_MISDIRECTED_REQUEST,
                      "this server goes by another name: web.names lists them\n");
    if (!origin_ok(MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Origin"), host))
        return refuse(h, conn, MHD_HTTP_FORBIDDEN, "not from other pages\n");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(h, conn, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
    return answer(h, conn, path);
}

/* ---- on the loop */

static void run(void *ctx)
{
    struct rj_http *h = ctx;
    MHD_UNSIGNED_LONG_LONG wait_ms;
    struct rj_mono at;

    if (h->stopped)
        return;
    (void)MHD_run(h->daemon);
    if (MHD_get_timeout(h->daemon, &wait_ms) != MHD_YES)
        return;
    at = rj_loop_now(h->o.loop).mono;
    at.ms += wait_ms;
    rj_timer_set(h->timer, at);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

enum rj_err rj_http_publish(struct rj_http *h, struct rj_bytes data)
{

    if (data.len > RJ_HTTP_ANSWER_MAX)
        return RJ_ELIMIT;
    rj_buf_clear(&h->event);
    rj_buf_append(&h->event, RJ_BYTES_LIT("data: "));
    rj_buf_append(&h->event, data);
    rj_buf_append(&h->event, RJ_BYTES_LIT("\n\n"));
    if (rj_buf_err(&h->event) != RJ_OK) {
        rj_buf_done(&h->event);
        return RJ_ENOMEM;
    }
    h->number++;
    resume_streams(h);
    if (h->n_streams > 0)
        rj_timer_set(h->timer, rj_loop_now(h->o.loop).mono);
    return RJ_OK;
}

size_t rj_http_streams(const struct rj_http *h)
{
    return h->n_streams;
}

uint64_t rj_http_refused(const struct rj_http *h)
{
    return h->refused;
}

/* ---- life */

static enum rj_err listen_at(const char *host, uint16_t port, int *ret_fd)
{
    const struct addrinfo hints = {.ai_family = host[0] == '\0' ? AF_INET6 : AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICHOST};
    struct addrinfo *info = NULL;
    enum rj_err err = RJ_OK;
    char service[8];
    int fd, one = 1;

    (void)snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(host[0] != '\0' ? host : NULL, service, &hints, &info) != 0)
        return RJ_EINVAL;
    fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        err = RJ_EIO;
    if (err == RJ_OK &&
        (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
         bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0))
        err = errno == EADDRINUSE      ? RJ_EBUSY
              : errno == EADDRNOTAVAIL ? RJ_EINVAL
              : errno == EACCES        ? RJ_EDENIED
                                       : RJ_EIO;
    freeaddrinfo(info);
    if (err == RJ_OK)
        *ret_fd = fd;
    else if (fd >= 0)
        (void)close(fd);
    return err;
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static enum rj_err start(struct rj_http *h, int fd)
{
    const union MHD_DaemonInfo *info;

    h->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, h->o.port, NULL, NULL, on_request, h,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)RJ_HTTP_CONNS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)RJ_HTTP_CONN_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)RJ_HTTP_IDLE_S, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (h->daemon == NULL) {
        (void)close(fd);
        return RJ_EIO;
    }
    info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    h->poll = rj_alloc_zero(1, sizeof(*h->poll));
    if (info == NULL || h->poll == NULL ||
        uv_poll_init(rj_loop_uv(h->o.loop), h->poll, info->epoll_fd) != 0) {
        free(h->poll);
        h->poll = NULL;
        return info == NULL ? RJ_EIO : RJ_ENOMEM;
    }
    h->poll->data = h;
    return uv_poll_start(h->poll, UV_READABLE, on_readable) == 0 ? RJ_OK : RJ_EIO;
}

enum rj_err rj_http_new(const struct rj_http_options *options, struct rj_http **ret_http)
{
    struct rj_http *h;
    enum rj_err err;
    int fd = -1;

    if (strlen(options->token) > RJ_HTTP_TOKEN_MAX)
        return RJ_EINVAL;
    h = rj_alloc_zero(1, sizeof(*h));
    if (h == NULL)
        return RJ_ENOMEM;
    h->o = *options;
    (void)snprintf(h->cookie, sizeof(h->cookie), "rejoin-%u", options->port);
    err = rj_timer_new(options->loop, run, h, &h->timer);
    if (err == RJ_OK)
        err = listen_at(options->host, options->port, &fd);
    if (err == RJ_OK)
        err = start(h, fd);
    if (err != RJ_OK) {
        rj_http_free(h);
        return err;
    }
    *ret_http = h;
    return RJ_OK;
}

void rj_http_stop(struct rj_http *h)
{
    if (h == NULL || h->stopped)
        return;
    h->stopped = true;
    resume_streams(h);
    if (h->poll != NULL)
        uv_close((uv_handle_t *)h->poll, on_poll_closed);
    h->poll = NULL;
    if (h->daemon != NULL)
        MHD_stop_daemon(h->daemon);
    h->daemon = NULL;
}

void rj_http_free(struct rj_http *h)
{
    if (h == NULL)
        return;
    rj_http_stop(h);
    rj_timer_free(h->timer);
    rj_buf_done(&h->event);
    free(h);
}
