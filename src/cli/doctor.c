/* SPDX-License-Identifier: Apache-2.0 */
/* The list of findings that a look at a node makes. */
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void rj_doctor_add(struct rj_doctor *d, const char *check, enum rj_doctor_result result,
                   const char *format, ...)
{
    struct rj_doctor_finding *f;
    va_list args;

    if (d->n_findings == RJ_DOCTOR_MAX)
        return;
    f = &d->findings[d->n_findings++];
    f->check = check;
    f->result = result;
    va_start(args, format);
    (void)vsnprintf(f->why, sizeof(f->why), format, args);
    va_end(args);
}

void rj_doctor_fix(struct rj_doctor *d, const char *format, ...)
{
    va_list args;

    if (d->n_findings == 0)
        return;
    va_start(args, format);
    (void)vsnprintf(d->findings[d->n_findings - 1].fix, RJ_DOCTOR_FIX, format, args);
    va_end(args);
}

enum rj_doctor_result rj_doctor_worst(const struct rj_doctor *d, const char *check)
{
    enum rj_doctor_result worst = RJ_DOCTOR_GOOD;

    for (size_t i = 0; i < d->n_findings; i++) {
        const struct rj_doctor_finding *f = &d->findings[i];

        if ((check == NULL || strcmp(f->check, check) == 0) && f->result > worst)
            worst = f->result;
    }
    return worst;
}

const char *rj_doctor_quote(const char *path, char *room, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789/._-+:@";
    size_t n = 0;

    if (path[strspn(path, plain)] == '\0') {
        (void)snprintf(room, size, "%s", path);
        return room;
    }
    room[n++] = '\'';
    for (; *path != '\0' && n + 6 < size; path++) {
        if (*path == '\'')
            n += (size_t)snprintf(room + n, size - n, "'\\''");
        else
            room[n++] = *path;
    }
    room[n++] = '\'';
    room[n] = '\0';
    return room;
}
