/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a batch, causal/batch.h: each of its fields. */
#include "base/cbor.h"
#include "causal/kind.h"
#include "causal/stamp.h"
#include "support/batches.h"
#include "support/fake_env.h"

enum { FIELDS = 10 };

/* Fields of an encoded header by their place. */
enum field {
    F_VERSION,
    F_CLASS,
    F_ORIGIN,
    F_FIRST,
    F_COUNT,
    F_PREV,
    F_BODY,
    F_DEPS,
    F_STAMP,
    F_WALL
};

static const struct rj_digest space = {{5, 5, 5}};

/* What decoding raw gives; a header that is refused leaves ret as it was. */
static enum rj_err try_get(struct rj_bytes raw)
{
    struct rj_header h, before;
    enum rj_err err;

    memset(&h, 0x5a, sizeof(h));
    memcpy(&before, &h, sizeof(h));
    err = rj_header_get(raw, &h);
    if (err != RJ_OK)
        assert_memory_equal(&h, &before, sizeof(h));
    return err;
}

static enum rj_err put_and_get(const struct rj_header *h)
{
    struct rj_buf b = {0};
    enum rj_err err;

    rj_header_put(&b, h);
    assert_ok(rj_buf_err(&b));
    err = try_get(rj_buf_view(&b));
    rj_buf_done(&b);
    return err;
}

/* What decoding h gives when one field of its encoding is replaced by other bytes. */
static enum rj_err get_changed(const struct rj_header *h, enum field which,
                               struct rj_bytes instead)
{
    struct rj_buf whole = {0}, changed = {0};
    struct rj_reader r;
    enum rj_err err;

    rj_header_put(&whole, h);
    r = rj_reader_of(rj_buf_view(&whole));
    assert_int_equal(rj_cbor_get_array(&r), FIELDS);
    rj_cbor_put_array(&changed, FIELDS);
    for (unsigned i = 0; i < FIELDS; i++) {
        struct rj_bytes item = rj_cbor_item(&r);

        rj_buf_append(&changed, i == which ? instead : item);
    }
    assert_true(rj_reader_complete(&r));
    assert_ok(rj_buf_err(&changed));
    err = try_get(rj_buf_view(&changed));
    rj_buf_done(&whole);
    rj_buf_done(&changed);
    return err;
}

/* The same with a header of data. */
static enum rj_err get_with(enum field which, struct rj_bytes instead)
{
    struct rj_buf deps;
    struct rj_header h = rj_test_header(&deps);
    enum rj_err err = get_changed(&h, which, instead);

    rj_buf_done(&deps);
    return err;
}

static enum rj_err get_with_uint(enum field which, uint64_t v)
{
    struct rj_buf b = {0};
    enum rj_err err;

    rj_cbor_put_uint(&b, v);
    err = get_with(which, rj_buf_view(&b));
    rj_buf_done(&b);
    return err;
}

static void random_digest(struct rj_prng *p, struct rj_digest *ret)
{
    rj_prng_bytes(p, ret->b, sizeof(ret->b));
}

static void random_header(struct rj_prng *p, struct rj_buf *deps, struct rj_header *ret)
{
    uint32_t at = 0;

    *ret = (struct rj_header){.class = (enum rj_batch_class)rj_prng_below(p, 3)};
    *deps = (struct rj_buf){0};
    rj_prng_bytes(p, ret->origin.b, RJ_ORIGIN_LEN);
    ret->first = rj_prng_chance(p, 1, 4) ? 1 : 2 + rj_test_number(p, UINT64_MAX / 2 - 2);
    if (ret->first > 1)
        random_digest(p, &ret->prev);
    if (ret->class != RJ_CLASS_HEAD) {
        random_digest(p, &ret->body);
        ret->count = 1;
    }
    if (ret->class == RJ_CLASS_DATA)
        ret->count += (uint32_t)rj_prng_below(p, RJ_BATCH_WRITES_MAX);
    ret->stamp = rj_test_number(p, RJ_STAMP_MAX);
    ret->wall_ms = rj_test_number(p, UINT64_MAX);
    ret->n_deps = rj_prng_below(p, 5);
    for (size_t i = 0; i < ret->n_deps; i++) {
        at += 1 + (uint32_t)rj_prng_below(p, 1000);
        rj_test_put_dep(deps, at, 1 + rj_test_number(p, UINT64_MAX / 2 - 1));
    }
    ret->deps = rj_buf_view(deps);
}

