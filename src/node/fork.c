/* SPDX-License-Identifier: Apache-2.0 */
/* Forks (R7): a machine was copied with its memory and two processes went on under one
 * incarnation, so one header has two followers. The origin then ends at that header, and
 * each branch is an origin by itself, named by the hash of its first header; sequences
 * stay as they are. No batch is ever rewritten: headers, deps and writes go on to bear
 * the incarnation's name, and chain hashes tell which branch is meant.
 *
 * Two signed headers with one predecessor are the proof, so the two batches are. Who
 * finds it notes where the split is, commits, and ends its instance; the next open loads
 * everything under the names that hold now (split.c). */
#include "base/alloc.h"
#include "base/cbor.h"
#include "node/frame.h"
#include "node/state.h"

#include <stdio.h>

static const uint8_t unknown_hash[RJ_DEP_HASH_LEN];

static bool is_same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, RJ_DEP_HASH_LEN) == 0;
}

/* ---- which origin a batch belongs to */

enum at { NOT_KNOWN, KNOWN, INSIDE };

/* The hash of the header of origin o that ends at seq. INSIDE: none ends there. */
static enum at hash_at(const struct rj_space *s, uint32_t o, uint64_t seq,
                       const uint8_t **ret)
{
    const struct rj_log_entry *e;
    const struct rj_trail_point *p;

    if (s->os[o].chain_seq == seq) {
        *ret = s->os[o].chain.b;
        return KNOWN;
    }
    e = rj_log_at(&s->log, rj_log_find(&s->log, o, seq));
    if (e != NULL && e->first <= seq) {
        *ret = e->hash;
        return rj_log_entry_last(e) == seq ? KNOWN : INSIDE;
    }
    p = rj_trail_find(&s->os[o].trail, seq);
    if (p == NULL || p->first > seq)
        return NOT_KNOWN;
    *ret = p->hash;
    return p->last == seq ? KNOWN : INSIDE;
}

const uint8_t *rj_fork_hash(const struct rj_space *s, uint32_t o, uint64_t seq)
{
    const uint8_t *here;

    return hash_at(s, o, seq, &here) == KNOWN ? here : NULL;
}

bool rj_fork_has_hash(const struct rj_space *s, uint32_t o, uint64_t seq,
                      const uint8_t *hash)
{
    const uint8_t *here = rj_fork_hash(s, o, seq);

    return here != NULL && is_same(here, hash);
}

bool rj_fork_goes_on(struct rj_space *s, uint32_t o, uint64_t seq, const uint8_t *hash)
{
    uint64_t at = rj_log_find(&s->log, o, seq + 1);
    struct rj_bytes bytes;
    struct rj_reader r;
    struct rj_batch b;

    if (at == UINT64_MAX || rj_log_at(&s->log, at)->first != seq + 1 ||
        rj_space_batch_at(s, at, &bytes) != RJ_OK)
        return rj_fork_has_hash(s, o, seq, hash);
    r = rj_reader_of(bytes);
    return rj_batch_get(&r, s->node->env, &s->id, false, &b) == RJ_OK &&
           is_same(b.header.prev.b, hash);
}

static bool is_split_at(const struct rj_space *s, uint32_t root, uint64_t seq,
                        const uint8_t *hash)
{
    size_t i;

    for (i = 0; i < s->n_splits; i++) {
        if (s->splits[i].root == root && s->splits[i].seq == seq &&
            is_same(s->splits[i].hash, hash))
            return true;
    }
    return false;
}

static bool is_branch_of(const struct rj_space *s, uint32_t o, uint32_t root,
                         uint64_t seq)
{
    const struct rj_origin *item = &s->origins.items[o];

    return item->root == root && seq > item->start && seq <= item->end;
}

/* No more branches of the incarnations of that device: whoever makes so many does it on
 * purpose, and each is work for everybody. */
static bool is_full(const struct rj_space *s, uint32_t root)
{
    uint32_t n = 0, o;

    for (o = 0; o < s->origins.n; o++)
        n += s->origins.items[o].parent != RJ_ORIGIN_NONE &&
             s->os[o].device == s->os[root].device;
    return n >= RJ_BRANCHES_MAX;
}

static const char *device_name(const struct rj_space *s, uint32_t o)
{
    return s->os[o].device != UINT32_MAX ? s->members.items[s->os[o].device].name : "-";
}

