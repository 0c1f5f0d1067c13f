/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of two sides, both of which only grow: what was added, what was removed. A fact is
 * a place without payload: the element as a CBOR byte string, then
 *
 *   plain    side
 *   tagged   tag as a CBOR byte string, side
 *   stamped  side, time stamp inverted and big-endian (the latest comes first)
 *
 * side being `a` or `r`. What is known of an element lies together. */
#ifndef RJ_CRDT_SIDED_H
#define RJ_CRDT_SIDED_H

#include "crdt/value.h"

enum rj_sided { RJ_SIDED_PLAIN, RJ_SIDED_TAGGED, RJ_SIDED_STAMPED };

struct rj_fact {
    struct rj_bytes element, tag;
    bool removed;
    uint64_t stamp;
};

/* False: not such a place. */
bool rj_fact_get(struct rj_bytes place, enum rj_sided shape, struct rj_fact *ret);
/* ADD and REMOVE of all keys with the change's tag and stamp. */
RJ_NODISCARD enum rj_err rj_sided_change(const struct rj_site *s, enum rj_sided shape);
/* The next fact about the element of *place; false: there is none. */
bool rj_fact_next(const struct rj_crdt *v, const struct rj_row **place,
                  struct rj_bytes prefix, enum rj_sided shape, struct rj_fact *fact);
/* place is the first of its element, and fact is what it says. */
bool rj_fact_first(const struct rj_crdt *v, const struct rj_row *place,
                   struct rj_bytes prefix, enum rj_sided shape, struct rj_fact *fact);
/* `spend` where one removal is enough, and where stamps decide. */
RJ_NODISCARD enum rj_err rj_sided_spend(const struct rj_crdt *v, struct rj_bytes prefix,
                                        const struct rj_row *place,
                                        const struct rj_dots *horizon,
                                        struct rj_dots *spent);
RJ_NODISCARD enum rj_err rj_sided_spend_stamped(const struct rj_crdt *v,
                                                struct rj_bytes prefix,
                                                const struct rj_row *place,
                                                const struct rj_dots *horizon,
                                                struct rj_dots *spent);
void rj_fact_read(struct rj_bytes place, enum rj_sided shape,
                  struct rj_crdt_row *ret_row);

/* A type of that shape, in a file that says what is_shown. */
#define RJ_SIDED_TYPE(id, shape, its_number, its_name)                                   \
    static enum rj_err change(const struct rj_site *s)                                   \
    {                                                                                    \
        return rj_sided_change(s, shape);                                                \
    }                                                                                    \
                                                                                         \
    static void read_row(struct rj_bytes place, struct rj_bytes payload,                 \
                         struct rj_crdt_row *ret_row)                                    \
    {                                                                                    \
        (void)payload;                                                                   \
        rj_fact_read(place, shape, ret_row);                                             \
    }                                                                                    \
                                                                                         \
    static bool is_sound(struct rj_bytes place, struct rj_bytes payload)                 \
    {                                                                                    \
        struct rj_fact fact;                                                             \
                                                                                         \
        return rj_fact_get(place, shape, &fact) && payload.len == 0;                     \
    }                                                                                    \
                                                                                         \
    const struct rj_type id = {                                                          \
        .number = its_number,                                                            \
        .name = its_name,                                                                \
        .walks = true,                                                                   \
        .change = change,                                                                \
        .spend = (shape) == RJ_SIDED_STAMPED ? rj_sided_spend_stamped : rj_sided_spend,  \
        .beats = rj_row_is_lesser,                                                       \
        .is_sound = is_sound,                                                            \
        .is_shown = is_shown,                                                            \
        .coded = true,                                                                   \
        .read = read_row,                                                                \
    }

#endif
