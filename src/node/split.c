/* SPDX-License-Identifier: Apache-2.0 */
/* Carrying out a split (R7), at the open that follows the one which found it (fork.c).
 * What the store has of origin o beyond its end is all of one branch, for a node accepts
 * one branch under the name o; so everything is loaded with (o, seq > end) read as
 * (branch, seq), and what that changed is committed together with the opening. A run of
 * increments alone needs more: it is cut into the run of o and that of the branch, and
 * what it was at the split stands in the first increment that the branch made of it. So
 * the log is walked, from the split on only. */
#include "base/alloc.h"
#include "node/state.h"

static enum rj_err read_batch(struct rj_space *s, uint64_t position, struct rj_batch *ret)
{
    struct rj_bytes bytes;
    enum rj_err err = rj_space_batch_at(s, position, &bytes);
    struct rj_reader r = rj_reader_of(bytes);

    return err == RJ_OK ? rj_batch_get(&r, s->node->env, &s->id, false, ret) : err;
}

/* ---- names */

/* The origin here that has the header of a split, and goes on behind it. */
static uint32_t origin_at(struct rj_space *s, const struct rj_split *split)
{
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        const struct rj_origin *item = &s->origins.items[o];

        if (item->root == split->root && split->seq > item->start &&
            split->seq < item->end && rj_fork_goes_on(s, o, split->seq, split->hash))
            return o;
    }
    return RJ_ORIGIN_NONE;
}

static enum rj_err note_name(struct rj_space *s, uint32_t of, uint32_t branch)
{
    struct rj_choice *items =
        rj_alloc_resize(s->renamed, s->n_renamed + 1, sizeof(*items));

    if (items == NULL)
        return RJ_ENOMEM;
    s->renamed = items;
    items[s->n_renamed++] = (struct rj_choice){.of = of, .branch = branch};
    return RJ_OK;
}

struct rj_names rj_split_names(const struct rj_space *s)
{
    return (struct rj_names){
        .origins = &s->origins, .items = s->renamed, .n = s->n_renamed};
}

enum rj_err rj_split_vv(const struct rj_space *s, struct rj_vv *v)
{
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < s->n_renamed; i++) {
        const struct rj_choice *c = &s->renamed[i];
        uint64_t seq = rj_vv_get(v, c->of), end = s->origins.items[c->of].end;

        if (seq <= end)
            continue;
        err = rj_vv_put(v, c->branch, seq);
        v->seq[c->of] = end;
    }
    return err;
}

/* The entries of the log under the names that hold now; loaded as they are, without
 * bytes. */
static enum rj_err rename_log(struct rj_space *s)
{
    struct rj_names names = rj_split_names(s);
    struct rj_log old = s->log;
    enum rj_err err = RJ_OK;
    uint64_t p;

    s->log =
        (struct rj_log){.begin = old.begin, .end = old.begin, .cached_from = old.begin};
    for (p = old.begin; err == RJ_OK && p < old.end; p++) {
        struct rj_log_entry e = *rj_log_at(&old, p);

        e.origin = rj_names_find(&names, e.origin, e.first);
        err = e.origin != RJ_ORIGIN_NONE ? rj_log_append(&s->log, &e) : RJ_ECORRUPT;
    }
    rj_log_done(&old);
    return err;
}

/* Whose batches came behind that position may have meant the branch by the name of what
 * it goes on from, and nothing else. */
static enum rj_err choose_for_all(struct rj_space *s, uint64_t from, uint32_t of,
                                  uint32_t branch)
{
    enum rj_err err = RJ_OK;
    uint64_t p;

    for (p = from; err == RJ_OK && p < s->log.end; p++)
        err = rj_fork_set_choice(s, rj_log_at(&s->log, p)->origin, of, branch);
    return err;
}

static enum rj_err cut(struct rj_space *s, const struct rj_split *split)
{
    uint32_t o = origin_at(s, split), branch;
    uint64_t at, end;
    struct rj_batch b;
    enum rj_err err;

