/* SPDX-License-Identifier: Apache-2.0 */
/* A session of the Redis protocol: reads commands, checks them in the order in which
 * Redis does (known? arity? logged in? queued?), runs their handlers, keeps what cannot
 * be executed yet. Invariants: replies leave in the order of the commands; nothing is
 * executed while a WAIT is under way, while too much output waits, or after the session
 * was closed; the bucket is asked for anew in every turn, for it carries the time. */
#include "face/resp.h"

#include "base/alloc.h"
#include "face/resp_cmd.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    /* Kept input: one command that is not complete, and more reads of the driver. */
    IN_MAX = RJ_RESP_COMMAND_MAX + 16 * 1024 * 1024,
    ERROR_ROOM = 256, /* for the error that says that a reply was too large */
    QUOTE_MAX = 128   /* bytes of a client's words repeated in an error */
};

/* ---- life */

static void copy_text(char *to, size_t size, const char *from)
{
    (void)snprintf(to, size, "%s", from != NULL ? from : "");
}

enum rj_err rj_resp_new(struct rj_resp_host *host, const struct rj_resp_opts *opts,
                        struct rj_resp **ret_session)
{
    const struct rj_bytes none = {NULL, 0};
    struct rj_resp *s = rj_alloc_zero(1, sizeof(*s));

    if (s == NULL)
        return RJ_ENOMEM;
    s->host = host;
    s->user = opts->user;
    s->id = opts->id;
    s->reply = (struct rj_resp_reply){.buf = &s->out, .proto = 2};
    rj_buf_init(&s->in, IN_MAX);
    rj_buf_init(&s->queue.buf, RJ_RESP_QUEUE_BYTES);
    s->since_ms = s->active_ms = host->ops->now(host).mono.ms;
    copy_text(s->addr, sizeof(s->addr), opts->addr);
    copy_text(s->laddr, sizeof(s->laddr), opts->laddr);
    copy_text(s->login, sizeof(s->login), "default");
    s->authenticated = host->ops->auth(host, s, none, none) == RJ_OK;
    *ret_session = s;
    return RJ_OK;
}

void rj_resp_free(struct rj_resp *s)
{
    if (s == NULL)
        return;
    rj_resp_hub_leave(s);
    rj_buf_done(&s->in);
    rj_buf_done(&s->out);
    rj_buf_done(&s->pushed);
    rj_buf_done(&s->scratch);
    rj_buf_done(&s->queue.buf);
    rj_resp_parse_done(&s->parse);
    free(s->pairs);
    free(s);
}

struct rj_buf *rj_resp_out(struct rj_resp *s)
{
    return &s->out;
}

bool rj_resp_take_wrote(struct rj_resp *s)
{
    bool wrote = s->wrote;

    s->wrote = false;
    return wrote;
}

void *rj_resp_user(const struct rj_resp *s)
{
    return s->user;
}

uint64_t rj_resp_id(const struct rj_resp *s)
{
    return s->id;
}

void rj_resp_describe(const struct rj_resp *s, struct rj_now now, struct rj_buf *out)
{
    const char *flags = s->waiting                  ? "b"
                        : s->queue.open             ? "x"
                        : rj_resp_subscribed(s) > 0 ? "P"
                                                    : "N";

    rj_buf_printf(out, "id=%" PRIu64 " addr=%s laddr=%s name=%s", s->id, s->addr,
                  s->laddr, s->name);
    rj_buf_printf(out, " age=%" PRIu64 " idle=%" PRIu64 " flags=%s db=0 multi=%d",
                  (now.mono.ms - s->since_ms) / 1000, (now.mono.ms - s->active_ms) / 1000,
                  flags, s->queue.open ? (int)s->queue.count : -1);
    rj_buf_printf(out, " sub=%zu ssub=%zu qbuf=%zu obl=%zu cmd=%s user=%s resp=%d",
                  s->subs.channels, s->subs.shards, s->in.len - s->in_off, s->out.len,
                  s->last != NULL ? s->last->name : "NULL", s->login, s->reply.proto);
    rj_buf_printf(out, " lib-name=%s lib-ver=%s\n", s->lib_name, s->lib_version);
}

