/* SPDX-License-Identifier: Apache-2.0 */
/* Measures a bucket: bench/bucket [KEYS]. Two buckets in one process, one writes, the
 * other applies its batches; keys of 16 bytes, values of 8, in random order. Processor
 * time, so that ratios hold on a busy machine. */
#include "bucket/bucket.h"

#include "base/be.h"
#include "base/prng.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { KEYS = 1000000, KEY_LEN = 16, VALUE_LEN = 8, BATCH = 4096, FEW = 10000 };

struct side {
    struct rj_origins origins;
    struct rj_writer writer;
    struct rj_bucket *bucket;
};

struct bench {
    struct side a, b; /* a writes, b applies */
    size_t keys;
    double local_s, apply_s, collect_s;
    struct rj_prng rng;
};

static double cpu_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(enum rj_err err, const char *what)
{
    if (err == RJ_OK)
        return;
    (void)fprintf(stderr, "%s: %s\n", what, rj_err_text(err));
    exit(1);
}

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static void reset_writer(struct rj_writer *w)
{
    uint32_t number;

    w->first += w->count;
    w->count = 0;
    w->dict_n = 0;
    w->stamp++;
    rj_buf_clear(&w->ops);
    must(rj_writer_dict(w, w->self, &number), "dictionary");
}

static void open_side(struct side *s, uint32_t self)
{
    static const uint8_t prefix[] = {'b'};
    struct rj_bucket_config c = {
        .writer = &s->writer, .origins = &s->origins, .prefix = RJ_BYTES_OF(prefix)};

    for (uint8_t i = 1; i <= 2; i++) {
        struct rj_origin_id id = {{0}};
        uint32_t index;

        id.b[0] = i;
        id.b[15] = i;
        must(rj_origins_add(&s->origins, &id, &index), "origin");
    }
    s->writer = (struct rj_writer){.self = self, .first = 1, .stamp = 1};
    reset_writer(&s->writer);
    must(rj_bucket_open(&c, &s->bucket), "open");
}

static void close_side(struct side *s)
{
    struct rj_kind *k = rj_bucket_kind(s->bucket);

    k->ops->close(k);
    rj_buf_done(&s->writer.ops);
    free(s->writer.dict);
    rj_origins_done(&s->origins);
}

/* What the engine does between steps: the changes go to the store. */
static void collect(struct bench *bench, struct side *s)
{
    static struct rj_writes w;
    struct rj_kind *k = rj_bucket_kind(s->bucket);
    double start = cpu_seconds();

    rj_writes_clear(&w);
    must(k->ops->collect(k, &w), "collect");
    bench->collect_s += cpu_seconds() - start;
}

/* Cuts a's batch and applies it at b. */
static void ship(struct bench *bench)
{
    struct rj_writer *w = &bench->a.writer;
    struct rj_kind *k = rj_bucket_kind(bench->b.bucket);
    struct rj_batch_view view = {.origin = w->self,
                                 .first = w->first,
                                 .count = w->count,
                                 .stamp = w->stamp,
                                 .dict = w->dict,
                                 .dict_n = w->dict_n,
                                 .ops = rj_buf_view(&w->ops)};
    double start = cpu_seconds();

    must(k->ops->check(k, &view), "check");
    must(k->ops->apply(k, &view, NULL), "apply");
    bench->apply_s += cpu_seconds() - start;
    reset_writer(w);
    collect(bench, &bench->a);
    collect(bench, &bench->b);
}

static struct rj_bytes key_of(uint64_t i, char text[KEY_LEN + 1])
{
    (void)snprintf(text, KEY_LEN + 1, "key:%012llu",
                   (unsigned long long)(i % 1000000000000u));
    return rj_bytes_of(text, KEY_LEN);
}

/* Makes write i; the keys and values are ready before the clock starts. */
typedef void write_fn(struct bench *bench, struct rj_bytes key, uint64_t i);

static void write_set(struct bench *bench, struct rj_bytes key, uint64_t i)
{
    uint8_t value[VALUE_LEN];

    rj_be_store64(value, i);
    must(rj_bucket_set(bench->a.bucket, key, RJ_BYTES_OF(value), NULL), "SET");
}

static void write_set_until(struct bench *bench, struct rj_bytes key, uint64_t i)
{
    struct rj_set_opts opts = {.ttl = RJ_TTL_AT, .deadline_ms = 1000000 + i % 3600000};
    uint8_t value[VALUE_LEN];

    rj_be_store64(value, i);
    must(rj_bucket_set(bench->a.bucket, key, RJ_BYTES_OF(value), &opts), "SET PX");
}

static void write_incr(struct bench *bench, struct rj_bytes key, uint64_t i)
{
    int64_t sum;

    (void)i;
    must(rj_bucket_incr(bench->a.bucket, key, 1, &sum), "INCR");
}

/* Sets of 100 elements. */
static void write_sadd(struct bench *bench, struct rj_bytes key, uint64_t i)
{
    char text[KEY_LEN + 1];
    uint64_t added;

    (void)i;
    (void)snprintf(text, sizeof(text), "set:%.10s00", (const char *)key.ptr + 4);
    must(rj_bucket_sadd(bench->a.bucket, rj_bytes_of(text, KEY_LEN), &key, 1, &added),
         "SADD");
}