/* Why branches stay apart. */
static const char too_many[] = "too-many", no_log[] = "not-merged-log-is-truncated";

/* A branch that cannot be had here. Once: whoever has it offers it again and again. */
static void refuse(struct rj_space *s, uint32_t o, uint64_t seq, const char *why)
{
    if (!s->fork_refused && why == no_log)
        (void)snprintf(s->fork_device, sizeof(s->fork_device), "%s", device_name(s, o));
    if (!s->fork_refused)
        rj_node_note(s->node, RJ_NOTE_ERROR, RJ_EFORK,
                     "fork space=%s device=%s after=%llu branches=%s", s->name,
                     device_name(s, o), (unsigned long long)seq, why);
    s->fork_refused = true;
}

void rj_fork_report(struct rj_space *s, const struct rj_session *ss,
                    const struct rj_link *l)
{
    const char *device =
        l->apart_of != RJ_ORIGIN_NONE ? device_name(s, l->apart_of) : "-";

    (void)snprintf(s->fork_peer, sizeof(s->fork_peer), "%s",
                   ss->name[0] != '\0' ? ss->name : "-");
    if (s->fork_refused)
        return;
    rj_node_note(s->node, RJ_NOTE_ERROR, RJ_EFORK,
                 "fork space=%s device=%s before=%llu peer=%s branches=%s", s->name,
                 device, (unsigned long long)l->apart_seq, s->fork_peer, no_log);
    (void)snprintf(s->fork_device, sizeof(s->fork_device), "%s", device);
    s->forks++;
    s->fork_refused = true;
}

enum rj_err rj_fork_find(const struct rj_space *s, const struct rj_batch *b,
                         uint32_t *ret)
{
    const struct rj_header *h = &b->header;
    uint32_t root = rj_origins_find(&s->origins, &h->origin), o;
    struct rj_origin_id id;

    *ret = root;
    if (root == RJ_ORIGIN_NONE)
        return RJ_OK;
    if (s->origins.items[root].root != root)
        return RJ_ECORRUPT;
    if (h->first <= s->origins.items[root].end)
        return RJ_OK;
    rj_origin_id_branch(s->node->env, &h->origin, &b->hash, &id);
    for (o = 0; o < s->origins.n; o++) {
        const struct rj_origin *item = &s->origins.items[o];

        *ret = o;
        if (!is_branch_of(s, o, root, h->first))
            continue;
        if (item->start == h->first - 1 ? memcmp(item->id.b, id.b, sizeof(id.b)) == 0
                                        : rj_fork_has_hash(s, o, h->first - 1, h->prev.b))
            return RJ_OK;
    }
    *ret = RJ_ORIGIN_NONE;
    return RJ_EGAP;
}

/* A branch is the incarnation's device, closed as that is. */
static void inherit(struct rj_space *s, uint32_t o)
{
    const struct rj_origin *root = &s->origins.items[s->origins.items[o].root];

    s->origins.items[o].device = root->device;
    s->origins.items[o].incarnation = root->incarnation;
    s->origins.items[o].opened = root->opened;
    s->os[o].device = s->os[s->origins.items[o].root].device;
}

void rj_fork_inherit(struct rj_space *s)
{
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        if (s->origins.items[o].parent != RJ_ORIGIN_NONE)
            inherit(s, o);
    }
}

enum rj_err rj_fork_set_choice(struct rj_space *s, uint32_t author, uint32_t of,
                               uint32_t branch)
{
    struct rj_origin_state *os = &s->os[author];
    struct rj_choice *items;
    size_t i;

    for (i = 0; i < os->n_choices && os->choices[i].of != of; i++)
        continue;
    if (i == os->n_choices) {
        items = rj_alloc_resize(os->choices, i + 1, sizeof(*items));
        if (items == NULL)
            return RJ_ENOMEM;
        os->choices = items;
        os->n_choices++;
    } else if (os->choices[i].branch == branch) {
        return RJ_OK;
    }
    os->choices[i] = (struct rj_choice){.of = of, .branch = branch};
    os->dirty = true;
    s->dirty = true;
    return RJ_OK;
}