TEST(a_header_comes_back_as_it_was)
{
    struct rj_prng p;

    rj_prng_init(&p, 1);
    for (int i = 0; i < 3000; i++) {
        struct rj_buf deps, first = {0}, second = {0};
        struct rj_header h, got;

        random_header(&p, &deps, &h);
        rj_header_put(&first, &h);
        assert_ok(rj_header_get(rj_buf_view(&first), &got));
        rj_test_same_header(&got, &h);
        rj_header_put(&second, &got);
        assert_bytes_equal(rj_buf_view(&second), rj_buf_view(&first));
        rj_buf_done(&deps);
        rj_buf_done(&first);
        rj_buf_done(&second);
    }
}

TEST(a_header_names_its_last_sequence)
{
    struct rj_header h = {.first = 7, .count = 3};

    assert_int_equal(rj_header_last(&h), 9);
    h.count = 0; /* a head stands behind its author's last write */
    assert_int_equal(rj_header_last(&h), 6);
}

TEST(deps_are_walked_in_order)
{
    struct rj_buf deps;
    struct rj_header h = rj_test_header(&deps);
    struct rj_reader r = rj_reader_of(h.deps);
    struct rj_origin_id three = rj_test_id(3), four = rj_test_id(4);
    static const uint8_t hash[RJ_DEP_HASH_LEN] = {1, 2, 3};
    struct rj_dep dep;

    assert_true(rj_deps_next(&r, &dep));
    assert_memory_equal(dep.origin.b, three.b, RJ_ORIGIN_LEN);
    assert_int_equal(dep.seq, 10);
    assert_memory_equal(dep.hash, hash, sizeof(hash));
    assert_true(rj_deps_next(&r, &dep));
    assert_memory_equal(dep.origin.b, four.b, RJ_ORIGIN_LEN);
    assert_int_equal(dep.seq, 1);
    assert_false(rj_deps_next(&r, &dep));
    assert_true(rj_reader_complete(&r));
    rj_buf_done(&deps);
}

TEST(what_the_others_are_changed_from_is_valid)
{
    struct rj_buf deps;
    struct rj_header h = rj_test_header(&deps);

    assert_ok(put_and_get(&h));
    assert_ok(get_with_uint(F_VERSION, RJ_BATCH_FORMAT));
    assert_ok(get_with_uint(F_CLASS, RJ_CLASS_DATA));
    rj_buf_done(&deps);
}

TEST(another_version_is_told_from_damage)
{
    struct rj_buf b = {0};

    assert_err(RJ_EVERSION, get_with_uint(F_VERSION, 0));
    assert_err(RJ_EVERSION, get_with_uint(F_VERSION, RJ_BATCH_FORMAT + 1));
    assert_err(RJ_EVERSION, get_with_uint(F_VERSION, UINT64_MAX));
    /* A later version may well have other fields. */
    rj_cbor_put_array(&b, 2);
    rj_cbor_put_uint(&b, RJ_BATCH_FORMAT + 1);
    rj_cbor_put_null(&b);
    assert_err(RJ_EVERSION, try_get(rj_buf_view(&b)));
    rj_buf_done(&b);
}

TEST(a_field_of_another_type_is_corrupt)
{
    for (unsigned i = 0; i < FIELDS; i++) {
        assert_err(RJ_ECORRUPT, get_with((enum field)i, RJ_BYTES_LIT("\xf6")));
        assert_err(RJ_ECORRUPT, get_with((enum field)i, RJ_BYTES_LIT("\x20")));
        assert_err(RJ_ECORRUPT, get_with((enum field)i, RJ_BYTES_LIT("\x61x")));
        if (i != F_VERSION) /* left out, the class would be read as one */
            assert_err(RJ_ECORRUPT, get_with((enum field)i, (struct rj_bytes){0}));
    }
}

