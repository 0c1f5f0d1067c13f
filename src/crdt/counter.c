/* SPDX-License-Identifier: Apache-2.0 */
/* Counter with observed resets. Each field of a run only grows in its own order (last
 * increment, floor, setter of the deadline), so two states of one run join by maximum,
 * field by field. Increments carry running sums, not only deltas: a state can be made
 * again from the last one. Invariants: floor_seq <= d.seq; of one (origin, epoch, seq)
 * there is one cum.
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

static void join_floor(struct rj_run *run, uint64_t seq, int64_t cum)
{
    if (seq > run->floor_seq || (seq == run->floor_seq && cum > run->floor_cum)) {
        run->floor_seq = seq;
        run->floor_cum = cum;
    }
    if (run->d.seq < run->floor_seq) {
        run->d.seq = run->floor_seq;
        run->cum = run->floor_cum;
    }
}

void rj_run_join(struct rj_run *run, const struct rj_run *other,
                 const struct rj_origins *origins)
{
    if (other->d.seq > run->d.seq) {
        run->d.seq = other->d.seq;
        run->cum = other->cum;
        run->d.stamp = other->d.stamp;
    } else if (other->d.seq == run->d.seq && other->d.stamp > run->d.stamp) {
        run->d.stamp = other->d.stamp;
    }
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
    if (rj_rank_compare(origins, setter, &run->setter) > 0) {
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

struct rj_run *rj_counter_own(struct rj_dotted *first, struct rj_dot base, uint32_t origin,
                              uint64_t now_ms, int64_t delta)
{
    struct rj_run *own = NULL;
    struct rj_dotted *d;
    int64_t sum;

    for (d = first; d != NULL; d = d->next) {
        struct rj_run *run = rj_run_of(d);

        if (d->sort == RJ_DOTTED_RUN && d->origin == origin && rj_dot_is(run->base, base) &&
            (own == NULL || run->epoch > own->epoch))
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
