/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a space: the batches in the order in which this node accepted them, which is
 * one valid causal order. In memory: an index (position -> batch, and by origin) and the
 * bytes of the newest batches; the rest of the bytes lies in the store. R3: what a peer
 * with vector vv lacks begins at the smallest position, over all origins, of the first
 * batch above vv. R12: it is truncated at its front only, by whole batches. */
#ifndef RJ_CAUSAL_LOG_H
#define RJ_CAUSAL_LOG_H

#include "causal/batch.h"
#include "causal/dot.h"

enum { RJ_LOG_BATCHES_MAX = 1 << 24 }; /* batches in one log */

struct rj_log_entry {
    uint64_t first;
    uint32_t count;
    uint32_t origin;
    uint64_t accepted_ms; /* monotonic; 0 for what was loaded */
    uint8_t hash[RJ_DEP_HASH_LEN];
    size_t size;    /* of the encoded batch */
    uint8_t *bytes; /* the encoded batch, owned; NULL: in the store */
};

static inline uint64_t rj_log_entry_last(const struct rj_log_entry *e)
{
    return e->first + e->count - 1;
}

struct rj_log_positions; /* positions of one origin's batches, ascending */

/* Zero-initialise. */
struct rj_log {
    struct rj_log_entry *items; /* ring of cap entries */
    size_t cap;
    uint64_t begin, end;  /* positions [begin, end) are held */
    uint64_t cached_from; /* entries before it have no bytes */
    size_t cached_bytes;
    uint64_t total_bytes;
    struct rj_log_positions *by_origin;
    uint32_t by_origin_n;
};

/* Appends at position log->end. e->bytes is taken on success only. RJ_ENOMEM, RJ_ELIMIT.
 */
RJ_NODISCARD enum rj_err rj_log_append(struct rj_log *log, const struct rj_log_entry *e);
/* The entry at a position; NULL when it is not held. Borrowed until the next append. */
struct rj_log_entry *rj_log_at(const struct rj_log *log, uint64_t position);
/* R3: where a peer with vv has to begin; log->end when it lacks nothing that is held. */
uint64_t rj_log_start(const struct rj_log *log, const struct rj_vv *vv);
/* Position of the batch of origin that holds seq, or, when seq is not held, of the first
 * later one; UINT64_MAX: none. */
uint64_t rj_log_find(const struct rj_log *log, uint32_t origin, uint64_t seq);
/* Drops the oldest batch. Does nothing on an empty log. */
void rj_log_drop_front(struct rj_log *log);
/* Frees cached bytes from the oldest on, of positions below `below` only, until at most
 * keep_bytes are cached. */
void rj_log_uncache(struct rj_log *log, uint64_t below, size_t keep_bytes);
void rj_log_done(struct rj_log *log);

#endif
