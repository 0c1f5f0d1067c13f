/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "store/lmdb_batch.h"
#include "support/store_model.h"
#include "support/test.h"

#include <stdio.h>

/* What the ops of a batch are, as text: "+a=1 -b [c,d)". */
static const char *text_of(const struct rj_lmdb_batch *b)
{
    static char text[400];
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < b->count; i++) {
        struct rj_write w = rj_lmdb_op_write(&b->ops[i]);
        const char *form = w.kind == RJ_WRITE_PUT      ? "%s+%.*s=%.*s"
                           : w.kind == RJ_WRITE_DELETE ? "%s-%.*s%.*s"
                                                       : "%s[%.*s,%.*s)";

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        at += (size_t)snprintf(text + at, sizeof(text) - at, form, i > 0 ? " " : "",
                               (int)w.key.len, (const char *)w.key.ptr, (int)w.value.len,
                               (const char *)w.value.ptr);
#pragma GCC diagnostic pop
        assert_true(at < sizeof(text));
    }
    return text;
}

static void put(struct rj_writes *w, const char *key, const char *value)
{
    rj_writes_put(w, rj_bytes_from_str(key), rj_bytes_from_str(value));
}

static void drop(struct rj_writes *w, const char *key)
{
    rj_writes_delete(w, rj_bytes_from_str(key));
}

static void expect(struct rj_writes *w, const char *text)
{
    struct rj_lmdb_batch b;

    assert_ok(rj_lmdb_batch_init(&b, w));
    assert_string_equal(text_of(&b), text);
    rj_lmdb_batch_done(&b);
    rj_writes_done(w);
}

TEST(puts_are_sorted)
{
    struct rj_writes w = {0};

    put(&w, "c", "1");
    put(&w, "a", "2");
    put(&w, "bbbbbbbbbb", "3");
    put(&w, "bbbbbbbbb", "4");
    put(&w, "b", "5");
    expect(&w, "+a=2 +b=5 +bbbbbbbbb=4 +bbbbbbbbbb=3 +c=1");
}

TEST(sorted_ones_stay_as_they_are)
{
    struct rj_writes w = {0};

    put(&w, "a", "1");
    drop(&w, "b");
    put(&w, "c", "2");
    expect(&w, "+a=1 -b +c=2");
}

TEST(of_equal_keys_the_last_one_stays)
{
    struct rj_writes w = {0};

    put(&w, "k", "1");
    put(&w, "k", "2");
    put(&w, "a", "3");
    drop(&w, "k");
    put(&w, "k", "4");
    put(&w, "z", "5");
    drop(&w, "z");
    expect(&w, "+a=3 +k=4 -z");
}

/* Keys that begin alike for longer than what is compared at once, some of them beginnings
 * of others. */
TEST(keys_that_begin_alike_are_sorted_too)
{
    enum { KEYS = 600, LONG = 300 };
    struct rj_writes w = {0};
    struct rj_lmdb_batch b;
    struct rj_prng p;
    char key[LONG];
    size_t n = 0;

    rj_prng_init(&p, 4);
    for (size_t i = 0; i < KEYS; i++) {
        size_t len = 1 + rj_prng_below(&p, i % 2 == 0 ? 20 : LONG - 1);

        memset(key, i % 3 == 0 ? '\0' : 'x', len);
        if (i % 5 > 0)
            key[rj_prng_below(&p, len)] = (char)('a' + rj_prng_below(&p, 4));
        rj_writes_put(&w, rj_bytes_of(key, len), rj_bytes_of(&i, sizeof(i)));
    }
    assert_ok(rj_lmdb_batch_init(&b, &w));
    for (size_t i = 1; i < b.count; i++)
        assert_true(rj_bytes_compare(rj_lmdb_op_write(&b.ops[i - 1]).key,
                                     rj_lmdb_op_write(&b.ops[i]).key) < 0);
    for (size_t pos = 0; pos < w.len; n++) { /* of each key the last one */
        struct rj_write one, other;
        size_t i = 0;

        assert_true(rj_writes_next(&w, &pos, &one));
        while (!rj_bytes_equal((other = rj_lmdb_op_write(&b.ops[i])).key, one.key))
            assert_true(++i < b.count);
        assert_true(other.value.ptr >= one.value.ptr);
    }
    assert_int_equal(n, KEYS);
    rj_lmdb_batch_done(&b);
    rj_writes_done(&w);
}

