/* SPDX-License-Identifier: Apache-2.0 */
/* What one store has and another lacks: the bitmaps of live dots, word by word. */
#include "crdt/rows_store.h"

enum { AHEAD = 8, PAGE = 1 << RJ_PAGE_BITS };

enum rj_err rj_refs_grow(struct rj_refs *refs)
{
    size_t cap = refs->cap * 2, old = refs->cap * sizeof(*refs->at);
    bool grown = refs->at != refs->few;
    uint32_t *at = rj_mem_resize(refs->allocator, grown ? refs->at : NULL,
                                 grown ? old : 0, cap * sizeof(*at));

    if (at == NULL)
        return RJ_ENOMEM;
    if (!grown)
        memcpy(at, refs->few, old);
    refs->at = at;
    refs->cap = cap;
    return RJ_OK;
}

/* Where in `there` the walk is. */
struct cursor {
    const struct rj_there *there;
    const struct rj_line *line;
    size_t at;
    struct rj_dots_walk dots;
    struct rj_span span; /* of dots; has_span: there is one more */
    bool has_span;
};

static struct cursor cursor_at(const struct rj_there *there, uint64_t seq)
{
    struct cursor c = {.there = there};

    if (there->rows == NULL) {
        c.dots = rj_dots_walk_from(there->dots, there->origin, seq);
        c.has_span = rj_dots_next(&c.dots, &c.span);
        return c;
    }
    if (there->rows->store != NULL && there->rows->store->many)
        c.line = rj_lines_of(&there->rows->store->lines, there->origin);
    c.at = c.line != NULL ? rj_line_at(c.line, seq >> RJ_PAGE_BITS) : 0;
    return c;
}

/* Bits from..to of words, both counted. */
static void set_bits(uint64_t words[RJ_PAGE_WORDS], uint64_t from, uint64_t to)
{
    unsigned i;

    for (i = 0; i < RJ_PAGE_WORDS; i++) {
        uint64_t first = (uint64_t)i * 64, last = first + 63;
        uint64_t low = from > first ? from - first : 0,
                 high = to < last ? to - first : 63;

        if (from <= last && to >= first)
            words[i] |= (UINT64_MAX << low) & (UINT64_MAX >> (63 - high));
    }
}

/* Leaves of e what lies in span. */
static void cut(struct rj_entry *e, const struct rj_span *span)
{
    uint64_t first = e->base << RJ_PAGE_BITS, last = first + PAGE - 1;
    uint64_t meant[RJ_PAGE_WORDS] = {0};
    unsigned i;

    set_bits(meant, span->from > first ? span->from - first : 0,
             span->to < last ? span->to - first : PAGE - 1);
    e->n = 0;
    for (i = 0; i < RJ_PAGE_WORDS; i++) {
        e->live[i] &= meant[i];
        e->n += rj_ones(e->live[i]);
    }
}

static bool is_within(const struct rj_entry *e, const struct rj_span *span)
{
    uint64_t first = e->base << RJ_PAGE_BITS;

    return span->from <= first && span->to >= first + PAGE - 1;
}

/* The same where rows are few. */
static void few_there(const struct rj_there *there, uint64_t base,
                      uint64_t words[RJ_PAGE_WORDS])
{
    const struct rj_few *f = &there->rows->store->few;
    uint32_t i = rj_few_at(f, (struct rj_dot){base << RJ_PAGE_BITS, there->origin});

    for (; i < f->n; i++) {
        struct rj_dot dot = rj_row_dot(rj_slab_at(f->slab, f->ref[i]));

        if (dot.origin != there->origin || dot.seq >> RJ_PAGE_BITS != base)
            break;
        words[dot.seq % PAGE / 64] |= (uint64_t)1 << (dot.seq % 64);
    }
}

/* The same of a set of dots. */
static void dots_there(struct cursor *c, uint64_t base, uint64_t words[RJ_PAGE_WORDS])
{
    uint64_t first = base << RJ_PAGE_BITS, last = first + PAGE - 1;

    while (c->has_span && c->span.origin == c->there->origin && c->span.from <= last) {
        const struct rj_span *s = &c->span;

        if (s->to >= first)
            set_bits(words, s->from > first ? s->from - first : 0,
                     s->to < last ? s->to - first : PAGE - 1);
        if (s->to > last)
            return;
        c->has_span = rj_dots_next(&c->dots, &c->span);
    }
}

/* What is there of the page with that base, which is not before the last one asked for;
 * it may stand in room. */
static const uint64_t *words_there(struct cursor *c, uint64_t base,
                                   uint64_t room[RJ_PAGE_WORDS])
{
    const struct rj_rows *rows = c->there->rows;
    const struct rj_line *line = c->line;

    if (line != NULL) {
        while (c->at < line->n && line->at[c->at].base < base)
            c->at++;
        if (c->at < line->n && line->at[c->at].base == base)
            return line->at[c->at].live;
    }
    memset(room, 0, RJ_PAGE_WORDS * sizeof(*room));
    if (rows == NULL)
        dots_there(c, base, room);
    else if (rows->store != NULL && !rows->store->many)
        few_there(c->there, base, room);
    return room;
}

/* Notes as index and bit what is in e and not there; counts what is in both. */
static enum rj_err note_missing(const struct rj_entry *e, uint32_t index,
                                const uint64_t *there, struct rj_missing *ret)
{
    size_t before = ret->rows.n;
    enum rj_err err = RJ_OK;
    uint64_t missing = 0;
    unsigned i;

    ret->n_both += e->n;
    for (i = 0; i < RJ_PAGE_WORDS; i++)
        missing |= e->live[i] & ~there[i];
    if (missing == 0)
        return RJ_OK;
    for (i = 0; i < RJ_PAGE_WORDS; i++) {
        uint64_t word = e->live[i] & ~there[i];

        for (; err == RJ_OK && word != 0; word &= word - 1)
            err = rj_refs_add(&ret->rows, index << RJ_PAGE_BITS | i * 64 |
                                              (uint32_t)__builtin_ctzll(word));
    }
    ret->n_both -= ret->rows.n - before;
    return err;
}

