/* SPDX-License-Identifier: Apache-2.0 */
/* The store of rows: a slab, and what leads to it by dot and by place. Invariants: each
 * row is in one line, under its dot, and in the chain of its place, whose first row alone
 * is in the slots (and in the order, if that is made); or, as long as there never were
 * more than eight, in one array and in such a chain.
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 5: dot
 * stores, here as one flat relation. */
#include "crdt/rows_store.h"

enum { AHEAD = 8, BLOCK_FIRST = 256 };

#define MARK ((uint32_t)1 << 31)

static const struct rj_bytes none = {0};

static struct rj_row *row_at(const struct rj_rows *rows, uint32_t ref)
{
    return ref != 0 ? rj_slab_at(&rows->store->slab, ref) : NULL;
}

/* Of a reference that is one. */
static struct rj_row *row_of(const struct rj_rows *rows, uint32_t ref)
{
    return rj_slab_at(&rows->store->slab, ref);
}

static uint64_t hash_of(const struct rj_rows *rows, struct rj_bytes place)
{
    return rj_slots_hash(&rows->store->slots, none, place);
}

static struct rj_bytes name_of(const void *row)
{
    return rj_row_place(row);
}

/* Lengths below RJ_ROW_LONG are told in the row, else behind it. */
static size_t size_of(size_t place_len, size_t payload_len)
{
    size_t more =
        place_len >= RJ_ROW_LONG || payload_len >= RJ_ROW_LONG ? 2 * sizeof(uint32_t) : 0;

    return sizeof(struct rj_row) + more + place_len + payload_len;
}

/* ---- the whole */

void rj_rows_init(struct rj_rows *rows, const struct rj_allocator *allocator,
                  const struct rj_hash_key *key, bool ordered)
{
    *rows = (struct rj_rows){.key = key, .allocator = allocator, .ordered = ordered};
}

static bool make_store(struct rj_rows *rows)
{
    const struct rj_allocator *a = rows->allocator;
    struct rj_row_store *s = rows->store;

    if (s != NULL)
        return true;
    s = rj_mem_new(a, sizeof(*s));
    if (s == NULL)
        return false;
    *s = (struct rj_row_store){.naming = {name_of, rows->key, a, BLOCK_FIRST},
                               .slab.naming = &s->naming,
                               .few.slab = &s->slab,
                               .lines.allocator = a,
                               .slots.slab = &s->slab,
                               .order = {.slab = &s->slab}};
    rows->store = s;
    return true;
}

void rj_rows_done(struct rj_rows *rows)
{
    struct rj_row_store *s = rows->store;

    if (s == NULL)
        return;
    rj_order_done(&s->order);
    rj_slots_done(&s->slots);
    rj_lines_done(&s->lines);
    rj_slab_done(&s->slab);
    rj_mem_free(rows->allocator, s, sizeof(*s));
    rows->store = NULL;
}

void rj_rows_clear(struct rj_rows *rows)
{
    struct rj_row_store *s = rows->store;

    if (s == NULL)
        return;
    if (s->many) {
        rj_rows_done(rows);
        return;
    }
    rj_slab_clear(&s->slab);
    s->few.n = 0;
}

enum rj_err rj_rows_fork(struct rj_rows *to, const struct rj_rows *from)
{
    struct rj_row_store *s;

    if (rj_rows_count(from) == 0)
        return RJ_OK;
    if (!make_store(to))
        return RJ_ENOMEM;
    s = to->store;
    from->store->shared = s->shared = true;
    s->many = from->store->many;
    s->few.n = from->store->few.n;
    memcpy(s->few.ref, from->store->few.ref, sizeof(s->few.ref));
    if (rj_slab_fork(&s->slab, &from->store->slab) &&
        rj_lines_fork(&s->lines, &from->store->lines) &&
        rj_slots_fork(&s->slots, &from->store->slots) &&
        rj_order_fork(&s->order, &from->store->order))
        return RJ_OK;
    rj_rows_done(to);
    return RJ_ENOMEM;
}

bool rj_rows_is_shared(const struct rj_rows *rows)
{
    return rows->store != NULL && rows->store->shared;
}

size_t rj_rows_count(const struct rj_rows *rows)
{
    const struct rj_row_store *s = rows->store;

    if (s == NULL)
        return 0;
    return s->many ? s->lines.count : s->few.n;
}

size_t rj_rows_places(const struct rj_rows *rows)
{
    const struct rj_row_store *s = rows->store;

    if (s == NULL)
        return 0;
    return s->many ? s->slots.count : rj_few_places(&s->few);
}

