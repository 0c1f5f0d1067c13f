/* SPDX-License-Identifier: Apache-2.0 */
/* Every command of the Redis face, byte for byte, in both versions of the protocol, over
 * a real bucket. The replies are those of Redis 7.0 where that has the command. */
#include "support/resp_walk.h"

TEST(strings_are_set_and_read)
{
    static const struct step steps[] = {
        {"GET k", NIL},
        {"SET k v", OK, NULL},
        {"GET k", "$1\r\nv\r\n", NULL},
        {"SET k \"\"", OK, NULL},
        {"GET k", "$0\r\n\r\n", NULL},
        {"set k w XX", OK, NULL},
        {"SET nokey w XX", NIL},
        {"SET nokey w XX GET", NIL},
        {"EXISTS nokey", ZERO, NULL},
        {"SET k x GET", "$1\r\nw\r\n", NULL},
        {"SET new x GET", NIL},
        {"SET k y xx get", "$1\r\nx\r\n", NULL},
        {"MGET k nokey new", "*3\r\n$1\r\ny\r\n$-1\r\n$1\r\nx\r\n",
         "*3\r\n$1\r\ny\r\n_\r\n$1\r\nx\r\n"},
        {"MSET a 1 b 2 a 3", OK, NULL},
        {"MGET a b", "*2\r\n$1\r\n3\r\n$1\r\n2\r\n", NULL},
        {"MSET a 1 b", ARITY("mset"), NULL},
        {"STRLEN a", ONE, NULL},
        {"STRLEN nokey", ZERO, NULL},
        {"SET k 0123456789", OK, NULL},
        {"GETRANGE k 0 3", "$4\r\n0123\r\n", NULL},
        {"GETRANGE k -3 -1", "$3\r\n789\r\n", NULL},
        {"GETRANGE k 5 100", "$5\r\n56789\r\n", NULL},
        {"GETRANGE k -100 1", "$2\r\n01\r\n", NULL},
        {"GETRANGE k 6 5", "$0\r\n\r\n", NULL},
        {"GETRANGE k -1 -3", "$0\r\n\r\n", NULL},
        {"GETRANGE k -100 -50", "$1\r\n0\r\n", NULL},
        {"GETRANGE nokey 0 -1", "$0\r\n\r\n", NULL},
        {"GETRANGE k a 3", NOT_INT, NULL},
        {"SADD s a", ONE, NULL},
        {"GET s", WRONG_TYPE, NULL},
        {"STRLEN s", WRONG_TYPE, NULL},
        {"GETRANGE s 0 1", WRONG_TYPE, NULL},
        {"SET s x GET", WRONG_TYPE, NULL},
        {"MGET s", "*1\r\n$-1\r\n", "*1\r\n_\r\n"},
        {"SET s x", OK, NULL},
        {"GET s", "$1\r\nx\r\n", NULL},
        {"SET k", ARITY("set"), NULL},
        {"SET k v KEEPTTL EX 1", SYNTAX, NULL},
        {"SET k v EX 1 PX 1", SYNTAX, NULL},
        {"SET k v EX", SYNTAX, NULL},
        {"SET k v NX XX", SYNTAX, NULL},
        {"SET k v FOO", SYNTAX, NULL},
        {"SET k v NX",
         "-ERR SET NX is refused: nodes that are apart would all succeed, so it excludes "
         "nobody; use SET, or SADD to a set of claims\r\n",
         NULL},
        {"GET k", "$10\r\n0123456789\r\n", NULL},
    };

    WALK(steps);
}

