/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a space and of the node in the store. Keys of a space begin with 'S',
 * its number (u32be) and a tag; doc/format.md, "Records". A commit holds everything that
 * changed since the one before, so what the store has is always the state after some
 * step: vector, log, origins and values fit together. */
#include "base/alloc.h"
#include "base/cbor.h"
#include "node/state.h"

enum { SPACE_FORMAT = 1, KEY_MAX = 14 };

struct key {
    uint8_t b[KEY_MAX];
    size_t len;
};

static struct key space_key(uint32_t number, char tag)
{
    struct key k = {.len = 6};

    k.b[0] = 'S';
    rj_be_store32(k.b + 1, number);
    k.b[5] = (uint8_t)tag;
    return k;
}

static struct key numbered_key(uint32_t number, char tag, uint64_t i)
{
    struct key k = space_key(number, tag);

    rj_be_store64(k.b + 6, i);
    k.len = 14;
    return k;
}

static struct rj_bytes key_view(const struct key *k)
{
    return rj_bytes_of(k->b, k->len);
}

/* Vectors in records: one array by origin index. */
static void put_vv(struct rj_buf *b, const struct rj_vv *v)
{
    uint32_t i;

    rj_cbor_put_array(b, v->n);
    for (i = 0; i < v->n; i++)
        rj_cbor_put_uint(b, v->seq[i]);
}

static enum rj_err get_vv(struct rj_reader *r, struct rj_vv *v)
{
    size_t n = rj_cbor_get_array(r), i;

    rj_vv_clear(v);
    if (n > RJ_ORIGINS_MAX)
        rj_reader_fail(r);
    for (i = 0; i < n && !r->failed; i++) {
        uint64_t seq = rj_cbor_get_uint(r);

        if (rj_vv_put(v, (uint32_t)i, seq) != RJ_OK)
            return RJ_ENOMEM;
    }
    return r->failed ? RJ_ECORRUPT : RJ_OK;
}

/* ---- writing */

static void collect_meta(struct rj_space *s, struct rj_buf *b, struct rj_writes *w)
{
    struct key k = space_key(s->number, 'A');

    rj_buf_clear(b);
    rj_cbor_put_array(b, 10);
    rj_cbor_put_uint(b, SPACE_FORMAT);
    rj_cbor_put_bytes(b, rj_buf_view(&s->genesis));
    rj_cbor_put_text(b, rj_bytes_from_str(s->name));
    rj_cbor_put_uint(b, s->durability);
    rj_cbor_put_uint(b, s->clock);
    rj_cbor_put_uint(b, s->log.begin);
    rj_cbor_put_uint(b, s->log.end);
    put_vv(b, &s->vv);
    put_vv(b, &s->trunc);
    rj_cbor_put_bool(b, s->afresh);
    rj_writes_put(w, key_view(&k), rj_buf_view(b));
}

static void collect_origin(struct rj_space *s, uint32_t o, struct rj_buf *b,
                           struct rj_writes *w)
{
    const struct rj_origin *item = &s->origins.items[o];
    const struct rj_origin_state *os = &s->os[o];
    struct key k = numbered_key(s->number, 'O', o);
    size_t i;

    rj_buf_clear(b);
    rj_cbor_put_array(b, 15);
    rj_cbor_put_bytes(b, RJ_BYTES_OF(item->id.b));
    rj_cbor_put_bytes(b, RJ_BYTES_OF(os->chain.b));
    rj_cbor_put_uint(b, os->chain_seq);
    rj_cbor_put_bool(b, os->closed);
    rj_cbor_put_uint(b, os->frozen);
    rj_cbor_put_uint(b, os->taken);
    rj_cbor_put_uint(b, os->head_stamp);
    put_vv(b, &os->known);
    rj_cbor_put_bytes(b, rj_buf_view(&os->head));
    put_vv(b, &os->past);
    rj_cbor_put_uint(b, item->start);
    rj_cbor_put_uint(b, item->end);
    rj_cbor_put_uint(b, item->root);
    rj_cbor_put_uint(b, item->parent != RJ_ORIGIN_NONE ? item->parent : o);
    rj_cbor_put_array(b, 2 * os->n_choices);
    for (i = 0; i < os->n_choices; i++) {
        rj_cbor_put_uint(b, os->choices[i].of);
        rj_cbor_put_uint(b, os->choices[i].branch);
    }
    rj_writes_put(w, key_view(&k), rj_buf_view(b));
}