TEST(a_number_that_is_not_in_its_shortest_form_is_corrupt)
{
    static const enum field numbers[] = {F_VERSION, F_CLASS, F_FIRST,
                                         F_COUNT,   F_STAMP, F_WALL};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        assert_err(RJ_ECORRUPT, get_with(numbers[i], RJ_BYTES_LIT("\x18\x01")));
}

TEST(fewer_or_more_fields_are_corrupt)
{
    for (size_t n = 0; n <= FIELDS + 2; n++) {
        struct rj_buf deps, whole = {0}, changed = {0};
        struct rj_header h = rj_test_header(&deps);
        struct rj_reader r;

        rj_header_put(&whole, &h);
        r = rj_reader_of(rj_buf_view(&whole));
        (void)rj_cbor_get_array(&r);
        rj_cbor_put_array(&changed, n);
        for (size_t i = 0; i < n; i++) {
            if (i < FIELDS)
                rj_buf_append(&changed, rj_cbor_item(&r));
            else
                rj_cbor_put_uint(&changed, 1);
        }
        assert_err(n == FIELDS ? RJ_OK : RJ_ECORRUPT, try_get(rj_buf_view(&changed)));
        rj_buf_done(&deps);
        rj_buf_done(&whole);
        rj_buf_done(&changed);
    }
}

TEST(trailing_bytes_are_corrupt)
{
    struct rj_buf deps, b = {0};
    struct rj_header h = rj_test_header(&deps);

    rj_header_put(&b, &h);
    rj_buf_u8(&b, 0);
    assert_err(RJ_ECORRUPT, try_get(rj_buf_view(&b)));
    rj_buf_done(&deps);
    rj_buf_done(&b);
}

TEST(a_header_cut_off_at_any_byte_is_corrupt)
{
    struct rj_buf deps, b = {0};
    struct rj_header h = rj_test_header(&deps);

    rj_header_put(&b, &h);
    for (size_t len = 0; len < b.len; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1); /* a read behind it is seen */

        assert_non_null(exact);
        memcpy(exact, b.ptr, len);
        assert_err(RJ_ECORRUPT, try_get(rj_bytes_of(exact, len)));
        free(exact);
    }
    rj_buf_done(&deps);
    rj_buf_done(&b);
}

TEST(a_class_that_is_none_is_corrupt)
{
    assert_err(RJ_ECORRUPT, get_with_uint(F_CLASS, 3));
    assert_err(RJ_ECORRUPT, get_with_uint(F_CLASS, UINT64_C(1) << 32));
    assert_err(RJ_ECORRUPT, get_with_uint(F_CLASS, (UINT64_C(1) << 32) + RJ_CLASS_DATA));
    assert_err(RJ_ECORRUPT, get_with_uint(F_CLASS, UINT64_MAX));
}

TEST(class_count_and_body_belong_together)
{
    struct rj_buf deps;
    struct rj_header h = rj_test_header(&deps);

    h.count = 0; /* a body without writes */
    assert_err(RJ_ECORRUPT, put_and_get(&h));
    h.body = (struct rj_digest){{0}}; /* nothing at all, but not called a head */
    assert_err(RJ_ECORRUPT, put_and_get(&h));
    h.class = RJ_CLASS_HEAD;
    assert_ok(put_and_get(&h));
    h.count = 1; /* a head with writes */
    assert_err(RJ_ECORRUPT, put_and_get(&h));
    h.count = 0;
    h.body = (struct rj_digest){{1}}; /* a head with a body */
    assert_err(RJ_ECORRUPT, put_and_get(&h));
    h.class = RJ_CLASS_DATA;
    h.count = 1;
    assert_ok(put_and_get(&h));
    h.body = (struct rj_digest){{0}}; /* writes without a body */
    assert_err(RJ_ECORRUPT, put_and_get(&h));
    rj_buf_done(&deps);
}

TEST(a_membership_batch_has_one_record)
{
    struct rj_buf deps;
    struct rj_header h = rj_test_header(&deps);

    h.class = RJ_CLASS_MEMBER;
    h.count = 1;
    assert_ok(put_and_get(&h));
    h.count = 2;
    assert_err(RJ_ECORRUPT, put_and_get(&h));
    h.count = 0;
    assert_err(RJ_ECORRUPT, put_and_get(&h));
    rj_buf_done(&deps);
}

