/* SPDX-License-Identifier: Apache-2.0 */
/* Patches for who watches a value. A join notes each place that it is going to touch with
 * what it shows until then; asked for a patch, the value reads the first noted place
 * again and tells the difference. So nothing calls back, a place that changed often is
 * told once, and values that nobody watches pay nothing.
 *
 * What is one place: of sets and maps an element or key, of maps of maps the keys down to
 * a leaf, else the whole value. */
#include "crdt/watch.h"

#include "base/cbor.h"
#include "crdt/code.h"
#include "crdt/json.h"
#include "crdt/place.h"

struct noted {
    struct rj_map_node node;
    uint64_t join;           /* which one noted it */
    size_t key_len, old_len; /* both follow */
};

static struct noted *noted_of(struct rj_map_node *node)
{
    return node != NULL ? RJ_MAP_ENTRY(node, struct noted, node) : NULL;
}

static struct rj_bytes key_of(const struct noted *n)
{
    return rj_bytes_of(n + 1, n->key_len);
}

static struct rj_bytes old_of(const struct noted *n)
{
    return rj_bytes_of((const uint8_t *)(n + 1) + n->key_len, n->old_len);
}

static struct rj_bytes node_key(const struct rj_map_node *node)
{
    return key_of(RJ_MAP_ENTRY_CONST(node, struct noted, node));
}

static void free_noted(struct rj_crdt *v, struct noted *n)
{
    rj_mem_free(v->allocator, n, sizeof(*n) + n->key_len + n->old_len);
}

/* ---- what a place shows */

static bool is_map(const struct rj_crdt *v)
{
    return v->type->number == RJ_CRDT_ORMAP;
}

/* What a row at that place belongs to. */
static struct rj_bytes subject_of(const struct rj_crdt *v, struct rj_bytes place)
{
    struct rj_reader r = rj_reader_of(place);
    struct rj_where w;

    if (is_map(v))
        return rj_place_get(place, &w) ? w.keys : (struct rj_bytes){0};
    if (!rj_read_is_set(v->type))
        return (struct rj_bytes){0};
    return v->type->coded ? rj_cbor_get_bytes(&r) : place;
}

/* A count that leaves int64 is shown as null here: it must not refuse a join. */
static enum rj_err show(const struct rj_crdt *v, struct rj_bytes subject,
                        struct rj_buf *json)
{
    rj_buf_clear(json);
    if (is_map(v))
        rj_ormap_show(v, subject, json);
    else if (rj_read_is_set(v->type))
        rj_read_element(v, subject, json);
    else
        rj_read_json(v, v->type, subject, json);
    if (json->failed && json->err == RJ_ERANGE) {
        rj_buf_clear(json);
        rj_buf_append_str(json, "null");
    }
    return rj_buf_err(json);
}

/* ---- noting */

static enum rj_err note(struct rj_crdt *v, struct rj_bytes subject)
{
    struct rj_buf old = {.allocator = v->allocator};
    struct noted *n = NULL;
    enum rj_err err;

    if (rj_map_find(&v->watch->noted, subject) != NULL)
        return RJ_OK;
    err = show(v, subject, &old);
    if (err == RJ_OK) {
        n = rj_mem_new(v->allocator, sizeof(*n) + subject.len + old.len);
        err = n != NULL ? RJ_OK : RJ_ENOMEM;
    }
    if (err == RJ_OK) {
        n->join = v->watch->joins;
        n->key_len = subject.len;
        n->old_len = old.len;
        if (subject.len > 0)
            memcpy(n + 1, subject.ptr, subject.len);
        memcpy((uint8_t *)(n + 1) + subject.len, old.ptr, old.len);
        (void)!rj_map_insert(&v->watch->noted, &n->node);
    }
    rj_buf_done(&old);
    return err;
}

enum rj_err rj_watch_place(struct rj_crdt *v, struct rj_bytes place)
{
    return v->watch != NULL ? note(v, subject_of(v, place)) : RJ_OK;
}

/* Rows of v that other has seen and does not have. */
static enum rj_err note_gone(struct rj_crdt *v, const struct rj_crdt *other,
                             struct rj_span span, const uint32_t *map)
{
    uint32_t mine = map != NULL ? map[span.origin] : span.origin;
    const struct rj_row *row = rj_rows_from(&v->rows, (struct rj_dot){span.from, mine});
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL && row->origin == mine &&
           rj_row_dot(row).seq <= span.to;
         row = rj_rows_after(&v->rows, row)) {
        struct rj_dot there = {rj_row_dot(row).seq, span.origin};

        if (!rj_rows_told_has(other, there))
            err = note(v, subject_of(v, rj_row_place(row)));
    }
    return err;
}

static enum rj_err note_span(struct rj_crdt *v, const struct rj_span *span)
{
    const struct rj_row *row =
        rj_rows_from(&v->rows, (struct rj_dot){span->from, span->origin});
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL && row->origin == span->origin &&
           rj_row_dot(row).seq <= span->to;
         row = rj_rows_after(&v->rows, row))
        err = note(v, subject_of(v, rj_row_place(row)));
    return err;
}

/* Rows of other that v has not seen. */
static enum rj_err note_new(struct rj_crdt *v, const struct rj_crdt *other,
                            const uint32_t *map)
{
    struct rj_rows_told r = rj_rows_told_of(other);
    struct rj_told told;
    enum rj_err err = RJ_OK;

    while (err == RJ_OK && rj_rows_told_next(&r, &told)) {
        if (map != NULL)
            told.dot.origin = map[told.dot.origin];
        if (!rj_dots_has(&v->seen, told.dot))
            err = note(v, subject_of(v, told.place));
    }
    return err;
}

