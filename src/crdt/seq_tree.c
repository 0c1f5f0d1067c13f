/* SPDX-License-Identifier: Apache-2.0 */
/* The links of a sequence's tree: nodes are cut, melted, hung to their parents, and found
 * their place in the order. Where an element goes says its parent alone: behind the last
 * one below its lesser sibling, else beside the parent; nobody else's history is looked
 * at. None of it takes longer than O(log n) on average over a message, whoever made it,
 * but for siblings of many parents that come by turns into long rows.
 * Weidner, Kleppmann 2023, "The art of the Fugue: minimizing interleaving in
 * collaborative text editing", section 4: the tree, and which side an insertion takes. */
#include "crdt/seq.h"

enum { LONG = 16 };

uint32_t rj_seq_new_node(struct rj_seq *s)
{
    uint32_t id = s->free_nodes;

    if (id != RJ_SEQ_NONE)
        s->free_nodes = rj_seq_node(s, id)->next;
    else
        id = rj_seq_slab_take(&s->nodes);
    return id;
}

static uint32_t leftmost(const struct rj_seq *s, uint32_t id)
{
    while (rj_seq_node(s, id)->left != RJ_SEQ_NONE)
        id = rj_seq_node(s, id)->left;
    return id;
}

/* ---- cutting and melting */

/* Where the number of the first of a node's siblings, or of the node, is. */
static uint32_t *first_of(const struct rj_seq *s, const struct rj_seq_node *node)
{
    struct rj_seq_node *p = rj_seq_node(s, node->parent);

    return node->is_left ? &p->left : &p->right;
}

/* id stands where old did among its siblings. */
static void replace(struct rj_seq *s, uint32_t old, uint32_t id)
{
    uint32_t *at = first_of(s, rj_seq_node(s, old));

    while (*at != old)
        at = &rj_seq_node(s, *at)->next;
    *at = id;
}

static void set_parents(struct rj_seq *s, uint32_t child, uint32_t parent)
{
    for (; child != RJ_SEQ_NONE; child = rj_seq_node(s, child)->next)
        rj_seq_node(s, child)->parent = parent;
}

/* What hangs before a node's elements (itself among its siblings, its left children) is
 * less than `right` and the siblings behind it, which are many. So who cuts a node again
 * and again moves each link few times, whatever hangs from it. */
static bool is_front_lighter(const struct rj_seq *s, uint32_t id, uint32_t right)
{
    const struct rj_seq_node *node = rj_seq_node(s, id);
    uint32_t at = RJ_SEQ_NONE;
    unsigned steps = 0;
    bool is_sibling = true;

    if (node->parent == RJ_SEQ_NONE)
        return false;
    for (; right != RJ_SEQ_NONE; right = rj_seq_node(s, right)->next) {
        if (steps++ < LONG)
            continue;
        if (steps == LONG + 1)
            at = *first_of(s, node);
        if (is_sibling && at == id) {
            is_sibling = false;
            at = node->left;
        }
        if (at == RJ_SEQ_NONE)
            return true;
        at = rj_seq_node(s, at)->next;
    }
    return false;
}

static void index_as(struct rj_seq *s, const struct rj_seq_node *node, uint32_t id)
{
    struct rj_seq_at at;

    if (rj_seq_index_floor(&s->index, (struct rj_dot){node->seq, node->origin}, &at))
        rj_seq_index_set(&s->index, at, id);
}

struct rj_seq_halves rj_seq_split(struct rj_seq *s, uint32_t id, uint32_t off)
{
    bool front = is_front_lighter(s, id, rj_seq_node(s, id)->right);
    uint32_t made = rj_seq_new_node(s), bytes = 0;
    struct rj_seq_halves h =
        front ? (struct rj_seq_halves){made, id} : (struct rj_seq_halves){id, made};
    struct rj_seq_node *old = rj_seq_node(s, id);
    struct rj_seq_node *a = rj_seq_node(s, h.first), *b = rj_seq_node(s, h.second);

    if (old->bytes > 0)
        bytes =
            (uint32_t)(old->bytes == old->n ? off
                                            : s->kind->skip(rj_seq_text(s, old), off));
    *rj_seq_node(s, made) = *old;
    if (front) {
        replace(s, id, made);
        set_parents(s, a->left, made);
        index_as(s, a, made);
    } else {
        set_parents(s, b->right, made);
    }
    a->n = off;
    a->bytes = bytes;
    a->right = h.second;
    b->seq += off;
    b->n -= off;
    b->text += bytes;
    b->bytes -= bytes;
    b->parent = h.first;
    b->is_left = false;
    b->left = b->next = RJ_SEQ_NONE;
    rj_seq_index_put(&s->index, (struct rj_dot){b->seq, b->origin}, h.second);
    if (old->leaf != RJ_SEQ_NONE) {
        rj_seq_order_recount(s, id);
        rj_seq_order_put(s, id, !front, made);
    } else {
        s->n_waiting++;
    }
    return h;
}

