/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about peers: list, show, set, remove. A peer is a device that shares a space with
 * this one, or whose address is known. */
#include "base/alloc.h"
#include "daemon/verb.h"

static void put_addresses(struct rj_call *c, struct rj_doc *doc, struct rj_node *n,
                          const struct rj_digest *device)
{
    struct rj_peer_info p;

    const char *pipe = rj_peers_pipe(rj_call_daemon(c)->peers, device);

    rj_doc_key(doc, "addresses");
    rj_doc_array(doc);
    if (pipe != NULL)
        rj_doc_text(doc, rj_bytes_from_str(pipe));
    for (size_t i = 0; rj_node_peer(n, i, &p); i++) {
        if (memcmp(p.device.b, device->b, RJ_DIGEST_LEN) != 0)
            continue;
        for (size_t k = 0; k < p.n_addresses; k++)
            rj_doc_text(doc, rj_bytes_from_str(p.addresses[k]));
    }
    rj_doc_end(doc);
}

/* What is shared with it: space, role, lag. */
static void put_shares(struct rj_doc *doc, struct rj_node *n,
                       const struct rj_digest *device)
{
    struct rj_member_info m;
    struct rj_space *s;

    rj_doc_key(doc, "shares");
    rj_doc_array(doc);
    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++) {
        for (size_t k = 0; rj_space_member(s, k, &m); k++) {
            if (memcmp(m.device.b, device->b, RJ_DIGEST_LEN) != 0)
                continue;
            rj_doc_map(doc);
            rj_doc_put_str(doc, "space", rj_space_name(s));
            rj_doc_put_str(doc, "role", rj_verb_role_name(m.role));
            rj_doc_put_bool(doc, "closed", m.closed);
            rj_doc_put_uint(doc, "lag", m.lag);
            rj_doc_put_uint(doc, "lag_durable", m.lag_durable);
            rj_doc_end(doc);
        }
    }
    rj_doc_end(doc);
}

static void put_peer(struct rj_call *c, struct rj_doc *doc, struct rj_node *n,
                     const struct rj_verb_device *v)
{
    const struct rj_daemon *d = rj_call_daemon(c);
    const char *address = rj_peers_address(d->peers, &v->device);
    char id[RJ_VERB_ID_LEN + 1];
    struct rj_peer_info p;

    rj_verb_id(&v->device, id);
    rj_doc_map(doc);
    rj_doc_put_str(doc, "device", id);
    rj_doc_put_str(doc, "name", v->name);
    rj_doc_put_bool(doc, "connected", address != NULL);
    rj_doc_put_bool(doc, "member", v->member);
    rj_doc_put_bool(doc, "closed", v->closed);
    rj_doc_put_str(doc, "address", address != NULL ? address : "");
    rj_doc_put_uint(doc, "lag", v->lag);
    rj_doc_put_uint(doc, "lag_durable", v->lag_durable);
    rj_doc_put_str(doc, "spaces", v->spaces);
    rj_doc_put_str(doc, "why", rj_peers_why(d->peers, &v->device));
    for (size_t i = 0; rj_node_peer(n, i, &p); i++) {
        if (memcmp(p.device.b, v->device.b, RJ_DIGEST_LEN) == 0) {
            rj_doc_put_uint(doc, "sent_bytes", p.sent_bytes);
            rj_doc_put_uint(doc, "received_bytes", p.received_bytes);
            break;
        }
    }
    put_addresses(c, doc, n, &v->device);
    put_shares(doc, n, &v->device);
    rj_doc_end(doc);
}

enum rj_err rj_verb_peer_list(struct rj_call *c)
{
    struct rj_node *n = rj_verb_node(c);
    struct rj_verb_device *all = NULL;
    struct rj_doc *doc;
    size_t count = 0;
    enum rj_err err;

    if (n == NULL)
        return RJ_OK;
    err = rj_verb_devices(n, &all, &count);
    if (err != RJ_OK)
        return err;
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    rj_doc_key(doc, "peers");
    rj_doc_array(doc);
    for (size_t i = 0; i < count; i++)
        put_peer(c, doc, n, &all[i]);
    rj_doc_end(doc);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    free(all);
    return RJ_OK;
}

enum rj_err rj_verb_peer_show(struct rj_call *c)
{
    struct rj_node *n = rj_verb_node(c);
    struct rj_verb_device v;
    struct rj_doc *doc;

