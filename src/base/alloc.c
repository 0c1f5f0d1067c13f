/* SPDX-License-Identifier: Apache-2.0 */
/* Heap copies. The arithmetic lies in alloc.h, so that the compiler sees sizes and can
 * check accesses against them. */
#include "base/alloc.h"

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
