/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "posix/crypto.h"
#include "posix/tls.h"
#include "support/test.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

/* A device with its TLS settings. */
struct side {
    struct rj_crypto *crypto;
    struct rj_tls_ctx *ctx;
    struct rj_tls *tls;
    struct rj_buf out;   /* not yet delivered */
    struct rj_buf plain; /* what it was told */
};

static struct side client, server;

static void side_open(struct side *s, uint8_t seed_byte)
{
    uint8_t seed[RJ_CRYPTO_SEED_LEN];

    memset(seed, seed_byte, sizeof(seed));
    memset(s, 0, sizeof(*s));
    assert_ok(rj_crypto_new(seed, &s->crypto));
    assert_ok(rj_tls_ctx_new(s->crypto, &s->ctx));
    assert_ok(rj_tls_new(s->ctx, s == &client, &s->tls));
}

static void side_close(struct side *s)
{
    rj_tls_free(s->tls);
    rj_tls_ctx_free(s->ctx);
    rj_crypto_free(s->crypto);
    rj_buf_done(&s->out);
    rj_buf_done(&s->plain);
}

static int open_both(void **state)
{
    (void)state;
    side_open(&client, 1);
    side_open(&server, 2);
    return 0;
}

static int close_both(void **state)
{
    (void)state;
    side_close(&client);
    side_close(&server);
    return 0;
}

/* A fresh session on the same devices. */
static void renew(struct side *s)
{
    rj_tls_free(s->tls);
    s->tls = NULL;
    rj_buf_clear(&s->out);
    rj_buf_clear(&s->plain);
    assert_ok(rj_tls_new(s->ctx, s == &client, &s->tls));
}

/* Gives what from has to say to to, in pieces of at most piece bytes. */
static enum rj_err deliver(struct side *from, struct side *to, size_t piece)
{
    struct rj_bytes all = rj_buf_view(&from->out);
    enum rj_err err = RJ_OK;

    while (all.len > 0 && err == RJ_OK) {
        err = rj_tls_input(to->tls, rj_bytes_first(all, piece), &to->plain, &to->out);
        all = rj_bytes_skip(all, piece);
    }
    rj_buf_clear(&from->out);
    return err;
}

static void connect_both(size_t piece)
{
    assert_ok(rj_tls_start(client.tls, &client.out));
    while (client.out.len > 0 || server.out.len > 0) {
        assert_ok(deliver(&client, &server, piece));
        assert_ok(deliver(&server, &client, piece));
    }
    assert_int_equal(rj_tls_state(client.tls), RJ_TLS_OPEN);
    assert_int_equal(rj_tls_state(server.tls), RJ_TLS_OPEN);
}

static void assert_heard(struct side *s, const char *text)
{
    assert_bytes_equal(rj_buf_view(&s->plain), rj_bytes_from_str(text));
    rj_buf_clear(&s->plain);
}

TEST(both_learn_the_others_key)
{
    assert_null(rj_tls_peer(client.tls));
    assert_null(rj_tls_peer(server.tls));
    connect_both(SIZE_MAX);
    assert_memory_equal(rj_tls_peer(client.tls), rj_crypto_env(server.crypto)->pubkey,
                        RJ_PUBKEY_LEN);
    assert_memory_equal(rj_tls_peer(server.tls), rj_crypto_env(client.crypto)->pubkey,
                        RJ_PUBKEY_LEN);
}

TEST(what_one_writes_the_other_reads)
{
    connect_both(SIZE_MAX);
    assert_ok(rj_tls_write(client.tls, RJ_BYTES_LIT("ping"), &client.out));
    assert_ok(rj_tls_write(client.tls, RJ_BYTES_LIT(" pong"), &client.out));
    assert_null(memmem(client.out.ptr, client.out.len, "ping", 4));
    assert_ok(deliver(&client, &server, SIZE_MAX));
    assert_heard(&server, "ping pong");
    assert_ok(rj_tls_write(server.tls, RJ_BYTES_LIT("and back"), &server.out));
    assert_ok(deliver(&server, &client, SIZE_MAX));
    assert_heard(&client, "and back");
    assert_int_equal(server.out.len + client.out.len, 0);
}

TEST(bytes_may_come_one_by_one)
{
    connect_both(1);
    assert_ok(rj_tls_write(client.tls, RJ_BYTES_LIT("slowly"), &client.out));
    assert_ok(deliver(&client, &server, 1));
    assert_heard(&server, "slowly");
}

