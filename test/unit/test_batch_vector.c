/* SPDX-License-Identifier: Apache-2.0 */
/* Dictionaries and vectors as they travel, causal/batch.h. */
#include "base/cbor.h"
#include "causal/kind.h"
#include "support/batches.h"

TEST(a_dictionary_comes_back_as_it_was)
{
    static uint32_t got[RJ_BATCH_DICT_MAX];
    uint32_t dict[] = {5, 0, 9, 7}, n = 0;
    struct rj_buf b = {0};
    struct rj_origins t;
    struct rj_reader r;

    rj_test_origins(&t, 10, 3);
    rj_dict_put(&b, &t, dict, 4);
    rj_dict_put(&b, &t, dict, 0);
    rj_buf_u8(&b, 7);
    r = rj_reader_of(rj_buf_view(&b));
    assert_ok(rj_dict_get(&r, &t, got, &n));
    assert_int_equal(n, 4);
    assert_memory_equal(got, dict, sizeof(dict));
    assert_ok(rj_dict_get(&r, &t, got, &n));
    assert_int_equal(n, 0);
    assert_int_equal(rj_reader_u8(&r), 7); /* writes follow */
    rj_buf_done(&b);
    rj_origins_done(&t);
}

TEST(a_dictionary_means_the_same_where_indexes_differ)
{
    static uint32_t got[RJ_BATCH_DICT_MAX];
    uint32_t dict[] = {5, 0, 9, 7}, n = 0;
    struct rj_origins here, there;
    struct rj_buf b = {0};
    struct rj_reader r;

    rj_test_origins(&here, 11, 3);
    rj_test_origins(&there, 11, 7);
    rj_dict_put(&b, &here, dict, 4);
    r = rj_reader_of(rj_buf_view(&b));
    assert_ok(rj_dict_get(&r, &there, got, &n));
    assert_int_equal(n, 4);
    for (uint32_t i = 0; i < n; i++)
        assert_memory_equal(there.items[got[i]].id.b, here.items[dict[i]].id.b,
                            RJ_ORIGIN_LEN);
    rj_buf_done(&b);
    rj_origins_done(&here);
    rj_origins_done(&there);
}

TEST(a_dictionary_with_an_unknown_origin_is_corrupt)
{
    static uint32_t got[RJ_BATCH_DICT_MAX];
    struct rj_origins all, some;

    rj_test_origins(&all, 10, 1);
    rj_test_origins(&some, 9, 1);
    for (uint32_t at = 0; at < 4; at++) {
        uint32_t dict[] = {5, 0, 8, 7}, n = 42;
        struct rj_buf b = {0};
        struct rj_reader r;

        dict[at] = 9;
        rj_dict_put(&b, &all, dict, 4);
        r = rj_reader_of(rj_buf_view(&b));
        assert_err(RJ_ECORRUPT, rj_dict_get(&r, &some, got, &n));
        assert_int_equal(n, 42);
        rj_buf_done(&b);
    }
    rj_origins_done(&all);
    rj_origins_done(&some);
}

TEST(a_dictionary_is_not_larger_than_its_limit)
{
    uint32_t *dict = calloc(RJ_BATCH_DICT_MAX + 1, sizeof(*dict));
    uint32_t *got = calloc(RJ_BATCH_DICT_MAX, sizeof(*got)), n = 0;
    struct rj_origins t;

    assert_non_null(dict);
    assert_non_null(got);
    rj_test_origins(&t, RJ_BATCH_DICT_MAX + 1, 1);
    for (uint32_t i = 0; i <= RJ_BATCH_DICT_MAX; i++)
        dict[i] = i;
    for (uint32_t count = RJ_BATCH_DICT_MAX; count <= RJ_BATCH_DICT_MAX + 1; count++) {
        struct rj_buf b = {0};
        struct rj_reader r;

        rj_dict_put(&b, &t, dict, count);
        r = rj_reader_of(rj_buf_view(&b));
        assert_err(count == RJ_BATCH_DICT_MAX ? RJ_OK : RJ_ECORRUPT,
                   rj_dict_get(&r, &t, got, &n));
        assert_int_equal(n, RJ_BATCH_DICT_MAX);
        rj_buf_done(&b);
    }
    free(dict);
    free(got);
    rj_origins_done(&t);
}

TEST(a_dictionary_names_no_origin_twice)
{
    static uint32_t got[RJ_BATCH_DICT_MAX];
    uint32_t dict[] = {5, 0, 9, 5}, n = 0;
    struct rj_buf b = {0};
    struct rj_origins t;
    struct rj_reader r;

    rj_test_origins(&t, 10, 1);
    rj_dict_put(&b, &t, dict, 4);
    r = rj_reader_of(rj_buf_view(&b));
    assert_err(RJ_ECORRUPT, rj_dict_get(&r, &t, got, &n));
    rj_buf_done(&b);
    rj_origins_done(&t);
}

