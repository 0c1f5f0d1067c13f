/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cbor.h"
#include "causal/stamp.h"
#include "crdt/dotcode.h"
#include "crdt/register.h"
#include "support/test.h"

static struct rj_run some_run(void)
{
    return (struct rj_run){
        .d = {.seq = 9, .stamp = 77, .deadline = 5, .origin = 3, .sort = RJ_DOTTED_RUN},
        .epoch = 4,
        .cum = -1234567890123,
        .floor_seq = 6,
        .floor_cum = 42,
        .setter = {.stamp = 99, .dot = {.seq = 8, .origin = 300}}};
}

static struct rj_run based_run(void)
{
    return (struct rj_run){
        .d = {.seq = 2, .stamp = 1, .origin = 0, .sort = RJ_DOTTED_RUN},
        .epoch = 2,
        .cum = INT64_MIN,
        .base = {.seq = 1, .origin = 3}};
}

static struct rj_version *some_version(const char *value)
{
    struct rj_rank rank = {.stamp = RJ_STAMP_MAX,
                           .dot = {.seq = RJ_SEQ_MAX, .origin = 3}};
    struct rj_version *v = rj_version_new(strlen(value));

    assert_non_null(v);
    rj_version_set(v, &rank, 123, rj_bytes_from_str(value));
    return v;
}

static void assert_runs_equal(const struct rj_run *a, const struct rj_run *b)
{
    assert_int_equal(a->d.seq, b->d.seq);
    assert_int_equal(a->d.origin, b->d.origin);
    assert_int_equal(a->d.stamp, b->d.stamp);
    assert_int_equal(a->d.deadline, b->d.deadline);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->cum, b->cum);
    assert_int_equal(a->floor_seq, b->floor_seq);
    assert_int_equal(a->floor_cum, b->floor_cum);
    assert_true(rj_dot_is(a->base, b->base));
    assert_true(rj_dot_is(a->setter.dot, b->setter.dot));
    assert_int_equal(a->setter.stamp, b->setter.stamp);
}

/* Encodes three writes, by indexes or by numbers, and reads them again. */
static void round_trip(struct rj_writer *w)
{
    struct rj_run a = some_run(), b = based_run();
    struct rj_version *v = some_version("hello");
    struct rj_dotcode_names out = {.writer = w}, in = {.n = 301};
    struct rj_dotted *first = NULL;
    struct rj_buf buf = {0};
    struct rj_dotcode code;
    struct rj_reader r;

    rj_dotfun_push(&first, &a.d);
    rj_dotfun_push(&first, &b.d);
    rj_dotfun_push(&first, &v->d);
    assert_ok(rj_dotcode_put(&buf, first, &out));
    assert_true(rj_cbor_is_valid(rj_buf_view(&buf)));
    if (w != NULL) {
        in.dict = w->dict;
        in.n = w->dict_n;
    }
    r = rj_reader_of(rj_buf_view(&buf));
    assert_int_equal(rj_dotcode_peek(r, &in), 5);
    assert_int_equal(rj_cbor_get_array(&r), 3);
    rj_dotcode_get(&r, &in, &code);
    assert_false(code.is_run);
    assert_bytes_equal(code.value, RJ_BYTES_LIT("hello"));
    assert_int_equal(code.run.d.seq, RJ_SEQ_MAX);
    assert_int_equal(code.run.d.origin, 3);
    rj_dotcode_get(&r, &in, &code);
    assert_true(code.is_run);
    assert_runs_equal(&code.run, &b);
    rj_dotcode_get(&r, &in, &code);
    assert_runs_equal(&code.run, &a);
    assert_true(rj_reader_complete(&r));
    free(v);
    rj_buf_done(&buf);
}

TEST(what_is_written_is_read_again_by_indexes_and_by_numbers)
{
    struct rj_writer w = {.self = UINT32_MAX};

    round_trip(NULL);
    round_trip(&w);
    assert_int_equal(w.dict_n, 3);
    free(w.dict);
}

