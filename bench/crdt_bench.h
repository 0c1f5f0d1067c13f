/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs that measure values share. */
#ifndef RJ_BENCH_CRDT_BENCH_H
#define RJ_BENCH_CRDT_BENCH_H

#include <rejoin/crdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BENCH_KEY = 12 };

/* Bytes that were asked for through this allocator; the most so far. */
static size_t in_use, peak;

static inline void *bench_resize(void *user, void *ptr, size_t old_size, size_t size)
{
    void *p;

    (void)user;
    in_use += size - old_size;
    peak = in_use > peak ? in_use : peak;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    p = realloc(ptr, size);
    if (p == NULL)
        abort();
    return p;
}

static const struct rj_allocator counting
    __attribute__((unused)) = {.resize = bench_resize};

static inline double cpu_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline double cpu_ms(void)
{
    return cpu_seconds() * 1e3;
}

static inline void must(enum rj_err err)
{
    if (err == RJ_OK)
        return;
    fprintf(stderr, "%s\n", rj_err_name(err));
    exit(1);
}

/* The i-th key: no two are alike, and none tells where the next one lies. */
static inline struct rj_bytes key_of(uint64_t i, uint8_t room[BENCH_KEY])
{
    uint64_t x = i * 0x9e3779b97f4a7c15u;
    uint32_t low = (uint32_t)i;

    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    memcpy(room, &x, sizeof(x));
    memcpy(room + sizeof(x), &low, sizeof(low));
    return (struct rj_bytes){room, BENCH_KEY};
}

/* An empty value of that replica. allocator: NULL, the heap. */
static inline struct rj_crdt *new_value(enum rj_crdt_type type, const char *replica,
                                        const struct rj_allocator *allocator)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts),
                                .type = type,
                                .replica = {(const uint8_t *)replica, strlen(replica)},
                                .allocator = allocator};
    struct rj_crdt *v = NULL;

    must(rj_crdt_new(&opts, &v));
    return v;
}

#endif
