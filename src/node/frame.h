/* SPDX-License-Identifier: Apache-2.0 */
/* Frames between peers: u32be length of the payload, u32be of its checksum (low half of
 * XXH3-64), payload. The payload is one CBOR array that begins with the frame's type.
 * Layout of each: doc/format.md, "Frames".
 *
 * No frame is longer than RJ_FRAME_MAX. What is bounded by less (a batch, a vector)
 * stands in one frame; GIVE and WELCOME, when they are long, go in PARTs; META and ACK
 * end early and go on in another frame of their type. */
#ifndef RJ_NODE_FRAME_H
#define RJ_NODE_FRAME_H

#include "base/cbor.h"
#include "base/hash.h"

#include <rejoin/node.h>

enum {
    RJ_FRAME_HEAD = 8,
    RJ_GIVE_FIELDS = 14,
    RJ_FRAME_PART_BYTES = 256 * 1024,   /* of a long payload in one PART */
    RJ_FRAME_MORE_BYTES = 256 * 1024,   /* META and ACK go on in another frame beyond */
    RJ_GIVE_MAX = 1024 * 1024 * 1024,   /* bytes of a GIVE */
    RJ_WELCOME_MAX = 256 * 1024 * 1024, /* bytes of a WELCOME */
    RJ_GUEST_FRAME_MAX = 64 * 1024      /* bytes of a frame of a stranger */
};

enum rj_frame {
    RJ_FRAME_HELLO = 1, /* [1, protocol, wall ms, name, [address...]] */
    RJ_FRAME_SPACE,     /* [2, number, space id, rules, vector, truncated vector] */
    RJ_FRAME_BATCH,     /* [3, number, batch] */
    RJ_FRAME_HEAD_,     /* [4, number, raw header, signature] */
    RJ_FRAME_ACK,       /* [5, handled bytes, wall ms, [number, received, durable...]] */
    RJ_FRAME_PULL,      /* [6, number, vector] */
    RJ_FRAME_BEHIND,    /* [7, number, truncated vector] */
    RJ_FRAME_TAKE,      /* [8, number, request, from, to, full, meta, vector] */
    RJ_FRAME_META,      /* [9, number, request, more, [batch...], [id, parent, start,
                           hash...], [author, of, branch...], [raw header,
                           signature...], [id, seq, hash, past...],
                           [id, [first, count, hash...]...]] */
    RJ_FRAME_GIVE,      /* [10, number, request, from, end, full, whole, S, dict, keys,
                           count, live keys here, cutoff ms, sum hi, sum lo] */
    RJ_FRAME_JOIN,      /* [11, name, proof] */
    RJ_FRAME_WELCOME,   /* [12, [genesis, name, durability, [batch...]...]] */
    RJ_FRAME_REFUSE,    /* [13, error name] */
    RJ_FRAME_ADDRESSES, /* [14, device, [address...]] */
    RJ_FRAME_CLOCK,     /* [15, number, wall ms]: your stamps are ahead of my clock */
    RJ_FRAME_BUSY,      /* [16, number, request]: no state from here now */
    RJ_FRAME_DIGEST,    /* [17, number, vector hash, cutoff ms, sum hi, sum lo] */
    RJ_FRAME_PART,      /* [18, last, bytes]: a piece of the payload of a long frame */
    RJ_FRAME_FORK,      /* [19, number, raw header, signature]: proof of a fork */
    RJ_FRAME_CAST,      /* [20, number, author, its number, reached, topic, text] */
    RJ_FRAME_RELAY_ASK, /* [21, device]: let us meet through you */
    RJ_FRAME_RELAY,     /* [22, token, device, role]: meet it through me */
    RJ_FRAME_LINE,      /* [23, number, [id, seq, hash...]]: where chains stand here */
    RJ_FRAME_APART      /* [24, number, id, seq]: no state between us, for forks */
};

/* Items of the array of a frame, its type included; 0: no such type. */
size_t rj_frame_items(uint64_t type);

/* Begins a payload of n fields after the type. */
static inline void rj_frame_payload(struct rj_buf *b, enum rj_frame type, size_t n)
{
    rj_cbor_put_array(b, n + 1);
    rj_cbor_put_uint(b, type);
}

/* Begins a frame of n fields after the type; returns where, for rj_frame_end. */
static inline size_t rj_frame_begin(struct rj_buf *b, enum rj_frame type, size_t n)
{
    size_t at = b->len;

    rj_buf_u64be(b, 0);
    rj_frame_payload(b, type, n);
    return at;
}

/* Fills in length and checksum. The payload is within RJ_FRAME_MAX by what it is. */
void rj_frame_end(struct rj_buf *b, size_t at);

/* Appends payload (made by rj_frame_payload) as one frame, or in PARTs when it is longer
 * than RJ_FRAME_PART_BYTES. */
void rj_frame_put_long(struct rj_buf *b, struct rj_bytes payload);

#endif
