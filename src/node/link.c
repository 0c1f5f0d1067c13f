/* SPDX-License-Identifier: Apache-2.0 */
/* Links: the spaces that a session carries, each under a number of either side. A space
 * is announced as soon as the peer is known to be a member of it, with our vector, which
 * is where the peer begins to stream (stream.c), and with where the other members are.
 * Who is no member any more is shown the records that closed it, and nothing else. */
#include "base/alloc.h"
#include "node/frame.h"
#include "node/state.h"

void rj_link_done(struct rj_link *l)
{
    rj_vv_done(&l->received);
    rj_vv_done(&l->durable);
    rj_vv_done(&l->sent);
    rj_vv_done(&l->trunc);
    rj_vv_done(&l->told_received);
    rj_vv_done(&l->told_durable);
    rj_vv_done(&l->heads);
    rj_vv_done(&l->doubted);
    rj_vv_done(&l->reminded);
    rj_vv_done(&l->chains);
    rj_vv_done(&l->lines);
    rj_vv_done(&l->claims);
    rj_vv_done(&l->digest_vv);
    rj_buf_done(&l->held);
}

void rj_session_forget_space(struct rj_session *ss, const struct rj_space *s)
{
    size_t i;

    for (i = 0; i < ss->n_links; i++) {
        if (ss->links[i].space == s) {
            rj_link_done(&ss->links[i]);
            ss->links[i] = ss->links[--ss->n_links];
            return;
        }
    }
}

struct rj_link *rj_session_link(struct rj_session *ss, const struct rj_space *s)
{
    size_t i;

    for (i = 0; i < ss->n_links; i++) {
        if (ss->links[i].space == s)
            return &ss->links[i];
    }
    return NULL;
}

enum rj_err rj_link_add(struct rj_session *ss, struct rj_space *s, struct rj_link **ret)
{
    struct rj_link *l = rj_session_link(ss, s);

    if (l == NULL) {
        if (ss->n_links == ss->cap_links) {
            size_t cap = ss->cap_links != 0 ? ss->cap_links * 2 : 4;
            struct rj_link *links = rj_alloc_resize(ss->links, cap, sizeof(*links));

            if (links == NULL)
                return RJ_ENOMEM;
            ss->links = links;
            ss->cap_links = cap;
        }
        l = &ss->links[ss->n_links++];
        *l = (struct rj_link){.space = s, .number_here = s->number + 1};
    }
    *ret = l;
    return RJ_OK;
}

/* The device is a member of the space, as far as this node knows. */
static bool is_member(const struct rj_space *s, const struct rj_digest *device)
{
    const struct rj_device *d = rj_members_find(&s->members, device);

    return d != NULL && rj_members_role(d, &s->origins, NULL) != RJ_ROLE_NONE;
}

void rj_link_put_space(struct rj_session *ss, const struct rj_link *l)
{
    const struct rj_space *s = l->space;
    size_t at = rj_frame_begin(&ss->out, RJ_FRAME_SPACE, 5);

    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_cbor_put_bytes(&ss->out, RJ_BYTES_OF(s->id.b));
    rj_cbor_put_uint(&ss->out, rj_space_rules(s));
    rj_vv_encode(&ss->out, &s->origins, &s->vv);
    rj_vv_encode(&ss->out, &s->origins, &s->trunc);
    rj_frame_end(&ss->out, at);
}

bool rj_node_knows(const struct rj_node *n, const struct rj_digest *device)
{
    size_t i;

    for (i = 0; i < n->n_spaces; i++) {
        if (!n->spaces[i]->removed && is_member(n->spaces[i], device))
            return true;
    }
    return false;
}

/* A joiner is told behind its welcome: before, it would not know whose they are. */
static void put_addresses(struct rj_session *ss, const struct rj_digest *device,
                          char *const *addresses, size_t count)
{
    struct rj_buf *out = ss->held.len > 0 ? &ss->held : &ss->out;
    size_t at = rj_frame_begin(out, RJ_FRAME_ADDRESSES, 2), i;

    rj_cbor_put_bytes(out, RJ_BYTES_OF(device->b));
    rj_cbor_put_array(out, count);
    for (i = 0; i < count; i++)
        rj_cbor_put_text(out, rj_bytes_from_str(addresses[i]));
    rj_frame_end(out, at);
}

/* A stranger has become a member: from now on it is a device like others. */
static enum rj_err become_peer(struct rj_node *n, struct rj_session *ss)
{
    struct rj_known_device *d;
    enum rj_err err = rj_device_add(n, &ss->device, &d);