static void collect_splits(struct rj_space *s, struct rj_buf *b, struct rj_writes *w)
{
    struct key k = space_key(s->number, 'F');
    size_t i;

    if (s->n_splits == 0)
        return;
    rj_buf_clear(b);
    rj_cbor_put_array(b, 5 * s->n_splits);
    for (i = 0; i < s->n_splits; i++) {
        rj_cbor_put_uint(b, s->splits[i].root);
        rj_cbor_put_uint(b, s->splits[i].seq);
        rj_cbor_put_bytes(b, RJ_BYTES_OF(s->splits[i].hash));
        rj_cbor_put_bytes(b, rj_buf_view(&s->splits[i].proof));
        rj_cbor_put_bool(b, s->splits[i].fresh);
    }
    rj_writes_put(w, key_view(&k), rj_buf_view(b));
}

static void collect_entry(struct rj_space *s, uint64_t p, struct rj_buf *b,
                          struct rj_writes *w)
{
    const struct rj_log_entry *e = rj_log_at(&s->log, p);
    struct key i = numbered_key(s->number, 'I', p);

    rj_buf_clear(b);
    rj_cbor_put_array(b, 5);
    rj_cbor_put_uint(b, e->origin);
    rj_cbor_put_uint(b, e->first);
    rj_cbor_put_uint(b, e->count);
    rj_cbor_put_uint(b, e->size);
    rj_cbor_put_bytes(b, RJ_BYTES_OF(e->hash));
    rj_writes_put(w, key_view(&i), rj_buf_view(b));
}

/* Entries of the log that have another name now (R7). */
static void collect_renamed(struct rj_space *s, struct rj_buf *b, struct rj_writes *w)
{
    uint64_t p;

    for (p = s->log.begin; p < s->stored_end; p++) {
        if (rj_log_at(&s->log, p)->origin >= s->stored_origins)
            collect_entry(s, p, b, w);
    }
    s->n_renamed = 0;
}

/* The old log of a space that begins afresh. */
static void collect_forgotten(struct rj_space *s, struct rj_writes *w)
{
    static const char tags[] = {'I', 'L'};
    size_t i;

    for (i = 0; i < sizeof(tags); i++) {
        struct key from = space_key(s->number, tags[i]);
        struct key to = space_key(s->number, (char)(tags[i] + 1));

        rj_writes_delete_range(w, key_view(&from), key_view(&to));
    }
    s->forgotten = false;
}

static void collect_point(struct rj_space *s, uint32_t o, const struct rj_trail_point *p,
                          struct rj_buf *b, struct rj_writes *w)
{
    struct key k = numbered_key(s->number, 'T', s->trail_next++);

    rj_buf_clear(b);
    rj_cbor_put_array(b, 4);
    rj_cbor_put_uint(b, o);
    rj_cbor_put_uint(b, p->first);
    rj_cbor_put_uint(b, p->last);
    rj_cbor_put_bytes(b, RJ_BYTES_OF(p->hash));
    rj_writes_put(w, key_view(&k), rj_buf_view(b));
}

/* What the trails got since; or all of it, when something left them. */
static void collect_trails(struct rj_space *s, struct rj_buf *b, struct rj_writes *w)
{
    struct key from = space_key(s->number, 'T'), to = space_key(s->number, 'T' + 1);
    size_t i;
    uint32_t o;

    for (i = 0; !s->trail_anew && i < s->n_trail_fresh; i++)
        collect_point(s, s->trail_fresh[i].origin, &s->trail_fresh[i].point, b, w);
    s->n_trail_fresh = 0;
    if (!s->trail_anew)
        return;
    rj_writes_delete_range(w, key_view(&from), key_view(&to));
    s->trail_anew = false;
    s->trail_next = 0;
    for (o = 0; o < s->origins.n; o++) {
        for (i = 0; i < s->os[o].trail.n; i++)
            collect_point(s, o, &s->os[o].trail.points[i], b, w);
    }
}

static void collect_members(struct rj_space *s, struct rj_buf *b, struct rj_writes *w)
{
    for (; s->stored_member_batches < s->n_member_batches; s->stored_member_batches++) {
        struct key k = numbered_key(s->number, 'M', s->stored_member_batches);

        rj_buf_clear(b);
        rj_buf_append(b, rj_buf_view(&s->member_batches[s->stored_member_batches]));
        rj_cbor_put_uint(b, s->member_origins[s->stored_member_batches]);
        rj_writes_put(w, key_view(&k), rj_buf_view(b));
    }
}

