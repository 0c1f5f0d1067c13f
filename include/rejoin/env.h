/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine asks of its surroundings: hashes, signatures, randomness. Time is not
 * among them (events carry it) and neither are sockets and files. */
#ifndef REJOIN_ENV_H
#define REJOIN_ENV_H

#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RJ_DIGEST_LEN = 32, RJ_SIG_LEN = 64, RJ_PUBKEY_LEN = 32 };

/* SHA-256. A device id is the digest of the device's raw Ed25519 public key. */
struct rj_digest {
    uint8_t b[RJ_DIGEST_LEN];
};

struct rj_env;

struct rj_env_ops {
    /* SHA-256 over the concatenation of n parts. Cannot fail. */
    void (*hash)(struct rj_env *env, const struct rj_bytes *parts, size_t n,
                 struct rj_digest *ret_digest);
    /* Signs msg with this device's key (Ed25519). RJ_EIO when the key is unusable. */
    enum rj_err (*sign)(struct rj_env *env, struct rj_bytes msg,
                        uint8_t ret_sig[RJ_SIG_LEN]);
    /* True iff sig is pubkey's signature of msg. */
    bool (*verify)(struct rj_env *env, const uint8_t pubkey[RJ_PUBKEY_LEN],
                   struct rj_bytes msg, const uint8_t sig[RJ_SIG_LEN]);
    /* Fills ret with unpredictable bytes (incarnations, tickets). RJ_EIO. */
    enum rj_err (*random)(struct rj_env *env, uint8_t *ret, size_t len);
};

/* First member of each implementation; outlives the node that uses it. */
struct rj_env {
    const struct rj_env_ops *ops;
    uint8_t pubkey[RJ_PUBKEY_LEN]; /* this device's raw public key */
};

#ifdef __cplusplus
}
#endif
#endif