TEST(strings_expire)
{
    static const struct step steps[] = {
        {"SET k v EX 10", OK, NULL},
        {"TTL k", ":10\r\n", NULL},
        {"SET k w KEEPTTL", OK, NULL},
        {"PTTL k", ":10000\r\n", NULL},
        {"SET k v", OK, NULL},
        {"TTL k", ":-1\r\n", NULL},
        {"SET k v PX 1499", OK, NULL},
        {"TTL k", ONE, NULL},
        {"SET k v EXAT 1700000100", OK, NULL},
        {"TTL k", ":100\r\n", NULL},
        {"SET k v PXAT 1700000000500", OK, NULL},
        {"PTTL k", ":500\r\n", NULL},
        {"SETEX k 20 x", OK, NULL},
        {"TTL k", ":20\r\n", NULL},
        {"PSETEX k 20 x", OK, NULL},
        {"PTTL k", ":20\r\n", NULL},
        {"GETEX k EX 100", "$1\r\nx\r\n", NULL},
        {"TTL k", ":100\r\n", NULL},
        {"GETEX k PERSIST", "$1\r\nx\r\n", NULL},
        {"TTL k", ":-1\r\n", NULL},
        {"GETEX k PERSIST", "$1\r\nx\r\n", NULL},
        {"GETEX k", "$1\r\nx\r\n", NULL},
        {"GETEX nokey EX 1", NIL},
        {"GETEX k EXAT 1", "$1\r\nx\r\n", NULL},
        {"EXISTS k", ZERO, NULL},
        {"SET k v PX 500", OK, NULL},
        {"SET k v EXAT 1", OK, NULL},
        {"GET k", NIL},
        {"SET k v EX 0", EXPIRE("set"), NULL},
        {"SET k v PX -5", EXPIRE("set"), NULL},
        {"SET k v EX " LONG_MAX_TEXT, EXPIRE("set"), NULL},
        {"SET k v PX " LONG_MAX_TEXT, EXPIRE("set"), NULL},
        {"SET k v EX x", NOT_INT, NULL},
        {"SETEX k 0 x", EXPIRE("setex"), NULL},
        {"SETEX k x x", NOT_INT, NULL},
        {"PSETEX k -1 x", EXPIRE("psetex"), NULL},
        {"GETEX k EX 0", NIL},
        {"SET k v", OK, NULL},
        {"GETEX k EX 0", EXPIRE("getex"), NULL},
        {"GETEX k EX x", NOT_INT, NULL},
        {"GETEX k EX 1 PERSIST", SYNTAX, NULL},
        {"GETEX k FOO", SYNTAX, NULL},
        {"GETEX k EX", SYNTAX, NULL},
        {"SADD s a", ONE, NULL},
        {"GETEX s EX 1", WRONG_TYPE, NULL},
        {"TTL s", ":-1\r\n", NULL},
    };

    WALK(steps);
}

#define OVERFLOW "-ERR increment or decrement would overflow\r\n"

TEST(counters_count)
{
    static const struct step steps[] = {
        {"INCR n", ONE, NULL},
        {"INCRBY n 41", ":42\r\n", NULL},
        {"DECR n", ":41\r\n", NULL},
        {"DECRBY n 50", ":-9\r\n", NULL},
        {"GET n", "$2\r\n-9\r\n", NULL},
        {"STRLEN n", ":2\r\n", NULL},
        {"TYPE n", "+string\r\n", NULL},
        {"SET n 10", OK, NULL},
        {"INCR n", ":11\r\n", NULL},
        {"INCRBY n x", NOT_INT, NULL},
        {"INCRBY n 9223372036854775808", NOT_INT, NULL},
        {"DECRBY n x", NOT_INT, NULL},
        {"DECRBY n " LONG_MIN_TEXT, "-ERR decrement would overflow\r\n", NULL},
        {"SET n " LONG_MAX_TEXT, OK, NULL},
        {"INCR n", OVERFLOW, NULL},
        {"DECR n", ":9223372036854775806\r\n", NULL},
        {"SET n " LONG_MIN_TEXT, OK, NULL},
        {"DECR n", OVERFLOW, NULL},
        {"INCRBY m " LONG_MAX_TEXT, ":" LONG_MAX_TEXT "\r\n", NULL},
        {"INCR m", OVERFLOW, NULL},
        {"SET n x", OK, NULL},
        {"INCR n", NOT_INT, NULL},
        {"SET n 01", OK, NULL},
        {"INCR n", NOT_INT, NULL},
        {"SET n \"\"", OK, NULL},
        {"INCR n", NOT_INT, NULL},
        {"SADD s a", ONE, NULL},
        {"INCR s", WRONG_TYPE, NULL},
        {"INCR", ARITY("incr"), NULL},
    };

    WALK(steps);
}

