/* SPDX-License-Identifier: Apache-2.0 */
/* How fast long work goes, and how long it will take. */
#ifndef RJ_CLI_PACE_H
#define RJ_CLI_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RJ_PACE_MS = 1000 /* nothing is said before it was watched so long */ };

/* Where the work stands: `count` things (keys, writes) were done so far, which is
 * done/all of it. */
struct rj_pace_at {
    uint64_t count, done, all;
};

/* What was seen first. Zeroed: nothing yet. */
struct rj_pace {
    bool begun;
    uint64_t since_ms;
    struct rj_pace_at first;
};

/* Takes a look at the work at now_ms and writes ", 1,234/s, 12 s left" into room: the
 * mean since the first look. Empty while nothing can be said; the time left alone is
 * missing when done does not grow. Returns room. */
const char *rj_pace_look(struct rj_pace *p, uint64_t now_ms, struct rj_pace_at at,
                         char *room, size_t size);

#endif
