/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences: the state of lists and texts. Each element has a dot and for ever one place
 * in a tree: a parent element and a side of it (Fugue). Elements lie before those of
 * their right side and behind those of their left side; siblings ascend by (replica name,
 * sequence). Deleted elements stay in the tree, without what they held.
 *
 * A node stands for elements with consecutive dots, each the first right child of the one
 * before, all there or all deleted. Only the first of a node has left children and only
 * the last one right children that are nodes of their own; so a node is cut where
 * something else hangs. Nodes are numbered; three structures hold the numbers: links of
 * the tree, an index by dot, a tree of counts in the order of the sequence.
 *
 * Facts are told as runs of dots: elements come in; elements are deleted, one dot for
 * each, so that runs of deletions are runs as well. */
#ifndef RJ_CRDT_SEQ_H
#define RJ_CRDT_SEQ_H

#include "base/bits.h"
#include "base/reader.h"
#include "crdt/value.h"

#include <assert.h>

#define RJ_SEQ_NONE UINT32_MAX
/* In the index: the number is one of a run of deletions. */
#define RJ_SEQ_DELETION ((uint32_t)1 << 31)

enum {
    RJ_SEQ_LEAF = 32, /* nodes of a leaf of the order */
    RJ_SEQ_FAN = 16,  /* children of its inner nodes */
    RJ_SEQ_PAGE = 64, /* entries of a page of the index */
    RJ_SEQ_ELDER_BITS = 6,
    RJ_SEQ_SKIP_MAX = 1024, /* elements of a node whose bytes must be gone through */
    RJ_SEQ_CUTS_MAX = 8,    /* of one run that is taken (rj_seq_fit) */
    /* Things of a full block of a slab, as a logarithm; each block is some 10 KiB. */
    RJ_SEQ_NODE_BITS = 8,
    RJ_SEQ_DELETION_BITS = 8,
    RJ_SEQ_LEAF_BITS = 5,
    RJ_SEQ_INNER_BITS = 5,
    RJ_SEQ_PAGE_BITS = 3,
    RJ_SEQ_ROOT = 0,          /* the node that all hangs from; no dot, never shown */
    RJ_SEQ_RUN_MAX = 1 << 30, /* elements of one run */
    RJ_SEQ_NODES_MAX = 1 << 30,
};

/* What elements are made of. */
struct rj_elements {
    /* Bytes of the first n elements of b; SIZE_MAX: there are not so many. b is sound. */
    size_t (*skip)(struct rj_bytes b, uint64_t n);
    /* b is a row of whole elements. */
    bool (*is_sound)(struct rj_bytes b);
    /* What a change inserts: as a row of elements, which may stand in room, and how many.
     * RJ_EINVAL, RJ_ELIMIT. */
    enum rj_err (*content)(const struct rj_crdt_op *op, struct rj_buf *room,
                           struct rj_bytes *ret_content, uint64_t *ret_n);
    /* Appends the JSON of a row of elements; sticky. */
    void (*put_json)(struct rj_buf *json, struct rj_bytes content);
};

/* A run, as it is told. Of elements: the first one's parent is ref (seq 0: the root), on
 * its left iff `down`; each other one is the right child of the one before. Of deletions:
 * the first one deletes ref, the next ones what follows it, or comes before it (down). */
struct rj_seq_run {
    struct rj_dot dot, ref;
    uint64_t n;
    bool deletes, down;
    bool live; /* of elements: content is theirs; else they are deleted */
    struct rj_bytes content;
};

/* Runs, one after another, in the order of their dots (names in any order). */
struct rj_seq_source {
    /* False: no more; failed is set when what came was malformed. */
    bool (*next)(struct rj_seq_source *src, struct rj_seq_run *ret);
    bool failed;
};

struct rj_seq_node {
    uint64_t seq;
    uint32_t origin, n;
    uint32_t leaf;              /* NONE: not in the order, for want of the parent */
    uint32_t parent;            /* NONE: not here yet */
    uint32_t left, right, next; /* first children; the next sibling on the same side */
    uint32_t text, bytes;       /* of content; none when deleted */
    bool is_left, live;
};

struct rj_seq_deletion {
    struct rj_dot dot, ref;
    uint32_t n;
    bool down;
};

