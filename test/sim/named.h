/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: each is a function over a fresh world. It runs once in an orderly
 * world and then with several seeds that shuffle what happens at one time, cut bytes
 * anywhere and slow disks down. */
#ifndef SIM_NAMED_H
#define SIM_NAMED_H

#include "sim/check.h"
#include "sim/ops.h"

struct sim_named {
    const char *name;
    void (*run)(struct sim_world *w);
};

/* Each ends with a NULL name. */
extern const struct sim_named sim_named_sync[];
extern const struct sim_named sim_named_state[];
extern const struct sim_named sim_named_merge[];
extern const struct sim_named sim_named_rights[];
extern const struct sim_named sim_named_transfer[];
extern const struct sim_named sim_named_readmit[];
extern const struct sim_named sim_named_trouble[];
extern const struct sim_named sim_named_fork[];
extern const struct sim_named sim_named_apart[];
extern const struct sim_named sim_named_cast[];
extern const struct sim_named sim_named_gone[];

/* Logs and parts so small that everybody truncates early and a transfer of some bulk keys
 * has several parts. Before sim_cluster(). */
void sim_small_limits(struct sim_world *w);
/* n hosts A, B, .., all linked, all members of space s0 (A made it), settled. */
void sim_cluster(struct sim_world *w, size_t n);
/* The latency of all links. */
void sim_slow_links(struct sim_world *w, uint32_t latency_ms);
/* Links a host with nobody, or with everybody of another device. */
void sim_isolate(struct sim_world *w, struct sim_host *h);
void sim_rejoin(struct sim_world *w, struct sim_host *h);
/* Fails the world when the condition does not hold. */
#define SIM_EXPECT(w, cond)                                                              \
    do {                                                                                 \
        if (!(cond))                                                                     \
            sim_fail((w), "%s:%d: expected %s", __func__, __LINE__, #cond);              \
    } while (0)
/* What the first key of a class shows at h as a number; -1: nothing. */
int64_t sim_value(struct sim_world *w, struct sim_host *h, enum sim_class class);
/* A write to the first key of a class; fails the world when it is refused. */
void sim_do(struct sim_world *w, struct sim_host *h, enum sim_class class,
            enum sim_verb verb, size_t elem, int64_t value);
/* Adds to, or removes from, the first keys of a set, a string and a hash. */
void sim_add_some(struct sim_world *w, struct sim_host *h);
void sim_remove_some(struct sim_world *w, struct sim_host *h);
/* n writes to bulk keys, a few milliseconds apart. */
void sim_bulk(struct sim_world *w, struct sim_host *h, size_t n);
/* Runs until h takes over state; false: it did not within ms. */
bool sim_until_joining(struct sim_world *w, struct sim_host *h, uint64_t ms);
struct rj_space_info sim_info(struct sim_world *w, struct sim_host *h);

#endif
