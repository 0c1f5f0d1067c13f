/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery (R3): batch (o, s..t) is applied iff vv[o] = s-1 and vv >= deps, as one unit;
 * else it is parked, bounded for each session, and after a short while asked for what it
 * waits for. Openings (R1) have no deps: they wait for their device only. Rights (R8) are
 * judged by what the author is known to have seen; of a closed device's origins nothing
 * is merged above what active members had durably, until a role record readmits it (R6):
 * then what it wrote meanwhile flows as that of any member that was away. */
#include "base/alloc.h"
#include "base/cbor.h"
#include "node/frame.h"
#include "node/state.h"

enum verdict { APPLIED, WAITS, REFUSED };

static struct rj_bytes parked_key(const struct rj_map_node *node)
{
    const struct rj_parked *p = RJ_MAP_ENTRY_CONST(node, struct rj_parked, node);

    return RJ_BYTES_OF(p->key);
}

static void make_key(uint8_t key[RJ_ORIGIN_LEN + 8 + RJ_DEP_HASH_LEN],
                     const struct rj_origin_id *id, uint64_t first, const uint8_t *hash)
{
    memcpy(key, id->b, RJ_ORIGIN_LEN);
    rj_be_store64(key + RJ_ORIGIN_LEN, first);
    if (hash != NULL)
        memcpy(key + RJ_ORIGIN_LEN + 8, hash, RJ_DEP_HASH_LEN);
    else
        memset(key + RJ_ORIGIN_LEN + 8, 0, RJ_DEP_HASH_LEN);
}

static void unpark(struct rj_space *s, struct rj_parked *p)
{
    struct rj_session *ss = rj_node_session(s->node, p->session);

    rj_map_remove(&s->parked, &p->node);
    s->parked_bytes -= p->size;
    if (ss != NULL)
        ss->parked_bytes -= p->size;
    free(p);
}

void rj_space_unpark_session(struct rj_space *s, uint64_t session)
{
    struct rj_map_node *node, *next;

    for (node = rj_map_first(&s->parked); node != NULL; node = next) {
        struct rj_parked *p = RJ_MAP_ENTRY(node, struct rj_parked, node);

        next = rj_map_next(node);
        if (session == 0 || p->session == session)
            unpark(s, p);
    }
}

/* ---- what is known of origins */

struct rj_origin_state *rj_space_origin(struct rj_space *s, uint32_t origin)
{
    if (origin >= s->os_n) {
        uint32_t n = s->os_n != 0 ? s->os_n : 8;
        struct rj_origin_state *os;

        while (n <= origin)
            n *= 2;
        os = rj_alloc_resize(s->os, n, sizeof(*os));
        if (os == NULL)
            return NULL;
        memset(os + s->os_n, 0, (n - s->os_n) * sizeof(*os));
        s->os = os;
        for (; s->os_n < n; s->os_n++)
            s->os[s->os_n].device = UINT32_MAX;
    }
    return &s->os[origin];
}

enum rj_err rj_space_add_origin(struct rj_space *s, const struct rj_origin_id *id,
                                uint32_t *ret_index)
{
    enum rj_err err = rj_origins_add(&s->origins, id, ret_index);

    if (err == RJ_OK && rj_space_origin(s, *ret_index) == NULL)
        err = RJ_ENOMEM;
    return err;
}

bool rj_space_is_active(const struct rj_space *s, uint32_t o)
{
    return s->origins.items[o].opened && !s->os[o].closed &&
           s->origins.items[o].parent == RJ_ORIGIN_NONE &&
           s->origins.items[o].replaced_by == RJ_ORIGIN_NONE;
}

uint64_t rj_space_next(const struct rj_space *s, uint32_t origin)
{
    uint64_t seq = rj_vv_get(&s->vv, origin);

    return (seq > s->origins.items[origin].start ? seq : s->origins.items[origin].start) +
           1;
}

