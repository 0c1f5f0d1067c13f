/* SPDX-License-Identifier: Apache-2.0 */
/* Counter as runs of increments. A run is what one origin has added in one go: it is
 * named by (origin, epoch), epoch being the sequence of its first increment; only that
 * origin lengthens it. A reset takes away what it has observed of a run, a prefix, so
 * concurrent increments survive it. A run that was taken away wholly is dead: a removal
 * record. A run may hang on a version of a register (its base), whose value it adds to;
 * such a run is never reset, it lives and dies with that version (it has a floor only
 * where a fork, R7, made it go on from another run). */
#ifndef RJ_CRDT_COUNTER_H
#define RJ_CRDT_COUNTER_H

#include "crdt/dotfun.h"

struct rj_run {
    struct rj_dotted d; /* seq, stamp: of the last increment (stamp 0: not known) */
    uint64_t epoch;     /* sequence of the first increment */
    int64_t cum;        /* sum of the run up to d.seq */
    uint64_t floor_seq; /* what resets have taken away: up to this increment ... */
    int64_t floor_cum;  /* ... and the sum there. 0, 0: nothing */
    struct rj_dot base; /* seq 0: none */
    struct rj_rank
        setter; /* the write that set d.deadline; nothing: the first increment */
};

static inline struct rj_run *rj_run_of(struct rj_dotted *d)
{
    return (struct rj_run *)(void *)d;
}

static inline const struct rj_run *rj_run_of_const(const struct rj_dotted *d)
{
    return (const struct rj_run *)(const void *)d;
}

static inline bool rj_run_is_dead(const struct rj_run *run)
{
    return run->floor_seq == run->d.seq && run->floor_cum == run->cum;
}

static inline bool rj_run_is_based(const struct rj_run *run)
{
    return run->base.seq != 0;
}

/* An empty run on the heap; free(). NULL: no memory. */
RJ_NODISCARD struct rj_run *rj_run_new(void);
/* run := run joined with the tip (seq, cum), its increment seq made at stamp (0: not
 * known); no floor and no deadline changes. */
void rj_run_lengthen(struct rj_run *run, uint64_t seq, int64_t cum, uint64_t stamp);
/* run := run joined with other, a state of the same run: the greater tip, the greater
 * floor, the greater deadline. */
void rj_run_join(struct rj_run *run, const struct rj_run *other,
                 const struct rj_origins *origins);
/* Takes away what lies up to seq, where the run's sum was cum. */
void rj_run_reset(struct rj_run *run, uint64_t seq, int64_t cum);
/* Sets the deadline if (stamp, dot) in setter is greater than that of who set it, or the
 * same and the deadline is greater. */
void rj_run_touch(struct rj_run *run, uint64_t deadline, const struct rj_rank *setter,
                  const struct rj_origins *origins);

/* The run (origin, epoch) on that base (seq 0: none); NULL: not there. */
struct rj_run *rj_counter_find(struct rj_dotted *first, struct rj_dot base,
                               uint32_t origin, uint64_t epoch);
/* The run that origin would lengthen by delta: its youngest on that base that is not due
 * and stays within int64. NULL: it begins one. */
struct rj_run *rj_counter_own(struct rj_dotted *first, struct rj_dot base,
                              uint32_t origin, uint64_t now_ms, int64_t delta);
/* start plus all on that base that is not due. Beyond int64 it stops at the end of int64:
 * false. */
bool rj_counter_sum(const struct rj_dotted *first, struct rj_dot base, uint64_t now_ms,
                    int64_t start, int64_t *ret_sum);
/* The greatest rank among the live runs without a base that are not due: of their last
 * increments and of what set their deadlines. Nothing: there are none. */
struct rj_rank rj_counter_rank(const struct rj_dotted *first,
                               const struct rj_origins *origins, uint64_t now_ms);

#endif
