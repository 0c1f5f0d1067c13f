/* SPDX-License-Identifier: Apache-2.0 */
/* The handle of the client library. A connection begins with a ping, which tells what the
 * daemon understands. One that failed under way is closed, so an answer that comes late
 * can never be taken for that of another call; the next call connects again. */
#include "base/alloc.h"
#include "base/opts.h"
#include "client/docjson.h"
#include "client/handle.h"
#include "posix/dirs.h"
#include "posix/why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

uint64_t rj_client_until(const struct rj_client *c, uint32_t timeout_ms)
{
    if (timeout_ms == 0)
        timeout_ms = c->timeout_ms;
    return timeout_ms == RJ_CLIENT_NEVER ? RJ_WIRE_NEVER : rj_wire_now_ms() + timeout_ms;
}

/* ---- failures */

enum rj_err rj_client_fail(struct rj_client *c, enum rj_err err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(c->why, sizeof(c->why), format, args);
    va_end(args);
    return err;
}

enum rj_err rj_client_lost(struct rj_client *c, enum rj_err err)
{
    uint64_t count;

    rj_wire_close(&c->wire);
    c->under_way = 0;
    switch ((int)err) {
    case RJ_ECLOSED:
        rj_why_set(c->hint, sizeof(c->hint), "rejoin up");
        return rj_client_fail(c, RJ_ENODAEMON, "the daemon ended before it answered");
    case RJ_ETIMEOUT:
        return rj_client_fail(c, err, "the daemon did not answer in time");
    case RJ_ECANCELED:
        if (read(c->cancel_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
            return rj_client_fail(c, RJ_EIO, "%s", strerror(errno));
        return rj_client_fail(c, err, "the call was cancelled");
    case RJ_EPROTO:
        return rj_client_fail(c, err, "what listens at %s is no rejoind", c->socket);
    default:
        return rj_client_fail(c, err, "%s", rj_err_text(err));
    }
}

/* Copies a text of a document, cut to what fits. */
static void take_text(struct rj_bytes doc, const char *key, char *ret, size_t size)
{
    struct rj_bytes b = {0};

    if (rj_doc_get_text(doc, key, &b))
        rj_why_set(ret, size, "%.*s", (int)rj_bytes_first(b, size).len,
                   b.len > 0 ? (const char *)b.ptr : "");
}

enum rj_err rj_client_refused(struct rj_client *c, struct rj_bytes body)
{
    struct rj_bytes code = {0};
    enum rj_err err;

    if (!rj_doc_get_text(body, "code", &code))
        return rj_client_lost(c, RJ_EPROTO);
    err = rj_message_err(code);
    if (err == RJ_OK)
        return rj_client_lost(c, RJ_EPROTO);
    take_text(body, "why", c->why, sizeof(c->why));
    take_text(body, "hint", c->hint, sizeof(c->hint));
    return err;
}

/* ---- a connection */

enum rj_err rj_client_receive(struct rj_client *c, uint64_t id, uint64_t until_ms,
                              struct rj_bytes *ret_body)
{
    struct rj_message_reply reply = {0};
    enum rj_err err;

    do {
        err = rj_wire_next(&c->wire, until_ms, &reply);
        if (err == RJ_ETIMEOUT && until_ms == 0)
            return RJ_EBUSY;
        if (err != RJ_OK)
            return rj_client_lost(c, err);
    } while (reply.id != id ||
             (reply.kind != RJ_MESSAGE_RESULT && reply.kind != RJ_MESSAGE_ERROR));
    if (reply.kind == RJ_MESSAGE_ERROR)
        return rj_client_refused(c, reply.body);
    *ret_body = reply.body;
    return RJ_OK;
}

/* Whether daemon and library understand each other. */
static enum rj_err check_version(struct rj_client *c, struct rj_bytes self)
{
    uint64_t control = 1, least = 1;

    c->version[0] = '\0';
    take_text(self, "version", c->version, sizeof(c->version));
    if (c->version[0] == '\0')
        return rj_client_lost(c, RJ_EPROTO);
    (void)rj_doc_get_uint(self, "control", &control);
    (void)rj_doc_get_uint(self, "control_least", &least);
    if (control >= RJ_MESSAGE_VERSION && least <= RJ_MESSAGE_VERSION)
        return RJ_OK;
    rj_wire_close(&c->wire);
    if (least > RJ_MESSAGE_VERSION)
        return rj_client_fail(c, RJ_EVERSION,
                              "this library (" RJ_VERSION ") is too old for the daemon "
                              "(%s): install the newer one",
                              c->version);
    rj_why_set(c->hint, sizeof(c->hint), "rejoin down; rejoin up");
    return rj_client_fail(c, RJ_EVERSION,
                          "the daemon (%s) is older than this library (" RJ_VERSION
                          "): start the newer one",
                          c->version);
}

static enum rj_err reach(struct rj_client *c, uint64_t until_ms)
{
    static const uint8_t empty_map[] = {0xa0};
    struct rj_bytes self = {0};
    uint64_t id = 0;
    enum rj_err err;

    if (c->wire.fd >= 0 && !rj_wire_is_stale(&c->wire))
        return RJ_OK;
    rj_wire_close(&c->wire);
    err = rj_wire_connect(&c->wire, c->socket, until_ms, c->why, sizeof(c->why));
    if (err == RJ_ENODAEMON) {
        rj_why_set(c->hint, sizeof(c->hint), "rejoin up");
        return rj_client_fail(c, err, "the daemon is not running: nobody listens at %s",
                              c->socket);
    }
    if (err == RJ_ECANCELED || err == RJ_ETIMEOUT)
        return rj_client_lost(c, err);
    if (err != RJ_OK)
        return err;
    err = rj_wire_send(&c->wire, "ping", RJ_BYTES_OF(empty_map), until_ms, &id);
    if (err != RJ_OK)
        return rj_client_lost(c, err);
    err = rj_client_receive(c, id, until_ms, &self);
    if (err == RJ_OK)
        err = check_version(c, self);
    if (err != RJ_OK)
        rj_wire_close(&c->wire);
    return err;
}

/* ---- requests */

struct rj_doc *rj_client_begin(struct rj_client *c)
{
    c->why[0] = c->hint[0] = '\0';
    rj_doc_clear(&c->args);
    rj_doc_map(&c->args);
    return &c->args;
}

enum rj_err rj_client_send(struct rj_client *c, const char *verb, uint64_t until_ms,
                           uint64_t *ret_id)
{
    struct rj_bytes args;
    enum rj_err err;

    if (c->under_way != 0)
        return rj_client_fail(c, RJ_EBUSY, "another request is under way");
    rj_doc_end(&c->args);
    err = rj_doc_view(&c->args, &args);
    if (err != RJ_OK)
        return rj_client_fail(c, err, "the request could not be made: %s",
                              rj_err_text(err));
    err = reach(c, until_ms);
    if (err != RJ_OK)
        return err;
    err = rj_wire_send(&c->wire, verb, args, until_ms, ret_id);
    if (err == RJ_ELIMIT || err == RJ_ENOMEM) /* nothing was sent */
        return rj_client_fail(c, err, "the request could not be made: %s",
                              rj_err_text(err));
    return err == RJ_OK ? RJ_OK : rj_client_lost(c, err);
}

enum rj_err rj_client_ask(struct rj_client *c, const char *verb, uint64_t until_ms,
                          struct rj_bytes *ret_body)
{
    uint64_t id = 0;
    enum rj_err err = rj_client_send(c, verb, until_ms, &id);

    return err == RJ_OK ? rj_client_receive(c, id, until_ms, ret_body) : err;
}

/* ---- life */

static enum rj_err find_socket(struct rj_client *c, const char *path)
{
    struct rj_dirs dirs;
    enum rj_err err = RJ_OK;

    if (path == NULL)
        err = rj_dirs_find(getenv, c->why, sizeof(c->why), &dirs);
    if (err != RJ_OK)
        return err;
    if (path == NULL)
        path = dirs.socket;
    if (strlen(path) >= sizeof(c->socket))
        return rj_client_fail(c, RJ_ELIMIT, "the socket's path is too long");
    (void)snprintf(c->socket, sizeof(c->socket), "%s", path);
    return RJ_OK;
}

static enum rj_err open_it(struct rj_client *c, const struct rj_client_opts *opts)
{
    enum rj_err err;

    rj_wire_init(&c->wire, -1);
    c->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->cancel_fd < 0)
        return rj_client_fail(c, RJ_EIO, "%s", strerror(errno));
    c->wire.cancel_fd = c->cancel_fd;
    c->wire.interruptible = opts->interruptible;
    rj_client_set_timeout(c, opts->timeout_ms);
    err = find_socket(c, opts->socket);
    return err == RJ_OK ? reach(c, rj_client_until(c, 0)) : err;
}

enum rj_err rj_client_open(const struct rj_client_opts *opts, char *why, size_t why_len,
                           struct rj_client **ret_client)
{
    struct rj_client_opts own = {.size = sizeof(own)};
    struct rj_client *c;
    enum rj_err err;

