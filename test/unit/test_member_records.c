/* SPDX-License-Identifier: Apache-2.0 */
/* The records about members, and the genesis, as bytes. */
#include "base/cbor.h"
#include "causal/member.h"
#include "support/fake_env.h"
#include "support/test.h"

static struct rj_test_env env;

/* ---- records */

static struct rj_record open_record(void)
{
    struct rj_record r = {.kind = RJ_RECORD_OPEN,
                          .pubkey = {1, 2, 3},
                          .incarnation = UINT64_C(0xfedcba9876543210),
                          .replaces = {{9}}};
    struct rj_bytes key = RJ_BYTES_OF(r.pubkey);

    rj_test_env_hash(&env.env, &key, 1, &r.device);
    return r;
}

static struct rj_record role_record(void)
{
    struct rj_record r = open_record();

    return (struct rj_record){.kind = RJ_RECORD_ROLE,
                              .device = r.device,
                              .pubkey = {1, 2, 3},
                              .name = RJ_BYTES_LIT("desk"),
                              .role = RJ_ROLE_WRITER};
}

static struct rj_record close_record(void)
{
    return (struct rj_record){.kind = RJ_RECORD_CLOSE, .device = {{4, 4}}};
}

static void assert_same_record(const struct rj_record *a, const struct rj_record *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_memory_equal(a->device.b, b->device.b, RJ_DIGEST_LEN);
    assert_memory_equal(a->pubkey, b->pubkey, RJ_PUBKEY_LEN);
    assert_int_equal(a->incarnation, b->incarnation);
    assert_memory_equal(a->replaces.b, b->replaces.b, RJ_ORIGIN_LEN);
    assert_bytes_equal(a->name, b->name);
    assert_int_equal(a->role, b->role);
}

/* What decoding body gives; a record that is refused leaves ret as it was. */
static enum rj_err try_record(struct rj_bytes body)
{
    struct rj_record r, before;
    enum rj_err err;

    memset(&r, 0x5a, sizeof(r));
    memcpy(&before, &r, sizeof(r));
    err = rj_record_get(body, &env.env, &r);
    if (err != RJ_OK)
        assert_memory_equal(&r, &before, sizeof(r));
    return err;
}

static enum rj_err put_and_get(const struct rj_record *r)
{
    struct rj_buf b = {0};
    enum rj_err err;

    rj_record_put(&b, r);
    assert_ok(rj_buf_err(&b));
    err = try_record(rj_buf_view(&b));
    rj_buf_done(&b);
    return err;
}

/* The encoding whole with its item `which` replaced by other bytes, in ret. */
static void replace_item(struct rj_bytes whole, size_t which, struct rj_bytes instead,
                         struct rj_buf *ret)
{
    struct rj_reader r = rj_reader_of(whole);
    size_t n = rj_cbor_get_array(&r);

    *ret = (struct rj_buf){0};
    rj_cbor_put_array(ret, n);
    for (size_t i = 0; i < n; i++) {
        struct rj_bytes item = rj_cbor_item(&r);

        rj_buf_append(ret, i == which ? instead : item);
    }
    assert_true(rj_reader_complete(&r));
    assert_ok(rj_buf_err(ret));
}

static enum rj_err record_with(const struct rj_record *rec, size_t which,
                               struct rj_bytes instead)
{
    struct rj_buf whole = {0}, changed;
    enum rj_err err;

    rj_record_put(&whole, rec);
    replace_item(rj_buf_view(&whole), which, instead, &changed);
    err = try_record(rj_buf_view(&changed));
    rj_buf_done(&whole);
    rj_buf_done(&changed);
    return err;
}

