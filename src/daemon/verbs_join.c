/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs invite and join. A ticket is made of what the engine gives (a one-time secret)
 * and what the driver knows (where this device listens). A join is over when the engine
 * has been let in and every new space holds what the inviter had. */
#include "base/alloc.h"
#include "daemon/status.h"
#include "daemon/verb.h"

#include <stdio.h>

enum {
    INVITE_EXPIRES_MS = 10 * 60 * 1000,
    INVITE_USES_MAX = 1000,
    JOIN_REACH_MS = 30000, /* to be let in */
    JOIN_STALL_MS = 60000, /* without progress afterwards */
    JOIN_LOOK_MS = 100
};

/* ---- invite */

/* Names of the spaces that the request wants, at most RJ_VERB_NAMES_MAX. */
static size_t wanted_spaces(struct rj_call *c, struct rj_bytes *names)
{
    struct rj_bytes list, item;
    size_t pos = 0, n = 0;

    if (!rj_doc_find(rj_call_args(c), "names", &list))
        return 0;
    while (n < RJ_VERB_NAMES_MAX && rj_doc_next(list, &pos, &item)) {
        if (rj_doc_is_text(item, &names[n]))
            n++;
    }
    return n;
}

static enum rj_err invite_error(struct rj_call *c, enum rj_err err)
{
    switch ((int)err) {
    case RJ_EUNREACH:
        return rj_call_error(
            c, err, "rejoin config set port.peer 7340",
            "nobody could reach this device: it does not listen for peers");
    case RJ_EDENIED:
        return rj_call_error(c, err, "rejoin status",
                             "only an admin of a space can invite into it");
    case RJ_ENOENT:
        return rj_call_error(c, err, "rejoin bucket list",
                             "there is no such space here to invite into");
    case RJ_ELIMIT:
        return rj_call_error(c, err, "wait until some expire, or: rejoin down; rejoin up",
                             "too many invitations are open");
    default:
        return err;
    }
}

static enum rj_err answer_ticket(struct rj_call *c, struct rj_bytes ticket,
                                 const struct rj_invite_opts *opts)
{
    struct rj_doc *doc = rj_call_doc(c);

    rj_doc_map(doc);
    rj_doc_put_text(doc, "ticket", ticket);
    rj_doc_put_uint(doc, "expires_ms", opts->expires_ms);
    rj_doc_put_uint(doc, "uses", opts->uses);
    rj_doc_put_str(doc, "role", rj_verb_role_name(opts->role));
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

enum rj_err rj_verb_invite(struct rj_call *c)
{
    struct rj_daemon *d = rj_call_daemon(c);
    struct rj_bytes names[RJ_VERB_NAMES_MAX];
    struct rj_invite_opts opts = {.spaces = names, .role = RJ_ROLE_WRITER, .uses = 1};
    uint64_t expires_ms = INVITE_EXPIRES_MS, uses = 1;
    struct rj_buf ticket = {0};
    char word[16];
    enum rj_err err;

    if (rj_verb_node(c) == NULL)
        return RJ_OK;
    opts.n_spaces = wanted_spaces(c, names);
    if (rj_verb_text(c, "role", word, sizeof(word)) &&
        rj_verb_role(word, &opts.role) != RJ_OK)
        return rj_call_error(c, RJ_EINVAL, "--role reader|writer|admin", "%s is no role",
                             word);
    (void)rj_doc_get_uint(rj_call_args(c), "expires_ms", &expires_ms);
    (void)rj_doc_get_uint(rj_call_args(c), "uses", &uses);
    if (uses == 0 || uses > INVITE_USES_MAX)
        return rj_call_error(c, RJ_EINVAL, "--uses 1", "a ticket has 1 to %d uses",
                             INVITE_USES_MAX);
    opts.uses = (uint32_t)uses;
    opts.expires_ms = rj_verb_now(c).wall.ms + expires_ms;
    err = rj_driver_invite(&d->driver, &opts, &ticket);
    err = err == RJ_OK ? answer_ticket(c, rj_buf_view(&ticket), &opts)
                       : invite_error(c, err);
    if (ticket.ptr != NULL)
        rj_bytes_wipe(ticket.ptr, ticket.len);
    rj_buf_done(&ticket);
    return err;
}

/* ---- join */

struct join {
    struct rj_digest inviter;
    struct rj_mono until; /* the caller's own limit; UINT64_MAX: none */
    struct rj_mono stall; /* when it is given up for want of progress */
    uint64_t instance;
    uint64_t seen; /* writes and keys at the last progress */
    bool was_connected;
    size_t n_before;
    struct rj_digest before[]; /* ids of the spaces that this device was in */
};

static bool was_there(const struct join *j, const struct rj_digest *id)
{
    for (size_t i = 0; i < j->n_before; i++) {
        if (memcmp(j->before[i].b, id->b, RJ_DIGEST_LEN) == 0)
            return true;
    }
    return false;
}

/* What the new spaces hold by now. */
struct arrived {
    size_t spaces;
    uint64_t keys, writes;
    double part; /* of the one that is farthest behind */
    bool joining;
};

static void look(struct rj_call *c, struct rj_node *n, struct arrived *a)
{
    const struct join *j = rj_call_state(c);
    struct rj_space_info info;
    struct rj_space *s;

    a->part = 1.0;
    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++) {
        rj_space_info(s, rj_verb_now(c), &info);
        if (was_there(j, &info.id))
            continue;
        a->spaces++;
        a->keys += info.keys;
        a->writes += info.writes;
        a->joining = a->joining || info.joining;
        if (info.joining && info.joined_part < a->part)
            a->part = info.joined_part;
    }
}