    if (opts != NULL && !rj_opts_take(&own, sizeof(own), opts)) {
        rj_why_set(why, why_len, "size must be set");
        return RJ_EINVAL;
    }
    c = rj_alloc_zero(1, sizeof(*c));
    if (c == NULL) {
        rj_why_set(why, why_len, "%s", rj_err_text(RJ_ENOMEM));
        return RJ_ENOMEM;
    }
    err = open_it(c, &own);
    if (err != RJ_OK) {
        rj_why_set(why, why_len, "%s", c->why[0] != '\0' ? c->why : rj_err_text(err));
        rj_client_close(c);
        return err;
    }
    *ret_client = c;
    return RJ_OK;
}

void rj_client_close(struct rj_client *c)
{
    if (c == NULL)
        return;
    rj_wire_done(&c->wire);
    if (c->cancel_fd >= 0)
        (void)close(c->cancel_fd);
    rj_doc_done(&c->args);
    rj_buf_done(&c->text);
    rj_buf_done(&c->kept.bytes);
    free(c->kept.items);
    free(c->items);
    free(c->pairs);
    free(c);
}

const char *rj_client_why(const struct rj_client *c)
{
    return c->why;
}

const char *rj_client_hint(const struct rj_client *c)
{
    return c->hint;
}

const char *rj_client_daemon_version(const struct rj_client *c)
{
    return c->version;
}

void rj_client_set_timeout(struct rj_client *c, uint32_t timeout_ms)
{
    c->timeout_ms = timeout_ms > 0 ? timeout_ms : RJ_CLIENT_TIMEOUT_MS;
}

void rj_client_cancel(struct rj_client *c)
{
    const uint64_t one = 1;
    int before = errno;

    if (write(c->cancel_fd, &one, sizeof(one)) < 0)
        errno = EAGAIN; /* it is full: cancelled already */
    errno = before;
}

enum rj_err rj_client_use(struct rj_client *c, const char *bucket)
{
    if (bucket == NULL)
        bucket = "";
    if (strlen(bucket) >= sizeof(c->bucket))
        return rj_client_fail(c, RJ_EINVAL, "a bucket's name has at most %d bytes",
                              RJ_NAME_MAX);
    (void)snprintf(c->bucket, sizeof(c->bucket), "%s", bucket);
    return RJ_OK;
}

/* ---- the node */

static void put_arg(struct rj_doc *doc, const struct rj_client_arg *a)
{
    rj_doc_key(doc, a->key);
    switch (a->kind) {
    case RJ_CLIENT_TEXT:
        rj_doc_text(doc, a->text);
        break;
    case RJ_CLIENT_UINT:
        rj_doc_uint(doc, a->number);
        break;
    case RJ_CLIENT_BOOL:
        rj_doc_bool(doc, a->number != 0);
        break;
    case RJ_CLIENT_LIST:
        rj_doc_array(doc);
        for (size_t i = 0; i < a->n_items; i++)
            rj_doc_text(doc, a->items[i]);
        rj_doc_end(doc);
        break;
    }
}

enum rj_err rj_client_verb(struct rj_client *c, const char *verb,
                           const struct rj_client_arg *args, size_t n,
                           const char **ret_json)
{
    struct rj_doc *doc = rj_client_begin(c);
    struct rj_bytes body = {0};
    enum rj_err err;

    for (size_t i = 0; i < n; i++)
        put_arg(doc, &args[i]);
    err = rj_client_ask(c, verb, rj_client_until(c, 0), &body);
    if (err != RJ_OK || ret_json == NULL)
        return err;
    rj_buf_clear(&c->text);
    rj_docjson_put(body, &c->text);
    *ret_json = rj_buf_str(&c->text);
    err = rj_buf_err(&c->text);
    return err == RJ_OK ? RJ_OK : rj_client_fail(c, err, "%s", rj_err_text(err));
}

enum rj_err rj_client_status(struct rj_client *c, const char *name, const char **ret_json)
{
    struct rj_client_arg arg = {.key = "name"};

