/* SPDX-License-Identifier: Apache-2.0 */
/* The store in memory: versions of one persistent tree (store/memory_tree.h). A view owns
 * the version of its opening; a batch is built aside and takes the place of the current
 * version when it is whole, so it is all there or not at all.
 * For the simulator the store is a disk as well: it keeps the version that is durable and
 * one for each batch since, and a crash goes back to one of them. A batch is never torn,
 * because the store that this one stands for commits atomically (store/lmdb.c); which of
 * the unsynced batches survive is all that a crash decides. */
#include "store/memory.h"

#include "base/alloc.h"
#include "base/prng.h"
#include "store/memory_tree.h"
#include "store/stored.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

struct version {
    struct rj_memory_node *root;
};

struct memory_store {
    struct rj_store store;
    pthread_mutex_t lock;           /* of now and store.why */
    struct rj_memory_node *now;     /* what views see */
    struct rj_memory_node *durable; /* what a crash cannot take */
    struct version *unsynced;       /* after each batch since, oldest first */
    size_t unsynced_n, unsynced_cap;
    uint64_t bytes_max; /* UINT64_MAX: unlimited */
    bool fail_armed;
    uint64_t fail_after;
    atomic_bool finished; /* after RJ_EIO */
};

struct memory_view {
    struct memory_store *store;
    struct rj_memory_node *root;
};

static const struct rj_store_ops memory_ops;

static struct memory_store *of_store(struct rj_store *s)
{
    return (struct memory_store *)(void *)s;
}

static const struct memory_store *of_store_const(const struct rj_store *s)
{
    return (const struct memory_store *)(const void *)s;
}

static struct memory_view *of_view(struct rj_view *v)
{
    return (struct memory_view *)(void *)v;
}

static enum rj_err fail(struct memory_store *m, enum rj_err err, const char *why)
{
    (void)pthread_mutex_lock(&m->lock);
    (void)snprintf(m->store.why, sizeof(m->store.why), "%s", why);
    (void)pthread_mutex_unlock(&m->lock);
    return err;
}

static enum rj_err fail_finished(struct memory_store *m)
{
    return fail(m, RJ_EIO, "a sync failed before; the store must be opened again");
}

static void forget_unsynced(struct memory_store *m, size_t n)
{
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        rj_memory_tree_unref(m->unsynced[i].root);
    m->unsynced_n -= n;
    memmove(m->unsynced, m->unsynced + n, m->unsynced_n * sizeof(m->unsynced[0]));
}

/* Makes the n oldest batches durable. */
static void settle(struct memory_store *m, size_t n)
{
    if (n == 0)
        return;
    rj_memory_tree_unref(m->durable);
    m->durable = rj_memory_tree_ref(m->unsynced[n - 1].root);
    forget_unsynced(m, n);
}

static enum rj_err reserve_unsynced(struct memory_store *m)
{
    size_t cap = m->unsynced_cap > 0 ? 2 * m->unsynced_cap : 8;
    struct version *grown;

    if (m->unsynced_n < m->unsynced_cap)
        return RJ_OK;
    grown = rj_alloc_resize(m->unsynced, cap, sizeof(grown[0]));
    if (grown == NULL)
        return RJ_ENOMEM;
    m->unsynced = grown;
    m->unsynced_cap = cap;
    return RJ_OK;
}

/* The disk writes back. RJ_EIO when that was told to fail. */
static enum rj_err sync_all(struct memory_store *m)
{
    if (m->fail_armed && m->fail_after-- == 0) {
        m->fail_armed = false;
        atomic_store(&m->finished, true);
        return fail(m, RJ_EIO, "sync failed");
    }
    settle(m, m->unsynced_n);
    return RJ_OK;
}

static enum rj_err apply_range(struct rj_memory_node **root, struct rj_bytes from,
                               struct rj_bytes to)
{
    const struct rj_memory_record *r;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && (r = rj_memory_tree_seek(*root, RJ_SEEK_GE, from)) != NULL &&
           rj_bytes_compare(r->key, to) < 0)
        err = rj_memory_tree_delete(root, r->key);
    return err;
}

static enum rj_err apply(struct rj_memory_node **root, const struct rj_write *w)
{
    if (w->kind == RJ_WRITE_DELETE_RANGE)
        return apply_range(root, w->key, w->value);
    if (w->key.len == 0)
        return RJ_EINVAL;
    if (w->key.len > RJ_STORE_KEY_MAX || w->value.len > RJ_STORE_VALUE_MAX)
        return RJ_ELIMIT;
    return w->kind == RJ_WRITE_PUT ? rj_memory_tree_put(root, w->key, w->value, false)
                                   : rj_memory_tree_delete(root, w->key);
}

