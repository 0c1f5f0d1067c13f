/* SPDX-License-Identifier: Apache-2.0 */
/* Number of spans, the first gap, the sum of the others, the sum of what spans have
 * beyond one dot; then both numbers of each in a Rice code, whose parameter is the
 * logarithm of the mean: so a hole at random costs a bit more than its entropy, and
 * nothing is to be chosen. (The first gap is told apart because it may be as long as a
 * history that is gone.) The last span has what the others leave of the sums. Golomb
 * 1966, "Run-length encodings"; Rice 1979, "Some practical universal noiseless coding
 * techniques". */
#include "causal/spans.h"

static unsigned parameter(uint64_t sum, uint64_t n)
{
    uint64_t mean = sum / n;

    return mean != 0 ? 63 - (unsigned)__builtin_clzll(mean) : 0;
}

struct rj_spans_writer rj_spans_put_head(struct rj_buf *out,
                                         const struct rj_spans_head *head)
{
    struct rj_spans_writer w = {.left = head->n};

    rj_buf_varint(out, head->n);
    if (head->n > 0) {
        rj_buf_varint(out, head->first);
        rj_buf_varint(out, head->mores);
        w.more_bits = parameter(head->mores, head->n);
    }
    if (head->n > 1) {
        rj_buf_varint(out, head->gaps);
        w.gap_bits = parameter(head->gaps, head->n - 1);
    }
    w.bits.b = *out;
    return w;
}

void rj_spans_put(struct rj_spans_writer *w, const struct rj_span *span)
{
    if (w->left-- == 1)
        return;
    if (w->next != 0)
        rj_bits_put_rice(&w->bits, span->from - w->next, w->gap_bits);
    rj_bits_put_rice(&w->bits, span->to - span->from, w->more_bits);
    w->next = span->to + 2;
}

void rj_spans_end(struct rj_spans_writer *w, struct rj_buf *out)
{
    rj_bits_end(&w->bits);
    *out = w->bits.b;
}

/* What the head says fits into so many bytes, and into sequences: each span but the last
 * takes two bits at least (the first one bit), and two dots with what parts it. */
static bool is_possible(const struct rj_spans_reader *s, size_t left)
{
    return s->n - 1 <= left * (uint64_t)4 && s->first <= RJ_SEQ_MAX &&
           s->gaps <= RJ_SEQ_MAX - s->first &&
           s->mores <= RJ_SEQ_MAX - s->first - s->gaps &&
           2 * s->n <= RJ_SEQ_MAX - s->first - s->gaps - s->mores;
}

struct rj_spans_reader rj_spans_begin(struct rj_reader *r, uint32_t origin,
                                      uint64_t start)
{
    struct rj_spans_reader s = {.origin = origin, .next = start};

    s.n = rj_reader_varint(r);
    if (s.n == 0)
        return s;
    s.first = rj_reader_varint(r);
    s.mores = rj_reader_varint(r);
    if (s.n > 1)
        s.gaps = rj_reader_varint(r);
    if (!is_possible(&s, rj_reader_left(r))) {
        rj_reader_fail(r);
        s.n = 0;
        return s;
    }
    s.gap_bits = s.n > 1 ? parameter(s.gaps, s.n - 1) : 0;
    s.more_bits = parameter(s.mores, s.n);
    s.bits.b = rj_bytes_of(r->ptr, s.n > 1 ? rj_reader_left(r) : 0);
    return s;
}

/* Behind the bits, of which those that fill the last byte are 0. */
static void end(struct rj_spans_reader *s, struct rj_reader *r)
{
    if (s->bits.used > 0 && rj_bits_get(&s->bits, 8 - s->bits.used) != 0)
        s->bits.failed = true;
    (void)rj_reader_bytes(r, s->bits.at);
}

bool rj_spans_next(struct rj_spans_reader *s, struct rj_reader *r, struct rj_span *ret)
{
    bool is_first = s->first != RJ_SPANS_BEGUN;
    uint64_t gap = is_first ? s->first : s->gaps, more = s->mores;

    if (s->n == 0 || r->failed)
        return false;
    if (s->n > 1) {
        if (!is_first)
            gap = rj_bits_get_rice(&s->bits, s->gap_bits, s->gaps);
        more = rj_bits_get_rice(&s->bits, s->more_bits, s->mores);
    } else {
        end(s, r);
    }
    if (s->bits.failed) {
        rj_reader_fail(r);
        return false;
    }
    s->n--;
    s->gaps -= is_first ? 0 : gap;
    s->mores -= more;
    s->first = RJ_SPANS_BEGUN;
    *ret = (struct rj_span){s->next + gap, s->next + gap + more, s->origin};
    s->next = ret->to + 2;
    return true;
}
