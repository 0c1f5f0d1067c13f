/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about the node as a whole: ping, status, watch, down. */
#include "base/alloc.h"
#include "daemon/verb.h"

#include <unistd.h>

static void put_self(struct rj_call *c, struct rj_doc *doc)
{
    const struct rj_daemon *d = rj_call_daemon(c);
    struct rj_wall now = rj_loop_now(d->loop).wall;
    char id[RJ_VERB_ID_LEN + 1];
    struct rj_digest self;

    rj_crypto_device_id(d->crypto, rj_crypto_env(d->crypto)->pubkey, &self);
    rj_verb_id(&self, id);
    rj_doc_put_str(doc, "device", id);
    rj_doc_put_str(doc, "name", d->name);
    rj_doc_put_str(doc, "version", RJ_VERSION);
    rj_doc_put_str(doc, "home", d->home.dirs.data);
    rj_doc_put_uint(doc, "pid", (uint64_t)getpid());
    rj_doc_put_uint(doc, "up_ms", now.ms > d->started.ms ? now.ms - d->started.ms : 0);
    rj_doc_put_uint(doc, "port_peer", d->port_peer);
    rj_doc_put_uint(doc, "port_resp", d->port_resp);
}

enum rj_err rj_verb_ping(struct rj_call *c)
{
    struct rj_doc *doc = rj_call_doc(c);

    rj_doc_map(doc);
    put_self(c, doc);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

enum rj_err rj_verb_down(struct rj_call *c)
{
    enum rj_err err = rj_verb_ping(c);

    rj_daemon_stop(rj_call_daemon(c));
    return err;
}

enum rj_err rj_verb_watch(struct rj_call *c)
{
    rj_call_watch(c);
    return RJ_OK;
}

/* ---- status */

static void put_member(struct rj_doc *doc, const struct rj_member_info *m)
{
    char id[RJ_VERB_ID_LEN + 1];

    rj_verb_id(&m->device, id);
    rj_doc_map(doc);
    rj_doc_put_str(doc, "device", id);
    rj_doc_put_str(doc, "name", m->name);
    rj_doc_put_str(doc, "role", rj_verb_role_name(m->role));
    rj_doc_put_bool(doc, "self", m->self);
    rj_doc_put_bool(doc, "connected", m->connected);
    rj_doc_put_bool(doc, "closed", m->closed);
    rj_doc_put_uint(doc, "lag", m->lag);
    rj_doc_put_uint(doc, "lag_durable", m->lag_durable);
    rj_doc_end(doc);
}

static void put_space(struct rj_call *c, struct rj_doc *doc, struct rj_space *s)
{
    struct rj_member_info m;

    rj_doc_map(doc);
    rj_verb_put_space(c, doc, s);
    rj_doc_key(doc, "devices");
    rj_doc_array(doc);
    for (size_t i = 0; rj_space_member(s, i, &m); i++)
        put_member(doc, &m);
    rj_doc_end(doc);
    rj_verb_put_limits(c, doc, s);
    rj_doc_end(doc);
}

static enum rj_err put_peers(struct rj_call *c, struct rj_doc *doc, struct rj_node *n)
{
    const struct rj_daemon *d = rj_call_daemon(c);
    struct rj_verb_device *all = NULL;
    size_t count = 0;
    enum rj_err err = rj_verb_devices(n, &all, &count);

    rj_doc_key(doc, "peers");
    rj_doc_array(doc);
    for (size_t i = 0; err == RJ_OK && i < count; i++) {
        const char *address = rj_peers_address(d->peers, &all[i].device);
        char id[RJ_VERB_ID_LEN + 1];

        rj_verb_id(&all[i].device, id);
        rj_doc_map(doc);
        rj_doc_put_str(doc, "device", id);
        rj_doc_put_str(doc, "name", all[i].name);
        rj_doc_put_bool(doc, "connected", address != NULL);
        rj_doc_put_str(doc, "address", address != NULL ? address : "");
        rj_doc_put_uint(doc, "lag", all[i].lag);
        rj_doc_put_uint(doc, "lag_durable", all[i].lag_durable);
        rj_doc_put_str(doc, "spaces", all[i].spaces);
        rj_doc_put_bool(doc, "closed", all[i].closed);
        rj_doc_put_str(doc, "why", rj_peers_why(d->peers, &all[i].device));
        rj_doc_end(doc);
    }
    rj_doc_end(doc);
    free(all);
    return err;
}

static void put_addresses(struct rj_call *c, struct rj_doc *doc)
{
    size_t count = 0;
    const struct rj_ticket_address *own = rj_peers_own(rj_call_daemon(c)->peers, &count);

    rj_doc_key(doc, "addresses");
    rj_doc_array(doc);
    for (size_t i = 0; i < count; i++)
        rj_doc_text(doc, rj_bytes_from_str(own[i].text));
    rj_doc_end(doc);
}

enum rj_err rj_verb_status(struct rj_call *c)
{
    struct rj_node *n = rj_verb_node(c);
    struct rj_space *only = NULL, *s;
    struct rj_bytes name;
    struct rj_doc *doc;
    enum rj_err err;

    if (n == NULL)
        return RJ_OK;
    if (rj_doc_get_text(rj_call_args(c), "name", &name)) {
        only = rj_verb_space(c, n);
        if (only == NULL)
            return RJ_OK;
    }
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    put_self(c, doc);
    put_addresses(c, doc);
    rj_doc_key(doc, "spaces");
    rj_doc_array(doc);
    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++) {
        if (only == NULL || s == only)
            put_space(c, doc, s);
    }
    rj_doc_end(doc);
    err = put_peers(c, doc, n);
    rj_doc_end(doc);
    if (err == RJ_OK)
        rj_call_reply(c, RJ_MESSAGE_RESULT);
    return err;
}
