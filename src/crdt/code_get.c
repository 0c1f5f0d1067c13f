/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a message. All of it is checked in a first pass, which keeps names and spans of
 * dots alone: rows are told from where they stand, as often as they are needed. */
#include "base/cbor.h"
#include "causal/spans.h"
#include "crdt/agree.h"
#include "crdt/code.h"
#include "crdt/lazy.h"
#include "crdt/seq.h"

/* The head that values and digests share. *ret_more: there is one item more. */
static enum rj_err get_head(const struct rj_crdt *v, struct rj_reader *r, size_t items,
                            bool *ret_more)
{
    size_t n = rj_cbor_get_array(r);
    uint64_t format = rj_cbor_get_uint(r);

    if (!r->failed && format != RJ_CODE_FORMAT)
        return RJ_EVERSION;
    if (r->failed || n < items || n > items + 1)
        return RJ_ECORRUPT;
    *ret_more = n > items;
    if (rj_cbor_get_uint(r) != v->fingerprint)
        return r->failed ? RJ_ECORRUPT : RJ_EUPGRADE;
    return RJ_OK;
}

/* Adds n names; index: where their numbers go. */
static enum rj_err get_names(struct rj_reader *r, struct rj_roster *names, uint32_t n,
                             uint32_t *index)
{
    struct rj_roster *told = NULL;
    enum rj_err err = rj_roster_view(r, n, names, &told);
    uint32_t i;

    for (i = 0; err == RJ_OK && i < n; i++)
        err = rj_roster_add(names, rj_roster_get(told, i), &index[i]);
    rj_roster_release(told);
    return err;
}

/* Adds the spans that `in` is at. */
static enum rj_err get_spans(struct rj_reader *in, uint32_t origin, struct rj_dots *d)
{
    struct rj_spans_reader s = rj_spans_begin(in, origin, 1);
    struct rj_span span;

    if (s.n > RJ_CRDT_SPANS_MAX - rj_dots_spans(d))
        return RJ_ELIMIT;
    while (rj_spans_next(&s, in, &span)) {
        if (rj_dots_append(d, span) != RJ_OK)
            return RJ_ENOMEM;
    }
    return in->failed ? RJ_ECORRUPT : RJ_OK;
}

/* Where the spans of each of n names begin. */
static enum rj_err find_spans(struct rj_reader in, uint32_t n, uint32_t *at)
{
    const uint8_t *begun = in.ptr;
    struct rj_span span;
    uint32_t i;

    if (rj_reader_left(&in) > UINT32_MAX)
        return RJ_ELIMIT;
    for (i = 0; i < n; i++) {
        struct rj_spans_reader s;

        at[i] = (uint32_t)(in.ptr - begun);
        s = rj_spans_begin(&in, i, 1);
        while (rj_spans_next(&s, &in, &span))
            continue;
    }
    return rj_reader_complete(&in) ? RJ_OK : RJ_ECORRUPT;
}

/* The same in the order of their indexes. */
static enum rj_err get_spans_sorted(struct rj_bytes b, uint32_t n, const uint32_t *index,
                                    struct rj_dots *d)
{
    size_t size = n * sizeof(uint32_t);
    uint32_t *at = rj_mem_new(d->allocator, size);
    uint32_t *order = rj_mem_new(d->allocator, size), i;
    enum rj_err err =
        at != NULL && order != NULL ? find_spans(rj_reader_of(b), n, at) : RJ_ENOMEM;

    for (i = 0; err == RJ_OK && i < n; i++)
        order[i] = i;
    if (err == RJ_OK)
        rj_origins_sort(order, n, index);
    for (i = 0; err == RJ_OK && i < n; i++) {
        uint32_t o = order[i];
        struct rj_reader in = rj_reader_of(rj_bytes_of(b.ptr + at[o], b.len - at[o]));

        err = get_spans(&in, index[o], d);
    }
    rj_mem_free(d->allocator, at, size);
    rj_mem_free(d->allocator, order, size);
    return err;
}

