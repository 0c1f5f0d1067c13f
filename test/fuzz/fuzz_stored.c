/* SPDX-License-Identifier: Apache-2.0 */
/* What the decoder of stored records accepts is in its one form: written again, it gives
 * the same bytes. Input: two bytes, of which the first nine bits are the length of the
 * LMDB key and the last one says that the checksum is to be set right; the key; the
 * stored value. */
#include "base/be.h"
#include "store/stored.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_again(const struct rj_stored *r, struct rj_bytes key,
                        struct rj_bytes stored)
{
    uint8_t again[RJ_STORED_KEY_MAX];
    size_t mark = r->kind != RJ_STORED_VALUE;
    size_t n = rj_stored_key(r->group, r->part, again);
    uint8_t *room = malloc(stored.len + 1);

    if (mark != 0)
        again[n++] = 0;
    if (room == NULL || !rj_bytes_equal(rj_bytes_of(again, n), key) ||
        rj_stored_size(r) != stored.len)
        abort();
    rj_stored_write(r, key, room);
    if (!rj_bytes_equal(rj_bytes_of(room, stored.len), stored))
        abort();
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_bytes rest = rj_bytes_skip(rj_bytes_of(data, len), 2), key;
    uint16_t head = len >= 2 ? rj_be_load16(data) : 0;
    struct rj_stored r;
    struct rj_stored_format format;
    uint8_t *stored;
    size_t n;

    key = rj_bytes_first(rest, head >> 7);
    rest = rj_bytes_skip(rest, key.len);
    n = rest.len;
    stored = malloc(n + 1);
    if (stored == NULL)
        return 0;
    if (n > 0)
        memcpy(stored, rest.ptr, n);
    if ((head & 1) != 0 && n >= RJ_STORED_HEAD)
        rj_be_store64(stored,
                      rj_stored_checksum(key, rj_bytes_skip(rest, RJ_STORED_HEAD)));
    if (rj_stored_read(key, rj_bytes_of(stored, n), &r) == RJ_OK)
        check_again(&r, key, rj_bytes_of(stored, n));
    if ((head & 1) != 0 && n >= RJ_STORED_HEAD)
        rj_be_store64(stored, rj_stored_checksum(rj_stored_format_key(),
                                                 rj_bytes_skip(rest, RJ_STORED_HEAD)));
    if (rj_stored_format_read(rj_bytes_of(stored, n), &format) == RJ_OK &&
        (format.number == 0 || memchr(format.maker, '\0', sizeof(format.maker)) == NULL))
        abort();
    free(stored);
    return 0;
}
