/* SPDX-License-Identifier: Apache-2.0 */
/* Policy delete-wins: a deletion of a key wins over every write to it that had not seen
 * the deletion.
 *
 * DEL empties the key and leaves a *gone* in the key's own place. Delivery is causal, so
 * nothing that was there had seen it. Every write lists the gones of its key that its
 * author had, beside what it overwrites (in `whole`); one that lacks a gone that is here
 * had not seen it, and does nothing. So whatever a key holds has seen all its gones: no
 * read, sum or state transfer has to ask.
 *
 * A gone goes when a later DEL lists it, or by a write of its own, FORGET, once it is
 * settled: who may still write has seen it, and all that was written before is here. It
 * takes a write, for a node that dropped it silently would list it no more, and what it
 * wrote then would count elsewhere as not having seen it. That it was forgotten too soon
 * shows later, see late.c. */
#include "base/alloc.h"
#include "bucket/state.h"

struct rj_gone *rj_gone_new(const struct rj_rank *rank)
{
    struct rj_gone *gone = rj_alloc_zero(1, sizeof(*gone));

    if (gone == NULL)
        return NULL;
    gone->d.sort = RJ_DOTTED_GONE;
    gone->d.seq = rank->dot.seq;
    gone->d.origin = rank->dot.origin;
    gone->d.stamp = rank->stamp;
    return gone;
}

struct rj_dotted *rj_gone_find(const struct rj_bkey *k, struct rj_dot dot)
{
    struct rj_dotted *d = rj_bkey_first(k);

    while (d != NULL && (d->sort != RJ_DOTTED_GONE || !rj_dot_is(rj_dotted_dot(d), dot)))
        d = d->next;
    return d;
}

bool rj_gone_stops(const struct rj_bucket *b, const struct rj_bop *op, uint64_t position)
{
    const struct rj_dotted *d;
    const struct rj_bkey *k;

    if (!b->delete_wins || op->code == RJ_BOP_DEL || op->code == RJ_BOP_FORGET)
        return false;
    k = rj_table_find(&b->table, position, op->key);
    for (d = k != NULL ? rj_bkey_first(k) : NULL; d != NULL; d = d->next) {
        if (d->sort == RJ_DOTTED_GONE && !rj_seen_has(&op->whole.seen, rj_dotted_dot(d)))
            return true;
    }
    return false;
}

void rj_gone_empty(struct rj_bucket *b, struct rj_bkey *k)
{
    struct rj_site site = {.key = k};
    struct rj_walk walk = {0};

    while (rj_walk_next(&site, &walk)) {
        struct rj_dotted *d = *rj_site_list(&site);
        bool changed = false;

        while (d != NULL) {
            struct rj_dotted *next = d->next;

            if (d->sort < RJ_DOTTED_GONE) {
                rj_change_out(b, &site, d);
                changed = true;
            }
            d = next;
        }
        if (changed)
            rj_change_end(b, &site);
    }
}

/* ---- DEL and FORGET, applied */

/* What a deletion that lists `seen` ends and had not seen; those that it stands for had
 * ended such writes, too. */
static enum rj_err find_late(struct rj_bucket *b, struct rj_bkey *k,
                             const struct rj_seen *seen, struct rj_seen *late)
{
    enum rj_err err = rj_late_of_key(b, k, &(struct rj_late_known){.seen = seen}, late);
    struct rj_dotted *d;

    for (d = rj_bkey_first(k); err == RJ_OK && d != NULL; d = d->next) {
        if (d->sort == RJ_DOTTED_GONE && rj_seen_has(seen, rj_dotted_dot(d)))
            err = rj_late_join(late, &rj_gone_of(d)->late);
    }
    return err;
}

enum rj_err rj_gone_prepare(struct rj_bucket *b, const struct rj_bop *op,
                            uint64_t position, struct rj_dot dot, struct rj_prep *prep)
{
    struct rj_rank rank = {.dot = dot};
    enum rj_err err = rj_change_key(b, position, op->key, SIZE_MAX, &prep->site.key);

    if (err == RJ_OK)
        err = rj_change_reserve(b, prep->site.key, RJ_DUE_KEPT_MS);
    if (err != RJ_OK)
        return err;
    prep->gone = rj_gone_new(&rank);
    if (prep->gone == NULL)
        return RJ_ENOMEM;
    return find_late(b, prep->site.key, &op->whole.seen, &prep->gone->late);
}

void rj_gone_forget(struct rj_bucket *b, struct rj_bkey *k, const struct rj_bop *op)
{
    struct rj_site site = {.key = k};
    struct rj_walk started = {0};

    while (rj_walk_next(&site, &started)) {
        struct rj_dotted *d = *rj_site_list(&site);

        if (d == NULL)
            continue;
        while (d != NULL) {
            struct rj_dotted *next = d->next;
            struct rj_dot dot = rj_dotted_dot(d);

            if (d->sort == RJ_DOTTED_OWED ||
                (d->sort == RJ_DOTTED_GONE && rj_seen_has(&op->whole.seen, dot)))
                rj_late_forget(b, &site, d, &op->seen);
            else if (d->sort < RJ_DOTTED_GONE && rj_seen_has(&op->seen, dot))
                rj_change_out(b, &site, d);
            d = next;
        }
        rj_change_kill_baseless(b, &site);
        rj_change_end(b, &site);
    }
}

