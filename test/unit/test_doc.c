/* SPDX-License-Identifier: Apache-2.0 */
#include "client/doc.h"
#include "support/test.h"

/* {"a": 1, "bb": true, "list": ["x", {"k": "v"}], "zz": "text"}, given in another order.
 */
static void build(struct rj_doc *d)
{
    rj_doc_map(d);
    rj_doc_put_str(d, "zz", "text");
    rj_doc_key(d, "list");
    rj_doc_array(d);
    rj_doc_text(d, RJ_BYTES_LIT("x"));
    rj_doc_map(d);
    rj_doc_put_str(d, "k", "v");
    rj_doc_end(d);
    rj_doc_end(d);
    rj_doc_put_bool(d, "bb", true);
    rj_doc_put_uint(d, "a", 1);
    rj_doc_end(d);
}

TEST(pairs_are_sorted_and_counted)
{
    struct rj_doc d = {0};
    struct rj_bytes doc;
    static const uint8_t expected[] = {0xa4, 0x61, 'a', 1,    0x62, 'b',  'b',  0xf5,
                                       0x62, 'z',  'z', 0x64, 't',  'e',  'x',  't',
                                       0x64, 'l',  'i', 's',  't',  0x82, 0x61, 'x',
                                       0xa1, 0x61, 'k', 0x61, 'v'};

    build(&d);
    assert_ok(rj_doc_view(&d, &doc));
    assert_bytes_equal(doc, RJ_BYTES_OF(expected));
    assert_true(rj_cbor_is_valid(doc));
    rj_doc_done(&d);
}

TEST(values_are_found_by_key_and_kind)
{
    struct rj_doc d = {0};
    struct rj_bytes doc, text, list, item;
    uint64_t n = 7;
    bool flag = false;
    size_t pos = 0;

    build(&d);
    assert_ok(rj_doc_view(&d, &doc));
    assert_true(rj_doc_get_uint(doc, "a", &n));
    assert_int_equal(n, 1);
    assert_true(rj_doc_get_bool(doc, "bb", &flag));
    assert_true(flag);
    assert_true(rj_doc_get_text(doc, "zz", &text));
    assert_bytes_equal(text, RJ_BYTES_LIT("text"));
    assert_true(rj_doc_find(doc, "list", &list));
    assert_true(rj_doc_next(list, &pos, &item));
    assert_true(rj_doc_is_text(item, &text));
    assert_bytes_equal(text, RJ_BYTES_LIT("x"));
    assert_true(rj_doc_next(list, &pos, &item));
    assert_true(rj_doc_get_text(item, "k", &text));
    assert_false(rj_doc_next(list, &pos, &item));
    rj_doc_done(&d);
}

TEST(what_is_missing_or_of_another_kind_changes_nothing)
{
    struct rj_doc d = {0};
    struct rj_bytes doc, text = RJ_BYTES_LIT("as it was"), item;
    uint64_t n = 7;
    bool flag = true;
    size_t pos = 0;

    build(&d);
    assert_ok(rj_doc_view(&d, &doc));
    assert_false(rj_doc_get_uint(doc, "zz", &n));
    assert_false(rj_doc_get_uint(doc, "nothing", &n));
    assert_int_equal(n, 7);
    assert_false(rj_doc_get_bool(doc, "a", &flag));
    assert_false(rj_doc_get_text(doc, "a", &text));
    assert_bytes_equal(text, RJ_BYTES_LIT("as it was"));
    assert_false(rj_doc_next(doc, &pos, &item)); /* a map is no array */
    assert_false(rj_doc_find(RJ_BYTES_LIT("\x01"), "a", &item));
    assert_false(rj_doc_find((struct rj_bytes){0}, "a", &item));
    rj_doc_done(&d);
}

TEST(text_that_is_no_utf8_becomes_bytes)
{
    struct rj_doc d = {0};
    struct rj_bytes doc, text;

    rj_doc_map(&d);
    rj_doc_put_text(&d, "k", RJ_BYTES_LIT("\xff\xfe"));
    rj_doc_end(&d);
    assert_ok(rj_doc_view(&d, &doc));
    assert_true(rj_cbor_is_valid(doc));
    assert_true(rj_doc_get_text(doc, "k", &text));
    assert_bytes_equal(text, RJ_BYTES_LIT("\xff\xfe"));
    rj_doc_done(&d);
}

TEST(misuse_fails_and_sticks)
{
    struct rj_doc d = {0};
    struct rj_bytes doc;

    rj_doc_map(&d);
    assert_err(RJ_EINVAL, rj_doc_view(&d, &doc)); /* still open */
    rj_doc_end(&d);
    assert_ok(rj_doc_view(&d, &doc));
    rj_doc_clear(&d);
    assert_err(RJ_EINVAL, rj_doc_view(&d, &doc)); /* nothing in it */
    rj_doc_end(&d);
    assert_err(RJ_EINVAL, rj_doc_view(&d, &doc));
    rj_doc_clear(&d);
    rj_doc_array(&d);
    rj_doc_key(&d, "k"); /* a key in an array */
    rj_doc_end(&d);
    assert_err(RJ_EINVAL, rj_doc_view(&d, &doc));
    rj_doc_clear(&d);
    for (int i = 0; i <= RJ_DOC_DEPTH_MAX; i++)
        rj_doc_array(&d);
    assert_err(RJ_ELIMIT, rj_doc_view(&d, &doc));
    rj_doc_done(&d);
}

TEST(many_items_are_kept_in_order)
{
    enum { N = 3000 };
    struct rj_doc d = {0};
    struct rj_bytes doc, item;
    struct rj_reader r;
    size_t pos = 0;

    rj_doc_array(&d);
    for (uint64_t i = 0; i < N; i++)
        rj_doc_uint(&d, i * i);
    rj_doc_end(&d);
    assert_ok(rj_doc_view(&d, &doc));
    assert_true(rj_cbor_is_valid(doc));
    for (uint64_t i = 0; i < N; i++) {
        assert_true(rj_doc_next(doc, &pos, &item));
        r = rj_reader_of(item);
        assert_int_equal(rj_cbor_get_uint(&r), i * i);
    }
    assert_false(rj_doc_next(doc, &pos, &item));
    rj_doc_done(&d);
}

static enum rj_err build_under_pressure(void *ctx)
{
    struct rj_doc d = {0};
    struct rj_bytes doc;
    enum rj_err err;

    (void)ctx;
    build(&d);
    err = rj_doc_view(&d, &doc);
    rj_doc_done(&d);
    return err;
}

TEST(out_of_memory_is_reported_wherever_it_happens)
{
    rj_test_with_failing_alloc(build_under_pressure, NULL);
    rj_test_with_one_failing_alloc(build_under_pressure, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_sorted_and_counted),
        cmocka_unit_test(values_are_found_by_key_and_kind),
        cmocka_unit_test(what_is_missing_or_of_another_kind_changes_nothing),
        cmocka_unit_test(text_that_is_no_utf8_becomes_bytes),
        cmocka_unit_test(misuse_fails_and_sticks),
        cmocka_unit_test(many_items_are_kept_in_order),
        cmocka_unit_test(out_of_memory_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