TEST(a_dictionary_cut_off_at_any_byte_is_corrupt)
{
    static uint32_t got[RJ_BATCH_DICT_MAX];
    uint32_t dict[] = {5, 0, 9}, n = 0;
    struct rj_buf b = {0};
    struct rj_origins t;

    rj_test_origins(&t, 10, 1);
    rj_dict_put(&b, &t, dict, 3);
    for (size_t len = 0; len < b.len; len++) {
        struct rj_reader r = rj_reader_of(rj_bytes_of(b.ptr, len));

        assert_err(RJ_ECORRUPT, rj_dict_get(&r, &t, got, &n));
    }
    rj_buf_done(&b);
    rj_origins_done(&t);
}

/* The array of n pairs (id of origin[i], seq[i]). */
static void put_pairs(struct rj_buf *b, const uint64_t (*pairs)[2], size_t n)
{
    rj_cbor_put_array(b, 2 * n);
    for (size_t i = 0; i < n; i++) {
        struct rj_origin_id id = rj_test_id((uint32_t)pairs[i][0]);

        rj_cbor_put_bytes(b, RJ_BYTES_OF(id.b));
        rj_cbor_put_uint(b, pairs[i][1]);
    }
}

static enum rj_err decode_pairs(const struct rj_origins *t, const uint64_t (*pairs)[2],
                                size_t n, struct rj_vv *v, size_t *ret_unknown)
{
    struct rj_buf b = {0};
    struct rj_reader r;
    enum rj_err err;

    put_pairs(&b, pairs, n);
    r = rj_reader_of(rj_buf_view(&b));
    err = rj_vv_decode(&r, t, v, ret_unknown);
    rj_buf_done(&b);
    return err;
}

TEST(a_vector_comes_back_as_it_was)
{
    struct rj_origins t;
    struct rj_prng p;

    rj_test_origins(&t, 23, 5);
    rj_prng_init(&p, 4);
    for (int i = 0; i < 500; i++) {
        struct rj_vv v = {0}, got = {0};
        struct rj_buf b = {0};
        struct rj_reader r;
        size_t unknown = 99;

        for (uint32_t o = 0; o < t.n; o++)
            if (rj_prng_chance(&p, 1, 3))
                assert_ok(rj_vv_put(&v, o, 1 + rj_test_number(&p, UINT64_MAX / 2 - 1)));
        assert_ok(rj_vv_put(&got, 3, 77)); /* is cleared first */
        rj_vv_encode(&b, &t, &v);
        rj_buf_u8(&b, 7);
        r = rj_reader_of(rj_buf_view(&b));
        assert_ok(rj_vv_decode(&r, &t, &got, &unknown));
        assert_true(rj_vv_equal(&got, &v));
        assert_int_equal(unknown, 0);
        assert_int_equal(rj_reader_u8(&r), 7);
        rj_vv_done(&v);
        rj_vv_done(&got);
        rj_buf_done(&b);
    }
    rj_origins_done(&t);
}

TEST(a_vector_has_the_same_bytes_where_indexes_differ)
{
    struct rj_origins here, there;
    struct rj_vv a = {0}, b = {0};
    struct rj_buf x = {0}, y = {0}, z = {0};
    static const uint64_t pairs[][2] = {{0, 1}, {2, 300}, {9, 5}};

    rj_test_origins(&here, 11, 3);
    rj_test_origins(&there, 11, 7);
    put_pairs(&z, pairs, 3);
    assert_ok(decode_pairs(&here, pairs, 3, &a, NULL));
    assert_ok(decode_pairs(&there, pairs, 3, &b, NULL));
    assert_false(rj_vv_equal(&a, &b));
    rj_vv_encode(&x, &here, &a);
    rj_vv_encode(&y, &there, &b);
    assert_bytes_equal(rj_buf_view(&x), rj_buf_view(&z));
    assert_bytes_equal(rj_buf_view(&y), rj_buf_view(&z));
    rj_vv_done(&a);
    rj_vv_done(&b);
    rj_buf_done(&x);
    rj_buf_done(&y);
    rj_buf_done(&z);
    rj_origins_done(&here);
    rj_origins_done(&there);
}

TEST(unknown_origins_are_left_out_and_counted)
{
    static const uint64_t pairs[][2] = {{0, 1}, {2, 300}, {50, 5}, {51, 5}};
    struct rj_origins t;
    struct rj_vv v = {0};
    size_t unknown = 99;

    rj_test_origins(&t, 3, 1);
    assert_ok(decode_pairs(&t, pairs, 4, &v, &unknown));
    assert_int_equal(unknown, 2);
    assert_int_equal(rj_vv_get(&v, 0), 1);
    assert_int_equal(rj_vv_get(&v, 1), 0);
    assert_int_equal(rj_vv_get(&v, 2), 300);
    assert_true(v.n <= 3);
    assert_int_equal(t.n, 3);
    assert_ok(decode_pairs(&t, pairs, 4, &v, NULL));
    rj_vv_done(&v);
    rj_origins_done(&t);
}

