/* SPDX-License-Identifier: Apache-2.0 */
/* Tables. Where a line would be too long, text gives way before numbers; what is cut ends
 * with "..". */
#include "cli/columns.h"

#include "base/alloc.h"
#include "cli/width.h"

#include <string.h>

enum { GAP = 2, CUT_MIN = 8 };

void rj_columns_init(struct rj_columns *t, const char *const *heads, size_t n_columns)
{
    *t = (struct rj_columns){.heads = heads, .n_columns = n_columns};
}

void rj_columns_done(struct rj_columns *t)
{
    free(t->cells);
    *t = (struct rj_columns){0};
}

void rj_columns_cell(struct rj_columns *t, const char *text)
{
    if (t->n_cells == t->cap_cells) {
        size_t cap = t->cap_cells > 0 ? 2 * t->cap_cells : 64;
        void *grown = rj_alloc_resize(t->cells, cap, RJ_COLUMNS_CELL_MAX);

        if (grown == NULL) {
            t->failed = true;
            return;
        }
        t->cells = grown;
        t->cap_cells = cap;
    }
    (void)snprintf(t->cells[t->n_cells++], RJ_COLUMNS_CELL_MAX, "%s", text);
}

static const char *head_of(const struct rj_columns *t, size_t column)
{
    return t->heads[column] + (t->heads[column][0] == '>');
}

/* The widest column that may be cut, of numbers too or not; n_columns: none. */
static size_t widest_of(const struct rj_columns *t, const size_t *widths, bool numbers)
{
    size_t widest = t->n_columns;

    for (size_t c = 0; c < t->n_columns; c++) {
        if ((numbers || t->heads[c][0] != '>') && widths[c] > CUT_MIN &&
            (widest == t->n_columns || widths[c] >= widths[widest]))
            widest = c;
    }
    return widest;
}

static void measure(const struct rj_columns *t, size_t widths[RJ_COLUMNS_MAX])
{
    size_t total = GAP * (t->n_columns - 1);

    for (size_t c = 0; c < t->n_columns; c++) {
        widths[c] = rj_width_text(head_of(t, c));
        for (size_t i = c; i < t->n_cells; i += t->n_columns) {
            size_t w = rj_width_text(t->cells[i]);

            widths[c] = w > widths[c] ? w : widths[c];
        }
        total += widths[c];
    }
    while (total > RJ_COLUMNS_WIDTH) {
        size_t widest = widest_of(t, widths, false);

        if (widest == t->n_columns)
            widest = widest_of(t, widths, true);
        if (widest == t->n_columns)
            return;
        widths[widest]--;
        total--;
    }
}

/* One cell: cut or filled up to width. */
static void put_cell(FILE *out, const char *text, size_t width, bool right, bool last)
{
    size_t len = strlen(text), used = rj_width_text(text);
    bool cut = used > width;

    if (cut) {
        len = rj_width_fit(text, width - 2, &used);
        used += 2;
    }
    (void)fprintf(out, "%*s%.*s%s%*s", right ? (int)(width - used) : 0, "", (int)len,
                  text, cut ? ".." : "", right || last ? 0 : (int)(width - used), "");
    (void)fputs(last ? "\n" : "  ", out);
}

void rj_columns_print(const struct rj_columns *t, FILE *out, bool bold_head)
{
    size_t widths[RJ_COLUMNS_MAX] = {0};

    measure(t, widths);
    if (bold_head)
        (void)fputs("\033[1m", out);
    for (size_t c = 0; c < t->n_columns; c++)
        put_cell(out, head_of(t, c), widths[c], t->heads[c][0] == '>',
                 c + 1 == t->n_columns);
    if (bold_head)
        (void)fputs("\033[0m", out);
    for (size_t i = 0; i + t->n_columns <= t->n_cells; i += t->n_columns) {
        for (size_t c = 0; c < t->n_columns; c++)
            put_cell(out, t->cells[i + c], widths[c], t->heads[c][0] == '>',
                     c + 1 == t->n_columns);
    }
}