TEST(a_record_comes_back_as_it_was)
{
    struct rj_record records[] = {open_record(), role_record(), close_record(),
                                  open_record(), role_record()};

    records[3].replaces = (struct rj_origin_id){{0}}; /* the device's first */
    records[3].incarnation = 0;
    records[4].name = (struct rj_bytes){0};
    records[4].role = RJ_ROLE_NONE;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        struct rj_buf b = {0}, again = {0};
        struct rj_record got;

        rj_record_put(&b, &records[i]);
        assert_ok(rj_record_get(rj_buf_view(&b), &env.env, &got));
        assert_same_record(&got, &records[i]);
        rj_record_put(&again, &got);
        assert_bytes_equal(rj_buf_view(&again), rj_buf_view(&b));
        rj_buf_done(&b);
        rj_buf_done(&again);
    }
}

TEST(a_device_id_that_is_not_the_hash_of_its_key_is_corrupt)
{
    struct rj_record r = open_record();

    r.device.b[31] ^= 1;
    assert_err(RJ_ECORRUPT, put_and_get(&r));
    r = role_record();
    r.pubkey[0] ^= 1;
    assert_err(RJ_ECORRUPT, put_and_get(&r));
}

TEST(a_kind_of_record_from_the_future_asks_for_an_upgrade)
{
    struct rj_record r = close_record();
    struct rj_buf b = {0};

    assert_err(RJ_EUPGRADE, record_with(&r, 0, RJ_BYTES_LIT("\x00")));
    assert_err(RJ_EUPGRADE, record_with(&r, 0, RJ_BYTES_LIT("\x04")));
    assert_err(RJ_EUPGRADE,
               record_with(&r, 0, RJ_BYTES_LIT("\x1b\x00\x00\x00\x01\x00\x00\x00\x01")));
    rj_cbor_put_array(&b, 9); /* whatever it holds */
    rj_cbor_put_uint(&b, RJ_RECORD_CLOSE + 1);
    for (int i = 0; i < 8; i++)
        rj_cbor_put_null(&b);
    assert_err(RJ_EUPGRADE, try_record(rj_buf_view(&b)));
    rj_buf_done(&b);
}

TEST(a_field_of_another_type_or_length_is_corrupt)
{
    struct rj_record records[] = {open_record(), role_record(), close_record()};
    static const size_t fields[] = {5, 5, 2};

    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < fields[i]; k++) {
            assert_err(RJ_ECORRUPT, record_with(&records[i], k, RJ_BYTES_LIT("\xf6")));
            assert_err(RJ_ECORRUPT, record_with(&records[i], k, RJ_BYTES_LIT("\x80")));
            assert_err(RJ_ECORRUPT,
                       record_with(&records[i], k, RJ_BYTES_LIT("\x18\x01")));
        }
        assert_err(RJ_ECORRUPT, record_with(&records[i], 1, RJ_BYTES_LIT("\x41x")));
    }
    assert_err(RJ_ECORRUPT, record_with(&records[0], 2, RJ_BYTES_LIT("\x41x")));
    assert_err(RJ_ECORRUPT, record_with(&records[1], 2, RJ_BYTES_LIT("\x41x")));
}

TEST(a_replaced_origin_is_one_id_or_nothing)
{
    struct rj_record r = open_record();

    assert_err(RJ_ECORRUPT, record_with(&r, 4, RJ_BYTES_LIT("\x41x")));
    assert_err(RJ_ECORRUPT, record_with(&r, 4,
                                        RJ_BYTES_LIT("\x4f"
                                                     "fifteen bytes..")));
    assert_ok(record_with(&r, 4,
                          RJ_BYTES_LIT("\x50"
                                       "sixteen bytes...")));
    assert_err(RJ_ECORRUPT, record_with(&r, 4,
                                        RJ_BYTES_LIT("\x51"
                                                     "seventeen bytes..")));
    assert_ok(record_with(&r, 4, RJ_BYTES_LIT("\x40")));
    /* Nothing is written as nothing, so zeros would be a second form. */
    assert_err(RJ_ECORRUPT, record_with(&r, 4,
                                        RJ_BYTES_LIT("\x50\0\0\0\0\0\0\0\0"
                                                     "\0\0\0\0\0\0\0\0")));
}