static const uint32_t *ref_of(const struct rj_line *line, uint32_t note)
{
    return rj_entry_ref(&line->at[note >> RJ_PAGE_BITS], note & (PAGE - 1));
}

/* From the note of index `from` on notes become references. */
static void look_up(const struct rj_line *line, struct rj_refs *refs, size_t from)
{
    size_t i;

    for (i = from; i < refs->n; i++) {
        if (i + AHEAD < refs->n)
            __builtin_prefetch(ref_of(line, refs->at[i + AHEAD]));
        refs->at[i] = *ref_of(line, refs->at[i]);
    }
}

static enum rj_err one_missing(uint32_t ref, struct rj_dot dot,
                               const struct rj_there *there, struct rj_missing *ret)
{
    dot.origin = there->origin;
    if (there->rows != NULL ? rj_rows_find(there->rows, dot) == NULL
                            : !rj_dots_has(there->dots, dot))
        return rj_refs_add(&ret->rows, ref);
    ret->n_both++;
    return RJ_OK;
}

/* The same where rows are few. */
static enum rj_err few_missing(const struct rj_few *f, struct rj_span span,
                               const struct rj_there *there, struct rj_missing *ret)
{
    uint32_t i = rj_few_at(f, (struct rj_dot){span.from, span.origin});
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && i < f->n; i++) {
        struct rj_dot dot = rj_row_dot(rj_slab_at(f->slab, f->ref[i]));

        if (dot.origin != span.origin || dot.seq > span.to)
            break;
        err = one_missing(f->ref[i], dot, there, ret);
    }
    return err;
}

enum rj_err rj_rows_missing(const struct rj_rows *rows, struct rj_span span,
                            const struct rj_there *there, struct rj_missing *ret)
{
    const struct rj_row_store *s = rows->store;
    struct rj_dot first = {span.from, span.origin};
    const struct rj_line *line;
    struct cursor c;
    size_t begun = ret->rows.n;
    enum rj_err err = RJ_OK;
    uint32_t i;

    if (s == NULL)
        return RJ_OK;
    if (!s->many)
        return few_missing(&s->few, span, there, ret);
    if (span.from == span.to) { /* what most deltas tell */
        i = rj_lines_find(&s->lines, first);
        return i != 0 ? one_missing(i, first, there, ret) : RJ_OK;
    }
    line = rj_lines_of(&s->lines, span.origin);
    if (line == NULL)
        return RJ_OK;
    c = cursor_at(there, span.from);
    for (i = rj_line_at(line, span.from >> RJ_PAGE_BITS);
         err == RJ_OK && i < line->n && line->at[i].base <= span.to >> RJ_PAGE_BITS;
         i++) {
        const struct rj_entry *e = &line->at[i];
        uint64_t room[RJ_PAGE_WORDS];
        const uint64_t *words = words_there(&c, e->base, room);

        if (is_within(e, &span)) {
            err = note_missing(e, i, words, ret);
        } else {
            struct rj_entry part = *e;

            cut(&part, &span);
            err = note_missing(&part, i, words, ret);
        }
    }
    look_up(line, &ret->rows, begun);
    return err;
}

/* The last step of SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t v)
{
    v = (v ^ (v >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    v = (v ^ (v >> 27)) * UINT64_C(0x94d049bb133111eb);
    return v ^ (v >> 31);
}

uint64_t rj_rows_sum(const struct rj_rows *rows, struct rj_span span, uint64_t salt)
{
    const struct rj_line *line =
        rows->store != NULL ? rj_lines_of(&rows->store->lines, span.origin) : NULL;
    uint64_t sum = 0;
    uint32_t i;

    if (line == NULL)
        return 0;
    for (i = rj_line_at(line, span.from >> RJ_PAGE_BITS);
         i < line->n && line->at[i].base <= span.to >> RJ_PAGE_BITS; i++) {
        struct rj_entry e = line->at[i];
        unsigned w;

        if (!is_within(&e, &span))
            cut(&e, &span);
        for (w = 0; w < RJ_PAGE_WORDS; w++) {
            uint64_t word = e.live[w], first = (e.base * RJ_PAGE_WORDS + w) * 64;

            for (; word != 0; word &= word - 1)
                sum += mix(mix(first + (uint64_t)__builtin_ctzll(word) + 1) ^ salt);
        }
    }
    return sum;
}

uint64_t rj_rows_runs(const struct rj_rows *rows)
{
    const struct rj_lines *lines = rows->store != NULL ? &rows->store->lines : NULL;
    uint64_t runs = 0;
    uint32_t i, j;

    for (i = 0; lines != NULL && i < lines->n; i++) {
        uint64_t next = 0, last = 0; /* page behind the last one; its highest bit */

        for (j = 0; j < lines->at[i].n; j++) {
            const struct rj_entry *e = &lines->at[i].at[j];
            unsigned w;

            last = e->base == next ? last : 0;
            for (w = 0; w < RJ_PAGE_WORDS; w++) {
                runs += rj_ones(e->live[w] & ~(e->live[w] << 1 | last));
                last = e->live[w] >> 63;
            }
            next = e->base + 1;
        }
    }
    return runs;
}
