/* SPDX-License-Identifier: Apache-2.0 */
/* Taking over keys that do not fit a frame: long ones, and ones that many origins wrote.
 */
#include "bucket/state.h"
#include "support/nodes.h"

#include <stdio.h>

enum { FIELD_BYTES = 15 * 1024 * 1024, FIELDS = 3, RUNS = RJ_BATCH_DICT_MAX + 100 };

/* Node 0 has a space, and so short a log that who joins must take the state. */
static struct nodes *start(void)
{
    struct nodes *t = nodes_new();

    t->host[0].limits.log_bytes = 1024;
    nodes_open(t, 0);
    (void)nodes_add_space(t, 0);
    return t;
}

static struct wire *join(struct nodes *t)
{
    struct wire *w;

    nodes_open(t, 1);
    w = nodes_connect(t, 1, 0);
    nodes_join(t, 0, 1);
    nodes_until_agreed(t, 0, 1);
    assert_int_equal(w->closed[0], RJ_ERR_COUNT);
    assert_int_equal(w->closed[1], RJ_ERR_COUNT);
    assert_true(w->by[1].count[RJ_FRAME_META] > 0);
    assert_true(w->by[1].longest <= RJ_FRAME_MAX);
    return w;
}

TEST(a_key_larger_than_a_frame_is_taken_over)
{
    struct nodes *t = start();
    uint8_t *value = malloc(FIELD_BYTES);
    struct rj_bytes got;
    struct wire *w;
    uint64_t added;
    char name[2] = "0";

    assert_non_null(value);
    for (int i = 0; i < FIELDS; i++) {
        struct rj_pair pair = {.value = rj_bytes_of(value, FIELD_BYTES)};

        memset(value, 'a' + i, FIELD_BYTES);
        name[0] = (char)('0' + i);
        pair.field = rj_bytes_of(name, 1);
        assert_ok(
            rj_bucket_hset(nodes_bucket(t, 0), RJ_BYTES_LIT("k"), &pair, 1, &added));
        nodes_run(t, 1000);
    }
    w = join(t);
    assert_true(w->by[1].bytes[RJ_FRAME_PART] > FIELDS * FIELD_BYTES);
    assert_true(w->by[1].bytes[RJ_FRAME_PART] < 2 * FIELDS * FIELD_BYTES);
    assert_true(w->by[1].longest <= RJ_FRAME_PART_BYTES + 64);
    for (int i = 0; i < FIELDS; i++) {
        memset(value, 'a' + i, FIELD_BYTES);
        name[0] = (char)('0' + i);
        assert_ok(rj_bucket_hget(nodes_bucket(t, 1), RJ_BYTES_LIT("k"),
                                 rj_bytes_of(name, 1), &got));
        assert_bytes_equal(got, rj_bytes_of(value, FIELD_BYTES));
    }
    free(value);
    nodes_free(t);
}

/* One more incarnation of node 0's device increments the key by 1. */
static void increment_anew(struct nodes *t, uint64_t incarnation)
{
    struct rj_space *s = nodes_space(t, 0);
    struct rj_test_env *env = &t->host[0].env;
    struct hand_batch h = {.class = RJ_CLASS_DATA, .first = 2, .count = 1};
    struct rj_buf opening = {0}, body = {0}, data = {0};
    struct rj_bop op = {
        .code = RJ_BOP_INCR, .key = RJ_BYTES_LIT("k"), .epoch = 2, .delta = 1};
    struct rj_writer w = {0};
    uint32_t o, number;

    h.origin = hand_opening(env, &s->id, incarnation, NULL, &opening, &h.prev);
    h.stamp = (UINT64_C(1800000000000) << 16) + incarnation;
    assert_ok(rj_space_offer(s, rj_buf_view(&opening), NULL));
    o = rj_origins_find(&s->origins, &h.origin);
    assert_ok(rj_writer_dict(&w, o, &number));
    assert_ok(rj_bop_put(&op, &w));
    rj_dict_put(&body, &s->origins, w.dict, w.dict_n);
    rj_buf_append(&body, rj_buf_view(&w.ops));
    hand_batch(env, &s->id, &h, rj_buf_view(&body), &data, NULL);
    assert_ok(rj_space_offer(s, rj_buf_view(&data), NULL));
    rj_bop_done(&op);
    free(w.dict);
    rj_buf_done(&w.ops);
    rj_buf_done(&opening);
    rj_buf_done(&body);
    rj_buf_done(&data);
}

TEST(a_key_that_more_origins_wrote_than_a_batch_names_is_taken_over)
{
    struct nodes *t = start();
    struct rj_bytes got;
    char want[24];

    for (uint64_t i = 0; i < RUNS; i++)
        increment_anew(t, 1000 + i);
    nodes_run(t, 2000);
    (void)join(t);
    (void)snprintf(want, sizeof(want), "%d", RUNS);
    assert_ok(rj_bucket_get(nodes_bucket(t, 1), RJ_BYTES_LIT("k"), &got));
    assert_bytes_equal(got, rj_bytes_from_str(want));
    nodes_free(t);
}

