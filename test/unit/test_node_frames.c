/* SPDX-License-Identifier: Apache-2.0 */
/* Frames by hand against one node: what is well-formed, what is not, and who is told
 * what. */
#include "support/nodes.h"

enum { UNKNOWN_SPACE = 999 };

/* A node with a space of which the test's device is a member, and a connection. */
static struct nodes *start(struct wire **ret_wire)
{
    struct nodes *t = nodes_new();

    nodes_open(t, 0);
    (void)nodes_add_space(t, 0);
    nodes_admit(t, 0, &t->hand);
    nodes_run(t, 1000);
    *ret_wire = nodes_connect(t, 0, HAND);
    return t;
}

/* The fields of a well-formed frame of that type (about a space that is not common);
 * their number. */
static size_t put_fields(struct rj_buf *b, uint64_t type)
{
    static const char *const fields[] = {
        [RJ_FRAME_HELLO] = "1uta",     [RJ_FRAME_SPACE] = "ud1aa",
        [RJ_FRAME_BATCH] = "nB",       [RJ_FRAME_HEAD_] = "nbs",
        [RJ_FRAME_ACK] = "0ua",        [RJ_FRAME_PULL] = "na",
        [RJ_FRAME_BEHIND] = "na",      [RJ_FRAME_TAKE] = "nuuufFa",
        [RJ_FRAME_META] = "nufaaaaaa", [RJ_FRAME_GIVE] = "nuuuffaabuuuuu",
        [RJ_FRAME_REFUSE] = "t",       [RJ_FRAME_ADDRESSES] = "da",
        [RJ_FRAME_CLOCK] = "nu",       [RJ_FRAME_BUSY] = "nu",
        [RJ_FRAME_DIGEST] = "nuuuu",   [RJ_FRAME_PART] = "fb",
        [RJ_FRAME_FORK] = "nbsbsu",    [RJ_FRAME_LINE] = "na",
        [RJ_FRAME_APART] = "nbu"};
    static const uint8_t zeros[64];
    const char *p = fields[type];

    for (; *p != '\0'; p++) {
        switch (*p) {
        case '0':
            rj_cbor_put_uint(b, 0);
            break;
        case '1':
            rj_cbor_put_uint(b, 1);
            break;
        case 'u':
            rj_cbor_put_uint(b, 7);
            break;
        case 'n':
            rj_cbor_put_uint(b, UNKNOWN_SPACE);
            break;
        case 't':
            rj_cbor_put_text(b, RJ_BYTES_LIT("x"));
            break;
        case 'a':
            rj_cbor_put_array(b, 0);
            break;
        case 'b':
            rj_cbor_put_bytes(b, RJ_BYTES_LIT("x"));
            break;
        case 'B':
            rj_cbor_put_array(b, 0);
            break;
        case 's':
            rj_cbor_put_bytes(b, RJ_BYTES_OF(zeros));
            break;
        case 'd':
            rj_cbor_put_bytes(b, rj_bytes_of(zeros, 32));
            break;
        default:
            rj_cbor_put_bool(b, *p == 'F');
            break;
        }
    }
    return strlen(fields[type]);
}

/* What one frame leads to: RJ_ERR_COUNT when the session goes on. */
static enum rj_err answer_to(uint64_t type, int more_fields, bool trailing)
{
    struct wire *w;
    struct nodes *t = start(&w);
    struct rj_buf b = {0}, fields = {0};
    size_t n = put_fields(&fields, type);
    enum rj_err err;

    if (type != RJ_FRAME_HELLO)
        hand_hello(t, w);
    assert_int_equal(w->closed[0], RJ_ERR_COUNT);
    rj_cbor_put_array(&b, n + 1 + (more_fields > 0));
    rj_cbor_put_uint(&b, type);
    rj_buf_append(&b, rj_buf_view(&fields));
    if (more_fields > 0)
        rj_cbor_put_null(&b);
    if (trailing)
        rj_cbor_put_null(&b);
    hand_send(t, w, rj_buf_view(&b));
    err = w->closed[0];
    rj_buf_done(&b);
    rj_buf_done(&fields);
    nodes_free(t);
    return err;
}

