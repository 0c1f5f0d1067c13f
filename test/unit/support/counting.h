/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator that counts: bytes in use, and the most there ever were. */
#ifndef RJ_TEST_COUNTING_H
#define RJ_TEST_COUNTING_H

#include <rejoin/crdt.h>
#include <stdlib.h>

static size_t in_use, peak;

static void *counting_resize(void *user, void *ptr, size_t old_size, size_t size)
{
    (void)user;
    in_use += size - old_size;
    peak = in_use > peak ? in_use : peak;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static const struct rj_allocator counting = {.resize = counting_resize};

#endif
