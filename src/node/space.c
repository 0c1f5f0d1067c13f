/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a space: made by a genesis record or from an invitation, opened under a new
 * incarnation each time (R1), truncated at its front (R12). Its records are in record.c.
 */
#include "base/alloc.h"
#include "base/cbor.h"
#include "node/state.h"

static enum rj_err add_creator(struct rj_space *s, const struct rj_genesis *g)
{
    struct rj_bytes key = RJ_BYTES_OF(g->creator_key);
    struct rj_role_record role = {.role = RJ_ROLE_ADMIN};
    struct rj_digest id;
    struct rj_device *d;
    enum rj_err err;

    s->node->env->ops->hash(s->node->env, &key, 1, &id);
    err = rj_members_add(&s->members, &id, g->creator_key, &d);
    if (err != RJ_OK)
        return err;
    d->rank = 0;
    if (g->creator_name.len > 0)
        memcpy(d->name, g->creator_name.ptr, g->creator_name.len);
    return rj_members_note(&s->members, d, &role);
}

static enum rj_err open_kind(struct rj_space *s)
{
    uint8_t prefix[6] = {'S', 0, 0, 0, 0, 'K'};
    struct rj_bucket_config c = {.writer = &s->writer,
                                 .origins = &s->origins,
                                 .have = &s->vv,
                                 .prefix = RJ_BYTES_OF(prefix),
                                 .delete_wins = s->policy == RJ_POLICY_DELETE_WINS};
    enum rj_err err;

    rj_be_store32(prefix + 1, s->number);
    memcpy(c.seed, s->id.b, sizeof(c.seed));
    err = rj_bucket_open(&c, &s->bucket);
    if (err == RJ_OK)
        s->kind = rj_bucket_kind(s->bucket);
    return err;
}

enum rj_err rj_space_make(struct rj_node *n, struct rj_bytes genesis,
                          struct rj_bytes name, enum rj_durability durability,
                          struct rj_space **ret)
{
    struct rj_space *s = rj_alloc_zero(1, sizeof(*s));
    struct rj_genesis g;
    enum rj_err err;

    if (s == NULL)
        return RJ_ENOMEM;
    s->node = n;
    s->number = n->next_space;
    s->durability = durability;
    s->self = RJ_ORIGIN_NONE;
    s->uncut = RJ_ORIGIN_NONE;
    s->pull_at.ms = UINT64_MAX;
    s->pull_wait_ms = RJ_PULL_MS;
    s->stored_begin = s->log.begin;
    err = rj_genesis_get(genesis, &g);
    if (err == RJ_OK && !rj_space_name_is_valid(name))
        err = RJ_EINVAL;
    if (err == RJ_OK && n->next_space == UINT32_MAX)
        err = RJ_ELIMIT;
    if (err != RJ_OK)
        goto out;
    memcpy(s->name, name.ptr, name.len);
    s->kind_id = g.kind;
    s->policy = g.policy;
    rj_buf_append(&s->genesis, genesis);
    err = rj_buf_err(&s->genesis);
    n->env->ops->hash(n->env, &genesis, 1, &s->id);
    if (err == RJ_OK)
        err = add_creator(s, &g);
    if (err == RJ_OK)
        err = open_kind(s);
    if (err == RJ_OK && n->n_spaces == n->cap_spaces) {
        size_t cap = n->cap_spaces != 0 ? n->cap_spaces * 2 : 4;
        struct rj_space **spaces = rj_alloc_resize(n->spaces, cap, sizeof(void *));

        if (spaces == NULL) {
            err = RJ_ENOMEM;
        } else {
            n->spaces = spaces;
            n->cap_spaces = cap;
        }
    }
out:
    if (err != RJ_OK) {
        rj_space_free(s);
        return err;
    }
    n->spaces[n->n_spaces++] = s;
    n->next_space++;
    n->meta_dirty = true;
    *ret = s;
    return RJ_OK;
}

void rj_space_free(struct rj_space *s)
{
    size_t i;

    if (s == NULL)
        return;
    rj_transfer_stop(s);
    rj_space_unpark_session(s, 0);
    if (s->kind != NULL)
        s->kind->ops->close(s->kind);
    for (i = 0; i < s->os_n; i++) {
        rj_vv_done(&s->os[i].known);
        rj_vv_done(&s->os[i].past);
        rj_buf_done(&s->os[i].head);
        free(s->os[i].choices);
        rj_trail_done(&s->os[i].trail);
    }
    free(s->trail_fresh);
    free(s->os);
    for (i = 0; i < s->n_splits; i++)
        rj_buf_done(&s->splits[i].proof);
    free(s->splits);
    rj_buf_done(&s->uncut_proof);
    free(s->renamed);
    for (i = 0; i < s->n_member_batches; i++)
        rj_buf_done(&s->member_batches[i]);
    free(s->member_batches);
    free(s->member_origins);
    if (s->contexts != NULL)
        rj_contexts_done(s->contexts);
    free(s->contexts);
    rj_origins_done(&s->origins);
    rj_members_done(&s->members);
    rj_log_done(&s->log);
    rj_buf_done(&s->genesis);
    rj_buf_done(&s->casts);
    rj_buf_done(&s->writer.ops);
    free(s->writer.dict);
    rj_vv_done(&s->vv);
    rj_vv_done(&s->durable);
    rj_vv_done(&s->committing);
    rj_vv_done(&s->trunc);
    rj_vv_done(&s->deps);
    rj_vv_done(&s->head_vv);
    rj_vv_done(&s->target);
    rj_vv_done(&s->transfer.need);
    free(s->transfer.pieces);
    free(s);
}