static const char *peer_name(struct rj_node *n, const struct rj_digest *device)
{
    struct rj_peer_info p;

    for (size_t i = 0; rj_node_peer(n, i, &p); i++) {
        if (memcmp(p.device.b, device->b, RJ_DIGEST_LEN) == 0 && p.name != NULL)
            return p.name;
    }
    return "";
}

static enum rj_err answer_join(struct rj_call *c, struct rj_node *n)
{
    const struct join *j = rj_call_state(c);
    struct rj_doc *doc = rj_call_doc(c);
    char id[RJ_VERB_ID_LEN + 1];
    struct rj_space_info info;
    struct rj_space *s;

    rj_verb_id(&j->inviter, id);
    rj_doc_map(doc);
    rj_doc_put_str(doc, "inviter", id);
    rj_doc_put_str(doc, "inviter_name", peer_name(n, &j->inviter));
    rj_doc_key(doc, "spaces");
    rj_doc_array(doc);
    for (size_t i = 0; (s = rj_node_space_at(n, i)) != NULL; i++) {
        rj_space_info(s, rj_verb_now(c), &info);
        if (was_there(j, &info.id))
            continue;
        rj_doc_map(doc);
        rj_status_space(rj_call_daemon(c), doc, s);
        rj_doc_end(doc);
    }
    rj_doc_end(doc);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

static void progress(struct rj_call *c, const char *phase, const struct arrived *a)
{
    struct rj_doc *doc;

    if (!rj_call_progress_due(c))
        return;
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    rj_doc_put_str(doc, "phase", phase);
    rj_doc_put_uint(doc, "keys", a->keys);
    rj_doc_put_uint(doc, "writes", a->writes);
    rj_doc_put_uint(doc, "permille", (uint64_t)(a->part * 1000.0));
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_PROGRESS);
}

static enum rj_err join_refused(struct rj_call *c, enum rj_err err)
{
    if (err == RJ_EAUTH)
        return rj_call_error(c, err, "ask for a new one: rejoin invite",
                             "the ticket was refused: used, expired or not from there");
    if (err == RJ_EDENIED)
        return rj_call_error(c, err, "ask for a new one: rejoin invite",
                             "the ticket was refused: used or expired, or this device "
                             "was removed by somebody of a higher rank");
    return rj_call_error(c, err, "", "the invitation was refused: %s", rj_err_text(err));
}

static enum rj_err join_late(struct rj_call *c, const struct join *j, bool let_in)
{
    const char *why = rj_peers_why(rj_call_daemon(c)->peers, &j->inviter);

    if (let_in)
        return rj_call_error(c, RJ_ETIMEOUT, "rejoin status",
                             "joined, but not everything has arrived; it goes on in the "
                             "background");
    if (j->was_connected && why[0] == '\0')
        return rj_call_error(c, RJ_ETIMEOUT, "rejoin join TICKET",
                             "the inviting device gave no answer");
    return rj_call_error(
        c, RJ_EUNREACH, "is it up, and is the address of the ticket right?",
        "the inviting device was not reached%s%s", why[0] != '\0' ? ": " : "", why);
}