/* Numbered things in blocks of 2^bits that never move; the first one grows up to that. */
struct rj_seq_slab {
    void **blocks;
    uint32_t n, cap; /* things; those that there is memory for */
    uint32_t n_blocks, cap_blocks;
    uint32_t size, bits; /* size: of one */
};

/* ---- seq_index.c: (origin, sequence) -> number, several of equal keys allowed */

struct rj_seq_page {
    uint64_t seq[RJ_SEQ_PAGE];
    uint32_t origin[RJ_SEQ_PAGE], ref[RJ_SEQ_PAGE];
    uint32_t n;
};

struct rj_seq_index {
    uint32_t *order; /* numbers of pages, ascending by what they hold */
    uint32_t n, cap;
    struct rj_seq_slab pages;
    uint32_t free_pages; /* number + 1, next in n; 0: none */
    const struct rj_allocator *allocator;
};

/* Where an entry is. */
struct rj_seq_at {
    uint32_t page, slot; /* the page as it stands in order */
};

/* Room for n more entries. RJ_ENOMEM; RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_seq_index_reserve(struct rj_seq_index *x, size_t n);
void rj_seq_index_done(struct rj_seq_index *x);
void rj_seq_index_put(struct rj_seq_index *x, struct rj_dot dot, uint32_t ref);
/* An entry's number becomes another. */
void rj_seq_index_set(struct rj_seq_index *x, struct rj_seq_at at, uint32_t ref);
/* The last entry at or before dot; the first one at or behind it. False: none of that
 * origin; *ret means nothing then. */
bool rj_seq_index_floor(const struct rj_seq_index *x, struct rj_dot dot,
                        struct rj_seq_at *ret);
bool rj_seq_index_from(const struct rj_seq_index *x, struct rj_dot dot,
                       struct rj_seq_at *ret);
/* The next entry of the same origin. */
bool rj_seq_index_next(const struct rj_seq_index *x, struct rj_seq_at *at);
uint64_t rj_seq_index_seq(const struct rj_seq_index *x, struct rj_seq_at at);
uint32_t rj_seq_index_ref(const struct rj_seq_index *x, struct rj_seq_at at);
void rj_seq_index_drop(struct rj_seq_index *x, struct rj_seq_at at);

/* ---- the whole */

struct rj_seq_leaf {
    uint32_t id[RJ_SEQ_LEAF], shown[RJ_SEQ_LEAF];
    uint64_t sum;
    uint32_t n, parent, prev, next;
};

struct rj_seq_inner {
    uint64_t sum[RJ_SEQ_FAN];
    uint32_t child[RJ_SEQ_FAN];
    uint32_t n, parent;
    bool low; /* its children are leaves */
};

struct rj_seq {
    const struct rj_allocator *allocator;
    const struct rj_roster *names; /* borrowed */
    const struct rj_elements *kind;
    struct rj_seq_slab nodes, deletions, leaves, inners;
    uint32_t free_nodes;   /* by next */
    uint32_t free_records; /* of deletions, by n */
    struct rj_seq_index index;
    struct rj_seq_index orphans; /* parent -> node that waits for it */
    uint32_t n_orphans;
    uint32_t n_waiting; /* nodes that are not in the order */
    struct rj_dots
        doomed;          /* deleted before they came, and maybe some more that are dead */
    size_t doomed_kept;  /* spans when it was last cleared up */
    struct rj_dots wide; /* what wide runs of the change under way have deleted */
    struct rj_buf text;  /* content of nodes */
    size_t waste;        /* bytes of it that are of no node */
    uint32_t top;        /* of the order: an inner node, or (height 0) a leaf */
    uint32_t height;
    uint64_t shown;
    uint32_t near_leaf; /* the leaf found last (NONE: none), and what comes before it */
    uint64_t near_start;
    uint32_t due_leaf; /* what is above it does not know yet that it shows `due` more */
    uint64_t due;
    uint32_t hint; /* a node that may hold the dot asked for next */
    /* Where the last long ways among siblings ended; nodes that may be gone. */
    uint32_t elders[1 << RJ_SEQ_ELDER_BITS];
    struct rj_buf runs, room; /* of a change under way */
};