TEST(a_count_beyond_its_limit_is_corrupt)
{
    assert_ok(get_with_uint(F_COUNT, RJ_BATCH_WRITES_MAX));
    assert_err(RJ_ECORRUPT, get_with_uint(F_COUNT, RJ_BATCH_WRITES_MAX + 1));
    assert_err(RJ_ECORRUPT, get_with_uint(F_COUNT, (UINT64_C(1) << 32) + 3));
    assert_err(RJ_ECORRUPT, get_with_uint(F_COUNT, UINT64_MAX));
}

TEST(a_first_sequence_beyond_its_limits_is_corrupt)
{
    assert_err(RJ_ECORRUPT, get_with_uint(F_FIRST, 0));
    assert_ok(get_with_uint(F_FIRST, 2));
    assert_ok(get_with_uint(F_FIRST, UINT64_MAX / 2 - 2)); /* it has three writes */
    assert_err(RJ_ECORRUPT, get_with_uint(F_FIRST, UINT64_MAX / 2 + 1));
    assert_err(RJ_ECORRUPT, get_with_uint(F_FIRST, UINT64_MAX));
}

TEST(no_write_of_a_batch_is_beyond_the_last_sequence)
{
    struct rj_buf deps;
    struct rj_header h = rj_test_header(&deps);

    h.count = 3;
    h.first = RJ_SEQ_MAX - 2;
    assert_ok(put_and_get(&h));
    h.first++;
    assert_err(RJ_ECORRUPT, put_and_get(&h));
    rj_buf_done(&deps);
}

TEST(only_the_first_batch_has_no_predecessor)
{
    struct rj_buf deps;
    struct rj_header h = rj_test_header(&deps);

    h.first = 1;
    assert_err(RJ_ECORRUPT, put_and_get(&h));
    h.prev = (struct rj_digest){{0}};
    assert_ok(put_and_get(&h));
    h.first = 2;
    assert_err(RJ_ECORRUPT, put_and_get(&h));
    rj_buf_done(&deps);
}

TEST(a_stamp_that_is_none_is_corrupt)
{
    assert_ok(get_with_uint(F_STAMP, RJ_STAMP_MAX));
    assert_err(RJ_ECORRUPT, get_with_uint(F_STAMP, RJ_STAMP_MAX + 1));
    assert_err(RJ_ECORRUPT, get_with_uint(F_STAMP, UINT64_MAX));
    assert_ok(get_with_uint(F_WALL, UINT64_MAX)); /* says nothing, so anything goes */
}

/* len bytes of v as a byte string, in place of a field of h. */
static enum rj_err get_bytes(const struct rj_header *h, enum field which, size_t len,
                             uint8_t v)
{
    struct rj_buf b = {0};
    uint8_t bytes[64];
    enum rj_err err;

    memset(bytes, v, sizeof(bytes));
    rj_cbor_put_bytes(&b, rj_bytes_of(bytes, len));
    err = get_changed(h, which, rj_buf_view(&b));
    rj_buf_done(&b);
    return err;
}

TEST(an_id_has_one_length)
{
    struct rj_buf deps;
    struct rj_header h = rj_test_header(&deps);

    for (size_t len = 0; len < 40; len++)
        assert_err(len == RJ_ORIGIN_LEN ? RJ_OK : RJ_ECORRUPT,
                   get_bytes(&h, F_ORIGIN, len, 1));
    rj_buf_done(&deps);
}

