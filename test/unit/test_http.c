/* SPDX-License-Identifier: Apache-2.0 */
/* Which Host headers name this server: nothing else stands between a page of somebody
 * else, whose name was made to resolve to this machine, and what is shown here. */
#include "posix/http.h"
#include "support/test.h"

static void own_names_are_known_with_and_without_the_port(void **state)
{
    static const char *const good[] = {"localhost",      "LOCALHOST:7342", "127.0.0.1",
                                       "127.0.0.1:7342", "[::1]",          "[::1]:7342",
                                       "192.0.2.7:7342", "nas.home:7342",  "NAS.home",
                                       "other.example"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(rj_http_host_ok(good[i], "nas.home,other.example", 7342));
}

static void other_names_and_ports_are_not(void **state)
{
    static const char *const bad[] = {"",
                                      "evil.example",
                                      "evil.example:7342",
                                      "localhost:7343",
                                      "localhost:",
                                      "localhost.evil.example",
                                      "nas.hom",
                                      "nas.homes",
                                      "127.0.0.1.evil",
                                      "[::1",
                                      "::1",
                                      "[::1]:1",
                                      "[nas.home]",
                                      "[]",
                                      "1.2.3",
                                      "localhost:07342",
                                      "nas.home,other.example"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(rj_http_host_ok(bad[i], "nas.home,other.example", 7342));
}

static void an_empty_list_names_nobody(void **state)
{
    (void)state;
    assert_false(rj_http_host_ok("nas.home", "", 7342));
    assert_false(rj_http_host_ok(":7342", ",", 7342));
    assert_true(rj_http_host_ok("localhost", ",", 7342));
}

static void a_name_without_end_is_refused(void **state)
{
    char long_name[RJ_HTTP_HOST_MAX + 2];

    (void)state;
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_false(rj_http_host_ok(long_name, long_name, 7342));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_names_are_known_with_and_without_the_port),
        cmocka_unit_test(other_names_and_ports_are_not),
        cmocka_unit_test(an_empty_list_names_nobody),
        cmocka_unit_test(a_name_without_end_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