    if (name != NULL)
        arg.text = rj_bytes_from_str(name);
    return rj_client_verb(c, "status", &arg, name != NULL ? 1 : 0, ret_json);
}

/* ---- watch */

/* An event for fn. False: it has seen enough. */
static bool tell(struct rj_bytes body, rj_client_event_fn *fn, void *ctx)
{
    char level[16] = "", event[64] = "", text[RJ_CLIENT_WHY_MAX] = "";
    struct rj_client_event ev = {.level = level, .event = event, .text = text};

    take_text(body, "level", level, sizeof(level));
    take_text(body, "event", event, sizeof(event));
    take_text(body, "text", text, sizeof(text));
    (void)rj_doc_get_uint(body, "time_ms", &ev.time_ms);
    return fn(ctx, &ev);
}

/* Takes the next message of a watch. False: it is over, or (*ret_err RJ_EBUSY, with
 * until_ms 0) nothing more has come. */
static bool next_event(struct rj_client *c, uint64_t until_ms, rj_client_event_fn *fn,
                       void *ctx, enum rj_err *ret_err)
{
    struct rj_message_reply reply = {0};
    bool go_on = true;

    *ret_err = rj_wire_next(&c->wire, until_ms, &reply);
    if (*ret_err == RJ_ETIMEOUT && until_ms == 0) {
        *ret_err = RJ_EBUSY;
        return false;
    }
    if (*ret_err != RJ_OK) {
        *ret_err = rj_client_lost(c, *ret_err);
        return false;
    }
    if (reply.kind == RJ_MESSAGE_ERROR) {
        *ret_err = rj_client_refused(c, reply.body);
        go_on = false;
    } else if (reply.id == c->ping && reply.kind == RJ_MESSAGE_RESULT) {
        c->ping = 0;
        go_on = fn(ctx, NULL);
    } else if (reply.id == c->under_way && reply.kind == RJ_MESSAGE_EVENT &&
               c->ping == 0) {
        go_on = tell(reply.body, fn, ctx);
    }
    if (!go_on) {
        rj_wire_close(&c->wire); /* events would go on coming */
        c->under_way = 0;
    }
    return go_on;
}

enum rj_err rj_client_watch_begin(struct rj_client *c)
{
    uint64_t until = rj_client_until(c, 0), id = 0;
    enum rj_err err;

