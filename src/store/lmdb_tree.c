/* SPDX-License-Identifier: Apache-2.0 */
/* The trie of store/stored.h walked with one LMDB cursor. Level 0 is the top group; a key
 * that shares its first 501 bytes with another long one continues in a group of level 1,
 * and so on. The path holds the number of the group of each level; the pieces of the key
 * that led there are the beginning of the key buffer.
 * A search goes down as far as the wanted key is matched, stands then on the first record
 * of that level that is not smaller, and moves from there: up when the level has no more
 * records, down to the first or last leaf when it meets a group. Groups are never empty.
 * Almost all keys are short, stand at the top and are returned without a copy; one that
 * is asked for right after its neighbour costs one step of the cursor, no search.
 *
 * A damaged page must not make a record seem absent. So whatever LMDB finds must stand in
 * the page whose number its header names; where a search ends between two records, both
 * must be intact and on their sides of the wanted key (when one key is damaged, a binary
 * search that it misleads ends beside it); and every answer must lie on the side that was
 * asked for. What this cannot see: a page that is replaced by an older state of itself.
 */
#include "store/lmdb_tree.h"

#include "base/alloc.h"
#include "store/stored.h"

#include <errno.h>

/* The header of a page of LMDB, data version 1: number, 2 bytes, flags. */
enum { PAGE_FLAGS_AT = sizeof(size_t) + 2, PAGE_LEAF = 0x02 };

/* A neighbour with more than this is not read only to see that it is intact. */
enum { NEIGHBOUR_MAX = 64 * 1024 };

/* What the cursor stands on. */
struct at {
    bool there; /* false: at the end of the table */
    MDB_val key, value;
};

struct lmdb_key {
    uint8_t b[RJ_STORED_KEY_MAX];
    size_t len;
};

enum rj_err rj_lmdb_tree_err(int mdb_err)
{
    switch (mdb_err) {
    case MDB_SUCCESS:
        return RJ_OK;
    case MDB_NOTFOUND:
        return RJ_ENOENT;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return RJ_EFULL;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_CURSOR_FULL:
    case MDB_BAD_VALSIZE:
        return RJ_ECORRUPT;
    case MDB_VERSION_MISMATCH:
        return RJ_EVERSION;
    case MDB_READERS_FULL:
        return RJ_EBUSY;
    case MDB_TXN_FULL:
        return RJ_ELIMIT;
    case ENOMEM:
        return RJ_ENOMEM;
    default:
        return RJ_EIO;
    }
}

static enum rj_err fail_mdb(struct rj_lmdb_tree *t, int rc)
{
    enum rj_err err = rj_lmdb_tree_err(rc);

    t->mdb_err = rc;
    if (err == RJ_ECORRUPT)
        t->damage = mdb_strerror(rc);
    return err;
}

static enum rj_err fail_damage(struct rj_lmdb_tree *t, const char *what)
{
    t->damage = what;
    return RJ_ECORRUPT;
}

static struct rj_bytes view_of(MDB_val v)
{
    return rj_bytes_of(v.mv_data, v.mv_size);
}

static MDB_val val_of(struct lmdb_key *k)
{
    return (MDB_val){.mv_size = k->len, .mv_data = k->b};
}

enum rj_err rj_lmdb_tree_init(struct rj_lmdb_tree *t, MDB_txn *txn, MDB_dbi dbi,
                              struct rj_bytes map, size_t page_size)
{
    int rc;

    *t =
        (struct rj_lmdb_tree){.txn = txn, .dbi = dbi, .map = map, .page_size = page_size};
    rc = mdb_cursor_open(txn, dbi, &t->cursor);
    return rc == 0 ? RJ_OK : fail_mdb(t, rc);
}

void rj_lmdb_tree_done(struct rj_lmdb_tree *t)
{
    if (t->cursor != NULL)
        mdb_cursor_close(t->cursor);
    free(t->groups);
    rj_buf_done(&t->key);
    rj_buf_done(&t->last);
    *t = (struct rj_lmdb_tree){0};
}

/* ---- the path */

static uint64_t group(const struct rj_lmdb_tree *t)
{
    return t->depth > 0 ? t->groups[t->depth] : 0;
}

/* One level down: the record of part (RJ_STORED_PART_MAX bytes) led to group child. */
static enum rj_err push(struct rj_lmdb_tree *t, uint64_t child, struct rj_bytes part)
{
    enum { FIRST = 16 };
    size_t cap = t->cap > 0 ? 2 * t->cap : FIRST;

