/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and texts against the rules as they are written: a set of elements with parents,
 * walked as a tree each time. */
#include "base/prng.h"
#include "crdt/seq.h"
#include "support/crdt_seq.h"

#include <rejoin/crdt.h>
#include <stdio.h>
#include <string.h>

enum {
    REPLICAS = 3,
    MOST = 700, /* elements of a history */
    DELTAS = 16,
    STEPS = 70,
    HISTORIES = 80,
    MUTATIONS = 3000,
    ROOT = -1
};

static const char *const names[REPLICAS] = {"b", "a", "aa"};
static const char *const chars[] = {"x", "y", "\xc3\xa4", "\xe2\x82\xac", "z"};

/* ---- the reference */

struct element {
    int replica, op; /* the operation's number, and which of its elements it is */
    int parent;
    bool left;
    const char *text;
};

struct facts {
    bool here[MOST], dead[MOST];
};

struct model {
    struct element all[MOST];
    int n, op;
    struct facts facts[REPLICAS], deltas[DELTAS];
};

static bool is_less(const struct element *a, const struct element *b)
{
    int order = strcmp(names[a->replica], names[b->replica]);

    return order != 0 ? order < 0 : a->op < b->op;
}

/* The least child on that side that is not less than `from` (NULL: of all). */
static int child(const struct model *m, const struct facts *f, int parent, bool left,
                 int behind)
{
    int best = ROOT, i;

    for (i = 0; i < m->n; i++) {
        if (!f->here[i] || m->all[i].parent != parent || m->all[i].left != left ||
            (behind != ROOT && !is_less(&m->all[behind], &m->all[i])))
            continue;
        if (best == ROOT || is_less(&m->all[i], &m->all[best]))
            best = i;
    }
    return best;
}

/* Appends what hangs from e, in order, deleted elements too. */
static void walk(const struct model *m, const struct facts *f, int e, int *order, int *n)
{
    int c;

    for (c = child(m, f, e, true, ROOT); c != ROOT; c = child(m, f, e, true, c))
        walk(m, f, c, order, n);
    if (e != ROOT)
        order[(*n)++] = e;
    for (c = child(m, f, e, false, ROOT); c != ROOT; c = child(m, f, e, false, c))
        walk(m, f, c, order, n);
}

/* The place in order of the shown element before pos; -1: none. */
static int shown_before(const struct facts *f, const int *order, int n, uint64_t pos)
{
    int i;

    for (i = 0; pos > 0 && i < n; i++) {
        if (!f->dead[order[i]] && --pos == 0)
            return i;
    }
    return -1;
}

static uint64_t count_shown(const struct facts *f, const int *order, int n)
{
    uint64_t shown = 0;
    int i;

    for (i = 0; i < n; i++)
        shown += f->dead[order[i]] ? 0 : 1;
    return shown;
}

static void model_insert(struct model *m, int replica, struct facts *delta, uint64_t pos,
                         const char *const *texts, int n_texts)
{
    struct facts *f = &m->facts[replica];
    int order[MOST], n = 0, at, parent, i;
    bool left = false;

    walk(m, f, ROOT, order, &n);
    at = shown_before(f, order, n, pos);
    parent = at >= 0 ? order[at] : ROOT;
    if (child(m, f, parent, false, ROOT) != ROOT) {
        parent = order[at + 1];
        left = true;
    }
    for (i = 0; i < n_texts; i++) {
        m->all[m->n] = (struct element){replica, m->op++, parent, left, texts[i]};
        f->here[m->n] = delta->here[m->n] = true;
        parent = m->n++;
        left = false;
    }
}

static void model_delete(struct model *m, int replica, struct facts *delta, uint64_t pos,
                         uint64_t count)
{
    struct facts *f = &m->facts[replica];
    int order[MOST], n = 0, at;

    walk(m, f, ROOT, order, &n);
    for (; count > 0; count--) {
        at = order[shown_before(f, order, n, pos + 1)];
        f->dead[at] = delta->dead[at] = true;
    }
}

static void model_join(struct facts *f, const struct facts *other)
{
    int i;

    for (i = 0; i < MOST; i++) {
        f->here[i] |= other->here[i];
        f->dead[i] |= other->dead[i];
    }
}

static const struct rj_bytes below[] = {{(const uint8_t *)"k", 1}}; /* in a map */

static void model_json(const struct model *m, const struct facts *f, bool list,
                       struct rj_buf *out)
{
    int order[MOST], n = 0, i;
    const char *comma = "";

