/* SPDX-License-Identifier: Apache-2.0 */
/* Runs come into a sequence. What comes before its parent waits in the links (parent not
 * in the order) or among the orphans (parent not here); what is deleted before it comes
 * is doomed. Memory is found before anything changes. */
#include "crdt/seq.h"

enum { WIDE = 64 }; /* dots of a run of deletions that is not gone over twice */

/* ---- memory */

static enum rj_err make_root(struct rj_seq *s)
{
    const struct rj_seq_need one = {.nodes = 1};
    enum rj_err err = rj_seq_reserve(s, &one);

    if (err != RJ_OK)
        return err;
    s->nodes.n = 1;
    *rj_seq_node(s, RJ_SEQ_ROOT) = (struct rj_seq_node){.origin = RJ_NAME_NONE,
                                                        .n = 1,
                                                        .parent = RJ_SEQ_NONE,
                                                        .left = RJ_SEQ_NONE,
                                                        .right = RJ_SEQ_NONE,
                                                        .next = RJ_SEQ_NONE};
    rj_seq_order_start(s, RJ_SEQ_ROOT);
    return RJ_OK;
}

struct rj_seq *rj_seq_new(const struct rj_elements *kind, const struct rj_roster *names,
                          const struct rj_allocator *allocator)
{
    struct rj_seq *s = rj_mem_new(allocator, sizeof(*s));

    if (s == NULL)
        return NULL;
    *s = (struct rj_seq){.allocator = allocator, .names = names, .kind = kind};
    s->nodes.size = sizeof(struct rj_seq_node);
    s->nodes.bits = RJ_SEQ_NODE_BITS;
    s->deletions.size = sizeof(struct rj_seq_deletion);
    s->deletions.bits = RJ_SEQ_DELETION_BITS;
    s->leaves.size = sizeof(struct rj_seq_leaf);
    s->leaves.bits = RJ_SEQ_LEAF_BITS;
    s->inners.size = sizeof(struct rj_seq_inner);
    s->inners.bits = RJ_SEQ_INNER_BITS;
    s->index.allocator = s->orphans.allocator = allocator;
    s->doomed.allocator = s->wide.allocator = s->text.allocator = allocator;
    s->runs.allocator = s->room.allocator = allocator;
    s->free_nodes = s->free_records = s->near_leaf = RJ_SEQ_NONE;
    if (make_root(s) != RJ_OK) {
        rj_seq_free(s);
        return NULL;
    }
    return s;
}

void rj_seq_free(struct rj_seq *s)
{
    if (s == NULL)
        return;
    rj_seq_slab_done(&s->nodes, s->allocator);
    rj_seq_slab_done(&s->deletions, s->allocator);
    rj_seq_slab_done(&s->leaves, s->allocator);
    rj_seq_slab_done(&s->inners, s->allocator);
    rj_seq_index_done(&s->index);
    rj_seq_index_done(&s->orphans);
    rj_dots_done(&s->doomed);
    rj_dots_done(&s->wide);
    rj_buf_done(&s->text);
    rj_buf_done(&s->runs);
    rj_buf_done(&s->room);
    rj_mem_free(s->allocator, s, sizeof(*s));
}

static struct rj_span targets_of(const struct rj_seq_run *run)
{
    uint64_t more = run->n - 1;

    if (run->down)
        return (struct rj_span){run->ref.seq - more, run->ref.seq, run->ref.origin};
    return (struct rj_span){run->ref.seq, run->ref.seq + more, run->ref.origin};
}

static bool is_within(const struct rj_dots *d, struct rj_span span)
{
    struct rj_span there;

    return rj_dots_find(d, span.origin, span.from, &there) && there.from <= span.from &&
           there.to >= span.to;
}

/* How often elements of a span that come are cut: where some are doomed and where orphans
 * hang. Or as much as is enough. */
