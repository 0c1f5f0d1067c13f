/* SPDX-License-Identifier: Apache-2.0 */
/* Reproducible pseudo-random numbers: one seed, one sequence, on every machine. Not for
 * secrets. */
#ifndef RJ_BASE_PRNG_H
#define RJ_BASE_PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rj_prng {
    uint64_t s[4];
};

/* Starts the sequence of seed; every seed is as good as another. */
void rj_prng_init(struct rj_prng *p, uint64_t seed);

/* The next 64 bits. */
uint64_t rj_prng_u64(struct rj_prng *p);

/* Uniform in 0 .. n-1, without bias; 0 when n is 0 or 1. */
uint64_t rj_prng_below(struct rj_prng *p, uint64_t n);

/* True in num of den cases; false when den is 0. */
bool rj_prng_chance(struct rj_prng *p, uint64_t num, uint64_t den);

/* Fills ret with len bytes. */
void rj_prng_bytes(struct rj_prng *p, uint8_t *ret, size_t len);

/* One step of splitmix64: advances *state and returns a well-mixed number. */
uint64_t rj_prng_splitmix(uint64_t *state);

#endif