enum rj_err rj_space_stable(const struct rj_space *s, struct rj_vv *v)
{
    bool any = false;
    enum rj_err err = RJ_OK;
    uint32_t o;

    rj_vv_clear(v);
    for (o = 0; o < s->origins.n && err == RJ_OK; o++) {
        if (!rj_space_is_active(s, o))
            continue;
        if (any)
            rj_vv_meet(v, &s->os[o].known);
        else
            err = rj_vv_copy(v, &s->os[o].known);
        any = true;
    }
    rj_vv_meet(v, &s->vv);
    return err;
}

enum rj_err rj_space_settled(const struct rj_space *s, struct rj_vv *v)
{
    enum rj_err err = rj_space_stable(s, v);
    uint32_t o;
    size_t i;

    for (i = 0; err == RJ_OK && i < s->members.n; i++) {
        const struct rj_device *d = &s->members.items[i];

        if (!d->closed && d->active == RJ_ORIGIN_NONE)
            rj_vv_clear(v); /* its opening is on the way */
    }
    for (o = 0; err == RJ_OK && o < s->origins.n; o++) {
        if (rj_space_is_active(s, o) && !rj_vv_covers(&s->vv, &s->os[o].known))
            rj_vv_clear(v);
    }
    return err;
}

bool rj_space_allows(const struct rj_space *s, uint32_t origin, uint64_t last)
{
    uint32_t m;

    if (!s->os[origin].closed || last <= s->os[origin].frozen || last == 1)
        return true;
    for (m = 0; m < s->origins.n; m++) {
        if (s->origins.items[m].opened && !s->os[m].closed &&
            rj_vv_has(&s->os[m].known, origin, last))
            return true;
    }
    return false;
}

/* Whether the author of origin o had at least `need` in a past that is consistent with
 * all that its batches tell of what it had seen. */
static bool has_right(const struct rj_space *s, uint32_t o, enum rj_role need)
{
    const struct rj_device *d;
    size_t i, j;

    if (s->os[o].device == UINT32_MAX)
        return false;
    d = &s->members.items[s->os[o].device];
    for (i = 0; i < d->n_records; i++) {
        const struct rj_role_record *g = &d->records[i];
        bool good = g->role >= need &&
                    (g->dot.seq == 0 || rj_vv_has(&s->vv, g->dot.origin, g->dot.seq));

        for (j = 0; good && j < d->n_records; j++) {
            const struct rj_role_record *r = &d->records[j];

            if (r->role < need && r->dot.seq != 0 && !r->close &&
                rj_vv_has(&s->os[o].past, r->dot.origin, r->dot.seq) &&
                (g->dot.seq == 0 ||
                 rj_dot_order(&s->origins, g->stamp, g->dot, r->stamp, r->dot) < 0))
                good = false;
        }
        if (good)
            return true;
    }
    return false;
}

/* ---- judging a batch */

static bool verify(struct rj_space *s, const uint8_t *pubkey,
                   const struct rj_digest *hash, const uint8_t *sig)
{
    return s->node->env->ops->verify(s->node->env, pubkey, RJ_BYTES_OF(hash->b), sig);
}

/* Every dep is covered by the vector, and what is here is what it means. */
static enum rj_err check_deps(struct rj_space *s, const struct rj_header *h,
                              uint32_t author, struct rj_session *from)
{
    struct rj_reader r = rj_reader_of(h->deps);
    struct rj_dep dep;

    while (rj_deps_next(&r, &dep)) {
        uint32_t o = rj_fork_locate(s, &dep, author);

        if (o == RJ_ORIGIN_NONE || !rj_vv_has(&s->vv, o, dep.seq))
            return RJ_EGAP;
        if (rj_fork_contradicts(s, o, &dep)) {
            rj_fork_doubt(s, from, o, dep.seq);
            return RJ_EGAP;
        }
    }
    return RJ_OK;
}

/* How the author of an origin means names. */
static struct rj_names names_of(const struct rj_space *s, uint32_t o)
{
    return (struct rj_names){
        .origins = &s->origins, .items = s->os[o].choices, .n = s->os[o].n_choices};
}

