/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on the control socket (doc/format.md, "The control socket"): a length (4
 * bytes, big-endian) and one CBOR item. A request is {"id", "args", "verb"}, a reply
 * {"id", "body", "kind"}. Each request gets any number of progress, event and output
 * replies and then exactly one result or error. */
#ifndef RJ_CLIENT_MESSAGE_H
#define RJ_CLIENT_MESSAGE_H

#include "base/buf.h"

enum {
    /* Both ends tell theirs (ping): a later one only adds verbs, arguments and fields. 2:
     * the verb data. A program serves clients from LEAST on. */
    RJ_MESSAGE_VERSION = 2,
    RJ_MESSAGE_LEAST = 1,
    RJ_MESSAGE_MAX = 24 * 1024 * 1024, /* bytes after the length: a value and its frame */
    RJ_MESSAGE_VERB_MAX = 32,
    RJ_MESSAGE_HEAD_LEN = 4
};

enum rj_message_kind {
    RJ_MESSAGE_PROGRESS, /* how far it is: a map */
    RJ_MESSAGE_EVENT,    /* of a watch: a map */
    RJ_MESSAGE_OUTPUT, /* of a Redis command: a byte string, a piece of the RESP reply */
    RJ_MESSAGE_RESULT, /* done: a map */
    RJ_MESSAGE_ERROR   /* failed: a map {"code", "hint", "why"} */
};

struct rj_message_request {
    uint64_t id;
    struct rj_bytes verb; /* text */
    struct rj_bytes args; /* a map */
};

struct rj_message_reply {
    uint64_t id;
    enum rj_message_kind kind;
    struct rj_bytes body;
};

/* Looks for a whole message at the start of in. RJ_OK: *ret_item is the item, valid CBOR,
 * *ret_used the bytes that it and its length take; RJ_EGAP: more must come first;
 * RJ_EPROTO: a length beyond RJ_MESSAGE_MAX, or no valid CBOR. */
RJ_NODISCARD enum rj_err rj_message_next(struct rj_bytes in, struct rj_bytes *ret_item,
                                         size_t *ret_used);

/* Take an item apart. RJ_EPROTO: it is no such message. What is returned borrows. */
RJ_NODISCARD enum rj_err rj_message_request(struct rj_bytes item,
                                            struct rj_message_request *ret);
RJ_NODISCARD enum rj_err rj_message_reply(struct rj_bytes item,
                                          struct rj_message_reply *ret);

/* The error of that name, RJ_EIO when there is none. */
enum rj_err rj_message_err(struct rj_bytes name);

/* Append a message with its length. RJ_ELIMIT: larger than RJ_MESSAGE_MAX (out is as it
 * was); otherwise out's sticky error. */
RJ_NODISCARD enum rj_err rj_message_put_request(struct rj_buf *out,
                                                const struct rj_message_request *m);
RJ_NODISCARD enum rj_err rj_message_put_reply(struct rj_buf *out,
                                              const struct rj_message_reply *m);

#endif
