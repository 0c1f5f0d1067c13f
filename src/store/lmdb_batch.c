/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor of LMDB that moves through a table in order finds most places on the page
 * where it stands; in random order each put searches from the root. So the puts and
 * deletes between two range deletes are sorted by key, and of those with one key only the
 * last one stays. A range delete stays where it is: what came before it is in its range,
 * what came after it is not. Order of arrival = order of addresses in the batch. */
#include "store/lmdb_batch.h"

#include "base/alloc.h"
#include "base/be.h"

/* The beginning of a key, so that sorting seldom has to look at keys themselves, which
 * lie all over memory. */
static struct rj_lmdb_op make_op(const struct rj_write *w)
{
    uint8_t b[2 * sizeof(uint64_t)] = {0};

    if (w->key.len > 0)
        memcpy(b, w->key.ptr, w->key.len < sizeof(b) ? w->key.len : sizeof(b));
    return (struct rj_lmdb_op){
        .write = *w, .head = rj_be_load64(b), .next = rj_be_load64(b + sizeof(uint64_t))};
}

static int compare_keys(const struct rj_lmdb_op *a, const struct rj_lmdb_op *b)
{
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    if (a->next != b->next)
        return a->next < b->next ? -1 : 1;
    return rj_bytes_compare(a->write.key, b->write.key);
}

static int compare(const void *pa, const void *pb)
{
    const struct rj_lmdb_op *a = pa, *b = pb;
    int order = compare_keys(a, b);

    if (order != 0)
        return order;
    return (a->write.key.ptr > b->write.key.ptr) - (a->write.key.ptr < b->write.key.ptr);
}

static bool is_sorted(const struct rj_lmdb_op *ops, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (compare_keys(&ops[i - 1], &ops[i]) >= 0)
            return false;
    return true;
}

/* Sorts n ops and drops those that a later one overtakes; returns how many are left. */
static size_t sort(struct rj_lmdb_op *ops, size_t n)
{
    size_t kept = 0;

    if (n == 0 || is_sorted(ops, n))
        return n;
    qsort(ops, n, sizeof(ops[0]), compare);
    for (size_t i = 1; i < n; i++) {
        if (compare_keys(&ops[kept], &ops[i]) != 0)
            kept++;
        ops[kept] = ops[i];
    }
    return kept + 1;
}

static enum rj_err check(const struct rj_write *w)
{
    if (w->kind == RJ_WRITE_DELETE_RANGE)
        return RJ_OK;
    if (w->key.len == 0)
        return RJ_EINVAL;
    if (w->key.len > RJ_STORE_KEY_MAX || w->value.len > RJ_STORE_VALUE_MAX)
        return RJ_ELIMIT;
    return RJ_OK;
}

enum rj_err rj_lmdb_batch_init(struct rj_lmdb_batch *ret, const struct rj_writes *w)
{
    struct rj_lmdb_batch b = {.ops = rj_alloc_array(w->count, sizeof(b.ops[0]))};
    struct rj_write one;
    size_t pos = 0, run = 0; /* run: where the puts since the last range begin */

    if (b.ops == NULL)
        return RJ_ENOMEM;
    while (rj_writes_next(w, &pos, &one)) {
        enum rj_err err = check(&one);

        if (err != RJ_OK) {
            free(b.ops);
            return err;
        }
        if (one.kind == RJ_WRITE_PUT)
            b.put_bytes += one.key.len + one.value.len + RJ_LMDB_BATCH_OVERHEAD;
        else
            b.deletes = true;
        if (one.kind == RJ_WRITE_DELETE_RANGE)
            b.count = run + sort(b.ops + run, b.count - run);
        b.ops[b.count++] = make_op(&one);
        if (one.kind == RJ_WRITE_DELETE_RANGE)
            run = b.count;
    }
    b.count = run + sort(b.ops + run, b.count - run);
    *ret = b;
    return RJ_OK;
}

void rj_lmdb_batch_done(struct rj_lmdb_batch *b)
{
    free(b->ops);
    *b = (struct rj_lmdb_batch){0};
}