/* ---- by dot */

static uint32_t find(const struct rj_row_store *s, struct rj_dot dot)
{
    return s->many ? rj_lines_find(&s->lines, dot) : rj_few_find(&s->few, dot);
}

const struct rj_row *rj_rows_find(const struct rj_rows *rows, struct rj_dot dot)
{
    return rows->store != NULL ? row_at(rows, find(rows->store, dot)) : NULL;
}

const struct rj_row *rj_rows_from(const struct rj_rows *rows, struct rj_dot dot)
{
    const struct rj_row_store *s = rows->store;
    uint32_t i;

    if (s == NULL)
        return NULL;
    if (s->many)
        return row_at(rows, rj_lines_from(&s->lines, dot));
    i = rj_few_at(&s->few, dot);
    return i < s->few.n ? row_of(rows, s->few.ref[i]) : NULL;
}

const struct rj_row *rj_rows_after(const struct rj_rows *rows, const struct rj_row *row)
{
    struct rj_dot dot = rj_row_dot(row);

    dot.seq++;
    return rj_rows_from(rows, dot);
}

bool rj_rows_few(const struct rj_rows *rows, const struct rj_row *ret[RJ_ROWS_FEW],
                 size_t *ret_n)
{
    const struct rj_row_store *s = rows->store;
    uint32_t i;

    *ret_n = s != NULL ? s->few.n : 0;
    for (i = 0; i < *ret_n; i++)
        ret[i] = row_of(rows, s->few.ref[i]);
    return s == NULL || !s->many;
}

struct rj_row_walk rj_row_walk_of(const struct rj_rows *rows, struct rj_span span)
{
    struct rj_row_walk w = {.rows = rows, .left = span};

    if (rows->store != NULL && rows->store->many)
        w.line = rj_lines_of(&rows->store->lines, span.origin);
    if (w.line == NULL)
        return w;
    w.at = rj_line_at(w.line, span.from >> RJ_PAGE_BITS);
    if (w.at < w.line->n && w.line->at[w.at].base == span.from >> RJ_PAGE_BITS)
        w.bit = (unsigned)(span.from & (((uint64_t)1 << RJ_PAGE_BITS) - 1));
    return w;
}

static const struct rj_row *walk_few(struct rj_row_walk *w)
{
    const struct rj_row *row =
        rj_rows_from(w->rows, (struct rj_dot){w->left.from, w->left.origin});

    if (row == NULL || row->origin != w->left.origin || rj_row_dot(row).seq > w->left.to)
        return NULL;
    w->left.from = rj_row_dot(row).seq + 1;
    return row;
}

const struct rj_row *rj_row_walk_next(struct rj_row_walk *w)
{
    if (w->line == NULL)
        return w->rows->store != NULL && !w->rows->store->many ? walk_few(w) : NULL;
    for (; w->at < w->line->n; w->at++, w->bit = 0) {
        const struct rj_entry *e = &w->line->at[w->at];

        w->bit = rj_entry_next(e, w->bit);
        if (w->bit == (unsigned)1 << RJ_PAGE_BITS)
            continue;
        if ((e->base << RJ_PAGE_BITS | w->bit) > w->left.to)
            break;
        return row_at(w->rows, *rj_entry_ref(e, w->bit++));
    }
    w->line = NULL;
    return NULL;
}

static enum rj_err entry_dots(const struct rj_entry *e, uint32_t origin,
                              struct rj_dots *d)
{
    unsigned i;

    for (i = 0; i < RJ_PAGE_WORDS; i++) {
        uint64_t word = e->live[i], base = (e->base * RJ_PAGE_WORDS + i) * 64;

        while (word != 0) {
            unsigned from = (unsigned)__builtin_ctzll(word);
            uint64_t rest = ~(word >> from);
            unsigned n = rest != 0 ? (unsigned)__builtin_ctzll(rest) : 64 - from;
            struct rj_span span = {base + from, base + from + n - 1, origin};

            if (rj_dots_append(d, span) != RJ_OK)
                return RJ_ENOMEM;
            word = from + n < 64 ? word >> (from + n) << (from + n) : 0;
        }
    }
    return RJ_OK;
}

enum rj_err rj_rows_dots(const struct rj_rows *rows, struct rj_dots *d)
{
    const struct rj_lines *lines = rows->store != NULL ? &rows->store->lines : NULL;
    const struct rj_few *few = rows->store != NULL ? &rows->store->few : NULL;
    enum rj_err err = RJ_OK;
    uint32_t i, j;

