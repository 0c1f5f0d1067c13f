/* SPDX-License-Identifier: Apache-2.0 */
/* State transfer (R5), for who is behind the log of a peer. The positions are taken over
 * piece by piece; each range has its own context. A part brings the keys that have a dot
 * which the asking side lacks, and the sum over the dots of all other keys of its range
 * at the vector S at which it was read. Where the asking side's sum over those keys is
 * another, keys were removed: then nothing is taken, and the range is asked for again in
 * sixteen, in the end key by key. So removed things stay removed without tombstones, and
 * cost follows the difference. Nothing foreign is applied while parts are under way; what
 * comes meanwhile is parked or pulled again. The announced vector is the minimum over all
 * ranges. */
#include "base/alloc.h"
#include "node/frame.h"
#include "node/state.h"

enum { SPLIT = 16 };

void rj_transfer_stop(struct rj_space *s)
{
    struct rj_transfer *t = &s->transfer;
    size_t i;

    for (i = 0; i < t->n; i++)
        rj_vv_done(&t->pieces[i].have);
    rj_line_forget_told(s);
    t->n = 0;
    t->active = false;
    t->session = 0;
    t->request = 0;
    t->meta_done = false;
}

/* The next attempt is made after about ms, with jitter, so that nodes that wait for each
 * other do not stay in step. */
static void hold_off(struct rj_space *s, uint64_t ms)
{
    struct rj_node *n = s->node;

    s->transfer.again_at = rj_mono_add(n->now.mono, ms + rj_prng_below(&n->prng, ms));
    rj_node_wake(n, s->transfer.again_at);
}

bool rj_transfer_is_asked(const struct rj_space *s, const struct rj_session *ss,
                          uint64_t request)
{
    const struct rj_transfer *t = &s->transfer;

    return t->active && t->session == ss->peer && t->request == request && t->n > 0;
}

void rj_transfer_busy(struct rj_space *s)
{
    rj_transfer_stop(s);
    s->pull_turn++;
    hold_off(s, RJ_BUSY_MS);
    s->transfer.not_before = s->transfer.again_at;
}

void rj_transfer_session_down(struct rj_space *s, uint64_t session)
{
    if (s->transfer.session == session)
        rj_transfer_stop(s);
}

/* Pushes a range with a copy of have (joined with also, when given). */
static enum rj_err push(struct rj_transfer *t, struct rj_range range,
                        const struct rj_vv *have, const struct rj_vv *also, bool full)
{
    struct rj_piece p = {.range = range, .full = full};
    enum rj_err err;

    if (t->n >= RJ_TRANSFER_QUEUE_MAX)
        return RJ_ELIMIT;
    if (t->n == t->cap) {
        size_t cap = t->cap != 0 ? t->cap * 2 : 16;
        struct rj_piece *pieces = rj_alloc_resize(t->pieces, cap, sizeof(*pieces));

        if (pieces == NULL)
            return RJ_ENOMEM;
        t->pieces = pieces;
        t->cap = cap;
    }
    err = rj_vv_copy(&p.have, have);
    if (err == RJ_OK && also != NULL)
        err = rj_vv_join(&p.have, also);
    if (err != RJ_OK) {
        rj_vv_done(&p.have);
        return err;
    }
    t->pieces[t->n++] = p;
    return RJ_OK;
}

/* ---- the asking side */

/* Asks for the top piece. */
static enum rj_err ask(struct rj_space *s, struct rj_session *ss, struct rj_link *l)
{
    struct rj_transfer *t = &s->transfer;
    const struct rj_piece *p = &t->pieces[t->n - 1];
    enum rj_err err = t->meta_done ? RJ_OK : rj_line_put(ss, l);
    size_t at;

    if (err != RJ_OK)
        return err;
    at = rj_frame_begin(&ss->out, RJ_FRAME_TAKE, 7);
    t->request = ++s->node->next_request;
    t->deadline = rj_mono_add(s->node->now.mono, RJ_TRANSFER_MS);
    rj_node_wake(s->node, t->deadline);
    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_cbor_put_uint(&ss->out, t->request);
    rj_cbor_put_uint(&ss->out, p->range.from);
    rj_cbor_put_uint(&ss->out, p->range.to);
    rj_cbor_put_bool(&ss->out, p->full);
    rj_cbor_put_bool(&ss->out, !t->meta_done);
    rj_vv_encode(&ss->out, &s->origins, &p->have);
    rj_frame_end(&ss->out, at);
    return rj_buf_err(&ss->out);
}

