/* SPDX-License-Identifier: Apache-2.0 */
/* Membership records (R8): what they change, and who may: only a higher rank removes or
 * demotes, and a close is lifted by nobody of a lower rank than who wrote it. That is
 * judged by the past in which the author wrote, so all nodes judge alike, whatever else
 * they know. */
#include "base/alloc.h"
#include "node/state.h"

/* What the author of origin o had seen when it wrote its batch that begins at `first`. */
static enum rj_err past_at(const struct rj_space *s, uint32_t o, uint64_t first,
                           struct rj_vv *past)
{
    enum rj_err err = rj_vv_copy(past, &s->os[o].past);
    uint64_t seq = first - 1;

    for (; err == RJ_OK && seq > 0 && o != RJ_ORIGIN_NONE;
         o = s->origins.items[o].parent) {
        err = rj_vv_put(past, o, seq);
        seq = s->origins.items[o].start;
    }
    return err;
}

/* The device that wrote a close record of d; NULL: there is no such record here. */
static const struct rj_device *closer(const struct rj_space *s, const struct rj_device *d,
                                      const struct rj_lift *lift)
{
    size_t i;

    for (i = 0; i < d->n_records; i++) {
        const struct rj_role_record *r = &d->records[i];

        if (r->close && r->dot.seq == lift->seq &&
            memcmp(r->author.b, lift->origin.b, RJ_ORIGIN_LEN) == 0)
            return s->os[r->dot.origin].device == UINT32_MAX
                       ? NULL
                       : &s->members.items[s->os[r->dot.origin].device];
    }
    return NULL;
}

/* All closes that the record lifts were there for its author to see, and none is of an
 * admin of a higher rank (R6). */
static enum rj_err may_lift(const struct rj_space *s, const struct rj_record *rec,
                            const struct rj_device *const author_and_closed[2],
                            const struct rj_vv *past)
{
    struct rj_reader r = rj_reader_of(rec->lifts);
    struct rj_lift lift;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && rj_lifts_next(&r, &lift)) {
        const struct rj_device *pair[2] = {closer(s, author_and_closed[1], &lift),
                                           author_and_closed[0]};
        bool outranks = true;

        if (pair[0] != NULL)
            err = rj_members_outrank(&s->members, &s->origins, past, pair, &outranks);
        if (err == RJ_OK && outranks)
            err = RJ_EDENIED;
    }
    return err;
}

enum rj_err rj_space_may_record(const struct rj_space *s, const struct rj_batch *b,
                                uint32_t o)
{
    const struct rj_device *pair[2] = {&s->members.items[s->os[o].device], NULL};
    struct rj_vv past = {0};
    struct rj_record rec;
    enum rj_err err = rj_record_get(b->body, s->node->env, &rec);
    bool outranks = true;

    if (err != RJ_OK)
        return err;
    pair[1] = rj_members_find(&s->members, &rec.device);
    if (pair[1] == NULL)
        return rec.n_lifts == 0 ? RJ_OK
                                : RJ_EDENIED; /* its first role, or nothing to close */
    err = past_at(s, o, b->header.first, &past);
    if (err == RJ_OK && (rec.kind == RJ_RECORD_CLOSE ||
                         rec.role < rj_members_role(pair[1], &s->origins, &past)))
        err = rj_members_outrank(&s->members, &s->origins, &past, pair, &outranks);
    if (err == RJ_OK && outranks)
        err = may_lift(s, &rec, pair, &past);
    rj_vv_done(&past);
    return err == RJ_OK && !outranks ? RJ_EDENIED : err;
}

/* ---- what is known of devices and origins */

uint32_t rj_space_origin_of(const struct rj_space *s, const struct rj_batch *b)
{
    uint32_t o;

    if (rj_fork_find(s, b, &o) != RJ_OK)
        o = rj_origins_find(&s->origins, &b->header.origin);
    return o;
}

/* Whom the opened origin o replaces, and who replaces it: openings of one device mostly
 * come in their order, then the second needs no search. */
