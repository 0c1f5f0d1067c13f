/* SPDX-License-Identifier: Apache-2.0 */
/* What is needed to judge before a part of the state is taken (R5, R8): all membership
 * batches, the last heads, where the chain of each origin stands and what its author had
 * seen there. It goes in as many frames as it takes; each is used as it comes, the last
 * one says so. Signatures are checked here as at delivery; chain ends and pasts are
 * believed.
 */
#include "base/alloc.h"
#include "node/frame.h"
#include "node/state.h"

enum { CHAIN_ITEMS = 4 };

/* ---- the asking side */

/* The device whose signature a membership batch must bear; NULL: unknown. */
static const struct rj_device *
signer_of(const struct rj_space *s, const struct rj_batch *b, const struct rj_record *rec)
{
    uint32_t o;

    if (rec->kind == RJ_RECORD_OPEN)
        return rj_members_find(&s->members, &rec->device);
    o = rj_origins_find(&s->origins, &b->header.origin);
    return o != RJ_ORIGIN_NONE && s->os[o].device != UINT32_MAX
               ? &s->members.items[s->os[o].device]
               : NULL;
}

/* branch: whose it is, if not of the incarnation that it names. */
static enum rj_err take_member_batch(struct rj_space *s, struct rj_bytes bytes,
                                     struct rj_bytes branch)
{
    struct rj_env *env = s->node->env;
    struct rj_reader r = rj_reader_of(bytes);
    const struct rj_device *d;
    struct rj_record rec;
    struct rj_batch b;
    struct rj_origin_id id;
    uint32_t o = RJ_ORIGIN_NONE;
    enum rj_err err = rj_batch_get(&r, env, &s->id, true, &b);

    if (err != RJ_OK)
        return err;
    if (!rj_reader_complete(&r) || b.header.class != RJ_CLASS_MEMBER ||
        (branch.len != 0 && branch.len != RJ_ORIGIN_LEN))
        return RJ_ECORRUPT;
    if (branch.len != 0) {
        memcpy(id.b, branch.ptr, sizeof(id.b));
        o = rj_origins_find(&s->origins, &id);
        if (o == RJ_ORIGIN_NONE ||
            s->origins.items[o].root != rj_origins_find(&s->origins, &b.header.origin))
            return RJ_EPROTO;
    }
    err = rj_record_get(b.body, env, &rec);
    if (err != RJ_OK || rj_space_has_member_batch(s, &b, o))
        return err;
    d = signer_of(s, &b, &rec);
    if (d == NULL)
        return RJ_EPROTO;
    if (!env->ops->verify(env, d->pubkey, RJ_BYTES_OF(b.hash.b), b.sig))
        return RJ_EAUTH;
    return rj_space_note_member(s, &b, bytes, o);
}

static enum rj_err take_batches(struct rj_space *s, struct rj_reader *r)
{
    size_t n = rj_cbor_get_array(r), i;
    enum rj_err err = n % 2 != 0 || n / 2 > RJ_MEMBER_BATCHES_MAX ? RJ_EPROTO : RJ_OK;

    for (i = 0; i < n / 2 && err == RJ_OK; i++) {
        struct rj_bytes b = rj_cbor_get_bytes(r), branch = rj_cbor_get_bytes(r);

        err = r->failed ? RJ_EPROTO : take_member_batch(s, b, branch);
    }
    return err;
}

static enum rj_err take_heads(struct rj_space *s, struct rj_session *ss,
                              struct rj_reader *r)
{
    size_t n = rj_cbor_get_array(r), i;
    enum rj_err err = n % 2 != 0 || n / 2 > RJ_ORIGINS_MAX ? RJ_EPROTO : RJ_OK;

    for (i = 0; i < n / 2 && err == RJ_OK; i++) {
        struct rj_bytes raw = rj_cbor_get_bytes(r);
        uint8_t sig[RJ_SIG_LEN];

        rj_cbor_get_fixed(r, sig, sizeof(sig));
        err = r->failed ? RJ_EPROTO : rj_space_offer_head(s, raw, sig, ss);
    }
    return err;
}

static uint32_t get_origin(struct rj_reader *r, const struct rj_space *s)
{
    struct rj_origin_id id;

    rj_cbor_get_fixed(r, id.b, sizeof(id.b));
    return r->failed ? RJ_ORIGIN_NONE : rj_origins_find(&s->origins, &id);
}

static enum rj_err take_branches(struct rj_space *s, struct rj_reader *r)
{
    size_t n = rj_cbor_get_array(r), i;
    enum rj_err err = n % 4 != 0 || n / 4 > RJ_ORIGINS_MAX ? RJ_EPROTO : RJ_OK;

