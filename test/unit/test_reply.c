/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "face/json.h"
#include "cli/reply.h"
#include "client/doc.h"
#include "support/test.h"

static void assert_printed(const char *resp, enum rj_reply_how how, const char *expected)
{
    struct rj_buf out = {0};
    bool is_error;

    assert_ok(rj_reply_print(rj_bytes_from_str(resp), how, &out, &is_error));
    assert_string_equal(rj_buf_str(&out), expected);
    assert_int_equal(is_error, resp[0] == '-');
    rj_buf_done(&out);
}

TEST(simple_replies_are_printed_as_redis_cli_does)
{
    const enum rj_reply_how pretty = RJ_REPLY_PRINT_PRETTY, raw = RJ_REPLY_PRINT_RAW;

    assert_printed("+OK\r\n", pretty, "OK\n");
    assert_printed(":42\r\n", pretty, "(integer) 42\n");
    assert_printed("$5\r\nhe\"lo\r\n", pretty, "\"he\\\"lo\"\n");
    assert_printed("$2\r\n\n\x01\r\n", pretty, "\"\\n\\x01\"\n");
    assert_printed("$-1\r\n", pretty, "(nil)\n");
    assert_printed("*0\r\n", pretty, "(empty array)\n");
    assert_printed("-ERR no\r\n", pretty, "(error) ERR no\n");
    assert_printed("$5\r\nhe\"lo\r\n", raw, "he\"lo\n");
    assert_printed(":42\r\n", raw, "42\n");
    assert_printed("$-1\r\n", raw, "\n");
    assert_printed("-ERR no\r\n", raw, "ERR no\n");
}

TEST(arrays_are_numbered_and_indented)
{
    assert_printed("*2\r\n$1\r\na\r\n:7\r\n", RJ_REPLY_PRINT_PRETTY,
                   "1) \"a\"\n2) (integer) 7\n");
    assert_printed("*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n", RJ_REPLY_PRINT_PRETTY,
                   "1) \"0\"\n2) 1) \"a\"\n   2) \"b\"\n");
    assert_printed("*2\r\n$1\r\na\r\n:7\r\n", RJ_REPLY_PRINT_RAW, "a\n7\n");
}

TEST(what_is_no_whole_reply_is_refused)
{
    static const char *const bad[] = {
        "",          "+OK",           "+OK\r",   "$5\r\nhell", "$x\r\n", "*2\r\n:1\r\n",
        "?what\r\n", "*99999999\r\n", "$-2\r\n", "$3\r\nabcde"};
    struct rj_buf out = {0};
    bool is_error;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_err(RJ_EPROTO, rj_reply_print(rj_bytes_from_str(bad[i]),
                                             RJ_REPLY_PRINT_PRETTY, &out, &is_error));
        assert_null(rj_reply_json(rj_bytes_from_str(bad[i]), &is_error));
    }
    rj_buf_done(&out);
}

TEST(arrays_beyond_the_depth_are_refused)
{
    struct rj_buf in = {0}, out = {0};
    bool is_error;

    for (int i = 0; i < 1000; i++)
        rj_buf_append_str(&in, "*1\r\n");
    rj_buf_append_str(&in, ":1\r\n");
    assert_err(RJ_EPROTO,
               rj_reply_print(rj_buf_view(&in), RJ_REPLY_PRINT_RAW, &out, &is_error));
    assert_null(rj_reply_json(rj_buf_view(&in), &is_error));
    rj_buf_done(&in);
    rj_buf_done(&out);
}

static void assert_json(json_t *json, const char *expected)
{
    char *text;

    assert_non_null(json);
    text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
    json_decref(json);
}

TEST(a_reply_becomes_json)
{
    bool is_error;

    assert_json(
        rj_reply_json(RJ_BYTES_LIT("*3\r\n$1\r\na\r\n:7\r\n*1\r\n$-1\r\n"), &is_error),
        "[\"a\",7,[null]]");
    assert_json(rj_reply_json(RJ_BYTES_LIT("-ERR x\r\n"), &is_error),
                "{\"error\":\"ERR x\"}");
    assert_true(is_error);
    assert_json(rj_reply_json(RJ_BYTES_LIT("$2\r\n\xff\xfe\r\n"), &is_error),
                "{\"base64\":\"//4=\"}");
}

TEST(a_document_becomes_json)
{
    struct rj_doc d = {0};
    struct rj_bytes doc;

    rj_doc_map(&d);
    rj_doc_put_uint(&d, "n", 12345678901234);
    rj_doc_put_bool(&d, "yes", true);
    rj_doc_key(&d, "list");
    rj_doc_array(&d);
    rj_doc_array(&d);
    rj_doc_end(&d);
    rj_doc_map(&d);
    rj_doc_put_str(&d, "k", "v");
    rj_doc_end(&d);
    rj_doc_text(&d, RJ_BYTES_LIT("\xff"));
    rj_doc_end(&d);
    rj_doc_end(&d);
    assert_ok(rj_doc_view(&d, &doc));
    assert_json(rj_json_of(doc), "{\"list\":[[],{\"k\":\"v\"},{\"base64\":\"/w==\"}],"
                                 "\"n\":12345678901234,\"yes\":true}");
    assert_null(rj_json_of(rj_bytes_first(doc, doc.len - 1)));
    assert_null(rj_json_of(RJ_BYTES_LIT("\xa1\x01\x02"))); /* a key that is no text */
    rj_doc_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_replies_are_printed_as_redis_cli_does),
        cmocka_unit_test(arrays_are_numbered_and_indented),
        cmocka_unit_test(what_is_no_whole_reply_is_refused),
        cmocka_unit_test(arrays_beyond_the_depth_are_refused),
        cmocka_unit_test(a_reply_becomes_json),
        cmocka_unit_test(a_document_becomes_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
