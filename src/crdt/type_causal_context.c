/* SPDX-License-Identifier: Apache-2.0 */
/* Causal context as a value of its own: a version vector and a cloud of the dots beyond
 * it, as every value has one. Almeida, Shoker, Baquero 2018, "Delta state replicated data
 * types", section 7.2. */
#include "crdt/json.h"

static enum rj_err change(const struct rj_site *s)
{
    struct rj_dot dot = {0};
    enum rj_err err;

    if ((s->op->code != RJ_CRDT_NOTE && s->op->code != RJ_CRDT_INC) ||
        s->op->n_keys != 1 || (s->op->code == RJ_CRDT_NOTE && s->op->amount < 1))
        return RJ_EINVAL;
    err = rj_roster_add(s->v->names, s->op->keys[0], &dot.origin);
    if (err != RJ_OK)
        return err;
    dot.seq = s->op->code == RJ_CRDT_NOTE ? (uint64_t)s->op->amount
                                          : rj_dots_last(&s->v->seen, dot.origin) + 1;
    return dot.seq <= RJ_SEQ_MAX ? rj_dots_note(&s->delta->seen, dot) : RJ_ERANGE;
}

static enum rj_err lacks(const struct rj_crdt *v, const struct rj_dots *theirs,
                         struct rj_dots *ret)
{
    return rj_dots_minus(ret, &v->seen, theirs);
}

/* The dots of one replica beyond its vector. */
static void put_cloud(const struct rj_crdt *v, uint32_t origin, const char **comma,
                      struct rj_buf *json)
{
    struct rj_dots_walk w = rj_dots_walk_from(&v->seen, origin, 0);
    struct rj_span s;
    uint64_t seq;

    while (rj_dots_next(&w, &s) && s.origin == origin) {
        if (s.from == 1)
            continue;
        for (seq = s.from; !json->failed && seq <= s.to; seq++) {
            rj_buf_append_str(json, *comma);
            rj_buf_u8(json, '[');
            rj_json_put_str(json, rj_roster_get(v->names, origin));
            rj_buf_printf(json, ",%llu]", (unsigned long long)seq);
            *comma = ",";
        }
    }
}

/* Their number, lest a few bytes become a text without end. */
static bool is_cloud_small(const struct rj_crdt *v)
{
    struct rj_dots_walk w = rj_dots_walk_of(&v->seen);
    uint64_t left = RJ_CRDT_SPANS_MAX;
    struct rj_span s;

    while (rj_dots_next(&w, &s)) {
        if (s.from == 1)
            continue;
        if (s.to - s.from >= left)
            return false;
        left -= s.to - s.from + 1;
    }
    return true;
}

static void show(const struct rj_crdt *v, struct rj_bytes prefix, struct rj_buf *json)
{
    const struct rj_map_node *node;
    const char *comma = "";

    (void)prefix;
    if (!is_cloud_small(v))
        rj_buf_fail(json, RJ_ELIMIT);
    rj_buf_append_str(json, "{\"vector\":");
    rj_json_put_vector(json, v);
    rj_buf_append_str(json, ",\"cloud\":[");
    for (node = rj_map_first(&v->names->map); node != NULL; node = rj_map_next(node))
        put_cloud(v, RJ_MAP_ENTRY_CONST(node, struct rj_replica, node)->index, &comma,
                  json);
    rj_buf_append_str(json, "]}");
}

const struct rj_type rj_type_causal_context = {
    .number = RJ_CRDT_CAUSAL_CONTEXT,
    .name = "causal_context",
    .alone = true,
    .bare = true,
    .change = change,
    .show = show,
    .lacks = lacks,
};