static size_t cuts(const struct rj_seq *s, struct rj_span span, size_t enough)
{
    struct rj_dot dot = {span.from, span.origin};
    struct rj_seq_at at;
    size_t n = 0;

    if (s->doomed.n > 0) {
        struct rj_dots_walk w = rj_dots_walk_from(&s->doomed, span.origin, span.from);
        struct rj_span there;

        while (n < enough && rj_dots_next(&w, &there) && there.origin == span.origin &&
               there.from <= span.to)
            n++;
    }
    while (n < enough && s->n_orphans > 0 && dot.seq <= span.to &&
           rj_seq_index_from(&s->orphans, dot, &at) &&
           rj_seq_index_seq(&s->orphans, at) <= span.to) {
        dot.seq = rj_seq_index_seq(&s->orphans, at) + 1;
        n++;
    }
    return n;
}

static struct rj_span span_of(const struct rj_seq_run *run)
{
    return (struct rj_span){run->dot.seq, run->dot.seq + (run->n - 1), run->dot.origin};
}

/* What it holds is not gone through to find an element: all have one byte, or none. */
static bool is_even(const struct rj_seq_run *run)
{
    return !run->live || run->content.len == run->n;
}

/* A node may get that many bytes and elements more; they come behind all content. */
static bool has_room(const struct rj_seq *s, const struct rj_seq_node *a,
                     const struct rj_seq_run *run)
{
    uint64_t n = a->n + run->n;

    if (!a->live)
        return n <= RJ_SEQ_RUN_MAX;
    return n <= RJ_SEQ_RUN_MAX && (size_t)a->text + a->bytes == s->text.len &&
           (n <= RJ_SEQ_SKIP_MAX || a->bytes + run->content.len == n);
}

/* The node that run goes on, with content that goes on too; NONE: none. */
static uint32_t extended(const struct rj_seq *s, const struct rj_seq_run *run)
{
    uint32_t id = run->down ? RJ_SEQ_NONE : rj_seq_find(s, run->ref);
    const struct rj_seq_node *a;

    if (id == RJ_SEQ_NONE || id == RJ_SEQ_ROOT)
        return RJ_SEQ_NONE;
    a = rj_seq_node(s, id);
    return a->right == RJ_SEQ_NONE && a->origin == run->dot.origin &&
                   a->seq + a->n == run->dot.seq && a->live == run->live &&
                   run->ref.seq + 1 == run->dot.seq && has_room(s, a, run)
               ? id
               : RJ_SEQ_NONE;
}

/* Elements: a node, and more where they are long or doomed; one where the parent is cut;
 * where orphans hang both sides of an element may be cut, and they come into the order.
 * Deletions cut at both their ends, and doom what they are about. */
void rj_seq_count(const struct rj_seq *s, const struct rj_seq_run *run,
                  const struct rj_dots *seen, struct rj_seq_need *need)
{
    need->bytes += run->content.len;
    if (!run->deletes && need->nodes == 0 && s->doomed.n == 0 && s->n_orphans == 0 &&
        extended(s, run) != RJ_SEQ_NONE)
        return; /* nothing that comes before it can change that */
    need->runs++;
    need->nodes += 2;
    if (run->deletes) {
        need->doomed += is_within(seen, targets_of(run)) ? 0 : 1;
        return;
    }
    need->nodes += 4 * cuts(s, span_of(run), SIZE_MAX) + 2 * need->doomed;
    if (!is_even(run))
        need->nodes += run->n / RJ_SEQ_SKIP_MAX;
}

uint64_t rj_seq_fit(const struct rj_seq *s, const struct rj_seq_run *run, uint64_t n)
{
    const uint64_t most = (uint64_t)RJ_SEQ_CUTS_MAX * RJ_SEQ_SKIP_MAX;
    struct rj_seq_run part = *run;

    part.n = is_even(run) || n < most ? n : most;
    while (!run->deletes && part.n > 1 &&
           cuts(s, span_of(&part), RJ_SEQ_CUTS_MAX + 1) > RJ_SEQ_CUTS_MAX)
        part.n /= 2;
    return part.n;
}

