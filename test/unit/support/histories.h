/* SPDX-License-Identifier: Apache-2.0 */
/* Random histories, one for each seed: SEED=N runs that one, SEEDS=N so many. Which one
 * failed is said at the end. */
#ifndef RJ_TEST_HISTORIES_H
#define RJ_TEST_HISTORIES_H

#include "support/test.h"

static uint64_t history_running; /* the seed, 0 when none is under way */

static inline void run_history(void (*run)(uint64_t seed), uint64_t seed)
{
    history_running = seed;
    run(seed);
    history_running = 0;
}

static inline void run_histories(void (*run)(uint64_t seed), uint64_t most)
{
    const char *seed = getenv("SEED"), *seeds = getenv("SEEDS");

    if (seed != NULL) {
        run_history(run, strtoull(seed, NULL, 10));
        return;
    }
    if (seeds != NULL)
        most = strtoull(seeds, NULL, 10);
    for (uint64_t s = 1; s <= most; s++)
        run_history(run, s);
}

static inline int tell_seed(void **state)
{
    (void)state;
    if (history_running != 0)
        print_error("the history of SEED=%llu failed\n",
                    (unsigned long long)history_running);
    return 0;
}

#endif