TEST(a_hash_has_one_length_and_none_has_one_form)
{
    struct rj_buf deps;
    struct rj_header with = rj_test_header(&deps), without = with;

    without.class = RJ_CLASS_HEAD;
    without.first = 1;
    without.count = 0;
    without.prev = without.body = (struct rj_digest){{0}};
    for (int i = 0; i < 2; i++) {
        enum field which = i == 0 ? F_PREV : F_BODY;

        assert_ok(get_bytes(&with, which, RJ_DIGEST_LEN, 1));
        assert_ok(get_bytes(&without, which, 0, 0));
        for (size_t len = 0; len < 40; len++) {
            if (len != RJ_DIGEST_LEN)
                assert_err(RJ_ECORRUPT, get_bytes(&with, which, len, 1));
            if (len != 0) { /* neither something nor, as zeros, none */
                assert_err(RJ_ECORRUPT, get_bytes(&without, which, len, 1));
                assert_err(RJ_ECORRUPT, get_bytes(&without, which, len, 0));
            }
        }
    }
    rj_buf_done(&deps);
}

/* Deps of these origins and sequences, in place of the right ones. */
static enum rj_err get_with_deps(const uint64_t (*deps)[2], size_t n)
{
    struct rj_buf b = {0};
    enum rj_err err;

    rj_cbor_put_array(&b, 3 * n);
    for (size_t i = 0; i < n; i++)
        rj_test_put_dep(&b, (uint32_t)deps[i][0], deps[i][1]);
    err = get_with(F_DEPS, rj_buf_view(&b));
    rj_buf_done(&b);
    return err;
}

TEST(deps_ascend_and_name_each_origin_once)
{
    static const uint64_t right[][2] = {{0, 1}, {1, 9}, {500, 2}};
    static const uint64_t unsorted[][2] = {{0, 1}, {500, 2}, {1, 9}};
    static const uint64_t twice[][2] = {{0, 1}, {1, 9}, {1, 10}};

    assert_ok(get_with_deps(right, 0));
    assert_ok(get_with_deps(right, 3));
    assert_err(RJ_ECORRUPT, get_with_deps(unsorted, 3));
    assert_err(RJ_ECORRUPT, get_with_deps(twice, 3));
}

TEST(a_dep_on_an_id_of_zeros_is_a_dep)
{
    struct rj_dep dep = {.seq = 1};
    struct rj_buf b = {0};

    rj_cbor_put_array(&b, 3);
    rj_deps_put(&b, &dep);
    assert_ok(get_with(F_DEPS, rj_buf_view(&b)));
    rj_buf_done(&b);
}

TEST(deps_have_sequences_within_their_limits)
{
    static const uint64_t none[][2] = {{0, 1}, {1, 0}};
    static const uint64_t most[][2] = {{0, 1}, {1, UINT64_MAX / 2}};
    static const uint64_t beyond[][2] = {{0, 1}, {1, UINT64_MAX / 2 + 1}};
    static const uint64_t last[][2] = {{0, UINT64_MAX}};

    assert_err(RJ_ECORRUPT, get_with_deps(none, 2));
    assert_ok(get_with_deps(most, 2));
    assert_err(RJ_ECORRUPT, get_with_deps(beyond, 2));
    assert_err(RJ_ECORRUPT, get_with_deps(last, 1));
}

TEST(deps_that_are_not_whole_are_corrupt)
{
    for (size_t items = 1; items <= 8; items++) {
        struct rj_buf b = {0}, dep = {0};
        struct rj_reader r;

        rj_test_put_dep(&dep, 1, 1);
        rj_test_put_dep(&dep, 2, 1);
        rj_test_put_dep(&dep, 3, 1);
        r = rj_reader_of(rj_buf_view(&dep));
        rj_cbor_put_array(&b, items);
        for (size_t i = 0; i < items; i++)
            rj_buf_append(&b, rj_cbor_item(&r));
        assert_err(items % 3 == 0 ? RJ_OK : RJ_ECORRUPT,
                   get_with(F_DEPS, rj_buf_view(&b)));
        rj_buf_done(&b);
        rj_buf_done(&dep);
    }
}

TEST(a_dep_has_the_first_eight_bytes_of_a_hash)
{
    for (size_t len = 0; len < 12; len++) {
        struct rj_buf b = {0};
        struct rj_origin_id id = rj_test_id(1);
        static const uint8_t hash[12] = {1};

        rj_cbor_put_array(&b, 3);
        rj_cbor_put_bytes(&b, RJ_BYTES_OF(id.b));
        rj_cbor_put_uint(&b, 1);
        rj_cbor_put_bytes(&b, rj_bytes_of(hash, len));
        assert_err(len == RJ_DEP_HASH_LEN ? RJ_OK : RJ_ECORRUPT,
                   get_with(F_DEPS, rj_buf_view(&b)));
        rj_buf_done(&b);
    }
}