TEST(what_follows_the_handshake_at_once_is_read)
{
    assert_ok(rj_tls_start(client.tls, &client.out));
    assert_ok(deliver(&client, &server, SIZE_MAX));
    assert_ok(deliver(&server, &client, SIZE_MAX));
    assert_int_equal(rj_tls_state(client.tls), RJ_TLS_OPEN);
    for (int i = 0; i < 20000; i++) /* more than a handshake may be long */
        assert_ok(rj_tls_write(client.tls, RJ_BYTES_LIT("."), &client.out));
    assert_ok(deliver(&client, &server, SIZE_MAX));
    assert_int_equal(rj_tls_state(server.tls), RJ_TLS_OPEN);
    assert_int_equal(server.plain.len, 20000);
}

TEST(a_large_message_is_cut_into_records)
{
    struct rj_buf large = {0};

    for (uint32_t i = 0; i < 300000; i++)
        rj_buf_u32be(&large, i);
    connect_both(SIZE_MAX);
    assert_ok(rj_tls_write(client.tls, rj_buf_view(&large), &client.out));
    assert_true(client.out.len > large.len);
    assert_true(client.out.len < large.len + 100 * (large.len / RJ_TLS_RECORD_MAX + 1));
    assert_ok(deliver(&client, &server, 65536));
    assert_bytes_equal(rj_buf_view(&server.plain), rj_buf_view(&large));
    rj_buf_done(&large);
}

TEST(an_export_is_equal_at_both_ends_and_new_each_time)
{
    uint8_t a[RJ_TLS_EXPORT_LEN], b[RJ_TLS_EXPORT_LEN], other[RJ_TLS_EXPORT_LEN];

    assert_err(RJ_EINVAL, rj_tls_export(client.tls, "rejoin ticket", a));
    connect_both(SIZE_MAX);
    assert_ok(rj_tls_export(client.tls, "rejoin ticket", a));
    assert_ok(rj_tls_export(server.tls, "rejoin ticket", b));
    assert_memory_equal(a, b, sizeof(a));
    assert_ok(rj_tls_export(server.tls, "rejoin other", other));
    assert_memory_not_equal(a, other, sizeof(a));
    renew(&client);
    renew(&server);
    connect_both(SIZE_MAX);
    assert_ok(rj_tls_export(client.tls, "rejoin ticket", b));
    assert_memory_not_equal(a, b, sizeof(a));
}

TEST(a_goodbye_is_told_from_a_cut)
{
    connect_both(SIZE_MAX);
    assert_ok(rj_tls_write(client.tls, RJ_BYTES_LIT("last"), &client.out));
    rj_tls_end(client.tls, &client.out);
    rj_tls_end(client.tls, &client.out); /* once is enough */
    assert_err(RJ_EINVAL, rj_tls_write(client.tls, RJ_BYTES_LIT("x"), &client.out));
    assert_ok(deliver(&client, &server, SIZE_MAX));
    assert_heard(&server, "last");
    assert_int_equal(rj_tls_state(server.tls), RJ_TLS_ENDED);
    assert_non_null(rj_tls_peer(server.tls));
    assert_ok(rj_tls_write(server.tls, RJ_BYTES_LIT("answer"), &server.out));
    assert_ok(deliver(&server, &client, SIZE_MAX));
    assert_heard(&client, "answer");
    assert_ok(
        rj_tls_input(server.tls, RJ_BYTES_LIT("garbage"), &server.plain, &server.out));
    assert_int_equal(server.plain.len, 0);
}

TEST(the_certificate_is_the_same_each_time)
{
    struct rj_tls_ctx *again = NULL;

    renew(&client);
    connect_both(SIZE_MAX);
    assert_ok(rj_tls_ctx_new(server.crypto, &again));
    rj_tls_free(server.tls);
    rj_tls_ctx_free(server.ctx);
    server.ctx = again;
    server.tls = NULL;
    renew(&server);
    renew(&client);
    connect_both(SIZE_MAX);
    assert_memory_equal(rj_tls_peer(client.tls), rj_crypto_env(server.crypto)->pubkey,
                        RJ_PUBKEY_LEN);
}

