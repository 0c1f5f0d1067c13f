/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a sequence: a B+tree without keys. A leaf holds the numbers of
 * neighbouring nodes and how many elements each shows; inner nodes hold sums. Nodes know
 * their leaf, so from a node to its neighbours and up to the sums it is a few steps.
 * Leaves that have become empty stay: only deleted nodes that melt together leave them.
 * Whoever types finds the leaf where the last change was, without a way down; and what
 * changes there is added up before it goes the way up. */
#include "crdt/seq.h"

enum {
    HALF_LEAF = RJ_SEQ_LEAF / 2,
    HALF_FAN = RJ_SEQ_FAN / 2,
    HEIGHT_MAX = 10 /* of RJ_SEQ_NODES_MAX nodes */
};

static uint32_t shown_of(const struct rj_seq_node *node)
{
    return node->live ? node->n : 0;
}

/* Leaves that n nodes may need: none of those that are there is split twice before it is
 * half full, and no node splits more than one. */
static size_t leaves_for(const struct rj_seq *s, size_t n)
{
    size_t leaves = n / HALF_LEAF + 1 + s->leaves.n;

    return leaves < n ? leaves : n;
}

/* An inner node that splits gives half of its children away, and has had to get as many
 * before it splits again; and there is one more above. Those that are there may be full,
 * but there are only so many above one leaf. */
enum rj_err rj_seq_order_reserve(struct rj_seq *s, size_t n, size_t together)
{
    size_t apart = leaves_for(s, n);
    size_t leaves = apart + together / HALF_LEAF + 1;
    size_t full = (s->height + 1) * apart;
    enum rj_err err = rj_seq_slab_reserve(&s->leaves, leaves, s->allocator);

    if (full > s->inners.n)
        full = s->inners.n;
    if (err != RJ_OK)
        return err;
    return rj_seq_slab_reserve(
        &s->inners, (leaves + full) / (HALF_FAN - 1) + full + HEIGHT_MAX, s->allocator);
}

void rj_seq_order_trim(struct rj_seq *s)
{
    size_t leaves = s->n_waiting / HALF_LEAF + 1;

    rj_seq_slab_trim(&s->leaves, leaves, s->allocator);
    rj_seq_slab_trim(&s->inners, leaves / (HALF_FAN - 1) + HEIGHT_MAX, s->allocator);
}

void rj_seq_order_start(struct rj_seq *s, uint32_t id)
{
    struct rj_seq_leaf *leaf;

    s->top = rj_seq_slab_take(&s->leaves);
    s->height = 0;
    leaf = rj_seq_leaf(s, s->top);
    leaf->parent = leaf->prev = leaf->next = RJ_SEQ_NONE;
    leaf->n = 1;
    leaf->id[0] = id;
    leaf->shown[0] = shown_of(rj_seq_node(s, id));
    leaf->sum = s->shown = leaf->shown[0];
    rj_seq_node(s, id)->leaf = s->top;
}

static uint32_t slot_of(const struct rj_seq_leaf *leaf, uint32_t id)
{
    uint32_t i = 0;

    while (leaf->id[i] != id)
        i++;
    return i;
}

static uint32_t child_slot(const struct rj_seq_inner *inner, uint32_t child)
{
    uint32_t i = 0;

    while (inner->child[i] != child)
        i++;
    return i;
}

/* Inner nodes get to know what they are due. */
static void add_due(struct rj_seq *s)
{
    uint32_t child = s->due_leaf, up;

    if (s->due == 0)
        return;
    up = rj_seq_leaf(s, child)->parent;
    for (; up != RJ_SEQ_NONE; child = up, up = rj_seq_inner(s, up)->parent) {
        struct rj_seq_inner *inner = rj_seq_inner(s, up);

        inner->sum[child_slot(inner, child)] += s->due;
    }
    s->due = 0;
}

/* The sum of a leaf changes. */
static void add(struct rj_seq *s, uint32_t leaf_id, uint64_t diff)
{
    if (diff == 0)
        return;
    if (s->due_leaf != leaf_id)
        add_due(s);
    s->due_leaf = leaf_id;
    s->due += diff;
    rj_seq_leaf(s, leaf_id)->sum += diff;
    s->shown += diff;
    if (leaf_id != s->near_leaf)
        s->near_leaf = RJ_SEQ_NONE;
}

void rj_seq_order_recount(struct rj_seq *s, uint32_t id)
{
    const struct rj_seq_node *node = rj_seq_node(s, id);
    struct rj_seq_leaf *leaf = rj_seq_leaf(s, node->leaf);
    uint32_t slot = slot_of(leaf, id), shown = shown_of(node);
    uint64_t diff = (uint64_t)shown - leaf->shown[slot];

    leaf->shown[slot] = shown;
    add(s, node->leaf, diff);
}

