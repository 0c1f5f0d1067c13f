/* SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "face/resp_parse.h"
#include "support/test.h"

#include <stdio.h>

/* Input that must be read as exactly these commands, words joined with '|'. */
struct example {
    const char *input;
    size_t len;
    const char *commands; /* one a line */
};

#define EXAMPLE(input, commands)                                                         \
    {                                                                                    \
        "" input "", sizeof(input) - 1, commands                                         \
    }

static const struct example examples[] = {
    EXAMPLE("*1\r\n$4\r\nPING\r\n", "PING\n"),
    EXAMPLE("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\nb\n\r\n", "SET|k|a\r\nb\n\n"),
    EXAMPLE("*2\r\n$0\r\n\r\n$0\r\n\r\n", "|\n"),
    EXAMPLE("*0\r\n*-1\r\n*1\r\n$1\r\nx\r\n", "x\n"),
    EXAMPLE("\r\n\n \r\nPING\r\n", "PING\n"),
    EXAMPLE("PING\n*1\r\n$4\r\nECHO\r\nGET a\r\n", "PING\nECHO\nGET|a\n"),
    EXAMPLE("  set  a\tb  \r\n", "set|a|b\n"),
    EXAMPLE("set \"a b\" 'c \\'d\\' \\n'\r\n", "set|a b|c 'd' \\n\n"),
    EXAMPLE("e \"\\x41\\x6a\\r\\n\\t\\a\\b\\q\\\"\\\\\\xg1\"\n",
            "e|Aj\r\n\t\a\bq\"\\xg1\n"),
    EXAMPLE("e \"\" '' x\"y z\"\n", "e|||xy z\n"),
    EXAMPLE("\"\"\n''\n", "\n\n"),
    EXAMPLE("*12\r\n$10\r\n0123456789\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n"
            "$1\r\ne\r\n$1\r\nf\r\n$1\r\ng\r\n$1\r\nh\r\n$1\r\ni\r\n$1\r\nj\r\n"
            "$1\r\nk\r\n",
            "0123456789|a|b|c|d|e|f|g|h|i|j|k\n"),
};

static void append_command(const struct rj_resp_parse *p, struct rj_buf *out)
{
    if (p->argc == 0)
        return;
    for (size_t i = 0; i < p->argc; i++) {
        if (i > 0)
            rj_buf_append_str(out, "|");
        rj_buf_append(out, p->argv[i]);
    }
    rj_buf_append_str(out, "\n");
}

/* Feeds input in pieces that end at `cut` and then after every `step` bytes. Each call of
 * the parser sees memory of its own, so nothing may be kept as a pointer. */
static enum rj_resp_parsed feed(struct rj_bytes input, size_t cut, size_t step,
                                struct rj_buf *out)
{
    struct rj_resp_parse p = {0};
    enum rj_resp_parsed got = RJ_RESP_MORE;
    size_t begin = 0, end = cut;

    for (;;) {
        struct rj_bytes rest = rj_bytes_of(input.ptr + begin, end - begin);
        uint8_t *copy = rj_alloc_copy(rest);
        size_t used = 0;

        assert_non_null(copy);
        got = rj_resp_parse_next(&p, rj_bytes_of(copy, rest.len), &used);
        if (got == RJ_RESP_PARSED)
            append_command(&p, out);
        free(copy);
        begin += used;
        if (got == RJ_RESP_PARSED)
            continue;
        if (got != RJ_RESP_MORE || end == input.len)
            break;
        end = step < input.len - end ? end + step : input.len;
    }
    if (got == RJ_RESP_BROKEN)
        rj_buf_append_str(out, p.error);
    rj_resp_parse_done(&p);
    return got;
}

TEST(commands_are_read_however_they_are_cut)
{
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct rj_bytes input = rj_bytes_of(examples[i].input, examples[i].len);
        struct rj_bytes expected = rj_bytes_from_str(examples[i].commands);
        struct rj_buf out = {0};

        for (size_t cut = 0; cut <= input.len; cut++) {
            rj_buf_clear(&out);
            assert_int_equal(feed(input, cut, input.len, &out), RJ_RESP_MORE);
            assert_bytes_equal(rj_buf_view(&out), expected);
        }
        rj_buf_clear(&out);
        assert_int_equal(feed(input, 0, 1, &out), RJ_RESP_MORE);
        assert_bytes_equal(rj_buf_view(&out), expected);
        rj_buf_done(&out);
    }
}