/* A joiner's writes are taken as soon as it knows that it may write; they are sealed once
 * the record that says so is in its own past. */
void rj_space_set_refuse(struct rj_space *s)
{
    struct rj_device *d = rj_members_find(&s->members, &s->node->device);
    bool may = d != NULL && rj_members_role(d, &s->origins, NULL) >= RJ_ROLE_WRITER;

    s->may_seal = may && rj_members_role(d, &s->origins, &s->vv) >= RJ_ROLE_WRITER;
    s->writer.partial = s->contexts != NULL;
    s->writer.refuse = RJ_OK;
    if (s->closed_here || (d != NULL && d->closed))
        s->writer.refuse = RJ_ECLOSED;
    else if (s->node->full != RJ_OK)
        s->writer.refuse = s->node->full;
    else if (s->node->renew != 0)
        s->writer.refuse = RJ_EBUSY; /* for a moment */
    else if (!may)
        s->writer.refuse = RJ_EDENIED;
    else if (!rj_space_can_cut(s) && s->writer.ops.len > RJ_BATCH_BODY_MAX / 2)
        s->writer.refuse = RJ_EJOINING;
}

/* The former origin of this device here, of which the opening record says that it is
 * replaced. */
static uint32_t former_origin(const struct rj_space *s)
{
    const struct rj_device *d = rj_members_find(&s->members, &s->node->device);

    return d != NULL ? d->active : RJ_ORIGIN_NONE;
}

enum rj_err rj_space_open(struct rj_space *s)
{
    struct rj_node *n = s->node;
    uint32_t former = former_origin(s);
    struct rj_record rec = {
        .kind = RJ_RECORD_OPEN, .device = n->device, .incarnation = n->incarnation};
    struct rj_origin_id id;
    uint32_t number;
    enum rj_err err;

    rj_origin_id_make(n->env, &n->device, n->incarnation, &id);
    memcpy(rec.pubkey, n->env->pubkey, RJ_PUBKEY_LEN);
    if (former != RJ_ORIGIN_NONE)
        rec.replaces = s->origins.items[former].id;
    rj_vv_clear(&s->deps); /* the first batch after it tells the whole vector */
    err = rj_space_add_origin(s, &id, &s->self);
    /* An incarnation that is there already: the randomness of this machine repeats, as
     * that of a copied one may. It goes on, and what others tell ends it (R7); where that
     * has happened the open fails, and another one draws again. */
    if (err == RJ_OK && s->origins.items[s->self].end != UINT64_MAX)
        return RJ_EFORK;
    if (err == RJ_OK && !s->origins.items[s->self].opened)
        err = rj_space_write_record(s, &rec);
    if (err != RJ_OK)
        return err;
    s->hold_end = s->log.end;
    s->writer.self = s->self;
    s->writer.first = rj_vv_get(&s->vv, s->self) + 1;
    s->writer.count = 0;
    s->writer.dict_n = 0;
    err = rj_writer_dict(&s->writer, s->self, &number);
    s->writer.stamp = rj_clock_stamp(s);
    rj_space_set_refuse(s);
    return err;
}

enum rj_err rj_space_batch_at(struct rj_space *s, uint64_t position,
                              struct rj_bytes *ret_bytes)
{
    const struct rj_log_entry *e = rj_log_at(&s->log, position);

    if (e == NULL)
        return RJ_ENOENT;
    if (e->bytes == NULL)
        return rj_space_stored_batch(s, position, ret_bytes);
    *ret_bytes = rj_bytes_of(e->bytes, e->size);
    return RJ_OK;
}

enum rj_err rj_space_stored_batch(struct rj_space *s, uint64_t position,
                                  struct rj_bytes *ret_bytes)
{
    struct rj_store *store = s->node->store;
    uint8_t key[14] = {'S', 0, 0, 0, 0, 'L'};
    struct rj_view *view = NULL;
    struct rj_bytes k, v;
    enum rj_err err;

    rj_be_store32(key + 1, s->number);
    rj_be_store64(key + 6, position);
    err = store->ops->view_open(store, &view);
    if (err == RJ_OK)
        err = store->ops->seek(view, RJ_SEEK_EQ, RJ_BYTES_OF(key), &k, &v);
    if (err == RJ_OK) {
        rj_buf_clear(&s->node->scratch);
        rj_buf_append(&s->node->scratch, v);
        err = rj_buf_err(&s->node->scratch);
        *ret_bytes = rj_buf_view(&s->node->scratch);
    }
    if (view != NULL)
        store->ops->view_close(view);
    return err == RJ_ENOENT ? RJ_ECORRUPT : err;
}

void rj_space_truncate(struct rj_space *s)
{
    while (!s->torn && s->log.total_bytes > s->node->limits.log_bytes &&
           s->log.begin < s->committed_end) {
        const struct rj_log_entry *e = rj_log_at(&s->log, s->log.begin);
        struct rj_trail_point p = {.first = e->first, .last = rj_log_entry_last(e)};

        memcpy(p.hash, e->hash, sizeof(p.hash));
        if (rj_line_keep(s, e->origin, &p) != RJ_OK)
            return; /* later */
        if (rj_vv_get(&s->trunc, e->origin) < rj_log_entry_last(e) &&
            rj_vv_put(&s->trunc, e->origin, rj_log_entry_last(e)) != RJ_OK)
            return; /* later */
        rj_log_drop_front(&s->log);
        s->truncated++;
        s->dirty = true;
    }
}
