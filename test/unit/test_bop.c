/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cbor.h"
#include "bucket/bop.h"
#include "causal/stamp.h"
#include "support/test.h"

/* A writer of origin 5 that names 5, 8, 2, 9 by the numbers 0 to 3. */
struct fixture {
    struct rj_writer w;
    struct rj_bop op;
};

static void open(struct fixture *f)
{
    static const uint32_t origins[] = {5, 8, 2, 9};
    uint32_t number;

    *f = (struct fixture){.w = {.self = 5, .first = 100}};
    for (size_t i = 0; i < 4; i++)
        assert_ok(rj_writer_dict(&f->w, origins[i], &number));
}

static void done(struct fixture *f)
{
    rj_bop_done(&f->op);
    rj_buf_done(&f->w.ops);
    free(f->w.dict);
}

static enum rj_err decode(struct fixture *f, struct rj_bytes bytes, struct rj_bop *ret)
{
    struct rj_bop_source source = {
        .dict = f->w.dict, .dict_n = f->w.dict_n, .dot = {.seq = 100, .origin = 5}};
    struct rj_reader r = rj_reader_of(bytes);
    enum rj_err err = rj_bop_get(ret, &r, &source);

    return err == RJ_OK && !rj_reader_complete(&r) ? RJ_ECORRUPT : err;
}

static void see(struct rj_seen *seen, uint32_t origin, uint64_t seq)
{
    assert_ok(rj_seen_add(seen, (struct rj_dot){.seq = seq, .origin = origin}));
}

static void reset(struct rj_resets *resets, uint32_t origin, uint64_t epoch)
{
    struct rj_reset r = {
        .epoch = epoch, .seq = epoch + 2, .cum = -7, .deadline = 1000, .origin = origin};

    assert_ok(rj_resets_add(resets, &r));
}

static void fill_whole(struct rj_whole *whole)
{
    see(&whole->seen, 9, 4);
    see(&whole->seen, 2, 50);
    see(&whole->seen, 5, 99);
    reset(&whole->place, 9, 3);
    reset(&whole->place, 8, 7);
    reset(&whole->place, 8, 1);
    assert_ok(rj_whole_field(whole, RJ_BYTES_LIT("")));
    reset(&whole->fields, 2, 1);
    whole->names[0].n = 1;
    assert_ok(rj_whole_field(whole, RJ_BYTES_LIT("field")));
    reset(&whole->fields, 9, 1);
    reset(&whole->fields, 5, 1);
    whole->names[1].n = 2;
}

/* An operation with something in every part that its code has. */
static void fill(struct rj_bop *op, enum rj_bop_code code)
{
    rj_bop_clear(op);
    op->code = code;
    op->key = RJ_BYTES_LIT("key");
    op->has_name = code != RJ_BOP_SET && code != RJ_BOP_DEL;
    op->name = RJ_BYTES_LIT("name");
    op->value = RJ_BYTES_LIT("value");
    op->deadline = 123456789012;
    fill_whole(&op->whole);
    if (code == RJ_BOP_SET || code == RJ_BOP_DEL)
        return;
    see(&op->seen, 8, 3);
    see(&op->seen, 2, 1);
    if (code == RJ_BOP_HSET || code == RJ_BOP_HDEL)
        reset(&op->resets, 9, 2);
    if (code == RJ_BOP_CARRY) {
        struct rj_run run = {.d = {.seq = 9, .origin = 9}, .epoch = 3, .cum = 8};

        assert_ok(rj_carried_add(&op->carried, &run));
        run.d.origin = 8;
        run.floor_seq = 8;
        run.floor_cum = -8;
        assert_ok(rj_carried_add(&op->carried, &run));
    }
    if (code == RJ_BOP_INCR) {
        op->epoch = 90;
        op->prev = 95;
        op->before = -10;
        op->delta = 30;
        op->floor_seq = 92;
        op->floor_cum = INT64_MIN;
        op->touch = true;
        op->touched_deadline = 7;
        op->touched_setter =
            (struct rj_rank){.stamp = 9, .dot = {.seq = 91, .origin = 8}};
    }
}

static void assert_seen_equal(const struct rj_seen *a, const struct rj_seen *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->pairs[i].origin, b->pairs[i].origin);
        assert_int_equal(a->pairs[i].seq, b->pairs[i].seq);
        assert_int_equal(a->pairs[i].from, b->pairs[i].from);
    }
}