/* ---- one command */

/* What a handler appended does not count: the reply is an error. */
static void replace_reply(struct rj_resp *s, size_t start, enum rj_err err)
{
    rj_buf_truncate(&s->out, start);
    rj_resp_cmd_error(&s->reply, err);
}

/* The reply went over the limit or there was no memory for it. */
static void reply_failed(struct rj_resp *s, size_t start)
{
    if (rj_buf_err(&s->out) != RJ_ELIMIT) {
        s->closing = true;
        return;
    }
    s->out.failed = false;
    rj_buf_truncate(&s->out, start);
    s->out.limit += ERROR_ROOM;
    rj_resp_reply_errorf(&s->reply, "ERR the reply would be larger than %d MiB",
                         RJ_RESP_REPLY_MAX / (1024 * 1024));
}

void rj_resp_run(struct rj_resp_call *c)
{
    struct rj_resp *s = c->s;
    const struct rj_resp_command *cmd = c->cmd;
    size_t start = s->out.len;
    enum rj_err err = RJ_OK;

    for (int tries = 0; tries < 2; tries++) {
        if (cmd->flags & (RJ_RESP_READONLY | RJ_RESP_WRITE))
            err = rj_resp_cmd_bucket(s, &c->bucket);
        if (err == RJ_OK)
            err = cmd->handler(c);
        if (err != RJ_EBUSY || c->grouped || tries > 0)
            break;
        rj_buf_truncate(&s->out, start);
        err = rj_resp_cmd_flush(c);
        if (err != RJ_OK)
            break;
    }
    if (err != RJ_OK)
        replace_reply(s, start, err == RJ_EBUSY && c->grouped ? RJ_ELIMIT : err);
    else if (cmd->flags & RJ_RESP_WRITE)
        s->wrote = s->wrote_ever = true;
    if (s->out.failed)
        reply_failed(s, start);
}

static void enqueue(struct rj_resp *s, const struct rj_resp_command *cmd,
                    const struct rj_bytes *argv, size_t argc)
{
    const struct rj_resp_queued head = {.cmd = cmd, .argc = argc};
    struct rj_resp_queue *q = &s->queue;
    size_t start = q->buf.len;

    rj_buf_append_raw(&q->buf, &head, sizeof(head));
    for (size_t i = 0; i < argc; i++) {
        rj_buf_append_raw(&q->buf, &argv[i].len, sizeof(argv[i].len));
        rj_buf_append(&q->buf, argv[i]);
    }
    if (q->buf.failed || q->count >= RJ_RESP_QUEUE_MAX) {
        q->buf.failed = false;
        rj_buf_truncate(&q->buf, start);
        q->spoilt = true;
        rj_resp_reply_errorf(&s->reply,
                             "ERR the transaction is larger than %d commands or %d MiB",
                             RJ_RESP_QUEUE_MAX, RJ_RESP_QUEUE_BYTES / (1024 * 1024));
        return;
    }
    q->count++;
    q->args += argc;
    q->args_max = argc > q->args_max ? argc : q->args_max;
    q->writes = q->writes || (cmd->flags & RJ_RESP_WRITE);
    rj_resp_reply_simple(&s->reply, "QUEUED");
}

static int quoted(size_t len, size_t most)
{
    return (int)(len < most ? len : most);
}

static void unknown(struct rj_resp *s, const struct rj_bytes *argv, size_t argc)
{
    char args[2 * QUOTE_MAX] = "";
    size_t len = 0;

    if (rj_resp_cmd_word(argv[0], "post") || rj_resp_cmd_word(argv[0], "host:")) {
        s->closing = true; /* a web page that makes its browser talk to us */
        return;
    }
    for (size_t i = 1; i < argc && len < QUOTE_MAX; i++) {
        int n = snprintf(args + len, sizeof(args) - len, "'%.*s' ",
                         quoted(argv[i].len, QUOTE_MAX - len), (const char *)argv[i].ptr);

        len += n > 0 ? (size_t)n : 0;
    }
    rj_resp_reply_errorf(&s->reply,
                         "ERR unknown command '%.*s', with args beginning with: %s",
                         quoted(argv[0].len, QUOTE_MAX), (const char *)argv[0].ptr, args);
}

