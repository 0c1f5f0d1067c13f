/* SPDX-License-Identifier: Apache-2.0 */
/* What names mean once an origin was split (R7): for vectors, for dots of a write, for
 * runs that go on in a branch. Whole nodes are in the simulator. */
#include "base/cbor.h"
#include "bucket/bop.h"
#include "causal/batch.h"
#include "support/fake_env.h"
#include "support/test.h"

enum { ROOT, LEFT, INNER, OTHER, ORIGINS };

/* ROOT is split at 7 and goes on as LEFT, which is split at 9 and goes on as INNER. */
struct fixture {
    struct rj_origins origins;
    struct rj_choice choices[2];
    struct rj_names names;
    struct rj_writer w; /* writes as OTHER would, who knows of no split */
    struct rj_bop op;
};

static void branch(struct rj_origin *item, uint32_t parent, uint64_t start, uint64_t end)
{
    item->root = ROOT;
    item->parent = parent;
    item->start = start;
    item->end = end;
}

static void open(struct fixture *f)
{
    uint32_t o;

    *f = (struct fixture){.w = {.self = OTHER, .first = 5}};
    for (uint8_t i = 0; i < ORIGINS; i++) {
        struct rj_origin_id id = {{i}};

        assert_ok(rj_origins_add(&f->origins, &id, &o));
        assert_int_equal(o, i);
    }
    f->origins.items[ROOT].end = 7;
    branch(&f->origins.items[LEFT], ROOT, 7, 9);
    branch(&f->origins.items[INNER], LEFT, 9, UINT64_MAX);
    f->choices[0] = (struct rj_choice){.of = LEFT, .branch = INNER};
    f->choices[1] = (struct rj_choice){.of = ROOT, .branch = LEFT};
    f->names = (struct rj_names){.origins = &f->origins, .items = f->choices, .n = 2};
    assert_ok(rj_writer_dict(&f->w, OTHER, &o));
    assert_ok(rj_writer_dict(&f->w, ROOT, &o));
}

static void done(struct fixture *f)
{
    rj_origins_done(&f->origins);
    rj_bop_done(&f->op);
    rj_buf_done(&f->w.ops);
    free(f->w.dict);
}

/* What was written, as a write with that dot. */
static enum rj_err read_as(struct fixture *f, struct rj_dot dot, struct rj_bop *ret)
{
    struct rj_bop_source source = {
        .dict = f->w.dict, .dict_n = f->w.dict_n, .dot = dot, .names = &f->names};
    struct rj_reader r = rj_reader_of(rj_buf_view(&f->w.ops));

    return rj_bop_get(ret, &r, &source);
}

TEST(a_sequence_belongs_to_the_branch_that_its_author_chose)
{
    struct fixture f;

    open(&f);
    assert_int_equal(rj_names_find(&f.names, ROOT, 7), ROOT);
    assert_int_equal(rj_names_find(&f.names, ROOT, 8), LEFT);
    assert_int_equal(rj_names_find(&f.names, ROOT, 10), INNER);
    assert_int_equal(rj_names_find(&f.names, LEFT, 10), INNER);
    assert_int_equal(rj_names_find(NULL, ROOT, 10), ROOT);
    f.names.n = 1;
    assert_int_equal(rj_names_find(&f.names, ROOT, 8), RJ_ORIGIN_NONE);
    done(&f);
}

TEST(a_branch_is_named_by_incarnation_and_first_header)
{
    struct rj_test_env e;
    struct rj_origin_id root = {{1}}, other = {{2}}, a, b;
    struct rj_digest one = {{1}}, two = {{2}};

    rj_test_env_init(&e, 1);
    rj_origin_id_branch(&e.env, &root, &one, &a);
    rj_origin_id_branch(&e.env, &root, &two, &b);
    assert_memory_not_equal(a.b, b.b, sizeof(a.b));
    rj_origin_id_branch(&e.env, &other, &one, &b);
    assert_memory_not_equal(a.b, b.b, sizeof(a.b));
    rj_origin_id_branch(&e.env, &root, &one, &b);
    assert_memory_equal(a.b, b.b, sizeof(a.b));
}

