/* SPDX-License-Identifier: Apache-2.0 */
/* Structures of options that begin with their size, from callers that were compiled with
 * another version of the header: fields are only ever added at the end, and 0 is the
 * default of each. */
#ifndef RJ_BASE_OPTS_H
#define RJ_BASE_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { RJ_OPTS_MAX = 4096 }; /* bytes of a structure that could be meant */

/* Copies from (whose first member is a size_t: its size) to ret of size bytes; what from
 * lacks is 0. False: that is no size, or from asks for something that is not known here.
 */
static inline bool rj_opts_take(void *ret, size_t size, const void *from)
{
    const unsigned char *bytes = from;
    size_t given;

    memcpy(&given, from, sizeof(given));
    if (given < sizeof(given) || given > RJ_OPTS_MAX)
        return false;
    for (size_t i = size; i < given; i++) {
        if (bytes[i] != 0)
            return false;
    }
    memset(ret, 0, size);
    memcpy(ret, from, given < size ? given : size);
    return true;
}

#endif
