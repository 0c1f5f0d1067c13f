/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor of LMDB that moves through a table in order finds most places on the page
 * where it stands; in random order each put searches from the root. So the puts and
 * deletes between two range deletes are sorted by key, and of those with one key only the
 * last one stays. A range delete stays where it is: what came before it is in its range,
 * what came after it is not. Order of arrival = order of positions in the batch.
 * Keys lie all over memory and begin alike for long (space, key, what elements are
 * called): so 16 bytes are compared, behind what all begin with, and of those that are
 * equal in them, once more, behind what those begin with. (Bentley, Sedgewick 1997, "Fast
 * algorithms for sorting and searching strings".) */
#include "store/lmdb_batch.h"

#include "base/alloc.h"
#include "base/be.h"

enum { HEAD = 2 * sizeof(uint64_t) };

struct rj_write rj_lmdb_op_write(const struct rj_lmdb_op *op)
{
    struct rj_write one = {0};
    size_t pos = op->pos;

    (void)!rj_writes_next(op->writes, &pos, &one);
    return one;
}

static struct rj_bytes key_of(const struct rj_lmdb_op *op)
{
    return rj_lmdb_op_write(op).key;
}

/* ---- sorting */

/* How many bytes all keys begin with alike, of which `from` are known. */
static size_t common_of(const struct rj_lmdb_op *ops, size_t n, size_t from)
{
    struct rj_bytes first = key_of(&ops[0]);
    size_t common = first.len;

    for (size_t i = 1; i < n; i++) {
        struct rj_bytes key = key_of(&ops[i]);
        size_t at = from, most = key.len < common ? key.len : common;

        if (memcmp(first.ptr + from, key.ptr + from, most - from) != 0) {
            while (first.ptr[at] == key.ptr[at])
                at++;
            most = at;
        }
        common = most;
    }
    return common;
}

/* Loads the heads, from there on. */
static void load_heads(struct rj_lmdb_op *ops, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i++) {
        struct rj_bytes rest = rj_bytes_skip(key_of(&ops[i]), from);
        uint8_t b[HEAD] = {0};

        if (rest.len > 0)
            memcpy(b, rest.ptr, rest.len < HEAD ? rest.len : HEAD);
        ops[i].head = rj_be_load64(b);
        ops[i].next = rj_be_load64(b + sizeof(uint64_t));
    }
}

static int compare_heads(const struct rj_lmdb_op *a, const struct rj_lmdb_op *b)
{
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    return (a->next > b->next) - (a->next < b->next);
}

static int by_head(const void *pa, const void *pb)
{
    const struct rj_lmdb_op *a = pa, *b = pb;
    int order = compare_heads(a, b);

    return order != 0 ? order : (a->pos > b->pos) - (a->pos < b->pos);
}

static int by_key(const void *pa, const void *pb)
{
    const struct rj_lmdb_op *a = pa, *b = pb;
    int order = rj_bytes_compare(key_of(a), key_of(b));

    return order != 0 ? order : (a->pos > b->pos) - (a->pos < b->pos);
}

static bool is_sorted(const struct rj_lmdb_op *ops, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (compare_heads(&ops[i - 1], &ops[i]) >= 0)
            return false;
    return true;
}

/* All keys go on behind so many bytes, or end there. */
static bool are_long(const struct rj_lmdb_op *ops, size_t n, size_t len)
{
    while (n > 0 && key_of(&ops[n - 1]).len >= len)
        n--;
    return n == 0;
}

/* Sorts n > 0 ops whose keys begin with the same `from` bytes, and marks those that a
 * later one overtakes. */
typedef void sort_fn(struct rj_lmdb_op *ops, size_t n, size_t from);

/* By whole keys. */
static void sort_whole(struct rj_lmdb_op *ops, size_t n, size_t from)
{
    (void)from;
    qsort(ops, n, sizeof(ops[0]), by_key);
    for (size_t i = 1; i < n; i++)
        if (rj_bytes_equal(key_of(&ops[i - 1]), key_of(&ops[i])))
            ops[i - 1].overtaken = true;
}

/* By heads; what has one head is left to `equal`. */
static void sort_heads(struct rj_lmdb_op *ops, size_t n, size_t from, sort_fn *equal)
{
    size_t i, end;

    from = common_of(ops, n, from);
    load_heads(ops, n, from);
    if (is_sorted(ops, n))
        return;
    qsort(ops, n, sizeof(ops[0]), by_head);
    for (i = 0; i < n; i = end) {
        for (end = i + 1; end < n && compare_heads(&ops[i], &ops[end]) == 0;)
            end++;
        if (end - i > 1)
            equal(ops + i, end - i, from + HEAD);
    }
}

static void sort_again(struct rj_lmdb_op *ops, size_t n, size_t from)
{
    if (are_long(ops, n, from))
        sort_heads(ops, n, from, sort_whole);
    else
        sort_whole(ops, n, from);
}

/* Sorts n ops and drops those that a later one overtakes; returns how many are left. */
static size_t sort(struct rj_lmdb_op *ops, size_t n)
{
    size_t kept = 0;

    if (n > 1)
        sort_heads(ops, n, 0, sort_again);
    for (size_t i = 0; i < n; i++)
        if (!ops[i].overtaken)
            ops[kept++] = ops[i];
    return kept;
}

/* ---- the batch */

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
    size_t pos = 0, at = 0, run = 0; /* run: where the puts since the last range begin */

    if (b.ops == NULL)
        return RJ_ENOMEM;
    for (; rj_writes_next(w, &pos, &one); at = pos) {
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
        b.ops[b.count++] = (struct rj_lmdb_op){.writes = w, .pos = at & INT64_MAX};
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
