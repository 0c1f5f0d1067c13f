/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered things in blocks. A block never moves, so what comes costs its own memory and
 * no copy of what is there; small sequences have one that grows. */
#include "crdt/seq.h"

enum { TRIM_MIN = 64 };

static uint32_t block_of(const struct rj_seq_slab *slab)
{
    return (uint32_t)1 << slab->bits;
}

/* How many things a block has room for. */
static uint32_t cap_of(const struct rj_seq_slab *slab)
{
    return slab->cap < block_of(slab) ? slab->cap : block_of(slab);
}

/* The only block becomes as great. */
static enum rj_err resize_first(struct rj_seq_slab *slab, uint32_t cap,
                                const struct rj_allocator *allocator)
{
    void *block = rj_mem_resize(allocator, slab->blocks[0],
                                (size_t)slab->cap * slab->size, (size_t)cap * slab->size);

    if (block == NULL)
        return RJ_ENOMEM;
    slab->blocks[0] = block;
    slab->n_blocks = 1;
    slab->cap = cap;
    return RJ_OK;
}

/* Room in the table for one block more. */
static enum rj_err grow_table(struct rj_seq_slab *slab,
                              const struct rj_allocator *allocator)
{
    uint32_t cap = slab->cap_blocks + slab->cap_blocks / 4 + 1;
    void **blocks;

    if (slab->n_blocks < slab->cap_blocks)
        return RJ_OK;
    blocks = rj_mem_resize(allocator, slab->blocks, slab->cap_blocks * sizeof(void *),
                           cap * sizeof(void *));
    if (blocks == NULL)
        return RJ_ENOMEM;
    if (slab->n_blocks == 0)
        blocks[0] = NULL;
    slab->blocks = blocks;
    slab->cap_blocks = cap;
    return RJ_OK;
}

static enum rj_err add_block(struct rj_seq_slab *slab,
                             const struct rj_allocator *allocator)
{
    enum rj_err err = grow_table(slab, allocator);
    void *block;

    if (err != RJ_OK)
        return err;
    block = rj_mem_new(allocator, (size_t)block_of(slab) * slab->size);
    if (block == NULL)
        return RJ_ENOMEM;
    slab->blocks[slab->n_blocks++] = block;
    slab->cap += block_of(slab);
    return RJ_OK;
}

enum rj_err rj_seq_slab_grow(struct rj_seq_slab *slab, size_t n,
                             const struct rj_allocator *allocator)
{
    uint32_t block = block_of(slab), cap = slab->cap + slab->cap / 2;
    enum rj_err err = RJ_OK;

    if (n > RJ_SEQ_NODES_MAX - slab->n)
        return RJ_ELIMIT;
    if (slab->cap < block) {
        if (cap < slab->n + n)
            cap = (uint32_t)(slab->n + n);
        err = slab->n_blocks == 0 ? grow_table(slab, allocator) : RJ_OK;
        if (err == RJ_OK)
            err = resize_first(slab, cap < block ? cap : block, allocator);
    }
    while (err == RJ_OK && n > slab->cap - slab->n)
        err = add_block(slab, allocator);
    return err;
}

void rj_seq_slab_trim(struct rj_seq_slab *slab, size_t spare,
                      const struct rj_allocator *allocator)
{
    uint32_t block = block_of(slab);
    size_t used = slab->n + spare, cap = used + used / 8;

    if (used == 0) {
        rj_seq_slab_done(slab, allocator);
        return;
    }
    while (slab->n_blocks > 1 && slab->cap >= used + block) {
        slab->cap -= block;
        rj_mem_free(allocator, slab->blocks[--slab->n_blocks],
                    (size_t)block * slab->size);
    }
    if (slab->n_blocks == 1 && slab->cap >= used + TRIM_MIN && slab->cap / 2 > cap)
        (void)!resize_first(slab, (uint32_t)cap, allocator);
}

void rj_seq_slab_done(struct rj_seq_slab *slab, const struct rj_allocator *allocator)
{
    while (slab->n_blocks > 0)
        rj_mem_free(allocator, slab->blocks[--slab->n_blocks],
                    (size_t)cap_of(slab) * slab->size);
    rj_mem_free(allocator, slab->blocks, slab->cap_blocks * sizeof(void *));
    *slab = (struct rj_seq_slab){.size = slab->size, .bits = slab->bits};
}
