/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes, signatures and randomness that are the same in every run: the hash is XXH3 over
 * the concatenation of the parts, stretched to 32 bytes; a signature is a hash of key and
 * message. For unit tests and fuzz targets; it keeps nothing secret. */
#ifndef RJ_TEST_FAKE_ENV_H
#define RJ_TEST_FAKE_ENV_H

#include "base/be.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/prng.h"

#include <rejoin/env.h>

struct rj_test_env {
    struct rj_env env;
    struct rj_prng prng;
};

static inline void rj_test_env_stretch(const struct rj_bytes *parts, size_t n,
                                       uint8_t *ret, size_t len)
{
    uint64_t state = rj_hash_checksum_parts(parts, n);

    for (size_t i = 0; i < len; i += 8)
        rj_be_store64(ret + i, rj_prng_splitmix(&state));
}

static inline void rj_test_env_hash(struct rj_env *env, const struct rj_bytes *parts,
                                    size_t n, struct rj_digest *ret_digest)
{
    (void)env;
    rj_test_env_stretch(parts, n, ret_digest->b, sizeof(ret_digest->b));
}

static inline enum rj_err rj_test_env_sign(struct rj_env *env, struct rj_bytes msg,
                                           uint8_t ret_sig[RJ_SIG_LEN])
{
    struct rj_bytes parts[] = {RJ_BYTES_OF(env->pubkey), msg};

    rj_test_env_stretch(parts, 2, ret_sig, RJ_SIG_LEN);
    return RJ_OK;
}

static inline bool rj_test_env_verify(struct rj_env *env,
                                      const uint8_t pubkey[RJ_PUBKEY_LEN],
                                      struct rj_bytes msg, const uint8_t sig[RJ_SIG_LEN])
{
    struct rj_bytes parts[] = {rj_bytes_of(pubkey, RJ_PUBKEY_LEN), msg};
    uint8_t right[RJ_SIG_LEN];

    (void)env;
    rj_test_env_stretch(parts, 2, right, sizeof(right));
    return memcmp(right, sig, sizeof(right)) == 0;
}

static inline enum rj_err rj_test_env_random(struct rj_env *env, uint8_t *ret, size_t len)
{
    rj_prng_bytes(&((struct rj_test_env *)env)->prng, ret, len);
    return RJ_OK;
}

/* The environment of the device that seed names. */
static inline void rj_test_env_init(struct rj_test_env *e, uint64_t seed)
{
    static const struct rj_env_ops ops = {.hash = rj_test_env_hash,
                                          .sign = rj_test_env_sign,
                                          .verify = rj_test_env_verify,
                                          .random = rj_test_env_random};

    *e = (struct rj_test_env){.env = {.ops = &ops}};
    rj_prng_init(&e->prng, seed);
    rj_prng_bytes(&e->prng, e->env.pubkey, RJ_PUBKEY_LEN);
}

#endif
