/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of dots: a version vector and a cloud of dots beyond it, in one array of spans.
 * The vector is what begins at sequence 1, the cloud is the rest; a dot that closes a gap
 * moves from one to the other by itself. A version vector alone (struct rj_vv) cannot say
 * that a predecessor is missing; this can, so late and lost deltas lose nothing.
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 7.2. */
#ifndef RJ_CAUSAL_DOTS_H
#define RJ_CAUSAL_DOTS_H

#include "base/mem.h"
#include "causal/dot.h"

/* All dots of origin from `from` to `to`, both counted. */
struct rj_span {
    uint64_t from, to;
    uint32_t origin;
};

/* Ascending by (origin, from); spans neither touch nor overlap. Zero-initialise (and name
 * an allocator). */
struct rj_dots {
    struct rj_span *spans;
    size_t n, cap;
    const struct rj_allocator *allocator;
};

/* Index of the first span of origin that ends at seq or after it, or of what follows all
 * of origin. O(log n). */
size_t rj_dots_at(const struct rj_dots *d, uint32_t origin, uint64_t seq);
bool rj_dots_has(const struct rj_dots *d, struct rj_dot dot);
/* The end of the vector: the highest sequence without a gap; the highest at all. */
uint64_t rj_dots_vector(const struct rj_dots *d, uint32_t origin);
uint64_t rj_dots_last(const struct rj_dots *d, uint32_t origin);
/* Number of dots, at most UINT64_MAX. */
uint64_t rj_dots_count(const struct rj_dots *d);

/* Adds a span, 1 <= from <= to. RJ_ENOMEM: unchanged. */
RJ_NODISCARD enum rj_err rj_dots_add(struct rj_dots *d, struct rj_span span);
/* The same for a span that does not begin before the last one there. */
RJ_NODISCARD enum rj_err rj_dots_append(struct rj_dots *d, struct rj_span span);
/* Room for n spans in all. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_dots_reserve(struct rj_dots *d, size_t n);
RJ_NODISCARD static inline enum rj_err rj_dots_note(struct rj_dots *d, struct rj_dot dot)
{
    return rj_dots_add(d, (struct rj_span){dot.seq, dot.seq, dot.origin});
}

/* d := all that is in a or b; all that is in a, not in b. d is neither. RJ_ENOMEM: d is
 * empty. O(a + b). */
RJ_NODISCARD enum rj_err rj_dots_union(struct rj_dots *d, const struct rj_dots *a,
                                       const struct rj_dots *b);
RJ_NODISCARD enum rj_err rj_dots_minus(struct rj_dots *d, const struct rj_dots *a,
                                       const struct rj_dots *b);
/* d := from with its origins renumbered: origin o becomes map[o] (map NULL: as it is). */
RJ_NODISCARD enum rj_err rj_dots_map(struct rj_dots *d, const struct rj_dots *from,
                                     const uint32_t *map);
bool rj_dots_equal(const struct rj_dots *a, const struct rj_dots *b);
/* a is within b. */
bool rj_dots_within(const struct rj_dots *a, const struct rj_dots *b);
void rj_dots_clear(struct rj_dots *d);
void rj_dots_done(struct rj_dots *d);

#endif