static enum rj_err poll_join(struct rj_call *c)
{
    struct join *j = rj_call_state(c);
    struct rj_daemon *d = rj_call_daemon(c);
    struct rj_node *n = rj_verb_node(c);
    struct rj_mono now = rj_verb_now(c).mono;
    enum rj_err refused = RJ_OK;
    enum rj_join_state state;
    struct arrived a = {0};

    if (n == NULL)
        return RJ_OK;
    if (rj_engine_instance(d->engine) != j->instance)
        return rj_call_error(c, RJ_EBUSY, "rejoin join TICKET",
                             "the engine was restarted");
    j->was_connected = j->was_connected || rj_peers_connected(d->peers, &j->inviter);
    state = rj_node_join_state(n, &refused);
    look(c, n, &a);
    if (state == RJ_JOIN_REFUSED)
        return join_refused(c, refused);
    if (state == RJ_JOIN_DONE && !a.joining)
        return answer_join(c, n);
    if (state == RJ_JOIN_DONE && a.keys + a.writes != j->seen) {
        j->seen = a.keys + a.writes;
        j->stall.ms = now.ms + JOIN_STALL_MS;
    }
    if (now.ms >= j->until.ms || now.ms >= j->stall.ms)
        return join_late(c, j, state == RJ_JOIN_DONE);
    progress(c,
             state == RJ_JOIN_DONE ? "receiving"
             : j->was_connected    ? "asking"
                                   : "connecting",
             &a);
    now.ms += JOIN_LOOK_MS;
    rj_call_wake_at(c, now);
    return RJ_OK;
}

/* State of a join that knows which spaces are there already. NULL: out of memory. */
static struct join *join_new(struct rj_call *c, struct rj_node *n)
{
    struct rj_space_info info;
    size_t count = 0;
    struct join *j;

    while (rj_node_space_at(n, count) != NULL)
        count++;
    j = rj_alloc_zero(1, sizeof(*j) + count * sizeof(j->before[0]));
    for (size_t i = 0; j != NULL && i < count; i++) {
        rj_space_info(rj_node_space_at(n, i), rj_verb_now(c), &info);
        if (info.refuse != RJ_ECLOSED) /* else it comes back */
            j->before[j->n_before++] = info.id;
    }
    return j;
}

/* How the inviter is reached besides its addresses. A bad host answers the call. */
static enum rj_err set_pipe(struct rj_call *c, const struct rj_ticket *t)
{
    char host[RJ_PIPES_HOST_MAX + 1];

    if (!rj_verb_text(c, "ssh", host, sizeof(host)))
        return RJ_OK;
    return rj_verb_set_pipe(c, &t->device, host);
}

enum rj_err rj_verb_join(struct rj_call *c)
{
    struct rj_daemon *d = rj_call_daemon(c);
    struct rj_node *n = rj_verb_node(c);
    uint64_t timeout_ms = 0;
    const char *why = "";
    struct rj_ticket t;
    struct rj_bytes text;
    struct join *j;
    enum rj_err err;

    if (n == NULL || !rj_verb_need(c, "ticket", &text))
        return RJ_OK;
    if (rj_ticket_parse(text, &t, &why) != RJ_OK)
        return rj_call_error(c, RJ_EINVAL,
                             "copy the whole line that rejoin invite printed",
                             "this is no ticket: %s", why);
    j = join_new(c, n);
    if (j == NULL)
        return RJ_ENOMEM;
    rj_call_set_state(c, j, free);
    (void)rj_doc_get_uint(rj_call_args(c), "timeout_ms", &timeout_ms);
    j->inviter = t.device;
    j->instance = rj_engine_instance(d->engine);
    j->until.ms = timeout_ms > 0 ? rj_verb_now(c).mono.ms + timeout_ms : UINT64_MAX;
    j->stall.ms = rj_verb_now(c).mono.ms + JOIN_REACH_MS;
    err = set_pipe(c, &t);
    if (err == RJ_OK && !rj_call_answered(c))
        err = rj_driver_join(&d->driver, &t);
    rj_bytes_wipe(&t, sizeof(t));
    if (err == RJ_EINVAL)
        return rj_call_error(c, err, "run it on the other device",
                             "the ticket was made by this device");
    if (err == RJ_OK && !rj_call_answered(c))
        rj_call_wait(c, poll_join);
    return err;
}
