/* SPDX-License-Identifier: Apache-2.0 */
/* Facts that only grow, in two sides (crdt/sided.h). Shapiro et al. 2011, "A
 * comprehensive study of CRDTs", 3.3.2 (2P), 3.3.3 (LWW), 3.3.5 (tags). */
#include "crdt/sided.h"

#include "base/cbor.h"
#include "crdt/forget.h"

enum { ADDED = 'a', REMOVED = 'r' };

bool rj_fact_get(struct rj_bytes place, enum rj_sided shape, struct rj_fact *ret)
{
    struct rj_reader r = rj_reader_of(place);
    uint8_t side;

    *ret = (struct rj_fact){.element = rj_cbor_get_bytes(&r)};
    if (shape == RJ_SIDED_TAGGED)
        ret->tag = rj_cbor_get_bytes(&r);
    side = rj_reader_u8(&r);
    ret->removed = side == REMOVED;
    if (shape == RJ_SIDED_STAMPED)
        ret->stamp = ~rj_reader_u64be(&r);
    return rj_reader_complete(&r) && (side == ADDED || side == REMOVED) &&
           ret->element.len <= RJ_CRDT_KEY_MAX && ret->tag.len <= RJ_CRDT_KEY_MAX;
}

static bool fact_at(const struct rj_row *place, struct rj_bytes prefix,
                    enum rj_sided shape, struct rj_fact *fact)
{
    return rj_fact_get(rj_bytes_skip(rj_row_place(place), prefix.len), shape, fact);
}

bool rj_fact_next(const struct rj_crdt *v, const struct rj_row **place,
                  struct rj_bytes prefix, enum rj_sided shape, struct rj_fact *fact)
{
    struct rj_bytes element = fact->element;

    *place = rj_place_next(&v->rows, *place, prefix);
    return *place != NULL && fact_at(*place, prefix, shape, fact) &&
           rj_bytes_equal(fact->element, element);
}

bool rj_fact_first(const struct rj_crdt *v, const struct rj_row *place,
                   struct rj_bytes prefix, enum rj_sided shape, struct rj_fact *fact)
{
    const struct rj_row *prev = rj_place_prev(&v->rows, place, prefix);
    struct rj_fact other;

    if (!fact_at(place, prefix, shape, fact))
        return false;
    return prev == NULL || !fact_at(prev, prefix, shape, &other) ||
           !rj_bytes_equal(other.element, fact->element);
}

/* The greatest stamp that is known of an element. */
static bool latest(const struct rj_site *s, struct rj_bytes element, uint64_t *ret_stamp)
{
    struct rj_buf name = {.allocator = s->v->allocator};
    const struct rj_row *place = NULL;
    struct rj_fact fact;
    bool found = false;

    rj_buf_append(&name, s->prefix);
    rj_cbor_put_bytes(&name, element);
    if (!name.failed)
        place = rj_rows_under(&s->v->rows, rj_buf_view(&name));
    if (place != NULL && fact_at(place, s->prefix, RJ_SIDED_STAMPED, &fact)) {
        do {
            if (!found || fact.stamp > *ret_stamp)
                *ret_stamp = fact.stamp;
            found = true;
        } while (rj_fact_next(s->v, &place, s->prefix, RJ_SIDED_STAMPED, &fact));
    }
    rj_buf_done(&name);
    return found;
}

enum rj_err rj_sided_change(const struct rj_site *s, enum rj_sided shape)
{
    const struct rj_crdt_op *op = s->op;
    struct rj_buf name = {.allocator = s->v->allocator};
    uint64_t own = 0, stamp = 0;
    enum rj_err err = RJ_OK;
    size_t i;