TEST(a_frame_has_the_fields_of_its_type_and_nothing_behind_them)
{
    for (uint64_t type = RJ_FRAME_HELLO; type <= RJ_FRAME_APART; type++) {
        if (type == RJ_FRAME_JOIN || type == RJ_FRAME_WELCOME || type == RJ_FRAME_CAST ||
            type == RJ_FRAME_RELAY_ASK || type == RJ_FRAME_RELAY)
            continue; /* see their own tests */
        assert_int_equal(answer_to(type, 0, false), RJ_ERR_COUNT);
        assert_err(RJ_EPROTO, answer_to(type, 1, false));
        assert_err(RJ_EPROTO, answer_to(type, 0, true));
    }
}

TEST(an_unknown_type_ends_the_session)
{
    struct wire *w;
    struct nodes *t = start(&w);

    hand_hello(t, w);
    hand_send(t, w, RJ_BYTES_LIT("\x82\x14\x00")); /* 20 */
    assert_err(RJ_EPROTO, w->closed[0]);
    nodes_free(t);
}

TEST(another_protocol_is_told_from_a_malformed_hello)
{
    const struct {
        struct rj_bytes payload;
        enum rj_err err;
    } cases[] = {{RJ_BYTES_LIT("\x83\x01\x02\xf6"), RJ_EVERSION},
                 {RJ_BYTES_LIT("\x83\x01\x01\xf6"), RJ_EPROTO},
                 {RJ_BYTES_LIT("\x82\x01\x60"), RJ_EPROTO}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wire *w;
        struct nodes *t = start(&w);

        hand_send(t, w, cases[i].payload);
        assert_err(cases[i].err, w->closed[0]);
        nodes_free(t);
    }
}

/* The node takes the state from the test: truncated is beyond its vector. */
static struct nodes *start_take(struct wire **ret_wire)
{
    struct nodes *t = start(ret_wire);
    struct rj_space *s = nodes_space(t, 0);
    struct rj_vv ahead = {0};

    assert_ok(rj_vv_copy(&ahead, &s->vv));
    assert_ok(rj_vv_put(&ahead, s->self, rj_vv_get(&s->vv, s->self) + 5));
    hand_hello(t, *ret_wire);
    hand_space(t, *ret_wire, s, &ahead, &ahead);
    rj_vv_done(&ahead);
    nodes_turn(t);
    assert_true(s->transfer.active);
    assert_int_equal((*ret_wire)->by[0].count[RJ_FRAME_TAKE], 1);
    return t;
}

static void send_busy(struct nodes *t, struct wire *w, uint64_t request)
{
    struct rj_buf b = {0};

    rj_cbor_put_array(&b, 3);
    rj_cbor_put_uint(&b, RJ_FRAME_BUSY);
    rj_cbor_put_uint(&b, 1);
    rj_cbor_put_uint(&b, request);
    hand_send(t, w, rj_buf_view(&b));
    rj_buf_done(&b);
}

TEST(busy_is_about_one_request)
{
    struct wire *w;
    struct nodes *t = start_take(&w);
    struct rj_space *s = nodes_space(t, 0);
    uint64_t request = s->transfer.request;

    send_busy(t, w, request + 1);
    send_busy(t, w, request - 1);
    assert_int_equal(w->closed[0], RJ_ERR_COUNT);
    assert_true(s->transfer.active);
    assert_int_equal(s->transfer.request, request);
    send_busy(t, w, request);
    assert_int_not_equal(s->transfer.request, request);
    nodes_free(t);
}

static void send_part(struct nodes *t, struct wire *w, bool last, struct rj_bytes bytes)
{
    struct rj_buf b = {0};

    rj_cbor_put_array(&b, 3);
    rj_cbor_put_uint(&b, RJ_FRAME_PART);
    rj_cbor_put_bool(&b, last);
    rj_cbor_put_bytes(&b, bytes);
    hand_send(t, w, rj_buf_view(&b));
    rj_buf_done(&b);
}

