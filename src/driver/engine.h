/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of the engine: turns what happens into events for rj_node_step, carries out
 * its actions, keeps its deadline, runs its commits on a worker thread. When a step or a
 * commit fails for good, the instance ends: the store is closed and opened again, with a
 * new node on it (a new incarnation, R1). */
#ifndef RJ_DRIVER_ENGINE_H
#define RJ_DRIVER_ENGINE_H

#include "driver/logger.h"
#include "posix/loop.h"

#include <rejoin/node.h>

enum {
    RJ_ENGINE_WHY_MAX = 512,
    RJ_ENGINE_RETRY_MIN_MS = 500,  /* before the store is opened again, and */
    RJ_ENGINE_RETRY_MAX_MS = 30000 /* the longest wait when that fails again */
};

struct rj_engine;

/* What the driver needs from the program around it. No slot may be NULL. Called from
 * within the calls below; must not call back into them. */
struct rj_engine_ops {
    void (*send)(void *ctx, uint64_t peer, struct rj_bytes bytes);
    void (*close)(void *ctx, uint64_t peer, enum rj_err err);
    /* Something worth telling to people. */
    void (*note)(void *ctx, enum rj_note_level level, const char *text);
    /* RJ_ACT_RELAY. */
    void (*relay)(void *ctx, const struct rj_action *a);
    /* Another member of the space has sent a message. What is given is borrowed. */
    void (*cast)(void *ctx, struct rj_space *s, struct rj_bytes topic,
                 struct rj_bytes text);
    /* The instance has ended: forget its spaces and marks, cut all peers. */
    void (*ended)(void *ctx, enum rj_err err, const char *why);
    /* A new one is there (also called for the first one). */
    void (*began)(void *ctx);
    /* It cannot go on at all (damaged store): end the process. */
    void (*gave_up)(void *ctx, enum rj_err err, const char *why);
};

struct rj_engine_options {
    const struct rj_engine_ops *ops;
    void *ctx;
    struct rj_loop *loop;
    struct rj_env *env;
    struct rj_logger *log;
    const char *store_path; /* borrowed for the engine's life */
    uint64_t store_max_bytes;
    struct rj_bytes name; /* of the device; borrowed for the engine's life */
    struct rj_limits limits;
};

/* Opens store and node. RJ_ECORRUPT, RJ_EVERSION, RJ_EBUSY, RJ_EIO, RJ_EFULL: detail in
 * why (why_len bytes). */
RJ_NODISCARD enum rj_err rj_engine_open(const struct rj_engine_options *options,
                                        char *why, size_t why_len,
                                        struct rj_engine **ret_engine);
/* After the loop has ended. NULL is accepted. */
void rj_engine_close(struct rj_engine *e);

/* The node, or NULL between two instances. Borrowed until the next turn. */
struct rj_node *rj_engine_node(struct rj_engine *e);
/* How many instances began so far: a client's mark of another one means nothing. */
uint64_t rj_engine_instance(const struct rj_engine *e);
/* Now, for data calls. */
struct rj_now rj_engine_now(const struct rj_engine *e);

/* Events of peers. Ignored between two instances. */
void rj_engine_peer_up(struct rj_engine *e, uint64_t peer, const uint8_t *pubkey,
                       const uint8_t *binding, bool dialled);
void rj_engine_peer_bytes(struct rj_engine *e, uint64_t peer, struct rj_bytes bytes);
void rj_engine_peer_drained(struct rj_engine *e, uint64_t peer);
void rj_engine_peer_down(struct rj_engine *e, uint64_t peer);

/* A client used the data calls: this turn needs a flush. */
void rj_engine_touch(struct rj_engine *e);
/* The end of a turn: one RJ_EV_FLUSH when anything happened. */
void rj_engine_flush(struct rj_engine *e);
/* Flushes at once: for rj_bucket_begin that said RJ_EBUSY. Bucket handles end. */
void rj_engine_flush_now(struct rj_engine *e);
/* Whether nothing is left to be written. */
bool rj_engine_quiet(struct rj_engine *e);

#endif
