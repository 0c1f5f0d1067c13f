/* SPDX-License-Identifier: Apache-2.0 */
#include "posix/inherit.h"
#include "support/environment.h"
#include "support/test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PID = 4711 };

static const char *names, *count, *whose;

static char *look_up(const char *name)
{
    const struct test_variable all[] = {
        {"LISTEN_PID", whose},
        {"LISTEN_FDS", count},
        {"LISTEN_FDNAMES", names},
        {NULL, NULL},
    };

    return test_getenv(all, name);
}

/* What stands at a descriptor. */
enum what { TCP, UNIX, NOT_LISTENING, DATAGRAM, PIPE };

static void put(int at, enum what what)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sa_family_t family = AF_UNIX;
    int ends[2] = {-1, -1};

    if (what == PIPE) {
        assert_int_equal(pipe(ends), 0);
    } else if (what == UNIX) {
        ends[0] = socket(AF_UNIX, SOCK_STREAM, 0);
        /* The kernel chooses an abstract name. */
        assert_int_equal(bind(ends[0], (const struct sockaddr *)&family, sizeof(family)),
                         0);
    } else {
        ends[0] = socket(AF_INET, what == DATAGRAM ? SOCK_DGRAM : SOCK_STREAM, 0);
        assert_int_equal(bind(ends[0], (struct sockaddr *)&addr, sizeof(addr)), 0);
    }
    assert_true(ends[0] >= 0);
    if (what == TCP || what == UNIX)
        assert_int_equal(listen(ends[0], 1), 0);
    if (ends[0] != at)
        assert_int_equal(dup2(ends[0], at), at);
}

struct expected {
    enum rj_err err;
    int control, peer, resp;
    const char *why;
};

static void check(const enum what *what, int n, const struct expected *e)
{
    const struct rj_inherited before = {{7, 7, 7}};
    struct rj_inherited in = before;
    char why[200] = "", number[16];

    for (int i = 0; i < n; i++)
        put(RJ_INHERIT_FIRST + i, what[i]);
    (void)snprintf(number, sizeof(number), "%d", n);
    if (count == NULL)
        count = number;
    if (whose == NULL)
        whose = "4711";
    assert_err(e->err, rj_inherit_take(look_up, PID, why, sizeof(why), &in));
    assert_string_equal(why, e->why != NULL ? e->why : "");
    if (e->err != RJ_OK) {
        assert_memory_equal(&in, &before, sizeof(in));
        return;
    }
    assert_int_equal(in.fd[RJ_INHERIT_CONTROL], e->control);
    assert_int_equal(in.fd[RJ_INHERIT_PEER], e->peer);
    assert_int_equal(in.fd[RJ_INHERIT_RESP], e->resp);
    for (int i = 0; i < RJ_INHERIT_COUNT; i++) {
        if (in.fd[i] != 0)
            assert_int_equal(fcntl(in.fd[i], F_GETFD), FD_CLOEXEC);
    }
    for (int i = 0; i < n; i++)
        assert_true((rj_inherit_port(RJ_INHERIT_FIRST + i) != 0) ==
                    (what[i] == TCP || what[i] == NOT_LISTENING || what[i] == DATAGRAM));
}

/* In a child: there the low descriptors may be what they are not here. */
static void given(const enum what *what, int n, struct expected e)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        check(what, n, &e); /* a failed assertion ends it with another status */
        _exit(42);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

#define GIVEN(...)                                                                       \
    (const enum what[]){__VA_ARGS__},                                                    \
        (int)(sizeof((const enum what[]){__VA_ARGS__}) / sizeof(enum what))

static int plain(void **state)
{
    (void)state;
    names = count = whose = NULL;
    return 0;
}

TEST(names_say_what_each_socket_is_for)
{
    names = "resp:control:peer";
    given(GIVEN(TCP, UNIX, TCP), (struct expected){.control = 4, .peer = 5, .resp = 3});
}

TEST(a_unix_socket_needs_no_name)
{
    given(GIVEN(UNIX), (struct expected){.control = 3});
    names = "rejoind.socket";
    given(GIVEN(UNIX), (struct expected){.control = 3});
    names = "rejoind.socket:peer";
    given(GIVEN(UNIX, TCP), (struct expected){.control = 3, .peer = 4});
}

TEST(a_port_without_a_known_name_is_refused)
{
    names = "http";
    given(GIVEN(TCP),
          (struct expected){
              .err = RJ_EINVAL,
              .why = "the inherited socket \"http\" is none of control, peer, resp"});
    names = "peer:";
    given(GIVEN(TCP, TCP),
          (struct expected){
              .err = RJ_EINVAL,
              .why = "the inherited socket \"\" is none of control, peer, resp"});
}

TEST(two_sockets_for_one_use_are_refused)
{
    names = "peer:peer";
    given(GIVEN(TCP, TCP),
          (struct expected){.err = RJ_EINVAL,
                            .why = "there are two inherited sockets \"peer\""});
}

TEST(what_does_not_listen_is_refused)
{
    static const enum what bad[] = {NOT_LISTENING, DATAGRAM, PIPE};

    names = "peer";
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        given(&bad[i], 1,
              (struct expected){.err = RJ_EINVAL,
                                .why =
                                    "the inherited descriptor 3 is no listening socket"});
}

TEST(sockets_for_another_process_are_not_taken)
{
    names = "peer";
    whose = "4712";
    given(GIVEN(TCP), (struct expected){.err = RJ_OK});
    whose = "";
    given(GIVEN(TCP), (struct expected){.err = RJ_OK});
}

TEST(a_count_that_is_none_is_refused)
{
    static const char *const bad[] = {"", "x", "-1", "17", "1x", "99999999999999999999"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        count = bad[i];
        given(GIVEN(UNIX),
              (struct expected){.err = RJ_EINVAL, .why = "LISTEN_FDS is not 0 to 16"});
    }
    count = "0";
    given(GIVEN(UNIX), (struct expected){.err = RJ_OK});
}

int main(void)
{
#define T(test) cmocka_unit_test_setup(test, plain)
    const struct CMUnitTest tests[] = {
        T(names_say_what_each_socket_is_for),
        T(a_unix_socket_needs_no_name),
        T(a_port_without_a_known_name_is_refused),
        T(two_sockets_for_one_use_are_refused),
        T(what_does_not_listen_is_refused),
        T(sockets_for_another_process_are_not_taken),
        T(a_count_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
