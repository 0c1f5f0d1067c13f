/* SPDX-License-Identifier: Apache-2.0 */
/* The connection itself: logging in, protocol version, names, what clients say of
 * themselves when they connect. */
#include "face/resp_cmd.h"
#include "face/resp_num.h"

#include <stdio.h>

enum rj_err rj_cmd_conn_ping(struct rj_resp_call *c)
{
    if (c->argc > 2)
        return rj_resp_cmd_arity(c);
    if (c->r->proto == 2 && rj_resp_subscribed(c->s) > 0) { /* like a message */
        rj_resp_reply_array(c->r, 2);
        rj_resp_reply_bulk_str(c->r, "pong");
        rj_resp_reply_bulk(c->r, c->argc == 2 ? c->argv[1] : rj_bytes_of(NULL, 0));
    } else if (c->argc == 2) {
        rj_resp_reply_bulk(c->r, c->argv[1]);
    } else {
        rj_resp_reply_simple(c->r, "PONG");
    }
    return RJ_OK;
}

enum rj_err rj_cmd_conn_echo(struct rj_resp_call *c)
{
    rj_resp_reply_bulk(c->r, c->argv[1]);
    return RJ_OK;
}

enum rj_err rj_cmd_conn_quit(struct rj_resp_call *c)
{
    c->s->closing = true;
    rj_resp_reply_ok(c->r);
    return RJ_OK;
}

enum rj_err rj_cmd_conn_select(struct rj_resp_call *c)
{
    int64_t db;

    if (!rj_resp_num_i64(c->argv[1], &db))
        return rj_resp_cmd_not_int(c);
    if (db != 0)
        return rj_resp_cmd_refuse(c, "select 1");
    rj_resp_reply_ok(c->r);
    return RJ_OK;
}

/* ---- who is there */

static const char name_error[] =
    "ERR Client names cannot contain spaces, newlines or special characters.";

/* Is text without blanks and fit for a field of size bytes? */
static bool is_plain(struct rj_bytes text, size_t size)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '!' || text.ptr[i] > '~')
            return false;
    return text.len < size;
}

static void copy_plain(char *to, struct rj_bytes text)
{
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
}

/* RJ_EAUTH, RJ_EINVAL as the host gave them. On success another bucket is selected. */
static enum rj_err log_in(struct rj_resp *s, struct rj_bytes user,
                          struct rj_bytes password)
{
    enum rj_err err;

    if (user.len == 0) /* to the host that is a client that says nothing */
        return RJ_EAUTH;
    err = s->host->ops->auth(s->host, s, user, password);
    s->bucket = NULL;
    if (err != RJ_OK)
        return err;
    s->authenticated = true;
    copy_plain(s->login, is_plain(user, sizeof(s->login)) ? user : RJ_BYTES_LIT("?"));
    return RJ_OK;
}

static const char wrong_password[] =
    "WRONGPASS invalid username-password pair or user is disabled.";

enum rj_err rj_cmd_conn_auth(struct rj_resp_call *c)
{
    bool named = c->argc == 3;
    enum rj_err err;

    if (c->argc > 3)
        return rj_resp_cmd_syntax(c);
    err = log_in(c->s, named ? c->argv[1] : RJ_BYTES_LIT("default"),
                 c->argv[named ? 2 : 1]);
    if (err == RJ_EINVAL && !named)
        return rj_resp_cmd_fail(c, "ERR AUTH <password> called without any password "
                                   "configured for the default user. Are you sure your "
                                   "configuration is correct?");
    if (err != RJ_OK && err != RJ_EINVAL)
        return rj_resp_cmd_fail(c, wrong_password);
    rj_resp_reply_ok(c->r);
    return RJ_OK;
}

struct hello {
    int64_t proto;
    struct rj_bytes user, password, name;
    bool auth, named;
};

