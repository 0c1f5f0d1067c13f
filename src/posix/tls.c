/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.3 (RFC 8446) by libssl over a BIO that reads from a borrowed view and appends to
 * a caller's buffer, so a session is a function of bytes: what is put in with one call is
 * used up by that call, and what must be sent comes out of it.
 *
 * The certificate carries nothing but the device key (as RFC 7250's raw public keys,
 * which libssl 3.0 lacks): fixed names, fixed dates without an end, so clocks do not
 * matter; it is checked to be a single self-signed Ed25519 one, and TLS itself proves
 * that the peer holds its key. AEAD keys are changed long before their limits (RFC
 * 8446 5.5). */
#include "base/alloc.h"
#include "base/buf.h"
#include "posix/crypto.h"
#include "posix/tls_inner.h"
#include "posix/why.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

enum {
    REKEY_RECORDS = 1 << 20, /* AES-GCM is good for 2^24.5 records of full size */
    WHY_MAX = 128
};

static const uint8_t alpn[] = {8, 'r', 'e', 'j', 'o', 'i', 'n', '/', '1'};

struct rj_tls {
    SSL *ssl;
    enum rj_tls_state state;
    enum rj_err err;
    bool is_client, has_peer, said_end;
    bool for_clients;       /* as its settings */
    bool refused;           /* our check of its certificate failed */
    struct rj_bytes in;     /* during a call: what libssl has not read yet */
    struct rj_buf *out;     /* during a call: where libssl writes to */
    size_t handshake_bytes; /* taken so far, while the state is RJ_TLS_HANDSHAKE */
    uint64_t records;       /* written since the key was changed */
    uint8_t peer[RJ_PUBKEY_LEN];
    char why[WHY_MAX];
};

/* ---- the BIO */

static int bio_read(BIO *bio, char *data, size_t len, size_t *ret_len)
{
    struct rj_tls *tls = BIO_get_data(bio);
    size_t n = len < tls->in.len ? len : tls->in.len;

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(data, tls->in.ptr, n);
    tls->in = rj_bytes_skip(tls->in, n);
    *ret_len = n;
    return 1;
}

static int bio_write(BIO *bio, const char *data, size_t len, size_t *ret_len)
{
    struct rj_tls *tls = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (tls->out == NULL)
        return 0;
    rj_buf_append_raw(tls->out, data, len);
    if (rj_buf_err(tls->out) != RJ_OK)
        return 0;
    *ret_len = len;
    return 1;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio, (void)num, (void)ptr;
    return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *make_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_MEM, "rejoin");

    if (method != NULL && BIO_meth_set_read_ex(method, bio_read) == 1 &&
        BIO_meth_set_write_ex(method, bio_write) == 1 &&
        BIO_meth_set_ctrl(method, bio_ctrl) == 1)
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* ---- certificates */

