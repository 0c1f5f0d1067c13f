/* SPDX-License-Identifier: Apache-2.0 */
/* The one join, of states and deltas alike. A row that only one side has stays iff the
 * other side has not seen its dot; contexts are united. All memory is found first; after
 * that nothing can fail, so a join that fails changes nothing.
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", section 5. */
#include "crdt/code.h"
#include "crdt/forget.h"
#include "crdt/seq.h"

enum { SMALL = 4, AHEAD = 8 };

struct joining {
    struct rj_crdt *v;
    const struct rj_crdt *other;
    uint32_t *map;       /* other's index -> v's; NULL: they share their names */
    struct rj_dots seen; /* both; of a small delta only what is new */
    bool is_small;
    struct rj_refs taken;     /* rows that came in */
    struct rj_missing gone;   /* rows that they have seen and do not have */
    struct rj_crdt *held_in;  /* holds other's held removals, numbered as in v */
    struct rj_crdt *held_out; /* both sides', without what was seen */
    struct rj_crdt_report report;
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
    j->seen = (struct rj_dots){.allocator = v->allocator};
    rj_refs_init(&j->taken, v->allocator);
    rj_refs_init(&j->gone.rows, v->allocator);
    j->gone.n_both = 0;
    j->held_in = j->held_out = NULL;
    j->report = (struct rj_crdt_report){.size = sizeof(j->report)};
    j->has_more = false;
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

static enum rj_err unite_seen(struct joining *j)
{
    struct rj_crdt *v = j->v;
    struct rj_dots theirs = {.allocator = v->allocator};
    enum rj_err err;

    j->is_small = j->other->seen.n <= SMALL && v->seen.n < RJ_CRDT_SPANS_MAX - SMALL &&
                  v->n_held == 0 && j->other->n_held == 0;
    if (j->is_small)
        return v->seen.cap - v->seen.n >= j->other->seen.n
                   ? RJ_OK
                   : rj_dots_reserve(&v->seen, v->seen.n + j->other->seen.n);
    err = rj_dots_map(&theirs, &j->other->seen, j->map);
    if (err == RJ_OK)
        err = rj_dots_union(&j->seen, &v->seen, &theirs);
    if (err == RJ_OK && j->seen.n > RJ_CRDT_SPANS_MAX)
        err = RJ_ELIMIT;
    rj_dots_done(&theirs);
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
    bool is_there;

    if (j->map != NULL)
        dot.origin = rj_roster_find(other->names, rj_roster_get(j->v->names, dot.origin));
    if (dot.origin == RJ_NAME_NONE || !rj_dots_has(&other->seen, dot))
        return RJ_UNSEEN;
    is_there = other->is_view ? rj_dots_has(&other->columns.dots, dot)
                              : rj_rows_find(&other->rows, dot) != NULL;
    return is_there ? RJ_THERE : RJ_GONE;
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
    size_t i;

