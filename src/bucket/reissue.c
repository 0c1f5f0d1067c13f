/* SPDX-License-Identifier: Apache-2.0 */
/* Writes of a former incarnation that nobody has, issued again under new dots (R1, R6).
 * Each says what the old one said, with dots renamed:
 *
 * - A pair (old origin, s) of an overwrite list with s among the renamed ones means all
 *   that the old origin had at that place: what it had sent, and what was issued again.
 *   Dots that the new origin made before are not meant: RJ_BOP_AGAIN carries that bound.
 * - An increment begins a run of the new origin, or lengthens the one that the increment
 *   before it began; the old run is first cut back to what others have of it.
 * - A reset of an old run becomes a reset of what is left of it and of the new runs. */
#include "bucket/state.h"

struct again {
    struct rj_bucket *b;
    uint32_t old_origin, self;
    uint64_t from, to; /* sequences from, from + 1, ... become to, to + 1, ... */
};

static bool is_renamed(const struct again *a, struct rj_dot dot)
{
    return dot.origin == a->old_origin && dot.seq >= a->from;
}

static struct rj_dot rename_dot(const struct again *a, struct rj_dot dot)
{
    if (dot.seq == 0 || !is_renamed(a, dot))
        return dot;
    return (struct rj_dot){.seq = dot.seq - a->from + a->to, .origin = a->self};
}

/* What an old write meant of the old origin begins at: 0, the first dot, if it had no
 * bound. */
static uint64_t old_bound(const struct again *a, const struct rj_bop *old)
{
    size_t i;

    for (i = 0; i < old->bounds.n; i++) {
        if (old->bounds.pairs[i].origin == a->old_origin)
            return old->bounds.pairs[i].seq;
    }
    return 0;
}

static enum rj_err rename_seen(const struct again *a, const struct rj_bop *old,
                               const struct rj_seen *was, struct rj_seen *seen)
{
    struct rj_dot sent = {.seq = a->from - 1, .origin = a->old_origin};
    bool any_sent = a->from > 1 && old_bound(a, old) < a->from;
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < was->n; i++) {
        struct rj_dot dot = {.seq = was->pairs[i].seq, .origin = was->pairs[i].origin};

        err = rj_seen_add(seen, rename_dot(a, dot));
        if (err == RJ_OK && is_renamed(a, dot) && any_sent)
            err = rj_seen_add(seen, sent);
    }
    return err;
}

static bool names(const struct rj_seen *seen, uint32_t origin)
{
    size_t i;

    for (i = 0; i < seen->n; i++) {
        if (seen->pairs[i].origin == origin)
            return true;
    }
    return false;
}

/* Bounds of the old write stay, where they are about dots that are not renamed; of this
 * origin's dots only those are meant that were issued again. */
static enum rj_err rename_bounds(const struct again *a, const struct rj_bop *old,
                                 struct rj_bop *op)
{
    struct rj_dot own = {.seq = a->to, .origin = a->self};
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < old->bounds.n; i++) {
        struct rj_dot from = {.seq = old->bounds.pairs[i].seq,
                              .origin = old->bounds.pairs[i].origin};

        if (is_renamed(a, from))
            own = rename_dot(a, from);
        else if (names(&op->seen, from.origin) || names(&op->whole.seen, from.origin))
            err = rj_seen_add(&op->bounds, from);
    }
    if (err == RJ_OK && own.seq > 1 &&
        (names(&op->seen, a->self) || names(&op->whole.seen, a->self)))
        err = rj_seen_add(&op->bounds, own);
    rj_bop_bind(op);
    return err;
}

/* True iff run is one that took over increments of the old run `epoch` up to old_seq. */
static bool took_over(const struct again *a, const struct rj_run *run, uint64_t epoch,
                      uint64_t old_seq)
{
    uint64_t first = epoch >= a->from ? epoch - a->from + a->to : a->to;
    uint64_t last = old_seq - a->from + a->to;

    return run->d.origin == a->self && run->epoch >= first && run->d.seq <= last;
}

/* The runs of a place that stand for the old run (origin, epoch) up to old_seq: walk with
 * *at = the first write of the place until NULL comes back. Dead ones too: what was taken
 * away here was so by writes that nobody has yet. */
static const struct rj_run *next_run(const struct again *a, const struct rj_dotted **at,
                                     uint64_t epoch, uint64_t old_seq)
{
    for (; *at != NULL; *at = (*at)->next) {
        const struct rj_run *run = rj_run_of_const(*at);

        if ((*at)->sort != RJ_DOTTED_RUN || rj_run_is_based(run))
            continue;
        if ((run->d.origin == a->old_origin && run->epoch == epoch &&
             run->d.seq < a->from) ||
            took_over(a, run, epoch, old_seq)) {
            *at = (*at)->next;
            return run;
        }
    }
    return NULL;
}