/* b stands for the elements behind those of a, and nothing is between. */
static bool follows(const struct rj_seq *s, const struct rj_seq_node *a, uint32_t b_id)
{
    const struct rj_seq_node *b = rj_seq_node(s, b_id);

    return b_id == a->right && b->next == RJ_SEQ_NONE && b->left == RJ_SEQ_NONE &&
           a->origin == b->origin && a->seq + a->n == b->seq && a->live == b->live &&
           (a->leaf == RJ_SEQ_NONE) == (b->leaf == RJ_SEQ_NONE) &&
           b->n <= RJ_SEQ_RUN_MAX - a->n;
}

uint32_t rj_seq_melt(struct rj_seq *s, uint32_t a_id)
{
    struct rj_seq_node *a = rj_seq_node(s, a_id), *b;
    uint32_t b_id = a->right, gone;
    struct rj_seq_at at;
    bool front;

    if (b_id == RJ_SEQ_NONE || a->live || a_id == RJ_SEQ_ROOT || !follows(s, a, b_id))
        return a_id;
    b = rj_seq_node(s, b_id);
    front = is_front_lighter(s, a_id, b->right);
    gone = front ? a_id : b_id;
    if (b->leaf != RJ_SEQ_NONE)
        rj_seq_order_drop(s, gone);
    else
        s->n_waiting--;
    if (rj_seq_index_floor(&s->index, (struct rj_dot){b->seq, b->origin}, &at))
        rj_seq_index_drop(&s->index, at);
    if (front) {
        replace(s, a_id, b_id);
        set_parents(s, a->left, b_id);
        index_as(s, a, b_id);
        a->n += b->n;
        a->right = b->right;
        a->leaf = b->leaf;
        *b = *a;
    } else {
        a->n += b->n;
        a->right = b->right;
        set_parents(s, a->right, a_id);
    }
    rj_seq_node(s, gone)->n = 0;
    rj_seq_node(s, gone)->next = s->free_nodes;
    s->free_nodes = gone;
    return gone == a_id ? b_id : a_id;
}

/* ---- placing */

/* a comes before b among siblings. */
static bool is_less(const struct rj_seq *s, const struct rj_seq_node *a,
                    const struct rj_seq_node *b)
{
    if (a->origin == b->origin)
        return a->seq < b->seq;
    return rj_roster_compare(s->names, a->origin, b->origin) < 0;
}

/* Where is remembered who came last to a parent that has many; by hash, and salted lest
 * somebody choose parents that meet. */
static uint32_t *elder_of(struct rj_seq *s, const struct rj_seq_node *x)
{
    uint64_t side = (uint64_t)x->parent * 2 + (x->is_left ? 1 : 0);
    uint64_t hash = (side ^ (uintptr_t)s >> 4) * UINT64_C(0x9e3779b97f4a7c15);

    return &s->elders[hash >> (64 - RJ_SEQ_ELDER_BITS)];
}

/* at is a lesser sibling of x. */
static bool is_elder(const struct rj_seq *s, uint32_t at, const struct rj_seq_node *x)
{
    const struct rj_seq_node *a = at < s->nodes.n ? rj_seq_node(s, at) : NULL;

    return a != NULL && a->n > 0 && at != RJ_SEQ_ROOT && a->parent == x->parent &&
           a->is_left == x->is_left && a != x && is_less(s, a, x);
}

/* Hangs a node to its parent, an element of node p; the lesser sibling is returned. */
static uint32_t link_to(struct rj_seq *s, uint32_t id, uint32_t p, uint64_t parent_seq)
{
    struct rj_seq_node *x = rj_seq_node(s, id), *node = rj_seq_node(s, p);
    uint32_t off = (uint32_t)(parent_seq - node->seq), prev = RJ_SEQ_NONE, next;
    uint32_t *elder;
    unsigned steps = 0;

    if (p == RJ_SEQ_ROOT)
        off = 0;
    if (x->is_left && off > 0)
        p = rj_seq_split(s, p, off).second;
    else if (!x->is_left && off + 1 < node->n)
        p = rj_seq_split(s, p, off + 1).first;
    node = rj_seq_node(s, p);
    x->parent = p;
    elder = elder_of(s, x);
    next = x->is_left ? node->left : node->right;
    if (is_elder(s, *elder, x)) {
        prev = *elder;
        next = rj_seq_node(s, prev)->next;
        steps = LONG;
    }
    for (; next != RJ_SEQ_NONE && is_less(s, rj_seq_node(s, next), x); steps++) {
        prev = next;
        next = rj_seq_node(s, next)->next;
    }
    x->next = next;
    if (prev != RJ_SEQ_NONE)
        rj_seq_node(s, prev)->next = id;
    else if (x->is_left)
        node->left = id;
    else
        node->right = id;
    if (steps >= LONG)
        *elder = id;
    return prev;
}

