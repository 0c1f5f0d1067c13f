/* SPDX-License-Identifier: Apache-2.0 */
/* The dots of one replica as bytes (doc/crdt.md, "Format"). */
#ifndef RJ_CRDT_CODE_DOTS_H
#define RJ_CRDT_CODE_DOTS_H

#include "base/reader.h"
#include "causal/dots.h"
#include "crdt/seq_bits.h"

/* The slow path of rj_spans_put; not called by others. */
void rj_spans_put_many(struct rj_buf *out, const struct rj_span *spans, size_t n);

/* Appends n spans of one origin; sticky. */
static inline void rj_spans_put(struct rj_buf *out, const struct rj_span *spans, size_t n)
{
    if (n != 1) {
        rj_spans_put_many(out, spans, n);
        return;
    }
    rj_buf_varint(out, 1);
    rj_buf_varint(out, spans->from - 1);
    rj_buf_varint(out, spans->to - spans->from);
}

/* Spans as they come. */
struct rj_spans_reader {
    struct rj_reader *r; /* it fails when something is malformed */
    uint64_t n;          /* spans that are left */
    uint64_t gaps, mores, next;
    unsigned gap_bits, more_bits; /* parameters of the codes */
    struct rj_bits_reader bits;
    uint32_t origin;
};

/* At the spans of the next replica, n of them. */
struct rj_spans_reader rj_spans_begin(struct rj_reader *r, uint32_t origin);
/* False: no more, or malformed. */
bool rj_spans_next(struct rj_spans_reader *s, struct rj_span *ret);

#endif