TEST(there_are_not_more_deps_than_origins)
{
    for (uint32_t n = RJ_ORIGINS_MAX; n <= RJ_ORIGINS_MAX + 1; n++) {
        struct rj_buf b = {0};

        rj_cbor_put_array(&b, 3 * (size_t)n);
        for (uint32_t i = 0; i < n; i++)
            rj_test_put_dep(&b, i, 1);
        assert_ok(rj_buf_err(&b));
        assert_err(n == RJ_ORIGINS_MAX ? RJ_OK : RJ_ECORRUPT,
                   get_with(F_DEPS, rj_buf_view(&b)));
        rj_buf_done(&b);
    }
}

TEST(the_hash_of_a_header_is_that_of_tag_space_and_bytes)
{
    struct rj_test_env env;
    struct rj_digest hash, expected, other_space = {{5, 5, 6}};
    struct rj_buf all = {0};
    struct rj_bytes raw = RJ_BYTES_LIT("raw bytes"), whole;

    rj_test_env_init(&env, 1);
    rj_buf_append_str(&all, "rejoin header");
    rj_buf_append(&all, RJ_BYTES_OF(space.b));
    rj_buf_append(&all, raw);
    whole = rj_buf_view(&all);
    rj_test_env_hash(&env.env, &whole, 1, &expected);
    rj_header_hash(&env.env, &space, raw, &hash);
    assert_memory_equal(hash.b, expected.b, RJ_DIGEST_LEN);
    rj_header_hash(&env.env, &other_space, raw, &hash);
    assert_memory_not_equal(hash.b, expected.b, RJ_DIGEST_LEN);
    rj_header_hash(&env.env, &space, RJ_BYTES_LIT("raw bytez"), &hash);
    assert_memory_not_equal(hash.b, expected.b, RJ_DIGEST_LEN);
    rj_buf_done(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_comes_back_as_it_was),
        cmocka_unit_test(a_header_names_its_last_sequence),
        cmocka_unit_test(deps_are_walked_in_order),
        cmocka_unit_test(what_the_others_are_changed_from_is_valid),
        cmocka_unit_test(another_version_is_told_from_damage),
        cmocka_unit_test(a_field_of_another_type_is_corrupt),
        cmocka_unit_test(a_number_that_is_not_in_its_shortest_form_is_corrupt),
        cmocka_unit_test(fewer_or_more_fields_are_corrupt),
        cmocka_unit_test(trailing_bytes_are_corrupt),
        cmocka_unit_test(a_header_cut_off_at_any_byte_is_corrupt),
        cmocka_unit_test(a_class_that_is_none_is_corrupt),
        cmocka_unit_test(class_count_and_body_belong_together),
        cmocka_unit_test(a_membership_batch_has_one_record),
        cmocka_unit_test(a_count_beyond_its_limit_is_corrupt),
        cmocka_unit_test(a_first_sequence_beyond_its_limits_is_corrupt),
        cmocka_unit_test(no_write_of_a_batch_is_beyond_the_last_sequence),
        cmocka_unit_test(only_the_first_batch_has_no_predecessor),
        cmocka_unit_test(a_stamp_that_is_none_is_corrupt),
        cmocka_unit_test(an_id_has_one_length),
        cmocka_unit_test(a_hash_has_one_length_and_none_has_one_form),
        cmocka_unit_test(deps_ascend_and_name_each_origin_once),
        cmocka_unit_test(a_dep_on_an_id_of_zeros_is_a_dep),
        cmocka_unit_test(deps_have_sequences_within_their_limits),
        cmocka_unit_test(deps_that_are_not_whole_are_corrupt),
        cmocka_unit_test(a_dep_has_the_first_eight_bytes_of_a_hash),
        cmocka_unit_test(there_are_not_more_deps_than_origins),
        cmocka_unit_test(the_hash_of_a_header_is_that_of_tag_space_and_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
