/* SPDX-License-Identifier: Apache-2.0 */
/* Patches of lists and texts. Elements never change their order, so which of them were
 * shown is a subsequence of what is in the tree now: one walk over both tells what was
 * deleted and what was inserted between. */
#include "crdt/json.h"
#include "crdt/watch.h"

struct piece {
    struct rj_dot dot;
    uint64_t n;
};

enum rj_err rj_watch_seq_start(struct rj_crdt *v)
{
    const struct rj_seq *s = v->seq;
    struct rj_buf pieces = {.allocator = v->allocator};
    uint32_t id = rj_seq_order_next(s, RJ_SEQ_ROOT);

    for (; id != RJ_SEQ_NONE; id = rj_seq_order_next(s, id)) {
        const struct rj_seq_node *node = rj_seq_node(s, id);
        struct piece piece = {{node->seq, node->origin}, node->n};

        if (node->live)
            rj_buf_append_raw(&pieces, &piece, sizeof(piece));
    }
    if (pieces.failed) {
        rj_buf_done(&pieces);
        return RJ_ENOMEM;
    }
    rj_buf_done(&v->watch->shown);
    v->watch->shown = pieces;
    return RJ_OK;
}

/* ---- the walk */

struct walk {
    struct rj_watch *w;
    const struct rj_seq *s;
    const struct piece *next; /* what was shown, and is still to come */
    size_t n_next;
    struct piece head; /* the rest of the first of it; n 0: none */
    uint64_t pos;
    struct rj_splice splice;
    bool open;
};

static void take_head(struct walk *k, uint64_t n)
{
    k->head.dot.seq += n;
    k->head.n -= n;
    if (k->head.n == 0 && k->n_next > 0) {
        k->head = *k->next++;
        k->n_next--;
    }
}

static void open_splice(struct walk *k)
{
    if (!k->open)
        k->splice = (struct rj_splice){.pos = k->pos, .from = k->w->inserted.len};
    k->open = true;
}

static void close_splice(struct walk *k)
{
    if (!k->open)
        return;
    k->splice.len = k->w->inserted.len - k->splice.from;
    rj_buf_append_raw(&k->w->splices, &k->splice, sizeof(k->splice));
    k->open = false;
}

/* n elements of a node from off on that were not shown. */
static void pass_new(struct walk *k, const struct rj_seq_node *node, uint64_t off,
                     uint64_t n)
{
    struct rj_bytes content = rj_seq_text(k->s, node);

    if (!node->live || n == 0)
        return;
    open_splice(k);
    content = rj_bytes_skip(content, k->s->kind->skip(content, off));
    rj_buf_append(&k->w->inserted, rj_bytes_first(content, k->s->kind->skip(content, n)));
    k->pos += n;
}

static void pass_node(struct walk *k, const struct rj_seq_node *node)
{
    uint64_t off = 0, n;

    while (k->head.n > 0 && k->head.dot.origin == node->origin &&
           k->head.dot.seq >= node->seq + off && k->head.dot.seq < node->seq + node->n) {
        uint64_t at = k->head.dot.seq - node->seq;

        pass_new(k, node, off, at - off);
        n = node->n - at < k->head.n ? node->n - at : k->head.n;
        if (node->live) {
            close_splice(k);
            k->pos += n;
        } else {
            open_splice(k);
            k->splice.deleted += n;
        }
        off = at + n;
        take_head(k, n);
    }
    pass_new(k, node, off, node->n - off);
}

/* Finds the splices from what was shown to what is. */
static enum rj_err find_splices(struct rj_crdt *v)
{
    struct rj_watch *w = v->watch;
    struct walk k = {.w = w, .s = v->seq};
    uint32_t id = rj_seq_order_next(v->seq, RJ_SEQ_ROOT);
    enum rj_err err;

    rj_buf_clear(&w->splices);
    rj_buf_clear(&w->inserted);
    w->next_splice = 0;
    k.next = (const struct piece *)(const void *)w->shown.ptr;
    k.n_next = w->shown.len / sizeof(*k.next);
    take_head(&k, 0);
    for (; id != RJ_SEQ_NONE; id = rj_seq_order_next(v->seq, id))
        pass_node(&k, rj_seq_node(v->seq, id));
    close_splice(&k);
    err = rj_buf_err(&w->splices);
    if (err == RJ_OK)
        err = rj_buf_err(&w->inserted);
    if (err == RJ_OK && w->splices.len > 0)
        err = rj_watch_seq_start(v);
    if (err != RJ_OK)
        rj_buf_clear(&w->splices); /* nothing was told */
    return err;
}

enum rj_err rj_watch_seq_patch(struct rj_crdt *v, struct rj_buf *json)
{
    struct rj_watch *w = v->watch;
    const struct rj_splice *splice;
    enum rj_err err = RJ_OK;

    if (w->next_splice * sizeof(*splice) >= w->splices.len)
        err = find_splices(v);
    if (err == RJ_OK && w->splices.len == 0)
        err = RJ_ENOENT;
    if (err != RJ_OK)
        return err;
    splice = (const struct rj_splice *)(const void *)w->splices.ptr + w->next_splice;
    rj_buf_printf(json, "{\"path\":[],\"pos\":%llu,\"deleted\":%llu,\"inserted\":",
                  (unsigned long long)splice->pos, (unsigned long long)splice->deleted);
    v->seq->kind->put_json(json,
                           rj_bytes_of(w->inserted.ptr + splice->from, splice->len));
    rj_buf_u8(json, '}');
    err = rj_buf_err(json);
    if (err == RJ_OK)
        w->next_splice++;
    return err;
}