static bool fill_cert(X509 *cert, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(cert);
    static const unsigned char text[] = "rejoin";

    return X509_set_version(cert, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, sizeof(text) - 1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(cert, name) == 1 &&
           ASN1_TIME_set_string_X509(X509_getm_notBefore(cert), "19700101000000Z") == 1 &&
           ASN1_TIME_set_string_X509(X509_getm_notAfter(cert), "99991231235959Z") == 1 &&
           X509_set_pubkey(cert, key) == 1 && X509_sign(cert, key, NULL) > 0;
}

static X509 *make_cert(EVP_PKEY *key)
{
    X509 *cert = X509_new();

    if (cert != NULL && !fill_cert(cert, key)) {
        X509_free(cert);
        cert = NULL;
    }
    return cert;
}

/* The raw key of a single self-signed Ed25519 certificate. */
static bool read_cert(X509 *cert, STACK_OF(X509) * chain, uint8_t ret[RJ_PUBKEY_LEN])
{
    EVP_PKEY *key = cert != NULL ? X509_get0_pubkey(cert) : NULL;
    size_t len = RJ_PUBKEY_LEN;

    return key != NULL && sk_X509_num(chain) == 1 &&
           EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 && X509_verify(cert, key) == 1 &&
           EVP_PKEY_get_raw_public_key(key, ret, &len) == 1 && len == RJ_PUBKEY_LEN;
}

/* Takes the place of libssl's own check of the chain. */
static int on_cert(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct rj_tls *tls = SSL_get_app_data(ssl);

    (void)arg;
    tls->has_peer = read_cert(X509_STORE_CTX_get0_cert(store),
                              X509_STORE_CTX_get0_untrusted(store), tls->peer);
    tls->refused = !tls->has_peer;
    X509_STORE_CTX_set_error(store, tls->has_peer ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
    return tls->has_peer;
}

/* ---- settings */

/* NOLINTNEXTLINE(readability-function-size): the parameters are libssl's */
static int on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                   const unsigned char *in, unsigned int in_len, void *arg)
{
    unsigned char *chosen = NULL;

    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&chosen, ret_len, alpn, sizeof(alpn), in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_up(SSL_CTX *ssl, EVP_PKEY *key)
{
    char groups[] = "X25519:P-256", sigalgs[] = "ed25519"; /* macros drop const */
    X509 *cert = make_cert(key);
    bool ok =
        cert != NULL && SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_ciphersuites(ssl, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                      "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
        SSL_CTX_set1_groups_list(ssl, groups) == 1 &&
        SSL_CTX_set1_sigalgs_list(ssl, sigalgs) == 1 &&
        SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
        SSL_CTX_set_alpn_protos(ssl, alpn, sizeof(alpn)) == 0 && /* 0 is success */
        SSL_CTX_use_certificate(ssl, cert) == 1 && SSL_CTX_use_PrivateKey(ssl, key) == 1;

    X509_free(cert);
    SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ssl, on_cert, NULL);
    SSL_CTX_set_max_cert_list(ssl, RJ_TLS_CERT_MAX);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ssl, 1);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                       SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_AUTO_RETRY);
    return ok;
}

enum rj_err rj_tls_ctx_empty(struct rj_tls_ctx **ret_ctx)
{
    struct rj_tls_ctx *ctx = rj_alloc_zero(1, sizeof(*ctx));

    if (ctx == NULL)
        return RJ_ENOMEM;
    ctx->ssl = SSL_CTX_new(TLS_method());
    ctx->bio = make_bio_method();
    if (ctx->ssl == NULL || ctx->bio == NULL) {
        ERR_clear_error();
        rj_tls_ctx_free(ctx);
        return RJ_ENOMEM;
    }
    *ret_ctx = ctx;
    return RJ_OK;
}

enum rj_err rj_tls_ctx_new(struct rj_crypto *crypto, struct rj_tls_ctx **ret_ctx)
{
    struct rj_tls_ctx *ctx = NULL;
    enum rj_err err = rj_tls_ctx_empty(&ctx);

    if (err != RJ_OK)
        return err;
    if (!set_up(ctx->ssl, rj_crypto_key(crypto))) {
        ERR_clear_error();
        rj_tls_ctx_free(ctx);
        return RJ_ENOMEM;
    }
    *ret_ctx = ctx;
    return RJ_OK;
}

void rj_tls_ctx_free(struct rj_tls_ctx *ctx)
{
    if (ctx == NULL)
        return;
    SSL_CTX_free(ctx->ssl);
    BIO_meth_free(ctx->bio);
    free(ctx);
}

/* ---- one end */

enum rj_err rj_tls_new(struct rj_tls_ctx *ctx, bool is_client, struct rj_tls **ret_tls)
{
    struct rj_tls *tls = rj_alloc_zero(1, sizeof(*tls));
    BIO *bio = BIO_new(ctx->bio);