    walk(m, f, ROOT, order, &n);
    rj_buf_u8(out, list ? '[' : '"');
    for (i = 0; i < n; i++) {
        if (f->dead[order[i]])
            continue;
        if (list)
            rj_buf_printf(out, "%s\"%s\"", comma, m->all[order[i]].text);
        else
            rj_buf_append_str(out, m->all[order[i]].text);
        comma = ",";
    }
    rj_buf_u8(out, list ? ']' : '"');
}

/* ---- both */

struct world {
    enum rj_crdt_type type;
    bool in_map; /* it stands below a key */
    struct rj_prng p;
    struct model m;
    struct rj_crdt *values[REPLICAS];
    struct rj_crdt_buf deltas[DELTAS];
};

static struct rj_crdt *make(const struct world *w, const char *name)
{
    return crdt_new(w->in_map ? RJ_CRDT_ORMAP : w->type, name);
}

static enum rj_err write_op(struct world *w, int replica, int slot, struct rj_crdt_op *op)
{
    if (w->in_map) {
        op->at = w->type;
        op->path = below;
        op->n_path = 1;
    }
    return rj_crdt_write(w->values[replica], op, &w->deltas[slot]);
}

static void assert_agrees(const struct world *w, int replica)
{
    struct rj_crdt_buf got = {0};
    struct rj_buf expected = {0};

    assert_true(w->in_map || rj_seq_is_sound(w->values[replica]->seq));
    rj_buf_append_str(&expected, w->in_map ? "{\"k\":" : "");
    model_json(&w->m, &w->m.facts[replica], w->type == RJ_CRDT_LIST, &expected);
    rj_buf_append_str(&expected, w->in_map ? "}" : "");
    if (w->in_map && expected.len == strlen("{'k':''}")) { /* a key shows what is there */
        rj_buf_clear(&expected);
        rj_buf_append_str(&expected, "{}");
    }
    assert_ok(rj_crdt_json(w->values[replica], &got));
    assert_bytes_equal(rj_crdt_bytes(&got), rj_buf_view(&expected));
    rj_crdt_buf_free(&got);
    rj_buf_done(&expected);
}

static void insert(struct world *w, int replica, int slot, uint64_t pos)
{
    struct rj_crdt_op op = {.size = sizeof(op), .code = RJ_CRDT_INSERT, .pos = pos};
    const char *texts[4];
    struct rj_bytes keys[4];
    struct rj_buf all = {0};
    size_t n = 1 + rj_prng_below(&w->p, 4), i;

    for (i = 0; i < n; i++) {
        texts[i] = chars[rj_prng_below(&w->p, 5)];
        keys[i] = rj_bytes_from_str(texts[i]);
        rj_buf_append(&all, keys[i]);
    }
    op.keys = keys;
    op.n_keys = n;
    op.value = rj_buf_view(&all);
    assert_ok(write_op(w, replica, slot, &op));
    model_insert(&w->m, replica, &w->m.deltas[slot], pos, texts, (int)n);
    rj_buf_done(&all);
}

/* A change that goes on where the last one of the replica was, more often than not. */
static void change(struct world *w, int replica)
{
    int order[MOST], n = 0, slot = (int)rj_prng_below(&w->p, DELTAS);
    struct rj_crdt_op op = {.size = sizeof(op), .code = RJ_CRDT_DELETE};
    uint64_t shown, pos;

    walk(&w->m, &w->m.facts[replica], ROOT, order, &n);
    shown = count_shown(&w->m.facts[replica], order, n);
    pos = rj_prng_chance(&w->p, 1, 3) ? rj_prng_below(&w->p, shown + 1)
                                      : rj_prng_below(&w->p, 3) % (shown + 1);
    memset(&w->m.deltas[slot], 0, sizeof(w->m.deltas[slot]));
    if (pos == shown || rj_prng_chance(&w->p, 3, 5)) {
        insert(w, replica, slot, pos);
        return;
    }
    op.pos = pos;
    op.count = 1 + rj_prng_below(&w->p, 5);
    if (op.count > shown - pos)
        op.count = shown - pos;
    assert_ok(write_op(w, replica, slot, &op));
    model_delete(&w->m, replica, &w->m.deltas[slot], pos, op.count);
}