/* The block of a slab that a thing is in, and which one of it is. */
#define RJ_SEQ_BLOCK(slab, id, bits) ((slab)->blocks[(id) >> (bits)])
#define RJ_SEQ_SLOT(id, bits)        ((id) & (((uint32_t)1 << (bits)) - 1))

static inline struct rj_seq_node *rj_seq_node(const struct rj_seq *s, uint32_t id)
{
    return (struct rj_seq_node *)RJ_SEQ_BLOCK(&s->nodes, id, RJ_SEQ_NODE_BITS) +
           RJ_SEQ_SLOT(id, RJ_SEQ_NODE_BITS);
}

static inline struct rj_seq_deletion *rj_seq_deletion(const struct rj_seq *s, uint32_t id)
{
    return (struct rj_seq_deletion *)RJ_SEQ_BLOCK(&s->deletions, id,
                                                  RJ_SEQ_DELETION_BITS) +
           RJ_SEQ_SLOT(id, RJ_SEQ_DELETION_BITS);
}

static inline struct rj_seq_leaf *rj_seq_leaf(const struct rj_seq *s, uint32_t id)
{
    return (struct rj_seq_leaf *)RJ_SEQ_BLOCK(&s->leaves, id, RJ_SEQ_LEAF_BITS) +
           RJ_SEQ_SLOT(id, RJ_SEQ_LEAF_BITS);
}

static inline struct rj_seq_inner *rj_seq_inner(const struct rj_seq *s, uint32_t id)
{
    return (struct rj_seq_inner *)RJ_SEQ_BLOCK(&s->inners, id, RJ_SEQ_INNER_BITS) +
           RJ_SEQ_SLOT(id, RJ_SEQ_INNER_BITS);
}

static inline struct rj_bytes rj_seq_text(const struct rj_seq *s,
                                          const struct rj_seq_node *node)
{
    return node->bytes > 0 ? rj_bytes_of(s->text.ptr + node->text, node->bytes)
                           : (struct rj_bytes){0};
}

/* Room for n more. RJ_ENOMEM; RJ_ELIMIT: RJ_SEQ_NODES_MAX. grow: there is none. */
RJ_NODISCARD enum rj_err rj_seq_slab_grow(struct rj_seq_slab *slab, size_t n,
                                          const struct rj_allocator *allocator);
RJ_NODISCARD static inline enum rj_err
rj_seq_slab_reserve(struct rj_seq_slab *slab, size_t n,
                    const struct rj_allocator *allocator)
{
    return n <= slab->cap - slab->n ? RJ_OK : rj_seq_slab_grow(slab, n, allocator);
}

/* The number of a new one. */
static inline uint32_t rj_seq_slab_take(struct rj_seq_slab *slab)
{
    assert(slab->n < slab->cap); /* it was reserved */
    return slab->n++;
}

/* Gives back what was reserved for many and is not used, but for some that are spare. */
void rj_seq_slab_trim(struct rj_seq_slab *slab, size_t spare,
                      const struct rj_allocator *allocator);
void rj_seq_slab_done(struct rj_seq_slab *slab, const struct rj_allocator *allocator);

/* ---- seq_order.c: the nodes in order, with counts of what is shown */

/* Room for n more nodes, which may come anywhere, and for `together` others, each of
 * which comes behind another one of them or of those. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_seq_order_reserve(struct rj_seq *s, size_t n,
                                              size_t together);
/* Gives back what is reserved for more than the nodes that wait. */
void rj_seq_order_trim(struct rj_seq *s);
/* The first node of all. */
void rj_seq_order_start(struct rj_seq *s, uint32_t id);
/* Puts id in behind (or before) at. */
void rj_seq_order_put(struct rj_seq *s, uint32_t at, bool behind, uint32_t id);
void rj_seq_order_drop(struct rj_seq *s, uint32_t id);
/* n or live of a node has changed. */
void rj_seq_order_recount(struct rj_seq *s, uint32_t id);
/* The next node; NONE: none. */
uint32_t rj_seq_order_next(const struct rj_seq *s, uint32_t id);
/* The last node of all. */
uint32_t rj_seq_order_last(const struct rj_seq *s);
/* The shown element at pos < s->shown: its node and which of the node's it is. */
void rj_seq_order_find(struct rj_seq *s, uint64_t pos, uint32_t *ret_id,
                       uint32_t *ret_off);

