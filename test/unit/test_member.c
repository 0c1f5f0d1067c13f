/* SPDX-License-Identifier: Apache-2.0 */
/* Devices, and what is noted about them; records as bytes are tested in
 * test_member_records.c, what follows from records in test_member_roles.c. */
#include "support/members.h"

/* ---- devices */

TEST(a_new_device_has_no_role_no_rank_and_no_origin)
{
    struct rj_members m = {0};
    struct rj_origins none = {0};
    struct rj_vv vv = {0};
    struct rj_digest id = rj_test_device_id(3);
    struct rj_device *d;

    assert_null(rj_members_find(&m, &id));
    d = rj_test_device(&m, 3);
    assert_memory_equal(d->id.b, id.b, RJ_DIGEST_LEN);
    assert_int_equal(d->pubkey[0], 3);
    assert_string_equal(d->name, "");
    assert_int_equal(d->rank, UINT32_MAX);
    assert_int_equal(d->active, RJ_ORIGIN_NONE);
    assert_false(d->closed);
    assert_int_equal(d->n_records, 0);
    assert_int_equal(rj_members_role(d, &none, &vv), RJ_ROLE_NONE);
    assert_ptr_equal(rj_members_find(&m, &id), d);
    rj_members_done(&m);
    assert_null(m.items);
    rj_members_done(&m);
    rj_members_done(NULL);
}

TEST(a_device_that_is_known_is_found_and_kept)
{
    struct rj_members m = {0};
    struct rj_digest id = rj_test_device_id(3);
    uint8_t other_key[RJ_PUBKEY_LEN] = {99};
    struct rj_device *d = rj_test_device(&m, 3), *again;

    d->rank = 2;
    for (uint32_t i = 10; i < 40; i++)
        (void)rj_test_device(&m, i);
    assert_ok(rj_members_add(&m, &id, other_key, &again));
    assert_int_equal(m.n, 31);
    assert_int_equal(again->rank, 2);
    assert_int_equal(again->pubkey[0], 3);
    for (uint32_t i = 10; i < 40; i++) {
        id = rj_test_device_id(i);
        assert_memory_equal(rj_members_find(&m, &id)->id.b, id.b, RJ_DIGEST_LEN);
    }
    id = rj_test_device_id(40);
    assert_null(rj_members_find(&m, &id));
    rj_members_done(&m);
}

TEST(there_are_not_more_devices_than_the_limit)
{
    struct rj_members m = {0};
    struct rj_digest id = rj_test_device_id(RJ_DEVICES_MAX);
    uint8_t key[RJ_PUBKEY_LEN] = {0};
    struct rj_device *d = NULL;

    for (uint32_t i = 0; i < RJ_DEVICES_MAX; i++)
        (void)rj_test_device(&m, i);
    assert_err(RJ_ELIMIT, rj_members_add(&m, &id, key, &d));
    assert_null(d);
    assert_int_equal(m.n, RJ_DEVICES_MAX);
    id = rj_test_device_id(17);
    assert_ok(rj_members_add(&m, &id, key, &d));
    assert_memory_equal(d->id.b, id.b, RJ_DIGEST_LEN);
    rj_members_done(&m);
}

/* ---- records */

TEST(a_record_noted_again_is_harmless)
{
    struct rj_members m = {0};
    struct rj_origins t;
    struct rj_vv vv = {0};
    struct rj_role_record r = rj_test_role(1, 3, 5, RJ_ROLE_READER), first = {0};
    struct rj_device *d = rj_test_device(&m, 1);

    rj_test_origins(&t, 3, 1);
    assert_ok(rj_vv_put(&vv, 1, 3));
    for (int i = 0; i < 5; i++) {
        assert_ok(rj_members_note(&m, d, &r));
        assert_ok(rj_members_note(&m, d, &first));
        assert_int_equal(d->n_records, 2);
        assert_int_equal(m.records, 2);
        assert_int_equal(rj_members_role(d, &t, &vv), RJ_ROLE_READER);
    }
    rj_vv_done(&vv);
    rj_origins_done(&t);
    rj_members_done(&m);
}

TEST(a_record_leaves_rank_name_origin_and_other_devices_alone)
{
    struct rj_members m = {0};
    struct rj_role_record r = rj_test_role(1, 3, 5, RJ_ROLE_READER);
    struct rj_device *d, *other;

    (void)rj_test_device(&m, 1);
    (void)rj_test_device(&m, 2);
    d = &m.items[0];
    other = &m.items[1];
    d->rank = 4;
    d->active = 8;
    d->name[0] = 'x';
    assert_ok(rj_members_note(&m, d, &r));
    r = rj_test_role(1, 4, 6, RJ_ROLE_NONE);
    r.close = true;
    assert_ok(rj_members_note(&m, d, &r));
    assert_int_equal(d->rank, 4);
    assert_int_equal(d->active, 8);
    assert_string_equal(d->name, "x");
    assert_int_equal(other->n_records, 0);
    assert_int_equal(other->rank, UINT32_MAX);
    assert_false(other->closed);
    rj_members_done(&m);
}

