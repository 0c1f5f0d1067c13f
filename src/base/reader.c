/* SPDX-License-Identifier: Apache-2.0 */
/* The cursor of reader.h; the calls that are not worth inlining. Numbers of variable
 * length are unsigned LEB128 (DWARF 5, 7.6) in the shortest form, so that one number has
 * one encoding and what was signed cannot be rewritten. */
#include "base/reader.h"

#include "base/buf.h"

uint64_t rj_reader_varint_long(struct rj_reader *r)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < RJ_BUF_VARINT_MAX; i++) {
        uint8_t byte = rj_reader_u8(r);

        if (r->failed)
            return 0;
        if (i == RJ_BUF_VARINT_MAX - 1 && byte > 1)
            break; /* more than 64 bits */
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            if (byte == 0 && i > 0)
                break; /* not the shortest form */
            return v;
        }
    }
    rj_reader_fail(r);
    return 0;
}
