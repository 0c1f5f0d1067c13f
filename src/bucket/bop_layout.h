/* SPDX-License-Identifier: Apache-2.0 */
/* Which fields each operation has, in the order of the encoding: code, key, then these,
 * then what it overwrites of the rest of the key. Private to bop.c and bop_get.c. */
#ifndef RJ_BUCKET_BOP_LAYOUT_H
#define RJ_BUCKET_BOP_LAYOUT_H

#include "bucket/bop.h"

enum {
    RJ_BOP_NAME = 1,
    RJ_BOP_MAY_NAME = 2,
    RJ_BOP_VALUE = 4,
    RJ_BOP_RUN = 8,
    RJ_BOP_RUNS = 16,
    RJ_BOP_DEADLINE = 32,
    RJ_BOP_SEEN = 64,
    RJ_BOP_RESETS = 128,
    RJ_BOP_RUN_ITEMS = 7 /* base, epoch, prev, before, delta, floor, touched */
};

static const uint8_t rj_bop_layout[RJ_BOP_CODES] = {
    [RJ_BOP_SET] = RJ_BOP_VALUE | RJ_BOP_DEADLINE,
    [RJ_BOP_DEL] = 0,
    [RJ_BOP_INCR] =
        RJ_BOP_MAY_NAME | RJ_BOP_RUN | RJ_BOP_DEADLINE | RJ_BOP_SEEN | RJ_BOP_RESETS,
    [RJ_BOP_SADD] = RJ_BOP_NAME | RJ_BOP_DEADLINE | RJ_BOP_SEEN,
    [RJ_BOP_SREM] = RJ_BOP_NAME | RJ_BOP_SEEN,
    [RJ_BOP_HSET] =
        RJ_BOP_NAME | RJ_BOP_VALUE | RJ_BOP_DEADLINE | RJ_BOP_SEEN | RJ_BOP_RESETS,
    [RJ_BOP_HDEL] = RJ_BOP_NAME | RJ_BOP_SEEN | RJ_BOP_RESETS,
    [RJ_BOP_CARRY] = RJ_BOP_MAY_NAME | RJ_BOP_RUNS | RJ_BOP_DEADLINE | RJ_BOP_SEEN,
    [RJ_BOP_FORGET] = RJ_BOP_SEEN,
};

/* Items of the array that is the encoding. */
static inline size_t rj_bop_items(unsigned has)
{
    size_t n = 3; /* code, key, whole */

    if ((has & RJ_BOP_RUN) != 0)
        n += RJ_BOP_RUN_ITEMS - 1;
    return n + (size_t)__builtin_popcount(has);
}

#endif