/* Each shorter piece of whole must be refused by get. */
static void check_truncation(struct rj_bytes whole, enum rj_err (*get)(struct rj_bytes b))
{
    for (size_t len = 0; len < whole.len; len++) {
        uint8_t *exact = malloc(len > 0 ? len : 1); /* a read behind it is seen */

        assert_non_null(exact);
        memcpy(exact, whole.ptr, len);
        assert_err(RJ_ECORRUPT, get(rj_bytes_of(exact, len)));
        free(exact);
    }
}

/* A role record with n lifts: (first byte of the origin, sequence), one after the other.
 */
static enum rj_err try_lifts(size_t n, const uint8_t *lifts)
{
    struct rj_record r = role_record(), got;
    struct rj_buf b = {0}, whole = {0};
    struct rj_reader reader;
    struct rj_lift lift;
    enum rj_err err;

    for (size_t i = 0; i < n; i++) {
        lift = (struct rj_lift){.origin = {{lifts[2 * i]}}, .seq = lifts[2 * i + 1]};
        rj_lifts_put(&b, &lift);
    }
    r.lifts = rj_buf_view(&b);
    r.n_lifts = n;
    rj_record_put(&whole, &r);
    assert_ok(rj_buf_err(&whole));
    err = rj_record_get(rj_buf_view(&whole), &env.env, &got);
    if (err == RJ_OK) {
        assert_int_equal(got.n_lifts, n);
        reader = rj_reader_of(got.lifts);
        for (size_t i = 0; i < n; i++) {
            assert_true(rj_lifts_next(&reader, &lift));
            assert_int_equal(lift.origin.b[0], lifts[2 * i]);
            assert_int_equal(lift.seq, lifts[2 * i + 1]);
        }
        assert_false(rj_lifts_next(&reader, &lift));
        assert_false(reader.failed);
        check_truncation(rj_buf_view(&whole), try_record);
    }
    rj_buf_done(&b);
    rj_buf_done(&whole);
    return err;
}

TEST(closes_that_a_role_record_lifts_are_ascending_and_few)
{
    static const uint8_t good[] = {1, 2, 1, 3, 2, 1};
    static const uint8_t twice[] = {1, 2, 1, 2}, down[] = {2, 1, 1, 2};
    static const uint8_t nought[] = {1, 0};
    uint8_t many[2 * (RJ_LIFTS_MAX + 1)];
    struct rj_record r = role_record();
    struct rj_buf b = {0};

    for (size_t n = 0; n <= 3; n++)
        assert_ok(try_lifts(n, good));
    assert_err(RJ_ECORRUPT, try_lifts(2, twice));
    assert_err(RJ_ECORRUPT, try_lifts(2, down));
    assert_err(RJ_ECORRUPT, try_lifts(1, nought));
    for (size_t i = 0; i <= RJ_LIFTS_MAX; i++) {
        many[2 * i] = 1;
        many[2 * i + 1] = (uint8_t)(i + 1);
    }
    assert_ok(try_lifts(RJ_LIFTS_MAX, many));
    assert_err(RJ_ECORRUPT, try_lifts(RJ_LIFTS_MAX + 1, many));
    rj_record_put(&b, &r); /* none is written as five fields */
    b.ptr[0]++;
    rj_cbor_put_array(&b, 0);
    assert_err(RJ_ECORRUPT, try_record(rj_buf_view(&b)));
    rj_buf_done(&b);
}

TEST(a_role_is_one_of_four)
{
    struct rj_record r = role_record();

    assert_ok(record_with(&r, 4, RJ_BYTES_LIT("\x00")));
    assert_ok(record_with(&r, 4, RJ_BYTES_LIT("\x03")));
    assert_err(RJ_ECORRUPT, record_with(&r, 4, RJ_BYTES_LIT("\x04")));
    assert_err(RJ_ECORRUPT,
               record_with(&r, 4, RJ_BYTES_LIT("\x1b\x00\x00\x00\x01\x00\x00\x00\x01")));
}

