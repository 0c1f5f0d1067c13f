/* SPDX-License-Identifier: Apache-2.0 */
/* A program of reads over its own bytes: never beyond the end, sticky once failed, and
 * numbers of variable length in one form only. */
#include "base/buf.h"
#include "base/reader.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void read_varint(struct rj_reader *r)
{
    const uint8_t *start = r->ptr;
    uint64_t v = rj_reader_varint(r);
    struct rj_buf b = {0};

    if (r->failed)
        return;
    rj_buf_varint(&b, v);
    if (!rj_bytes_equal(rj_buf_view(&b), rj_bytes_of(start, (size_t)(r->ptr - start))))
        abort();
    rj_buf_done(&b);
}

static void read_bytes(struct rj_reader *r, size_t n)
{
    size_t left = rj_reader_left(r);
    struct rj_bytes got = rj_reader_bytes(r, n);

    if (r->failed ? got.len != 0 : got.len != n || rj_reader_left(r) != left - n)
        abort();
    if (rj_bytes_is_utf8(got) && got.len > 0 && got.ptr[0] >= 0x80 && got.ptr[0] < 0xc2)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_reader r = rj_reader_of(rj_bytes_of(data, len));

    while (rj_reader_left(&r) > 0) {
        uint8_t what = rj_reader_u8(&r);

        switch (what % 7) {
        case 0:
            (void)rj_reader_u16be(&r);
            break;
        case 1:
            (void)rj_reader_u32be(&r);
            break;
        case 2:
            (void)rj_reader_u64be(&r);
            break;
        case 3:
            read_bytes(&r, what / 7);
            break;
        case 4:
            (void)rj_reader_peek(&r);
            break;
        default:
            read_varint(&r);
            break;
        }
    }
    if (r.failed == rj_reader_complete(&r) || rj_reader_u8(&r) != 0 || !r.failed)
        abort();
    return 0;
}
