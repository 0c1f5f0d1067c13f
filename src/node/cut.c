/* SPDX-License-Identifier: Apache-2.0 */
/* Own batches and heads. All writes of one batch were made at one vector, since the
 * engine cuts before it applies anything foreign; so deps is simply the vector. Every
 * batch is signed; under load it is cut every RJ_CUT_MS, so that a signature is shared by
 * all writes of that time (R11 would allow unsigned ones in between). A head is issued
 * for what a commit made durable, so what it says survives a crash of its author. */
#include "base/cbor.h"
#include "node/frame.h"
#include "node/state.h"

/* Fills in the dep of one origin. */
static void put_dep(struct rj_space *s, struct rj_buf *b, uint32_t o, uint64_t seq)
{
    struct rj_dep dep = {.origin = s->origins.items[o].id, .seq = seq};
    const uint8_t *hash = rj_fork_hash(s, o, seq);

    if (hash != NULL)
        memcpy(dep.hash, hash, sizeof(dep.hash));
    rj_deps_put(b, &dep);
}

/* Appends the entries of vv that differ from base (NULL: all), own origin left out. */
static size_t put_deps(struct rj_space *s, struct rj_buf *b, const struct rj_vv *vv,
                       const struct rj_vv *base)
{
    size_t n = 0;
    uint32_t i;

    for (i = 0; i < s->origins.n; i++) {
        uint32_t o = s->origins.order[i];
        uint64_t seq = rj_vv_get(vv, o);

        if (o == s->self || seq == 0 || (base != NULL && rj_vv_get(base, o) == seq))
            continue;
        put_dep(s, b, o, seq);
        n++;
    }
    return n;
}

/* Signs h and completes batch (raw borrowed from raw_buf). */
static enum rj_err seal(struct rj_space *s, struct rj_header *h, struct rj_buf *raw_buf,
                        struct rj_bytes body, struct rj_batch *batch)
{
    struct rj_env *env = s->node->env;
    struct rj_bytes digest;
    enum rj_err err;

    *batch = (struct rj_batch){.body = body};
    if (body.len > 0)
        env->ops->hash(env, &body, 1, &h->body);
    h->wall_ms = s->node->now.wall.ms;
    rj_header_put(raw_buf, h);
    err = rj_buf_err(raw_buf);
    if (err != RJ_OK)
        return err;
    batch->header = *h;
    batch->raw = rj_buf_view(raw_buf);
    rj_header_hash(env, &s->id, batch->raw, &batch->hash);
    digest = RJ_BYTES_OF(batch->hash.b);
    return env->ops->sign(env, digest, batch->sig);
}

/* Makes an own batch of body and puts it into the log. */
static enum rj_err issue(struct rj_space *s, enum rj_batch_class class, uint32_t count,
                         uint64_t stamp, struct rj_bytes body)
{
    struct rj_origin_state *os = &s->os[s->self];
    struct rj_header h = {.class = class,
                          .origin = s->origins.items[s->self].id,
                          .first = rj_vv_get(&s->vv, s->self) + 1,
                          .count = count,
                          .stamp = stamp};
    struct rj_buf deps = {0}, raw = {0}, whole = {0};
    struct rj_vv past = {0};
    struct rj_batch batch;
    enum rj_err err = rj_vv_copy(&past, &s->vv);
    size_t i;

    for (i = 0; err == RJ_OK && s->contexts != NULL && i < s->contexts->n; i++)
        err = rj_vv_join(&past, &s->contexts->items[i].have);
    if (err == RJ_OK && h.first > 1) {
        h.prev = os->chain;
        h.n_deps = put_deps(s, &deps, &past, &s->deps);
        h.deps = rj_buf_view(&deps);
        err = rj_buf_err(&deps);
    }
    if (err == RJ_OK)
        err = seal(s, &h, &raw, body, &batch);
    if (err != RJ_OK)
        goto out;
    rj_batch_put(&whole, &batch);
    err = rj_buf_err(&whole);
    if (err == RJ_OK)
        err = rj_space_log(s, &batch, s->self, rj_buf_view(&whole));
    if (err == RJ_OK && class == RJ_CLASS_MEMBER)
        err = rj_space_note_member(s, &batch, rj_buf_view(&whole), s->self);
    if (err == RJ_OK)
        err = rj_space_note_past(s, &h, s->self);
    if (err == RJ_OK && h.first > 1) {
        err = rj_vv_put(&past, s->self, h.first + count - 1);
        if (err == RJ_OK)
            err = rj_vv_copy(&s->deps, &past);
    }
    if (stamp > s->clock)
        s->clock = stamp;
out:
    rj_vv_done(&past);
    rj_buf_done(&deps);
    rj_buf_done(&raw);
    rj_buf_done(&whole);
    return err;
}