    if (t->depth == RJ_STORED_DEPTH_MAX)
        return fail_damage(t, "groups of long keys lead in a circle");
    if (t->depth + 1 >= t->cap) {
        uint64_t *grown = rj_alloc_resize(t->groups, cap, sizeof(grown[0]));

        if (grown == NULL)
            return RJ_ENOMEM;
        t->groups = grown;
        t->cap = cap;
    }
    rj_buf_truncate(&t->key, t->depth * RJ_STORED_PART_MAX);
    rj_buf_append(&t->key, part);
    if (rj_buf_err(&t->key) != RJ_OK)
        return rj_buf_err(&t->key);
    t->groups[++t->depth] = child;
    return RJ_OK;
}

static void restart(struct rj_lmdb_tree *t)
{
    t->depth = 0;
    t->near = (MDB_val){0};
    rj_buf_clear(&t->key);
}

/* ---- the cursor */

static bool is_in_file(const struct rj_lmdb_tree *t, MDB_val v)
{
    uintptr_t from = (uintptr_t)t->map.ptr, at = (uintptr_t)v.mv_data;

    return at >= from && at - from <= t->map.len && v.mv_size <= t->map.len - (at - from);
}

/* Is the place where LMDB says that a record lies a leaf page, and the one it claims to
 * be? A damaged page can name any length: nothing behind the file may be read. */
static enum rj_err check_place(struct rj_lmdb_tree *t, const struct at *at)
{
    size_t off, number;
    const uint8_t *page;
    uint16_t flags;

    if (!is_in_file(t, at->key) || !is_in_file(t, at->value))
        return fail_damage(t, "a record leads out of the file");
    off = (size_t)((const uint8_t *)at->key.mv_data - t->map.ptr);
    off &= ~(t->page_size - 1); /* a power of two */
    page = t->map.ptr + off;
    memcpy(&number, page, sizeof(number));
    memcpy(&flags, page + PAGE_FLAGS_AT, sizeof(flags));
    if (number * t->page_size != off || (flags & PAGE_LEAF) == 0)
        return fail_damage(t, "a page stands in the place of another one");
    return RJ_OK;
}

/* One call of LMDB; at->there is false at the end of the table. */
static enum rj_err move(struct rj_lmdb_tree *t, MDB_cursor_op op, struct at *at)
{
    int rc = mdb_cursor_get(t->cursor, &at->key, &at->value, op);

    at->there = rc == 0;
    if (rc == MDB_NOTFOUND)
        return RJ_OK;
    if (rc != 0)
        return fail_mdb(t, rc);
    return t->map.ptr != NULL ? check_place(t, at) : RJ_OK;
}

/* Stands on the first record that is not before k. */
static enum rj_err move_to(struct rj_lmdb_tree *t, struct lmdb_key *k, struct at *at)
{
    at->key = val_of(k);
    return move(t, MDB_SET_RANGE, at);
}

static bool in_group(const struct rj_lmdb_tree *t, const struct at *at)
{
    uint8_t prefix[RJ_STORED_PREFIX_MAX];
    size_t n;

    if (!at->there)
        return false;
    if (t->depth == 0)
        return ((const uint8_t *)at->key.mv_data)[0] == 0;
    n = rj_stored_prefix(group(t), prefix);
    return at->key.mv_size > n && memcmp(at->key.mv_data, prefix, n) == 0;
}

static bool is_at(const struct at *at, struct lmdb_key *k)
{
    return at->there && rj_bytes_equal(view_of(at->key), rj_bytes_of(k->b, k->len));
}

static enum rj_err read_at(struct rj_lmdb_tree *t, const struct at *at,
                           struct rj_stored *ret)
{
    if (rj_stored_read(view_of(at->key), view_of(at->value), ret) != RJ_OK)
        return fail_damage(t, "checksum or form of a record is wrong");
    return RJ_OK;
}

/* One level up, to the record that led here. */
static enum rj_err climb(struct rj_lmdb_tree *t, struct at *at)
{
    struct lmdb_key k;
    enum rj_err err;

    t->depth--;
    memset(k.b, 0, sizeof(k.b));
    k.len = rj_stored_key(
        group(t),
        rj_bytes_of(t->key.ptr + t->depth * RJ_STORED_PART_MAX, RJ_STORED_PART_MAX), k.b);
    k.b[k.len++] = 0; /* the mark */
    err = move_to(t, &k, at);
    if (err == RJ_OK && !is_at(at, &k))
        err = fail_damage(t, "the record that leads to a group is missing");
    return err;
}

