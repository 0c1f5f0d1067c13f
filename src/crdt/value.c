/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a value, and removals that wait for what they remove. Invariants: dots of
 * rows are in the context, those of held removals are not; one row a (place, origin).
 * Almeida, Shoker, Baquero 2018, "Delta state replicated data types", sections 4 to 7;
 * deferred removals after the sets of Riak (Brown et al. 2014, "Riak DT map"). */
#include "crdt/value.h"

#include "base/cbor.h"
#include "base/hash.h"
#include "crdt/lazy.h"
#include "crdt/seq.h"

enum { FORMAT = 1, SMALL = 16 };

/* ---- making */

static enum rj_err make_fingerprint(struct rj_crdt *v)
{
    struct rj_buf b = {.allocator = v->allocator};
    enum rj_err err;

    rj_cbor_put_array(&b, v->rules.lazy_bytes != 0 ? 8 : 7);
    rj_cbor_put_uint(&b, FORMAT);
    rj_cbor_put_uint(&b, v->type->number);
    rj_cbor_put_uint(&b, v->rules.bias);
    rj_cbor_put_uint(&b, v->rules.tie);
    rj_cbor_put_uint(&b, v->rules.ttl);
    rj_cbor_put_uint(&b, v->rules.horizon);
    rj_cbor_put_uint(&b, v->rules.check);
    if (v->rules.lazy_bytes != 0)
        rj_cbor_put_uint(&b, v->rules.lazy_bytes);
    err = rj_buf_err(&b);
    if (err == RJ_OK)
        v->fingerprint = rj_hash_checksum(rj_buf_view(&b));
    rj_buf_done(&b);
    return err;
}

static struct rj_crdt *make(const struct rj_type *type,
                            const struct rj_allocator *allocator)
{
    struct rj_crdt *v = rj_mem_new(allocator, sizeof(*v));

    if (v == NULL)
        return NULL;
    *v = (struct rj_crdt){.type = type, .allocator = allocator, .self = RJ_NAME_NONE};
    v->seen.allocator = v->columns.dots.allocator = allocator;
    v->horizon.allocator = v->heirs.allocator = allocator;
    return v;
}

enum rj_err rj_crdt_set_names(struct rj_crdt *v, struct rj_roster *take_names)
{
    rj_roster_release(v->names);
    v->names = take_names;
    if (take_names == NULL)
        return RJ_ENOMEM;
    rj_rows_init(&v->rows, v->allocator, &v->names->key, v->type->walks);
    return RJ_OK;
}

static bool are_rules(const struct rj_crdt_rules *rules, const struct rj_type *type)
{
    if (rules->size == 0)
        return true;
    return rules->size == sizeof(*rules) &&
           (unsigned)rules->bias <= RJ_CRDT_BIAS_REMOVE &&
           (unsigned)rules->tie <= RJ_CRDT_TIE_MIN_REPLICA &&
           ((rules->horizon == 0 && rules->check == 0 && rules->lazy_bytes == 0) ||
            (type->elements == NULL && !type->bare));
}

enum rj_err rj_crdt_new(const struct rj_crdt_opts *opts, struct rj_crdt **ret_value)
{
    const struct rj_type *type;
    struct rj_crdt *v = NULL;
    enum rj_err err = RJ_ENOMEM;

    if (opts == NULL || opts->size != sizeof(*opts))
        return RJ_EINVAL;
    type = rj_type_get((uint64_t)opts->type);
    if (type == NULL || !are_rules(&opts->rules, type) ||
        (opts->rules.size != 0 &&
         ((opts->rules.check != 0 && opts->judge == NULL) ||
          (opts->rules.lazy_bytes != 0 && opts->digest == NULL))))
        return RJ_EINVAL;
    v = make(type, opts->allocator);
    if (v == NULL)
        goto out;
    if (opts->rules.size != 0)
        v->rules = opts->rules;
    v->clock = opts->clock;
    v->check = opts->check;
    v->judge = opts->judge;
    v->digest = opts->digest;
    v->user = opts->user;
    err = rj_crdt_set_names(
        v,
        rj_roster_new(v->allocator, opts->secret.len > 0 ? opts->secret : opts->replica));
    if (err != RJ_OK)
        goto out;
    if (v->type->elements != NULL) {
        v->seq = rj_seq_new(v->type->elements, v->names, v->allocator);
        err = v->seq != NULL ? RJ_OK : RJ_ENOMEM;
        if (err != RJ_OK)
            goto out;
    }
    err =
        opts->replica.len > 0 ? rj_roster_add(v->names, opts->replica, &v->self) : RJ_OK;
    if (err == RJ_OK)
        err = make_fingerprint(v);
    if (err != RJ_OK)
        goto out;
    *ret_value = v;
    v = NULL;
out:
    rj_crdt_free(v);
    return err;
}

