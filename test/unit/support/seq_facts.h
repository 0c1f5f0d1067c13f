/* SPDX-License-Identifier: Apache-2.0 */
/* Universes of facts about a text, whoever could have made them: elements on either side
 * of anything, deletions of anything. Messages of some of them, and what a text shows
 * that has some of them, by the rules as they are written. */
#ifndef RJ_TEST_SEQ_FACTS_H
#define RJ_TEST_SEQ_FACTS_H

#include "base/prng.h"
#include "crdt/roster.h"
#include "crdt/seq.h"
#include "support/crdt_seq.h"

#include <string.h>

enum { FACTS_REPLICAS = 5, FACTS_MAX = 6400 };

struct fact {
    struct rj_dot dot, ref; /* ref: the parent (seq 0: the root), or what is deleted */
    bool deletes, down;     /* of an element, down: it is on the left of its parent */
    const char *text;
};

/* Facts, ascending by dot: so siblings that are elements ascend by number as well. */
struct universe {
    struct rj_prng p;
    struct fact facts[FACTS_MAX];
    int n;
    int start[FACTS_REPLICAS + 1]; /* the first one's number, by replica */
};

/* Those from..to-1 that are in has; NULL: all. */
struct facts_part {
    int from, to;
    const bool *has;
};

static const char *const facts_names[FACTS_REPLICAS] = {"a", "b", "bb", "c", "d"};

static inline int facts_len(const struct universe *u, uint32_t replica)
{
    return u->start[replica + 1] - u->start[replica];
}

/* The number of a dot's fact; -1: none. */
static inline int facts_find(const struct universe *u, struct rj_dot dot)
{
    if (dot.seq == 0 || dot.seq > (uint64_t)facts_len(u, dot.origin))
        return -1;
    return u->start[dot.origin] + (int)dot.seq - 1;
}

static inline bool facts_has(const struct facts_part *part, int i)
{
    return part->has == NULL || part->has[i];
}

/* dead[i] := on, for all that the part deletes. */
static inline void facts_mark(const struct universe *u, const struct facts_part *part,
                              bool *dead, bool on)
{
    int i, target;

    for (i = part->from; i < part->to; i++) {
        if (!u->facts[i].deletes || !facts_has(part, i))
            continue;
        target = facts_find(u, u->facts[i].ref);
        if (target >= 0)
            dead[target] = on;
    }
}

/* ---- messages */

static inline void facts_add_run(const struct fact *f, bool dead, struct rj_dots *seen,
                                 struct rj_buf *runs)
{
    struct rj_seq_run run = {.dot = f->dot,
                             .ref = f->ref,
                             .n = 1,
                             .deletes = f->deletes,
                             .down = f->down,
                             .live = !f->deletes && !dead};

    if (run.live)
        run.content = rj_bytes_from_str(f->text);
    assert_ok(rj_dots_add(seen, (struct rj_span){f->dot.seq, f->dot.seq, f->dot.origin}));
    rj_buf_append_raw(runs, &run, sizeof(run));
}

/* A part as bytes; dead: elements that are deleted, those that the part deletes among
 * them. */
static inline struct rj_crdt_buf
facts_encode(const struct universe *u, const struct facts_part *part, const bool *dead)
{
    struct rj_crdt *base = crdt_new(RJ_CRDT_TEXT, ""), *delta;
    struct rj_crdt_buf bytes = {0};
    struct rj_buf runs = {0};
    uint32_t r, index;
    int i;

    for (r = 0; r < FACTS_REPLICAS; r++) {
        struct rj_bytes name = rj_bytes_from_str(facts_names[r]);

        assert_ok(rj_roster_add(base->names, name, &index));
        assert_int_equal(index, r);
    }
    delta = rj_crdt_blank(base);
    assert_non_null(delta);
    for (i = part->from; i < part->to; i++) {
        if (facts_has(part, i))
            facts_add_run(&u->facts[i], dead[i], &delta->seen, &runs);
    }
    assert_ok(rj_buf_err(&runs));
    delta->runs = (const struct rj_seq_run *)(const void *)runs.ptr;
    delta->n_runs = runs.len / sizeof(struct rj_seq_run);
    assert_ok(rj_crdt_encode(delta, &bytes));
    rj_crdt_free(delta);
    rj_crdt_free(base);
    rj_buf_done(&runs);
    return bytes;
}