/* The parts that this link can give: of ranges that lack something; when they are to be
 * renewed, of those that show what the peer lacks. */
static enum rj_err push_ranges(struct rj_space *s, const struct rj_link *l, bool renew)
{
    struct rj_transfer *t = &s->transfer;
    const struct rj_vv none = {0};
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < s->contexts->n; i++) {
        const struct rj_context *c = &s->contexts->items[i];

        if (renew && !rj_vv_covers(&l->received, &c->have)) {
            err = push(t, c->range, &none, NULL, true);
            if (err == RJ_OK)
                t->pieces[t->n - 1].renew = true;
        } else if (!renew && (l->trunc_unknown || !rj_vv_covers(&c->have, &t->need))) {
            err = push(t, c->range, &c->have, NULL, false);
        }
    }
    return err;
}

static enum rj_err begin(struct rj_space *s, struct rj_session *ss, struct rj_link *l,
                         bool renew)
{
    struct rj_transfer *t = &s->transfer;
    enum rj_err err = rj_space_cut(s);
    size_t i;

    if (err == RJ_OK && (s->writer.atomic || s->torn))
        return RJ_OK; /* inside an atomic group: later; or at the next open */
    if (err == RJ_OK && s->contexts == NULL) {
        s->contexts = rj_alloc_zero(1, sizeof(*s->contexts));
        if (s->contexts == NULL)
            return RJ_ENOMEM;
        err = rj_contexts_init(s->contexts, &s->vv);
        if (err != RJ_OK) {
            free(s->contexts);
            s->contexts = NULL;
        }
    }
    if (err == RJ_OK)
        err = rj_vv_copy(&t->need, &l->trunc);
    for (i = 0; err == RJ_OK && i < s->contexts->n; i++)
        err = rj_vv_join(&t->need, &s->contexts->items[i].have);
    if (err == RJ_OK)
        err = push_ranges(s, l, renew);
    if (err != RJ_OK || t->n == 0)
        return err;
    rj_space_set_refuse(s);
    t->active = true;
    t->session = ss->peer;
    s->dirty = true;
    rj_node_note(s->node, RJ_NOTE_INFO, RJ_OK, "%s space=%s from=%s",
                 renew ? "transfer-renewed" : "transfer-begin", s->name, ss->name);
    return ask(s, ss, l);
}

/* The unsealed writes, as a batch. */
static struct rj_batch_view pending_view(const struct rj_space *s)
{
    const struct rj_writer *w = &s->writer;

    return (struct rj_batch_view){.origin = s->self,
                                  .first = w->first,
                                  .count = w->count,
                                  .stamp = w->stamp,
                                  .dict = w->dict,
                                  .dict_n = w->dict_n,
                                  .ops = rj_buf_view(&w->ops)};
}

/* All ranges have one vector: the node is whole again. */
static enum rj_err finish(struct rj_space *s)
{
    rj_contexts_done(s->contexts);
    free(s->contexts);
    s->contexts = NULL;
    s->dirty = true;
    rj_space_set_refuse(s);
    rj_node_note(s->node, RJ_NOTE_INFO, RJ_OK, "transfer-done space=%s keys=%llu",
                 s->name, (unsigned long long)rj_bucket_count(s->bucket));
    return rj_space_overtaken(s);
}

void rj_link_pull(struct rj_session *ss, struct rj_link *l)
{
    size_t at = rj_frame_begin(&ss->out, RJ_FRAME_PULL, 2);

    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_vv_encode(&ss->out, &l->space->origins, &l->space->vv);
    rj_frame_end(&ss->out, at);
    l->space->pulls++;
}

/* Every piece is there: what remains comes from logs. */
static enum rj_err end_pieces(struct rj_space *s, struct rj_session *ss,
                              struct rj_link *l)
{
    struct rj_vv min = {0};
    enum rj_err err;
    uint32_t o;

