/* SPDX-License-Identifier: Apache-2.0 */
/* A few kinds of warnings, each counted: what a person who asks "what is wrong?" wants to
 * know although the moment has passed. */
#include "daemon/incidents.h"

#include <stdio.h>
#include <string.h>

/* The entry of that event, or the one to be used for it. */
static struct rj_incident *entry(struct rj_incidents *all, const char *event, size_t len)
{
    struct rj_incident *oldest = &all->kinds[0];

    for (size_t i = 0; i < RJ_INCIDENTS_KINDS; i++) {
        struct rj_incident *one = &all->kinds[i];

        if (strlen(one->event) == len && memcmp(one->event, event, len) == 0)
            return one;
        if (one->last.ms < oldest->last.ms)
            oldest = one;
    }
    *oldest = (struct rj_incident){0};
    memcpy(oldest->event, event, len);
    return oldest;
}

void rj_incidents_take(struct rj_incidents *all, enum rj_note_level level,
                       const char *text, struct rj_wall now)
{
    size_t len = strcspn(text, " ");
    struct rj_incident *one;

    if (level < RJ_NOTE_WARN || len == 0 || len >= RJ_INCIDENTS_EVENT)
        return;
    one = entry(all, text, len);
    (void)snprintf(one->text, sizeof(one->text), "%s", text);
    one->count++;
    one->last = now;
}
