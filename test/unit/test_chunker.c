/* SPDX-License-Identifier: Apache-2.0 */
#include "base/chunker.h"
#include "base/prng.h"
#include "support/test.h"

enum { MIN = 1024, AVG = 4096, MAX = 16384, LEN = 2 << 20, CUTS_MAX = LEN / MIN + 1 };

struct cuts {
    size_t at[CUTS_MAX]; /* offsets behind the chunks, the end of the data included */
    size_t n;
};

/* Cuts data, fed in pieces of at most piece bytes. */
static void cut(struct rj_bytes data, size_t piece, struct cuts *ret)
{
    struct rj_chunker c;
    size_t pos = 0;

    assert_ok(rj_chunker_init(&c, MIN, AVG, MAX));
    ret->n = 0;
    while (pos < data.len) {
        bool end = false;
        size_t used =
            rj_chunker_feed(&c, rj_bytes_first(rj_bytes_skip(data, pos), piece), &end);

        assert_in_range(used, 1, piece);
        pos += used;
        if (end || pos == data.len)
            ret->at[ret->n++] = pos;
    }
}

static uint8_t *random_data(uint64_t seed)
{
    struct rj_prng p;
    uint8_t *data = malloc(LEN + 100);

    assert_non_null(data);
    rj_prng_init(&p, seed);
    rj_prng_bytes(&p, data, LEN + 100);
    return data;
}

TEST(chunks_keep_their_bounds_and_their_average)
{
    static struct cuts cuts;
    uint8_t *data = random_data(1);
    size_t start = 0;

    cut(rj_bytes_of(data, LEN), LEN, &cuts);
    for (size_t i = 0; i < cuts.n; i++) {
        size_t len = cuts.at[i] - start;

        assert_true(len <= MAX);
        assert_true(len >= MIN || i == cuts.n - 1);
        start = cuts.at[i];
    }
    assert_int_equal(start, LEN);
    assert_in_range(LEN / cuts.n, AVG * 3 / 4, AVG * 3 / 2);
    free(data);
}

TEST(cuts_do_not_depend_on_how_the_data_arrives)
{
    static const size_t pieces[] = {1, 7, 1000, 4096, 65536};
    static struct cuts whole, cuts;
    uint8_t *data = random_data(2);

    cut(rj_bytes_of(data, LEN), LEN, &whole);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        cut(rj_bytes_of(data, LEN), pieces[i], &cuts);
        assert_int_equal(cuts.n, whole.n);
        assert_memory_equal(cuts.at, whole.at, whole.n * sizeof(whole.at[0]));
    }
    free(data);
}

TEST(boundaries_survive_an_insertion)
{
    static struct cuts before, after;
    uint8_t *data = random_data(3);
    size_t inserted = 33, at = LEN / 2, same = 0;

    cut(rj_bytes_of(data, LEN), LEN, &before);
    memmove(data + at + inserted, data + at, LEN - at);
    cut(rj_bytes_of(data, LEN + inserted), LEN, &after);
    for (size_t i = 0, k = 0; i < before.n; i++) {
        size_t moved = before.at[i] + (before.at[i] > at ? inserted : 0);

        while (k < after.n && after.at[k] < moved)
            k++;
        same += k < after.n && after.at[k] == moved;
    }
    assert_true(same + 10 >= before.n);
    free(data);
}

TEST(constant_data_is_cut_at_one_distance)
{
    static struct cuts cuts;
    uint8_t *zeros = calloc(1, LEN);

    assert_non_null(zeros);
    cut(rj_bytes_of(zeros, LEN), LEN, &cuts);
    assert_in_range(cuts.at[0], MIN, MAX);
    for (size_t i = 1; i + 1 < cuts.n; i++)
        assert_int_equal(cuts.at[i] - cuts.at[i - 1], cuts.at[0]);
    free(zeros);
}

TEST(cuts_never_change_from_one_release_to_another)
{
    static const size_t expected[] = {4922, 6553, 8002, 13500, 17975};
    static struct cuts cuts;
    uint8_t *data = random_data(4);

    cut(rj_bytes_of(data, LEN), LEN, &cuts);
    assert_memory_equal(cuts.at, expected, sizeof(expected));
    free(data);
}

TEST(unusable_sizes_are_refused)
{
    struct rj_chunker c;

    assert_err(RJ_EINVAL, rj_chunker_init(&c, 63, 4096, 8192));
    assert_err(RJ_EINVAL, rj_chunker_init(&c, 8192, 4096, 16384));
    assert_err(RJ_EINVAL, rj_chunker_init(&c, 1024, 4096, 2048));
    assert_err(RJ_EINVAL, rj_chunker_init(&c, 1024, 4097, 8192));
    assert_err(RJ_EINVAL, rj_chunker_init(&c, 64, 128, 8192));
    assert_err(RJ_EINVAL, rj_chunker_init(&c, 1024, 4096, (64 << 20) + 1));
    assert_ok(rj_chunker_init(&c, 64, 256, 256));
    assert_ok(rj_chunker_init(&c, 4096, 4096, 4096));
}

TEST(nothing_fed_means_nothing_cut)
{
    struct rj_chunker c;
    bool end = true;

    assert_ok(rj_chunker_init(&c, MIN, AVG, MAX));
    assert_int_equal(rj_chunker_feed(&c, (struct rj_bytes){0}, &end), 0);
    assert_false(end);
    assert_int_equal(rj_chunker_feed(&c, RJ_BYTES_LIT("abc"), &end), 3);
    assert_int_equal(c.pos, 3);
    rj_chunker_reset(&c);
    assert_int_equal(c.pos, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_keep_their_bounds_and_their_average),
        cmocka_unit_test(cuts_do_not_depend_on_how_the_data_arrives),
        cmocka_unit_test(boundaries_survive_an_insertion),
        cmocka_unit_test(constant_data_is_cut_at_one_distance),
        cmocka_unit_test(cuts_never_change_from_one_release_to_another),
        cmocka_unit_test(unusable_sizes_are_refused),
        cmocka_unit_test(nothing_fed_means_nothing_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
