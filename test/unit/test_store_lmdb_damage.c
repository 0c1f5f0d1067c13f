/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are no store, records that were changed, and damage anywhere in the file: it
 * is refused, and no other answer is wrong. Formats are in test_store_lmdb_format.c. */
#include "base/be.h"
#include "base/prng.h"
#include "store/stored.h"
#include "support/lmdb_store.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what is no store, or not one of ours */

TEST(somebody_elses_database_is_refused)
{
    struct lmdb_test *f = *cmocka_state;
    struct lmdb_raw raw;

    assert_int_equal(mkdir(f->path, 0700), 0);
    raw = lmdb_raw_begin(f);
    lmdb_raw_put(&raw, RJ_BYTES_LIT("hello"), RJ_BYTES_LIT("world"));
    lmdb_raw_end(&raw);
    assert_err(RJ_ECORRUPT, lmdb_test_try(f));
}

static void write_file(const struct lmdb_test *f, const char *name, size_t len)
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
    struct lmdb_test *f = *cmocka_state;

    assert_int_equal(mkdir(f->path, 0700), 0);
    write_file(f, "store/data.mdb", 9000);
    assert_err(RJ_ECORRUPT, lmdb_test_try(f));
    write_file(f, "store/data.mdb", 100);
    assert_err(RJ_ECORRUPT, lmdb_test_try(f));
    write_file(f, "store/data.mdb", 0);
    assert_err(RJ_ECORRUPT, lmdb_test_try(f));
}

TEST(an_unfinished_new_store_is_made_again)
{
    struct lmdb_test *f = *cmocka_state;

    assert_int_equal(mkdir(f->path, 0700), 0);
    write_file(f, "store/data.new", 5000);
    assert_ok(lmdb_test_try(f));
}

/* ---- records that were changed */

TEST(values_under_each_others_keys_are_refused)
{
    struct lmdb_test *f = *cmocka_state;
    struct rj_store *s = lmdb_test_open(f->path, 0);
    uint8_t ka[] = {0, 'a'}, kb[] = {0, 'b'}, va[64], vb[64];
    MDB_val k, a, b;
    struct lmdb_raw raw;

    assert_ok(lmdb_test_put(s, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("one")));
    assert_ok(lmdb_test_put(s, RJ_BYTES_LIT("b"), RJ_BYTES_LIT("two")));
    s->ops->close(s);
    raw = lmdb_raw_begin(f);
    k = (MDB_val){.mv_size = 2, .mv_data = ka};
    assert_int_equal(mdb_get(raw.txn, raw.dbi, &k, &a), 0);
    k = (MDB_val){.mv_size = 2, .mv_data = kb};
    assert_int_equal(mdb_get(raw.txn, raw.dbi, &k, &b), 0);
    assert_int_equal(a.mv_size, b.mv_size);
    memcpy(va, a.mv_data, a.mv_size);
    memcpy(vb, b.mv_data, b.mv_size);
    lmdb_raw_put(&raw, RJ_BYTES_OF(ka), rj_bytes_of(vb, b.mv_size));
    lmdb_raw_put(&raw, RJ_BYTES_OF(kb), rj_bytes_of(va, a.mv_size));
    lmdb_raw_end(&raw);
    s = lmdb_test_open(f->path, 0);
    assert_err(RJ_ECORRUPT, lmdb_test_get(s, RJ_BYTES_LIT("a")));
    assert_err(RJ_ECORRUPT, lmdb_test_get(s, RJ_BYTES_LIT("b")));
    s->ops->close(s);
}

/* Two keys that share a first step, and so lie in a group of their own. */
struct pair {
    uint8_t a[700], b[700];
};

static void put_pair(struct rj_store *s, struct pair *ret)
{
    memset(ret, 'g', sizeof(*ret));
    ret->b[600] = 'h';
    assert_ok(lmdb_test_put(s, RJ_BYTES_OF(ret->a), RJ_BYTES_LIT("1")));
    assert_ok(lmdb_test_put(s, RJ_BYTES_OF(ret->b), RJ_BYTES_LIT("2")));
}

/* The record that leads to a pair is replaced by body: that must be refused by seeks,
 * puts and deletes, each in its way. */
