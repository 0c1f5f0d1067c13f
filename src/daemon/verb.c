/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of the control socket share. */
#include "daemon/verb.h"

#include "base/alloc.h"
#include "daemon/suggest.h"
#include "posix/why.h"

#include <stdio.h>

enum { ID_PREFIX_MIN = 4, COMMIT_TIMEOUT_MS = 30000 };

struct rj_node *rj_verb_node(struct rj_call *c)
{
    struct rj_node *n = rj_engine_node(rj_call_daemon(c)->engine);

    if (n == NULL)
        (void)rj_call_error(c, RJ_EBUSY, "try again in a moment",
                            "the store is being opened again after a failure");
    return n;
}

struct rj_now rj_verb_now(struct rj_call *c)
{
    return rj_loop_now(rj_call_daemon(c)->loop);
}

bool rj_verb_need(struct rj_call *c, const char *key, struct rj_bytes *ret)
{
    if (rj_doc_get_text(rj_call_args(c), key, ret))
        return true;
    (void)rj_call_error(c, RJ_EINVAL, "", "the request has no %s", key);
    return false;
}

bool rj_verb_text(struct rj_call *c, const char *key, char *ret, size_t size)
{
    struct rj_bytes b;

    ret[0] = '\0';
    if (!rj_doc_get_text(rj_call_args(c), key, &b) || b.len >= size ||
        (b.len > 0 && memchr(b.ptr, '\0', b.len) != NULL))
        return false;
    if (b.len > 0)
        memcpy(ret, b.ptr, b.len);
    ret[b.len] = '\0';
    return true;
}

static void no_space(struct rj_call *c, struct rj_node *n, struct rj_bytes name)
{
    char word[RJ_NAME_MAX + 1], hint[RJ_NAME_MAX + 32] = "rejoin bucket list";
    struct rj_suggest suggest = {.word = word};
    struct rj_space *s;

    (void)snprintf(word, sizeof(word), "%.*s", (int)rj_bytes_first(name, RJ_NAME_MAX).len,
                   (const char *)name.ptr);
    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++)
        rj_suggest_try(&suggest, rj_space_name(s));
    if (suggest.best != NULL)
        (void)snprintf(hint, sizeof(hint), "did you mean %s?", suggest.best);
    else if (rj_node_space_at(n, 0) == NULL)
        (void)snprintf(hint, sizeof(hint), "rejoin bucket add %s", word);
    (void)rj_call_error(c, RJ_ENOENT, hint, "there is no bucket %s here", word);
}

struct rj_space *rj_verb_space(struct rj_call *c, struct rj_node *n)
{
    struct rj_bytes name;
    struct rj_space *s;

    if (!rj_verb_need(c, "name", &name))
        return NULL;
    s = rj_node_space(n, name);
    if (s == NULL)
        no_space(c, n, name);
    return s;
}

struct rj_bucket *rj_verb_bucket(struct rj_call *c, struct rj_node *n)
{
    struct rj_space *s = rj_verb_space(c, n);

    return s != NULL ? rj_space_bucket(s, rj_verb_now(c)) : NULL;
}

/* ---- words */

static const char *const roles[] = {
    [RJ_ROLE_NONE] = "none",
    [RJ_ROLE_READER] = "reader",
    [RJ_ROLE_WRITER] = "writer",
    [RJ_ROLE_ADMIN] = "admin",
};

static const char *const policies[] = {
    [RJ_POLICY_MERGE] = "merge",
    [RJ_POLICY_DELETE_WINS] = "delete-wins",
};

static const char *const durabilities[] = {
    [RJ_DURABLE_ALWAYS] = "always",
    [RJ_DURABLE_SECOND] = "second",
    [RJ_DURABLE_NONE] = "none",
};

const char *rj_verb_role_name(enum rj_role role)
{
    return (size_t)role < sizeof(roles) / sizeof(roles[0]) ? roles[role] : "?";
}

enum rj_err rj_verb_role(const char *word, enum rj_role *ret)
{
    for (size_t i = RJ_ROLE_READER; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (strcmp(word, roles[i]) == 0) {
            *ret = (enum rj_role)i;
            return RJ_OK;
        }
    }
    return RJ_EINVAL;
}

