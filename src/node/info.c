/* SPDX-License-Identifier: Apache-2.0 */
/* The public calls on spaces: adding, removing, membership, receipts, what a status
 * shows. */
#include "base/alloc.h"
#include "node/state.h"

const struct rj_digest *rj_node_device(const struct rj_node *n)
{
    return &n->device;
}

struct rj_space *rj_node_space(struct rj_node *n, struct rj_bytes name)
{
    size_t i;

    for (i = 0; i < n->n_spaces; i++) {
        if (!n->spaces[i]->removed &&
            rj_bytes_equal(rj_bytes_from_str(n->spaces[i]->name), name))
            return n->spaces[i];
    }
    return NULL;
}

struct rj_space *rj_node_space_at(struct rj_node *n, size_t i)
{
    size_t k;

    for (k = 0; k < n->n_spaces; k++) {
        if (n->spaces[k]->removed)
            continue;
        if (i-- == 0)
            return n->spaces[k];
    }
    return NULL;
}

enum rj_err rj_node_space_add(struct rj_node *n, const struct rj_space_opts *opts,
                              struct rj_now now, struct rj_space **ret_space)
{
    struct rj_genesis g = {.kind = opts->kind,
                           .policy = opts->policy,
                           .creator_name = rj_bytes_from_str(n->name),
                           .name = opts->name,
                           .created_ms = now.wall.ms};
    struct rj_buf raw = {0};
    struct rj_space *s = NULL;
    enum rj_err err;

    n->now = now;
    if (opts->kind != RJ_KIND_BUCKET || !rj_space_name_is_valid(opts->name) ||
        opts->durability > RJ_DURABLE_NONE || opts->policy > RJ_POLICY_DELETE_WINS)
        return RJ_EINVAL;
    if (rj_node_space(n, opts->name) != NULL)
        return RJ_EEXIST;
    if (n->n_spaces >= RJ_SPACES_MAX)
        return RJ_ELIMIT;
    if (n->full != RJ_OK)
        return n->full;
    memcpy(g.creator_key, n->env->pubkey, RJ_PUBKEY_LEN);
    err = n->env->ops->random(n->env, g.nonce, sizeof(g.nonce));
    if (err != RJ_OK)
        return err;
    rj_genesis_put(&raw, &g);
    err = rj_buf_err(&raw);
    if (err == RJ_OK)
        err = rj_space_make(n, rj_buf_view(&raw), opts->name, opts->durability, &s);
    rj_buf_done(&raw);
    if (err == RJ_OK) {
        err = rj_space_open(s);
        if (err != RJ_OK) {
            n->n_spaces--; /* it was the last one */
            rj_space_free(s);
        }
    }
    if (err == RJ_OK)
        *ret_space = s;
    return err;
}

enum rj_err rj_node_space_remove(struct rj_node *n, struct rj_space *s)
{
    rj_transfer_stop(s);
    rj_space_unpark_session(s, 0);
    s->removed = true;
    s->dirty = true;
    n->meta_dirty = true;
    return RJ_OK;
}

void rj_space_set_durability(struct rj_space *s, enum rj_durability d)
{
    s->durability = d;
    s->dirty = true;
}

enum rj_durability rj_space_durability(const struct rj_space *s)
{
    return s->durability;
}

const char *rj_space_name(const struct rj_space *s)
{
    return s->name;
}

struct rj_bucket *rj_space_bucket(struct rj_space *s, struct rj_now now)
{
    struct rj_writer *w = &s->writer;

    if (s->kind_id != RJ_KIND_BUCKET || s->removed)
        return NULL;
    if (now.wall.ms != s->node->now.wall.ms || now.mono.ms != s->node->now.mono.ms) {
        s->node->now = now;
        rj_clock_step(s->node);
    }
    if (w->count == 0)
        w->stamp = rj_clock_stamp(s);
    if (w->refuse == RJ_OK || w->refuse == RJ_EJOINING)
        rj_space_set_refuse(s);
    rj_bucket_set_now(s->bucket, now);
    return s->bucket;
}

/* ---- receipts */

uint64_t rj_space_mark(const struct rj_space *s)
{
    return s->writer.first + s->writer.count - 1;
}

/* What a device is known to have of own writes. */
static uint64_t has_of_ours(const struct rj_space *s, const struct rj_device *d,
                            enum rj_level level)
{
    struct rj_node *n = s->node;
    uint64_t best = 0;
    size_t i;

    if (d->active != RJ_ORIGIN_NONE)
        best = rj_vv_get(&s->os[d->active].known, s->self);
    for (i = 0; i < n->n_sessions; i++) {
        struct rj_session *ss = n->sessions[i];
        const struct rj_link *l;
        uint64_t seq;

        if (memcmp(ss->device.b, d->id.b, RJ_DIGEST_LEN) != 0)
            continue;
        l = rj_session_link(ss, s);
        if (l == NULL)
            continue;
        seq = rj_vv_get(level == RJ_DURABLE ? &l->durable : &l->received, s->self);
        best = seq > best ? seq : best;
    }
    return best;
}

