/* SPDX-License-Identifier: Apache-2.0 */
/* Where chains stand: trails that outlive the log, what a peer tells of its own, and
 * links over which no state flows (R7). */
#include "support/nodes.h"
#include "support/test.h"

enum { WRITES = 60 };

static void write_some(struct nodes *t, int n)
{
    char value[400];
    struct rj_bytes v = rj_bytes_of(value, sizeof(value));

    memset(value, 'v', sizeof(value));
    for (int i = 0; i < n; i++) {
        assert_ok(rj_bucket_set(nodes_bucket(t, 0), RJ_BYTES_LIT("k"), v, NULL));
        nodes_run(t, 20);
    }
}

/* A node that has truncated most of its log, and a connection of the test's device. */
static struct nodes *start(struct wire **ret_wire)
{
    struct nodes *t = nodes_new();
    struct rj_space *s;

    t->host[0].limits.log_bytes = 4096;
    nodes_open(t, 0);
    s = nodes_add_space(t, 0);
    nodes_admit(t, 0, &t->hand);
    write_some(t, WRITES);
    nodes_run(t, 1000);
    assert_true(rj_vv_get(&s->trunc, s->self) > 20);
    if (ret_wire != NULL) {
        *ret_wire = nodes_connect(t, 0, HAND);
        hand_hello(t, *ret_wire);
        hand_space(t, *ret_wire, s, &s->vv, &s->trunc);
        nodes_turn(t);
        assert_int_equal((*ret_wire)->closed[0], RJ_ERR_COUNT);
    }
    return t;
}

static void send_line(struct nodes *t, struct wire *w, uint64_t seq, const uint8_t *hash,
                      size_t items)
{
    struct rj_space *s = nodes_space(t, 0);
    struct rj_buf b = {0};

    rj_cbor_put_array(&b, 3);
    rj_cbor_put_uint(&b, RJ_FRAME_LINE);
    rj_cbor_put_uint(&b, 1);
    rj_cbor_put_array(&b, items);
    if (items > 0)
        rj_cbor_put_bytes(&b, RJ_BYTES_OF(s->origins.items[s->self].id.b));
    if (items > 1)
        rj_cbor_put_uint(&b, seq);
    if (items > 2)
        rj_cbor_put_bytes(&b, rj_bytes_of(hash, RJ_DEP_HASH_LEN));
    hand_send(t, w, rj_buf_view(&b));
    rj_buf_done(&b);
}

static struct rj_link *link_of(struct nodes *t)
{
    struct rj_space *s = nodes_space(t, 0);

    return rj_session_link(s->node->sessions[0], s);
}

TEST(headers_are_known_also_where_the_log_was_truncated)
{
    struct nodes *t = start(NULL);
    struct rj_space *s = nodes_space(t, 0);
    uint32_t self = s->self;
    uint64_t seq, known = 0, n = s->trail_points;
    uint8_t hashes[WRITES + 8][RJ_DEP_HASH_LEN];

    for (seq = 1; seq <= WRITES; seq++) {
        const uint8_t *hash = rj_fork_hash(s, self, seq);

        known += hash != NULL;
        memset(hashes[seq], 0, RJ_DEP_HASH_LEN);
        if (hash != NULL)
            memcpy(hashes[seq], hash, RJ_DEP_HASH_LEN);
    }
    assert_true(known > WRITES / 2);
    nodes_close(t, 0);
    nodes_open(t, 0);
    s = nodes_space(t, 0);
    assert_true(s->self != self);
    assert_true(s->trail_points >= n);
    for (seq = 1; seq <= WRITES; seq++) {
        const uint8_t *hash = rj_fork_hash(s, self, seq);

        assert_int_equal(hash != NULL, rj_be_load64(hashes[seq]) != 0);
        if (hash != NULL)
            assert_memory_equal(hash, hashes[seq], RJ_DEP_HASH_LEN);
    }
    nodes_free(t);
}