static void link_replaced(struct rj_space *s, uint32_t o)
{
    static const struct rj_origin_id nobody;
    const struct rj_origin *item = &s->origins.items[o];
    uint32_t former = rj_origins_find(&s->origins, &item->replaces), i;

    for (i = 0; s->early_openings > 0 && i < s->origins.n; i++) {
        if (i != o && s->os[i].device == s->os[o].device &&
            memcmp(s->origins.items[i].replaces.b, item->id.b, RJ_ORIGIN_LEN) == 0)
            s->origins.items[o].replaced_by = i;
    }
    if (former != RJ_ORIGIN_NONE && former != o &&
        s->os[former].device == s->os[o].device)
        s->origins.items[former].replaced_by = o;
    else if (memcmp(item->replaces.b, nobody.b, RJ_ORIGIN_LEN) != 0)
        s->early_openings++;
}

static enum rj_err note_open(struct rj_space *s, const struct rj_batch *b,
                             const struct rj_record *rec)
{
    struct rj_device *d = rj_members_find(&s->members, &rec->device);
    struct rj_origin_id id;
    struct rj_origin_state *os;
    uint32_t o;
    enum rj_err err;

    rj_origin_id_make(s->node->env, &rec->device, rec->incarnation, &id);
    if (memcmp(id.b, b->header.origin.b, sizeof(id.b)) != 0 || b->header.first != 1)
        return RJ_ECORRUPT;
    if (d == NULL)
        return RJ_EGAP;
    err = rj_space_add_origin(s, &id, &o);
    if (err != RJ_OK || s->origins.items[o].opened)
        return err;
    os = &s->os[o];
    os->device = (uint32_t)(d - s->members.items);
    os->dirty = true;
    s->origins.items[o].device = rec->device;
    s->origins.items[o].incarnation = rec->incarnation;
    s->origins.items[o].opened = true;
    s->origins.items[o].replaces = rec->replaces;
    link_replaced(s, o);
    if (s->n_splits > 0)
        rj_fork_inherit(s);
    if (d->closed) {
        os->closed = true;
        os->frozen = 0;
    }
    if (d->active == RJ_ORIGIN_NONE || s->origins.items[o].replaced_by == RJ_ORIGIN_NONE)
        d->active = o;
    return s->self != RJ_ORIGIN_NONE ? rj_heads_read_again(s) : RJ_OK; /* else: loading */
}

/* Asks all peers for what they sent in vain while it was not allowed here. */
static void pull_again(struct rj_space *s)
{
    struct rj_node *n = s->node;
    size_t i;

    for (i = 0; i < n->n_sessions; i++) {
        struct rj_link *l = rj_session_link(n->sessions[i], s);

        if (l != NULL && l->told && l->heard && !n->sessions[i]->closing)
            rj_link_pull(n->sessions[i], l);
    }
}

/* The origins of a device are closed as long as it is. */
static void follow_device(struct rj_space *s, const struct rj_device *d)
{
    bool lifted = false;
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        struct rj_origin_state *os = &s->os[o];

        if (os->device != (uint32_t)(d - s->members.items) || os->closed == d->closed)
            continue;
        if (d->closed)
            os->frozen = rj_vv_get(&s->vv, o);
        lifted = lifted || os->closed;
        os->closed = d->closed;
        os->dirty = true;
    }
    if (lifted)
        pull_again(s);
}

/* The closes that a role record lifts. They need not be known here. */
static enum rj_err note_lifts(const struct rj_record *rec, struct rj_dot by,
                              struct rj_device *d)
{
    struct rj_reader r = rj_reader_of(rec->lifts);
    enum rj_err err = RJ_OK;
    struct rj_lift lift;

    while (err == RJ_OK && rj_lifts_next(&r, &lift))
        err = rj_members_lift(d, &lift, by);
    return err;
}

/* A member is looked for, whether or not an address of it is known. */
static enum rj_err know_device(struct rj_space *s, const struct rj_digest *device)
{
    struct rj_known_device *known;
    enum rj_err err = RJ_OK;

    if (memcmp(device->b, s->node->device.b, RJ_DIGEST_LEN) != 0)
        err = rj_device_add(s->node, device, &known);
    return err == RJ_ELIMIT ? RJ_OK : err; /* then it has to come by itself */
}

