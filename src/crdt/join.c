/* SPDX-License-Identifier: Apache-2.0 */
/* The one join, of states and deltas alike. A row that only one side has stays iff the
 * other side has not seen its dot; contexts are united. All memory is found first; after
 * that nothing can fail, so a join that fails changes nothing. (Runs of sequences are
 * taken few together, each with its dots: crdt/seq_join.c.)
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 5. */
#include "crdt/code.h"
#include "crdt/forget.h"
#include "crdt/seq.h"

enum {
    SMALL = 4,
    AHEAD = 8,
    UNDO_MIN = 1024,
    UNDO_PARTS = 16 /* a chain of rows is swept that often at most */
};

struct joining {
    struct rj_crdt *v;
    const struct rj_crdt *other;
    uint32_t *map;            /* other's index -> v's; NULL: they share their names */
    struct rj_dots seen;      /* both; empty: little or nothing is added to v's */
    bool has_news, is_small;  /* something is; it is little */
    struct rj_missing gone;   /* rows that they have seen and do not have */
    struct rj_dots struck;    /* rows that other's held removals are about */
    struct rj_crdt *held_out; /* both sides', without what was seen */
    struct rj_crdt_report report;
    bool has_noted;                /* v is watched, and this join noted something */
    bool has_more;                 /* the next two mean something */
    struct rj_forgotten forgotten; /* by a horizon */
    struct rj_heirs heirs;         /* of both; empty: neither has any */
};

/* What few joins need is left as it is. */
static void begin(struct joining *j, struct rj_crdt *v, const struct rj_crdt *other)
{
    j->v = v;
    j->other = other;
    j->map = NULL;
    j->seen = j->struck = (struct rj_dots){.allocator = v->allocator};
    j->has_news = j->is_small = j->has_noted = j->has_more = false;
    rj_refs_init(&j->gone.rows, v->allocator);
    j->gone.n_both = 0;
    j->held_out = NULL;
    j->report = (struct rj_crdt_report){.size = sizeof(j->report)};
}

/* ---- finding memory */

static enum rj_err map_names(struct joining *j)
{
    const struct rj_roster *theirs = j->other->names;
    enum rj_err err = RJ_OK;
    uint32_t i;

    if (theirs == j->v->names || theirs->n == 0)
        return RJ_OK;
    j->map = rj_mem_new(j->v->allocator, theirs->n * sizeof(*j->map));
    if (j->map == NULL)
        return RJ_ENOMEM;
    for (i = 0; err == RJ_OK && i < theirs->n; i++)
        err = rj_roster_add(j->v->names, rj_roster_get(theirs, i), &j->map[i]);
    return err;
}

static struct rj_dot map_dot(const struct joining *j, struct rj_dot dot)
{
    if (j->map != NULL)
        dot.origin = j->map[dot.origin];
    return dot;
}

static bool has_held(const struct rj_crdt *v)
{
    return v->n_held > 0 || v->n_held_told > 0;
}

/* v has seen all that other has. */
static bool is_seen(const struct joining *j)
{
    struct rj_dots_walk w = rj_dots_walk_of(&j->other->seen), mine;
    struct rj_span span, there = {.origin = RJ_NAME_NONE};
    bool found = false;

    while (rj_dots_next(&w, &span)) {
        span.origin = map_dot(j, (struct rj_dot){.origin = span.origin}).origin;
        if (!found || there.origin != span.origin) {
            if (span.to > rj_dots_last(&j->v->seen, span.origin))
                return false;
            mine = rj_dots_walk_from(&j->v->seen, span.origin, span.from);
            found = rj_dots_next(&mine, &there);
        }
        while (found && there.origin == span.origin && there.to < span.from)
            found = rj_dots_next(&mine, &there);
        if (!found || there.origin != span.origin || there.from > span.from ||
            there.to < span.to)
            return false;
    }
    return true;
}

/* Of sequences only the limit is looked at. */
static enum rj_err unite_seen(struct joining *j)
{
    struct rj_crdt *v = j->v;
    size_t n = rj_dots_spans(&j->other->seen);
    bool is_runs = v->type->elements != NULL;
    enum rj_err err;