    rj_transfer_stop(s);
    l->trunc_unknown = false;
    rj_contexts_compact(s->contexts);
    err = rj_contexts_min(s->contexts, &min);
    for (o = 0; err == RJ_OK && o < min.n; o++) {
        if (min.seq[o] > rj_vv_get(&s->vv, o)) /* the log has a hole up to there */
            err = rj_vv_put(&s->trunc, o, min.seq[o]);
    }
    if (err == RJ_OK)
        err = rj_vv_copy(&s->vv, &min);
    rj_vv_done(&min);
    if (err != RJ_OK)
        return err;
    s->dirty = true;
    rj_space_set_refuse(s);
    s->transfer.deadline = rj_mono_add(s->node->now.mono, RJ_PULL_MS);
    hold_off(s, RJ_AGAIN_MS);
    if (rj_contexts_are_equal(s->contexts))
        err = finish(s);
    rj_link_pull(ss, l);
    return err == RJ_OK ? rj_space_drain(s) : err;
}

/* The next link, in turn, that could answer a pull. */
static struct rj_link *next_link(struct rj_space *s, struct rj_session **ret_ss)
{
    struct rj_node *n = s->node;
    size_t i;

    for (i = 0; i < n->n_sessions; i++) {
        struct rj_session *ss = n->sessions[(s->pull_turn + i) % n->n_sessions];
        struct rj_link *l = rj_session_link(ss, s);

        if (l != NULL && l->told && l->heard && !l->apart && !ss->closing) {
            s->pull_turn = (uint32_t)((s->pull_turn + i + 1) % n->n_sessions);
            *ret_ss = ss;
            return l;
        }
    }
    return NULL;
}

/* Who brought it is apart: what it waits for is of the other branch. */
static bool is_from_apart(const struct rj_space *s, const struct rj_parked *p)
{
    struct rj_session *ss = rj_node_session(s->node, p->session);
    const struct rj_link *l = ss != NULL ? rj_session_link(ss, s) : NULL;

    return l != NULL && l->apart;
}

/* Some parked batch waits for others, and not because its origin was closed. */
static bool has_gap(const struct rj_space *s)
{
    const struct rj_map_node *node;

    for (node = rj_map_first(&s->parked); node != NULL; node = rj_map_next(node)) {
        const struct rj_parked *p = RJ_MAP_ENTRY_CONST(node, struct rj_parked, node);
        struct rj_origin_id id;
        uint32_t o;

        memcpy(id.b, p->key, sizeof(id.b));
        o = rj_origins_find(&s->origins, &id);
        if ((o == RJ_ORIGIN_NONE || !s->os[o].closed) && !is_from_apart(s, p))
            return true;
    }
    return false;
}

/* Asks for what parked batches wait for, and for what unequal ranges lack. */
static void consider_pull(struct rj_space *s)
{
    struct rj_node *n = s->node;
    bool unequal = s->contexts != NULL && n->now.mono.ms >= s->transfer.deadline.ms;
    bool parked = n->now.mono.ms >= s->pull_at.ms;
    struct rj_session *ss;
    struct rj_link *l;

    if (s->contexts != NULL)
        rj_node_wake(n, rj_mono_add(n->now.mono, RJ_PULL_MS));
    else if (s->pull_at.ms != UINT64_MAX && !parked)
        rj_node_wake(n, s->pull_at);
    if (!unequal && !parked)
        return;
    if (!unequal && !has_gap(s)) {
        s->pull_at.ms = UINT64_MAX;
        return;
    }
    l = next_link(s, &ss);
    if (l != NULL)
        rj_link_pull(ss, l);
    s->pull_wait_ms =
        s->pull_wait_ms < RJ_PULL_MAX_MS / 2 ? 2 * s->pull_wait_ms : RJ_PULL_MAX_MS;
    s->transfer.deadline = rj_mono_add(n->now.mono, s->pull_wait_ms);
    s->pull_at.ms = UINT64_MAX;
    if (s->parked.count > 0) {
        s->pull_at = rj_mono_add(n->now.mono, s->pull_wait_ms);
        rj_node_wake(n, s->pull_at);
    }
}

