/* SPDX-License-Identifier: Apache-2.0 */
/* Multi-value register read as last-writer-wins. Keeping the losers until a write has
 * seen them costs little and makes the winner the same whatever the order of delivery.
 * Shapiro et al. 2011, "A comprehensive study of CRDTs", 3.2.1 and 3.2.2. */
#include "crdt/register.h"

#include "base/alloc.h"

struct rj_version *rj_version_new(size_t cap)
{
    struct rj_version *v;
    size_t size;

    if (cap > UINT32_MAX || !rj_size_add(sizeof(*v), cap, &size))
        return NULL;
    v = rj_alloc_array(size, 1);
    if (v == NULL)
        return NULL;
    v->d = (struct rj_dotted){.sort = RJ_DOTTED_VERSION};
    v->len = 0;
    v->cap = (uint32_t)cap;
    return v;
}

void rj_version_set(struct rj_version *v, const struct rj_rank *rank, uint64_t deadline,
                    struct rj_bytes value)
{
    v->d.sort = RJ_DOTTED_VERSION;
    v->d.mark = false;
    v->d.seq = rank->dot.seq;
    v->d.origin = rank->dot.origin;
    v->d.stamp = rank->stamp;
    v->d.deadline = deadline;
    v->len = (uint32_t)value.len;
    if (value.len > 0)
        memmove(v->value, value.ptr, value.len);
}

struct rj_version *rj_register_top(struct rj_dotted *first,
                                   const struct rj_origins *origins, uint64_t now_ms)
{
    struct rj_dotted *top = NULL, *d;

    for (d = first; d != NULL; d = d->next) {
        if (d->sort != RJ_DOTTED_VERSION || rj_is_due(d->deadline, now_ms))
            continue;
        if (top == NULL || rj_dot_order(origins, d->stamp, rj_dotted_dot(d), top->stamp,
                                        rj_dotted_dot(top)) > 0)
            top = d;
    }
    return top != NULL ? rj_version_of(top) : NULL;
}

bool rj_register_int(struct rj_bytes b, int64_t *ret)
{
    bool negative = b.len > 0 && b.ptr[0] == '-';
    size_t i = negative ? 1 : 0;
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t v = 0;

    if (b.len <= i || b.len > RJ_DECIMAL_MAX - 1)
        return false;
    if (b.ptr[i] == '0' && b.len > 1)
        return false;
    for (; i < b.len; i++) {
        unsigned digit = (unsigned)b.ptr[i] - '0';

        if (digit > 9 || v > (limit - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *ret = negative ? (int64_t)(~v + 1) : (int64_t)v;
    return true;
}

size_t rj_register_digits(int64_t v, char ret[RJ_DECIMAL_MAX])
{
    uint64_t left = v < 0 ? ~(uint64_t)v + 1 : (uint64_t)v;
    char reversed[RJ_DECIMAL_MAX];
    size_t n = 0, len = 0;

    do {
        reversed[n++] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (v < 0)
        ret[len++] = '-';
    while (n > 0)
        ret[len++] = reversed[--n];
    ret[len] = '\0';
    return len;
}
