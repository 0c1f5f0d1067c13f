/* SPDX-License-Identifier: Apache-2.0 */
/* A growing array with a sticky failure (after elasticarray of Percival's libcperciva and
 * the error flag of stdio). Invariants: len <= cap <= limit; ptr is NULL iff cap is 0;
 * once failed, len and the bytes stay as they were. Room at least doubles, so that n
 * appended bytes cost O(n). */
#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

enum { CAP_SMALLEST = 64 };

static size_t limit_of(const struct rj_buf *b)
{
    return b->limit > 0 ? b->limit : RJ_BUF_LIMIT_DEFAULT;
}

void rj_buf_done(struct rj_buf *b)
{
    if (b == NULL)
        return;
    rj_mem_free(b->allocator, b->ptr, b->cap);
    *b = (struct rj_buf){.limit = b->limit, .allocator = b->allocator};
}

void rj_buf_fail(struct rj_buf *b, enum rj_err err)
{
    if (b->failed)
        return;
    b->failed = true;
    b->err = err;
}

uint8_t *rj_buf_grow(struct rj_buf *b, size_t n)
{
    size_t limit = limit_of(b);
    size_t need, cap;
    uint8_t *ptr;

    if (b->failed)
        return NULL;
    if (!rj_size_add(b->len, n, &need) || need > limit) {
        rj_buf_fail(b, RJ_ELIMIT);
        return NULL;
    }
    cap = b->cap <= limit / 2 ? b->cap * 2 : limit;
    if (cap < CAP_SMALLEST)
        cap = limit < CAP_SMALLEST ? limit : CAP_SMALLEST;
    if (cap < need)
        cap = need;
    ptr = rj_mem_resize(b->allocator, b->ptr, b->cap, cap);
    if (ptr == NULL) {
        rj_buf_fail(b, RJ_ENOMEM);
        return NULL;
    }
    b->ptr = ptr;
    b->cap = cap;
    return b->ptr + b->len;
}

void rj_buf_consume(struct rj_buf *b, size_t n)
{
    if (n == 0)
        return;
    if (n > b->len)
        n = b->len;
    if (n < b->len)
        memmove(b->ptr, b->ptr + n, b->len - n);
    b->len -= n;
}

void rj_buf_varint_long(struct rj_buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        rj_buf_u8(b, (uint8_t)(v | 0x80));
    rj_buf_u8(b, (uint8_t)v);
}

void rj_buf_printf(struct rj_buf *b, const char *format, ...)
{
    va_list args;
    uint8_t *room;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        rj_buf_fail(b, RJ_EINVAL);
        return;
    }
    room = rj_buf_reserve(b, (size_t)len + 1);
    if (room == NULL)
        return;
    va_start(args, format);
    (void)vsnprintf((char *)room, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
}

const char *rj_buf_str(struct rj_buf *b)
{
    uint8_t *room = rj_buf_reserve(b, 1);

    if (room == NULL)
        return "";
    *room = 0;
    return (const char *)b->ptr;
}

uint8_t *rj_buf_take(struct rj_buf *b, size_t *ret_len)
{
    uint8_t *ptr = b->failed ? NULL : b->ptr;

    if (ptr == NULL)
        return NULL;
    if (ret_len != NULL)
        *ret_len = b->len;
    *b = (struct rj_buf){.limit = b->limit};
    return ptr;
}
