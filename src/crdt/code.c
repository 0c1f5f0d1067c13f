/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a value (doc/crdt.md, "Format"): names once, dots as gaps and lengths, rows as
 * columns in the order of dots, so that what neighbours share costs nothing: equal
 * lengths, consecutive dots. One value has one encoding: numbers of names follow their
 * order, and everything follows the numbers. */
#include "crdt/code.h"

#include "base/cbor.h"
#include "causal/spans.h"
#include "crdt/agree.h"
#include "crdt/seq.h"

/* ---- names by number */

struct numbers {
    uint32_t *index;  /* number -> index */
    uint32_t *number; /* index -> number; of sequences alone */
    uint32_t n, size;
    const struct rj_allocator *allocator;
};

static void numbers_done(struct numbers *num)
{
    rj_mem_free(num->allocator, num->index, num->size * sizeof(uint32_t) + 1);
    rj_mem_free(num->allocator, num->number, num->size * sizeof(uint32_t) + 1);
}

static void use_names(struct numbers *num, const struct rj_dots *d)
{
    struct rj_dots_walk w = rj_dots_walk_of(d);
    struct rj_span span;

    while (rj_dots_next(&w, &span))
        num->number[span.origin] = 1;
}

/* Numbers the replicas that are told of, in the order of names. */
static enum rj_err numbers_init(struct numbers *num, const struct rj_telling *t)
{
    const struct rj_roster *names = t->v->names;
    const struct rj_map_node *node;
    size_t i;

    *num = (struct numbers){.size = names->n, .allocator = t->v->allocator};
    num->index = rj_mem_new(num->allocator, num->size * sizeof(uint32_t) + 1);
    num->number = rj_mem_new(num->allocator, num->size * sizeof(uint32_t) + 1);
    if (num->index == NULL || num->number == NULL)
        return RJ_ENOMEM;
    memset(num->number, 0, num->size * sizeof(uint32_t));
    use_names(num, t->seen);
    for (i = 0; i < t->n_held; i++)
        use_names(num, &t->held[i].dots);
    use_names(num, &t->v->horizon);
    for (i = 0; i < t->v->heirs.n; i++) {
        num->number[t->v->heirs.items[i].name] = 1;
        num->number[t->v->heirs.items[i].heir] = 1;
    }
    rj_seq_use_names(t->v, num->number);
    for (node = rj_map_first(&names->map); node != NULL; node = rj_map_next(node)) {
        uint32_t index = RJ_MAP_ENTRY_CONST(node, struct rj_replica, node)->index;

        if (num->number[index] != 0) {
            num->number[index] = num->n;
            num->index[num->n++] = index;
        }
    }
    return RJ_OK;
}

static void put_names(const struct numbers *num, const struct rj_roster *names,
                      struct rj_buf *out)
{
    uint32_t i;

    rj_cbor_put_array(out, num->n);
    for (i = 0; i < num->n; i++)
        rj_cbor_put_bytes(out, rj_roster_get(names, num->index[i]));
}

/* ---- columns: byte strings whose length is known at their end */

/* Where its content begins: behind a head of one byte. */
static size_t open_bytes(struct rj_buf *out)
{
    rj_buf_u8(out, 0);
    return out->len;
}

static void close_bytes(struct rj_buf *out, size_t begun)
{
    uint8_t head[RJ_CBOR_HEAD_MAX];
    size_t len = out->len - begun, n = rj_cbor_head(head, RJ_CBOR_BYTES, len);

    if (n > 1 && rj_buf_reserve(out, n - 1) != NULL) { /* it needs a longer one */
        memmove(out->ptr + begun + n - 1, out->ptr + begun, len);
        rj_buf_commit(out, n - 1);
    }
    if (!out->failed)
        memcpy(out->ptr + begun - 1, head, n);
}

static void put_dots(const struct numbers *num, const struct rj_dots *d,
                     struct rj_buf *out)
{
    size_t begun = open_bytes(out);
    uint32_t i;

