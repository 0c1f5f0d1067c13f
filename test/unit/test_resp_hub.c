/* SPDX-License-Identifier: Apache-2.0 */
/* Channels, and keyspace events: who hears what, in which form, and who is cut. */
#include "support/fail_alloc.h"
#include "support/resp_walk.h"

enum { EARS = 3 };

struct room {
    struct resp_host host;
    struct rj_resp *s[EARS];
};

static void enter(struct room *room)
{
    assert_true(resp_host_begin(&room->host));
    for (size_t i = 0; i < EARS; i++)
        assert_ok(rj_resp_new(&room->host.host, &(struct rj_resp_opts){.id = i + 1},
                              &room->s[i]));
}

static void leave(struct room *room)
{
    for (size_t i = 0; i < EARS; i++)
        rj_resp_free(room->s[i]);
    assert_int_equal(room->host.host.hub.topics.count, 0);
    resp_host_end(&room->host);
}

/* What waits for session i, and is taken by that. */
static void hears(struct room *room, size_t i, const char *expected)
{
    struct rj_buf *out = rj_resp_out(room->s[i]);

    if (!rj_bytes_equal(rj_buf_view(out), rj_bytes_from_str(expected)))
        fail_msg("'%s' instead of '%s'", rj_buf_str(out), expected);
    rj_buf_clear(out);
}

/* Asks; nothing is left to be heard of that. */
static void say(struct rj_resp *s, const char *text, const char *expected)
{
    ask(s, text, expected);
    rj_buf_clear(rj_resp_out(s));
}

#define SUBSCRIBED(name, n) "*3\r\n$9\r\nsubscribe\r\n$1\r\n" name "\r\n:" n "\r\n"
#define MESSAGE(name, text) "*3\r\n$7\r\nmessage\r\n$1\r\n" name "\r\n$2\r\n" text "\r\n"
#define PMESSAGE(pattern, name, text)                                                    \
    "*4\r\n$8\r\npmessage\r\n$2\r\n" pattern "\r\n$1\r\n" name "\r\n$2\r\n" text "\r\n"