/* What need not be is not looked at: who types makes a node longer. */
static enum rj_err reserve_nodes(struct rj_seq *s, const struct rj_seq_need *need)
{
    enum rj_err err = rj_seq_slab_reserve(&s->nodes, need->nodes, s->allocator);

    if (err == RJ_OK)
        err = rj_seq_slab_reserve(&s->deletions, need->runs, s->allocator);
    if (err == RJ_OK) /* all that waits may come into the order at once */
        err = rj_seq_order_reserve(s, need->nodes, s->n_waiting);
    if (err == RJ_OK)
        err = rj_seq_index_reserve(&s->index, need->nodes + need->runs);
    if (err == RJ_OK)
        err = rj_seq_index_reserve(&s->orphans, need->runs);
    if (err == RJ_OK && need->doomed > 0)
        err = rj_dots_reserve(&s->doomed, need->doomed);
    return err;
}

enum rj_err rj_seq_reserve(struct rj_seq *s, const struct rj_seq_need *need)
{
    enum rj_err err = need->nodes > 0 ? reserve_nodes(s, need) : RJ_OK;

    if (err == RJ_OK && need->bytes > UINT32_MAX - s->text.len)
        err = RJ_ELIMIT;
    if (err == RJ_OK && rj_buf_reserve(&s->text, need->bytes) == NULL) {
        err = rj_buf_err(&s->text);
        s->text.failed = false;
    }
    return err;
}

/* A record that says which parent an orphan waits for. */
static uint32_t new_record(struct rj_seq *s, struct rj_dot parent)
{
    uint32_t id = s->free_records;

    if (id != RJ_SEQ_NONE)
        s->free_records = rj_seq_deletion(s, id)->n;
    else
        id = rj_seq_slab_take(&s->deletions);
    rj_seq_deletion(s, id)->ref = parent;
    return id;
}

static void free_record(struct rj_seq *s, uint32_t id)
{
    rj_seq_deletion(s, id)->n = s->free_records;
    s->free_records = id;
}

struct rj_dot rj_seq_parent(const struct rj_seq *s, const struct rj_seq_node *node)
{
    const struct rj_seq_node *p;

    if (node->parent == RJ_SEQ_NONE)
        return rj_seq_deletion(s, node->next)->ref;
    p = rj_seq_node(s, node->parent);
    if (node->parent == RJ_SEQ_ROOT)
        return (struct rj_dot){0};
    return (struct rj_dot){node->is_left ? p->seq : p->seq + p->n - 1, p->origin};
}

/* ---- finding */

static bool holds(const struct rj_seq_node *node, struct rj_dot dot)
{
    return node->origin == dot.origin && dot.seq >= node->seq &&
           dot.seq - node->seq < node->n;
}

/* Takes an entry for a run of deletions or a node that ends before dot for nothing. */
uint32_t rj_seq_find(const struct rj_seq *s, struct rj_dot dot)
{
    struct rj_seq_at at;
    uint32_t ref;

    if (dot.seq == 0)
        return RJ_SEQ_ROOT;
    if (holds(rj_seq_node(s, s->hint), dot))
        return s->hint;
    if (!rj_seq_index_floor(&s->index, dot, &at))
        return RJ_SEQ_NONE;
    ref = rj_seq_index_ref(&s->index, at);
    if ((ref & RJ_SEQ_DELETION) != 0 || !holds(rj_seq_node(s, ref), dot))
        return RJ_SEQ_NONE;
    return ref;
}

/* ---- hanging */

/* Hangs a node to its parent if that is here, else it waits. */
static void attach(struct rj_seq *s, uint32_t id, struct rj_dot parent)
{
    uint32_t p = rj_seq_find(s, parent);

    if (p == RJ_SEQ_NONE) {
        rj_seq_node(s, id)->next = new_record(s, parent);
        rj_seq_index_put(&s->orphans, parent, id);
        s->n_orphans++;
        return;
    }
    rj_seq_hang(s, id, p, parent.seq);
}