    if (is_runs && n <= RJ_CRDT_SPANS_MAX - rj_dots_spans(&v->seen))
        return RJ_OK;
    j->has_news = !is_seen(j);
    if (!j->has_news)
        return RJ_OK;
    j->is_small = n <= SMALL && rj_dots_spans(&v->seen) < RJ_CRDT_SPANS_MAX - SMALL &&
                  !has_held(v) && !has_held(j->other);
    if (j->is_small)
        return rj_dots_reserve(&v->seen, n);
    err = rj_dots_map_union(&j->seen, &v->seen, &j->other->seen, j->map);
    if (err == RJ_OK && rj_dots_spans(&j->seen) > RJ_CRDT_SPANS_MAX)
        err = RJ_ELIMIT;
    if (is_runs) {
        rj_dots_done(&j->seen);
        j->has_news = false;
    }
    return err;
}

/* Rows of a message are told apart by their dots alone. */
static struct rj_there there_of(const struct joining *j, uint32_t origin)
{
    const struct rj_crdt *other = j->other;

    return (struct rj_there){.rows = other->is_view ? NULL : &other->rows,
                             .dots = &other->columns.dots,
                             .origin = origin};
}

/* What they know of a row of v. */
enum fate { RJ_UNSEEN, RJ_THERE, RJ_GONE };

static enum fate fate_of(const struct joining *j, const struct rj_row *row)
{
    const struct rj_crdt *other = j->other;
    struct rj_dot dot = rj_row_dot(row);

    if (j->map != NULL)
        dot.origin = rj_roster_find(other->names, rj_roster_get(j->v->names, dot.origin));
    if (dot.origin == RJ_NAME_NONE || !rj_dots_has(&other->seen, dot))
        return RJ_UNSEEN;
    return rj_rows_told_has(other, dot) ? RJ_THERE : RJ_GONE;
}

/* A horizon takes it away. */
static bool is_spent(const struct joining *j, struct rj_dot dot)
{
    return j->has_more && rj_dots_has(&j->forgotten.spent, dot);
}

/* A row has come in at a place where not all stay. True: it stays. */
static enum rj_err contend(struct joining *j, const struct rj_row *row, bool *ret_stays)
{
    const struct rj_rows *rows = &j->v->rows;
    const struct rj_type *type;
    enum rj_contest contest = rj_place_contest(j->v, rj_row_place(row), &type);
    const struct rj_row *other =
        contest != RJ_CONTEST_NONE ? rj_rows_place(rows, rj_row_place(row)) : NULL;
    enum rj_err err = RJ_OK;

    *ret_stays = true;
    for (; err == RJ_OK && other != NULL; other = rj_row_next(rows, other)) {
        bool own = contest == RJ_CONTEST_OWN;
        enum fate fate;

        if (other == row || (own && other->origin != row->origin) ||
            is_spent(j, rj_row_dot(other)))
            continue;
        fate = fate_of(j, other);
        if (fate == RJ_THERE)
            return RJ_ECORRUPT; /* one of them would have gone there */
        if (fate == RJ_GONE)
            continue;
        if (own ? rj_row_dot(other).seq > rj_row_dot(row).seq
                : type->beats(j->v, other, row))
            *ret_stays = false;
        else if (own || type->beats(j->v, row, other))
            err = rj_refs_add(&j->gone.rows, rj_rows_ref(rows, rj_row_dot(other)));
    }
    return err;
}

/* What of theirs v has not seen, numbered as theirs. */
static enum rj_err find_unseen(const struct joining *j, struct rj_dots *ret)
{
    struct rj_dots_walk w = rj_dots_walk_of(&j->other->seen);
    struct rj_span span, s;

    while (rj_dots_next(&w, &span)) {
        uint32_t mine = map_dot(j, (struct rj_dot){.origin = span.origin}).origin;
        struct rj_dots_walk known = rj_dots_walk_from(&j->v->seen, mine, span.from);

        while (span.from <= span.to) {
            bool found = rj_dots_next(&known, &s) && s.origin == mine;
            struct rj_span rest = span;

            if (found && s.from <= rest.to)
                rest.to = s.from - 1;
            if (rest.to >= rest.from && rj_dots_append(ret, rest) != RJ_OK)
                return RJ_ENOMEM;
            if (!found || s.to >= span.to)
                break;
            span.from = s.to + 1;
        }
    }
    return RJ_OK;
}

/* Takes a row that v has not seen, for as long as the join does not fail. */
static enum rj_err take(struct joining *j, const struct rj_told *told)
{
    struct rj_crdt *v = j->v;
    bool stays = false;
    uint32_t ref;
    enum rj_err err;

