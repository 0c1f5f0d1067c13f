/* SPDX-License-Identifier: Apache-2.0 */
/* Heap memory by count and size, overflow-checked. Every function returns NULL when there
 * is no memory or n * size does not fit; never NULL otherwise, also for nothing at all.
 * Give back with free(). Unit tests make the k-th of these calls fail
 * (test/unit/support/fail_alloc.h). */
#ifndef RJ_BASE_ALLOC_H
#define RJ_BASE_ALLOC_H

#include "base/bytes.h"
#include "base/size.h"

#include <stdlib.h>

/* n elements of size bytes, not initialised. */
RJ_NODISCARD static inline void *rj_alloc_array(size_t n, size_t size)
{
    size_t total;

    if (!rj_size_mul(n, size, &total))
        return NULL;
    return malloc(total > 0 ? total : 1);
}

/* n elements of size bytes, all zero. */
RJ_NODISCARD static inline void *rj_alloc_zero(size_t n, size_t size)
{
    return n > 0 && size > 0 ? calloc(n, size) : calloc(1, 1);
}

/* Moves what ptr (NULL: nothing) holds to n elements of size bytes. On NULL the old
 * memory is still there and still the caller's. */
RJ_NODISCARD void *rj_alloc_resize(void *ptr, size_t n, size_t size);

/* A copy of b, followed by one NUL byte that is not counted. */
RJ_NODISCARD uint8_t *rj_alloc_copy(struct rj_bytes b);

#endif