/* v becomes what its bytes say, in a value of its name. */
static void remake(struct world *w, int replica)
{
    struct rj_crdt *v = make(w, names[replica]);
    struct rj_crdt_buf bytes = {0};

    assert_ok(rj_crdt_encode(w->values[replica], &bytes));
    assert_ok(rj_crdt_join_bytes(v, rj_crdt_bytes(&bytes), NULL));
    assert_same(v, w->values[replica]);
    rj_crdt_free(w->values[replica]);
    w->values[replica] = v;
    rj_crdt_buf_free(&bytes);
}

static void step(struct world *w)
{
    int replica = (int)rj_prng_below(&w->p, REPLICAS);
    int other = (int)rj_prng_below(&w->p, REPLICAS);
    int slot = (int)rj_prng_below(&w->p, DELTAS);
    uint64_t dice = rj_prng_below(&w->p, 12);

    if (dice < 7) {
        change(w, replica);
    } else if (dice < 10 && w->deltas[slot].len > 0) {
        assert_ok(rj_crdt_join_bytes(w->values[replica], rj_crdt_bytes(&w->deltas[slot]),
                                     NULL));
        model_join(&w->m.facts[replica], &w->m.deltas[slot]);
    } else if (dice == 10) {
        if (rj_prng_chance(&w->p, 1, 2))
            assert_ok(rj_crdt_join(w->values[replica], w->values[other], NULL));
        else
            send_difference(w->values[other], w->values[replica]);
        model_join(&w->m.facts[replica], &w->m.facts[other]);
    } else {
        remake(w, replica);
    }
    assert_agrees(w, replica);
}

static void end(struct world *w)
{
    struct rj_crdt *up = make(w, ""), *down = make(w, "");
    int i;

    for (i = 0; i < REPLICAS; i++) {
        assert_ok(rj_crdt_join(up, w->values[i], NULL));
        assert_ok(rj_crdt_join(down, w->values[REPLICAS - 1 - i], NULL));
    }
    assert_same(up, down);
    for (i = 1; i < REPLICAS; i++) {
        send_difference(w->values[i], w->values[0]);
        model_join(&w->m.facts[0], &w->m.facts[i]);
    }
    assert_agrees(w, 0);
    assert_same(up, w->values[0]);
    for (i = 0; i < REPLICAS; i++)
        rj_crdt_free(w->values[i]);
    for (i = 0; i < DELTAS; i++)
        rj_crdt_buf_free(&w->deltas[i]);
    rj_crdt_free(up);
    rj_crdt_free(down);
}

static void play(enum rj_crdt_type type, bool in_map, uint64_t seed)
{
    static struct world w; /* large */
    int i;

    w = (struct world){.type = type, .in_map = in_map};
    rj_prng_init(&w.p, seed);
    for (i = 0; i < REPLICAS; i++)
        w.values[i] = make(&w, names[i]);
    for (i = 0; i < STEPS; i++)
        step(&w);
    end(&w);
}

TEST(random_histories_of_texts_follow_the_rules)
{
    uint64_t seed;

    for (seed = 1; seed <= HISTORIES; seed++)
        play(RJ_CRDT_TEXT, false, seed);
}

TEST(random_histories_of_lists_follow_the_rules)
{
    uint64_t seed;

    for (seed = 1; seed <= HISTORIES; seed++)
        play(RJ_CRDT_LIST, false, seed);
}

TEST(below_a_key_of_a_map_they_follow_the_same_rules)
{
    uint64_t seed;

    for (seed = 1; seed <= HISTORIES; seed++)
        play(seed % 2 == 0 ? RJ_CRDT_LIST : RJ_CRDT_TEXT, true, seed);
}

/* ---- single facts */

TEST(what_cannot_be_done_is_refused_and_changes_nothing)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_TEXT, "a"), *reader = crdt_new(RJ_CRDT_TEXT, "");
    struct rj_crdt_buf before = {0}, after = {0};

    assert_ok(text_insert(v, 0, "\xc3\xa4o", NULL));
    assert_ok(rj_crdt_encode(v, &before));
    assert_err(RJ_EINVAL, text_insert(v, 3, "x", NULL));
    assert_err(RJ_EINVAL, text_insert(v, 0, "\xc3", NULL));
    assert_err(RJ_EINVAL, text_insert(v, 0, "\xed\xa0\x80", NULL));
    assert_err(RJ_EINVAL, text_erase(v, 1, 2, NULL));
    assert_err(RJ_EINVAL, text_erase(v, 1, UINT64_MAX, NULL));
    assert_err(RJ_EINVAL, text_insert(reader, 0, "x", NULL));
    assert_ok(rj_crdt_encode(v, &after));
    assert_bytes_equal(rj_crdt_bytes(&before), rj_crdt_bytes(&after));
    rj_crdt_free(v);
    rj_crdt_free(reader);
    rj_crdt_buf_free(&before);
    rj_crdt_buf_free(&after);
}

