/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of increments where an origin was split (R7). A run that began before the split
 * goes on in each branch as a run of that branch, under its epoch; what it was at the
 * split is the floor of these, and counts in the run of the split origin, once. All of
 * them are one family and have one deadline, the greatest that was set on any: who set it
 * meant the counter, and knew the part of it that was there. */
#include "bucket/state.h"

/* The origin in which a run of o with that epoch began. */
static uint32_t began_in(const struct rj_origins *t, uint32_t o, uint64_t epoch)
{
    while (t->items[o].parent != RJ_ORIGIN_NONE && epoch <= t->items[o].start)
        o = t->items[o].parent;
    return o;
}

static bool are_family(const struct rj_origins *t, const struct rj_run *a,
                       const struct rj_run *b)
{
    return a->epoch == b->epoch && rj_dot_is(a->base, b->base) &&
           t->items[a->d.origin].root == t->items[b->d.origin].root &&
           began_in(t, a->d.origin, a->epoch) == began_in(t, b->d.origin, b->epoch);
}

static bool is_free_run(const struct rj_dotted *d)
{
    return d->sort == RJ_DOTTED_RUN && !rj_run_is_based(rj_run_of_const(d));
}

/* Gives all of the family of run the greatest deadline among them. */
static void share_one(struct rj_bucket *b, const struct rj_site *site,
                      const struct rj_run *run)
{
    const struct rj_origins *origins = b->kind.origins;
    struct rj_run most = *run;
    struct rj_dotted *d;

    for (d = *rj_site_list(site); d != NULL; d = d->next) {
        if (is_free_run(d) && are_family(origins, run, rj_run_of(d)))
            rj_run_touch(&most, d->deadline, &rj_run_of(d)->setter, origins);
    }
    for (d = *rj_site_list(site); d != NULL; d = d->next) {
        struct rj_run *other = rj_run_of(d);

        if (!is_free_run(d) || !are_family(origins, &most, other) ||
            (d->deadline == most.d.deadline &&
             rj_rank_compare(origins, &other->setter, &most.setter) == 0))
            continue;
        rj_change_lift(b, site, d);
        rj_run_touch(other, most.d.deadline, &most.setter, origins);
        rj_change_lay(b, site, d); /* the key has that deadline already */
    }
}

void rj_branch_share(struct rj_bucket *b, const struct rj_site *site)
{
    const struct rj_dotted *d;

    for (d = *rj_site_list(site); d != NULL; d = d->next) {
        if (is_free_run(d) && b->kind.origins->items[d->origin].parent != RJ_ORIGIN_NONE)
            share_one(b, site, rj_run_of_const(d));
    }
}

/* ---- at the open that carries out a split */

static bool is_in(const struct rj_origins *t, uint32_t o, uint32_t branch)
{
    while (o != branch && t->items[o].parent != RJ_ORIGIN_NONE)
        o = t->items[o].parent;
    return o == branch;
}

/* The run that op lengthened: of its origin or, if that is cut more than once, of a
 * branch of it; not one that goes on from there since an earlier split. */
static struct rj_run *find_lengthened(const struct rj_bucket *b,
                                      const struct rj_site *site, const struct rj_bop *op,
                                      struct rj_dot dot)
{
    const struct rj_origins *t = b->kind.origins;
    struct rj_run *first = NULL;
    struct rj_dotted *d;

    for (d = *rj_site_list(site); d != NULL; d = d->next) {
        struct rj_run *run = rj_run_of(d);

        if (d->sort == RJ_DOTTED_RUN && run->epoch == op->epoch && d->seq >= dot.seq &&
            rj_dot_is(run->base, op->base) && is_in(t, d->origin, dot.origin) &&
            (first == NULL ||
             t->items[d->origin].start < t->items[first->d.origin].start))
            first = run;
    }
    return first;
}

