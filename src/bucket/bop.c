/* SPDX-License-Identifier: Apache-2.0 */
/* What a decoded write holds, and its encoding. All operations share one order of fields;
 * a table says which of them has which. The encoding is deterministic: numbers of the
 * dictionary ascend, what is empty has one form. */
#include "bucket/bop.h"

#include "base/alloc.h"
#include "base/cbor.h"
#include "bucket/bop_layout.h"

void rj_bop_clear(struct rj_bop *op)
{
    memset(op, 0, offsetof(struct rj_bop, carried)); /* all but the arrays */
    op->carried.n = 0;
    op->resets.n = 0;
    op->whole.place.n = 0;
    op->whole.fields.n = 0;
    op->whole.n_names = 0;
    rj_seen_clear(&op->seen);
    rj_seen_clear(&op->whole.seen);
    rj_seen_clear(&op->bounds);
    rj_seen_clear(&op->sorted);
}

void rj_bop_done(struct rj_bop *op)
{
    free(op->carried.items);
    free(op->resets.items);
    free(op->whole.place.items);
    free(op->whole.fields.items);
    free(op->whole.names);
    rj_seen_done(&op->seen);
    rj_seen_done(&op->whole.seen);
    rj_seen_done(&op->bounds);
    rj_seen_done(&op->sorted);
    *op = (struct rj_bop){0};
}

/* Room for one more in an array of n items of size bytes. */
static enum rj_err grow(void **items, size_t *cap, size_t n, size_t size)
{
    size_t wider = *cap != 0 ? *cap * 2 : 8;
    void *p;

    if (n >= RJ_BOP_RUNS_MAX)
        return RJ_ELIMIT;
    if (n < *cap)
        return RJ_OK;
    p = rj_alloc_resize(*items, wider, size);
    if (p == NULL)
        return RJ_ENOMEM;
    *items = p;
    *cap = wider;
    return RJ_OK;
}

enum rj_err rj_resets_add(struct rj_resets *r, const struct rj_reset *reset)
{
    void *items = r->items;
    enum rj_err err = grow(&items, &r->cap, r->n, sizeof(*r->items));

    r->items = items;
    if (err == RJ_OK)
        r->items[r->n++] = *reset;
    return err;
}

enum rj_err rj_carried_add(struct rj_carried *c, const struct rj_run *run)
{
    void *items = c->items;
    enum rj_err err = grow(&items, &c->cap, c->n, sizeof(*c->items));

    c->items = items;
    if (err == RJ_OK)
        c->items[c->n++] = *run;
    return err;
}

enum rj_err rj_whole_field(struct rj_whole *whole, struct rj_bytes name)
{
    void *names = whole->names;
    enum rj_err err =
        grow(&names, &whole->cap_names, whole->n_names, sizeof(*whole->names));

    whole->names = names;
    if (err == RJ_OK)
        whole->names[whole->n_names++] =
            (struct rj_field_resets){.name = name, .from = whole->fields.n};
    return err;
}

bool rj_whole_is_empty(const struct rj_whole *whole)
{
    return whole->seen.n == 0 && whole->place.n == 0 && whole->n_names == 0;
}

/* ---- sizes: the most that each part can take */

enum {
    ROOM_FIXED = 256,  /* heads, single numbers */
    ROOM_PAIR = 14,
    ROOM_RESET = 5 * 9,
    ROOM_CARRIED = 6 * 9,
    ROOM_NAME = 5 + 5
};

size_t rj_bop_room(const struct rj_bop *op)
{
    size_t pairs = op->seen.n + op->whole.seen.n + op->bounds.n;
    size_t resets = op->resets.n + op->whole.place.n + op->whole.fields.n;
    size_t room = ROOM_FIXED + op->key.len + op->name.len + op->value.len, i;

    room += pairs * ROOM_PAIR + resets * ROOM_RESET + op->carried.n * ROOM_CARRIED;
    for (i = 0; i < op->whole.n_names; i++)
        room += ROOM_NAME + op->whole.names[i].name.len;
    return room;
}

/* ---- numbers of origins */

static enum rj_err number_seen(const struct rj_seen *seen, struct rj_writer *w)
{
    enum rj_err err = RJ_OK;
    uint32_t number;
    size_t i;

    for (i = 0; err == RJ_OK && i < seen->n; i++)
        err = rj_writer_dict(w, seen->pairs[i].origin, &number);
    return err;
}

static enum rj_err number_resets(const struct rj_resets *resets, struct rj_writer *w)
{
    enum rj_err err = RJ_OK;
    uint32_t number;
    size_t i;

    for (i = 0; err == RJ_OK && i < resets->n; i++)
        err = rj_writer_dict(w, resets->items[i].origin, &number);
    return err;
}

