/* SPDX-License-Identifier: Apache-2.0 */
/* An environment of a test's own: names with values, the last one NULL. */
#ifndef RJ_TEST_ENVIRONMENT_H
#define RJ_TEST_ENVIRONMENT_H

#include "support/test.h"

#include <stdio.h>
#include <string.h>

struct test_variable {
    const char *name, *value; /* value NULL: not set */
};

/* As getenv(3). */
static inline char *test_getenv(const struct test_variable *all, const char *name)
{
    static char copy[3][512]; /* what getenv returns can be written to */

    for (size_t i = 0; all[i].name != NULL; i++) {
        if (strcmp(all[i].name, name) != 0 || all[i].value == NULL)
            continue;
        (void)snprintf(copy[i], sizeof(copy[i]), "%s", all[i].value);
        return copy[i];
    }
    return NULL;
}

#endif
