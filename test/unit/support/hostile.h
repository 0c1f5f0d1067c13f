/* SPDX-License-Identifier: Apache-2.0 */
/* What a message costs, against an allocator that counts, and parts to make messages of.
 * For a while (the peak, less what is there before and behind) it is at most twice the
 * message's size, WHILE a name and FIXED, whatever is done with it; what is kept of it,
 * the value itself, at most KEPT times its size, and of texts and lists, whose runs may
 * have a single byte, RUN_KEPT. One that is refused leaves nothing. */
#ifndef RJ_TEST_HOSTILE_H
#define RJ_TEST_HOSTILE_H

#include "base/cbor.h"
#include "causal/spans.h"
#include "support/counting.h"
#include "support/crdt_value.h"

#include <stdio.h>

enum {
    FIXED = 96 * 1024,
    WHILE = 8,
    KEPT = 32,
    RUN_KEPT = 240,
    NOTED = 64,     /* the same with a note of what each place showed */
    NAMED = 128,    /* a row that is read, kept and named */
    LENT = 2,       /* a row stands in a copy */
    ANSWER = 64,    /* an empty one */
    SCRATCH = 1024, /* of a change: kept for the next one */
    MANY = 100000,
    NAMES = 40000,
};

static inline struct rj_crdt *make(enum rj_crdt_type type, bool forgets)
{
    struct rj_crdt_opts opts = crdt_opts(type, "me");
    struct rj_crdt *v = NULL;

    opts.allocator = &counting;
    opts.rules.horizon = forgets;
    assert_ok(rj_crdt_new(&opts, &v));
    return v;
}

static inline bool is_runs(const struct rj_crdt *v)
{
    return rj_crdt_type(v) == RJ_CRDT_LIST || rj_crdt_type(v) == RJ_CRDT_TEXT;
}

/* ---- measuring */

struct cost {
    const char *what;
    struct rj_bytes bytes;
    size_t names, before;
    size_t passing, kept; /* most that a byte costs */
};

static inline struct cost begin(const struct rj_crdt *v, const char *what,
                                struct rj_bytes bytes)
{
    struct rj_reader r = rj_reader_of(bytes);
    struct cost c = {.what = what, .bytes = bytes, .before = in_use};

    (void)rj_cbor_get_array(&r);
    (void)rj_cbor_get_uint(&r);
    (void)rj_cbor_get_uint(&r);
    c.names = rj_cbor_get_array(&r);
    c.names = c.names <= bytes.len ? c.names : 0;
    c.passing = 2;
    c.kept = is_runs(v) ? RUN_KEPT : KEPT;
    peak = in_use;
    return c;
}

/* left: what may stay of one that is refused. */
static inline enum rj_err end(const struct cost *c, enum rj_err err, size_t left)
{
    size_t kept = in_use > c->before ? in_use - c->before : 0, len = c->bytes.len;
    size_t passing = peak - c->before - kept;
    size_t most = c->kept * len + FIXED;

    if (getenv("RJ_COSTS") != NULL)
        printf("# %-28s %9zu B  for a while %9zu (%.2f)  kept %9zu (%.2f)  %d\n", c->what,
               len, passing, (double)passing / (double)len, kept,
               (double)kept / (double)len, (int)err);
    assert_true(kept <= (err == RJ_OK ? most : left));
    if (err == RJ_OK) /* else it may have been refused at its end */
        most = c->passing * len + WHILE * c->names + FIXED;
    assert_true(passing <= most);
    return err;
}

static inline enum rj_err join(struct rj_crdt *v, const char *what, struct rj_bytes bytes)
{
    struct cost c = begin(v, what, bytes);

    return end(&c, rj_crdt_join_bytes(v, bytes, NULL), 0);
}

/* To a value that is watched: what each place showed is noted. */
static inline void join_watched(enum rj_crdt_type type, bool forgets,
                                struct rj_bytes bytes)
{
    struct rj_crdt *v = make(type, forgets);
    struct cost c;

    assert_ok(rj_crdt_watch(v, true));
    c = begin(v, "  watched", bytes);
    c.kept = is_runs(v) ? RUN_KEPT : NOTED;
    (void)end(&c, rj_crdt_join_bytes(v, bytes, NULL), 0);
    rj_crdt_free(v);
}

/* What is wanted is an answer to bytes. */
static inline void ask(struct rj_crdt *v, struct rj_bytes bytes)
{
    struct rj_crdt_buf delta = {.allocator = &counting};
    struct cost c = begin(v, "  scoped", bytes);

    c.kept = 2; /* the answer */
    (void)end(&c, rj_crdt_diff_scoped(v, bytes, &delta), ANSWER);
    rj_crdt_buf_free(&delta);
}