static enum rj_err view_data(struct rj_space *s, const struct rj_batch *b, uint32_t o,
                             struct rj_batch_view *ret)
{
    struct rj_reader r = rj_reader_of(b->body);
    enum rj_err err = rj_dict_get(&r, &s->origins, s->node->dict, &ret->dict_n);

    if (err != RJ_OK)
        return err;
    if (ret->dict_n == 0 || s->node->dict[0] != s->origins.items[o].root)
        return RJ_ECORRUPT;
    ret->origin = o;
    ret->first = b->header.first;
    ret->count = b->header.count;
    ret->stamp = b->header.stamp;
    ret->dict = s->node->dict;
    ret->ops = rj_reader_rest(&r);
    return RJ_OK;
}

enum rj_err rj_space_cut_data(struct rj_space *s, const struct rj_batch *b, uint32_t o)
{
    struct rj_names names = names_of(s, o);
    struct rj_batch_view view = {.names = &names};
    enum rj_err err = view_data(s, b, o, &view);

    return err == RJ_OK ? s->kind->ops->cut(s->kind, &view) : err;
}

enum rj_err rj_space_apply_data(struct rj_space *s, const struct rj_batch *b, uint32_t o,
                                const struct rj_vv *have)
{
    struct rj_names names = names_of(s, o);
    struct rj_batch_view view = {.have = have, .names = s->n_splits > 0 ? &names : NULL};
    enum rj_err err = view_data(s, b, o, &view);

    if (err == RJ_OK)
        err = s->kind->ops->check(s->kind, &view);
    if (err != RJ_OK)
        return err;
    err = s->kind->ops->apply(s->kind, &view, s->contexts);
    return err == RJ_OK ? RJ_OK : rj_node_die(s->node, RJ_ENOMEM, "applying a batch");
}

/* Applies what has passed all checks. */
static enum rj_err apply(struct rj_space *s, const struct rj_batch *b, uint32_t o,
                         struct rj_bytes bytes)
{
    enum rj_err err;

    s->overtaken = s->overtaken || s->writer.count > 0;
    if (b->header.class == RJ_CLASS_MEMBER)
        err = rj_space_note_member(s, b, bytes, o);
    else
        err = rj_space_apply_data(s, b, o, &s->vv);
    if (err != RJ_OK)
        return err;
    if (b->header.stamp > s->clock)
        s->clock = b->header.stamp;
    return rj_space_log(s, b, o, bytes);
}

/* An opening record: its device must be a member, its signature the device's. */
static enum rj_err judge_opening(struct rj_space *s, const struct rj_batch *b)
{
    struct rj_record rec;
    enum rj_err err = rj_record_get(b->body, s->node->env, &rec);
    struct rj_device *d;

    if (err != RJ_OK)
        return err;
    if (rec.kind != RJ_RECORD_OPEN || b->header.class != RJ_CLASS_MEMBER ||
        b->header.n_deps != 0)
        return RJ_ECORRUPT;
    d = rj_members_find(&s->members, &rec.device);
    if (d == NULL)
        return RJ_EGAP;
    if (!verify(s, d->pubkey, &b->hash, b->sig))
        return RJ_EAUTH;
    return RJ_OK;
}

enum rj_err rj_space_note_past(struct rj_space *s, const struct rj_header *h, uint32_t o)
{
    struct rj_reader r = rj_reader_of(h->deps);
    struct rj_vv *past = &s->os[o].past;
    enum rj_err err = RJ_OK;
    struct rj_dep dep;

    while (err == RJ_OK && rj_deps_next(&r, &dep)) {
        uint32_t d = rj_fork_locate(s, &dep, o);
        uint64_t seq = dep.seq;

        for (; err == RJ_OK && d != RJ_ORIGIN_NONE; d = s->origins.items[d].parent) {
            /* What else it had seen decides nothing, and would grow with each opening. */
            if (s->os[d].rules && rj_vv_get(past, d) < seq) {
                err = rj_vv_put(past, d, seq);
                s->os[o].dirty = true;
                s->dirty = true;
            }
            seq = s->origins.items[d].start;
        }
    }
    return err;
}

