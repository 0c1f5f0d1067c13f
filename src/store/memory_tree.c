/* SPDX-License-Identifier: Apache-2.0 */
/* A height-balanced tree (Adelson-Velsky and Landis, 1962) that is changed by copying the
 * path from the root to the change (Driscoll, Sarnak, Sleator and Tarjan, 1989, section
 * 2): every version that somebody still owns stays whole, and a snapshot costs one
 * counter. Nodes and records are counted and freed with their last owner. What only the
 * version under change owns is changed in place: after the first entries of a batch that
 * is most of the path.
 * Invariants: the heights of two siblings differ by at most 1, so a path has at most
 * 1.45 log2(n) nodes; a node that two versions share, and a record, never change. Walks
 * keep their path in an array of that length, nothing recurses. */
#include "store/memory_tree.h"

#include "base/alloc.h"
#include "store/stored.h"

#include <assert.h>
#include <stdatomic.h>

enum { PATH_MAX_NODES = 96 }; /* enough for 2^64 records */

struct box {
    atomic_size_t owners;
    struct rj_memory_record record;
    uint8_t data[]; /* key, value */
};

struct rj_memory_node {
    atomic_size_t owners;
    struct rj_memory_node *child[2]; /* smaller, greater */
    struct box *box;
    uint64_t bytes; /* of keys and values here and below */
    unsigned height;
};

/* From the root to a node; side[i]: which child of node[i] comes next. */
struct path {
    struct rj_memory_node *node[PATH_MAX_NODES];
    unsigned side[PATH_MAX_NODES];
    size_t len;
};

static unsigned height(const struct rj_memory_node *n)
{
    return n != NULL ? n->height : 0;
}

uint64_t rj_memory_tree_bytes(const struct rj_memory_node *root)
{
    return root != NULL ? root->bytes : 0;
}

/* The last owner must see what the others did before they let go. */
static bool last_owner(atomic_size_t *owners)
{
    return atomic_fetch_sub_explicit(owners, 1, memory_order_acq_rel) == 1;
}

static struct box *box_ref(struct box *b)
{
    atomic_fetch_add_explicit(&b->owners, 1, memory_order_relaxed);
    return b;
}

static void box_unref(struct box *b)
{
    if (last_owner(&b->owners))
        free(b);
}

static struct box *box_new(struct rj_bytes key, struct rj_bytes value, bool flip)
{
    size_t size;
    struct box *b;

    if (!rj_size_add(key.len, value.len, &size) || !rj_size_add(size, sizeof(*b), &size))
        return NULL;
    b = rj_alloc_array(size, 1);
    if (b == NULL)
        return NULL;
    atomic_init(&b->owners, 1);
    if (key.len > 0)
        memcpy(b->data, key.ptr, key.len);
    if (value.len > 0)
        memcpy(b->data + key.len, value.ptr, value.len);
    b->record.key = rj_bytes_of(b->data, key.len);
    b->record.value = rj_bytes_of(b->data + key.len, value.len);
    b->record.checksum = rj_stored_checksum(b->record.key, b->record.value);
    if (flip && value.len > 0)
        b->data[key.len] ^= 1;
    else if (flip)
        b->record.checksum ^= 1;
    return b;
}

bool rj_memory_tree_intact(const struct rj_memory_record *record)
{
    return record->checksum == rj_stored_checksum(record->key, record->value);
}

struct rj_memory_node *rj_memory_tree_ref(struct rj_memory_node *root)
{
    if (root != NULL)
        atomic_fetch_add_explicit(&root->owners, 1, memory_order_relaxed);
    return root;
}

void rj_memory_tree_unref(struct rj_memory_node *root)
{
    /* Each node that is freed leaves two in its place: one more a level. */
    struct rj_memory_node *todo[PATH_MAX_NODES + 1];
    size_t n = 0;

    todo[n++] = root;
    while (n > 0) {
        struct rj_memory_node *node = todo[--n];

        if (node == NULL || !last_owner(&node->owners))
            continue;
        assert(n + 2 <= sizeof(todo) / sizeof(todo[0]));
        todo[n++] = node->child[0];
        todo[n++] = node->child[1];
        box_unref(node->box);
        free(node);
    }
}

/* Height and sum of a node over its two trees. */
static void measure(struct rj_memory_node *n)
{
    unsigned left = height(n->child[0]), right = height(n->child[1]);

    n->height = 1 + (left > right ? left : right);
    n->bytes = rj_memory_tree_bytes(n->child[0]) + rj_memory_tree_bytes(n->child[1]) +
               n->box->record.key.len + n->box->record.value.len;
}

/* A node over two trees. Takes its three owners whether or not it succeeds. */
static enum rj_err make(struct rj_memory_node *take_left, struct box *take_box,
                        struct rj_memory_node *take_right, struct rj_memory_node **ret)
{
    struct rj_memory_node *n = rj_alloc_array(1, sizeof(*n));