static bool is_self(const struct rj_space *s, const struct rj_device *d)
{
    return memcmp(d->id.b, s->node->device.b, RJ_DIGEST_LEN) == 0;
}

size_t rj_space_receipts(const struct rj_space *s, uint64_t mark, enum rj_level level)
{
    size_t count = 0, i;

    for (i = 0; i < s->members.n; i++) {
        const struct rj_device *d = &s->members.items[i];

        if (!is_self(s, d) && !d->closed && has_of_ours(s, d, level) >= mark)
            count++;
    }
    return count;
}

bool rj_space_durable_here(const struct rj_space *s, uint64_t mark)
{
    return rj_vv_get(&s->durable, s->self) >= mark;
}

void rj_space_hurry(struct rj_space *s)
{
    s->urgent = true;
}

/* ---- membership */

static enum rj_role own_role(const struct rj_space *s)
{
    const struct rj_device *d = rj_members_find(&s->members, &s->node->device);

    return d != NULL ? rj_members_role(d, &s->origins, &s->vv) : RJ_ROLE_NONE;
}

static uint32_t forks_of(const struct rj_space *s, size_t device)
{
    uint32_t n = 0;
    size_t i;

    for (i = 0; i < s->n_splits; i++)
        n += s->os[s->splits[i].root].device == device;
    return n;
}

bool rj_space_member(struct rj_space *s, size_t i, struct rj_member_info *ret)
{
    const struct rj_device *d;
    struct rj_known_device *k;
    uint64_t mark = rj_space_mark(s), received, durable;

    if (i >= s->members.n)
        return false;
    d = &s->members.items[i];
    k = rj_device_find(s->node, &d->id);
    received = has_of_ours(s, d, RJ_RECEIVED);
    durable = has_of_ours(s, d, RJ_DURABLE);
    *ret =
        (struct rj_member_info){.device = d->id,
                                .name = d->name,
                                .role = rj_members_role(d, &s->origins, &s->vv),
                                .self = is_self(s, d),
                                .connected = k != NULL && k->session != 0,
                                .closed = d->closed || (is_self(s, d) && s->closed_here),
                                .lag = mark > received ? mark - received : 0,
                                .lag_durable = mark > durable ? mark - durable : 0,
                                .forks = forks_of(s, i)};
    if (ret->self)
        ret->lag = ret->lag_durable = 0;
    return true;
}

/* Only a higher rank removes or demotes (R8). */
static enum rj_err may_change(struct rj_space *s, const struct rj_digest *device)
{
    const struct rj_device *me = rj_members_find(&s->members, &s->node->device);
    const struct rj_device *d = rj_members_find(&s->members, device);

    if (d == NULL)
        return RJ_ENOENT;
    if (me == NULL || own_role(s) != RJ_ROLE_ADMIN || me->rank >= d->rank)
        return RJ_EDENIED;
    return RJ_OK;
}

enum rj_err rj_space_member_set(struct rj_space *s, const struct rj_digest *device,
                                enum rj_role role, struct rj_now now)
{
    struct rj_record rec = {.kind = RJ_RECORD_ROLE, .device = *device, .role = role};
    enum rj_err err = may_change(s, device);
    const struct rj_device *d;

    s->node->now = now;
    if (err != RJ_OK)
        return err;
    if (role < RJ_ROLE_READER || role > RJ_ROLE_ADMIN)
        return RJ_EINVAL;
    d = rj_members_find(&s->members, device);
    if (d->closed)
        return RJ_ECLOSED;
    memcpy(rec.pubkey, d->pubkey, RJ_PUBKEY_LEN);
    rec.name = rj_bytes_from_str(d->name);
    return rj_space_write_record(s, &rec);
}

enum rj_err rj_space_close_device(struct rj_space *s, const struct rj_digest *device,
                                  struct rj_now now)
{
    struct rj_record rec = {.kind = RJ_RECORD_CLOSE, .device = *device};
    enum rj_err err = may_change(s, device);

    s->node->now = now;
    return err == RJ_OK ? rj_space_write_record(s, &rec) : err;
}

/* ---- status */

/* Of the writes that peers have, those that are here. Nothing heard yet: 0. */
static double caught_up_part(const struct rj_space *s)
{
    double have = 0, all = 0;
    uint32_t o;

    for (o = 0; o < s->target.n; o++) {
        uint64_t there = s->target.seq[o], here = rj_vv_get(&s->vv, o);

        all += (double)there;
        have += (double)(here < there ? here : there);
    }
    return all > 0 ? have / all : 0;
}