static void collect_log(struct rj_space *s, struct rj_buf *b, struct rj_writes *w)
{
    uint64_t p;

    for (; s->stored_begin < s->log.begin; s->stored_begin++) {
        struct key l = numbered_key(s->number, 'L', s->stored_begin);
        struct key i = numbered_key(s->number, 'I', s->stored_begin);

        rj_writes_delete(w, key_view(&l));
        rj_writes_delete(w, key_view(&i));
    }
    for (p = s->stored_end > s->log.begin ? s->stored_end : s->log.begin; p < s->log.end;
         p++) {
        const struct rj_log_entry *e = rj_log_at(&s->log, p);
        struct key l = numbered_key(s->number, 'L', p);

        rj_writes_put(w, key_view(&l), rj_bytes_of(e->bytes, e->size));
        collect_entry(s, p, b, w);
    }
    s->stored_end = s->log.end;
}

static void collect_contexts(struct rj_space *s, struct rj_buf *b, struct rj_writes *w)
{
    struct key k = space_key(s->number, 'C');
    size_t i;

    if (s->contexts == NULL) {
        rj_writes_delete(w, key_view(&k));
        return;
    }
    rj_buf_clear(b);
    rj_cbor_put_array(b, s->contexts->n);
    for (i = 0; i < s->contexts->n; i++) {
        rj_cbor_put_array(b, 2);
        rj_cbor_put_uint(b, s->contexts->items[i].range.to);
        put_vv(b, &s->contexts->items[i].have);
    }
    rj_writes_put(w, key_view(&k), rj_buf_view(b));
}

static void collect_pending(struct rj_space *s, struct rj_buf *b, struct rj_writes *w)
{
    const struct rj_writer *wr = &s->writer;
    struct key k = space_key(s->number, 'P');
    uint32_t i;

    if (wr->count == 0) {
        rj_writes_delete(w, key_view(&k));
        return;
    }
    rj_buf_clear(b);
    rj_cbor_put_array(b, 6);
    rj_cbor_put_uint(b, s->self);
    rj_cbor_put_uint(b, wr->first);
    rj_cbor_put_uint(b, wr->count);
    rj_cbor_put_uint(b, wr->stamp);
    rj_cbor_put_array(b, wr->dict_n);
    for (i = 0; i < wr->dict_n; i++)
        rj_cbor_put_uint(b, wr->dict[i]);
    rj_cbor_put_bytes(b, rj_buf_view(&wr->ops));
    rj_writes_put(w, key_view(&k), rj_buf_view(b));
}

enum rj_err rj_space_collect(struct rj_space *s, struct rj_writes *w)
{
    struct rj_buf b = {0};
    enum rj_err err = RJ_OK;
    uint32_t o;

    if (s->removed) {
        struct key from = space_key(s->number, 0), to = space_key(s->number + 1, 0);

        rj_writes_delete_range(w, rj_bytes_of(from.b, 5), rj_bytes_of(to.b, 5));
        return w->failed ? RJ_ENOMEM : RJ_OK;
    }
    collect_meta(s, &b, w);
    for (o = 0; o < s->origins.n; o++) {
        if (s->os[o].dirty)
            collect_origin(s, o, &b, w);
        s->os[o].dirty = false;
    }
    collect_members(s, &b, w);
    if (s->n_renamed > 0)
        collect_renamed(s, &b, w);
    if (s->forgotten)
        collect_forgotten(s, w);
    collect_splits(s, &b, w);
    collect_log(s, &b, w);
    collect_trails(s, &b, w);
    collect_contexts(s, &b, w);
    collect_pending(s, &b, w);
    err = s->kind->ops->collect(s->kind, w);
    if (err == RJ_OK)
        err = rj_vv_copy(&s->committing, &s->vv);
    if (err == RJ_OK)
        err = rj_buf_err(&b);
    if (err == RJ_OK && w->failed)
        err = RJ_ENOMEM;
    s->collected_end = s->log.end;
    s->dirty = false;
    s->collected_count = s->writer.count;
    s->pending_log_bytes = 0;
    rj_buf_done(&b);
    return err;
}

