/* SPDX-License-Identifier: Apache-2.0 */
/* Picking at random, by number: what is picked is then found in one walk. Without
 * repetition by selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2,
 * algorithm S), so that the numbers come in ascending order; with repetition they are
 * sorted. */
#include "base/alloc.h"
#include "base/prng.h"
#include "face/resp_cmd.h"

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

enum rj_err rj_resp_pick(struct rj_resp_host *h, uint64_t n, uint64_t count, bool repeat,
                         struct rj_resp_pick *ret)
{
    struct rj_prng prng;
    size_t got = 0;

    if (n == 0)
        count = 0;
    if (!repeat && count > n)
        count = n;
    if (repeat && count > RJ_RESP_PICK_MAX)
        return RJ_ELIMIT;
    ret->index = rj_alloc_array(count, sizeof(*ret->index));
    if (ret->index == NULL)
        return RJ_ENOMEM;
    rj_prng_init(&prng, h->ops->random(h));
    if (repeat) {
        for (; got < count; got++)
            ret->index[got] = rj_prng_below(&prng, n);
        qsort(ret->index, got, sizeof(*ret->index), by_number);
    }
    for (uint64_t i = 0; got < count; i++)
        if (rj_prng_chance(&prng, count - got, n - i))
            ret->index[got++] = i;
    ret->n = got;
    return RJ_OK;
}

void rj_resp_pick_done(struct rj_resp_pick *p)
{
    free(p->index);
    *p = (struct rj_resp_pick){0};
}
