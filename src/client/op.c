/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on the wire: an array of the word and what the operation takes, one item for
 * each letter of its row. A result is [value], or the name of an error. */
#include "client/op.h"

#include "base/alloc.h"
#include "base/cbor.h"
#include "client/message.h"

static const struct rj_op_row rows[] = {
#define X(name, op_word, op_takes, op_gives)                                             \
    [RJ_OP_##name] = {.word = #op_word, .takes = op_takes, .gives = op_gives},
    RJ_CLIENT_OPS(X)
#undef X
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

const struct rj_op_row *rj_op_row(enum rj_op_code code)
{
    return (size_t)code < ROWS ? &rows[code] : NULL;
}

/* ---- operations */

static enum rj_err put_items(struct rj_buf *out, const struct rj_op *op, bool pairs)
{
    if (op->n_items > RJ_CLIENT_ITEMS_MAX)
        return RJ_ELIMIT;
    if (op->n_items == 0 || op->items == NULL || (pairs && op->n_items % 2 != 0))
        return RJ_EINVAL;
    rj_cbor_put_array(out, op->n_items);
    for (size_t i = 0; i < op->n_items; i++)
        rj_cbor_put_bytes(out, op->items[i]);
    return RJ_OK;
}

static enum rj_err put_argument(struct rj_buf *out, const struct rj_op *op, char letter)
{
    switch (letter) {
    case 'k':
        rj_cbor_put_bytes(out, op->key);
        return RJ_OK;
    case 'v':
        rj_cbor_put_bytes(out, op->value);
        return RJ_OK;
    case 'a':
        if (op->value.ptr != NULL)
            rj_cbor_put_bytes(out, op->value);
        else
            rj_cbor_put_null(out);
        return RJ_OK;
    case 'd':
        rj_cbor_put_int(out, op->delta);
        return RJ_OK;
    case 'n':
        rj_cbor_put_uint(out, op->number);
        return RJ_OK;
    case 'c':
        rj_cbor_put_uint(out, op->cursor);
        return RJ_OK;
    case 't':
        rj_cbor_put_uint(out, (uint64_t)op->ttl);
        return RJ_OK;
    default:
        return put_items(out, op, letter == 'p');
    }
}

enum rj_err rj_op_put(struct rj_buf *out, const struct rj_op *op)
{
    const struct rj_op_row *row = rj_op_row(op->code);
    enum rj_err err = RJ_OK;

    if (row == NULL || (size_t)op->ttl > RJ_TTL_AT)
        return RJ_EINVAL;
    rj_cbor_put_array(out, 1 + strlen(row->takes));
    rj_cbor_put_text(out, rj_bytes_from_str(row->word));
    for (const char *letter = row->takes; err == RJ_OK && *letter != '\0'; letter++)
        err = put_argument(out, op, *letter);
    return err == RJ_OK ? rj_buf_err(out) : err;
}

/* Byte or text string. */
static struct rj_bytes get_string(struct rj_reader *r)
{
    return rj_cbor_peek(r) == RJ_CBOR_TEXT ? rj_cbor_get_text(r) : rj_cbor_get_bytes(r);
}

static enum rj_err get_items(struct rj_reader *r, struct rj_op_room *room,
                             struct rj_op *ret, bool pairs)
{
    size_t n = rj_cbor_get_array(r);

    if (n > RJ_CLIENT_ITEMS_MAX)
        return RJ_ELIMIT;
    if (n == 0 || (pairs && n % 2 != 0))
        return RJ_EINVAL;
    if (n > room->cap) {
        void *grown = rj_alloc_resize(room->items, n, sizeof(room->items[0]));

        if (grown == NULL)
            return RJ_ENOMEM;
        room->items = grown;
        room->cap = n;
    }
    for (size_t i = 0; i < n; i++)
        room->items[i] = get_string(r);
    ret->items = room->items;
    ret->n_items = n;
    return RJ_OK;
}

static enum rj_err get_argument(struct rj_reader *r, struct rj_op_room *room,
                                struct rj_op *ret, char letter)
{
    uint64_t ttl;

    switch (letter) {
    case 'k':
        ret->key = get_string(r);
        return RJ_OK;
    case 'v':
        ret->value = get_string(r);
        return RJ_OK;
    case 'a':
        if (rj_cbor_peek(r) == RJ_CBOR_NULL)
            rj_cbor_get_null(r);
        else
            ret->value = get_string(r);
        return RJ_OK;
    case 'd':
        ret->delta = rj_cbor_get_int(r);
        return RJ_OK;
    case 'n':
        ret->number = rj_cbor_get_uint(r);
        return RJ_OK;
    case 'c':
        ret->cursor = rj_cbor_get_uint(r);
        return RJ_OK;
    case 't':
        ttl = rj_cbor_get_uint(r);
        ret->ttl = ttl <= RJ_TTL_AT ? (enum rj_ttl)ttl : RJ_TTL_CLEAR;
        return ttl <= RJ_TTL_AT ? RJ_OK : RJ_EINVAL;
    default:
        return get_items(r, room, ret, letter == 'p');
    }
}

static bool find_row(struct rj_bytes word, enum rj_op_code *ret)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rj_bytes_equal(word, rj_bytes_from_str(rows[i].word))) {
            *ret = (enum rj_op_code)i;
            return true;
        }
    }
    return false;
}

