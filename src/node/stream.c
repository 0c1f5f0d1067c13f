/* SPDX-License-Identifier: Apache-2.0 */
/* What flows on a session after hello: the batches that the peer lacks, from the smallest
 * position above its vector on (R3), under credit; own batches at once, others' after a
 * short delay unless the peer has them by then; acknowledgements; heads. Live push is the
 * same walk as catch-up, so there is no gap between the two. */
#include "node/frame.h"
#include "node/state.h"

static void put_behind(struct rj_session *ss, struct rj_link *l)
{
    size_t at = rj_frame_begin(&ss->out, RJ_FRAME_BEHIND, 2);

    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_vv_encode(&ss->out, &l->space->origins, &l->space->trunc);
    rj_frame_end(&ss->out, at);
}

enum rj_err rj_link_begin(struct rj_node *n, struct rj_session *ss, struct rj_link *l)
{
    struct rj_space *s = l->space;
    enum rj_err err = rj_vv_copy(&l->sent, &l->received);

    if (err != RJ_OK)
        return err;
    if (l->began_at.ms == 0) {
        l->began_at = n->now.mono;
        err = rj_line_put(ss, l);
        if (err != RJ_OK)
            return err;
    }
    l->streaming = rj_vv_covers(&l->received, &s->trunc);
    l->cursor = rj_log_start(&s->log, &l->sent);
    if (!l->streaming) {
        put_behind(ss, l);
        l->behind_at = n->now.mono;
    }
    return rj_transfer_consider(s);
}

static bool has_credit(const struct rj_node *n, const struct rj_session *ss)
{
    return ss->sent_bytes + ss->out.len - ss->acked_bytes < n->limits.unacked_bytes;
}

static enum rj_err send_batch(struct rj_session *ss, struct rj_link *l, uint64_t position,
                              const struct rj_log_entry *e)
{
    struct rj_bytes bytes;
    enum rj_err err = rj_space_batch_at(l->space, position, &bytes);
    size_t at;

    if (err != RJ_OK)
        return rj_node_die(l->space->node, err, "reading the log");
    at = rj_frame_begin(&ss->out, RJ_FRAME_BATCH, 2);
    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_buf_append(&ss->out, bytes);
    rj_frame_end(&ss->out, at);
    return rj_vv_put(&l->sent, e->origin, rj_log_entry_last(e));
}

/* Own batches of a space with durability `always` leave once they are committed; at every
 * level so do an opening record, and a batch whose writes the store still holds as
 * unsealed: an open would issue them again. */
static bool must_wait(const struct rj_space *s, uint64_t position)
{
    return position >= s->committed_end &&
           (s->durability == RJ_DURABLE_ALWAYS || position < s->hold_end);
}

/* Own batches ahead of others' that are held back for a moment. */
static enum rj_err pump_own(struct rj_node *n, struct rj_session *ss, struct rj_link *l)
{
    struct rj_space *s = l->space;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && has_credit(n, ss)) {
        uint64_t seq = rj_vv_get(&l->sent, s->self) + 1;
        uint64_t at;
        const struct rj_log_entry *e;

        if (seq > rj_vv_get(&s->vv, s->self))
            break;
        at = rj_log_find(&s->log, s->self, seq);
        e = rj_log_at(&s->log, at);
        if (e == NULL || must_wait(s, at))
            break;
        err = send_batch(ss, l, at, e);
    }
    return err;
}

/* Whether the device of an origin is connected here. */
static bool is_near(const struct rj_space *s, uint32_t origin)
{
    uint32_t device = s->os[origin].device;
    size_t i;

    for (i = 0; device != UINT32_MAX && i < s->node->n_sessions; i++) {
        if (memcmp(s->node->sessions[i]->device.b, s->members.items[device].id.b,
                   RJ_DIGEST_LEN) == 0)
            return true;
    }
    return false;
}

static enum rj_err pump_link(struct rj_node *n, struct rj_session *ss, struct rj_link *l)
{
    struct rj_space *s = l->space;
    enum rj_err err = RJ_OK;