/* What an author had of `branch` it had of all that this goes on from. */
static enum rj_err choose(struct rj_space *s, uint32_t author, uint32_t named,
                          uint32_t branch)
{
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && branch != named; branch = s->origins.items[branch].parent) {
        uint32_t parent = s->origins.items[branch].parent;

        if (parent == RJ_ORIGIN_NONE)
            return RJ_ECORRUPT;
        err = rj_fork_set_choice(s, author, parent, branch);
    }
    return err;
}

/* Makes o a branch of `parent`. */
static enum rj_err adopt(struct rj_space *s, uint32_t parent, uint64_t start, uint32_t o)
{
    uint32_t root = s->origins.items[parent].root;

    rj_origins_set_branch(&s->origins, o, parent, start);
    s->os[o].closed = s->os[root].closed;
    s->os[o].frozen = 0;
    s->os[o].dirty = true;
    s->dirty = true;
    inherit(s, o);
    return choose(s, o, root, o);
}

enum rj_err rj_fork_make(struct rj_space *s, const struct rj_batch *b, uint32_t parent,
                         uint32_t *ret)
{
    struct rj_origin_id id;
    enum rj_err err;

    rj_origin_id_branch(s->node->env, &b->header.origin, &b->hash, &id);
    err = rj_space_add_origin(s, &id, ret);
    return err == RJ_OK ? adopt(s, parent, b->header.first - 1, *ret) : err;
}

static enum rj_err add_split(struct rj_space *s, uint32_t root, uint64_t seq,
                             const uint8_t *hash)
{
    struct rj_split *items = rj_alloc_resize(s->splits, s->n_splits + 1, sizeof(*items));

    if (items == NULL)
        return RJ_ENOMEM;
    s->splits = items;
    items[s->n_splits] = (struct rj_split){.root = root, .seq = seq};
    memcpy(items[s->n_splits++].hash, hash, RJ_DEP_HASH_LEN);
    s->dirty = true;
    return RJ_OK;
}

enum rj_err rj_fork_follow(struct rj_space *s, uint32_t branch)
{
    uint32_t parent = s->origins.items[branch].parent;
    enum rj_err err = rj_vv_join(&s->os[branch].past, &s->os[parent].past);
    size_t i;

    for (i = 0; err == RJ_OK && i < s->os[parent].n_choices; i++)
        err = rj_fork_note_choice(s, branch, s->os[parent].choices[i].of,
                                  s->os[parent].choices[i].branch);
    return err;
}

enum rj_err rj_fork_note_choice(struct rj_space *s, uint32_t author, uint32_t of,
                                uint32_t branch)
{
    size_t i;

    for (i = 0; i < s->os[author].n_choices; i++) {
        if (s->os[author].choices[i].of == of)
            return RJ_OK; /* as its own batches say here */
    }
    return s->origins.items[branch].parent == of
               ? rj_fork_set_choice(s, author, of, branch)
               : RJ_OK;
}

/* The greatest sequence of an origin that is here, if only in some range. */
static uint64_t most_of(const struct rj_space *s, uint32_t o)
{
    uint64_t most = rj_vv_get(&s->vv, o);
    size_t i;

    for (i = 0; s->contexts != NULL && i < s->contexts->n; i++) {
        uint64_t seq = rj_vv_get(&s->contexts->items[i].have, o);

        most = seq > most ? seq : most;
    }
    return most;
}

/* All that is here of an origin from seq + 1 on came by the log, which has it still: so
 * it is of one branch, and it is known what that did. */
static bool can_cut(const struct rj_space *s, uint32_t o, uint64_t seq)
{
    uint64_t most = most_of(s, o);

    if (s->os[o].taken > seq)
        return false;
    while (seq < most) {
        const struct rj_log_entry *e =
            rj_log_at(&s->log, rj_log_find(&s->log, o, seq + 1));

        if (e == NULL || e->first != seq + 1)
            return false;
        seq = rj_log_entry_last(e);
    }
    return true;
}

/* Notes a split that cuts origin o in two; the next open carries it out. */
static enum rj_err begin_cut(struct rj_space *s, uint32_t o, uint64_t seq,
                             const uint8_t *hash)
{
    enum rj_err err = add_split(s, s->origins.items[o].root, seq, hash);

    if (err != RJ_OK)
        return err;
    s->splits[s->n_splits - 1].fresh = true;
    s->torn = true;
    rj_node_renew(s->node);
    return RJ_OK;
}

