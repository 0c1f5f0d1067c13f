/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, the same for all types of one sort: numbers, flags, sets and maps of places.
 * A set's elements are shown in the order of their bytes; where a place begins with the
 * element's length they are sorted for it. */
#include "base/cbor.h"
#include "crdt/json.h"
#include "crdt/lazy.h"
#include "crdt/place.h"
#include "crdt/seq.h"

#include <stdlib.h>

static bool is_shown(const struct rj_crdt *v, const struct rj_type *type,
                     struct rj_bytes prefix, const struct rj_row *place)
{
    return type->is_shown == NULL || type->is_shown(v, prefix, place);
}

/* The first place from `place` on that shows an element. */
static const struct rj_row *shown_from(const struct rj_crdt *v,
                                       const struct rj_type *type, struct rj_bytes prefix,
                                       const struct rj_row *place)
{
    while (place != NULL && !is_shown(v, type, prefix, place))
        place = rj_place_next(&v->rows, place, prefix);
    return place;
}

static const struct rj_row *
first_shown(const struct rj_crdt *v, const struct rj_type *type, struct rj_bytes prefix)
{
    return shown_from(v, type, prefix, rj_rows_under(&v->rows, prefix));
}

static const struct rj_row *next_shown(const struct rj_crdt *v,
                                       const struct rj_type *type, struct rj_bytes prefix,
                                       const struct rj_row *place)
{
    return shown_from(v, type, prefix, rj_place_next(&v->rows, place, prefix));
}

bool rj_read_is_set(const struct rj_type *type)
{
    return type->show == NULL && type->count == NULL && type->is_on == NULL;
}

bool rj_read_is_alive(const struct rj_crdt *v, const struct rj_type *type,
                      struct rj_bytes prefix)
{
    if (type->alive != NULL)
        return type->alive(v, prefix);
    if (type->is_on != NULL)
        return type->is_on(v, prefix);
    return first_shown(v, type, prefix) != NULL;
}

/* ---- JSON */

static struct rj_bytes element_of(const struct rj_type *type, struct rj_bytes prefix,
                                  const struct rj_row *place)
{
    struct rj_bytes rest = rj_bytes_skip(rj_row_place(place), prefix.len);
    struct rj_reader r = rj_reader_of(rest);

    return type->coded ? rj_cbor_get_bytes(&r) : rest;
}

static int by_bytes(const void *a, const void *b)
{
    return rj_bytes_compare(*(const struct rj_bytes *)a, *(const struct rj_bytes *)b);
}

static void put_sorted(const struct rj_crdt *v, const struct rj_type *type,
                       struct rj_bytes prefix, struct rj_buf *json)
{
    const struct rj_row *place = first_shown(v, type, prefix);
    struct rj_bytes *all;
    size_t n = 0, i;

    for (; place != NULL; place = next_shown(v, type, prefix, place))
        n++;
    all = rj_mem_new(v->allocator, n * sizeof(*all) + 1);
    if (all == NULL) {
        rj_buf_fail(json, RJ_ENOMEM);
        return;
    }
    place = first_shown(v, type, prefix);
    for (i = 0; i < n && place != NULL; i++) {
        all[i] = element_of(type, prefix, place);
        place = next_shown(v, type, prefix, place);
    }
    qsort(all, n, sizeof(*all), by_bytes);
    for (i = 0; i < n; i++) {
        rj_buf_append_str(json, i > 0 ? "," : "");
        rj_json_put_str(json, all[i]);
    }
    rj_mem_free(v->allocator, all, n * sizeof(*all) + 1);
}

static void put_places(const struct rj_crdt *v, const struct rj_type *type,
                       struct rj_bytes prefix, struct rj_buf *json)
{
    const struct rj_row *place = first_shown(v, type, prefix);
    const char *comma = "";

    for (; place != NULL; place = next_shown(v, type, prefix, place)) {
        rj_buf_append_str(json, comma);
        rj_json_put_str(json, element_of(type, prefix, place));
        if (type->entry != NULL) {
            rj_buf_u8(json, ':');
            rj_lazy_put_json(v, type->entry(v, place), json);
        }
        comma = ",";
    }
}

void rj_read_json(const struct rj_crdt *v, const struct rj_type *type,
                  struct rj_bytes prefix, struct rj_buf *json)
{
    int64_t n = 0;