/* HELLO [version [AUTH user password] [SETNAME name]]. False: an error was appended. */
static bool read_hello(struct rj_resp_call *c, struct hello *h)
{
    h->proto = c->r->proto;
    if (c->argc > 1 && !rj_resp_num_i64(c->argv[1], &h->proto)) {
        rj_resp_reply_error(c->r,
                            "ERR Protocol version is not an integer or out of range");
        return false;
    }
    if (h->proto != 2 && h->proto != 3) {
        rj_resp_reply_error(c->r, "NOPROTO unsupported protocol version");
        return false;
    }
    for (size_t i = 2; i < c->argc; i++) {
        if (rj_resp_cmd_is(c, i, "auth") && i + 2 < c->argc) {
            h->auth = true;
            h->user = c->argv[i + 1];
            h->password = c->argv[i + 2];
            i += 2;
        } else if (rj_resp_cmd_is(c, i, "setname") && i + 1 < c->argc) {
            h->named = true;
            h->name = c->argv[++i];
        } else {
            rj_resp_reply_errorf(c->r, "ERR Syntax error in HELLO option '%.*s'",
                                 (int)(c->argv[i].len < 128 ? c->argv[i].len : 128),
                                 (const char *)c->argv[i].ptr);
            return false;
        }
    }
    return true;
}

static void greet(struct rj_resp_call *c)
{
    struct rj_resp_reply *r = c->r;

    rj_resp_reply_map(r, 7);
    rj_resp_reply_bulk_str(r, "server");
    rj_resp_reply_bulk_str(r, "redis");
    rj_resp_reply_bulk_str(r, "version");
    rj_resp_reply_bulk_str(r, RJ_RESP_REDIS_VERSION);
    rj_resp_reply_bulk_str(r, "proto");
    rj_resp_reply_int(r, r->proto);
    rj_resp_reply_bulk_str(r, "id");
    rj_resp_reply_int(r, (int64_t)c->s->id);
    rj_resp_reply_bulk_str(r, "mode");
    rj_resp_reply_bulk_str(r, "standalone");
    rj_resp_reply_bulk_str(r, "role");
    rj_resp_reply_bulk_str(r, "master");
    rj_resp_reply_bulk_str(r, "modules");
    rj_resp_reply_array(r, 0);
}

enum rj_err rj_cmd_conn_hello(struct rj_resp_call *c)
{
    struct hello h = {0};
    enum rj_err err;

    if (!read_hello(c, &h))
        return RJ_OK;
    if (h.named && !is_plain(h.name, sizeof(c->s->name)))
        return rj_resp_cmd_fail(c, name_error);
    if (h.auth) {
        err = log_in(c->s, h.user, h.password);
        if (err != RJ_OK && err != RJ_EINVAL)
            return rj_resp_cmd_fail(c, wrong_password);
    }
    if (!c->s->authenticated)
        return rj_resp_cmd_fail(
            c, "NOAUTH HELLO must be called with the client already authenticated, "
               "otherwise the HELLO <proto> AUTH <user> <pass> option can be used to "
               "authenticate the client and select the RESP protocol version at the same "
               "time");
    if (h.named)
        copy_plain(c->s->name, h.name);
    c->r->proto = (uint8_t)h.proto;
    greet(c);
    return RJ_OK;
}

/* What is queued is forgotten by the way: MULTI empties the queue. */
enum rj_err rj_cmd_conn_reset(struct rj_resp_call *c)
{
    const struct rj_bytes none = {NULL, 0};
    struct rj_resp *s = c->s;

    s->queue.open = false;
    rj_resp_hub_leave(s);
    s->bucket = NULL;
    s->authenticated = s->host->ops->auth(s->host, s, none, none) == RJ_OK;
    s->mute = RJ_RESP_LOUD;
    s->name[0] = '\0';
    copy_plain(s->login, RJ_BYTES_LIT("default"));
    c->r->proto = 2;
    rj_resp_reply_simple(c->r, "RESET");
    return RJ_OK;
}

