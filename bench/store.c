/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the stores: bench/store [DIRECTORY [RECORDS]]. The directory (default: one
 * under /tmp, removed afterwards) decides which disk is measured. Prints one figure a
 * line: what, how many a second on the wall and of processor time. */
#include "base/be.h"
#include "base/bytes.h"
#include "base/prng.h"

#include <rejoin/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    RECORDS = 1000000,
    BATCH = 100000,
    KEY_LEN = 24,
    VALUE_LEN = 36,
    SMALL_BATCH = 10,
    SMALL_BATCHES = 500,
    SEEKS = 1000000
};

/* Time on the wall, and time that this process used of a processor. */
struct moment {
    double wall, cpu;
};

static double seconds(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct moment now(void)
{
    return (struct moment){.wall = seconds(CLOCK_MONOTONIC),
                           .cpu = seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct moment since(struct moment start)
{
    struct moment end = now();

    return (struct moment){.wall = end.wall - start.wall, .cpu = end.cpu - start.cpu};
}

static void must(enum rj_err err, const char *what)
{
    if (err == RJ_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, rj_err_text(err));
    exit(1);
}

static void figure(const char *store, const char *what, double n, struct moment took)
{
    printf("%-7s %-38s %11.0f /s %11.0f /cpu s\n", store, what, n / took.wall,
           n / took.cpu);
    (void)fflush(stdout);
}

/* A key as an engine makes them: a space, a kind, a number. */
static struct rj_bytes key_of(uint64_t n, bool scattered, uint8_t room[KEY_LEN])
{
    uint64_t state = n;

    memset(room, 's', KEY_LEN);
    room[15] = scattered ? 'k' : 'l';
    rj_be_store64(room + 16, scattered ? rj_prng_splitmix(&state) : n);
    return rj_bytes_of(room, KEY_LEN);
}

static void puts_in_batches(struct rj_store *s, const char *name, bool scattered,
                            size_t records)
{
    uint8_t key[KEY_LEN], value[VALUE_LEN];
    struct rj_writes w = {0};
    struct moment took = {0}, start;

    memset(value, 'v', sizeof(value));
    for (size_t n = 0; n < records;) {
        rj_writes_clear(&w);
        for (size_t i = 0; i < BATCH && n < records; i++, n++)
            rj_writes_put(&w, key_of(n, scattered, key), RJ_BYTES_OF(value));
        start = now();
        must(s->ops->write(s, &w, true), s->why);
        took.wall += since(start).wall;
        took.cpu += since(start).cpu;
    }
    figure(name,
           scattered ? "puts, 100,000 a batch, random order"
                     : "puts, 100,000 a batch, ascending",
           (double)records, took);
    rj_writes_done(&w);
}

static void small_batches(struct rj_store *s, const char *name, bool durable)
{
    uint8_t key[KEY_LEN], value[VALUE_LEN];
    struct rj_writes w = {0};
    struct rj_prng p;
    struct moment start = now();

    rj_prng_init(&p, durable);
    memset(value, 'w', sizeof(value));
    for (size_t n = 0; n < SMALL_BATCHES; n++) {
        rj_writes_clear(&w);
        for (size_t i = 0; i < SMALL_BATCH; i++)
            rj_writes_put(&w, key_of(rj_prng_below(&p, RECORDS), true, key),
                          RJ_BYTES_OF(value));
        must(s->ops->write(s, &w, durable), s->why);
    }
    figure(name, durable ? "batches of 10, durable" : "batches of 10, not durable",
           SMALL_BATCHES, since(start));
    rj_writes_done(&w);
}

static void reads(struct rj_store *s, const char *name, size_t records)
{
    uint8_t room[KEY_LEN];
    struct rj_bytes key = {0}, value;
    struct rj_view *v;
    struct rj_prng p;
    size_t n = 0;
    struct moment start;

    must(s->ops->view_open(s, &v), "view");
    start = now();
    while (s->ops->seek(v, RJ_SEEK_GT, key, &key, &value) == RJ_OK)
        n++;
    figure(name, "records in a walk forwards", (double)n, since(start));
    key = (struct rj_bytes){0};
    start = now();
    while (s->ops->seek(v, RJ_SEEK_LT, key, &key, &value) == RJ_OK)
        n--;
    figure(name, "records in a walk backwards", 2.0 * (double)records, since(start));
    rj_prng_init(&p, 3);
    start = now();
    for (size_t i = 0; i < SEEKS; i++)
        must(s->ops->seek(v, RJ_SEEK_EQ, key_of(rj_prng_below(&p, records), true, room),
                          &key, &value),
             "seek");
    figure(name, "random seeks", SEEKS, since(start));
    s->ops->view_close(v);
    start = now();
    for (size_t i = 0; i < SEEKS / 10; i++) {
        must(s->ops->view_open(s, &v), "view");
        s->ops->view_close(v);
    }
    figure(name, "views opened and closed", SEEKS / 10.0, since(start));
    if (n != 0)
        fprintf(stderr, "walks differ by %zu\n", n);
}

static void deletes(struct rj_store *s, const char *name, size_t records)
{
    uint8_t from[KEY_LEN], to[KEY_LEN];
    struct rj_writes w = {0};
    struct moment start;

    rj_writes_delete_range(&w, key_of(0, false, from), key_of(records, false, to));
    start = now();
    must(s->ops->write(s, &w, true), s->why);
    figure(name, "records in one range delete", (double)records, since(start));
    rj_writes_done(&w);
}

static void measure(struct rj_store *s, const char *name, size_t records)
{
    puts_in_batches(s, name, false, records);
    puts_in_batches(s, name, true, records);
    puts_in_batches(s, name, true, records); /* replaces */
    small_batches(s, name, true);
    small_batches(s, name, false);
    reads(s, name, records);
    deletes(s, name, records);
    s->ops->close(s);
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/rejoin-bench-XXXXXX", why[200], cleanup[300];
    const char *dir = argc > 1 ? argv[1] : mkdtemp(made);
    size_t records = argc > 2 ? strtoull(argv[2], NULL, 10) : RECORDS;
    struct rj_store *s;

    if (dir == NULL || records == 0)
        return 1;
    must(rj_store_lmdb_open(dir, 0, why, sizeof(why), &s), "open");
    measure(s, "lmdb", records);
    must(rj_store_memory_open(&s), "open");
    measure(s, "memory", records);
    for (size_t i = 0; argc < 2 && i < 4; i++) {
        static const char *const files[] = {"data.mdb", "lock.mdb", "lock", ""};

        (void)snprintf(cleanup, sizeof(cleanup), "%s/%s", dir, files[i]);
        (void)remove(cleanup);
    }
    return 0;
}
