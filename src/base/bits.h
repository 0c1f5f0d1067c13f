/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as bits, the highest first, each in the one form that it has. */
#ifndef RJ_BASE_BITS_H
#define RJ_BASE_BITS_H

#include "base/buf.h"
#include "base/bytes.h"

struct rj_bits_writer {
    struct rj_buf b;
    unsigned filled; /* bits of `last` */
    uint8_t last;
};

/* The lowest n bits of v. */
void rj_bits_put(struct rj_bits_writer *w, uint64_t v, unsigned n);
/* v > 0 in 2 log v + 1 bits (Elias gamma). */
void rj_bits_put_gamma(struct rj_bits_writer *w, uint64_t v);
/* Any v: its length in 4 bits (above 14: in 10), then all but its highest bit. */
void rj_bits_put_long(struct rj_bits_writer *w, uint64_t v);
/* v in v / 2^k + 1 bits and k more (Rice). */
void rj_bits_put_rice(struct rj_bits_writer *w, uint64_t v, unsigned k);
/* Fills the last byte up with zeros. */
void rj_bits_end(struct rj_bits_writer *w);

/* Sticky, as rj_reader. */
struct rj_bits_reader {
    struct rj_bytes b;
    size_t at; /* of the byte that is being read */
    unsigned used;
    bool failed;
};

uint64_t rj_bits_get(struct rj_bits_reader *r, unsigned n);
uint64_t rj_bits_get_gamma(struct rj_bits_reader *r);
uint64_t rj_bits_get_long(struct rj_bits_reader *r);
/* Fails above most. */
uint64_t rj_bits_get_rice(struct rj_bits_reader *r, unsigned k, uint64_t most);
/* Nothing failed, and nothing but the filling is left. */
bool rj_bits_complete(const struct rj_bits_reader *r);

#endif