/* Places of v that removals of other are about. */
static enum rj_err note_held(struct rj_crdt *v, const struct rj_crdt *other)
{
    struct rj_held_told h = rj_held_told_of(other, v->allocator);
    enum rj_err err = RJ_OK;

    while (rj_held_told_next(&h, NULL, &err)) {
        const struct rj_row *place =
            h.under ? rj_rows_under(&v->rows, h.place) : rj_rows_place(&v->rows, h.place);

        while (err == RJ_OK && place != NULL) {
            err = note(v, subject_of(v, rj_row_place(place)));
            place = h.under ? rj_place_next(&v->rows, place, h.place) : NULL;
        }
    }
    rj_dots_done(&h.own);
    return err;
}

enum rj_err rj_watch_join(struct rj_crdt *v, const struct rj_crdt *other,
                          const uint32_t *map, const struct rj_dots *spent)
{
    const struct rj_bytes whole = {0};
    struct rj_dots_walk w;
    struct rj_span span;
    enum rj_err err = RJ_OK;

    if (v->watch == NULL || v->seq != NULL)
        return RJ_OK;
    v->watch->joins++;
    if (v->type->bare)
        return note(v, whole);
    for (w = rj_dots_walk_of(&other->seen); err == RJ_OK && rj_dots_next(&w, &span);)
        err = note_gone(v, other, span, map);
    for (w = rj_dots_walk_of(spent); err == RJ_OK && rj_dots_next(&w, &span);)
        err = note_span(v, &span);
    if (err == RJ_OK)
        err = note_new(v, other, map);
    return err == RJ_OK ? note_held(v, other) : err;
}

void rj_watch_undo(struct rj_crdt *v)
{
    struct rj_map_node *node = v->watch != NULL ? rj_map_first(&v->watch->noted) : NULL;
    struct rj_map_node *next;

    for (; node != NULL; node = next) {
        struct noted *n = noted_of(node);

        next = rj_map_next(node);
        if (n->join == v->watch->joins) {
            rj_map_remove(&v->watch->noted, node);
            free_noted(v, n);
        }
    }
}

/* ---- telling */

static void put_path(const struct rj_crdt *v, struct rj_bytes subject,
                     struct rj_buf *json)
{
    struct rj_reader r = rj_reader_of(subject);
    const char *comma = "";

    rj_buf_append_str(json, "{\"path\":[");
    if (!is_map(v) && rj_read_is_set(v->type))
        rj_json_put_str(json, subject);
    while (is_map(v) && rj_reader_left(&r) > 0) {
        rj_buf_append_str(json, comma);
        rj_json_put_str(json, rj_cbor_get_bytes(&r));
        comma = ",";
    }
    rj_buf_append_str(json, "],\"old\":");
}

/* The first noted place that shows something else now. */
static enum rj_err put_patch(struct rj_crdt *v, struct rj_buf *json)
{
    struct rj_buf now = {.allocator = v->allocator};
    enum rj_err err = RJ_OK;
    struct noted *n;
    bool told = false;

    while (err == RJ_OK && !told &&
           (n = noted_of(rj_map_first(&v->watch->noted))) != NULL) {
        err = show(v, key_of(n), &now);
        if (err == RJ_OK && !rj_bytes_equal(old_of(n), rj_buf_view(&now))) {
            put_path(v, key_of(n), json);
            rj_buf_append(json, old_of(n));
            rj_buf_append_str(json, ",\"new\":");
            rj_buf_append(json, rj_buf_view(&now));
            rj_buf_u8(json, '}');
            err = rj_buf_err(json);
            told = true;
        }
        if (err == RJ_OK) {
            rj_map_remove(&v->watch->noted, &n->node);
            free_noted(v, n);
        }
    }
    rj_buf_done(&now);
    return err == RJ_OK && !told ? RJ_ENOENT : err;
}

enum rj_err rj_crdt_patch(struct rj_crdt *v, struct rj_crdt_buf *ret_json)
{
    struct rj_buf out = rj_buf_open(ret_json);
    enum rj_err err = RJ_ENOENT;

    if (v->watch != NULL)
        err = v->seq != NULL ? rj_watch_seq_patch(v, &out) : put_patch(v, &out);
    if (err != RJ_OK)
        rj_buf_fail(&out, err);
    return rj_buf_close(&out, ret_json);
}

/* ---- on and off */

void rj_watch_free(struct rj_crdt *v)
{
    struct rj_map_node *node;

    if (v->watch == NULL)
        return;
    while ((node = rj_map_take_any(&v->watch->noted)) != NULL)
        free_noted(v, noted_of(node));
    rj_buf_done(&v->watch->shown);
    rj_buf_done(&v->watch->splices);
    rj_buf_done(&v->watch->inserted);
    rj_mem_free(v->allocator, v->watch, sizeof(*v->watch));
    v->watch = NULL;
}

enum rj_err rj_crdt_watch(struct rj_crdt *v, bool on)
{
    enum rj_err err = RJ_OK;

    if (!on)
        rj_watch_free(v);
    if (!on || v->watch != NULL)
        return RJ_OK;
    v->watch = rj_mem_new(v->allocator, sizeof(*v->watch));
    if (v->watch == NULL)
        return RJ_ENOMEM;
    *v->watch = (struct rj_watch){.shown.allocator = v->allocator,
                                  .splices.allocator = v->allocator,
                                  .inserted.allocator = v->allocator};
    rj_map_init(&v->watch->noted, node_key);
    if (v->seq != NULL)
        err = rj_watch_seq_start(v);
    if (err != RJ_OK)
        rj_watch_free(v);
    return err;
}
