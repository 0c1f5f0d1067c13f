/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers between this machine's order of bytes and big-endian: the same function both
 * ways. */
#ifndef RJ_BASE_BE_H
#define RJ_BASE_BE_H

#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define RJ_BE_SWAP(bits, v) (v)
#else
#define RJ_BE_SWAP(bits, v) __builtin_bswap##bits(v)
#endif

/* Writes v to the 2, 4, 8 bytes at p. */
static inline void rj_be_store16(uint8_t *p, uint16_t v)
{
    v = RJ_BE_SWAP(16, v);
    memcpy(p, &v, sizeof(v));
}

static inline void rj_be_store32(uint8_t *p, uint32_t v)
{
    v = RJ_BE_SWAP(32, v);
    memcpy(p, &v, sizeof(v));
}

static inline void rj_be_store64(uint8_t *p, uint64_t v)
{
    v = RJ_BE_SWAP(64, v);
    memcpy(p, &v, sizeof(v));
}

/* The number in the 2, 4, 8 bytes at p. */
static inline uint16_t rj_be_load16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return RJ_BE_SWAP(16, v);
}

static inline uint32_t rj_be_load32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return RJ_BE_SWAP(32, v);
}

static inline uint64_t rj_be_load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return RJ_BE_SWAP(64, v);
}

#endif
