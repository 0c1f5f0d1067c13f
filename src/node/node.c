/* SPDX-License-Identifier: Apache-2.0 */
/* The engine as a function: one event in, actions out. An ordinary step does what its
 * event asks for; the flush at the end of a turn cuts own batches, sends, and hands out a
 * commit. Nothing here knows a socket, a file or a clock. */
#include "base/alloc.h"
#include "node/state.h"

#include <stdarg.h>
#include <stdio.h>

enum { RJ_CAST_STEP_MAX = 32 * 1024 * 1024 }; /* bytes of messages handed on in a step */

/* ---- actions */

static void add_action(struct rj_node *n, const struct rj_action *a)
{
    if (n->n_actions == n->cap_actions) {
        size_t cap = n->cap_actions != 0 ? n->cap_actions * 2 : 32;
        struct rj_action *list = rj_alloc_resize(n->actions, cap, sizeof(*list));

        if (list == NULL) {
            n->dead = RJ_ENOMEM;
            return;
        }
        n->actions = list;
        n->cap_actions = cap;
    }
    n->actions[n->n_actions++] = *a;
}

void rj_node_note(struct rj_node *n, enum rj_note_level level, enum rj_err err,
                  const char *format, ...)
{
    struct rj_action a = {.kind = RJ_ACT_NOTE, .level = level, .err = err};
    char text[256];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len < 0 || n->notes.len > 65536)
        return;
    if ((size_t)len >= sizeof(text))
        len = (int)sizeof(text) - 1;
    a.peer = n->notes.len; /* offset, made a view when the step ends */
    a.bytes.len = (size_t)len;
    rj_buf_append_raw(&n->notes, text, (size_t)len);
    if (!n->notes.failed)
        add_action(n, &a);
}

void rj_node_act(struct rj_node *n, const struct rj_action *a)
{
    add_action(n, a);
}

void rj_node_tell_cast(struct rj_space *s, struct rj_bytes topic, struct rj_bytes text)
{
    struct rj_node *n = s->node;
    struct rj_action a = {.kind = RJ_ACT_CAST, .space = s, .peer = n->casts.len};

    if (n->casts.len > RJ_CAST_STEP_MAX) {
        s->casts_dropped++;
        return;
    }
    a.topic.len = topic.len; /* offsets and lengths, made views when the step ends */
    a.bytes.len = text.len;
    rj_buf_append(&n->casts, topic);
    rj_buf_append(&n->casts, text);
    if (!n->casts.failed)
        add_action(n, &a);
}

enum rj_err rj_node_die(struct rj_node *n, enum rj_err err, const char *why)
{
    if (err == RJ_OK)
        return RJ_OK;
    if (n->dead == RJ_OK) {
        n->dead = err;
        (void)snprintf(n->why, sizeof(n->why), "%.100s: %s", why, rj_err_text(err));
    }
    return err;
}

const char *rj_node_why(const struct rj_node *n)
{
    return n->why;
}

/* ---- commits */

uint64_t rj_node_group(const struct rj_node *n)
{
    return n->issued + 1;
}

uint64_t rj_node_committed(const struct rj_node *n)
{
    return n->committed;
}

static bool is_dirty(const struct rj_space *s)
{
    return s->dirty || s->writer.count != s->collected_count;
}

bool rj_node_unsaved(const struct rj_node *n)
{
    size_t i;

    for (i = 0; i < n->n_spaces; i++) {
        if (is_dirty(n->spaces[i]))
            return true;
    }
    return n->invites_dirty || n->meta_dirty || n->issued != n->committed;
}

/* Whether a commit is due: at once for durability always, else after a while. */
static bool commit_is_due(struct rj_node *n, bool *durable)
{
    struct rj_mono due = rj_mono_add(n->commit_at, n->limits.commit_ms);
    bool any = n->invites_dirty || n->meta_dirty, now = n->invites_dirty || n->meta_dirty;
    uint64_t bytes = 0;
    size_t i;

    *durable = any;
    for (i = 0; i < n->n_spaces; i++) {
        struct rj_space *s = n->spaces[i];

        if (!is_dirty(s))
            continue;
        any = true;
        bytes += s->pending_log_bytes + s->writer.ops.len;
        now = now || s->durability == RJ_DURABLE_ALWAYS;
        *durable = *durable || s->durability != RJ_DURABLE_NONE ||
                   s->hold_end > s->committed_end || s->collected_count > 0;
    }
    if (!any && !n->commit_now)
        return false;
    *durable = *durable || n->commit_now;
    if (now || n->commit_now || bytes > RJ_COMMIT_BYTES || n->now.mono.ms >= due.ms)
        return true;
    rj_node_wake(n, due);
    return false;
}

