/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/site.h"
#include "support/temp_dir.h"
#include "support/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct rj_crypto *crypto;

static int set_up(void **state)
{
    static const uint8_t seed[RJ_CRYPTO_SEED_LEN] = {7};

    (void)state;
    return rj_crypto_new(seed, &crypto) == RJ_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    rj_crypto_free(crypto);
    return 0;
}

static struct rj_site *key(const char *text)
{
    struct rj_site *site = NULL;

    assert_ok(rj_site_load(text, NULL, 0, &site));
    return site;
}

/* Two ends of one session. */
struct pair {
    struct rj_site_end ends[2];
    struct rj_buf out[2]; /* what each has sent and the other not taken */
};

static void begin(struct pair *p, struct rj_site *client, struct rj_site *server)
{
    *p = (struct pair){0};
    p->ends[0] = (struct rj_site_end){.site = client, .is_client = true};
    p->ends[1] = (struct rj_site_end){.site = server};
    memset(p->ends[0].exporter, 3, RJ_SITE_EXPORT_LEN);
    memset(p->ends[1].exporter, 3, RJ_SITE_EXPORT_LEN);
    for (int i = 0; i < 2; i++)
        rj_site_begin(&p->ends[i], crypto, &p->out[i]);
}

/* Hands what was sent to the other end, step bytes at a time, until nothing moves. */
static void run(struct pair *p, size_t step)
{
    bool moved = true;

    while (moved) {
        moved = false;
        for (int i = 0; i < 2; i++) {
            struct rj_bytes some = rj_bytes_first(rj_buf_view(&p->out[i]), step);
            uint8_t copy[256];
            size_t n = some.len < sizeof(copy) ? some.len : sizeof(copy);
            struct rj_bytes in;

            if (n == 0)
                continue;
            memcpy(copy, some.ptr, n);
            rj_buf_consume(&p->out[i], n);
            in = rj_bytes_of(copy, n);
            (void)rj_site_input(&p->ends[1 - i], crypto, &in, &p->out[1 - i]);
            moved = true;
        }
    }
}

static void done(struct pair *p)
{
    rj_buf_done(&p->out[0]);
    rj_buf_done(&p->out[1]);
}

TEST(two_that_know_the_key_pass)
{
    struct rj_site *a = key("correct horse battery"),
                   *b = key(" correct horse battery\n");

    for (size_t step = 1; step < 60; step += 19) {
        struct pair p;

        begin(&p, a, b);
        assert_int_equal(p.ends[0].state, RJ_SITE_WAITS);
        assert_int_equal(p.out[1].len, 0); /* the server shows nothing to strangers */
        run(&p, step);
        assert_int_equal(p.ends[0].state, RJ_SITE_PASSED);
        assert_int_equal(p.ends[1].state, RJ_SITE_PASSED);
        done(&p);
    }
    rj_site_free(a);
    rj_site_free(b);
}

TEST(what_comes_behind_the_proof_is_the_engines)
{
    struct rj_site *a = key("correct horse battery");
    struct pair p;
    struct rj_bytes in;

    begin(&p, a, a);
    rj_buf_append_raw(&p.out[0], "\0more", 5);
    in = rj_buf_view(&p.out[0]);
    assert_int_equal(rj_site_input(&p.ends[1], crypto, &in, &p.out[1]), RJ_SITE_PASSED);
    assert_bytes_equal(in, rj_bytes_of("\0more", 5));
    done(&p);
    rj_site_free(a);
}

TEST(another_key_is_refused_and_both_know_why)
{
    struct rj_site *a = key("correct horse battery"), *b = key("wrong horse battery");
    struct pair p;

    begin(&p, a, b);
    run(&p, 100);
    assert_int_equal(p.ends[0].state, RJ_SITE_REFUSED);
    assert_int_equal(p.ends[1].state, RJ_SITE_REFUSED);
    assert_non_null(strstr(p.ends[0].why, "another key"));
    assert_non_null(strstr(p.ends[1].why, "another network key"));
    done(&p);
    rj_site_free(a);
    rj_site_free(b);
}