    for (i = 0; i < j->other->seen.n; i++) {
        struct rj_span span = j->other->seen.spans[i];
        uint32_t mine = map_dot(j, (struct rj_dot){.origin = span.origin}).origin;
        size_t at = rj_dots_at(&j->v->seen, mine, span.from);

        for (; span.from <= span.to; at++) {
            const struct rj_span *s =
                at < j->v->seen.n && j->v->seen.spans[at].origin == mine
                    ? &j->v->seen.spans[at]
                    : NULL;
            struct rj_span rest = span;

            if (s != NULL && s->from <= rest.to)
                rest.to = s->from - 1;
            if (rest.to >= rest.from && rj_dots_append(ret, rest) != RJ_OK)
                return RJ_ENOMEM;
            if (s == NULL || s->to >= span.to)
                break;
            span.from = s->to + 1;
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

    if ((v->n_held > 0 && rj_held_covers(v, told->place, told->dot)) ||
        is_spent(j, told->dot))
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
    if (err == RJ_OK && stays)
        err = rj_refs_add(&j->taken, ref);
    if (err == RJ_OK && stays)
        return RJ_OK;
    j->report.dropped++;
    rj_rows_drop_all(&v->rows, &ref, 1);
    return err;
}

/* Takes those rows of other. */
static enum rj_err take_all(struct joining *j, const struct rj_refs *refs)
{
    const struct rj_rows *from = &j->other->rows, *to = &j->v->rows;
    enum rj_err err = RJ_OK;
    size_t i, begun = 0;

    for (i = 0; err == RJ_OK && i < refs->n; i++) {
        struct rj_told told;

        if (i + (size_t)2 * AHEAD < refs->n)
            __builtin_prefetch(rj_rows_get(from, refs->at[i + (size_t)2 * AHEAD]));
        for (; begun < refs->n && begun < i + AHEAD; begun++)
            rj_rows_expect(to, rj_row_place(rj_rows_get(from, refs->at[begun])));
        told = rj_row_tell(rj_rows_get(from, refs->at[i]));
        told.dot = map_dot(j, told.dot);
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
    size_t i;

    rj_refs_init(&fresh.rows, j->v->allocator);
    for (i = 0; err == RJ_OK && i < unseen.n; i++) {
        struct rj_there there = {.dots = &none};

        err = rj_rows_missing(rows, unseen.spans[i], &there, &fresh);
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
    struct rj_told told, later;
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; i < AHEAD && rj_row_columns_next(&ahead, &later); i++)
        rj_rows_expect(&v->rows, later.place);
    while (err == RJ_OK && rj_row_columns_next(&r, &told)) {
        if (rj_row_columns_next(&ahead, &later))
            rj_rows_expect(&v->rows, later.place);
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
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < j->other->seen.n; i++) {
        struct rj_span span = j->other->seen.spans[i];
        struct rj_there there = there_of(j, span.origin);

        span.origin = map_dot(j, (struct rj_dot){.origin = span.origin}).origin;
        if (span.from <= rj_dots_last(&j->v->seen, span.origin))
            err = rj_rows_missing(&j->v->rows, span, &there, &j->gone);
    }
    return err;
}

/* to gains from's held removals without the dots in `without`. */
static enum rj_err add_held(struct rj_crdt *to, const struct rj_crdt *from,
                            const uint32_t *map, const struct rj_dots *without)
{
    struct rj_dots mapped = {.allocator = to->allocator};
    struct rj_dots rest = {.allocator = to->allocator};
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < from->n_held; i++) {
        const struct rj_held *h = &from->held[i];

        err = rj_dots_map(&mapped, &h->dots, map);
        if (err == RJ_OK)
            err = rj_dots_minus(&rest, &mapped, without);
        if (err == RJ_OK)
            err = rj_held_add(to, rj_held_place(h), h->under, &rest);
    }
    rj_dots_done(&mapped);
    rj_dots_done(&rest);
    return err;
}

static enum rj_err join_held(struct joining *j)
{
    const struct rj_dots none = {0};
    enum rj_err err;

    if (j->v->n_held == 0 && j->other->n_held == 0)
        return RJ_OK;
    j->held_in = rj_crdt_blank(j->v);
    j->held_out = rj_crdt_blank(j->v);
    if (j->held_in == NULL || j->held_out == NULL)
        return RJ_ENOMEM;
    err = add_held(j->held_in, j->other, j->map, &none);
    if (err == RJ_OK)
        err = add_held(j->held_out, j->held_in, NULL, &j->seen);
    if (err == RJ_OK)
        err = add_held(j->held_out, j->v, NULL, &j->seen);
    return err;
}

static void drop(struct joining *j, const struct rj_row *row)
{
    rj_rows_drop(&j->v->rows, row);
    j->report.dropped++;
}

/* Drops what of ours their held removals are about; own: makes sure that it can be. */
static enum rj_err drop_held(struct joining *j, bool own)
{
    struct rj_rows *rows = &j->v->rows;
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; i < j->held_in->n_held; i++) {
        const struct rj_held *h = &j->held_in->held[i];
        struct rj_bytes at = rj_held_place(h);
        const struct rj_row *place =
            h->under ? rj_rows_under(rows, at) : rj_rows_place(rows, at);

        while (err == RJ_OK && place != NULL) {
            bool dies = rj_place_dies(j->v, rj_row_place(place));
            const struct rj_row *row = dies ? place : NULL, *next;

            if (own && dies)
                err = rj_rows_own(rows, rj_row_dot(place));
            place = h->under ? rj_place_next(rows, place, at) : NULL;
            for (; !own && row != NULL; row = next) {
                next = rj_row_next(rows, row);
                if (rj_dots_has(&h->dots, rj_row_dot(row)))
                    drop(j, row);
            }
        }
    }
    return err;
}

/* Drops what a horizon takes away and is still here; own: makes sure that it can be. */
static enum rj_err drop_spent(struct joining *j, bool own)
{
    struct rj_rows *rows = &j->v->rows;
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; i < j->forgotten.spent.n; i++) {
        struct rj_row_walk walk = rj_row_walk_of(rows, j->forgotten.spent.spans[i]);
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
        err = drop_spent(j, true);
    return err == RJ_OK && j->held_in != NULL ? drop_held(j, true) : err;
}

/* Horizons, heirs and who watches: most values have none of them. */
static enum rj_err prepare_more(struct joining *j)
{
    struct rj_crdt *v = j->v;
    struct rj_dots theirs = {.allocator = v->allocator};
    enum rj_err err;

