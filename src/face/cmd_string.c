/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: last-writer-wins registers, and counters whose concurrent changes add up. */
#include "face/resp_cmd.h"
#include "face/resp_num.h"

static const struct rj_resp_when seconds = {.unit_ms = 1000, .positive = true};
static const struct rj_resp_when milliseconds = {.unit_ms = 1, .positive = true};
static const struct rj_resp_when at_second = {
    .unit_ms = 1000, .absolute = true, .positive = true};
static const struct rj_resp_when at_millisecond = {
    .unit_ms = 1, .absolute = true, .positive = true};

/* What EX, PX, EXAT, PXAT mean; NULL for another word. */
static const struct rj_resp_when *expiry_word(const struct rj_resp_call *c, size_t i)
{
    if (rj_resp_cmd_is(c, i, "ex"))
        return &seconds;
    if (rj_resp_cmd_is(c, i, "px"))
        return &milliseconds;
    if (rj_resp_cmd_is(c, i, "exat"))
        return &at_second;
    return rj_resp_cmd_is(c, i, "pxat") ? &at_millisecond : NULL;
}

enum rj_err rj_cmd_string_get(struct rj_resp_call *c)
{
    struct rj_bytes value = {NULL, 0};
    enum rj_err err = rj_bucket_get(c->bucket, c->argv[1], &value);

    return rj_resp_cmd_value(c, err, value);
}

enum rj_err rj_cmd_string_mget(struct rj_resp_call *c)
{
    rj_resp_reply_array(c->r, c->argc - 1);
    for (size_t i = 1; i < c->argc && !c->r->buf->failed; i++) {
        struct rj_bytes value = {NULL, 0};
        enum rj_err err = rj_bucket_get(c->bucket, c->argv[i], &value);

        err = rj_resp_cmd_value(c, err == RJ_ETYPE ? RJ_ENOENT : err, value);
        if (err != RJ_OK)
            return err;
    }
    return RJ_OK;
}

enum rj_err rj_cmd_string_strlen(struct rj_resp_call *c)
{
    struct rj_bytes value = {NULL, 0};
    enum rj_err err = rj_bucket_get(c->bucket, c->argv[1], &value);

    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    rj_resp_reply_int(c->r, (int64_t)value.len);
    return RJ_OK;
}

enum rj_err rj_cmd_string_getrange(struct rj_resp_call *c)
{
    struct rj_bytes value = {NULL, 0};
    int64_t from, to, len;
    enum rj_err err;

    if (!rj_resp_num_i64(c->argv[2], &from) || !rj_resp_num_i64(c->argv[3], &to))
        return rj_resp_cmd_not_int(c);
    err = rj_bucket_get(c->bucket, c->argv[1], &value);
    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    len = (int64_t)value.len;
    if (from < 0 && to < 0 && from > to)
        len = 0;
    if (from < 0)
        from = from < -len ? 0 : from + len;
    if (to < 0)
        to = to < -len ? 0 : to + len;
    if (to >= len)
        to = len - 1;
    if (from > to || len == 0)
        rj_resp_reply_bulk_str(c->r, "");
    else
        rj_resp_reply_bulk(c->r, rj_bytes_of(value.ptr + from, (size_t)(to - from + 1)));
    return RJ_OK;
}

/* ---- SET */

struct set_words {
    const struct rj_resp_when *when; /* of the argument when_at; NULL: none */
    size_t when_at;
    bool keep, nx, xx, get;
};

/* False: a syntax error was appended. */
static bool read_set_words(struct rj_resp_call *c, struct set_words *w)
{
    bool fits = true;

    for (size_t i = 3; i < c->argc && fits; i++) {
        const struct rj_resp_when *when = expiry_word(c, i);

        if (when != NULL) {
            fits = w->when == NULL && !w->keep && i + 1 < c->argc;
            w->when = when;
            w->when_at = ++i;
        } else if (rj_resp_cmd_is(c, i, "keepttl")) {
            fits = w->when == NULL;
            w->keep = true;
        } else if (rj_resp_cmd_is(c, i, "nx")) {
            fits = !w->xx;
            w->nx = true;
        } else if (rj_resp_cmd_is(c, i, "xx")) {
            fits = !w->nx;
            w->xx = true;
        } else {
            fits = rj_resp_cmd_is(c, i, "get");
            w->get = true;
        }
    }
    if (!fits)
        (void)rj_resp_cmd_syntax(c);
    return fits;
}