TEST(a_name_is_that_of_the_greatest_record_in_any_order)
{
    static const struct {
        uint32_t origin;
        uint64_t seq, stamp;
        const char *name;
    } said[] = {{0, 0, 0, "genesis"}, {2, 4, 10, "first"}, {1, 9, 20, "by-origin-1"},
                {2, 5, 20, "last"},   {2, 6, 30, ""},      {0, 7, 15, "between"}};
    enum { SAID = sizeof(said) / sizeof(said[0]) };
    struct rj_origins t;

    rj_test_origins(&t, 3, 1);
    for (size_t turn = 0; turn < SAID; turn++) {
        for (size_t step = 1; step < SAID; step += 4) { /* 1 and 5: both directions */
            struct rj_device d = {.rank = 7};

            for (size_t i = 0; i < SAID; i++) {
                size_t k = (turn + i * step) % SAID;
                struct rj_role_record r = rj_test_role(said[k].origin, said[k].seq,
                                                       said[k].stamp, RJ_ROLE_READER);

                rj_members_name(&d, &t, &r, rj_bytes_from_str(said[k].name));
            }
            assert_string_equal(d.name, "last");
            assert_int_equal(d.rank, 7);
        }
    }
    rj_origins_done(&t);
}

TEST(there_are_not_more_records_than_the_limit)
{
    struct rj_members m = {0};
    struct rj_role_record r;
    enum { DEVICES = 64, EACH = RJ_MEMBER_RECORDS_MAX / DEVICES };

    for (uint32_t i = 0; i < DEVICES; i++)
        (void)rj_test_device(&m, i);
    for (uint32_t i = 0; i < DEVICES; i++) {
        for (uint64_t seq = 1; seq <= EACH; seq++) {
            r = rj_test_role(i, seq, seq, RJ_ROLE_READER);
            assert_ok(rj_members_note(&m, &m.items[i], &r));
        }
    }
    assert_int_equal(m.records, RJ_MEMBER_RECORDS_MAX);
    assert_ok(rj_members_note(&m, &m.items[DEVICES - 1], &r)); /* again */
    r = rj_test_role(0, EACH + 1, 1, RJ_ROLE_NONE);
    r.close = true;
    assert_err(RJ_ELIMIT, rj_members_note(&m, &m.items[0], &r));
    assert_int_equal(m.records, RJ_MEMBER_RECORDS_MAX);
    assert_int_equal(m.items[0].n_records, EACH);
    assert_false(m.items[0].closed);
    rj_members_done(&m);
}

/* ---- out of memory */

static enum rj_err build_members(void *ctx)
{
    struct rj_members m = {0};
    enum rj_err err = RJ_OK;

    (void)ctx;
    for (uint32_t i = 0; err == RJ_OK && i < 20; i++) {
        struct rj_digest id = rj_test_device_id(i);
        uint8_t key[RJ_PUBKEY_LEN] = {0};
        struct rj_device *d = NULL;

        err = rj_members_add(&m, &id, key, &d);
        assert_int_equal(m.n, err == RJ_OK ? i + 1 : i);
        for (uint64_t seq = 1; err == RJ_OK && seq < 10; seq++) {
            struct rj_role_record r = rj_test_role(i, seq, 1, RJ_ROLE_NONE);

            r.close = true;
            err = rj_members_note(&m, d, &r);
            assert_int_equal(d->n_records, err == RJ_OK ? seq : seq - 1);
            assert_int_equal(d->closed, err == RJ_OK || seq > 1);
        }
    }
    rj_members_done(&m);
    return err;
}

TEST(out_of_memory_is_reported_wherever_it_happens)
{
    rj_test_with_failing_alloc(build_members, NULL);
    rj_test_with_one_failing_alloc(build_members, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_device_has_no_role_no_rank_and_no_origin),
        cmocka_unit_test(a_device_that_is_known_is_found_and_kept),
        cmocka_unit_test(there_are_not_more_devices_than_the_limit),
        cmocka_unit_test(a_record_noted_again_is_harmless),
        cmocka_unit_test(a_record_leaves_rank_name_origin_and_other_devices_alone),
        cmocka_unit_test(a_name_is_that_of_the_greatest_record_in_any_order),
        cmocka_unit_test(there_are_not_more_records_than_the_limit),
        cmocka_unit_test(out_of_memory_is_reported_wherever_it_happens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
