/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that nobody keeps (publish and subscribe): to every member that can be reached
 * now, at most once, in no log and in no vector. The author sends to all members that it
 * is connected to and says who they are; each of them passes the message on to members
 * that are not among these. So where all are connected each gets it once and nobody sends
 * it twice, and where they are not it goes through those in between. Twice the same is
 * known by the author's number for it and a window of the last 64 (as in RFC 6479).
 *
 * A member vouches for what it passes on: nothing here is signed. */
#include "node/frame.h"
#include "node/state.h"

enum {
    WINDOW = 64,
    SHORT_ID = 4,
    QUEUE_MAX = 32 * 1024 * 1024 /* bytes of own messages between two flushes */
};

struct cast {
    struct rj_origin_id author;
    uint64_t number;
    struct rj_bytes reached; /* the first SHORT_ID bytes of each device's id */
    struct rj_bytes topic, text;
};

static bool is_reached(struct rj_bytes reached, const struct rj_digest *device)
{
    size_t i;

    for (i = 0; i + SHORT_ID <= reached.len; i += SHORT_ID) {
        if (memcmp(reached.ptr + i, device->b, SHORT_ID) == 0)
            return true;
    }
    return false;
}

/* The link over which a member is to get it; NULL: it is not connected, or has it. */
static struct rj_link *wanted(struct rj_space *s, struct rj_session *ss,
                              struct rj_bytes reached)
{
    struct rj_link *l = ss->guest || ss->closing ? NULL : rj_session_link(ss, s);

    if (l == NULL || !l->told || !l->heard || l->parted)
        return NULL;
    return is_reached(reached, &ss->device) ? NULL : l;
}

static void put(struct rj_session *ss, const struct rj_link *l, const struct cast *c)
{
    size_t at;

    if (ss->sent_bytes + ss->out.len - ss->acked_bytes >=
        l->space->node->limits.unacked_bytes) {
        l->space->casts_dropped++; /* it does not keep up */
        return;
    }
    at = rj_frame_begin(&ss->out, RJ_FRAME_CAST, 6);
    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_cbor_put_bytes(&ss->out, RJ_BYTES_OF(c->author.b));
    rj_cbor_put_uint(&ss->out, c->number);
    rj_cbor_put_bytes(&ss->out, c->reached);
    rj_cbor_put_bytes(&ss->out, c->topic);
    rj_cbor_put_bytes(&ss->out, c->text);
    rj_frame_end(&ss->out, at);
}

/* To all that are connected and not among the reached ones. */
static enum rj_err send_on(struct rj_space *s, const struct cast *cast)
{
    struct rj_node *n = s->node;
    struct rj_buf reached = {0};
    struct cast c = *cast;
    size_t i, fresh = 0;

    rj_buf_append(&reached, cast->reached);
    rj_buf_append(&reached, rj_bytes_of(n->device.b, SHORT_ID));
    for (i = 0; i < n->n_sessions; i++) {
        if (wanted(s, n->sessions[i], cast->reached) == NULL)
            continue;
        rj_buf_append(&reached, rj_bytes_of(n->sessions[i]->device.b, SHORT_ID));
        fresh++;
    }
    c.reached = rj_buf_view(&reached);
    for (i = 0; fresh > 0 && rj_buf_err(&reached) == RJ_OK && i < n->n_sessions; i++) {
        struct rj_link *l = wanted(s, n->sessions[i], cast->reached);

        if (l != NULL)
            put(n->sessions[i], l, &c);
    }
    rj_buf_done(&reached);
    return fresh > 0 && c.reached.len == 0 ? RJ_ENOMEM : RJ_OK;
}

enum rj_err rj_space_cast(struct rj_space *s, struct rj_bytes topic, struct rj_bytes text)
{
    enum rj_err err;

    if (topic.len > RJ_CAST_MAX || text.len > RJ_CAST_MAX - topic.len)
        return RJ_ELIMIT;
    if (s->writer.refuse == RJ_ECLOSED)
        return RJ_ECLOSED;
    if (s->casts.len > QUEUE_MAX)
        return RJ_EBUSY;
    rj_buf_u32be(&s->casts, (uint32_t)topic.len);
    rj_buf_u32be(&s->casts, (uint32_t)text.len);
    rj_buf_append(&s->casts, topic);
    rj_buf_append(&s->casts, text);
    err = rj_buf_err(&s->casts);
    if (err != RJ_OK)
        rj_buf_done(&s->casts); /* with what waited: nobody was promised anything */
    return err;
}

enum rj_err rj_cast_flush(struct rj_space *s)
{
    struct rj_reader r = rj_reader_of(rj_buf_view(&s->casts));
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && rj_reader_left(&r) > 0) {
        struct cast c = {.author = s->origins.items[s->self].id};
        uint32_t topic = rj_reader_u32be(&r), text = rj_reader_u32be(&r);

        c.topic = rj_reader_bytes(&r, topic);
        c.text = rj_reader_bytes(&r, text);
        c.number = ++s->cast_number;
        err = send_on(s, &c);
    }
    if (s->casts.len > 0)
        rj_buf_done(&s->casts);
    return err;
}

/* Whether this is the first time that it comes; notes it. */
static bool is_first(struct rj_origin_state *os, uint64_t number)
{
    uint64_t behind;

    if (number > os->cast_top) {
        uint64_t ahead = number - os->cast_top;

        os->cast_seen = ahead < WINDOW ? os->cast_seen << ahead | 1 : 1;
        os->cast_top = number;
        return true;
    }
    behind = os->cast_top - number;
    if (number == 0 || behind >= WINDOW || (os->cast_seen >> behind & 1) != 0)
        return false;
    os->cast_seen |= (uint64_t)1 << behind;
    return true;
}

/* An origin of a member, and not one of ours. */
static bool is_member(const struct rj_space *s, uint32_t o)
{
    uint32_t device = o != RJ_ORIGIN_NONE ? s->os[o].device : UINT32_MAX;

    return device != UINT32_MAX && !s->members.items[device].closed &&
           memcmp(s->members.items[device].id.b, s->node->device.b, RJ_DIGEST_LEN) != 0;
}

enum rj_err rj_cast_on_frame(struct rj_link *l, struct rj_reader *r)
{
    struct cast c = {0};
    uint32_t o;

    rj_cbor_get_fixed(r, c.author.b, sizeof(c.author.b));
    c.number = rj_cbor_get_uint(r);
    c.reached = rj_cbor_get_bytes(r);
    c.topic = rj_cbor_get_bytes(r);
    c.text = rj_cbor_get_bytes(r);
    if (r->failed || c.reached.len % SHORT_ID != 0 ||
        c.reached.len > (size_t)SHORT_ID * RJ_DEVICES_MAX || c.topic.len > RJ_CAST_MAX ||
        c.text.len > RJ_CAST_MAX - c.topic.len)
        return RJ_EPROTO;
    if (l == NULL || !l->told || l->parted)
        return RJ_OK;
    o = rj_origins_find(&l->space->origins, &c.author);
    if (!is_member(l->space, o) || !is_first(&l->space->os[o], c.number))
        return RJ_OK;
    rj_node_tell_cast(l->space, c.topic, c.text);
    return send_on(l->space, &c);
}
