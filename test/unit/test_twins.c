/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/twins.h"
#include "support/test.h"

static const uint8_t one[RJ_TWINS_TAG_LEN] = {1}, other[RJ_TWINS_TAG_LEN] = {2};

static struct rj_mono at(uint64_t ms)
{
    return (struct rj_mono){ms};
}

TEST(a_connection_to_oneself_is_no_twin)
{
    struct rj_twins t = {0};

    rj_twins_note(&t, one, "192.0.2.1:1", at(10));
    rj_twins_note(&t, one, "192.0.2.1:7340", at(12));
    assert_null(rj_twins_address(&t, at(100000)));
}

TEST(a_binding_that_stays_alone_is_one)
{
    struct rj_twins t = {0};

    rj_twins_note(&t, one, "192.0.2.1:7340", at(10));
    assert_null(rj_twins_address(&t, at(11))); /* its other end may come yet */
    assert_string_equal(rj_twins_address(&t, at(10 + RJ_TWINS_SURE_MS)),
                        "192.0.2.1:7340");
    rj_twins_note(&t, other, "192.0.2.1:2", at(20));
    rj_twins_note(&t, other, "192.0.2.1:3", at(21));
    assert_string_equal(rj_twins_address(&t, at(100000)), "192.0.2.1:7340");
}

TEST(only_the_last_ones_are_kept)
{
    struct rj_twins t = {0};
    uint8_t tag[RJ_TWINS_TAG_LEN] = {0};

    for (uint8_t i = 0; i < 3 * RJ_TWINS_KEPT; i++) {
        tag[1] = i;
        rj_twins_note(&t, tag, "192.0.2.1:7340", at(i));
    }
    assert_non_null(rj_twins_address(&t, at(100000)));
}

static const char *const places[2] = {"192.0.2.1:7", "192.0.2.2:8"};

TEST(a_peer_that_reconnects_once_in_a_while_is_no_rival)
{
    struct rj_digest d = {{7}};
    struct rj_twins t = {0};

    for (uint64_t i = 0; i < 20; i++)
        rj_twins_replaced(&t, &d, places, at(i * (RJ_TWINS_WINDOW_MS + 1)));
    for (size_t i = 0; i < RJ_TWINS_RIVALS; i++)
        assert_null(rj_twins_rival(&t, i, at(20 * (RJ_TWINS_WINDOW_MS + 1))));
}

TEST(a_peer_that_replaces_itself_again_and_again_is_one)
{
    struct rj_digest d = {{7}}, e = {{8}};
    const struct rj_rival *r;
    struct rj_twins t = {0};

    rj_twins_replaced(&t, &e, places, at(1));
    for (uint64_t i = 1; i <= RJ_TWINS_REPLACED; i++)
        rj_twins_replaced(&t, &d, places, at(i * 100));
    r = rj_twins_rival(&t, 1, at(400));
    assert_non_null(r);
    assert_memory_equal(r->device.b, d.b, RJ_DIGEST_LEN);
    assert_string_equal(r->address[1], "192.0.2.2:8");
    assert_null(rj_twins_rival(&t, 0, at(400)));
    assert_null(rj_twins_rival(&t, 1, at(400 + RJ_TWINS_RECALL_MS)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_to_oneself_is_no_twin),
        cmocka_unit_test(a_binding_that_stays_alone_is_one),
        cmocka_unit_test(only_the_last_ones_are_kept),
        cmocka_unit_test(a_peer_that_reconnects_once_in_a_while_is_no_rival),
        cmocka_unit_test(a_peer_that_replaces_itself_again_and_again_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
