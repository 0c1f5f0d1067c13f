/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of what is small, as most deltas are: few spans, few rows, nothing else. They
 * are those that code.c writes, in one go: the most that they can need is reserved
 * before, and nothing is asked for on the way. */
#include "base/cbor.h"
#include "causal/spans.h"
#include "crdt/code.h"

enum {
    FEW = RJ_ROWS_FEW, /* spans; rows */
    ROOM_MAX = 4096,   /* bytes of all rows */
    ROOM_HEADS = 128,  /* of all heads and numbers of one */
    ROOM_SPAN = 64,    /* most bytes of a span, of rows or seen */
    ROOM_ROW = 32,     /* of a row beside its bytes: lengths */
};

struct few {
    uint32_t names[FEW]; /* ascending by name */
    size_t n_names;
    const struct rj_row *rows[FEW]; /* by name and sequence */
    size_t n_rows;
    size_t sizes[2]; /* of all places, of all payloads */
};

/* ---- what is told */

/* The names of spans, sorted as they come. */
static void note_names(const struct rj_telling *t, struct few *f)
{
    size_t i, at;

    for (i = 0; i < t->seen->n; i++) {
        uint32_t origin = t->seen->spans[i].origin;

        if (i > 0 && t->seen->spans[i - 1].origin == origin)
            continue;
        for (at = f->n_names++; at > 0; at--) {
            if (rj_roster_compare(t->v->names, f->names[at - 1], origin) < 0)
                break;
            f->names[at] = f->names[at - 1];
        }
        f->names[at] = origin;
    }
}

static struct rj_bytes column_of(const struct rj_row *row, unsigned column)
{
    return column == 0 ? rj_row_place(row) : rj_row_payload(row);
}

/* False: they are more, or long. */
static bool note_rows(const struct rj_telling *t, struct few *f)
{
    const struct rj_row *rows[RJ_ROWS_FEW];
    size_t n, i, name;

    if (!rj_rows_few(t->rows, rows, &n))
        return false;
    for (name = 0; name < f->n_names; name++) {
        for (i = 0; i < n; i++) {
            if (rows[i]->origin == f->names[name])
                f->rows[f->n_rows++] = rows[i];
        }
    }
    for (i = 0; i < n; i++) {
        f->sizes[0] += column_of(rows[i], 0).len;
        f->sizes[1] += column_of(rows[i], 1).len;
    }
    return f->sizes[0] + f->sizes[1] <= ROOM_MAX;
}

/* ---- writing: p is where the next byte goes */

static uint8_t *put_head(uint8_t *p, enum rj_cbor_kind kind, uint64_t v)
{
    return p + rj_cbor_head(p, kind, v);
}

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

static uint8_t *put_bytes(uint8_t *p, struct rj_bytes b)
{
    if (b.len > 0)
        memcpy(p, b.ptr, b.len);
    return p + b.len;
}

/* The head of a byte string from begun on, where a byte is free for it, to p. */
static uint8_t *close_bytes(uint8_t *begun, uint8_t *p)
{
    uint8_t head[RJ_CBOR_HEAD_MAX];
    size_t len = (size_t)(p - begun) - 1, n;

    if (len < 24) {
        *begun = (uint8_t)(RJ_CBOR_BYTES << 5 | len);
        return p;
    }
    n = rj_cbor_head(head, RJ_CBOR_BYTES, len);
    memmove(begun + n, begun + 1, len);
    memcpy(begun, head, n);
    return begun + n + len;
}

/* n spans of one name. */
static uint8_t *put_spans(uint8_t *p, const struct rj_span *spans, size_t n)
{
    struct rj_buf out = {.ptr = p, .cap = ROOM_HEADS + ROOM_SPAN * FEW};
    struct rj_spans_head head = {.next = 1};
    struct rj_spans_writer w;
    size_t i;

    if (n == 1) {
        *p++ = 1;
        p = put_varint(p, spans->from - 1);
        return put_varint(p, spans->to - spans->from);
    }
    for (i = 0; i < n; i++)
        rj_spans_count(&head, &spans[i]);
    w = rj_spans_put_head(&out, &head); /* there is room */
    for (i = 0; i < n; i++)
        rj_spans_put(&w, &spans[i]);
    rj_spans_end(&w, &out);
    return out.ptr + out.len;
}