    if (type->show != NULL) {
        type->show(v, prefix, json);
    } else if (type->count != NULL) {
        enum rj_err err = type->count(v, prefix, &n);

        if (err == RJ_OK)
            rj_buf_printf(json, "%lld", (long long)n);
        else
            rj_buf_fail(json, err);
    } else if (type->is_on != NULL) {
        rj_buf_append_str(json, type->is_on(v, prefix) ? "true" : "false");
    } else {
        rj_buf_u8(json, type->entry != NULL ? '{' : '[');
        if (type->coded)
            put_sorted(v, type, prefix, json);
        else
            put_places(v, type, prefix, json);
        rj_buf_u8(json, type->entry != NULL ? '}' : ']');
    }
}

enum rj_err rj_crdt_json(const struct rj_crdt *v, struct rj_crdt_buf *ret_json)
{
    const struct rj_bytes all = {0};
    struct rj_buf out = rj_buf_open(ret_json);

    if (rj_rows_sort(&v->rows) != RJ_OK)
        rj_buf_fail(&out, RJ_ENOMEM);
    rj_read_json(v, v->type, all, &out);
    return rj_buf_close(&out, ret_json);
}

/* ---- queries */

/* What is read: in a map of maps what stands at where, elsewhere v itself. The prefix is
 * in place, which the caller ends. */
static enum rj_err find(const struct rj_crdt *v, const struct rj_crdt_where *where,
                        struct rj_buf *place, const struct rj_type **ret_type)
{
    *place = (struct rj_buf){.allocator = v->allocator};
    *ret_type = v->type;
    if (where == NULL)
        return RJ_OK;
    *ret_type = rj_type_get((uint64_t)where->at);
    if (v->type->number != RJ_CRDT_ORMAP || *ret_type == NULL || where->n_path == 0)
        return RJ_EINVAL;
    rj_place_put(place, where->path, where->n_path, where->at);
    return rj_buf_err(place);
}

enum rj_err rj_crdt_int(const struct rj_crdt *v, const struct rj_crdt_where *where,
                        int64_t *ret_sum)
{
    const struct rj_type *type;
    struct rj_buf place;
    enum rj_err err = find(v, where, &place, &type);

    if (err == RJ_OK)
        err = type->count != NULL ? type->count(v, rj_buf_view(&place), ret_sum)
                                  : RJ_EINVAL;
    rj_buf_done(&place);
    return err;
}

enum rj_err rj_crdt_flag(const struct rj_crdt *v, const struct rj_crdt_where *where,
                         bool *ret_on)
{
    const struct rj_type *type;
    struct rj_buf place;
    enum rj_err err = find(v, where, &place, &type);

    if (err == RJ_OK && type->is_on == NULL)
        err = RJ_EINVAL;
    if (err == RJ_OK)
        *ret_on = type->is_on(v, rj_buf_view(&place));
    rj_buf_done(&place);
    return err;
}

/* The place that shows key, which goes behind the prefix in name; NULL: it is not there.
 */
static const struct rj_row *find_element(const struct rj_crdt *v,
                                         const struct rj_type *type, struct rj_buf *name,
                                         struct rj_bytes key)
{
    size_t prefix_len = name->len;
    const struct rj_row *there;
    struct rj_bytes full;

    if (type->coded)
        rj_cbor_put_bytes(name, key);
    else
        rj_buf_append(name, key);
    if (name->failed)
        return NULL;
    full = rj_buf_view(name);
    there = type->coded ? rj_rows_under(&v->rows, full) : rj_rows_place(&v->rows, full);
    if (there == NULL || !is_shown(v, type, rj_bytes_first(full, prefix_len), there))
        return NULL;
    return there;
}

void rj_read_element(const struct rj_crdt *v, struct rj_bytes key, struct rj_buf *json)
{
    struct rj_buf name = {.allocator = v->allocator};
    const struct rj_row *there = find_element(v, v->type, &name, key);

    if (v->type->entry == NULL)
        rj_buf_append_str(json, there != NULL ? "true" : "false");
    else if (there != NULL)
        rj_lazy_put_json(v, v->type->entry(v, there), json);
    else
        rj_buf_append_str(json, "null");
    if (name.failed)
        rj_buf_fail(json, rj_buf_err(&name));
    rj_buf_done(&name);
}

enum rj_err rj_crdt_contains(const struct rj_crdt *v, const struct rj_crdt_where *where,
                             struct rj_bytes key, bool *ret_is)
{
    const struct rj_row *there = NULL;
    const struct rj_type *type;
    struct rj_buf place;
    enum rj_err err = find(v, where, &place, &type);

    if (err == RJ_OK && !rj_read_is_set(type))
        err = RJ_EINVAL;
    if (err == RJ_OK) {
        there = find_element(v, type, &place, key);
        err = rj_buf_err(&place);
    }
    if (err == RJ_OK)
        *ret_is = there != NULL;
    rj_buf_done(&place);
    return err;
}

