/* SPDX-License-Identifier: Apache-2.0 */
/* The mean since the first look, and what is left at that mean: work that goes on evenly
 * is told truly, and a burst does not make the numbers jump. */
#include "cli/pace.h"

#include "cli/cli.h"

#include <stdio.h>

/* a * b / c without overflow; c > 0. Good to a part in 2^53, which is plenty here. */
static uint64_t scaled(uint64_t a, uint64_t b, uint64_t c)
{
    double v = (double)a * (double)b / (double)c;

    return v < 1e18 ? (uint64_t)v : (uint64_t)1e18;
}

const char *rj_pace_look(struct rj_pace *p, uint64_t now_ms, struct rj_pace_at at,
                         char *room, size_t size)
{
    char rate[32], left[32] = "";
    uint64_t ms, count, done;

    room[0] = '\0';
    if (!p->begun || now_ms < p->since_ms || at.count < p->first.count ||
        at.done < p->first.done || at.all != p->first.all)
        *p = (struct rj_pace){.begun = true, .since_ms = now_ms, .first = at};
    ms = now_ms - p->since_ms;
    count = at.count - p->first.count;
    done = at.done - p->first.done;
    if (ms < RJ_PACE_MS || count == 0)
        return room;
    if (done > 0 && at.done < at.all)
        (void)rj_cli_time(scaled(at.all - at.done, ms, done) + 999, left, sizeof(left));
    (void)snprintf(room, size, ", %s/s%s%s%s",
                   rj_cli_number(scaled(count, 1000, ms), rate, sizeof(rate)),
                   left[0] != '\0' ? ", " : "", left, left[0] != '\0' ? " left" : "");
    return room;
}