/* Bytes say what a reader has seen, on whose behalf something goes. */
static inline enum rj_err act(struct rj_crdt *v, enum rj_crdt_code code,
                              struct rj_bytes bytes)
{
    struct rj_crdt_op op = crdt_op(code);
    struct rj_bytes key = rj_bytes_from_str("nowhere");
    struct cost c = begin(v, "  context", bytes);

    op.keys = op.path = &key;
    op.n_keys = 1;
    op.n_path = code == RJ_CRDT_REMOVE;
    op.flags = RJ_CRDT_CAUSED;
    op.context = bytes;
    return end(&c, rj_crdt_write(v, &op, NULL), SCRATCH);
}

/* Tells a guard of bytes until they have turned round too often. */
static inline void guard(struct rj_crdt *v, struct rj_bytes bytes)
{
    struct rj_crdt_guard *g = NULL;
    struct rj_crdt_row row;
    unsigned i;

    assert_ok(rj_crdt_guard_new(&counting, 0, &g));
    for (i = 0; i < 2; i++) {
        struct cost c = begin(v, i == 0 ? "  guard" : "  lent out", bytes);

        c.kept = LENT;
        (void)end(&c, rj_crdt_guard_note(g, v, bytes, i == 0, &row),
                  LENT * bytes.len + FIXED);
    }
    rj_crdt_guard_free(g);
}

/* Joins bytes twice, with an empty value; and does with them whatever can be done. */
static inline enum rj_err join_new(enum rj_crdt_type type, bool forgets, const char *what,
                                   struct rj_bytes bytes)
{
    struct rj_crdt *v = make(type, forgets);
    enum rj_err err = join(v, what, bytes);

    if (err == RJ_OK)
        assert_ok(join(v, "  again", bytes));
    guard(v, bytes);
    ask(v, bytes);
    (void)act(v, RJ_CRDT_REMOVE, bytes);
    rj_crdt_free(v);
    v = make(type, forgets);
    ask(v, bytes);
    (void)act(v, RJ_CRDT_CLEAR, bytes);
    rj_crdt_free(v);
    join_watched(type, forgets, bytes);
    assert_int_equal(in_use, 0);
    return err;
}

/* ---- making messages */

/* The head of a value: format and fingerprint. */
static inline void put_head(struct rj_buf *out, enum rj_crdt_type type, bool forgets,
                            size_t items)
{
    struct rj_crdt *v = make(type, forgets);
    struct rj_crdt_buf empty = {0};
    struct rj_reader r;
    uint64_t fingerprint;

    assert_ok(rj_crdt_encode(v, &empty));
    r = rj_reader_of(rj_crdt_bytes(&empty));
    (void)rj_cbor_get_array(&r);
    (void)rj_cbor_get_uint(&r);
    fingerprint = rj_cbor_get_uint(&r);
    rj_buf_clear(out);
    rj_cbor_put_array(out, items);
    rj_cbor_put_uint(out, 1);
    rj_cbor_put_uint(out, fingerprint);
    rj_crdt_buf_free(&empty);
    rj_crdt_free(v);
}

static inline void put_names(struct rj_buf *out, size_t n)
{
    uint8_t name[2];
    size_t i;

    rj_cbor_put_array(out, n);
    for (i = 0; i < n; i++) {
        rj_be_store16(name, (uint16_t)i);
        rj_cbor_put_bytes(out, RJ_BYTES_OF(name));
    }
}

/* Appends n spans of one name, the i-th of `more` + 1 dots, `gap` + 1 apart. */
static inline void put_spans(struct rj_buf *out, size_t n, uint64_t gap, uint64_t more)
{
    struct rj_spans_head head = {.next = 1};
    struct rj_spans_writer w;
    unsigned pass;
    size_t i;

    for (pass = 0; pass < 2; pass++) {
        uint64_t at = 1;

        if (pass == 1)
            w = rj_spans_put_head(out, &head);
        for (i = 0; i < n; i++) {
            struct rj_span span = {at, at + more, 0};

            if (pass == 0)
                rj_spans_count(&head, &span);
            else
                rj_spans_put(&w, &span);
            at += more + 2 + gap;
        }
    }
    rj_spans_end(&w, out);
}

static inline void put_column(struct rj_buf *out, struct rj_buf *column)
{
    rj_cbor_put_bytes(out, rj_buf_view(column));
    rj_buf_clear(column);
}

static inline void put_no_rows(struct rj_buf *out, size_t names)
{
    struct rj_buf none = {0};
    size_t i;

    rj_cbor_put_array(out, 5);
    for (i = 0; i < names; i++)
        rj_buf_u8(&none, 0);
    put_column(out, &none);
    for (i = 0; i < 4; i++)
        rj_cbor_put_bytes(out, (struct rj_bytes){0});
    rj_buf_done(&none);
}

#endif
