/* SPDX-License-Identifier: Apache-2.0 */
/* How this node is, as a document. */
#include "daemon/status.h"

#include "base/alloc.h"
#include "daemon/verb.h"

#include <stdio.h>
#include <unistd.h>

void rj_status_self(const struct rj_daemon *d, struct rj_doc *doc)
{
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
    rj_doc_put_uint(doc, "port_web", d->port_web);
}

/* ---- spaces */

static void put_hex128(struct rj_doc *doc, const char *key, uint64_t hi, uint64_t lo)
{
    char text[33];

    (void)snprintf(text, sizeof(text), "%016llx%016llx", (unsigned long long)hi,
                   (unsigned long long)lo);
    rj_doc_put_str(doc, key, text);
}

void rj_status_space(const struct rj_daemon *d, struct rj_doc *doc, struct rj_space *s)
{
    char id[RJ_VERB_ID_LEN + 1], vector[17];
    struct rj_space_info i;

    rj_space_info(s, rj_loop_now(d->loop), &i);
    rj_verb_id(&i.id, id);
    (void)snprintf(vector, sizeof(vector), "%016llx", (unsigned long long)i.vector_hash);
    rj_doc_put_str(doc, "id", id);
    rj_doc_put_str(doc, "name", i.name);
    rj_doc_put_str(doc, "kind", "bucket");
    rj_doc_put_bool(doc, "default", strcmp(i.name, rj_respd_default(d->respd)) == 0);
    rj_doc_put_str(doc, "durability", rj_verb_durability_name(i.durability));
    rj_doc_put_str(doc, "policy", rj_verb_policy_name(i.policy));
    rj_doc_put_str(doc, "role", rj_verb_role_name(i.role));
    rj_doc_put_str(doc, "fork_device", i.fork_device);
    rj_doc_put_str(doc, "fork_peer", i.fork_peer);
    rj_doc_put_str(doc, "refuses", i.refuse != RJ_OK ? rj_err_name(i.refuse) : "");
    rj_doc_put_bool(doc, "joining", i.joining);
    rj_doc_put_uint(doc, "joined_permille", (uint64_t)(i.joined_part * 1000.0));
    rj_doc_put_uint(doc, "keys", i.keys);
    rj_doc_put_uint(doc, "members", i.members);
    rj_doc_put_uint(doc, "origins", i.origins);
    rj_doc_put_uint(doc, "own_writes", i.own_seq);
    rj_doc_put_uint(doc, "writes", i.writes);
    rj_doc_put_uint(doc, "unstable", i.unstable);
    rj_doc_put_uint(doc, "missing", i.missing);
    rj_doc_put_uint(doc, "log_batches", i.log_batches);
    rj_doc_put_uint(doc, "log_bytes", i.log_bytes);
    rj_doc_put_uint(doc, "parked_batches", i.parked_batches);
    rj_doc_put_uint(doc, "truncated_batches", i.truncated);
    put_hex128(doc, "digest", i.digest.hi, i.digest.lo);
    rj_doc_put_str(doc, "vector", vector);
}

void rj_status_limits(const struct rj_daemon *d, struct rj_doc *doc, struct rj_space *s)
{
    char text[RJ_NAME_MAX + 256];
    struct rj_space_info i;
    struct rj_member_info m;

    rj_space_info(s, rj_loop_now(d->loop), &i);
    rj_doc_key(doc, "limits");
    rj_doc_array(doc);
    if (i.refuse != RJ_OK) {
        (void)snprintf(text, sizeof(text), "no writes here: %s", rj_err_text(i.refuse));
        rj_doc_text(doc, rj_bytes_from_str(text));
    }
    if (i.fork_refused) {
        (void)snprintf(text, sizeof(text),
                       "%.64s was copied while it ran, and what one of the copies wrote "
                       "cannot be merged here: rejoin doctor says what to do",
                       i.fork_device[0] != '\0' ? i.fork_device : "a device");
        rj_doc_text(doc, rj_bytes_from_str(text));
    }
    if (i.joining) {
        (void)snprintf(text, sizeof(text),
                       "joining: %u %% of what the others have is here",
                       i.joined_part < 1 ? (unsigned)(i.joined_part * 100.0) : 99);
        rj_doc_text(doc, rj_bytes_from_str(text));
    }
    if (i.parked_batches > 0) {
        (void)snprintf(text, sizeof(text), "%llu batches wait for what they depend on",
                       (unsigned long long)i.parked_batches);
        rj_doc_text(doc, rj_bytes_from_str(text));
    }
    for (size_t k = 0; rj_space_member(s, k, &m); k++) {
        const char *why = rj_peers_why(d->peers, &m.device);

        if (m.self || m.closed || m.role == RJ_ROLE_NONE || m.connected)
            continue;
        (void)snprintf(text, sizeof(text),
                       "%.64s is not reachable, %llu writes wait%s%.150s", m.name,
                       (unsigned long long)m.lag, why[0] != '\0' ? ": " : "", why);
        rj_doc_text(doc, rj_bytes_from_str(text));
    }
    rj_doc_end(doc);
}

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
    rj_doc_put_uint(doc, "forks", m->forks);
    rj_doc_end(doc);
}

static void put_space(const struct rj_daemon *d, struct rj_doc *doc, struct rj_space *s)
{
    struct rj_member_info m;

    rj_doc_map(doc);
    rj_status_space(d, doc, s);
    rj_doc_key(doc, "devices");
    rj_doc_array(doc);
    for (size_t i = 0; rj_space_member(s, i, &m); i++)
        put_member(doc, &m);
    rj_doc_end(doc);
    rj_status_limits(d, doc, s);
    rj_doc_end(doc);
}

static enum rj_err put_peers(const struct rj_daemon *d, struct rj_doc *doc,
                             struct rj_node *n)
{
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
        rj_doc_put_uint(doc, "sent_bytes", all[i].sent_bytes);
        rj_doc_put_uint(doc, "received_bytes", all[i].received_bytes);
        rj_doc_end(doc);
    }
    rj_doc_end(doc);
    free(all);
    return err;
}

void rj_status_addresses(const struct rj_daemon *d, struct rj_doc *doc)
{
    size_t count = 0;
    const struct rj_ticket_address *own = rj_peers_own(d->peers, &count);

    rj_doc_key(doc, "addresses");
    rj_doc_array(doc);
    for (size_t i = 0; i < count; i++)
        rj_doc_text(doc, rj_bytes_from_str(own[i].text));
    rj_doc_end(doc);
}

enum rj_err rj_status_put(const struct rj_daemon *d, struct rj_node *n,
                          const struct rj_space *only, struct rj_doc *doc)
{
    struct rj_space *s;
    enum rj_err err;

    rj_doc_map(doc);
    rj_status_self(d, doc);
    rj_status_addresses(d, doc);
    rj_doc_put_uint(doc, "log_dropped", d->log.dropped);
    rj_doc_key(doc, "spaces");
    rj_doc_array(doc);
    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++) {
        if (only == NULL || s == only)
            put_space(d, doc, s);
    }
    rj_doc_end(doc);
    err = put_peers(d, doc, n);
    rj_doc_end(doc);
    return err;
}