    for (i = 0; few != NULL && err == RJ_OK && i < few->n; i++) {
        struct rj_dot dot = rj_row_dot(row_of(rows, few->ref[i]));

        err = rj_dots_append(d, (struct rj_span){dot.seq, dot.seq, dot.origin});
    }
    for (i = 0; lines != NULL && i < lines->n; i++) {
        const struct rj_line *line = &lines->at[i];

        for (j = 0; err == RJ_OK && j < line->n; j++)
            err = entry_dots(&line->at[j], line->origin, d);
    }
    return err;
}

/* ---- by place */

const struct rj_row *rj_rows_at(const struct rj_rows *rows, struct rj_bytes prefix,
                                struct rj_bytes name)
{
    struct rj_row_store *s = rows->store;
    const uint32_t *slot;

    if (s == NULL)
        return NULL;
    if (!s->many)
        return row_at(rows, rj_few_place(&s->few, prefix, name));
    slot = rj_slots_find(&s->slots, rj_slots_hash(&s->slots, prefix, name), prefix, name);
    return slot != NULL ? row_of(rows, *slot) : NULL;
}

const struct rj_row *rj_row_next(const struct rj_rows *rows, const struct rj_row *row)
{
    return row_at(rows, row->next);
}

const struct rj_row *rj_rows_get(const struct rj_rows *rows, uint32_t ref)
{
    return row_at(rows, ref);
}

uint32_t rj_rows_ref(const struct rj_rows *rows, struct rj_dot dot)
{
    return find(rows->store, dot);
}

uint64_t rj_rows_expect(const struct rj_rows *rows, struct rj_bytes place)
{
    uint64_t hash;

    if (rows->store == NULL || !rows->store->many)
        return 0;
    hash = hash_of(rows, place);
    rj_slots_expect(&rows->store->slots, hash);
    return hash;
}

enum rj_err rj_rows_sort(const struct rj_rows *rows)
{
    return rows->store == NULL || !rows->store->many ||
                   rj_order_make(&rows->store->order, &rows->store->slots)
               ? RJ_OK
               : RJ_ENOMEM;
}

static const struct rj_row *if_under(const struct rj_row *row, struct rj_bytes prefix)
{
    return row != NULL && rj_bytes_starts_with(rj_row_place(row), prefix) ? row : NULL;
}

/* Without an order: the first row of a place under prefix from this one on, by dot. */
static const struct rj_row *any_under(const struct rj_rows *rows,
                                      const struct rj_row *row, struct rj_bytes prefix)
{
    while (row != NULL && (if_under(row, prefix) == NULL ||
                           rj_rows_place(rows, rj_row_place(row)) != row))
        row = rj_rows_after(rows, row);
    return row;
}

const struct rj_row *rj_rows_under(const struct rj_rows *rows, struct rj_bytes prefix)
{
    struct rj_row_store *s = rows->store;

    if (s == NULL)
        return NULL;
    if (!s->many)
        return row_at(rows, rj_few_beside(&s->few, NULL, false, prefix));
    if (!s->order.made)
        return any_under(rows, rj_rows_from(rows, (struct rj_dot){0}), prefix);
    return if_under(row_at(rows, rj_order_from(&s->order, prefix)), prefix);
}

const struct rj_row *rj_place_next(const struct rj_rows *rows, const struct rj_row *first,
                                   struct rj_bytes prefix)
{
    struct rj_row_store *s = rows->store;

    if (!s->many)
        return row_at(rows, rj_few_beside(&s->few, first, false, prefix));
    if (!s->order.made)
        return any_under(rows, rj_rows_after(rows, first), prefix);
    return if_under(row_at(rows, rj_order_next(&s->order, first)), prefix);
}

const struct rj_row *rj_place_prev(const struct rj_rows *rows, const struct rj_row *first,
                                   struct rj_bytes prefix)
{
    struct rj_row_store *s = rows->store;

    if (!s->many)
        return row_at(rows, rj_few_beside(&s->few, first, true, prefix));
    if (!s->order.made)
        return NULL;
    return if_under(row_at(rows, rj_order_prev(&s->order, first)), prefix);
}

/* ---- putting in */

/* Counts a change; an order that nobody asks for goes. */
static void note_change(const struct rj_rows *rows)
{
    struct rj_row_store *s = rows->store;

    if (!rows->ordered && rj_order_rests(&s->order, s->slots.count))
        rj_order_done(&s->order);
}

