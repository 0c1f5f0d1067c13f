/* SPDX-License-Identifier: Apache-2.0 */
/* What a membership record may change (R8): only a higher rank removes or demotes. Judged
 * by the past in which its author wrote it, so all nodes judge alike, whatever else they
 * know. */
#include "node/state.h"

/* What the author of origin o had seen when it wrote its batch that begins at `first`. */
static enum rj_err past_at(const struct rj_space *s, uint32_t o, uint64_t first,
                           struct rj_vv *past)
{
    enum rj_err err = rj_vv_copy(past, &s->os[o].past);

    return err == RJ_OK && first > 1 ? rj_vv_put(past, o, first - 1) : err;
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
        return RJ_OK; /* its first role, or nothing to close */
    err = past_at(s, o, b->header.first, &past);
    if (err == RJ_OK && (rec.kind == RJ_RECORD_CLOSE ||
                         rec.role < rj_members_role(pair[1], &s->origins, &past)))
        err = rj_members_outrank(&s->members, &s->origins, &past, pair, &outranks);
    rj_vv_done(&past);
    return err == RJ_OK && !outranks ? RJ_EDENIED : err;
}