/* True: the command may be run or queued. Otherwise its error was appended. */
static bool admit(const struct rj_resp_call *call)
{
    struct rj_resp_call c = *call;
    const struct rj_resp_command *cmd = c.cmd;
    struct rj_resp *s = c.s;

    if (cmd == NULL)
        unknown(s, c.argv, c.argc);
    else if (cmd->handler != NULL && (cmd->arity >= 0 ? c.argc != (size_t)cmd->arity
                                                      : c.argc < (size_t)-cmd->arity))
        (void)rj_resp_cmd_arity(&c);
    else if (!s->authenticated && !(cmd->flags & RJ_RESP_NOAUTH))
        rj_resp_reply_error(&s->reply, "NOAUTH Authentication required.");
    else if (cmd->handler == NULL)
        (void)rj_resp_cmd_refuse(&c, cmd->name);
    else if (s->subs.held.count > 0 && s->reply.proto == 2 &&
             !(cmd->flags & RJ_RESP_PUBSUB))
        rj_resp_reply_errorf(&s->reply,
                             "ERR Can't execute '%s': only (P|S)SUBSCRIBE / "
                             "(P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
                             "context",
                             cmd->name);
    else if (s->queue.open && (cmd->flags & RJ_RESP_NOMULTI))
        rj_resp_reply_error(&s->reply, "ERR Command not allowed inside a transaction");
    else
        return true;
    return false;
}

/* The command is answered: what CLIENT REPLY holds back is dropped. */
static void settle(struct rj_resp *s, size_t start)
{
    if (s->mute == RJ_RESP_LOUD)
        return;
    if (s->mute == RJ_RESP_SKIP_THIS || s->mute == RJ_RESP_OFF)
        rj_buf_truncate(&s->out, start);
    if (s->mute == RJ_RESP_SKIP_THIS)
        s->mute = RJ_RESP_LOUD;
}

static void execute(struct rj_resp *s, const struct rj_bytes *argv, size_t argc)
{
    struct rj_resp_call c = {.s = s, .r = &s->reply, .argv = argv, .argc = argc};
    uint64_t errors = s->reply.errors;
    size_t start = s->out.len;

    s->out.limit = start + RJ_RESP_REPLY_MAX;
    s->executing = true;
    if (s->mute == RJ_RESP_SKIP_NEXT)
        s->mute = RJ_RESP_SKIP_THIS;
    c.cmd = rj_resp_table_cached(s, argv[0]);
    if (!admit(&c)) {
        s->queue.spoilt = true; /* MULTI begins anew */
    } else if (s->queue.open && !(c.cmd->flags & RJ_RESP_NOQUEUE)) {
        enqueue(s, c.cmd, argv, argc);
    } else {
        s->last = c.cmd;
        rj_resp_run(&c);
    }
    s->host->commands++;
    s->host->errors += s->reply.errors - errors;
    if (!s->waiting)
        settle(s, start);
    s->executing = false;
    rj_resp_hub_settle(s);
}

/* ---- input */

/* Pipelines repeat themselves: if the command after the next one begins as this one, of n
 * bytes, does, then its key is where this one has its key. A wrong guess costs little. */
static void fetch_ahead(struct rj_resp *s, const uint8_t *command, size_t n,
                        struct rj_bytes rest)
{
    struct rj_bytes key, name = {0}, there = rj_bytes_skip(rest, n);
    size_t head;

    if (s->bucket == NULL || s->parse.argc < 2 || command[0] != '*')
        return;
    key = s->parse.argv[1];
    head = (size_t)(key.ptr - command);
    if (there.len < head + key.len || memcmp(there.ptr, command, head) != 0)
        return;
    key.ptr = there.ptr + head;
    if (s->parse.argc > 2)
        name = s->parse.argv[2];
    head = (size_t)(name.ptr - command);
    /* of the same key: perhaps an element or a field */
    if (name.len > 0 && there.len >= head + name.len &&
        memcmp(there.ptr, command, head) == 0) {
        name.ptr = there.ptr + head;
        rj_bucket_fetch(s->bucket, key, &name);
    } else {
        rj_bucket_fetch(s->bucket, key, NULL);
    }
}

