/* SPDX-License-Identifier: Apache-2.0 */
#include "posix/dirs.h"
#include "support/test.h"

#include <stdio.h>

/* An environment of this test's own: "NAME=value", ended by NULL. */
static const char *const *environment;

static char *look_up(const char *name)
{
    static char value[2 * RJ_FILE_PATH_MAX];
    size_t len = strlen(name);

    for (size_t i = 0; environment[i] != NULL; i++)
        if (strncmp(environment[i], name, len) == 0 && environment[i][len] == '=') {
            (void)snprintf(value, sizeof(value), "%s", environment[i] + len + 1);
            return value;
        }
    return NULL;
}

static struct rj_dirs dirs;
static char why[256];

#define FIND(...)                                                                        \
    (environment = (const char *const[]){__VA_ARGS__, NULL},                             \
     rj_dirs_find(look_up, why, sizeof(why), &dirs))

TEST(one_directory_holds_a_whole_node)
{
    assert_ok(FIND("REJOIN_HOME=/srv/n1/", "HOME=/home/u", "XDG_DATA_HOME=/x"));
    assert_string_equal(dirs.config, "/srv/n1");
    assert_string_equal(dirs.config_file, "/srv/n1/rejoin.conf");
    assert_string_equal(dirs.data, "/srv/n1/data");
    assert_string_equal(dirs.runtime, "/srv/n1/run");
    assert_string_equal(dirs.socket, "/srv/n1/run/control");
}

TEST(the_xdg_directories_are_used)
{
    assert_ok(FIND("HOME=/home/u", "XDG_CONFIG_HOME=/c", "XDG_DATA_HOME=/d",
                   "XDG_RUNTIME_DIR=/run/user/7"));
    assert_string_equal(dirs.config, "/c/rejoin");
    assert_string_equal(dirs.data, "/d/rejoin");
    assert_string_equal(dirs.runtime, "/run/user/7/rejoin");
}

TEST(a_home_alone_is_enough)
{
    assert_ok(FIND("HOME=/home/u"));
    assert_string_equal(dirs.config, "/home/u/.config/rejoin");
    assert_string_equal(dirs.data, "/home/u/.local/share/rejoin");
    assert_string_equal(dirs.runtime, "/home/u/.local/share/rejoin/run");
    assert_ok(FIND("HOME=/"));
    assert_string_equal(dirs.config, "/.config/rejoin");
}

TEST(relative_and_empty_xdg_directories_are_ignored)
{
    assert_ok(
        FIND("HOME=/home/u", "XDG_CONFIG_HOME=c", "XDG_DATA_HOME=", "REJOIN_HOME="));
    assert_string_equal(dirs.config, "/home/u/.config/rejoin");
    assert_string_equal(dirs.data, "/home/u/.local/share/rejoin");
}

TEST(a_system_service_has_its_own_directories)
{
    assert_ok(FIND("STATE_DIRECTORY=/var/lib/rejoin:/var/lib/other", "HOME=/root",
                   "CONFIGURATION_DIRECTORY=/etc/rejoin",
                   "RUNTIME_DIRECTORY=/run/rejoin"));
    assert_string_equal(dirs.config, "/etc/rejoin");
    assert_string_equal(dirs.data, "/var/lib/rejoin");
    assert_string_equal(dirs.socket, "/run/rejoin/control");
}

TEST(file_and_socket_can_be_named)
{
    assert_ok(FIND("HOME=/home/u", "REJOIN_CONFIG=/etc/r.conf", "REJOIN_SOCKET=/s/ock"));
    assert_string_equal(dirs.config_file, "/etc/r.conf");
    assert_string_equal(dirs.socket, "/s/ock");
}

TEST(no_place_is_an_error_with_advice)
{
    struct rj_dirs before = dirs;

    assert_err(RJ_EINVAL, FIND("LANG=C"));
    assert_non_null(strstr(why, "REJOIN_HOME"));
    assert_err(RJ_EINVAL, FIND("REJOIN_HOME=here", "HOME=/home/u"));
    assert_memory_equal(&before, &dirs, sizeof(dirs));
}

TEST(a_path_that_is_too_long_is_refused_and_not_cut)
{
    static char home[RJ_FILE_PATH_MAX + 16] = "REJOIN_HOME=/";

    memset(home + 13, 'x', RJ_FILE_PATH_MAX - 4);
    assert_err(RJ_ELIMIT, FIND(home));
    home[13 + RJ_FILE_PATH_MAX - 32] = '\0';
    assert_ok(FIND(home));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_directory_holds_a_whole_node),
        cmocka_unit_test(the_xdg_directories_are_used),
        cmocka_unit_test(a_home_alone_is_enough),
        cmocka_unit_test(relative_and_empty_xdg_directories_are_ignored),
        cmocka_unit_test(a_system_service_has_its_own_directories),
        cmocka_unit_test(file_and_socket_can_be_named),
        cmocka_unit_test(no_place_is_an_error_with_advice),
        cmocka_unit_test(a_path_that_is_too_long_is_refused_and_not_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