    if (o == RJ_ORIGIN_NONE)
        return RJ_ECORRUPT;
    end = s->origins.items[o].end;
    s->origins.items[o].end = split->seq;
    at = rj_log_find(&s->log, o, split->seq + 1);
    if (at == UINT64_MAX)
        return RJ_OK; /* nothing behind it is here */
    err = read_batch(s, at, &b);
    if (err == RJ_OK && b.header.first != split->seq + 1)
        err = RJ_ECORRUPT;
    if (err == RJ_OK)
        err = rj_fork_make(s, &b, o, &branch);
    if (err == RJ_OK)
        err = rj_fork_follow(s, branch);
    if (err == RJ_OK)
        err = note_name(s, o, branch);
    if (err != RJ_OK)
        return err;
    s->origins.items[branch].end = end;
    err = rj_fork_insert(s, o, branch);
    if (err != RJ_OK)
        return err;
    s->os[branch].frozen = s->os[o].frozen;
    s->os[branch].chain = s->os[o].chain;
    s->os[branch].chain_seq = s->os[o].chain_seq;
    s->os[o].chain = b.header.prev;
    s->os[o].chain_seq = split->seq;
    err = rj_trail_cut(&s->os[o].trail, split->seq, &s->os[branch].trail);
    s->trail_anew = true;
    if (err != RJ_OK)
        return err;
    err = rename_log(s);
    return err == RJ_OK ? choose_for_all(s, at, o, branch) : err;
}

/* The fresh split with the least sequence: so what a later one cuts is a branch already.
 */
static struct rj_split *first_fresh(struct rj_space *s)
{
    struct rj_split *first = NULL;
    size_t i;

    for (i = 0; i < s->n_splits; i++) {
        if (s->splits[i].fresh && (first == NULL || s->splits[i].seq < first->seq))
            first = &s->splits[i];
    }
    return first;
}

enum rj_err rj_split_carry_out(struct rj_space *s)
{
    struct rj_split *split;
    enum rj_err err = RJ_OK;
    uint32_t o;

    s->stored_origins = s->origins.n;
    while (err == RJ_OK && (split = first_fresh(s)) != NULL) {
        split->fresh = false;
        err = cut(s, split);
    }
    if (err == RJ_OK)
        err = rj_split_vv(s, &s->vv);
    if (err == RJ_OK)
        err = rj_split_vv(s, &s->trunc);
    for (o = 0; err == RJ_OK && o < s->origins.n; o++)
        s->os[o].dirty = true;
    s->dirty = true;
    return err == RJ_OK ? rj_heads_read_anew(s) : err;
}

/* ---- what needs the batches of the branches */

/* Takes out of the past of o what batches behind its end told: what stood there before is
 * read again from the batches up to it, as far as the log reaches. */
static enum rj_err shorten_past(struct rj_space *s, uint32_t o, const struct rj_vv *told)
{
    struct rj_vv *past = &s->os[o].past;
    enum rj_err err = RJ_OK;
    uint32_t d;
    uint64_t p;

    for (d = 0; d < past->n; d++) {
        if (rj_vv_get(told, d) >= past->seq[d])
            past->seq[d] = 0;
    }
    for (p = s->log.begin; err == RJ_OK && told->n > 0 && p < s->log.end; p++) {
        struct rj_batch b;

        if (rj_log_at(&s->log, p)->origin != o)
            continue;
        err = read_batch(s, p, &b);
        if (err == RJ_OK)
            err = rj_space_note_past(s, &b.header, o);
    }
    return err;
}

/* What one batch of a branch tells of the past of its author, into told; and the runs
 * that it went on with are cut. */
static enum rj_err walk_batch(struct rj_space *s, uint64_t position, struct rj_vv *told)
{
    uint32_t o = rj_log_at(&s->log, position)->origin;
    struct rj_batch b;
    struct rj_reader r;
    struct rj_dep dep;
    enum rj_err err = read_batch(s, position, &b);

