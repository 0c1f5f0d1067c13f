/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a node: what comes back, what is refused as damaged, what as newer. */
#include "base/alloc.h"
#include "support/nodes.h"

/* A node with a space, closed; its store. */
static struct nodes *start(void)
{
    struct nodes *t = nodes_new();

    nodes_open(t, 0);
    (void)nodes_add_space(t, 0);
    nodes_admit(t, 0, &t->hand);
    nodes_run(t, 1000);
    nodes_close(t, 0);
    return t;
}

static struct rj_store *store_of(struct nodes *t)
{
    return t->host[0].store;
}

static void read_record(struct nodes *t, struct rj_bytes key, struct rj_buf *ret)
{
    struct rj_store *s = store_of(t);
    struct rj_view *view = NULL;
    struct rj_bytes k, v;

    assert_ok(s->ops->view_open(s, &view));
    assert_ok(s->ops->seek(view, RJ_SEEK_EQ, key, &k, &v));
    rj_buf_clear(ret);
    rj_buf_append(ret, v);
    s->ops->view_close(view);
}

static void write_record(struct nodes *t, struct rj_bytes key, struct rj_bytes value)
{
    struct rj_writes w = {0};

    rj_writes_put(&w, key, value);
    assert_ok(store_of(t)->ops->write(store_of(t), &w, true));
    rj_writes_done(&w);
}

static void delete_record(struct nodes *t, struct rj_bytes key)
{
    struct rj_writes w = {0};

    rj_writes_delete(&w, key);
    assert_ok(store_of(t)->ops->write(store_of(t), &w, true));
    rj_writes_done(&w);
}

#define META   RJ_BYTES_LIT("S\0\0\0\1A")
#define MEMBER RJ_BYTES_LIT("S\0\0\0\1M\0\0\0\0\0\0\0\1")

/* What the open says when that record has this value. */
static enum rj_err open_with(struct rj_bytes key, struct rj_bytes value)
{
    struct nodes *t = start();
    enum rj_err err;

    write_record(t, key, value);
    err = nodes_try_open(t, 0);
    nodes_free(t);
    return err;
}

TEST(the_number_of_the_next_space_fits_32_bits_and_is_no_loop)
{
    const struct rj_bytes n = RJ_BYTES_LIT("N");

    assert_ok(open_with(n, RJ_BYTES_LIT("\x82\x01\x02")));
    assert_ok(open_with(n, RJ_BYTES_LIT("\x82\x01\x1a\xff\xff\xff\xff"))); /* at once */
    assert_err(
        RJ_ECORRUPT,
        open_with(n, RJ_BYTES_LIT("\x82\x01\x1b\x00\x00\x00\x01\x00\x00\x00\x02")));
    assert_err(RJ_ECORRUPT, open_with(n, RJ_BYTES_LIT("\x82\x01\x00")));
    assert_err(RJ_ECORRUPT, open_with(n, RJ_BYTES_LIT("\x82\x01\x01"))); /* there is 1 */
}

TEST(the_format_number_decides_before_the_number_of_fields)
{
    const struct rj_bytes n = RJ_BYTES_LIT("N");

    assert_err(RJ_EVERSION, open_with(n, RJ_BYTES_LIT("\x83\x02\x02\xf6")));
    assert_err(RJ_EVERSION, open_with(n, RJ_BYTES_LIT("\x81\x02")));
    assert_err(RJ_ECORRUPT, open_with(n, RJ_BYTES_LIT("\x83\x01\x02\xf6")));
    assert_err(RJ_ECORRUPT, open_with(n, RJ_BYTES_LIT("\x82\x01\x02\xf6")));
    assert_err(RJ_ECORRUPT, open_with(n, RJ_BYTES_LIT("\x80")));
    assert_err(RJ_EVERSION, open_with(META, RJ_BYTES_LIT("\x82\x02\xf6")));
    assert_err(RJ_ECORRUPT, open_with(META, RJ_BYTES_LIT("\x82\x01\xf6")));
    assert_err(RJ_ECORRUPT, open_with(META, RJ_BYTES_LIT("\x80")));
}

TEST(a_space_without_its_first_record_is_damaged)
{
    struct nodes *t = start();

    delete_record(t, META);
    assert_err(RJ_ECORRUPT, nodes_try_open(t, 0));
    nodes_free(t);
}

TEST(a_removed_space_leaves_its_number_unused)
{
    struct nodes *t = start();
    struct rj_space *s;

    nodes_open(t, 0);
    assert_ok(rj_node_space_remove(t->host[0].node, nodes_space(t, 0)));
    nodes_run(t, 1000);
    s = nodes_add_space(t, 0);
    assert_int_equal(s->number, 2);
    nodes_close(t, 0);
    nodes_open(t, 0);
    assert_int_equal(nodes_space(t, 0)->number, 2);
    nodes_free(t);
}

TEST(membership_batches_in_the_store_end_where_they_end_and_stand_once)
{
    struct nodes *t = start();
    struct rj_buf b = {0};

    read_record(t, MEMBER, &b);
    rj_buf_u8(&b, 0);
    assert_err(RJ_ECORRUPT, open_with(MEMBER, rj_buf_view(&b)));
    rj_buf_truncate(&b, b.len - 1);
    write_record(t, RJ_BYTES_LIT("S\0\0\0\1M\0\0\0\0\0\0\0\2"), rj_buf_view(&b));
    assert_err(RJ_ECORRUPT, nodes_try_open(t, 0));
    nodes_free(t);
    t = start();
    write_record(t, RJ_BYTES_LIT("S\0\0\0\1M\0\0\0\0\0\0\0\7"), rj_buf_view(&b));
    assert_err(RJ_ECORRUPT, nodes_try_open(t, 0)); /* numbers have no gaps */
    rj_buf_done(&b);
    nodes_free(t);
}