/* ---- seq_tree.c: links */

struct rj_seq_halves {
    uint32_t first, second;
};

/* The number of a new node; it was reserved. */
uint32_t rj_seq_new_node(struct rj_seq *s);
/* Cuts a node before its element off. */
struct rj_seq_halves rj_seq_split(struct rj_seq *s, uint32_t id, uint32_t off);
/* Deleted nodes that follow one another become one, whose number is returned. */
uint32_t rj_seq_melt(struct rj_seq *s, uint32_t id);
/* Hangs a node to its parent, element seq of node p (which is cut where need be), and
 * puts what hangs from it into the order if the parent is there. */
void rj_seq_hang(struct rj_seq *s, uint32_t id, uint32_t p, uint64_t seq);
/* The node behind id within what hangs from top, in order; NONE: none. */
uint32_t rj_seq_next_below(const struct rj_seq *s, uint32_t id, uint32_t top);

/* ---- seq.c */

/* NULL: no memory. names is borrowed. */
RJ_NODISCARD struct rj_seq *rj_seq_new(const struct rj_elements *kind,
                                       const struct rj_roster *names,
                                       const struct rj_allocator *allocator);
void rj_seq_free(struct rj_seq *s); /* NULL is accepted */

/* What runs that are to be taken need. */
struct rj_seq_need {
    size_t nodes;  /* new ones, and places where some come into the order */
    size_t runs;   /* that may be written down, or wait */
    size_t doomed; /* spans */
    size_t bytes;
};

/* Adds what run needs, whose dots are not in seen, behind what was counted before. */
void rj_seq_count(const struct rj_seq *s, const struct rj_seq_run *run,
                  const struct rj_dots *seen, struct rj_seq_need *need);
/* How many of the first n elements of run may be taken together, lest they need more than
 * some RJ_SEQ_CUTS_MAX nodes; at least one. Deletions need little, however many. */
uint64_t rj_seq_fit(const struct rj_seq *s, const struct rj_seq_run *run, uint64_t n);
/* Finds all memory. RJ_ENOMEM, RJ_ELIMIT. */
RJ_NODISCARD enum rj_err rj_seq_reserve(struct rj_seq *s, const struct rj_seq_need *need);
/* Takes a run in, whose dots are not in; cannot fail behind a reserve. */
void rj_seq_take(struct rj_seq *s, const struct rj_seq_run *run);
/* The part of run from its element `from` on, n of them. */
struct rj_seq_run rj_seq_cut(const struct rj_elements *kind, const struct rj_seq_run *run,
                             uint64_t from, uint64_t n);
/* Node that holds dot; NONE: none, or it is no element. */
uint32_t rj_seq_find(const struct rj_seq *s, struct rj_dot dot);
/* The element that a node hangs from; seq 0: the root. */
struct rj_dot rj_seq_parent(const struct rj_seq *s, const struct rj_seq_node *node);
/* Clears up after n takes; all that seen has is here. */
void rj_seq_settle(struct rj_seq *s, const struct rj_dots *seen, size_t n);
/* Appends the content of what is shown, in order. */
void rj_seq_show(const struct rj_seq *s, struct rj_buf *out);
/* All structures agree: for tests, O(n log n). */
bool rj_seq_is_sound(const struct rj_seq *s);

/* ---- seq_code.c */

/* Runs of s whose dots are in seen. Zero, and set what is on top. */
struct rj_seq_walk {
    struct rj_seq_source src;
    const struct rj_seq *s;
    const struct rj_dots *seen;
    const uint32_t *origins; /* in this order; NULL: as they come */
    uint32_t n_origins;
    const uint32_t *map; /* index -> index to be told; NULL: as it is */
    uint32_t origin;     /* index in origins */
    bool begun;
    struct rj_dots_walk dots;
    struct rj_span span;
    uint64_t pos; /* next dot of the span; 0: none of it was told */
    struct rj_seq_at at;
    struct rj_seq_run node; /* the last one told of, or its end */
    uint32_t id;            /* its number */
};

bool rj_seq_walk_next(struct rj_seq_source *src, struct rj_seq_run *ret);