static uint8_t *put_seen(uint8_t *p, const struct few *f, const struct rj_dots *d)
{
    uint8_t *begun = p++;
    size_t i, first, n;

    for (i = 0; i < f->n_names; i++) {
        for (first = 0; d->spans[first].origin != f->names[i];)
            first++;
        for (n = 0; first + n < d->n && d->spans[first + n].origin == f->names[i];)
            n++;
        p = put_spans(p, d->spans + first, n);
    }
    return close_bytes(begun, p);
}

static uint8_t *put_row_dots(uint8_t *p, const struct few *f)
{
    uint8_t *begun = p++;
    size_t i, at = 0;

    for (i = 0; i < f->n_names; i++) {
        struct rj_span spans[FEW];
        size_t n = 0;

        for (; at < f->n_rows && f->rows[at]->origin == f->names[i]; at++) {
            uint64_t seq = rj_row_dot(f->rows[at]).seq;

            if (n > 0 && spans[n - 1].to + 1 == seq)
                spans[n - 1].to = seq;
            else
                spans[n++] = (struct rj_span){seq, seq, f->names[i]};
        }
        p = put_spans(p, spans, n);
    }
    return close_bytes(begun, p);
}

static uint8_t *put_lengths(uint8_t *p, const struct few *f, unsigned column)
{
    uint8_t *begun = p++;
    size_t i, end, len;

    for (i = 0; i < f->n_rows; i = end) {
        len = column_of(f->rows[i], column).len;
        for (end = i + 1; end < f->n_rows; end++) {
            if (column_of(f->rows[end], column).len != len)
                break;
        }
        p = put_varint(p, len);
        *p++ = (uint8_t)(end - i - 1);
    }
    return close_bytes(begun, p);
}

static uint8_t *put_content(uint8_t *p, const struct few *f, unsigned column)
{
    size_t i;

    p = put_head(p, RJ_CBOR_BYTES, f->sizes[column]);
    for (i = 0; i < f->n_rows && f->sizes[column] > 0; i++)
        p = put_bytes(p, column_of(f->rows[i], column));
    return p;
}

static uint8_t *put_all(uint8_t *p, const struct rj_telling *t, const struct few *f)
{
    unsigned column;
    size_t i;

    p = put_head(p, RJ_CBOR_ARRAY, RJ_CODE_VALUE);
    p = put_head(p, RJ_CBOR_UINT, RJ_CODE_FORMAT);
    p = put_head(p, RJ_CBOR_UINT, t->v->fingerprint);
    p = put_head(p, RJ_CBOR_ARRAY, f->n_names);
    for (i = 0; i < f->n_names; i++) {
        struct rj_bytes name = rj_roster_get(t->v->names, f->names[i]);

        p = put_bytes(put_head(p, RJ_CBOR_BYTES, name.len), name);
    }
    p = put_seen(p, f, t->seen);
    p = put_head(p, RJ_CBOR_ARRAY, RJ_CODE_COLUMNS);
    p = put_row_dots(p, f);
    for (column = 0; column < 2; column++)
        p = put_lengths(p, f, column);
    for (column = 0; column < 2; column++)
        p = put_content(p, f, column);
    return put_head(p, RJ_CBOR_ARRAY, 0); /* held removals */
}

bool rj_code_put_few(const struct rj_telling *t, struct rj_buf *out)
{
    struct few f;
    uint8_t *room, *end;
    size_t most;

    if (t->which != NULL || t->n_held > 0 || t->seen->n > FEW || t->seen->packs != NULL ||
        t->v->type->elements != NULL || rj_crdt_has_more(t->v))
        return false;
    f.n_names = f.n_rows = f.sizes[0] = f.sizes[1] = 0;
    note_names(t, &f);
    if (!note_rows(t, &f))
        return false;
    most = ROOM_HEADS + (ROOM_ROW + ROOM_SPAN) * f.n_rows + ROOM_SPAN * t->seen->n +
           (RJ_CRDT_NAME_MAX + RJ_CBOR_HEAD_MAX) * f.n_names + f.sizes[0] + f.sizes[1];
    room = rj_buf_reserve(out, most);
    if (room != NULL) {
        end = put_all(room, t, &f);
        rj_buf_commit(out, (size_t)(end - room));
    }
    return true;
}