/* Those that wait for some of these dots hang to them. */
static void adopt(struct rj_seq *s, struct rj_dot from, uint64_t n)
{
    struct rj_seq_at at;

    while (s->n_orphans > 0 && rj_seq_index_from(&s->orphans, from, &at) &&
           rj_seq_index_seq(&s->orphans, at) - from.seq < n) {
        uint32_t id = rj_seq_index_ref(&s->orphans, at);
        struct rj_dot parent = {rj_seq_index_seq(&s->orphans, at), from.origin};

        rj_seq_index_drop(&s->orphans, at);
        s->n_orphans--;
        free_record(s, rj_seq_node(s, id)->next);
        rj_seq_node(s, id)->next = RJ_SEQ_NONE;
        attach(s, id, parent);
    }
}

/* ---- taking runs in */

struct rj_seq_run rj_seq_cut(const struct rj_elements *kind, const struct rj_seq_run *run,
                             uint64_t from, uint64_t n)
{
    struct rj_seq_run part = *run;

    if (n == run->n)
        return part;
    part.dot.seq += from;
    part.n = n;
    if (run->deletes) {
        part.ref.seq = run->down ? run->ref.seq - from : run->ref.seq + from;
        return part;
    }
    if (from > 0) {
        part.ref = (struct rj_dot){part.dot.seq - 1, run->dot.origin};
        part.down = false;
    }
    if (run->live) {
        part.content = rj_bytes_skip(run->content, kind->skip(run->content, from));
        if (n < run->n - from)
            part.content.len = kind->skip(part.content, n);
    }
    return part;
}

static void extend(struct rj_seq *s, uint32_t id, const struct rj_seq_run *run)
{
    struct rj_seq_node *a = rj_seq_node(s, id);

    a->n += (uint32_t)run->n;
    rj_buf_append(&s->text, run->content);
    a->bytes += (uint32_t)run->content.len;
    if (a->leaf != RJ_SEQ_NONE)
        rj_seq_order_recount(s, id);
}

static void take_elements(struct rj_seq *s, const struct rj_seq_run *run)
{
    uint32_t id = extended(s, run);

    if (id != RJ_SEQ_NONE) {
        extend(s, id, run);
    } else {
        id = rj_seq_new_node(s);
        *rj_seq_node(s, id) = (struct rj_seq_node){.seq = run->dot.seq,
                                                   .origin = run->dot.origin,
                                                   .n = (uint32_t)run->n,
                                                   .leaf = RJ_SEQ_NONE,
                                                   .parent = RJ_SEQ_NONE,
                                                   .left = RJ_SEQ_NONE,
                                                   .right = RJ_SEQ_NONE,
                                                   .next = RJ_SEQ_NONE,
                                                   .text = (uint32_t)s->text.len,
                                                   .bytes = (uint32_t)run->content.len,
                                                   .is_left = run->down,
                                                   .live = run->live};
        rj_buf_append(&s->text, run->content);
        rj_seq_index_put(&s->index, run->dot, id);
        s->n_waiting++;
        attach(s, id, run->ref);
    }
    s->hint = id;
    if (s->n_orphans > 0)
        adopt(s, run->dot, run->n);
}

/* The same for elements that become nodes of which each is gone through fast. */
static void take_pieces(struct rj_seq *s, const struct rj_seq_run *run)
{
    struct rj_seq_run rest = *run;

    while (!is_even(&rest) && rest.n > RJ_SEQ_SKIP_MAX) {
        struct rj_seq_run piece = rj_seq_cut(s->kind, &rest, 0, RJ_SEQ_SKIP_MAX);

        take_elements(s, &piece);
        rest = rj_seq_cut(s->kind, &rest, piece.n, rest.n - piece.n);
    }
    take_elements(s, &rest);
}