/* The same, of which nothing more is known. */
static inline struct rj_crdt_buf facts_message(const struct universe *u,
                                               const struct facts_part *part)
{
    static bool dead[FACTS_MAX];
    struct rj_crdt_buf bytes;

    facts_mark(u, part, dead, true);
    bytes = facts_encode(u, part, dead);
    facts_mark(u, part, dead, false);
    return bytes;
}

/* ---- what is shown */

struct facts_tree {
    int first[2][FACTS_MAX + 1]; /* children on the right, on the left; [n]: the root's */
    int next[FACTS_MAX];
};

static inline void facts_link(const struct universe *u, const bool *has,
                              struct facts_tree *t)
{
    int i;

    memset(t, 0xff, sizeof(*t)); /* -1: none */
    for (i = u->n - 1; i >= 0; i--) {
        const struct fact *f = &u->facts[i];
        int p = f->ref.seq == 0 ? u->n : facts_find(u, f->ref);

        if (f->deletes || !has[i] || p < 0 || (p < u->n && u->facts[p].deletes))
            continue;
        t->next[i] = t->first[f->down][p];
        t->first[f->down][p] = i;
    }
}

static inline void facts_push(const struct facts_tree *t, int child, int *stack, int *n)
{
    for (; child >= 0; child = t->next[child])
        stack[(*n)++] = child;
}

/* Numbers of all elements that hang from the root by others of the set, the last one
 * first. */
static inline int facts_walk(const struct universe *u, const bool *has, int *order)
{
    static struct facts_tree t;
    static int stack[2 * FACTS_MAX + 2];
    static bool open[FACTS_MAX + 1]; /* what is behind it was pushed */
    int n = 0, depth = 0, e;

    facts_link(u, has, &t);
    memset(open, 0, sizeof(open));
    for (stack[depth++] = u->n; depth > 0;) {
        e = stack[depth - 1];
        if (!open[e]) {
            open[e] = true;
            facts_push(&t, t.first[0][e], stack, &depth);
            continue;
        }
        depth--;
        if (e < u->n && has[e])
            order[n++] = e;
        facts_push(&t, t.first[1][e], stack, &depth);
    }
    return n;
}

/* The JSON of a text that has these facts. */
static inline void facts_json(const struct universe *u, const bool *has,
                              struct rj_buf *json)
{
    static int order[FACTS_MAX];
    static bool dead[FACTS_MAX];
    const struct facts_part part = {0, u->n, has};
    int n = facts_walk(u, has, order);

    facts_mark(u, &part, dead, true);
    rj_buf_u8(json, '"');
    while (n-- > 0) {
        if (!dead[order[n]])
            rj_buf_append_str(json, u->facts[order[n]].text);
    }
    rj_buf_u8(json, '"');
    facts_mark(u, &part, dead, false);
}

/* v is sound and shows what a text with these facts does. */
static inline void assert_shows_facts(const struct rj_crdt *v, const struct universe *u,
                                      const bool *has)
{
    struct rj_crdt_buf got = crdt_json(v);
    struct rj_buf expected = {0};

    facts_json(u, has, &expected);
    assert_ok(rj_buf_err(&expected));
    assert_true(rj_seq_is_sound(v->seq));
    assert_bytes_equal(rj_crdt_bytes(&got), rj_buf_view(&expected));
    rj_crdt_buf_free(&got);
    rj_buf_done(&expected);
}

/* ---- a random one */

static inline struct rj_dot facts_any(struct universe *u)
{
    uint32_t r = (uint32_t)rj_prng_below(&u->p, FACTS_REPLICAS);

    return (struct rj_dot){1 + rj_prng_below(&u->p, (uint64_t)facts_len(u, r)), r};
}

/* A parent for the element dot: one of few that have many children, the root, one of its
 * replica, anything. What its replica made later it cannot have seen. */
