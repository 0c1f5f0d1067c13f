/* SPDX-License-Identifier: Apache-2.0 */
/* What is shown at this moment, and the data calls that read. A key shows the component
 * that holds the greatest (stamp, dot) among what is not due; a register the version with
 * the greatest one, plus the increments on it; a counter the sum of its runs. */
#include "base/alloc.h"
#include "bucket/state.h"

/* Of the key told of before, the head of the chain has come by now; of the name, its
 * slot. Names are of one key most of the time, which is here then. */
void rj_bucket_fetch(struct rj_bucket *b, struct rj_bytes key,
                     const struct rj_bytes *name)
{
    uint64_t position = rj_change_position(b, key);
    const struct rj_dotmap *map = NULL;
    const struct rj_bkey *k;

    if (name != NULL && position == b->fetched) {
        k = rj_table_find(&b->table, position, key);
        if (k != NULL)
            map = rj_bkey_set(k) != NULL ? rj_bkey_set(k) : rj_bkey_hash(k);
        if (map != NULL)
            b->fetched_name = rj_dotmap_fetch(map, b->fetched_name, *name);
        return;
    }
    rj_table_fetch_key(&b->table, b->fetched);
    b->fetched = position;
    rj_table_fetch_chain(&b->table, position);
}

/* ---- one place: register or counter */

/* The rank of a register: of its versions and of the increments on those. */
static struct rj_rank register_rank(const struct rj_bucket *b,
                                    const struct rj_dotted *first)
{
    struct rj_rank rank = {0};
    const struct rj_dotted *d;

    for (d = first; d != NULL; d = d->next) {
        if (!rj_is_due(d->deadline, b->now_ms) &&
            (d->sort == RJ_DOTTED_VERSION ||
             (d->sort == RJ_DOTTED_RUN && rj_run_is_based(rj_run_of_const(d)))))
            rj_rank_raise(b->kind.origins, &rank, d->stamp, rj_dotted_dot(d));
    }
    return rank;
}

/* What increments make of the shown version, if there are any. */
static void count_version(const struct rj_bucket *b, const struct rj_dotted *first,
                          struct rj_look *look)
{
    struct rj_dot base = rj_dotted_dot(&look->top->d);
    const struct rj_dotted *d;
    int64_t start;

    for (d = first; d != NULL; d = d->next) {
        if (d->sort == RJ_DOTTED_RUN && rj_dot_is(rj_run_of_const(d)->base, base))
            break;
    }
    if (d == NULL || !rj_register_int(rj_version_value(look->top), &start))
        return;
    look->counted = true;
    (void)rj_counter_sum(first, base, b->now_ms, start, &look->sum);
}

static void look_mixed(const struct rj_bucket *b, struct rj_dotted *first,
                       struct rj_look *ret)
{
    struct rj_rank counter = rj_counter_rank(first, b->kind.origins, b->now_ms);

    ret->rank = register_rank(b, first);
    ret->top = rj_register_top(first, b->kind.origins, b->now_ms);
    if (rj_rank_compare(b->kind.origins, &ret->rank, &counter) > 0) {
        ret->shape = RJ_SHAPE_VERSION;
        count_version(b, first, ret);
    } else if (counter.dot.seq != 0) {
        ret->shape = RJ_SHAPE_COUNTER;
        ret->rank = counter;
        ret->top = NULL;
        (void)rj_counter_sum(first, (struct rj_dot){0}, b->now_ms, 0, &ret->sum);
    }
}

void rj_look_place(const struct rj_bucket *b, struct rj_dotted *first,
                   struct rj_look *ret)
{
    *ret = (struct rj_look){0};
    if (first == NULL)
        return;
    if (first->next != NULL || first->sort != RJ_DOTTED_VERSION) {
        look_mixed(b, first, ret);
    } else if (!rj_is_due(first->deadline, b->now_ms)) {
        ret->shape = RJ_SHAPE_VERSION;
        ret->top = rj_version_of(first);
        ret->rank = (struct rj_rank){.stamp = first->stamp, .dot = rj_dotted_dot(first)};
    }
}