TEST(what_was_deleted_before_it_came_stays_deleted)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_TEXT, "a"), *b = crdt_new(RJ_CRDT_TEXT, "b");
    struct rj_crdt_buf typed = {0}, erased = {0};

    assert_ok(text_insert(a, 0, "hello", &typed));
    assert_ok(text_erase(a, 1, 3, &erased));
    assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&erased), NULL));
    assert_shows(b, "\"\"");
    assert_ok(text_insert(b, 0, "!", NULL));
    assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&typed), NULL));
    assert_shows(b, "\"ho!\"");
    assert_ok(rj_crdt_join(a, b, NULL));
    assert_same(a, b);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&typed);
    rj_crdt_buf_free(&erased);
}

TEST(all_that_waits_for_one_parent_comes_in_at_once)
{
    enum { WAITING = 1500 };
    static struct rj_crdt_buf deltas[WAITING];
    struct rj_crdt *a = crdt_new(RJ_CRDT_TEXT, "a"), *b = crdt_new(RJ_CRDT_TEXT, "b");
    struct rj_prng p;
    int i;

    rj_prng_init(&p, 5);
    for (i = 0; i < WAITING; i++)
        assert_ok(text_insert(a, rj_prng_below(&p, (uint64_t)i + 1), "x", &deltas[i]));
    for (i = WAITING - 1; i >= 0; i--) {
        assert_shows(b, "\"\"");
        assert_ok(rj_crdt_join_bytes(b, rj_crdt_bytes(&deltas[i]), NULL));
        rj_crdt_buf_free(&deltas[i]);
    }
    assert_true(rj_seq_is_sound(b->seq));
    assert_same(a, b);
    rj_crdt_free(a);
    rj_crdt_free(b);
}

TEST(a_reader_clears_what_it_has_seen_and_nothing_else)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_TEXT, "a"), *b = crdt_new(RJ_CRDT_TEXT, "b");
    struct rj_crdt_buf context = {0};
    struct rj_crdt_op op = {.size = sizeof(op), .code = RJ_CRDT_CLEAR};

    assert_ok(text_insert(a, 0, "seen", NULL));
    assert_ok(rj_crdt_context(a, &context));
    assert_ok(text_insert(a, 4, " not", NULL));
    assert_ok(text_insert(b, 0, "mine", NULL));
    op.flags = RJ_CRDT_CAUSED;
    op.context = rj_crdt_bytes(&context);
    assert_ok(rj_crdt_write(b, &op, NULL));
    assert_shows(b, "\"mine\"");
    assert_ok(rj_crdt_join(b, a, NULL));
    assert_shows(b, "\" notmine\"");
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&context);
}

TEST(a_long_text_grows_and_shrinks_at_any_place)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_TEXT, "a"), *w = crdt_new(RJ_CRDT_TEXT, "b");
    struct rj_prng p;
    uint64_t n = 0;
    int i;

    rj_prng_init(&p, 3);
    for (i = 0; i < 20000; i++) {
        if (n > 0 && rj_prng_chance(&p, i < 12000 ? 2 : 6, 10)) {
            assert_ok(text_erase(v, rj_prng_below(&p, n), 1, NULL));
            n--;
        } else {
            assert_ok(text_insert(v, rj_prng_below(&p, n + 1), "\xc3\xa4", NULL));
            n++;
        }
    }
    assert_true(rj_seq_is_sound(v->seq));
    assert_int_equal(v->seq->shown, n);
    assert_ok(rj_crdt_join(w, v, NULL));
    assert_true(rj_seq_is_sound(w->seq));
    assert_same(v, w);
    rj_crdt_free(v);
    rj_crdt_free(w);
}

/* ---- characters of several bytes */

enum { LONG_CHARS = 5000, LONG_EDITS = 600 };

/* Characters as an array of them; kinds: which of long_chars. */
struct plain {
    uint8_t kinds[2 * LONG_CHARS];
    size_t n;
};

static const char *const long_chars[] = {"\xc3\xa4", "\xe2\x82\xac", "\xc3\x9f"};

/* The text of n kinds; good until the next call. */
static const char *text_of(const uint8_t *kinds, size_t n)
{
    static char text[2 * LONG_CHARS * 3 + 1];
    char *end = text;

    for (; n > 0; n--)
        end = stpcpy(end, long_chars[*kinds++]);
    return text;
}