/* DEL: its own gone stands for those that it lists, and for what is owed. */
static void take_listed(struct rj_bucket *b, const struct rj_site *site,
                        const struct rj_seen *seen)
{
    struct rj_dotted *d = rj_bkey_first(site->key);

    while (d != NULL) {
        struct rj_dotted *next = d->next;

        if (d->sort == RJ_DOTTED_OWED ||
            (d->sort == RJ_DOTTED_GONE && rj_seen_has(seen, rj_dotted_dot(d))))
            rj_change_out(b, site, d);
        d = next;
    }
    rj_change_end(b, site);
}

void rj_gone_commit(struct rj_bucket *b, const struct rj_bop *op,
                    const struct rj_rank *rank, struct rj_prep *prep)
{
    struct rj_site site = {.key = prep->site.key};

    take_listed(b, &site, &op->whole.seen);
    if (rj_gone_find(site.key, rank->dot) != NULL)
        return; /* it was applied before; what is here has seen it */
    rj_gone_empty(b, site.key);
    prep->gone->d.stamp = rank->stamp;
    rj_change_in(b, &site, &prep->gone->d);
    prep->gone = NULL;
    rj_change_end(b, &site);
}

/* ---- DEL and FORGET, written */

enum rj_err rj_gone_del(struct rj_bucket *b, struct rj_bytes key, uint64_t position)
{
    struct rj_bkey *k = rj_table_find(&b->table, position, key);
    struct rj_bop *op = &b->op;
    enum rj_err err = RJ_OK;

    rj_bop_clear(op);
    op->code = RJ_BOP_DEL;
    op->key = key;
    if (k != NULL)
        err = rj_walk_dots(k, &op->whole.seen);
    return err == RJ_OK ? rj_local_write(b, op, position) : err;
}

/* An incarnation of this device wrote it. */
static bool is_mine(const struct rj_bucket *b, uint32_t origin)
{
    const struct rj_origin *items = b->kind.origins->items;
    const struct rj_digest *device = &items[items[origin].root].device;

    return memcmp(device, &items[b->kind.writer->self].device, sizeof(*device)) == 0;
}

/* Whose turn it is: that of the device whose gone it is, or whose write came late; of the
 * others only where it is still there when they look again: that device is away. */
static bool is_turn(const struct rj_bucket *b, struct rj_gone *gone)
{
    bool turn =
        gone->ripe || (gone->d.sort == RJ_DOTTED_GONE && is_mine(b, gone->d.origin));
    size_t i;

    for (i = 0; i < gone->late.n && gone->d.sort == RJ_DOTTED_OWED; i++)
        turn = turn || is_mine(b, gone->late.pairs[i].origin);
    gone->ripe = true;
    return turn;
}

/* What there is to forget in the key, and to tell of. */
static enum rj_err list_settled(struct rj_bucket *b, struct rj_bkey *k,
                                const struct rj_vv *settled, struct rj_bop *op)
{
    enum rj_err err = RJ_OK;
    struct rj_dotted *d;

    for (d = rj_bkey_first(k); err == RJ_OK && d != NULL; d = d->next) {
        bool settles = d->sort == RJ_DOTTED_GONE && rj_vv_has(settled, d->origin, d->seq);

        if ((!settles && d->sort != RJ_DOTTED_OWED) || !is_turn(b, rj_gone_of(d)))
            continue;
        rj_late_tidy(b, &rj_gone_of(d)->late);
        err = rj_late_join(&op->seen, &rj_gone_of(d)->late);
        if (err == RJ_OK && settles)
            err = rj_seen_add(&op->whole.seen, rj_dotted_dot(d));
    }
    return err;
}

enum rj_err rj_gone_settle(struct rj_bucket *b, struct rj_bkey *k,
                           const struct rj_vv *settled, size_t *left)
{
    const struct rj_writer *w = b->kind.writer;
    struct rj_bop *op = &b->op;
    enum rj_err err;

    if (w->partial || w->atomic || w->refuse != RJ_OK)
        return RJ_OK;
    rj_bop_clear(op);
    op->code = RJ_BOP_FORGET;
    op->key = rj_bkey_name(k);
    err = list_settled(b, k, settled, op);
    if (err != RJ_OK || op->seen.n + op->whole.seen.n == 0)
        return err;
    err = rj_local_write(b, op, k->position);
    if (err == RJ_OK && *left > 0)
        --*left;
    return err == RJ_ENOMEM ? err : RJ_OK; /* else later: the batch is full */
}