void rj_space_committed(struct rj_space *s, bool durable)
{
    (void)durable; /* what the store calls committed is as durable as this space asks */
    s->committed_end = s->collected_end;
    if (rj_vv_copy(&s->durable, &s->committing) != RJ_OK)
        return; /* the next commit catches up */
    rj_log_uncache(&s->log, s->committed_end, RJ_LOG_CACHE_BYTES);
}

/* ---- reading */

/* Calls fn for each record of a numbered tag, in order. */
static enum rj_err each(struct rj_node *n, struct rj_view *view, struct rj_space *s,
                        char tag,
                        enum rj_err (*fn)(struct rj_space *, uint64_t, struct rj_bytes))
{
    struct key k = numbered_key(s->number, tag, 0);
    enum rj_seek how = RJ_SEEK_GE;
    struct rj_bytes key, value;
    enum rj_err err;

    for (;;) {
        err = n->store->ops->seek(view, how, key_view(&k), &key, &value);
        if (err != RJ_OK || key.len != 14 || memcmp(key.ptr, k.b, 6) != 0)
            return err == RJ_ENOENT ? RJ_OK : err;
        memcpy(k.b, key.ptr, 14);
        err = fn(s, rj_be_load64(k.b + 6), value);
        if (err != RJ_OK)
            return err;
        how = RJ_SEEK_GT;
    }
}

/* What a split made of an origin. */
static enum rj_err load_branch(struct rj_space *s, uint32_t o, struct rj_reader *r)
{
    struct rj_origin *item = &s->origins.items[o];
    struct rj_origin_state *os = &s->os[o];
    uint64_t start, root, parent;
    size_t n, i;

    start = rj_cbor_get_uint(r);
    item->end = rj_cbor_get_uint(r);
    root = rj_cbor_get_uint(r);
    parent = rj_cbor_get_uint(r);
    n = rj_cbor_get_array(r);
    if (r->failed || root > o || parent >= RJ_ORIGINS_MAX || n % 2 != 0 ||
        n > (size_t)2 * RJ_ORIGINS_MAX)
        return RJ_ECORRUPT;
    item->root = (uint32_t)root;
    if (parent != o) {
        item->parent = (uint32_t)parent;
        item->start = start;
        s->origins.branches++;
    }
    os->choices = n > 0 ? rj_alloc_array(n / 2, sizeof(*os->choices)) : NULL;
    if (n > 0 && os->choices == NULL)
        return RJ_ENOMEM;
    for (i = 0; i < n / 2; i++) {
        uint64_t of = rj_cbor_get_uint(r), branch = rj_cbor_get_uint(r);

        if (of >= RJ_ORIGINS_MAX || branch >= RJ_ORIGINS_MAX)
            return RJ_ECORRUPT;
        os->choices[os->n_choices++] =
            (struct rj_choice){.of = (uint32_t)of, .branch = (uint32_t)branch};
    }
    return RJ_OK;
}

/* Branches begin behind what they go on from, in the same incarnation. */
static bool has_sound_branches(const struct rj_space *s)
{
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        const struct rj_origin *item = &s->origins.items[o], *parent;

        if (item->parent == RJ_ORIGIN_NONE && item->root != o)
            return false;
        if (item->parent == RJ_ORIGIN_NONE)
            continue;
        if (item->parent >= s->origins.n)
            return false;
        parent = &s->origins.items[item->parent];
        if (parent->root != item->root || parent->start >= item->start ||
            parent->end != item->start)
            return false;
    }
    return true;
}

static enum rj_err load_splits(struct rj_space *s, struct rj_bytes value)
{
    struct rj_reader r = rj_reader_of(value);
    size_t n, i;

    n = rj_cbor_get_array(&r) / 5;
    if (r.failed || n > RJ_ORIGINS_MAX)
        return RJ_ECORRUPT;
    s->splits = rj_alloc_zero(n + 1, sizeof(*s->splits));
    if (s->splits == NULL)
        return RJ_ENOMEM;
    for (i = 0; i < n; i++) {
        struct rj_split *split = &s->splits[s->n_splits++];
        uint64_t root = rj_cbor_get_uint(&r);

        split->seq = rj_cbor_get_uint(&r);
        rj_cbor_get_fixed(&r, split->hash, sizeof(split->hash));
        rj_buf_append(&split->proof, rj_cbor_get_bytes(&r));
        split->fresh = rj_cbor_get_bool(&r);
        s->torn = s->torn || split->fresh;
        if (rj_buf_err(&split->proof) != RJ_OK)
            return RJ_ENOMEM;
        if (r.failed || root >= s->origins.n)
            return RJ_ECORRUPT;
        split->root = (uint32_t)root;
    }
    return rj_reader_complete(&r) ? RJ_OK : RJ_ECORRUPT;
}

