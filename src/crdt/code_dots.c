/* SPDX-License-Identifier: Apache-2.0 */
/* Number of spans, sum of their gaps, sum of what they have beyond one dot; then for each
 * but the last both numbers in a Rice code, whose parameter is the logarithm of the mean:
 * so a hole at random costs a bit more than its entropy, and nothing is to be chosen. The
 * last span has what the others leave of the sums.
 * Golomb 1966, "Run-length encodings"; Rice 1979, "Some practical universal noiseless
 * coding techniques". */
#include "crdt/code_dots.h"

static unsigned parameter(uint64_t sum, uint64_t n)
{
    uint64_t mean = sum / n;

    return mean != 0 ? 63 - (unsigned)__builtin_clzll(mean) : 0;
}

void rj_spans_put_many(struct rj_buf *out, const struct rj_span *spans, size_t n)
{
    struct rj_bits_writer w = {.filled = 0};
    uint64_t gaps = 0, mores = 0, next = 1;
    unsigned gap_bits, more_bits;
    size_t i;

    rj_buf_varint(out, n);
    if (n == 0)
        return;
    for (i = 0; i < n; i++) {
        gaps += spans[i].from - next;
        mores += spans[i].to - spans[i].from;
        next = spans[i].to + 2;
    }
    rj_buf_varint(out, gaps);
    rj_buf_varint(out, mores);
    if (n == 1)
        return;
    gap_bits = parameter(gaps, n);
    more_bits = parameter(mores, n);
    w.b = *out;
    for (i = 0, next = 1; i + 1 < n; i++) {
        rj_bits_put_rice(&w, spans[i].from - next, gap_bits);
        rj_bits_put_rice(&w, spans[i].to - spans[i].from, more_bits);
        next = spans[i].to + 2;
    }
    rj_bits_end(&w);
    *out = w.b;
}

struct rj_spans_reader rj_spans_begin(struct rj_reader *r, uint32_t origin)
{
    struct rj_spans_reader s = {.r = r, .origin = origin, .next = 1};

    s.n = rj_reader_varint(r);
    if (s.n == 0)
        return s;
    s.gaps = rj_reader_varint(r);
    s.mores = rj_reader_varint(r);
    if (s.n - 1 > rj_reader_left(r) * (uint64_t)4 || s.gaps > RJ_SEQ_MAX ||
        s.mores > RJ_SEQ_MAX - s.gaps || 2 * s.n > RJ_SEQ_MAX - s.gaps - s.mores) {
        rj_reader_fail(r);
        s.n = 0;
        return s;
    }
    s.gap_bits = parameter(s.gaps, s.n);
    s.more_bits = parameter(s.mores, s.n);
    s.bits.b = rj_bytes_of(r->ptr, s.n > 1 ? rj_reader_left(r) : 0);
    return s;
}

/* Behind the bits, of which those that fill the last byte are 0. */
static void end(struct rj_spans_reader *s)
{
    if (s->bits.used > 0 && rj_bits_get(&s->bits, 8 - s->bits.used) != 0)
        s->bits.failed = true;
    (void)rj_reader_bytes(s->r, s->bits.at);
}

bool rj_spans_next(struct rj_spans_reader *s, struct rj_span *ret)
{
    uint64_t gap = s->gaps, more = s->mores;

    if (s->n == 0 || s->r->failed)
        return false;
    if (s->n > 1) {
        gap = rj_bits_get_rice(&s->bits, s->gap_bits, s->gaps);
        more = rj_bits_get_rice(&s->bits, s->more_bits, s->mores);
    } else {
        end(s);
    }
    if (s->bits.failed) {
        rj_reader_fail(s->r);
        return false;
    }
    s->n--;
    s->gaps -= gap;
    s->mores -= more;
    *ret = (struct rj_span){s->next + gap, s->next + gap + more, s->origin};
    s->next = ret->to + 2;
    return true;
}
