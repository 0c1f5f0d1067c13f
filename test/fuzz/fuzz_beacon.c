/* SPDX-License-Identifier: Apache-2.0 */
/* A beacon that is accepted has one spelling: written again from its fields it is the
 * same bytes. What its MAC and its signature are over lies inside it, from its start. */
#include "base/cbor.h"
#include "driver/beacon.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_bytes in = rj_bytes_of(data, len);
    struct rj_beacon_message m;
    struct rj_buf b = {0};

    if (rj_beacon_read(in, &m) != RJ_OK)
        return 0;
    if (len > RJ_BEACON_MAX || m.maced.ptr != data || m.signed_part.ptr != data ||
        m.maced.len >= m.signed_part.len || m.signed_part.len >= len)
        abort();
    rj_cbor_put_array(&b, 7);
    rj_cbor_put_uint(&b, RJ_BEACON_VERSION);
    rj_cbor_put_bytes(&b, RJ_BYTES_OF(m.pubkey));
    rj_cbor_put_uint(&b, m.wall_ms);
    rj_cbor_put_uint(&b, m.port);
    rj_cbor_put_bool(&b, m.asks);
    rj_cbor_put_bytes(&b, rj_bytes_of(m.mac, m.has_mac ? sizeof(m.mac) : 0));
    rj_cbor_put_bytes(&b, RJ_BYTES_OF(m.sig));
    if (rj_buf_err(&b) == RJ_OK && !rj_bytes_equal(rj_buf_view(&b), in))
        abort();
    rj_buf_done(&b);
    return 0;
}
