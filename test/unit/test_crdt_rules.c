/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that a rule refuses, rows that go round. */
#include "support/crdt_value.h"

#include <stdio.h>

/* ---- validation */

static bool is_short(void *user, const struct rj_crdt_row *row)
{
    size_t most = *(const size_t *)user;

    return row->key.len <= most;
}

static struct rj_crdt *judged(const char *name, uint64_t check, size_t *most)
{
    struct rj_crdt_opts opts = crdt_opts(RJ_CRDT_ORSET, name);
    struct rj_crdt *v = NULL;

    opts.rules.check = check;
    opts.judge = is_short;
    opts.user = most;
    assert_ok(rj_crdt_new(&opts, &v));
    return v;
}

TEST(a_rule_of_its_own_refuses_only_what_one_writes)
{
    size_t one = 1, any = 99;
    struct rj_crdt *strict = judged("a", 0, &one), *lax = judged("b", 0, &any);

    assert_err(RJ_EDENIED, crdt_key(strict, RJ_CRDT_ADD, "xy", NULL));
    assert_shows(strict, "[]");
    assert_ok(crdt_key(strict, RJ_CRDT_ADD, "x", NULL));
    assert_ok(crdt_key(lax, RJ_CRDT_ADD, "xyz", NULL));
    assert_ok(rj_crdt_join(strict, lax, NULL));
    assert_shows(strict, "[\"x\",\"xyz\"]");
    rj_crdt_free(strict);
    rj_crdt_free(lax);
}

TEST(a_rule_that_all_share_refuses_what_others_send)
{
    size_t one = 1, any = 99;
    struct rj_crdt *strict = judged("a", 7, &one), *liar = judged("b", 7, &any);
    struct rj_crdt *third = judged("c", 7, &one), *other = judged("d", 8, &one);
    struct rj_crdt_report report = {0};
    struct rj_crdt_buf bytes = {0};
    struct rj_crdt *decoded = NULL;
    struct rj_crdt_opts opts = crdt_opts(RJ_CRDT_ORSET, "");

    assert_ok(crdt_key(liar, RJ_CRDT_ADD, "xyz", NULL));
    assert_ok(crdt_key(liar, RJ_CRDT_ADD, "y", &bytes));
    assert_ok(rj_crdt_join(strict, liar, &report));
    assert_int_equal(report.refused, 1);
    assert_int_equal(report.taken, 1);
    assert_shows(strict, "[\"y\"]");
    assert_ok(rj_crdt_join(third, strict, &report));
    assert_int_equal(report.refused, 0);
    assert_ok(rj_crdt_join(third, liar, &report)); /* it is seen, and gone */
    assert_same(third, strict);
    assert_err(RJ_EUPGRADE, rj_crdt_join(strict, other, NULL));
    assert_ok(rj_crdt_encode(liar, &bytes));
    opts.rules.check = 7;
    assert_err(RJ_EINVAL, rj_crdt_decode(&opts, rj_crdt_bytes(&bytes), &decoded));
    opts.judge = is_short;
    opts.user = &one;
    assert_ok(rj_crdt_decode(&opts, rj_crdt_bytes(&bytes), &decoded));
    assert_shows(decoded, "[\"y\"]");
    rj_crdt_free(strict);
    rj_crdt_free(liar);
    rj_crdt_free(third);
    rj_crdt_free(other);
    rj_crdt_free(decoded);
    rj_crdt_buf_free(&bytes);
}

/* ---- loops */

TEST(the_row_that_two_sides_keep_exchanging_is_named)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_ORSET, "a");
    struct rj_crdt_guard *g = NULL;
    struct rj_crdt_buf x = {0}, y = {0};
    struct rj_crdt_row row = {.seq = 0};
    size_t i;

    assert_ok(rj_crdt_guard_new(NULL, 2, &g));
    assert_ok(crdt_key(v, RJ_CRDT_ADD, "x", &x));
    for (i = 0; i < 5; i++) /* saying it again is no loop */
        assert_ok(rj_crdt_guard_note(g, v, rj_crdt_bytes(&x), true, &row));
    for (i = 0; i < 5; i++) { /* nor is a new write each time */
        assert_ok(crdt_key(v, RJ_CRDT_ADD, "y", &y));
        assert_ok(rj_crdt_guard_note(g, v, rj_crdt_bytes(&y), i % 2 == 0, &row));
    }
    assert_ok(rj_crdt_guard_note(g, v, rj_crdt_bytes(&x), false, &row));
    assert_ok(rj_crdt_guard_note(g, v, rj_crdt_bytes(&x), true, &row));
    assert_err(RJ_EPROTO, rj_crdt_guard_note(g, v, rj_crdt_bytes(&x), false, &row));
    assert_bytes_equal(row.key, rj_bytes_from_str("x"));
    assert_bytes_equal(row.replica, rj_bytes_from_str("a"));
    assert_int_equal(row.seq, 1);
    x.len--;
    assert_err(RJ_ECORRUPT, rj_crdt_guard_note(g, v, rj_crdt_bytes(&x), false, &row));
    rj_crdt_guard_free(g);
    rj_crdt_free(v);
    rj_crdt_buf_free(&x);
    rj_crdt_buf_free(&y);
}