TEST(malformed_input_is_named_in_the_words_of_redis)
{
    static const struct example wrong[] = {
        EXAMPLE("*abc\r\n", "invalid multibulk length"),
        EXAMPLE("*\r\n", "invalid multibulk length"),
        EXAMPLE("*+1\r\n", "invalid multibulk length"),
        EXAMPLE("*01\r\n", "invalid multibulk length"),
        EXAMPLE("*1\rx", "invalid multibulk length"),
        EXAMPLE("*1048577\r\n", "invalid multibulk length"),
        EXAMPLE("*99999999999\r\n", "invalid multibulk length"),
        EXAMPLE("*99999999999999999999999\r\n", "invalid multibulk length"),
        EXAMPLE("*1\r\n+4\r\nPING\r\n", "expected '$', got '+'"),
        EXAMPLE("*1\r\n\r\n", "expected '$', got ' '"),
        EXAMPLE("*1\r\n4\r\nPING\r\n", "expected '$', got '4'"),
        EXAMPLE("*1\r\n$-1\r\n", "invalid bulk length"),
        EXAMPLE("*1\r\n$x\r\n", "invalid bulk length"),
        EXAMPLE("*1\r\n$33554433\r\n", "invalid bulk length"),
        EXAMPLE("*1\r\n$4\r\nPINGxxPING\r\n", "invalid bulk length"),
        EXAMPLE("*1\r\n$4\r\nPING\n\n", "invalid bulk length"),
        EXAMPLE("\"abc\r\n", "unbalanced quotes in request"),
        EXAMPLE("a 'b\r\n", "unbalanced quotes in request"),
        EXAMPLE("a \"b\"c\r\n", "unbalanced quotes in request"),
        EXAMPLE("a \"b\\\r\n", "unbalanced quotes in request"),
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct rj_bytes input = rj_bytes_of(wrong[i].input, wrong[i].len);
        struct rj_buf expected = {0}, out = {0};

        rj_buf_printf(&expected, "Protocol error: %s", wrong[i].commands);
        for (size_t cut = 0; cut <= input.len; cut++) {
            rj_buf_clear(&out);
            assert_int_equal(feed(input, cut, 1, &out), RJ_RESP_BROKEN);
            assert_bytes_equal(rj_buf_view(&out), rj_buf_view(&expected));
        }
        rj_buf_done(&expected);
        rj_buf_done(&out);
    }
}

/* `head`, then n times `fill`: what is said about it. */
static enum rj_resp_parsed parse_filled(const char *head, char fill, size_t n,
                                        struct rj_buf *out)
{
    struct rj_buf input = {0};
    enum rj_resp_parsed got;
    uint8_t *room;

    rj_buf_append_str(&input, head);
    room = rj_buf_reserve(&input, n);
    assert_non_null(room);
    memset(room, fill, n);
    rj_buf_commit(&input, n);
    rj_buf_clear(out);
    got = feed(rj_buf_view(&input), input.len / 2, input.len, out);
    rj_buf_done(&input);
    return got;
}

TEST(a_line_without_end_is_given_up)
{
    static const struct {
        const char *head, *error;
    } lines[] = {
        {"x", "Protocol error: too big inline request"},
        {"*", "Protocol error: too big mbulk count string"},
        {"*1\r\n$", "Protocol error: too big bulk count string"},
    };
    struct rj_buf out = {0};

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(parse_filled(lines[i].head, '1', RJ_RESP_INLINE_MAX - 1, &out),
                         RJ_RESP_MORE);
        assert_int_equal(parse_filled(lines[i].head, '1', RJ_RESP_INLINE_MAX, &out),
                         RJ_RESP_BROKEN);
        assert_bytes_equal(rj_buf_view(&out), rj_bytes_from_str(lines[i].error));
    }
    rj_buf_done(&out);
}

TEST(a_long_line_with_an_end_is_too_long_as_well)
{
    struct rj_buf input = {0}, out = {0};

    for (size_t i = 0; i <= RJ_RESP_INLINE_MAX; i++)
        rj_buf_u8(&input, 'a');
    rj_buf_u8(&input, '\n');
    assert_int_equal(feed(rj_buf_view(&input), input.len, 1, &out), RJ_RESP_BROKEN);
    assert_bytes_equal(rj_buf_view(&out),
                       RJ_BYTES_LIT("Protocol error: too big inline request"));
    rj_buf_done(&input);
    rj_buf_done(&out);
}

TEST(strangers_have_tight_limits)
{
    struct rj_resp_parse p = {.stranger = true};
    size_t used;

    assert_int_equal(rj_resp_parse_next(&p, RJ_BYTES_LIT("*10\r\n$16384\r\n"), &used),
                     RJ_RESP_MORE);
    rj_resp_parse_done(&p);
    p.stranger = true;
    assert_int_equal(rj_resp_parse_next(&p, RJ_BYTES_LIT("*11\r\n"), &used),
                     RJ_RESP_BROKEN);
    assert_string_equal(p.error, "Protocol error: unauthenticated multibulk length");
    rj_resp_parse_done(&p);
    p.stranger = true;
    assert_int_equal(rj_resp_parse_next(&p, RJ_BYTES_LIT("*1\r\n$16385\r\n"), &used),
                     RJ_RESP_BROKEN);
    assert_string_equal(p.error, "Protocol error: unauthenticated bulk length");
    rj_resp_parse_done(&p);
}

