/* SPDX-License-Identifier: Apache-2.0 */
/* An AVL tree (Adelson-Velsky and Landis, 1962) with parent links, the nodes inside the
 * entries. Invariants: keys ascend in order; balance is the height of the right subtree
 * minus that of the left and lies in -1..1, so the height is below 1.45 log2(n + 2);
 * every child points back at its parent. All walks are loops along those links. */
#include "base/map.h"

enum { LINE = 64 /* of the cache; an entry's key is seldom in that of its node */ };

static int compare(const struct rj_map *m, struct rj_bytes key,
                   const struct rj_map_node *node)
{
    return rj_bytes_compare(key, m->key(node));
}

/* The side of parent that child is on: 0 or 1. */
static int side_of(const struct rj_map_node *parent, const struct rj_map_node *child)
{
    return parent->child[1] == child;
}

/* Puts fresh (may be NULL) where old hangs: below old's parent, or at the root. */
static void relink(struct rj_map *m, const struct rj_map_node *old,
                   struct rj_map_node *fresh)
{
    struct rj_map_node *parent = old->parent;

    if (parent == NULL)
        m->root = fresh;
    else
        parent->child[side_of(parent, old)] = fresh;
    if (fresh != NULL)
        fresh->parent = parent;
}

/* Moves node down to side; its child on the other side takes its place: returned. */
static struct rj_map_node *rotate(struct rj_map *m, struct rj_map_node *node, int side)
{
    struct rj_map_node *up = node->child[!side];
    struct rj_map_node *middle = up->child[side];

    relink(m, node, up);
    node->child[!side] = middle;
    if (middle != NULL)
        middle->parent = node;
    up->child[side] = node;
    node->parent = up;
    return up;
}

/* Node leans by two to one side: rotates, and returns the root of the subtree. Its
 * balance is 0 iff the subtree became lower than it was. */
static struct rj_map_node *rebalance(struct rj_map *m, struct rj_map_node *node)
{
    int side = node->balance > 0;
    int lean = side ? 1 : -1;
    struct rj_map_node *heavy = node->child[side];
    struct rj_map_node *inner;

    if (heavy->balance != -lean) {
        node->balance = heavy->balance == 0 ? lean : 0;
        heavy->balance = heavy->balance == 0 ? -lean : 0;
        return rotate(m, node, !side);
    }
    inner = heavy->child[!side];
    node->balance = inner->balance == lean ? -lean : 0;
    heavy->balance = inner->balance == -lean ? lean : 0;
    inner->balance = 0;
    rotate(m, heavy, side);
    return rotate(m, node, !side);
}

/* Asks for both children, of which one is needed next, while node is compared. */
static void fetch_children(const struct rj_map_node *node)
{
    for (int side = 0; side < 2; side++) {
        const char *child = (const char *)node->child[side];

        if (child == NULL)
            continue;
        __builtin_prefetch(child);
        __builtin_prefetch(child + LINE);
    }
}

struct rj_map_node *rj_map_find(const struct rj_map *m, struct rj_bytes key)
{
    struct rj_map_node *node = m->root;

    while (node != NULL) {
        int order;

        fetch_children(node);
        order = compare(m, key, node);

        if (order == 0)
            return node;
        node = node->child[order > 0];
    }
    return NULL;
}

struct rj_map_node *rj_map_insert(struct rj_map *m, struct rj_map_node *node)
{
    struct rj_bytes key = m->key(node);
    struct rj_map_node *parent = NULL;
    struct rj_map_node **link = &m->root;

    while (*link != NULL) {
        int order;

        parent = *link;
        fetch_children(parent);
        order = compare(m, key, parent);
        if (order == 0)
            return parent;
        link = &parent->child[order > 0];
    }
    *node = (struct rj_map_node){.parent = parent};
    *link = node;
    m->count++;
    /* The subtree below parent grew: stop where that does not make it higher. */
    for (; parent != NULL; node = parent, parent = parent->parent) {
        parent->balance += side_of(parent, node) ? 1 : -1;
        if (parent->balance == 0)
            break;
        if (parent->balance == 2 || parent->balance == -2) {
            rebalance(m, parent);
            break;
        }
    }
    return NULL;
}

/* The subtree of node on side became lower by one: restores balance on the way up. */
static void shrink(struct rj_map *m, struct rj_map_node *node, int side)
{
    while (node != NULL) {
        struct rj_map_node *parent;

        node->balance += side ? -1 : 1;
        if (node->balance == 1 || node->balance == -1)
            return;
        if (node->balance != 0) {
            node = rebalance(m, node);
            if (node->balance != 0)
                return;
        }
        parent = node->parent;
        if (parent != NULL)
            side = side_of(parent, node);
        node = parent;
    }
}

