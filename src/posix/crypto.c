/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4), Ed25519 (RFC 8032) and HMAC (RFC 2104) on libcrypto. Looking up
 * an algorithm and making a context or a key costs more than hashing a short message, so
 * all of them are made once: one hashing and one signing context, the own key, and the
 * public keys that were used last. Entries of that cache are replaced in turn; it is a
 * matter of speed only, whatever keys a peer makes up. */
#include "posix/crypto.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "posix/file.h"
#include "posix/why.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/random.h>

enum { HMAC_BLOCK = 64 }; /* of SHA-256, in bytes */

struct known_key {
    uint8_t pubkey[RJ_PUBKEY_LEN];
    EVP_PKEY *key; /* NULL: free */
};

struct rj_crypto {
    struct rj_env env;
    EVP_PKEY *key;
    EVP_MD *sha256;
    EVP_MD_CTX *hash_ctx; /* has sha256 set already */
    EVP_MD_CTX *sign_ctx; /* for signing and verifying */
    struct known_key known[RJ_CRYPTO_PEERS];
    size_t next; /* of known: replaced next */
};

static struct rj_crypto *crypto_of(struct rj_env *env)
{
    return (struct rj_crypto *)env; /* its first member */
}

static void hash(struct rj_env *env, const struct rj_bytes *parts, size_t n,
                 struct rj_digest *ret_digest)
{
    EVP_MD_CTX *ctx = crypto_of(env)->hash_ctx;
    int ok = EVP_DigestInit_ex2(ctx, NULL, NULL);

    for (size_t i = 0; i < n; i++)
        ok &= EVP_DigestUpdate(ctx, parts[i].ptr, parts[i].len);
    ok &= EVP_DigestFinal_ex(ctx, ret_digest->b, NULL);
    assert(ok == 1); /* nothing in it can fail once the context was made */
}

static enum rj_err sign(struct rj_env *env, struct rj_bytes msg,
                        uint8_t ret_sig[RJ_SIG_LEN])
{
    struct rj_crypto *crypto = crypto_of(env);
    uint8_t sig[RJ_SIG_LEN];
    size_t len = sizeof(sig);
    bool ok = EVP_DigestSignInit(crypto->sign_ctx, NULL, NULL, NULL, crypto->key) == 1 &&
              EVP_DigestSign(crypto->sign_ctx, sig, &len, msg.ptr, msg.len) == 1 &&
              len == sizeof(sig);

    (void)EVP_MD_CTX_reset(crypto->sign_ctx);
    ERR_clear_error();
    if (!ok)
        return RJ_EIO;
    memcpy(ret_sig, sig, sizeof(sig));
    return RJ_OK;
}

/* The key ready for use; NULL: out of memory. Borrowed until the next call. */
static EVP_PKEY *known_key(struct rj_crypto *crypto, const uint8_t pubkey[RJ_PUBKEY_LEN])
{
    struct known_key *slot = &crypto->known[crypto->next];
    EVP_PKEY *key;

    for (size_t i = 0; i < RJ_CRYPTO_PEERS; i++)
        if (crypto->known[i].key != NULL &&
            memcmp(crypto->known[i].pubkey, pubkey, RJ_PUBKEY_LEN) == 0)
            return crypto->known[i].key;
    key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, pubkey, RJ_PUBKEY_LEN);
    if (key == NULL)
        return NULL;
    EVP_PKEY_free(slot->key);
    slot->key = key;
    memcpy(slot->pubkey, pubkey, RJ_PUBKEY_LEN);
    crypto->next = (crypto->next + 1) % RJ_CRYPTO_PEERS;
    return key;
}