TEST(keys_are_changed_after_many_records)
{
    connect_both(SIZE_MAX);
    for (int i = 0; i < (1 << 20) + 1000; i++) {
        assert_ok(rj_tls_write(client.tls, RJ_BYTES_LIT("x"), &client.out));
        if (i % 1000 == 0)
            assert_ok(deliver(&client, &server, SIZE_MAX));
        if (i % 100000 == 0)
            rj_buf_clear(&server.plain);
    }
    rj_buf_clear(&server.plain);
    assert_ok(rj_tls_write(client.tls, RJ_BYTES_LIT("still here"), &client.out));
    assert_ok(deliver(&client, &server, SIZE_MAX));
    assert_true(server.plain.len >= 10);
    assert_memory_equal(server.plain.ptr + server.plain.len - 10, "still here", 10);
}

/* ---- bad input */

/* The first flight of a client, in client.out. */
static void make_hello(void)
{
    renew(&client);
    assert_ok(rj_tls_start(client.tls, &client.out));
}

TEST(a_first_flight_cut_anywhere_only_waits)
{
    make_hello();
    for (size_t len = 0; len < client.out.len; len++) {
        renew(&server);
        assert_ok(rj_tls_input(server.tls, rj_bytes_first(rj_buf_view(&client.out), len),
                               &server.plain, &server.out));
        assert_int_equal(rj_tls_state(server.tls), RJ_TLS_HANDSHAKE);
        assert_null(rj_tls_peer(server.tls));
    }
}

/* Runs a whole handshake in which the client's first flight has one byte changed. */
static bool survives_change(size_t at, uint8_t mask)
{
    renew(&server);
    make_hello();
    client.out.ptr[at] ^= mask;
    for (int i = 0; i < 3; i++) {
        if (deliver(&client, &server, SIZE_MAX) != RJ_OK ||
            deliver(&server, &client, SIZE_MAX) != RJ_OK)
            break;
    }
    if (rj_tls_state(server.tls) == RJ_TLS_FAILED) {
        assert_err(RJ_EPROTO, rj_tls_error(server.tls));
        assert_string_not_equal(rj_tls_why(server.tls), "");
    }
    return rj_tls_state(server.tls) == RJ_TLS_OPEN;
}

TEST(a_first_flight_changed_anywhere_never_opens)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xff};

    make_hello();
    for (size_t at = 0; at < client.out.len; at++)
        for (size_t m = 0; m < sizeof(masks); m++)
            if (at != 1 &&
                at != 2) /* the record's old version is ignored: RFC 8446 5.1 */
                assert_false(survives_change(at, masks[m]));
}

TEST(garbage_after_each_prefix_of_the_first_flight_fails)
{
    static const uint8_t garbage[RJ_TLS_HANDSHAKE_MAX + 1] = {0x55};

    make_hello();
    for (size_t len = 0; len < client.out.len; len++) {
        enum rj_err err;

        renew(&server);
        assert_ok(rj_tls_input(server.tls, rj_bytes_first(rj_buf_view(&client.out), len),
                               &server.plain, &server.out));
        err = rj_tls_input(server.tls, RJ_BYTES_OF(garbage), &server.plain, &server.out);
        assert_err(RJ_EPROTO, err);
        assert_int_equal(rj_tls_state(server.tls), RJ_TLS_FAILED);
        assert_err(err, rj_tls_input(server.tls, RJ_BYTES_LIT("x"), &server.plain,
                                     &server.out)); /* it is final */
        assert_int_equal(server.plain.len, 0);
    }
}

TEST(other_protocols_are_refused)
{
    static const char *const others[] = {"GET / HTTP/1.1\r\n\r\n", "*1\r\n$4\r\nPING\r\n",
                                         "SSH-2.0-OpenSSH_9.2\r\n"};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        renew(&server);
        assert_err(RJ_EPROTO, rj_tls_input(server.tls, rj_bytes_from_str(others[i]),
                                           &server.plain, &server.out));
    }
}

TEST(an_endless_handshake_is_cut_off)
{
    /* Handshake records that begin a message of 16 MiB and never finish it. */
    static const uint8_t head[] = {22, 3, 1, 0, 104, 1, 0, 0xff, 0xff};
    uint8_t record[5 + 104] = {22, 3, 1, 0, 104};
    enum rj_err err = RJ_OK;
    size_t given = 0;

    memcpy(record, head, sizeof(head));
    for (; err == RJ_OK && given < 100000; given += sizeof(record)) {
        err = rj_tls_input(server.tls, RJ_BYTES_OF(record), &server.plain, &server.out);
        record[5] = 0;
    }
    assert_err(RJ_EPROTO, err);
    assert_in_range(given, 1, RJ_TLS_HANDSHAKE_MAX + 200);
}

