/* SPDX-License-Identifier: Apache-2.0 */
/* Crashes of the process, of the machine, and of the disk. The system calls with which
 * LMDB writes are defined here, so the dynamic linker gives these to LMDB too: they can
 * fail on demand, and they keep a record from which the disk can be made as it may look
 * when the power went at any moment: what was synced is there; of the rest each sector of
 * 512 bytes is old or new, whatever the order of the writes. */
#include "base/be.h"
#include "base/prng.h"
#include "support/lmdb_store.h"
#include "support/store_model.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECTOR = 512, EVENTS_MAX = 20000 };

/* ---- the disk */

enum event_kind {
    EV_WRITE,       /* to the cache of the system */
    EV_WRITE_DSYNC, /* to the disk */
    EV_TRUNCATE,
    EV_SYNC,
    EV_SYNC_FAILED, /* what was in the cache counts as written and is not */
    EV_BEGIN,       /* batch id is handed to the store */
    EV_DURABLE,     /* ... is acknowledged as durable */
    EV_OPENED       /* the store was opened and read; its last batch is id */
};

struct event {
    enum event_kind kind;
    uint64_t off, id;
    uint8_t *data;
    size_t len;
};

static struct {
    bool recording;
    ino_t inode; /* of the file that is watched */
    struct event *events;
    size_t n;
    bool fail_sync, fail_write, fail_meta, cut_short;
} disk;

static struct event *record(enum event_kind kind, uint64_t off, const void *data,
                            size_t len)
{
    struct event *e = &disk.events[disk.n];

    if (!disk.recording)
        return NULL;
    assert_true(disk.n < EVENTS_MAX);
    disk.n++;
    *e = (struct event){.kind = kind, .off = off, .len = len};
    if (data != NULL) {
        e->data = malloc(len + 1);
        assert_non_null(e->data);
        memcpy(e->data, data, len);
    }
    return e;
}

static void mark(enum event_kind kind, uint64_t id)
{
    struct event *e = record(kind, 0, NULL, 0);

    if (e != NULL)
        e->id = id;
}

static bool is_watched(int fd)
{
    struct stat st;

    return disk.inode != 0 && fstat(fd, &st) == 0 && st.st_ino == disk.inode;
}

#define EXPORT __attribute__((visibility("default")))
EXPORT ssize_t pwrite(int fd, const void *buf, size_t len, off_t off);
EXPORT ssize_t writev(int fd, const struct iovec *iov, int n);
EXPORT int fdatasync(int fd);
EXPORT int ftruncate(int fd, off_t len);
EXPORT ssize_t write(int fd, const void *buf, size_t len);