    if (!rj_vv_covers(&l->sent, &s->trunc)) {
        l->streaming = false; /* truncated under its feet, or a hole from a transfer */
        put_behind(ss, l);
        l->behind_at = n->now.mono;
        return RJ_OK;
    }
    if (l->cursor < s->log.begin)
        l->cursor = s->log.begin;
    for (; err == RJ_OK && l->cursor < s->log.end; l->cursor++) {
        const struct rj_log_entry *e = rj_log_at(&s->log, l->cursor);
        uint64_t due = e->accepted_ms != 0 ? e->accepted_ms + RJ_RELAY_MS : 0;

        if (rj_vv_has(&l->sent, e->origin, rj_log_entry_last(e)))
            continue;
        if (due < l->began_at.ms + RJ_RELAY_MS && is_near(s, e->origin))
            due = l->began_at.ms + RJ_RELAY_MS; /* its author may send it, too */
        if (e->origin != s->self && n->now.mono.ms < due) {
            rj_node_wake(n, (struct rj_mono){due});
            return pump_own(n, ss, l);
        }
        if (!has_credit(n, ss) || (e->origin == s->self && must_wait(s, l->cursor)))
            break;
        err = send_batch(ss, l, l->cursor, e);
    }
    return err;
}

/* Heads that the peer was not sent and did not send itself. */
static enum rj_err pump_heads(struct rj_session *ss, struct rj_link *l)
{
    struct rj_space *s = l->space;
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        struct rj_origin_state *os = &s->os[o];
        size_t at;

        if (os->head.len == 0 || rj_vv_get(&l->heads, o) >= os->head_stamp ||
            !rj_vv_has(&l->received, o, 1))
            continue;
        at = rj_frame_begin(&ss->out, RJ_FRAME_HEAD_, 3);
        rj_cbor_put_uint(&ss->out, l->number_here);
        rj_buf_append(&ss->out, rj_buf_view(&os->head));
        rj_frame_end(&ss->out, at);
        if (rj_vv_put(&l->heads, o, os->head_stamp) != RJ_OK)
            return RJ_ENOMEM;
    }
    return RJ_OK;
}

/* Entries of now that differ from told, into change; told := now. True: there are any. */
static bool changes(const struct rj_vv *now, struct rj_vv *told, struct rj_vv *change,
                    enum rj_err *err)
{
    bool any = false;
    uint32_t o;

    rj_vv_clear(change);
    for (o = 0; o < now->n && *err == RJ_OK; o++) {
        if (now->seq[o] <= rj_vv_get(told, o))
            continue;
        any = true;
        *err = rj_vv_put(change, o, now->seq[o]);
        if (*err == RJ_OK)
            *err = rj_vv_put(told, o, now->seq[o]);
    }
    return any;
}

static bool needs_ack(const struct rj_node *n, const struct rj_session *ss)
{
    size_t i;

    if (ss->got_bytes - ss->told_bytes > n->limits.unacked_bytes / 4)
        return true;
    for (i = 0; i < ss->n_links; i++) {
        const struct rj_link *l = &ss->links[i];

        if (l->told && l->heard &&
            (!rj_vv_covers(&l->told_received, &l->space->vv) ||
             !rj_vv_covers(&l->told_durable, &l->space->durable)))
            return true;
    }
    return false;
}

static void put_ack(struct rj_node *n, struct rj_session *ss, struct rj_buf *body,
                    size_t items)
{
    size_t at = rj_frame_begin(&ss->out, RJ_FRAME_ACK, 3);

    rj_cbor_put_uint(&ss->out, ss->got_bytes);
    rj_cbor_put_uint(&ss->out, n->now.wall.ms);
    rj_cbor_put_array(&ss->out, items);
    rj_buf_append(&ss->out, rj_buf_view(body));
    rj_frame_end(&ss->out, at);
    rj_buf_clear(body);
}

