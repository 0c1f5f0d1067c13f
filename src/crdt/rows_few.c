/* SPDX-License-Identifier: Apache-2.0 */
/* Up to eight rows, in an array by dot, which is looked through for all that is asked:
 * what most deltas and many values have. Rows at one place hang together in the order of
 * their dots. */
#include "crdt/rows_store.h"

static struct rj_row *row_of(const struct rj_few *f, uint32_t i)
{
    return rj_slab_at(f->slab, f->ref[i]);
}

/* ---- by dot */

uint32_t rj_few_at(const struct rj_few *f, struct rj_dot dot)
{
    uint32_t i = f->n;

    for (; i > 0; i--) { /* mostly it is behind all */
        struct rj_dot at = rj_row_dot(row_of(f, i - 1));

        if (at.origin != dot.origin ? at.origin < dot.origin : at.seq < dot.seq)
            break;
    }
    return i;
}

uint32_t rj_few_find(const struct rj_few *f, struct rj_dot dot)
{
    uint32_t i = rj_few_at(f, dot);
    struct rj_dot at = i < f->n ? rj_row_dot(row_of(f, i)) : (struct rj_dot){0};

    return at.seq == dot.seq && at.origin == dot.origin && i < f->n ? f->ref[i] : 0;
}

/* ---- by place */

uint32_t rj_few_place(const struct rj_few *f, struct rj_bytes prefix,
                      struct rj_bytes name)
{
    uint32_t i;

    for (i = 0; i < f->n; i++) {
        if (rj_row_is_at(row_of(f, i), prefix, name))
            return f->ref[i];
    }
    return 0;
}

size_t rj_few_places(const struct rj_few *f)
{
    const struct rj_bytes none = {0};
    size_t n = 0;
    uint32_t i;

    for (i = 0; i < f->n; i++)
        n += rj_few_place(f, none, rj_row_place(row_of(f, i))) == f->ref[i];
    return n;
}

uint32_t rj_few_beside(const struct rj_few *f, const struct rj_row *row, bool before,
                       struct rj_bytes prefix)
{
    const struct rj_row *best = NULL;
    uint32_t i, ref = 0;

    for (i = 0; i < f->n; i++) {
        const struct rj_row *at = row_of(f, i);
        struct rj_bytes place = rj_row_place(at);
        int order = row != NULL ? rj_bytes_compare(place, rj_row_place(row)) : 1;

        if ((before ? order >= 0 : order <= 0) || !rj_bytes_starts_with(place, prefix))
            continue;
        order = best != NULL ? rj_bytes_compare(place, rj_row_place(best)) : 0;
        if (best == NULL || (before ? order > 0 : order < 0)) {
            best = at;
            ref = f->ref[i];
        }
    }
    return ref;
}

/* ---- changing */

/* Rows at that place hang together again. */
static void link_place(const struct rj_few *f, struct rj_bytes place)
{
    uint32_t next = 0, i;

    for (i = f->n; i > 0; i--) {
        struct rj_row *row = row_of(f, i - 1);

        if (!rj_bytes_equal(rj_row_place(row), place))
            continue;
        if (row->next != next)
            row->next = next;
        next = f->ref[i - 1];
    }
}

bool rj_few_own(const struct rj_few *f)
{
    uint32_t i;

    for (i = 0; i < f->n; i++) {
        if (!rj_slab_own(f->slab, f->ref[i]))
            return false;
    }
    return true;
}

bool rj_few_put(struct rj_few *f, uint32_t ref)
{
    const struct rj_row *row = rj_slab_at(f->slab, ref);
    uint32_t i = rj_few_at(f, rj_row_dot(row));

    if (!rj_few_own(f))
        return false;
    memmove(&f->ref[i + 1], &f->ref[i], (f->n - i) * sizeof(f->ref[0]));
    f->ref[i] = ref;
    f->n++;
    if (f->n > 1)
        link_place(f, rj_row_place(row));
    return true;
}

void rj_few_remove(struct rj_few *f, uint32_t ref)
{
    uint32_t i = rj_few_at(f, rj_row_dot(rj_slab_at(f->slab, ref)));

    f->n--;
    memmove(&f->ref[i], &f->ref[i + 1], (f->n - i) * sizeof(f->ref[0]));
    link_place(f, rj_row_place(rj_slab_at(f->slab, ref)));
}