static ssize_t fail_with(int code)
{
    errno = code;
    return -1;
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
    bool watched = is_watched(fd);
    bool dsync = watched && (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
    ssize_t n;

    if (watched && dsync && disk.fail_meta) { /* in the cache, perhaps on the disk too */
        n = syscall(SYS_pwrite64, fd, buf, len, off);
        (void)record(EV_WRITE, (uint64_t)off, buf, len);
        return fail_with(n < 0 ? errno : EIO);
    }
    if (watched && !dsync && disk.fail_write)
        return fail_with(EIO);
    if (watched && disk.cut_short && !dsync)
        len /= 2;
    n = syscall(SYS_pwrite64, fd, buf, len, off);
    if (watched && n > 0)
        (void)record(dsync ? EV_WRITE_DSYNC : EV_WRITE, (uint64_t)off, buf, (size_t)n);
    return n;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    off_t off = lseek(fd, 0, SEEK_CUR);
    ssize_t done = 0;

    if (!is_watched(fd))
        return syscall(SYS_writev, fd, iov, n);
    for (int i = 0; i < n; i++) {
        ssize_t one = pwrite(fd, iov[i].iov_base, iov[i].iov_len, off + done);

        if (one < 0)
            return done > 0 ? done : one;
        done += one;
        if ((size_t)one < iov[i].iov_len)
            break;
    }
    (void)lseek(fd, off + done, SEEK_SET);
    return done;
}

/* The true disk is never asked: no test here lets the true machine crash. */
int fdatasync(int fd)
{
    if (!is_watched(fd))
        return 0;
    (void)record(disk.fail_sync ? EV_SYNC_FAILED : EV_SYNC, 0, NULL, 0);
    return disk.fail_sync ? (int)fail_with(EIO) : 0;
}

int ftruncate(int fd, off_t len)
{
    if (is_watched(fd))
        (void)record(EV_TRUNCATE, (uint64_t)len, NULL, 0);
    return (int)syscall(SYS_ftruncate, fd, len);
}

ssize_t write(int fd, const void *buf, size_t len)
{
    if (disk.cut_short && fd > STDERR_FILENO)
        return fail_with(ENOSPC);
    return syscall(SYS_write, fd, buf, len);
}

static void disk_forget(void)
{
    for (size_t i = 0; i < disk.n; i++)
        free(disk.events[i].data);
    disk.n = 0;
    disk.recording = false;
    disk.inode = 0;
}

static void disk_heal(void)
{
    disk.fail_sync = disk.fail_write = disk.fail_meta = disk.cut_short = false;
}

/* ---- what the disk holds after a power loss */

struct image {
    uint8_t *b;
    size_t len, cap;
};

static void image_apply(struct image *im, const struct event *e, size_t from, size_t len)
{
    size_t end = (size_t)e->off + from + len;

    if (e->kind == EV_TRUNCATE)
        end = (size_t)e->off;
    assert_true(end <= im->cap);
    if (end > im->len)
        im->len = end; /* the file only grows */
    if (e->data != NULL)
        memcpy(im->b + e->off + from, e->data + from, len);
}

/* Each sector of a write that was not synced, or not. */
static void image_apply_some(struct image *im, const struct event *e, struct rj_prng *p)
{
    if (e->kind == EV_TRUNCATE && rj_prng_chance(p, 1, 2))
        image_apply(im, e, 0, 0);
    for (size_t at = 0; at < e->len;) {
        size_t n = SECTOR - (e->off + at) % SECTOR;

        if (n > e->len - at)
            n = e->len - at;
        if (rj_prng_chance(p, 1, 2))
            image_apply(im, e, at, n);
        at += n;
    }
}

static bool is_write(const struct event *e)
{
    return e->kind == EV_WRITE || e->kind == EV_WRITE_DSYNC || e->kind == EV_TRUNCATE;
}

/* The disk when the power went before event `cut`; image holds what it had at first. */
static void power_loss(struct image *im, size_t cut, struct rj_prng *p)
{
    bool *lost = calloc(cut + 1, sizeof(lost[0])); /* a sync that failed dropped it */
    size_t synced = 0;                             /* events before are on the disk */

    assert_non_null(lost);
    for (size_t i = 0; i < cut; i++) {
        const struct event *e = &disk.events[i];

        for (size_t j = synced; e->kind == EV_SYNC_FAILED && j < i; j++)
            lost[j] = true;
        if (e->kind == EV_WRITE_DSYNC)
            image_apply(im, e, 0, e->len);
        if (e->kind != EV_SYNC)
            continue;
        for (size_t j = synced; j < i; j++)
            if (is_write(&disk.events[j]) && !lost[j])
                image_apply(im, &disk.events[j], 0, disk.events[j].len);
        synced = i;
    }
    for (size_t j = synced; j < cut; j++)
        if (is_write(&disk.events[j]) && disk.events[j].kind != EV_WRITE_DSYNC)
            image_apply_some(im, &disk.events[j], p);
    free(lost);
}

/* ---- a store that is worked with while the disk is watched */

enum { BATCHES_MAX = 200, IMAGE_MAX = 64 << 20 };

struct work {
    struct rj_test_dir dir;
    char path[RJ_TEST_PATH_MAX], file[RJ_TEST_PATH_MAX];
    struct rj_prng prng;
    struct rj_store *s;
    struct rj_model states[BATCHES_MAX + 1]; /* states[id]: after that batch */
    uint64_t last;                           /* id of the last batch that is there */
    uint64_t used;                           /* ids given so far */
    uint8_t *base;                           /* the file when watching began */
    size_t base_len;
};

static void store_open(struct work *w)
{
    w->s = lmdb_test_open(w->path, 0);
}

static int set_up(void **state)
{
    struct work *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    rj_test_dir_init(&w->dir);
    rj_test_dir_path(&w->dir, "store", w->path);
    rj_test_dir_path(&w->dir, "store/data.mdb", w->file);
    disk.events = calloc(EVENTS_MAX, sizeof(disk.events[0]));
    assert_non_null(disk.events);
    rj_prng_init(&w->prng, 1);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct work *w = *state;

    disk_heal();
    disk_forget();
    free(disk.events);
    disk.events = NULL;
    for (size_t i = 0; i <= BATCHES_MAX; i++)
        rj_model_done(&w->states[i]);
    rj_test_dir_done(&w->dir);
    free(w->base);
    free(w);
    return 0;
}

static uint8_t *read_file(const char *path, size_t *ret_len)
{
    struct stat st;
    uint8_t *b;
    int fd = open(path, O_RDONLY);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    b = malloc((size_t)st.st_size + 1);
    assert_non_null(b);
    assert_int_equal(read(fd, b, (size_t)st.st_size), st.st_size);
    (void)close(fd);
    *ret_len = (size_t)st.st_size;
    return b;
}

/* The inode of the data file, from now on watched. */
static void watch(struct work *w)
{
    struct stat st;

    assert_int_equal(stat(w->file, &st), 0);
    disk.inode = st.st_ino;
}

/* Makes an empty store and begins to record. */
static void begin(struct work *w)
{
    store_open(w);
    w->s->ops->close(w->s);
    free(w->base);
    w->base = read_file(w->file, &w->base_len);
    watch(w);
    disk.recording = true;
    mark(EV_OPENED, 0);
    store_open(w);
}

/* One random batch with its id under the key "id"; RJ_OK or what the store said. */
static enum rj_err one_batch(struct work *w, bool durable)
{
    struct rj_writes batch = {0};
    uint64_t id = ++w->used;
    uint8_t be[8];
    enum rj_err err;

    assert_true(id <= BATCHES_MAX);
    rj_model_random_batch(&w->prng, &batch);
    rj_be_store64(be, id);
    rj_writes_put(&batch, RJ_BYTES_LIT("id"), RJ_BYTES_OF(be));
    rj_model_copy(&w->states[id], &w->states[w->last]);
    rj_model_apply(&w->states[id], &batch);
    mark(EV_BEGIN, id);
    err = w->s->ops->write(w->s, &batch, durable);
    if (err == RJ_OK)
        w->last = id;
    if (err == RJ_OK && durable)
        mark(EV_DURABLE, id);
    rj_writes_done(&batch);
    return err;
}

/* The id of the last batch in a store, the content of which must be what it was then. */
static uint64_t check_store(const struct work *w, struct rj_store *s)
{
    struct rj_bytes key, value;
    struct rj_view *v;
    uint64_t id = 0;
    enum rj_err err;

    assert_ok(s->ops->view_open(s, &v));
    err = s->ops->seek(v, RJ_SEEK_EQ, RJ_BYTES_LIT("id"), &key, &value);
    if (err == RJ_OK)
        id = rj_be_load64(value.ptr);
    else
        assert_err(RJ_ENOENT, err);
    assert_in_range(id, 0, w->used);
    rj_model_check_walks(&w->states[id], s, v);
    s->ops->view_close(v);
    return id;
}

/* True iff batch id may be the last one that a disk has when the power went before event
 * cut: not older than what was durable, nothing that was not begun. */
static bool may_be_last(uint64_t id, size_t cut)
{
    bool allowed = false;

    for (size_t i = 0; i < cut; i++) {
        const struct event *e = &disk.events[i];

        if (e->kind == EV_BEGIN && e->id == id)
            allowed = true;
        if (e->kind == EV_OPENED)
            allowed = e->id == id;
        if (e->kind == EV_DURABLE && e->id != id)
            allowed = false;
    }
    return allowed;
}

/* Cuts the power before event cut, opens what is left and works on with it. */
static void check_cut(struct work *w, size_t cut)
{
    struct image im = {.b = calloc(1, IMAGE_MAX), .cap = IMAGE_MAX, .len = w->base_len};
    char path[RJ_TEST_PATH_MAX], file[RJ_TEST_PATH_MAX], why[LMDB_TEST_WHY];
    struct rj_writes batch = {0};
    struct rj_store *s;
    uint64_t id;
    int fd;

    assert_non_null(im.b);
    memcpy(im.b, w->base, w->base_len);
    power_loss(&im, cut, &w->prng);
    rj_test_dir_path(&w->dir, "lost", path);
    rj_test_dir_path(&w->dir, "lost/data.mdb", file);
    (void)mkdir(path, 0700);
    fd = open(file, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(syscall(SYS_write, fd, im.b, im.len), im.len);
    (void)close(fd);
    free(im.b);
    if (rj_store_lmdb_open(path, 0, why, sizeof(why), &s) != RJ_OK)
        fail_msg("open after a power loss before event %zu: %s", cut, why);
    id = check_store(w, s);
    if (!may_be_last(id, cut))
        fail_msg("power loss before event %zu: batch %llu is the last one", cut,
                 (unsigned long long)id);
    rj_model_random_batch(&w->prng, &batch);
    assert_ok(s->ops->write(s, &batch, true));
    rj_writes_done(&batch);
    s->ops->close(s);
}

static void check_cuts(struct work *w, size_t times)
{
    size_t events = disk.n;

    disk.recording = false;
    disk.inode = 0;
    for (size_t i = 0; i < times; i++)
        check_cut(w, 1 + (size_t)rj_prng_below(&w->prng, events));
    check_cut(w, events);
}

/* ---- power loss */

TEST(a_power_loss_leaves_whole_batches_and_all_durable_ones)
{
    struct work *w = *cmocka_state;
    struct rj_view *old = NULL;

    begin(w);
    for (int i = 0; i < 60; i++) {
        assert_ok(one_batch(w, rj_prng_chance(&w->prng, 1, 3)));
        if (rj_prng_chance(&w->prng, 1, 6)) {
            assert_ok(w->s->ops->sync(w->s));
            mark(EV_DURABLE, w->last);
        }
        if (rj_prng_chance(&w->prng, 1, 6)) {
            struct rj_writes nothing = {0};

            rj_writes_delete(&nothing, RJ_BYTES_LIT("not there"));
            assert_ok(w->s->ops->write(w->s, &nothing, true));
            mark(EV_DURABLE, w->last);
            rj_writes_done(&nothing);
        }
        if (i == 20)
            assert_ok(w->s->ops->view_open(w->s, &old));
        if (i == 40)
            w->s->ops->view_close(old);
    }
    w->s->ops->close(w->s);
    check_cuts(w, 150);
}

TEST(what_an_open_reads_is_durable_even_after_a_failed_sync)
{
    struct work *w = *cmocka_state;

    begin(w);
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 3; i++)
            assert_ok(one_batch(w, rj_prng_chance(&w->prng, 1, 3)));
        disk.fail_sync = rj_prng_chance(&w->prng, 1, 2);
        disk.fail_meta = !disk.fail_sync;
        assert_err(RJ_EIO, one_batch(w, true));
        disk_heal();
        w->s->ops->close(w->s);
        store_open(w);
        w->last = check_store(w, w->s);
        mark(EV_OPENED, w->last);
    }
    w->s->ops->close(w->s);
    check_cuts(w, 150);
}

