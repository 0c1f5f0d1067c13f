/* SPDX-License-Identifier: Apache-2.0 */
/* Dot functions: the live writes at one place (a key, an element of a set, a field of a
 * hash), each a dot with what it wrote. Versions (crdt/register.h; an element's add is a
 * version without a value) and runs of increments (crdt/counter.h) are values; a *gone*
 * is a deletion that is remembered (bucket/gone.c), an *owed* one was forgotten while
 * this node still has something to tell of it (bucket/late.c); both show nothing. A place
 * with an empty list holds nothing.
 *
 * Nothing here allocates or frees (but rj_dotted_free): whoever owns the place brings the
 * memory and takes it back, so that it may lie inside a larger node (`home`). */
#ifndef RJ_CRDT_DOTFUN_H
#define RJ_CRDT_DOTFUN_H

#include "causal/origin.h"
#include "crdt/seen.h"

enum rj_dotted_sort { RJ_DOTTED_VERSION, RJ_DOTTED_RUN, RJ_DOTTED_GONE, RJ_DOTTED_OWED };

/* Head of struct rj_version, struct rj_run, struct rj_gone. */
struct rj_dotted {
    struct rj_dotted *next;
    uint64_t seq;      /* with origin: the dot; of a run: of its last increment */
    uint64_t stamp;    /* of that write */
    uint64_t deadline; /* wall ms, 0 = never */
    uint32_t origin;
    uint8_t sort; /* enum rj_dotted_sort */
    bool home;    /* lies inside the node that owns the place */
    bool mark;    /* for whoever walks the list, false otherwise */
};

/* A deletion that is remembered, or owed. */
struct rj_gone {
    struct rj_dotted d;
    struct rj_seen late; /* writes that it ended and its author had not seen */
    bool ripe;           /* this node could have written of it when it looked last */
};

static inline struct rj_gone *rj_gone_of(struct rj_dotted *d)
{
    return (struct rj_gone *)(void *)d;
}

/* Frees d, which is no home. */
void rj_dotted_free(struct rj_dotted *d);

/* (stamp, dot): the order that decides what is shown. dot.seq 0: nothing. */
struct rj_rank {
    uint64_t stamp;
    struct rj_dot dot;
};

static inline struct rj_dot rj_dotted_dot(const struct rj_dotted *d)
{
    return (struct rj_dot){.seq = d->seq, .origin = d->origin};
}

/* A value is due, and hidden at once, when its deadline is not after now. */
static inline bool rj_is_due(uint64_t deadline, uint64_t now_ms)
{
    return deadline != 0 && deadline <= now_ms;
}

static inline bool rj_dot_is(struct rj_dot a, struct rj_dot b)
{
    return a.seq == b.seq && a.origin == b.origin;
}

/* < 0, 0, > 0; nothing is before everything. */
int rj_rank_compare(const struct rj_origins *origins, const struct rj_rank *a,
                    const struct rj_rank *b);
/* rank := the greater of rank and (stamp, dot). */
void rj_rank_raise(const struct rj_origins *origins, struct rj_rank *rank, uint64_t stamp,
                   struct rj_dot dot);

/* The version with that dot; NULL: none. */
struct rj_dotted *rj_dotfun_version(struct rj_dotted *first, struct rj_dot dot);

static inline void rj_dotfun_push(struct rj_dotted **first, struct rj_dotted *d)
{
    d->next = *first;
    *first = d;
}

/* Takes d out of the list that it is in. */
void rj_dotfun_unlink(struct rj_dotted **first, struct rj_dotted *d);
/* Takes out every version that seen overwrites, and then the runs whose base is not there
 * (any more). Returns them as a list of their own, NULL: none; its owner frees them. */
struct rj_dotted *rj_dotfun_cut(struct rj_dotted **first, const struct rj_seen *seen);
/* Takes out the runs whose base is not there. As above. */
struct rj_dotted *rj_dotfun_cut_baseless(struct rj_dotted **first);
/* True iff something other than removal records (dead runs, gones) is in the list. */
bool rj_dotfun_is_live(const struct rj_dotted *first);
/* True iff some of that is not due: the place shows something. */
bool rj_dotfun_is_shown(const struct rj_dotted *first, uint64_t now_ms);
/* True iff d is a value by itself: no gone, no dead run, nor one that only adds to its
 * base. */
bool rj_dotted_stands(const struct rj_dotted *d);

#endif
