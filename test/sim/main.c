/* SPDX-License-Identifier: Apache-2.0 */
/* sim named [NAME]       the named scenarios whose name contains NAME
 * sim random N [FIRST]   N random histories from seed FIRST (1)
 * sim seed N [-v]        one random history; -v: everything that happens
 * sim twice N [FIRST]    N histories two times each: the traces must be equal
 * sim forks ...          the same of histories in which machines are copied
 * sim deletes ...        ... in which deletions win
 * Output is TAP; exit status 0: nothing failed. */
#include "sim/named.h"
#include "sim/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SHUFFLES = 4 }; /* runs of a named scenario beside the orderly one */

static const struct sim_named *const tables[] = {
    sim_named_sync,   sim_named_state,   sim_named_transfer, sim_named_merge,
    sim_named_rights, sim_named_readmit, sim_named_trouble,  sim_named_fork,
    sim_named_apart,  sim_named_cast,    sim_named_gone};

struct tally {
    unsigned passed, failed, skipped;
    struct sim_stats stats;
};

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int summary(const struct tally *t)
{
    printf("%u passed, %u failed, %u skipped\n", t->passed, t->failed, t->skipped);
    return t->failed > 0 ? 1 : 0;
}

static void count(struct tally *t, const struct sim_world *w)
{
    t->stats.events += w->stats.events;
    t->stats.ops += w->stats.ops;
    t->stats.refused += w->stats.refused;
    t->stats.faults += w->stats.faults;
    t->stats.crashes += w->stats.crashes;
    t->stats.sent_bytes += w->stats.sent_bytes;
    t->stats.stranded += w->stats.stranded;
    t->stats.apart += w->stats.apart;
    t->stats.beyond += w->stats.beyond;
}

/* ---- named */

static bool run_named(const struct sim_named *s, unsigned number, bool verbose)
{
    char why[SIM_WHY_MAX + 60] = "";

    for (uint64_t seed = 0; seed <= SHUFFLES && why[0] == '\0'; seed++) {
        struct sim_world *w = sim_world_new(seed, verbose);

        w->tidy = seed == 0;
        s->run(w);
        if (w->failed)
            sim_explain(w);
        if (w->failed)
            snprintf(why, sizeof(why), " # seed %" PRIu64 " %s", seed, w->why);
        sim_world_free(w);
    }
    printf("%s %u - %s%s\n", why[0] == '\0' ? "ok" : "not ok", number, s->name, why);
    fflush(stdout);
    return why[0] == '\0';
}

static int named(const char *want, bool verbose)
{
    struct tally t = {0};
    unsigned number = 0;

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        for (const struct sim_named *s = tables[i]; s->name != NULL; s++) {
            if (want != NULL && strstr(s->name, want) == NULL)
                continue;
            if (run_named(s, ++number, verbose))
                t.passed++;
            else
                t.failed++;
        }
    printf("1..%u\n", number);
    return summary(&t);
}

/* ---- random */

/* What random histories are told beside their seeds. */
static bool forks;
static enum rj_policy policy;

static struct sim_world *run_seed(uint64_t seed, bool verbose)
{
    struct sim_world *w = sim_world_new(seed, verbose);

    w->forks = forks;
    w->policy = policy;
    w->watch = verbose ? getenv("SIM_WATCH") : NULL;
    sim_random(w);
    if (w->failed)
        sim_explain(w);
    return w;
}

static int randoms(uint64_t n, uint64_t first)
{
    struct tally t = {0};
    double began = seconds(), took;

    for (uint64_t i = 0; i < n; i++) {
        struct sim_world *w = run_seed(first + i, false);

        count(&t, w);
        if (w->failed) {
            t.failed++;
            printf("not ok %" PRIu64 " - random history # seed %" PRIu64 " %s\n", i + 1,
                   first + i, w->why);
            fflush(stdout);
        } else if (w->stats.beyond > 0) {
            t.skipped++;
            printf("# seed %" PRIu64 ": %" PRIu64
                   " values returned with a state, as is known\n",
                   first + i, w->stats.beyond);
        } else {
            t.passed++;
        }
        sim_world_free(w);
    }
    took = seconds() - began;
    if (t.failed == 0)
        printf("ok 1 - %" PRIu64 " random histories from seed %" PRIu64 "\n", n, first);
    printf("# %.1f s, %.0f seeds an hour, %" PRIu64 " events, %" PRIu64
           " writes, %" PRIu64 " faults, %" PRIu64 " crashes, %" PRIu64
           " MiB sent, %" PRIu64 " stranded, %" PRIu64
           " with branches reported and not merged, %" PRIu64
           " deleted values returned\n",
           took, (double)n / (took > 0 ? took : 1) * 3600, t.stats.events, t.stats.ops,
           t.stats.faults, t.stats.crashes, t.stats.sent_bytes >> 20, t.stats.stranded,
           t.stats.apart, t.stats.beyond);
    return summary(&t);
}

static int one(uint64_t seed, bool verbose)
{
    struct tally t = {0};
    struct sim_world *w = run_seed(seed, verbose);

    printf("%s 1 - random history, trace %016" PRIx64 " # seed %" PRIu64 " %s\n",
           w->failed ? "not ok" : "ok", w->hash, seed, w->why);
    t.failed = w->failed;
    t.passed = !w->failed;
    sim_world_free(w);
    return summary(&t);
}

static int twice(uint64_t n, uint64_t first)
{
    struct tally t = {0};

    for (uint64_t seed = first; seed < first + n; seed++) {
        struct sim_world *a = run_seed(seed, false);
        void *shift = malloc(4096 + seed % 512); /* other addresses */
        struct sim_world *b = run_seed(seed, false);
        bool same = a->hash == b->hash;

        if (!same)
            printf("not ok %" PRIu64 " - two runs differ # seed %" PRIu64 "\n", seed,
                   seed);
        t.passed += same;
        t.failed += !same;
        sim_world_free(a);
        sim_world_free(b);
        free(shift);
    }
    if (t.failed == 0)
        printf("ok 1 - each of %" PRIu64 " seeds ran twice alike\n", n);
    return summary(&t);
}

static uint64_t number(const char *text, uint64_t otherwise)
{
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    bool verbose = argc > 2 && strcmp(argv[argc - 1], "-v") == 0;
    const char *arg;

    if (verbose)
        argc--;
    for (; argc > 2; argc--, argv++) {
        if (strcmp(argv[1], "forks") == 0)
            forks = true;
        else if (strcmp(argv[1], "deletes") == 0)
            policy = RJ_POLICY_DELETE_WINS;
        else
            break;
    }
    arg = argc > 2 ? argv[2] : NULL;
    if (argc < 2 || strcmp(argv[1], "named") == 0)
        return named(arg, verbose);
    if (strcmp(argv[1], "random") == 0)
        return randoms(number(arg, 100), number(argc > 3 ? argv[3] : NULL, 1));
    if (strcmp(argv[1], "seed") == 0)
        return one(number(arg, 1), verbose);
    if (strcmp(argv[1], "twice") == 0)
        return twice(number(arg, 20), number(argc > 3 ? argv[3] : NULL, 1));
    fprintf(stderr,
            "usage: sim named [NAME] | [forks] [deletes] random N [FIRST] | seed N |"
            " twice N [FIRST] [-v]\n");
    return 2;
}