TEST(parts_that_nobody_waits_for_are_dropped_as_they_come)
{
    struct wire *w;
    struct nodes *t = start(&w);
    struct rj_session *ss;

    hand_hello(t, w);
    ss = t->host[0].node->sessions[0];
    for (int i = 0; i < 3; i++) {
        send_part(t, w, false, RJ_BYTES_LIT("anything"));
        assert_int_equal(ss->parts.len, 0);
    }
    send_part(t, w, true, RJ_BYTES_LIT("anything"));
    assert_int_equal(w->closed[0], RJ_ERR_COUNT);
    assert_false(ss->parts_skip);
    nodes_free(t);
}

TEST(parts_hold_a_give_or_a_welcome_only)
{
    const struct rj_bytes inner[] = {RJ_BYTES_LIT("\x83\x12\xf5\x40"), /* a PART */
                                     RJ_BYTES_LIT("\x83\x10\x01\x01"), /* BUSY */
                                     RJ_BYTES_LIT("\x82\x0a\x01")};    /* no GIVE */

    for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
        struct wire *w;
        struct nodes *t = start_take(&w);

        send_part(t, w, false, rj_bytes_first(inner[i], 1));
        send_part(t, w, true, rj_bytes_skip(inner[i], 1));
        assert_err(RJ_EPROTO, w->closed[0]);
        nodes_free(t);
    }
}

TEST(parts_keep_a_transfer_from_being_given_up)
{
    struct wire *w;
    struct nodes *t = start_take(&w);
    struct rj_space *s = nodes_space(t, 0);
    uint64_t request = s->transfer.request;

    for (int i = 0; i < 5; i++) {
        nodes_run(t, RJ_TRANSFER_MS - 500);
        send_part(t, w, false, RJ_BYTES_LIT("some of a long key"));
    }
    assert_true(s->transfer.active);
    assert_int_equal(s->transfer.request, request);
    nodes_run(t, RJ_TRANSFER_MS + 500);
    assert_int_not_equal(s->transfer.request, request);
    nodes_free(t);
}

TEST(a_closed_device_is_shown_its_close_once)
{
    struct wire *w;
    struct nodes *t = start(&w);
    struct rj_digest id = nodes_device(&t->hand);

    nodes_cut(t, w);
    assert_ok(rj_space_close_device(nodes_space(t, 0), &id, nodes_now(t)));
    nodes_run(t, 1000);
    w = nodes_connect(t, 0, HAND);
    hand_hello(t, w);
    nodes_run(t, 500); /* its driver is slow to close */
    assert_int_equal(w->by[0].count[RJ_FRAME_SPACE], 1);
    assert_int_equal(w->by[0].count[RJ_FRAME_BATCH], 1);
    assert_int_equal(w->by[0].count[RJ_FRAME_REFUSE], 1);
    assert_err(RJ_EDENIED, w->closed[0]);
    nodes_free(t);
}

TEST(a_device_that_is_closed_while_connected_is_shown_it_once)
{
    struct wire *w;
    struct nodes *t = start(&w);
    struct rj_digest id = nodes_device(&t->hand);

    hand_hello(t, w);
    nodes_run(t, 100);
    assert_ok(rj_space_close_device(nodes_space(t, 0), &id, nodes_now(t)));
    nodes_run(t, 500);
    assert_int_equal(w->by[0].count[RJ_FRAME_SPACE], 1); /* told before */
    assert_int_equal(w->by[0].count[RJ_FRAME_BATCH], 1);
    assert_int_equal(w->by[0].count[RJ_FRAME_REFUSE], 1);
    nodes_free(t);
}

