/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of the verb `data` on the wire (doc/format.md, "The control socket"): what
 * the table RJ_CLIENT_OPS of <rejoin/client.h> says, for both ends. */
#ifndef RJ_CLIENT_OP_H
#define RJ_CLIENT_OP_H

#include "base/buf.h"

#include <rejoin/client.h>

/* A row of the table. */
struct rj_op_row {
    const char *word, *takes;
    char gives;
};

/* NULL: there is no such operation. */
const struct rj_op_row *rj_op_row(enum rj_op_code code);

/* Appends an operation to out. RJ_EINVAL: no such operation, items without a pointer, not
 * in pairs; RJ_ELIMIT: too many. */
RJ_NODISCARD enum rj_err rj_op_put(struct rj_buf *out, const struct rj_op *op);

/* Room for the items of one operation or result at a time. Zero-initialise; free items.
 */
struct rj_op_room {
    struct rj_bytes *items;
    size_t cap;
};

/* Reads an operation from one valid CBOR item; what ret points at is borrowed from item
 * and room. RJ_EUPGRADE: an operation that is not in the table; RJ_EINVAL: malformed;
 * RJ_ELIMIT: too many items; RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_op_get(struct rj_bytes item, struct rj_op_room *room,
                                   struct rj_op *ret);

/* Reads the result of an operation of that code. n_items is the count of what is put into
 * items (NULL: count only). RJ_EPROTO. */
RJ_NODISCARD enum rj_err rj_op_result(struct rj_bytes item, enum rj_op_code code,
                                      struct rj_bytes *items, struct rj_op_result *ret);

#endif