/* One record on, or back; climbs out of levels that end. RJ_ENOENT: no more. */
static enum rj_err step(struct rj_lmdb_tree *t, bool forward, struct at *at)
{
    /* Where the table ends, its last record is the one before. */
    MDB_cursor_op back = at->there ? MDB_PREV : MDB_LAST;
    enum rj_err err = move(t, forward ? MDB_NEXT : back, at);

    while (err == RJ_OK && !in_group(t, at)) {
        if (t->depth == 0)
            return RJ_ENOENT;
        err = climb(t, at);
        if (err == RJ_OK)
            err = move(t, forward ? MDB_NEXT : MDB_PREV, at);
    }
    return err;
}

/* Down to the first, or the last, record of the group that r leads to. */
static enum rj_err enter(struct rj_lmdb_tree *t, const struct rj_stored *r, bool forward,
                         struct at *at)
{
    struct lmdb_key k;
    enum rj_err err = push(t, r->child, r->part);

    if (err != RJ_OK)
        return err;
    k.len = rj_stored_prefix(forward ? r->child : r->child + 1, k.b);
    err = move_to(t, &k, at);
    if (err == RJ_OK && !forward)
        err = move(t, at->there ? MDB_PREV : MDB_LAST, at);
    if (err == RJ_OK && !in_group(t, at))
        err = fail_damage(t, "a group of long keys is empty");
    return err;
}

/* The key and the value of a leaf on the path. */
static enum rj_err leaf(struct rj_lmdb_tree *t, const struct at *at,
                        const struct rj_stored *r, struct rj_bytes *ret_key,
                        struct rj_bytes *ret_value)
{
    *ret_value = r->value;
    if (t->depth == 0 && r->kind == RJ_STORED_VALUE) {
        t->near = at->key;
        *ret_key = r->part;
        return RJ_OK;
    }
    rj_buf_truncate(&t->key, t->depth * RJ_STORED_PART_MAX);
    rj_buf_append(&t->key, r->part);
    rj_buf_append(&t->key, r->rest);
    *ret_key = rj_buf_view(&t->key);
    return rj_buf_err(&t->key);
}

/* From the record at the cursor to the leaf: itself, or the first or last below it. */
static enum rj_err land(struct rj_lmdb_tree *t, bool forward, struct at *at,
                        struct rj_bytes *ret_key, struct rj_bytes *ret_value)
{
    struct rj_stored r;
    enum rj_err err = read_at(t, at, &r);

    while (err == RJ_OK && r.kind == RJ_STORED_GROUP) {
        err = enter(t, &r, forward, at);
        if (err == RJ_OK)
            err = read_at(t, at, &r);
    }
    return err == RJ_OK ? leaf(t, at, &r, ret_key, ret_value) : err;
}

/* ---- seek */

static enum rj_err check_intact(struct rj_lmdb_tree *t, const struct at *at)
{
    if (!at->there || at->value.mv_size > NEIGHBOUR_MAX ||
        rj_stored_intact(view_of(at->key), view_of(at->value)))
        return RJ_OK;
    return fail_damage(t, "checksum of a neighbour is wrong");
}

/* The cursor was sent to k and stands on what comes after it: is nothing hidden there?
 * Leaves the cursor where it is. */
static enum rj_err check_gap(struct rj_lmdb_tree *t, enum rj_seek how, struct lmdb_key *k,
                             struct at *at)
{
    struct rj_bytes wanted = rj_bytes_of(k->b, k->len);
    struct at before;
    enum rj_err err = move(t, at->there ? MDB_PREV : MDB_LAST, &before);

    if (err != RJ_OK)
        return err;
    if ((at->there && rj_bytes_compare(view_of(at->key), wanted) <= 0) ||
        (before.there && rj_bytes_compare(view_of(before.key), wanted) >= 0))
        return fail_damage(t, "records are out of order");
    /* The one that will be the answer is checked when it is read. */
    if (how != RJ_SEEK_LT)
        err = check_intact(t, &before);
    if (err == RJ_OK && (how == RJ_SEEK_LT || how == RJ_SEEK_EQ))
        err = check_intact(t, at);
    if (err != RJ_OK || !at->there)
        return err;
    return before.there ? move(t, MDB_NEXT, at) : move_to(t, k, at);
}

/* Goes down along key. Afterwards the cursor stands in the last level reached on the
 * first record that is not before key there; *ret_order tells how the key of that record
 * compares to key: 0 equal, > 0 after it (or the level has no more), < 0 before it. */