/* The dots of n names in the stead of what d has. index: their origins, NULL: as they
 * come. */
static enum rj_err get_dots(struct rj_reader *r, uint32_t n, const uint32_t *index,
                            struct rj_dots *d)
{
    struct rj_bytes b = rj_cbor_get_bytes(r);
    struct rj_reader in = rj_reader_of(b);
    enum rj_err err = r->failed ? RJ_ECORRUPT : RJ_OK;
    uint32_t i;

    rj_dots_clear(d);
    for (i = 1; index != NULL && i < n; i++) {
        if (index[i] <= index[i - 1])
            return err == RJ_OK ? get_spans_sorted(b, n, index, d) : err;
    }
    for (i = 0; err == RJ_OK && i < n; i++)
        err = get_spans(&in, index != NULL ? index[i] : i, d);
    return err == RJ_OK && !rj_reader_complete(&in) ? RJ_ECORRUPT : err;
}

/* ---- rows */

static struct rj_column column_of(struct rj_bytes b)
{
    return (struct rj_column){.r = rj_reader_of(b)};
}

static uint64_t column_next(struct rj_column *c)
{
    if (c->left == 0) {
        uint64_t last = c->value;

        c->value = rj_reader_varint(&c->r);
        c->left = rj_reader_varint(&c->r);
        if (c->started && c->value == last) /* they belong together */
            rj_reader_fail(&c->r);
        c->started = true;
        return c->value;
    }
    c->left--;
    return c->value;
}

struct rj_row_columns_reader rj_row_columns_of(const struct rj_row_columns *c)
{
    return (struct rj_row_columns_reader){.columns = c,
                                          .place_len = column_of(c->place_lens),
                                          .payload_len = column_of(c->payload_lens),
                                          .places = rj_reader_of(c->places),
                                          .payloads = rj_reader_of(c->payloads),
                                          .span = {1, 0, 0},
                                          .dots = rj_dots_walk_of(&c->dots)};
}

bool rj_row_columns_next(struct rj_row_columns_reader *r, struct rj_told *ret)
{
    uint64_t place_len, payload_len;

    if (r->span.from > r->span.to) {
        if (!rj_dots_next(&r->dots, &r->span))
            return false;
    }
    place_len = column_next(&r->place_len);
    payload_len = column_next(&r->payload_len);
    if (r->place_len.r.failed || r->payload_len.r.failed ||
        place_len > rj_reader_left(&r->places) ||
        payload_len > rj_reader_left(&r->payloads)) {
        rj_reader_fail(&r->places);
        return false;
    }
    ret->dot = (struct rj_dot){r->span.from++, r->span.origin};
    ret->place = rj_reader_bytes(&r->places, (size_t)place_len);
    ret->payload = rj_reader_bytes(&r->payloads, (size_t)payload_len);
    ret->hash = 0;
    return true;
}

static bool is_complete(const struct rj_row_columns_reader *r)
{
    return rj_reader_complete(&r->places) && rj_reader_complete(&r->payloads) &&
           rj_reader_complete(&r->place_len.r) && r->place_len.left == 0 &&
           rj_reader_complete(&r->payload_len.r) && r->payload_len.left == 0;
}

struct rj_rows_told rj_rows_told_of(const struct rj_crdt *other)
{
    return (struct rj_rows_told){.rows = &other->rows,
                                 .next = rj_rows_from(&other->rows, (struct rj_dot){0}),
                                 .columns = rj_row_columns_of(&other->columns)};
}

bool rj_rows_told_next(struct rj_rows_told *r, struct rj_told *ret)
{
    if (r->next == NULL)
        return rj_row_columns_next(&r->columns, ret);
    *ret = rj_row_tell(r->next);
    r->next = rj_rows_after(r->rows, r->next);
    return true;
}

bool rj_rows_told_has(const struct rj_crdt *other, struct rj_dot dot)
{
    return other->is_view ? rj_dots_has(&other->columns.dots, dot)
                          : rj_rows_find(&other->rows, dot) != NULL;
}