    (void)rj_client_begin(c);
    err = rj_client_send(c, "watch", until, &id);
    if (err != RJ_OK)
        return err;
    (void)rj_client_begin(c);
    /* Answered in order: once it is, the watch has begun. */
    err = rj_client_send(c, "ping", until, &c->ping);
    if (err == RJ_OK)
        c->under_way = id;
    return err;
}

enum rj_err rj_client_watch_next(struct rj_client *c, rj_client_event_fn *fn, void *ctx)
{
    enum rj_err err = RJ_OK;

    if (c->under_way == 0)
        return rj_client_fail(c, RJ_EINVAL, "no watch is under way");
    while (next_event(c, 0, fn, ctx, &err))
        continue;
    return err == RJ_EBUSY ? RJ_OK : err;
}

enum rj_err rj_client_watch(struct rj_client *c, rj_client_event_fn *fn, void *ctx)
{
    uint64_t until = rj_client_until(c, 0);
    enum rj_err err = rj_client_watch_begin(c);

    if (err != RJ_OK)
        return err;
    while (next_event(c, c->ping != 0 ? until : RJ_WIRE_NEVER, fn, ctx, &err))
        continue;
    return err;
}

int rj_client_fd(const struct rj_client *c)
{
    return c->under_way != 0 ? c->wire.fd : -1;
}