/* Whether the log of that peer begins after what this node has. */
static bool may_take(const struct rj_space *s, const struct rj_session *ss,
                     const struct rj_link *l)
{
    return l->told && l->heard && !l->apart && !ss->closing &&
           (l->trunc_unknown || !rj_vv_covers(&s->vv, &l->trunc));
}

/* Whether a range has what neither the other ranges nor the peer have. */
static bool is_beyond(const struct rj_space *s, const struct rj_vv *have,
                      const struct rj_vv *peer)
{
    uint32_t o;

    for (o = 0; o < have->n; o++) {
        if (!rj_vv_has(&s->vv, o, have->seq[o]) && !rj_vv_has(peer, o, have->seq[o]))
            return true;
    }
    return false;
}

/* Some range shows what no peer has, though there are peers: its holder lost it, or is
 * away. */
static bool is_stranded(const struct rj_space *s)
{
    struct rj_node *n = s->node;
    bool any = false;
    size_t i, j;

    for (i = 0; i < n->n_sessions; i++) {
        const struct rj_link *l = rj_session_link(n->sessions[i], s);
        bool lacks = false;

        if (l == NULL || !l->told || !l->heard || n->sessions[i]->closing)
            continue;
        any = true;
        for (j = 0; !lacks && j < s->contexts->n; j++)
            lacks = is_beyond(s, &s->contexts->items[j].have, &l->received);
        if (!lacks)
            return false;
    }
    return any;
}

/* Whether what this node wrote names nothing that only it has seen, beside the peer: such
 * writes could be sent to nobody once their ranges are taken afresh. */
static bool own_writes_fit(struct rj_space *s, const struct rj_vv *peer)
{
    struct rj_batch_view view = pending_view(s);
    struct rj_vv have = {0};
    bool fit = rj_vv_copy(&have, peer) == RJ_OK && rj_vv_join(&have, &s->vv) == RJ_OK;

    view.have = &have;
    fit = fit && !is_beyond(s, &s->deps, peer) &&
          (view.count == 0 || s->kind->ops->check(s->kind, &view) == RJ_OK);
    rj_vv_done(&have);
    return fit;
}

/* What unequal ranges lack may lie in no log any more: then in turn each peer is asked
 * for the ranges themselves. Ranges that show what no peer has, after a while, are taken
 * afresh, and what they show goes: it is a part of a state that was never whole here, and
 * should its holder come back, it comes again. */
static enum rj_err take_again(struct rj_space *s)
{
    struct rj_node *n = s->node;
    struct rj_session *ss;
    struct rj_link *l;
    bool renew;

    if (n->now.mono.ms < s->transfer.again_at.ms) {
        rj_node_wake(n, s->transfer.again_at);
        return RJ_OK;
    }
    hold_off(s, RJ_AGAIN_MS);
    if (s->transfer.progress_at.ms == 0)
        s->transfer.progress_at = n->now.mono;
    l = next_link(s, &ss);
    if (l == NULL)
        return RJ_OK;
    renew = n->now.mono.ms >= rj_mono_add(s->transfer.progress_at, RJ_STRANDED_MS).ms &&
            is_stranded(s) && rj_vv_covers(&l->received, &s->trunc) &&
            own_writes_fit(s, &l->received);
    return begin(s, ss, l, renew);
}

enum rj_err rj_transfer_consider(struct rj_space *s)
{
    struct rj_node *n = s->node;
    enum rj_err err = RJ_OK;
    size_t i;

    if (s->transfer.active) {
        if (n->now.mono.ms < s->transfer.deadline.ms) {
            rj_node_wake(n, s->transfer.deadline);
            return RJ_OK;
        }
        rj_transfer_stop(s);
        s->pull_turn++;
    }
    if (s->contexts != NULL && rj_contexts_are_equal(s->contexts))
        err = finish(s);
    if (err != RJ_OK)
        return err;
    for (i = 0; n->now.mono.ms >= s->transfer.not_before.ms && i < n->n_sessions; i++) {
        struct rj_session *ss = n->sessions[(i + s->pull_turn) % n->n_sessions];
        struct rj_link *l = rj_session_link(ss, s);

        if (l != NULL && may_take(s, ss, l)) {
            err = begin(s, ss, l, false);
            if (err != RJ_OK || s->transfer.active)
                return err;
        }
    }
    consider_pull(s);
    return s->contexts != NULL ? take_again(s) : RJ_OK;
}