uint32_t rj_seq_next_below(const struct rj_seq *s, uint32_t id, uint32_t top)
{
    const struct rj_seq_node *node = rj_seq_node(s, id);

    if (node->right != RJ_SEQ_NONE)
        return leftmost(s, node->right);
    for (; id != top; id = node->parent, node = rj_seq_node(s, id)) {
        if (node->next != RJ_SEQ_NONE)
            return leftmost(s, node->next);
        if (node->is_left)
            return node->parent;
    }
    return RJ_SEQ_NONE;
}

/* A way through the tree, one step at a time. */
struct way {
    uint32_t id, child;
    enum { UP, AMONG, DOWN } how;
};

/* To the last node below id; from UP: to the node before all that is below it. True: id
 * is there. */
static bool step_back(const struct rj_seq *s, struct way *w)
{
    const struct rj_seq_node *node = rj_seq_node(s, w->id);
    uint32_t next;

    switch (w->how) {
    case UP: /* the root has no left children, so it is not come to */
        w->child = *first_of(s, node);
        if (w->child != w->id) {
            w->how = AMONG;
            return false;
        }
        w->id = node->parent;
        return !node->is_left;
    case AMONG: /* the sibling before id */
        next = rj_seq_node(s, w->child)->next;
        if (next == w->id)
            *w = (struct way){w->child, RJ_SEQ_NONE, DOWN};
        else
            w->child = next;
        return false;
    case DOWN:
        break;
    }
    /* child: one of the right children; NONE: not yet */
    next = w->child == RJ_SEQ_NONE ? node->right : rj_seq_node(s, w->child)->next;
    if (next == RJ_SEQ_NONE && w->child == RJ_SEQ_NONE)
        return true;
    if (next == RJ_SEQ_NONE)
        w->id = w->child;
    w->child = next;
    return false;
}

/* To the first node below id; from UP: to the node behind all that is below it, NONE:
 * there is none. */
static bool step_on(const struct rj_seq *s, struct way *w)
{
    const struct rj_seq_node *node = rj_seq_node(s, w->id);

    if (w->how == DOWN) {
        if (node->left == RJ_SEQ_NONE)
            return true;
        w->id = node->left;
        return false;
    }
    if (w->id != RJ_SEQ_ROOT && node->next != RJ_SEQ_NONE) {
        *w = (struct way){node->next, RJ_SEQ_NONE, DOWN};
        return false;
    }
    w->id = w->id != RJ_SEQ_ROOT ? node->parent : RJ_SEQ_NONE;
    return w->id == RJ_SEQ_NONE || node->is_left;
}

/* A node beside which id goes (behind it or before it), whose lesser sibling is prev.
 * Both ways to one are gone step by step: the gap that id goes into is as wide as both
 * together, and id cuts it in two; so however often somebody comes between, all steps
 * are O(n log n). */
static uint32_t beside(const struct rj_seq *s, uint32_t id, uint32_t prev,
                       bool *ret_behind)
{
    const struct rj_seq_node *x = rj_seq_node(s, id);
    struct way back = {x->parent, RJ_SEQ_NONE, UP}, on = back;

    *ret_behind = prev != RJ_SEQ_NONE || !x->is_left;
    if (prev != RJ_SEQ_NONE)
        back = (struct way){prev, RJ_SEQ_NONE, DOWN};
    else if (!x->is_left)
        return x->parent;
    if (x->next != RJ_SEQ_NONE) {
        on = (struct way){x->next, RJ_SEQ_NONE, DOWN};
    } else if (x->is_left) {
        *ret_behind = false;
        return x->parent;
    }
    for (;;) {
        *ret_behind = true;
        if (step_back(s, &back))
            return back.id;
        if (!step_on(s, &on))
            continue;
        *ret_behind = on.id == RJ_SEQ_NONE;
        return on.id != RJ_SEQ_NONE ? on.id : rj_seq_order_last(s);
    }
}

/* Puts a node, and all that hangs from it, into the order: its parent is there, prev is
 * its lesser sibling. */
static void place(struct rj_seq *s, uint32_t id, uint32_t prev)
{
    uint32_t below = leftmost(s, id), at;
    bool behind;

    at = beside(s, id, prev, &behind);
    for (; below != RJ_SEQ_NONE; below = rj_seq_next_below(s, below, id)) {
        rj_seq_order_put(s, at, behind, below);
        s->n_waiting--;
        at = below;
        behind = true;
    }
}

void rj_seq_hang(struct rj_seq *s, uint32_t id, uint32_t p, uint64_t seq)
{
    uint32_t prev = link_to(s, id, p, seq);

    if (rj_seq_node(s, rj_seq_node(s, id)->parent)->leaf != RJ_SEQ_NONE)
        place(s, id, prev);
}