    if (v->watch == NULL && !rj_crdt_has_more(v) && !rj_crdt_has_more(j->other))
        return RJ_OK;
    j->has_more = true;
    j->forgotten = (struct rj_forgotten){.spent.allocator = v->allocator};
    j->heirs = (struct rj_heirs){.allocator = v->allocator};
    err = rj_dots_map(&theirs, &j->other->seen, j->map);
    if (err == RJ_OK)
        err = rj_horizon_join(v, j->other, j->map, &theirs, &j->forgotten);
    if (err == RJ_OK)
        err = rj_heirs_join(&j->heirs, v->names, &v->heirs, NULL);
    if (err == RJ_OK)
        err = rj_heirs_join(&j->heirs, v->names, &j->other->heirs, j->map);
    if (err == RJ_OK)
        err = rj_watch_join(v, j->other, &theirs, &j->forgotten.spent);
    rj_dots_done(&theirs);
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
static void see(struct rj_dots *seen, uint64_t from, uint64_t to, uint32_t origin)
{
    struct rj_span *last = seen->n > 0 ? &seen->spans[seen->n - 1] : NULL;

    if (last != NULL && last->origin == origin && last->to + 1 == from)
        last->to = to;
    else
        (void)!rj_dots_add(seen, (struct rj_span){from, to, origin});
}

static void commit(struct joining *j)
{
    struct rj_crdt *v = j->v;
    size_t i;

    rj_rows_drop_all(&v->rows, j->gone.rows.at, j->gone.rows.n);
    j->report.dropped += j->gone.rows.n;
    if (j->has_more)
        (void)!drop_spent(j, false);
    if (j->held_in != NULL)
        (void)!drop_held(j, false);
    rj_rows_settle(&v->rows);
    if (j->is_small) {
        for (i = 0; i < j->other->seen.n; i++) {
            const struct rj_span *s = &j->other->seen.spans[i];
            uint32_t mine = j->map != NULL ? j->map[s->origin] : s->origin;

            see(&v->seen, s->from, s->to, mine);
        }
    } else {
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

enum rj_err rj_crdt_join(struct rj_crdt *v, const struct rj_crdt *other,
                         struct rj_crdt_report *ret_report)
{
    struct joining j;
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
    if (err != RJ_OK)
        rj_rows_drop_all(&v->rows, j.taken.at, j.taken.n);
    rj_mem_free(v->allocator, j.map,
                j.map != NULL ? other->names->n * sizeof(*j.map) : 0);
    rj_dots_done(&j.seen);
    rj_refs_done(&j.taken);
    rj_refs_done(&j.gone.rows);
    if (j.has_more) {
        rj_dots_done(&j.forgotten.spent);
        rj_dots_done(&j.forgotten.horizon);
        rj_heirs_done(&j.heirs);
    }
    rj_crdt_free(j.held_in);
    rj_crdt_free(j.held_out);
    return err;
}
