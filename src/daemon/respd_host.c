/* SPDX-License-Identifier: Apache-2.0 */
/* What face/resp asks of the daemon: which bucket, who may, what is acknowledged. */
#include "base/alloc.h"
#include "daemon/respd_inner.h"
#include "posix/crypto.h"

#include <stdio.h>

static struct rj_respd *respd_of(struct rj_resp_host *h)
{
    return (struct rj_respd *)(void *)h; /* its first member */
}

static struct rj_node *node_of(const struct rj_respd *r)
{
    return r->engine != NULL ? rj_engine_node(r->engine) : NULL;
}

const char *rj_respd_default(const struct rj_respd *r)
{
    const char *name = rj_config_get(r->options.config, "resp.bucket");
    struct rj_node *n = node_of(r);
    struct rj_space *s;

    if (name[0] != '\0' || n == NULL)
        return name;
    s = rj_node_space_at(n, 0); /* buckets are all there is */
    return s != NULL ? rj_space_name(s) : "";
}

static const char *name_of(const struct rj_respd_client *c)
{
    return c->bucket[0] != '\0' ? c->bucket : rj_respd_default(c->respd);
}

struct rj_space *rj_respd_space(struct rj_respd_client *c)
{
    struct rj_node *n = node_of(c->respd);

    return n != NULL ? rj_node_space(n, rj_bytes_from_str(name_of(c))) : NULL;
}

static bool is_whole(const struct rj_respd *r, const char *name)
{
    for (size_t i = 0; i < r->n_whole; i++) {
        if (strcmp(r->whole[i], name) == 0)
            return true;
    }
    return false;
}

void rj_respd_note_whole(struct rj_respd *r, const char *name)
{
    void *grown;

    if (is_whole(r, name))
        return;
    grown = rj_alloc_resize(r->whole, r->n_whole + 1, sizeof(r->whole[0]));
    if (grown == NULL)
        return;
    r->whole = grown;
    (void)snprintf(r->whole[r->n_whole++], sizeof(r->whole[0]), "%s", name);
}

void rj_respd_forget(struct rj_respd *r, const char *name)
{
    for (size_t i = 0; i < r->n_whole; i++) {
        if (strcmp(r->whole[i], name) == 0) {
            memmove(&r->whole[i], &r->whole[r->n_whole - 1], sizeof(r->whole[0]));
            r->n_whole--;
            return;
        }
    }
}

static enum rj_err host_bucket(struct rj_resp_host *h, struct rj_resp *session,
                               struct rj_bucket **ret_bucket)
{
    struct rj_respd_client *c = rj_resp_user(session);
    struct rj_respd *r = respd_of(h);
    struct rj_space *s = rj_respd_space(c);
    struct rj_space_info info;
    struct rj_bucket *b;
    struct rj_now now;

    if (s == NULL)
        return node_of(r) == NULL ? RJ_EJOINING : RJ_ENOENT;
    now = rj_engine_now(r->engine);
    if (!c->whole) {
        /* A space that never was whole here would answer "no such key" for what only
         * has not arrived. One that catches up again serves what it has. */
        rj_space_info(s, now, &info);
        if (info.joining && !is_whole(r, info.name))
            return RJ_EJOINING;
        rj_respd_note_whole(r, info.name);
        c->whole = true;
    }
    b = rj_space_bucket(s, now);
    if (b == NULL)
        return RJ_ENOENT;
    *ret_bucket = b;
    return RJ_OK;
}

static enum rj_err host_flush(struct rj_resp_host *h, struct rj_resp *session)
{
    struct rj_respd *r = respd_of(h);

    (void)session;
    if (r->engine == NULL)
        return RJ_EBUSY;
    rj_engine_flush_now(r->engine);
    return node_of(r) != NULL ? RJ_OK : RJ_EBUSY;
}

/* The token of a bucket, empty when it has none. */
static struct rj_bytes token_of(const struct rj_respd *r, const char *bucket)
{
    char key[RJ_CONFIG_KEY_MAX + 1];

    (void)snprintf(key, sizeof(key), "token.%s", bucket);
    return rj_bytes_from_str(rj_config_get(r->options.config, key));
}

static enum rj_err host_auth(struct rj_resp_host *h, struct rj_resp *session,
                             struct rj_bytes user, struct rj_bytes password)
{
    struct rj_respd_client *c = rj_resp_user(session);
    struct rj_respd *r = respd_of(h);
    char name[RJ_NAME_MAX + 1] = "";
    struct rj_bytes token;