enum rj_err rj_fork_learn(struct rj_space *s, const struct rj_origin_id *id,
                          uint32_t parent, uint64_t start, const uint8_t *hash)
{
    struct rj_origin *item = &s->origins.items[parent];
    uint32_t o = rj_origins_find(&s->origins, id);
    uint64_t end = item->end;
    enum rj_err err = RJ_OK;

    if (o != RJ_ORIGIN_NONE)
        return RJ_OK;
    if (start <= item->start)
        return RJ_EPROTO;
    if (start > end)
        return RJ_EGAP; /* of a branch, by the name from before its split */
    if (is_full(s, item->root)) {
        refuse(s, parent, start, too_many);
        return RJ_ELIMIT;
    }
    if (most_of(s, parent) > start) { /* under the name from before the split */
        if (!can_cut(s, parent, start))
            refuse(s, parent, start, no_log);
        else if (!is_split_at(s, item->root, start, hash) &&
                 rj_fork_goes_on(s, parent, start, hash))
            err = begin_cut(s, parent, start, hash);
        return err == RJ_OK ? RJ_EGAP : err;
    }
    if (!is_split_at(s, item->root, start, hash))
        err = add_split(s, item->root, start, hash);
    item->end = start;
    s->os[parent].dirty = true;
    if (err == RJ_OK)
        err = rj_space_add_origin(s, id, &o);
    if (err == RJ_OK)
        err = adopt(s, parent, start, o);
    if (err != RJ_OK || end == start)
        return err;
    s->origins.items[o].end = end; /* what went on behind it goes on from o */
    return rj_fork_insert(s, parent, o);
}

/* An author means, by the name o, a branch that middle goes on with. */
static enum rj_err insert_choice(struct rj_space *s, uint32_t author, uint32_t o,
                                 uint32_t middle)
{
    const struct rj_origin_state *os = &s->os[author];
    size_t i;

    for (i = 0; i < os->n_choices; i++) {
        if (os->choices[i].of == o && os->choices[i].branch != middle) {
            os->choices[i].of = middle;
            return rj_fork_set_choice(s, author, o, middle);
        }
    }
    return RJ_OK;
}

enum rj_err rj_fork_insert(struct rj_space *s, uint32_t o, uint32_t middle)
{
    enum rj_err err = RJ_OK;
    uint32_t i;

    for (i = 0; err == RJ_OK && i < s->origins.n; i++) {
        struct rj_origin *item = &s->origins.items[i];

        if (item->parent == o && item->start > s->origins.items[middle].start) {
            item->parent = middle;
            s->os[i].dirty = true;
        }
        err = insert_choice(s, i, o, middle);
    }
    return err;
}

/* The origin that ends where b begins; RJ_ORIGIN_NONE: none does. */
static uint32_t find_parent(const struct rj_space *s, uint32_t root,
                            const struct rj_batch *b)
{
    uint64_t end = b->header.first - 1;
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        if (s->origins.items[o].root == root && s->origins.items[o].end == end &&
            rj_fork_has_hash(s, o, end, b->header.prev.b))
            return o;
    }
    return RJ_ORIGIN_NONE;
}

enum rj_err rj_fork_begin(struct rj_space *s, const struct rj_batch *b, uint32_t *ret)
{
    uint32_t root = rj_origins_find(&s->origins, &b->header.origin);
    uint32_t parent = find_parent(s, root, b);
    enum rj_err err;

    if (parent == RJ_ORIGIN_NONE || !rj_vv_has(&s->vv, parent, b->header.first - 1) ||
        s->os[root].device == UINT32_MAX)
        return RJ_EGAP;
    if (is_full(s, root)) {
        refuse(s, root, b->header.first - 1, too_many);
        return RJ_ELIMIT;
    }
    if (!s->node->env->ops->verify(s->node->env,
                                   s->members.items[s->os[root].device].pubkey,
                                   RJ_BYTES_OF(b->hash.b), b->sig))
        return RJ_EAUTH;
    err = rj_fork_make(s, b, parent, ret);
    return err == RJ_OK ? rj_fork_follow(s, *ret) : err;
}

/* ---- names that are told */

