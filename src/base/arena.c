/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocation in chained blocks (Hanson, "Fast allocation and deallocation of memory
 * based on object lifetimes", 1990). Invariants: pieces come from the last block only;
 * total_bytes is the sum of all blocks, heads included, and never exceeds the limit. A
 * piece larger than a block gets a block of its own. Under AddressSanitizer what was
 * taken back is poisoned, so that use after a reset is found. */
#include "base/arena.h"

#include "base/alloc.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#endif

#if defined(ARENA_POISON)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(ptr, len)   ((void)(ptr), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(ptr, len) ((void)(ptr), (void)(len))
#endif

enum { ALIGNMENT = _Alignof(max_align_t) };

struct rj_arena_block {
    struct rj_arena_block *next;
    size_t cap, used;
    _Alignas(max_align_t) uint8_t data[];
};

void rj_arena_init(struct rj_arena *a, size_t block_bytes, size_t limit_bytes)
{
    *a = (struct rj_arena){.block_bytes = block_bytes, .limit_bytes = limit_bytes};
}

/* Chains a block with room for size bytes. */
static bool add_block(struct rj_arena *a, size_t size)
{
    struct rj_arena_block *block;
    size_t cap = size > a->block_bytes ? size : a->block_bytes;
    size_t left = a->limit_bytes - a->total_bytes;
    size_t bytes;

    if (!rj_size_add(cap, sizeof(*block), &bytes) || bytes > left) {
        if (!rj_size_add(size, sizeof(*block), &bytes) || bytes > left)
            return false;
        cap = size; /* near the limit: just what is asked */
    }
    block = malloc(bytes);
    if (block == NULL)
        return false;
    block->next = NULL;
    block->cap = cap;
    block->used = 0;
    ASAN_POISON_MEMORY_REGION(block->data, cap);
    if (a->last != NULL)
        a->last->next = block;
    else
        a->first = block;
    a->last = block;
    a->total_bytes += bytes;
    return true;
}

void *rj_arena_alloc(struct rj_arena *a, size_t size)
{
    struct rj_arena_block *block = a->last;
    size_t padded;
    uint8_t *piece;

    if (!rj_size_add(size > 0 ? size : 1, ALIGNMENT - 1, &padded))
        return NULL;
    padded -= padded % ALIGNMENT;
    if (block == NULL || padded > block->cap - block->used) {
        if (!add_block(a, padded))
            return NULL;
        block = a->last;
    }
    piece = block->data + block->used;
    block->used += padded;
    ASAN_UNPOISON_MEMORY_REGION(piece, size);
    return piece;
}

void *rj_arena_array(struct rj_arena *a, size_t n, size_t size)
{
    size_t total;

    return rj_size_mul(n, size, &total) ? rj_arena_alloc(a, total) : NULL;
}

void *rj_arena_zero(struct rj_arena *a, size_t n, size_t size)
{
    void *piece = rj_arena_array(a, n, size);

    if (piece != NULL && n > 0 && size > 0)
        memset(piece, 0, n * size);
    return piece;
}

uint8_t *rj_arena_copy(struct rj_arena *a, struct rj_bytes b)
{
    uint8_t *copy;
    size_t size;

    if (!rj_size_add(b.len, 1, &size))
        return NULL;
    copy = rj_arena_alloc(a, size);
    if (copy == NULL)
        return NULL;
    if (b.len > 0)
        memcpy(copy, b.ptr, b.len);
    copy[b.len] = 0;
    return copy;
}

/* Frees block and all behind it. */
static void free_blocks(struct rj_arena_block *block)
{
    while (block != NULL) {
        struct rj_arena_block *next = block->next;

        ASAN_UNPOISON_MEMORY_REGION(block->data, block->cap);
        free(block);
        block = next;
    }
}

void rj_arena_reset(struct rj_arena *a)
{
    if (a->first == NULL)
        return;
    free_blocks(a->first->next);
    a->first->next = NULL;
    a->first->used = 0;
    a->last = a->first;
    a->total_bytes = sizeof(*a->first) + a->first->cap;
    ASAN_POISON_MEMORY_REGION(a->first->data, a->first->cap);
}

void rj_arena_done(struct rj_arena *a)
{
    if (a == NULL)
        return;
    free_blocks(a->first);
    a->first = a->last = NULL;
    a->total_bytes = 0;
}
