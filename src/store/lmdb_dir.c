/* SPDX-License-Identifier: Apache-2.0 */
/* Files: `lock` is locked (flock) by the process that has the store open; `data.mdb` and
 * `lock.mdb` are LMDB's. A new store is made as `data.new`, with its format record, and
 * renamed when it is on the disk: a crash leaves either no store or a whole one.
 * The map reserves addresses, not memory or disk, and LMDB cannot grow it while views are
 * open; so it is as large as the file may ever become, or half of that, and so on, where
 * the system grants less (ulimit -v).
 * At each open what was read is made durable before anybody builds on it. After a crash
 * of the process alone, or a failed sync, the page that names the last transaction may
 * stand in the cache of the system only, even marked as clean (Rebello et al., "Can
 * Applications Recover from fsync Failures?", USENIX ATC 2020); it is written again and
 * synced. Everything else was synced before that page was written. */
#include "store/lmdb_dir.h"

#include "base/buf.h"
#include "store/lmdb_tree.h"
#include "store/stored.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    READERS_MAX = 1024, /* views open at one time */
    META_BYTES = 512,   /* of a meta page: LMDB uses the first 152 */
    META_PAGES = 2,
    PROBE_BYTES = 64 * 1024,
    DIR_MODE = 0700,
    FILE_MODE = 0600
};

#define MAP_DEFAULT ((uint64_t)1 << (sizeof(void *) > 4 ? 40 : 30)) /* 1 TiB, 1 GiB */
#define MAP_MIN     ((uint64_t)1 << 20)

static enum rj_err os_err(int code)
{
    switch (code) {
    case ENOENT:
        return RJ_ENOENT;
    case EACCES:
    case EPERM:
    case EROFS:
        return RJ_EDENIED;
    default:
        return rj_lmdb_tree_err(code);
    }
}

static enum rj_err fail(struct rj_lmdb_dir *d, enum rj_err err, const char *doing,
                        const char *why)
{
    (void)snprintf(d->why, sizeof(d->why), "%s: %s", doing, why);
    return err;
}

static enum rj_err fail_os(struct rj_lmdb_dir *d, const char *doing)
{
    int code = errno;

    return fail(d, os_err(code), doing, strerror(code));
}

static enum rj_err fail_mdb(struct rj_lmdb_dir *d, int rc, const char *doing)
{
    return fail(d, rc > 0 ? os_err(rc) : rj_lmdb_tree_err(rc), doing, mdb_strerror(rc));
}

/* ---- the directory and its lock */

static enum rj_err open_dir(struct rj_lmdb_dir *d, const char *path)
{
    if (mkdir(path, DIR_MODE) != 0 && errno != EEXIST)
        return fail_os(d, "make the directory");
    d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return d->fd >= 0 ? RJ_OK : fail_os(d, "open the directory");
}

