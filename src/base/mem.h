/* SPDX-License-Identifier: Apache-2.0 */
/* Memory from an allocator that the caller brings; NULL: the heap (base/alloc.h). */
#ifndef RJ_BASE_MEM_H
#define RJ_BASE_MEM_H

#include "base/alloc.h"

#include <rejoin/allocator.h>

/* Moves ptr (NULL: nothing), which held old_size bytes, to size > 0. NULL: no memory, ptr
 * is still there. */
RJ_NODISCARD static inline void *rj_mem_resize(const struct rj_allocator *a, void *ptr,
                                               size_t old_size, size_t size)
{
    if (a == NULL)
        return rj_alloc_resize(ptr, size, 1);
    return a->resize(a->user, ptr, old_size, size);
}

RJ_NODISCARD static inline void *rj_mem_new(const struct rj_allocator *a, size_t size)
{
    return rj_mem_resize(a, NULL, 0, size);
}

/* NULL is accepted. */
static inline void rj_mem_free(const struct rj_allocator *a, void *ptr, size_t size)
{
    if (ptr == NULL)
        return;
    if (a == NULL)
        free(ptr);
    else
        (void)a->resize(a->user, ptr, size, 0);
}

#endif