TEST(a_changed_record_ends_an_open_session)
{
    connect_both(SIZE_MAX);
    assert_ok(rj_tls_write(client.tls, RJ_BYTES_LIT("good"), &client.out));
    assert_ok(rj_tls_write(client.tls, RJ_BYTES_LIT("evil"), &client.out));
    client.out.ptr[client.out.len - 1] ^= 1;
    assert_err(RJ_EPROTO, deliver(&client, &server, SIZE_MAX));
    assert_heard(&server, "good");
    assert_null(rj_tls_peer(server.tls));
    assert_err(RJ_EPROTO, rj_tls_write(server.tls, RJ_BYTES_LIT("x"), &server.out));
    assert_true(server.out.len > 0); /* an alert, for the other end */
    assert_err(RJ_EPROTO, deliver(&server, &client, SIZE_MAX));
}

/* ---- ends that are not ours */

/* A client of libssl's own making, for what ours would never do. */
struct stranger {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
};

static void stranger_open(struct stranger *s)
{
    static const unsigned char alpn[] = "\x08rejoin/1";

    s->ctx = SSL_CTX_new(TLS_method());
    assert_non_null(s->ctx);
    SSL_CTX_set_verify(s->ctx, SSL_VERIFY_NONE, NULL);
    assert_int_equal(SSL_CTX_set_alpn_protos(s->ctx, alpn, sizeof(alpn) - 1), 0);
}

static void stranger_close(struct stranger *s)
{
    SSL_free(s->ssl);
    SSL_CTX_free(s->ctx);
    ERR_clear_error();
}

/* A self-signed certificate of a new key, out of date. shown: it names that key instead,
 * and s has it. */
static void show_cert(struct stranger *s, int sign_with, EVP_PKEY *shown)
{
    EVP_PKEY *key = sign_with == EVP_PKEY_EC ? EVP_EC_gen("P-256")
                                             : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *cert = X509_new();
    const EVP_MD *md = sign_with == EVP_PKEY_EC ? EVP_sha256() : NULL;

    assert_non_null(key);
    assert_non_null(cert);
    assert_int_equal(X509_set_pubkey(cert, shown != NULL ? shown : key), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -1000000));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), -900000));
    assert_true(X509_sign(cert, key, md) > 0);
    assert_int_equal(SSL_CTX_use_certificate(s->ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(s->ctx, shown != NULL ? shown : key), 1);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* The handshake with our server; what the server says in the end. */
static enum rj_err meet_server(struct stranger *s)
{
    uint8_t bytes[16384];
    enum rj_err err = RJ_OK;

    s->ssl = SSL_new(s->ctx);
    s->in = BIO_new(BIO_s_mem());
    s->out = BIO_new(BIO_s_mem());
    SSL_set_bio(s->ssl, s->in, s->out);
    SSL_set_connect_state(s->ssl);
    for (int i = 0; i < 10 && err == RJ_OK; i++) {
        int n;

        (void)SSL_do_handshake(s->ssl);
        n = BIO_read(s->out, bytes, sizeof(bytes));
        if (n > 0)
            err = rj_tls_input(server.tls, rj_bytes_of(bytes, (size_t)n), &server.plain,
                               &server.out);
        if (server.out.len > 0)
            (void)BIO_write(s->in, server.out.ptr, (int)server.out.len);
        rj_buf_clear(&server.out);
    }
    ERR_clear_error();
    return err;
}

TEST(a_stranger_with_any_self_signed_ed25519_key_is_let_in)
{
    struct stranger s = {0};

    stranger_open(&s);
    show_cert(&s, EVP_PKEY_ED25519, NULL);
    assert_ok(meet_server(&s));
    assert_int_equal(rj_tls_state(server.tls), RJ_TLS_OPEN);
    assert_int_equal(SSL_version(s.ssl), TLS1_3_VERSION);
    assert_null(SSL_get0_peer_CA_list(s.ssl)); /* it asks for no authority */
    stranger_close(&s);
}

TEST(tls_1_2_is_refused)
{
    struct stranger s = {0};

    stranger_open(&s);
    show_cert(&s, EVP_PKEY_ED25519, NULL);
    assert_int_equal(SSL_CTX_set_max_proto_version(s.ctx, TLS1_2_VERSION), 1);
    assert_err(RJ_EPROTO, meet_server(&s));
    stranger_close(&s);
}

TEST(a_client_without_a_certificate_is_refused)
{
    struct stranger s = {0};

    stranger_open(&s);
    assert_err(RJ_EAUTH, meet_server(&s));
    assert_null(rj_tls_peer(server.tls));
    stranger_close(&s);
}

TEST(a_key_of_another_kind_is_refused)
{
    struct stranger s = {0};

    stranger_open(&s);
    show_cert(&s, EVP_PKEY_EC, NULL);
    assert_err(RJ_EAUTH, meet_server(&s));
    stranger_close(&s);
}

TEST(a_certificate_signed_by_another_key_is_refused)
{
    EVP_PKEY *shown = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    struct stranger s = {0};

    stranger_open(&s);
    show_cert(&s, EVP_PKEY_ED25519, shown);
    assert_err(RJ_EAUTH, meet_server(&s));
    EVP_PKEY_free(shown);
    stranger_close(&s);
}

TEST(a_chain_is_refused)
{
    struct stranger s = {0};
    X509 *cert;

    stranger_open(&s);
    show_cert(&s, EVP_PKEY_ED25519, NULL);
    cert = SSL_CTX_get0_certificate(s.ctx);
    assert_int_equal(SSL_CTX_add1_chain_cert(s.ctx, cert), 1);
    assert_err(RJ_EAUTH, meet_server(&s));
    stranger_close(&s);
}

/* A key that claims owner's public half, but holds another private one. */
static EVP_PKEY *make_lie(EVP_PKEY *owner)
{
    uint8_t pub[RJ_PUBKEY_LEN], priv[RJ_CRYPTO_SEED_LEN] = {7};
    size_t len = sizeof(pub);
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, pub, sizeof(pub)),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, priv, sizeof(priv)),
        OSSL_PARAM_END,
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "ED25519", NULL);
    EVP_PKEY *lie = NULL;

    assert_int_equal(EVP_PKEY_get_raw_public_key(owner, pub, &len), 1);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &lie, EVP_PKEY_KEYPAIR, params), 1);
    EVP_PKEY_CTX_free(ctx);
    return lie;
}