struct rj_seq_read {
    struct rj_seq_source src;
    const struct rj_elements *kind;
    struct rj_dots_walk dots; /* of what was seen; origins are numbers of names */
    const uint32_t *map;      /* as above; NULL: as it is */
    bool heads_only;          /* runs are whole, and what they hold is not read */
    uint64_t *last;           /* by number: where references were last */
    uint32_t n_names;
    uint32_t cursor; /* number that the last reference had */
    struct rj_span span;
    bool has_span;          /* there is one that was not told to its end */
    uint32_t origin;        /* of the last one */
    uint64_t done;          /* dots of the span that were told */
    struct rj_seq_run head; /* what is left of a run */
    struct rj_seq_run prev; /* the whole run before; n 0: none */
    uint64_t live_left;
    bool live, lives_begun;
    struct rj_bits_reader heads;
    struct rj_reader lives, content;
};

/* Reads wire's runs, whose dots are seen; last: n_names numbers. */
struct rj_seq_read rj_seq_read_of(const struct rj_seq_wire *wire,
                                  const struct rj_elements *kind,
                                  const struct rj_dots *seen, uint64_t *last,
                                  uint32_t n_names);
bool rj_seq_read_next(struct rj_seq_source *src, struct rj_seq_run *ret);
/* All was read, down to the last byte. */
bool rj_seq_read_complete(const struct rj_seq_read *r);

/* Writes runs, whose origins come in the order of their numbers. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_seq_put(struct rj_buf *out, struct rj_seq_source *src,
                                    const uint32_t *number, uint32_t n_names);

/* ---- seq_value.c: sequences as values */

/* Where what is inserted behind the shown element before pos hangs: ref and down of run.
 */
void rj_seq_aim(struct rj_seq *s, uint64_t pos, struct rj_seq_run *run);

/* rj_crdt_write for a sequence that was allowed. */
RJ_NODISCARD enum rj_err rj_seq_write(struct rj_crdt *v, const struct rj_crdt_op *op,
                                      struct rj_crdt_buf *ret_delta);
/* `show` of a type. */
void rj_seq_json(const struct rj_crdt *v, struct rj_bytes prefix, struct rj_buf *json);
/* How many elements it shows. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_seq_length(const struct rj_crdt *v, struct rj_bytes prefix,
                                       uint64_t *ret_n);
/* Marks with 1 the names that v's runs refer to. */
void rj_seq_use_names(const struct rj_crdt *v, uint32_t *marks);
/* v's rows. index: number -> name, number: name -> number. */
RJ_NODISCARD enum rj_err rj_seq_put_rows(const struct rj_crdt *v, struct rj_buf *out,
                                         const uint32_t *index, uint32_t n_names,
                                         const uint32_t *number);
/* Checks rows and keeps views of them in v, whose names have their numbers as indexes:
 * good for being joined, and no longer than the bytes. used: marked for each of n_names
 * that runs refer to. */
RJ_NODISCARD enum rj_err rj_seq_get_rows(struct rj_crdt *v, struct rj_reader *r,
                                         uint32_t n_names, uint8_t *used);

/* ---- seq_join.c */

/* v takes in what of other's runs it has not seen, and has seen their dots; map: other's
 * names -> v's (NULL: the same). RJ_ENOMEM, RJ_ELIMIT: as many runs as the report says
 * that were taken are in and seen; of few runs all or none. */
RJ_NODISCARD enum rj_err rj_seq_join(struct rj_crdt *v, const struct rj_crdt *other,
                                     const uint32_t *map, struct rj_crdt_report *report);

/* ---- seq_rows.c: sequences below a key of a map; hooks of their types */

RJ_NODISCARD enum rj_err rj_seq_rows_change(const struct rj_site *s);
bool rj_seq_rows_stay(struct rj_bytes place);
bool rj_seq_rows_are_sound(const struct rj_elements *kind, struct rj_bytes place,
                           struct rj_bytes payload);
RJ_NODISCARD enum rj_err rj_seq_rows_length(const struct rj_crdt *v,
                                            struct rj_bytes prefix, uint64_t *ret_n);
bool rj_seq_rows_are_alive(const struct rj_crdt *v, struct rj_bytes prefix);
void rj_seq_rows_json(const struct rj_crdt *v, struct rj_bytes prefix,
                      struct rj_buf *json);

#endif
