/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of keys of 12 bytes at work: adding with a delta each, as the set grows; memory
 * and stored bytes of an element; two replicas that each added and removed 0.25 %: the
 * join of their states in memory, and the difference against a digest; many additions and
 * removals on a small set. CPU time, best of some rounds.
 *
 *     crdt [ELEMENTS] [PAIRS]      (1,000,000 and 10,000,000) */
#include "crdt_bench.h"

enum { ROUNDS = 5, KEY = BENCH_KEY, SMALL = 1000, SHARE = 400, CACHE = 64 << 20 };

static struct rj_crdt *new_set(const char *name)
{
    return new_value(RJ_CRDT_ORSET, name, &counting);
}

static void add(struct rj_crdt *v, uint64_t from, uint64_t n, struct rj_crdt_buf *delta)
{
    uint8_t room[KEY];
    uint64_t i;

    for (i = from; i < from + n; i++)
        must(rj_crdt_add(v, key_of(i, room), delta));
}

static void remove_some(struct rj_crdt *v, uint64_t of, uint64_t n, uint64_t seed)
{
    uint8_t room[KEY];
    uint64_t i;

    for (i = 0; i < n; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        must(rj_crdt_remove(v, key_of(seed % of, room), NULL));
    }
}

static struct rj_crdt *copy_of(const struct rj_crdt *v, const char *name)
{
    struct rj_crdt *copy = new_set(name);

    must(rj_crdt_join(copy, v, NULL));
    return copy;
}

/* ---- what is measured */

static void run_adds(uint64_t n)
{
    struct rj_crdt_buf delta = {0};
    uint64_t size, step = 10000;

    for (size = step; size <= n; size *= 10) {
        struct rj_crdt *v = NULL;
        double best = 1e9, plain = 1e9, start, seconds;
        uint64_t i;

        for (i = 0; i < ROUNDS; i++) {
            rj_crdt_free(v);
            v = new_set("a");
            add(v, 0, size - step, NULL);
            start = cpu_seconds();
            add(v, size - step, step / 2, &delta);
            seconds = (cpu_seconds() - start) / (double)(step / 2);
            best = seconds < best ? seconds : best;
            start = cpu_seconds();
            add(v, size - step / 2, step / 2, NULL);
            seconds = (cpu_seconds() - start) / (double)(step / 2);
            plain = seconds < plain ? seconds : plain;
        }
        printf("add, %8llu elements: %.2f M/s with a delta of %zu bytes each, "
               "%.2f M/s without\n",
               (unsigned long long)size, 1e-6 / best, delta.len, 1e-6 / plain);
        rj_crdt_free(v);
    }
    rj_crdt_buf_free(&delta);
}

static void run_size(uint64_t n)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = RJ_CRDT_ORSET};
    size_t before = in_use;
    struct rj_crdt *v = new_set("a"), *w = NULL;
    struct rj_crdt_buf bytes = {0};
    double start, seconds, all;

    start = cpu_seconds();
    add(v, 0, n, NULL);
    all = cpu_seconds() - start;
    printf("memory: %.1f bytes an element beside its key; made in %.0f ms\n",
           (double)(in_use - before) / (double)n - KEY, all * 1e3);
    start = cpu_seconds();
    must(rj_crdt_encode(v, &bytes));
    seconds = cpu_seconds() - start;
    start = cpu_seconds();
    must(rj_crdt_decode(&opts, rj_crdt_bytes(&bytes), &w));
    printf("stored: %.2f bytes an element, written in %.1f ms, read in %.1f ms\n",
           (double)bytes.len / (double)n, seconds * 1e3, (cpu_seconds() - start) * 1e3);
    rj_crdt_buf_free(&bytes);
    start = cpu_seconds();
    must(rj_crdt_json(v, &bytes));
    printf("sorted for the first time: %.0f ms with %.1f MB of JSON\n",
           (cpu_seconds() - start) * 1e3, (double)bytes.len * 1e-6);
    rj_crdt_free(v);
    rj_crdt_free(w);
    rj_crdt_buf_free(&bytes);
}

/* Nothing of the values is in the caches after this. */
static void forget_caches(void)
{
    static uint8_t *junk;
    static uint8_t round;

    if (junk == NULL)
        junk = malloc(CACHE);
    if (junk != NULL)
        memset(junk, ++round, CACHE);
}