static void tell_set(const struct rj_resp_call *c, struct rj_bytes key,
                     const struct rj_set_opts *opts)
{
    rj_resp_cmd_event(c, '$', "set", key);
    if (opts->ttl == RJ_TTL_AT)
        rj_resp_cmd_event(c, 'g', "expire", key);
}

/* SET with options that read before they write. */
static enum rj_err set_after_look(struct rj_resp_call *c, const struct set_words *w,
                                  const struct rj_set_opts *opts)
{
    struct rj_bytes old = {NULL, 0};
    bool exists = rj_bucket_type(c->bucket, c->argv[1]) != RJ_TYPE_NONE;
    enum rj_err err = RJ_OK;

    if (w->get) {
        err = rj_bucket_get(c->bucket, c->argv[1], &old);
        err = rj_resp_cmd_value(c, err, old);
        if (err != RJ_OK)
            return err;
    }
    if (w->xx && !exists) {
        if (!w->get)
            rj_resp_reply_null(c->r);
        return RJ_OK;
    }
    err = rj_bucket_set(c->bucket, c->argv[1], c->argv[2], opts);
    if (err == RJ_OK && !w->get)
        rj_resp_reply_ok(c->r);
    if (err == RJ_OK)
        tell_set(c, c->argv[1], opts);
    return err;
}

static enum rj_err set_with_words(struct rj_resp_call *c)
{
    struct set_words w = {0};
    struct rj_set_opts opts = {.ttl = RJ_TTL_CLEAR};
    enum rj_err err;

    if (!read_set_words(c, &w))
        return RJ_OK;
    if (w.nx)
        return rj_resp_cmd_refuse(c, "set nx");
    if (w.when != NULL) {
        if (rj_resp_cmd_deadline(c, w.when_at, w.when, &opts.deadline_ms) != RJ_OK)
            return RJ_OK;
        opts.ttl = RJ_TTL_AT;
    } else if (w.keep) {
        opts.ttl = RJ_TTL_KEEP;
    }
    if (w.get || w.xx)
        return set_after_look(c, &w, &opts);
    err = rj_bucket_set(c->bucket, c->argv[1], c->argv[2], &opts);
    if (err == RJ_OK) {
        rj_resp_reply_ok(c->r);
        tell_set(c, c->argv[1], &opts);
    }
    return err;
}

enum rj_err rj_cmd_string_set(struct rj_resp_call *c)
{
    enum rj_err err;

    if (c->argc > 3)
        return set_with_words(c);
    err = rj_bucket_set(c->bucket, c->argv[1], c->argv[2], NULL);
    if (err == RJ_OK) {
        rj_resp_reply_ok(c->r);
        rj_resp_cmd_event(c, '$', "set", c->argv[1]);
    }
    return err;
}

static enum rj_err set_expiring(struct rj_resp_call *c, const struct rj_resp_when *when)
{
    struct rj_set_opts opts = {.ttl = RJ_TTL_AT};
    enum rj_err err;

    if (rj_resp_cmd_deadline(c, 2, when, &opts.deadline_ms) != RJ_OK)
        return RJ_OK;
    err = rj_bucket_set(c->bucket, c->argv[1], c->argv[3], &opts);
    if (err == RJ_OK) {
        rj_resp_reply_ok(c->r);
        tell_set(c, c->argv[1], &opts);
    }
    return err;
}

enum rj_err rj_cmd_string_setex(struct rj_resp_call *c)
{
    return set_expiring(c, &seconds);
}

enum rj_err rj_cmd_string_psetex(struct rj_resp_call *c)
{
    return set_expiring(c, &milliseconds);
}

enum rj_err rj_cmd_string_mset(struct rj_resp_call *c)
{
    size_t n = (c->argc - 1) / 2, size_bytes = 0, done = 0;
    enum rj_err err;

    if (c->argc % 2 == 0)
        return rj_resp_cmd_arity(c);
    for (size_t i = 1; i < c->argc; i += 2) {
        if (c->argv[i].len > RJ_KEY_MAX || c->argv[i + 1].len > RJ_VALUE_MAX)
            return RJ_ELIMIT;
        size_bytes += c->argv[i].len + c->argv[i + 1].len;
    }
    err = rj_resp_cmd_begin(c, n, size_bytes);
    if (err != RJ_OK)
        return err;
    while (done < n && err == RJ_OK) {
        const struct rj_bytes *pair = c->argv + 1 + 2 * done;

        err = rj_bucket_set(c->bucket, pair[0], pair[1], NULL);
        if (err == RJ_OK)
            rj_resp_cmd_event(c, '$', "set", pair[0]);
        done += err == RJ_OK;
    }
    err = rj_resp_cmd_end(c, done, err);
    if (err == RJ_OK)
        rj_resp_reply_ok(c->r);
    return err;
}