TEST(keys_are_deleted_and_described)
{
    static const struct step steps[] = {
        {"MSET a 1 b 2 c 3", OK, NULL},
        {"EXISTS a b nokey a", ":3\r\n", NULL},
        {"TOUCH a nokey", ONE, NULL},
        {"DBSIZE", ":3\r\n", NULL},
        {"DEL a", ONE, NULL},
        {"DEL a", ZERO, NULL},
        {"DEL a b nokey b", ONE, NULL},
        {"UNLINK c", ONE, NULL},
        {"DBSIZE", ZERO, NULL},
        {"DEL", ARITY("del"), NULL},
        {"SET a 1", OK, NULL},
        {"SADD s 1", ONE, NULL},
        {"HSET h f 1", ONE, NULL},
        {"TYPE a", "+string\r\n", NULL},
        {"TYPE s", "+set\r\n", NULL},
        {"TYPE h", "+hash\r\n", NULL},
        {"TYPE nokey", "+none\r\n", NULL},
        {"DEL a s h", ":3\r\n", NULL},
        {"EXISTS", ARITY("exists"), NULL},
    };

    WALK(steps);
}

#define NX_ERROR                                                                         \
    "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n"

TEST(keys_expire)
{
    static const struct step steps[] = {
        {"SET k v", OK, NULL},
        {"EXPIRE k 10", ONE, NULL},
        {"TTL k", ":10\r\n", NULL},
        {"EXPIRETIME k", ":1700000010\r\n", NULL},
        {"PEXPIRETIME k", ":1700000010000\r\n", NULL},
        {"PERSIST k", ONE, NULL},
        {"PERSIST k", ZERO, NULL},
        {"PERSIST nokey", ZERO, NULL},
        {"TTL k", ":-1\r\n", NULL},
        {"EXPIRETIME k", ":-1\r\n", NULL},
        {"TTL nokey", ":-2\r\n", NULL},
        {"PTTL nokey", ":-2\r\n", NULL},
        {"PEXPIRETIME nokey", ":-2\r\n", NULL},
        {"EXPIRE k 10 XX", ZERO, NULL},
        {"EXPIRE k 10 GT", ZERO, NULL},
        {"EXPIRE k 10 LT", ONE, NULL},
        {"EXPIRE k 10 NX", ZERO, NULL},
        {"EXPIRE k 5 GT", ZERO, NULL},
        {"EXPIRE k 20 GT", ONE, NULL},
        {"EXPIRE k 20 GT", ZERO, NULL},
        {"EXPIRE k 30 LT", ZERO, NULL},
        {"EXPIRE k 15 LT", ONE, NULL},
        {"EXPIRE k 15 XX LT", ZERO, NULL},
        {"EXPIRE k 40 XX", ONE, NULL},
        {"PEXPIRE k 1500", ONE, NULL},
        {"PTTL k", ":1500\r\n", NULL},
        {"EXPIREAT k 1700000007", ONE, NULL},
        {"TTL k", ":7\r\n", NULL},
        {"PEXPIREAT k 1700000000009", ONE, NULL},
        {"PTTL k", ":9\r\n", NULL},
        {"EXPIRE nokey 10", ZERO, NULL},
        {"EXPIRE k x", NOT_INT, NULL},
        {"EXPIRE k 1 FOO", "-ERR Unsupported option FOO\r\n", NULL},
        {"EXPIRE k 1 NX XX", NX_ERROR, NULL},
        {"EXPIRE k 1 GT NX", NX_ERROR, NULL},
        {"EXPIRE k 1 GT LT",
         "-ERR GT and LT options at the same time are not compatible\r\n", NULL},
        {"EXPIRE k " LONG_MAX_TEXT, EXPIRE("expire"), NULL},
        {"EXPIRE k -9223372036854775807", EXPIRE("expire"), NULL},
        {"EXPIRE k 9223372036854775", EXPIRE("expire"), NULL},
        {"PEXPIRE k " LONG_MAX_TEXT, EXPIRE("pexpire"), NULL},
        {"PTTL k", ":9\r\n", NULL},
        {"EXPIRE k -1", ONE, NULL},
        {"EXISTS k", ZERO, NULL},
        {"SADD s a", ONE, NULL},
        {"EXPIREAT s 0", ONE, NULL},
        {"EXISTS s", ZERO, NULL},
        {"HSET h f v", ONE, NULL},
        {"PEXPIREAT h 0", ONE, NULL},
        {"EXISTS h", ZERO, NULL},
    };

    WALK(steps);
}