static enum rj_err descend(struct rj_lmdb_tree *t, enum rj_seek how, struct rj_bytes key,
                           struct at *at, int *ret_order)
{
    struct rj_bytes rest = key;
    struct rj_stored r;

    for (;;) {
        struct lmdb_key k;
        enum rj_err err;

        k.len = rj_stored_key(group(t), rest, k.b);
        err = move_to(t, &k, at);
        if (err != RJ_OK)
            return err;
        *ret_order = !is_at(at, &k);
        if (*ret_order != 0)
            return check_gap(t, how, &k, at);
        if (rest.len <= RJ_STORED_PART_MAX)
            return RJ_OK;
        err = read_at(t, at, &r);
        if (err != RJ_OK)
            return err;
        rest = rj_bytes_skip(rest, RJ_STORED_PART_MAX);
        if (r.kind != RJ_STORED_GROUP) {
            *ret_order = rj_bytes_compare(r.rest, rest);
            return RJ_OK;
        }
        err = push(t, r.child, r.part);
        if (err != RJ_OK)
            return err;
    }
}

/* True iff the cursor stands on key and only has to step. */
static bool is_near(const struct rj_lmdb_tree *t, enum rj_seek how, struct rj_bytes key)
{
    return (how == RJ_SEEK_GT || how == RJ_SEEK_LT) && t->near.mv_data != NULL &&
           key.len > 0 && t->near.mv_size == key.len + 1 &&
           memcmp((const uint8_t *)t->near.mv_data + 1, key.ptr, key.len) == 0;
}

/* Stands on the record that is wanted, or on the group that holds it. */
static enum rj_err find(struct rj_lmdb_tree *t, enum rj_seek how, struct rj_bytes key,
                        struct at *at)
{
    static const uint8_t second_group[] = {1, 1};
    bool forward = how != RJ_SEEK_LT;
    int order = 0;
    enum rj_err err;

    if (is_near(t, how, key)) {
        at->there = true;
        return step(t, forward, at);
    }
    restart(t);
    if (how == RJ_SEEK_LT && key.len == 0) {
        struct lmdb_key k = {.len = sizeof(second_group)};

        memcpy(k.b, second_group, sizeof(second_group));
        err = move_to(t, &k, at);
        return err == RJ_OK ? step(t, false, at) : err;
    }
    err = descend(t, how, key, at, &order);
    if (err != RJ_OK)
        return err;
    if (how == RJ_SEEK_EQ)
        return order == 0 ? RJ_OK : RJ_ENOENT;
    if (how == RJ_SEEK_LT)
        return order < 0 ? RJ_OK : step(t, false, at);
    if (order < 0 || (order == 0 && how == RJ_SEEK_GT))
        return step(t, true, at);
    while (err == RJ_OK && !in_group(t, at)) {
        if (t->depth == 0)
            return RJ_ENOENT;
        err = climb(t, at);
        if (err == RJ_OK)
            err = move(t, MDB_NEXT, at);
    }
    return err;
}

/* Does a key that compares so to the wanted one lie on the side that was asked for? */
static bool is_answer(enum rj_seek how, int order, struct rj_bytes wanted)
{
    switch (how) {
    case RJ_SEEK_EQ:
        return order == 0;
    case RJ_SEEK_GE:
        return order >= 0;
    case RJ_SEEK_GT:
        return order > 0;
    case RJ_SEEK_LT:
        return order < 0 || wanted.len == 0;
    }
    return false;
}

enum rj_err rj_lmdb_tree_seek(struct rj_lmdb_tree *t, enum rj_seek how,
                              struct rj_bytes key, struct rj_bytes *ret_key,
                              struct rj_bytes *ret_value)
{
    struct at at;
    /* No key is longer, so what follows cannot change the order to any of them. */
    struct rj_bytes wanted = rj_bytes_first(key, (size_t)RJ_STORE_KEY_MAX + 1);
    struct rj_buf last = t->last;
    enum rj_err err;

    t->last = t->key;
    t->key = last;
    err = find(t, how, wanted, &at);
    t->near = (MDB_val){0};
    if (err == RJ_OK)
        err = land(t, how != RJ_SEEK_LT, &at, ret_key, ret_value);
    if (err == RJ_OK && !is_answer(how, rj_bytes_compare(*ret_key, wanted), wanted))
        err = fail_damage(t, "records are out of order");
    return err;
}

/* ---- put */