uint32_t rj_fork_locate(const struct rj_space *s, const struct rj_dep *dep,
                        uint32_t author)
{
    uint32_t named = rj_origins_find(&s->origins, &dep->origin), o;
    struct rj_names names = {.origins = &s->origins};

    if (named == RJ_ORIGIN_NONE || dep->seq <= s->origins.items[named].end)
        return named;
    for (o = 0; !is_same(dep->hash, unknown_hash) && o < s->origins.n; o++) {
        if (is_branch_of(s, o, s->origins.items[named].root, dep->seq) &&
            rj_fork_has_hash(s, o, dep->seq, dep->hash))
            return o;
    }
    if (author == RJ_ORIGIN_NONE || !is_same(dep->hash, unknown_hash))
        return RJ_ORIGIN_NONE;
    names.items = s->os[author].choices;
    names.n = s->os[author].n_choices;
    return rj_names_find(&names, named, dep->seq);
}

bool rj_fork_differs(const struct rj_space *s, uint32_t o, uint64_t seq,
                     const uint8_t *hash)
{
    const uint8_t *here;
    enum at at;

    if (is_same(hash, unknown_hash))
        return false;
    at = hash_at(s, o, seq, &here);
    return at == INSIDE || (at == KNOWN && !is_same(here, hash));
}

bool rj_fork_contradicts(const struct rj_space *s, uint32_t o, const struct rj_dep *dep)
{
    return rj_fork_differs(s, o, dep->seq, dep->hash);
}

bool rj_fork_is_told(const struct rj_space *s, const struct rj_batch *b)
{
    struct rj_origin_id id;
    uint32_t o;

    rj_origin_id_branch(s->node->env, &b->header.origin, &b->hash, &id);
    for (o = 0; o < s->origins.n; o++) {
        struct rj_reader r = rj_reader_of(rj_buf_view(&s->os[o].head));
        struct rj_header h;
        struct rj_dep dep;

        if (s->os[o].closed || s->os[o].head.len == 0 ||
            rj_header_get(rj_cbor_get_bytes(&r), &h) != RJ_OK)
            continue;
        r = rj_reader_of(h.deps);
        while (rj_deps_next(&r, &dep)) {
            if (memcmp(dep.origin.b, id.b, sizeof(id.b)) == 0)
                return true;
        }
    }
    return false;
}

enum rj_err rj_fork_choose(struct rj_space *s, const struct rj_header *h, uint32_t author)
{
    struct rj_reader r = rj_reader_of(h->deps);
    enum rj_err err = RJ_OK;
    struct rj_dep dep;

    while (s->n_splits > 0 && err == RJ_OK && rj_deps_next(&r, &dep)) {
        uint32_t named = rj_origins_find(&s->origins, &dep.origin);
        uint32_t o = rj_fork_locate(s, &dep, author);

        if (o != RJ_ORIGIN_NONE && o != named)
            err = choose(s, author, named, o);
    }
    return err;
}

/* Of the branches of an incarnation, what its last head tells of them is here up to seq.
 */
static bool has_all(const struct rj_space *s, const struct rj_session *ss, uint32_t root,
                    uint64_t seq)
{
    const struct rj_device *d = rj_members_find(&s->members, &ss->device);
    uint32_t o;

    for (o = 0; d != NULL && d->active != RJ_ORIGIN_NONE && o < s->origins.n; o++) {
        if (s->origins.items[o].root == root && rj_vv_has(&s->vv, o, seq) &&
            rj_vv_has(&s->os[d->active].known, o, seq))
            return true;
    }
    return false;
}

/* A peer that tells more of an incarnation than there was before its split does not know
 * of that: it is shown why, and whether it may forget what it has. */
static void put_proofs(struct rj_space *s, struct rj_session *ss, uint32_t root,
                       uint64_t seq)
{
    struct rj_link *l = rj_session_link(ss, s);
    bool all = has_all(s, ss, root, seq);
    size_t i, at;

    if (l == NULL || !l->told || rj_vv_get(&l->reminded, root) >= 2 * seq + all ||
        rj_vv_put(&l->reminded, root, 2 * seq + all) != RJ_OK)
        return;
    for (i = 0; i < s->n_splits; i++) {
        if (s->splits[i].root != root || s->splits[i].proof.len == 0)
            continue;
        at = rj_frame_begin(&ss->out, RJ_FRAME_FORK, 6);
        rj_cbor_put_uint(&ss->out, l->number_here);
        rj_buf_append(&ss->out, rj_buf_view(&s->splits[i].proof));
        rj_cbor_put_uint(&ss->out, all ? seq : 0);
        rj_frame_end(&ss->out, at);
    }
}