static enum rj_err pump_ack(struct rj_node *n, struct rj_session *ss)
{
    struct rj_vv received = {0}, durable = {0};
    struct rj_buf body = {0};
    size_t items = 0, i;
    enum rj_err err = RJ_OK;

    for (i = 0; i < ss->n_links && err == RJ_OK; i++) {
        struct rj_link *l = &ss->links[i];
        bool any;

        if (!l->told || !l->heard)
            continue;
        any = changes(&l->space->vv, &l->told_received, &received, &err);
        any = changes(&l->space->durable, &l->told_durable, &durable, &err) || any;
        if (!any)
            continue;
        rj_cbor_put_uint(&body, l->number_here);
        rj_vv_encode(&body, &l->space->origins, &received);
        rj_vv_encode(&body, &l->space->origins, &durable);
        items += 3;
        if (body.failed)
            err = rj_buf_err(&body);
        if (err == RJ_OK && body.len >= RJ_FRAME_MORE_BYTES) {
            put_ack(n, ss, &body, items);
            items = 0;
        }
    }
    put_ack(n, ss, &body, items);
    ss->told_bytes = ss->got_bytes;
    ss->acked_at = n->now.mono;
    rj_vv_done(&received);
    rj_vv_done(&durable);
    rj_buf_done(&body);
    return err;
}

/* A peer that is behind our log is told again from time to time, and served from the log
 * as soon as it has caught up. */
static enum rj_err nudge(struct rj_node *n, struct rj_session *ss, struct rj_link *l)
{
    struct rj_mono due = rj_mono_add(l->behind_at, RJ_TRANSFER_MS);

    if (rj_vv_covers(&l->received, &l->space->trunc))
        return rj_link_begin(n, ss, l);
    if (l->apart)
        return RJ_OK;
    if (n->now.mono.ms >= due.ms) {
        put_behind(ss, l);
        l->behind_at = n->now.mono;
        due = rj_mono_add(n->now.mono, RJ_TRANSFER_MS);
    }
    rj_node_wake(n, due);
    return RJ_OK;
}

/* Offers again what the peer refused for its stamp. */
static enum rj_err resend(struct rj_node *n, struct rj_session *ss, struct rj_link *l)
{
    if (n->now.mono.ms < l->resend_at.ms) {
        rj_node_wake(n, l->resend_at);
        return RJ_OK;
    }
    l->resend_at.ms = 0;
    return rj_link_begin(n, ss, l);
}

enum rj_err rj_session_pump(struct rj_node *n, struct rj_session *ss)
{
    struct rj_mono ack_due = rj_mono_add(ss->acked_at, RJ_ACK_MS);
    enum rj_err err = RJ_OK;
    size_t i;

    if (ss->closing || !ss->hello)
        return RJ_OK;
    if (ss->held.len > 0 && n->committed >= ss->held_commit) {
        rj_buf_append(&ss->out, rj_buf_view(&ss->held));
        rj_buf_done(&ss->held);
    }
    for (i = 0; i < ss->n_links && err == RJ_OK; i++) {
        struct rj_link *l = &ss->links[i];

        if (!l->told || !l->heard)
            continue;
        if (l->held.len > 0 && n->committed >= l->held_commit) {
            rj_buf_append(&ss->out, rj_buf_view(&l->held));
            rj_buf_done(&l->held);
        }
        if (l->resend_at.ms != 0)
            err = resend(n, ss, l);
        if (err == RJ_OK && !l->streaming)
            err = nudge(n, ss, l);
        if (err == RJ_OK && l->streaming)
            err = pump_link(n, ss, l);
        if (err == RJ_OK)
            err = pump_heads(ss, l);
        rj_digest_pump(n, ss, l);
    }
    if (err == RJ_OK && needs_ack(n, ss)) {
        if (n->now.mono.ms >= ack_due.ms || ss->acked_at.ms == 0)
            err = pump_ack(n, ss);
        else
            rj_node_wake(n, ack_due);
    }
    if (err == RJ_OK && ss->out.failed)
        err = RJ_ENOMEM;
    return err;
}