static void drop_removed(struct rj_node *n)
{
    size_t i = 0, j;

    while (i < n->n_spaces) {
        if (!n->spaces[i]->removed) {
            i++;
            continue;
        }
        for (j = 0; j < n->n_sessions; j++)
            rj_session_forget_space(n->sessions[j], n->spaces[i]);
        rj_space_free(n->spaces[i]);
        n->spaces[i] = n->spaces[--n->n_spaces];
    }
}

/* Fills writes with everything that changed. */
static enum rj_err collect(struct rj_node *n)
{
    enum rj_err err = RJ_OK;
    size_t i;

    rj_writes_clear(&n->writes);
    for (i = 0; i < n->n_spaces && err == RJ_OK; i++) {
        struct rj_space *s = n->spaces[i];

        if (!is_dirty(s))
            continue;
        err = rj_space_cut(s);
        if (err != RJ_OK)
            return err;
        rj_space_truncate(s);
        err = rj_space_collect(s, &n->writes);
    }
    if (err == RJ_OK)
        err = rj_node_collect(n, &n->writes);
    return err;
}

uint64_t rj_node_sync(struct rj_node *n, bool dirty)
{
    uint64_t commit = n->issued;

    if (n->synced == commit && !dirty)
        return commit;
    if (dirty || n->committed == commit || !n->commit_durable) {
        n->commit_now = true;
        commit++;
    }
    return commit;
}

static enum rj_err issue_commit(struct rj_node *n)
{
    struct rj_action a = {.kind = RJ_ACT_COMMIT, .writes = &n->writes};
    enum rj_err err;

    if (n->committing || !commit_is_due(n, &a.durable))
        return RJ_OK;
    err = collect(n);
    if (err != RJ_OK)
        return rj_node_die(n, err, "collecting a commit");
    drop_removed(n);
    n->committing = true;
    n->commit_now = false;
    n->commit_at = n->now.mono;
    n->commit_durable = a.durable;
    a.commit = ++n->issued;
    add_action(n, &a);
    return RJ_OK;
}

static void set_full(struct rj_node *n, enum rj_err full)
{
    size_t i;

    if (n->full == full)
        return;
    n->full = full;
    rj_node_note(n, full != RJ_OK ? RJ_NOTE_ERROR : RJ_NOTE_INFO, full,
                 full != RJ_OK ? "disk-full writes=refused" : "disk-has-room");
    for (i = 0; i < n->n_spaces; i++)
        rj_space_set_refuse(n->spaces[i]);
}

/* Full disk is checked before anything is accepted. */
static enum rj_err check_room(struct rj_node *n)
{
    uint64_t room;
    enum rj_err err = n->store->ops->room(n->store, &room);

    if (err != RJ_OK)
        return rj_node_die(n, err, n->store->why);
    set_full(n, room < RJ_ROOM_MIN ? RJ_EFULL : RJ_OK);
    n->room_at = rj_mono_add(n->now.mono, RJ_ROOM_MS);
    return RJ_OK;
}

static enum rj_err on_committed(struct rj_node *n, const struct rj_event *ev)
{
    size_t i;

    if (!n->committing || ev->commit != n->issued)
        return RJ_EINVAL;
    if (ev->result == RJ_EFULL) { /* nothing changed: the same again, a little later */
        set_full(n, RJ_EFULL);
        n->committing = false;
        n->commit_at = n->now.mono;
        return RJ_OK;
    }
    if (ev->result != RJ_OK)
        return rj_node_die(n, ev->result, n->store->why);
    n->committing = false;
    n->committed = n->issued;
    if (n->commit_durable)
        n->synced = n->issued;
    if (n->writes.cap > RJ_WRITES_KEEP)
        rj_writes_done(&n->writes); /* a large one is rare: give its memory back */
    for (i = 0; i < n->n_spaces; i++)
        rj_space_committed(n->spaces[i], n->commit_durable);
    if (n->renew != 0 && n->synced >= n->renew)
        return rj_node_die(n, RJ_EFORK, "going on under a new incarnation");
    return check_room(n);
}

/* After RJ_EFULL the same writes are offered again until they fit. */
static bool retry_commit(struct rj_node *n)
{
    struct rj_action a = {.kind = RJ_ACT_COMMIT,
                          .writes = &n->writes,
                          .commit = n->issued,
                          .durable = n->commit_durable};
    struct rj_mono due = rj_mono_add(n->commit_at, n->limits.commit_ms);

    if (n->committing || n->issued == n->committed)
        return false;
    if (n->now.mono.ms < due.ms) {
        rj_node_wake(n, due);
        return true;
    }
    n->committing = true;
    n->commit_at = n->now.mono;
    add_action(n, &a);
    return true;
}