/* While a ticket is out it may be one that has it: it is told when it shows none. */
TEST(a_closed_device_may_show_a_ticket)
{
    struct wire *w;
    struct nodes *t = start(&w);
    struct rj_digest id = nodes_device(&t->hand);
    struct rj_invite_opts opts = {
        .role = RJ_ROLE_WRITER, .uses = 1, .expires_ms = UINT64_MAX};
    uint8_t secret[RJ_SECRET_LEN];

    nodes_cut(t, w);
    assert_ok(rj_space_close_device(nodes_space(t, 0), &id, nodes_now(t)));
    assert_ok(rj_node_invite(t->host[0].node, &opts, nodes_now(t), secret));
    nodes_run(t, 1000);
    w = nodes_connect(t, 0, HAND);
    hand_hello(t, w);
    nodes_run(t, RJ_GUEST_MS / 2);
    assert_int_equal(w->closed[0], RJ_ERR_COUNT);
    assert_int_equal(w->by[0].count[RJ_FRAME_BATCH], 0);
    nodes_run(t, RJ_GUEST_MS);
    assert_int_equal(w->by[0].count[RJ_FRAME_BATCH], 1);
    assert_int_equal(w->by[0].count[RJ_FRAME_REFUSE], 1);
    assert_err(RJ_EDENIED, w->closed[0]);
    nodes_free(t);
}

/* A member of two spaces is closed in one: the session goes on for the other one. */
TEST(a_space_in_which_a_peer_was_closed_flows_no_more)
{
    struct nodes *t = nodes_new();
    struct rj_space_opts more = {.kind = RJ_KIND_BUCKET, .name = RJ_BYTES_LIT("t")};
    struct rj_space *s, *other;
    struct rj_digest id = nodes_device(&t->host[1].env);
    struct rj_link *l;
    struct wire *w;
    uint64_t added;

    nodes_open(t, 0);
    nodes_open(t, 1);
    s = nodes_add_space(t, 0);
    assert_ok(rj_node_space_add(t->host[0].node, &more, nodes_now(t), &other));
    w = nodes_connect(t, 1, 0);
    nodes_join(t, 0, 1);
    nodes_until_agreed(t, 0, 1);
    assert_ok(rj_space_close_device(s, &id, nodes_now(t)));
    nodes_run(t, 1000);
    assert_ok(rj_bucket_sadd(nodes_bucket(t, 0), RJ_BYTES_LIT("k"), &RJ_BYTES_LIT("e"), 1,
                             &added));
    nodes_run(t, 1000);
    assert_int_equal(w->closed[0], RJ_ERR_COUNT);
    assert_int_equal(w->closed[1], RJ_ERR_COUNT);
    assert_int_equal(rj_bucket_count(nodes_bucket(t, 1)), 0);
    assert_err(RJ_ECLOSED, rj_bucket_sadd(nodes_bucket(t, 1), RJ_BYTES_LIT("k"),
                                          &RJ_BYTES_LIT("e"), 1, &added));
    l = rj_session_link(t->host[0].node->sessions[0], s);
    assert_true(l->parted && !l->told);
    assert_true(rj_session_link(t->host[0].node->sessions[0], other)->told);
    nodes_join(t, 0, 1); /* and in again, on the same session */
    nodes_until_agreed(t, 0, 1);
    assert_int_equal(rj_bucket_count(nodes_bucket(t, 1)), 1);
    assert_true(l->told && !l->parted);
    nodes_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_has_the_fields_of_its_type_and_nothing_behind_them),
        cmocka_unit_test(an_unknown_type_ends_the_session),
        cmocka_unit_test(another_protocol_is_told_from_a_malformed_hello),
        cmocka_unit_test(busy_is_about_one_request),
        cmocka_unit_test(parts_that_nobody_waits_for_are_dropped_as_they_come),
        cmocka_unit_test(parts_hold_a_give_or_a_welcome_only),
        cmocka_unit_test(parts_keep_a_transfer_from_being_given_up),
        cmocka_unit_test(a_closed_device_is_shown_its_close_once),
        cmocka_unit_test(a_device_that_is_closed_while_connected_is_shown_it_once),
        cmocka_unit_test(a_closed_device_may_show_a_ticket),
        cmocka_unit_test(a_space_in_which_a_peer_was_closed_flows_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