/* R7: the run that a run of a branch goes on from; NULL: it is not there. */
static const struct rj_run *ended_run(const struct rj_dotted *at, uint32_t origin,
                                      uint64_t epoch)
{
    for (; at != NULL; at = at->next) {
        const struct rj_run *run = rj_run_of_const(at);

        if (at->sort == RJ_DOTTED_RUN && !rj_run_is_based(run) &&
            run->d.origin == origin && run->epoch == epoch)
            return run;
    }
    return NULL;
}

static enum rj_err rename_reset(const struct again *a, const struct rj_dotted *first,
                                const struct rj_reset *old, struct rj_resets *resets)
{
    const struct rj_run *run;
    enum rj_err err = RJ_OK;

    if (old->all) {
        struct rj_reset all = *old;

        run = ended_run(first, old->origin, old->epoch);
        if (run == NULL)
            return RJ_OK;
        all.seq = run->d.seq;
        all.cum = run->cum;
        return rj_resets_add(resets, &all);
    }
    if (!is_renamed(a, (struct rj_dot){.seq = old->seq, .origin = old->origin}))
        return rj_resets_add(resets, old);
    while (err == RJ_OK && (run = next_run(a, &first, old->epoch, old->seq)) != NULL) {
        struct rj_reset reset = {.epoch = run->epoch,
                                 .seq = run->d.seq,
                                 .cum = run->cum,
                                 .deadline = run->d.deadline,
                                 .origin = run->d.origin};

        err = rj_resets_add(resets, &reset);
    }
    return err;
}

/* The same run may stand for several old ones (two epochs): once is enough. */
static void drop_doubles(struct rj_resets *resets, size_t from)
{
    size_t i, j;

    for (i = from; i < resets->n; i++) {
        for (j = i + 1; j < resets->n;) {
            if (resets->items[i].origin == resets->items[j].origin &&
                resets->items[i].epoch == resets->items[j].epoch)
                resets->items[j] = resets->items[--resets->n];
            else
                j++;
        }
    }
}

static enum rj_err rename_resets(const struct again *a, const struct rj_dotted *first,
                                 const struct rj_reset *old, size_t n,
                                 struct rj_resets *resets)
{
    size_t before = resets->n, i;
    enum rj_err err = RJ_OK;

    for (i = 0; err == RJ_OK && i < n; i++)
        err = rename_reset(a, first, &old[i], resets);
    drop_doubles(resets, before);
    return err;
}

/* What the key's place, a field of it, holds now; NULL: nothing. */
static struct rj_dotted *place_of(const struct again *a, struct rj_bytes key,
                                  enum rj_part part, struct rj_bytes name)
{
    struct rj_site site = {
        .key = rj_table_find(&a->b->table, rj_change_position(a->b, key), key)};

    if (site.key == NULL)
        return NULL;
    if (part == RJ_PART_PLACE)
        return rj_bkey_first(site.key);
    rj_change_find_item(&site, part, name);
    return site.item != NULL ? site.item->first : NULL;
}

static enum rj_err rename_whole(const struct again *a, const struct rj_bop *old,
                                struct rj_whole *whole)
{
    const struct rj_whole *was = &old->whole;
    enum rj_err err = rename_seen(a, old, &was->seen, &whole->seen);
    size_t i;

    if (err == RJ_OK)
        err = rename_resets(a, place_of(a, old->key, RJ_PART_PLACE, (struct rj_bytes){0}),
                            was->place.items, was->place.n, &whole->place);
    for (i = 0; err == RJ_OK && i < was->n_names; i++) {
        const struct rj_field_resets *field = &was->names[i];
        size_t before = whole->fields.n;

        err = rename_resets(a, place_of(a, old->key, RJ_PART_HASH, field->name),
                            was->fields.items + field->from, field->n, &whole->fields);
        if (err != RJ_OK || whole->fields.n == before)
            continue;
        err = rj_whole_field(whole, field->name);
        if (err == RJ_OK) {
            whole->names[whole->n_names - 1].from = before;
            whole->names[whole->n_names - 1].n = whole->fields.n - before;
        }
    }
    return err;
}

/* ---- increments */

