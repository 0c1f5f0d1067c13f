/* SPDX-License-Identifier: Apache-2.0 */
/* Retiring a replica is noting its heir (crdt/heirs.h). Compare Balegas et al. 2015,
 * "Extending eventually consistent cloud databases for enforcing numeric invariants",
 * where rights are moved by who still lives. */
#include "crdt/code.h"

/* What is told when nothing is new: the same entry again. */
static enum rj_err fill(const struct rj_site *s, struct rj_heir heir)
{
    uint32_t old = rj_heirs_of(&s->v->heirs, heir.name);
    bool is_new =
        old == RJ_NAME_NONE || rj_roster_compare(s->v->names, heir.heir, old) < 0;
    enum rj_err err;

    if (!is_new)
        heir.heir = old;
    err = rj_heirs_note(&s->delta->heirs, s->v->names, heir);

    /* a digest must tell that it is known; a sequence has no dots but of its runs */
    if (err == RJ_OK && is_new && s->v->seq == NULL && !s->v->type->bare)
        err = rj_site_event(s);
    return err == RJ_OK ? rj_dots_map(&s->delta->horizon, &s->v->horizon, NULL) : err;
}

enum rj_err rj_crdt_retire(struct rj_crdt *v, struct rj_bytes name, struct rj_bytes heir,
                           struct rj_crdt_buf *ret_delta)
{
    struct rj_heir pair = {0};
    struct rj_crdt *delta = NULL;
    struct rj_site site = {.v = v};
    enum rj_err err = rj_roster_add(v->names, name, &pair.name);

    if (err == RJ_OK)
        err = rj_roster_add(v->names, heir, &pair.heir);
    if (err == RJ_OK && (v->self == RJ_NAME_NONE || pair.name == pair.heir ||
                         rj_heirs_last(&v->heirs, pair.heir) == pair.name))
        err = RJ_EINVAL;
    if (err != RJ_OK)
        return err;
    site.delta = delta = rj_crdt_blank(v);
    err = delta != NULL ? fill(&site, pair) : RJ_ENOMEM;
    if (err == RJ_OK && ret_delta != NULL)
        err = rj_code_encode(delta, ret_delta);
    if (err == RJ_OK)
        err = rj_crdt_join(v, delta, NULL);
    rj_crdt_free(delta);
    return err;
}