/* Into the chain of its place, behind the first one there. */
static bool link_row(struct rj_rows *rows, uint64_t hash, uint32_t ref)
{
    struct rj_row_store *s = rows->store;
    struct rj_row *row = row_of(rows, ref);
    const uint32_t *slot = rj_slots_find(&s->slots, hash, none, rj_row_place(row));
    struct rj_row *first;

    if (slot != NULL) {
        if (!rj_slab_own(&s->slab, *slot))
            return false;
        first = row_of(rows, *slot);
        row_of(rows, ref)->next = first->next;
        first->next = ref;
        return true;
    }
    if (s->order.made && !rj_order_put(&s->order, ref))
        return false;
    if (rj_slots_put(&s->slots, hash, ref))
        return true;
    if (s->order.made)
        rj_order_change(&s->order, row, 0);
    return false;
}

static bool put_many(struct rj_rows *rows, const struct rj_told *told, uint32_t ref)
{
    uint64_t hash = told->hash != 0 ? told->hash : hash_of(rows, told->place);

    if (!rj_lines_put(&rows->store->lines, told->dot, ref))
        return false;
    if (link_row(rows, hash, ref)) {
        note_change(rows);
        return true;
    }
    rj_lines_remove(&rows->store->lines, told->dot);
    return false;
}

/* Rows become too many to be looked through. */
static bool make_many(struct rj_rows *rows)
{
    struct rj_row_store *s = rows->store;
    bool done = true;
    uint32_t i;

    for (i = 0; done && i < s->few.n; i++) {
        const struct rj_row *row = row_of(rows, s->few.ref[i]);
        struct rj_bytes place = rj_row_place(row);

        done = rj_lines_put(&s->lines, rj_row_dot(row), s->few.ref[i]) &&
               (rj_few_place(&s->few, none, place) != s->few.ref[i] ||
                rj_slots_put(&s->slots, hash_of(rows, place), s->few.ref[i]));
    }
    if (done && (!rows->ordered || rj_order_make(&s->order, &s->slots))) {
        s->many = true;
        s->few.n = 0;
        return true;
    }
    rj_lines_done(&s->lines);
    rj_slots_done(&s->slots);
    return false;
}

/* A piece of the slab that holds that row; 0: no memory. */
static uint32_t write_row(struct rj_rows *rows, const struct rj_told *told)
{
    size_t n = told->place.len, m = told->payload.len;
    bool is_long = n >= RJ_ROW_LONG || m >= RJ_ROW_LONG;
    uint32_t ref = rj_slab_new(&rows->store->slab, size_of(n, m));
    uint32_t lens[2] = {(uint32_t)n, (uint32_t)m};
    struct rj_row *row;
    uint8_t *bytes;

    if (ref == 0)
        return 0;
    row = row_of(rows, ref);
    *row =
        (struct rj_row){.seq = {(uint32_t)told->dot.seq, (uint32_t)(told->dot.seq >> 32)},
                        .origin = (uint16_t)told->dot.origin,
                        .place_len = is_long ? RJ_ROW_LONG : (uint8_t)n,
                        .payload_len = (uint8_t)m};
    bytes = (uint8_t *)(row + 1);
    if (is_long) {
        memcpy(bytes, lens, sizeof(lens));
        bytes += sizeof(lens);
    }
    if (n > 0)
        memcpy(bytes, told->place.ptr, n);
    if (m > 0)
        memcpy(bytes + n, told->payload.ptr, m);
    return ref;
}

static void free_row(struct rj_rows *rows, uint32_t ref)
{
    const struct rj_row *row = row_of(rows, ref);

    rj_slab_free(&rows->store->slab, ref,
                 size_of(rj_row_place(row).len, rj_row_payload(row).len));
}

enum rj_err rj_rows_put(struct rj_rows *rows, const struct rj_told *told,
                        uint32_t *ret_ref)
{
    struct rj_row_store *s = rows->store;
    uint32_t ref;

    if (s == NULL && !make_store(rows))
        return RJ_ENOMEM;
    s = rows->store;
    if (!s->many && s->few.n == RJ_ROWS_FEW && !make_many(rows))
        return RJ_ENOMEM;
    ref = write_row(rows, told);
    if (ref == 0)
        return RJ_ENOMEM;
    if (!(s->many ? put_many(rows, told, ref) : rj_few_put(&s->few, ref))) {
        free_row(rows, ref);
        return RJ_ENOMEM;
    }
    if (ret_ref != NULL)
        *ret_ref = ref;
    return RJ_OK;
}

/* ---- taking out */

enum rj_err rj_rows_own(struct rj_rows *rows, struct rj_dot dot)
{
    struct rj_row_store *s = rows->store;
    const uint32_t *slot;
    uint64_t hash;
    uint32_t ref;

