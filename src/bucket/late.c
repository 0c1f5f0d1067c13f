/* SPDX-License-Identifier: Apache-2.0 */
/* Writes that came too late for a deletion: it ended them, and its author had not seen
 * them. A gone notes them, one pair an origin. Who forgets it lists what it notes. So
 * where FORGET lists less than is noted here, its author did not have all that was
 * written before, whatever it was told: by an incarnation of a backup or a copy, by a
 * device that was shut out. Who has forgotten already took such a write for a later one.
 * The gone is *owed* then: it stops nothing any more, and this node writes a FORGET that
 * lists what it notes, which takes that away wherever it lives.
 *
 * A pair (origin, seq) means all of that origin at that key up to seq: what came before a
 * write that had not seen a deletion had not seen it either (again.c sees to it that no
 * sealed write lacks what its author had). */
#include "bucket/state.h"

/* It will be sealed as nothing (again.c). */
static bool is_pending(const struct rj_bucket *b, struct rj_dot dot)
{
    const struct rj_writer *w = b->kind.writer;

    return dot.origin == w->self && dot.seq >= w->first;
}

static enum rj_err note(struct rj_bucket *b, struct rj_seen *late, struct rj_dot dot)
{
    return is_pending(b, dot) ? RJ_OK : rj_seen_add(late, dot);
}

enum rj_err rj_late_join(struct rj_seen *late, const struct rj_seen *other)
{
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < other->n; i++)
        err = rj_seen_add(late, (struct rj_dot){.seq = other->pairs[i].seq,
                                                .origin = other->pairs[i].origin});
    return err;
}

/* What an operation leaves where nothing stops it: its version, its run, or runs that it
 * carries. */
static enum rj_err note_op(struct rj_bucket *b, struct rj_seen *late,
                           const struct rj_bop *op, struct rj_dot dot)
{
    enum rj_err err = RJ_OK;
    size_t i;

    if (op->code == RJ_BOP_SREM || op->code == RJ_BOP_HDEL)
        return RJ_OK;
    if (op->code != RJ_BOP_CARRY)
        return note(b, late, dot);
    for (i = 0; err == RJ_OK && i < op->carried.n; i++)
        err = note(b, late, rj_dotted_dot(&op->carried.items[i].d));
    return err;
}

enum rj_err rj_late_stopped(struct rj_bucket *b, const struct rj_bop *op,
                            uint64_t position, struct rj_dot dot)
{
    struct rj_bkey *k = rj_table_find(&b->table, position, op->key);
    enum rj_err err = RJ_OK;
    struct rj_dotted *d;

    for (d = rj_bkey_first(k); err == RJ_OK && d != NULL; d = d->next) {
        if (d->sort == RJ_DOTTED_GONE && !rj_seen_has(&op->whole.seen, rj_dotted_dot(d)))
            err = note_op(b, &rj_gone_of(d)->late, op, dot);
    }
    rj_change_dirty(b, &(struct rj_site){.key = k});
    return err;
}

enum rj_err rj_late_of_key(struct rj_bucket *b, struct rj_bkey *k,
                           const struct rj_late_known *known, struct rj_seen *late)
{
    struct rj_site site = {.key = k};
    enum rj_err err = RJ_OK;
    struct rj_walk started = {0};
    struct rj_dotted *d;

    while (err == RJ_OK && rj_walk_next(&site, &started)) {
        for (d = *rj_site_list(&site); err == RJ_OK && d != NULL; d = d->next) {
            struct rj_dot dot = rj_dotted_dot(d);

            if (d->sort == RJ_DOTTED_OWED)
                err = rj_late_join(late, &rj_gone_of(d)->late);
            else if (d->sort != RJ_DOTTED_GONE &&
                     !(known->seen != NULL && rj_seen_has(known->seen, dot)) &&
                     !(known->vv != NULL && rj_vv_has(known->vv, dot.origin, dot.seq)))
                err = note(b, late, dot);
        }
    }
    return err;
}

void rj_late_tidy(const struct rj_bucket *b, struct rj_seen *late)
{
    size_t i, n = 0;

    for (i = 0; i < late->n; i++) {
        struct rj_seen_pair pair = late->pairs[i];
        uint64_t have = rj_vv_get(b->kind.have, pair.origin);

        pair.seq = pair.seq < have ? pair.seq : have;
        if (pair.seq > 0)
            late->pairs[n++] = pair;
    }
    late->n = n;
}

/* Whoever wrote that knows all that is noted here. */
static bool is_told(const struct rj_gone *gone, const struct rj_seen *seen)
{
    size_t i;

    for (i = 0; i < gone->late.n; i++) {
        const struct rj_seen_pair *pair = &gone->late.pairs[i];

        if (!rj_seen_has(seen, (struct rj_dot){.seq = pair->seq, .origin = pair->origin}))
            return false;
    }
    return true;
}

void rj_late_forget(struct rj_bucket *b, const struct rj_site *site, struct rj_dotted *d,
                    const struct rj_seen *seen)
{
    if (is_told(rj_gone_of(d), seen)) {
        rj_change_out(b, site, d);
    } else if (d->sort == RJ_DOTTED_GONE) {
        rj_change_lift(b, site, d);
        d->sort = RJ_DOTTED_OWED;
        rj_gone_of(d)->ripe = false;
        rj_change_lay(b, site, d);
    }
}
