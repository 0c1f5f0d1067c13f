/* SPDX-License-Identifier: Apache-2.0 */
/* The order of stamped rows (crdt/stamped.h) and how one is written.
 * Shapiro et al. 2011, "A comprehensive study of CRDTs", 3.2.1 (last writer wins); Ivanov
 * 2016, "CRDTs in NavCloud" (removed flag, ties, the "+1" strategy). */
#include "crdt/stamped.h"

#include "base/reader.h"

/* A row, or one to be. */
struct version {
    struct rj_stamped what;
    struct rj_dot dot;
};

bool rj_stamped_get(struct rj_bytes payload, bool with_flag, struct rj_stamped *ret)
{
    struct rj_reader r = rj_reader_of(payload);
    uint8_t flag;

    ret->stamp = rj_reader_u64be(&r);
    flag = with_flag ? rj_reader_u8(&r) : 0;
    ret->removed = flag != 0;
    ret->value = rj_reader_rest(&r);
    return !r.failed && flag <= 1;
}

void rj_stamped_put(struct rj_buf *out, bool with_flag, const struct rj_stamped *what)
{
    rj_buf_u64be(out, what->stamp);
    if (with_flag)
        rj_buf_u8(out, what->removed);
    rj_buf_append(out, what->value);
}

static struct version version_of(const struct rj_row *row, bool with_flag)
{
    struct version version = {.dot = rj_row_dot(row)};

    (void)rj_stamped_get(rj_row_payload(row), with_flag, &version.what);
    return version;
}

static int order_of(const struct rj_crdt *v, const struct version *a,
                    const struct version *b)
{
    int names = a->dot.origin == b->dot.origin
                    ? 0
                    : rj_roster_compare(v->names, b->dot.origin, a->dot.origin);
    int values = rj_bytes_compare(a->what.value, b->what.value);
    int writes = (a->dot.seq > b->dot.seq) - (a->dot.seq < b->dot.seq);

    if (a->what.stamp != b->what.stamp)
        return a->what.stamp > b->what.stamp ? 1 : -1;
    if (a->what.removed != b->what.removed)
        return a->what.removed == (v->rules.bias == RJ_CRDT_BIAS_REMOVE) ? 1 : -1;
    if (v->rules.tie == RJ_CRDT_TIE_MIN_REPLICA)
        return names != 0 ? names : writes;
    if (values != 0)
        return v->rules.tie == RJ_CRDT_TIE_MIN_VALUE ? -values : values;
    return names != 0 ? names : writes;
}

bool rj_stamped_beats(const struct rj_crdt *v, const struct rj_row *a,
                      const struct rj_row *b, bool with_flag)
{
    struct version x = version_of(a, with_flag), y = version_of(b, with_flag);

    return order_of(v, &x, &y) > 0;
}

const struct rj_row *rj_stamped_top(const struct rj_crdt *v, const struct rj_row *place,
                                    bool with_flag)
{
    const struct rj_row *row = place, *top = row;

    for (; row != NULL; row = rj_row_next(&v->rows, row)) {
        if (row != top && rj_stamped_beats(v, row, top, with_flag))
            top = row;
    }
    return top;
}

static bool is_equal(const struct rj_stamped *a, const struct rj_stamped *b)
{
    return a->stamp == b->stamp && a->removed == b->removed &&
           rj_bytes_equal(a->value, b->value);
}

enum rj_err rj_stamped_write(const struct rj_site *s, struct rj_bytes name,
                             bool with_flag, struct rj_stamped what)
{
    const struct rj_row *place = rj_site_place(s, name);
    const struct rj_row *top = rj_stamped_top(s->v, place, with_flag), *row;
    struct version new = {0}, old = {0};
    struct rj_buf payload = {.allocator = s->v->allocator};
    enum rj_err err = rj_site_next(s, &new.dot);

    if (top != NULL)
        old = version_of(top, with_flag);
    if (err == RJ_OK)
        err = rj_site_stamp(s, top != NULL ? &old.what.stamp : NULL, &what.stamp);
    if (err != RJ_OK)
        return err;
    new.what = what;
    if (top != NULL && s->prefix.len == 0 && is_equal(&old.what, &what) &&
        (s->v->rules.tie != RJ_CRDT_TIE_MIN_REPLICA ||
         rj_roster_compare(s->v->names, old.dot.origin, new.dot.origin) <= 0))
        return rj_site_copy(s, top); /* it is there */
    for (row = place; err == RJ_OK && row != NULL; row = rj_row_next(&s->v->rows, row)) {
        old = version_of(row, with_flag);
        if (order_of(s->v, &new, &old) > 0 || is_equal(&old.what, &what))
            err = rj_site_kill_row(s, row);
    }
    rj_stamped_put(&payload, with_flag, &what);
    if (err == RJ_OK)
        err = rj_buf_err(&payload);
    if (err == RJ_OK)
        err = rj_site_put(s, name, rj_buf_view(&payload));
    rj_buf_done(&payload);
    return err;
}
