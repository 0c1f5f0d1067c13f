/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "support/test.h"

#include <rejoin/crdt.h>
#include <string.h>

enum { MUTATIONS = 400 };

static const struct rj_bytes keys[4] = {{(const uint8_t *)"x", 1},
                                        {(const uint8_t *)"xy", 2},
                                        {(const uint8_t *)"", 0},
                                        {(const uint8_t *)"\xff", 1}};

static enum rj_err make(enum rj_crdt_type type, const char *name, struct rj_crdt **ret)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = type};

    opts.replica = rj_bytes_from_str(name);
    return rj_crdt_new(&opts, ret);
}

static struct rj_crdt *new (enum rj_crdt_type type, const char *name)
{
    struct rj_crdt *v = NULL;

    assert_ok(make(type, name, &v));
    return v;
}

static void assert_same(const struct rj_crdt *a, const struct rj_crdt *b)
{
    struct rj_crdt_buf x = {0}, y = {0};

    assert_ok(rj_crdt_encode(a, &x));
    assert_ok(rj_crdt_encode(b, &y));
    assert_bytes_equal(rj_crdt_bytes(&x), rj_crdt_bytes(&y));
    rj_crdt_buf_free(&x);
    rj_crdt_buf_free(&y);
}

static void assert_shows(const struct rj_crdt *v, const char *json)
{
    struct rj_crdt_buf x = {0};

    assert_ok(rj_crdt_json(v, &x));
    assert_bytes_equal(rj_crdt_bytes(&x), rj_bytes_from_str(json));
    rj_crdt_buf_free(&x);
}

/* ---- removals on behalf of a reader */

TEST(a_removal_for_a_reader_leaves_other_places_alone)
{
    struct rj_crdt *a = new (RJ_CRDT_ORSET, "a"), *b = new (RJ_CRDT_ORSET, "b");
    struct rj_crdt_buf context = {0}, delta = {0};
    struct rj_crdt_op op = {.size = sizeof(op), .code = RJ_CRDT_REMOVE, .n_keys = 1};

    assert_ok(rj_crdt_add(b, keys[0], NULL));
    assert_ok(rj_crdt_add(b, keys[1], NULL));
    assert_ok(rj_crdt_context(b, &context));
    op.keys = &keys[0];
    op.flags = RJ_CRDT_CAUSED;
    op.context = rj_crdt_bytes(&context);
    assert_ok(rj_crdt_write(a, &op, &delta));
    assert_ok(rj_crdt_join(a, b, NULL));
    assert_shows(a, "[\"xy\"]");
    assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&delta), NULL));
    assert_same(a, b);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&context);
    rj_crdt_buf_free(&delta);
}

TEST(counters_do_not_wrap)
{
    struct rj_crdt *a = new (RJ_CRDT_GCOUNTER, "a"), *b = new (RJ_CRDT_GCOUNTER, "b");
    struct rj_crdt_op op = {.size = sizeof(op), .code = RJ_CRDT_INC};
    struct rj_crdt_buf json = {0};

    op.amount = INT64_MAX;
    assert_ok(rj_crdt_write(a, &op, NULL));
    op.amount = 1;
    assert_err(RJ_ERANGE, rj_crdt_write(a, &op, NULL));
    assert_shows(a, "9223372036854775807");
    assert_ok(rj_crdt_write(b, &op, NULL));
    assert_ok(rj_crdt_join(a, b, NULL));
    assert_err(RJ_ERANGE, rj_crdt_json(a, &json));
    op.amount = -1;
    assert_err(RJ_EINVAL, rj_crdt_write(b, &op, NULL));
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&json);
}

/* ---- hostile bytes */

static struct rj_crdt *sample(const char *name)
{
    struct rj_crdt *v = new (RJ_CRDT_ORMAP, name);
    struct rj_crdt_op op = {.size = sizeof(op), .path = keys, .keys = keys, .n_keys = 2};

    for (op.n_path = 1; op.n_path < 3; op.n_path++) {
        op.at = RJ_CRDT_ORSET;
        op.code = RJ_CRDT_ADD;
        assert_ok(rj_crdt_write(v, &op, NULL));
        op.at = RJ_CRDT_MVREG;
        op.code = RJ_CRDT_SET;
        op.value = keys[1];
        assert_ok(rj_crdt_write(v, &op, NULL));
    }
    return v;
}