/* A row that a change can make. */
static bool is_sound(const struct rj_crdt *v, const struct rj_told *row)
{
    struct rj_bytes rest;
    const struct rj_type *type = rj_type_at(v, row->place, &rest);

    if (type == NULL || type->bare || row->payload.len > RJ_CRDT_VALUE_MAX)
        return false;
    if (v->rules.lazy_bytes != 0 && !rj_lazy_is_sound(v, type, rest, row->payload))
        return false;
    return type->is_sound != NULL ? type->is_sound(rest, row->payload)
                                  : rest.len <= RJ_CRDT_KEY_MAX && row->payload.len == 0;
}

static enum rj_err get_rows(struct rj_crdt *v, struct rj_reader *r)
{
    struct rj_row_columns *c = &v->columns;
    struct rj_row_columns_reader in;
    struct rj_told row;
    enum rj_err err;

    rj_cbor_expect_array(r, RJ_CODE_COLUMNS);
    err = get_dots(r, v->names->n, NULL, &c->dots);
    c->place_lens = rj_cbor_get_bytes(r);
    c->payload_lens = rj_cbor_get_bytes(r);
    c->places = rj_cbor_get_bytes(r);
    c->payloads = rj_cbor_get_bytes(r);
    if (err != RJ_OK)
        return err;
    if (r->failed || !rj_dots_within(&c->dots, &v->seen) ||
        rj_dots_count(&c->dots) >
            c->places.len + c->payloads.len + v->names->n + rj_dots_spans(&c->dots))
        return RJ_ECORRUPT; /* where neighbours stand at one place, a dot lies between */
    in = rj_row_columns_of(c);
    while (rj_row_columns_next(&in, &row)) {
        if (!is_sound(v, &row))
            return RJ_ECORRUPT;
    }
    return is_complete(&in) ? RJ_OK : RJ_ECORRUPT;
}

/* ---- the whole */

static void use_names(const struct rj_dots *d, uint8_t *used)
{
    struct rj_dots_walk w = rj_dots_walk_of(d);
    struct rj_span span;

    while (rj_dots_next(&w, &span))
        used[span.origin] = 1;
}

/* The next held removal; RJ_ECORRUPT: none that can be. */
static enum rj_err get_one_held(struct rj_reader *r, uint32_t n, const uint32_t *index,
                                struct rj_held_told *ret)
{
    enum rj_err err;

    rj_cbor_expect_array(r, 3);
    ret->place = rj_cbor_get_bytes(r);
    ret->under = rj_cbor_get_bool(r);
    err = get_dots(r, n, index, &ret->own);
    ret->dots = &ret->own;
    return err == RJ_OK && ret->own.n == 0 ? RJ_ECORRUPT : err;
}

struct rj_held_told rj_held_told_of(const struct rj_crdt *other,
                                    const struct rj_allocator *a)
{
    return (struct rj_held_told){
        .other = other, .r = rj_reader_of(other->held_told), .own.allocator = a};
}

bool rj_held_told_next(struct rj_held_told *h, const uint32_t *index,
                       enum rj_err *ret_err)
{
    const struct rj_crdt *other = h->other;
    const struct rj_held *held;

    if (*ret_err != RJ_OK || h->at == other->n_held + other->n_held_told)
        return false;
    if (other->is_view) {
        *ret_err = get_one_held(&h->r, other->names->n, index, h);
    } else {
        held = &other->held[h->at];
        h->place = rj_held_place(held);
        h->under = held->under;
        h->dots = index == NULL ? &held->dots : &h->own;
        if (index != NULL)
            *ret_err = rj_dots_map(&h->own, &held->dots, index);
    }
    h->at++;
    return *ret_err == RJ_OK;
}

/* They ascend, and none of their dots is seen. */
static enum rj_err get_held(struct rj_crdt *v, struct rj_reader *r, uint8_t *used)
{
    size_t n = rj_cbor_get_array(r), i;
    struct rj_held_told h = rj_held_told_of(v, v->allocator);
    struct rj_dots rest = {.allocator = v->allocator};
    const uint8_t *begun = r->ptr;
    enum rj_err err = n > RJ_CRDT_HELD_MAX ? RJ_ELIMIT : RJ_OK;