TEST(nothing_passes_a_range_delete)
{
    struct rj_writes w = {0};

    put(&w, "c", "1");
    put(&w, "b", "2");
    put(&w, "c", "3");
    rj_writes_delete_range(&w, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("z"));
    put(&w, "c", "4");
    put(&w, "a", "5");
    rj_writes_delete_range(&w, RJ_BYTES_LIT(""), RJ_BYTES_LIT("b"));
    rj_writes_delete_range(&w, RJ_BYTES_LIT("x"), RJ_BYTES_LIT("y"));
    put(&w, "a", "6");
    expect(&w, "+b=2 +c=3 [a,z) +a=5 +c=4 [,b) [x,y) +a=6");
}

TEST(an_empty_batch_has_no_ops)
{
    struct rj_writes w = {0};

    expect(&w, "");
}

TEST(sizes_are_checked)
{
    static uint8_t big[RJ_STORE_KEY_MAX + 1];
    struct rj_writes w = {0};
    struct rj_lmdb_batch b;

    put(&w, "a", "1");
    drop(&w, "");
    assert_err(RJ_EINVAL, rj_lmdb_batch_init(&b, &w));
    rj_writes_clear(&w);
    rj_writes_delete(&w, RJ_BYTES_OF(big));
    assert_err(RJ_ELIMIT, rj_lmdb_batch_init(&b, &w));
    rj_writes_clear(&w);
    rj_writes_put(&w, rj_bytes_of(big, RJ_STORE_KEY_MAX), RJ_BYTES_LIT("x"));
    assert_ok(rj_lmdb_batch_init(&b, &w));
    assert_int_equal(b.put_bytes, RJ_STORE_KEY_MAX + 1 + RJ_LMDB_BATCH_OVERHEAD);
    assert_false(b.deletes);
    rj_lmdb_batch_done(&b);
    rj_writes_delete_range(&w, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("b"));
    assert_ok(rj_lmdb_batch_init(&b, &w));
    assert_true(b.deletes);
    rj_lmdb_batch_done(&b);
    rj_writes_done(&w);
}

TEST(the_ops_do_what_the_batch_does)
{
    struct rj_prng p;

    rj_prng_init(&p, 4);
    for (int i = 0; i < 300; i++) {
        struct rj_model before = {0}, a = {0}, b = {0};
        struct rj_writes w = {0}, sorted = {0};
        struct rj_lmdb_batch batch;

        rj_model_random_batch(&p, &w);
        rj_model_apply(&before, &w);
        rj_model_random_batch(&p, &w);
        rj_model_copy(&a, &before);
        rj_model_copy(&b, &before);
        rj_model_apply(&a, &w);
        assert_ok(rj_lmdb_batch_init(&batch, &w));
        for (size_t j = 0; j < batch.count; j++) {
            struct rj_write one = rj_lmdb_op_write(&batch.ops[j]);

            if (one.kind == RJ_WRITE_PUT)
                rj_writes_put(&sorted, one.key, one.value);
            else if (one.kind == RJ_WRITE_DELETE)
                rj_writes_delete(&sorted, one.key);
            else
                rj_writes_delete_range(&sorted, one.key, one.value);
        }
        rj_model_apply(&b, &sorted);
        assert_int_equal(a.n, b.n);
        for (size_t j = 0; j < a.n; j++) {
            assert_bytes_equal(rj_bytes_of(a.records[j].key, a.records[j].key_len),
                               rj_bytes_of(b.records[j].key, b.records[j].key_len));
            assert_bytes_equal(rj_bytes_of(a.records[j].value, a.records[j].value_len),
                               rj_bytes_of(b.records[j].value, b.records[j].value_len));
        }
        rj_lmdb_batch_done(&batch);
        rj_writes_done(&w);
        rj_writes_done(&sorted);
        rj_model_done(&before);
        rj_model_done(&a);
        rj_model_done(&b);
    }
}

static enum rj_err load(void *ctx)
{
    struct rj_lmdb_batch b;
    enum rj_err err = rj_lmdb_batch_init(&b, ctx);

    if (err == RJ_OK)
        rj_lmdb_batch_done(&b);
    return err;
}

TEST(want_of_memory_is_reported)
{
    struct rj_writes w = {0};

    put(&w, "b", "1");
    put(&w, "a", "1");
    rj_test_with_failing_alloc(load, &w);
    rj_writes_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(puts_are_sorted),
        cmocka_unit_test(sorted_ones_stay_as_they_are),
        cmocka_unit_test(of_equal_keys_the_last_one_stays),
        cmocka_unit_test(keys_that_begin_alike_are_sorted_too),
        cmocka_unit_test(nothing_passes_a_range_delete),
        cmocka_unit_test(an_empty_batch_has_no_ops),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(the_ops_do_what_the_batch_does),
        cmocka_unit_test(want_of_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