const char *rj_verb_durability_name(enum rj_durability d)
{
    return (size_t)d < sizeof(durabilities) / sizeof(durabilities[0]) ? durabilities[d]
                                                                      : "?";
}

enum rj_err rj_verb_durability(const char *word, enum rj_durability *ret)
{
    for (size_t i = 0; i < sizeof(durabilities) / sizeof(durabilities[0]); i++) {
        if (strcmp(word, durabilities[i]) == 0) {
            *ret = (enum rj_durability)i;
            return RJ_OK;
        }
    }
    return RJ_EINVAL;
}

const char *rj_verb_policy_name(enum rj_policy p)
{
    return (size_t)p < sizeof(policies) / sizeof(policies[0]) ? policies[p] : "?";
}

enum rj_err rj_verb_policy(const char *word, enum rj_policy *ret)
{
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        if (strcmp(word, policies[i]) == 0) {
            *ret = (enum rj_policy)i;
            return RJ_OK;
        }
    }
    return RJ_EINVAL;
}

void rj_verb_id(const struct rj_digest *d, char ret[RJ_VERB_ID_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < RJ_DIGEST_LEN; i++) {
        ret[2 * i] = digits[d->b[i] >> 4];
        ret[2 * i + 1] = digits[d->b[i] & 15];
    }
    ret[RJ_VERB_ID_LEN] = '\0';
}

/* ---- devices */

struct devices {
    struct rj_verb_device *items;
    size_t n, cap;
};

/* The entry of a device, made when missing; NULL: out of memory. */
static struct rj_verb_device *entry(struct devices *all, const struct rj_digest *device)
{
    for (size_t i = 0; i < all->n; i++) {
        if (memcmp(all->items[i].device.b, device->b, RJ_DIGEST_LEN) == 0)
            return &all->items[i];
    }
    if (all->n == all->cap) {
        size_t cap = all->cap > 0 ? 2 * all->cap : 8;
        void *grown = rj_alloc_resize(all->items, cap, sizeof(all->items[0]));

        if (grown == NULL)
            return NULL;
        all->items = grown;
        all->cap = cap;
    }
    all->items[all->n] = (struct rj_verb_device){.device = *device};
    return &all->items[all->n++];
}

static void add_space_name(struct rj_verb_device *d, const char *name)
{
    size_t len = strlen(d->spaces);

    (void)snprintf(d->spaces + len, sizeof(d->spaces) - len, "%s%s", len > 0 ? "," : "",
                   name);
}

static enum rj_err add_members(struct devices *all, struct rj_space *s, const char *space)
{
    struct rj_member_info m;

    for (size_t i = 0; rj_space_member(s, i, &m); i++) {
        struct rj_verb_device *d;

        if (m.self)
            continue;
        d = entry(all, &m.device);
        if (d == NULL)
            return RJ_ENOMEM;
        if (m.name != NULL && m.name[0] != '\0')
            (void)snprintf(d->name, sizeof(d->name), "%s", m.name);
        d->member = d->member || (!m.closed && m.role != RJ_ROLE_NONE);
        d->closed = d->closed || m.closed;
        d->connected = d->connected || m.connected;
        if (!m.closed) {
            d->lag += m.lag;
            d->lag_durable += m.lag_durable;
        }
        add_space_name(d, space);
    }
    return RJ_OK;
}

enum rj_err rj_verb_devices(struct rj_node *n, struct rj_verb_device **ret, size_t *ret_n)
{
    const struct rj_digest *self = rj_node_device(n);
    struct devices all = {0};
    struct rj_peer_info p;
    struct rj_space *s;
    enum rj_err err = RJ_OK;

    for (size_t i = 0; err == RJ_OK && rj_node_peer(n, i, &p); i++) {
        struct rj_verb_device *d = NULL;

        if (memcmp(p.device.b, self->b, RJ_DIGEST_LEN) == 0)
            continue;
        d = entry(&all, &p.device);
        if (d == NULL) {
            err = RJ_ENOMEM;
        } else {
            (void)snprintf(d->name, sizeof(d->name), "%s", p.name != NULL ? p.name : "");
            d->connected = p.session != 0;
            d->sent_bytes = p.sent_bytes;
            d->received_bytes = p.received_bytes;
        }
    }
    for (size_t i = 0; err == RJ_OK && (s = rj_node_space_at(n, i)) != NULL; i++)
        err = add_members(&all, s, rj_space_name(s));
    if (err != RJ_OK) {
        free(all.items);
        return err;
    }
    *ret = all.items;
    *ret_n = all.n;
    return RJ_OK;
}

