/* SPDX-License-Identifier: Apache-2.0 */
#include "base/be.h"
#include "base/prng.h"
#include "store/lmdb_dir.h"
#include "store/stored.h"
#include "support/store_suite.h"
#include "support/temp_dir.h"
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { FILE_SEARCH_MAX = 64 << 20, WHY = 200 };

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

static struct rj_store *open_at(const char *path, uint64_t size_max)
{
    struct rj_store *s = NULL;
    char why[WHY];

    if (rj_store_lmdb_open(path, size_max, why, sizeof(why), &s) != RJ_OK)
        fail_msg("open: %s", why);
    return s;
}

static struct rj_store *open_store(void *ctx)
{
    const struct rj_test_dir *d = ctx;
    char path[RJ_TEST_PATH_MAX];

    rj_test_dir_path(d, "store", path);
    return open_at(path, 0);
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
    return open_at(path, 2 << 20);
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

struct fixture {
    struct rj_test_dir dir;
    char path[RJ_TEST_PATH_MAX];
    char why[WHY];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    rj_test_dir_init(&f->dir);
    rj_test_dir_path(&f->dir, "store", f->path);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    (void)umount2(f->dir.path, MNT_DETACH); /* of a test that failed half way */
    rj_test_dir_done(&f->dir);
    free(f);
    return 0;
}

static enum rj_err try_open(struct fixture *f)
{
    struct rj_store *s = NULL;
    enum rj_err err = rj_store_lmdb_open(f->path, 0, f->why, sizeof(f->why), &s);

    if (err == RJ_OK)
        s->ops->close(s);
    else
        assert_true(f->why[0] != '\0');
    return err;
}

static enum rj_err put_one(struct rj_store *s, struct rj_bytes key, struct rj_bytes value)
{
    struct rj_writes w = {0};
    enum rj_err err;

    rj_writes_put(&w, key, value);
    err = s->ops->write(s, &w, true);
    rj_writes_done(&w);
    return err;
}

static enum rj_err get_one(struct rj_store *s, struct rj_bytes key)
{
    struct rj_bytes got_key, value;
    struct rj_view *v;
    enum rj_err err = s->ops->view_open(s, &v);

