/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of errors are best effort: a cut text is better than a second error. */
#include "posix/why.h"

#include <stdarg.h>
#include <stdio.h>

void rj_why_set(char *why, size_t why_len, const char *format, ...)
{
    va_list args;

    if (why == NULL || why_len == 0)
        return;
    va_start(args, format);
    (void)vsnprintf(why, why_len, format, args);
    va_end(args);
}
