/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doc.h"
#include "client/message.h"
#include "support/test.h"

static struct rj_bytes sample_args(struct rj_doc *d)
{
    struct rj_bytes args;

    rj_doc_map(d);
    rj_doc_put_str(d, "name", "b");
    rj_doc_end(d);
    assert_ok(rj_doc_view(d, &args));
    return args;
}

TEST(a_request_is_read_as_it_was_written)
{
    struct rj_doc d = {0};
    struct rj_message_request m = {.id = 77, .verb = RJ_BYTES_LIT("bucket.get")}, back;
    struct rj_buf out = {0};
    struct rj_bytes item;
    size_t used;

    m.args = sample_args(&d);
    assert_ok(rj_message_put_request(&out, &m));
    assert_ok(rj_message_next(rj_buf_view(&out), &item, &used));
    assert_int_equal(used, out.len);
    assert_ok(rj_message_request(item, &back));
    assert_int_equal(back.id, 77);
    assert_bytes_equal(back.verb, m.verb);
    assert_bytes_equal(back.args, m.args);
    rj_buf_done(&out);
    rj_doc_done(&d);
}

TEST(a_reply_of_each_kind_is_read_as_it_was_written)
{
    struct rj_doc d = {0};
    struct rj_bytes body = sample_args(&d), item;
    struct rj_message_reply back;
    struct rj_buf out = {0};
    size_t used;

    for (int kind = RJ_MESSAGE_PROGRESS; kind <= RJ_MESSAGE_ERROR; kind++) {
        const struct rj_message_reply m = {
            .id = UINT64_MAX, .kind = (enum rj_message_kind)kind, .body = body};

        rj_buf_clear(&out);
        assert_ok(rj_message_put_reply(&out, &m));
        assert_ok(rj_message_next(rj_buf_view(&out), &item, &used));
        assert_ok(rj_message_reply(item, &back));
        assert_int_equal(back.kind, kind);
        assert_true(back.id == UINT64_MAX);
        assert_bytes_equal(back.body, body);
    }
    rj_buf_done(&out);
    rj_doc_done(&d);
}

TEST(several_messages_in_one_piece_are_taken_one_by_one)
{
    struct rj_doc d = {0};
    struct rj_message_request m = {.verb = RJ_BYTES_LIT("ping")}, back;
    struct rj_buf out = {0};
    struct rj_bytes rest, item;
    size_t used;

    m.args = sample_args(&d);
    for (m.id = 0; m.id < 5; m.id++)
        assert_ok(rj_message_put_request(&out, &m));
    rest = rj_buf_view(&out);
    for (uint64_t id = 0; id < 5; id++) {
        assert_ok(rj_message_next(rest, &item, &used));
        assert_ok(rj_message_request(item, &back));
        assert_int_equal(back.id, id);
        rest = rj_bytes_skip(rest, used);
    }
    assert_err(RJ_EGAP, rj_message_next(rest, &item, &used));
    rj_buf_done(&out);
    rj_doc_done(&d);
}

TEST(a_message_that_has_not_come_whole_waits)
{
    struct rj_doc d = {0};
    struct rj_message_request m = {.id = 1, .verb = RJ_BYTES_LIT("ping")};
    struct rj_buf out = {0};
    struct rj_bytes item;
    size_t used;

    m.args = sample_args(&d);
    assert_ok(rj_message_put_request(&out, &m));
    for (size_t n = 0; n < out.len; n++)
        assert_err(RJ_EGAP,
                   rj_message_next(rj_bytes_first(rj_buf_view(&out), n), &item, &used));
    rj_buf_done(&out);
    rj_doc_done(&d);
}

TEST(lengths_beyond_the_limit_are_refused_before_the_bytes_come)
{
    uint8_t head[4];
    struct rj_bytes item;
    size_t used;

    rj_be_store32(head, RJ_MESSAGE_MAX + 1);
    assert_err(RJ_EPROTO, rj_message_next(RJ_BYTES_OF(head), &item, &used));
    rj_be_store32(head, RJ_MESSAGE_MAX);
    assert_err(RJ_EGAP, rj_message_next(RJ_BYTES_OF(head), &item, &used));
    rj_be_store32(head, 0);
    assert_err(RJ_EPROTO, rj_message_next(RJ_BYTES_OF(head), &item, &used));
}

TEST(what_is_no_message_is_refused)
{
    static const uint8_t no_cbor[] = {0, 0, 0, 2, 0xff, 0xff};
    static const uint8_t no_map[] = {0x01};
    static const uint8_t empty_map[] = {0xa0};
    /* {"id": 1, "args": {}, "verb": 5} */
    static const uint8_t verb_number[] = {0xa3, 0x62, 'i',  'd', 1,   0x64, 'a', 'r', 'g',
                                          's',  0xa0, 0x64, 'v', 'e', 'r',  'b', 5};
    /* {"id": 1, "args": [], "verb": "x"} */
    static const uint8_t args_list[] = {0xa3, 0x62, 'i',  'd', 1,   0x64, 'a', 'r',  'g',
                                        's',  0x80, 0x64, 'v', 'e', 'r',  'b', 0x61, 'x'};
    struct rj_message_request m;
    struct rj_message_reply reply;
    struct rj_bytes item;
    size_t used;

    assert_err(RJ_EPROTO, rj_message_next(RJ_BYTES_OF(no_cbor), &item, &used));
    assert_err(RJ_EPROTO, rj_message_request(RJ_BYTES_OF(no_map), &m));
    assert_err(RJ_EPROTO, rj_message_request(RJ_BYTES_OF(empty_map), &m));
    assert_err(RJ_EPROTO, rj_message_request(RJ_BYTES_OF(verb_number), &m));
    assert_err(RJ_EPROTO, rj_message_request(RJ_BYTES_OF(args_list), &m));
    assert_err(RJ_EPROTO, rj_message_reply(RJ_BYTES_OF(args_list), &reply));
}

TEST(a_message_that_is_too_large_is_not_written)
{
    struct rj_message_reply m = {.id = 1, .kind = RJ_MESSAGE_RESULT};
    struct rj_buf body = {0}, out = {0};
    uint8_t *zeros = calloc(1, RJ_MESSAGE_MAX);

    assert_non_null(zeros);
    rj_buf_append_str(&out, "before");
    rj_buf_append_raw(&body, zeros, RJ_MESSAGE_MAX);
    m.body = rj_buf_view(&body);
    assert_err(RJ_ELIMIT, rj_message_put_reply(&out, &m));
    assert_bytes_equal(rj_buf_view(&out), RJ_BYTES_LIT("before"));
    free(zeros);
    rj_buf_done(&body);
    rj_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_as_it_was_written),
        cmocka_unit_test(a_reply_of_each_kind_is_read_as_it_was_written),
        cmocka_unit_test(several_messages_in_one_piece_are_taken_one_by_one),
        cmocka_unit_test(a_message_that_has_not_come_whole_waits),
        cmocka_unit_test(lengths_beyond_the_limit_are_refused_before_the_bytes_come),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(a_message_that_is_too_large_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
