/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "posix/file.h"
#include "support/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static char why[256];

/* The path of name in this test's own directory; good for one expression. */
static const char *in(const char *name)
{
    static char path[4][256];
    static unsigned next;
    char *p = path[next++ % 4];

    (void)snprintf(p, 256, "%s/%s", dir, name);
    return p;
}

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/rejoin-file-XXXXXX");
    why[0] = '\0';
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf -- %s", dir);
    return system(command);
}

static unsigned entries(void)
{
    DIR *d = opendir(dir);
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n - 2; /* . and .. */
}

static enum rj_err put(const char *name, const char *text)
{
    return rj_file_replace(in(name), rj_bytes_from_str(text), NULL, why, sizeof(why));
}

static void assert_holds(const char *name, const char *text)
{
    struct rj_buf b = {0};

    assert_ok(rj_file_read(in(name), 1 << 20, why, sizeof(why), &b));
    assert_bytes_equal(rj_buf_view(&b), rj_bytes_from_str(text));
    rj_buf_done(&b);
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

TEST(what_is_put_is_read)
{
    assert_ok(put("a", "first"));
    assert_holds("a", "first");
    assert_ok(put("a", "second and longer"));
    assert_holds("a", "second and longer");
    assert_ok(put("a", ""));
    assert_holds("a", "");
    assert_int_equal(entries(), 1);
}

TEST(the_mode_is_exact_whatever_the_umask)
{
    const struct rj_file_options open_to_all = {.mode = 0644};
    mode_t old = umask(077);

    assert_ok(put("a", "x"));
    assert_int_equal(mode_of(in("a")), 0600);
    assert_ok(rj_file_replace(in("b"), RJ_BYTES_LIT("x"), &open_to_all, NULL, 0));
    assert_int_equal(mode_of(in("b")), 0644);
    (void)umask(old);
}

TEST(an_exclusive_file_is_never_replaced)
{
    const struct rj_file_options exclusive = {.exclusive = true};

    assert_ok(rj_file_replace(in("a"), RJ_BYTES_LIT("1"), &exclusive, NULL, 0));
    assert_err(RJ_EEXIST,
               rj_file_replace(in("a"), RJ_BYTES_LIT("2"), &exclusive, why, sizeof(why)));
    assert_non_null(strstr(why, "exists"));
    assert_holds("a", "1");
    assert_int_equal(entries(), 1);
}

TEST(a_failure_leaves_nothing_behind)
{
    char path[RJ_FILE_PATH_MAX + 8];

    assert_err(RJ_ENOENT, put("no/such/dir", "x"));
    assert_string_not_equal(why, "");
    assert_int_equal(mkdir(in("d"), 0700), 0);
    assert_err(RJ_EIO, put("d", "x")); /* a directory cannot be replaced by a file */
    assert_int_equal(entries(), 1);
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    assert_err(RJ_ELIMIT,
               rj_file_replace(path, RJ_BYTES_LIT("x"), NULL, why, sizeof(why)));
}

TEST(a_full_disk_is_told_from_a_broken_one)
{
    assert_err(RJ_EFULL, rj_file_err(ENOSPC));
    assert_err(RJ_EFULL, rj_file_err(EDQUOT));
    assert_err(RJ_EIO, rj_file_err(EIO));
    assert_err(RJ_EDENIED, rj_file_err(EROFS));
}

TEST(a_file_beyond_the_limit_is_not_read)
{
    struct rj_buf b = {0};

    assert_ok(put("a", "0123456789"));
    rj_buf_append_str(&b, "kept");
    assert_err(RJ_ELIMIT, rj_file_read(in("a"), 9, why, sizeof(why), &b));
    assert_bytes_equal(rj_buf_view(&b), RJ_BYTES_LIT("kept"));
    assert_ok(rj_file_read(in("a"), 10, why, sizeof(why), &b));
    assert_bytes_equal(rj_buf_view(&b), RJ_BYTES_LIT("kept0123456789"));
    assert_err(RJ_ELIMIT, rj_file_read(in("a"), 0, NULL, 0, &b));
    rj_buf_done(&b);
}

TEST(a_large_file_is_read_whole)
{
    struct rj_buf in_buf = {0}, out = {0};

    for (uint32_t i = 0; i < 100000; i++)
        rj_buf_u32be(&in_buf, i * 2654435761u);
    assert_ok(rj_file_replace(in("a"), rj_buf_view(&in_buf), NULL, NULL, 0));
    assert_ok(rj_file_read(in("a"), in_buf.len, why, sizeof(why), &out));
    assert_bytes_equal(rj_buf_view(&in_buf), rj_buf_view(&out));
    rj_buf_done(&in_buf);
    rj_buf_done(&out);
}

TEST(only_regular_files_are_read)
{
    struct rj_buf b = {0};

    assert_err(RJ_EDENIED, rj_file_read(dir, 100, why, sizeof(why), &b));
    assert_int_equal(mkfifo(in("fifo"), 0600), 0);
    assert_err(RJ_EDENIED, rj_file_read(in("fifo"), 100, why, sizeof(why), &b));
    assert_err(RJ_ENOENT, rj_file_read(in("none"), 100, why, sizeof(why), &b));
    rj_buf_done(&b);
}

TEST(a_secret_is_not_read_when_others_may)
{
    struct rj_buf b = {0};
    static const mode_t bad[] = {0640, 0604, 0620, 0601};

    assert_ok(put("key", "secret"));
    assert_ok(rj_file_read_private(in("key"), 100, why, sizeof(why), &b));
    assert_int_equal(symlink(in("key"), in("link")), 0);
    assert_err(RJ_EDENIED, rj_file_read_private(in("link"), 100, why, sizeof(why), &b));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(chmod(in("key"), bad[i]), 0);
        assert_err(RJ_EDENIED,
                   rj_file_read_private(in("key"), 100, why, sizeof(why), &b));
        assert_non_null(strstr(why, "chmod 600"));
    }
    assert_bytes_equal(rj_buf_view(&b), RJ_BYTES_LIT("secret"));
    rj_buf_done(&b);
}

