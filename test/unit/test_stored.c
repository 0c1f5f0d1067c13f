/* SPDX-License-Identifier: Apache-2.0 */
#include "base/be.h"
#include "base/prng.h"
#include "store/stored.h"
#include "support/test.h"

enum { ROOM = 4096 };

/* A record written and the bytes that it became. */
struct written {
    uint8_t key[RJ_STORED_KEY_MAX], stored[ROOM];
    size_t key_len, stored_len;
};

static void write_record(struct written *w, const struct rj_stored *r)
{
    uint8_t whole[RJ_STORED_PART_MAX + 1] = {0};
    size_t n = r->part.len;

    memcpy(whole, r->part.ptr, n);
    if (r->kind != RJ_STORED_VALUE)
        n++; /* long: any byte more makes the mark */
    w->key_len = rj_stored_key(r->group, rj_bytes_of(whole, n), w->key);
    w->stored_len = rj_stored_size(r);
    assert_in_range(w->stored_len, RJ_STORED_HEAD, ROOM);
    rj_stored_write(r, rj_bytes_of(w->key, w->key_len), w->stored);
}

static enum rj_err read_record(const struct written *w, struct rj_stored *ret)
{
    return rj_stored_read(rj_bytes_of(w->key, w->key_len),
                          rj_bytes_of(w->stored, w->stored_len), ret);
}

static struct rj_stored example(enum rj_stored_kind kind)
{
    static uint8_t part[RJ_STORED_PART_MAX];
    struct rj_stored r = {.kind = kind, .group = 0x1234};

    memset(part, 'p', sizeof(part));
    r.part = rj_bytes_of(part, kind == RJ_STORED_VALUE ? 7 : sizeof(part));
    if (kind == RJ_STORED_GROUP) {
        r.child = 0x56789a;
        return r;
    }
    r.value = RJ_BYTES_LIT("the value");
    if (kind == RJ_STORED_ONE)
        r.rest = RJ_BYTES_LIT("the rest of the key");
    return r;
}

static void check_comes_back(const struct rj_stored *r)
{
    struct written w;
    struct rj_stored got;

    write_record(&w, r);
    assert_ok(read_record(&w, &got));
    assert_int_equal(got.kind, r->kind);
    assert_int_equal(got.group, r->group);
    assert_int_equal(got.child, r->child);
    assert_bytes_equal(got.part, r->part);
    assert_bytes_equal(got.rest, r->rest);
    assert_bytes_equal(got.value, r->value);
}

TEST(records_of_every_kind_come_back)
{
    for (int kind = RJ_STORED_VALUE; kind <= RJ_STORED_GROUP; kind++) {
        struct rj_stored r = example((enum rj_stored_kind)kind);

        check_comes_back(&r);
        r.group = 0;
        check_comes_back(&r);
        r.group = UINT64_MAX - 1;
        check_comes_back(&r);
        r.value = (struct rj_bytes){0};
        check_comes_back(&r);
    }
}

/* The format must not change by accident: doc/format.md shows these bytes. */
TEST(the_bytes_are_those_of_the_format)
{
    static const uint8_t key[] = {0x02, 0x12, 0x34, 'p', 'p', 'p', 'p', 'p', 'p', 'p'};
    static const uint8_t one[] = {0x01, 0, 0, 0, 19, 't', 'h', 'e', ' ', 'r', 'e'};
    static const uint8_t group[] = {0x02, 0, 0, 0, 0, 0, 0x56, 0x78, 0x9a};
    uint8_t format[RJ_STORED_FORMAT_SIZE];
    struct rj_stored r = example(RJ_STORED_VALUE);
    struct written w;

    write_record(&w, &r);
    assert_bytes_equal(rj_bytes_of(w.key, w.key_len), RJ_BYTES_OF(key));
    assert_int_equal(w.stored_len, 8 + 9);
    assert_memory_equal(w.stored + 8, "the value", 9);
    r = example(RJ_STORED_ONE);
    write_record(&w, &r);
    assert_int_equal(w.key_len, 3 + 502);
    assert_int_equal(w.key[w.key_len - 1], 0);
    assert_memory_equal(w.stored + 8, one, sizeof(one));
    r = example(RJ_STORED_GROUP);
    write_record(&w, &r);
    assert_bytes_equal(rj_bytes_of(w.stored + 8, w.stored_len - 8), RJ_BYTES_OF(group));
    rj_stored_format_write(&(struct rj_stored_format){2, "0.1.0"}, format);
    assert_memory_equal(format + 8,
                        "rjstore\n\0\0\0\2"
                        "0.1.0\0\0\0",
                        20);
    assert_int_equal(sizeof(format), 8 + 12 + 24);
    assert_bytes_equal(rj_stored_format_key(), RJ_BYTES_LIT("\xff"
                                                            "format"));
}