TEST(a_vector_counts_up_to_the_end_of_what_was_split)
{
    struct fixture f;
    struct rj_vv v = {0};
    struct rj_buf b = {0};
    struct rj_reader r;
    size_t unknown = 0;

    open(&f);
    assert_ok(rj_vv_put(&v, ROOT, 12));
    assert_ok(rj_vv_put(&v, INNER, 12));
    rj_vv_encode(&b, &f.origins, &v);
    r = rj_reader_of(rj_buf_view(&b));
    assert_ok(rj_vv_decode(&r, &f.origins, &v, &unknown));
    assert_int_equal(rj_vv_get(&v, ROOT), 7);
    assert_int_equal(rj_vv_get(&v, INNER), 12);
    assert_int_equal(unknown, 1);
    rj_buf_done(&b);
    rj_vv_done(&v);
    done(&f);
}

TEST(who_overwrites_a_dot_of_a_branch_overwrites_all_before_it)
{
    struct fixture f;
    struct rj_bop back = {0};

    open(&f);
    f.op.code = RJ_BOP_SET;
    assert_ok(rj_seen_add(&f.op.whole.seen, (struct rj_dot){.seq = 12, .origin = ROOT}));
    assert_ok(rj_bop_put(&f.op, &f.w));
    assert_ok(read_as(&f, (struct rj_dot){.seq = 5, .origin = OTHER}, &back));
    assert_true(rj_seen_has(&back.whole.seen, (struct rj_dot){7, ROOT}));
    assert_true(rj_seen_has(&back.whole.seen, (struct rj_dot){9, LEFT}));
    assert_true(rj_seen_has(&back.whole.seen, (struct rj_dot){12, INNER}));
    assert_false(rj_seen_has(&back.whole.seen, (struct rj_dot){13, INNER}));
    assert_false(rj_seen_has(&back.whole.seen, (struct rj_dot){8, ROOT}));
    f.names.n = 0; /* its author has not said which branch */
    assert_err(RJ_EGAP, read_as(&f, (struct rj_dot){.seq = 5, .origin = OTHER}, &back));
    rj_bop_done(&back);
    done(&f);
}

TEST(a_reset_of_a_branch_takes_away_what_its_run_goes_on_from)
{
    struct rj_reset reset = {.epoch = 8, .seq = 12, .cum = 40, .origin = ROOT};
    struct fixture f;
    struct rj_bop back = {0};

    open(&f);
    f.op.code = RJ_BOP_DEL;
    assert_ok(rj_resets_add(&f.op.whole.place, &reset));
    assert_ok(rj_bop_put(&f.op, &f.w));
    assert_ok(read_as(&f, (struct rj_dot){.seq = 5, .origin = OTHER}, &back));
    assert_int_equal(back.whole.place.n, 2); /* the epoch began in LEFT */
    assert_int_equal(back.whole.place.items[0].origin, INNER);
    assert_int_equal(back.whole.place.items[0].cum, 40);
    assert_false(back.whole.place.items[0].all);
    assert_int_equal(back.whole.place.items[1].origin, LEFT);
    assert_true(back.whole.place.items[1].all);
    rj_bop_done(&back);
    done(&f);
}

/* An increment of ROOT's run 3, as its branch LEFT made it. */
static void incr(struct fixture *f, uint64_t prev, struct rj_bop *ret)
{
    f->w.ops.len = 0;
    f->w.dict[0] = ROOT;
    f->w.dict_n = 1;
    rj_bop_clear(&f->op);
    f->op.code = RJ_BOP_INCR;
    f->op.epoch = 3;
    f->op.prev = prev;
    f->op.before = 20;
    f->op.delta = 2;
    assert_ok(rj_bop_put(&f->op, &f->w));
    assert_ok(read_as(f, (struct rj_dot){.seq = 9, .origin = LEFT}, ret));
}

TEST(a_run_that_goes_on_in_a_branch_counts_from_the_split)
{
    struct fixture f;
    struct rj_bop back = {0};

    open(&f);
    incr(&f, 6, &back);
    assert_int_equal(back.floor_seq, 6);
    assert_int_equal(back.floor_cum, 20);
    incr(&f, 8, &back);
    assert_int_equal(back.floor_seq, 0);
    rj_bop_done(&back);
    done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sequence_belongs_to_the_branch_that_its_author_chose),
        cmocka_unit_test(a_branch_is_named_by_incarnation_and_first_header),
        cmocka_unit_test(a_vector_counts_up_to_the_end_of_what_was_split),
        cmocka_unit_test(who_overwrites_a_dot_of_a_branch_overwrites_all_before_it),
        cmocka_unit_test(a_reset_of_a_branch_takes_away_what_its_run_goes_on_from),
        cmocka_unit_test(a_run_that_goes_on_in_a_branch_counts_from_the_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
