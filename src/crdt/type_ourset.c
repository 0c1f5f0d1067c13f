/* SPDX-License-Identifier: Apache-2.0 */
/* Set of identities, each with a time stamp, a removed flag and a value; of two rows of
 * one identity the later stays, at equal times the flag decides by the bias, then the
 * value by the tie. Ivanov 2016, "CRDTs in NavCloud" (OUR-Set: observed, updated,
 * removed). */
#include "crdt/stamped.h"

static enum rj_err change(const struct rj_site *s)
{
    struct rj_stamped what = {.value = s->op->value,
                              .removed = s->op->code == RJ_CRDT_REMOVE};

    if ((s->op->code != RJ_CRDT_PUT && s->op->code != RJ_CRDT_REMOVE) ||
        s->op->n_keys != 1)
        return RJ_EINVAL;
    return rj_stamped_write(s, s->op->keys[0], true, what);
}

static struct rj_stamped top_of(const struct rj_crdt *v, const struct rj_row *place)
{
    struct rj_stamped what = {0};

    (void)rj_stamped_get(rj_row_payload(rj_stamped_top(v, place, true)), true, &what);
    return what;
}

static bool is_shown(const struct rj_crdt *v, struct rj_bytes prefix,
                     const struct rj_row *place)
{
    (void)prefix;
    return !top_of(v, place).removed;
}

static struct rj_bytes entry(const struct rj_crdt *v, const struct rj_row *place)
{
    return top_of(v, place).value;
}

static bool beats(const struct rj_crdt *v, const struct rj_row *a, const struct rj_row *b)
{
    return rj_stamped_beats(v, a, b, true);
}

/* The greatest removal in horizon goes, with what it beats. */
static enum rj_err spend(const struct rj_crdt *v, struct rj_bytes prefix,
                         const struct rj_row *place, const struct rj_dots *horizon,
                         struct rj_dots *spent)
{
    const struct rj_row *row, *top = NULL;
    struct rj_stamped what;
    enum rj_err err = RJ_OK;

    (void)prefix;
    for (row = place; row != NULL; row = rj_row_next(&v->rows, row)) {
        if (rj_dots_has(horizon, rj_row_dot(row)) &&
            rj_stamped_get(rj_row_payload(row), true, &what) && what.removed &&
            (top == NULL || rj_stamped_beats(v, row, top, true)))
            top = row;
    }
    for (row = place; top != NULL && err == RJ_OK && row != NULL;
         row = rj_row_next(&v->rows, row)) {
        if (row == top || rj_stamped_beats(v, top, row, true))
            err = rj_dots_note(spent, rj_row_dot(row));
    }
    return err;
}

static void read_row(struct rj_bytes place, struct rj_bytes payload,
                     struct rj_crdt_row *ret_row)
{
    struct rj_stamped what;

    ret_row->key = place;
    if (!rj_stamped_get(payload, true, &what))
        return;
    ret_row->stamp = what.stamp;
    ret_row->removed = what.removed;
    ret_row->value = what.value;
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    struct rj_stamped what;

    return place.len <= RJ_CRDT_KEY_MAX && rj_stamped_get(payload, true, &what);
}

const struct rj_type rj_type_ourset = {
    .number = RJ_CRDT_OURSET,
    .name = "ourset",
    .valued = true,
    .change = change,
    .spend = spend,
    .beats = beats,
    .is_sound = is_sound,
    .entry = entry,
    .is_shown = is_shown,
    .read = read_row,
};