/* ---- what one key may hold */

static struct rj_dotmap *map_of(struct nodes *t, struct rj_bytes key, enum rj_part part)
{
    struct rj_bucket *b = nodes_bucket(t, 0);
    struct rj_bkey *k = rj_table_find(&b->table, rj_change_position(b, key), key);

    assert_non_null(k);
    return part == RJ_PART_SET ? rj_bkey_set(k) : rj_bkey_hash(k);
}

TEST(a_map_counts_what_it_takes_to_send_it)
{
    struct rj_prng p;
    struct nodes *t = start();
    struct rj_bytes key = RJ_BYTES_LIT("h");
    struct rj_give g = {.range = {0, UINT64_MAX}, .full = true, .budget_bytes = SIZE_MAX};
    struct rj_vv none = {0};
    uint64_t n, end, keys;
    int64_t sum;

    rj_prng_init(&p, 5);
    g.have = &none;
    for (int i = 0; i < 3000; i++) {
        static const uint8_t value[300];
        char name[64];
        struct rj_bucket *b = nodes_bucket(t, 0);
        struct rj_pair pair = {.value = {value, rj_prng_below(&p, 300)}};
        enum rj_err err;

        (void)snprintf(name, sizeof(name), "%.*s%d", (int)rj_prng_below(&p, 20),
                       "a-rather-long-prefix", (int)rj_prng_below(&p, 50));
        pair.field = rj_bytes_from_str(name);
        switch (rj_prng_below(&p, 4)) {
        case 0:
            assert_ok(rj_bucket_hdel(b, key, &pair.field, 1, &n));
            break;
        case 1:
            err = rj_bucket_hincr(b, key, pair.field, 5, &sum);
            assert_true(err == RJ_OK || err == RJ_ERANGE);
            break;
        default:
            assert_ok(rj_bucket_hset(b, key, &pair, 1, &n));
        }
        if (i % 100 == 99) {
            struct rj_writer w = {.dict_max = RJ_ORIGINS_MAX};

            nodes_run(t, 20);
            b = nodes_bucket(t, 0);
            assert_ok(b->kind.ops->give(&b->kind, &g, &w, &end, &keys));
            assert_true(map_of(t, key, RJ_PART_HASH)->bytes + 100 >= w.ops.len);
            assert_true(map_of(t, key, RJ_PART_HASH)->bytes < w.ops.len * 4 + 1000);
            rj_buf_done(&w.ops);
            free(w.dict);
        }
    }
    nodes_free(t);
}

TEST(a_full_key_takes_no_more_and_still_gives)
{
    struct nodes *t = start();
    struct rj_bytes set = RJ_BYTES_LIT("set"), hash = RJ_BYTES_LIT("hash"),
                    elems[2] = {RJ_BYTES_LIT("a"), RJ_BYTES_LIT("b")};
    struct rj_pair pair = {RJ_BYTES_LIT("f"), RJ_BYTES_LIT("1")};
    uint64_t n;
    int64_t sum;

    assert_ok(rj_bucket_sadd(nodes_bucket(t, 0), set, elems, 1, &n));
    assert_ok(rj_bucket_hset(nodes_bucket(t, 0), hash, &pair, 1, &n));
    map_of(t, set, RJ_PART_SET)->bytes += RJ_KEY_BYTES_MAX;
    map_of(t, hash, RJ_PART_HASH)->bytes += RJ_KEY_BYTES_MAX;
    assert_err(RJ_ELIMIT, rj_bucket_sadd(nodes_bucket(t, 0), set, elems + 1, 1, &n));
    assert_err(RJ_ELIMIT, rj_bucket_sadd(nodes_bucket(t, 0), set, elems, 2, &n));
    assert_err(RJ_ELIMIT, rj_bucket_hset(nodes_bucket(t, 0), hash, &pair, 1, &n));
    assert_err(RJ_ELIMIT, rj_bucket_hincr(nodes_bucket(t, 0), hash, pair.field, 1, &sum));
    assert_ok(rj_bucket_srem(nodes_bucket(t, 0), set, elems, 2, &n));
    assert_int_equal(n, 1);
    assert_ok(rj_bucket_set(nodes_bucket(t, 0), hash, RJ_BYTES_LIT("v"), NULL));
    nodes_run(t, 1000);
    nodes_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_larger_than_a_frame_is_taken_over),
        cmocka_unit_test(a_key_that_more_origins_wrote_than_a_batch_names_is_taken_over),
        cmocka_unit_test(a_map_counts_what_it_takes_to_send_it),
        cmocka_unit_test(a_full_key_takes_no_more_and_still_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