/* Any other batch: order, deps, limit, signature, right. RJ_EGAP: it has to wait. */
static enum rj_err judge(struct rj_space *s, const struct rj_batch *b, uint32_t o,
                         struct rj_session *from)
{
    const struct rj_origin_state *os = &s->os[o];
    enum rj_role need =
        b->header.class == RJ_CLASS_MEMBER ? RJ_ROLE_ADMIN : RJ_ROLE_WRITER;
    enum rj_err err;

    if (os->device == UINT32_MAX)
        return RJ_EGAP;
    if ((os->chain_seq == b->header.first - 1 &&
         memcmp(os->chain.b, b->header.prev.b, RJ_DIGEST_LEN) != 0) ||
        rj_fork_differs(s, o, b->header.first - 1, b->header.prev.b)) {
        rj_fork_doubt(s, from, o, b->header.first - 1);
        return RJ_EFORK;
    }
    err = check_deps(s, &b->header, o, from);
    if (err != RJ_OK)
        return err;
    if (!rj_space_allows(s, o, rj_header_last(&b->header)) && !rj_fork_is_told(s, b))
        return RJ_EGAP;
    if (!verify(s, s->members.items[os->device].pubkey, &b->hash, b->sig))
        return RJ_EAUTH;
    err = rj_fork_choose(s, &b->header, o);
    if (err == RJ_OK)
        err = rj_space_note_past(s, &b->header, o);
    if (err != RJ_OK)
        return err;
    if (!has_right(s, o, need))
        return RJ_EDENIED;
    if (need == RJ_ROLE_WRITER || rj_space_has_member_batch(s, b, o))
        return RJ_OK; /* a record that came with a part of the state is believed */
    return rj_space_may_record(s, b, o);
}

static enum rj_err refuse_clock(struct rj_space *s, struct rj_session *from)
{
    struct rj_link *l = from != NULL ? rj_session_link(from, s) : NULL;
    size_t at;

    rj_node_note(s->node, RJ_NOTE_WARN, RJ_ECLOCK, "clock-refused space=%s peer=%s",
                 s->name, from != NULL ? from->name : "-");
    if (l == NULL || !l->told)
        return RJ_OK;
    at = rj_frame_begin(&from->out, RJ_FRAME_CLOCK, 2);
    rj_cbor_put_uint(&from->out, l->number_here);
    rj_cbor_put_uint(&from->out, s->node->now.wall.ms);
    rj_frame_end(&from->out, at);
    return RJ_OK;
}

/* Tells of a batch that can never be applied, and ends the session that brought it when
 * its sender could have seen that. */
static void refuse(struct rj_space *s, const struct rj_batch *b, enum rj_err err,
                   struct rj_session *from)
{
    s->invalid++;
    if (err == RJ_EFORK)
        s->forks++;
    rj_node_note(s->node, RJ_NOTE_WARN, err, "batch-refused space=%s first=%llu", s->name,
                 (unsigned long long)b->header.first);
    if (from != NULL && err != RJ_EFORK && err != RJ_EDENIED)
        rj_session_close(from, err, s->node, "batch refused");
}

static bool is_author(const struct rj_space *s, const struct rj_session *from, uint32_t o)
{
    if (from == NULL || o == RJ_ORIGIN_NONE || s->os[o].device == UINT32_MAX)
        return false;
    return memcmp(from->device.b, s->members.items[s->os[o].device].id.b,
                  RJ_DIGEST_LEN) == 0;
}

