/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cbor.h"
#include "base/prng.h"
#include "causal/member.h"
#include "support/batches.h"
#include "support/fake_env.h"

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

static enum rj_err genesis_with(size_t which, struct rj_bytes instead)
{
    struct rj_genesis g = genesis();
    struct rj_buf whole = {0}, changed;
    enum rj_err err;

    rj_genesis_put(&whole, &g);
    replace_item(rj_buf_view(&whole), which, instead, &changed);
    err = try_genesis(rj_buf_view(&changed));
    rj_buf_done(&whole);
    rj_buf_done(&changed);
    return err;
}

TEST(the_genesis_comes_back_as_it_was)
{
    for (int i = 0; i < 2; i++) {
        struct rj_genesis g = genesis(), got;
        struct rj_buf b = {0}, again = {0};

        if (i == 1)
            g.creator_name = (struct rj_bytes){0};
        rj_genesis_put(&b, &g);
        assert_ok(rj_genesis_get(rj_buf_view(&b), &got));
        assert_int_equal(got.kind, g.kind);
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

TEST(a_genesis_from_the_future_is_told_from_damage)
{
    struct rj_buf b = {0};

    assert_err(RJ_EVERSION, genesis_with(0, RJ_BYTES_LIT("\x00")));
    assert_err(RJ_EVERSION, genesis_with(0, RJ_BYTES_LIT("\x02")));
    assert_err(RJ_EUPGRADE, genesis_with(1, RJ_BYTES_LIT("\x00")));
    assert_err(RJ_EUPGRADE, genesis_with(1, RJ_BYTES_LIT("\x02")));
    assert_err(RJ_EUPGRADE,
               genesis_with(1, RJ_BYTES_LIT("\x1b\x00\x00\x00\x01\x00\x00\x00\x01")));
    rj_cbor_put_array(&b, 2);
    rj_cbor_put_uint(&b, RJ_GENESIS_FORMAT + 1);
    rj_cbor_put_null(&b);
    assert_err(RJ_EVERSION, try_genesis(rj_buf_view(&b)));
    rj_buf_done(&b);
}

/* ---- devices */

static struct rj_digest device_id(uint32_t i)
{
    struct rj_digest id = {{0}};

    rj_be_store32(id.b + 28, i);
    return id;
}

static struct rj_device *add(struct rj_members *m, uint32_t i)
{
    struct rj_digest id = device_id(i);
    uint8_t key[RJ_PUBKEY_LEN] = {(uint8_t)i, 1};
    struct rj_device *d = NULL;

    assert_ok(rj_members_add(m, &id, key, &d));
    assert_non_null(d);
    return d;
}

TEST(a_new_device_has_no_role_no_rank_and_no_origin)
{
    struct rj_members m = {0};
    struct rj_origins none = {0};
    struct rj_vv vv = {0};
    struct rj_digest id = device_id(3);
    struct rj_device *d;

    assert_null(rj_members_find(&m, &id));
    d = add(&m, 3);
    assert_memory_equal(d->id.b, id.b, RJ_DIGEST_LEN);
    assert_int_equal(d->pubkey[0], 3);
    assert_string_equal(d->name, "");
    assert_int_equal(d->rank, UINT32_MAX);
    assert_int_equal(d->active, RJ_ORIGIN_NONE);
    assert_false(d->closed);
    assert_int_equal(d->n_records, 0);
    assert_int_equal(rj_members_role(d, &none, &vv), RJ_ROLE_NONE);
    assert_ptr_equal(rj_members_find(&m, &id), d);
    rj_members_done(&m);
    assert_null(m.items);
    rj_members_done(&m);
    rj_members_done(NULL);
}

TEST(a_device_that_is_known_is_found_and_kept)
{
    struct rj_members m = {0};
    struct rj_digest id = device_id(3);
    uint8_t other_key[RJ_PUBKEY_LEN] = {99};
    struct rj_device *d = add(&m, 3), *again;

    d->rank = 2;
    for (uint32_t i = 10; i < 40; i++)
        (void)add(&m, i);
    assert_ok(rj_members_add(&m, &id, other_key, &again));
    assert_int_equal(m.n, 31);
    assert_int_equal(again->rank, 2);
    assert_int_equal(again->pubkey[0], 3);
    for (uint32_t i = 10; i < 40; i++) {
        id = device_id(i);
        assert_memory_equal(rj_members_find(&m, &id)->id.b, id.b, RJ_DIGEST_LEN);
    }
    id = device_id(40);
    assert_null(rj_members_find(&m, &id));
    rj_members_done(&m);
}

TEST(there_are_not_more_devices_than_the_limit)
{
    struct rj_members m = {0};
    struct rj_digest id = device_id(RJ_DEVICES_MAX);
    uint8_t key[RJ_PUBKEY_LEN] = {0};
    struct rj_device *d = NULL;

    for (uint32_t i = 0; i < RJ_DEVICES_MAX; i++)
        (void)add(&m, i);
    assert_err(RJ_ELIMIT, rj_members_add(&m, &id, key, &d));
    assert_null(d);
    assert_int_equal(m.n, RJ_DEVICES_MAX);
    id = device_id(17);
    assert_ok(rj_members_add(&m, &id, key, &d));
    assert_memory_equal(d->id.b, id.b, RJ_DIGEST_LEN);
    rj_members_done(&m);
}

/* ---- roles */

static struct rj_role_record record_of(uint32_t origin, uint64_t seq, uint64_t stamp,
                                       enum rj_role role)
{
    return (struct rj_role_record){
        .dot = {.seq = seq, .origin = origin}, .stamp = stamp, .role = role};
}

TEST(the_genesis_makes_its_creator_an_admin_at_every_vector)
{
    struct rj_members m = {0};
    struct rj_origins none = {0};
    struct rj_vv vv = {0};
    struct rj_role_record r = {.role = RJ_ROLE_ADMIN};
    struct rj_device *d = add(&m, 1);

    assert_ok(rj_members_note(&m, d, &r));
    assert_int_equal(rj_members_role(d, &none, &vv), RJ_ROLE_ADMIN);
    rj_members_done(&m);
}

TEST(every_record_is_later_than_the_genesis)
{
    struct rj_members m = {0};
    struct rj_origins t;
    struct rj_vv none = {0}, vv = {0};
    struct rj_role_record first = {.role = RJ_ROLE_ADMIN};
    struct rj_role_record later = record_of(2, 5, 0, RJ_ROLE_READER);
    struct rj_device *a = add(&m, 1), *b;

    rj_test_origins(&t, 5, 1);
    assert_ok(rj_vv_put(&vv, 2, 5));
    assert_ok(rj_members_note(&m, a, &first));
    assert_ok(rj_members_note(&m, a, &later));
    assert_int_equal(rj_members_role(a, &t, &none), RJ_ROLE_ADMIN);
    assert_int_equal(rj_members_role(a, &t, &vv), RJ_ROLE_READER);
    b = add(&m, 2);
    assert_ok(rj_members_note(&m, b, &later));
    assert_ok(rj_members_note(&m, b, &first));
    assert_int_equal(rj_members_role(b, &t, &vv), RJ_ROLE_READER);
    rj_vv_done(&vv);
    rj_origins_done(&t);
    rj_members_done(&m);
}

TEST(a_role_counts_from_its_record_on)
{
    struct rj_members m = {0};
    struct rj_origins t;
    struct rj_vv vv = {0};
    struct rj_role_record r = record_of(2, 5, 7, RJ_ROLE_WRITER);
    struct rj_device *d = add(&m, 1);

    rj_test_origins(&t, 5, 1);
    assert_ok(rj_members_note(&m, d, &r));
    assert_ok(rj_vv_put(&vv, 2, 4));
    assert_ok(rj_vv_put(&vv, 3, 9));
    assert_int_equal(rj_members_role(d, &t, &vv), RJ_ROLE_NONE);
    assert_ok(rj_vv_put(&vv, 2, 5));
    assert_int_equal(rj_members_role(d, &t, &vv), RJ_ROLE_WRITER);
    rj_vv_done(&vv);
    rj_origins_done(&t);
    rj_members_done(&m);
}

TEST(the_greatest_stamp_decides_then_the_id_then_the_sequence)
{
    struct rj_members m = {0};
    struct rj_origins t;
    struct rj_vv vv = {0};
    struct rj_role_record r[] = {
        record_of(0, 1, 5, RJ_ROLE_READER),
        record_of(0, 2, 5, RJ_ROLE_WRITER),
        record_of(2, 1, 5, RJ_ROLE_ADMIN),
        record_of(1, 1, 6, RJ_ROLE_NONE),
    };
    struct rj_device *d = add(&m, 1);

    rj_test_origins(&t, 3, 1); /* ids ascend with the index */
    for (uint32_t o = 0; o < 3; o++)
        assert_ok(rj_vv_put(&vv, o, 9));
    for (size_t i = 0; i < 4; i++) {
        assert_ok(rj_members_note(&m, d, &r[i]));
        assert_int_equal(rj_members_role(d, &t, &vv), r[i].role);
    }
    rj_vv_done(&vv);
    rj_origins_done(&t);
    rj_members_done(&m);
}

TEST(a_close_ends_every_role_whatever_its_stamp)
{
    struct rj_members m = {0};
    struct rj_origins t;
    struct rj_vv vv = {0};
    struct rj_role_record role = record_of(0, 1, 100, RJ_ROLE_ADMIN);
    struct rj_role_record close = record_of(1, 1, 5, RJ_ROLE_NONE);
    struct rj_device *d = add(&m, 1);

    close.close = true;
    rj_test_origins(&t, 3, 1);
    assert_ok(rj_vv_put(&vv, 0, 1));
    assert_ok(rj_members_note(&m, d, &role));
    assert_false(d->closed);
    assert_ok(rj_members_note(&m, d, &close));
    assert_true(d->closed);
    assert_int_equal(rj_members_role(d, &t, &vv), RJ_ROLE_ADMIN); /* before the close */
    assert_ok(rj_vv_put(&vv, 1, 1));
    assert_int_equal(rj_members_role(d, &t, &vv), RJ_ROLE_NONE);
    role = record_of(0, 2, 200, RJ_ROLE_ADMIN);
    assert_ok(rj_vv_put(&vv, 0, 2));
    assert_ok(rj_members_note(&m, d, &role));
    assert_int_equal(rj_members_role(d, &t, &vv), RJ_ROLE_NONE);
    assert_true(d->closed);
    rj_vv_done(&vv);
    rj_origins_done(&t);
    rj_members_done(&m);
}

/* Records come in any order: the close, what lifts it, another close. */
TEST(a_close_counts_until_a_role_record_lifts_it)
{
    for (unsigned order = 0; order < 6; order++) {
        static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                              {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        struct rj_role_record close = record_of(1, 1, 5, RJ_ROLE_NONE), other = close;
        struct rj_role_record first = {.role = RJ_ROLE_ADMIN};
        struct rj_role_record again = record_of(0, 2, 9, RJ_ROLE_READER);
        struct rj_lift lift = {.origin = {{7}}, .seq = 1};
        struct rj_members m = {0};
        struct rj_origins t;
        struct rj_vv vv = {0};
        struct rj_device *d = add(&m, 1);

        close.close = other.close = true;
        close.author = lift.origin;
        other.author = (struct rj_origin_id){{8}};
        other.dot.origin = 2;
        rj_test_origins(&t, 3, 1);
        assert_ok(rj_members_note(&m, d, &first));
        for (unsigned i = 0; i < 3; i++) {
            switch (orders[order][i]) {
            case 0:
                assert_ok(rj_members_note(&m, d, &close));
                break;
            case 1:
                assert_ok(rj_members_note(&m, d, &again));
                assert_ok(rj_members_lift(d, &lift, again.dot));
                break;
            default:
                assert_ok(rj_members_note(&m, d, &other));
            }
        }
        assert_true(d->closed); /* by the other one */
        assert_true(rj_members_is_lifted(d, &close, NULL));
        assert_false(rj_members_is_lifted(d, &other, NULL));
        assert_int_equal(rj_members_role(d, &t, &vv), RJ_ROLE_ADMIN);
        assert_ok(rj_vv_put(&vv, 1, 1));
        assert_int_equal(rj_members_role(d, &t, &vv), RJ_ROLE_NONE);
        assert_ok(rj_vv_put(&vv, 0, 2));
        assert_int_equal(rj_members_role(d, &t, &vv), RJ_ROLE_READER);
        lift.origin = other.author;
        assert_ok(rj_members_lift(d, &lift, again.dot));
        assert_false(d->closed);
        rj_vv_done(&vv);
        rj_origins_done(&t);
        rj_members_done(&m);
    }
}

TEST(a_record_noted_again_is_harmless)
{
    struct rj_members m = {0};
    struct rj_origins t;
    struct rj_vv vv = {0};
    struct rj_role_record r = record_of(1, 3, 5, RJ_ROLE_READER), first = {0};
    struct rj_device *d = add(&m, 1);

    rj_test_origins(&t, 3, 1);
    assert_ok(rj_vv_put(&vv, 1, 3));
    for (int i = 0; i < 5; i++) {
        assert_ok(rj_members_note(&m, d, &r));
        assert_ok(rj_members_note(&m, d, &first));
        assert_int_equal(d->n_records, 2);
        assert_int_equal(m.records, 2);
        assert_int_equal(rj_members_role(d, &t, &vv), RJ_ROLE_READER);
    }
    rj_vv_done(&vv);
    rj_origins_done(&t);
    rj_members_done(&m);
}

TEST(a_record_leaves_rank_name_origin_and_other_devices_alone)
{
    struct rj_members m = {0};
    struct rj_role_record r = record_of(1, 3, 5, RJ_ROLE_READER);
    struct rj_device *d, *other;

    (void)add(&m, 1);
    (void)add(&m, 2);
    d = &m.items[0];
    other = &m.items[1];
    d->rank = 4;
    d->active = 8;
    d->name[0] = 'x';
    assert_ok(rj_members_note(&m, d, &r));
    r = record_of(1, 4, 6, RJ_ROLE_NONE);
    r.close = true;
    assert_ok(rj_members_note(&m, d, &r));
    assert_int_equal(d->rank, 4);
    assert_int_equal(d->active, 8);
    assert_string_equal(d->name, "x");
    assert_int_equal(other->n_records, 0);
    assert_int_equal(other->rank, UINT32_MAX);
    assert_false(other->closed);
    rj_members_done(&m);
}

TEST(a_name_is_that_of_the_greatest_record_in_any_order)
{
    static const struct {
        uint32_t origin;
        uint64_t seq, stamp;
        const char *name;
    } said[] = {{0, 0, 0, "genesis"}, {2, 4, 10, "first"}, {1, 9, 20, "by-origin-1"},
                {2, 5, 20, "last"},   {2, 6, 30, ""},      {0, 7, 15, "between"}};
    enum { SAID = sizeof(said) / sizeof(said[0]) };
    struct rj_origins t;

    rj_test_origins(&t, 3, 1);
    for (size_t turn = 0; turn < SAID; turn++) {
        for (size_t step = 1; step < SAID; step += 4) { /* 1 and 5: both directions */
            struct rj_device d = {.rank = 7};

            for (size_t i = 0; i < SAID; i++) {
                size_t k = (turn + i * step) % SAID;
                struct rj_role_record r =
                    record_of(said[k].origin, said[k].seq, said[k].stamp, RJ_ROLE_READER);

                rj_members_name(&d, &t, &r, rj_bytes_from_str(said[k].name));
            }
            assert_string_equal(d.name, "last");
            assert_int_equal(d.rank, 7);
        }
    }
    rj_origins_done(&t);
}

TEST(there_are_not_more_records_than_the_limit)
{
    struct rj_members m = {0};
    struct rj_role_record r;
    enum { DEVICES = 64, EACH = RJ_MEMBER_RECORDS_MAX / DEVICES };

    for (uint32_t i = 0; i < DEVICES; i++)
        (void)add(&m, i);
    for (uint32_t i = 0; i < DEVICES; i++) {
        for (uint64_t seq = 1; seq <= EACH; seq++) {
            r = record_of(i, seq, seq, RJ_ROLE_READER);
            assert_ok(rj_members_note(&m, &m.items[i], &r));
        }
    }
    assert_int_equal(m.records, RJ_MEMBER_RECORDS_MAX);
    assert_ok(rj_members_note(&m, &m.items[DEVICES - 1], &r)); /* again */
    r = record_of(0, EACH + 1, 1, RJ_ROLE_NONE);
    r.close = true;
    assert_err(RJ_ELIMIT, rj_members_note(&m, &m.items[0], &r));
    assert_int_equal(m.records, RJ_MEMBER_RECORDS_MAX);
    assert_int_equal(m.items[0].n_records, EACH);
    assert_false(m.items[0].closed);
    rj_members_done(&m);
}

/* ---- any records in any order */

enum { RECORDS = 12, MODEL_ORIGINS = 4 };

/* Distinct dots with few stamps; sometimes the genesis, sometimes a close. */
static void random_records(struct rj_prng *p, struct rj_role_record *ret)
{
    for (uint32_t i = 0; i < RECORDS; i++) {
        ret[i] = record_of(i % MODEL_ORIGINS, 1 + i / MODEL_ORIGINS, rj_prng_below(p, 4),
                           (enum rj_role)rj_prng_below(p, 4));
        if (rj_prng_chance(p, 1, 30)) {
            ret[i].close = true;
            ret[i].role = RJ_ROLE_NONE;
        }
    }
    if (rj_prng_chance(p, 1, 2))
        ret[0] = (struct rj_role_record){.role = RJ_ROLE_ADMIN};
}

static bool is_later(const struct rj_origins *t, const struct rj_role_record *a,
                     const struct rj_role_record *b)
{
    int order =
        memcmp(t->items[a->dot.origin].id.b, t->items[b->dot.origin].id.b, RJ_ORIGIN_LEN);

    if (a->dot.seq == 0 || b->dot.seq == 0)
        return b->dot.seq == 0;
    if (a->stamp != b->stamp)
        return a->stamp > b->stamp;
    return order != 0 ? order > 0 : a->dot.seq > b->dot.seq;
}

static enum rj_role model_role(const struct rj_origins *t, const struct rj_role_record *r,
                               const struct rj_vv *vv)
{
    const struct rj_role_record *best = NULL;

    for (size_t i = 0; i < RECORDS; i++) {
        if (r[i].dot.seq > rj_vv_get(vv, r[i].dot.origin))
            continue;
        if (r[i].close)
            return RJ_ROLE_NONE;
        if (best == NULL || is_later(t, &r[i], best))
            best = &r[i];
    }
    return best != NULL ? best->role : RJ_ROLE_NONE;
}

static void note_shuffled(struct rj_members *m, struct rj_device *d, struct rj_prng *p,
                          const struct rj_role_record *r)
{
    bool noted[RECORDS] = {false};

    for (size_t n = 0; n < RECORDS;) {
        size_t i = rj_prng_below(p, RECORDS);

        assert_ok(rj_members_note(m, d, &r[i])); /* some more than once */
        n += !noted[i];
        noted[i] = true;
    }
}

TEST(role_and_closing_depend_on_the_set_of_records_alone)
{
    struct rj_prng p;

    rj_prng_init(&p, 8);
    for (int round = 0; round < 300; round++) {
        struct rj_role_record r[RECORDS];
        struct rj_members m = {0};
        struct rj_origins t;

        rj_test_origins(&t, MODEL_ORIGINS, round % 2 == 0 ? 1 : 3);
        random_records(&p, r);
        for (uint32_t i = 0; i < 3; i++)
            note_shuffled(&m, add(&m, i), &p, r);
        assert_int_equal(m.items[0].closed, m.items[1].closed);
        assert_int_equal(m.items[0].closed, m.items[2].closed);
        for (int k = 0; k < 30; k++) {
            struct rj_vv vv = {0};
            bool all = k == 0; /* then NULL says the same */

            for (uint32_t o = 0; o < MODEL_ORIGINS; o++) {
                uint64_t last = RECORDS / MODEL_ORIGINS;

                assert_ok(rj_vv_put(&vv, o, all ? last : rj_prng_below(&p, last + 1)));
            }
            for (size_t i = 0; i < 3; i++)
                assert_int_equal(rj_members_role(&m.items[i], &t, all ? NULL : &vv),
                                 model_role(&t, r, &vv));
            rj_vv_done(&vv);
        }
        rj_origins_done(&t);
        rj_members_done(&m);
    }
}

/* ---- out of memory */

static enum rj_err build_members(void *ctx)
{
    struct rj_members m = {0};
    enum rj_err err = RJ_OK;

    (void)ctx;
    for (uint32_t i = 0; err == RJ_OK && i < 20; i++) {
        struct rj_digest id = device_id(i);
        uint8_t key[RJ_PUBKEY_LEN] = {0};
        struct rj_device *d = NULL;

        err = rj_members_add(&m, &id, key, &d);
        assert_int_equal(m.n, err == RJ_OK ? i + 1 : i);
        for (uint64_t seq = 1; err == RJ_OK && seq < 10; seq++) {
            struct rj_role_record r = record_of(i, seq, 1, RJ_ROLE_NONE);

            r.close = true;
            err = rj_members_note(&m, d, &r);
            assert_int_equal(d->n_records, err == RJ_OK ? seq : seq - 1);
            assert_int_equal(d->closed, err == RJ_OK || seq > 1);
        }
    }
    rj_members_done(&m);
    return err;
}

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

/* Devices 0 (genesis), 1 and 2; 0 gives 1 a role, 1 gives 2 one; then 0 gives 2 one. */
TEST(rank_is_the_distance_from_the_genesis_in_a_past)
{
    struct rj_members m = {0};
    struct rj_origins t = {0};
    struct rj_device *d[3];
    const struct rj_device *pair[2];
    struct rj_vv vv = {0};
    bool ret;

    for (uint32_t i = 0; i < 3; i++) {
        struct rj_origin_id id = {.b = {(uint8_t)(i + 1)}};
        struct rj_digest device = {.b = {(uint8_t)(i + 10)}};
        uint8_t key[RJ_PUBKEY_LEN] = {(uint8_t)i};
        uint32_t index;

        assert_ok(rj_origins_add(&t, &id, &index));
        t.items[index].device = device;
        assert_ok(rj_members_add(&m, &device, key, &d[0]));
    }
    for (uint32_t i = 0; i < 3; i++)
        d[i] = &m.items[i];
    assert_ok(rj_members_note(&m, d[0], &(struct rj_role_record){.role = RJ_ROLE_ADMIN}));
    assert_ok(rj_members_note(
        &m, d[1],
        &(struct rj_role_record){.dot = {1, 0}, .stamp = 1, .role = RJ_ROLE_ADMIN}));
    assert_ok(rj_members_note(
        &m, d[2],
        &(struct rj_role_record){.dot = {1, 1}, .stamp = 2, .role = RJ_ROLE_ADMIN}));
    assert_ok(rj_members_note(
        &m, d[2],
        &(struct rj_role_record){.dot = {2, 0}, .stamp = 3, .role = RJ_ROLE_ADMIN}));

    pair[0] = d[0], pair[1] = d[1];
    assert_ok(rj_members_outrank(&m, &t, &vv, pair, &ret));
    assert_true(ret); /* who has no role yet is the lowest */
    assert_ok(rj_vv_put(&vv, 0, 1));
    assert_ok(rj_vv_put(&vv, 1, 1));
    assert_ok(rj_members_outrank(&m, &t, &vv, pair, &ret));
    assert_true(ret);
    pair[0] = d[1], pair[1] = d[0];
    assert_ok(rj_members_outrank(&m, &t, &vv, pair, &ret));
    assert_false(ret);
    pair[0] = d[1], pair[1] = d[2];
    assert_ok(rj_members_outrank(&m, &t, &vv, pair, &ret));
    assert_true(ret);
    assert_ok(rj_vv_put(&vv, 0, 2)); /* now both are one step away */
    assert_ok(rj_members_outrank(&m, &t, &vv, pair, &ret));
    assert_false(ret);
    rj_vv_done(&vv);
    rj_members_done(&m);
    rj_origins_done(&t);
}

TEST(out_of_memory_is_reported_wherever_it_happens)
{
    rj_test_with_failing_alloc(build_members, NULL);
    rj_test_with_one_failing_alloc(build_members, NULL);
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
        cmocka_unit_test(a_genesis_from_the_future_is_told_from_damage),
        cmocka_unit_test(a_new_device_has_no_role_no_rank_and_no_origin),
        cmocka_unit_test(a_device_that_is_known_is_found_and_kept),
        cmocka_unit_test(there_are_not_more_devices_than_the_limit),
        cmocka_unit_test(the_genesis_makes_its_creator_an_admin_at_every_vector),
        cmocka_unit_test(every_record_is_later_than_the_genesis),
        cmocka_unit_test(a_role_counts_from_its_record_on),
        cmocka_unit_test(the_greatest_stamp_decides_then_the_id_then_the_sequence),
        cmocka_unit_test(a_close_ends_every_role_whatever_its_stamp),
        cmocka_unit_test(a_close_counts_until_a_role_record_lifts_it),
        cmocka_unit_test(a_record_noted_again_is_harmless),
        cmocka_unit_test(a_record_leaves_rank_name_origin_and_other_devices_alone),
        cmocka_unit_test(a_name_is_that_of_the_greatest_record_in_any_order),
        cmocka_unit_test(there_are_not_more_records_than_the_limit),
        cmocka_unit_test(role_and_closing_depend_on_the_set_of_records_alone),
        cmocka_unit_test(rank_is_the_distance_from_the_genesis_in_a_past),
        cmocka_unit_test(out_of_memory_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
