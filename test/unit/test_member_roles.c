/* SPDX-License-Identifier: Apache-2.0 */
/* What role a device has in a past, whatever the order in which its records came. */
#include "base/prng.h"
#include "support/members.h"

static void note(struct rj_test_members *x, struct rj_device *d,
                 const struct rj_role_record *r)
{
    assert_ok(rj_members_note(&x->m, d, r));
}

/* The past has that origin up to seq. */
static void see(struct rj_test_members *x, uint32_t origin, uint64_t seq)
{
    assert_ok(rj_vv_put(&x->vv, origin, seq));
}

static enum rj_role role_of(const struct rj_test_members *x, const struct rj_device *d)
{
    return rj_members_role(d, &x->t, &x->vv);
}

static const struct rj_role_record genesis = {.role = RJ_ROLE_ADMIN};

TEST(the_genesis_makes_its_creator_an_admin_at_every_vector)
{
    struct rj_members m = {0};
    struct rj_origins none = {0};
    struct rj_vv vv = {0};
    struct rj_device *d = rj_test_device(&m, 1);

    assert_ok(rj_members_note(&m, d, &genesis));
    assert_int_equal(rj_members_role(d, &none, &vv), RJ_ROLE_ADMIN);
    rj_members_done(&m);
}

TEST(every_record_is_later_than_the_genesis)
{
    struct rj_role_record later = rj_test_role(2, 5, 0, RJ_ROLE_READER);
    struct rj_test_members x;
    struct rj_device *a, *b;

    rj_test_members_init(&x, 5, 1);
    a = rj_test_device(&x.m, 1);
    note(&x, a, &genesis);
    note(&x, a, &later);
    assert_int_equal(role_of(&x, a), RJ_ROLE_ADMIN);
    see(&x, 2, 5);
    assert_int_equal(role_of(&x, a), RJ_ROLE_READER);
    b = rj_test_device(&x.m, 2);
    note(&x, b, &later);
    note(&x, b, &genesis);
    assert_int_equal(role_of(&x, b), RJ_ROLE_READER);
    rj_test_members_done(&x);
}

TEST(a_role_counts_from_its_record_on)
{
    struct rj_role_record r = rj_test_role(2, 5, 7, RJ_ROLE_WRITER);
    struct rj_test_members x;
    struct rj_device *d;

    rj_test_members_init(&x, 5, 1);
    d = rj_test_device(&x.m, 1);
    note(&x, d, &r);
    see(&x, 2, 4);
    see(&x, 3, 9);
    assert_int_equal(role_of(&x, d), RJ_ROLE_NONE);
    see(&x, 2, 5);
    assert_int_equal(role_of(&x, d), RJ_ROLE_WRITER);
    rj_test_members_done(&x);
}

TEST(the_greatest_stamp_decides_then_the_id_then_the_sequence)
{
    struct rj_role_record r[] = {
        rj_test_role(0, 1, 5, RJ_ROLE_READER),
        rj_test_role(0, 2, 5, RJ_ROLE_WRITER),
        rj_test_role(2, 1, 5, RJ_ROLE_ADMIN),
        rj_test_role(1, 1, 6, RJ_ROLE_NONE),
    };
    struct rj_test_members x;
    struct rj_device *d;

    rj_test_members_init(&x, 3, 1); /* ids ascend with the index */
    d = rj_test_device(&x.m, 1);
    for (uint32_t o = 0; o < 3; o++)
        see(&x, o, 9);
    for (size_t i = 0; i < 4; i++) {
        note(&x, d, &r[i]);
        assert_int_equal(role_of(&x, d), r[i].role);
    }
    rj_test_members_done(&x);
}