TEST(a_whole_state_that_goes_round_is_found)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_ORSET, "a");
    struct rj_crdt_guard *g = NULL;
    struct rj_crdt_buf state = {0};
    struct rj_crdt_row row;
    enum rj_err err = RJ_OK;
    char word[16];
    size_t i;

    assert_ok(rj_crdt_guard_new(NULL, 3, &g));
    for (i = 0; i < 3000; i++) { /* more than it remembers */
        (void)snprintf(word, sizeof(word), "%zu", i);
        assert_ok(crdt_key(v, RJ_CRDT_ADD, word, NULL));
    }
    assert_ok(rj_crdt_encode(v, &state));
    for (i = 0; i < 10 && err == RJ_OK; i++)
        err = rj_crdt_guard_note(g, v, rj_crdt_bytes(&state), i % 2 == 0, &row);
    assert_err(RJ_EPROTO, err);
    assert_int_equal(i, 5);
    rj_crdt_guard_free(g);
    rj_crdt_free(v);
    rj_crdt_buf_free(&state);
}

TEST(a_run_of_a_text_that_goes_round_is_found)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_TEXT, "a");
    struct rj_crdt_op op = crdt_op(RJ_CRDT_INSERT);
    struct rj_crdt_guard *g = NULL;
    struct rj_crdt_buf delta = {0};
    struct rj_crdt_row row;
    size_t i;

    op.value = rj_bytes_from_str("xy");
    assert_ok(rj_crdt_guard_new(NULL, 0, &g));
    for (i = 0; i < 5000; i++) {
        assert_ok(rj_crdt_write(v, &op, &delta));
        assert_ok(rj_crdt_guard_note(g, v, rj_crdt_bytes(&delta), true, &row));
    }
    assert_err(RJ_EPROTO, rj_crdt_guard_note(g, v, rj_crdt_bytes(&delta), false, &row));
    assert_int_equal(row.seq, 9999);
    rj_crdt_guard_free(g);
    rj_crdt_free(v);
    rj_crdt_buf_free(&delta);
}

TEST(what_a_guard_names_outlives_the_message)
{
    static const enum rj_crdt_type types[] = {RJ_CRDT_LWWMAP, RJ_CRDT_TEXT};
    struct rj_bytes key = rj_bytes_from_str("x");
    size_t i;

    for (i = 0; i < 2; i++) {
        struct rj_crdt *v = crdt_new(types[i], "a");
        struct rj_crdt_op op = crdt_op(i == 0 ? RJ_CRDT_PUT : RJ_CRDT_INSERT);
        struct rj_crdt_guard *g = NULL;
        struct rj_crdt_buf delta = {0};
        struct rj_crdt_row row;

        op.keys = &key;
        op.n_keys = 1;
        op.value = rj_bytes_from_str("says");
        assert_ok(rj_crdt_guard_new(NULL, 0, &g));
        assert_ok(rj_crdt_write(v, &op, &delta));
        assert_ok(rj_crdt_guard_note(g, v, rj_crdt_bytes(&delta), true, &row));
        assert_err(RJ_EPROTO,
                   rj_crdt_guard_note(g, v, rj_crdt_bytes(&delta), false, &row));
        rj_crdt_buf_free(&delta);
        rj_crdt_free(v);
        assert_bytes_equal(row.replica, rj_bytes_from_str("a"));
        assert_int_equal(row.seq, 1);
        if (i == 0)
            assert_bytes_equal(row.value, op.value);
        rj_crdt_guard_free(g);
    }
}

static enum rj_err use(void *ctx)
{
    struct rj_crdt_opts opts = crdt_opts(RJ_CRDT_BCOUNTER, "a");
    struct rj_crdt_op op = crdt_op(RJ_CRDT_INC);
    struct rj_crdt_guard *g = NULL;
    struct rj_crdt_buf delta = {0};
    struct rj_crdt_row row;
    struct rj_crdt *v = NULL;
    enum rj_err err = rj_crdt_new(&opts, &v);

    (void)ctx;
    op.amount = 1;
    if (err == RJ_OK)
        err = rj_crdt_write(v, &op, NULL);
    if (err == RJ_OK)
        err = rj_crdt_retire(v, rj_bytes_from_str("x"), rj_bytes_from_str("a"), &delta);
    if (err == RJ_OK)
        err = rj_crdt_encode(v, &delta);
    if (err == RJ_OK)
        err = rj_crdt_guard_new(NULL, 1, &g);
    if (err == RJ_OK)
        err = rj_crdt_guard_note(g, v, rj_crdt_bytes(&delta), true, &row);
    rj_crdt_guard_free(g);
    rj_crdt_free(v);
    rj_crdt_buf_free(&delta);
    return err;
}

TEST(every_lack_of_memory_is_told)
{
    rj_test_with_failing_alloc(use, NULL);
    rj_test_with_one_failing_alloc(use, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lack_of_memory_is_told),
        cmocka_unit_test(a_rule_of_its_own_refuses_only_what_one_writes),
        cmocka_unit_test(a_rule_that_all_share_refuses_what_others_send),
        cmocka_unit_test(the_row_that_two_sides_keep_exchanging_is_named),
        cmocka_unit_test(a_whole_state_that_goes_round_is_found),
        cmocka_unit_test(a_run_of_a_text_that_goes_round_is_found),
        cmocka_unit_test(what_a_guard_names_outlives_the_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