    for (i = 0; i < n / 4 && err == RJ_OK; i++) {
        struct rj_origin_id id, of;
        uint8_t hash[RJ_DEP_HASH_LEN];
        uint32_t parent;
        uint64_t start;

        rj_cbor_get_fixed(r, id.b, sizeof(id.b));
        rj_cbor_get_fixed(r, of.b, sizeof(of.b));
        start = rj_cbor_get_uint(r);
        rj_cbor_get_fixed(r, hash, sizeof(hash));
        if (r->failed || start == 0 || start > RJ_SEQ_MAX)
            return RJ_EPROTO;
        err = rj_space_add_origin(s, &of, &parent); /* its opening may come behind it */
        if (err == RJ_OK)
            err = rj_fork_learn(s, &id, parent, start, hash);
    }
    return err;
}

static enum rj_err take_choices(struct rj_space *s, struct rj_reader *r)
{
    size_t n = rj_cbor_get_array(r), i;
    enum rj_err err = n % 3 != 0 ? RJ_EPROTO : RJ_OK;

    for (i = 0; i < n / 3 && err == RJ_OK; i++) {
        uint32_t author = get_origin(r, s), of = get_origin(r, s),
                 branch = get_origin(r, s);

        if (r->failed)
            return RJ_EPROTO;
        if (author != RJ_ORIGIN_NONE && of != RJ_ORIGIN_NONE && branch != RJ_ORIGIN_NONE)
            err = rj_fork_note_choice(s, author, of, branch);
    }
    return err;
}

/* One origin: where its chain stands, and its author's past. */
static enum rj_err take_chain(struct rj_space *s, struct rj_session *ss,
                              struct rj_reader *r)
{
    struct rj_origin_id id;
    struct rj_digest hash = {0};
    struct rj_vv past = {0};
    uint64_t seq;
    uint32_t o;
    enum rj_err err;

    rj_cbor_get_fixed(r, id.b, sizeof(id.b));
    seq = rj_cbor_get_uint(r);
    rj_cbor_get_fixed(r, hash.b, sizeof(hash.b));
    err = rj_vv_decode(r, &s->origins, &past, NULL);
    o = rj_origins_find(&s->origins, &id);
    if (err == RJ_OK && o != RJ_ORIGIN_NONE && o != s->self) {
        err = rj_vv_join(&s->os[o].past, &past);
        s->os[o].dirty = true;
        if (!rj_vv_has(&s->vv, o, seq)) {
            s->os[o].chain = hash;
            s->os[o].chain_seq = seq;
        } else if (rj_fork_differs(s, o, seq, hash.b)) { /* no part of it is taken */
            rj_fork_doubt(s, ss, o, seq);
            err = RJ_EGAP;
        }
    }
    rj_vv_done(&past);
    return err;
}

static enum rj_err take_chains(struct rj_space *s, struct rj_session *ss,
                               struct rj_reader *r)
{
    size_t n = rj_cbor_get_array(r), i;
    enum rj_err err =
        r->failed || n % CHAIN_ITEMS != 0 || n / CHAIN_ITEMS > RJ_ORIGINS_MAX ? RJ_EPROTO
                                                                              : RJ_OK;

    for (i = 0; i < n / CHAIN_ITEMS && err == RJ_OK; i++)
        err = take_chain(s, ss, r);
    return err;
}

enum rj_err rj_meta_heard(struct rj_session *ss, struct rj_link *l, struct rj_reader *r)
{
    struct rj_space *s = l->space;
    uint64_t request = rj_cbor_get_uint(r);
    bool more = rj_cbor_get_bool(r);
    enum rj_err err;

    if (r->failed)
        return RJ_EPROTO;
    if (!rj_transfer_is_asked(s, ss, request))
        return RJ_OK; /* of a transfer that was given up */
    err = take_branches(s, r);
    if (err == RJ_EGAP || err == RJ_ELIMIT) { /* no part is taken by other names */
        rj_transfer_busy(s);
        (void)rj_reader_rest(r);
        return RJ_OK;
    }
    if (err == RJ_OK)
        err = take_batches(s, r);
    if (err == RJ_OK)
        err = take_choices(s, r);
    if (err == RJ_OK)
        err = take_heads(s, ss, r);
    if (err == RJ_OK)
        err = take_chains(s, ss, r);
    if (err == RJ_EGAP) {
        rj_transfer_busy(s);
        (void)rj_reader_rest(r);
        return RJ_OK;
    }
    if (err == RJ_OK && !rj_reader_complete(r))
        err = RJ_EPROTO;
    if (err == RJ_OK && !more)
        s->transfer.meta_done = true;
    return err;
}

/* ---- the holder's side */

enum list { BRANCHES, BATCHES, CHOICES, HEADS, CHAINS, LISTS };

