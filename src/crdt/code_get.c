/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a message. All of it is checked in a first pass, which keeps names and spans of
 * dots alone: rows are told from where they stand, as often as they are needed. */
#include "base/cbor.h"
#include "crdt/code.h"
#include "crdt/code_dots.h"
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

/* Adds the names; index: where their numbers go (NULL: they are numbered as they come,
 * for names is empty). */
static enum rj_err get_names(struct rj_reader *r, struct rj_roster *names, size_t n,
                             uint32_t *index)
{
    struct rj_bytes last = {0}, name;
    enum rj_err err = RJ_OK;
    uint32_t number;
    size_t i;

    for (i = 0; err == RJ_OK && i < n; i++) {
        name = rj_cbor_get_bytes(r);
        if (r->failed || name.len == 0 || name.len > RJ_CRDT_NAME_MAX ||
            (i > 0 && rj_bytes_compare(last, name) >= 0))
            return RJ_ECORRUPT;
        err = rj_roster_add(names, name, &number);
        if (index != NULL)
            index[i] = number;
        last = name;
    }
    return err;
}

/* The dots of n names, numbered as those come. */
static enum rj_err get_dots(struct rj_reader *r, uint32_t n, struct rj_dots *d)
{
    struct rj_reader in = rj_reader_of(rj_cbor_get_bytes(r));
    struct rj_span span;
    uint32_t i;

    for (i = 0; !in.failed && i < n; i++) {
        struct rj_spans_reader s = rj_spans_begin(&in, i);

        if (s.n > RJ_CRDT_SPANS_MAX - d->n)
            return RJ_ELIMIT;
        if (d->n + s.n > d->cap && rj_dots_reserve(d, d->n + (size_t)s.n) != RJ_OK)
            return RJ_ENOMEM;
        while (rj_spans_next(&s, &span)) {
            if (rj_dots_append(d, span) != RJ_OK)
                return RJ_ENOMEM;
        }
    }
    return r->failed || !rj_reader_complete(&in) ? RJ_ECORRUPT : RJ_OK;
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
                                          .span = {1, 0, 0}};
}

bool rj_row_columns_next(struct rj_row_columns_reader *r, struct rj_told *ret)
{
    uint64_t place_len, payload_len;

    if (r->span.from > r->span.to) {
        if (r->at == r->columns->dots.n)
            return false;
        r->span = r->columns->dots.spans[r->at++];
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
    return true;
}

static bool is_complete(const struct rj_row_columns_reader *r)
{
    return rj_reader_complete(&r->places) && rj_reader_complete(&r->payloads) &&
           rj_reader_complete(&r->place_len.r) && r->place_len.left == 0 &&
           rj_reader_complete(&r->payload_len.r) && r->payload_len.left == 0;
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
    err = get_dots(r, v->names->n, &c->dots);
    c->place_lens = rj_cbor_get_bytes(r);
    c->payload_lens = rj_cbor_get_bytes(r);
    c->places = rj_cbor_get_bytes(r);
    c->payloads = rj_cbor_get_bytes(r);
    if (err != RJ_OK)
        return err;
    if (r->failed || !rj_dots_within(&c->dots, &v->seen) ||
        rj_dots_count(&c->dots) >
            c->places.len + c->payloads.len + v->names->n + c->dots.n)
        return RJ_ECORRUPT; /* where neighbours stand at one place, a dot lies between */
    in = rj_row_columns_of(c);
    while (rj_row_columns_next(&in, &row)) {
        if (!is_sound(v, &row))
            return RJ_ECORRUPT;
    }
    return is_complete(&in) ? RJ_OK : RJ_ECORRUPT;
}

/* ---- the whole */

static enum rj_err get_held(struct rj_crdt *v, struct rj_reader *r)
{
    size_t n = rj_cbor_get_array(r), i;
    struct rj_dots dots = {.allocator = v->allocator};
    struct rj_dots rest = {.allocator = v->allocator};
    enum rj_err err = n > RJ_CRDT_HELD_MAX ? RJ_ELIMIT : RJ_OK;

    if (v->type->bare && n > 0)
        return RJ_ECORRUPT;
    for (i = 0; err == RJ_OK && i < n; i++) {
        struct rj_bytes place;
        size_t before = v->n_held;
        bool under;

        rj_cbor_expect_array(r, 3);
        place = rj_cbor_get_bytes(r);
        under = rj_cbor_get_bool(r);
        rj_dots_clear(&dots);
        err = get_dots(r, v->names->n, &dots);
        if (err == RJ_OK)
            err = rj_dots_minus(&rest, &dots, &v->seen);
        if (err == RJ_OK && (!rj_dots_equal(&rest, &dots) || dots.n == 0))
            err = RJ_ECORRUPT;
        if (err == RJ_OK)
            err = rj_held_add(v, place, under, &dots);
        if (err == RJ_OK && (v->n_held != before + 1 ||
                             !rj_bytes_equal(rj_held_place(&v->held[before]), place) ||
                             v->held[before].under != under))
            err = RJ_ECORRUPT; /* not ascending */
    }
    rj_dots_done(&dots);
    rj_dots_done(&rest);
    return err;
}

/* Only values that forget have one. */
static enum rj_err get_horizon(const struct rj_crdt *v, struct rj_reader *r, uint32_t n,
                               struct rj_dots *horizon)
{
    enum rj_err err = get_dots(r, n, horizon);

    return err == RJ_OK && horizon->n > 0 && v->rules.horizon == 0 ? RJ_ECORRUPT : err;
}

static enum rj_err get_heirs(struct rj_crdt *v, struct rj_reader *r)
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
        err = rj_heirs_note(&v->heirs, v->names,
                            (struct rj_heir){(uint32_t)name, (uint32_t)heir});
    }
    return err;
}

