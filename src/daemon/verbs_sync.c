/* SPDX-License-Identifier: Apache-2.0 */
/* Verb sync: waits until every reachable member has durably what this node had written
 * when it was asked. Whoever is wanted and not there is dialled at once; a member counts
 * as not reachable when all its addresses were tried in vain since. */
#include "base/alloc.h"
#include "daemon/verb.h"

#include <stdio.h>

enum { SYNC_TIMEOUT_MS = 30000, SYNC_LOOK_MS = 100, NAMES_MAX = 400 };

struct mark {
    char name[RJ_NAME_MAX + 1];
    uint64_t mark;
};

struct sync {
    struct rj_mono until;
    uint64_t instance;
    uint64_t dials;
    bool only, wait; /* one device; also for those that are not reachable */
    struct rj_digest device;
    size_t n;
    struct mark marks[];
};

/* What a look at all members gave. */
struct look {
    size_t others, reachable, behind;
    uint64_t writes;               /* that are not durable somewhere reachable */
    uint64_t unsent;               /* of these, not even received */
    bool undecided;                /* connected, but not yet heard of */
    char removed[RJ_NAME_MAX + 1]; /* a space in which this device was closed */
    char unreachable[NAMES_MAX];
    char late[NAMES_MAX];
};

static void add_name(char *list, const char *name)
{
    size_t len = strlen(list);

    if (strstr(list, name) == NULL)
        (void)snprintf(list + len, NAMES_MAX - len, "%s%s", len > 0 ? ", " : "", name);
}

static void look_at_member(struct look *l, const struct rj_peers *peers,
                           const struct rj_member_info *m, uint64_t since)
{
    uint64_t missing = m->lag_durable > since ? m->lag_durable - since : 0;

    l->others++;
    if (!m->connected) {
        if (rj_peers_connected(peers, &m->device))
            l->undecided = true;
        else
            add_name(l->unreachable, m->name);
        return;
    }
    l->reachable++;
    if (missing == 0)
        return;
    l->behind++;
    l->writes += missing;
    l->unsent += m->lag > since ? m->lag - since : 0;
    add_name(l->late, m->name);
}

static void look_at(struct rj_call *c, struct look *l)
{
    const struct sync *y = rj_call_state(c);
    struct rj_daemon *d = rj_call_daemon(c);
    struct rj_node *n = rj_engine_node(d->engine);
    struct rj_member_info m;

    for (size_t i = 0; i < y->n; i++) {
        struct rj_space *s = rj_node_space(n, rj_bytes_from_str(y->marks[i].name));
        uint64_t now_mark = s != NULL ? rj_space_mark(s) : 0;

        for (size_t k = 0; s != NULL && rj_space_member(s, k, &m); k++) {
            uint64_t since = now_mark - y->marks[i].mark;

            if (m.self && m.closed)
                (void)snprintf(l->removed, sizeof(l->removed), "%s", y->marks[i].name);
            if (m.self || m.closed || m.role == RJ_ROLE_NONE ||
                (y->only && memcmp(m.device.b, y->device.b, RJ_DIGEST_LEN) != 0))
                continue;
            look_at_member(l, d->peers, &m, since);
        }
        if (s != NULL && !rj_space_durable_here(s, y->marks[i].mark))
            l->undecided = true;
    }
}

static enum rj_err answer(struct rj_call *c, const struct look *l)
{
    struct rj_doc *doc = rj_call_doc(c);

    rj_doc_map(doc);
    rj_doc_put_uint(doc, "members", l->others);
    rj_doc_put_uint(doc, "reached", l->reachable);
    rj_doc_put_str(doc, "unreachable", l->unreachable);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_RESULT);
    return RJ_OK;
}

static void progress(struct rj_call *c, const struct look *l)
{
    struct rj_doc *doc;

    if (!rj_call_progress_due(c))
        return;
    doc = rj_call_doc(c);
    rj_doc_map(doc);
    rj_doc_put_str(doc, "phase", l->reachable > 0 ? "syncing" : "connecting");
    rj_doc_put_uint(doc, "behind", l->behind);
    rj_doc_put_uint(doc, "writes", l->writes);
    rj_doc_put_uint(doc, "unsent", l->unsent);
    rj_doc_put_uint(doc, "reached", l->reachable);
    rj_doc_end(doc);
    rj_call_reply(c, RJ_MESSAGE_PROGRESS);
}

