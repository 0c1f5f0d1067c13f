/* SPDX-License-Identifier: Apache-2.0 */
/* Register that keeps all concurrent values: a row each; a write takes away those it
 * sees. Shapiro et al. 2011, "A comprehensive study of CRDTs", 3.2.2; Almeida, Shoker,
 * Baquero 2018, section 7.4. */
#include "crdt/json.h"

/* The row of the least value that is greater than that of `above` (NULL: any); rows with
 * equal values count once. */
static const struct rj_row *next_value(const struct rj_place *place,
                                       const struct rj_row *above)
{
    const struct rj_row *row = place != NULL ? place->first : NULL, *best = NULL;

    for (; row != NULL; row = row->next) {
        struct rj_bytes value = rj_row_payload(row);

        if (above != NULL && rj_bytes_compare(value, rj_row_payload(above)) <= 0)
            continue;
        if (best == NULL || rj_bytes_compare(value, rj_row_payload(best)) < 0)
            best = row;
    }
    return best;
}

/* Takes away the rows whose value is not the greatest. */
static enum rj_err resolve(const struct rj_site *s)
{
    const struct rj_bytes here = {0};
    const struct rj_row *row, *top = NULL, *next;
    const struct rj_place *place = rj_site_place(s, here);
    enum rj_err err = RJ_OK;

    if (place == NULL)
        return RJ_OK;
    for (next = next_value(place, NULL); next != NULL; next = next_value(place, next))
        top = next;
    for (row = place->first; err == RJ_OK && row != NULL; row = row->next) {
        if (!rj_bytes_equal(rj_row_payload(row), rj_row_payload(top)))
            err = rj_site_kill_row(s, row);
    }
    return err;
}

static enum rj_err change(const struct rj_site *s)
{
    const struct rj_bytes here = {0};
    enum rj_err err;

    if (s->op->code == RJ_CRDT_RESOLVE)
        return resolve(s);
    if (s->op->code != RJ_CRDT_SET && s->op->code != RJ_CRDT_CLEAR)
        return RJ_EINVAL;
    err = rj_site_kill(s, here);
    if (err == RJ_OK && s->op->code == RJ_CRDT_SET)
        err = rj_site_put(s, here, s->op->value);
    return err;
}

static void show(const struct rj_crdt *v, struct rj_bytes prefix, struct rj_buf *json)
{
    const struct rj_place *place = rj_rows_place(&v->rows, prefix);
    const struct rj_row *row = next_value(place, NULL);
    const char *comma = "";

    rj_buf_u8(json, '[');
    for (; row != NULL; row = next_value(place, row)) {
        rj_buf_append_str(json, comma);
        rj_json_put_str(json, rj_row_payload(row));
        comma = ",";
    }
    rj_buf_u8(json, ']');
}

static void read_row(struct rj_bytes place, struct rj_bytes payload,
                     struct rj_crdt_row *ret_row)
{
    (void)place;
    ret_row->value = payload;
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    (void)payload;
    return place.len == 0;
}

const struct rj_type rj_type_mvreg = {
    .number = RJ_CRDT_MVREG,
    .name = "mvreg",
    .change = change,
    .show = show,
    .is_sound = is_sound,
    .read = read_row,
};