    for (i = 0; i < num->n; i++) {
        uint32_t origin = num->index[i];
        struct rj_dots_walk first = rj_dots_walk_from(d, origin, 0), w = first;
        struct rj_spans_head head = {.next = 1};
        struct rj_spans_writer writer;
        struct rj_span span;

        while (rj_dots_next(&w, &span) && span.origin == origin)
            rj_spans_count(&head, &span);
        writer = rj_spans_put_head(out, &head);
        for (w = first; writer.left > 0 && rj_dots_next(&w, &span);)
            rj_spans_put(&writer, &span);
        rj_spans_end(&writer, out);
    }
    close_bytes(out, begun);
}

/* The rows that are told, in the order of (name, sequence). */
struct source {
    const struct rj_telling *t;
    const struct numbers *num;
    struct rj_dots dots; /* theirs */
    struct rj_dots_walk spans;
    struct rj_row_walk walk;
    uint32_t number; /* of names that were begun */
};

static const struct rj_row *next_row(struct source *s)
{
    const struct rj_row *row = rj_row_walk_next(&s->walk);

    while (row == NULL) {
        struct rj_span span;

        if (s->number > 0 && rj_dots_next(&s->spans, &span) &&
            span.origin == s->num->index[s->number - 1]) {
            s->walk = rj_row_walk_of(s->t->rows, span);
            row = rj_row_walk_next(&s->walk);
        } else if (s->number < s->num->n) {
            s->spans = rj_dots_walk_from(&s->dots, s->num->index[s->number++], 0);
        } else {
            break;
        }
    }
    return row;
}

static void begin(struct source *s)
{
    s->walk = (struct rj_row_walk){.rows = s->t->rows};
    s->number = 0;
}

static size_t length_of(const struct rj_row *row, bool of_payload)
{
    return of_payload ? rj_row_payload(row).len : rj_row_place(row).len;
}

/* A column of numbers, equal neighbours together: value, how many more. */
static void put_lengths(struct source *s, bool of_payload, struct rj_buf *out)
{
    size_t begun = open_bytes(out), value = 0, run = 0, len;
    const struct rj_row *row;

    for (begin(s); (row = next_row(s)) != NULL; run++) {
        len = length_of(row, of_payload);
        if (run > 0 && len != value) {
            rj_buf_varint(out, value);
            rj_buf_varint(out, run - 1);
            run = 0;
        }
        value = len;
    }
    if (run > 0) {
        rj_buf_varint(out, value);
        rj_buf_varint(out, run - 1);
    }
    close_bytes(out, begun);
}

static void put_content(struct source *s, bool of_payload, struct rj_buf *out)
{
    size_t begun = open_bytes(out);
    const struct rj_row *row;

    for (begin(s); (row = next_row(s)) != NULL;)
        rj_buf_append(out, of_payload ? rj_row_payload(row) : rj_row_place(row));
    close_bytes(out, begun);
}

static enum rj_err put_rows(const struct rj_telling *t, const struct numbers *num,
                            struct rj_buf *out)
{
    struct rj_dots all = {.allocator = t->v->allocator};
    struct source s = {.t = t, .num = num};
    enum rj_err err = RJ_OK;

    if (t->which != NULL) {
        s.dots = *t->which; /* read only */
    } else {
        err = rj_rows_dots(t->rows, &all);
        s.dots = all;
    }
    if (err == RJ_OK) {
        rj_cbor_put_array(out, RJ_CODE_COLUMNS);
        put_dots(num, &s.dots, out);
        put_lengths(&s, false, out);
        put_lengths(&s, true, out);
        put_content(&s, false, out);
        put_content(&s, true, out);
    }
    rj_dots_done(&all);
    return err;
}

/* ---- what few values have */

/* Pairs of numbers, ascending by the first. */
static void put_heirs(const struct numbers *num, const struct rj_heirs *heirs,
                      struct rj_buf *out)
{
    size_t begun = open_bytes(out);
    uint32_t i, heir;

