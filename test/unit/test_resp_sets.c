/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that read several keys and write one, that pick at random, that copy, that
 * empty the bucket: byte for byte, in both versions of the protocol. */
#include "support/fail_alloc.h"
#include "support/resp_walk.h"

#include <stdio.h>

#define EMPTY "*0\r\n"
#define A     "$1\r\na\r\n"
#define B     "$1\r\nb\r\n"
#define C     "$1\r\nc\r\n"
#define RANGE "-ERR value is out of range, must be positive\r\n"

TEST(sets_are_computed_from_sets)
{
    static const struct step steps[] = {
        {"SADD x a b c", ":3\r\n", NULL},
        {"SADD y b c d", ":3\r\n", NULL},
        {"SADD z c", ONE, NULL},
        {"SET s v", OK, NULL},
        {"SINTER x y z", "*1\r\n" C, "~1\r\n" C},
        {"SINTER x nokey", EMPTY, "~0\r\n"},
        {"SINTER nokey s", WRONG_TYPE, NULL},
        {"SUNION x y nokey", "*4\r\n" A B C "$1\r\nd\r\n", "~4\r\n" A B C "$1\r\nd\r\n"},
        {"SDIFF x y", "*1\r\n" A, "~1\r\n" A},
        {"SDIFF x", "*3\r\n" A B C, "~3\r\n" A B C},
        {"SDIFF nokey x", EMPTY, "~0\r\n"},
        {"SINTERCARD 2 x y", ":2\r\n", NULL},
        {"SINTERCARD 2 x y LIMIT 1", ONE, NULL},
        {"SINTERCARD 2 x y LIMIT 0", ":2\r\n", NULL},
        {"SINTERCARD 2 x y LIMIT -1", "-ERR LIMIT can't be negative\r\n", NULL},
        {"SINTERCARD 0 x", "-ERR numkeys should be greater than 0\r\n", NULL},
        {"SINTERCARD 3 x y",
         "-ERR Number of keys can't be greater than number of args\r\n", NULL},
        {"SINTERCARD 1 x y", SYNTAX, NULL},
        {"SUNIONSTORE to x y", ":4\r\n", NULL},
        {"SCARD to", ":4\r\n", NULL},
        {"SDIFFSTORE to x y", ONE, NULL},
        {"SMEMBERS to", "*1\r\n" A, "~1\r\n" A},
        {"SINTERSTORE s x z", ONE, NULL},
        {"TYPE s", "+set\r\n", NULL},
        {"SINTERSTORE x x z", ONE, NULL},
        {"SMEMBERS x", "*1\r\n" C, "~1\r\n" C},
        {"SINTERSTORE x nokey", ZERO, NULL},
        {"EXISTS x", ZERO, NULL},
        {"SET s v", OK, NULL},
        {"SUNIONSTORE y s", WRONG_TYPE, NULL},
        {"SMOVE y z b", ONE, NULL},
        {"SMOVE y z b", ZERO, NULL},
        {"SMOVE y y c", ONE, NULL},
        {"SMOVE y s c", WRONG_TYPE, NULL},
        {"SMOVE nokey s c", ZERO, NULL},
        {"SMEMBERS z", "*2\r\n" B C, "~2\r\n" B C},
        {"SMOVE z y c", ONE, NULL},
        {"SMOVE z y b", ONE, NULL},
        {"EXISTS z", ZERO, NULL},
    };

    WALK(steps);
}