TEST(a_close_ends_every_role_whatever_its_stamp)
{
    struct rj_role_record role = rj_test_role(0, 1, 100, RJ_ROLE_ADMIN);
    struct rj_role_record close = rj_test_close(1, 1, 5);
    struct rj_test_members x;
    struct rj_device *d;

    rj_test_members_init(&x, 3, 1);
    d = rj_test_device(&x.m, 1);
    see(&x, 0, 1);
    note(&x, d, &role);
    assert_false(d->closed);
    note(&x, d, &close);
    assert_true(d->closed);
    assert_int_equal(role_of(&x, d), RJ_ROLE_ADMIN); /* before the close */
    see(&x, 1, 1);
    assert_int_equal(role_of(&x, d), RJ_ROLE_NONE);
    role = rj_test_role(0, 2, 200, RJ_ROLE_ADMIN);
    see(&x, 0, 2);
    note(&x, d, &role);
    assert_int_equal(role_of(&x, d), RJ_ROLE_NONE);
    assert_true(d->closed);
    rj_test_members_done(&x);
}

/* Records come in any order: the close, what lifts it, another close. */
TEST(a_close_counts_until_a_role_record_lifts_it)
{
    for (unsigned order = 0; order < 6; order++) {
        static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                              {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        struct rj_role_record close = rj_test_close(1, 1, 5);
        struct rj_role_record other = rj_test_close(2, 1, 5);
        struct rj_role_record again = rj_test_role(0, 2, 9, RJ_ROLE_READER);
        struct rj_lift lift = {.origin = {{7}}, .seq = 1};
        struct rj_test_members x;
        struct rj_device *d;

        close.author = lift.origin;
        other.author = (struct rj_origin_id){{8}};
        rj_test_members_init(&x, 3, 1);
        d = rj_test_device(&x.m, 1);
        note(&x, d, &genesis);
        for (unsigned i = 0; i < 3; i++) {
            switch (orders[order][i]) {
            case 0:
                note(&x, d, &close);
                break;
            case 1:
                note(&x, d, &again);
                assert_ok(rj_members_lift(d, &lift, again.dot));
                break;
            default:
                note(&x, d, &other);
            }
        }
        assert_true(d->closed); /* by the other one */
        assert_true(rj_members_is_lifted(d, &close, NULL));
        assert_false(rj_members_is_lifted(d, &other, NULL));
        assert_int_equal(role_of(&x, d), RJ_ROLE_ADMIN);
        see(&x, 1, 1);
        assert_int_equal(role_of(&x, d), RJ_ROLE_NONE);
        see(&x, 0, 2);
        assert_int_equal(role_of(&x, d), RJ_ROLE_READER);
        lift.origin = other.author;
        assert_ok(rj_members_lift(d, &lift, again.dot));
        assert_false(d->closed);
        rj_test_members_done(&x);
    }
}

/* ---- any records in any order */

enum { RECORDS = 12, MODEL_ORIGINS = 4 };

/* Distinct dots with few stamps; sometimes the genesis, sometimes a close. */
static void random_records(struct rj_prng *p, struct rj_role_record *ret)
{
    for (uint32_t i = 0; i < RECORDS; i++) {
        ret[i] = rj_test_role(i % MODEL_ORIGINS, 1 + i / MODEL_ORIGINS,
                              rj_prng_below(p, 4), (enum rj_role)rj_prng_below(p, 4));
        if (rj_prng_chance(p, 1, 30)) {
            ret[i].close = true;
            ret[i].role = RJ_ROLE_NONE;
        }
    }
    if (rj_prng_chance(p, 1, 2))
        ret[0] = (struct rj_role_record){.role = RJ_ROLE_ADMIN};
}

static bool is_later(const struct rj_origins *t, const struct rj_role_record *a,
                     const struct rj_role_record *b)
{
    int order =
        memcmp(t->items[a->dot.origin].id.b, t->items[b->dot.origin].id.b, RJ_ORIGIN_LEN);

    if (a->dot.seq == 0 || b->dot.seq == 0)
        return b->dot.seq == 0;
    if (a->stamp != b->stamp)
        return a->stamp > b->stamp;
    return order != 0 ? order > 0 : a->dot.seq > b->dot.seq;
}

static enum rj_role model_role(const struct rj_origins *t, const struct rj_role_record *r,
                               const struct rj_vv *vv)
{
    const struct rj_role_record *best = NULL;

    for (size_t i = 0; i < RECORDS; i++) {
        if (r[i].dot.seq > rj_vv_get(vv, r[i].dot.origin))
            continue;
        if (r[i].close)
            return RJ_ROLE_NONE;
        if (best == NULL || is_later(t, &r[i], best))
            best = &r[i];
    }
    return best != NULL ? best->role : RJ_ROLE_NONE;
}

static void note_shuffled(struct rj_test_members *x, struct rj_device *d,
                          struct rj_prng *p, const struct rj_role_record *r)
{
    bool noted[RECORDS] = {false};

    for (size_t n = 0; n < RECORDS;) {
        size_t i = rj_prng_below(p, RECORDS);

        note(x, d, &r[i]); /* some more than once */
        n += !noted[i];
        noted[i] = true;
    }
}

TEST(role_and_closing_depend_on_the_set_of_records_alone)
{
    struct rj_prng p;

    rj_prng_init(&p, 8);
    for (int round = 0; round < 300; round++) {
        struct rj_role_record r[RECORDS];
        struct rj_test_members x;

        rj_test_members_init(&x, MODEL_ORIGINS, round % 2 == 0 ? 1 : 3);
        random_records(&p, r);
        for (uint32_t i = 0; i < 3; i++)
            note_shuffled(&x, rj_test_device(&x.m, i), &p, r);
        assert_int_equal(x.m.items[0].closed, x.m.items[1].closed);
        assert_int_equal(x.m.items[0].closed, x.m.items[2].closed);
        for (int k = 0; k < 30; k++) {
            bool all = k == 0; /* then NULL says the same */

            for (uint32_t o = 0; o < MODEL_ORIGINS; o++) {
                uint64_t last = RECORDS / MODEL_ORIGINS;

                see(&x, o, all ? last : rj_prng_below(&p, last + 1));
            }
            for (size_t i = 0; i < 3; i++)
                assert_int_equal(rj_members_role(&x.m.items[i], &x.t, all ? NULL : &x.vv),
                                 model_role(&x.t, r, &x.vv));
        }
        rj_test_members_done(&x);
    }
}

/* ---- rank */

static bool outranks(const struct rj_test_members *x, uint32_t a, uint32_t b)
{
    const struct rj_device *pair[] = {&x->m.items[a], &x->m.items[b]};
    bool ret;

    assert_ok(rj_members_outrank(&x->m, &x->t, &x->vv, pair, &ret));
    return ret;
}

/* Devices 0 (genesis), 1 and 2; 0 gives 1 a role, 1 gives 2 one; then 0 gives 2 one. */
TEST(rank_is_the_distance_from_the_genesis_in_a_past)
{
    struct rj_role_record first = rj_test_role(0, 1, 1, RJ_ROLE_ADMIN);
    struct rj_role_record second = rj_test_role(1, 1, 2, RJ_ROLE_ADMIN);
    struct rj_role_record third = rj_test_role(0, 2, 3, RJ_ROLE_ADMIN);
    struct rj_test_members x;

    rj_test_members_init(&x, 3, 1);
    for (uint32_t i = 0; i < 3; i++)
        x.t.items[i].device = rj_test_device(&x.m, i)->id;
    note(&x, &x.m.items[0], &genesis);
    note(&x, &x.m.items[1], &first);
    note(&x, &x.m.items[2], &second);
    note(&x, &x.m.items[2], &third);

    assert_true(outranks(&x, 0, 1)); /* who has no role yet is the lowest */
    see(&x, 0, 1);
    see(&x, 1, 1);
    assert_true(outranks(&x, 0, 1));
    assert_false(outranks(&x, 1, 0));
    assert_true(outranks(&x, 1, 2));
    see(&x, 0, 2); /* now both are one step away */
    assert_false(outranks(&x, 1, 2));
    rj_test_members_done(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_genesis_makes_its_creator_an_admin_at_every_vector),
        cmocka_unit_test(every_record_is_later_than_the_genesis),
        cmocka_unit_test(a_role_counts_from_its_record_on),
        cmocka_unit_test(the_greatest_stamp_decides_then_the_id_then_the_sequence),
        cmocka_unit_test(a_close_ends_every_role_whatever_its_stamp),
        cmocka_unit_test(a_close_counts_until_a_role_record_lifts_it),
        cmocka_unit_test(role_and_closing_depend_on_the_set_of_records_alone),
        cmocka_unit_test(rank_is_the_distance_from_the_genesis_in_a_past),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