enum rj_err rj_op_get(struct rj_bytes item, struct rj_op_room *room, struct rj_op *ret)
{
    struct rj_reader r = rj_reader_of(item);
    struct rj_op op = {0};
    struct rj_bytes word;
    enum rj_err err = RJ_OK;
    size_t n;

    if (rj_cbor_peek(&r) != RJ_CBOR_ARRAY)
        return RJ_EINVAL;
    n = rj_cbor_get_array(&r);
    word = rj_cbor_get_text(&r);
    if (r.failed)
        return RJ_EINVAL;
    if (!find_row(word, &op.code))
        return RJ_EUPGRADE;
    if (n != 1 + strlen(rows[op.code].takes))
        return RJ_EINVAL;
    for (const char *letter = rows[op.code].takes; err == RJ_OK && *letter != '\0';
         letter++)
        err = get_argument(&r, room, &op, *letter);
    if (err == RJ_OK && !rj_reader_complete(&r))
        err = RJ_EINVAL;
    if (err == RJ_OK)
        *ret = op;
    return err;
}

/* ---- results */

static void get_list(struct rj_reader *r, struct rj_bytes *items,
                     struct rj_op_result *ret)
{
    size_t n = rj_cbor_get_array(r);

    for (size_t i = 0; i < n && !r->failed; i++) {
        struct rj_bytes b = get_string(r);

        if (items != NULL)
            items[i] = b;
    }
    ret->items = items;
    ret->n_items = r->failed ? 0 : n;
}

static void get_value(struct rj_reader *r, char gives, struct rj_bytes *items,
                      struct rj_op_result *ret)
{
    switch (gives) {
    case 'v':
        ret->value = get_string(r);
        break;
    case 'i':
        ret->number = rj_cbor_get_int(r);
        break;
    case 's':
        rj_cbor_expect_array(r, 2);
        ret->cursor = rj_cbor_get_uint(r);
        get_list(r, items, ret);
        break;
    case 'w':
        rj_cbor_expect_array(r, 3);
        ret->number = rj_cbor_get_int(r);
        ret->cursor = rj_cbor_get_bool(r);
        get_list(r, items, ret);
        break;
    default:
        rj_cbor_get_null(r);
    }
}

enum rj_err rj_op_result(struct rj_bytes item, enum rj_op_code code,
                         struct rj_bytes *items, struct rj_op_result *ret)
{
    struct rj_reader r = rj_reader_of(item);
    struct rj_op_result result = {0};

    if (rj_cbor_peek(&r) == RJ_CBOR_TEXT) {
        result.err = rj_message_err(rj_cbor_get_text(&r));
        if (result.err == RJ_OK)
            rj_reader_fail(&r);
    } else {
        rj_cbor_expect_array(&r, 1);
        get_value(&r, rows[code].gives, items, &result);
    }
    if (!rj_reader_complete(&r))
        return RJ_EPROTO;
    *ret = result;
    return RJ_OK;
}
