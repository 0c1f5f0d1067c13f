/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "daemon/suggest.h"
#include "support/test.h"

#include <stdio.h>
#include <unistd.h>

enum { WORDS_MAX = 32 };

/* Parses a line of words separated by blanks. What it says on stderr is thrown away. */
static enum rj_err parse(struct rj_cli *cli, const char *line)
{
    static char text[512];
    char *argv[WORDS_MAX] = {(char *)(uintptr_t) "rejoin"}, *save = NULL;
    int argc = 1, old = dup(STDERR_FILENO);
    FILE *null = fopen("/dev/null", "w");
    enum rj_err err;

    assert_non_null(null);
    (void)snprintf(text, sizeof(text), "%s", line);
    for (char *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    (void)fflush(stderr);
    (void)dup2(fileno(null), STDERR_FILENO);
    *cli = (struct rj_cli){.fd = -1};
    err = rj_cli_parse(cli, argc, argv);
    (void)fflush(stderr);
    (void)dup2(old, STDERR_FILENO);
    (void)close(old);
    (void)fclose(null);
    return err;
}

TEST(commands_of_one_and_two_words_are_found)
{
    static struct rj_cli cli;

    assert_ok(parse(&cli, "status"));
    assert_string_equal(cli.command->words, "status");
    assert_ok(parse(&cli, "bucket put b k v"));
    assert_string_equal(cli.command->words, "bucket put");
    assert_int_equal(cli.n_args, 3);
    assert_string_equal(cli.args[2], "v");
}

TEST(flags_may_stand_anywhere)
{
    static struct rj_cli cli;

    assert_ok(parse(&cli, "--json bucket -q get --timeout 2.5 b k -v"));
    assert_true(cli.json && cli.quiet && cli.verbose);
    assert_int_equal(cli.timeout_ms, 2500);
    assert_int_equal(cli.n_args, 2);
    assert_ok(parse(&cli, "--role=admin invite b"));
    assert_string_equal(rj_cli_option(&cli, "role"), "admin");
    assert_ok(parse(&cli, "invite b --role reader --uses 3"));
    assert_string_equal(rj_cli_option(&cli, "role"), "reader");
    assert_string_equal(rj_cli_option(&cli, "uses"), "3");
    assert_null(rj_cli_option(&cli, "expires"));
    assert_ok(parse(&cli, "-qyn bucket remove b"));
    assert_true(cli.quiet && cli.yes && cli.dry);
}

TEST(two_dashes_end_flags)
{
    static struct rj_cli cli;

    assert_ok(parse(&cli, "bucket put b k -- --json"));
    assert_false(cli.json);
    assert_string_equal(cli.args[2], "--json");
    assert_ok(parse(&cli, "join -"));
    assert_string_equal(cli.args[0], "-");
    assert_ok(parse(&cli, "bucket put b k -5"));
    assert_string_equal(cli.args[2], "-5");
}

TEST(a_redis_command_keeps_its_flags)
{
    static struct rj_cli cli;

    assert_ok(parse(&cli, "bucket run b SET k --json -x -- y"));
    assert_false(cli.json);
    assert_int_equal(cli.n_args, 7);
    assert_string_equal(cli.args[3], "--json");
    assert_string_equal(cli.args[5], "--");
    assert_ok(parse(&cli, "--json bucket run b GET k"));
    assert_true(cli.json);
}

TEST(what_does_not_fit_is_a_usage_error)
{
    static const char *const bad[] = {"statsu",
                                      "bucket",
                                      "bucket frob b",
                                      "bucket get b",
                                      "bucket get b k x",
                                      "--jason status",
                                      "status --role x",
                                      "invite --role",
                                      "status -x",
                                      "--timeout x up",
                                      "--timeout 0 up",
                                      "--color blue up",
                                      "status -n",
                                      "sync --wait=1",
                                      "--json=1 status",
                                      "up --socket",
                                      "join",
                                      "bucke get b k",
                                      "--unset up"};
    static struct rj_cli cli;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(&cli, bad[i]) != RJ_EINVAL)
            fail_msg("accepted: %s", bad[i]);
    }
}

TEST(help_and_version_need_no_arguments)
{
    static struct rj_cli cli;

    assert_ok(parse(&cli, "bucket get -h"));
    assert_true(cli.help);
    assert_string_equal(cli.command->words, "bucket get");
    assert_ok(parse(&cli, "bucket --help"));
    assert_true(cli.help);
    assert_ok(parse(&cli, "--version"));
    assert_true(cli.version);
    assert_ok(parse(&cli, ""));
    assert_null(cli.command);
}

TEST(every_command_says_what_it_does_within_80_columns)
{
    const struct rj_cli_command *c;

    for (size_t i = 0; (c = rj_cli_command(i)) != NULL; i++) {
        const char *line = c->details;

        assert_true(strlen(c->summary) > 0 && strlen(c->summary) < 48);
        assert_true(c->least <= c->most);
        while (*line != '\0') {
            size_t len = strcspn(line, "\n");

            if (len > 88)
                fail_msg("%s: %.*s", c->words, (int)len, line);
            line += len + (line[len] == '\n');
        }
    }
}

TEST(durations_have_units)
{
    uint64_t ms = 0;

    assert_ok(rj_cli_duration("90", &ms));
    assert_int_equal(ms, 90000);
    assert_ok(rj_cli_duration("10m", &ms));
    assert_int_equal(ms, 600000);
    assert_ok(rj_cli_duration("2h", &ms));
    assert_int_equal(ms, 7200000);
    assert_ok(rj_cli_duration("1d", &ms));
    assert_int_equal(ms, 86400000);
    assert_err(RJ_EINVAL, rj_cli_duration("", &ms));
    assert_err(RJ_EINVAL, rj_cli_duration("0", &ms));
    assert_err(RJ_EINVAL, rj_cli_duration("-5m", &ms));
    assert_err(RJ_EINVAL, rj_cli_duration("5 m", &ms));
    assert_err(RJ_EINVAL, rj_cli_duration("5x", &ms));
    assert_err(RJ_EINVAL, rj_cli_duration("99999999999999999999d", &ms));
}

TEST(slips_are_near_and_other_words_are_not)
{
    struct rj_suggest s = {.word = "statsu"};

    assert_int_equal(rj_suggest_distance("status", "status"), 0);
    assert_int_equal(rj_suggest_distance("statsu", "status"), 1); /* a swap */
    assert_int_equal(rj_suggest_distance("stat", "status"), 2);
    assert_int_equal(rj_suggest_distance("", "abc"), 3);
    assert_int_equal(rj_suggest_distance("kitten", "sitting"), 3);
    rj_suggest_try(&s, "join");
    assert_null(s.best);
    rj_suggest_try(&s, "status");
    assert_string_equal(s.best, "status");
    s = (struct rj_suggest){.word = "xy"};
    rj_suggest_try(&s, "up");
    assert_null(s.best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_of_one_and_two_words_are_found),
        cmocka_unit_test(flags_may_stand_anywhere),
        cmocka_unit_test(two_dashes_end_flags),
        cmocka_unit_test(a_redis_command_keeps_its_flags),
        cmocka_unit_test(what_does_not_fit_is_a_usage_error),
        cmocka_unit_test(help_and_version_need_no_arguments),
        cmocka_unit_test(every_command_says_what_it_does_within_80_columns),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(slips_are_near_and_other_words_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
