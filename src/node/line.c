/* SPDX-License-Identifier: Apache-2.0 */
/* Which branch a node has of each origin, where no log reaches (R7). Two nodes on two
 * branches that bear one name must not take state from each other: each would take what
 * only the other branch has for removed. So the log's headers outlive it as trails; both
 * ends of a link tell where their chains stand, when it begins and before state is asked
 * for; and each looks that up in what it has itself. Where a header differs the two are
 * apart: no state flows between them, batches that depend on the other branch wait, and
 * what is found in no log after a while is reported. A holder's chains and trails count
 * here as soon as a part of its state does. */
#include "base/alloc.h"
#include "node/frame.h"
#include "node/state.h"

/* ---- trails */

static void thin(struct rj_space *s)
{
    uint32_t o;

    s->trail_points = 0;
    for (o = 0; o < s->origins.n; o++) {
        rj_trail_thin(&s->os[o].trail);
        s->trail_points += s->os[o].trail.n;
    }
    s->trail_anew = true;
}

static enum rj_err note_fresh(struct rj_space *s, uint32_t o,
                              const struct rj_trail_point *p)
{
    if (s->n_trail_fresh == s->cap_trail_fresh) {
        size_t cap = s->cap_trail_fresh != 0 ? s->cap_trail_fresh * 2 : 16;
        struct rj_trail_fresh *items =
            rj_alloc_resize(s->trail_fresh, cap, sizeof(*items));

        if (items == NULL)
            return RJ_ENOMEM;
        s->trail_fresh = items;
        s->cap_trail_fresh = cap;
    }
    s->trail_fresh[s->n_trail_fresh++] = (struct rj_trail_fresh){o, *p};
    s->dirty = true;
    return RJ_OK;
}

enum rj_err rj_line_keep(struct rj_space *s, uint32_t o, const struct rj_trail_point *p)
{
    struct rj_trail *t = &s->os[o].trail;
    size_t n = t->n;
    enum rj_err err = rj_trail_add(t, p);

    if (err != RJ_OK || t->n == n)
        return err;
    s->trail_points++;
    err = note_fresh(s, o, p);
    if (s->trail_points > RJ_TRAIL_MAX)
        thin(s);
    return err;
}

bool rj_line_next(const struct rj_space *s, uint32_t o, uint64_t seq,
                  struct rj_trail_point *ret)
{
    const struct rj_trail_point *p = rj_trail_find(&s->os[o].trail, seq + 1);
    const struct rj_log_entry *e = rj_log_at(&s->log, rj_log_find(&s->log, o, seq + 1));

    if (p != NULL && (e == NULL || p->last <= rj_log_entry_last(e))) {
        *ret = *p;
        return true;
    }
    if (e == NULL)
        return false;
    *ret = (struct rj_trail_point){.first = e->first, .last = rj_log_entry_last(e)};
    memcpy(ret->hash, e->hash, sizeof(ret->hash));
    return true;
}

/* ---- where chains stand */

static void put_line(struct rj_session *ss, const struct rj_link *l, struct rj_buf *items,
                     size_t n)
{
    size_t at = rj_frame_begin(&ss->out, RJ_FRAME_LINE, 2);

    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_cbor_put_array(&ss->out, 3 * n);
    rj_buf_append(&ss->out, rj_buf_view(items));
    rj_frame_end(&ss->out, at);
    rj_buf_clear(items);
}

enum rj_err rj_line_put(struct rj_session *ss, struct rj_link *l)
{
    const struct rj_space *s = l->space;
    struct rj_buf items = {0};
    enum rj_err err = RJ_OK;
    size_t n = 0;
    uint32_t o;

    for (o = 0; err == RJ_OK && o < s->origins.n; o++) {
        uint64_t seq = s->os[o].chain_seq;

        if (seq <= 1 || seq <= rj_vv_get(&l->lines, o))
            continue; /* an opening alone has nothing that can be lost */
        rj_cbor_put_bytes(&items, RJ_BYTES_OF(s->origins.items[o].id.b));
        rj_cbor_put_uint(&items, seq);
        rj_cbor_put_bytes(&items, rj_bytes_of(s->os[o].chain.b, RJ_DEP_HASH_LEN));
        n++;
        err = items.failed ? rj_buf_err(&items) : rj_vv_put(&l->lines, o, seq);
        if (items.len >= RJ_FRAME_MORE_BYTES) {
            put_line(ss, l, &items, n);
            n = 0;
        }
    }
    if (err == RJ_OK && n > 0)
        put_line(ss, l, &items, n);
    rj_buf_done(&items);
    return err;
}