static void assert_is_plain(const struct rj_crdt *v, const struct plain *p)
{
    struct rj_buf json = {0};

    rj_buf_printf(&json, "\"%s\"", text_of(p->kinds, p->n));
    rj_buf_u8(&json, '\0');
    assert_ok(rj_buf_err(&json));
    assert_true(rj_seq_is_sound(v->seq));
    assert_shows(v, (const char *)json.ptr);
    rj_buf_done(&json);
}

/* Inserts or deletes some characters somewhere, here and there. */
static void edit_plain(struct plain *p, struct rj_prng *prng, struct rj_crdt *v,
                       struct rj_crdt *w)
{
    size_t pos = rj_prng_below(prng, p->n), n = 1 + rj_prng_below(prng, 12), i;
    uint8_t *at = p->kinds + pos;
    struct rj_crdt_buf delta = {0};

    if (rj_prng_chance(prng, 1, 2) || pos + n > p->n) {
        memmove(at + n, at, p->n - pos);
        for (i = 0; i < n; i++)
            at[i] = (uint8_t)rj_prng_below(prng, 3);
        p->n += n;
        assert_ok(text_insert(v, pos, text_of(at, n), &delta));
    } else {
        memmove(at, at + n, p->n - pos - n);
        p->n -= n;
        assert_ok(text_erase(v, pos, n, &delta));
    }
    assert_ok(rj_crdt_join_bytes(w, rj_crdt_bytes(&delta), NULL));
    rj_crdt_buf_free(&delta);
}

/* Types all of it, portion by portion. */
static struct rj_crdt *type_portions(const struct plain *p, size_t portion)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_TEXT, "a");
    size_t at, n;

    for (at = 0; at < p->n; at += n) {
        n = portion < p->n - at ? portion : p->n - at;
        assert_ok(text_insert(v, at, text_of(p->kinds + at, n), NULL));
    }
    return v;
}

TEST(long_characters_lie_where_they_would_in_an_array)
{
    static struct plain p;
    static const size_t portions[] = {1, 7, 1023, 1025, 3000};
    struct rj_crdt *v, *w = crdt_new(RJ_CRDT_TEXT, "b"), *other;
    struct rj_crdt_buf bytes = {0};
    struct rj_prng prng;
    size_t i;

    rj_prng_init(&prng, 17);
    for (p.n = 0; p.n < LONG_CHARS; p.n++)
        p.kinds[p.n] = (uint8_t)rj_prng_below(&prng, 3);
    v = type_portions(&p, p.n);
    assert_is_plain(v, &p);
    assert_ok(rj_crdt_encode(v, &bytes));
    assert_ok(rj_crdt_join_bytes(w, rj_crdt_bytes(&bytes), NULL));
    assert_is_plain(w, &p);
    assert_same(v, w);
    for (i = 0; i < sizeof(portions) / sizeof(*portions); i++) {
        other = type_portions(&p, portions[i]);
        assert_is_plain(other, &p);
        assert_same(v, other);
        rj_crdt_free(other);
    }
    for (i = 0; i < LONG_EDITS; i++) {
        if (i % 2 == 0)
            edit_plain(&p, &prng, v, w);
        else
            edit_plain(&p, &prng, w, v);
        if (i % 20 == 0)
            assert_is_plain(i % 40 == 0 ? v : w, &p);
    }
    assert_is_plain(v, &p);
    assert_same(v, w);
    rj_crdt_free(v);
    rj_crdt_free(w);
    rj_crdt_buf_free(&bytes);
}

/* ---- hostile bytes */

static struct rj_crdt *sample(void)
{
    struct rj_crdt *a = crdt_new(RJ_CRDT_TEXT, "a"), *b = crdt_new(RJ_CRDT_TEXT, "b");

    assert_ok(text_insert(a, 0, "one two three", NULL));
    assert_ok(rj_crdt_join(b, a, NULL));
    assert_ok(text_insert(b, 3, "\xe2\x82\xac", NULL));
    assert_ok(text_erase(b, 5, 4, NULL));
    assert_ok(text_erase(a, 12, 1, NULL));
    assert_ok(text_erase(a, 11, 1, NULL));
    assert_ok(rj_crdt_join(a, b, NULL));
    assert_ok(text_insert(a, 4, "x", NULL));
    rj_crdt_free(b);
    return a;
}

