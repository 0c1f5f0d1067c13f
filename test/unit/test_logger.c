/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/logger.h"
#include "support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A log into a pipe, and what a tap was told. */
struct fixture {
    struct rj_logger log;
    int out;
    unsigned taps;
    char tapped[256];
};

static void on_line(void *ctx, enum rj_note_level level, const char *text)
{
    struct fixture *f = ctx;

    (void)level;
    f->taps++;
    (void)snprintf(f->tapped, sizeof(f->tapped), "%s", text);
}

static void begin(struct fixture *f, enum rj_note_level level)
{
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    *f = (struct fixture){.log = {.fd = fds[1], .level = level}, .out = fds[0]};
    f->log.tap = on_line;
    f->log.tap_ctx = f;
}

/* Closes the log and gives all that it wrote. */
static void end(struct fixture *f, char *ret, size_t size)
{
    size_t len = 0;
    ssize_t n;

    (void)close(f->log.fd);
    while ((n = read(f->out, ret + len, size - 1 - len)) > 0)
        len += (size_t)n;
    ret[len] = '\0';
    (void)close(f->out);
}

TEST(a_line_has_time_level_and_text)
{
    struct fixture f;
    char text[256];
    int year, month;

    begin(&f, RJ_NOTE_INFO);
    rj_logger_line(&f.log, RJ_NOTE_WARN, "peer.down device=%s", "abc");
    end(&f, text, sizeof(text));
    assert_int_equal(sscanf(text, "%4d-%2d-", &year, &month), 2);
    assert_true(year >= 2024 && month >= 1 && month <= 12);
    assert_string_equal(text + strlen("2026-01-01T00:00:00.000Z"),
                        " warn peer.down device=abc\n");
    assert_string_equal(f.tapped, "peer.down device=abc");
}

TEST(what_is_below_the_level_is_dropped_but_tapped_from_info_on)
{
    struct fixture f;
    char text[256];

    begin(&f, RJ_NOTE_ERROR);
    rj_logger_line(&f.log, RJ_NOTE_DEBUG, "a");
    rj_logger_line(&f.log, RJ_NOTE_INFO, "b");
    assert_int_equal(f.taps, 1);
    assert_string_equal(f.tapped, "b");
    end(&f, text, sizeof(text));
    assert_string_equal(text, "");
}

TEST(a_line_stays_one_line_whatever_is_in_it)
{
    struct fixture f;
    char text[256];

    begin(&f, RJ_NOTE_DEBUG);
    rj_logger_line(&f.log, RJ_NOTE_INFO, "%s", "name=a\nerror fake\r\x1b[31m\x7f");
    end(&f, text, sizeof(text));
    assert_non_null(strstr(text, " info name=a?error fake??[31m?\n"));
    assert_int_equal(strcspn(text, "\n"), strlen(text) - 1);
}

TEST(a_long_line_is_cut)
{
    char many[2 * RJ_LOGGER_LINE_MAX], text[2 * RJ_LOGGER_LINE_MAX];
    struct fixture f;

    memset(many, 'x', sizeof(many) - 1);
    many[sizeof(many) - 1] = '\0';
    begin(&f, RJ_NOTE_INFO);
    rj_logger_line(&f.log, RJ_NOTE_INFO, "%s", many);
    end(&f, text, sizeof(text));
    assert_int_equal(strlen(text), RJ_LOGGER_LINE_MAX);
    assert_int_equal(text[RJ_LOGGER_LINE_MAX - 1], '\n');
}

/* The log of a daemon whose reader hangs. */
TEST(a_reader_that_hangs_costs_lines_and_no_time)
{
    static char text[4 * 1024 * 1024];
    struct fixture f;
    uint64_t dropped;
    char told[64];
    char *last;

    begin(&f, RJ_NOTE_INFO);
    for (int i = 0; i < 20000; i++) /* far more than a pipe holds */
        rj_logger_line(&f.log, RJ_NOTE_INFO, "line.first number=%d of=many", i);
    assert_int_equal(f.taps, 20000);
    assert_true(read(f.out, text, 16384) > 0); /* it goes on */
    rj_logger_line(&f.log, RJ_NOTE_INFO, "line.second");
    dropped = f.log.dropped;
    assert_true(dropped > 0 && dropped < 20000);
    rj_logger_line(&f.log, RJ_NOTE_INFO, "line.third");
    assert_int_equal(f.log.dropped, dropped);
    end(&f, text, sizeof(text));
    (void)snprintf(told, sizeof(told), " warn dropped=%llu\n",
                   (unsigned long long)dropped);
    last = strstr(text, " warn ");
    assert_non_null(last);
    assert_memory_equal(last, told, strlen(told));
    assert_null(strstr(last + 1, " warn ")); /* once */
    last = strrchr(text, ' ');
    assert_non_null(last);
    assert_string_equal(last, " line.third\n"); /* and whole */
}

/* The log is for errors only: the count is kept for who asks. */
TEST(what_was_lost_is_not_told_below_the_level)
{
    struct fixture f;
    char text[256];

    begin(&f, RJ_NOTE_ERROR);
    f.log.dropped = 3;
    rj_logger_line(&f.log, RJ_NOTE_ERROR, "a");
    assert_int_equal(f.log.dropped, 3);
    end(&f, text, sizeof(text));
    assert_null(strstr(text, "dropped"));
}

TEST(a_full_disk_costs_lines_only)
{
    struct fixture f;
    char text[256];
    int pipe_end;

    begin(&f, RJ_NOTE_INFO);
    pipe_end = f.log.fd;
    f.log.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(f.log.fd >= 0);
    rj_logger_line(&f.log, RJ_NOTE_ERROR, "a");
    (void)close(f.log.fd);
    f.log.fd = pipe_end;
    rj_logger_line(&f.log, RJ_NOTE_ERROR, "b");
    assert_int_equal(f.taps, 2);
    assert_int_equal(f.log.dropped, 1);
    end(&f, text, sizeof(text));
    assert_non_null(strstr(text, " warn dropped=1\n"));
    assert_non_null(strstr(text, " error b\n"));
}

TEST(levels_have_names)
{
    enum rj_note_level level = RJ_NOTE_DEBUG;

    assert_ok(rj_logger_level("error", &level));
    assert_int_equal(level, RJ_NOTE_ERROR);
    assert_string_equal(rj_logger_level_name(RJ_NOTE_WARN), "warn");
    assert_err(RJ_EINVAL, rj_logger_level("loud", &level));
    assert_int_equal(level, RJ_NOTE_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_and_text),
        cmocka_unit_test(what_is_below_the_level_is_dropped_but_tapped_from_info_on),
        cmocka_unit_test(a_line_stays_one_line_whatever_is_in_it),
        cmocka_unit_test(a_long_line_is_cut),
        cmocka_unit_test(a_reader_that_hangs_costs_lines_and_no_time),
        cmocka_unit_test(what_was_lost_is_not_told_below_the_level),
        cmocka_unit_test(a_full_disk_costs_lines_only),
        cmocka_unit_test(levels_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
