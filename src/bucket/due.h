/* SPDX-License-Identifier: Apache-2.0 */
/* Index of deadlines: which keys may hold something that is due, in slots of 10 seconds.
 * A key is in one slot at most, never in a later one than its earliest deadline; it may
 * be in an earlier one (deadlines that were overwritten are not looked for), so whoever
 * comes to a slot looks at the key. A key without deadlines is not in it and costs
 * nothing. */
#ifndef RJ_BUCKET_DUE_H
#define RJ_BUCKET_DUE_H

#include "base/map.h"

enum {
    RJ_DUE_SLOT_MS = 10000,
    RJ_DUE_KEPT_MS = 1 /* in place of a deadline: it is looked at now and then */
};

struct rj_due_slot;

/* Lies in what is indexed. Zero-initialise. */
struct rj_due_link {
    struct rj_due_link *prev, *next;
    struct rj_due_slot *slot; /* NULL: in none */
};

struct rj_due_slot {
    struct rj_map_node node;
    uint8_t number[8]; /* deadline / RJ_DUE_SLOT_MS, big-endian */
    struct rj_due_link head;
};

struct rj_due {
    struct rj_map slots;
    struct rj_due_slot *last; /* the one used last, or NULL */
};

void rj_due_init(struct rj_due *due);
/* Frees the slots; the links in them become stale. */
void rj_due_done(struct rj_due *due);

/* Makes sure that rj_due_note of this link (NULL: of a new one) with this deadline
 * succeeds. RJ_ENOMEM. */
RJ_NODISCARD enum rj_err
rj_due_reserve(struct rj_due *due, const struct rj_due_link *link, uint64_t deadline);
/* Puts link into the slot of deadline, unless it is in that or an earlier one. */
void rj_due_note(struct rj_due *due, struct rj_due_link *link, uint64_t deadline);
/* Takes link out, if it is in; frees a slot that becomes empty. */
void rj_due_drop(struct rj_due *due, struct rj_due_link *link);

/* Puts link, which is in a slot, behind the others there. */
void rj_due_requeue(struct rj_due_link *link);

/* The earliest slot, the next one after slot. NULL: none. A slot may be empty. */
struct rj_due_slot *rj_due_first(const struct rj_due *due);
struct rj_due_slot *rj_due_next(const struct rj_due_slot *slot);
/* Frees slot if it is empty; false: it is not. */
bool rj_due_drop_empty(struct rj_due *due, struct rj_due_slot *slot);
/* First millisecond of the slot; first one after it. */
uint64_t rj_due_start(const struct rj_due_slot *slot);
uint64_t rj_due_end(const struct rj_due_slot *slot);

#endif
