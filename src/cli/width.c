/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of characters, by a table of our own (Unicode 15: EastAsianWidth.txt W and F,
 * and the blocks of combining marks): wcwidth(3) depends on the locale, and the same
 * table should look the same over ssh and in a test. */
#include "cli/width.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct range {
    uint32_t first, last;
};

static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},
    {0x23f0, 0x23f0},   {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x267f, 0x267f},   {0x2693, 0x2693},   {0x26a1, 0x26a1},
    {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},   {0x26ce, 0x26ce},
    {0x26d4, 0x26d4},   {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},
    {0x26fa, 0x26fa},   {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},
    {0x2728, 0x2728},   {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},
    {0x2757, 0x2757},   {0x2795, 0x2797},   {0x27b0, 0x27b0},   {0x27bf, 0x27bf},
    {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},   {0x2e80, 0x303e},
    {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0xa4c6},   {0xa960, 0xa97c},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe10, 0xfe19},   {0xfe30, 0xfe6b},
    {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18cff}, {0x1aff0, 0x1b2ff},
    {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a},
    {0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393},
    {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4},
    {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d},
    {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596},
    {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc},
    {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6df}, {0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc},
    {0x1f7e0, 0x1f7f0}, {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff},
    {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

static const struct range joined[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd},   {0x0610, 0x061a},
    {0x064b, 0x065f}, {0x0900, 0x0902}, {0x093c, 0x093c},   {0x0941, 0x0948},
    {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},   {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x202a, 0x202e},   {0x2060, 0x2064},
    {0x20d0, 0x20ff}, {0x302a, 0x302d}, {0x3099, 0x309a},   {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff}, {0xe0100, 0xe01ef},
};

static bool is_in(uint32_t c, const struct range *list, size_t n)
{
    for (size_t i = 0; i < n && list[i].first <= c; i++) {
        if (c <= list[i].last)
            return true;
    }
    return false;
}

/* Bytes that the first one promises; 1 for what begins no character. */
static size_t promised(uint8_t first)
{
    return first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1;
}

size_t rj_width_next(const char *text, size_t *ret_columns)
{
    uint8_t first = (uint8_t)text[0];
    size_t len = promised(first);
    uint32_t c = len == 1 ? first : first & (0x7fU >> len);

    for (size_t i = 1; i < len; i++) {
        if (((uint8_t)text[i] & 0xc0) != 0x80) {
            *ret_columns = 1;
            return 1;
        }
        c = c << 6 | ((uint8_t)text[i] & 0x3f);
    }
    *ret_columns = 1;
    if (len > 1 && is_in(c, joined, sizeof(joined) / sizeof(joined[0])))
        *ret_columns = 0;
    else if (len > 2 && is_in(c, wide, sizeof(wide) / sizeof(wide[0])))
        *ret_columns = 2;
    return len;
}

size_t rj_width_fit(const char *text, size_t columns, size_t *ret_used)
{
    size_t used = 0, width, len;
    const char *p = text;

    for (; *p != '\0'; p += len) {
        len = rj_width_next(p, &width);
        if (used + width > columns)
            break;
        used += width;
    }
    if (ret_used != NULL)
        *ret_used = used;
    return (size_t)(p - text);
}

size_t rj_width_text(const char *text)
{
    size_t total = 0, width;

    while (*text != '\0') {
        text += rj_width_next(text, &width);
        total += width;
    }
    return total;
}

void rj_width_wrap(FILE *out, const char *text, size_t at, size_t columns)
{
    size_t room = columns > at ? columns - at : 1;

    while (rj_width_text(text) > room) {
        size_t fits = rj_width_fit(text, room, NULL), cut = fits;

        if (text[cut] != ' ') {
            while (cut > 0 && text[cut - 1] != ' ')
                cut--;
        }
        if (cut == 0) /* one long word */
            cut = fits + strcspn(text + fits, " ");
        fits = cut;
        while (fits > 0 && text[fits - 1] == ' ')
            fits--;
        (void)fprintf(out, "%.*s\n", (int)fits, text);
        text += cut;
        text += strspn(text, " ");
        if (*text == '\0')
            return;
        (void)fprintf(out, "%*s", (int)at, "");
    }
    (void)fprintf(out, "%s\n", text);
}
