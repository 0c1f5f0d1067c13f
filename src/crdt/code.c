/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a value (doc/crdt.md, "Format"): names once, dots as gaps and lengths, rows as
 * columns in the order of dots, so that what neighbours share costs nothing: equal
 * lengths, consecutive dots. One value has one encoding: numbers of names follow their
 * order, and everything follows the numbers. */
#include "base/cbor.h"
#include "crdt/seq.h"

enum { FORMAT = 1, VALUE_ITEMS = 6, DIGEST_ITEMS = 4 };

/* ---- names by number */

struct numbers {
    uint32_t *index;  /* number -> index */
    uint32_t *number; /* index -> number */
    uint32_t n, n_index;
    const struct rj_allocator *allocator;
};

static void numbers_done(struct numbers *num)
{
    rj_mem_free(num->allocator, num->index, num->n_index * sizeof(uint32_t) + 1);
    rj_mem_free(num->allocator, num->number, num->n_index * sizeof(uint32_t) + 1);
}

static void use_names(struct numbers *num, const struct rj_dots *d)
{
    size_t i;

    for (i = 0; i < d->n; i++)
        num->number[d->spans[i].origin] = 1;
}

/* Numbers the replicas that v's dots name, in the order of names. */
static enum rj_err numbers_init(struct numbers *num, const struct rj_crdt *v)
{
    const struct rj_map_node *node;
    size_t i;

