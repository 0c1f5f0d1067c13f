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

uint64_t sim_peek_clock_ms(const struct rj_space *s)
{
    return rj_stamp_ms(s->clock);
}

/* ---- for the trace of a failing seed */

static void dump_vv(struct rj_buf *out, const struct rj_space *s, const char *name,
                    const struct rj_vv *v)
{
    rj_buf_printf(out, " %s{", name);
    for (uint32_t i = 0; i < s->origins.n; i++) {
        uint32_t o = s->origins.order[i];

        if (rj_vv_get(v, o) != 0)
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
        dump_vv(out, s, "received", &l->received);
        dump_vv(out, s, "sent", &l->sent);
        dump_vv(out, s, "trunc", &l->trunc);
    }
}

void sim_peek_dump(const struct rj_space *s, struct rj_buf *out)
{
    rj_buf_printf(out, " self %02x%02x pending %u log %llu..%llu committed %llu%s",
                  s->origins.items[s->self].id.b[0], s->origins.items[s->self].id.b[1],
                  s->writer.count, (unsigned long long)s->log.begin,
                  (unsigned long long)s->log.end, (unsigned long long)s->committed_end,
                  s->transfer.active ? " transfer" : "");
    dump_vv(out, s, "vv", &s->vv);
    dump_vv(out, s, "durable", &s->durable);
    dump_vv(out, s, "trunc", &s->trunc);
    for (size_t i = 0; s->contexts != NULL && i < s->contexts->n; i++) {
        rj_buf_printf(out, "\n    range ..%016llx",
                      (unsigned long long)s->contexts->items[i].range.to);
        dump_vv(out, s, "have", &s->contexts->items[i].have);
    }
    for (struct rj_map_node *n = rj_map_first(&s->parked); n != NULL;
         n = rj_map_next(n)) {
        const struct rj_parked *p = RJ_MAP_ENTRY_CONST(n, struct rj_parked, node);

        rj_buf_printf(out, "\n    parked %02x%02x:%llu", p->key[0], p->key[1],
                      (unsigned long long)rj_be_load64(p->key + RJ_ORIGIN_LEN));
    }
    for (uint32_t o = 0; o < s->origins.n; o++)
        if (s->os[o].closed)
            rj_buf_printf(out, "\n    closed %02x%02x frozen %llu",
                          s->origins.items[o].id.b[0], s->origins.items[o].id.b[1],
                          (unsigned long long)s->os[o].frozen);
    dump_links(out, s);
}
