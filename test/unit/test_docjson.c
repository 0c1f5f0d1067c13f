/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doc.h"
#include "client/docjson.h"
#include "support/test.h"

static void assert_json(const char *expected, struct rj_bytes doc)
{
    struct rj_buf out = {0};

    rj_docjson_put(doc, &out);
    assert_ok(rj_buf_err(&out));
    assert_string_equal(rj_buf_str(&out), expected);
    rj_buf_done(&out);
}

TEST(a_document_becomes_json)
{
    static const uint8_t raw[] = {0xff, 0x00};
    struct rj_doc d = {0};
    struct rj_bytes doc;

    rj_doc_map(&d);
    rj_doc_put_str(&d, "b", "x\"\\\n\x7f");
    rj_doc_put_uint(&d, "a", UINT64_MAX);
    rj_doc_key(&d, "list");
    rj_doc_array(&d);
    rj_doc_bool(&d, true);
    rj_doc_text(&d, RJ_BYTES_OF(raw));
    rj_doc_map(&d);
    rj_doc_end(&d);
    rj_doc_array(&d);
    rj_doc_end(&d);
    rj_doc_end(&d);
    rj_doc_put_str(&d, "e", "");
    rj_doc_end(&d);
    assert_ok(rj_doc_view(&d, &doc));
    assert_json(
        "{\"a\":18446744073709551615,\"b\":\"x\\\"\\\\\\u000a\\u007f\",\"e\":\"\","
        "\"list\":[true,{\"base64\":\"/wA=\"},{},[]]}",
        doc);
    rj_doc_done(&d);
}

TEST(scalars_become_json)
{
    static const uint8_t null[] = {0xf6}, negative[] = {0x22},
                         three[] = {0x43, 0xff, 'a', 'b'};

    assert_json("null", RJ_BYTES_OF(null));
    assert_json("-3", RJ_BYTES_OF(negative));
    assert_json("{\"base64\":\"/2Fi\"}", RJ_BYTES_OF(three));
}

TEST(the_deepest_document_becomes_json_and_a_deeper_one_is_none)
{
    uint8_t deep[RJ_CBOR_DEPTH_MAX + 1];
    struct rj_buf out = {0};

    memset(deep, 0x81, sizeof(deep));
    deep[RJ_CBOR_DEPTH_MAX] = 0x01;
    rj_docjson_put(RJ_BYTES_OF(deep), &out);
    assert_ok(rj_buf_err(&out));
    rj_buf_clear(&out);
    deep[RJ_CBOR_DEPTH_MAX] = 0x80;
    rj_docjson_put(RJ_BYTES_OF(deep), &out);
    assert_err(RJ_EINVAL, rj_buf_err(&out));
    rj_buf_clear(&out);
    rj_docjson_put(rj_bytes_of(deep, 3), &out);
    assert_err(RJ_EINVAL, rj_buf_err(&out));
    rj_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_becomes_json),
        cmocka_unit_test(scalars_become_json),
        cmocka_unit_test(the_deepest_document_becomes_json_and_a_deeper_one_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
