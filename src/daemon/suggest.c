/* SPDX-License-Identifier: Apache-2.0 */
/* Distance of words: optimal string alignment (Damerau 1964; Wagner and Fischer 1974),
 * three rows of the table at a time. A candidate counts as near when at most two edits
 * away and when less than half of it would change. */
#include "daemon/suggest.h"

#include <string.h>

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

size_t rj_suggest_distance(const char *a, const char *b)
{
    size_t rows[3][RJ_SUGGEST_WORD_MAX + 1];
    size_t n = strlen(a), m = strlen(b);

    if (n > RJ_SUGGEST_WORD_MAX || m > RJ_SUGGEST_WORD_MAX)
        return RJ_SUGGEST_WORD_MAX;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *last = rows[(i - 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t cost = a[i - 1] != b[j - 1];

            row[j] = min3(row[j - 1] + 1, last[j] + 1, last[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                size_t swap = rows[(i - 2) % 3][j - 2] + 1;

                row[j] = swap < row[j] ? swap : row[j];
            }
        }
    }
    return rows[n % 3][m];
}

void rj_suggest_try(struct rj_suggest *s, const char *candidate)
{
    size_t d = rj_suggest_distance(s->word, candidate);

    if (d > RJ_SUGGEST_NEAR || 2 * d >= strlen(candidate) + 1 ||
        (s->best != NULL && d >= s->distance))
        return;
    s->best = candidate;
    s->distance = d;
}