TEST(who_tells_another_header_than_was_here_is_apart_and_it_is_reported)
{
    struct wire *w;
    struct nodes *t = start(&w);
    struct rj_space *s = nodes_space(t, 0);
    uint8_t hash[RJ_DEP_HASH_LEN];

    memcpy(hash, rj_fork_hash(s, s->self, 5), sizeof(hash));
    send_line(t, w, 5, hash, 3);
    assert_false(link_of(t)->apart);
    hash[0] ^= 1;
    send_line(t, w, 5, hash, 3);
    assert_true(link_of(t)->apart);
    nodes_turn(t);
    assert_int_equal(w->by[0].count[RJ_FRAME_APART], 1);
    assert_false(s->fork_refused);
    nodes_run(t, RJ_APART_MS + 1000);
    assert_true(s->fork_refused);
    assert_int_equal(w->closed[0], RJ_ERR_COUNT);
    send_line(t, w, 5, hash, 3);
    nodes_turn(t);
    assert_int_equal(w->by[0].count[RJ_FRAME_APART], 1); /* once */
    nodes_free(t);
}

TEST(no_state_is_given_to_who_is_apart)
{
    struct wire *w;
    struct nodes *t = start(&w);
    struct rj_buf b = {0};

    send_line(t, w, 5, (const uint8_t *)"otherone", 3);
    rj_cbor_put_array(&b, 8);
    rj_cbor_put_uint(&b, RJ_FRAME_TAKE);
    rj_cbor_put_uint(&b, 1);
    rj_cbor_put_uint(&b, 77);
    rj_cbor_put_uint(&b, 0);
    rj_cbor_put_uint(&b, UINT64_MAX);
    rj_cbor_put_bool(&b, false);
    rj_cbor_put_bool(&b, true);
    rj_cbor_put_array(&b, 0);
    hand_send(t, w, rj_buf_view(&b));
    nodes_run(t, 2000);
    assert_int_equal(w->by[0].count[RJ_FRAME_GIVE], 0);
    assert_int_equal(w->by[0].count[RJ_FRAME_BUSY], 1);
    rj_buf_done(&b);
    nodes_free(t);
}

TEST(a_peer_may_say_itself_that_it_is_apart)
{
    struct wire *w;
    struct nodes *t = start(&w);
    struct rj_space *s = nodes_space(t, 0);
    struct rj_origin_id id = {{7}};
    struct rj_buf b = {0};

    rj_cbor_put_array(&b, 4);
    rj_cbor_put_uint(&b, RJ_FRAME_APART);
    rj_cbor_put_uint(&b, 1);
    rj_cbor_put_bytes(&b, RJ_BYTES_OF(id.b)); /* of an origin that is not known here */
    rj_cbor_put_uint(&b, 3);
    hand_send(t, w, rj_buf_view(&b));
    assert_true(link_of(t)->apart);
    nodes_run(t, RJ_APART_MS + 1000);
    assert_true(s->fork_refused);
    assert_int_equal(w->by[0].count[RJ_FRAME_APART], 0);
    rj_buf_done(&b);
    nodes_free(t);
}

TEST(a_line_holds_whole_entries_of_possible_sequences)
{
    static const uint8_t hash[RJ_DEP_HASH_LEN] = {1};
    static const struct {
        uint64_t seq;
        size_t items;
    } cases[] = {{5, 1}, {5, 2}, {0, 3}, {RJ_SEQ_MAX + 1, 3}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wire *w;
        struct nodes *t = start(&w);

        send_line(t, w, cases[i].seq, hash, cases[i].items);
        assert_err(RJ_EPROTO, w->closed[0]);
        nodes_free(t);
    }
}

