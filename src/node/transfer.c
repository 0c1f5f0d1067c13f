/* SPDX-License-Identifier: Apache-2.0 */
/* State transfer (R5), for who is behind the log of a peer. The positions are taken over
 * piece by piece; each range has its own context. A part brings the keys that have a dot
 * which the asking side lacks, and the sum over all dots of its range at the vector S at
 * which it was read; where the asking side's sum over its dots in S is another, keys were
 * removed at the holder, and the range is asked for again in sixteen, in the end key by
 * key. So removed things stay removed without tombstones, and cost follows the
 * difference. Nothing foreign is applied while parts are under way; what comes meanwhile
 * is parked or pulled again. The announced vector is the minimum over all ranges. */
#include "base/alloc.h"
#include "node/frame.h"
#include "node/state.h"

enum { SPLIT = 16, MEMBERS_IN_META_MAX = 65536 };

void rj_transfer_stop(struct rj_space *s)
{
    struct rj_transfer *t = &s->transfer;
    size_t i;

    for (i = 0; i < t->n; i++)
        rj_vv_done(&t->pieces[i].have);
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

void rj_transfer_busy(struct rj_space *s)
{
    rj_transfer_stop(s);
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
    size_t at = rj_frame_begin(&ss->out, RJ_FRAME_TAKE, 7);

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

static enum rj_err begin(struct rj_space *s, struct rj_session *ss, struct rj_link *l)
{
    struct rj_transfer *t = &s->transfer;
    enum rj_err err = rj_space_cut(s);
    size_t i;

    if (err == RJ_OK && s->writer.atomic)
        return RJ_OK; /* inside an atomic group: later */
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
    for (i = 0; err == RJ_OK && i < s->contexts->n; i++) {
        const struct rj_context *c = &s->contexts->items[i];

        if (l->trunc_unknown || !rj_vv_covers(&c->have, &t->need))
            err = push(t, c->range, &c->have, NULL, false);
    }
    if (err != RJ_OK || t->n == 0)
        return err;
    rj_space_set_refuse(s);
    t->active = true;
    t->session = ss->peer;
    s->dirty = true;
    rj_node_note(s->node, RJ_NOTE_INFO, RJ_OK, "transfer-begin space=%s from=%s", s->name,
                 ss->name);
    return ask(s, ss, l);
}

/* Unsealed writes once more: a part that came after such a write may have brought back
 * what it overwrote, where the range did not yet vouch for having seen that. */
static enum rj_err apply_pending(struct rj_space *s)
{
    const struct rj_writer *w = &s->writer;
    struct rj_batch_view view = {.origin = s->self,
                                 .first = w->first,
                                 .count = w->count,
                                 .stamp = w->stamp,
                                 .dict = w->dict,
                                 .dict_n = w->dict_n,
                                 .ops = rj_buf_view(&w->ops)};

    return w->count > 0 ? s->kind->ops->apply(s->kind, &view, NULL) : RJ_OK;
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
    return apply_pending(s);
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

        if (l != NULL && l->told && l->heard && !ss->closing) {
            s->pull_turn = (uint32_t)((s->pull_turn + i + 1) % n->n_sessions);
            *ret_ss = ss;
            return l;
        }
    }
    return NULL;
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
        if (o == RJ_ORIGIN_NONE || !s->os[o].closed)
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
    s->transfer.deadline = rj_mono_add(n->now.mono, 5 * RJ_PULL_MS);
    s->pull_at.ms = UINT64_MAX;
    if (s->parked.count > 0) {
        s->pull_at = rj_mono_add(n->now.mono, 5 * RJ_PULL_MS);
        rj_node_wake(n, s->pull_at);
    }
}

/* Whether this node takes the state from that link now. Of two that need each other's,
 * the one with the lower id takes first. */
static bool may_take(const struct rj_space *s, const struct rj_session *ss,
                     const struct rj_link *l)
{
    if (!l->told || !l->heard || ss->closing ||
        (!l->trunc_unknown && rj_vv_covers(&s->vv, &l->trunc)))
        return false;
    return rj_vv_covers(&l->received, &s->trunc) ||
           memcmp(s->node->device.b, ss->device.b, RJ_DIGEST_LEN) < 0;
}

/* What unequal ranges lack may lie in no log any more: then in turn each peer is asked
 * for the ranges themselves. */
static enum rj_err take_again(struct rj_space *s)
{
    struct rj_node *n = s->node;
    struct rj_session *ss;
    struct rj_link *l;

    if (n->now.mono.ms < s->transfer.again_at.ms) {
        rj_node_wake(n, s->transfer.again_at);
        return RJ_OK;
    }
    hold_off(s, RJ_AGAIN_MS);
    l = next_link(s, &ss);
    return l != NULL ? begin(s, ss, l) : RJ_OK;
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
            err = begin(s, ss, l);
            if (err != RJ_OK || s->transfer.active)
                return err;
        }
    }
    consider_pull(s);
    return s->contexts != NULL ? take_again(s) : RJ_OK;
}

