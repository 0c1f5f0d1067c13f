/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal integers, by hand: a pipeline of small commands spends a good part of its time
 * here, and the formatted output of libc costs ten times as much. Two digits at a time
 * halve the number of divisions. */
#include "face/resp_num.h"

#include <string.h>

enum { DIGITS_MAX = 20 }; /* of UINT64_MAX */

static const char pairs[201] = "00010203040506070809"
                               "10111213141516171819"
                               "20212223242526272829"
                               "30313233343536373839"
                               "40414243444546474849"
                               "50515253545556575859"
                               "60616263646566676869"
                               "70717273747576777879"
                               "80818283848586878889"
                               "90919293949596979899";

bool rj_resp_num_u64(struct rj_bytes text, uint64_t *ret)
{
    uint64_t v = 0;

    if (text.len == 0 || text.len > DIGITS_MAX || (text.ptr[0] == '0' && text.len > 1))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.ptr[i] - '0';

        if (digit > 9 || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit, &v))
            return false;
    }
    *ret = v;
    return true;
}

bool rj_resp_num_i64(struct rj_bytes text, int64_t *ret)
{
    bool negative = text.len > 1 && text.ptr[0] == '-';
    uint64_t v;

    if (negative) {
        text.ptr++;
        text.len--;
    }
    if (!rj_resp_num_u64(text, &v) || v > (uint64_t)INT64_MAX + negative ||
        (negative && v == 0))
        return false;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

size_t rj_resp_num_put_u64(uint8_t *out, uint64_t v)
{
    uint8_t digits[DIGITS_MAX];
    size_t at = DIGITS_MAX;

    if (v < 10) {
        out[0] = (uint8_t)('0' + v);
        return 1;
    }
    for (; v >= 100; v /= 100) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * (v % 100), 2);
    }
    if (v >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * v, 2);
    } else {
        digits[--at] = (uint8_t)('0' + v);
    }
    memcpy(out, digits + at, DIGITS_MAX - at);
    return DIGITS_MAX - at;
}

size_t rj_resp_num_put_i64(uint8_t *out, int64_t v)
{
    if (v >= 0)
        return rj_resp_num_put_u64(out, (uint64_t)v);
    out[0] = '-';
    return 1 + rj_resp_num_put_u64(out + 1, 0 - (uint64_t)v);
}