TEST(damaged_bytes_are_refused_or_make_a_sound_value)
{
    struct rj_crdt *v = sample("a"), *w = NULL;
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = RJ_CRDT_ORMAP};
    struct rj_crdt_buf good = {0}, bad = {0}, again = {0};
    struct rj_prng p;
    size_t i;

    rj_prng_init(&p, 7);
    assert_ok(rj_crdt_encode(v, &good));
    for (i = 0; i < MUTATIONS; i++) {
        assert_ok(rj_crdt_encode(v, &bad));
        bad.ptr[rj_prng_below(&p, bad.len)] ^= (uint8_t)(1 + rj_prng_below(&p, 255));
        if (rj_prng_chance(&p, 1, 4))
            bad.len = rj_prng_below(&p, bad.len);
        if (rj_crdt_decode(&opts, rj_crdt_bytes(&bad), &w) == RJ_OK) {
            assert_ok(rj_crdt_encode(w, &again)); /* what is taken has one form */
            assert_bytes_equal(rj_crdt_bytes(&again), rj_crdt_bytes(&bad));
            rj_crdt_free(w);
        } else {
            assert_int_not_equal(rj_crdt_join_bytes(v, rj_crdt_bytes(&bad), NULL), RJ_OK);
            assert_ok(rj_crdt_encode(v, &again));
            assert_bytes_equal(rj_crdt_bytes(&again), rj_crdt_bytes(&good));
        }
    }
    rj_crdt_free(v);
    rj_crdt_buf_free(&good);
    rj_crdt_buf_free(&bad);
    rj_crdt_buf_free(&again);
}

TEST(values_of_other_types_and_rules_are_not_joined)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = RJ_CRDT_ORSET};
    struct rj_crdt *a = new (RJ_CRDT_ORSET, "a"), *b = new (RJ_CRDT_GCOUNTER, "b");
    struct rj_crdt *c = NULL;
    struct rj_crdt_buf bytes = {0};

    opts.rules = (struct rj_crdt_rules){.size = sizeof(opts.rules), .ttl = 5};
    assert_ok(rj_crdt_new(&opts, &c));
    assert_err(RJ_ETYPE, rj_crdt_join(a, b, NULL));
    assert_err(RJ_EUPGRADE, rj_crdt_join(a, c, NULL));
    assert_ok(rj_crdt_encode(b, &bytes));
    assert_err(RJ_EUPGRADE, rj_crdt_join_bytes(a, rj_crdt_bytes(&bytes), NULL));
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_free(c);
    rj_crdt_buf_free(&bytes);
}

TEST(a_value_is_taken_over_under_any_name)
{
    struct rj_crdt *a = new (RJ_CRDT_ORSET, "a"), *b = new (RJ_CRDT_ORSET, "b"),
                   *c = NULL;
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = RJ_CRDT_ORSET};
    struct rj_crdt_buf bytes = {0};

    assert_ok(rj_crdt_add(a, keys[0], NULL));
    assert_ok(rj_crdt_add(b, keys[1], NULL));
    assert_ok(rj_crdt_join(b, a, NULL));
    assert_ok(rj_crdt_encode(b, &bytes));
    opts.replica = rj_bytes_from_str("b");
    assert_ok(rj_crdt_decode(&opts, rj_crdt_bytes(&bytes), &c));
    assert_same(b, c);
    assert_ok(rj_crdt_remove(c, keys[1], NULL));
    assert_ok(rj_crdt_join(b, c, NULL));
    assert_shows(b, "[\"x\"]");
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_free(c);
    rj_crdt_buf_free(&bytes);
}

/* ---- memory */

static enum rj_err use(void *ctx)
{
    struct rj_crdt *a = NULL, *b = NULL;
    struct rj_crdt_buf delta = {0}, context = {0};
    struct rj_crdt_op op = {.size = sizeof(op), .code = RJ_CRDT_REMOVE};
    enum rj_err err = make(RJ_CRDT_ORSET, "a", &a);

    (void)ctx;
    op.keys = keys;
    op.n_keys = 2;
    if (err == RJ_OK)
        err = make(RJ_CRDT_ORSET, "b", &b);
    if (err == RJ_OK)
        err = rj_crdt_add(a, keys[0], &delta);
    if (err == RJ_OK)
        err = rj_crdt_context(a, &context);
    op.flags = RJ_CRDT_CAUSED;
    op.context = rj_crdt_bytes(&context);
    if (err == RJ_OK)
        err = rj_crdt_write(b, &op, NULL);
    if (err == RJ_OK)
        err = rj_crdt_join_bytes(b, rj_crdt_bytes(&delta), NULL);
    if (err == RJ_OK)
        err = rj_crdt_json(b, &delta);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&delta);
    rj_crdt_buf_free(&context);
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
        cmocka_unit_test(a_removal_for_a_reader_leaves_other_places_alone),
        cmocka_unit_test(counters_do_not_wrap),
        cmocka_unit_test(damaged_bytes_are_refused_or_make_a_sound_value),
        cmocka_unit_test(values_of_other_types_and_rules_are_not_joined),
        cmocka_unit_test(a_value_is_taken_over_under_any_name),
        cmocka_unit_test(every_lack_of_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