/* Encodes run as it is, sound or not; true iff it can be read. */
static bool is_read(const struct rj_run *run)
{
    struct rj_dotcode_names out = {0}, in = {.n = 301};
    struct rj_dotted *first = NULL;
    struct rj_run copy = *run;
    struct rj_buf buf = {0};
    struct rj_dotcode code;
    struct rj_reader r;
    bool good;

    rj_dotfun_push(&first, &copy.d);
    assert_ok(rj_dotcode_put(&buf, first, &out));
    r = rj_reader_of(rj_buf_view(&buf));
    (void)rj_cbor_get_array(&r);
    rj_dotcode_get(&r, &in, &code);
    good = rj_reader_complete(&r);
    rj_buf_done(&buf);
    return good;
}

TEST(runs_that_cannot_be_are_refused)
{
    struct rj_run r = some_run();

    assert_true(is_read(&r));
    r.d.origin = 301; /* no such origin */
    assert_false(is_read(&r));
    r = some_run();
    r.epoch = 0;
    assert_false(is_read(&r));
    r.epoch = 10; /* after its last increment */
    assert_false(is_read(&r));
    r = some_run();
    r.floor_seq = 10;
    assert_false(is_read(&r));
    r.floor_seq = 3; /* before its first increment */
    assert_false(is_read(&r));
    r.floor_seq = 9; /* all of it, but another sum */
    assert_false(is_read(&r));
    r.floor_cum = r.cum;
    assert_true(is_read(&r));
    r.floor_seq = 0;
    assert_false(is_read(&r));
    r = some_run();
    r.d.stamp = RJ_STAMP_MAX + 1;
    assert_false(is_read(&r));
    r = based_run();
    assert_true(is_read(&r));
    r.floor_seq = 2;
    r.floor_cum = r.cum;
    assert_false(is_read(&r));
    r = based_run();
    r.setter = (struct rj_rank){.stamp = 1, .dot = {.seq = 1, .origin = 1}};
    assert_false(is_read(&r));
}

TEST(a_list_can_be_written_in_pieces)
{
    struct rj_run a = some_run(), b = based_run();
    struct rj_dotcode_names names = {.n = 301};
    struct rj_version *v = rj_version_new(1000);
    struct rj_dotted *first = NULL;
    struct rj_buf whole = {0}, piece = {0};

    assert_non_null(v);
    v->d.seq = 1;
    v->len = 1000;
    memset(v->value, 'x', 1000);
    rj_dotfun_push(&first, &a.d);
    rj_dotfun_push(&first, &v->d);
    rj_dotfun_push(&first, &b.d);
    assert_null(rj_dotcode_fit(first, 2000));
    assert_ptr_equal(rj_dotcode_fit(first, 500), &v->d);
    assert_ptr_equal(rj_dotcode_fit(&v->d, 500), &a.d); /* one at least */
    assert_null(rj_dotcode_fit(&a.d, 1));
    assert_null(rj_dotcode_fit(NULL, 1));
    assert_ok(rj_dotcode_put(&whole, first, &names));
    assert_ok(rj_dotcode_put_until(&piece, first, &v->d, &names));
    assert_ok(rj_dotcode_put_until(&piece, &v->d, NULL, &names));
    assert_int_equal(piece.len, whole.len + 1); /* the head of another array */
    assert_in_range(whole.len, 1000, 2000);
    rj_buf_done(&whole);
    rj_buf_done(&piece);
    free(v);
}

TEST(every_truncation_is_refused)
{
    struct rj_run a = some_run();
    struct rj_dotcode_names names = {.n = 301};
    struct rj_dotted *first = NULL;
    struct rj_buf buf = {0};

    rj_dotfun_push(&first, &a.d);
    assert_ok(rj_dotcode_put(&buf, first, &names));
    for (size_t len = 0; len < buf.len; len++) {
        struct rj_reader r = rj_reader_of(rj_bytes_of(buf.ptr, len));
        struct rj_dotcode code;

        (void)rj_cbor_get_array(&r);
        rj_dotcode_get(&r, &names, &code);
        assert_true(r.failed);
    }
    rj_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again_by_indexes_and_by_numbers),
        cmocka_unit_test(runs_that_cannot_be_are_refused),
        cmocka_unit_test(a_list_can_be_written_in_pieces),
        cmocka_unit_test(every_truncation_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
