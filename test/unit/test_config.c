/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "daemon/config.h"
#include "posix/file.h"
#include "support/temp_dir.h"
#include "support/test.h"

struct fixture {
    struct rj_test_dir dir;
    char path[RJ_TEST_PATH_MAX];
    struct rj_config config;
};

static void begin(struct fixture *f, const char *text)
{
    *f = (struct fixture){0};
    rj_test_dir_init(&f->dir);
    rj_test_dir_path(&f->dir, "rejoin.conf", f->path);
    if (text != NULL)
        assert_ok(rj_file_replace(f->path, rj_bytes_from_str(text), NULL, NULL, 0));
}

static void end(struct fixture *f)
{
    rj_config_done(&f->config);
    rj_test_dir_done(&f->dir);
}

static void assert_file(const struct fixture *f, const char *expected)
{
    struct rj_buf b = {0};

    assert_ok(rj_file_read(f->path, 65536, NULL, 0, &b));
    assert_string_equal(rj_buf_str(&b), expected);
    rj_buf_done(&b);
}

TEST(no_file_means_defaults)
{
    struct fixture f;

    begin(&f, NULL);
    assert_ok(rj_config_load(&f.config, f.path));
    assert_int_equal(rj_config_uint(&f.config, "port.peer"), 7340);
    assert_string_equal(rj_config_get(&f.config, "listen.resp"), "127.0.0.1");
    assert_string_equal(rj_config_get(&f.config, "token.any"), "");
    assert_false(rj_config_is_set(&f.config, "port.peer"));
    end(&f);
}

TEST(settings_are_read)
{
    struct fixture f;

    begin(&f, "# mine\n[port]\npeer = 9000 ; behind the router\nresp=0\n\n"
              "[listen]\naddress = one:1\naddress = two\n[token]\nb.1 = secret\n");
    assert_ok(rj_config_load(&f.config, f.path));
    assert_int_equal(rj_config_uint(&f.config, "port.peer"), 9000);
    assert_int_equal(rj_config_uint(&f.config, "port.resp"), 0);
    assert_string_equal(rj_config_get(&f.config, "listen.address"), "one:1,two");
    assert_string_equal(rj_config_get(&f.config, "token.b.1"), "secret");
    assert_true(rj_config_is_set(&f.config, "port.peer"));
    end(&f);
}

TEST(what_is_wrong_is_said_with_its_line)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"[port]\npeer = x\n", ":2: port.peer must be a port"},
        {"[port]\npeer = 65536\n", ":2: port.peer must be a port"},
        {"[port]\npear = 1\n", ":2: there is no key port.pear"},
        {"[port]\npeer = 1\npeer = 2\n", ":3: port.peer is there twice"},
        {"[port]\n\nhello\n", ":3: neither"},
        {"[bucket]\ndurability = often\n", "must be always, second or none"},
        {"[log]\nlevel = loud\n", "must be error, warn, info or debug"},
        {"[listen]\nresp = a b\n", "must be a numeric address"},
        {"[listen]\naddress = a,,b\n", "must be a list"},
        {"[device]\nname = a/b\n", "must be at most 64"},
        {"[limit]\nlog = -1\n", "must be a whole number"},
        {"[limit]\nlog = 18446744073709551616\n", "must be a whole number"},
        {"[token]\nx = a b\n", "printable"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fixture f;

        begin(&f, bad[i].text);
        assert_err(RJ_EINVAL, rj_config_load(&f.config, f.path));
        if (strstr(f.config.why, bad[i].why) == NULL)
            fail_msg("'%s' is not in '%s'", bad[i].why, f.config.why);
        end(&f);
    }
}

TEST(a_line_that_is_too_long_is_refused_and_not_cut)
{
    struct rj_buf text = {0};
    struct fixture f;

    rj_buf_append_str(&text, "[device]\n#");
    for (int i = 0; i < 300; i++)
        rj_buf_append_str(&text, "x");
    rj_buf_append_str(&text, "\nname = n\n");
    begin(&f, rj_buf_str(&text));
    assert_err(RJ_EINVAL, rj_config_load(&f.config, f.path));
    assert_non_null(strstr(f.config.why, ":2: the line is longer"));
    rj_buf_done(&text);
    end(&f);
}