TEST(directories_are_made_down_to_the_last)
{
    mode_t old = umask(022);

    assert_ok(rj_file_mkdirs(in("a/b//c/"), 0700, why, sizeof(why)));
    assert_int_equal(mode_of(in("a")), 0700);
    assert_int_equal(mode_of(in("a/b/c")), 0700);
    assert_ok(rj_file_mkdirs(in("a/b/c"), 0755, why, sizeof(why)));
    assert_int_equal(mode_of(in("a/b/c")), 0700); /* as it was */
    assert_ok(put("file", "x"));
    assert_err(RJ_EEXIST, rj_file_mkdirs(in("file/x"), 0700, why, sizeof(why)));
    assert_err(RJ_EINVAL, rj_file_mkdirs("", 0700, why, sizeof(why)));
    assert_ok(rj_file_mkdirs("/", 0700, why, sizeof(why)));
    (void)umask(old);
}

TEST(a_private_directory_is_this_users_alone)
{
    assert_ok(rj_file_mkdirs(in("d"), 0700, why, sizeof(why)));
    assert_ok(rj_file_private(in("d"), why, sizeof(why)));
    assert_int_equal(chmod(in("d"), 0710), 0);
    assert_err(RJ_EDENIED, rj_file_private(in("d"), why, sizeof(why)));
    assert_err(RJ_ENOENT, rj_file_private(in("none"), why, sizeof(why)));
    assert_ok(put("file", "x"));
    assert_err(RJ_EDENIED, rj_file_private(in("file"), why, sizeof(why)));
}

static enum rj_err read_it(void *ctx)
{
    struct rj_buf b = {0};
    enum rj_err err = rj_file_read(ctx, 1000, NULL, 0, &b);

    rj_buf_done(&b);
    return err;
}

TEST(out_of_memory_is_reported)
{
    char path[256];

    assert_ok(put("a", "x"));
    (void)snprintf(path, sizeof(path), "%s", in("a"));
    rj_test_with_failing_alloc(read_it, path);
}

/* In a child, for it closes what this program prints to. */
TEST(no_file_gets_the_number_of_a_closed_standard_stream)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        for (int fd = 0; fd <= 2; fd += 2)
            (void)close(fd);
        rj_file_guard_std();
        _exit(open("/", O_RDONLY) > 2 && fcntl(0, F_GETFD) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(what_is_put_is_read),
        IN_DIR(the_mode_is_exact_whatever_the_umask),
        IN_DIR(an_exclusive_file_is_never_replaced),
        IN_DIR(a_failure_leaves_nothing_behind),
        IN_DIR(a_full_disk_is_told_from_a_broken_one),
        IN_DIR(a_file_beyond_the_limit_is_not_read),
        IN_DIR(a_large_file_is_read_whole),
        IN_DIR(only_regular_files_are_read),
        IN_DIR(a_secret_is_not_read_when_others_may),
        IN_DIR(directories_are_made_down_to_the_last),
        IN_DIR(a_private_directory_is_this_users_alone),
        cmocka_unit_test(no_file_gets_the_number_of_a_closed_standard_stream),
        IN_DIR(out_of_memory_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