static inline struct rj_dot facts_parent(struct universe *u, struct rj_dot dot,
                                         const struct rj_dot hubs[3])
{
    struct rj_dot ref = facts_any(u);
    uint64_t dice = rj_prng_below(&u->p, 10);

    if (dice < 4)
        ref = hubs[rj_prng_below(&u->p, 3)];
    else if (dice == 4)
        ref.seq = 0;
    else if (dice < 7)
        ref = (struct rj_dot){rj_prng_below(&u->p, dot.seq), dot.origin};
    if (ref.origin == dot.origin && ref.seq >= dot.seq)
        ref.seq = dot.seq - 1;
    if (ref.seq == 0)
        ref.origin = 0;
    return ref;
}

static inline void facts_run_of_elements(struct universe *u, int at, int n,
                                         const struct rj_dot hubs[3])
{
    static const char *const chars[] = {"x", "y", "\xc3\xa4", "\xe2\x82\xac", "z"};
    struct fact *f = &u->facts[at];
    int i;

    f->ref = facts_parent(u, f->dot, hubs);
    f->down = f->ref.seq > 0 && rj_prng_chance(&u->p, 1, 2);
    for (i = 0; i < n; i++) {
        if (i > 0)
            f[i].ref = f[i - 1].dot;
        f[i].text = chars[rj_prng_below(&u->p, 5)];
    }
}

/* Forwards or backwards, some of what nobody ever made. */
static inline void facts_run_of_deletions(struct universe *u, int at, int n)
{
    struct rj_dot ref = facts_any(u);
    bool down = rj_prng_chance(&u->p, 1, 2);
    int i;

    ref.seq += rj_prng_below(&u->p, 4);
    if (rj_prng_chance(&u->p, 1, 3))
        ref.origin = u->facts[at].dot.origin;
    for (i = 0; i < n; i++) {
        u->facts[at + i].deletes = true;
        u->facts[at + i].ref = ref;
        if (down)
            ref.seq -= ref.seq > 1 ? 1 : 0;
        else
            ref.seq++;
        if (rj_prng_chance(&u->p, 1, 12))
            ref.origin = facts_any(u).origin;
    }
}

static inline void facts_random(struct universe *u, uint64_t seed, uint64_t most)
{
    struct rj_dot hubs[3];
    uint64_t longest;
    uint32_t r;
    int i, n;

    *u = (struct universe){0};
    rj_prng_init(&u->p, seed);
    longest = rj_prng_chance(&u->p, 1, 2) ? 12 : 2;
    for (r = 0; r < FACTS_REPLICAS; r++)
        u->start[r + 1] = u->start[r] + 20 + (int)rj_prng_below(&u->p, most);
    u->n = u->start[FACTS_REPLICAS];
    assert_in_range(u->n, 1, FACTS_MAX);
    for (i = 0; i < 3; i++) {
        hubs[i] = facts_any(u);
        hubs[i].seq *= rj_prng_below(&u->p, 4) > 0 ? 1 : 0;
    }
    for (r = 0; r < FACTS_REPLICAS; r++) {
        uint64_t deletions = rj_prng_below(&u->p, 100);

        for (i = u->start[r]; i < u->start[r + 1]; i++)
            u->facts[i].dot = (struct rj_dot){(uint64_t)(i - u->start[r]) + 1, r};
        for (i = u->start[r]; i < u->start[r + 1]; i += n) {
            n = 1 + (int)rj_prng_below(&u->p, longest);
            if (n > u->start[r + 1] - i)
                n = u->start[r + 1] - i;
            if (rj_prng_chance(&u->p, deletions, 100))
                facts_run_of_deletions(u, i, n);
            else
                facts_run_of_elements(u, i, n, hubs);
        }
    }
}

/* Any of them, stretches, every second one; of all replicas or few. */
static inline void facts_pick(struct universe *u, bool *ret_has)
{
    uint64_t how = rj_prng_below(&u->p, 4), percent = 1 + rj_prng_below(&u->p, 100);
    bool on = false, is_few = rj_prng_chance(&u->p, 1, 4), skipped = false;
    int i;

    for (i = 0; i < u->n; i++) {
        if (is_few && u->facts[i].dot.seq == 1)
            skipped = rj_prng_chance(&u->p, 1, 2);
        if (how >= 2 && rj_prng_chance(&u->p, 1, 1 + percent / 8))
            on = !on;
        else if (how < 2)
            on = rj_prng_chance(&u->p, percent, 100) && (how == 0 || i % 2 == 0);
        ret_has[i] = on && !skipped;
    }
}

#endif
