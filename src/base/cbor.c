/* SPDX-License-Identifier: Apache-2.0 */
/* Deterministic CBOR after RFC 8949 (Bormann and Hoffman, 2020), section 4.2.1. The head
 * of an item is 3 bits of type and a number: below 24 in the same byte, else in the 1, 2,
 * 4 or 8 bytes that follow, always the shortest that holds it. Whole items are passed
 * over with a stack of open arrays and maps of fixed depth, not by recursion. */
#include "base/cbor.h"

void rj_cbor_put_text(struct rj_buf *b, struct rj_bytes v)
{
    if (!rj_bytes_is_utf8(v)) {
        rj_buf_fail(b, RJ_EINVAL);
        return;
    }
    rj_cbor_put_head(b, RJ_CBOR_TEXT, v.len);
    rj_buf_append(b, v);
}

enum rj_cbor_kind rj_cbor_peek(const struct rj_reader *r)
{
    uint8_t first;

    if (r->ptr == r->end)
        return RJ_CBOR_NONE;
    first = *r->ptr;
    if (first < (RJ_CBOR_MAP + 1) << 5)
        return (enum rj_cbor_kind)(first >> 5);
    if (first == 0xf4 || first == 0xf5)
        return RJ_CBOR_BOOL;
    return first == 0xf6 ? RJ_CBOR_NULL : RJ_CBOR_NONE;
}

void rj_cbor_put_head_long(struct rj_buf *b, enum rj_cbor_kind major, uint64_t v)
{
    uint8_t head[RJ_CBOR_HEAD_MAX];

    if (!b->failed && b->cap - b->len >= RJ_CBOR_HEAD_MAX)
        b->len += rj_cbor_head(b->ptr + b->len, major, v);
    else
        rj_buf_append_raw(b, head, rj_cbor_head(head, major, v));
}

uint64_t rj_cbor_get_head_long(struct rj_reader *r, enum rj_cbor_kind major)
{
    uint8_t first = rj_reader_u8(r);
    uint64_t v = 0, smallest = 0;

    if (first >> 5 != (unsigned)major) {
        rj_reader_fail(r);
        return 0;
    }
    switch (first & 0x1f) {
    case 24:
        v = rj_reader_u8(r);
        smallest = 24;
        break;
    case 25:
        v = rj_reader_u16be(r);
        smallest = (uint64_t)UINT8_MAX + 1;
        break;
    case 26:
        v = rj_reader_u32be(r);
        smallest = (uint64_t)UINT16_MAX + 1;
        break;
    case 27:
        v = rj_reader_u64be(r);
        smallest = (uint64_t)UINT32_MAX + 1;
        break;
    default: /* reserved, or of indefinite length */
        rj_reader_fail(r);
        return 0;
    }
    if (r->failed || v < smallest) {
        rj_reader_fail(r);
        return 0;
    }
    return v;
}

int64_t rj_cbor_get_int(struct rj_reader *r)
{
    bool negative = rj_cbor_peek(r) == RJ_CBOR_NEGATIVE;
    uint64_t v = rj_cbor_get_head(r, negative ? RJ_CBOR_NEGATIVE : RJ_CBOR_UINT);

    if (v > INT64_MAX) {
        rj_reader_fail(r);
        return 0;
    }
    return negative && !r->failed ? -1 - (int64_t)v : (int64_t)v;
}

void rj_cbor_get_fixed(struct rj_reader *r, void *ret, size_t n)
{
    if (rj_cbor_get_head(r, RJ_CBOR_BYTES) != n)
        rj_reader_fail(r);
    rj_reader_copy(r, ret, n);
}

struct rj_bytes rj_cbor_get_text(struct rj_reader *r)
{
    uint64_t n = rj_cbor_get_head(r, RJ_CBOR_TEXT);
    struct rj_bytes text;

    if (r->failed || n > rj_reader_left(r)) {
        rj_reader_fail(r);
        return (struct rj_bytes){0};
    }
    text = rj_reader_bytes(r, (size_t)n);
    if (!rj_bytes_is_utf8(text)) {
        rj_reader_fail(r);
        return (struct rj_bytes){0};
    }
    return text;
}

