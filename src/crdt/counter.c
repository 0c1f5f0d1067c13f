/* SPDX-License-Identifier: Apache-2.0 */
/* Counter with observed resets. A run is three parts that join each by itself: the tip
 * (seq, cum) and the floor (floor_seq, floor_cum), each by the greater pair, and the
 * deadline by the greater (setter, deadline). Running sums, not deltas: a state can be
 * made again from the last increment.
 *
 * Who writes honestly tells of one (origin, epoch, seq) one cum; who lies is only
 * resolved alike everywhere. Invariant, after every join: floor_seq <= d.seq, and where
 * they are equal, floor_cum == cum. A floor that reaches the tip or goes beyond it
 * becomes the tip (the run is dead, whatever sum was told there); joining before or after
 * this gives the same, so a state depends on the set of what was joined alone.
 *
 * Almeida, Baquero 2019, "Scalable eventually consistent counters"; Weidner, Almeida
 * 2022, "An oblivious observed-reset embeddable replicated counter". */
#include "crdt/counter.h"

#include "base/alloc.h"

__extension__ typedef __int128 wide;

struct rj_run *rj_run_new(void)
{
    struct rj_run *run = rj_alloc_zero(1, sizeof(*run));

    if (run != NULL)
        run->d.sort = RJ_DOTTED_RUN;
    return run;
}

static bool is_greater(uint64_t seq, int64_t cum, uint64_t than_seq, int64_t than_cum)
{
    return seq != than_seq ? seq > than_seq : cum > than_cum;
}

/* Restores the invariant. The stamp is that of the increment d.seq, if known. */
static void settle(struct rj_run *run)
{
    if (run->floor_seq < run->d.seq || run->floor_seq == 0)
        return;
    if (run->floor_seq > run->d.seq)
        run->d.stamp = 0;
    run->d.seq = run->floor_seq;
    run->cum = run->floor_cum;
}

static void join_floor(struct rj_run *run, uint64_t seq, int64_t cum)
{
    if (is_greater(seq, cum, run->floor_seq, run->floor_cum)) {
        run->floor_seq = seq;
        run->floor_cum = cum;
    }
    settle(run);
}

void rj_run_lengthen(struct rj_run *run, uint64_t seq, int64_t cum, uint64_t stamp)
{
    if (seq > run->d.seq || (seq == run->d.seq && stamp > run->d.stamp))
        run->d.stamp = stamp;
    if (is_greater(seq, cum, run->d.seq, run->cum)) {
        run->d.seq = seq;
        run->cum = cum;
    }
    settle(run);
}

void rj_run_join(struct rj_run *run, const struct rj_run *other,
                 const struct rj_origins *origins)
{
    rj_run_lengthen(run, other->d.seq, other->cum, other->d.stamp);
    join_floor(run, other->floor_seq, other->floor_cum);
    rj_run_touch(run, other->d.deadline, &other->setter, origins);
}

void rj_run_reset(struct rj_run *run, uint64_t seq, int64_t cum)
{
    join_floor(run, seq, cum);
}

void rj_run_touch(struct rj_run *run, uint64_t deadline, const struct rj_rank *setter,
                  const struct rj_origins *origins)
{
    int order = rj_rank_compare(origins, setter, &run->setter);

    if (order > 0 || (order == 0 && deadline > run->d.deadline)) {
        run->setter = *setter;
        run->d.deadline = deadline;
    }
}

struct rj_run *rj_counter_find(struct rj_dotted *first, struct rj_dot base,
                               uint32_t origin, uint64_t epoch)
{
    struct rj_dotted *d;

    for (d = first; d != NULL; d = d->next) {
        struct rj_run *run = rj_run_of(d);

        if (d->sort == RJ_DOTTED_RUN && d->origin == origin && run->epoch == epoch &&
            rj_dot_is(run->base, base))
            return run;
    }
    return NULL;
}

struct rj_run *rj_counter_own(struct rj_dotted *first, struct rj_dot base,
                              uint32_t origin, uint64_t now_ms, int64_t delta)
{
    struct rj_run *own = NULL;
    struct rj_dotted *d;
    int64_t sum;

    for (d = first; d != NULL; d = d->next) {
        struct rj_run *run = rj_run_of(d);

        if (d->sort == RJ_DOTTED_RUN && d->origin == origin &&
            rj_dot_is(run->base, base) && (own == NULL || run->epoch > own->epoch))
            own = run;
    }
    if (own == NULL || rj_is_due(own->d.deadline, now_ms) ||
        __builtin_add_overflow(own->cum, delta, &sum))
        return NULL;
    return own;
}

bool rj_counter_sum(const struct rj_dotted *first, struct rj_dot base, uint64_t now_ms,
                    int64_t start, int64_t *ret_sum)
{
    const struct rj_dotted *d;
    wide sum = start;

    for (d = first; d != NULL; d = d->next) {
        const struct rj_run *run = rj_run_of_const(d);

        if (d->sort == RJ_DOTTED_RUN && rj_dot_is(run->base, base) &&
            !rj_is_due(d->deadline, now_ms))
            sum += (wide)run->cum - run->floor_cum;
    }
    if (sum > INT64_MAX)
        *ret_sum = INT64_MAX;
    else if (sum < INT64_MIN)
        *ret_sum = INT64_MIN;
    else
        *ret_sum = (int64_t)sum;
    return sum >= INT64_MIN && sum <= INT64_MAX;
}

struct rj_rank rj_counter_rank(const struct rj_dotted *first,
                               const struct rj_origins *origins, uint64_t now_ms)
{
    struct rj_rank rank = {0};
    const struct rj_dotted *d;

    for (d = first; d != NULL; d = d->next) {
        const struct rj_run *run = rj_run_of_const(d);

        if (d->sort != RJ_DOTTED_RUN || rj_run_is_based(run) || rj_run_is_dead(run) ||
            rj_is_due(d->deadline, now_ms))
            continue;
        rj_rank_raise(origins, &rank, d->stamp, rj_dotted_dot(d));
        if (rj_rank_compare(origins, &rank, &run->setter) < 0)
            rank = run->setter;
    }
    return rank;
}
