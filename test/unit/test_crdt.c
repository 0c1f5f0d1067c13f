/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"
#include "support/crdt_value.h"

#include <rejoin/crdt.h>
#include <string.h>

enum { MUTATIONS = 400 };

static const struct rj_bytes keys[4] = {{(const uint8_t *)"x", 1},
                                        {(const uint8_t *)"xy", 2},
                                        {(const uint8_t *)"", 0},
                                        {(const uint8_t *)"\xff", 1}};

/* ---- removals on behalf of a reader */

TEST(a_removal_for_a_reader_leaves_other_places_alone)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a"), *b = crdt_new(RJ_CRDT_ORSET, "b");
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

TEST(what_a_replica_says_again_for_a_reader_stands_once)
{
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = RJ_CRDT_EWFLAG};
    struct rj_crdt *a = crdt_new(RJ_CRDT_EWFLAG, "a");
    struct rj_crdt *b = crdt_new(RJ_CRDT_EWFLAG, "b");
    struct rj_crdt *copy = NULL;
    struct rj_crdt_buf context = {0}, bytes = {0};
    struct rj_crdt_op op = {
        .size = sizeof(op), .code = RJ_CRDT_ENABLE, .flags = RJ_CRDT_CAUSED};
    struct rj_crdt_row row;
    uint64_t cursor = 0;
    int i;

    assert_ok(rj_crdt_context(b, &context)); /* who has seen nothing */
    op.context = rj_crdt_bytes(&context);
    for (i = 0; i < 5; i++)
        assert_ok(rj_crdt_write(a, &op, NULL));
    assert_ok(rj_crdt_next(a, &cursor, &row));
    assert_err(RJ_ENOENT, rj_crdt_next(a, &cursor, &row));
    assert_ok(rj_crdt_encode(a, &bytes));
    assert_ok(rj_crdt_decode(&opts, rj_crdt_bytes(&bytes), &copy));
    assert_same(a, copy);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_free(copy);
    rj_crdt_buf_free(&context);
    rj_crdt_buf_free(&bytes);
}

TEST(counters_do_not_wrap)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_GCOUNTER, "a"),
                   *b = crdt_new(RJ_CRDT_GCOUNTER, "b");
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
    struct rj_crdt *v = crdt_new(RJ_CRDT_ORMAP, name);
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
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a"),
                   *b = crdt_new(RJ_CRDT_GCOUNTER, "b");
    struct rj_crdt *c = NULL;
    struct rj_crdt_buf bytes = {0};

    opts.rules =
        (struct rj_crdt_rules){.size = sizeof(opts.rules), .bias = RJ_CRDT_BIAS_REMOVE};
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
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a"), *b = crdt_new(RJ_CRDT_ORSET, "b"),
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

/* ---- stamps */

struct clocks {
    uint64_t time[RJ_CRDT_SOURCES]; /* 0: not known */
};

static bool read_clock(void *user, enum rj_crdt_source source, uint64_t *ret_time)
{
    const struct clocks *clocks = user;

    *ret_time = clocks->time[source];
    return *ret_time != 0;
}

static uint64_t stamp_of(struct rj_crdt *v, const struct rj_crdt_op *op)
{
    struct rj_crdt_row row;
    uint64_t cursor = 0;

    assert_ok(rj_crdt_write(v, op, NULL));
    assert_ok(rj_crdt_next(v, &cursor, &row));
    return row.stamp;
}

