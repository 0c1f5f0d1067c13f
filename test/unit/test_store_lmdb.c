/* SPDX-License-Identifier: Apache-2.0 */
/* The suite of stores, and how a store of this kind opens and uses its files; damage is
 * in test_store_lmdb_damage.c, want of room in test_store_lmdb_room.c, crashes in
 * test_store_lmdb_crash.c. */
#include "base/be.h"
#include "support/lmdb_store.h"
#include "support/store_suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILE_SEARCH_MAX = 64 << 20 };

/* ---- the suite */

static void *setup(void)
{
    struct rj_test_dir *d = malloc(sizeof(*d));

    assert_non_null(d);
    rj_test_dir_init(d);
    return d;
}

static void teardown(void *ctx)
{
    rj_test_dir_done(ctx);
    free(ctx);
}

static struct rj_store *open_store(void *ctx)
{
    const struct rj_test_dir *d = ctx;
    char path[RJ_TEST_PATH_MAX];

    rj_test_dir_path(d, "store", path);
    return lmdb_test_open(path, 0);
}

static struct rj_store *restart(void *ctx, struct rj_store *s)
{
    s->ops->close(s);
    return open_store(ctx);
}

/* Flips a bit in the file where the bytes of value stand; returns how many places. */
static unsigned damage_file(const struct rj_test_dir *d, const char *value)
{
    char path[RJ_TEST_PATH_MAX];
    size_t n = strlen(value);
    unsigned places = 0;
    struct stat st;
    uint8_t *map, *p;
    int fd;

    rj_test_dir_path(d, "store/data.mdb", path);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_in_range(st.st_size, 1, FILE_SEARCH_MAX);
    map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    p = map;
    while ((p = memmem(p, (size_t)(map + st.st_size - p), value, n)) != NULL) {
        p[n / 2] ^= 0x10;
        places++;
    }
    assert_int_equal(munmap(map, (size_t)st.st_size), 0);
    (void)close(fd);
    return places;
}

static struct rj_store *damage(void *ctx, struct rj_store *s, const char *key,
                               const char *value)
{
    (void)key;
    s->ops->close(s);
    assert_true(damage_file(ctx, value) > 0);
    return open_store(ctx);
}

static struct rj_store *make_small(void *ctx, struct rj_store *s)
{
    char path[RJ_TEST_PATH_MAX];

    s->ops->close(s);
    rj_test_dir_path(ctx, "store", path);
    return lmdb_test_open(path, 2 << 20);
}

static const struct rj_store_maker maker = {
    .name = "lmdb",
    .setup = setup,
    .teardown = teardown,
    .open = open_store,
    .restart = restart,
    .damage = damage,
    .make_small = make_small,
};

/* ---- what only this store does */

TEST(odd_limits_on_the_size_are_taken)
{
    static const uint64_t sizes[] = {1, (1 << 20) + 1, (uint64_t)1 << 45, UINT64_MAX};
    struct lmdb_test *f = *cmocka_state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct rj_store *s = lmdb_test_open(f->path, sizes[i]);
        uint64_t room;

        assert_ok(lmdb_test_put(s, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("b")));
        assert_ok(s->ops->room(s, &room));
        assert_true(room > 0);
        s->ops->close(s);
    }
}

TEST(a_directory_is_made_for_its_owner_alone)
{
    struct lmdb_test *f = *cmocka_state;
    struct stat st;

    assert_ok(lmdb_test_try(f));
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_ok(lmdb_test_try(f));
    rj_test_dir_path(&f->dir, "no/such", f->path);
    assert_err(RJ_ENOENT, lmdb_test_try(f));
}

TEST(a_second_open_is_refused)
{
    struct lmdb_test *f = *cmocka_state;
    struct rj_store *s = lmdb_test_open(f->path, 0);
    pid_t child;
    int status;

    assert_err(RJ_EBUSY, lmdb_test_try(f));
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(lmdb_test_try(f) == RJ_EBUSY ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ok(lmdb_test_put(s, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("b"))); /* did no harm */
    s->ops->close(s);
    assert_ok(lmdb_test_try(f));
}

TEST(many_views_may_be_open_and_then_no_more)
{
    enum { MANY = 1100 };
    struct lmdb_test *f = *cmocka_state;
    struct rj_store *s = lmdb_test_open(f->path, 0);
    struct rj_view *views[MANY];
    size_t n = 0;
    enum rj_err err = RJ_OK;

    while (n < MANY && (err = s->ops->view_open(s, &views[n])) == RJ_OK)
        n++;
    assert_err(RJ_EBUSY, err);
    assert_true(n >= 1000);
    s->ops->view_close(views[--n]);
    assert_ok(s->ops->view_open(s, &views[n++]));
    while (n > 0)
        s->ops->view_close(views[--n]);
    s->ops->close(s);
}

TEST(no_file_of_the_store_is_left_to_child_processes)
{
    enum { FDS = 64 };
    struct lmdb_test *f = *cmocka_state;
    struct rj_store *s = lmdb_test_open(f->path, 0);
    char link[64], target[RJ_TEST_PATH_MAX];
    unsigned mine = 0;

    for (int fd = 3; fd < FDS; fd++) {
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, target, sizeof(target) - 1);
        if (n <= 0 || strncmp(target, f->path, strlen(f->path)) != 0)
            continue;
        mine++;
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    }
    assert_true(mine >= 4);
    s->ops->close(s);
}

TEST(pages_are_used_again)
{
    struct lmdb_test *f = *cmocka_state;
    struct rj_store *s = lmdb_test_open(f->path, 0);
    char file[RJ_TEST_PATH_MAX];
    struct rj_writes w = {0};
    static uint8_t value[512];
    uint8_t key[4];
    struct stat st;

    for (uint32_t round = 0; round < 60; round++) {
        rj_writes_delete_range(&w, RJ_BYTES_LIT("\0"), RJ_BYTES_LIT("\xff"));
        for (uint32_t i = 0; i < 500; i++) {
            rj_be_store32(key, i);
            rj_writes_put(&w, RJ_BYTES_OF(key), RJ_BYTES_OF(value));
        }
        assert_ok(s->ops->write(s, &w, round % 2 == 0));
        rj_writes_clear(&w);
    }
    rj_writes_done(&w);
    s->ops->close(s);
    rj_test_dir_path(&f->dir, "store/data.mdb", file);
    assert_int_equal(stat(file, &st), 0);
    assert_in_range(st.st_size, 500 * 512, 8 * 500 * 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LMDB(odd_limits_on_the_size_are_taken),
        WITH_LMDB(a_directory_is_made_for_its_owner_alone),
        WITH_LMDB(a_second_open_is_refused),
        WITH_LMDB(many_views_may_be_open_and_then_no_more),
        WITH_LMDB(no_file_of_the_store_is_left_to_child_processes),
        WITH_LMDB(pages_are_used_again),
    };

    return rj_store_suite_run(&maker) + cmocka_run_group_tests(tests, NULL, NULL);
}