struct rj_crdt *rj_crdt_blank(const struct rj_crdt *v)
{
    struct rj_crdt *d = make(v->type, v->allocator);

    if (d == NULL)
        return NULL;
    d->rules = v->rules;
    d->fingerprint = v->fingerprint;
    d->digest = v->digest;
    (void)!rj_crdt_set_names(d, rj_roster_share(v->names));
    return d;
}

struct rj_crdt *rj_crdt_emptied(struct rj_crdt *take_delta)
{
    struct rj_crdt *d = take_delta;

    if (d->n_held > 0 || rj_crdt_has_more(d) || d->blobs.count > 0 ||
        d->seen.cap > SMALL || rj_rows_count(&d->rows) > SMALL) {
        rj_crdt_free(d);
        return NULL;
    }
    rj_rows_clear(&d->rows);
    rj_dots_clear(&d->seen);
    d->made = 0;
    d->took = false;
    return d;
}

static void held_done(const struct rj_allocator *allocator, struct rj_held *held)
{
    rj_mem_free(allocator, held->place, held->len + 1);
    rj_dots_done(&held->dots);
}

static void free_held(struct rj_crdt *v)
{
    size_t i;

    for (i = 0; i < v->n_held; i++)
        held_done(v->allocator, &v->held[i]);
    rj_mem_free(v->allocator, v->held, v->cap_held * sizeof(*v->held));
}

static void free_one(struct rj_crdt *v)
{
    rj_watch_free(v);
    rj_lazy_done(v);
    rj_rows_done(&v->rows);
    rj_seq_free(v->seq);
    rj_dots_done(&v->columns.dots);
    rj_dots_done(&v->seen);
    rj_dots_done(&v->horizon);
    rj_heirs_done(&v->heirs);
    free_held(v);
    rj_roster_release(v->names);
    rj_mem_free(v->allocator, v, sizeof(*v));
}

void rj_crdt_free(struct rj_crdt *v)
{
    if (v == NULL)
        return;
    if (v->scratch != NULL)
        free_one(v->scratch);
    free_one(v);
}

void rj_crdt_buf_free(struct rj_crdt_buf *b)
{
    if (b == NULL)
        return;
    rj_mem_free(b->allocator, b->ptr, b->cap);
    *b = (struct rj_crdt_buf){.allocator = b->allocator};
}

enum rj_crdt_type rj_crdt_type(const struct rj_crdt *v)
{
    return v->type->number;
}

static bool has_written(const struct rj_crdt *v, uint32_t origin)
{
    struct rj_span span;

    return rj_dots_find(&v->seen, origin, 0, &span);
}

enum rj_err rj_crdt_rename(struct rj_crdt *v, struct rj_bytes replica, bool own)
{
    uint32_t self = RJ_NAME_NONE;
    enum rj_err err = RJ_OK;

    if (replica.len > 0)
        err = rj_roster_add(v->names, replica, &self);
    if (err == RJ_OK && self != RJ_NAME_NONE && !own && has_written(v, self))
        err = RJ_EEXIST;
    if (err == RJ_OK)
        v->self = self;
    return err;
}

static enum rj_err copy_held(struct rj_crdt *to, const struct rj_crdt *from)
{
    enum rj_err err = RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < from->n_held; i++) {
        const struct rj_held *h = &from->held[i];

        err = rj_held_add(to, rj_held_place(h), h->under, &h->dots);
    }
    return err;
}

static enum rj_err copy_state(struct rj_crdt *to, const struct rj_crdt *from)
{
    enum rj_err err;