uint64_t rj_look_place_deadline(const struct rj_bucket *b, const struct rj_dotted *first,
                                const struct rj_look *look)
{
    const struct rj_dotted *d;
    uint64_t deadline = 0;

    if (look->shape == RJ_SHAPE_VERSION)
        return look->top->d.deadline;
    for (d = first; d != NULL; d = d->next) {
        if (d->sort == RJ_DOTTED_VERSION || !rj_dotted_stands(d) ||
            rj_is_due(d->deadline, b->now_ms))
            continue;
        if (d->deadline == 0)
            return 0;
        if (d->deadline > deadline)
            deadline = d->deadline;
    }
    return deadline;
}

/* ---- one key */

static bool shows(const struct rj_bucket *b, struct rj_dotmap *map)
{
    return map != NULL && rj_dotmap_is_shown(map, b->now_ms);
}

/* A map that is shown, against what was found so far. */
static void look_map(const struct rj_bucket *b, struct rj_dotmap *map,
                     enum rj_shape shape, struct rj_look *ret)
{
    struct rj_rank rank = rj_dotmap_rank(map, b->kind.origins, b->now_ms);

    if (rj_rank_compare(b->kind.origins, &ret->rank, &rank) < 0)
        *ret = (struct rj_look){.shape = shape, .rank = rank};
}

void rj_look_key(const struct rj_bucket *b, const struct rj_bkey *k, struct rj_look *ret)
{
    bool set, hash;

    if (k == NULL) {
        *ret = (struct rj_look){0};
        return;
    }
    rj_look_place(b, rj_bkey_first(k), ret);
    set = shows(b, rj_bkey_set(k));
    hash = shows(b, rj_bkey_hash(k));
    if (ret->shape == RJ_SHAPE_NONE && set != hash) { /* to find a rank may take a walk */
        ret->shape = set ? RJ_SHAPE_SET : RJ_SHAPE_HASH;
        return;
    }
    if (set)
        look_map(b, rj_bkey_set(k), RJ_SHAPE_SET, ret);
    if (hash)
        look_map(b, rj_bkey_hash(k), RJ_SHAPE_HASH, ret);
}

uint64_t rj_look_deadline(const struct rj_bucket *b, const struct rj_bkey *k,
                          const struct rj_look *look)
{
    switch (look->shape) {
    case RJ_SHAPE_VERSION:
    case RJ_SHAPE_COUNTER:
        return rj_look_place_deadline(b, rj_bkey_first(k), look);
    case RJ_SHAPE_SET:
        return rj_dotmap_deadline(rj_bkey_set(k), b->now_ms);
    case RJ_SHAPE_HASH:
        return rj_dotmap_deadline(rj_bkey_hash(k), b->now_ms);
    case RJ_SHAPE_NONE:
    default:
        return 0;
    }
}

enum rj_err rj_look_value(struct rj_bucket *b, const struct rj_look *look,
                          struct rj_bytes *ret)
{
    char digits[RJ_DECIMAL_MAX];

    if (look->shape == RJ_SHAPE_VERSION && !look->counted) {
        *ret = rj_version_value(look->top);
        return RJ_OK;
    }
    rj_buf_clear(&b->text);
    rj_buf_append_raw(&b->text, digits, rj_register_digits(look->sum, digits));
    if (b->text.failed)
        return rj_buf_err(&b->text);
    *ret = rj_buf_view(&b->text);
    return RJ_OK;
}

/* ---- data calls that read */

static struct rj_bkey *find(const struct rj_bucket *b, struct rj_bytes key)
{
    return rj_table_find(&b->table, rj_change_position(b, key), key);
}

