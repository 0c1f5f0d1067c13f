/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers of commands share: error replies in the words of Redis, options, groups
 * of writes, walks over collections. */
#include "face/resp_cmd.h"

#include "causal/kind.h"
#include "face/resp_glob.h"
#include "face/resp_num.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- errors */

enum rj_err rj_resp_cmd_fail(struct rj_resp_call *c, const char *text)
{
    rj_resp_reply_error(c->r, text);
    return RJ_OK;
}

enum rj_err rj_resp_cmd_syntax(struct rj_resp_call *c)
{
    return rj_resp_cmd_fail(c, "ERR syntax error");
}

enum rj_err rj_resp_cmd_not_int(struct rj_resp_call *c)
{
    return rj_resp_cmd_fail(c, "ERR value is not an integer or out of range");
}

enum rj_err rj_resp_cmd_costly(struct rj_resp_call *c)
{
    return rj_resp_cmd_fail(c, "ERR the pattern costs too much here, use a simpler one");
}

enum rj_err rj_resp_cmd_arity(struct rj_resp_call *c)
{
    rj_resp_reply_errorf(c->r, "ERR wrong number of arguments for '%s' command",
                         c->cmd->name);
    return RJ_OK;
}

enum rj_err rj_resp_cmd_refuse(struct rj_resp_call *c, const char *name)
{
    char caps[RJ_RESP_WORD_MAX] = {0};

    for (size_t i = 0; name[i] != '\0' && i + 1 < sizeof(caps); i++)
        caps[i] =
            name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    rj_resp_reply_errorf(c->r, "ERR %s is refused: %s", caps, rj_resp_table_reason(name));
    return RJ_OK;
}

/* The reply for an error; NULL: its own text will do. */
static const char *error_text(enum rj_err err)
{
    static const char *const texts[RJ_ERR_COUNT] = {
        [RJ_ENOMEM] = "OOM out of memory, nothing was written",
        [RJ_ENOENT] = "ERR no such bucket",
        [RJ_ETYPE] = "WRONGTYPE Operation against a key holding the wrong kind of value",
        [RJ_ERANGE] = "ERR value is not an integer or out of range",
        [RJ_ELIMIT] =
            "ERR too large: keys 64 KiB, values 16 MiB, batches 65536 writes, 32 MiB",
        [RJ_EDENIED] = "NOPERM this device may not write in this bucket",
        [RJ_ECLOSED] = "NOPERM this device was closed, its writes are not accepted",
        [RJ_ECLOCK] = "MISCONF this machine's clock is too far off, nothing was written",
        [RJ_EFULL] = "MISCONF no room left on the disk, nothing was written",
        [RJ_EIO] = "MISCONF the disk or the system failed, nothing was written",
        [RJ_EJOINING] = "LOADING this node is still taking over the bucket",
        [RJ_EREADONLY] = "READONLY You can't write against a read only replica."};

    return err > RJ_OK && err < RJ_ERR_COUNT ? texts[err] : NULL;
}

void rj_resp_cmd_error(struct rj_resp_reply *r, enum rj_err err)
{
    const char *text = error_text(err);

    if (text != NULL)
        rj_resp_reply_error(r, text);
    else
        rj_resp_reply_errorf(r, "ERR %s", rj_err_text(err));
}

void rj_resp_cmd_acks(struct rj_resp_reply *r, const struct rj_resp_acks *acks,
                      bool with_local)
{
    if (with_local) {
        rj_resp_reply_array(r, 2);
        rj_resp_reply_int(r, (int64_t)acks->local);
    }
    rj_resp_reply_int(r, (int64_t)acks->peers);
}

/* ---- arguments */

bool rj_resp_cmd_word(struct rj_bytes arg, const char *word)
{
    for (size_t i = 0; i < arg.len; i++) {
        uint8_t c = arg.ptr[i];

        if (c >= 'A' && c <= 'Z')
            c = (uint8_t)(c - 'A' + 'a');
        if (word[i] == '\0' || c != (uint8_t)word[i])
            return false;
    }
    return word[arg.len] == '\0';
}

bool rj_resp_cmd_is(const struct rj_resp_call *c, size_t i, const char *word)
{
    return i < c->argc && rj_resp_cmd_word(c->argv[i], word);
}

bool rj_resp_cmd_cursor(struct rj_resp_call *c, size_t at, uint64_t *ret_cursor)
{
    if (rj_resp_num_u64(c->argv[at], ret_cursor))
        return true;
    (void)rj_resp_cmd_fail(c, "ERR invalid cursor");
    return false;
}

bool rj_resp_cmd_count(struct rj_resp_call *c, size_t at, size_t *ret_count)
{
    int64_t count;

    if (!rj_resp_num_i64(c->argv[at], &count)) {
        (void)rj_resp_cmd_not_int(c);
        return false;
    }
    if (count < 1) {
        (void)rj_resp_cmd_syntax(c);
        return false;
    }
    *ret_count = count < RJ_RESP_SCAN_MAX ? (size_t)count : RJ_RESP_SCAN_MAX;
    return true;
}

