/* SPDX-License-Identifier: Apache-2.0 */
/* Reconciling two sets of a million elements of 12 bytes that share no metadata, by each
 * method: bytes and messages of both sides, CPU time of both, for 1 to 100,000 elements
 * that only one side has. "apart": each side made its rows itself; "copies": of one set,
 * changed on both sides, whose contexts neither side knew before.
 *
 *     crdt_recon [ELEMENTS [DIFFERENCES]] */
#include "crdt_bench.h"

static const struct rj_bytes key = {(const uint8_t *)"both sides' key.", 16};
static const char *const methods[] = {"auto", "range", "symbols"};

static struct rj_crdt *make(const char *name)
{
    return new_value(RJ_CRDT_ORSET, name, NULL);
}

/* Elements number from to to - 1. */
static void change(struct rj_crdt *v, enum rj_crdt_code code, uint32_t from, uint32_t to)
{
    uint8_t room[BENCH_KEY];

    for (; from < to; from++)
        must(rj_crdt_key_op(v, code, key_of(from, room), NULL));
}

struct result {
    size_t bytes, messages;
    double ms;
};

static struct result reconcile(struct rj_crdt *const v[2], enum rj_crdt_method method,
                               struct rj_crdt_buf deltas[2])
{
    struct rj_crdt_recon *r[2] = {NULL, NULL};
    struct rj_crdt_buf out[2] = {{0}, {0}};
    struct result result = {0};
    struct rj_bytes in = {0};
    double start = cpu_ms();
    bool done;
    size_t i, turn;

    for (i = 0; i < 2; i++)
        must(rj_crdt_recon_new(v[i], method, key, &r[i]));
    for (turn = 0; turn == 0 || in.len > 0; turn++) {
        i = turn % 2;
        must(rj_crdt_recon_turn(r[i], in, &out[i], &deltas[i], &done));
        in = rj_crdt_bytes(&out[i]);
        result.bytes += in.len;
        result.messages += in.len > 0;
    }
    result.ms = cpu_ms() - start;
    for (i = 0; i < 2; i++) {
        rj_crdt_recon_free(r[i]);
        rj_crdt_buf_free(&out[i]);
    }
    return result;
}

/* Half of d on each side; of copies half of these are removals on the other side. */
static void differ(uint32_t n, uint32_t d, bool copies, struct rj_crdt *v[2])
{
    uint32_t mine = (d + 1) / 2, removed = copies ? d / 4 : 0;

    v[0] = make("a");
    v[1] = make("b");
    if (copies) {
        change(v[0], RJ_CRDT_ADD, 0, n);
        must(rj_crdt_join(v[1], v[0], NULL));
        change(v[0], RJ_CRDT_REMOVE, 0, removed);
        change(v[1], RJ_CRDT_REMOVE, removed, 2 * removed);
        change(v[0], RJ_CRDT_ADD, n, n + mine - removed);
        change(v[1], RJ_CRDT_ADD, 2 * n, 2 * n + d / 2 - removed);
    } else {
        change(v[0], RJ_CRDT_ADD, 0, n);
        change(v[1], RJ_CRDT_ADD, mine, n + d / 2);
    }
}

static void check(struct rj_crdt *const v[2], const struct rj_crdt_buf deltas[2])
{
    uint64_t n[2];
    size_t i;

    for (i = 0; i < 2; i++) {
        must(rj_crdt_join_bytes(v[i], rj_crdt_bytes(&deltas[i]), NULL));
        must(rj_crdt_count(v[i], NULL, &n[i]));
    }
    if (n[0] != n[1])
        printf("  other elements on both sides\n");
}

static void run(uint32_t n, uint32_t d, bool copies)
{
    struct rj_crdt_buf deltas[2] = {{0}, {0}};
    struct rj_crdt *v[2];
    unsigned method;

    differ(n, d, copies, v);
    for (method = 0; method < 3; method++) {
        struct result r = reconcile(v, (enum rj_crdt_method)method, deltas);

        printf("%s, %u differ, %s: %zu bytes, %zu messages, %.0f ms\n",
               copies ? "copies" : "apart", d, methods[method], r.bytes, r.messages,
               r.ms);
        (void)fflush(stdout);
    }
    check(v, deltas);
    rj_crdt_free(v[0]);
    rj_crdt_free(v[1]);
    rj_crdt_buf_free(&deltas[0]);
    rj_crdt_buf_free(&deltas[1]);
}

int main(int argc, char **argv)
{
    uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000, d;

    for (d = 0; argc <= 2 && d <= n / 10; d = d == 0 ? 1 : d * 10) {
        run(n, d, false);
        if (d >= 100)
            run(n, d, true);
    }
    if (argc > 2) {
        d = (uint32_t)strtoul(argv[2], NULL, 10);
        run(n, d, false);
        run(n, d, true);
    }
    return 0;
}