/* ---- what reads and writes: what it gives is what this node has seen */

enum rj_err rj_cmd_string_getset(struct rj_resp_call *c)
{
    struct rj_bytes old = {NULL, 0};
    enum rj_err err = rj_bucket_get(c->bucket, c->argv[1], &old);

    err = rj_resp_cmd_value(c, err, old);
    if (err == RJ_OK)
        err = rj_bucket_set(c->bucket, c->argv[1], c->argv[2], NULL);
    if (err == RJ_OK)
        rj_resp_cmd_event(c, '$', "set", c->argv[1]);
    return err;
}

enum rj_err rj_cmd_string_getdel(struct rj_resp_call *c)
{
    struct rj_bytes old = {NULL, 0};
    bool existed = false;
    enum rj_err err = rj_bucket_get(c->bucket, c->argv[1], &old);

    err = rj_resp_cmd_value(c, err, old);
    if (err == RJ_OK)
        err = rj_bucket_del(c->bucket, c->argv[1], &existed);
    if (err == RJ_OK && existed)
        rj_resp_cmd_event(c, 'g', "del", c->argv[1]);
    return err;
}

/* GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST] */
enum rj_err rj_cmd_string_getex(struct rj_resp_call *c)
{
    const struct rj_resp_when *when = expiry_word(c, 2);
    bool persist = c->argc == 3 && rj_resp_cmd_is(c, 2, "persist");
    struct rj_bytes value = {NULL, 0};
    uint64_t deadline_ms = 0;
    enum rj_err err;

    if (c->argc > 2 && !persist && !(when != NULL && c->argc == 4))
        return rj_resp_cmd_syntax(c);
    err = rj_bucket_get(c->bucket, c->argv[1], &value);
    if (err != RJ_OK || c->argc == 2)
        return rj_resp_cmd_value(c, err, value);
    if (when != NULL && rj_resp_cmd_deadline(c, 3, when, &deadline_ms) != RJ_OK)
        return RJ_OK;
    err = rj_bucket_get(c->bucket, c->argv[1], &value);
    if (err != RJ_OK)
        return err;
    rj_resp_reply_bulk(c->r, value);
    if (persist) {
        err = rj_bucket_deadline(c->bucket, c->argv[1], &deadline_ms);
        if (err != RJ_OK || deadline_ms == 0)
            return err;
        deadline_ms = 0;
    }
    err = rj_bucket_expire(c->bucket, c->argv[1], deadline_ms);
    if (err == RJ_OK)
        rj_resp_cmd_event(c, 'g', persist ? "persist" : "expire", c->argv[1]);
    return err;
}

/* ---- counters */

static enum rj_err add(struct rj_resp_call *c, int64_t delta)
{
    struct rj_bytes value;
    int64_t sum;
    enum rj_err err = rj_bucket_incr(c->bucket, c->argv[1], delta, &sum);

    if (err == RJ_OK) {
        rj_resp_reply_int(c->r, sum);
        rj_resp_cmd_event(c, '$', "incrby", c->argv[1]);
    } else if (err == RJ_ERANGE &&
               rj_bucket_get(c->bucket, c->argv[1], &value) == RJ_OK &&
               rj_resp_num_i64(value, &sum)) {
        err = rj_resp_cmd_fail(c, "ERR increment or decrement would overflow");
    }
    return err;
}

enum rj_err rj_cmd_string_incr(struct rj_resp_call *c)
{
    return add(c, 1);
}

enum rj_err rj_cmd_string_decr(struct rj_resp_call *c)
{
    return add(c, -1);
}

enum rj_err rj_cmd_string_incrby(struct rj_resp_call *c)
{
    int64_t delta;

    return rj_resp_num_i64(c->argv[2], &delta) ? add(c, delta) : rj_resp_cmd_not_int(c);
}

enum rj_err rj_cmd_string_decrby(struct rj_resp_call *c)
{
    int64_t delta;

    if (!rj_resp_num_i64(c->argv[2], &delta))
        return rj_resp_cmd_not_int(c);
    if (delta == INT64_MIN)
        return rj_resp_cmd_fail(c, "ERR decrement would overflow");
    return add(c, -delta);
}
