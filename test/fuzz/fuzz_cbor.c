/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader accepts is deterministic: written again, it gives the same bytes. */
#include "base/cbor.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Writes again what r holds, item by item. */
static void copy_items(struct rj_reader *r, struct rj_buf *b)
{
    while (!r->failed && rj_reader_left(r) > 0) {
        switch (rj_cbor_peek(r)) {
        case RJ_CBOR_UINT:
            rj_cbor_put_uint(b, rj_cbor_get_uint(r));
            break;
        case RJ_CBOR_NEGATIVE:
            rj_cbor_put_int(b, rj_cbor_get_int(r));
            break;
        case RJ_CBOR_BYTES:
            rj_cbor_put_bytes(b, rj_cbor_get_bytes(r));
            break;
        case RJ_CBOR_TEXT:
            rj_cbor_put_text(b, rj_cbor_get_text(r));
            break;
        case RJ_CBOR_ARRAY:
            rj_cbor_put_array(b, rj_cbor_get_array(r));
            break;
        case RJ_CBOR_MAP:
            rj_cbor_put_map(b, rj_cbor_get_map(r));
            break;
        case RJ_CBOR_BOOL:
            rj_cbor_put_bool(b, rj_cbor_get_bool(r));
            break;
        case RJ_CBOR_NULL:
            rj_cbor_get_null(r);
            rj_cbor_put_null(b);
            break;
        case RJ_CBOR_NONE:
            rj_reader_fail(r);
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_bytes input = {data, len};
    struct rj_reader r = rj_reader_of(input);
    struct rj_bytes item = rj_cbor_item(&r);
    struct rj_buf again = {0};

    if (r.failed ? item.len != 0 : item.len == 0 || item.ptr != data)
        abort();
    if (rj_cbor_is_valid(input) != (!r.failed && item.len == len))
        abort();
    r = rj_reader_of(input);
    copy_items(&r, &again);
    if (!r.failed && !rj_bytes_equal(rj_buf_view(&again), input))
        abort();
    rj_buf_done(&again);
    return 0;
}