TEST(damaged_bytes_are_refused_or_make_a_sound_value)
{
    struct rj_crdt *v = sample(), *w = NULL;
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = RJ_CRDT_TEXT};
    struct rj_crdt_buf good = {0}, bad = {0}, again = {0};
    size_t i, taken = 0;
    struct rj_prng p;

    rj_prng_init(&p, 7);
    assert_ok(rj_crdt_encode(v, &good));
    for (i = 0; i < MUTATIONS; i++) {
        assert_ok(rj_crdt_encode(v, &bad));
        bad.ptr[rj_prng_below(&p, bad.len)] ^= (uint8_t)(1 + rj_prng_below(&p, 255));
        if (rj_prng_chance(&p, 1, 4))
            bad.len = rj_prng_below(&p, bad.len);
        if (rj_crdt_decode(&opts, rj_crdt_bytes(&bad), &w) == RJ_OK) {
            assert_true(rj_seq_is_sound(w->seq));
            assert_ok(rj_crdt_encode(w, &again));
            assert_ok(rj_crdt_join(v, w, NULL));
            assert_true(rj_seq_is_sound(v->seq));
            rj_crdt_free(w);
            rj_crdt_free(v);
            v = sample();
            taken++;
        } else {
            assert_int_not_equal(rj_crdt_join_bytes(v, rj_crdt_bytes(&bad), NULL), RJ_OK);
            assert_ok(rj_crdt_encode(v, &again));
            assert_bytes_equal(rj_crdt_bytes(&again), rj_crdt_bytes(&good));
        }
    }
    assert_true(taken > 0 && taken < MUTATIONS);
    rj_crdt_free(v);
    rj_crdt_buf_free(&good);
    rj_crdt_buf_free(&bad);
    rj_crdt_buf_free(&again);
}

/* ---- memory */

static enum rj_err use(void *ctx)
{
    struct rj_crdt *a = NULL, *b = NULL;
    struct rj_crdt_buf delta = {0}, digest = {0};
    enum rj_err err = crdt_make(RJ_CRDT_TEXT, "a", &a);

    (void)ctx;
    if (err == RJ_OK)
        err = crdt_make(RJ_CRDT_TEXT, "b", &b);
    if (err == RJ_OK)
        err = text_insert(a, 0, "some text", &delta);
    if (err == RJ_OK)
        err = text_erase(a, 2, 3, &delta);
    if (err == RJ_OK)
        err = rj_crdt_join_bytes(b, rj_crdt_bytes(&delta), NULL);
    if (err == RJ_OK)
        err = text_insert(b, 0, "x", NULL);
    if (err == RJ_OK)
        err = rj_crdt_digest(b, &digest);
    if (err == RJ_OK)
        err = rj_crdt_diff(a, rj_crdt_bytes(&digest), &delta);
    if (err == RJ_OK)
        err = rj_crdt_join(b, a, NULL);
    if (err == RJ_OK)
        err = rj_crdt_json(b, &delta);
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&delta);
    rj_crdt_buf_free(&digest);
    return err;
}

TEST(every_lack_of_memory_is_told)
{
    rj_test_with_failing_alloc(use, NULL);
    rj_test_with_one_failing_alloc(use, NULL);
}

/* A state in which "x" came and went; bytes that say that it is there all the same. */
static struct rj_crdt_buf contradiction(void)
{
    static const uint8_t gone[] = {0x42, 0, 1, 0x40}, there[] = {0x41, 1, 0x41, 'x'};
    struct rj_crdt *a = crdt_new(RJ_CRDT_TEXT, "a"), *b = NULL;
    struct rj_crdt_op op = crdt_op(RJ_CRDT_INSERT);
    struct rj_crdt_buf bytes = {0};
    uint8_t *at;

    op.value = rj_bytes_from_str("x");
    assert_ok(rj_crdt_write(a, &op, NULL));
    assert_ok(rj_crdt_fork(a, rj_bytes_from_str("b"), &b));
    op = crdt_op(RJ_CRDT_DELETE);
    op.count = 1;
    assert_ok(rj_crdt_write(b, &op, NULL));
    assert_ok(rj_crdt_encode(b, &bytes));
    at = memmem(bytes.ptr, bytes.len, gone, sizeof(gone));
    assert_non_null(at);
    memcpy(at, there, sizeof(there));
    rj_crdt_free(a);
    rj_crdt_free(b);
    return bytes;
}