static bool verify(struct rj_env *env, const uint8_t pubkey[RJ_PUBKEY_LEN],
                   struct rj_bytes msg, const uint8_t sig[RJ_SIG_LEN])
{
    struct rj_crypto *crypto = crypto_of(env);
    EVP_PKEY *key = known_key(crypto, pubkey);
    bool ok = key != NULL &&
              EVP_DigestVerifyInit(crypto->sign_ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(crypto->sign_ctx, sig, RJ_SIG_LEN, msg.ptr, msg.len) == 1;

    (void)EVP_MD_CTX_reset(crypto->sign_ctx);
    ERR_clear_error();
    return ok;
}

static enum rj_err random_bytes(struct rj_env *env, uint8_t *ret, size_t len)
{
    (void)env;
    while (len > 0) {
        ssize_t n = getrandom(ret, len < INT_MAX ? len : INT_MAX, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return RJ_EIO;
        ret += n;
        len -= (size_t)n;
    }
    return RJ_OK;
}

static const struct rj_env_ops crypto_ops = {
    .hash = hash,
    .sign = sign,
    .verify = verify,
    .random = random_bytes,
};

/* Makes all around key, which is consumed whether or not it succeeds; NULL is accepted
 * and stands for a key that could not be made. */
static enum rj_err make(EVP_PKEY *take_key, struct rj_crypto **ret_crypto)
{
    struct rj_crypto *crypto = rj_alloc_zero(1, sizeof(*crypto));
    size_t len = RJ_PUBKEY_LEN;

    if (crypto == NULL) {
        EVP_PKEY_free(take_key);
        return RJ_ENOMEM;
    }
    crypto->env.ops = &crypto_ops;
    crypto->key = take_key;
    crypto->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto->hash_ctx = EVP_MD_CTX_new();
    crypto->sign_ctx = EVP_MD_CTX_new();
    if (take_key == NULL || crypto->sha256 == NULL || crypto->hash_ctx == NULL ||
        crypto->sign_ctx == NULL ||
        EVP_DigestInit_ex2(crypto->hash_ctx, crypto->sha256, NULL) != 1 ||
        EVP_PKEY_get_raw_public_key(take_key, crypto->env.pubkey, &len) != 1 ||
        len != RJ_PUBKEY_LEN) {
        ERR_clear_error();
        rj_crypto_free(crypto);
        return RJ_ENOMEM;
    }
    *ret_crypto = crypto;
    return RJ_OK;
}

enum rj_err rj_crypto_new(const uint8_t *seed, struct rj_crypto **ret_crypto)
{
    uint8_t drawn[RJ_CRYPTO_SEED_LEN];
    EVP_PKEY *key;

    if (seed == NULL) {
        enum rj_err err = random_bytes(NULL, drawn, sizeof(drawn));

        if (err != RJ_OK)
            return err;
        seed = drawn;
    }
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, RJ_CRYPTO_SEED_LEN);
    rj_bytes_wipe(drawn, sizeof(drawn));
    return make(key, ret_crypto);
}

/* key as a PEM file; the memory of the BIO is wiped when it is freed. */
static enum rj_err store(EVP_PKEY *key, const char *path, char *why, size_t why_len)
{
    static const struct rj_file_options options = {.mode = 0600, .exclusive = true};
    BIO *pem = BIO_new(BIO_s_mem());
    enum rj_err err = RJ_ENOMEM;
    char *text = NULL;
    long len;

    if (pem != NULL &&
        PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) == 1) {
        len = BIO_get_mem_data(pem, &text);
        err =
            rj_file_replace(path, rj_bytes_of(text, (size_t)len), &options, why, why_len);
    } else {
        rj_why_set(why, why_len, "%s", rj_err_text(err));
    }
    ERR_clear_error();
    BIO_free_all(pem);
    return err;
}

enum rj_err rj_crypto_generate(const char *path, char *why, size_t why_len,
                               struct rj_crypto **ret_crypto)
{
    struct rj_crypto *crypto = NULL;
    enum rj_err err = rj_crypto_new(NULL, &crypto);

    if (err != RJ_OK) {
        rj_why_set(why, why_len, "making a key: %s", rj_err_text(err));
        return err;
    }
    err = store(crypto->key, path, why, why_len);
    if (err != RJ_OK)
        rj_crypto_free(crypto);
    else
        *ret_crypto = crypto;
    return err;
}

