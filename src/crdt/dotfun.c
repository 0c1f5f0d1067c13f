/* SPDX-License-Identifier: Apache-2.0 */
/* Dot functions as short singly linked lists. Invariants: one version a dot; one run an
 * (origin, epoch, base); a run with a base is there only while its base is.
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 5. */
#include "crdt/dotfun.h"

#include "base/alloc.h"
#include "crdt/counter.h"

void rj_dotted_free(struct rj_dotted *d)
{
    if (d->sort >= RJ_DOTTED_GONE)
        rj_seen_done(&rj_gone_of(d)->late);
    free(d);
}

int rj_rank_compare(const struct rj_origins *origins, const struct rj_rank *a,
                    const struct rj_rank *b)
{
    if (a->dot.seq == 0 || b->dot.seq == 0)
        return (a->dot.seq != 0) - (b->dot.seq != 0);
    return rj_dot_order(origins, a->stamp, a->dot, b->stamp, b->dot);
}

void rj_rank_raise(const struct rj_origins *origins, struct rj_rank *rank, uint64_t stamp,
                   struct rj_dot dot)
{
    struct rj_rank other = {.stamp = stamp, .dot = dot};

    if (rj_rank_compare(origins, rank, &other) < 0)
        *rank = other;
}

struct rj_dotted *rj_dotfun_version(struct rj_dotted *first, struct rj_dot dot)
{
    struct rj_dotted *d;

    for (d = first; d != NULL; d = d->next) {
        if (d->sort == RJ_DOTTED_VERSION && d->seq == dot.seq && d->origin == dot.origin)
            return d;
    }
    return NULL;
}

void rj_dotfun_unlink(struct rj_dotted **first, struct rj_dotted *d)
{
    while (*first != d)
        first = &(*first)->next;
    *first = d->next;
    d->next = NULL;
}

struct rj_dotted *rj_dotfun_cut(struct rj_dotted **first, const struct rj_seen *seen)
{
    struct rj_dotted *cut = NULL, *runs;
    struct rj_dotted **at = first;

    if (seen->n == 0)
        return NULL;
    while (*at != NULL) {
        struct rj_dotted *d = *at;

        if (d->sort == RJ_DOTTED_VERSION && rj_seen_has(seen, rj_dotted_dot(d))) {
            *at = d->next;
            rj_dotfun_push(&cut, d);
        } else {
            at = &d->next;
        }
    }
    if (cut == NULL || *first == NULL)
        return cut;
    runs = rj_dotfun_cut_baseless(first);
    while (runs != NULL) {
        struct rj_dotted *run = runs;

        runs = run->next;
        rj_dotfun_push(&cut, run);
    }
    return cut;
}

struct rj_dotted *rj_dotfun_cut_baseless(struct rj_dotted **first)
{
    struct rj_dotted *cut = NULL;
    struct rj_dotted **at = first;

    while (*at != NULL) {
        struct rj_dotted *d = *at;

        if (d->sort == RJ_DOTTED_RUN && rj_run_is_based(rj_run_of(d)) &&
            rj_dotfun_version(*first, rj_run_of(d)->base) == NULL) {
            *at = d->next;
            rj_dotfun_push(&cut, d);
        } else {
            at = &d->next;
        }
    }
    return cut;
}

bool rj_dotted_stands(const struct rj_dotted *d)
{
    return d->sort == RJ_DOTTED_VERSION ||
           (d->sort == RJ_DOTTED_RUN && !rj_run_is_based(rj_run_of_const(d)) &&
            !rj_run_is_dead(rj_run_of_const(d)));
}

bool rj_dotfun_is_live(const struct rj_dotted *first)
{
    const struct rj_dotted *d;

    for (d = first; d != NULL; d = d->next) {
        if (rj_dotted_stands(d))
            return true;
    }
    return false;
}

bool rj_dotfun_is_shown(const struct rj_dotted *first, uint64_t now_ms)
{
    const struct rj_dotted *d;

    for (d = first; d != NULL; d = d->next) {
        if (rj_dotted_stands(d) && !rj_is_due(d->deadline, now_ms))
            return true;
    }
    return false;
}