TEST(an_element_cannot_be_there_and_deleted_in_one_message)
{
    struct rj_crdt_opts opts = crdt_opts(RJ_CRDT_TEXT, "");
    struct rj_crdt_buf bytes = contradiction(), before = {0}, after = {0};
    struct rj_crdt *v = NULL;
    struct rj_crdt_op op = crdt_op(RJ_CRDT_INSERT);

    assert_int_equal(rj_crdt_decode(&opts, rj_crdt_bytes(&bytes), &v), RJ_ECORRUPT);
    assert_null(v);
    v = crdt_new(RJ_CRDT_TEXT, "c");
    op.value = rj_bytes_from_str("yz");
    assert_ok(rj_crdt_write(v, &op, NULL));
    assert_ok(rj_crdt_encode(v, &before));
    assert_int_equal(rj_crdt_join_bytes(v, rj_crdt_bytes(&bytes), NULL), RJ_ECORRUPT);
    assert_ok(rj_crdt_encode(v, &after));
    assert_bytes_equal(rj_crdt_bytes(&after), rj_crdt_bytes(&before));
    assert_shows(v, "\"yz\"");
    rj_crdt_free(v);
    rj_crdt_buf_free(&bytes);
    rj_crdt_buf_free(&before);
    rj_crdt_buf_free(&after);
}

/* ---- what is cut */

enum { LONG = 2000 };

static uint64_t n_skipped;

/* As of a text of one byte a character, counted. */
static size_t counted_skip(struct rj_bytes b, uint64_t n)
{
    n_skipped += n;
    return n <= b.len ? (size_t)n : SIZE_MAX;
}

static const struct rj_elements counted = {.skip = counted_skip};

/* Types n characters one by one; every second delta is joined by w. */
static void type_with_holes(struct rj_crdt *v, struct rj_crdt *w, uint64_t n)
{
    struct rj_crdt_buf delta = {0};
    uint64_t i;

    for (i = 0; i < n; i++) {
        assert_ok(text_insert(v, i, "x", &delta));
        if (i % 2 == 0)
            assert_ok(rj_crdt_join_bytes(w, rj_crdt_bytes(&delta), NULL));
    }
    rj_crdt_buf_free(&delta);
}

/* w takes in bytes of LONG characters, which are gone through few times, and is v then.
 */
static void join_counted(struct rj_crdt *w, const struct rj_crdt_buf *bytes,
                         const struct rj_crdt *v)
{
    w->seq->kind = &counted;
    n_skipped = 0;
    assert_ok(rj_crdt_join_bytes(w, rj_crdt_bytes(bytes), NULL));
    assert_in_range(n_skipped, 0, 4 * LONG);
    assert_same(v, w);
}

TEST(a_run_that_is_cut_often_takes_linear_time)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_TEXT, "a"), *w = crdt_new(RJ_CRDT_TEXT, "b");
    struct rj_crdt_buf digest = {0}, diff = {0}, all = {0};

    type_with_holes(v, w, LONG);
    assert_ok(rj_crdt_digest(w, &digest));
    assert_ok(rj_crdt_encode(v, &all));
    v->seq->kind = &counted;
    n_skipped = 0;
    assert_ok(rj_crdt_diff(v, rj_crdt_bytes(&digest), &diff));
    assert_in_range(n_skipped, 0, 4 * LONG);
    join_counted(w, &all, v);
    rj_crdt_free(v);
    rj_crdt_free(w);
    rj_crdt_buf_free(&digest);
    rj_crdt_buf_free(&diff);
    rj_crdt_buf_free(&all);
}

TEST(a_run_of_which_much_is_doomed_takes_linear_time)
{
    struct rj_crdt *v = crdt_new(RJ_CRDT_TEXT, "a"), *w = crdt_new(RJ_CRDT_TEXT, "b");
    struct rj_crdt_buf delta = {0}, all = {0};
    uint64_t i;

    type_with_holes(v, w, LONG);
    rj_crdt_free(w);
    w = crdt_new(RJ_CRDT_TEXT, "b");
    assert_ok(rj_crdt_encode(v, &all));
    for (i = 0; i < LONG / 2; i++) {
        assert_ok(text_erase(v, i, 1, &delta));
        assert_ok(rj_crdt_join_bytes(w, rj_crdt_bytes(&delta), NULL));
    }
    join_counted(w, &all, v);
    rj_crdt_free(v);
    rj_crdt_free(w);
    rj_crdt_buf_free(&delta);
    rj_crdt_buf_free(&all);
}

/* ---- what is deleted before it comes, where deletions lie between */