/* A frame in the making. */
struct meta {
    struct rj_buf *out;
    uint64_t number, request;
    struct rj_buf lists[LISTS];
    size_t items[LISTS];
};

static void end_frame(struct meta *m, bool more)
{
    size_t at = rj_frame_begin(m->out, RJ_FRAME_META, 8), i;

    rj_cbor_put_uint(m->out, m->number);
    rj_cbor_put_uint(m->out, m->request);
    rj_cbor_put_bool(m->out, more);
    for (i = 0; i < LISTS; i++) {
        rj_cbor_put_array(m->out, m->items[i]);
        rj_buf_append(m->out, rj_buf_view(&m->lists[i]));
        if (m->lists[i].failed)
            rj_buf_fail(m->out, rj_buf_err(&m->lists[i]));
        rj_buf_clear(&m->lists[i]);
        m->items[i] = 0;
    }
    rj_frame_end(m->out, at);
}

/* Something of n items was appended to a list. */
static void added(struct meta *m, enum list list, size_t n)
{
    m->items[list] += n;
    if (m->lists[list].len >= RJ_FRAME_MORE_BYTES)
        end_frame(m, true);
}

static void put_id(struct rj_buf *b, const struct rj_space *s, uint32_t o)
{
    rj_cbor_put_bytes(b, RJ_BYTES_OF(s->origins.items[o].id.b));
}

/* Branches (R7), each behind the one that it goes on from, which begins before it. */
static void put_branches(struct meta *m, const struct rj_space *s)
{
    struct rj_buf *b = &m->lists[BRANCHES];
    uint64_t start = 0, next;
    uint32_t o;

    for (; s->n_splits > 0 && start != UINT64_MAX; start = next) {
        next = UINT64_MAX;
        for (o = 0; o < s->origins.n; o++) {
            const struct rj_origin *item = &s->origins.items[o];

            if (item->parent == RJ_ORIGIN_NONE)
                continue;
            if (item->start > start && item->start < next)
                next = item->start;
            if (item->start != start)
                continue;
            put_id(b, s, o);
            put_id(b, s, item->parent);
            rj_cbor_put_uint(b, item->start);
            rj_cbor_put_bytes(b,
                              rj_bytes_of(s->os[item->parent].chain.b, RJ_DEP_HASH_LEN));
            added(m, BRANCHES, 4);
        }
    }
}

static void put_choices(struct meta *m, const struct rj_space *s)
{
    struct rj_buf *b = &m->lists[CHOICES];
    uint32_t o;
    size_t i;

    for (o = 0; o < s->origins.n; o++) {
        for (i = 0; i < s->os[o].n_choices; i++) {
            put_id(b, s, o);
            put_id(b, s, s->os[o].choices[i].of);
            put_id(b, s, s->os[o].choices[i].branch);
            added(m, CHOICES, 3);
        }
    }
}

static void put_origins(struct meta *m, const struct rj_space *s)
{
    struct rj_buf *b = &m->lists[CHAINS];
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        if (s->os[o].head.len == 0)
            continue;
        rj_buf_append(&m->lists[HEADS], rj_buf_view(&s->os[o].head));
        added(m, HEADS, 2);
    }
    for (o = 0; o < s->origins.n; o++) {
        if (s->os[o].chain_seq == 0)
            continue;
        rj_cbor_put_bytes(b, RJ_BYTES_OF(s->origins.items[o].id.b));
        rj_cbor_put_uint(b, s->os[o].chain_seq);
        rj_cbor_put_bytes(b, RJ_BYTES_OF(s->os[o].chain.b));
        rj_vv_encode(b, &s->origins, &s->os[o].past);
        added(m, CHAINS, CHAIN_ITEMS);
    }
}

void rj_meta_put(struct rj_session *ss, struct rj_link *l, uint64_t request)
{
    const struct rj_space *s = l->space;
    struct meta m = {.out = &ss->out, .number = l->number_here, .request = request};
    size_t i;

    put_branches(&m, s);
    for (i = 0; i < s->n_member_batches; i++) {
        const struct rj_origin *item = &s->origins.items[s->member_origins[i]];

        rj_cbor_put_bytes(&m.lists[BATCHES], rj_buf_view(&s->member_batches[i]));
        rj_cbor_put_bytes(&m.lists[BATCHES],
                          rj_bytes_of(item->id.b, item->parent != RJ_ORIGIN_NONE
                                                      ? sizeof(item->id.b)
                                                      : 0));
        added(&m, BATCHES, 2);
    }
    put_choices(&m, s);
    put_origins(&m, s);
    end_frame(&m, false);
    for (i = 0; i < LISTS; i++)
        rj_buf_done(&m.lists[i]);
    l->meta_batches = s->n_member_batches + s->origins.n;
}