TEST(the_first_clock_that_knows_is_asked_and_no_stamp_goes_back)
{
    struct clocks clocks = {{70, 60, 50}};
    struct rj_crdt_clock clock = {read_clock, &clocks};
    struct rj_crdt_opts opts = {
        .size = sizeof(opts), .type = RJ_CRDT_LWWREG, .clock = &clock};
    struct rj_crdt_op op = {
        .size = sizeof(op), .code = RJ_CRDT_SET, .flags = RJ_CRDT_NOW, .stamp = 999};
    struct rj_crdt *v = NULL;

    opts.replica = rj_bytes_from_str("a");
    assert_ok(rj_crdt_new(&opts, &v));
    op.value = keys[0];
    assert_int_equal(stamp_of(v, &op), 70);
    clocks.time[RJ_CRDT_SERVER] = 0;
    assert_int_equal(stamp_of(v, &op), 71); /* the satellite's 60 is behind */
    clocks.time[RJ_CRDT_GPS] = 100;
    assert_int_equal(stamp_of(v, &op), 100);
    clocks = (struct clocks){0};
    op.value = keys[1];
    assert_int_equal(stamp_of(v, &op), 101); /* nobody knows the time */
    op.flags = 0;
    op.stamp = UINT64_MAX;
    assert_int_equal(stamp_of(v, &op), UINT64_MAX);
    op.flags = RJ_CRDT_NOW;
    assert_err(RJ_ERANGE, rj_crdt_write(v, &op, NULL));
    rj_crdt_free(v);
}

/* ---- what another lacks */

static void put(struct rj_crdt *v, const char *id, uint64_t stamp,
                struct rj_crdt_buf *delta)
{
    struct rj_bytes key = rj_bytes_from_str(id);
    struct rj_crdt_op op = {.size = sizeof(op),
                            .code = RJ_CRDT_PUT,
                            .keys = &key,
                            .n_keys = 1,
                            .stamp = stamp};

    op.value = rj_bytes_from_str(stamp > 5 ? "new" : "old");
    assert_ok(rj_crdt_write(v, &op, delta));
}

TEST(a_scoped_answer_has_only_what_won_against_what_was_sent)
{
    struct rj_crdt *server = crdt_new(RJ_CRDT_OURSET, "s"),
                   *phone = crdt_new(RJ_CRDT_OURSET, "p");
    struct rj_crdt_buf sent = {0}, answer = {0};
    struct rj_crdt_report report = {0};

    put(server, "id1", 9, NULL);
    put(server, "id2", 1, NULL);
    put(server, "id3", 4, NULL);
    put(phone, "id1", 5, NULL);
    put(phone, "id2", 6, NULL);
    assert_ok(rj_crdt_encode(phone, &sent));
    assert_ok(rj_crdt_join_bytes(server, rj_crdt_bytes(&sent), NULL));
    assert_ok(rj_crdt_diff_scoped(server, rj_crdt_bytes(&sent), &answer));
    assert_ok(rj_crdt_join_bytes(phone, rj_crdt_bytes(&answer), &report));
    assert_int_equal(report.taken, 1);
    assert_int_equal(report.known, 0);
    assert_shows(phone, "{\"id1\":\"new\",\"id2\":\"new\"}");
    assert_shows(server, "{\"id1\":\"new\",\"id2\":\"new\",\"id3\":\"old\"}");
    rj_crdt_free(server);
    rj_crdt_free(phone);
    rj_crdt_buf_free(&sent);
    rj_crdt_buf_free(&answer);
}

TEST(a_scoped_answer_tells_what_is_gone)
{
    struct rj_crdt *server = crdt_new(RJ_CRDT_ORSET, "s"),
                   *phone = crdt_new(RJ_CRDT_ORSET, "p");
    struct rj_crdt_buf sent = {0}, answer = {0};

    assert_ok(rj_crdt_add(phone, keys[0], &sent));
    assert_ok(rj_crdt_join(server, phone, NULL));
    assert_ok(rj_crdt_remove(server, keys[0], NULL));
    assert_ok(rj_crdt_add(server, keys[1], NULL));
    assert_ok(rj_crdt_diff_scoped(server, rj_crdt_bytes(&sent), &answer));
    assert_ok(rj_crdt_join_bytes(phone, rj_crdt_bytes(&answer), NULL));
    assert_shows(phone, "[]");
    rj_crdt_free(server);
    rj_crdt_free(phone);
    rj_crdt_buf_free(&sent);
    rj_crdt_buf_free(&answer);
}

