/* SPDX-License-Identifier: Apache-2.0 */
/* The naive store that real ones are compared with: an array, searched from its start. */
#ifndef RJ_TEST_STORE_MODEL_H
#define RJ_TEST_STORE_MODEL_H

#include "base/prng.h"

#include <rejoin/store.h>

struct rj_model_record {
    uint8_t *key, *value;
    size_t key_len, value_len;
};

struct rj_model {
    struct rj_model_record *records; /* in order */
    size_t n;
};

void rj_model_done(struct rj_model *m);
void rj_model_copy(struct rj_model *ret, const struct rj_model *m);
void rj_model_apply(struct rj_model *m, const struct rj_writes *w);

/* A key out of a family that is hard for stores: zero bytes, prefixes of each other, and
 * lengths around the multiples of 501 with common beginnings. */
struct rj_bytes rj_model_random_key(struct rj_prng *p, uint8_t *room, size_t size);
enum { RJ_MODEL_KEY_ROOM = 4096 };

/* Up to 24 random puts, deletes and range deletes. */
void rj_model_random_batch(struct rj_prng *p, struct rj_writes *w);

/* The test fails unless the view answers as the model: walks both ways over everything;
 * random seeks of all four kinds. */
void rj_model_check_walks(const struct rj_model *m, struct rj_store *s,
                          struct rj_view *v);
void rj_model_check_seeks(const struct rj_model *m, struct rj_store *s, struct rj_view *v,
                          struct rj_prng *p, size_t times);

#endif