/* ---- the holder's side: also a node that takes over itself may serve a range, at that
 * range's own vector; else three that need each other's state would wait for ever. One
 * with unsealed writes may not, since what they overwrite is gone here and nobody else
 * has them. A part leaves once
 * what it shows is on disk, at every durability level: a joiner that held in one range
 * what the holder then lost would never be whole again. */

/* Sum over the keys of a range that are not in a part made of it. */
static enum rj_err sum_rest(struct rj_space *s, struct rj_range range,
                            const struct rj_writer *part, uint64_t cutoff_ms,
                            struct rj_sum *ret)
{
    struct rj_batch_view view = {.count = part->count,
                                 .dict = part->dict,
                                 .dict_n = part->dict_n,
                                 .ops = rj_buf_view(&part->ops)};
    const struct rj_given given = {.range = range, .part = &view};
    struct rj_sum sent;
    enum rj_err err = s->kind->ops->sum_part(s->kind, &given, NULL, cutoff_ms, &sent);

    if (err == RJ_OK) {
        s->kind->ops->sum(s->kind, range, NULL, cutoff_ms, ret);
        rj_sum_subtract(ret, &sent);
    }
    return err;
}

static void put_busy(struct rj_session *ss, const struct rj_link *l, uint64_t request)
{
    size_t at = rj_frame_begin(&ss->out, RJ_FRAME_BUSY, 2);

    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_cbor_put_uint(&ss->out, request);
    rj_frame_end(&ss->out, at);
}

static enum rj_err put_give(struct rj_session *ss, struct rj_link *l, uint64_t request,
                            const struct rj_give *g, const struct rj_context *c)
{
    struct rj_space *s = l->space;
    struct rj_writer part = {.dict_max = RJ_ORIGINS_MAX,
                             .ops = {.limit = RJ_GIVE_MAX - RJ_FRAME_MAX}};
    struct rj_buf b = {0};
    struct rj_sum sum;
    uint64_t end, keys;
    enum rj_err err = s->kind->ops->give(s->kind, g, &part, &end, &keys);

    if (err != RJ_OK)
        goto out;
    err = sum_rest(s, (struct rj_range){g->range.from, end}, &part, g->cutoff_ms, &sum);
    if (err != RJ_OK)
        goto out;
    rj_frame_payload(&b, RJ_FRAME_GIVE, RJ_GIVE_FIELDS);
    rj_cbor_put_uint(&b, l->number_here);
    rj_cbor_put_uint(&b, request);
    rj_cbor_put_uint(&b, g->range.from);
    rj_cbor_put_uint(&b, end);
    rj_cbor_put_bool(&b, g->full);
    rj_cbor_put_bool(&b, s->contexts == NULL);
    rj_vv_encode(&b, &s->origins, &c->have);
    rj_dict_put(&b, &s->origins, part.dict, part.dict_n);
    rj_cbor_put_bytes(&b, rj_buf_view(&part.ops));
    rj_cbor_put_uint(&b, part.count);
    rj_cbor_put_uint(&b, keys);
    rj_cbor_put_uint(&b, g->cutoff_ms);
    rj_cbor_put_uint(&b, sum.hi);
    rj_cbor_put_uint(&b, sum.lo);
    err = rj_buf_err(&b);
    if (err == RJ_OK)
        rj_frame_put_long(&ss->out, rj_buf_view(&b));
    if (err == RJ_OK)
        err = rj_buf_err(&ss->out);
out:
    if (err == RJ_ELIMIT) { /* concurrent writes made more of one key than one may hold */
        rj_node_note(s->node, RJ_NOTE_ERROR, err, "too-large-to-give space=%s", s->name);
        put_busy(ss, l, request);
        err = RJ_OK;
    }
    if (err != RJ_OK)
        err = rj_node_die(s->node, err, s->kind->why);
    rj_buf_done(&b);
    rj_buf_done(&part.ops);
    free(part.dict);
    return err;
}

