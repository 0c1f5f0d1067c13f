/* SPDX-License-Identifier: Apache-2.0 */
/* Welcomes and META: what a joiner takes on the inviter's word and what it refuses, and
 * that many openings of one node cost a joiner in proportion, not more. */
#include "support/nodes.h"

/* ---- a welcome by hand: the test's device is the inviter */

struct welcome {
    const char *name, *genesis_name;
    bool trailing;   /* bytes behind a batch */
    bool no_batches; /* something else in their place */
    size_t more;     /* times that the batches come once more */
};

static void put_welcome(struct nodes *t, const struct welcome *c, struct rj_buf *b)
{
    struct rj_genesis g = {.kind = RJ_KIND_BUCKET,
                           .name = rj_bytes_from_str(c->genesis_name),
                           .created_ms = 1};
    struct rj_record rec = {.kind = RJ_RECORD_ROLE,
                            .device = nodes_device(&t->host[0].env),
                            .role = RJ_ROLE_WRITER};
    struct hand_batch h = {
        .class = RJ_CLASS_MEMBER, .first = 2, .count = 1, .stamp = UINT64_C(1) << 40};
    struct rj_buf genesis = {0}, opening = {0}, body = {0}, role = {0};
    struct rj_digest id;
    struct rj_bytes raw;

    memcpy(g.creator_key, t->hand.env.pubkey, RJ_PUBKEY_LEN);
    rj_genesis_put(&genesis, &g);
    raw = rj_buf_view(&genesis);
    rj_test_env_hash(&t->hand.env, &raw, 1, &id);
    h.origin = hand_opening(&t->hand, &id, 5, NULL, &opening, &h.prev);
    memcpy(rec.pubkey, t->host[0].env.env.pubkey, RJ_PUBKEY_LEN);
    rj_record_put(&body, &rec);
    hand_batch(&t->hand, &id, &h, rj_buf_view(&body), &role, NULL);
    if (c->trailing)
        rj_buf_u8(&role, 0);
    rj_cbor_put_array(b, 2);
    rj_cbor_put_uint(b, RJ_FRAME_WELCOME);
    rj_cbor_put_array(b, 4);
    rj_cbor_put_bytes(b, raw);
    rj_cbor_put_text(b, rj_bytes_from_str(c->name));
    rj_cbor_put_uint(b, RJ_DURABLE_SECOND);
    if (c->no_batches)
        rj_cbor_put_null(b);
    else
        rj_cbor_put_array(b, 2 + 2 * c->more);
    for (size_t i = 0; !c->no_batches && i <= c->more; i++) {
        rj_cbor_put_bytes(b, rj_buf_view(&opening));
        rj_cbor_put_bytes(b, rj_buf_view(&role));
    }
    assert_ok(rj_buf_err(b));
    rj_buf_done(&genesis);
    rj_buf_done(&opening);
    rj_buf_done(&body);
    rj_buf_done(&role);
}

/* A node that joins the test's device and gets that welcome, in parts of `part` bytes (0:
 * one frame). */
static struct nodes *welcomed(const struct welcome *c, size_t part,
                              struct wire **ret_wire)
{
    struct nodes *t = nodes_new();
    struct rj_digest hand = nodes_device(&t->hand);
    static const uint8_t secret[RJ_SECRET_LEN] = {3};
    struct rj_buf b = {0};
    struct rj_bytes rest;

    nodes_open(t, 0);
    assert_ok(rj_node_join(t->host[0].node, &hand, secret));
    *ret_wire = nodes_connect(t, 0, HAND);
    hand_hello(t, *ret_wire);
    assert_int_equal((*ret_wire)->by[0].count[RJ_FRAME_JOIN], 1);
    put_welcome(t, c, &b);
    if (part == 0)
        hand_send(t, *ret_wire, rj_buf_view(&b));
    for (rest = rj_buf_view(&b); part > 0 && rest.len > 0;) {
        struct rj_bytes piece = rj_bytes_first(rest, part);
        struct rj_buf f = {0};

        rest = rj_bytes_skip(rest, piece.len);
        rj_cbor_put_array(&f, 3);
        rj_cbor_put_uint(&f, RJ_FRAME_PART);
        rj_cbor_put_bool(&f, rest.len == 0);
        rj_cbor_put_bytes(&f, piece);
        hand_send(t, *ret_wire, rj_buf_view(&f));
        rj_buf_done(&f);
    }
    rj_buf_done(&b);
    nodes_run(t, 100);
    return t;
}