    if (tls != NULL)
        tls->ssl = SSL_new(ctx->ssl);
    if (tls == NULL || bio == NULL || tls->ssl == NULL ||
        SSL_set_app_data(tls->ssl, tls) != 1) {
        ERR_clear_error();
        BIO_free_all(bio);
        rj_tls_free(tls);
        return RJ_ENOMEM;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    tls->is_client = is_client;
    tls->for_clients = ctx->for_clients;
    if (is_client)
        SSL_set_connect_state(tls->ssl);
    else
        SSL_set_accept_state(tls->ssl);
    *ret_tls = tls;
    return RJ_OK;
}

void rj_tls_free(struct rj_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

static enum rj_err fail(struct rj_tls *tls, enum rj_err err, const char *why)
{
    tls->state = RJ_TLS_FAILED;
    tls->err = err;
    rj_why_set(tls->why, sizeof(tls->why), "TLS: %s", why);
    ERR_clear_error();
    return err;
}

/* What the first of libssl's errors means for a caller. */
static enum rj_err classify(const struct rj_tls *tls, unsigned long code)
{
    if (tls->refused)
        return RJ_EAUTH;
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
        return RJ_ENOMEM;
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return RJ_EPROTO;
    switch (ERR_GET_REASON(code)) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_BAD_SIGNATURE:
    case SSL_R_WRONG_SIGNATURE_TYPE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        return RJ_EAUTH;
    default:
        return RJ_EPROTO;
    }
}

/* After a call of libssl that gave result: RJ_OK when it only waits for more. */
static enum rj_err judge(struct rj_tls *tls, int result)
{
    unsigned long code = ERR_peek_error();
    const char *text;

    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_NONE:
    case SSL_ERROR_WANT_READ:
        return RJ_OK;
    case SSL_ERROR_ZERO_RETURN:
        if (tls->state == RJ_TLS_OPEN) {
            tls->state = RJ_TLS_ENDED;
            return RJ_OK;
        }
        return fail(tls, RJ_EPROTO, "the peer gave up");
    default:
        break;
    }
    if (tls->out != NULL && rj_buf_err(tls->out) != RJ_OK)
        return fail(tls, rj_buf_err(tls->out), "no room for what must be sent");
    text = ERR_reason_error_string(code);
    return fail(tls, classify(tls, code), text != NULL ? text : "broken");
}

/* The handshake is done: is it the right protocol, and is somebody there? */
static enum rj_err check_open(struct rj_tls *tls)
{
    const unsigned char *chosen = NULL;
    unsigned int len = 0;

    if (tls->for_clients) {
        tls->state = RJ_TLS_OPEN;
        return RJ_OK;
    }
    SSL_get0_alpn_selected(tls->ssl, &chosen, &len);
    if (len != sizeof(alpn) - 1 || memcmp(chosen, alpn + 1, len) != 0)
        return fail(tls, RJ_EPROTO, "the peer does not speak " RJ_TLS_ALPN);
    if (!tls->has_peer)
        return fail(tls, RJ_EAUTH, "the peer showed no certificate");
    tls->state = RJ_TLS_OPEN;
    return RJ_OK;
}

static enum rj_err handshake(struct rj_tls *tls)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(tls->ssl);
    return result == 1 ? check_open(tls) : judge(tls, result);
}

/* Gives libssl at most what a handshake may take; the rest of in waits. */
static enum rj_err input_handshake(struct rj_tls *tls, struct rj_bytes *in)
{
    size_t room = RJ_TLS_HANDSHAKE_MAX - tls->handshake_bytes;
    enum rj_err err;

    tls->in = rj_bytes_first(*in, room);
    tls->handshake_bytes += tls->in.len;
    *in = rj_bytes_skip(*in, tls->in.len);
    err = handshake(tls);
    if (err != RJ_OK || tls->state != RJ_TLS_HANDSHAKE)
        return err;
    if (in->len > 0 || tls->handshake_bytes >= RJ_TLS_HANDSHAKE_MAX)
        return fail(tls, RJ_EPROTO, "the handshake is too long");
    return RJ_OK;
}

