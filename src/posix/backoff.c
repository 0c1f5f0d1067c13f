/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential backoff with jitter: the wait is drawn evenly from [min, cap] and cap
 * doubles with each attempt. Many devices that lost the same peer at one moment so do not
 * come back at one moment; and none waits longer than max. (M. Brooker, "Exponential
 * backoff and jitter", 2015: "full jitter", here with a floor.) */
#include "posix/backoff.h"

void rj_backoff_init(struct rj_backoff *backoff, uint32_t min_ms, uint32_t max_ms)
{
    backoff->min_ms = min_ms > 0 ? min_ms : 1;
    backoff->max_ms = max_ms > backoff->min_ms ? max_ms : backoff->min_ms;
    rj_backoff_reset(backoff);
}

uint32_t rj_backoff_next_ms(struct rj_backoff *backoff, uint64_t draw)
{
    uint64_t span = (uint64_t)backoff->cap_ms - backoff->min_ms + 1;
    uint32_t wait_ms = (uint32_t)(backoff->min_ms + draw % span);

    if (backoff->cap_ms > backoff->max_ms / 2)
        backoff->cap_ms = backoff->max_ms;
    else
        backoff->cap_ms *= 2;
    return wait_ms;
}

void rj_backoff_reset(struct rj_backoff *backoff)
{
    backoff->cap_ms =
        backoff->min_ms <= backoff->max_ms / 2 ? backoff->min_ms * 2 : backoff->max_ms;
}
