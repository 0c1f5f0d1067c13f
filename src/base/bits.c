/* SPDX-License-Identifier: Apache-2.0 */
/* Codes without parameters: short for small numbers, one form for each number.
 * Elias 1975, "Universal codeword sets and representations of the integers". */
#include "base/bits.h"

enum { GAMMA_MAX = 40, LENGTH_BITS = 4, LENGTH_MAX = 15, MORE_BITS = 6 };

static unsigned length_of(uint64_t v)
{
    return v != 0 ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

void rj_bits_put(struct rj_bits_writer *w, uint64_t v, unsigned n)
{
    while (n > 0) {
        unsigned take = n < 8 - w->filled ? n : 8 - w->filled;
        unsigned part = (unsigned)(v >> (n - take)) & ((1U << take) - 1);

        w->last = (uint8_t)((unsigned)w->last << take | part);
        w->filled += take;
        n -= take;
        if (w->filled == 8) {
            rj_buf_u8(&w->b, w->last);
            w->filled = 0;
        }
    }
}

void rj_bits_put_gamma(struct rj_bits_writer *w, uint64_t v)
{
    unsigned length = length_of(v);

    rj_bits_put(w, 0, length - 1);
    rj_bits_put(w, v, length);
}

void rj_bits_put_long(struct rj_bits_writer *w, uint64_t v)
{
    unsigned length = length_of(v);

    if (length < LENGTH_MAX) {
        rj_bits_put(w, length, LENGTH_BITS);
    } else {
        rj_bits_put(w, LENGTH_MAX, LENGTH_BITS);
        rj_bits_put(w, length - LENGTH_MAX, MORE_BITS);
    }
    if (length > 1)
        rj_bits_put(w, v, length - 1);
}

void rj_bits_put_rice(struct rj_bits_writer *w, uint64_t v, unsigned k)
{
    uint64_t zeros = v >> k;

    for (; zeros >= 8; zeros -= 8)
        rj_bits_put(w, 0, 8);
    rj_bits_put(w, 0, (unsigned)zeros);
    rj_bits_put(w, 1, 1);
    rj_bits_put(w, v, k);
}

void rj_bits_end(struct rj_bits_writer *w)
{
    if (w->filled > 0)
        rj_bits_put(w, 0, 8 - w->filled);
}

uint64_t rj_bits_get(struct rj_bits_reader *r, unsigned n)
{
    uint64_t v = 0;

    while (n > 0) {
        unsigned take = n < 8 - r->used ? n : 8 - r->used, part;

        if (r->failed || r->at >= r->b.len) {
            r->failed = true;
            return 0;
        }
        part = (unsigned)r->b.ptr[r->at] >> (8 - r->used - take);
        v = v << take | (part & ((1U << take) - 1));
        r->used += take;
        n -= take;
        if (r->used == 8) {
            r->used = 0;
            r->at++;
        }
    }
    return v;
}

uint64_t rj_bits_get_gamma(struct rj_bits_reader *r)
{
    unsigned zeros = 0;

    while (rj_bits_get(r, 1) == 0) {
        if (r->failed || ++zeros > GAMMA_MAX) {
            r->failed = true;
            return 1;
        }
    }
    return (uint64_t)1 << zeros | rj_bits_get(r, zeros);
}

/* Zeros up to a one, which is read too. */
static uint64_t get_zeros(struct rj_bits_reader *r, uint64_t most)
{
    uint64_t n = 0;

    while (r->at < r->b.len && n <= most) {
        unsigned rest = (unsigned)(r->b.ptr[r->at] << r->used) & 0xff;
        unsigned zeros = rest != 0 ? (unsigned)__builtin_clz(rest) - 24 : 8 - r->used;

        n += zeros;
        r->used += zeros + (rest != 0);
        r->at += r->used / 8;
        r->used %= 8;
        if (rest != 0 && n <= most)
            return n;
    }
    r->failed = true;
    return 0;
}

/* Where eight bytes can be looked at, and what is asked for lies in them. False: not. */
static bool get_rice_at_once(struct rj_bits_reader *r, unsigned k, uint64_t *ret)
{
    enum { SURE = 56 }; /* bits of them that are there wherever in a byte they begin */
    uint64_t word;
    unsigned zeros;

    if (r->at > r->b.len || r->b.len - r->at < sizeof(word))
        return false;
    word = rj_be_load64(r->b.ptr + r->at) << r->used;
    if (word == 0)
        return false;
    zeros = (unsigned)__builtin_clzll(word);
    if (zeros + 1 + k > SURE)
        return false;
    word = word << zeros << 1;
    *ret = (uint64_t)zeros << k | (k > 0 ? word >> (64 - k) : 0);
    r->used += zeros + 1 + k;
    r->at += r->used / 8;
    r->used %= 8;
    return true;
}

uint64_t rj_bits_get_rice(struct rj_bits_reader *r, unsigned k, uint64_t most)
{
    uint64_t v;

    if (!r->failed && get_rice_at_once(r, k, &v)) {
        r->failed = v > most;
        return v;
    }
    v = get_zeros(r, most >> k) << k;
    v |= rj_bits_get(r, k);
    r->failed = r->failed || v > most;
    return v;
}

uint64_t rj_bits_get_long(struct rj_bits_reader *r)
{
    unsigned length = (unsigned)rj_bits_get(r, LENGTH_BITS);

    if (length == LENGTH_MAX)
        length += (unsigned)rj_bits_get(r, MORE_BITS);
    if (length > 64)
        r->failed = true;
    if (length <= 1 || r->failed)
        return length;
    return (uint64_t)1 << (length - 1) | rj_bits_get(r, length - 1);
}

bool rj_bits_complete(const struct rj_bits_reader *r)
{
    unsigned rest = 8 - r->used;

    if (r->failed || r->used == 0)
        return !r->failed && r->at == r->b.len;
    return r->at + 1 == r->b.len && (r->b.ptr[r->at] & ((1U << rest) - 1)) == 0;
}