enum rj_err rj_transfer_on_take(struct rj_node *n, struct rj_session *ss,
                                struct rj_link *l, struct rj_reader *r)
{
    struct rj_space *s = l->space;
    struct rj_give g = {.budget_bytes = (size_t)n->limits.part_bytes};
    struct rj_vv have = {0}, peer = {0};
    uint64_t request = rj_cbor_get_uint(r);
    size_t at;
    struct rj_context whole = {.range = {0, UINT64_MAX}};
    const struct rj_context *c;
    bool meta;
    enum rj_err err;

    g.range.from = rj_cbor_get_uint(r);
    g.range.to = rj_cbor_get_uint(r);
    g.full = rj_cbor_get_bool(r);
    meta = rj_cbor_get_bool(r);
    if (r->failed || g.range.from > g.range.to)
        return RJ_EPROTO;
    err = rj_line_put(ss, l); /* which it judges before it takes anything */
    at = ss->out.len;
    if (err == RJ_OK)
        err = rj_vv_decode(r, &s->origins, &have, NULL);
    if (err == RJ_OK)
        err = rj_vv_copy(&peer, &l->received);
    if (err == RJ_OK)
        err = rj_vv_join(&peer, &have);
    if (err == RJ_OK)
        err = rj_space_cut_early(s, &peer);
    if (err != RJ_OK)
        goto out;
    if (s->writer.count > 0 || l->apart) {
        put_busy(ss, l, request);
        goto out;
    }
    if (meta || l->meta_batches != s->n_member_batches + s->origins.n)
        rj_meta_put(ss, l, request); /* no part vouches for records that were not sent,
                                      * or names branches that were not; nor goes it
                                      * beyond where chains were said to stand */
    else
        rj_meta_put_moved(ss, l, request);
    whole.have = s->vv; /* borrowed */
    c = s->contexts != NULL ? rj_contexts_at(s->contexts, g.range.from) : &whole;
    if (c->range.to < g.range.to)
        g.range.to = c->range.to;
    g.have = &have;
    g.cutoff_ms = rj_sum_cutoff(n->now.wall);
    err = put_give(ss, l, request, &g, c);
    l->held_commit = rj_node_sync(n, s->dirty);
    if (err == RJ_OK && l->held_commit > n->synced) {
        rj_buf_clear(&l->held); /* of a request that was given up */
        rj_buf_append_raw(&l->held, ss->out.ptr + at, ss->out.len - at);
        rj_buf_truncate(&ss->out, at);
        err = rj_buf_err(&l->held);
    }
out:
    rj_vv_done(&have);
    rj_vv_done(&peer);
    return err;
}

/* ---- GIVE */

struct part {
    struct rj_range range;
    struct rj_vv S;
    struct rj_batch_view view;
    uint32_t *dict; /* owned */
    uint64_t keys, cutoff_ms;
    struct rj_sum sum;
    bool full;
    bool whole; /* the holder is */
};

static enum rj_err get_part(struct rj_space *s, struct rj_reader *r, struct part *p)
{
    size_t unknown = 0;
    uint64_t count;
    enum rj_err err;

    p->range.from = rj_cbor_get_uint(r);
    p->range.to = rj_cbor_get_uint(r);
    p->full = rj_cbor_get_bool(r);
    p->whole = rj_cbor_get_bool(r);
    if (r->failed || p->range.from > p->range.to)
        return RJ_EPROTO;
    err = rj_vv_decode(r, &s->origins, &p->S, &unknown);
    if (err == RJ_OK && unknown > 0)
        err = RJ_EGAP;
    if (err == RJ_OK)
        err = rj_dict_take(r, &s->origins, &p->dict, &p->view.dict_n);
    p->view.dict = p->dict;
    if (err != RJ_OK)
        return err;
    p->view.ops = rj_cbor_get_bytes(r);
    count = rj_cbor_get_uint(r);
    p->keys = rj_cbor_get_uint(r);
    p->cutoff_ms = rj_cbor_get_uint(r);
    p->sum.hi = rj_cbor_get_uint(r);
    p->sum.lo = rj_cbor_get_uint(r);
    if (!rj_reader_complete(r) || count > UINT32_MAX)
        return RJ_EPROTO;
    p->view.count = (uint32_t)count;
    p->view.origin = s->self;
    return RJ_OK;
}