/* ---- META */

static enum rj_err take_member_batch(struct rj_space *s, struct rj_bytes bytes,
                                     struct rj_session *ss)
{
    struct rj_reader r = rj_reader_of(bytes);
    struct rj_record rec;
    struct rj_batch b;
    struct rj_device *d;
    enum rj_err err = rj_batch_get(&r, s->node->env, &s->id, true, &b);
    uint32_t o;

    (void)ss;
    if (err != RJ_OK || b.header.class != RJ_CLASS_MEMBER)
        return RJ_ECORRUPT;
    err = rj_record_get(b.body, s->node->env, &rec);
    if (err != RJ_OK)
        return err;
    if (rec.kind == RJ_RECORD_OPEN) {
        d = rj_members_find(&s->members, &rec.device);
    } else {
        o = rj_origins_find(&s->origins, &b.header.origin);
        d = o != RJ_ORIGIN_NONE && s->os[o].device != UINT32_MAX
                ? &s->members.items[s->os[o].device]
                : NULL;
    }
    if (d == NULL)
        return RJ_EPROTO;
    if (!s->node->env->ops->verify(s->node->env, d->pubkey, RJ_BYTES_OF(b.hash.b), b.sig))
        return RJ_EAUTH;
    return rj_space_note_member(s, &b, bytes);
}

static enum rj_err take_chains(struct rj_space *s, struct rj_reader *r)
{
    size_t n = rj_cbor_get_array(r), i;

    if (r->failed || n % 3 != 0 || n / 3 > RJ_ORIGINS_MAX)
        return RJ_EPROTO;
    for (i = 0; i < n / 3; i++) {
        struct rj_origin_id id;
        struct rj_digest hash;
        uint64_t seq;
        uint32_t o;

        rj_cbor_get_fixed(r, id.b, sizeof(id.b));
        seq = rj_cbor_get_uint(r);
        rj_cbor_get_fixed(r, hash.b, sizeof(hash.b));
        if (r->failed)
            return RJ_EPROTO;
        o = rj_origins_find(&s->origins, &id);
        if (o == RJ_ORIGIN_NONE || rj_vv_has(&s->vv, o, seq) || o == s->self)
            continue;
        s->os[o].chain = hash;
        s->os[o].chain_seq = seq;
        s->os[o].dirty = true;
    }
    return RJ_OK;
}

enum rj_err rj_transfer_on_meta(struct rj_node *n, struct rj_session *ss,
                                struct rj_link *l, struct rj_reader *r)
{
    struct rj_space *s = l->space;
    uint64_t request = rj_cbor_get_uint(r);
    size_t count = rj_cbor_get_array(r), i;
    enum rj_err err = RJ_OK;

    (void)n;
    if (r->failed || count > MEMBERS_IN_META_MAX)
        return RJ_EPROTO;
    if (!s->transfer.active || request != s->transfer.request)
        return RJ_OK; /* of a transfer that was given up */
    for (i = 0; i < count && err == RJ_OK; i++) {
        struct rj_bytes b = rj_cbor_get_bytes(r);

        err = r->failed ? RJ_EPROTO : take_member_batch(s, b, ss);
    }
    count = rj_cbor_get_array(r);
    for (i = 0; i < count / 2 && err == RJ_OK; i++) {
        struct rj_bytes raw = rj_cbor_get_bytes(r);
        uint8_t sig[RJ_SIG_LEN];

        rj_cbor_get_fixed(r, sig, sizeof(sig));
        err = r->failed ? RJ_EPROTO : rj_space_offer_head(s, raw, sig, ss);
    }
    if (err == RJ_OK)
        err = take_chains(s, r);
    if (err == RJ_OK)
        s->transfer.meta_done = true;
    return err;
}

