/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: what the daemon knows that `rejoin doctor` needs beside status. It judges
 * nothing: that is done where the rest is looked at, and where it can be shown. */
#include "daemon/status.h"
#include "daemon/verb.h"

#include <stdio.h>

/* How a peer's clock differs; the fields are missing when it is not known. */
static void put_clock(struct rj_doc *doc, const struct rj_peer_info *p)
{
    int64_t offset = p->clock_offset_ms;

    if (!p->clock_known)
        return;
    rj_doc_put_uint(doc, "clock_ahead_ms", offset > 0 ? (uint64_t)offset : 0);
    rj_doc_put_uint(doc, "clock_behind_ms", offset < 0 ? 0 - (uint64_t)offset : 0);
}

static void put_peer(struct rj_call *c, struct rj_doc *doc, const struct rj_peer_info *p)
{
    const struct rj_daemon *d = rj_call_daemon(c);
    char id[RJ_VERB_ID_LEN + 1];

    rj_verb_id(&p->device, id);
    rj_doc_map(doc);
    rj_doc_put_str(doc, "device", id);
    rj_doc_put_str(doc, "name", p->name != NULL ? p->name : "");
    rj_doc_put_bool(doc, "wanted", p->wanted);
    rj_doc_put_bool(doc, "connected", rj_peers_connected(d->peers, &p->device));
    rj_doc_put_str(doc, "why", rj_peers_why(d->peers, &p->device));
    put_clock(doc, p);
    rj_doc_key(doc, "addresses");
    rj_doc_array(doc);
    for (size_t i = 0; i < p->n_addresses; i++)
        rj_doc_text(doc, rj_bytes_from_str(p->addresses[i]));
    rj_doc_end(doc);
    rj_doc_end(doc);
}

static void put_peers(struct rj_call *c, struct rj_doc *doc, struct rj_node *n)
{
    const struct rj_digest *self = rj_node_device(n);
    struct rj_peer_info p;

    rj_doc_key(doc, "peers");
    rj_doc_array(doc);
    for (size_t i = 0; rj_node_peer(n, i, &p); i++) {
        if (memcmp(p.device.b, self->b, RJ_DIGEST_LEN) != 0)
            put_peer(c, doc, &p);
    }
    rj_doc_end(doc);
}

/* Buckets that a Redis client gets without knowing anything. */
static void put_open(struct rj_call *c, struct rj_doc *doc, struct rj_node *n)
{
    const struct rj_config *config = &rj_call_daemon(c)->config;
    char key[RJ_CONFIG_KEY_MAX + 1];
    struct rj_space *s;

    rj_doc_key(doc, "no_token");
    rj_doc_array(doc);
    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++) {
        (void)snprintf(key, sizeof(key), "token.%s", rj_space_name(s));
        if (!rj_config_is_set(config, key))
            rj_doc_text(doc, rj_bytes_from_str(rj_space_name(s)));
    }
    rj_doc_end(doc);
}

/* Devices that connect from two places in turn. */
static void put_rivals(struct rj_call *c, struct rj_doc *doc)
{
    const struct rj_peers *peers = rj_call_daemon(c)->peers;
    char id[RJ_VERB_ID_LEN + 1];

    rj_doc_key(doc, "rivals");
    rj_doc_array(doc);
    for (size_t i = 0; i < RJ_TWINS_RIVALS; i++) {
        const struct rj_rival *one = rj_peers_rival(peers, i);

        if (one == NULL)
            continue;
        rj_verb_id(&one->device, id);
        rj_doc_map(doc);
        rj_doc_put_str(doc, "device", id);
        rj_doc_key(doc, "addresses");
        rj_doc_array(doc);
        rj_doc_text(doc, rj_bytes_from_str(one->address[0]));
        rj_doc_text(doc, rj_bytes_from_str(one->address[1]));
        rj_doc_end(doc);
        rj_doc_end(doc);
    }
    rj_doc_end(doc);
}

static void put_incidents(struct rj_call *c, struct rj_doc *doc)
{
    const struct rj_incidents *all = &rj_call_daemon(c)->incidents;

    rj_doc_key(doc, "incidents");
    rj_doc_array(doc);
    for (size_t i = 0; i < RJ_INCIDENTS_KINDS; i++) {
        const struct rj_incident *one = &all->kinds[i];

        if (one->event[0] == '\0')
            continue;
        rj_doc_map(doc);
        rj_doc_put_str(doc, "event", one->event);
        rj_doc_put_str(doc, "text", one->text);
        rj_doc_put_uint(doc, "count", one->count);
        rj_doc_put_uint(doc, "time_ms", one->last.ms);
        rj_doc_end(doc);
    }
    rj_doc_end(doc);
}

enum rj_err rj_verb_doctor(struct rj_call *c)
{
    const struct rj_daemon *d = rj_call_daemon(c);
    struct rj_node *n = rj_verb_node(c);
    struct rj_peers_stats stats = rj_peers_stats(d->peers);
    const char *twin = rj_peers_twin(d->peers);
    struct rj_doc *doc;

    if (n == NULL)
        return RJ_OK;
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    rj_status_self(d, doc);
    rj_status_addresses(d, doc);
    rj_doc_put_uint(doc, "protocol", RJ_PROTOCOL);
    rj_doc_put_str(doc, "listen_peer", d->listen_peer);
    rj_doc_put_str(doc, "listen_resp", d->listen_resp);
    rj_doc_put_uint(doc, "accepted", stats.accepted);
    rj_doc_put_str(doc, "twin", twin != NULL ? twin : "");
    put_open(c, doc, n);
    put_rivals(c, doc);
    put_incidents(c, doc);
    put_peers(c, doc, n);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}