/* The same for elements some of which may be doomed. */
static void take_doomed(struct rj_seq *s, const struct rj_seq_run *run)
{
    struct rj_seq_run rest = *run, part;

    for (; rest.n > 0; rest = rj_seq_cut(s->kind, &rest, part.n, rest.n - part.n)) {
        uint64_t seq = rest.dot.seq, n = rest.n;
        struct rj_span span;
        bool dead = false;

        if (rj_dots_find(&s->doomed, run->dot.origin, seq, &span)) {
            dead = span.from <= seq;
            if (dead && span.to - seq + 1 < n)
                n = span.to - seq + 1;
            else if (!dead && span.from - seq < n)
                n = span.from - seq;
        }
        part = rj_seq_cut(s->kind, &rest, 0, n);
        if (dead) {
            part.live = false;
            part.content = (struct rj_bytes){0};
        }
        take_pieces(s, &part);
    }
}

/* Deletes n elements of a node from off on; all may be deleted already. */
static void kill(struct rj_seq *s, uint32_t id, uint32_t off, uint32_t n)
{
    struct rj_seq_node *node = rj_seq_node(s, id);

    if (!node->live)
        return;
    if (off > 0)
        id = rj_seq_split(s, id, off).second;
    if (n < rj_seq_node(s, id)->n)
        id = rj_seq_split(s, id, n).first;
    node = rj_seq_node(s, id);
    s->waste += node->bytes;
    node->bytes = 0;
    node->live = false;
    if (node->leaf != RJ_SEQ_NONE)
        rj_seq_order_recount(s, id);
    node = rj_seq_node(s, rj_seq_melt(s, id));
    if (!node->is_left && node->parent != RJ_SEQ_NONE)
        (void)rj_seq_melt(s, node->parent);
}

/* dot is one of a run of deletions, which goes on for n dots. */
static bool is_deletion(const struct rj_seq *s, struct rj_dot dot, uint64_t *ret_n)
{
    const struct rj_seq_deletion *d;
    struct rj_seq_at at;
    uint32_t ref;

    if (!rj_seq_index_floor(&s->index, dot, &at))
        return false;
    ref = rj_seq_index_ref(&s->index, at);
    if ((ref & RJ_SEQ_DELETION) == 0)
        return false;
    d = rj_seq_deletion(s, ref & ~RJ_SEQ_DELETION);
    if (dot.seq - d->dot.seq >= d->n)
        return false;
    *ret_n = d->n - (dot.seq - d->dot.seq);
    return true;
}

/* What is at dot and for how many dots: a node, deletions (RJ_SEQ_DELETION), or nothing
 * (NONE) up to the next thing that is here. */
static uint32_t thing_at(const struct rj_seq *s, struct rj_dot dot, uint64_t *ret_n)
{
    struct rj_dot next = {dot.seq + 1, dot.origin};
    uint32_t id = rj_seq_find(s, dot);
    struct rj_seq_at at;

    if (id != RJ_SEQ_NONE) {
        *ret_n = rj_seq_node(s, id)->n - (dot.seq - rj_seq_node(s, id)->seq);
        return id;
    }
    if (is_deletion(s, dot, ret_n))
        return RJ_SEQ_DELETION;
    *ret_n = rj_seq_index_from(&s->index, next, &at)
                 ? rj_seq_index_seq(&s->index, at) - dot.seq
                 : UINT64_MAX;
    return RJ_SEQ_NONE;
}

/* A wide run went over dot before, and over n dots from there on; else up to the next one
 * that it went over. */
static bool is_wide(const struct rj_seq *s, struct rj_dot dot, uint64_t *ret_n)
{
    struct rj_span there;

    *ret_n = UINT64_MAX;
    if (s->wide.n == 0 || !rj_dots_find(&s->wide, dot.origin, dot.seq, &there))
        return false;
    *ret_n = there.from <= dot.seq ? there.to - dot.seq + 1 : there.from - dot.seq;
    return there.from <= dot.seq;
}

