/* SPDX-License-Identifier: Apache-2.0 */
/* The spans of one origin as bytes: what messages say (doc/crdt.md, "Format"), and how a
 * set with many spans keeps them (causal/dots.h). */
#ifndef RJ_CAUSAL_SPANS_H
#define RJ_CAUSAL_SPANS_H

#include "base/bits.h"
#include "base/reader.h"
#include "causal/dot.h"

/* All dots of origin from `from` to `to`, both counted. */
struct rj_span {
    uint64_t from, to;
    uint32_t origin;
};

/* What stands before spans, so they are counted first. Begins with next = start: in a
 * message 1, else where the first span begins. */
struct rj_spans_head {
    uint64_t n, first, gaps, mores, next;
};

static inline void rj_spans_count(struct rj_spans_head *h, const struct rj_span *span)
{
    if (h->n++ == 0)
        h->first = span->from - h->next;
    else
        h->gaps += span->from - h->next;
    h->mores += span->to - span->from;
    h->next = span->to + 2;
}

struct rj_spans_writer {
    struct rj_bits_writer bits;
    uint64_t left, next;          /* next 0: nothing is put yet */
    unsigned gap_bits, more_bits; /* parameters of the codes */
};

/* Appends to out, which is the writer's until rj_spans_end; sticky. */
struct rj_spans_writer rj_spans_put_head(struct rj_buf *out,
                                         const struct rj_spans_head *head);
/* The next of the spans that were counted. */
void rj_spans_put(struct rj_spans_writer *w, const struct rj_span *span);
void rj_spans_end(struct rj_spans_writer *w, struct rj_buf *out);

/* Spans as they come. */
#define RJ_SPANS_BEGUN UINT64_MAX
struct rj_spans_reader {
    uint64_t n; /* spans that are left */
    uint64_t gaps, mores, next;
    uint64_t first; /* the first gap; then RJ_SPANS_BEGUN */
    unsigned gap_bits, more_bits;
    struct rj_bits_reader bits;
    uint32_t origin;
};

/* At the spans of an origin, n of them. r fails when something is malformed. */
struct rj_spans_reader rj_spans_begin(struct rj_reader *r, uint32_t origin,
                                      uint64_t start);
/* False: no more, or malformed. */
bool rj_spans_next(struct rj_spans_reader *s, struct rj_reader *r, struct rj_span *ret);

#endif