/* Writes r as a record of its group. */
static enum rj_err put_record(struct rj_lmdb_tree *t, const struct rj_stored *r)
{
    struct lmdb_key k;
    MDB_val key, room = {.mv_size = rj_stored_size(r)};
    int rc;

    k.len = rj_stored_key(r->group, r->part, k.b);
    if (r->kind != RJ_STORED_VALUE)
        k.b[k.len++] = 0; /* the mark */
    key = val_of(&k);
    rc = mdb_cursor_put(t->cursor, &key, &room, MDB_RESERVE);
    if (rc != 0)
        return fail_mdb(t, rc);
    rj_stored_write(r, rj_bytes_of(k.b, k.len), room.mv_data);
    return RJ_OK;
}

/* Puts a key that has no record that leads to it in the group: itself, or the only one
 * that begins so. */
static enum rj_err put_leaf(struct rj_lmdb_tree *t, uint64_t in, struct rj_bytes key,
                            struct rj_bytes value)
{
    struct rj_stored r = {
        .kind = key.len > RJ_STORED_PART_MAX ? RJ_STORED_ONE : RJ_STORED_VALUE,
        .group = in,
        .part = rj_bytes_first(key, RJ_STORED_PART_MAX),
        .rest = rj_bytes_skip(key, RJ_STORED_PART_MAX),
        .value = value,
    };

    return put_record(t, &r);
}

/* A number that no group has: one more than that of the last record. */
static enum rj_err new_group(struct rj_lmdb_tree *t, uint64_t *ret)
{
    struct lmdb_key k = {.b = {RJ_STORED_OWN}, .len = 1};
    struct rj_stored r;
    struct at at;
    enum rj_err err = move_to(t, &k, &at);

    if (err == RJ_OK)
        err = move(t, at.there ? MDB_PREV : MDB_LAST, &at);
    if (err == RJ_OK && !at.there)
        return fail_damage(t, "the table is empty");
    if (err == RJ_OK)
        err = read_at(t, &at, &r);
    if (err == RJ_OK)
        *ret = r.group + 1;
    return err;
}

/* Two different keys, the rests of which are a (with value) and b, meet behind the record
 * of part in a group: makes it a GROUP, with more below it as long as they agree. Both
 * keys go to the last one: *ret_group, and what is left of their rests. */
static enum rj_err split(struct rj_lmdb_tree *t, const struct rj_stored *at_record,
                         struct rj_bytes *a, struct rj_bytes *b, uint64_t *ret_group)
{
    struct rj_stored r = {
        .kind = RJ_STORED_GROUP, .group = at_record->group, .part = at_record->part};
    enum rj_err err = new_group(t, &r.child);

    while (err == RJ_OK) {
        struct rj_bytes part = rj_bytes_first(*a, RJ_STORED_PART_MAX);

        err = put_record(t, &r);
        if (err != RJ_OK || a->len <= RJ_STORED_PART_MAX ||
            b->len <= RJ_STORED_PART_MAX ||
            memcmp(a->ptr, b->ptr, RJ_STORED_PART_MAX) != 0)
            break;
        r = (struct rj_stored){.kind = RJ_STORED_GROUP,
                               .group = r.child,
                               .part = part,
                               .child = r.child + 1};
        *a = rj_bytes_skip(*a, RJ_STORED_PART_MAX);
        *b = rj_bytes_skip(*b, RJ_STORED_PART_MAX);
    }
    *ret_group = r.child;
    return err;
}

/* Puts a long key where another one stood alone behind the record one, found in LMDB. */
static enum rj_err put_beside(struct rj_lmdb_tree *t, const struct rj_stored *one,
                              struct rj_bytes key, struct rj_bytes value)
{
    struct rj_bytes rest = rj_bytes_skip(key, RJ_STORED_PART_MAX);
    struct rj_stored r = *one;
    struct rj_buf old = {0}; /* LMDB's memory moves as soon as something is written */
    uint64_t in;
    enum rj_err err;

    r.part = rj_bytes_first(key, RJ_STORED_PART_MAX);
    rj_buf_append(&old, one->rest);
    rj_buf_append(&old, one->value);
    err = rj_buf_err(&old);
    if (err == RJ_OK) {
        r.rest = rj_bytes_of(old.ptr, one->rest.len);
        r.value = rj_bytes_of(old.ptr + one->rest.len, one->value.len);
        err = split(t, &r, &r.rest, &rest, &in);
    }
    if (err == RJ_OK)
        err = put_leaf(t, in, r.rest, r.value);
    if (err == RJ_OK)
        err = put_leaf(t, in, rest, value);
    rj_buf_done(&old);
    return err;
}