/* ---- a disk that fails */

/* After RJ_EIO nothing works; after an open everything does. */
static void check_finished(struct work *w, uint64_t at_least)
{
    struct rj_writes batch = {0};
    struct rj_view *v;
    uint64_t room;

    disk_heal();
    rj_writes_put(&batch, RJ_BYTES_LIT("k"), RJ_BYTES_LIT("v"));
    assert_err(RJ_EIO, w->s->ops->write(w->s, &batch, true));
    assert_err(RJ_EIO, w->s->ops->write(w->s, &batch, false));
    assert_err(RJ_EIO, w->s->ops->sync(w->s));
    assert_err(RJ_EIO, w->s->ops->view_open(w->s, &v));
    assert_err(RJ_EIO, w->s->ops->room(w->s, &room));
    rj_writes_done(&batch);
    assert_true(w->s->why[0] != '\0');
    w->s->ops->close(w->s);
    store_open(w);
    w->last = check_store(w, w->s);
    assert_true(w->last >= at_least);
    assert_ok(one_batch(w, true));
    (void)check_store(w, w->s);
    w->s->ops->close(w->s);
}

static void start(struct work *w)
{
    store_open(w);
    watch(w);
    assert_ok(one_batch(w, true));
    assert_ok(one_batch(w, true));
}