    if (v->type->bare && n > 0)
        return RJ_ECORRUPT;
    for (i = 0; err == RJ_OK && i < n; i++) {
        struct rj_bytes last = h.place;
        bool last_under = h.under;
        int order;

        err = get_one_held(r, v->names->n, NULL, &h);
        if (err == RJ_OK)
            err = rj_dots_minus(&rest, h.dots, &v->seen);
        if (err != RJ_OK)
            break;
        use_names(h.dots, used);
        order = i > 0 ? rj_bytes_compare(last, h.place) : -1;
        if (!rj_dots_equal(&rest, h.dots) || order > 0 ||
            (order == 0 && last_under >= h.under))
            err = RJ_ECORRUPT;
    }
    if (err == RJ_OK) {
        v->n_held_told = n;
        v->held_told = rj_bytes_of(begun, (size_t)(r->ptr - begun));
    }
    rj_dots_done(&h.own);
    rj_dots_done(&rest);
    return err;
}

/* Only values that forget have one. */
static enum rj_err get_horizon(const struct rj_crdt *v, struct rj_reader *r, uint32_t n,
                               const uint32_t *index, struct rj_dots *horizon)
{
    enum rj_err err = get_dots(r, n, index, horizon);

    return err == RJ_OK && horizon->n > 0 && v->rules.horizon == 0 ? RJ_ECORRUPT : err;
}

static enum rj_err get_heirs(struct rj_crdt *v, struct rj_reader *r, uint8_t *used)
{
    struct rj_reader in = rj_reader_of(rj_cbor_get_bytes(r));
    enum rj_err err = RJ_OK;
    uint64_t name, heir, next = 0;

    while (err == RJ_OK && !r->failed && rj_reader_left(&in) > 0) {
        name = rj_reader_varint(&in);
        heir = rj_reader_varint(&in);
        if (in.failed || name < next || name >= v->names->n || heir >= v->names->n ||
            name == heir)
            return RJ_ECORRUPT;
        next = name + 1;
        used[name] = used[heir] = 1;
        err = rj_heirs_note(&v->heirs, v->names,
                            (struct rj_heir){(uint32_t)name, (uint32_t)heir});
    }
    return err;
}

/* The item that values without both do not have. */
static enum rj_err get_more(struct rj_crdt *v, struct rj_reader *r, uint8_t *used)
{
    enum rj_err err;

    rj_cbor_expect_array(r, 2);
    err = get_horizon(v, r, v->names->n, NULL, &v->horizon);
    if (err == RJ_OK)
        err = get_heirs(v, r, used);
    use_names(&v->horizon, used);
    return err == RJ_OK && !rj_crdt_has_more(v) ? RJ_ECORRUPT : err;
}

/* What stands behind the names. used: to be marked for each that is spoken of. */
static enum rj_err get_body(struct rj_crdt *v, struct rj_reader *r, bool more,
                            uint8_t *used)
{
    uint32_t n = v->names->n;
    enum rj_err err = get_dots(r, n, NULL, &v->seen);

    if (err == RJ_OK && v->type->is_context != NULL && !v->type->is_context(&v->seen))
        err = RJ_ECORRUPT;
    use_names(&v->seen, used);
    if (err == RJ_OK)
        err = v->type->elements == NULL ? get_rows(v, r) : rj_seq_get_rows(v, r, n, used);
    if (err == RJ_OK)
        err = get_held(v, r, used);
    if (err == RJ_OK && more)
        err = get_more(v, r, used);
    if (err == RJ_OK && (!rj_reader_complete(r) || memchr(used, 0, n) != NULL))
        err = RJ_ECORRUPT;
    return err;
}