TEST(a_name_is_text_of_at_most_64_bytes)
{
    char name[RJ_NAME_MAX + 2];
    struct rj_record r = role_record();
    struct rj_buf b = {0};

    memset(name, 'n', sizeof(name));
    r.name = rj_bytes_of(name, RJ_NAME_MAX);
    assert_ok(put_and_get(&r));
    r.name = rj_bytes_of(name, RJ_NAME_MAX + 1);
    assert_err(RJ_ECORRUPT, put_and_get(&r));
    assert_err(RJ_ECORRUPT, record_with(&r, 3, RJ_BYTES_LIT("\x62\xc0\x80")));
    assert_err(RJ_ECORRUPT, record_with(&r, 3, RJ_BYTES_LIT("\x41n")));
    r.name = RJ_BYTES_LIT("\xff");
    rj_record_put(&b, &r);
    assert_err(RJ_EINVAL, rj_buf_err(&b));
    rj_buf_done(&b);
}

TEST(fewer_or_more_fields_are_corrupt)
{
    struct rj_record records[] = {open_record(), role_record(), close_record()};

    for (size_t i = 0; i < 3; i++) {
        struct rj_buf b = {0};
        uint8_t fields;

        rj_record_put(&b, &records[i]);
        fields = b.ptr[0];
        for (uint8_t n = 0x80; n < 0x89; n++) {
            b.ptr[0] = n;
            assert_err(n == fields ? RJ_OK : RJ_ECORRUPT, try_record(rj_buf_view(&b)));
        }
        b.ptr[0] = fields;
        rj_buf_u8(&b, 0);
        assert_err(RJ_ECORRUPT, try_record(rj_buf_view(&b)));
        rj_buf_done(&b);
    }
}

TEST(a_record_cut_off_at_any_byte_is_corrupt)
{
    struct rj_record records[] = {open_record(), role_record(), close_record()};

    for (size_t i = 0; i < 3; i++) {
        struct rj_buf b = {0};

        rj_record_put(&b, &records[i]);
        check_truncation(rj_buf_view(&b), try_record);
        rj_buf_done(&b);
    }
}

/* ---- the genesis */

static struct rj_genesis genesis(void)
{
    return (struct rj_genesis){.kind = RJ_KIND_BUCKET,
                               .creator_key = {1, 2, 3},
                               .creator_name = RJ_BYTES_LIT("desk"),
                               .name = RJ_BYTES_LIT("main"),
                               .nonce = {7, 7},
                               .created_ms = 1700000000000};
}

static enum rj_err try_genesis(struct rj_bytes raw)
{
    struct rj_genesis g, before;
    enum rj_err err;

    memset(&g, 0x5a, sizeof(g));
    memcpy(&before, &g, sizeof(g));
    err = rj_genesis_get(raw, &g);
    if (err != RJ_OK)
        assert_memory_equal(&g, &before, sizeof(g));
    return err;
}

static enum rj_err genesis_changed(const struct rj_genesis *g, size_t which,
                                   struct rj_bytes instead)
{
    struct rj_buf whole = {0}, changed;
    enum rj_err err;

    rj_genesis_put(&whole, g);
    replace_item(rj_buf_view(&whole), which, instead, &changed);
    err = try_genesis(rj_buf_view(&changed));
    rj_buf_done(&whole);
    rj_buf_done(&changed);
    return err;
}

static enum rj_err genesis_with(size_t which, struct rj_bytes instead)
{
    struct rj_genesis g = genesis();

    return genesis_changed(&g, which, instead);
}

TEST(the_genesis_comes_back_as_it_was)
{
    for (int i = 0; i < 3; i++) {
        struct rj_genesis g = genesis(), got;
        struct rj_buf b = {0}, again = {0};

        if (i == 1)
            g.creator_name = (struct rj_bytes){0};
        if (i == 2)
            g.policy = RJ_POLICY_DELETE_WINS;
        rj_genesis_put(&b, &g);
        assert_ok(rj_genesis_get(rj_buf_view(&b), &got));
        assert_int_equal(got.kind, g.kind);
        assert_int_equal(got.policy, g.policy);
        assert_memory_equal(got.creator_key, g.creator_key, RJ_PUBKEY_LEN);
        assert_bytes_equal(got.creator_name, g.creator_name);
        assert_bytes_equal(got.name, g.name);
        assert_memory_equal(got.nonce, g.nonce, sizeof(g.nonce));
        assert_int_equal(got.created_ms, g.created_ms);
        rj_genesis_put(&again, &got);
        assert_bytes_equal(rj_buf_view(&again), rj_buf_view(&b));
        rj_buf_done(&b);
        rj_buf_done(&again);
    }
}

