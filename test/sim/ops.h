/* SPDX-License-Identifier: Apache-2.0 */
/* What clients did, and what must have become of it. Each write is recorded with the
 * commit that covers it and with what its host had seen of the key before. Its fate is
 * decided by the disks that the simulator runs itself: safe (it is in a commit that no
 * crash can take away), maybe (a crash came before; peers may have it), gone (a crash
 * came before and, at durability always, nothing may have left the host). */
#ifndef SIM_OPS_H
#define SIM_OPS_H

#include "sim/world.h"

/* What a key is used for, so that its value at the end can be predicted. */
enum sim_class {
    SIM_COUNTER, /* INCR only */
    SIM_GROW,    /* SADD of new elements only */
    SIM_REG,     /* SET only */
    SIM_STRING,  /* SET of integers, INCR, DEL */
    SIM_SET,     /* SADD, SREM, DEL with few elements */
    SIM_HASH,    /* HSET, HINCR, HDEL, DEL with few fields */
    SIM_PAIR,    /* always written together with its other half, in one group */
    SIM_TTL,     /* SET with deadlines, EXPIRE: convergence only */
    SIM_WILD,    /* everything: convergence only */
    SIM_CLASSES
};

enum sim_verb {
    SIM_DO_SET,
    SIM_DO_DEL,
    SIM_DO_INCR,
    SIM_DO_SADD,
    SIM_DO_SREM,
    SIM_DO_HSET,
    SIM_DO_HDEL,
    SIM_DO_HINCR,
    SIM_DO_EXPIRE
};

enum sim_fate { SIM_PENDING, SIM_SAFE, SIM_MAYBE, SIM_GONE };

enum { SIM_KEYS = 40, SIM_ELEMS = 3, SIM_BASE = 100000 };

struct sim_op {
    uint32_t id; /* index + 1 */
    uint32_t host, instance;
    uint8_t space, key, elem, verb;
    int64_t value;        /* SET: id * SIM_BASE; INCR, HINCR: the difference */
    uint32_t base;        /* INCR, HINCR: id of the register that was shown; 0: none */
    uint64_t group, mark; /* of rj_node_group, rj_space_mark after it */
    uint64_t at_ms;
    enum sim_fate fate;
    bool acked;
    bool joining;       /* made while joining: its dot may change at a crash */
    bool renamed;       /* ... and there was a crash: its dot says nothing */
    bool elsewhere;     /* its host lost it; others are known to have it */
    bool saved;         /* is in the backup of its host */
    uint16_t had;       /* SIM_GROW: hosts that had it when healing began, as bits */
    uint8_t origin[16]; /* its dot: (origin, seq] */
    uint64_t seq;
    uint32_t *saw; /* ids of earlier writes to the key that the host had */
    uint32_t saw_n;
};

struct sim_ops {
    struct sim_op *items;
    size_t n, cap;
};

void sim_ops_free(struct sim_ops *ops);
const char *sim_key_name(size_t key);
enum sim_class sim_key_class(size_t key);
struct rj_bytes sim_key(size_t key);

/* Hooks of the driver. */
void sim_ops_safe(struct sim_world *w, struct sim_host *h);
void sim_ops_acknowledged(struct sim_world *w, struct sim_host *h);
void sim_ops_crashed(struct sim_world *w, struct sim_host *h);
/* What lies unsealed on a disk that is copied is issued again by the copy too. */
void sim_ops_cloned(struct sim_world *w, struct sim_host *from);
/* Two processes go on under one incarnation: their dots say nothing from now on. */
void sim_ops_forked(struct sim_world *w, struct sim_host *from, struct sim_host *h,
                    size_t space);
void sim_ops_backed_up(struct sim_world *w, struct sim_host *h);
void sim_ops_rolled_back(struct sim_world *w, struct sim_host *h);

/* One write of a client, at a host that has the space; what the engine refuses is
 * counted. Returns what the call gave. elem: which element or field. value: INCR, HINCR:
 * the difference; SET, HSET: ignored, the value is made from the op's id. */