/* The key if it shows that shape. RJ_ENOENT: it shows nothing; RJ_ETYPE: another. */
static enum rj_err find_shape(const struct rj_bucket *b, struct rj_bytes key,
                              enum rj_shape shape, struct rj_bkey **ret_key)
{
    struct rj_bkey *k = find(b, key);
    struct rj_look look;

    rj_look_key(b, k, &look);
    if (look.shape == RJ_SHAPE_NONE)
        return RJ_ENOENT;
    *ret_key = k;
    return look.shape == shape ? RJ_OK : RJ_ETYPE;
}

enum rj_type rj_bucket_type(const struct rj_bucket *b, struct rj_bytes key)
{
    struct rj_look look;

    rj_look_key(b, find(b, key), &look);
    switch (look.shape) {
    case RJ_SHAPE_VERSION:
    case RJ_SHAPE_COUNTER:
        return RJ_TYPE_STRING;
    case RJ_SHAPE_SET:
        return RJ_TYPE_SET;
    case RJ_SHAPE_HASH:
        return RJ_TYPE_HASH;
    case RJ_SHAPE_NONE:
    default:
        return RJ_TYPE_NONE;
    }
}

uint64_t rj_bucket_count(const struct rj_bucket *b)
{
    return b->n_live;
}

uint64_t rj_bucket_now(const struct rj_bucket *b)
{
    return b->now_ms;
}

enum rj_err rj_bucket_get(struct rj_bucket *b, struct rj_bytes key,
                          struct rj_bytes *ret_value)
{
    struct rj_look look;

    rj_look_key(b, find(b, key), &look);
    if (look.shape == RJ_SHAPE_NONE)
        return RJ_ENOENT;
    if (look.shape != RJ_SHAPE_VERSION && look.shape != RJ_SHAPE_COUNTER)
        return RJ_ETYPE;
    return rj_look_value(b, &look, ret_value);
}

enum rj_err rj_bucket_deadline(struct rj_bucket *b, struct rj_bytes key,
                               uint64_t *ret_deadline_ms)
{
    struct rj_bkey *k = find(b, key);
    struct rj_look look;

    rj_look_key(b, k, &look);
    if (look.shape == RJ_SHAPE_NONE)
        return RJ_ENOENT;
    *ret_deadline_ms = rj_look_deadline(b, k, &look);
    return RJ_OK;
}

enum rj_err rj_bucket_sismember(struct rj_bucket *b, struct rj_bytes key,
                                struct rj_bytes elem, bool *ret_is)
{
    struct rj_bkey *k = NULL;
    enum rj_err err = find_shape(b, key, RJ_SHAPE_SET, &k);
    struct rj_item *item;

    if (err != RJ_OK) {
        if (err == RJ_ENOENT)
            *ret_is = false;
        return err == RJ_ENOENT ? RJ_OK : err;
    }
    item = rj_dotmap_find(rj_bkey_set(k), elem);
    *ret_is = item != NULL && rj_dotfun_is_shown(item->first, b->now_ms);
    return RJ_OK;
}

static enum rj_err count_items(struct rj_bucket *b, struct rj_bytes key,
                               enum rj_shape shape, uint64_t *ret_n)
{
    struct rj_bkey *k = NULL;
    enum rj_err err = find_shape(b, key, shape, &k);

    if (err == RJ_ENOENT) {
        *ret_n = 0;
        return RJ_OK;
    }
    if (err == RJ_OK)
        *ret_n = rj_dotmap_shown(shape == RJ_SHAPE_SET ? rj_bkey_set(k) : rj_bkey_hash(k),
                                 b->now_ms);
    return err;
}

enum rj_err rj_bucket_scard(struct rj_bucket *b, struct rj_bytes key, uint64_t *ret_n)
{
    return count_items(b, key, RJ_SHAPE_SET, ret_n);
}

enum rj_err rj_bucket_hlen(struct rj_bucket *b, struct rj_bytes key, uint64_t *ret_n)
{
    return count_items(b, key, RJ_SHAPE_HASH, ret_n);
}

