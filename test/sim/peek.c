/* SPDX-License-Identifier: Apache-2.0 */
/* Looks into the engine that its public contract does not offer, for the oracle only:
 * which dot a write got, and whether a node has a given dot (while it takes over the
 * state: has it in the range of that key). Nothing is ever changed from here. */
#include "bucket/state.h"
#include "causal/stamp.h"
#include "node/state.h"
#include "sim/ops.h"

void sim_peek_origin(struct rj_space *s, uint8_t ret[16])
{
    memcpy(ret, s->origins.items[s->self].id.b, RJ_ORIGIN_LEN);
}

bool sim_peek_joining(struct rj_space *s)
{
    return s->contexts != NULL;
}

bool sim_peek_unsealed(const struct rj_space *s)
{
    return s->contexts != NULL || !s->may_seal;
}

bool sim_peek_has(struct rj_space *s, struct rj_bytes key, const uint8_t origin[16],
                  uint64_t seq)
{
    struct rj_origin_id id;
    uint32_t index;

    memcpy(id.b, origin, RJ_ORIGIN_LEN);
    index = rj_origins_find(&s->origins, &id);
    if (index == RJ_ORIGIN_NONE)
        return false;
    if (index == s->self)
        return seq < s->writer.first + s->writer.count;
    if (s->contexts == NULL)
        return rj_vv_has(&s->vv, index, seq);
    return !rj_contexts_lack(s->contexts, rj_change_position(s->bucket, key), index, seq);
}

enum rj_err sim_peek_close(struct rj_space *s, const struct rj_digest *device)
{
    struct rj_record rec = {.kind = RJ_RECORD_CLOSE, .device = *device};

    return rj_space_write_record(s, &rec);
}

enum rj_err sim_peek_lift(struct rj_space *s, const struct rj_digest *device)
{
    const struct rj_device *d = rj_members_find(&s->members, device);
    struct rj_record rec = {.kind = RJ_RECORD_ROLE, .role = RJ_ROLE_WRITER};
    struct rj_buf lifts = {0};
    enum rj_err err = RJ_ENOENT;
    size_t i;

    for (i = 0; i < d->n_records && rec.n_lifts == 0; i++) {
        struct rj_lift lift = {d->records[i].author, d->records[i].dot.seq};

        if (!d->records[i].close)
            continue;
        rj_lifts_put(&lifts, &lift);
        rec.n_lifts = 1;
    }
    rec.device = *device;
    memcpy(rec.pubkey, d->pubkey, RJ_PUBKEY_LEN);
    rec.lifts = rj_buf_view(&lifts);
    if (rec.n_lifts == 1)
        err = rj_space_write_record(s, &rec);
    rj_buf_done(&lifts);
    return err;
}

bool sim_peek_beyond(struct rj_space *s, const struct sim_split *split)
{
    struct rj_origin_id id;
    uint32_t root, o;

    memcpy(id.b, split->origin, sizeof(id.b));
    root = rj_origins_find(&s->origins, &id);
    for (o = 0; root != RJ_ORIGIN_NONE && o < s->origins.n; o++) {
        const struct rj_origin *item = &s->origins.items[o];

        if (item->root == root && split->seq >= item->start && split->seq < item->end &&
            (rj_vv_get(&s->trunc, o) > split->seq || s->os[o].taken > split->seq))
            return true;
    }
    return false;
}

bool sim_peek_apart(const struct rj_space *s, uint64_t peer)
{
    struct rj_session *ss = rj_node_session(s->node, peer);
    const struct rj_link *l = ss != NULL ? rj_session_link(ss, s) : NULL;

    return l != NULL && l->apart;
}

uint64_t sim_peek_self(const struct rj_space *s, uint8_t origin[16])
{
    memcpy(origin, s->origins.items[s->self].id.b, 16);
    return rj_vv_get(&s->vv, s->self);
}

bool sim_peek_renews(const struct rj_node *n)
{
    return n->renew != 0;
}

uint64_t sim_peek_incarnation(const struct rj_node *n)
{
    return n->incarnation;
}

bool sim_peek_guest(const struct rj_node *n, uint64_t peer)
{
    const struct rj_session *ss = rj_node_session(n, peer);

    return ss != NULL && ss->guest;
}

uint64_t sim_peek_clock_ms(const struct rj_space *s)
{
    return rj_stamp_ms(s->clock);
}

size_t sim_peek_gones(struct rj_space *s)
{
    const struct rj_bkey *k = rj_table_from(&s->bucket->table, 0);
    size_t n = 0;

    for (; k != NULL; k = rj_table_next(&s->bucket->table, k))
        for (const struct rj_dotted *d = rj_bkey_first(k); d != NULL; d = d->next)
            n += d->sort == RJ_DOTTED_GONE;
    return n;
}

size_t sim_peek_ranges(const struct rj_space *s)
{
    return s->contexts != NULL ? s->contexts->n : 0;
}

uint32_t sim_peek_origins(const struct rj_space *s)
{
    return s->origins.n;
}

bool sim_peek_is_ahead(const struct rj_space *a, const struct rj_space *b, size_t range,
                       uint32_t origin)
{
    uint64_t here = rj_vv_get(&a->contexts->items[range].have, origin);
    uint32_t there = rj_origins_find(&b->origins, &a->origins.items[origin].id);

    return here > rj_vv_get(&a->vv, origin) &&
           (there == RJ_ORIGIN_NONE || rj_vv_get(&b->vv, there) < here);
}