    if (n == NULL || !rj_verb_device(c, n, &v))
        return RJ_OK;
    doc = rj_call_doc(c);
    put_peer(c, doc, n, &v);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

/* Whether the device is a member of the space, and not yet closed there. */
static bool is_member(struct rj_space *s, const struct rj_digest *device)
{
    struct rj_member_info m;

    for (size_t i = 0; rj_space_member(s, i, &m); i++) {
        if (memcmp(m.device.b, device->b, RJ_DIGEST_LEN) == 0)
            return !m.closed;
    }
    return false;
}

/* Sets its role (or closes it, role NONE) in the space of argument "name", or in all that
 * are shared. *ret_n: in how many. */
static enum rj_err change_role(struct rj_call *c, struct rj_node *n,
                               const struct rj_digest *device, enum rj_role role,
                               size_t *ret_n)
{
    struct rj_space *only = NULL, *s;
    struct rj_bytes name;
    enum rj_err err = RJ_OK;

    *ret_n = 0;
    if (rj_doc_get_text(rj_call_args(c), "name", &name)) {
        only = rj_node_space(n, name);
        if (only == NULL)
            return RJ_ENOENT;
    }
    for (size_t i = 0; err == RJ_OK && (s = rj_node_space_at(n, i)) != NULL; i++) {
        if ((only != NULL && s != only) || !is_member(s, device))
            continue;
        if (role == RJ_ROLE_NONE)
            err = rj_space_close_device(s, device, rj_verb_now(c));
        else
            err = rj_space_member_set(s, device, role, rj_verb_now(c));
        *ret_n += err == RJ_OK;
    }
    rj_engine_touch(rj_call_daemon(c)->engine);
    return err;
}

static enum rj_err role_error(struct rj_call *c, enum rj_err err)
{
    if (err == RJ_EDENIED)
        return rj_call_error(c, err, "rejoin status",
                             "this device is no admin of that space, or ranks lower");
    if (err == RJ_ENOENT)
        return rj_call_error(c, err, "rejoin peer show PEER",
                             "it is no member of such a space");
    return err;
}

enum rj_err rj_verb_set_pipe(struct rj_call *c, const struct rj_digest *device,
                             const char *host)
{
    bool none = strcmp(host, "none") == 0;
    enum rj_err err =
        rj_peers_set_pipe(rj_call_daemon(c)->peers, device, none ? "" : host);

    if (err == RJ_EINVAL)
        return rj_call_error(c, err, "--ssh [USER@]HOST", "%.100s is no host for ssh",
                             host);
    return err;
}

/* Answers errors that it can explain itself: then RJ_OK, and the call is answered. */
static enum rj_err set_address(struct rj_call *c, struct rj_node *n,
                               const struct rj_digest *device, const char *text)
{
    static const char prefix[] = RJ_PIPES_PREFIX;
    struct rj_ticket_endpoint e;
    struct rj_ticket_address a = {0};
    enum rj_err err;

    if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
        return rj_verb_set_pipe(c, device, text + sizeof(prefix) - 1);
    err = rj_ticket_endpoint(rj_bytes_from_str(text), RJ_TICKET_PORT, &e);
    if (err != RJ_OK)
        return rj_call_error(c, err, "address=HOST[:PORT]", "%s is no address", text);
    rj_ticket_address(&e, &a);
    err = rj_node_add_address(n, device, rj_bytes_from_str(a.text));
    if (err == RJ_OK)
        (void)rj_peers_dial_now(rj_call_daemon(c)->peers);
    rj_engine_touch(rj_call_daemon(c)->engine);
    return err;
}

enum rj_err rj_verb_peer_set(struct rj_call *c)
{
    struct rj_node *n = rj_verb_node(c);
    char text[RJ_ADDRESS_MAX + 1];
    struct rj_verb_device v;
    enum rj_role role;
    size_t count = 0;
    enum rj_err err = RJ_OK;

    if (n == NULL || !rj_verb_device(c, n, &v))
        return RJ_OK;
    if (rj_verb_text(c, "role", text, sizeof(text))) {
        if (rj_verb_role(text, &role) != RJ_OK)
            return rj_call_error(c, RJ_EINVAL, "role=reader|writer|admin",
                                 "%s is no role", text);
        err = change_role(c, n, &v.device, role, &count);
        if (err == RJ_OK && count == 0 && v.closed)
            return rj_call_error(c, RJ_ECLOSED, "rejoin invite",
                                 "it was removed: a new ticket lets it in again");
        if (err == RJ_OK && count == 0)
            err = RJ_ENOENT;
        if (err != RJ_OK)
            return role_error(c, err);
    }
    if (rj_verb_text(c, "address", text, sizeof(text)))
        err = set_address(c, n, &v.device, text);
    if (err == RJ_OK && !rj_call_answered(c) &&
        rj_verb_text(c, "ssh", text, sizeof(text)))
        err = rj_verb_set_pipe(c, &v.device, text);
    if (err != RJ_OK || rj_call_answered(c))
        return err;
    return rj_verb_done(c);
}

enum rj_err rj_verb_peer_remove(struct rj_call *c)
{
    struct rj_node *n = rj_verb_node(c);
    struct rj_verb_device v;
    struct rj_doc *doc;
    size_t count = 0;
    enum rj_err err;

    if (n == NULL || !rj_verb_device(c, n, &v))
        return RJ_OK;
    err = change_role(c, n, &v.device, RJ_ROLE_NONE, &count);
    if (err == RJ_OK && count == 0)
        err = RJ_ENOENT;
    if (err != RJ_OK)
        return role_error(c, err);
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    rj_doc_put_uint(doc, "spaces", count);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}
