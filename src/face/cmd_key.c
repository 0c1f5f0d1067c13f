/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of any type: deletion, expiry, walks. What the options of EXPIRE ask is decided by
 * what this node sees; the deadline itself converges. */
#include "face/resp_cmd.h"
#include "face/resp_glob.h"
#include "face/resp_num.h"

enum rj_err rj_cmd_key_del(struct rj_resp_call *c)
{
    size_t n = c->argc - 1, size_bytes = 0, done = 0;
    int64_t deleted = 0;
    bool existed = false;
    enum rj_err err;

    if (n == 1) {
        err = rj_bucket_del(c->bucket, c->argv[1], &existed);
        if (err == RJ_OK)
            rj_resp_reply_int(c->r, existed);
        if (err == RJ_OK && existed)
            rj_resp_cmd_event(c, 'g', "del", c->argv[1]);
        return err;
    }
    for (size_t i = 1; i < c->argc; i++)
        size_bytes += c->argv[i].len;
    err = rj_resp_cmd_begin(c, n, size_bytes);
    if (err != RJ_OK)
        return err;
    while (done < n && err == RJ_OK) {
        err = rj_bucket_del(c->bucket, c->argv[1 + done], &existed);
        if (err == RJ_OK && existed)
            rj_resp_cmd_event(c, 'g', "del", c->argv[1 + done]);
        done += err == RJ_OK;
        deleted += err == RJ_OK && existed;
    }
    err = rj_resp_cmd_end(c, done, err);
    if (err == RJ_OK)
        rj_resp_reply_int(c->r, deleted);
    return err;
}

enum rj_err rj_cmd_key_exists(struct rj_resp_call *c)
{
    int64_t n = 0;

    for (size_t i = 1; i < c->argc; i++)
        n += rj_bucket_type(c->bucket, c->argv[i]) != RJ_TYPE_NONE;
    rj_resp_reply_int(c->r, n);
    return RJ_OK;
}

static const char *type_name(enum rj_type type)
{
    switch (type) {
    case RJ_TYPE_STRING:
        return "string";
    case RJ_TYPE_SET:
        return "set";
    case RJ_TYPE_HASH:
        return "hash";
    case RJ_TYPE_NONE:
    default:
        return "none";
    }
}

enum rj_err rj_cmd_key_type(struct rj_resp_call *c)
{
    rj_resp_reply_simple(c->r, type_name(rj_bucket_type(c->bucket, c->argv[1])));
    return RJ_OK;
}

/* ---- expiry */

struct expire_words {
    bool nx, xx, gt, lt;
};

