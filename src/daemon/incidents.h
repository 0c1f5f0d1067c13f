/* SPDX-License-Identifier: Apache-2.0 */
/* What the log warned of since the start, for `rejoin doctor`. */
#ifndef RJ_DAEMON_INCIDENTS_H
#define RJ_DAEMON_INCIDENTS_H

#include <rejoin/node.h>

enum { RJ_INCIDENTS_KINDS = 16, RJ_INCIDENTS_EVENT = 32, RJ_INCIDENTS_TEXT = 200 };

/* All lines of one event: how many, and the last one. */
struct rj_incident {
    char event[RJ_INCIDENTS_EVENT]; /* first word of the line; "": none here */
    char text[RJ_INCIDENTS_TEXT];
    uint64_t count;
    struct rj_wall last;
};

/* Zero-initialise. */
struct rj_incidents {
    struct rj_incident kinds[RJ_INCIDENTS_KINDS];
};

/* Takes a line of the log; those below RJ_NOTE_WARN are ignored. Of too many kinds the
 * one that is longest ago is forgotten. */
void rj_incidents_take(struct rj_incidents *all, enum rj_note_level level,
                       const char *text, struct rj_wall now);

#endif