/* Both were sorted by the encoding. */
static void assert_resets_equal(const struct rj_resets *a, const struct rj_resets *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->items[i].origin, b->items[i].origin);
        assert_int_equal(a->items[i].epoch, b->items[i].epoch);
        assert_int_equal(a->items[i].seq, b->items[i].seq);
        assert_int_equal(a->items[i].cum, b->items[i].cum);
        assert_int_equal(a->items[i].deadline, b->items[i].deadline);
    }
}

static void assert_ops_equal(const struct rj_bop *a, const struct rj_bop *b)
{
    assert_int_equal(a->code, b->code);
    assert_bytes_equal(a->key, b->key);
    if (a->has_name)
        assert_bytes_equal(a->name, b->name);
    assert_seen_equal(&a->seen, &b->seen);
    assert_seen_equal(&a->bounds, &b->bounds);
    assert_resets_equal(&a->resets, &b->resets);
    assert_seen_equal(&a->whole.seen, &b->whole.seen);
    assert_resets_equal(&a->whole.place, &b->whole.place);
    assert_resets_equal(&a->whole.fields, &b->whole.fields);
    assert_int_equal(a->whole.n_names, b->whole.n_names);
    for (size_t i = 0; i < a->whole.n_names; i++) {
        assert_bytes_equal(a->whole.names[i].name, b->whole.names[i].name);
        assert_int_equal(a->whole.names[i].from, b->whole.names[i].from);
        assert_int_equal(a->whole.names[i].n, b->whole.names[i].n);
    }
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->prev, b->prev);
    assert_int_equal(a->before, b->before);
    assert_int_equal(a->delta, b->delta);
    assert_int_equal(a->floor_seq, b->floor_seq);
    assert_int_equal(a->floor_cum, b->floor_cum);
    assert_int_equal(a->touch, b->touch);
    assert_int_equal(a->touched_deadline, b->touched_deadline);
    assert_true(rj_dot_is(a->touched_setter.dot, b->touched_setter.dot));
    assert_int_equal(a->carried.n, b->carried.n);
    for (size_t i = 0; i < a->carried.n; i++) {
        assert_int_equal(a->carried.items[i].d.origin, b->carried.items[i].d.origin);
        assert_int_equal(a->carried.items[i].cum, b->carried.items[i].cum);
        assert_int_equal(a->carried.items[i].floor_cum, b->carried.items[i].floor_cum);
    }
}

TEST(every_operation_is_read_as_it_was_written)
{
    for (unsigned code = RJ_BOP_SET; code < RJ_BOP_CODES; code++) {
        struct rj_bop back = {0};
        struct fixture f;

        if (code == RJ_BOP_AGAIN)
            continue;
        open(&f);
        fill(&f.op, code == RJ_BOP_FORGET ? RJ_BOP_SREM : (enum rj_bop_code)code);
        f.op.code = (enum rj_bop_code)code;
        if (code == RJ_BOP_FORGET) {
            f.op.has_name = false;
            f.op.whole.place.n = f.op.whole.fields.n = f.op.whole.n_names = 0;
        }
        if (code % 2 == 0) {
            see(&f.op.bounds, 9, 2);
            rj_bop_bind(&f.op);
        }
        assert_ok(rj_bop_put(&f.op, &f.w));
        assert_true(f.w.ops.len <= rj_bop_room(&f.op));
        assert_true(rj_cbor_is_valid(rj_buf_view(&f.w.ops)));
        assert_ok(decode(&f, rj_buf_view(&f.w.ops), &back));
        assert_ops_equal(&f.op, &back);
        if (code == RJ_BOP_SET || code == RJ_BOP_HSET)
            assert_bytes_equal(back.value, RJ_BYTES_LIT("value"));
        rj_bop_done(&back);
        done(&f);
    }
}

/* Bytes of the empty forms, as doc/format.md has them. */
TEST(the_plainest_operations_have_the_documented_bytes)
{
    static const uint8_t set[] = {0x85, 0x01, 0x41, 'k', 0x41, 'v', 0x00, 0xf6};
    static const uint8_t sadd[] = {0x86, 0x04, 0x41, 'k', 0x41, 'e', 0x00, 0x80, 0xf6};
    static const uint8_t incr[] = {0x8e, 0x03, 0x41, 'k',  0xf6, 0xf6, 0x18, 100, 0x00,
                                   0x00, 0x20, 0xf6, 0xf6, 0x00, 0x80, 0x80, 0xf6};
    struct fixture f;

    open(&f);
    f.op = (struct rj_bop){
        .code = RJ_BOP_SET, .key = RJ_BYTES_LIT("k"), .value = RJ_BYTES_LIT("v")};
    assert_ok(rj_bop_put(&f.op, &f.w));
    assert_bytes_equal(rj_buf_view(&f.w.ops), RJ_BYTES_OF(set));
    rj_buf_clear(&f.w.ops);
    f.op.code = RJ_BOP_SADD;
    f.op.key = RJ_BYTES_LIT("k");
    f.op.name = RJ_BYTES_LIT("e");
    assert_ok(rj_bop_put(&f.op, &f.w));
    assert_bytes_equal(rj_buf_view(&f.w.ops), RJ_BYTES_OF(sadd));
    rj_buf_clear(&f.w.ops);
    f.op.code = RJ_BOP_INCR;
    f.op.key = RJ_BYTES_LIT("k");
    f.op.epoch = 100;
    f.op.delta = -1;
    assert_ok(rj_bop_put(&f.op, &f.w));
    assert_bytes_equal(rj_buf_view(&f.w.ops), RJ_BYTES_OF(incr));
    done(&f);
}

