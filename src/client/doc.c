/* SPDX-License-Identifier: Apache-2.0 */
/* Documents. Items of an open map or array are appended one after the other, and where
 * each begins is marked; at its end the pairs of a map are sorted by their encoded keys
 * (RFC 8949, 4.2.1) and the head is put in front. That costs one copy a level and frees
 * those who build replies from counting and ordering. */
#include "client/doc.h"

#include "base/alloc.h"

static void mark(struct rj_doc *d)
{
    if (d->n_marks == d->cap_marks) {
        size_t cap = d->cap_marks > 0 ? 2 * d->cap_marks : 64;
        size_t *grown = rj_alloc_resize(d->marks, cap, sizeof(*grown));

        if (grown == NULL) {
            rj_buf_fail(&d->out, RJ_ENOMEM);
            return;
        }
        d->marks = grown;
        d->cap_marks = cap;
    }
    d->marks[d->n_marks++] = d->out.len;
}

/* Before each value: an item of an array begins here. */
static void value_begins(struct rj_doc *d)
{
    if (d->depth > 0 && !d->levels[d->depth - 1].is_map)
        mark(d);
}

static void open_level(struct rj_doc *d, bool is_map)
{
    value_begins(d);
    if (d->depth == RJ_DOC_DEPTH_MAX) {
        rj_buf_fail(&d->out, RJ_ELIMIT);
        return;
    }
    d->levels[d->depth++] =
        (struct rj_doc_level){.start = d->out.len, .first = d->n_marks, .is_map = is_map};
}

void rj_doc_map(struct rj_doc *d)
{
    open_level(d, true);
}

void rj_doc_array(struct rj_doc *d)
{
    open_level(d, false);
}

/* A pair of a map that is being sorted. */
struct pair {
    struct rj_bytes whole, key;
};