TEST(a_vector_of_many_unknown_origins_takes_no_memory)
{
    struct rj_origins none = {0};
    struct rj_buf b = {0};
    struct rj_vv v = {0};
    struct rj_reader r;
    size_t unknown = 0;

    rj_cbor_put_array(&b, 2 * (size_t)RJ_ORIGINS_MAX);
    for (uint32_t i = 0; i < RJ_ORIGINS_MAX; i++) {
        struct rj_origin_id id = rj_test_id(i);

        rj_cbor_put_bytes(&b, RJ_BYTES_OF(id.b));
        rj_cbor_put_uint(&b, 1);
    }
    r = rj_reader_of(rj_buf_view(&b));
    rj_test_alloc_fail_after(0);
    assert_ok(rj_vv_decode(&r, &none, &v, &unknown));
    rj_test_alloc_restore();
    assert_false(rj_test_alloc_failed());
    assert_int_equal(unknown, RJ_ORIGINS_MAX);
    assert_null(v.seq);
    rj_buf_done(&b);
}

TEST(a_vector_of_a_million_entries_is_refused_without_allocating_for_it)
{
    static const size_t counts[] = {RJ_ORIGINS_MAX + 1, 1000000};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct rj_origins none = {0};
        struct rj_buf b = {0};
        struct rj_vv v = {0};
        struct rj_reader r;

        rj_cbor_put_array(&b, 2 * counts[i]);
        for (uint32_t k = 0; k < counts[i]; k++) {
            struct rj_origin_id id = rj_test_id(k);

            rj_cbor_put_bytes(&b, RJ_BYTES_OF(id.b));
            rj_cbor_put_uint(&b, 1);
        }
        assert_ok(rj_buf_err(&b));
        r = rj_reader_of(rj_buf_view(&b));
        rj_test_alloc_fail_after(0);
        assert_err(RJ_ELIMIT, rj_vv_decode(&r, &none, &v, NULL));
        rj_test_alloc_restore();
        assert_false(rj_test_alloc_failed());
        rj_buf_done(&b);
    }
}

TEST(a_vector_that_only_claims_a_million_entries_is_corrupt)
{
    struct rj_origins none = {0};
    struct rj_vv v = {0};
    struct rj_reader r = rj_reader_of(RJ_BYTES_LIT("\x9a\x00\x1e\x84\x80\x00"));

    rj_test_alloc_fail_after(0);
    assert_err(RJ_ECORRUPT, rj_vv_decode(&r, &none, &v, NULL));
    rj_test_alloc_restore();
    assert_false(rj_test_alloc_failed());
}

TEST(a_malformed_vector_is_corrupt)
{
    static const uint64_t unsorted[][2] = {{0, 1}, {2, 1}, {1, 1}};
    static const uint64_t twice[][2] = {{0, 1}, {1, 1}, {1, 1}};
    static const uint64_t unknown_twice[][2] = {{0, 1}, {50, 1}, {50, 1}};
    static const uint64_t zero[][2] = {{0, 1}, {1, 0}};
    static const uint64_t beyond[][2] = {{0, UINT64_MAX / 2 + 1}};
    static const uint64_t most[][2] = {{0, UINT64_MAX / 2}};
    struct rj_origins t;
    struct rj_vv v = {0};
    struct rj_reader r;

    rj_test_origins(&t, 3, 1);
    assert_err(RJ_ECORRUPT, decode_pairs(&t, unsorted, 3, &v, NULL));
    assert_err(RJ_ECORRUPT, decode_pairs(&t, twice, 3, &v, NULL));
    assert_err(RJ_ECORRUPT, decode_pairs(&t, unknown_twice, 3, &v, NULL));
    assert_err(RJ_ECORRUPT, decode_pairs(&t, zero, 2, &v, NULL));
    assert_err(RJ_ECORRUPT, decode_pairs(&t, beyond, 1, &v, NULL));
    assert_ok(decode_pairs(&t, most, 1, &v, NULL));
    r = rj_reader_of(RJ_BYTES_LIT("\x81\x01")); /* an odd number of items */
    assert_err(RJ_ECORRUPT, rj_vv_decode(&r, &t, &v, NULL));
    r = rj_reader_of(RJ_BYTES_LIT("\x82\x41x\x01")); /* an id of one byte */
    assert_err(RJ_ECORRUPT, rj_vv_decode(&r, &t, &v, NULL));
    r = rj_reader_of(RJ_BYTES_LIT("\xa0")); /* a map */
    assert_err(RJ_ECORRUPT, rj_vv_decode(&r, &t, &v, NULL));
    rj_vv_done(&v);
    rj_origins_done(&t);
}