static void put_meta(struct rj_session *ss, struct rj_link *l, uint64_t request)
{
    struct rj_space *s = l->space;
    size_t at = rj_frame_begin(&ss->out, RJ_FRAME_META, 5), heads = 0, chains = 0, i;
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        heads += s->os[o].head_stamp != 0;
        chains += s->os[o].chain_seq != 0;
    }
    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_cbor_put_uint(&ss->out, request);
    rj_cbor_put_array(&ss->out, s->n_member_batches);
    for (i = 0; i < s->n_member_batches; i++)
        rj_cbor_put_bytes(&ss->out, rj_buf_view(&s->member_batches[i]));
    rj_cbor_put_array(&ss->out, heads * 2);
    for (o = 0; o < s->origins.n; o++) {
        if (s->os[o].head_stamp != 0)
            rj_buf_append(&ss->out, rj_buf_view(&s->os[o].head));
    }
    rj_cbor_put_array(&ss->out, chains * 3);
    for (o = 0; o < s->origins.n; o++) {
        if (s->os[o].chain_seq == 0)
            continue;
        rj_cbor_put_bytes(&ss->out, RJ_BYTES_OF(s->origins.items[o].id.b));
        rj_cbor_put_uint(&ss->out, s->os[o].chain_seq);
        rj_cbor_put_bytes(&ss->out, RJ_BYTES_OF(s->os[o].chain.b));
    }
    rj_frame_end(&ss->out, at);
}

/* ---- the holder's side: also a node that takes over itself may serve a range, at that
 * range's own vector; else three that need each other's state would wait for ever. One
 * with unsealed writes may not, since what they overwrite is gone here and nobody else
 * has them. A part leaves once what it shows is on disk, at every durability level: a
 * joiner that held in one range what the holder then lost would never be whole again. */

static enum rj_err put_give(struct rj_session *ss, struct rj_link *l, uint64_t request,
                            const struct rj_give *g, const struct rj_vv *S)
{
    struct rj_space *s = l->space;
    struct rj_writer part = {0};
    struct rj_sum sum;
    uint64_t end, keys;
    size_t at;
    enum rj_err err = s->kind->ops->give(s->kind, g, &part, &end, &keys);

    if (err != RJ_OK)
        goto out;
    s->kind->ops->sum(s->kind, (struct rj_range){g->range.from, end}, NULL, g->cutoff_ms,
                      &sum);
    at = rj_frame_begin(&ss->out, RJ_FRAME_GIVE, 13);
    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_cbor_put_uint(&ss->out, request);
    rj_cbor_put_uint(&ss->out, g->range.from);
    rj_cbor_put_uint(&ss->out, end);
    rj_cbor_put_bool(&ss->out, g->full);
    rj_vv_encode(&ss->out, &s->origins, S);
    rj_dict_put(&ss->out, &s->origins, part.dict, part.dict_n);
    rj_cbor_put_bytes(&ss->out, rj_buf_view(&part.ops));
    rj_cbor_put_uint(&ss->out, part.count);
    rj_cbor_put_uint(&ss->out, keys);
    rj_cbor_put_uint(&ss->out, g->cutoff_ms);
    rj_cbor_put_uint(&ss->out, sum.hi);
    rj_cbor_put_uint(&ss->out, sum.lo);
    rj_frame_end(&ss->out, at);
    err = rj_buf_err(&ss->out);
out:
    if (err != RJ_OK)
        err = rj_node_die(s->node, err, s->kind->why);
    rj_buf_done(&part.ops);
    free(part.dict);
    return err;
}

enum rj_err rj_transfer_on_take(struct rj_node *n, struct rj_session *ss,
                                struct rj_link *l, struct rj_reader *r)
{
    struct rj_space *s = l->space;
    struct rj_give g = {.budget_bytes = (size_t)n->limits.part_bytes};
    struct rj_vv have = {0};
    uint64_t request = rj_cbor_get_uint(r);
    size_t at = ss->out.len;
    const struct rj_vv *S;
    bool meta;
    enum rj_err err;

    g.range.from = rj_cbor_get_uint(r);
    g.range.to = rj_cbor_get_uint(r);
    g.full = rj_cbor_get_bool(r);
    meta = rj_cbor_get_bool(r);
    if (r->failed || g.range.from > g.range.to)
        return RJ_EPROTO;
    err = rj_vv_decode(r, &s->origins, &have, NULL);
    if (err == RJ_OK)
        err = rj_space_cut(s);
    if (err != RJ_OK)
        goto out;
    if (s->transfer.active || s->writer.count > 0) {
        size_t busy = rj_frame_begin(&ss->out, RJ_FRAME_BUSY, 2);

        rj_cbor_put_uint(&ss->out, l->number_here);
        rj_cbor_put_uint(&ss->out, request);
        rj_frame_end(&ss->out, busy);
        goto out;
    }
    if (meta)
        put_meta(ss, l, request);
    S = &s->vv;
    if (s->contexts != NULL) {
        const struct rj_context *c = rj_contexts_at(s->contexts, g.range.from);

        S = &c->have;
        g.range.to = c->range.to < g.range.to ? c->range.to : g.range.to;
    }
    g.have = &have;
    g.cutoff_ms = rj_sum_cutoff(n->now.wall);
    err = put_give(ss, l, request, &g, S);
    if (err == RJ_OK && (s->dirty || n->committing)) {
        rj_buf_clear(&l->held); /* of a request that was given up */
        rj_buf_append_raw(&l->held, ss->out.ptr + at, ss->out.len - at);
        rj_buf_truncate(&ss->out, at);
        l->held_commit = n->issued + (s->dirty ? 1 : 0);
        n->commit_now = true;
        err = rj_buf_err(&l->held);
    }
out:
    rj_vv_done(&have);
    return err;
}

