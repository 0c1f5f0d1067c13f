/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for ordinary clients: an OpenSSL client over memory against our server. */
#include "base/buf.h"
#include "posix/file.h"
#include "posix/tls.h"
#include "support/temp_dir.h"
#include "support/test.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rj_test_dir dir;
static char cert[RJ_TEST_PATH_MAX], key[RJ_TEST_PATH_MAX], why[256];

static struct rj_tls_files files_of(bool make)
{
    return (struct rj_tls_files){.cert = cert,
                                 .key = key,
                                 .ca = "",
                                 .make = make,
                                 .why = why,
                                 .why_len = sizeof(why)};
}

static int set_up(void **state)
{
    (void)state;
    rj_test_dir_init(&dir);
    rj_test_dir_path(&dir, "resp.crt", cert);
    rj_test_dir_path(&dir, "resp.key", key);
    why[0] = '\0';
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rj_test_dir_done(&dir);
    return 0;
}

/* A client that trusts our certificate and wants that name. */
struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *in, *out;
};

static void client_open(struct client *c, const char *name, int version)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(c->ctx);
    assert_int_equal(SSL_CTX_load_verify_file(c->ctx, cert), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(c->ctx, version), 1);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    c->ssl = SSL_new(c->ctx);
    c->in = BIO_new(BIO_s_mem());
    c->out = BIO_new(BIO_s_mem());
    assert_int_equal(SSL_set1_host(c->ssl, name), 1);
    SSL_set_bio(c->ssl, c->in, c->out);
    SSL_set_connect_state(c->ssl);
}

static void client_close(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    ERR_clear_error();
}

/* Moves what both have to say until nobody says anything. */
static enum rj_err meet(struct client *c, struct rj_tls *server, struct rj_buf *plain)
{
    struct rj_buf out = {0};
    enum rj_err err = RJ_OK;
    bool moved = true;

    while (moved && err == RJ_OK) {
        uint8_t bytes[4096];
        int n;

        (void)SSL_do_handshake(c->ssl);
        moved = false;
        while (err == RJ_OK && (n = BIO_read(c->out, bytes, sizeof(bytes))) > 0) {
            err = rj_tls_input(server, rj_bytes_of(bytes, (size_t)n), plain, &out);
            moved = true;
        }
        if (out.len > 0)
            assert_int_equal(BIO_write(c->in, out.ptr, (int)out.len), (int)out.len);
        moved = moved || out.len > 0;
        rj_buf_clear(&out);
    }
    rj_buf_done(&out);
    ERR_clear_error();
    return err;
}

static void talk(const char *name, int version)
{
    struct rj_tls_files files = files_of(true);
    struct rj_buf plain = {0}, out = {0};
    struct rj_tls_ctx *ctx = NULL;
    struct rj_tls *tls = NULL;
    struct client c;
    char got[16] = "";

    assert_ok(rj_tls_ctx_server(&files, &ctx));
    assert_ok(rj_tls_new(ctx, false, &tls));
    client_open(&c, name, version);
    assert_ok(meet(&c, tls, &plain));
    assert_int_equal(rj_tls_state(tls), RJ_TLS_OPEN);
    assert_null(rj_tls_peer(tls));
    assert_int_equal(SSL_write(c.ssl, "PING\r\n", 6), 6);
    assert_ok(meet(&c, tls, &plain));
    assert_int_equal(plain.len, 6);
    assert_memory_equal(plain.ptr, "PING\r\n", 6);
    assert_ok(rj_tls_write(tls, rj_bytes_of("+PONG\r\n", 7), &out));
    assert_int_equal(BIO_write(c.in, out.ptr, (int)out.len), (int)out.len);
    assert_int_equal(SSL_read(c.ssl, got, sizeof(got)), 7);
    assert_memory_equal(got, "+PONG\r\n", 7);
    client_close(&c);
    rj_buf_done(&plain);
    rj_buf_done(&out);
    rj_tls_free(tls);
    rj_tls_ctx_free(ctx);
}