bool rj_resp_cmd_natural(struct rj_resp_call *c, size_t at, uint64_t *ret)
{
    int64_t v;

    if (!rj_resp_num_i64(c->argv[at], &v) || v < 0) {
        (void)rj_resp_cmd_fail(c, "ERR value is out of range, must be positive");
        return false;
    }
    *ret = (uint64_t)v;
    return true;
}

bool rj_resp_cmd_picks(struct rj_resp_call *c, size_t at, int64_t *ret)
{
    int64_t v;

    if (!rj_resp_num_i64(c->argv[at], &v))
        (void)rj_resp_cmd_not_int(c);
    else if (v == INT64_MIN)
        rj_resp_reply_errorf(c->r,
                             "ERR value is out of range, value must between %" PRId64
                             " and %" PRId64,
                             -INT64_MAX, INT64_MAX);
    else if (v < -RJ_RESP_PICK_MAX)
        (void)rj_resp_cmd_fail(c, "ERR value is out of range");
    else {
        *ret = v;
        return true;
    }
    return false;
}

static enum rj_err bad_deadline(struct rj_resp_call *c)
{
    rj_resp_reply_errorf(c->r, "ERR invalid expire time in '%s' command", c->cmd->name);
    return RJ_ERANGE;
}

enum rj_err rj_resp_cmd_deadline(struct rj_resp_call *c, size_t at,
                                 const struct rj_resp_when *when, uint64_t *ret_ms)
{
    uint64_t now_ms = rj_bucket_now(c->bucket);
    int64_t v;

    if (!rj_resp_num_i64(c->argv[at], &v)) {
        (void)rj_resp_cmd_not_int(c);
        return RJ_ERANGE;
    }
    if ((when->positive && v <= 0) || __builtin_mul_overflow(v, when->unit_ms, &v))
        return bad_deadline(c);
    if (!when->absolute && __builtin_add_overflow(v, (int64_t)now_ms, &v))
        return bad_deadline(c);
    *ret_ms = v > 0 ? (uint64_t)v : 1;
    return RJ_OK;
}

/* ---- the bucket, groups of writes */

enum rj_err rj_resp_cmd_bucket(struct rj_resp *s, struct rj_bucket **ret_bucket)
{
    enum rj_err err = RJ_OK;

    if (s->bucket == NULL)
        err = s->host->ops->bucket(s->host, s, &s->bucket);
    if (err == RJ_OK)
        *ret_bucket = s->bucket;
    else
        s->bucket = NULL;
    return err;
}

enum rj_err rj_resp_cmd_flush(struct rj_resp_call *c)
{
    enum rj_err err;

    c->s->bucket = NULL;
    err = c->s->host->ops->flush(c->s->host, c->s);
    if (err != RJ_OK)
        return err;
    return rj_resp_cmd_bucket(c->s, &c->bucket);
}

enum rj_err rj_resp_cmd_begin(struct rj_resp_call *c, size_t n, size_t size_bytes)
{
    enum rj_err err = RJ_OK;

    if (c->grouped)
        return RJ_OK;
    if (n > RJ_BATCH_WRITES_MAX || size_bytes > RJ_BATCH_OPS_MAX)
        return RJ_ELIMIT;
    /* The bucket leaves half a batch; what may want more gets a whole one. */
    if (n > RJ_BATCH_WRITES_MAX / 4 || size_bytes > RJ_BATCH_OPS_MAX / 4)
        err = rj_resp_cmd_flush(c);
    return err == RJ_OK ? rj_bucket_begin(c->bucket) : err;
}

enum rj_err rj_resp_cmd_end(struct rj_resp_call *c, size_t done, enum rj_err err)
{
    if (!c->grouped)
        rj_bucket_end(c->bucket);
    if (done > 0)
        c->s->wrote = c->s->wrote_ever = true;
    return done > 0 && err == RJ_EBUSY ? RJ_ELIMIT : err;
}

/* ---- collections */

enum rj_err rj_resp_cmd_value(struct rj_resp_call *c, enum rj_err err,
                              struct rj_bytes value)
{
    if (err == RJ_OK)
        rj_resp_reply_bulk(c->r, value);
    else if (err == RJ_ENOENT)
        rj_resp_reply_null(c->r);
    else
        return err;
    return RJ_OK;
}

enum rj_err rj_resp_cmd_has_type(struct rj_resp_call *c, enum rj_type type, bool *ret_is)
{
    enum rj_type is = rj_bucket_type(c->bucket, c->argv[1]);

    if (is != type && is != RJ_TYPE_NONE)
        return RJ_ETYPE;
    *ret_is = is == type;
    return RJ_OK;
}