enum rj_err rj_line_judge(struct rj_space *s, struct rj_session *ss,
                          const struct rj_dep *dep)
{
    uint32_t named = rj_origins_find(&s->origins, &dep->origin);
    uint32_t o = rj_fork_locate(s, dep, RJ_ORIGIN_NONE);

    if (named == RJ_ORIGIN_NONE)
        return RJ_OK;
    if (o == RJ_ORIGIN_NONE) { /* by the name from before a split */
        rj_fork_answer(s, ss, dep);
        rj_line_part(s, ss, named, dep->seq);
        return RJ_EGAP;
    }
    if (rj_fork_contradicts(s, o, dep)) {
        rj_fork_doubt(s, ss, o, dep->seq);
        return RJ_EGAP;
    }
    return RJ_OK;
}

/* Whether a header that is known here ends in the midst of p. */
static bool cuts(const struct rj_space *s, uint32_t o, const struct rj_trail_point *p)
{
    struct rj_trail_point here;
    uint64_t end = s->os[o].chain_seq;

    return (end >= p->first && end < p->last) ||
           (rj_line_next(s, o, p->first - 1, &here) && here.last < p->last);
}

enum rj_err rj_line_judge_point(struct rj_space *s, struct rj_session *ss, uint32_t o,
                                const struct rj_trail_point *p)
{
    struct rj_dep dep = {.origin = s->origins.items[o].id, .seq = p->last};

    memcpy(dep.hash, p->hash, sizeof(dep.hash));
    if (p->last <= s->origins.items[o].end && cuts(s, o, p)) {
        rj_fork_doubt(s, ss, o, p->last);
        return RJ_EGAP;
    }
    return rj_line_judge(s, ss, &dep);
}

enum rj_err rj_line_heard(struct rj_session *ss, struct rj_link *l, struct rj_reader *r)
{
    struct rj_space *s = l->space;
    size_t n = rj_cbor_get_array(r), i;

    if (r->failed || n % 3 != 0 || n / 3 > RJ_ORIGINS_MAX)
        return RJ_EPROTO;
    for (i = 0; i < n / 3; i++) {
        struct rj_dep dep = {0};
        uint32_t o;

        rj_cbor_get_fixed(r, dep.origin.b, sizeof(dep.origin.b));
        dep.seq = rj_cbor_get_uint(r);
        rj_cbor_get_fixed(r, dep.hash, sizeof(dep.hash));
        if (r->failed || dep.seq == 0 || dep.seq > RJ_SEQ_MAX)
            return RJ_EPROTO;
        o = rj_origins_find(&s->origins, &dep.origin);
        if (rj_line_judge(s, ss, &dep) == RJ_OK && o != RJ_ORIGIN_NONE &&
            rj_vv_put(&l->claims, o, dep.seq) != RJ_OK)
            return RJ_ENOMEM;
    }
    return RJ_OK;
}

/* ---- what a holder tells */

static struct rj_told *told_of(struct rj_space *s, uint32_t o)
{
    if (s->os[o].told == NULL)
        s->os[o].told = rj_alloc_zero(1, sizeof(*s->os[o].told));
    s->transfer.told = true;
    return s->os[o].told;
}

enum rj_err rj_line_tell(struct rj_space *s, uint32_t o, uint64_t seq,
                         const struct rj_digest *hash)
{
    struct rj_told *told;

    if (seq <= s->os[o].chain_seq)
        return RJ_OK;
    told = told_of(s, o);
    if (told == NULL)
        return RJ_ENOMEM;
    if (seq > told->seq) {
        told->seq = seq;
        told->hash = *hash;
    }
    return RJ_OK;
}

enum rj_err rj_line_tell_point(struct rj_space *s, uint32_t o,
                               const struct rj_trail_point *p)
{
    struct rj_told *told;

    if (p->last <= s->os[o].chain_seq || s->transfer.n_told_points >= RJ_TRAIL_MAX)
        return RJ_OK;
    told = told_of(s, o);
    if (told == NULL)
        return RJ_ENOMEM;
    s->transfer.n_told_points++;
    return rj_trail_add(&told->trail, p);
}