TEST(a_failed_sync_of_a_write_is_final)
{
    struct work *w = *cmocka_state;

    start(w);
    disk.fail_sync = true;
    assert_err(RJ_EIO, one_batch(w, true));
    check_finished(w, 2);
}

TEST(a_failed_sync_of_a_write_that_is_not_durable_is_final)
{
    struct work *w = *cmocka_state;

    start(w);
    disk.fail_sync = true;
    assert_err(RJ_EIO, one_batch(w, false));
    check_finished(w, 2);
}

TEST(a_failed_write_of_the_meta_page_is_final)
{
    struct work *w = *cmocka_state;

    start(w);
    disk.fail_meta = true;
    assert_err(RJ_EIO, one_batch(w, true));
    check_finished(w, 2);
}

TEST(a_failed_write_of_pages_is_final)
{
    struct work *w = *cmocka_state;

    start(w);
    disk.fail_write = true;
    assert_err(RJ_EIO, one_batch(w, true));
    check_finished(w, 2);
}

TEST(a_failed_sync_call_is_final)
{
    struct work *w = *cmocka_state;

    start(w);
    assert_ok(one_batch(w, false));
    disk.fail_sync = true;
    assert_err(RJ_EIO, w->s->ops->sync(w->s));
    check_finished(w, 2);
}