TEST(what_an_author_had_seen_comes_back)
{
    struct nodes *t = nodes_new();
    struct wire *w;
    struct rj_space *s;
    uint64_t added, seen;
    uint32_t author, ruler;
    const struct rj_bytes elem = RJ_BYTES_LIT("e");

    nodes_open(t, 0);
    (void)nodes_add_space(t, 0);
    nodes_open(t, 1);
    w = nodes_connect(t, 1, 0);
    nodes_join(t, 0, 1);
    nodes_until_agreed(t, 0, 1);
    assert_ok(rj_bucket_sadd(nodes_bucket(t, 1), RJ_BYTES_LIT("k"), &elem, 1, &added));
    nodes_run(t, 2000);
    nodes_until_agreed(t, 0, 1);
    author =
        rj_origins_find(&nodes_space(t, 0)->origins,
                        &nodes_space(t, 1)->origins.items[nodes_space(t, 1)->self].id);
    s = nodes_space(t, 0);
    ruler = s->self; /* it wrote the role record */
    seen = rj_vv_get(&s->os[author].past, ruler);
    assert_true(seen >= 2);
    nodes_cut(t, w);
    nodes_close(t, 0);
    nodes_open(t, 0);
    s = nodes_space(t, 0);
    assert_int_equal(rj_vv_get(&s->os[author].past, ruler), seen);
    nodes_close(t, 1); /* the author itself knows it too */
    nodes_open(t, 1);
    s = nodes_space(t, 1);
    for (uint32_t o = 0, any = 0; any == 0; o++) {
        assert_true(o < s->origins.n);
        any = s->os[o].past.n > 0;
    }
    nodes_free(t);
}

TEST(what_nobody_rules_by_is_not_noted)
{
    struct nodes *t = nodes_new();
    struct rj_space *s;
    uint64_t added;
    const struct rj_bytes elem = RJ_BYTES_LIT("e");

    nodes_open(t, 0);
    (void)nodes_add_space(t, 0);
    for (int i = 0; i < 10; i++) { /* each incarnation tells of all before it */
        assert_ok(
            rj_bucket_sadd(nodes_bucket(t, 0), RJ_BYTES_LIT("k"), &elem, 1, &added));
        nodes_run(t, 1000);
        nodes_close(t, 0);
        nodes_open(t, 0);
    }
    s = nodes_space(t, 0);
    assert_int_equal(s->origins.n, 11);
    for (uint32_t o = 0; o < s->origins.n; o++)
        assert_int_equal(s->os[o].past.n, 0);
    nodes_free(t);
}

/* Simulation, seed 10813 where each history closes a device: it had writes that were not
 * sealed yet, and did not open any more. */
TEST(a_closed_device_keeps_what_it_had_not_sealed)
{
    struct nodes *t = nodes_new();
    struct rj_digest id = nodes_device(&t->host[1].env);
    struct rj_vv ahead = {0};
    struct rj_space *s;
    uint64_t added;

    nodes_open(t, 0);
    nodes_open(t, 1);
    (void)nodes_add_space(t, 0);
    (void)nodes_connect(t, 1, 0);
    nodes_join(t, 0, 1);
    nodes_until_agreed(t, 0, 1);
    s = nodes_space(t, 1);
    s->contexts = rj_alloc_zero(1, sizeof(*s->contexts)); /* in the midst of a transfer */
    assert_non_null(s->contexts);
    assert_ok(rj_contexts_init(s->contexts, &s->vv));
    assert_ok(rj_contexts_split(s->contexts, (struct rj_range){0, 1000}));
    assert_ok(rj_vv_put(&ahead, s->os[s->self].device, 1000));
    assert_ok(rj_contexts_join(s->contexts, (struct rj_range){0, 1000}, &ahead));
    s->dirty = true;
    assert_ok(rj_bucket_sadd(nodes_bucket(t, 1), RJ_BYTES_LIT("k"), &RJ_BYTES_LIT("e"), 1,
                             &added));
    nodes_run(t, 1000);
    assert_int_equal(s->writer.count, 1);
    assert_ok(rj_space_close_device(nodes_space(t, 0), &id, nodes_now(t)));
    nodes_run(t, 1000);
    assert_err(RJ_ECLOSED, s->writer.refuse);
    nodes_run(t, 1000);
    nodes_close(t, 1);
    nodes_open(t, 1);
    s = nodes_space(t, 1);
    assert_int_equal(s->writer.count, 1);
    assert_int_equal(rj_bucket_count(nodes_bucket(t, 1)), 1);
    rj_vv_done(&ahead);
    nodes_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_of_the_next_space_fits_32_bits_and_is_no_loop),
        cmocka_unit_test(the_format_number_decides_before_the_number_of_fields),
        cmocka_unit_test(a_space_without_its_first_record_is_damaged),
        cmocka_unit_test(a_removed_space_leaves_its_number_unused),
        cmocka_unit_test(
            membership_batches_in_the_store_end_where_they_end_and_stand_once),
        cmocka_unit_test(what_an_author_had_seen_comes_back),
        cmocka_unit_test(what_nobody_rules_by_is_not_noted),
        cmocka_unit_test(a_closed_device_keeps_what_it_had_not_sealed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