static bool within_limits(const struct rj_space *s, const struct rj_vv *S)
{
    uint32_t o;

    for (o = 0; o < S->n; o++) {
        if (S->seq[o] != 0 && !rj_space_allows(s, o, S->seq[o]))
            return false;
    }
    return true;
}

/* The range differs in keys that have nothing newer: something was removed at the holder,
 * or here. */
static enum rj_err push_finer(struct rj_transfer *t, const struct part *p,
                              const struct rj_vv *have)
{
    uint64_t from = p->range.from, width = (p->range.to - from) / SPLIT;
    enum rj_err err = RJ_OK;
    int i;

    if (p->keys <= RJ_TRANSFER_LEAF || width == 0)
        return push(t, p->range, have, NULL, true);
    for (i = 0; i < SPLIT && err == RJ_OK; i++) {
        uint64_t to = i == SPLIT - 1 ? p->range.to : from + width - 1;

        err = push(t, (struct rj_range){from, to}, have, NULL, false);
        from = to + 1;
    }
    return err;
}

/* A part was taken that was read at S. */
static void note_taken(struct rj_space *s, const struct rj_vv *S)
{
    uint32_t o;

    for (o = 0; o < S->n; o++) {
        if (S->seq[o] <= s->os[o].taken || rj_vv_has(&s->vv, o, S->seq[o]))
            continue;
        s->os[o].taken = S->seq[o];
        s->os[o].dirty = true;
    }
}

/* The range is whole up to S now. */
static enum rj_err settle(struct rj_space *s, const struct part *p)
{
    enum rj_err err = rj_contexts_split(s->contexts, p->range);

    if (err == RJ_OK)
        err = rj_line_adopt(s);
    note_taken(s, &p->S);
    if (err == RJ_OK &&
        !rj_vv_covers(&rj_contexts_at(s->contexts, p->range.from)->have, &p->S))
        s->transfer.progress_at = s->node->now.mono;
    if (err == RJ_OK)
        err = rj_contexts_join(s->contexts, p->range, &p->S);
    s->dirty = true;
    return err;
}

/* Whether all is equal in the range but for the keys that the part brings. */
static enum rj_err rest_is_equal(struct rj_space *s, const struct part *p,
                                 bool *ret_equal)
{
    const struct rj_given given = {.range = p->range, .part = &p->view};
    struct rj_sum mine, brought;
    enum rj_err err =
        s->kind->ops->sum_part(s->kind, &given, &p->S, p->cutoff_ms, &brought);

    if (err != RJ_OK)
        return err;
    s->kind->ops->sum(s->kind, p->range, &p->S, p->cutoff_ms, &mine);
    rj_sum_subtract(&mine, &brought);
    *ret_equal = mine.lo == p->sum.lo && mine.hi == p->sum.hi;
    return RJ_OK;
}

/* A part of a range that shows what the holder lacks: all that is not in the part goes,
 * but for own unsealed writes and what the log brings again. */
static enum rj_err renew_range(struct rj_space *s, const struct part *p)
{
    const struct rj_given given = {.range = p->range, .part = &p->view};
    const struct rj_context *c;
    struct rj_vv S = {0};
    enum rj_err err = rj_contexts_split(s->contexts, p->range);
    uint32_t o;