TEST(elements_are_picked_at_random)
{
    static const struct step steps[] = {
        {"SRANDMEMBER x", NIL},
        {"SRANDMEMBER x 3", EMPTY, NULL},
        {"SPOP x", NIL},
        {"SPOP x 3", EMPTY, "~0\r\n"},
        {"HRANDFIELD h", NIL},
        {"HRANDFIELD h 3", EMPTY, NULL},
        {"SADD x a", ONE, NULL},
        {"SRANDMEMBER x", A, NULL},
        {"SRANDMEMBER x 5", "*1\r\n" A, NULL},
        {"SRANDMEMBER x -3", "*3\r\n" A A A, NULL},
        {"SRANDMEMBER x 0", EMPTY, NULL},
        {"SRANDMEMBER x y", NOT_INT, NULL},
        {"SRANDMEMBER x -2000000", "-ERR value is out of range\r\n", NULL},
        {"SRANDMEMBER x " LONG_MIN_TEXT,
         "-ERR value is out of range, value must between -9223372036854775807 and "
         "9223372036854775807\r\n",
         NULL},
        {"SRANDMEMBER x 1 2", SYNTAX, NULL},
        {"SADD x b", ONE, NULL},
        {"SRANDMEMBER x 2", "*2\r\n" A B, NULL},
        {"SPOP x -1", RANGE, NULL},
        {"SPOP x 1 2", SYNTAX, NULL},
        {"SPOP x 9", "*2\r\n" A B, "~2\r\n" A B},
        {"EXISTS x", ZERO, NULL},
        {"HSET h a b", ONE, NULL},
        {"HRANDFIELD h", A, NULL},
        {"HRANDFIELD h 2", "*1\r\n" A, NULL},
        {"HRANDFIELD h -2 WITHVALUES", "*4\r\n" A B A B, "*2\r\n*2\r\n" A B "*2\r\n" A B},
        {"HRANDFIELD h 1 x", SYNTAX, NULL},
        {"HRANDFIELD h x x", NOT_INT, NULL},
        {"SRANDMEMBER h", WRONG_TYPE, NULL},
        {"SPOP h", WRONG_TYPE, NULL},
        {"SADD x a", ONE, NULL},
        {"HRANDFIELD x", WRONG_TYPE, NULL},
    };

    WALK(steps);
}

TEST(a_random_key_is_one_of_the_keys)
{
    static const struct step steps[] = {
        {"RANDOMKEY", NIL},           {"SET a v", OK, NULL}, {"RANDOMKEY", A, NULL},
        {"SET a v PXAT 1", OK, NULL}, {"RANDOMKEY", NIL},
    };

    WALK(steps);
}

TEST(keys_are_copied_and_renamed_with_what_they_hold)
{
    static const struct step steps[] = {
        {"RENAME nokey b", "-ERR no such key\r\n", NULL},
        {"COPY nokey b", ZERO, NULL},
        {"SET a 5 EX 100", OK, NULL},
        {"COPY a b", ONE, NULL},
        {"COPY a b", ZERO, NULL},
        {"GET b", "$1\r\n5\r\n", NULL},
        {"TTL b", ":100\r\n", NULL},
        {"INCR b", ":6\r\n", NULL},
        {"GET a", "$1\r\n5\r\n", NULL},
        {"COPY b a REPLACE", ONE, NULL},
        {"INCR a", ":7\r\n", NULL},
        {"COPY a a", "-ERR source and destination objects are the same\r\n", NULL},
        {"COPY a b DB 0 replace", ONE, NULL},
        {"COPY a b DB x", NOT_INT, NULL},
        {"COPY a b FOO", SYNTAX, NULL},
        {"COPY a b DB 1",
         "-ERR SELECT 1 is refused: a bucket has one database, 0; the user's name picks "
         "another bucket\r\n",
         NULL},
        {"SADD s a b", ":2\r\n", NULL},
        {"EXPIRE s 50", ONE, NULL},
        {"RENAME s a", OK, NULL},
        {"SMEMBERS a", "*2\r\n" A B, "~2\r\n" A B},
        {"TTL a", ":50\r\n", NULL},
        {"EXISTS s", ZERO, NULL},
        {"HSET h a b", ONE, NULL},
        {"HINCRBY h n 4", ":4\r\n", NULL},
        {"RENAME h a", OK, NULL},
        {"HINCRBY a n 1", ":5\r\n", NULL},
        {"HGET a a", B, NULL},
        {"TTL a", ":-1\r\n", NULL},
        {"RENAME a a", OK, NULL},
        {"HLEN a", ":2\r\n", NULL},
        {"RENAMENX a b",
         "-ERR RENAMENX is refused: nodes that are apart would all succeed, so it "
         "excludes nobody; use RENAME\r\n",
         NULL},
    };

    WALK(steps);
}

