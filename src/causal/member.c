/* SPDX-License-Identifier: Apache-2.0 */
/* Membership records and what follows from a set of them. Nothing here looks at the order
 * in which records came: role and closing are maxima over the set, so all nodes with one
 * vector agree. */
#include "causal/member.h"

#include "base/alloc.h"
#include "base/cbor.h"

static const struct rj_origin_id no_origin;

int rj_lift_compare(const struct rj_lift *a, const struct rj_lift *b)
{
    int order = memcmp(a->origin.b, b->origin.b, RJ_ORIGIN_LEN);

    return order != 0 ? order : (a->seq > b->seq) - (a->seq < b->seq);
}

void rj_lifts_put(struct rj_buf *b, const struct rj_lift *lift)
{
    rj_cbor_put_bytes(b, RJ_BYTES_OF(lift->origin.b));
    rj_cbor_put_uint(b, lift->seq);
}

bool rj_lifts_next(struct rj_reader *r, struct rj_lift *ret)
{
    if (rj_reader_left(r) == 0)
        return false;
    rj_cbor_get_fixed(r, ret->origin.b, RJ_ORIGIN_LEN);
    ret->seq = rj_cbor_get_uint(r);
    return !r->failed;
}

void rj_record_put(struct rj_buf *b, const struct rj_record *r)
{
    bool replaces = memcmp(r->replaces.b, no_origin.b, RJ_ORIGIN_LEN) != 0;

    switch (r->kind) {
    case RJ_RECORD_OPEN:
        rj_cbor_put_array(b, 5);
        rj_cbor_put_uint(b, r->kind);
        rj_cbor_put_bytes(b, RJ_BYTES_OF(r->device.b));
        rj_cbor_put_bytes(b, RJ_BYTES_OF(r->pubkey));
        rj_cbor_put_uint(b, r->incarnation);
        rj_cbor_put_bytes(b, rj_bytes_of(r->replaces.b, replaces ? RJ_ORIGIN_LEN : 0));
        break;
    case RJ_RECORD_ROLE:
        rj_cbor_put_array(b, r->n_lifts > 0 ? 6 : 5);
        rj_cbor_put_uint(b, r->kind);
        rj_cbor_put_bytes(b, RJ_BYTES_OF(r->device.b));
        rj_cbor_put_bytes(b, RJ_BYTES_OF(r->pubkey));
        rj_cbor_put_text(b, r->name);
        rj_cbor_put_uint(b, r->role);
        if (r->n_lifts > 0) {
            rj_cbor_put_array(b, 2 * r->n_lifts);
            rj_buf_append(b, r->lifts);
        }
        break;
    case RJ_RECORD_CLOSE:
        rj_cbor_put_array(b, 2);
        rj_cbor_put_uint(b, r->kind);
        rj_cbor_put_bytes(b, RJ_BYTES_OF(r->device.b));
        break;
    }
}

static void get_open(struct rj_reader *r, struct rj_record *ret)
{
    struct rj_bytes replaces;

    rj_cbor_get_fixed(r, ret->pubkey, RJ_PUBKEY_LEN);
    ret->incarnation = rj_cbor_get_uint(r);
    replaces = rj_cbor_get_bytes(r);
    if (replaces.len == RJ_ORIGIN_LEN)
        memcpy(ret->replaces.b, replaces.ptr, RJ_ORIGIN_LEN);
    /* None is written as nothing: zeros would be a second form of it. */
    if (replaces.len != 0 && memcmp(ret->replaces.b, no_origin.b, RJ_ORIGIN_LEN) == 0)
        rj_reader_fail(r);
}

/* What a record lifts: not nothing, ascending, none twice. */
static void get_lifts(struct rj_reader *r, struct rj_record *ret)
{
    size_t n = rj_cbor_get_array(r), i;
    const uint8_t *from = r->ptr;
    struct rj_lift last = {.seq = 0}, lift = last;

    if (n == 0 || n % 2 != 0 || n / 2 > RJ_LIFTS_MAX)
        rj_reader_fail(r);
    for (i = 0; i < n / 2 && !r->failed; i++, last = lift) {
        (void)rj_lifts_next(r, &lift);
        if (lift.seq == 0 || lift.seq > RJ_SEQ_MAX ||
            (i > 0 && rj_lift_compare(&last, &lift) >= 0))
            rj_reader_fail(r);
    }
    if (r->failed)
        return;
    ret->n_lifts = n / 2;
    ret->lifts = rj_bytes_of(from, (size_t)(r->ptr - from));
}