/* Somebody else's certificate is public; only its key proves who shows it. */
TEST(a_certificate_without_its_key_is_refused)
{
    struct stranger s = {0}, owner = {0};
    EVP_PKEY *lie;
    X509 *cert;

    stranger_open(&s);
    stranger_open(&owner);
    show_cert(&owner, EVP_PKEY_ED25519, NULL);
    cert = SSL_CTX_get0_certificate(owner.ctx);
    lie = make_lie(X509_get0_pubkey(cert));
    assert_int_equal(SSL_CTX_use_certificate(s.ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(s.ctx, lie), 1);
    assert_err(RJ_EAUTH, meet_server(&s));
    assert_non_null(strstr(rj_tls_why(server.tls), "signature"));
    assert_null(rj_tls_peer(server.tls));
    EVP_PKEY_free(lie);
    stranger_close(&owner);
    stranger_close(&s);
}

TEST(a_client_of_another_application_is_refused)
{
    static const unsigned char other[] = "\x02h2";
    struct stranger s = {0};

    stranger_open(&s);
    show_cert(&s, EVP_PKEY_ED25519, NULL);
    assert_int_equal(SSL_CTX_set_alpn_protos(s.ctx, other, sizeof(other) - 1), 0);
    assert_err(RJ_EPROTO, meet_server(&s));
    SSL_free(s.ssl);
    renew(&server);
    assert_int_equal(SSL_CTX_set_alpn_protos(s.ctx, NULL, 0), 0);
    assert_err(RJ_EPROTO, meet_server(&s));
    stranger_close(&s);
}

TEST(no_session_can_be_resumed)
{
    struct stranger s = {0};
    uint8_t bytes[100];

    stranger_open(&s);
    show_cert(&s, EVP_PKEY_ED25519, NULL);
    assert_ok(meet_server(&s));
    assert_ok(rj_tls_write(server.tls, RJ_BYTES_LIT("hello"), &server.out));
    (void)BIO_write(s.in, server.out.ptr, (int)server.out.len);
    assert_int_equal(SSL_read(s.ssl, bytes, sizeof(bytes)), 5);
    assert_int_equal(SSL_SESSION_is_resumable(SSL_get0_session(s.ssl)), 0);
    stranger_close(&s);
}

TEST(a_peer_may_ask_for_new_keys)
{
    struct stranger s = {0};
    uint8_t bytes[4096];

    stranger_open(&s);
    show_cert(&s, EVP_PKEY_ED25519, NULL);
    assert_ok(meet_server(&s));
    for (int i = 0; i < 100; i++) {
        int n;

        assert_int_equal(SSL_key_update(s.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_write(s.ssl, "ping", 4), 4);
        n = BIO_read(s.out, bytes, sizeof(bytes));
        assert_true(n > 0);
        assert_ok(rj_tls_input(server.tls, rj_bytes_of(bytes, (size_t)n), &server.plain,
                               &server.out));
        assert_heard(&server, "ping");
        assert_ok(rj_tls_write(server.tls, RJ_BYTES_LIT("pong"), &server.out));
        assert_in_range(server.out.len, 1, 200); /* answers do not pile up */
        (void)BIO_write(s.in, server.out.ptr, (int)server.out.len);
        rj_buf_clear(&server.out);
        assert_int_equal(SSL_read(s.ssl, bytes, sizeof(bytes)), 4);
        assert_memory_equal(bytes, "pong", 4);
    }
    stranger_close(&s);
}

/* ---- memory */

static enum rj_err talk(void *ctx)
{
    struct rj_tls_ctx *tls_ctx = NULL;
    struct rj_tls *end[2] = {0};
    struct rj_buf out[2] = {0}, plain = {0};
    enum rj_err err = rj_tls_ctx_new(ctx, &tls_ctx);

    for (int i = 0; i < 2 && err == RJ_OK; i++)
        err = rj_tls_new(tls_ctx, i == 0, &end[i]);
    if (err == RJ_OK)
        err = rj_tls_start(end[0], &out[0]);
    for (int i = 0; i < 4 && err == RJ_OK; i++) {
        err = rj_tls_input(end[(i + 1) % 2], rj_buf_view(&out[i % 2]), &plain,
                           &out[(i + 1) % 2]);
        rj_buf_clear(&out[i % 2]);
    }
    if (err == RJ_OK)
        err = rj_tls_write(end[0], RJ_BYTES_LIT("x"), &out[0]);
    if (err == RJ_OK)
        err = rj_tls_input(end[1], rj_buf_view(&out[0]), &plain, &out[1]);
    for (int i = 0; i < 2; i++) {
        rj_tls_free(end[i]);
        rj_buf_done(&out[i]);
    }
    rj_buf_done(&plain);
    rj_tls_ctx_free(tls_ctx);
    return err;
}

TEST(out_of_memory_is_reported)
{
    rj_test_with_failing_alloc(talk, client.crypto);
    rj_test_with_one_failing_alloc(talk, client.crypto);
}

#define WITH_BOTH(test) cmocka_unit_test_setup_teardown(test, open_both, close_both)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH(both_learn_the_others_key),
        WITH_BOTH(what_one_writes_the_other_reads),
        WITH_BOTH(bytes_may_come_one_by_one),
        WITH_BOTH(what_follows_the_handshake_at_once_is_read),
        WITH_BOTH(a_large_message_is_cut_into_records),
        WITH_BOTH(an_export_is_equal_at_both_ends_and_new_each_time),
        WITH_BOTH(a_goodbye_is_told_from_a_cut),
        WITH_BOTH(the_certificate_is_the_same_each_time),
        WITH_BOTH(keys_are_changed_after_many_records),
        WITH_BOTH(a_first_flight_cut_anywhere_only_waits),
        WITH_BOTH(a_first_flight_changed_anywhere_never_opens),
        WITH_BOTH(garbage_after_each_prefix_of_the_first_flight_fails),
        WITH_BOTH(other_protocols_are_refused),
        WITH_BOTH(an_endless_handshake_is_cut_off),
        WITH_BOTH(a_changed_record_ends_an_open_session),
        WITH_BOTH(a_stranger_with_any_self_signed_ed25519_key_is_let_in),
        WITH_BOTH(tls_1_2_is_refused),
        WITH_BOTH(a_client_without_a_certificate_is_refused),
        WITH_BOTH(a_key_of_another_kind_is_refused),
        WITH_BOTH(a_certificate_signed_by_another_key_is_refused),
        WITH_BOTH(a_chain_is_refused),
        WITH_BOTH(a_certificate_without_its_key_is_refused),
        WITH_BOTH(a_client_of_another_application_is_refused),
        WITH_BOTH(no_session_can_be_resumed),
        WITH_BOTH(a_peer_may_ask_for_new_keys),
        WITH_BOTH(out_of_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
