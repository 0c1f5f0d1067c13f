/* SPDX-License-Identifier: Apache-2.0 */
/* Version vector as a value of its own: what was seen, without gaps, is the value.
 * Parker et al. 1983, "Detection of mutual inconsistency in distributed systems". */
#include "crdt/json.h"

static enum rj_err change(const struct rj_site *s)
{
    struct rj_span span = {.from = 1};
    enum rj_err err;

    if (s->op->code != RJ_CRDT_INC || s->op->n_keys != 1)
        return RJ_EINVAL;
    err = rj_roster_add(s->v->names, s->op->keys[0], &span.origin);
    if (err != RJ_OK)
        return err;
    span.to = rj_dots_last(&s->v->seen, span.origin) + 1;
    return span.to <= RJ_SEQ_MAX ? rj_dots_add(&s->delta->seen, span) : RJ_ERANGE;
}

static enum rj_err lacks(const struct rj_crdt *v, const struct rj_dots *theirs,
                         struct rj_dots *ret)
{
    struct rj_dots_walk w = rj_dots_walk_of(&v->seen);
    struct rj_span s;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && rj_dots_next(&w, &s)) {
        if (s.to > rj_dots_last(theirs, s.origin))
            err = rj_dots_append(ret, s);
    }
    return err;
}

static bool is_context(const struct rj_dots *seen)
{
    struct rj_dots_walk w = rj_dots_walk_of(seen);
    struct rj_span s;

    while (rj_dots_next(&w, &s)) {
        if (s.from != 1)
            return false;
    }
    return true;
}

static void show(const struct rj_crdt *v, struct rj_bytes prefix, struct rj_buf *json)
{
    (void)prefix;
    rj_json_put_vector(json, v);
}

const struct rj_type rj_type_vv = {
    .number = RJ_CRDT_VV,
    .name = "vv",
    .alone = true,
    .bare = true,
    .change = change,
    .show = show,
    .lacks = lacks,
    .is_context = is_context,
};
