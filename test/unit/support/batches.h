/* SPDX-License-Identifier: Apache-2.0 */
/* Ids, origin tables, deps and headers for the tests of src/causal. */
#ifndef RJ_TEST_BATCHES_H
#define RJ_TEST_BATCHES_H

#include "base/prng.h"
#include "causal/batch.h"
#include "support/test.h"

/* The i-th of many ids, ascending. */
static inline struct rj_origin_id rj_test_id(uint32_t i)
{
    struct rj_origin_id id = {{0}};

    rj_be_store32(id.b, i);
    id.b[RJ_ORIGIN_LEN - 1] = 0xee;
    return id;
}

/* A table of n ids, the i-th at another index for each step; step and n have no common
 * factor. */
static inline void rj_test_origins(struct rj_origins *t, uint32_t n, uint32_t step)
{
    uint32_t index;

    *t = (struct rj_origins){0};
    for (uint32_t i = 0; i < n; i++) {
        struct rj_origin_id id = rj_test_id(i * step % n);

        assert_ok(rj_origins_add(t, &id, &index));
    }
}

/* Numbers of all lengths of encoding, below most. */
static inline uint64_t rj_test_number(struct rj_prng *p, uint64_t most)
{
    return rj_prng_u64(p) % (most >> rj_prng_below(p, 63) | 1);
}

static inline void rj_test_put_dep(struct rj_buf *b, uint32_t origin, uint64_t seq)
{
    struct rj_dep dep = {.origin = rj_test_id(origin), .seq = seq, .hash = {1, 2, 3}};

    rj_deps_put(b, &dep);
}

/* A header of a data batch with two deps; they lie in deps. */
static inline struct rj_header rj_test_header(struct rj_buf *deps)
{
    *deps = (struct rj_buf){0};
    rj_test_put_dep(deps, 3, 10);
    rj_test_put_dep(deps, 4, 1);
    assert_ok(rj_buf_err(deps));
    return (struct rj_header){.class = RJ_CLASS_DATA,
                              .origin = rj_test_id(1),
                              .first = 7,
                              .count = 3,
                              .prev = {{1}},
                              .body = {{2}},
                              .stamp = 99,
                              .wall_ms = 98,
                              .deps = rj_buf_view(deps),
                              .n_deps = 2};
}

static inline void rj_test_same_header(const struct rj_header *a,
                                       const struct rj_header *b)
{
    assert_int_equal(a->class, b->class);
    assert_memory_equal(a->origin.b, b->origin.b, RJ_ORIGIN_LEN);
    assert_int_equal(a->first, b->first);
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->prev.b, b->prev.b, RJ_DIGEST_LEN);
    assert_memory_equal(a->body.b, b->body.b, RJ_DIGEST_LEN);
    assert_int_equal(a->stamp, b->stamp);
    assert_int_equal(a->wall_ms, b->wall_ms);
    assert_int_equal(a->n_deps, b->n_deps);
    assert_bytes_equal(a->deps, b->deps);
}

#endif
