/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket in the store: one record for the place of a key itself, one for each element
 * and each field, so that a write into a large set writes little.
 *
 *     key   = prefix, u64be position, u32be length of key, key, u8 part, name
 *     value = the place (crdt/dotcode.h), origins by index
 *
 * A place that is longer than RJ_RECORD_MAX (large values that nobody has overwritten)
 * goes on in further records, since no store takes a value of any size:
 *
 *     key   = ..., u8 part + 3, u32be length of name, name, u32be number from 1
 *
 * Collect writes what changed since the last one and only then forgets what is gone: a
 * key or an item that holds nothing stays in memory until its record is deleted. */
#include "base/cbor.h"
#include "bucket/state.h"

enum { TAG_PLACE = 0, TAG_SET = 1, TAG_HASH = 2, TAG_MORE = 3 /* added to them */ };
enum { LINE = 64 /* of the cache */ };

/* Asks for what comes next in a list while something else is written: keys and items lie
 * all over memory. */
static void fetch(const void *next)
{
    const char *p = next;

    if (p == NULL)
        return;
    __builtin_prefetch(p);
    __builtin_prefetch(p + LINE);
    __builtin_prefetch(p + (ptrdiff_t)2 * LINE);
}

/* The key of a site's record number n in out. */
static void build_key(const struct rj_bucket *b, const struct rj_site *site, uint32_t n,
                      struct rj_buf *out)
{
    struct rj_bytes name = {0};
    uint8_t tag = TAG_PLACE;

    if (site->item != NULL) {
        name = rj_item_name(site->item);
        tag = site->map == rj_bkey_set(site->key) ? TAG_SET : TAG_HASH;
    }
    rj_buf_clear(out);
    rj_buf_append(out, rj_buf_view(&b->prefix));
    rj_buf_u64be(out, site->key->position);
    rj_buf_u32be(out, site->key->len);
    rj_buf_append(out, rj_bkey_name(site->key));
    rj_buf_u8(out, (uint8_t)(tag + (n > 0 ? TAG_MORE : 0)));
    if (n > 0)
        rj_buf_u32be(out, (uint32_t)name.len);
    rj_buf_append(out, name);
    if (n > 0)
        rj_buf_u32be(out, n);
}

/* Appends record number n: from first to end. */
static enum rj_err write_record(struct rj_bucket *b, const struct rj_site *site,
                                uint32_t n, const struct rj_dotted *const span[2],
                                struct rj_writes *w)
{
    struct rj_dotcode_names names = {0};
    enum rj_err err;

    build_key(b, site, n, &b->record_key);
    rj_buf_clear(&b->record);
    err = rj_dotcode_put_until(&b->record, span[0], span[1], &names);
    if (err == RJ_OK)
        err = rj_buf_err(&b->record_key);
    if (err == RJ_OK)
        rj_writes_put(w, rj_buf_view(&b->record_key), rj_buf_view(&b->record));
    return err;
}

static bool is_split(const struct rj_site *site)
{
    return site->item != NULL ? site->item->split : site->key->split;
}

static void set_split(const struct rj_site *site, bool split)
{
    if (site->item != NULL)
        site->item->split = split;
    else
        site->key->split = split;
}

/* Appends what follows the first record of a site, from first on, and the deletion of
 * what followed it before. */
static enum rj_err write_further(struct rj_bucket *b, const struct rj_site *site,
                                 const struct rj_dotted *first, struct rj_writes *w)
{
    enum rj_err err;
    uint32_t n;

    build_key(b, site, 1, &b->record_key);
    build_key(b, site, UINT32_MAX, &b->record);
    err = b->record_key.failed ? rj_buf_err(&b->record_key) : rj_buf_err(&b->record);
    if (err == RJ_OK)
        rj_writes_delete_range(w, rj_buf_view(&b->record_key), rj_buf_view(&b->record));
    if (first != NULL)
        set_split(site, true); /* also if this fails: what is written may be of a part */
    for (n = 1; err == RJ_OK && first != NULL; n++) {
        const struct rj_dotted *span[] = {first, rj_dotcode_fit(first, RJ_RECORD_MAX)};

        err = write_record(b, site, n, span, w);
        first = span[1];
    }
    return err;
}

/* Appends the records of a changed site, or their deletion. */
static enum rj_err write_site(struct rj_bucket *b, const struct rj_site *site,
                              struct rj_writes *w)
{
    bool stored = site->item != NULL ? site->item->stored : site->key->stored;
    const struct rj_dotted *first = *rj_site_list(site);
    const struct rj_dotted *span[] = {first, rj_dotcode_fit(first, RJ_RECORD_MAX)};
    enum rj_err err;