enum rj_err rj_lmdb_tree_put(struct rj_lmdb_tree *t, struct rj_bytes key,
                             struct rj_bytes value)
{
    struct rj_bytes rest = key;
    struct rj_stored r;
    uint64_t in = 0;

    restart(t);
    while (rest.len > RJ_STORED_PART_MAX) {
        struct lmdb_key k;
        struct at at;
        enum rj_err err;

        k.len = rj_stored_key(in, rest, k.b);
        err = move_to(t, &k, &at);
        if (err == RJ_OK && !is_at(&at, &k))
            break;
        if (err == RJ_OK)
            err = read_at(t, &at, &r);
        if (err != RJ_OK)
            return err;
        if (r.kind != RJ_STORED_GROUP) {
            if (rj_bytes_equal(r.rest, rj_bytes_skip(rest, RJ_STORED_PART_MAX)))
                break;
            return put_beside(t, &r, rest, value);
        }
        rest = rj_bytes_skip(rest, RJ_STORED_PART_MAX);
        in = r.child;
    }
    return put_leaf(t, in, rest, value);
}

/* ---- delete */

/* Deletes the record at the cursor, and the records that led here if it was the last. */
static enum rj_err delete_here(struct rj_lmdb_tree *t)
{
    for (;;) {
        struct lmdb_key k;
        struct at at;
        enum rj_err err;
        int rc = mdb_cursor_del(t->cursor, 0);

        if (rc != 0)
            return fail_mdb(t, rc);
        if (t->depth == 0)
            return RJ_OK;
        k.len = rj_stored_prefix(group(t), k.b);
        err = move_to(t, &k, &at);
        if (err != RJ_OK || in_group(t, &at))
            return err;
        err = climb(t, &at);
        if (err != RJ_OK)
            return err;
    }
}

enum rj_err rj_lmdb_tree_delete(struct rj_lmdb_tree *t, struct rj_bytes key)
{
    struct at at;
    int order;
    enum rj_err err;

    restart(t);
    err = descend(t, RJ_SEEK_EQ, key, &at, &order);
    if (err != RJ_OK || order != 0)
        return err;
    return delete_here(t);
}

/* Deletes short keys from `from` on as long as no long ones come between. RJ_ENOENT: that
 * was all. */
static enum rj_err delete_run(struct rj_lmdb_tree *t, struct rj_bytes from,
                              struct rj_bytes to)
{
    struct lmdb_key k;
    struct at at;
    enum rj_err err;

    k.len = rj_stored_key(0, from, k.b);
    err = move_to(t, &k, &at);
    while (err == RJ_OK) {
        struct rj_bytes part = rj_bytes_skip(view_of(at.key), 1);
        int rc;

        if (!in_group(t, &at))
            return RJ_ENOENT;
        if (part.len > RJ_STORED_PART_MAX)
            return RJ_OK;
        if (rj_bytes_compare(part, to) >= 0)
            return RJ_ENOENT;
        rc = mdb_cursor_del(t->cursor, 0);
        err = rc == 0 ? move(t, MDB_NEXT, &at) : fail_mdb(t, rc);
    }
    return err;
}

enum rj_err rj_lmdb_tree_delete_range(struct rj_lmdb_tree *t, struct rj_bytes from,
                                      struct rj_bytes to)
{
    struct rj_bytes end = rj_bytes_first(to, (size_t)RJ_STORE_KEY_MAX + 1);
    struct rj_bytes key, value;
    struct rj_buf next = {0};
    enum rj_err err;

    rj_buf_append(&next, rj_bytes_first(from, (size_t)RJ_STORE_KEY_MAX + 1));
    err = rj_buf_err(&next);
    while (err == RJ_OK) {
        restart(t);
        err = delete_run(t, rj_buf_view(&next), end);
        /* What stopped it is a long key; take that one, and go on behind it. */
        if (err == RJ_OK)
            err = rj_lmdb_tree_seek(t, RJ_SEEK_GE, rj_buf_view(&next), &key, &value);
        if (err == RJ_OK && rj_bytes_compare(key, end) >= 0)
            break;
        if (err == RJ_OK) {
            rj_buf_clear(&next);
            rj_buf_append(&next, key);
            err = rj_buf_err(&next);
        }
        if (err == RJ_OK)
            err = delete_here(t);
    }
    rj_buf_done(&next);
    return err == RJ_ENOENT ? RJ_OK : err;
}
