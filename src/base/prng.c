/* SPDX-License-Identifier: Apache-2.0 */
/* xoshiro256** (Blackman and Vigna, "Scrambled linear pseudorandom number generators",
 * 2018): 256 bits of state, period 2^256 - 1. Seeded by splitmix64 (Steele, Lea, Flood,
 * 2014), which never yields the one bad state, all zero. Bounded numbers by rejection:
 * what lies in the last, incomplete multiple of n is drawn again. */
#include "base/prng.h"

#include <string.h>

static uint64_t rotate_left(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t rj_prng_splitmix(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rj_prng_init(struct rj_prng *p, uint64_t seed)
{
    for (size_t i = 0; i < sizeof(p->s) / sizeof(p->s[0]); i++)
        p->s[i] = rj_prng_splitmix(&seed);
}

uint64_t rj_prng_u64(struct rj_prng *p)
{
    uint64_t *s = p->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t rj_prng_below(struct rj_prng *p, uint64_t n)
{
    uint64_t excess, x;

    if (n <= 1)
        return 0;
    excess = (0 - n) % n; /* 2^64 mod n */
    do
        x = rj_prng_u64(p);
    while (x < excess);
    return x % n;
}

bool rj_prng_chance(struct rj_prng *p, uint64_t num, uint64_t den)
{
    return den > 0 && rj_prng_below(p, den) < num;
}

void rj_prng_bytes(struct rj_prng *p, uint8_t *ret, size_t len)
{
    for (size_t pos = 0; pos < len; pos += 8) {
        uint64_t x = rj_prng_u64(p);

        /* Byte by byte: the same sequence whatever the machine's order of bytes. */
        for (size_t i = pos; i < len && i < pos + 8; i++, x >>= 8)
            ret[i] = (uint8_t)x;
    }
}