TEST(every_truncation_is_refused)
{
    for (unsigned code = RJ_BOP_SET; code <= RJ_BOP_CARRY; code++) {
        struct rj_bop back = {0};
        struct fixture f;

        open(&f);
        fill(&f.op, (enum rj_bop_code)code);
        assert_ok(rj_bop_put(&f.op, &f.w));
        for (size_t len = 0; len < f.w.ops.len; len++)
            assert_err(RJ_ECORRUPT, decode(&f, rj_bytes_of(f.w.ops.ptr, len), &back));
        rj_bop_done(&back);
        done(&f);
    }
}

TEST(flipped_bits_are_refused_or_read_as_something_sound)
{
    for (unsigned code = RJ_BOP_SET; code <= RJ_BOP_CARRY; code++) {
        struct rj_bop back = {0};
        struct fixture f;

        open(&f);
        fill(&f.op, (enum rj_bop_code)code);
        assert_ok(rj_bop_put(&f.op, &f.w));
        for (size_t bit = 0; bit < 8 * f.w.ops.len; bit++) {
            enum rj_err err;

            f.w.ops.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
            err = decode(&f, rj_buf_view(&f.w.ops), &back);
            assert_true(err == RJ_OK || err == RJ_ECORRUPT || err == RJ_EUPGRADE);
            f.w.ops.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        rj_bop_done(&back);
        done(&f);
    }
}

/* One field of a sound INCR made unsound. */
typedef void spoil_fn(struct rj_bop *op);

static void spoil_epoch(struct rj_bop *op)
{
    op->epoch = 96;
}

static void spoil_prev(struct rj_bop *op)
{
    op->prev = 100;
}

static void spoil_first(struct rj_bop *op)
{
    op->prev = 0;
}

static void spoil_floor(struct rj_bop *op)
{
    op->floor_seq = 89;
}

static void spoil_floor_end(struct rj_bop *op)
{
    op->floor_seq = 95;
}

static void spoil_sum(struct rj_bop *op)
{
    op->before = INT64_MAX;
}

static void spoil_base(struct rj_bop *op)
{
    op->base = (struct rj_dot){.seq = 1, .origin = 8};
}

static void spoil_resets(struct rj_bop *op)
{
    reset(&op->resets, 8, 1);
}

static void spoil_own(struct rj_bop *op)
{
    see(&op->seen, 5, 100); /* its own dot, or a later one */
}

static void spoil_setter(struct rj_bop *op)
{
    op->touched_setter.dot = (struct rj_dot){.seq = 100, .origin = 5};
}

TEST(an_increment_must_fit_the_run_that_it_names)
{
    static spoil_fn *const spoils[] = {
        spoil_epoch, spoil_prev,   spoil_first, spoil_floor,  spoil_sum,
        spoil_base,  spoil_resets, spoil_own,   spoil_setter, spoil_floor_end};
    struct rj_bop back = {0};

    for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
        struct fixture f;

        open(&f);
        fill(&f.op, RJ_BOP_INCR);
        spoils[i](&f.op);
        assert_ok(rj_bop_put(&f.op, &f.w));
        assert_err(RJ_ECORRUPT, decode(&f, rj_buf_view(&f.w.ops), &back));
        done(&f);
    }
    rj_bop_done(&back);
}

static enum rj_err put_carry(const struct rj_run *run)
{
    struct rj_bop back = {0};
    struct fixture f;
    enum rj_err err;

    open(&f);
    fill(&f.op, RJ_BOP_CARRY);
    f.op.carried.items[0] = *run;
    assert_ok(rj_bop_put(&f.op, &f.w));
    err = decode(&f, rj_buf_view(&f.w.ops), &back);
    rj_bop_done(&back);
    done(&f);
    return err;
}