    if (from->type->elements != NULL) {
        to->seq = rj_seq_new(to->type->elements, to->names, to->allocator);
        return to->seq != NULL ? rj_crdt_join(to, from, NULL) : RJ_ENOMEM;
    }
    err = rj_dots_map(&to->seen, &from->seen, NULL);
    if (err == RJ_OK)
        err = copy_held(to, from);
    if (err == RJ_OK)
        err = rj_dots_map(&to->horizon, &from->horizon, NULL);
    if (err == RJ_OK)
        err = rj_heirs_join(&to->heirs, to->names, &from->heirs, NULL);
    return err == RJ_OK ? rj_rows_fork(&to->rows, &from->rows) : err;
}

enum rj_err rj_crdt_fork(const struct rj_crdt *v, struct rj_bytes replica,
                         struct rj_crdt **ret_value)
{
    struct rj_crdt *fork = rj_crdt_blank(v);
    enum rj_err err = RJ_ENOMEM;

    if (fork != NULL) {
        fork->clock = v->clock;
        fork->check = v->check;
        fork->judge = v->judge;
        fork->user = v->user;
        err = copy_state(fork, v);
    }
    if (err == RJ_OK)
        err = rj_crdt_rename(fork, replica, false);
    if (err == RJ_OK && fork->self != RJ_NAME_NONE && fork->self == v->self)
        err = RJ_EEXIST;
    if (err == RJ_OK) {
        *ret_value = fork;
        fork = NULL;
    }
    rj_crdt_free(fork);
    return err;
}

/* ---- comparing */

static bool are_equal(const struct rj_dots *x, const struct rj_crdt *a,
                      const struct rj_dots *y, const struct rj_crdt *b)
{
    return rj_roster_within(x, a->names, y, b->names) &&
           rj_roster_within(y, b->names, x, a->names);
}

/* The same heirs by name in both. */
static bool has_heirs(const struct rj_crdt *a, const struct rj_crdt *b)
{
    size_t i, k;

    for (i = 0; i < a->heirs.n; i++) {
        const struct rj_heir *h = &a->heirs.items[i];
        uint32_t name = rj_roster_find(b->names, rj_roster_get(a->names, h->name));
        uint32_t heir = rj_roster_find(b->names, rj_roster_get(a->names, h->heir));

        for (k = 0; k < b->heirs.n && b->heirs.items[k].name != name; k++)
            continue;
        if (k == b->heirs.n || b->heirs.items[k].heir != heir)
            return false;
    }
    return a->heirs.n == b->heirs.n;
}

/* The same dot by name in both. */
static bool row_is_in(const struct rj_crdt *v, struct rj_bytes replica,
                      const struct rj_row *row)
{
    struct rj_dot dot = {.seq = rj_row_dot(row).seq,
                         .origin = rj_roster_find(v->names, replica)};

    return dot.origin != RJ_NAME_NONE && rj_rows_find(&v->rows, dot) != NULL;
}

bool rj_crdt_equal(const struct rj_crdt *a, const struct rj_crdt *b)
{
    const struct rj_row *row = rj_rows_from(&a->rows, (struct rj_dot){0});
    enum rj_crdt_order order;
    size_t i;

    if (a->fingerprint != b->fingerprint ||
        rj_rows_count(&a->rows) != rj_rows_count(&b->rows) || a->n_held != b->n_held ||
        rj_crdt_compare(a, b, &order) != RJ_OK || order != RJ_CRDT_EQUAL)
        return false;
    for (; row != NULL; row = rj_rows_after(&a->rows, row)) {
        if (!row_is_in(b, rj_roster_get(a->names, row->origin), row))
            return false;
    }
    for (i = 0; i < a->n_held; i++) {
        const struct rj_held *x = &a->held[i], *y = &b->held[i];

        if (x->under != y->under || !rj_bytes_equal(rj_held_place(x), rj_held_place(y)) ||
            !are_equal(&x->dots, a, &y->dots, b))
            return false;
    }
    return are_equal(&a->horizon, a, &b->horizon, b) && has_heirs(a, b);
}

/* ---- held removals */

static int held_order(const struct rj_held *h, struct rj_bytes place, bool under)
{
    int order = rj_bytes_compare(rj_held_place(h), place);

    return order != 0 ? order : (int)h->under - (int)under;
}