    for (i = 0; heirs->n > 0 && i < num->n; i++) {
        heir = rj_heirs_of(heirs, num->index[i]);
        if (heir == RJ_NAME_NONE)
            continue;
        rj_buf_varint(out, i);
        rj_buf_varint(out, num->number[heir]);
    }
    close_bytes(out, begun);
}

static void put_more(const struct rj_crdt *v, const struct numbers *num,
                     struct rj_buf *out)
{
    if (!rj_crdt_has_more(v))
        return;
    rj_cbor_put_array(out, 2);
    put_dots(num, &v->horizon, out);
    put_heirs(num, &v->heirs, out);
}

/* ---- the whole */

static void put_head(const struct rj_telling *t, const struct numbers *num, size_t items,
                     struct rj_buf *out)
{
    rj_cbor_put_array(out, items);
    rj_cbor_put_uint(out, RJ_CODE_FORMAT);
    rj_cbor_put_uint(out, t->v->fingerprint);
    put_names(num, t->v->names, out);
    put_dots(num, t->seen, out);
}

static enum rj_err put_value(const struct rj_telling *t, const struct numbers *num,
                             struct rj_buf *out)
{
    enum rj_err err;
    size_t i;

    put_head(t, num, RJ_CODE_VALUE + rj_crdt_has_more(t->v), out);
    err = t->v->type->elements == NULL
              ? put_rows(t, num, out)
              : rj_seq_put_rows(t->v, out, num->index, num->n, num->number);
    rj_cbor_put_array(out, t->n_held);
    for (i = 0; i < t->n_held; i++) {
        rj_cbor_put_array(out, 3);
        rj_cbor_put_bytes(out, rj_held_place(&t->held[i]));
        rj_cbor_put_bool(out, t->held[i].under);
        put_dots(num, &t->held[i].dots, out);
    }
    put_more(t->v, num, out);
    return err;
}

enum rj_err rj_code_tell(const struct rj_telling *t, struct rj_crdt_buf *ret)
{
    struct rj_buf out = rj_buf_open(ret);
    struct numbers num;
    enum rj_err err;

    if (rj_code_put_few(t, &out))
        return rj_buf_close(&out, ret);
    err = numbers_init(&num, t);
    if (err == RJ_OK)
        err = put_value(t, &num, &out);
    numbers_done(&num);
    if (err != RJ_OK)
        rj_buf_fail(&out, err);
    return rj_buf_close(&out, ret);
}

enum rj_err rj_code_encode(const struct rj_crdt *v, struct rj_crdt_buf *ret)
{
    struct rj_telling t = {
        .v = v, .seen = &v->seen, .rows = &v->rows, .held = v->held, .n_held = v->n_held};

    return rj_code_tell(&t, ret);
}

enum rj_err rj_crdt_digest(const struct rj_crdt *v, struct rj_crdt_buf *ret_digest)
{
    return rj_code_digest(v, true, ret_digest);
}

enum rj_err rj_code_digest(const struct rj_crdt *v, bool sums,
                           struct rj_crdt_buf *ret_digest)
{
    struct rj_telling t = {
        .v = v, .seen = &v->seen, .held = v->held, .n_held = v->n_held};
    struct rj_buf out = rj_buf_open(ret_digest);
    struct numbers num;
    enum rj_err err = numbers_init(&num, &t);
    struct rj_agree_names names = {num.index, num.n};
    bool has_sums = err == RJ_OK && sums && rj_agree_is_worth(v, &names);

    if (err == RJ_OK)
        put_head(&t, &num, RJ_CODE_DIGEST + (size_t)(v->horizon.n > 0 || has_sums), &out);
    if (err == RJ_OK && v->horizon.n > 0)
        put_dots(&num, &v->horizon, &out);
    if (has_sums) {
        size_t begun = open_bytes(&out);

        rj_agree_put(v, &names, &out);
        close_bytes(&out, begun);
    }
    numbers_done(&num);
    if (err != RJ_OK)
        rj_buf_fail(&out, err);
    return rj_buf_close(&out, ret_digest);
}