/* ---- growing */

static void set_parent(struct rj_seq *s, bool low, uint32_t child, uint32_t parent)
{
    if (low)
        rj_seq_leaf(s, child)->parent = parent;
    else
        rj_seq_inner(s, child)->parent = parent;
}

static uint64_t sum_of(const struct rj_seq *s, bool low, uint32_t child)
{
    const struct rj_seq_inner *inner;
    uint64_t sum = 0;
    uint32_t i;

    if (low)
        return rj_seq_leaf(s, child)->sum;
    inner = rj_seq_inner(s, child);
    for (i = 0; i < inner->n; i++)
        sum += inner->sum[i];
    return sum;
}

static uint32_t new_inner(struct rj_seq *s, bool low, uint32_t parent)
{
    uint32_t id = rj_seq_slab_take(&s->inners);
    struct rj_seq_inner *inner = rj_seq_inner(s, id);

    inner->n = 0;
    inner->low = low;
    inner->parent = parent;
    return id;
}

static void insert_child(struct rj_seq *s, uint32_t up, uint32_t at, uint32_t child)
{
    struct rj_seq_inner *inner = rj_seq_inner(s, up);

    memmove(inner->child + at + 1, inner->child + at,
            (inner->n - at) * sizeof(*inner->child));
    memmove(inner->sum + at + 1, inner->sum + at, (inner->n - at) * sizeof(*inner->sum));
    inner->child[at] = child;
    inner->sum[at] = sum_of(s, inner->low, child);
    inner->n++;
    set_parent(s, inner->low, child, up);
}

/* A new top above the old one. */
static uint32_t raise_top(struct rj_seq *s)
{
    uint32_t old = s->top;

    s->top = new_inner(s, s->height == 0, RJ_SEQ_NONE);
    s->height++;
    insert_child(s, s->top, 0, old);
    return s->top;
}

/* Moves the second half of an inner node to a new one, which is returned. */
static uint32_t split_inner(struct rj_seq *s, uint32_t id)
{
    uint32_t right = new_inner(s, rj_seq_inner(s, id)->low, RJ_SEQ_NONE);
    struct rj_seq_inner *from = rj_seq_inner(s, id), *to = rj_seq_inner(s, right);
    uint32_t i;

    for (i = HALF_FAN; i < RJ_SEQ_FAN; i++) {
        to->child[to->n] = from->child[i];
        to->sum[to->n++] = from->sum[i];
        set_parent(s, from->low, from->child[i], right);
    }
    from->n = HALF_FAN;
    return right;
}

/* Puts `right`, what `left` gave away, behind it; who is full splits in turn. */
static void hang(struct rj_seq *s, uint32_t left, uint32_t right, bool low)
{
    for (;; low = false) {
        uint32_t up = low ? rj_seq_leaf(s, left)->parent : rj_seq_inner(s, left)->parent;
        uint32_t at, half;

        if (up == RJ_SEQ_NONE)
            up = raise_top(s);
        at = child_slot(rj_seq_inner(s, up), left);
        rj_seq_inner(s, up)->sum[at++] = sum_of(s, low, left);
        if (rj_seq_inner(s, up)->n < RJ_SEQ_FAN) {
            insert_child(s, up, at, right);
            return;
        }
        half = split_inner(s, up);
        if (at <= HALF_FAN)
            insert_child(s, up, at, right);
        else
            insert_child(s, half, at - HALF_FAN, right);
        left = up;
        right = half;
    }
}

/* Entries of a full leaf from `at` on move to a new one. */
static void split_leaf(struct rj_seq *s, uint32_t id, uint32_t at)
{
    uint32_t right = rj_seq_slab_take(&s->leaves), i;
    struct rj_seq_leaf *from = rj_seq_leaf(s, id), *to = rj_seq_leaf(s, right);

    add_due(s);
    *to = (struct rj_seq_leaf){
        .n = RJ_SEQ_LEAF - at, .parent = RJ_SEQ_NONE, .prev = id, .next = from->next};
    for (i = 0; i < to->n; i++) {
        to->id[i] = from->id[at + i];
        to->shown[i] = from->shown[at + i];
        to->sum += to->shown[i];
        rj_seq_node(s, to->id[i])->leaf = right;
    }
    from->n = at;
    from->sum -= to->sum;
    from->next = right;
    if (to->next != RJ_SEQ_NONE)
        rj_seq_leaf(s, to->next)->prev = right;
    hang(s, id, right, true);
}