TEST(every_flipped_bit_is_noticed)
{
    for (int kind = RJ_STORED_VALUE; kind <= RJ_STORED_GROUP; kind++) {
        struct rj_stored r = example((enum rj_stored_kind)kind), got;
        struct written w;

        write_record(&w, &r);
        for (size_t bit = 0; bit < 8 * w.stored_len; bit++) {
            w.stored[bit / 8] ^= (uint8_t)(1U << bit % 8);
            assert_err(RJ_ECORRUPT, read_record(&w, &got));
            w.stored[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        for (size_t bit = 0; bit < 8 * w.key_len; bit++) {
            w.key[bit / 8] ^= (uint8_t)(1U << bit % 8);
            assert_err(RJ_ECORRUPT, read_record(&w, &got));
            w.key[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        for (size_t len = 0; len < w.stored_len; len++)
            assert_err(RJ_ECORRUPT, rj_stored_read(rj_bytes_of(w.key, w.key_len),
                                                   rj_bytes_of(w.stored, len), &got));
        assert_ok(read_record(&w, &got));
    }
}

/* Sets the checksum right, so that only the form can be wrong. */
static enum rj_err read_sealed(struct rj_bytes key, struct rj_bytes body)
{
    uint8_t stored[ROOM];
    struct rj_stored got;
    uint64_t sum = rj_stored_checksum(key, body);

    for (size_t i = 0; i < 8; i++)
        stored[i] = (uint8_t)(sum >> (56 - 8 * i));
    memcpy(stored + RJ_STORED_HEAD, body.ptr, body.len);
    return rj_stored_read(key, rj_bytes_of(stored, RJ_STORED_HEAD + body.len), &got);
}

TEST(bad_forms_are_refused_although_the_checksum_is_right)
{
    uint8_t key[RJ_STORED_KEY_MAX + 1], body[64] = {0};
    struct rj_bytes some = rj_bytes_of(body, 5);

    assert_err(RJ_ECORRUPT, read_sealed(RJ_BYTES_LIT("\x00"), some)); /* no part */
    assert_ok(read_sealed(RJ_BYTES_LIT("\x00p"), some));
    assert_err(RJ_ECORRUPT,
               read_sealed(RJ_BYTES_LIT("\x01\x00p"), some)); /* not shortest */
    assert_err(RJ_ECORRUPT, read_sealed(RJ_BYTES_LIT("\x02\x01"), some));
    assert_err(RJ_ECORRUPT, read_sealed(RJ_BYTES_LIT("\x09"
                                                     "123456789p"),
                                        some));
    assert_err(RJ_ECORRUPT, read_sealed(RJ_BYTES_LIT("\xff"
                                                     "format"),
                                        some));
    memset(key, 'p', sizeof(key));
    key[0] = 0;
    assert_err(RJ_ECORRUPT, read_sealed(rj_bytes_of(key, 1 + 502), some)); /* no mark */
    assert_err(RJ_ECORRUPT, read_sealed(rj_bytes_of(key, 512), some));
    key[502] = 0;
    body[0] = RJ_STORED_GROUP;
    assert_err(RJ_ECORRUPT, read_sealed(rj_bytes_of(key, 503), rj_bytes_of(body, 9)));
    body[8] = 5;
    assert_ok(read_sealed(rj_bytes_of(key, 503), rj_bytes_of(body, 9)));
    assert_err(RJ_ECORRUPT, read_sealed(rj_bytes_of(key, 503), rj_bytes_of(body, 10)));
    assert_err(RJ_ECORRUPT, read_sealed(rj_bytes_of(key, 503), rj_bytes_of(body, 8)));
    body[0] = RJ_STORED_ONE;
    body[8] = 0;
    assert_err(RJ_ECORRUPT, read_sealed(rj_bytes_of(key, 503), rj_bytes_of(body, 9)));
    body[4] = 4;
    assert_ok(read_sealed(rj_bytes_of(key, 503), rj_bytes_of(body, 9)));
    body[4] = 5;
    assert_err(RJ_ECORRUPT, read_sealed(rj_bytes_of(key, 503), rj_bytes_of(body, 9)));
    body[0] = RJ_STORED_VALUE;
    assert_err(RJ_ECORRUPT, read_sealed(rj_bytes_of(key, 503), rj_bytes_of(body, 9)));
    assert_err(RJ_ECORRUPT, read_sealed(rj_bytes_of(key, 503), rj_bytes_of(body, 0)));
}

TEST(the_checksum_is_the_same_in_one_piece_and_in_pieces)
{
    static uint8_t body[5000];
    uint8_t key[2] = {1, 2};
    uint64_t last = 0;

    for (size_t n = 1000; n < 1050; n++) {
        uint64_t sum = rj_stored_checksum(RJ_BYTES_OF(key), rj_bytes_of(body, n));

        assert_true(sum != last);
        last = sum;
    }
    /* Where key and body meet makes a difference. */
    assert_true(rj_stored_checksum(RJ_BYTES_LIT("ab"), RJ_BYTES_LIT("c")) !=
                rj_stored_checksum(RJ_BYTES_LIT("a"), RJ_BYTES_LIT("bc")));
}

TEST(lmdb_keys_keep_the_order_of_short_keys_and_of_beginnings)
{
    uint8_t a[600], b[600], ka[RJ_STORED_KEY_MAX], kb[RJ_STORED_KEY_MAX];
    struct rj_prng p;

    rj_prng_init(&p, 8);
    for (int i = 0; i < 20000; i++) {
        size_t alen = 1 + (size_t)rj_prng_below(&p, 505);
        size_t blen = 1 + (size_t)rj_prng_below(&p, 505);
        size_t na, nb;
        int expected, got;

        memset(a, 'x', sizeof(a));
        memset(b, 'x', sizeof(b));
        a[rj_prng_below(&p, 503)] = (uint8_t)rj_prng_below(&p, 3);
        b[rj_prng_below(&p, 503)] = (uint8_t)rj_prng_below(&p, 3);
        na = rj_stored_key(0, rj_bytes_of(a, alen), ka);
        nb = rj_stored_key(0, rj_bytes_of(b, blen), kb);
        expected = rj_bytes_compare(rj_bytes_of(a, alen), rj_bytes_of(b, blen));
        got = rj_bytes_compare(rj_bytes_of(ka, na), rj_bytes_of(kb, nb));
        if (got == 0) /* the same key, or both behind one beginning */
            assert_true(expected == 0 ||
                        (alen > 501 && blen > 501 && memcmp(a, b, 501) == 0));
        else
            assert_true((got < 0) == (expected < 0));
    }
}

TEST(groups_are_ordered_by_their_numbers)
{
    static const uint64_t numbers[] = {
        0, 1, 255, 256, 65535, 65536, 1 << 24, UINT32_MAX, (uint64_t)1 << 32, UINT64_MAX};
    uint8_t a[RJ_STORED_PREFIX_MAX], b[RJ_STORED_PREFIX_MAX];
    size_t na = rj_stored_prefix(numbers[0], a), nb;

    for (size_t i = 1; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        nb = rj_stored_prefix(numbers[i], b);
        assert_true(rj_bytes_compare(rj_bytes_of(a, na), rj_bytes_of(b, nb)) < 0);
        memcpy(a, b, nb);
        na = nb;
    }
}

/* A format record whose body is the first len bytes of stored's. */
static struct rj_bytes cut_record(uint8_t *stored, size_t len)
{
    rj_be_store64(stored, rj_stored_checksum(rj_stored_format_key(),
                                             rj_bytes_of(stored + RJ_STORED_HEAD, len)));
    return rj_bytes_of(stored, RJ_STORED_HEAD + len);
}

TEST(a_format_record_gives_its_number_and_who_wrote_it)
{
    struct rj_stored_format format = {3, "4.5.6~rc1"};
    uint8_t stored[RJ_STORED_FORMAT_SIZE];

    rj_stored_format_write(&format, stored);
    format = (struct rj_stored_format){77, "?"};
    assert_ok(rj_stored_format_read(RJ_BYTES_OF(stored), &format));
    assert_int_equal(format.number, 3);
    assert_string_equal(format.maker, "4.5.6~rc1");
    stored[9] ^= 1;
    format = (struct rj_stored_format){77, "?"};
    assert_err(RJ_ECORRUPT, rj_stored_format_read(RJ_BYTES_OF(stored), &format));
    assert_err(RJ_ECORRUPT, rj_stored_format_read((struct rj_bytes){0}, &format));
    rj_stored_format_write(&(struct rj_stored_format){0}, stored);
    assert_err(RJ_ECORRUPT, rj_stored_format_read(RJ_BYTES_OF(stored), &format));
    assert_int_equal(format.number, 77);
}

TEST(a_version_is_cut_to_its_room_and_shown_without_control_characters)
{
    struct rj_stored_format format = {3, "0123456789012345678901\n\x1b"};
    uint8_t stored[RJ_STORED_FORMAT_SIZE];

    rj_stored_format_write(&format, stored);
    assert_ok(rj_stored_format_read(RJ_BYTES_OF(stored), &format));
    assert_string_equal(format.maker, "0123456789012345678901??");
}

TEST(a_format_record_of_another_number_may_lack_who_wrote_it)
{
    struct rj_stored_format format = {1, "x"};
    uint8_t stored[RJ_STORED_FORMAT_SIZE];

    rj_stored_format_write(&format, stored);
    assert_ok(rj_stored_format_read(cut_record(stored, 12), &format));
    assert_int_equal(format.number, 1);
    assert_string_equal(format.maker, "");
    format = (struct rj_stored_format){RJ_STORED_FORMAT, "x"};
    rj_stored_format_write(&format, stored);
    assert_err(RJ_ECORRUPT, rj_stored_format_read(cut_record(stored, 12), &format));
}

TEST(keys_are_shown_shortened)
{
    char text[RJ_STORED_TEXT];
    uint8_t key[100] = {0xab};

    rj_stored_key_text(RJ_BYTES_LIT("\x01\xff"), text);
    assert_string_equal(text, "2 bytes 01ff");
    rj_stored_key_text((struct rj_bytes){0}, text);
    assert_string_equal(text, "0 bytes ");
    rj_stored_key_text(RJ_BYTES_OF(key), text);
    assert_string_equal(text, "100 bytes ab000000000000000000000000000000...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_every_kind_come_back),
        cmocka_unit_test(the_bytes_are_those_of_the_format),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(bad_forms_are_refused_although_the_checksum_is_right),
        cmocka_unit_test(the_checksum_is_the_same_in_one_piece_and_in_pieces),
        cmocka_unit_test(lmdb_keys_keep_the_order_of_short_keys_and_of_beginnings),
        cmocka_unit_test(groups_are_ordered_by_their_numbers),
        cmocka_unit_test(a_format_record_gives_its_number_and_who_wrote_it),
        cmocka_unit_test(
            a_version_is_cut_to_its_room_and_shown_without_control_characters),
        cmocka_unit_test(a_format_record_of_another_number_may_lack_who_wrote_it),
        cmocka_unit_test(keys_are_shown_shortened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
