/* SPDX-License-Identifier: Apache-2.0 */
/* The store on LMDB (Chu, "MDB: A Memory-Mapped Database and Backend for OpenLDAP",
 * 2011): a copy-on-write B-tree with two alternating meta pages, one writer, snapshots
 * for free.
 *
 * Durability. Every batch is a transaction of its own. LMDB syncs its pages before it
 * writes the meta page that names them, always; durable decides only whether the meta
 * page is synced too (MDB_NOMETASYNC: one sync instead of two). So a batch that is not
 * durable can be lost when the machine crashes, but nothing can be torn: pages that one
 * of the last two meta pages can reach are never reused, and the sync of the pages of the
 * next transaction, or sync(), covers the meta page of this one. MDB_NOSYNC would save
 * the other sync and lose the whole file to a disk that reorders writes; collecting
 * batches in memory would need views over two sources for a case that is rare, since
 * callers put a second of work into one batch. A batch survives a crash of the process
 * alone in any case.
 *
 * Errors. A failed write of pages leaves the old meta page in force: nothing changed.
 * That is safe to go on from when the disk was full, and only then: any other failure of
 * a write or a sync finishes the instance (store/lmdb_dir.c says what an open does then).
 *
 * Room. Deleting needs new pages as well, so a part of the size stays reserved: batches
 * with nothing but puts do not get it. LMDB 0.9.24 loses 1 MiB of memory for each batch
 * that changes more than 131,071 pages (512 MiB); it stays correct. */
#include "base/alloc.h"
#include "store/lmdb_batch.h"
#include "store/lmdb_dir.h"
#include "store/lmdb_tree.h"
#include "store/stored.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
    RESERVE_SHARE = 16,       /* this part of the size is for batches that delete */
    RESERVE_MIN = 128 * 1024, /* between these limits */
    RESERVE_MAX = 64 * 1024 * 1024,
    FREE_RECORDS_MAX = 1024, /* of the list of free pages, that room() looks at */
    FREE_TABLE = 0,          /* where LMDB keeps that list: page numbers by transaction */
    LINE = 64,               /* of the cache */
    AHEAD = 4                /* writes whose memory is asked for before their turn */
};

struct lmdb_store {
    struct rj_store store;
    struct rj_lmdb_dir dir;
    pthread_mutex_t why_lock; /* of store.why: views fail in other threads */
    uint64_t reserve;
    bool unsynced;        /* a batch since the last sync was not durable */
    atomic_bool finished; /* after RJ_EIO */
    atomic_uint views;
};

struct lmdb_view {
    struct lmdb_store *store;
    MDB_txn *txn;
    struct rj_lmdb_tree tree;
};

static const struct rj_store_ops lmdb_ops;

static struct lmdb_store *of_store(struct rj_store *s)
{
    return (struct lmdb_store *)(void *)s;
}

static struct lmdb_view *of_view(struct rj_view *v)
{
    return (struct lmdb_view *)(void *)v;
}

static enum rj_err fail(struct lmdb_store *l, enum rj_err err, const char *doing,
                        const char *why)
{
    (void)pthread_mutex_lock(&l->why_lock);
    (void)snprintf(l->store.why, sizeof(l->store.why), "%s: %s", doing, why);
    (void)pthread_mutex_unlock(&l->why_lock);
    return err;
}

static enum rj_err fail_finished(struct lmdb_store *l)
{
    return fail(l, RJ_EIO, "finished", "the disk failed before; open the store again");
}

static enum rj_err finish(struct lmdb_store *l, int rc, const char *doing)
{
    atomic_store(&l->finished, true);
    return fail(l, RJ_EIO, doing, mdb_strerror(rc));
}

static enum rj_err fail_tree(struct lmdb_store *l, const struct rj_lmdb_tree *t,
                             enum rj_err err, const char *doing)
{
    if (err == RJ_ECORRUPT && t->damage != NULL)
        return fail(l, err, doing, t->damage);
    if (t->mdb_err != 0)
        return fail(l, err, doing, mdb_strerror(t->mdb_err));
    return fail(l, err, doing, rj_err_text(err));
}

/* ---- room */

/* Bytes in pages that are free in the file, as far as a look at the list shows. */
static enum rj_err free_in_file(struct lmdb_store *l, uint64_t *ret)
{
    MDB_val key, value;
    MDB_cursor *cursor;
    MDB_txn *txn;
    uint64_t pages = 0;
    size_t n, seen = 0;
    int rc = mdb_txn_begin(l->dir.env, NULL, MDB_RDONLY, &txn);

