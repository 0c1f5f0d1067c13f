/* SPDX-License-Identifier: Apache-2.0 */
/* Values on demand. Where the rules say so, what a register or a key of a map holds is
 * written as
 *
 *   0, the bytes                    not more than rules.lazy_bytes
 *   1, length (varint), digest      else; the bytes themselves are not in the row
 *
 * so rows are alike everywhere whoever has the bytes, and nothing of joins, orders and
 * digests knows of it. The bytes stand beside the rows, by digest. */
#ifndef RJ_CRDT_LAZY_H
#define RJ_CRDT_LAZY_H

#include "crdt/value.h"

/* Appends what is written for value, and keeps the bytes in delta if they are not in it.
 * RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_lazy_put(const struct rj_crdt *v, struct rj_crdt *delta,
                                     struct rj_bytes value, struct rj_buf *out);
/* A decoded row of type holds what rj_lazy_put writes. */
bool rj_lazy_is_sound(const struct rj_crdt *v, const struct rj_type *type,
                      struct rj_bytes place, struct rj_bytes payload);
/* Appends the JSON of what was written: a string; null: v does not have the bytes. */
void rj_lazy_put_json(const struct rj_crdt *v, struct rj_bytes written,
                      struct rj_buf *json);
/* row->value is what was written: replaces it by the value, or says that it is missing.
 */
void rj_lazy_read(const struct rj_crdt *v, struct rj_crdt_row *row);
/* What a change kept comes to v. */
void rj_lazy_move(struct rj_crdt *v, struct rj_crdt *delta);
void rj_lazy_done(struct rj_crdt *v);

#endif