    if (!s->shared)
        return RJ_OK;
    if (!s->many)
        return rj_few_own(&s->few) ? RJ_OK : RJ_ENOMEM;
    ref = rj_lines_find(&s->lines, dot);
    hash = hash_of(rows, rj_row_place(row_of(rows, ref)));
    slot = rj_slots_find(&s->slots, hash, none, rj_row_place(row_of(rows, ref)));
    if (s->order.made && !rj_order_own(&s->order, row_of(rows, *slot)))
        return RJ_ENOMEM;
    for (ref = *slot; ref != 0; ref = row_of(rows, ref)->next) {
        if (!rj_slab_own(&s->slab, ref) ||
            !rj_lines_own(&s->lines, rj_row_dot(row_of(rows, ref))))
            return RJ_ENOMEM;
    }
    return rj_slots_own(&s->slots, hash) ? RJ_OK : RJ_ENOMEM;
}

/* Takes all marked rows out of the chain that has this one; they hang on themselves then.
 */
static void sweep(struct rj_rows *rows, const struct rj_row *marked, uint64_t hash)
{
    struct rj_row_store *s = rows->store;
    struct rj_bytes place = rj_row_place(marked);
    uint32_t *slot = rj_slots_find(&s->slots, hash, none, place);
    uint32_t old = *slot, ref = old, first = 0, next;
    struct rj_row *row, *last = NULL;

    for (; ref != 0; ref = next) {
        row = row_of(rows, ref);
        next = row->next;
        if ((row->seq[1] & MARK) != 0) {
            row->next = ref;
            continue;
        }
        if (last == NULL)
            first = ref;
        else if (last->next != ref)
            last->next = ref;
        last = row;
    }
    if (last != NULL && last->next != 0)
        last->next = 0;
    if (first == old)
        return;
    if (s->order.made)
        rj_order_change(&s->order, row_of(rows, old), first);
    if (first != 0)
        *slot = first;
    else
        rj_slots_remove(&s->slots, hash, slot);
}

/* hash: of its place; 0: not known. */
static void take_out(struct rj_rows *rows, uint32_t ref, uint64_t hash)
{
    struct rj_row *row = row_of(rows, ref);

    if (row->next != ref)
        sweep(rows, row, hash != 0 ? hash : hash_of(rows, rj_row_place(row)));
    row->seq[1] &= ~MARK;
    rj_lines_remove(&rows->store->lines, rj_row_dot(row));
    free_row(rows, ref);
    note_change(rows);
}

static void take_out_few(struct rj_rows *rows, const uint32_t *refs, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        rj_few_remove(&rows->store->few, refs[i]);
        free_row(rows, refs[i]);
    }
}

void rj_rows_drop_all(struct rj_rows *rows, const uint32_t *refs, size_t n)
{
    uint64_t hashes[AHEAD] = {0}, hash;
    size_t i;

    if (n > 0 && !rows->store->many) {
        take_out_few(rows, refs, n);
        return;
    }
    for (i = 0; i < n; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(row_of(rows, refs[i + AHEAD]));
        row_of(rows, refs[i])->seq[1] |= MARK;
    }
    for (i = 0; i < n; i++) {
        hash = hashes[i % AHEAD];
        if (i + AHEAD < n)
            hashes[i % AHEAD] =
                rj_rows_expect(rows, rj_row_place(row_of(rows, refs[i + AHEAD])));
        take_out(rows, refs[i], hash);
    }
}

void rj_rows_drop(struct rj_rows *rows, const struct rj_row *row)
{
    uint32_t ref = find(rows->store, rj_row_dot(row));

    rj_rows_drop_all(rows, &ref, 1);
}

/* ---- giving back */

static void move_all(struct rj_rows *rows)
{
    struct rj_rows fresh = *rows;
    const struct rj_row *row;
    enum rj_err err = RJ_OK;

    fresh.store = NULL;
    for (row = rj_rows_from(rows, (struct rj_dot){0}); err == RJ_OK && row != NULL;
         row = rj_rows_after(rows, row)) {
        struct rj_told told = rj_row_tell(row);

        err = rj_rows_put(&fresh, &told, NULL);
    }
    if (err != RJ_OK) { /* another time */
        rj_rows_done(&fresh);
        return;
    }
    rj_rows_done(rows);
    *rows = fresh;
}

void rj_rows_settle(struct rj_rows *rows)
{
    const struct rj_row_store *s = rows->store;

    if (s != NULL && rj_slab_is_wasteful(&s->slab))
        move_all(rows);
}
