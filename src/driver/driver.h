/* SPDX-License-Identifier: Apache-2.0 */
/* One node that runs: its device key, loop, engine and peers, put together. The daemon
 * and the embedded library are what stands around it. */
#ifndef RJ_DRIVER_DRIVER_H
#define RJ_DRIVER_DRIVER_H

#include "driver/engine.h"
#include "driver/home.h"
#include "driver/peers.h"

enum {
    RJ_DRIVER_WHY_MAX = 768,
    RJ_DRIVER_QUIET_MS = 5000, /* at the end: for the last writes to become durable */
    RJ_DRIVER_CLOSE_MS = 1000  /* and for connections to close */
};

/* No slot may be NULL. Called from the loop; must not close the driver. */
struct rj_driver_ops {
    /* The end of a turn: before and after the engine is flushed. */
    void (*before_flush)(void *ctx);
    void (*after_flush)(void *ctx);
    /* An instance of the engine has begun, has ended; see engine.h. */
    void (*began)(void *ctx);
    void (*ended)(void *ctx, enum rj_err err);
    /* As in engine.h; NULL: nobody listens. */
    void (*cast)(void *ctx, struct rj_space *s, struct rj_bytes topic,
                 struct rj_bytes text);
    /* The store can never be opened again: nothing will begin any more. */
    void (*gave_up)(void *ctx, enum rj_err err, const char *why);
    void (*signal)(void *ctx, int signo); /* where signals were asked for */
};

struct rj_driver_options {
    const struct rj_driver_ops *ops;
    void *ctx;
    bool signals;         /* as rj_loop_options */
    struct rj_home *home; /* open; borrowed, like all that follows */
    struct rj_logger *log;
    const char *name;           /* of the device */
    const char *listen_host;    /* "": any address */
    uint16_t port;              /* 0: accept nobody, or with any_port: */
    bool any_port;              /* one that the system chooses */
    int listen_fd;              /* inherited, listens at port; 0: none */
    const char *told_addresses; /* "": find them */
    uint16_t port_beacon;       /* these five as in struct rj_peers_options */
    const struct rj_site *site;
    struct rj_pipes *pipes;
    const char *ssh_command, *peer_socket;
    uint64_t store_max_bytes; /* 0: a default that follows the disk */
    struct rj_limits limits;
};

/* How far an open came. */
enum rj_driver_stage { RJ_DRIVER_KEY, RJ_DRIVER_PARTS, RJ_DRIVER_STORE, RJ_DRIVER_OPEN };

/* The parts may be used by whoever put the driver there; the rest is its own. */
struct rj_driver {
    struct rj_crypto *crypto;
    struct rj_loop *loop;
    struct rj_engine *engine;
    struct rj_peers *peers;
    enum rj_driver_stage stage;
    bool stopping;
    bool late; /* the last writes did not become durable in time */
    char why[RJ_DRIVER_WHY_MAX];

    struct rj_driver_options options;
    struct rj_tls_ctx *tls;
    struct rj_timer *stop_timer;
    struct rj_mono stop_until;
    bool ran; /* its listeners are gone with the loop's end */
};

/* Loads or makes the key, opens the store. On failure stage says where it stopped, why
 * says more, and rj_driver_close must still be called. As rj_home_key, rj_engine_open. */
RJ_NODISCARD enum rj_err rj_driver_open(struct rj_driver *d,
                                        const struct rj_driver_options *options);
/* Begins to listen for peers: as rj_peers_listen. */
RJ_NODISCARD enum rj_err rj_driver_listen(struct rj_driver *d);
/* Why a port could not be had, for people. */
const char *rj_driver_port_text(enum rj_err err);
/* All is ready: calls began, dials peers. */
void rj_driver_begin(struct rj_driver *d);
/* Runs the loop until a stop is complete. */
void rj_driver_run(struct rj_driver *d);
/* Begins to stop: no new peers; once what was written is durable, at the latest after
 * quiet_ms, the loop stops. A second call can only shorten the time. */
void rj_driver_stop(struct rj_driver *d, uint32_t quiet_ms);
/* Whether everything that was written so far is durable here. */
bool rj_driver_quiet(struct rj_driver *d);
/* After rj_driver_run, or when the loop has never had a turn. Parts of others on the loop
 * (timers, listeners) are freed between rj_driver_close_engine, after which no op is
 * called, and rj_driver_close. Both accept a zeroed struct. */
void rj_driver_close_engine(struct rj_driver *d);
void rj_driver_close(struct rj_driver *d);

/* Makes a ticket and appends its text, a secret, to ret_text. As rj_node_invite, and
 * RJ_EUNREACH: this device is reachable nowhere; RJ_EBUSY: between two instances. */
RJ_NODISCARD enum rj_err rj_driver_invite(struct rj_driver *d,
                                          const struct rj_invite_opts *opts,
                                          struct rj_buf *ret_text);
/* Begins to join by a ticket: as rj_node_join; RJ_EBUSY as above. */
RJ_NODISCARD enum rj_err rj_driver_join(struct rj_driver *d, const struct rj_ticket *t);

#endif
