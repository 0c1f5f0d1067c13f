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
    rj_cbor_put_array(b, 9);
    rj_cbor_put_uint(b, SPACE_FORMAT);
    rj_cbor_put_bytes(b, rj_buf_view(&s->genesis));
    rj_cbor_put_text(b, rj_bytes_from_str(s->name));
    rj_cbor_put_uint(b, s->durability);
    rj_cbor_put_uint(b, s->clock);
    rj_cbor_put_uint(b, s->log.begin);
    rj_cbor_put_uint(b, s->log.end);
    put_vv(b, &s->vv);
    put_vv(b, &s->trunc);
    rj_writes_put(w, key_view(&k), rj_buf_view(b));
}

static void collect_origin(struct rj_space *s, uint32_t o, struct rj_buf *b,
                           struct rj_writes *w)
{
    const struct rj_origin *item = &s->origins.items[o];
    const struct rj_origin_state *os = &s->os[o];
    struct key k = numbered_key(s->number, 'O', o);

    rj_buf_clear(b);
    rj_cbor_put_array(b, 9);
    rj_cbor_put_bytes(b, RJ_BYTES_OF(item->id.b));
    rj_cbor_put_bytes(b, RJ_BYTES_OF(os->chain.b));
    rj_cbor_put_uint(b, os->chain_seq);
    rj_cbor_put_bool(b, os->closed);
    rj_cbor_put_uint(b, os->frozen);
    rj_cbor_put_uint(b, os->head_stamp);
    put_vv(b, &os->known);
    rj_cbor_put_bytes(b, rj_buf_view(&os->head));
    put_vv(b, &os->past);
    rj_writes_put(w, key_view(&k), rj_buf_view(b));
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
        struct key i = numbered_key(s->number, 'I', p);

        rj_writes_put(w, key_view(&l), rj_bytes_of(e->bytes, e->size));
        rj_buf_clear(b);
        rj_cbor_put_array(b, 5);
        rj_cbor_put_uint(b, e->origin);
        rj_cbor_put_uint(b, e->first);
        rj_cbor_put_uint(b, e->count);
        rj_cbor_put_uint(b, e->size);
        rj_cbor_put_bytes(b, RJ_BYTES_OF(e->hash));
        rj_writes_put(w, key_view(&i), rj_buf_view(b));
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
    for (; s->stored_member_batches < s->n_member_batches; s->stored_member_batches++) {
        struct key k = numbered_key(s->number, 'M', s->stored_member_batches);

        rj_writes_put(w, key_view(&k),
                      rj_buf_view(&s->member_batches[s->stored_member_batches]));
    }
    collect_log(s, &b, w);
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

static enum rj_err load_origin(struct rj_space *s, uint64_t i, struct rj_bytes value)
{
    struct rj_reader r = rj_reader_of(value);
    struct rj_origin_state *os;
    struct rj_origin_id id;
    struct rj_bytes head;
    uint32_t o;
    enum rj_err err;

    rj_cbor_expect_array(&r, 9);
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
    os->head_stamp = rj_cbor_get_uint(&r);
    err = get_vv(&r, &os->known);
    head = rj_cbor_get_bytes(&r);
    rj_buf_append(&os->head, head);
    os->head_partial = true;
    if (err == RJ_OK)
        err = get_vv(&r, &os->past);
    if (err == RJ_OK && !rj_reader_complete(&r))
        err = RJ_ECORRUPT;
    return err == RJ_OK ? rj_buf_err(&os->head) : err;
}

static enum rj_err load_member(struct rj_space *s, uint64_t i, struct rj_bytes value)
{
    struct rj_reader r = rj_reader_of(value);
    struct rj_batch b;
    enum rj_err err = rj_batch_get(&r, s->node->env, &s->id, true, &b);

    if (err == RJ_OK && (!rj_reader_complete(&r) || b.header.class != RJ_CLASS_MEMBER ||
                         i != s->n_member_batches))
        err = RJ_ECORRUPT;
    if (err == RJ_OK)
        err = rj_space_note_member(s, &b, value);
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
    return s->kind->ops->reissue(s->kind, &old, old.first,
                                 s->writer.first + s->writer.count);
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
    if (err == RJ_OK && !rj_reader_complete(r))
        err = RJ_ECORRUPT;
    s->stored_begin = s->log.begin;
    return err;
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
    if (r.failed || fields != 9 || value.len > RJ_DURABLE_NONE ||
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
    if (err == RJ_OK)
        err = each(n, view, s, 'M', load_member);
    s->stored_member_batches = s->n_member_batches;
    if (err == RJ_OK)
        err = each(n, view, s, 'I', load_entry);
    s->stored_end = s->committed_end = s->collected_end = s->log.end;
    if (err == RJ_OK)
        err = s->kind->ops->load(s->kind, n->store->ops, view);
    if (err == RJ_OK)
        err = rj_vv_copy(&s->durable, &s->vv);
    if (err == RJ_OK) {
        err = load_one(n, view, s, 'C', &value);
        err = err == RJ_OK ? load_contexts(s, value) : err == RJ_ENOENT ? RJ_OK : err;
    }
    if (err == RJ_OK)
        err = rj_space_open(s);
    if (err == RJ_OK) {
        s->writer.refuse = RJ_OK; /* also what a closed device wrote before is kept */
        err = load_one(n, view, s, 'P', &value);
        err = err == RJ_OK ? reissue_pending(s, value) : err == RJ_ENOENT ? RJ_OK : err;
        rj_space_set_refuse(s);
    }
    return err;
}
