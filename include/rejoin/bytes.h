/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed view of bytes, and the two kinds of time. */
#ifndef REJOIN_BYTES_H
#define REJOIN_BYTES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Borrowed: says nothing about who frees it. ptr may be NULL iff len is 0. */
struct rj_bytes {
    const uint8_t *ptr;
    size_t len;
};

/* Wall clock: milliseconds since 1970, may jump. */
struct rj_wall {
    uint64_t ms;
};

/* Monotonic clock: milliseconds since an arbitrary start, never goes back. */
struct rj_mono {
    uint64_t ms;
};

/* The two together, read once by the driver for each step. */
struct rj_now {
    struct rj_wall wall;
    struct rj_mono mono;
};

#ifdef __cplusplus
}
#endif
#endif
