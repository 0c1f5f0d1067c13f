/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of at most 80 columns for people. */
#ifndef RJ_CLI_COLUMNS_H
#define RJ_CLI_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
    RJ_COLUMNS_MAX = 10,
    RJ_COLUMNS_CELL_MAX = 160, /* bytes kept of a cell */
    RJ_COLUMNS_WIDTH = 80
};

struct rj_columns {
    /* n_columns of them; one that begins with '>' aligns right. */
    const char *const *heads;
    size_t n_columns;
    char (*cells)[RJ_COLUMNS_CELL_MAX];
    size_t n_cells, cap_cells;
    bool failed; /* out of memory: it prints what it has */
};

/* heads must outlive the table. n_columns <= RJ_COLUMNS_MAX. */
void rj_columns_init(struct rj_columns *t, const char *const *heads, size_t n_columns);
void rj_columns_done(struct rj_columns *t);
/* Adds the next cell, row by row. */
void rj_columns_cell(struct rj_columns *t, const char *text);
/* Prints head and rows. The widest columns are cut until a line fits RJ_COLUMNS_WIDTH. */
void rj_columns_print(const struct rj_columns *t, FILE *out, bool bold_head);

#endif