TEST(equal_values_have_the_same_rows_and_context)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a"), *b = crdt_new(RJ_CRDT_ORSET, "b");
    struct rj_crdt_buf deltas[2] = {{0}, {0}}, both = {0};
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = RJ_CRDT_ORSET};
    struct rj_bytes views[2];

    assert_ok(rj_crdt_add(a, keys[0], &deltas[0]));
    assert_ok(rj_crdt_add(a, keys[1], &deltas[1]));
    views[0] = rj_crdt_bytes(&deltas[1]);
    views[1] = rj_crdt_bytes(&deltas[0]);
    assert_false(rj_crdt_equal(a, b));
    assert_ok(rj_crdt_join_deltas(&opts, views, 2, &both));
    assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&both), NULL));
    assert_true(rj_crdt_equal(a, b) && rj_crdt_equal(b, a));
    assert_ok(rj_crdt_remove(b, keys[0], NULL));
    assert_ok(rj_crdt_add(a, keys[0], NULL));
    assert_false(rj_crdt_equal(a, b));
    assert_ok(rj_crdt_join(a, b, NULL));
    assert_ok(rj_crdt_join(b, a, NULL));
    assert_true(rj_crdt_equal(a, b));
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&deltas[0]);
    rj_crdt_buf_free(&deltas[1]);
    rj_crdt_buf_free(&both);
}

TEST(who_takes_a_state_over_does_not_write_under_a_name_in_use)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_ORSET, "a");

    assert_ok(rj_crdt_add(a, keys[0], NULL));
    assert_err(RJ_EEXIST, rj_crdt_rename(a, rj_bytes_from_str("a"), false));
    assert_ok(rj_crdt_rename(a, rj_bytes_from_str("a"), true));
    assert_ok(rj_crdt_rename(a, rj_bytes_from_str("a2"), false));
    assert_ok(rj_crdt_add(a, keys[1], NULL));
    assert_true(rj_crdt_has_seen(a, rj_bytes_from_str("a2"), 1));
    assert_false(rj_crdt_has_seen(a, rj_bytes_from_str("a"), 2));
    assert_ok(rj_crdt_rename(a, rj_bytes_from_str(""), false));
    assert_err(RJ_EINVAL, rj_crdt_add(a, keys[1], NULL));
    rj_crdt_free(a);
}

TEST(places_of_a_map_are_read_by_path_and_type)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_ORMAP, "a");
    struct rj_crdt_op op = {.size = sizeof(op), .path = keys, .n_path = 2, .keys = keys};
    struct rj_crdt_where where = {keys, 2, RJ_CRDT_ORSET};
    uint64_t n = 0;
    int64_t sum = 0;
    bool is = true;

    op.code = RJ_CRDT_ADD;
    op.at = RJ_CRDT_ORSET;
    op.n_keys = 2;
    assert_ok(rj_crdt_write(v, &op, NULL));
    op.code = RJ_CRDT_INC;
    op.at = RJ_CRDT_PNCOUNTER;
    op.amount = -4;
    assert_ok(rj_crdt_write(v, &op, NULL));
    assert_ok(rj_crdt_count(v, &where, &n));
    assert_int_equal(n, 2);
    assert_ok(rj_crdt_contains(v, &where, keys[1], &is));
    assert_true(is);
    assert_ok(rj_crdt_contains(v, &where, keys[2], &is));
    assert_false(is);
    assert_err(RJ_EINVAL, rj_crdt_int(v, &where, &sum));
    where.at = RJ_CRDT_PNCOUNTER;
    assert_ok(rj_crdt_int(v, &where, &sum));
    assert_int_equal(sum, -4);
    where.at = RJ_CRDT_DWFLAG;
    assert_ok(rj_crdt_flag(v, &where, &is));
    assert_true(is); /* it starts so */
    op.at = RJ_CRDT_VV;
    assert_err(RJ_ETYPE, rj_crdt_write(v, &op, NULL));
    rj_crdt_free(v);
}

/* ---- memory */

