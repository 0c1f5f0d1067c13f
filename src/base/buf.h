/* SPDX-License-Identifier: Apache-2.0 */
/* An owned, growing builder of bytes. Sticky: after the first failure every call does
 * nothing, so a message is appended field by field and checked once with rj_buf_err.
 * Zero-initialise (default limit) or rj_buf_init; end with rj_buf_done. */
#ifndef RJ_BASE_BUF_H
#define RJ_BASE_BUF_H

#include "base/be.h"
#include "base/bytes.h"

#include <rejoin/allocator.h>

/* The limit of a buffer that names none: one stored value and what frames it. */
#define RJ_BUF_LIMIT_DEFAULT ((size_t)1 << 31)

enum { RJ_BUF_VARINT_MAX = 10 }; /* bytes of the longest varint */

struct rj_buf {
    uint8_t *ptr; /* NULL while nothing was allocated */
    size_t len, cap;
    size_t limit; /* most bytes that it may hold; 0: RJ_BUF_LIMIT_DEFAULT */
    bool failed;
    enum rj_err err;                      /* why, once failed */
    const struct rj_allocator *allocator; /* borrowed; NULL: the heap */
};

/* An empty buffer that may grow to limit bytes (0: RJ_BUF_LIMIT_DEFAULT). */
static inline void rj_buf_init(struct rj_buf *b, size_t limit)
{
    *b = (struct rj_buf){.limit = limit};
}

/* Frees the memory and leaves an empty buffer with the same limit. NULL is accepted. */
void rj_buf_done(struct rj_buf *b);

/* Empties it, forgets a failure, keeps the memory. */
static inline void rj_buf_clear(struct rj_buf *b)
{
    b->len = 0;
    b->failed = false;
}

/* RJ_OK, or the first failure: RJ_ENOMEM, RJ_ELIMIT (its limit), or what rj_buf_fail was
 * given. */
RJ_NODISCARD static inline enum rj_err rj_buf_err(const struct rj_buf *b)
{
    return b->failed ? b->err : RJ_OK;
}

/* Makes it failed with err, unless it has failed already. */
void rj_buf_fail(struct rj_buf *b, enum rj_err err);

/* What it holds; borrowed until the next call that changes b. */
static inline struct rj_bytes rj_buf_view(const struct rj_buf *b)
{
    return rj_bytes_of(b->ptr, b->len);
}

/* The slow path of rj_buf_reserve; not called by others. */
uint8_t *rj_buf_grow(struct rj_buf *b, size_t n);

/* Room for n more bytes after the last one, or NULL (then it has failed). Written bytes
 * count only after rj_buf_commit. Borrowed until the next call that changes b. */
static inline uint8_t *rj_buf_reserve(struct rj_buf *b, size_t n)
{
    if (!b->failed && n <= b->cap - b->len && b->ptr != NULL)
        return b->ptr + b->len;
    return rj_buf_grow(b, n);
}

/* Counts n bytes written into the room that rj_buf_reserve gave; n <= what was asked. */
static inline void rj_buf_commit(struct rj_buf *b, size_t n)
{
    b->len += n;
}

/* Cuts it to its first len bytes; len <= b->len. */
static inline void rj_buf_truncate(struct rj_buf *b, size_t len)
{
    if (len < b->len)
        b->len = len;
}

/* Removes the first n bytes, n <= b->len, and moves the rest to the front. */
void rj_buf_consume(struct rj_buf *b, size_t n);

/* Appends a copy of bytes, which must not lie in b itself. */
static inline void rj_buf_append(struct rj_buf *b, struct rj_bytes bytes)
{
    uint8_t *room = rj_buf_reserve(b, bytes.len);

    if (room == NULL || bytes.len == 0)
        return;
    memcpy(room, bytes.ptr, bytes.len);
    b->len += bytes.len;
}

/* Appends len bytes at ptr. */
static inline void rj_buf_append_raw(struct rj_buf *b, const void *ptr, size_t len)
{
    rj_buf_append(b, rj_bytes_of(ptr, len));
}

/* Appends a C string without its NUL. */
static inline void rj_buf_append_str(struct rj_buf *b, const char *str)
{
    rj_buf_append(b, rj_bytes_from_str(str));
}

/* Appends formatted text, as printf. The arguments must not lie in b. */
void rj_buf_printf(struct rj_buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes sure that a NUL stands after the last byte (not counted in len) and returns the
 * whole as a C string; "" when it failed. Borrowed like rj_buf_view. */
const char *rj_buf_str(struct rj_buf *b);

/* Gives the memory to the caller, who frees it with free() (only where b has no
 * allocator); leaves b empty. *ret_len may be NULL. Returns NULL when b has failed or
 * never held anything. */
uint8_t *rj_buf_take(struct rj_buf *b, size_t *ret_len);

static inline void rj_buf_u8(struct rj_buf *b, uint8_t v)
{
    if (!b->failed && b->len < b->cap)
        b->ptr[b->len++] = v;
    else
        rj_buf_append(b, rj_bytes_of(&v, 1));
}

/* Appends v big-endian. */
static inline void rj_buf_u16be(struct rj_buf *b, uint16_t v)
{
    uint8_t *room = rj_buf_reserve(b, sizeof(v));

    if (room == NULL)
        return;
    rj_be_store16(room, v);
    b->len += sizeof(v);
}

static inline void rj_buf_u32be(struct rj_buf *b, uint32_t v)
{
    uint8_t *room = rj_buf_reserve(b, sizeof(v));

    if (room == NULL)
        return;
    rj_be_store32(room, v);
    b->len += sizeof(v);
}

static inline void rj_buf_u64be(struct rj_buf *b, uint64_t v)
{
    uint8_t *room = rj_buf_reserve(b, sizeof(v));

    if (room == NULL)
        return;
    rj_be_store64(room, v);
    b->len += sizeof(v);
}

/* Overwrites the 4 bytes at offset at (at + 4 <= len) with v: for a length that is known
 * only afterwards. Does nothing once failed. */
static inline void rj_buf_set_u32be(struct rj_buf *b, size_t at, uint32_t v)
{
    if (!b->failed && at <= b->len && b->len - at >= sizeof(v))
        rj_be_store32(b->ptr + at, v);
}

/* The slow path of rj_buf_varint; not called by others. */
void rj_buf_varint_long(struct rj_buf *b, uint64_t v);

/* Appends v as unsigned LEB128: 7 bits a byte, lowest first, the high bit says that more
 * follows; shortest form. */
static inline void rj_buf_varint(struct rj_buf *b, uint64_t v)
{
    if (v < 0x80)
        rj_buf_u8(b, (uint8_t)v);
    else
        rj_buf_varint_long(b, v);
}

#endif