static enum rj_err lock_dir(struct rj_lmdb_dir *d)
{
    d->lock_fd =
        openat(d->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (d->lock_fd < 0)
        return fail_os(d, "open the lock file");
    if (flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return RJ_OK;
    if (errno == EWOULDBLOCK)
        return fail(d, RJ_EBUSY, "lock", "another process has this store open");
    return fail_os(d, "lock");
}

/* ---- making a store */

/* Writes the format record as the first transaction of an environment. */
static int write_format(MDB_env *env)
{
    static const struct rj_stored_format format = {RJ_STORED_FORMAT, RJ_VERSION};
    uint8_t stored[RJ_STORED_FORMAT_SIZE];
    struct rj_bytes name = rj_stored_format_key();
    uint8_t key_bytes[RJ_STORED_KEY_MAX];
    MDB_val key = {.mv_size = name.len, .mv_data = key_bytes};
    MDB_val value = {.mv_size = sizeof(stored), .mv_data = stored};
    MDB_txn *txn;
    MDB_dbi dbi;
    int rc = mdb_txn_begin(env, NULL, 0, &txn);

    if (rc != 0)
        return rc;
    memcpy(key_bytes, name.ptr, name.len);
    rj_stored_format_write(&format, stored);
    rc = mdb_dbi_open(txn, NULL, 0, &dbi);
    if (rc == 0)
        rc = mdb_put(txn, dbi, &key, &value, 0);
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

static int write_new(const char *file)
{
    MDB_env *env;
    int rc = mdb_env_create(&env);

    if (rc != 0)
        return rc;
    rc = mdb_env_set_mapsize(env, MAP_MIN);
    if (rc == 0)
        rc = mdb_env_open(env, file, MDB_NOSUBDIR | MDB_NOLOCK, FILE_MODE);
    if (rc == 0)
        rc = write_format(env);
    mdb_env_close(env);
    return rc;
}

/* Makes the names in the directory, and its own, durable. */
static enum rj_err sync_names(struct rj_lmdb_dir *d)
{
    int above = openat(d->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum rj_err err = RJ_OK;

    if (above < 0)
        return fail_os(d, "open the directory above");
    if (fsync(d->fd) != 0 || fsync(above) != 0)
        err = fail_os(d, "sync the directory");
    (void)close(above);
    return err;
}

/* Makes the data file unless there is one. */
static enum rj_err make_data(struct rj_lmdb_dir *d, const char *path)
{
    struct stat st;
    struct rj_buf file = {0};
    const char *name;
    enum rj_err err;
    int rc;

    if (fstatat(d->fd, "data.mdb", &st, AT_SYMLINK_NOFOLLOW) == 0)
        return RJ_OK;
    if (errno != ENOENT)
        return fail_os(d, "look for the data file");
    if (unlinkat(d->fd, "data.new", 0) != 0 && errno != ENOENT)
        return fail_os(d, "remove an unfinished data file");
    rj_buf_printf(&file, "%s/data.new", path);
    name = rj_buf_str(&file);
    err = rj_buf_err(&file);
    if (err != RJ_OK)
        return err;
    rc = write_new(name);
    rj_buf_done(&file);
    if (rc != 0)
        return fail_mdb(d, rc, "make the data file");
    if (renameat(d->fd, "data.new", d->fd, "data.mdb") != 0)
        return fail_os(d, "name the data file");
    return sync_names(d);
}

/* ---- opening it */

/* A meta page of LMDB, data version 1, behind the page header. */
struct meta {
    uint32_t magic, version;
    void *address;
    size_t map_size;
    struct {
        uint32_t pad; /* of the first table: the size of a page */
        uint16_t flags, depth;
        size_t branch_pages, leaf_pages, overflow_pages, entries, root;
    } table[2]; /* free pages; records */
    size_t last_page, transaction;
};

enum {
    META_AT = sizeof(size_t) + 8, /* length of a page header */
    META_MAGIC = (int)0xBEEFC0DE,
    PAGE_SIZE_MIN = 512,
    PAGE_SIZE_MAX = 32768,
    FREE_TABLE_FLAGS = MDB_INTEGERKEY,
    OPEN_FLAGS = MDB_NOSUBDIR /* that the file was made with; kept in the same field */
};

static bool is_plausible(const struct meta *m, size_t page_size)
{
    return m->magic == (uint32_t)META_MAGIC && m->table[0].pad == page_size &&
           (m->table[0].flags & ~OPEN_FLAGS) == FREE_TABLE_FLAGS &&
           m->table[1].flags == 0 && page_size >= PAGE_SIZE_MIN &&
           page_size <= PAGE_SIZE_MAX && (page_size & (page_size - 1)) == 0;
}

/* LMDB believes what a meta page says. Two transactions in a row write the two pages in
 * turn, the number of the transaction tells which; so a page whose number was damaged,
 * and would make LMDB show an older state, is noticed. */
static enum rj_err check_metas(struct rj_lmdb_dir *d)
{
    struct meta m[META_PAGES];
    enum rj_err err = RJ_OK;
    size_t a, b;
    int fd = openat(d->fd, "data.mdb", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return fail_os(d, "open the data file");
    if (pread(fd, &m[0], sizeof(m[0]), META_AT) == (ssize_t)sizeof(m[0]) &&
        pread(fd, &m[1], sizeof(m[1]), (off_t)m[0].table[0].pad + META_AT) ==
            (ssize_t)sizeof(m[1])) {
        a = m[0].transaction;
        b = m[1].transaction;
        if (!is_plausible(&m[0], m[0].table[0].pad) ||
            !is_plausible(&m[1], m[0].table[0].pad))
            err = fail(d, RJ_ECORRUPT, "first pages", "no valid data of LMDB");
        else if (a % 2 != 0 || (b != a + 1 && a != b + 1))
            err = fail(d, RJ_ECORRUPT, "first pages", "they do not follow each other");
    } else {
        err = fail(d, RJ_ECORRUPT, "first pages", "the data file is cut off");
    }
    (void)close(fd);
    return err;
}

static enum rj_err try_env(struct rj_lmdb_dir *d, const char *path, int *ret_rc)
{
    int rc = mdb_env_create(&d->env);

    *ret_rc = rc;
    if (rc != 0)
        return fail_mdb(d, rc, "open");
    rc = mdb_env_set_maxreaders(d->env, READERS_MAX);
    if (rc == 0)
        rc = mdb_env_set_mapsize(d->env, (size_t)d->size_max);
    if (rc == 0)
        rc = mdb_env_open(d->env, path, MDB_NOTLS, FILE_MODE);
    *ret_rc = rc;
    if (rc == 0)
        return RJ_OK;
    mdb_env_close(d->env);
    d->env = NULL;
    return fail_mdb(d, rc, "open the data file");
}

/* Opens with the largest map up to size_max that the system grants. */
static enum rj_err open_env(struct rj_lmdb_dir *d, const char *path, uint64_t size_max)
{
    enum rj_err err;
    int rc;

    d->size_max = size_max != 0 ? size_max : MAP_DEFAULT;
    if (d->size_max < MAP_MIN)
        d->size_max = MAP_MIN;
    if (d->size_max > SIZE_MAX / 2)
        d->size_max = SIZE_MAX / 2;
    for (;;) {
        err = try_env(d, path, &rc);
        if (rc != ENOMEM || d->size_max / 2 < MAP_MIN)
            return err;
        d->size_max /= 2;
    }
}

/* Finds the size of a page, and whether all pages are in the file: some that the last
 * transaction took and gave back may never have been written, and reading behind the end
 * of the file would end the process. */
static enum rj_err measure(struct rj_lmdb_dir *d, bool *ret_whole)
{
    MDB_envinfo info;
    MDB_stat shape;
    struct stat st;
    int fd, rc = mdb_env_get_fd(d->env, &fd);

    if (rc == 0)
        rc = mdb_env_stat(d->env, &shape);
    if (rc == 0)
        rc = mdb_env_info(d->env, &info);
    if (rc != 0)
        return fail_mdb(d, rc, "open the data file");
    d->page_size = shape.ms_psize;
    d->used_bytes = (uint64_t)(info.me_last_pgno + 1) * shape.ms_psize;
    /* LMDB leaves that to us. */
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fstat(fd, &st) != 0)
        return fail_os(d, "open the data file");
    *ret_whole = (uint64_t)st.st_size >= d->used_bytes;
    return RJ_OK;
}

/* What was read at the open is on the disk; see above. */
static enum rj_err settle(struct rj_lmdb_dir *d, bool is_whole)
{
    uint8_t meta[META_BYTES];
    int fd, rc = mdb_env_get_fd(d->env, &fd);

    if (rc != 0)
        return fail_mdb(d, rc, "open the data file");
    for (unsigned i = 0; i < META_PAGES; i++) {
        off_t at = (off_t)(i * d->page_size);

        if (pread(fd, meta, sizeof(meta), at) != (ssize_t)sizeof(meta) ||
            pwrite(fd, meta, sizeof(meta), at) != (ssize_t)sizeof(meta))
            return fail_os(d, "write the first pages again");
    }
    if (!is_whole && ftruncate(fd, (off_t)d->used_bytes) != 0)
        return fail_os(d, "extend the data file");
    rc = mdb_env_sync(d->env, 1);
    return rc == 0 ? RJ_OK : fail_mdb(d, rc, "sync");
}

/* Where the map begins. LMDB does not tell; but a leaf page holds its own number. */
static const uint8_t *map_of(const struct rj_lmdb_dir *d, const void *in_leaf)
{
    const uint8_t *page;
    MDB_envinfo info;
    size_t number;

    if (d->page_size > (size_t)sysconf(_SC_PAGESIZE)) /* not aligned to its pages */
        return NULL;
    page = (const uint8_t *)in_leaf - (uintptr_t)in_leaf % d->page_size;
    memcpy(&number, page, sizeof(number));
    (void)mdb_env_info(d->env, &info);
    return number <= info.me_last_pgno ? page - number * d->page_size : NULL;
}

/* What the format record says. */
static enum rj_err check_format(struct rj_lmdb_dir *d, struct rj_bytes stored)
{
    struct rj_stored_format f;
    const char *maker;

    if (rj_stored_format_read(stored, &f) != RJ_OK)
        return fail(d, RJ_ECORRUPT, "format record", "damaged");
    if (f.number == RJ_STORED_FORMAT)
        return RJ_OK;
    maker = f.maker[0] != '\0' ? f.maker : "from before 0.1.0";
    (void)snprintf(d->why, sizeof(d->why),
                   "it has format %u, written by rejoin %s; this is rejoin %s, which "
                   "reads format %d: run rejoin %s%s",
                   (unsigned)f.number, maker, RJ_VERSION, RJ_STORED_FORMAT, maker,
                   f.number > RJ_STORED_FORMAT ? " or a later one" : "");
    return RJ_EVERSION;
}

/* Finds the table, reads the format record and learns from it where the map is. */
static enum rj_err read_format(struct rj_lmdb_dir *d)
{
    struct rj_bytes name = rj_stored_format_key();
    uint8_t key_bytes[RJ_STORED_KEY_MAX];
    MDB_val key = {.mv_size = name.len, .mv_data = key_bytes};
    MDB_val value = {0};
    MDB_txn *txn;
    enum rj_err err;
    int rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0)
        return fail_mdb(d, rc, "read");
    memcpy(key_bytes, name.ptr, name.len);
    rc = mdb_dbi_open(txn, NULL, 0, &d->dbi);
    if (rc == 0)
        rc = mdb_get(txn, d->dbi, &key, &value);
    if (rc == MDB_NOTFOUND) {
        err = fail(d, RJ_ECORRUPT, "format record", "missing; not a store of rejoin?");
    } else if (rc != 0) {
        err = fail_mdb(d, rc, "read");
    } else {
        err = check_format(d, rj_bytes_of(value.mv_data, value.mv_size));
        d->map = map_of(d, value.mv_data);
    }
    mdb_txn_abort(txn);
    return err;
}

enum rj_err rj_lmdb_dir_open(const char *path, uint64_t size_max_bytes,
                             struct rj_lmdb_dir *ret)
{
    struct rj_lmdb_dir d = {.fd = -1, .lock_fd = -1};
    enum rj_err err = open_dir(&d, path);
    bool is_whole = false;
    int stale;

    if (err == RJ_OK)
        err = lock_dir(&d);
    if (err == RJ_OK)
        err = make_data(&d, path);
    if (err == RJ_OK)
        err = check_metas(&d);
    if (err == RJ_OK)
        err = open_env(&d, path, size_max_bytes);
    if (err == RJ_OK)
        err = measure(&d, &is_whole);
    /* First of all, where it can be: a store of another format is left as it is. */
    if (err == RJ_OK && is_whole)
        err = read_format(&d);
    if (err == RJ_OK)
        err = settle(&d, is_whole);
    if (err == RJ_OK && mdb_reader_check(d.env, &stale) != 0)
        err = fail(&d, RJ_EIO, "open", "the table of readers cannot be checked");
    if (err == RJ_OK && !is_whole)
        err = read_format(&d);
    if (err != RJ_OK)
        rj_lmdb_dir_close(&d);
    *ret = d;
    return err;
}

void rj_lmdb_dir_close(struct rj_lmdb_dir *d)
{
    if (d->env != NULL)
        mdb_env_close(d->env);
    if (d->lock_fd >= 0)
        (void)close(d->lock_fd);
    if (d->fd >= 0)
        (void)close(d->fd);
    d->env = NULL;
    d->fd = d->lock_fd = -1;
}

/* ---- room */

uint64_t rj_lmdb_dir_free(const struct rj_lmdb_dir *d)
{
    struct statvfs st;
    uint64_t bytes;

    if (fstatvfs(d->fd, &st) != 0 ||
        __builtin_mul_overflow((uint64_t)st.f_bavail, (uint64_t)st.f_frsize, &bytes))
        return UINT64_MAX;
    return bytes;
}

bool rj_lmdb_dir_is_full(const struct rj_lmdb_dir *d)
{
    static const uint8_t zeros[PROBE_BYTES];
    int fd =
        openat(d->fd, "probe", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    ssize_t n;
    bool full;

    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT;
    n = write(fd, zeros, sizeof(zeros));
    full = n >= 0 ? n < (ssize_t)sizeof(zeros) : errno == ENOSPC || errno == EDQUOT;
    (void)close(fd);
    (void)unlinkat(d->fd, "probe", 0);
    return full;
}