    if (rj_held_covers(v, told->place, told->dot) || is_spent(j, told->dot))
        return RJ_OK;
    if (v->rules.check != 0 && !rj_read_is_allowed(v, told)) {
        j->report.refused++;
        return RJ_OK;
    }
    err = rj_rows_put(&v->rows, told, &ref);
    if (err != RJ_OK)
        return err;
    j->report.taken++;
    err = contend(j, rj_rows_get(&v->rows, ref), &stays);
    if (err == RJ_OK && !stays) {
        j->report.dropped++;
        rj_rows_drop_all(&v->rows, &ref, 1);
    }
    return err;
}

/* Takes those rows of other. */
static enum rj_err take_all(struct joining *j, const struct rj_refs *refs)
{
    const struct rj_rows *from = &j->other->rows, *to = &j->v->rows;
    enum rj_err err = RJ_OK;
    uint64_t hashes[AHEAD] = {0};
    size_t i, begun = 1;

    for (i = 0; err == RJ_OK && i < refs->n; i++) {
        struct rj_told told = rj_row_tell(rj_rows_get(from, refs->at[i]));

        if (i + (size_t)2 * AHEAD < refs->n)
            __builtin_prefetch(rj_rows_get(from, refs->at[i + (size_t)2 * AHEAD]));
        told.dot = map_dot(j, told.dot);
        told.hash = hashes[i % AHEAD];
        for (; begun < refs->n && begun <= i + AHEAD; begun++)
            hashes[begun % AHEAD] =
                rj_rows_expect(to, rj_row_place(rj_rows_get(from, refs->at[begun])));
        err = take(j, &told);
    }
    return err;
}

/* Of the rows of a value those that v has not seen, found by their dots alone. */
static enum rj_err take_rows(struct joining *j)
{
    const struct rj_rows *rows = &j->other->rows;
    const struct rj_dots none = {0};
    struct rj_missing fresh = {.n_both = 0};
    struct rj_dots unseen = {.allocator = j->v->allocator};
    enum rj_err err = find_unseen(j, &unseen);
    struct rj_dots_walk w = rj_dots_walk_of(&unseen);
    struct rj_span span;

    rj_refs_init(&fresh.rows, j->v->allocator);
    while (err == RJ_OK && rj_dots_next(&w, &span)) {
        struct rj_there there = {.dots = &none};

        err = rj_rows_missing(rows, span, &there, &fresh);
    }
    j->report.known = j->gone.n_both;
    j->report.stale = rj_rows_count(rows) - j->gone.n_both - fresh.rows.n;
    if (err == RJ_OK)
        err = take_all(j, &fresh.rows);
    rj_refs_done(&fresh.rows);
    rj_dots_done(&unseen);
    return err;
}

/* Two rows with one dot are one row; whose maker breaks that is not believed. */
static bool is_same(const struct rj_told *a, const struct rj_row *b)
{
    return rj_bytes_equal(a->place, rj_row_place(b)) &&
           rj_bytes_equal(a->payload, rj_row_payload(b));
}

/* A row of theirs: it is here, or was, or comes in. */
static enum rj_err take_one(struct joining *j, struct rj_told *told)
{
    const struct rj_row *mine;

    told->dot = map_dot(j, told->dot);
    if (!rj_dots_has(&j->v->seen, told->dot))
        return take(j, told);
    mine = rj_rows_find(&j->v->rows, told->dot);
    if (mine == NULL) {
        j->report.stale++;
        return RJ_OK;
    }
    j->report.known++;
    return is_same(told, mine) ? RJ_OK : RJ_ECORRUPT;
}

/* The rows of a delta. */
static enum rj_err take_few(struct joining *j, const struct rj_row *const *rows, size_t n)
{
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < n; i++) {
        struct rj_told told = rj_row_tell(rows[i]);

        err = take_one(j, &told);
    }
    return err;
}

/* The rows of a message. */
static enum rj_err take_columns(struct joining *j)
{
    struct rj_crdt *v = j->v;
    struct rj_row_columns_reader ahead = rj_row_columns_of(&j->other->columns), r = ahead;
    uint64_t hashes[AHEAD] = {0};
    struct rj_told told, later;
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; i < AHEAD && rj_row_columns_next(&ahead, &later); i++)
        hashes[i] = rj_rows_expect(&v->rows, later.place);
    for (i = 0; err == RJ_OK && rj_row_columns_next(&r, &told); i++) {
        told.hash = hashes[i % AHEAD];
        if (rj_row_columns_next(&ahead, &later))
            hashes[i % AHEAD] = rj_rows_expect(&v->rows, later.place);
        err = take_one(j, &told);
    }
    return err;
}