/* The version after the batch, in *root. */
static enum rj_err apply_all(struct memory_store *m, const struct rj_writes *w,
                             struct rj_memory_node **root)
{
    uint64_t before = rj_memory_tree_bytes(*root);
    struct rj_write one;
    size_t pos = 0;

    while (rj_writes_next(w, &pos, &one)) {
        enum rj_err err = apply(root, &one);

        if (err != RJ_OK)
            return fail(m, err, rj_err_text(err));
    }
    if (rj_memory_tree_bytes(*root) > m->bytes_max &&
        rj_memory_tree_bytes(*root) > before)
        return fail(m, RJ_EFULL, "no room left");
    return RJ_OK;
}

static enum rj_err memory_write(struct rj_store *s, const struct rj_writes *w,
                                bool durable)
{
    struct memory_store *m = of_store(s);
    struct rj_memory_node *root = NULL, *old;
    enum rj_err err;

    if (atomic_load(&m->finished))
        return fail_finished(m);
    if (w->failed)
        return fail(m, RJ_ENOMEM, "out of memory while the batch was made");
    if (w->count == 0)
        return durable ? sync_all(m) : RJ_OK;
    err = reserve_unsynced(m);
    if (err != RJ_OK)
        return err;
    root = rj_memory_tree_ref(m->now);
    err = apply_all(m, w, &root);
    if (err != RJ_OK) {
        rj_memory_tree_unref(root);
        return err;
    }
    (void)pthread_mutex_lock(&m->lock);
    old = m->now;
    m->now = root;
    (void)pthread_mutex_unlock(&m->lock);
    rj_memory_tree_unref(old);
    m->unsynced[m->unsynced_n++].root = rj_memory_tree_ref(root);
    if (durable)
        return sync_all(m);
    if (m->unsynced_n > RJ_STORE_MEMORY_UNSYNCED_MAX)
        settle(m, m->unsynced_n - RJ_STORE_MEMORY_UNSYNCED_MAX);
    return RJ_OK;
}

static enum rj_err memory_sync(struct rj_store *s)
{
    struct memory_store *m = of_store(s);

    return atomic_load(&m->finished) ? fail_finished(m) : sync_all(m);
}

static enum rj_err memory_view_open(struct rj_store *s, struct rj_view **ret_view)
{
    struct memory_store *m = of_store(s);
    struct memory_view *v;

    if (atomic_load(&m->finished))
        return fail_finished(m);
    v = rj_alloc_array(1, sizeof(*v));
    if (v == NULL)
        return fail(m, RJ_ENOMEM, "out of memory");
    v->store = m;
    (void)pthread_mutex_lock(&m->lock);
    v->root = rj_memory_tree_ref(m->now);
    (void)pthread_mutex_unlock(&m->lock);
    *ret_view = (struct rj_view *)(void *)v;
    return RJ_OK;
}

static enum rj_err memory_seek(struct rj_view *view, enum rj_seek how,
                               struct rj_bytes key, struct rj_bytes *ret_key,
                               struct rj_bytes *ret_value)
{
    struct memory_view *v = of_view(view);
    const struct rj_memory_record *r;

    if (atomic_load(&v->store->finished))
        return fail_finished(v->store);
    r = rj_memory_tree_seek(v->root, how, key);
    if (r == NULL)
        return RJ_ENOENT;
    if (!rj_memory_tree_intact(r)) {
        char text[RJ_STORED_TEXT], why[RJ_STORED_TEXT + 40];

        rj_stored_key_text(r->key, text);
        (void)snprintf(why, sizeof(why), "checksum does not match, key %s", text);
        return fail(v->store, RJ_ECORRUPT, why);
    }
    *ret_key = r->key;
    *ret_value = r->value;
    return RJ_OK;
}

static void memory_view_close(struct rj_view *view)
{
    struct memory_view *v = of_view(view);

    if (v == NULL)
        return;
    rj_memory_tree_unref(v->root);
    free(v);
}

static enum rj_err memory_room(struct rj_store *s, uint64_t *ret_bytes)
{
    struct memory_store *m = of_store(s);
    uint64_t used = rj_memory_tree_bytes(m->now);

    if (atomic_load(&m->finished))
        return fail_finished(m);
    if (m->bytes_max == UINT64_MAX)
        *ret_bytes = UINT64_MAX;
    else
        *ret_bytes = used < m->bytes_max ? m->bytes_max - used : 0;
    return RJ_OK;
}

static void memory_close(struct rj_store *s)
{
    struct memory_store *m = of_store(s);

    if (m == NULL)
        return;
    forget_unsynced(m, m->unsynced_n);
    free(m->unsynced);
    rj_memory_tree_unref(m->durable);
    rj_memory_tree_unref(m->now);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}

