/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/pipes.h"
#include "support/temp_dir.h"
#include "support/test.h"

#include <stdio.h>
#include <string.h>

static bool is_host(const char *text)
{
    return rj_pipes_is_host(rj_bytes_from_str(text));
}

TEST(a_host_is_what_ssh_takes_as_one)
{
    assert_true(is_host("nas"));
    assert_true(is_host("me@nas.example.org"));
    assert_true(is_host("_x-1@10.0.0.7"));
    assert_true(is_host("me@2001:db8::1"));
}

TEST(what_ssh_or_a_shell_could_take_for_more_is_refused)
{
    static const char *const bad[] = {
        "",
        "-oProxyCommand=x",
        "me@-oProxyCommand=x",
        "-l@nas",
        "@nas",
        "nas@",
        "a b",
        "nas;reboot",
        "$(reboot)",
        "`x`",
        "a|b",
        "a/b",
        "me@you@it",
        "a'b",
        "a\"b",
        "a\nb",
        "a\\b",
        "a=b",
    };
    char longest[RJ_PIPES_HOST_MAX + 2];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (is_host(bad[i]))
            fail_msg("accepted: '%s'", bad[i]);
    assert_false(rj_pipes_is_host(rj_bytes_of("nas\0x", 5)));
    memset(longest, 'a', sizeof(longest));
    assert_true(rj_pipes_is_host(rj_bytes_of(longest, RJ_PIPES_HOST_MAX)));
    assert_false(rj_pipes_is_host(rj_bytes_of(longest, RJ_PIPES_HOST_MAX + 1)));
}

TEST(a_command_is_split_at_blanks_and_by_no_shell)
{
    struct rj_pipes_argv words;
    char many[RJ_PIPES_COMMAND_MAX + 1];

    assert_ok(rj_pipes_argv("ssh  -T\t$HOME", "me@nas", &words));
    assert_string_equal(words.argv[0], "ssh");
    assert_string_equal(words.argv[1], "-T");
    assert_string_equal(words.argv[2], "$HOME");
    assert_string_equal(words.argv[3], "me@nas");
    assert_string_equal(words.argv[4], "rejoin");
    assert_string_equal(words.argv[5], "pipe");
    assert_null(words.argv[6]);
    assert_err(RJ_EINVAL, rj_pipes_argv("", "nas", &words));
    assert_err(RJ_EINVAL, rj_pipes_argv("ssh", "-nas", &words));
    for (size_t i = 0; i < RJ_PIPES_COMMAND_MAX; i++)
        many[i] = i % 2 == 0 ? 'a' : ' ';
    many[RJ_PIPES_COMMAND_MAX] = '\0';
    assert_err(RJ_EINVAL, rj_pipes_argv(many, "nas", &words));
}

static struct rj_digest device(uint8_t n)
{
    struct rj_digest d = {{n, 0xab}};

    return d;
}

TEST(the_book_is_kept)
{
    struct rj_digest a = device(1), b = device(2);
    struct rj_pipes *pipes = NULL;
    struct rj_test_dir dir;
    char path[RJ_TEST_PATH_MAX], why[200];

    rj_test_dir_init(&dir);
    rj_test_dir_path(&dir, "pipes", path);
    assert_ok(rj_pipes_open(path, why, sizeof(why), &pipes));
    assert_null(rj_pipes_address(pipes, &a));
    assert_ok(rj_pipes_set(pipes, &a, "nas"));
    assert_ok(rj_pipes_set(pipes, &b, "me@desk"));
    assert_ok(rj_pipes_set(pipes, &a, "other"));
    assert_err(RJ_EINVAL, rj_pipes_set(pipes, &a, "-x"));
    rj_pipes_close(pipes);
    assert_ok(rj_pipes_open(path, why, sizeof(why), &pipes));
    assert_string_equal(rj_pipes_address(pipes, &a), "ssh:other");
    assert_string_equal(rj_pipes_address(pipes, &b), "ssh:me@desk");
    assert_ok(rj_pipes_set(pipes, &a, ""));
    assert_ok(rj_pipes_set(pipes, &a, NULL));
    rj_pipes_close(pipes);
    assert_ok(rj_pipes_open(path, why, sizeof(why), &pipes));
    assert_null(rj_pipes_address(pipes, &a));
    assert_string_equal(rj_pipes_address(pipes, &b), "ssh:me@desk");
    rj_pipes_close(pipes);
    rj_test_dir_done(&dir);
}

TEST(a_book_that_cannot_be_written_stays_as_it_was)
{
    struct rj_digest a = device(1), b = device(2);
    struct rj_pipes *pipes = NULL;
    struct rj_test_dir dir;
    char path[RJ_TEST_PATH_MAX], moved[RJ_TEST_PATH_MAX], why[200];

    rj_test_dir_init(&dir);
    rj_test_dir_path(&dir, "pipes", path);
    assert_ok(rj_pipes_open(path, why, sizeof(why), &pipes));
    assert_ok(rj_pipes_set(pipes, &a, "nas"));
    assert_ok(rj_pipes_set(pipes, &b, "desk"));
    (void)snprintf(moved, sizeof(moved), "%.200s-moved", dir.path);
    assert_int_equal(rename(dir.path, moved), 0);
    assert_true(rj_pipes_set(pipes, &a, "other") != RJ_OK);
    assert_true(rj_pipes_set(pipes, &a, "") != RJ_OK);
    assert_string_equal(rj_pipes_address(pipes, &a), "ssh:nas");
    assert_string_equal(rj_pipes_address(pipes, &b), "ssh:desk");
    assert_int_equal(rename(moved, dir.path), 0);
    rj_pipes_close(pipes);
    rj_test_dir_done(&dir);
}

TEST(a_damaged_book_is_refused)
{
    static const char *const bad[] = {
        "nonsense\n",
        "0101010101010101010101010101010101010101010101010101010101010101 -oX\n",
        "010101010101010101010101010101010101010101010101010101010101010G nas\n",
        "0101010101010101010101010101010101010101010101010101010101010101_nas\n",
        "\n",
    };
    struct rj_pipes *pipes = NULL;
    struct rj_test_dir dir;
    char path[RJ_TEST_PATH_MAX], why[400];

    rj_test_dir_init(&dir);
    rj_test_dir_path(&dir, "pipes", path);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        FILE *f = fopen(path, "w");

        assert_non_null(f);
        assert_true(fputs(bad[i], f) >= 0);
        assert_int_equal(fclose(f), 0);
        assert_err(RJ_ECORRUPT, rj_pipes_open(path, why, sizeof(why), &pipes));
        assert_non_null(strstr(why, "pipes"));
    }
    rj_test_dir_done(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_what_ssh_takes_as_one),
        cmocka_unit_test(what_ssh_or_a_shell_could_take_for_more_is_refused),
        cmocka_unit_test(a_command_is_split_at_blanks_and_by_no_shell),
        cmocka_unit_test(the_book_is_kept),
        cmocka_unit_test(a_book_that_cannot_be_written_stays_as_it_was),
        cmocka_unit_test(a_damaged_book_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
