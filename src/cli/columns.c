/* SPDX-License-Identifier: Apache-2.0 */
/* Tables. Widths are counted in characters (bytes that do not continue a UTF-8 sequence);
 * what is cut ends with "..". */
#include "cli/columns.h"

#include "base/alloc.h"

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

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++)
        n += !continues(*text);
    return n;
}

static const char *head_of(const struct rj_columns *t, size_t column)
{
    return t->heads[column] + (t->heads[column][0] == '>');
}

static void measure(const struct rj_columns *t, size_t widths[RJ_COLUMNS_MAX])
{
    size_t total = GAP * (t->n_columns - 1);

    for (size_t c = 0; c < t->n_columns; c++) {
        widths[c] = width_of(head_of(t, c));
        for (size_t i = c; i < t->n_cells; i += t->n_columns) {
            size_t w = width_of(t->cells[i]);

            widths[c] = w > widths[c] ? w : widths[c];
        }
        total += widths[c];
    }
    while (total > RJ_COLUMNS_WIDTH) {
        size_t widest = 0;

        for (size_t c = 1; c < t->n_columns; c++)
            widest = widths[c] >= widths[widest] ? c : widest;
        if (widths[widest] <= CUT_MIN)
            return;
        widths[widest]--;
        total--;
    }
}

/* One cell: cut or filled up to width. */
static void put_cell(FILE *out, const char *text, size_t width, bool right, bool last)
{
    size_t w = width_of(text), shown = 0;
    bool cut = w > width;

    if (right)
        (void)fprintf(out, "%*s", (int)(cut ? 0 : width - w), "");
    for (; *text != '\0'; text++) {
        if (!continues(*text) && cut && shown++ >= width - 2)
            break;
        (void)fputc(*text, out);
    }
    if (cut)
        (void)fputs("..", out);
    if (!right && !cut && !last)
        (void)fprintf(out, "%*s", (int)(width - w), "");
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
