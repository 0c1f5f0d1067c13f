/* SPDX-License-Identifier: Apache-2.0 */
/* Views of bytes.
 *
 * UTF-8 after RFC 3629 (Yergeau, 2003): the first byte says how many follow and which
 * values the second may have; that one table keeps out overlong forms (C0, C1, E0 80..9F,
 * F0 80..8F), surrogates (ED A0..BF) and what lies above U+10FFFF (F4 90.., F5..). */
#include "base/bytes.h"

bool rj_bytes_equal_secret(struct rj_bytes a, struct rj_bytes b)
{
    volatile uint8_t difference = 0;

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        difference = (uint8_t)(difference | (a.ptr[i] ^ b.ptr[i]));
    return difference == 0;
}

bool rj_bytes_starts_with(struct rj_bytes b, struct rj_bytes prefix)
{
    return b.len >= prefix.len && rj_bytes_equal(rj_bytes_first(b, prefix.len), prefix);
}

struct rj_bytes rj_bytes_skip(struct rj_bytes b, size_t n)
{
    if (n >= b.len)
        return (struct rj_bytes){0};
    return rj_bytes_of(b.ptr + n, b.len - n);
}

struct rj_bytes rj_bytes_first(struct rj_bytes b, size_t n)
{
    return rj_bytes_of(b.ptr, n < b.len ? n : b.len);
}

/* Bytes of the sequence that b begins with, 0 when it is not well-formed. */
static size_t utf8_sequence(struct rj_bytes b)
{
    uint8_t first = b.ptr[0];
    uint8_t second_min = 0x80, second_max = 0xbf;
    size_t len;

    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    len = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first == 0xe0)
        second_min = 0xa0;
    else if (first == 0xed)
        second_max = 0x9f;
    else if (first == 0xf0)
        second_min = 0x90;
    else if (first == 0xf4)
        second_max = 0x8f;
    if (b.len < len || b.ptr[1] < second_min || b.ptr[1] > second_max)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((b.ptr[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool rj_bytes_is_utf8(struct rj_bytes b)
{
    size_t pos = 0;

    while (pos < b.len) {
        size_t len = utf8_sequence(rj_bytes_of(b.ptr + pos, b.len - pos));

        if (len == 0)
            return false;
        pos += len;
    }
    return true;
}

void rj_bytes_wipe(void *ptr, size_t len)
{
    volatile uint8_t *p = ptr;

    for (size_t i = 0; i < len; i++)
        p[i] = 0;
}
