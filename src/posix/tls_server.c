/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for ordinary clients: an X.509 certificate from files, as other servers have it.
 * Where there are no files, a certificate is made for the names of this machine, which
 * its clients can be told to trust (redis-cli --cacert). Unlike between devices TLS 1.2
 * is taken, too: many clients have nothing else. */
#include "base/buf.h"
#include "posix/file.h"
#include "posix/tls_inner.h"
#include "posix/why.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

enum {
    KEY_MODE = 0600,
    CERT_MODE = 0644,
    YEARS = 20,
    HOST_MAX = 64,
    NAMES_MAX = HOST_MAX + 64
};

/* ---- making one */

static bool add_names(X509 *cert)
{
    char host[HOST_MAX + 1] = "", names[NAMES_MAX];
    X509_EXTENSION *extension;
    bool ok;

    (void)gethostname(host, HOST_MAX);
    (void)snprintf(names, sizeof(names), "DNS:localhost,IP:127.0.0.1,IP:::1%s%s",
                   host[0] != '\0' ? ",DNS:" : "", host);
    extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool fill(X509 *cert, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(cert);
    static const unsigned char text[] = "rejoin";
    uint8_t serial[8];
    BIGNUM *n = NULL;
    bool ok;

    ok = RAND_bytes(serial, sizeof(serial)) == 1 &&
         (n = BN_bin2bn(serial, sizeof(serial), NULL)) != NULL &&
         BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL &&
         X509_set_version(cert, X509_VERSION_3) == 1 &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, sizeof(text) - 1, -1,
                                    0) == 1 &&
         X509_set_issuer_name(cert, name) == 1 &&
         ASN1_TIME_set_string_X509(X509_getm_notBefore(cert), "20200101000000Z") == 1 &&
         X509_gmtime_adj(X509_getm_notAfter(cert), YEARS * 31536000L) != NULL &&
         X509_set_pubkey(cert, key) == 1 && add_names(cert) &&
         X509_sign(cert, key, EVP_sha256()) > 0;
    BN_free(n);
    return ok;
}

/* Writes what is in the BIO to path. */
static enum rj_err write_pem(const char *path, mode_t mode, BIO *bio,
                             const struct rj_tls_files *files)
{
    const struct rj_file_options options = {.mode = mode};
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);

    return rj_file_replace(path, rj_bytes_of(text, (size_t)len), &options, files->why,
                           files->why_len);
}

static enum rj_err make(const struct rj_tls_files *files)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIO *key_pem = BIO_new(BIO_s_mem()), *cert_pem = BIO_new(BIO_s_mem());
    enum rj_err err = RJ_ENOMEM;

    if (key != NULL && cert != NULL && key_pem != NULL && cert_pem != NULL &&
        fill(cert, key) &&
        PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) == 1 &&
        PEM_write_bio_X509(cert_pem, cert) == 1)
        err = write_pem(files->key, KEY_MODE, key_pem, files);
    if (err == RJ_OK)
        err = write_pem(files->cert, CERT_MODE, cert_pem, files);
    EVP_PKEY_free(key);
    X509_free(cert);
    BIO_free(key_pem);
    BIO_free(cert_pem);
    return err;
}

/* ---- using one */

static enum rj_err fail(const struct rj_tls_files *files, const char *path)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());

    rj_why_set(files->why, files->why_len, "%s: %s", path,
               text != NULL ? text : "cannot be used");
    ERR_clear_error();
    return RJ_EINVAL;
}

static enum rj_err load(SSL_CTX *ssl, const struct rj_tls_files *files)
{
    if (SSL_CTX_use_certificate_chain_file(ssl, files->cert) != 1)
        return fail(files, files->cert);
    if (SSL_CTX_use_PrivateKey_file(ssl, files->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ssl) != 1)
        return fail(files, files->key);
    if (files->ca[0] == '\0')
        return RJ_OK;
    if (SSL_CTX_load_verify_file(ssl, files->ca) != 1)
        return fail(files, files->ca);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return RJ_OK;
}

static bool set_up(SSL_CTX *ssl)
{
    SSL_CTX_set_max_cert_list(ssl, RJ_TLS_CERT_MAX);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ssl, 1);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                       SSL_OP_NO_COMPRESSION |
                                       SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_AUTO_RETRY);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
           SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

enum rj_err rj_tls_ctx_server(const struct rj_tls_files *files,
                              struct rj_tls_ctx **ret_ctx)
{
    bool absent = access(files->cert, F_OK) != 0 && access(files->key, F_OK) != 0;
    struct rj_tls_ctx *ctx = NULL;
    enum rj_err err = absent && files->make ? make(files) : RJ_OK;

    if (err == RJ_OK)
        err = rj_tls_ctx_empty(&ctx);
    if (err != RJ_OK)
        return err;
    ctx->for_clients = true;
    err = set_up(ctx->ssl) ? load(ctx->ssl, files) : RJ_ENOMEM;
    if (err == RJ_OK)
        *ret_ctx = ctx;
    else
        rj_tls_ctx_free(ctx);
    return err;
}