static void run_join(uint64_t n)
{
    uint64_t some = n / SHARE;
    struct rj_crdt *base = new_set("a"), *a, *b, *c;
    struct rj_crdt_buf digest = {0}, delta = {0}, state = {0};
    struct rj_crdt_report report = {0};
    double best = 1e9, warm = 1e9, sum = 0, start, seconds;
    int i;

    add(base, 0, n, NULL);
    a = copy_of(base, "a");
    b = copy_of(base, "b");
    must(rj_crdt_rename(a, (struct rj_bytes){(const uint8_t *)"a", 1}, true));
    remove_some(a, n, some, 88172645463325252u);
    add(a, n, some, NULL);
    remove_some(b, n, some, 88172645463325253u);
    add(b, 2 * n, some, NULL);
    for (i = 0; i < 2 * ROUNDS; i++) {
        c = copy_of(a, "");
        if (i % 2 == 0)
            forget_caches();
        start = cpu_seconds();
        must(rj_crdt_join(c, b, &report));
        seconds = cpu_seconds() - start;
        if (i % 2 == 0) {
            best = seconds < best ? seconds : best;
            sum += seconds;
        } else {
            warm = seconds < warm ? seconds : warm;
        }
        rj_crdt_free(c);
    }
    printf("join of two states that differ in %llu rows (%llu came, %llu went): best "
           "%.2f ms, mean %.2f ms, with warm caches %.2f ms\n",
           (unsigned long long)(4 * some), (unsigned long long)report.taken,
           (unsigned long long)report.dropped, best * 1e3, sum / ROUNDS * 1e3,
           warm * 1e3);
    must(rj_crdt_digest(b, &digest));
    start = cpu_seconds();
    must(rj_crdt_diff(a, rj_crdt_bytes(&digest), &delta));
    seconds = cpu_seconds() - start;
    must(rj_crdt_encode(a, &state));
    printf(
        "difference against a digest of %zu bytes: %zu bytes (keys and removals alone: "
        "%llu), made in %.2f ms; the state then: %.2f bytes an element\n",
        digest.len, delta.len, (unsigned long long)(some * KEY + some * 13 / 10),
        seconds * 1e3, (double)state.len / (double)n);
    start = cpu_seconds();
    must(rj_crdt_join_bytes(b, rj_crdt_bytes(&delta), NULL));
    printf("joined in %.2f ms\n", (cpu_seconds() - start) * 1e3);
    must(rj_crdt_join(a, b, NULL));
    if (!rj_crdt_equal(a, b))
        printf("they are not equal\n");
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&delta);
    rj_crdt_buf_free(&state);
    rj_crdt_free(base);
    rj_crdt_free(a);
    rj_crdt_free(b);
}

/* Elements come and go beside 1,000 that stay; or these themselves go and come again. */
static void run_pairs(uint64_t pairs, bool again)
{
    size_t before = in_use, fresh_memory;
    struct rj_crdt *fresh = new_set("a"), *v;
    struct rj_crdt_buf fresh_bytes = {0}, bytes = {0};
    uint8_t room[KEY];
    double start, seconds;
    uint64_t i, k;

    add(fresh, 0, SMALL, NULL);
    fresh_memory = in_use - before;
    must(rj_crdt_encode(fresh, &fresh_bytes));
    rj_crdt_free(fresh);
    before = in_use;
    v = new_set("a");
    add(v, 0, SMALL, NULL);
    start = cpu_seconds();
    for (i = 0; i < pairs; i++) {
        k = again ? i * 7919 % SMALL : SMALL + i;
        if (again)
            must(rj_crdt_remove(v, key_of(k, room), NULL));
        must(rj_crdt_add(v, key_of(k, room), NULL));
        if (!again)
            must(rj_crdt_remove(v, key_of(k, room), NULL));
    }
    seconds = cpu_seconds() - start;
    must(rj_crdt_encode(v, &bytes));
    printf("%llu %s, %d live: %.2f M changes/s; %.3f of a fresh state stored, %.3f in "
           "memory\n",
           (unsigned long long)pairs,
           again ? "removals of one of them and additions" : "additions and removals",
           SMALL, 2e-6 * (double)pairs / seconds,
           (double)bytes.len / (double)fresh_bytes.len,
           (double)(in_use - before) / (double)fresh_memory);
    rj_crdt_free(v);
    rj_crdt_buf_free(&fresh_bytes);
    rj_crdt_buf_free(&bytes);
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    uint64_t pairs = argc > 2 ? strtoull(argv[2], NULL, 10) : 10 * n;

    run_adds(n);
    run_size(n);
    run_join(n);
    run_pairs(pairs, false);
    run_pairs(pairs, true);
    return 0;
}
