/* SPDX-License-Identifier: Apache-2.0 */
/* Where a value takes its memory from. NULL in its place: malloc and free. */
#ifndef REJOIN_ALLOCATOR_H
#define REJOIN_ALLOCATOR_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rj_allocator {
    /* As realloc: ptr (NULL: nothing yet) held old_size bytes and shall hold size; size 0
     * gives it back and returns NULL. NULL for another size: no memory, ptr is still
     * there. Aligned for every type. */
    void *(*resize)(void *user, void *ptr, size_t old_size, size_t size);
    void *user;
};

#ifdef __cplusplus
}
#endif
#endif