static enum rj_err load_origin(struct rj_space *s, uint64_t i, struct rj_bytes value)
{
    struct rj_reader r = rj_reader_of(value);
    struct rj_origin_state *os;
    struct rj_origin_id id;
    struct rj_bytes head;
    uint32_t o;
    enum rj_err err;

    rj_cbor_expect_array(&r, 15);
    rj_cbor_get_fixed(&r, id.b, sizeof(id.b));
    if (r.failed)
        return RJ_ECORRUPT;
    err = rj_space_add_origin(s, &id, &o);
    if (err != RJ_OK)
        return err;
    if (o != i)
        return RJ_ECORRUPT;
    os = &s->os[o];
    rj_cbor_get_fixed(&r, os->chain.b, sizeof(os->chain.b));
    os->chain_seq = rj_cbor_get_uint(&r);
    os->closed = rj_cbor_get_bool(&r);
    os->frozen = rj_cbor_get_uint(&r);
    os->taken = rj_cbor_get_uint(&r);
    os->head_stamp = rj_cbor_get_uint(&r);
    err = get_vv(&r, &os->known);
    head = rj_cbor_get_bytes(&r);
    rj_buf_append(&os->head, head);
    os->head_partial = true;
    if (err == RJ_OK)
        err = get_vv(&r, &os->past);
    if (err == RJ_OK)
        err = load_branch(s, o, &r);
    if (err == RJ_OK && !rj_reader_complete(&r))
        err = RJ_ECORRUPT;
    return err == RJ_OK ? rj_buf_err(&os->head) : err;
}

static enum rj_err load_member(struct rj_space *s, uint64_t i, struct rj_bytes value)
{
    struct rj_names names = rj_split_names(s);
    struct rj_reader r = rj_reader_of(value);
    struct rj_bytes bytes;
    struct rj_batch b;
    enum rj_err err = rj_batch_get(&r, s->node->env, &s->id, true, &b);
    uint64_t o;

    bytes = rj_bytes_of(value.ptr, value.len - rj_reader_left(&r));
    o = rj_cbor_get_uint(&r);
    if (err == RJ_OK && (!rj_reader_complete(&r) || b.header.class != RJ_CLASS_MEMBER ||
                         i != s->n_member_batches || o >= s->origins.n))
        err = RJ_ECORRUPT;
    if (err == RJ_OK && s->n_renamed > 0)
        o = rj_names_find(&names, (uint32_t)o, b.header.first);
    if (err == RJ_OK)
        err = rj_space_note_member(s, &b, bytes, (uint32_t)o);
    if (err == RJ_OK && s->n_member_batches == i)
        err = RJ_ECORRUPT; /* the same one twice */
    return err == RJ_EGAP ? RJ_ECORRUPT : err;
}

static enum rj_err load_entry(struct rj_space *s, uint64_t i, struct rj_bytes value)
{
    struct rj_reader r = rj_reader_of(value);
    struct rj_log_entry e = {0};
    uint64_t origin, count, size;

    rj_cbor_expect_array(&r, 5);
    origin = rj_cbor_get_uint(&r);
    e.first = rj_cbor_get_uint(&r);
    count = rj_cbor_get_uint(&r);
    size = rj_cbor_get_uint(&r);
    rj_cbor_get_fixed(&r, e.hash, sizeof(e.hash));
    if (!rj_reader_complete(&r) || i != s->log.end || origin >= s->origins.n ||
        count == 0 || count > RJ_BATCH_WRITES_MAX || size > RJ_FRAME_MAX)
        return RJ_ECORRUPT;
    e.origin = (uint32_t)origin;
    e.count = (uint32_t)count;
    e.size = (size_t)size;
    return rj_log_append(&s->log, &e);
}

static enum rj_err load_point(struct rj_space *s, uint64_t i, struct rj_bytes value)
{
    struct rj_reader r = rj_reader_of(value);
    struct rj_trail_point p = {0};
    uint64_t o;

