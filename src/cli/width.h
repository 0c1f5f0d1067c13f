/* SPDX-License-Identifier: Apache-2.0 */
/* How wide text is on a terminal. */
#ifndef RJ_CLI_WIDTH_H
#define RJ_CLI_WIDTH_H

#include <stddef.h>
#include <stdio.h>

/* Bytes of the character at the start of text (not empty) and the columns that it takes:
 * 2 for wide ones of East Asia and pictures, 0 for what combines with the one before. A
 * byte that is no UTF-8 is one character of one column. */
size_t rj_width_next(const char *text, size_t *ret_columns);
/* Columns of the whole text. */
size_t rj_width_text(const char *text);
/* Bytes of the longest start of text that takes at most so many columns; *ret_used (may
 * be NULL): how many it takes. */
size_t rj_width_fit(const char *text, size_t columns, size_t *ret_used);
/* Prints text, broken at blanks so that no line is wider than `columns`; the first one
 * begins at column `at`, the others are indented that much. A word that is too long for a
 * line is not cut. Ends with a newline. */
void rj_width_wrap(FILE *out, const char *text, size_t at, size_t columns);

#endif