    if (first == NULL && !stored)
        return RJ_OK;
    if (first != NULL) {
        err = write_record(b, site, 0, span, w);
    } else {
        build_key(b, site, 0, &b->record_key);
        err = rj_buf_err(&b->record_key);
        if (err == RJ_OK)
            rj_writes_delete(w, rj_buf_view(&b->record_key));
    }
    if (err == RJ_OK && (span[1] != NULL || is_split(site)))
        err = write_further(b, site, span[1], w);
    return err;
}

/* True iff the site is in more than one record, now that it was written. */
static bool stays_split(const struct rj_site *site)
{
    return is_split(site) && rj_dotcode_fit(*rj_site_list(site), RJ_RECORD_MAX) != NULL;
}

static enum rj_err write_map(struct rj_bucket *b, struct rj_bkey *k,
                             struct rj_dotmap *map, struct rj_writes *w)
{
    struct rj_site site = {.key = k, .map = map};
    enum rj_err err = RJ_OK;

    if (map == NULL)
        return RJ_OK;
    for (site.item = map->dirty; err == RJ_OK && site.item != NULL;
         site.item = site.item->dirty_next) {
        fetch(site.item->dirty_next);
        err = write_site(b, &site, w);
    }
    return err;
}

static enum rj_err write_key(struct rj_bucket *b, struct rj_bkey *k, struct rj_writes *w)
{
    struct rj_site site = {.key = k};
    enum rj_err err = RJ_OK;

    if (k->place_dirty)
        err = write_site(b, &site, w);
    if (err == RJ_OK)
        err = write_map(b, k, rj_bkey_set(k), w);
    if (err == RJ_OK)
        err = write_map(b, k, rj_bkey_hash(k), w);
    return err;
}

static void settle_map(struct rj_dotmap *map)
{
    struct rj_item *item;

    if (map == NULL)
        return;
    while ((item = map->dirty) != NULL) {
        map->dirty = item->dirty_next;
        item->dirty_next = NULL;
        item->dirty = false;
        item->stored = item->first != NULL;
        item->split = stays_split(&(struct rj_site){.item = item});
        if (item->first == NULL)
            rj_dotmap_remove(map, item);
    }
    rj_dotmap_settle(map);
}

/* What changed is in the store now: forgets that it changed, frees what is gone. */
static void settle(struct rj_bucket *b)
{
    struct rj_bkey *k = b->dirty, *next;

    if (k != NULL)
        k->dirty_prev->dirty_next = NULL; /* the ring becomes a list */
    b->dirty = NULL;
    for (; k != NULL; k = next) {
        next = k->dirty_next;
        k->dirty_prev = k->dirty_next = NULL;
        settle_map(rj_bkey_set(k));
        settle_map(rj_bkey_hash(k));
        if (k->place_dirty) {
            k->stored = rj_bkey_first(k) != NULL;
            k->split = stays_split(&(struct rj_site){.key = k});
        }
        k->place_dirty = false;
        rj_bkey_tidy(k, &b->due);
        if (rj_bkey_is_void(k))
            rj_change_forget(b, k);
    }
}

/* The first key after all that begin with the prefix, in b->record. */
static enum rj_err build_end(struct rj_bucket *b)
{
    rj_buf_clear(&b->record);
    rj_buf_append(&b->record, rj_buf_view(&b->prefix));
    if (b->record.failed)
        return rj_buf_err(&b->record);
    while (b->record.ptr[b->record.len - 1] == UINT8_MAX)
        b->record.len--;
    b->record.ptr[b->record.len - 1]++;
    return RJ_OK;
}

enum rj_err rj_persist_collect(struct rj_kind *k, struct rj_writes *w)
{
    struct rj_bucket *b = rj_bucket_of(k);
    struct rj_bkey *key = b->dirty;
    enum rj_err err = RJ_OK;

    if (b->wiped) {
        err = build_end(b);
        if (err != RJ_OK)
            return err;
        rj_writes_delete_range(w, rj_buf_view(&b->prefix), rj_buf_view(&b->record));
    }
    while (key != NULL && err == RJ_OK) {
        struct rj_bkey *next = key->dirty_next != b->dirty ? key->dirty_next : NULL;

        fetch(next);
        err = write_key(b, key, w);
        key = next;
    }
    if (err == RJ_OK && w->failed)
        err = RJ_ENOMEM;
    if (err != RJ_OK)
        return err;
    b->wiped = false;
    settle(b);
    return RJ_OK;
}