/* Deletes what of the span is here. True: something is not. */
static bool kill_span(struct rj_seq *s, struct rj_span span)
{
    uint64_t n, until = 0; /* what comes before this is not wide */
    bool lacks = false;

    for (; span.from <= span.to; span.from += n) {
        struct rj_dot dot = {span.from, span.origin};
        uint64_t most = span.to - span.from + 1;
        uint32_t id;

        if (span.from >= until) {
            bool wide = is_wide(s, dot, &n);

            n = n < most ? n : most;
            until = span.from + n;
            if (wide)
                continue;
        }
        id = thing_at(s, dot, &n);
        n = n < most ? n : most;
        n = n < until - span.from ? n : until - span.from;
        if (id == RJ_SEQ_NONE)
            lacks = true;
        else if (id != RJ_SEQ_DELETION)
            kill(s, id, (uint32_t)(span.from - rj_seq_node(s, id)->seq), (uint32_t)n);
    }
    return lacks;
}

/* Writes a run of deletions down, in the last one's record if it goes on. */
static void note_deletion(struct rj_seq *s, const struct rj_seq_run *run)
{
    struct rj_seq_at at;
    struct rj_seq_deletion *d;
    uint32_t ref;

    if (rj_seq_index_floor(&s->index, run->dot, &at)) {
        ref = rj_seq_index_ref(&s->index, at);
        d = (ref & RJ_SEQ_DELETION) != 0 ? rj_seq_deletion(s, ref & ~RJ_SEQ_DELETION)
                                         : NULL;
        if (d != NULL && d->dot.seq + d->n == run->dot.seq &&
            d->ref.origin == run->ref.origin && run->n <= RJ_SEQ_RUN_MAX - d->n &&
            (run->n == 1 || d->n == 1 || d->down == run->down)) {
            bool down = d->n > 1     ? d->down
                        : run->n > 1 ? run->down
                                     : run->ref.seq < d->ref.seq;
            uint64_t next = down ? d->ref.seq - d->n : d->ref.seq + d->n;

            if (next == run->ref.seq) {
                d->n += (uint32_t)run->n;
                d->down = down;
                return;
            }
        }
    }
    ref = rj_seq_slab_take(&s->deletions);
    *rj_seq_deletion(s, ref) = (struct rj_seq_deletion){
        .dot = run->dot, .ref = run->ref, .n = (uint32_t)run->n, .down = run->down};
    rj_seq_index_put(&s->index, run->dot, ref | RJ_SEQ_DELETION);
}

/* Where something is not here yet, the span is doomed: what is here is dead, and the
 * deletions among it never come as elements. */
static void take_deletions(struct rj_seq *s, const struct rj_seq_run *run)
{
    struct rj_span span = targets_of(run);

    if (kill_span(s, span))
        (void)!rj_dots_add(&s->doomed, span); /* there is room */
    if (run->n >= WIDE)
        (void)!rj_dots_add(&s->wide, span); /* without it only time is lost */
    note_deletion(s, run);
}

void rj_seq_take(struct rj_seq *s, const struct rj_seq_run *run)
{
    if (run->deletes) {
        take_deletions(s, run);
    } else if (s->doomed.n > 0) {
        take_doomed(s, run);
    } else {
        take_pieces(s, run);
    }
}

/* ---- clearing up */

enum { MANY = 64, WASTE_MIN = 4096, DOOMED_SPARE = 4096 };

/* Content of nodes alone, in the order of the text. */
static void compact(struct rj_seq *s)
{
    struct rj_buf text = {.allocator = s->allocator};
    uint32_t i;

    if (rj_buf_reserve(&text, s->text.len - s->waste) == NULL)
        return; /* another time */
    for (i = 0; i < s->nodes.n; i++) {
        struct rj_seq_node *node = rj_seq_node(s, i);

        if (node->n > 0 && node->bytes > 0) {
            rj_buf_append(&text, rj_seq_text(s, node));
            node->text = (uint32_t)(text.len - node->bytes);
        }
    }
    rj_buf_done(&s->text);
    s->text = text;
    s->waste = 0;
}