static void check_damaged_group(struct lmdb_test *f, struct rj_bytes body)
{
    struct rj_store *s = lmdb_test_open(f->path, 0);
    uint8_t stored[64], lmdb_key[RJ_STORED_KEY_MAX];
    struct rj_writes w = {0};
    struct lmdb_raw raw;
    struct pair p;
    size_t len;

    put_pair(s, &p);
    assert_ok(lmdb_test_get(s, RJ_BYTES_OF(p.a)));
    s->ops->close(s);
    len = rj_stored_key(0, RJ_BYTES_OF(p.a), lmdb_key);
    memcpy(stored + RJ_STORED_HEAD, body.ptr, body.len);
    rj_be_store64(stored, rj_stored_checksum(rj_bytes_of(lmdb_key, len), body));
    raw = lmdb_raw_begin(f);
    lmdb_raw_put(&raw, rj_bytes_of(lmdb_key, len),
                 rj_bytes_of(stored, RJ_STORED_HEAD + body.len));
    lmdb_raw_end(&raw);
    s = lmdb_test_open(f->path, 0);
    assert_err(RJ_ECORRUPT, lmdb_test_get(s, RJ_BYTES_OF(p.a)));
    assert_err(RJ_ECORRUPT, lmdb_test_put(s, RJ_BYTES_OF(p.a), RJ_BYTES_LIT("3")));
    rj_writes_delete_range(&w, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("z"));
    assert_err(RJ_ECORRUPT, s->ops->write(s, &w, true));
    assert_true(s->why[0] != '\0');
    assert_ok(lmdb_test_put(s, RJ_BYTES_LIT("else"), RJ_BYTES_LIT("works")));
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
    struct lmdb_test *f = *cmocka_state;
    struct rj_store *s = lmdb_test_open(f->path, 0);
    uint8_t steps[4 * RJ_STORED_PART_MAX], stored[64], lmdb_key[RJ_STORED_KEY_MAX];
    struct rj_stored r = {.kind = RJ_STORED_GROUP};
    struct rj_bytes key, value;
    struct rj_view *v;
    struct lmdb_raw raw;
    size_t len;

    s->ops->close(s);
    memset(steps, 'g', sizeof(steps));
    r.part = rj_bytes_of(steps, RJ_STORED_PART_MAX);
    raw = lmdb_raw_begin(f);
    for (uint64_t group = 0; group < 3; group++) {
        r.group = group;
        r.child = group < 2 ? group + 1 : 1; /* 0 -> 1 -> 2 -> 1 */
        len = rj_stored_key(group, RJ_BYTES_OF(steps), lmdb_key);
        rj_stored_write(&r, rj_bytes_of(lmdb_key, len), stored);
        lmdb_raw_put(&raw, rj_bytes_of(lmdb_key, len),
                     rj_bytes_of(stored, rj_stored_size(&r)));
    }
    lmdb_raw_end(&raw);
    s = lmdb_test_open(f->path, 0);
    assert_ok(s->ops->view_open(s, &v));
    assert_err(RJ_ECORRUPT, s->ops->seek(v, RJ_SEEK_GE, RJ_BYTES_LIT("a"), &key, &value));
    assert_err(RJ_ECORRUPT, s->ops->seek(v, RJ_SEEK_LT, RJ_BYTES_LIT(""), &key, &value));
    s->ops->view_close(v);
    s->ops->close(s);
}

TEST(an_empty_group_is_refused)
{
    struct lmdb_test *f = *cmocka_state;
    struct rj_store *s = lmdb_test_open(f->path, 0);
    struct pair p;
    struct rj_bytes key, value;
    struct rj_view *v;
    MDB_cursor *cursor;
    MDB_val k, val;
    struct lmdb_raw raw;

    assert_ok(lmdb_test_put(s, RJ_BYTES_LIT("a"), RJ_BYTES_LIT("0")));
    put_pair(s, &p);
    s->ops->close(s);
    raw = lmdb_raw_begin(f);
    assert_int_equal(mdb_cursor_open(raw.txn, raw.dbi, &cursor), 0);
    while (mdb_cursor_get(cursor, &k, &val, MDB_NEXT) == 0)
        if (((const uint8_t *)k.mv_data)[0] == 1)
            assert_int_equal(mdb_cursor_del(cursor, 0), 0);
    mdb_cursor_close(cursor);
    lmdb_raw_end(&raw);
    s = lmdb_test_open(f->path, 0);
    assert_ok(s->ops->view_open(s, &v));
    assert_err(RJ_ECORRUPT, s->ops->seek(v, RJ_SEEK_GT, RJ_BYTES_LIT("a"), &key, &value));
    assert_err(RJ_ECORRUPT, s->ops->seek(v, RJ_SEEK_LT, RJ_BYTES_LIT(""), &key, &value));
    s->ops->view_close(v);
    s->ops->close(s);
}