TEST(nothing_is_allocated_for_what_is_only_announced)
{
    struct rj_resp_parse p = {0};
    size_t used;

    rj_test_alloc_fail_after(0);
    assert_int_equal(
        rj_resp_parse_next(&p, RJ_BYTES_LIT("*1048576\r\n$33554432\r\nx"), &used),
        RJ_RESP_MORE);
    assert_false(rj_test_alloc_failed());
    rj_test_alloc_restore();
    rj_resp_parse_done(&p);
}

TEST(a_command_has_a_largest_size)
{
    enum { PARTS = 2 };
    struct rj_buf input = {0};
    struct rj_resp_parse p = {0};
    size_t used;

    rj_buf_append_str(&input, "*4\r\n");
    for (int i = 0; i < PARTS; i++) {
        uint8_t *room;

        rj_buf_append_str(&input, "$33554400\r\n");
        room = rj_buf_reserve(&input, 33554400);
        assert_non_null(room);
        memset(room, 'x', 33554400);
        rj_buf_commit(&input, 33554400);
        rj_buf_append_str(&input, "\r\n");
    }
    rj_buf_append_str(&input, "$10\r\n");
    assert_int_equal(rj_resp_parse_next(&p, rj_buf_view(&input), &used), RJ_RESP_MORE);
    rj_buf_append_str(&input, "0123456789\r\n$100\r\n");
    assert_int_equal(rj_resp_parse_next(&p, rj_buf_view(&input), &used), RJ_RESP_BROKEN);
    assert_string_equal(p.error, "Protocol error: too big request");
    rj_resp_parse_done(&p);
    rj_buf_done(&input);
}

TEST(many_arguments_arrive_in_small_pieces)
{
    enum { ARGS = 100000 };
    struct rj_buf input = {0}, copy = {0};
    struct rj_resp_parse p = {0};
    enum rj_resp_parsed got = RJ_RESP_MORE;
    size_t used = 0, end = 0;

    rj_buf_printf(&input, "*%d\r\n", ARGS);
    for (int i = 0; i < ARGS; i++)
        rj_buf_printf(&input, "$6\r\n%06d\r\n", i);
    while (got == RJ_RESP_MORE && end < input.len) {
        end = end + 60000 < input.len ? end + 60000 : input.len;
        rj_buf_done(&copy);
        rj_buf_append_raw(&copy, input.ptr, end);
        got = rj_resp_parse_next(&p, rj_buf_view(&copy), &used);
    }
    assert_int_equal(got, RJ_RESP_PARSED);
    assert_int_equal(used, input.len);
    assert_int_equal(p.argc, ARGS);
    for (int i = 0; i < ARGS; i++) {
        char expected[16];

        (void)snprintf(expected, sizeof(expected), "%06d", i);
        assert_bytes_equal(p.argv[i], rj_bytes_from_str(expected));
    }
    rj_resp_parse_trim(&p);
    assert_int_equal(p.cap, 0);
    rj_resp_parse_done(&p);
    rj_buf_done(&input);
    rj_buf_done(&copy);
}

static enum rj_err parse_all(void *ctx)
{
    struct rj_resp_parse p = {0};
    struct rj_bytes rest = *(struct rj_bytes *)ctx;
    enum rj_resp_parsed got;
    size_t used = 0;

    while ((got = rj_resp_parse_next(&p, rest, &used)) == RJ_RESP_PARSED)
        rest = rj_bytes_skip(rest, used);
    rj_resp_parse_done(&p);
    return got == RJ_RESP_MORE ? RJ_OK : RJ_ENOMEM;
}

TEST(want_of_memory_is_reported)
{
    struct rj_buf input = {0};
    struct rj_bytes view;

    rj_buf_append_str(&input, "set a \"b c\"\r\n*40\r\n");
    for (int i = 0; i < 40; i++)
        rj_buf_append_str(&input, "$1\r\nx\r\n");
    view = rj_buf_view(&input);
    rj_test_with_failing_alloc(parse_all, &view);
    rj_buf_done(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_read_however_they_are_cut),
        cmocka_unit_test(malformed_input_is_named_in_the_words_of_redis),
        cmocka_unit_test(a_line_without_end_is_given_up),
        cmocka_unit_test(a_long_line_with_an_end_is_too_long_as_well),
        cmocka_unit_test(strangers_have_tight_limits),
        cmocka_unit_test(nothing_is_allocated_for_what_is_only_announced),
        cmocka_unit_test(a_command_has_a_largest_size),
        cmocka_unit_test(many_arguments_arrive_in_small_pieces),
        cmocka_unit_test(want_of_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