TEST(an_id_of_zeros_is_an_id)
{
    static const struct rj_origin_id zero;
    struct rj_buf b = {0}, again = {0};
    struct rj_origins t = {0};
    struct rj_vv v = {0};
    struct rj_reader r;
    uint32_t index;

    assert_ok(rj_origins_add(&t, &zero, &index));
    rj_cbor_put_array(&b, 2);
    rj_cbor_put_bytes(&b, RJ_BYTES_OF(zero.b));
    rj_cbor_put_uint(&b, 5);
    r = rj_reader_of(rj_buf_view(&b));
    assert_ok(rj_vv_decode(&r, &t, &v, NULL));
    assert_int_equal(rj_vv_get(&v, index), 5);
    rj_vv_encode(&again, &t, &v);
    assert_bytes_equal(rj_buf_view(&again), rj_buf_view(&b));
    rj_buf_done(&b);
    rj_buf_done(&again);
    rj_vv_done(&v);
    rj_origins_done(&t);
}

TEST(a_vector_cut_off_at_any_byte_is_corrupt)
{
    static const uint64_t pairs[][2] = {{0, 1}, {1, 300}, {2, 70000}};
    struct rj_buf b = {0};
    struct rj_origins t;
    struct rj_vv v = {0};

    rj_test_origins(&t, 3, 1);
    put_pairs(&b, pairs, 3);
    for (size_t len = 0; len < b.len; len++) {
        struct rj_reader r = rj_reader_of(rj_bytes_of(b.ptr, len));

        assert_err(RJ_ECORRUPT, rj_vv_decode(&r, &t, &v, NULL));
    }
    rj_buf_done(&b);
    rj_vv_done(&v);
    rj_origins_done(&t);
}

static enum rj_err carry_vector(void *ctx)
{
    const struct rj_origins *t = ctx;
    uint32_t dict[] = {0, 1, 2}, got_dict[8], n;
    struct rj_vv v = {0}, got = {0};
    struct rj_buf b = {0};
    enum rj_err err = RJ_OK;

    for (uint32_t i = 0; err == RJ_OK && i < t->n; i++)
        err = rj_vv_put(&v, i, i + 1);
    if (err == RJ_OK) {
        rj_dict_put(&b, t, dict, 3);
        rj_vv_encode(&b, t, &v);
        err = rj_buf_err(&b);
    }
    if (err == RJ_OK) {
        struct rj_reader r = rj_reader_of(rj_buf_view(&b));

        err = rj_dict_get(&r, t, got_dict, &n);
        if (err == RJ_OK)
            err = rj_vv_decode(&r, t, &got, NULL);
        if (err == RJ_OK)
            assert_true(rj_vv_equal(&v, &got));
    }
    rj_vv_done(&v);
    rj_vv_done(&got);
    rj_buf_done(&b);
    return err;
}

TEST(out_of_memory_is_reported_wherever_it_happens)
{
    struct rj_origins t;

    rj_test_origins(&t, 101, 3);
    rj_test_with_failing_alloc(carry_vector, &t);
    rj_test_with_one_failing_alloc(carry_vector, &t);
    rj_origins_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dictionary_comes_back_as_it_was),
        cmocka_unit_test(a_dictionary_means_the_same_where_indexes_differ),
        cmocka_unit_test(a_dictionary_with_an_unknown_origin_is_corrupt),
        cmocka_unit_test(a_dictionary_is_not_larger_than_its_limit),
        cmocka_unit_test(a_dictionary_names_no_origin_twice),
        cmocka_unit_test(a_dictionary_cut_off_at_any_byte_is_corrupt),
        cmocka_unit_test(a_vector_comes_back_as_it_was),
        cmocka_unit_test(a_vector_has_the_same_bytes_where_indexes_differ),
        cmocka_unit_test(unknown_origins_are_left_out_and_counted),
        cmocka_unit_test(a_vector_of_many_unknown_origins_takes_no_memory),
        cmocka_unit_test(
            a_vector_of_a_million_entries_is_refused_without_allocating_for_it),
        cmocka_unit_test(a_vector_that_only_claims_a_million_entries_is_corrupt),
        cmocka_unit_test(a_malformed_vector_is_corrupt),
        cmocka_unit_test(an_id_of_zeros_is_an_id),
        cmocka_unit_test(a_vector_cut_off_at_any_byte_is_corrupt),
        cmocka_unit_test(out_of_memory_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