static void write_hset(struct bench *bench, struct rj_bytes key, uint64_t i)
{
    struct rj_pair pair = {.field = key};
    char text[KEY_LEN + 1];
    uint8_t value[VALUE_LEN];
    uint64_t added;

    rj_be_store64(value, i);
    pair.value = RJ_BYTES_OF(value);
    (void)snprintf(text, sizeof(text), "map:%.10s00", (const char *)key.ptr + 4);
    must(rj_bucket_hset(bench->a.bucket, rj_bytes_of(text, KEY_LEN), &pair, 1, &added),
         "HSET");
}

/* n writes on random keys below `keys`, batch by batch. */
static void measure(struct bench *bench, const char *what, write_fn *fn, size_t n)
{
    static char keys[BATCH][KEY_LEN + 1];
    size_t heap = heap_bytes(), done = 0;
    uint64_t before = rj_bucket_count(bench->a.bucket);

    bench->local_s = bench->apply_s = bench->collect_s = 0;
    while (done < n) {
        size_t batch = n - done < BATCH ? n - done : BATCH;
        double start;

        for (size_t i = 0; i < batch; i++)
            (void)key_of(rj_prng_below(&bench->rng, bench->keys), keys[i]);
        start = cpu_seconds();
        for (size_t i = 0; i < batch; i++)
            fn(bench, rj_bytes_of(keys[i], KEY_LEN), done + i);
        bench->local_s += cpu_seconds() - start;
        ship(bench);
        done += batch;
    }
    printf("%-34s local %5.0f ns  check+apply %5.0f ns  collect %5.0f ns", what,
           bench->local_s / (double)n * 1e9, bench->apply_s / (double)n * 1e9,
           bench->collect_s / (double)n / 2 * 1e9);
    if (rj_bucket_count(bench->a.bucket) - before > FEW)
        printf("  %5.1f bytes a new key",
               (double)(heap_bytes() - heap) / 2 /
                   (double)(rj_bucket_count(bench->a.bucket) - before));
    printf("\n");
}

/* All keys once, in order: so every one is there afterwards. */
static void fill(struct bench *bench, const char *what, write_fn *fn)
{
    size_t heap, n = bench->keys;
    char key[KEY_LEN + 1];

    ship(bench); /* buffers have their size */
    heap = heap_bytes();
    bench->local_s = bench->apply_s = bench->collect_s = 0;
    for (size_t i = 0; i < n; i += BATCH) {
        double start = cpu_seconds();

        for (size_t j = i; j < n && j < i + BATCH; j++)
            fn(bench, key_of(j, key), j);
        bench->local_s += cpu_seconds() - start;
        ship(bench);
    }
    printf("%-34s local %5.0f ns  check+apply %5.0f ns  collect %5.0f ns"
           "  %5.1f bytes each\n",
           what, bench->local_s / (double)n * 1e9, bench->apply_s / (double)n * 1e9,
           bench->collect_s / (double)n / 2 * 1e9,
           (double)(heap_bytes() - heap) / 2 / (double)n);
}

static void measure_get(struct bench *bench, size_t n)
{
    char key[KEY_LEN + 1];
    struct rj_bytes value;
    double start = cpu_seconds(), keys_s;
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        (void)key_of(rj_prng_below(&bench->rng, bench->keys), key);
    keys_s = cpu_seconds() - start;
    start = cpu_seconds();
    for (size_t i = 0; i < n; i++)
        found += rj_bucket_get(bench->a.bucket,
                               key_of(rj_prng_below(&bench->rng, bench->keys), key),
                               &value) == RJ_OK;
    printf("%-34s %5.0f ns (%zu found)\n", "GET",
           (cpu_seconds() - start - keys_s) / (double)n * 1e9, found);
}

static void measure_sum(struct bench *bench)
{
    struct rj_kind *k = rj_bucket_kind(bench->a.bucket);
    struct rj_sum sum;
    double start = cpu_seconds();

    for (int i = 0; i < 100; i++)
        k->ops->sum(k, (struct rj_range){0, UINT64_MAX}, NULL, 0, &sum);
    printf("%-34s %5.1f us\n", "sum over everything", (cpu_seconds() - start) * 1e4);
}

static void run(size_t keys, const char *what, write_fn *fn)
{
    struct bench bench = {.keys = keys};
    char text[64];

    rj_prng_init(&bench.rng, 1);
    open_side(&bench.a, 0);
    open_side(&bench.b, 0);
    rj_bucket_set_now(bench.a.bucket, (struct rj_now){.wall = {1000}});
    (void)snprintf(text, sizeof(text), "%s, new", what);
    fill(&bench, text, fn);
    (void)snprintf(text, sizeof(text), "%s, again at random", what);
    measure(&bench, text, fn, keys);
    if (fn == write_set) {
        measure_get(&bench, keys);
        measure_sum(&bench);
    }
    close_side(&bench.a);
    close_side(&bench.b);
    (void)malloc_trim(0);
}

int main(int argc, char **argv)
{
    size_t keys = argc > 1 ? (size_t)strtoull(argv[1], NULL, 10) : KEYS;

    printf("%zu keys of %d bytes, values of %d\n", keys, KEY_LEN, VALUE_LEN);
    run(keys, "SET", write_set);
    run(keys, "SET with a deadline", write_set_until);
    run(keys, "INCR", write_incr);
    run(keys, "SADD, sets of 100", write_sadd);
    run(keys, "HSET, hashes of 100", write_hset);
    return 0;
}
