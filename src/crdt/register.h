/* SPDX-License-Identifier: Apache-2.0 */
/* Last-writer-wins register that keeps all concurrent versions: what is shown is the one
 * with the greatest (stamp, dot); the next write overwrites all that it has seen. */
#ifndef RJ_CRDT_REGISTER_H
#define RJ_CRDT_REGISTER_H

#include "crdt/dotfun.h"

enum { RJ_DECIMAL_MAX = 21 }; /* bytes of the longest int64 in decimal, with its NUL */

struct rj_version {
    struct rj_dotted d;
    uint32_t len, cap; /* of value */
    uint8_t value[];
};

static inline struct rj_version *rj_version_of(struct rj_dotted *d)
{
    return (struct rj_version *)(void *)d;
}

static inline const struct rj_version *rj_version_of_const(const struct rj_dotted *d)
{
    return (const struct rj_version *)(const void *)d;
}

static inline struct rj_bytes rj_version_value(const struct rj_version *v)
{
    return (struct rj_bytes){.ptr = v->value, .len = v->len};
}

/* A version on the heap with room for a value of cap bytes; free(). NULL: no memory. */
RJ_NODISCARD struct rj_version *rj_version_new(size_t cap);
/* Makes v, which has room for the value, the version (dot, stamp, deadline) of value. The
 * value may lie in v already. cap and d.home stay. */
void rj_version_set(struct rj_version *v, const struct rj_rank *rank, uint64_t deadline,
                    struct rj_bytes value);
/* What the register shows at now; NULL: no version, or all are due. */
struct rj_version *rj_register_top(struct rj_dotted *first,
                                   const struct rj_origins *origins, uint64_t now_ms);
/* True iff b is an int64 in its one decimal form (no sign but '-', no leading zeros). */
bool rj_register_int(struct rj_bytes b, int64_t *ret);
/* Writes v in that form, with a NUL; returns the length without it. */
size_t rj_register_digits(int64_t v, char ret[RJ_DECIMAL_MAX]);

#endif
