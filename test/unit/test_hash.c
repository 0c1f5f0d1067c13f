/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/prng.h"
#include "support/test.h"

TEST(the_checksum_is_xxh3)
{
    /* XXH3_64bits of nothing, seed 0, as in xxHash's own table of test vectors. */
    assert_true(rj_hash_checksum((struct rj_bytes){0}) == UINT64_C(0x2d06800538d394c2));
}

TEST(parts_give_the_checksum_of_the_whole)
{
    static uint8_t data[5000];
    struct rj_prng p;

    rj_prng_init(&p, 4);
    rj_prng_bytes(&p, data, sizeof(data));
    for (int i = 0; i < 200; i++) {
        size_t len = rj_prng_below(&p, sizeof(data) + 1);
        size_t a = rj_prng_below(&p, len + 1);
        size_t b = a + rj_prng_below(&p, len - a + 1);
        struct rj_bytes parts[] = {
            {data, a}, {NULL, 0}, {data + a, b - a}, {data + b, len - b}};
        struct rj_bytes whole = {data, len};

        assert_true(rj_hash_checksum_parts(parts, 4) == rj_hash_checksum(whole));
        assert_true(rj_hash_checksum_parts(&whole, 1) == rj_hash_checksum(whole));
    }
    assert_true(rj_hash_checksum_parts(NULL, 0) ==
                rj_hash_checksum((struct rj_bytes){0}));
}

TEST(each_key_gives_other_hashes_and_equal_material_equal_ones)
{
    struct rj_hash_key a, b, c;

    rj_hash_key_init(&a, RJ_BYTES_LIT("sixteen bytes..."));
    rj_hash_key_init(&b, RJ_BYTES_LIT("sixteen bytes..!"));
    rj_hash_key_init(&c, RJ_BYTES_LIT("sixteen bytes..."));
    for (size_t len = 0; len < 600; len += 7) {
        static const uint8_t zeros[600];
        struct rj_bytes data = {zeros, len};
        struct rj_hash_128 wide = rj_hash_128(&a, data);
        struct rj_hash_128 same = rj_hash_128(&c, data);
        struct rj_hash_128 other = rj_hash_128(&b, data);

        assert_true(rj_hash_64(&a, data) == rj_hash_64(&c, data));
        assert_true(rj_hash_64(&a, data) != rj_hash_64(&b, data));
        assert_true(rj_hash_64(&a, data) != rj_hash_checksum(data));
        assert_true(wide.low == same.low && wide.high == same.high);
        assert_true(wide.low != other.low && wide.high != other.high);
    }
}

TEST(one_flipped_bit_changes_about_half_of_the_bits)
{
    struct rj_hash_key key;
    uint8_t data[40] = {0};
    uint64_t before;
    int flips = 0;

    rj_hash_key_init(&key, RJ_BYTES_LIT("0123456789abcdef"));
    before = rj_hash_64(&key, RJ_BYTES_OF(data));
    for (size_t bit = 0; bit < 8 * sizeof(data); bit++) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        flips += __builtin_popcountll(before ^ rj_hash_64(&key, RJ_BYTES_OF(data)));
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_in_range(flips / (int)(8 * sizeof(data)), 29, 35);
}

TEST(hashes_never_change_from_one_release_to_another)
{
    struct rj_hash_key key;
    struct rj_hash_128 wide;

    rj_hash_key_init(&key, RJ_BYTES_LIT("0123456789abcdef"));
    wide = rj_hash_128(&key, RJ_BYTES_LIT("rejoin"));
    assert_true(rj_hash_checksum(RJ_BYTES_LIT("rejoin")) == UINT64_C(0x8868671927c7ebaa));
    assert_true(rj_hash_64(&key, RJ_BYTES_LIT("rejoin")) == UINT64_C(0x47d9aae8b4ef5efd));
    assert_true(wide.low == UINT64_C(0x64c733552b932d17) &&
                wide.high == UINT64_C(0x4bdfbd4b78b87bff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_xxh3),
        cmocka_unit_test(parts_give_the_checksum_of_the_whole),
        cmocka_unit_test(each_key_gives_other_hashes_and_equal_material_equal_ones),
        cmocka_unit_test(one_flipped_bit_changes_about_half_of_the_bits),
        cmocka_unit_test(hashes_never_change_from_one_release_to_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