/* Instead of asking on the terminal: an encrypted key is refused. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
    (void)buf, (void)size, (void)writing, (void)ctx;
    return -1;
}

/* The Ed25519 private key in text; NULL: none. */
static EVP_PKEY *parse(struct rj_bytes text)
{
    BIO *pem = BIO_new_mem_buf(text.ptr, (int)text.len);
    EVP_PKEY *key = NULL;

    if (pem != NULL)
        key = PEM_read_bio_PrivateKey(pem, NULL, no_password, NULL);
    if (key != NULL && EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    ERR_clear_error();
    BIO_free_all(pem);
    return key;
}

enum rj_err rj_crypto_load(const char *path, char *why, size_t why_len,
                           struct rj_crypto **ret_crypto)
{
    struct rj_buf text;
    EVP_PKEY *key;
    enum rj_err err;

    rj_buf_init(&text, 0);
    err = rj_file_read_private(path, RJ_CRYPTO_KEY_FILE_MAX, why, why_len, &text);
    if (err == RJ_ELIMIT)
        err = RJ_ECORRUPT;
    if (err == RJ_OK) {
        key = parse(rj_buf_view(&text));
        err = key != NULL ? make(key, ret_crypto) : RJ_ECORRUPT;
        if (err != RJ_OK)
            rj_why_set(why, why_len, "%s: %s", path,
                       err == RJ_ECORRUPT ? "not an unencrypted Ed25519 key in PEM"
                                          : rj_err_text(err));
    }
    rj_bytes_wipe(text.ptr, text.cap);
    rj_buf_done(&text);
    return err;
}

enum rj_err rj_crypto_dup(const struct rj_crypto *crypto, struct rj_crypto **ret_crypto)
{
    return make(EVP_PKEY_dup(crypto->key), ret_crypto);
}

void rj_crypto_free(struct rj_crypto *crypto)
{
    if (crypto == NULL)
        return;
    for (size_t i = 0; i < RJ_CRYPTO_PEERS; i++)
        EVP_PKEY_free(crypto->known[i].key);
    EVP_MD_CTX_free(crypto->sign_ctx);
    EVP_MD_CTX_free(crypto->hash_ctx);
    EVP_MD_free(crypto->sha256);
    EVP_PKEY_free(crypto->key); /* wipes what is private in it */
    free(crypto);
}

struct rj_env *rj_crypto_env(struct rj_crypto *crypto)
{
    return &crypto->env;
}

struct evp_pkey_st *rj_crypto_key(const struct rj_crypto *crypto)
{
    return crypto->key;
}

void rj_crypto_device_id(struct rj_crypto *crypto, const uint8_t pubkey[RJ_PUBKEY_LEN],
                         struct rj_digest *ret_id)
{
    struct rj_bytes part = {pubkey, RJ_PUBKEY_LEN};

    hash(&crypto->env, &part, 1, ret_id);
}

void rj_crypto_hmac(struct rj_crypto *crypto, struct rj_bytes key, struct rj_bytes msg,
                    struct rj_digest *ret_mac)
{
    uint8_t inner_key[HMAC_BLOCK], outer_key[HMAC_BLOCK];
    struct rj_digest short_key, inner;

    if (key.len > HMAC_BLOCK) {
        hash(&crypto->env, &key, 1, &short_key);
        key = RJ_BYTES_OF(short_key.b);
    }
    memset(inner_key, 0x36, sizeof(inner_key));
    memset(outer_key, 0x5c, sizeof(outer_key));
    for (size_t i = 0; i < key.len; i++) {
        inner_key[i] ^= key.ptr[i];
        outer_key[i] ^= key.ptr[i];
    }
    hash(&crypto->env, (struct rj_bytes[]){RJ_BYTES_OF(inner_key), msg}, 2, &inner);
    hash(&crypto->env, (struct rj_bytes[]){RJ_BYTES_OF(outer_key), RJ_BYTES_OF(inner.b)},
         2, ret_mac);
    rj_bytes_wipe(inner_key, sizeof(inner_key));
    rj_bytes_wipe(outer_key, sizeof(outer_key));
    rj_bytes_wipe(&short_key, sizeof(short_key));
}
