/* SPDX-License-Identifier: Apache-2.0 */
/* FastCDC (Xia, Zhou, Jiang, Feng, Hua, Hu, Zhang, Liu: "FastCDC: a fast and efficient
 * content-defined chunking approach", USENIX ATC 2016). A gear hash rolls over the last
 * 64 bytes: one shift, one addition, one table look-up a byte. Its highest bits depend on
 * the whole window, so a cut is where they are all zero. Normalised chunking, level 2:
 * two bits more are asked below the average size, two fewer above it; the bytes below the
 * minimum are not even hashed. The table comes from splitmix64 with a fixed seed:
 * changing it changes every cut. */
#include "base/chunker.h"

#include "base/prng.h"

enum { NORMALISATION = 2, AVG_SMALLEST = 256 };

#define GEAR_SEED UINT64_C(0x72656a6f696e2031) /* "rejoin 1" */

/* The n highest bits, 0 < n < 64. */
static uint64_t high_bits(unsigned n)
{
    return ~UINT64_C(0) << (64 - n);
}

enum rj_err rj_chunker_init(struct rj_chunker *c, size_t min, size_t avg, size_t max)
{
    uint64_t state = GEAR_SEED;
    unsigned bits = 0;

    if (min < RJ_CHUNKER_MIN_SMALLEST || min > avg || avg > max ||
        max > RJ_CHUNKER_MAX_LARGEST)
        return RJ_EINVAL;
    if (avg < AVG_SMALLEST || (avg & (avg - 1)) != 0)
        return RJ_EINVAL;
    while (((size_t)1 << bits) < avg)
        bits++;
    *c = (struct rj_chunker){.min = min, .avg = avg, .max = max};
    c->mask_before = high_bits(bits + NORMALISATION);
    c->mask_after = high_bits(bits - NORMALISATION);
    for (size_t i = 0; i < sizeof(c->gear) / sizeof(c->gear[0]); i++)
        c->gear[i] = rj_prng_splitmix(&state);
    return RJ_OK;
}

void rj_chunker_reset(struct rj_chunker *c)
{
    c->hash = 0;
    c->pos = 0;
}

/* Rolls over at most n bytes at p, until the bits of mask are zero. Returns how many. */
static size_t roll(struct rj_chunker *c, const uint8_t *p, size_t n, uint64_t mask,
                   bool *ret_cut)
{
    uint64_t hash = c->hash;
    size_t i = 0;

    while (i < n) {
        hash = (hash << 1) + c->gear[p[i++]];
        if ((hash & mask) == 0) {
            *ret_cut = true;
            break;
        }
    }
    c->hash = hash;
    c->pos += i;
    return i;
}

/* Bytes until the chunk has size end, but not more than n. */
static size_t until(const struct rj_chunker *c, size_t end, size_t n)
{
    size_t left = end > c->pos ? end - c->pos : 0;

    return left < n ? left : n;
}

size_t rj_chunker_feed(struct rj_chunker *c, struct rj_bytes data, bool *ret_cut)
{
    bool cut = false;
    size_t used = until(c, c->min, data.len);

    c->pos += used;
    if (used < data.len)
        used += roll(c, data.ptr + used, until(c, c->avg, data.len - used),
                     c->mask_before, &cut);
    if (used < data.len && !cut)
        used += roll(c, data.ptr + used, until(c, c->max, data.len - used), c->mask_after,
                     &cut);
    if (c->pos == c->max)
        cut = true;
    if (cut)
        rj_chunker_reset(c);
    *ret_cut = cut;
    return used;
}