TEST(a_proof_of_another_session_or_role_is_refused)
{
    struct rj_site *a = key("correct horse battery");
    struct rj_bytes in;
    struct pair p;

    begin(&p, a, a);
    p.ends[1].exporter[0] ^= 1;
    run(&p, 100);
    assert_int_equal(p.ends[1].state, RJ_SITE_REFUSED);
    done(&p);
    begin(&p, a, a);
    in = rj_buf_view(&p.out[0]); /* the client's own, sent back */
    assert_int_equal(rj_site_input(&p.ends[0], crypto, &in, &p.out[1]), RJ_SITE_REFUSED);
    done(&p);
    rj_site_free(a);
}

TEST(who_has_none_is_refused_and_both_know_why)
{
    struct rj_site *a = key("correct horse battery");
    struct pair p;

    begin(&p, NULL, a);
    assert_int_equal(p.ends[0].state, RJ_SITE_PASSED);
    rj_buf_append_raw(&p.out[0], "\0\0\0\1frame", 9); /* its engine speaks */
    run(&p, 100);
    assert_int_equal(p.ends[0].state, RJ_SITE_REFUSED);
    assert_int_equal(p.ends[1].state, RJ_SITE_REFUSED);
    assert_non_null(strstr(p.ends[0].why, "network with a key"));
    assert_non_null(strstr(p.ends[1].why, "no network key"));
    done(&p);

    begin(&p, a, NULL);
    rj_buf_append_raw(&p.out[1], "\0\0\0\1frame", 9);
    run(&p, 100);
    assert_int_equal(p.ends[0].state, RJ_SITE_REFUSED);
    assert_int_equal(p.ends[1].state, RJ_SITE_REFUSED);
    done(&p);
    rj_site_free(a);
}

TEST(without_keys_every_byte_is_the_engines)
{
    struct rj_bytes in = rj_bytes_of("\0\0\0\1RJSITE1", 11);
    struct pair p;

    begin(&p, NULL, NULL);
    assert_int_equal(p.out[0].len + p.out[1].len, 0);
    assert_int_equal(rj_site_input(&p.ends[0], crypto, &in, &p.out[0]), RJ_SITE_PASSED);
    assert_int_equal(in.len, 11);
    in = RJ_BYTES_LIT("RJSITE1 later");
    assert_int_equal(rj_site_input(&p.ends[0], crypto, &in, &p.out[0]), RJ_SITE_PASSED);
    assert_int_equal(in.len, 13);
    done(&p);
}

TEST(a_key_is_text_or_a_private_file)
{
    struct rj_test_dir dir;
    struct rj_site *site = NULL, *same;
    char path[RJ_TEST_PATH_MAX], why[200] = "";
    uint8_t mac[2][RJ_SITE_MAC_LEN];
    FILE *f;

    assert_ok(rj_site_load("", why, sizeof(why), &site));
    assert_null(site);
    assert_err(RJ_EINVAL, rj_site_load("too short", why, sizeof(why), &site));
    assert_non_null(strstr(why, "network.key"));
    rj_test_dir_init(&dir);
    rj_test_dir_path(&dir, "key", path);
    assert_err(RJ_ENOENT, rj_site_load(path, why, sizeof(why), &site));
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs("correct horse battery\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0644), 0);
    assert_err(RJ_EDENIED, rj_site_load(path, why, sizeof(why), &site));
    assert_int_equal(chmod(path, 0600), 0);
    site = key(path);
    same = key("correct horse battery");
    rj_site_mac(site, crypto, RJ_BYTES_LIT("x"), mac[0]);
    rj_site_mac(same, crypto, RJ_BYTES_LIT("x"), mac[1]);
    assert_memory_equal(mac[0], mac[1], RJ_SITE_MAC_LEN);
    rj_site_mac(same, crypto, RJ_BYTES_LIT("y"), mac[1]);
    assert_memory_not_equal(mac[0], mac[1], RJ_SITE_MAC_LEN);
    rj_site_free(site);
    rj_site_free(same);
    rj_test_dir_done(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_know_the_key_pass),
        cmocka_unit_test(what_comes_behind_the_proof_is_the_engines),
        cmocka_unit_test(another_key_is_refused_and_both_know_why),
        cmocka_unit_test(a_proof_of_another_session_or_role_is_refused),
        cmocka_unit_test(who_has_none_is_refused_and_both_know_why),
        cmocka_unit_test(without_keys_every_byte_is_the_engines),
        cmocka_unit_test(a_key_is_text_or_a_private_file),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