/* A node that takes the state from the test, which tells of no more than one trail. */
static enum rj_err answer_to_trail(uint64_t first, uint64_t count, size_t points,
                                   bool *ret_apart)
{
    struct wire *w;
    struct nodes *t = start(&w);
    struct rj_space *s = nodes_space(t, 0);
    struct rj_vv ahead = {0};
    struct rj_buf b = {0};
    enum rj_err err;

    assert_ok(rj_vv_copy(&ahead, &s->vv));
    assert_ok(rj_vv_put(&ahead, s->self, 1000));
    hand_space(t, w, s, &ahead, &ahead);
    nodes_turn(t);
    assert_true(s->transfer.active);
    rj_cbor_put_array(&b, 10);
    rj_cbor_put_uint(&b, RJ_FRAME_META);
    rj_cbor_put_uint(&b, 1);
    rj_cbor_put_uint(&b, s->transfer.request);
    rj_cbor_put_bool(&b, true);
    for (int i = 0; i < 5; i++)
        rj_cbor_put_array(&b, 0);
    rj_cbor_put_array(&b, 2);
    rj_cbor_put_bytes(&b, RJ_BYTES_OF(s->origins.items[s->self].id.b));
    rj_cbor_put_array(&b, 3 * points);
    for (size_t i = 0; i < points; i++) {
        rj_cbor_put_uint(&b, first);
        rj_cbor_put_uint(&b, count);
        rj_cbor_put_bytes(&b, RJ_BYTES_LIT("\0\0\0\0\0\0\0\1"));
    }
    hand_send(t, w, rj_buf_view(&b));
    err = w->closed[0];
    *ret_apart = err == RJ_ERR_COUNT && link_of(t)->apart;
    rj_vv_done(&ahead);
    rj_buf_done(&b);
    nodes_free(t);
    return err;
}

TEST(a_trail_that_is_told_is_bounded_and_judged)
{
    bool apart;

    assert_err(RJ_EPROTO, answer_to_trail(0, 1, 1, &apart));
    assert_err(RJ_EPROTO, answer_to_trail(5, 0, 1, &apart));
    assert_err(RJ_EPROTO, answer_to_trail(5, RJ_BATCH_WRITES_MAX + 1, 1, &apart));
    assert_err(RJ_EPROTO, answer_to_trail(RJ_SEQ_MAX + 1, 1, 1, &apart));
    assert_err(RJ_EPROTO, answer_to_trail(900, 1, RJ_TOLD_POINTS + 1, &apart));
    assert_err(RJ_ERR_COUNT, answer_to_trail(900, 1, 1, &apart));
    assert_false(apart);
    assert_err(RJ_ERR_COUNT, answer_to_trail(5, 1, 1, &apart)); /* another header */
    assert_true(apart);
    assert_err(RJ_ERR_COUNT, answer_to_trail(5, 900, 1, &apart)); /* around ours */
    assert_true(apart);
}

TEST(trails_have_a_bound_and_what_is_left_is_stored)
{
    struct nodes *t = start(NULL);
    struct rj_space *s = nodes_space(t, 0);
    struct rj_trail_point p = {0};
    uint32_t self = s->self;
    size_t n;

    for (uint64_t i = 1; i <= RJ_TRAIL_MAX + 100; i++) {
        p.first = p.last = 1000 + i;
        rj_be_store64(p.hash, i * UINT64_C(0x9e3779b97f4a7c15));
        assert_ok(rj_line_keep(s, self, &p));
        assert_true(s->trail_points <= RJ_TRAIL_MAX);
    }
    n = s->trail_points;
    assert_true(n > RJ_TRAIL_MAX / 2);
    assert_memory_equal(rj_fork_hash(s, self, p.last), p.hash, RJ_DEP_HASH_LEN);
    nodes_run(t, 2000);
    nodes_close(t, 0);
    nodes_open(t, 0);
    s = nodes_space(t, 0);
    assert_int_equal(s->trail_points, n);
    assert_memory_equal(rj_fork_hash(s, self, p.last), p.hash, RJ_DEP_HASH_LEN);
    nodes_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_known_also_where_the_log_was_truncated),
        cmocka_unit_test(
            who_tells_another_header_than_was_here_is_apart_and_it_is_reported),
        cmocka_unit_test(no_state_is_given_to_who_is_apart),
        cmocka_unit_test(a_peer_may_say_itself_that_it_is_apart),
        cmocka_unit_test(a_line_holds_whole_entries_of_possible_sequences),
        cmocka_unit_test(a_trail_that_is_told_is_bounded_and_judged),
        cmocka_unit_test(trails_have_a_bound_and_what_is_left_is_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
