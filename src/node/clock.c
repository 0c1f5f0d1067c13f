/* SPDX-License-Identifier: Apache-2.0 */
/* R2: delivery never depends on a clock, but a stamp far ahead would win over concurrent
 * writes for years. So a node doubts its own clock when it jumps ahead while the
 * monotonic one does not, and when most peers say that it is ahead; while in doubt its
 * stamps go on from the last one. And as the first hop it refuses what a peer stamped
 * beyond its own clock and the bound, while most others agree with that clock; but not
 * for ever: after RJ_CLOCK_MS it is taken and reported, as if a relay had brought it,
 * since an acknowledged write that never arrives is worse than a stamp that wins too
 * often. */
#include "causal/stamp.h"
#include "node/state.h"

struct poll {
    size_t known, agree, behind;
};

/* What peers say: within the bound of our clock, behind it beyond the bound. */
static struct poll poll_peers(const struct rj_node *n, const struct rj_session *except)
{
    int64_t bound = (int64_t)n->limits.clock_bound_ms;
    struct poll p = {0};
    size_t i;

    for (i = 0; i < n->n_sessions; i++) {
        const struct rj_session *ss = n->sessions[i];

        if (ss == except || !ss->clock_known || ss->guest)
            continue;
        p.known++;
        p.agree += ss->clock_offset_ms <= bound && ss->clock_offset_ms >= -bound;
        p.behind += ss->clock_offset_ms < -bound;
    }
    return p;
}

/* What peers told was measured against our clock before it jumped. */
static void note_jump(struct rj_node *n, int64_t jump)
{
    size_t i;

    for (i = 0; i < n->n_sessions; i++)
        n->sessions[i]->clock_offset_ms -= jump - n->clock_jump_ms;
    n->clock_jump_ms = jump;
}

void rj_clock_step(struct rj_node *n)
{
    int64_t base = (int64_t)(n->now.wall.ms & INT64_MAX) - (int64_t)n->now.mono.ms;
    struct poll p;
    bool doubt = false;

    if (n->clock_based) {
        note_jump(n, base - n->clock_base_ms);
        doubt = n->clock_jump_ms > (int64_t)n->limits.clock_bound_ms;
    }
    p = poll_peers(n, NULL);
    if (p.known > 0 && p.agree * 2 > p.known)
        doubt = false;
    if (p.known > 0 && p.behind * 2 > p.known)
        doubt = true;
    if (!doubt) {
        n->clock_base_ms = base;
        n->clock_jump_ms = 0;
        n->clock_based = true;
    }
    if (doubt != n->clock_doubted)
        rj_node_note(n, doubt ? RJ_NOTE_WARN : RJ_NOTE_INFO, doubt ? RJ_ECLOCK : RJ_OK,
                     doubt ? "clock-doubted" : "clock-trusted");
    n->clock_doubted = doubt;
}

uint64_t rj_clock_stamp(const struct rj_space *s)
{
    struct rj_wall wall = s->node->now.wall;

    if (s->node->clock_doubted)
        wall.ms = 0;
    return rj_stamp_next(s->clock, wall);
}

bool rj_clock_refuses(struct rj_space *s, uint32_t origin, uint64_t stamp,
                      const struct rj_session *from)
{
    const struct rj_node *n = s->node;
    struct rj_mono *since = &s->os[origin].clock_since;
    struct poll p;

    if (from == NULL || rj_stamp_ms(stamp) <= n->now.wall.ms + n->limits.clock_bound_ms)
        return false;
    p = poll_peers(n, from);
    if (p.known == 0 || p.agree * 2 <= p.known)
        return false;
    if (since->ms == 0)
        since->ms = n->now.mono.ms + 1;
    return n->now.mono.ms < since->ms + RJ_CLOCK_MS;
}
