/* SPDX-License-Identifier: Apache-2.0 */
/* Replicas that will never write again, and who takes over what each of them had. A table
 * beside the rows, joined name by name: of two heirs the lesser name stays. Nothing is
 * moved: the rows of who retired stay under its name, so what of them comes late counts
 * as well and nothing can count twice; what only their owner could do with them, its heir
 * can. The heir of an heir inherits both. */
#ifndef RJ_CRDT_HEIRS_H
#define RJ_CRDT_HEIRS_H

#include "crdt/roster.h"

struct rj_heir {
    uint32_t name, heir;
};

/* Ascending by name's index. Zero-initialise (and name an allocator). */
struct rj_heirs {
    struct rj_heir *items;
    size_t n, cap;
    const struct rj_allocator *allocator;
};

void rj_heirs_done(struct rj_heirs *h);
/* Notes that heir inherits from name, unless a lesser one does. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_heirs_note(struct rj_heirs *h, const struct rj_roster *names,
                                       struct rj_heir heir);
/* Notes all of other's, whose indexes map (NULL: as they are) leads from. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err rj_heirs_join(struct rj_heirs *h, const struct rj_roster *names,
                                       const struct rj_heirs *other, const uint32_t *map);
/* The heir of name; RJ_NAME_NONE: it has not retired. */
uint32_t rj_heirs_of(const struct rj_heirs *h, uint32_t name);
/* Who has what `name` had: itself, or the last of its heirs. RJ_NAME_NONE: they retired
 * in favour of each other. */
uint32_t rj_heirs_last(const struct rj_heirs *h, uint32_t name);

#endif