TEST(values_are_taken_with_what_was_seen)
{
    static const struct step steps[] = {
        {"GETSET k a", NIL},
        {"GETSET k b", A, NULL},
        {"GETDEL k", B, NULL},
        {"GETDEL k", NIL},
        {"EXISTS k", ZERO, NULL},
        {"SADD s x", ONE, NULL},
        {"GETDEL s", WRONG_TYPE, NULL},
        {"GETSET s x", WRONG_TYPE, NULL},
        {"SET k abc", OK, NULL},
        {"SUBSTR k 1 1", B, NULL},
    };

    WALK(steps);
}

TEST(a_bucket_is_emptied)
{
    static const struct step steps[] = {
        {"MSET a 1 b 2 c 3", OK, NULL},
        {"SADD s x y", ":2\r\n", NULL},
        {"DBSIZE", ":4\r\n", NULL},
        {"FLUSHDB FOO", SYNTAX, NULL},
        {"FLUSHDB ASYNC", OK, NULL},
        {"DBSIZE", ZERO, NULL},
        {"MULTI", OK, NULL},
        {"SET a 1", "+QUEUED\r\n", NULL},
        {"FLUSHALL SYNC", "+QUEUED\r\n", NULL},
        {"DBSIZE", "+QUEUED\r\n", NULL},
        {"EXEC", "*3\r\n" OK OK ZERO, NULL},
        {"FLUSHALL", OK, NULL},
    };

    WALK(steps);
}

TEST(more_keys_than_a_batch_takes_are_deleted_in_several)
{
    struct resp_host host;
    struct rj_resp *s = NULL;
    enum { KEYS = 70000 };

    assert_true(resp_host_begin(&host));
    assert_ok(rj_resp_new(&host.host, &(struct rj_resp_opts){.id = 7}, &s));
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        int n = snprintf(key, sizeof(key), "%d", i);

        rj_bucket_set_now(host.bucket, host.now);
        if (i % 10000 == 0)
            resp_host_cut(&host);
        assert_ok(rj_bucket_set(host.bucket, rj_bytes_of(key, (size_t)n),
                                RJ_BYTES_LIT("v"), NULL));
    }
    host.flushes = 0;
    ask(s, "FLUSHDB", OK);
    ask(s, "DBSIZE", ZERO);
    assert_true(host.flushes > 0);
    rj_resp_free(s);
    resp_host_end(&host);
}

TEST(tools_get_answers)
{
    static const struct step steps[] = {
        {"OBJECT ENCODING k", NIL},
        {"OBJECT REFCOUNT k", NIL},
        {"OBJECT FREQ k", NIL},
        {"SET k v", OK, NULL},
        {"SADD s a", ONE, NULL},
        {"OBJECT ENCODING k", "$3\r\nraw\r\n", NULL},
        {"OBJECT ENCODING s", "$9\r\nhashtable\r\n", NULL},
        {"OBJECT REFCOUNT k", ONE, NULL},
        {"OBJECT IDLETIME k",
         "-ERR OBJECT IDLETIME is refused: accesses are not counted\r\n", NULL},
        {"OBJECT ENCODING", ARITY("object|encoding"), NULL},
        {"MEMORY USAGE nokey", NIL},
        {"MEMORY USAGE k", ":98\r\n", NULL},
        {"MEMORY USAGE s SAMPLES 5", ":162\r\n", NULL},
        {"MEMORY USAGE s SAMPLES -5", RANGE, NULL},
        {"MEMORY USAGE s FOO 5", SYNTAX, NULL},
        {"MEMORY DOCTOR",
         "-ERR MEMORY DOCTOR is refused: the node's memory is in INFO\r\n", NULL},
        {"SLOWLOG GET 10", EMPTY, NULL},
        {"SLOWLOG LEN", ZERO, NULL},
        {"SLOWLOG RESET", OK, NULL},
        {"LATENCY LATEST", EMPTY, NULL},
        {"LATENCY RESET", ZERO, NULL},
        {"ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", NULL},
        {"ACL WHOAMI", "$7\r\ndefault\r\n", NULL},
        {"AUTH sessions token", OK, NULL},
        {"ACL WHOAMI", "$8\r\nsessions\r\n", NULL},
        {"ACL LIST",
         "-ERR ACL LIST is refused: a user is a bucket and its token; use rejoin bucket "
         "show --token, and rejoin peer for the rights of other nodes\r\n",
         NULL},
        {"INFO cluster", "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n",
         "=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n"},
    };

    WALK(steps);
}