TEST(a_view_of_a_finished_store_is_finished_too)
{
    struct work *w = *cmocka_state;
    struct rj_bytes key, value;
    struct rj_view *v;

    start(w);
    assert_ok(w->s->ops->view_open(w->s, &v));
    assert_ok(w->s->ops->seek(v, RJ_SEEK_EQ, RJ_BYTES_LIT("id"), &key, &value));
    disk.fail_sync = true;
    assert_err(RJ_EIO, one_batch(w, true));
    assert_err(RJ_EIO, w->s->ops->seek(v, RJ_SEEK_EQ, RJ_BYTES_LIT("id"), &key, &value));
    w->s->ops->view_close(v);
    check_finished(w, 2);
}

TEST(a_write_cut_short_by_a_full_disk_changes_nothing)
{
    struct work *w = *cmocka_state;

    start(w);
    for (int i = 0; i < 3; i++) {
        disk.cut_short = true;
        assert_err(RJ_EFULL, one_batch(w, i % 2 == 0));
        disk_heal();
        assert_int_equal(check_store(w, w->s), w->last);
        assert_ok(one_batch(w, true));
        assert_int_equal(check_store(w, w->s), w->last);
    }
    w->s->ops->close(w->s);
}

TEST(a_sync_with_nothing_to_sync_does_not_ask_the_disk)
{
    struct work *w = *cmocka_state;

    start(w);
    disk.fail_sync = true;
    assert_ok(w->s->ops->sync(w->s));
    disk_heal();
    assert_ok(one_batch(w, true));
    w->s->ops->close(w->s);
}

TEST(a_durable_batch_that_changes_nothing_syncs_those_before)
{
    struct work *w = *cmocka_state;
    struct rj_writes nothing = {0};

    start(w);
    rj_writes_delete(&nothing, RJ_BYTES_LIT("not there"));
    assert_ok(one_batch(w, false));
    disk.fail_sync = true;
    assert_ok(w->s->ops->write(w->s, &nothing, false));
    assert_err(RJ_EIO, w->s->ops->write(w->s, &nothing, true));
    rj_writes_done(&nothing);
    check_finished(w, 2);
}

TEST(an_open_that_cannot_sync_is_refused)
{
    struct work *w = *cmocka_state;
    char why[LMDB_TEST_WHY];

    start(w);
    w->s->ops->close(w->s);
    disk.fail_sync = true;
    assert_err(RJ_EIO, rj_store_lmdb_open(w->path, 0, why, sizeof(why), &w->s));
    assert_true(why[0] != '\0');
    disk_heal();
    store_open(w);
    assert_int_equal(check_store(w, w->s), w->last);
    w->s->ops->close(w->s);
}

