/* SPDX-License-Identifier: Apache-2.0 */
#include "support/lmdb_store.h"

#include <sys/mount.h>

int lmdb_test_set_up(void **state)
{
    struct lmdb_test *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    rj_test_dir_init(&f->dir);
    rj_test_dir_path(&f->dir, "store", f->path);
    *state = f;
    return 0;
}

int lmdb_test_tear_down(void **state)
{
    struct lmdb_test *f = *state;

    (void)umount2(f->dir.path, MNT_DETACH); /* of a test that failed half way */
    rj_test_dir_done(&f->dir);
    free(f);
    return 0;
}

struct rj_store *lmdb_test_open(const char *path, uint64_t size_max)
{
    struct rj_store *s = NULL;
    char why[LMDB_TEST_WHY];

    if (rj_store_lmdb_open(path, size_max, why, sizeof(why), &s) != RJ_OK)
        fail_msg("open: %s", why);
    return s;
}

enum rj_err lmdb_test_try(struct lmdb_test *f)
{
    struct rj_store *s = NULL;
    enum rj_err err = rj_store_lmdb_open(f->path, 0, f->why, sizeof(f->why), &s);

    if (err == RJ_OK)
        s->ops->close(s);
    else
        assert_true(f->why[0] != '\0');
    return err;
}

enum rj_err lmdb_test_put(struct rj_store *s, struct rj_bytes key, struct rj_bytes value)
{
    struct rj_writes w = {0};
    enum rj_err err;

    rj_writes_put(&w, key, value);
    err = s->ops->write(s, &w, true);
    rj_writes_done(&w);
    return err;
}

enum rj_err lmdb_test_get(struct rj_store *s, struct rj_bytes key)
{
    struct rj_bytes got_key, value;
    struct rj_view *v = NULL;
    enum rj_err err = s->ops->view_open(s, &v);

    if (err == RJ_OK)
        err = s->ops->seek(v, RJ_SEEK_EQ, key, &got_key, &value);
    s->ops->view_close(v);
    return err;
}

struct lmdb_raw lmdb_raw_begin(const struct lmdb_test *f)
{
    struct lmdb_raw raw = {0};

    assert_int_equal(mdb_env_create(&raw.env), 0);
    assert_int_equal(mdb_env_set_mapsize(raw.env, 64 << 20), 0);
    assert_int_equal(mdb_env_open(raw.env, f->path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(raw.env, NULL, 0, &raw.txn), 0);
    assert_int_equal(mdb_dbi_open(raw.txn, NULL, 0, &raw.dbi), 0);
    return raw;
}

void lmdb_raw_put(const struct lmdb_raw *raw, struct rj_bytes key, struct rj_bytes value)
{
    MDB_val k = {.mv_size = key.len, .mv_data = (void *)(uintptr_t)key.ptr};
    MDB_val v = {.mv_size = value.len, .mv_data = (void *)(uintptr_t)value.ptr};

    assert_int_equal(mdb_put(raw->txn, raw->dbi, &k, &v, 0), 0);
}

void lmdb_raw_end(const struct lmdb_raw *raw)
{
    assert_int_equal(mdb_txn_commit(raw->txn), 0);
    mdb_env_close(raw->env);
}