    if (err != RJ_OK)
        return err;
    r = rj_reader_of(b.header.deps);
    while (err == RJ_OK && rj_deps_next(&r, &dep)) {
        uint32_t d = rj_fork_locate(s, &dep, o);

        for (; err == RJ_OK && d != RJ_ORIGIN_NONE; d = s->origins.items[d].parent) {
            if (s->os[d].rules)
                err = rj_vv_put(told, d, UINT64_MAX);
        }
    }
    if (err == RJ_OK && b.header.class == RJ_CLASS_DATA)
        err = rj_space_cut_data(s, &b, o);
    return err;
}

/* Everything behind the end of `of` that is in the log. */
static enum rj_err walk(struct rj_space *s, const struct rj_choice *c)
{
    const struct rj_origin *items = s->origins.items;
    struct rj_vv told = {0};
    enum rj_err err = rj_vv_copy(&s->os[c->branch].past, &s->os[c->of].past);
    uint64_t p = rj_log_find(&s->log, c->branch, items[c->of].end + 1);

    for (; err == RJ_OK && p < s->log.end; p++) {
        const struct rj_log_entry *e = rj_log_at(&s->log, p);

        if (items[e->origin].root == items[c->of].root && e->first > items[c->of].end)
            err = walk_batch(s, p, &told);
    }
    if (err == RJ_OK)
        err = shorten_past(s, c->of, &told);
    rj_vv_done(&told);
    return err;
}

enum rj_err rj_split_walk(struct rj_space *s)
{
    enum rj_err err = RJ_OK;
    size_t i;
    uint32_t o;

    for (o = 0; err == RJ_OK && o < s->origins.n; o++)
        err = rj_split_vv(s, &s->os[o].past);
    for (i = 0; err == RJ_OK && i < s->n_renamed; i++)
        err = walk(s, &s->renamed[i]);
    s->torn = false;
    return err;
}

/* ---- where nothing can be cut */

/* The origin that goes on behind a split which could not be carried out: of several that
 * do, the one that has its header. RJ_ORIGIN_NONE: it was carried out. */
static uint32_t uncut_at(const struct rj_space *s, const struct rj_split *split)
{
    uint32_t found = RJ_ORIGIN_NONE, o;

    for (o = 0; o < s->origins.n; o++) {
        const struct rj_origin *item = &s->origins.items[o];

        if (item->root == split->root && split->seq > item->start &&
            split->seq < item->end &&
            (found == RJ_ORIGIN_NONE || rj_fork_has_hash(s, o, split->seq, split->hash)))
            found = o;
    }
    return found;
}

enum rj_err rj_split_forget(struct rj_space *s)
{
    uint64_t end = s->log.end;
    uint32_t o;
    size_t i;

    for (i = 0; i < s->n_splits; i++) {
        o = uncut_at(s, &s->splits[i]);
        if (o != RJ_ORIGIN_NONE) /* from now on its branches have names here */
            s->origins.items[o].end = s->splits[i].seq;
        s->splits[i].fresh = false;
    }
    rj_log_done(&s->log);
    s->log = (struct rj_log){.begin = end, .end = end, .cached_from = end};
    s->stored_begin = s->stored_end = s->committed_end = s->collected_end = end;
    rj_vv_clear(&s->vv);
    rj_vv_clear(&s->trunc);
    for (o = 0; o < s->origins.n; o++) {
        s->os[o].chain = (struct rj_digest){{0}};
        s->os[o].chain_seq = 0;
        s->os[o].taken = 0;
        s->os[o].n_choices = 0;
        s->os[o].dirty = true;
        rj_trail_done(&s->os[o].trail);
    }
    s->trail_points = 0;
    s->trail_anew = true;
    s->torn = false;
    s->afresh = false;
    s->forgotten = true;
    s->catching_up = true;
    s->dirty = true;
    return rj_heads_read_anew(s);
}