/* The header where the chain stood is one of the trail from now on. */
static enum rj_err keep_end(struct rj_space *s, uint32_t o)
{
    uint64_t end = s->os[o].chain_seq;
    const struct rj_log_entry *e = rj_log_at(&s->log, rj_log_find(&s->log, o, end));
    struct rj_trail_point p = {.first = end, .last = end};

    if (e != NULL && e->first <= end)
        p.first = e->first; /* else it is not known where it begins */
    memcpy(p.hash, s->os[o].chain.b, sizeof(p.hash));
    return end != 0 ? rj_line_keep(s, o, &p) : RJ_OK;
}

static enum rj_err adopt(struct rj_space *s, uint32_t o, const struct rj_told *told)
{
    enum rj_err err = RJ_OK;
    size_t i;

    if (told->seq > s->os[o].chain_seq) {
        err = keep_end(s, o);
        s->os[o].chain_seq = told->seq;
        s->os[o].chain = told->hash;
        s->os[o].dirty = true;
    }
    for (i = 0; err == RJ_OK && i < told->trail.n; i++)
        err = rj_line_keep(s, o, &told->trail.points[i]);
    return err;
}

enum rj_err rj_line_adopt(struct rj_space *s)
{
    enum rj_err err = RJ_OK;
    uint32_t o;

    for (o = 0; s->transfer.told && err == RJ_OK && o < s->origins.n; o++) {
        if (s->os[o].told != NULL)
            err = adopt(s, o, s->os[o].told);
    }
    rj_line_forget_told(s);
    return err;
}

void rj_line_forget_told(struct rj_space *s)
{
    uint32_t o;

    for (o = 0; s->transfer.told && o < s->os_n; o++) {
        if (s->os[o].told != NULL)
            rj_trail_done(&s->os[o].told->trail);
        free(s->os[o].told);
        s->os[o].told = NULL;
    }
    s->transfer.told = false;
    s->transfer.n_told_points = 0;
}

/* ---- apart */

static void set_apart(struct rj_space *s, struct rj_link *l, uint32_t o, uint64_t seq)
{
    l->apart = true;
    l->apart_at = s->node->now.mono;
    l->apart_of = o;
    l->apart_seq = seq;
    s->any_apart = true;
    rj_node_wake(s->node, rj_mono_add(l->apart_at, RJ_APART_MS));
}

void rj_line_part(struct rj_space *s, struct rj_session *ss, uint32_t o, uint64_t seq)
{
    struct rj_link *l = rj_session_link(ss, s);
    size_t at;

    if (l == NULL || l->apart || !l->told)
        return;
    set_apart(s, l, o, seq);
    at = rj_frame_begin(&ss->out, RJ_FRAME_APART, 3);
    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_cbor_put_bytes(&ss->out,
                      RJ_BYTES_OF(s->origins.items[s->origins.items[o].root].id.b));
    rj_cbor_put_uint(&ss->out, seq);
    rj_frame_end(&ss->out, at);
}

enum rj_err rj_line_on_apart(struct rj_node *n, struct rj_link *l, struct rj_reader *r)
{
    struct rj_origin_id id;
    uint64_t seq;

    (void)n;
    rj_cbor_get_fixed(r, id.b, sizeof(id.b));
    seq = rj_cbor_get_uint(r);
    if (r->failed)
        return RJ_EPROTO;
    if (!l->apart)
        set_apart(l->space, l, rj_origins_find(&l->space->origins, &id), seq);
    return RJ_OK;
}

void rj_line_consider(struct rj_space *s)
{
    struct rj_node *n = s->node;
    size_t i;

    for (i = 0; s->fork_peer[0] == '\0' && n->renew == 0 && i < n->n_sessions; i++) {
        const struct rj_link *l = rj_session_link(n->sessions[i], s);
        struct rj_mono due;

        if (l == NULL || !l->apart)
            continue;
        due = rj_mono_add(l->apart_at, RJ_APART_MS);
        if (n->now.mono.ms >= due.ms)
            rj_fork_report(s, n->sessions[i], l);
        else
            rj_node_wake(n, due);
    }
}