/* ---- the turn */

/* A joiner has caught up once it lacks nothing that a peer told to have. Until then the
 * target is what the peers were heard to have: how far it is, for people. */
static enum rj_err note_caught_up(struct rj_node *n, struct rj_space *s)
{
    enum rj_err err = RJ_OK;
    size_t i;

    if (!s->catching_up || !rj_space_is_whole(s))
        return RJ_OK;
    for (i = 0; err == RJ_OK && i < n->n_sessions; i++) {
        const struct rj_link *l = rj_session_link(n->sessions[i], s);

        if (l == NULL || !l->told || !l->heard)
            continue;
        if (rj_vv_covers(&s->vv, &l->received) && rj_vv_covers(&s->vv, &l->trunc))
            s->catching_up = false;
        err = rj_vv_join(&s->target, &l->received);
    }
    if (!s->catching_up)
        rj_vv_done(&s->target);
    return err;
}

/* Lets the kind drop what is due, and forget what everybody has forgotten. */
static enum rj_err expire(struct rj_node *n, struct rj_space *s)
{
    uint64_t cutoff = n->now.wall.ms - RJ_EXPIRE_GRACE_MS;
    uint64_t before = rj_bucket_count(s->bucket), next = UINT64_MAX;
    struct rj_vv settled = {0};
    enum rj_err err;

    if (n->now.wall.ms <= RJ_EXPIRE_GRACE_MS)
        return RJ_OK;
    if (n->now.mono.ms < s->expire_at.ms) {
        s->expires = s->expires || s->dirty; /* there may be something now */
        if (s->expires)
            rj_node_wake(n, s->expire_at);
        return RJ_OK;
    }
    err = rj_space_settled(s, &settled);
    if (err == RJ_OK)
        err = s->kind->ops->expire(s->kind, cutoff, RJ_EXPIRE_STEP, &settled, &next);
    rj_vv_done(&settled);
    if (s->writer.count > 0)
        rj_node_wake(n, rj_mono_add(s->cut_at, RJ_CUT_MS));
    s->dirty = s->dirty || rj_bucket_count(s->bucket) != before;
    s->expire_at = rj_mono_add(n->now.mono, next <= cutoff ? 10 : 1000);
    s->expires = next != UINT64_MAX;
    if (s->expires)
        rj_node_wake(n, s->expire_at);
    return err;
}

static enum rj_err flush_space(struct rj_node *n, struct rj_space *s)
{
    enum rj_err err = RJ_OK;

    if (s->removed)
        return RJ_OK;
    if (s->writer.count > 0 && rj_space_can_cut(s)) {
        struct rj_mono due = rj_mono_add(s->cut_at, RJ_CUT_MS);

        if (s->urgent || n->now.mono.ms >= due.ms || s->writer.count >= RJ_CUT_WRITES ||
            s->writer.ops.len >= RJ_CUT_BYTES || s->durability == RJ_DURABLE_ALWAYS)
            err = rj_space_cut(s);
        else
            rj_node_wake(n, due);
    }
    if (err == RJ_OK && s->casts.len > 0)
        err = rj_cast_flush(s);
    if (err == RJ_OK)
        err = rj_space_drain(s);
    if (err == RJ_OK)
        err = rj_transfer_consider(s);
    if (err == RJ_OK)
        err = note_caught_up(n, s);
    if (err == RJ_OK && s->uncut != RJ_ORIGIN_NONE && n->renew == 0)
        err = rj_fork_consider(s);
    if (err == RJ_OK && s->any_apart)
        rj_line_consider(s);
    if (err == RJ_OK && !rj_vv_equal(&s->durable, &s->head_vv)) {
        struct rj_mono due = rj_mono_add(s->head_at, RJ_HEAD_MS);

        if (n->now.mono.ms >= due.ms || s->head_at.ms == 0)
            err = rj_space_head(s);
        else
            rj_node_wake(n, due);
    }
    return err == RJ_OK ? expire(n, s) : err;
}

static enum rj_err close_idle_guests(struct rj_node *n)
{
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < n->n_sessions; i++) {
        struct rj_session *ss = n->sessions[i];
        struct rj_mono due = rj_mono_add(ss->since, RJ_GUEST_MS);

        if (!ss->guest && ss->hello)
            continue;
        if (n->now.mono.ms >= due.ms)
            err = rj_session_idle(n, ss);
        else
            rj_node_wake(n, due);
    }
    return err;
}

