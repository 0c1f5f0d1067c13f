/* SPDX-License-Identifier: Apache-2.0 */
/* The bucket in the store: one record for the place of a key itself, one for each element
 * and each field, so that a write into a large set writes little.
 *
 *     key   = prefix, u64be position, u32be length of key, key, u8 part, name
 *     value = the place (crdt/dotcode.h), origins by index
 *
 * Collect writes what changed since the last one and only then forgets what is gone: a
 * key or an item that holds nothing stays in memory until its record is deleted. */
#include "bucket/state.h"

#include "base/cbor.h"

enum { TAG_PLACE = 0, TAG_SET = 1, TAG_HASH = 2, HEAD_LEN = 8 + 4 };

static void build_key(struct rj_bucket *b, const struct rj_site *site)
{
    struct rj_buf *out = &b->record_key;
    uint8_t tag = TAG_PLACE;

    if (site->item != NULL)
        tag = site->map == rj_bkey_set(site->key) ? TAG_SET : TAG_HASH;
    rj_buf_clear(out);
    rj_buf_append(out, rj_buf_view(&b->prefix));
    rj_buf_u64be(out, site->key->position);
    rj_buf_u32be(out, site->key->len);
    rj_buf_append(out, rj_bkey_name(site->key));
    rj_buf_u8(out, tag);
    if (site->item != NULL)
        rj_buf_append(out, rj_item_name(site->item));
}

/* Appends the record of a changed site, or its deletion. */
static enum rj_err write_site(struct rj_bucket *b, const struct rj_site *site,
                              struct rj_writes *w)
{
    struct rj_dotcode_names names = {0};
    bool stored = site->item != NULL ? site->item->stored : site->key->stored;
    const struct rj_dotted *first = *rj_site_list(site);
    enum rj_err err = RJ_OK;

    if (first == NULL && !stored)
        return RJ_OK;
    build_key(b, site);
    if (first != NULL) {
        rj_buf_clear(&b->record);
        err = rj_dotcode_put(&b->record, first, &names);
        if (err == RJ_OK)
            err = rj_buf_err(&b->record_key);
        if (err == RJ_OK)
            rj_writes_put(w, rj_buf_view(&b->record_key), rj_buf_view(&b->record));
        return err;
    }
    err = rj_buf_err(&b->record_key);
    if (err == RJ_OK)
        rj_writes_delete(w, rj_buf_view(&b->record_key));
    return err;
}

static enum rj_err write_map(struct rj_bucket *b, struct rj_bkey *k,
                             struct rj_dotmap *map, struct rj_writes *w)
{
    struct rj_site site = {.key = k, .map = map};
    enum rj_err err = RJ_OK;

    if (map == NULL)
        return RJ_OK;
    for (site.item = map->dirty; err == RJ_OK && site.item != NULL;
         site.item = site.item->dirty_next)
        err = write_site(b, &site, w);
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
        if (item->first == NULL)
            rj_dotmap_remove(map, item);
    }
}

/* What changed is in the store now: forgets that it changed, frees what is gone. */
static void settle(struct rj_bucket *b)
{
    struct rj_bkey *k;

    while ((k = b->dirty) != NULL) {
        rj_change_undirty(b, k);
        settle_map(rj_bkey_set(k));
        settle_map(rj_bkey_hash(k));
        if (k->place_dirty)
            k->stored = rj_bkey_first(k) != NULL;
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
        err = write_key(b, key, w);
        key = key->dirty_next != b->dirty ? key->dirty_next : NULL;
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
};

static bool split_key(const struct rj_bucket *b, struct rj_bytes key, struct record *ret)
{
    struct rj_reader r = rj_reader_of(rj_bytes_skip(key, b->prefix.len));
    uint32_t len;

    ret->position = rj_reader_u64be(&r);
    len = rj_reader_u32be(&r);
    ret->key = rj_reader_bytes(&r, len);
    ret->tag = rj_reader_u8(&r);
    ret->name = rj_reader_rest(&r);
    return !r.failed && len <= RJ_KEY_MAX && ret->name.len <= RJ_KEY_MAX &&
           ret->tag <= TAG_HASH && (ret->tag != TAG_PLACE || ret->name.len == 0) &&
           ret->position == rj_change_position(b, ret->key);
}

static enum rj_err load_site(struct rj_bucket *b, const struct record *rec, size_t cap,
                             struct rj_site *site)
{
    bool is_place = rec->tag == TAG_PLACE;
    enum rj_err err = rj_change_key(b, rec->position, rec->key,
                                    is_place ? cap : SIZE_MAX, &site->key);

    if (err == RJ_OK && !is_place)
        err = rj_change_item(b, site, rec->tag == TAG_SET ? RJ_PART_SET : RJ_PART_HASH,
                             rec->name, cap);
    return err;
}

static enum rj_err load_record(struct rj_bucket *b, const struct record *rec,
                               struct rj_bytes value)
{
    struct rj_dotcode_names names = {.n = b->kind.origins->n};
    struct rj_reader r = rj_reader_of(value);
    struct rj_site site = {0};
    struct rj_dotcode code;
    enum rj_err err = load_site(b, rec, rj_dotcode_peek(r, &names), &site);
    size_t n, i;

    if (err != RJ_OK)
        return err;
    n = rj_cbor_get_array(&r);
    for (i = 0; err == RJ_OK && i < n; i++) {
        rj_dotcode_get(&r, &names, &code);
        if (r.failed || code.value.len > RJ_VALUE_MAX)
            return RJ_ECORRUPT;
        err = rj_change_insert(b, &site, &code);
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
    return RJ_OK;
}