TEST(a_malformed_genesis_is_corrupt)
{
    struct rj_genesis g = genesis();
    struct rj_buf b = {0};

    for (size_t i = 0; i < 7; i++) {
        assert_err(RJ_ECORRUPT, genesis_with(i, RJ_BYTES_LIT("\xf6")));
        assert_err(RJ_ECORRUPT, genesis_with(i, RJ_BYTES_LIT("\x80")));
        assert_err(RJ_ECORRUPT, genesis_with(i, RJ_BYTES_LIT("\x41x")));
        assert_err(RJ_ECORRUPT, genesis_with(i, RJ_BYTES_LIT("\x18\x01")));
    }
    rj_genesis_put(&b, &g);
    check_truncation(rj_buf_view(&b), try_genesis);
    rj_buf_u8(&b, 0);
    assert_err(RJ_ECORRUPT, try_genesis(rj_buf_view(&b)));
    rj_buf_truncate(&b, b.len - 1);
    for (uint8_t n = 0x80; n < 0x8a; n++) {
        b.ptr[0] = n;
        assert_err(n == 0x87 ? RJ_OK : RJ_ECORRUPT, try_genesis(rj_buf_view(&b)));
    }
    rj_buf_done(&b);
}

TEST(the_names_in_a_genesis_have_their_limits)
{
    char text[2 + RJ_NAME_MAX + 1] = {0x78, RJ_NAME_MAX};
    struct rj_bytes most = {(const uint8_t *)text, 2 + RJ_NAME_MAX};

    memset(text + 2, 'n', RJ_NAME_MAX + 1);
    assert_ok(genesis_with(3, most));
    assert_ok(genesis_with(4, most));
    assert_ok(genesis_with(3, RJ_BYTES_LIT("\x60")));
    assert_err(RJ_ECORRUPT, genesis_with(4, RJ_BYTES_LIT("\x60"))); /* a space has one */
    assert_err(RJ_ECORRUPT, genesis_with(4, RJ_BYTES_LIT("\x61\xff")));
    text[1]++;
    most.len++;
    assert_err(RJ_ECORRUPT, genesis_with(3, most));
    assert_err(RJ_ECORRUPT, genesis_with(4, most));
}

TEST(a_space_is_named_in_plain_letters)
{
    static const char *const bad[] = {"",    " ",       "a b", "a/b", "b\xc3\xbcro",
                                      "a\n", "\x1b[31m"};
    static const char *const good[] = {"a", "Z.9_x-y", "..", "0"};
    struct rj_genesis g = genesis();
    char longest[RJ_NAME_MAX + 2] = {0};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rj_buf b = {0};

        assert_false(rj_space_name_is_valid(rj_bytes_from_str(bad[i])));
        g.name = rj_bytes_from_str(bad[i]);
        rj_genesis_put(&b, &g);
        assert_err(RJ_ECORRUPT, try_genesis(rj_buf_view(&b)));
        rj_buf_done(&b);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(rj_space_name_is_valid(rj_bytes_from_str(good[i])));
    assert_false(rj_space_name_is_valid(RJ_BYTES_LIT("a\0")));
    memset(longest, 'n', RJ_NAME_MAX + 1);
    assert_true(rj_space_name_is_valid(rj_bytes_of(longest, RJ_NAME_MAX)));
    assert_false(rj_space_name_is_valid(rj_bytes_of(longest, RJ_NAME_MAX + 1)));
}