/* Decrypts all that libssl has, until it waits for more. */
static enum rj_err drain(struct rj_tls *tls, struct rj_buf *plain)
{
    while (tls->state == RJ_TLS_OPEN) {
        uint8_t *room = rj_buf_reserve(plain, RJ_TLS_RECORD_MAX);
        size_t got = 0;
        int result;

        if (room == NULL)
            return fail(tls, rj_buf_err(plain), "no room for what was received");
        ERR_clear_error();
        result = SSL_read_ex(tls->ssl, room, RJ_TLS_RECORD_MAX, &got);
        if (result == 1)
            rj_buf_commit(plain, got);
        else if (judge(tls, result) != RJ_OK || tls->state == RJ_TLS_OPEN)
            break; /* it failed, or has read all that there was */
    }
    return tls->err;
}

enum rj_err rj_tls_start(struct rj_tls *tls, struct rj_buf *out)
{
    enum rj_err err;

    if (tls->state != RJ_TLS_HANDSHAKE || !tls->is_client)
        return tls->err;
    tls->out = out;
    err = handshake(tls);
    tls->out = NULL;
    return err;
}

enum rj_err rj_tls_input(struct rj_tls *tls, struct rj_bytes in, struct rj_buf *plain,
                         struct rj_buf *out)
{
    enum rj_err err = tls->err;

    tls->out = out;
    if (tls->state == RJ_TLS_HANDSHAKE)
        err = input_handshake(tls, &in);
    if (err == RJ_OK && tls->state == RJ_TLS_OPEN) {
        /* What the handshake left over comes first, then the rest. */
        err = tls->in.len > 0 || SSL_has_pending(tls->ssl) ? drain(tls, plain) : RJ_OK;
        tls->in = in;
        if (err == RJ_OK && in.len > 0)
            err = drain(tls, plain);
    }
    tls->in = (struct rj_bytes){0};
    tls->out = NULL;
    return err;
}

enum rj_err rj_tls_write(struct rj_tls *tls, struct rj_bytes in, struct rj_buf *out)
{
    enum rj_err err = RJ_OK;

    if (tls->state == RJ_TLS_FAILED)
        return tls->err;
    if (tls->state == RJ_TLS_HANDSHAKE || tls->said_end)
        return RJ_EINVAL;
    tls->out = out;
    while (in.len > 0 && err == RJ_OK) {
        struct rj_bytes part = rj_bytes_first(in, RJ_TLS_RECORD_MAX);
        size_t done = 0;

        ERR_clear_error();
        if (++tls->records % REKEY_RECORDS == 0)
            (void)SSL_key_update(tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
        if (SSL_write_ex(tls->ssl, part.ptr, part.len, &done) != 1)
            err = judge(tls, 0);
        in = rj_bytes_skip(in, part.len);
    }
    tls->out = NULL;
    return err;
}

void rj_tls_end(struct rj_tls *tls, struct rj_buf *out)
{
    if (tls->said_end || (tls->state != RJ_TLS_OPEN && tls->state != RJ_TLS_ENDED))
        return;
    tls->said_end = true;
    tls->out = out;
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
    tls->out = NULL;
}

enum rj_tls_state rj_tls_state(const struct rj_tls *tls)
{
    return tls->state;
}

enum rj_err rj_tls_error(const struct rj_tls *tls)
{
    return tls->err;
}

const char *rj_tls_why(const struct rj_tls *tls)
{
    return tls->why;
}

const uint8_t *rj_tls_peer(const struct rj_tls *tls)
{
    bool open = tls->state == RJ_TLS_OPEN || tls->state == RJ_TLS_ENDED;

    return open && !tls->for_clients ? tls->peer : NULL;
}

enum rj_err rj_tls_export(struct rj_tls *tls, const char *label,
                          uint8_t ret[RJ_TLS_EXPORT_LEN])
{
    uint8_t out[RJ_TLS_EXPORT_LEN];
    int ok;

    if (rj_tls_peer(tls) == NULL)
        return RJ_EINVAL;
    ok = SSL_export_keying_material(tls->ssl, out, sizeof(out), label, strlen(label),
                                    NULL, 0, 0);
    ERR_clear_error();
    if (ok != 1)
        return RJ_ENOMEM;
    memcpy(ret, out, sizeof(out));
    rj_bytes_wipe(out, sizeof(out));
    return RJ_OK;
}