size_t sim_peek_waiting(const struct rj_space *s)
{
    size_t n = 0;

    for (struct rj_map_node *m = rj_map_first(&s->parked); m != NULL;
         m = rj_map_next(m)) {
        const struct rj_parked *p = RJ_MAP_ENTRY_CONST(m, struct rj_parked, node);
        struct rj_origin_id id;
        uint32_t o;

        memcpy(id.b, p->key, RJ_ORIGIN_LEN);
        o = rj_origins_find(&s->origins, &id);
        n += o == RJ_ORIGIN_NONE || !s->os[o].closed;
    }
    return n;
}

/* ---- for the trace of a failing seed */

/* Entries that differ from base (NULL: that are not 0). */
static void dump_vv(struct rj_buf *out, const struct rj_space *s, const char *name,
                    const struct rj_vv *v, const struct rj_vv *base)
{
    rj_buf_printf(out, " %s%s{", name, base != NULL ? "-vv" : "");
    for (uint32_t i = 0; i < s->origins.n; i++) {
        uint32_t o = s->origins.order[i];
        uint64_t but = base != NULL ? rj_vv_get(base, o) : 0;

        if (rj_vv_get(v, o) != but)
            rj_buf_printf(out, " %02x%02x:%llu", s->origins.items[o].id.b[0],
                          s->origins.items[o].id.b[1],
                          (unsigned long long)rj_vv_get(v, o));
    }
    rj_buf_append_str(out, " }");
}

static void dump_links(struct rj_buf *out, const struct rj_space *s)
{
    for (size_t i = 0; i < s->node->n_sessions; i++) {
        const struct rj_session *ss = s->node->sessions[i];
        const struct rj_link *l = NULL;

        for (size_t j = 0; j < ss->n_links; j++)
            if (ss->links[j].space == s)
                l = &ss->links[j];
        rj_buf_printf(out, "\n    session %s%s%s%s", ss->name, ss->guest ? " guest" : "",
                      ss->hello ? "" : " no-hello", ss->closing ? " closing" : "");
        if (l == NULL)
            continue;
        rj_buf_printf(out, "%s%s%s", l->told ? " told" : "", l->heard ? " heard" : "",
                      l->streaming ? " streaming" : "");
        dump_vv(out, s, "received", &l->received, &s->vv);
        dump_vv(out, s, "sent", &l->sent, &s->vv);
        if (!rj_vv_covers(&s->vv, &l->trunc))
            dump_vv(out, s, "trunc", &l->trunc, NULL);
        if (l->trunc_unknown)
            rj_buf_append_str(out, " trunc-unknown");
        if (l->apart)
            rj_buf_append_str(out, " apart");
    }
}

/* The deps that a parked batch waits for. */
static void dump_missing(struct rj_buf *out, const struct rj_space *s,
                         const struct rj_parked *p)
{
    struct rj_reader r = rj_reader_of(rj_bytes_of(p->bytes, p->size));
    struct rj_batch b;
    struct rj_dep dep;

    if (rj_batch_get(&r, s->node->env, &s->id, false, &b) != RJ_OK)
        return;
    r = rj_reader_of(b.header.deps);
    while (rj_deps_next(&r, &dep)) {
        uint32_t o = rj_fork_locate(s, &dep, RJ_ORIGIN_NONE);

        if (o != RJ_ORIGIN_NONE && rj_vv_has(&s->vv, o, dep.seq) &&
            !rj_fork_contradicts(s, o, &dep))
            continue;
        rj_buf_printf(out, " %s%02x%02x:%llu",
                      o != RJ_ORIGIN_NONE && rj_vv_has(&s->vv, o, dep.seq) ? "!" : "",
                      dep.origin.b[0], dep.origin.b[1], (unsigned long long)dep.seq);
    }
}

void sim_peek_dump(const struct rj_space *s, struct rj_buf *out)
{
    rj_buf_printf(out, " self %02x%02x pending %u log %llu..%llu committed %llu%s",
                  s->origins.items[s->self].id.b[0], s->origins.items[s->self].id.b[1],
                  s->writer.count, (unsigned long long)s->log.begin,
                  (unsigned long long)s->log.end, (unsigned long long)s->committed_end,
                  s->transfer.active ? " transfer" : "");
    dump_vv(out, s, "vv", &s->vv, NULL);
    dump_vv(out, s, "durable", &s->durable, &s->vv);
    dump_vv(out, s, "trunc", &s->trunc, NULL);
    for (size_t i = 0; s->contexts != NULL && i < s->contexts->n; i++) {
        rj_buf_printf(out, "\n    range ..%016llx",
                      (unsigned long long)s->contexts->items[i].range.to);
        dump_vv(out, s, "have", &s->contexts->items[i].have, &s->vv);
    }
    for (struct rj_map_node *n = rj_map_first(&s->parked); n != NULL;
         n = rj_map_next(n)) {
        const struct rj_parked *p = RJ_MAP_ENTRY_CONST(n, struct rj_parked, node);

        rj_buf_printf(out, "\n    parked %02x%02x:%llu", p->key[0], p->key[1],
                      (unsigned long long)rj_be_load64(p->key + RJ_ORIGIN_LEN));
        dump_missing(out, s, p);
    }
    for (uint32_t o = 0; o < s->origins.n; o++)
        if (s->os[o].closed)
            rj_buf_printf(out, "\n    closed %02x%02x frozen %llu",
                          s->origins.items[o].id.b[0], s->origins.items[o].id.b[1],
                          (unsigned long long)s->os[o].frozen);
    dump_links(out, s);
}