/* Who brings a batch has it. */
static enum rj_err note_sender(struct rj_space *s, struct rj_session *from, uint32_t o,
                               uint64_t last)
{
    struct rj_link *l = from != NULL ? rj_session_link(from, s) : NULL;
    enum rj_err err = RJ_OK;

    if (l != NULL && rj_vv_get(&l->received, o) < last)
        err = rj_vv_put(&l->received, o, last);
    if (err == RJ_OK && l != NULL && rj_vv_get(&l->sent, o) < last)
        err = rj_vv_put(&l->sent, o, last);
    return err;
}

/* A batch, as it came, and who brought it (NULL: nobody any more). */
struct offered {
    const struct rj_batch *batch;
    struct rj_bytes bytes;
    struct rj_session *from;
};

/* Judges and applies one batch of origin o (RJ_ORIGIN_NONE: unknown). */
static enum rj_err try_batch(struct rj_space *s, const struct offered *offered,
                             uint32_t o, enum verdict *ret)
{
    const struct rj_batch *b = offered->batch;
    struct rj_session *from = offered->from;
    enum rj_err err = b->header.first == 1 ? judge_opening(s, b) : judge(s, b, o, from);

    *ret = WAITS;
    if (err == RJ_EGAP)
        return RJ_OK;
    *ret = REFUSED;
    if (err == RJ_OK && is_author(s, from, o) &&
        rj_clock_refuses(s, o, b->header.stamp, from))
        return refuse_clock(s, from);
    if (err == RJ_OK && o == RJ_ORIGIN_NONE)
        err = rj_space_add_origin(s, &b->header.origin, &o);
    if (err == RJ_OK)
        err = apply(s, b, o, offered->bytes);
    if (s->node->dead != RJ_OK || err == RJ_ENOMEM)
        return err != RJ_OK ? err : s->node->dead;
    if (err == RJ_EGAP && b->header.class == RJ_CLASS_DATA) {
        *ret = WAITS; /* it names what is not here */
        return RJ_OK;
    }
    if (err != RJ_OK) {
        refuse(s, b, err, from);
        return RJ_OK;
    }
    *ret = APPLIED;
    return note_sender(s, from, o, rj_header_last(&b->header));
}

/* The same for a parked one. */
static enum rj_err try_parked(struct rj_space *s, struct rj_parked *p, uint32_t o,
                              enum verdict *ret)
{
    struct rj_batch b;
    struct offered offered = {.batch = &b, .bytes = rj_bytes_of(p->bytes, p->size)};
    struct rj_reader r = rj_reader_of(offered.bytes);
    enum rj_err err = rj_batch_get(&r, s->node->env, &s->id, false, &b);

    *ret = REFUSED;
    if (err != RJ_OK)
        return RJ_OK; /* not after offer has checked it */
    offered.from = rj_node_session(s->node, p->session);
    return try_batch(s, &offered, o, ret);
}

/* The branch that a parked batch of a split incarnation belongs to. RJ_ORIGIN_NONE: not
 * known yet. */
static uint32_t branch_of(struct rj_space *s, const struct rj_parked *p)
{
    struct rj_reader r = rj_reader_of(rj_bytes_of(p->bytes, p->size));
    struct rj_batch b;
    uint32_t o;
    enum rj_err err = rj_batch_get(&r, s->node->env, &s->id, false, &b);

    if (err == RJ_OK)
        err = rj_fork_find(s, &b, &o);
    if (err == RJ_EGAP)
        err = rj_fork_begin(s, &b, &o);
    return err == RJ_OK ? o : RJ_ORIGIN_NONE;
}

/* All that can be applied now of an incarnation that was split. */
static enum rj_err drain_branches(struct rj_space *s, uint32_t root, bool *progress)
{
    uint8_t key[RJ_ORIGIN_LEN + 8 + RJ_DEP_HASH_LEN];
    struct rj_map_node *node, *next;
    enum rj_err err = RJ_OK;