TEST(a_carried_run_has_one_sum_where_it_ends)
{
    struct rj_run run = {.d = {.seq = 9, .origin = 9}, .epoch = 3, .cum = 8};

    run.floor_seq = 9;
    run.floor_cum = 7;
    assert_err(RJ_ECORRUPT, put_carry(&run));
    run.floor_cum = 8;
    assert_ok(put_carry(&run));
    run.floor_seq = 2;
    assert_err(RJ_ECORRUPT, put_carry(&run));
    run.floor_seq = 10;
    assert_err(RJ_ECORRUPT, put_carry(&run));
    run.floor_seq = 0;
    assert_err(RJ_ECORRUPT, put_carry(&run));
}

TEST(no_sequence_is_beyond_the_last_one)
{
    static const uint64_t seqs[] = {RJ_SEQ_MAX, RJ_SEQ_MAX + 1, UINT64_MAX};

    for (size_t i = 0; i < 3; i++) {
        struct rj_run run = {.d = {.seq = seqs[i], .origin = 9}, .epoch = 3, .cum = 8};
        struct rj_bop back = {0};
        struct fixture f;

        assert_err(i == 0 ? RJ_OK : RJ_ECORRUPT, put_carry(&run));
        for (unsigned where = 0; where < 5; where++) {
            open(&f);
            fill(&f.op, where < 4 ? RJ_BOP_HSET : RJ_BOP_INCR);
            if (where == 0)
                f.op.seen.pairs[0].seq = seqs[i];
            else if (where == 1)
                f.op.resets.items[0].seq = seqs[i];
            else if (where == 2)
                f.op.whole.place.items[0].seq = seqs[i];
            else if (where == 3)
                f.op.whole.seen.pairs[0].seq = seqs[i];
            else
                f.op.touched_setter.dot.seq = seqs[i];
            assert_ok(rj_bop_put(&f.op, &f.w));
            assert_err(i == 0 ? RJ_OK : RJ_ECORRUPT,
                       decode(&f, rj_buf_view(&f.w.ops), &back));
            done(&f);
        }
        rj_bop_done(&back);
    }
}

TEST(the_stamp_of_a_setter_is_a_stamp)
{
    struct rj_bop back = {0};
    struct fixture f;

    open(&f);
    fill(&f.op, RJ_BOP_INCR);
    f.op.touched_setter.stamp = RJ_STAMP_MAX + 1;
    assert_ok(rj_bop_put(&f.op, &f.w));
    assert_err(RJ_ECORRUPT, decode(&f, rj_buf_view(&f.w.ops), &back));
    rj_bop_done(&back);
    done(&f);
}

/* Reads what fill wrote of HSET, at a receiver that has of origin 8 that much. */
static enum rj_err read_having(uint64_t of_8)
{
    struct rj_vv have = {0};
    struct rj_bop back = {0};
    struct fixture f;
    enum rj_err err;

    open(&f);
    fill(&f.op, RJ_BOP_HSET);
    assert_ok(rj_bop_put(&f.op, &f.w));
    assert_ok(rj_vv_put(&have, 2, 50));
    assert_ok(rj_vv_put(&have, 8, of_8));
    assert_ok(rj_vv_put(&have, 9, 5));
    {
        struct rj_bop_source source = {.dict = f.w.dict,
                                       .dict_n = f.w.dict_n,
                                       .dot = {.seq = 100, .origin = 5},
                                       .have = &have};
        struct rj_reader r = rj_reader_of(rj_buf_view(&f.w.ops));

        err = rj_bop_get(&back, &r, &source);
    }
    rj_vv_done(&have);
    rj_bop_done(&back);
    done(&f);
    return err;
}

TEST(a_write_waits_for_what_it_names)
{
    assert_err(RJ_EGAP, read_having(0));
    assert_err(RJ_EGAP, read_having(8)); /* a reset there tells of 7 to 9 */
    assert_ok(read_having(9));
}

/* Encodings made by hand: [code, key, ...]. */
static void assert_refused(enum rj_err expected, const uint8_t *bytes, size_t len)
{
    struct rj_bop back = {0};
    struct fixture f;

    open(&f);
    assert_err(expected, decode(&f, rj_bytes_of(bytes, len), &back));
    rj_bop_done(&back);
    done(&f);
}