enum rj_err rj_resp_cmd_walk(struct rj_resp_call *c, const struct rj_resp_walk *w,
                             size_t *ret_n)
{
    uint64_t steps = RJ_RESP_GLOB_STEPS;
    struct rj_bytes after;
    struct rj_pair pair;
    size_t n = 0;
    enum rj_err err = rj_bucket_next(c->bucket, c->argv[1], NULL, &pair);

    while (err == RJ_OK && !c->r->buf->failed) {
        if (!w->matched || rj_resp_glob_match(w->pattern, pair.field, &steps)) {
            if (w->fields)
                rj_resp_reply_bulk(c->r, pair.field);
            if (w->values)
                rj_resp_reply_bulk(c->r, pair.value);
            n++;
        }
        if (steps == 0)
            return RJ_ERANGE;
        after = pair.field;
        err = rj_bucket_next(c->bucket, c->argv[1], &after, &pair);
    }
    *ret_n = n;
    return err == RJ_ENOENT ? RJ_OK : err;
}

/* MATCH pattern, COUNT n, NOVALUES, in any order. False: an error was appended. */
static bool scan_options(struct rj_resp_call *c, struct rj_resp_walk *w)
{
    size_t count;

    for (size_t i = 3; i < c->argc; i++) {
        if (rj_resp_cmd_is(c, i, "novalues") && w->values) {
            w->values = false;
        } else if (i + 1 < c->argc && rj_resp_cmd_is(c, i, "match")) {
            w->matched = true;
            w->pattern = c->argv[++i];
        } else if (i + 1 == c->argc || !rj_resp_cmd_is(c, i, "count")) {
            (void)rj_resp_cmd_syntax(c);
            return false;
        } else if (!rj_resp_cmd_count(c, ++i, &count)) {
            return false;
        }
    }
    return true;
}

enum rj_err rj_resp_cmd_scan_all(struct rj_resp_call *c, enum rj_type type)
{
    struct rj_resp_walk w = {.fields = true, .values = type == RJ_TYPE_HASH};
    uint64_t cursor;
    bool is = false;
    size_t n = 0, start = c->r->buf->len, opened;
    enum rj_err err = RJ_OK;

    if (!rj_resp_cmd_cursor(c, 2, &cursor) || !scan_options(c, &w))
        return RJ_OK;
    err = rj_resp_cmd_has_type(c, type, &is);
    if (err != RJ_OK)
        return err;
    rj_resp_reply_array(c->r, 2);
    rj_resp_reply_bulk(c->r, RJ_BYTES_LIT("0"));
    opened = rj_resp_reply_open(c->r);
    if (is && cursor == 0)
        err = rj_resp_cmd_walk(c, &w, &n);
    if (err == RJ_ERANGE) {
        rj_buf_truncate(c->r->buf, start);
        return rj_resp_cmd_costly(c);
    }
    rj_resp_reply_close(c->r, opened, RJ_RESP_ARRAY, n * (1 + (size_t)w.values));
    return err;
}

/* ---- subcommands */

static enum rj_err sub_help(struct rj_resp_call *c, const struct rj_resp_sub *subs,
                            size_t n)
{
    size_t shown = 0;

    for (size_t i = 0; i < n; i++)
        shown += subs[i].handler != NULL;
    rj_resp_reply_array(c->r, shown + 1);
    rj_resp_reply_simple(c->r, "Subcommands are:");
    for (size_t i = 0; i < n; i++)
        if (subs[i].handler != NULL)
            rj_resp_reply_simple(c->r, subs[i].usage);
    return RJ_OK;
}

static bool arity_fits(int arity, size_t argc)
{
    return arity >= 0 ? argc == (size_t)arity : argc >= (size_t)-arity;
}

enum rj_err rj_resp_cmd_sub(struct rj_resp_call *c, const struct rj_resp_sub *subs,
                            size_t n)
{
    const struct rj_bytes word = c->argv[1];
    char name[2 * RJ_RESP_WORD_MAX];

    if (rj_resp_cmd_word(word, "help"))
        return sub_help(c, subs, n);
    for (size_t i = 0; i < n; i++) {
        if (!rj_resp_cmd_word(word, subs[i].name))
            continue;
        (void)snprintf(name, sizeof(name), "%s %s", c->cmd->name, subs[i].name);
        if (subs[i].handler == NULL)
            return rj_resp_cmd_refuse(c, name);
        if (arity_fits(subs[i].arity, c->argc))
            return subs[i].handler(c);
        rj_resp_reply_errorf(c->r, "ERR wrong number of arguments for '%s|%s' command",
                             c->cmd->name, subs[i].name);
        return RJ_OK;
    }
    for (size_t i = 0; c->cmd->name[i] != '\0'; i++)
        name[i] = (char)(c->cmd->name[i] - 'a' + 'A');
    name[strlen(c->cmd->name)] = '\0';
    rj_resp_reply_errorf(c->r, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                         (int)(word.len < 128 ? word.len : 128), (const char *)word.ptr,
                         name);
    return RJ_OK;
}