TEST(a_failed_load_keeps_what_was_there)
{
    struct fixture f;

    begin(&f, "[port]\npeer = 9000\n");
    assert_ok(rj_config_load(&f.config, f.path));
    assert_ok(rj_file_replace(f.path, RJ_BYTES_LIT("[port]\npeer = x\n"), NULL, NULL, 0));
    assert_err(RJ_EINVAL, rj_config_load(&f.config, f.path));
    assert_int_equal(rj_config_uint(&f.config, "port.peer"), 9000);
    end(&f);
}

TEST(a_setting_is_written_into_a_new_file)
{
    struct fixture f;

    begin(&f, NULL);
    assert_ok(rj_config_load(&f.config, f.path));
    assert_ok(rj_config_set(&f.config, "port.peer", "9000"));
    assert_int_equal(rj_config_uint(&f.config, "port.peer"), 9000);
    assert_ok(rj_config_set(&f.config, "port.resp", "9001"));
    assert_ok(rj_config_set(&f.config, "log.level", "debug"));
    assert_file(&f, "[port]\npeer = 9000\nresp = 9001\n\n[log]\nlevel = debug\n");
    end(&f);
}

TEST(comments_order_and_other_keys_stay)
{
    struct fixture f;

    begin(&f, "; first\n[port]\n# for the router\npeer = 1\nresp = 2\n\n[log]\n"
              "level = warn ; quiet\n");
    assert_ok(rj_config_load(&f.config, f.path));
    assert_ok(rj_config_set(&f.config, "port.peer", "9000"));
    assert_file(&f, "; first\n[port]\n# for the router\npeer = 9000\nresp = 2\n\n[log]\n"
                    "level = warn ; quiet\n");
    assert_ok(rj_config_set(&f.config, "port.resp", NULL));
    assert_file(&f, "; first\n[port]\n# for the router\npeer = 9000\n\n[log]\n"
                    "level = warn ; quiet\n");
    assert_int_equal(rj_config_uint(&f.config, "port.resp"), 7341);
    end(&f);
}

TEST(a_list_is_written_one_a_line_and_replaced_as_a_whole)
{
    struct fixture f;

    begin(&f, "[listen]\naddress = a\n  b\naddress = c\nresp = ::1\n");
    assert_ok(rj_config_load(&f.config, f.path));
    assert_string_equal(rj_config_get(&f.config, "listen.address"), "a,b,c");
    assert_ok(rj_config_set(&f.config, "listen.address", "x:1,[::1]:2"));
    assert_file(&f, "[listen]\naddress = x:1\naddress = [::1]:2\nresp = ::1\n");
    assert_string_equal(rj_config_get(&f.config, "listen.address"), "x:1,[::1]:2");
    end(&f);
}

TEST(a_bad_setting_changes_neither_file_nor_memory)
{
    struct fixture f;

    begin(&f, "[port]\npeer = 9000\n");
    assert_ok(rj_config_load(&f.config, f.path));
    assert_err(RJ_EINVAL, rj_config_set(&f.config, "port.peer", "x"));
    assert_err(RJ_ENOENT, rj_config_set(&f.config, "port.pear", "1"));
    assert_err(RJ_ENOENT, rj_config_set(&f.config, "port", "1"));
    assert_err(RJ_EINVAL, rj_config_set(&f.config, "token.b", "a\nb"));
    assert_err(RJ_EINVAL, rj_config_set(&f.config, "token.b", ""));
    assert_file(&f, "[port]\npeer = 9000\n");
    assert_int_equal(rj_config_uint(&f.config, "port.peer"), 9000);
    end(&f);
}

TEST(the_longest_token_of_the_longest_name_fits)
{
    char key[RJ_CONFIG_KEY_MAX + 1] = "token.", token[RJ_CONFIG_TOKEN_MAX + 2] = "";
    struct fixture f;

    memset(key + 6, 'n', 64);
    memset(token, 't', RJ_CONFIG_TOKEN_MAX);
    begin(&f, NULL);
    assert_ok(rj_config_load(&f.config, f.path));
    assert_ok(rj_config_set(&f.config, key, token));
    assert_string_equal(rj_config_get(&f.config, key), token);
    token[RJ_CONFIG_TOKEN_MAX] = 't';
    assert_err(RJ_EINVAL, rj_config_set(&f.config, key, token));
    end(&f);
}

