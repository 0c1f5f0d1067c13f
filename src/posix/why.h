/* SPDX-License-Identifier: Apache-2.0 */
/* The detail of an error, for people, in a caller's fixed buffer. */
#ifndef RJ_POSIX_WHY_H
#define RJ_POSIX_WHY_H

#include <stddef.h>

/* Formats as printf, cut to why_len bytes with the NUL. Nothing when why is NULL. */
void rj_why_set(char *why, size_t why_len, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
