/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that several stores hold: it begins with the number of its users. */
#include "crdt/named.h"

void *rj_piece_new(const struct rj_allocator *allocator, size_t size)
{
    uint32_t *users = rj_mem_new(allocator, size);

    if (users == NULL)
        return NULL;
    memset(users, 0, size);
    *users = 1;
    return users;
}

void rj_piece_release(const struct rj_allocator *allocator, void *piece, size_t size)
{
    uint32_t *users = piece;

    if (users != NULL && --*users == 0)
        rj_mem_free(allocator, users, size);
}