/* ---- damage all over the file */

TEST(a_file_cut_short_gives_no_wrong_answer)
{
    struct lmdb_test *f = *cmocka_state;
    struct rj_store *s = lmdb_test_open(f->path, 0);
    char file[RJ_TEST_PATH_MAX];
    static uint8_t value[100 * 1000];
    struct stat st;

    memset(value, 'v', sizeof(value));
    assert_ok(lmdb_test_put(s, RJ_BYTES_LIT("a"), RJ_BYTES_OF(value)));
    s->ops->close(s);
    rj_test_dir_path(&f->dir, "store/data.mdb", file);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(truncate(file, st.st_size - 50 * 1000), 0);
    if (rj_store_lmdb_open(f->path, 0, f->why, sizeof(f->why), &s) != RJ_OK)
        return; /* seen at the open */
    assert_err(RJ_ECORRUPT, lmdb_test_get(s, RJ_BYTES_LIT("a")));
    s->ops->close(s);
}

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

static int read_in_child(struct lmdb_test *f)
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

/* False: it found nothing to hurt this time. */
typedef bool damage_fn(uint8_t *file, size_t pages, struct rj_prng *p);

/* Damages a copy of the file again and again and counts what a reader says. */
static void damage_often(struct lmdb_test *f, unsigned said[READ_WRONG + 1],
                         damage_fn *hurt)
{
    static uint8_t key_room[700], value_room[9000];
    struct rj_store *s = lmdb_test_open(f->path, 0);
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

/* Whatever is hurt, every read says so or gives all that was written. */
static void hides_nothing(struct lmdb_test *f, damage_fn *hurt)
{
    unsigned said[READ_WRONG + 1] = {0};

    damage_often(f, said, hurt);
    assert_int_equal(said[READ_WRONG], 0);
    assert_int_equal(said[READ_MISSING], 0);
    assert_true(said[READ_REFUSED] > 0);
}

/* Something may be missing, but what is read is what was written. */
static void gives_no_wrong_value(struct lmdb_test *f, damage_fn *hurt)
{
    unsigned said[READ_WRONG + 1] = {0};

    damage_often(f, said, hurt);
    assert_int_equal(said[READ_WRONG], 0);
    assert_true(said[READ_REFUSED] > 0);
}

TEST(a_zeroed_page_hides_nothing)
{
    hides_nothing(*cmocka_state, zero_a_page);
}

TEST(a_misplaced_leaf_page_hides_nothing)
{
    hides_nothing(*cmocka_state, misplace_a_leaf);
}

TEST(a_flipped_bit_in_a_record_hides_nothing)
{
    hides_nothing(*cmocka_state, flip_a_bit_of_a_record);
}

TEST(a_flipped_bit_in_a_meta_page_gives_no_wrong_value)
{
    gives_no_wrong_value(*cmocka_state, flip_a_bit_of_a_meta_page);
}

TEST(a_flipped_bit_anywhere_gives_no_wrong_value)
{
    gives_no_wrong_value(*cmocka_state, flip_a_bit_anywhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LMDB(somebody_elses_database_is_refused),
        WITH_LMDB(a_file_that_is_no_database_is_refused),
        WITH_LMDB(an_unfinished_new_store_is_made_again),
        WITH_LMDB(values_under_each_others_keys_are_refused),
        WITH_LMDB(a_group_record_of_unknown_kind_is_refused),
        WITH_LMDB(a_group_record_cut_short_is_refused),
        WITH_LMDB(groups_in_a_circle_are_refused),
        WITH_LMDB(an_empty_group_is_refused),
        WITH_LMDB(a_file_cut_short_gives_no_wrong_answer),
        WITH_LMDB(a_zeroed_page_hides_nothing),
        WITH_LMDB(a_misplaced_leaf_page_hides_nothing),
        WITH_LMDB(a_flipped_bit_in_a_record_hides_nothing),
        WITH_LMDB(a_flipped_bit_in_a_meta_page_gives_no_wrong_value),
        WITH_LMDB(a_flipped_bit_anywhere_gives_no_wrong_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
