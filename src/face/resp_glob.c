/* SPDX-License-Identifier: Apache-2.0 */
/* Glob matching without recursion. Only the last star has to be tried again: whatever an
 * earlier star took more, the last one could take as well. So the cost is at most
 * |pattern| * |text|, and a budget bounds that too, since both come from strangers. */
#include "face/resp_glob.h"

struct matcher {
    struct rj_bytes pattern, text;
    bool nocase;
    uint64_t *steps;
};

static uint8_t fold(const struct matcher *m, uint8_t c)
{
    return m->nocase && c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* Takes n steps. */
static bool spend(const struct matcher *m, uint64_t n)
{
    *m->steps = *m->steps > n ? *m->steps - n : 0;
    return *m->steps > 0;
}

/* Does c match the class that opens at *at? Moves *at behind it. A class that is never
 * closed ends with the pattern; a range may stand either way round. */
static bool class_has(const struct matcher *m, size_t *at, uint8_t c)
{
    const struct rj_bytes p = m->pattern;
    size_t begin = *at;
    size_t i = begin + 1;
    bool negated = i < p.len && p.ptr[i] == '^';
    bool found = false;

    i += negated;
    while (i < p.len && p.ptr[i] != ']') {
        bool escaped = p.ptr[i] == '\\' && i + 1 < p.len;
        uint8_t low = fold(m, p.ptr[i + escaped]);
        uint8_t high = low;

        i += 1u + escaped;
        if (!escaped && i + 1 < p.len && p.ptr[i] == '-') {
            high = fold(m, p.ptr[i + 1]);
            i += 2;
        }
        found = found || (c >= low && c <= high) || (c >= high && c <= low);
    }
    *at = i < p.len ? i + 1 : p.len;
    (void)spend(m, *at - begin);
    return found != negated;
}

/* Does the pattern's element at *at (not a star) match c? Moves *at behind it if so. */
static bool element_has(const struct matcher *m, size_t *at, uint8_t c)
{
    const struct rj_bytes p = m->pattern;
    size_t i = *at;
    bool has;

    c = fold(m, c);
    if (p.ptr[i] == '?') {
        has = true;
        i++;
    } else if (p.ptr[i] == '[') {
        has = class_has(m, &i, c);
    } else {
        if (p.ptr[i] == '\\' && i + 1 < p.len)
            i++;
        has = fold(m, p.ptr[i]) == c;
        i++;
    }
    if (has)
        *at = i;
    return has;
}

static bool match(const struct matcher *m)
{
    size_t p = 0, t = 0;
    size_t star = SIZE_MAX, star_t = 0; /* behind the last star; where its rest begins */

    while (t < m->text.len) {
        if (!spend(m, 1))
            return false;
        if (p < m->pattern.len && m->pattern.ptr[p] == '*') {
            star = ++p;
            star_t = t;
            if (p == m->pattern.len)
                return *m->steps > 0;
        } else if (p < m->pattern.len && element_has(m, &p, m->text.ptr[t])) {
            t++;
        } else if (star != SIZE_MAX) {
            p = star;
            t = ++star_t;
        } else {
            return false;
        }
    }
    while (p < m->pattern.len && m->pattern.ptr[p] == '*')
        p++;
    return p == m->pattern.len && *m->steps > 0;
}

bool rj_resp_glob_match(struct rj_bytes pattern, struct rj_bytes text, uint64_t *steps)
{
    struct matcher m = {.pattern = pattern, .text = text, .steps = steps};

    return match(&m);
}

bool rj_resp_glob_match_nocase(struct rj_bytes pattern, struct rj_bytes text,
                               uint64_t *steps)
{
    struct matcher m = {.pattern = pattern, .text = text, .nocase = true, .steps = steps};

    return match(&m);
}