    c = rj_contexts_at(s->contexts, p->range.from);
    if (err == RJ_OK)
        err = rj_vv_copy(&S, &p->S);
    for (o = 0; err == RJ_OK && o < s->origins.n; o++) {
        uint64_t most = rj_vv_get(&c->have, o);

        if (o != s->self && most > rj_vv_get(&s->vv, o) && most > rj_vv_get(&S, o))
            err = rj_vv_put(&S, o, most);
    }
    if (err == RJ_OK)
        err = s->kind->ops->take(s->kind, &given, &S, NULL, true);
    if (err == RJ_OK)
        err = rj_line_adopt(s);
    note_taken(s, &p->S);
    if (err == RJ_OK)
        err = rj_contexts_renew(s->contexts, p->range, &p->S);
    if (err == RJ_OK)
        err = rj_space_replay(s, &p->S);
    if (err == RJ_OK)
        err = rj_contexts_join(s->contexts, p->range, &s->vv);
    rj_vv_done(&S);
    s->transfer.progress_at = s->node->now.mono;
    s->dirty = true;
    return err;
}

/* Joins a part to the state and decides what to ask next. A part is joined whole or not
 * at all, so that a range never shows what its context does not cover. */
static enum rj_err take_part(struct rj_space *s, struct part *p)
{
    struct rj_transfer *t = &s->transfer;
    struct rj_piece piece = t->pieces[--t->n];
    const struct rj_given given = {.range = p->range, .part = &p->view};
    const struct rj_writer *w = &s->writer;
    bool equal = true;
    enum rj_err err = RJ_OK;

    s->overtaken = s->overtaken || w->count > 0;
    if (w->first + w->count > 1) /* written here since the range was asked for */
        err = rj_vv_put(&piece.have, s->self, w->first + w->count - 1);
    if (err == RJ_OK && p->range.to < piece.range.to) {
        err = push(t, (struct rj_range){p->range.to + 1, piece.range.to}, &piece.have,
                   NULL, piece.full);
        if (err == RJ_OK)
            t->pieces[t->n - 1].renew = piece.renew;
    }
    if (err == RJ_OK && piece.renew) {
        err = renew_range(s, p);
        goto out;
    }
    if (err == RJ_OK && !piece.full)
        err = rest_is_equal(s, p, &equal);
    if (err == RJ_OK && !equal) {
        err = push_finer(t, p, &piece.have);
        goto out;
    }
    if (err == RJ_OK)
        err = s->kind->ops->take(s->kind, &given, &p->S, &piece.have, piece.full);
    if (err == RJ_OK)
        err = settle(s, p);
out:
    rj_vv_done(&piece.have);
    return err;
}

enum rj_err rj_transfer_on_give(struct rj_node *n, struct rj_session *ss,
                                struct rj_link *l, struct rj_reader *r)
{
    struct rj_space *s = l->space;
    struct rj_transfer *t = &s->transfer;
    uint64_t request = rj_cbor_get_uint(r);
    struct part p = {0};
    const struct rj_piece *top;
    enum rj_err err;

    (void)n;
    if (r->failed)
        return RJ_EPROTO;
    if (rj_transfer_is_asked(s, ss, request) && l->apart)
        rj_transfer_busy(s);
    if (!rj_transfer_is_asked(s, ss, request)) {
        (void)rj_reader_rest(r);
        return RJ_OK; /* of a transfer that was given up */
    }
    top = &t->pieces[t->n - 1];
    err = get_part(s, r, &p);
    if (err == RJ_OK && rj_fork_heard(s, ss, &p.S))
        err = RJ_EGAP;
    if (err == RJ_OK && (p.range.from != top->range.from || p.range.to > top->range.to ||
                         p.full != top->full))
        err = RJ_EPROTO;
    if (err == RJ_EGAP || (err == RJ_OK && !within_limits(s, &p.S)) ||
        (err == RJ_OK && top->renew && !p.whole)) {
        rj_transfer_stop(s); /* its origins or limits have to become known first; or the
                              * holder is not whole itself */
        s->pull_turn++;
        rj_vv_done(&p.S);
        free(p.dict);
        hold_off(s, RJ_PULL_MS);
        t->not_before = t->again_at;
        return RJ_OK;
    }
    if (err == RJ_OK)
        err = take_part(s, &p);
    rj_vv_done(&p.S);
    free(p.dict);
    if (err != RJ_OK) {
        rj_transfer_stop(s);
        return err;
    }
    return t->n > 0 ? ask(s, ss, l) : end_pieces(s, ss, l);
}
