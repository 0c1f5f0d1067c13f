/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "posix/crypto.h"
#include "posix/file.h"
#include "support/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rj_bytes hex(const char *text)
{
    static uint8_t out[8][128];
    static unsigned next;
    uint8_t *p = out[next++ % 8];
    size_t n = strlen(text) / 2;

    for (size_t i = 0; i < n; i++) {
        unsigned byte;

        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        p[i] = (uint8_t)byte;
    }
    return rj_bytes_of(p, n);
}

/* RFC 8032, section 7.1 */
static const struct {
    const char *seed, *pubkey, *msg, *sig;
} rfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc6"
     "1e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e45"
     "8f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae"
     "67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

static struct rj_crypto *make(unsigned i)
{
    struct rj_crypto *crypto = NULL;

    assert_ok(rj_crypto_new(hex(rfc8032[i].seed).ptr, &crypto));
    return crypto;
}

static bool verify(struct rj_crypto *crypto, struct rj_bytes pubkey, struct rj_bytes msg,
                   struct rj_bytes sig)
{
    struct rj_env *env = rj_crypto_env(crypto);

    return env->ops->verify(env, pubkey.ptr, msg, sig.ptr);
}

TEST(signatures_are_those_of_rfc_8032)
{
    for (unsigned i = 0; i < 3; i++) {
        struct rj_crypto *crypto = make(i);
        struct rj_env *env = rj_crypto_env(crypto);
        uint8_t sig[RJ_SIG_LEN];
        struct rj_bytes msg = hex(rfc8032[i].msg);

        assert_bytes_equal(RJ_BYTES_OF(env->pubkey), hex(rfc8032[i].pubkey));
        assert_ok(env->ops->sign(env, msg, sig));
        assert_bytes_equal(RJ_BYTES_OF(sig), hex(rfc8032[i].sig));
        assert_true(verify(crypto, RJ_BYTES_OF(env->pubkey), msg, RJ_BYTES_OF(sig)));
        rj_crypto_free(crypto);
    }
}