    *num = (struct numbers){.n_index = v->names->n, .allocator = v->allocator};
    num->index = rj_mem_new(v->allocator, num->n_index * sizeof(uint32_t) + 1);
    num->number = rj_mem_new(v->allocator, num->n_index * sizeof(uint32_t) + 1);
    if (num->index == NULL || num->number == NULL)
        return RJ_ENOMEM;
    memset(num->number, 0, num->n_index * sizeof(uint32_t));
    use_names(num, &v->seen);
    for (i = 0; i < v->n_held; i++)
        use_names(num, &v->held[i].dots);
    rj_seq_use_names(v, num->number);
    for (node = rj_map_first(&v->names->map); node != NULL; node = rj_map_next(node)) {
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

/* ---- writing */

/* For each number: how many spans; for each of them the gap before it and its length,
 * both one less where they cannot be 0. */
static void put_dots(const struct numbers *num, const struct rj_dots *d,
                     struct rj_buf *out)
{
    struct rj_buf b = {.allocator = out->allocator};
    uint32_t i;

    for (i = 0; i < num->n; i++) {
        size_t first = rj_dots_at(d, num->index[i], 0), end = first;
        uint64_t next = 1;

        while (end < d->n && d->spans[end].origin == num->index[i])
            end++;
        rj_buf_varint(&b, end - first);
        for (; first < end; first++) {
            rj_buf_varint(&b, d->spans[first].from - next);
            rj_buf_varint(&b, d->spans[first].to - d->spans[first].from);
            next = d->spans[first].to + 2;
        }
    }
    rj_cbor_put_bytes(out, rj_buf_view(&b));
    if (b.failed)
        rj_buf_fail(out, rj_buf_err(&b));
    rj_buf_done(&b);
}

/* A column of numbers, equal neighbours together: value, how many more. */
struct column {
    struct rj_buf b;
    uint64_t value, run;
};

static void column_flush(struct column *c)
{
    if (c->run == 0)
        return;
    rj_buf_varint(&c->b, c->value);
    rj_buf_varint(&c->b, c->run - 1);
}

static void column_add(struct column *c, uint64_t value)
{
    if (c->run == 0 || c->value != value) {
        column_flush(c);
        c->value = value;
        c->run = 0;
    }
    c->run++;
}

static void column_put(struct column *c, struct rj_buf *out)
{
    column_flush(c);
    rj_cbor_put_bytes(out, rj_buf_view(&c->b));
    if (c->b.failed)
        rj_buf_fail(out, rj_buf_err(&c->b));
    rj_buf_done(&c->b);
}

/* The rows of one origin into the columns, their dots into dots. */
static enum rj_err gather(const struct rj_crdt *v, uint32_t origin, struct column *cols,
                          struct rj_dots *dots)
{
    const struct rj_row *row = rj_rows_from(&v->rows, (struct rj_dot){.origin = origin});
    enum rj_err err = RJ_OK;

    for (; err == RJ_OK && row != NULL && row->origin == origin;
         row = rj_rows_after(&v->rows, row)) {
        struct rj_told told = rj_row_tell(row);

        err = rj_dots_note(dots, told.dot);
        column_add(&cols[0], told.place.len);
        column_add(&cols[1], told.payload.len);
        rj_buf_append(&cols[2].b, told.place);
        rj_buf_append(&cols[3].b, told.payload);
    }
    return err;
}

static enum rj_err put_rows(const struct rj_crdt *v, const struct numbers *num,
                            struct rj_buf *out)
{
    struct rj_dots dots = {.allocator = v->allocator};
    struct column cols[4];
    enum rj_err err = RJ_OK;
    uint32_t i;

    for (i = 0; i < 4; i++)
        cols[i] = (struct column){.b.allocator = v->allocator};
    for (i = 0; err == RJ_OK && i < num->n; i++)
        err = gather(v, num->index[i], cols, &dots);
    rj_cbor_put_array(out, 5);
    put_dots(num, &dots, out);
    for (i = 0; i < 4; i++)
        column_put(&cols[i], out);
    rj_dots_done(&dots);
    return err;
}

enum rj_err rj_code_put(const struct rj_crdt *v, struct rj_buf *out)
{
    struct numbers num;
    enum rj_err err = numbers_init(&num, v);
    size_t i;

    if (err == RJ_OK) {
        rj_cbor_put_array(out, VALUE_ITEMS);
        rj_cbor_put_uint(out, FORMAT);
        rj_cbor_put_uint(out, v->fingerprint);
        put_names(&num, v->names, out);
        put_dots(&num, &v->seen, out);
        err = v->type->elements == NULL
                  ? put_rows(v, &num, out)
                  : rj_seq_put_rows(v, out, num.index, num.n, num.number);
        rj_cbor_put_array(out, v->n_held);
        for (i = 0; i < v->n_held; i++) {
            rj_cbor_put_array(out, 3);
            rj_cbor_put_bytes(out, rj_held_place(&v->held[i]));
            rj_cbor_put_bool(out, v->held[i].under);
            put_dots(&num, &v->held[i].dots, out);
        }
    }
    numbers_done(&num);
    return err == RJ_OK ? rj_buf_err(out) : err;
}

enum rj_err rj_code_put_digest(const struct rj_crdt *v, struct rj_buf *out)
{
    struct numbers num;
    enum rj_err err = numbers_init(&num, v);

    if (err == RJ_OK) {
        rj_cbor_put_array(out, DIGEST_ITEMS);
        rj_cbor_put_uint(out, FORMAT);
        rj_cbor_put_uint(out, v->fingerprint);
        put_names(&num, v->names, out);
        put_dots(&num, &v->seen, out);
    }
    numbers_done(&num);
    return err == RJ_OK ? rj_buf_err(out) : err;
}

/* ---- reading */

/* number -> index of the names in a message */
struct dict {
    uint32_t *index;
    size_t n;
    const struct rj_allocator *allocator;
};

static void dict_done(struct dict *dict)
{
    rj_mem_free(dict->allocator, dict->index, dict->n * sizeof(uint32_t) + 1);
}

static enum rj_err get_names(struct rj_reader *r, struct rj_roster *names,
                             struct dict *dict)
{
    size_t n = rj_cbor_get_array(r), i;
    struct rj_bytes last = {0}, name;
    enum rj_err err = RJ_OK;

    if (n > RJ_CRDT_REPLICAS_MAX)
        return RJ_ELIMIT;
    dict->n = n;
    dict->index = rj_mem_new(dict->allocator, n * sizeof(uint32_t) + 1);
    if (dict->index == NULL)
        return RJ_ENOMEM;
    for (i = 0; err == RJ_OK && i < n; i++) {
        name = rj_cbor_get_bytes(r);
        if (r->failed || name.len == 0 || name.len > RJ_CRDT_NAME_MAX ||
            (i > 0 && rj_bytes_compare(last, name) >= 0))
            return RJ_ECORRUPT;
        err = rj_roster_add(names, name, &dict->index[i]);
        last = name;
    }
    return err;
}

static enum rj_err get_spans(struct rj_reader *r, uint32_t origin, struct rj_dots *d)
{
    uint64_t n = rj_reader_varint(r), next = 1, i;
    enum rj_err err = RJ_OK;

    if (n > rj_reader_left(r))
        return RJ_ECORRUPT;
    if (n > RJ_CRDT_SPANS_MAX - d->n)
        return RJ_ELIMIT;
    for (i = 0; err == RJ_OK && i < n; i++) {
        uint64_t gap = rj_reader_varint(r), more = rj_reader_varint(r);
        struct rj_span span = {.origin = origin};

        if (r->failed || gap > RJ_SEQ_MAX || more > RJ_SEQ_MAX ||
            next + gap > RJ_SEQ_MAX - more)
            return RJ_ECORRUPT;
        span.from = next + gap;
        span.to = span.from + more;
        next = span.to + 2;
        err = rj_dots_add(d, span);
    }
    return err;
}

static enum rj_err get_dots(struct rj_reader *r, const struct dict *dict,
                            struct rj_dots *d)
{
    struct rj_reader in = rj_reader_of(rj_cbor_get_bytes(r));
    enum rj_err err = r->failed ? RJ_ECORRUPT : RJ_OK;
    size_t i;

    for (i = 0; err == RJ_OK && i < dict->n; i++)
        err = get_spans(&in, dict->index[i], d);
    if (err == RJ_OK && !rj_reader_complete(&in))
        err = RJ_ECORRUPT;
    return err;
}

struct column_reader {
    struct rj_reader r;
    uint64_t value, left;
    bool started;
};

static uint64_t column_next(struct column_reader *c)
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

struct rows_reader {
    struct column_reader place_len, payload_len;
    struct rj_reader places, payloads;
};

static enum rj_err get_row(struct rj_crdt *v, struct rows_reader *in, struct rj_dot dot)
{
    uint64_t place_len = column_next(&in->place_len);
    uint64_t payload_len = column_next(&in->payload_len);
    const struct rj_type *type;
    enum rj_contest contest;
    struct rj_told told = {.dot = dot};
    struct rj_bytes rest;
    const struct rj_row *row;
    enum rj_err err;

    if (place_len > rj_reader_left(&in->places) ||
        payload_len > rj_reader_left(&in->payloads))
        return RJ_ECORRUPT;
    told.place = rj_reader_bytes(&in->places, (size_t)place_len);
    told.payload = rj_reader_bytes(&in->payloads, (size_t)payload_len);
    if (in->place_len.r.failed || in->payload_len.r.failed)
        return RJ_ECORRUPT;
    type = rj_type_at(v, told.place, &rest);
    if (type == NULL || type->bare || told.payload.len > RJ_CRDT_VALUE_MAX ||
        !(type->is_sound != NULL ? type->is_sound(rest, told.payload)
                                 : rest.len <= RJ_CRDT_KEY_MAX && told.payload.len == 0))
        return RJ_ECORRUPT;
    contest = rj_place_contest(v, told.place, &type);
    row = contest != RJ_CONTEST_NONE ? rj_rows_place(&v->rows, told.place) : NULL;
    for (; row != NULL; row = rj_row_next(&v->rows, row)) {
        if (contest == RJ_CONTEST_ALL || row->origin == dot.origin)
            return RJ_ECORRUPT; /* one of them would have gone */
    }
    err = rj_rows_put(&v->rows, &told, NULL);
    return err;
}

static struct column_reader column_of(struct rj_reader *r)
{
    return (struct column_reader){.r = rj_reader_of(rj_cbor_get_bytes(r))};
}

/* The rows of one replica, which the message numbers by name, the value as it likes. */
static enum rj_err get_rows_of(struct rj_crdt *v, struct rows_reader *in,
                               const struct rj_dots *dots, uint32_t origin)
{
    size_t i = rj_dots_at(dots, origin, 0);
    enum rj_err err = RJ_OK;
    uint64_t seq;

    for (; err == RJ_OK && i < dots->n && dots->spans[i].origin == origin; i++) {
        for (seq = dots->spans[i].from; err == RJ_OK && seq <= dots->spans[i].to; seq++)
            err = get_row(v, in, (struct rj_dot){seq, origin});
    }
    return err;
}

static enum rj_err get_rows(struct rj_crdt *v, struct rj_reader *r,
                            const struct dict *dict)
{
    struct rj_dots dots = {.allocator = v->allocator};
    struct rows_reader in;
    enum rj_err err;
    size_t i;

    rj_cbor_expect_array(r, 5);
    err = get_dots(r, dict, &dots);
    in.place_len = column_of(r);
    in.payload_len = column_of(r);
    in.places = rj_reader_of(rj_cbor_get_bytes(r));
    in.payloads = rj_reader_of(rj_cbor_get_bytes(r));
    if (err == RJ_OK &&
        (r->failed || !rj_dots_within(&dots, &v->seen) ||
         rj_dots_count(&dots) > rj_reader_left(&in.places) +
                                    rj_reader_left(&in.payloads) + dict->n + dots.n))
        err = RJ_ECORRUPT; /* where neighbours stand at one place, a dot lies between */
    for (i = 0; err == RJ_OK && i < dict->n; i++)
        err = get_rows_of(v, &in, &dots, dict->index[i]);
    if (err == RJ_OK &&
        !(rj_reader_complete(&in.places) && rj_reader_complete(&in.payloads) &&
          rj_reader_complete(&in.place_len.r) && in.place_len.left == 0 &&
          rj_reader_complete(&in.payload_len.r) && in.payload_len.left == 0))
        err = RJ_ECORRUPT;
    rj_dots_done(&dots);
    return err;
}

static enum rj_err get_held(struct rj_crdt *v, struct rj_reader *r,
                            const struct dict *dict)
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
        err = get_dots(r, dict, &dots);
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

/* The head that values and digests share. */
static enum rj_err get_head(const struct rj_crdt *v, struct rj_reader *r, size_t items)
{
    size_t n = rj_cbor_get_array(r);
    uint64_t format = rj_cbor_get_uint(r);

    if (!r->failed && format != FORMAT)
        return RJ_EVERSION;
    if (r->failed || n != items)
        return RJ_ECORRUPT;
    if (rj_cbor_get_uint(r) != v->fingerprint)
        return r->failed ? RJ_ECORRUPT : RJ_EUPGRADE;
    return RJ_OK;
}

enum rj_err rj_code_get(struct rj_crdt *v, struct rj_bytes bytes)
{
    struct rj_reader r = rj_reader_of(bytes);
    struct dict dict = {.allocator = v->allocator};
    enum rj_err err = get_head(v, &r, VALUE_ITEMS);

    if (err == RJ_OK)
        err = get_names(&r, v->names, &dict);
    if (err == RJ_OK)
        err = get_dots(&r, &dict, &v->seen);
    if (err == RJ_OK && v->type->is_context != NULL && !v->type->is_context(&v->seen))
        err = RJ_ECORRUPT;
    if (err == RJ_OK)
        err = v->type->elements == NULL ? get_rows(v, &r, &dict)
                                        : rj_seq_get_rows(v, &r, (uint32_t)dict.n);
    if (err == RJ_OK)
        err = get_held(v, &r, &dict);
    if (err == RJ_OK && !rj_reader_complete(&r))
        err = RJ_ECORRUPT;
    dict_done(&dict);
    return err;
}

enum rj_err rj_code_get_digest(const struct rj_crdt *v, struct rj_bytes bytes,
                               struct rj_dots *ret_seen)
{
    struct rj_reader r = rj_reader_of(bytes);
    struct dict dict = {.allocator = v->allocator};
    enum rj_err err = get_head(v, &r, DIGEST_ITEMS);

    if (err == RJ_OK)
        err = get_names(&r, v->names, &dict);
    if (err == RJ_OK)
        err = get_dots(&r, &dict, ret_seen);
    if (err == RJ_OK && !rj_reader_complete(&r))
        err = RJ_ECORRUPT;
    dict_done(&dict);
    return err;
}
