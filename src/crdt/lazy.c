/* SPDX-License-Identifier: Apache-2.0 */
/* Values on demand (crdt/lazy.h): metadata and digest now, the bytes when somebody asks.
 * Ivanov 2016, "CRDTs in NavCloud" (lazy payload). Bytes that no row names any more go
 * when as many came as were left by the last clearing. */
#include "crdt/lazy.h"

#include "base/reader.h"
#include "crdt/json.h"

enum { INLINE = 0, ELSEWHERE = 1, CLEAR_FROM = 16 };

struct blob {
    struct rj_map_node node;
    uint8_t digest[RJ_CRDT_DIGEST_LEN];
    bool named;
    size_t len; /* of the bytes, which follow */
};

struct written {
    struct rj_bytes bytes, digest; /* one of them */
    uint64_t len;
};

static struct blob *blob_of(struct rj_map_node *node)
{
    return node != NULL ? RJ_MAP_ENTRY(node, struct blob, node) : NULL;
}

static struct rj_bytes digest_of(const struct rj_map_node *node)
{
    return RJ_BYTES_OF(RJ_MAP_ENTRY_CONST(node, struct blob, node)->digest);
}

static void blob_free(const struct rj_crdt *v, struct blob *b)
{
    rj_mem_free(v->allocator, b, sizeof(*b) + b->len);
}

void rj_lazy_done(struct rj_crdt *v)
{
    struct rj_map_node *node;

    while ((node = rj_map_take_any(&v->blobs)) != NULL)
        blob_free(v, blob_of(node));
}

static bool get(struct rj_bytes written, struct written *ret)
{
    struct rj_reader r = rj_reader_of(written);
    uint8_t form = rj_reader_u8(&r);

    *ret = (struct written){.len = 0};
    if (form == INLINE) {
        ret->bytes = rj_reader_rest(&r);
        ret->len = ret->bytes.len;
        return !r.failed;
    }
    ret->len = rj_reader_varint(&r);
    ret->digest = rj_reader_bytes(&r, RJ_CRDT_DIGEST_LEN);
    return form == ELSEWHERE && rj_reader_complete(&r);
}

static struct blob *find(const struct rj_crdt *v, const struct written *w)
{
    struct blob *b = w->digest.len > 0 && v->blobs.root != NULL
                         ? blob_of(rj_map_find(&v->blobs, w->digest))
                         : NULL;

    return b != NULL && b->len == w->len ? b : NULL;
}

/* value by digest, in v. */
static enum rj_err keep(struct rj_crdt *v, struct rj_bytes digest, struct rj_bytes value)
{
    struct blob *b;

    if (v->blobs.key == NULL)
        rj_map_init(&v->blobs, digest_of);
    if (rj_map_find(&v->blobs, digest) != NULL)
        return RJ_OK;
    b = rj_mem_new(v->allocator, sizeof(*b) + value.len);
    if (b == NULL)
        return RJ_ENOMEM;
    b->named = false;
    b->len = value.len;
    memcpy(b->digest, digest.ptr, sizeof(b->digest));
    memcpy(b + 1, value.ptr, value.len);
    (void)!rj_map_insert(&v->blobs, &b->node);
    return RJ_OK;
}

enum rj_err rj_lazy_put(const struct rj_crdt *v, struct rj_crdt *delta,
                        struct rj_bytes value, struct rj_buf *out)
{
    uint8_t digest[RJ_CRDT_DIGEST_LEN];

    if (value.len <= v->rules.lazy_bytes) {
        rj_buf_u8(out, INLINE);
        rj_buf_append(out, value);
        return rj_buf_err(out);
    }
    v->digest(v->user, value, digest);
    rj_buf_u8(out, ELSEWHERE);
    rj_buf_varint(out, value.len);
    rj_buf_append_raw(out, digest, sizeof(digest));
    return out->failed ? rj_buf_err(out) : keep(delta, RJ_BYTES_OF(digest), value);
}

bool rj_lazy_is_sound(const struct rj_crdt *v, const struct rj_type *type,
                      struct rj_bytes place, struct rj_bytes payload)
{
    struct rj_crdt_row row = {.seq = 0};
    struct written w;

    if (v->rules.lazy_bytes == 0 || !type->valued)
        return true;
    type->read(place, payload, &row);
    return get(row.value, &w) && w.len <= RJ_CRDT_VALUE_MAX &&
           (w.digest.len == 0) == (w.len <= v->rules.lazy_bytes);
}

/* ---- reading */

