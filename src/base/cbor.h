/* SPDX-License-Identifier: Apache-2.0 */
/* Deterministic CBOR (RFC 8949, 4.2.1) on rj_buf and rj_reader, both sticky: write or
 * read a record field by field, check once. One value has one encoding: shortest heads,
 * definite lengths, map keys in ascending order of their encodings, each once. Integers,
 * byte and text strings, arrays, maps, false, true and null only; no tags, no floats.
 *
 * The writer does not sort: the caller writes map keys in order. The readers reject every
 * other form of head; order and uniqueness of map keys are checked by rj_cbor_skip,
 * rj_cbor_item and rj_cbor_is_valid. */
#ifndef RJ_BASE_CBOR_H
#define RJ_BASE_CBOR_H

#include "base/buf.h"
#include "base/reader.h"

enum {
    RJ_CBOR_DEPTH_MAX = 16, /* arrays and maps inside one another */
    RJ_CBOR_HEAD_MAX = 9,   /* bytes of the longest head */
    RJ_CBOR_NULL_BYTE = 0xf6
};

/* Major types; RJ_CBOR_NONE: the reader is at its end or what follows is not allowed. */
enum rj_cbor_kind {
    RJ_CBOR_UINT = 0,
    RJ_CBOR_NEGATIVE = 1,
    RJ_CBOR_BYTES = 2,
    RJ_CBOR_TEXT = 3,
    RJ_CBOR_ARRAY = 4,
    RJ_CBOR_MAP = 5,
    RJ_CBOR_NULL = 6,
    RJ_CBOR_BOOL = 7,
    RJ_CBOR_NONE = 8
};

/* Writes a head to p, which has room for RJ_CBOR_HEAD_MAX bytes; returns its length. For
 * the functions below. */
static inline size_t rj_cbor_head(uint8_t *p, enum rj_cbor_kind major, uint64_t v)
{
    uint8_t type = (uint8_t)((unsigned)major << 5);

    if (v < 24) {
        p[0] = (uint8_t)(type | v);
        return 1;
    }
    if (v <= UINT8_MAX) {
        p[0] = type | 24;
        p[1] = (uint8_t)v;
        return 2;
    }
    if (v <= UINT16_MAX) {
        p[0] = type | 25;
        rj_be_store16(p + 1, (uint16_t)v);
        return 3;
    }
    if (v <= UINT32_MAX) {
        p[0] = type | 26;
        rj_be_store32(p + 1, (uint32_t)v);
        return 5;
    }
    p[0] = type | 27;
    rj_be_store64(p + 1, v);
    return 9;
}

/* The slow path of rj_cbor_put_head; not called by others. */
void rj_cbor_put_head_long(struct rj_buf *b, enum rj_cbor_kind major, uint64_t v);

static inline void rj_cbor_put_head(struct rj_buf *b, enum rj_cbor_kind major, uint64_t v)
{
    if (v < 24)
        rj_buf_u8(b, (uint8_t)((unsigned)major << 5 | (unsigned)v));
    else
        rj_cbor_put_head_long(b, major, v);
}

static inline void rj_cbor_put_uint(struct rj_buf *b, uint64_t v)
{
    rj_cbor_put_head(b, RJ_CBOR_UINT, v);
}

static inline void rj_cbor_put_int(struct rj_buf *b, int64_t v)
{
    if (v >= 0)
        rj_cbor_put_head(b, RJ_CBOR_UINT, (uint64_t)v);
    else
        rj_cbor_put_head(b, RJ_CBOR_NEGATIVE, ~(uint64_t)v); /* -1 - v */
}

static inline void rj_cbor_put_bytes(struct rj_buf *b, struct rj_bytes v)
{
    rj_cbor_put_head(b, RJ_CBOR_BYTES, v.len);
    rj_buf_append(b, v);
}

/* b fails with RJ_EINVAL when v is not UTF-8. */
void rj_cbor_put_text(struct rj_buf *b, struct rj_bytes v);