static void get_role(struct rj_reader *r, struct rj_record *ret)
{
    uint64_t role;

    rj_cbor_get_fixed(r, ret->pubkey, RJ_PUBKEY_LEN);
    ret->name = rj_cbor_get_text(r);
    role = rj_cbor_get_uint(r);
    if (role > RJ_ROLE_ADMIN || ret->name.len > RJ_NAME_MAX)
        rj_reader_fail(r);
    ret->role = (enum rj_role)role;
}

enum rj_err rj_record_get(struct rj_bytes body, struct rj_env *env, struct rj_record *ret)
{
    struct rj_reader r = rj_reader_of(body);
    size_t fields = rj_cbor_get_array(&r);
    uint64_t kind = rj_cbor_get_uint(&r);
    struct rj_record rec = {0};
    struct rj_digest id;

    if (r.failed)
        return RJ_ECORRUPT;
    if (kind < RJ_RECORD_OPEN || kind > RJ_RECORD_CLOSE)
        return RJ_EUPGRADE;
    rec.kind = (enum rj_record_kind)kind;
    rj_cbor_get_fixed(&r, rec.device.b, RJ_DIGEST_LEN);
    if (rec.kind == RJ_RECORD_OPEN && fields == 5)
        get_open(&r, &rec);
    else if (rec.kind == RJ_RECORD_ROLE && (fields == 5 || fields == 6))
        get_role(&r, &rec);
    else if (rec.kind != RJ_RECORD_CLOSE || fields != 2)
        return RJ_ECORRUPT;
    if (rec.kind == RJ_RECORD_ROLE && fields == 6)
        get_lifts(&r, &rec);
    if (!rj_reader_complete(&r))
        return RJ_ECORRUPT;
    if (rec.kind != RJ_RECORD_CLOSE) {
        struct rj_bytes key = RJ_BYTES_OF(rec.pubkey);

        env->ops->hash(env, &key, 1, &id);
        if (memcmp(id.b, rec.device.b, sizeof(id.b)) != 0)
            return RJ_ECORRUPT;
    }
    *ret = rec;
    return RJ_OK;
}