void rj_fork_answer(struct rj_space *s, struct rj_session *ss, const struct rj_dep *dep)
{
    uint32_t o = rj_origins_find(&s->origins, &dep->origin);

    if (o != RJ_ORIGIN_NONE && dep->seq > s->origins.items[o].end)
        put_proofs(s, ss, s->origins.items[o].root, dep->seq);
}

void rj_fork_remind(struct rj_space *s, struct rj_session *ss, struct rj_reader r)
{
    size_t n = rj_cbor_get_array(&r) / 2, i;
    struct rj_origin_id id;

    for (i = 0; i < n && s->n_splits > 0 && !r.failed; i++) {
        uint64_t seq;
        uint32_t o;

        rj_cbor_get_fixed(&r, id.b, sizeof(id.b));
        seq = rj_cbor_get_uint(&r);
        o = r.failed ? RJ_ORIGIN_NONE : rj_origins_find(&s->origins, &id);
        if (o != RJ_ORIGIN_NONE && seq > s->origins.items[o].end)
            put_proofs(s, ss, s->origins.items[o].root, seq);
    }
}

/* ---- finding a fork */

void rj_fork_ask(struct rj_space *s, struct rj_session *ss, uint32_t origin, uint64_t seq)
{
    struct rj_link *l = ss != NULL ? rj_session_link(ss, s) : NULL;
    uint32_t root = s->origins.items[origin].root, o;
    struct rj_vv low = {0};
    size_t at;

    if (l == NULL || !l->told || rj_vv_get(&l->doubted, root) >= seq ||
        rj_vv_put(&l->doubted, root, seq) != RJ_OK || rj_vv_copy(&low, &s->vv) != RJ_OK)
        return;
    for (o = 0; o < low.n; o++) {
        if (s->origins.items[o].root == root && low.seq[o] > rj_vv_get(&l->trunc, o))
            low.seq[o] = rj_vv_get(&l->trunc, o); /* as far as it reaches back */
    }
    rj_node_note(s->node, RJ_NOTE_WARN, RJ_EFORK, "fork-looked-for space=%s peer=%s",
                 s->name, ss->name);
    at = rj_frame_begin(&ss->out, RJ_FRAME_PULL, 2);
    rj_cbor_put_uint(&ss->out, l->number_here);
    rj_vv_encode(&ss->out, &s->origins, &low);
    rj_frame_end(&ss->out, at);
    s->pulls++;
    rj_vv_done(&low);
}

void rj_fork_doubt(struct rj_space *s, struct rj_session *ss, uint32_t origin,
                   uint64_t seq)
{
    if (ss != NULL)
        rj_line_part(s, ss, origin, seq);
    rj_fork_ask(s, ss, origin, seq);
}

bool rj_fork_heard(struct rj_space *s, struct rj_session *ss, const struct rj_vv *told)
{
    struct rj_node *n = s->node;
    uint64_t seq = rj_vv_get(told, s->self);

    if (seq < s->writer.first + s->writer.count)
        return false;
    rj_fork_ask(s, ss, s->self, seq);
    if (n->now.mono.ms - n->opened_at.ms >= RJ_HEARSAY_MS)
        rj_fork_cloned(s);
    return true;
}

void rj_fork_cloned(struct rj_space *s)
{
    if (s->node->renew == 0)
        rj_node_note(s->node, RJ_NOTE_ERROR, RJ_EFORK, "cloned space=%s", s->name);
    rj_node_renew(s->node);
}

void rj_node_renew(struct rj_node *n)
{
    size_t i;

    if (n->renew != 0)
        return;
    n->renew = rj_node_sync(n, true);
    for (i = 0; i < n->n_spaces; i++) {
        n->spaces[i]->dirty = true;
        rj_space_set_refuse(n->spaces[i]);
    }
}

/* A fork was found: b is another follower of what is here. Reports it, and notes the
 * split where that can be carried out (*ret). */