/* What the run was before op, as a run of origin o. */
static enum rj_err put_first_part(struct rj_bucket *b, const struct rj_site *site,
                                  const struct rj_bop *op, uint32_t o,
                                  const struct rj_run *run)
{
    enum rj_err err = rj_change_reserve(b, site->key, run->d.deadline);
    struct rj_run *first = err == RJ_OK ? rj_run_new() : NULL;

    if (first == NULL)
        return RJ_ENOMEM;
    first->d.origin = o;
    first->d.deadline = run->d.deadline;
    first->epoch = run->epoch;
    first->base = run->base;
    first->setter = run->setter;
    rj_run_lengthen(first, op->prev, op->before, 0);
    if (run->floor_seq > op->prev)
        rj_run_reset(first, op->prev, op->before);
    else
        rj_run_reset(first, run->floor_seq, run->floor_cum);
    rj_change_in(b, site, &first->d);
    return RJ_OK;
}

static enum rj_err cut_run(struct rj_bucket *b, const struct rj_bop *op,
                           struct rj_dot dot)
{
    const struct rj_origins *t = b->kind.origins;
    struct rj_site site = {
        .key = rj_table_find(&b->table, rj_change_position(b, op->key), op->key)};
    uint32_t o = dot.origin;
    enum rj_err err = RJ_OK;
    struct rj_run *run;

    if (site.key != NULL && op->has_name)
        rj_change_find_item(&site, RJ_PART_HASH, op->name);
    if (site.key == NULL || (op->has_name && site.item == NULL))
        return RJ_OK;
    run = find_lengthened(b, &site, op, dot);
    while (t->items[o].parent != RJ_ORIGIN_NONE && op->prev <= t->items[o].start)
        o = t->items[o].parent;
    if (run == NULL)
        return RJ_OK; /* it is gone since */
    if (rj_counter_find(*rj_site_list(&site), op->base, o, op->epoch) == NULL)
        err = put_first_part(b, &site, op, o, run);
    if (err != RJ_OK)
        return err;
    rj_change_lift(b, &site, &run->d);
    rj_run_reset(run, op->prev, op->before);
    rj_change_lay(b, &site, &run->d);
    rj_change_end(b, &site);
    return RJ_OK;
}

enum rj_err rj_branch_cut(struct rj_kind *k, const struct rj_batch_view *batch)
{
    struct rj_bucket *b = rj_bucket_of(k);
    struct rj_reader r = rj_reader_of(batch->ops);
    struct rj_bop_source source = {
        .dict = batch->dict, .dict_n = batch->dict_n, .names = batch->names};
    uint64_t start = k->origins->items[batch->origin].start;
    enum rj_err err = RJ_OK;
    uint32_t i;

    for (i = 0; err == RJ_OK && i < batch->count; i++) {
        source.dot = (struct rj_dot){.seq = batch->first + i, .origin = batch->origin};
        err = rj_bop_get(&b->old_op, &r, &source);
        if (err == RJ_EGAP) /* names that a later split has to tell */
            err = RJ_OK;
        if (err == RJ_OK && b->old_op.code == RJ_BOP_INCR && b->old_op.prev != 0 &&
            b->old_op.prev <= start)
            err = cut_run(b, &b->old_op, source.dot);
    }
    return err;
}

/* ---- what a load renamed */

static bool is_new(const struct rj_names *meant, uint32_t o)
{
    size_t i;

    for (i = 0; i < meant->n; i++) {
        if (meant->items[i].branch == o)
            return true;
    }
    return false;
}

static bool names_new(const struct rj_names *meant, const struct rj_dotted *d)
{
    const struct rj_run *run = rj_run_of_const(d);

    if (is_new(meant, d->origin) || d->sort >= RJ_DOTTED_GONE)
        return true;
    return d->sort == RJ_DOTTED_RUN &&
           (is_new(meant, run->base.origin) || is_new(meant, run->setter.dot.origin));
}

void rj_branch_mark(struct rj_bucket *b)
{
    struct rj_bkey *k;

    for (k = rj_table_from(&b->table, 0); k != NULL; k = rj_table_next(&b->table, k)) {
        struct rj_site site = {.key = k};
        struct rj_walk walk = {0};

        while (rj_walk_next(&site, &walk)) {
            const struct rj_dotted *d = *rj_site_list(&site);

            while (d != NULL && !names_new(b->kind.meant, d))
                d = d->next;
            if (d != NULL)
                rj_change_end(b, &site);
        }
    }
}
