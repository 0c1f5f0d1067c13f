/* SPDX-License-Identifier: Apache-2.0 */
/* What one store has and another lacks: the bitmaps of live dots, word by word. */
#include "crdt/rows_store.h"

enum { REFS_FIRST = 8, PAGE = 1 << RJ_PAGE_BITS };

enum rj_err rj_refs_add(struct rj_refs *refs, uint32_t ref)
{
    size_t cap = refs->cap != 0 ? refs->cap * 2 : REFS_FIRST;
    uint32_t *at;

    if (refs->n == refs->cap) {
        at = rj_mem_resize(refs->allocator, refs->at, refs->cap * sizeof(*at),
                           cap * sizeof(*at));
        if (at == NULL)
            return RJ_ENOMEM;
        refs->at = at;
        refs->cap = cap;
    }
    refs->at[refs->n++] = ref;
    return RJ_OK;
}

void rj_refs_done(struct rj_refs *refs)
{
    rj_mem_free(refs->allocator, refs->at, refs->cap * sizeof(*refs->at));
    *refs = (struct rj_refs){.allocator = refs->allocator};
}

/* Where in `there` the walk is. */
struct cursor {
    const struct rj_there *there;
    const struct rj_line *line;
    size_t at;
};

static struct cursor cursor_at(const struct rj_there *there, uint64_t seq)
{
    struct cursor c = {.there = there};

    if (there->rows == NULL) {
        c.at = rj_dots_at(there->dots, there->origin, seq);
        return c;
    }
    if (there->rows->store != NULL)
        c.line = rj_lines_of(&there->rows->store->lines, there->origin);
    c.at = c.line != NULL ? rj_line_at(c.line, seq >> RJ_PAGE_BITS) : 0;
    return c;
}

/* Bits from..to of words, both counted. */
static void set_bits(uint64_t words[RJ_PAGE_WORDS], uint64_t from, uint64_t to)
{
    unsigned i;

    for (i = 0; i < RJ_PAGE_WORDS; i++) {
        uint64_t first = i * 64, last = first + 63;
        uint64_t low = from > first ? from - first : 0,
                 high = to < last ? to - first : 63;

        if (from <= last && to >= first)
            words[i] |= (UINT64_MAX << low) & (UINT64_MAX >> (63 - high));
    }
}

/* What is there of the page with that base, which is not before the last one asked for.
 */
static void words_there(struct cursor *c, uint64_t base, uint64_t words[RJ_PAGE_WORDS])
{
    const struct rj_dots *d = c->there->dots;
    uint64_t first = base << RJ_PAGE_BITS, last = first + PAGE - 1;

    memset(words, 0, RJ_PAGE_WORDS * sizeof(*words));
    if (c->there->rows == NULL) {
        while (c->at < d->n && d->spans[c->at].origin == c->there->origin &&
               d->spans[c->at].from <= last) {
            const struct rj_span *s = &d->spans[c->at];

            if (s->to >= first)
                set_bits(words, s->from > first ? s->from - first : 0,
                         s->to < last ? s->to - first : PAGE - 1);
            if (s->to > last)
                return;
            c->at++;
        }
        return;
    }
    while (c->line != NULL && c->at < c->line->n && c->line->at[c->at].base < base)
        c->at++;
    if (c->line != NULL && c->at < c->line->n && c->line->at[c->at].base == base)
        memcpy(words, c->line->at[c->at].live, RJ_PAGE_WORDS * sizeof(*words));
}

static enum rj_err add_missing(const struct rj_entry *e, const struct rj_span *span,
                               const uint64_t there[RJ_PAGE_WORDS], struct rj_refs *ret)
{
    uint64_t first = e->base << RJ_PAGE_BITS, last = first + PAGE - 1;
    uint64_t meant[RJ_PAGE_WORDS] = {0};
    enum rj_err err = RJ_OK;
    unsigned i;

    set_bits(meant, span->from > first ? span->from - first : 0,
             span->to < last ? span->to - first : PAGE - 1);
    for (i = 0; i < RJ_PAGE_WORDS; i++) {
        uint64_t word = e->live[i] & meant[i] & ~there[i];

        for (; err == RJ_OK && word != 0; word &= word - 1)
            err = rj_refs_add(ret,
                              rj_entry_ref(e, i * 64 + (unsigned)__builtin_ctzll(word)));
    }
    return err;
}

enum rj_err rj_rows_missing(const struct rj_rows *rows, struct rj_span span,
                            const struct rj_there *there, struct rj_refs *ret)
{
    const struct rj_line *line =
        rows->store != NULL ? rj_lines_of(&rows->store->lines, span.origin) : NULL;
    struct cursor c = cursor_at(there, span.from);
    enum rj_err err = RJ_OK;
    uint32_t i;

    if (line == NULL)
        return RJ_OK;
    for (i = rj_line_at(line, span.from >> RJ_PAGE_BITS);
         err == RJ_OK && i < line->n && line->at[i].base <= span.to >> RJ_PAGE_BITS;
         i++) {
        const struct rj_entry *e = &line->at[i];
        uint64_t words[RJ_PAGE_WORDS];

        words_there(&c, e->base, words);
        if (((e->live[0] & ~words[0]) | (e->live[1] & ~words[1]) |
             (e->live[2] & ~words[2]) | (e->live[3] & ~words[3])) != 0)
            err = add_missing(e, &span, words, ret);
    }
    return err;
}
