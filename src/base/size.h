/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes that cannot wrap around: each function says whether the result fits. */
#ifndef RJ_BASE_SIZE_H
#define RJ_BASE_SIZE_H

#include <rejoin/error.h>
#include <stdbool.h>
#include <stddef.h>

/* *ret = a + b. False, and *ret untouched, when that does not fit. */
RJ_NODISCARD static inline bool rj_size_add(size_t a, size_t b, size_t *ret)
{
    size_t sum;

    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *ret = sum;
    return true;
}

/* *ret = a * b. False, and *ret untouched, when that does not fit. */
RJ_NODISCARD static inline bool rj_size_mul(size_t a, size_t b, size_t *ret)
{
    size_t product;

    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *ret = product;
    return true;
}

#endif