bool rj_space_name_is_valid(struct rj_bytes name)
{
    size_t i;

    if (name.len == 0 || name.len > RJ_NAME_MAX)
        return false;
    for (i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

void rj_genesis_put(struct rj_buf *b, const struct rj_genesis *g)
{
    bool policy = g->policy != RJ_POLICY_MERGE;

    rj_cbor_put_array(b, policy ? 8 : 7);
    rj_cbor_put_uint(b, policy ? RJ_GENESIS_FORMAT_POLICY : RJ_GENESIS_FORMAT);
    rj_cbor_put_uint(b, g->kind);
    rj_cbor_put_bytes(b, RJ_BYTES_OF(g->creator_key));
    rj_cbor_put_text(b, g->creator_name);
    rj_cbor_put_text(b, g->name);
    rj_cbor_put_bytes(b, RJ_BYTES_OF(g->nonce));
    rj_cbor_put_uint(b, g->created_ms);
    if (policy)
        rj_cbor_put_uint(b, g->policy);
}

enum rj_err rj_genesis_get(struct rj_bytes raw, struct rj_genesis *ret)
{
    struct rj_reader r = rj_reader_of(raw);
    struct rj_genesis g = {0};
    size_t fields = rj_cbor_get_array(&r);
    uint64_t version = rj_cbor_get_uint(&r), kind, policy = RJ_POLICY_MERGE;

    if (!r.failed && version != RJ_GENESIS_FORMAT && version != RJ_GENESIS_FORMAT_POLICY)
        return RJ_EVERSION; /* of other fields, maybe */
    if (fields != (version == RJ_GENESIS_FORMAT ? 7 : 8))
        return RJ_ECORRUPT;
    kind = rj_cbor_get_uint(&r);
    rj_cbor_get_fixed(&r, g.creator_key, sizeof(g.creator_key));
    g.creator_name = rj_cbor_get_text(&r);
    g.name = rj_cbor_get_text(&r);
    rj_cbor_get_fixed(&r, g.nonce, sizeof(g.nonce));
    g.created_ms = rj_cbor_get_uint(&r);
    if (version == RJ_GENESIS_FORMAT_POLICY)
        policy = rj_cbor_get_uint(&r);
    if (!rj_reader_complete(&r) || (fields == 8 && policy == RJ_POLICY_MERGE) ||
        !rj_space_name_is_valid(g.name) || g.creator_name.len > RJ_NAME_MAX)
        return RJ_ECORRUPT;
    if (kind != RJ_KIND_BUCKET || policy > RJ_POLICY_DELETE_WINS)
        return RJ_EUPGRADE;
    g.kind = (enum rj_kind_id)kind;
    g.policy = (enum rj_policy)policy;
    *ret = g;
    return RJ_OK;
}

struct rj_device *rj_members_find(const struct rj_members *m, const struct rj_digest *id)
{
    size_t i;

    for (i = 0; i < m->n; i++) {
        if (memcmp(m->items[i].id.b, id->b, sizeof(id->b)) == 0)
            return &m->items[i];
    }
    return NULL;
}

enum rj_err rj_members_add(struct rj_members *m, const struct rj_digest *id,
                           const uint8_t pubkey[RJ_PUBKEY_LEN], struct rj_device **ret)
{
    struct rj_device *d = rj_members_find(m, id);

    if (d == NULL) {
        if (m->n >= RJ_DEVICES_MAX)
            return RJ_ELIMIT;
        if (m->n == m->cap) {
            size_t cap = m->cap != 0 ? m->cap * 2 : 4;
            struct rj_device *items = rj_alloc_resize(m->items, cap, sizeof(*items));

            if (items == NULL)
                return RJ_ENOMEM;
            m->items = items;
            m->cap = cap;
        }
        d = &m->items[m->n++];
        *d = (struct rj_device){.id = *id, .rank = UINT32_MAX, .active = RJ_ORIGIN_NONE};
        memcpy(d->pubkey, pubkey, RJ_PUBKEY_LEN);
    }
    *ret = d;
    return RJ_OK;
}

bool rj_members_is_lifted(const struct rj_device *d, const struct rj_role_record *r,
                          const struct rj_vv *vv)
{
    size_t i;

    for (i = 0; i < d->n_lifted; i++) {
        const struct rj_lifted *l = &d->lifted[i];

        if (l->close.seq == r->dot.seq &&
            memcmp(l->close.origin.b, r->author.b, RJ_ORIGIN_LEN) == 0 &&
            (vv == NULL || rj_vv_has(vv, l->by.origin, l->by.seq)))
            return true;
    }
    return false;
}

/* Whether a close record that vv has is not lifted there. */
static bool is_closed(const struct rj_device *d, const struct rj_vv *vv)
{
    size_t i;

    for (i = 0; i < d->n_records; i++) {
        const struct rj_role_record *r = &d->records[i];

        if (r->close && (vv == NULL || rj_vv_has(vv, r->dot.origin, r->dot.seq)) &&
            !rj_members_is_lifted(d, r, vv))
            return true;
    }
    return false;
}

enum rj_err rj_members_lift(struct rj_device *d, const struct rj_lift *close,
                            struct rj_dot by)
{
    struct rj_lifted *lifted =
        rj_alloc_resize(d->lifted, d->n_lifted + 1, sizeof(*lifted));

    if (lifted == NULL)
        return RJ_ENOMEM;
    d->lifted = lifted;
    d->lifted[d->n_lifted++] = (struct rj_lifted){.close = *close, .by = by};
    d->closed = is_closed(d, NULL);
    return RJ_OK;
}

enum rj_err rj_members_note(struct rj_members *m, struct rj_device *d,
                            const struct rj_role_record *r)
{
    size_t i;

    for (i = 0; i < d->n_records; i++) {
        if (d->records[i].dot.origin == r->dot.origin &&
            d->records[i].dot.seq == r->dot.seq)
            return RJ_OK;
    }
    if (m->records >= RJ_MEMBER_RECORDS_MAX)
        return RJ_ELIMIT;
    if (d->n_records == d->cap_records) {
        size_t cap = d->cap_records != 0 ? d->cap_records * 2 : 2;
        struct rj_role_record *records =
            rj_alloc_resize(d->records, cap, sizeof(*records));

        if (records == NULL)
            return RJ_ENOMEM;
        d->records = records;
        d->cap_records = cap;
    }
    d->records[d->n_records++] = *r;
    m->records++;
    d->closed = is_closed(d, NULL);
    return RJ_OK;
}

bool rj_members_have(const struct rj_members *m, struct rj_dot dot)
{
    size_t i, k;

    for (i = 0; i < m->n; i++) {
        for (k = 0; k < m->items[i].n_records; k++) {
            struct rj_dot d = m->items[i].records[k].dot;

            if (d.origin == dot.origin && d.seq == dot.seq)
                return true;
        }
    }
    return false;
}

void rj_members_name(struct rj_device *d, const struct rj_origins *origins,
                     const struct rj_role_record *r, struct rj_bytes name)
{
    if (name.len == 0 || name.len > RJ_NAME_MAX ||
        (r->dot.seq == 0 && d->name[0] != '\0'))
        return;
    if (d->named.seq != 0 &&
        rj_dot_order(origins, d->named_stamp, d->named, r->stamp, r->dot) >= 0)
        return;
    memcpy(d->name, name.ptr, name.len);
    d->name[name.len] = '\0';
    d->named = r->dot;
    d->named_stamp = r->stamp;
}

enum rj_role rj_members_role(const struct rj_device *d, const struct rj_origins *origins,
                             const struct rj_vv *vv)
{
    const struct rj_role_record *best = NULL;
    size_t i;

    if (is_closed(d, vv))
        return RJ_ROLE_NONE;
    for (i = 0; i < d->n_records; i++) {
        const struct rj_role_record *r = &d->records[i];

        if (r->close ||
            (vv != NULL && r->dot.seq != 0 && !rj_vv_has(vv, r->dot.origin, r->dot.seq)))
            continue;
        if (best == NULL || best->dot.seq == 0 ||
            (r->dot.seq != 0 &&
             rj_dot_order(origins, best->stamp, best->dot, r->stamp, r->dot) < 0))
            best = r;
    }
    return best != NULL ? best->role : RJ_ROLE_NONE;
}

/* ---- rank */

/* One step: ranks[i] as far as it follows from the ranks of who gave device i its roles.
 */
static bool lower_rank(const struct rj_members *m, const struct rj_origins *origins,
                       const struct rj_vv *vv, uint32_t *ranks, size_t i)
{
    const struct rj_device *d = &m->items[i];
    bool changed = false;
    size_t k;

    for (k = 0; k < d->n_records; k++) {
        const struct rj_role_record *r = &d->records[k];
        const struct rj_device *giver;
        uint32_t rank = 0;

        if (r->close)
            continue;
        if (r->dot.seq != 0) {
            if (!rj_vv_has(vv, r->dot.origin, r->dot.seq))
                continue;
            giver = rj_members_find(m, &origins->items[r->dot.origin].device);
            rank = giver != NULL ? ranks[giver - m->items] : UINT32_MAX;
            rank += rank != UINT32_MAX;
        }
        if (rank < ranks[i]) {
            ranks[i] = rank;
            changed = true;
        }
    }
    return changed;
}

enum rj_err rj_members_outrank(const struct rj_members *m,
                               const struct rj_origins *origins, const struct rj_vv *vv,
                               const struct rj_device *const pair[2], bool *ret)
{
    uint32_t *ranks = rj_alloc_array(m->n, sizeof(*ranks));
    bool changed = true;
    size_t i;

    if (ranks == NULL)
        return RJ_ENOMEM;
    for (i = 0; i < m->n; i++)
        ranks[i] = UINT32_MAX;
    while (changed) {
        changed = false;
        for (i = 0; i < m->n; i++)
            changed = lower_rank(m, origins, vv, ranks, i) || changed;
    }
    *ret = ranks[pair[0] - m->items] < ranks[pair[1] - m->items];
    free(ranks);
    return RJ_OK;
}

void rj_members_done(struct rj_members *m)
{
    size_t i;

    if (m == NULL)
        return;
    for (i = 0; i < m->n; i++) {
        free(m->items[i].records);
        free(m->items[i].lifted);
    }
    free(m->items);
    *m = (struct rj_members){0};
}
