/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about what is in a bucket: get, put, del, and any Redis command (run), which goes
 * through the Redis face so that there is one meaning of each command. */
#include "base/alloc.h"
#include "daemon/verb.h"

#include <stdio.h>

enum { RUN_ARGS_MAX = 65536 };

static enum rj_err no_key(struct rj_call *c, struct rj_bytes key)
{
    char name[RJ_NAME_MAX + 1], hint[RJ_NAME_MAX + 40];

    (void)rj_verb_text(c, "name", name, sizeof(name));
    (void)snprintf(hint, sizeof(hint), "rejoin bucket run %s SCAN 0", name);
    return rj_call_error(c, RJ_ENOENT, hint, "there is no key %.*s",
                         (int)rj_bytes_first(key, 100).len, (const char *)key.ptr);
}

/* The key holds something that get cannot print: which command can. */
static enum rj_err other_type(struct rj_call *c, struct rj_bytes key)
{
    char name[RJ_NAME_MAX + 1], hint[RJ_NAME_MAX + 200];

    (void)rj_verb_text(c, "name", name, sizeof(name));
    (void)snprintf(hint, sizeof(hint), "rejoin bucket run %s TYPE %.*s", name,
                   (int)rj_bytes_first(key, 100).len, (const char *)key.ptr);
    return rj_call_error(c, RJ_ETYPE, hint, "the key holds a set or a hash");
}

enum rj_err rj_verb_bucket_get(struct rj_call *c)
{
    struct rj_node *n = rj_verb_node(c);
    struct rj_bucket *b = n != NULL ? rj_verb_bucket(c, n) : NULL;
    struct rj_bytes key, value;
    struct rj_doc *doc;
    enum rj_err err;

    if (b == NULL || !rj_verb_need(c, "key", &key))
        return RJ_OK;
    err = rj_bucket_get(b, key, &value);
    if (err == RJ_ENOENT)
        return no_key(c, key);
    if (err == RJ_ETYPE)
        return other_type(c, key);
    if (err != RJ_OK)
        return err;
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    rj_doc_key(doc, "value");
    rj_doc_bytes(doc, value);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

/* Why a write was not taken. */
static enum rj_err write_error(struct rj_call *c, struct rj_node *n, struct rj_bytes name,
                               enum rj_err err)
{
    struct rj_space *s = err == RJ_ECLOSED ? rj_node_space(n, name) : NULL;

    return s != NULL ? rj_verb_removed(c, rj_space_name(s)) : err;
}

/* Those who listen over the Redis protocol hear of it. */
static void tell(struct rj_call *c, struct rj_bytes bucket, char letter, const char *what,
                 struct rj_bytes key)
{
    const struct rj_resp_event e = {
        .bucket = bucket, .letter = letter, .name = what, .key = key};

    rj_respd_event(rj_call_daemon(c)->respd, &e);
}

enum rj_err rj_verb_bucket_put(struct rj_call *c)
{
    struct rj_node *n = rj_verb_node(c);
    struct rj_bucket *b = n != NULL ? rj_verb_bucket(c, n) : NULL;
    struct rj_bytes key, value, name;
    struct rj_doc *doc;
    enum rj_err err;

    if (b == NULL || !rj_verb_need(c, "key", &key) || !rj_verb_need(c, "value", &value) ||
        !rj_verb_need(c, "name", &name))
        return RJ_OK;
    err = rj_bucket_set(b, key, value, NULL);
    if (err == RJ_EBUSY) { /* the pending batch is full: cut it, once more */
        rj_engine_flush_now(rj_call_daemon(c)->engine);
        b = rj_verb_bucket(c, n);
        err = b != NULL ? rj_bucket_set(b, key, value, NULL) : RJ_OK;
    }
    if (err != RJ_OK || b == NULL)
        return write_error(c, n, name, err);
    tell(c, name, '$', "set", key);
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    rj_doc_end(doc);
    return rj_verb_done_after_commit(c, rj_node_space(n, name));
}

enum rj_err rj_verb_bucket_del(struct rj_call *c)
{
    struct rj_node *n = rj_verb_node(c);
    struct rj_bucket *b = n != NULL ? rj_verb_bucket(c, n) : NULL;
    struct rj_bytes key, name;
    struct rj_doc *doc;
    bool existed = false;
    enum rj_err err;

