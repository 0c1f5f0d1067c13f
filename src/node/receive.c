/* SPDX-License-Identifier: Apache-2.0 */
/* From bytes to frames: a frame is taken whole, judged by its length, checksum, form and
 * time, and only then read (hear.c). Long ones come in PARTs and are put together here,
 * as many as were asked for. A frame that does not parse, lies or comes at the wrong time
 * ends its session with a named error; nothing of it is kept. */
#include "node/frame.h"
#include "node/state.h"

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
        err = rj_session_hear(n, ss, type, &r);
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
