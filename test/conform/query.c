/* SPDX-License-Identifier: Apache-2.0 */
/* Queries, and the rows that one value would ship to another. */
#include "conform.h"

#include <string.h>

static json_t *json_of(struct rj_bytes b)
{
    json_t *text = json_stringn((const char *)b.ptr, b.len);

    return text != NULL ? text : json_string("(not UTF-8)");
}

static bool is_type(const struct rj_crdt *v, enum rj_crdt_type type)
{
    return rj_crdt_type(v) == type;
}

/* A row as sets, elements and diffis show it. */
static json_t *row_json(const struct rj_crdt *v, const struct rj_crdt_row *row)
{
    if (is_type(v, RJ_CRDT_OURSET))
        return json_pack("[oIbo]", json_of(row->key), (json_int_t)row->stamp,
                         (int)row->removed, json_of(row->value));
    if (is_type(v, RJ_CRDT_LWWSET))
        return json_pack("[Io]", (json_int_t)row->stamp, json_of(row->key));
    if (is_type(v, RJ_CRDT_ORSET_TAGGED))
        return json_pack("[oo]", json_of(row->tag), json_of(row->key));
    return json_of(row->key);
}

static bool holds(const json_t *list, const json_t *row)
{
    size_t i;

    for (i = 0; i < json_array_size(list); i++) {
        if (json_equal(json_array_get(list, i), row))
            return true;
    }
    return false;
}

/* An array of rows; of types with two sides {"add", "remove"}. NULL: the type shows no
 * rows. */
static json_t *rows_of(const struct rj_crdt *v)
{
    bool sides = is_type(v, RJ_CRDT_TWOPSET) || is_type(v, RJ_CRDT_LWWSET) ||
                 is_type(v, RJ_CRDT_ORSET_TAGGED);
    json_t *added = json_array(), *removed = json_array(), *row;
    struct rj_crdt_row r;
    uint64_t cursor = 0;

    while (rj_crdt_next(v, &cursor, &r) == RJ_OK) {
        json_t *list = sides && r.removed ? removed : added;

        row = row_json(v, &r);
        if (!holds(list, row))
            json_array_append(list, row);
        json_decref(row);
    }
    if (sides)
        return json_pack("{soso}", "add", added, "remove", removed);
    json_decref(removed);
    return added;
}

/* Rows of a that are not in b. */
static json_t *minus(const json_t *a, const json_t *b)
{
    json_t *rest = json_is_object(a) ? json_object() : json_array();
    const char *side;
    json_t *list;
    size_t i;

    if (json_is_object(a)) {
        json_object_foreach((json_t *)(uintptr_t)a, side, list)
        {
            json_object_set_new(rest, side, minus(list, json_object_get(b, side)));
        }
        return rest;
    }
    for (i = 0; i < json_array_size(a); i++) {
        if (!holds(b, json_array_get(a, i)))
            json_array_append(rest, json_array_get(a, i));
    }
    return rest;
}

bool same_rows(const json_t *a, const json_t *b)
{
    json_t *left, *right;
    bool same;

    if (json_is_object(a) && json_is_object(b)) {
        return json_object_size(a) == json_object_size(b) &&
               same_rows(json_object_get(a, "add"), json_object_get(b, "add")) &&
               same_rows(json_object_get(a, "remove"), json_object_get(b, "remove"));
    }
    if (!json_is_array(a) || !json_is_array(b))
        return json_equal(a, b);
    left = minus(a, b);
    right = minus(b, a);
    same = json_array_size(left) == 0 && json_array_size(right) == 0;
    json_decref(left);
    json_decref(right);
    return same;
}

json_t *rows_to_ship(const struct rj_crdt *joined, const struct rj_crdt *to)
{
    json_t *all = rows_of(joined), *there = rows_of(to), *rest = minus(all, there);

    json_decref(all);
    json_decref(there);
    return rest;
}

/* Of a register that was never set: null, or 0 if that is what the case expects. */
static json_t *stamp_of(const struct rj_crdt *v, const json_t *expected)
{
    struct rj_crdt_row row;
    uint64_t cursor = 0;

    if (rj_crdt_next(v, &cursor, &row) != RJ_OK)
        return json_integer_value(expected) == 0 && json_is_integer(expected)
                   ? json_integer(0)
                   : json_null();
    return json_integer((json_int_t)row.stamp);
}

static json_t *get(const struct rj_crdt *v, struct rj_bytes actor)
{
    uint64_t n = 0;

    while (rj_crdt_has_seen(v, actor, n + 1))
        n++;
    return json_integer((json_int_t)n);
}

static json_t *compare_to(const struct rj_crdt *v, const struct rj_crdt *other)
{
    static const char *const words[] = {"before", "after", "equal", "concurrent"};
    enum rj_crdt_order order;

    if (other == NULL || rj_crdt_compare(v, other, &order) != RJ_OK)
        return NULL;
    return json_string(words[order]);
}

json_t *answer_of(const struct rj_crdt *v, const char *query, const json_t *arg,
                  const struct rj_crdt *other, const json_t *second)
{
    bool is = false;
    uint64_t n = 0;
    int64_t rights = 0;

    if (strcmp(query, "size") == 0 && rj_crdt_count(v, NULL, &n) == RJ_OK)
        return json_integer((json_int_t)n);
    if (strcmp(query, "contains") == 0 &&
        rj_crdt_contains(v, NULL, bytes_of(arg), &is) == RJ_OK)
        return json_boolean(is);
    if (strcmp(query, "sets") == 0 || strcmp(query, "elements") == 0)
        return rows_of(v);
    if (strcmp(query, "timestamp") == 0)
        return stamp_of(v, arg);
    if (strcmp(query, "local") == 0 && rj_crdt_rights(v, bytes_of(arg), &rights) == RJ_OK)
        return json_integer((json_int_t)rights);
    if (strcmp(query, "get") == 0)
        return get(v, bytes_of(arg));
    if (strcmp(query, "has") == 0)
        return json_boolean(
            rj_crdt_has_seen(v, bytes_of(arg), (uint64_t)json_integer_value(second)));
    if (strcmp(query, "compare") == 0)
        return compare_to(v, other);
    return NULL;
}