    if (err == RJ_OK)
        err = s->ops->seek(v, RJ_SEEK_EQ, key, &got_key, &value);
    s->ops->view_close(v);
    return err;
}

/* The table of a closed store, behind its back. */
static MDB_txn *raw_begin(const struct fixture *f, MDB_env **ret_env, MDB_dbi *ret_dbi)
{
    MDB_txn *txn;

    assert_int_equal(mdb_env_create(ret_env), 0);
    assert_int_equal(mdb_env_set_mapsize(*ret_env, 64 << 20), 0);
    assert_int_equal(mdb_env_open(*ret_env, f->path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(*ret_env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, ret_dbi), 0);
    return txn;
}

static void raw_end(MDB_env *env, MDB_txn *txn)
{
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void raw_put(MDB_txn *txn, MDB_dbi dbi, struct rj_bytes key, struct rj_bytes value)
{
    MDB_val k = {.mv_size = key.len, .mv_data = (void *)(uintptr_t)key.ptr};
    MDB_val v = {.mv_size = value.len, .mv_data = (void *)(uintptr_t)value.ptr};

    assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
}

TEST(odd_limits_on_the_size_are_taken)
{
    static const uint64_t sizes[] = {1, (1 << 20) + 1, (uint64_t)1 << 45, UINT64_MAX};
    struct fixture *f = *cmocka_state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct rj_store *s = open_at(f->path, sizes[i]);
        uint64_t room;

        assert_ok(put_one(s, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("b")));
        assert_ok(s->ops->room(s, &room));
        assert_true(room > 0);
        s->ops->close(s);
    }
}

TEST(a_directory_is_made_for_its_owner_alone)
{
    struct fixture *f = *cmocka_state;
    struct stat st;

    assert_ok(try_open(f));
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_ok(try_open(f));
    rj_test_dir_path(&f->dir, "no/such", f->path);
    assert_err(RJ_ENOENT, try_open(f));
}

TEST(a_second_open_is_refused)
{
    struct fixture *f = *cmocka_state;
    struct rj_store *s = open_at(f->path, 0);
    pid_t child;
    int status;

    assert_err(RJ_EBUSY, try_open(f));
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(try_open(f) == RJ_EBUSY ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ok(put_one(s, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("b"))); /* did no harm */
    s->ops->close(s);
    assert_ok(try_open(f));
}

TEST(a_newer_format_is_refused)
{
    struct fixture *f = *cmocka_state;
    uint8_t newer[RJ_STORED_FORMAT_SIZE];
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;

    assert_ok(try_open(f));
    txn = raw_begin(f, &env, &dbi);
    rj_stored_format_write(RJ_STORED_FORMAT + 1, newer);
    raw_put(txn, dbi, rj_stored_format_key(), RJ_BYTES_OF(newer));
    raw_end(env, txn);
    assert_err(RJ_EVERSION, try_open(f));
    assert_non_null(strstr(f->why, "format 2"));
}

TEST(a_damaged_format_record_is_refused)
{
    struct fixture *f = *cmocka_state;
    uint8_t bad[RJ_STORED_FORMAT_SIZE];
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;

    assert_ok(try_open(f));
    rj_stored_format_write(RJ_STORED_FORMAT, bad);
    bad[RJ_STORED_FORMAT_SIZE - 1] ^= 2;
    txn = raw_begin(f, &env, &dbi);
    raw_put(txn, dbi, rj_stored_format_key(), RJ_BYTES_OF(bad));
    raw_end(env, txn);
    assert_err(RJ_ECORRUPT, try_open(f));
}

TEST(somebody_elses_database_is_refused)
{
    struct fixture *f = *cmocka_state;
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;

    assert_int_equal(mkdir(f->path, 0700), 0);
    txn = raw_begin(f, &env, &dbi);
    raw_put(txn, dbi, RJ_BYTES_LIT("hello"), RJ_BYTES_LIT("world"));
    raw_end(env, txn);
    assert_err(RJ_ECORRUPT, try_open(f));
}

static void write_file(const struct fixture *f, const char *name, size_t len)
{
    char path[RJ_TEST_PATH_MAX];
    FILE *file;

    rj_test_dir_path(&f->dir, name, path);
    file = fopen(path, "wb");
    assert_non_null(file);
    for (size_t i = 0; i < len; i++)
        assert_int_not_equal(fputc((int)(i % 251), file), EOF);
    assert_int_equal(fclose(file), 0);
}

TEST(a_file_that_is_no_database_is_refused)
{
    struct fixture *f = *cmocka_state;

    assert_int_equal(mkdir(f->path, 0700), 0);
    write_file(f, "store/data.mdb", 9000);
    assert_err(RJ_ECORRUPT, try_open(f));
    write_file(f, "store/data.mdb", 100);
    assert_err(RJ_ECORRUPT, try_open(f));
    write_file(f, "store/data.mdb", 0);
    assert_err(RJ_ECORRUPT, try_open(f));
}

TEST(an_unfinished_new_store_is_made_again)
{
    struct fixture *f = *cmocka_state;

    assert_int_equal(mkdir(f->path, 0700), 0);
    write_file(f, "store/data.new", 5000);
    assert_ok(try_open(f));
}

TEST(values_under_each_others_keys_are_refused)
{
    struct fixture *f = *cmocka_state;
    struct rj_store *s = open_at(f->path, 0);
    uint8_t ka[] = {0, 'a'}, kb[] = {0, 'b'}, va[64], vb[64];
    MDB_val k, a, b;
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;

    assert_ok(put_one(s, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("one")));
    assert_ok(put_one(s, RJ_BYTES_LIT("b"), RJ_BYTES_LIT("two")));
    s->ops->close(s);
    txn = raw_begin(f, &env, &dbi);
    k = (MDB_val){.mv_size = 2, .mv_data = ka};
    assert_int_equal(mdb_get(txn, dbi, &k, &a), 0);
    k = (MDB_val){.mv_size = 2, .mv_data = kb};
    assert_int_equal(mdb_get(txn, dbi, &k, &b), 0);
    assert_int_equal(a.mv_size, b.mv_size);
    memcpy(va, a.mv_data, a.mv_size);
    memcpy(vb, b.mv_data, b.mv_size);
    raw_put(txn, dbi, RJ_BYTES_OF(ka), rj_bytes_of(vb, b.mv_size));
    raw_put(txn, dbi, RJ_BYTES_OF(kb), rj_bytes_of(va, a.mv_size));
    raw_end(env, txn);
    s = open_at(f->path, 0);
    assert_err(RJ_ECORRUPT, get_one(s, RJ_BYTES_LIT("a")));
    assert_err(RJ_ECORRUPT, get_one(s, RJ_BYTES_LIT("b")));
    s->ops->close(s);
}

/* A store with two keys that share a first step; what `damage` did to the record that
 * leads to them must be refused by seeks, puts and deletes, each in its way. */
static void check_damaged_group(struct fixture *f, struct rj_bytes body)
{
    struct rj_store *s = open_at(f->path, 0);
    uint8_t a[700], b[700], stored[64], lmdb_key[RJ_STORED_KEY_MAX];
    struct rj_writes w = {0};
    size_t len;
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;

    memset(a, 'g', sizeof(a));
    memset(b, 'g', sizeof(b));
    b[600] = 'h';
    assert_ok(put_one(s, RJ_BYTES_OF(a), RJ_BYTES_LIT("1")));
    assert_ok(put_one(s, RJ_BYTES_OF(b), RJ_BYTES_LIT("2")));
    assert_ok(get_one(s, RJ_BYTES_OF(a)));
    s->ops->close(s);
    len = rj_stored_key(0, RJ_BYTES_OF(a), lmdb_key);
    memcpy(stored + RJ_STORED_HEAD, body.ptr, body.len);
    rj_be_store64(stored, rj_stored_checksum(rj_bytes_of(lmdb_key, len), body));
    txn = raw_begin(f, &env, &dbi);
    raw_put(txn, dbi, rj_bytes_of(lmdb_key, len),
            rj_bytes_of(stored, RJ_STORED_HEAD + body.len));
    raw_end(env, txn);
    s = open_at(f->path, 0);
    assert_err(RJ_ECORRUPT, get_one(s, RJ_BYTES_OF(a)));
    assert_err(RJ_ECORRUPT, put_one(s, RJ_BYTES_OF(a), RJ_BYTES_LIT("3")));
    rj_writes_delete_range(&w, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("z"));
    assert_err(RJ_ECORRUPT, s->ops->write(s, &w, true));
    assert_true(s->why[0] != '\0');
    assert_ok(put_one(s, RJ_BYTES_LIT("else"), RJ_BYTES_LIT("works")));
    rj_writes_done(&w);
    s->ops->close(s);
}

TEST(a_group_record_of_unknown_kind_is_refused)
{
    static const uint8_t kind[] = {9, 0, 0, 0, 0, 0, 0, 0, 1};

    check_damaged_group(*cmocka_state, RJ_BYTES_OF(kind));
}

TEST(a_group_record_cut_short_is_refused)
{
    static const uint8_t brief[] = {RJ_STORED_GROUP, 0, 0, 1};

    check_damaged_group(*cmocka_state, RJ_BYTES_OF(brief));
}

TEST(groups_in_a_circle_are_refused)
{
    struct fixture *f = *cmocka_state;
    struct rj_store *s = open_at(f->path, 0);
    uint8_t steps[4 * RJ_STORED_PART_MAX], stored[64], lmdb_key[RJ_STORED_KEY_MAX];
    struct rj_stored r = {.kind = RJ_STORED_GROUP};
    struct rj_bytes key, value;
    struct rj_view *v;
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;
    size_t len;

    s->ops->close(s);
    memset(steps, 'g', sizeof(steps));
    r.part = rj_bytes_of(steps, RJ_STORED_PART_MAX);
    txn = raw_begin(f, &env, &dbi);
    for (uint64_t group = 0; group < 3; group++) {
        r.group = group;
        r.child = group < 2 ? group + 1 : 1; /* 0 -> 1 -> 2 -> 1 */
        len = rj_stored_key(group, RJ_BYTES_OF(steps), lmdb_key);
        rj_stored_write(&r, rj_bytes_of(lmdb_key, len), stored);
        raw_put(txn, dbi, rj_bytes_of(lmdb_key, len),
                rj_bytes_of(stored, rj_stored_size(&r)));
    }
    raw_end(env, txn);
    s = open_at(f->path, 0);
    assert_ok(s->ops->view_open(s, &v));
    assert_err(RJ_ECORRUPT, s->ops->seek(v, RJ_SEEK_GE, RJ_BYTES_LIT("a"), &key, &value));
    assert_err(RJ_ECORRUPT, s->ops->seek(v, RJ_SEEK_LT, RJ_BYTES_LIT(""), &key, &value));
    s->ops->view_close(v);
    s->ops->close(s);
}

TEST(a_file_cut_short_gives_no_wrong_answer)
{
    struct fixture *f = *cmocka_state;
    struct rj_store *s = open_at(f->path, 0);
    char file[RJ_TEST_PATH_MAX];
    static uint8_t value[100 * 1000];
    struct stat st;

    memset(value, 'v', sizeof(value));
    assert_ok(put_one(s, RJ_BYTES_LIT("a"), RJ_BYTES_OF(value)));
    s->ops->close(s);
    rj_test_dir_path(&f->dir, "store/data.mdb", file);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(truncate(file, st.st_size - 50 * 1000), 0);
    if (rj_store_lmdb_open(f->path, 0, f->why, sizeof(f->why), &s) != RJ_OK)
        return; /* seen at the open */
    assert_err(RJ_ECORRUPT, get_one(s, RJ_BYTES_LIT("a")));
    s->ops->close(s);
}

/* ---- damage all over the file */

enum { DAMAGE_RECORDS = 3000, DAMAGE_TIMES = 40, PAGE = 4096, META_PAGES = 2 };

/* What a process that reads the damaged store says; anything else: it died. */
enum { READ_ALL = 40, READ_REFUSED, READ_MISSING, READ_WRONG };

static struct rj_bytes damage_key(uint32_t n, uint8_t room[700])
{
    memset(room, 'k', 700);
    rj_be_store32(room + 20, n * 2654435761U);
    if (n % 50 != 0)
        return rj_bytes_of(room + 20, 40);
    rj_be_store32(room + 690, n); /* long, with a common beginning */
    memset(room, 'k', 100);
    return rj_bytes_of(room, 700);
}

static struct rj_bytes damage_value(uint32_t n, uint8_t room[9000])
{
    size_t len = n % 97 == 0 ? 9000 : n % 80;

    memset(room, (int)n, len);
    return rj_bytes_of(room, len);
}

static int read_damaged(struct rj_store *s)
{
    static uint8_t key_room[700], value_room[9000];
    struct rj_bytes key = {0}, value;
    struct rj_view *v;
    uint32_t seen = 0;
    enum rj_err err;

    if (s->ops->view_open(s, &v) != RJ_OK)
        return READ_REFUSED;
    for (uint32_t n = 0; n < DAMAGE_RECORDS; n++) {
        err = s->ops->seek(v, RJ_SEEK_EQ, damage_key(n, key_room), &key, &value);
        if (err != RJ_OK)
            return err == RJ_ENOENT ? READ_MISSING : READ_REFUSED;
        if (!rj_bytes_equal(value, damage_value(n, value_room)))
            return READ_WRONG;
    }
    key = (struct rj_bytes){0};
    while ((err = s->ops->seek(v, RJ_SEEK_GT, key, &key, &value)) == RJ_OK)
        seen++;
    if (err != RJ_ENOENT)
        return READ_REFUSED;
    return seen == DAMAGE_RECORDS ? READ_ALL : READ_MISSING;
}

static int read_in_child(struct fixture *f)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        struct rj_store *s;
        int quiet = open("/dev/null", O_WRONLY);
        static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE};

        (void)dup2(quiet, STDERR_FILENO);
        for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
            (void)signal(deadly[i], SIG_DFL); /* of cmocka and sanitizers */
        (void)alarm(60);
        if (rj_store_lmdb_open(f->path, 0, NULL, 0, &s) != RJ_OK)
            _exit(READ_REFUSED);
        _exit(read_damaged(s));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

/* Damages a copy of the file again and again and counts what a reader says. */
static void damage_often(struct fixture *f, unsigned said[READ_WRONG + 1],
                         bool (*hurt)(uint8_t *file, size_t pages, struct rj_prng *p))
{
    static uint8_t key_room[700], value_room[9000];
    struct rj_store *s = open_at(f->path, 0);
    struct rj_writes w = {0};
    char path[RJ_TEST_PATH_MAX];
    uint8_t *good, *bad;
    struct rj_prng p;
    struct stat st;
    size_t size;
    int fd;

    for (uint32_t n = 0; n < DAMAGE_RECORDS; n++)
        rj_writes_put(&w, damage_key(n, key_room), damage_value(n, value_room));
    assert_ok(s->ops->write(s, &w, true));
    rj_writes_done(&w);
    s->ops->close(s);
    assert_int_equal(read_in_child(f), READ_ALL);
    rj_test_dir_path(&f->dir, "store/data.mdb", path);
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    size = (size_t)st.st_size;
    good = malloc(size);
    bad = malloc(size);
    assert_true(good != NULL && bad != NULL);
    assert_int_equal(pread(fd, good, size, 0), size);
    rj_prng_init(&p, 21);
    for (int i = 0; i < DAMAGE_TIMES; i++) {
        int answer;

        memcpy(bad, good, size);
        if (!hurt(bad, size / PAGE, &p))
            continue;
        assert_int_equal(pwrite(fd, bad, size, 0), size);
        answer = read_in_child(f);
        said[answer >= READ_ALL && answer <= READ_WRONG ? answer : 0]++;
    }
    (void)close(fd);
    free(good);
    free(bad);
    print_message("all there %u, refused %u, missing %u, wrong %u, process ended %u\n",
                  said[READ_ALL], said[READ_REFUSED], said[READ_MISSING],
                  said[READ_WRONG], said[0]);
}

static uint8_t *random_page(uint8_t *file, size_t pages, struct rj_prng *p)
{
    return file + PAGE * (META_PAGES + (size_t)rj_prng_below(p, pages - META_PAGES));
}

static bool is_leaf(const uint8_t *page)
{
    return (page[10] & 0x02) != 0; /* the flags of LMDB's page header */
}

static bool zero_a_page(uint8_t *file, size_t pages, struct rj_prng *p)
{
    memset(random_page(file, pages, p), 0, PAGE);
    return true;
}

/* A write that went to the wrong place. */
static bool misplace_a_leaf(uint8_t *file, size_t pages, struct rj_prng *p)
{
    uint8_t *to = random_page(file, pages, p), *from = random_page(file, pages, p);

    memmove(to, from, PAGE);
    return is_leaf(from) && to != from;
}

/* In keys and values of a leaf page; not in its header and its table of places. */
static bool flip_a_bit_of_a_record(uint8_t *file, size_t pages, struct rj_prng *p)
{
    uint8_t *page = random_page(file, pages, p);
    size_t upper = (size_t)page[14] | (size_t)page[15] << 8;
    size_t at = upper < PAGE ? upper + (size_t)rj_prng_below(p, PAGE - upper) : 0;

    page[at] ^= (uint8_t)(1U << rj_prng_below(p, 8));
    return is_leaf(page) && at > 0;
}

static bool flip_a_bit_of_a_meta_page(uint8_t *file, size_t pages, struct rj_prng *p)
{
    enum { USED = 152 };
    size_t page = (size_t)rj_prng_below(p, META_PAGES);

    assert_true(pages > META_PAGES);
    file[page * PAGE + rj_prng_below(p, USED)] ^= (uint8_t)(1U << rj_prng_below(p, 8));
    return true;
}

static bool flip_a_bit_anywhere(uint8_t *file, size_t pages, struct rj_prng *p)
{
    random_page(file, pages, p)[rj_prng_below(p, PAGE)] ^= 4;
    return true;
}

TEST(a_zeroed_page_hides_nothing)
{
    unsigned said[READ_WRONG + 1] = {0};

    damage_often(*cmocka_state, said, zero_a_page);
    assert_int_equal(said[READ_WRONG], 0);
    assert_int_equal(said[READ_MISSING], 0);
    assert_true(said[READ_REFUSED] > 0);
}

TEST(a_misplaced_leaf_page_hides_nothing)
{
    unsigned said[READ_WRONG + 1] = {0};

    damage_often(*cmocka_state, said, misplace_a_leaf);
    assert_int_equal(said[READ_WRONG], 0);
    assert_int_equal(said[READ_MISSING], 0);
    assert_true(said[READ_REFUSED] > 0);
}

TEST(a_flipped_bit_in_a_record_hides_nothing)
{
    unsigned said[READ_WRONG + 1] = {0};

    damage_often(*cmocka_state, said, flip_a_bit_of_a_record);
    assert_int_equal(said[READ_WRONG], 0);
    assert_int_equal(said[READ_MISSING], 0);
    assert_true(said[READ_REFUSED] > 0);
}

TEST(a_flipped_bit_in_a_meta_page_gives_no_wrong_value)
{
    unsigned said[READ_WRONG + 1] = {0};

    damage_often(*cmocka_state, said, flip_a_bit_of_a_meta_page);
    assert_int_equal(said[READ_WRONG], 0);
    assert_true(said[READ_REFUSED] > 0);
}

TEST(a_flipped_bit_anywhere_gives_no_wrong_value)
{
    unsigned said[READ_WRONG + 1] = {0};

    damage_often(*cmocka_state, said, flip_a_bit_anywhere);
    assert_int_equal(said[READ_WRONG], 0);
    assert_true(said[READ_REFUSED] > 0);
}

/* ---- room */

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
        *ret_err = put_one(s, RJ_BYTES_OF(key), RJ_BYTES_OF(value));
    } while (*ret_err == RJ_OK && ++n < TRIES);
    return n - from;
}

