/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: three bytes are four digits; what is missing at the end is '='. */
#include "base/base64.h"

void rj_base64_put(struct rj_buf *out, struct rj_bytes b)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < b.len; i += 3) {
        size_t have = b.len - i < 3 ? b.len - i : 3;
        uint32_t v = (uint32_t)b.ptr[i] << 16;

        if (have > 1)
            v |= (uint32_t)b.ptr[i + 1] << 8;
        if (have > 2)
            v |= b.ptr[i + 2];
        rj_buf_u8(out, (uint8_t)digits[v >> 18]);
        rj_buf_u8(out, (uint8_t)digits[v >> 12 & 63]);
        rj_buf_u8(out, (uint8_t)(have > 1 ? digits[v >> 6 & 63] : '='));
        rj_buf_u8(out, (uint8_t)(have > 2 ? digits[v & 63] : '='));
    }
}
