/* SPDX-License-Identifier: Apache-2.0 */
/* A session of the Redis face as a whole: pipelines cut anywhere, waiting, limits,
 * logging in, what a full disk or a busy batch does to it. */
#include "face/resp.h"
#include "face/resp_cmd.h"
#include "support/resp_host.h"
#include "support/test.h"

#include <stdio.h>

struct fixture {
    struct resp_host host;
    struct rj_resp *s;
};

static void begin(struct fixture *f)
{
    const struct rj_resp_opts opts = {
        .id = 7, .addr = "192.0.2.1:5", .laddr = "192.0.2.2:7341", .user = f};

    assert_true(resp_host_begin(&f->host));
    assert_ok(rj_resp_new(&f->host.host, &opts, &f->s));
}

static void end(struct fixture *f)
{
    rj_resp_free(f->s);
    resp_host_end(&f->host);
}

static enum rj_resp_state send(struct fixture *f, const char *text)
{
    struct rj_buf in = {0};
    enum rj_resp_state state;

    resp_host_encode(&in, text);
    state = rj_resp_input(f->s, rj_buf_view(&in));
    rj_buf_done(&in);
    return state;
}

/* All output since the last call is expected. */
static void expect(struct fixture *f, const char *expected)
{
    struct rj_buf *out = rj_resp_out(f->s);

    if (!rj_bytes_equal(rj_buf_view(out), rj_bytes_from_str(expected)))
        fail_msg("'%s' instead of '%s'", rj_buf_str(out), expected);
    rj_buf_clear(out);
}

static void ask(struct fixture *f, const char *text, const char *expected)
{
    assert_int_equal(send(f, text), RJ_RESP_READ);
    expect(f, expected);
}

/* ---- input */

static const char *const dialog[] = {
    "SET k v",   "INCRBY n 5",     "SADD s a b c", "HSET h f v g w",    "MULTI",
    "INCR n",    "SMEMBERS s",     "EXEC",         "HELLO 3",           "HGETALL h",
    "GET nokey", "foo bar",        "GET",          "CLIENT REPLY SKIP", "PING",
    "RESET",     "MGET k n nokey", "RPUSH l x",    "DEL k n s h"};

/* The dialog, with an inline command and empty lines in it, in pieces: up to cut, then of
 * step bytes. Returns the output. */
static struct rj_buf talk(size_t cut, size_t step)
{
    struct rj_buf in = {0}, out = {0};
    struct fixture f;
    size_t at = 0, to = cut;

    begin(&f);
    for (size_t i = 0; i < sizeof(dialog) / sizeof(dialog[0]); i++) {
        resp_host_encode(&in, dialog[i]);
        rj_buf_append_str(&in, i == 3 ? "\r\nECHO \"a b\"\r\n*0\r\n" : "");
    }
    while (at < in.len) {
        to = to < in.len ? to : in.len;
        assert_int_equal(rj_resp_input(f.s, rj_bytes_of(in.ptr + at, to - at)),
                         RJ_RESP_READ);
        at = to;
        to += step;
    }
    rj_buf_append(&out, rj_buf_view(rj_resp_out(f.s)));
    rj_buf_done(&in);
    end(&f);
    return out;
}

TEST(pipelines_may_be_cut_at_every_byte)
{
    struct rj_buf whole = talk(SIZE_MAX, 1), part;

    assert_true(whole.len > 500);
    for (size_t cut = 1; cut < 560; cut++) {
        part = talk(cut, 10000);
        assert_bytes_equal(rj_buf_view(&part), rj_buf_view(&whole));
        rj_buf_done(&part);
    }
    part = talk(0, 1);
    assert_bytes_equal(rj_buf_view(&part), rj_buf_view(&whole));
    rj_buf_done(&part);
    rj_buf_done(&whole);
}

