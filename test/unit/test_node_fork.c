/* SPDX-License-Identifier: Apache-2.0 */
/* A device that continues one header again and again, on purpose (R7): its branches are
 * merged, up to a limit, and the node begins anew once, not each time. */
#include "bucket/bop.h"
#include "support/nodes.h"
#include "support/test.h"

/* A device with an incarnation that has incremented "k" by 1, and its last header. */
struct forger {
    struct rj_origin_id origin;
    struct rj_digest last;
};

/* Offers one more increment of the run, behind prev; ret_hash may be NULL. */
static enum rj_err increment(struct nodes *t, const struct forger *f, uint64_t seq,
                             int64_t delta, struct rj_digest *ret_hash)
{
    struct rj_space *s = nodes_space(t, 0);
    struct hand_batch h = {.class = RJ_CLASS_DATA,
                           .origin = f->origin,
                           .first = seq,
                           .count = 1,
                           .prev = f->last,
                           .stamp = (UINT64_C(1800000000000) << 16) + seq};
    struct rj_bop op = {
        .code = RJ_BOP_INCR, .key = RJ_BYTES_LIT("k"), .epoch = 2, .delta = delta};
    struct rj_buf body = {0}, data = {0};
    struct rj_writer w = {0};
    uint32_t o = rj_origins_find(&s->origins, &f->origin), number;
    enum rj_err err;

    if (seq > 2) {
        op.prev = 2;
        op.before = 1;
    }
    assert_ok(rj_writer_dict(&w, o, &number));
    assert_ok(rj_bop_put(&op, &w));
    rj_dict_put(&body, &s->origins, w.dict, w.dict_n);
    rj_buf_append(&body, rj_buf_view(&w.ops));
    hand_batch(&t->hand, &s->id, &h, rj_buf_view(&body), &data, ret_hash);
    err = rj_space_offer(s, rj_buf_view(&data), NULL);
    rj_bop_done(&op);
    free(w.dict);
    rj_buf_done(&w.ops);
    rj_buf_done(&body);
    rj_buf_done(&data);
    return err;
}

static struct nodes *start(struct forger *f)
{
    struct nodes *t = nodes_new();
    struct rj_space *s;
    struct rj_buf opening = {0};

    nodes_open(t, 0);
    s = nodes_add_space(t, 0);
    nodes_admit(t, 0, &t->hand);
    f->origin = hand_opening(&t->hand, &s->id, 5, NULL, &opening, &f->last);
    assert_ok(rj_space_offer(s, rj_buf_view(&opening), NULL));
    rj_buf_done(&opening);
    assert_ok(increment(t, f, 2, 1, &f->last));
    nodes_run(t, 1000);
    return t;
}

/* Node 0 goes on until a fork ends it; then it is opened again. */
static void begin_anew(struct nodes *t)
{
    struct host *h = &t->host[0];
    struct rj_event ev = {.kind = RJ_EV_FLUSH};
    enum rj_err err = RJ_OK;

    for (int i = 0; i < 10 && err == RJ_OK; i++) {
        struct rj_actions actions = {0};

        ev.now = nodes_now(t);
        err = rj_node_step(h->node, &ev, &actions);
        ev = (struct rj_event){.kind = RJ_EV_FLUSH};
        for (size_t k = 0; err == RJ_OK && k < actions.n; k++) {
            const struct rj_action *a = &actions.items[k];

            if (a->kind != RJ_ACT_COMMIT)
                continue;
            assert_ok(h->store->ops->write(h->store, a->writes, a->durable));
            ev = (struct rj_event){.kind = RJ_EV_COMMITTED, .commit = a->commit};
        }
    }
    assert_err(RJ_EFORK, err);
    nodes_close(t, 0);
    nodes_open(t, 0);
    nodes_run(t, 1000);
}

static void expect(struct nodes *t, const char *value)
{
    struct rj_bytes got;

    assert_ok(rj_bucket_get(nodes_bucket(t, 0), RJ_BYTES_LIT("k"), &got));
    assert_bytes_equal(got, rj_bytes_from_str(value));
}

TEST(a_run_is_cut_at_the_split_and_goes_on_in_both_branches)
{
    struct forger f;
    struct nodes *t = start(&f);

    assert_ok(increment(t, &f, 3, 10, NULL));
    expect(t, "11");
    assert_ok(increment(t, &f, 3, 100, NULL));
    begin_anew(t);
    expect(t, "11");
    assert_int_equal(nodes_space(t, 0)->origins.branches, 1);
    assert_ok(increment(t, &f, 3, 100, NULL));
    expect(t, "111");
    assert_int_equal(nodes_space(t, 0)->origins.branches, 2);
    assert_ok(increment(t, &f, 3, 100, NULL)); /* the same one again */
    expect(t, "111");
    nodes_run(t, 1000);
    nodes_close(t, 0);
    nodes_open(t, 0);
    expect(t, "111");
    nodes_free(t);
}

TEST(branches_beyond_the_limit_are_refused)
{
    struct forger f;
    struct nodes *t = start(&f);
    struct rj_member_info m;

    assert_ok(increment(t, &f, 3, 1, NULL));
    assert_ok(increment(t, &f, 3, 2, NULL));
    begin_anew(t);
    for (int64_t i = 2; i < RJ_BRANCHES_MAX + 20; i++)
        assert_ok(increment(t, &f, 3, i, NULL));
    assert_int_equal(nodes_space(t, 0)->origins.branches, RJ_BRANCHES_MAX);
    assert_true(nodes_space(t, 0)->fork_refused);
    assert_int_equal(nodes_space(t, 0)->node->renew, 0);
    expect(t, "2081"); /* 1, and 1 to 64 */
    assert_true(rj_space_member(nodes_space(t, 0), 1, &m));
    assert_int_equal(m.forks, 1);
    nodes_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_is_cut_at_the_split_and_goes_on_in_both_branches),
        cmocka_unit_test(branches_beyond_the_limit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