    if (user.len == 0) { /* nobody yet, or nobody any more (RESET) */
        c->bucket[0] = '\0';
        c->whole = false;
        return c->local ? RJ_OK : RJ_EAUTH;
    }
    if (rj_bytes_equal(user, RJ_BYTES_LIT("default"))) {
        token = token_of(r, rj_respd_default(r));
        if (token.len == 0)
            return c->local ? RJ_EINVAL : RJ_EAUTH;
    } else {
        if (user.len > RJ_NAME_MAX || node_of(r) == NULL ||
            rj_node_space(node_of(r), user) == NULL)
            return RJ_EAUTH;
        memcpy(name, user.ptr, user.len);
        token = token_of(r, name);
        if (token.len == 0 && !c->local)
            return RJ_EAUTH;
    }
    if (token.len > 0 && !rj_bytes_equal_secret(token, password))
        return RJ_EAUTH;
    memcpy(c->bucket, name, sizeof(name));
    c->whole = false;
    return RJ_OK;
}

static void host_info(struct rj_resp_host *h, struct rj_resp *session,
                      const char *section, struct rj_buf *out)
{
    (void)session;
    rj_respd_info(respd_of(h), section, out);
}

/* Settings that clients and tools ask for at connect. */
static const struct rj_resp_setting fixed[] = {
    {"databases", "1"},
    {"maxmemory", "0"},
    {"maxmemory-policy", "noeviction"},
    {"timeout", "0"},
    {"save", ""},
    {"appendonly", "yes"},
    {"proto-max-bulk-len", "16777216"},
    {"maxclients", "10000"},
    {"notify-keyspace-events", ""},
};

/* What Redis calls a durability. */
static const char *fsync_of(const char *durability)
{
    if (strcmp(durability, "always") == 0)
        return "always";
    return strcmp(durability, "none") == 0 ? "no" : "everysec";
}

static bool host_config(struct rj_resp_host *h, size_t i, struct rj_resp_setting *ret)
{
    const size_t n = sizeof(fixed) / sizeof(fixed[0]);
    const struct rj_config_key *key;

    if (i < n) {
        *ret = fixed[i];
        return true;
    }
    if (i == n) {
        ret->name = "appendfsync";
        ret->value =
            fsync_of(rj_config_get(respd_of(h)->options.config, "bucket.durability"));
        return true;
    }
    i--;
    key = rj_config_key(i - n); /* tokens are not among them */
    if (key == NULL)
        return false;
    ret->name = key->key;
    ret->value = rj_config_shown(respd_of(h)->options.config, key->key);
    return true;
}

struct rj_resp_acks rj_respd_acks(struct rj_respd_client *c, bool *ret_done)
{
    struct rj_space *s = rj_respd_space(c);
    struct rj_resp_acks acks = {0};
    enum rj_level level = c->wait.durable ? RJ_DURABLE : RJ_RECEIVED;

    *ret_done = s == NULL;
    if (s == NULL)
        return acks;
    acks.local = rj_space_durable_here(s, c->wait_mark);
    acks.peers = rj_space_receipts(s, c->wait_mark, level);
    *ret_done = acks.peers >= c->wait.peers && acks.local >= c->wait.local;
    return acks;
}

static enum rj_err host_wait(struct rj_resp_host *h, struct rj_resp *session,
                             const struct rj_resp_wait *w, struct rj_resp_acks *ret_acks)
{
    struct rj_respd_client *c = rj_resp_user(session);
    struct rj_respd *r = respd_of(h);
    struct rj_space *s = rj_respd_space(c);
    bool done = false;

    c->wait = *w;
    c->wait_mark = w->wrote && s != NULL ? rj_space_mark(s) : 0;
    *ret_acks = rj_respd_acks(c, &done);
    if (done || w->at_once || !w->wrote || s == NULL)
        return RJ_OK;
    rj_space_hurry(s);
    rj_engine_touch(r->engine);
    c->waiting = true;
    c->wait_until.ms = w->timeout_ms == 0
                           ? UINT64_MAX
                           : rj_loop_now(r->options.loop).mono.ms + w->timeout_ms;
    if (c->wait_until.ms < w->timeout_ms)
        c->wait_until.ms = UINT64_MAX; /* wrapped around: for ever will do */
    return RJ_EBUSY;
}

static void host_clients(struct rj_resp_host *h, struct rj_buf *out)
{
    struct rj_respd *r = respd_of(h);
    struct rj_now now = rj_loop_now(r->options.loop);

    for (struct rj_map_node *n = rj_map_first(&r->clients); n != NULL; n = rj_map_next(n))
        rj_resp_describe(RJ_MAP_ENTRY(n, struct rj_respd_client, node)->session, now,
                         out);
}

static struct rj_now host_now(struct rj_resp_host *h)
{
    return rj_loop_now(respd_of(h)->options.loop);
}

const struct rj_resp_host_ops rj_respd_host_ops = {
    .bucket = host_bucket,
    .flush = host_flush,
    .auth = host_auth,
    .info = host_info,
    .config = host_config,
    .wait = host_wait,
    .clients = host_clients,
    .now = host_now,
};