enum rj_err rj_bop_names(struct rj_bop *op, struct rj_writer *w)
{
    enum rj_err err = number_seen(&op->seen, w);
    uint32_t number;
    size_t i;

    if (err == RJ_OK)
        err = rj_seen_reserve(&op->seen, op->seen.n + 1);
    if (err == RJ_OK)
        err = rj_seen_reserve(&op->sorted,
                              op->seen.n + op->whole.seen.n + op->bounds.n + 1);
    if (err == RJ_OK)
        err = number_seen(&op->whole.seen, w);
    if (err == RJ_OK)
        err = number_seen(&op->bounds, w);
    if (err == RJ_OK)
        err = number_resets(&op->resets, w);
    if (err == RJ_OK)
        err = number_resets(&op->whole.place, w);
    if (err == RJ_OK)
        err = number_resets(&op->whole.fields, w);
    if (err == RJ_OK && op->base.seq != 0)
        err = rj_writer_dict(w, op->base.origin, &number);
    if (err == RJ_OK && op->touched_setter.dot.seq != 0)
        err = rj_writer_dict(w, op->touched_setter.dot.origin, &number);
    for (i = 0; err == RJ_OK && i < op->carried.n; i++)
        err = rj_writer_dict(w, op->carried.items[i].d.origin, &number);
    return err;
}

/* ---- encoding. Every origin has its number already (rj_bop_names). */

static uint32_t number_of(struct rj_writer *w, uint32_t origin)
{
    uint32_t number = 0;

    if (rj_writer_dict(w, origin, &number) != RJ_OK)
        rj_buf_fail(&w->ops, RJ_ENOMEM);
    return number;
}

static void put_dot(struct rj_writer *w, struct rj_dot dot)
{
    rj_cbor_put_uint(&w->ops, number_of(w, dot.origin));
    rj_cbor_put_uint(&w->ops, dot.seq);
}

static void put_seen(struct rj_bop *op, const struct rj_seen *seen, struct rj_writer *w)
{
    size_t i;

    rj_cbor_put_array(&w->ops, 2 * seen->n);
    if (seen->n == 1) {
        put_dot(w, (struct rj_dot){seen->pairs[0].seq, seen->pairs[0].origin});
        return;
    }
    rj_seen_clear(&op->sorted);
    for (i = 0; i < seen->n; i++) {
        struct rj_dot by_number = {.seq = seen->pairs[i].seq,
                                   .origin = number_of(w, seen->pairs[i].origin)};

        if (rj_seen_add(&op->sorted, by_number) != RJ_OK)
            rj_buf_fail(&w->ops, RJ_ENOMEM);
    }
    for (i = 0; i < op->sorted.n; i++) {
        rj_cbor_put_uint(&w->ops, op->sorted.pairs[i].origin);
        rj_cbor_put_uint(&w->ops, op->sorted.pairs[i].seq);
    }
}

