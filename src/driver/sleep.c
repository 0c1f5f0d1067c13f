/* SPDX-License-Identifier: Apache-2.0 */
/* A sleep shows in two clocks of which one goes on in sleep (CLOCK_BOOTTIME and
 * CLOCK_MONOTONIC). A machine that is frozen from outside, as virtual ones are, may show
 * nothing there; but then a look comes far too late. */
#include "driver/sleep.h"

void rj_sleep_begin(struct rj_sleep *w, uint64_t slept_ms)
{
    *w = (struct rj_sleep){.slept_ms = slept_ms};
}

bool rj_sleep_look(struct rj_sleep *w, uint64_t slept_ms, struct rj_mono now)
{
    bool slept = slept_ms > w->slept_ms && slept_ms - w->slept_ms > RJ_SLEEP_MS;
    bool stalled = w->last.ms != 0 && now.ms > w->last.ms &&
                   now.ms - w->last.ms > RJ_SLEEP_STALLED_MS;

    w->slept_ms = slept_ms;
    w->last = now;
    return slept || stalled;
}