static enum rj_err note_role(struct rj_space *s, const struct rj_record *rec,
                             const struct rj_role_record *role, uint32_t author)
{
    bool known = rj_members_have(&s->members, role->dot);
    struct rj_device *d;
    enum rj_err err = rj_members_add(&s->members, &rec->device, rec->pubkey, &d);
    uint32_t rank;

    if (err != RJ_OK)
        return err;
    rank = s->members.items[s->os[author].device].rank;
    if (rank != UINT32_MAX && rank + 1 < d->rank)
        d->rank = rank + 1;
    rj_members_name(d, &s->origins, role, rec->name);
    err = rj_members_note(&s->members, d, role);
    if (err == RJ_OK && !known)
        err = note_lifts(rec, role->dot, d);
    if (err == RJ_OK) {
        s->os[author].rules = true;
        follow_device(s, d);
        err = know_device(s, &rec->device);
    }
    return err;
}

static enum rj_err note_close(struct rj_space *s, const struct rj_record *rec,
                              const struct rj_role_record *role)
{
    struct rj_device *d = rj_members_find(&s->members, &rec->device);
    enum rj_err err;

    if (d == NULL)
        return RJ_EGAP;
    err = rj_members_note(&s->members, d, role);
    if (err == RJ_OK) {
        s->os[role->dot.origin].rules = true;
        follow_device(s, d);
    }
    return err;
}

static enum rj_err remember_member_batch(struct rj_space *s, struct rj_bytes bytes,
                                         uint32_t o)
{
    if (s->n_member_batches == s->cap_member_batches) {
        size_t cap = s->cap_member_batches != 0 ? s->cap_member_batches * 2 : 8;
        struct rj_buf *m = rj_alloc_resize(s->member_batches, cap, sizeof(*m));
        uint32_t *origins;

        if (m == NULL)
            return RJ_ENOMEM;
        s->member_batches = m;
        origins = rj_alloc_resize(s->member_origins, cap, sizeof(*origins));
        if (origins == NULL)
            return RJ_ENOMEM;
        s->member_origins = origins;
        s->cap_member_batches = cap;
    }
    s->member_batches[s->n_member_batches] = (struct rj_buf){0};
    rj_buf_append(&s->member_batches[s->n_member_batches], bytes);
    if (s->member_batches[s->n_member_batches].failed)
        return RJ_ENOMEM;
    s->member_origins[s->n_member_batches++] = o;
    return RJ_OK;
}

bool rj_space_has_member_batch(const struct rj_space *s, const struct rj_batch *b,
                               uint32_t o)
{
    if (o == RJ_ORIGIN_NONE)
        o = rj_space_origin_of(s, b);
    if (o == RJ_ORIGIN_NONE)
        return false;
    if (b->header.first == 1)
        return s->origins.items[o].opened;
    return s->os[o].rules &&
           rj_members_have(&s->members,
                           (struct rj_dot){.origin = o, .seq = b->header.first});
}

enum rj_err rj_space_note_member(struct rj_space *s, const struct rj_batch *b,
                                 struct rj_bytes bytes, uint32_t o)
{
    struct rj_record rec;
    struct rj_role_record role;
    enum rj_err err = rj_record_get(b->body, s->node->env, &rec);
    uint32_t author = o != RJ_ORIGIN_NONE ? o : rj_space_origin_of(s, b);
    bool known = rj_space_has_member_batch(s, b, author);

    if (err != RJ_OK)
        return err;
    if (rec.kind == RJ_RECORD_OPEN) {
        err = note_open(s, b, &rec);
        author = rj_origins_find(&s->origins, &b->header.origin);
    } else {
        if (author == RJ_ORIGIN_NONE || s->os[author].device == UINT32_MAX)
            return RJ_EGAP;
        role = (struct rj_role_record){.dot = {.origin = author, .seq = b->header.first},
                                       .stamp = b->header.stamp,
                                       .role = rec.role,
                                       .author = b->header.origin,
                                       .close = rec.kind == RJ_RECORD_CLOSE};
        err = rec.kind == RJ_RECORD_ROLE ? note_role(s, &rec, &role, author)
                                         : note_close(s, &rec, &role);
    }
    if (err == RJ_OK && !known)
        err = remember_member_batch(s, bytes, author);
    if (s->closed_here && rj_members_have(&s->members, s->closed_by))
        s->closed_here = false; /* from now on the records say what is so */
    rj_space_set_refuse(s);
    s->dirty = true;
    return err;
}