TEST(a_secret_is_long_or_a_path_and_is_not_shown)
{
    struct fixture f;

    begin(&f, NULL);
    assert_ok(rj_config_load(&f.config, f.path));
    assert_string_equal(rj_config_shown(&f.config, "network.key"), "");
    assert_err(RJ_EINVAL, rj_config_set(&f.config, "network.key", "too short"));
    assert_ok(rj_config_set(&f.config, "network.key", "/etc/key"));
    assert_ok(rj_config_set(&f.config, "network.key", "correct-horse-battery"));
    assert_string_equal(rj_config_get(&f.config, "network.key"), "correct-horse-battery");
    assert_string_equal(rj_config_shown(&f.config, "network.key"), "(hidden)");
    assert_string_equal(rj_config_shown(&f.config, "port.peer"), "7340");
    assert_err(RJ_EINVAL, rj_config_set(&f.config, "ssh.command", "ssh; reboot"));
    assert_ok(rj_config_set(&f.config, "ssh.command", "ssh -F /etc/ssh/other"));
    end(&f);
}

TEST(every_default_is_a_valid_value)
{
    const struct rj_config_key *key;
    struct fixture f;

    begin(&f, NULL);
    assert_ok(rj_config_load(&f.config, f.path));
    for (size_t i = 0; (key = rj_config_key(i)) != NULL; i++) {
        assert_ptr_equal(rj_config_find(key->key), key);
        assert_ok(rj_config_set(&f.config, key->key, key->fallback));
        assert_string_equal(rj_config_get(&f.config, key->key), key->fallback);
    }
    assert_ok(rj_config_load(&f.config, f.path));
    end(&f);
}

TEST(a_setting_is_found_in_its_line)
{
    struct fixture f;

    begin(&f,
          "; peer = 1\n[listen]\n[port]\n  # peer = 2\n\npeer = 9000\nresp: 0\n[token]\n"
          "a.b = secret");
    assert_ok(rj_config_load(&f.config, f.path));
    assert_int_equal(rj_config_line(&f.config, "port.peer"), 6);
    assert_int_equal(rj_config_line(&f.config, "port.resp"), 7);
    assert_int_equal(rj_config_line(&f.config, "token.a.b"), 9);
    assert_int_equal(rj_config_line(&f.config, "listen.peer"), 0);
    end(&f);
}

static enum rj_err load_and_set(void *ctx)
{
    struct fixture *f = ctx;
    struct rj_config c = {0};
    enum rj_err err = rj_config_load(&c, f->path);

    if (err == RJ_OK)
        err = rj_config_set(&c, "port.resp", "9002");
    rj_config_done(&c);
    return err;
}

TEST(out_of_memory_is_reported_wherever_it_happens)
{
    struct fixture f;

    begin(&f, "[port]\npeer = 9000\n[listen]\naddress = a\naddress = b\n");
    rj_test_with_failing_alloc(load_and_set, &f);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_means_defaults),
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
        cmocka_unit_test(a_line_that_is_too_long_is_refused_and_not_cut),
        cmocka_unit_test(a_failed_load_keeps_what_was_there),
        cmocka_unit_test(a_setting_is_written_into_a_new_file),
        cmocka_unit_test(comments_order_and_other_keys_stay),
        cmocka_unit_test(a_list_is_written_one_a_line_and_replaced_as_a_whole),
        cmocka_unit_test(a_bad_setting_changes_neither_file_nor_memory),
        cmocka_unit_test(the_longest_token_of_the_longest_name_fits),
        cmocka_unit_test(a_secret_is_long_or_a_path_and_is_not_shown),
        cmocka_unit_test(every_default_is_a_valid_value),
        cmocka_unit_test(a_setting_is_found_in_its_line),
        cmocka_unit_test(out_of_memory_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