static int compare_resets(const void *a, const void *b)
{
    const struct rj_reset *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

static void put_resets(struct rj_reset *resets, size_t n, struct rj_writer *w)
{
    size_t i;

    for (i = 0; i < n; i++)
        resets[i].number = number_of(w, resets[i].origin);
    if (n > 1)
        qsort(resets, n, sizeof(*resets), compare_resets);
    rj_cbor_put_array(&w->ops, 5 * n);
    for (i = 0; i < n; i++) {
        rj_cbor_put_uint(&w->ops, resets[i].number);
        rj_cbor_put_uint(&w->ops, resets[i].epoch);
        rj_cbor_put_uint(&w->ops, resets[i].seq);
        rj_cbor_put_int(&w->ops, resets[i].cum);
        rj_cbor_put_uint(&w->ops, resets[i].deadline);
    }
}

static void put_whole(struct rj_bop *op, struct rj_writer *w)
{
    struct rj_whole *whole = &op->whole;
    size_t i;

    if (rj_whole_is_empty(whole)) {
        rj_cbor_put_null(&w->ops);
        return;
    }
    rj_cbor_put_array(&w->ops, 3);
    put_seen(op, &whole->seen, w);
    put_resets(whole->place.items, whole->place.n, w);
    rj_cbor_put_array(&w->ops, 2 * whole->n_names);
    for (i = 0; i < whole->n_names; i++) {
        const struct rj_field_resets *field = &whole->names[i];

        rj_cbor_put_bytes(&w->ops, field->name);
        put_resets(whole->fields.items + field->from, field->n, w);
    }
}

static void put_incr(const struct rj_bop *op, struct rj_writer *w)
{
    struct rj_buf *ops = &w->ops;

    if (op->base.seq != 0) {
        rj_cbor_put_array(ops, 2);
        put_dot(w, op->base);
    } else {
        rj_cbor_put_null(ops);
    }
    rj_cbor_put_uint(ops, op->epoch);
    rj_cbor_put_uint(ops, op->prev);
    rj_cbor_put_int(ops, op->before);
    rj_cbor_put_int(ops, op->delta);
    if (op->floor_seq != 0) {
        rj_cbor_put_array(ops, 2);
        rj_cbor_put_uint(ops, op->floor_seq);
        rj_cbor_put_int(ops, op->floor_cum);
    } else {
        rj_cbor_put_null(ops);
    }
    if (!op->touch) {
        rj_cbor_put_null(ops);
        return;
    }
    rj_cbor_put_array(ops, 4);
    rj_cbor_put_uint(ops, op->touched_deadline);
    rj_cbor_put_uint(ops, op->touched_setter.dot.seq != 0
                              ? number_of(w, op->touched_setter.dot.origin)
                              : 0);
    rj_cbor_put_uint(ops, op->touched_setter.dot.seq);
    rj_cbor_put_uint(ops, op->touched_setter.stamp);
}

/* In a carried run d.stamp means nothing: it holds the number here. */
static int compare_carried(const void *a, const void *b)
{
    const struct rj_run *x = a, *y = b;

    if (x->d.stamp != y->d.stamp)
        return x->d.stamp < y->d.stamp ? -1 : 1;
    return (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

static void put_carried(struct rj_carried *carried, struct rj_writer *w)
{
    struct rj_buf *ops = &w->ops;
    size_t i;

    for (i = 0; i < carried->n; i++)
        carried->items[i].d.stamp = number_of(w, carried->items[i].d.origin);
    if (carried->n > 1)
        qsort(carried->items, carried->n, sizeof(*carried->items), compare_carried);
    rj_cbor_put_array(ops, 6 * carried->n);
    for (i = 0; i < carried->n; i++) {
        const struct rj_run *run = &carried->items[i];

        rj_cbor_put_uint(ops, run->d.stamp);
        rj_cbor_put_uint(ops, run->epoch);
        rj_cbor_put_uint(ops, run->d.seq);
        rj_cbor_put_int(ops, run->cum);
        rj_cbor_put_uint(ops, run->floor_seq);
        rj_cbor_put_int(ops, run->floor_cum);
    }
}

/* Appends b and returns where its bytes lie in ops. */
static size_t put_bytes(struct rj_buf *ops, struct rj_bytes b)
{
    rj_cbor_put_bytes(ops, b);
    return ops->len - (ops->failed ? 0 : b.len);
}

enum rj_err rj_bop_put(struct rj_bop *op, struct rj_writer *w)
{
    unsigned has = rj_bop_layout[op->code];
    struct rj_buf *ops = &w->ops;
    size_t key, name = 0, value = 0;
    enum rj_err err = rj_bop_names(op, w);

    if (err != RJ_OK || rj_buf_reserve(ops, rj_bop_room(op)) == NULL)
        return err != RJ_OK ? err : rj_buf_err(ops);
    if (op->bounds.n > 0) {
        rj_cbor_put_array(ops, 3);
        rj_cbor_put_uint(ops, RJ_BOP_AGAIN);
        put_seen(op, &op->bounds, w);
    }
    rj_cbor_put_array(ops, rj_bop_items(has));
    rj_cbor_put_uint(ops, (uint64_t)op->code);
    key = put_bytes(ops, op->key);
    if ((has & RJ_BOP_NAME) != 0 || ((has & RJ_BOP_MAY_NAME) != 0 && op->has_name))
        name = put_bytes(ops, op->name);
    else if ((has & RJ_BOP_MAY_NAME) != 0)
        rj_cbor_put_null(ops);
    if ((has & RJ_BOP_VALUE) != 0)
        value = put_bytes(ops, op->value);
    if ((has & RJ_BOP_RUN) != 0)
        put_incr(op, w);
    if ((has & RJ_BOP_RUNS) != 0)
        put_carried(&op->carried, w);
    if ((has & RJ_BOP_DEADLINE) != 0)
        rj_cbor_put_uint(ops, op->deadline);
    if ((has & RJ_BOP_SEEN) != 0)
        put_seen(op, &op->seen, w);
    if ((has & RJ_BOP_RESETS) != 0)
        put_resets(op->resets.items, op->resets.n, w);
    put_whole(op, w);
    if (ops->failed)
        return rj_buf_err(ops);
    op->key.ptr = ops->ptr + key;
    op->name.ptr = ops->ptr + name;
    op->value.ptr = ops->ptr + value;
    return RJ_OK;
}