static enum rj_err found(struct rj_space *s, const struct rj_batch *b, uint32_t o,
                         bool *ret)
{
    uint64_t seq = b->header.first - 1;
    bool full = is_full(s, o), here = can_cut(s, o, seq);

    *ret = !full && here;
    s->forks++;
    if (!*ret) {
        refuse(s, o, seq, full ? too_many : no_log);
        return RJ_OK;
    }
    rj_node_note(s->node, RJ_NOTE_ERROR, RJ_EFORK,
                 "fork space=%s device=%s after=%llu branches=merged", s->name,
                 device_name(s, o), (unsigned long long)seq);
    return begin_cut(s, o, seq, b->header.prev.b);
}

static enum rj_err put_proof(struct rj_buf *proof, const struct rj_batch b[2])
{
    size_t i;

    for (i = 0; i < 2; i++) {
        rj_cbor_put_bytes(proof, b[i].raw);
        rj_cbor_put_bytes(proof, RJ_BYTES_OF(b[i].sig));
    }
    return rj_buf_err(proof);
}

enum rj_err rj_fork_check(struct rj_space *s, const struct rj_batch *b, uint32_t o,
                          struct rj_session *from)
{
    uint64_t at = rj_log_find(&s->log, o, b->header.first);
    const struct rj_log_entry *e = rj_log_at(&s->log, at);
    uint32_t root = s->origins.items[o].root;
    struct rj_bytes bytes;
    struct rj_reader r;
    struct rj_batch mine, both[2];
    enum rj_err err;
    bool noted;

    if (e == NULL || e->first > b->header.first || b->header.first == 1 ||
        s->os[root].device == UINT32_MAX) {
        if (from == NULL &&
            b->header.first > 1) /* shown to who knows of no split there */
            refuse(s, o, b->header.first - 1, no_log);
        return RJ_OK;
    }
    if (e->first != b->header.first) { /* of a branch that begins before it */
        rj_fork_doubt(s, from, o, b->header.first - 1);
        return RJ_OK;
    }
    if (is_same(e->hash, b->hash.b) ||
        is_split_at(s, root, b->header.first - 1, b->header.prev.b))
        return RJ_OK;
    err = rj_space_batch_at(s, at, &bytes);
    r = rj_reader_of(bytes);
    if (err == RJ_OK)
        err = rj_batch_get(&r, s->node->env, &s->id, false, &mine);
    if (err != RJ_OK)
        return rj_node_die(s->node, err, "reading the log");
    if (memcmp(mine.header.prev.b, b->header.prev.b, RJ_DIGEST_LEN) != 0) {
        rj_fork_doubt(s, from, o, b->header.first - 1);
        return RJ_OK;
    }
    if (!s->node->env->ops->verify(s->node->env,
                                   s->members.items[s->os[root].device].pubkey,
                                   RJ_BYTES_OF(b->hash.b), b->sig))
        return RJ_OK;
    err = found(s, b, o, &noted);
    if (err != RJ_OK || !noted)
        return err;
    both[0] = *b;
    both[1] = mine;
    return put_proof(&s->splits[s->n_splits - 1].proof, both);
}

/* Reads both headers: different ones, behind one header of one origin. */
static enum rj_err read_proof(const struct rj_space *s, const struct rj_fork_proof *proof,
                              struct rj_batch b[2])
{
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < 2; i++) {
        b[i] = (struct rj_batch){.raw = proof->raw[i]};
        err = rj_header_get(proof->raw[i], &b[i].header);
        memcpy(b[i].sig, proof->sig[i], RJ_SIG_LEN);
        rj_header_hash(s->node->env, &s->id, proof->raw[i], &b[i].hash);
        if (err == RJ_OK && (b[i].header.class == RJ_CLASS_HEAD || b[i].header.first < 2))
            err = RJ_ECORRUPT; /* heads stand beside the chain */
    }
    if (err == RJ_OK &&
        (b[0].header.first != b[1].header.first ||
         memcmp(b[0].header.origin.b, b[1].header.origin.b, RJ_ORIGIN_LEN) != 0 ||
         memcmp(b[0].header.prev.b, b[1].header.prev.b, RJ_DIGEST_LEN) != 0 ||
         memcmp(b[0].hash.b, b[1].hash.b, RJ_DIGEST_LEN) == 0))
        err = RJ_ECORRUPT;
    return err;
}

