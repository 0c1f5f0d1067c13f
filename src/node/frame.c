/* SPDX-License-Identifier: Apache-2.0 */
/* Ends of frames, and frames in parts. A key of any size may have to be given whole, and
 * a welcome holds all membership records; their receiver waits for a named amount, in
 * pieces that are short, so that it sees that something comes. */
#include "node/frame.h"

#include <assert.h>

size_t rj_frame_items(uint64_t type)
{
    static const uint8_t items[] = {
        [RJ_FRAME_HELLO] = 5,     [RJ_FRAME_SPACE] = 6,
        [RJ_FRAME_BATCH] = 3,     [RJ_FRAME_HEAD_] = 4,
        [RJ_FRAME_ACK] = 4,       [RJ_FRAME_PULL] = 3,
        [RJ_FRAME_BEHIND] = 3,    [RJ_FRAME_TAKE] = 8,
        [RJ_FRAME_META] = 10,     [RJ_FRAME_GIVE] = 1 + RJ_GIVE_FIELDS,
        [RJ_FRAME_JOIN] = 3,      [RJ_FRAME_WELCOME] = 2,
        [RJ_FRAME_REFUSE] = 2,    [RJ_FRAME_ADDRESSES] = 3,
        [RJ_FRAME_CLOCK] = 3,     [RJ_FRAME_BUSY] = 3,
        [RJ_FRAME_DIGEST] = 6,    [RJ_FRAME_PART] = 3,
        [RJ_FRAME_FORK] = 7,      [RJ_FRAME_CAST] = 7,
        [RJ_FRAME_RELAY_ASK] = 2, [RJ_FRAME_RELAY] = 4,
        [RJ_FRAME_LINE] = 3,      [RJ_FRAME_APART] = 4,
    };

    return type < sizeof(items) ? items[type] : 0;
}

void rj_frame_end(struct rj_buf *b, size_t at)
{
    size_t len;

    if (b->failed)
        return;
    len = b->len - at - RJ_FRAME_HEAD;
    assert(len <= RJ_FRAME_MAX);
    rj_be_store32(b->ptr + at, (uint32_t)len);
    rj_be_store32(b->ptr + at + 4, (uint32_t)rj_hash_checksum(
                                       rj_bytes_of(b->ptr + at + RJ_FRAME_HEAD, len)));
}

void rj_frame_put_long(struct rj_buf *b, struct rj_bytes payload)
{
    size_t at;

    if (payload.len <= RJ_FRAME_PART_BYTES) {
        at = b->len;
        rj_buf_u64be(b, 0);
        rj_buf_append(b, payload);
        rj_frame_end(b, at);
        return;
    }
    while (payload.len > 0) {
        struct rj_bytes part = rj_bytes_first(payload, RJ_FRAME_PART_BYTES);

        payload = rj_bytes_skip(payload, part.len);
        at = rj_frame_begin(b, RJ_FRAME_PART, 2);
        rj_cbor_put_bool(b, payload.len == 0);
        rj_cbor_put_bytes(b, part);
        rj_frame_end(b, at);
    }
}
