/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: one connection between two nodes carries all spaces that both belong to. A
 * frame that does not parse, lies or comes at the wrong time ends its session with a
 * named error; nothing of it is kept. */
#include "base/alloc.h"
#include "node/frame.h"
#include "node/state.h"

struct rj_session *rj_node_session(const struct rj_node *n, uint64_t peer)
{
    size_t i;

    for (i = 0; peer != 0 && i < n->n_sessions; i++) {
        if (n->sessions[i]->peer == peer)
            return n->sessions[i];
    }
    return NULL;
}

void rj_session_close(struct rj_session *ss, enum rj_err err, struct rj_node *n,
                      const char *why)
{
    size_t at;

    if (ss->closing)
        return;
    ss->closing = true;
    ss->close_err = err;
    at = rj_frame_begin(&ss->out, RJ_FRAME_REFUSE, 1);
    rj_cbor_put_text(&ss->out, rj_bytes_from_str(rj_err_name(err)));
    rj_frame_end(&ss->out, at);
    rj_node_note(n, RJ_NOTE_WARN, err, "session-closed peer=%s why=\"%s\"",
                 ss->name[0] != '\0' ? ss->name : "-", why);
}

static void link_done(struct rj_link *l)
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
    rj_vv_done(&l->digest_vv);
    rj_buf_done(&l->held);
}

void rj_session_free(struct rj_session *ss)
{
    size_t i;

    if (ss == NULL)
        return;
    for (i = 0; i < ss->n_links; i++)
        link_done(&ss->links[i]);
    free(ss->links);
    rj_buf_done(&ss->in);
    rj_buf_done(&ss->out);
    rj_buf_done(&ss->held);
    rj_buf_done(&ss->parts);
    free(ss);
}