/* What was reserved for many runs and is not used. */
static void trim(struct rj_seq *s)
{
    rj_seq_slab_trim(&s->nodes, 0, s->allocator);
    rj_seq_slab_trim(&s->deletions, 0, s->allocator);
    rj_seq_order_trim(s);
    rj_seq_slab_trim(&s->index.pages, 0, s->allocator);
    rj_seq_slab_trim(&s->orphans.pages, 0, s->allocator);
}

void rj_seq_settle(struct rj_seq *s, const struct rj_dots *seen, size_t n)
{
    struct rj_dots rest = {.allocator = s->allocator};

    if (s->waste <= WASTE_MIN && s->doomed.n == 0 && s->wide.n == 0 && n <= MANY)
        return;
    rj_dots_done(&s->wide);
    if (n > MANY)
        trim(s);
    if (s->waste > WASTE_MIN && s->waste > s->text.len / 2)
        compact(s);
    if (rj_dots_spans(&s->doomed) <= 2 * s->doomed_kept && s->doomed.cap <= DOOMED_SPARE)
        return;
    if (rj_dots_minus(&rest, &s->doomed, seen) != RJ_OK) {
        rj_dots_done(&rest);
        return; /* another time */
    }
    rj_dots_done(&s->doomed);
    s->doomed = rest;
    if (s->doomed.cap > DOOMED_SPARE)
        rj_dots_settle(&s->doomed);
    s->doomed_kept = rj_dots_spans(&s->doomed);
}

void rj_seq_show(const struct rj_seq *s, struct rj_buf *out)
{
    uint32_t leaf_id = s->nodes.n > 0 ? 0 : RJ_SEQ_NONE,
             i; /* the first one stays first */

    for (; leaf_id != RJ_SEQ_NONE; leaf_id = rj_seq_leaf(s, leaf_id)->next) {
        const struct rj_seq_leaf *leaf = rj_seq_leaf(s, leaf_id);

        for (i = 0; i < leaf->n; i++)
            rj_buf_append(out, rj_seq_text(s, rj_seq_node(s, leaf->id[i])));
    }
}

/* ---- for tests */

static bool is_linked(const struct rj_seq *s, uint32_t id)
{
    const struct rj_seq_node *node = rj_seq_node(s, id), *p;
    uint32_t child;

    if (id == RJ_SEQ_ROOT)
        return true;
    if (rj_seq_find(s, (struct rj_dot){node->seq, node->origin}) != id ||
        (node->live && s->kind->skip(rj_seq_text(s, node), node->n) != node->bytes))
        return false;
    if (node->parent == RJ_SEQ_NONE)
        return node->leaf == RJ_SEQ_NONE;
    p = rj_seq_node(s, node->parent);
    child = node->is_left ? p->left : p->right;
    while (child != RJ_SEQ_NONE && child != id)
        child = rj_seq_node(s, child)->next;
    return child == id && p->n > 0 &&
           (node->leaf == RJ_SEQ_NONE) == (p->leaf == RJ_SEQ_NONE);
}

bool rj_seq_is_sound(const struct rj_seq *s)
{
    uint32_t id, at = rj_seq_leaf(s, 0)->id[0];
    uint32_t waiting = 0;
    uint64_t shown = 0;

    for (id = 0; id < s->nodes.n; id++) {
        const struct rj_seq_node *node = rj_seq_node(s, id);

        if (node->n == 0)
            continue;
        if (!is_linked(s, id))
            return false;
        waiting += node->leaf == RJ_SEQ_NONE ? 1 : 0;
        shown += node->live && node->leaf != RJ_SEQ_NONE ? node->n : 0;
    }
    for (id = RJ_SEQ_ROOT; id != RJ_SEQ_NONE;
         id = rj_seq_next_below(s, id, RJ_SEQ_ROOT)) {
        if (id != at)
            return false;
        at = rj_seq_order_next(s, at);
    }
    return at == RJ_SEQ_NONE && shown == s->shown && waiting == s->n_waiting;
}