static enum rj_err flush(struct rj_node *n)
{
    enum rj_err err = RJ_OK;
    size_t i;

    if (n->full != RJ_OK) {
        if (n->now.mono.ms >= n->room_at.ms && n->issued == n->committed)
            err = check_room(n);
        rj_node_wake(n, rj_mono_add(n->now.mono, RJ_ROOM_MS));
    }
    for (i = 0; i < n->n_spaces && err == RJ_OK; i++)
        err = flush_space(n, n->spaces[i]);
    if (err == RJ_OK)
        err = close_idle_guests(n);
    for (i = 0; i < n->n_sessions && err == RJ_OK; i++) {
        err = rj_join_send(n, n->sessions[i]);
        if (err == RJ_OK)
            err = rj_session_announce(n, n->sessions[i]);
        if (err == RJ_OK)
            rj_relay_flush(n->sessions[i]);
        if (err == RJ_OK)
            err = rj_session_pump(n, n->sessions[i]);
    }
    if (err == RJ_OK && !retry_commit(n))
        err = issue_commit(n);
    return err;
}

/* Sessions' output and ends become actions; notes become views. */
static void finish_actions(struct rj_node *n, struct rj_actions *ret)
{
    size_t i;

    for (i = 0; i < n->n_sessions; i++) {
        struct rj_session *ss = n->sessions[i];
        struct rj_action a = {.peer = ss->peer, .err = ss->close_err};

        if (ss->out.len > 0) {
            a.kind = RJ_ACT_SEND;
            a.bytes = rj_buf_view(&ss->out);
            ss->sent_bytes += ss->out.len;
            add_action(n, &a);
        }
        if (ss->closing && ss->close_err != RJ_ERR_COUNT) {
            a.kind = RJ_ACT_CLOSE;
            add_action(n, &a);
            ss->close_err = RJ_ERR_COUNT; /* said once */
        }
    }
    for (i = 0; i < n->n_actions; i++) {
        struct rj_action *a = &n->actions[i];

        if (a->kind == RJ_ACT_NOTE) {
            a->bytes.ptr = n->notes.ptr + a->peer;
            a->peer = 0;
        } else if (a->kind == RJ_ACT_CAST) {
            a->topic.ptr = n->casts.ptr + a->peer;
            a->bytes.ptr = a->topic.ptr + a->topic.len;
            a->peer = 0;
        }
    }
    *ret = (struct rj_actions){
        .items = n->actions, .n = n->n_actions, .deadline = n->deadline};
}

static void begin_step(struct rj_node *n, const struct rj_event *ev)
{
    size_t i;

    n->now = ev->now;
    if (n->opened_at.ms == 0)
        n->opened_at = n->now.mono;
    n->n_actions = 0;
    rj_buf_clear(&n->notes);
    rj_buf_clear(&n->casts);
    n->deadline.ms = UINT64_MAX;
    for (i = 0; i < n->n_sessions; i++)
        rj_buf_clear(&n->sessions[i]->out);
}

enum rj_err rj_node_step(struct rj_node *n, const struct rj_event *ev,
                         struct rj_actions *ret_actions)
{
    struct rj_session *ss;
    enum rj_err err = n->dead;

    *ret_actions = (struct rj_actions){.deadline = {UINT64_MAX}};
    if (err != RJ_OK)
        return err;
    begin_step(n, ev);
    rj_clock_step(n);
    switch (ev->kind) {
    case RJ_EV_PEER_UP:
        err = rj_session_up(n, ev);
        break;
    case RJ_EV_PEER_BYTES:
        ss = rj_node_session(n, ev->peer);
        if (ss != NULL)
            err = rj_session_bytes(n, ss, ev->bytes);
        break;
    case RJ_EV_PEER_DOWN:
        rj_session_down(n, ev->peer);
        break;
    case RJ_EV_COMMITTED:
        err = on_committed(n, ev);
        break;
    case RJ_EV_TIMER:
    case RJ_EV_PEER_DRAINED:
    case RJ_EV_FLUSH:
        err = flush(n);
        break;
    }
    if (err != RJ_OK)
        return rj_node_die(n, err, "step");
    finish_actions(n, ret_actions);
    return n->dead;
}

/* ---- opening and closing */