    make_key(key, &s->origins.items[root].id, 0, NULL);
    for (node = rj_map_lower_bound(&s->parked, RJ_BYTES_OF(key));
         err == RJ_OK && node != NULL; node = next) {
        struct rj_parked *p = RJ_MAP_ENTRY(node, struct rj_parked, node);
        uint64_t first = rj_be_load64(p->key + RJ_ORIGIN_LEN);
        enum verdict verdict = WAITS;
        uint32_t o;

        next = rj_map_next(node);
        if (memcmp(p->key, key, RJ_ORIGIN_LEN) != 0)
            break;
        o = branch_of(s, p);
        if (o == RJ_ORIGIN_NONE || first > rj_space_next(s, o))
            continue;
        if (first == rj_space_next(s, o))
            err = try_parked(s, p, o, &verdict);
        else
            verdict = REFUSED;
        *progress = *progress || verdict == APPLIED;
        if (err == RJ_OK && verdict != WAITS)
            unpark(s, p);
    }
    return err;
}

/* All that can be applied now of one origin. */
static enum rj_err drain_origin(struct rj_space *s, uint32_t o, bool *progress)
{
    uint8_t key[RJ_ORIGIN_LEN + 8 + RJ_DEP_HASH_LEN];
    const struct rj_origin_id *id;
    enum verdict verdict;
    enum rj_err err;

    if (s->origins.items[o].parent != RJ_ORIGIN_NONE)
        return RJ_OK;
    if (s->origins.items[o].end != UINT64_MAX)
        return drain_branches(s, o, progress);
    for (;;) {
        struct rj_map_node *node;
        struct rj_parked *p;
        uint64_t first, next = rj_vv_get(&s->vv, o) + 1;

        id = &s->origins.items[o].id;
        make_key(key, id, 0, NULL);
        node = rj_map_lower_bound(&s->parked, RJ_BYTES_OF(key));
        if (node == NULL)
            return RJ_OK;
        p = RJ_MAP_ENTRY(node, struct rj_parked, node);
        first = rj_be_load64(p->key + RJ_ORIGIN_LEN);
        if (memcmp(p->key, id->b, RJ_ORIGIN_LEN) != 0 || first > next)
            return RJ_OK;
        if (first < next) {
            unpark(s, p);
            continue;
        }
        err = try_parked(s, p, o, &verdict);
        if (err != RJ_OK || verdict == WAITS)
            return err;
        unpark(s, p);
        *progress = true;
    }
}

/* Openings of origins that are not known yet. */
static enum rj_err drain_openings(struct rj_space *s, bool *progress)
{
    struct rj_map_node *node, *next;
    enum rj_err err = RJ_OK;

    if (s->parked_unknown == 0)
        return RJ_OK;
    s->parked_unknown = 0;
    for (node = rj_map_first(&s->parked); err == RJ_OK && node != NULL; node = next) {
        struct rj_parked *p = RJ_MAP_ENTRY(node, struct rj_parked, node);
        struct rj_origin_id id;
        enum verdict verdict = WAITS;

        next = rj_map_next(node);
        memcpy(id.b, p->key, RJ_ORIGIN_LEN);
        if (rj_origins_find(&s->origins, &id) != RJ_ORIGIN_NONE)
            continue;
        s->parked_unknown++;
        if (rj_be_load64(p->key + RJ_ORIGIN_LEN) == 1)
            err = try_parked(s, p, RJ_ORIGIN_NONE, &verdict);
        if (err == RJ_OK && verdict != WAITS) {
            unpark(s, p);
            *progress = true;
        }
    }
    return err;
}

/* Makes the space ready to apply foreign batches: own pending writes are cut first, since
 * all writes of a batch are made at one vector; but under load not more often than every
 * RJ_CUT_MS. */
static enum rj_err make_ready(struct rj_space *s, bool *ret_ready)
{
    struct rj_mono due = rj_mono_add(s->cut_at, RJ_CUT_MS);

