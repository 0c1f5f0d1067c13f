/* SPDX-License-Identifier: Apache-2.0 */
/* Map of values of other types, nested as deep as one likes. It has no rows of its own:
 * what lies below a key are the rows whose places begin with it, and one context serves
 * them all. So a removed key takes away exactly the updates that were seen, in every type
 * and in every order of delivery.
 * Almeida, Shoker, Baquero 2018, section 7.5; reset and removal as in Riak DT map (Brown
 * et al. 2014). */
#include "base/cbor.h"
#include "crdt/json.h"
#include "crdt/place.h"

/* Resets all that lies below s->prefix, which is keys. */
static enum rj_err remove_below(const struct rj_site *s)
{
    const struct rj_row *place = rj_rows_under(&s->v->rows, s->prefix);
    enum rj_err err = rj_site_reset_under(s);

    for (; err == RJ_OK && place != NULL;
         place = rj_place_next(&s->v->rows, place, s->prefix)) {
        bool dies = rj_place_dies(s->v, rj_row_place(place));
        const struct rj_row *row = dies ? place : NULL;

        for (; err == RJ_OK && row != NULL; row = rj_row_next(&s->v->rows, row))
            err = rj_site_kill_row(s, row);
    }
    return err == RJ_OK && s->caused != NULL
               ? rj_held_add(s->delta, s->prefix, true, s->caused)
               : err;
}

static enum rj_err change(const struct rj_site *s)
{
    const struct rj_crdt_op *op = s->op;
    const struct rj_type *at = rj_type_get((uint64_t)op->at);
    struct rj_buf prefix = {.allocator = s->v->allocator};
    struct rj_site below = *s;
    enum rj_err err;

    if (op->at == RJ_CRDT_NONE && op->code != RJ_CRDT_REMOVE && op->code != RJ_CRDT_CLEAR)
        return RJ_EINVAL;
    if (op->n_path == 0 && op->code != RJ_CRDT_CLEAR)
        return RJ_EINVAL;
    if (op->at != RJ_CRDT_NONE && (at == NULL || at->alone))
        return RJ_ETYPE;
    rj_place_put(&prefix, op->path, op->n_path, op->at);
    err = rj_buf_err(&prefix);
    below.prefix = rj_buf_view(&prefix);
    if (err == RJ_OK)
        err = at != NULL ? at->change(&below) : remove_below(&below);
    rj_buf_done(&prefix);
    return err;
}

/* ---- JSON: the leaves in the order of their paths; objects open and close between */

struct path {
    struct rj_bytes keys[RJ_CRDT_DEPTH_MAX];
    size_t n;
};

/* The keys of w behind the first `skip`. */
static void path_of(const struct rj_where *w, size_t skip, struct path *ret)
{
    struct rj_reader r = rj_reader_of(w->keys);

    for (ret->n = 0; skip > 0; skip--)
        (void)rj_cbor_get_bytes(&r);
    while (rj_reader_left(&r) > 0)
        ret->keys[ret->n++] = rj_cbor_get_bytes(&r);
}

static size_t common(const struct path *a, const struct path *b)
{
    size_t n = 0;

    while (n < a->n && n < b->n && rj_bytes_equal(a->keys[n], b->keys[n]))
        n++;
    return n;
}

/* Goes from the leaf at `last` to the one at `next`, up to its colon. */
static void put_way(struct rj_buf *json, const struct path *last, const struct path *next)
{
    size_t same = common(last, next), i;

    for (i = same + 1; i < last->n; i++)
        rj_buf_u8(json, '}');
    if (last->n > 0)
        rj_buf_u8(json, ',');
    for (i = same; i < next->n; i++) {
        rj_json_put_str(json, next->keys[i]);
        rj_buf_append_str(json, i + 1 < next->n ? ":{" : ":");
    }
}

/* The first place below `keys` that is not below prefix. */
static const struct rj_row *skip(const struct rj_crdt *v, const struct rj_row *place,
                                 struct rj_bytes keys, struct rj_bytes prefix)
{
    while (place != NULL && rj_bytes_starts_with(rj_row_place(place), prefix))
        place = rj_place_next(&v->rows, place, keys);
    return place;
}

/* The next leaf that is alive, from *place on, which goes behind it. */
static bool next_leaf(const struct rj_crdt *v, struct rj_bytes keys,
                      const struct rj_row **place, struct rj_where *w)
{
    while (*place != NULL && rj_place_get(rj_row_place(*place), w)) {
        *place = skip(v, *place, keys, w->prefix);
        if (rj_read_is_alive(v, w->type, w->prefix))
            return true;
    }
    return false;
}

/* What is below keys, n_keys of them. */
static void show_below(const struct rj_crdt *v, struct rj_bytes keys, size_t n_keys,
                       struct rj_buf *json)
{
    const struct rj_row *place = rj_rows_under(&v->rows, keys);
    struct path last = {.n = 0}, next;
    struct rj_where w;
    size_t i;

    rj_buf_u8(json, '{');
    while (next_leaf(v, keys, &place, &w)) {
        path_of(&w, n_keys, &next);
        /* A key with two types shows the one with the lesser number. */
        if (last.n > 0 && common(&last, &next) == last.n)
            continue;
        put_way(json, &last, &next);
        rj_read_json(v, w.type, w.prefix, json);
        last = next;
    }
    for (i = 1; i < last.n; i++)
        rj_buf_u8(json, '}');
    rj_buf_u8(json, '}');
}

static void show(const struct rj_crdt *v, struct rj_bytes prefix, struct rj_buf *json)
{
    show_below(v, prefix, 0, json);
}

/* A leaf above stands in the way. */
static bool is_hidden(const struct rj_crdt *v, struct rj_bytes keys)
{
    struct rj_reader r = rj_reader_of(keys);
    const uint8_t *start = r.ptr;
    struct rj_where w;

    for (;;) {
        struct rj_bytes above;
        const struct rj_row *place;

        (void)rj_cbor_get_bytes(&r);
        if (r.failed || rj_reader_left(&r) == 0)
            return false;
        above = rj_bytes_of(start, (size_t)(r.ptr - start));
        place = rj_rows_under(&v->rows, above);
        if (next_leaf(v, above, &place, &w) && w.keys.len == above.len)
            return true;
    }
}

void rj_ormap_show(const struct rj_crdt *v, struct rj_bytes keys, struct rj_buf *json)
{
    const struct rj_row *place = rj_rows_under(&v->rows, keys);
    struct rj_reader r = rj_reader_of(keys);
    struct rj_where w;
    size_t n = 0;

    for (; rj_reader_left(&r) > 0 && !r.failed; n++)
        (void)rj_cbor_get_bytes(&r);
    if (is_hidden(v, keys) || !next_leaf(v, keys, &place, &w))
        rj_buf_append_str(json, "null");
    else if (w.keys.len == keys.len)
        rj_read_json(v, w.type, w.prefix, json);
    else
        show_below(v, keys, n, json);
}

const struct rj_type rj_type_ormap = {
    .number = RJ_CRDT_ORMAP,
    .name = "ormap",
    .alone = true, /* a path leads through maps */
    .walks = true,
    .change = change,
    .show = show,
};