/* ---- a process that is killed */

enum { KILL_KEYS = 40, KILL_ROUNDS = 25, KILL_ACKS = 5, KILL_WAIT_US = 4000 };

/* Writes numbered batches until it is killed; tells each durable one. */
static void write_until_killed(const char *path, uint64_t n, int tell)
{
    struct rj_writes batch = {0};
    struct rj_store *s;

    if (rj_store_lmdb_open(path, 0, NULL, 0, &s) != RJ_OK)
        _exit(1);
    for (;; n++) {
        bool durable = n % 3 != 1;
        uint8_t be[8], key[2];

        rj_be_store64(be, n);
        for (uint16_t k = 0; k < KILL_KEYS; k++) {
            rj_be_store16(key, k);
            rj_writes_put(&batch, RJ_BYTES_OF(key), RJ_BYTES_OF(be));
        }
        if (s->ops->write(s, &batch, durable) != RJ_OK)
            _exit(2);
        if (durable && write(tell, &n, sizeof(n)) != (ssize_t)sizeof(n))
            _exit(3);
        rj_writes_clear(&batch);
    }
}

/* The number that all keys have; 0: none. */
static uint64_t read_number(const char *path)
{
    struct rj_bytes key = {0}, value;
    uint64_t number = 0;
    size_t keys = 0;
    struct rj_store *s = lmdb_test_open(path, 0);
    struct rj_view *v;

    assert_ok(s->ops->view_open(s, &v));
    while (s->ops->seek(v, RJ_SEEK_GT, key, &key, &value) == RJ_OK) {
        if (keys++ == 0)
            number = rj_be_load64(value.ptr);
        assert_int_equal(rj_be_load64(value.ptr), number);
    }
    assert_true(keys == 0 || keys == KILL_KEYS);
    s->ops->view_close(v);
    s->ops->close(s);
    return number;
}

TEST(a_killed_process_leaves_whole_batches_and_all_durable_ones)
{
    struct work *w = *cmocka_state;
    uint64_t there = 0, told = 0;

    for (int round = 0; round < KILL_ROUNDS; round++) {
        struct timespec wait = {0};
        uint64_t n;
        int ends[2], status;
        pid_t child;

        assert_int_equal(pipe(ends), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0)
            write_until_killed(w->path, there + 1, ends[1]);
        (void)close(ends[1]);
        for (uint64_t acks = rj_prng_below(&w->prng, KILL_ACKS); acks > 0; acks--) {
            assert_int_equal(read(ends[0], &n, sizeof(n)), sizeof(n));
            told = n;
        }
        wait.tv_nsec = 1000 * (long)rj_prng_below(&w->prng, KILL_WAIT_US);
        (void)nanosleep(&wait, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(ends[0], &n, sizeof(n)) == (ssize_t)sizeof(n))
            told = n;
        (void)close(ends[0]);
        n = told > there ? told : there; /* the last one that is known to be there */
        there = read_number(w->path);
        assert_true(there >= n);
        assert_true(there <= n + 3); /* one in three is not told, one is under way */
    }
    assert_true(told >= KILL_ROUNDS); /* it did some work in between */
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_power_loss_leaves_whole_batches_and_all_durable_ones),
        T(what_an_open_reads_is_durable_even_after_a_failed_sync),
        T(a_failed_sync_of_a_write_is_final),
        T(a_failed_sync_of_a_write_that_is_not_durable_is_final),
        T(a_failed_write_of_the_meta_page_is_final),
        T(a_failed_write_of_pages_is_final),
        T(a_failed_sync_call_is_final),
        T(a_view_of_a_finished_store_is_finished_too),
        T(a_write_cut_short_by_a_full_disk_changes_nothing),
        T(a_sync_with_nothing_to_sync_does_not_ask_the_disk),
        T(a_durable_batch_that_changes_nothing_syncs_those_before),
        T(an_open_that_cannot_sync_is_refused),
        T(a_killed_process_leaves_whole_batches_and_all_durable_ones),
    };
#undef T

    return cmocka_run_group_tests(tests, NULL, NULL);
}
