/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between peers: u32be length of the payload, u32be of its checksum (low half of
 * XXH3-64), payload. The payload is one CBOR array that begins with the frame's type.
 * Layout of each: doc/format.md, "Frames". */
#ifndef RJ_NODE_FRAME_H
#define RJ_NODE_FRAME_H

#include "base/cbor.h"
#include "base/hash.h"

#include <rejoin/node.h>

enum { RJ_FRAME_HEAD = 8 };

enum rj_frame {
    RJ_FRAME_HELLO = 1, /* [1, protocol, wall ms, name, [address...]] */
    RJ_FRAME_SPACE,     /* [2, number, space id, rules, vector, truncated vector] */
    RJ_FRAME_BATCH,     /* [3, number, batch] */
    RJ_FRAME_HEAD_,     /* [4, number, raw header, signature] */
    RJ_FRAME_ACK,       /* [5, handled bytes, wall ms, [number, received, durable]...] */
    RJ_FRAME_PULL,      /* [6, number, vector] */
    RJ_FRAME_BEHIND,    /* [7, number, truncated vector] */
    RJ_FRAME_TAKE,      /* [8, number, request, from, to, full, meta, vector] */
    RJ_FRAME_META, /* [9, number, request, [batch...], [head...], [id, seq, hash...]] */
    RJ_FRAME_GIVE, /* [10, number, request, from, end, full, S, dict, writes, keys,
                          count, cutoff ms, sum hi, sum lo] */
    RJ_FRAME_JOIN, /* [11, name, pubkey, proof] */
    RJ_FRAME_WELCOME,   /* [12, [genesis, name, [batch...]]...] */
    RJ_FRAME_REFUSE,    /* [13, error name] */
    RJ_FRAME_ADDRESSES, /* [14, device, [address...]] */
    RJ_FRAME_CLOCK,     /* [15, number, wall ms]: your stamps are ahead of my clock */
    RJ_FRAME_BUSY,      /* [16, number, request]: no state from here now */
    RJ_FRAME_DIGEST     /* [17, number, vector hash, cutoff ms, sum hi, sum lo] */
};

/* Begins a frame of n fields after the type; returns where, for rj_frame_end. */
static inline size_t rj_frame_begin(struct rj_buf *b, enum rj_frame type, size_t n)
{
    size_t at = b->len;

    rj_buf_u64be(b, 0);
    rj_cbor_put_array(b, n + 1);
    rj_cbor_put_uint(b, type);
    return at;
}

/* Fills in length and checksum. */
static inline void rj_frame_end(struct rj_buf *b, size_t at)
{
    size_t len;

    if (b->failed)
        return;
    len = b->len - at - RJ_FRAME_HEAD;
    rj_be_store32(b->ptr + at, (uint32_t)len);
    rj_be_store32(b->ptr + at + 4, (uint32_t)rj_hash_checksum(
                                       rj_bytes_of(b->ptr + at + RJ_FRAME_HEAD, len)));
}

#endif
