/* SPDX-License-Identifier: Apache-2.0 */
/* Grow-only counter: one row a replica, the sum of all that it ever added. The latest row
 * of a replica says more than those before it, so lost deltas are made good by the next.
 * Shapiro et al. 2011, "A comprehensive study of CRDTs", 3.1.1. */
#include "base/cbor.h"
#include "crdt/value.h"

static int64_t count_of(const struct rj_row *row)
{
    struct rj_reader r = rj_reader_of(rj_row_payload(row));

    return rj_cbor_get_int(&r);
}

/* False: beyond int64. */
static bool sum_of(const struct rj_crdt *v, struct rj_bytes prefix, int64_t *ret_sum)
{
    const struct rj_place *place = rj_rows_place(&v->rows, prefix);
    const struct rj_row *row = place != NULL ? place->first : NULL;

    *ret_sum = 0;
    for (; row != NULL; row = row->next) {
        if (__builtin_add_overflow(*ret_sum, count_of(row), ret_sum))
            return false;
    }
    return true;
}

static enum rj_err change(const struct rj_site *s)
{
    const struct rj_bytes here = {0};
    const struct rj_place *place;
    const struct rj_row *row;
    uint8_t head[RJ_CBOR_HEAD_MAX];
    int64_t own = 0, sum;
    enum rj_err err;

    if (s->op->code != RJ_CRDT_INC || s->op->amount < 0)
        return RJ_EINVAL;
    err = rj_site_place(s, here, &place);
    if (err != RJ_OK)
        return err;
    for (row = place != NULL ? place->first : NULL; row != NULL; row = row->next) {
        if (row->dot.origin == s->v->self)
            break;
    }
    if (!sum_of(s->v, s->prefix, &sum) ||
        __builtin_add_overflow(sum, s->op->amount, &sum))
        return RJ_ERANGE;
    if (row != NULL) {
        own = count_of(row);
        err = rj_site_kill_row(s, row);
    }
    own += s->op->amount; /* not more than the sum */
    if (err == RJ_OK)
        err = rj_site_put(
            s, here, rj_bytes_of(head, rj_cbor_head(head, RJ_CBOR_UINT, (uint64_t)own)));
    return err;
}

static void show(const struct rj_crdt *v, struct rj_bytes prefix, struct rj_buf *json)
{
    int64_t sum;

    if (sum_of(v, prefix, &sum))
        rj_buf_printf(json, "%lld", (long long)sum);
    else
        rj_buf_fail(json, RJ_ERANGE);
}

static bool is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    struct rj_reader r = rj_reader_of(payload);

    return place.len == 0 && rj_cbor_get_int(&r) >= 0 && rj_reader_complete(&r);
}

const struct rj_type rj_type_gcounter = {
    .number = RJ_CRDT_GCOUNTER,
    .name = "gcounter",
    .alone = true, /* a later sum repeats what a reset took away */
    .change = change,
    .show = show,
    .is_sound = is_sound,
};
