/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to a node that are no steps: what they refuse, and that then nothing changed. */
#include "support/nodes.h"

#include <stdio.h>

/* ---- invitations */

static enum rj_err invite(struct nodes *t, uint64_t life_ms)
{
    struct rj_invite_opts opts = {
        .role = RJ_ROLE_READER, .expires_ms = nodes_now(t).wall.ms + life_ms, .uses = 1};
    uint8_t secret[RJ_SECRET_LEN];

    return rj_node_invite(t->host[0].node, &opts, nodes_now(t), secret);
}

TEST(an_invitation_that_expired_makes_room_for_another)
{
    enum { LIFE_MS = 10000 };
    struct nodes *t = nodes_new();

    nodes_open(t, 0);
    (void)nodes_add_space(t, 0);
    for (size_t i = 0; i < RJ_INVITES_MAX; i++)
        assert_ok(invite(t, LIFE_MS));
    assert_err(RJ_ELIMIT, invite(t, LIFE_MS));
    t->now_ms += LIFE_MS;
    assert_ok(invite(t, LIFE_MS));
    nodes_free(t);
}

TEST(nobody_is_invited_into_nothing)
{
    struct nodes *t = nodes_new();
    struct rj_space *s;

    nodes_open(t, 0);
    assert_err(RJ_ENOENT, invite(t, 1000));
    s = nodes_add_space(t, 0);
    assert_ok(invite(t, 1000));
    assert_ok(rj_node_space_remove(t->host[0].node, s));
    assert_err(RJ_ENOENT, invite(t, 1000));
    nodes_free(t);
}

TEST(an_invitation_is_for_a_role_and_a_number_of_devices)
{
    struct nodes *t = nodes_new();
    struct rj_bytes other = RJ_BYTES_LIT("other");
    struct rj_invite_opts opts = {
        .role = RJ_ROLE_NONE, .expires_ms = UINT64_MAX, .uses = 1};
    uint8_t secret[RJ_SECRET_LEN];

    nodes_open(t, 0);
    (void)nodes_add_space(t, 0);
    assert_err(RJ_EINVAL, rj_node_invite(t->host[0].node, &opts, nodes_now(t), secret));
    opts.role = RJ_ROLE_WRITER;
    opts.uses = 0;
    assert_err(RJ_EINVAL, rj_node_invite(t->host[0].node, &opts, nodes_now(t), secret));
    opts.uses = 1;
    opts.spaces = &other;
    opts.n_spaces = 1;
    assert_err(RJ_ENOENT, rj_node_invite(t->host[0].node, &opts, nodes_now(t), secret));
    nodes_free(t);
}

/* ---- addresses */

/* Address i of the first device known, "" when there is none. */
static const char *address_of(struct nodes *t, size_t i)
{
    struct rj_peer_info info;

    assert_true(rj_node_peer(t->host[0].node, 0, &info));
    return i < info.n_addresses ? info.addresses[i] : "";
}

TEST(an_address_added_is_the_first_to_try)
{
    struct nodes *t = nodes_new();
    struct rj_digest id = nodes_device(&t->hand);
    char text[RJ_ADDRESS_MAX + 1];

    nodes_open(t, 0);
    for (int i = 0; i < RJ_ADDRESSES_MAX + 1; i++) {
        (void)snprintf(text, sizeof(text), "192.0.2.%d:1", i);
        assert_ok(rj_node_add_address(t->host[0].node, &id, rj_bytes_from_str(text)));
        assert_string_equal(address_of(t, 0), text);
    }
    assert_string_equal(address_of(t, RJ_ADDRESSES_MAX - 1), "192.0.2.1:1");
    assert_string_equal(address_of(t, RJ_ADDRESSES_MAX), "");
    memset(text, 'a', sizeof(text));
    assert_err(RJ_EINVAL, rj_node_add_address(t->host[0].node, &id,
                                              rj_bytes_of(text, sizeof(text))));
    assert_err(RJ_EINVAL,
               rj_node_add_address(t->host[0].node, &id, rj_bytes_of(text, 0)));
    assert_string_equal(address_of(t, 0), "192.0.2.16:1");
    nodes_free(t);
}

TEST(own_addresses_have_their_limits)
{
    static char text[RJ_ADDRESS_MAX + 1];
    struct nodes *t = nodes_new();
    struct rj_node *n;
    struct rj_bytes list[RJ_ADDRESSES_MAX + 1];

    nodes_open(t, 0);
    n = t->host[0].node;
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i <= RJ_ADDRESSES_MAX; i++)
        list[i] = rj_bytes_of(text, RJ_ADDRESS_MAX);
    assert_ok(rj_node_set_addresses(n, list, RJ_ADDRESSES_MAX));
    assert_err(RJ_ELIMIT, rj_node_set_addresses(n, list, RJ_ADDRESSES_MAX + 1));
    list[1].len++;
    assert_err(RJ_ELIMIT, rj_node_set_addresses(n, list, 2));
    assert_int_equal(n->n_addresses, RJ_ADDRESSES_MAX);
    assert_ok(rj_node_set_addresses(n, NULL, 0));
    nodes_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_invitation_that_expired_makes_room_for_another),
        cmocka_unit_test(nobody_is_invited_into_nothing),
        cmocka_unit_test(an_invitation_is_for_a_role_and_a_number_of_devices),
        cmocka_unit_test(an_address_added_is_the_first_to_try),
        cmocka_unit_test(own_addresses_have_their_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