TEST(a_changed_bit_anywhere_is_noticed)
{
    struct rj_crypto *crypto = make(2);
    uint8_t all[RJ_PUBKEY_LEN + 2 + RJ_SIG_LEN];
    struct rj_bytes pubkey = {all, RJ_PUBKEY_LEN}, msg = {all + RJ_PUBKEY_LEN, 2},
                    sig = {all + RJ_PUBKEY_LEN + 2, RJ_SIG_LEN};

    memcpy(all, hex(rfc8032[2].pubkey).ptr, RJ_PUBKEY_LEN);
    memcpy(all + RJ_PUBKEY_LEN, hex(rfc8032[2].msg).ptr, 2);
    memcpy(all + RJ_PUBKEY_LEN + 2, hex(rfc8032[2].sig).ptr, RJ_SIG_LEN);
    assert_true(verify(crypto, pubkey, msg, sig));
    for (size_t bit = 0; bit < 8 * sizeof(all); bit++) {
        all[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(verify(crypto, pubkey, msg, sig));
        all[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(verify(crypto, pubkey, msg, sig));
    rj_crypto_free(crypto);
}

TEST(more_peers_than_the_cache_holds_are_verified)
{
    enum { N = RJ_CRYPTO_PEERS * 3 };
    struct rj_crypto *crypto = make(0);
    static uint8_t pubkeys[N][RJ_PUBKEY_LEN], sigs[N][RJ_SIG_LEN];
    uint8_t seed[RJ_CRYPTO_SEED_LEN] = {1};
    struct rj_bytes msg = RJ_BYTES_LIT("hello");

    for (unsigned i = 0; i < N; i++) {
        struct rj_crypto *peer = NULL;
        struct rj_env *env;

        seed[1] = (uint8_t)i;
        assert_ok(rj_crypto_new(seed, &peer));
        env = rj_crypto_env(peer);
        memcpy(pubkeys[i], env->pubkey, RJ_PUBKEY_LEN);
        assert_ok(env->ops->sign(env, msg, sigs[i]));
        rj_crypto_free(peer);
    }
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < N; i++) {
            assert_true(
                verify(crypto, RJ_BYTES_OF(pubkeys[i]), msg, RJ_BYTES_OF(sigs[i])));
            assert_false(verify(crypto, RJ_BYTES_OF(pubkeys[i]), msg,
                                RJ_BYTES_OF(sigs[(i + 1) % N])));
        }
    rj_crypto_free(crypto);
}

static struct rj_digest hash(struct rj_crypto *crypto, const struct rj_bytes *parts,
                             size_t n)
{
    struct rj_env *env = rj_crypto_env(crypto);
    struct rj_digest digest;

    env->ops->hash(env, parts, n, &digest);
    return digest;
}

TEST(hashes_are_those_of_fips_180)
{
    struct rj_crypto *crypto = make(0);
    struct rj_bytes abc = RJ_BYTES_LIT("abc"), empty = {0};
    struct rj_bytes two =
        RJ_BYTES_LIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
    struct rj_digest d;

    d = hash(crypto, &abc, 1);
    assert_bytes_equal(
        RJ_BYTES_OF(d.b),
        hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    d = hash(crypto, &two, 1);
    assert_bytes_equal(
        RJ_BYTES_OF(d.b),
        hex("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
    for (size_t n = 0; n <= 1; n++) {
        d = hash(crypto, &empty, n);
        assert_bytes_equal(
            RJ_BYTES_OF(d.b),
            hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    }
    rj_crypto_free(crypto);
}

TEST(parts_hash_like_their_concatenation)
{
    struct rj_crypto *crypto = make(0);
    uint8_t data[300];
    struct rj_bytes whole = RJ_BYTES_OF(data);
    struct rj_digest expected;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    expected = hash(crypto, &whole, 1);
    for (size_t i = 0; i < sizeof(data); i += 13) {
        struct rj_bytes parts[] = {
            rj_bytes_first(whole, i), {0}, rj_bytes_skip(whole, i)};
        struct rj_digest d = hash(crypto, parts, 3);

        assert_bytes_equal(RJ_BYTES_OF(d.b), RJ_BYTES_OF(expected.b));
    }
    rj_crypto_free(crypto);
}

TEST(a_device_id_is_the_hash_of_its_key)
{
    struct rj_crypto *crypto = make(1);
    struct rj_bytes pubkey = hex(rfc8032[1].pubkey);
    struct rj_digest id, expected = hash(crypto, &pubkey, 1);

    rj_crypto_device_id(crypto, pubkey.ptr, &id);
    assert_bytes_equal(RJ_BYTES_OF(id.b), RJ_BYTES_OF(expected.b));
    rj_crypto_free(crypto);
}

/* RFC 4231: test cases 1, 2 and 6 (a key longer than a block) */
TEST(macs_are_those_of_rfc_4231)
{
    struct rj_crypto *crypto = make(0);
    uint8_t key[131];
    struct rj_digest mac;

    memset(key, 0x0b, 20);
    rj_crypto_hmac(crypto, rj_bytes_of(key, 20), RJ_BYTES_LIT("Hi There"), &mac);
    assert_bytes_equal(
        RJ_BYTES_OF(mac.b),
        hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    rj_crypto_hmac(crypto, RJ_BYTES_LIT("Jefe"),
                   RJ_BYTES_LIT("what do ya want for nothing?"), &mac);
    assert_bytes_equal(
        RJ_BYTES_OF(mac.b),
        hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    memset(key, 0xaa, sizeof(key));
    rj_crypto_hmac(crypto, RJ_BYTES_OF(key),
                   RJ_BYTES_LIT("Test Using Larger Than Block-Size Key - Hash Key First"),
                   &mac);
    assert_bytes_equal(
        RJ_BYTES_OF(mac.b),
        hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
    rj_crypto_free(crypto);
}

TEST(random_bytes_do_not_repeat)
{
    struct rj_crypto *crypto = make(0);
    struct rj_env *env = rj_crypto_env(crypto);
    uint8_t a[1000] = {0}, b[1000] = {0};

    assert_ok(env->ops->random(env, a, sizeof(a)));
    assert_ok(env->ops->random(env, b, sizeof(b)));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a + 900, b + 900, 100);
    assert_ok(env->ops->random(env, a, 0));
    rj_crypto_free(crypto);
}

TEST(a_second_one_has_the_same_key)
{
    struct rj_crypto *first = make(1), *second = NULL;
    struct rj_env *env;
    uint8_t sig[RJ_SIG_LEN];

    assert_ok(rj_crypto_dup(first, &second));
    rj_crypto_free(first);
    env = rj_crypto_env(second);
    assert_ok(env->ops->sign(env, hex(rfc8032[1].msg), sig));
    assert_bytes_equal(RJ_BYTES_OF(sig), hex(rfc8032[1].sig));
    rj_crypto_free(second);
    rj_crypto_free(NULL);
}

/* ---- the key in its file */

static char dir[64], path[128], why[RJ_CRYPTO_WHY_MAX];

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/rejoin-crypto-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/device.key", dir);
    why[0] = '\0';
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir); /* fails when a temporary file stayed */
}

static enum rj_err load(struct rj_crypto **ret)
{
    return rj_crypto_load(path, why, sizeof(why), ret);
}

TEST(a_stored_key_is_the_same_when_loaded)
{
    struct rj_crypto *made = NULL, *loaded = NULL;
    struct stat st;

    assert_ok(rj_crypto_generate(path, why, sizeof(why), &made));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_ok(load(&loaded));
    assert_memory_equal(rj_crypto_env(made)->pubkey, rj_crypto_env(loaded)->pubkey,
                        RJ_PUBKEY_LEN);
    rj_crypto_free(made);
    rj_crypto_free(loaded);
}

TEST(a_key_is_never_overwritten)
{
    struct rj_crypto *first = NULL, *again = NULL;

    assert_ok(rj_crypto_generate(path, why, sizeof(why), &first));
    assert_err(RJ_EEXIST, rj_crypto_generate(path, why, sizeof(why), &again));
    assert_null(again);
    assert_ok(load(&again));
    assert_memory_equal(rj_crypto_env(first)->pubkey, rj_crypto_env(again)->pubkey,
                        RJ_PUBKEY_LEN);
    rj_crypto_free(first);
    rj_crypto_free(again);
}

TEST(a_key_that_others_may_read_is_refused)
{
    struct rj_crypto *crypto = NULL;

    assert_ok(rj_crypto_generate(path, why, sizeof(why), &crypto));
    rj_crypto_free(crypto);
    crypto = NULL;
    assert_int_equal(chmod(path, 0640), 0);
    assert_err(RJ_EDENIED, load(&crypto));
    assert_non_null(strstr(why, path));
    assert_null(crypto);
}

TEST(a_missing_key_is_told_apart)
{
    struct rj_crypto *crypto = NULL;

    assert_err(RJ_ENOENT, load(&crypto));
    assert_null(crypto);
}

TEST(a_cut_or_changed_key_file_is_damaged)
{
    struct rj_crypto *crypto = NULL;
    struct rj_buf text = {0};

    assert_ok(rj_crypto_generate(path, why, sizeof(why), &crypto));
    rj_crypto_free(crypto);
    crypto = NULL;
    assert_ok(rj_file_read(path, 4096, NULL, 0, &text));
    for (size_t len = 0; len + 1 < text.len; len++) { /* the last line end may go */
        assert_ok(rj_file_replace(path, rj_bytes_first(rj_buf_view(&text), len), NULL,
                                  NULL, 0));
        assert_err(RJ_ECORRUPT, load(&crypto));
    }
    rj_buf_done(&text);
}

/* From `openssl genpkey`: a key of another kind, and an encrypted one. */
static const char x25519_pem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VuBCIEIHhDwxRyZlicPdRV+03eeU4aeysYxe+5SddMaCoZEa5M\n"
    "-----END PRIVATE KEY-----\n";
static const char encrypted_pem[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiq3pSdgZh5nQICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEINVFCOo+/9MndhKYuG9di8EQIHP\n"
    "XkdvcNIy7YZK99UvnkZ7CWgLryJHMXC2/K8TVcUoWdBPYYjbd/w+jOLdD7M4FF6Y\n"
    "H5OQLEsb+4x0NKTDSYE=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

TEST(only_a_plain_ed25519_key_is_taken)
{
    struct rj_crypto *crypto = NULL;

    assert_ok(rj_file_replace(path, rj_bytes_from_str(x25519_pem), NULL, NULL, 0));
    assert_err(RJ_ECORRUPT, load(&crypto));
    assert_ok(rj_file_replace(path, rj_bytes_from_str(encrypted_pem), NULL, NULL, 0));
    assert_err(RJ_ECORRUPT, load(&crypto)); /* and does not ask for a password */
    assert_null(crypto);
}

TEST(a_file_that_is_too_long_is_no_key)
{
    struct rj_crypto *crypto = NULL;
    static uint8_t text[RJ_CRYPTO_KEY_FILE_MAX + 1];

    memset(text, '\n', sizeof(text));
    assert_ok(rj_file_replace(path, RJ_BYTES_OF(text), NULL, NULL, 0));
    assert_err(RJ_ECORRUPT, load(&crypto));
}

static enum rj_err use(void *ctx)
{
    struct rj_crypto *crypto = NULL, *second = NULL;
    enum rj_err err = rj_crypto_load(ctx, NULL, 0, &crypto);

    if (err == RJ_OK)
        err = rj_crypto_dup(crypto, &second);
    rj_crypto_free(second);
    rj_crypto_free(crypto);
    return err;
}

TEST(out_of_memory_is_reported)
{
    struct rj_crypto *crypto = NULL;

    assert_ok(rj_crypto_generate(path, why, sizeof(why), &crypto));
    rj_crypto_free(crypto);
    rj_test_with_failing_alloc(use, path);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_are_those_of_rfc_8032),
        cmocka_unit_test(a_changed_bit_anywhere_is_noticed),
        cmocka_unit_test(more_peers_than_the_cache_holds_are_verified),
        cmocka_unit_test(hashes_are_those_of_fips_180),
        cmocka_unit_test(parts_hash_like_their_concatenation),
        cmocka_unit_test(a_device_id_is_the_hash_of_its_key),
        cmocka_unit_test(macs_are_those_of_rfc_4231),
        cmocka_unit_test(random_bytes_do_not_repeat),
        cmocka_unit_test(a_second_one_has_the_same_key),
        IN_DIR(a_stored_key_is_the_same_when_loaded),
        IN_DIR(a_key_is_never_overwritten),
        IN_DIR(a_key_that_others_may_read_is_refused),
        IN_DIR(a_missing_key_is_told_apart),
        IN_DIR(a_cut_or_changed_key_file_is_damaged),
        IN_DIR(only_a_plain_ed25519_key_is_taken),
        IN_DIR(a_file_that_is_too_long_is_no_key),
        IN_DIR(out_of_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
