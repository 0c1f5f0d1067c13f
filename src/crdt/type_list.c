/* SPDX-License-Identifier: Apache-2.0 */
/* List: a sequence of byte strings, each told and kept as its length and its bytes.
 * Weidner, Kleppmann 2023, "The art of the Fugue". */
#include "crdt/json.h"
#include "crdt/seq.h"

static struct rj_bytes element(struct rj_reader *r)
{
    uint64_t len = rj_reader_varint(r);

    if (len > RJ_CRDT_KEY_MAX)
        rj_reader_fail(r);
    return rj_reader_bytes(r, (size_t)(r->failed ? 0 : len));
}

static size_t skip(struct rj_bytes b, uint64_t n)
{
    struct rj_reader r = rj_reader_of(b);

    for (; n > 0; n--) {
        if (rj_reader_left(&r) == 0)
            return SIZE_MAX;
        (void)element(&r);
    }
    return b.len - rj_reader_left(&r);
}

static bool is_sound(struct rj_bytes b)
{
    struct rj_reader r = rj_reader_of(b);

    while (rj_reader_left(&r) > 0)
        (void)element(&r);
    return rj_reader_complete(&r);
}

static enum rj_err content(const struct rj_crdt_op *op, struct rj_buf *room,
                           struct rj_bytes *ret_content, uint64_t *ret_n)
{
    size_t i;

    if (op->n_keys > 0 && op->keys == NULL)
        return RJ_EINVAL;
    for (i = 0; i < op->n_keys; i++) {
        if (op->keys[i].len > RJ_CRDT_KEY_MAX)
            return RJ_ELIMIT;
        rj_buf_varint(room, op->keys[i].len);
        rj_buf_append(room, op->keys[i]);
    }
    *ret_content = rj_buf_view(room);
    *ret_n = op->n_keys;
    return rj_buf_err(room);
}

static void put_json(struct rj_buf *json, struct rj_bytes content)
{
    struct rj_reader r = rj_reader_of(content);
    const char *comma = "";

    rj_buf_u8(json, '[');
    while (rj_reader_left(&r) > 0) {
        rj_buf_append_str(json, comma);
        rj_json_put_str(json, element(&r));
        comma = ",";
    }
    rj_buf_u8(json, ']');
}

static void read_row(struct rj_bytes place, struct rj_bytes payload,
                     struct rj_crdt_row *ret_row)
{
    struct rj_reader r = rj_reader_of(payload);

    if (!rj_seq_rows_stay(place))
        ret_row->value = element(&r);
}

static const struct rj_elements strings = {
    .skip = skip, .is_sound = is_sound, .content = content, .put_json = put_json};

static bool row_is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    return rj_seq_rows_are_sound(&strings, place, payload);
}

const struct rj_type rj_type_list = {
    .number = RJ_CRDT_LIST,
    .name = "list",
    .change = rj_seq_rows_change,
    .stays = rj_seq_rows_stay,
    .is_sound = row_is_sound,
    .show = rj_seq_json,
    .alive = rj_seq_rows_are_alive,
    .read = read_row,
    .elements = &strings,
};