static enum rj_err take_theirs(struct joining *j)
{
    const struct rj_row *few[RJ_ROWS_FEW];
    size_t n;

    if (j->other->is_view)
        return take_columns(j);
    return rj_rows_few(&j->other->rows, few, &n) ? take_few(j, few, n) : take_rows(j);
}

/* Finds the rows that they have seen and do not have. Of what v has not seen it has no
 * row. */
static enum rj_err find_gone(struct joining *j)
{
    struct rj_dots_walk w = rj_dots_walk_of(&j->other->seen);
    struct rj_span span;
    uint32_t origin = RJ_NAME_NONE;
    uint64_t last = 0;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && rj_dots_next(&w, &span)) {
        struct rj_there there = there_of(j, span.origin);

        span.origin = map_dot(j, (struct rj_dot){.origin = span.origin}).origin;
        if (origin != span.origin)
            last = rj_dots_last(&j->v->seen, origin = span.origin);
        if (span.from <= last)
            err = rj_rows_missing(&j->v->rows, span, &there, &j->gone);
    }
    return err;
}

/* Notes the rows of v that a held removal is about. */
static enum rj_err strike(struct joining *j, const struct rj_held_told *h)
{
    const struct rj_rows *rows = &j->v->rows;
    const struct rj_row *place =
        h->under ? rj_rows_under(rows, h->place) : rj_rows_place(rows, h->place);
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && place != NULL) {
        const struct rj_row *row =
            rj_place_dies(j->v, rj_row_place(place)) ? place : NULL;

        for (; err == RJ_OK && row != NULL; row = rj_row_next(rows, row)) {
            if (rj_dots_has(h->dots, rj_row_dot(row)))
                err = rj_dots_note(&j->struck, rj_row_dot(row));
        }
        place = h->under ? rj_place_next(rows, place, h->place) : NULL;
    }
    return err;
}

/* v waits for those dots there already. */
static bool waits(const struct rj_crdt *v, const struct rj_held_told *h,
                  const struct rj_dots *dots)
{
    const struct rj_held *there = rj_held_find(v, h->place, h->under);

    return dots->n == 0 || (there != NULL && rj_dots_within(dots, &there->dots));
}

/* Strikes rows; counts in *ret_news what v does not wait for yet. */
static enum rj_err look_at_held(struct joining *j, bool *ret_news)
{
    const struct rj_dots *seen = j->has_news ? &j->seen : &j->v->seen;
    struct rj_held_told h = rj_held_told_of(j->other, j->v->allocator);
    struct rj_dots rest = {.allocator = j->v->allocator};
    enum rj_err err = RJ_OK;

    while (rj_held_told_next(&h, j->map, &err)) {
        err = strike(j, &h);
        if (err == RJ_OK)
            err = rj_dots_minus(&rest, h.dots, seen);
        if (err == RJ_OK && !waits(j->v, &h, &rest))
            *ret_news = true;
    }
    rj_dots_done(&h.own);
    rj_dots_done(&rest);
    return err;
}

/* Both sides' without what is seen. */
static enum rj_err unite_held(struct joining *j)
{
    const struct rj_dots *seen = j->has_news ? &j->seen : &j->v->seen;
    struct rj_held_told h = rj_held_told_of(j->other, j->v->allocator);
    struct rj_dots rest = {.allocator = j->v->allocator};
    enum rj_err err = RJ_OK;
    size_t i;

    while (rj_held_told_next(&h, j->map, &err)) {
        err = rj_dots_minus(&rest, h.dots, seen);
        if (err == RJ_OK)
            err = rj_held_take(j->held_out, h.place, h.under, &rest);
    }
    for (i = 0; err == RJ_OK && i < j->v->n_held; i++) {
        const struct rj_held *mine = &j->v->held[i];

        err = rj_dots_minus(&rest, &mine->dots, seen);
        if (err == RJ_OK)
            err = rj_held_take(j->held_out, rj_held_place(mine), mine->under, &rest);
    }
    rj_dots_done(&h.own);
    rj_dots_done(&rest);
    return err;
}

