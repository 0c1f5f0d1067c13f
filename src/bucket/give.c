/* SPDX-License-Identifier: Apache-2.0 */
/* State transfer, the holder's side (R5): keys of a range, each whole, in the order of
 * positions.
 *
 *     part = * [key, place, set, hash]    set, hash = [* (name, place)], names ascending
 *
 * Not all keys of the range, unless asked: those with a dot that the asking side lacks,
 * and those with removal records, which are outside the sums. */
#include "base/alloc.h"
#include "base/cbor.h"
#include "bucket/state.h"

static bool lacks(const struct rj_vv *have, const struct rj_dotted *d)
{
    const struct rj_run *run = rj_run_of_const(d);

    if (d->sort == RJ_DOTTED_OWED)
        return false;
    if (!rj_vv_has(have, d->origin, d->seq))
        return true;
    if (d->sort != RJ_DOTTED_RUN)
        return false;
    return rj_run_is_dead(run) ||
           !rj_vv_has(have, run->setter.dot.origin, run->setter.dot.seq);
}

/* True iff the key is to be sent to who has that. */
static bool is_wanted(struct rj_bkey *k, const struct rj_vv *have)
{
    struct rj_site site = {.key = k};
    struct rj_walk walk = {0};
    const struct rj_dotted *d;

    while (rj_walk_next(&site, &walk)) {
        for (d = *rj_site_list(&site); d != NULL; d = d->next) {
            if (lacks(have, d))
                return true;
        }
    }
    return false;
}

static size_t count_items(const struct rj_dotmap *map)
{
    struct rj_slot_walk w = rj_dotmap_items(map);
    const struct rj_item *item;
    size_t n = 0;

    while ((item = rj_item_next(&w)) != NULL)
        n += item->first != NULL ? 1 : 0;
    return n;
}

static enum rj_err put_map(struct rj_buf *out, struct rj_dotmap *map,
                           struct rj_dotcode_names *names)
{
    size_t n = map != NULL ? count_items(map) : 0;
    struct rj_item *item;
    enum rj_err err;

    rj_cbor_put_array(out, 2 * n);
    if (n == 0)
        return RJ_OK;
    err = rj_dotmap_first(map, &item);
    while (err == RJ_OK && item != NULL) {
        if (item->first != NULL) {
            rj_cbor_put_bytes(out, rj_item_name(item));
            err = rj_dotcode_put(out, item->first, names);
        }
        if (err == RJ_OK)
            err = rj_dotmap_after(map, rj_item_name(item), &item);
    }
    return err;
}

static enum rj_err put_key(struct rj_buf *out, const struct rj_bkey *k,
                           struct rj_dotcode_names *names)
{
    enum rj_err err;

    rj_cbor_put_array(out, 4);
    rj_cbor_put_bytes(out, rj_bkey_name(k));
    err = rj_dotcode_put(out, rj_bkey_first(k), names);
    if (err == RJ_OK)
        err = put_map(out, rj_bkey_set(k), names);
    if (err == RJ_OK)
        err = put_map(out, rj_bkey_hash(k), names);
    return err == RJ_OK ? rj_buf_err(out) : err;
}

/* All keys of k's position that are to be sent. *ret_next: the first key behind them. */
static enum rj_err put_position(struct rj_bucket *b, const struct rj_give *g,
                                struct rj_dotcode_names *names, struct rj_bkey *k,
                                struct rj_bkey **ret_next)
{
    struct rj_writer *w = names->writer;
    uint64_t position = k->position;
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && k != NULL && k->position == position;
         k = rj_table_next(&b->table, k)) {
        if (rj_bkey_is_void(k) || (!g->full && !is_wanted(k, g->have)))
            continue;
        err = put_key(&w->ops, k, names);
        if (err == RJ_OK)
            rj_writer_wrote(w);
    }
    *ret_next = k;
    return err;
}

static uint64_t count_live(const struct rj_bucket *b, const struct rj_bkey *k,
                           uint64_t position)
{
    uint64_t n = 0;

    for (; k != NULL && k->position == position; k = rj_table_next(&b->table, k))
        n += k->live ? 1 : 0;
    return n;
}

/* A part that may name any number of origins looks them up in a table. */
static enum rj_err make_numbers(const struct rj_bucket *b, const struct rj_writer *w,
                                struct rj_dotcode_names *names)
{
    size_t n = b->kind.origins->n;

    if (w->dict_max <= RJ_BATCH_DICT_MAX || n == 0)
        return RJ_OK;
    names->numbers = rj_alloc_zero(n, sizeof(*names->numbers));
    return names->numbers != NULL ? RJ_OK : RJ_ENOMEM;
}

enum rj_err rj_transfer_give(struct rj_kind *kind, const struct rj_give *g,
                             struct rj_writer *w, uint64_t *ret_end, uint64_t *ret_count)
{
    struct rj_bucket *b = rj_bucket_of(kind);
    struct rj_bkey *k = rj_table_from(&b->table, g->range.from);
    struct rj_dotcode_names names = {.writer = w};
    enum rj_err err = make_numbers(b, w, &names);
    size_t start = w->ops.len;
    uint64_t end = g->range.to, count = 0;

    while (err == RJ_OK && k != NULL && k->position <= g->range.to) {
        uint64_t position = k->position, live = count_live(b, k, position);
        size_t len = w->ops.len;
        uint32_t sent = w->count, dict_n = w->dict_n;

        err = put_position(b, g, &names, k, &k);
        if (err != RJ_OK) {
            w->ops.len = len;
            w->ops.failed = false;
            w->count = sent;
            w->dict_n = dict_n;
            if (err != RJ_ELIMIT || position == g->range.from || sent == 0)
                goto out;
            err = RJ_OK;
            end = position - 1; /* it begins the next part */
            break;
        }
        count += live;
        if (w->ops.len - start >= g->budget_bytes || w->count >= RJ_BATCH_WRITES_MAX) {
            end = position;
            break;
        }
    }
    *ret_end = end;
    *ret_count = count;
out:
    free(names.numbers);
    return err;
}