enum rj_err rj_bucket_hget(struct rj_bucket *b, struct rj_bytes key,
                           struct rj_bytes field, struct rj_bytes *ret_value)
{
    struct rj_bkey *k = NULL;
    enum rj_err err = find_shape(b, key, RJ_SHAPE_HASH, &k);
    struct rj_item *item;
    struct rj_look look;

    if (err != RJ_OK)
        return err;
    item = rj_dotmap_find(rj_bkey_hash(k), field);
    rj_look_place(b, item != NULL ? item->first : NULL, &look);
    if (look.shape == RJ_SHAPE_NONE)
        return RJ_ENOENT;
    return rj_look_value(b, &look, ret_value);
}

enum rj_err rj_bucket_next(struct rj_bucket *b, struct rj_bytes key,
                           const struct rj_bytes *after, struct rj_pair *ret)
{
    struct rj_bkey *k = find(b, key);
    struct rj_dotmap *map;
    struct rj_item *item;
    struct rj_look look;
    enum rj_err err;
    bool is_hash;

    rj_look_key(b, k, &look);
    if (look.shape == RJ_SHAPE_NONE)
        return RJ_ENOENT;
    if (look.shape != RJ_SHAPE_SET && look.shape != RJ_SHAPE_HASH)
        return RJ_ETYPE;
    is_hash = look.shape == RJ_SHAPE_HASH;
    map = is_hash ? rj_bkey_hash(k) : rj_bkey_set(k);
    err =
        after != NULL ? rj_dotmap_after(map, *after, &item) : rj_dotmap_first(map, &item);
    while (err == RJ_OK && item != NULL && !rj_dotfun_is_shown(item->first, b->now_ms))
        err = rj_dotmap_after(map, rj_item_name(item), &item);
    if (err != RJ_OK || item == NULL)
        return err != RJ_OK ? err : RJ_ENOENT;
    ret->value = (struct rj_bytes){0};
    ret->field = rj_item_name(item);
    if (!is_hash)
        return RJ_OK;
    rj_look_place(b, item->first, &look);
    return rj_look_value(b, &look, &ret->value);
}

/* ---- scan */

static bool is_shown(const struct rj_bucket *b, const struct rj_bkey *k)
{
    struct rj_look look;

    rj_look_key(b, k, &look);
    return look.shape != RJ_SHAPE_NONE;
}

static enum rj_err add_scanned(struct rj_bucket *b, struct rj_bytes key, size_t n)
{
    if (n == b->cap_scan) {
        size_t cap = b->cap_scan != 0 ? b->cap_scan * 2 : 16;
        struct rj_bytes *scan = rj_alloc_resize(b->scan, cap, sizeof(*scan));

        if (scan == NULL)
            return RJ_ENOMEM;
        b->scan = scan;
        b->cap_scan = cap;
    }
    b->scan[n] = key;
    return RJ_OK;
}

enum rj_err rj_bucket_scan(struct rj_bucket *b, uint64_t *cursor, size_t count,
                           const struct rj_bytes **ret_keys, size_t *ret_n)
{
    size_t most = count < RJ_BUCKET_SCAN_MAX ? count : RJ_BUCKET_SCAN_MAX, n = 0;
    struct rj_bkey *k = rj_table_from(&b->table, *cursor);
    uint64_t last = 0;

    for (; k != NULL; k = rj_table_next(&b->table, k)) {
        /* Keys of one position go together: the cursor cannot stand between them. */
        if (n >= most && n > 0 && k->position != last)
            break;
        last = k->position;
        if (!is_shown(b, k))
            continue;
        if (add_scanned(b, rj_bkey_name(k), n) != RJ_OK)
            return RJ_ENOMEM;
        n++;
    }
    *cursor = k != NULL ? k->position : 0;
    *ret_keys = b->scan;
    *ret_n = n;
    return RJ_OK;
}