/* Begins an array of n items, a map of n pairs; the caller writes n items, or n times key
 * and value in ascending order of the encoded keys. */
static inline void rj_cbor_put_array(struct rj_buf *b, size_t n)
{
    rj_cbor_put_head(b, RJ_CBOR_ARRAY, n);
}

static inline void rj_cbor_put_map(struct rj_buf *b, size_t n)
{
    rj_cbor_put_head(b, RJ_CBOR_MAP, n);
}

static inline void rj_cbor_put_bool(struct rj_buf *b, bool v)
{
    rj_buf_u8(b, v ? 0xf5 : 0xf4);
}

static inline void rj_cbor_put_null(struct rj_buf *b)
{
    rj_buf_u8(b, RJ_CBOR_NULL_BYTE);
}

/* The kind of the next item, nothing consumed; RJ_CBOR_NONE at the end. */
enum rj_cbor_kind rj_cbor_peek(const struct rj_reader *r);

/* The slow path of rj_cbor_get_head; not called by others. */
uint64_t rj_cbor_get_head_long(struct rj_reader *r, enum rj_cbor_kind major);

/* The argument of the next head, which must be of type major. For the functions below. */
static inline uint64_t rj_cbor_get_head(struct rj_reader *r, enum rj_cbor_kind major)
{
    if (r->ptr != r->end) {
        unsigned low = *r->ptr - ((unsigned)major << 5);

        if (low < 24) {
            r->ptr++;
            return low;
        }
    }
    return rj_cbor_get_head_long(r, major);
}

/* Each reads one item of its kind and makes the reader fail on any other. */
static inline uint64_t rj_cbor_get_uint(struct rj_reader *r)
{
    return rj_cbor_get_head(r, RJ_CBOR_UINT);
}

/* An integer of either sign; fails when it does not fit 64 bits with sign. */
int64_t rj_cbor_get_int(struct rj_reader *r);

/* A byte string, borrowed. */
static inline struct rj_bytes rj_cbor_get_bytes(struct rj_reader *r)
{
    uint64_t n = rj_cbor_get_head(r, RJ_CBOR_BYTES);

    if (r->failed || n > rj_reader_left(r)) {
        rj_reader_fail(r);
        return (struct rj_bytes){0};
    }
    return rj_reader_bytes(r, (size_t)n);
}

/* A byte string of exactly n bytes, copied to ret; zeros there when it fails. */
void rj_cbor_get_fixed(struct rj_reader *r, void *ret, size_t n);

/* A text string, borrowed; fails when it is not UTF-8. */
struct rj_bytes rj_cbor_get_text(struct rj_reader *r);

/* The number of items of an array, of pairs of a map. Never more than the bytes left can
 * hold, and 0 once failed, so it may bound a loop; still check a limit of your own before
 * allocating for it. */
static inline size_t rj_cbor_get_array(struct rj_reader *r)
{
    uint64_t n = rj_cbor_get_head(r, RJ_CBOR_ARRAY);

    if (r->failed || n > rj_reader_left(r)) {
        rj_reader_fail(r);
        return 0;
    }
    return (size_t)n;
}

size_t rj_cbor_get_map(struct rj_reader *r);

/* An array of exactly n items: fails on any other count. */
static inline void rj_cbor_expect_array(struct rj_reader *r, size_t n)
{
    if (rj_cbor_get_array(r) != n)
        rj_reader_fail(r);
}

bool rj_cbor_get_bool(struct rj_reader *r);
void rj_cbor_get_null(struct rj_reader *r);

/* Passes over one item with all that is in it, and checks it in full. Fails beyond
 * RJ_CBOR_DEPTH_MAX levels. */
void rj_cbor_skip(struct rj_reader *r);

/* The same, and returns the encoding of the item, borrowed; empty when it fails. */
struct rj_bytes rj_cbor_item(struct rj_reader *r);

/* True iff b is exactly one item in the deterministic form. */
bool rj_cbor_is_valid(struct rj_bytes b);

#endif
