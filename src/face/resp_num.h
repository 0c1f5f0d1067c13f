/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal integers as the Redis protocol writes them: one spelling for each number. */
#ifndef RJ_FACE_RESP_NUM_H
#define RJ_FACE_RESP_NUM_H

#include <rejoin/bytes.h>
#include <stdbool.h>

enum { RJ_RESP_NUM_MAX = 20 }; /* bytes of the longest 64-bit integer, sign included */

/* Reads a signed integer: optional '-', digits without leading zeros, nothing else.
 * False, and *ret untouched, for everything that is not one or does not fit. */
bool rj_resp_num_i64(struct rj_bytes text, int64_t *ret);
/* The same without sign. */
bool rj_resp_num_u64(struct rj_bytes text, uint64_t *ret);
/* Writes v in decimal to at most RJ_RESP_NUM_MAX bytes at out; returns how many. */
size_t rj_resp_num_put_u64(uint8_t *out, uint64_t v);
size_t rj_resp_num_put_i64(uint8_t *out, int64_t v);

#endif