TEST(a_policy_has_one_form_and_is_known)
{
    struct rj_genesis g = genesis();

    assert_err(RJ_ECORRUPT, genesis_with(0, RJ_BYTES_LIT("\x02")));
    g.policy = RJ_POLICY_DELETE_WINS;
    assert_ok(genesis_changed(&g, 7, RJ_BYTES_LIT("\x01")));
    assert_err(RJ_ECORRUPT, genesis_changed(&g, 0, RJ_BYTES_LIT("\x01")));
    assert_err(RJ_ECORRUPT, genesis_changed(&g, 7, RJ_BYTES_LIT("\x00")));
    assert_err(RJ_ECORRUPT, genesis_changed(&g, 7, RJ_BYTES_LIT("\xf6")));
    assert_err(RJ_EUPGRADE, genesis_changed(&g, 7, RJ_BYTES_LIT("\x02")));
}

TEST(a_genesis_from_the_future_is_told_from_damage)
{
    struct rj_buf b = {0};

    assert_err(RJ_EVERSION, genesis_with(0, RJ_BYTES_LIT("\x00")));
    assert_err(RJ_EVERSION, genesis_with(0, RJ_BYTES_LIT("\x03")));
    assert_err(RJ_EUPGRADE, genesis_with(1, RJ_BYTES_LIT("\x00")));
    assert_err(RJ_EUPGRADE, genesis_with(1, RJ_BYTES_LIT("\x02")));
    assert_err(RJ_EUPGRADE,
               genesis_with(1, RJ_BYTES_LIT("\x1b\x00\x00\x00\x01\x00\x00\x00\x01")));
    rj_cbor_put_array(&b, 2);
    rj_cbor_put_uint(&b, RJ_GENESIS_FORMAT_POLICY + 1);
    rj_cbor_put_null(&b);
    assert_err(RJ_EVERSION, try_genesis(rj_buf_view(&b)));
    rj_buf_done(&b);
}

/* ---- out of memory */

static enum rj_err build_records(void *ctx)
{
    struct rj_record records[] = {open_record(), role_record(), close_record()};
    struct rj_genesis g = genesis();
    struct rj_buf b = {0};
    enum rj_err err;

    (void)ctx;
    for (size_t i = 0; i < 3; i++)
        rj_record_put(&b, &records[i]);
    rj_genesis_put(&b, &g);
    err = rj_buf_err(&b);
    rj_buf_done(&b);
    return err;
}

TEST(out_of_memory_while_writing_is_reported_wherever_it_happens)
{
    rj_test_with_failing_alloc(build_records, NULL);
    rj_test_with_one_failing_alloc(build_records, NULL);
}

static int setup(void **state)
{
    (void)state;
    rj_test_env_init(&env, 1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(a_device_id_that_is_not_the_hash_of_its_key_is_corrupt),
        cmocka_unit_test(a_kind_of_record_from_the_future_asks_for_an_upgrade),
        cmocka_unit_test(a_field_of_another_type_or_length_is_corrupt),
        cmocka_unit_test(a_replaced_origin_is_one_id_or_nothing),
        cmocka_unit_test(closes_that_a_role_record_lifts_are_ascending_and_few),
        cmocka_unit_test(a_role_is_one_of_four),
        cmocka_unit_test(a_name_is_text_of_at_most_64_bytes),
        cmocka_unit_test(fewer_or_more_fields_are_corrupt),
        cmocka_unit_test(a_record_cut_off_at_any_byte_is_corrupt),
        cmocka_unit_test(the_genesis_comes_back_as_it_was),
        cmocka_unit_test(a_malformed_genesis_is_corrupt),
        cmocka_unit_test(the_names_in_a_genesis_have_their_limits),
        cmocka_unit_test(a_space_is_named_in_plain_letters),
        cmocka_unit_test(a_policy_has_one_form_and_is_known),
        cmocka_unit_test(a_genesis_from_the_future_is_told_from_damage),
        cmocka_unit_test(out_of_memory_while_writing_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
