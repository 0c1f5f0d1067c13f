/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of batches: what is accepted has one form, borrows from the input, and its
 * body is looked at exactly when that is asked for. */
#include "causal/batch.h"
#include "causal/kind.h"
#include "support/fake_env.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct rj_digest space = {{1, 2, 3}};

/* The batch that r stood at, decoded without a look at its body. */
static void check(struct rj_env *env, struct rj_reader r, const struct rj_batch *b)
{
    const uint8_t *start = r.ptr;
    struct rj_buf again = {0};
    struct rj_batch strict;
    struct rj_digest hash;
    bool right = b->header.class == RJ_CLASS_HEAD;
    enum rj_err err;

    if (!right) {
        env->ops->hash(env, &b->body, 1, &hash);
        right = memcmp(hash.b, b->header.body.b, sizeof(hash.b)) == 0;
    }
    err = rj_batch_get(&r, env, &space, true, &strict);
    if (err != (right ? RJ_OK : RJ_ECORRUPT))
        abort();
    if (right && memcmp(strict.hash.b, b->hash.b, sizeof(strict.hash.b)) != 0)
        abort();
    if ((b->header.class == RJ_CLASS_HEAD) != (b->body.len == 0) ||
        b->body.len > RJ_BATCH_BODY_MAX)
        abort();
    rj_batch_put(&again, b);
    if (!rj_bytes_equal(rj_buf_view(&again), rj_bytes_of(start, (size_t)(r.ptr - start))))
        abort();
    rj_buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_reader r = rj_reader_of(rj_bytes_of(data, len));
    struct rj_test_env env;
    struct rj_batch b;

    rj_test_env_init(&env, 1);
    while (rj_reader_left(&r) > 0) {
        struct rj_reader before = r;

        if (rj_batch_get(&r, &env.env, &space, false, &b) != RJ_OK)
            break;
        check(&env.env, before, &b);
    }
    return 0;
}