    if (op->code != RJ_CRDT_ADD && op->code != RJ_CRDT_REMOVE)
        return RJ_EINVAL;
    for (i = 0; err == RJ_OK && i < op->n_keys; i++) {
        rj_buf_clear(&name);
        rj_cbor_put_bytes(&name, op->keys[i]);
        if (shape == RJ_SIDED_TAGGED)
            rj_cbor_put_bytes(&name, op->tag);
        rj_buf_u8(&name, op->code == RJ_CRDT_ADD ? ADDED : REMOVED);
        if (shape == RJ_SIDED_STAMPED) {
            bool found = (op->flags & RJ_CRDT_NOW) != 0 && latest(s, op->keys[i], &own);

            err = rj_site_stamp(s, found ? &own : NULL, &stamp);
            rj_buf_u64be(&name, ~stamp);
        }
        if (err == RJ_OK)
            err = rj_buf_err(&name);
        if (err == RJ_OK)
            err = rj_site_grow(s, rj_buf_view(&name));
    }
    rj_buf_done(&name);
    return err;
}

/* ---- forgetting */

/* A removal goes with what was added, for good. The side is the last byte of a place. */
enum rj_err rj_sided_spend(const struct rj_crdt *v, struct rj_bytes prefix,
                           const struct rj_row *place, const struct rj_dots *horizon,
                           struct rj_dots *spent)
{
    static const uint8_t added = ADDED;
    struct rj_bytes name = rj_row_place(place);
    const struct rj_row *other;
    enum rj_err err;

    if (name.len <= prefix.len || name.ptr[name.len - 1] != REMOVED ||
        !rj_horizon_has(v, place, horizon))
        return RJ_OK;
    other =
        rj_rows_at(&v->rows, rj_bytes_first(name, name.len - 1), rj_bytes_of(&added, 1));
    err = rj_horizon_spend(v, place, horizon, spent);
    return err == RJ_OK ? rj_horizon_spend(v, other, NULL, spent) : err;
}

/* < 0: b decides against a. */
static int fact_order(const struct rj_crdt *v, const struct rj_fact *a,
                      const struct rj_fact *b)
{
    bool removal_wins = v->rules.bias == RJ_CRDT_BIAS_REMOVE;

    if (a->stamp != b->stamp)
        return a->stamp < b->stamp ? -1 : 1;
    return (int)(a->removed == removal_wins) - (int)(b->removed == removal_wins);
}

/* The greatest fact of the element that is in horizon outlives the lesser ones, and goes
 * itself if it is a removal. */
enum rj_err rj_sided_spend_stamped(const struct rj_crdt *v, struct rj_bytes prefix,
                                   const struct rj_row *place,
                                   const struct rj_dots *horizon, struct rj_dots *spent)
{
    const struct rj_row *at = place;
    struct rj_fact fact, top = {0};
    bool found = false;
    enum rj_err err = RJ_OK;

    if (!rj_fact_first(v, place, prefix, RJ_SIDED_STAMPED, &fact))
        return RJ_OK;
    do {
        if (rj_horizon_has(v, at, horizon) &&
            (!found || fact_order(v, &top, &fact) < 0)) {
            top = fact;
            found = true;
        }
    } while (rj_fact_next(v, &at, prefix, RJ_SIDED_STAMPED, &fact));
    at = place;
    if (!found || !fact_at(at, prefix, RJ_SIDED_STAMPED, &fact))
        return RJ_OK;
    do {
        int order = fact_order(v, &fact, &top);

        if (order < 0)
            err = rj_horizon_spend(v, at, NULL, spent);
        else if (order == 0 && fact.removed)
            err = rj_horizon_spend(v, at, horizon, spent);
    } while (err == RJ_OK && rj_fact_next(v, &at, prefix, RJ_SIDED_STAMPED, &fact));
    return err;
}

void rj_fact_read(struct rj_bytes place, enum rj_sided shape, struct rj_crdt_row *ret_row)
{
    struct rj_fact fact;

    if (!rj_fact_get(place, shape, &fact))
        return;
    ret_row->key = fact.element;
    ret_row->tag = fact.tag;
    ret_row->stamp = fact.stamp;
    ret_row->removed = fact.removed;
}