/* One change of each sort at two replicas, and what they tell each other. */
static enum rj_err use_type(enum rj_crdt_type type, enum rj_crdt_code code,
                            enum rj_crdt_code away)
{
    struct rj_crdt *a = NULL, *b = NULL;
    struct rj_crdt_buf delta = {0}, context = {0};
    struct rj_crdt_op op = {.size = sizeof(op), .keys = keys, .n_keys = 1, .amount = 2};
    enum rj_err err = crdt_make(type, "a", &a);

    op.path = keys;
    op.n_path = 1;
    op.at = RJ_CRDT_RCOUNTER; /* of a map */
    op.code = code;
    if (err == RJ_OK)
        err = crdt_make(type, "b", &b);
    if (err == RJ_OK)
        err = rj_crdt_write(a, &op, &delta);
    if (err == RJ_OK)
        err = rj_crdt_context(a, &context);
    op.code = away;
    op.at = RJ_CRDT_NONE;
    if (away == RJ_CRDT_REMOVE || away == RJ_CRDT_RESET) {
        op.flags = RJ_CRDT_CAUSED;
        op.context = rj_crdt_bytes(&context);
    }
    if (err == RJ_OK)
        err = rj_crdt_write(b, &op, NULL);
    if (err == RJ_OK)
        err = rj_crdt_join_bytes(b, rj_crdt_bytes(&delta), NULL);
    if (err == RJ_OK)
        err = rj_crdt_json(b, &context);
    if (err == RJ_OK)
        err = rj_crdt_diff_scoped(b, rj_crdt_bytes(&delta), &context);
    if (err == RJ_OK)
        err = rj_crdt_digest(a, &delta);
    if (err == RJ_OK)
        err = rj_crdt_diff(b, rj_crdt_bytes(&delta), &context);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&delta);
    rj_crdt_buf_free(&context);
    return err;
}

static enum rj_err use(void *ctx)
{
    static const struct {
        enum rj_crdt_type type;
        enum rj_crdt_code code, away;
    } uses[] = {{RJ_CRDT_ORSET, RJ_CRDT_ADD, RJ_CRDT_REMOVE},
                {RJ_CRDT_RCOUNTER, RJ_CRDT_INC, RJ_CRDT_RESET},
                {RJ_CRDT_BCOUNTER, RJ_CRDT_INC, RJ_CRDT_INC},
                {RJ_CRDT_LWWSET, RJ_CRDT_ADD, RJ_CRDT_ADD},
                {RJ_CRDT_OURSET, RJ_CRDT_PUT, RJ_CRDT_PUT},
                {RJ_CRDT_LWWMAP, RJ_CRDT_PUT, RJ_CRDT_REMOVE},
                {RJ_CRDT_ORMAP, RJ_CRDT_INC, RJ_CRDT_REMOVE},
                {RJ_CRDT_MVREG, RJ_CRDT_SET, RJ_CRDT_SET},
                {RJ_CRDT_VV, RJ_CRDT_INC, RJ_CRDT_INC}};
    enum rj_err err = RJ_OK;
    size_t i;

    (void)ctx;
    for (i = 0; err == RJ_OK && i < sizeof(uses) / sizeof(uses[0]); i++)
        err = use_type(uses[i].type, uses[i].code, uses[i].away);
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
        cmocka_unit_test(what_a_replica_says_again_for_a_reader_stands_once),
        cmocka_unit_test(counters_do_not_wrap),
        cmocka_unit_test(damaged_bytes_are_refused_or_make_a_sound_value),
        cmocka_unit_test(values_of_other_types_and_rules_are_not_joined),
        cmocka_unit_test(a_value_is_taken_over_under_any_name),
        cmocka_unit_test(the_first_clock_that_knows_is_asked_and_no_stamp_goes_back),
        cmocka_unit_test(a_scoped_answer_has_only_what_won_against_what_was_sent),
        cmocka_unit_test(a_scoped_answer_tells_what_is_gone),
        cmocka_unit_test(equal_values_have_the_same_rows_and_context),
        cmocka_unit_test(who_takes_a_state_over_does_not_write_under_a_name_in_use),
        cmocka_unit_test(places_of_a_map_are_read_by_path_and_type),
        cmocka_unit_test(every_lack_of_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
