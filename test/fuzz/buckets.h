/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets of a space of four origins, for fuzz targets. What fails aborts. */
#ifndef RJ_FUZZ_BUCKETS_H
#define RJ_FUZZ_BUCKETS_H

#include "bucket/state.h"

#include <stdlib.h>

enum { FUZZ_ORIGINS = 4 };

static const uint8_t fuzz_prefix[] = {'b'};

struct fuzz_bucket {
    struct rj_origins origins;
    struct rj_writer writer;
    struct rj_bucket *b;
    struct rj_kind *k;
    struct rj_vv have;
};

static inline void fuzz_must(bool right)
{
    if (!right)
        abort();
}

static bool fuzz_delete_wins; /* of buckets that are opened */

static inline void fuzz_open(struct fuzz_bucket *f)
{
    struct rj_bucket_config c = {.writer = &f->writer,
                                 .origins = &f->origins,
                                 .have = &f->have,
                                 .prefix = RJ_BYTES_OF(fuzz_prefix),
                                 .seed = {1, 2, 3},
                                 .delete_wins = fuzz_delete_wins};
    uint32_t index;

    *f = (struct fuzz_bucket){.b = NULL};
    for (uint8_t i = 0; i < FUZZ_ORIGINS; i++) {
        struct rj_origin_id id = {{(uint8_t)(9 - i)}};

        fuzz_must(rj_origins_add(&f->origins, &id, &index) == RJ_OK);
        fuzz_must(rj_vv_put(&f->have, i, 0) == RJ_OK);
    }
    fuzz_must(rj_bucket_open(&c, &f->b) == RJ_OK);
    f->k = rj_bucket_kind(f->b);
}

static inline void fuzz_close(struct fuzz_bucket *f)
{
    f->k->ops->close(f->k);
    rj_vv_done(&f->have);
    rj_origins_done(&f->origins);
}

static inline struct rj_sum fuzz_sum(const struct fuzz_bucket *f)
{
    struct rj_sum sum;

    f->k->ops->sum(f->k, (struct rj_range){0, UINT64_MAX}, NULL, 0, &sum);
    return sum;
}

static inline void fuzz_must_equal(const struct fuzz_bucket *a,
                                   const struct fuzz_bucket *b)
{
    struct rj_sum x = fuzz_sum(a), y = fuzz_sum(b);

    fuzz_must(x.lo == y.lo && x.hi == y.hi);
    fuzz_must(rj_bucket_count(a->b) == rj_bucket_count(b->b));
}

/* What f holds can be stored and loaded, and is the same then. */
static inline void fuzz_must_persist(struct fuzz_bucket *f)
{
    struct rj_store *s = NULL;
    struct rj_view *view = NULL;
    struct rj_writes w = {0};
    struct fuzz_bucket other;

    fuzz_open(&other);
    fuzz_must(rj_store_memory_open(&s) == RJ_OK);
    fuzz_must(f->k->ops->collect(f->k, &w) == RJ_OK);
    fuzz_must(s->ops->write(s, &w, true) == RJ_OK);
    fuzz_must(s->ops->view_open(s, &view) == RJ_OK);
    fuzz_must(other.k->ops->load(other.k, s->ops, view) == RJ_OK);
    s->ops->view_close(view);
    fuzz_must_equal(f, &other);
    rj_writes_clear(&w);
    fuzz_must(other.k->ops->collect(other.k, &w) == RJ_OK && w.count == 0);
    rj_writes_done(&w);
    s->ops->close(s);
    fuzz_close(&other);
}

#endif
