/* SPDX-License-Identifier: Apache-2.0 */
/* What is needed to judge before a part of the state is taken (R5, R8): all membership
 * batches, the last heads, where the chain of each origin stands and what its author had
 * seen there; and by which headers the chain came there. It goes in as many frames as it
 * takes; each is used as it comes, the last one says so. Signatures are checked here as
 * at delivery; chain ends, trails and pasts are believed, where what is here says nothing
 * else. */
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

static enum rj_err take_branches(struct rj_space *s, struct rj_session *ss,
                                 struct rj_reader *r)
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
        if (err == RJ_EGAP || err == RJ_ELIMIT) /* no part is taken by other names */
            rj_line_part(s, ss, parent, start + 1);
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

/* One origin: where its chain stands, and its author's past. RJ_EGAP: there is another
 * branch of it here, or the holder does not know of its split: no part of it is taken. */
static enum rj_err take_chain(struct rj_space *s, struct rj_session *ss,
                              struct rj_reader *r)
{
    struct rj_digest hash = {0};
    struct rj_vv past = {0};
    struct rj_dep dep = {0};
    uint32_t o;
    enum rj_err err;

    rj_cbor_get_fixed(r, dep.origin.b, sizeof(dep.origin.b));
    dep.seq = rj_cbor_get_uint(r);
    rj_cbor_get_fixed(r, hash.b, sizeof(hash.b));
    memcpy(dep.hash, hash.b, sizeof(dep.hash));
    err = rj_vv_decode(r, &s->origins, &past, NULL);
    if (err == RJ_OK && dep.seq > RJ_SEQ_MAX)
        err = RJ_EPROTO;
    o = rj_origins_find(&s->origins, &dep.origin);
    if (err == RJ_OK && o != RJ_ORIGIN_NONE) {
        err = rj_line_judge(s, ss, &dep);
        if (err == RJ_OK && dep.seq > s->origins.items[o].end) {
            rj_fork_answer(s, ss, &dep);
            rj_line_part(s, ss, o, dep.seq);
            err = RJ_EGAP;
        }
        if (err == RJ_OK && o != s->self)
            err = rj_vv_join(&s->os[o].past, &past);
        if (err == RJ_OK && o != s->self)
            err = rj_line_tell(s, o, dep.seq, &hash);
        s->os[o].dirty = true;
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

/* By which headers the chain of an origin came there. */
static enum rj_err take_trail(struct rj_space *s, struct rj_session *ss,
                              struct rj_reader *r)
{
    uint32_t o = get_origin(r, s);
    size_t n, i;
    enum rj_err err = RJ_OK;

    n = rj_cbor_get_array(r);
    if (r->failed || n % 3 != 0 || n / 3 > RJ_TOLD_POINTS)
        return RJ_EPROTO;
    for (i = 0; i < n / 3 && err == RJ_OK; i++) {
        struct rj_trail_point p = {.first = rj_cbor_get_uint(r)};
        uint64_t count = rj_cbor_get_uint(r);

        rj_cbor_get_fixed(r, p.hash, sizeof(p.hash));
        if (r->failed || p.first == 0 || p.first > RJ_SEQ_MAX || count == 0 ||
            count > RJ_BATCH_WRITES_MAX)
            return RJ_EPROTO;
        if (o == RJ_ORIGIN_NONE)
            continue;
        p.last = p.first + count - 1;
        err = rj_line_judge_point(s, ss, o, &p);
        if (err == RJ_OK && o != s->self)
            err = rj_line_tell_point(s, o, &p);
    }
    return err;
}

static enum rj_err take_trails(struct rj_space *s, struct rj_session *ss,
                               struct rj_reader *r)
{
    size_t n = rj_cbor_get_array(r), i;
    enum rj_err err = r->failed || n % 2 != 0 ? RJ_EPROTO : RJ_OK;

    for (i = 0; i < n / 2 && err == RJ_OK; i++)
        err = take_trail(s, ss, r);
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
    err = take_branches(s, ss, r);
    if (err == RJ_EGAP || err == RJ_ELIMIT) {
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
    if (err == RJ_OK)
        err = take_trails(s, ss, r);
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

enum list { BRANCHES, BATCHES, CHOICES, HEADS, CHAINS, TRAILS, LISTS };

/* A frame in the making. */
struct meta {
    struct rj_buf *out;
    uint64_t number, request;
    struct rj_buf lists[LISTS];
    size_t items[LISTS];
};

static void end_frame(struct meta *m, bool more)
{
    size_t at = rj_frame_begin(m->out, RJ_FRAME_META, 3 + LISTS), i;

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
    size_t bytes = 0, i;

    m->items[list] += n;
    for (i = 0; i < LISTS; i++)
        bytes += m->lists[i].len;
    if (bytes >= RJ_FRAME_MORE_BYTES)
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

static void put_heads(struct meta *m, const struct rj_space *s)
{
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        if (s->os[o].head.len == 0)
            continue;
        rj_buf_append(&m->lists[HEADS], rj_buf_view(&s->os[o].head));
        added(m, HEADS, 2);
    }
}

/* Behind that the asker is told the headers: also the one that its own last must be. */
static uint64_t told_to(const struct rj_link *l, uint32_t o)
{
    uint64_t told = rj_vv_get(&l->chains, o), claim = rj_vv_get(&l->claims, o);

    return claim > told ? claim - 1 : told;
}

/* What of the trails goes: points of that level, so that they are not too many. */
static unsigned level_of(const struct rj_space *s, const struct rj_link *l)
{
    struct rj_trail_point p;
    size_t n = 0;
    unsigned level = 0;
    uint64_t seq;
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        for (seq = told_to(l, o); rj_line_next(s, o, seq, &p); seq = p.last)
            n++;
    }
    for (; n > RJ_TRAIL_MAX / 2; n /= 2)
        level++;
    return level;
}

static void put_trail(struct meta *m, const struct rj_space *s, uint32_t o, uint64_t told,
                      unsigned level)
{
    struct rj_buf points = {0};
    struct rj_trail_point p;
    uint64_t from = told;
    size_t n = 0;

    while (rj_line_next(s, o, told, &p)) {
        bool goes = told == from || rj_trail_level(p.hash) >= level;

        told = p.last;
        if (goes) {
            rj_cbor_put_uint(&points, p.first);
            rj_cbor_put_uint(&points, p.last - p.first + 1);
            rj_cbor_put_bytes(&points, RJ_BYTES_OF(p.hash));
            n++;
        }
        if (n == RJ_TOLD_POINTS || (n > 0 && !rj_line_next(s, o, told, &p))) {
            put_id(&m->lists[TRAILS], s, o);
            rj_cbor_put_array(&m->lists[TRAILS], 3 * n);
            rj_buf_append(&m->lists[TRAILS], rj_buf_view(&points));
            if (points.failed)
                rj_buf_fail(&m->lists[TRAILS], rj_buf_err(&points));
            added(m, TRAILS, 2);
            rj_buf_clear(&points);
            n = 0;
        }
    }
    rj_buf_done(&points);
}

/* Chains that stand elsewhere than the asker was told. */
static void put_chains(struct meta *m, const struct rj_space *s, struct rj_link *l,
                       bool all)
{
    struct rj_buf *b = &m->lists[CHAINS];
    unsigned level = level_of(s, l);
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        uint64_t told = rj_vv_get(&l->chains, o), seq = s->os[o].chain_seq;

        if (seq == 0 || (seq <= told && !all))
            continue;
        put_id(b, s, o);
        rj_cbor_put_uint(b, seq);
        rj_cbor_put_bytes(b, RJ_BYTES_OF(s->os[o].chain.b));
        rj_vv_encode(b, &s->origins, &s->os[o].past);
        added(m, CHAINS, CHAIN_ITEMS);
        put_trail(m, s, o, told_to(l, o), level);
        if (rj_vv_put(&l->chains, o, seq) != RJ_OK)
            rj_buf_fail(b, RJ_ENOMEM);
    }
}

static void meta_done(struct meta *m)
{
    size_t i;

    for (i = 0; i < LISTS; i++)
        rj_buf_done(&m->lists[i]);
}

void rj_meta_put(struct rj_session *ss, struct rj_link *l, uint64_t request)
{
    const struct rj_space *s = l->space;
    struct meta m = {.out = &ss->out, .number = l->number_here, .request = request};
    size_t i;

    rj_vv_clear(&l->chains);
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
    put_heads(&m, s);
    put_chains(&m, s, l, true);
    end_frame(&m, false);
    meta_done(&m);
    l->meta_batches = s->n_member_batches + s->origins.n;
}

void rj_meta_put_moved(struct rj_session *ss, struct rj_link *l, uint64_t request)
{
    const struct rj_space *s = l->space;
    struct meta m = {.out = &ss->out, .number = l->number_here, .request = request};
    bool moved = false;
    uint32_t o;

    for (o = 0; o < s->origins.n; o++)
        moved = moved || s->os[o].chain_seq > rj_vv_get(&l->chains, o);
    if (!moved)
        return;
    put_chains(&m, s, l, false);
    end_frame(&m, false);
    meta_done(&m);
}