static bool names_it(const struct rj_verb_device *d, const char *word)
{
    char id[RJ_VERB_ID_LEN + 1];
    size_t len = strlen(word);

    if (strcmp(d->name, word) == 0)
        return true;
    rj_verb_id(&d->device, id);
    return len >= ID_PREFIX_MIN && strncmp(id, word, len) == 0;
}

bool rj_verb_device(struct rj_call *c, struct rj_node *n, struct rj_verb_device *ret)
{
    char word[RJ_VERB_ID_LEN + 1];
    char hint[RJ_NAME_MAX + 32] = "rejoin peer list";
    struct rj_suggest suggest = {.word = word};
    struct rj_verb_device *all = NULL;
    size_t count = 0, found = 0;

    if (!rj_verb_text(c, "peer", word, sizeof(word)) || word[0] == '\0') {
        (void)rj_call_error(c, RJ_EINVAL, "rejoin peer list",
                            "the request names no peer");
        return false;
    }
    if (rj_verb_devices(n, &all, &count) != RJ_OK) {
        (void)rj_call_error(c, RJ_ENOMEM, "", "%s", rj_err_text(RJ_ENOMEM));
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        rj_suggest_try(&suggest, all[i].name);
        if (!names_it(&all[i], word))
            continue;
        *ret = all[i];
        found++;
    }
    if (suggest.best != NULL)
        (void)snprintf(hint, sizeof(hint), "did you mean %s?", suggest.best);
    free(all);
    if (found == 0)
        (void)rj_call_error(c, RJ_ENOENT, hint, "there is no peer %s", word);
    else if (found > 1)
        (void)rj_call_error(c, RJ_EINVAL, "rejoin peer list",
                            "%s names %zu peers: use the first digits of its id", word,
                            found);
    return found == 1;
}

enum rj_err rj_verb_removed(struct rj_call *c, const char *space)
{
    return rj_call_error(c, RJ_ECLOSED,
                         "ask for a new ticket (rejoin invite there), then: "
                         "rejoin join TICKET",
                         "this device was removed from %s; what it wrote is kept", space);
}

/* ---- answers */

enum rj_err rj_verb_done(struct rj_call *c)
{
    struct rj_doc *doc = rj_call_doc(c);

    rj_doc_map(doc);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

/* An answer that is ready and waits for a commit. */
struct pending {
    uint64_t group;
    struct rj_mono until;
};

static enum rj_err poll_commit(struct rj_call *c)
{
    const struct pending *p = rj_call_state(c);
    struct rj_node *n = rj_verb_node(c);

    if (n == NULL)
        return RJ_OK;
    if (rj_node_committed(n) >= p->group)
        rj_call_reply(c, RJ_MESSAGE_RESULT);
    else if (rj_verb_now(c).mono.ms >= p->until.ms)
        return rj_call_error(c, RJ_ETIMEOUT, "rejoin status",
                             "it was written but is not yet durable here");
    return RJ_OK;
}

enum rj_err rj_verb_done_after_commit(struct rj_call *c, struct rj_space *s)
{
    struct rj_engine *e = rj_call_daemon(c)->engine;
    struct pending *p;

    rj_engine_touch(e);
    if (rj_space_durability(s) != RJ_DURABLE_ALWAYS) {
        rj_call_reply(c, RJ_MESSAGE_RESULT);
        return RJ_OK;
    }
    p = rj_alloc_zero(1, sizeof(*p));
    if (p == NULL)
        return RJ_ENOMEM;
    p->group = rj_node_group(rj_engine_node(e));
    p->until = rj_verb_now(c).mono;
    p->until.ms += COMMIT_TIMEOUT_MS;
    rj_call_set_state(c, p, free);
    rj_call_wake_at(c, p->until);
    rj_call_wait(c, poll_commit);
    return RJ_OK;
}