void rj_seq_order_put(struct rj_seq *s, uint32_t at, bool behind, uint32_t id)
{
    uint32_t leaf_id = rj_seq_node(s, at)->leaf;
    struct rj_seq_leaf *leaf = rj_seq_leaf(s, leaf_id);
    uint32_t slot = slot_of(leaf, at) + (behind ? 1 : 0);
    uint32_t shown = shown_of(rj_seq_node(s, id));

    if (leaf->n == RJ_SEQ_LEAF) {
        split_leaf(s, leaf_id, HALF_LEAF);
        if (slot > HALF_LEAF) {
            slot -= HALF_LEAF;
            leaf_id = leaf->next;
        }
        leaf = rj_seq_leaf(s, leaf_id);
    }
    memmove(leaf->id + slot + 1, leaf->id + slot, (leaf->n - slot) * sizeof(*leaf->id));
    memmove(leaf->shown + slot + 1, leaf->shown + slot,
            (leaf->n - slot) * sizeof(*leaf->shown));
    leaf->id[slot] = id;
    leaf->shown[slot] = shown;
    leaf->n++;
    rj_seq_node(s, id)->leaf = leaf_id;
    add(s, leaf_id, shown);
}

void rj_seq_order_drop(struct rj_seq *s, uint32_t id)
{
    uint32_t leaf_id = rj_seq_node(s, id)->leaf;
    struct rj_seq_leaf *leaf = rj_seq_leaf(s, leaf_id);
    uint32_t slot = slot_of(leaf, id), shown = leaf->shown[slot];

    leaf->n--;
    memmove(leaf->id + slot, leaf->id + slot + 1, (leaf->n - slot) * sizeof(*leaf->id));
    memmove(leaf->shown + slot, leaf->shown + slot + 1,
            (leaf->n - slot) * sizeof(*leaf->shown));
    add(s, leaf_id, 0 - (uint64_t)shown);
}

/* ---- finding */

uint32_t rj_seq_order_next(const struct rj_seq *s, uint32_t id)
{
    const struct rj_seq_leaf *leaf = rj_seq_leaf(s, rj_seq_node(s, id)->leaf);
    uint32_t slot = slot_of(leaf, id) + 1;

    while (slot >= leaf->n) {
        if (leaf->next == RJ_SEQ_NONE)
            return RJ_SEQ_NONE;
        leaf = rj_seq_leaf(s, leaf->next);
        slot = 0;
    }
    return leaf->id[slot];
}

uint32_t rj_seq_order_last(const struct rj_seq *s)
{
    const struct rj_seq_leaf *leaf;
    uint32_t id = s->top, height = s->height;

    for (; height > 0; height--)
        id = rj_seq_inner(s, id)->child[rj_seq_inner(s, id)->n - 1];
    leaf = rj_seq_leaf(s, id);
    while (leaf->n == 0) /* the first leaf has the root */
        leaf = rj_seq_leaf(s, leaf->prev);
    return leaf->id[leaf->n - 1];
}

/* The leaf with pos, from the top. */
static void go_down(struct rj_seq *s, uint64_t pos)
{
    uint32_t id = s->top, i;
    uint64_t start = 0;
    bool low = s->height == 0;

    add_due(s);
    while (!low) {
        const struct rj_seq_inner *inner = rj_seq_inner(s, id);

        for (i = 0; pos - start >= inner->sum[i]; i++)
            start += inner->sum[i];
        id = inner->child[i];
        low = inner->low;
    }
    s->near_leaf = id;
    s->near_start = start;
}

/* The leaf found last has pos, or a neighbour has. */
static bool is_near(struct rj_seq *s, uint64_t pos)
{
    const struct rj_seq_leaf *leaf;

    if (s->near_leaf == RJ_SEQ_NONE)
        return false;
    leaf = rj_seq_leaf(s, s->near_leaf);
    if (pos < s->near_start) {
        if (leaf->prev == RJ_SEQ_NONE)
            return false;
        s->near_leaf = leaf->prev;
        leaf = rj_seq_leaf(s, s->near_leaf);
        s->near_start -= leaf->sum;
    } else if (pos - s->near_start >= leaf->sum) {
        if (leaf->next == RJ_SEQ_NONE)
            return false;
        s->near_start += leaf->sum;
        s->near_leaf = leaf->next;
        leaf = rj_seq_leaf(s, s->near_leaf);
    }
    return pos >= s->near_start && pos - s->near_start < leaf->sum;
}

void rj_seq_order_find(struct rj_seq *s, uint64_t pos, uint32_t *ret_id,
                       uint32_t *ret_off)
{
    const struct rj_seq_leaf *leaf;
    uint32_t i;

    if (!is_near(s, pos))
        go_down(s, pos);
    leaf = rj_seq_leaf(s, s->near_leaf);
    pos -= s->near_start;
    for (i = 0; pos >= leaf->shown[i]; i++)
        pos -= leaf->shown[i];
    *ret_id = leaf->id[i];
    *ret_off = (uint32_t)pos;
}
