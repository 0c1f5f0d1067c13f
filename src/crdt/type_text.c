/* SPDX-License-Identifier: Apache-2.0 */
/* Text: a sequence of characters (code points), told and kept as UTF-8.
 * Weidner, Kleppmann 2023, "The art of the Fugue". */
#include "crdt/json.h"
#include "crdt/seq.h"

static bool is_first(uint8_t c)
{
    return (c & 0xc0) != 0x80;
}

static size_t skip(struct rj_bytes b, uint64_t n)
{
    size_t i = 0;

    for (; n > 0 && i < b.len; n--) {
        i++;
        while (i < b.len && !is_first(b.ptr[i]))
            i++;
    }
    return n == 0 ? i : SIZE_MAX;
}

static enum rj_err content(const struct rj_crdt_op *op, struct rj_buf *room,
                           struct rj_bytes *ret_content, uint64_t *ret_n)
{
    uint64_t n = 0;
    size_t i;

    (void)room;
    if (op->value.len > RJ_CRDT_VALUE_MAX)
        return RJ_ELIMIT;
    if (!rj_bytes_is_utf8(op->value))
        return RJ_EINVAL;
    for (i = 0; i < op->value.len; i++)
        n += is_first(op->value.ptr[i]);
    *ret_content = op->value;
    *ret_n = n;
    return RJ_OK;
}

static const struct rj_elements characters = {.skip = skip,
                                              .is_sound = rj_bytes_is_utf8,
                                              .content = content,
                                              .put_json = rj_json_put_str};

static bool row_is_sound(struct rj_bytes place, struct rj_bytes payload)
{
    return rj_seq_rows_are_sound(&characters, place, payload);
}

static void read_row(struct rj_bytes place, struct rj_bytes payload,
                     struct rj_crdt_row *ret_row)
{
    if (!rj_seq_rows_stay(place))
        ret_row->value = payload;
}

const struct rj_type rj_type_text = {
    .number = RJ_CRDT_TEXT,
    .name = "text",
    .change = rj_seq_rows_change,
    .stays = rj_seq_rows_stay,
    .is_sound = row_is_sound,
    .show = rj_seq_json,
    .alive = rj_seq_rows_are_alive,
    .read = read_row,
    .elements = &characters,
};
