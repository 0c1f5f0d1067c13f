/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing and cutting borrowed views of bytes (struct rj_bytes). Nothing here
 * allocates; every view that is returned borrows from its argument. */
#ifndef RJ_BASE_BYTES_H
#define RJ_BASE_BYTES_H

#include <rejoin/bytes.h>
#include <rejoin/error.h>
#include <stdbool.h>
#include <string.h>

/* The view of a string literal, without its final NUL. */
#define RJ_BYTES_LIT(s)                                                                  \
    ((struct rj_bytes){.ptr = (const uint8_t *)("" s ""), .len = sizeof(s) - 1})

/* The view of a struct or array as a whole: RJ_BYTES_OF(digest.b). */
#define RJ_BYTES_OF(array)                                                               \
    ((struct rj_bytes){.ptr = (const uint8_t *)(array), .len = sizeof(array)})

/* len bytes at ptr; ptr may be NULL iff len is 0. */
static inline struct rj_bytes rj_bytes_of(const void *ptr, size_t len)
{
    return (struct rj_bytes){.ptr = ptr, .len = len};
}

/* A C string without its NUL; NULL gives the empty view. */
static inline struct rj_bytes rj_bytes_from_str(const char *str)
{
    return rj_bytes_of(str, str != NULL ? strlen(str) : 0);
}

static inline bool rj_bytes_equal(struct rj_bytes a, struct rj_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Order as unsigned bytes, a prefix before what it begins: < 0, 0, > 0. */
static inline int rj_bytes_compare(struct rj_bytes a, struct rj_bytes b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

/* Equality in a time that depends on the lengths only: for secrets, tickets, MACs. */
bool rj_bytes_equal_secret(struct rj_bytes a, struct rj_bytes b);

bool rj_bytes_starts_with(struct rj_bytes b, struct rj_bytes prefix);

/* b without its first n bytes; empty when it has fewer. */
struct rj_bytes rj_bytes_skip(struct rj_bytes b, size_t n);

/* At most the first n bytes of b. */
struct rj_bytes rj_bytes_first(struct rj_bytes b, size_t n);

/* True iff b is well-formed UTF-8 (RFC 3629: shortest forms only, no surrogates, nothing
 * above U+10FFFF). The empty view is. */
bool rj_bytes_is_utf8(struct rj_bytes b);

/* Overwrites len bytes at ptr with zeros, in a way that is not optimised away. */
void rj_bytes_wipe(void *ptr, size_t len);

#endif
