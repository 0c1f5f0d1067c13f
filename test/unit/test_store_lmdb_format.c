/* SPDX-License-Identifier: Apache-2.0 */
/* Stores of another format: upgrades and downgrades. */
#include "base/be.h"
#include "base/buf.h"
#include "posix/file.h"
#include "store/stored.h"
#include "support/lmdb_store.h"

#include <sys/stat.h>

enum { FILE_MAX = 64 << 20 };

/* Gives the store, which is closed, another format record. */
static void put_format(struct lmdb_test *f, struct rj_bytes record)
{
    struct lmdb_raw raw = lmdb_raw_begin(f);

    lmdb_raw_put(&raw, rj_stored_format_key(), record);
    lmdb_raw_end(&raw);
}

/* The data file as it is: its bytes, and when it was written last. */
static void read_data(const struct lmdb_test *f, struct rj_buf *ret,
                      struct timespec *ret_at)
{
    char path[RJ_TEST_PATH_MAX];
    struct stat st;

    rj_test_dir_path(&f->dir, "store/data.mdb", path);
    assert_int_equal(stat(path, &st), 0);
    *ret_at = st.st_mtim;
    assert_ok(rj_file_read(path, FILE_MAX, NULL, 0, ret));
}

static void refuses_and_leaves_as_it_is(struct lmdb_test *f)
{
    struct rj_buf before = {0}, after = {0};
    struct timespec then, now;

    read_data(f, &before, &then);
    assert_err(RJ_EVERSION, lmdb_test_try(f));
    assert_err(RJ_EVERSION, lmdb_test_try(f));
    read_data(f, &after, &now);
    assert_bytes_equal(rj_buf_view(&after), rj_buf_view(&before));
    assert_memory_equal(&now, &then, sizeof(now));
    rj_buf_done(&before);
    rj_buf_done(&after);
}

TEST(a_newer_format_is_refused_and_left_as_it_is)
{
    static const struct rj_stored_format newer = {RJ_STORED_FORMAT + 1, "7.8.9"};
    struct lmdb_test *f = *cmocka_state;
    uint8_t record[RJ_STORED_FORMAT_SIZE];

    assert_ok(lmdb_test_try(f));
    rj_stored_format_write(&newer, record);
    put_format(f, RJ_BYTES_OF(record));
    refuses_and_leaves_as_it_is(f);
    assert_string_equal(
        f->why, "it has format 3, written by rejoin 7.8.9; this is rejoin " RJ_VERSION
                ", which reads format 2: run rejoin 7.8.9 or a later one");
}

/* Format 1 said no more than its number. */
TEST(an_older_format_is_refused_and_left_as_it_is)
{
    struct lmdb_test *f = *cmocka_state;
    uint8_t record[20] = "........rjstore\n\0\0\0\1";
    struct rj_bytes body = rj_bytes_of(record + RJ_STORED_HEAD, 12);

    rj_be_store64(record, rj_stored_checksum(rj_stored_format_key(), body));
    assert_ok(lmdb_test_try(f));
    put_format(f, RJ_BYTES_OF(record));
    refuses_and_leaves_as_it_is(f);
    assert_non_null(strstr(f->why, "format 1, written by rejoin from before 0.1.0"));
    assert_null(strstr(f->why, "later"));
}

TEST(a_damaged_format_record_is_refused)
{
    static const struct rj_stored_format format = {RJ_STORED_FORMAT, RJ_VERSION};
    struct lmdb_test *f = *cmocka_state;
    uint8_t bad[RJ_STORED_FORMAT_SIZE];

    assert_ok(lmdb_test_try(f));
    rj_stored_format_write(&format, bad);
    bad[RJ_STORED_FORMAT_SIZE - 1] ^= 2;
    put_format(f, RJ_BYTES_OF(bad));
    assert_err(RJ_ECORRUPT, lmdb_test_try(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LMDB(a_newer_format_is_refused_and_left_as_it_is),
        WITH_LMDB(an_older_format_is_refused_and_left_as_it_is),
        WITH_LMDB(a_damaged_format_record_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
