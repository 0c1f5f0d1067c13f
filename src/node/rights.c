/* SPDX-License-Identifier: Apache-2.0 */
/* What a membership record may change (R8): only a higher rank removes or demotes, and
 * a close is lifted by nobody of a lower rank than who wrote it. Judged by the past in
 * which its author wrote it, so all nodes judge alike, whatever else they know. */
#include "node/state.h"

/* What the author of origin o had seen when it wrote its batch that begins at `first`. */
static enum rj_err past_at(const struct rj_space *s, uint32_t o, uint64_t first,
                           struct rj_vv *past)
{
    enum rj_err err = rj_vv_copy(past, &s->os[o].past);

    return err == RJ_OK && first > 1 ? rj_vv_put(past, o, first - 1) : err;
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