    if (rc != 0)
        return fail(l, rj_lmdb_tree_err(rc), "room", mdb_strerror(rc));
    rc = mdb_cursor_open(txn, FREE_TABLE, &cursor);
    if (rc == 0) {
        while (seen++ < FREE_RECORDS_MAX &&
               (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
            n = 0;
            if (value.mv_size >= sizeof(n))
                memcpy(&n, value.mv_data, sizeof(n)); /* how many pages it lists */
            pages += n;
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return fail(l, rj_lmdb_tree_err(rc), "room", mdb_strerror(rc));
    *ret = pages * l->dir.page_size;
    return RJ_OK;
}

/* Bytes by which the file can still grow. */
static uint64_t free_behind_file(struct lmdb_store *l)
{
    uint64_t disk = rj_lmdb_dir_free(&l->dir), used, behind = 0;
    MDB_envinfo info;

    (void)mdb_env_info(l->dir.env, &info); /* fails without arguments only */
    used = ((uint64_t)info.me_last_pgno + 1) * l->dir.page_size;
    if (used < l->dir.size_max)
        behind = l->dir.size_max - used;
    return behind < disk ? behind : disk;
}

/* What puts may still take. Half of the free pages is not promised: a page is copied
 * before it is changed, and pages are not full. */
static enum rj_err put_room(struct lmdb_store *l, uint64_t *ret)
{
    uint64_t pages = 0;
    enum rj_err err = free_in_file(l, &pages);

    if (err != RJ_OK)
        return err;
    pages += free_behind_file(l);
    *ret = pages > l->reserve ? (pages - l->reserve) / 2 : 0;
    return RJ_OK;
}

static enum rj_err lmdb_room(struct rj_store *s, uint64_t *ret_bytes)
{
    struct lmdb_store *l = of_store(s);

    return atomic_load(&l->finished) ? fail_finished(l) : put_room(l, ret_bytes);
}

static enum rj_err check_room(struct lmdb_store *l, const struct rj_lmdb_batch *b)
{
    uint64_t room = free_behind_file(l);
    enum rj_err err = RJ_OK;

    if (room > l->reserve && b->put_bytes <= (room - l->reserve) / 2)
        return RJ_OK;
    if (b->deletes && b->put_bytes <= l->reserve / RESERVE_SHARE)
        return RJ_OK;
    err = put_room(l, &room);
    if (err == RJ_OK && b->put_bytes > room)
        err = fail(l, RJ_EFULL, "write", "no room left");
    return err;
}

/* ---- writing */

/* Sorted writes lie all over the batch: asks for those that come soon. */
static void fetch(const struct rj_lmdb_batch *b, size_t i)
{
    const char *key;

    if (i >= b->count)
        return;
    key = (const char *)b->ops[i].writes->buf + b->ops[i].pos;
    __builtin_prefetch(key);
    __builtin_prefetch(key + LINE);
}

static enum rj_err apply(struct rj_lmdb_tree *t, const struct rj_lmdb_batch *b)
{
    enum rj_err err = RJ_OK;

    for (size_t i = 0; i < b->count && err == RJ_OK; i++) {
        struct rj_write w = rj_lmdb_op_write(&b->ops[i]);

        fetch(b, i + AHEAD);
        switch (w.kind) {
        case RJ_WRITE_PUT:
            err = rj_lmdb_tree_put(t, w.key, w.value);
            break;
        case RJ_WRITE_DELETE:
            err = rj_lmdb_tree_delete(t, w.key);
            break;
        case RJ_WRITE_DELETE_RANGE:
            err = rj_lmdb_tree_delete_range(t, w.key, w.value);
            break;
        }
    }
    return err;
}

/* After a transaction that LMDB gave up with rc: is it the disk that has no room? LMDB
 * says EIO for a write that was cut short, and it must not have failed at the meta page
 * (MDB_PANIC from then on). */
static enum rj_err give_up(struct lmdb_store *l, int rc)
{
    enum rj_err err = rj_lmdb_tree_err(rc);
    MDB_txn *txn;
    int again;

    if (err != RJ_EIO && err != RJ_EFULL)
        return fail(l, err, "write", mdb_strerror(rc));
    again = mdb_txn_begin(l->dir.env, NULL, MDB_RDONLY, &txn);
    if (again == 0)
        mdb_txn_abort(txn);
    if (again != MDB_PANIC &&
        (err == RJ_EFULL || (rc == EIO && rj_lmdb_dir_is_full(&l->dir))))
        return fail(l, RJ_EFULL, "write", "no room left");
    return finish(l, rc, "write");
}

static enum rj_err write_batch(struct lmdb_store *l, const struct rj_lmdb_batch *b)
{
    struct rj_lmdb_tree tree;
    MDB_txn *txn;
    enum rj_err err;
    int rc = mdb_txn_begin(l->dir.env, NULL, 0, &txn);

    if (rc != 0)
        return give_up(l, rc);
    err = rj_lmdb_tree_init(&tree, txn, l->dir.dbi, (struct rj_bytes){0}, 0);
    if (err == RJ_OK)
        err = apply(&tree, b);
    rc = tree.mdb_err;
    if (err != RJ_OK && err != RJ_EIO && err != RJ_EFULL)
        (void)fail_tree(l, &tree, err, "write");
    rj_lmdb_tree_done(&tree);
    if (err != RJ_OK) {
        mdb_txn_abort(txn);
        return err == RJ_EIO || err == RJ_EFULL ? give_up(l, rc) : err;
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 ? RJ_OK : give_up(l, rc);
}

static enum rj_err sync_now(struct lmdb_store *l)
{
    int rc;

    if (!l->unsynced)
        return RJ_OK;
    rc = mdb_env_sync(l->dir.env, 1);
    if (rc != 0)
        return finish(l, rc, "sync");
    l->unsynced = false;
    return RJ_OK;
}

static size_t last_transaction(const struct lmdb_store *l)
{
    MDB_envinfo info;

    (void)mdb_env_info(l->dir.env, &info);
    return info.me_last_txnid;
}

/* Writes a batch that is not empty. */
static enum rj_err write_ops(struct lmdb_store *l, const struct rj_lmdb_batch *b,
                             bool durable)
{
    size_t last = last_transaction(l);
    enum rj_err err = b->put_bytes > 0 ? check_room(l, b) : RJ_OK;

    if (err != RJ_OK)
        return err;
    (void)mdb_env_set_flags(l->dir.env, MDB_NOMETASYNC, !durable);
    err = write_batch(l, b);
    if (err != RJ_OK)
        return err;
    /* A batch that deletes what is not there is no transaction and syncs nothing. */
    if (last_transaction(l) == last)
        return durable ? sync_now(l) : RJ_OK;
    l->unsynced = !durable;
    return RJ_OK;
}

static enum rj_err lmdb_write(struct rj_store *s, const struct rj_writes *w, bool durable)
{
    struct lmdb_store *l = of_store(s);
    struct rj_lmdb_batch batch;
    enum rj_err err;

    if (atomic_load(&l->finished))
        return fail_finished(l);
    if (w->failed)
        return fail(l, RJ_ENOMEM, "write", "out of memory while the batch was made");
    if (w->count == 0)
        return durable ? sync_now(l) : RJ_OK;
    err = rj_lmdb_batch_init(&batch, w);
    if (err != RJ_OK)
        return fail(l, err, "write", rj_err_text(err));
    err = write_ops(l, &batch, durable);
    rj_lmdb_batch_done(&batch);
    return err;
}

static enum rj_err lmdb_sync(struct rj_store *s)
{
    struct lmdb_store *l = of_store(s);

    return atomic_load(&l->finished) ? fail_finished(l) : sync_now(l);
}

/* ---- reading */

static enum rj_err lmdb_view_open(struct rj_store *s, struct rj_view **ret_view)
{
    struct lmdb_store *l = of_store(s);
    struct lmdb_view *v;
    MDB_envinfo info;
    struct rj_bytes map;
    enum rj_err err;
    int rc;

    if (atomic_load(&l->finished))
        return fail_finished(l);
    v = rj_alloc_zero(1, sizeof(*v));
    if (v == NULL)
        return fail(l, RJ_ENOMEM, "view", "out of memory");
    v->store = l;
    rc = mdb_txn_begin(l->dir.env, NULL, MDB_RDONLY, &v->txn);
    if (rc != 0) {
        free(v);
        return fail(l, rj_lmdb_tree_err(rc), "view", mdb_strerror(rc));
    }
    /* Not smaller than what the view can see: asked for after the view began. */
    (void)mdb_env_info(l->dir.env, &info);
    map = rj_bytes_of(l->dir.map, (info.me_last_pgno + 1) * l->dir.page_size);
    err = rj_lmdb_tree_init(&v->tree, v->txn, l->dir.dbi, map, l->dir.page_size);
    if (err != RJ_OK) {
        mdb_txn_abort(v->txn);
        free(v);
        return fail(l, err, "view", rj_err_text(err));
    }
    atomic_fetch_add(&l->views, 1);
    *ret_view = (struct rj_view *)(void *)v;
    return RJ_OK;
}

static enum rj_err lmdb_seek(struct rj_view *view, enum rj_seek how, struct rj_bytes key,
                             struct rj_bytes *ret_key, struct rj_bytes *ret_value)
{
    struct lmdb_view *v = of_view(view);
    struct rj_bytes found_key, found_value;
    enum rj_err err;

    if (atomic_load(&v->store->finished))
        return fail_finished(v->store);
    err = rj_lmdb_tree_seek(&v->tree, how, key, &found_key, &found_value);
    if (err == RJ_OK) {
        *ret_key = found_key;
        *ret_value = found_value;
    } else if (err != RJ_ENOENT) {
        char text[RJ_STORED_TEXT], doing[RJ_STORED_TEXT + 24];

        rj_stored_key_text(key, text);
        (void)snprintf(doing, sizeof(doing), "read at key %s", text);
        (void)fail_tree(v->store, &v->tree, err, doing);
    }
    return err;
}

static void lmdb_view_close(struct rj_view *view)
{
    struct lmdb_view *v = of_view(view);

    if (v == NULL)
        return;
    rj_lmdb_tree_done(&v->tree);
    mdb_txn_abort(v->txn);
    atomic_fetch_sub(&v->store->views, 1);
    free(v);
}

/* ---- opening and closing */

static void lmdb_close(struct rj_store *s)
{
    struct lmdb_store *l = of_store(s);

    if (l == NULL)
        return;
    assert(atomic_load(&l->views) == 0); /* views are closed before their store */
    if (!atomic_load(&l->finished))
        (void)sync_now(l);
    rj_lmdb_dir_close(&l->dir);
    (void)pthread_mutex_destroy(&l->why_lock);
    free(l);
}

/* The reserve of a store that can grow to what its limit and its disk have. */
static void measure(struct lmdb_store *l)
{
    uint64_t size = l->dir.size_max, disk = rj_lmdb_dir_free(&l->dir);
    MDB_envinfo info;

    (void)mdb_env_info(l->dir.env, &info);
    disk +=
        disk < UINT64_MAX / 2 ? ((uint64_t)info.me_last_pgno + 1) * l->dir.page_size : 0;
    l->reserve = (size < disk ? size : disk) / RESERVE_SHARE;
    if (l->reserve < RESERVE_MIN)
        l->reserve = RESERVE_MIN;
    if (l->reserve > RESERVE_MAX)
        l->reserve = RESERVE_MAX;
}

enum rj_err rj_store_lmdb_open(const char *path, uint64_t size_max_bytes, char *why,
                               size_t why_len, struct rj_store **ret_store)
{
    struct lmdb_store *l = rj_alloc_zero(1, sizeof(*l));
    enum rj_err err = RJ_ENOMEM;

    if (l != NULL && pthread_mutex_init(&l->why_lock, NULL) != 0) {
        free(l);
        l = NULL;
    }
    if (l != NULL)
        err = rj_lmdb_dir_open(path, size_max_bytes, &l->dir);
    if (why != NULL && why_len > 0)
        (void)snprintf(why, why_len, "%s",
                       err == RJ_OK                         ? ""
                       : l != NULL && l->dir.why[0] != '\0' ? l->dir.why
                                                            : rj_err_text(err));
    if (err == RJ_OK) {
        atomic_init(&l->finished, false);
        atomic_init(&l->views, 0);
        l->store.ops = &lmdb_ops;
        measure(l);
        *ret_store = &l->store;
    } else if (l != NULL) {
        (void)pthread_mutex_destroy(&l->why_lock);
        free(l);
    }
    return err;
}

static const struct rj_store_ops lmdb_ops = {
    .write = lmdb_write,
    .sync = lmdb_sync,
    .view_open = lmdb_view_open,
    .seek = lmdb_seek,
    .view_close = lmdb_view_close,
    .room = lmdb_room,
    .close = lmdb_close,
};
