/* SPDX-License-Identifier: Apache-2.0 */
/* Content-defined chunking: cuts a stream where its content says so, so that an insertion
 * moves the cuts near it only. Equal parameters give equal cuts on every machine. */
#ifndef RJ_BASE_CHUNKER_H
#define RJ_BASE_CHUNKER_H

#include "base/bytes.h"

enum {
    RJ_CHUNKER_MIN_SMALLEST = 64,      /* one window of the rolling hash */
    RJ_CHUNKER_MAX_LARGEST = 64 << 20, /* 64 MiB */
};

struct rj_chunker {
    uint64_t gear[256];
    uint64_t mask_before, mask_after; /* harder before the average, easier after */
    uint64_t hash;
    size_t min, avg, max;
    size_t pos; /* bytes of the chunk at hand so far */
};

/* Sizes in bytes: RJ_CHUNKER_MIN_SMALLEST <= min <= avg <= max <=
 * RJ_CHUNKER_MAX_LARGEST, avg a power of two >= 256; else RJ_EINVAL. */
RJ_NODISCARD enum rj_err rj_chunker_init(struct rj_chunker *c, size_t min, size_t avg,
                                         size_t max);

/* Reads on in the stream, up to the end of the chunk or of data. Returns the bytes
 * consumed, at least 1 unless data is empty. *ret_cut: a chunk ends behind them (the next
 * call begins another). What is left at the end of the stream, c->pos bytes, is the last
 * chunk; rj_chunker_reset begins another stream. */
size_t rj_chunker_feed(struct rj_chunker *c, struct rj_bytes data, bool *ret_cut);

/* Back to the start of a stream. */
void rj_chunker_reset(struct rj_chunker *c);

#endif