/* The outermost node of the subtree on side. */
static struct rj_map_node *outermost(struct rj_map_node *node, int side)
{
    while (node != NULL && node->child[side] != NULL)
        node = node->child[side];
    return node;
}

void rj_map_remove(struct rj_map *m, struct rj_map_node *node)
{
    struct rj_map_node *parent = node->parent;
    int side = parent != NULL ? side_of(parent, node) : 0;
    struct rj_map_node *next;

    m->count--;
    if (node->child[0] == NULL || node->child[1] == NULL) {
        relink(m, node, node->child[node->child[0] == NULL]);
        shrink(m, parent, side);
        return;
    }
    /* Its successor, which has no left child, leaves its place and takes node's. */
    next = outermost(node->child[1], 0);
    parent = next->parent;
    side = side_of(parent, next);
    relink(m, next, next->child[1]);
    rj_map_replace(m, node, next);
    shrink(m, parent == node ? next : parent, side);
}

void rj_map_replace(struct rj_map *m, struct rj_map_node *old, struct rj_map_node *node)
{
    *node = *old;
    relink(m, old, node);
    for (int side = 0; side < 2; side++)
        if (node->child[side] != NULL)
            node->child[side]->parent = node;
}

/* The last node on the way to key that lies on the given side of it. equal: a node with
 * the key itself counts as lying there. */
static struct rj_map_node *nearest(const struct rj_map *m, struct rj_bytes key, int side,
                                   bool equal)
{
    struct rj_map_node *node = m->root;
    struct rj_map_node *best = NULL;

    while (node != NULL) {
        int order;
        bool found;

        fetch_children(node);
        order = compare(m, key, node);
        found = order == 0 ? equal : (order < 0) == (side == 1);

        if (found)
            best = node;
        node = node->child[found ? !side : side];
    }
    return best;
}

struct rj_map_node *rj_map_lower_bound(const struct rj_map *m, struct rj_bytes key)
{
    return nearest(m, key, 1, true);
}

struct rj_map_node *rj_map_upper_bound(const struct rj_map *m, struct rj_bytes key)
{
    return nearest(m, key, 1, false);
}

struct rj_map_node *rj_map_before(const struct rj_map *m, struct rj_bytes key)
{
    return nearest(m, key, 0, false);
}

struct rj_map_node *rj_map_first(const struct rj_map *m)
{
    return outermost(m->root, 0);
}

struct rj_map_node *rj_map_last(const struct rj_map *m)
{
    return outermost(m->root, 1);
}

/* The neighbour in key order on side. */
static struct rj_map_node *neighbour(const struct rj_map_node *node, int side)
{
    struct rj_map_node *parent;

    if (node->child[side] != NULL)
        return outermost(node->child[side], !side);
    for (parent = node->parent; parent != NULL && parent->child[side] == node;
         parent = parent->parent)
        node = parent;
    return parent;
}

struct rj_map_node *rj_map_next(const struct rj_map_node *node)
{
    return neighbour(node, 1);
}

struct rj_map_node *rj_map_prev(const struct rj_map_node *node)
{
    return neighbour(node, 0);
}

struct rj_map_node *rj_map_take_any(struct rj_map *m)
{
    struct rj_map_node *node = m->root;

    if (node == NULL)
        return NULL;
    /* Each rotation puts one more node on the right spine for good: O(n) for all. */
    while (node->child[0] != NULL)
        node = rotate(m, node, 1);
    relink(m, node, node->child[1]);
    m->count--;
    return node;
}

/* The height that the balances claim, found by following the higher side. */
static int claimed_height(const struct rj_map_node *node)
{
    int height = 0;

    for (; node != NULL; node = node->child[node->balance > 0])
        height++;
    return height;
}

static bool node_is_sound(const struct rj_map_node *node)
{
    int left = claimed_height(node->child[0]);
    int right = claimed_height(node->child[1]);

    for (int side = 0; side < 2; side++)
        if (node->child[side] != NULL && node->child[side]->parent != node)
            return false;
    return node->balance == right - left && node->balance >= -1 && node->balance <= 1;
}

bool rj_map_is_sound(const struct rj_map *m)
{
    const struct rj_map_node *prev = NULL;
    size_t count = 0;

    if (m->root != NULL && m->root->parent != NULL)
        return false;
    for (const struct rj_map_node *n = rj_map_first(m); n != NULL; n = rj_map_next(n)) {
        if (!node_is_sound(n) || count++ > m->count)
            return false;
        if (prev != NULL && compare(m, m->key(prev), n) >= 0)
            return false;
        prev = n;
    }
    return count == m->count;
}