/* Of the positions, those whose context covers what is needed. After a restart that is
 * not known until a transfer begins again: at least what some range has. */
static double taken_part(const struct rj_space *s)
{
    const struct rj_contexts *all = s->contexts;
    struct rj_vv most = {0};
    const struct rj_vv *need = &s->transfer.need;
    enum rj_err err = RJ_OK;
    double done = 0;
    size_t i;

    if (need->n == 0) {
        for (i = 0; err == RJ_OK && i < all->n; i++)
            err = rj_vv_join(&most, &all->items[i].have);
        need = &most;
    }
    for (i = 0; err == RJ_OK && i < all->n; i++) {
        if (rj_vv_covers(&all->items[i].have, need))
            done += (double)(all->items[i].range.to - all->items[i].range.from);
    }
    rj_vv_done(&most);
    return done / (double)UINT64_MAX;
}

static double joined_part(const struct rj_space *s)
{
    if (s->contexts != NULL)
        return taken_part(s);
    return s->catching_up ? caught_up_part(s) : 1;
}

static uint64_t unstable_writes(const struct rj_space *s)
{
    struct rj_vv stable = {0};
    uint64_t sum = 0;
    uint32_t o;

    if (rj_space_stable(s, &stable) == RJ_OK) {
        for (o = 0; o < s->vv.n; o++)
            sum += s->vv.seq[o] - rj_vv_get(&stable, o);
    }
    rj_vv_done(&stable);
    return sum;
}

/* Adds to ret what a connected peer has: what the link told, and for origins that were
 * not known then, its last head. */
static enum rj_err add_peer(const struct rj_space *s, struct rj_session *ss,
                            struct rj_vv *ret)
{
    const struct rj_link *l = rj_session_link(ss, s);
    const struct rj_device *d = rj_members_find(&s->members, &ss->device);
    enum rj_err err = l != NULL ? rj_vv_join(ret, &l->received) : RJ_OK;

    if (err == RJ_OK && d != NULL && d->active != RJ_ORIGIN_NONE)
        err = rj_vv_join(ret, &s->os[d->active].known);
    return err;
}

/* A closed origin may have written more than is merged here. */
static uint64_t missing_writes(const struct rj_space *s)
{
    const struct rj_node *n = s->node;
    struct rj_vv there = {0};
    enum rj_err err = RJ_OK;
    uint64_t sum = 0;
    uint32_t o;
    size_t i;

    for (i = 0; err == RJ_OK && i < n->n_sessions; i++)
        err = add_peer(s, n->sessions[i], &there);
    for (o = 0; err == RJ_OK && o < there.n && o < s->os_n; o++) {
        if (!s->os[o].closed && there.seq[o] > rj_vv_get(&s->vv, o))
            sum += there.seq[o] - rj_vv_get(&s->vv, o);
    }
    rj_vv_done(&there);
    return sum;
}

uint64_t rj_space_received(const struct rj_space *s)
{
    uint64_t sum = 0;

    for (uint32_t o = 0; o < s->vv.n; o++)
        sum += o != s->self ? s->vv.seq[o] : 0;
    return sum;
}

void rj_space_info(struct rj_space *s, struct rj_now now, struct rj_space_info *ret)
{
    struct rj_sum sum;
    uint32_t o;
    size_t i;

    *ret = (struct rj_space_info){.id = s->id,
                                  .name = s->name,
                                  .kind = s->kind_id,
                                  .durability = s->durability,
                                  .policy = s->policy,
                                  .role = own_role(s),
                                  .joining = s->contexts != NULL || s->catching_up,
                                  .joined_part = joined_part(s),
                                  .keys = rj_bucket_count(s->bucket),
                                  .origins = s->origins.n,
                                  .own_seq = rj_space_mark(s),
                                  .log_batches = s->log.end - s->log.begin,
                                  .log_bytes = s->log.total_bytes,
                                  .parked_batches = s->parked.count,
                                  .unstable = unstable_writes(s),
                                  .missing = missing_writes(s),
                                  .truncated = s->truncated,
                                  .refuse = s->writer.refuse,
                                  .fork_refused = s->fork_refused,
                                  .fork_device = s->fork_device,
                                  .fork_peer = s->fork_peer};
    for (i = 0; i < s->members.n; i++)
        ret->members += !s->members.items[i].closed;
    for (o = 0; o < s->vv.n; o++)
        ret->writes += s->vv.seq[o];
    s->kind->ops->sum(s->kind, (struct rj_range){0, UINT64_MAX}, NULL,
                      rj_sum_cutoff(now.wall), &sum);
    ret->digest.lo = sum.lo;
    ret->digest.hi = sum.hi;
    ret->vector_hash = rj_space_vector_hash(s);
}
