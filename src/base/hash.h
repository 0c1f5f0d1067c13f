/* SPDX-License-Identifier: Apache-2.0 */
/* Fast hashes (XXH3): a checksum against accidents, and keyed hashes for tables and for
 * digests of sets. Never an identity across a trust boundary: that is SHA-256. The values
 * are the same on every machine. */
#ifndef RJ_BASE_HASH_H
#define RJ_BASE_HASH_H

#include "base/bytes.h"

enum { RJ_HASH_SECRET_LEN = 192 };

/* Secret of a keyed hash. Without it nobody can aim for collisions. */
struct rj_hash_key {
    uint8_t secret[RJ_HASH_SECRET_LEN];
};

struct rj_hash_128 {
    uint64_t low, high;
};

/* XXH3-64 of b: the checksum of records and frames. */
uint64_t rj_hash_checksum(struct rj_bytes b);

/* A checksum over parts that do not lie together: rj_hash_checksum of their
 * concatenation, without copying. n parts. */
uint64_t rj_hash_checksum_parts(const struct rj_bytes *parts, size_t n);

/* Derives a key from material: at least 16 unpredictable bytes, or bytes that two sides
 * share when they must get equal hashes. */
void rj_hash_key_init(struct rj_hash_key *key, struct rj_bytes material);

/* 64 or 128 bits of b under key. */
uint64_t rj_hash_64(const struct rj_hash_key *key, struct rj_bytes b);
struct rj_hash_128 rj_hash_128(const struct rj_hash_key *key, struct rj_bytes b);

#endif
