/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over live writes. Whole slots of positions are kept up to date; only the ends of a
 * range are walked. Of the writes with a deadline the sum of all is kept, and those due
 * before the cutoff, found through the index of deadlines, are taken off again. */
#include "bucket/state.h"

/* Adds what stands in one key: everything; or, with only_due, what is due before the
 * cutoff; else all but that. */
struct pick {
    const struct rj_vv *within; /* NULL: all */
    uint64_t cutoff_ms;
    bool only_due;
};

static void add_key(const struct rj_bucket *b, struct rj_bkey *k, const struct pick *pick,
                    struct rj_sum *sum)
{
    struct rj_site site = {.key = k};
    struct rj_walk walk = {0};
    const struct rj_dotted *d;

    while (rj_walk_next(&site, &walk)) {
        for (d = *rj_site_list(&site); d != NULL; d = d->next) {
            bool is_due = d->deadline != 0 && d->deadline < pick->cutoff_ms;
            struct rj_sum hash;

            if (is_due != pick->only_due)
                continue;
            if (pick->within != NULL && !rj_vv_has(pick->within, d->origin, d->seq))
                continue;
            hash = rj_change_hash(b, d);
            rj_sum_add(sum, &hash);
        }
    }
}

static void add_range(const struct rj_bucket *b, struct rj_range range,
                      const struct pick *pick, struct rj_sum *sum)
{
    struct rj_bkey *k;

    for (k = rj_table_from(&b->table, range.from); k != NULL && k->position <= range.to;
         k = rj_table_next(&b->table, k))
        add_key(b, k, pick, sum);
}

/* What is due before the cutoff in keys of the range. */
static struct rj_sum sum_due(const struct rj_bucket *b, struct rj_range range,
                             uint64_t cutoff_ms)
{
    struct pick pick = {.cutoff_ms = cutoff_ms, .only_due = true};
    struct rj_sum sum = {0};
    struct rj_due_slot *slot;
    struct rj_due_link *link;

    for (slot = rj_due_first(&b->due); slot != NULL && rj_due_start(slot) < cutoff_ms;
         slot = rj_due_next(slot)) {
        for (link = slot->head.next; link != &slot->head; link = link->next) {
            struct rj_bkey_ext *ext = RJ_MAP_ENTRY(link, struct rj_bkey_ext, due);

            if (ext->key->position >= range.from && ext->key->position <= range.to)
                add_key(b, ext->key, &pick, &sum);
        }
    }
    return sum;
}

void rj_digest_add_key(const struct rj_bucket *b, struct rj_bkey *k,
                       const struct rj_vv *within, uint64_t cutoff_ms, struct rj_sum *sum)
{
    struct pick pick = {.within = within, .cutoff_ms = cutoff_ms};

    add_key(b, k, &pick, sum);
}

void rj_digest_sum(struct rj_kind *k, struct rj_range range, const struct rj_vv *within,
                   uint64_t cutoff_ms, struct rj_sum *ret_sum)
{
    const unsigned shift = 64 - RJ_BUCKET_SLOT_BITS;
    const uint64_t slot_mask = ((uint64_t)1 << shift) - 1;
    struct rj_bucket *b = rj_bucket_of(k);
    struct pick pick = {.within = within, .cutoff_ms = cutoff_ms};
    /* Whole slots [first, last). */
    uint64_t first = (range.from >> shift) + ((range.from & slot_mask) != 0 ? 1 : 0);
    uint64_t last = (range.to >> shift) + ((range.to & slot_mask) == slot_mask ? 1 : 0);
    struct rj_sum sum = {0}, due;
    uint64_t slot;

    if (within != NULL || first >= last) {
        add_range(b, range, &pick, &sum);
        *ret_sum = sum;
        return;
    }
    for (slot = first; slot < last; slot++) {
        rj_sum_add(&sum, &b->forever[slot]);
        rj_sum_add(&sum, &b->timed[slot]);
    }
    due = sum_due(b, (struct rj_range){first << shift, (last << shift) - 1}, cutoff_ms);
    rj_sum_subtract(&sum, &due);
    if (range.from < first << shift)
        add_range(b, (struct rj_range){range.from, (first << shift) - 1}, &pick, &sum);
    if (last < RJ_BUCKET_SLOTS && range.to >= last << shift)
        add_range(b, (struct rj_range){last << shift, range.to}, &pick, &sum);
    *ret_sum = sum;
}