/* ---- CLIENT */

static enum rj_err client_id(struct rj_resp_call *c)
{
    rj_resp_reply_int(c->r, (int64_t)c->s->id);
    return RJ_OK;
}

static enum rj_err client_getname(struct rj_resp_call *c)
{
    if (c->s->name[0] != '\0')
        rj_resp_reply_bulk_str(c->r, c->s->name);
    else
        rj_resp_reply_null(c->r);
    return RJ_OK;
}

static enum rj_err client_setname(struct rj_resp_call *c)
{
    if (!is_plain(c->argv[2], sizeof(c->s->name)))
        return rj_resp_cmd_fail(c, name_error);
    copy_plain(c->s->name, c->argv[2]);
    rj_resp_reply_ok(c->r);
    return RJ_OK;
}

/* SETINFO lib-name|lib-ver text */
static enum rj_err client_setinfo(struct rj_resp_call *c)
{
    bool is_name = rj_resp_cmd_is(c, 2, "lib-name");
    char *to = is_name ? c->s->lib_name : c->s->lib_version;

    if (!is_name && !rj_resp_cmd_is(c, 2, "lib-ver")) {
        rj_resp_reply_errorf(c->r, "ERR Unrecognized option '%.*s'",
                             (int)(c->argv[2].len < 128 ? c->argv[2].len : 128),
                             (const char *)c->argv[2].ptr);
        return RJ_OK;
    }
    if (!is_plain(c->argv[3], RJ_RESP_LIB_MAX)) {
        rj_resp_reply_errorf(
            c->r, "ERR %s cannot contain spaces, newlines or special characters.",
            is_name ? "lib-name" : "lib-ver");
        return RJ_OK;
    }
    copy_plain(to, c->argv[3]);
    rj_resp_reply_ok(c->r);
    return RJ_OK;
}

static enum rj_err client_info(struct rj_resp_call *c)
{
    struct rj_buf *text = &c->s->scratch;

    rj_buf_clear(text);
    rj_resp_describe(c->s, c->s->host->ops->now(c->s->host), text);
    if (text->failed)
        return RJ_ENOMEM;
    rj_resp_reply_verbatim(c->r, rj_buf_view(text));
    return RJ_OK;
}

/* Which lines of CLIENT LIST are asked for. */
struct client_filter {
    bool normal, pubsub;
    const struct rj_bytes *ids; /* n of them; 0: all */
    size_t n;
};

static bool client_wanted(const struct client_filter *f, struct rj_bytes line)
{
    static const char flag[] = " flags=P ";
    const uint8_t *at =
        memmem(line.ptr, line.len, flag, sizeof(flag) - 1); /* after what it may name */
    size_t len = 3;                                         /* "id=" */

    if (at != NULL ? !f->pubsub : !f->normal)
        return false;
    while (len < line.len && line.ptr[len] != ' ')
        len++;
    for (size_t i = 0; i < f->n; i++)
        if (rj_bytes_equal(f->ids[i], rj_bytes_of(line.ptr + 3, len - 3)))
            return true;
    return f->n == 0;
}

/* False: an error was appended. */
static bool read_client_filter(struct rj_resp_call *c, struct client_filter *f)
{
    *f = (struct client_filter){.normal = true, .pubsub = true};
    if (c->argc > 3 && rj_resp_cmd_is(c, 2, "id")) {
        f->ids = c->argv + 3;
        f->n = c->argc - 3;
    } else if (c->argc == 4 && rj_resp_cmd_is(c, 2, "type")) {
        f->normal = rj_resp_cmd_is(c, 3, "normal");
        f->pubsub = rj_resp_cmd_is(c, 3, "pubsub");
    } else if (c->argc != 2) {
        (void)rj_resp_cmd_syntax(c);
        return false;
    }
    return true;
}

