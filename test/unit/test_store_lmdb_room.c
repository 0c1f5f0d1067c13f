/* SPDX-License-Identifier: Apache-2.0 */
/* A store, a disk or an address space without room. */
#include "base/be.h"
#include "support/lmdb_store.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { PAGE = 4096 };

/* Puts values of 8 KiB under new keys until the store refuses; returns how many went in.
 */
static uint32_t fill(struct rj_store *s, uint32_t from, enum rj_err *ret_err)
{
    enum { TRIES = 100000 };
    static uint8_t value[8192];
    uint8_t key[4];
    uint32_t n = from;

    do {
        rj_be_store32(key, n);
        memset(value, (int)n, sizeof(value));
        *ret_err = lmdb_test_put(s, RJ_BYTES_OF(key), RJ_BYTES_OF(value));
    } while (*ret_err == RJ_OK && ++n < TRIES);
    return n - from;
}

TEST(many_small_records_fill_a_store_that_can_still_delete)
{
    enum { KEYS = 100000, BATCH = 500 };
    struct lmdb_test *f = *cmocka_state;
    struct rj_store *s = lmdb_test_open(f->path, 4 << 20);
    struct rj_writes w = {0};
    enum rj_err err = RJ_OK;
    uint8_t key[4];
    uint32_t n = 0;

    while (err == RJ_OK && n < KEYS) {
        for (int i = 0; i < BATCH; i++, n++) {
            rj_be_store32(key, n * 2654435761U); /* all over the table */
            rj_writes_put(&w, RJ_BYTES_OF(key), (struct rj_bytes){0});
        }
        err = s->ops->write(s, &w, true);
        rj_writes_clear(&w);
    }
    assert_err(RJ_EFULL, err);
    assert_true(n > 10 * BATCH);
    rj_be_store32(key, 0);
    assert_ok(lmdb_test_get(s, RJ_BYTES_OF(key)));
    for (uint32_t i = 0; i < n; i += 100) {
        for (uint32_t j = i; j < i + 100; j++) {
            rj_be_store32(key, j * 2654435761U);
            rj_writes_delete(&w, RJ_BYTES_OF(key));
        }
        rj_writes_put(&w, RJ_BYTES_LIT("position"), RJ_BYTES_OF(key));
        assert_ok(s->ops->write(s, &w, true));
        rj_writes_clear(&w);
    }
    rj_writes_done(&w);
    s->ops->close(s);
}

/* A disk of its own for the directory of the test; an open file on it, still empty, that
 * can take room away. */
static int small_disk(struct lmdb_test *f, const char *size)
{
    char ballast[RJ_TEST_PATH_MAX];
    int fd;

    if (mount("none", f->dir.path, "tmpfs", 0, size) != 0)
        skip(); /* only root can do this */
    rj_test_dir_path(&f->dir, "ballast", ballast);
    fd = open(ballast, O_CREAT | O_RDWR, 0600);
    assert_true(fd >= 0);
    return fd;
}

TEST(a_full_disk_changes_nothing_until_there_is_room)
{
    struct lmdb_test *f = *cmocka_state;
    int fd = small_disk(f, "size=8m");
    struct rj_store *s;
    uint32_t n, more;
    enum rj_err err;
    uint8_t key[4];

    assert_int_equal(posix_fallocate(fd, 0, 4 << 20), 0);
    s = lmdb_test_open(f->path, 1 << 30);
    n = fill(s, 0, &err);
    assert_err(RJ_EFULL, err);
    assert_true(n > 100);
    assert_int_equal(fill(s, n, &err), 0);
    assert_err(RJ_EFULL, err);
    assert_int_equal(ftruncate(fd, 0), 0);
    more = fill(s, n, &err);
    assert_true(more > 100);
    assert_err(RJ_EFULL, err);
    for (uint32_t i = 0; i < n + more; i++) {
        rj_be_store32(key, i);
        assert_ok(lmdb_test_get(s, RJ_BYTES_OF(key)));
    }
    s->ops->close(s);
    (void)close(fd);
    assert_int_equal(umount(f->dir.path), 0);
}

/* The disk fills up between the check and the write: LMDB's own write is cut short. */
TEST(a_disk_that_fills_up_during_a_write_changes_nothing)
{
    struct lmdb_test *f = *cmocka_state;
    static uint8_t value[PAGE];
    struct rj_writes w = {0};
    int fd = small_disk(f, "size=16m");
    struct rj_store *s;
    off_t taken;

    s = lmdb_test_open(f->path, 1 << 30);
    assert_ok(lmdb_test_put(s, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("before")));
    for (taken = 0; write(fd, value, PAGE) == PAGE;)
        taken += PAGE;
    assert_int_equal(ftruncate(fd, taken - 2 * PAGE), 0);
    /* A batch that deletes is let through; its pages do not fit. */
    rj_writes_delete(&w, RJ_BYTES_LIT("a"));
    for (uint32_t i = 0; i < 40; i++) {
        uint8_t key[4];

        rj_be_store32(key, i);
        rj_writes_put(&w, RJ_BYTES_OF(key), rj_bytes_of(value, 1000));
    }
    assert_err(RJ_EFULL, s->ops->write(s, &w, true));
    assert_ok(lmdb_test_get(s, RJ_BYTES_LIT("a")));
    assert_err(RJ_EFULL, s->ops->write(s, &w, false));
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_ok(s->ops->write(s, &w, true));
    assert_err(RJ_ENOENT, lmdb_test_get(s, RJ_BYTES_LIT("a")));
    rj_writes_done(&w);
    s->ops->close(s);
    (void)close(fd);
    assert_int_equal(umount(f->dir.path), 0);
}

TEST(a_limit_on_addresses_makes_the_map_smaller)
{
#ifdef SANITIZED
    skip(); /* a sanitizer needs all addresses for itself */
#else
    struct lmdb_test *f = *cmocka_state;
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {.rlim_cur = 400 << 20, .rlim_max = 400 << 20};
        struct rj_store *s;
        uint64_t room = 0;

        if (setrlimit(RLIMIT_AS, &limit) != 0 ||
            rj_store_lmdb_open(f->path, 0, NULL, 0, &s) != RJ_OK ||
            lmdb_test_put(s, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("b")) != RJ_OK ||
            s->ops->room(s, &room) != RJ_OK)
            _exit(1);
        s->ops->close(s);
        _exit(room > 0 && room < 400 << 20 ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ok(lmdb_test_try(f)); /* and without the limit again */
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LMDB(many_small_records_fill_a_store_that_can_still_delete),
        WITH_LMDB(a_full_disk_changes_nothing_until_there_is_room),
        WITH_LMDB(a_disk_that_fills_up_during_a_write_changes_nothing),
        WITH_LMDB(a_limit_on_addresses_makes_the_map_smaller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
