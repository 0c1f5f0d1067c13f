/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and the replies that they must get, byte for byte, in both versions of the
 * protocol. Header only, for the unit tests of commands. */
#ifndef RJ_TEST_RESP_WALK_H
#define RJ_TEST_RESP_WALK_H

#include "face/resp_cmd.h"
#include "support/resp_host.h"
#include "support/test.h"

/* A request and its replies; v3 NULL: the same in version 3. */
struct step {
    const char *ask, *v2, *v3;
};

#define OK      "+OK\r\n"
#define ZERO    ":0\r\n"
#define ONE     ":1\r\n"
#define SYNTAX  "-ERR syntax error\r\n"
#define NOT_INT "-ERR value is not an integer or out of range\r\n"
#define WRONG_TYPE                                                                       \
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
#define ARITY(name)   "-ERR wrong number of arguments for '" name "' command\r\n"
#define EXPIRE(name)  "-ERR invalid expire time in '" name "' command\r\n"
#define NIL           "$-1\r\n", "_\r\n"
#define LONG_MAX_TEXT "9223372036854775807"
#define LONG_MIN_TEXT "-9223372036854775808"

static inline void ask(struct rj_resp *s, const char *text, const char *expected)
{
    struct rj_buf in = {0};

    resp_host_encode(&in, text);
    rj_buf_clear(rj_resp_out(s));
    assert_int_equal(rj_resp_input(s, rj_buf_view(&in)), RJ_RESP_READ);
    rj_buf_done(&in);
    if (!rj_bytes_equal(rj_buf_view(rj_resp_out(s)), rj_bytes_from_str(expected)))
        fail_msg("%s: '%s' instead of '%s'", text, rj_buf_str(rj_resp_out(s)), expected);
}

/* Steps in one session of each version, each with a bucket of its own. */
static inline void walk(const struct step *steps, size_t n)
{
    for (int version = 2; version <= 3; version++) {
        struct resp_host host;
        struct rj_resp *s = NULL;

        assert_true(resp_host_begin(&host));
        assert_ok(rj_resp_new(&host.host, &(struct rj_resp_opts){.id = 7}, &s));
        s->reply.proto = (uint8_t)version;
        for (size_t i = 0; i < n; i++)
            ask(s, steps[i].ask,
                version == 3 && steps[i].v3 != NULL ? steps[i].v3 : steps[i].v2);
        rj_resp_free(s);
        resp_host_end(&host);
    }
}

#define WALK(steps) walk(steps, sizeof(steps) / sizeof((steps)[0]))

/* Plays requests in one session, whatever comes back, for tests with failing memory. */
static inline enum rj_err play_requests(const char *const *requests, size_t n)
{
    struct resp_host host;
    struct rj_resp *s = NULL;
    struct rj_buf in = {0};
    enum rj_err err = resp_host_begin(&host) ? RJ_OK : RJ_ENOMEM;

    if (err == RJ_OK)
        err = rj_resp_new(&host.host, &(struct rj_resp_opts){.id = 7}, &s);
    if (err == RJ_OK)
        s->reply.proto = 3;
    for (size_t i = 0; i < n && err == RJ_OK; i++) {
        rj_buf_clear(&in);
        resp_host_encode(&in, requests[i]);
        err = rj_buf_err(&in);
        if (err == RJ_OK && rj_resp_input(s, rj_buf_view(&in)) == RJ_RESP_CLOSE)
            err = RJ_ENOMEM;
        if (err == RJ_OK && s->reply.errors > 0)
            err = RJ_ENOMEM;
        rj_buf_clear(rj_resp_out(s));
    }
    rj_buf_done(&in);
    rj_resp_free(s);
    resp_host_end(&host);
    return err;
}

#endif