enum rj_err sim_write(struct sim_world *w, struct sim_host *h, size_t space, size_t key,
                      enum sim_verb verb, size_t elem, int64_t value);
/* Both halves of a pair in one group. */
enum rj_err sim_write_pair(struct sim_world *w, struct sim_host *h, size_t space);
/* A write chosen by chance, to any key. */
void sim_write_any(struct sim_world *w, struct sim_host *h, size_t space);
/* The first key of a class. */
size_t sim_key_of(enum sim_class class);
/* The integer that a key (or a field of it) shows; false: it shows none. */
bool sim_shown(struct rj_bucket *b, size_t key, const char *field, int64_t *ret);

/* A new op of h, saw and base filled in; pointers to ops end here. Call sim_op_end with
 * what the data call gave. */
struct sim_op *sim_op_begin(struct sim_world *w, struct sim_host *h, size_t space,
                            size_t key, enum sim_verb verb);
void sim_op_end(struct sim_world *w, struct sim_host *h, enum rj_err err);
const char *sim_elem_name(const struct sim_op *op, char buf[24]);

/* peek.c: what the public contract does not show. */
void sim_peek_origin(struct rj_space *s, uint8_t ret[16]);
bool sim_peek_has(struct rj_space *s, struct rj_bytes key, const uint8_t origin[16],
                  uint64_t seq);
bool sim_peek_joining(struct rj_space *s);
/* Writes stay unsealed for a while: an open in between gives them other dots. */
bool sim_peek_unsealed(const struct rj_space *s);
/* Writes a record that closes a device, whatever the rights: a host that cheats. */
enum rj_err sim_peek_close(struct rj_space *s, const struct rj_digest *device);
/* The same of a role record that lifts the first close of the device. */
enum rj_err sim_peek_lift(struct rj_space *s, const struct rj_digest *device);
/* The log of s no longer holds what its part of an origin did behind seq, where another
 * part goes on too; and s does not know of that. */
bool sim_peek_beyond(struct rj_space *s, const struct sim_split *split);
uint64_t sim_peek_self(const struct rj_space *s, uint8_t origin[16]); /* how far it is */
/* No state flows over that link, for its ends have branches that are not merged. */
bool sim_peek_apart(const struct rj_space *s, uint64_t peer);
/* It ends because of a fork. */
bool sim_peek_renews(const struct rj_node *n);
uint64_t sim_peek_incarnation(const struct rj_node *n);
bool sim_peek_guest(const struct rj_node *n, uint64_t peer);
uint64_t sim_peek_clock_ms(const struct rj_space *s); /* of the greatest stamp known */

/* Appends what the space is doing, for people. */
void sim_peek_dump(const struct rj_space *s, struct rj_buf *out);

/* A joiner some of whose ranges were read at a vector that this other space does not
 * reach in origins of which a is ahead: true when b has less of one than a range of a. */
bool sim_peek_is_ahead(const struct rj_space *a, const struct rj_space *b, size_t range,
                       uint32_t origin);
size_t sim_peek_ranges(const struct rj_space *s);
uint32_t sim_peek_origins(const struct rj_space *s);
/* Deletions that are remembered. */
size_t sim_peek_gones(struct rj_space *s);
/* Parked batches that wait for something: those of a closed origin are kept aside. */
size_t sim_peek_waiting(const struct rj_space *s);

/* differ.c: writes down which dots only one of two hosts has. */
void sim_differ(struct sim_world *w, struct sim_host *a, struct sim_host *b,
                size_t space);
/* Writes down the dots of w->watch whenever they changed. */
void sim_watch(struct sim_world *w);
/* Writes down all dots of a key. */
void sim_dump_key(struct sim_world *w, struct sim_host *h, size_t space, size_t key);

/* oracle.c: what h must show, from the set of writes that it has, in no order. */
void sim_oracle_check(struct sim_world *w, struct sim_host *h, size_t space);

#endif