    *ret_ready = false;
    if (s->transfer.active || s->writer.atomic)
        return RJ_OK;
    if (s->writer.count > 0 && rj_space_can_cut(s)) {
        if (s->node->now.mono.ms < due.ms && s->writer.count < RJ_CUT_WRITES &&
            !s->urgent) {
            rj_node_wake(s->node, due);
            return RJ_OK;
        }
        if (rj_space_cut(s) != RJ_OK)
            return RJ_ENOMEM;
    }
    *ret_ready = true;
    return RJ_OK;
}

enum rj_err rj_space_drain(struct rj_space *s)
{
    struct rj_node *n = s->node;
    bool progress = true, ready = false;
    enum rj_err err = RJ_OK;
    uint32_t i;

    if (s->parked.count > 0)
        err = make_ready(s, &ready);
    while (err == RJ_OK && ready && progress) {
        progress = false;
        err = drain_openings(s, &progress);
        for (i = 0; err == RJ_OK && i < s->origins.n; i++)
            err = drain_origin(s, i, &progress);
    }
    if (s->parked.count == 0) {
        s->pull_at.ms = UINT64_MAX;
    } else {
        if (s->pull_at.ms == UINT64_MAX)
            s->pull_at = rj_mono_add(n->now.mono, RJ_PULL_MS);
    }
    return err;
}

/* ---- taking in */

static enum rj_err park(struct rj_space *s, const struct rj_batch *b,
                        struct rj_bytes bytes, struct rj_session *from)
{
    struct rj_parked *p;

    if (from != NULL && from->parked_bytes + bytes.len > s->node->limits.parked_bytes) {
        s->pull_at = rj_mono_add(s->node->now.mono, RJ_PULL_MS); /* it will be pulled */
        return RJ_OK;
    }
    p = malloc(sizeof(*p) + bytes.len);
    if (p == NULL)
        return RJ_ENOMEM;
    p->session = from != NULL ? from->peer : 0;
    p->size = bytes.len;
    make_key(p->key, &b->header.origin, b->header.first, b->hash.b);
    memcpy(p->bytes, bytes.ptr, bytes.len);
    if (s->parked.key == NULL)
        rj_map_init(&s->parked, parked_key);
    if (rj_map_insert(&s->parked, &p->node) != NULL) {
        free(p); /* it is there already */
        return RJ_OK;
    }
    s->parked_bytes += p->size;
    if (from != NULL)
        from->parked_bytes += p->size;
    if (rj_origins_find(&s->origins, &b->header.origin) == RJ_ORIGIN_NONE)
        s->parked_unknown++;
    return RJ_OK;
}

/* A record that closes this device is heeded before its deps are there: who closed it
 * sends nothing else any more. */
static void note_own_close(struct rj_space *s, const struct rj_batch *b)
{
    uint32_t o = rj_space_origin_of(s, b);
    const struct rj_device *d;
    struct rj_record rec;

    if (b->header.class != RJ_CLASS_MEMBER || o == RJ_ORIGIN_NONE ||
        rj_space_has_member_batch(s, b, o) || /* and maybe lifted since */
        rj_record_get(b->body, s->node->env, &rec) != RJ_OK ||
        rec.kind != RJ_RECORD_CLOSE || s->os[o].device == UINT32_MAX ||
        memcmp(rec.device.b, s->node->device.b, RJ_DIGEST_LEN) != 0)
        return;
    d = &s->members.items[s->os[o].device];
    if (rj_members_role(d, &s->origins, NULL) != RJ_ROLE_ADMIN ||
        !verify(s, d->pubkey, &b->hash, b->sig))
        return;
    if (!s->closed_here)
        rj_node_note(s->node, RJ_NOTE_ERROR, RJ_ECLOSED, "closed space=%s", s->name);
    s->closed_here = true;
    s->closed_by = (struct rj_dot){.origin = o, .seq = b->header.first};
    rj_space_set_refuse(s);
}

enum rj_err rj_space_offer(struct rj_space *s, struct rj_bytes bytes,
                           struct rj_session *from)
{
    struct rj_reader r = rj_reader_of(bytes);
    struct rj_batch b;
    struct offered offered = {.batch = &b, .bytes = bytes, .from = from};
    enum rj_err err = rj_batch_get(&r, s->node->env, &s->id, true, &b);
    enum verdict verdict = WAITS;
    bool ready = false;
    uint32_t o;