TEST(a_welcome_makes_a_space_whole_or_in_parts)
{
    for (size_t part = 0; part < 200; part += 67) {
        struct welcome c = {.name = "s", .genesis_name = "s"};
        struct wire *w;
        struct nodes *t = welcomed(&c, part, &w);

        assert_int_equal(w->closed[0], RJ_ERR_COUNT);
        assert_int_equal(rj_node_join_state(t->host[0].node, NULL), RJ_JOIN_DONE);
        assert_non_null(nodes_space(t, 0));
        assert_int_equal(nodes_space(t, 0)->n_member_batches, 3); /* theirs and ours */
        nodes_free(t);
    }
}

TEST(a_welcome_that_is_not_right_leaves_no_space)
{
    static const struct welcome cases[] = {
        {.name = "s", .genesis_name = "s", .trailing = true},
        {.name = "s", .genesis_name = "s", .no_batches = true},
        {.name = "a b", .genesis_name = "s"},
        {.name = "", .genesis_name = "s"},
        {.name = "s", .genesis_name = "b\xc3\xbcro"},
        {.name = "b\xc3\xbcro", .genesis_name = "s"},
        {.name = "s", .genesis_name = "../s"},
        {.name = "\x1b[2J", .genesis_name = "s"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wire *w;
        struct nodes *t = welcomed(&cases[i], 0, &w);

        assert_true(w->closed[0] == RJ_EPROTO || w->closed[0] == RJ_ECORRUPT);
        assert_int_equal(rj_node_join_state(t->host[0].node, NULL), RJ_JOIN_REFUSED);
        assert_null(rj_node_space_at(t->host[0].node, 0));
        nodes_cut(t, w);
        nodes_run(t, 1000); /* its commit has nothing of it either */
        nodes_close(t, 0);
        nodes_open(t, 0);
        assert_null(rj_node_space_at(t->host[0].node, 0));
        nodes_free(t);
    }
}

TEST(a_member_batch_told_again_is_kept_once)
{
    struct welcome c = {.name = "s", .genesis_name = "s", .more = 20};
    struct wire *w;
    struct nodes *t = welcomed(&c, 0, &w);

    assert_int_equal(nodes_space(t, 0)->n_member_batches, 3);
    nodes_free(t);
}

/* ---- META by hand */

/* A META about the request under way with one membership batch. */
static void send_meta(struct nodes *t, struct wire *w, struct rj_bytes batch,
                      size_t heads)
{
    struct rj_buf b = {0};

    rj_cbor_put_array(&b, 10);
    rj_cbor_put_uint(&b, RJ_FRAME_META);
    rj_cbor_put_uint(&b, 1);
    rj_cbor_put_uint(&b, nodes_space(t, 0)->transfer.request);
    rj_cbor_put_bool(&b, true);
    rj_cbor_put_array(&b, 0); /* branches */
    rj_cbor_put_array(&b, 2);
    rj_cbor_put_bytes(&b, batch);
    rj_cbor_put_bytes(&b, (struct rj_bytes){0}); /* of the incarnation that it names */
    rj_cbor_put_array(&b, 0); /* choices */
    rj_cbor_put_array(&b, heads);
    for (size_t i = 0; i < heads; i++)
        rj_cbor_put_bytes(&b, RJ_BYTES_LIT("x"));
    rj_cbor_put_array(&b, 0); /* chains */
    rj_cbor_put_array(&b, 0); /* trails */
    hand_send(t, w, rj_buf_view(&b));
    rj_buf_done(&b);
}

static struct nodes *start_take(struct wire **ret_wire)
{
    struct nodes *t = nodes_new();
    struct rj_space *s;
    struct rj_vv ahead = {0};

    nodes_open(t, 0);
    s = nodes_add_space(t, 0);
    nodes_admit(t, 0, &t->hand);
    nodes_run(t, 1000);
    *ret_wire = nodes_connect(t, 0, HAND);
    assert_ok(rj_vv_copy(&ahead, &s->vv));
    assert_ok(rj_vv_put(&ahead, s->self, 50));
    hand_hello(t, *ret_wire);
    hand_space(t, *ret_wire, s, &ahead, &ahead);
    nodes_turn(t);
    assert_true(s->transfer.active);
    rj_vv_done(&ahead);
    return t;
}

TEST(meta_goes_on_over_frames_and_takes_each_batch_once)
{
    struct wire *w;
    struct nodes *t = start_take(&w);
    struct rj_space *s = nodes_space(t, 0);
    size_t before = s->n_member_batches;

    for (uint64_t i = 0; i < 5; i++) {
        struct rj_buf opening = {0};

        (void)hand_opening(&t->hand, &s->id, 5 + i / 2, NULL, &opening, NULL);
        send_meta(t, w, rj_buf_view(&opening), 0);
        assert_int_equal(w->closed[0], RJ_ERR_COUNT);
        assert_int_equal(s->n_member_batches, before + 1 + i / 2);
        assert_false(s->transfer.meta_done);
        rj_buf_done(&opening);
    }
    nodes_free(t);
}

TEST(a_member_batch_in_meta_ends_where_it_ends)
{
    struct wire *w;
    struct nodes *t = start_take(&w);
    struct rj_space *s = nodes_space(t, 0);
    size_t before = s->n_member_batches;
    struct rj_buf opening = {0};

    (void)hand_opening(&t->hand, &s->id, 5, NULL, &opening, NULL);
    rj_buf_u8(&opening, 0);
    send_meta(t, w, rj_buf_view(&opening), 0);
    assert_err(RJ_ECORRUPT, w->closed[0]);
    assert_int_equal(s->n_member_batches, before);
    rj_buf_done(&opening);
    nodes_free(t);
}

TEST(lists_in_meta_hold_whole_entries)
{
    struct wire *w;
    struct nodes *t = start_take(&w);
    struct rj_buf opening = {0};

    (void)hand_opening(&t->hand, &nodes_space(t, 0)->id, 5, NULL, &opening, NULL);
    send_meta(t, w, rj_buf_view(&opening), 1);
    assert_err(RJ_EPROTO, w->closed[0]);
    rj_buf_done(&opening);
    nodes_free(t);
}

/* ---- many openings */

/* Node 0 has been opened n times more, each time with a head. */
static void add_openings(struct nodes *t, uint64_t n)
{
    struct rj_space *s = nodes_space(t, 0);
    struct rj_origin_id last = s->origins.items[s->self].id;

    for (uint64_t i = 0; i < n; i++) {
        struct rj_buf opening = {0};

        last = hand_opening(&t->host[0].env, &s->id, 1000 + i, &last, &opening, NULL);
        assert_ok(rj_space_offer(s, rj_buf_view(&opening), NULL));
        rj_buf_done(&opening);
    }
    assert_int_equal(s->origins.n, n + 1);
    assert_int_equal(s->n_member_batches, n + 1);
}

/* Bytes that a joiner gets in frames of these types after n openings. */
static void join_after(uint64_t n, bool by_state, uint64_t *ret_welcome,
                       uint64_t *ret_meta)
{
    struct nodes *t = nodes_new();
    struct wire *w;
    uint64_t added;

    t->host[0].limits.log_bytes = by_state ? 1024 : 0;
    nodes_open(t, 0);
    (void)nodes_add_space(t, 0);
    add_openings(t, n);
    assert_ok(rj_bucket_sadd(nodes_bucket(t, 0), RJ_BYTES_LIT("k"), &RJ_BYTES_LIT("e"), 1,
                             &added));
    nodes_run(t, 2000);
    nodes_open(t, 1);
    w = nodes_connect(t, 1, 0);
    nodes_join(t, 0, 1);
    nodes_until_agreed(t, 0, 1);
    assert_int_equal(w->closed[0], RJ_ERR_COUNT);
    assert_int_equal(w->closed[1], RJ_ERR_COUNT);
    assert_int_equal(nodes_space(t, 1)->n_member_batches, n + 3);
    assert_true(w->by[1].longest <= RJ_FRAME_PART_BYTES + 64 * n + 4096);
    *ret_welcome = w->by[1].bytes[RJ_FRAME_WELCOME] + w->by[1].bytes[RJ_FRAME_PART];
    *ret_meta = w->by[1].bytes[RJ_FRAME_META];
    assert_int_equal(by_state, *ret_meta > 0);
    nodes_close(t, 1); /* what it stored is what it took */
    nodes_open(t, 1);
    assert_int_equal(nodes_space(t, 1)->n_member_batches, n + 4);
    nodes_free(t);
}

TEST(a_joiner_after_5000_openings_gets_bytes_in_proportion)
{
    uint64_t welcome[2], meta[2];

    join_after(500, false, &welcome[0], &meta[0]);
    join_after(5000, false, &welcome[1], &meta[1]);
    assert_true(welcome[1] > 5000 * 200 && welcome[1] < 5000 * 400);
    assert_true(welcome[1] < 11 * welcome[0]);
}

TEST(so_does_one_that_takes_the_state)
{
    uint64_t welcome[2], meta[2];

    join_after(500, true, &welcome[0], &meta[0]);
    join_after(5000, true, &welcome[1], &meta[1]);
    assert_true(meta[1] > 5000 * 200 && meta[1] < 5000 * 800);
    assert_true(meta[1] < 11 * meta[0]);
}

TEST(an_opening_takes_no_more_room_the_more_there_were)
{
    struct nodes *t = nodes_new();
    struct rj_space *s;

    nodes_open(t, 0);
    (void)nodes_add_space(t, 0);
    for (int i = 0; i < 60; i++) {
        nodes_close(t, 0);
        nodes_open(t, 0);
    }
    s = nodes_space(t, 0);
    assert_int_equal(s->n_member_batches, 61);
    for (size_t i = 1; i < s->n_member_batches; i++) {
        assert_true(s->member_batches[i].len < 300);
        assert_true(s->member_batches[i].len <= s->member_batches[1].len + 16);
    }
    nodes_free(t);
}

TEST(heads_of_former_origins_are_forgotten)
{
    struct nodes *t = nodes_new();
    size_t with_head = 0;

    nodes_open(t, 0);
    (void)nodes_add_space(t, 0);
    for (int i = 0; i < 20; i++) {
        nodes_run(t, 2000);
        nodes_close(t, 0);
        nodes_open(t, 0);
    }
    nodes_run(t, 2000);
    nodes_close(t, 0);
    nodes_open(t, 0);
    for (uint32_t o = 0; o < nodes_space(t, 0)->origins.n; o++)
        with_head += nodes_space(t, 0)->os[o].head.len > 0;
    assert_int_equal(with_head, 1);
    nodes_free(t);
}

/* ---- how far a join is */

enum { JOINED_KEYS = 400 };

/* What status says of node 1, which joins node 0; the part never shrinks. Returns how
 * many turns it was strictly between none and all. */
static unsigned watch_join(struct nodes *t, bool by_state)
{
    unsigned between = 0;
    double last = 0;
    bool there = false;

    for (int i = 0; i < 6000 && !(there && nodes_is_whole(t, 1)); i++) {
        struct rj_space *s = nodes_space(t, 1);
        struct rj_space_info info;

        if (s != NULL) {
            rj_space_info(s, nodes_now(t), &info);
            assert_true(info.joining);
            assert_true(info.joined_part >= last && info.joined_part <= 1);
            last = info.joined_part;
            between += last > 0 && last < 1;
            if (last > 0) /* keys lie about anywhere; a batch is 8 of them */
                assert_in_range((uint64_t)(last * JOINED_KEYS) + 60,
                                info.keys + (by_state ? 0 : 50),
                                info.keys + (by_state ? 120 : 70));
        }
        nodes_turn(t);
        there = nodes_space(t, 1) != NULL;
    }
    return between;
}

static void write_keys(struct nodes *t, char first)
{
    static const uint8_t value[1000];

    for (uint32_t k = 0; k < JOINED_KEYS; k++) {
        uint8_t key[5] = {(uint8_t)first};
        uint64_t added;

        rj_be_store32(key + 1, k);
        assert_ok(rj_bucket_sadd(nodes_bucket(t, 0), RJ_BYTES_OF(key),
                                 &RJ_BYTES_OF(value), 1, &added));
        if (k % 8 == 7)
            nodes_turn(t);
    }
    nodes_run(t, 2000);
}

static void check_joined_part(bool by_state)
{
    struct nodes *t = nodes_new();
    struct rj_space_info info;

    t->host[0].limits.log_bytes = by_state ? 1024 : 0;
    t->host[0].limits.unacked_bytes = 40000;
    t->host[0].limits.part_bytes = 20000;
    t->host[1].limits = t->host[0].limits;
    nodes_open(t, 0);
    (void)nodes_add_space(t, 0);
    write_keys(t, 'a');
    nodes_open(t, 1);
    (void)nodes_connect(t, 1, 0);
    nodes_join(t, 0, 1);
    assert_true(watch_join(t, by_state) >= 3);
    rj_space_info(nodes_space(t, 1), nodes_now(t), &info);
    assert_false(info.joining);
    assert_true(info.joined_part >= 1);
    nodes_until_agreed(t, 0, 1);
    nodes_free(t);
}

TEST(a_join_from_the_log_tells_which_part_of_the_writes_has_come)
{
    check_joined_part(false);
}

TEST(a_join_by_state_tells_which_part_of_the_positions_has_come)
{
    check_joined_part(true);
}

TEST(a_node_that_was_away_knows_how_many_writes_it_misses)
{
    struct nodes *t = nodes_new();
    uint64_t last = 0, most = 0;
    struct wire *w;

    t->host[0].limits.unacked_bytes = t->host[1].limits.unacked_bytes = 40000;
    nodes_open(t, 0);
    nodes_open(t, 1);
    (void)nodes_add_space(t, 0);
    w = nodes_connect(t, 1, 0);
    nodes_join(t, 0, 1);
    nodes_run(t, 2000);
    nodes_until_agreed(t, 0, 1);
    nodes_cut(t, w);
    write_keys(t, 'b');
    (void)nodes_connect(t, 1, 0);
    for (int i = 0; i < 6000 && !nodes_agree(t, 0, 1); i++) {
        struct rj_space_info here, there;

        nodes_turn(t);
        rj_space_info(nodes_space(t, 1), nodes_now(t), &here);
        rj_space_info(nodes_space(t, 0), nodes_now(t), &there);
        assert_false(here.joining);
        assert_int_equal(there.missing, 0);
        if (most > 0)
            assert_true(here.missing <= last);
        if (here.missing > 0)
            assert_int_equal(here.missing, there.writes - here.writes);
        last = here.missing;
        most = last > most ? last : most;
    }
    assert_in_range(most, JOINED_KEYS / 2, JOINED_KEYS); /* some came with the news */
    assert_int_equal(last, 0);
    nodes_until_agreed(t, 0, 1);
    nodes_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_welcome_makes_a_space_whole_or_in_parts),
        cmocka_unit_test(a_welcome_that_is_not_right_leaves_no_space),
        cmocka_unit_test(a_member_batch_told_again_is_kept_once),
        cmocka_unit_test(meta_goes_on_over_frames_and_takes_each_batch_once),
        cmocka_unit_test(a_member_batch_in_meta_ends_where_it_ends),
        cmocka_unit_test(lists_in_meta_hold_whole_entries),
        cmocka_unit_test(a_joiner_after_5000_openings_gets_bytes_in_proportion),
        cmocka_unit_test(so_does_one_that_takes_the_state),
        cmocka_unit_test(a_join_from_the_log_tells_which_part_of_the_writes_has_come),
        cmocka_unit_test(a_join_by_state_tells_which_part_of_the_positions_has_come),
        cmocka_unit_test(a_node_that_was_away_knows_how_many_writes_it_misses),
        cmocka_unit_test(an_opening_takes_no_more_room_the_more_there_were),
        cmocka_unit_test(heads_of_former_origins_are_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