    rj_cbor_expect_array(&r, 4);
    o = rj_cbor_get_uint(&r);
    p.first = rj_cbor_get_uint(&r);
    p.last = rj_cbor_get_uint(&r);
    rj_cbor_get_fixed(&r, p.hash, sizeof(p.hash));
    if (!rj_reader_complete(&r) || o >= s->origins.n || p.first == 0 ||
        p.first > p.last || p.last > RJ_SEQ_MAX || s->trail_points >= RJ_TRAIL_MAX)
        return RJ_ECORRUPT;
    s->trail_next = i + 1;
    s->trail_points++;
    return rj_trail_add(&s->os[o].trail, &p);
}

static enum rj_err load_contexts(struct rj_space *s, struct rj_bytes value)
{
    struct rj_reader r = rj_reader_of(value);
    size_t n = rj_cbor_get_array(&r), i;
    uint64_t from = 0;
    enum rj_err err = RJ_OK;

    if (r.failed || n == 0 || n > RJ_CONTEXTS_MAX)
        return RJ_ECORRUPT;
    s->contexts = rj_alloc_zero(1, sizeof(*s->contexts));
    if (s->contexts == NULL)
        return RJ_ENOMEM;
    s->contexts->items = rj_alloc_zero(n < 4 ? 4 : n, sizeof(*s->contexts->items));
    if (s->contexts->items == NULL)
        return RJ_ENOMEM;
    s->contexts->cap = n < 4 ? 4 : n;
    for (i = 0; i < n && err == RJ_OK; i++) {
        struct rj_context *c = &s->contexts->items[i];

        rj_cbor_expect_array(&r, 2);
        c->range.from = from;
        c->range.to = rj_cbor_get_uint(&r);
        s->contexts->n = i + 1;
        err = get_vv(&r, &c->have);
        if (err == RJ_OK && (r.failed || c->range.to < from ||
                             (i + 1 == n) != (c->range.to == UINT64_MAX)))
            err = RJ_ECORRUPT;
        from = c->range.to + 1;
    }
    return err == RJ_OK && !rj_reader_complete(&r) ? RJ_ECORRUPT : err;
}

/* What lay unsealed at the last commit is issued again under new dots (R1). */
static enum rj_err reissue_pending(struct rj_space *s, struct rj_bytes value)
{
    struct rj_reader r = rj_reader_of(value);
    struct rj_batch_view old = {.dict = s->node->dict};
    struct rj_names names = rj_split_names(s);
    enum rj_err err = RJ_OK;
    size_t i, n;
    uint64_t origin, count;

    rj_cbor_expect_array(&r, 6);
    origin = rj_cbor_get_uint(&r);
    old.first = rj_cbor_get_uint(&r);
    count = rj_cbor_get_uint(&r);
    old.stamp = rj_cbor_get_uint(&r);
    n = rj_cbor_get_array(&r);
    if (r.failed || origin >= s->origins.n || count > RJ_BATCH_WRITES_MAX ||
        n > RJ_BATCH_DICT_MAX)
        return RJ_ECORRUPT;
    for (i = 0; i < n; i++) {
        uint64_t o = rj_cbor_get_uint(&r);

        if (o >= s->origins.n)
            return RJ_ECORRUPT;
        s->node->dict[i] = (uint32_t)o;
    }
    old.ops = rj_cbor_get_bytes(&r);
    if (!rj_reader_complete(&r))
        return RJ_ECORRUPT;
    old.origin = (uint32_t)origin;
    old.count = (uint32_t)count;
    old.dict_n = (uint32_t)n;
    if (s->n_renamed > 0) {
        old.names = &names;
        old.origin = rj_names_find(&names, old.origin, old.first);
        err =
            old.origin != RJ_ORIGIN_NONE ? s->kind->ops->cut(s->kind, &old) : RJ_ECORRUPT;
    }
    if (err == RJ_OK)
        err = s->kind->ops->reissue(s->kind, &old, old.first,
                                    s->writer.first + s->writer.count);
    s->overtaken = true;
    return err;
}

static enum rj_err load_one(struct rj_node *n, struct rj_view *view, struct rj_space *s,
                            char tag, struct rj_bytes *ret)
{
    struct key k = space_key(s->number, tag);
    struct rj_bytes key;

    return n->store->ops->seek(view, RJ_SEEK_EQ, key_view(&k), &key, ret);
}

static enum rj_err load_meta(struct rj_space *s, struct rj_reader *r)
{
    enum rj_err err;

