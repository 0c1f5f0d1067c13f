/* SPDX-License-Identifier: Apache-2.0 */
/* Register in which the later time wins, and at equal times the greater or lesser value
 * or the lesser replica. Shapiro et al. 2011, "A comprehensive study of CRDTs", 3.2.1. */
#include "crdt/lazy.h"
#include "crdt/stamped.h"

static enum rj_err change(const struct rj_site *s)
{
    const struct rj_bytes here = {0};
    struct rj_stamped what = {.value = s->op->value};

    return s->op->code == RJ_CRDT_SET ? rj_stamped_write(s, here, false, what)
                                      : RJ_EINVAL;
}

static void show(const struct rj_crdt *v, struct rj_bytes prefix, struct rj_buf *json)
{
    const struct rj_row *row = rj_stamped_top(v, rj_rows_place(&v->rows, prefix), false);
    struct rj_stamped what;

    if (row != NULL && rj_stamped_get(rj_row_payload(row), false, &what))
        rj_lazy_put_json(v, what.value, json);
    else
        rj_buf_append_str(json, "null");
}

static bool beats(const struct rj_crdt *v, const struct rj_row *a, const struct rj_row *b)
{
    return rj_stamped_beats(v, a, b, false);
}

static void read_row(struct rj_bytes place, struct rj_bytes payload,
                     struct rj_crdt_row *ret_row)
{
    struct rj_stamped what;

    (void)place;
    if (!rj_stamped_get(payload, false, &what))
        return;
    ret_row->stamp = what.stamp;
    ret_row->value = what.value;
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    struct rj_stamped what;

    return place.len == 0 && rj_stamped_get(payload, false, &what);
}

const struct rj_type rj_type_lwwreg = {
    .number = RJ_CRDT_LWWREG,
    .name = "lwwreg",
    .valued = true,
    .change = change,
    .beats = beats,
    .is_sound = is_sound,
    .show = show,
    .read = read_row,
};
