/* SPDX-License-Identifier: Apache-2.0 */
/* Paths flattened to prefixes: nesting costs no structure of its own, and a key goes with
 * all below it by a walk over one range. (Compare nested dot maps: Almeida, Shoker,
 * Baquero 2018, section 7.5.) */
#include "crdt/place.h"

#include "base/cbor.h"

void rj_place_put(struct rj_buf *out, const struct rj_bytes *path, size_t n_path,
                  enum rj_crdt_type at)
{
    size_t i;

    if (n_path > RJ_CRDT_DEPTH_MAX)
        rj_buf_fail(out, RJ_ELIMIT);
    for (i = 0; i < n_path; i++) {
        if (path[i].len > RJ_CRDT_KEY_MAX)
            rj_buf_fail(out, RJ_ELIMIT);
        rj_cbor_put_bytes(out, path[i]);
    }
    if (at != RJ_CRDT_NONE)
        rj_buf_u8(out, (uint8_t)at);
}

bool rj_place_get(struct rj_bytes place, struct rj_where *ret)
{
    struct rj_reader r = rj_reader_of(place);
    const uint8_t *start = r.ptr;
    size_t n = 0;

    while (rj_cbor_peek(&r) == RJ_CBOR_BYTES && n <= RJ_CRDT_DEPTH_MAX) {
        if (rj_cbor_get_bytes(&r).len > RJ_CRDT_KEY_MAX)
            return false;
        n++;
    }
    ret->keys = rj_bytes_of(start, (size_t)(r.ptr - start));
    ret->n_keys = n;
    ret->type = rj_type_get(rj_reader_u8(&r));
    ret->prefix = rj_bytes_of(start, ret->keys.len + 1);
    ret->rest = rj_reader_rest(&r);
    return !r.failed && n > 0 && n <= RJ_CRDT_DEPTH_MAX && ret->type != NULL &&
           !ret->type->alone;
}
