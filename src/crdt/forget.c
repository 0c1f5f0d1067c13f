/* SPDX-License-Identifier: Apache-2.0 */
/* Horizons (crdt/forget.h). Baquero, Almeida, Shoker 2017, "Pure operation-based
 * replicated data types", section 5 (causal stability: what all have seen needs no record
 * any more); Ivanov 2016, "CRDTs in NavCloud" (removals that are too old are dropped, who
 * is older begins anew). That the horizon is a context, and no time, makes it safe
 * whatever the clocks say. */
#include "crdt/forget.h"

#include "crdt/code.h"

/* v's numbers of names -> other's. */
static enum rj_err map_back(const struct rj_crdt *v, const struct rj_crdt *other,
                            const uint32_t *map, uint32_t **ret_back)
{
    size_t size = v->names->n * sizeof(uint32_t) + 1;
    uint32_t *back = rj_mem_new(v->allocator, size), i;

    if (back == NULL)
        return RJ_ENOMEM;
    memset(back, 0xff, size);
    for (i = 0; i < other->names->n; i++)
        back[map != NULL ? map[i] : i] = i;
    *ret_back = back;
    return RJ_OK;
}

enum rj_err rj_horizon_spent(const struct rj_crdt *v, const struct rj_dots *horizon,
                             const uint32_t *map, struct rj_dots *spent)
{
    const struct rj_bytes all = {0};
    const struct rj_row *place = rj_rows_under(&v->rows, all);
    struct rj_dots found = {.allocator = v->allocator};
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && place != NULL; place = rj_place_next(&v->rows, place, all)) {
        struct rj_bytes name = rj_row_place(place), rest = {0};
        const struct rj_type *type = rj_type_at(v, name, &rest);

        if (type != NULL && type->spend != NULL)
            err = type->spend(v, rj_bytes_first(name, name.len - rest.len), place,
                              horizon, &found);
    }
    if (err == RJ_OK)
        err = rj_dots_map(spent, &found, map);
    rj_dots_done(&found);
    return err;
}

/* Rows of other that go by v's horizon: they are looked up by place. */
static enum rj_err judge_other(const struct rj_crdt *v, const struct rj_crdt *other,
                               const uint32_t *map, struct rj_dots *spent)
{
    struct rj_dots horizon = {.allocator = v->allocator};
    struct rj_crdt *unfolded = NULL;
    uint32_t *back = NULL;
    enum rj_err err = map_back(v, other, map, &back);

    if (err == RJ_OK)
        err = rj_dots_map(&horizon, &v->horizon, back);
    if (err == RJ_OK && other->is_view)
        err = rj_code_unfold(other, &unfolded);
    if (err == RJ_OK)
        err = rj_horizon_spent(unfolded != NULL ? unfolded : other, &horizon, map, spent);
    rj_mem_free(v->allocator, back, v->names->n * sizeof(uint32_t) + 1);
    rj_dots_done(&horizon);
    rj_crdt_free(unfolded);
    return err;
}

static bool has_news(const struct rj_crdt *v, const struct rj_crdt *other,
                     const uint32_t *map)
{
    struct rj_rows_told r = rj_rows_told_of(other);
    struct rj_told told;

    while (rj_rows_told_next(&r, &told)) {
        if (map != NULL)
            told.dot.origin = map[told.dot.origin];
        if (!rj_dots_has(&v->seen, told.dot))
            return true;
    }
    return false;
}

/* Rows of v that go by other's horizon. */
static enum rj_err judge_own(const struct rj_crdt *v, const struct rj_crdt *other,
                             const uint32_t *map, struct rj_dots *spent)
{
    struct rj_dots horizon = {.allocator = v->allocator};
    enum rj_err err = rj_dots_map(&horizon, &other->horizon, map);

    if (err == RJ_OK)
        err = rj_horizon_spent(v, &horizon, NULL, spent);
    rj_dots_done(&horizon);
    return err;
}

/* a's horizon is within those dots of b. */
static bool is_within(const struct rj_crdt *a, const struct rj_crdt *b,
                      const struct rj_dots *dots)
{
    return rj_roster_within(&a->horizon, a->names, dots, b->names);
}

