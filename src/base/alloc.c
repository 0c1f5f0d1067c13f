/* SPDX-License-Identifier: Apache-2.0 */
/* Heap copies, and memory that moves. What only makes new memory lies in alloc.h, so that
 * the compiler sees sizes and can check accesses against them. */
#include "base/alloc.h"

void *rj_alloc_resize(void *ptr, size_t n, size_t size)
{
    size_t total;

    if (!rj_size_mul(n, size, &total))
        return NULL;
    return realloc(ptr, total > 0 ? total : 1);
}

uint8_t *rj_alloc_copy(struct rj_bytes b)
{
    uint8_t *copy;
    size_t size;

    if (!rj_size_add(b.len, 1, &size))
        return NULL;
    copy = malloc(size);
    if (copy == NULL)
        return NULL;
    if (b.len > 0)
        memcpy(copy, b.ptr, b.len);
    copy[b.len] = 0;
    return copy;
}
