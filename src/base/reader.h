/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded cursor over borrowed bytes. Sticky: after the first failure it stands at the
 * end, every read gives 0 or an empty view, and `failed` stays true; so a message is read
 * field by field and checked once. Views that it returns borrow from the bytes read. */
#ifndef RJ_BASE_READER_H
#define RJ_BASE_READER_H

#include "base/be.h"
#include "base/bytes.h"

struct rj_reader {
    const uint8_t *ptr; /* the next byte */
    const uint8_t *end; /* behind the last one */
    bool failed;
};

/* A reader at the start of b. */
static inline struct rj_reader rj_reader_of(struct rj_bytes b)
{
    static const uint8_t nothing[1] = {0};
    const uint8_t *ptr = b.len > 0 ? b.ptr : nothing;

    return (struct rj_reader){.ptr = ptr, .end = ptr + b.len};
}

/* Bytes not read yet; 0 once failed. */
static inline size_t rj_reader_left(const struct rj_reader *r)
{
    return (size_t)(r->end - r->ptr);
}

/* Makes it failed: for a caller that finds a field invalid. */
static inline void rj_reader_fail(struct rj_reader *r)
{
    r->failed = true;
    r->ptr = r->end;
}

/* True iff nothing failed and every byte was read. */
RJ_NODISCARD static inline bool rj_reader_complete(const struct rj_reader *r)
{
    return !r->failed && r->ptr == r->end;
}

/* The next n bytes; fails when there are fewer. */
static inline struct rj_bytes rj_reader_bytes(struct rj_reader *r, size_t n)
{
    struct rj_bytes b = {.ptr = r->ptr, .len = n};

    if (n > rj_reader_left(r)) {
        rj_reader_fail(r);
        return (struct rj_bytes){0};
    }
    if (n > 0)
        r->ptr += n;
    return b;
}

/* All that is left. */
static inline struct rj_bytes rj_reader_rest(struct rj_reader *r)
{
    return rj_reader_bytes(r, rj_reader_left(r));
}

/* Copies the next n bytes to ret; zeros there when it fails. */
static inline void rj_reader_copy(struct rj_reader *r, void *ret, size_t n)
{
    struct rj_bytes b = rj_reader_bytes(r, n);

    if (n == 0)
        return;
    if (b.ptr != NULL)
        memcpy(ret, b.ptr, n);
    else
        memset(ret, 0, n);
}

/* The next byte, not consumed; 0 at the end (which is no failure). */
static inline uint8_t rj_reader_peek(const struct rj_reader *r)
{
    return r->ptr != r->end ? *r->ptr : 0;
}

static inline uint8_t rj_reader_u8(struct rj_reader *r)
{
    if (r->ptr == r->end) {
        rj_reader_fail(r);
        return 0;
    }
    return *r->ptr++;
}

/* The next 2, 4, 8 bytes as a big-endian number. */
static inline uint16_t rj_reader_u16be(struct rj_reader *r)
{
    struct rj_bytes b = rj_reader_bytes(r, sizeof(uint16_t));

    return b.ptr != NULL ? rj_be_load16(b.ptr) : (uint16_t)0;
}

static inline uint32_t rj_reader_u32be(struct rj_reader *r)
{
    struct rj_bytes b = rj_reader_bytes(r, sizeof(uint32_t));

    return b.ptr != NULL ? rj_be_load32(b.ptr) : 0;
}

static inline uint64_t rj_reader_u64be(struct rj_reader *r)
{
    struct rj_bytes b = rj_reader_bytes(r, sizeof(uint64_t));

    return b.ptr != NULL ? rj_be_load64(b.ptr) : 0;
}

/* The slow path of rj_reader_varint; not called by others. */
uint64_t rj_reader_varint_long(struct rj_reader *r);

/* An unsigned LEB128 number as rj_buf_varint writes it. Fails on more than 64 bits and on
 * anything but the shortest form. */
static inline uint64_t rj_reader_varint(struct rj_reader *r)
{
    if (r->ptr != r->end && *r->ptr < 0x80)
        return *r->ptr++;
    return rj_reader_varint_long(r);
}

#endif