    if (err != RJ_OK)
        return err;
    ss->guest = false;
    memcpy(d->name, ss->name, sizeof(d->name));
    d->session = ss->peer;
    d->dirty = true;
    put_addresses(ss, &n->device, n->addresses, n->n_addresses);
    return RJ_OK;
}

/* Where the other members of what we share may be found. */
static void put_gossip(struct rj_node *n, struct rj_session *ss, const struct rj_space *s)
{
    size_t i;

    for (i = 0; i < n->n_devices; i++) {
        const struct rj_known_device *d = &n->devices[i];

        if (d->n_addresses > 0 && is_member(s, &d->device) &&
            memcmp(d->device.b, ss->device.b, RJ_DIGEST_LEN) != 0)
            put_addresses(ss, &d->device, d->addresses, d->n_addresses);
    }
}

/* The close record b of d is in force. */
static bool is_in_force(const struct rj_device *d, const struct rj_batch *b)
{
    struct rj_role_record r = {.dot = {.seq = b->header.first},
                               .author = b->header.origin};

    return !rj_members_is_lifted(d, &r, NULL);
}

static void put_close_records(struct rj_session *ss, const struct rj_link *l,
                              const struct rj_device *d)
{
    const struct rj_space *s = l->space;
    struct rj_record rec;
    struct rj_batch b;
    size_t i, at;

    for (i = 0; i < s->n_member_batches; i++) {
        struct rj_bytes bytes = rj_buf_view(&s->member_batches[i]);
        struct rj_reader r = rj_reader_of(bytes);

        if (rj_batch_get(&r, s->node->env, &s->id, false, &b) != RJ_OK ||
            rj_record_get(b.body, s->node->env, &rec) != RJ_OK ||
            rec.kind != RJ_RECORD_CLOSE ||
            memcmp(rec.device.b, d->id.b, RJ_DIGEST_LEN) != 0 || !is_in_force(d, &b))
            continue;
        at = rj_frame_begin(&ss->out, RJ_FRAME_BATCH, 2);
        rj_cbor_put_uint(&ss->out, l->number_here);
        rj_buf_append(&ss->out, bytes);
        rj_frame_end(&ss->out, at);
    }
}

/* The peer, a member of other spaces still, was closed in this one: nothing of it flows
 * any more but the records that say so. */
static enum rj_err part(struct rj_session *ss, struct rj_space *s)
{
    const struct rj_device *d = rj_members_find(&s->members, &ss->device);
    struct rj_link *l;
    enum rj_err err;

    if (d == NULL || !d->closed || ss->guest)
        return RJ_OK;
    err = rj_link_add(ss, s, &l);
    if (err != RJ_OK || l->parted)
        return err;
    if (!l->told)
        rj_link_put_space(ss, l);
    put_close_records(ss, l, d);
    l->told = false;
    l->parted = true;
    return RJ_OK;
}

enum rj_err rj_session_farewell(struct rj_node *n, struct rj_session *ss)
{
    size_t i;

    for (i = 0; i < n->n_spaces; i++) {
        const struct rj_device *d = rj_members_find(&n->spaces[i]->members, &ss->device);
        struct rj_link *l;
        enum rj_err err;

        if (d == NULL || !d->closed)
            continue;
        err = rj_link_add(ss, n->spaces[i], &l);
        if (err != RJ_OK)
            return err;
        if (!l->told)
            rj_link_put_space(ss, l);
        put_close_records(ss, l, d);
    }
    rj_session_close(ss, RJ_EDENIED, n, "no member any more");
    return RJ_OK;
}

enum rj_err rj_session_announce(struct rj_node *n, struct rj_session *ss)
{
    size_t i;

    if (ss->closing)
        return RJ_OK;
    if (ss->hello && !ss->guest && !rj_node_knows(n, &ss->device))
        return rj_session_farewell(n, ss);
    for (i = 0; ss->hello && i < n->n_spaces; i++) {
        struct rj_space *s = n->spaces[i];
        struct rj_link *l = NULL;
        enum rj_err err;

        if (s->removed)
            continue;
        err = is_member(s, &ss->device) ? rj_link_add(ss, s, &l) : part(ss, s);
        if (err != RJ_OK)
            return err;
        if (l == NULL || l->told)
            continue;
        l->told = true;
        l->parted = false;
        rj_link_put_space(ss, l);
        err = ss->guest ? become_peer(n, ss) : RJ_OK;
        put_gossip(n, ss, s);
        if (err == RJ_OK)
            err = rj_vv_copy(&l->told_received, &s->vv);
        if (err == RJ_OK && l->heard)
            err = rj_link_begin(n, ss, l);
        if (err != RJ_OK)
            return err;
    }
    return RJ_OK;
}