/* ---- GIVE */

struct part {
    struct rj_range range;
    struct rj_vv S;
    struct rj_batch_view view;
    uint64_t keys, cutoff_ms;
    struct rj_sum sum;
    bool full;
};

static enum rj_err get_part(struct rj_space *s, struct rj_reader *r, struct part *p)
{
    size_t unknown = 0;
    uint64_t count;
    enum rj_err err;

    p->range.from = rj_cbor_get_uint(r);
    p->range.to = rj_cbor_get_uint(r);
    p->full = rj_cbor_get_bool(r);
    if (r->failed || p->range.from > p->range.to)
        return RJ_EPROTO;
    err = rj_vv_decode(r, &s->origins, &p->S, &unknown);
    if (err == RJ_OK && unknown > 0)
        err = RJ_EGAP;
    p->view.dict = s->node->dict;
    if (err == RJ_OK)
        err = rj_dict_get(r, &s->origins, s->node->dict, &p->view.dict_n);
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

/* The range differs though every newer key came: something was removed at the holder. */
static enum rj_err push_finer(struct rj_transfer *t, const struct part *p,
                              const struct rj_vv *have)
{
    uint64_t from = p->range.from, width = (p->range.to - from) / SPLIT;
    enum rj_err err = RJ_OK;
    int i;

    if (p->keys <= RJ_TRANSFER_LEAF || width == 0)
        return push(t, p->range, have, &p->S, true);
    for (i = 0; i < SPLIT && err == RJ_OK; i++) {
        uint64_t to = i == SPLIT - 1 ? p->range.to : from + width - 1;

        err = push(t, (struct rj_range){from, to}, have, &p->S, false);
        from = to + 1;
    }
    return err;
}

static enum rj_err settle(struct rj_space *s, const struct part *p)
{
    enum rj_err err = rj_contexts_split(s->contexts, p->range);

    if (err == RJ_OK)
        err = rj_contexts_join(s->contexts, p->range, &p->S);
    s->dirty = true;
    return err;
}

/* Joins a part to the state and decides what to ask next. */
static enum rj_err take_part(struct rj_space *s, struct part *p)
{
    struct rj_transfer *t = &s->transfer;
    struct rj_piece piece = t->pieces[--t->n];
    struct rj_sum mine;
    bool equal;
    enum rj_err err = RJ_OK;

    if (p->range.to < piece.range.to)
        err = push(t, (struct rj_range){p->range.to + 1, piece.range.to}, &piece.have,
                   NULL, piece.full);
    if (err == RJ_OK)
        err =
            s->kind->ops->take(s->kind, &p->range, &p->view, &p->S, &piece.have, p->full);
    if (err == RJ_OK) {
        s->kind->ops->sum(s->kind, p->range, &p->S, p->cutoff_ms, &mine);
        equal = mine.lo == p->sum.lo && mine.hi == p->sum.hi;
        if (equal || p->full)
            err = settle(s, p);
        else
            err = push_finer(t, p, &piece.have);
        if (!equal && p->full)
            rj_node_note(s->node, RJ_NOTE_DEBUG, RJ_OK, "range-differs space=%s",
                         s->name);
    }
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

    if (r->failed)
        return RJ_EPROTO;
    if (!t->active || t->session != ss->peer || request != t->request || t->n == 0) {
        (void)rj_reader_rest(r);
        return RJ_OK; /* of a transfer that was given up */
    }
    top = &t->pieces[t->n - 1];
    err = get_part(s, r, &p);
    if (err == RJ_OK && (p.range.from != top->range.from || p.range.to > top->range.to ||
                         p.full != top->full))
        err = RJ_EPROTO;
    if (err == RJ_EGAP || (err == RJ_OK && !within_limits(s, &p.S))) {
        rj_transfer_stop(s); /* its origins or limits have to become known first */
        rj_vv_done(&p.S);
        t->deadline = rj_mono_add(n->now.mono, RJ_PULL_MS);
        rj_node_wake(n, t->deadline);
        return RJ_OK;
    }
    if (err == RJ_OK)
        err = take_part(s, &p);
    rj_vv_done(&p.S);
    if (err != RJ_OK) {
        rj_transfer_stop(s);
        return err;
    }
    return t->n > 0 ? ask(s, ss, l) : end_pieces(s, ss, l);
}