TEST(what_is_published_reaches_those_who_subscribed)
{
    struct room room;

    enter(&room);
    say(room.s[2], "PUBLISH a hi", ZERO);
    say(room.s[0], "SUBSCRIBE a b a",
        SUBSCRIBED("a", "1") SUBSCRIBED("b", "2") SUBSCRIBED("a", "2"));
    say(room.s[1], "PSUBSCRIBE a*", "*3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:1\r\n");
    say(room.s[2], "PUBLISH a hi", ":2\r\n");
    hears(&room, 0, MESSAGE("a", "hi"));
    hears(&room, 1, PMESSAGE("a*", "a", "hi"));
    say(room.s[2], "PUBLISH b hi", ONE);
    hears(&room, 0, MESSAGE("b", "hi"));
    hears(&room, 1, "");
    say(room.s[2], "PUBSUB CHANNELS", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    say(room.s[2], "PUBSUB CHANNELS b*", "*1\r\n$1\r\nb\r\n");
    say(room.s[2], "PUBSUB NUMSUB a x", "*4\r\n$1\r\na\r\n:1\r\n$1\r\nx\r\n:0\r\n");
    say(room.s[2], "PUBSUB NUMPAT", ONE);
    say(room.s[0], "UNSUBSCRIBE a", "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n");
    say(room.s[2], "PUBLISH a hi", ONE);
    hears(&room, 0, "");
    hears(&room, 1, PMESSAGE("a*", "a", "hi"));
    say(room.s[0], "UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n");
    say(room.s[0], "UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
    say(room.s[1], "PUNSUBSCRIBE a* x",
        "*3\r\n$12\r\npunsubscribe\r\n$2\r\na*\r\n:0\r\n"
        "*3\r\n$12\r\npunsubscribe\r\n$1\r\nx\r\n:0\r\n");
    say(room.s[2], "PUBLISH a hi", ZERO);
    leave(&room);
}

TEST(in_version_2_a_subscriber_does_little_else)
{
    struct room room;

    enter(&room);
    say(room.s[0], "SUBSCRIBE a", SUBSCRIBED("a", "1"));
    say(room.s[0], "GET k",
        "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT "
        "/ RESET are allowed in this context\r\n");
    say(room.s[0], "PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    say(room.s[0], "PING x", "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
    say(room.s[0], "RESET", "+RESET\r\n");
    say(room.s[0], "GET k", "$-1\r\n");
    say(room.s[1], "PUBLISH a hi", ZERO);
    say(room.s[0], "MULTI", OK);
    say(room.s[0], "SUBSCRIBE a", "-ERR Command not allowed inside a transaction\r\n");
    say(room.s[0], "DISCARD", OK);
    leave(&room);
}

TEST(in_version_3_messages_are_pushed_between_replies)
{
    struct room room;

    enter(&room);
    room.s[0]->reply.proto = 3;
    say(room.s[0], "SUBSCRIBE a", ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    say(room.s[0], "GET k", "_\r\n");
    say(room.s[0], "PUBLISH a hi",
        ":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n");
    say(room.s[0], "MULTI", OK);
    say(room.s[0], "PUBLISH a hi", "+QUEUED\r\n");
    say(room.s[0], "GET k", "+QUEUED\r\n");
    say(room.s[0], "EXEC",
        "*2\r\n:1\r\n_\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n");
    leave(&room);
}

TEST(an_error_of_the_protocol_has_room_behind_a_message)
{
    struct room room;
    struct rj_buf in = {0};

    enter(&room);
    room.s[0]->reply.proto = 3;
    say(room.s[0], "SUBSCRIBE a", ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    resp_host_encode(&in, "PUBLISH a hi");
    rj_buf_append_str(&in, "*1\r\nT\r\n");
    assert_int_equal(rj_resp_input(room.s[0], rj_buf_view(&in)), RJ_RESP_CLOSE);
    hears(&room, 0,
          ":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"
          "-ERR Protocol error: expected '$', got 'T'\r\n");
    rj_buf_done(&in);
    leave(&room);
}

TEST(buckets_do_not_hear_each_other)
{
    struct room room;
    const struct rj_resp_message m = {.bucket = RJ_BYTES_LIT("other"),
                                      .channel = RJ_BYTES_LIT("a"),
                                      .text = RJ_BYTES_LIT("hi")};

    enter(&room);
    say(room.s[0], "SUBSCRIBE a", SUBSCRIBED("a", "1"));
    assert_int_equal(rj_resp_deliver(&room.host.host, &m), 0);
    room.host.selected = "other";
    say(room.s[1], "SUBSCRIBE a", SUBSCRIBED("a", "1"));
    assert_int_equal(rj_resp_deliver(&room.host.host, &m), 1);
    hears(&room, 0, "");
    hears(&room, 1, MESSAGE("a", "hi"));
    say(room.s[2], "PUBSUB NUMSUB a", "*2\r\n$1\r\na\r\n:1\r\n");
    say(room.s[0], "UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
    leave(&room);
}

TEST(shard_channels_are_apart)
{
    struct room room;

    enter(&room);
    say(room.s[0], "SSUBSCRIBE a", "*3\r\n$10\r\nssubscribe\r\n$1\r\na\r\n:1\r\n");
    say(room.s[1], "PSUBSCRIBE a*", "*3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:1\r\n");
    say(room.s[2], "PUBLISH a hi", ONE);
    hears(&room, 0, "");
    hears(&room, 1, PMESSAGE("a*", "a", "hi"));
    say(room.s[2], "SPUBLISH a hi", ONE);
    hears(&room, 0, "*3\r\n$8\r\nsmessage\r\n$1\r\na\r\n$2\r\nhi\r\n");
    hears(&room, 1, "");
    say(room.s[2], "PUBSUB SHARDNUMSUB a", "*2\r\n$1\r\na\r\n:1\r\n");
    say(room.s[2], "PUBSUB SHARDCHANNELS", "*1\r\n$1\r\na\r\n");
    say(room.s[0], "SUNSUBSCRIBE", "*3\r\n$12\r\nsunsubscribe\r\n$1\r\na\r\n:0\r\n");
    leave(&room);
}

TEST(who_does_not_read_is_cut)
{
    static uint8_t text[1024 * 1024];
    const struct rj_resp_message m = {.bucket = RJ_BYTES_LIT("default"),
                                      .channel = RJ_BYTES_LIT("a"),
                                      .text = {text, sizeof(text)}};
    struct room room;

    enter(&room);
    say(room.s[0], "SUBSCRIBE a", SUBSCRIBED("a", "1"));
    say(room.s[1], "SUBSCRIBE a", SUBSCRIBED("a", "1"));
    rj_buf_clear(rj_resp_out(room.s[0]));
    for (size_t i = 0; i < RJ_RESP_PUSH_MAX / sizeof(text); i++) {
        assert_false(rj_resp_is_slow(room.s[0]));
        rj_buf_clear(rj_resp_out(room.s[1]));
        assert_int_equal(rj_resp_deliver(&room.host.host, &m), 2);
    }
    assert_true(rj_resp_is_slow(room.s[0]));
    assert_false(rj_resp_is_slow(room.s[1]));
    assert_true(rj_resp_out(room.s[0])->len <= RJ_RESP_PUSH_MAX);
    assert_int_equal(rj_resp_input(room.s[0], rj_bytes_of(NULL, 0)), RJ_RESP_CLOSE);
    leave(&room);
}

TEST(a_pattern_that_costs_too_much_ends_its_session)
{
    static uint8_t name[1024 * 1024];
    struct rj_resp_message m = {.bucket = RJ_BYTES_LIT("default"),
                                .channel = {name, sizeof(name)},
                                .text = RJ_BYTES_LIT("hi")};
    struct room room;

    memset(name, 'a', sizeof(name));
    enter(&room);
    say(room.s[0], "PSUBSCRIBE *a*a*a*a*a*a*ab",
        "*3\r\n$10\r\npsubscribe\r\n$15\r\n*a*a*a*a*a*a*ab\r\n:1\r\n");
    say(room.s[1], "PSUBSCRIBE a*", "*3\r\n$10\r\npsubscribe\r\n$2\r\na*\r\n:1\r\n");
    (void)rj_resp_deliver(&room.host.host, &m);
    assert_true(rj_resp_is_slow(room.s[0]));
    assert_false(rj_resp_is_slow(room.s[1]));
    leave(&room);
}

/* ---- keyspace events */

static void event(struct room *room, const char *text, const char *expected)
{
    struct rj_buf in = {0};

    resp_host_encode(&in, text);
    assert_int_equal(rj_resp_input(room->s[2], rj_buf_view(&in)), RJ_RESP_READ);
    rj_buf_done(&in);
    rj_buf_clear(rj_resp_out(room->s[2]));
    hears(room, 0, expected);
}

/* An event on key k, as it is heard by pattern. */
#define EV(len, name)                                                                    \
    "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$16\r\n__keyspace@0__:k\r\n$" len "\r\n" name    \
    "\r\n"

TEST(what_happens_to_keys_is_told)
{
    struct room room;

    enter(&room);
    say(room.s[0], "PSUBSCRIBE *", "*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n");
    event(&room, "SET k v", "");
    say(room.s[2], "CONFIG SET notify-keyspace-events KA", OK);
    event(&room, "SET k v", EV("3", "set"));
    event(&room, "SET k v EX 10", EV("3", "set") EV("6", "expire"));
    event(&room, "PERSIST k", EV("7", "persist"));
    event(&room, "PERSIST k", "");
    event(&room, "GETEX k EX 5", EV("6", "expire"));
    event(&room, "EXPIRE k 50", EV("6", "expire"));
    event(&room, "EXPIRE k -1", EV("3", "del"));
    event(&room, "DEL k", "");
    event(&room, "INCR k", EV("6", "incrby"));
    event(&room, "GETSET k 5", EV("3", "set"));
    event(&room, "GETDEL k", EV("3", "del"));
    event(&room, "MSET k v", EV("3", "set"));
    event(&room, "UNLINK k", EV("3", "del"));
    event(&room, "SADD k a", EV("4", "sadd"));
    event(&room, "SADD k a", "");
    event(&room, "SREM k x", "");
    event(&room, "SREM k a", EV("4", "srem") EV("3", "del"));
    event(&room, "SADD k a", EV("4", "sadd"));
    event(&room, "SPOP k", EV("4", "spop") EV("3", "del"));
    event(&room, "SUNIONSTORE k nokey", "");
    event(&room, "HSET k f v", EV("4", "hset"));
    event(&room, "HINCRBY k n 1", EV("7", "hincrby"));
    event(&room, "HDEL k f n", EV("4", "hdel") EV("3", "del"));
    assert_true(room.host.pushed_events > 0);
    leave(&room);
}

TEST(only_the_classes_that_are_asked_for_are_told)
{
    struct room room;

    enter(&room);
    say(room.s[0], "SUBSCRIBE __keyevent@0__:del",
        "*3\r\n$9\r\nsubscribe\r\n$18\r\n__keyevent@0__:del\r\n:1\r\n");
    say(room.s[1], "SUBSCRIBE __keyevent@0__:set",
        "*3\r\n$9\r\nsubscribe\r\n$18\r\n__keyevent@0__:set\r\n:1\r\n");
    say(room.s[2], "CONFIG SET notify-keyspace-events Eg", OK);
    event(&room, "SET k v", "");
    event(&room, "DEL k",
          "*3\r\n$7\r\nmessage\r\n$18\r\n__keyevent@0__:del\r\n$1\r\nk\r\n");
    hears(&room, 1, "");
    say(room.s[2], "CONFIG SET notify-keyspace-events E$", OK);
    event(&room, "MSET k v", "");
    hears(&room, 1, "*3\r\n$7\r\nmessage\r\n$18\r\n__keyevent@0__:set\r\n$1\r\nk\r\n");
    leave(&room);
}

TEST(the_letters_are_read_and_written_as_in_redis)
{
    static const struct step steps[] = {
        {"CONFIG SET notify-keyspace-events AKE", OK, NULL},
        {"CONFIG GET notify-*", "*2\r\n$22\r\nnotify-keyspace-events\r\n$3\r\nAKE\r\n",
         "%1\r\n$22\r\nnotify-keyspace-events\r\n$3\r\nAKE\r\n"},
        {"CONFIG SET notify-keyspace-events EKx$", OK, NULL},
        {"CONFIG GET notify-*", "*2\r\n$22\r\nnotify-keyspace-events\r\n$4\r\n$xKE\r\n",
         "%1\r\n$22\r\nnotify-keyspace-events\r\n$4\r\n$xKE\r\n"},
        {"CONFIG SET notify-keyspace-events g$lshzxetdKE", OK, NULL},
        {"CONFIG GET notify-*", "*2\r\n$22\r\nnotify-keyspace-events\r\n$3\r\nAKE\r\n",
         "%1\r\n$22\r\nnotify-keyspace-events\r\n$3\r\nAKE\r\n"},
        {"CONFIG SET notify-keyspace-events Kq",
         "-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') "
         "- "
         "Invalid event class character. Use 'Ag$lshzxeKEtd'.\r\n",
         NULL},
        {"CONFIG SET notify-keyspace-events \"\"", OK, NULL},
        {"CONFIG GET notify-*", "*2\r\n$22\r\nnotify-keyspace-events\r\n$0\r\n\r\n",
         "%1\r\n$22\r\nnotify-keyspace-events\r\n$0\r\n\r\n"},
        {"CONFIG SET notify-keyspace-events K save x",
         "-ERR CONFIG SET is refused: settings belong to the node; use rejoin config "
         "set\r\n",
         NULL},
        {"CONFIG SET a b c", ARITY("config|set"), NULL},
    };

    WALK(steps);
}

static enum rj_err listen_and_talk(void *ctx)
{
    static const char *const requests[] = {"CONFIG SET notify-keyspace-events KEA",
                                           "SUBSCRIBE a b c",
                                           "PSUBSCRIBE * a*",
                                           "SSUBSCRIBE x",
                                           "PUBLISH a hi",
                                           "SPUBLISH x hi",
                                           "SET k v EX 10",
                                           "PUBSUB CHANNELS",
                                           "PUBSUB NUMSUB a b",
                                           "UNSUBSCRIBE a",
                                           "PUNSUBSCRIBE",
                                           "CLIENT LIST TYPE pubsub"};

    (void)ctx;
    return play_requests(requests, sizeof(requests) / sizeof(requests[0]));
}

TEST(failing_allocations_lose_no_memory)
{
    rj_test_with_failing_alloc(listen_and_talk, NULL);
    rj_test_with_one_failing_alloc(listen_and_talk, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_published_reaches_those_who_subscribed),
        cmocka_unit_test(in_version_2_a_subscriber_does_little_else),
        cmocka_unit_test(in_version_3_messages_are_pushed_between_replies),
        cmocka_unit_test(an_error_of_the_protocol_has_room_behind_a_message),
        cmocka_unit_test(buckets_do_not_hear_each_other),
        cmocka_unit_test(shard_channels_are_apart),
        cmocka_unit_test(who_does_not_read_is_cut),
        cmocka_unit_test(a_pattern_that_costs_too_much_ends_its_session),
        cmocka_unit_test(what_happens_to_keys_is_told),
        cmocka_unit_test(only_the_classes_that_are_asked_for_are_told),
        cmocka_unit_test(failing_allocations_lose_no_memory),
        cmocka_unit_test(the_letters_are_read_and_written_as_in_redis),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