void rj_session_forget_space(struct rj_session *ss, const struct rj_space *s)
{
    size_t i;

    for (i = 0; i < ss->n_links; i++) {
        if (ss->links[i].space == s) {
            link_done(&ss->links[i]);
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

static enum rj_err add_link(struct rj_session *ss, struct rj_space *s,
                            struct rj_link **ret)
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

static void put_space(struct rj_session *ss, const struct rj_link *l)
{
    const struct rj_space *s = l->space;
    size_t at = rj_frame_begin(&ss->out, RJ_FRAME_SPACE, 5);

    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_cbor_put_bytes(&ss->out, RJ_BYTES_OF(s->id.b));
    rj_cbor_put_uint(&ss->out, RJ_BUCKET_RULES);
    rj_vv_encode(&ss->out, &s->origins, &s->vv);
    rj_vv_encode(&ss->out, &s->origins, &s->trunc);
    rj_frame_end(&ss->out, at);
}

/* A device of which any space of ours has a member record in force. */
static bool is_known(const struct rj_node *n, const struct rj_digest *device)
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
    err = add_link(ss, s, &l);
    if (err != RJ_OK || l->parted)
        return err;
    if (!l->told)
        put_space(ss, l);
    put_close_records(ss, l, d);
    l->told = false;
    l->parted = true;
    return RJ_OK;
}

/* A closed device is shown the records that closed it, and nothing else. */
static enum rj_err say_farewell(struct rj_node *n, struct rj_session *ss)
{
    size_t i;

    for (i = 0; i < n->n_spaces; i++) {
        const struct rj_device *d = rj_members_find(&n->spaces[i]->members, &ss->device);
        struct rj_link *l;
        enum rj_err err;

        if (d == NULL || !d->closed)
            continue;
        err = add_link(ss, n->spaces[i], &l);
        if (err != RJ_OK)
            return err;
        if (!l->told)
            put_space(ss, l);
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
    if (ss->hello && !ss->guest && !is_known(n, &ss->device))
        return say_farewell(n, ss);
    for (i = 0; ss->hello && i < n->n_spaces; i++) {
        struct rj_space *s = n->spaces[i];
        struct rj_link *l = NULL;
        enum rj_err err;

        if (s->removed)
            continue;
        err = is_member(s, &ss->device) ? add_link(ss, s, &l) : part(ss, s);
        if (err != RJ_OK)
            return err;
        if (l == NULL || l->told)
            continue;
        l->told = true;
        l->parted = false;
        put_space(ss, l);
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

/* ---- coming and going */

static void put_hello(struct rj_node *n, struct rj_session *ss)
{
    size_t at = rj_frame_begin(&ss->out, RJ_FRAME_HELLO, 4), i;

    rj_cbor_put_uint(&ss->out, RJ_PROTOCOL);
    rj_cbor_put_uint(&ss->out, n->now.wall.ms);
    rj_cbor_put_text(&ss->out, rj_bytes_from_str(n->name));
    rj_cbor_put_array(&ss->out, n->n_addresses);
    for (i = 0; i < n->n_addresses; i++)
        rj_cbor_put_text(&ss->out, rj_bytes_from_str(n->addresses[i]));
    rj_frame_end(&ss->out, at);
}

static bool invites(const struct rj_node *n)
{
    size_t i;

    for (i = 0; i < n->n_invites; i++) {
        if (n->invites[i].uses > 0 && n->now.wall.ms < n->invites[i].expires_ms)
            return true;
    }
    return false;
}

/* Closed in some space of ours and member of none. */
static bool is_closed_device(const struct rj_node *n, const struct rj_digest *device)
{
    bool closed = false;
    size_t i;

    for (i = 0; i < n->n_spaces; i++) {
        const struct rj_device *d = rj_members_find(&n->spaces[i]->members, device);

        closed = closed || (d != NULL && d->closed);
    }
    return closed && !is_known(n, device);
}

enum rj_err rj_session_idle(struct rj_node *n, struct rj_session *ss)
{
    if (ss->closing)
        return RJ_OK;
    if (is_closed_device(n, &ss->device) && ss->hello)
        return say_farewell(n, ss);
    rj_session_close(ss, RJ_EDENIED, n, "no ticket was presented");
    return RJ_OK;
}

static size_t count_guests(const struct rj_node *n)
{
    size_t count = 0, i;

    for (i = 0; i < n->n_sessions; i++)
        count += n->sessions[i]->guest;
    return count;
}

enum rj_err rj_session_up(struct rj_node *n, const struct rj_event *ev)
{
    struct rj_session *ss = rj_alloc_zero(1, sizeof(*ss));
    struct rj_bytes key = rj_bytes_of(ev->pubkey, RJ_PUBKEY_LEN);
    struct rj_known_device *d;

    if (ss == NULL)
        return RJ_ENOMEM;
    if (n->n_sessions == n->cap_sessions) {
        size_t cap = n->cap_sessions != 0 ? n->cap_sessions * 2 : 8;
        struct rj_session **list = rj_alloc_resize(n->sessions, cap, sizeof(void *));

        if (list == NULL) {
            free(ss);
            return RJ_ENOMEM;
        }
        n->sessions = list;
        n->cap_sessions = cap;
    }
    n->sessions[n->n_sessions++] = ss;
    ss->peer = ev->peer;
    ss->dialled = ev->dialled;
    ss->since = n->now.mono;
    memcpy(ss->pubkey, ev->pubkey, RJ_PUBKEY_LEN);
    memcpy(ss->binding, ev->binding, sizeof(ss->binding));
    n->env->ops->hash(n->env, &key, 1, &ss->device);
    ss->in.limit = RJ_FRAME_MAX + RJ_FRAME_HEAD + 65536;
    ss->guest = !is_known(n, &ss->device);
    if (n->n_sessions > RJ_SESSIONS_MAX) {
        rj_session_close(ss, RJ_ELIMIT, n, "too many sessions");
        return RJ_OK;
    }
    if (is_closed_device(n, &ss->device) && !invites(n)) {
        put_hello(n, ss);
        return say_farewell(n, ss);
    }
    if (ss->guest && count_guests(n) > RJ_GUESTS_MAX) {
        rj_session_close(ss, RJ_EBUSY, n, "too many strangers");
        return RJ_OK;
    }
    d = rj_device_find(n, &ss->device);
    if (d != NULL)
        d->session = ss->peer;
    put_hello(n, ss);
    return rj_join_send(n, ss);
}

void rj_session_down(struct rj_node *n, uint64_t peer)
{
    struct rj_known_device *d;
    size_t i, j;

    for (i = 0; i < n->n_sessions && n->sessions[i]->peer != peer; i++)
        continue;
    if (i == n->n_sessions)
        return;
    for (j = 0; j < n->n_spaces; j++) {
        rj_space_unpark_session(n->spaces[j], peer);
        rj_transfer_session_down(n->spaces[j], peer);
    }
    d = rj_device_find(n, &n->sessions[i]->device);
    rj_session_free(n->sessions[i]);
    n->sessions[i] = n->sessions[--n->n_sessions];
    if (d == NULL || d->session != peer)
        return;
    d->session = 0;
    for (i = 0; i < n->n_sessions; i++) {
        if (memcmp(n->sessions[i]->device.b, d->device.b, RJ_DIGEST_LEN) == 0)
            d->session = n->sessions[i]->peer;
    }
}

/* ---- frames */

/* The link that the peer's number names; NULL and failed reader when there is none. */
static struct rj_link *get_link(struct rj_session *ss, struct rj_reader *r)
{
    uint64_t number = rj_cbor_get_uint(r);
    size_t i;

    for (i = 0; !r->failed && i < ss->n_links; i++) {
        if (ss->links[i].heard && ss->links[i].number_there == number)
            return &ss->links[i];
    }
    return NULL;
}

static enum rj_err on_hello(struct rj_node *n, struct rj_session *ss, struct rj_reader *r)
{
    uint64_t protocol = rj_cbor_get_uint(r), wall = rj_cbor_get_uint(r);
    struct rj_bytes name = rj_cbor_get_text(r);
    size_t count = rj_cbor_get_array(r), i;
    struct rj_known_device *d = NULL;
    enum rj_err err = RJ_OK;

    (void)protocol; /* as check_frame found */
    if (r->failed || name.len > RJ_NAME_MAX || count > RJ_ADDRESSES_MAX || ss->hello)
        return RJ_EPROTO;
    if (name.len > 0)
        memcpy(ss->name, name.ptr, name.len);
    ss->hello = true;
    ss->clock_known = true;
    ss->clock_offset_ms = (int64_t)(wall & INT64_MAX) - (int64_t)n->now.wall.ms;
    if (!ss->guest)
        err = rj_device_add(n, &ss->device, &d);
    for (i = 0; i < count && err == RJ_OK; i++) {
        struct rj_bytes address = rj_cbor_get_text(r);

        if (r->failed || address.len > RJ_ADDRESS_MAX)
            return RJ_EPROTO;
        if (d != NULL)
            err = rj_device_add_address(n, d, address, true);
    }
    if (d != NULL) {
        memcpy(d->name, ss->name, sizeof(d->name));
        d->session = ss->peer;
    }
    return err == RJ_OK ? rj_session_announce(n, ss) : err;
}

static enum rj_err get_truncated(struct rj_reader *r, struct rj_link *l)
{
    size_t unknown = 0;
    enum rj_err err = rj_vv_decode(r, &l->space->origins, &l->trunc, &unknown);

    l->trunc_unknown = unknown > 0;
    return err;
}

/* Who had told of a close that was heeded before its deps were there now takes this
 * device for a member: it has lifted the close, or a crash took it back before it left.
 */
static void forget_early_close(struct rj_space *s, const struct rj_session *ss)
{
    uint32_t d = s->closed_here ? s->os[s->closed_by.origin].device : UINT32_MAX;

    if (d == UINT32_MAX ||
        memcmp(s->members.items[d].id.b, ss->device.b, RJ_DIGEST_LEN) != 0)
        return;
    s->closed_here = false; /* a farewell tells it again right behind */
    rj_space_set_refuse(s);
}

static enum rj_err on_space(struct rj_node *n, struct rj_session *ss, struct rj_reader *r)
{
    uint64_t number = rj_cbor_get_uint(r), rules;
    struct rj_digest id;
    struct rj_space *s = NULL;
    struct rj_link *l;
    enum rj_err err;
    size_t i;

    rj_cbor_get_fixed(r, id.b, sizeof(id.b));
    rules = rj_cbor_get_uint(r);
    if (r->failed)
        return RJ_EPROTO;
    for (i = 0; i < n->n_spaces; i++) {
        if (memcmp(n->spaces[i]->id.b, id.b, sizeof(id.b)) == 0 && !n->spaces[i]->removed)
            s = n->spaces[i];
    }
    if (s == NULL || ss->n_links > RJ_SPACES_MAX)
        return RJ_OK; /* not ours (any more) */
    if (rules != RJ_BUCKET_RULES) {
        rj_node_note(n, RJ_NOTE_WARN, RJ_EUPGRADE, "rules-differ space=%s peer=%s",
                     s->name, ss->name);
        return RJ_OK;
    }
    err = add_link(ss, s, &l);
    if (err != RJ_OK)
        return err;
    if (!l->heard && l->told)
        put_space(ss, l); /* ours may have come before the peer had the space */
    l->heard = true;
    l->number_there = number;
    forget_early_close(s, ss);
    rj_fork_remind(s, ss, *r);
    err = rj_vv_decode(r, &s->origins, &l->received, NULL);
    (void)rj_fork_heard(s, ss, &l->received);
    if (err == RJ_OK)
        err = get_truncated(r, l);
    if (err == RJ_OK && l->told)
        err = rj_link_begin(n, ss, l);
    return err;
}

static enum rj_err on_batch(struct rj_session *ss, struct rj_reader *r)
{
    struct rj_link *l = get_link(ss, r);
    struct rj_bytes bytes;

    if (r->failed)
        return RJ_EPROTO;
    if (l == NULL || !l->told)
        return RJ_OK;
    bytes = rj_reader_rest(r);
    return rj_space_offer(l->space, bytes, ss);
}

static enum rj_err on_head(struct rj_session *ss, struct rj_reader *r)
{
    struct rj_link *l = get_link(ss, r);
    struct rj_bytes raw = rj_cbor_get_bytes(r);
    struct rj_header h;
    uint8_t sig[RJ_SIG_LEN];
    enum rj_err err;

    rj_cbor_get_fixed(r, sig, sizeof(sig));
    if (r->failed)
        return RJ_EPROTO;
    if (l == NULL || !l->told)
        return RJ_OK;
    err = rj_header_get(raw, &h);
    if (err == RJ_OK)
        err = rj_space_offer_head(l->space, raw, sig, ss);
    if (err == RJ_OK) {
        uint32_t o = rj_origins_find(&l->space->origins, &h.origin);

        if (o != RJ_ORIGIN_NONE && rj_vv_get(&l->heads, o) < h.stamp)
            err = rj_vv_put(&l->heads, o, h.stamp);
    }
    return err;
}

static enum rj_err on_fork(struct rj_session *ss, struct rj_reader *r)
{
    struct rj_link *l = get_link(ss, r);
    struct rj_fork_proof proof;
    uint64_t has;
    size_t i;

    for (i = 0; i < 2; i++) {
        proof.raw[i] = rj_cbor_get_bytes(r);
        rj_cbor_get_fixed(r, proof.sig[i], sizeof(proof.sig[i]));
    }
    has = rj_cbor_get_uint(r);
    if (r->failed)
        return RJ_EPROTO;
    return l != NULL && l->told ? rj_fork_on_proof(l->space, ss, &proof, has) : RJ_OK;
}

/* Vectors of an acknowledgement hold what changed since the one before. */
static enum rj_err join_ack(struct rj_reader *r, struct rj_session *ss, struct rj_link *l,
                            struct rj_vv *into)
{
    static const struct rj_origins none;
    struct rj_vv change = {0};
    enum rj_err err;

    if (l != NULL)
        rj_fork_remind(l->space, ss, *r);
    err = rj_vv_decode(r, l != NULL ? &l->space->origins : &none, &change, NULL);
    if (l != NULL)
        (void)rj_fork_heard(l->space, ss, &change);
    if (err == RJ_OK && into != NULL)
        err = rj_vv_join(into, &change);
    rj_vv_done(&change);
    return err;
}

static enum rj_err on_ack(struct rj_node *n, struct rj_session *ss, struct rj_reader *r)
{
    uint64_t handled = rj_cbor_get_uint(r), wall = rj_cbor_get_uint(r);
    size_t count = rj_cbor_get_array(r), i;
    enum rj_err err = RJ_OK;

    if (r->failed || count % 3 != 0 || handled > ss->sent_bytes)
        return RJ_EPROTO;
    ss->clock_offset_ms = (int64_t)(wall & INT64_MAX) - (int64_t)n->now.wall.ms;
    if (handled > ss->acked_bytes)
        ss->acked_bytes = handled;
    for (i = 0; i < count / 3 && err == RJ_OK; i++) {
        struct rj_link *l = get_link(ss, r);

        err = join_ack(r, ss, l, l != NULL ? &l->received : NULL);
        if (err == RJ_OK)
            err = join_ack(r, ss, l, l != NULL ? &l->durable : NULL);
        if (err == RJ_OK && l != NULL)
            err = rj_vv_join(&l->sent, &l->received);
    }
    return err;
}

static enum rj_err on_pull(struct rj_node *n, struct rj_session *ss, struct rj_reader *r)
{
    struct rj_link *l = get_link(ss, r);
    struct rj_vv vv = {0};
    enum rj_err err;

    if (r->failed)
        return RJ_EPROTO;
    if (l == NULL || !l->told)
        return RJ_OK;
    err = rj_vv_decode(r, &l->space->origins, &vv, NULL);
    if (err == RJ_OK) {
        rj_vv_done(&l->received);
        l->received = vv;
        return rj_link_begin(n, ss, l);
    }
    rj_vv_done(&vv);
    return err;
}

/* A peer that thinks we are behind while we are not did not know all origins when we told
 * our vector: tell it again. */
static enum rj_err on_behind(struct rj_session *ss, struct rj_reader *r)
{
    struct rj_link *l = get_link(ss, r);
    enum rj_err err;

    if (r->failed)
        return RJ_EPROTO;
    if (l == NULL || !l->told)
        return RJ_OK;
    err = get_truncated(r, l);
    rj_vv_clear(&l->doubted); /* what was asked for in vain */
    if (err == RJ_OK && !l->trunc_unknown && rj_vv_covers(&l->space->vv, &l->trunc))
        rj_link_pull(ss, l);
    return err;
}

static enum rj_err on_refuse(struct rj_node *n, struct rj_session *ss,
                             struct rj_reader *r)
{
    struct rj_bytes name = rj_cbor_get_text(r);
    enum rj_err err = RJ_EDENIED, e;

    if (r->failed || name.len > 32)
        return RJ_EPROTO;
    for (e = RJ_OK; e < RJ_ERR_COUNT; e++) {
        if (rj_bytes_equal(name, rj_bytes_from_str(rj_err_name(e))))
            err = e;
    }
    if (n->join_state == RJ_JOIN_WAITING && ss->join_sent) {
        n->join_state = RJ_JOIN_REFUSED;
        n->join_err = err == RJ_OK ? RJ_EAUTH : err;
    }
    rj_node_note(n, RJ_NOTE_INFO, err, "refused-by peer=%s", ss->name);
    return RJ_OK;
}

static enum rj_err on_clock(struct rj_node *n, struct rj_session *ss, struct rj_reader *r)
{
    struct rj_link *l = get_link(ss, r);
    uint64_t wall = rj_cbor_get_uint(r);

    if (r->failed)
        return RJ_EPROTO;
    if (l != NULL)
        l->resend_at = rj_mono_add(n->now.mono, RJ_RESEND_MS);
    rj_node_note(n, RJ_NOTE_ERROR, RJ_ECLOCK, "clock-ahead space=%s peer=%s by_ms=%lld",
                 l != NULL ? l->space->name : "-", ss->name,
                 (long long)n->now.wall.ms - (long long)(wall & INT64_MAX));
    return RJ_OK;
}

static enum rj_err on_busy(struct rj_session *ss, struct rj_reader *r)
{
    struct rj_link *l = get_link(ss, r);

    uint64_t request = rj_cbor_get_uint(r);

    if (r->failed)
        return RJ_EPROTO;
    if (l != NULL && rj_transfer_is_asked(l->space, ss, request))
        rj_transfer_busy(l->space);
    return RJ_OK;
}

static enum rj_err on_addresses(struct rj_node *n, struct rj_reader *r)
{
    struct rj_digest device;
    struct rj_known_device *d;
    size_t count, i;
    enum rj_err err = RJ_OK;

    rj_cbor_get_fixed(r, device.b, sizeof(device.b));
    count = rj_cbor_get_array(r);
    if (r->failed || count > RJ_ADDRESSES_MAX)
        return RJ_EPROTO;
    if (is_known(n, &device))
        err = rj_device_add(n, &device, &d);
    else
        d = NULL;
    for (i = 0; i < count && err == RJ_OK; i++) {
        struct rj_bytes address = rj_cbor_get_text(r);

        if (r->failed || address.len > RJ_ADDRESS_MAX)
            return RJ_EPROTO;
        if (d != NULL)
            err = rj_device_add_address(n, d, address, false);
    }
    return err;
}

static enum rj_err on_link_frame(struct rj_node *n, struct rj_session *ss, uint64_t type,
                                 struct rj_reader *r)
{
    struct rj_link *l = get_link(ss, r);

    if (r->failed)
        return RJ_EPROTO;
    if (l == NULL || !l->told)
        return RJ_OK;
    if (type == RJ_FRAME_DIGEST) {
        rj_digest_heard(l, r, ss->name);
        return r->failed ? RJ_EPROTO : RJ_OK;
    }
    if (type == RJ_FRAME_TAKE)
        return rj_transfer_on_take(n, ss, l, r);
    if (type == RJ_FRAME_META)
        return rj_meta_heard(ss, l, r);
    return rj_transfer_on_give(n, ss, l, r);
}

/* What a stranger may send. Of its batches (a farewell to a device that it knows to be
 * closed) and addresses nothing is kept. */
static bool is_for_strangers(const struct rj_session *ss, uint64_t type)
{
    return type <= RJ_FRAME_BATCH || type == RJ_FRAME_ACK || type == RJ_FRAME_JOIN ||
           type == RJ_FRAME_WELCOME || type == RJ_FRAME_REFUSE ||
           type == RJ_FRAME_ADDRESSES || (type == RJ_FRAME_PART && ss->join_sent);
}

/* Form, and whether that type may come now: what all frames have in common. r then stands
 * behind the type. */
static enum rj_err check_frame(const struct rj_session *ss, struct rj_bytes b,
                               struct rj_reader *r, uint64_t *ret_type)
{
    size_t items = rj_cbor_get_array(r);
    uint64_t type = rj_cbor_get_uint(r);
    struct rj_reader hello = *r;

    if (r->failed || (!ss->hello && type != RJ_FRAME_HELLO && type != RJ_FRAME_REFUSE))
        return RJ_EPROTO;
    if (type == RJ_FRAME_HELLO && rj_cbor_get_uint(&hello) != RJ_PROTOCOL)
        return hello.failed ? RJ_EPROTO : RJ_EVERSION; /* of other fields, maybe */
    if (items != rj_frame_items(type) || !rj_cbor_is_valid(b))
        return RJ_EPROTO;
    if (ss->guest && !is_for_strangers(ss, type))
        return RJ_EAUTH;
    *ret_type = type;
    return RJ_OK;
}

/* What the frame's kind does. Whatever it does not read was well-formed. */
static enum rj_err act_on(struct rj_node *n, struct rj_session *ss, uint64_t type,
                          struct rj_reader *r)
{
    switch (type) {
    case RJ_FRAME_HELLO:
        return on_hello(n, ss, r);
    case RJ_FRAME_SPACE:
        return on_space(n, ss, r);
    case RJ_FRAME_BATCH:
        return on_batch(ss, r);
    case RJ_FRAME_HEAD_:
        return on_head(ss, r);
    case RJ_FRAME_ACK:
        return on_ack(n, ss, r);
    case RJ_FRAME_PULL:
        return on_pull(n, ss, r);
    case RJ_FRAME_BEHIND:
        return on_behind(ss, r);
    case RJ_FRAME_TAKE:
    case RJ_FRAME_META:
    case RJ_FRAME_GIVE:
    case RJ_FRAME_DIGEST:
        return on_link_frame(n, ss, type, r);
    case RJ_FRAME_JOIN:
        return rj_join_on_join(n, ss, r);
    case RJ_FRAME_WELCOME:
        return rj_join_on_welcome(n, ss, r);
    case RJ_FRAME_REFUSE:
        return on_refuse(n, ss, r);
    case RJ_FRAME_ADDRESSES:
        return on_addresses(n, r);
    case RJ_FRAME_CLOCK:
        return on_clock(n, ss, r);
    case RJ_FRAME_BUSY:
        return on_busy(ss, r);
    case RJ_FRAME_FORK:
        return on_fork(ss, r);
    case RJ_FRAME_CAST:
        return rj_cast_on_frame(get_link(ss, r), r);
    case RJ_FRAME_RELAY_ASK:
        return rj_relay_on_ask(n, ss, r);
    case RJ_FRAME_RELAY:
        return rj_relay_on_token(n, ss, r);
    default:
        return RJ_EPROTO;
    }
}

/* What this session may send in PARTs at the moment, in bytes; 0: nothing is expected. */
static size_t expected_bytes(const struct rj_node *n, const struct rj_session *ss)
{
    size_t i;

    if (ss->join_sent && n->join_state == RJ_JOIN_WAITING)
        return RJ_WELCOME_MAX;
    for (i = 0; i < n->n_spaces; i++) {
        const struct rj_transfer *t = &n->spaces[i]->transfer;

        if (t->active && t->session == ss->peer)
            return RJ_GIVE_MAX;
    }
    return 0;
}

/* Something of what was asked for comes: its deadlines begin again. */
static void note_progress(struct rj_node *n, struct rj_session *ss)
{
    size_t i;

    ss->since = n->now.mono;
    for (i = 0; i < n->n_spaces; i++) {
        struct rj_transfer *t = &n->spaces[i]->transfer;

        if (t->active && t->session == ss->peer)
            t->deadline = rj_mono_add(n->now.mono, RJ_TRANSFER_MS);
    }
}

/* One more PART. *ret_whole: the payload, when this was its last one (the caller frees
 * it); empty while there is none, or nobody waits for it. */
static enum rj_err on_part(struct rj_node *n, struct rj_session *ss, struct rj_reader *r,
                           struct rj_buf *ret_whole)
{
    bool last = rj_cbor_get_bool(r);
    struct rj_bytes bytes = rj_cbor_get_bytes(r);
    size_t most = expected_bytes(n, ss);

    if (r->failed || bytes.len == 0)
        return RJ_EPROTO;
    ss->parts_skip = ss->parts_skip || most == 0;
    if (ss->parts_skip) {
        rj_buf_done(&ss->parts);
    } else {
        note_progress(n, ss);
        ss->parts.limit = most;
        rj_buf_append(&ss->parts, bytes);
        if (ss->parts.failed)
            return rj_buf_err(&ss->parts);
    }
    if (last) {
        *ret_whole = ss->parts;
        ss->parts = (struct rj_buf){0};
        ss->parts_skip = false;
    }
    return RJ_OK;
}

static enum rj_err on_frame(struct rj_node *n, struct rj_session *ss, struct rj_bytes b)
{
    struct rj_reader r = rj_reader_of(b);
    struct rj_buf whole = {0};
    uint64_t type;
    enum rj_err err = check_frame(ss, b, &r, &type);

    if (err == RJ_OK && type == RJ_FRAME_PART) {
        err = on_part(n, ss, &r, &whole);
        if (err != RJ_OK || whole.len == 0)
            goto out;
        r = rj_reader_of(rj_buf_view(&whole));
        err = check_frame(ss, rj_buf_view(&whole), &r, &type);
        if (err == RJ_OK && type != RJ_FRAME_GIVE && type != RJ_FRAME_WELCOME)
            err = RJ_EPROTO;
    }
    if (err == RJ_OK && type == RJ_FRAME_META)
        note_progress(n, ss);
    if (err == RJ_OK)
        err = act_on(n, ss, type, &r);
    if (err == RJ_OK && r.failed)
        err = RJ_EPROTO;
out:
    rj_buf_done(&whole);
    return err;
}

/* True when a local condition, not the peer, is what failed. */
static bool is_ours(const struct rj_node *n, enum rj_err err)
{
    return n->dead != RJ_OK || err == RJ_ENOMEM || err == RJ_EIO;
}

enum rj_err rj_session_bytes(struct rj_node *n, struct rj_session *ss, struct rj_bytes b)
{
    size_t at = 0;
    enum rj_err err = RJ_OK;

    if (ss->closing)
        return RJ_OK;
    rj_buf_append(&ss->in, b);
    if (ss->in.failed) {
        rj_session_close(ss, RJ_ELIMIT, n, "frame too large");
        return RJ_OK;
    }
    while (err == RJ_OK && !ss->closing && ss->in.len - at >= RJ_FRAME_HEAD) {
        size_t len = rj_be_load32(ss->in.ptr + at);
        struct rj_bytes payload = rj_bytes_of(ss->in.ptr + at + RJ_FRAME_HEAD, len);

        if (len > RJ_FRAME_MAX ||
            (ss->guest && !ss->join_sent && len > RJ_GUEST_FRAME_MAX)) {
            err = RJ_ELIMIT;
        } else if (ss->in.len - at - RJ_FRAME_HEAD < len) {
            break;
        } else if ((uint32_t)rj_hash_checksum(payload) !=
                   rj_be_load32(ss->in.ptr + at + 4)) {
            err = RJ_ECORRUPT;
        } else {
            at += RJ_FRAME_HEAD + len;
            ss->got_bytes += RJ_FRAME_HEAD + len;
            err = on_frame(n, ss, payload);
        }
    }
    rj_buf_consume(&ss->in, at);
    if (err == RJ_OK)
        return RJ_OK;
    if (is_ours(n, err))
        return err;
    rj_session_close(ss, err, n, "bad frame");
    return RJ_OK;
}