    if (b == NULL || !rj_verb_need(c, "key", &key) || !rj_verb_need(c, "name", &name))
        return RJ_OK;
    err = rj_bucket_del(b, key, &existed);
    if (err == RJ_ENOENT || (err == RJ_OK && !existed))
        return no_key(c, key);
    if (err != RJ_OK)
        return write_error(c, n, name, err);
    tell(c, name, 'g', "del", key);
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    rj_doc_end(doc);
    return rj_verb_done_after_commit(c, rj_node_space(n, name));
}

/* ---- run */

struct run {
    struct rj_call *call;
    struct rj_respd_run *run;
    bool done;
    enum rj_err err;
};

static void run_output(void *ctx, struct rj_bytes resp)
{
    rj_call_output(((struct run *)ctx)->call, resp);
}

static void run_done(void *ctx, enum rj_err err)
{
    struct run *r = ctx;

    r->done = true;
    r->err = err;
    rj_call_wake_at(r->call, (struct rj_mono){0}); /* answered by the next turn */
}

static const struct rj_respd_run_ops run_ops = {.output = run_output, .done = run_done};

static void run_free(void *state)
{
    struct run *r = state;

    rj_respd_run_free(r->run);
    free(r);
}

static enum rj_err poll_run(struct rj_call *c)
{
    const struct run *r = rj_call_state(c);

    if (!r->done)
        return RJ_OK;
    return r->err == RJ_OK ? rj_verb_done(c) : r->err;
}

/* The arguments as a Redis client sends them. */
static enum rj_err encode_command(struct rj_bytes list, struct rj_buf *out)
{
    struct rj_bytes item, arg;
    size_t pos = 0, count = 0;

    while (rj_doc_next(list, &pos, &item)) {
        if (!rj_doc_is_text(item, &arg))
            return RJ_EINVAL;
        count++;
    }
    if (count == 0 || count > RUN_ARGS_MAX)
        return RJ_EINVAL;
    rj_buf_printf(out, "*%zu\r\n", count);
    for (pos = 0; rj_doc_next(list, &pos, &item);) {
        if (!rj_doc_is_text(item, &arg))
            return RJ_EINVAL;
        rj_buf_printf(out, "$%zu\r\n", arg.len);
        rj_buf_append(out, arg);
        rj_buf_append_str(out, "\r\n");
    }
    return rj_buf_err(out);
}

enum rj_err rj_verb_bucket_run(struct rj_call *c)
{
    struct rj_node *n = rj_verb_node(c);
    struct rj_respd_run_options options = {.ops = &run_ops};
    struct rj_buf command = {0};
    struct rj_bytes list;
    struct run *r = NULL;
    enum rj_err err;

    if (n == NULL || rj_verb_space(c, n) == NULL ||
        !rj_verb_need(c, "name", &options.bucket))
        return RJ_OK;
    if (!rj_doc_find(rj_call_args(c), "command", &list))
        return RJ_EINVAL;
    err = encode_command(list, &command);
    if (err != RJ_OK)
        goto out;
    r = rj_alloc_zero(1, sizeof(*r));
    if (r == NULL) {
        err = RJ_ENOMEM;
        goto out;
    }
    r->call = c;
    options.ctx = r;
    options.command = rj_buf_view(&command);
    err = rj_respd_run_new(rj_call_daemon(c)->respd, &options, &r->run);
    if (err != RJ_OK) {
        free(r);
        goto out;
    }
    rj_call_set_state(c, r, run_free);
    rj_call_wait(c, poll_run);
out:
    rj_buf_done(&command);
    return err;
}