static enum rj_err poll_sync(struct rj_call *c)
{
    struct sync *y = rj_call_state(c);
    struct rj_daemon *d = rj_call_daemon(c);
    struct rj_mono now = rj_verb_now(c).mono;
    struct look l = {0};
    bool tried;

    if (rj_verb_node(c) == NULL)
        return RJ_OK;
    if (rj_engine_instance(d->engine) != y->instance)
        return rj_call_error(c, RJ_EBUSY, "rejoin sync", "the engine was restarted");
    look_at(c, &l);
    if (l.removed[0] != '\0')
        return rj_verb_removed(c, l.removed);
    tried = rj_peers_tried(d->peers, y->dials);
    if (tried && !l.undecided && l.behind == 0 &&
        (!y->wait || l.unreachable[0] == '\0')) {
        if (l.reachable > 0 || l.others == 0)
            return answer(c, &l);
        return rj_call_error(c, RJ_EUNREACH, "rejoin status",
                             "no other member is reachable: %s", l.unreachable);
    }
    if (now.ms >= y->until.ms) {
        if (l.reachable == 0 && !l.undecided && l.others > 0)
            return rj_call_error(c, RJ_EUNREACH, "rejoin status",
                                 "no other member is reachable: %s", l.unreachable);
        return rj_call_error(c, RJ_ETIMEOUT, "rejoin status",
                             "not yet in sync: %llu writes are missing at %s",
                             (unsigned long long)l.writes,
                             l.late[0] != '\0'          ? l.late
                             : l.unreachable[0] != '\0' ? l.unreachable
                                                        : "a peer");
    }
    progress(c, &l);
    now.ms += SYNC_LOOK_MS;
    rj_call_wake_at(c, now.ms < y->until.ms ? now : y->until);
    return RJ_OK;
}

static void put_mark(struct sync *y, struct rj_space *s)
{
    struct mark *m = &y->marks[y->n++];

    (void)snprintf(m->name, sizeof(m->name), "%s", rj_space_name(s));
    m->mark = rj_space_mark(s);
    rj_space_hurry(s);
}

enum rj_err rj_verb_sync(struct rj_call *c)
{
    struct rj_daemon *d = rj_call_daemon(c);
    struct rj_node *n = rj_verb_node(c);
    struct rj_space *only = NULL, *s;
    struct rj_verb_device device;
    uint64_t timeout_ms = SYNC_TIMEOUT_MS;
    struct rj_bytes word;
    struct sync *y;
    size_t count = 0;

    if (n == NULL)
        return RJ_OK;
    if (rj_doc_get_text(rj_call_args(c), "name", &word)) {
        only = rj_verb_space(c, n);
        if (only == NULL)
            return RJ_OK;
    }
    while (rj_node_space_at(n, count) != NULL)
        count++;
    y = rj_alloc_zero(1, sizeof(*y) + count * sizeof(y->marks[0]));
    if (y == NULL)
        return RJ_ENOMEM;
    rj_call_set_state(c, y, free);
    if (rj_doc_get_text(rj_call_args(c), "peer", &word)) {
        if (!rj_verb_device(c, n, &device))
            return RJ_OK;
        y->only = true;
        y->device = device.device;
    }
    (void)rj_doc_get_uint(rj_call_args(c), "timeout_ms", &timeout_ms);
    (void)rj_doc_get_bool(rj_call_args(c), "wait", &y->wait);
    for (size_t i = 0; i < count && (s = rj_node_space_at(n, i)) != NULL; i++) {
        if (only == NULL || s == only)
            put_mark(y, s);
    }
    y->until.ms = rj_verb_now(c).mono.ms + timeout_ms;
    y->instance = rj_engine_instance(d->engine);
    y->dials = rj_peers_dial_now(d->peers);
    rj_engine_touch(d->engine);
    rj_call_wait(c, poll_sync);
    return RJ_OK;
}
