/* SPDX-License-Identifier: Apache-2.0 */
/* A small sorted array: most lists hold one pair, none more than there are origins.
 * Causal contexts compressed by origin: Almeida, Shoker, Baquero 2018, "Delta state
 * replicated data types", section 7. */
#include "crdt/seen.h"

#include "base/alloc.h"

/* Index of the first pair whose origin is >= the given one. */
static size_t place_of(const struct rj_seen *s, uint32_t origin)
{
    size_t low = 0, high = s->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (s->pairs[mid].origin < origin)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

enum rj_err rj_seen_reserve(struct rj_seen *s, size_t n)
{
    size_t cap = s->cap != 0 ? s->cap : 4;
    struct rj_seen_pair *pairs;

    if (n <= s->cap)
        return RJ_OK;
    while (cap < n)
        cap *= 2;
    pairs = rj_alloc_resize(s->pairs, cap, sizeof(*pairs));
    if (pairs == NULL)
        return RJ_ENOMEM;
    s->pairs = pairs;
    s->cap = cap;
    return RJ_OK;
}

enum rj_err rj_seen_add(struct rj_seen *s, struct rj_dot dot)
{
    size_t at = place_of(s, dot.origin);

    if (at < s->n && s->pairs[at].origin == dot.origin) {
        if (s->pairs[at].seq < dot.seq)
            s->pairs[at].seq = dot.seq;
        return RJ_OK;
    }
    if (rj_seen_reserve(s, s->n + 1) != RJ_OK)
        return RJ_ENOMEM;
    memmove(s->pairs + at + 1, s->pairs + at, (s->n - at) * sizeof(*s->pairs));
    s->pairs[at] = (struct rj_seen_pair){.seq = dot.seq, .origin = dot.origin};
    s->n++;
    return RJ_OK;
}

void rj_seen_bound(struct rj_seen *s, uint32_t origin, uint64_t from)
{
    size_t at = place_of(s, origin);

    if (at < s->n && s->pairs[at].origin == origin)
        s->pairs[at].from = from;
}

bool rj_seen_has(const struct rj_seen *s, struct rj_dot dot)
{
    size_t at = s->n > 0 ? place_of(s, dot.origin) : 0;

    return at < s->n && s->pairs[at].origin == dot.origin &&
           dot.seq <= s->pairs[at].seq && dot.seq >= s->pairs[at].from;
}

void rj_seen_clear(struct rj_seen *s)
{
    s->n = 0;
}

void rj_seen_done(struct rj_seen *s)
{
    if (s == NULL)
        return;
    free(s->pairs);
    *s = (struct rj_seen){0};
}