static enum rj_err get_value(struct rj_crdt *v, const struct rj_crdt *like,
                             struct rj_bytes bytes)
{
    struct rj_reader r = rj_reader_of(bytes);
    struct rj_roster *names = NULL;
    bool more = false;
    enum rj_err err = get_head(v, &r, RJ_CODE_VALUE, &more);
    size_t n = err == RJ_OK ? rj_cbor_get_array(&r) : 0;
    uint8_t *used = NULL;

    if (n > RJ_CRDT_REPLICAS_MAX)
        return RJ_ELIMIT;
    if (err == RJ_OK)
        err = rj_roster_view(&r, (uint32_t)n, like->names, &names);
    if (names != NULL)
        (void)!rj_crdt_set_names(v, names);
    if (err == RJ_OK) {
        used = rj_mem_new(v->allocator, n + 1);
        err = used != NULL ? RJ_OK : RJ_ENOMEM;
    }
    if (err == RJ_OK) {
        memset(used, 0, n + 1);
        err = get_body(v, &r, more, used);
    }
    rj_mem_free(v->allocator, used, n + 1);
    return err;
}

enum rj_err rj_code_view(const struct rj_crdt *v, struct rj_bytes bytes,
                         struct rj_crdt **ret)
{
    struct rj_crdt *other = rj_crdt_blank(v);
    enum rj_err err = RJ_ENOMEM;

    if (other != NULL) {
        other->is_view = true;
        err = get_value(other, v, bytes);
    }
    if (err == RJ_OK)
        *ret = other;
    else
        rj_crdt_free(other);
    return err;
}

enum rj_err rj_code_unfold(const struct rj_crdt *view, struct rj_crdt **ret)
{
    struct rj_crdt *other = rj_crdt_blank(view);
    enum rj_err err = RJ_ENOMEM;

    if (other != NULL)
        err = rj_crdt_set_names(
            other, rj_roster_new(view->allocator, RJ_BYTES_OF(view->names->key.secret)));
    if (err == RJ_OK) {
        other->relays = true; /* its horizon judges none of its rows */
        err = rj_crdt_join(other, view, NULL);
    }
    if (err == RJ_OK)
        *ret = other;
    else
        rj_crdt_free(other);
    return err;
}

enum rj_err rj_code_get_digest(const struct rj_crdt *v, struct rj_bytes bytes,
                               struct rj_dots *ret_seen, struct rj_dots *ret_horizon,
                               struct rj_dots *ret_same)
{
    struct rj_reader r = rj_reader_of(bytes);
    struct rj_dots none = {.allocator = v->allocator};
    bool more = false;
    enum rj_err err = get_head(v, &r, RJ_CODE_DIGEST, &more);
    size_t n = err == RJ_OK ? rj_cbor_get_array(&r) : 0;
    size_t size = n * sizeof(uint32_t) + 1;
    uint32_t *index = NULL;

    if (n > RJ_CRDT_REPLICAS_MAX)
        return RJ_ELIMIT;
    if (err == RJ_OK) {
        index = rj_mem_new(v->allocator, size);
        err = index != NULL ? get_names(&r, v->names, (uint32_t)n, index) : RJ_ENOMEM;
    }
    if (err == RJ_OK)
        err = get_dots(&r, (uint32_t)n, index, ret_seen);
    if (err == RJ_OK && more && v->rules.horizon != 0) {
        struct rj_dots *horizon = ret_horizon != NULL ? ret_horizon : &none;

        err = get_horizon(v, &r, (uint32_t)n, index, horizon);
        if (err == RJ_OK && horizon->n == 0)
            err = RJ_ECORRUPT;
    } else if (err == RJ_OK && more) {
        struct rj_bytes sums = rj_cbor_get_bytes(&r);
        struct rj_agree_names names = {index, (uint32_t)n};

        err =
            rj_agree_get(v, &names, ret_seen, sums, ret_same != NULL ? ret_same : &none);
    }
    if (err == RJ_OK && !rj_reader_complete(&r))
        err = RJ_ECORRUPT;
    rj_mem_free(v->allocator, index, size);
    rj_dots_done(&none);
    return err;
}