enum rj_err rj_horizon_join(const struct rj_crdt *v, const struct rj_crdt *other,
                            const uint32_t *map, struct rj_forgotten *ret)
{
    struct rj_dots mine = {.allocator = v->allocator}, others = mine; /* that go */
    enum rj_err err = RJ_OK;

    ret->spent.allocator = ret->horizon.allocator = v->allocator;
    if (!is_within(v, other, &other->horizon)) {
        if (is_within(v, other, &other->seen))
            err = judge_other(v, other, map, &others);
        else if (has_news(v, other, map))
            err = RJ_ECLOSED;
    }
    if (err == RJ_OK && !is_within(other, v, &v->horizon)) {
        if (is_within(other, v, &v->seen))
            err = judge_own(v, other, map, &mine);
        else if (v->seen.n > 0 || !(v->relays || is_within(other, other, &other->seen)))
            err = RJ_ECLOSED; /* who begins, begins with a whole state */
        if (err == RJ_OK)
            err = rj_dots_map_union(&ret->horizon, &v->horizon, &other->horizon, map);
    }
    if (err == RJ_OK)
        err = rj_dots_union(&ret->spent, &mine, &others);
    rj_dots_done(&mine);
    rj_dots_done(&others);
    return err;
}

bool rj_horizon_has(const struct rj_crdt *v, const struct rj_row *place,
                    const struct rj_dots *horizon)
{
    const struct rj_row *row = place != NULL ? place : NULL;

    while (row != NULL && !rj_dots_has(horizon, rj_row_dot(row)))
        row = rj_row_next(&v->rows, row);
    return row != NULL;
}

enum rj_err rj_horizon_spend(const struct rj_crdt *v, const struct rj_row *place,
                             const struct rj_dots *horizon, struct rj_dots *spent)
{
    const struct rj_row *row = place != NULL ? place : NULL;
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL; row = rj_row_next(&v->rows, row)) {
        if (horizon == NULL || rj_dots_has(horizon, rj_row_dot(row)))
            err = rj_dots_note(spent, rj_row_dot(row));
    }
    return err;
}

/* ---- moving it */

/* a := what is in a and in b. */
static enum rj_err meet(struct rj_dots *a, const struct rj_dots *b)
{
    struct rj_dots only = {.allocator = a->allocator};
    struct rj_dots both = {.allocator = a->allocator};
    enum rj_err err = rj_dots_minus(&only, a, b);

    if (err == RJ_OK)
        err = rj_dots_minus(&both, a, &only);
    if (err == RJ_OK) {
        struct rj_dots old = *a;

        *a = both;
        both = old;
    }
    rj_dots_done(&only);
    rj_dots_done(&both);
    return err;
}

/* What v and the makers of all digests have seen, and v's horizon. */
static enum rj_err next_horizon(const struct rj_crdt *v, const struct rj_bytes *digests,
                                size_t n, struct rj_dots *ret)
{
    struct rj_dots seen = {.allocator = v->allocator};
    struct rj_dots stable = {.allocator = v->allocator};
    enum rj_err err = rj_dots_map(&stable, &v->seen, NULL);
    size_t i;

    for (i = 0; err == RJ_OK && i < n; i++) {
        rj_dots_clear(&seen);
        err = rj_code_get_digest(v, digests[i], &seen, NULL, NULL);
        if (err == RJ_OK)
            err = meet(&stable, &seen);
    }
    if (err == RJ_OK)
        err = rj_dots_union(ret, &stable, &v->horizon);
    rj_dots_done(&seen);
    rj_dots_done(&stable);
    return err;
}

enum rj_err rj_crdt_forget(struct rj_crdt *v, const struct rj_bytes *digests, size_t n,
                           struct rj_crdt_buf *ret_delta)
{
    struct rj_crdt *delta = NULL;
    struct rj_site site = {.v = v};
    enum rj_err err = RJ_OK;

    if (v->rules.horizon == 0 || (n > 0 && digests == NULL))
        return RJ_EINVAL;
    site.delta = delta = rj_crdt_blank(v);
    if (delta == NULL)
        return RJ_ENOMEM;
    err = next_horizon(v, digests, n, &delta->horizon);
    if (err == RJ_OK && !rj_dots_equal(&delta->horizon, &v->horizon))
        err = rj_site_event(&site);
    if (err == RJ_OK && ret_delta != NULL)
        err = rj_code_encode(delta, ret_delta);
    if (err == RJ_OK)
        err = rj_crdt_join(v, delta, NULL);
    rj_crdt_free(delta);
    return err;
}