    s->clock = rj_cbor_get_uint(r);
    s->log.begin = rj_cbor_get_uint(r);
    (void)rj_cbor_get_uint(r); /* end: follows from the entries */
    s->log.end = s->log.cached_from = s->log.begin;
    err = get_vv(r, &s->vv);
    if (err == RJ_OK)
        err = get_vv(r, &s->trunc);
    s->afresh = rj_cbor_get_bool(r);
    if (err == RJ_OK && !rj_reader_complete(r))
        err = RJ_ECORRUPT;
    s->stored_begin = s->log.begin;
    return err;
}

/* Membership and state; what was renamed is marked, to be stored again. */
static enum rj_err load_state(struct rj_node *n, struct rj_view *view, struct rj_space *s)
{
    struct rj_names names = rj_split_names(s);
    struct rj_bytes value;
    enum rj_err err = each(n, view, s, 'M', load_member);
    size_t i;

    s->stored_member_batches = s->n_renamed > 0 ? 0 : s->n_member_batches;
    s->kind->meant = s->n_renamed > 0 ? &names : NULL;
    if (err == RJ_OK && s->forgotten) {
        s->kind->ops->clear(s->kind);
        return RJ_OK;
    }
    if (err == RJ_OK)
        err = s->kind->ops->load(s->kind, n->store->ops, view);
    s->kind->meant = NULL;
    if (err == RJ_OK) {
        err = load_one(n, view, s, 'C', &value);
        err = err == RJ_OK ? load_contexts(s, value) : err == RJ_ENOENT ? RJ_OK : err;
    }
    for (i = 0; err == RJ_OK && s->contexts != NULL && i < s->contexts->n; i++)
        err = rj_split_vv(s, &s->contexts->items[i].have);
    return err == RJ_OK && s->torn ? rj_split_walk(s) : err;
}

enum rj_err rj_space_load(struct rj_node *n, struct rj_view *view, uint32_t number,
                          struct rj_bytes meta)
{
    struct rj_reader r = rj_reader_of(meta);
    struct rj_bytes genesis, name, value;
    struct rj_space *s = NULL;
    uint32_t next = n->next_space;
    size_t fields;
    enum rj_err err;

    fields = rj_cbor_get_array(&r);
    if (rj_cbor_get_uint(&r) != SPACE_FORMAT)
        return r.failed ? RJ_ECORRUPT : RJ_EVERSION; /* of other fields, maybe */
    genesis = rj_cbor_get_bytes(&r);
    name = rj_cbor_get_text(&r);
    value.len = (size_t)rj_cbor_get_uint(&r);
    if (r.failed || fields != 10 || value.len > RJ_DURABLE_NONE ||
        !rj_space_name_is_valid(name))
        return RJ_ECORRUPT;
    n->next_space = number;
    err = rj_space_make(n, genesis, name, (enum rj_durability)value.len, &s);
    n->next_space = next;
    if (err != RJ_OK)
        return err;
    err = load_meta(s, &r);
    if (err == RJ_OK)
        err = each(n, view, s, 'O', load_origin);
    if (err == RJ_OK && !has_sound_branches(s))
        err = RJ_ECORRUPT;
    if (err == RJ_OK) {
        err = load_one(n, view, s, 'F', &value);
        err = err == RJ_OK ? load_splits(s, value) : err == RJ_ENOENT ? RJ_OK : err;
    }
    if (err == RJ_OK)
        err = each(n, view, s, 'I', load_entry);
    if (err == RJ_OK)
        err = each(n, view, s, 'T', load_point);
    s->stored_end = s->committed_end = s->collected_end = s->log.end;
    if (err == RJ_OK && s->afresh)
        err = rj_split_forget(s);
    else if (err == RJ_OK && s->torn)
        err = rj_split_carry_out(s);
    if (err == RJ_OK)
        err = load_state(n, view, s);
    if (err == RJ_OK)
        err = rj_vv_copy(&s->durable, &s->vv);
    if (err == RJ_OK)
        err = rj_space_open(s);
    if (err == RJ_OK && !s->forgotten) {
        s->writer.refuse = RJ_OK; /* also what a closed device wrote before is kept */
        err = load_one(n, view, s, 'P', &value);
        err = err == RJ_OK ? reissue_pending(s, value) : err == RJ_ENOENT ? RJ_OK : err;
        rj_space_set_refuse(s);
    }
    return err;
}