static int pair_order(const void *a, const void *b)
{
    return rj_bytes_compare(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

/* The items of a level, cut at its marks. NULL: out of memory. */
static struct pair *cut(const struct rj_doc *d, const struct rj_doc_level *l,
                        struct rj_bytes body, size_t n)
{
    struct pair *pairs = rj_alloc_array(n, sizeof(*pairs));

    for (size_t i = 0; pairs != NULL && i < n; i++) {
        size_t from = d->marks[l->first + i] - l->start;
        size_t to = i + 1 < n ? d->marks[l->first + i + 1] - l->start : body.len;
        struct rj_reader r = rj_reader_of(rj_bytes_of(body.ptr + from, to - from));

        pairs[i].whole = rj_bytes_of(body.ptr + from, to - from);
        pairs[i].key = l->is_map ? rj_cbor_item(&r) : pairs[i].whole;
    }
    return pairs;
}

void rj_doc_end(struct rj_doc *d)
{
    struct rj_doc_level l;
    struct pair *pairs = NULL;
    uint8_t *copy = NULL;
    struct rj_bytes body;
    size_t n;

    if (d->depth == 0 || d->out.failed) {
        rj_buf_fail(&d->out, RJ_EINVAL);
        return;
    }
    l = d->levels[--d->depth];
    n = d->n_marks - l.first;
    body = rj_bytes_of(d->out.ptr + l.start, d->out.len - l.start);
    copy = rj_alloc_copy(body);
    if (copy != NULL)
        pairs = cut(d, &l, rj_bytes_of(copy, body.len), n);
    if (pairs == NULL) {
        rj_buf_fail(&d->out, RJ_ENOMEM);
        goto out;
    }
    if (l.is_map && n > 1)
        qsort(pairs, n, sizeof(*pairs), pair_order);
    rj_buf_truncate(&d->out, l.start);
    d->n_marks = l.first;
    rj_cbor_put_head(&d->out, l.is_map ? RJ_CBOR_MAP : RJ_CBOR_ARRAY, n);
    for (size_t i = 0; i < n; i++)
        rj_buf_append(&d->out, pairs[i].whole);
out:
    free(pairs);
    free(copy);
}

void rj_doc_key(struct rj_doc *d, const char *key)
{
    if (d->depth == 0 || !d->levels[d->depth - 1].is_map) {
        rj_buf_fail(&d->out, RJ_EINVAL);
        return;
    }
    mark(d);
    rj_cbor_put_text(&d->out, rj_bytes_from_str(key));
}

void rj_doc_text(struct rj_doc *d, struct rj_bytes v)
{
    value_begins(d);
    if (rj_bytes_is_utf8(v))
        rj_cbor_put_text(&d->out, v);
    else
        rj_cbor_put_bytes(&d->out, v);
}

void rj_doc_bytes(struct rj_doc *d, struct rj_bytes v)
{
    value_begins(d);
    rj_cbor_put_bytes(&d->out, v);
}

void rj_doc_uint(struct rj_doc *d, uint64_t v)
{
    value_begins(d);
    rj_cbor_put_uint(&d->out, v);
}

void rj_doc_bool(struct rj_doc *d, bool v)
{
    value_begins(d);
    rj_cbor_put_bool(&d->out, v);
}

void rj_doc_raw(struct rj_doc *d, struct rj_bytes item)
{
    value_begins(d);
    rj_buf_append(&d->out, item);
}

void rj_doc_put_text(struct rj_doc *d, const char *key, struct rj_bytes v)
{
    rj_doc_key(d, key);
    rj_doc_text(d, v);
}

void rj_doc_put_str(struct rj_doc *d, const char *key, const char *v)
{
    rj_doc_put_text(d, key, rj_bytes_from_str(v));
}

void rj_doc_put_uint(struct rj_doc *d, const char *key, uint64_t v)
{
    rj_doc_key(d, key);
    rj_doc_uint(d, v);
}

void rj_doc_put_bool(struct rj_doc *d, const char *key, bool v)
{
    rj_doc_key(d, key);
    rj_doc_bool(d, v);
}

enum rj_err rj_doc_view(const struct rj_doc *d, struct rj_bytes *ret)
{
    enum rj_err err = rj_buf_err(&d->out);

    if (err == RJ_OK && (d->depth > 0 || d->out.len == 0))
        err = RJ_EINVAL;
    if (err == RJ_OK)
        *ret = rj_buf_view(&d->out);
    return err;
}

void rj_doc_clear(struct rj_doc *d)
{
    rj_buf_clear(&d->out);
    d->n_marks = 0;
    d->depth = 0;
}

void rj_doc_done(struct rj_doc *d)
{
    if (d == NULL)
        return;
    rj_buf_done(&d->out);
    free(d->marks);
    *d = (struct rj_doc){0};
}

bool rj_doc_find(struct rj_bytes doc, const char *key, struct rj_bytes *ret_value)
{
    struct rj_bytes name = rj_bytes_from_str(key);
    struct rj_reader r = rj_reader_of(doc);
    size_t n;

    if (rj_cbor_peek(&r) != RJ_CBOR_MAP)
        return false;
    n = rj_cbor_get_map(&r);
    for (size_t i = 0; i < n && !r.failed; i++) {
        struct rj_bytes found, item = rj_cbor_item(&r);
        struct rj_bytes value = rj_cbor_item(&r);

        if (!r.failed && rj_doc_is_text(item, &found) && rj_bytes_equal(found, name)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

bool rj_doc_is_text(struct rj_bytes item, struct rj_bytes *ret)
{
    struct rj_reader r = rj_reader_of(item);
    enum rj_cbor_kind kind = rj_cbor_peek(&r);
    struct rj_bytes text;

    if (kind != RJ_CBOR_TEXT && kind != RJ_CBOR_BYTES)
        return false;
    text = kind == RJ_CBOR_TEXT ? rj_cbor_get_text(&r) : rj_cbor_get_bytes(&r);
    if (!rj_reader_complete(&r))
        return false;
    *ret = text;
    return true;
}

bool rj_doc_get_text(struct rj_bytes doc, const char *key, struct rj_bytes *ret)
{
    struct rj_bytes item;

    return rj_doc_find(doc, key, &item) && rj_doc_is_text(item, ret);
}

bool rj_doc_get_uint(struct rj_bytes doc, const char *key, uint64_t *ret)
{
    struct rj_bytes item;
    struct rj_reader r;
    uint64_t v;

    if (!rj_doc_find(doc, key, &item))
        return false;
    r = rj_reader_of(item);
    v = rj_cbor_get_uint(&r);
    if (!rj_reader_complete(&r))
        return false;
    *ret = v;
    return true;
}

bool rj_doc_get_bool(struct rj_bytes doc, const char *key, bool *ret)
{
    struct rj_bytes item;
    struct rj_reader r;
    bool v;

    if (!rj_doc_find(doc, key, &item))
        return false;
    r = rj_reader_of(item);
    v = rj_cbor_get_bool(&r);
    if (!rj_reader_complete(&r))
        return false;
    *ret = v;
    return true;
}

bool rj_doc_next(struct rj_bytes doc, size_t *pos, struct rj_bytes *ret_item)
{
    struct rj_reader r = rj_reader_of(doc);
    struct rj_bytes item;

    if (*pos == 0) {
        if (rj_cbor_peek(&r) != RJ_CBOR_ARRAY)
            return false;
        (void)rj_cbor_get_array(&r);
        *pos = (size_t)(r.ptr - doc.ptr);
    }
    if (r.failed || *pos >= doc.len)
        return false;
    r = rj_reader_of(rj_bytes_skip(doc, *pos));
    item = rj_cbor_item(&r);
    if (r.failed)
        return false;
    *pos += item.len;
    *ret_item = item;
    return true;
}