/* Executes what is complete in bytes; returns how much of it is done with. */
static size_t drive(struct rj_resp *s, struct rj_bytes bytes)
{
    size_t used = 0;

    while (used < bytes.len && !s->closing && !s->waiting &&
           s->out.len < RJ_RESP_OUT_PAUSE) {
        size_t n = 0;
        enum rj_resp_parsed got;

        s->parse.stranger = !s->authenticated;
        got = rj_resp_parse_next(&s->parse,
                                 rj_bytes_of(bytes.ptr + used, bytes.len - used), &n);
        if (got == RJ_RESP_MORE)
            break;
        if (got != RJ_RESP_PARSED) {
            s->closing = true;
            if (got == RJ_RESP_BROKEN)
                rj_resp_reply_errorf(&s->reply, "ERR %s", s->parse.error);
            break;
        }
        used += n;
        fetch_ahead(s, bytes.ptr + used - n, n, rj_bytes_skip(bytes, used));
        if (s->parse.argc > 0)
            execute(s, s->parse.argv, s->parse.argc);
        if (s->out.failed)
            s->closing = true;
    }
    return used;
}

/* Large buffers are not kept for the small commands that usually follow. */
static void trim(struct rj_resp *s)
{
    if (s->out.len == 0 && s->out.cap > RJ_RESP_OUT_PAUSE)
        rj_buf_done(&s->out);
    if (s->in.len == 0 && s->in.cap > RJ_RESP_KEEP)
        rj_buf_done(&s->in);
    if (s->in.len == 0)
        rj_resp_parse_trim(&s->parse);
    if (s->scratch.cap > RJ_RESP_KEEP)
        rj_buf_done(&s->scratch);
    if (s->pairs_cap > RJ_RESP_ARGS_KEEP) {
        free(s->pairs);
        s->pairs = NULL;
        s->pairs_cap = 0;
    }
}

static enum rj_resp_state state(const struct rj_resp *s)
{
    if (s->closing)
        return RJ_RESP_CLOSE;
    if (s->waiting)
        return RJ_RESP_WAIT;
    return s->out.len >= RJ_RESP_OUT_PAUSE ? RJ_RESP_FULL : RJ_RESP_READ;
}

/* Executes what is kept. */
static void drive_kept(struct rj_resp *s)
{
    s->in_off += drive(s, rj_bytes_of(s->in.ptr + s->in_off, s->in.len - s->in_off));
    if (s->in_off > s->in.len / 2) {
        rj_buf_consume(&s->in, s->in_off);
        s->in_off = 0;
    }
}

static enum rj_resp_state end_turn(struct rj_resp *s)
{
    s->bucket = NULL;
    if (s->in.failed || s->out.failed)
        s->closing = true;
    trim(s);
    return state(s);
}

enum rj_resp_state rj_resp_input(struct rj_resp *s, struct rj_bytes bytes)
{
    if (s->closing)
        return RJ_RESP_CLOSE;
    if (bytes.len > 0)
        s->active_ms = s->host->ops->now(s->host).mono.ms;
    if (s->in.len == 0) {
        size_t used = drive(s, bytes);

        if (used < bytes.len)
            rj_buf_append_raw(&s->in, bytes.ptr + used, bytes.len - used);
    } else {
        rj_buf_append(&s->in, bytes);
        if (!s->in.failed)
            drive_kept(s);
    }
    return end_turn(s);
}

enum rj_resp_state rj_resp_wake(struct rj_resp *s, const struct rj_resp_acks *acks)
{
    size_t start = s->out.len;

    if (!s->waiting)
        return state(s);
    s->waiting = false;
    s->out.limit = start + RJ_RESP_REPLY_MAX;
    rj_resp_cmd_acks(&s->reply, acks, s->wait_local);
    settle(s, start);
    if (s->in.len > 0)
        drive_kept(s);
    return end_turn(s);
}