    if (err == RJ_OK && (!rj_reader_complete(&r) || b.header.class == RJ_CLASS_HEAD))
        err = RJ_ECORRUPT;
    if (err != RJ_OK)
        return err;
    err = rj_fork_find(s, &b, &o);
    if (err == RJ_EGAP)
        err = rj_fork_begin(s, &b, &o);
    if (err == RJ_ELIMIT)
        return RJ_OK;
    if (err != RJ_OK && err != RJ_EGAP)
        return err;
    err = RJ_OK;
    if (o != RJ_ORIGIN_NONE && b.header.first < rj_space_next(s, o))
        return rj_fork_check(s, &b, o, from);
    if (o == s->self) { /* this incarnation goes on elsewhere, too */
        rj_fork_cloned(s);
        return RJ_OK;
    }
    if (o != RJ_ORIGIN_NONE && b.header.first == rj_space_next(s, o)) {
        err = make_ready(s, &ready);
        if (err == RJ_OK && ready)
            err = try_batch(s, &offered, o, &verdict);
    }
    if (err == RJ_OK && verdict == WAITS)
        err = park(s, &b, bytes, from);
    if (err == RJ_OK && verdict == WAITS)
        note_own_close(s, &b);
    if (err == RJ_OK && s->parked.count > 0)
        err = rj_space_drain(s);
    return err;
}

enum rj_err rj_space_log(struct rj_space *s, const struct rj_batch *b, uint32_t origin,
                         struct rj_bytes bytes)
{
    struct rj_log_entry e = {.first = b->header.first,
                             .count = b->header.count,
                             .origin = origin,
                             .accepted_ms = s->node->now.mono.ms,
                             .size = bytes.len};
    uint64_t last = rj_header_last(&b->header);
    enum rj_err err;

    memcpy(e.hash, b->hash.b, sizeof(e.hash));
    e.bytes = rj_alloc_copy(bytes);
    if (e.bytes == NULL)
        return RJ_ENOMEM;
    err = rj_log_append(&s->log, &e);
    if (err != RJ_OK) {
        free(e.bytes);
        return err;
    }
    if (last > s->os[origin].chain_seq) { /* which a holder of the state may have told */
        s->os[origin].chain = b->hash;
        s->os[origin].chain_seq = last;
    }
    s->os[origin].dirty = true;
    s->dirty = true;
    s->pending_log_bytes += bytes.len;
    s->pull_wait_ms = RJ_PULL_MS;
    if (s->contexts != NULL) {
        err = rj_contexts_applied(s->contexts, origin, last);
        if (err == RJ_OK)
            err = rj_contexts_min(s->contexts, &s->vv);
    } else {
        err = rj_vv_put(&s->vv, origin, last);
    }
    if (b->header.class == RJ_CLASS_MEMBER)
        rj_space_set_refuse(s);
    return err;
}

enum rj_err rj_space_replay(struct rj_space *s, const struct rj_vv *S)
{
    enum rj_err err = RJ_OK;
    uint64_t at;

    for (at = s->log.begin; err == RJ_OK && at < s->log.end; at++) {
        const struct rj_log_entry *e = rj_log_at(&s->log, at);
        struct rj_bytes bytes;
        struct rj_reader r;
        struct rj_batch b;

        if (rj_vv_has(S, e->origin, rj_log_entry_last(e)))
            continue;
        err = rj_space_batch_at(s, at, &bytes);
        r = rj_reader_of(bytes);
        if (err == RJ_OK)
            err = rj_batch_get(&r, s->node->env, &s->id, false, &b);
        if (err == RJ_OK && b.header.class == RJ_CLASS_DATA)
            err = rj_space_apply_data(s, &b, e->origin, NULL);
    }
    return err;
}
