/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of at most 80 columns for people. */
#ifndef RJ_CLI_TABLE_H
#define RJ_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
    RJ_TABLE_COLUMNS_MAX = 10,
    RJ_TABLE_CELL_MAX = 160, /* bytes kept of a cell */
    RJ_TABLE_WIDTH = 80
};

struct rj_table {
    const char *const
        *heads; /* n_columns of them; one that begins with '>' aligns right */
    size_t n_columns;
    char (*cells)[RJ_TABLE_CELL_MAX];
    size_t n_cells, cap_cells;
    bool failed; /* out of memory: it prints what it has */
};

/* heads must outlive the table. n_columns <= RJ_TABLE_COLUMNS_MAX. */
void rj_table_init(struct rj_table *t, const char *const *heads, size_t n_columns);
void rj_table_done(struct rj_table *t);
/* Adds the next cell, row by row. */
void rj_table_cell(struct rj_table *t, const char *text);
/* Prints head and rows. The widest columns are cut until a line fits RJ_TABLE_WIDTH. */
void rj_table_print(const struct rj_table *t, FILE *out, bool bold_head);

#endif
