/* SPDX-License-Identifier: Apache-2.0 */
#include "face/resp_reply.h"
#include "support/test.h"

#include <math.h>

struct replies {
    struct rj_buf buf;
    struct rj_resp_reply r;
};

static void begin(struct replies *t, uint8_t proto)
{
    *t = (struct replies){0};
    t->r = (struct rj_resp_reply){.buf = &t->buf, .proto = proto};
}

/* What was appended is expected; frees it. */
static void end(struct replies *t, const char *expected)
{
    assert_ok(rj_buf_err(&t->buf));
    assert_bytes_equal(rj_buf_view(&t->buf), rj_bytes_from_str(expected));
    rj_buf_done(&t->buf);
}

static void reply_simple_values(struct rj_resp_reply *r)
{
    rj_resp_reply_ok(r);
    rj_resp_reply_simple(r, "PONG");
    rj_resp_reply_error(r, "ERR no");
    rj_resp_reply_errorf(r, "ERR '%s' %d", "a\r\nb", 7);
    rj_resp_reply_int(r, -1234567890123);
    rj_resp_reply_bulk(r, RJ_BYTES_LIT("a\r\nb"));
    rj_resp_reply_bulk(r, rj_bytes_of(NULL, 0));
    rj_resp_reply_bulk_str(r, "x");
}

#define SIMPLE_VALUES                                                                    \
    "+OK\r\n+PONG\r\n-ERR no\r\n-ERR 'a  b' 7\r\n:-1234567890123\r\n$4\r\na\r\nb\r\n"    \
    "$0\r\n\r\n$1\r\nx\r\n"

TEST(simple_values_are_the_same_in_both_versions)
{
    for (uint8_t proto = 2; proto <= 3; proto++) {
        struct replies t;

        begin(&t, proto);
        reply_simple_values(&t.r);
        assert_int_equal(t.r.errors, 2);
        end(&t, SIMPLE_VALUES);
    }
}

static void reply_new_values(struct rj_resp_reply *r)
{
    rj_resp_reply_null(r);
    rj_resp_reply_null_array(r);
    rj_resp_reply_bool(r, true);
    rj_resp_reply_bool(r, false);
    rj_resp_reply_double(r, 1.5);
    rj_resp_reply_double(r, INFINITY);
    rj_resp_reply_double(r, -INFINITY);
    rj_resp_reply_double(r, NAN);
    rj_resp_reply_verbatim(r, RJ_BYTES_LIT("hello"));
    rj_resp_reply_array(r, 0);
    rj_resp_reply_set(r, 10);
    rj_resp_reply_map(r, 3);
    rj_resp_reply_push(r, 2);
}

TEST(version_2_says_new_types_with_old_ones)
{
    struct replies t;

    begin(&t, 2);
    reply_new_values(&t.r);
    end(&t, "$-1\r\n*-1\r\n:1\r\n:0\r\n$3\r\n1.5\r\n$3\r\ninf\r\n$4\r\n-inf\r\n$3\r\nnan"
            "\r\n$5\r\nhello\r\n*0\r\n*10\r\n*6\r\n*2\r\n");
}

TEST(version_3_has_types_of_its_own)
{
    struct replies t;

    begin(&t, 3);
    reply_new_values(&t.r);
    end(&t, "_\r\n_\r\n#t\r\n#f\r\n,1.5\r\n,inf\r\n,-inf\r\n,nan\r\n=9\r\ntxt:hello\r\n"
            "*0\r\n~10\r\n%3\r\n>2\r\n");
}

TEST(an_aggregate_may_learn_its_size_afterwards)
{
    struct replies t;
    size_t outer, inner;

    begin(&t, 3);
    rj_resp_reply_ok(&t.r);
    outer = rj_resp_reply_open(&t.r);
    rj_resp_reply_int(&t.r, 1);
    inner = rj_resp_reply_open(&t.r);
    rj_resp_reply_bulk_str(&t.r, "abc");
    rj_resp_reply_int(&t.r, 2);
    rj_resp_reply_close(&t.r, inner, RJ_RESP_MAP, 1);
    inner = rj_resp_reply_open(&t.r);
    rj_resp_reply_close(&t.r, inner, RJ_RESP_SET, 0);
    rj_resp_reply_close(&t.r, outer, RJ_RESP_ARRAY, 3);
    end(&t, "+OK\r\n*3\r\n:1\r\n%1\r\n$3\r\nabc\r\n:2\r\n~0\r\n");
}

TEST(a_long_error_is_cut_and_stays_one_line)
{
    static char word[5000];
    struct replies t;

    memset(word, '\n', sizeof(word) - 1);
    begin(&t, 2);
    rj_resp_reply_errorf(&t.r, "ERR %s", word);
    assert_true(t.buf.len < 1100);
    assert_ptr_equal(memchr(t.buf.ptr, '\n', t.buf.len), t.buf.ptr + t.buf.len - 1);
    rj_buf_done(&t.buf);
}

TEST(a_full_buffer_fails_once_and_for_all)
{
    struct replies t;
    size_t opened;

    begin(&t, 2);
    t.buf.limit = 40;
    opened = rj_resp_reply_open(&t.r);
    rj_resp_reply_bulk_str(&t.r, "a");
    rj_resp_reply_bulk_str(&t.r, "0123456789012345678901234567890123456789");
    rj_resp_reply_int(&t.r, 1);
    rj_resp_reply_null(&t.r);
    rj_resp_reply_close(&t.r, opened, RJ_RESP_ARRAY, 3);
    assert_err(RJ_ELIMIT, rj_buf_err(&t.buf));
    assert_bytes_equal(rj_buf_view(&t.buf), RJ_BYTES_LIT("$1\r\na\r\n"));
    rj_buf_done(&t.buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_values_are_the_same_in_both_versions),
        cmocka_unit_test(version_2_says_new_types_with_old_ones),
        cmocka_unit_test(version_3_has_types_of_its_own),
        cmocka_unit_test(an_aggregate_may_learn_its_size_afterwards),
        cmocka_unit_test(a_long_error_is_cut_and_stays_one_line),
        cmocka_unit_test(a_full_buffer_fails_once_and_for_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