static enum rj_err join_held(struct joining *j)
{
    bool has_news = j->has_news;
    enum rj_err err;

    if (!has_held(j->v) && !has_held(j->other))
        return RJ_OK;
    err = look_at_held(j, &has_news);
    if (err != RJ_OK || !has_news)
        return err;
    j->held_out = rj_crdt_blank(j->v);
    return j->held_out != NULL ? unite_held(j) : RJ_ENOMEM;
}

static void drop(struct joining *j, const struct rj_row *row)
{
    rj_rows_drop(&j->v->rows, row);
    j->report.dropped++;
}

/* Drops what of dots is still here; own: makes sure that it can be. */
static enum rj_err drop_dots(struct joining *j, const struct rj_dots *dots, bool own)
{
    struct rj_rows *rows = &j->v->rows;
    struct rj_dots_walk w = rj_dots_walk_of(dots);
    struct rj_span span;
    enum rj_err err = RJ_OK;

    while (rj_dots_next(&w, &span)) {
        struct rj_row_walk walk = rj_row_walk_of(rows, span);
        const struct rj_row *row = rj_row_walk_next(&walk), *next;

        for (; err == RJ_OK && row != NULL; row = next) {
            next = rj_row_walk_next(&walk);
            if (own)
                err = rj_rows_own(rows, rj_row_dot(row));
            else
                drop(j, row);
        }
    }
    return err;
}

/* What will be dropped is v's own, not shared with a fork. */
static enum rj_err own(struct joining *j)
{
    struct rj_rows *rows = &j->v->rows;
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < j->gone.rows.n; i++)
        err = rj_rows_own(rows, rj_row_dot(rj_rows_get(rows, j->gone.rows.at[i])));
    if (err == RJ_OK && j->has_more)
        err = drop_dots(j, &j->forgotten.spent, true);
    return err == RJ_OK ? drop_dots(j, &j->struck, true) : err;
}

/* Horizons, heirs and who watches: most values have none of them. */
static enum rj_err prepare_more(struct joining *j)
{
    struct rj_crdt *v = j->v;
    enum rj_err err;

    if (v->watch == NULL && !rj_crdt_has_more(v) && !rj_crdt_has_more(j->other))
        return RJ_OK;
    j->has_more = true;
    j->forgotten = (struct rj_forgotten){.spent.allocator = v->allocator};
    j->heirs = (struct rj_heirs){.allocator = v->allocator};
    err = rj_horizon_join(v, j->other, j->map, &j->forgotten);
    if (err == RJ_OK)
        err = rj_heirs_join(&j->heirs, v->names, &v->heirs, NULL);
    if (err == RJ_OK)
        err = rj_heirs_join(&j->heirs, v->names, &j->other->heirs, j->map);
    j->has_noted = err == RJ_OK;
    if (err == RJ_OK)
        err = rj_watch_join(v, j->other, j->map, &j->forgotten.spent);
    return err;
}

static enum rj_err prepare(struct joining *j)
{
    enum rj_err err = map_names(j);

    if (err == RJ_OK)
        err = unite_seen(j);
    if (err == RJ_OK)
        err = prepare_more(j);
    if (err == RJ_OK)
        err = find_gone(j);
    if (err == RJ_OK)
        err = take_theirs(j);
    if (err == RJ_OK)
        err = join_held(j);
    return err == RJ_OK && rj_rows_is_shared(&j->v->rows) ? own(j) : err;
}

/* ---- changing */

static void commit_more(struct joining *j)
{
    struct rj_crdt *v = j->v;

    if (j->forgotten.horizon.n > 0) {
        rj_dots_done(&v->horizon);
        v->horizon = j->forgotten.horizon;
        j->forgotten.horizon = (struct rj_dots){0};
    }
    if (j->heirs.n > 0) {
        rj_heirs_done(&v->heirs);
        v->heirs = j->heirs;
        j->heirs = (struct rj_heirs){0};
    }
}

/* There is room. The next dot of who wrote last makes its span longer: looked at first,
 * and field by field, for a copy that is put together now would wait for all that was
 * written before. */
static void see(struct rj_dots *seen, const struct rj_span *span)
{
    struct rj_span *last = seen->n > 0 ? &seen->spans[seen->n - 1] : NULL;

    if (last != NULL && last->origin == span->origin && last->to + 1 == span->from)
        last->to = span->to;
    else
        (void)!rj_dots_add(seen, *span);
}