    if (n == NULL) {
        rj_memory_tree_unref(take_left);
        rj_memory_tree_unref(take_right);
        box_unref(take_box);
        return RJ_ENOMEM;
    }
    atomic_init(&n->owners, 1);
    n->child[0] = take_left;
    n->child[1] = take_right;
    n->box = take_box;
    measure(n);
    *ret = n;
    return RJ_OK;
}

/* make() with the trees named by side: near on that side, far on the other. */
static enum rj_err make_side(unsigned side, struct rj_memory_node *take_near,
                             struct box *take_box, struct rj_memory_node *take_far,
                             struct rj_memory_node **ret)
{
    return side == 0 ? make(take_near, take_box, take_far, ret)
                     : make(take_far, take_box, take_near, ret);
}

/* Rotates: high, on that side, is two higher than low. Takes its three owners. */
static enum rj_err rotate(unsigned side, struct rj_memory_node *take_high,
                          struct box *take_box, struct rj_memory_node *take_low,
                          struct rj_memory_node **ret)
{
    struct rj_memory_node *outer = take_high->child[side];
    struct rj_memory_node *inner = take_high->child[1 - side];
    struct rj_memory_node *a = NULL, *b = NULL;
    enum rj_err err;

    if (height(outer) >= height(inner)) {
        err = make_side(side, rj_memory_tree_ref(inner), take_box, take_low, &b);
        if (err == RJ_OK)
            err = make_side(side, rj_memory_tree_ref(outer), box_ref(take_high->box), b,
                            ret);
    } else {
        err = make_side(side, rj_memory_tree_ref(inner->child[1 - side]), take_box,
                        take_low, &b);
        if (err == RJ_OK)
            err = make_side(side, rj_memory_tree_ref(outer), box_ref(take_high->box),
                            rj_memory_tree_ref(inner->child[side]), &a);
        if (err == RJ_OK)
            err = make_side(side, a, box_ref(inner->box), b, ret);
        else
            rj_memory_tree_unref(b);
    }
    rj_memory_tree_unref(take_high);
    return err;
}

/* make() that restores the balance when one change put it out by one. */
static enum rj_err join(struct rj_memory_node *take_left, struct box *take_box,
                        struct rj_memory_node *take_right, struct rj_memory_node **ret)
{
    if (height(take_left) > height(take_right) + 1)
        return rotate(0, take_left, take_box, take_right, ret);
    if (height(take_right) > height(take_left) + 1)
        return rotate(1, take_right, take_box, take_left, ret);
    return make(take_left, take_box, take_right, ret);
}

/* The path down to key; the node that holds it, or NULL. */
static struct rj_memory_node *descend(struct rj_memory_node *root, struct rj_bytes key,
                                      struct path *path)
{
    struct rj_memory_node *n = root;

    path->len = 0;
    while (n != NULL) {
        int order = rj_bytes_compare(key, n->box->record.key);

        if (order == 0)
            return n;
        assert(path->len < PATH_MAX_NODES);
        path->node[path->len] = n;
        path->side[path->len] = order > 0;
        n = n->child[order > 0];
        path->len++;
    }
    return NULL;
}

/* How many nodes of the path, from the root on, no other version shares. */
static size_t owned(const struct path *path)
{
    size_t n = 0;

    while (n < path->len &&
           atomic_load_explicit(&path->node[n]->owners, memory_order_acquire) == 1)
        n++;
    return n;
}

/* Copies the path from its end up to its node number `from` over the tree below it. */
static enum rj_err copy_path(const struct path *path, size_t from,
                             const struct rj_memory_node *instead, struct box *box,
                             struct rj_memory_node **below)
{
    enum rj_err err = RJ_OK;

    for (size_t i = path->len; i-- > from && err == RJ_OK;) {
        const struct rj_memory_node *n = path->node[i];
        struct rj_memory_node *other = rj_memory_tree_ref(n->child[1 - path->side[i]]);
        struct box *kept = box_ref(n == instead ? box : n->box);

        err = path->side[i] == 0 ? join(*below, kept, other, below)
                                 : join(other, kept, *below, below);
    }
    return err;
}

/* Puts another tree below a node that only this version owns; what was there is no
 * longer its own. Takes n and the tree. */
static enum rj_err change(struct rj_memory_node *take_n, unsigned side,
                          struct rj_memory_node *take_below, struct rj_memory_node **ret)
{
    struct rj_memory_node *left, *right;
    struct box *box = take_n->box;

    take_n->child[side] = take_below;
    left = take_n->child[0];
    right = take_n->child[1];
    if (height(left) <= height(right) + 1 && height(right) <= height(left) + 1) {
        measure(take_n);
        *ret = take_n;
        return RJ_OK;
    }
    free(take_n);
    return join(left, box, right, ret);
}

/* Puts the changed tree at the end of the path and everything above in order. At the node
 * `instead` (NULL: none) box stands in the place of its own. */