TEST(many_small_records_fill_a_store_that_can_still_delete)
{
    enum { KEYS = 100000, BATCH = 500 };
    struct fixture *f = *cmocka_state;
    struct rj_store *s = open_at(f->path, 4 << 20);
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
    assert_ok(get_one(s, RJ_BYTES_OF(key)));
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

TEST(a_full_disk_changes_nothing_until_there_is_room)
{
    struct fixture *f = *cmocka_state;
    char ballast[RJ_TEST_PATH_MAX];
    struct rj_store *s;
    uint32_t n, more;
    enum rj_err err;
    uint8_t key[4];
    int fd;

    if (mount("none", f->dir.path, "tmpfs", 0, "size=8m") != 0)
        skip(); /* only root can do this */
    rj_test_dir_path(&f->dir, "ballast", ballast);
    fd = open(ballast, O_CREAT | O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_int_equal(posix_fallocate(fd, 0, 4 << 20), 0);
    s = open_at(f->path, 1 << 30);
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
        assert_ok(get_one(s, RJ_BYTES_OF(key)));
    }
    s->ops->close(s);
    (void)close(fd);
    assert_int_equal(umount(f->dir.path), 0);
}

/* The disk fills up between the check and the write: LMDB's own write is cut short. */
TEST(a_disk_that_fills_up_during_a_write_changes_nothing)
{
    struct fixture *f = *cmocka_state;
    char ballast[RJ_TEST_PATH_MAX];
    static uint8_t value[PAGE];
    struct rj_writes w = {0};
    struct rj_store *s;
    off_t taken;
    int fd;

    if (mount("none", f->dir.path, "tmpfs", 0, "size=16m") != 0)
        skip();
    rj_test_dir_path(&f->dir, "ballast", ballast);
    s = open_at(f->path, 1 << 30);
    assert_ok(put_one(s, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("before")));
    fd = open(ballast, O_CREAT | O_RDWR, 0600);
    assert_true(fd >= 0);
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
    assert_ok(get_one(s, RJ_BYTES_LIT("a")));
    assert_err(RJ_EFULL, s->ops->write(s, &w, false));
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_ok(s->ops->write(s, &w, true));
    assert_err(RJ_ENOENT, get_one(s, RJ_BYTES_LIT("a")));
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
    struct fixture *f = *cmocka_state;
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {.rlim_cur = 400 << 20, .rlim_max = 400 << 20};
        struct rj_store *s;
        uint64_t room = 0;

        if (setrlimit(RLIMIT_AS, &limit) != 0 ||
            rj_store_lmdb_open(f->path, 0, NULL, 0, &s) != RJ_OK ||
            put_one(s, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("b")) != RJ_OK ||
            s->ops->room(s, &room) != RJ_OK)
            _exit(1);
        s->ops->close(s);
        _exit(room > 0 && room < 400 << 20 ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ok(try_open(f)); /* and without the limit again */
#endif
}

TEST(many_views_may_be_open_and_then_no_more)
{
    enum { MANY = 1100 };
    struct fixture *f = *cmocka_state;
    struct rj_store *s = open_at(f->path, 0);
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
    struct fixture *f = *cmocka_state;
    struct rj_store *s = open_at(f->path, 0);
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

TEST(an_empty_group_is_refused)
{
    struct fixture *f = *cmocka_state;
    struct rj_store *s = open_at(f->path, 0);
    uint8_t a[700], b[700];
    struct rj_bytes key, value;
    struct rj_view *v;
    MDB_cursor *cursor;
    MDB_val k, val;
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;

    memset(a, 'g', sizeof(a));
    memset(b, 'g', sizeof(b));
    b[600] = 'h';
    assert_ok(put_one(s, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("0")));
    assert_ok(put_one(s, RJ_BYTES_OF(a), RJ_BYTES_LIT("1")));
    assert_ok(put_one(s, RJ_BYTES_OF(b), RJ_BYTES_LIT("2")));
    s->ops->close(s);
    txn = raw_begin(f, &env, &dbi);
    assert_int_equal(mdb_cursor_open(txn, dbi, &cursor), 0);
    while (mdb_cursor_get(cursor, &k, &val, MDB_NEXT) == 0)
        if (((const uint8_t *)k.mv_data)[0] == 1)
            assert_int_equal(mdb_cursor_del(cursor, 0), 0);
    mdb_cursor_close(cursor);
    raw_end(env, txn);
    s = open_at(f->path, 0);
    assert_ok(s->ops->view_open(s, &v));
    assert_err(RJ_ECORRUPT, s->ops->seek(v, RJ_SEEK_GT, RJ_BYTES_LIT("a"), &key, &value));
    assert_err(RJ_ECORRUPT, s->ops->seek(v, RJ_SEEK_LT, RJ_BYTES_LIT(""), &key, &value));
    s->ops->view_close(v);
    s->ops->close(s);
}

TEST(pages_are_used_again)
{
    struct fixture *f = *cmocka_state;
    struct rj_store *s = open_at(f->path, 0);
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
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(odd_limits_on_the_size_are_taken),
        T(a_directory_is_made_for_its_owner_alone),
        T(a_second_open_is_refused),
        T(a_newer_format_is_refused),
        T(a_damaged_format_record_is_refused),
        T(somebody_elses_database_is_refused),
        T(a_file_that_is_no_database_is_refused),
        T(an_unfinished_new_store_is_made_again),
        T(values_under_each_others_keys_are_refused),
        T(a_group_record_of_unknown_kind_is_refused),
        T(a_group_record_cut_short_is_refused),
        T(groups_in_a_circle_are_refused),
        T(a_file_cut_short_gives_no_wrong_answer),
        T(a_zeroed_page_hides_nothing),
        T(a_misplaced_leaf_page_hides_nothing),
        T(a_flipped_bit_in_a_record_hides_nothing),
        T(a_flipped_bit_in_a_meta_page_gives_no_wrong_value),
        T(a_flipped_bit_anywhere_gives_no_wrong_value),
        T(many_small_records_fill_a_store_that_can_still_delete),
        T(a_full_disk_changes_nothing_until_there_is_room),
        T(a_disk_that_fills_up_during_a_write_changes_nothing),
        T(a_limit_on_addresses_makes_the_map_smaller),
        T(many_views_may_be_open_and_then_no_more),
        T(no_file_of_the_store_is_left_to_child_processes),
        T(an_empty_group_is_refused),
        T(pages_are_used_again),
    };
#undef T

    return rj_store_suite_run(&maker) + cmocka_run_group_tests(tests, NULL, NULL);
}