/* The site of an operation on a place that holds runs; item or key NULL: not there. */
static bool find_site(const struct again *a, const struct rj_bop *op,
                      struct rj_site *site)
{
    *site = (struct rj_site){
        .key = rj_table_find(&a->b->table, rj_change_position(a->b, op->key), op->key)};
    if (site->key == NULL)
        return false;
    if (op->has_name)
        rj_change_find_item(site, RJ_PART_HASH, op->name);
    return !op->has_name || site->item != NULL;
}

/* Cuts the old run back to what it was before the old increment. */
static enum rj_err take_back(const struct again *a, const struct rj_bop *old,
                             struct rj_dot old_dot)
{
    struct rj_site site;
    struct rj_run *run;
    enum rj_err err;

    if (!find_site(a, old, &site))
        return RJ_OK;
    run = rj_counter_find(*rj_site_list(&site), old->base, a->old_origin, old->epoch);
    if (run == NULL || run->d.seq < old_dot.seq)
        return RJ_OK;
    if (old->prev <= a->b->kind.origins->items[a->old_origin].start) { /* 0; or R7 */
        rj_change_out(a->b, &site, &run->d);
        rj_change_end(a->b, &site);
        return RJ_OK;
    }
    err = rj_change_reserve(a->b, site.key, old->touched_deadline);
    if (err != RJ_OK)
        return err;
    rj_change_lift(a->b, &site, &run->d);
    run->d.seq = old->prev;
    run->cum = old->before;
    if (run->floor_seq > old->prev) {
        run->floor_seq = old->prev;
        run->floor_cum = old->before;
    }
    rj_run_reset(run, run->floor_seq, run->floor_cum);
    if (old->touch && rj_dot_is(run->setter.dot, old_dot)) {
        run->d.deadline = old->touched_deadline;
        run->setter = old->touched_setter;
    }
    rj_change_lay(a->b, &site, &run->d);
    rj_change_end(a->b, &site);
    return RJ_OK;
}

/* The run that the increment before this one was issued again into, if nothing was added
 * to it since; NULL: this one begins a run. */
static struct rj_run *find_taken_over(const struct again *a, const struct rj_bop *old,
                                      const struct rj_bop *op)
{
    struct rj_dot prev = {.seq = old->prev, .origin = a->old_origin};
    struct rj_site site;
    struct rj_dotted *d;
    int64_t sum;

    if (!is_renamed(a, prev) || !find_site(a, old, &site))
        return NULL;
    prev = rename_dot(a, prev);
    for (d = *rj_site_list(&site); d != NULL; d = d->next) {
        struct rj_run *run = rj_run_of(d);

        if (d->sort == RJ_DOTTED_RUN && rj_dot_is(rj_dotted_dot(d), prev) &&
            rj_dot_is(run->base, op->base) &&
            !__builtin_add_overflow(run->cum, op->delta, &sum))
            return run;
    }
    return NULL;
}

static enum rj_err rename_incr(const struct again *a, const struct rj_bop *old,
                               struct rj_dot old_dot, struct rj_bop *op)
{
    enum rj_err err = take_back(a, old, old_dot);
    struct rj_run *run;

    if (err != RJ_OK)
        return err;
    op->base = rename_dot(a, old->base);
    op->delta = old->delta;
    run = find_taken_over(a, old, op);
    if (run == NULL) {
        op->epoch = rj_writer_dot(a->b->kind.writer).seq;
        return RJ_OK;
    }
    op->epoch = run->epoch;
    op->prev = run->d.seq;
    op->before = run->cum;
    op->floor_seq = run->floor_seq;
    op->floor_cum = run->floor_cum;
    if (old->touch) {
        op->touch = true;
        op->touched_deadline = run->d.deadline;
        op->touched_setter = run->setter;
    }
    return RJ_OK;
}

static enum rj_err rename_carry(const struct again *a, const struct rj_bop *old,
                                struct rj_bop *op)
{
    struct rj_site site;
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < old->carried.n; i++) {
        const struct rj_run *was = &old->carried.items[i], *run;
        const struct rj_dotted *at = NULL;

        if (!is_renamed(a, rj_dotted_dot(&was->d))) {
            err = rj_carried_add(&op->carried, was);
            continue;
        }
        if (find_site(a, old, &site))
            at = *rj_site_list(&site);
        while (err == RJ_OK && (run = next_run(a, &at, was->epoch, was->d.seq)) != NULL) {
            size_t j;

            for (j = 0; j < op->carried.n; j++) {
                if (op->carried.items[j].d.origin == run->d.origin &&
                    op->carried.items[j].epoch == run->epoch)
                    break;
            }
            if (j == op->carried.n)
                err = rj_carried_add(&op->carried, run);
        }
    }
    return err;
}

/* ---- one write */