static void a_client_that_trusts_the_made_certificate_talks(void **state)
{
    (void)state;
    talk("localhost", TLS1_3_VERSION);
    talk("localhost", TLS1_2_VERSION); /* with the certificate of before */
}

static void what_is_made_is_kept_and_the_key_is_private(void **state)
{
    struct rj_tls_files files = files_of(true);
    struct rj_buf first = {0}, second = {0};
    struct rj_tls_ctx *ctx = NULL;
    struct stat st;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(rj_tls_ctx_server(&files, &ctx));
        rj_tls_ctx_free(ctx);
        assert_ok(rj_file_read(cert, 65536, NULL, 0, i == 0 ? &first : &second));
    }
    assert_true(rj_bytes_equal(rj_buf_view(&first), rj_buf_view(&second)));
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    rj_buf_done(&first);
    rj_buf_done(&second);
}

static void a_client_that_wants_another_name_goes(void **state)
{
    struct rj_tls_files files = files_of(true);
    struct rj_buf plain = {0};
    struct rj_tls_ctx *ctx = NULL;
    struct rj_tls *tls = NULL;
    struct client c;

    (void)state;
    assert_ok(rj_tls_ctx_server(&files, &ctx));
    assert_ok(rj_tls_new(ctx, false, &tls));
    client_open(&c, "elsewhere.example", TLS1_3_VERSION);
    assert_int_equal(meet(&c, tls, &plain), RJ_EAUTH);
    assert_int_equal(rj_tls_state(tls), RJ_TLS_FAILED);
    client_close(&c);
    rj_buf_done(&plain);
    rj_tls_free(tls);
    rj_tls_ctx_free(ctx);
}

static void files_that_cannot_be_used_are_named(void **state)
{
    struct rj_tls_files files = files_of(false);
    struct rj_tls_ctx *ctx = NULL;

    (void)state;
    assert_int_equal(rj_tls_ctx_server(&files, &ctx), RJ_EINVAL); /* not there */
    assert_non_null(strstr(why, "resp.crt"));
    assert_ok(rj_file_replace(cert, rj_bytes_of("no", 2), NULL, NULL, 0));
    files.make = true; /* one is there: nothing is made over it */
    assert_int_equal(rj_tls_ctx_server(&files, &ctx), RJ_EINVAL);
    assert_int_not_equal(access(key, F_OK), 0);
    assert_int_equal(unlink(cert), 0);
    assert_ok(rj_tls_ctx_server(&files, &ctx));
    rj_tls_ctx_free(ctx);
    ctx = NULL;
    assert_ok(rj_file_replace(key, rj_bytes_of("no", 2), NULL, NULL, 0));
    assert_int_equal(rj_tls_ctx_server(&files, &ctx), RJ_EINVAL);
    assert_non_null(strstr(why, "resp.key"));
}

static void with_a_ca_nobody_comes_without_a_certificate(void **state)
{
    struct rj_tls_files files = files_of(true);
    struct rj_buf plain = {0};
    struct rj_tls_ctx *ctx = NULL;
    struct rj_tls *tls = NULL;
    struct client c;

    (void)state;
    assert_ok(rj_tls_ctx_server(&files, &ctx));
    rj_tls_ctx_free(ctx);
    files.ca = cert;
    assert_ok(rj_tls_ctx_server(&files, &ctx));
    assert_ok(rj_tls_new(ctx, false, &tls));
    client_open(&c, "localhost", TLS1_3_VERSION);
    assert_int_equal(meet(&c, tls, &plain), RJ_EAUTH);
    client_close(&c);
    rj_buf_done(&plain);
    rj_tls_free(tls);
    rj_tls_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_client_that_trusts_the_made_certificate_talks,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_made_is_kept_and_the_key_is_private,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_wants_another_name_goes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_used_are_named, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(with_a_ca_nobody_comes_without_a_certificate,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