TEST(a_large_value_arrives_in_small_pieces)
{
    enum { LEN = 5 * 1000 * 1000 };
    struct rj_buf in = {0};
    struct fixture f;
    uint8_t *room;

    begin(&f);
    rj_buf_printf(&in, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", LEN);
    room = rj_buf_reserve(&in, LEN);
    assert_non_null(room);
    for (size_t i = 0; i < LEN; i++)
        room[i] = (uint8_t)(i * 31);
    rj_buf_commit(&in, LEN);
    rj_buf_append_str(&in, "\r\nSTRLEN k\r\n");
    for (size_t at = 0; at < in.len; at += 65536) {
        size_t n = in.len - at < 65536 ? in.len - at : 65536;

        assert_int_equal(rj_resp_input(f.s, rj_bytes_of(in.ptr + at, n)), RJ_RESP_READ);
    }
    expect(&f, "+OK\r\n:5000000\r\n");
    assert_int_equal(f.s->in.cap, 0); /* not kept */
    rj_buf_done(&in);
    end(&f);
}

TEST(garbage_is_answered_once_and_closes)
{
    struct fixture f;

    begin(&f);
    assert_int_equal(rj_resp_input(f.s, RJ_BYTES_LIT("PING\r\n*x\r\nPING\r\n")),
                     RJ_RESP_CLOSE);
    expect(&f, "+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n");
    assert_int_equal(send(&f, "PING"), RJ_RESP_CLOSE);
    expect(&f, "");
    end(&f);
}

TEST(a_browser_gets_no_answer)
{
    struct fixture f;

    begin(&f);
    assert_int_equal(rj_resp_input(f.s, RJ_BYTES_LIT("POST / HTTP/1.1\r\nSET a b\r\n")),
                     RJ_RESP_CLOSE);
    expect(&f, "");
    end(&f);
    begin(&f);
    assert_int_equal(rj_resp_input(f.s, RJ_BYTES_LIT("GET / HTTP/1.1\r\nHost: x\r\n")),
                     RJ_RESP_CLOSE);
    expect(&f, "-ERR wrong number of arguments for 'get' command\r\n");
    end(&f);
}

TEST(quit_ends_a_session)
{
    struct fixture f;

    begin(&f);
    assert_int_equal(rj_resp_input(f.s, RJ_BYTES_LIT("QUIT now\r\nPING\r\n")),
                     RJ_RESP_CLOSE);
    expect(&f, "+OK\r\n");
    end(&f);
}

/* ---- output */

TEST(a_session_that_never_reads_is_paused)
{
    enum { VALUE = 100 * 1000, GETS = 100 };
    struct rj_buf in = {0};
    enum rj_resp_state state;
    struct fixture f;
    size_t turns = 0, sent = 0;

    begin(&f);
    rj_buf_printf(&in, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", VALUE);
    for (size_t i = 0; i < VALUE; i++)
        rj_buf_u8(&in, 'v');
    rj_buf_append_str(&in, "\r\n");
    for (int i = 0; i < GETS; i++)
        rj_buf_append_str(&in, "GET k\r\n");
    state = rj_resp_input(f.s, rj_buf_view(&in));
    for (; state == RJ_RESP_FULL; turns++) {
        struct rj_buf *out = rj_resp_out(f.s);

        assert_true(out->len >= RJ_RESP_OUT_PAUSE);
        assert_true(out->len < RJ_RESP_OUT_PAUSE + 2 * VALUE);
        assert_int_equal(rj_resp_input(f.s, rj_bytes_of(NULL, 0)), RJ_RESP_FULL);
        sent += out->len;
        rj_buf_clear(out);
        state = rj_resp_input(f.s, rj_bytes_of(NULL, 0));
    }
    assert_int_equal(state, RJ_RESP_READ);
    assert_in_range(turns, 8, 10);
    sent += rj_resp_out(f.s)->len;
    assert_int_equal(sent, 5 + GETS * (VALUE + strlen("$100000\r\n\r\n")));
    rj_buf_clear(rj_resp_out(f.s));
    ask(&f, "PING", "+PONG\r\n");
    rj_buf_done(&in);
    end(&f);
}

TEST(a_reply_has_a_largest_size)
{
    enum { VALUE = 12 * 1000 * 1000 };
    static const char error[] = "-ERR the reply would be larger than 32 MiB\r\n";
    struct rj_buf in = {0};
    struct fixture f;
    uint8_t *room;

    begin(&f);
    rj_buf_printf(&in, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n", VALUE);
    room = rj_buf_reserve(&in, VALUE);
    assert_non_null(room);
    memset(room, 'v', VALUE);
    rj_buf_commit(&in, VALUE);
    rj_buf_append_str(&in, "\r\n");
    assert_int_equal(rj_resp_input(f.s, rj_buf_view(&in)), RJ_RESP_READ);
    expect(&f, "+OK\r\n");
    ask(&f, "MGET k k k", error);
    ask(&f, "MULTI", "+OK\r\n");
    for (int i = 0; i < 4; i++)
        ask(&f, i == 3 ? "PING" : "GET k", "+QUEUED\r\n");
    assert_int_equal(send(&f, "EXEC"), RJ_RESP_FULL);
    /* The third value did not fit, the pong did. */
    assert_int_equal(rj_resp_out(f.s)->len,
                     strlen("*4\r\n") + 2 * (VALUE + strlen("$12000000\r\n\r\n")) +
                         strlen(error) + strlen("+PONG\r\n"));
    rj_buf_clear(rj_resp_out(f.s));
    ask(&f, "PING", "+PONG\r\n");
    rj_buf_done(&in);
    end(&f);
}

TEST(answers_can_be_held_back)
{
    struct fixture f;

    begin(&f);
    assert_int_equal(
        rj_resp_input(f.s, RJ_BYTES_LIT("CLIENT REPLY OFF\r\nPING\r\nfoo\r\nSET k v\r\n"
                                        "CLIENT REPLY ON\r\nGET k\r\n")),
        RJ_RESP_READ);
    expect(&f, "+OK\r\n$1\r\nv\r\n");
    assert_int_equal(
        rj_resp_input(f.s, RJ_BYTES_LIT("CLIENT REPLY SKIP\r\nPING a\r\nPING b\r\n"
                                        "CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\n"
                                        "PING c\r\nPING d\r\n")),
        RJ_RESP_READ);
    expect(&f, "$1\r\nb\r\n$1\r\nd\r\n");
    f.host.wait_err = RJ_EBUSY;
    assert_int_equal(
        rj_resp_input(f.s, RJ_BYTES_LIT("CLIENT REPLY SKIP\r\nWAIT 1 0\r\nPING\r\n")),
        RJ_RESP_WAIT);
    assert_int_equal(rj_resp_wake(f.s, &f.host.acks), RJ_RESP_READ);
    expect(&f, "+PONG\r\n");
    ask(&f, "CLIENT REPLY OFF", "");
    ask(&f, "RESET", "+RESET\r\n");
    ask(&f, "PING", "+PONG\r\n");
    end(&f);
}

/* ---- waiting */

TEST(a_wait_holds_the_session_until_it_is_woken)
{
    const struct rj_resp_acks acks = {.local = 1, .peers = 3};
    struct fixture f;

    begin(&f);
    f.host.wait_err = RJ_EBUSY;
    assert_int_equal(
        rj_resp_input(f.s, RJ_BYTES_LIT("SET k v\r\nWAIT 2 500\r\nGET k\r\nWAI")),
        RJ_RESP_WAIT);
    expect(&f, "+OK\r\n");
    assert_int_equal(f.host.asked.peers, 2);
    assert_int_equal(f.host.asked.timeout_ms, 500);
    assert_true(f.host.asked.wrote);
    assert_false(f.host.asked.durable);
    assert_false(f.host.asked.at_once);
    assert_int_equal(rj_resp_input(f.s, RJ_BYTES_LIT("TAOF 1 3 0\r\nPING\r\n")),
                     RJ_RESP_WAIT);
    expect(&f, "");
    assert_int_equal(rj_resp_wake(f.s, &acks), RJ_RESP_WAIT);
    expect(&f, ":3\r\n$1\r\nv\r\n");
    assert_true(f.host.asked.durable);
    assert_int_equal(f.host.asked.local, 1);
    assert_int_equal(rj_resp_wake(f.s, &acks), RJ_RESP_READ);
    expect(&f, "*2\r\n:1\r\n:3\r\n+PONG\r\n");
    assert_int_equal(rj_resp_wake(f.s, &acks), RJ_RESP_READ);
    expect(&f, "");
    end(&f);
}

TEST(a_wait_may_be_answered_at_once)
{
    struct fixture f;

    begin(&f);
    f.host.acks.peers = 2;
    ask(&f, "WAIT 1 0", ":2\r\n");
    assert_false(f.host.asked.wrote);
    f.host.wait_err = RJ_EBUSY;
    ask(&f, "MULTI", "+OK\r\n");
    ask(&f, "WAIT 5 0", "+QUEUED\r\n");
    ask(&f, "EXEC", "*1\r\n:2\r\n");
    assert_true(f.host.asked.at_once);
    end(&f);
}

TEST(who_sends_on_while_waiting_is_cut_off)
{
    enum { PIECE = 4 * 1024 * 1024, PIECES = 40 };
    enum rj_resp_state state;
    struct fixture f;
    uint8_t *piece = calloc(1, PIECE);
    int sent = 0;

    assert_non_null(piece);
    begin(&f);
    f.host.wait_err = RJ_EBUSY;
    state = send(&f, "WAIT 1 0");
    while (state == RJ_RESP_WAIT && sent < PIECES) {
        state = rj_resp_input(f.s, rj_bytes_of(piece, PIECE));
        sent++;
    }
    assert_int_equal(state, RJ_RESP_CLOSE);
    assert_in_range(sent, 16, 24);
    free(piece);
    end(&f);
}

/* ---- logging in */

TEST(nothing_is_done_for_strangers)
{
    static const char noauth[] = "-NOAUTH Authentication required.\r\n";
    struct fixture f;

    assert_true(resp_host_begin(&f.host));
    f.host.password = "secret";
    assert_ok(rj_resp_new(&f.host.host, &(struct rj_resp_opts){.id = 1}, &f.s));
    ask(&f, "GET k", noauth);
    ask(&f, "PING", noauth);
    ask(&f, "WATCH k", noauth);
    ask(&f, "MULTI", noauth);
    ask(&f, "HELLO 3",
        "-NOAUTH HELLO must be called with the client already authenticated, otherwise "
        "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
        "client and select the RESP protocol version at the same time\r\n");
    ask(&f, "AUTH wrong",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    ask(&f, "GET k", noauth);
    ask(&f, "AUTH secret", "+OK\r\n");
    ask(&f, "GET k", "$-1\r\n");
    ask(&f, "AUTH sessions token", "+OK\r\n");
    assert_string_equal(f.host.selected, "sessions");
    ask(&f, "AUTH sessions wrong",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    ask(&f, "AUTH '' secret",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    assert_string_equal(f.host.selected, "sessions"); /* "" is what RESET tells it */
    ask(&f, "GET k", "$-1\r\n");
    ask(&f, "RESET", "+RESET\r\n");
    assert_string_equal(f.host.selected, "default");
    ask(&f, "GET k", noauth);
    assert_int_equal(rj_resp_input(f.s, RJ_BYTES_LIT("*11\r\n")), RJ_RESP_CLOSE);
    expect(&f, "-ERR Protocol error: unauthenticated multibulk length\r\n");
    end(&f);
}

TEST(hello_can_log_in)
{
    struct fixture f;

    assert_true(resp_host_begin(&f.host));
    f.host.password = "secret";
    assert_ok(rj_resp_new(&f.host.host, &(struct rj_resp_opts){.id = 1}, &f.s));
    assert_int_equal(send(&f, "HELLO 3 AUTH sessions token SETNAME me"), RJ_RESP_READ);
    assert_memory_equal(rj_resp_out(f.s)->ptr, "%7\r\n", 4);
    rj_buf_clear(rj_resp_out(f.s));
    assert_string_equal(f.host.selected, "sessions");
    ask(&f, "GET k", "_\r\n");
    ask(&f, "CLIENT GETNAME", "$2\r\nme\r\n");
    end(&f);
}

TEST(sessions_are_listed)
{
    struct fixture f;

    begin(&f);
    f.host.sessions[0] = f.s;
    ask(&f, "CLIENT SETNAME me", "+OK\r\n");
    ask(&f, "CLIENT SETINFO lib-name x", "+OK\r\n");
    resp_host_pass(&f.host, 3000);
    assert_ptr_equal(rj_resp_user(f.s), &f);
    assert_int_equal(rj_resp_id(f.s), 7);
    assert_int_equal(send(&f, "CLIENT LIST"), RJ_RESP_READ);
    expect(
        &f,
        "$163\r\nid=7 addr=192.0.2.1:5 laddr=192.0.2.2:7341 name=me age=3 idle=0 "
        "flags=N db=0 multi=-1 sub=0 ssub=0 qbuf=0 obl=0 cmd=client user=default resp=2 "
        "lib-name=x lib-ver=\n\r\n");
    end(&f);
}

/* ---- the bucket's refusals */

TEST(errors_of_the_bucket_have_replies)
{
    static const struct {
        enum rj_err err;
        const char *reply;
    } errors[] = {
        {RJ_EFULL, "-MISCONF no room left on the disk, nothing was written\r\n"},
        {RJ_EDENIED, "-NOPERM this device may not write in this bucket\r\n"},
        {RJ_ECLOSED, "-NOPERM this device was closed, its writes are not accepted\r\n"},
        {RJ_ECLOCK,
         "-MISCONF this machine's clock is too far off, nothing was written\r\n"},
        {RJ_EREADONLY, "-READONLY You can't write against a read only replica.\r\n"},
    };
    struct fixture f;

    begin(&f);
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        f.host.writer.refuse = errors[i].err;
        ask(&f, "SET k v", errors[i].reply);
        ask(&f, "MSET k v l w", errors[i].reply);
        ask(&f, "INCR n", errors[i].reply);
        ask(&f, "SADD s a", errors[i].reply);
        ask(&f, "HSET h a 1", errors[i].reply);
        ask(&f, "GET k", "$-1\r\n");
        assert_false(rj_resp_take_wrote(f.s));
    }
    f.host.writer.refuse = RJ_OK;
    f.host.bucket_err = RJ_EJOINING;
    ask(&f, "GET k", "-LOADING this node is still taking over the bucket\r\n");
    ask(&f, "PING", "+PONG\r\n");
    f.host.bucket_err = RJ_ENOENT;
    ask(&f, "DBSIZE", "-ERR no such bucket\r\n");
    ask(&f, "MULTI", "+OK\r\n");
    ask(&f, "SET k v", "+QUEUED\r\n");
    ask(&f, "EXEC", "-EXECABORT Transaction discarded because of: no such thing\r\n");
    end(&f);
}

TEST(a_session_says_whether_it_wrote)
{
    struct fixture f;

    begin(&f);
    ask(&f, "GET k", "$-1\r\n");
    assert_false(rj_resp_take_wrote(f.s));
    ask(&f, "SET k v", "+OK\r\n");
    assert_true(rj_resp_take_wrote(f.s));
    assert_false(rj_resp_take_wrote(f.s));
    ask(&f, "MULTI", "+OK\r\n");
    ask(&f, "DEL k l", "+QUEUED\r\n");
    assert_false(rj_resp_take_wrote(f.s));
    ask(&f, "EXEC", "*1\r\n:1\r\n");
    assert_true(rj_resp_take_wrote(f.s));
    assert_int_equal(f.host.host.commands, 5);
    assert_int_equal(f.host.host.errors, 0);
    end(&f);
}

/* The writer has room for `writes` more in this batch. */
static void leave_room(struct fixture *f, uint32_t writes)
{
    f->host.writer.first += f->host.writer.count;
    f->host.writer.count = RJ_BATCH_WRITES_MAX - writes;
    f->host.writer.first -= f->host.writer.count;
}

TEST(a_full_batch_is_cut_and_the_write_repeated)
{
    struct fixture f;

    begin(&f);
    f.host.writer.first = 1000000;
    leave_room(&f, 1);
    ask(&f, "SET a 1", "+OK\r\n");
    assert_int_equal(f.host.flushes, 0);
    ask(&f, "SET b 2", "+OK\r\n");
    assert_int_equal(f.host.flushes, 1);
    leave_room(&f, 0);
    ask(&f, "INCR n", ":1\r\n");
    leave_room(&f, 0);
    ask(&f, "SET b 3 GET", "$1\r\n2\r\n");
    leave_room(&f, 0);
    ask(&f, "EXPIRE b 10", ":1\r\n");
    leave_room(&f, 0);
    ask(&f, "SADD s x y", ":2\r\n");
    leave_room(&f, 0);
    ask(&f, "HSET h x y", ":1\r\n");
    assert_int_equal(f.host.flushes, 6);
    f.host.flush_err = RJ_EFULL;
    leave_room(&f, 0);
    ask(&f, "SET a 9", "-MISCONF no room left on the disk, nothing was written\r\n");
    ask(&f, "MGET a b n", "*3\r\n$1\r\n1\r\n$1\r\n3\r\n$1\r\n1\r\n");
    end(&f);
}

TEST(a_transaction_goes_into_one_batch)
{
    struct fixture f;

    begin(&f);
    f.host.writer.first = 1000000;
    leave_room(&f, 1);
    ask(&f, "MULTI", "+OK\r\n");
    ask(&f, "SET a 1", "+QUEUED\r\n");
    ask(&f, "SET b 2", "+QUEUED\r\n");
    assert_int_equal(send(&f, "EXEC"), RJ_RESP_READ);
    expect(&f, "*2\r\n+OK\r\n+OK\r\n");
    /* The cut came before the first of the two. */
    assert_int_equal(f.host.flushes, 1);
    assert_int_equal(f.host.writer.count, 2);
    assert_false(f.host.writer.atomic);
    ask(&f, "MGET a b", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    end(&f);
}

TEST(a_large_group_gets_a_batch_of_its_own)
{
    enum { KEYS = RJ_BATCH_WRITES_MAX - 10 };
    struct rj_buf in = {0};
    struct fixture f;
    char expected[32];

    begin(&f);
    f.host.writer.first = 1000000;
    leave_room(&f, RJ_BATCH_WRITES_MAX - 100);
    rj_buf_printf(&in, "*%d\r\n$4\r\nMSET\r\n", 1 + 2 * KEYS);
    for (int i = 0; i < KEYS; i++)
        rj_buf_printf(&in, "$5\r\n%05d\r\n$1\r\nv\r\n", i);
    assert_int_equal(rj_resp_input(f.s, rj_buf_view(&in)), RJ_RESP_READ);
    expect(&f, "+OK\r\n");
    assert_int_equal(f.host.flushes, 1);
    assert_int_equal(f.host.writer.count, KEYS);
    rj_buf_clear(&in);
    ask(&f, "MULTI", "+OK\r\n");
    rj_buf_printf(&in, "*%d\r\n$3\r\nDEL\r\n", 1 + KEYS);
    for (int i = 0; i < KEYS; i++)
        rj_buf_printf(&in, "$5\r\n%05d\r\n", i);
    assert_int_equal(rj_resp_input(f.s, rj_buf_view(&in)), RJ_RESP_READ);
    expect(&f, "+QUEUED\r\n");
    (void)snprintf(expected, sizeof(expected), "*1\r\n:%d\r\n", KEYS);
    ask(&f, "EXEC", expected);
    assert_int_equal(f.host.flushes, 2);
    assert_int_equal(f.host.writer.count, KEYS);
    rj_buf_done(&in);
    end(&f);
}

/* ---- limits */

TEST(a_transaction_has_a_largest_size)
{
    static const char error[] =
        "-ERR the transaction is larger than 16384 commands or 24 MiB\r\n";
    struct fixture f;
    struct rj_buf in = {0};

    begin(&f);
    ask(&f, "MULTI", "+OK\r\n");
    for (int i = 0; i < RJ_RESP_QUEUE_MAX; i++) {
        assert_int_equal(send(&f, "PING"), RJ_RESP_READ);
        expect(&f, "+QUEUED\r\n");
    }
    ask(&f, "PING", error);
    ask(&f, "EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n");
    ask(&f, "MULTI", "+OK\r\n");
    rj_buf_printf(&in, "*2\r\n$4\r\nECHO\r\n$%d\r\n", 13000000);
    for (size_t i = 0; i < 13000000; i++)
        rj_buf_u8(&in, 'x');
    rj_buf_append_str(&in, "\r\n");
    assert_int_equal(rj_resp_input(f.s, rj_buf_view(&in)), RJ_RESP_READ);
    expect(&f, "+QUEUED\r\n");
    assert_int_equal(rj_resp_input(f.s, rj_buf_view(&in)), RJ_RESP_READ);
    expect(&f, error);
    ask(&f, "DISCARD", "+OK\r\n");
    assert_int_equal(f.s->queue.buf.cap, 0); /* not kept */
    ask(&f, "PING", "+PONG\r\n");
    rj_buf_done(&in);
    end(&f);
}

TEST(what_is_too_large_is_refused_whole)
{
    static const char error[] =
        "-ERR too large: keys 64 KiB, values 16 MiB, batches 65536 writes, 32 MiB\r\n";
    struct rj_buf in = {0};
    struct fixture f;

    begin(&f);
    rj_buf_printf(&in, "*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$%d\r\n",
                  RJ_KEY_MAX + 1);
    for (size_t i = 0; i <= RJ_KEY_MAX; i++)
        rj_buf_u8(&in, 'k');
    rj_buf_append_str(&in, "\r\n$1\r\nv\r\n");
    assert_int_equal(rj_resp_input(f.s, rj_buf_view(&in)), RJ_RESP_READ);
    expect(&f, error);
    ask(&f, "GET a", "$-1\r\n");
    rj_buf_clear(&in);
    rj_buf_printf(&in, "*%d\r\n$3\r\nDEL\r\n", RJ_BATCH_WRITES_MAX + 2);
    for (int i = 0; i <= RJ_BATCH_WRITES_MAX; i++)
        rj_buf_append_str(&in, "$1\r\nx\r\n");
    assert_int_equal(rj_resp_input(f.s, rj_buf_view(&in)), RJ_RESP_READ);
    expect(&f, error);
    rj_buf_clear(&in);
    rj_buf_printf(&in, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n", RJ_VALUE_MAX + 1);
    for (size_t i = 0; i <= RJ_VALUE_MAX; i++)
        rj_buf_u8(&in, 'v');
    rj_buf_append_str(&in, "\r\n");
    assert_int_equal(rj_resp_input(f.s, rj_buf_view(&in)), RJ_RESP_READ);
    expect(&f, error);
    ask(&f, "GET a", "$-1\r\n");
    rj_buf_done(&in);
    end(&f);
}

TEST(a_costly_pattern_is_refused)
{
    static const char error[] =
        "-ERR the pattern costs too much here, use a simpler one\r\n";
    struct rj_buf in = {0};
    struct fixture f;

    begin(&f);
    rj_buf_append_str(&in, "*3\r\n$3\r\nSET\r\n$60000\r\n");
    for (size_t i = 0; i < 60000; i++)
        rj_buf_u8(&in, 'a');
    rj_buf_append_str(&in, "\r\n$1\r\nv\r\n");
    for (int command = 0; command < 2; command++) {
        rj_buf_append_str(&in, command == 0 ? "*2\r\n$4\r\nKEYS\r\n$2002\r\n"
                                            : "*4\r\n$4\r\nSCAN\r\n$1\r\n0\r\n$5\r\nMATCH"
                                              "\r\n$2002\r\n");
        rj_buf_append_str(&in, "*[");
        for (int i = 0; i < 1999; i++)
            rj_buf_u8(&in, 'b');
        rj_buf_append_str(&in, "]\r\n");
    }
    assert_int_equal(rj_resp_input(f.s, rj_buf_view(&in)), RJ_RESP_READ);
    assert_memory_equal(rj_resp_out(f.s)->ptr, "+OK\r\n", 5);
    rj_buf_consume(rj_resp_out(f.s), 5);
    assert_memory_equal(rj_resp_out(f.s)->ptr, error, strlen(error));
    rj_buf_consume(rj_resp_out(f.s), strlen(error));
    expect(&f, error);
    rj_buf_done(&in);
    end(&f);
}

TEST(a_walk_brings_every_key_once)
{
    enum { KEYS = 3000 };
    bool seen[KEYS] = {false};
    struct fixture f;
    uint64_t cursor = 0;
    size_t calls = 0;
    char text[64];

    begin(&f);
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(text, sizeof(text), "SET key:%d v", i);
        ask(&f, text, "+OK\r\n");
    }
    do {
        const char *p;

        (void)snprintf(text, sizeof(text), "SCAN %llu COUNT 100 TYPE string",
                       (unsigned long long)cursor);
        assert_int_equal(send(&f, text), RJ_RESP_READ);
        p = rj_buf_str(rj_resp_out(f.s));
        assert_int_equal(sscanf(p, "*2 $%*d %llu", (unsigned long long *)&cursor), 1);
        while ((p = strstr(p, "key:")) != NULL) {
            int i = atoi(p + 4);

            assert_in_range(i, 0, KEYS - 1);
            assert_false(seen[i]);
            seen[i] = true;
            p++;
        }
        rj_buf_clear(rj_resp_out(f.s));
        calls++;
    } while (cursor != 0 && calls < KEYS);
    assert_in_range(calls, 10, 100);
    for (int i = 0; i < KEYS; i++)
        assert_true(seen[i]);
    end(&f);
}

/* ---- tables */

TEST(names_are_found_in_either_case)
{
    struct fixture f;

    begin(&f);
    for (size_t i = 0; rj_resp_table_at(i) != NULL; i++) {
        const struct rj_resp_command *cmd = rj_resp_table_at(i);
        struct rj_bytes name = rj_bytes_from_str(cmd->name);
        char caps[RJ_RESP_WORD_MAX] = "";

        for (size_t j = 0; j < name.len; j++) {
            assert_true(name.ptr[j] >= 'a' && name.ptr[j] <= 'z');
            caps[j] = (char)(name.ptr[j] - 'a' + 'A');
        }
        assert_ptr_equal(rj_resp_table_find(name), cmd);
        assert_ptr_equal(rj_resp_table_find(rj_bytes_from_str(caps)), cmd);
        for (int again = 0; again < 2; again++)
            assert_ptr_equal(rj_resp_table_cached(f.s, rj_bytes_from_str(caps)), cmd);
        assert_null(rj_resp_table_cached(f.s, rj_bytes_of(cmd->name, name.len + 1)));
        assert_null(rj_resp_table_find(rj_bytes_of(cmd->name, name.len + 1)));
        assert_ptr_not_equal(rj_resp_table_find(rj_bytes_first(name, name.len - 1)), cmd);
    }
    assert_null(rj_resp_table_find(RJ_BYTES_LIT("set nx")));
    assert_non_null(rj_resp_table_find(RJ_BYTES_LIT("WATCH")));
    end(&f);
}

/* ---- memory */

static enum rj_err session_under_pressure(void *ctx)
{
    struct resp_host host;
    struct rj_resp *s = NULL;
    struct rj_buf in = {0};
    enum rj_err err = RJ_ENOMEM;

    (void)ctx;
    if (!resp_host_begin(&host))
        goto out;
    if (rj_resp_new(&host.host, &(struct rj_resp_opts){.id = 1}, &s) != RJ_OK)
        goto out;
    for (size_t i = 0; i < sizeof(dialog) / sizeof(dialog[0]); i++)
        resp_host_encode(&in, dialog[i]);
    resp_host_encode(&in, "SCAN 0 TYPE string");
    resp_host_encode(&in, "INFO");
    if (in.failed)
        goto out;
    (void)rj_resp_input(s, rj_bytes_of(in.ptr, 10));
    (void)rj_resp_input(s, rj_bytes_of(in.ptr + 10, in.len - 10));
    err = RJ_OK;
out:
    rj_buf_done(&in);
    rj_resp_free(s);
    resp_host_end(&host);
    return err;
}

TEST(want_of_memory_leaves_nothing_behind)
{
    rj_test_with_failing_alloc(session_under_pressure, NULL);
    rj_test_with_one_failing_alloc(session_under_pressure, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelines_may_be_cut_at_every_byte),
        cmocka_unit_test(a_large_value_arrives_in_small_pieces),
        cmocka_unit_test(garbage_is_answered_once_and_closes),
        cmocka_unit_test(a_browser_gets_no_answer),
        cmocka_unit_test(quit_ends_a_session),
        cmocka_unit_test(a_session_that_never_reads_is_paused),
        cmocka_unit_test(a_reply_has_a_largest_size),
        cmocka_unit_test(answers_can_be_held_back),
        cmocka_unit_test(a_wait_holds_the_session_until_it_is_woken),
        cmocka_unit_test(a_wait_may_be_answered_at_once),
        cmocka_unit_test(who_sends_on_while_waiting_is_cut_off),
        cmocka_unit_test(nothing_is_done_for_strangers),
        cmocka_unit_test(hello_can_log_in),
        cmocka_unit_test(sessions_are_listed),
        cmocka_unit_test(errors_of_the_bucket_have_replies),
        cmocka_unit_test(a_session_says_whether_it_wrote),
        cmocka_unit_test(a_full_batch_is_cut_and_the_write_repeated),
        cmocka_unit_test(a_transaction_goes_into_one_batch),
        cmocka_unit_test(a_large_group_gets_a_batch_of_its_own),
        cmocka_unit_test(a_transaction_has_a_largest_size),
        cmocka_unit_test(what_is_too_large_is_refused_whole),
        cmocka_unit_test(a_costly_pattern_is_refused),
        cmocka_unit_test(a_walk_brings_every_key_once),
        cmocka_unit_test(names_are_found_in_either_case),
        cmocka_unit_test(want_of_memory_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
