/* SPDX-License-Identifier: Apache-2.0 */
/* A set, as bench/crdt-peers has other libraries make it: elements added one by one with
 * a delta each; its bytes, read back; two copies, of which each adds and removes 1 in
 * 400; the difference of one against what the other knows, and the join of both. Prints
 * lines: name, value, unit; CPU time, best of some rounds; memory is that of the process.
 *
 *     crdt_set [ELEMENTS] */
#include "crdt_bench.h"

#include <malloc.h>
#include <unistd.h>

enum { SHARE = 400, LAST = 10000, ROUNDS = 3, KEY_LEN = 12 };

static double memory(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long all = 0, resident = 0;

    (void)malloc_trim(0);
    if (f == NULL || fscanf(f, "%lu %lu", &all, &resident) != 2)
        resident = 0;
    if (f != NULL)
        (void)fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void say(const char *name, double value, const char *unit)
{
    printf("set.%s %.*f %s\n", name, strcmp(unit, "bytes") == 0 ? 0 : 3, value, unit);
}

/* The same keys as in peers.mjs: 12 hexadecimal digits that look random. */
static void change(struct rj_crdt *v, enum rj_crdt_code code, uint32_t i,
                   struct rj_crdt_buf *delta)
{
    uint32_t high = i * 0x9e3779b1u;
    char name[KEY_LEN + 1];

    high = (high ^ high >> 15) * 0x85ebca77u;
    (void)snprintf(name, sizeof(name), "%08x%04x", high, i & 0xffff);
    must(rj_crdt_key_op(v, code, (struct rj_bytes){(const uint8_t *)name, KEY_LEN},
                        delta));
}

static struct rj_crdt *make(const char *name, struct rj_bytes bytes)
{
    struct rj_crdt *v = new_value(RJ_CRDT_ORSET, name, NULL);

    if (bytes.len > 0)
        must(rj_crdt_join_bytes(v, bytes, NULL));
    return v;
}

/* A set of n elements, as bytes. */
static void fill(uint32_t n, struct rj_crdt_buf *bytes)
{
    const struct rj_bytes nothing = {0};
    double before = memory(), start = cpu_ms();
    struct rj_crdt *v = make("base", nothing);
    uint32_t last = n < LAST ? n : LAST, i;
    struct rj_crdt_buf delta = {0};

    for (i = 0; i < n - last; i++)
        change(v, RJ_CRDT_ADD, i, NULL);
    say("fill", cpu_ms() - start, "ms");
    start = cpu_ms();
    for (; i < n; i++)
        change(v, RJ_CRDT_ADD, i, &delta);
    say("add", last / (cpu_ms() - start) / 1e3, "M/s");
    say("delta", (double)delta.len, "bytes");
    say("memory", (memory() - before) / n, "bytes/element");
    start = cpu_ms();
    must(rj_crdt_encode(v, bytes));
    say("write", cpu_ms() - start, "ms");
    say("state", (double)bytes->len / n, "bytes/element");
    rj_crdt_free(v);
    rj_crdt_buf_free(&delta);
}

/* The least time of some joins of a with b. */
static double join_ms(struct rj_bytes a, const struct rj_crdt *b)
{
    double best = 1e9, start, ms;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        struct rj_crdt *copy = make("", a);

        start = cpu_ms();
        must(rj_crdt_join(copy, b, NULL));
        ms = cpu_ms() - start;
        best = ms < best ? ms : best;
        rj_crdt_free(copy);
    }
    return best;
}

static void exchange(uint32_t n, struct rj_crdt *a, struct rj_crdt *b)
{
    uint32_t some = n / SHARE, step = SHARE / 2 - 1, i;
    struct rj_crdt_buf digest = {0}, delta = {0}, state = {0};
    double best = 1e9, start, ms;
    uint64_t count;

    for (i = 0; i < some; i++) {
        change(a, RJ_CRDT_REMOVE, 2 * i * step, NULL);
        change(a, RJ_CRDT_ADD, n + i, NULL);
        change(b, RJ_CRDT_REMOVE, (2 * i + 1) * step, NULL);
        change(b, RJ_CRDT_ADD, n + some + i, NULL);
    }
    must(rj_crdt_digest(a, &digest));
    for (i = 0; i < ROUNDS; i++) {
        start = cpu_ms();
        must(rj_crdt_diff(b, rj_crdt_bytes(&digest), &delta));
        ms = cpu_ms() - start;
        best = ms < best ? ms : best;
    }
    say("diff", best, "ms");
    say("diff.size", (double)delta.len, "bytes");
    must(rj_crdt_encode(a, &state));
    say("join.state", join_ms(rj_crdt_bytes(&state), b), "ms");
    start = cpu_ms();
    must(rj_crdt_join_bytes(a, rj_crdt_bytes(&delta), NULL));
    say("join.diff", cpu_ms() - start, "ms");
    must(rj_crdt_count(a, NULL, &count));
    if (count != n)
        say("wrong", (double)count - n, "elements");
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&delta);
    rj_crdt_buf_free(&state);
}

int main(int argc, char **argv)
{
    uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    struct rj_crdt_buf bytes = {0};
    struct rj_crdt *a, *b;
    double start;

    fill(n, &bytes);
    start = cpu_ms();
    a = make("a", rj_crdt_bytes(&bytes));
    say("read", cpu_ms() - start, "ms");
    b = make("b", rj_crdt_bytes(&bytes));
    exchange(n, a, b);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&bytes);
    return 0;
}
