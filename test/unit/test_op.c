/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cbor.h"
#include "client/op.h"
#include "support/test.h"

#include <string.h>

static const uint8_t zero_inside[] = {'a', 0, 'b'};
static const struct rj_bytes three[] = {{zero_inside, 3},
                                        {(const uint8_t *)"", 0},
                                        {(const uint8_t *)"z", 1},
                                        {zero_inside, 1}};

static struct rj_op sample(enum rj_op_code code)
{
    return (struct rj_op){
        .code = code,
        .ttl = RJ_TTL_AT,
        .key = RJ_BYTES_OF(zero_inside),
        .value = RJ_BYTES_LIT("value"),
        .items = three,
        .n_items = 4,
        .delta = INT64_MIN,
        .number = 17,
        .cursor = UINT64_MAX,
    };
}

static void assert_same(const struct rj_op *a, const struct rj_op *b, const char *takes)
{
    for (; *takes != '\0'; takes++) {
        switch (*takes) {
        case 'k':
            assert_bytes_equal(a->key, b->key);
            break;
        case 'v':
        case 'a':
            assert_bytes_equal(a->value, b->value);
            break;
        case 'd':
            assert_true(a->delta == b->delta);
            break;
        case 'n':
            assert_true(a->number == b->number);
            break;
        case 'c':
            assert_true(a->cursor == b->cursor);
            break;
        case 't':
            assert_int_equal(a->ttl, b->ttl);
            break;
        default:
            assert_int_equal(a->n_items, b->n_items);
            for (size_t i = 0; i < a->n_items; i++)
                assert_bytes_equal(a->items[i], b->items[i]);
        }
    }
}

TEST(each_operation_is_read_as_it_was_written)
{
    struct rj_op_room room = {0};

    for (int i = 0; i < RJ_OP_COUNT_; i++) {
        const struct rj_op_row *row = rj_op_row((enum rj_op_code)i);
        struct rj_op op = sample((enum rj_op_code)i), back;
        struct rj_buf out = {0};

        assert_ok(rj_op_put(&out, &op));
        assert_true(rj_cbor_is_valid(rj_buf_view(&out)));
        assert_ok(rj_op_get(rj_buf_view(&out), &room, &back));
        assert_int_equal(back.code, i);
        assert_same(&op, &back, row->takes);
        /* Cut anywhere it is none. */
        for (size_t len = 0; len < out.len; len++)
            assert_int_not_equal(rj_op_get(rj_bytes_of(out.ptr, len), &room, &back),
                                 RJ_OK);
        rj_buf_done(&out);
    }
    free(room.items);
}

TEST(a_walk_begins_without_a_value)
{
    struct rj_op op = {.code = RJ_OP_WALK, .key = RJ_BYTES_LIT("k")}, back;
    struct rj_op_room room = {0};
    struct rj_buf out = {0};

    assert_ok(rj_op_put(&out, &op));
    assert_ok(rj_op_get(rj_buf_view(&out), &room, &back));
    assert_null(back.value.ptr);
    rj_buf_clear(&out);
    op.value = RJ_BYTES_LIT(""); /* behind the empty element */
    assert_ok(rj_op_put(&out, &op));
    assert_ok(rj_op_get(rj_buf_view(&out), &room, &back));
    assert_non_null(back.value.ptr);
    assert_int_equal(back.value.len, 0);
    rj_buf_done(&out);
    free(room.items);
}

static void refused(enum rj_err expected, struct rj_bytes item)
{
    struct rj_op_room room = {0};
    struct rj_op op;

    assert_err(expected, rj_op_get(item, &room, &op));
    free(room.items);
}

TEST(what_is_malformed_is_refused)
{
    static const uint8_t map[] = {0xa0}, nothing[] = {0x80}, number[] = {0x81, 0x01},
                         unknown[] = {0x81, 0x63, 'f', 'o', 'o'},
                         few[] = {0x81, 0x63, 'g', 'e', 't'},
                         many[] = {0x83, 0x63, 'g', 'e', 't', 0x41, 'k', 0x41, 'k'},
                         kind[] = {0x82, 0x63, 'g', 'e', 't', 0x01},
                         none[] = {0x83, 0x64, 's', 'a', 'd', 'd', 0x41, 'k', 0x80},
                         odd[] = {0x83, 0x64, 'h',  's',  'e', 't',
                                  0x41, 'k',  0x81, 0x41, 'f'},
                         ttl[] = {0x85, 0x63, 's', 'e',  't', 0x41,
                                  'k',  0x41, 'v', 0x03, 0x00};

    refused(RJ_EINVAL, RJ_BYTES_OF(map));
    refused(RJ_EINVAL, RJ_BYTES_OF(nothing));
    refused(RJ_EINVAL, RJ_BYTES_OF(number));
    refused(RJ_EUPGRADE, RJ_BYTES_OF(unknown));
    refused(RJ_EINVAL, RJ_BYTES_OF(few));
    refused(RJ_EINVAL, RJ_BYTES_OF(many));
    refused(RJ_EINVAL, RJ_BYTES_OF(kind));
    refused(RJ_EINVAL, RJ_BYTES_OF(none));
    refused(RJ_EINVAL, RJ_BYTES_OF(odd));
    refused(RJ_EINVAL, RJ_BYTES_OF(ttl));
}

TEST(too_many_items_are_refused_on_both_ends)
{
    size_t n = RJ_CLIENT_ITEMS_MAX + 1;
    struct rj_bytes *items = calloc(n, sizeof(*items));
    struct rj_op op = {.code = RJ_OP_SADD, .items = items, .n_items = n};
    struct rj_buf out = {0};

    assert_err(RJ_ELIMIT, rj_op_put(&out, &op));
    rj_buf_clear(&out);
    rj_cbor_put_array(&out, 3);
    rj_cbor_put_text(&out, RJ_BYTES_LIT("sadd"));
    rj_cbor_put_bytes(&out, RJ_BYTES_LIT("k"));
    rj_cbor_put_array(&out, n);
    for (size_t i = 0; i < n; i++)
        rj_cbor_put_bytes(&out, items[i]);
    refused(RJ_ELIMIT, rj_buf_view(&out));
    rj_buf_done(&out);
    free(items);
}

static enum rj_err put_and_get(void *ctx)
{
    struct rj_op op = sample(RJ_OP_HSET), back;
    struct rj_op_room room = {0};
    struct rj_buf out = {0};
    enum rj_err err = rj_op_put(&out, &op);

    (void)ctx;
    if (err == RJ_OK)
        err = rj_op_get(rj_buf_view(&out), &room, &back);
    free(room.items);
    rj_buf_done(&out);
    return err;
}

TEST(out_of_memory_is_reported)
{
    rj_test_with_failing_alloc(put_and_get, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_operation_is_read_as_it_was_written),
        cmocka_unit_test(a_walk_begins_without_a_value),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(too_many_items_are_refused_on_both_ends),
        cmocka_unit_test(out_of_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