/* False: an error was appended. */
static bool read_expire_words(struct rj_resp_call *c, struct expire_words *w)
{
    for (size_t i = 3; i < c->argc; i++) {
        if (rj_resp_cmd_is(c, i, "nx")) {
            w->nx = true;
        } else if (rj_resp_cmd_is(c, i, "xx")) {
            w->xx = true;
        } else if (rj_resp_cmd_is(c, i, "gt")) {
            w->gt = true;
        } else if (rj_resp_cmd_is(c, i, "lt")) {
            w->lt = true;
        } else {
            const struct rj_bytes word = c->argv[i];

            rj_resp_reply_errorf(c->r, "ERR Unsupported option %.*s",
                                 (int)(word.len < 128 ? word.len : 128),
                                 (const char *)word.ptr);
            return false;
        }
    }
    if (w->nx && (w->xx || w->gt || w->lt)) {
        rj_resp_reply_error(c->r, "ERR NX and XX, GT or LT options at the same time are "
                                  "not compatible");
        return false;
    }
    if (w->gt && w->lt) {
        rj_resp_reply_error(c->r,
                            "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* May the deadline be set, when the key has the deadline old_ms (0: none)? */
static bool expire_allowed(const struct expire_words *w, uint64_t old_ms,
                           uint64_t deadline_ms)
{
    if ((w->nx && old_ms != 0) || ((w->xx || w->gt) && old_ms == 0))
        return false;
    if (w->gt && deadline_ms <= old_ms)
        return false;
    return !(w->lt && old_ms != 0 && deadline_ms >= old_ms);
}

static enum rj_err expire(struct rj_resp_call *c, const struct rj_resp_when *when)
{
    struct expire_words w = {0};
    uint64_t deadline_ms, old_ms = 0;
    bool allowed;
    enum rj_err err;

    if (!read_expire_words(c, &w) ||
        rj_resp_cmd_deadline(c, 2, when, &deadline_ms) != RJ_OK)
        return RJ_OK;
    err = rj_bucket_deadline(c->bucket, c->argv[1], &old_ms);
    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    allowed = err == RJ_OK && expire_allowed(&w, old_ms, deadline_ms);
    if (allowed) {
        err = rj_bucket_expire(c->bucket, c->argv[1], deadline_ms);
        if (err != RJ_OK)
            return err;
        rj_resp_cmd_event(c, 'g',
                          deadline_ms > rj_bucket_now(c->bucket) ? "expire" : "del",
                          c->argv[1]);
    }
    rj_resp_reply_int(c->r, allowed);
    return RJ_OK;
}

enum rj_err rj_cmd_key_expire(struct rj_resp_call *c)
{
    return expire(c, &(struct rj_resp_when){.unit_ms = 1000});
}

enum rj_err rj_cmd_key_pexpire(struct rj_resp_call *c)
{
    return expire(c, &(struct rj_resp_when){.unit_ms = 1});
}

enum rj_err rj_cmd_key_expireat(struct rj_resp_call *c)
{
    return expire(c, &(struct rj_resp_when){.unit_ms = 1000, .absolute = true});
}

enum rj_err rj_cmd_key_pexpireat(struct rj_resp_call *c)
{
    return expire(c, &(struct rj_resp_when){.unit_ms = 1, .absolute = true});
}

enum rj_err rj_cmd_key_persist(struct rj_resp_call *c)
{
    uint64_t deadline_ms = 0;
    enum rj_err err = rj_bucket_deadline(c->bucket, c->argv[1], &deadline_ms);

    if (err == RJ_OK && deadline_ms != 0)
        err = rj_bucket_expire(c->bucket, c->argv[1], 0);
    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    rj_resp_reply_int(c->r, err == RJ_OK && deadline_ms != 0);
    if (err == RJ_OK && deadline_ms != 0)
        rj_resp_cmd_event(c, 'g', "persist", c->argv[1]);
    return RJ_OK;
}

/* The deadline in units of unit_ms, rounded; from: 0, or now for the time that is left.
 * -1: never, -2: no such key. */
static enum rj_err reply_deadline(struct rj_resp_call *c, uint64_t from_ms,
                                  uint64_t unit_ms)
{
    uint64_t deadline_ms = 0;
    enum rj_err err = rj_bucket_deadline(c->bucket, c->argv[1], &deadline_ms);
    int64_t answer = -1;

    if (err == RJ_ENOENT)
        answer = -2;
    else if (err != RJ_OK)
        return err;
    else if (deadline_ms != 0)
        answer = deadline_ms < from_ms
                     ? 0
                     : (int64_t)((deadline_ms - from_ms + unit_ms / 2) / unit_ms);
    rj_resp_reply_int(c->r, answer);
    return RJ_OK;
}

enum rj_err rj_cmd_key_ttl(struct rj_resp_call *c)
{
    return reply_deadline(c, rj_bucket_now(c->bucket), 1000);
}

enum rj_err rj_cmd_key_pttl(struct rj_resp_call *c)
{
    return reply_deadline(c, rj_bucket_now(c->bucket), 1);
}

enum rj_err rj_cmd_key_expiretime(struct rj_resp_call *c)
{
    return reply_deadline(c, 0, 1000);
}

enum rj_err rj_cmd_key_pexpiretime(struct rj_resp_call *c)
{
    return reply_deadline(c, 0, 1);
}

/* ---- walks */

struct scan {
    uint64_t cursor, steps;
    size_t count;
    bool matched, typed;
    struct rj_bytes pattern, type;
    const struct rj_bytes *keys; /* of the part that was fetched */
    size_t found;
};

/* MATCH, COUNT, TYPE. False: an error was appended. */
static bool read_scan_words(struct rj_resp_call *c, struct scan *scan)
{
    for (size_t i = 2; i < c->argc; i += 2) {
        if (i + 1 < c->argc && rj_resp_cmd_is(c, i, "match")) {
            scan->matched = true;
            scan->pattern = c->argv[i + 1];
        } else if (i + 1 < c->argc && rj_resp_cmd_is(c, i, "type")) {
            scan->typed = true;
            scan->type = c->argv[i + 1];
        } else if (i + 1 == c->argc || !rj_resp_cmd_is(c, i, "count")) {
            (void)rj_resp_cmd_syntax(c);
            return false;
        } else if (!rj_resp_cmd_count(c, i + 1, &scan->count)) {
            return false;
        }
    }
    return true;
}

/* Appends those keys kept in scratch that have the type; *n counts them. */
static enum rj_err reply_typed(struct rj_resp_call *c, const struct scan *scan, size_t *n)
{
    const struct rj_buf *kept = &c->s->scratch;
    size_t at = 0;

    if (kept->failed)
        return RJ_ENOMEM;
    while (at < kept->len) {
        struct rj_bytes key;

        memcpy(&key.len, kept->ptr + at, sizeof(key.len));
        at += sizeof(key.len);
        key.ptr = kept->ptr + at;
        at += key.len;
        if (!rj_resp_cmd_word(scan->type, type_name(rj_bucket_type(c->bucket, key))))
            continue;
        rj_resp_reply_bulk(c->r, key);
        (*n)++;
    }
    return RJ_OK;
}

/* Fetches the next part of the walk. */
static enum rj_err scan_fetch(struct rj_resp_call *c, struct scan *scan)
{
    return rj_bucket_scan(c->bucket, &scan->cursor, scan->count, &scan->keys,
                          &scan->found);
}

/* Appends those of the fetched keys that pass; *n counts them. The type is asked in a
 * second round, for the keys are borrowed until the next call of the bucket. RJ_ERANGE:
 * the pattern costs too much. */
static enum rj_err scan_reply(struct rj_resp_call *c, struct scan *scan, size_t *n)
{
    rj_buf_clear(&c->s->scratch);
    for (size_t i = 0; i < scan->found; i++) {
        const struct rj_bytes key = scan->keys[i];

        if (scan->matched && !rj_resp_glob_match(scan->pattern, key, &scan->steps))
            continue;
        if (scan->typed) {
            rj_buf_append_raw(&c->s->scratch, &key.len, sizeof(key.len));
            rj_buf_append(&c->s->scratch, key);
        } else {
            rj_resp_reply_bulk(c->r, key);
            (*n)++;
        }
    }
    if (scan->steps == 0)
        return RJ_ERANGE;
    return scan->typed ? reply_typed(c, scan, n) : RJ_OK;
}

enum rj_err rj_cmd_key_scan(struct rj_resp_call *c)
{
    struct scan scan = {.count = 10, .steps = RJ_RESP_GLOB_STEPS};
    uint8_t text[RJ_RESP_NUM_MAX];
    size_t start = c->r->buf->len, opened, n = 0;
    enum rj_err err;

    if (!rj_resp_cmd_cursor(c, 1, &scan.cursor) || !read_scan_words(c, &scan))
        return RJ_OK;
    err = scan_fetch(c, &scan);
    if (err != RJ_OK)
        return err;
    rj_resp_reply_array(c->r, 2);
    rj_resp_reply_bulk(c->r, rj_bytes_of(text, rj_resp_num_put_u64(text, scan.cursor)));
    opened = rj_resp_reply_open(c->r);
    err = scan_reply(c, &scan, &n);
    if (err == RJ_ERANGE) {
        rj_buf_truncate(c->r->buf, start);
        return rj_resp_cmd_costly(c);
    }
    rj_resp_reply_close(c->r, opened, RJ_RESP_ARRAY, n);
    return err;
}

/* From a place drawn at random on, and from the beginning when nothing comes there. */
enum rj_err rj_cmd_key_randomkey(struct rj_resp_call *c)
{
    struct scan scan = {.count = 1, .cursor = c->s->host->ops->random(c->s->host)};
    enum rj_err err = scan_fetch(c, &scan);

    if (err == RJ_OK && scan.found == 0) {
        scan.cursor = 0;
        err = scan_fetch(c, &scan);
    }
    if (err != RJ_OK)
        return err;
    if (scan.found > 0)
        rj_resp_reply_bulk(c->r, scan.keys[0]);
    else
        rj_resp_reply_null(c->r);
    return RJ_OK;
}

enum rj_err rj_cmd_key_keys(struct rj_resp_call *c)
{
    struct scan scan = {.count = 1024,
                        .steps = RJ_RESP_GLOB_STEPS,
                        .matched = true,
                        .pattern = c->argv[1]};
    size_t opened = rj_resp_reply_open(c->r), n = 0;
    enum rj_err err;

    do {
        err = scan_fetch(c, &scan);
        if (err == RJ_OK)
            err = scan_reply(c, &scan, &n);
    } while (err == RJ_OK && scan.cursor != 0 && !c->r->buf->failed);
    if (err == RJ_ERANGE) {
        rj_buf_truncate(c->r->buf, opened);
        return rj_resp_cmd_costly(c);
    }
    rj_resp_reply_close(c->r, opened, RJ_RESP_ARRAY, n);
    return err;
}
