/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is given out piece by piece and taken back all at once. Pieces are aligned
 * for every type and live until the next rj_arena_reset or rj_arena_done. */
#ifndef RJ_BASE_ARENA_H
#define RJ_BASE_ARENA_H

#include "base/bytes.h"

struct rj_arena_block;

struct rj_arena {
    struct rj_arena_block *first; /* kept by rj_arena_reset */
    struct rj_arena_block *last;  /* pieces come from here */
    size_t block_bytes;           /* usual size of a block */
    size_t limit_bytes;           /* most that all blocks together may take */
    size_t total_bytes;           /* what they take now */
};

/* An empty arena; allocates nothing yet. limit_bytes is hard. */
void rj_arena_init(struct rj_arena *a, size_t block_bytes, size_t limit_bytes);

/* size bytes, not initialised. NULL: no memory, or over the limit. Size 0 is a piece. */
RJ_NODISCARD void *rj_arena_alloc(struct rj_arena *a, size_t size);

/* n elements of size bytes, not initialised, overflow-checked. NULL as above. */
RJ_NODISCARD void *rj_arena_array(struct rj_arena *a, size_t n, size_t size);

/* The same, all zero. */
RJ_NODISCARD void *rj_arena_zero(struct rj_arena *a, size_t n, size_t size);

/* A copy of b, followed by one NUL byte that is not counted. NULL as above. */
RJ_NODISCARD uint8_t *rj_arena_copy(struct rj_arena *a, struct rj_bytes b);

/* Takes every piece back; keeps the first block, frees the others. */
void rj_arena_reset(struct rj_arena *a);

/* Frees everything. NULL or a zeroed struct is accepted. */
void rj_arena_done(struct rj_arena *a);

#endif