TEST(what_has_another_form_is_refused)
{
    static const uint8_t long_head[] = {0x85, 0x18, 0x01, 0x41, 'k', 0x41, 'v', 0, 0xf6};
    static const uint8_t few_items[] = {0x84, 0x01, 0x41, 'k', 0x41, 'v', 0x00};
    static const uint8_t code_0[] = {0x83, 0x00, 0x41, 'k', 0xf6};
    static const uint8_t code_11[] = {0x83, 0x0b, 0x41, 'k', 0xf6};
    static const uint8_t forgets_nothing[] = {0x84, 0x0a, 0x41, 'k', 0x80, 0xf6};
    static const uint8_t forgets_a_run[] = {0x84, 0x0a, 0x41, 'k', 0x80, 0x83, 0x82, 1, 1,
                                            0x85, 1,    1,    1,   0,    0,    0x80};
    static const uint8_t text_key[] = {0x83, 0x02, 0x61, 'k', 0xf6};
    static const uint8_t empty_whole[] = {0x83, 0x02, 0x41, 'k', 0x83, 0x80, 0x80, 0x80};
    static const uint8_t number_4[] = {0x83, 0x02, 0x41, 'k',  0x83,
                                       0x82, 4,    1,    0x80, 0x80};
    static const uint8_t seq_0[] = {0x83, 0x02, 0x41, 'k', 0x83, 0x82, 1, 0, 0x80, 0x80};
    static const uint8_t odd[] = {0x83, 0x02, 0x41, 'k', 0x83, 0x81, 1, 0x80, 0x80};
    static const uint8_t twice[] = {0x83, 0x02, 0x41, 'k', 0x83, 0x84,
                                    1,    1,    1,    2,   0x80, 0x80};
    static const uint8_t again_no_bound[] = {0x83, 0x09, 0x80, 0x83,
                                             0x02, 0x41, 'k',  0xf6};
    static const uint8_t again_again[] = {0x83, 0x09, 0x82, 1, 1,    0x83, 0x09, 0x82,
                                          1,    1,    0x83, 2, 0x41, 'k',  0xf6};

    assert_refused(RJ_ECORRUPT, long_head, sizeof(long_head));
    assert_refused(RJ_ECORRUPT, few_items, sizeof(few_items));
    assert_refused(RJ_ECORRUPT, code_0, sizeof(code_0));
    assert_refused(RJ_EUPGRADE, code_11, sizeof(code_11));
    assert_refused(RJ_ECORRUPT, forgets_nothing, sizeof(forgets_nothing));
    assert_refused(RJ_ECORRUPT, forgets_a_run, sizeof(forgets_a_run));
    assert_refused(RJ_ECORRUPT, text_key, sizeof(text_key));
    assert_refused(RJ_ECORRUPT, empty_whole, sizeof(empty_whole));
    assert_refused(RJ_ECORRUPT, number_4, sizeof(number_4));
    assert_refused(RJ_ECORRUPT, seq_0, sizeof(seq_0));
    assert_refused(RJ_ECORRUPT, odd, sizeof(odd));
    assert_refused(RJ_ECORRUPT, twice, sizeof(twice));
    assert_refused(RJ_ECORRUPT, again_no_bound, sizeof(again_no_bound));
    assert_refused(RJ_ECORRUPT, again_again, sizeof(again_again));
}

static enum rj_err put_and_get(void *ctx)
{
    struct rj_bop back = {0};
    struct fixture f;
    enum rj_err err;

    (void)ctx;
    rj_test_alloc_restore();
    open(&f);
    fill(&f.op, RJ_BOP_HSET);
    rj_test_alloc_fail_after(*(unsigned *)ctx);
    err = rj_bop_put(&f.op, &f.w);
    if (err == RJ_OK)
        err = decode(&f, rj_buf_view(&f.w.ops), &back);
    rj_test_alloc_restore();
    rj_bop_done(&back);
    done(&f);
    return err;
}

TEST(want_of_memory_is_told)
{
    unsigned k;

    for (k = 0; put_and_get(&k) != RJ_OK; k++)
        assert_true(k < 100);
    assert_true(k > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_is_read_as_it_was_written),
        cmocka_unit_test(the_plainest_operations_have_the_documented_bytes),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(flipped_bits_are_refused_or_read_as_something_sound),
        cmocka_unit_test(an_increment_must_fit_the_run_that_it_names),
        cmocka_unit_test(a_carried_run_has_one_sum_where_it_ends),
        cmocka_unit_test(no_sequence_is_beyond_the_last_one),
        cmocka_unit_test(the_stamp_of_a_setter_is_a_stamp),
        cmocka_unit_test(a_write_waits_for_what_it_names),
        cmocka_unit_test(what_has_another_form_is_refused),
        cmocka_unit_test(want_of_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
