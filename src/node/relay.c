/* SPDX-License-Identifier: Apache-2.0 */
/* Two members that cannot reach each other meet through a third, which both have a
 * session with. Whoever misses the other asks it (RELAY_ASK); it draws a token and gives
 * it to both (RELAY). What they do with it is their drivers' business: bytes that are
 * carried do not pass through the engine. */
#include "node/frame.h"
#include "node/state.h"

static struct rj_session *session_of(const struct rj_node *n,
                                     const struct rj_digest *device)
{
    size_t i;

    for (i = 0; i < n->n_sessions; i++) {
        struct rj_session *ss = n->sessions[i];

        if (!ss->guest && !ss->closing &&
            memcmp(ss->device.b, device->b, RJ_DIGEST_LEN) == 0)
            return ss;
    }
    return NULL;
}

static bool is_flowing(struct rj_session *ss, struct rj_space *s)
{
    const struct rj_link *l = rj_session_link(ss, s);

    return l != NULL && l->told && l->heard && !l->parted;
}

/* A space that both are members of, as far as this node sees. */
static bool share_one(struct rj_session *a, struct rj_session *b)
{
    size_t i;

    for (i = 0; i < a->n_links; i++) {
        if (is_flowing(a, a->links[i].space) && is_flowing(b, a->links[i].space))
            return true;
    }
    return false;
}

enum rj_err rj_node_relay_ask(struct rj_node *n, const struct rj_digest *via,
                              const struct rj_digest *device)
{
    struct rj_session *ss = session_of(n, via);

    if (ss == NULL)
        return RJ_EUNREACH;
    ss->relay_wanted = *device;
    ss->relay_asks = true;
    return RJ_OK;
}

void rj_relay_flush(struct rj_session *ss)
{
    size_t at;

    if (!ss->relay_asks)
        return;
    ss->relay_asks = false;
    at = rj_frame_begin(&ss->out, RJ_FRAME_RELAY_ASK, 1);
    rj_cbor_put_bytes(&ss->out, RJ_BYTES_OF(ss->relay_wanted.b));
    rj_frame_end(&ss->out, at);
}

static void put_relay(struct rj_session *ss, const uint8_t token[RJ_RELAY_TOKEN],
                      const struct rj_digest *device, enum rj_relay_role role)
{
    size_t at = rj_frame_begin(&ss->out, RJ_FRAME_RELAY, 3);

    rj_cbor_put_bytes(&ss->out, rj_bytes_of(token, RJ_RELAY_TOKEN));
    rj_cbor_put_bytes(&ss->out, RJ_BYTES_OF(device->b));
    rj_cbor_put_uint(&ss->out, role);
    rj_frame_end(&ss->out, at);
}

enum rj_err rj_relay_on_ask(struct rj_node *n, struct rj_session *ss, struct rj_reader *r)
{
    struct rj_action a = {.kind = RJ_ACT_RELAY, .role = RJ_RELAY_CARRY};
    struct rj_mono next = rj_mono_add(ss->relay_at, RJ_RELAY_ASK_MS);
    struct rj_session *other;
    struct rj_digest device;
    enum rj_err err;

    rj_cbor_get_fixed(r, device.b, sizeof(device.b));
    if (r->failed)
        return RJ_EPROTO;
    other = session_of(n, &device);
    if (other == NULL || other == ss || !share_one(ss, other) ||
        (ss->relay_at.ms != 0 && n->now.mono.ms < next.ms))
        return RJ_OK; /* it asks elsewhere, or again */
    ss->relay_at = n->now.mono;
    err = n->env->ops->random(n->env, a.token, sizeof(a.token));
    if (err != RJ_OK)
        return err;
    put_relay(ss, a.token, &other->device, RJ_RELAY_CLIENT);
    put_relay(other, a.token, &ss->device, RJ_RELAY_SERVER);
    rj_node_act(n, &a);
    return RJ_OK;
}

enum rj_err rj_relay_on_token(struct rj_node *n, struct rj_session *ss,
                              struct rj_reader *r)
{
    struct rj_action a = {.kind = RJ_ACT_RELAY, .via = ss->device};
    uint64_t role;

    rj_cbor_get_fixed(r, a.token, sizeof(a.token));
    rj_cbor_get_fixed(r, a.device.b, sizeof(a.device.b));
    role = rj_cbor_get_uint(r);
    if (r->failed || (role != RJ_RELAY_CLIENT && role != RJ_RELAY_SERVER))
        return RJ_EPROTO;
    a.role = role == RJ_RELAY_CLIENT ? RJ_RELAY_CLIENT : RJ_RELAY_SERVER;
    if (session_of(n, &a.device) == NULL) /* else they have met meanwhile */
        rj_node_act(n, &a);
    return RJ_OK;
}
