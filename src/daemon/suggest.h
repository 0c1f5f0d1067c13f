/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the closest of some words. */
#ifndef RJ_DAEMON_SUGGEST_H
#define RJ_DAEMON_SUGGEST_H

#include <stddef.h>

enum {
    RJ_SUGGEST_WORD_MAX = 40, /* longer words get no suggestion */
    RJ_SUGGEST_NEAR = 2       /* most edits that are still a slip */
};

/* Edits (insert, delete, replace, swap of neighbours) between two words; more than
 * RJ_SUGGEST_NEAR for words that are too long. */
size_t rj_suggest_distance(const char *a, const char *b);

struct rj_suggest {
    const char *word; /* what was typed */
    const char *best; /* the closest so far; NULL: none is near */
    size_t distance;
};

/* Considers one candidate, which must live as long as s is used. */
void rj_suggest_try(struct rj_suggest *s, const char *candidate);

#endif
