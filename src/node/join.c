/* SPDX-License-Identifier: Apache-2.0 */
/* Invitations. A ticket holds the inviter's device id, which pins whom the joiner talks
 * to, and a one-time secret. The joiner proves the secret by an HMAC (RFC 2104) over what
 * only the two ends of this connection share (the TLS exporter) and its own id, so a
 * proof cannot be replayed on another connection or by another device. */
#include "base/alloc.h"
#include "node/frame.h"
#include "node/state.h"

enum { HMAC_BLOCK = 64 };

static void hmac(struct rj_env *env, const uint8_t secret[RJ_SECRET_LEN],
                 const struct rj_bytes *parts, size_t n, struct rj_digest *ret)
{
    uint8_t pad[HMAC_BLOCK];
    struct rj_bytes all[6];
    struct rj_digest inner;
    size_t i;

    memset(pad, 0x36, sizeof(pad));
    for (i = 0; i < RJ_SECRET_LEN; i++)
        pad[i] ^= secret[i];
    all[0] = RJ_BYTES_OF(pad);
    for (i = 0; i < n && i < 5; i++)
        all[i + 1] = parts[i];
    env->ops->hash(env, all, i + 1, &inner);
    for (i = 0; i < HMAC_BLOCK; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    all[0] = RJ_BYTES_OF(pad);
    all[1] = RJ_BYTES_OF(inner.b);
    env->ops->hash(env, all, 2, ret);
    rj_bytes_wipe(pad, sizeof(pad));
}

static void proof_of(struct rj_node *n, const struct rj_session *ss,
                     const uint8_t secret[RJ_SECRET_LEN], const struct rj_digest *joiner,
                     struct rj_digest *ret)
{
    struct rj_bytes parts[3] = {RJ_BYTES_LIT("rejoin join"), RJ_BYTES_OF(ss->binding),
                                RJ_BYTES_OF(joiner->b)};

    hmac(n->env, secret, parts, 3, ret);
}

/* ---- the joiner */

enum rj_err rj_node_join(struct rj_node *n, const struct rj_digest *inviter,
                         const uint8_t secret[RJ_SECRET_LEN])
{
    struct rj_known_device *d;
    enum rj_err err;
    size_t i;

    if (memcmp(inviter->b, n->device.b, RJ_DIGEST_LEN) == 0)
        return RJ_EINVAL;
    err = rj_device_add(n, inviter, &d);
    if (err != RJ_OK)
        return err;
    n->join_device = *inviter;
    memcpy(n->join_secret, secret, RJ_SECRET_LEN);
    n->join_state = RJ_JOIN_WAITING;
    n->join_err = RJ_OK;
    for (i = 0; i < n->n_sessions; i++)
        n->sessions[i]->join_sent = false;
    return RJ_OK;
}

enum rj_join_state rj_node_join_state(const struct rj_node *n, enum rj_err *ret_err)
{
    if (ret_err != NULL)
        *ret_err = n->join_err;
    return n->join_state;
}

enum rj_err rj_join_send(struct rj_node *n, struct rj_session *ss)
{
    struct rj_digest proof;
    size_t at;

    if (n->join_state != RJ_JOIN_WAITING || ss->join_sent || ss->closing ||
        memcmp(ss->device.b, n->join_device.b, RJ_DIGEST_LEN) != 0)
        return RJ_OK;
    proof_of(n, ss, n->join_secret, &n->device, &proof);
    at = rj_frame_begin(&ss->out, RJ_FRAME_JOIN, 2);
    rj_cbor_put_text(&ss->out, rj_bytes_from_str(n->name));
    rj_cbor_put_bytes(&ss->out, RJ_BYTES_OF(proof.b));
    rj_frame_end(&ss->out, at);
    ss->join_sent = true;
    return rj_buf_err(&ss->out);
}

static bool name_is_taken(const struct rj_node *n, struct rj_bytes name)
{
    size_t i;

    for (i = 0; i < n->n_spaces; i++) {
        if (!n->spaces[i]->removed &&
            rj_bytes_equal(rj_bytes_from_str(n->spaces[i]->name), name))
            return true;
    }
    return false;
}

/* A name that is free here: as suggested, or with -2, -3 ... behind it. */
static struct rj_bytes free_name(const struct rj_node *n, struct rj_bytes wish,
                                 struct rj_buf *room)
{
    unsigned i;

    for (i = 2; name_is_taken(n, wish) && i < 1000; i++) {
        rj_buf_clear(room);
        rj_buf_append(room, rj_bytes_first(wish, RJ_NAME_MAX - 4));
        rj_buf_printf(room, "-%u", i);
        if (!name_is_taken(n, rj_buf_view(room)))
            return rj_buf_view(room);
    }
    return wish;
}

static enum rj_err enter(struct rj_node *n, struct rj_bytes genesis, struct rj_bytes name,
                         uint64_t durability, struct rj_space **ret)
{
    struct rj_digest id;
    struct rj_buf room = {0};
    enum rj_err err;
    size_t i;

    n->env->ops->hash(n->env, &genesis, 1, &id);
    for (i = 0; i < n->n_spaces; i++) {
        if (memcmp(n->spaces[i]->id.b, id.b, sizeof(id.b)) == 0 &&
            !n->spaces[i]->removed) {
            *ret = n->spaces[i];
            return RJ_OK;
        }
    }
    if (n->n_spaces >= RJ_SPACES_MAX)
        return RJ_ELIMIT;
    name = free_name(n, name, &room);
    err = rj_space_make(n, genesis, name, (enum rj_durability)durability, ret);
    rj_buf_done(&room);
    return err;
}

/* How many closes of this device are known to be lifted. */
static size_t own_lifts(const struct rj_space *s)
{
    const struct rj_device *d = rj_members_find(&s->members, &s->node->device);

    return d != NULL ? d->n_lifted : 0;
}

static enum rj_err welcome_one(struct rj_node *n, struct rj_reader *r)
{
    struct rj_bytes genesis = rj_cbor_get_bytes(r), name = rj_cbor_get_text(r);
    uint64_t durability = rj_cbor_get_uint(r);
    struct rj_space *s = NULL;
    size_t count, i, lifts;
    bool fresh;
    enum rj_err err;

    if (r->failed || durability > RJ_DURABLE_NONE || !rj_space_name_is_valid(name))
        return RJ_EPROTO;
    count = n->n_spaces;
    err = enter(n, genesis, name, durability, &s);
    if (err != RJ_OK)
        return err;
    fresh = n->n_spaces > count;
    lifts = own_lifts(s);
    count = rj_cbor_get_array(r);
    if (r->failed || count > RJ_MEMBER_BATCHES_MAX)
        err = RJ_EPROTO;
    for (i = 0; i < count && err == RJ_OK; i++) {
        struct rj_bytes bytes = rj_cbor_get_bytes(r);
        struct rj_reader br = rj_reader_of(bytes);
        struct rj_batch b;

        err = r->failed ? RJ_EPROTO : rj_batch_get(&br, n->env, &s->id, true, &b);
        if (err == RJ_OK &&
            (b.header.class != RJ_CLASS_MEMBER || !rj_reader_complete(&br)))
            err = RJ_EPROTO;
        if (err == RJ_OK)
            err = rj_space_note_member(s, &b, bytes, RJ_ORIGIN_NONE);
    }
    if (err == RJ_OK && fresh)
        err = rj_space_open(s);
    if (err == RJ_OK && (fresh || own_lifts(s) > lifts))
        s->catching_up = true;
    if (err != RJ_OK && fresh) /* half of a space is none */
        (void)!rj_node_space_remove(n, s);
    return err;
}

enum rj_err rj_join_on_welcome(struct rj_node *n, struct rj_session *ss,
                               struct rj_reader *r)
{
    size_t count = rj_cbor_get_array(r), i;
    enum rj_err err = RJ_OK;

    if (r->failed || count % 4 != 0 || count / 4 > RJ_SPACES_MAX)
        return RJ_EPROTO;
    if (!ss->join_sent)
        return RJ_EPROTO;
    if (n->join_state != RJ_JOIN_WAITING)
        return RJ_OK; /* another session brought it already */
    for (i = 0; i < count / 4 && err == RJ_OK; i++)
        err = welcome_one(n, r);
    n->join_state = err == RJ_OK ? RJ_JOIN_DONE : RJ_JOIN_REFUSED;
    n->join_err = err;
    rj_bytes_wipe(n->join_secret, sizeof(n->join_secret));
    if (err != RJ_OK)
        return err;
    for (i = 0; i < n->n_sessions && err == RJ_OK; i++)
        err = rj_session_announce(n, n->sessions[i]);
    return err;
}

/* ---- the inviter */

/* Drops what is used up or expired. */
static void sweep(struct rj_node *n)
{
    size_t kept = 0, i;

    for (i = 0; i < n->n_invites; i++) {
        struct rj_invitation inv = n->invites[i];

        if (inv.uses > 0 && n->now.wall.ms < inv.expires_ms) {
            n->invites[kept++] = inv;
        } else {
            free(inv.spaces);
            n->invites_dirty = true;
        }
    }
    n->n_invites = kept;
}

enum rj_err rj_node_invite(struct rj_node *n, const struct rj_invite_opts *opts,
                           struct rj_now now, uint8_t ret_secret[RJ_SECRET_LEN])
{
    size_t count = opts->n_spaces != 0 ? opts->n_spaces : n->n_spaces, i;
    struct rj_invitation inv = {
        .role = opts->role, .expires_ms = opts->expires_ms, .uses = opts->uses};
    struct rj_invitation *list;
    enum rj_err err;

    n->now = now;
    if (opts->role < RJ_ROLE_READER || opts->role > RJ_ROLE_ADMIN || opts->uses == 0)
        return RJ_EINVAL;
    if (count == 0)
        return RJ_ENOENT;
    sweep(n);
    if (n->n_invites >= RJ_INVITES_MAX)
        return RJ_ELIMIT;
    inv.spaces = rj_alloc_array(count, sizeof(*inv.spaces));
    if (inv.spaces == NULL)
        return RJ_ENOMEM;
    for (i = 0; i < count; i++) {
        struct rj_space *s =
            opts->n_spaces != 0 ? rj_node_space(n, opts->spaces[i]) : n->spaces[i];
        const struct rj_device *d;

        err = s == NULL ? RJ_ENOENT : RJ_OK;
        d = s != NULL ? rj_members_find(&s->members, &n->device) : NULL;
        if (s != NULL && s->removed)
            continue;
        if (err == RJ_OK &&
            (d == NULL || rj_members_role(d, &s->origins, &s->vv) != RJ_ROLE_ADMIN))
            err = RJ_EDENIED;
        if (err != RJ_OK)
            goto out;
        inv.spaces[inv.n_spaces++] = s->id;
    }
    err = RJ_ENOENT; /* those that are left are on their way out */
    if (inv.n_spaces == 0)
        goto out;
    err = n->env->ops->random(n->env, inv.secret, sizeof(inv.secret));
    if (err != RJ_OK)
        goto out;
    list = rj_alloc_resize(n->invites, n->n_invites + 1, sizeof(*list));
    if (list == NULL) {
        err = RJ_ENOMEM;
        goto out;
    }
    n->invites = list;
    n->invites[n->n_invites++] = inv;
    n->invites_dirty = true;
    memcpy(ret_secret, inv.secret, RJ_SECRET_LEN);
    return RJ_OK;
out:
    free(inv.spaces);
    return err;
}

static struct rj_space *space_by_id(struct rj_node *n, const struct rj_digest *id)
{
    size_t i;

    for (i = 0; i < n->n_spaces; i++) {
        if (!n->spaces[i]->removed &&
            memcmp(n->spaces[i]->id.b, id->b, sizeof(id->b)) == 0)
            return n->spaces[i];
    }
    return NULL;
}

/* What lifts all closes of d that are known here, into lifts. RJ_EDENIED: one is of an
 * admin of a higher rank. */
static enum rj_err lift_all(const struct rj_space *s, const struct rj_device *d,
                            struct rj_buf *lifts, size_t *ret_n)
{
    const struct rj_device *me = rj_members_find(&s->members, &s->node->device);
    struct rj_lift sorted[RJ_LIFTS_MAX], lift;
    size_t n = 0, i, k;

    for (i = 0; i < d->n_records; i++) {
        const struct rj_role_record *r = &d->records[i];
        uint32_t by = s->os[r->dot.origin].device;

        if (!r->close || rj_members_is_lifted(d, r, NULL))
            continue;
        if (me == NULL || by == UINT32_MAX || s->members.items[by].rank < me->rank)
            return RJ_EDENIED;
        if (n == RJ_LIFTS_MAX)
            return RJ_ELIMIT;
        lift = (struct rj_lift){r->author, r->dot.seq};
        for (k = n++; k > 0 && rj_lift_compare(&lift, &sorted[k - 1]) < 0; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = lift;
    }
    for (i = 0; i < n; i++)
        rj_lifts_put(lifts, &sorted[i]);
    *ret_n = n;
    return rj_buf_err(lifts);
}

/* Gives the device its role; one that was closed is readmitted (R6). */
static enum rj_err admit_to(struct rj_space *s, const struct rj_device *d,
                            struct rj_record rec)
{
    struct rj_buf lifts = {0};
    enum rj_err err = RJ_OK;

    if (d != NULL && d->closed)
        err = lift_all(s, d, &lifts, &rec.n_lifts);
    rec.lifts = rj_buf_view(&lifts);
    if (err == RJ_OK)
        err = rj_space_write_record(s, &rec);
    rj_buf_done(&lifts);
    return err;
}

/* Gives the device its role in every space of the invitation. */
static enum rj_err admit(struct rj_node *n, const struct rj_session *ss,
                         const struct rj_invitation *inv, struct rj_bytes name)
{
    struct rj_record rec = {
        .kind = RJ_RECORD_ROLE, .device = ss->device, .role = inv->role, .name = name};
    enum rj_err err = RJ_OK;
    size_t i;

    memcpy(rec.pubkey, ss->pubkey, RJ_PUBKEY_LEN);
    for (i = 0; i < inv->n_spaces && err == RJ_OK; i++) {
        struct rj_space *s = space_by_id(n, &inv->spaces[i]);
        const struct rj_device *d;

        if (s == NULL)
            continue;
        d = rj_members_find(&s->members, &ss->device);
        if (d != NULL && !d->closed &&
            rj_members_role(d, &s->origins, &s->vv) >= inv->role)
            continue;
        err = admit_to(s, d, rec);
    }
    return err;
}

/* Held back until the records that make the device a member are on disk: a welcome that
 * outlives them would leave it a stranger to everybody. */
static enum rj_err put_welcome(struct rj_node *n, struct rj_session *ss,
                               const struct rj_invitation *inv)
{
    struct rj_buf b = {.limit = RJ_WELCOME_MAX};
    size_t count = 0, i, j;
    enum rj_err err;

    rj_frame_payload(&b, RJ_FRAME_WELCOME, 1);
    for (i = 0; i < inv->n_spaces; i++)
        count += space_by_id(n, &inv->spaces[i]) != NULL;
    rj_cbor_put_array(&b, count * 4);
    for (i = 0; i < inv->n_spaces; i++) {
        struct rj_space *s = space_by_id(n, &inv->spaces[i]);

        if (s == NULL)
            continue;
        rj_cbor_put_bytes(&b, rj_buf_view(&s->genesis));
        rj_cbor_put_text(&b, rj_bytes_from_str(s->name));
        rj_cbor_put_uint(&b, s->durability);
        rj_cbor_put_array(&b, s->n_member_batches);
        for (j = 0; j < s->n_member_batches; j++)
            rj_cbor_put_bytes(&b, rj_buf_view(&s->member_batches[j]));
    }
    err = rj_buf_err(&b);
    if (err == RJ_OK) {
        rj_frame_put_long(&ss->held, rj_buf_view(&b));
        err = rj_buf_err(&ss->held);
    }
    rj_buf_done(&b);
    ss->held_commit = n->issued + 1;
    n->meta_dirty = true;
    return err;
}

/* A member whose welcome was lost on the way, its invitation used up, is told again. */
static enum rj_err welcome_again(struct rj_node *n, struct rj_session *ss)
{
    struct rj_invitation all = {0};
    enum rj_err err = RJ_EAUTH;
    size_t i;

    all.spaces = rj_alloc_array(n->n_spaces, sizeof(*all.spaces));
    if (all.spaces == NULL)
        return RJ_ENOMEM;
    for (i = 0; i < n->n_spaces; i++) {
        const struct rj_space *s = n->spaces[i];
        const struct rj_device *d = rj_members_find(&s->members, &ss->device);

        if (!s->removed && d != NULL &&
            rj_members_role(d, &s->origins, NULL) != RJ_ROLE_NONE)
            all.spaces[all.n_spaces++] = s->id;
    }
    if (all.n_spaces > 0)
        err = put_welcome(n, ss, &all);
    free(all.spaces);
    return err;
}

enum rj_err rj_join_on_join(struct rj_node *n, struct rj_session *ss, struct rj_reader *r)
{
    struct rj_bytes name = rj_cbor_get_text(r);
    struct rj_digest proof, want;
    struct rj_known_device *d;
    enum rj_err err;
    size_t i;

    rj_cbor_get_fixed(r, proof.b, sizeof(proof.b));
    if (r->failed || name.len > RJ_NAME_MAX)
        return RJ_EPROTO;
    sweep(n);
    for (i = 0; i < n->n_invites; i++) {
        proof_of(n, ss, n->invites[i].secret, &ss->device, &want);
        if (rj_bytes_equal_secret(RJ_BYTES_OF(want.b), RJ_BYTES_OF(proof.b)))
            break;
    }
    if (i == n->n_invites)
        return welcome_again(n, ss);
    err = admit(n, ss, &n->invites[i], name);
    if (err != RJ_OK)
        return err;
    err = put_welcome(n, ss, &n->invites[i]);
    if (err != RJ_OK)
        return err;
    n->invites[i].uses--;
    n->invites_dirty = true;
    err = rj_device_add(n, &ss->device, &d);
    if (err == RJ_OK) {
        memset(d->name, 0, sizeof(d->name));
        if (name.len > 0)
            memcpy(d->name, name.ptr, name.len);
        d->session = ss->peer;
    }
    rj_node_note(n, RJ_NOTE_INFO, RJ_OK, "joined device=%s", ss->name);
    for (i = 0; err == RJ_OK && i < n->n_sessions; i++)
        err = rj_session_announce(n, n->sessions[i]);
    return err;
}
