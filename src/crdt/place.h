/* SPDX-License-Identifier: Apache-2.0 */
/* Places in a map of maps: each key on the way as a CBOR byte string, then the number of
 * the type that stands there (one byte, below any head of a byte string), then what that
 * type calls its place. So what lies below a key has one prefix, and the types of one key
 * lie apart. */
#ifndef RJ_CRDT_PLACE_H
#define RJ_CRDT_PLACE_H

#include "base/buf.h"
#include "crdt/value.h"

/* Where a place lies. */
struct rj_where {
    struct rj_bytes keys; /* the keys, as encoded */
    size_t n_keys;
    struct rj_bytes prefix; /* keys and type */
    const struct rj_type *type;
    struct rj_bytes rest; /* the type's own place */
};

/* Appends keys, and the type if it is not 0. out fails with RJ_ELIMIT beyond a limit. */
void rj_place_put(struct rj_buf *out, const struct rj_bytes *path, size_t n_path,
                  enum rj_crdt_type at);
/* False: not such a place, or a type that is not built in. */
bool rj_place_get(struct rj_bytes place, struct rj_where *ret);
/* Appends what v shows below keys (not none), as encoded: a leaf, an object; null. */
void rj_ormap_show(const struct rj_crdt *v, struct rj_bytes keys, struct rj_buf *json);

#endif