/* ---- loading */

struct record {
    uint64_t position;
    struct rj_bytes key, name;
    uint8_t tag;
    bool more; /* not the first one of its place */
};

static bool split_key(const struct rj_bucket *b, struct rj_bytes key, struct record *ret)
{
    struct rj_bytes rest = rj_bytes_skip(key, b->prefix.len);
    struct rj_reader r = rj_reader_of(rest);
    uint32_t len;

    if (rest.ptr == NULL)
        return false;
    ret->position = rj_reader_u64be(&r);
    len = rj_reader_u32be(&r);
    ret->key = rj_reader_bytes(&r, len);
    ret->tag = rj_reader_u8(&r);
    ret->more = ret->tag >= TAG_MORE;
    if (ret->more) {
        ret->tag -= TAG_MORE;
        ret->name = rj_reader_bytes(&r, rj_reader_u32be(&r));
        if (rj_reader_u32be(&r) == 0 || rj_reader_left(&r) > 0)
            return false;
    } else {
        ret->name = rj_reader_rest(&r);
    }
    return !r.failed && len <= RJ_KEY_MAX && ret->name.len <= RJ_KEY_MAX &&
           ret->tag <= TAG_HASH && (ret->tag != TAG_PLACE || ret->name.len == 0) &&
           ret->position == rj_change_position(b, ret->key);
}

static enum rj_err load_site(struct rj_bucket *b, const struct record *rec, size_t cap,
                             struct rj_site *site)
{
    bool is_place = rec->tag == TAG_PLACE;
    enum rj_err err =
        rj_change_key(b, rec->position, rec->key, is_place ? cap : SIZE_MAX, &site->key);

    if (err == RJ_OK && !is_place)
        err = rj_change_item(b, site, rec->tag == TAG_SET ? RJ_PART_SET : RJ_PART_HASH,
                             rec->name, cap);
    return err;
}

static enum rj_err load_record(struct rj_bucket *b, const struct record *rec,
                               struct rj_bytes value)
{
    struct rj_dotcode_names names = {.n = b->kind.origins->n, .meant = b->kind.meant};
    struct rj_reader r = rj_reader_of(value);
    struct rj_site site = {0};
    struct rj_dotcode code;
    enum rj_err err = load_site(b, rec, rj_dotcode_peek(r, &names), &site);
    size_t n, i;

    if (err != RJ_OK)
        return err;
    if (rec->more)
        set_split(&site, true);
    n = rj_cbor_get_array(&r);
    for (i = 0; err == RJ_OK && i < n; i++) {
        rj_dotcode_get(&r, &names, &code);
        if (r.failed || code.value.len > RJ_VALUE_MAX ||
            (code.is_gone && (!b->delete_wins || site.item != NULL)))
            return RJ_ECORRUPT;
        err = rj_change_insert(b, &site, &code);
        if (err == RJ_OK && code.has_late)
            err = rj_dotcode_late(&code, &names,
                                  &rj_gone_of(rj_bkey_first(site.key))->late);
    }
    if (err == RJ_OK && (n == 0 || !rj_reader_complete(&r)))
        err = RJ_ECORRUPT;
    rj_change_end(b, &site);
    return err;
}

enum rj_err rj_persist_load(struct rj_kind *k, const struct rj_store_ops *ops,
                            struct rj_view *view)
{
    struct rj_bucket *b = rj_bucket_of(k);
    struct rj_bytes key = rj_buf_view(&b->prefix), value;
    enum rj_seek how = RJ_SEEK_GE;
    struct record rec;
    enum rj_err err;

    while ((err = ops->seek(view, how, key, &key, &value)) == RJ_OK) {
        if (!rj_bytes_starts_with(key, rj_buf_view(&b->prefix)))
            break;
        rj_buf_clear(&b->record_key);
        rj_buf_append(&b->record_key, key); /* the seek's view ends with the next one */
        if (b->record_key.failed)
            return rj_buf_err(&b->record_key);
        key = rj_buf_view(&b->record_key);
        err = split_key(b, key, &rec) ? load_record(b, &rec, value) : RJ_ECORRUPT;
        if (err != RJ_OK)
            return err;
        how = RJ_SEEK_GT;
    }
    if (err != RJ_OK && err != RJ_ENOENT)
        return err;
    settle(b);
    if (b->kind.meant != NULL)
        rj_branch_mark(b);
    return RJ_OK;
}
