/* SPDX-License-Identifier: Apache-2.0 */
/* The batch of <rejoin/store.h>: one flat buffer of records { u8 kind, u32 key length,
 * u32 value length, key, value }, so that it goes to a worker thread as it is. It never
 * leaves the process, so numbers are in host order, and what is read back is our own:
 * lengths are asserted, not reported. A batch that failed once stays as it was. */
#include "base/alloc.h"

#include <assert.h>
#include <rejoin/store.h>

enum { HEAD_LEN = 9, CAP_SMALLEST = 256 };

/* Room for size more bytes at the end; doubles, so that building costs O(n). */
static uint8_t *reserve(struct rj_writes *w, size_t size)
{
    size_t need, cap;
    uint8_t *buf;

    if (!rj_size_add(w->len, size, &need))
        return NULL;
    if (need <= w->cap)
        return w->buf + w->len;
    if (!rj_size_mul(w->cap, 2, &cap) || cap < need)
        cap = need;
    if (cap < CAP_SMALLEST)
        cap = CAP_SMALLEST;
    buf = rj_alloc_resize(w->buf, cap, 1);
    if (buf == NULL)
        return NULL;
    w->buf = buf;
    w->cap = cap;
    return w->buf + w->len;
}

static void add(struct rj_writes *w, enum rj_write_kind kind, struct rj_bytes key,
                struct rj_bytes value)
{
    uint32_t key_len = (uint32_t)key.len;
    uint32_t value_len = (uint32_t)value.len;
    size_t size;
    uint8_t *p = NULL;

    if (w->failed)
        return;
    if (key.len <= UINT32_MAX && value.len <= UINT32_MAX &&
        rj_size_add(key.len, value.len, &size) && rj_size_add(size, HEAD_LEN, &size))
        p = reserve(w, size);
    if (p == NULL) {
        w->failed = true;
        return;
    }
    p[0] = (uint8_t)kind;
    memcpy(p + 1, &key_len, sizeof(key_len));
    memcpy(p + 5, &value_len, sizeof(value_len));
    if (key.len > 0)
        memcpy(p + HEAD_LEN, key.ptr, key.len);
    if (value.len > 0)
        memcpy(p + HEAD_LEN + key.len, value.ptr, value.len);
    w->len += size;
    w->count++;
}

void rj_writes_put(struct rj_writes *w, struct rj_bytes key, struct rj_bytes value)
{
    add(w, RJ_WRITE_PUT, key, value);
}

void rj_writes_delete(struct rj_writes *w, struct rj_bytes key)
{
    add(w, RJ_WRITE_DELETE, key, (struct rj_bytes){0});
}

void rj_writes_delete_range(struct rj_writes *w, struct rj_bytes from, struct rj_bytes to)
{
    add(w, RJ_WRITE_DELETE_RANGE, from, to);
}

bool rj_writes_next(const struct rj_writes *w, size_t *pos, struct rj_write *ret)
{
    uint32_t key_len, value_len;
    const uint8_t *p;

    if (*pos >= w->len)
        return false;
    p = w->buf + *pos;
    assert(w->len - *pos >= HEAD_LEN);
    memcpy(&key_len, p + 1, sizeof(key_len));
    memcpy(&value_len, p + 5, sizeof(value_len));
    assert(w->len - *pos - HEAD_LEN >= (size_t)key_len + value_len);
    ret->kind = (enum rj_write_kind)p[0];
    ret->key = rj_bytes_of(p + HEAD_LEN, key_len);
    ret->value = rj_bytes_of(p + HEAD_LEN + key_len, value_len);
    *pos += HEAD_LEN + (size_t)key_len + value_len;
    return true;
}

void rj_writes_clear(struct rj_writes *w)
{
    w->len = 0;
    w->count = 0;
    w->failed = false;
}

void rj_writes_done(struct rj_writes *w)
{
    if (w == NULL)
        return;
    free(w->buf);
    *w = (struct rj_writes){0};
}
