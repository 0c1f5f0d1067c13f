/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of the engine (rejoin/env.h) on libcrypto: SHA-256, Ed25519, random
 * bytes, and the device key in its file.
 * An rj_crypto belongs to one thread at a time (it keeps hashing contexts and a cache of
 * peers' keys); rj_crypto_dup makes another one for a worker. */
#ifndef RJ_POSIX_CRYPTO_H
#define RJ_POSIX_CRYPTO_H

#include <rejoin/env.h>

enum {
    RJ_CRYPTO_SEED_LEN = 32,       /* Ed25519 private key, RFC 8032 */
    RJ_CRYPTO_PEERS = 64,          /* public keys kept ready for verification */
    RJ_CRYPTO_KEY_FILE_MAX = 4096, /* a device key file is never larger */
    RJ_CRYPTO_WHY_MAX = 256        /* a useful size for the why texts below */
};

/* struct rj_env is its first member: rj_crypto_env gives it. Opaque otherwise. */
struct rj_crypto;
struct evp_pkey_st; /* libcrypto's EVP_PKEY */

/* A device whose private key is seed, or a key drawn from the system when seed is NULL.
 * Nothing is stored. RJ_ENOMEM; RJ_EIO: no randomness. Owned by the caller: free it. */
RJ_NODISCARD enum rj_err rj_crypto_new(const uint8_t *seed,
                                       struct rj_crypto **ret_crypto);

/* Draws a key and stores it at path (PKCS#8 PEM, mode 0600, durable before return; the
 * directory must exist). RJ_EEXIST: a file is there already, it is never replaced.
 * RJ_EIO, detail in why (why_len bytes, may be NULL). */
RJ_NODISCARD enum rj_err rj_crypto_generate(const char *path, char *why, size_t why_len,
                                            struct rj_crypto **ret_crypto);

/* Loads the key at path. RJ_ENOENT; RJ_EDENIED: not a regular file of this user, or
 * readable by others; RJ_ECORRUPT: not an unencrypted Ed25519 key. Detail in why. */
RJ_NODISCARD enum rj_err rj_crypto_load(const char *path, char *why, size_t why_len,
                                        struct rj_crypto **ret_crypto);

/* A second one with the same key, for another thread. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_crypto_dup(const struct rj_crypto *crypto,
                                       struct rj_crypto **ret_crypto);

/* Frees, and wipes the key. NULL is accepted. */
void rj_crypto_free(struct rj_crypto *crypto);

/* The engine's view; lives as long as crypto. */
struct rj_env *rj_crypto_env(struct rj_crypto *crypto);

/* The private key, borrowed; for the certificate of posix/tls. */
struct evp_pkey_st *rj_crypto_key(const struct rj_crypto *crypto);

/* SHA-256 of a raw public key: the device id. */
void rj_crypto_device_id(struct rj_crypto *crypto, const uint8_t pubkey[RJ_PUBKEY_LEN],
                         struct rj_digest *ret_id);

/* HMAC-SHA256 (RFC 2104) of msg under key, any length. Cannot fail. */
void rj_crypto_hmac(struct rj_crypto *crypto, struct rj_bytes key, struct rj_bytes msg,
                    struct rj_digest *ret_mac);

/* (To compare MACs and secrets: rj_bytes_equal_secret of base/bytes.h.) */

#endif
