/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of dots: a version vector and a cloud of dots beyond it, as one set of spans.
 * The vector is what begins at sequence 1, the cloud is the rest; a dot that closes a gap
 * moves from one to the other by itself. A version vector alone (struct rj_vv) cannot say
 * that a predecessor is missing; this can, so late and lost deltas lose nothing.
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 7.2.
 *
 * Few spans, as nearly all sets have, stand in an array. Of many all but the last ones
 * are packed, as messages have them, some 256 together, with an index: so a set costs in
 * memory what it costs on the wire and at most three quarters more (RJ_DOTS_PLAIN_MAX
 * spans apart), and whoever sends holes pays for them. */
#ifndef RJ_CAUSAL_DOTS_H
#define RJ_CAUSAL_DOTS_H

#include "base/mem.h"
#include "causal/spans.h"

enum { RJ_DOTS_PLAIN_MAX = 1024, RJ_DOTS_PACK = 256 };

struct rj_packs;

/* Zero-initialise (and name an allocator). */
struct rj_dots {
    /* Not packed, ascending by (origin, from); they neither touch nor overlap each other,
     * but perhaps packed ones. 0: the set is empty. */
    struct rj_span *spans;
    size_t n, cap;
    struct rj_packs *packs; /* NULL: none */
    const struct rj_allocator *allocator;
};

/* Spans one after another, ascending by (origin, from); they neither touch nor overlap.
 * Good until d changes. */
struct rj_dots_walk {
    const struct rj_dots *d;
    size_t plain, pack; /* the next ones */
    bool has_coded;
    struct rj_span coded; /* the next packed one */
    struct rj_reader bytes;
    struct rj_spans_reader group;
};

/* The slow path of rj_dots_done; not called by others. */
void rj_dots_free(struct rj_dots *d);

struct rj_dots_walk rj_dots_walk_of(const struct rj_dots *d);
/* Begins with the first span that ends at seq of origin or behind it (of a span in which
 * seq lies maybe without what is before seq). O(log n), or of a packed one O(256). */
struct rj_dots_walk rj_dots_walk_from(const struct rj_dots *d, uint32_t origin,
                                      uint64_t seq);
/* False: no more. */
bool rj_dots_next(struct rj_dots_walk *w, struct rj_span *ret);

/* The first span of origin that ends at seq or behind it, as rj_dots_walk_from gives it.
 * False: none. */
bool rj_dots_find(const struct rj_dots *d, uint32_t origin, uint64_t seq,
                  struct rj_span *ret);
bool rj_dots_has(const struct rj_dots *d, struct rj_dot dot);
/* The end of the vector: the highest sequence without a gap; the highest at all. */
uint64_t rj_dots_vector(const struct rj_dots *d, uint32_t origin);
uint64_t rj_dots_last(const struct rj_dots *d, uint32_t origin);
/* Number of dots, at most UINT64_MAX. */
uint64_t rj_dots_count(const struct rj_dots *d);
/* Number of spans, at most. O(1). */
size_t rj_dots_spans(const struct rj_dots *d);

/* Adds a span, 1 <= from <= to. RJ_ENOMEM: unchanged. */
RJ_NODISCARD enum rj_err rj_dots_add(struct rj_dots *d, struct rj_span span);
/* The same for a span that does not begin before the last one there. */
RJ_NODISCARD enum rj_err rj_dots_append(struct rj_dots *d, struct rj_span span);
/* The next n calls of rj_dots_add cannot fail. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_dots_reserve(struct rj_dots *d, size_t n);
RJ_NODISCARD static inline enum rj_err rj_dots_note(struct rj_dots *d, struct rj_dot dot)
{
    return rj_dots_add(d, (struct rj_span){dot.seq, dot.seq, dot.origin});
}
/* For a set that is one of many: packs all that can be, and keeps no memory in reserve.
 * Without memory nothing is done. */
void rj_dots_settle(struct rj_dots *d);

/* d := all that is in a or b; all that is in a, not in b. d is neither. RJ_ENOMEM: d is
 * empty. O(a + b). */
RJ_NODISCARD enum rj_err rj_dots_union(struct rj_dots *d, const struct rj_dots *a,
                                       const struct rj_dots *b);
RJ_NODISCARD enum rj_err rj_dots_minus(struct rj_dots *d, const struct rj_dots *a,
                                       const struct rj_dots *b);

#define RJ_ORIGIN_NONE UINT32_MAX

/* d := from with its origins renumbered: origin o becomes map[o] (map NULL: as it is),
 * those that become RJ_ORIGIN_NONE are left out. No two become one. The same with a. */
RJ_NODISCARD enum rj_err rj_dots_map(struct rj_dots *d, const struct rj_dots *from,
                                     const uint32_t *map);
RJ_NODISCARD enum rj_err rj_dots_map_union(struct rj_dots *d, const struct rj_dots *a,
                                           const struct rj_dots *from,
                                           const uint32_t *map);
/* Sorts origins by what map makes of them; in place. */
void rj_origins_sort(uint32_t *origins, size_t n, const uint32_t *map);
bool rj_dots_equal(const struct rj_dots *a, const struct rj_dots *b);
/* a is within b. */
bool rj_dots_within(const struct rj_dots *a, const struct rj_dots *b);
void rj_dots_clear(struct rj_dots *d);
static inline void rj_dots_done(struct rj_dots *d)
{
    if (d != NULL && (d->cap > 0 || d->packs != NULL))
        rj_dots_free(d);
}

#endif