/* Removes the version or the gone that the old write made, where it is live: only here,
 * for nobody else has it. */
static void take_back_version(const struct again *a, const struct rj_bop *old,
                              struct rj_dot old_dot)
{
    struct rj_site site = {
        .key = rj_table_find(&a->b->table, rj_change_position(a->b, old->key), old->key)};
    struct rj_dotted *d;

    if (site.key == NULL)
        return;
    if (old->code == RJ_BOP_SADD || old->code == RJ_BOP_HSET) {
        rj_change_find_item(&site, old->code == RJ_BOP_SADD ? RJ_PART_SET : RJ_PART_HASH,
                            old->name);
        if (site.item == NULL)
            return;
    }
    d = old->code == RJ_BOP_DEL ? rj_gone_find(site.key, old_dot)
                                : rj_dotfun_version(*rj_site_list(&site), old_dot);
    if (d == NULL)
        return;
    rj_change_out(a->b, &site, d);
    rj_change_kill_baseless(a->b, &site);
    rj_change_end(a->b, &site);
}

/* What is left of a carry of runs that nobody has: a write that does nothing. */
static void make_void(struct rj_bop *op)
{
    op->code = RJ_BOP_SREM;
    op->has_name = true;
    op->name = (struct rj_bytes){0};
    rj_seen_clear(&op->seen);
}

static enum rj_err rename_op(const struct again *a, const struct rj_bop *old,
                             struct rj_dot old_dot, struct rj_bop *op)
{
    enum rj_err err = RJ_OK;

    rj_bop_clear(op);
    op->code = old->code;
    op->has_name = old->has_name;
    op->key = old->key;
    op->name = old->name;
    op->value = old->value;
    op->deadline = old->deadline;
    if (old->code == RJ_BOP_SET || old->code == RJ_BOP_SADD || old->code == RJ_BOP_HSET ||
        old->code == RJ_BOP_DEL)
        take_back_version(a, old, old_dot);
    if (old->code == RJ_BOP_INCR)
        err = rename_incr(a, old, old_dot, op);
    if (old->code == RJ_BOP_CARRY)
        err = rename_carry(a, old, op);
    if (err == RJ_OK)
        err = rename_seen(a, old, &old->seen, &op->seen);
    if (err == RJ_OK)
        err = rename_resets(a,
                            place_of(a, old->key,
                                     old->has_name ? RJ_PART_HASH : RJ_PART_PLACE,
                                     old->name),
                            old->resets.items, old->resets.n, &op->resets);
    if (err == RJ_OK)
        err = rename_whole(a, old, &op->whole);
    if (op->code == RJ_BOP_CARRY && op->carried.n == 0)
        make_void(op);
    return err == RJ_OK ? rename_bounds(a, old, op) : err;
}

/* Room for all of the old batch in the pending one. */
static enum rj_err find_room(const struct rj_writer *w, const struct rj_batch_view *old)
{
    enum { MORE = 128 }; /* what the encoding of a write may grow by */
    enum rj_err err =
        rj_writer_room(w, old->ops.len + (size_t)old->count * MORE < RJ_BATCH_OPS_MAX
                              ? old->ops.len + (size_t)old->count * MORE
                              : RJ_BATCH_OPS_MAX);

    if (err == RJ_OK && w->count > 0 && old->count > RJ_BATCH_WRITES_MAX - w->count)
        err = RJ_EBUSY;
    return err;
}

enum rj_err rj_reissue(struct rj_kind *k, const struct rj_batch_view *old,
                       uint64_t renamed_from, uint64_t renamed_to)
{
    struct rj_bucket *b = rj_bucket_of(k);
    struct again a = {.b = b,
                      .old_origin = old->origin,
                      .self = k->writer->self,
                      .from = renamed_from,
                      .to = renamed_to};
    struct rj_bop_source source = {
        .dict = old->dict, .dict_n = old->dict_n, .names = old->names};
    struct rj_reader r = rj_reader_of(old->ops);
    enum rj_err err = rj_apply_check(k, old);
    uint32_t i;

    if (err == RJ_OK)
        err = find_room(k->writer, old);
    for (i = 0; err == RJ_OK && i < old->count; i++) {
        source.dot = (struct rj_dot){.seq = old->first + i, .origin = old->origin};
        err = rj_bop_get(&b->old_op, &r, &source);
        if (err == RJ_OK)
            err = rename_op(&a, &b->old_op, source.dot, &b->op);
        if (err == RJ_OK)
            err = rj_local_write(b, &b->op, rj_change_position(b, b->op.key));
    }
    return err;
}