static void commit(struct joining *j)
{
    struct rj_dots_walk w = rj_dots_walk_of(&j->other->seen);
    struct rj_span span;
    struct rj_crdt *v = j->v;

    rj_rows_drop_all(&v->rows, j->gone.rows.at, j->gone.rows.n);
    j->report.dropped += j->gone.rows.n;
    if (j->has_more)
        (void)!drop_dots(j, &j->forgotten.spent, false);
    if (j->struck.n > 0)
        (void)!drop_dots(j, &j->struck, false);
    rj_rows_settle(&v->rows);
    if (j->is_small && j->has_news) {
        while (rj_dots_next(&w, &span)) {
            span.origin = map_dot(j, (struct rj_dot){.origin = span.origin}).origin;
            see(&v->seen, &span);
        }
    } else if (j->has_news) {
        rj_dots_done(&v->seen);
        v->seen = j->seen;
        j->seen = (struct rj_dots){.allocator = v->allocator};
    }
    if (j->has_more)
        commit_more(j);
    if (j->held_out != NULL) {
        struct rj_crdt old = *v;

        v->held = j->held_out->held;
        v->n_held = j->held_out->n_held;
        v->cap_held = j->held_out->cap_held;
        j->held_out->held = old.held;
        j->held_out->n_held = old.n_held;
        j->held_out->cap_held = old.cap_held;
    }
}

/* Lists a row of other's if it has come to v: it is here, and its dot not seen. */
static enum rj_err undo_one(struct joining *j, struct rj_dot dot, struct rj_refs *room)
{
    dot = map_dot(j, dot);
    if (rj_dots_has(&j->v->seen, dot) || rj_rows_find(&j->v->rows, dot) == NULL)
        return RJ_OK;
    return rj_refs_add(room, rj_rows_ref(&j->v->rows, dot));
}

/* Takes out again what came in, many rows together, without memory fewer. */
static void undo(struct joining *j)
{
    struct rj_rows *rows = &j->v->rows;
    struct rj_rows_told r = rj_rows_told_of(j->other);
    struct rj_refs room;
    size_t most = UNDO_MIN + (size_t)j->report.taken / UNDO_PARTS;
    struct rj_told told;

    rj_refs_init(&room, j->v->allocator);
    while (rj_rows_told_next(&r, &told)) {
        if (room.n == most || undo_one(j, told.dot, &room) != RJ_OK) {
            rj_rows_drop_all(rows, room.at, room.n);
            room.n = 0;
            (void)!undo_one(j, told.dot, &room); /* there is room again */
        }
    }
    rj_rows_drop_all(rows, room.at, room.n);
    rj_refs_done(&room);
}

enum rj_err rj_crdt_join(struct rj_crdt *v, const struct rj_crdt *other,
                         struct rj_crdt_report *ret_report)
{
    struct joining j;
    uint32_t n_names = v->names->n;
    enum rj_err err;

    if (v->type != other->type)
        return RJ_ETYPE;
    if (v->fingerprint != other->fingerprint)
        return RJ_EUPGRADE;
    if (v == other)
        return RJ_OK;
    begin(&j, v, other);
    err = prepare(&j);
    if (err == RJ_OK && v->type->elements != NULL)
        err = rj_seq_join(v, other, j.map, &j.report);
    if (err == RJ_OK) {
        commit(&j);
        if (ret_report != NULL)
            *ret_report = j.report;
    }
    if (err != RJ_OK && j.report.taken > 0 && v->type->elements == NULL) {
        undo(&j);
        j.report.taken = 0;
    }
    if (err != RJ_OK && j.has_noted)
        rj_watch_undo(v);
    rj_mem_free(v->allocator, j.map,
                j.map != NULL ? other->names->n * sizeof(*j.map) : 0);
    rj_dots_done(&j.seen);
    rj_refs_done(&j.gone.rows);
    if (j.has_more) {
        rj_dots_done(&j.forgotten.spent);
        rj_dots_done(&j.forgotten.horizon);
        rj_heirs_done(&j.heirs);
    }
    rj_dots_done(&j.struck);
    rj_crdt_free(j.held_out);
    if (err != RJ_OK && j.report.taken == 0) /* else its runs need the names */
        rj_roster_cut(v->names, n_names);
    return err;
}
