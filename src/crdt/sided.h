/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of two sides, both of which only grow: what was added, what was removed. A fact is
 * a place without payload: the element as a CBOR byte string, then
 *
 *   plain    side
 *   tagged   tag as a CBOR byte string, side
 *   stamped  side, time stamp inverted and big-endian (the latest comes first)
 *
 * side being `a` or `r`. What is known of an element lies together. */
#ifndef RJ_CRDT_SIDED_H
#define RJ_CRDT_SIDED_H

#include "crdt/value.h"

enum rj_sided { RJ_SIDED_PLAIN, RJ_SIDED_TAGGED, RJ_SIDED_STAMPED };

struct rj_fact {
    struct rj_bytes element, tag;
    bool removed;
    uint64_t stamp;
};

/* False: not such a place. */
bool rj_fact_get(struct rj_bytes place, enum rj_sided shape, struct rj_fact *ret);
/* ADD and REMOVE of all keys with the change's tag and stamp. */
RJ_NODISCARD enum rj_err rj_sided_change(const struct rj_site *s, enum rj_sided shape);
/* The next fact about the element of *place; false: there is none. */
bool rj_fact_next(const struct rj_place **place, struct rj_bytes prefix,
                  enum rj_sided shape, struct rj_fact *fact);
/* place is the first of its element, and fact is what it says. */
bool rj_fact_first(const struct rj_place *place, struct rj_bytes prefix,
                   enum rj_sided shape, struct rj_fact *fact);
void rj_fact_read(struct rj_bytes place, enum rj_sided shape,
                  struct rj_crdt_row *ret_row);

#endif