enum rj_err rj_space_overtaken(struct rj_space *s)
{
    if (!s->overtaken)
        return RJ_OK;
    s->overtaken = false;
    return s->writer.count > 0 ? s->kind->ops->again(s->kind) : RJ_OK;
}

/* Cuts what is pending, whatever the contexts. */
static enum rj_err cut(struct rj_space *s)
{
    struct rj_writer *w = &s->writer;
    struct rj_buf body = {0};
    enum rj_err err = rj_space_overtaken(s);

    if (err != RJ_OK)
        return err;
    rj_dict_put(&body, &s->origins, w->dict, w->dict_n);
    rj_buf_append(&body, rj_buf_view(&w->ops));
    err = rj_buf_err(&body);
    if (err == RJ_OK)
        err = issue(s, RJ_CLASS_DATA, w->count, w->stamp, rj_buf_view(&body));
    rj_buf_done(&body);
    if (err != RJ_OK)
        return err;
    if (s->collected_count > 0)
        s->hold_end = s->log.end;
    w->first += w->count;
    w->count = 0;
    s->collected_count = 0;
    w->dict_n = 1;
    rj_buf_clear(&w->ops);
    s->cut_at = s->node->now.mono;
    s->urgent = false;
    return RJ_OK;
}

enum rj_err rj_space_cut(struct rj_space *s)
{
    return s->writer.count > 0 && rj_space_can_cut(s) ? cut(s) : RJ_OK;
}

enum rj_err rj_space_cut_early(struct rj_space *s, const struct rj_vv *peer)
{
    size_t i;
    uint32_t o;

    if (s->contexts == NULL || s->writer.count == 0 || !s->may_seal || s->writer.atomic)
        return rj_space_cut(s);
    for (i = 0; i < s->contexts->n; i++) {
        const struct rj_context *c = &s->contexts->items[i];

        for (o = 0; o < c->have.n; o++) {
            if (!rj_vv_has(&s->vv, o, c->have.seq[o]) &&
                !rj_vv_has(peer, o, c->have.seq[o]))
                return RJ_OK;
        }
    }
    return cut(s);
}

enum rj_err rj_space_write_record(struct rj_space *s, const struct rj_record *rec)
{
    uint64_t stamp = rj_clock_stamp(s);
    struct rj_buf body = {0};
    enum rj_err err = RJ_OK;

    if (rec->kind != RJ_RECORD_OPEN) {
        if (!rj_space_is_whole(s))
            return RJ_EJOINING;
        err = rj_space_cut(s);
        if (err == RJ_OK && s->writer.count > 0)
            err = RJ_EBUSY;
        if (err != RJ_OK)
            return err;
        stamp = rj_clock_stamp(s);
    }
    rj_record_put(&body, rec);
    err = rj_buf_err(&body);
    if (err == RJ_OK)
        err = issue(s, RJ_CLASS_MEMBER, 1, stamp, rj_buf_view(&body));
    rj_buf_done(&body);
    if (err == RJ_OK)
        s->writer.first = rj_vv_get(&s->vv, s->self) + 1;
    return err;
}

enum rj_err rj_space_head(struct rj_space *s)
{
    struct rj_origin_state *os = &s->os[s->self];
    struct rj_header h = {.class = RJ_CLASS_HEAD,
                          .origin = s->origins.items[s->self].id,
                          .first = rj_vv_get(&s->durable, s->self) + 1};
    struct rj_buf deps = {0}, raw = {0};
    struct rj_batch head;
    enum rj_err err;

    if (h.first < 2 || rj_vv_equal(&s->durable, &s->head_vv) || !rj_space_is_whole(s))
        return RJ_OK;
    s->clock = rj_clock_stamp(s);
    h.stamp = s->clock;
    h.prev = os->chain; /* of the newest own batch, durable or not */
    h.n_deps = put_deps(s, &deps, &s->durable, NULL);
    h.deps = rj_buf_view(&deps);
    err = rj_buf_err(&deps);
    if (err == RJ_OK)
        err = seal(s, &h, &raw, (struct rj_bytes){0}, &head);
    if (err == RJ_OK)
        err = rj_vv_copy(&s->head_vv, &s->durable);
    if (err == RJ_OK)
        err = rj_space_offer_head(s, head.raw, head.sig, NULL);
    s->head_at = s->node->now.mono;
    rj_buf_done(&deps);
    rj_buf_done(&raw);
    return err;
}