/* What is here of o behind the split, which is proven, cannot be cut. */
static enum rj_err note_uncut(struct rj_space *s, struct rj_session *ss,
                              const struct rj_batch b[2], uint32_t o, uint64_t has)
{
    const uint8_t *key = s->members.items[s->os[o].device].pubkey;
    struct rj_link *l = rj_session_link(ss, s);
    size_t i;

    for (i = 0; i < 2; i++) {
        if (!s->node->env->ops->verify(s->node->env, key, RJ_BYTES_OF(b[i].hash.b),
                                       b[i].sig))
            return RJ_EAUTH;
    }
    refuse(s, o, b[0].header.first - 1, no_log);
    s->uncut_seq = b[0].header.first - 1;
    memcpy(s->uncut_hash, b[0].header.prev.b, sizeof(s->uncut_hash));
    rj_buf_clear(&s->uncut_proof);
    if (put_proof(&s->uncut_proof, b) != RJ_OK)
        return RJ_ENOMEM;
    s->uncut = s->origins.items[o].root;
    if (l != NULL) {
        l->knows_split = true;
        l->vouched = l->vouched > has ? l->vouched : has;
    }
    return RJ_OK;
}

enum rj_err rj_fork_on_proof(struct rj_space *s, struct rj_session *ss,
                             const struct rj_fork_proof *proof, uint64_t has)
{
    struct rj_batch b[2];
    enum rj_err err = read_proof(s, proof, b);
    uint32_t o = RJ_ORIGIN_NONE;
    size_t i;

    for (i = 0; err == RJ_OK && i < 2; i++) {
        err = rj_fork_find(s, &b[i], &o);
        if (err == RJ_EGAP)
            return RJ_OK; /* that split is known */
        if (err != RJ_OK || o == RJ_ORIGIN_NONE || s->os[o].device == UINT32_MAX ||
            b[i].header.first >= rj_space_next(s, o))
            return err;
        if (!can_cut(s, o, b[i].header.first - 1))
            return s->origins.items[o].start < b[i].header.first - 1
                       ? note_uncut(s, ss, b, o, has)
                       : RJ_OK;
        err = rj_fork_check(s, &b[i], o, ss);
    }
    return err;
}

/* The peer has all that is here; of the origin that cannot be cut, by what it has told of
 * the last head from here. An opening with nothing behind it tells nothing; what a peer
 * said of it before its origin was known here is not known. A joiner signs none, but has
 * nothing that others have not. */
static bool covers(const struct rj_space *s, const struct rj_link *l)
{
    uint32_t o;

    for (o = 0; o < s->origins.n; o++) {
        uint64_t most = most_of(s, o);

        if (o == s->self)
            continue;
        if (s->origins.items[o].root != s->uncut &&
            rj_vv_get(&l->doubted, s->origins.items[o].root) > 0)
            return false; /* another branch of something else, too */
        if (s->origins.items[o].root == s->uncut
                ? most > l->vouched && s->contexts == NULL
                : most > 1 && !rj_vv_has(&l->received, o, most))
            return false;
    }
    return rj_vv_has(&l->received, s->self, s->writer.first - 1);
}

/* Who begins afresh knows of the split from then on, and takes nothing by the name from
 * before it. */
static enum rj_err note_split(struct rj_space *s)
{
    enum rj_err err;

    if (is_split_at(s, s->uncut, s->uncut_seq, s->uncut_hash))
        return RJ_OK;
    err = add_split(s, s->uncut, s->uncut_seq, s->uncut_hash);
    if (err == RJ_OK) {
        s->splits[s->n_splits - 1].proof = s->uncut_proof;
        s->uncut_proof = (struct rj_buf){0};
    }
    return err;
}

enum rj_err rj_fork_consider(struct rj_space *s)
{
    struct rj_node *n = s->node;
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && n->renew == 0 && i < n->n_sessions; i++) {
        const struct rj_link *l = rj_session_link(n->sessions[i], s);

        if (l == NULL || !l->told || !l->heard || !l->knows_split || !covers(s, l))
            continue;
        if (s->writer.count > 0) { /* which it has to have, too */
            err = rj_space_cut(s);
            continue;
        }
        rj_node_note(n, RJ_NOTE_ERROR, RJ_EFORK, "fork space=%s taken-afresh from=%s",
                     s->name, n->sessions[i]->name);
        err = note_split(s);
        s->afresh = err == RJ_OK;
        rj_node_renew(n);
    }
    return err;
}