size_t rj_cbor_get_map(struct rj_reader *r)
{
    uint64_t n = rj_cbor_get_head(r, RJ_CBOR_MAP);

    if (r->failed || n > rj_reader_left(r) / 2) {
        rj_reader_fail(r);
        return 0;
    }
    return (size_t)n;
}

bool rj_cbor_get_bool(struct rj_reader *r)
{
    if (rj_cbor_peek(r) != RJ_CBOR_BOOL) {
        rj_reader_fail(r);
        return false;
    }
    return rj_reader_u8(r) == 0xf5;
}

void rj_cbor_get_null(struct rj_reader *r)
{
    if (rj_cbor_peek(r) != RJ_CBOR_NULL)
        rj_reader_fail(r);
    else
        (void)rj_reader_u8(r);
}

/* An open array or map. */
struct level {
    size_t left; /* items still to come; keys and values count one each */
    bool is_map;
    const uint8_t *key_start;
    struct rj_bytes key; /* the last key; empty before the first */
};

/* Reads one item that holds no other, or the head of an array or map; returns the number
 * of items that it holds. */
static size_t skip_one(struct rj_reader *r, enum rj_cbor_kind kind)
{
    switch (kind) {
    case RJ_CBOR_UINT:
    case RJ_CBOR_NEGATIVE:
        (void)rj_cbor_get_head(r, kind);
        return 0;
    case RJ_CBOR_BYTES:
        (void)rj_cbor_get_bytes(r);
        return 0;
    case RJ_CBOR_TEXT:
        (void)rj_cbor_get_text(r);
        return 0;
    case RJ_CBOR_ARRAY:
        return rj_cbor_get_array(r);
    case RJ_CBOR_MAP:
        return 2 * rj_cbor_get_map(r);
    case RJ_CBOR_NULL:
    case RJ_CBOR_BOOL:
        (void)rj_reader_u8(r);
        return 0;
    case RJ_CBOR_NONE:
        break;
    }
    rj_reader_fail(r);
    return 0;
}

/* An item just ended at the reader. Closes what ends with it; returns the new depth. */
static size_t close_levels(struct rj_reader *r, struct level *stack, size_t depth)
{
    while (depth > 0) {
        struct level *top = &stack[depth - 1];

        top->left--;
        if (top->is_map && top->left % 2 == 1) {
            struct rj_bytes key =
                rj_bytes_of(top->key_start, (size_t)(r->ptr - top->key_start));

            if (top->key.len > 0 && rj_bytes_compare(top->key, key) >= 0)
                rj_reader_fail(r);
            top->key = key;
        }
        if (top->left > 0)
            break;
        depth--;
    }
    return depth;
}

void rj_cbor_skip(struct rj_reader *r)
{
    struct level stack[RJ_CBOR_DEPTH_MAX];
    size_t depth = 0;

    do {
        enum rj_cbor_kind kind = rj_cbor_peek(r);
        size_t items;

        if (depth > 0 && stack[depth - 1].left % 2 == 0)
            stack[depth - 1].key_start = r->ptr;
        items = skip_one(r, kind);
        if (items == 0) {
            depth = close_levels(r, stack, depth);
        } else if (depth == RJ_CBOR_DEPTH_MAX) {
            rj_reader_fail(r);
        } else {
            stack[depth++] = (struct level){
                .left = items, .is_map = kind == RJ_CBOR_MAP, .key_start = r->ptr};
        }
    } while (depth > 0 && !r->failed);
}

struct rj_bytes rj_cbor_item(struct rj_reader *r)
{
    const uint8_t *start = r->ptr;

    rj_cbor_skip(r);
    if (r->failed)
        return (struct rj_bytes){0};
    return rj_bytes_of(start, (size_t)(r->ptr - start));
}

bool rj_cbor_is_valid(struct rj_bytes b)
{
    struct rj_reader r = rj_reader_of(b);

    rj_cbor_skip(&r);
    return rj_reader_complete(&r);
}
