/* SPDX-License-Identifier: Apache-2.0 */
#include "posix/notify.h"
#include "support/environment.h"
#include "support/temp_dir.h"
#include "support/test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PID = 4711 };

/* An environment of this test's own. */
static const char *socket_name, *usec, *whose;

static char *look_up(const char *name)
{
    const struct test_variable all[] = {
        {"NOTIFY_SOCKET", socket_name},
        {"WATCHDOG_USEC", usec},
        {"WATCHDOG_PID", whose},
        {NULL, NULL},
    };

    return test_getenv(all, name);
}

/* A manager that listens at a path, or at an abstract name that begins with '@'. */
static int listen_at(const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0 && len < sizeof(addr.sun_path));
    memcpy(addr.sun_path, name, len);
    if (name[0] == '@')
        addr.sun_path[0] = '\0';
    len += offsetof(struct sockaddr_un, sun_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, (socklen_t)len), 0);
    socket_name = name;
    usec = whose = NULL;
    return fd;
}

static void hears(int fd, const char *expected)
{
    char text[2 * RJ_NOTIFY_TEXT_MAX];
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

    assert_true(n > 0);
    text[n] = '\0';
    assert_string_equal(text, expected);
}

TEST(nobody_is_told_where_nobody_asks)
{
    struct rj_notify n = {.fd = 77};

    socket_name = NULL;
    assert_ok(rj_notify_open(look_up, PID, &n));
    assert_int_equal(n.addr_len, 0);
    rj_notify_say(&n, "READY=1", "x");
    rj_notify_close(&n);
    socket_name = "";
    assert_ok(rj_notify_open(look_up, PID, &n));
    assert_int_equal(n.addr_len, 0);
}

static void tell_all(int fd)
{
    struct rj_notify n;

    assert_ok(rj_notify_open(look_up, PID, &n));
    rj_notify_say(&n, "READY=1", "two ports");
    hears(fd, "READY=1\nSTATUS=two ports");
    rj_notify_say(&n, "STOPPING=1", NULL);
    hears(fd, "STOPPING=1");
    rj_notify_say(&n, NULL, "bad\nREADY=1\tnews");
    hears(fd, "STATUS=bad READY=1 news");
    rj_notify_close(&n);
}

TEST(a_socket_with_a_path_is_told)
{
    char path[RJ_TEST_PATH_MAX];
    struct rj_test_dir dir;
    int fd;

    rj_test_dir_init(&dir);
    rj_test_dir_path(&dir, "notify", path);
    fd = listen_at(path);
    tell_all(fd);
    (void)close(fd);
    rj_test_dir_done(&dir);
}

TEST(a_socket_with_an_abstract_name_is_told)
{
    char name[64];
    int fd;

    (void)snprintf(name, sizeof(name), "@rejoin-test/%ld", (long)getpid());
    fd = listen_at(name);
    tell_all(fd);
    (void)close(fd);
}

TEST(a_long_status_is_cut)
{
    char name[64], text[3 * RJ_NOTIFY_TEXT_MAX], got[3 * RJ_NOTIFY_TEXT_MAX];
    struct rj_notify n;
    ssize_t len;
    int fd;

    (void)snprintf(name, sizeof(name), "@rejoin-test/%ld", (long)getpid());
    fd = listen_at(name);
    assert_ok(rj_notify_open(look_up, PID, &n));
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    rj_notify_say(&n, "READY=1", text);
    len = recv(fd, got, sizeof(got), 0);
    assert_int_equal(len, RJ_NOTIFY_TEXT_MAX - 1);
    assert_memory_equal(got, "READY=1\nSTATUS=xxx", 18);
    rj_notify_close(&n);
    (void)close(fd);
}

TEST(nobody_who_reads_keeps_nobody_waiting)
{
    char name[64];
    struct rj_notify n;
    int fd;

    (void)snprintf(name, sizeof(name), "@rejoin-test/%ld", (long)getpid());
    fd = listen_at(name);
    assert_ok(rj_notify_open(look_up, PID, &n));
    for (int i = 0; i < 10000; i++)
        rj_notify_say(&n, "WATCHDOG=1", NULL);
    (void)close(fd);
    rj_notify_say(&n, "WATCHDOG=1", NULL);
    rj_notify_close(&n);
}

TEST(addresses_that_cannot_be_are_refused)
{
    static const char *const bad[] = {"relative", "/", "@", "vsock:2:1234"};
    char longer[200] = "/";
    struct rj_notify n;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        socket_name = bad[i];
        assert_err(RJ_EINVAL, rj_notify_open(look_up, PID, &n));
        assert_int_equal(n.addr_len, 0);
    }
    memset(longer + 1, 'x', sizeof(longer) - 2);
    socket_name = longer;
    assert_err(RJ_EINVAL, rj_notify_open(look_up, PID, &n));
}

static uint64_t watchdog(const char *of_usec, const char *of_pid)
{
    struct rj_notify n;
    uint64_t ms;

    socket_name = "/run/notify";
    usec = of_usec;
    whose = of_pid;
    assert_ok(rj_notify_open(look_up, PID, &n));
    ms = n.watchdog_ms;
    rj_notify_close(&n);
    return ms;
}

TEST(signs_of_life_are_wanted_of_this_process)
{
    assert_int_equal(watchdog("3000000", NULL), 3000);
    assert_int_equal(watchdog("3000000", "4711"), 3000);
    assert_int_equal(watchdog("3000000", "4712"), 0);
    assert_int_equal(watchdog(NULL, "4711"), 0);
    assert_int_equal(watchdog("3 s", NULL), 0);
    assert_int_equal(watchdog("-3000000", NULL), 0);
    assert_int_equal(watchdog("", NULL), 0);
    assert_int_equal(watchdog("99999999999999999999999", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_told_where_nobody_asks),
        cmocka_unit_test(a_socket_with_a_path_is_told),
        cmocka_unit_test(a_socket_with_an_abstract_name_is_told),
        cmocka_unit_test(a_long_status_is_cut),
        cmocka_unit_test(nobody_who_reads_keeps_nobody_waiting),
        cmocka_unit_test(addresses_that_cannot_be_are_refused),
        cmocka_unit_test(signs_of_life_are_wanted_of_this_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
