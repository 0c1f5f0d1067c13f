/* SPDX-License-Identifier: Apache-2.0 */
/* Counter that is never negative: who takes away needs the right to, which comes with
 * adding and can be moved to another replica. Tips: at the place itself what a replica
 * added less what it took away, at `m` and a name what it moved there.
 *
 * A delta holds all rows of the counter: whatever arrives brings what justified it, so no
 * value that anyone sees is negative. (A map's reset may take away rights that somebody
 * spends at the same time; then it is 0 until they are made good.)
 * Balegas et al. 2015, "Extending eventually consistent cloud databases for enforcing
 * numeric invariants" (bounded counter). */
#include "crdt/sums.h"

enum { MOVED = 'm' };

static const struct rj_bytes here = {0};

static size_t moved_to(uint8_t p[1 + RJ_CRDT_NAME_MAX], struct rj_bytes to)
{
    p[0] = MOVED;
    memcpy(p + 1, to.ptr, to.len);
    return 1 + to.len;
}

static bool is_whose(const struct rj_crdt *v, uint32_t origin, uint32_t who)
{
    return origin != RJ_NAME_NONE && who != RJ_NAME_NONE &&
           rj_heirs_last(&v->heirs, origin) == who;
}

/* What counts of the tips at place that who has, or has inherited. */
static rj_int128 sum_of(const struct rj_crdt *v, struct rj_bytes prefix,
                        const struct rj_row *place, uint32_t who)
{
    const struct rj_row *row;
    rj_int128 sum = 0;
    bool alive;

    for (row = place; row != NULL; row = rj_row_next(&v->rows, row)) {
        if (is_whose(v, row->origin, who))
            sum += rj_sums_live(v, prefix, row, &alive);
    }
    return sum;
}

/* own + moved in - moved out */
static rj_int128 rights(const struct rj_crdt *v, struct rj_bytes prefix,
                        struct rj_bytes who)
{
    const struct rj_row *place = rj_rows_under(&v->rows, prefix);
    uint32_t origin = rj_roster_find(v->names, who), to;
    rj_int128 sum = 0;
    bool alive;

    for (; place != NULL; place = rj_place_next(&v->rows, place, prefix)) {
        struct rj_bytes name = rj_bytes_skip(rj_row_place(place), prefix.len);

        if (rj_sums_is_floor(name))
            continue;
        if (name.len == 0) {
            sum += sum_of(v, prefix, place, origin);
            continue;
        }
        sum -= sum_of(v, prefix, place, origin);
        to = rj_roster_find(v->names, rj_bytes_skip(name, 1));
        if (rj_bytes_equal(rj_bytes_skip(name, 1), who)
                ? rj_heirs_of(&v->heirs, to) == RJ_NAME_NONE
                : is_whose(v, to, origin))
            sum += rj_sums_total(v, prefix, name, &alive);
    }
    return sum;
}

static enum rj_err move(const struct rj_site *s)
{
    uint8_t name[1 + RJ_CRDT_NAME_MAX];
    struct rj_bytes to;

    if (s->op->n_keys != 1)
        return RJ_EINVAL;
    to = s->op->keys[0];
    if (to.len == 0 || to.len > RJ_CRDT_NAME_MAX)
        return RJ_EINVAL;
    if (rj_bytes_equal(to, rj_roster_get(s->v->names, s->v->self)))
        return RJ_OK;
    return rj_sums_add(s, rj_bytes_of(name, moved_to(name, to)), s->op->amount);
}

/* The rows that stay, for the delta. */
static enum rj_err tell_all(const struct rj_site *s)
{
    const struct rj_row *place = rj_rows_under(&s->v->rows, s->prefix);
    const struct rj_row *row;
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && place != NULL;
         place = rj_place_next(&s->v->rows, place, s->prefix)) {
        for (row = place; err == RJ_OK && row != NULL;
             row = rj_row_next(&s->v->rows, row)) {
            if (!rj_dots_has(&s->delta->seen, rj_row_dot(row)))
                err = rj_site_copy(s, row);
        }
    }
    return err;
}

static enum rj_err change(const struct rj_site *s)
{
    rj_int128 amount = s->op->amount;
    int64_t fits;
    bool alive;
    enum rj_err err;

    if ((s->op->code != RJ_CRDT_INC && s->op->code != RJ_CRDT_DEC &&
         s->op->code != RJ_CRDT_MOVE) ||
        amount < 0 || s->v->self == RJ_NAME_NONE)
        return RJ_EINVAL;
    if (s->op->code == RJ_CRDT_INC) {
        err = rj_sums_int(rj_sums_total(s->v, s->prefix, here, &alive) + amount, &fits);
        if (err == RJ_OK)
            err = rj_sums_add(s, here, amount);
    } else if (rights(s->v, s->prefix, rj_roster_get(s->v->names, s->v->self)) < amount) {
        err = RJ_ERANGE;
    } else {
        err = s->op->code == RJ_CRDT_MOVE ? move(s) : rj_sums_add(s, here, -amount);
    }
    return err == RJ_OK ? tell_all(s) : err;
}

static enum rj_err count(const struct rj_crdt *v, struct rj_bytes prefix, int64_t *ret)
{
    bool alive;
    rj_int128 sum = rj_sums_total(v, prefix, here, &alive);

    return rj_sums_int(sum > 0 ? sum : 0, ret);
}

enum rj_err rj_crdt_rights(const struct rj_crdt *v, struct rj_bytes who,
                           int64_t *ret_rights)
{
    if (v->type->number != RJ_CRDT_BCOUNTER)
        return RJ_EINVAL;
    return rj_sums_int(rights(v, here, who), ret_rights);
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    struct rj_bytes name;

    return rj_sums_is_sound(place, payload, &name) &&
           (name.len == 0 ||
            (name.ptr[0] == MOVED && name.len > 1 && name.len <= 1 + RJ_CRDT_NAME_MAX));
}

const struct rj_type rj_type_bcounter = {
    .number = RJ_CRDT_BCOUNTER,
    .name = "bcounter",
    .sums = true,
    .change = change,
    .reset = rj_sums_reset,
    .spend = rj_sums_spend,
    .beats = rj_sums_beats,
    .is_contested = rj_sums_is_floor,
    .is_sound = is_sound,
    .count = count,
    .alive = rj_sums_alive,
    .read = rj_sums_read,
};