static uint64_t count_places(const struct rj_crdt *v, const struct rj_type *type,
                             struct rj_bytes prefix)
{
    const struct rj_row *at;
    uint64_t n = 0;

    if (prefix.len == 0 && type->is_shown == NULL)
        return rj_rows_places(&v->rows);
    for (at = first_shown(v, type, prefix); at != NULL;
         at = next_shown(v, type, prefix, at))
        n++;
    return n;
}

enum rj_err rj_crdt_count(const struct rj_crdt *v, const struct rj_crdt_where *where,
                          uint64_t *ret_n)
{
    const struct rj_type *type;
    struct rj_buf place;
    enum rj_err err = find(v, where, &place, &type);

    if (err == RJ_OK && type->elements != NULL)
        err = rj_seq_length(v, rj_buf_view(&place), ret_n);
    else if (err == RJ_OK && rj_read_is_set(type))
        *ret_n = count_places(v, type, rj_buf_view(&place));
    else if (err == RJ_OK)
        err = RJ_EINVAL;
    rj_buf_done(&place);
    return err;
}

bool rj_crdt_has_seen(const struct rj_crdt *v, struct rj_bytes replica, uint64_t seq)
{
    uint32_t origin = rj_roster_find(v->names, replica);

    return origin != RJ_NAME_NONE && seq > 0 &&
           rj_dots_has(&v->seen, (struct rj_dot){.seq = seq, .origin = origin});
}

/* ---- comparing */

static bool is_within(const struct rj_crdt *a, const struct rj_crdt *b)
{
    return rj_roster_within(&a->seen, a->names, &b->seen, b->names);
}

enum rj_err rj_crdt_compare(const struct rj_crdt *v, const struct rj_crdt *other,
                            enum rj_crdt_order *ret_order)
{
    bool below = is_within(v, other), above = is_within(other, v);

    if (v->type != other->type)
        return RJ_ETYPE;
    *ret_order = below && above ? RJ_CRDT_EQUAL
                 : below        ? RJ_CRDT_BEFORE
                 : above        ? RJ_CRDT_AFTER
                                : RJ_CRDT_CONCURRENT;
    return RJ_OK;
}

/* ---- rows */

static const struct rj_row *next_row(const struct rj_crdt *v, uint64_t cursor)
{
    const struct rj_bytes all = {0};
    const struct rj_row *last = (const struct rj_row *)(uintptr_t)cursor;
    const struct rj_row *place;

    if (last != NULL && rj_row_next(&v->rows, last) != NULL)
        return rj_row_next(&v->rows, last);
    place =
        last != NULL ? rj_place_next(&v->rows, last, all) : rj_rows_under(&v->rows, all);
    return place;
}

struct rj_crdt_row rj_read_row(const struct rj_crdt *v, const struct rj_told *row)
{
    struct rj_crdt_row what = {.replica = rj_roster_get(v->names, row->dot.origin),
                               .seq = row->dot.seq};
    struct rj_bytes place = row->place, rest = {0};
    const struct rj_type *type = rj_type_at(v, place, &rest);

    if (type != NULL && type->read != NULL)
        type->read(rest, row->payload, &what);
    else
        what.key = rest;
    if (type != NULL && type->valued)
        rj_lazy_read(v, &what);
    if (type != v->type) {
        what.at = type != NULL ? type->number : RJ_CRDT_NONE;
        what.path = rj_bytes_first(place, place.len - rest.len - (type != NULL ? 1 : 0));
    }
    return what;
}

bool rj_read_is_allowed(const struct rj_crdt *v, const struct rj_told *row)
{
    struct rj_crdt_row what;

    if (v->judge == NULL)
        return true;
    what = rj_read_row(v, row);
    if (v->rules.lazy_bytes != 0 && what.length > v->rules.lazy_bytes) {
        what.value = (struct rj_bytes){0}; /* who has the bytes judges as who has not */
        what.missing = true;
    }
    return v->judge(v->user, &what);
}

enum rj_err rj_crdt_next(const struct rj_crdt *v, uint64_t *cursor,
                         struct rj_crdt_row *ret_row)
{
    const struct rj_row *row;
    struct rj_told told;

    if (rj_rows_sort(&v->rows) != RJ_OK)
        return RJ_ENOMEM;
    row = next_row(v, *cursor);
    if (row == NULL)
        return RJ_ENOENT;
    told = rj_row_tell(row);
    *ret_row = rj_read_row(v, &told);
    *cursor = (uint64_t)(uintptr_t)row;
    return RJ_OK;
}