void rj_lazy_read(const struct rj_crdt *v, struct rj_crdt_row *row)
{
    const struct blob *b;
    struct written w;

    row->length = row->value.len;
    if (v->rules.lazy_bytes == 0 || row->value.len == 0 || !get(row->value, &w))
        return;
    b = find(v, &w);
    row->length = w.len;
    row->missing = w.digest.len > 0 && b == NULL;
    row->value = b != NULL ? rj_bytes_of(b + 1, b->len) : w.bytes;
}

void rj_lazy_put_json(const struct rj_crdt *v, struct rj_bytes written,
                      struct rj_buf *json)
{
    struct rj_crdt_row row = {.value = written};

    rj_lazy_read(v, &row);
    if (row.missing)
        rj_buf_append_str(json, "null");
    else
        rj_json_put_str(json, row.value);
}

/* ---- bringing and clearing */

static void name_all(const struct rj_crdt *v)
{
    const struct rj_row *row = rj_rows_from(&v->rows, (struct rj_dot){0});

    for (; row != NULL; row = rj_rows_after(&v->rows, row)) {
        struct rj_bytes rest = {0};
        const struct rj_type *type = rj_type_at(v, rj_row_place(row), &rest);
        struct rj_crdt_row what = {.seq = 0};
        struct written w;
        struct blob *b = NULL;

        if (type != NULL && type->valued) {
            type->read(rest, rj_row_payload(row), &what);
            b = get(what.value, &w) ? find(v, &w) : NULL;
        }
        if (b != NULL)
            b->named = true;
    }
}

static void clear(struct rj_crdt *v)
{
    struct rj_map_node *node, *next;

    if (v->blobs.count < CLEAR_FROM || v->blobs.count < 2 * v->blobs_kept)
        return;
    name_all(v);
    for (node = rj_map_first(&v->blobs); node != NULL; node = next) {
        struct blob *b = blob_of(node);

        next = rj_map_next(node);
        if (!b->named) {
            rj_map_remove(&v->blobs, node);
            blob_free(v, b);
        } else {
            b->named = false;
        }
    }
    v->blobs_kept = v->blobs.count;
}

void rj_lazy_move(struct rj_crdt *v, struct rj_crdt *delta)
{
    struct rj_map_node *node;

    if (delta->blobs.root == NULL)
        return;
    if (v->blobs.key == NULL)
        rj_map_init(&v->blobs, digest_of);
    while ((node = rj_map_take_any(&delta->blobs)) != NULL) {
        if (rj_map_insert(&v->blobs, node) != NULL)
            blob_free(v, blob_of(node));
    }
    clear(v);
}

enum rj_err rj_crdt_missing(const struct rj_crdt *v, uint64_t *cursor,
                            struct rj_crdt_row *ret_row)
{
    struct rj_crdt_row row = {.seq = 0};
    uint64_t at = *cursor;
    enum rj_err err;

    do
        err = rj_crdt_next(v, &at, &row);
    while (err == RJ_OK && !row.missing);
    if (err == RJ_OK) {
        *cursor = at;
        *ret_row = row;
    }
    return err;
}

enum rj_err rj_crdt_supply(struct rj_crdt *v, struct rj_bytes replica, uint64_t seq,
                           struct rj_bytes value)
{
    uint8_t digest[RJ_CRDT_DIGEST_LEN];
    struct rj_dot dot = {.seq = seq, .origin = rj_roster_find(v->names, replica)};
    const struct rj_row *row =
        dot.origin != RJ_NAME_NONE ? rj_rows_find(&v->rows, dot) : NULL;
    struct rj_bytes rest = {0};
    const struct rj_type *type =
        row != NULL ? rj_type_at(v, rj_row_place(row), &rest) : NULL;
    struct rj_crdt_row what = {.seq = 0};
    struct written w = {.len = 0};
    enum rj_err err;

    if (v->rules.lazy_bytes == 0 || type == NULL || !type->valued)
        return RJ_ENOENT;
    type->read(rest, rj_row_payload(row), &what);
    if (!get(what.value, &w) || w.digest.len == 0 || find(v, &w) != NULL)
        return RJ_ENOENT;
    if (value.len != w.len)
        return RJ_ECORRUPT;
    v->digest(v->user, value, digest);
    if (!rj_bytes_equal(RJ_BYTES_OF(digest), w.digest))
        return RJ_ECORRUPT;
    err = rj_watch_place(v, rj_row_place(row));
    if (err == RJ_OK)
        err = keep(v, w.digest, value);
    if (err == RJ_OK)
        clear(v);
    return err;
}