struct scattered {
    struct rj_crdt *a, *b, *v,
        *group; /* a writes, b clears what a reader of a has seen */
    struct rj_crdt_buf typed, delta, context;
};

/* a types over what was there, character by character; the group gets what it deletes. */
static enum rj_err write_over(struct scattered *s)
{
    enum rj_err err = RJ_OK;
    int i;

    for (i = 0; err == RJ_OK && i < 12; i++) {
        err = text_insert(s->a, 0, "y", NULL);
        if (err == RJ_OK)
            err = text_erase(s->a, 1 + (uint64_t)i, 1, &s->delta);
        if (err == RJ_OK)
            err = rj_crdt_join_bytes(s->group, rj_crdt_bytes(&s->delta), NULL);
    }
    return err;
}

static enum rj_err clear_scattered(struct scattered *s)
{
    struct rj_crdt_op op = {
        .size = sizeof(op), .code = RJ_CRDT_CLEAR, .flags = RJ_CRDT_CAUSED};
    enum rj_err err = rj_crdt_context(s->a, &s->context);

    op.context = rj_crdt_bytes(&s->context);
    if (err == RJ_OK)
        err = rj_crdt_write(s->b, &op, &s->delta);
    if (err == RJ_OK)
        err = rj_crdt_join_bytes(s->group, rj_crdt_bytes(&s->delta), NULL);
    if (err == RJ_OK)
        err = rj_crdt_join(s->v, s->group, NULL);
    if (err == RJ_OK)
        err = rj_crdt_join(s->v, s->a, NULL);
    if (err == RJ_OK && s->v->seq->shown != 0)
        err = RJ_EINVAL; /* something was forgotten on the way */
    return err;
}

static enum rj_err scatter(void *ctx)
{
    struct scattered s = {0};
    enum rj_err err = crdt_make(RJ_CRDT_TEXT, "a", &s.a);

    (void)ctx;
    if (err == RJ_OK)
        err = crdt_make(RJ_CRDT_TEXT, "b", &s.b);
    if (err == RJ_OK)
        err = crdt_make(RJ_CRDT_TEXT, "v", &s.v);
    if (err == RJ_OK)
        err = crdt_make(RJ_CRDT_TEXT, "", &s.group);
    if (err == RJ_OK)
        err = text_insert(s.b, 0, "xxxxxxxxxxxx", &s.typed);
    if (err == RJ_OK)
        err = rj_crdt_join_bytes(s.a, rj_crdt_bytes(&s.typed), NULL);
    if (err == RJ_OK)
        err = rj_crdt_join_bytes(s.v, rj_crdt_bytes(&s.typed), NULL);
    if (err == RJ_OK)
        err = write_over(&s);
    if (err == RJ_OK)
        err = clear_scattered(&s);
    rj_crdt_free(s.a);
    rj_crdt_free(s.b);
    rj_crdt_free(s.v);
    rj_crdt_free(s.group);
    rj_crdt_buf_free(&s.typed);
    rj_crdt_buf_free(&s.delta);
    rj_crdt_buf_free(&s.context);
    return err;
}

TEST(no_deletion_that_comes_first_is_forgotten_for_want_of_memory)
{
    rj_test_with_one_failing_alloc(scatter, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_of_texts_follow_the_rules),
        cmocka_unit_test(random_histories_of_lists_follow_the_rules),
        cmocka_unit_test(below_a_key_of_a_map_they_follow_the_same_rules),
        cmocka_unit_test(what_cannot_be_done_is_refused_and_changes_nothing),
        cmocka_unit_test(what_was_deleted_before_it_came_stays_deleted),
        cmocka_unit_test(all_that_waits_for_one_parent_comes_in_at_once),
        cmocka_unit_test(a_reader_clears_what_it_has_seen_and_nothing_else),
        cmocka_unit_test(a_long_text_grows_and_shrinks_at_any_place),
        cmocka_unit_test(long_characters_lie_where_they_would_in_an_array),
        cmocka_unit_test(damaged_bytes_are_refused_or_make_a_sound_value),
        cmocka_unit_test(every_lack_of_memory_is_told),
        cmocka_unit_test(an_element_cannot_be_there_and_deleted_in_one_message),
        cmocka_unit_test(a_run_that_is_cut_often_takes_linear_time),
        cmocka_unit_test(a_run_of_which_much_is_doomed_takes_linear_time),
        cmocka_unit_test(no_deletion_that_comes_first_is_forgotten_for_want_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