static void apply_defaults(struct rj_limits *l)
{
    static const struct rj_limits defaults = {.log_bytes = (uint64_t)256 << 20,
                                              .parked_bytes = (uint64_t)16 << 20,
                                              .unacked_bytes = (uint64_t)4 << 20,
                                              .clock_bound_ms = 60000,
                                              .part_bytes = (uint64_t)256 << 10,
                                              .commit_ms = 500};

    l->log_bytes = l->log_bytes != 0 ? l->log_bytes : defaults.log_bytes;
    l->parked_bytes = l->parked_bytes != 0 ? l->parked_bytes : defaults.parked_bytes;
    l->unacked_bytes = l->unacked_bytes != 0 ? l->unacked_bytes : defaults.unacked_bytes;
    l->clock_bound_ms =
        l->clock_bound_ms != 0 ? l->clock_bound_ms : defaults.clock_bound_ms;
    l->part_bytes = l->part_bytes != 0 ? l->part_bytes : defaults.part_bytes;
    l->commit_ms = l->commit_ms != 0 ? l->commit_ms : defaults.commit_ms;
}

static enum rj_err prepare(struct rj_node *n, const struct rj_node_config *c)
{
    struct rj_bytes key = RJ_BYTES_OF(c->env->pubkey);
    uint8_t random[8];
    enum rj_err err;

    n->env = c->env;
    n->store = c->store;
    n->limits = c->limits;
    n->now = c->now;
    n->next_space = 1;
    apply_defaults(&n->limits);
    rj_prng_init(&n->prng, c->seed);
    if (c->name.len > RJ_NAME_MAX)
        return RJ_EINVAL;
    if (c->name.len > 0)
        memcpy(n->name, c->name.ptr, c->name.len);
    n->env->ops->hash(n->env, &key, 1, &n->device);
    n->dict = rj_alloc_array(RJ_BATCH_DICT_MAX, sizeof(*n->dict));
    if (n->dict == NULL)
        return RJ_ENOMEM;
    err = n->env->ops->random(n->env, random, sizeof(random));
    n->incarnation = rj_be_load64(random);
    return err;
}

/* Loads all, opens all spaces and commits the openings. */
static enum rj_err load_all(struct rj_node *n)
{
    struct rj_view *view = NULL;
    enum rj_err err = n->store->ops->view_open(n->store, &view);

    if (err != RJ_OK)
        return err;
    err = rj_node_load(n, view);
    n->store->ops->view_close(view);
    if (err == RJ_OK)
        err = collect(n);
    if (err == RJ_OK && n->writes.count > 0)
        err = n->store->ops->write(n->store, &n->writes, true);
    if (err == RJ_OK) {
        size_t i;

        for (i = 0; i < n->n_spaces; i++)
            rj_space_committed(n->spaces[i], true);
    }
    return err;
}

enum rj_err rj_node_open(const struct rj_node_config *config, char *why, size_t why_len,
                         struct rj_node **ret_node)
{
    struct rj_node *n;
    enum rj_err err;

    if (config->size != sizeof(*config))
        return RJ_EINVAL;
    n = rj_alloc_zero(1, sizeof(*n));
    if (n == NULL)
        return RJ_ENOMEM;
    err = prepare(n, config);
    if (err == RJ_OK)
        err = load_all(n);
    if (err == RJ_OK)
        err = check_room(n);
    if (err != RJ_OK) {
        if (why != NULL && why_len > 0)
            (void)snprintf(why, why_len, "%s",
                           n->why[0] != '\0'            ? n->why
                           : config->store->why[0] != 0 ? config->store->why
                                                        : rj_err_text(err));
        rj_node_close(n);
        return err;
    }
    *ret_node = n;
    return RJ_OK;
}

void rj_node_close(struct rj_node *n)
{
    size_t i, j;

    if (n == NULL)
        return;
    for (i = 0; i < n->n_sessions; i++)
        rj_session_free(n->sessions[i]);
    free(n->sessions);
    n->n_sessions = 0;
    for (i = 0; i < n->n_spaces; i++)
        rj_space_free(n->spaces[i]);
    free(n->spaces);
    for (i = 0; i < n->n_devices; i++) {
        for (j = 0; j < n->devices[i].n_addresses; j++)
            free(n->devices[i].addresses[j]);
    }
    free(n->devices);
    for (i = 0; i < n->n_addresses; i++)
        free(n->addresses[i]);
    for (i = 0; i < n->n_invites; i++)
        free(n->invites[i].spaces);
    free(n->invites);
    rj_writes_done(&n->writes);
    free(n->actions);
    rj_buf_done(&n->notes);
    rj_buf_done(&n->casts);
    rj_buf_done(&n->scratch);
    free(n->dict);
    free(n);
}