static enum rj_err rebuild(struct rj_memory_node **root, const struct path *path,
                           struct rj_memory_node *take_below,
                           const struct rj_memory_node *instead, struct box *box)
{
    struct rj_memory_node *below = take_below;
    size_t own = owned(path);
    enum rj_err err = copy_path(path, own, instead, box, &below);

    if (err != RJ_OK)
        return err;
    if (own == 0)
        rj_memory_tree_unref(*root);
    else
        rj_memory_tree_unref(path->node[own - 1]->child[path->side[own - 1]]);
    for (size_t i = own; i-- > 0;) {
        struct rj_memory_node *n = path->node[i];

        if (n == instead) {
            box_unref(n->box);
            n->box = box_ref(box);
        }
        err = change(n, path->side[i], below, &below);
        if (err == RJ_OK)
            continue;
        if (i > 0)
            path->node[i - 1]->child[path->side[i - 1]] = NULL;
        else
            *root = NULL;
        return err;
    }
    *root = below;
    return RJ_OK;
}

enum rj_err rj_memory_tree_put(struct rj_memory_node **root, struct rj_bytes key,
                               struct rj_bytes value, bool flip)
{
    struct path path;
    struct rj_memory_node *old = descend(*root, key, &path);
    struct box *box = box_new(key, value, flip);
    struct rj_memory_node *below;
    enum rj_err err;

    if (box == NULL)
        return RJ_ENOMEM;
    err = make(old != NULL ? rj_memory_tree_ref(old->child[0]) : NULL, box,
               old != NULL ? rj_memory_tree_ref(old->child[1]) : NULL, &below);
    return err == RJ_OK ? rebuild(root, &path, below, NULL, NULL) : err;
}

enum rj_err rj_memory_tree_delete(struct rj_memory_node **root, struct rj_bytes key)
{
    struct path path;
    struct rj_memory_node *old = descend(*root, key, &path), *next = old;
    struct box *box;
    enum rj_err err;

    if (old == NULL)
        return RJ_OK;
    if (old->child[0] == NULL || old->child[1] == NULL)
        return rebuild(root, &path, rj_memory_tree_ref(old->child[old->child[0] == NULL]),
                       NULL, NULL);
    /* Two children: the next greater record takes the place of the deleted one. */
    for (unsigned side = 1; next->child[side] != NULL; side = 0) {
        assert(path.len < PATH_MAX_NODES);
        path.node[path.len] = next;
        path.side[path.len++] = side;
        next = next->child[side];
    }
    box = box_ref(next->box); /* its node may go before it is used */
    err = rebuild(root, &path, rj_memory_tree_ref(next->child[1]), old, box);
    box_unref(box);
    return err;
}

const struct rj_memory_record *rj_memory_tree_seek(const struct rj_memory_node *root,
                                                   enum rj_seek how, struct rj_bytes key)
{
    const struct rj_memory_node *n = root;
    const struct rj_memory_node *best = NULL;
    bool very_last = how == RJ_SEEK_LT && key.len == 0;

    while (n != NULL) {
        int order = very_last ? 1 : rj_bytes_compare(key, n->box->record.key);

        if (order == 0 && (how == RJ_SEEK_EQ || how == RJ_SEEK_GE))
            return &n->box->record;
        if (how == RJ_SEEK_LT ? order > 0 : order < 0 && how != RJ_SEEK_EQ)
            best = n;
        /* At an equal key, GT goes on to the greater ones and LT to the smaller ones. */
        n = n->child[order > 0 || (order == 0 && how == RJ_SEEK_GT)];
    }
    return best != NULL ? &best->box->record : NULL;
}

static bool node_is_sound(const struct rj_memory_node *n)
{
    unsigned left = height(n->child[0]), right = height(n->child[1]);
    const struct rj_memory_record *r = &n->box->record;

    if (n->child[0] != NULL &&
        rj_bytes_compare(n->child[0]->box->record.key, r->key) >= 0)
        return false;
    if (n->child[1] != NULL &&
        rj_bytes_compare(n->child[1]->box->record.key, r->key) <= 0)
        return false;
    return n->height == 1 + (left > right ? left : right) && left <= right + 1 &&
           right <= left + 1 &&
           n->bytes == rj_memory_tree_bytes(n->child[0]) +
                           rj_memory_tree_bytes(n->child[1]) + r->key.len + r->value.len;
}

bool rj_memory_tree_is_sound(const struct rj_memory_node *root)
{
    const struct rj_memory_node *todo[PATH_MAX_NODES + 1];
    const struct rj_memory_record *r, *last = NULL;
    size_t n = 0, nodes = 0, walked = 0;

    todo[n++] = root;
    while (n > 0) {
        const struct rj_memory_node *node = todo[--n];

        if (node == NULL)
            continue;
        if (!node_is_sound(node) || n + 2 > sizeof(todo) / sizeof(todo[0]))
            return false;
        todo[n++] = node->child[0];
        todo[n++] = node->child[1];
        nodes++;
    }
    r = rj_memory_tree_seek(root, RJ_SEEK_GE, (struct rj_bytes){0});
    for (; r != NULL; r = rj_memory_tree_seek(root, RJ_SEEK_GT, last->key)) {
        if (last != NULL && rj_bytes_compare(last->key, r->key) >= 0)
            return false;
        last = r;
        walked++;
    }
    return walked == nodes;
}
