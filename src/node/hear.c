/* SPDX-License-Identifier: Apache-2.0 */
/* What frames say, one function a kind, and what follows from it. A frame about a space
 * that was not announced to the peer, or not by it, is read and means nothing: it may
 * have crossed with the news that one of the two is no member any more. */
#include "node/frame.h"
#include "node/state.h"

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

    (void)protocol; /* as receive.c found */
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
    if (rules != rj_space_rules(s)) {
        rj_node_note(n, RJ_NOTE_WARN, RJ_EUPGRADE, "rules-differ space=%s peer=%s",
                     s->name, ss->name);
        return RJ_OK;
    }
    err = rj_link_add(ss, s, &l);
    if (err != RJ_OK)
        return err;
    if (!l->heard && l->told)
        rj_link_put_space(ss, l); /* ours may have come before the peer had the space */
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
    if (!l->apart)
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
    if (rj_node_knows(n, &device))
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
    if (type == RJ_FRAME_LINE)
        return rj_line_heard(ss, l, r);
    if (type == RJ_FRAME_APART)
        return rj_line_on_apart(n, l, r);
    if (type == RJ_FRAME_TAKE)
        return rj_transfer_on_take(n, ss, l, r);
    if (type == RJ_FRAME_META)
        return rj_meta_heard(ss, l, r);
    return rj_transfer_on_give(n, ss, l, r);
}

enum rj_err rj_session_hear(struct rj_node *n, struct rj_session *ss, uint64_t type,
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
    case RJ_FRAME_LINE:
    case RJ_FRAME_APART:
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