enum rj_err rj_store_memory_open(struct rj_store **ret_store)
{
    struct memory_store *m = rj_alloc_zero(1, sizeof(*m));

    if (m == NULL)
        return RJ_ENOMEM;
    if (pthread_mutex_init(&m->lock, NULL) != 0) {
        free(m);
        return RJ_ENOMEM;
    }
    atomic_init(&m->finished, false);
    m->store.ops = &memory_ops;
    m->bytes_max = UINT64_MAX;
    *ret_store = &m->store;
    return RJ_OK;
}

/* ---- for tests and the simulator */

/* The only version left is the one given, and it is durable. */
static void restart_from(struct memory_store *m, struct rj_memory_node *take_root)
{
    struct rj_memory_node *now = m->now, *durable = m->durable;

    m->now = take_root;
    m->durable = rj_memory_tree_ref(take_root);
    forget_unsynced(m, m->unsynced_n);
    rj_memory_tree_unref(now);
    rj_memory_tree_unref(durable);
}

void rj_store_memory_crash(struct rj_store *s, enum rj_store_memory_lose lose,
                           uint64_t seed)
{
    struct memory_store *m = of_store(s);
    struct rj_prng prng;
    size_t kept = 0;

    rj_prng_init(&prng, seed);
    if (lose == RJ_STORE_MEMORY_LOSE_NONE)
        kept = m->unsynced_n;
    else if (lose == RJ_STORE_MEMORY_LOSE_SOME)
        kept = (size_t)rj_prng_below(&prng, m->unsynced_n + 1);
    restart_from(m,
                 rj_memory_tree_ref(kept > 0 ? m->unsynced[kept - 1].root : m->durable));
    m->fail_armed = false;
    m->store.why[0] = '\0';
    atomic_store(&m->finished, false);
}

static enum rj_err copy_of(struct rj_memory_node *root, struct rj_store **ret)
{
    struct rj_store *s;
    enum rj_err err = rj_store_memory_open(&s);

    if (err != RJ_OK)
        return err;
    restart_from(of_store(s), rj_memory_tree_ref(root));
    *ret = s;
    return RJ_OK;
}

enum rj_err rj_store_memory_clone(struct rj_store *s, struct rj_store **ret)
{
    return copy_of(of_store(s)->durable, ret);
}

enum rj_err rj_store_memory_copy(struct rj_store *s, struct rj_store **ret)
{
    return copy_of(of_store(s)->now, ret);
}

size_t rj_store_memory_unsynced(const struct rj_store *s)
{
    return of_store_const(s)->unsynced_n;
}

void rj_store_memory_set_room(struct rj_store *s, uint64_t bytes)
{
    struct memory_store *m = of_store(s);
    uint64_t used = rj_memory_tree_bytes(m->now);

    m->bytes_max = bytes <= UINT64_MAX - used ? used + bytes : UINT64_MAX;
}

void rj_store_memory_fail_sync(struct rj_store *s, uint64_t after)
{
    struct memory_store *m = of_store(s);

    m->fail_armed = true;
    m->fail_after = after;
}

/* Damages the record of key in one version if it is the one meant there. */
static enum rj_err corrupt_in(struct rj_memory_node **root, struct rj_bytes key,
                              const struct rj_memory_record *meant)
{
    struct rj_memory_node *damaged;
    enum rj_err err;

    if (rj_memory_tree_seek(*root, RJ_SEEK_EQ, key) != meant)
        return RJ_OK;
    damaged = rj_memory_tree_ref(*root);
    err = rj_memory_tree_put(&damaged, key, meant->value, true);
    if (err == RJ_OK) {
        rj_memory_tree_unref(*root);
        *root = damaged;
    } else {
        rj_memory_tree_unref(damaged);
    }
    return err;
}

enum rj_err rj_store_memory_corrupt(struct rj_store *s, struct rj_bytes key)
{
    struct memory_store *m = of_store(s);
    struct rj_memory_node *kept = rj_memory_tree_ref(m->now);
    const struct rj_memory_record *r = rj_memory_tree_seek(kept, RJ_SEEK_EQ, key);
    enum rj_err err = r != NULL ? RJ_OK : RJ_ENOENT;

    if (err == RJ_OK)
        err = corrupt_in(&m->durable, key, r);
    for (size_t i = 0; err == RJ_OK && i < m->unsynced_n; i++)
        err = corrupt_in(&m->unsynced[i].root, key, r);
    if (err == RJ_OK)
        err = corrupt_in(&m->now, key, r);
    rj_memory_tree_unref(kept);
    return err;
}

static const struct rj_store_ops memory_ops = {
    .write = memory_write,
    .sync = memory_sync,
    .view_open = memory_view_open,
    .seek = memory_seek,
    .view_close = memory_view_close,
    .room = memory_room,
    .close = memory_close,
};