TEST(sets_hold_elements)
{
    static const struct step steps[] = {
        {"SADD s b a b", ":2\r\n", NULL},
        {"SADD s a c", ONE, NULL},
        {"SCARD s", ":3\r\n", NULL},
        {"SMEMBERS s", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
         "~3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"},
        {"SISMEMBER s a", ONE, NULL},
        {"SISMEMBER s x", ZERO, NULL},
        {"SISMEMBER nokey x", ZERO, NULL},
        {"SMISMEMBER s a x c", "*3\r\n:1\r\n:0\r\n:1\r\n", NULL},
        {"SMISMEMBER nokey a", "*1\r\n:0\r\n", NULL},
        {"SREM s a x", ONE, NULL},
        {"SREM nokey a", ZERO, NULL},
        {"SSCAN s 0", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\nc\r\n", NULL},
        {"SSCAN s 0 MATCH c* COUNT 1", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nc\r\n", NULL},
        {"SSCAN s 5", "*2\r\n$1\r\n0\r\n*0\r\n", NULL},
        {"SSCAN nokey 0", "*2\r\n$1\r\n0\r\n*0\r\n", NULL},
        {"SSCAN s x", "-ERR invalid cursor\r\n", NULL},
        {"SSCAN s 0 COUNT 0", SYNTAX, NULL},
        {"SSCAN s 0 COUNT x", NOT_INT, NULL},
        {"SSCAN s 0 MATCH", SYNTAX, NULL},
        {"SSCAN s 0 NOVALUES", SYNTAX, NULL},
        {"SREM s b c", ":2\r\n", NULL},
        {"EXISTS s", ZERO, NULL},
        {"SCARD s", ZERO, NULL},
        {"SMEMBERS s", "*0\r\n", "~0\r\n"},
        {"SET k v", OK, NULL},
        {"SADD k a", WRONG_TYPE, NULL},
        {"SREM k a", WRONG_TYPE, NULL},
        {"SCARD k", WRONG_TYPE, NULL},
        {"SISMEMBER k a", WRONG_TYPE, NULL},
        {"SMISMEMBER k a", WRONG_TYPE, NULL},
        {"SMEMBERS k", WRONG_TYPE, NULL},
        {"SSCAN k 0", WRONG_TYPE, NULL},
        {"SADD s", ARITY("sadd"), NULL},
    };

    WALK(steps);
}

#define F1V1 "$1\r\na\r\n$1\r\n1\r\n"

TEST(hashes_hold_fields)
{
    static const struct step steps[] = {
        {"HSET h b 2 a 1", ":2\r\n", NULL},
        {"HSET h a 1 c 3", ONE, NULL},
        {"HMSET h c 4", OK, NULL},
        {"HGET h c", "$1\r\n4\r\n", NULL},
        {"HGET h x", NIL},
        {"HGET nokey x", NIL},
        {"HMGET h a x", "*2\r\n$1\r\n1\r\n$-1\r\n", "*2\r\n$1\r\n1\r\n_\r\n"},
        {"HMGET nokey a", "*1\r\n$-1\r\n", "*1\r\n_\r\n"},
        {"HLEN h", ":3\r\n", NULL},
        {"HLEN nokey", ZERO, NULL},
        {"HSTRLEN h a", ONE, NULL},
        {"HSTRLEN h x", ZERO, NULL},
        {"HEXISTS h a", ONE, NULL},
        {"HEXISTS h x", ZERO, NULL},
        {"HDEL h b c x", ":2\r\n", NULL},
        {"HGETALL h", "*2\r\n" F1V1, "%1\r\n" F1V1},
        {"HKEYS h", "*1\r\n$1\r\na\r\n", NULL},
        {"HVALS h", "*1\r\n$1\r\n1\r\n", NULL},
        {"HSCAN h 0", "*2\r\n$1\r\n0\r\n*2\r\n" F1V1, NULL},
        {"HSCAN h 0 NOVALUES", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n", NULL},
        {"HSCAN h 0 MATCH b", "*2\r\n$1\r\n0\r\n*0\r\n", NULL},
        {"HSCAN h -", "-ERR invalid cursor\r\n", NULL},
        {"HINCRBY h a 5", ":6\r\n", NULL},
        {"HINCRBY h n -2", ":-2\r\n", NULL},
        {"HGET h n", "$2\r\n-2\r\n", NULL},
        {"HINCRBY h n x", NOT_INT, NULL},
        {"HSET h n " LONG_MAX_TEXT, ZERO, NULL},
        {"HINCRBY h n 1", OVERFLOW, NULL},
        {"HSET h n x", ZERO, NULL},
        {"HINCRBY h n 1", "-ERR hash value is not an integer\r\n", NULL},
        {"HDEL h n a", ":2\r\n", NULL},
        {"EXISTS h", ZERO, NULL},
        {"HGETALL h", "*0\r\n", "%0\r\n"},
        {"HDEL nokey a", ZERO, NULL},
        {"HSET h a", ARITY("hset"), NULL},
        {"HSET h a 1 b", ARITY("hset"), NULL},
        {"HMSET h a 1 b", ARITY("hmset"), NULL},
        {"SET k v", OK, NULL},
        {"HSET k a 1", WRONG_TYPE, NULL},
        {"HGET k a", WRONG_TYPE, NULL},
        {"HMGET k a", WRONG_TYPE, NULL},
        {"HDEL k a", WRONG_TYPE, NULL},
        {"HLEN k", WRONG_TYPE, NULL},
        {"HSTRLEN k a", WRONG_TYPE, NULL},
        {"HEXISTS k a", WRONG_TYPE, NULL},
        {"HGETALL k", WRONG_TYPE, NULL},
        {"HKEYS k", WRONG_TYPE, NULL},
        {"HVALS k", WRONG_TYPE, NULL},
        {"HINCRBY k a 1", WRONG_TYPE, NULL},
        {"HSCAN k 0", WRONG_TYPE, NULL},
    };

    WALK(steps);
}

#define SCANNED(n, keys) "*2\r\n$1\r\n0\r\n*" #n "\r\n" keys

TEST(keys_are_walked)
{
    static const struct step steps[] = {
        {"SCAN 0", SCANNED(0, ""), NULL},
        {"KEYS *", "*0\r\n", NULL},
        {"SET key:1 v", OK, NULL},
        {"SADD other 1", ONE, NULL},
        {"SCAN 0 MATCH key:*", SCANNED(1, "$5\r\nkey:1\r\n"), NULL},
        {"SCAN 0 TYPE set", SCANNED(1, "$5\r\nother\r\n"), NULL},
        {"SCAN 0 type STRING count 100", SCANNED(1, "$5\r\nkey:1\r\n"), NULL},
        {"SCAN 0 TYPE zset", SCANNED(0, ""), NULL},
        {"SCAN 0 TYPE set MATCH key*", SCANNED(0, ""), NULL},
        {"KEYS [o]*", "*1\r\n$5\r\nother\r\n", NULL},
        {"SCAN x", "-ERR invalid cursor\r\n", NULL},
        {"SCAN 99999999999999999999", "-ERR invalid cursor\r\n", NULL},
        {"SCAN 0 COUNT 0", SYNTAX, NULL},
        {"SCAN 0 COUNT x", NOT_INT, NULL},
        {"SCAN 0 MATCH", SYNTAX, NULL},
        {"SCAN 0 FOO x", SYNTAX, NULL},
    };

    WALK(steps);
}

#define HELLO_REST(proto)                                                                \
    "$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n" RJ_RESP_REDIS_VERSION       \
    "\r\n$5\r\nproto\r\n:" proto "\r\n$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\n"           \
    "standalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
#define NAME_ERROR                                                                       \
    "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"

TEST(connections_say_hello)
{
    static const struct step steps[] = {
        {"PING", "+PONG\r\n", NULL},
        {"PING hi", "$2\r\nhi\r\n", NULL},
        {"PING a b", ARITY("ping"), NULL},
        {"ECHO hi", "$2\r\nhi\r\n", NULL},
        {"ECHO", ARITY("echo"), NULL},
        {"HELLO 9", "-NOPROTO unsupported protocol version\r\n", NULL},
        {"HELLO x", "-ERR Protocol version is not an integer or out of range\r\n", NULL},
        {"HELLO 2 foo", "-ERR Syntax error in HELLO option 'foo'\r\n", NULL},
        {"HELLO 2 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'\r\n", NULL},
        {"HELLO 2 SETNAME a\xc3\xbc", NAME_ERROR, NULL},
        {"HELLO 2 AUTH nobody x",
         "-WRONGPASS invalid username-password pair or user is disabled.\r\n", NULL},
        {"HELLO", "*14\r\n" HELLO_REST("2"), "%7\r\n" HELLO_REST("3")},
        {"HELLO 3 SETNAME me", "%7\r\n" HELLO_REST("3"), NULL},
        {"CLIENT GETNAME", "$2\r\nme\r\n", NULL},
        {"HELLO", "%7\r\n" HELLO_REST("3"), NULL},
        {"HELLO 2 AUTH default x", "*14\r\n" HELLO_REST("2"), NULL},
        {"AUTH x",
         "-ERR AUTH <password> called without any password configured for the default "
         "user. Are you sure your configuration is correct?\r\n",
         NULL},
        {"AUTH default x", OK, NULL},
        {"AUTH a b c", SYNTAX, NULL},
        {"SELECT 0", OK, NULL},
        {"SELECT x", NOT_INT, NULL},
        {"SELECT 3",
         "-ERR SELECT 1 is refused: a bucket has one database, 0; the user's name picks "
         "another bucket\r\n",
         NULL},
        {"RESET", "+RESET\r\n", NULL},
        {"CLIENT GETNAME", "$-1\r\n", NULL},
        {"RESET x", ARITY("reset"), NULL},
    };

    WALK(steps);
}

TEST(clients_describe_themselves)
{
    static const struct step steps[] = {
        {"CLIENT ID", ":7\r\n", NULL},
        {"CLIENT GETNAME", NIL},
        {"CLIENT SETNAME me", OK, NULL},
        {"CLIENT GETNAME", "$2\r\nme\r\n", NULL},
        {"CLIENT SETNAME \xff", NAME_ERROR, NULL},
        {"CLIENT SETNAME \"\"", OK, NULL},
        {"CLIENT GETNAME", NIL},
        {"CLIENT SETINFO LIB-NAME x", OK, NULL},
        {"CLIENT SETINFO lib-ver 1.0", OK, NULL},
        {"CLIENT SETINFO foo x", "-ERR Unrecognized option 'foo'\r\n", NULL},
        {"CLIENT SETINFO lib-ver \x01",
         "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n", NULL},
        {"CLIENT LIST TYPE replica", "$0\r\n\r\n", "=4\r\ntxt:\r\n"},
        {"CLIENT LIST FOO", SYNTAX, NULL},
        {"CLIENT NO-EVICT on", OK, NULL},
        {"CLIENT NO-TOUCH off", OK, NULL},
        {"CLIENT NO-TOUCH x", SYNTAX, NULL},
        {"CLIENT GETREDIR", ":-1\r\n", NULL},
        {"CLIENT REPLY x", SYNTAX, NULL},
        {"CLIENT REPLY ON", OK, NULL},
        {"CLIENT", ARITY("client"), NULL},
        {"CLIENT ID x", ARITY("client|id"), NULL},
        {"CLIENT SETNAME", ARITY("client|setname"), NULL},
        {"client foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n", NULL},
        {"CLIENT KILL x", "-ERR CLIENT KILL is refused: a client may not end others\r\n",
         NULL},
        {"CLIENT TRACKING ON",
         "-ERR CLIENT TRACKING is refused: nothing is told of reads; CONFIG SET "
         "notify-keyspace-events tells of writes\r\n",
         NULL},
    };

    WALK(steps);
}

#define SAVE "$4\r\nsave\r\n$0\r\n\r\n"
#define GET_INFO_2                                                                       \
    "*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*2\r\n"     \
    "+@read\r\n+@fast\r\n*0\r\n*0\r\n*0\r\n"
#define GET_INFO_3                                                                       \
    "*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n~2\r\n"     \
    "+@read\r\n+@fast\r\n*0\r\n~0\r\n*0\r\n"
#define GET_DOCS                                                                         \
    "$7\r\nsummary\r\n$18\r\nThe value of a key\r\n$5\r\ngroup\r\n$6\r\nstring\r\n"

TEST(the_server_says_what_it_is)
{
    static const struct step steps[] = {
        {"CONFIG GET save", "*2\r\n" SAVE, "%1\r\n" SAVE},
        {"CONFIG GET SAVE foo", "*2\r\n" SAVE, "%1\r\n" SAVE},
        {"CONFIG GET foo*", "*0\r\n", "%0\r\n"},
        {"CONFIG RESETSTAT", OK, NULL},
        {"CONFIG GET", ARITY("config|get"), NULL},
        {"CONFIG FOO", "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n", NULL},
        {"CONFIG SET save x",
         "-ERR CONFIG SET is refused: settings belong to the node; use rejoin config set"
         "\r\n",
         NULL},
        {"INFO keyspace", "$12\r\n# Keyspace\r\n\r\n", "=16\r\ntxt:# Keyspace\r\n\r\n"},
        {"SET k v", OK, NULL},
        {"INFO KEYSPACE", "$44\r\n# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n\r\n",
         "=48\r\ntxt:# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n\r\n"},
        {"INFO clients", "$32\r\n# Clients\r\nconnected_clients:1\r\n\r\n",
         "=36\r\ntxt:# Clients\r\nconnected_clients:1\r\n\r\n"},
        {"INFO persistence replication",
         "$56\r\n# Persistence\r\nloading:0\r\n\r\n# Replication\r\nrole:master\r\n\r\n",
         "=60\r\ntxt:# Persistence\r\nloading:0\r\n\r\n# Replication\r\nrole:master\r\n"
         "\r\n"},
        {"INFO nothing", "$0\r\n\r\n", "=4\r\ntxt:\r\n"},
        {"TIME", "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n", NULL},
        {"COMMAND INFO get nope rpush", "*3\r\n" GET_INFO_2 "$-1\r\n$-1\r\n",
         "*3\r\n" GET_INFO_3 "_\r\n_\r\n"},
        {"COMMAND DOCS get nope", "*2\r\n$3\r\nget\r\n*4\r\n" GET_DOCS,
         "%1\r\n$3\r\nget\r\n%2\r\n" GET_DOCS},
        {"COMMAND LIST FILTERBY PATTERN GE*",
         "*5\r\n$3\r\nget\r\n$6\r\ngetdel\r\n$5\r\ngetex\r\n$8\r\ngetrange\r\n"
         "$6\r\ngetset\r\n",
         NULL},
        {"COMMAND LIST FILTERBY MODULE x", "*0\r\n", NULL},
        {"COMMAND LIST FOO", SYNTAX, NULL},
        {"COMMAND GETKEYS MSET a b c d", "*2\r\n$1\r\na\r\n$1\r\nc\r\n", NULL},
        {"COMMAND GETKEYS DEL a b", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", NULL},
        {"COMMAND GETKEYS PING x", "-ERR The command has no key arguments\r\n", NULL},
        {"COMMAND GETKEYS SINTERCARD 2 a b", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", NULL},
        {"COMMAND GETKEYS SINTERCARD 3 a b",
         "-ERR Invalid arguments specified for command\r\n", NULL},
        {"COMMAND GETKEYS MEMORY HELP",
         "-ERR Invalid arguments specified for command\r\n", NULL},
        {"COMMAND GETKEYS nope x", "-ERR Invalid command specified\r\n", NULL},
        {"COMMAND GETKEYS GET", ARITY("command|getkeys"), NULL},
        {"COMMAND GETKEYS GET a b",
         "-ERR Invalid number of arguments specified for command\r\n", NULL},
        {"COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n", NULL},
    };

    WALK(steps);
}

TEST(unknown_commands_are_named)
{
    static const struct step steps[] = {
        {"foo", "-ERR unknown command 'foo', with args beginning with: \r\n", NULL},
        {"Foo a b\nc",
         "-ERR unknown command 'Foo', with args beginning with: 'a' 'b c' \r\n", NULL},
        {"\"\"", "-ERR unknown command '', with args beginning with: \r\n", NULL},
        {"abcdefghijklmnopqrstuvwxyz",
         "-ERR unknown command 'abcdefghijklmnopqrstuvwxyz', with args beginning with: "
         "\r\n",
         NULL},
        {"GET]", "-ERR unknown command 'GET]', with args beginning with: \r\n", NULL},
    };

    WALK(steps);
}

TEST(what_cannot_converge_is_refused_with_a_reason)
{
    static const struct step steps[] = {
        {"WATCH k",
         "-ERR WATCH is refused: nodes that are apart would all succeed, so it excludes "
         "nobody; use INCR, SADD or HSET, which merge; MULTI and EXEC work without "
         "it\r\n",
         NULL},
        {"lpush k v",
         "-ERR LPUSH is refused: a bucket has no lists; use SADD, or HSET with a field "
         "for "
         "each position\r\n",
         NULL},
        {"DEBUG SLEEP 1",
         "-ERR DEBUG is refused: it is for those who work on Redis itself"
         "\r\n",
         NULL},
    };

    WALK(steps);
}

TEST(transactions_run_as_one)
{
    static const struct step steps[] = {
        {"EXEC", "-ERR EXEC without MULTI\r\n", NULL},
        {"DISCARD", "-ERR DISCARD without MULTI\r\n", NULL},
        {"MULTI", OK, NULL},
        {"EXEC", "*0\r\n", NULL},
        {"MULTI", OK, NULL},
        {"MULTI", "-ERR MULTI calls can not be nested\r\n", NULL},
        {"SET k 1", "+QUEUED\r\n", NULL},
        {"INCR k", "+QUEUED\r\n", NULL},
        {"SADD k x", "+QUEUED\r\n", NULL},
        {"MSET a 1 b 2", "+QUEUED\r\n", NULL},
        {"DEL a b nokey", "+QUEUED\r\n", NULL},
        {"GET nokey", "+QUEUED\r\n", NULL},
        {"WAIT 1 0", "+QUEUED\r\n", NULL},
        {"PING", "+QUEUED\r\n", NULL},
        {"EXEC", "*8\r\n" OK ":2\r\n" WRONG_TYPE OK ":2\r\n$-1\r\n:0\r\n+PONG\r\n",
         "*8\r\n" OK ":2\r\n" WRONG_TYPE OK ":2\r\n_\r\n:0\r\n+PONG\r\n"},
        {"GET k", "$1\r\n2\r\n", NULL},
        {"MULTI", OK, NULL},
        {"SET k 5", "+QUEUED\r\n", NULL},
        {"DISCARD", OK, NULL},
        {"GET k", "$1\r\n2\r\n", NULL},
        {"MULTI", OK, NULL},
        {"SET k 5", "+QUEUED\r\n", NULL},
        {"GET", ARITY("get"), NULL},
        {"PING", "+QUEUED\r\n", NULL},
        {"EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n",
         NULL},
        {"GET k", "$1\r\n2\r\n", NULL},
        {"EXEC", "-ERR EXEC without MULTI\r\n", NULL},
        {"MULTI", OK, NULL},
        {"HELLO 3", "-ERR Command not allowed inside a transaction\r\n", NULL},
        {"EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n",
         NULL},
        {"MULTI", OK, NULL},
        {"CLIENT REPLY OFF", "+QUEUED\r\n", NULL},
        {"EXEC", "*1\r\n-ERR Command not allowed inside a transaction\r\n", NULL},
        {"MULTI", OK, NULL},
        {"SET k 9", "+QUEUED\r\n", NULL},
        {"RESET", "+RESET\r\n", NULL},
        {"EXEC", "-ERR EXEC without MULTI\r\n", NULL},
        {"GET k", "$1\r\n2\r\n", NULL},
    };

    WALK(steps);
}

TEST(waits_are_checked_before_they_begin)
{
    static const struct step steps[] = {
        {"WAIT x 0", NOT_INT, NULL},
        {"WAIT 1 x", "-ERR timeout is not an integer or out of range\r\n", NULL},
        {"WAIT 1 -1", "-ERR timeout is negative\r\n", NULL},
        {"WAIT -1 0", ZERO, NULL},
        {"WAIT 0 0", ZERO, NULL},
        {"WAIT 0", ARITY("wait"), NULL},
        {"WAITAOF x 0 0", NOT_INT, NULL},
        {"WAITAOF 2 0 0", "-ERR value is out of range, must be between 0 and 1\r\n",
         NULL},
        {"WAITAOF 1 -1 0", "-ERR value is out of range, must be positive\r\n", NULL},
        {"WAITAOF 1 0 x", "-ERR timeout is not an integer or out of range\r\n", NULL},
        {"WAITAOF 1 1 0", "*2\r\n:0\r\n:0\r\n", NULL},
    };

    WALK(steps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_set_and_read),
        cmocka_unit_test(strings_expire),
        cmocka_unit_test(counters_count),
        cmocka_unit_test(keys_are_deleted_and_described),
        cmocka_unit_test(keys_expire),
        cmocka_unit_test(sets_hold_elements),
        cmocka_unit_test(hashes_hold_fields),
        cmocka_unit_test(keys_are_walked),
        cmocka_unit_test(connections_say_hello),
        cmocka_unit_test(clients_describe_themselves),
        cmocka_unit_test(the_server_says_what_it_is),
        cmocka_unit_test(unknown_commands_are_named),
        cmocka_unit_test(what_cannot_converge_is_refused_with_a_reason),
        cmocka_unit_test(transactions_run_as_one),
        cmocka_unit_test(waits_are_checked_before_they_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
