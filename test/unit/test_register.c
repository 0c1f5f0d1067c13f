/* SPDX-License-Identifier: Apache-2.0 */
#include "crdt/register.h"
#include "support/test.h"

static struct rj_origins origins;

/* Two origins; the one with the greater index has the smaller id. */
static int set_up(void **cmocka_state __attribute__((unused)))
{
    struct rj_origin_id id = {{9}};
    uint32_t index;

    if (rj_origins_add(&origins, &id, &index) != RJ_OK)
        return -1;
    id.b[0] = 1;
    return rj_origins_add(&origins, &id, &index) == RJ_OK ? 0 : -1;
}

static int tear_down(void **cmocka_state __attribute__((unused)))
{
    rj_origins_done(&origins);
    return 0;
}

static struct rj_version *version(uint32_t origin, uint64_t seq, uint64_t stamp,
                                  uint64_t deadline)
{
    struct rj_rank rank = {.stamp = stamp, .dot = {.seq = seq, .origin = origin}};
    struct rj_version *v = rj_version_new(8);

    assert_non_null(v);
    rj_version_set(v, &rank, deadline, rj_bytes_from_str("value"));
    return v;
}

static void free_list(struct rj_dotted *d)
{
    while (d != NULL) {
        struct rj_dotted *next = d->next;

        free(d);
        d = next;
    }
}

TEST(the_greatest_stamp_shows_then_the_greatest_id_then_the_greatest_sequence)
{
    struct rj_version *v[4] = {version(1, 9, 4, 0), version(1, 8, 5, 0),
                               version(0, 1, 5, 0), version(0, 2, 5, 0)};
    struct rj_dotted *first = NULL;

    assert_null(rj_register_top(first, &origins, 0));
    for (unsigned i = 0; i < 4; i++) {
        rj_dotfun_push(&first, &v[i]->d);
        assert_ptr_equal(rj_register_top(first, &origins, 0), v[i]);
    }
    free_list(first);
}

TEST(a_due_version_is_not_shown)
{
    struct rj_version *late = version(0, 2, 9, 100), *early = version(0, 1, 3, 0);
    struct rj_dotted *first = NULL;

    rj_dotfun_push(&first, &early->d);
    rj_dotfun_push(&first, &late->d);
    assert_ptr_equal(rj_register_top(first, &origins, 99), late);
    assert_ptr_equal(rj_register_top(first, &origins, 100), early);
    free_list(first);
}

TEST(a_list_overwrites_versions_that_were_seen_and_no_others)
{
    struct rj_seen seen = {0};
    struct rj_dotted *first = NULL, *cut;

    rj_dotfun_push(&first, &version(0, 3, 1, 0)->d);
    rj_dotfun_push(&first, &version(0, 5, 1, 0)->d);
    rj_dotfun_push(&first, &version(1, 2, 1, 0)->d);
    assert_null(rj_dotfun_cut(&first, &seen));
    assert_ok(rj_seen_add(&seen, (struct rj_dot){.seq = 4, .origin = 0}));
    cut = rj_dotfun_cut(&first, &seen);
    assert_non_null(cut);
    assert_int_equal(cut->seq, 3);
    assert_null(cut->next);
    assert_non_null(rj_dotfun_version(first, (struct rj_dot){.seq = 5, .origin = 0}));
    assert_non_null(rj_dotfun_version(first, (struct rj_dot){.seq = 2, .origin = 1}));
    assert_null(rj_dotfun_version(first, (struct rj_dot){.seq = 2, .origin = 0}));
    free_list(cut);
    free_list(first);
    rj_seen_done(&seen);
}

TEST(only_the_one_decimal_form_of_an_int64_is_an_integer)
{
    static const char *const good[] = {
        "0", "7", "-1", "10", "-100", "9223372036854775807", "-9223372036854775808"};
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      "01",
                                      "-0",
                                      "-01",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "--1",
                                      "1a",
                                      "00",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999"};
    char digits[RJ_DECIMAL_MAX];
    int64_t v;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(rj_register_int(rj_bytes_from_str(good[i]), &v));
        assert_int_equal(rj_register_digits(v, digits), strlen(good[i]));
        assert_string_equal(digits, good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(rj_register_int(rj_bytes_from_str(bad[i]), &v));
}

TEST(a_version_too_long_for_its_length_is_refused)
{
    assert_null(rj_version_new((size_t)UINT32_MAX + 1));
    assert_null(rj_version_new(SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_greatest_stamp_shows_then_the_greatest_id_then_the_greatest_sequence),
        cmocka_unit_test(a_due_version_is_not_shown),
        cmocka_unit_test(a_list_overwrites_versions_that_were_seen_and_no_others),
        cmocka_unit_test(only_the_one_decimal_form_of_an_int64_is_an_integer),
        cmocka_unit_test(a_version_too_long_for_its_length_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
