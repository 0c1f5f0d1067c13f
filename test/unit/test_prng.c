/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "support/test.h"

TEST(splitmix_gives_the_published_sequence)
{
    uint64_t state = 1234567;

    /* The sequence of the authors' program for this seed. */
    assert_true(rj_prng_splitmix(&state) == UINT64_C(6457827717110365317));
    assert_true(rj_prng_splitmix(&state) == UINT64_C(3203168211198807973));
    assert_true(rj_prng_splitmix(&state) == UINT64_C(9817491932198370423));
    assert_true(rj_prng_splitmix(&state) == UINT64_C(4593380528125082431));
}

TEST(xoshiro_gives_the_published_sequence)
{
    struct rj_prng p = {.s = {1, 2, 3, 4}};

    assert_true(rj_prng_u64(&p) == UINT64_C(11520));
    assert_true(rj_prng_u64(&p) == 0);
    assert_true(rj_prng_u64(&p) == UINT64_C(1509978240));
    assert_true(rj_prng_u64(&p) == UINT64_C(1215971899390074240));
}

TEST(one_seed_gives_one_sequence)
{
    struct rj_prng a, b, c;
    int differ = 0;

    rj_prng_init(&a, 7);
    rj_prng_init(&b, 7);
    rj_prng_init(&c, 8);
    for (int i = 0; i < 1000; i++) {
        uint64_t x = rj_prng_u64(&a);

        assert_true(x == rj_prng_u64(&b));
        differ += x != rj_prng_u64(&c);
    }
    assert_int_equal(differ, 1000);
}

TEST(numbers_below_a_bound_are_below_it_and_even)
{
    struct rj_prng p;
    int seen[7] = {0};

    rj_prng_init(&p, 1);
    assert_int_equal(rj_prng_below(&p, 0), 0);
    assert_int_equal(rj_prng_below(&p, 1), 0);
    for (int i = 0; i < 70000; i++)
        seen[rj_prng_below(&p, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 9600, 10400);
    for (int i = 0; i < 1000; i++)
        assert_true(rj_prng_below(&p, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
}

TEST(chances_come_true_as_often_as_they_say)
{
    struct rj_prng p;
    int hits = 0;

    rj_prng_init(&p, 2);
    for (int i = 0; i < 10000; i++)
        hits += rj_prng_chance(&p, 3, 10);
    assert_in_range(hits, 2800, 3200);
    assert_false(rj_prng_chance(&p, 1, 0));
    assert_false(rj_prng_chance(&p, 0, 5));
    assert_true(rj_prng_chance(&p, 5, 5));
}

TEST(bytes_are_filled_up_to_their_length)
{
    for (size_t len = 0; len < 20; len++) {
        struct rj_prng p, q;
        uint8_t buf[24];

        rj_prng_init(&p, 3);
        rj_prng_init(&q, 3);
        memset(buf, 0xaa, sizeof(buf));
        rj_prng_bytes(&p, buf, len);
        assert_int_equal(buf[len], 0xaa);
        for (size_t i = 0; i < len; i += 8) {
            uint64_t x = rj_prng_u64(&q);

            for (size_t k = i; k < len && k < i + 8; k++, x >>= 8)
                assert_int_equal(buf[k], x & 0xff);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitmix_gives_the_published_sequence),
        cmocka_unit_test(xoshiro_gives_the_published_sequence),
        cmocka_unit_test(one_seed_gives_one_sequence),
        cmocka_unit_test(numbers_below_a_bound_are_below_it_and_even),
        cmocka_unit_test(chances_come_true_as_often_as_they_say),
        cmocka_unit_test(bytes_are_filled_up_to_their_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