/* ---- picking */

TEST(every_subset_is_picked_about_as_often)
{
    enum { N = 5, COUNT = 2, ROUNDS = 20000, SUBSETS = 10 };
    struct resp_host host;
    unsigned seen[N][N] = {{0}};
    unsigned sum = 0;

    assert_true(resp_host_begin(&host));
    for (int i = 0; i < ROUNDS; i++) {
        struct rj_resp_pick p = {0};

        assert_ok(rj_resp_pick(&host.host, N, COUNT, false, &p));
        assert_int_equal(p.n, COUNT);
        assert_true(p.index[0] < p.index[1] && p.index[1] < N);
        seen[p.index[0]][p.index[1]]++;
        rj_resp_pick_done(&p);
    }
    for (int i = 0; i < N; i++)
        for (int j = i + 1; j < N; j++) {
            sum += seen[i][j];
            assert_in_range(seen[i][j], ROUNDS / SUBSETS * 8 / 10,
                            ROUNDS / SUBSETS * 12 / 10);
        }
    assert_int_equal(sum, ROUNDS);
    resp_host_end(&host);
}

TEST(nothing_is_picked_of_nothing)
{
    struct resp_host host;
    struct rj_resp_pick p = {0};

    assert_true(resp_host_begin(&host));
    assert_ok(rj_resp_pick(&host.host, 0, 5, true, &p));
    assert_int_equal(p.n, 0);
    rj_resp_pick_done(&p);
    assert_int_equal(rj_resp_pick(&host.host, 1, RJ_RESP_PICK_MAX + 1, true, &p),
                     RJ_ELIMIT);
    assert_ok(rj_resp_pick(&host.host, 3, UINT64_MAX, false, &p));
    assert_int_equal(p.n, 3);
    rj_resp_pick_done(&p);
    resp_host_end(&host);
}

static enum rj_err compute_and_copy(void *ctx)
{
    static const char *const requests[] = {
        "SADD x a b c",     "SADD y b c d",      "HSET h f 1 g 2", "SET k v EX 10",
        "SUNION x y",       "SINTERSTORE z x y", "SMOVE x y a",    "SPOP y 2",
        "SRANDMEMBER x -5", "HRANDFIELD h 1",    "COPY h i",       "COPY k l",
        "EXPIRE x 10",      "RENAME x w",        "GETSET k v",     "GETDEL k",
        "MEMORY USAGE h",   "RANDOMKEY",         "FLUSHDB"};

    (void)ctx;
    return play_requests(requests, sizeof(requests) / sizeof(requests[0]));
}

TEST(failing_allocations_lose_no_memory)
{
    rj_test_with_failing_alloc(compute_and_copy, NULL);
    rj_test_with_one_failing_alloc(compute_and_copy, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_computed_from_sets),
        cmocka_unit_test(elements_are_picked_at_random),
        cmocka_unit_test(a_random_key_is_one_of_the_keys),
        cmocka_unit_test(keys_are_copied_and_renamed_with_what_they_hold),
        cmocka_unit_test(values_are_taken_with_what_was_seen),
        cmocka_unit_test(a_bucket_is_emptied),
        cmocka_unit_test(more_keys_than_a_batch_takes_are_deleted_in_several),
        cmocka_unit_test(tools_get_answers),
        cmocka_unit_test(every_subset_is_picked_about_as_often),
        cmocka_unit_test(nothing_is_picked_of_nothing),
        cmocka_unit_test(failing_allocations_lose_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