bool rj_held_covers(const struct rj_crdt *v, struct rj_bytes place, struct rj_dot dot)
{
    size_t i;

    for (i = 0; i < v->n_held; i++) {
        const struct rj_held *h = &v->held[i];
        bool meant = h->under ? rj_bytes_starts_with(place, rj_held_place(h))
                              : rj_bytes_equal(place, rj_held_place(h));

        if (meant && rj_dots_has(&h->dots, dot))
            return rj_place_dies(v, place);
    }
    return false;
}

static enum rj_err reserve_held(struct rj_crdt *v)
{
    size_t cap = v->cap_held != 0 ? v->cap_held * 2 : 4;
    struct rj_held *held;

    if (v->n_held < v->cap_held)
        return RJ_OK;
    held = rj_mem_resize(v->allocator, v->held, v->cap_held * sizeof(*held),
                         cap * sizeof(*held));
    if (held == NULL)
        return RJ_ENOMEM;
    v->held = held;
    v->cap_held = cap;
    return RJ_OK;
}

/* A new one at index at. */
static enum rj_err insert_held(struct rj_crdt *v, size_t at, struct rj_bytes place,
                               bool under)
{
    uint8_t *copy = rj_mem_new(v->allocator, place.len + 1);

    if (copy == NULL || reserve_held(v) != RJ_OK) {
        rj_mem_free(v->allocator, copy, place.len + 1);
        return RJ_ENOMEM;
    }
    if (place.len > 0)
        memcpy(copy, place.ptr, place.len);
    memmove(v->held + at + 1, v->held + at, (v->n_held - at) * sizeof(*v->held));
    v->held[at] = (struct rj_held){.place = copy, .len = place.len, .under = under};
    v->held[at].dots.allocator = v->allocator;
    v->n_held++;
    return RJ_OK;
}

/* Where it is, or belongs. */
static size_t held_at(const struct rj_crdt *v, struct rj_bytes place, bool under)
{
    size_t low = 0, high = v->n_held;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (held_order(&v->held[mid], place, under) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct rj_held *rj_held_find(const struct rj_crdt *v, struct rj_bytes place,
                                   bool under)
{
    size_t at = held_at(v, place, under);

    return at < v->n_held && held_order(&v->held[at], place, under) == 0 ? &v->held[at]
                                                                         : NULL;
}

enum rj_err rj_held_take(struct rj_crdt *v, struct rj_bytes place, bool under,
                         struct rj_dots *dots)
{
    struct rj_dots_walk w = rj_dots_walk_of(dots);
    struct rj_span span;
    enum rj_err err = RJ_OK;
    size_t at = held_at(v, place, under);

    if (dots->n == 0)
        return RJ_OK;
    if (at < v->n_held && held_order(&v->held[at], place, under) == 0) {
        while (err == RJ_OK && rj_dots_next(&w, &span))
            err = rj_dots_add(&v->held[at].dots, span);
    } else {
        err = v->n_held < RJ_CRDT_HELD_MAX ? insert_held(v, at, place, under) : RJ_ELIMIT;
        if (err == RJ_OK) {
            v->held[at].dots = *dots;
            *dots = (struct rj_dots){.allocator = v->allocator};
        }
    }
    if (err == RJ_OK)
        rj_dots_settle(&v->held[at].dots);
    return err;
}

enum rj_err rj_held_add(struct rj_crdt *v, struct rj_bytes place, bool under,
                        const struct rj_dots *dots)
{
    struct rj_dots copy = {.allocator = v->allocator};
    enum rj_err err = rj_dots_map(&copy, dots, NULL);

    if (err == RJ_OK)
        err = rj_held_take(v, place, under, &copy);
    rj_dots_done(&copy);
    return err;
}

enum rj_err rj_held_trim(struct rj_crdt *v)
{
    struct rj_dots rest = {.allocator = v->allocator};
    enum rj_err err = RJ_OK;
    size_t i, kept = 0;

    for (i = 0; i < v->n_held; i++) {
        struct rj_held *h = &v->held[i];
        struct rj_dots old = h->dots;

        if (err == RJ_OK)
            err = rj_dots_minus(&rest, &h->dots, &v->seen);
        if (err == RJ_OK) {
            h->dots = rest;
            rest = old;
        }
        if (h->dots.n > 0)
            v->held[kept++] = *h;
        else
            held_done(v->allocator, h);
    }
    v->n_held = kept;
    rj_dots_done(&rest);
    return err;
}