/* The item that values without both do not have. */
static enum rj_err get_more(struct rj_crdt *v, struct rj_reader *r)
{
    enum rj_err err;

    rj_cbor_expect_array(r, 2);
    err = get_horizon(v, r, v->names->n, &v->horizon);
    if (err == RJ_OK)
        err = get_heirs(v, r);
    return err == RJ_OK && !rj_crdt_has_more(v) ? RJ_ECORRUPT : err;
}

static enum rj_err get_value(struct rj_crdt *v, struct rj_bytes bytes)
{
    struct rj_reader r = rj_reader_of(bytes);
    bool more = false;
    enum rj_err err = get_head(v, &r, RJ_CODE_VALUE, &more);
    size_t n = err == RJ_OK ? rj_cbor_get_array(&r) : 0;

    if (n > RJ_CRDT_REPLICAS_MAX)
        return RJ_ELIMIT;
    if (err == RJ_OK)
        err = get_names(&r, v->names, n, NULL);
    if (err == RJ_OK)
        err = get_dots(&r, v->names->n, &v->seen);
    if (err == RJ_OK && v->type->is_context != NULL && !v->type->is_context(&v->seen))
        err = RJ_ECORRUPT;
    if (err == RJ_OK)
        err = v->type->elements == NULL ? get_rows(v, &r)
                                        : rj_seq_get_rows(v, &r, v->names->n);
    if (err == RJ_OK)
        err = get_held(v, &r);
    if (err == RJ_OK && more)
        err = get_more(v, &r);
    if (err == RJ_OK && !rj_reader_complete(&r))
        err = RJ_ECORRUPT;
    return err;
}

/* An empty value like v with names of its own. */
static enum rj_err make(const struct rj_crdt *v, struct rj_crdt **ret)
{
    struct rj_crdt *other = rj_crdt_blank(v);
    enum rj_err err = RJ_ENOMEM;

    if (other != NULL)
        err = rj_crdt_set_names(
            other, rj_roster_new(v->allocator, RJ_BYTES_OF(v->names->key.secret)));
    if (err == RJ_OK)
        *ret = other;
    else
        rj_crdt_free(other);
    return err;
}

enum rj_err rj_code_view(const struct rj_crdt *v, struct rj_bytes bytes,
                         struct rj_crdt **ret)
{
    struct rj_crdt *other = NULL;
    enum rj_err err = make(v, &other);

    if (err == RJ_OK) {
        other->is_view = true;
        err = get_value(other, bytes);
    }
    if (err == RJ_OK)
        *ret = other;
    else
        rj_crdt_free(other);
    return err;
}

enum rj_err rj_code_decode(const struct rj_crdt *v, struct rj_bytes bytes,
                           struct rj_crdt **ret)
{
    struct rj_crdt *view = NULL, *other = NULL;
    enum rj_err err = rj_code_view(v, bytes, &view);

    if (err == RJ_OK)
        err = make(v, &other);
    if (err == RJ_OK) { /* its own horizon judges none of its rows */
        struct rj_dots horizon = view->horizon;

        view->horizon = (struct rj_dots){0};
        err = rj_crdt_join(other, view, NULL);
        other->horizon = horizon; /* it numbers names as they came */
    }
    rj_crdt_free(view);
    if (err == RJ_OK)
        *ret = other;
    else
        rj_crdt_free(other);
    return err;
}

enum rj_err rj_code_get_digest(const struct rj_crdt *v, struct rj_bytes bytes,
                               struct rj_dots *ret_seen, struct rj_dots *ret_horizon)
{
    struct rj_reader r = rj_reader_of(bytes);
    struct rj_dots dots = {.allocator = v->allocator}, horizon = dots;
    bool more = false;
    enum rj_err err = get_head(v, &r, RJ_CODE_DIGEST, &more);
    size_t n = err == RJ_OK ? rj_cbor_get_array(&r) : 0;
    size_t size = n * sizeof(uint32_t) + 1;
    uint32_t *index = NULL;

    if (n > RJ_CRDT_REPLICAS_MAX)
        return RJ_ELIMIT;
    if (err == RJ_OK) {
        index = rj_mem_new(v->allocator, size);
        err = index != NULL ? get_names(&r, v->names, n, index) : RJ_ENOMEM;
    }
    if (err == RJ_OK)
        err = get_dots(&r, (uint32_t)n, &dots);
    if (err == RJ_OK && more)
        err = get_horizon(v, &r, (uint32_t)n, &horizon);
    if (err == RJ_OK && more && horizon.n == 0)
        err = RJ_ECORRUPT;
    if (err == RJ_OK && !rj_reader_complete(&r))
        err = RJ_ECORRUPT;
    if (err == RJ_OK)
        err = rj_dots_map(ret_seen, &dots, index);
    if (err == RJ_OK && ret_horizon != NULL)
        err = rj_dots_map(ret_horizon, &horizon, index);
    rj_mem_free(v->allocator, index, size);
    rj_dots_done(&dots);
    rj_dots_done(&horizon);
    return err;
}