/* LIST [TYPE normal|pubsub|master|replica | ID id...] */
static enum rj_err client_list(struct rj_resp_call *c)
{
    struct rj_buf *text = &c->s->scratch, kept = {0};
    struct client_filter f;
    enum rj_err err;

    if (!read_client_filter(c, &f))
        return RJ_OK;
    rj_buf_clear(text);
    c->s->host->ops->clients(c->s->host, text);
    for (size_t at = 0, end; at < text->len && !text->failed; at = end) {
        const uint8_t *eol = memchr(text->ptr + at, '\n', text->len - at);
        struct rj_bytes line;

        end = eol != NULL ? (size_t)(eol - text->ptr) + 1 : text->len;
        line = rj_bytes_of(text->ptr + at, end - at);
        if (client_wanted(&f, line))
            rj_buf_append(&kept, line);
    }
    err = text->failed ? RJ_ENOMEM : rj_buf_err(&kept);
    if (err == RJ_OK)
        rj_resp_reply_verbatim(c->r, rj_buf_view(&kept));
    rj_buf_done(&kept);
    return err;
}

/* REPLY ON|OFF|SKIP; the answers of OFF and SKIP are dropped with the others. */
static enum rj_err client_reply(struct rj_resp_call *c)
{
    if (c->grouped)
        return rj_resp_cmd_fail(c, "ERR Command not allowed inside a transaction");
    if (rj_resp_cmd_is(c, 2, "on")) {
        if (c->s->mute == RJ_RESP_OFF)
            c->s->mute = RJ_RESP_LOUD;
        rj_resp_reply_ok(c->r);
    } else if (rj_resp_cmd_is(c, 2, "off")) {
        c->s->mute = RJ_RESP_OFF;
    } else if (!rj_resp_cmd_is(c, 2, "skip")) {
        return rj_resp_cmd_syntax(c);
    } else if (c->s->mute != RJ_RESP_OFF) {
        c->s->mute = RJ_RESP_SKIP_NEXT;
    }
    return RJ_OK;
}

/* Nothing is evicted, no access is counted: both ways are the same. */
static enum rj_err client_on_off(struct rj_resp_call *c)
{
    if (!rj_resp_cmd_is(c, 2, "on") && !rj_resp_cmd_is(c, 2, "off"))
        return rj_resp_cmd_syntax(c);
    rj_resp_reply_ok(c->r);
    return RJ_OK;
}

static enum rj_err client_getredir(struct rj_resp_call *c)
{
    rj_resp_reply_int(c->r, -1);
    return RJ_OK;
}

enum rj_err rj_cmd_conn_client(struct rj_resp_call *c)
{
    static const struct rj_resp_sub subs[] = {
        {"id", 2, "ID -- the number of this connection", client_id},
        {"getname", 2, "GETNAME -- the name of this connection", client_getname},
        {"setname", 3, "SETNAME <name> -- names this connection", client_setname},
        {"setinfo", 4, "SETINFO <lib-name|lib-ver> <text>", client_setinfo},
        {"info", 2, "INFO -- about this connection", client_info},
        {"list", -2, "LIST [TYPE <normal|pubsub> | ID <id> ...] -- about connections",
         client_list},
        {"reply", 3, "REPLY <on|off|skip> -- whether answers are sent", client_reply},
        {"no-evict", 3, "NO-EVICT <on|off> -- no effect", client_on_off},
        {"no-touch", 3, "NO-TOUCH <on|off> -- no effect", client_on_off},
        {"getredir", 2, "GETREDIR -- always -1", client_getredir},
        {"kill", 0, "", NULL},
        {"pause", 0, "", NULL},
        {"unpause", 0, "", NULL},
        {"unblock", 0, "", NULL},
        {"tracking", 0, "", NULL},
        {"caching", 0, "", NULL},
    };

    return rj_resp_cmd_sub(c, subs, sizeof(subs) / sizeof(subs[0]));
}
