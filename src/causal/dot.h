/* SPDX-License-Identifier: Apache-2.0 */
/* Dots and version vectors. An origin is one incarnation of one device; inside a node it
 * is named by a small index into the space's origin table (causal/origin.h), on the wire
 * and in hashes by its 16-byte id. Orders that must be the same everywhere compare ids,
 * never indexes. Source: Parker et al. 1983 (version vectors); Preguica et al. 2010
 * (dotted version vectors). */
#ifndef RJ_CAUSAL_DOT_H
#define RJ_CAUSAL_DOT_H

#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <stdbool.h>

/* Above it no sequence is taken, so that none can wrap around. */
#define RJ_SEQ_MAX (UINT64_MAX / 2)

/* A write's name: origin index and sequence from 1. seq 0 = no dot. */
struct rj_dot {
    uint64_t seq;
    uint32_t origin;
};

/* Version vector: for each origin index the highest sequence applied without a gap.
 * Entries beyond n are 0. Zero-initialise. */
struct rj_vv {
    uint64_t *seq;
    uint32_t n, cap;
};

static inline uint64_t rj_vv_get(const struct rj_vv *v, uint32_t origin)
{
    return origin < v->n ? v->seq[origin] : 0;
}

static inline bool rj_vv_has(const struct rj_vv *v, uint32_t origin, uint64_t seq)
{
    return seq <= rj_vv_get(v, origin);
}

/* Sets one entry, also downwards. RJ_ENOMEM; RJ_EINVAL: origin is RJ_ORIGIN_NONE. */
RJ_NODISCARD enum rj_err rj_vv_put(struct rj_vv *v, uint32_t origin, uint64_t seq);
/* v := v joined with other (maximum by entry). RJ_ENOMEM: v unchanged. */
RJ_NODISCARD enum rj_err rj_vv_join(struct rj_vv *v, const struct rj_vv *other);
/* v := minimum by entry. */
void rj_vv_meet(struct rj_vv *v, const struct rj_vv *other);
/* a >= b in every entry. */
bool rj_vv_covers(const struct rj_vv *a, const struct rj_vv *b);
bool rj_vv_equal(const struct rj_vv *a, const struct rj_vv *b);
RJ_NODISCARD enum rj_err rj_vv_copy(struct rj_vv *v, const struct rj_vv *from);
void rj_vv_clear(struct rj_vv *v); /* all entries 0, memory kept */
void rj_vv_done(struct rj_vv *v);

#endif
