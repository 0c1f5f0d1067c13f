/* SPDX-License-Identifier: Apache-2.0 */
/* A header that is accepted has one form: written again, it gives the same bytes; its
 * numbers and deps keep their promises. */
#include "causal/batch.h"
#include "causal/kind.h"
#include "causal/stamp.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_deps(const struct rj_header *h)
{
    struct rj_reader r = rj_reader_of(h->deps);
    struct rj_origin_id last = {{0}};
    struct rj_dep dep;
    size_t n = 0;

    while (rj_deps_next(&r, &dep)) {
        if (n > 0 && memcmp(last.b, dep.origin.b, RJ_ORIGIN_LEN) >= 0)
            abort();
        if (dep.seq == 0 || dep.seq > UINT64_MAX / 2)
            abort();
        last = dep.origin;
        n++;
    }
    if (n != h->n_deps || n > RJ_ORIGINS_MAX || !rj_reader_complete(&r))
        abort();
}

static void check_numbers(const struct rj_header *h)
{
    if (h->first == 0 || rj_header_last(h) + 1 < h->first || !rj_stamp_is_valid(h->stamp))
        abort();
    if (h->count > RJ_BATCH_WRITES_MAX || (h->class == RJ_CLASS_HEAD) != (h->count == 0))
        abort();
    if (h->class == RJ_CLASS_MEMBER && h->count != 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_bytes input = {data, len};
    struct rj_buf again = {0};
    struct rj_header h;

    if (rj_header_get(input, &h) != RJ_OK)
        return 0;
    check_numbers(&h);
    check_deps(&h);
    rj_header_put(&again, &h);
    if (!rj_bytes_equal(rj_buf_view(&again), input))
        abort();
    rj_buf_done(&again);
    return 0;
}
