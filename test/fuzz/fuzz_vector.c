/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors and dictionaries of a space in which a few origins are known: what is accepted
 * has one form, and nothing unknown leaves a trace. */
#include "base/bytes.h"
#include "causal/batch.h"
#include "causal/kind.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { KNOWN = 8 };

/* Ids of one byte and zeros, so that a mutation easily makes one of another. */
static void make_origins(struct rj_origins *t)
{
    *t = (struct rj_origins){0};
    for (unsigned i = 0; i < KNOWN; i++) {
        struct rj_origin_id id = {{(uint8_t)(i * 5 % KNOWN)}};
        uint32_t index;

        if (rj_origins_add(t, &id, &index) != RJ_OK)
            abort();
    }
}

static void check_vector(const struct rj_origins *t, struct rj_bytes input)
{
    struct rj_reader r = rj_reader_of(input);
    struct rj_buf again = {0};
    struct rj_vv v = {0};
    size_t unknown = 0;
    enum rj_err err = rj_vv_decode(&r, t, &v, &unknown);

    if (v.n > KNOWN)
        abort();
    if (err == RJ_OK && r.failed)
        abort();
    if (err == RJ_OK && unknown == 0) {
        size_t read = input.len - rj_reader_left(&r);

        rj_vv_encode(&again, t, &v);
        if (!rj_bytes_equal(rj_buf_view(&again), rj_bytes_first(input, read)))
            abort();
    }
    rj_buf_done(&again);
    rj_vv_done(&v);
}

static void check_dict(const struct rj_origins *t, struct rj_bytes input)
{
    static uint32_t dict[RJ_BATCH_DICT_MAX];
    struct rj_reader r = rj_reader_of(input);
    struct rj_buf again = {0};
    uint32_t n;

    if (rj_dict_get(&r, t, dict, &n) != RJ_OK)
        return;
    for (uint32_t i = 0; i < n; i++)
        if (dict[i] >= KNOWN)
            abort();
    rj_dict_put(&again, t, dict, n);
    if (!rj_bytes_equal(rj_buf_view(&again),
                        rj_bytes_first(input, input.len - rj_reader_left(&r))))
        abort();
    rj_buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_bytes input = {data, len};
    struct rj_origins t;

    make_origins(&t);
    check_vector(&t, input);
    check_dict(&t, input);
    rj_origins_done(&t);
    return 0;
}
