/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a session: one connection between two nodes, which carries all spaces that
 * both belong to. It begins with HELLO; who is no member of anything here is a guest, of
 * which nothing is kept, until a ticket makes it a member; a device that is closed
 * everywhere is told so, and sent away. What a session knows about one space is a link
 * (link.c); what comes on it, receive.c. */
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

void rj_session_free(struct rj_session *ss)
{
    size_t i;

    if (ss == NULL)
        return;
    for (i = 0; i < ss->n_links; i++)
        rj_link_done(&ss->links[i]);
    free(ss->links);
    rj_buf_done(&ss->in);
    rj_buf_done(&ss->out);
    rj_buf_done(&ss->held);
    rj_buf_done(&ss->parts);
    free(ss);
}

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
    return closed && !rj_node_knows(n, device);
}

enum rj_err rj_session_idle(struct rj_node *n, struct rj_session *ss)
{
    if (ss->closing)
        return RJ_OK;
    if (is_closed_device(n, &ss->device) && ss->hello)
        return rj_session_farewell(n, ss);
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
    ss->guest = !rj_node_knows(n, &ss->device);
    if (n->n_sessions > RJ_SESSIONS_MAX) {
        rj_session_close(ss, RJ_ELIMIT, n, "too many sessions");
        return RJ_OK;
    }
    if (is_closed_device(n, &ss->device) && !invites(n)) {
        put_hello(n, ss);
        return rj_session_farewell(n, ss);
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
